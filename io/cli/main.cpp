// greekgrid: the program. Standard output holds what was asked for; log, progress and errors go to standard error.

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <string_view>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/error.hpp"
#include "greekgrid/kernels/error.hpp"
#include "output.hpp"
#include "process.hpp"

namespace {

using namespace greekgrid;
using namespace greekgrid::cli;

// The text of a log line, plain.
class PlainText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/, spdlog::memory_buf_t& out) override {
    const std::string line = plain({message.payload.data(), message.payload.size()});
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override { return std::make_unique<PlainText>(); }
};

int complain(int code, std::string_view message) {
  std::fprintf(stderr, "greekgrid: %s\n", plain(message).c_str());
  return code;
}

int run_command(const Command& command) {
  try {
    const int code = command();
    flush_output();
    return code;
  } catch (const Stopped&) {
    return complain(stop_exit_code(), kStoppedMessage);
  } catch (const UsageError& error) {
    return complain(kUsage, error.what());
  } catch (const InputError& error) {
    return complain(kInputRejected, error.what());
  } catch (const BackendError& error) {
    return complain(kBackendUnavailable, error.what());
  } catch (const OutputError& error) {
    return complain(kFailed, error.what());
  } catch (const std::bad_alloc&) {
    return complain(kFailed, "out of memory (choose fewer tickers with --tickers or --top, or a smaller grid)");
  } catch (const std::exception& error) {
    return complain(kFailed, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  watch_signals();
  auto logger = spdlog::stderr_logger_mt("greekgrid");
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<PlainText>('*').set_pattern("%Y-%m-%dT%H:%M:%SZ %l %*");
  logger->set_formatter(std::move(formatter));
  spdlog::set_default_logger(logger);

  CLI::App app("Dealer-exposure surfaces, gamma levels and Greeks under scenarios, from option chains.", "greekgrid");
  app.set_version_flag("--version", std::string("greekgrid ") + GREEKGRID_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  std::map<std::string, Command> commands = {
      {"ingest", add_ingest(app)},     {"history", add_history(app)},  {"run", add_run(app)},
      {"levels", add_levels(app)},     {"info", add_info(app)},        {"synth", add_synth(app)},
      {"devices", add_devices(app)},   {"greeks", add_greeks(app)},    {"folklore", add_folklore(app)},
      {"export", add_export(app)},     {"show", add_show(app)},        {"attribute", add_attribute(app)},
      {"forecast", add_forecast(app)}, {"verify", add_verify(app)},    {"schema", add_schema(app)},
      {"merge", add_merge(app)},       {"backfill", add_backfill(app)}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    if (asked) {
      app.exit(error, std::cout, std::cerr);
      std::cout.flush();
      return std::cout ? kDone : complain(kFailed, "standard output: not written");
    }
    const bool unknown = app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-';
    const std::string problem = unknown ? std::string(argv[1]) + ": no such command" : std::string(error.what());
    return complain(kUsage, (problem + " (`greekgrid --help` and `greekgrid COMMAND --help` list what there is)"));
  }
  return run_command(commands.at(app.get_subcommands().front()->get_name()));
}

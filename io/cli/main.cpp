// greekgrid: the program. Standard output holds what was asked for; log, progress and errors go to standard error.

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <map>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/error.hpp"
#include "greekgrid/kernels/error.hpp"
#include "output.hpp"
#include "process.hpp"

namespace {

using namespace greekgrid;
using namespace greekgrid::cli;

int complain(int code, const char* message) {
  std::fprintf(stderr, "greekgrid: %s\n", message);
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
  logger->set_pattern("%Y-%m-%dT%H:%M:%SZ %l %v", spdlog::pattern_time_type::utc);
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
    return complain(kUsage,
                    (problem + " (`greekgrid --help` and `greekgrid COMMAND --help` list what there is)").c_str());
  }
  return run_command(commands.at(app.get_subcommands().front()->get_name()));
}

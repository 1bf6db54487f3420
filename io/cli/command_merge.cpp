// Shards of a night to the night itself.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/error.hpp"
#include "greekgrid/io/file_lock.hpp"
#include "greekgrid/io/publish.hpp"
#include "night_job.hpp"
#include "output.hpp"
#include "process.hpp"

namespace greekgrid::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string target, history;
  bool replace = false;
};

int merge(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const std::string record_target = options.target + ".run.json";
  std::vector<std::string> inputs = options.files;
  if (!options.history.empty()) inputs.push_back(options.history);
  check_targets({{"-o", options.target}, {"the run record", record_target}}, inputs);
  const FileLock lock(options.target, std::try_to_lock);
  std::vector<NightPart> shards;
  std::string wrong;
  for (const std::string& file : options.files) {
    if (stop_requested()) throw Stopped{};
    try {
      shards.push_back(NightPart::open(file));
    } catch (const InputError& error) {
      wrong += (wrong.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  if (!wrong.empty()) throw InputError(wrong);
  std::vector<const NightPart*> parts;
  for (const NightPart& shard : shards) parts.push_back(&shard);
  check_parts(parts);
  const std::vector<TickerDigest> digest = digests_of(parts);
  const auto accepted = std::count_if(digest.begin(), digest.end(),
                                      [](const TickerDigest& one) { return one.status == TickerStatus::kOk; });
  if (accepted == 0) throw InputError(options.files.front() + ": no ticker left (every one was refused)");
  if (stop_requested()) throw Stopped{};
  const NightStatistics written = write_night_file(parts, options.target);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  nlohmann::ordered_json record;
  record["program"] = "greekgrid";
  record["version"] = GREEKGRID_VERSION;
  record["finished"] = utc_text(static_cast<Instant>(std::time(nullptr)));
  record["command_line"] = command_line();
  record["inputs"] = inputs;
  record["target"] = options.target;
  record["host"] = host_name();
  record["processor"] = processor_name();
  record["backend"] = parts.front()->identity().texts.backend;
  record["shards"] = parts.size();
  record["seconds"] = {{"total", seconds}};
  record["tickers"] = accepted;
  record["tickers_refused"] =
      digest.size() - static_cast<std::size_t>(accepted) + parts.front()->identity().absent.size();
  std::int64_t contracts = 0;
  for (const TickerDigest& one : digest) contracts += one.contracts;
  record["contracts"] = contracts;
  record["surface_bytes_raw"] = written.bytes_raw;
  record["surface_bytes_compressed"] = written.bytes_compressed;
  record["write_thread_seconds"] = written.write_seconds;
  record["peak_memory_bytes"] = peak_memory_bytes();
  publish_text(record_target, record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  if (!options.history.empty()) {
    append_night(options.history, options.target, parts.front()->identity(), digest, options.replace);
  }
  spdlog::info("{}: {} tickers of {} shards, {} in {:.2f} s, peak memory {}", options.target, accepted, parts.size(),
               bytes_text(static_cast<double>(written.bytes_compressed)), seconds,
               bytes_text(static_cast<double>(peak_memory_bytes())));
  return kDone;
}

}  // namespace

Command add_merge(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("merge", "Shards of a run to its night.h5, byte for byte that of one run");
  command->add_option("files", options->files, "All shards of one run, in any order")->required();
  command->add_option("-o,--output", options->target, "Target night.h5; its run record is written beside it")
      ->required();
  command->add_option("--history", options->history, "history.h5 that the session's own row is appended to");
  command->add_flag("--replace", options->replace,
                    "Values that the history has already of the session are replaced by this run's");
  return [options] { return merge(*options); };
}

}  // namespace greekgrid::cli

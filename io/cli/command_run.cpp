// The main job: chains in, night.h5 and its run record out.

#include <charconv>
#include <memory>

#include "commands.hpp"
#include "night_job.hpp"

namespace greekgrid::cli {
namespace {

// i/N with i = 1 .. N.
void read_shard(const std::string& text, NightOptions& options) {
  const std::size_t slash = text.find('/');
  const auto number = [&](std::size_t begin, std::size_t end, std::int32_t& out) {
    const char* last = text.data() + end;
    const auto [stop, error] = std::from_chars(text.data() + begin, last, out);
    return error == std::errc() && stop == last && end > begin;
  };
  constexpr std::int32_t kMostShards = 100000;
  if (slash == std::string::npos || !number(0, slash, options.shard) ||
      !number(slash + 1, text.size(), options.shards) || options.shard < 1 || options.shard > options.shards ||
      options.shards > kMostShards) {
    throw UsageError("--shard " + text + ": not i/N with i = 1 .. N (such as 2/5)");
  }
}

}  // namespace

Command add_run(CLI::App& app) {
  auto options = std::make_shared<NightOptions>();
  auto shard = std::make_shared<std::string>("1/1");
  CLI::App* command =
      app.add_subcommand("run", "Chains to a night.h5: exposure surfaces, gamma levels, the audit trail");
  command->add_option("files", options->source.files, "One chains.h5, or vendor files (ingested in memory)")
      ->required();
  command->add_option("-o,--output", options->target, "Target night.h5; its run record is written beside it")
      ->required();
  add_night_options(*command, *options);
  command->add_option(
      "--history", options->history,
      "history.h5: predictors, forecasts and hypothetical closes, average daily volumes; with --top and no ranking the "
      "largest by mean close x volume of the last 60 sessions. The session's own row is appended once the run is done");
  command->add_flag("--no-append", options->no_append, "The history is read, not extended");
  command->add_option("--previous", options->previous,
                      "night.h5 of an earlier session: changes of levels are told against it");
  command->add_option("--shard", *shard,
                      "i/N: only the i-th of N parts, balanced by cost; the target is a shard for `greekgrid merge`");
  add_source_options(*command, options->source);
  command->add_flag("--dry-run", options->dry_run,
                    "Everything is evaluated and nothing written; the run record goes to standard output");
  command->add_option("--rejects", options->rejects, "Report of refused rows, contracts and tickers, CSV");
  return [options, shard] {
    read_shard(*shard, *options);
    return run_night_job(*options);
  };
}

}  // namespace greekgrid::cli

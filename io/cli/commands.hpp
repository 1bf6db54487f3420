#pragma once

/// @file
/// The commands of the program. Each registers its options on the application and returns what runs it; the returned
/// function yields an exit code and may throw what main() maps to one.

#include <CLI/CLI.hpp>
#include <functional>
#include <utility>

namespace greekgrid::cli {

/// Exit codes of the program.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,              ///< unexpected failure, or the target cannot be written
  kUsage = 2,               ///< wrong use of the command line
  kInputRejected = 3,       ///< an input that cannot be used
  kBackendUnavailable = 4,  ///< the requested backend cannot run here
  kTickersRefused = 5,      ///< done, but tickers were refused and --strict was given
};

/// Wrong use that only shows after parsing. Exit 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Command = std::function<int()>;

Command add_ingest(CLI::App& app);
Command add_history(CLI::App& app);
Command add_run(CLI::App& app);
Command add_merge(CLI::App& app);
Command add_backfill(CLI::App& app);
Command add_levels(CLI::App& app);
Command add_attribute(CLI::App& app);
Command add_forecast(CLI::App& app);
Command add_export(CLI::App& app);
Command add_show(CLI::App& app);
Command add_info(CLI::App& app);
Command add_verify(CLI::App& app);
Command add_schema(CLI::App& app);
Command add_synth(CLI::App& app);
Command add_devices(CLI::App& app);
Command add_greeks(CLI::App& app);
Command add_folklore(CLI::App& app);

}  // namespace greekgrid::cli

#pragma once

/// @file
/// What `run`, `merge` and `backfill` have in common: from a plan to parts, from parts to a night and what follows it.

#include <cstdint>
#include <string>
#include <vector>

#include "greekgrid/io/night_part.hpp"
#include "sources.hpp"

namespace greekgrid::cli {

/// A run as the command line asks for it.
struct NightOptions {
  SourceOptions source;
  std::string target, config, backend = "auto", rejects, ranking, history, previous, corrections;
  std::string evaluator;   ///< empty: the configuration's
  double tolerance = 0.0;  ///< 0: the configuration's
  std::vector<std::string> tickers, always;
  std::size_t top = 0;
  int threads = 0;
  bool strict = false, no_append = false, replace = false, resume = false;
  bool dry_run = false;                            ///< everything is evaluated, nothing is written
  bool may_begin_history = false;                  ///< a history that is missing is one without rows
  std::uint64_t memory = std::uint64_t{4} << 30U;  ///< bytes
  std::int32_t shard = 1, shards = 1;
};

/// Registers what `run` and `backfill` share.
void add_night_options(CLI::App& command, NightOptions& options);

/// Runs to a night, or with several shards to a part. Returns an exit code. @throws what main() maps to one
int run_night_job(const NightOptions& options);

/// What the bytes of a night depend on beside its inputs: configuration, program, backend. 64 hexadecimal digits.
std::string method_of(const NightOptions& options);

/// What is left of a run that was cut short, beside its target: `.<name>.resume`.
std::filesystem::path resume_folder(const std::filesystem::path& target);

/// Appends a night's rows to the history, once the night is published. @param digest in the order of their names
void append_night(const std::string& store, const std::string& night, const NightIdentity& identity,
                  std::vector<TickerDigest> digest, bool replace);

/// Digests of all parts in the order of their names.
std::vector<TickerDigest> digests_of(std::span<const NightPart* const> parts);

}  // namespace greekgrid::cli

#include "sources.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>

#include "commands.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/ingest.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace fs = std::filesystem;
namespace {

// Files that exist are compared by what they are, the others by where they would be.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  const fs::path left = fs::weakly_canonical(a, error);
  if (error) return false;
  const fs::path right = fs::weakly_canonical(b, error);
  return !error && left == right;
}

}  // namespace

OptionChain read_chain(const SourceOptions& options, const Calendar& calendar) {
  const auto format = format_from_name(options.format);
  if (!format)
    throw UsageError("--format " + options.format + ": unknown (choose auto, cboe-csv, cboe-json, long-csv)");
  std::vector<fs::path> paths(options.files.begin(), options.files.end());
  std::size_t chains = 0;
  for (const fs::path& path : paths) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      throw InputError(path.string() + ": no such file (missing or not a regular file) check the path");
    }
    if (is_hdf5_file(path)) ++chains;
  }
  if (chains == 0) {
    IngestOptions ingest_options;
    ingest_options.format = *format;
    if (!options.quote_time.empty()) ingest_options.quote_time = parse_instant(options.quote_time);
    return ingest(paths, calendar, ingest_options);
  }
  if (paths.size() > 1)
    throw UsageError("several inputs with an HDF5 file among them (one chains.h5, or vendor files only)");
  if (!options.quote_time.empty())
    throw UsageError("--quote-time with a chains.h5 (its quote instant was fixed by ingest)");
  return read_chain_file(paths.front());
}

void check_targets(const std::vector<Target>& targets, const std::vector<std::string>& inputs) {
  for (auto target = targets.begin(); target != targets.end(); ++target) {
    if (target->path.empty()) throw UsageError(target->option + ": empty (name the file to write)");
    for (const std::string& input : inputs) {
      if (same_file(input, target->path)) {
        throw UsageError(target->option + " " + target->path + ": is an input (choose another target)");
      }
    }
    for (auto other = targets.begin(); other != target; ++other) {
      if (same_file(other->path, target->path)) {
        throw UsageError(target->option + " " + target->path + ": is written by " + other->option +
                         " too (choose another target)");
      }
    }
  }
}

void log_rejects(const Diagnostics& rejects, const std::string& what) {
  std::map<std::string, std::size_t> by_rule;
  for (const Diagnostic& reject : rejects) ++by_rule[reject.rule];
  for (const auto& [rule, count] : by_rule) spdlog::warn("{} {} refused: {}", count, what, rule);
}

}  // namespace greekgrid::cli

#include "sources.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "commands.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/text_file.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace fs = std::filesystem;

bool same_file(const std::string& a, const std::string& b) {
  // By name too: another program may replace the file between two looks at it.
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  const fs::path left = fs::weakly_canonical(a, error);
  if (error) return false;
  const fs::path right = fs::weakly_canonical(b, error);
  return !error && left == right;
}

void add_source_options(CLI::App& command, SourceOptions& options) {
  std::string names;
  for (const std::string& name : format_names()) names += (names.empty() ? "" : ", ") + name;
  command.add_option("--format", options.format, "Of vendor files: " + names)->capture_default_str();
  command.add_option("--profile", options.profile, "Profile (TOML) that describes the vendor's table");
  command.add_option("--quote-time", options.quote_time,
                     "Quote instant of vendor files, ISO 8601 with zone; overrides the rule of the format");
  command.add_option("--session", options.session, "Session to take of vendor files that hold several, YYYY-MM-DD");
  command.add_option("--underlying", options.underlying, "Underlying of vendor files that name none");
  command.add_option("--spot", options.spot, "SYMBOL=PRICE in USD where vendor files hold none; repeatable")
      ->type_name("SYMBOL=PRICE");
}

IngestOptions ingest_options(const SourceOptions& options) {
  IngestOptions made;
  made.format = options.format;
  const std::vector<std::string> names = format_names();
  if (std::find(names.begin(), names.end(), options.format) == names.end()) {
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    throw UsageError("--format " + options.format + ": unknown (choose " + known + ")");
  }
  if (!options.profile.empty()) {
    if (options.format != "auto") throw UsageError("--profile with --format (the profile is the format)");
    constexpr std::size_t kMost = std::size_t{1} << 20;
    made.profile = read_text_file(options.profile, kMost);
    made.profile_name = options.profile;
  }
  if (!options.quote_time.empty()) made.quote_time = parse_instant(options.quote_time);
  if (!options.session.empty()) made.session = parse_date(options.session, "--session");
  made.underlying = options.underlying;
  for (const std::string& given : options.spot) {
    const std::size_t equals = given.find('=');
    double price = 0.0;
    std::size_t used = 0;
    try {
      if (equals != std::string::npos) price = std::stod(given.substr(equals + 1), &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (equals == std::string::npos || equals == 0 || used == 0 || used != given.size() - equals - 1 ||
        !(price > 0.0 && price < 1e9)) {
      throw UsageError("--spot " + given + ": not SYMBOL=PRICE (such as SPY=201.72)");
    }
    if (!made.spot.emplace(given.substr(0, equals), price).second) {
      throw UsageError("--spot " + given + ": given twice (one price per underlying)");
    }
  }
  return made;
}

namespace {

// The one chains.h5 among the inputs; nothing if they are vendor files.
std::optional<fs::path> chain_file_of(const SourceOptions& options) {
  std::vector<fs::path> paths(options.files.begin(), options.files.end());
  std::size_t chains = 0;
  for (const fs::path& path : paths) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      throw InputError(path.string() + ": no such file (missing or not a regular file) check the path");
    }
    if (is_hdf5_file(path)) ++chains;
  }
  if (chains == 0) return std::nullopt;
  if (paths.size() > 1)
    throw UsageError("several inputs with an HDF5 file among them (one chains.h5, or vendor files only)");
  if (!options.quote_time.empty())
    throw UsageError("--quote-time with a chains.h5 (its quote instant was fixed by ingest)");
  if (!options.profile.empty() || !options.session.empty() || !options.underlying.empty() || !options.spot.empty())
    throw UsageError("--profile, --session, --underlying or --spot with a chains.h5 (they are about vendor files)");
  return paths.front();
}

}  // namespace

OptionChain read_chain(const SourceOptions& options, const Calendar& calendar) {
  const IngestOptions made = ingest_options(options);
  if (const auto file = chain_file_of(options)) return read_chain_file(*file);
  return ingest(std::vector<fs::path>(options.files.begin(), options.files.end()), calendar, made);
}

ChainStore open_chain(const SourceOptions& options, const Calendar& calendar, const fs::path& room) {
  const IngestOptions made = ingest_options(options);
  if (const auto file = chain_file_of(options)) return ChainStore(*file, room);
  return ChainStore(ingest(std::vector<fs::path>(options.files.begin(), options.files.end()), calendar, made), room);
}

std::int64_t count_positions(const ChainStore& chain) {
  std::int64_t known = 0;
  if (!chain.has_dealer_position()) return known;
  for (std::size_t u = 0; u < chain.index().tickers(); ++u) {
    const OptionChain part = chain.read(std::span(&u, 1));
    known += std::count_if(part.dealer_position.begin(), part.dealer_position.end(),
                           [](double n) { return std::isfinite(n); });
  }
  return known;
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

std::map<std::string, std::size_t> count_rules(const Diagnostics& rejects) {
  std::map<std::string, std::size_t> by_rule;
  for (const Diagnostic& reject : rejects) ++by_rule[reject.rule];
  return by_rule;
}

void log_rejects(const Diagnostics& rejects, const std::string& what) {
  for (const auto& [rule, count] : count_rules(rejects)) spdlog::warn("{} {} refused: {}", count, what, rule);
}

}  // namespace greekgrid::cli

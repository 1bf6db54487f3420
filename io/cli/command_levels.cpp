#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.hpp"
#include "greekgrid/io/night_file.hpp"
#include "level_card.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace {

struct Options {
  std::string file, format, sort = "ticker", position;
  std::vector<std::string> tickers, columns, where;
  std::size_t limit = 0;
};

std::optional<LevelName> level_of(std::string_view text) {
  for (std::size_t k = 0; k < kLevelCount; ++k) {
    if (kLevelTexts[k].name == text) return static_cast<LevelName>(k);
  }
  return std::nullopt;
}

LevelName require_level(const std::string& option, const std::string& text) {
  if (const auto level = level_of(text)) return *level;
  // The names that begin alike are what was probably meant.
  std::string near;
  for (const LevelText& known : kLevelTexts) {
    if (known.name.substr(0, 3) == std::string_view(text).substr(0, 3)) near += " " + std::string(known.name);
  }
  throw UsageError(
      fmt::format("{}: no level {} ({})", option, text,
                  near.empty() ? "`greekgrid export FILE` lists the columns of levels" : "there are" + near));
}

double spot_of(const NightSummary& night, const std::string& ticker) {
  const auto found = std::lower_bound(night.header.ticker.begin(), night.header.ticker.end(), ticker);
  if (found == night.header.ticker.end() || *found != ticker) return std::numeric_limits<double>::quiet_NaN();
  return night.header.spot_reference[static_cast<std::size_t>(found - night.header.ticker.begin())];
}

// A condition on a level: null levels fulfil none but `= null`.
struct Condition {
  LevelName level;
  std::string relation;
  double bound = 0.0;
  bool null = false;  // asks for null, or with != for a value

  bool holds(const LevelRow& row) const {
    const Level& value = row[level];
    if (null) return value.ok() == (relation == "!=");
    if (!value.ok()) return false;
    if (relation == "<") return value.value < bound;
    if (relation == "<=") return value.value <= bound;
    if (relation == ">") return value.value > bound;
    if (relation == ">=") return value.value >= bound;
    return (value.value == bound) == (relation == "=");
  }
};

Condition parse_condition(const std::string& text) {
  const std::size_t at = text.find_first_of("<>=!");
  std::size_t end = at == std::string::npos ? at : text.find_first_not_of("<>=!", at);
  if (at == std::string::npos || end == std::string::npos) {
    throw UsageError("--where " + text + ": no condition (write LEVEL<NUMBER, >, <=, >=, =, != or LEVEL=null)");
  }
  Condition condition = {require_level("--where", text.substr(0, at)), text.substr(at, end - at)};
  const std::string bound = text.substr(end);
  const bool known = condition.relation == "<" || condition.relation == "<=" || condition.relation == ">" ||
                     condition.relation == ">=" || condition.relation == "=" || condition.relation == "!=";
  if (bound == "null" && (condition.relation == "=" || condition.relation == "!=")) {
    condition.null = true;
    return condition;
  }
  const char* last = bound.data() + bound.size();
  const auto [stop, error] = std::from_chars(bound.data(), last, condition.bound);
  if (!known || error != std::errc() || stop != last || !std::isfinite(condition.bound)) {
    throw UsageError("--where " + text + ": no condition (write LEVEL<NUMBER, >, <=, >=, =, != or LEVEL=null)");
  }
  return condition;
}

// A number as a table shows it: signed and short for exposures, with cents for prices.
std::string number_text(const LevelText& text, double value) {
  if (text.units == "1e9 USD") return fmt::format("{:+.4g}", value);
  if (text.units == "shares" || (text.units == "USD" && std::abs(value) >= 1e7)) return fmt::format("{:+.4g}", value);
  if (text.units == "USD") return fmt::format("{:.2f}", value);
  return text.name.ends_with("_count") ? fmt::format("{:.0f}", value) : fmt::format("{:.3f}", value);
}

std::string level_text(const LevelRow& row, LevelName level) {
  const Level& value = row[level];
  return value.ok() ? number_text(kLevelTexts[index(level)], value.value) : std::string(name(value.status));
}

const std::vector<std::pair<LevelName, const char*>> kTableColumns = {{LevelName::kGammaIndex, "gamma_index"},
                                                                      {LevelName::kGammaIndexRatio, "net/gross"},
                                                                      {LevelName::kPutWall, "put_wall"},
                                                                      {LevelName::kCallWall, "call_wall"},
                                                                      {LevelName::kAbsoluteGammaStrike, "abs_gamma"},
                                                                      {LevelName::kZeroGamma, "zero_gamma"},
                                                                      {LevelName::kZeroGammaCount, "roots"},
                                                                      {LevelName::kFlip, "flip"},
                                                                      {LevelName::kMaxPain, "max_pain"}};

std::string table(const NightSummary& night, const std::vector<LevelRow>& rows,
                  const std::vector<std::string>& chosen) {
  std::vector<std::pair<LevelName, std::string>> columns;
  for (const std::string& column : chosen) columns.emplace_back(require_level("--columns", column), column);
  if (columns.empty()) columns.assign(kTableColumns.begin(), kTableColumns.end());
  std::vector<std::vector<std::string>> cells = {{"ticker", "position", "spot"}};
  for (const auto& [level, heading] : columns) cells[0].push_back(heading);
  for (const LevelRow& row : rows) {
    std::vector<std::string> line = {row.ticker, row.position, fmt::format("{:.2f}", spot_of(night, row.ticker))};
    for (const auto& [level, heading] : columns) line.push_back(level_text(row, level));
    cells.push_back(std::move(line));
  }
  std::string units;
  if (chosen.empty()) {
    units = "gamma_index: 1e9 USD per 1 % of spot. Levels: USD, at the quote instant, sticky strike.\n";
  } else {
    for (const auto& [level, heading] : columns) {
      const LevelText& text = kLevelTexts[index(level)];
      units +=
          fmt::format("{}: {}{}\n", heading, text.meaning, text.units == "1" ? "" : fmt::format(", {}", text.units));
    }
  }
  return format_table(cells, 2) + units;
}

// The levels of a CSV or JSON: those chosen, else all.
std::vector<LevelName> columns_of(const std::vector<std::string>& chosen) {
  std::vector<LevelName> columns;
  for (const std::string& column : chosen) columns.push_back(require_level("--columns", column));
  for (std::size_t k = 0; chosen.empty() && k < kLevelCount; ++k) columns.push_back(static_cast<LevelName>(k));
  return columns;
}

std::string csv(const NightSummary& night, const std::vector<LevelRow>& rows, const std::vector<std::string>& chosen) {
  const std::vector<LevelName> columns = columns_of(chosen);
  std::vector<std::vector<std::string>> cells = {{"ticker", "position", "spot_reference"}};
  for (const LevelName level : columns) {
    cells[0].emplace_back(kLevelTexts[index(level)].name);
    if (has_own_status(level)) cells[0].push_back(cells[0].back() + "_status");
  }
  for (const LevelRow& row : rows) {
    std::vector<std::string> line = {row.ticker, row.position, fmt::format("{:.17g}", spot_of(night, row.ticker))};
    for (const LevelName level : columns) {
      line.push_back(row[level].ok() ? fmt::format("{:.17g}", row[level].value) : "");
      if (has_own_status(level)) line.emplace_back(name(row[level].status));
    }
    cells.push_back(std::move(line));
  }
  return format_csv(cells);
}

std::string json(const NightSummary& night, const std::vector<LevelRow>& rows, const std::vector<std::string>& chosen) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const LevelRow& row : rows) {
    nlohmann::ordered_json entry;
    entry["ticker"] = row.ticker;
    entry["position"] = row.position;
    entry["spot_reference"] = spot_of(night, row.ticker);
    for (const LevelName level : columns_of(chosen)) {
      const std::string key(kLevelTexts[index(level)].name);
      entry[key] = row[level].ok() ? nlohmann::ordered_json(row[level].value) : nlohmann::ordered_json();
      if (has_own_status(level)) entry[key + "_status"] = name(row[level].status);
    }
    entry["crossings"] = nlohmann::ordered_json::array();
    for (const CrossingRow& crossing : night.crossing) {
      if (crossing.ticker != row.ticker || crossing.position != row.position) continue;
      entry["crossings"].push_back({{"kind", crossing.kind == CrossingKind::kFlip ? "flip" : "zero_gamma"},
                                    {"price", crossing.price},
                                    {"slope", crossing.slope},
                                    {"prominence", crossing.prominence},
                                    {"weak", crossing.weak()}});
    }
    out.push_back(std::move(entry));
  }
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// gamma_index sorts by magnitude, as what matters of it is its size; other levels from the largest, LEVEL:asc from the
// smallest. Nulls come last.
void sort_rows(std::vector<LevelRow>& rows, const std::string& sort) {
  if (sort == "ticker") return;
  const std::size_t colon = sort.find(':');
  const std::string column = sort.substr(0, colon), order = colon == std::string::npos ? "" : sort.substr(colon + 1);
  if (colon != std::string::npos && order != "asc" && order != "abs" && order != "desc") {
    throw UsageError("--sort " + sort + ": no such order (asc, desc or abs)");
  }
  const bool ascending = order == "asc", magnitude = order == "abs" || sort == "gamma_index";
  const LevelName level = require_level("--sort", column);
  std::stable_sort(rows.begin(), rows.end(), [&](const LevelRow& a, const LevelRow& b) {
    const Level &x = a[level], &y = b[level];
    if (!x.ok() || !y.ok()) return x.ok() && !y.ok();
    if (magnitude) return std::abs(x.value) > std::abs(y.value);
    return ascending ? x.value < y.value : x.value > y.value;
  });
}

int run(const Options& options) {
  const NightSummary night = read_night_summary(options.file);
  std::vector<LevelRow> rows = night.level;
  for (const std::string& ticker : options.tickers) {
    if (ticker.empty()) throw UsageError("--tickers: a name is empty");
    if (!std::binary_search(night.header.ticker.begin(), night.header.ticker.end(), ticker)) {
      throw InputError(options.file + ": no ticker " + ticker + " (see `greekgrid info` for what was refused)");
    }
  }
  const auto& positions = night.header.position;
  if (!options.position.empty() && std::find(positions.begin(), positions.end(), options.position) == positions.end()) {
    throw InputError(options.file + ": no position model " + options.position + " (see `greekgrid info`)");
  }
  std::vector<Condition> conditions;
  for (const std::string& text : options.where) conditions.push_back(parse_condition(text));
  std::erase_if(rows, [&](const LevelRow& row) {
    if (!options.position.empty() && row.position != options.position) return true;
    if (!options.tickers.empty() &&
        std::find(options.tickers.begin(), options.tickers.end(), row.ticker) == options.tickers.end()) {
      return true;
    }
    return !std::all_of(conditions.begin(), conditions.end(), [&](const Condition& c) { return c.holds(row); });
  });
  sort_rows(rows, options.sort);
  if (options.limit > 0 && rows.size() > options.limit) rows.resize(options.limit);

  const bool one = options.tickers.size() == 1 && options.columns.empty() && options.where.empty();
  const std::string format = !options.format.empty() ? options.format : one ? "card" : "table";
  if (format == "csv") {
    print(csv(night, rows, options.columns));
  } else if (format == "json") {
    print(json(night, rows, options.columns));
  } else if (format == "table") {
    print(table(night, rows, options.columns));
  } else {
    for (const LevelRow& row : rows) print(level_card(options.file, night, row));
  }
  return kDone;
}

}  // namespace

Command add_levels(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("levels", "Levels of a night.h5: one ticker as a card, many as a table");
  command->add_option("file", options->file, "night.h5")->required();
  command->add_option("--tickers", options->tickers, "Only these, separated by commas; one alone is shown as a card")
      ->delimiter(',');
  command->add_option("--position", options->position, "Only this position model");
  command
      ->add_option("--format", options->format, "card, table, csv or json (default: card for one ticker, else table)")
      ->check(CLI::IsMember({"card", "table", "csv", "json"}));
  command
      ->add_option("--columns", options->columns,
                   "Levels to show, separated by commas (default: the main ones; all in CSV and JSON)")
      ->delimiter(',');
  command
      ->add_option("--where", options->where,
                   "Only rows where LEVEL<NUMBER (>, <=, >=, =, !=) or LEVEL=null; several must all hold")
      ->delimiter(',');
  command
      ->add_option("--sort", options->sort,
                   "ticker, or a level: largest first (LEVEL:desc), LEVEL:asc smallest first, LEVEL:abs (and "
                   "gamma_index alone) by "
                   "magnitude")
      ->capture_default_str();
  command->add_option("--limit", options->limit, "At most so many rows; 0 for all")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  return [options] { return run(*options); };
}

}  // namespace greekgrid::cli

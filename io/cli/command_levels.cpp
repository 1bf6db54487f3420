#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "greekgrid/io/night_file.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace {

std::string_view name(LevelStatus status) {
  switch (status) {
    case LevelStatus::kOk:
      return "ok";
    case LevelStatus::kNoSignChange:
      return "no_sign_change";
    case LevelStatus::kNoContracts:
      return "no_contracts";
    case LevelStatus::kOutsideGrid:
      return "outside_grid";
  }
  return "";
}

std::string level_text(const Level& level, int digits) {
  return level.status == LevelStatus::kOk ? fmt::format("{:.{}f}", level.value, digits)
                                          : std::string(name(level.status));
}

struct NamedLevel {
  const char* column;
  Level LevelRow::*level;
};
constexpr NamedLevel kLevels[] = {{"gamma_index_ratio", &LevelRow::gamma_index_ratio},
                                  {"call_wall", &LevelRow::call_wall},
                                  {"put_wall", &LevelRow::put_wall},
                                  {"call_wall_unrestricted", &LevelRow::call_wall_unrestricted},
                                  {"put_wall_unrestricted", &LevelRow::put_wall_unrestricted},
                                  {"absolute_gamma_strike", &LevelRow::absolute_gamma_strike},
                                  {"zero_gamma", &LevelRow::zero_gamma}};

double spot_of(const NightSummary& night, const std::string& ticker) {
  const auto found = std::lower_bound(night.header.ticker.begin(), night.header.ticker.end(), ticker);
  return night.header.spot_reference[static_cast<std::size_t>(found - night.header.ticker.begin())];
}

std::string table(const NightSummary& night, const std::vector<LevelRow>& rows) {
  std::vector<std::vector<std::string>> cells = {{"ticker", "position", "spot", "gamma_index", "net/gross", "put_wall",
                                                  "call_wall", "abs_gamma", "zero_gamma", "roots"}};
  for (const LevelRow& row : rows) {
    cells.push_back({row.ticker, row.position, fmt::format("{:.2f}", spot_of(night, row.ticker)),
                     fmt::format("{:+.4g}", row.gamma_index), level_text(row.gamma_index_ratio, 3),
                     level_text(row.put_wall, 2), level_text(row.call_wall, 2),
                     level_text(row.absolute_gamma_strike, 2), level_text(row.zero_gamma, 2),
                     fmt::format("{}", row.zero_gamma_count)});
  }
  return format_table(cells, 2) +
         "gamma_index: 1e9 USD per 1 % of spot. Levels: USD, at the quote instant, sticky strike.\n";
}

std::string csv(const NightSummary& night, const std::vector<LevelRow>& rows) {
  std::vector<std::vector<std::string>> cells = {{"ticker", "position", "spot_reference", "gamma_index"}};
  for (const NamedLevel& level : kLevels) {
    cells[0].push_back(level.column);
    cells[0].push_back(std::string(level.column) + "_status");
  }
  cells[0].push_back("zero_gamma_slope");
  cells[0].push_back("zero_gamma_count");
  for (const LevelRow& row : rows) {
    std::vector<std::string> line = {row.ticker, row.position, fmt::format("{:.17g}", spot_of(night, row.ticker)),
                                     fmt::format("{:.17g}", row.gamma_index)};
    for (const NamedLevel& level : kLevels) {
      const Level& value = row.*level.level;
      line.push_back(value.status == LevelStatus::kOk ? fmt::format("{:.17g}", value.value) : "");
      line.emplace_back(name(value.status));
    }
    line.push_back(std::isnan(row.zero_gamma_slope) ? "" : fmt::format("{:.17g}", row.zero_gamma_slope));
    line.push_back(fmt::format("{}", row.zero_gamma_count));
    cells.push_back(std::move(line));
  }
  return format_csv(cells);
}

std::string json(const NightSummary& night, const std::vector<LevelRow>& rows) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const LevelRow& row : rows) {
    nlohmann::ordered_json entry;
    entry["ticker"] = row.ticker;
    entry["position"] = row.position;
    entry["spot_reference"] = spot_of(night, row.ticker);
    entry["gamma_index"] = row.gamma_index;
    for (const NamedLevel& level : kLevels) {
      const Level& value = row.*level.level;
      entry[level.column] =
          value.status == LevelStatus::kOk ? nlohmann::ordered_json(value.value) : nlohmann::ordered_json();
      entry[std::string(level.column) + "_status"] = name(value.status);
    }
    entry["zero_gamma_slope"] =
        std::isnan(row.zero_gamma_slope) ? nlohmann::ordered_json() : nlohmann::ordered_json(row.zero_gamma_slope);
    entry["crossings"] = nlohmann::ordered_json::array();
    for (const CrossingRow& crossing : night.crossing) {
      if (crossing.ticker == row.ticker && crossing.position == row.position) {
        entry["crossings"].push_back({{"price", crossing.price}, {"slope", crossing.slope}});
      }
    }
    out.push_back(std::move(entry));
  }
  return out.dump(2) + "\n";
}

}  // namespace

Command add_levels(CLI::App& app) {
  struct Options {
    std::string file, format = "table", sort = "ticker";
    std::vector<std::string> tickers;
    std::size_t limit = 0;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("levels", "Gamma levels of a night.h5: table, CSV or JSON");
  command->add_option("file", options->file, "night.h5")->required();
  command->add_option("--tickers", options->tickers, "Only these, separated by commas")->delimiter(',');
  command->add_option("--format", options->format)
      ->check(CLI::IsMember({"table", "csv", "json"}))
      ->capture_default_str();
  command->add_option("--sort", options->sort, "ticker, or gamma_index (largest magnitude first)")
      ->check(CLI::IsMember({"ticker", "gamma_index"}))
      ->capture_default_str();
  command->add_option("--limit", options->limit, "At most so many rows; 0 for all")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  return [options] {
    const NightSummary night = read_night_summary(options->file);
    std::vector<LevelRow> rows = night.level;
    if (!options->tickers.empty()) {
      for (const std::string& ticker : options->tickers) {
        if (!std::binary_search(night.header.ticker.begin(), night.header.ticker.end(), ticker)) {
          throw InputError(options->file + ": no ticker " + ticker + " (see `greekgrid info` for what was refused)");
        }
      }
      std::erase_if(rows, [&](const LevelRow& row) {
        return std::find(options->tickers.begin(), options->tickers.end(), row.ticker) == options->tickers.end();
      });
    }
    if (options->sort == "gamma_index") {
      std::stable_sort(rows.begin(), rows.end(), [](const LevelRow& a, const LevelRow& b) {
        return std::abs(a.gamma_index) > std::abs(b.gamma_index);
      });
    }
    if (options->limit > 0 && rows.size() > options->limit) rows.resize(options->limit);
    print(options->format == "csv"    ? csv(night, rows)
          : options->format == "json" ? json(night, rows)
                                      : table(night, rows));
    return kDone;
  };
}

}  // namespace greekgrid::cli

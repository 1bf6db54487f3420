#include "night_pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "greekgrid/host/forecast_ranking.hpp"
#include "greekgrid/host/ticker_forecast.hpp"
#include "greekgrid/io/night_file.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kPageHorizon = kHorizons[0];  // what MEAN, MEDIAN, VOL and the pairs are of

struct PageColumn {
  const char* name;
  const char* type;
  const char* units;
  const char* meaning;
};

constexpr PageColumn kSheet[] = {
    {"DATE", "string", "", "session"},
    {"TICKER", "string", "", "underlying symbol"},
    {"SPOT", "f64", "USD", "close of the session"},
    {"P", "f64", "1", "standing of p in its own past, -1 to 1"},
    {"V", "f64", "1", "standing of v in its own past, -1 to 1"},
    {"G", "f64", "1", "standing of g in its own past, -1 to 1"},
    {"D", "f64", "1", "standing of d in its own past, -1 to 1"},
    {"1MAD_PCT", "f64", "%", "mean absolute return of a day"},
    {"1MAD_SPOT", "f64", "USD", "the same of the close"},
    {"5MAD_PCT", "f64", "%", "1MAD_PCT times sqrt(5)"},
    {"5MAD_SPOT", "f64", "USD", "1MAD_SPOT times sqrt(5)"},
    {"MEAN", "f64", "1", "mean outcome of five sessions, in 5MAD"},
    {"MEDIAN", "f64", "1", "median outcome of five sessions, in 5MAD"},
    {"VOL", "f64", "1", "mean absolute outcome of five sessions, in 5MAD"},
    {"VOL_MEDIAN", "f64", "1", "median absolute outcome of five sessions, in 5MAD"},
    {"PV", "f64", "1", "median outcome from P and V alone, in 5MAD"},
    {"PG", "f64", "1", "median outcome from P and G alone, in 5MAD"},
    {"PD", "f64", "1", "median outcome from P and D alone, in 5MAD"},
    {"VG", "f64", "1", "median outcome from V and G alone, in 5MAD"},
    {"VD", "f64", "1", "median outcome from V and D alone, in 5MAD"},
    {"GD", "f64", "1", "median outcome from G and D alone, in 5MAD"},
    {"N_EFF", "f64", "1", "effective number of neighbours"},
    {"SKILL", "f64", "1", "of such forecasts in the past: 1 less CRPS over that of climatology"},
    {"SKILL_T", "f64", "1", "Newey-West t of the gain in CRPS"},
    {"FORECASTS", "i64", "1", "sessions forecast and scored"},
    {"BEST_CLOSE", "f64", "1", "next close with the highest mean after it, in 1MAD from the close"},
    {"BEST_MEAN", "f64", "1", "that mean, in 5MAD after the close"},
    {"BEST_N_EFF", "f64", "1", "effective number of neighbours there"},
    {"WORST_CLOSE", "f64", "1", "next close with the lowest mean after it, in 1MAD from the close"},
    {"WORST_MEAN", "f64", "1", "that mean, in 5MAD after the close"},
    {"WORST_N_EFF", "f64", "1", "effective number of neighbours there"},
    {"STATUS", "string", "", "ok, or why there is no forecast of five sessions"},
};

// What of the sheet stands on the ranking, after RANK and SIDE.
constexpr const char* kOfSheet[] = {"TICKER", "MEDIAN", "MEAN", "N_EFF", "SKILL", "1MAD_PCT", "SPOT"};

TableVariable variable_of(const PageColumn& column, const std::string& dim, const std::vector<std::int64_t>& lengths) {
  return {column.name, {dim}, lengths, column.type, column.meaning, column.units, {}, {}};
}

TableGroup sheet_group(std::int64_t tickers) {
  TableGroup group = {"sheet", {}, false};
  for (const PageColumn& column : kSheet) group.variables.push_back(variable_of(column, "TICKER", {tickers}));
  return group;
}

TableGroup ranking_group() {
  TableGroup group = {"ranking", {}, false};
  group.variables.push_back(variable_of({"RANK", "i64", "1", "rank on its side, from 1"}, "row", {}));
  group.variables.push_back(variable_of({"SIDE", "string", "", "bullish: MEDIAN above 0; bearish: below"}, "row", {}));
  for (const char* name : kOfSheet) {
    const auto* column = std::find_if(std::begin(kSheet), std::end(kSheet),
                                      [&](const PageColumn& c) { return c.name == std::string(name); });
    group.variables.push_back(variable_of(*column, "row", {}));
  }
  return group;
}

const TableGroup* find_group(const TableFile& listed, const std::string& path) {
  const auto found =
      std::find_if(listed.groups.begin(), listed.groups.end(), [&](const TableGroup& g) { return g.path == path; });
  return found == listed.groups.end() || found->variables.empty() ? nullptr : &*found;
}

std::vector<std::string> texts(const TableColumn& column) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < cells(column.variable); ++i) out.push_back(text_at(column, i));
  return out;
}

// Some variables of a group over ticker, each taken at one place of its other dimensions.
class TickerTable {
 public:
  using Place = std::map<std::string, std::string>;  // text of the coordinate by dimension, ticker aside

  // Without the group every number is missing. @param coordinates what the places are of
  TickerTable(const std::string& file, const TableFile& listed, const std::string& path,
              const std::vector<std::string>& coordinates, const std::vector<std::string>& variables)
      : where_(file + ": group " + path), group_(find_group(listed, path)) {
    if (group_ == nullptr) return;
    std::vector<std::string> wanted = {"ticker"};
    wanted.insert(wanted.end(), coordinates.begin(), coordinates.end());
    wanted.insert(wanted.end(), variables.begin(), variables.end());
    for (const std::string& name : wanted) {
      if (find_variable(*group_, name) == nullptr)
        throw InputError(where_ + " has no " + name + " (another version's)");
    }
    for (TableColumn& column : read_columns(file, *group_, {wanted, {}})) {
      const std::string name = column.variable.name;
      column_.emplace(name, std::move(column));
    }
    ticker_ = texts(column_.at("ticker"));
  }

  bool is_stored() const { return group_ != nullptr; }
  const std::vector<std::string>& ticker() const { return ticker_; }
  // Tables of one night are of the same tickers. @throws InputError
  void require_tickers(const std::vector<std::string>& ticker) const {
    if (is_stored() && ticker_ != ticker) throw InputError(where_ + " is of other tickers (the file is damaged)");
  }

  std::vector<double> numbers(const std::string& name, std::size_t tickers, const Place& place = {}) const {
    return take<double>(name, tickers, place, kNaN, number_at);
  }
  std::vector<std::string> words(const std::string& name, std::size_t tickers, const Place& place = {}) const {
    return take<std::string>(name, tickers, place, "", text_at);
  }

 private:
  struct Line {
    std::size_t begin, step;  // of the values of one place, ticker by ticker
  };

  template <class Value>
  std::vector<Value> take(const std::string& name, std::size_t tickers, const Place& place, const Value& missing,
                          Value (*at)(const TableColumn&, std::size_t)) const {
    std::vector<Value> out(tickers, missing);
    if (!is_stored()) return out;
    const TableColumn& column = column_.at(name);
    const std::optional<Line> line = line_of(column.variable, place);
    for (std::size_t u = 0; line && u < tickers; ++u) out[u] = at(column, line->begin + u * line->step);
    return out;
  }

  // Nothing where the file has no such place: a night without hypothetical closes of the next session.
  std::optional<Line> line_of(const TableVariable& variable, const Place& place) const {
    Line line = {0, 0};
    std::size_t stride = 1;
    for (std::size_t a = variable.dims.size(); a-- > 0;) {
      const std::string& dim = variable.dims[a];
      const auto coordinate = column_.find(dim);
      const auto wanted = place.find(dim);
      const bool is_ticker = dim == "ticker";
      if (coordinate == column_.end() || (wanted == place.end() && !is_ticker)) {
        throw InputError(
            fmt::format("{}: {} is over {}, which is not expected (the file is damaged)", where_, variable.name, dim));
      }
      const std::vector<std::string> known = texts(coordinate->second);
      if (static_cast<std::size_t>(variable.lengths[a]) != known.size()) {
        throw InputError(fmt::format("{}: {} has {} of {} along {} (the file is damaged)", where_, variable.name,
                                     variable.lengths[a], known.size(), dim));
      }
      if (is_ticker) {
        line.step = stride;
      } else {
        const auto found = std::find(known.begin(), known.end(), wanted->second);
        if (found == known.end()) return std::nullopt;
        line.begin += stride * static_cast<std::size_t>(found - known.begin());
      }
      stride *= known.size();
    }
    if (line.step == 0) {
      throw InputError(fmt::format("{}: {} is not by ticker (the file is damaged)", where_, variable.name));
    }
    return line;
  }

  std::string where_;
  const TableGroup* group_;
  std::map<std::string, TableColumn> column_;
  std::vector<std::string> ticker_;
};

using Columns = std::map<std::string, TableValues>;

std::vector<double> scaled(const std::vector<double>& values, double factor) {
  std::vector<double> out;
  for (const double value : values) out.push_back(factor * value);
  return out;
}

// Predictors and the mean absolute return in its units. @returns the tickers
std::vector<std::string> take_predictors(const std::string& file, const TableFile& listed, Columns& columns) {
  const TickerTable table(file, listed, "predictors", {}, {"status", "close", "mad", "z_p", "z_v", "z_g", "z_d"});
  const std::vector<std::string>& ticker = table.ticker();
  const std::size_t count = ticker.size();
  columns["TICKER"] = ticker;
  columns["STATUS"] = table.words("status", count);
  for (const auto& [name, variable] : {std::pair{"P", "z_p"}, {"V", "z_v"}, {"G", "z_g"}, {"D", "z_d"}}) {
    columns[name] = table.numbers(variable, count);
  }
  const std::vector<double> close = table.numbers("close", count), day = table.numbers("mad", count);
  std::vector<double> week, day_of_close, week_of_close;
  for (std::size_t u = 0; u < count; ++u) {
    week.push_back(horizon_mad(day[u], kPageHorizon));
    day_of_close.push_back(day[u] * close[u]);
    week_of_close.push_back(week[u] * close[u]);
  }
  columns["SPOT"] = close;
  columns["1MAD_PCT"] = scaled(day, 100.0);
  columns["1MAD_SPOT"] = day_of_close;
  columns["5MAD_PCT"] = scaled(week, 100.0);
  columns["5MAD_SPOT"] = week_of_close;
  return ticker;
}

void take_forecasts(const std::string& file, const TableFile& listed, const std::vector<std::string>& ticker,
                    Columns& columns) {
  const TickerTable table(file, listed, "forecast", {"horizon", "pair"},
                          {"status", "mean", "median", "volatility", "volatility_median", "n_eff", "pair_median"});
  table.require_tickers(ticker);
  TickerTable::Place place = {{"horizon", std::to_string(kPageHorizon)}};
  for (const auto& [name, variable] : {std::pair{"MEAN", "mean"},
                                       {"MEDIAN", "median"},
                                       {"VOL", "volatility"},
                                       {"VOL_MEDIAN", "volatility_median"},
                                       {"N_EFF", "n_eff"}}) {
    columns[name] = table.numbers(variable, ticker.size(), place);
  }
  // Of the predictors' reasons no_sessions says more.
  auto& status = std::get<std::vector<std::string>>(columns["STATUS"]);
  const std::vector<std::string> why = table.words("status", ticker.size(), place);
  for (std::size_t u = 0; u < ticker.size(); ++u) {
    if (!why[u].empty() && status[u] != "no_sessions") status[u] = why[u];
  }
  for (const char* pair : {"PV", "PG", "PD", "VG", "VD", "GD"}) {
    place["pair"] = pair;
    columns[pair] = table.numbers("pair_median", ticker.size(), place);
  }
}

void take_records(const std::string& file, const TableFile& listed, const std::vector<std::string>& ticker,
                  Columns& columns) {
  const TickerTable table(file, listed, "record", {"horizon"}, {"skill", "skill_t", "forecasts"});
  table.require_tickers(ticker);
  const TickerTable::Place place = {{"horizon", std::to_string(kPageHorizon)}};
  columns["SKILL"] = table.numbers("skill", ticker.size(), place);
  columns["SKILL_T"] = table.numbers("skill_t", ticker.size(), place);
  std::vector<std::int64_t> count;
  for (const double n : table.numbers("forecasts", ticker.size(), place)) {
    count.push_back(std::isnan(n) ? 0 : static_cast<std::int64_t>(n));
  }
  columns["FORECASTS"] = count;
}

void take_closes(const std::string& file, const TableFile& listed, const std::vector<std::string>& ticker,
                 Columns& columns) {
  const std::vector<std::string> variables = {"best_close",  "best_mean",  "best_n_eff",
                                              "worst_close", "worst_mean", "worst_n_eff"};
  const TickerTable table(file, listed, "step_forward", {"mode", "horizon"}, variables);
  table.require_tickers(ticker);
  const TickerTable::Place place = {{"mode", "append"}, {"horizon", std::to_string(kPageHorizon)}};
  for (const std::string& variable : variables) {
    std::string name = variable;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c == '_' ? c : static_cast<char>(c - 32); });
    columns[name] = table.numbers(variable, ticker.size(), place);
  }
}

Columns sheet_columns(const std::string& file, const TableFile& listed) {
  Columns columns;
  const std::vector<std::string> ticker = take_predictors(file, listed, columns);
  take_forecasts(file, listed, ticker, columns);
  take_records(file, listed, ticker, columns);
  take_closes(file, listed, ticker, columns);
  columns["DATE"] = std::vector<std::string>(ticker.size(), utc_text(read_night_summary(file).session).substr(0, 10));
  return columns;
}

Columns ranking_columns(const Columns& sheet) {
  const std::vector<RankedTicker> page = rank_forecasts(std::get<std::vector<std::string>>(sheet.at("TICKER")),
                                                        std::get<std::vector<double>>(sheet.at("MEDIAN")));
  std::vector<std::int64_t> rank;
  std::vector<std::string> side;
  for (const RankedTicker& ranked : page) {
    rank.push_back(static_cast<std::int64_t>(ranked.rank));
    side.emplace_back(ranked.side == RankingSide::kBullish ? "bullish" : "bearish");
  }
  Columns columns = {{"RANK", rank}, {"SIDE", side}};
  for (const char* name : kOfSheet) {
    columns[name] = std::visit(
        [&](const auto& values) -> TableValues {
          std::decay_t<decltype(values)> chosen;
          for (const RankedTicker& ranked : page) chosen.push_back(values[ranked.index]);
          return chosen;
        },
        sheet.at(name));
  }
  return columns;
}

}  // namespace

std::vector<TableGroup> night_pages(const TableFile& listed) {
  std::vector<TableGroup> pages;
  const TableGroup* predictors = find_group(listed, "predictors");
  if (predictors == nullptr) return pages;
  const TableVariable* ticker = find_variable(*predictors, "ticker");
  if (ticker == nullptr) return pages;
  pages.push_back(sheet_group(static_cast<std::int64_t>(cells(*ticker))));
  pages.push_back(find_group(listed, "forecast") != nullptr ? ranking_group() : TableGroup{"ranking", {}, true});
  return pages;
}

std::vector<std::string> row_names(const TableGroup& page) {
  if (page.path == "ranking") return {"RANK", "SIDE", "TICKER"};
  return {"TICKER"};
}

std::vector<TableColumn> read_page(const std::string& file, const TableFile& listed, const TableGroup& page) {
  Columns columns = sheet_columns(file, listed);
  if (page.path == "ranking") columns = ranking_columns(columns);
  std::vector<TableColumn> out;
  for (TableVariable variable : page.variables) {
    TableValues& values = columns.at(variable.name);
    variable.lengths = {static_cast<std::int64_t>(std::visit([](const auto& v) { return v.size(); }, values))};
    out.push_back({std::move(variable), std::move(values)});
  }
  return out;
}

}  // namespace greekgrid::cli

#include "greekgrid/io/night_file.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <numbers>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "chunk_codec.hpp"
#include "greekgrid/io/publish.hpp"
#include "night_schema.hpp"
#include "shared_values.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

using h5::Column;
using h5::kTimeUnits;
using Clock = std::chrono::steady_clock;
using Chunks = std::vector<std::vector<std::uint8_t>>;  // (surfaces, W, R), encoded

const std::vector<std::string> kSurfaceDims = {"ticker", "position", "iv_rule", "time", "iv_shift", "spot_step"};

/// Encoded bytes that may wait for the writer thread before callers have to wait too.
constexpr std::size_t kMostQueuedBytes = std::size_t{256} << 20U;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void require(bool holds, const std::string& problem) {
  if (!holds) throw h5::Error(problem);
}

void require_distinct(const std::vector<std::string>& names, const std::string& what) {
  require(!names.empty(), "there is no " + what);
  require(std::set<std::string>(names.begin(), names.end()).size() == names.size(), what + " names are not distinct");
}

/// What the schema says of the axes. Throws h5::Error.
void validate(const NightHeader& header) {
  require_distinct(header.ticker, "ticker");
  require_distinct(header.position, "position");
  require_distinct(header.iv_rule, "iv_rule");
  require(std::is_sorted(header.ticker.begin(), header.ticker.end()), "tickers are not sorted");
  for (const auto* column : {&header.spot_reference, &header.spot_basis, &header.spot_scale}) {
    require(column->size() == header.ticker.size(), "spot columns and tickers differ in length");
    require(std::all_of(column->begin(), column->end(), [](double x) { return std::isfinite(x); }),
            "a spot column is not finite");
  }
  require(header.iv_rule_parameter.size() == header.iv_rule.size(), "iv_rule_parameter and iv_rule differ in length");
  require(!header.time.empty() && header.time.front() == header.quote_time, "time[0] is not quote_time");
  require(std::adjacent_find(header.time.begin(), header.time.end(), std::greater_equal<>()) == header.time.end(),
          "time does not increase");
  require(h5::is_instant(header.time.front()) && h5::is_instant(header.time.back()) && h5::is_instant(header.file_time),
          "a time lies outside the years 1970 to 9999");
  require(header.time_axis == "sessions" || header.time_axis == "intraday", "unknown time_axis " + header.time_axis);
  require(std::count(header.iv_shift.begin(), header.iv_shift.end(), 0.0) == 1, "iv_shift does not contain 0");
  require(header.iv_shift_term == "flat" || header.iv_shift_term == "sqrt_time",
          "unknown iv_shift_term " + header.iv_shift_term);
  const std::size_t spots = header.spot_step.size();
  require(spots % 2 == 1, "spot_step has an even length");
  for (std::size_t j = 0; j <= spots / 2; ++j) {
    require(header.spot_step[j] == -header.spot_step[spots - 1 - j], "spot_step is not symmetric around 0");
  }
  require(header.spot_axis == "expected_move" || header.spot_axis == "log_return",
          "unknown spot_axis " + header.spot_axis);
  require(header.surfaces() > 0, "there is no surface");
  require(header.keep_bits >= 0 && header.keep_bits <= 23, "keep_bits is not between 0 and 23");
  require(header.chunk_cells() <= std::size_t{1} << 28U, "one ticker's surface is larger than 1 GiB");
}

/// Names of the stored surfaces, in their order.
std::vector<std::string> surface_names(const NightHeader& header) {
  std::vector<std::string> names;
  for (const Greek greek : kAllGreeks) {
    if (header.greeks.contains(greek)) names.emplace_back(h5::kGreekText[static_cast<std::size_t>(greek)].surface);
  }
  if (header.delta_change) names.emplace_back(h5::kDeltaChange);
  return names;
}

Column surface_column(const NightHeader& header, std::size_t index) {
  std::size_t at = 0;
  for (const Greek greek : kAllGreeks) {
    if (!header.greeks.contains(greek) || at++ != index) continue;
    const h5::GreekText& text = h5::kGreekText[static_cast<std::size_t>(greek)];
    const std::string meaning = std::string(name(greek)) + " exposure: sum of dealer contracts times multiplier times ";
    return {text.surface, kSurfaceDims, meaning + text.derivative, text.surface_units, ""};
  }
  return {h5::kDeltaChange, kSurfaceDims, "dx less dx at spot_step 0, time[0], iv_shift 0", "shares", ""};
}

void write_root(hid_t root, h5::TableWriter& table, const NightHeader& header) {
  h5::write_root_attributes(root, h5::kNightSchema, header.title, header.quote_time, header.file_time,
                            header.open_interest_settle_date, header.open_interest_knowledge_time, header.source);
  const std::vector<std::string> names = surface_names(header);
  const bool has_gx = header.greeks.contains(Greek::kGamma);
  h5::write_attribute(root, "settled_contracts", std::string("indicator_at_settlement"));
  h5::write_attribute(root, "NX_class", std::string("NXdata"));
  h5::write_attribute(root, "signal", has_gx ? std::string("gx") : names.front());
  h5::write_attribute(root, "axes", kSurfaceDims);

  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  table.column({"iv_rule", {"iv_rule"}, "how volatility answers a move of spot", "", ""}, header.iv_rule);
  table.column({"time", {"time"}, "scenario instant", kTimeUnits, ""}, header.time);
  table.column({"iv_shift", {"iv_shift"}, "shift of implied volatility", "vol", ""}, header.iv_shift);
  table.column({"spot_step", {"spot_step"}, "log return of spot over spot_scale", "1", ""}, header.spot_step);
  table.scale_attribute("time", "time_axis", header.time_axis);
  table.scale_attribute("iv_shift", "iv_shift_term", header.iv_shift_term);
  table.scale_attribute("iv_shift", "iv_floor", header.iv_floor);
  if (header.iv_shift_term == "sqrt_time") {
    table.scale_attribute("iv_shift", "iv_shift_term_cap", header.iv_shift_term_cap);
  }
  table.scale_attribute("spot_step", "spot_axis", header.spot_axis);

  std::vector<double> spot;
  for (std::size_t u = 0; u < header.ticker.size(); ++u) {
    for (const double step : header.spot_step) {
      spot.push_back(header.spot_reference[u] * std::exp(step * header.spot_scale[u]));
    }
  }
  const std::vector<std::string> ticker = {"ticker"};
  table.column({"spot_reference", ticker, "price of the underlying at quote_time", "USD", ""}, header.spot_reference);
  table.column({"spot_basis", ticker, "log of synthetic spot over spot", "1", ""}, header.spot_basis);
  table.column({"spot_scale", ticker, "log return of one spot_step", "1", ""}, header.spot_scale);
  table.column({"spot", {"ticker", "spot_step"}, "price of the underlying in the scenario", "USD", ""}, spot);
  table.column({"iv_rule_parameter", {"iv_rule"}, "skew-stickiness ratio, or beta of relative_beta", "1", ""},
               header.iv_rule_parameter);
}

h5::Handle create_surface(hid_t root, h5::TableWriter& table, const NightHeader& header, std::size_t index) {
  const Column column = surface_column(header, index);
  const std::string what = "create " + column.name;
  std::vector<hsize_t> dims;
  for (const std::string& dim : kSurfaceDims) dims.push_back(table.length(dim));
  const h5::Handle creation = h5::dataset_properties(h5::Type::kFloat32, true, {1, 1, 1, dims[3], dims[4], dims[5]});
  const h5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  h5::Handle dataset(H5Dcreate2(root, column.name.c_str(), h5::file_type(h5::Type::kFloat32), space.get(), H5P_DEFAULT,
                                creation.get(), H5P_DEFAULT),
                     H5Dclose, what);
  table.describe(dataset.get(), column, h5::Type::kFloat32);
  h5::write_attribute(dataset.get(), "coordinates", std::string("spot spot_reference"));
  if (header.keep_bits > 0 && header.keep_bits < 23) {
    h5::write_attribute(dataset.get(), h5::kKeptBits, std::int32_t{header.keep_bits});
  }
  return dataset;
}

/// A group for a table of `rows` rows; one without any holds nothing but that number.
std::optional<h5::Handle> table_group(hid_t root, const std::string& name, std::size_t rows) {
  h5::Handle group = h5::create_group(root, name);
  if (rows > 0) return group;
  h5::write_attribute(group.get(), "rows", std::int64_t{0});
  return std::nullopt;
}

/// One member of every row as a column.
template <class Row, class Get>
auto column_of(const std::vector<Row>& rows, Get get) {
  std::vector<std::decay_t<decltype(get(rows[0]))>> values;
  values.reserve(rows.size());
  for (const Row& row : rows) values.push_back(get(row));
  return values;
}

void write_expiries(hid_t root, const NightHeader& header, const Snapshot& snapshot) {
  const auto group = table_group(root, "expiry", snapshot.expiries());
  if (!group) return;
  std::vector<double> tau, forward, discount;
  for (std::size_t e = 0; e < snapshot.expiries(); ++e) {
    const auto u = static_cast<std::size_t>(snapshot.expiry_ticker[e]);
    const double years = static_cast<double>(snapshot.settlement[e] - header.quote_time) / kSecondsPerYear;
    const double carry = (snapshot.rate[e] - snapshot.dividend_yield[e]) * years;
    tau.push_back(years);
    forward.push_back(header.spot_reference.at(u) * std::exp(header.spot_basis.at(u) + carry));
    discount.push_back(std::exp(-snapshot.rate[e] * years));
  }
  const std::vector<std::string> dims = {"expiry"};
  h5::TableWriter table(group->get());
  table.row_numbers("expiry", snapshot.expiries());
  table.column({"expiry_ticker", dims, "index into the root's ticker", "1", ""}, snapshot.expiry_ticker);
  table.column({"root", dims, "option root", "", ""}, snapshot.root);
  table.column({"settlement", dims, "settlement instant", kTimeUnits, ""}, snapshot.settlement);
  table.column({"exercise", dims, "exercise style", "", h5::kExerciseMeanings}, snapshot.exercise);
  table.column({"settlement_style", dims, "settlement at the open or the close", "", h5::kStyleMeanings},
               snapshot.style);
  table.column({"tau", dims, "time from time[0] to settlement", "common_year", ""}, tau);
  table.column({"rate", dims, "interest rate, continuously compounded", "common_year-1", ""}, snapshot.rate);
  table.column({"dividend_yield", dims, "dividend yield, continuously compounded", "common_year-1", ""},
               snapshot.dividend_yield);
  table.column({"forward", dims, "forward price", "USD", ""}, forward);
  table.column({"discount", dims, "discount factor", "1", ""}, discount);
  table.column({"forward_source", dims, "where the forward comes from", "", h5::kForwardSourceMeanings},
               snapshot.forward_source);

  const std::vector<ExpiryVolatility>& rows = snapshot.expiry_volatility;
  const auto number = [&](const char* name, const char* meaning, const char* units, auto get) {
    table.column({name, dims, meaning, units, ""}, column_of(rows, get));
  };
  using Row = const ExpiryVolatility&;
  number("parity_forward", "forward by put-call parity: median over the pairs near the money", "USD",
         [](Row r) { return r.parity.forward; });
  number("parity_low", "highest forward that some pair's bid and ask allow as lower bound", "USD",
         [](Row r) { return r.parity.low; });
  number("parity_high", "lowest forward that some pair's bid and ask allow as upper bound", "USD",
         [](Row r) { return r.parity.high; });
  number("parity_residual", "median distance of the pairs from their median", "USD",
         [](Row r) { return r.parity.residual; });
  number("parity_pairs", "pairs of two-sided quotes used", "1", [](Row r) { return std::int32_t{r.parity.pairs}; });
  number("parity_supporting", "pairs whose own bid and ask allow parity_forward, to 5 bp", "1",
         [](Row r) { return std::int32_t{r.parity.supporting}; });
  table.column({"smile_kind", dims, "how the smile came about", "", h5::kSmileKindMeanings},
               column_of(rows, [](Row r) { return r.kind; }));
  number("smile_points", "strikes that the smile was fitted to", "1", [](Row r) { return r.points; });
  const std::vector<SmileCurve>& smile = snapshot.smile;
  const auto parameter = [&](const char* name, const char* meaning, double SmileCurve::*member) {
    std::vector<double> values;
    for (std::size_t e = 0; e < smile.size(); ++e) {
      values.push_back(rows[e].kind == SmileKind::kMissing ? std::numeric_limits<double>::quiet_NaN()
                                                           : smile[e].*member);
    }
    table.column({name, dims, meaning, "1", ""}, values);
  };
  parameter("smile_a", "a of w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2))", &SmileCurve::a);
  parameter("smile_b", "b of the smile", &SmileCurve::b);
  parameter("smile_rho", "rho of the smile", &SmileCurve::rho);
  parameter("smile_m", "m of the smile, log-moneyness", &SmileCurve::m);
  parameter("smile_s", "s of the smile, log-moneyness", &SmileCurve::s);
  number("smile_low", "least ln(strike / forward) of the points", "1", [](Row r) { return r.low_k; });
  number("smile_high", "greatest ln(strike / forward) of the points", "1", [](Row r) { return r.high_k; });
  number("smile_residual", "weighted root mean square distance of the points", "vol", [](Row r) { return r.residual; });
  number("butterfly_score", "largest violation of a non-negative density within the points", "1",
         [](Row r) { return r.butterfly; });
  number("calendar_score", "largest relative fall of total variance from the expiry before", "1",
         [](Row r) { return r.calendar; });
  number("atm_iv", "volatility of the smile at the forward", "vol", [](Row r) { return r.atm_iv; });
  number("skew_25d", "volatility of the 25-delta call less that of the put", "vol", [](Row r) { return r.skew_25d; });
  number("skew_10d", "volatility of the 10-delta call less that of the put", "vol", [](Row r) { return r.skew_10d; });
  number("smirk_25d", "mean volatility of the 25-delta options less atm_iv", "vol", [](Row r) { return r.smirk_25d; });
  number("smirk_10d", "mean volatility of the 10-delta options less atm_iv", "vol", [](Row r) { return r.smirk_10d; });
  number("straddle_strike", "listed strike with both mids nearest to the forward", "USD",
         [](Row r) { return r.straddle_strike; });
  number("straddle", "call and put at that strike, at mid", "USD", [](Row r) { return r.straddle; });
  number("range_50_low", "strike of delta -0.25 on the smile", "USD", [](Row r) { return r.range_50_low; });
  number("range_50_high", "strike of delta 0.25 on the smile", "USD", [](Row r) { return r.range_50_high; });
  number("range_70_low", "strike of delta -0.15 on the smile", "USD", [](Row r) { return r.range_70_low; });
  number("range_70_high", "strike of delta 0.15 on the smile", "USD", [](Row r) { return r.range_70_high; });
  for (std::size_t q = 0; q < kQuantileProbabilities.size(); ++q) {
    const int percent = static_cast<int>(std::lround(100.0 * kQuantileProbabilities[q]));
    const std::string name = std::string("quantile_") + (percent < 10 ? "0" : "") + std::to_string(percent);
    const std::string meaning = "risk-neutral " + std::to_string(percent) + " % quantile of the settlement price";
    table.column({name, dims, meaning, "USD", ""}, column_of(rows, [q](Row r) { return r.quantile[q]; }));
  }
}

void write_volatility(hid_t root, const NightHeader& header, const Snapshot& snapshot) {
  const std::vector<TickerVolatility>& rows = snapshot.volatility;
  const auto group = table_group(root, "volatility", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"ticker"};
  h5::TableWriter table(group->get());
  table.column({"ticker", dims, "underlying symbol", "", ""}, header.ticker);
  const auto metric = [&](const std::string& name, const char* meaning, const char* units,
                          Metric TickerVolatility::*member) {
    table.column({name, dims, meaning, units, ""}, column_of(rows, [member](auto& r) { return (r.*member).value; }));
    table.column({name + "_status", dims, "why " + name + " is null", "", h5::kMetricStatusMeanings},
                 column_of(rows, [member](auto& r) { return (r.*member).status; }));
  };
  // What is stored in dollars beside a relative number is around the vendor's spot.
  const auto around_spot = [&](const std::string& name, const char* meaning, Metric TickerVolatility::*member,
                               double factor, bool relative) {
    std::vector<double> values;
    for (std::size_t u = 0; u < rows.size(); ++u) {
      const double spot = header.spot_reference[u];
      values.push_back(spot + factor * (rows[u].*member).value * (relative ? spot : 1.0));
    }
    table.column({name, dims, meaning, "USD", ""}, values);
  };
  metric("iv30", "at-the-forward volatility at 30/365 years", "vol", &TickerVolatility::iv30);
  // The mean absolute move of a normal over five sessions.
  const double mean_move = std::sqrt(5.0 / 252.0) * std::sqrt(2.0 / std::numbers::pi);
  std::vector<double> percent, dollars;
  for (std::size_t u = 0; u < rows.size(); ++u) {
    percent.push_back(rows[u].iv30.value * mean_move);
    dollars.push_back(percent.back() * header.spot_reference[u]);
  }
  table.column({"iv_pct", dims, "average move over five sessions: iv30 sqrt(5/252) sqrt(2/pi)", "1", ""}, percent);
  table.column({"iv_usd", dims, "iv_pct times spot_reference", "USD", ""}, dollars);
  metric("variance_index", "model-free volatility at 30/365 years from the strip of quotes", "vol",
         &TickerVolatility::variance_index);
  metric("implied_move_1d", "one standard deviation to the next session close", "1",
         &TickerVolatility::implied_move_1d);
  metric("implied_move_5d", "one standard deviation to the fifth session close", "1",
         &TickerVolatility::implied_move_5d);
  around_spot("week_inner_low", "spot less 0.674 implied_move_5d", &TickerVolatility::implied_move_5d, -0.674, true);
  around_spot("week_inner_high", "spot plus 0.674 implied_move_5d", &TickerVolatility::implied_move_5d, 0.674, true);
  around_spot("week_outer_low", "spot less implied_move_5d", &TickerVolatility::implied_move_5d, -1.0, true);
  around_spot("week_outer_high", "spot plus implied_move_5d", &TickerVolatility::implied_move_5d, 1.0, true);
  metric("straddle", "straddle of the first date at least a day away, at mid", "USD", &TickerVolatility::straddle);
  around_spot("straddle_low", "spot less the straddle", &TickerVolatility::straddle, -1.0, false);
  around_spot("straddle_high", "spot plus the straddle", &TickerVolatility::straddle, 1.0, false);
  std::vector<double> tau;
  for (const TickerVolatility& r : rows) {
    tau.push_back(r.straddle.status == MetricStatus::kOk
                      ? static_cast<double>(r.straddle_settlement - header.quote_time) / kSecondsPerYear
                      : std::numeric_limits<double>::quiet_NaN());
  }
  table.column({"straddle_tau", dims, "time to the straddle's settlement", "common_year", ""}, tau);
}

void write_contracts(hid_t root, const NightHeader& header, const NightTables& tables) {
  const Snapshot& snapshot = *tables.snapshot;
  const std::size_t n = snapshot.contracts(), tickers = header.ticker.size();
  const auto group = table_group(root, "contract", n);
  if (!group) return;
  std::vector<std::int64_t> begin(snapshot.contract_begin.begin(), snapshot.contract_begin.end() - 1);
  std::vector<std::int64_t> count;
  for (std::size_t u = 0; u < tickers; ++u)
    count.push_back(snapshot.contract_begin[u + 1] - snapshot.contract_begin[u]);
  std::vector<double> tau;
  for (const std::int32_t expiry : snapshot.contract_expiry) {
    const Instant settlement = snapshot.settlement.at(static_cast<std::size_t>(expiry));
    tau.push_back(static_cast<double>(settlement - header.quote_time) / kSecondsPerYear);
  }
  const std::vector<std::string> dims = {"contract"}, ticker = {"ticker"};
  h5::TableWriter table(group->get());
  table.row_numbers("contract", n);
  table.column({"ticker", ticker, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  table.column({"contract_begin", ticker, "first contract of the ticker", "1", ""}, begin);
  table.column({"contract_count", ticker, "number of contracts of the ticker", "1", ""}, count);
  table.column({"contract_expiry", dims, "index into /expiry", "1", ""}, snapshot.contract_expiry);
  table.column({"chain_row", dims, "row of the chain", "1", ""}, snapshot.chain_row);
  table.column({"strike", dims, "strike", "USD", ""}, snapshot.strike);
  table.column({"right", dims, "+1 call, -1 put", "1", ""}, snapshot.right);
  table.column({"multiplier", dims, "shares per contract", "shares", ""}, snapshot.multiplier);
  table.column({"open_interest", dims, "contracts open", "1", ""}, snapshot.open_interest);
  table.column({"implied_volatility", dims, "volatility at iv_shift 0 and spot_reference, before the floor", "vol", ""},
               snapshot.implied_volatility);
  table.column({"iv_source", dims, "where the volatility comes from", "", h5::kIvSourceMeanings}, snapshot.iv_source);
  table.column({"quote_status", dims, "what became of the contract's own quote", "", h5::kQuoteStatusMeanings},
               snapshot.quote_status);
  table.column({"tau", dims, "time from time[0] to settlement", "common_year", ""}, tau);
  table.column({"dealer_position", {"contract", "position"}, "signed contracts of dealers", "1", ""},
               tables.dealer_position);
  for (const Greek greek : kAllGreeks) {
    const auto g = static_cast<std::size_t>(greek);
    const std::string meaning =
        std::string(h5::kGreekText[g].derivative) + " per share at time[0], spot_reference, iv_shift 0";
    const auto first = tables.greeks.begin() + static_cast<std::ptrdiff_t>(g * n);
    const std::vector<double> values(first, first + static_cast<std::ptrdiff_t>(n));
    table.column({std::string(name(greek)), dims, meaning, h5::kGreekText[g].contract_units, ""}, values);
  }
}

/// A level and its status: NaN exactly where the status is not ok.
template <class Get>
void write_level(h5::TableWriter& table, const Column& column, const std::vector<LevelRow>& rows, Get get) {
  for (const LevelRow& row : rows) {
    const Level& level = get(row);
    require(level.status != LevelStatus::kOk || std::isfinite(level.value),
            column.name + " of " + row.ticker + " " + row.position + " is ok but no number");
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  table.column(column, column_of(rows, [&](const LevelRow& row) {
                 return get(row).status == LevelStatus::kOk ? get(row).value : nan;
               }));
  table.column({column.name + "_status", column.dims, "why there is none", "", h5::kLevelStatusMeanings},
               column_of(rows, [&](const LevelRow& row) { return get(row).status; }));
}

void write_levels(hid_t root, const std::vector<LevelRow>& rows) {
  const auto group = table_group(root, "levels", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"row"};
  h5::TableWriter table(group->get());
  table.row_numbers("row", rows.size());
  table.column({"ticker", dims, "underlying symbol", "", ""}, column_of(rows, [](auto& row) { return row.ticker; }));
  table.column({"position", dims, "position model", "", ""}, column_of(rows, [](auto& row) { return row.position; }));
  table.column({"gamma_index", dims, "net gamma exposure per 1 per cent", "1e9 USD", ""},
               column_of(rows, [](auto& row) { return row.gamma_index; }));
  write_level(table, {"gamma_index_ratio", dims, "net over gross gamma exposure", "1", ""}, rows,
              [](auto& row) -> const Level& { return row.gamma_index_ratio; });
  write_level(table, {"call_wall", dims, "strike of the largest call gamma at or above spot", "USD", ""}, rows,
              [](auto& row) -> const Level& { return row.call_wall; });
  write_level(table, {"put_wall", dims, "strike of the largest put gamma at or below spot", "USD", ""}, rows,
              [](auto& row) -> const Level& { return row.put_wall; });
  write_level(table, {"call_wall_unrestricted", dims, "strike of the largest call gamma", "USD", ""}, rows,
              [](auto& row) -> const Level& { return row.call_wall_unrestricted; });
  write_level(table, {"put_wall_unrestricted", dims, "strike of the largest put gamma", "USD", ""}, rows,
              [](auto& row) -> const Level& { return row.put_wall_unrestricted; });
  write_level(table, {"absolute_gamma_strike", dims, "strike of the largest call and put gamma", "USD", ""}, rows,
              [](auto& row) -> const Level& { return row.absolute_gamma_strike; });
  write_level(table,
              {"zero_gamma", dims, "spot nearest to spot_reference where gamma exposure changes sign", "USD", ""}, rows,
              [](auto& row) -> const Level& { return row.zero_gamma; });
  table.column({"zero_gamma_slope", dims, "speed exposure at zero_gamma", "shares USD-2", ""},
               column_of(rows, [](auto& row) { return row.zero_gamma_slope; }));
  table.column({"zero_gamma_count", dims, "number of sign changes", "1", ""},
               column_of(rows, [](auto& row) { return row.zero_gamma_count; }));
}

void write_crossings(hid_t root, const std::vector<CrossingRow>& rows) {
  const auto group = table_group(root, "crossing", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"row"};
  h5::TableWriter table(group->get());
  table.row_numbers("row", rows.size());
  table.column({"ticker", dims, "underlying symbol", "", ""}, column_of(rows, [](auto& row) { return row.ticker; }));
  table.column({"position", dims, "position model", "", ""}, column_of(rows, [](auto& row) { return row.position; }));
  table.column({"kind", dims, "which exposure changes sign", "", "zero_gamma"}, std::vector<std::int8_t>(rows.size()));
  table.column({"price", dims, "spot at the sign change", "USD", ""},
               column_of(rows, [](auto& row) { return row.price; }));
  table.column({"slope", dims, "speed exposure there", "shares USD-2", ""},
               column_of(rows, [](auto& row) { return row.slope; }));
}

void write_quality(hid_t root, const std::vector<TickerQuality>& rows) {
  const auto group = table_group(root, "quality", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"ticker"};
  h5::TableWriter table(group->get());
  table.column({"ticker", dims, "underlying symbol, refused ones included", "", ""},
               column_of(rows, [](auto& row) { return row.ticker; }));
  table.column({"status", dims, "why the ticker is in the result or not", "", h5::kTickerStatusMeanings},
               column_of(rows, [](auto& row) { return row.status; }));
  table.column({"contracts", dims, "contracts priced", "1", ""},
               column_of(rows, [](auto& row) { return row.contracts; }));
  table.column({"rows_in", dims, "contract rows of the chain", "1", ""},
               column_of(rows, [](auto& row) { return row.rows_in; }));
  table.column({"rows_expired", dims, "rows settled at or before quote_time", "1", ""},
               column_of(rows, [](auto& row) { return row.rows_expired; }));
  table.column({"rows_refused", dims, "live rows refused", "1", ""},
               column_of(rows, [](auto& row) { return row.rows_refused; }));
  table.column({"coverage", dims, "share of live open interest that is priced", "1", ""},
               column_of(rows, [](auto& row) { return row.coverage; }));
  table.column(
      {"own_iv_share", dims, "share of live open interest whose volatility is from quotes at its strike", "1", ""},
      column_of(rows, [](auto& row) { return row.own_iv_share; }));
  table.column(
      {"supported_iv_share", dims,
       "share of live open interest whose volatility is observed at its strike or between a smile's points", "1", ""},
      column_of(rows, [](auto& row) { return row.supported_iv_share; }));
  table.column({"filled_iv_share", dims, "share of priced open interest with a filled volatility", "1", ""},
               column_of(rows, [](auto& row) { return row.filled_iv_share; }));
  table.column({"expired_share", dims, "share of open interest that is expired", "1", ""},
               column_of(rows, [](auto& row) { return row.expired_share; }));
  table.column({"parity_residual", dims, "median parity residual of the expiries relative to the forward", "1", ""},
               column_of(rows, [](auto& row) { return row.parity_residual; }));
  table.column({"arbitrage_score", dims, "mean over smiles of the larger of butterfly and calendar score", "1", ""},
               column_of(rows, [](auto& row) { return row.arbitrage_score; }));
  table.column({"spread", dims, "median (ask - bid) / mid of the quotes near the money", "1", ""},
               column_of(rows, [](auto& row) { return row.spread; }));
  table.column({"spot_basis_bp", dims, "1e4 ln(synthetic spot / spot)", "1", ""},
               column_of(rows, [](auto& row) { return row.spot_basis_bp; }));
  table.column({"spot_source", dims, "where the spot comes from", "", h5::kSpotSourceMeanings},
               column_of(rows, [](auto& row) { return row.spot_source; }));
  table.column({"clipped_cells", dims, "scenario cells of contracts where the volatility floor binds", "1", ""},
               column_of(rows, [](auto& row) { return row.clipped_cells; }));
}

void write_run(hid_t root, const NightTables& tables) {
  const h5::Handle group = h5::create_group(root, "run");
  h5::write_attribute(group.get(), "configuration", tables.configuration);
  h5::write_attribute(group.get(), "tool_version", tables.tool_version);
  h5::write_attribute(group.get(), "build", tables.build);
  h5::write_attribute(group.get(), "backend", tables.backend);
  h5::write_attribute(group.get(), "precision", tables.precision);
  h5::write_attribute(group.get(), "compressor", h5::compressor_name());
  if (!tables.warnings.empty()) h5::write_attribute(group.get(), "warnings", tables.warnings);
}

/// The tables fit the header. Throws h5::Error.
void validate(const NightHeader& header, const NightTables& tables) {
  require(tables.snapshot != nullptr, "there is no snapshot");
  const Snapshot& snapshot = *tables.snapshot;
  require(snapshot.ticker == header.ticker, "the snapshot has other tickers than the surfaces");
  require(snapshot.contract_begin.size() == header.ticker.size() + 1, "the snapshot's contract_begin is no CSR offset");
  require(tables.dealer_position.size() == snapshot.contracts() * header.position.size(),
          "dealer_position is not (contract, position)");
  require(snapshot.smile.size() == snapshot.expiries() && snapshot.expiry_volatility.size() == snapshot.expiries(),
          "smiles are not (expiry)");
  require(snapshot.volatility.size() == header.ticker.size(), "volatility is not (ticker)");
  require(snapshot.quote_status.size() == snapshot.contracts(), "quote_status is not (contract)");
  require(tables.greeks.size() == snapshot.contracts() * kGreekCount, "greeks are not (greek, contract)");
}

}  // namespace

struct NightWriter::Impl {
  NightHeader header;
  std::string given;  // as the caller spells it, for messages
  PendingFile pending;
  h5::Handle file, root;
  std::vector<h5::Handle> surface;

  mutable std::mutex mutex;  // guards everything below
  std::condition_variable chunks_changed, room_changed;
  std::map<std::int64_t, Chunks> queue;  // encoded tickers that wait for their turn
  std::size_t queued_bytes = 0;
  std::vector<bool> submitted;  // (U)
  std::int64_t next = 0;        // first ticker that is not written
  bool writing = false, stopping = false;
  std::string failure;  // of the writer thread
  Statistics statistics;
  std::thread writer;

  Impl(const std::filesystem::path& target, const NightHeader& header_)
      : header(header_), given(target.string()), pending(target), submitted(header.ticker.size(), false) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    chunks_changed.notify_all();
    if (writer.joinable()) writer.join();
    const h5::LibraryLock lock;
    surface.clear();
    root = {};
    file = {};
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw OutputError(given + ": cannot be written (" + problem + ")");
  }

  void create() {
    const h5::LibraryLock lock;
    file = h5::create_file(pending.path());
    root = h5::root_group(file);
    h5::TableWriter table(root.get());
    write_root(root.get(), table, header);
    for (std::size_t s = 0; s < header.surfaces(); ++s) surface.push_back(create_surface(root.get(), table, header, s));
  }

  /// Tickers in their order, whatever the order of submission.
  void write_in_order() {
    std::unique_lock lock(mutex);
    const auto tickers = static_cast<std::int64_t>(header.ticker.size());
    while (next < tickers) {
      chunks_changed.wait(lock, [&] { return stopping || queue.contains(next); });
      if (stopping) return;
      const Chunks chunks = std::move(queue.extract(next).mapped());
      const std::int64_t ticker = next;
      writing = true;
      lock.unlock();
      std::string problem;
      const auto begin = Clock::now();
      std::size_t bytes = 0;
      try {
        bytes = write_ticker(ticker, chunks);
      } catch (const h5::Error& error) {
        problem = error.what();
      }
      const double seconds = seconds_since(begin);
      lock.lock();
      statistics.bytes_compressed += bytes;
      statistics.write_seconds += seconds;
      queued_bytes -= bytes;
      writing = false;
      ++next;
      if (!problem.empty()) failure = problem;
      room_changed.notify_all();
      if (!problem.empty()) return;
    }
  }

  std::size_t write_ticker(std::int64_t ticker, const Chunks& chunks) {
    const h5::LibraryLock lock;
    std::size_t bytes = 0, at = 0;
    for (const h5::Handle& dataset : surface) {
      for (hsize_t position = 0; position < header.position.size(); ++position) {
        for (hsize_t rule = 0; rule < header.iv_rule.size(); ++rule, ++at) {
          const hsize_t offset[6] = {static_cast<hsize_t>(ticker), position, rule, 0, 0, 0};
          const std::vector<std::uint8_t>& chunk = chunks[at];
          h5::check(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, offset, chunk.size(), chunk.data()),
                    "write the surfaces of " + header.ticker[static_cast<std::size_t>(ticker)]);
          bytes += chunk.size();
        }
      }
    }
    return bytes;
  }

  Chunks encode(std::int64_t ticker, std::span<const double> cells) const {
    thread_local h5::ChunkEncoder encoder;
    const std::size_t chunk_cells = header.chunk_cells();
    std::vector<std::uint32_t> bits(chunk_cells);
    Chunks chunks;
    for (std::size_t begin = 0; begin < cells.size(); begin += chunk_cells) {
      const std::span<const double> from = cells.subspan(begin, chunk_cells);
      const std::ptrdiff_t refused = h5::to_float32(from, header.keep_bits, bits);
      if (refused >= 0) {
        const auto cell = static_cast<std::size_t>(refused);
        refuse_cell(ticker, begin / chunk_cells, cell, from[cell]);
      }
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(bits.data());
      chunks.push_back(encoder.encode({bytes, chunk_cells * sizeof(float)}, sizeof(float)));
    }
    return chunks;
  }

  /// Names the cell that float32 cannot hold.
  [[noreturn]] void refuse_cell(std::int64_t ticker, std::size_t chunk, std::size_t cell, double value) const {
    const std::size_t rules = header.iv_rule.size(), positions = header.position.size();
    const std::size_t spots = header.spot_step.size(), shifts = header.iv_shift.size();
    const std::string at = "[" + header.position[chunk / rules % positions] + ", " + header.iv_rule[chunk % rules] +
                           ", time " + std::to_string(cell / spots / shifts) + ", iv_shift " +
                           std::to_string(cell / spots % shifts) + ", spot_step " + std::to_string(cell % spots) + "]";
    fail("surface " + surface_names(header)[chunk / rules / positions] + " of " +
         header.ticker[static_cast<std::size_t>(ticker)] + " is " + std::to_string(value) + " at " + at +
         ": float32 cannot hold it");
  }
};

NightWriter::NightWriter(const std::filesystem::path& target, const NightHeader& header) {
  try {
    validate(header);
    impl_ = std::make_unique<Impl>(target, header);
    impl_->create();
  } catch (const h5::Error& error) {
    throw OutputError(target.string() + ": cannot be written (" + error.what() + ")");
  }
  impl_->writer = std::thread([impl = impl_.get()] { impl->write_in_order(); });
}

NightWriter::~NightWriter() = default;

void NightWriter::write_surfaces(std::int64_t ticker, std::span<const double> cells) {
  const NightHeader& header = impl_->header;
  const std::size_t chunk_cells = header.chunk_cells();
  const std::size_t count = header.surfaces() * header.position.size() * header.iv_rule.size();
  if (ticker < 0 || static_cast<std::size_t>(ticker) >= header.ticker.size() || cells.size() != count * chunk_cells) {
    impl_->fail("ticker " + std::to_string(ticker) + " with " + std::to_string(cells.size()) +
                " cells does not fit the header");
  }
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->failure.empty()) impl_->fail(impl_->failure);
    const auto submitted = impl_->submitted.begin() + static_cast<std::ptrdiff_t>(ticker);
    if (*submitted) impl_->fail("the surfaces of " + header.ticker[static_cast<std::size_t>(ticker)] + " came twice");
    *submitted = true;
  }

  const auto begin = Clock::now();
  Chunks chunks;
  try {
    chunks = impl_->encode(ticker, cells);
  } catch (...) {
    const std::lock_guard lock(impl_->mutex);
    impl_->submitted[static_cast<std::size_t>(ticker)] = false;
    throw;
  }
  const double seconds = seconds_since(begin);
  std::size_t bytes = 0;
  for (const std::vector<std::uint8_t>& chunk : chunks) bytes += chunk.size();

  std::unique_lock lock(impl_->mutex);
  impl_->statistics.bytes_raw += cells.size() * sizeof(float);
  impl_->statistics.compress_seconds += seconds;
  // Waiting helps only while the writer has its next ticker: if that one is still to come, perhaps from this very
  // thread, the queue has to grow.
  impl_->room_changed.wait(lock, [&] {
    const bool writer_can_go_on = impl_->writing || impl_->queue.contains(impl_->next);
    return !impl_->failure.empty() || impl_->queued_bytes < kMostQueuedBytes || !writer_can_go_on;
  });
  if (!impl_->failure.empty()) impl_->fail(impl_->failure);
  impl_->queued_bytes += bytes;
  impl_->queue.emplace(ticker, std::move(chunks));
  lock.unlock();
  impl_->chunks_changed.notify_one();
}

void NightWriter::finish(const NightTables& tables) {
  {
    std::unique_lock lock(impl_->mutex);
    const auto missing = std::find(impl_->submitted.begin(), impl_->submitted.end(), false);
    if (missing != impl_->submitted.end() && impl_->failure.empty()) {
      impl_->fail("the surfaces of " +
                  impl_->header.ticker[static_cast<std::size_t>(missing - impl_->submitted.begin())] + " are missing");
    }
    const auto tickers = static_cast<std::int64_t>(impl_->header.ticker.size());
    impl_->room_changed.wait(lock, [&] { return !impl_->failure.empty() || impl_->next == tickers; });
    if (!impl_->failure.empty()) impl_->fail(impl_->failure);
  }
  try {
    validate(impl_->header, tables);
    const h5::LibraryLock lock;
    const hid_t root = impl_->root.get();
    h5::write_attribute(root, "tool_version", tables.tool_version);
    write_expiries(root, impl_->header, *tables.snapshot);
    write_volatility(root, impl_->header, *tables.snapshot);
    write_contracts(root, impl_->header, tables);
    write_levels(root, tables.level);
    write_crossings(root, tables.crossing);
    write_quality(root, tables.snapshot->quality);
    write_run(root, tables);
    impl_->surface.clear();
    impl_->root = {};
    impl_->file.close("close the file");
  } catch (const h5::Error& error) {
    impl_->fail(error.what());
  }
  impl_->pending.publish();
}

NightWriter::Statistics NightWriter::statistics() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->statistics;
}

}  // namespace greekgrid

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
#include "greekgrid/host/hedge.hpp"
#include "greekgrid/io/publish.hpp"
#include "night_forecasts.hpp"
#include "night_schema.hpp"
#include "shared_values.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

using h5::Column;
using h5::kTimeUnits;
using Clock = std::chrono::steady_clock;

/// One ticker, encoded.
struct Chunks {
  std::vector<std::vector<std::uint8_t>> surface;  // (surfaces, W, R), then the session's (surfaces, W, scopes)
  std::vector<h5::EncodedChunk> step;

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& chunk : surface) sum += chunk.size();
    for (const auto& chunk : step) sum += chunk.bytes.size();
    return sum;
  }
};

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
  for (const auto* column : {&header.expected_move, &header.average_daily_volume, &header.gamma_move}) {
    require(column->size() == header.ticker.size(), "columns of the session and tickers differ in length");
  }
  const std::vector<Instant>& session = header.intraday.time;
  require(std::adjacent_find(session.begin(), session.end(), std::greater_equal<>()) == session.end(),
          "the session's time does not increase");
  require(session.empty() == header.intraday.spot_step.empty(), "the session has one of its axes only");
  require(header.move_time.size() == header.moves.size(), "moves and their instants differ in number");
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
  table.column({"average_daily_volume", ticker, "mean volume of up to 21 sessions, of all venues", "shares", ""},
               header.average_daily_volume);
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
  number("skew_25d_change", "change of skew since an earlier session, at the strikes that had 25 delta then", "vol",
         [](Row r) { return r.skew_25d_change; });
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
  table.column({"volume", dims, "contracts traded", "1", ""}, snapshot.volume);
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

/// A level and its status, where it has its own: NaN exactly where the status is not ok.
void write_level(h5::TableWriter& table, const Column& column, const std::vector<Level>& levels, bool with_status) {
  table.column(column, column_of(levels, [](const Level& level) {
                 return level.ok() ? level.value : std::numeric_limits<double>::quiet_NaN();
               }));
  if (!with_status) return;
  table.column({column.name + "_status", column.dims, "why there is none", "", h5::kLevelStatusMeanings},
               column_of(levels, [](const Level& level) { return level.status; }));
}

template <class Row>
void write_who(h5::TableWriter& table, const std::vector<std::string>& dims, const std::vector<Row>& rows) {
  table.row_numbers(dims.front(), rows.size());
  table.column({"ticker", dims, "underlying symbol", "", ""}, column_of(rows, [](auto& row) { return row.ticker; }));
  table.column({"position", dims, "position model", "", ""}, column_of(rows, [](auto& row) { return row.position; }));
}

void write_levels(hid_t root, const std::vector<LevelRow>& rows) {
  const auto group = table_group(root, "levels", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"row"};
  h5::TableWriter table(group->get());
  write_who(table, dims, rows);
  for (std::size_t k = 0; k < kLevelCount; ++k) {
    const LevelText& text = kLevelTexts[k];
    write_level(table, {std::string(text.name), dims, std::string(text.meaning), std::string(text.units), ""},
                column_of(rows, [k](auto& row) { return row.level[k]; }), has_own_status(static_cast<LevelName>(k)));
  }
}

void write_crossings(hid_t root, const std::vector<CrossingRow>& rows) {
  const auto group = table_group(root, "crossing", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"row"};
  h5::TableWriter table(group->get());
  write_who(table, dims, rows);
  table.column({"kind", dims, "which exposure changes sign", "", h5::kCrossingKindMeanings},
               column_of(rows, [](auto& row) { return row.kind; }));
  table.column({"price", dims, "spot at the sign change", "USD", ""},
               column_of(rows, [](auto& row) { return row.price; }));
  table.column({"slope", dims, "change of the index of that exposure per 1 per cent of spot", "1e9 USD", ""},
               column_of(rows, [](auto& row) { return row.slope; }));
  table.column(
      {"prominence", dims, "lesser of the largest exposures on either side over gross gamma exposure", "1", ""},
      column_of(rows, [](auto& row) { return row.prominence; }));
  table.column({"weak", dims, "whether prominence is below 0.01", "", h5::kNoYesMeanings},
               column_of(rows, [](auto& row) { return static_cast<std::int8_t>(row.weak()); }));
}

void write_ladder(hid_t root, const std::vector<LadderRow>& rows) {
  const auto group = table_group(root, "ladder", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"row"};
  h5::TableWriter table(group->get());
  write_who(table, dims, rows);
  table.column({"session", dims, "0 the quote instant, k the k-th next close", "1", ""},
               column_of(rows, [](auto& row) { return row.session; }));
  table.column({"time", dims, "instant that the book is aged to", kTimeUnits, ""},
               column_of(rows, [](auto& row) { return row.time; }));
  table.column({"band_low", dims, "spot_reference less one expected move", "USD", ""},
               column_of(rows, [](auto& row) { return row.band_low; }));
  table.column({"band_high", dims, "spot_reference plus one expected move", "USD", ""},
               column_of(rows, [](auto& row) { return row.band_high; }));
  for (std::size_t g = 0; g < kLadderGreeks.size(); ++g) {
    const std::string greek(name(kLadderGreeks[g]));
    table.column({greek, dims, "net " + greek + " exposure, mean over the band",
                  h5::kGreekText[static_cast<std::size_t>(kLadderGreeks[g])].surface_units, ""},
                 column_of(rows, [g](auto& row) { return row.exposure[g]; }));
    table.column(
        {greek + "_asymmetry", dims, "convexity of " + greek + " in volatility over its size, -1 to 1", "1", ""},
        column_of(rows, [g](auto& row) { return row.asymmetry[g]; }));
  }
}

void write_contract_counts(h5::TableWriter& table, const std::vector<std::string>& dims, const GroupContracts& counts) {
  table.column({"call_open_interest", dims, "call contracts open", "1", ""}, counts.call_open_interest);
  table.column({"put_open_interest", dims, "put contracts open", "1", ""}, counts.put_open_interest);
  table.column({"call_volume", dims, "call contracts traded", "1", ""}, counts.call_volume);
  table.column({"put_volume", dims, "put contracts traded", "1", ""}, counts.put_volume);
}

void write_group_exposures(h5::TableWriter& table, const std::vector<std::string>& dims, const GroupExposures& sums) {
  for (std::size_t g = 0; g < kProfileGreeks.size(); ++g) {
    const std::string greek(name(kProfileGreeks[g]));
    const char* units = h5::kGreekText[static_cast<std::size_t>(kProfileGreeks[g])].surface_units;
    std::vector<double> net(sums.call[g].size());
    for (std::size_t i = 0; i < net.size(); ++i) net[i] = sums.call[g][i] + sums.put[g][i];
    table.column({greek + "_call", dims, greek + " exposure of calls", units, ""}, sums.call[g]);
    table.column({greek + "_put", dims, greek + " exposure of puts", units, ""}, sums.put[g]);
    table.column({greek + "_net", dims, greek + " exposure of calls and puts", units, ""}, net);
    table.column({greek + "_gross", dims, "sum of the magnitudes of the contracts' " + greek + " exposures", units, ""},
                 sums.gross[g]);
  }
}

/// The rows' own identity again, so that the table can be read alone.
void write_expiry_names(h5::TableWriter& table, const NightHeader& header, const Snapshot& snapshot) {
  const std::vector<std::string> dims = {"expiry"};
  table.row_numbers("expiry", snapshot.expiries());
  table.column({"ticker", dims, "underlying symbol", "", ""}, column_of(snapshot.expiry_ticker, [&](std::int32_t u) {
                 return header.ticker.at(static_cast<std::size_t>(u));
               }));
  table.column({"root", dims, "option root", "", ""}, snapshot.root);
  table.column({"settlement", dims, "settlement instant", kTimeUnits, ""}, snapshot.settlement);
}

void write_strike_names(h5::TableWriter& table, const NightHeader& header, const NightTables& tables) {
  const std::vector<std::string> ticker = {"ticker"};
  table.row_numbers("strike_row", tables.profile.strike.size());
  table.column({"ticker", ticker, "underlying symbol", "", ""}, header.ticker);
  table.column({"strike_begin", ticker, "first row of the ticker", "1", ""}, tables.strike_begin);
  table.column({"strike_count", ticker, "number of rows of the ticker", "1", ""}, tables.strike_count);
  table.column({"strike", {"strike_row"}, "strike", "USD", ""}, tables.profile.strike);
}

void write_profile(hid_t root, const NightHeader& header, const NightTables& tables) {
  const h5::Handle parent = h5::create_group(root, "profile");
  const Profile& profile = tables.profile;
  if (const auto group = table_group(parent.get(), "strike", profile.strike.size())) {
    h5::TableWriter table(group->get());
    write_strike_names(table, header, tables);
    table.column({"position", {"position"}, "position model", "", ""}, header.position);
    write_contract_counts(table, {"strike_row"}, profile.by_strike_count);
    write_group_exposures(table, {"strike_row", "position"}, profile.by_strike);
  }
  if (const auto group = table_group(parent.get(), "expiry", tables.snapshot->expiries())) {
    h5::TableWriter table(group->get());
    const std::vector<std::string> dims = {"expiry"}, by_position = {"expiry", "position"};
    write_expiry_names(table, header, *tables.snapshot);
    table.column({"position", {"position"}, "position model", "", ""}, header.position);
    write_contract_counts(table, dims, profile.by_expiry_count);
    write_level(table,
                {"max_pain", dims, "strike of the expiry at which its contracts would be worth least", "USD", ""},
                profile.max_pain, false);
    write_level(table, {"put_call_ratio_open_interest", dims, "put over call contracts open", "1", ""},
                profile.put_call_ratio_open_interest, false);
    write_level(table, {"put_call_ratio_volume", dims, "put over call contracts traded", "1", ""},
                profile.put_call_ratio_volume, false);
    write_group_exposures(table, by_position, profile.by_expiry);
    table.column({"dx_without", by_position, "delta exposure of the book without this expiry", "shares", ""},
                 profile.dx_without);
    table.column({"gx_without", by_position, "gamma exposure of the book without this expiry", "shares USD-1", ""},
                 profile.gx_without);
    table.column({"dx_after", by_position, "delta exposure of what settles later than this expiry", "shares", ""},
                 profile.dx_after);
    table.column({"gx_after", by_position, "gamma exposure of what settles later than this expiry", "shares USD-1", ""},
                 profile.gx_after);
  }
  const h5::Handle group = h5::create_group(parent.get(), "bucket");
  h5::TableWriter table(group.get());
  const std::vector<std::string> dims = {"ticker", "bucket"};
  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  std::vector<std::string> buckets;
  std::vector<Instant> ends(header.buckets.end.begin(), header.buckets.end.end());
  for (std::size_t b = 0; b < kBuckets; ++b) buckets.emplace_back(name(static_cast<ExpiryBucket>(b)));
  const std::vector<Instant>& settlements = tables.snapshot->settlement;
  const auto last = std::max_element(settlements.begin(), settlements.end());
  ends.push_back(last == settlements.end() ? ends.back() : std::max(ends.back(), *last));
  table.column({"bucket", {"bucket"}, "settlement up to bucket_end, after the bucket before", "", ""}, buckets);
  table.column({"bucket_end",
                {"bucket"},
                "last instant of the bucket; of the last the last settlement of the file",
                kTimeUnits,
                ""},
               ends);
  write_contract_counts(table, dims, profile.by_bucket_count);
  // In memory (ticker, bucket, position).
  GroupExposures turned = profile.by_bucket;
  const std::size_t positions = header.position.size();
  for (auto* part : {&turned.call, &turned.put, &turned.gross}) {
    for (std::vector<double>& column : *part) {
      const std::vector<double> from = column;
      for (std::size_t u = 0; u < header.ticker.size(); ++u) {
        for (std::size_t b = 0; b < kBuckets; ++b) {
          for (std::size_t w = 0; w < positions; ++w) {
            column[(u * positions + w) * kBuckets + b] = from[(u * kBuckets + b) * positions + w];
          }
        }
      }
    }
  }
  write_group_exposures(table, {"ticker", "position", "bucket"}, turned);
}

void write_attribution(hid_t root, const NightHeader& header, const NightTables& tables) {
  const std::size_t moves = header.moves.size();
  const h5::Handle parent = h5::create_group(root, "attribution");
  const auto write = [&](const char* dim, const std::vector<double>& terms, auto names) {
    const std::size_t rows = moves == 0 ? 0 : terms.size() / (moves * kAttributionTerms * header.position.size());
    const auto group = table_group(parent.get(), dim == std::string("expiry") ? "expiry" : "strike", rows);
    if (!group) return;
    h5::TableWriter table(group->get());
    names(table);
    table.column({"position", {"position"}, "position model", "", ""}, header.position);
    table.column({"move", {"move"}, "name of the move", "", ""},
                 column_of(header.moves, [](auto& move) { return move.name; }));
    table.column({"expected_moves", {"move"}, "log return of spot in expected moves to the next close", "1", ""},
                 column_of(header.moves, [](auto& move) { return move.expected_moves; }));
    table.column({"iv_shift", {"move"}, "shift of implied volatility", "vol", ""},
                 column_of(header.moves, [](auto& move) { return move.iv_shift; }));
    table.column({"time", {"move"}, "instant that the move ends at", kTimeUnits, ""}, header.move_time);
    constexpr const char* kMeanings[kAttributionTerms] = {
        "change of delta exposure over the move",
        "change by spot alone",
        "change by volatility alone",
        "change by time alone, settlements included",
        "change by spot and volatility together beyond the two alone",
        "change by spot and time together beyond the two alone",
        "change by volatility and time together beyond the two alone",
        "total less all others: what only the three together do",
    };
    for (std::size_t term = 0; term < kAttributionTerms; ++term) {
      std::vector<double> values;
      for (std::size_t i = term; i < terms.size(); i += kAttributionTerms) values.push_back(terms[i]);
      table.column({std::string(name(static_cast<AttributionTerm>(term))),
                    {dim, "position", "move"},
                    kMeanings[term],
                    "shares",
                    ""},
                   values);
    }
  };
  write("expiry", tables.attribution.by_expiry,
        [&](h5::TableWriter& table) { write_expiry_names(table, header, *tables.snapshot); });
  write("strike_row", tables.attribution.by_strike,
        [&](h5::TableWriter& table) { write_strike_names(table, header, tables); });
}

const std::vector<std::string> kSessionDims = {"ticker", "position", "expiries", "time", "spot_step"};

/// The coordinates of /intraday.
void write_session_axes(h5::TableWriter& table, const NightHeader& header) {
  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  std::vector<std::string> scopes;
  for (std::size_t s = 0; s < kScopes; ++s) scopes.emplace_back(name(static_cast<ExpiryScope>(s)));
  table.column({"expiries", {"expiries"}, "all, or those that settle by the close of the session", "", ""}, scopes);
  table.column({"time", {"time"}, "instant of the session, to its close", kTimeUnits, ""}, header.intraday.time);
  table.column({"spot_step", {"spot_step"}, "log return of spot in expected moves", "1", ""},
               header.intraday.spot_step);
  std::vector<double> spot;
  for (std::size_t u = 0; u < header.ticker.size(); ++u) {
    for (const double step : header.intraday.spot_step) {
      spot.push_back(header.spot_reference[u] * std::exp(step * header.expected_move[u]));
    }
  }
  table.column({"spot_reference", {"ticker"}, "price of the underlying at quote_time", "USD", ""},
               header.spot_reference);
  table.column({"expected_move", {"ticker"}, "log return of one spot_step", "1", ""}, header.expected_move);
  table.column({"gamma_move", {"ticker"}, "move of spot that gamma_heatmap is stated for", "USD", ""},
               header.gamma_move);
  table.column({"spot", {"ticker", "spot_step"}, "price of the underlying in the scenario", "USD", ""}, spot);
  std::vector<std::string> futures;
  std::vector<double> multiplier;
  for (const std::string& ticker : header.ticker) {
    const auto hedge = index_futures(ticker);
    futures.emplace_back(hedge ? hedge->contract : "");
    multiplier.push_back(hedge ? hedge->multiplier : std::numeric_limits<double>::quiet_NaN());
  }
  table.column({"futures", {"ticker"}, "futures contract that hedges the book; empty where there is none", "", ""},
               futures);
  table.column({"futures_multiplier", {"ticker"}, "shares of the underlying per futures contract", "shares", ""},
               multiplier);
}

h5::Handle create_session_surface(hid_t group, h5::TableWriter& table, std::size_t index) {
  const h5::SessionText& text = h5::kSessionText[index];
  const Column column = {text.name, kSessionDims, text.meaning, text.units, ""};
  const std::string what = std::string("create intraday ") + text.name;
  std::vector<hsize_t> dims;
  for (const std::string& dim : kSessionDims) dims.push_back(table.length(dim));
  const h5::Handle creation = h5::dataset_properties(h5::Type::kFloat32, true, {1, 1, 1, dims[3], dims[4]});
  const h5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  h5::Handle dataset(H5Dcreate2(group, text.name, h5::file_type(h5::Type::kFloat32), space.get(), H5P_DEFAULT,
                                creation.get(), H5P_DEFAULT),
                     H5Dclose, what);
  table.describe(dataset.get(), column, h5::Type::kFloat32);
  h5::write_attribute(dataset.get(), "coordinates", std::string("spot spot_reference"));
  return dataset;
}

/// What is known of a session when the last ticker is done: the paths.
void write_paths(h5::TableWriter& table, const NightTables& tables) {
  const std::vector<std::string> dims = {"ticker", "position", "time"};
  const auto numbers = [&](const char* name, const char* meaning, std::vector<double> LeastResistancePath::*member) {
    std::vector<double> values;
    for (const LeastResistancePath& path : tables.path) {
      values.insert(values.end(), (path.*member).begin(), (path.*member).end());
    }
    table.column({name, dims, meaning, "USD", ""}, values);
  };
  numbers("path_spot", "path of least resistance: spot where dx is that of spot_reference at quote_time",
          &LeastResistancePath::spot);
  numbers("path_low", "nearest spot below the path where dx is path_half_band away", &LeastResistancePath::band_low);
  numbers("path_high", "nearest spot above the path where dx is path_half_band away", &LeastResistancePath::band_high);
  std::vector<PathStatus> status;
  for (const LeastResistancePath& path : tables.path) {
    status.insert(status.end(), path.status.begin(), path.status.end());
  }
  table.column({"path_status", dims, "what the path is at the instant", "", h5::kPathStatusMeanings}, status);
  table.column({"path_half_band",
                {"ticker", "position"},
                "1 per cent of the average daily volume, or where unknown of the gross delta exposure",
                "shares",
                ""},
               tables.half_band);
}

void write_lines(hid_t root, const NightHeader& header, const std::vector<LineRow>& rows) {
  const auto group = table_group(root, "line", rows.size());
  if (!group) return;
  const std::vector<std::string> dims = {"line"}, points = {"point"};
  h5::TableWriter table(group->get());
  std::vector<std::int64_t> begin, count;
  std::vector<Instant> time;
  std::vector<double> spot, ridge, gamma_slope, charm_slope, gamma_prominence, charm_prominence;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto only = [nan](bool holds, double value) { return holds ? value : nan; };
  for (const LineRow& row : rows) {
    begin.push_back(static_cast<std::int64_t>(time.size()));
    count.push_back(static_cast<std::int64_t>(row.line.point.size()));
    const bool charm = row.line.kind == LineKind::kZeroCharm, zero_gamma = row.line.kind == LineKind::kZeroGamma;
    for (const LinePoint& point : row.line.point) {
      time.push_back(header.intraday.time.at(static_cast<std::size_t>(point.time)));
      spot.push_back(point.spot);
      ridge.push_back(only(!charm && !zero_gamma, point.value));
      gamma_slope.push_back(only(zero_gamma, point.value));
      charm_slope.push_back(only(charm, point.value));
      gamma_prominence.push_back(only(!charm, point.strength));
      charm_prominence.push_back(only(charm, point.strength));
    }
  }
  write_who(table, dims, rows);
  table.row_numbers("point", time.size());
  table.column({"expiries", dims, "which expiries the surface sums", "", "all 0dte"},
               column_of(rows, [](auto& row) { return row.scope; }));
  table.column({"kind", dims, "what the line follows", "", h5::kLineKindMeanings},
               column_of(rows, [](auto& row) { return row.line.kind; }));
  table.column({"point_begin", dims, "first point of the line", "1", ""}, begin);
  table.column({"point_count", dims, "points of the line", "1", ""}, count);
  table.column({"time", points, "instant of the session", kTimeUnits, ""}, time);
  table.column({"spot", points, "spot of the line at the instant", "USD", ""}, spot);
  table.column({"ridge_gamma", points, "gamma exposure on a ridge", "shares USD-1", ""}, ridge);
  table.column({"zero_gamma_slope", points, "slope of gamma exposure along spot on its contour", "shares USD-2", ""},
               gamma_slope);
  table.column({"zero_charm_slope", points, "slope of charm exposure along spot on its contour",
                "shares USD-1 common_year-1", ""},
               charm_slope);
  table.column({"gamma_prominence", points, "prominence of a ridge or of a change of sign of gamma exposure",
                "shares USD-1", ""},
               gamma_prominence);
  table.column(
      {"charm_prominence", points, "prominence of a change of sign of charm exposure", "shares common_year-1", ""},
      charm_prominence);
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
  if (!tables.previous.name.empty()) {
    h5::write_attribute(group.get(), "previous_name", tables.previous.name);
    h5::write_attribute(group.get(), "previous_sha256", tables.previous.sha256);
  }
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
  require(snapshot.volume.size() == snapshot.contracts(), "volume is not (contract)");
  for (const LevelRow& row : tables.level) {
    for (std::size_t k = 0; k < kLevelCount; ++k) {
      require(!row.level[k].ok() || std::isfinite(row.level[k].value),
              std::string(kLevelTexts[k].name) + " of " + row.ticker + " " + row.position + " is ok but no number");
    }
  }
  const std::size_t positions = header.position.size(), strikes = tables.profile.strike.size();
  const Profile& profile = tables.profile;
  require(tables.strike_begin.size() == header.ticker.size() && tables.strike_count.size() == header.ticker.size(),
          "strike_begin or strike_count is not (ticker)");
  require(
      profile.by_strike_count.call_volume.size() == strikes && profile.by_strike.gross[0].size() == strikes * positions,
      "the profile by strike has another size than its strikes");
  require(profile.by_expiry_count.call_volume.size() == snapshot.expiries() &&
              profile.gx_after.size() == snapshot.expiries() * positions,
          "the profile by expiry is not (expiry, position)");
  require(profile.by_bucket.gross[0].size() == header.ticker.size() * kBuckets * positions,
          "the profile by bucket is not (ticker, bucket, position)");
  const std::size_t terms = positions * header.moves.size() * kAttributionTerms;
  require(tables.attribution.by_expiry.size() == snapshot.expiries() * terms &&
              tables.attribution.by_strike.size() == strikes * terms,
          "the attribution is not (row, position, move, term)");
  require(tables.outlook.size() == header.ticker.size(), "the outlook is not (ticker)");
  const std::size_t sessions = header.intraday.time.empty() ? 0 : header.ticker.size() * positions;
  require(tables.path.size() == sessions && tables.half_band.size() == sessions, "paths are not (ticker, position)");
  for (const LeastResistancePath& path : tables.path) {
    require(path.spot.size() == header.intraday.time.size() && path.band_low.size() == path.spot.size() &&
                path.band_high.size() == path.spot.size() && path.status.size() == path.spot.size(),
            "a path is not (time)");
  }
}

}  // namespace

struct NightWriter::Impl {
  NightHeader header;
  std::string given;  // as the caller spells it, for messages
  PendingFile pending;
  h5::Handle file, root;
  std::vector<h5::Handle> surface;
  h5::Handle session_group;  // /intraday, where the session is stored
  std::optional<h5::TableWriter> session_table;
  std::vector<h5::Handle> session_surface;
  h5::StepDatasets steps;

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
    close_datasets();
    root = {};
    file = {};
  }

  void close_datasets() {
    surface.clear();
    session_surface.clear();
    steps.close();
    session_table.reset();
    session_group = {};
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
    steps.create(root.get(), header);
    if (header.intraday.time.empty()) {
      table_group(root.get(), "intraday", 0);
      return;
    }
    session_group = h5::create_group(root.get(), "intraday");
    session_table.emplace(session_group.get());
    write_session_axes(*session_table, header);
    for (std::size_t s = 0; s < kIntradaySurfaces; ++s) {
      session_surface.push_back(create_session_surface(session_group.get(), *session_table, s));
    }
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
    // The third dimension is the rule, or the session's expiries.
    const auto write = [&](const std::vector<h5::Handle>& datasets, hsize_t third) {
      for (const h5::Handle& dataset : datasets) {
        for (hsize_t position = 0; position < header.position.size(); ++position) {
          for (hsize_t k = 0; k < third; ++k, ++at) {
            const hsize_t offset[6] = {static_cast<hsize_t>(ticker), position, k, 0, 0, 0};
            const std::vector<std::uint8_t>& chunk = chunks.surface[at];
            h5::check(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, offset, chunk.size(), chunk.data()),
                      "write the surfaces of " + header.ticker[static_cast<std::size_t>(ticker)]);
            bytes += chunk.size();
          }
        }
      }
    };
    write(surface, header.iv_rule.size());
    write(session_surface, kScopes);
    for (const h5::EncodedChunk& chunk : chunks.step) {
      h5::check(H5Dwrite_chunk(steps.dataset(chunk.dataset), H5P_DEFAULT, 0, chunk.offset.data(), chunk.bytes.size(),
                               chunk.bytes.data()),
                "write the hypothetical closes of " + header.ticker[static_cast<std::size_t>(ticker)]);
      bytes += chunk.bytes.size();
    }
    return bytes;
  }

  Chunks encode(std::int64_t ticker, std::span<const double> cells, std::span<const double> session,
                const TickerSteps* step) const {
    Chunks chunks;
    encode(chunks.surface, cells, header.chunk_cells(), header.keep_bits,
           [&](std::size_t chunk, std::size_t cell, double value) { refuse_cell(ticker, chunk, cell, value); });
    encode(chunks.surface, session, header.session_cells(), 0, [&](std::size_t chunk, std::size_t, double value) {
      fail(std::string("intraday ") + h5::kSessionText[chunk / kScopes / header.position.size()].name + " of " +
           header.ticker[static_cast<std::size_t>(ticker)] + " holds " + std::to_string(value) +
           ": float32 cannot hold it");
    });
    if (step != nullptr) {
      chunks.step = steps.encode(static_cast<std::size_t>(ticker), *step, header, [&](const std::string& what) {
        fail(what + " of " + header.ticker[static_cast<std::size_t>(ticker)] + ": float32 cannot hold it");
      });
    }
    return chunks;
  }

  template <class Refuse>
  static void encode(std::vector<std::vector<std::uint8_t>>& chunks, std::span<const double> cells,
                     std::size_t chunk_cells, int keep_bits, Refuse refuse) {
    thread_local h5::ChunkEncoder encoder;
    std::vector<std::uint32_t> bits(chunk_cells);
    for (std::size_t begin = 0; begin < cells.size(); begin += chunk_cells) {
      const std::span<const double> from = cells.subspan(begin, chunk_cells);
      const std::ptrdiff_t refused = h5::to_float32(from, keep_bits, bits);
      if (refused >= 0) {
        const auto cell = static_cast<std::size_t>(refused);
        refuse(begin / chunk_cells, cell, from[cell]);
      }
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(bits.data());
      chunks.push_back(encoder.encode({bytes, chunk_cells * sizeof(float)}, sizeof(float)));
    }
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

void NightWriter::write_surfaces(std::int64_t ticker, std::span<const double> cells, std::span<const double> session,
                                 const TickerSteps* steps) {
  const NightHeader& header = impl_->header;
  const std::size_t chunk_cells = header.chunk_cells();
  const std::size_t count = header.surfaces() * header.position.size() * header.iv_rule.size();
  const std::size_t session_count = kIntradaySurfaces * header.position.size() * kScopes;
  if (ticker < 0 || static_cast<std::size_t>(ticker) >= header.ticker.size() || cells.size() != count * chunk_cells ||
      session.size() != session_count * header.session_cells()) {
    impl_->fail("ticker " + std::to_string(ticker) + " with " + std::to_string(cells.size()) + " and " +
                std::to_string(session.size()) + " cells does not fit the header");
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
    chunks = impl_->encode(ticker, cells, session, steps);
  } catch (...) {
    const std::lock_guard lock(impl_->mutex);
    impl_->submitted[static_cast<std::size_t>(ticker)] = false;
    throw;
  }
  const double seconds = seconds_since(begin);
  const std::size_t bytes = chunks.bytes();
  std::size_t step_bytes = 0;
  for (const h5::EncodedChunk& chunk : chunks.step) step_bytes += chunk.raw_bytes;

  std::unique_lock lock(impl_->mutex);
  impl_->statistics.bytes_raw += (cells.size() + session.size()) * sizeof(float) + step_bytes;
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
    write_ladder(root, tables.ladder);
    write_profile(root, impl_->header, tables);
    write_attribution(root, impl_->header, tables);
    if (impl_->session_table) write_paths(*impl_->session_table, tables);
    write_lines(root, impl_->header, tables.line);
    h5::write_outlooks(root, impl_->header, tables.outlook);
    impl_->steps.finish(impl_->header, tables.outlook);
    write_quality(root, tables.snapshot->quality);
    write_run(root, tables);
    impl_->close_datasets();
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

#include "night_tables.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>

#include "greekgrid/host/hedge.hpp"
#include "night_forecasts.hpp"
#include "night_schema.hpp"
#include "shared_values.hpp"

namespace greekgrid {
namespace {

using h5::Column;
using h5::kTimeUnits;

void require(bool holds, const std::string& problem) {
  if (!holds) throw h5::Error(problem);
}

/// One member of every row as a column.
template <class Row, class Get>
auto column_of(const std::vector<Row>& rows, Get get) {
  std::vector<std::decay_t<decltype(get(rows[0]))>> values;
  values.reserve(rows.size());
  for (const Row& row : rows) values.push_back(get(row));
  return values;
}

void record_expiries(h5::TickerColumns& out, const NightHeader& header, const Snapshot& snapshot) {
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
  h5::TableRecorder table(out, "expiry", "expiry", snapshot.expiries());
  table.row_numbers("expiry", snapshot.expiries());
  table.column({"expiry_ticker", dims, "index into the root's ticker", "1", "", "ticker"}, snapshot.expiry_ticker);
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

void record_volatility(h5::TickerColumns& out, const NightHeader& header, const Snapshot& snapshot) {
  const std::vector<TickerVolatility>& rows = snapshot.volatility;
  const std::vector<std::string> dims = {"ticker"};
  h5::TableRecorder table(out, "volatility", "ticker", rows.size());
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

void record_contracts(h5::TickerColumns& out, const NightHeader& header, const NightTables& tables) {
  const Snapshot& snapshot = *tables.snapshot;
  const std::size_t n = snapshot.contracts(), tickers = header.ticker.size();
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
  h5::TableRecorder table(out, "contract", "contract", n);
  table.row_numbers("contract", n);
  table.column({"ticker", ticker, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  table.column({"contract_begin", ticker, "first contract of the ticker", "1", "", "contract"}, begin);
  table.column({"contract_count", ticker, "number of contracts of the ticker", "1", ""}, count);
  table.column({"contract_expiry", dims, "index into /expiry", "1", "", "expiry"}, snapshot.contract_expiry);
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
void record_level(h5::TableRecorder& table, const Column& column, const std::vector<Level>& levels, bool with_status) {
  table.column(column, column_of(levels, [](const Level& level) {
                 return level.ok() ? level.value : std::numeric_limits<double>::quiet_NaN();
               }));
  if (!with_status) return;
  table.column({column.name + "_status", column.dims, "why there is none", "", h5::kLevelStatusMeanings},
               column_of(levels, [](const Level& level) { return level.status; }));
}

template <class Row>
void record_who(h5::TableRecorder& table, const std::vector<std::string>& dims, const std::vector<Row>& rows) {
  table.row_numbers(dims.front(), rows.size());
  table.column({"ticker", dims, "underlying symbol", "", ""}, column_of(rows, [](auto& row) { return row.ticker; }));
  table.column({"position", dims, "position model", "", ""}, column_of(rows, [](auto& row) { return row.position; }));
}

void record_levels(h5::TickerColumns& out, const std::vector<LevelRow>& rows) {
  const std::vector<std::string> dims = {"row"};
  h5::TableRecorder table(out, "levels", "row", rows.size());
  record_who(table, dims, rows);
  for (std::size_t k = 0; k < kLevelCount; ++k) {
    const LevelText& text = kLevelTexts[k];
    record_level(table, {std::string(text.name), dims, std::string(text.meaning), std::string(text.units), ""},
                 column_of(rows, [k](auto& row) { return row.level[k]; }), has_own_status(static_cast<LevelName>(k)));
  }
}

void record_crossings(h5::TickerColumns& out, const std::vector<CrossingRow>& rows) {
  const std::vector<std::string> dims = {"row"};
  h5::TableRecorder table(out, "crossing", "row", rows.size());
  record_who(table, dims, rows);
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

void record_ladder(h5::TickerColumns& out, const std::vector<LadderRow>& rows) {
  const std::vector<std::string> dims = {"row"};
  h5::TableRecorder table(out, "ladder", "row", rows.size());
  record_who(table, dims, rows);
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

void record_contract_counts(h5::TableRecorder& table, const std::vector<std::string>& dims,
                            const GroupContracts& counts) {
  table.column({"call_open_interest", dims, "call contracts open", "1", ""}, counts.call_open_interest);
  table.column({"put_open_interest", dims, "put contracts open", "1", ""}, counts.put_open_interest);
  table.column({"call_volume", dims, "call contracts traded", "1", ""}, counts.call_volume);
  table.column({"put_volume", dims, "put contracts traded", "1", ""}, counts.put_volume);
}

void record_group_exposures(h5::TableRecorder& table, const std::vector<std::string>& dims,
                            const GroupExposures& sums) {
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
void record_expiry_names(h5::TableRecorder& table, const NightHeader& header, const Snapshot& snapshot) {
  const std::vector<std::string> dims = {"expiry"};
  table.row_numbers("expiry", snapshot.expiries());
  table.column({"ticker", dims, "underlying symbol", "", ""}, column_of(snapshot.expiry_ticker, [&](std::int32_t u) {
                 return header.ticker.at(static_cast<std::size_t>(u));
               }));
  table.column({"root", dims, "option root", "", ""}, snapshot.root);
  table.column({"settlement", dims, "settlement instant", kTimeUnits, ""}, snapshot.settlement);
}

void record_strike_names(h5::TableRecorder& table, const NightHeader& header, const NightTables& tables) {
  const std::vector<std::string> ticker = {"ticker"};
  table.row_numbers("strike_row", tables.profile.strike.size());
  table.column({"ticker", ticker, "underlying symbol", "", ""}, header.ticker);
  table.column({"strike_begin", ticker, "first row of the ticker", "1", "", "strike_row"}, tables.strike_begin);
  table.column({"strike_count", ticker, "number of rows of the ticker", "1", ""}, tables.strike_count);
  table.column({"strike", {"strike_row"}, "strike", "USD", ""}, tables.profile.strike);
}

void record_profile(h5::TickerColumns& out, const NightHeader& header, const NightTables& tables) {
  const Profile& profile = tables.profile;
  {
    h5::TableRecorder table(out, "profile/strike", "strike_row", profile.strike.size());
    record_strike_names(table, header, tables);
    table.column({"position", {"position"}, "position model", "", ""}, header.position);
    record_contract_counts(table, {"strike_row"}, profile.by_strike_count);
    record_group_exposures(table, {"strike_row", "position"}, profile.by_strike);
  }
  {
    h5::TableRecorder table(out, "profile/expiry", "expiry", tables.snapshot->expiries());
    const std::vector<std::string> dims = {"expiry"}, by_position = {"expiry", "position"};
    record_expiry_names(table, header, *tables.snapshot);
    table.column({"position", {"position"}, "position model", "", ""}, header.position);
    record_contract_counts(table, dims, profile.by_expiry_count);
    record_level(table,
                 {"max_pain", dims, "strike of the expiry at which its contracts would be worth least", "USD", ""},
                 profile.max_pain, false);
    record_level(table, {"put_call_ratio_open_interest", dims, "put over call contracts open", "1", ""},
                 profile.put_call_ratio_open_interest, false);
    record_level(table, {"put_call_ratio_volume", dims, "put over call contracts traded", "1", ""},
                 profile.put_call_ratio_volume, false);
    record_group_exposures(table, by_position, profile.by_expiry);
    table.column({"dx_without", by_position, "delta exposure of the book without this expiry", "shares", ""},
                 profile.dx_without);
    table.column({"gx_without", by_position, "gamma exposure of the book without this expiry", "shares USD-1", ""},
                 profile.gx_without);
    table.column({"dx_after", by_position, "delta exposure of what settles later than this expiry", "shares", ""},
                 profile.dx_after);
    table.column({"gx_after", by_position, "gamma exposure of what settles later than this expiry", "shares USD-1", ""},
                 profile.gx_after);
  }
  h5::TableRecorder table(out, "profile/bucket", "ticker", header.ticker.size());
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
                "",
                "",
                true},
               ends);
  record_contract_counts(table, dims, profile.by_bucket_count);
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
  record_group_exposures(table, {"ticker", "position", "bucket"}, turned);
}

void record_attribution(h5::TickerColumns& out, const NightHeader& header, const NightTables& tables) {
  const std::size_t moves = header.moves.size();
  const auto write = [&](const char* dim, const std::vector<double>& terms, auto names) {
    const std::size_t rows = moves == 0 ? 0 : terms.size() / (moves * kAttributionTerms * header.position.size());
    h5::TableRecorder table(out, dim == std::string("expiry") ? "attribution/expiry" : "attribution/strike", dim, rows);
    if (moves == 0) return;
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
        [&](h5::TableRecorder& table) { record_expiry_names(table, header, *tables.snapshot); });
  write("strike_row", tables.attribution.by_strike,
        [&](h5::TableRecorder& table) { record_strike_names(table, header, tables); });
}

/// The paths of a session, beside its surfaces.
void record_paths(h5::TickerColumns& out, const NightTables& tables) {
  h5::TableRecorder table(out, "intraday", "ticker", 1);
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

void record_lines(h5::TickerColumns& out, const NightHeader& header, const std::vector<LineRow>& rows) {
  const std::vector<std::string> dims = {"line"}, points = {"point"};
  h5::TableRecorder table(out, "line", "line", rows.size());
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
  record_who(table, dims, rows);
  table.row_numbers("point", time.size());
  table.column({"expiries", dims, "which expiries the surface sums", "", "all 0dte"},
               column_of(rows, [](auto& row) { return row.scope; }));
  table.column({"kind", dims, "what the line follows", "", h5::kLineKindMeanings},
               column_of(rows, [](auto& row) { return row.line.kind; }));
  table.column({"point_begin", dims, "first point of the line", "1", "", "point"}, begin);
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

void record_quality(h5::TickerColumns& out, const std::vector<TickerQuality>& rows) {
  const std::vector<std::string> dims = {"ticker"};
  h5::TableRecorder table(out, "quality", "ticker", rows.size());
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

void require_distinct(const std::vector<std::string>& names, const std::string& what) {
  require(!names.empty(), "there is no " + what);
  require(std::set<std::string>(names.begin(), names.end()).size() == names.size(), what + " names are not distinct");
}

}  // namespace

namespace h5 {

void validate_axes(const NightHeader& header) {
  require_distinct(header.position, "position");
  require_distinct(header.iv_rule, "iv_rule");
  require(header.iv_rule_parameter.size() == header.iv_rule.size(), "iv_rule_parameter and iv_rule differ in length");
  require(!header.time.empty() && header.time.front() == header.quote_time, "time[0] is not quote_time");
  require(std::adjacent_find(header.time.begin(), header.time.end(), std::greater_equal<>()) == header.time.end(),
          "time does not increase");
  require(is_instant(header.time.front()) && is_instant(header.time.back()) && is_instant(header.file_time),
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
  const std::vector<Instant>& session = header.intraday.time;
  require(std::adjacent_find(session.begin(), session.end(), std::greater_equal<>()) == session.end(),
          "the session's time does not increase");
  require(session.empty() == header.intraday.spot_step.empty(), "the session has one of its axes only");
  require(header.move_time.size() == header.moves.size(), "moves and their instants differ in number");
}

std::vector<std::string> surface_names(const NightHeader& header) {
  std::vector<std::string> names;
  for (const Greek greek : kAllGreeks) {
    if (header.greeks.contains(greek)) names.emplace_back(kGreekText[static_cast<std::size_t>(greek)].surface);
  }
  if (header.delta_change) names.emplace_back(kDeltaChange);
  return names;
}

TickerColumns record_tables(const NightHeader& header, const NightTables& tables) {
  validate(header, tables);
  TickerColumns out;
  record_expiries(out, header, *tables.snapshot);
  record_volatility(out, header, *tables.snapshot);
  record_contracts(out, header, tables);
  record_levels(out, tables.level);
  record_crossings(out, tables.crossing);
  record_ladder(out, tables.ladder);
  record_profile(out, header, tables);
  record_attribution(out, header, tables);
  if (!header.intraday.time.empty()) record_paths(out, tables);
  record_lines(out, header, tables.line);
  record_outlooks(out, header, tables.outlook);
  record_extremes(out, header, tables.outlook);
  return out;
}

TickerColumns record_quality(const std::vector<TickerQuality>& rows) {
  TickerColumns out;
  greekgrid::record_quality(out, rows);
  return out;
}

}  // namespace h5
}  // namespace greekgrid

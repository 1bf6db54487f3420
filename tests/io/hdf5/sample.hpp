#pragma once

/// @file
/// Small chains and nights whose every number follows from its index, so that a Python script can recompute them.

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/host/night_result.hpp"

namespace greekgrid::test {

inline constexpr Instant kQuoteTime = 1694721600;  // 2023-09-14T20:00:00Z

/// A number that looks random, is exact in float32 and differs between neighbours; check_schema.py computes the same.
inline double scramble(std::uint64_t index) {
  const auto bits = static_cast<std::uint32_t>((index * 2654435761ULL) >> 8U) & 0xffffU;
  return (static_cast<double>(bits) - 32768.0) / 64.0;
}

/// Tickers of two roots each (AM and PM settled on one day) and `strikes` strikes, calls and puts.
inline OptionChain sample_chain(std::size_t tickers, std::size_t strikes) {
  OptionChain chain;
  chain.quote_time = kQuoteTime;
  chain.file_time = kQuoteTime + 900;
  chain.open_interest_settle_date = "2023-09-13";
  chain.source = {{"spx_quotedata.csv", std::string(64, 'a')}, {"d\xc3\xa9j\xc3\xa0 vu.csv", std::string(64, '0')}};
  for (std::size_t u = 0; u < tickers; ++u) {
    chain.ticker.push_back("T" + std::to_string(1000 + u));
    chain.spot.push_back(100.0 + static_cast<double>(u));
    chain.contract_begin.push_back(static_cast<std::int64_t>(chain.contracts()));
    for (int root = 0; root < 2; ++root) {
      const auto expiry = static_cast<std::int32_t>(chain.expiries());
      chain.expiry_ticker.push_back(static_cast<std::int32_t>(u));
      chain.root.push_back(chain.ticker.back() + (root == 0 ? "" : "W"));
      chain.settlement.push_back(kQuoteTime + 86400 * 8 + root * 23400);
      chain.exercise.push_back(root == 0 ? Exercise::kEuropean : Exercise::kAmerican);
      chain.style.push_back(root == 0 ? SettlementStyle::kAm : SettlementStyle::kPm);
      for (std::size_t k = 0; k < strikes; ++k) {
        for (const std::int8_t right : {std::int8_t{-1}, std::int8_t{1}}) {
          const std::size_t i = chain.contracts();
          chain.contract_expiry.push_back(expiry);
          chain.strike.push_back(static_cast<double>(80000 + 125 * k) / 1000.0);
          chain.right.push_back(right);
          chain.multiplier.push_back(100.0);
          chain.bid.push_back(std::fabs(scramble(i)));
          chain.ask.push_back(std::fabs(scramble(i)) + 0.05);
          chain.last.push_back(i % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : scramble(i + 7));
          chain.volume.push_back(static_cast<double>(i % 50));
          chain.open_interest.push_back(static_cast<double>(i % 1000));
          chain.vendor_iv.push_back(0.2 + 1e-5 * static_cast<double>(i % 17));
          chain.vendor_delta.push_back(scramble(i + 11) / 512.0);
          chain.vendor_gamma.push_back(1e-3);
        }
      }
    }
    chain.contract_count.push_back(static_cast<std::int64_t>(chain.contracts()) - chain.contract_begin.back());
  }
  chain.rows_in = static_cast<std::int64_t>(chain.contracts());
  return chain;
}

/// The chain of the smallest possible file.
inline OptionChain one_contract_chain() {
  OptionChain chain = sample_chain(1, 1);
  for (auto* column : {&chain.strike, &chain.multiplier, &chain.bid, &chain.ask, &chain.last, &chain.volume,
                       &chain.open_interest, &chain.vendor_iv, &chain.vendor_delta, &chain.vendor_gamma}) {
    column->resize(1);
  }
  chain.contract_expiry.resize(1);
  chain.right.resize(1);
  chain.expiry_ticker.resize(1);
  chain.root.resize(1);
  chain.settlement.resize(1);
  chain.exercise.resize(1);
  chain.style.resize(1);
  chain.contract_count = {1};
  chain.rows_in = 1;
  chain.source.clear();
  return chain;
}

/// A night over a sample chain, with all surfaces.
struct SampleNight {
  NightHeader header;
  Snapshot snapshot;
  NightTables tables;
  NightRunTexts texts;

  explicit SampleNight(const OptionChain& chain, std::size_t spots = 5) {
    header.title = "exposure surfaces of a sample";
    header.quote_time = chain.quote_time;
    header.file_time = chain.file_time;
    header.open_interest_settle_date = chain.open_interest_settle_date;
    header.source = chain.source;
    header.ticker = chain.ticker;
    header.spot_reference = chain.spot;
    header.position = {"naive", "unsigned"};
    header.iv_rule = {"sticky_strike", "relative_beta"};
    header.iv_rule_parameter = {1.0, 10.0};
    header.time = {kQuoteTime, kQuoteTime + 86400, kQuoteTime + 4 * 86400};
    header.time_axis = "sessions";
    header.iv_shift = {-0.02, 0.0, 0.02};
    header.iv_shift_term = "sqrt_time";
    header.iv_shift_term_cap = 3.0;
    header.iv_floor = 0.01;
    const auto half = static_cast<double>(spots / 2);
    for (std::size_t j = 0; j < spots; ++j) header.spot_step.push_back((static_cast<double>(j) - half) / 2.0);
    header.spot_axis = "expected_move";
    header.greeks = GreekSet::all();
    header.delta_change = true;
    for (std::size_t u = 0; u < chain.tickers(); ++u) {
      header.spot_basis.push_back(0.001 * static_cast<double>(u));
      header.spot_scale.push_back(0.01 + 0.001 * static_cast<double>(u));
      header.expected_move.push_back(0.01);
      header.average_daily_volume.push_back(u == 0 ? 1e6 : std::numeric_limits<double>::quiet_NaN());
      header.gamma_move.push_back(0.05);
    }
    header.intraday.time = {kQuoteTime + 63000, kQuoteTime + 63300};
    header.intraday.spot_step = {-1.0, 0.0, 1.0};
    header.moves = {{"down", -1.0, 0.02, 1}};
    header.move_time = {kQuoteTime + 86400};
    header.buckets.end = {kQuoteTime + 86400, kQuoteTime + 8 * 86400, kQuoteTime + 36 * 86400};
    header.outlook.stored = header.outlook.maps = true;
    header.outlook.session = Date{std::chrono::year{2023}, std::chrono::month{9}, std::chrono::day{14}};
    header.outlook.next_close = kQuoteTime + 86400;
    header.outlook.mode = {StepMode::kAppend, StepMode::kReplace};
    header.outlook.close = {-230, 190};
    fill_snapshot(chain);
    fill_tables();
    fill_outlook();
  }

  SampleNight(const SampleNight&) = delete;
  SampleNight& operator=(const SampleNight&) = delete;

  /// The session's surfaces of a ticker.
  std::vector<double> session(std::size_t ticker) const {
    std::vector<double> values(kIntradaySurfaces * header.position.size() * kScopes * header.session_cells());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = scramble(ticker * 1000033 + i);
    return values;
  }

  /// Hypothetical closes and maps of a ticker: every number another, as far as its type has room.
  TickerSteps steps(std::size_t ticker) const {
    TickerSteps out;
    out.sessions = 1000;
    const StepAxis own = ticker % 2 == 0 ? StepAxis{-200, 100} : header.outlook.close;
    std::size_t seed = ticker * 1000033;
    const auto next = [&] { return scramble(seed++); };
    for (const StepMode mode : header.outlook.mode) {
      StepForward step;
      step.mode = mode;
      step.axis = own;
      for (auto* column : {&step.close, &step.mad}) {
        for (std::size_t c = 0; c < own.size(); ++c) column->push_back(next());
      }
      for (std::size_t k = 0; k < kPredictors; ++k) {
        for (std::size_t c = 0; c < own.size(); ++c) step.value[k].push_back(next());
        for (std::size_t c = 0; c < own.size(); ++c) step.z[k].push_back(next());
      }
      step.status.assign(own.size(), CloseStatus::kOk);
      step.status.front() = CloseStatus::kNonpositiveClose;
      for (auto& list : step.forecast) {
        for (std::size_t c = 0; c < own.size(); ++c) {
          Forecast& f = list.emplace_back();
          f.status = c == 1 ? ForecastStatus::kNoPredictors : ForecastStatus::kOk;
          f.set = kPVG;
          f.mean = next();
          f.n_eff = next();
          for (std::size_t k = 0; k < kNeighbours; ++k) f.session[k] = static_cast<std::int32_t>(k + c);
        }
      }
      out.step.push_back(std::move(step));
    }
    const std::size_t cells = header.outlook.mode.size() * header.iv_rule.size() * header.iv_shift.size() * own.size();
    for (std::size_t i = 0; i < kStepQuantities * header.position.size() * cells; ++i) {
      out.table.value.push_back(next());
    }
    for (std::size_t i = 0; i < cells; ++i) out.table.gamma_ratio.push_back(next());
    for (WeatherMaps& maps : out.maps) {
      for (std::vector<float> WeatherMaps::*member :
           {&WeatherMaps::mean, &WeatherMaps::magnitude, &WeatherMaps::mass, &WeatherMaps::n_eff}) {
        for (std::size_t i = 0; i < kPairs.size() * kMapNodes * kMapNodes; ++i) {
          (maps.*member).push_back(static_cast<float>(next()));
        }
      }
    }
    return out;
  }

  /// Surfaces of one ticker in the order that write_surfaces takes.
  std::vector<double> cells(std::size_t ticker) const {
    const std::size_t count = header.surfaces() * header.position.size() * header.iv_rule.size() * header.chunk_cells();
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = scramble(ticker * 1000003 + i);
    return values;
  }

 private:
  void fill_snapshot(const OptionChain& chain) {
    snapshot.quote_time = chain.quote_time;
    snapshot.ticker = chain.ticker;
    snapshot.spot = chain.spot;
    snapshot.spot_basis = header.spot_basis;
    snapshot.contract_begin = chain.contract_begin;
    snapshot.contract_begin.push_back(static_cast<std::int64_t>(chain.contracts()));
    snapshot.expiry_ticker = chain.expiry_ticker;
    snapshot.root = chain.root;
    snapshot.settlement = chain.settlement;
    snapshot.exercise = chain.exercise;
    snapshot.style = chain.style;
    snapshot.rate.assign(chain.expiries(), 0.05);
    snapshot.dividend_yield.assign(chain.expiries(), 0.015);
    snapshot.forward_source.assign(chain.expiries(), ForwardSource::kParity);
    for (std::size_t e = 0; e < chain.expiries(); ++e) {
      const double tau = static_cast<double>(chain.settlement[e] - chain.quote_time) / kSecondsPerYear;
      snapshot.smile.push_back({0.01 * tau, 0.02, -0.4, 0.01, 0.1, tau});
      ExpiryVolatility volatility;
      volatility.kind = SmileKind::kSvi;
      volatility.points = 7;
      volatility.parity = {100.5, 100.25, 100.75, 0.125, 5, 4};
      volatility.atm_iv = 0.2;
      volatility.quantile.fill(99.0);
      snapshot.expiry_volatility.push_back(volatility);
    }
    for (std::size_t u = 0; u < chain.tickers(); ++u) {
      TickerVolatility volatility;
      volatility.iv30 = {0.25, MetricStatus::kOk};
      volatility.variance_index.status = MetricStatus::kNoQuotes;
      snapshot.volatility.push_back(volatility);
    }
    snapshot.quote_status.assign(chain.contracts(), QuoteStatus::kWide);
    snapshot.contract_expiry = chain.contract_expiry;
    snapshot.strike = chain.strike;
    snapshot.right = chain.right;
    snapshot.multiplier = chain.multiplier;
    snapshot.open_interest = chain.open_interest;
    snapshot.volume = chain.volume;
    snapshot.implied_volatility = chain.vendor_iv;
    snapshot.iv_source.assign(chain.contracts(), IvSource::kVendor);
    for (std::size_t i = 0; i < chain.contracts(); ++i) snapshot.chain_row.push_back(static_cast<std::int64_t>(i));
    snapshot.column_position.assign(chain.contracts(), 0.0);
    for (const std::string& ticker : chain.ticker)
      snapshot.quality.push_back({ticker, TickerStatus::kOk, 4, 5, 1, 0, 1.0, 0.75, 0.875, 0.25, 0.1, 1e-4, 0.02, 0.03,
                                  10.0, SpotSource::kVendor, 3});
    TickerQuality absent;
    absent.ticker = "ZZZ";
    absent.status = TickerStatus::kNotInChain;
    snapshot.quality.push_back(absent);
  }

  void fill_outlook() {
    for (std::size_t u = 0; u < header.ticker.size(); ++u) {
      TickerOutlook one;
      one.forecast.symbol = header.ticker[u];
      one.forecast.status = u == 0 ? TickerForecastStatus::kOk : TickerForecastStatus::kInsufficientHistory;
      one.forecast.at.x.fill(0.25);
      one.forecast.at.premium_regime = u == 0 ? std::int8_t{-1} : std::int8_t{2};
      for (int s = 0; s < 100; ++s) one.forecast.date.push_back(kQuoteTime / 86400 * 86400 - (100 - s) * 86400);
      if (u == 0) {
        for (std::size_t h = 0; h < kHorizons.size(); ++h) {
          one.forecast.now[h].status = ForecastStatus::kOk;
          one.forecast.now[h].set = kPVD;
          one.forecast.now[h].mean = 0.5;
          for (std::size_t k = 0; k < kNeighbours; ++k) one.forecast.now[h].session[k] = static_cast<std::int32_t>(k);
          one.forecast.record[h].forecasts = 10;
          one.forecast.record[h].skill = -0.05;
        }
      }
      one.mode.resize(header.outlook.mode.size());
      one.mode[0].extremes[0] = {true, -2.0, 0.5, 20.0, 1.0, -0.5, 21.0};
      one.mode[0].d_held = true;
      tables.outlook.push_back(one);
    }
  }

  void fill_tables() {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const std::string& ticker : header.ticker) {
      for (const std::string& position : header.position) {
        LevelRow row;
        row.ticker = ticker;
        row.position = position;
        row[LevelName::kGammaIndex] = Level::of(1.5);
        row[LevelName::kGammaIndexRatio] = Level::of(0.25);
        row[LevelName::kCallWall] = Level::of(105.0);
        row[LevelName::kPutWall] = Level::of(95.0);
        if (position == "naive") {
          row[LevelName::kZeroGamma] = Level::of(99.5);
          row[LevelName::kZeroGammaSlope] = Level::of(-2.5);
          row[LevelName::kZeroGammaProminence] = Level::of(0.5);
          row[LevelName::kZeroGammaCount] = Level::of(1.0);
          tables.crossing.push_back({ticker, position, CrossingKind::kZeroGamma, 99.5, -2.5, 0.5});
        } else {
          row[LevelName::kZeroGamma] = Level::null(LevelStatus::kNoSignChange);
          row[LevelName::kZeroGammaSlope] = row[LevelName::kZeroGammaProminence] = row[LevelName::kZeroGamma];
        }
        tables.level.push_back(row);
        LadderRow step;
        step.ticker = ticker;
        step.position = position;
        step.time = kQuoteTime;
        tables.ladder.push_back(step);
        LeastResistancePath path;
        path.spot = path.band_low = path.band_high = {100.0, nan};
        path.gamma = {1.0, nan};
        path.status = {PathStatus::kOk, PathStatus::kLeftGrid};
        tables.path.push_back(path);
        tables.half_band.push_back(1e4);
        LineRow line;
        line.ticker = ticker;
        line.position = position;
        line.line = {LineKind::kZeroGamma, {{0, 100.0, 2.0, 1.0}, {1, 100.5, 2.0, 1.0}}, 1.0};
        tables.line.push_back(line);
      }
    }
    tables.snapshot = &snapshot;
    const std::size_t models = header.position.size(), strikes = 2 * header.ticker.size();
    Profile& profile = tables.profile;
    for (std::size_t u = 0; u < header.ticker.size(); ++u) {
      tables.strike_begin.push_back(static_cast<std::int64_t>(2 * u));
      tables.strike_count.push_back(2);
      profile.strike.insert(profile.strike.end(), {95.0, 105.0});
    }
    profile.by_strike_count.resize(strikes);
    profile.by_strike.resize(strikes * models);
    profile.by_expiry_count.resize(snapshot.expiries());
    profile.by_expiry.resize(snapshot.expiries() * models);
    profile.max_pain.assign(snapshot.expiries(), Level::of(100.0));
    profile.put_call_ratio_open_interest = profile.put_call_ratio_volume = profile.max_pain;
    for (auto* column : {&profile.dx_without, &profile.gx_without, &profile.dx_after, &profile.gx_after}) {
      column->assign(snapshot.expiries() * models, 1.0);
    }
    profile.by_bucket_count.resize(header.ticker.size() * kBuckets);
    profile.by_bucket.resize(header.ticker.size() * kBuckets * models);
    tables.attribution.by_expiry.assign(snapshot.expiries() * models * kAttributionTerms, 1.0);
    tables.attribution.by_strike.assign(strikes * models * kAttributionTerms, 1.0);
    for (std::size_t i = 0; i < snapshot.contracts() * header.position.size(); ++i) {
      tables.dealer_position.push_back(scramble(i + 5));
    }
    for (std::size_t i = 0; i < snapshot.contracts() * kGreekCount; ++i) tables.greeks.push_back(scramble(i + 9));
    texts.configuration = "[grid]\nspots = 5\n";
    texts.tool_version = "0.1.0";
    texts.build = "g++ 12 -O2";
    texts.backend = "reference";
    texts.precision = "fp64";
    texts.warnings = {"spot_basis of T1001 is 10 bp"};
  }
};

/// Symbols in order, successive days, every third value missing but of close.
inline DailyHistory sample_history(int symbols, int days) {
  DailyHistory history;
  history.source.push_back({"prices.csv", std::string(64, 'a')});
  for (int u = 0; u < symbols; ++u) {
    history.symbol.push_back("S" + std::to_string(1000 + u));
    history.row_begin.push_back(static_cast<std::int64_t>(history.rows()));
    history.row_count.push_back(days);
    for (int day = 0; day < days; ++day) {
      history.date.push_back(Instant{18700 + day} * 86400);
      history.knowledge_time.push_back(history.date.back() + 75600 + 60 * u);
      for (const DailyQuantity& quantity : kDailyQuantities) {
        const bool missing = (u + day) % 3 == 0 && !(quantity.column == &DailyHistory::close);
        (history.*quantity.column).push_back(missing ? std::numeric_limits<double>::quiet_NaN() : u + 0.5 * day);
      }
    }
  }
  return history;
}

}  // namespace greekgrid::test

// What exposures owe to their inputs, as tables in Markdown: net gamma and flips by forward and volatility source, the
// vendor's volatility against ours by delta, one index by three names, and the whole market of a day.
//
//   market_inputs            all tables whose files are in $GREEKGRID_DATA; without any: exit status 77

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "greekgrid/host/levels.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid::bench {
namespace {

constexpr double kFloor = 1e-4;                  // vol
constexpr double kRate = 0.053, kYield = 0.015;  // flat, of both days of the tables

OptionChain load(const std::string& name) {
  const std::filesystem::path path = test::data_dir() / name;
  return ingest(std::span(&path, 1), Calendar(), IngestOptions());
}

bool present(const std::string& name) {
  if (std::filesystem::exists(test::data_dir() / name)) return true;
  fmt::print(stderr, "market_inputs: no {} (set GREEKGRID_DATA to the folder of chains), its table is left out\n",
             name);
  return false;
}

struct Book {
  Snapshot snapshot;
  std::vector<double> weights;
  std::vector<std::int64_t> expiry_begin;
  BookView view;
};

Book make(const OptionChain& chain, const MarketConfig& market, PositionModel model, Backend& backend) {
  Book book;
  TickerSelection selection;
  selection.tickers = {chain.ticker[0]};
  book.snapshot = make_snapshot(chain, market, selection, Calendar(), backend);
  const auto positions = dealer_positions(book.snapshot, std::span(&model, 1));
  book.weights = exposure_weights(book.snapshot, 0, positions, 1);
  book.view = make_book(book.snapshot, 0, book.weights, book.expiry_begin);
  return book;
}

void net_gamma_table(Backend& backend) {
  fmt::print(
      "| chain | forward | volatility | net gamma, 1e9 USD per 1 % | net over gross | zero gamma, USD |\n"
      "|---|---|---|---|---|---|\n");
  for (const char* name : {"cboe/spx_20230914_quotedata.csv", "cboe/spx_20240107_quotedata.csv"}) {
    if (!present(name)) continue;
    const OptionChain chain = load(name);
    for (const ForwardPreference forward :
         {ForwardPreference::kSpot, ForwardPreference::kFlat, ForwardPreference::kParity}) {
      for (const IvPreference iv : {IvPreference::kVendor, IvPreference::kOwn}) {
        MarketConfig market;
        market.rate = kRate;
        market.dividend_yield = kYield;
        market.forward_source = forward;
        market.iv_source = iv;
        const Book book = make(chain, market, PositionModel::kNaive, backend);
        const std::vector<double> greeks = base_greeks(book.view, book.snapshot.quote_time, kFloor);
        LevelInputs inputs;
        inputs.book = book.view;
        inputs.greeks = greeks;
        inputs.quote_time = book.snapshot.quote_time;
        inputs.iv_floor = kFloor;
        const TickerLevels levels = compute_levels(inputs, backend);
        const LevelRow& level = levels.level[0];
        fmt::print("| {} {} | {} | {} | {:+.2f} | {:+.1f} % | {:.1f} |\n", chain.ticker[0],
                   std::filesystem::path(name).stem().string().substr(4, 8), greekgrid::name(forward),
                   greekgrid::name(iv), level[LevelName::kGammaIndex].value,
                   100.0 * level[LevelName::kGammaIndexRatio].value, level[LevelName::kZeroGamma].value);
      }
    }
  }
}

double quantile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double at = p * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

void vendor_table(Backend& backend) {
  const char* name = "cboe/spx_20230914_quotedata.csv";
  if (!present(name)) return;
  const OptionChain chain = load(name);
  MarketConfig market;
  market.rate = kRate;
  market.dividend_yield = kYield;
  const Book book = make(chain, market, PositionModel::kNaive, backend);
  const Snapshot& s = book.snapshot;
  constexpr std::array kEdges = {0.0, 0.01, 0.05, 0.10, 0.25, 0.40, 0.75};
  fmt::print("| out of the money | contracts | 5 % | 25 % | median | 75 % | 95 % |\n|---|---|---|---|---|---|---|\n");
  for (const int right : {-1, 1}) {
    for (std::size_t b = 0; b + 1 < kEdges.size(); ++b) {
      const std::size_t bucket = right < 0 ? b : kEdges.size() - 2 - b;
      std::vector<double> differences;
      for (std::size_t i = 0; i < s.contracts(); ++i) {
        const auto e = static_cast<std::size_t>(s.contract_expiry[i]);
        const double tau = static_cast<double>(s.settlement[e] - s.quote_time) / kSecondsPerYear;
        const double vendor = chain.vendor_iv[static_cast<std::size_t>(s.chain_row[i])];
        if (s.right[i] != right || s.iv_source[i] != IvSource::kOwnMid || !(vendor > 1e-3) || tau < 1.0 / 365.0)
          continue;
        const auto g = formulas::black_scholes<double>({static_cast<double>(right),
                                                        s.spot[0] * std::exp(s.spot_basis[0]), s.strike[i], s.rate[e],
                                                        s.dividend_yield[e], s.implied_volatility[i], tau});
        const double delta = std::abs(g[Greek::kDelta]);
        if (delta >= kEdges[bucket] && delta < kEdges[bucket + 1]) {
          differences.push_back(100.0 * (vendor - s.implied_volatility[i]));
        }
      }
      if (differences.empty()) continue;
      fmt::print("| {}, delta {:.2f} to {:.2f} | {} |", right < 0 ? "put" : "call", kEdges[bucket], kEdges[bucket + 1],
                 differences.size());
      for (const double p : {0.05, 0.25, 0.5, 0.75, 0.95}) fmt::print(" {:+.2f} |", quantile(differences, p));
      fmt::print("\n");
    }
  }
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  double sx = 0.0, sy = 0.0, sxx = 0.0, syy = 0.0, sxy = 0.0;
  const auto n = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    sx += x[i], sy += y[i], sxx += x[i] * x[i], syy += y[i] * y[i], sxy += x[i] * y[i];
  }
  return (sxy - sx * sy / n) / std::sqrt((sxx - sx * sx / n) * (syy - sy * sy / n));
}

void one_index_table(Backend& backend) {
  constexpr std::array kFiles = {"cboe/spx_20230914_quotedata.csv", "cboe/spy_20230914_quotedata.csv",
                                 "cboe/xsp_20230914_quotedata.csv"};
  constexpr std::array kMoves = {-0.06, -0.04, -0.02, -0.01, 0.0, 0.01, 0.02, 0.04, 0.06};
  fmt::print("| | gross, 1e9 USD per 1 % |");
  for (const double x : kMoves) fmt::print(" {:+.0f} % |", 100.0 * x);
  fmt::print(
      " correlation with SPX, all expiries | beyond two days | share of the next two days | basis | atm_iv against "
      "SPX, vol points | skew_25d |\n|---|---|");
  for (std::size_t i = 0; i < kMoves.size(); ++i) fmt::print("---|");
  fmt::print("---|---|---|---|---|---|\n");
  std::vector<double> first, first_far;
  std::map<std::int64_t, std::pair<double, double>> first_smile;  // by settlement: atm_iv, skew_25d
  for (const char* name : kFiles) {
    if (!present(name)) continue;
    const OptionChain chain = load(name);
    MarketConfig market;
    market.rate = kRate;
    market.dividend_yield = kYield;
    // SPY went ex its dividend the next morning.
    market.dividends = {{"SPY", Date(std::chrono::year(2023) / 9 / 15), 1.583}};
    const Book book = make(chain, market, PositionModel::kUnsigned, backend);
    const auto dollars = [&](const BookView& view, double x) {
      const double spot = view.spot * std::exp(x);
      return 0.01 * spot * spot * gamma_exposure(view, book.snapshot.quote_time, kFloor, spot).gamma / 1e9;
    };
    // The expiries of the next two days make the peak, and they are another book in each name.
    std::vector<double> far_weights = book.weights;
    for (std::size_t i = 0; i < far_weights.size(); ++i) {
      const auto e = static_cast<std::size_t>(book.snapshot.contract_expiry[i]);
      if (book.snapshot.settlement[e] - book.snapshot.quote_time <= 2 * 86400) far_weights[i] = 0.0;
    }
    BookView far = book.view;
    far.weight = far_weights;
    std::vector<double> profile, far_profile;
    for (int i = -60; i <= 60; ++i) {
      profile.push_back(dollars(book.view, 0.001 * i));
      far_profile.push_back(dollars(far, 0.001 * i));
    }
    if (first.empty()) first = profile, first_far = far_profile;
    std::vector<double> level_gap, skew_gap;
    std::map<std::int64_t, std::pair<double, double>> smiles;
    for (std::size_t e = 0; e < book.snapshot.expiries(); ++e) {
      const ExpiryVolatility& v = book.snapshot.expiry_volatility[e];
      // Names settle minutes apart on one date, AM roots half a day: PM roots within an hour, from two days on.
      if (book.snapshot.style[e] != SettlementStyle::kPm || v.kind != SmileKind::kSvi) continue;
      if (book.snapshot.settlement[e] - book.snapshot.quote_time < 2 * 86400) continue;
      smiles[book.snapshot.settlement[e] / 3600] = {v.atm_iv, v.skew_25d};
    }
    if (first_smile.empty()) first_smile = smiles;
    for (const auto& [hour, smile] : smiles) {
      const auto other = first_smile.find(hour);
      if (other == first_smile.end()) continue;
      level_gap.push_back(100.0 * std::abs(smile.first - other->second.first));
      skew_gap.push_back(100.0 * std::abs(smile.second - other->second.second));
    }
    fmt::print("| {} | {:.2f} |", chain.ticker[0], dollars(book.view, 0.0));
    const double peak = *std::max_element(profile.begin(), profile.end());
    for (const double x : kMoves) fmt::print(" {:.2f} |", dollars(book.view, x) / peak);
    fmt::print(" {:.3f} | {:.3f} | {:.0f} % | {:+.1f} bp | {:.2f} | {:.2f} |\n", correlation(first, profile),
               correlation(first_far, far_profile), 100.0 * (1.0 - dollars(far, 0.0) / dollars(book.view, 0.0)),
               1e4 * book.view.spot_basis, quantile(level_gap, 0.5), quantile(skew_gap, 0.5));
  }
}

void universe_table(Backend& backend) {
  const char* name = "universe/us_options_20260710_close.csv.gz";
  if (!present(name)) return;
  const OptionChain chain = load(name);
  MarketConfig market;
  market.rate = 0.043;
  SnapshotTimings timings;
  Snapshot s = make_snapshot(chain, market, {}, Calendar(), backend, &timings);
  for (int repeat = 0; repeat < 2; ++repeat) {
    SnapshotTimings again;
    s = make_snapshot(chain, market, {}, Calendar(), backend, &again);
    const auto total = [](const SnapshotTimings& t) {
      return t.forward_seconds + t.inversion_seconds + t.smile_seconds;
    };
    if (total(again) < total(timings)) timings = again;
  }
  std::array<std::size_t, 6> sources{};
  std::array<double, 6> interest{};
  for (std::size_t i = 0; i < s.contracts(); ++i) {
    const auto source = static_cast<std::size_t>(s.iv_source[i]);
    ++sources[source];
    interest[source] += s.open_interest[i] * s.multiplier[i];
  }
  double all_interest = 0.0;
  for (const double shares : interest) all_interest += shares;
  std::array<std::size_t, 5> kinds{};
  std::array<std::size_t, 4> forwards{};
  for (const ExpiryVolatility& v : s.expiry_volatility) ++kinds[static_cast<std::size_t>(v.kind)];
  for (const ForwardSource f : s.forward_source) ++forwards[static_cast<std::size_t>(f)];
  std::size_t with_iv30 = 0, with_index = 0;
  for (const TickerVolatility& v : s.volatility) {
    with_iv30 += v.iv30.status == MetricStatus::kOk ? 1 : 0;
    with_index += v.variance_index.status == MetricStatus::kOk ? 1 : 0;
  }
  fmt::print("| | |\n|---|---|\n");
  fmt::print("| tickers in, accepted | {}, {} |\n", chain.tickers(), s.tickers());
  fmt::print("| contracts in, priced | {}, {} |\n", chain.contracts(), s.contracts());
  fmt::print("| forwards: parity, neighbour's carry, given | {}, {}, {} |\n", forwards[1], forwards[2], forwards[3]);
  fmt::print("| smiles: five parameters, three, level, neighbour's | {}, {}, {}, {} |\n", kinds[1], kinds[2], kinds[3],
             kinds[4]);
  constexpr const char* kSources[] = {"",      "own quote",        "vendor", "the other right's quote",
                                      "smile", "neighbour's smile"};
  for (const std::size_t source : {1U, 3U, 4U, 2U, 5U}) {
    fmt::print("| volatility from {} | {} contracts, {:.1f} % of open interest |\n", kSources[source], sources[source],
               100.0 * interest[source] / all_interest);
  }
  fmt::print("| tickers with iv30, with a model-free index | {}, {} |\n", with_iv30, with_index);
  fmt::print(
      "| rows and forwards, s | {:.2f} |\n| {} inversions, s | {:.2f} |\n| smiles, filling and metrics, s | {:.2f} |\n",
      timings.forward_seconds, timings.inversions, timings.inversion_seconds, timings.smile_seconds);

  std::vector<const TickerQuality*> accepted;
  std::map<TickerStatus, std::size_t> refused;
  for (const TickerQuality& q : s.quality) {
    if (q.status == TickerStatus::kOk) {
      accepted.push_back(&q);
    } else {
      ++refused[q.status];
    }
  }
  fmt::print("| refused: no open interest, too little volatility, no spot or contradicted | {}, {}, {} |\n\n",
             refused[TickerStatus::kNoOpenInterest], refused[TickerStatus::kTooLittleIv],
             refused[TickerStatus::kNoSpot] + refused[TickerStatus::kSpotContradicted]);
  std::stable_sort(accepted.begin(), accepted.end(),
                   [](const auto* a, const auto* b) { return a->supported_iv_share < b->supported_iv_share; });
  fmt::print(
      "| least supported | contracts | supported | own | parity residual | arbitrage score | spread |\n"
      "|---|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < std::min<std::size_t>(8, accepted.size()); ++i) {
    const TickerQuality& q = *accepted[i];
    fmt::print("| {} | {} | {:.1f} % | {:.1f} % | {:.2g} | {:.2g} | {:.0f} % |\n", q.ticker, q.contracts,
               100.0 * q.supported_iv_share, 100.0 * q.own_iv_share, q.parity_residual, q.arbitrage_score,
               100.0 * q.spread);
  }
}

int main_of() {
  if (!std::filesystem::exists(test::data_dir())) {
    fmt::print(stderr, "market_inputs: no data (set GREEKGRID_DATA to the folder of chains)\n");
    return 77;
  }
  const auto backend = make_cpu_backend(Precision::kFp64);
  fmt::print("### Net gamma by forward and volatility\n\n");
  net_gamma_table(*backend);
  fmt::print("\n### The vendor's volatility less ours, vol points\n\n");
  vendor_table(*backend);
  fmt::print("\n### One index by three names\n\n");
  one_index_table(*backend);
  fmt::print("\n### A whole market\n\n");
  universe_table(*backend);
  return 0;
}

}  // namespace
}  // namespace greekgrid::bench

int main() {
  try {
    return greekgrid::bench::main_of();
  } catch (const std::exception& error) {
    fmt::print(stderr, "market_inputs: {}\n", error.what());
    return 1;
  }
}

#include "option_peers.hpp"

#include <algorithm>
#include <cmath>

#include "libm_baseline.hpp"
#include "quantlib_baseline.hpp"

namespace greekgrid::bench {

BookColumns::BookColumns(const test::Book& book)
    : right(book.right.begin(), book.right.end()),
      strike(book.strike),
      sigma(book.implied_volatility),
      weight(book.weight[0]) {
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const auto count = static_cast<std::size_t>(book.expiry_begin[e + 1] - book.expiry_begin[e]);
    rate.insert(rate.end(), count, book.rate[e]);
    dividend_yield.insert(dividend_yield.end(), count, book.dividend_yield[e]);
    tau.insert(tau.end(), count, static_cast<double>(book.settlement[e] - test::kQuoteTime) / kSecondsPerYear);
  }
}

OptionColumns BookColumns::view() const {
  return {strike.size(), right.data(),          strike.data(), sigma.data(),
          rate.data(),   dividend_yield.data(), tau.data(),    weight.data()};
}

namespace {

// The loop of libm_baseline.hpp adds up over spots, so it is asked for one after the other.
template <const GreekSet& kSet>
void libm_sums_by_spot(const test::Book& book, std::span<const double> spots, std::span<double> out) {
  const std::int64_t now[] = {test::kQuoteTime};
  GridView grid;
  grid.time = now;
  grid.spots = 1;
  for (std::size_t j = 0; j < spots.size(); ++j) {
    grid.log_spot_begin = std::log(spots[j] / book.spot);
    const auto sums = libm_sums<kSet>(book, grid);
    for (const Greek greek : kAllGreeks) {
      if (kSet.contains(greek)) out[kSet.index(greek) * spots.size() + j] = sums[static_cast<std::size_t>(greek)];
    }
  }
}

}  // namespace

std::vector<OptionPeer> make_option_peers(const test::Book& book, [[maybe_unused]] const BookColumns& columns) {
  using Spots = std::span<const double>;
  using Out = std::span<double>;
  std::vector<OptionPeer> peers = {
      {"scalar libm loop", kGreeks3, [&](Spots s, Out out) { libm_sums_by_spot<kGreeks3>(book, s, out); }},
      {"scalar libm loop", kGreeks11, [&](Spots s, Out out) { libm_sums_by_spot<kGreeks11>(book, s, out); }},
  };
#ifdef GREEKGRID_BENCH_LIBMVEC
  peers.push_back({"C++ -Ofast with libmvec", kGreeks3,
                   [&](Spots s, Out out) { libmvec_sums_3(columns.view(), s.data(), s.size(), out.data()); }});
  peers.push_back({"C++ -Ofast with libmvec", kGreeks11,
                   [&](Spots s, Out out) { libmvec_sums_11(columns.view(), s.data(), s.size(), out.data()); }});
#endif
#ifdef GREEKGRID_BENCH_QUANTLIB
  peers.push_back({"QuantLib BlackCalculator", kQuantLibGreeks,
                   [&](Spots s, Out out) { quantlib_black_calculator_sums(book, s, out); }});
  const auto engine = std::make_shared<QuantLibEngine>(book);
  peers.push_back(
      {"QuantLib AnalyticEuropeanEngine", kQuantLibGreeks, [engine](Spots s, Out out) { engine->sums(s, out); }});
#endif
  return peers;
}

double peer_error(GreekSet greeks, std::span<const double> sums, std::span<const double> expected, std::size_t spots) {
  double worst = 0.0;
  for (const Greek greek : kAllGreeks) {
    if (!greeks.contains(greek)) continue;
    const auto deviation = test::compare_surface(sums.subspan(greeks.index(greek) * spots, spots),
                                                 expected.subspan(GreekSet::all().index(greek) * spots, spots));
    worst = std::max(worst, deviation.relative_to_maximum);
  }
  return worst;
}

}  // namespace greekgrid::bench

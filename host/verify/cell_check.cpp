// Cells of stored surfaces recomputed with the reference backend, one contract at a time so that what cancels is known.

#include "greekgrid/host/cell_check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

namespace greekgrid {
namespace {

constexpr double kAtStrike = 1e-9;  // relative: far above the bits of exp and log, far below the spacing of strikes

/// splitmix64: the same numbers everywhere.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t n) {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return static_cast<std::size_t>((z ^ (z >> 31U)) % n);
  }

 private:
  std::uint64_t state_;
};

constexpr std::int64_t kOneContract[] = {0, 1};
constexpr double kUnitWeight[] = {1.0};

/// Contract i of expiry e as a book of its own, one share long.
BookView single(const BookView& book, std::size_t e, std::size_t i) {
  BookView one;
  one.spot = book.spot;
  one.spot_basis = book.spot_basis;
  one.settlement = book.settlement.subspan(e, 1);
  one.rate = book.rate.subspan(e, 1);
  one.dividend_yield = book.dividend_yield.subspan(e, 1);
  one.expiry_begin = kOneContract;
  one.strike = book.strike.subspan(i, 1);
  one.right = book.right.subspan(i, 1);
  one.implied_volatility = book.implied_volatility.subspan(i, 1);
  one.weight = kUnitWeight;
  if (!book.smile.empty()) one.smile = book.smile.subspan(e, 1);
  return one;
}

}  // namespace

std::vector<CellPlace> sample_cells(std::span<const std::int64_t> time, std::span<const std::int64_t> settlement,
                                    std::size_t iv_shifts, std::size_t zero_shift, std::size_t spots, std::size_t count,
                                    std::uint64_t seed) {
  const std::size_t times = time.size(), cells = times * iv_shifts * spots;
  if (count >= cells) {
    std::vector<CellPlace> all;
    all.reserve(cells);
    for (std::size_t c = 0; c < cells; ++c) all.push_back({c / spots / iv_shifts, c / spots % iv_shifts, c % spots});
    return all;
  }
  std::set<CellPlace> places;
  Draws draws(seed);
  const auto add = [&](CellPlace place) {
    if (places.size() < count) places.insert(place);
  };
  add({0, zero_shift, spots / 2});
  add({0, draws.below(iv_shifts), draws.below(spots)});
  add({0, 0, 0});
  add({times - 1, iv_shifts - 1, spots - 1});
  add({times - 1, 0, 0});
  add({draws.below(times), iv_shifts - 1, 0});
  add({draws.below(times), 0, spots - 1});
  // Where a book loses an expiry, and just before.
  std::vector<std::size_t> passes;
  for (const std::int64_t settled : settlement) {
    const auto at = static_cast<std::size_t>(std::lower_bound(time.begin(), time.end(), settled) - time.begin());
    if (at < times && (passes.empty() || passes.back() != at)) passes.push_back(at);
  }
  for (std::size_t k = 0; k < passes.size() && places.size() < count * 3 / 4; ++k) {
    add({passes[k], zero_shift, draws.below(spots)});
    if (passes[k] > 0) add({passes[k] - 1, draws.below(iv_shifts), spots / 2});
  }
  while (places.size() < count) add({draws.below(times), draws.below(iv_shifts), draws.below(spots)});
  return {places.begin(), places.end()};
}

std::vector<CellPlace> draw_cells(std::size_t times, std::size_t iv_shifts, std::size_t spots, std::size_t count,
                                  std::uint64_t seed) {
  std::set<CellPlace> places;
  Draws draws(seed);
  count = std::min(count, times * iv_shifts * spots);
  while (places.size() < count) places.insert({draws.below(times), draws.below(iv_shifts), draws.below(spots)});
  return {places.begin(), places.end()};
}

std::vector<CellSum> recompute_cell(Backend& reference, GreekSet greeks, const BookView& book, const GridView& cell,
                                    std::size_t positions) {
  std::vector<CellSum> sums(greeks.size() * positions);
  std::array<double, kGreekCount> value{};
  const double spot = book.spot * std::exp(cell.log_spot_begin + book.spot_basis);
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    if (book.settlement[e] < cell.time[0]) continue;
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      ExposureJob job;
      job.book = single(book, e, i);
      job.grid = cell;
      job.exposure = std::span(value).first(greeks.size());
      reference.evaluate(greeks, {&job, 1});
      const bool jumps = book.settlement[e] == cell.time[0] && std::abs(spot / book.strike[i] - 1.0) < kAtStrike;
      for (std::size_t g = 0; g < greeks.size(); ++g) {
        for (std::size_t w = 0; w < positions; ++w) {
          const double weight = book.weight[w * book.contracts() + i], term = weight * value[g];
          CellSum& sum = sums[g * positions + w];
          sum.net += term;
          sum.gross += std::abs(term);
          if (jumps) sum.at_strike += std::abs(weight) * std::exp(std::abs(book.spot_basis));
        }
      }
    }
  }
  return sums;
}

std::vector<double> recompute_greeks(Backend& reference, const BookView& book, std::int64_t time, double iv_floor) {
  const std::size_t n = book.contracts();
  std::vector<double> greeks(kGreekCount * n);
  constexpr double kNoShift[] = {0.0};
  std::array<double, kGreekCount> value{};
  ExposureJob job;
  job.grid.quote_time = time;
  job.grid.time = {&time, 1};
  job.grid.iv_shift = kNoShift;
  job.grid.spots = 1;
  job.grid.iv_floor = iv_floor;
  job.exposure = value;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      job.book = single(book, e, i);
      reference.evaluate(GreekSet::all(), {&job, 1});
      for (std::size_t g = 0; g < kGreekCount; ++g) greeks[g * n + i] = value[g];
    }
  }
  return greeks;
}

double cell_tolerance(const CellBound& bound, double largest, const CellSum& sum, int kept_bits) {
  // Dropped bits are dropped of the nearest float32.
  const double rounding = std::ldexp(1.0, -24) + (kept_bits < 23 ? std::ldexp(1.0, -(kept_bits + 1)) : 0.0);
  return std::max(bound.of_largest * largest, bound.of_gross * sum.gross) + std::abs(sum.net) * rounding +
         static_cast<double>(std::numeric_limits<float>::denorm_min());
}

}  // namespace greekgrid

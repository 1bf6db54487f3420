// Gamma levels: sums per strike for the walls, bracketed roots of the evaluated gamma exposure for zero gamma.

#include "greekgrid/host/levels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kSamples = 2001;        // at least
constexpr double kMostStep = 2e-4;            // of spot: one deviation at 4.6 hours is 20 of them
constexpr std::size_t kMostSamples = 100001;  // beyond a half-width of 10 in ln S the step grows
constexpr double kNoise = 1e-12;              // of gross gamma exposure
constexpr double kRootTolerance = 1e-9;       // of spot

struct StrikeGamma {
  double call = 0.0, put = 0.0;  // sum n m gamma over expiries and roots
};

// The strike of largest score among those allowed; ties go to the strike nearest to spot, then the lower.
template <class Allowed, class Score>
Level largest_strike(const std::map<std::int64_t, StrikeGamma>& strikes, double spot, Allowed allowed, Score score) {
  Level best = {kNaN, LevelStatus::kNoContracts};
  double best_score = 0.0;
  for (const auto& [thousandths, gamma] : strikes) {
    const double strike = static_cast<double>(thousandths) / 1000.0;
    const double value = score(gamma);
    if (!allowed(strike) || !(value > 0.0)) continue;
    const bool nearer =
        best.status == LevelStatus::kOk && value == best_score && std::abs(strike - spot) < std::abs(best.value - spot);
    if (best.status != LevelStatus::kOk || value > best_score || nearer) {
      best = {strike, LevelStatus::kOk};
      best_score = value;
    }
  }
  return best;
}

// Root of the gamma exposure between two spots of opposite sign: bisection that takes a secant step where it helps
// (Illinois), so it cannot leave the bracket.
double refine_root(const BookView& book, const GridView& grid, double low, double high, double at_low, double at_high) {
  int side = 0;
  for (int step = 0; step < 200 && (high - low) > kRootTolerance * low; ++step) {
    double middle = (low * at_high - high * at_low) / (at_high - at_low);
    // A secant that hugs one end, or rounding that leaves the bracket, gives way to bisection.
    if (!(middle > low && middle < high) || step % 4 == 3) middle = 0.5 * (low + high);
    const double value = gamma_exposure(book, grid, middle).gamma;
    if (value == 0.0) return middle;
    if ((value > 0.0) == (at_high > 0.0)) {
      high = middle;
      at_high = value;
      if (side == 1) at_low *= 0.5;
      side = 1;
    } else {
      low = middle;
      at_low = value;
      if (side == -1) at_high *= 0.5;
      side = -1;
    }
  }
  return 0.5 * (low + high);
}

}  // namespace

GammaPoint gamma_exposure(const BookView& book, const GridView& grid, double spot) {
  GammaPoint sum;
  const double effective = spot * std::exp(book.spot_basis);
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const double tau = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
    if (!(tau > 0.0)) continue;
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      if (book.weight[i] == 0.0) continue;
      const auto g = formulas::black_scholes<double>({static_cast<double>(book.right[i]), effective, book.strike[i],
                                                      book.rate[e], book.dividend_yield[e],
                                                      std::max(grid.iv_floor, book.implied_volatility[i]), tau});
      sum.gamma += book.weight[i] * g.gamma;
      sum.gross += std::abs(book.weight[i] * g.gamma);
      sum.speed += book.weight[i] * g.speed;
    }
  }
  sum.gamma *= std::exp(2.0 * book.spot_basis);
  sum.gross *= std::exp(2.0 * book.spot_basis);
  sum.speed *= std::exp(3.0 * book.spot_basis);
  return sum;
}

TickerLevels compute_levels(const BookView& book, std::span<const double> gamma, const GridView& grid,
                            Backend& sampler) {
  TickerLevels result;
  LevelRow& level = result.level;
  const double spot = book.spot;

  std::map<std::int64_t, StrikeGamma> strikes;
  double net = 0.0;
  double gross = 0.0;
  for (std::size_t i = 0; i < book.contracts(); ++i) {
    const double exposure = book.weight[i] * gamma[i];
    net += exposure;
    gross += std::abs(exposure);
    StrikeGamma& at = strikes[std::llround(book.strike[i] * 1000.0)];
    (book.right[i] > 0 ? at.call : at.put) += exposure;
  }
  level.gamma_index = 0.01 * spot * spot * net / 1e9;
  level.gamma_index_ratio = gross > 0.0 ? Level{net / gross, LevelStatus::kOk} : Level{kNaN, LevelStatus::kNoContracts};

  const auto call = [](const StrikeGamma& g) { return std::abs(g.call); };
  const auto put = [](const StrikeGamma& g) { return std::abs(g.put); };
  const auto anywhere = [](double) { return true; };
  level.call_wall = largest_strike(
      strikes, spot, [&](double k) { return k >= spot; }, call);
  level.put_wall = largest_strike(
      strikes, spot, [&](double k) { return k <= spot; }, put);
  level.call_wall_unrestricted = largest_strike(strikes, spot, anywhere, call);
  level.put_wall_unrestricted = largest_strike(strikes, spot, anywhere, put);
  level.absolute_gamma_strike =
      largest_strike(strikes, spot, anywhere, [](const StrikeGamma& g) { return std::abs(g.call) + std::abs(g.put); });

  GridView line = grid;
  constexpr double kNoShift[] = {0.0};
  line.time = grid.time.first(1);
  line.iv_shift = kNoShift;
  line.iv_rule = IvRule::kStickyStrike;
  const double half_width = -grid.log_spot_begin;
  const auto steps = static_cast<std::size_t>(std::min(std::ceil(half_width / kMostStep), 0.5 * (kMostSamples - 1)));
  line.spots = half_width > 0.0 ? std::max(kSamples, 2 * steps + 1) : 1;
  line.log_spot_step = half_width > 0.0 ? 2.0 * half_width / static_cast<double>(line.spots - 1) : 0.0;
  std::vector<double> samples(line.spots);
  const ExposureJob job = {book, line, 1, samples};
  sampler.evaluate({Greek::kGamma}, {&job, 1});

  // Samples of exactly 0 (underflow far from every strike) have no sign; a change is between the signed ones around
  // them.
  std::size_t before = line.spots;
  const auto spot_at = [&](std::size_t j) {
    return spot * std::exp(line.log_spot_begin + static_cast<double>(j) * line.log_spot_step);
  };
  for (std::size_t j = 0; j < line.spots; ++j) {
    if (samples[j] == 0.0) continue;
    if (before < line.spots && (samples[j] > 0.0) != (samples[before] > 0.0)) {
      const double low = spot_at(before);
      const double high = spot_at(j);
      const GammaPoint lower = gamma_exposure(book, grid, low);
      const GammaPoint higher = gamma_exposure(book, grid, high);
      // Where calls and puts cancel all along, the sign is that of a rounding error.
      if (std::abs(higher.gamma) <= kNoise * higher.gross) continue;
      if (std::abs(lower.gamma) <= kNoise * lower.gross) {
        before = j;
        continue;
      }
      const double at_low = lower.gamma;
      const double at_high = higher.gamma;
      // The sampler and the closed form agree to rounding; where they do not agree on a sign the root is at that end.
      double root = std::abs(at_low) < std::abs(at_high) ? low : high;
      if (at_low != 0.0 && at_high != 0.0 && (at_low > 0.0) != (at_high > 0.0)) {
        root = refine_root(book, grid, low, high, at_low, at_high);
      }
      result.crossing.push_back({"", "", root, gamma_exposure(book, grid, root).speed});
    }
    before = j;
  }

  level.zero_gamma = {kNaN, gross > 0.0 ? LevelStatus::kNoSignChange : LevelStatus::kNoContracts};
  level.zero_gamma_slope = kNaN;
  level.zero_gamma_count = static_cast<std::int32_t>(result.crossing.size());
  for (const CrossingRow& crossing : result.crossing) {
    if (level.zero_gamma.status != LevelStatus::kOk ||
        std::abs(crossing.price - spot) < std::abs(level.zero_gamma.value - spot)) {
      level.zero_gamma = {crossing.price, LevelStatus::kOk};
      level.zero_gamma_slope = crossing.slope;
    }
  }
  return result;
}

}  // namespace greekgrid

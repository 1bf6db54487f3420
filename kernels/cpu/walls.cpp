// The search for gamma walls, compiled once per instruction set by Highway and chosen at run time.

#include "cpu/walls.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/walls.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef GREEKGRID_CPU_WALLS_ONCE
#define GREEKGRID_CPU_WALLS_ONCE
namespace greekgrid::cpu {

// exp(-d^2/2) = 2^(-(kRoot d)^2).
inline constexpr double kRoot = 0.84932180028801904272;  // sqrt(log2(e)/2)

// How the volatility of a contract goes along the spots of a row.
enum class WallVolatility { kFixed, kRelativeBeta, kTabulated };

inline WallVolatility wall_volatility(const WallJob& job) {
  switch (job.grid.effective_rule()) {
    case IvRule::kSkewStickiness:
      return WallVolatility::kTabulated;
    case IvRule::kRelativeBeta:
      return job.grid.iv_rule_parameter == 0.0 ? WallVolatility::kFixed : WallVolatility::kRelativeBeta;
    case IvRule::kStickyStrike:
      break;
  }
  return WallVolatility::kFixed;
}

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

// 2^f on [-1/2, 1/2] from the highest power down, 1 exactly at 0: relative error 4e-14 (Chebyshev interpolation of
// (2^f - 1)/f).
inline constexpr double kPowers[] = {1.0203121063391729e-07, 1.3255224878668817e-06,
                                     1.525268684626772e-05,  0.00015403455852453838,
                                     0.0013333558179043112,  0.009618129159402558,
                                     0.055504108664760424,   0.2402265069581299,
                                     0.6931471805599453,     1.0};

// 2^-q for q >= 0; from 1023 on, 0 exactly, and between 1022 and 1023 what remains of the exponent.
HWY_INLINE V PowerOfHalf(D d, V q) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 6755399441055744.0);  // 1.5 * 2^52: adding it rounds to an integer in the low bits
  q = hn::Min(q, hn::Set(d, 1023.0));
  const V shifted = hn::Add(q, magic);
  const V f = hn::Sub(hn::Sub(shifted, magic), q);
  V power = hn::Set(d, kPowers[0]);
  for (std::size_t c = 1; c < sizeof(kPowers) / sizeof(kPowers[0]); ++c) {
    power = hn::MulAdd(power, f, hn::Set(d, kPowers[c]));
  }
  return hn::BitCast(d, hn::Sub(hn::BitCast(di, power), hn::ShiftLeft<52>(hn::BitCast(di, shifted))));
}

// What a row of spots is searched with.
struct Row {
  const WallSide* side;
  WallScratch* scratch;
  const WallSpots* spots;
  double floor;
  double beta;
};

// Position models that are searched together at most.
inline constexpr std::size_t kMostPositions = 4;
// Above what rounding may make of a term at the end of its range, sigma sqrt(tau) down to 1e-5.
inline constexpr double kMargin = 1.0 + 1e-6;

// Bounds |g| of the strikes from the first on over the spots of [begin, end): one evaluation a contract in place of one
// a spot, after which most strikes need none. The density of a contract is largest where ln(F/K) + s^2/2 is nearest to
// 0 and s = sigma sqrt(tau) largest, its factor 1/s where s is smallest.
template <WallVolatility kVolatility, int kPositions>
void Bound(const Row& row, std::size_t first_position, std::size_t first_strike, std::size_t begin, std::size_t end) {
  const D d;
  const WallSide& side = *row.side;
  WallScratch& scratch = *row.scratch;
  const V low = hn::Set(d, row.spots->x[begin]);
  const V high = hn::Set(d, row.spots->x[end - 1]);
  const V one = hn::Set(d, 1.0), half = hn::Set(d, 0.5), root = hn::Set(d, kRoot), floor = hn::Set(d, row.floor);
  const V tilt_low = hn::NegMulAdd(hn::Set(d, row.beta), low, one);
  const V tilt_high = hn::NegMulAdd(hn::Set(d, row.beta), high, one);
  for (std::size_t i = side.begin[first_strike]; i < side.contracts; i += hn::Lanes(d)) {
    V envelope;
    if constexpr (kVolatility == WallVolatility::kFixed) {
      const V zero = hn::LoadU(d, &scratch.zero[i]);
      const V away = hn::Max(hn::Max(hn::Sub(low, zero), hn::Sub(zero, high)), hn::Zero(d));
      const V t = hn::Mul(away, hn::LoadU(d, &scratch.slope[i]));
      envelope = PowerOfHalf(d, hn::Mul(t, t));
    } else {
      const V shift = hn::LoadU(d, &scratch.shift[i]);
      V one_end, other_end;
      if constexpr (kVolatility == WallVolatility::kTabulated) {
        one_end = hn::Add(hn::LoadU(d, &scratch.lowest[i]), shift);
        other_end = hn::Add(hn::LoadU(d, &scratch.highest[i]), shift);
      } else {
        const V sigma = hn::LoadU(d, &side.sigma[i]);
        one_end = hn::MulAdd(sigma, tilt_low, shift);
        other_end = hn::MulAdd(sigma, tilt_high, shift);
      }
      const V sqrt_tau = hn::LoadU(d, &side.sqrt_tau[i]);
      const V least = hn::Mul(hn::Max(floor, hn::Min(one_end, other_end)), sqrt_tau);
      const V most = hn::Mul(hn::Max(floor, hn::Max(one_end, other_end)), sqrt_tau);
      const V moneyness = hn::LoadU(d, &side.log_forward_moneyness[i]);
      const V above = hn::MulAdd(hn::Mul(half, least), least, hn::Add(low, moneyness));
      const V below = hn::MulAdd(hn::Mul(half, most), most, hn::Add(high, moneyness));
      const V t = hn::Mul(hn::Div(hn::Max(hn::Max(above, hn::Neg(below)), hn::Zero(d)), most), root);
      envelope = hn::Mul(PowerOfHalf(d, hn::Mul(t, t)), hn::Div(root, least));
    }
    hn::StoreU(envelope, d, &scratch.envelope[i]);
  }
  const double* HWY_RESTRICT coefficient = scratch.coefficient.data() + first_position * side.stride();
  for (std::size_t k = first_strike; k < side.strikes(); ++k) {
    double sum[kPositions] = {};
    for (std::size_t i = side.begin[k]; i < side.begin[k + 1]; ++i) {
      for (std::size_t p = 0; p < kPositions; ++p) {
        sum[p] += std::abs(coefficient[p * side.stride() + i]) * scratch.envelope[i];
      }
    }
    for (std::size_t p = 0; p < kPositions; ++p) scratch.bound[p * side.strikes() + k] = sum[p] * kMargin;
  }
}

// Searches kVectors vectors of spots for kPositions position models at a time.
template <WallVolatility kVolatility, int kPositions, int kVectors>
void Search(const Row& row, std::size_t first_position, std::size_t first_strike, std::size_t j,
            double* HWY_RESTRICT wall) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const WallSide& side = *row.side;
  const WallScratch& scratch = *row.scratch;
  const V none = hn::Set(d, std::numeric_limits<double>::quiet_NaN());
  const V infinity = hn::Set(d, std::numeric_limits<double>::infinity());
  V x[kVectors], outward[kVectors], tilt[kVectors];
  V best[kPositions][kVectors], found[kPositions][kVectors];
  for (int b = 0; b < kVectors; ++b) {
    const std::size_t at = j + static_cast<std::size_t>(b) * lanes;
    x[b] = hn::LoadU(d, &row.spots->x[at]);
    outward[b] = hn::Mul(hn::Set(d, side.right), hn::LoadU(d, &row.spots->spot[at]));
    tilt[b] = hn::NegMulAdd(hn::Set(d, row.beta), x[b], hn::Set(d, 1.0));
    for (int p = 0; p < kPositions; ++p) {
      // A lane without a spot finds nothing and asks for nothing.
      best[p][b] = hn::IfThenElse(hn::Eq(outward[b], outward[b]), hn::Zero(d), infinity);
      found[p][b] = none;
    }
  }
  // The smallest of what the lanes have found: a strike that is bounded by less is no wall of any.
  double least[kPositions] = {};
  const double* HWY_RESTRICT bound = scratch.bound.data();
  const double* HWY_RESTRICT coefficient = scratch.coefficient.data() + first_position * side.stride();
  const double* HWY_RESTRICT table = scratch.table.data() + j % kWallSpots;
  const double* HWY_RESTRICT zero = scratch.zero.data();
  const double* HWY_RESTRICT slope = scratch.slope.data();
  const double* HWY_RESTRICT shift = scratch.shift.data();
  const double* HWY_RESTRICT unmoved = side.sigma.data();
  const double* HWY_RESTRICT sqrt_tau = side.sqrt_tau.data();
  const double* HWY_RESTRICT moneyness = side.log_forward_moneyness.data();
  for (std::size_t k = first_strike; k < side.strikes(); ++k) {
    bool smaller = true;
    for (std::size_t p = 0; p < kPositions; ++p) smaller = smaller && bound[p * side.strikes() + k] < least[p];
    if (smaller) continue;
    V sum[kPositions][kVectors];
    for (int p = 0; p < kPositions; ++p) {
      for (int b = 0; b < kVectors; ++b) sum[p][b] = hn::Zero(d);
    }
    for (std::size_t i = side.begin[k]; i < side.begin[k + 1]; ++i) {
      for (int b = 0; b < kVectors; ++b) {
        V e;
        if constexpr (kVolatility == WallVolatility::kFixed) {
          const V t = hn::Mul(hn::Sub(x[b], hn::Set(d, zero[i])), hn::Set(d, slope[i]));
          e = PowerOfHalf(d, hn::Mul(t, t));
        } else {
          V sigma;
          if constexpr (kVolatility == WallVolatility::kTabulated) {
            sigma = hn::Add(hn::LoadU(d, table + i * kWallSpots + static_cast<std::size_t>(b) * lanes),
                            hn::Set(d, shift[i]));
          } else {
            sigma = hn::MulAdd(hn::Set(d, unmoved[i]), tilt[b], hn::Set(d, shift[i]));
          }
          const V s = hn::Mul(hn::Max(hn::Set(d, row.floor), sigma), hn::Set(d, sqrt_tau[i]));
          const V a = hn::Div(hn::Set(d, kRoot), s);
          const V t = hn::MulAdd(hn::Add(x[b], hn::Set(d, moneyness[i])), a, hn::Mul(hn::Set(d, 0.5 * kRoot), s));
          e = hn::Mul(PowerOfHalf(d, hn::Mul(t, t)), a);
        }
        // Not fused: contracts that cancel shall leave 0, not the error of a rounded product.
        for (int p = 0; p < kPositions; ++p) {
          const V weight = hn::Set(d, coefficient[static_cast<std::size_t>(p) * side.stride() + i]);
          sum[p][b] = hn::Add(sum[p][b], hn::Mul(weight, e));
        }
      }
    }
    const V strike = hn::Set(d, side.outward[k]);
    for (int b = 0; b < kVectors; ++b) {
      const auto beyond = hn::Ge(strike, outward[b]);
      for (int p = 0; p < kPositions; ++p) {
        const V size = hn::Abs(sum[p][b]);
        const auto better = hn::And(hn::Gt(size, best[p][b]), beyond);
        best[p][b] = hn::IfThenElse(better, size, best[p][b]);
        found[p][b] = hn::IfThenElse(better, strike, found[p][b]);
      }
    }
    for (int p = 0; p < kPositions; ++p) {
      V smallest = best[p][0];
      for (int b = 1; b < kVectors; ++b) smallest = hn::Min(smallest, best[p][b]);
      least[p] = hn::GetLane(hn::MinOfLanes(d, smallest));
    }
  }
  for (int p = 0; p < kPositions; ++p) {
    for (int b = 0; b < kVectors; ++b) {
      hn::StoreU(hn::Mul(hn::Set(d, side.right), found[p][b]), d,
                 wall + static_cast<std::size_t>(p) * kWallSpots + static_cast<std::size_t>(b) * lanes);
    }
  }
}

// The volatility of the contracts from `first` on, before shift and floor, at up to kWallSpots spots:
// formulas::skew_stickiness_move on vectors of spots, the contract's own terms formed once.
void Tabulate(const WallJob& job, const WallSide& side, const WallSpots& spots, std::size_t spot_begin,
              std::size_t first, WallScratch& scratch) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  scratch.table.resize(std::max(scratch.table.size(), side.contracts * kWallSpots));
  for (auto* column : {&scratch.lowest, &scratch.highest}) column->resize(std::max(column->size(), side.stride()), 1.0);
  const V zero = hn::Zero(d);
  for (std::size_t i = first; i < side.contracts; ++i) {
    const formulas::Smile<double>& smile = job.book.smile[side.expiry[i]];
    const V a = hn::Set(d, smile.a), b = hn::Set(d, smile.b), rho = hn::Set(d, smile.rho);
    const V s2 = hn::Set(d, smile.s * smile.s), tau = hn::Set(d, smile.tau);
    const auto root = [&](V k) { return hn::Sqrt(hn::MulAdd(k, k, s2)); };
    const auto deviation = [&](V k, V r) {
      return hn::Sqrt(hn::Mul(tau, hn::Max(hn::MulAdd(b, hn::MulAdd(rho, k, r), a), zero)));
    };
    const V from = hn::Set(d, side.smile_moneyness[i] - smile.m);
    const V root_from = root(from);
    const V deviation_from = deviation(from, root_from);
    V lowest = hn::Set(d, std::numeric_limits<double>::infinity());
    V highest = hn::Neg(lowest);
    for (std::size_t j = 0; j < kWallSpots; j += lanes) {
      const V x = hn::LoadU(d, &spots.x[spot_begin + j]);
      const V step = hn::Mul(hn::Set(d, job.grid.iv_rule_parameter - 1.0), x);
      const V to = hn::Add(from, step);
      const V root_to = root(to);
      const V roots = hn::Add(root_from, root_to);
      const V rise = hn::Mul(hn::Mul(b, step), hn::MulAdd(rho, roots, hn::Add(from, to)));
      const V run = hn::Mul(roots, hn::Add(deviation_from, deviation(to, root_to)));
      const V move = hn::IfThenElseZero(hn::Gt(run, zero), hn::Div(rise, run));
      const V sigma = hn::Add(hn::Set(d, side.sigma[i]), move);
      lowest = hn::Min(lowest, sigma);
      highest = hn::Max(highest, sigma);
      hn::StoreU(sigma, d, &scratch.table[i * kWallSpots + j]);
    }
    scratch.lowest[i] = hn::GetLane(hn::MinOfLanes(d, lowest));
    scratch.highest[i] = hn::GetLane(hn::MaxOfLanes(d, highest));
  }
}

// What the contracts of a side are under one shift.
void Stage(const WallJob& job, const WallSide& side, WallVolatility volatility, double shift, WallScratch& scratch) {
  const D d;
  const std::size_t n = side.contracts;
  for (auto* column : {&scratch.shift, &scratch.zero, &scratch.slope, &scratch.envelope}) {
    column->resize(std::max(column->size(), side.stride()));
  }
  scratch.coefficient.resize(std::max(scratch.coefficient.size(), job.positions * side.stride()));
  scratch.bound.resize(std::max(scratch.bound.size(), kMostPositions * side.strikes()));
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const V moved = hn::Mul(hn::Set(d, shift), hn::LoadU(d, &side.shift_scale[i]));
    hn::StoreU(moved, d, &scratch.shift[i]);
    V scale = hn::Set(d, 1.0);
    if (volatility == WallVolatility::kFixed) {
      const V sigma = hn::Max(hn::Set(d, job.grid.iv_floor), hn::Add(hn::LoadU(d, &side.sigma[i]), moved));
      const V s = hn::Mul(sigma, hn::LoadU(d, &side.sqrt_tau[i]));
      scale = hn::Div(hn::Set(d, kRoot), s);
      const V half = hn::Mul(hn::Set(d, 0.5), s);
      hn::StoreU(hn::Neg(hn::MulAdd(half, s, hn::LoadU(d, &side.log_forward_moneyness[i]))), d, &scratch.zero[i]);
      hn::StoreU(scale, d, &scratch.slope[i]);
    }
    for (std::size_t w = 0; w < job.positions; ++w) {
      const std::size_t at = w * side.stride() + i;
      hn::StoreU(hn::Mul(scale, hn::LoadU(d, &side.weight[at])), d, &scratch.coefficient[at]);
    }
  }
}

// Searches the spots of a part under one staged shift for kPositions position models.
template <WallVolatility kVolatility, int kPositions>
void SearchSpots(const Row& row, const WallPart& part, std::size_t position, std::size_t row_stride, double* out) {
  // Two vectors keep both multiply-add units busy; more position models take their registers.
  constexpr int kVectors = kPositions == 1 ? 4 : 2;
  const std::size_t lanes = hn::Lanes(D());
  const std::vector<double>& spot = row.spots->spot;
  for (std::size_t j = part.spot_begin; j < part.spot_end;) {
    const bool wide = j % kWallSpots + kVectors * lanes <= kWallSpots && part.spot_end - j > (kVectors - 1) * lanes;
    const std::size_t count = std::min((wide ? kVectors : 1) * lanes, part.spot_end - j);
    // The spot from which the first strike is seen: the lowest for calls, the highest for puts.
    const double nearest = row.side->right > 0.0 ? spot[j] : -spot[j + count - 1];
    const std::size_t first = row.side->first_strike(nearest);
    alignas(64) double wall[kPositions * kWallSpots];
    Bound<kVolatility, kPositions>(row, position, first, j, j + count);
    if (wide) {
      Search<kVolatility, kPositions, kVectors>(row, position, first, j, wall);
    } else {
      Search<kVolatility, kPositions, 1>(row, position, first, j, wall);
    }
    for (int p = 0; p < kPositions; ++p) {
      std::copy_n(wall + static_cast<std::size_t>(p) * kWallSpots, count,
                  out + static_cast<std::size_t>(p) * row_stride + j);
    }
    j += count;
  }
}

template <WallVolatility kVolatility>
void SearchPart(const WallJob& job, const Row& row, const WallPart& part, std::size_t shift, double* wall) {
  const std::size_t row_stride = job.grid.iv_shift.size() * job.at.size();
  for (std::size_t w = 0; w < job.positions;) {
    double* out = wall + w * row_stride + shift * job.at.size();
    const std::size_t left = job.positions - w;
    if (left >= 4) {
      SearchSpots<kVolatility, 4>(row, part, w, row_stride, out);
      w += 4;
    } else if (left >= 2) {
      SearchSpots<kVolatility, 2>(row, part, w, row_stride, out);
      w += 2;
    } else {
      SearchSpots<kVolatility, 1>(row, part, w, row_stride, out);
      w += 1;
    }
  }
}

void FindWalls(const WallJob& job, const WallSide& side, const WallSpots& spots, const WallPart& part,
               WallScratch* scratch, double* wall) {
  const WallVolatility volatility = wall_volatility(job);
  if (volatility == WallVolatility::kTabulated && side.contracts > 0) {
    const double nearest = side.right > 0.0 ? spots.spot[part.spot_begin] : -spots.spot[part.spot_end - 1];
    Tabulate(job, side, spots, part.spot_begin, side.begin[side.first_strike(nearest)], *scratch);
  }
  const Row row = {&side, scratch, &spots, job.grid.iv_floor, job.grid.iv_rule_parameter};
  for (std::size_t v = part.shift_begin; v < part.shift_end; ++v) {
    Stage(job, side, volatility, job.grid.iv_shift[v], *scratch);
    switch (volatility) {
      case WallVolatility::kFixed:
        SearchPart<WallVolatility::kFixed>(job, row, part, v, wall);
        break;
      case WallVolatility::kRelativeBeta:
        SearchPart<WallVolatility::kRelativeBeta>(job, row, part, v, wall);
        break;
      case WallVolatility::kTabulated:
        SearchPart<WallVolatility::kTabulated>(job, row, part, v, wall);
        break;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {

HWY_EXPORT(FindWalls);

WallSpots make_wall_spots(const WallJob& job) {
  const std::size_t padded = (job.at.size() + kWallSpots - 1) / kWallSpots * kWallSpots;
  WallSpots spots;
  spots.spot.assign(padded, std::numeric_limits<double>::quiet_NaN());
  spots.x.assign(padded, 0.0);
  for (std::size_t j = 0; j < job.at.size(); ++j) {
    spots.spot[j] = job.at[j];
    spots.x[j] = formulas::log_moneyness(job.at[j], job.book.spot);
  }
  return spots;
}

void find_walls(const WallJob& job, const WallSide& side, const WallSpots& spots, const WallPart& part,
                WallScratch& scratch, double* wall) {
  HWY_DYNAMIC_DISPATCH(FindWalls)(job, side, spots, part, &scratch, wall);
}

}  // namespace greekgrid::cpu
#endif

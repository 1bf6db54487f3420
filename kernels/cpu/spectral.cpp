// The spectral evaluator, compiled once per instruction set by Highway and chosen at run time.

#include "cpu/spectral.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

#include "cpu/moments.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/spectral.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// Behind them, and once per instruction set.
#include "cpu/normal_vectors.inc"

#ifndef GREEKGRID_CPU_SPECTRAL_ONCE
#define GREEKGRID_CPU_SPECTRAL_ONCE
namespace greekgrid::cpu {

// Contracts summed at the nodes in one precision before their sums are carried in fp64; in single precision they are
// summed by fewer first, and these sums then: the rounding of a sum is one of its size.
inline constexpr std::size_t kNodeBlock = 64;
inline constexpr std::size_t kNodeGroup = 16;
// Levels begin at multiples of so many contracts.
inline constexpr std::size_t kInStep = 8;
static_assert(kNodeBlock % kNodeGroup == 0 && kNodeGroup % kInStep == 0);
inline constexpr double kDensity = 0.39894228040143267794;
// s = sigma sqrt(tau) above which a contract is evaluated directly: what the anchors take from exp(-d1^2/2) may
// underflow there where d2 matters.
inline constexpr double kWidest = 5.0;
// |d| from which a contract's densities and their Hermite functions are below 1e-5.
inline constexpr double kUnfelt = 6.0;
// Standard deviations of a sum of independent rounding errors that its estimate stands for, and the deviation of one
// contract's term in units of half an ulp of its magnitude: at the nodes, and at spots, where d and the distribution
// are rounded more often.
inline constexpr double kDeviations = 4.0;
inline constexpr double kRoundingAtNodes = 0.4;
inline constexpr double kRoundingAtSpots = 1.0;
// Rows and vectors of a block of a product: its sums stay in registers.
inline constexpr std::size_t kProductRows = 3;
inline constexpr std::size_t kProductVectors = 4;
// Functions or families of a row, padded to blocks of products.
inline constexpr std::size_t kMostRows = 15;
static_assert(kMostRows % kProductRows == 0 && kMostRows >= spectral::kFunctionCount &&
              kMostRows >= spectral::kFamilyCount);
// Coefficients of one degree's parity, and those of a function with room for a vector to read behind them.
inline constexpr std::size_t kHalfNodes = spectral::kMostNodes / 2;
inline constexpr std::size_t kHalfCoefficients = spectral::kCoefficients / 2;
inline constexpr std::size_t kParity = kHalfCoefficients + 12;
// A series: its coefficients of even degree, then those of odd one, each with room for a vector to read behind them.
inline constexpr std::size_t kSeries = 2 * kParity;

// By parity: 1/(2k), and T_k(0) of even degrees but 0, which integrals have no say in.
struct SeriesConstants {
  double half_inverse_even[kParity] = {};
  double half_inverse_odd[kParity] = {};
  double at_zero[kParity] = {};
};
inline constexpr SeriesConstants kSeriesConstants = [] {
  SeriesConstants constants;
  for (std::size_t m = 0; m < kParity; ++m) {
    if (m > 0) constants.half_inverse_even[m] = 0.25 / static_cast<double>(m);
    constants.half_inverse_odd[m] = 0.5 / static_cast<double>(2 * m + 1);
    if (m > 0) constants.at_zero[m] = m % 2 == 0 ? 1.0 : -1.0;
  }
  return constants;
}();

template <class Real>
struct NodeColumns {
  AlignedVector<Real> width, at_centre, top, s;  // (n)
  AlignedVector<Real> weight, density, bond;     // (n) u, u exp(-d1^2/2) at the anchor, w K e^{-r tau}
  AlignedVector<Real> origin, rest;              // (n) single precision: d1 = width (t - origin) + rest
  std::array<AlignedVector<Real>*, 9> all() {
    return {&width, &at_centre, &top, &s, &weight, &density, &bond, &origin, &rest};
  }
  void resize(std::size_t n) {
    if (width.size() >= n) return;
    for (auto* column : all()) column->resize(n);
  }
};

// What the product to coefficients reads and writes: in fp64, for its errors would be those of families that cancel.
struct AnalysisScratch {
  AlignedVector<double> folded = AlignedVector<double>(2 * kMostRows * kHalfNodes);  // sums and differences of nodes
  AlignedVector<double> parity = AlignedVector<double>(2 * kMostRows * kHalfNodes);  // coefficients, even and odd
};

// The same of the product to spots, in its precision.
template <class Real>
struct ExpansionScratch {
  AlignedVector<Real> split = AlignedVector<Real>(2 * kMostRows * kHalfCoefficients);  // coefficients, even and odd
  AlignedVector<Real> half;  // (2, kMostRows, half of the spots)
};

// Sums over the contracts of an expiry that errors are bounded by.
struct GrossSums {
  spectral::PowerSums sum = {}, square = {};
  double bond_square = 0.0;  // of w K e^{-r tau}
};

// Asks for a row's memory, which is written when all contracts are summed and lies in no cache as a rule: a few lines
// at a time, since more would wait for each other.
class RowAhead {
 public:
  RowAhead() = default;
  // Of so many surfaces; `calls` are expected.
  RowAhead(double* out, std::size_t out_stride, std::size_t surfaces, std::size_t spots, std::size_t calls)
      : out_(out),
        out_stride_(out_stride),
        last_(spots - 1),
        lines_(spots / kLine + 1),
        all_(lines_ * surfaces),
        step_(all_ / std::max<std::size_t>(calls, 1) + 1) {}
  void ask() {
    for (const std::size_t end = std::min(next_ + step_, all_); next_ < end; ++next_) {
      const std::size_t spot = std::min(next_ % lines_ * kLine, last_);
      __builtin_prefetch(out_ + next_ / lines_ * out_stride_ + spot, 1, 3);
    }
  }

 private:
  static constexpr std::size_t kLine = 64 / sizeof(double);
  double* out_ = nullptr;
  std::size_t out_stride_ = 0, last_ = 0, lines_ = 1, all_ = 0, step_ = 0, next_ = 0;
};

struct SpectralScratch {
  ScratchPointer brute = make_scratch();
  NodeColumns<float> staged32;
  NodeColumns<double> staged64;
  AnalysisScratch analysis;
  ExpansionScratch<float> expansion32;
  ExpansionScratch<double> expansion64;
  AlignedVector<double> at_nodes;  // (kFamilyCount, nodes of all levels)
  AlignedVector<double> series = AlignedVector<double>(spectral::kFamilyCount * 4 * kSeries);  // (family, depth, k)
  AlignedVector<double> functions = AlignedVector<double>(spectral::kFunctionCount * kSeries);
  AlignedVector<double> grown = AlignedVector<double>(kSeries);
  std::vector<double> steps;  // (J + 1)
  SpectralPosition::Contracts direct;
  RowAhead ahead;
};

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr bool HasTop(std::uint32_t tops, spectral::Top top) {
  return (tops >> top & 1U) != 0;
}

// Adds magnitudes of u, and their squares, times powers of a.
template <class V>
struct GrossVectors {
  V sum[4], square[4];
  HWY_INLINE void clear(V zero) {
    for (int k = 0; k < 4; ++k) sum[k] = square[k] = zero;
  }
  HWY_INLINE void add(const V (&powers)[4]) { add(powers, powers); }
  HWY_INLINE void add(const V (&powers)[4], const V (&felt)[4]) {
    for (int k = 0; k < 4; ++k) {
      sum[k] = hn::Add(sum[k], hn::Abs(powers[k]));
      square[k] = hn::MulAdd(felt[k], felt[k], square[k]);
    }
  }
  template <class D>
  HWY_INLINE void carry(D d, GrossSums& gross) const {
    for (std::size_t k = 0; k < 4; ++k) {
      gross.sum[k] += hn::GetLane(hn::SumOfLanes(d, sum[k]));
      gross.square[k] += hn::GetLane(hn::SumOfLanes(d, square[k]));
    }
  }
};

// One expiry in one row: tau > 0.
struct RowExpiry {
  double tau, rate, dividend_yield;
  double shift, floor;  // vol
  double root, discount_q, discount_r;
  const double* factor;  // of the families, padded
};

template <class Real>
HWY_INLINE hn::Vec<hn::ScalableTag<double>> LoadAs(const Real* from) {
  const hn::ScalableTag<double> d64;
  if constexpr (sizeof(Real) == 8) {
    return hn::LoadU(d64, from);
  } else {
#if HWY_TARGET == HWY_SCALAR
    return hn::Set(d64, static_cast<double>(*from));
#else
    const hn::Rebind<float, decltype(d64)> d32;
    return hn::PromoteTo(d64, hn::LoadU(d32, from));
#endif
  }
}

// exp(-q/2) by a polynomial, 0 <= q <= kClamp^2.
template <const auto& kExp, class D>
HWY_INLINE hn::Vec<D> Density(D d, hn::Vec<D> q) {
  using Real = hn::TFromD<D>;
  const hn::RebindToSigned<D> di;
  const auto magic = hn::Set(d, Constants<Real>::kMagic);
  const auto scale = hn::Set(d, Real(-0.72134752044448170368));  // -log2(e)/2
  const auto shifted = hn::MulAdd(q, scale, magic);
  const auto f = hn::MulSub(q, scale, hn::Sub(shifted, magic));
  auto e = hn::Set(d, kExp[0]);
  [&]<std::size_t... c>(std::index_sequence<c...>) HWY_ATTR {
    ((e = hn::MulAdd(e, f, hn::Set(d, kExp[c + 1]))), ...);
  }
  (std::make_index_sequence<std::size(kExp) - 1>());
  const auto exponent = hn::ShiftLeft<Constants<Real>::kExponentShift>(hn::BitCast(di, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, e), exponent));
}

// From contracts to what the loops over them read, in fp64 throughout, with the integrals at the anchor that others are
// made of: their errors would be carried to the ends of the interval. The tail is filled with contracts of no weight.
// Returns their count with the tail.
template <bool kBond, const auto& kExp, class Real>
std::size_t StageNodes(const SpectralPosition::Contracts& contracts, std::size_t begin, std::size_t end,
                       const RowExpiry& expiry, const spectral::Interval& interval, NodeColumns<Real>& staged,
                       GrossSums& gross, spectral::AnchorSums& anchor) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t n = end - begin;
  const std::size_t padded = (n + kRowPad - 1) / kRowPad * kRowPad;
  staged.resize(padded);
  const auto set = [&](double value) { return hn::Set(d, value); };
  const V root = set(expiry.root);
  const V carry = set((expiry.rate - expiry.dividend_yield) * expiry.tau + interval.centre);
  const V discount_q = set(expiry.discount_q);
  const V discount_r = set(expiry.discount_r);
  const V half = set(0.5), one = set(1.0), three = set(3.0), shift = set(expiry.shift), floor = set(expiry.floor);
  const V unfelt = set(kUnfelt), half_width = set(interval.half_width), per_half_width = set(1.0 / interval.half_width);
  const V clamp = set(static_cast<double>(Constants<Real>::kClamp * Constants<Real>::kClamp));
  enum { kH10, kH11, kH00, kH01, kHm10, kH13, kH02, kHm11, kBondSquare, kCount };
  V acc[kCount];
  for (V& sum : acc) sum = hn::Zero(d);
  GrossVectors<V> sums;
  sums.clear(hn::Zero(d));
  for (std::size_t i = 0; i < padded; i += lanes) {
    if (i >= n) {
      for (auto* column : staged.all()) StoreAs(hn::Zero(d), column->data() + i);
      continue;
    }
    const V sigma = hn::Max(floor, hn::Add(hn::LoadU(d, contracts.sigma.data() + begin + i), shift));
    const V s = hn::Mul(sigma, root);
    const V a = hn::Div(one, s);
    const V m = hn::Add(hn::LoadU(d, contracts.log_moneyness.data() + begin + i), carry);
    const V x = hn::MulAdd(m, a, hn::Mul(half, s));
    V weight = hn::LoadU(d, contracts.weight.data() + begin + i);
    if (n - i < lanes) weight = hn::IfThenElseZero(hn::FirstN(d, n - i), weight);
    const V u = hn::Mul(weight, discount_q);
    const V ua = hn::Mul(u, a);
    const V powers[4] = {hn::Mul(ua, a), ua, u, hn::Mul(u, s)};
    const V width = hn::Mul(a, half_width);
    // What no spot of the grid comes near has a distribution, and densities of which nothing is left to be rounded.
    const auto felt = hn::Lt(hn::Sub(hn::Abs(x), width), unfelt);
    sums.add(powers, {hn::IfThenElseZero(felt, powers[0]), hn::IfThenElseZero(felt, powers[1]), u,
                      hn::IfThenElseZero(felt, powers[3])});
    const V q = hn::Min(hn::Mul(x, x), clamp);
    const V e = Density<kExp>(d, q);
    const V p1 = hn::Mul(ua, e);
    const V p0 = hn::Mul(u, e);
    const V pm1 = hn::Mul(powers[3], e);
    StoreAs(width, staged.width.data() + i);
    StoreAs(x, staged.at_centre.data() + i);
    if constexpr (sizeof(Real) == 4) {
      // A narrow contract's d1 is a small difference of large numbers: its origin is one that t is taken from exactly.
      const V origin = hn::Neg(hn::Mul(hn::MulAdd(hn::Mul(half, s), s, m), per_half_width));
      StoreAs(origin, staged.origin.data() + i);
      const V rounded = LoadAs(staged.origin.data() + i);
      StoreAs(hn::Mul(width, hn::Sub(rounded, origin)), staged.rest.data() + i);
    }
    StoreAs(powers[0], staged.top.data() + i);
    StoreAs(s, staged.s.data() + i);
    StoreAs(u, staged.weight.data() + i);
    StoreAs(p0, staged.density.data() + i);
    const V p1x = hn::Mul(p1, x);
    acc[kH10] = hn::Add(acc[kH10], p1);
    acc[kH11] = hn::Add(acc[kH11], p1x);
    acc[kH00] = hn::Add(acc[kH00], p0);
    acc[kH01] = hn::MulAdd(p0, x, acc[kH01]);
    acc[kHm10] = hn::Add(acc[kHm10], pm1);
    acc[kH13] = hn::MulAdd(p1x, hn::Sub(q, three), acc[kH13]);
    acc[kH02] = hn::MulAdd(p0, hn::Sub(q, one), acc[kH02]);
    acc[kHm11] = hn::MulAdd(pm1, x, acc[kHm11]);
    if constexpr (kBond) {
      const V owed = hn::Mul(hn::Mul(weight, hn::LoadU(d, contracts.strike.data() + begin + i)), discount_r);
      acc[kBondSquare] = hn::MulAdd(owed, owed, acc[kBondSquare]);
      StoreAs(owed, staged.bond.data() + i);
    }
  }
  sums.carry(d, gross);
  const auto total = [&](int sum) { return hn::GetLane(hn::SumOfLanes(d, acc[sum])); };
  gross.bond_square += total(kBondSquare);
  anchor.h10 += kDensity * total(kH10);
  anchor.h11 += kDensity * total(kH11);
  anchor.h00 += kDensity * total(kH00);
  anchor.h01 += kDensity * total(kH01);
  anchor.hm10 += kDensity * total(kHm10);
  anchor.h13 += kDensity * total(kH13);
  anchor.h02 += kDensity * total(kH02);
  anchor.hm11 += kDensity * total(kHm11);
  return padded;
}

// d1 of the contracts from i on, at t.
template <class D, class Real>
HWY_INLINE hn::Vec<D> Deviate(D d, const NodeColumns<Real>& staged, std::size_t i, hn::Vec<D> t) {
  const auto load = [&](const AlignedVector<Real>& from) { return hn::LoadU(d, from.data() + i); };
  if constexpr (sizeof(Real) == 4) {
    return hn::MulAdd(load(staged.width), hn::Sub(t, load(staged.origin)), load(staged.rest));
  } else {
    return hn::MulAdd(load(staged.width), t, load(staged.at_centre));
  }
}

template <class D>
HWY_INLINE double SumLanes(D d, hn::Vec<D> value) {
  HWY_ALIGN hn::TFromD<D> lane[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)];
  hn::Store(value, d, lane);
  double sum = 0.0;
  for (std::size_t k = 0; k < hn::Lanes(d); ++k) sum += static_cast<double>(lane[k]);
  return sum;
}

// The second integrals of the tops but H21 at the ends of the interval.
struct EndSums {
  std::array<double, spectral::kTopCount> low = {}, high = {};
};

// What nothing else is made of: the distributions at the anchor, and what pins integrals at the ends; lanes are
// contracts.
template <bool kBond, bool kEnds, class Real>
void SumAlone(const NodeColumns<Real>& staged, std::size_t padded, double centre_spot, spectral::AnchorSums& anchor,
              EndSums& ends) {
  const hn::ScalableTag<Real> d;
  using V = hn::Vec<decltype(d)>;
  V c1 = hn::Zero(d), c2 = hn::Zero(d);
  V end[2][spectral::kTopCount];
  for (auto& sums : end) std::fill(std::begin(sums), std::end(sums), hn::Zero(d));
  const V zero = hn::Zero(d), half = hn::Set(d, Real(0.5)), spot = hn::Set(d, static_cast<Real>(centre_spot));
  for (std::size_t i = 0; i < padded; i += hn::Lanes(d)) {
    const V density = hn::LoadU(d, staged.density.data() + i);
    const Several<V, 1> d1 = {{hn::LoadU(d, staged.at_centre.data() + i)}};
    const V s = hn::LoadU(d, staged.s.data() + i);
    const Several<V, 1> d2 = {{hn::Sub(d1.at[0], s)}};
    const auto parts = EvaluateNormal<true, kBond>(d, Magnitude(d, d1), Magnitude(d, d2));
    const V u = hn::LoadU(d, staged.weight.data() + i);
    const V centred1 = hn::MulSub(half, u, hn::Mul(density, parts.mills1.at[0]));
    c1 = hn::Add(c1, hn::IfThenElse(hn::Lt(d1.at[0], zero), hn::Neg(centred1), centred1));
    if constexpr (kBond) {
      // K e^{-r tau} exp(-d2^2/2) = S e^{-q tau} exp(-d1^2/2).
      const V tail = hn::Mul(hn::Mul(spot, density), parts.mills2.at[0]);
      const V centred2 = hn::MulSub(half, hn::LoadU(d, staged.bond.data() + i), tail);
      c2 = hn::Add(c2, hn::IfThenElse(hn::Lt(d2.at[0], zero), hn::Neg(centred2), centred2));
    }
    if constexpr (kEnds) {
      const V clamp = hn::Set(d, Constants<Real>::kClamp * Constants<Real>::kClamp);
      for (int side = 0; side < 2; ++side) {
        using enum spectral::Top;
        const V x = Deviate(d, staged, i, hn::Set(d, side == 0 ? Real(-1) : Real(1)));
        const V q = hn::Min(hn::Mul(x, x), clamp);
        const V ue = hn::Mul(u, Density<kNodeExp2<Real>>(d, q));
        end[side][kH12] = hn::MulAdd(ue, s, end[side][kH12]);
        end[side][kH22] = hn::Add(end[side][kH22], ue);
        end[side][kH24] = hn::Add(end[side][kH24], hn::MulSub(ue, q, ue));
      }
    }
  }
  anchor.c1 += SumLanes(d, c1);
  anchor.c2 += SumLanes(d, c2);
  if constexpr (kEnds) {
    for (const auto top : {spectral::kH12, spectral::kH22, spectral::kH24}) {
      ends.low[top] += kDensity * SumLanes(d, end[0][top]);
      ends.high[top] += kDensity * SumLanes(d, end[1][top]);
    }
  }
}

// Makes the families at a vector of nodes factor times the tops, or adds that to them.
template <bool kAdd, class D, class V>
HWY_INLINE void FoldTops([[maybe_unused]] D d, const V* tops, std::uint32_t families, const double* factors,
                         std::size_t stride, double* HWY_RESTRICT out) {
  const hn::ScalableTag<double> d64;
  const auto fold = [&](double factor, hn::Vec<decltype(d64)> top, double* HWY_RESTRICT to) HWY_ATTR {
    const auto scale = hn::Set(d64, factor);
    hn::StoreU(kAdd ? hn::MulAdd(scale, top, hn::LoadU(d64, to)) : hn::Mul(scale, top), d64, to);
  };
  for (std::uint32_t left = families; left != 0; left &= left - 1) {
    const auto f = static_cast<std::size_t>(std::countr_zero(left));
    const V top = tops[spectral::top_of(static_cast<spectral::Family>(f))];
    double* HWY_RESTRICT to = out + f * stride;
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      fold(factors[f], top, to);
    } else {
#if HWY_TARGET == HWY_SCALAR
      fold(factors[f], hn::Set(d64, static_cast<double>(hn::GetLane(top))), to);
#else
      const hn::Half<D> half;
      fold(factors[f], hn::PromoteTo(d64, hn::LowerHalf(half, top)), to);
      fold(factors[f], hn::PromoteTo(d64, hn::UpperHalf(half, top)), to + hn::Lanes(d64));
#endif
    }
  }
}

// The sums at the nodes of a level: lanes are nodes, contracts are broadcast, K of them advance together.
template <std::uint32_t kTops, const auto& kExp, class Real>
void SumTops(const NodeColumns<Real>& staged, std::size_t first, std::size_t last, const Real* HWY_RESTRICT node,
             std::size_t nodes, std::uint32_t families, const double* factors, std::size_t stride, bool adds,
             double* HWY_RESTRICT out) {
  const hn::ScalableTag<Real> d;
  const hn::RebindToSigned<decltype(d)> di;
  using V = hn::Vec<decltype(d)>;
  // Contracts in step, as many as there are registers for: fewer wait for their own results.
  constexpr int K = static_cast<int>(HWY_TARGET <= HWY_AVX3 ? kInStep : kInStep / 2);
  const std::size_t lanes = hn::Lanes(d);
  const Real* HWY_RESTRICT width = staged.width.data();
  [[maybe_unused]] const Real* HWY_RESTRICT at_centre = staged.at_centre.data();
  [[maybe_unused]] const Real* HWY_RESTRICT origin = staged.origin.data();
  [[maybe_unused]] const Real* HWY_RESTRICT rest = staged.rest.data();
  const Real* HWY_RESTRICT weight = staged.top.data();
  const Real* HWY_RESTRICT deviation = staged.s.data();
  const V clamp = hn::Set(d, Constants<Real>::kClamp * Constants<Real>::kClamp);
  const V magic = hn::Set(d, Constants<Real>::kMagic);
  const V scale = hn::Set(d, Real(-0.72134752044448170368));  // -log2(e)/2
  const V three = hn::Set(d, Real(3)), six = hn::Set(d, Real(6));
  constexpr std::size_t kExpCount = std::size(kExp);
  for (std::size_t k0 = 0; k0 < nodes; k0 += lanes) {
    const V t = hn::LoadU(d, node + k0);
    for (std::size_t begin = first; begin < last; begin += kNodeBlock) {
      const std::size_t end = std::min(begin + kNodeBlock, last);
      V acc[spectral::kTopCount], total[spectral::kTopCount];
      for (V& sum : acc) sum = hn::Zero(d);
      for (V& sum : total) sum = hn::Zero(d);
      for (std::size_t i = begin; i < end; i += static_cast<std::size_t>(K)) {
        if constexpr (sizeof(Real) == 4) {
          if (i > begin && (i - begin) % kNodeGroup == 0) {
            for (int top = 0; top < spectral::kTopCount; ++top) {
              if (!HasTop(kTops, static_cast<spectral::Top>(top))) continue;
              total[top] = hn::Add(total[top], acc[top]);
              acc[top] = hn::Zero(d);
            }
          }
        }
        const auto load = [&](const Real* HWY_RESTRICT from, int k) {
          return hn::Set(d, from[i + static_cast<std::size_t>(k)]);
        };
        V x[K], q[K], shifted[K], f[K], e[K];
        for (int k = 0; k < K; ++k) {
          if constexpr (sizeof(Real) == 4) {
            x[k] = hn::MulAdd(load(width, k), hn::Sub(t, load(origin, k)), load(rest, k));
          } else {
            x[k] = hn::MulAdd(load(width, k), t, load(at_centre, k));
          }
        }
        for (int k = 0; k < K; ++k) q[k] = hn::Min(hn::Mul(x[k], x[k]), clamp);
        for (int k = 0; k < K; ++k) shifted[k] = hn::MulAdd(q[k], scale, magic);
        for (int k = 0; k < K; ++k) f[k] = hn::MulSub(q[k], scale, hn::Sub(shifted[k], magic));
        for (int k = 0; k < K; ++k) e[k] = hn::Set(d, kExp[0]);
#pragma GCC unroll 16
        for (std::size_t c = 1; c < kExpCount; ++c) {
          const V next = hn::Set(d, kExp[c]);
          for (int k = 0; k < K; ++k) e[k] = hn::MulAdd(e[k], f[k], next);
        }
        for (int k = 0; k < K; ++k) {
          const auto exponent = hn::ShiftLeft<Constants<Real>::kExponentShift>(hn::BitCast(di, shifted[k]));
          e[k] = hn::Mul(hn::BitCast(d, hn::Add(hn::BitCast(di, e[k]), exponent)), load(weight, k));
        }
        for (int k = 0; k < K; ++k) {
          using enum spectral::Top;
          if constexpr (HasTop(kTops, kH21)) acc[kH21] = hn::MulAdd(e[k], x[k], acc[kH21]);
          const V second = hn::MulSub(e[k], q[k], e[k]);
          if constexpr (HasTop(kTops, kH22)) acc[kH22] = hn::Add(acc[kH22], second);
          if constexpr (HasTop(kTops, kH12)) acc[kH12] = hn::MulAdd(second, load(deviation, k), acc[kH12]);
          if constexpr (HasTop(kTops, kH24)) {
            const V r = hn::Sub(q[k], three);
            acc[kH24] = hn::MulAdd(e[k], hn::MulSub(r, r, six), acc[kH24]);
          }
        }
      }
      for (int top = 0; top < spectral::kTopCount; ++top) acc[top] = hn::Add(acc[top], total[top]);
      if (adds || begin > first) {
        FoldTops<true>(d, acc, families, factors, stride, out + k0);
      } else {
        FoldTops<false>(d, acc, families, factors, stride, out + k0);
      }
    }
  }
}

// Chooses the loop of the tops that a job needs.
template <class Real>
void SumLevel(std::uint32_t tops, bool exact, const NodeColumns<Real>& staged, std::size_t first, std::size_t last,
              const Real* node, std::size_t nodes, std::uint32_t families, const double* factors, std::size_t stride,
              bool adds, double* out) {
  const auto run = [&]<std::uint32_t kTops>() {
    if constexpr (sizeof(Real) == 8) {
      if (exact) {
        SumTops<kTops, kExp2<Real>>(staged, first, last, node, nodes, families, factors, stride, adds, out);
        return;
      }
    }
    SumTops<kTops, kNodeExp2<Real>>(staged, first, last, node, nodes, families, factors, stride, adds, out);
  };
  using enum spectral::Top;
  constexpr std::uint32_t k21 = 1U << kH21, k2112 = k21 | 1U << kH12, k3 = k2112 | 1U << kH22, k4 = k3 | 1U << kH24;
  if (tops == k21) {
    run.template operator()<k21>();
  } else if ((tops & ~k2112) == 0) {
    run.template operator()<k2112>();
  } else if ((tops & ~k3) == 0) {
    run.template operator()<k3>();
  } else {
    run.template operator()<k4>();
  }
}

// kRows rows of out (+)= a b over kVectors vectors of columns.
template <std::size_t kRows, std::size_t kVectors, bool kAdd, class D, class Real>
HWY_INLINE void ProductBlock(D d, const Real* HWY_RESTRICT a, std::size_t a_stride, const Real* HWY_RESTRICT b,
                             std::size_t b_stride, std::size_t inner, Real* HWY_RESTRICT out, std::size_t out_stride) {
  using V = hn::Vec<D>;
  const std::size_t lanes = hn::Lanes(d);
  V acc[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v)
      acc[r][v] = kAdd ? hn::LoadU(d, out + r * out_stride + v * lanes) : hn::Zero(d);
  }
  // The highest degrees first, small as they are: rounding is of the size that a sum has reached.
  for (std::size_t k = inner; k-- > 0;) {
    V column[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) column[v] = hn::LoadU(d, b + k * b_stride + v * lanes);
    for (std::size_t r = 0; r < kRows; ++r) {
      const V left = hn::Set(d, a[r * a_stride + k]);
      for (std::size_t v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(left, column[v], acc[r][v]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, out + r * out_stride + v * lanes);
  }
}

// Rows of a strip of kVectors vectors, the largest blocks first: of narrow strips they have more rows.
template <std::size_t kVectors, bool kAdd, class D, class Real>
HWY_INLINE void MultiplyStrip(D d, const Real* a, std::size_t a_stride, const Real* b, std::size_t b_stride,
                              std::size_t rows, std::size_t inner, Real* out, std::size_t out_stride) {
  // As many sums as there are registers for beside what they are made of.
  constexpr bool kMany = HWY_TARGET <= HWY_AVX3;
  constexpr std::size_t kFew = kVectors <= 2 ? 2 : 1, kLarge = kVectors == 4 ? 2 : kVectors == 3 ? 3 : 4;
  constexpr std::size_t kMost = kMany ? kLarge : kFew;
  std::size_t r = 0;
  const auto blocks = [&]<std::size_t kTimes>() HWY_ATTR {
    constexpr std::size_t kRows = kTimes * kProductRows;
    if constexpr (kTimes <= kMost) {
      for (; r + kRows <= rows; r += kRows) {
        ProductBlock<kRows, kVectors, kAdd>(d, a + r * a_stride, a_stride, b, b_stride, inner, out + r * out_stride,
                                            out_stride);
      }
    }
  };
  blocks.template operator()<4>();
  blocks.template operator()<3>();
  blocks.template operator()<2>();
  blocks.template operator()<1>();
}

// out (rows, columns) (+)= a (rows, inner) b (inner, columns); rows in whole blocks, columns in whole vectors.
template <bool kAdd, class Real>
void Multiply(const Real* a, std::size_t a_stride, const Real* b, std::size_t b_stride, std::size_t rows,
              std::size_t inner, std::size_t columns, Real* out, std::size_t out_stride) {
  const hn::CappedTag<Real, kRowPad> d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t vectors = columns / lanes;
  for (std::size_t v = 0; v < vectors;) {
    // As even as they go: 13 vectors are 4 + 3 + 3 + 3.
    const std::size_t strips = (vectors - v + kProductVectors - 1) / kProductVectors;
    const std::size_t now = (vectors - v + strips - 1) / strips;
    const auto strip = [&]<std::size_t kVectors>() {
      MultiplyStrip<kVectors, kAdd>(d, a, a_stride, b + v * lanes, b_stride, rows, inner, out + v * lanes, out_stride);
    };
    if (now == 4) {
      strip.template operator()<4>();
    } else if (now == 3) {
      strip.template operator()<3>();
    } else if (now == 2) {
      strip.template operator()<2>();
    } else {
      strip.template operator()<1>();
    }
    v += now;
  }
}

// From the sums at nodes to coefficients of the families, depth 0 of the series, up to `count` of them.
void Analyse(std::uint32_t families, const SpectralTables& tables, std::uint32_t levels, std::size_t most,
             std::size_t count, SpectralScratch& scratch) {
  constexpr std::size_t kOdd = kMostRows * kHalfNodes;
  const hn::CappedTag<double, kRowPad> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto rows = static_cast<std::size_t>(std::popcount(families));
  const std::size_t padded = (rows + kProductRows - 1) / kProductRows * kProductRows;
  double* HWY_RESTRICT folded = scratch.analysis.folded.data();
  double* HWY_RESTRICT parity = scratch.analysis.parity.data();
  // The highest level writes all coefficients, the others add to theirs.
  bool adds = false;
  for (std::size_t l = tables.levels->level.size(); l-- > 0;) {
    if ((levels >> l & 1U) == 0) continue;
    const NodeLevel& level = tables.levels->level[l];
    const std::size_t n = level.level.nodes;
    std::size_t row = 0;
    for (std::uint32_t left = families; left != 0; left &= left - 1, ++row) {
      const auto f = static_cast<std::size_t>(std::countr_zero(left));
      const double* HWY_RESTRICT v = scratch.at_nodes.data() + f * tables.levels->nodes + level.at;
      for (std::size_t k = 0; k < n / 2; k += lanes) {
        const auto up = hn::LoadU(d, v + k);
        const auto down = hn::Reverse(d, hn::LoadU(d, v + (n - lanes - k)));
        hn::StoreU(hn::Add(up, down), d, folded + row * kHalfNodes + k);
        hn::StoreU(hn::Sub(up, down), d, folded + kOdd + row * kHalfNodes + k);
      }
    }
    const std::size_t columns = (n / 2 + lanes - 1) / lanes * lanes;
    const auto multiply = [&](const double* from, const AlignedVector<double>& by, double* to) {
      (adds ? Multiply<true, double> : Multiply<false, double>)(from, kHalfNodes, by.data(), level.padded, padded,
                                                                n / 2, columns, to, kHalfNodes);
    };
    multiply(folded, level.even, parity);
    multiply(folded + kOdd, level.odd, parity + kOdd);
    adds = true;
  }
  std::size_t row = 0;
  for (std::uint32_t left = families; left != 0; left &= left - 1, ++row) {
    double* HWY_RESTRICT to = scratch.series.data() + static_cast<std::size_t>(std::countr_zero(left)) * 4 * kSeries;
    const double* HWY_RESTRICT from = parity + row * kHalfNodes;
    for (const std::size_t half : {std::size_t{0}, kParity}) {
      std::copy_n(from + (half == 0 ? 0 : kOdd), most / 2, to + half);
      std::fill(to + half + most / 2, to + half + count / 2 + 8, 0.0);
    }
  }
}

// factor times the integral of f, with a given value at t = 0; f is zero from `count`, an even number, on for a vector
// of either parity, and so is the result.
void Integrate(const double* HWY_RESTRICT f, std::size_t count, double factor, double anchor,
               double* HWY_RESTRICT out) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const double* HWY_RESTRICT even = f;
  const double* HWY_RESTRICT odd = f + kParity;
  const V scale = hn::Set(d, factor);
  V at_zero = hn::Zero(d);
  // Degree 2m + 1 from the even degrees 2m and 2m + 2.
  for (std::size_t m = 0; m < count / 2; m += lanes) {
    const V left = hn::Sub(hn::LoadU(d, even + m), hn::LoadU(d, even + m + 1));
    const V inverse = hn::LoadU(d, kSeriesConstants.half_inverse_odd + m);
    hn::StoreU(hn::Mul(hn::Mul(scale, inverse), left), d, out + kParity + m);
  }
  out[kParity] += factor * 0.5 * even[0];
  // Degree 2m from the odd degrees 2m - 1 and 2m + 1.
  for (std::size_t m = 1; m < count / 2; m += lanes) {
    const V left = hn::Sub(hn::LoadU(d, odd + m - 1), hn::LoadU(d, odd + m));
    const V inverse = hn::LoadU(d, kSeriesConstants.half_inverse_even + m);
    const V b = hn::Mul(hn::Mul(scale, inverse), left);
    at_zero = hn::MulAdd(b, hn::LoadU(d, kSeriesConstants.at_zero + m), at_zero);
    hn::StoreU(b, d, out + m);
  }
  out[0] = anchor - hn::GetLane(hn::SumOfLanes(d, at_zero));
  for (std::size_t m = count / 2; m < count / 2 + 8; ++m) out[m] = out[kParity + m] = 0.0;
}

// The product with the series of e^{L t}, degrees below count: T_m T_k = (T_{m+k} + T_{|m-k|})/2.
void Grow(const double* HWY_RESTRICT f, std::size_t count, const std::vector<double>& growth,
          double* HWY_RESTRICT out) {
  for (std::size_t m = 0; m < count / 2 + 8; ++m) out[m] = out[kParity + m] = 0.0;
  const auto half = [](auto* of, std::size_t degree) { return of + (degree % 2 == 0 ? 0 : kParity); };
  const hn::ScalableTag<double> d;
  // In whole vectors: what comes behind is zero, or put right at the end.
  const auto add = [&](double factor, const double* HWY_RESTRICT from, std::size_t n,
                       double* HWY_RESTRICT to) HWY_ATTR {
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
      hn::StoreU(hn::MulAdd(hn::Set(d, factor), hn::LoadU(d, from + i), hn::LoadU(d, to + i)), d, to + i);
    }
  };
  for (std::size_t m = 0; m < growth.size(); ++m) {
    const double factor = 0.5 * growth[m];
    // k of one parity at a time: those of the results follow.
    for (std::size_t parity = 0; parity < 2; ++parity) {
      const double* HWY_RESTRICT from = half(f, parity);
      double* HWY_RESTRICT to = half(out, parity + m);
      const std::size_t up = (parity + m) / 2;  // place of degree parity + m
      add(factor, from, count / 2 - std::min(up, count / 2), to + up);
      // Degree k - m of those k >= m, m - k of the others.
      const std::size_t first = m > parity ? (m - parity + 1) / 2 : 0;
      const std::size_t down = (parity + 2 * first - m) / 2;
      if (first < count / 2) add(factor, from + first, count / 2 - first, to + down);
      for (std::size_t i = 0; i < std::min(first, count / 2); ++i) {
        const std::size_t degree = m - parity - 2 * i;
        if (degree / 2 < count / 2) to[degree / 2] += factor * from[i];
      }
    }
  }
  for (double* part : {out, out + kParity}) std::fill_n(part + count / 2, 8, 0.0);
}

// Adds a t + b t^2 to a series that is exact in the middle, so that it has the given values at the ends as well.
void PinAtEnds(double* series, std::size_t count, double low, double high) {
  double even = 0.0, odd = 0.0;
  for (std::size_t m = 0; m < count / 2; ++m) {
    even += series[m];
    odd += series[kParity + m];
  }
  const double linear = 0.5 * (high - low) - odd;
  const double square = 0.5 * (high + low) - even;
  series[kParity] += linear;
  series[0] += 0.5 * square;
  series[1] += 0.5 * square;
}

// Values of the families' second integrals at the ends.
struct PinnedEnds {
  std::array<double, spectral::kFamilyCount> low = {}, high = {};
  void add(const std::array<double, spectral::kFamilyCount>& factor, const EndSums& ends) {
    for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) {
      const spectral::Top top = spectral::top_of(static_cast<spectral::Family>(f));
      low[f] += factor[f] * ends.low[top];
      high[f] += factor[f] * ends.high[top];
    }
  }
};

// From coefficients of families to those of functions, see spectral::CombinePlan.
void CombineSeries(const SpectralJob& shared, const spectral::Anchors& anchors, const PinnedEnds& pinned,
                   std::size_t count, SpectralScratch& scratch) {
  const spectral::CombinePlan& plan = shared.plan;
  const double half_width = shared.interval.half_width;
  const auto series = [&](std::size_t family, std::size_t depth) {
    return scratch.series.data() + (family * 4 + depth) * kSeries;
  };
  for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) {
    for (std::size_t k = 0; k < plan.depth[f]; ++k) {
      const bool rises = spectral::top_of(static_cast<spectral::Family>(f)) == spectral::kH21 && k == 1;
      Integrate(series(f, k), count, rises ? half_width : -half_width, anchors.of[f][k], series(f, k + 1));
      const bool pins = k == 1 && shared.pins_ends;
      if (pins && spectral::top_of(static_cast<spectral::Family>(f)) != spectral::kH21) {
        PinAtEnds(series(f, 2), count, pinned.low[f], pinned.high[f]);
      }
    }
  }
  const hn::ScalableTag<double> d;
  const std::size_t lanes = hn::Lanes(d);
  double* out = scratch.functions.data();
  for (const auto& function : plan.function) {
    if (function.function == spectral::kFThetaBond) {
      Grow(series(spectral::kF21Rate, 1), count, shared.growth_coefficients, scratch.grown.data());
      Integrate(scratch.grown.data(), count, -half_width * shared.centre_spot, -anchors.c2, out);
    } else {
      for (double* part : {out, out + kParity}) {
        const std::size_t at = static_cast<std::size_t>(part - out);
        for (std::size_t m = 0; m < count / 2; m += lanes) {
          auto sum = hn::Zero(d);
          for (std::size_t t = function.begin; t < function.end; ++t) {
            const auto& term = plan.term[t];
            sum = hn::MulAdd(hn::Set(d, term.factor), hn::LoadU(d, series(term.family, term.depth) + at + m), sum);
          }
          hn::StoreU(sum, d, part + m);
        }
      }
    }
    out += kSeries;
  }
}

// From coefficients of functions to the even and odd parts of their values at the upper half of the spots.
template <class Real>
void Expand(const SpectralTables& tables, const AlignedVector<Real>& even, const AlignedVector<Real>& odd,
            std::size_t functions, std::size_t count, ExpansionScratch<Real>& product, const SpectralScratch& scratch) {
  constexpr std::size_t kOdd = kMostRows * kHalfCoefficients;
  const std::size_t inner = count / 2;
  const std::size_t padded = (functions + kProductRows - 1) / kProductRows * kProductRows;
  product.half.resize(2 * kMostRows * tables.half);
  for (std::size_t f = 0; f < functions; ++f) {
    const double* HWY_RESTRICT from = scratch.functions.data() + f * kSeries;
    Real* HWY_RESTRICT to = product.split.data() + f * kHalfCoefficients;
    for (std::size_t m = 0; m < inner; ++m) {
      to[m] = static_cast<Real>(from[m]);
      to[kOdd + m] = static_cast<Real>(from[kParity + m]);
    }
  }
  Multiply<false>(product.split.data(), kHalfCoefficients, even.data(), tables.half, padded, inner, tables.half,
                  product.half.data(), tables.half);
  Multiply<false>(product.split.data() + kOdd, kHalfCoefficients, odd.data(), tables.half, padded, inner, tables.half,
                  product.half.data() + kMostRows * tables.half, tables.half);
}

// Writes the spots of a Greek, or adds to them, and returns the largest magnitudes: `value` gives those of the upper
// half at m, ..., m + lanes - 1 from the middle, and those of the lower half, which descend there, last first.
template <bool kAdd, class Value>
HWY_INLINE hn::Vec<hn::ScalableTag<double>> WriteSpots(std::size_t spots, const Value& value, double* HWY_RESTRICT to) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t half = (spots + 1) / 2;
  double* const up = to + spots / 2;
  double* const down = to + (spots - 1) / 2;
  V most = hn::Zero(d);
  std::size_t m = 0;
  for (; m + lanes <= half; m += lanes) {
    double* const low = down - (m + lanes - 1);
    V upper, lower;
    value(m, upper, lower);
    if constexpr (kAdd) {
      upper = hn::Add(upper, hn::LoadU(d, up + m));
      lower = hn::Add(lower, hn::LoadU(d, low));
    }
    // The middle of an odd number of spots is in both of the first vectors: the upper half's it is.
    hn::StoreU(lower, d, low);
    hn::StoreU(upper, d, up + m);
    most = hn::Max(most, hn::Max(hn::Abs(lower), hn::Abs(upper)));
  }
  if (m == half) return most;
  HWY_ALIGN double upper_part[HWY_MAX_BYTES / sizeof(double)], lower_part[HWY_MAX_BYTES / sizeof(double)];
  V upper, lower;
  value(m, upper, lower);
  hn::Store(upper, d, upper_part);
  hn::Store(lower, d, lower_part);
  const auto write = [&](double& cell, double part) HWY_ATTR {
    cell = kAdd ? cell + part : part;
    most = hn::Max(most, hn::Set(d, std::abs(cell)));
  };
  for (std::size_t k = 0; m + k < half; ++k) {
    write(up[m + k], upper_part[k]);
    if (m + k >= spots % 2) write(*(down - (m + k)), lower_part[lanes - 1 - k]);
  }
  return most;
}

// From the parts of the functions to the row's exposures, and the largest magnitudes of them.
template <bool kAdd, class Real>
void WriteRow(const SpectralJob& shared, const ExpansionScratch<Real>& product, double* out, std::size_t out_stride,
              double* largest) {
  const SpectralTables& tables = *shared.tables;
  const std::size_t spots = tables.expansion.spots;
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const double* per_spot = shared.per_spot.data() + kRowPad;
  const double* spot = shared.spot.data() + kRowPad;
  const auto part = [&](std::size_t function) { return product.half.data() + function * tables.half; };
  const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  const auto middle_up = static_cast<std::ptrdiff_t>(spots / 2),
             middle_down = static_cast<std::ptrdiff_t>((spots - 1) / 2);
  for (std::size_t slot = 0; slot < shared.plan.greeks.size(); ++slot) {
    const Real* even = part(slot);
    const Real* odd = part(kMostRows + slot);
    const Real* bond_even = part(shared.plan.function.size() - 1);
    const Real* bond_odd = part(kMostRows + shared.plan.function.size() - 1);
    double* const to = out + slot * out_stride;
    V most;
    const auto write = [&](const auto& scaled) HWY_ATTR {
      most = WriteSpots<kAdd>(
          spots,
          [&](std::size_t m, V& upper, V& lower) HWY_ATTR {
            const V e = LoadAs(even + m), o = LoadAs(odd + m);
            const auto from = static_cast<std::ptrdiff_t>(m);
            upper = scaled(hn::Add(e, o), middle_up + from);
            lower = scaled(hn::Reverse(d, hn::Sub(e, o)), middle_down - from - (lanes - 1));
          },
          to);
    };
    const spectral::Function function = shared.plan.function[slot].function;
    if (function == spectral::kFThetaSpot) {
      most = WriteSpots<kAdd>(
          spots,
          [&](std::size_t m, V& upper, V& lower) HWY_ATTR {
            const V e = LoadAs(even + m), o = LoadAs(odd + m);
            const V bond_e = LoadAs(bond_even + m), bond_o = LoadAs(bond_odd + m);
            const auto from = static_cast<std::ptrdiff_t>(m);
            const V high = hn::LoadU(d, spot + middle_up + from);
            const V low = hn::LoadU(d, spot + middle_down - from - (lanes - 1));
            upper = hn::MulAdd(hn::Add(e, o), high, hn::Add(bond_e, bond_o));
            lower = hn::MulAdd(hn::Reverse(d, hn::Sub(e, o)), low, hn::Reverse(d, hn::Sub(bond_e, bond_o)));
          },
          to);
    } else if (spectral::spot_power(function) == -2) {
      write([&](V v, std::ptrdiff_t j) HWY_ATTR {
        const V inverse = hn::LoadU(d, per_spot + j);
        return hn::Mul(hn::Mul(v, inverse), inverse);
      });
    } else if (spectral::spot_power(function) == -1) {
      write([&](V v, std::ptrdiff_t j) HWY_ATTR { return hn::Mul(v, hn::LoadU(d, per_spot + j)); });
    } else if (spectral::spot_power(function) == 1) {
      write([&](V v, std::ptrdiff_t j) HWY_ATTR { return hn::Mul(v, hn::LoadU(d, spot + j)); });
    } else {
      write([](V v, std::ptrdiff_t) HWY_ATTR { return v; });
    }
    largest[slot] = hn::GetLane(hn::MaxOfLanes(d, most));
  }
}

// The largest magnitudes of a row that has no contracts at nodes.
void FindLargest(std::size_t greeks, std::size_t spots, const double* out, std::size_t out_stride, double* largest) {
  for (std::size_t g = 0; g < greeks; ++g) {
    largest[g] = 0.0;
    for (std::size_t j = 0; j < spots; ++j) largest[g] = std::max(largest[g], std::abs(out[g * out_stride + j]));
  }
}

// Copies the contracts of one expiry that `takes` takes, in ascending strike, and adds what they amount to.
inline constexpr std::size_t kDirectBins = 8;
struct Collected {
  std::size_t count = 0;
  double signed_weight = 0.0, signed_weight_strike = 0.0;
};
template <class Takes>
Collected CollectDirect(const SpectralPosition::Contracts& from, std::size_t first, std::size_t last,
                        const RowExpiry& expiry, const Takes& takes, const spectral::Interval& interval, bool narrow,
                        SpectralPosition::Contracts& to, GrossSums& gross) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const auto from_columns = from.columns();
  const auto to_columns = to.columns();
  for (auto* column : to_columns) {
    if (column->size() < last - first + 2 * kRowPad) column->resize(last - first + 2 * kRowPad);
  }
  Collected collected;
  for (std::size_t i = first; i < last; i += lanes) {
    const auto taken = hn::And(takes(hn::LoadU(d, from.sigma.data() + i)), hn::FirstN(d, last - i));
    if (hn::AllFalse(d, taken)) continue;
    for (std::size_t c = 0; c < from_columns.size(); ++c) {
      hn::CompressStore(hn::LoadU(d, from_columns[c]->data() + i), taken, d, to_columns[c]->data() + collected.count);
    }
    collected.count += hn::CountTrue(d, taken);
  }
  for (auto* column : to_columns) std::fill_n(column->data() + collected.count, kRowPad, 1.0);
  GrossVectors<V> sums;
  sums.clear(hn::Zero(d));
  V signed_weight = hn::Zero(d);
  V signed_weight_strike = hn::Zero(d);
  V bond_square = hn::Zero(d);
  // A narrow contract is felt about its strike alone, at spots of its bin or one beside it.
  double local[4][kDirectBins + 2] = {};
  for (std::size_t i = 0; i < collected.count; i += lanes) {
    const auto alive = hn::FirstN(d, collected.count - i);
    const V sigma =
        hn::Max(hn::Set(d, expiry.floor), hn::Add(hn::LoadU(d, to.sigma.data() + i), hn::Set(d, expiry.shift)));
    const V s = hn::Mul(sigma, hn::Set(d, expiry.root));
    const V a = hn::Div(hn::Set(d, 1.0), s);
    const V weight = hn::IfThenElseZero(alive, hn::LoadU(d, to.weight.data() + i));
    const V signed_one = hn::Mul(weight, hn::LoadU(d, to.right.data() + i));
    signed_weight = hn::Add(signed_weight, signed_one);
    const V strike = hn::LoadU(d, to.strike.data() + i);
    signed_weight_strike = hn::MulAdd(signed_one, strike, signed_weight_strike);
    const V owed = hn::Mul(hn::Mul(weight, strike), hn::Set(d, expiry.discount_r));
    bond_square = hn::MulAdd(owed, owed, bond_square);
    const V u = hn::Mul(weight, hn::Set(d, expiry.discount_q));
    const V ua = hn::Mul(u, a);
    const V powers[4] = {hn::Mul(ua, a), ua, u, hn::Mul(u, s)};
    sums.add(powers);
    if (!narrow) continue;
    HWY_ALIGN double power[4][HWY_MAX_BYTES / sizeof(double)];
    for (std::size_t k = 0; k < 4; ++k) hn::Store(powers[k], d, power[k]);
    for (std::size_t lane = 0; lane < std::min(lanes, collected.count - i); ++lane) {
      const double x = -to.log_moneyness[i + lane] - (expiry.rate - expiry.dividend_yield) * expiry.tau;
      const double place = (x - interval.centre) / interval.half_width * 0.5 + 0.5;
      const auto bin = static_cast<std::size_t>(std::clamp(place * kDirectBins, 0.0, kDirectBins - 1.0));
      for (std::size_t k = 0; k < 4; ++k) local[k][bin + 1] += power[k][lane] * power[k][lane];
    }
  }
  const spectral::PowerSums squares = gross.square;
  sums.carry(d, gross);
  if (narrow) {
    for (std::size_t k = 0; k < 4; ++k) {
      double most = 0.0;
      for (std::size_t b = 1; b <= kDirectBins; ++b)
        most = std::max(most, local[k][b - 1] + local[k][b] + local[k][b + 1]);
      gross.square[k] = squares[k] + most;
    }
  }
  gross.bond_square += hn::GetLane(hn::SumOfLanes(d, bond_square));
  collected.signed_weight = hn::GetLane(hn::SumOfLanes(d, signed_weight));
  collected.signed_weight_strike = hn::GetLane(hn::SumOfLanes(d, signed_weight_strike));
  return collected;
}

// Sums over the expiries of a row: at [depth][family], for spectral::Magnitudes.
struct RowMagnitudes {
  static constexpr std::size_t kPadded = kPaddedFamilies;
  HWY_ALIGN double sum[4][kPadded] = {};
  HWY_ALIGN double square[4][kPadded] = {};
  double c2 = 0.0, c2_square = 0.0;

  spectral::Magnitudes sums() const { return take(sum, c2); }
  spectral::Magnitudes squares() const { return take(square, c2_square); }

 private:
  static spectral::Magnitudes take(const double (&from)[4][kPadded], double c2) {
    spectral::Magnitudes magnitudes;
    for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) {
      for (std::size_t k = 0; k < 4; ++k) magnitudes.of[f][k] = from[k][f];
    }
    magnitudes.c2 = c2;
    return magnitudes;
  }
};

// `rounding` is that of a term, `half_width` of the interval over which integrals carry errors, 0 where none are taken.
// Where ends are pinned what is carried is nowhere above a quarter.
void AddMagnitudes(const double* factor, double rate, double rounding, double half_width, bool pinned,
                   double highest_spot, const GrossSums& gross, RowMagnitudes& row) {
  // The error of a top is one of the highest degrees, or independent from node to node: its integral is as good as the
  // terms themselves, but that has an error of its own, which the next one carries to the ends.
  const double reach[4] = {0.0, 0.0, half_width, half_width * half_width};
  const double rounding2 = rounding * rounding;
  const hn::CappedTag<double, 8> d;
  const std::size_t lanes = hn::Lanes(d);
  // 1 where the top is H12, one power of a less than the others; the share that is carried where ends are pinned.
  struct Constants {
    double less[kPaddedFamilies] = {}, carried[kPaddedFamilies] = {};
  };
  HWY_ALIGN static constexpr Constants kConstants = [] {
    Constants constants;
    for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) {
      const spectral::Top top = spectral::top_of(static_cast<spectral::Family>(f));
      constants.less[f] = top == spectral::kH12 ? 1.0 : 0.0;
      constants.carried[f] = top == spectral::kH21 ? 1.0 : 0.25;
    }
    return constants;
  }();
  for (std::size_t f = 0; f < kPaddedFamilies; f += lanes) {
    const auto less = hn::Eq(hn::LoadU(d, kConstants.less + f), hn::Set(d, 1.0));
    const auto share = pinned ? hn::LoadU(d, kConstants.carried + f) : hn::Set(d, 1.0);
    const auto size = hn::Abs(hn::LoadU(d, factor + f));
    const auto size2 = hn::Mul(hn::Mul(size, size), hn::Set(d, rounding2));
    for (std::size_t k = 0; k < 4; ++k) {
      const auto carry = hn::Mul(share, hn::Set(d, reach[k]));
      const auto of = [&](const spectral::PowerSums& sums, hn::Vec<decltype(d)> carried) HWY_ATTR {
        const auto own = hn::IfThenElse(less, hn::Set(d, k < 3 ? sums[k + 1] : 0.0), hn::Set(d, sums[k]));
        return hn::MulAdd(carried, hn::IfThenElse(less, hn::Set(d, k < 3 ? sums[2] : 0.0), hn::Set(d, sums[1])), own);
      };
      hn::StoreU(hn::MulAdd(size, of(gross.sum, carry), hn::LoadU(d, row.sum[k] + f)), d, row.sum[k] + f);
      hn::StoreU(hn::MulAdd(size2, of(gross.square, hn::Mul(carry, carry)), hn::LoadU(d, row.square[k] + f)), d,
                 row.square[k] + f);
    }
  }
  row.c2 += std::abs(rate) * highest_spot * gross.sum[2];
  row.c2_square += rate * rate * rounding2 * (highest_spot * highest_spot * gross.square[2] + gross.bond_square);
}

// Sums one expiry at the nodes and adds it to the row: the contracts [begin, end) of it in ascending volatility.
template <class Real>
std::int64_t AddExpiry(const SpectralJob& shared, const SpectralPosition& position, std::size_t begin, std::size_t end,
                       const RowExpiry& expiry, const double* factors, NodeColumns<Real>& staged,
                       SpectralScratch& scratch, std::uint32_t& levels, spectral::AnchorSums& anchor, EndSums& ends,
                       GrossSums& gross) {
  const SpectralTables& tables = *shared.tables;
  const std::uint32_t families = shared.plan.families;
  const std::uint32_t tops = spectral::needed_tops(families);
  const auto stage = [&]<bool kBond, bool kEnds>() {
    const auto run =
        shared.exact_exp ? StageNodes<kBond, kExp2<double>, Real> : StageNodes<kBond, kNodeExp2<double>, Real>;
    const std::size_t padded = run(position.by_sigma, begin, end, expiry, shared.interval, staged, gross, anchor);
    SumAlone<kBond, kEnds>(staged, padded, shared.centre_spot, anchor, ends);
  };
  const bool pins = shared.pins_ends;
  if (shared.plan.greeks.contains(Greek::kTheta)) {
    pins ? stage.template operator()<true, true>() : stage.template operator()<true, false>();
  } else {
    pins ? stage.template operator()<false, true>() : stage.template operator()<false, false>();
  }
  const double* sigma = position.by_sigma.sigma.data() + begin;
  const std::size_t n = end - begin;
  std::int64_t at_nodes = 0;
  // The widest contracts come last and need the fewest nodes. Levels begin at whole steps of the loop: the odd contract
  // takes more nodes than it needs.
  std::size_t upper = (n + kInStep - 1) / kInStep * kInStep;
  for (std::size_t l = 0; l < tables.levels->level.size() && upper > 0; ++l) {
    std::size_t lower = 0;
    if (l + 1 < tables.levels->level.size()) {
      const double least = shared.interval.half_width / (shared.widest[l] * expiry.root);
      const double cut = expiry.floor >= least ? -std::numeric_limits<double>::infinity() : least - expiry.shift;
      const double* last = sigma + std::min(upper, n);
      if (!(last[-1] >= cut)) continue;
      if (sigma[0] < cut) {
        lower = static_cast<std::size_t>(std::lower_bound(sigma, last, cut) - sigma);
        lower = (lower + kInStep - 1) / kInStep * kInStep;
        if (lower >= upper) continue;
      }
    }
    const std::size_t nodes = tables.levels->level[l].level.nodes;
    double* out = scratch.at_nodes.data() + tables.levels->level[l].at;
    const bool adds = (levels >> l & 1U) != 0;
    levels |= 1U << l;
    const Real* node;
    if constexpr (sizeof(Real) == 4) {
      node = tables.levels->level[l].node32.data();
    } else {
      node = tables.levels->level[l].node64.data();
    }
    SumLevel(tops, shared.exact_exp, staged, lower, upper, node, nodes, families, factors, tables.levels->nodes, adds,
             out);
    at_nodes += static_cast<std::int64_t>((upper - lower) * nodes);
    upper = lower;
    scratch.ahead.ask();
  }
  return at_nodes;
}

// Adds the deltas of the contracts [first, last), in ascending strike and just settled: steps at their strikes.
void AddSettled(const SpectralPosition::Contracts& contracts, std::size_t first, std::size_t last, double basis,
                const double* HWY_RESTRICT spot, std::size_t spots, std::vector<double>& steps,
                double* HWY_RESTRICT out) {
  steps.assign(spots + 1, 0.0);
  std::size_t below = 0, at = 0;  // spots below the strike, and below or at it
  for (std::size_t i = first; i < last; ++i) {
    const double strike = contracts.strike[i];
    while (below < spots && spot[below] < strike) ++below;
    at = std::max(at, below);
    while (at < spots && spot[at] == strike) ++at;
    const auto delta = [&](double where) { return formulas::settled_delta(contracts.right[i], where, strike); };
    const double weight = contracts.weight[i] * basis;
    const double low = delta(0.5 * strike), middle = delta(strike), high = delta(2.0 * strike);
    steps[0] += weight * low;
    steps[below] += weight * (middle - low);
    steps[at] += weight * (high - middle);
  }
  double sum = 0.0;
  for (std::size_t j = 0; j < spots; ++j) out[j] += sum += steps[j];
}

void EvaluateRow(const SpectralJob& shared, const SpectralPosition& position, std::size_t row, SpectralScratch* of,
                 double* out, std::size_t out_stride, const RowOutcome& outcome, EvaluationCounts* counts) {
  SpectralScratch& scratch = *of;
  const GridView& grid = shared.job->grid;
  const BookView& book = shared.job->book;
  const SpectralTables& tables = *shared.tables;
  const GreekSet greeks = shared.plan.greeks;
  const std::int64_t time = grid.time[row / grid.iv_shift.size()];
  RowMagnitudes magnitudes;
  PinnedEnds pinned;
  spectral::Anchors anchors;
  std::uint32_t levels = 0;
  scratch.at_nodes.resize(spectral::kFamilyCount * tables.levels->nodes);
  constexpr std::size_t kLevelsOfOne = 2;  // that an expiry has contracts on, or more
  scratch.ahead = RowAhead(out, out_stride, greeks.size(), grid.spots, kLevelsOfOne * book.expiries());
  // What is evaluated at the spots comes first; where nothing is, the row is written once.
  bool begun = false;
  const auto begin_row = [&] {
    for (std::size_t g = 0; g < greeks.size() && !begun; ++g) std::fill_n(out + g * out_stride, grid.spots, 0.0);
    begun = true;
  };

  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const std::size_t first = position.begin[e];
    const std::size_t last = position.begin[e + 1];
    if (book.settlement[e] < time || first == last) continue;
    if (book.settlement[e] == time) {
      if (!greeks.contains(Greek::kDelta)) continue;
      begin_row();
      AddSettled(position.by_strike, first, last, shared.basis, shared.spot.data() + kRowPad, grid.spots, scratch.steps,
                 out);
      continue;
    }
    const TimedExpiry& timed = shared.timed[row / grid.iv_shift.size() * book.expiries() + e];
    const RowExpiry expiry = {timed.tau,
                              book.rate[e],
                              book.dividend_yield[e],
                              grid.iv_shift[row % grid.iv_shift.size()] * shared.shift_scale[e],
                              grid.iv_floor,
                              timed.root,
                              timed.discount_q,
                              timed.discount_r,
                              timed.factor.data()};
    // The volatility before shift and floor from which sigma' is at least a given one. Contracts below the first cut
    // are too short-dated for the most nodes, those from the second on too wide; both are evaluated directly.
    const auto cut = [&](double volatility) {
      return expiry.floor >= volatility ? -std::numeric_limits<double>::infinity() : volatility - expiry.shift;
    };
    const double wide = kWidest / expiry.root;
    const double upper_cut = cut(wide);
    const double lower_cut = cut(std::min(shared.interval.half_width / (shared.widest.back() * expiry.root), wide));
    const double* sigma = position.by_sigma.sigma.data();
    const auto find = [&](double value) {
      return static_cast<std::size_t>(std::lower_bound(sigma + first, sigma + last, value) - sigma);
    };
    const std::size_t begin = sigma[first] >= lower_cut ? first : find(lower_cut);
    const std::size_t end = sigma[last - 1] < upper_cut ? last : find(upper_cut);
    GrossSums at_nodes, directly;
    std::array<double, spectral::kFamilyCount> factors, densities;
    std::copy_n(expiry.factor, spectral::kFamilyCount, factors.begin());
    std::transform(factors.begin(), factors.end(), densities.begin(), [](double factor) { return kDensity * factor; });
    if (begin < end) {
      spectral::AnchorSums anchor;
      EndSums ends;
      if (shared.accuracy.fp64_nodes) {
        counts->at_nodes += AddExpiry(shared, position, begin, end, expiry, densities.data(), scratch.staged64, scratch,
                                      levels, anchor, ends, at_nodes);
      } else {
        counts->at_nodes += AddExpiry(shared, position, begin, end, expiry, densities.data(), scratch.staged32, scratch,
                                      levels, anchor, ends, at_nodes);
      }
      anchor.c1 += 0.5 * expiry.discount_q * (position.signed_weight[end] - position.signed_weight[begin]);
      anchor.c2 +=
          0.5 * expiry.discount_r * (position.signed_weight_strike[end] - position.signed_weight_strike[begin]);
      anchors.add(factors, expiry.rate, anchor);
      if (shared.pins_ends) pinned.add(factors, ends);
    }
    const auto evaluate_directly = [&](const auto& takes, double window) {
      begin_row();
      const Collected collected = CollectDirect(position.by_strike, first, last, expiry, takes, shared.interval,
                                                window > 0.0, scratch.direct, directly);
      counts->direct += static_cast<std::int64_t>(collected.count);
      const SpectralPosition::Contracts& direct = scratch.direct;
      const ExpiryContracts contracts = {direct.log_moneyness.data(), direct.moneyness.data(),
                                         direct.strike.data(),        direct.sigma.data(),
                                         direct.weight.data(),        collected.count,
                                         collected.signed_weight,     collected.signed_weight_strike};
      const ScenarioRow scenario = {expiry.tau,
                                    expiry.rate,
                                    expiry.dividend_yield,
                                    expiry.shift,
                                    expiry.floor,
                                    RowVolatility::kFixed,
                                    0.0,
                                    grid.log_spot_begin,
                                    grid.log_spot_step,
                                    grid.spots,
                                    shared.spot.data() + kRowPad,
                                    shared.growth.data(),
                                    shared.basis,
                                    window};
      (shared.accuracy.fp64_nodes ? add_exposures_fp64 : add_exposures_fp32)(greeks, contracts, scenario,
                                                                             *scratch.brute, out, out_stride);
    };
    const hn::ScalableTag<double> d;
    using V = hn::Vec<decltype(d)>;
    if (begin > first) evaluate_directly([&](V value) { return hn::Lt(value, hn::Set(d, lower_cut)); }, shared.window);
    if (last > end) evaluate_directly([&](V value) { return hn::Ge(value, hn::Set(d, upper_cut)); }, 0.0);
    const double highest = shared.spot[kRowPad + grid.spots - 1];
    if (begin < end) {
      AddMagnitudes(expiry.factor, expiry.rate, kRoundingAtNodes, shared.interval.half_width, shared.pins_ends, highest,
                    at_nodes, magnitudes);
    }
    if (begin > first || last > end) {
      AddMagnitudes(expiry.factor, expiry.rate, kRoundingAtSpots, 0.0, false, highest, directly, magnitudes);
    }
  }

  std::size_t count = 0;
  if (levels != 0) {
    const std::size_t most = tables.levels->level[static_cast<std::size_t>(std::bit_width(levels)) - 1].level.nodes;
    count = most + spectral::kMoreCoefficients;
    const std::size_t functions = shared.plan.function.size();
    Analyse(shared.plan.families, tables, levels, most, count, scratch);
    CombineSeries(shared, anchors, pinned, count, scratch);
    const auto expand = [&](const auto& even, const auto& odd, auto& product) {
      Expand(tables, even, odd, functions, count, product, scratch);
      if (begun) {
        WriteRow<true>(shared, product, out, out_stride, outcome.largest);
      } else {
        WriteRow<false>(shared, product, out, out_stride, outcome.largest);
      }
    };
    if (shared.accuracy.fp64_expansion) {
      expand(tables.even64, tables.odd64, scratch.expansion64);
    } else {
      expand(tables.even32, tables.odd32, scratch.expansion32);
    }
  } else {
    begin_row();
    FindLargest(greeks.size(), grid.spots, out, out_stride, outcome.largest);
  }

  const double node_unit = kDeviations * (shared.accuracy.fp64_nodes ? 0x1p-53 : 0x1p-24);
  const double product_unit = kDeviations * (shared.accuracy.fp64_expansion ? 0x1p-53 : 0x1p-24);
  spectral::error_scales(shared.plan, magnitudes.sums(), shared.top_error, 1, outcome.bound);
  spectral::error_scales(shared.plan, magnitudes.squares(), {node_unit, node_unit, node_unit, 3.2 * node_unit}, 2,
                         outcome.rounding);
  const hn::ScalableTag<double> d64;
  for (std::size_t f = 0; f < shared.plan.function.size() && levels != 0; ++f) {
    const double* c = scratch.functions.data() + f * kSeries;
    auto squares = hn::Zero(d64);
    for (std::size_t m = 0; m < count / 2; m += hn::Lanes(d64)) {
      const auto even = hn::LoadU(d64, c + m), odd = hn::LoadU(d64, c + kParity + m);
      squares = hn::MulAdd(even, even, hn::MulAdd(odd, odd, squares));
    }
    const double square = hn::GetLane(hn::SumOfLanes(d64, squares));
    const auto& function = shared.plan.function[f];
    outcome.rounding[function.greek] += product_unit * std::sqrt(square) * function.scale;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {

HWY_EXPORT(EvaluateRow);

void SpectralScratchDeleter::operator()(SpectralScratch* scratch) const {
  delete scratch;
}
SpectralScratchPointer make_spectral_scratch() {
  return SpectralScratchPointer(new SpectralScratch);
}

SpectralLevels make_spectral_levels(bool fp64_nodes) {
  SpectralLevels levels;
  for (std::size_t n = 16; n <= spectral::kMostNodes; n += n < 64 && fp64_nodes ? 8 : 16) {
    NodeLevel level;
    level.level = spectral::make_level(n, !fp64_nodes);
    level.node64.assign(level.level.node.begin(), level.level.node.end());
    level.node32.assign(level.node64.begin(), level.node64.end());
    level.padded = (n / 2 + kRowPad - 1) / kRowPad * kRowPad;
    const auto pad = [&](const std::vector<double>& from, auto& to) {
      to.assign(n / 2 * level.padded, 0);
      for (std::size_t k = 0; k < n / 2 * (n / 2); ++k) {
        to[k / (n / 2) * level.padded + k % (n / 2)] = static_cast<std::remove_cvref_t<decltype(to[0])>>(from[k]);
      }
    };
    pad(level.level.even, level.even);
    pad(level.level.odd, level.odd);
    level.at = levels.nodes;
    levels.nodes += n;
    levels.level.push_back(std::move(level));
  }
  return levels;
}

SpectralTables make_spectral_tables(std::size_t spots, const SpectralLevels& levels) {
  SpectralTables tables;
  tables.levels = &levels;
  tables.expansion = spectral::make_expansion(spots);
  const std::size_t half = tables.expansion.half;
  tables.half = (half + kRowPad - 1) / kRowPad * kRowPad;
  const auto pad = [&](const std::vector<double>& from, auto& to) {
    to.assign(kHalfCoefficients * tables.half, 0);
    for (std::size_t k = 0; k < kHalfCoefficients * half; ++k) {
      to[k / half * tables.half + k % half] = static_cast<std::remove_cvref_t<decltype(to[0])>>(from[k]);
    }
  };
  pad(tables.expansion.even, tables.even32);
  pad(tables.expansion.odd, tables.odd32);
  pad(tables.expansion.even, tables.even64);
  pad(tables.expansion.odd, tables.odd64);
  return tables;
}

NodeWidths make_node_widths(const SpectralLevels& levels, GreekSet greeks, double error) {
  NodeWidths widths;
  const std::uint32_t tops = spectral::needed_tops(spectral::needed_families(greeks));
  int highest = 1;
  for (int top = 0; top < spectral::kTopCount; ++top) {
    if ((tops >> top & 1U) != 0) highest = std::max(highest, spectral::order_of(static_cast<spectral::Top>(top)));
  }
  for (const NodeLevel& level : levels.level) {
    const std::size_t n = level.level.nodes;
    widths.widest.push_back(spectral::widest(n, error, highest));
    for (std::size_t top = 0; top < spectral::kTopCount; ++top) {
      const int order = spectral::order_of(static_cast<spectral::Top>(top));
      widths.top_error[top] = std::max(
          widths.top_error[top],
          order >= highest ? error : spectral::node_error_bound(n, std::max(widths.widest.back(), 0.1), order));
    }
  }
  return widths;
}

SpectralPosition prepare_position(const BookView& book, std::size_t position) {
  SpectralPosition p;
  const double* weight = book.weight.data() + position * book.contracts();
  const double effective = book.spot * std::exp(book.spot_basis);
  std::vector<std::size_t> order;
  p.begin.push_back(0);
  p.signed_weight.push_back(0.0);
  p.signed_weight_strike.push_back(0.0);
  const auto add = [&](std::size_t i, SpectralPosition::Contracts& to) {
    to.log_moneyness.push_back(formulas::log_moneyness(book.spot, book.strike[i]) + book.spot_basis);
    to.moneyness.push_back(effective / book.strike[i]);
    to.strike.push_back(book.strike[i]);
    to.sigma.push_back(book.implied_volatility[i]);
    to.weight.push_back(weight[i]);
    to.right.push_back(book.right[i]);
  };
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    order.clear();
    const auto end = static_cast<std::size_t>(book.expiry_begin[e + 1]);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]); i < end; ++i) {
      if (weight[i] != 0.0) order.push_back(i);
    }
    const auto ascend = [&](std::span<const double> by) {
      std::stable_sort(order.begin(), order.end(), [by](std::size_t a, std::size_t b) { return by[a] < by[b]; });
    };
    ascend(book.strike);
    for (const std::size_t i : order) add(i, p.by_strike);
    ascend(book.implied_volatility);
    for (const std::size_t i : order) {
      add(i, p.by_sigma);
      p.signed_weight.push_back(p.signed_weight.back() + book.right[i] * weight[i]);
      p.signed_weight_strike.push_back(p.signed_weight_strike.back() + book.right[i] * weight[i] * book.strike[i]);
    }
    p.begin.push_back(p.by_sigma.weight.size());
  }
  for (SpectralPosition::Contracts* contracts : {&p.by_sigma, &p.by_strike}) {
    for (auto* column : contracts->columns()) column->resize(column->size() + kRowPad, 1.0);
  }
  return p;
}

// Whether sums at the ends are taken: where single precision leaves an error in an integral that the next one would
// carry across the interval.
static bool pins_ends(const SpectralJob& shared) {
  if (shared.accuracy.fp64_nodes) return false;
  for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) {
    if (shared.plan.depth[f] >= 2 && spectral::top_of(static_cast<spectral::Family>(f)) != spectral::kH21) return true;
  }
  return false;
}

SpectralJob prepare_job(const ExposureJob& job, GreekSet greeks, const SpectralTables& tables,
                        const SpectralAccuracy& accuracy, const NodeWidths& widths) {
  SpectralJob shared;
  shared.job = &job;
  shared.tables = &tables;
  shared.accuracy = accuracy;
  shared.interval = spectral::interval_of(job.grid);
  shared.basis = std::exp(job.book.spot_basis);
  shared.centre_spot = job.book.spot * std::exp(shared.interval.centre) * shared.basis;
  shared.growth_coefficients = spectral::growth_coefficients(shared.interval.half_width);
  shared.widest = widths.widest;
  shared.top_error = widths.top_error;
  // The shorter polynomial's error is no rounding: it adds up over contracts as that of the nodes does.
  shared.exact_exp = accuracy.fp64_nodes && accuracy.error < 4.0 * kNodeExp2Error;
  if (accuracy.fp64_nodes && !shared.exact_exp) {
    for (double& error : shared.top_error) error += 1.2 * kNodeExp2Error;
  }
  // d^4 phi(d) is what the highest of the moments leaves out.
  shared.window = std::sqrt(-2.0 * std::log(accuracy.error)) + 1.0;
  for (std::size_t e = 0; e < job.book.expiries(); ++e) {
    const double tau0 = static_cast<double>(job.book.settlement[e] - job.grid.quote_time) / kSecondsPerYear;
    shared.shift_scale.push_back(job.grid.iv_shift_term == IvShiftTerm::kFlat
                                     ? 1.0
                                     : formulas::sqrt_time_scale(tau0, job.grid.iv_shift_term_cap));
  }
  for (const std::int64_t time : job.grid.time) {
    for (std::size_t e = 0; e < job.book.expiries(); ++e) {
      TimedExpiry& timed = shared.timed.emplace_back();
      if (job.book.settlement[e] <= time) continue;
      timed.tau = static_cast<double>(job.book.settlement[e] - time) / kSecondsPerYear;
      timed.root = std::sqrt(timed.tau);
      timed.discount_q = std::exp(-job.book.dividend_yield[e] * timed.tau);
      timed.discount_r = std::exp(-job.book.rate[e] * timed.tau);
      const auto factor = spectral::family_factors(timed.tau, job.book.rate[e], job.book.dividend_yield[e]);
      std::copy(factor.begin(), factor.end(), timed.factor.begin());
    }
  }
  const std::size_t padded = (job.grid.spots + kRowPad - 1) / kRowPad * kRowPad;
  shared.spot.assign(padded + 2 * kRowPad, 1.0);
  shared.per_spot.assign(padded + 2 * kRowPad, 1.0);
  for (std::size_t j = 0; j < padded; ++j) {
    shared.growth.push_back(std::exp(job.grid.log_spot_begin + static_cast<double>(j) * job.grid.log_spot_step));
    shared.spot[kRowPad + j] = job.book.spot * shared.growth[j] * shared.basis;
    shared.per_spot[kRowPad + j] = 1.0 / shared.spot[kRowPad + j];
  }
  shared.plan = spectral::make_combine_plan(greeks, shared.basis, shared.spot[kRowPad],
                                            shared.spot[kRowPad + job.grid.spots - 1]);
  shared.pins_ends = pins_ends(shared);
  return shared;
}

EvaluationCounts evaluate_spectral_row(const SpectralJob& shared, const SpectralPosition& position, std::size_t row,
                                       SpectralScratch& scratch, double* out, std::size_t out_stride,
                                       const RowOutcome& outcome) {
  EvaluationCounts counts;
  HWY_DYNAMIC_DISPATCH(EvaluateRow)(shared, position, row, &scratch, out, out_stride, outcome, &counts);
  return counts;
}

}  // namespace greekgrid::cpu
#endif

// The spectral evaluator, compiled once per instruction set by Highway and chosen at run time.

#include "cpu/spectral.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

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

// Contracts summed at the nodes in one precision before their sums are carried in fp64.
inline constexpr std::size_t kNodeBlock = 64;
// Contracts that the loop over them works on in step.
inline constexpr std::size_t kInStep = 4;
static_assert(kNodeBlock % kInStep == 0);
inline constexpr double kDensity = 0.39894228040143267794;
// s = sigma sqrt(tau) above which a contract is evaluated directly: what the anchors take from exp(-d1^2/2) may
// underflow there where d2 matters.
inline constexpr double kWidest = 5.0;
// Standard deviations of a sum of independent rounding errors that its estimate stands for, and the deviation of one
// contract's term in units of half an ulp of its magnitude: at the nodes, and at spots, where d and the distribution
// are rounded more often.
inline constexpr double kDeviations = 4.0;
inline constexpr double kRoundingAtNodes = 0.6;
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
  std::vector<Real> width, at_centre, top, s, u, bond;  // (n)
  void resize(std::size_t n) {
    if (width.size() >= n) return;
    for (auto* column : {&width, &at_centre, &top, &s, &u, &bond}) column->resize(n);
  }
};

// What the products of a row read and write, in their precision.
template <class Real>
struct ProductScratch {
  std::vector<Real> folded = std::vector<Real>(2 * kMostRows * kHalfNodes);        // sums and differences of nodes
  std::vector<Real> parity = std::vector<Real>(2 * kMostRows * kHalfNodes);        // coefficients, even and odd
  std::vector<Real> split = std::vector<Real>(2 * kMostRows * kHalfCoefficients);  // those of functions
  std::vector<Real> half;                                                          // (2, kMostRows, half of the spots)
};

// Sums over the contracts of an expiry that errors are bounded by.
struct GrossSums {
  spectral::PowerSums sum = {}, square = {};
  double bond_square = 0.0;  // of w K e^{-r tau}
};

struct SpectralScratch {
  ScratchPointer brute = make_scratch();
  NodeColumns<float> staged32;
  NodeColumns<double> staged64;
  ProductScratch<float> product32;
  ProductScratch<double> product64;
  std::vector<double> at_nodes;  // (kFamilyCount, nodes of all levels)
  std::vector<double> series = std::vector<double>(spectral::kFamilyCount * 4 * kSeries);  // (family, depth, k)
  std::vector<double> functions = std::vector<double>(spectral::kFunctionCount * kSeries);
  std::vector<double> grown = std::vector<double>(kSeries);
  SpectralPosition::Contracts direct;
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
  HWY_INLINE void add(const V (&powers)[4]) {
    for (int k = 0; k < 4; ++k) {
      sum[k] = hn::Add(sum[k], hn::Abs(powers[k]));
      square[k] = hn::MulAdd(powers[k], powers[k], square[k]);
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
};

// From contracts to what the loops over nodes read, in fp64 throughout; the tail is filled with contracts of no weight.
// Returns their count with the tail.
template <class Real>
std::size_t StageNodes(const SpectralPosition::Contracts& contracts, std::size_t begin, std::size_t end,
                       const RowExpiry& expiry, const spectral::Interval& interval, bool bond,
                       NodeColumns<Real>& staged, GrossSums& gross) {
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
  const V half = set(0.5), one = set(1.0), shift = set(expiry.shift), floor = set(expiry.floor);
  const V half_width = set(interval.half_width);
  V bond_square = hn::Zero(d);
  GrossVectors<V> sums;
  sums.clear(hn::Zero(d));
  for (std::size_t i = 0; i < padded; i += lanes) {
    if (i >= n) {
      for (auto* column : {&staged.width, &staged.at_centre, &staged.top, &staged.s, &staged.u, &staged.bond}) {
        StoreAs(hn::Zero(d), column->data() + i);
      }
      continue;
    }
    const V sigma = hn::Max(floor, hn::Add(hn::LoadU(d, contracts.sigma.data() + begin + i), shift));
    const V s = hn::Mul(sigma, root);
    const V a = hn::Div(one, s);
    const V m = hn::Add(hn::LoadU(d, contracts.log_moneyness.data() + begin + i), carry);
    V weight = hn::LoadU(d, contracts.weight.data() + begin + i);
    if (n - i < lanes) weight = hn::IfThenElseZero(hn::FirstN(d, n - i), weight);
    const V u = hn::Mul(weight, discount_q);
    const V ua = hn::Mul(u, a);
    const V powers[4] = {hn::Mul(ua, a), ua, u, hn::Mul(u, s)};
    sums.add(powers);
    StoreAs(hn::Mul(a, half_width), staged.width.data() + i);
    StoreAs(hn::MulAdd(m, a, hn::Mul(half, s)), staged.at_centre.data() + i);
    StoreAs(powers[0], staged.top.data() + i);
    StoreAs(s, staged.s.data() + i);
    StoreAs(u, staged.u.data() + i);
    if (bond) {
      const V strike = hn::LoadU(d, contracts.strike.data() + begin + i);
      const V owed = hn::Mul(hn::Mul(weight, strike), discount_r);
      bond_square = hn::MulAdd(owed, owed, bond_square);
      StoreAs(owed, staged.bond.data() + i);
    }
  }
  sums.carry(d, gross);
  gross.bond_square += hn::GetLane(hn::SumOfLanes(d, bond_square));
  return padded;
}

template <class D>
HWY_INLINE double SumLanes(D d, hn::Vec<D> value) {
  HWY_ALIGN hn::TFromD<D> lane[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)];
  hn::Store(value, d, lane);
  double sum = 0.0;
  for (std::size_t k = 0; k < hn::Lanes(d); ++k) sum += static_cast<double>(lane[k]);
  return sum;
}

// The integrals at the anchor; lanes are contracts.
template <class Real>
void SumAnchors(const NodeColumns<Real>& staged, std::size_t padded, bool bond, double centre_spot,
                spectral::AnchorSums& anchor) {
  const hn::ScalableTag<Real> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  enum { kC1, kC2, kH10, kH11, kH00, kH01, kHm10, kH13, kH02, kHm11, kCount };
  V acc[kCount];
  for (V& sum : acc) sum = hn::Zero(d);
  const V one = hn::Set(d, Real(1)), three = hn::Set(d, Real(3)), half = hn::Set(d, Real(0.5));
  const V spot = hn::Set(d, static_cast<Real>(centre_spot));
  for (std::size_t i = 0; i < padded; i += lanes) {
    const V s = hn::LoadU(d, staged.s.data() + i);
    const V u = hn::LoadU(d, staged.u.data() + i);
    const Several<V, 1> d1 = {{hn::LoadU(d, staged.at_centre.data() + i)}};
    const Several<V, 1> d2 = {{hn::Sub(d1.at[0], s)}};
    const auto parts = bond ? EvaluateNormal<true, true>(d, Magnitude(d, d1), Magnitude(d, d2))
                            : EvaluateNormal<true, false>(d, Magnitude(d, d1), Magnitude(d, d1));
    const V e = parts.e.at[0];
    const V x = d1.at[0];
    const V q = hn::Mul(x, x);
    const V p1 = hn::Mul(hn::Mul(hn::LoadU(d, staged.top.data() + i), e), s);
    const V p0 = hn::Mul(u, e);
    const V pm1 = hn::Mul(p0, s);
    acc[kC1] = hn::MulAdd(u, CentredDistribution(d, x, e, parts.mills1.at[0]), acc[kC1]);
    acc[kH10] = hn::Add(acc[kH10], p1);
    const V p1x = hn::Mul(p1, x);
    acc[kH11] = hn::Add(acc[kH11], p1x);
    acc[kH00] = hn::Add(acc[kH00], p0);
    acc[kH01] = hn::MulAdd(p0, x, acc[kH01]);
    acc[kHm10] = hn::Add(acc[kHm10], pm1);
    acc[kH13] = hn::MulAdd(p1x, hn::Sub(q, three), acc[kH13]);
    acc[kH02] = hn::MulAdd(p0, hn::Sub(q, one), acc[kH02]);
    acc[kHm11] = hn::MulAdd(pm1, x, acc[kHm11]);
    if (bond) {
      // K e^{-r tau} exp(-d2^2/2) = S e^{-q tau} exp(-d1^2/2).
      const V tail = hn::Mul(hn::Mul(spot, p0), parts.mills2.at[0]);
      const V centred = hn::MulSub(half, hn::LoadU(d, staged.bond.data() + i), tail);
      acc[kC2] = hn::Add(acc[kC2], hn::IfThenElse(hn::Lt(d2.at[0], hn::Zero(d)), hn::Neg(centred), centred));
    }
  }
  anchor.c1 += SumLanes(d, acc[kC1]);
  anchor.c2 += SumLanes(d, acc[kC2]);
  anchor.h10 += kDensity * SumLanes(d, acc[kH10]);
  anchor.h11 += kDensity * SumLanes(d, acc[kH11]);
  anchor.h00 += kDensity * SumLanes(d, acc[kH00]);
  anchor.h01 += kDensity * SumLanes(d, acc[kH01]);
  anchor.hm10 += kDensity * SumLanes(d, acc[kHm10]);
  anchor.h13 += kDensity * SumLanes(d, acc[kH13]);
  anchor.h02 += kDensity * SumLanes(d, acc[kH02]);
  anchor.hm11 += kDensity * SumLanes(d, acc[kHm11]);
}

// Adds factor times the tops at a vector of nodes to the families.
template <class D, class V>
HWY_INLINE void FoldTops([[maybe_unused]] D d, const V* tops, std::uint32_t families, const double* factors,
                         std::size_t stride, double* HWY_RESTRICT out) {
  const hn::ScalableTag<double> d64;
  for (std::uint32_t left = families; left != 0; left &= left - 1) {
    const auto f = static_cast<std::size_t>(std::countr_zero(left));
    const V top = tops[spectral::top_of(static_cast<spectral::Family>(f))];
    double* HWY_RESTRICT to = out + f * stride;
    const auto factor = hn::Set(d64, factors[f]);
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      hn::StoreU(hn::MulAdd(factor, top, hn::LoadU(d64, to)), d64, to);
    } else {
#if HWY_TARGET == HWY_SCALAR
      *to += factors[f] * static_cast<double>(hn::GetLane(top));
#else
      const hn::Half<D> half;
      const std::size_t lanes = hn::Lanes(d64);
      const auto low = hn::PromoteTo(d64, hn::LowerHalf(half, top));
      const auto high = hn::PromoteTo(d64, hn::UpperHalf(half, top));
      hn::StoreU(hn::MulAdd(factor, low, hn::LoadU(d64, to)), d64, to);
      hn::StoreU(hn::MulAdd(factor, high, hn::LoadU(d64, to + lanes)), d64, to + lanes);
#endif
    }
  }
}

// The sums at the nodes of a level: lanes are nodes, contracts are broadcast, kInStep of them advance together.
template <std::uint32_t kTops, class Real>
void SumTops(const NodeColumns<Real>& staged, std::size_t first, std::size_t last, const Real* HWY_RESTRICT node,
             std::size_t nodes, std::uint32_t families, const double* factors, std::size_t stride,
             double* HWY_RESTRICT out) {
  const hn::ScalableTag<Real> d;
  const hn::RebindToSigned<decltype(d)> di;
  using V = hn::Vec<decltype(d)>;
  constexpr int K = static_cast<int>(kInStep);
  const std::size_t lanes = hn::Lanes(d);
  const Real* HWY_RESTRICT width = staged.width.data();
  const Real* HWY_RESTRICT at_centre = staged.at_centre.data();
  const Real* HWY_RESTRICT weight = staged.top.data();
  const Real* HWY_RESTRICT deviation = staged.s.data();
  const V clamp = hn::Set(d, Constants<Real>::kClamp * Constants<Real>::kClamp);
  const V magic = hn::Set(d, Constants<Real>::kMagic);
  const V scale = hn::Set(d, Real(-0.72134752044448170368));  // -log2(e)/2
  const V one = hn::Set(d, Real(1)), three = hn::Set(d, Real(3)), six = hn::Set(d, Real(6));
  constexpr std::size_t kExpCount = sizeof(kExp2<Real>) / sizeof(Real);
  for (std::size_t k0 = 0; k0 < nodes; k0 += lanes) {
    const V t = hn::LoadU(d, node + k0);
    for (std::size_t begin = first; begin < last; begin += kNodeBlock) {
      const std::size_t end = std::min(begin + kNodeBlock, last);
      V acc[spectral::kTopCount];
      for (V& sum : acc) sum = hn::Zero(d);
      for (std::size_t i = begin; i < end; i += kInStep) {
        const auto load = [&](const Real* HWY_RESTRICT from, int k) {
          return hn::Set(d, from[i + static_cast<std::size_t>(k)]);
        };
        V x[K], q[K], shifted[K], f[K], e[K];
        for (int k = 0; k < K; ++k) x[k] = hn::MulAdd(load(width, k), t, load(at_centre, k));
        for (int k = 0; k < K; ++k) q[k] = hn::Min(hn::Mul(x[k], x[k]), clamp);
        for (int k = 0; k < K; ++k) shifted[k] = hn::MulAdd(q[k], scale, magic);
        for (int k = 0; k < K; ++k) f[k] = hn::MulSub(q[k], scale, hn::Sub(shifted[k], magic));
        for (int k = 0; k < K; ++k) e[k] = hn::Set(d, kExp2<Real>[0]);
#pragma GCC unroll 16
        for (std::size_t c = 1; c < kExpCount; ++c) {
          const V next = hn::Set(d, kExp2<Real>[c]);
          for (int k = 0; k < K; ++k) e[k] = hn::MulAdd(e[k], f[k], next);
        }
        for (int k = 0; k < K; ++k) {
          const auto exponent = hn::ShiftLeft<Constants<Real>::kExponentShift>(hn::BitCast(di, shifted[k]));
          e[k] = hn::Mul(hn::BitCast(d, hn::Add(hn::BitCast(di, e[k]), exponent)), load(weight, k));
        }
        for (int k = 0; k < K; ++k) {
          using enum spectral::Top;
          if constexpr (HasTop(kTops, kH21)) acc[kH21] = hn::MulAdd(e[k], x[k], acc[kH21]);
          const V second = hn::Mul(e[k], hn::Sub(q[k], one));
          if constexpr (HasTop(kTops, kH22)) acc[kH22] = hn::Add(acc[kH22], second);
          if constexpr (HasTop(kTops, kH12)) acc[kH12] = hn::MulAdd(second, load(deviation, k), acc[kH12]);
          if constexpr (HasTop(kTops, kH24)) {
            const V r = hn::Sub(q[k], three);
            acc[kH24] = hn::MulAdd(e[k], hn::MulSub(r, r, six), acc[kH24]);
          }
        }
      }
      FoldTops(d, acc, families, factors, stride, out + k0);
    }
  }
}

// Chooses the loop of the tops that a job needs.
template <class Real>
void SumLevel(std::uint32_t tops, const NodeColumns<Real>& staged, std::size_t first, std::size_t last,
              const Real* node, std::size_t nodes, std::uint32_t families, const double* factors, std::size_t stride,
              double* out) {
  const auto run = [&]<std::uint32_t kTops>() {
    SumTops<kTops>(staged, first, last, node, nodes, families, factors, stride, out);
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

// kProductRows rows of out (+)= a b over kVectors vectors of columns.
template <std::size_t kVectors, bool kAdd, class D, class Real>
HWY_INLINE void ProductBlock(D d, const Real* HWY_RESTRICT a, std::size_t a_stride, const Real* HWY_RESTRICT b,
                             std::size_t b_stride, std::size_t inner, Real* HWY_RESTRICT out, std::size_t out_stride) {
  using V = hn::Vec<D>;
  const std::size_t lanes = hn::Lanes(d);
  V acc[kProductRows][kVectors];
  for (std::size_t r = 0; r < kProductRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v)
      acc[r][v] = kAdd ? hn::LoadU(d, out + r * out_stride + v * lanes) : hn::Zero(d);
  }
  for (std::size_t k = 0; k < inner; ++k) {
    V column[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) column[v] = hn::LoadU(d, b + k * b_stride + v * lanes);
    for (std::size_t r = 0; r < kProductRows; ++r) {
      const V left = hn::Set(d, a[r * a_stride + k]);
      for (std::size_t v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(left, column[v], acc[r][v]);
    }
  }
  for (std::size_t r = 0; r < kProductRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, out + r * out_stride + v * lanes);
  }
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
    const std::size_t blocks = (vectors - v + kProductVectors - 1) / kProductVectors;
    const std::size_t now = (vectors - v + blocks - 1) / blocks;
    for (std::size_t r = 0; r < rows; r += kProductRows) {
      const Real* left = a + r * a_stride;
      const Real* right = b + v * lanes;
      Real* to = out + r * out_stride + v * lanes;
      if (now == 4) {
        ProductBlock<4, kAdd>(d, left, a_stride, right, b_stride, inner, to, out_stride);
      } else if (now == 3) {
        ProductBlock<3, kAdd>(d, left, a_stride, right, b_stride, inner, to, out_stride);
      } else if (now == 2) {
        ProductBlock<2, kAdd>(d, left, a_stride, right, b_stride, inner, to, out_stride);
      } else {
        ProductBlock<1, kAdd>(d, left, a_stride, right, b_stride, inner, to, out_stride);
      }
    }
    v += now;
  }
}

// From the sums at nodes to coefficients of the families, depth 0 of the series, up to `count` of them.
template <class Real>
void Analyse(std::uint32_t families, const SpectralTables& tables, std::uint32_t levels, std::size_t most,
             std::size_t count, ProductScratch<Real>& product, SpectralScratch& scratch) {
  constexpr std::size_t kOdd = kMostRows * kHalfNodes;
  const std::size_t lanes = hn::Lanes(hn::CappedTag<Real, kRowPad>());
  const auto rows = static_cast<std::size_t>(std::popcount(families));
  const std::size_t padded = (rows + kProductRows - 1) / kProductRows * kProductRows;
  for (std::size_t r = 0; r < 2 * kMostRows; ++r) {
    if (r % kMostRows < padded)
      std::fill_n(product.parity.data() + r * kHalfNodes, (most / 2 + kRowPad - 1) / kRowPad * kRowPad, Real(0));
  }
  for (std::size_t l = 0; l < tables.level.size(); ++l) {
    if ((levels >> l & 1U) == 0) continue;
    const NodeLevel& level = tables.level[l];
    const std::size_t n = level.level.nodes;
    std::size_t row = 0;
    for (std::uint32_t left = families; left != 0; left &= left - 1, ++row) {
      const auto f = static_cast<std::size_t>(std::countr_zero(left));
      const double* HWY_RESTRICT v = scratch.at_nodes.data() + f * tables.nodes + level.at;
      Real* HWY_RESTRICT sum = product.folded.data() + row * kHalfNodes;
      Real* HWY_RESTRICT difference = sum + kOdd;
      for (std::size_t k = 0; k < n / 2; ++k) {
        sum[k] = static_cast<Real>(v[k] + v[n - 1 - k]);
        difference[k] = static_cast<Real>(v[k] - v[n - 1 - k]);
      }
    }
    const Real* even;
    const Real* odd;
    if constexpr (sizeof(Real) == 4) {
      even = level.even32.data(), odd = level.odd32.data();
    } else {
      even = level.even64.data(), odd = level.odd64.data();
    }
    const std::size_t columns = (n / 2 + lanes - 1) / lanes * lanes;
    Multiply<true>(product.folded.data(), kHalfNodes, even, level.padded, padded, n / 2, columns, product.parity.data(),
                   kHalfNodes);
    Multiply<true>(product.folded.data() + kOdd, kHalfNodes, odd, level.padded, padded, n / 2, columns,
                   product.parity.data() + kOdd, kHalfNodes);
  }
  std::size_t row = 0;
  for (std::uint32_t left = families; left != 0; left &= left - 1, ++row) {
    double* HWY_RESTRICT to = scratch.series.data() + static_cast<std::size_t>(std::countr_zero(left)) * 4 * kSeries;
    const Real* HWY_RESTRICT even = product.parity.data() + row * kHalfNodes;
    const Real* HWY_RESTRICT odd = even + kOdd;
    for (std::size_t m = 0; m < most / 2; ++m) {
      to[m] = static_cast<double>(even[m]);
      to[kParity + m] = static_cast<double>(odd[m]);
    }
    for (std::size_t m = most / 2; m < count / 2 + 8; ++m) to[m] = to[kParity + m] = 0.0;
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
  for (std::size_t m = 0; m < growth.size(); ++m) {
    const double factor = 0.5 * growth[m];
    // k of one parity at a time: those of the results follow.
    for (std::size_t parity = 0; parity < 2; ++parity) {
      const double* HWY_RESTRICT from = half(f, parity);
      double* HWY_RESTRICT to = half(out, parity + m);
      const std::size_t up = (parity + m) / 2;  // place of degree parity + m
      for (std::size_t i = 0; i + up < count / 2; ++i) to[i + up] += factor * from[i];
      // Degree k - m of those k >= m, m - k of the others.
      const std::size_t first = m > parity ? (m - parity + 1) / 2 : 0;
      const std::size_t down = (parity + 2 * first - m) / 2;
      for (std::size_t i = first; i < count / 2; ++i) to[i - first + down] += factor * from[i];
      for (std::size_t i = 0; i < std::min(first, count / 2); ++i) {
        const std::size_t degree = m - parity - 2 * i;
        if (degree / 2 < count / 2) to[degree / 2] += factor * from[i];
      }
    }
  }
}

// From coefficients of families to those of functions, see spectral::CombinePlan.
void CombineSeries(const SpectralJob& shared, const spectral::Anchors& anchors, std::size_t count,
                   SpectralScratch& scratch) {
  const spectral::CombinePlan& plan = shared.plan;
  const double half_width = shared.interval.half_width;
  const auto series = [&](std::size_t family, std::size_t depth) {
    return scratch.series.data() + (family * 4 + depth) * kSeries;
  };
  for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) {
    for (std::size_t k = 0; k < plan.depth[f]; ++k) {
      const bool rises = spectral::top_of(static_cast<spectral::Family>(f)) == spectral::kH21 && k == 1;
      Integrate(series(f, k), count, rises ? half_width : -half_width, anchors.of[f][k], series(f, k + 1));
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
void Expand(const SpectralTables& tables, const std::vector<Real>& even, const std::vector<Real>& odd,
            std::size_t functions, std::size_t count, ProductScratch<Real>& product, const SpectralScratch& scratch) {
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

// Writes one half of the spots of a Greek, or adds to it, and takes the largest magnitude: `place` gives the first spot
// of the vector of values at m, ..., m + lanes - 1, which descend there if kDown.
template <bool kAdd, bool kDown, class Value>
HWY_INLINE hn::Vec<hn::ScalableTag<double>> WriteHalf(std::size_t begin, std::size_t end, std::size_t middle,
                                                      const Value& value, double* HWY_RESTRICT to,
                                                      hn::Vec<hn::ScalableTag<double>> most) {
  const hn::ScalableTag<double> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t m = begin;
  for (; m + lanes <= end; m += lanes) {
    const std::size_t j = kDown ? middle - m - (lanes - 1) : middle + m;
    auto sum = value(m, j);
    if constexpr (kAdd) sum = hn::Add(sum, hn::LoadU(d, to + j));
    hn::StoreU(sum, d, to + j);
    most = hn::Max(most, hn::Abs(sum));
  }
  if (m == end) return most;
  // The last values once more, with those before them: a whole vector, of which the new ones are written.
  HWY_ALIGN double part[HWY_MAX_BYTES / sizeof(double)];
  const std::size_t back = std::min(m, lanes - (end - m));
  const std::size_t from = m - back;
  const std::size_t j = kDown ? middle - from - (lanes - 1) : middle + from;
  hn::Store(value(from, j), d, part);
  for (std::size_t k = back; k < back + end - m; ++k) {
    const std::size_t lane = kDown ? lanes - 1 - k : k;
    double& cell = to[j + lane];
    cell = kAdd ? cell + part[lane] : part[lane];
    most = hn::Max(most, hn::Set(d, std::abs(cell)));
  }
  return most;
}

// From the parts of the functions to the row's exposures, and the largest magnitudes of them.
template <bool kAdd, class Real>
void WriteRow(const SpectralJob& shared, const ProductScratch<Real>& product, double* out, std::size_t out_stride,
              double* largest) {
  const SpectralTables& tables = *shared.tables;
  const std::size_t spots = tables.expansion.spots;
  const std::size_t half = tables.expansion.half;
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const double* per_spot = shared.per_spot.data() + kRowPad;
  const double* spot = shared.spot.data() + kRowPad;
  const auto part = [&](std::size_t function) { return product.half.data() + function * tables.half; };
  for (std::size_t slot = 0; slot < shared.plan.greeks.size(); ++slot) {
    const Real* even = part(slot);
    const Real* odd = part(kMostRows + slot);
    const Real* bond_even = part(shared.plan.function.size() - 1);
    const Real* bond_odd = part(kMostRows + shared.plan.function.size() - 1);
    V most = hn::Zero(d);
    const auto write = [&](const auto& scaled) {
      double* to = out + slot * out_stride;
      most = WriteHalf<kAdd, false>(
          0, half, spots / 2,
          [&](std::size_t m, std::size_t j) HWY_ATTR {
            return scaled(hn::Add(LoadAs(even + m), LoadAs(odd + m)),
                          hn::Add(LoadAs(bond_even + m), LoadAs(bond_odd + m)), j);
          },
          to, most);
      // The middle of an odd number of spots belongs to the upper half.
      most = WriteHalf<kAdd, true>(
          spots % 2, half, (spots - 1) / 2,
          [&](std::size_t m, std::size_t j) HWY_ATTR {
            return scaled(hn::Reverse(d, hn::Sub(LoadAs(even + m), LoadAs(odd + m))),
                          hn::Reverse(d, hn::Sub(LoadAs(bond_even + m), LoadAs(bond_odd + m))), j);
          },
          to, most);
    };
    const spectral::Function function = shared.plan.function[slot].function;
    if (function == spectral::kFThetaSpot) {
      write([&](V v, V bond, std::size_t j) HWY_ATTR { return hn::MulAdd(v, hn::LoadU(d, spot + j), bond); });
    } else if (spectral::spot_power(function) == -2) {
      write([&](V v, V, std::size_t j) HWY_ATTR {
        const V inverse = hn::LoadU(d, per_spot + j);
        return hn::Mul(hn::Mul(v, inverse), inverse);
      });
    } else if (spectral::spot_power(function) == -1) {
      write([&](V v, V, std::size_t j) HWY_ATTR { return hn::Mul(v, hn::LoadU(d, per_spot + j)); });
    } else if (spectral::spot_power(function) == 1) {
      write([&](V v, V, std::size_t j) HWY_ATTR { return hn::Mul(v, hn::LoadU(d, spot + j)); });
    } else {
      write([](V v, V, std::size_t) HWY_ATTR { return v; });
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
struct Collected {
  std::size_t count = 0;
  double signed_weight = 0.0, signed_weight_strike = 0.0;
};
template <class Takes>
Collected CollectDirect(const SpectralPosition::Contracts& from, std::size_t first, std::size_t last,
                        const RowExpiry& expiry, const Takes& takes, SpectralPosition::Contracts& to,
                        GrossSums& gross) {
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
  }
  sums.carry(d, gross);
  gross.bond_square += hn::GetLane(hn::SumOfLanes(d, bond_square));
  collected.signed_weight = hn::GetLane(hn::SumOfLanes(d, signed_weight));
  collected.signed_weight_strike = hn::GetLane(hn::SumOfLanes(d, signed_weight_strike));
  return collected;
}

// `rounding` is that of a term, `half_width` of the interval over which integrals carry errors, 0 where none are taken.
void AddMagnitudes(std::uint32_t families, const double* factor, double rate, double rounding, double half_width,
                   double highest_spot, const GrossSums& gross, spectral::Magnitudes& sums,
                   spectral::Magnitudes& squares) {
  // The error of a top is one of the highest degrees, or independent from node to node: its integral is as good as the
  // terms themselves, but that has an error of its own at the anchor, which the next one carries to the ends.
  const double reach[4] = {0.0, 0.0, half_width, half_width * half_width};
  const double rounding2 = rounding * rounding;
  for (std::uint32_t left = families; left != 0; left &= left - 1) {
    const auto f = static_cast<std::size_t>(std::countr_zero(left));
    const std::size_t highest = spectral::top_of(static_cast<spectral::Family>(f)) == spectral::kH12 ? 1 : 0;
    const double size = std::abs(factor[f]);
    const double size2 = size * size * rounding2;
    for (std::size_t k = 0; k + highest < 4; ++k) {
      sums.of[f][k] += size * (gross.sum[k + highest] + reach[k] * gross.sum[highest + 1]);
      squares.of[f][k] += size2 * (gross.square[k + highest] + reach[k] * reach[k] * gross.square[highest + 1]);
    }
  }
  sums.c2 += std::abs(rate) * highest_spot * gross.sum[2];
  squares.c2 += rate * rate * rounding2 * (highest_spot * highest_spot * gross.square[2] + gross.bond_square);
}

// Sums one expiry at the nodes and adds it to the row: the contracts [begin, end) of it in ascending volatility.
template <class Real>
std::int64_t AddExpiry(const SpectralJob& shared, const SpectralPosition& position, std::size_t begin, std::size_t end,
                       const RowExpiry& expiry, const double* factors, NodeColumns<Real>& staged,
                       SpectralScratch& scratch, std::uint32_t& levels, spectral::AnchorSums& anchor,
                       GrossSums& gross) {
  const SpectralTables& tables = *shared.tables;
  const std::uint32_t families = shared.plan.families;
  const std::uint32_t tops = spectral::needed_tops(families);
  const bool bond = shared.plan.greeks.contains(Greek::kTheta);
  const std::size_t padded = StageNodes(position.by_sigma, begin, end, expiry, shared.interval, bond, staged, gross);
  SumAnchors(staged, padded, bond, shared.centre_spot, anchor);
  const double* sigma = position.by_sigma.sigma.data() + begin;
  const std::size_t n = end - begin;
  std::int64_t at_nodes = 0;
  // The widest contracts come last and need the fewest nodes. Levels begin at whole steps of the loop: the odd contract
  // takes more nodes than it needs.
  std::size_t upper = (n + kInStep - 1) / kInStep * kInStep;
  for (std::size_t l = 0; l < tables.level.size() && upper > 0; ++l) {
    std::size_t lower = 0;
    if (l + 1 < tables.level.size()) {
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
    const std::size_t nodes = tables.level[l].level.nodes;
    double* out = scratch.at_nodes.data() + tables.level[l].at;
    if ((levels >> l & 1U) == 0) {
      levels |= 1U << l;
      for (std::size_t f = 0; f < spectral::kFamilyCount; ++f) std::fill_n(out + f * tables.nodes, nodes, 0.0);
    }
    const Real* node;
    if constexpr (sizeof(Real) == 4) {
      node = tables.level[l].node32.data();
    } else {
      node = tables.level[l].node64.data();
    }
    SumLevel(tops, staged, lower, upper, node, nodes, families, factors, tables.nodes, out);
    at_nodes += static_cast<std::int64_t>((upper - lower) * nodes);
    upper = lower;
  }
  return at_nodes;
}

void EvaluateRow(const SpectralJob& shared, const SpectralPosition& position, std::size_t row, SpectralScratch* of,
                 double* out, std::size_t out_stride, const RowOutcome& outcome, EvaluationCounts* counts) {
  SpectralScratch& scratch = *of;
  const GridView& grid = shared.job->grid;
  const BookView& book = shared.job->book;
  const SpectralTables& tables = *shared.tables;
  const GreekSet greeks = shared.plan.greeks;
  const std::int64_t time = grid.time[row / grid.iv_shift.size()];
  spectral::Magnitudes sums, squares;
  spectral::Anchors anchors;
  std::uint32_t levels = 0;
  scratch.at_nodes.resize(spectral::kFamilyCount * tables.nodes);
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
      const SpectralPosition::Contracts& contracts = position.by_strike;
      for (std::size_t i = first; i < last; ++i) {
        const double weight = contracts.weight[i] * shared.basis;
        for (std::size_t j = 0; j < grid.spots; ++j) {
          out[j] += weight * formulas::settled_delta(contracts.right[i], shared.spot[kRowPad + j], contracts.strike[i]);
        }
      }
      continue;
    }
    const double tau0 = static_cast<double>(book.settlement[e] - grid.quote_time) / kSecondsPerYear;
    const double scale =
        grid.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
    const double tau = static_cast<double>(book.settlement[e] - time) / kSecondsPerYear;
    const RowExpiry expiry = {tau,
                              book.rate[e],
                              book.dividend_yield[e],
                              grid.iv_shift[row % grid.iv_shift.size()] * scale,
                              grid.iv_floor,
                              std::sqrt(tau),
                              std::exp(-book.dividend_yield[e] * tau),
                              std::exp(-book.rate[e] * tau)};
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
    auto factors = spectral::family_factors(tau, expiry.rate, expiry.dividend_yield);
    auto densities = factors;
    for (double& factor : densities) factor *= kDensity;
    if (begin < end) {
      spectral::AnchorSums anchor;
      if (shared.accuracy.fp64_nodes) {
        counts->at_nodes += AddExpiry(shared, position, begin, end, expiry, densities.data(), scratch.staged64, scratch,
                                      levels, anchor, at_nodes);
      } else {
        counts->at_nodes += AddExpiry(shared, position, begin, end, expiry, densities.data(), scratch.staged32, scratch,
                                      levels, anchor, at_nodes);
      }
      anchor.c1 += 0.5 * expiry.discount_q * (position.signed_weight[end] - position.signed_weight[begin]);
      anchor.c2 +=
          0.5 * expiry.discount_r * (position.signed_weight_strike[end] - position.signed_weight_strike[begin]);
      anchors.add(factors, expiry.rate, anchor);
    }
    const auto evaluate_directly = [&](const auto& takes, double window) {
      begin_row();
      const Collected collected =
          CollectDirect(position.by_strike, first, last, expiry, takes, scratch.direct, directly);
      counts->direct += static_cast<std::int64_t>(collected.count);
      const SpectralPosition::Contracts& direct = scratch.direct;
      const ExpiryContracts contracts = {direct.log_moneyness.data(), direct.moneyness.data(),
                                         direct.strike.data(),        direct.sigma.data(),
                                         direct.weight.data(),        collected.count,
                                         collected.signed_weight,     collected.signed_weight_strike};
      const ScenarioRow scenario = {tau,
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
    AddMagnitudes(shared.plan.families, factors.data(), expiry.rate, kRoundingAtNodes, shared.interval.half_width,
                  highest, at_nodes, sums, squares);
    if (begin > first || last > end) {
      AddMagnitudes(shared.plan.families, factors.data(), expiry.rate, kRoundingAtSpots, 0.0, highest, directly, sums,
                    squares);
    }
  }

  std::size_t count = 0;
  if (levels != 0) {
    const std::size_t most = tables.level[static_cast<std::size_t>(std::bit_width(levels)) - 1].level.nodes;
    count = most + spectral::kMoreCoefficients;
    const std::size_t functions = shared.plan.function.size();
    if (shared.accuracy.fp64_products) {
      Analyse(shared.plan.families, tables, levels, most, count, scratch.product64, scratch);
    } else {
      Analyse(shared.plan.families, tables, levels, most, count, scratch.product32, scratch);
    }
    CombineSeries(shared, anchors, count, scratch);
    const auto expand = [&](const auto& even, const auto& odd, auto& product) {
      Expand(tables, even, odd, functions, count, product, scratch);
      if (begun) {
        WriteRow<true>(shared, product, out, out_stride, outcome.largest);
      } else {
        WriteRow<false>(shared, product, out, out_stride, outcome.largest);
      }
    };
    if (shared.accuracy.fp64_products) {
      expand(tables.even64, tables.odd64, scratch.product64);
    } else {
      expand(tables.even32, tables.odd32, scratch.product32);
    }
  } else {
    begin_row();
    FindLargest(greeks.size(), grid.spots, out, out_stride, outcome.largest);
  }

  const double node_unit = kDeviations * (shared.accuracy.fp64_nodes ? 0x1p-53 : 0x1p-24);
  const double product_unit = kDeviations * (shared.accuracy.fp64_products ? 0x1p-53 : 0x1p-24);
  spectral::error_scales(shared.plan, sums, shared.top_error, 1, outcome.bound);
  spectral::error_scales(shared.plan, squares, {node_unit, node_unit, node_unit, 1.25 * node_unit}, 2,
                         outcome.rounding);
  for (std::size_t f = 0; f < shared.plan.function.size() && levels != 0; ++f) {
    const double* c = scratch.functions.data() + f * kSeries;
    double square = 0.0;
    for (std::size_t m = 0; m < count / 2; ++m) square += c[m] * c[m] + c[kParity + m] * c[kParity + m];
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

SpectralTables make_spectral_tables(std::size_t spots, bool fp64_nodes) {
  SpectralTables tables;
  for (std::size_t n = 16; n <= spectral::kMostNodes; n += n < 64 && fp64_nodes ? 8 : 16) {
    NodeLevel level;
    level.level = spectral::make_level(n);
    level.node64 = level.level.node;
    level.node32.assign(level.node64.begin(), level.node64.end());
    level.padded = (n / 2 + kRowPad - 1) / kRowPad * kRowPad;
    const auto pad = [&](const std::vector<double>& from, auto& to) {
      to.assign(n / 2 * level.padded, 0);
      for (std::size_t k = 0; k < n / 2 * (n / 2); ++k) {
        to[k / (n / 2) * level.padded + k % (n / 2)] = static_cast<std::remove_cvref_t<decltype(to[0])>>(from[k]);
      }
    };
    pad(level.level.even, level.even32);
    pad(level.level.odd, level.odd32);
    pad(level.level.even, level.even64);
    pad(level.level.odd, level.odd64);
    level.at = tables.nodes;
    tables.nodes += n;
    tables.level.push_back(std::move(level));
  }
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

NodeWidths make_node_widths(const SpectralTables& tables, GreekSet greeks, double error) {
  NodeWidths widths;
  const std::uint32_t tops = spectral::needed_tops(spectral::needed_families(greeks));
  int highest = 1;
  for (int top = 0; top < spectral::kTopCount; ++top) {
    if ((tops >> top & 1U) != 0) highest = std::max(highest, spectral::order_of(static_cast<spectral::Top>(top)));
  }
  for (const NodeLevel& level : tables.level) {
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
  // d^4 phi(d) is what the highest of the moments leaves out.
  shared.window = std::sqrt(-2.0 * std::log(accuracy.error)) + 1.0;
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

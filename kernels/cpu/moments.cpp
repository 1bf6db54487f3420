// Inner loops of the CPU backend, compiled once per instruction set by Highway and chosen at run time.

#include "cpu/moments.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/moments.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// Behind them, and once per instruction set.
#include "cpu/normal_vectors.inc"

#ifndef GREEKGRID_CPU_MOMENTS_ONCE
#define GREEKGRID_CPU_MOMENTS_ONCE
namespace greekgrid::cpu {

// Contracts summed in fp32 before the sum is carried in fp64.
inline constexpr std::size_t kBlock = 64;
// s = sigma sqrt(tau) above which a contract takes the general loop: there exp(-d1^2/2) may underflow where d2 matters.
inline constexpr double kWide = 5.0;
// A table of volatilities is read once a row, so it should stay in the cache of a core.
inline constexpr std::size_t kTableBytes = std::size_t{256} << 10;
// Contracts that the affine loop works on in step; a row is filled up with contracts of no weight.
inline constexpr int kInterleaved = 4;
static_assert(kBlock % kInterleaved == 0);

// The contracts of one expiry under one row's volatility, staged as what the inner loop reads. Entries are broadcast.
template <class Real>
struct StagedContracts {
  std::vector<Real> centre, step, d0, um1, u0, u1, u2, s, ratio, bond;  // (n)
  std::vector<Real> sigma, carry_log;                                   // (n) general loop only
  std::vector<Real> table;                                              // (J padded / lanes, n, lanes) volatility
  std::size_t affine = 0;                                               // contracts of the affine loop: the first ones
  std::size_t general_begin = 0, general_end = 0;                       // contracts of the general loop
  std::vector<float> reach_up, reach_down;                              // (n) see find_windows
  std::vector<double> asset_before, bond_before;                        // (n + 1) sums of u0 and bond
  std::array<std::vector<Real>*, 12> columns() {
    return {&centre, &step, &d0, &um1, &u0, &u1, &u2, &s, &ratio, &bond, &sigma, &carry_log};
  }
  void resize(std::size_t n) {
    if (centre.size() >= n) return;
    for (auto* column : columns()) column->resize(n);
  }
};

// Contracts of the affine loop that a run of spots has within its window, in whole steps of the loop.
struct ContractRange {
  std::size_t begin, end;
};
template <class Real>
ContractRange within_window(const StagedContracts<Real>& staged, std::size_t first_spot, std::size_t last_spot) {
  const auto up = staged.reach_up.begin();
  const auto down = staged.reach_down.begin();
  const auto n = static_cast<std::ptrdiff_t>(staged.affine);
  const auto begin = static_cast<std::size_t>(std::lower_bound(up, up + n, static_cast<float>(first_spot)) - up);
  const auto end = static_cast<std::size_t>(std::upper_bound(down, down + n, static_cast<float>(last_spot)) - down);
  return {begin / kInterleaved * kInterleaved, (end + kInterleaved - 1) / kInterleaved * kInterleaved};
}

// Finds how far each contract of the affine loop reaches on the axis of spots: its density and the changing part of its
// distribution are within |d| <= window. Contracts ascend in strike, so a run of spots meets a run of contracts: those
// before it lie below all spots (reach_up, the highest so far, is too low) and are fully in or out of the money, those
// behind it above. Rounded outwards, to a spot.
template <class Real>
void find_windows(double window, StagedContracts<Real>& staged) {
  const std::size_t n = staged.affine;
  staged.reach_up.resize(n);
  staged.reach_down.resize(n);
  staged.asset_before.resize(n + 1);
  staged.bond_before.resize(n + 1);
  staged.asset_before[0] = staged.bond_before[0] = 0.0;
  float up = -1.0F;
  for (std::size_t i = 0; i < n; ++i) {
    staged.asset_before[i + 1] = staged.asset_before[i] + static_cast<double>(staged.u0[i]);
    staged.bond_before[i + 1] = staged.bond_before[i] + static_cast<double>(staged.bond[i]);
    staged.reach_up[i] = up;
    staged.reach_down[i] = std::numeric_limits<float>::max();
    if (!(staged.step[i] > Real(0))) continue;  // it fills the loop up
    const Real per_spot = Real(1) / staged.step[i];
    const Real half = (static_cast<Real>(window) + staged.s[i]) * per_spot;
    const Real zero = staged.centre[i] - staged.d0[i] * per_spot;
    up = std::max(up, static_cast<float>(zero + half) + 1.0F);
    staged.reach_up[i] = up;
    staged.reach_down[i] = static_cast<float>(zero - half) - 1.0F;
  }
  for (std::size_t i = n; i-- > 1;) staged.reach_down[i - 1] = std::min(staged.reach_down[i - 1], staged.reach_down[i]);
}

struct Scratch {
  StagedContracts<float> fp32;
  StagedContracts<double> fp64;
  std::vector<double> moments;       // (kMomentCount, J padded)
  std::vector<float> growth32, x32;  // (J padded) exp(x), x
  std::vector<double> growth64, x64;
};

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <std::uint32_t kMask>
constexpr bool Has(Moment m) {
  return (kMask >> m & 1U) != 0;
}

// Adds one contract's density terms to the accumulators. e0 is exp(-d^2/2); the factor 1/sqrt(2 pi) comes at the end.
template <std::uint32_t kMask, class V>
HWY_INLINE void Accumulate(V d, V e0, V um1, V u0, V u1, V u2, V* acc) {
  if constexpr (Has<kMask>(kMM1D0)) acc[kMM1D0] = hn::MulAdd(um1, e0, acc[kMM1D0]);
  if constexpr (Has<kMask>(kM0D0)) acc[kM0D0] = hn::MulAdd(u0, e0, acc[kM0D0]);
  if constexpr (Has<kMask>(kM1D0)) acc[kM1D0] = hn::MulAdd(u1, e0, acc[kM1D0]);
  if constexpr (Has<kMask>(kM2D0)) acc[kM2D0] = hn::MulAdd(u2, e0, acc[kM2D0]);
  const V e1 = hn::Mul(e0, d);
  if constexpr (Has<kMask>(kMM1D1)) acc[kMM1D1] = hn::MulAdd(um1, e1, acc[kMM1D1]);
  if constexpr (Has<kMask>(kM0D1)) acc[kM0D1] = hn::MulAdd(u0, e1, acc[kM0D1]);
  if constexpr (Has<kMask>(kM1D1)) acc[kM1D1] = hn::MulAdd(u1, e1, acc[kM1D1]);
  if constexpr (Has<kMask>(kM2D1)) acc[kM2D1] = hn::MulAdd(u2, e1, acc[kM2D1]);
  const V e2 = hn::Mul(e1, d);
  if constexpr (Has<kMask>(kM0D2)) acc[kM0D2] = hn::MulAdd(u0, e2, acc[kM0D2]);
  if constexpr (Has<kMask>(kM1D2)) acc[kM1D2] = hn::MulAdd(u1, e2, acc[kM1D2]);
  if constexpr (Has<kMask>(kM2D2)) acc[kM2D2] = hn::MulAdd(u2, e2, acc[kM2D2]);
  const V e3 = hn::Mul(e2, d);
  if constexpr (Has<kMask>(kM1D3)) acc[kM1D3] = hn::MulAdd(u1, e3, acc[kM1D3]);
  if constexpr (Has<kMask>(kM2D4)) acc[kM2D4] = hn::MulAdd(u2, hn::Mul(e3, d), acc[kM2D4]);
}

template <class D, class V>
HWY_INLINE void Carry([[maybe_unused]] D d, V value, double* HWY_RESTRICT to) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    hn::StoreU(hn::Add(hn::LoadU(d, to), value), d, to);
  } else {
#if HWY_TARGET == HWY_SCALAR
    *to += static_cast<double>(hn::GetLane(value));
#else
    const hn::Repartition<double, D> d64;
    const hn::Half<D> half;
    const auto low = hn::PromoteTo(d64, hn::LowerHalf(half, value));
    const auto high = hn::PromoteTo(d64, hn::UpperHalf(half, value));
    const std::size_t lanes = hn::Lanes(d64);
    hn::StoreU(hn::Add(hn::LoadU(d64, to), low), d64, to);
    hn::StoreU(hn::Add(hn::LoadU(d64, to + lanes), high), d64, to + lanes);
#endif
  }
}

template <std::uint32_t kMask, class D, class V>
HWY_INLINE void CarryAll(D d, const V* acc, std::size_t padded, double* HWY_RESTRICT moments) {
  for (int m = 0; m < kMomentCount; ++m) {
    if ((kMask >> m & 1U) != 0) Carry(d, acc[m], moments + static_cast<std::size_t>(m) * padded);
  }
}

// Adds N - 1/2 = 1/2 of the contracts before a range and -1/2 of those behind it.
inline void AddSaturated(const std::vector<double>& before, ContractRange range, std::size_t lanes,
                         double* HWY_RESTRICT to) {
  const double settled = 0.5 * (before[range.begin] - (before.back() - before[range.end]));
  for (std::size_t k = 0; k < lanes; ++k) to[k] += settled;
}

// Affine loop: d1 is linear in ln S. Lanes are spots, contracts are broadcast.
template <std::uint32_t kMask, int K, class Real>
void AffineMoments(const StagedContracts<Real>& staged, const Real* HWY_RESTRICT growth, std::size_t padded,
                   bool windowed, double* HWY_RESTRICT moments) {
  const hn::ScalableTag<Real> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const Real* HWY_RESTRICT centre = staged.centre.data();
  const Real* HWY_RESTRICT step = staged.step.data();
  const Real* HWY_RESTRICT d0 = staged.d0.data();
  const Real* HWY_RESTRICT um1 = staged.um1.data();
  const Real* HWY_RESTRICT u0 = staged.u0.data();
  const Real* HWY_RESTRICT u1 = staged.u1.data();
  const Real* HWY_RESTRICT u2 = staged.u2.data();
  const Real* HWY_RESTRICT s = staged.s.data();
  const Real* HWY_RESTRICT ratio = staged.ratio.data();
  const Real* HWY_RESTRICT bond = staged.bond.data();
  for (std::size_t j = 0; j < padded; j += lanes) {
    const V index = hn::Iota(d, static_cast<Real>(j));
    const V grown = hn::LoadU(d, growth + j);
    ContractRange range = {0, staged.affine};
    if (windowed) {
      range = within_window(staged, j, j + lanes - 1);
      if constexpr (Has<kMask>(kAsset)) AddSaturated(staged.asset_before, range, lanes, moments + kAsset * padded + j);
      if constexpr (Has<kMask>(kBond)) AddSaturated(staged.bond_before, range, lanes, moments + kBond * padded + j);
    }
    for (std::size_t begin = range.begin; begin < range.end; begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, range.end);
      V acc[kMomentCount];
      for (V& a : acc) a = hn::Zero(d);
      for (std::size_t i = begin; i < end; i += K) {
        const auto load = [&](const Real* HWY_RESTRICT from, int k) {
          return hn::Set(d, from[i + static_cast<std::size_t>(k)]);
        };
        Several<V, K> d1;
        for (int k = 0; k < K; ++k) d1.at[k] = hn::MulAdd(hn::Sub(index, load(centre, k)), load(step, k), load(d0, k));
        Several<V, K> d2 = d1;
        if constexpr (Has<kMask>(kBond)) {
          for (int k = 0; k < K; ++k) d2.at[k] = hn::Sub(d1.at[k], load(s, k));
        }
        const auto parts = EvaluateNormal<Has<kMask>(kAsset), Has<kMask>(kBond)>(d, Magnitude(d, d1), Magnitude(d, d2));
        for (int k = 0; k < K; ++k) {
          const V e = parts.e.at[k];
          Accumulate<kMask>(d1.at[k], e, load(um1, k), load(u0, k), load(u1, k), load(u2, k), acc);
          if constexpr (Has<kMask>(kAsset)) {
            const V n1 = CentredDistribution(d, d1.at[k], e, parts.mills1.at[k]);
            acc[kAsset] = hn::MulAdd(load(u0, k), n1, acc[kAsset]);
          }
          if constexpr (Has<kMask>(kBond)) {
            // exp(-d2^2/2) = exp(-d1^2/2) F/K.
            const V e2 = hn::Min(hn::Mul(e, hn::Mul(grown, load(ratio, k))), hn::Set(d, Real(1)));
            const V n2 = CentredDistribution(d, d2.at[k], e2, parts.mills2.at[k]);
            acc[kBond] = hn::MulAdd(load(bond, k), n2, acc[kBond]);
          }
        }
      }
      CarryAll<kMask>(d, acc, padded, moments + j);
    }
  }
}

// General loop: volatility depends on the spot, or s is so wide that d1 and d2 need exponentials of their own.
template <std::uint32_t kMask, class Real>
void GeneralMoments(const StagedContracts<Real>& staged, const ScenarioRow& row, const Real* HWY_RESTRICT x,
                    std::size_t padded, double* HWY_RESTRICT moments) {
  const hn::ScalableTag<Real> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const V one = hn::Set(d, Real(1));
  const V spacing = hn::Set(d, static_cast<Real>(row.log_spot_step));
  const V sqrt_tau = hn::Set(d, static_cast<Real>(std::sqrt(row.tau)));
  const V shift = hn::Set(d, static_cast<Real>(row.shift));
  const V floor = hn::Set(d, static_cast<Real>(row.floor));
  const V beta = hn::Set(d, static_cast<Real>(row.beta));
  const std::size_t last = staged.general_end;
  // Under a table every contract is in this loop, in its order.
  const bool table = row.volatility == RowVolatility::kTabulated;
  const Real* HWY_RESTRICT tabulated = staged.table.data();
  for (std::size_t j = 0; j < padded; j += lanes) {
    const V index = hn::Iota(d, static_cast<Real>(j));
    const V tilt = hn::NegMulAdd(beta, hn::LoadU(d, x + j), one);  // 1 - beta x
    for (std::size_t begin = staged.general_begin; begin < last; begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, last);
      V acc[kMomentCount];
      for (V& a : acc) a = hn::Zero(d);
      for (std::size_t i = begin; i < end; ++i) {
        V sigma;
        if (table) {
          sigma = hn::Add(hn::LoadU(d, tabulated), shift);
          tabulated += lanes;
        } else {
          sigma = hn::MulAdd(hn::Set(d, staged.sigma[i]), tilt, shift);
        }
        sigma = hn::Max(floor, sigma);
        const V s = hn::Mul(sigma, sqrt_tau);
        const V a = hn::Div(one, s);
        const V m = hn::MulAdd(hn::Sub(index, hn::Set(d, staged.centre[i])), spacing, hn::Set(d, staged.carry_log[i]));
        const V half = hn::Mul(hn::Set(d, Real(0.5)), s);
        const Several<V, 1> d1 = {{hn::MulAdd(m, a, half)}};
        const Several<V, 1> d2 = {{hn::MulSub(m, a, half)}};
        const auto m2 = Magnitude(d, d2);
        const auto parts = EvaluateNormal<true, Has<kMask>(kBond)>(d, Magnitude(d, d1), m2);
        const V e = parts.e.at[0];
        const V u0 = hn::Set(d, staged.u0[i]);
        const V u1 = hn::Mul(u0, a);
        Accumulate<kMask>(d1.at[0], e, hn::Mul(u0, s), u0, u1, hn::Mul(u1, a), acc);
        if constexpr (Has<kMask>(kAsset)) {
          acc[kAsset] = hn::MulAdd(u0, CentredDistribution(d, d1.at[0], e, parts.mills1.at[0]), acc[kAsset]);
        }
        if constexpr (Has<kMask>(kBond)) {
          // So wide that exp(-d2^2/2) wants an exponential of its own.
          const auto own = EvaluateNormal<false, false>(d, m2, m2);
          const V n2 = CentredDistribution(d, d2.at[0], own.e.at[0], parts.mills2.at[0]);
          acc[kBond] = hn::MulAdd(hn::Set(d, staged.bond[i]), n2, acc[kBond]);
        }
      }
      CarryAll<kMask>(d, acc, padded, moments + j);
    }
  }
}

// Moves the contracts of the general loop behind the others, both in their order.
template <class Real>
void Separate(const ScenarioRow& row, std::size_t n, StagedContracts<Real>& staged) {
  staged.affine = 0;
  staged.general_begin = staged.general_end = n + kRowPad;
  for (std::size_t i = 0; i < n; ++i) {
    const bool general = row.volatility != RowVolatility::kFixed || staged.s[i] > static_cast<Real>(kWide);
    const std::size_t k = general ? staged.general_end++ : staged.affine++;
    for (auto* column : staged.columns()) (*column)[k] = (*column)[i];
  }
}

// From contracts to what the loops broadcast, in fp64 throughout; d is formed around the spot nearest to its zero.
// Columns are written by whole vectors, so they are longer than the contracts, and inputs are padded (see
// ExpiryContracts).
template <class Real>
void Stage(const ExpiryContracts& contracts, const ScenarioRow& row, StagedContracts<Real>& staged) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t n = contracts.count;
  staged.resize(2 * n + 2 * kRowPad);
  const double carry = (row.rate - row.dividend_yield) * row.tau;
  const double discount_q = std::exp(-row.dividend_yield * row.tau);
  const double discount_r = std::exp(-row.rate * row.tau);
  const double last_spot = static_cast<double>(row.spots - 1);
  const double per_step = row.log_spot_step > 0.0 ? 1.0 / row.log_spot_step : 0.0;
  const auto set = [&](double value) { return hn::Set(d, value); };
  const V half = set(0.5);
  const V begin = set(row.log_spot_begin);
  const V spacing = set(row.log_spot_step);
  bool general = row.volatility != RowVolatility::kFixed;
  for (std::size_t i = 0; i < n; i += lanes) {
    const V sigma = hn::Max(set(row.floor), hn::Add(hn::LoadU(d, contracts.sigma + i), set(row.shift)));
    const V s = hn::Mul(sigma, set(std::sqrt(row.tau)));
    const V m = hn::Add(hn::LoadU(d, contracts.log_moneyness + i), set(carry));
    const V a = hn::Div(set(1.0), s);
    const V zero = hn::Mul(hn::Sub(hn::Neg(hn::MulAdd(hn::Mul(half, s), s, m)), begin), set(per_step));
    const V centre = hn::Floor(hn::Add(hn::Min(hn::Max(zero, set(0.0)), set(last_spot)), half));
    const V at_centre = hn::Add(m, hn::MulAdd(centre, spacing, begin));
    const V weight = hn::LoadU(d, contracts.weight + i);
    const V u = hn::Mul(weight, set(discount_q));
    general = general || !hn::AllFalse(d, hn::Gt(s, set(kWide)));
    StoreAs(centre, staged.centre.data() + i);
    StoreAs(hn::Mul(a, spacing), staged.step.data() + i);
    StoreAs(hn::MulAdd(at_centre, a, hn::Mul(half, s)), staged.d0.data() + i);
    StoreAs(hn::Mul(u, s), staged.um1.data() + i);
    StoreAs(u, staged.u0.data() + i);
    StoreAs(hn::Mul(u, a), staged.u1.data() + i);
    StoreAs(hn::Mul(hn::Mul(u, a), a), staged.u2.data() + i);
    StoreAs(s, staged.s.data() + i);
    StoreAs(hn::Mul(hn::LoadU(d, contracts.moneyness + i), set(std::exp(carry))), staged.ratio.data() + i);
    StoreAs(hn::Mul(hn::Mul(weight, hn::LoadU(d, contracts.strike + i)), set(discount_r)), staged.bond.data() + i);
    StoreAs(hn::LoadU(d, contracts.sigma + i), staged.sigma.data() + i);
    StoreAs(at_centre, staged.carry_log.data() + i);
  }
  staged.affine = n;
  staged.general_begin = staged.general_end = n;
  if (general) Separate(row, n, staged);
  for (; staged.affine % kInterleaved != 0; ++staged.affine) {
    for (auto* column : staged.columns()) (*column)[staged.affine] = Real(0);
  }
}

// formulas::skew_stickiness_move on vectors of spots, the contract's own terms formed once.
template <class Real>
void Tabulate(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row,
              StagedContracts<Real>& staged) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<Real> of_row;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t row_lanes = hn::Lanes(of_row);
  const std::size_t padded = (row.spots + row_lanes - 1) / row_lanes * row_lanes;
  const std::size_t n = contracts.count;
  if (staged.table.size() < n * padded) staged.table.resize(n * padded);
  const formulas::Smile<double>& smile = rule.smile;
  const auto set = [&](double value) { return hn::Set(d, value); };
  const V a = set(smile.a), b = set(smile.b), rho = set(smile.rho), s2 = set(smile.s * smile.s), tau = set(smile.tau);
  const V zero = hn::Zero(d);
  const auto root = [&](V k) { return hn::Sqrt(hn::MulAdd(k, k, s2)); };
  const auto deviation = [&](V k, V r) {
    return hn::Sqrt(hn::Mul(tau, hn::Max(hn::MulAdd(b, hn::MulAdd(rho, k, r), a), zero)));
  };
  for (std::size_t i = 0; i < n; ++i) {
    const V from = set(-(contracts.log_moneyness[i] + rule.carry0) - smile.m);
    const V root_from = root(from);
    const V deviation_from = deviation(from, root_from);
    const V sigma = set(contracts.sigma[i]);
    for (std::size_t j = 0; j < padded; j += lanes) {
      const V x = hn::MulAdd(hn::Iota(d, static_cast<double>(j)), set(row.log_spot_step), set(row.log_spot_begin));
      const V step = hn::Mul(set(rule.stickiness - 1.0), x);
      const V to = hn::Add(from, step);
      const V root_to = root(to);
      const V roots = hn::Add(root_from, root_to);
      const V rise = hn::Mul(hn::Mul(b, step), hn::MulAdd(rho, roots, hn::Add(from, to)));
      const V run = hn::Mul(roots, hn::Add(deviation_from, deviation(to, root_to)));
      const V move = hn::IfThenElseZero(hn::Gt(run, zero), hn::Div(rise, run));
      StoreAs(hn::Add(sigma, move), staged.table.data() + (j / row_lanes * n + i) * row_lanes + j % row_lanes);
    }
  }
}

// From the sums over one expiry to its exposures, in fp64: the factors common to its contracts.
void Combine(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, std::size_t padded,
             const double* HWY_RESTRICT moments, double* HWY_RESTRICT out, std::size_t out_stride) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const double r = row.rate;
  const double q = row.dividend_yield;
  const double tau = row.tau;
  const double h = 0.5 / tau;
  const double root = std::sqrt(tau);
  const double b = row.basis_factor;
  const double asset_constant = 0.5 * contracts.signed_weight * std::exp(-q * tau);
  const double bond_constant = 0.5 * contracts.signed_weight_strike * std::exp(-r * tau);
  const auto set = [&](double value) { return hn::Set(d, value); };
  const V density = set(0.39894228040143267794);
  for (std::size_t j = 0; j < row.spots; j += lanes) {
    const auto moment = [&](Moment m) {
      return hn::Mul(density, hn::LoadU(d, moments + static_cast<std::size_t>(m) * padded + j));
    };
    const V spot = hn::LoadU(d, row.spot + j);
    const V per_spot = hn::Div(set(1.0), spot);
    const auto asset = [&] { return hn::Add(hn::LoadU(d, moments + kAsset * padded + j), set(asset_constant)); };
    const auto bond = [&] { return hn::Add(hn::LoadU(d, moments + kBond * padded + j), set(bond_constant)); };
    std::size_t slot = 0;
    const auto add = [&](V value, double factor) {
      double* HWY_RESTRICT to = out + slot++ * out_stride + j;
      value = hn::Mul(value, set(factor));
      const std::size_t left = row.spots - j;
      if (left >= lanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, to), value), d, to);
      } else {
        HWY_ALIGN double part[HWY_MAX_BYTES / sizeof(double)];
        hn::Store(value, d, part);
        for (std::size_t k = 0; k < left; ++k) to[k] += part[k];
      }
    };
    // The order of kAllGreeks.
    if (greeks.contains(Greek::kDelta)) add(asset(), b);
    if (greeks.contains(Greek::kGamma)) add(hn::Mul(moment(kM1D0), per_spot), b * b);
    if (greeks.contains(Greek::kCharm)) {
      const V drift = hn::MulAdd(set(q), asset(), hn::Mul(set(q - r), moment(kM1D0)));
      add(hn::MulAdd(hn::Sub(moment(kM0D1), moment(kMM1D0)), set(h), drift), b);
    }
    if (greeks.contains(Greek::kVanna)) add(hn::Sub(moment(kM0D0), moment(kM1D1)), root * b);
    if (greeks.contains(Greek::kSpeed)) {
      add(hn::Mul(hn::Neg(hn::Add(moment(kM2D1), moment(kM1D0))), hn::Mul(per_spot, per_spot)), b * b * b);
    }
    if (greeks.contains(Greek::kZomma)) {
      add(hn::Mul(hn::Sub(hn::Sub(moment(kM2D2), moment(kM2D0)), moment(kM1D1)), per_spot), root * b * b);
    }
    if (greeks.contains(Greek::kColor)) {
      const V carry = hn::MulAdd(set(q), moment(kM1D0), hn::Mul(set(r - q), moment(kM2D1)));
      const V decay = hn::Sub(moment(kM0D1), hn::Sub(moment(kM1D2), moment(kM1D0)));
      add(hn::Mul(hn::MulAdd(decay, set(h), carry), per_spot), b * b);
    }
    if (greeks.contains(Greek::kVega)) add(hn::Mul(spot, moment(kM0D0)), root);
    if (greeks.contains(Greek::kVomma)) add(hn::Mul(spot, hn::Sub(moment(kM1D2), moment(kM0D1))), tau);
    if (greeks.contains(Greek::kUltima)) {
      // H24 + 3 H22 - 2 H13 - 3 H11 + H02 with He4 = d^4 - 6 d^2 + 3, He3 = d^3 - 3 d, He2 = d^2 - 1.
      const V even = hn::NegMulAdd(set(3.0), moment(kM2D2), moment(kM2D4));
      const V odd = hn::MulAdd(set(-2.0), moment(kM1D3), hn::Mul(set(3.0), moment(kM1D1)));
      const V rest = hn::Sub(moment(kM0D2), moment(kM0D0));
      add(hn::Mul(spot, hn::Add(hn::Add(even, odd), rest)), tau * root);
    }
    if (greeks.contains(Greek::kTheta)) {
      const V diffusion = hn::Mul(hn::Mul(spot, moment(kMM1D0)), set(-h));
      const V carried = hn::Mul(set(q), hn::Mul(spot, asset()));
      add(hn::Add(diffusion, hn::NegMulAdd(set(r), bond(), carried)), 1.0);
    }
    if (greeks.contains(Greek::kVeta)) {
      const V level = hn::MulAdd(set(q - h), moment(kM0D0), hn::Mul(set(r - q), moment(kM1D1)));
      add(hn::Mul(spot, hn::MulAdd(set(h), hn::Sub(moment(kMM1D1), moment(kM0D2)), level)), root);
    }
  }
}

// The sets of moments with loops of their own; any other set uses the smallest of them that holds it.
constexpr std::uint32_t kMaskGamma = needed_moments({Greek::kGamma});
constexpr std::uint32_t kMaskDelta = needed_moments({Greek::kDelta});
// All that need the density alone.
constexpr std::uint32_t kMaskDensity =
    needed_moments({Greek::kGamma, Greek::kVanna, Greek::kSpeed, Greek::kZomma, Greek::kColor, Greek::kVega,
                    Greek::kVomma, Greek::kUltima, Greek::kVeta});
constexpr std::uint32_t kMask3 = needed_moments(kGreeks3);
constexpr std::uint32_t kMask4 = needed_moments({Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna});
constexpr std::uint32_t kMask11 = needed_moments(kGreeks11);
constexpr std::uint32_t kMaskAll = needed_moments(GreekSet::all());

template <class Real>
void AddExposures(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row,
                  StagedContracts<Real>& staged, std::vector<Real>& growth, std::vector<Real>& x,
                  std::vector<double>& moments, double* out, std::size_t out_stride) {
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<Real>());
  const std::size_t padded = (row.spots + lanes - 1) / lanes * lanes;
  Stage(contracts, row, staged);
  const std::uint32_t mask = needed_moments(greeks);
  // Under a window all contracts are affine: the caller sees to it.
  const bool windowed = row.window > 0.0 && staged.general_end == staged.general_begin;
  if (windowed) find_windows(row.window, staged);
  growth.resize(padded);
  x.resize(padded);
  if (row.volatility == RowVolatility::kRelativeBeta || (mask >> kBond & 1U) != 0) {
    for (std::size_t j = 0; j < padded; ++j) {
      x[j] = static_cast<Real>(row.log_spot_begin + static_cast<double>(j) * row.log_spot_step);
      growth[j] = static_cast<Real>(row.growth[j]);
    }
  }
  moments.resize(kMomentCount * padded);
  const auto run = [&]<std::uint32_t kMask>() {
    for (std::size_t m = 0; m < kMomentCount; ++m) {
      if ((kMask >> m & 1U) != 0) std::fill_n(&moments[m * padded], padded, 0.0);
    }
    if (staged.affine > 0) AffineMoments<kMask, kInterleaved>(staged, growth.data(), padded, windowed, moments.data());
    if (staged.general_end > staged.general_begin) GeneralMoments<kMask>(staged, row, x.data(), padded, moments.data());
  };
  const auto within = [&](std::uint32_t larger) { return (mask & ~larger) == 0; };
  if (within(kMaskGamma)) {
    run.template operator()<kMaskGamma>();
  } else if (within(kMaskDelta)) {
    run.template operator()<kMaskDelta>();
  } else if (within(kMask3)) {
    run.template operator()<kMask3>();
  } else if (within(kMask4)) {
    run.template operator()<kMask4>();
  } else if (within(kMaskDensity)) {
    run.template operator()<kMaskDensity>();
  } else if (within(kMask11)) {
    run.template operator()<kMask11>();
  } else {
    run.template operator()<kMaskAll>();
  }
  Combine(greeks, contracts, row, padded, moments.data(), out, out_stride);
}

void AddExposures32(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, Scratch* scratch,
                    double* out, std::size_t out_stride) {
  AddExposures(greeks, contracts, row, scratch->fp32, scratch->growth32, scratch->x32, scratch->moments, out,
               out_stride);
}
void AddExposures64(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, Scratch* scratch,
                    double* out, std::size_t out_stride) {
  AddExposures(greeks, contracts, row, scratch->fp64, scratch->growth64, scratch->x64, scratch->moments, out,
               out_stride);
}
void Tabulate32(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row, Scratch* scratch) {
  Tabulate(contracts, rule, row, scratch->fp32);
}
void Tabulate64(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row, Scratch* scratch) {
  Tabulate(contracts, rule, row, scratch->fp64);
}
const char* InstructionSet() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {

HWY_EXPORT(AddExposures32);
HWY_EXPORT(AddExposures64);
HWY_EXPORT(Tabulate32);
HWY_EXPORT(Tabulate64);
HWY_EXPORT(InstructionSet);

void ScratchDeleter::operator()(Scratch* scratch) const {
  delete scratch;
}
ScratchPointer make_scratch() {
  return ScratchPointer(new Scratch);
}

void add_exposures_fp32(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, Scratch& scratch,
                        double* out, std::size_t out_stride) {
  HWY_DYNAMIC_DISPATCH(AddExposures32)(greeks, contracts, row, &scratch, out, out_stride);
}
void add_exposures_fp64(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, Scratch& scratch,
                        double* out, std::size_t out_stride) {
  HWY_DYNAMIC_DISPATCH(AddExposures64)(greeks, contracts, row, &scratch, out, out_stride);
}
std::size_t table_contracts(std::size_t spots, std::size_t bytes_per_value) {
  const std::size_t padded = (spots + kRowPad - 1) / kRowPad * kRowPad;
  return std::max<std::size_t>(kTableBytes / (padded * bytes_per_value) / kBlock, 1) * kBlock;
}
void tabulate_volatility_fp32(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row,
                              Scratch& scratch) {
  HWY_DYNAMIC_DISPATCH(Tabulate32)(contracts, rule, row, &scratch);
}
void tabulate_volatility_fp64(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row,
                              Scratch& scratch) {
  HWY_DYNAMIC_DISPATCH(Tabulate64)(contracts, rule, row, &scratch);
}
const char* instruction_set() {
  return HWY_DYNAMIC_DISPATCH(InstructionSet)();
}

}  // namespace greekgrid::cpu
#endif

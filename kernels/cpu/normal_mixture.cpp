// Sums over a mixture of normal distributions. Eight sums side by side, whatever the width of a vector, so that the
// order of additions is the same everywhere.

#include "greekgrid/kernels/normal_mixture.hpp"

#include <cassert>

#include "cpu/normal_fits.hpp"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/normal_mixture.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef GREEKGRID_CPU_NORMAL_MIXTURE_ONCE
#define GREEKGRID_CPU_NORMAL_MIXTURE_ONCE
namespace greekgrid::cpu {

// N(-x) exp(x^2/2) as a polynomial in (x - 4)/(x + 4) from the highest power down, as kMills but closer: its error
// times exp(-x^2/2) is below 7e-17 on [0, 37]. Interpolated with 90 digits at Chebyshev's points of x in [0, 8.6],
// beyond which nothing of it is left.
inline constexpr double kMillsMixture[] = {-2.5911683540531105e-10, 5.552022952790029e-08,  3.7627451759302354e-07,
                                           7.375587156033408e-07,   -8.530014891357802e-07, -4.343629348935174e-06,
                                           4.62091160191793e-06,    2.865326475738742e-05,  -4.555194597919977e-05,
                                           -0.00018718432279348304, 0.0006388135663064594,  0.000507562049315787,
                                           -0.008492095469477386,   0.030864804107843844,   -0.07170740733798221,
                                           0.12437925533923859,     -0.17039772154845392,   0.094410641301969};

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V, std::size_t N>
HWY_INLINE V Polynomial(D d, V x, const double (&c)[N]) {
  V sum = hn::Set(d, c[0]);
#pragma GCC unroll 32
  for (std::size_t i = 1; i < N; ++i) sum = hn::MulAdd(sum, x, hn::Set(d, c[i]));
  return sum;
}

// exp(x), -700 <= x <= 0.
template <class D, class V>
HWY_INLINE V Exponential(D d, V x) {
  const hn::RebindToSigned<D> di;
  constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits
  const V scale = hn::Set(d, 1.4426950408889634074), magic = hn::Set(d, kMagic);
  const V shifted = hn::MulAdd(x, scale, magic);
  const V f = hn::MulSub(x, scale, hn::Sub(shifted, magic));
  const auto exponent = hn::ShiftLeft<52>(hn::BitCast(di, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, Polynomial(d, f, kExp2<double>)), exponent));
}

void SumMixture(const double* y, const double* w, std::size_t n, double at, double bandwidth, MixtureSums& sums) {
  const hn::CappedTag<double, kMixtureMultiple> d;
  using V = hn::Vec<decltype(d)>;
  constexpr double kClamp = 37.0;  // exp(-u^2/2) stays normal
  const std::size_t lanes = hn::Lanes(d);
  double excess[kMixtureMultiple], density[kMixtureMultiple], slope[kMixtureMultiple];
  const V scale = hn::Set(d, 1.0 / bandwidth), four = hn::Set(d, 4.0), half = hn::Set(d, 0.5);
  for (std::size_t lane = 0; lane < kMixtureMultiple; lane += lanes) {
    V sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d);
    for (std::size_t i = lane; i < n; i += kMixtureMultiple) {
      const V weight = hn::LoadU(d, w + i);
      const V u = hn::Mul(hn::Sub(hn::Set(d, at), hn::LoadU(d, y + i)), scale);
      const V magnitude = hn::Min(hn::Abs(u), hn::Set(d, kClamp));
      const V e = Exponential(d, hn::Mul(hn::Mul(magnitude, magnitude), hn::Set(d, -0.5)));
      const V t = hn::Div(hn::Sub(magnitude, four), hn::Add(magnitude, four));
      const V tail = hn::Mul(e, Polynomial(d, t, kMillsMixture));
      sum0 = hn::MulAdd(weight, hn::CopySign(hn::Sub(half, tail), u), sum0);
      const V we = hn::Mul(weight, e);
      sum1 = hn::Add(sum1, we);
      sum2 = hn::MulAdd(we, u, sum2);
    }
    hn::StoreU(sum0, d, excess + lane);
    hn::StoreU(sum1, d, density + lane);
    hn::StoreU(sum2, d, slope + lane);
  }
  sums = {};
  for (std::size_t lane = 0; lane < kMixtureMultiple; ++lane) {
    sums.excess += excess[lane];
    sums.density += density[lane];
    sums.slope -= slope[lane];
  }
  constexpr double kDensity = 0.39894228040143267794;  // 1/sqrt(2 pi)
  sums.density *= kDensity;
  sums.slope *= kDensity;
}

void WeighByDistance(const double* distance2, const double* factor, std::size_t n, double* weight) {
  const hn::CappedTag<double, 8> d;
  const std::size_t lanes = hn::Lanes(d);
  auto most = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto there = hn::FirstN(d, n - i);
    most = hn::Max(most, hn::MaskedLoad(there, d, distance2 + i));
  }
  const double h2 = hn::GetLane(hn::MaxOfLanes(d, most));
  const auto scale = hn::Set(d, h2 >= 0x1p-1000 ? -0.5 / h2 : 0.0);
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto there = hn::FirstN(d, n - i);
    const auto e = Exponential(d, hn::Mul(hn::MaskedLoad(there, d, distance2 + i), scale));
    const auto w = hn::Mul(e, hn::MaskedLoad(there, d, factor + i));
    if (n - i >= lanes) {
      hn::StoreU(w, d, weight + i);
    } else {
      double rest[8];
      hn::StoreU(w, d, rest);
      for (std::size_t k = i; k < n; ++k) weight[k] = rest[k - i];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid {
namespace cpu {
HWY_EXPORT(SumMixture);
HWY_EXPORT(WeighByDistance);
}  // namespace cpu

MixtureSums normal_mixture(std::span<const double> y, std::span<const double> w, double at, double bandwidth) {
  assert(w.size() == y.size() && y.size() % kMixtureMultiple == 0 && bandwidth > 0.0);
  MixtureSums sums;
  HWY_DYNAMIC_DISPATCH(cpu::SumMixture)(y.data(), w.data(), y.size(), at, bandwidth, sums);
  return sums;
}

void weigh_by_distance(std::span<const double> distance2, std::span<const double> factor, std::span<double> weight) {
  assert(factor.size() == distance2.size() && weight.size() == distance2.size());
  HWY_DYNAMIC_DISPATCH(cpu::WeighByDistance)(distance2.data(), factor.data(), distance2.size(), weight.data());
}

}  // namespace greekgrid
#endif

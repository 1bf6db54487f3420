// Peaks of one core by straight-line vector code with enough independent chains to hide every latency.

#include "machine_peaks.hpp"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine_peaks.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace greekgrid::bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
Real Fma(std::size_t count) {
  const hn::ScalableTag<Real> d;
  using V = hn::Vec<decltype(d)>;
  // Every chain starts elsewhere: equal chains would be computed once.
  const V start = hn::Iota(d, Real(0.1));
  const auto from = [&](int k) { return hn::Add(start, hn::Set(d, static_cast<Real>(k))); };
  V a0 = from(0), a1 = from(1), a2 = from(2), a3 = from(3), a4 = from(4), a5 = from(5), a6 = from(6), a7 = from(7),
    a8 = from(8), a9 = from(9), a10 = from(10), a11 = from(11), a12 = from(12), a13 = from(13), a14 = from(14),
    a15 = from(15);
  const V m = hn::Set(d, Real(0.999));
  const V c = hn::Set(d, Real(1e-3));
  for (std::size_t i = 0; i < count; ++i) {
    a0 = hn::MulAdd(a0, m, c), a1 = hn::MulAdd(a1, m, c), a2 = hn::MulAdd(a2, m, c), a3 = hn::MulAdd(a3, m, c);
    a4 = hn::MulAdd(a4, m, c), a5 = hn::MulAdd(a5, m, c), a6 = hn::MulAdd(a6, m, c), a7 = hn::MulAdd(a7, m, c);
    a8 = hn::MulAdd(a8, m, c), a9 = hn::MulAdd(a9, m, c), a10 = hn::MulAdd(a10, m, c), a11 = hn::MulAdd(a11, m, c);
    a12 = hn::MulAdd(a12, m, c), a13 = hn::MulAdd(a13, m, c), a14 = hn::MulAdd(a14, m, c), a15 = hn::MulAdd(a15, m, c);
  }
  a0 = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(hn::Add(a4, a5), hn::Add(a6, a7)));
  a8 = hn::Add(hn::Add(hn::Add(a8, a9), hn::Add(a10, a11)), hn::Add(hn::Add(a12, a13), hn::Add(a14, a15)));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a0, a8)));
}

float Issue(std::size_t count) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  using V = hn::Vec<decltype(d)>;
  using I = hn::Vec<decltype(di)>;
  const V start = hn::Iota(d, 0.1f);
  const auto from = [&](int k) { return hn::Add(start, hn::Set(d, static_cast<float>(k))); };
  V a0 = from(0), a1 = from(1), a2 = from(2), a3 = from(3), a4 = from(4), a5 = from(5), a6 = from(6), a7 = from(7),
    m0 = from(8), m1 = from(9);
  I i0 = hn::Iota(di, 0), i1 = hn::Iota(di, 1), i2 = hn::Iota(di, 2), i3 = hn::Iota(di, 3), s0 = hn::Iota(di, 4),
    s1 = hn::Iota(di, 5);
  const V m = hn::Set(d, 0.999f);
  const V c = hn::Set(d, 1e-3f);
  const I k = hn::Set(di, 7);
  for (std::size_t i = 0; i < count; ++i) {
    a0 = hn::MulAdd(a0, m, c), a1 = hn::MulAdd(a1, m, c), a2 = hn::MulAdd(a2, m, c), a3 = hn::MulAdd(a3, m, c);
    a4 = hn::MulAdd(a4, m, c), a5 = hn::MulAdd(a5, m, c), a6 = hn::MulAdd(a6, m, c), a7 = hn::MulAdd(a7, m, c);
    m0 = hn::Min(m0, a0), m1 = hn::Min(m1, a1);
    i0 = hn::Xor(hn::Add(i0, k), i0), i1 = hn::Xor(hn::Add(i1, k), i1);
    s0 = hn::ShiftLeft<3>(s0), s1 = hn::ShiftLeft<3>(s1);
  }
  V sum = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(hn::Add(a4, a5), hn::Add(a6, a7)));
  sum = hn::Add(sum, hn::Add(m0, m1));
  const I isum = hn::Add(hn::Add(hn::Add(i0, i1), hn::Add(i2, i3)), hn::Add(s0, s1));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum, hn::ConvertTo(d, isum))));
}

float Fma32(std::size_t count) {
  return Fma<float>(count);
}
double Fma64(std::size_t count) {
  return Fma<double>(count);
}
std::size_t Lanes32() {
  return hn::Lanes(hn::ScalableTag<float>());
}
std::size_t Lanes64() {
  return hn::Lanes(hn::ScalableTag<double>());
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::bench {
HWY_EXPORT(Fma32);
HWY_EXPORT(Fma64);
HWY_EXPORT(Issue);
HWY_EXPORT(Lanes32);
HWY_EXPORT(Lanes64);
std::size_t lanes_fp32() {
  return HWY_DYNAMIC_DISPATCH(Lanes32)();
}
std::size_t lanes_fp64() {
  return HWY_DYNAMIC_DISPATCH(Lanes64)();
}
float run_fma_fp32(std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(Fma32)(count);
}
double run_fma_fp64(std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(Fma64)(count);
}
float run_issue_fp32(std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(Issue)(count);
}
}  // namespace greekgrid::bench
#endif

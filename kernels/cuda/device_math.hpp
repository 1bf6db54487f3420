#pragma once

/// @file
/// The unnormalised normal density exp(-d^2/2) and the tail N(-|d|) that reuses it, in the two precisions of the
/// kernels. In fp32 a device takes one special-function instruction for each exponential and reciprocal (2 ulp);
/// elsewhere the standard library stands in. And the counting in which threads of a block share.

#include <cstdint>

#include "greekgrid/kernels/formulas/erfcx.hpp"
#include "greekgrid/kernels/scalar_math.hpp"

/// Before a loop of constant length over registers: left rolled it would index them at run time, through local memory.
#if defined(__CUDA_ARCH__)
#define GREEKGRID_UNROLL _Pragma("unroll")
/// Before a loop whose body fills the registers once.
#define GREEKGRID_ROLLED _Pragma("unroll 1")
/// Before a loop whose counting would take a good part of it.
#define GREEKGRID_UNROLL_BY_FOUR _Pragma("unroll 4")
#else
#define GREEKGRID_UNROLL
#define GREEKGRID_ROLLED
#define GREEKGRID_UNROLL_BY_FOUR
#endif

namespace greekgrid::cuda {

inline constexpr double kInverseSqrtTwoPi = 0.39894228040143267794;

/// exp(-d^2/2); 0 beyond |d| = 13.2 in float.
GREEKGRID_HD float bell(float d) {
  const float exponent = d * (d * -0.72134752f);
#if defined(__CUDA_ARCH__)
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
#else
  return ::exp2f(exponent);
#endif
}
GREEKGRID_HD double bell(double d) {
  return math::exp(-0.5 * d * d);
}

GREEKGRID_HD float reciprocal(float x) {
#if defined(__CUDA_ARCH__)
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(x));
  return inverse;
#else
  return 1.0f / x;
#endif
}
GREEKGRID_HD double reciprocal(double x) {
  return 1.0 / x;
}

/// M(v)/sqrt(2 pi), so that N(-v) = bell(v) mills(v), for v >= 0. In float a Chebyshev fit in 1/(1 + 0.35 v): relative
/// error 4e-8 up to v = 14, where bell has underflowed.
GREEKGRID_HD float mills(float v) {
  const float q = reciprocal(math::fma(0.35f, v, 1.0f));
  float sum = -0.029679522f;
  sum = math::fma(sum, q, 0.1465458303f);
  sum = math::fma(sum, q, -0.2609612283f);
  sum = math::fma(sum, q, 0.1650509959f);
  sum = math::fma(sum, q, -0.02704660827f);
  sum = math::fma(sum, q, 0.1071145876f);
  sum = math::fma(sum, q, 0.1194449168f);
  sum = math::fma(sum, q, 0.1399122981f);
  sum = math::fma(sum, q, 0.1396187126f);
  return sum * q;
}
GREEKGRID_HD double mills(double v) {
  return kInverseSqrtTwoPi * formulas::mills_ratio(v);
}

/// Takes slots of a count that the threads of a block share; returns the first of them. Who gets which is open.
GREEKGRID_HD std::uint32_t take_slots(std::uint32_t& count, std::uint32_t slots) {
#if defined(__CUDA_ARCH__)
  return atomicAdd(&count, slots);
#else
  const std::uint32_t first = count;
  count += slots;
  return first;
#endif
}

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// Elementary functions of the formulas, overloaded by precision and callable on host and device. Formula headers call
/// these and no std:: function, and they fuse multiply-adds only where they say fma, so that every build of a formula
/// performs the same operations.

#include <cmath>

#include "greekgrid/kernels/host_device.hpp"

namespace greekgrid::math {

GREEKGRID_HD double fma(double a, double b, double c) {
  return ::fma(a, b, c);
}
GREEKGRID_HD float fma(float a, float b, float c) {
  return ::fmaf(a, b, c);
}
GREEKGRID_HD double sqrt(double x) {
  return ::sqrt(x);
}
GREEKGRID_HD float sqrt(float x) {
  return ::sqrtf(x);
}
GREEKGRID_HD double exp(double x) {
  return ::exp(x);
}
GREEKGRID_HD float exp(float x) {
  return ::expf(x);
}
GREEKGRID_HD double log(double x) {
  return ::log(x);
}
GREEKGRID_HD float log(float x) {
  return ::logf(x);
}
GREEKGRID_HD double log1p(double x) {
  return ::log1p(x);
}
GREEKGRID_HD double expm1(double x) {
  return ::expm1(x);
}
GREEKGRID_HD double erfc(double x) {
  return ::erfc(x);
}
GREEKGRID_HD float erfc(float x) {
  return ::erfcf(x);
}
GREEKGRID_HD double abs(double x) {
  return ::fabs(x);
}
GREEKGRID_HD float abs(float x) {
  return ::fabsf(x);
}

/// The larger of two numbers. A NaN in a is passed on, so bad input stays visible.
template <class Real>
GREEKGRID_HD Real max(Real a, Real b) {
  return a < b ? b : a;
}

/// The smaller of two numbers. A NaN in a is passed on.
template <class Real>
GREEKGRID_HD Real min(Real a, Real b) {
  return b < a ? b : a;
}

/// One of two values; written as a function so that formulas hold no branches on the value type.
template <class Real>
GREEKGRID_HD Real select(bool condition, Real yes, Real no) {
  return condition ? yes : no;
}

}  // namespace greekgrid::math

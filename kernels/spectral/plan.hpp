#pragma once

/// @file
/// The spectral evaluator's mathematics, shared by the backends: what is summed over contracts at Chebyshev nodes, how
/// many nodes a contract takes, and how sums at nodes become Greeks at spots.
///
/// With u = weight e^{-q tau}, s = sigma' sqrt(tau), a = 1/s, phi the normal density at d = d1 and He_n the Hermite
/// polynomials, H_{p,n}(x) = sum u a^p He_n(d) phi(d) over the contracts of one expiry, x = ln(S/S0). Under sticky
/// strike d = a x + b, so dH_{p,n}/dx = -H_{p+1,n+1}; for the sums C1 of u N(d1) and C2 of w K e^{-r tau} N(d2), dC1/dx
/// = H_{1,0} and dC2/dx = S H_{1,0}. Every Greek follows from four tops, H21, H22, H12 and H24, by integration, and
/// from the values of the integrals at one anchor, the middle of the interval.
///
/// The interval is [centre - L, centre + L], t = (x - centre)/L. As a function of t a contract's top is a Hermite
/// function of A t + B, A = L/s: entire, so its interpolant at n Chebyshev nodes converges faster than geometrically.
/// Sums at nodes become Chebyshev coefficients, those of all node counts add up, integration is a recurrence of
/// coefficients, and one product expands them to the spots.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "greekgrid/kernels/greek.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid::spectral {

/// Sums over contracts at the nodes.
enum Top : std::uint8_t { kH21, kH22, kH12, kH24, kTopCount };

/// Tops weighted with a factor of the expiry and summed over expiries: what is turned into coefficients. h = 1/(2 tau).
enum Family : std::uint8_t {
  kF21,       ///< H21
  kF21Yield,  ///< q H21
  kF21Rate,   ///< r H21
  kF21Time,   ///< tau H21
  kF22Root,   ///< sqrt(tau) H22
  kF22Cube,   ///< tau^{3/2} H22
  kF12Decay,  ///< h H12
  kF12Time,   ///< tau H12
  kF24Cube,   ///< tau^{3/2} H24
  kF22Veta,   ///< sqrt(tau) (q - 2h) H22
  kF22Carry,  ///< sqrt(tau) (r - q) H22
  kF24Veta,   ///< sqrt(tau) h H24
  kFamilyCount
};
constexpr Top top_of(Family family) {
  constexpr std::array<Top, kFamilyCount> tops = {kH21, kH21, kH21, kH21, kH22, kH22,
                                                  kH12, kH12, kH24, kH22, kH22, kH24};
  return tops[family];
}
/// The families that a set of Greeks needs, as bits.
std::uint32_t needed_families(GreekSet greeks);
/// The tops that families need, as bits.
std::uint32_t needed_tops(std::uint32_t families);

/// The factors of the families for an expiry: tau > 0 common years, continuously compounded rates.
std::array<double, kFamilyCount> family_factors(double tau, double rate, double dividend_yield);

/// The sums of one expiry at the anchor, with He_n and phi in full; (p, n) as in H_{p,n}, m for -1.
struct AnchorSums {
  double c1 = 0.0;  ///< calls N(d1), puts N(d1) - 1
  double c2 = 0.0;  ///< the same of w K e^{-r tau} N(d2)
  double h10 = 0.0, h11 = 0.0, h00 = 0.0, h01 = 0.0, hm10 = 0.0, h13 = 0.0, h02 = 0.0, hm11 = 0.0;
};

/// Integrals of the families at the anchor: at [f][depth - 1] that of depth-fold integration; c2 is r C2.
struct Anchors {
  std::array<std::array<double, 3>, kFamilyCount> of = {};
  double c2 = 0.0;

  void add(const std::array<double, kFamilyCount>& factor, double rate, const AnchorSums& sums);
};

/// Node counts at the highest; coefficients of sums have as many, those of Greeks kMoreCoefficients more.
inline constexpr std::size_t kMostNodes = 128;
inline constexpr std::size_t kMoreCoefficients = 4;
/// Coefficients of a Greek, padded to whole vectors of any backend.
inline constexpr std::size_t kCoefficients = 136;

/// The functions of x that are expanded to spots: the Greeks without their powers of S; theta is S A + B.
enum Function : std::uint8_t {
  kFDelta,
  kFGamma,
  kFCharm,
  kFVanna,
  kFSpeed,
  kFZomma,
  kFColor,
  kFVega,
  kFVomma,
  kFUltima,
  kFThetaSpot,  ///< A
  kFVeta,
  kFThetaBond,  ///< B
  kFunctionCount
};
/// The functions of a set of Greeks in the order of the enumeration.
std::vector<Function> functions_of(GreekSet greeks);

/// A bound on |g - interpolant of g at n Chebyshev nodes| for g(t) = He_m(A t + B) phi(A t + B), m = 1, 2 or 4, any B,
/// t in [-1, 1]: 4 M rho^{-(n-1)}/(rho - 1), M the largest magnitude on the Bernstein ellipse of rho (Trefethen,
/// Approximation Theory and Practice, theorem 8.2), least over rho. With y = A (rho - 1/rho)/2 the distance from the
/// real line and r^2 = x^2 + y^2, |He_m(x + iy)| is at most r, r^2 + 1, r^4 + 6 r^2 + 3.
double node_error_bound(std::size_t nodes, double width, int order);
/// The largest A for which the bound of a node count is at most `error`, 0 if none is.
double widest(std::size_t nodes, double error, int order);
/// The m of a top.
constexpr int order_of(Top top) {
  return top == kH24 ? 4 : top == kH21 ? 1 : 2;
}

/// Chebyshev nodes of the first kind cos(pi (k + 1/2)/n), descending, and the products to coefficients and to spots.
struct Level {
  std::size_t nodes = 0;     ///< n, even
  std::vector<double> node;  ///< (n)
  /// (n/2, n/2): from v_k + v_{n-1-k} to the coefficients of even degree, and from v_k - v_{n-1-k} to those of odd one.
  std::vector<double> even, odd;
};
/// `single`: nodes rounded to single precision, and products that go from these very nodes.
Level make_level(std::size_t nodes, bool single = false);

/// T_k at the spots of a uniform grid over [-1, 1], t = m/(half spacings) for the upper half of the spots, by parity.
struct Expansion {
  std::size_t spots = 0;          ///< J
  std::size_t half = 0;           ///< spots with t >= 0: ceil(J/2)
  std::vector<double> even, odd;  ///< (kCoefficients/2, half)
};
Expansion make_expansion(std::size_t spots);

/// The interval of a grid: centre and half-width L of ln(S/S0).
struct Interval {
  double centre = 0.0, half_width = 0.0;
};
Interval interval_of(const GridView& grid);

/// A function is a sum of integrals of families: `depth` integrations of the top, times `factor`.
struct Term {
  Function function;
  Family family;
  std::uint8_t depth;
  double factor;
};
inline constexpr std::size_t kMostDepth = 3;
inline constexpr Term kTerms[] = {
    {kFDelta, kF21, 2, 1.0},          {kFGamma, kF21, 1, 1.0},           {kFCharm, kF21Yield, 2, 1.0},
    {kFCharm, kF21Yield, 1, 1.0},     {kFCharm, kF21Rate, 1, -1.0},      {kFCharm, kF12Decay, 1, 1.0},
    {kFCharm, kF12Decay, 2, -1.0},    {kFVanna, kF22Root, 2, 1.0},       {kFVanna, kF22Root, 1, -1.0},
    {kFSpeed, kF21, 0, -1.0},         {kFSpeed, kF21, 1, -1.0},          {kFZomma, kF22Root, 0, 1.0},
    {kFZomma, kF22Root, 1, -1.0},     {kFColor, kF21Yield, 1, 1.0},      {kFColor, kF21Rate, 0, 1.0},
    {kFColor, kF21Yield, 0, -1.0},    {kFColor, kF12Decay, 1, 1.0},      {kFColor, kF12Decay, 0, -1.0},
    {kFVega, kF22Root, 2, 1.0},       {kFVomma, kF12Time, 0, 1.0},       {kFVomma, kF21Time, 1, 1.0},
    {kFVomma, kF12Time, 1, -1.0},     {kFUltima, kF24Cube, 0, 1.0},      {kFUltima, kF22Cube, 0, 3.0},
    {kFUltima, kF22Cube, 1, -3.0},    {kFUltima, kF24Cube, 1, -2.0},     {kFUltima, kF24Cube, 2, 1.0},
    {kFThetaSpot, kF21Yield, 2, 1.0}, {kFThetaSpot, kF12Decay, 2, -1.0}, {kFVeta, kF22Veta, 2, 1.0},
    {kFVeta, kF22Carry, 1, 1.0},      {kFVeta, kF24Veta, 3, 1.0},        {kFVeta, kF24Veta, 2, -1.0},
    {kFThetaBond, kF21Rate, 1, -1.0},  // of it times S once more: r C2
};

constexpr Greek greek_of(Function function) {
  return function == kFThetaBond ? Greek::kTheta : static_cast<Greek>(function);
}
static_assert(static_cast<int>(kFVeta) == static_cast<int>(Greek::kVeta) &&
              static_cast<int>(kFThetaSpot) == static_cast<int>(Greek::kTheta));

/// The power of S that a function is multiplied with.
constexpr int spot_power(Function function) {
  switch (function) {
    case kFGamma:
    case kFZomma:
    case kFColor:
      return -1;
    case kFSpeed:
      return -2;
    case kFVega:
    case kFVomma:
    case kFUltima:
    case kFThetaSpot:
    case kFVeta:
      return 1;
    default:
      return 0;
  }
}

/// How coefficients of families become those of the functions of one job. Of a top f = sum c_k T_k over n coefficients,
/// the integral of f L dt has b_k = L (c'_{k-1} - c_{k+1})/(2k), c'_0 = 2 c_0, and b_0 such that it is the anchor's
/// value at t = 0. H_{p-1,n-1} = anchor - integral of H_{p,n}, but C1 = anchor + integral of H10; C2 = anchor +
/// integral of S H10, S = centre_spot e^{L t}.
struct CombinePlan {
  struct PlannedTerm {
    Family family;
    std::uint8_t depth;
    double factor;  ///< that of the term times the basis factor of its Greek
    double scale;   ///< its magnitude times the largest of the function's power of S
  };
  struct PlannedFunction {
    Function function;
    std::size_t greek;  ///< place in the set
    double scale;       ///< the largest of its power of S
    std::size_t begin, end;
  };
  GreekSet greeks;
  std::uint32_t families = 0;
  std::array<std::uint8_t, kFamilyCount> depth = {};  ///< integrations of each family
  std::vector<PlannedFunction> function;              ///< in the order of the enumeration
  std::vector<PlannedTerm> term;
};
CombinePlan make_combine_plan(GreekSet greeks, double basis_factor, double lowest_spot, double highest_spot);

/// Sums over the contracts of an expiry of |u| a^p at [2 - p], p from 2 to -1, or of their squares.
using PowerSums = std::array<double, 4>;

/// What contracts amount to in each family and each of its integrals, without regard to sign and place: sums of
/// magnitudes, or of squares.
struct Magnitudes {
  std::array<std::array<double, 4>, kFamilyCount> of = {};  ///< [family][depth]
  double c2 = 0.0;                                          ///< of r C2
};
/// The error of each Greek at the worst spot where every unit of a top's magnitudes brings an error of `unit`: errors
/// add up (power 1), or their squares do (power 2).
void error_scales(const CombinePlan& plan, const Magnitudes& magnitudes, const std::array<double, kTopCount>& unit,
                  int power, double* scale);

/// Chebyshev coefficients of e^{L t} down to 1e-17 of the largest.
std::vector<double> growth_coefficients(double half_width);

}  // namespace greekgrid::spectral

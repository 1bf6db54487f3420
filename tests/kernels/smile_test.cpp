// The smile and the move of volatility under the skew-stickiness rule, against 113-bit arithmetic and their own limits.

#include "greekgrid/kernels/formulas/smile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace greekgrid {
namespace {

using formulas::skew_stickiness_move;
using Smile = formulas::Smile<double>;
__extension__ using Wide = __float128;

Wide root(Wide x) {
  if (!(x > 0)) return 0;
  Wide r = std::sqrt(static_cast<long double>(x));
  for (int i = 0; i < 2; ++i) r = (r + x / r) / 2;
  return r;
}

// By the definition, the difference taken in 113 bits.
double exact_move(const Smile& v, double k, double stickiness, double x) {
  const auto sigma = [&v](Wide at) {
    const Wide d = at - v.m;
    return root((v.a + v.b * (v.rho * d + root(d * d + Wide(v.s) * v.s))) / v.tau);
  };
  return static_cast<double>(sigma(k + (Wide(stickiness) - 1) * x) - sigma(k));
}

// Smiles from hours to years, flat to steep, with and without curvature, at strikes from the centre to deep wings.
struct Draw {
  Smile smile;
  double k, stickiness, x;
};
std::vector<Draw> draws(double least_level) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  std::vector<Draw> all;
  for (int i = 0; i < 20000; ++i) {
    const double tau = std::exp(-9.0 + 10.0 * unit(random));
    const double v = 0.04 * tau;
    const double deviation = std::sqrt(v);
    const double rho = i % 3 == 0 ? 1.0 - std::exp(-7.0 * unit(random)) : 1.9 * unit(random) - 0.95;
    const double b = i % 11 == 0 ? 0.0 : deviation * std::exp(-3.0 + 4.0 * unit(random));
    const double s = i % 5 == 0 ? 0.0 : deviation * std::exp(-3.0 + 5.0 * unit(random));
    // The least total variance is `least_level` to 1 of v, whatever the sign of a.
    const double least = v * (least_level + (1.0 - least_level) * unit(random));
    Smile smile{least - b * s * std::sqrt(1.0 - rho * rho), b, i % 2 == 0 ? rho : -rho, 0.0, s, tau};
    smile.m = deviation * (unit(random) - 0.5);
    const double k = i % 7 == 0 ? smile.m : deviation * 10.0 * (unit(random) - 0.5) * std::exp(3.0 * unit(random));
    const double x = std::exp(-25.0 + 24.0 * unit(random)) * (unit(random) < 0.5 ? -1.0 : 1.0);
    all.push_back({smile, k, 20.0 * unit(random) - 10.0, x});
  }
  return all;
}

TEST(SkewStickinessMove, IsTheDifferenceOfVolatilities) {
  for (const Draw& t : draws(0.3)) {
    const double exact = exact_move(t.smile, t.k, t.stickiness, t.x);
    const double step = (t.stickiness - 1.0) * t.x;
    const double sum = t.smile.volatility(t.k) + t.smile.volatility(t.k + step);
    // The stated bound; a < 0 cancels in the total variance, by as much as its terms exceed it.
    const double terms = 1.0 + 2.0 * std::abs(std::min(t.smile.a, 0.0)) / (0.3 * 0.04 * t.smile.tau);
    const double bound = 1e-14 * terms * t.smile.b * std::abs(step) / (t.smile.tau * sum);
    EXPECT_NEAR(skew_stickiness_move(t.smile, t.k, t.stickiness, t.x), exact, bound)
        << "a " << t.smile.a << " b " << t.smile.b << " rho " << t.smile.rho << " m " << t.smile.m << " s " << t.smile.s
        << " tau " << t.smile.tau << " k " << t.k << " R " << t.stickiness << " x " << t.x;
  }
}

TEST(SkewStickinessMove, AddsUpToTheSmileElsewhere) {
  for (const Draw& t : draws(0.3)) {
    const double there = t.smile.volatility(t.k + (t.stickiness - 1.0) * t.x);
    EXPECT_NEAR(t.smile.volatility(t.k) + skew_stickiness_move(t.smile, t.k, t.stickiness, t.x), there, 1e-12 * there);
  }
}

TEST(SkewStickinessMove, StartsAlongTheSkew) {
  // d move / dx = (R - 1) d sigma / dk, the skew by central differences of the smile itself.
  const Smile smile{0.002, 0.05, -0.6, 0.01, 0.1, 0.25};
  for (const double k : {-1.5, -0.2, 0.0, 0.01, 0.3, 2.0}) {
    const double skew = (smile.volatility(k + 1e-5) - smile.volatility(k - 1e-5)) / 2e-5;
    for (const double stickiness : {-10.0, 0.0, 1.5, 2.0, 10.0}) {
      const double slope =
          (skew_stickiness_move(smile, k, stickiness, 1e-6) - skew_stickiness_move(smile, k, stickiness, -1e-6)) / 2e-6;
      EXPECT_NEAR(slope, (stickiness - 1.0) * skew, 1e-8) << "k " << k << " R " << stickiness;
    }
  }
}

TEST(SkewStickinessMove, IsExactlyZeroWhereNothingMoves) {
  for (const Draw& t : draws(0.3)) {
    EXPECT_EQ(skew_stickiness_move(t.smile, t.k, 1.0, t.x), 0.0);
    EXPECT_EQ(skew_stickiness_move(t.smile, t.k, t.stickiness, 0.0), 0.0);
    if (t.smile.b == 0.0) {
      EXPECT_EQ(skew_stickiness_move(t.smile, t.k, t.stickiness, t.x), 0.0);
    }
  }
  // The kink of a smile without curvature; an expiry that settles at the quote instant.
  EXPECT_EQ(skew_stickiness_move(Smile{0.01, 0.1, -0.5, 0.2, 0.0, 0.5}, 0.2, 0.0, 0.0), 0.0);
  EXPECT_EQ(skew_stickiness_move(Smile{0.0, 0.0, 0.0, 0.0, 0.0, 0.0}, 0.1, 0.0, 0.1), 0.0);
}

TEST(SkewStickinessMove, KnowsStickyMoneynessAndLocalVolatility) {
  // R = 0: a strike at a fixed moneyness K / S keeps its place on the smile, so the contract at k moves to k - x.
  // R = 2: the skew is felt twice, k + x.
  const Smile smile{0.002, 0.05, -0.6, 0.01, 0.1, 0.25};
  const double here = smile.volatility(-0.1);
  EXPECT_NEAR(skew_stickiness_move(smile, -0.1, 0.0, 0.05), smile.volatility(-0.15) - here, 1e-15);
  EXPECT_NEAR(skew_stickiness_move(smile, -0.1, 2.0, 0.05), smile.volatility(-0.05) - here, 1e-15);
  EXPECT_GT(skew_stickiness_move(smile, -0.1, 0.0, 0.05), 0.0);  // left of the minimum, spot up, moneyness down
}

TEST(Smile, IsRawSvi) {
  // w at the centre m is a + b s; far out the slopes are b (rho -+ 1); the least is a + b s sqrt(1 - rho^2).
  const Smile smile{0.002, 0.05, -0.6, 0.01, 0.1, 0.25};
  EXPECT_NEAR(smile.total_variance(0.01), 0.002 + 0.05 * 0.1, 1e-17);
  EXPECT_NEAR(smile.total_variance(1e6) / 1e6, 0.05 * 0.4, 1e-8);
  EXPECT_NEAR(smile.total_variance(-1e6) / 1e6, 0.05 * 1.6, 1e-8);
  EXPECT_NEAR(smile.total_variance(0.01 + 0.6 * 0.1 / 0.8), 0.002 + 0.05 * 0.1 * 0.8, 1e-17);
  EXPECT_NEAR(smile.volatility(0.01), std::sqrt(0.007 / 0.25), 1e-16);
}

}  // namespace
}  // namespace greekgrid

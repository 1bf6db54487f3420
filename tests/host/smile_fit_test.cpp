// Smiles: what is fitted comes back, outliers and sparse quotes are borne, scores and ranges are what they say.

#include "greekgrid/host/smile_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/normal.hpp"

namespace greekgrid {
namespace {

std::vector<SmilePoint> points_of(const SmileCurve& smile, double low, double high, int count, double error = 1e-3) {
  std::vector<SmilePoint> points;
  for (int i = 0; i < count; ++i) {
    const double k = low + (high - low) * i / std::max(count - 1, 1);
    points.push_back({k, smile.volatility(k), error});
  }
  return points;
}

// Smiles of an hour and of ten years, skewed, flat, one-winged.
const SmileCurve kSmiles[] = {
    {0.0001, 0.01, -0.3, 0.001, 0.01, 0.0002}, {0.001, 0.02, -0.5, -0.01, 0.05, 0.01},
    {0.002, 0.06, -0.7, 0.02, 0.08, 0.08},     {0.01, 0.1, -0.4, 0.05, 0.2, 0.5},
    {-0.02, 0.2, -0.6, 0.1, 0.3, 1.0},         {0.2, 0.4, 0.2, -0.1, 0.6, 5.0},
    {0.04, 0.0, 0.0, 0.0, 0.1, 1.0},           {0.3, 0.5, -0.3, 0.3, 1.0, 10.0},
};

TEST(SmileFit, ComesBackExactly) {
  for (const SmileCurve& smile : kSmiles) {
    const double reach = 3.0 * std::sqrt(smile.total_variance(0.0));
    const SmileFit fit = fit_smile(points_of(smile, -reach, reach, 25), smile.tau);
    EXPECT_EQ(fit.kind, SmileKind::kSvi);
    EXPECT_LT(fit.residual, 1e-8) << "tau " << smile.tau;
    for (double x = -1.0; x <= 1.0; x += 0.1) {
      EXPECT_NEAR(fit.smile.volatility(x * reach), smile.volatility(x * reach), 1e-8)
          << "tau " << smile.tau << " x " << x;
    }
  }
}

// With quotes of +-h the fit stays within h/2 of the truth in the middle, and one mad quote in twenty does not pull it.
TEST(SmileFit, BearsNoiseAndOutliers) {
  std::mt19937 generator(5);
  std::uniform_real_distribution<double> noise(-0.004, 0.004);
  for (const SmileCurve& smile : kSmiles) {
    const double reach = 2.0 * std::sqrt(smile.total_variance(0.0));
    auto points = points_of(smile, -reach, reach, 61, 0.004);
    for (SmilePoint& p : points) p.sigma += noise(generator);
    const auto check = [&](const SmileFit& fit, double bound) {
      for (double x = -0.8; x <= 0.8; x += 0.1) {
        EXPECT_NEAR(fit.smile.volatility(x * reach), smile.volatility(x * reach), bound)
            << "tau " << smile.tau << ' ' << x;
      }
    };
    check(fit_smile(points, smile.tau), 0.003);
    for (const std::size_t i : {std::size_t{7}, std::size_t{33}, std::size_t{50}}) points[i].sigma *= 1.5;
    check(fit_smile(points, smile.tau), 0.004);
  }
}

TEST(SmileFit, FallsBackWhenQuotesAreFew) {
  const SmileCurve smile = kSmiles[3];
  EXPECT_EQ(fit_smile({}, 0.5).kind, SmileKind::kMissing);
  const SmileFit one = fit_smile(points_of(smile, 0.1, 0.1, 1), smile.tau);
  EXPECT_EQ(one.kind, SmileKind::kFlat);
  EXPECT_NEAR(one.smile.volatility(-0.3), smile.volatility(0.1), 1e-14);
  const SmileFit two = fit_smile(points_of(smile, -0.1, 0.1, 2), smile.tau);
  EXPECT_EQ(two.kind, SmileKind::kFlat);
  const SmileFit four = fit_smile(points_of(smile, -0.3, 0.3, 4), smile.tau);
  EXPECT_EQ(four.kind, SmileKind::kSviFixedPlace);
  for (double k = -0.3; k <= 0.3; k += 0.1) EXPECT_NEAR(four.smile.volatility(k), smile.volatility(k), 0.01);
  EXPECT_EQ(fit_smile(points_of(smile, -0.3, 0.3, 5), smile.tau).kind, SmileKind::kSvi);
  // Two equal strikes, as when calls and puts of one strike both enter, are no singularity.
  const SmileFit equal = fit_smile(std::vector<SmilePoint>(6, {0.1, 0.2, 0.01}), smile.tau);
  EXPECT_NEAR(equal.smile.volatility(0.1), 0.2, 1e-6);
}

// Whatever the points, the result is a smile: positive, within Lee's bound, and finite.
TEST(SmileFit, IsASmileWhateverThePoints) {
  std::mt19937 generator(11);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  for (int round = 0; round < 400; ++round) {
    const double tau = std::exp(-9.0 + 11.0 * uniform(generator));
    std::vector<SmilePoint> points;
    double k = -3.0 * uniform(generator);
    const int count = 1 + static_cast<int>(30.0 * uniform(generator));
    for (int i = 0; i < count; ++i) {
      k += 0.3 * uniform(generator);
      points.push_back({k, 0.01 + 3.0 * uniform(generator), std::exp(-7.0 + 8.0 * uniform(generator))});
    }
    const SmileFit fit = fit_smile(points, tau);
    for (double x = -4.0; x <= 4.0; x += 0.25) {
      const double w = fit.smile.total_variance(x);
      ASSERT_TRUE(w > 0.0 && std::isfinite(w)) << "round " << round << " k " << x << " w " << w;
    }
    ASSERT_LE(fit.smile.b * (1.0 + std::abs(fit.smile.rho)), 2.05) << "round " << round;
  }
}

// The published smile with butterfly arbitrage (Gatheral and Jacquier, section 3.3, after A. Vogt).
TEST(SmileFit, ScoresButterflies) {
  const SmileCurve vogt{-0.0410, 0.1331, 0.3060, 0.3586, 0.4153, 1.0};
  EXPECT_LT(density_sign(vogt, 0.8), 0.0);
  EXPECT_GT(butterfly_score(vogt, -1.5, 1.5), 0.01);
  EXPECT_EQ(butterfly_score(kSmiles[3], -0.5, 0.5), 0.0);
  EXPECT_EQ(butterfly_score(kSmiles[6], -0.5, 0.5), 0.0);
  // A fit to its points trades accuracy for a density.
  const SmileFit fit = fit_smile(points_of(vogt, -1.5, 1.5, 41, 0.01), 1.0);
  EXPECT_LT(fit.butterfly, 0.002);
  EXPECT_LT(fit.residual, 0.01);
}

TEST(SmileFit, ScoresCalendars) {
  const SmileCurve near = kSmiles[3];
  SmileCurve far = move_smile(near, 1.0);
  EXPECT_EQ(calendar_score(near, far, 0.0, 0.0), 0.0);
  far.a -= far.total_variance(0.0) - 0.9 * near.total_variance(0.0);
  EXPECT_NEAR(calendar_score(near, far, 0.0, 0.0), 0.1, 1e-12);
}

// g(k) n(d2)/sqrt(w) is the density of k: against the slope of the distribution, and the distribution against the
// second difference of prices.
TEST(SmileFit, DistributionIsThatOfThePrices) {
  for (const SmileCurve& smile : kSmiles) {
    const double deviation = std::sqrt(smile.total_variance(0.0));
    for (double x = -2.0; x <= 2.0; x += 0.5) {
      const double k = x * deviation, h = 1e-4 * deviation;
      const double w = smile.total_variance(k);
      const double d2 = -k / std::sqrt(w) - 0.5 * std::sqrt(w);
      const double density = density_sign(smile, k) * formulas::normal_density(d2) / std::sqrt(w);
      const double slope = (risk_neutral_cdf(smile, k + h) - risk_neutral_cdf(smile, k - h)) / (2.0 * h);
      EXPECT_NEAR(slope, density, 1e-6 / deviation) << "tau " << smile.tau << " x " << x;
      const auto put = [&](double at) {
        const double sigma = smile.volatility(at);
        return formulas::black_scholes<double>({-1.0, 1.0, std::exp(at), 0.0, 0.0, sigma, smile.tau}).price;
      };
      EXPECT_NEAR(risk_neutral_cdf(smile, k), (put(k + h) - put(k - h)) / (std::exp(k + h) - std::exp(k - h)), 1e-6);
    }
  }
}

TEST(SmileFit, FindsDeltasAndQuantiles) {
  for (const SmileCurve& smile : kSmiles) {
    for (const double delta : {0.25, 0.15, 0.10, -0.10, -0.15, -0.25}) {
      const auto k = k_of_delta(smile, delta, 0.02);
      ASSERT_TRUE(k) << "tau " << smile.tau << " delta " << delta;
      const double sigma = smile.volatility(*k), spot = std::exp(-0.01 * smile.tau);  // forward 1 at r - q = 0.01
      const double right = delta > 0.0 ? 1.0 : -1.0;
      const auto greeks = formulas::black_scholes<double>({right, spot, std::exp(*k), 0.03, 0.02, sigma, smile.tau});
      EXPECT_NEAR(greeks[Greek::kDelta], delta, 1e-10) << "tau " << smile.tau;
    }
    double before = -1e9;
    for (const double probability : kQuantileProbabilities) {
      const auto k = k_of_probability(smile, probability);
      ASSERT_TRUE(k) << "tau " << smile.tau << " p " << probability;
      EXPECT_NEAR(risk_neutral_cdf(smile, *k), probability, 1e-10);
      EXPECT_GT(*k, before);
      before = *k;
    }
  }
  EXPECT_FALSE(k_of_delta(kSmiles[7], 0.9999, 0.02));  // e^(q tau) puts it out of reach
}

TEST(SmileFit, MovesInStandardisedMoneyness) {
  const SmileCurve far = move_smile(kSmiles[3], 2.0);
  for (double k = -0.5; k <= 0.5; k += 0.1) EXPECT_NEAR(far.volatility(2.0 * k), kSmiles[3].volatility(k), 1e-14);
}

}  // namespace
}  // namespace greekgrid

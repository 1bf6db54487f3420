#include "greekgrid/kernels/formulas/implied_volatility.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

using formulas::erfcx;
using formulas::implied_total_deviation;
using formulas::implied_volatility;
using formulas::IvStatus;
using formulas::mills_ratio;
using formulas::mills_slope;
using formulas::normalised_black;

constexpr double kEps = std::numeric_limits<double>::epsilon();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double relative_error(double value, double expected) {
  return std::abs(value / expected - 1.0);
}

TEST(Erfcx, AgreesWithSixtyDigits) {
  struct Case {
    double y, expected;
  };
  // mpmath, 60 digits: exp(y^2) erfc(y).
  const Case cases[] = {{-26.0, 7.657724931490568e+293}, {-5.5, 27443409954929.71},    {-1.25, 9.173643447482844},
                        {-0.125, 1.1582735720912207},    {0.0625, 0.9332062486492742}, {0.5, 0.6156903441929259},
                        {1.0, 0.427583576155807},        {2.5, 0.2108063640611436},    {3.75, 0.14558972127503855},
                        {7.0, 0.07980005432915294},      {12.5, 0.04499209900102792}};
  for (const Case& c : cases) EXPECT_LE(relative_error(erfcx(c.y), c.expected), 4 * kEps) << "y = " << c.y;
}

TEST(Erfcx, HasItsLimits) {
  EXPECT_EQ(erfcx(kInfinity), 0.0);
  EXPECT_EQ(erfcx(-30.0), kInfinity);
  EXPECT_EQ(erfcx(-kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(erfcx(kNan)));
  EXPECT_NEAR(erfcx(0.0), 1.0, 2 * kEps);
}

TEST(Mills, RatioAndSlopeSatisfyTheirIdentity) {
  for (double v = 0.0; v < 50.0; v += 0.01) {
    EXPECT_NEAR(mills_slope(v), 1.0 - v * mills_ratio(v), 6 * kEps) << "v = " << v;
  }
  EXPECT_LE(relative_error(mills_slope(1e8), 1e-16), 4 * kEps);
  EXPECT_EQ(mills_slope(kInfinity), 0.0);
}

TEST(NormalisedBlack, AgreesWithPublishedValuesAndInvertsThem) {
  const auto path = test::reference_dir() / "lets_be_rational_TestValues.json";
  GREEKGRID_REQUIRE_FILE(path);
  std::ifstream file(path);
  // The file spells the undefined volatilities of its settled cases NaN, which is no JSON.
  std::stringstream text;
  text << file.rdbuf();
  const auto data = nlohmann::json::parse(std::regex_replace(text.str(), std::regex("\\bNaN\\b"), "null"));
  ASSERT_EQ(data["input"].size(), 1000U);
  int settled = 0;
  double worst_price = 0.0, worst_deviation = 0.0, worst_sigma = 0.0;
  for (std::size_t i = 0; i < data["input"].size(); ++i) {
    const auto& in = data["input"][i];
    const auto& out = data["output"][i];
    const double q = in["q"].get<double>();
    const double s = in["s"].get<double>();
    const double x = in["x"].get<double>();
    const double h = x / s;
    SCOPED_TRACE(in.dump());

    const double b = normalised_black(q, x, s);
    const double published = out["normalised_black"].get<double>();
    if (published < 1e-300) {
      EXPECT_LT(b, 2e-300);
    } else {
      const double price_error = relative_error(b, published) / (1.0 + h * h);
      EXPECT_LE(price_error, 8 * kEps);
      worst_price = std::max(worst_price, price_error / kEps);
    }

    // The published price of the in-the-money side holds the time value only to eps b, so s only to eps b/(s b').
    const double intrinsic = std::max(0.0, 2.0 * q * std::sinh(0.5 * x));
    const double beta = published - intrinsic;
    const double slope = std::exp(-0.5 * (h * h + 0.25 * s * s)) / std::sqrt(2 * M_PI);
    const double conditioning = published / (s * slope);
    // Below 1e-3 the volatility can be recovered to three digits; beyond that the price does not hold it.
    if (conditioning * kEps < 1e-3) {
      const double error = relative_error(implied_total_deviation(beta, x), s) / (1.0 + conditioning);
      EXPECT_LE(error, 16 * kEps);
      worst_deviation = std::max(worst_deviation, error / kEps);
    }

    const double tau = in["T"].get<double>();
    const double forward = in["F"].get<double>();
    const double strike = in["K"].get<double>();
    const double sigma = in["sigma"].get<double>();
    const double price = out["black"].get<double>();
    const auto inverted = implied_volatility(q, price, forward, strike, 1.0, tau);
    if (tau == 0.0) {
      ++settled;
      EXPECT_EQ(inverted.status, IvStatus::kInvalid);
      EXPECT_TRUE(out["implied_volatility_from_a_transformed_rational_guess"].is_null());
      continue;
    }
    const double total = sigma * std::sqrt(tau);
    const double k = std::log(forward / strike);
    const double vega =
        std::sqrt(forward * strike / (2 * M_PI)) * std::exp(-0.5 * (k * k / (total * total) + 0.25 * total * total));
    const double price_conditioning = price / (total * vega);
    if (price_conditioning * kEps < 1e-3) {
      ASSERT_EQ(inverted.status, IvStatus::kOk);
      const double error = relative_error(inverted.sigma, sigma) / (1.0 + price_conditioning);
      EXPECT_LE(error, 16 * kEps);
      worst_sigma = std::max(worst_sigma, error / kEps);
    }
  }
  EXPECT_EQ(settled, 5);
  RecordProperty("worst_price_eps", std::to_string(worst_price));
  RecordProperty("worst_deviation_eps", std::to_string(worst_deviation));
  RecordProperty("worst_sigma_eps", std::to_string(worst_sigma));
}

TEST(NormalisedBlack, AgreesWithSixtyDigitsInTheWings) {
  struct Case {
    double x, s, expected;
  };
  // mpmath, 150 digits: e^(x/2) N(x/s + s/2) - e^(-x/2) N(x/s - s/2).
  const Case cases[] = {{0.0, 0.0001, 3.989422802352067e-05},    {0.0, 0.25, 0.09947644966022579},
                        {0.0, 0.5, 0.19741265136584746},         {0.0, 3.0, 0.8663855974622838},
                        {-0.001, 0.0001, 7.474560245421083e-29}, {-0.01, 0.0005, 6.85006226063549e-94},
                        {-0.25, 0.03125, 2.359177144729205e-18}, {-0.5, 0.4375, 0.027129927069842283},
                        {-0.5, 0.5, 0.04084056484095476},        {-2.0, 0.25, 1.8732902676063748e-17},
                        {-2.0, 2.0, 0.12209845031594005},        {-2.0, 2.5, 0.19295911571316687},
                        {-10.0, 0.3125, 5.249599945701863e-227}, {-10.0, 0.75, 3.843659416673325e-42},
                        {-10.0, 4.0, 0.0015746501811248685},     {-10.0, 6.0, 0.005896205485475188}};
  for (const Case& c : cases) {
    const double h = c.x / c.s;
    EXPECT_LE(relative_error(normalised_black(c.x, c.s), c.expected), 6 * kEps * (1.0 + h * h + 0.25 * c.s * c.s))
        << "x = " << c.x << " s = " << c.s;
  }
}

/// The attainable error of s: that of a price known to eps.
double attainable(double x, double s, double b) {
  const double slope = std::exp(-0.5 * (x * x / (s * s) + 0.25 * s * s)) / std::sqrt(2 * M_PI);
  return kEps * (1.0 + b / (s * slope));
}

TEST(ImpliedTotalDeviation, RecoversADenseGrid) {
  int inverted = 0;
  double worst = 0.0;
  for (int i = 0; i <= 200; ++i) {
    const double x = -0.05 * i;
    for (double s = 1e-4; s <= 6.0; s *= 1.03) {
      const double b = normalised_black(x, s);
      if (b < 1e-290 || b >= std::exp(0.5 * x) * (1.0 - 1e-15)) continue;
      const double error = relative_error(implied_total_deviation(b, x), s) / attainable(x, s, b);
      ASSERT_LE(error, 8.0) << "x = " << x << " s = " << s << " b = " << b;
      worst = std::max(worst, error);
      ++inverted;
    }
  }
  EXPECT_GT(inverted, 25000);
  RecordProperty("worst_in_units_of_attainable", std::to_string(worst));
}

TEST(ImpliedTotalDeviation, RecoversNearTheMoneyAndFarWings) {
  for (const double x : {0.0, -1e-15, -1e-12, -1e-8, -1e-5, -1e-3, -0.0101, -20.0, -50.0, -200.0}) {
    for (double s = 1e-9; s <= 30.0; s *= 1.1) {
      const double b = normalised_black(x, s);
      if (b < 1e-290 || b >= std::exp(0.5 * x) * (1.0 - 1e-15)) continue;
      ASSERT_LE(relative_error(implied_total_deviation(b, x), s), 8.0 * attainable(x, s, b))
          << "x = " << x << " s = " << s << " b = " << b;
    }
  }
}

TEST(ImpliedTotalDeviation, RisesWithThePrice) {
  for (const double x : {0.0, -0.01, -0.3, -2.0, -9.0}) {
    const double bound = std::exp(0.5 * x);
    double before = 0.0;
    for (double fraction = 1e-12; fraction < 0.999; fraction *= 1.07) {
      const double s = implied_total_deviation(fraction * bound, x);
      ASSERT_GT(s, before) << "x = " << x << " fraction = " << fraction;
      before = s;
    }
  }
}

TEST(ImpliedTotalDeviation, IsNanOutsideItsBounds) {
  EXPECT_TRUE(std::isnan(implied_total_deviation(0.0, -1.0)));
  EXPECT_TRUE(std::isnan(implied_total_deviation(-0.1, -1.0)));
  EXPECT_TRUE(std::isnan(implied_total_deviation(std::exp(-0.5), -1.0)));
  EXPECT_TRUE(std::isnan(implied_total_deviation(kNan, -1.0)));
  EXPECT_TRUE(std::isnan(implied_total_deviation(0.1, kNan)));
}

TEST(ImpliedVolatility, InvertsTheClosedFormOnBothSides) {
  for (const double right : {1.0, -1.0}) {
    for (const double strike : {60.0, 90.0, 100.0, 110.0, 170.0}) {
      for (const double sigma : {0.1, 0.35, 1.2}) {
        for (const double tau : {1.0 / 365, 0.25, 2.0}) {
          const double rate = 0.05, yield = 0.02, spot = 100.0;
          const auto g = formulas::black_scholes<double>({right, spot, strike, rate, yield, sigma, tau});
          const double forward = spot * std::exp((rate - yield) * tau);
          const double conditioning = (g.price + spot) / (sigma * g.vega);
          if (!(conditioning * kEps < 1e-4)) continue;
          const auto iv = implied_volatility(right, g.price, forward, strike, std::exp(-rate * tau), tau);
          ASSERT_EQ(iv.status, IvStatus::kOk) << right << " " << strike << " " << sigma << " " << tau;
          EXPECT_LE(relative_error(iv.sigma, sigma), 16 * kEps * (1.0 + conditioning))
              << right << " " << strike << " " << sigma << " " << tau;
        }
      }
    }
  }
}

TEST(ImpliedVolatility, SaysWhyThereIsNone) {
  EXPECT_EQ(implied_volatility(1, 20.0, 120.0, 100.0, 1.0, 1.0).status, IvStatus::kBelowIntrinsic);
  EXPECT_EQ(implied_volatility(1, 19.0, 120.0, 100.0, 1.0, 1.0).status, IvStatus::kBelowIntrinsic);
  EXPECT_EQ(implied_volatility(-1, 0.0, 120.0, 100.0, 1.0, 1.0).status, IvStatus::kBelowIntrinsic);
  EXPECT_EQ(implied_volatility(-1, -1.0, 120.0, 100.0, 1.0, 1.0).status, IvStatus::kBelowIntrinsic);
  EXPECT_EQ(implied_volatility(1, 120.0, 120.0, 100.0, 1.0, 1.0).status, IvStatus::kAboveBound);
  EXPECT_EQ(implied_volatility(-1, 95.0, 120.0, 100.0, 0.9, 1.0).status, IvStatus::kAboveBound);
  EXPECT_EQ(implied_volatility(-1, 95.0, 120.0, 100.0, 1.0, 1.0).status, IvStatus::kOk);
  EXPECT_TRUE(std::isnan(implied_volatility(1, 19.0, 120.0, 100.0, 1.0, 1.0).sigma));
}

TEST(ImpliedVolatility, RefusesWhatIsNoNumber) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_EQ(implied_volatility(bad, 5, 100, 100, 1, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, bad, 100, 100, 1, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, bad, 100, 1, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, 100, bad, 1, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, 100, 100, bad, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, 100, 100, 1, bad).status, IvStatus::kInvalid);
  }
  for (const double bad : {0.0, -1.0}) {
    EXPECT_EQ(implied_volatility(1, 5, bad, 100, 1, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, 100, bad, 1, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, 100, 100, bad, 1).status, IvStatus::kInvalid);
    EXPECT_EQ(implied_volatility(1, 5, 100, 100, 1, bad).status, IvStatus::kInvalid);
  }
  EXPECT_EQ(implied_volatility(0, 5, 100, 100, 1, 1).status, IvStatus::kInvalid);
}

}  // namespace
}  // namespace greekgrid

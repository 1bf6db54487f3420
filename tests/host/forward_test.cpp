// Discount curves, forwards by parity and the strip of options: against closed forms and published numbers.

#include "greekgrid/host/forward.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "greekgrid/host/discount_curve.hpp"
#include "greekgrid/host/variance_index.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(DiscountCurve, IsFlatOrLogLinear) {
  EXPECT_EQ(DiscountCurve(0.05).zero_rate(3.0), 0.05);
  const DiscountCurve curve({{0.5, 0.04}, {2.0, 0.05}});
  EXPECT_EQ(curve.zero_rate(0.1), 0.04);
  EXPECT_DOUBLE_EQ(curve.zero_rate(0.5), 0.04);
  EXPECT_DOUBLE_EQ(curve.zero_rate(2.0), 0.05);
  EXPECT_EQ(curve.zero_rate(9.0), 0.05);
  // ln D(1) = -(0.02 + (1 - 0.5)/(2 - 0.5) * (0.1 - 0.02))
  EXPECT_NEAR(curve.zero_rate(1.0), 0.02 + 0.08 / 3.0, 1e-15);
  EXPECT_THROW(DiscountCurve(std::vector<CurveNode>{}), std::invalid_argument);
  EXPECT_THROW(DiscountCurve({{1.0, 0.1}, {1.0, 0.1}}), std::invalid_argument);
  EXPECT_THROW(DiscountCurve({{1.0, kNaN}}), std::invalid_argument);
}

// Par bonds come back at par; a flat semiannual yield of y has the zero rate 2 ln(1 + y/2) everywhere.
TEST(DiscountCurve, BootstrapsParYields) {
  const std::vector<ParYield> points = {{1.0 / 12, 0.055}, {0.5, 0.0547},  {1.0, 0.0536}, {2.0, 0.0487},
                                        {5.0, 0.0429},     {10.0, 0.0418}, {30.0, 0.0429}};
  const DiscountCurve curve(bootstrap_par_yields(points));
  for (const ParYield& p : points) {
    if (p.maturity < 1.0) continue;
    double price = std::exp(-curve.zero_rate(p.maturity) * p.maturity);
    for (double t = 0.5; t <= p.maturity; t += 0.5) price += 0.5 * p.yield * std::exp(-curve.zero_rate(t) * t);
    EXPECT_NEAR(price, 1.0, 1e-13) << p.maturity;
  }
  const std::vector<ParYield> flat = {{0.25, 0.05}, {0.5, 0.05}, {1.0, 0.05}, {3.0, 0.05}, {7.0, 0.05}};
  for (const CurveNode& node : bootstrap_par_yields(flat)) EXPECT_NEAR(node.zero_rate, 2.0 * std::log(1.025), 1e-13);
  EXPECT_THROW(bootstrap_par_yields(std::vector<ParYield>{{1.0, 0.05}, {0.5, 0.05}}), std::invalid_argument);
  EXPECT_THROW(bootstrap_par_yields(std::vector<ParYield>{{1.0, kNaN}}), std::invalid_argument);
  // A bond of more than 100 years is refused before its coupons are counted.
  EXPECT_THROW(bootstrap_par_yields(std::vector<ParYield>{{1e60, 0.05}}), std::invalid_argument);
}

// Quotes of +-half around model prices under one forward.
std::vector<StrikeQuotes> model_quotes(double forward, double discount, double tau, double sigma, double half) {
  std::vector<StrikeQuotes> quotes;
  for (double strike = 70.0; strike <= 130.0; strike += 2.5) {
    const double rate = -std::log(discount) / tau;
    const auto price = [&](double right) {
      return formulas::black_scholes<double>({right, forward * discount, strike, rate, 0.0, sigma, tau}).price;
    };
    quotes.push_back({strike, price(1.0) - half, price(1.0) + half, price(-1.0) - half, price(-1.0) + half});
  }
  return quotes;
}

TEST(ParityForward, IsExactWithoutNoiseAndTheMedianWithIt) {
  auto quotes = model_quotes(101.3, 0.98, 0.5, 0.25, 0.02);
  const ParityForward exact = parity_forward(quotes, 0.98, Exercise::kEuropean);
  EXPECT_EQ(exact.pairs, 11);
  EXPECT_NEAR(exact.forward, 101.3, 1e-12);
  EXPECT_NEAR(exact.low, 101.3 - 0.04 / 0.98, 1e-12);
  EXPECT_NEAR(exact.high, 101.3 + 0.04 / 0.98, 1e-12);
  EXPECT_LT(exact.residual, 1e-12);
  EXPECT_EQ(exact.supporting, 11);
  EXPECT_EQ(parity_forward(quotes, 0.98, Exercise::kAmerican).pairs, 5);

  // Four stale calls of eleven do not move the median, and low > high tells of them.
  for (const std::size_t i : {std::size_t{9}, std::size_t{10}, std::size_t{11}, std::size_t{12}}) {
    quotes[i].call_bid += 3.0;
    quotes[i].call_ask += 3.0;
  }
  const ParityForward robust = parity_forward(quotes, 0.98, Exercise::kEuropean);
  EXPECT_NEAR(robust.forward, 101.3, 1e-12);
  EXPECT_GT(robust.low, robust.high);
  EXPECT_EQ(robust.supporting, 7);
}

TEST(ParityForward, LeavesOutOneSidedCrossedAndMissingQuotes) {
  auto quotes = model_quotes(100.0, 1.0, 0.5, 0.25, 0.02);
  for (std::size_t i = 0; i < quotes.size(); ++i) {
    if (i % 4 == 0) quotes[i].call_bid = 0.0;
    if (i % 4 == 1) std::swap(quotes[i].put_bid, quotes[i].put_ask);
    if (i % 4 == 2) quotes[i].put_ask = kNaN;
  }
  const ParityForward p = parity_forward(quotes, 1.0, Exercise::kEuropean);
  EXPECT_EQ(p.pairs, 6);
  EXPECT_NEAR(p.forward, 100.0, 1e-12);
  EXPECT_EQ(parity_forward({}, 1.0, Exercise::kEuropean).pairs, 0);
  EXPECT_TRUE(std::isnan(parity_forward({}, 1.0, Exercise::kEuropean).forward));
}

// A dense strip under one volatility is that volatility squared. The sum takes the kink of the prices at the forward
// for a trapezoid, which adds spacing^2 / (6 F^2 tau) to the variance; the rest is of fourth order.
TEST(StripVariance, OfAFlatSmileIsItsVariance) {
  std::vector<StrikeQuotes> quotes;
  for (double strike = 20.0; strike <= 300.0; strike += 0.5) {
    const auto price = [&](double right) {
      return formulas::black_scholes<double>({right, 100.0, strike, 0.03, 0.01, 0.3, 0.25}).price;
    };
    // A price too small to be quoted has no bid and ends its side.
    const auto bid = [](double p) { return p > 1e-7 ? p : 0.0; };
    quotes.push_back(
        {strike, bid(price(1.0)), std::max(price(1.0), 1e-7), bid(price(-1.0)), std::max(price(-1.0), 1e-7)});
  }
  const auto variance = strip_variance(quotes, std::exp(-0.03 * 0.25), 0.25);
  ASSERT_TRUE(variance);
  EXPECT_NEAR(*variance, 0.09 + 0.25 / (6.0 * 1e4 * 0.25), 5e-7);
  EXPECT_FALSE(strip_variance({}, 1.0, 0.25));
  EXPECT_FALSE(strip_variance(std::span(quotes).first(3), 1.0, 0.25));
}

// The worked example of Cboe's white paper (2009): 61.22.
TEST(StripVariance, ReproducesTheWhitePaper) {
  const auto file = test::reference_dir() / "cboe_vix_whitepaper_options.csv";
  GREEKGRID_REQUIRE_FILE(file);
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  std::map<int, std::vector<StrikeQuotes>> by_days;
  while (std::getline(in, line)) {
    for (char& c : line) c = c == ',' ? ' ' : c;
    std::istringstream fields(line);
    std::string expiration;
    int days = 0;
    StrikeQuotes q{};
    ASSERT_TRUE(fields >> expiration >> days >> q.strike >> q.call_bid >> q.call_ask >> q.put_bid >> q.put_ask);
    by_days[days].push_back(q);
  }
  ASSERT_EQ(by_days.size(), 2U);
  const auto tau = [](int days) { return days / 365.0; };
  const auto variance = [&](int days) {
    return strip_variance(by_days[days], std::exp(-0.0038 * tau(days)), tau(days)).value();
  };
  const double index = 100.0 * interpolate_volatility(tau(9), variance(9), tau(37), variance(37), 30.0 / 365.0);
  EXPECT_NEAR(variance(9), 0.4727672, 1e-6);
  EXPECT_NEAR(variance(37), 0.3668180, 1e-6);
  EXPECT_NEAR(index, 61.218, 5e-4);
}

}  // namespace
}  // namespace greekgrid

// G against the closed form, and what it leaves out.

#include "greekgrid/host/percent_gamma.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {
namespace {

constexpr Instant kNow = 1'700'000'000, kDay = 86400;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Contracts {
  std::vector<double> strike, open_interest, multiplier;
  std::vector<std::int8_t> right;
  std::vector<Instant> settlement;

  void add(int phi, double k, double interest, double days, double m = 100.0) {
    right.push_back(static_cast<std::int8_t>(phi));
    strike.push_back(k);
    open_interest.push_back(interest);
    multiplier.push_back(m);
    settlement.push_back(kNow + static_cast<Instant>(days * static_cast<double>(kDay)));
  }
  PercentGammaBook book() const { return {strike, right, open_interest, multiplier, settlement}; }
};

double delta(int phi, double spot, double strike, double tau) {
  return formulas::black_scholes<double>({static_cast<double>(phi), spot, strike, 0.0, 0.0, 0.20, tau})[Greek::kDelta];
}

TEST(PercentGamma, IsTheChangeOfDeltaOverOnePerCentByRight) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> strike(60.0, 150.0), days(0.01, 800.0), interest(0.0, 5000.0);
  Contracts contracts;
  for (int i = 0; i < 500; ++i)
    contracts.add(i % 2 == 0 ? 1 : -1, strike(random), interest(random), days(random), i % 7 == 0 ? 10.0 : 100.0);
  const double spot = 101.3;
  double call = 0.0, put = 0.0;
  for (std::size_t i = 0; i < contracts.strike.size(); ++i) {
    const double tau = static_cast<double>(contracts.settlement[i] - kNow) / kSecondsPerYear, k = contracts.strike[i];
    const double size = contracts.open_interest[i] * contracts.multiplier[i];
    if (contracts.right[i] > 0) {
      call += size * (delta(1, 1.01 * spot, k, tau) - delta(1, spot, k, tau));
    } else {
      put += size * std::abs(delta(-1, 0.99 * spot, k, tau) - delta(-1, spot, k, tau));
    }
  }
  const PercentGamma sum = percent_gamma(contracts.book(), spot, kNow);
  // Differences of deltas of 1e-16 each, over sums of some 1e5 shares.
  EXPECT_NEAR(sum.call, call, 1e-12 * call);
  EXPECT_NEAR(sum.put, put, 1e-12 * put);
  EXPECT_DOUBLE_EQ(sum.share(), sum.call / (sum.call + sum.put));
  EXPECT_GT(call, 0.0);
}

TEST(PercentGamma, ManySpotsAreAsOneByOne) {
  std::mt19937 random(9);
  std::uniform_real_distribution<double> strike(60.0, 150.0), interest(0.0, 5000.0);
  Contracts contracts;
  // Minutes, a day and more, in no order; some have settled.
  const double days[] = {30.0, 0.01, 400.0, -1.0, 1.0, 0.0, 7.0, 90.0};
  for (int i = 0; i < 800; ++i) contracts.add(i % 3 == 0 ? 1 : -1, strike(random), interest(random), days[i % 8]);
  for (const double width : {0.02, 0.3, 0.9}) {
    std::vector<double> spots;
    for (int c = 0; c <= 301; ++c) spots.push_back(100.0 * (1.0 - width + 1.5 * width * c / 301.0));
    const std::vector<PercentGamma> many = percent_gammas(contracts.book(), spots, kNow);
    ASSERT_EQ(many.size(), spots.size());
    double call = 0.0, put = 0.0;
    for (const PercentGamma& one : many) call = std::max(call, one.call), put = std::max(put, one.put);
    for (std::size_t s = 0; s < spots.size(); ++s) {
      const PercentGamma one = percent_gamma(contracts.book(), spots[s], kNow);
      ASSERT_NEAR(many[s].call, one.call, 1e-7 * call) << width << " " << spots[s];
      ASSERT_NEAR(many[s].put, one.put, 1e-7 * put) << width << " " << spots[s];
    }
  }
  EXPECT_TRUE(percent_gammas(contracts.book(), {}, kNow).empty());
  const double one[] = {100.0};
  EXPECT_TRUE(std::isnan(percent_gammas(Contracts().book(), one, kNow).front().share()));
}

TEST(PercentGamma, LeavesOutWhatHasSettled) {
  Contracts contracts;
  contracts.add(1, 100.0, 10.0, 30.0);
  contracts.add(-1, 100.0, 10.0, 30.0);
  const double before = percent_gamma(contracts.book(), 100.0, kNow).share();
  contracts.add(1, 100.0, 1e6, 0.0);  // settles at the instant itself
  contracts.add(1, 100.0, 1e6, -5.0);
  EXPECT_EQ(percent_gamma(contracts.book(), 100.0, kNow).share(), before);
  EXPECT_NE(percent_gamma(contracts.book(), 100.0, kNow - 1).share(), before);
  // Once everything has settled there is no share.
  EXPECT_TRUE(std::isnan(percent_gamma(contracts.book(), 100.0, kNow + 31 * kDay).share()));
}

TEST(PercentGamma, MissingInterestIsNone) {
  Contracts contracts;
  contracts.add(1, 100.0, 10.0, 30.0);
  contracts.add(-1, 95.0, kNaN, 30.0);
  EXPECT_EQ(percent_gamma(contracts.book(), 100.0, kNow).share(), 1.0);
  EXPECT_TRUE(std::isnan(percent_gamma(Contracts().book(), 100.0, kNow).share()));
}

TEST(PercentGamma, EqualBooksAroundSpotAreNearlyBalanced) {
  Contracts contracts;
  contracts.add(1, 100.0, 10.0, 30.0);
  contracts.add(-1, 100.0, 10.0, 30.0);
  EXPECT_NEAR(percent_gamma(contracts.book(), 100.0, kNow).share(), 0.5, 0.01);
}

// Two tickers of a chain, told apart by their slices; the third has no spot.
TEST(PercentGamma, RowsOfAChain) {
  OptionChain chain;
  const Calendar calendar;
  const Date date{std::chrono::year{2026}, std::chrono::month{8}, std::chrono::day{19}};
  chain.quote_time = calendar.session(date)->close;
  chain.ticker = {"A", "B", "C"};
  chain.spot = {100.0, 50.0, kNaN};
  chain.contract_begin = {0, 2, 4};
  chain.contract_count = {2, 2, 2};
  chain.settlement = {chain.quote_time + 30 * kDay, chain.quote_time + 60 * kDay};
  chain.contract_expiry = {0, 1, 1, 0, 0, 1};
  chain.strike = {100.0, 101.0, 50.0, 49.0, 10.0, 10.0};
  chain.right = {1, -1, 1, -1, 1, -1};
  chain.multiplier.assign(6, 100.0);
  chain.open_interest = {10.0, 20.0, 30.0, 10.0, 1.0, 1.0};
  std::vector<Instant> settlement;
  const PercentGammaBook book = percent_gamma_book(chain, 1, settlement);
  EXPECT_EQ(std::vector<double>(book.strike.begin(), book.strike.end()), (std::vector<double>{50.0, 49.0}));
  EXPECT_EQ(std::vector<double>(book.open_interest.begin(), book.open_interest.end()),
            (std::vector<double>{30.0, 10.0}));
  EXPECT_EQ(book.right[1], -1);
  EXPECT_EQ(settlement, (std::vector<Instant>{chain.settlement[1], chain.settlement[0]}));

  const Instant known = chain.quote_time + 17 * 3600;
  const DailyHistory history = percent_gamma_history(chain, calendar, known);
  EXPECT_EQ(history.symbol, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(history.date, std::vector<Instant>(2, midnight_of(date)));
  EXPECT_EQ(history.knowledge_time, std::vector<Instant>(2, known));
  EXPECT_EQ(history.g[1], percent_gamma(book, 50.0, chain.quote_time).share());
  EXPECT_TRUE(std::isnan(history.g_old[0]) && std::isnan(history.close[1]));
  // The book of another ticker takes the place of the last one.
  const PercentGammaBook first = percent_gamma_book(chain, 0, settlement);
  EXPECT_EQ(settlement, chain.settlement);
  EXPECT_EQ(history.g[0], percent_gamma(first, 100.0, chain.quote_time).share());
  EXPECT_NE(history.g[0], history.g[1]);
}

}  // namespace
}  // namespace greekgrid

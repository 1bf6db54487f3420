#include "greekgrid/host/synthetic_chain.hpp"

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <stdexcept>
#include <tuple>

namespace greekgrid {
namespace {

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

bool same(const OptionChain& a, const OptionChain& b) {
  return a.ticker == b.ticker && a.root == b.root && a.settlement == b.settlement && same_bits(a.spot, b.spot) &&
         a.contract_expiry == b.contract_expiry && a.right == b.right && same_bits(a.strike, b.strike) &&
         same_bits(a.bid, b.bid) && same_bits(a.ask, b.ask) && same_bits(a.last, b.last) &&
         same_bits(a.volume, b.volume) && same_bits(a.open_interest, b.open_interest) &&
         same_bits(a.vendor_iv, b.vendor_iv) && same_bits(a.vendor_delta, b.vendor_delta) &&
         same_bits(a.vendor_gamma, b.vendor_gamma);
}

void expect_valid(const OptionChain& chain, std::size_t tickers, std::size_t contracts) {
  ASSERT_EQ(chain.tickers(), tickers);
  ASSERT_EQ(chain.contracts(), contracts);
  EXPECT_EQ(chain.rows_in, static_cast<std::int64_t>(contracts));
  EXPECT_EQ(std::accumulate(chain.contract_count.begin(), chain.contract_count.end(), std::int64_t{0}),
            static_cast<std::int64_t>(contracts));
  EXPECT_TRUE(std::is_sorted(chain.ticker.begin(), chain.ticker.end()));
  EXPECT_EQ(std::set<std::string>(chain.ticker.begin(), chain.ticker.end()).size(), tickers);
  for (std::size_t u = 0; u < tickers; ++u) {
    ASSERT_GE(chain.contract_count[u], 1);
    ASSERT_EQ(chain.contract_begin[u], u == 0 ? 0 : chain.contract_begin[u - 1] + chain.contract_count[u - 1]);
    ASSERT_GT(chain.spot[u], 0.0);
    ASSERT_TRUE(std::isfinite(chain.spot[u]));
  }
  for (std::size_t e = 1; e < chain.expiries(); ++e) {
    const auto key = [&](std::size_t i) {
      return std::tuple(chain.expiry_ticker[i], chain.settlement[i], chain.root[i]);
    };
    ASSERT_LT(key(e - 1), key(e));
  }
  for (std::size_t e = 0; e < chain.expiries(); ++e) {
    const RootRule rule = root_rule(chain.root[e]);
    ASSERT_EQ(rule.style, chain.style[e]) << chain.root[e];
    ASSERT_EQ(rule.exercise, chain.exercise[e]) << chain.root[e];
  }
  for (std::size_t n = 0; n < contracts; ++n) {
    const auto e = static_cast<std::size_t>(chain.contract_expiry[n]);
    ASSERT_LT(e, chain.expiries());
    const auto u = static_cast<std::size_t>(chain.expiry_ticker[e]);
    ASSERT_GE(static_cast<std::int64_t>(n), chain.contract_begin[u]);
    ASSERT_LT(static_cast<std::int64_t>(n), chain.contract_begin[u] + chain.contract_count[u]);
    ASSERT_GT(chain.strike[n], 0.0);
    ASSERT_EQ(chain.strike[n], std::round(chain.strike[n] * 1000.0) / 1000.0);
    ASSERT_TRUE(chain.right[n] == 1 || chain.right[n] == -1);
    ASSERT_EQ(chain.multiplier[n], 100.0);
    ASSERT_GE(chain.bid[n], 0.0);
    ASSERT_TRUE(chain.ask[n] > chain.bid[n] || (chain.ask[n] == 0.0 && chain.bid[n] == 0.0));
    ASSERT_FALSE(chain.open_interest[n] < 0.0 || chain.volume[n] < 0.0 || chain.last[n] <= 0.0 ||
                 chain.vendor_iv[n] < 0.0);
    if (n > 0 && chain.contract_expiry[n] == chain.contract_expiry[n - 1]) {
      ASSERT_LT(std::pair(chain.strike[n - 1], chain.right[n - 1]), std::pair(chain.strike[n], chain.right[n]));
    } else if (n > 0) {
      ASSERT_EQ(chain.contract_expiry[n], chain.contract_expiry[n - 1] + 1);
    }
  }
}

TEST(SyntheticChain, CountsAreExact) {
  const Calendar calendar;
  for (const auto& [tickers, contracts] :
       {std::pair{1, 1}, {1, 2}, {1, 3}, {1, 7}, {2, 2}, {1, 60001}, {7, 100}, {40, 40}, {100, 12345}, {300, 200000}}) {
    SCOPED_TRACE(std::to_string(tickers) + " tickers, " + std::to_string(contracts) + " contracts");
    expect_valid(synthesize_chain({tickers, contracts, 3}, calendar), static_cast<std::size_t>(tickers),
                 static_cast<std::size_t>(contracts));
  }
}

TEST(SyntheticChain, LooksLikeAUniverse) {
  const OptionChain chain = synthesize_chain({300, 200000, 1}, Calendar{});
  EXPECT_EQ(chain.quote_time, 1783713600);  // 2026-07-10 16:00 EDT
  const auto index = std::find(chain.ticker.begin(), chain.ticker.end(), "SPX") - chain.ticker.begin();
  ASSERT_LT(index, static_cast<std::ptrdiff_t>(chain.tickers()));
  EXPECT_EQ(*std::max_element(chain.contract_count.begin(), chain.contract_count.end()),
            chain.contract_count[static_cast<std::size_t>(index)]);
  EXPECT_LE(chain.contract_count[static_cast<std::size_t>(index)], 20000);
  int am = 0, settled = 0, missing_iv = 0, silent = 0, missing_interest = 0, no_interest = 0;
  for (std::size_t e = 0; e < chain.expiries(); ++e) {
    am += chain.style[e] == SettlementStyle::kAm;
    settled += chain.settlement[e] <= chain.quote_time;
  }
  double call_delta_at_the_money = 0.0;
  int at_the_money = 0;
  for (std::size_t n = 0; n < chain.contracts(); ++n) {
    missing_iv += std::isnan(chain.vendor_iv[n]);
    silent += chain.bid[n] == 0.0 && chain.ask[n] == 0.0;
    missing_interest += std::isnan(chain.open_interest[n]);
    no_interest += chain.open_interest[n] == 0.0;
    const auto e = static_cast<std::size_t>(chain.contract_expiry[n]);
    const double spot = chain.spot[static_cast<std::size_t>(chain.expiry_ticker[e])];
    if (chain.right[n] > 0 && std::abs(chain.strike[n] / spot - 1.0) < 0.01 && !std::isnan(chain.vendor_delta[n])) {
      call_delta_at_the_money += chain.vendor_delta[n];
      ++at_the_money;
    }
  }
  const auto share = [&chain](int count) { return count / static_cast<double>(chain.contracts()); };
  EXPECT_GT(am, 10);
  EXPECT_GT(settled, 0);
  EXPECT_NEAR(share(missing_iv), 0.02, 0.005);
  EXPECT_GT(share(silent), 0.02);
  EXPECT_LT(share(silent), 0.10);
  EXPECT_NEAR(share(missing_interest), 0.003, 0.001);
  EXPECT_GT(share(no_interest), 0.12);
  EXPECT_NEAR(call_delta_at_the_money / at_the_money, 0.54, 0.05);
}

TEST(SyntheticChain, TheSeedDecides) {
  const Calendar calendar;
  const SyntheticChainOptions options{50, 20000, 11};
  const OptionChain chain = synthesize_chain(options, calendar);
  EXPECT_TRUE(same(chain, synthesize_chain(options, calendar)));
  {
    tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
    EXPECT_TRUE(same(chain, synthesize_chain(options, calendar)));
  }
  const OptionChain other = synthesize_chain({50, 20000, 12}, calendar);
  EXPECT_FALSE(same(chain, other));
  EXPECT_NE(chain.spot, other.spot);
}

TEST(SyntheticChain, OptionsOutOfRangeAreRefused) {
  const Calendar calendar;
  EXPECT_THROW(synthesize_chain({0, 10, 1}, calendar), std::invalid_argument);
  EXPECT_THROW(synthesize_chain({10, 9, 1}, calendar), std::invalid_argument);
  EXPECT_THROW(synthesize_chain({10, 100'000'001, 1}, calendar), std::invalid_argument);
  EXPECT_THROW(synthesize_chain({400'001, 1'000'000, 1}, calendar), std::invalid_argument);
}

}  // namespace
}  // namespace greekgrid

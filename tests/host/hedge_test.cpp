// Hedges: sign, contracts and words.

#include "greekgrid/host/hedge.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace greekgrid {
namespace {

TEST(Hedge, FuturesOfIndexTickers) {
  const auto spx = index_futures("SPX");
  ASSERT_TRUE(spx);
  EXPECT_EQ(spx->contract, "ES");
  EXPECT_EQ(spx->multiplier, 50.0);
  EXPECT_EQ(spx->micro_contract, "MES");
  EXPECT_EQ(spx->micro_multiplier, 5.0);
  const auto ndx = index_futures("NDX");
  ASSERT_TRUE(ndx);
  EXPECT_EQ(ndx->contract, "NQ");
  EXPECT_EQ(ndx->multiplier, 20.0);
  EXPECT_EQ(ndx->micro_contract, "MNQ");
  EXPECT_EQ(ndx->micro_multiplier, 2.0);
  const auto rut = index_futures("RUT");
  ASSERT_TRUE(rut);
  EXPECT_EQ(rut->contract, "RTY");
  EXPECT_EQ(rut->multiplier, 50.0);
  EXPECT_EQ(rut->micro_contract, "M2K");
  EXPECT_EQ(rut->micro_multiplier, 5.0);
  for (const char* none : {"DJX", "XSP", "SPY", "AAPL", "spx", "SPXW", ""}) EXPECT_FALSE(index_futures(none)) << none;
}

TEST(Hedge, DealersBuyWhatTheirDeltaLoses) {
  EXPECT_EQ(hedge_flow(1000.0, 400.0), 600.0);
  EXPECT_EQ(hedge_flow(-100.0, 200.0), -300.0);
  EXPECT_EQ(contract_delta(-12300.0), -123.0);
  EXPECT_EQ(futures_contracts(30000.0, 50.0), 600.0);
}

// Positive gamma: delta exposure grows with spot, so dealers SELL into a rise; gamma 300 is 600 ES.
TEST(Hedge, GammaOf300Sells600EsIntoARise) {
  EXPECT_EQ(gamma_hedge(300.0, 50.0), -600.0);
  EXPECT_EQ(gamma_in_words("SPX", 300.0, 2.5),
            "dealers sell 600 ES (6,000 MES) into a rise of 2.5 points and buy as many into a fall");
  EXPECT_EQ(gamma_in_words("SPX", -300.0, 2.5),
            "dealers buy 600 ES (6,000 MES) into a rise of 2.5 points and sell as many into a fall");
  // The same from the exposures: GX shares per USD over 2.5 points.
  const double gx = 300.0 * 100.0 / 2.5;
  EXPECT_EQ(futures_contracts(hedge_flow(5e6, 5e6 + 2.5 * gx), 50.0), -600.0);
  EXPECT_EQ(gamma_in_words("AAPL", 3.0, 2.5),
            "dealers sell 300 shares into a rise of 2.50 USD and buy as many into a fall");
}

TEST(Hedge, CharmOfCBuysMinusTwoCEs) {
  EXPECT_EQ(charm_hedge(-300.0, 50.0), 600.0);
  EXPECT_EQ(charm_hedge(12.5, 50.0), -25.0);
  EXPECT_EQ(charm_in_words("SPX", -300.0, 5.0), "dealers buy 600 ES (6,000 MES) in 5 minutes");
  EXPECT_EQ(charm_in_words("SPX", 300.0, 5.0), "dealers sell 600 ES (6,000 MES) in 5 minutes");
  EXPECT_EQ(charm_in_words("NDX", 1.0, 5.0), "dealers sell 5 NQ (50 MNQ) in 5 minutes");
}

TEST(Hedge, Words) {
  EXPECT_EQ(hedge_in_words("SPX", 30000.0), "dealers buy 600 ES (6,000 MES)");
  EXPECT_EQ(hedge_in_words("SPX", -30000.0), "dealers sell 600 ES (6,000 MES)");
  EXPECT_EQ(hedge_in_words("RUT", 61728.0), "dealers buy 1,235 RTY (12,346 M2K)");
  EXPECT_EQ(hedge_in_words("AAPL", 12300.0), "dealers buy 12,300 shares");
  EXPECT_EQ(hedge_in_words("AAPL", -1234567.4), "dealers sell 1,234,567 shares");
  EXPECT_EQ(hedge_in_words("AAPL", 999.6), "dealers buy 1,000 shares");
  EXPECT_EQ(hedge_in_words("AAPL", -1.2), "dealers sell 1 share");
}

TEST(Hedge, WordsOfLittleAndOfNothing) {
  EXPECT_EQ(hedge_in_words("SPX", 20.0), "dealers buy 4 MES");
  EXPECT_EQ(hedge_in_words("SPX", -25.0), "dealers sell 1 ES (5 MES)");
  EXPECT_EQ(hedge_in_words("SPX", 2.4), "dealers trade nothing");
  EXPECT_EQ(hedge_in_words("AAPL", -0.4), "dealers trade nothing");
  EXPECT_EQ(hedge_in_words("AAPL", 0.0), "dealers trade nothing");
  EXPECT_EQ(gamma_in_words("SPX", 0.0, 2.5), "dealers trade nothing");
  EXPECT_EQ(charm_in_words("SPX", -0.0, 5.0), "dealers trade nothing");
}

TEST(Hedge, WordsOfWhatIsNotFinite) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double x : {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity}) {
    EXPECT_EQ(hedge_in_words("SPX", x), "hedge unknown");
    EXPECT_EQ(charm_in_words("SPX", x, 5.0), "hedge unknown");
    EXPECT_EQ(gamma_in_words("AAPL", x, 2.5), "hedge unknown");
  }
  // 309 digits and their commas.
  const std::string largest = hedge_in_words("AAPL", std::numeric_limits<double>::max());
  EXPECT_EQ(largest.substr(0, 24), "dealers buy 179,769,313,");
  EXPECT_EQ(largest.substr(largest.size() - 18), "124,858,368 shares");
}

}  // namespace
}  // namespace greekgrid

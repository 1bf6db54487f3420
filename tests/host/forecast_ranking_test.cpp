// Who is on the ranking page, and in which order.

#include "greekgrid/host/forecast_ranking.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(ForecastRanking, PutsTheLargestFirstOnEachSideAndTiesByTicker) {
  const std::vector<std::string> ticker = {"Z", "A", "M", "NAN", "ZERO", "B", "C", "Y", "X"};
  const std::vector<double> median = {0.5, 0.5, 1.0, kNaN, 0.0, -0.1, -0.7, -0.7, -0.05};
  const std::vector<RankedTicker> page = rank_forecasts(ticker, median);
  const std::vector<std::string> expected = {"M", "A", "Z", "C", "Y", "B", "X"};
  ASSERT_EQ(page.size(), expected.size());
  for (std::size_t k = 0; k < page.size(); ++k) {
    EXPECT_EQ(ticker[page[k].index], expected[k]) << k;
    EXPECT_EQ(page[k].side, k < 3 ? RankingSide::kBullish : RankingSide::kBearish) << k;
    EXPECT_EQ(page[k].rank, k < 3 ? k + 1 : k - 2) << k;
  }
}

TEST(ForecastRanking, EndsEachSideAtFifty) {
  std::vector<std::string> ticker;
  std::vector<double> median;
  for (int u = 0; u < 180; ++u) {
    ticker.push_back(std::to_string(1000 + u));
    median.push_back(u < 120 ? 1.0 + u : -1.0 - u);
  }
  const std::vector<RankedTicker> page = rank_forecasts(ticker, median);
  ASSERT_EQ(page.size(), 2 * kRankedTickers);
  EXPECT_EQ(page[0].index, 119U);
  EXPECT_EQ(page[49].index, 70U);
  EXPECT_EQ(page[50].index, 179U);
  EXPECT_EQ(page[99].index, 130U);
  EXPECT_EQ(page[99].rank, 50U);
}

TEST(ForecastRanking, IsEmptyWithoutForecasts) {
  EXPECT_TRUE(rank_forecasts(std::vector<std::string>{"A"}, std::vector<double>{kNaN}).empty());
  EXPECT_TRUE(rank_forecasts({}, {}).empty());
}

}  // namespace
}  // namespace greekgrid

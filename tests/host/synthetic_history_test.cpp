// Made histories are what real ones are: sessions of the calendar, prices that lead to the spot, splits to be found.

#include "greekgrid/host/synthetic_history.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "greekgrid/host/predictors.hpp"
#include "greekgrid/host/synthetic_chain.hpp"

namespace greekgrid {
namespace {

TEST(SyntheticHistory, IsAHistoryOfTheSessionsBeforeTheQuotes) {
  const Calendar calendar;
  const OptionChain chain = synthesize_chain({40, 400, 3}, calendar);
  constexpr std::size_t kSessions = 1000;
  const DailyHistory history = synthesize_history(chain, kSessions, 3, calendar);
  ASSERT_EQ(history.symbol, chain.ticker);
  ASSERT_EQ(history.rows(), 40 * kSessions);
  EXPECT_EQ(history.date[kSessions - 1], midnight_of(Date{std::chrono::year{2026} / 7 / 9}));
  const DailyCheck check = check_history(history, calendar);
  EXPECT_EQ(check.missing_sessions, 0);
  EXPECT_EQ(check.stale_rows, 0);
  std::size_t splits = 0;
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    const std::size_t last = (u + 1) * kSessions - 1;
    EXPECT_NEAR(history.close[last], chain.spot[u], 0.2 * chain.spot[u]);
    const SessionSeries series = make_sessions(history, u, calendar, {});
    for (const SplitEvent& event : series.event) splits += event.factor == 2.0 ? 1 : 0;
    EXPECT_EQ(series.event.empty(), u % 20 != 19) << history.symbol[u];
  }
  EXPECT_EQ(splits, 2U);
  for (std::size_t row = 0; row < history.rows(); ++row) {
    ASSERT_GE(history.high[row], std::max(history.open[row], history.close[row]));
    ASSERT_LE(history.low[row], std::min(history.open[row], history.close[row]));
    ASSERT_GT(history.low[row], 0.0);
    ASSERT_LE(history.short_volume[row], history.off_exchange_volume[row]);
    ASSERT_LE(history.off_exchange_volume[row], history.volume[row]);
    ASSERT_GT(history.knowledge_time[row], history.date[row]);
  }
  const SessionSeries series = make_sessions(history, 0, calendar, {});
  const PredictorSeries predictors =
      compute_predictors(series, {std::span(history.g).first(kSessions), {}, std::span(history.iv30).first(kSessions)});
  for (const auto& z : predictors.z) EXPECT_TRUE(std::isfinite(z.back()));
}

TEST(SyntheticHistory, IsAFunctionOfItsSeed) {
  const Calendar calendar;
  const OptionChain chain = synthesize_chain({3, 30, 1}, calendar);
  const DailyHistory a = synthesize_history(chain, 50, 1, calendar), again = synthesize_history(chain, 50, 1, calendar),
                     b = synthesize_history(chain, 50, 2, calendar);
  EXPECT_EQ(a.close, again.close);
  EXPECT_EQ(a.volume, again.volume);
  EXPECT_NE(a.close, b.close);
  EXPECT_THROW(synthesize_history(chain, 0, 1, calendar), std::invalid_argument);
  EXPECT_THROW(synthesize_history(chain, 9001, 1, calendar), std::invalid_argument);
  EXPECT_EQ(synthesize_history(chain, 1, 1, calendar).rows(), 3U);
}

}  // namespace
}  // namespace greekgrid

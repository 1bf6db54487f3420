// A night's tickers in their own history: what of the store counts, and that nothing later does.

#include "greekgrid/host/outlook.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "greekgrid/host/night_result.hpp"
#include "history_support.hpp"

namespace greekgrid {
namespace {

using test::kNan;

constexpr std::size_t kSessions = 700, kTonight = 600;

// Two symbols in one store: BRK/B, and QUIET with few sessions.
DailyHistory make_store() {
  const DailyHistory lively = test::lively_history(kSessions, 3), quiet = test::lively_history(30, 5);
  DailyHistory store = lively;
  store.symbol = {"BRK/B", "QUIET"};
  store.row_begin = {0, static_cast<std::int64_t>(kSessions)};
  store.row_count = {static_cast<std::int64_t>(kSessions), 30};
  store.date.insert(store.date.end(), quiet.date.begin(), quiet.date.end());
  store.knowledge_time.insert(store.knowledge_time.end(), quiet.knowledge_time.begin(), quiet.knowledge_time.end());
  for (const DailyQuantity& quantity : kDailyQuantities) {
    std::vector<double>& to = store.*quantity.column;
    const std::vector<double>& from = quiet.*quantity.column;
    to.insert(to.end(), from.begin(), from.end());
  }
  return store;
}

Date date_of(Instant midnight) {
  return Date{std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{std::chrono::seconds{midnight}})};
}

struct Night {
  DailyHistory store = make_store();
  Calendar calendar;
  Date session = date_of(store.date[kTonight]);
  Instant quote_time = calendar.session(session)->close;
  std::vector<double> strike = {90.0, 100.0, 110.0, 90.0, 100.0, 110.0}, open_interest = {1, 2, 3, 4, 5, 6},
                      multiplier = std::vector<double>(6, 100.0);
  std::vector<std::int8_t> right = {1, 1, 1, -1, -1, -1};
  std::vector<Instant> settlement;
  bool over = true;
  OutlookConfig config{true, {StepMode::kAppend, StepMode::kReplace}};

  Night() { settlement.assign(6, quote_time + 40 * 86400); }
  NightHistory history() const { return {&store, {}}; }
  Tonight tonight() const { return {session, over, calendar.next_session(session).open, 77.0, 0.21, 1.5}; }
  PercentGammaBook book() const { return {strike, right, open_interest, multiplier, settlement}; }
  OutlookAxes axes() const { return make_outlook_axes(true, config, calendar, quote_time); }
  TickerOutlook outlook(TickerSteps& steps, std::ptrdiff_t symbol = 0) const {
    return make_outlook(history(), symbol, "BRK.B", tonight(), book(), quote_time, axes(), calendar, steps);
  }
};

TEST(Outlook, FindsSymbolsHoweverShareClassesAreSpelled) {
  const DailyHistory store = make_store();
  const std::vector<std::string> tickers = {"BRK.B", "BRK-B", "QUIET", "BRK", "ZZZ"};
  EXPECT_EQ(find_symbols(store, tickers), (std::vector<std::ptrdiff_t>{0, 0, 1, -1, -1}));
  // Of several spellings the very same, else the one with the most rows.
  DailyHistory two = store;
  two.symbol = {"BRK-B", "BRK/B"};
  const std::vector<std::string> spelled = {"BRK.B", "BRK-B", "BRK/B"};
  EXPECT_EQ(find_symbols(two, spelled), (std::vector<std::ptrdiff_t>{0, 0, 1}));
  std::swap(two.row_count[0], two.row_count[1]);
  EXPECT_EQ(find_symbols(two, spelled), (std::vector<std::ptrdiff_t>{1, 0, 1}));
}

TEST(Outlook, TakesOfTheStoreWhatIsUpToTheSession) {
  const Night night;
  DailyHistory rows = with_tonight(night.store, 0, "BRK.B", night.tonight());
  ASSERT_EQ(rows.rows(), kTonight + 1);
  EXPECT_EQ(rows.symbol, std::vector<std::string>{"BRK/B"});
  EXPECT_EQ(rows.date.back(), midnight_of(night.session));
  EXPECT_EQ(rows.close.back(), night.store.close[kTonight]) << "the store's close stands";
  EXPECT_EQ(rows.volume.back(), night.store.volume[kTonight]);
  EXPECT_EQ(rows.iv30.back(), 0.21);
  EXPECT_EQ(rows.g_old.back(), 1.5);
  EXPECT_TRUE(std::isnan(rows.g.back()));

  DailyHistory store = night.store;
  store.close[kTonight] = kNan;
  rows = with_tonight(store, 0, "BRK.B", night.tonight());
  EXPECT_TRUE(std::isnan(rows.close.back()));
  EXPECT_EQ(rows.spot.back(), 77.0);
  EXPECT_EQ(test::sessions_of(rows).close.back(), 77.0) << "the spot stands for a missing close";

  rows = with_tonight(store, 1, "QUIET", night.tonight());
  ASSERT_EQ(rows.rows(), 31U) << "a row of its own where the store ends before";
  EXPECT_EQ(rows.date.back(), midnight_of(night.session));
  EXPECT_EQ(rows.spot.back(), 77.0);
  EXPECT_TRUE(std::isnan(rows.volume.back()));

  rows = with_tonight(store, -1, "NEW", night.tonight());
  EXPECT_EQ(rows.rows(), 1U);
  EXPECT_EQ(rows.symbol, std::vector<std::string>{"NEW"});
}

TEST(Outlook, TakesOfASessionThatIsNotOverTheSpotAlone) {
  Night night;
  night.over = false;
  const DailyHistory rows = with_tonight(night.store, 0, "BRK.B", night.tonight());
  ASSERT_EQ(rows.rows(), kTonight + 1);
  EXPECT_EQ(rows.close[kTonight - 1], night.store.close[kTonight - 1]);
  EXPECT_TRUE(std::isnan(rows.close.back()));
  EXPECT_TRUE(std::isnan(rows.high.back()));
  EXPECT_TRUE(std::isnan(rows.short_volume.back()));
  EXPECT_EQ(rows.spot.back(), 77.0);
}

TEST(Outlook, WhatBecameKnownAfterTheNextOpenDoesNotCount) {
  Night night;
  night.store.knowledge_time[kTonight] = night.tonight().known_by + 1;
  DailyHistory rows = with_tonight(night.store, 0, "BRK.B", night.tonight());
  EXPECT_TRUE(std::isnan(rows.close.back()));
  night.store.knowledge_time[kTonight] = night.tonight().known_by;
  rows = with_tonight(night.store, 0, "BRK.B", night.tonight());
  EXPECT_EQ(rows.close.back(), night.store.close[kTonight]);
}

TEST(Outlook, NothingLaterThanTheSessionCounts) {
  Night night;
  TickerSteps steps, changed_steps;
  const TickerOutlook outlook = night.outlook(steps);
  ASSERT_EQ(outlook.forecast.status, TickerForecastStatus::kOk);
  for (std::size_t t = kTonight + 1; t < kSessions; ++t) {
    for (const DailyQuantity& quantity : kDailyQuantities) (night.store.*quantity.column)[t] = 12345.0;
  }
  const TickerOutlook changed = night.outlook(changed_steps);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    EXPECT_EQ(outlook.forecast.now[h].mean, changed.forecast.now[h].mean);
    EXPECT_EQ(outlook.forecast.record[h].crps, changed.forecast.record[h].crps);
    EXPECT_EQ(steps.maps[h].mass, changed_steps.maps[h].mass);
  }
  ASSERT_EQ(steps.step.size(), 2U);
  EXPECT_EQ(steps.step[0].close, changed_steps.step[0].close);
  EXPECT_EQ(steps.step[0].value[0], changed_steps.step[0].value[0]);
}

TEST(Outlook, IsTheForecastOfTheHistoryUpToTheSession) {
  const Night night;
  TickerSteps steps;
  const TickerOutlook outlook = night.outlook(steps);
  TickerForecastOptions options;
  options.date = night.session;
  const TickerForecast plain = make_ticker_forecast(night.store, 0, night.calendar, {}, options);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    EXPECT_EQ(outlook.forecast.now[h].mean, plain.now[h].mean);
    EXPECT_EQ(outlook.forecast.record[h].skill, plain.record[h].skill);
  }
  EXPECT_EQ(outlook.forecast.symbol, "BRK.B") << "as the night spells it";
  EXPECT_EQ(outlook.forecast.at.close, night.store.close[kTonight]);
  EXPECT_EQ(outlook.forecast.at.x[2],
            percent_gamma(night.book(), night.store.close[kTonight], night.quote_time).share());
  EXPECT_EQ(outlook.forecast.at.old[2], 1.5);
  EXPECT_EQ(outlook.forecast.at.iv30, 0.21);
  EXPECT_TRUE(outlook.forecast.predictors.r.empty()) << "series are not kept";
}

TEST(Outlook, ReplacedByItselfTheSessionIsItself) {
  const Night night;
  TickerSteps steps;
  const TickerOutlook outlook = night.outlook(steps);
  const StepForward& replace = steps.step[1];
  ASSERT_EQ(replace.mode, StepMode::kReplace);
  const std::size_t zero = replace.axis.zero();
  for (std::size_t k = 0; k < kPredictors; ++k) {
    if (std::isnan(outlook.forecast.at.x[k])) continue;
    EXPECT_NEAR(replace.value[k][zero], outlook.forecast.at.x[k], 1e-12) << k;
  }
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    EXPECT_NEAR(replace.forecast[h][zero].mean, outlook.forecast.now[h].mean, 1e-12);
    const StepExtremes& kept = outlook.mode[1].extremes[h];
    const StepForward::Extremes found = replace.extremes(h);
    ASSERT_TRUE(kept.known);
    EXPECT_EQ(kept.best, found.best);
    EXPECT_EQ(kept.worst_mean, replace.forecast[h][found.worst_at].mean);
    EXPECT_EQ(kept.best_n_eff, replace.forecast[h][found.best_at].n_eff);
  }
}

TEST(Outlook, ClosesReachAsFarAsTheTickerEverWentInWholeChunks) {
  Night night;
  EXPECT_EQ(night.axes().next_close, night.calendar.next_session(night.session).close);
  EXPECT_EQ(night.axes().session, night.session);
  TickerSteps steps;
  night.outlook(steps);
  EXPECT_EQ(steps.step[0].axis.first, -200);
  EXPECT_EQ(steps.step[0].axis.last, 100);
  // A fall by about a fifth, some thirteen times the mean absolute return: no split, too small for one.
  for (std::size_t t = 300; t < kSessions; ++t) night.store.close[t] *= 0.8;
  TickerSteps wider;
  night.outlook(wider);
  EXPECT_LT(wider.step[0].axis.first, -220);
  // What comes later moves no axis.
  Night other;
  for (std::size_t t = kTonight + 1; t < kSessions; ++t) other.store.close[t] *= 0.8;
  TickerSteps same;
  other.outlook(same);
  EXPECT_EQ(same.step[0].axis.first, -200);

  const auto chunks = [](int first, int last) {
    const StepAxis whole = whole_chunks({first, last});
    return std::pair(whole.first, whole.last);
  };
  EXPECT_EQ(chunks(-200, 100), std::pair(-384, 383));
  EXPECT_EQ(chunks(-384, 383), std::pair(-384, 383));
  EXPECT_EQ(chunks(-385, 384), std::pair(-768, 767));
  EXPECT_EQ(chunks(0, 0), std::pair(0, 383));
}

TEST(Outlook, WithoutAHistoryThereIsGAlone) {
  Night night;
  TickerSteps steps;
  const NightHistory none;
  const OutlookAxes axes = make_outlook_axes(false, night.config, night.calendar, night.quote_time);
  EXPECT_FALSE(axes.stored);
  const TickerOutlook outlook =
      make_outlook(none, -1, "BRK.B", night.tonight(), night.book(), night.quote_time, axes, night.calendar, steps);
  EXPECT_EQ(outlook.forecast.status, TickerForecastStatus::kInsufficientHistory);
  EXPECT_EQ(outlook.forecast.at.x[2], percent_gamma(night.book(), 77.0, night.quote_time).share());
  EXPECT_TRUE(steps.step.empty());
  EXPECT_TRUE(std::isnan(outlook.forecast.at.x[0]));
}

TEST(Outlook, QuotesWithinASessionBelongToItAndStepToTheNext) {
  Night night;
  night.quote_time = night.calendar.session(night.session)->open + 3600;
  EXPECT_EQ(night.axes().session, night.session);
  EXPECT_FALSE(night.axes().over);
  EXPECT_EQ(night.axes().next_close, night.calendar.next_session(night.session).close);
}

}  // namespace
}  // namespace greekgrid

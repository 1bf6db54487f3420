// The coming session: its axes, and its surfaces against the closed forms at every instant.

#include "greekgrid/host/intraday.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "greekgrid/host/levels.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

using test::Book;
using enum IntradaySurface;

constexpr Instant kNow = test::kQuoteTime;  // Thursday 2023-09-14 at the close
constexpr Instant kDay = 86400;
constexpr Instant kOpen = kNow + kDay - 23400, kClose = kNow + kDay;  // Friday's session
constexpr double kFloor = 0.01;

// An instant by the UTC clock, without the calendar under test.
Instant utc(int year, unsigned month, unsigned day, int hour, int minute = 0) {
  const std::chrono::sys_days date{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)};
  return std::chrono::seconds(date.time_since_epoch()).count() + hour * 3600 + minute * 60;
}

struct AxisCase {
  const char* name;
  Instant quote, first, last;
  std::size_t times;
};
class AxesOf : public testing::TestWithParam<AxisCase> {};

TEST_P(AxesOf, StepThroughTheComingSession) {
  const AxisCase& c = GetParam();
  const IntradayAxes axes = make_intraday_axes(IntradayConfig(), Calendar(), c.quote);
  ASSERT_EQ(axes.time.size(), c.times);
  EXPECT_EQ(axes.time.front(), c.first);
  EXPECT_EQ(axes.time.back(), c.last);
  for (std::size_t t = 0; t + 2 < axes.time.size(); ++t) EXPECT_EQ(axes.time[t + 1] - axes.time[t], 300) << t;
  const Instant rest = axes.time.back() - axes.time[axes.time.size() - 2];
  EXPECT_GT(rest, 0);
  EXPECT_LE(rest, 300);
}

INSTANTIATE_TEST_SUITE_P(
    Quotes, AxesOf,
    testing::Values(
        AxisCase{"FullDayBeforeTheOpen", utc(2023, 9, 13, 11), utc(2023, 9, 13, 13, 30), utc(2023, 9, 13, 20), 79},
        AxisCase{"AtTheOpen", utc(2023, 9, 13, 13, 30), utc(2023, 9, 13, 13, 30), utc(2023, 9, 13, 20), 79},
        AxisCase{"InSession", utc(2023, 9, 13, 16), utc(2023, 9, 13, 16), utc(2023, 9, 13, 20), 49},
        AxisCase{"BetweenSteps", utc(2023, 9, 13, 19, 42) + 30, utc(2023, 9, 13, 19, 42) + 30, utc(2023, 9, 13, 20), 5},
        AxisCase{"OneSecondBeforeTheClose", utc(2023, 9, 13, 20) - 1, utc(2023, 9, 13, 20) - 1, utc(2023, 9, 13, 20),
                 2},
        AxisCase{"AtTheClose", utc(2023, 9, 13, 20), utc(2023, 9, 14, 13, 30), utc(2023, 9, 14, 20), 79},
        AxisCase{"HalfDay", utc(2023, 11, 24, 17), utc(2023, 11, 24, 17), utc(2023, 11, 24, 18), 13},
        AxisCase{"BeforeAHalfDay", utc(2023, 11, 22, 22), utc(2023, 11, 24, 14, 30), utc(2023, 11, 24, 18), 43},
        AxisCase{"HalfDayAfterItsClose", utc(2023, 11, 24, 18), utc(2023, 11, 27, 14, 30), utc(2023, 11, 27, 21), 79},
        AxisCase{"FridayEvening", utc(2023, 9, 15, 23), utc(2023, 9, 18, 13, 30), utc(2023, 9, 18, 20), 79},
        // The clocks go forward on Sunday: New York is an hour nearer to UTC on Monday.
        AxisCase{"FridayEveningBeforeTheClocksChange", utc(2023, 3, 10, 22), utc(2023, 3, 13, 13, 30),
                 utc(2023, 3, 13, 20), 79},
        AxisCase{"FridayBeforeTheClocksGoBack", utc(2023, 11, 3, 21), utc(2023, 11, 6, 14, 30), utc(2023, 11, 6, 21),
                 79}),
    [](const auto& instance) { return instance.param.name; });

TEST(Axes, OfSpotAreSymmetricAboutExactlyNothing) {
  IntradayConfig config;
  config.half_width = 2.5;
  for (const std::size_t spots : {1, 3, 61}) {
    config.spots = spots;
    const IntradayAxes axes = make_intraday_axes(config, Calendar(), kNow);
    ASSERT_EQ(axes.spot_step.size(), spots);
    EXPECT_EQ(axes.spot_step[spots / 2], 0.0);
    for (std::size_t j = 0; j < spots; ++j) EXPECT_EQ(axes.spot_step[j], -axes.spot_step[spots - 1 - j]);
    EXPECT_EQ(axes.spot_step.back(), spots > 1 ? 2.5 : 0.0);
  }
}

// Expiries that settle at these instants, calls and puts about the money in each.
Book book_of(const std::vector<Instant>& settlements) {
  Book book;
  book.spot_basis = 0.001;
  for (const Instant settlement : settlements) {
    book.add_expiry(settlement, 0.05, 0.015);
    for (const double strike : {97.0, 99.5, 100.0, 101.0, 103.5}) {
      book.add(strike, 1, 0.15, {10.0 * strike, -7.0});
      book.add(strike, -1, 0.17, {-12.0 * strike, 5.0});
    }
  }
  return book;
}

struct Session {
  IntradayAxes axes;
  TickerIntraday result;
  std::vector<double> greeks;

  double at(IntradaySurface surface, std::size_t w, ExpiryScope scope, std::size_t t, std::size_t j) const {
    const std::size_t place = (static_cast<std::size_t>(surface) * 2 + w) * kScopes + static_cast<std::size_t>(scope);
    return result.surface[(place * axes.time.size() + t) * axes.spot_step.size() + j];
  }
};

constexpr double kMove = 0.01;  // expected

Session session_of(const Book& book, Instant quote, IntradayConfig config = {}, double volume = std::nan("")) {
  Session session;
  session.axes = make_intraday_axes(config, Calendar(), quote);
  IntradayInputs in;
  in.book = book.view();
  in.positions = 2;
  session.greeks = base_greeks(in.book, quote, kFloor);
  in.delta = std::span(session.greeks).first(in.book.contracts());
  in.quote_time = quote;
  in.expected_move = kMove;
  in.iv_floor = kFloor;
  in.move = 2.5;
  in.average_daily_volume = volume;
  session.result = compute_intraday(in, session.axes, *make_reference_backend());
  return session;
}

// sum n m Greek by the closed form of the contracts whose settlement a predicate keeps.
template <class Keep>
double exposure(const BookView& book, std::size_t w, Greek greek, Instant time, double log_spot, Keep keep) {
  double sum = 0.0;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    if (!keep(book.settlement[e])) continue;
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      const auto g = formulas::black_scholes<double>(
          {static_cast<double>(book.right[i]), book.spot * std::exp(log_spot) * std::exp(book.spot_basis),
           book.strike[i], book.rate[e], book.dividend_yield[e], std::max(kFloor, book.implied_volatility[i]),
           static_cast<double>(book.settlement[e] - time) / kSecondsPerYear});
      sum += book.weight[w * book.contracts() + i] * g[greek] * std::exp(book.spot_basis * spot_order(greek));
    }
  }
  return sum;
}

constexpr std::pair<IntradaySurface, Greek> kSurfaces[] = {
    {kDx, Greek::kDelta}, {kGx, Greek::kGamma}, {kCharm, Greek::kCharm}, {kVanna, Greek::kVanna}};

// Every cell of the four surfaces of one scope, relative to the largest of its surface.
void expect_closed_forms(const Book& book, const Session& session, ExpiryScope scope, double tolerance) {
  const Instant first = session.axes.time.front(), close = session.axes.time.back();
  const auto keep = [&](Instant settlement) {
    return settlement > first && (scope == ExpiryScope::kAll || settlement <= close);
  };
  for (const auto& [surface, greek] : kSurfaces) {
    for (std::size_t w = 0; w < 2; ++w) {
      std::vector<double> actual, want;
      for (std::size_t t = 0; t < session.axes.time.size(); ++t) {
        for (std::size_t j = 0; j < session.axes.spot_step.size(); ++j) {
          actual.push_back(session.at(surface, w, scope, t, j));
          want.push_back(
              exposure(book.view(), w, greek, session.axes.time[t], session.axes.spot_step[j] * kMove, keep));
        }
      }
      const auto worst = test::compare_surface(actual, want);
      EXPECT_LE(worst.relative_to_maximum, tolerance)
          << name(greek) << " of " << name(scope) << ", model " << w << ", cell " << worst.cell;
    }
  }
}

// Expiries are carried by a polynomial from 8 lengths of the session after the close on: just beyond them is the worst.
TEST(Intraday, FarExpiriesAreWithin1em7OfTheClosedForms) {
  const Instant beyond = kClose + 8 * 23400 + 1;
  for (const std::vector<Instant>& settlements :
       {std::vector{beyond}, std::vector{kNow + 7 * kDay, kNow + 30 * kDay, kNow + 730 * kDay}}) {
    const Book book = book_of(settlements);
    expect_closed_forms(book, session_of(book, kNow), ExpiryScope::kAll, 1e-7);
  }
  // Half an hour before the close the next sessions are far.
  const Book book = book_of({kNow + 4 * 3600 + 1, kNow + kDay, kNow + 30 * kDay});
  const Session late = session_of(book, kNow - 1800);
  ASSERT_EQ(late.axes.time.size(), 7U);
  expect_closed_forms(book, late, ExpiryScope::kAll, 1e-7);
}

// Nearer ones are evaluated at every instant: rounding alone.
TEST(Intraday, NearExpiriesAreThoseOfTheClosedForms) {
  const Book book = book_of({kClose - 3600, kClose, kNow + 2 * kDay, kClose + 8 * 23400});
  const Session session = session_of(book, kNow);
  expect_closed_forms(book, session, ExpiryScope::kAll, 1e-10);
  expect_closed_forms(book, session, ExpiryScope::k0dte, 1e-10);
}

TEST(Intraday, TheScopeOfTheDayIsWhatSettlesByTheClose) {
  const Book all = book_of({kClose - 60, kClose, kClose + 1, kNow + 30 * kDay}), day = book_of({kClose - 60, kClose});
  const Session session = session_of(all, kNow), alone = session_of(day, kNow);
  for (const IntradaySurface surface : {kDx, kGx, kCharm, kVanna, kCharmHeatmap, kGammaHeatmap}) {
    double elsewhere = 0.0;
    for (std::size_t t = 0; t < session.axes.time.size(); ++t) {
      for (std::size_t j = 0; j < session.axes.spot_step.size(); ++j) {
        for (std::size_t w = 0; w < 2; ++w) {
          const double of_day = session.at(surface, w, ExpiryScope::k0dte, t, j);
          EXPECT_EQ(of_day, alone.at(surface, w, ExpiryScope::kAll, t, j));
          elsewhere = std::max(elsewhere, std::abs(session.at(surface, w, ExpiryScope::kAll, t, j) - of_day));
        }
      }
    }
    EXPECT_GT(elsewhere, 0.0);
  }
}

// AM settlement is at the open, the session's first instant: neither its delta nor its roll-off is the session's.
TEST(Intraday, ContractsThatSettleByTheFirstInstantAreLeftOut) {
  const Book with = book_of({kNow + 60, kOpen, kClose, kNow + 30 * kDay}),
             without = book_of({kClose, kNow + 30 * kDay});
  const Session session = session_of(with, kNow, {}, 1e6), expected = session_of(without, kNow, {}, 1e6);
  ASSERT_EQ(session.axes.time.front(), kOpen);
  EXPECT_EQ(session.result.surface, expected.result.surface);
  EXPECT_EQ(session.result.path[0].spot, expected.result.path[0].spot);
  const Book nothing = book_of({kOpen});
  for (const double value : session_of(nothing, kNow).result.surface) EXPECT_EQ(value, 0.0);
}

// At every fixed spot the steps' changes are the session's, settlement at the close included: delta there is the
// exercise indicator.
TEST(Intraday, TheCharmHeatmapAddsUpToTheChangeOverTheSession) {
  for (const double basis : {0.001, 0.0}) {  // without a basis the middle spot is the strike: half exercised
    Book book = book_of({kClose, kNow + 2 * kDay, kNow + 30 * kDay});
    book.spot_basis = basis;
    const Session session = session_of(book, kNow);
    const std::size_t last = session.axes.time.size() - 1;
    for (const ExpiryScope scope : {ExpiryScope::kAll, ExpiryScope::k0dte}) {
      const auto keep = [&](Instant settlement) { return scope == ExpiryScope::kAll || settlement <= kClose; };
      for (std::size_t w = 0; w < 2; ++w) {
        for (std::size_t j = 0; j < session.axes.spot_step.size(); ++j) {
          double sum = 0.0;
          for (std::size_t t = 0; t <= last; ++t) sum += session.at(kCharmHeatmap, w, scope, t, j);
          EXPECT_EQ(session.at(kCharmHeatmap, w, scope, last, j), 0.0);
          // 80 roundings of some 17,000 shares / 100.
          EXPECT_NEAR(sum, (session.at(kDx, w, scope, last, j) - session.at(kDx, w, scope, 0, j)) / 100.0, 1e-10);
          const double x = session.axes.spot_step[j] * kMove;
          const double want = (exposure(book.view(), w, Greek::kDelta, kClose, x, keep) -
                               exposure(book.view(), w, Greek::kDelta, kOpen, x, keep)) /
                              100.0;
          // The far expiry's polynomial passes through both ends, which are nodes.
          EXPECT_NEAR(sum, want, 1e-9) << name(scope) << " " << j;
        }
      }
    }
    const auto keep = [](Instant settlement) { return settlement == kClose; };
    const double at_close = session.at(kDx, 0, ExpiryScope::k0dte, last, session.axes.spot_step.size() / 2);
    EXPECT_DOUBLE_EQ(at_close, exposure(book.view(), 0, Greek::kDelta, kClose, 0.0, keep));
    if (basis == 0.0) {
      // Calls of 97 and 99.5 and half of 100, of 10 K shares; puts of 103.5 and 101 and half of 100, 12 K short.
      EXPECT_DOUBLE_EQ(at_close, 10.0 * (97.0 + 99.5 + 50.0) + 12.0 * (103.5 + 101.0 + 50.0));
    }
  }
}

// Spots h = 1e-6 apart; the narrowest contract is s = 0.15 sqrt(300 s) = 4.6e-4 wide five minutes before the close, so
// central differences are off by h^2 / (6 s^2) times a few of gamma's largest, 1e-6, and rounding by eps DX / (2 h),
// some 17,000 shares against gammas of 1e6: less.
TEST(Intraday, GxIsTheDerivativeOfDxAlongSpot) {
  const Book book = book_of({kClose, kNow + 2 * kDay, kNow + 30 * kDay});
  IntradayConfig config;
  config.spots = 3;
  config.half_width = 1e-4;  // expected moves of 0.01
  const Session session = session_of(book, kNow, config);
  for (std::size_t w = 0; w < 2; ++w) {
    for (const ExpiryScope scope : {ExpiryScope::kAll, ExpiryScope::k0dte}) {
      for (std::size_t t = 0; t + 1 < session.axes.time.size(); ++t) {
        const double difference = session.at(kDx, w, scope, t, 2) - session.at(kDx, w, scope, t, 0);
        const double width = 100.0 * (std::exp(1e-6) - std::exp(-1e-6));
        double gross = 0.0;
        const BookView view = book.view();
        for (std::size_t e = 0; e < view.expiries(); ++e) {
          for (std::size_t i = 10 * e; i < 10 * e + 10; ++i) {
            const double s =
                view.implied_volatility[i] *
                std::sqrt(static_cast<double>(view.settlement[e] - session.axes.time[t]) / kSecondsPerYear);
            gross += std::abs(view.weight[w * view.contracts() + i]) * 0.4 / (s * view.spot);
          }
        }
        EXPECT_NEAR(session.at(kGx, w, scope, t, 1), difference / width, 1e-6 * gross) << name(scope) << " " << t;
      }
    }
  }
}

TEST(Intraday, TheGammaHeatmapIsContractDeltaPerMove) {
  const Book book = book_of({kClose, kNow + 30 * kDay});
  const Session session = session_of(book, kNow);
  for (std::size_t t = 0; t < session.axes.time.size(); t += 11) {
    for (std::size_t j = 0; j < session.axes.spot_step.size(); j += 7) {
      EXPECT_DOUBLE_EQ(session.at(kGammaHeatmap, 1, ExpiryScope::kAll, t, j),
                       2.5 * session.at(kGx, 1, ExpiryScope::kAll, t, j) / 100.0);
    }
  }
  EXPECT_EQ(gamma_move("SPX", 4500.0), 2.5);
  EXPECT_EQ(gamma_move("SPXW", 4500.0), 2.25);
  EXPECT_EQ(gamma_move("AMD", 100.0), 0.05);
}

// Over the session's contracts DX stays what it was at the quote instant and S0, within what interpolation in spot
// leaves: steps of 1e-3 in contracts 0.02 wide, (1e-3 / 0.02)^4 / 384 = 2e-8 of the gross.
TEST(Intraday, ThePathHoldsTheDeltaOfTheQuoteInstant) {
  const Book book = book_of({kOpen, kNow + 10 * kDay, kNow + 30 * kDay});
  const auto keep = [](Instant settlement) { return settlement > kOpen; };
  const Session session = session_of(book, kNow, {}, 123456.0);
  double gross = 0.0;
  for (std::size_t i = 10; i < 30; ++i) gross += std::abs(book.view().weight[i]);
  const double level = exposure(book.view(), 0, Greek::kDelta, kNow, 0.0, keep);
  const LeastResistancePath& path = session.result.path[0];
  ASSERT_EQ(path.spot.size(), session.axes.time.size());
  std::size_t followed = 0;
  for (std::size_t t = 0; t < path.spot.size(); ++t) {
    if (path.status[t] != PathStatus::kOk && path.status[t] != PathStatus::kRepelling) continue;
    ++followed;
    const double x = std::log(path.spot[t] / 100.0);
    EXPECT_NEAR(exposure(book.view(), 0, Greek::kDelta, session.axes.time[t], x, keep), level, 1e-7 * gross) << t;
  }
  EXPECT_EQ(followed, path.spot.size());
  EXPECT_NE(path.spot.front(), 100.0);  // the night has passed
  EXPECT_DOUBLE_EQ(session.result.half_band[0], 1234.56);
  EXPECT_DOUBLE_EQ(session.result.half_band[1], 1234.56);
  // Without a volume 1 % of the gross delta of the same contracts.
  const Session unknown = session_of(book, kNow);
  for (std::size_t w = 0; w < 2; ++w) {
    double delta = 0.0;
    for (std::size_t i = 10; i < 30; ++i) {
      delta += std::abs(book.view().weight[w * 30 + i] * unknown.greeks[i]);
    }
    EXPECT_DOUBLE_EQ(unknown.result.half_band[w], 0.01 * delta);
  }
  // In session it starts at spot itself.
  EXPECT_EQ(session_of(book_of({kNow + 30 * kDay}), kNow - 3600).result.path[0].spot.front(), 100.0);
}

}  // namespace
}  // namespace greekgrid

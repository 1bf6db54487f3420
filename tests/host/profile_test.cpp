// Profiles: sums taken apart add up again, what settles is taken away, buckets end where sessions do.

#include "greekgrid/host/profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "greekgrid/host/levels.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

using test::Book;

constexpr Instant kNow = test::kQuoteTime;
constexpr double kFloor = 0.01;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// An instant by the UTC clock, without the calendar under test.
Instant utc(int year, unsigned month, unsigned day, int hour, int minute = 0) {
  const std::chrono::sys_days date{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)};
  return std::chrono::seconds(date.time_since_epoch()).count() + hour * 3600 + minute * 60;
}

// A chain whose expiries 3 and 4 settle together, as two roots do, with what a snapshot says of its contracts.
struct Inputs {
  Book book = test::index_like_book(3000, 2);
  std::vector<double> greeks, multiplier, open_interest, volume;
  ProfileInputs in;

  Inputs() {
    book.spot_basis = 0.002;
    book.settlement[4] = book.settlement[3];
    in.book = book.view();
    in.positions = 2;
    greeks = base_greeks(in.book, kNow, kFloor);
    for (std::size_t i = 0; i < in.book.contracts(); ++i) {
      multiplier.push_back(i % 7 == 0 ? 10.0 : 100.0);
      open_interest.push_back(static_cast<double>(i % 11));
      volume.push_back(i % 5 == 0 ? kNaN : static_cast<double>(i % 13));
    }
    in.greeks = greeks;
    in.multiplier = multiplier;
    in.open_interest = open_interest;
    in.volume = volume;
    in.buckets.end = {book.settlement[1], book.settlement[4], book.settlement[10]};
  }
  // n m Greek by the closed form.
  double exposure(std::size_t w, std::size_t e, std::size_t i, Greek greek) const {
    const BookView& view = in.book;
    const auto g = formulas::black_scholes<double>(
        {static_cast<double>(view.right[i]), view.spot * std::exp(view.spot_basis), view.strike[i], view.rate[e],
         view.dividend_yield[e], std::max(kFloor, view.implied_volatility[i]),
         static_cast<double>(view.settlement[e] - kNow) / kSecondsPerYear});
    return view.weight[w * view.contracts() + i] * g[greek] * std::exp(view.spot_basis * spot_order(greek));
  }
  // Sums over contracts that a predicate of (expiry, contract) keeps.
  template <class Keep>
  double sum(std::size_t w, Greek greek, Keep keep, bool magnitudes = false) const {
    double total = 0.0;
    for (std::size_t e = 0; e < in.book.expiries(); ++e) {
      for (auto i = static_cast<std::size_t>(in.book.expiry_begin[e]);
           i < static_cast<std::size_t>(in.book.expiry_begin[e + 1]); ++i) {
        if (!keep(e, i)) continue;
        const double one = exposure(w, e, i, greek);
        total += magnitudes ? std::abs(one) : one;
      }
    }
    return total;
  }
};

double total(const std::vector<double>& rows, std::size_t models, std::size_t w) {
  double sum = 0.0;
  for (std::size_t cell = w; cell < rows.size(); cell += models) sum += rows[cell];
  return sum;
}

TEST(Profile, EveryGroupingAddsUpToTheBook) {
  const Inputs inputs;
  const Profile profile = make_profile(inputs.in);
  const auto all = [](std::size_t, std::size_t) { return true; };
  const auto calls = [&](std::size_t, std::size_t i) { return inputs.in.book.right[i] > 0; };
  for (std::size_t g = 0; g < kProfileGreeks.size(); ++g) {
    for (std::size_t w = 0; w < 2; ++w) {
      const double net = inputs.sum(w, kProfileGreeks[g], all), call = inputs.sum(w, kProfileGreeks[g], calls);
      const double gross = inputs.sum(w, kProfileGreeks[g], all, true);
      // Two orders of 3000 terms each round by less than 1e-12 of their magnitudes.
      const double tolerance = 1e-12 * gross;
      for (const GroupExposures* part : {&profile.by_strike, &profile.by_expiry, &profile.by_bucket}) {
        EXPECT_NEAR(total(part->call[g], 2, w), call, tolerance) << name(kProfileGreeks[g]) << " " << w;
        EXPECT_NEAR(total(part->put[g], 2, w), net - call, tolerance) << name(kProfileGreeks[g]) << " " << w;
        EXPECT_NEAR(total(part->gross[g], 2, w), gross, tolerance) << name(kProfileGreeks[g]) << " " << w;
        for (std::size_t cell = 0; cell < part->gross[g].size(); ++cell) {
          EXPECT_GE(part->gross[g][cell] * (1.0 + 1e-12), std::abs(part->call[g][cell] + part->put[g][cell]));
        }
      }
    }
  }
  double contracts[4] = {};
  for (std::size_t i = 0; i < inputs.in.book.contracts(); ++i) {
    const bool is_call = inputs.in.book.right[i] > 0;
    contracts[is_call ? 0 : 1] += inputs.open_interest[i];
    if (!std::isnan(inputs.volume[i])) contracts[is_call ? 2 : 3] += inputs.volume[i];
  }
  for (const GroupContracts* part : {&profile.by_strike_count, &profile.by_expiry_count, &profile.by_bucket_count}) {
    EXPECT_EQ(total(part->call_open_interest, 1, 0), contracts[0]);
    EXPECT_EQ(total(part->put_open_interest, 1, 0), contracts[1]);
    EXPECT_EQ(total(part->call_volume, 1, 0), contracts[2]);
    EXPECT_EQ(total(part->put_volume, 1, 0), contracts[3]);
  }
}

TEST(Profile, RowsHoldTheirOwnContracts) {
  const Inputs inputs;
  const Profile profile = make_profile(inputs.in);
  const BookView& book = inputs.in.book;
  EXPECT_TRUE(std::adjacent_find(profile.strike.begin(), profile.strike.end(), std::greater_equal<>()) ==
              profile.strike.end());
  const auto expect_row = [&](const GroupExposures& part, std::size_t row, auto keep) {
    for (std::size_t g = 0; g < kProfileGreeks.size(); ++g) {
      for (std::size_t w = 0; w < 2; ++w) {
        const double net = inputs.sum(w, kProfileGreeks[g], keep), gross = inputs.sum(w, kProfileGreeks[g], keep, true);
        EXPECT_NEAR(part.call[g][row * 2 + w] + part.put[g][row * 2 + w], net, 1e-12 * gross);
        EXPECT_NEAR(part.gross[g][row * 2 + w], gross, 1e-12 * gross);
      }
    }
  };
  for (std::size_t k = 0; k < profile.strike.size(); k += 37) {
    expect_row(profile.by_strike, k, [&](std::size_t, std::size_t i) { return book.strike[i] == profile.strike[k]; });
  }
  for (std::size_t row = 0; row < book.expiries(); row += 3) {
    expect_row(profile.by_expiry, row, [&](std::size_t e, std::size_t) { return e == row; });
  }
  // The ends belong to the buckets that they end: expiries 0, 1 | 2 .. 4 | 5 .. 10 | the rest.
  const std::size_t first[] = {0, 2, 5, 11, book.expiries()};
  for (std::size_t b = 0; b < kBuckets; ++b) {
    expect_row(profile.by_bucket, b, [&](std::size_t e, std::size_t) { return e >= first[b] && e < first[b + 1]; });
  }
}

TEST(Profile, WhatIsLeftAfterAnExpiryIsTheReducedBook) {
  const Inputs inputs;
  const Profile profile = make_profile(inputs.in);
  const BookView& book = inputs.in.book;
  const auto all = [](std::size_t, std::size_t) { return true; };
  for (std::size_t row = 0; row < book.expiries(); ++row) {
    const auto others = [&](std::size_t e, std::size_t) { return e != row; };
    const auto later = [&](std::size_t e, std::size_t) { return book.settlement[e] > book.settlement[row]; };
    for (std::size_t w = 0; w < 2; ++w) {
      const double delta = 1e-12 * inputs.sum(w, Greek::kDelta, all, true);
      const double gamma = 1e-12 * inputs.sum(w, Greek::kGamma, all, true);
      EXPECT_NEAR(profile.dx_without[row * 2 + w], inputs.sum(w, Greek::kDelta, others), delta);
      EXPECT_NEAR(profile.gx_without[row * 2 + w], inputs.sum(w, Greek::kGamma, others), gamma);
      EXPECT_NEAR(profile.dx_after[row * 2 + w], inputs.sum(w, Greek::kDelta, later), delta);
      EXPECT_NEAR(profile.gx_after[row * 2 + w], inputs.sum(w, Greek::kGamma, later), gamma);
    }
  }
  // Expiries that settle together leave together; the last leaves nothing at all.
  EXPECT_EQ(profile.gx_after[3 * 2], profile.gx_after[4 * 2]);
  EXPECT_NE(profile.gx_without[3 * 2], profile.gx_without[4 * 2]);
  EXPECT_EQ(profile.dx_after[(book.expiries() - 1) * 2], 0.0);
  EXPECT_EQ(profile.gx_after[(book.expiries() - 1) * 2], 0.0);
}

// Payments at 90, 100 and 110, shares of 100: calls 10 at 90, puts 4 at 100, puts 5 at 110.
//   at 90: 4 x 10 + 5 x 20 = 140; at 100: 10 x 10 + 5 x 10 = 150; at 110: 10 x 20 = 200
TEST(MaxPain, IsTheStrikeOfTheLeastPayment) {
  const std::vector<double> strike = {90.0, 100.0, 110.0}, hundred(3, 100.0);
  const std::vector<std::int8_t> right = {1, -1, -1};
  EXPECT_EQ(max_pain(strike, right, std::vector{10.0, 4.0, 5.0}, hundred).value, 90.0);
  // 6 calls: 140, 110, 120.
  EXPECT_EQ(max_pain(strike, right, std::vector{6.0, 4.0, 5.0}, hundred).value, 100.0);
  // 4 calls: 140, 90, 80.
  EXPECT_EQ(max_pain(strike, right, std::vector{4.0, 4.0, 5.0}, hundred).value, 110.0);
  // 5 calls: 140, 100, 100: the lower.
  EXPECT_EQ(max_pain(strike, right, std::vector{5.0, 4.0, 5.0}, hundred).value, 100.0);
  // Multipliers weigh: 10 calls of 40 shares are 4 of 100.
  EXPECT_EQ(max_pain(strike, right, std::vector{10.0, 4.0, 5.0}, std::vector{40.0, 100.0, 100.0}).value, 110.0);
}

TEST(MaxPain, EqualsTheScanOfEveryListedStrikeAndIsLowerOnTies) {
  const Inputs inputs;
  const BookView& book = inputs.in.book;
  const Profile profile = make_profile(inputs.in);
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const auto begin = static_cast<std::size_t>(book.expiry_begin[e]);
    const auto end = static_cast<std::size_t>(book.expiry_begin[e + 1]);
    double best = 0.0, least = std::numeric_limits<double>::infinity();
    for (std::size_t at = begin; at < end; ++at) {
      double paid = 0.0;  // whole numbers of dollars: exact
      for (std::size_t i = begin; i < end; ++i) {
        paid += inputs.open_interest[i] * inputs.multiplier[i] *
                std::max(book.right[i] * (book.strike[at] - book.strike[i]), 0.0);
      }
      if (paid < least || (paid == least && book.strike[at] < best)) {
        least = paid;
        best = book.strike[at];
      }
    }
    EXPECT_EQ(profile.max_pain[e].value, best) << e;
  }
  // Calls at the three lowest of ten strikes 0.1 apart and as many puts at the three highest: the third to the eighth
  // pay the same but for rounding.
  for (int size = 1; size <= 50; ++size) {
    std::vector<double> strikes;
    for (int k = 0; k < 10; ++k) strikes.push_back(4500.0 + 0.1 * (k + 1));
    const std::vector<std::int8_t> rights = {1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
    const std::vector<double> open = {1.0 * size, 7.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0, 6.0, 1.0 * size};
    EXPECT_EQ(max_pain(strikes, rights, open, std::vector<double>(10, 100.0)).value, 4500.3) << size;
  }
  // No contract is open at the lower strike: it is listed all the same, and pays as little.
  const std::vector<double> strike = {4500.1, 4500.2}, one(2, 1.0);
  EXPECT_EQ(max_pain(strike, std::vector<std::int8_t>{1, 1}, std::vector{0.0, 1.0}, one).value, 4500.1);
}

TEST(MaxPain, NeedsOpenInterest) {
  const std::vector<double> strike = {90.0, 100.0}, none(2, 0.0), hundred(2, 100.0);
  const std::vector<std::int8_t> right = {1, -1};
  EXPECT_EQ(max_pain(strike, right, none, hundred).status, LevelStatus::kNoContracts);
  EXPECT_EQ(max_pain({}, {}, {}, {}).status, LevelStatus::kNoContracts);
}

TEST(PutCallRatio, CountsContractsAndNeedsCalls) {
  const std::vector<std::int8_t> right = {1, -1, -1, 1};
  EXPECT_EQ(put_call_ratio(right, std::vector{4.0, 3.0, 7.0, 1.0}).value, 2.0);
  EXPECT_EQ(put_call_ratio(right, std::vector{4.0, kNaN, 6.0, kNaN}).value, 1.5);
  EXPECT_EQ(put_call_ratio(right, std::vector{4.0, 0.0, 0.0, 0.0}).value, 0.0);
  for (const Level& level :
       {put_call_ratio(right, std::vector{0.0, 3.0, 7.0, kNaN}), put_call_ratio({}, std::vector<double>{})}) {
    EXPECT_EQ(level.status, LevelStatus::kNoCalls);
    EXPECT_TRUE(std::isnan(level.value));
  }
}

struct Ends {
  const char* name;
  Instant quote, same_day, weekly, monthly;
};
class BucketEndsOf : public testing::TestWithParam<Ends> {};

TEST_P(BucketEndsOf, AreClosesOfTheSessions) {
  const BucketEnds ends = bucket_ends(Calendar(), GetParam().quote);
  EXPECT_THAT(ends.end, testing::ElementsAre(GetParam().same_day, GetParam().weekly, GetParam().monthly));
  EXPECT_EQ(ends.of(GetParam().same_day), ExpiryBucket::k0dte);
  EXPECT_EQ(ends.of(GetParam().same_day + 1), ExpiryBucket::kWeekly);
  EXPECT_EQ(ends.of(GetParam().weekly), ExpiryBucket::kWeekly);
  EXPECT_EQ(ends.of(GetParam().monthly), ExpiryBucket::kMonthly);
  EXPECT_EQ(ends.of(GetParam().monthly + 1), ExpiryBucket::kBeyond);
}

// Closes are 20:00 UTC in summer, 21:00 in winter.
INSTANTIATE_TEST_SUITE_P(
    Quotes, BucketEndsOf,
    testing::Values(
        Ends{"WednesdayInSession", utc(2023, 9, 6, 16), utc(2023, 9, 6, 20), utc(2023, 9, 8, 20), utc(2023, 9, 15, 20)},
        Ends{"WednesdayAtTheClose", utc(2023, 9, 6, 20), utc(2023, 9, 7, 20), utc(2023, 9, 8, 20),
             utc(2023, 9, 15, 20)},
        Ends{"WednesdayBeforeTheOpen", utc(2023, 9, 6, 12), utc(2023, 9, 6, 20), utc(2023, 9, 8, 20),
             utc(2023, 9, 15, 20)},
        // The coming session is Friday's: the week after it is the next one.
        Ends{"ThursdayAfterTheClose", utc(2023, 9, 7, 22), utc(2023, 9, 8, 20), utc(2023, 9, 15, 20),
             utc(2023, 10, 20, 20)},
        Ends{"TuesdayOfTheOpexWeek", utc(2023, 9, 12, 16), utc(2023, 9, 12, 20), utc(2023, 9, 15, 20),
             utc(2023, 10, 20, 20)},
        Ends{"FridayOfTheOpexWeek", utc(2023, 9, 15, 16), utc(2023, 9, 15, 20), utc(2023, 9, 22, 20),
             utc(2023, 10, 20, 20)},
        Ends{"WeekOfGoodFriday", utc(2023, 4, 5, 16), utc(2023, 4, 5, 20), utc(2023, 4, 6, 20), utc(2023, 4, 21, 20)},
        Ends{"ThursdayBeforeGoodFriday", utc(2023, 4, 6, 16), utc(2023, 4, 6, 20), utc(2023, 4, 14, 20),
             utc(2023, 4, 21, 20)},
        // The third Friday of April 2022 was Good Friday: its expiration was on Thursday.
        Ends{"MonthlyOnThursday", utc(2022, 4, 6, 16), utc(2022, 4, 6, 20), utc(2022, 4, 8, 20), utc(2022, 4, 14, 20)},
        Ends{"DayBeforeThanksgiving", utc(2023, 11, 22, 17), utc(2023, 11, 22, 21), utc(2023, 11, 24, 18),
             utc(2023, 12, 15, 21)},
        Ends{"HalfDay", utc(2023, 11, 24, 17), utc(2023, 11, 24, 18), utc(2023, 12, 1, 21), utc(2023, 12, 15, 21)},
        Ends{"HalfDayAfterItsClose", utc(2023, 11, 24, 18), utc(2023, 11, 27, 21), utc(2023, 12, 1, 21),
             utc(2023, 12, 15, 21)},
        Ends{"FridayBeforeTheClocksChange", utc(2023, 3, 10, 20, 59), utc(2023, 3, 10, 21), utc(2023, 3, 17, 20),
             utc(2023, 4, 21, 20)},
        Ends{"FridayEveningBeforeTheClocksChange", utc(2023, 3, 10, 21), utc(2023, 3, 13, 20), utc(2023, 3, 17, 20),
             utc(2023, 4, 21, 20)}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace greekgrid

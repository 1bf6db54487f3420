// Attribution of a change of delta: parts, expiries and strikes add up to an independent repricing.

#include "greekgrid/host/attribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

using test::Book;

constexpr Instant kNow = test::kQuoteTime;
constexpr Instant kDay = 86400;
constexpr double kFloor = 0.05;  // reached by the shift of -0.08 below

std::size_t place(AttributionTerm term) {
  return static_cast<std::size_t>(term);
}

// Expiries from hours to years, one of which settles at the instant of the moves, and some before.
Book make_book() {
  Book book = test::index_like_book(2500, 2);
  book.spot_basis = 0.0015;
  book.settlement[1] = kNow + kDay;
  return book;
}

std::vector<double> strikes_of(const Book& book) {
  std::vector<double> strikes = book.strike;
  std::sort(strikes.begin(), strikes.end());
  strikes.erase(std::unique(strikes.begin(), strikes.end()), strikes.end());
  return strikes;
}

// n m delta to the vendor's spot by the closed form, with every argument at its moved value.
double dx(const BookView& book, std::size_t w, std::size_t e, std::size_t i, double log_spot, double shift,
          Instant time) {
  const double basis = std::exp(book.spot_basis);
  const auto g = formulas::black_scholes<double>(
      {static_cast<double>(book.right[i]), book.spot * std::exp(log_spot) * basis, book.strike[i], book.rate[e],
       book.dividend_yield[e], std::max(kFloor, book.implied_volatility[i] + shift),
       static_cast<double>(book.settlement[e] - time) / kSecondsPerYear});
  return book.weight[w * book.contracts() + i] * g.delta * basis;
}

// The terms of a move from the definitions, summed over contracts that a predicate of (expiry, contract) keeps.
template <class Keep>
std::array<double, kAttributionTerms> terms(const BookView& book, std::size_t w, const Move& m, Keep keep) {
  double sum[2][2][2] = {};  // (spot, volatility, time) moved or not
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      if (!keep(e, i)) continue;
      for (const int s : {0, 1}) {
        for (const int v : {0, 1}) {
          for (const int t : {0, 1}) {
            sum[s][v][t] += dx(book, w, e, i, s * m.log_spot, v * m.iv_shift, t == 1 ? m.time : kNow);
          }
        }
      }
    }
  }
  const double start = sum[0][0][0], spot = sum[1][0][0] - start, iv = sum[0][1][0] - start,
               time = sum[0][0][1] - start;
  const double total = sum[1][1][1] - start;
  const double spot_iv = sum[1][1][0] - sum[1][0][0] - sum[0][1][0] + start;
  const double spot_time = sum[1][0][1] - sum[1][0][0] - sum[0][0][1] + start;
  const double iv_time = sum[0][1][1] - sum[0][1][0] - sum[0][0][1] + start;
  return {total, spot, iv, time, spot_iv, spot_time, iv_time, total - spot - iv - time - spot_iv - spot_time - iv_time};
}

double gross(const BookView& book, std::size_t w) {
  double sum = 0.0;
  for (std::size_t i = 0; i < book.contracts(); ++i) sum += std::abs(book.weight[w * book.contracts() + i]);
  return sum;
}

const Move kMoves[] = {{0.01, 0.02, kNow + kDay}, {-0.03, -0.08, kNow + 5 * kDay}, {0.004, 0.0, kNow + 3 * 3600}};

// A delta is off by a few roundings, a sum of 2500 of them in either order by 1e-13 of the gross: ten times that.
constexpr double kTolerance = 1e-12;

TEST(Attribution, EveryTermIsThatOfFullRepricing) {
  const Book owned = make_book();
  const BookView book = owned.view();
  const std::vector<double> strikes = strikes_of(owned);
  const Attribution parts = attribute(book, 2, kNow, kFloor, strikes, kMoves);
  ASSERT_EQ(parts.by_expiry.size(), book.expiries() * 2 * std::size(kMoves) * kAttributionTerms);
  ASSERT_EQ(parts.by_strike.size(), strikes.size() * 2 * std::size(kMoves) * kAttributionTerms);
  for (std::size_t w = 0; w < 2; ++w) {
    const double tolerance = kTolerance * gross(book, w);
    for (std::size_t a = 0; a < std::size(kMoves); ++a) {
      const auto cell = [&](std::size_t row) { return ((row * 2 + w) * std::size(kMoves) + a) * kAttributionTerms; };
      const auto all = terms(book, w, kMoves[a], [](std::size_t, std::size_t) { return true; });
      for (std::size_t term = 0; term < kAttributionTerms; ++term) {
        double by_expiry = 0.0, by_strike = 0.0;
        for (std::size_t e = 0; e < book.expiries(); ++e) by_expiry += parts.by_expiry[cell(e) + term];
        for (std::size_t k = 0; k < strikes.size(); ++k) by_strike += parts.by_strike[cell(k) + term];
        EXPECT_NEAR(by_expiry, all[term], tolerance) << name(static_cast<AttributionTerm>(term)) << " " << a;
        EXPECT_NEAR(by_strike, all[term], tolerance) << name(static_cast<AttributionTerm>(term)) << " " << a;
      }
      // Rows for themselves.
      for (std::size_t e = 0; e < book.expiries(); e += 5) {
        const auto want = terms(book, w, kMoves[a], [&](std::size_t of, std::size_t) { return of == e; });
        for (std::size_t term = 0; term < kAttributionTerms; ++term) {
          EXPECT_NEAR(parts.by_expiry[cell(e) + term], want[term], tolerance) << e;
        }
      }
      for (std::size_t k = 0; k < strikes.size(); k += 61) {
        const auto want =
            terms(book, w, kMoves[a], [&](std::size_t, std::size_t i) { return book.strike[i] == strikes[k]; });
        for (std::size_t term = 0; term < kAttributionTerms; ++term) {
          EXPECT_NEAR(parts.by_strike[cell(k) + term], want[term], tolerance) << strikes[k];
        }
      }
    }
  }
}

TEST(Attribution, PartsAndResidualAddUpToTheTotalOfEveryRow) {
  const Book owned = make_book();
  const BookView book = owned.view();
  const Attribution parts = attribute(book, 2, kNow, kFloor, strikes_of(owned), kMoves);
  const double tolerance = kTolerance * std::max(gross(book, 0), gross(book, 1));
  for (const std::vector<double>* rows : {&parts.by_expiry, &parts.by_strike}) {
    for (std::size_t cell = 0; cell < rows->size(); cell += kAttributionTerms) {
      double sum = 0.0;
      for (std::size_t term = 1; term < kAttributionTerms; ++term) sum += (*rows)[cell + term];
      ASSERT_NEAR(sum, (*rows)[cell + place(AttributionTerm::kTotal)], tolerance) << cell;
    }
  }
}

// A call in the money and a put out of it settle on the way: the whole of their delta goes.
TEST(Attribution, WhatSettlesOnTheWayTakesItsDeltaAlong) {
  Book book;
  book.add_expiry(kNow + 3600, 0.05, 0.01);
  book.add(95.0, 1, 0.2, {300.0});
  book.add(90.0, -1, 0.2, {-200.0});
  book.add_expiry(kNow + kDay, 0.05, 0.01);  // at the very instant: delta is the exercise indicator
  book.add(95.0, 1, 0.2, {40.0});
  book.add(101.0, 1, 0.2, {70.0});
  const Move moves[] = {{0.0, 0.0, kNow + kDay}, {0.02, 0.0, kNow + kDay}};
  const BookView view = book.view();
  const Attribution parts = attribute(view, 1, kNow, kFloor, strikes_of(book), moves);
  const auto start = [&](std::size_t e, std::size_t i) { return dx(view, 0, e, i, 0.0, 0.0, kNow); };
  const auto at = [&](std::size_t e, std::size_t a, AttributionTerm term) {
    return parts.by_expiry[(e * 2 + a) * kAttributionTerms + place(term)];
  };
  for (const std::size_t a : {0, 1}) {
    EXPECT_NEAR(at(0, a, AttributionTerm::kTotal), -(start(0, 0) + start(0, 1)), 1e-10);
    EXPECT_NEAR(at(0, a, AttributionTerm::kCharm), -(start(0, 0) + start(0, 1)), 1e-10);
  }
  EXPECT_NEAR(at(1, 0, AttributionTerm::kTotal), 40.0 - (start(1, 2) + start(1, 3)), 1e-10);
  EXPECT_NEAR(at(1, 1, AttributionTerm::kTotal), 110.0 - (start(1, 2) + start(1, 3)), 1e-10);  // 102.02 > 101
  EXPECT_NEAR(at(1, 1, AttributionTerm::kCharm), 40.0 - (start(1, 2) + start(1, 3)), 1e-10);
}

TEST(Attribution, NoMoveChangesNothing) {
  const Book owned = make_book();
  const Move still[] = {{0.0, 0.0, kNow}};
  const Attribution parts = attribute(owned.view(), 2, kNow, kFloor, strikes_of(owned), still);
  for (const double value : parts.by_expiry) EXPECT_EQ(value, 0.0);
  for (const double value : parts.by_strike) EXPECT_EQ(value, 0.0);
}

// Exactly: cross terms of what does not move are differences of the same numbers.
TEST(Attribution, AMoveOfOneKindHasNoOtherPart) {
  const Book owned = make_book();
  const std::pair<Move, AttributionTerm> alone[] = {{{0.02, 0.0, kNow}, AttributionTerm::kGamma},
                                                    {{0.0, 0.03, kNow}, AttributionTerm::kVanna},
                                                    {{0.0, 0.0, kNow + kDay}, AttributionTerm::kCharm}};
  for (const auto& [move, part] : alone) {
    const Attribution parts = attribute(owned.view(), 2, kNow, kFloor, strikes_of(owned), {&move, 1});
    double largest = 0.0;
    for (std::size_t cell = 0; cell < parts.by_expiry.size(); cell += kAttributionTerms) {
      for (std::size_t term = 0; term < kAttributionTerms; ++term) {
        const double value = parts.by_expiry[cell + term];
        if (term == place(part) || term == place(AttributionTerm::kTotal)) {
          EXPECT_EQ(value, parts.by_expiry[cell]);
          largest = std::max(largest, std::abs(value));
        } else {
          EXPECT_EQ(value, 0.0) << name(static_cast<AttributionTerm>(term)) << " of " << name(part);
        }
      }
    }
    EXPECT_GT(largest, 0.0);
  }
}

}  // namespace
}  // namespace greekgrid

// Cells recomputed contract by contract against the backend's own sums, and which cells are drawn.

#include "greekgrid/host/cell_check.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace greekgrid {
namespace {

constexpr std::int64_t kQuote = 1'700'000'000, kDay = 86400;

struct Book {
  std::vector<std::int64_t> settlement = {kQuote + 2 * kDay, kQuote + 30 * kDay};
  std::vector<double> rate = {0.05, 0.04}, yield = {0.01, 0.02};
  std::vector<std::int64_t> begin = {0, 3, 6};
  std::vector<double> strike = {95.0, 100.0, 105.0, 90.0, 100.0, 100.0},
                      volatility = {0.2, 0.18, 0.19, 0.3, 0.25, 0.25};
  std::vector<std::int8_t> right = {-1, 1, 1, -1, -1, 1};
  std::vector<double> weight = {100.0, -200.0, 300.0, 50.0, -70.0, 90.0, -1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
  std::vector<formulas::Smile<double>> smile = {{0.0003, 0.002, -0.5, 0.0, 0.05, 2.0 / 365.0},
                                                {0.004, 0.02, -0.4, 0.01, 0.1, 30.0 / 365.0}};
  BookView view() const {
    BookView book;
    book.spot = 101.0;
    book.spot_basis = 0.002;
    book.settlement = settlement;
    book.rate = rate;
    book.dividend_yield = yield;
    book.expiry_begin = begin;
    book.strike = strike;
    book.right = right;
    book.implied_volatility = volatility;
    book.weight = weight;
    book.smile = smile;
    return book;
  }
};

GridView cell_at(const std::int64_t& time, const double& shift, double x, IvRule rule, double parameter) {
  GridView grid;
  grid.quote_time = kQuote;
  grid.time = {&time, 1};
  grid.iv_shift = {&shift, 1};
  grid.log_spot_begin = x;
  grid.spots = 1;
  grid.iv_rule = rule;
  grid.iv_rule_parameter = parameter;
  grid.iv_shift_term = IvShiftTerm::kSqrtTime;
  grid.iv_shift_term_cap = 4.0;
  grid.iv_floor = 0.01;
  return grid;
}

TEST(CellCheck, NetIsTheSumOfTheReferenceBackend) {
  const Book book;
  const auto reference = make_reference_backend();
  const GreekSet greeks = GreekSet::all();
  const double shift = 0.03;
  for (const std::int64_t time : {kQuote, kQuote + 2 * kDay, kQuote + 3 * kDay, kQuote + 31 * kDay}) {
    for (const auto& [rule, parameter] : {std::pair{IvRule::kStickyStrike, 1.0}, std::pair{IvRule::kRelativeBeta, 8.0},
                                          std::pair{IvRule::kSkewStickiness, 1.4}}) {
      const GridView cell = cell_at(time, shift, 0.013, rule, parameter);
      std::vector<double> wanted(greeks.size() * 2);
      const ExposureJob job{book.view(), cell, 2, wanted};
      reference->evaluate(greeks, {&job, 1});
      const std::vector<CellSum> sums = recompute_cell(*reference, greeks, book.view(), cell, 2);
      ASSERT_EQ(sums.size(), wanted.size());
      for (std::size_t k = 0; k < sums.size(); ++k) {
        EXPECT_NEAR(sums[k].net, wanted[k], 1e-14 * sums[k].gross) << k;
        EXPECT_GE(sums[k].gross, std::abs(sums[k].net));
        EXPECT_EQ(sums[k].gross == 0.0, time > book.settlement[1] || (wanted[k] == 0.0 && sums[k].net == 0.0));
      }
    }
  }
}

TEST(CellCheck, WhatSettlesAtItsStrikeMayFallEitherWay) {
  const Book book;
  const auto reference = make_reference_backend();
  const double shift = 0.0;
  const double x = std::log(100.0 / 101.0) - 0.002;
  const std::int64_t time = book.settlement[0];
  const auto sums =
      recompute_cell(*reference, {Greek::kDelta}, book.view(), cell_at(time, shift, x, IvRule::kStickyStrike, 1.0), 2);
  EXPECT_NEAR(sums[0].at_strike, 200.0, 1.0);
  EXPECT_NEAR(sums[1].at_strike, 2.0, 0.01);
  const auto away = recompute_cell(*reference, {Greek::kDelta}, book.view(),
                                   cell_at(time, shift, x + 1e-6, IvRule::kStickyStrike, 1.0), 2);
  EXPECT_EQ(away[0].at_strike, 0.0);
}

TEST(CellCheck, GreeksAreThoseOfOneShareAtTheQuoteInstant) {
  const Book book;
  const auto reference = make_reference_backend();
  const std::vector<double> greeks = recompute_greeks(*reference, book.view(), kQuote, 0.01);
  const double shift = 0.0;
  const auto sums = recompute_cell(*reference, GreekSet::all(), book.view(),
                                   cell_at(kQuote, shift, 0.0, IvRule::kStickyStrike, 1.0), 2);
  for (std::size_t g = 0; g < kGreekCount; ++g) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 6; ++i) sum += book.weight[i] * greeks[g * 6 + i];
    EXPECT_NEAR(sum, sums[2 * g].net, 1e-13 * sums[2 * g].gross);
  }
}

TEST(CellCheck, DrawsTheReferenceTheEndsAndThePassesOfEveryBook) {
  const std::vector<std::int64_t> time = {0, 10, 20, 30, 40}, settlement = {15, 20, 35, 90};
  const auto cells = sample_cells(time, settlement, 7, 3, 41, 16, 5);
  EXPECT_EQ(cells.size(), 16U);
  EXPECT_TRUE(std::is_sorted(cells.begin(), cells.end()));
  EXPECT_EQ(std::set<CellPlace>(cells.begin(), cells.end()).size(), cells.size());
  const auto has = [&](CellPlace place) { return std::find(cells.begin(), cells.end(), place) != cells.end(); };
  EXPECT_TRUE(has({0, 3, 20}));
  EXPECT_TRUE(has({0, 0, 0}));
  EXPECT_TRUE(has({4, 6, 40}));
  const auto at_time = [&](std::size_t t) {
    return std::any_of(cells.begin(), cells.end(),
                       [&](const CellPlace& place) { return place.time == t && place.iv_shift == 3; });
  };
  EXPECT_TRUE(at_time(2));  // 15 and 20 have passed
  EXPECT_TRUE(at_time(4));  // 35 has
  EXPECT_EQ(cells, sample_cells(time, settlement, 7, 3, 41, 16, 5));
  EXPECT_NE(cells, sample_cells(time, settlement, 7, 3, 41, 16, 6));
  EXPECT_EQ(sample_cells(time, settlement, 7, 3, 41, 1, 5), (std::vector<CellPlace>{{0, 3, 20}}));
  EXPECT_EQ(sample_cells(time, settlement, 2, 1, 3, 100, 5).size(), 30U);
}

TEST(CellCheck, ToleranceIsThePrecisionsBoundAndTheBitsKept) {
  const CellSum sum{1.0, 10.0, 0.0};
  EXPECT_NEAR(cell_tolerance(kBound64, 1.0, sum, 23), std::ldexp(1.0, -24) + 1e-10, 1e-16);
  EXPECT_NEAR(cell_tolerance(kBound32, 4.0, sum, 10), 2e-5 + std::ldexp(1.0, -11) + std::ldexp(1.0, -24), 1e-16);
  EXPECT_GT(cell_tolerance(kBound32, 0.0, {0.0, 0.0, 0.0}, 23), 0.0);
}

}  // namespace
}  // namespace greekgrid

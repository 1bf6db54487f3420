// Exposures, flips and ratios at hypothetical closes against the reference backend, one close at a time.

#include "greekgrid/host/step_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

using test::kQuoteTime;

constexpr Instant kDay = 86400;
constexpr double kShifts[] = {-0.05, 0.0, 0.1};

struct Table {
  test::Book book;
  std::vector<double> open_interest, multiplier, close;
  std::vector<GridView> rule;
  std::vector<StepMode> mode = {StepMode::kAppend, StepMode::kReplace};
  Instant next_close = kQuoteTime + kDay;
  std::size_t positions = 2;

  Table() {
    book = test::index_like_book(600, positions, 7);
    book.spot_basis = 0.001;
    book.add_smiles();
    for (std::size_t i = 0; i < book.strike.size(); ++i) {
      open_interest.push_back(static_cast<double>(i * 37 % 101));
      multiplier.push_back(i % 5 == 0 ? 10.0 : 100.0);
    }
    for (int i = -40; i <= 20; ++i) close.push_back(book.spot * (1.0 + 0.011 * i / 4.0));
    add_rule(IvRule::kStickyStrike, 1.0, IvShiftTerm::kFlat);
  }
  void add_rule(IvRule kind, double parameter, IvShiftTerm term) {
    GridView grid;
    grid.quote_time = kQuoteTime;
    grid.iv_shift = kShifts;
    grid.iv_rule = kind;
    grid.iv_rule_parameter = parameter;
    grid.iv_shift_term = term;
    grid.iv_shift_term_cap = 4.0;
    grid.iv_floor = 0.02;
    rule.push_back(grid);
  }
  StepTableInputs inputs() const {
    StepTableInputs in;
    in.book = book.view();
    in.positions = positions;
    in.open_interest = open_interest;
    in.multiplier = multiplier;
    in.rule = rule;
    in.mode = mode;
    in.next_close = next_close;
    in.close = close;
    return in;
  }
  StepTable make(Backend& backend) const {
    const auto sampler = make_cpu_backend(Precision::kFp64);
    const StepTableInputs in = inputs();
    return std::move(make_step_tables(backend, *sampler, {&in, 1}).front());
  }
  std::size_t at(StepQuantity quantity, std::size_t m, std::size_t w, std::size_t r, std::size_t v,
                 std::size_t c) const {
    return ((((static_cast<std::size_t>(quantity) * mode.size() + m) * positions + w) * rule.size() + r) *
                std::size(kShifts) +
            v) *
               close.size() +
           c;
  }
  // Expiries that settle after an instant: the others count no more, not even by their exercise.
  test::Book alive(Instant instant, const test::Book& from) const {
    test::Book left;
    left.spot = from.spot;
    left.spot_basis = from.spot_basis;
    left.weight.resize(from.weight.size());
    for (std::size_t e = 0; e < from.settlement.size(); ++e) {
      if (from.settlement[e] <= instant) continue;
      left.add_expiry(from.settlement[e], from.rate[e], from.dividend_yield[e]);
      left.smile.push_back(from.smile[e]);
      for (auto i = static_cast<std::size_t>(from.expiry_begin[e]);
           i < static_cast<std::size_t>(from.expiry_begin[e + 1]); ++i) {
        std::vector<double> weights;
        for (const auto& model : from.weight) weights.push_back(model[i]);
        left.add(from.strike[i], from.right[i], from.implied_volatility[i], weights);
      }
    }
    return left;
  }
};

// (G, W) of the reference at one spot.
std::vector<double> at_spot(GreekSet greeks, const test::Book& book, std::size_t positions, GridView grid,
                            Instant instant, double shift, double spot) {
  const auto reference = make_reference_backend();
  std::vector<double> values(greeks.size() * positions);
  grid.time = {&instant, 1};
  grid.iv_shift = {&shift, 1};
  grid.log_spot_begin = std::log(spot / book.spot);
  grid.spots = 1;
  const ExposureJob job = {book.view(), grid, positions, values};
  reference->evaluate(greeks, {&job, 1});
  return values;
}

TEST(StepTable, ExposuresAreThoseOfTheReferenceAtEveryClose) {
  Table table;
  table.add_rule(IvRule::kSkewStickiness, 2.0, IvShiftTerm::kFlat);
  // Without the floor: where it begins to bind an exposure has a corner, which no stencil follows.
  constexpr double kUp[] = {0.02, 0.0, 0.1};
  table.add_rule(IvRule::kRelativeBeta, 2.0, IvShiftTerm::kSqrtTime);
  table.rule.back().iv_shift = kUp;
  const auto backend = make_cpu_backend(Precision::kFp64);
  const StepTable got = table.make(*backend);
  constexpr GreekSet kGreeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna};
  for (std::size_t m = 0; m < 2; ++m) {
    const Instant instant = m == 0 ? table.next_close : kQuoteTime;
    const test::Book book = table.alive(instant, table.book);
    ASSERT_LT(book.settlement.size(), table.book.settlement.size() + (m == 0 ? 0 : 1));
    for (std::size_t r = 0; r < table.rule.size(); ++r) {
      for (std::size_t v = 0; v < std::size(kShifts); ++v) {
        std::vector<double> largest(kGreeks.size() * 2, 0.0);
        std::vector<std::vector<double>> want;
        for (const double close : table.close) {
          want.push_back(at_spot(kGreeks, book, 2, table.rule[r], instant, table.rule[r].iv_shift[v], close));
          for (std::size_t k = 0; k < largest.size(); ++k) largest[k] = std::max(largest[k], std::abs(want.back()[k]));
        }
        for (std::size_t c = 0; c < table.close.size(); ++c) {
          for (std::size_t g = 0; g < kGreeks.size(); ++g) {
            for (std::size_t w = 0; w < 2; ++w) {
              ASSERT_NEAR(got.value[table.at(static_cast<StepQuantity>(g), m, w, r, v, c)], want[c][g * 2 + w],
                          (r == 1 ? 1e-6 : 3e-7) * largest[g * 2 + w])
                  << "mode " << m << " rule " << r << " shift " << v << " greek " << g << " close " << table.close[c];
            }
          }
          const double gx = got.value[table.at(StepQuantity::kGx, m, 0, r, v, c)];
          ASSERT_DOUBLE_EQ(got.value[table.at(StepQuantity::kGammaIndex, m, 0, r, v, c)],
                           0.01 * table.close[c] * table.close[c] * gx / 1e9);
        }
      }
    }
  }
}

TEST(StepTable, WhatSettlesOnTheWayIsGoneInAppendAlone) {
  Table table;
  table.book = {};
  table.book.add_expiry(table.next_close, 0.03, 0.01);
  table.book.add(100.0, 1, 0.2, {50.0});
  table.book.add_smiles();
  table.positions = 1;
  table.open_interest = {5.0};
  table.multiplier = {10.0};
  table.close = {90.0, 100.0, 110.0};
  const auto backend = make_cpu_backend(Precision::kFp64);
  const StepTable got = table.make(*backend);
  for (std::size_t c = 0; c < 3; ++c) {
    for (const auto q : {StepQuantity::kDx, StepQuantity::kGx, StepQuantity::kCharm, StepQuantity::kVanna}) {
      EXPECT_EQ(got.value[table.at(q, 0, 0, 0, 1, c)], 0.0);
    }
    EXPECT_TRUE(std::isnan(got.value[table.at(StepQuantity::kFlip, 0, 0, 0, 1, c)]));
  }
  EXPECT_GT(got.value[table.at(StepQuantity::kGx, 1, 0, 0, 1, 1)], 0.0);
}

TEST(StepTable, TheRatioIsCallGammaOverPutGammaOfTheMarket) {
  const Table table;
  const auto backend = make_cpu_backend(Precision::kFp64);
  const StepTable got = table.make(*backend);
  for (std::size_t m = 0; m < 2; ++m) {
    const Instant instant = m == 0 ? table.next_close : kQuoteTime;
    test::Book held = table.book;
    for (std::size_t i = 0; i < held.strike.size(); ++i) {
      const double size = table.open_interest[i] * table.multiplier[i];
      held.weight[0][i] = held.right[i] > 0 ? size : 0.0;
      held.weight[1][i] = held.right[i] > 0 ? 0.0 : size;
    }
    const test::Book book = table.alive(instant, held);
    for (std::size_t c = 0; c < table.close.size(); c += 7) {
      const auto gamma = at_spot({Greek::kGamma}, book, 2, table.rule[0], instant, kShifts[2], table.close[c]);
      EXPECT_NEAR(got.gamma_ratio[(m * std::size(kShifts) + 2) * table.close.size() + c] / (gamma[0] / gamma[1]), 1.0,
                  1e-6);
    }
  }
}

// The derivative of DX along the rule by a difference wide enough for rounding.
double slope_at(const Table& table, const test::Book& book, std::size_t r, Instant instant, double shift, std::size_t w,
                double spot) {
  const double h = 1e-4 * spot;
  const auto above = at_spot({Greek::kDelta}, book, 2, table.rule[r], instant, shift, spot + h);
  const auto below = at_spot({Greek::kDelta}, book, 2, table.rule[r], instant, shift, spot - h);
  return (above[w] - below[w]) / (2.0 * h);
}

TEST(StepTable, FlipsAreTheNearestRootsOfTheSlopeAlongTheRule) {
  Table table;
  table.add_rule(IvRule::kSkewStickiness, 2.0, IvShiftTerm::kFlat);
  const auto backend = make_cpu_backend(Precision::kFp64);
  const StepTable got = table.make(*backend);
  const test::Book book = table.alive(table.next_close, table.book);
  std::size_t found = 0;
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t v = 0; v < std::size(kShifts); ++v) {
      for (std::size_t c = 0; c < table.close.size(); c += 10) {
        const double flip = got.value[table.at(StepQuantity::kFlip, 0, 0, r, v, c)];
        if (std::isnan(flip)) continue;
        ++found;
        const auto slope = [&](double spot) { return slope_at(table, book, r, table.next_close, kShifts[v], 0, spot); };
        EXPECT_LT(slope(flip * (1.0 - 2e-4)) * slope(flip * (1.0 + 2e-4)), 0.0)
            << "rule " << r << " shift " << v << " flip " << flip;
        // No other root is nearer.
        const double distance = std::abs(std::log(flip / table.close[c]));
        for (double x = -distance + 2e-3; x < distance - 2e-3; x += 1e-3) {
          const double here = slope(table.close[c] * std::exp(x)), next = slope(table.close[c] * std::exp(x + 1e-3));
          EXPECT_GT(here * next, 0.0) << "rule " << r << " shift " << v << " close " << table.close[c] << " x " << x;
        }
      }
    }
  }
  EXPECT_GT(found, 20U);
}

TEST(StepTable, WallsAreThoseOfTheBackendAtTheInstantOfTheMode) {
  Table table;
  table.close.insert(table.close.begin(), -1.0);
  table.add_rule(IvRule::kSkewStickiness, 2.0, IvShiftTerm::kFlat);
  const auto backend = make_cpu_backend(Precision::kFp32);
  const auto reference = make_reference_backend();
  const StepTable got = table.make(*backend);
  std::size_t differ = 0;  // between the modes
  for (std::size_t m = 0; m < 2; ++m) {
    for (std::size_t r = 0; r < 2; ++r) {
      WallJob job;
      test::Book gross = table.book;
      for (auto& model : gross.weight) {
        for (double& weight : model) weight = std::abs(weight);
      }
      job.book = gross.view();
      job.grid = table.rule[r];
      job.time = m == 0 ? table.next_close : kQuoteTime;
      job.at = std::span<const double>(table.close).subspan(1);
      job.positions = 2;
      std::vector<double> call(job.cells()), put(job.cells());
      job.call_wall = call;
      job.put_wall = put;
      reference->gamma_walls({&job, 1});
      std::size_t k = 0;
      for (std::size_t w = 0; w < 2; ++w) {
        for (std::size_t v = 0; v < std::size(kShifts); ++v) {
          EXPECT_TRUE(std::isnan(got.value[table.at(StepQuantity::kCallWall, m, w, r, v, 0)]));
          for (std::size_t c = 1; c < table.close.size(); ++c, ++k) {
            const double wall = got.value[table.at(StepQuantity::kCallWall, m, w, r, v, c)];
            EXPECT_EQ(wall, call[k]) << m << r << w << v << c;
            EXPECT_EQ(got.value[table.at(StepQuantity::kPutWall, m, w, r, v, c)], put[k]) << m << r << w << v << c;
            differ += wall != got.value[table.at(StepQuantity::kCallWall, 1 - m, w, r, v, c)] ? 1 : 0;
          }
        }
      }
    }
  }
  EXPECT_GT(differ, 0U);
}

TEST(StepTable, TheBackendDoesNotMatterBeyondItsPrecision) {
  const Table table;
  const auto reference = make_reference_backend();
  const auto single = make_cpu_backend(Precision::kFp32);
  const StepTable want = table.make(*reference), got = table.make(*single);
  for (std::size_t q = 0; q < 4; ++q) {
    for (std::size_t m = 0; m < 2; ++m) {
      for (std::size_t v = 0; v < std::size(kShifts); ++v) {
        const std::size_t first = table.at(static_cast<StepQuantity>(q), m, 1, 0, v, 0);
        double largest = 0.0;
        for (std::size_t c = 0; c < table.close.size(); ++c)
          largest = std::max(largest, std::abs(want.value[first + c]));
        for (std::size_t c = 0; c < table.close.size(); ++c) {
          ASSERT_NEAR(got.value[first + c], want.value[first + c], 6e-6 * largest) << q << " " << m << " " << v;
        }
      }
    }
  }
}

TEST(StepTable, ACloseNearNothingCostsTheOthersNothing) {
  Table table;
  const auto backend = make_cpu_backend(Precision::kFp64);
  const StepTable want = table.make(*backend);
  table.close.insert(table.close.begin(), {1e-9, 0.5, 0.04 * table.book.spot});
  const StepTable got = table.make(*backend);
  for (const auto q : {StepQuantity::kDx, StepQuantity::kGx, StepQuantity::kVanna}) {
    Table plain;
    double largest = 0.0;
    for (std::size_t c = 0; c < plain.close.size(); ++c) {
      largest = std::max(largest, std::abs(want.value[plain.at(q, 0, 0, 0, 1, c)]));
    }
    for (std::size_t c = 0; c < plain.close.size(); ++c) {
      ASSERT_NEAR(got.value[table.at(q, 0, 0, 0, 1, c + 3)], want.value[plain.at(q, 0, 0, 0, 1, c)], 3e-7 * largest);
    }
  }
  EXPECT_NEAR(got.value[table.at(StepQuantity::kGx, 0, 0, 0, 1, 0)], 0.0, 1e-6);
  EXPECT_TRUE(std::isnan(got.gamma_ratio[table.close.size()])) << "no puts to divide by";
}

TEST(StepTable, ClosesThatAreNotPositiveAndEmptyBooksHaveNoNumbers) {
  Table table;
  table.close = {-5.0, 0.0, 90.0, 100.0};
  const auto backend = make_cpu_backend(Precision::kFp64);
  StepTable got = table.make(*backend);
  EXPECT_TRUE(std::isnan(got.value[table.at(StepQuantity::kDx, 0, 0, 0, 1, 0)]));
  EXPECT_TRUE(std::isnan(got.value[table.at(StepQuantity::kDx, 0, 0, 0, 1, 1)]));
  EXPECT_NE(got.value[table.at(StepQuantity::kGx, 0, 0, 0, 1, 2)], 0.0);
  table.book = {};
  table.open_interest = table.multiplier = {};
  got = table.make(*backend);
  EXPECT_EQ(got.value[table.at(StepQuantity::kDx, 0, 0, 0, 1, 3)], 0.0);
  table.close.assign(3, std::nan(""));
  got = table.make(*backend);
  EXPECT_TRUE(std::all_of(got.value.begin(), got.value.end(), [](double v) { return std::isnan(v); }));
}

}  // namespace
}  // namespace greekgrid

// Levels against closed forms, books whose levels are known by hand, and brute force.

#include "greekgrid/host/levels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "exposure_line.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

using enum LevelName;
using test::Book;

constexpr Instant kNow = test::kQuoteTime;
constexpr Instant kDay = 86400;
constexpr double kFloor = 0.01;

double years(Instant settlement, Instant from = kNow) {
  return static_cast<double>(settlement - from) / kSecondsPerYear;
}

TickerLevels levels_of(const Book& book, LevelInputs in = {}) {
  in.book = book.view();
  in.positions = std::max<std::size_t>(book.weight.size(), 1);
  if (in.quote_time == 0) in.quote_time = kNow;
  in.iv_floor = kFloor;
  const std::vector<double> greeks = base_greeks(in.book, in.quote_time, kFloor);
  in.greeks = greeks;
  return compute_levels(in, *make_reference_backend());
}

// The closed form of contract i of expiry e, at a spot and instant with its volatility shifted.
formulas::OptionGreeks<double> greeks_of(const BookView& book, std::size_t e, std::size_t i, Instant time, double spot,
                                         double shift = 0.0) {
  return formulas::black_scholes<double>({static_cast<double>(book.right[i]), spot, book.strike[i], book.rate[e],
                                          book.dividend_yield[e], std::max(kFloor, book.implied_volatility[i] + shift),
                                          years(book.settlement[e], time)});
}

// sum of weight (or its magnitude) x Greek over contracts, plainly; no basis.
double exposure(const BookView& book, Greek greek, Instant time, double spot, double shift = 0.0, bool gross = false) {
  double sum = 0.0;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      sum += (gross ? std::abs(book.weight[i]) : book.weight[i]) * greeks_of(book, e, i, time, spot, shift)[greek];
    }
  }
  return sum;
}

MATCHER_P(IsNull, why, "") {
  return arg.status == why && std::isnan(arg.value);
}

TEST(Levels, OneLongCallHasNoZeroGammaAndNoFlip) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(102.0, 1, 0.2, {1000.0});
  const Instant closes[] = {kNow + kDay};
  LevelInputs in;
  in.closes = closes;
  const TickerLevels levels = levels_of(book, in);
  const LevelRow& row = levels.level[0];
  for (const LevelName name : {kZeroGamma, kZeroGammaSlope, kZeroGammaProminence, kFlip}) {
    EXPECT_THAT(row[name], IsNull(LevelStatus::kNoSignChange)) << kLevelTexts[index(name)].name;
  }
  EXPECT_EQ(row[kZeroGammaCount].value, 0.0);
  EXPECT_TRUE(levels.crossing[0].empty());
  EXPECT_EQ(row[kGammaIndexRatio].value, 1.0);
  EXPECT_EQ(row[kCallWall].value, 102.0);
  EXPECT_THAT(row[kCallWallRunnerUp], IsNull(LevelStatus::kNoRunnerUp));
  EXPECT_THAT(row[kPutWall], IsNull(LevelStatus::kNoContracts));
}

TEST(Levels, ABookWithoutContractsOrWeightsHasNoLevels) {
  Book nothing;
  Book weightless;
  weightless.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  weightless.add(102.0, 1, 0.2, {0.0});
  weightless.add(98.0, -1, 0.2, {0.0});
  const Instant closes[] = {kNow + kDay};
  LevelInputs in;
  in.closes = closes;
  for (const Book* book : {&nothing, &weightless}) {
    const TickerLevels levels = levels_of(*book, in);
    ASSERT_EQ(levels.level.size(), 1U);
    const LevelRow& row = levels.level[0];
    for (const LevelName name : {kGammaIndexRatio, kCallWall, kPutWall, kCallWallUnrestricted, kPutWallUnrestricted,
                                 kAbsoluteGammaStrike, kGammaLevel1, kZeroGamma, kZeroGammaCount, kFlip, kGammaCentroid,
                                 kVegaCentroid, kSpeedPivotUp, kVommaZoneUpLow, kHedgeUp}) {
      EXPECT_THAT(row[name], IsNull(LevelStatus::kNoContracts)) << kLevelTexts[index(name)].name;
    }
    EXPECT_EQ(row[kGammaIndex].value, 0.0);
    EXPECT_TRUE(levels.crossing[0].empty());
    for (const LadderRow& ladder : levels.ladder) {
      for (std::size_t g = 0; g < kLadderGreeks.size(); ++g) {
        EXPECT_EQ(ladder.exposure[g], 0.0);
        EXPECT_TRUE(std::isnan(ladder.asymmetry[g]));
      }
    }
  }
}

// Calls above and puts below of the same size, volatility and settlement: their gammas are equal where
// |d1(K_up)| = |d1(K_down)|, which is d1(K_up) = -d1(K_down).
struct PairCase {
  double days, up, down, sigma, rate, dividend_yield, spot, basis;
};
class ZeroGammaOfAPair : public testing::TestWithParam<PairCase> {};

TEST_P(ZeroGammaOfAPair, IsTheirMeanLessTheCarryOfTheForward) {
  const PairCase& c = GetParam();
  Book book;
  book.spot = c.spot;
  book.spot_basis = c.basis;
  const Instant settles = kNow + std::llround(c.days * static_cast<double>(kDay));
  book.add_expiry(settles, c.rate, c.dividend_yield);
  book.add(c.up, 1, c.sigma, {5000.0});
  book.add(c.down, -1, c.sigma, {-5000.0});
  const TickerLevels levels = levels_of(book);
  const LevelRow& row = levels.level[0];
  const double want = std::sqrt(c.up * c.down) *
                      std::exp(-(c.rate - c.dividend_yield + 0.5 * c.sigma * c.sigma) * years(settles) - c.basis);
  ASSERT_EQ(row[kZeroGamma].status, LevelStatus::kOk);
  // The root of a cubic through spots h = 2e-4 * 2/15 apart, in deviations u = h / s < 0.02: its error is
  // (3/128) u^4 He_4' / He_1' < 1e-8 deviations; rounding is smaller. 1e-6 is asked for.
  EXPECT_NEAR(row[kZeroGamma].value / want, 1.0, 1e-6);
  EXPECT_EQ(row[kZeroGammaCount].value, 1.0);
  // The cubic's slope is good to u^3 / 12 times a few: 1e-6.
  const GammaPoint root = gamma_exposure(book.view(), kNow, kFloor, row[kZeroGamma].value);
  const double slope = 1e-4 * std::pow(row[kZeroGamma].value, 3.0) * root.speed / 1e9;
  EXPECT_GT(row[kZeroGammaSlope].value, 0.0);  // long calls above, short puts below
  EXPECT_NEAR(row[kZeroGammaSlope].value / slope, 1.0, 1e-6);
  EXPECT_LT(std::abs(root.gamma), 1e-5 * root.gross);
  ASSERT_EQ(levels.crossing[0].size(), 1U);
  EXPECT_EQ(levels.crossing[0][0].price, row[kZeroGamma].value);
  EXPECT_EQ(levels.crossing[0][0].kind, CrossingKind::kZeroGamma);
}

INSTANTIATE_TEST_SUITE_P(Pairs, ZeroGammaOfAPair,
                         testing::Values(PairCase{30.0, 105.0, 95.0, 0.2, 0.0, 0.0, 100.0, 0.0},
                                         PairCase{30.0, 105.0, 95.0, 0.2, 0.05, 0.015, 100.0, 0.0},
                                         PairCase{30.0, 105.0, 95.0, 0.2, 0.01, 0.06, 100.0, 0.0},
                                         PairCase{0.125, 4510.0, 4490.0, 0.15, 0.05, 0.015, 4500.0, 0.0},
                                         PairCase{0.25, 4530.0, 4500.0, 0.3, 0.0, 0.0, 4500.0, 0.0},
                                         PairCase{730.0, 110.0, 95.0, 0.25, 0.03, 0.02, 100.0, 0.0},
                                         PairCase{1095.0, 105.0, 95.0, 0.15, 0.0, 0.04, 100.0, 0.0},
                                         PairCase{10.0, 118.0, 112.0, 0.4, 0.05, 0.0, 100.0, 0.0},
                                         PairCase{10.0, 88.0, 82.0, 0.4, 0.05, 0.0, 100.0, 0.0},
                                         PairCase{60.0, 105.0, 95.0, 0.2, 0.05, 0.01, 100.0, 0.004}));

// The sign of the model turns the slope and leaves the root; prominence is that of the lesser side.
// Minutes before settlement gamma underflows between two strikes: nothing at all is told where spot itself has none,
// and the root is the middle of what has no sign where it has some.
TEST(Levels, TwoStrikesMinutesBeforeSettlement) {
  for (const double put : {95.0, 99.7}) {
    Book book;
    book.add_expiry(kNow + 120, 0.05, 0.01);
    book.add(105.0, 1, 0.1, {100.0});
    book.add(put, -1, 0.1, {-100.0});
    const TickerLevels levels = levels_of(book);
    const LevelRow& row = levels.level[0];
    if (exposure(book.view(), Greek::kGamma, kNow, book.view().spot, 0.0, true) == 0.0) {
      EXPECT_EQ(put, 95.0);
      EXPECT_THAT(row[kZeroGamma], IsNull(LevelStatus::kNoContracts));
      EXPECT_THAT(row[kZeroGammaCount], IsNull(LevelStatus::kNoContracts));
      EXPECT_TRUE(levels.crossing[0].empty());
      continue;
    }
    EXPECT_EQ(put, 99.7);
    ASSERT_TRUE(row[kZeroGamma].ok());
    EXPECT_NEAR(row[kZeroGamma].value, std::sqrt(105.0 * put), 0.05);
    EXPECT_LE(row[kZeroGammaProminence].value, 100.0);
    EXPECT_GT(row[kZeroGammaSlope].value, 0.0);
  }
}

TEST(Levels, ReversedSignsKeepZeroGammaAndReverseItsSlope) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(105.0, 1, 0.2, {3000.0, -3000.0});
  book.add(95.0, -1, 0.2, {-5000.0, 5000.0});
  const TickerLevels levels = levels_of(book);
  EXPECT_EQ(levels.level[0][kZeroGamma].value, levels.level[1][kZeroGamma].value);
  EXPECT_GT(levels.level[0][kZeroGammaSlope].value, 0.0);
  EXPECT_EQ(levels.level[0][kZeroGammaSlope].value, -levels.level[1][kZeroGammaSlope].value);
  double least = 0.0, most = 0.0;
  for (double spot = 80.0; spot <= 120.0; spot += 0.01) {
    const double gamma = gamma_exposure(book.view(), kNow, kFloor, spot).gamma;
    least = std::min(least, gamma);
    most = std::max(most, gamma);
  }
  // Peaks between the spots of either scan are flat: (h / s)^2 / 8 with h = 2e-4, s = 0.057.
  const double gross = gamma_exposure(book.view(), kNow, kFloor, 100.0).gross;
  EXPECT_NEAR(levels.level[0][kZeroGammaProminence].value, std::min(-least, most) / gross, 1e-5);
}

// Sums of 0.1 and 0.2 are not 0.3: what is left is rounding, at every spot, and no sign.
TEST(Levels, ABalancedBookHasNoCrossing) {
  Book book;
  book.add_expiry(kNow + 5 * kDay, 0.05, 0.02);
  for (const double strike : {95.0, 100.0, 105.0}) {
    book.add(strike, 1, 0.2, {0.1});
    book.add(strike, 1, 0.2, {0.2});
    book.add(strike, -1, 0.2, {-0.3});
  }
  const TickerLevels levels = levels_of(book);
  EXPECT_TRUE(levels.crossing[0].empty());
  EXPECT_EQ(levels.level[0][kZeroGammaCount].value, 0.0);
  EXPECT_THAT(levels.level[0][kZeroGamma], IsNull(LevelStatus::kNoSignChange));
}

// A far strike of little weight changes the sign where next to nothing is left.
TEST(Levels, AWeakCrossingIsCountedButIsNoZeroGamma) {
  Book book;
  book.add_expiry(kNow + 5 * kDay, 0.0, 0.0);
  book.add(100.0, 1, 0.2, {1000.0});
  book.add(115.0, 1, 0.2, {-5.0});
  const TickerLevels levels = levels_of(book);
  ASSERT_EQ(levels.crossing[0].size(), 1U);
  EXPECT_TRUE(levels.crossing[0][0].weak());
  EXPECT_LT(levels.crossing[0][0].slope, 0.0);
  EXPECT_EQ(levels.level[0][kZeroGammaCount].value, 1.0);
  EXPECT_THAT(levels.level[0][kZeroGamma], IsNull(LevelStatus::kOnlyWeak));
}

// Gamma exposures by hand, 1 per unit of weight, so that ties are exact.
LevelRow strike_levels(const Book& book) {
  LevelInputs in;
  in.book = book.view();
  in.quote_time = kNow;
  in.iv_floor = kFloor;
  std::vector<double> greeks(kGreekCount * in.book.contracts(), 1.0);
  in.greeks = greeks;
  return compute_levels(in, *make_reference_backend()).level[0];
}

TEST(Walls, AreTheLargestSumsOnTheirSideOfSpotAndAnywhere) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(95.0, 1, 0.2, {9.0});
  book.add(100.0, 1, 0.2, {-5.0});
  book.add(105.0, 1, 0.2, {-7.0});  // the sign of a position is not its size
  book.add(110.0, 1, 0.2, {7.0});
  book.add(90.0, -1, 0.2, {-1.0});
  book.add(95.0, -1, 0.2, {4.0});
  book.add(105.0, -1, 0.2, {-4.0});
  const LevelRow row = strike_levels(book);
  // 105 and 110 tie: the one nearest to spot.
  EXPECT_EQ(row[kCallWall].value, 105.0);
  EXPECT_EQ(row[kCallWallRunnerUp].value, 110.0);
  EXPECT_EQ(row[kCallWallRatio].value, 1.0);
  EXPECT_EQ(row[kCallWallUnrestricted].value, 95.0);
  EXPECT_EQ(row[kCallWallUnrestrictedRunnerUp].value, 105.0);
  EXPECT_EQ(row[kCallWallUnrestrictedRatio].value, 7.0 / 9.0);
  // 95 and 105 tie and are equally near: the lower.
  EXPECT_EQ(row[kPutWallUnrestricted].value, 95.0);
  EXPECT_EQ(row[kPutWallUnrestrictedRunnerUp].value, 105.0);
  EXPECT_EQ(row[kPutWall].value, 95.0);
  EXPECT_EQ(row[kPutWallRunnerUp].value, 90.0);
  EXPECT_EQ(row[kPutWallRatio].value, 0.25);
  EXPECT_EQ(row[kAbsoluteGammaStrike].value, 95.0);
  EXPECT_EQ(row[kAbsoluteGammaStrikeRunnerUp].value, 105.0);
  EXPECT_EQ(row[kAbsoluteGammaStrikeRatio].value, 11.0 / 13.0);
}

TEST(Walls, AtSpotCountOnBothSidesAndOneStrikeHasNoRunnerUp) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(99.0, 1, 0.2, {8.0});
  book.add(100.0, 1, 0.2, {3.0});
  book.add(100.0, -1, 0.2, {3.0});
  book.add(101.0, -1, 0.2, {8.0});
  const LevelRow row = strike_levels(book);
  EXPECT_EQ(row[kCallWall].value, 100.0);
  EXPECT_EQ(row[kPutWall].value, 100.0);
  for (const LevelName name : {kCallWallRunnerUp, kCallWallRatio, kPutWallRunnerUp, kPutWallRatio}) {
    EXPECT_THAT(row[name], IsNull(LevelStatus::kNoRunnerUp)) << kLevelTexts[index(name)].name;
  }
  EXPECT_EQ(row[kCallWallUnrestricted].value, 99.0);
  EXPECT_EQ(row[kPutWallUnrestricted].value, 101.0);
}

// 103 is the largest only when its two expiries and its two contracts of one expiry (roots) are one strike.
TEST(Walls, SumAStrikeOverExpiriesAndRoots) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(103.0, 1, 0.2, {2.0});
  book.add(103.0, 1, 0.2, {-2.0});
  book.add(104.0, 1, 0.2, {5.0});
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(103.0, 1, 0.2, {2.0});
  const LevelRow row = strike_levels(book);
  EXPECT_EQ(row[kCallWall].value, 103.0);
  EXPECT_EQ(row[kCallWallRatio].value, 5.0 / 6.0);
  EXPECT_EQ(row[kAbsoluteGammaStrike].value, 103.0);
}

TEST(GammaLevels, AreTheLargestNetStrikesOtherThanWallsWithinAQuarterOfSpot) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(74.0, -1, 0.2, {-90.0});  // beyond 25 %
  book.add(75.0, -1, 0.2, {-4.0});
  book.add(90.0, -1, 0.2, {-95.0});  // put wall
  book.add(98.0, 1, 0.2, {60.0});    // net 1, gross 119: absolute gamma strike
  book.add(98.0, -1, 0.2, {-59.0});
  book.add(102.0, 1, 0.2, {30.0});  // net 10
  book.add(102.0, -1, 0.2, {-20.0});
  book.add(103.0, 1, 0.2, {40.0});  // call wall
  book.add(104.0, 1, 0.2, {7.0});   // cancels
  book.add(104.0, -1, 0.2, {-7.0});
  book.add(106.0, -1, 0.2, {-12.0});
  book.add(125.0, 1, 0.2, {4.0});
  book.add(126.0, 1, 0.2, {39.0});  // beyond 25 %
  const LevelRow row = strike_levels(book);
  ASSERT_EQ(row[kPutWall].value, 90.0);
  ASSERT_EQ(row[kCallWall].value, 103.0);
  ASSERT_EQ(row[kAbsoluteGammaStrike].value, 98.0);
  // 75 and 125 tie at the same distance: the lower first.
  const std::pair<double, double> want[] = {{106.0, -12.0}, {102.0, 10.0}, {75.0, -4.0}, {125.0, 4.0}};
  for (std::size_t k = 0; k < kGammaLevels; ++k) {
    const Level& level = row.level[index(kGammaLevel1) + k];
    const Level& size = row.level[index(kGammaLevel1Index) + k];
    if (k < std::size(want)) {
      EXPECT_EQ(level.value, want[k].first) << k;
      EXPECT_DOUBLE_EQ(size.value, 0.01 * 100.0 * 100.0 * want[k].second / 1e9) << k;
    } else {
      EXPECT_THAT(level, IsNull(LevelStatus::kNoRunnerUp)) << k;
      EXPECT_THAT(size, IsNull(LevelStatus::kNoRunnerUp)) << k;
    }
  }
}

TEST(GammaLevels, AreTenAtMost) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  for (int k = 0; k < 13; ++k) book.add(101.0 + k, 1, 0.2, {100.0 - k});  // 101 is the wall
  const LevelRow row = strike_levels(book);
  EXPECT_EQ(row[kGammaLevel1].value, 102.0);
  EXPECT_EQ(row[kGammaLevel10].value, 111.0);
}

Book mixed_book() {
  Book book;
  book.spot_basis = 0.001;
  book.add_expiry(kNow + kDay / 4, 0.05, 0.015);
  book.add(100.5, 1, 0.15, {700.0});
  book.add(99.0, -1, 0.18, {-900.0});
  book.add_expiry(kNow + kDay, 0.05, 0.015);
  book.add(101.0, 1, 0.15, {1500.0});
  book.add(99.5, -1, 0.17, {-2000.0});
  book.add_expiry(kNow + 20 * kDay, 0.05, 0.015);
  book.add(104.0, 1, 0.17, {4000.0});
  book.add(96.0, -1, 0.21, {-5000.0});
  return book;
}

TEST(Hedging, IsTheFullChangeOfDeltaOverAMove) {
  const Book book = mixed_book();
  LevelInputs in;
  in.expected_move = 0.012;
  in.average_daily_volume = 40000.0;
  const LevelRow row = levels_of(book, in).level[0];
  const double basis = std::exp(book.spot_basis);
  const auto dx = [&](double spot) { return basis * exposure(book.view(), Greek::kDelta, kNow, spot * basis); };
  const double up = 100.0 * std::exp(0.012), down = 100.0 * std::exp(-0.012);
  // Rounding of sums of 14,100 shares: 1e-13 of them.
  constexpr double kTolerance = 14100.0 * 1e-13;
  EXPECT_NEAR(row[kHedgeUp].value, -(dx(up) - dx(100.0)), kTolerance);
  EXPECT_NEAR(row[kHedgeDown].value, -(dx(down) - dx(100.0)), kTolerance);
  // Not what gamma at spot says: the move is of the order of the nearest expiries' deviations.
  const double gamma = gamma_exposure(book.view(), kNow, kFloor, 100.0).gamma;
  EXPECT_GT(std::abs(row[kHedgeUp].value + gamma * (up - 100.0)), 0.05 * std::abs(row[kHedgeUp].value));
  EXPECT_DOUBLE_EQ(row[kHedgeUpUsd].value, row[kHedgeUp].value * up);
  EXPECT_DOUBLE_EQ(row[kHedgeDownUsd].value, row[kHedgeDown].value * down);
  EXPECT_DOUBLE_EQ(row[kHedgeUpVolumeShare].value, row[kHedgeUp].value / 40000.0);
  EXPECT_DOUBLE_EQ(row[kHedgeDownVolumeShare].value, row[kHedgeDown].value / 40000.0);
  EXPECT_EQ(row[kExpectedMove].value, 0.012);
  EXPECT_EQ(row[kSpotBasisFactor].value, basis);
}

TEST(Hedging, HasNoShareOfAnUnknownVolume) {
  LevelInputs in;
  for (const double volume : {std::numeric_limits<double>::quiet_NaN(), 0.0}) {
    in.average_daily_volume = volume;
    const LevelRow row = levels_of(mixed_book(), in).level[0];
    EXPECT_TRUE(row[kHedgeUp].ok());
    EXPECT_THAT(row[kHedgeUpVolumeShare], IsNull(LevelStatus::kNoAverageVolume));
    EXPECT_THAT(row[kHedgeDownVolumeShare], IsNull(LevelStatus::kNoAverageVolume));
  }
}

// Under sticky strike volatility does not answer spot: what is left is gamma of the book aged to the close.
TEST(Flip, UnderStickyStrikeIsZeroGammaOfTheBookAgedToTheClose) {
  const Book book = mixed_book();
  const Instant closes[] = {kNow + kDay};
  Book aged;  // without what settles before the close or at it
  aged.spot_basis = book.spot_basis;
  aged.add_expiry(kNow + 20 * kDay, 0.05, 0.015);
  aged.add(104.0, 1, 0.17, {4000.0});
  aged.add(96.0, -1, 0.21, {-5000.0});
  LevelInputs then;
  then.quote_time = closes[0];
  const Level want = levels_of(aged, then).level[0][kZeroGamma];
  ASSERT_TRUE(want.ok());
  for (const IvRuleChoice rule :
       {IvRuleChoice{IvRuleName::kStickyStrike, 1.0}, IvRuleChoice{IvRuleName::kSkewStickiness, 1.0}}) {
    for (const bool with_smiles : {false, true}) {
      Book now = book;
      if (with_smiles) now.add_smiles();
      LevelInputs in;
      in.closes = closes;
      in.config.flip_rule = rule;
      const TickerLevels levels = levels_of(now, in);
      ASSERT_TRUE(levels.level[0][kFlip].ok());
      // Where differences of DX over h = 8e-5 change sign: h^2 / (8 s) = 2e-8 with s = 0.04, and 24 h^2 / s^2 of that
      // for the difference against the derivative; rounding of DX 1e-16 / (h^2 / s) = 1e-9.
      EXPECT_NEAR(levels.level[0][kFlip].value / want.value, 1.0, 1e-7);
      const auto flips = std::count_if(levels.crossing[0].begin(), levels.crossing[0].end(),
                                       [](const CrossingRow& c) { return c.kind == CrossingKind::kFlip; });
      EXPECT_EQ(flips, 1);
      EXPECT_GT(std::abs(levels.level[0][kFlip].value / levels.level[0][kZeroGamma].value - 1.0), 1e-4);
    }
  }
  Book nearest = book;  // all of it settles by the close
  for (std::size_t e = 0; e < 3; ++e) nearest.settlement[e] = std::min(nearest.settlement[e], closes[0]);
  LevelInputs in;
  in.closes = closes;
  EXPECT_THAT(levels_of(nearest, in).level[0][kFlip], IsNull(LevelStatus::kNoContracts));
}

// The sum of gamma + vanna dsigma/dS, written out, has the signs of the two sides of the flip and its slope there.
TEST(Flip, IsWhereGammaAndVannaTimesTheSlopeOfVolatilityCancel) {
  Book book = mixed_book();
  book.add_expiry(kNow + 45 * kDay, 0.04, 0.01);
  book.add(108.0, 1, 0.16, {3000.0});
  book.add(92.0, -1, 0.24, {-6000.0});
  book.add_smiles();
  const Instant closes[] = {kNow + kDay};
  for (const double stickiness : {2.0, 0.0}) {
    LevelInputs in;
    in.closes = closes;
    in.config.flip_rule = {IvRuleName::kSkewStickiness, stickiness};
    const TickerLevels levels = levels_of(book, in);
    ASSERT_TRUE(levels.level[0][kFlip].ok());
    const BookView view = book.view();
    const double basis = std::exp(book.spot_basis);
    const auto sum = [&](double spot) {
      double total = 0.0;
      for (std::size_t e = 2; e < view.expiries(); ++e) {
        for (auto i = static_cast<std::size_t>(view.expiry_begin[e]);
             i < static_cast<std::size_t>(view.expiry_begin[e + 1]); ++i) {
          const double forward = book.spot * std::exp(book.spot_basis + (view.rate[e] - view.dividend_yield[e]) *
                                                                            years(view.settlement[e]));
          const double k = std::log(view.strike[i] / forward);
          const auto smile_at = [&](double x) { return view.smile[e].volatility(k + (stickiness - 1.0) * x); };
          const double x = std::log(spot / book.spot);
          const auto g = greeks_of(view, e, i, closes[0], spot * basis, smile_at(x) - smile_at(0.0));
          constexpr double kH = 1e-5;
          const double slope = (smile_at(x + kH) - smile_at(x - kH)) / (2.0 * kH) / spot;
          total += view.weight[i] * (g.gamma * basis * basis + g.vanna * basis * slope);
        }
      }
      return total;
    };
    // 1e-6 to either side: a hundred times the bound of the test above.
    const double flip = levels.level[0][kFlip].value;
    EXPECT_LT(sum(flip * (1.0 - 1e-6)) * sum(flip * (1.0 + 1e-6)), 0.0) << stickiness;
    const auto row = std::find_if(levels.crossing[0].begin(), levels.crossing[0].end(),
                                  [&](const CrossingRow& c) { return c.price == flip; });
    ASSERT_NE(row, levels.crossing[0].end());
    // Central difference over 2e-4 of spot against second differences of eighth order 2e-4 apart, s = 0.04 and the
    // smile's vertex 0.02 wide: (1e-4 / 0.02)^2 for the former is the larger; rounding 1e-16 / (2e-4)^2 for the latter.
    const double slope = (sum(flip * 1.0001) - sum(flip * 0.9999)) / 2e-4 * 1e-4 * flip * flip / 1e9;
    EXPECT_NEAR(row->slope / slope, 1.0, 1e-3) << stickiness;
  }
}

// Interpolation of eight points at most s / 8 apart: the error is f^(8) (1/8)^8 43.1 / 8! = 6.37e-11 f^(8) in the
// middle between them, y = ln S / s, as shares of the largest magnitude:
//   delta N(y): max |He_7| phi 14, of 1                        -> 9e-10
//   gamma exp(-y^2/2): He_8(0) = 105, of 1                     -> 6.7e-9
//   speed y exp(-y^2/2): max |He_9 exp| = 288, of 0.607        -> 3.0e-8
//   vomma y^2 exp(-y^2/2): He_10(0) - He_8(0) = 840, of 0.736  -> 7.3e-8
// and the factors 1/S, 1/S^2 and S beside them change these by a share of s < 0.3, hence a third more.
TEST(EvaluateLine, EqualsEverySpotEvaluatedForItself) {
  const std::pair<Greek, double> greeks[] = {
      {Greek::kDelta, 1.2e-9}, {Greek::kGamma, 9e-9}, {Greek::kSpeed, 4e-8}, {Greek::kVomma, 1e-7}};
  const Instant lives[] = {300, 3600, 23400, kDay, 3 * kDay, 7 * kDay, 30 * kDay, 91 * kDay, 365 * kDay, 730 * kDay};
  const auto reference = make_reference_backend();
  const SpotLine line = {std::log(0.8), 2e-4, 2028};
  const Instant time[] = {kNow};
  const double shift[] = {-0.12, 0.0};  // the narrower deviation decides the spacing
  GridView grid;
  grid.quote_time = time[0];
  grid.time = time;
  grid.iv_shift = shift;
  grid.iv_floor = kFloor;
  for (const Instant life : lives) {
    Book book;
    book.add_expiry(kNow + life, 0.05, 0.015);
    book.add(101.0, 1, 0.2, {250.0});
    for (const auto& [greek, tolerance] : greeks) {
      const std::vector<double> actual = evaluate_line(*reference, {greek}, book.view(), 1, grid, line, kNow);
      ASSERT_EQ(actual.size(), 2 * line.spots);
      for (std::size_t v = 0; v < 2; ++v) {
        std::vector<double> want(line.spots);
        for (std::size_t j = 0; j < line.spots; ++j) {
          want[j] = exposure(book.view(), greek, kNow, 100.0 * std::exp(line.x(j)), shift[v]);
        }
        const auto worst = test::compare_surface(std::span(actual).subspan(v * line.spots, line.spots), want);
        EXPECT_LE(worst.relative_to_maximum, tolerance)
            << name(greek) << ", " << life << " s, shift " << shift[v] << ", spot " << worst.cell;
      }
    }
  }
}

TEST(EvaluateLine, SumsExpiriesOfEveryWidthAndLeavesOutTheSettled) {
  Book book;
  const Instant lives[] = {-60, 0, 300, 3600, kDay, 2 * kDay, 30 * kDay, 30 * kDay + 1, 730 * kDay};
  for (const Instant life : lives) {
    book.add_expiry(kNow + life, 0.05, 0.015);
    book.add(99.0, -1, 0.2, {250.0, -3.0});
    book.add(103.0, 1, 0.15, {250.0, 7.0});
  }
  const auto reference = make_reference_backend();
  const SpotLine line = {std::log(0.8), 2e-4, 2028};
  const Instant time[] = {kNow};
  const double shift[] = {0.0};
  GridView grid;
  grid.quote_time = time[0];
  grid.time = time;
  grid.iv_shift = shift;
  grid.iv_floor = kFloor;
  const std::vector<double> actual = evaluate_line(*reference, {Greek::kGamma}, book.view(), 2, grid, line, kNow);
  ASSERT_EQ(actual.size(), 2 * line.spots);
  std::vector<double> want(2 * line.spots);
  BookView second = book.view();
  second.weight = second.weight.subspan(second.contracts());
  for (std::size_t j = 0; j < line.spots; ++j) {
    const double spot = 100.0 * std::exp(line.x(j));
    want[j] = exposure(book.view(), Greek::kGamma, kNow, spot);
    want[line.spots + j] = exposure(second, Greek::kGamma, kNow, spot);
  }
  // 9e-9 of each expiry's own largest, which are all at most the largest of the sum (positive weights); the second
  // model's net is at most a few times less than its parts.
  EXPECT_LE(
      test::compare_surface(std::span(actual).first(line.spots), std::span(want).first(line.spots)).relative_to_maximum,
      9e-9);
  EXPECT_LE(test::compare_surface(std::span(actual).subspan(line.spots), std::span(want).subspan(line.spots))
                .relative_to_maximum,
            4e-8);
  // Later ones alone, as of an hour ahead.
  const std::vector<double> later = evaluate_line(*reference, {Greek::kDelta}, book.view(), 1, grid, line, kNow + 3600);
  for (const std::size_t j : {std::size_t{0}, line.spots / 2, line.spots - 1}) {
    BookView view = book.view();
    std::vector<double> weight(view.weight.begin(), view.weight.end());
    for (std::size_t i = 0; i < 8; ++i) weight[i] = 0.0;  // two contracts an expiry
    view.weight = weight;
    EXPECT_NEAR(later[j], exposure(view, Greek::kDelta, kNow, 100.0 * std::exp(line.x(j))), 1e-8 * 2500.0);
  }
}

// Nothing is open in it, so no contract says how wide it is.
TEST(EvaluateLine, AnExpiryWithoutWeightsAddsNothing) {
  const SpotLine line = {std::log(0.8), 2e-4, 2028};
  const Instant time[] = {kNow};
  const double shift[] = {0.0};
  GridView grid;
  grid.quote_time = time[0];
  grid.time = time;
  grid.iv_shift = shift;
  grid.iv_floor = kFloor;
  Book book;
  book.add_expiry(kNow + kDay, 0.05, 0.015);
  book.add(101.0, 1, 0.2, {250.0});
  const auto reference = make_reference_backend();
  const auto alone = evaluate_line(*reference, {Greek::kDelta}, book.view(), 1, grid, line, kNow);
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.015);
  book.add(101.0, 1, 0.2, {0.0});
  EXPECT_EQ(evaluate_line(*reference, {Greek::kDelta}, book.view(), 1, grid, line, kNow), alone);
}

TEST(Changes, AreTodayLessEarlierOfTheSameTickerAndModel) {
  std::vector<LevelRow> today(3), earlier(2);
  today[0].ticker = today[1].ticker = earlier[0].ticker = "SPX";
  today[2].ticker = earlier[1].ticker = "NDX";
  today[0].position = today[2].position = earlier[0].position = "naive";
  today[1].position = earlier[1].position = "short_all";
  for (LevelRow& row : today) {
    row[kGammaIndex] = Level::of(5.0);
    row[kZeroGamma] = Level::of(4500.0);
    row[kCallWall] = Level::of(4600.0);
    row[kFlip] = Level::null(LevelStatus::kNoSignChange);
  }
  for (LevelRow& row : earlier) {
    row[kGammaIndex] = Level::of(7.0);
    row[kZeroGamma] = Level::null(LevelStatus::kOnlyWeak);
    row[kCallWall] = Level::of(4550.0);
    row[kFlip] = Level::of(4490.0);
  }
  set_changes(today, earlier);
  EXPECT_EQ(today[0][kGammaIndexChange].value, -2.0);
  EXPECT_EQ(today[0][kCallWallChange].value, 50.0);
  EXPECT_THAT(today[0][kZeroGammaChange], IsNull(LevelStatus::kNoPrevious));  // none earlier
  EXPECT_THAT(today[0][kFlipChange], IsNull(LevelStatus::kNoSignChange));     // none today
  for (const std::size_t other : {1, 2}) {                                    // another model, another ticker
    EXPECT_THAT(today[other][kGammaIndexChange], IsNull(LevelStatus::kNoPrevious));
    EXPECT_THAT(today[other][kCallWallChange], IsNull(LevelStatus::kNoPrevious));
  }
  EXPECT_EQ(today[0][kGammaIndex].value, 5.0);
}

TEST(Ladder, AgesTheBookToEveryCloseAndAveragesOverTheBand) {
  const Book book = mixed_book();
  const Instant closes[] = {kNow + kDay, kNow + 2 * kDay, kNow + 20 * kDay, kNow + 21 * kDay};
  LevelInputs in;
  in.closes = closes;
  in.expected_move = 0.009;
  in.config.ladder_shift = 0.03;
  const TickerLevels levels = levels_of(book, in);
  ASSERT_EQ(levels.ladder.size(), 5U);
  const BookView view = book.view();
  for (std::size_t s = 0; s < 5; ++s) {
    const LadderRow& row = levels.ladder[s];
    const Instant time = s == 0 ? kNow : closes[s - 1];
    EXPECT_EQ(row.session, static_cast<std::int32_t>(s));
    EXPECT_EQ(row.time, time);
    EXPECT_DOUBLE_EQ(row.band_low, 100.0 * std::exp(-0.009));
    EXPECT_DOUBLE_EQ(row.band_high, 100.0 * std::exp(0.009));
    for (std::size_t g = 0; g < kLadderGreeks.size(); ++g) {
      const Greek greek = kLadderGreeks[g];
      double mean[3] = {}, gross = 0.0;
      for (int v = 0; v < 3; ++v) {
        for (int j = 0; j < 8; ++j) {
          const double spot = 100.0 * std::exp(0.009 * (2.0 * j / 7.0 - 1.0) + book.spot_basis);
          const double factor = std::exp(book.spot_basis * spot_order(greek)) / 8.0;
          mean[v] += factor * exposure(view, greek, time, spot, 0.03 * (v - 1));
          for (std::size_t e = 0; e < view.expiries(); ++e) {
            for (std::size_t i = 2 * e; i < 2 * e + 2; ++i) {
              gross += std::abs(factor * view.weight[i] * greeks_of(view, e, i, time, spot, 0.03 * (v - 1))[greek]);
            }
          }
        }
      }
      // Rounding of some 150 terms.
      EXPECT_NEAR(row.exposure[g], mean[1], 1e-13 * gross) << name(greek) << " " << s;
      const double size = std::abs(mean[0]) + std::abs(mean[2]) + 2.0 * std::abs(mean[1]);
      if (s < 3) {
        ASSERT_GT(size, 0.0);
        EXPECT_NEAR(row.asymmetry[g], (mean[0] + mean[2] - 2.0 * mean[1]) / size, 4e-13 * gross / size);
        EXPECT_LE(std::abs(row.asymmetry[g]), 1.0);
      } else {  // nothing is left, and nothing but delta at the settlement itself
        EXPECT_EQ(row.exposure[g], 0.0);
        EXPECT_TRUE(std::isnan(row.asymmetry[g]));
      }
    }
  }
}

// One strike: pivot, targets and zones are where a scan of the closed forms 1e-5 of spot apart finds them.
struct Scan {
  std::vector<double> spot, value;

  Scan(const Book& book, Greek greek, double shift) {
    for (int j = -20000; j <= 20000; ++j) {
      spot.push_back(100.0 * (1.0 + 1e-5 * j));
      value.push_back(exposure(book.view(), greek, kNow, spot.back(), shift, true));
    }
  }
};

class OneStrike : public testing::TestWithParam<double> {};

TEST_P(OneStrike, SpeedPivotsAndTargetsAreThoseOfABruteForceScan) {
  Book book;
  book.add_expiry(kNow + 20 * kDay, 0.05, 0.015);
  book.add(GetParam(), -1, 0.2, {-300.0});
  LevelRow row = levels_of(book).level[0];
  const Scan u(book, Greek::kSpeed, 0.0);
  const std::size_t at_spot = 20000;
  for (const int side : {-1, 1}) {
    double pivot = 0.0, target = 0.0;
    for (std::size_t j = at_spot; j > 0 && j + 1 < u.spot.size(); j += static_cast<std::size_t>(side)) {
      const std::size_t next = j + static_cast<std::size_t>(side), back = j - static_cast<std::size_t>(side);
      if (pivot == 0.0 && u.value[j] * u.value[next] < 0.0) pivot = 0.5 * (u.spot[j] + u.spot[next]);
      if (target == 0.0 && j != at_spot && (u.value[j] - u.value[back]) * (u.value[next] - u.value[j]) < 0.0) {
        target = u.spot[j];
      }
    }
    const Level& got_pivot = row[side > 0 ? kSpeedPivotUp : kSpeedPivotDown];
    const Level& got_target = row[side > 0 ? kSpeedTargetUp : kSpeedTargetDown];
    // Half a step of the scan for the pivot, a step for an extremum; the levels' own errors are a hundredth of that.
    if (pivot == 0.0) {
      EXPECT_THAT(got_pivot, IsNull(LevelStatus::kOutsideRange)) << side;
    } else {
      EXPECT_NEAR(got_pivot.value, pivot, 0.6e-3) << side;
    }
    if (target == 0.0) {
      EXPECT_THAT(got_target, IsNull(LevelStatus::kOutsideRange)) << side;
    } else {
      EXPECT_NEAR(got_target.value, target, 1.2e-3) << side;
    }
  }
  if (row[kSpeedTargetUp].ok() && row[kSpeedTargetDown].ok()) {
    EXPECT_DOUBLE_EQ(row[kSpeedAsymmetry].value,
                     (100.0 - row[kSpeedTargetDown].value) / (row[kSpeedTargetUp].value - 100.0) - 1.0);
  } else {
    EXPECT_THAT(row[kSpeedAsymmetry], IsNull(LevelStatus::kOutsideRange));
  }
}

// The profile of one strike scales with it, so an extremum is put a little below spot or above it: between spot and the
// next of the spots 2e-4 apart that are searched.
TEST(Levels, SpeedTargetsAreOnTheirOwnSideOfSpot) {
  Book book;
  book.add_expiry(kNow + 20 * kDay, 0.05, 0.015);
  book.add(100.0, 1, 0.2, {300.0});
  const double below = levels_of(book).level[0][kSpeedTargetDown].value;
  for (const double off : {-1.9e-4, -1e-4, -5e-5, -1e-5, 1e-5, 5e-5, 1e-4, 1.9e-4}) {
    book.strike[0] = 100.0 * (100.0 / below) * (1.0 + off);
    const LevelRow row = levels_of(book).level[0];
    if (off < 0.0) {
      EXPECT_NEAR(row[kSpeedTargetDown].value, 100.0 * (1.0 + off), 1e-4);
      EXPECT_GT(row[kSpeedTargetUp].value, 105.0);  // the other one of the strike
    } else {
      EXPECT_NEAR(row[kSpeedTargetUp].value, 100.0 * (1.0 + off), 1e-4);
      EXPECT_THAT(row[kSpeedTargetDown].value, testing::Not(testing::DoubleNear(100.0, 1.0)));
    }
  }
}

TEST_P(OneStrike, VommaZonesAreThoseOfABruteForceScan) {
  Book book;
  book.add_expiry(kNow + 20 * kDay, 0.05, 0.015);
  book.add(GetParam(), 1, 0.2, {-300.0});
  book.add_expiry(kNow + 60 * kDay, 0.05, 0.015);  // settles after the front
  book.add(100.0, 1, 0.2, {9000.0});
  LevelInputs in;
  in.front_end = kNow + 21 * kDay;
  in.config.vomma_shift = 0.03;
  const LevelRow row = levels_of(book, in).level[0];
  Book front;
  front.add_expiry(kNow + 20 * kDay, 0.05, 0.015);
  front.add(GetParam(), 1, 0.2, {-300.0});
  const std::size_t at_spot = 20000;
  double width[2] = {};
  for (const int side : {-1, 1}) {
    // Spot up with volatility down, spot down with volatility up.
    const Scan q(front, Greek::kVomma, side > 0 ? -0.03 : 0.03);
    const auto step = static_cast<std::size_t>(side);
    std::size_t peak = at_spot;
    for (std::size_t j = at_spot; j < q.spot.size(); j += step) {
      if (q.value[j] > q.value[peak]) peak = j;
    }
    std::size_t far = peak, near = peak;
    while (far < q.spot.size() && q.value[far] >= 0.5 * q.value[peak]) far += step;
    while (near != at_spot && q.value[near] >= 0.5 * q.value[peak]) near -= step;
    const Level& low = row[side > 0 ? kVommaZoneDownLow : kVommaZoneUpLow];
    const Level& high = row[side > 0 ? kVommaZoneDownHigh : kVommaZoneUpHigh];
    if (far >= q.spot.size()) {
      EXPECT_THAT(low, IsNull(LevelStatus::kOutsideRange)) << side;
      EXPECT_THAT(high, IsNull(LevelStatus::kOutsideRange)) << side;
      continue;
    }
    // A step of the scan; the zone's own line, 2e-4 fine with s = 0.04: h^2 / (8 s) = 1e-7 of spot at the edges, and
    // 1e-6 of the largest between its spots.
    EXPECT_NEAR(side > 0 ? low.value : high.value, q.spot[near], 1.2e-3) << side;
    EXPECT_NEAR(side > 0 ? high.value : low.value, q.spot[far], 1.2e-3) << side;
    width[side > 0 ? 0 : 1] = high.value - low.value;
  }
  if (width[0] > 0.0 && width[1] > 0.0) {
    EXPECT_DOUBLE_EQ(row[kVommaZoneAsymmetry].value, width[1] / width[0] - 1.0);
  } else {
    EXPECT_THAT(row[kVommaZoneAsymmetry], IsNull(LevelStatus::kOutsideRange));
  }
}

INSTANTIATE_TEST_SUITE_P(Strikes, OneStrike, testing::Values(90.0, 97.0, 100.0, 104.0, 112.0));

TEST(Levels, CentroidsAndRatiosWeighByTheirOwnQuantity) {
  Book book;
  book.add_expiry(kNow + 30 * kDay, 0.05, 0.01);
  book.add(98.0, -1, 0.2, {-100.0});
  book.add(101.0, 1, 0.2, {300.0});
  book.add_expiry(kNow + 300 * kDay, 0.05, 0.01);
  book.add(110.0, 1, 0.2, {200.0});
  const std::vector<double> multiplier = {100.0, 100.0, 10.0}, open_interest = {7.0, 3.0, 20.0},
                            volume = {std::nan(""), 4.0, 1.0};
  LevelInputs in;
  in.multiplier = multiplier;
  in.open_interest = open_interest;
  in.volume = volume;
  const LevelRow row = levels_of(book, in).level[0];
  const BookView view = book.view();
  double sum[2] = {}, moment[2] = {}, net = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto g = greeks_of(view, i / 2, i, kNow, 100.0);
    const double part[] = {std::abs(view.weight[i] * g.gamma), std::abs(view.weight[i] * g.vega)};
    net += view.weight[i] * g.gamma;
    for (int k = 0; k < 2; ++k) {
      sum[k] += part[k];
      moment[k] += part[k] * view.strike[i];
    }
  }
  EXPECT_DOUBLE_EQ(row[kGammaCentroid].value, moment[0] / sum[0]);
  EXPECT_DOUBLE_EQ(row[kVegaCentroid].value, moment[1] / sum[1]);
  EXPECT_GT(row[kVegaCentroid].value, row[kGammaCentroid].value + 1.0);
  EXPECT_DOUBLE_EQ(row[kGammaIndex].value, 0.01 * 100.0 * 100.0 * net / 1e9);
  EXPECT_DOUBLE_EQ(row[kGammaIndexRatio].value, net / sum[0]);
  EXPECT_DOUBLE_EQ(row[kOpenInterestCentroid].value, (700.0 * 98.0 + 300.0 * 101.0 + 200.0 * 110.0) / 1200.0);
  EXPECT_DOUBLE_EQ(row[kPutCallRatioOpenInterest].value, 7.0 / 23.0);
  EXPECT_EQ(row[kPutCallRatioVolume].value, 0.0);
}

}  // namespace
}  // namespace greekgrid

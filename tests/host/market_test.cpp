// Chains into snapshots, positions, levels, runs: on chains built here, whose answers are known.

#include "greekgrid/host/market.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <numeric>

#include "greekgrid/host/levels.hpp"
#include "greekgrid/host/night_plan.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using testing::ElementsAre;

// Builds chains contract by contract; tickers and expiries must be added in order.
struct ChainBuilder {
  OptionChain chain;
  ChainBuilder() {
    chain.quote_time = new_york_instant(Date(std::chrono::year(2026) / 7 / 10), 16, 0);
    chain.file_time = chain.quote_time;
    chain.source.push_back({"made.csv", std::string(64, '0')});
  }
  void ticker(const std::string& name, double spot) {
    chain.ticker.push_back(name);
    chain.spot.push_back(spot);
    chain.contract_begin.push_back(static_cast<std::int64_t>(chain.contracts()));
    chain.contract_count.push_back(0);
  }
  void expiry(std::int64_t seconds_after_quote, const std::string& root) {
    chain.expiry_ticker.push_back(static_cast<std::int32_t>(chain.tickers() - 1));
    chain.root.push_back(root);
    chain.settlement.push_back(chain.quote_time + seconds_after_quote);
    chain.exercise.push_back(Exercise::kEuropean);
    chain.style.push_back(SettlementStyle::kPm);
  }
  void contract(double strike, int right, double interest, double iv, double bid = kNaN, double ask = kNaN,
                double multiplier = 100.0) {
    chain.contract_expiry.push_back(static_cast<std::int32_t>(chain.expiries() - 1));
    chain.strike.push_back(strike);
    chain.right.push_back(static_cast<std::int8_t>(right));
    chain.multiplier.push_back(multiplier);
    chain.bid.push_back(bid);
    chain.ask.push_back(ask);
    chain.last.push_back(kNaN);
    chain.volume.push_back(kNaN);
    chain.open_interest.push_back(interest);
    chain.vendor_iv.push_back(iv);
    chain.vendor_delta.push_back(kNaN);
    chain.vendor_gamma.push_back(kNaN);
    ++chain.contract_count.back();
    ++chain.rows_in;
  }
};

double price(double right, double spot, double strike, double sigma, double days) {
  return formulas::black_scholes<double>({right, spot, strike, 0.0, 0.0, sigma, days / 365.0}).price;
}

constexpr std::int64_t kDay = 86400;

TEST(Snapshot, KeepsTheVendorsVolatilityAndFillsInOrder) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(30 * kDay, "AAA");
  b.contract(90.0, -1, 10, 0.25);
  b.contract(90.0, 1, 20, 0.0);  // from the put at the strike
  const double mid = price(-1.0, 100.0, 100.0, 0.31, 30.0);
  b.contract(100.0, -1, 30, 1e-5, mid - 0.05, mid + 0.05);  // placeholder: from its own mid
  b.contract(100.0, 1, 40, kNaN);                           // from the put, which has its own
  b.contract(120.0, 1, 50, 0.0);                            // from the smile, between 100 and 130
  b.contract(130.0, 1, kNaN, 0.4);                          // open interest unknown
  b.expiry(60 * kDay, "AAA");
  b.contract(100.0, 1, 20, 0.0);  // no volatility in its expiry
  MarketConfig config;
  config.iv_source = IvPreference::kVendor;
  const Snapshot s = make_snapshot(b.chain, config, TickerSelection(), Calendar(), *make_reference_backend());
  ASSERT_EQ(s.tickers(), 1U);
  EXPECT_THAT(s.chain_row, ElementsAre(0, 1, 2, 3, 4, 6));
  EXPECT_THAT(s.iv_source, ElementsAre(IvSource::kVendor, IvSource::kOppositeRight, IvSource::kOwnMid,
                                       IvSource::kOppositeRight, IvSource::kSmile, IvSource::kNeighbourExpiry));
  EXPECT_NEAR(s.implied_volatility[1], 0.25, 0.0);
  EXPECT_NEAR(s.implied_volatility[2], 0.31, 1e-12);
  EXPECT_EQ(s.implied_volatility[3], s.implied_volatility[2]);
  EXPECT_THAT(s.quote_status, ElementsAre(QuoteStatus::kMissing, QuoteStatus::kMissing, QuoteStatus::kOk,
                                          QuoteStatus::kMissing, QuoteStatus::kMissing, QuoteStatus::kMissing));
  ASSERT_EQ(s.diagnostics.size(), 1U);
  EXPECT_EQ(s.diagnostics[0].rule, "missing_open_interest");
  EXPECT_EQ(s.diagnostics[0].row, 5);
  const TickerQuality& q = s.quality.at(0);
  EXPECT_EQ(q.status, TickerStatus::kOk);
  EXPECT_EQ(q.rows_in, 7);
  EXPECT_EQ(q.contracts + q.rows_expired + q.rows_refused, q.rows_in);
  EXPECT_DOUBLE_EQ(q.coverage, 1.0);
  EXPECT_DOUBLE_EQ(q.own_iv_share, 70.0 / 170.0);
  EXPECT_DOUBLE_EQ(q.supported_iv_share, 150.0 / 170.0);
  EXPECT_DOUBLE_EQ(q.filled_iv_share, 160.0 / 170.0);
}

TEST(Snapshot, OurOwnVolatilityOfTheOtherRightComesBeforeTheVendors) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(30 * kDay, "AAA");
  const double mid = price(-1.0, 100.0, 90.0, 0.31, 30.0);
  b.contract(90.0, -1, 10, 0.25, mid, mid);
  b.contract(90.0, 1, 20, 0.26);
  b.contract(95.0, -1, 10, 0.27);
  b.contract(95.0, 1, 10, 0.0);
  MarketConfig config;
  config.iv_source = IvPreference::kOwn;
  const Snapshot s = make_snapshot(b.chain, config, {}, Calendar(), *make_reference_backend());
  EXPECT_THAT(s.iv_source,
              ElementsAre(IvSource::kOwnMid, IvSource::kOppositeRight, IvSource::kVendor, IvSource::kOppositeRight));
  EXPECT_EQ(s.implied_volatility[1], s.implied_volatility[0]);
  EXPECT_EQ(s.implied_volatility[3], 0.27);
}

TEST(Snapshot, WildNumbersCostTheirRowOrTickerOnly) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(30 * kDay, "AAA");
  b.contract(90.0, 1, 10, 0.3);
  b.contract(91.0, 1, 1e300, 0.3);
  b.contract(92.0, 1, -5, 0.3);
  b.contract(93.0, 1, 0, 1e308);
  b.contract(94.0, 1, 0, 0.3, kNaN, kNaN, 1e300);
  b.ticker("BBB", 1e308);
  b.expiry(30 * kDay, "BBB");
  b.contract(90.0, 1, 10, 0.3);
  b.chain.dealer_position = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  EXPECT_THAT(s.ticker, ElementsAre("AAA"));
  EXPECT_THAT(s.chain_row, ElementsAre(0, 3));
  EXPECT_EQ(s.iv_source[1], IvSource::kSmile);  // a volatility of 1e308 is none
  EXPECT_EQ(s.quality[0].coverage, 1.0);
  EXPECT_EQ(s.quality[1].status, TickerStatus::kNoSpot);
  std::vector<std::string> rules;
  for (const Diagnostic& d : s.diagnostics) rules.push_back(d.rule);
  EXPECT_THAT(rules, ElementsAre("implausible_open_interest", "negative_open_interest", "implausible_dealer_position",
                                 "no_spot"));
}

TEST(Snapshot, WithoutFillOnlyTheFirstSourceCounts) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(30 * kDay, "AAA");
  const double mid = price(-1.0, 100.0, 100.0, 0.31, 30.0);
  b.contract(100.0, -1, 30, 0.0, mid, mid);
  b.contract(100.0, 1, 40, 0.3);
  b.contract(105.0, 1, 10, 0.3);
  MarketConfig config;
  config.iv_fill = false;
  config.iv_source = IvPreference::kVendor;
  EXPECT_THAT(make_snapshot(b.chain, config, {}, Calendar(), *make_reference_backend()).chain_row, ElementsAre(1, 2));
  config.iv_source = IvPreference::kOwn;  // the quotes of a strike are the first source of both its rights
  const Snapshot own = make_snapshot(b.chain, config, {}, Calendar(), *make_reference_backend());
  EXPECT_THAT(own.chain_row, ElementsAre(0, 1));
  EXPECT_THAT(own.iv_source, ElementsAre(IvSource::kOwnMid, IvSource::kOppositeRight));
  EXPECT_EQ(own.quality[0].filled_iv_share, 0.0);
  ASSERT_EQ(own.diagnostics.size(), 1U);
  EXPECT_EQ(own.diagnostics[0].rule, "no_usable_iv");
}

TEST(Snapshot, ExpiredIsWhatSettlesAtOrBeforeTheQuotes) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(-3600, "AAA");
  b.contract(100.0, 1, 10, 0.3);
  b.expiry(0, "AAA");
  b.contract(100.0, 1, 20, 0.3);
  b.expiry(1, "AAA");  // one second to live
  b.contract(100.0, 1, 30, 0.3);
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  EXPECT_THAT(s.chain_row, ElementsAre(2));
  EXPECT_EQ(s.quality[0].rows_expired, 2);
  EXPECT_DOUBLE_EQ(s.quality[0].expired_share, 0.5);
}

TEST(Snapshot, RefusesTickersWithTheReason) {
  ChainBuilder b;
  b.ticker("EMPTY", 100.0);
  b.ticker("EXPIRED", 100.0);
  b.expiry(-kDay, "EXPIRED");
  b.contract(100.0, 1, 10, 0.3);
  b.ticker("FINE", 100.0);
  b.expiry(kDay, "FINE");
  b.contract(100.0, 1, 10, 0.3);
  b.ticker("NOIV", 100.0);
  b.expiry(kDay, "NOIV");
  b.contract(100.0, 1, 60, 0.0);
  b.contract(101.0, 1, 40, 0.3);
  b.ticker("NOOI", 100.0);
  b.expiry(kDay, "NOOI");
  b.contract(100.0, 1, 0, 0.3);
  b.ticker("NOSPOT", kNaN);
  b.expiry(kDay, "NOSPOT");
  b.contract(100.0, 1, 10, 0.3);
  TickerSelection selection;
  const Snapshot all = make_snapshot(b.chain, MarketConfig(), selection, Calendar(), *make_reference_backend());
  EXPECT_THAT(all.ticker, ElementsAre("FINE"));
  std::map<std::string, TickerStatus> status;
  for (const auto& q : all.quality) status[q.ticker] = q.status;
  EXPECT_EQ(status["EMPTY"], TickerStatus::kNoContracts);
  EXPECT_EQ(status["EXPIRED"], TickerStatus::kAllExpired);
  EXPECT_EQ(status["NOIV"], TickerStatus::kTooLittleIv);
  EXPECT_EQ(status["NOOI"], TickerStatus::kNoOpenInterest);
  EXPECT_EQ(status["NOSPOT"], TickerStatus::kNoSpot);
  selection.tickers = {"GONE", "FINE", "FINE"};
  const Snapshot named = make_snapshot(b.chain, MarketConfig(), selection, Calendar(), *make_reference_backend());
  ASSERT_EQ(named.quality.size(), 2U);
  EXPECT_EQ(named.quality[1].ticker, "GONE");
  EXPECT_EQ(named.quality[1].status, TickerStatus::kNotInChain);
}

TEST(Snapshot, TopCountsAcceptedTickersByOpenInterestInDollars) {
  ChainBuilder b;
  for (const auto& [name, spot, interest] :
       {std::tuple{"A", 10.0, 100.0}, {"B", 1000.0, 10.0}, {"C", 100.0, 1.0}, {"D", 5000.0, 90.0}}) {
    b.ticker(name, spot);
    b.expiry(kDay, name);
    b.contract(spot, 1, interest, std::string(name) == "D" ? 0.0 : 0.3);
  }
  TickerSelection selection;
  selection.top = 2;
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), selection, Calendar(), *make_reference_backend());
  EXPECT_THAT(s.ticker, ElementsAre("A", "B"));
  ASSERT_EQ(s.quality.size(), 3U);  // D ranks first, is refused and stays in the account
  EXPECT_EQ(s.quality[2].status, TickerStatus::kTooLittleIv);
}

// A to E, alike but for open interest that falls from A to E; C has no volatility, so it is refused.
OptionChain five_tickers() {
  ChainBuilder b;
  double interest = 1000.0;
  for (const std::string name : {"A", "B", "BRK/B", "C", "D"}) {
    b.ticker(name, 100.0);
    b.expiry(kDay, name);
    b.contract(100.0, 1, interest, name == "C" ? 0.0 : 0.3);
    interest /= 2.0;
  }
  return b.chain;
}

std::vector<std::string> of_rule(const Snapshot& snapshot, const std::string& rule) {
  std::vector<std::string> tickers;
  for (const Diagnostic& d : snapshot.diagnostics) {
    if (d.rule == rule) tickers.push_back(d.ticker);
  }
  return tickers;
}

TEST(Snapshot, ARankingSelectsItsFirstAcceptedTickers) {
  const OptionChain chain = five_tickers();
  TickerSelection selection;
  selection.ranking = {"GONE", "D", "C", "BRK-B", "A"};
  const auto snapshot = [&] {
    return make_snapshot(chain, MarketConfig(), selection, Calendar(), *make_reference_backend());
  };
  Snapshot s = snapshot();
  EXPECT_THAT(s.ticker, ElementsAre("A", "BRK/B", "D")) << "without top everything that is ranked";
  EXPECT_THAT(of_rule(s, "not_ranked"), ElementsAre("B"));
  EXPECT_EQ(count_missing(selection.ranking, chain.ticker), 1U);

  selection.top = 2;
  s = snapshot();
  EXPECT_THAT(s.ticker, ElementsAre("BRK/B", "D")) << "C does not count, share classes match as they are spelled";
  ASSERT_EQ(s.quality.size(), 3U);
  EXPECT_EQ(s.quality[1].ticker, "C");
  EXPECT_EQ(s.quality[1].status, TickerStatus::kTooLittleIv);
  EXPECT_THAT(of_rule(s, "not_ranked"), ElementsAre("B"));

  selection.always = {"B", "D", "NONE"};
  s = snapshot();
  EXPECT_THAT(s.ticker, ElementsAre("B", "BRK/B", "D")) << "D is among the first two already";
  EXPECT_THAT(of_rule(s, "not_ranked"), ElementsAre());
  EXPECT_THAT(of_rule(s, "not_in_chain"), ElementsAre("NONE"));

  selection.always = {"BRK.B"};
  selection.top = 1;
  s = snapshot();
  EXPECT_THAT(s.ticker, ElementsAre("BRK/B", "D"));
  EXPECT_THAT(of_rule(s, "not_in_chain"), ElementsAre());

  selection.tickers = {"A", "B"};
  selection.always = {};
  s = snapshot();
  EXPECT_THAT(s.ticker, ElementsAre("A")) << "the first of those named";
  EXPECT_THAT(of_rule(s, "not_ranked"), ElementsAre("B"));
}

TEST(Snapshot, AlwaysAddsToTheLargestByOpenInterestToo) {
  const OptionChain chain = five_tickers();
  TickerSelection selection;
  selection.top = 1;
  selection.always = {"D"};
  const Snapshot s = make_snapshot(chain, MarketConfig(), selection, Calendar(), *make_reference_backend());
  EXPECT_THAT(s.ticker, ElementsAre("A", "D"));
  EXPECT_THAT(of_rule(s, "not_ranked"), ElementsAre());
}

TEST(Snapshot, PlaceholdersOfVendors) {
  EXPECT_TRUE(is_placeholder_iv(0.0, kNaN, 1, 2));
  EXPECT_TRUE(is_placeholder_iv(1e-5, kNaN, 1, 2));
  EXPECT_TRUE(is_placeholder_iv(1e-4, kNaN, 1, 2));
  EXPECT_FALSE(is_placeholder_iv(0.02, kNaN, 1, 2));
  EXPECT_TRUE(is_placeholder_iv(0.02, 0.02, 1, 2));
  EXPECT_TRUE(is_placeholder_iv(0.250010, kNaN, 0, 0));
  EXPECT_TRUE(is_placeholder_iv(1.000005, kNaN, 0, 0));
  EXPECT_TRUE(is_placeholder_iv(std::ldexp(1.0, -9) + 1e-5, kNaN, 0, 0));
  EXPECT_FALSE(is_placeholder_iv(0.250010, kNaN, 0, 0.05));
  EXPECT_FALSE(is_placeholder_iv(0.2501, kNaN, 0, 0));
  // A floor is the smallest volatility only when it is frequent.
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(10 * kDay, "AAA");
  for (int k = 0; k < 21; ++k) b.contract(100.0 + k, 1, 1, 0.02);
  b.contract(150.0, 1, 100, 0.3);
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  EXPECT_EQ(std::count(s.iv_source.begin(), s.iv_source.end(), IvSource::kVendor), 1);
  EXPECT_EQ(std::count(s.iv_source.begin(), s.iv_source.end(), IvSource::kSmile), 21);
}

TEST(Positions, ModelsAndMultipliers) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(kDay, "AAA");
  b.contract(100.0, -1, 7, 0.3, kNaN, kNaN, 10.0);
  b.contract(100.0, 1, 5, 0.3);
  b.chain.dealer_position = {-3.0, kNaN};
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  constexpr PositionModel kModels[] = {PositionModel::kNaive, PositionModel::kUnsigned, PositionModel::kAllShort,
                                       PositionModel::kReversed, PositionModel::kSignedColumn};
  const auto n = dealer_positions(s, kModels);
  EXPECT_THAT(n, ElementsAre(-7, 7, -7, 7, -3, 5, 5, -5, -5, 0));
  EXPECT_THAT(exposure_weights(s, 0, n, 5), ElementsAre(-70, 500, 70, 500, -70, -500, 70, -500, -30, 0));
}

// A book of one call and one put far apart: net gamma changes sign once, at a spot known by bisection.
// Levels of one model with given gammas, the other Greeks 0, at the quote instant.
TickerLevels levels_of(const BookView& book, Instant time, const std::vector<double>& gamma) {
  std::vector<double> greeks(kGreekCount * book.contracts(), 0.0);
  std::copy(gamma.begin(), gamma.end(),
            greeks.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(Greek::kGamma) * book.contracts()));
  LevelInputs in;
  in.book = book;
  in.greeks = greeks;
  in.quote_time = time;
  in.iv_floor = 0.01;
  const auto sampler = make_cpu_backend(Precision::kFp64);
  return compute_levels(in, *sampler);
}

TEST(Levels, WallsAndZeroGamma) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(20 * kDay, "AAA");
  b.contract(90.0, -1, 100, 0.3);
  b.contract(95.0, -1, 10, 0.3);
  b.contract(105.0, 1, 10, 0.3);
  b.contract(110.0, 1, 100, 0.3);
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  constexpr PositionModel kNaive[] = {PositionModel::kNaive};
  const auto n = dealer_positions(s, kNaive);
  const auto weights = exposure_weights(s, 0, n, 1);
  std::vector<std::int64_t> begin;
  const BookView book = make_book(s, 0, weights, begin);
  std::vector<double> gamma;
  for (std::size_t i = 0; i < 4; ++i) {
    gamma.push_back(formulas::black_scholes<double>({1.0, 100.0, s.strike[i], 0, 0, 0.3, 20.0 / 365.0}).gamma);
  }
  const TickerLevels levels = levels_of(book, s.quote_time, gamma);
  EXPECT_EQ(levels.level[0][LevelName::kCallWall].value, 110.0);
  EXPECT_EQ(levels.level[0][LevelName::kPutWall].value, 90.0);
  ASSERT_EQ(levels.crossing[0].size(), 1U);
  double low = 90.0, high = 110.0;
  for (int k = 0; k < 100; ++k) {
    const double middle = 0.5 * (low + high);
    (gamma_exposure(book, s.quote_time, 0.01, middle).gamma < 0.0 ? low : high) = middle;
  }
  EXPECT_NEAR(levels.level[0][LevelName::kZeroGamma].value, low, 1e-7 * low);
  const double found = levels.level[0][LevelName::kZeroGammaSlope].value;
  EXPECT_GT(found, 0.0);
  const double step = 1e-4;
  const double slope = (gamma_exposure(book, s.quote_time, 0.01, low + step).gamma -
                        gamma_exposure(book, s.quote_time, 0.01, low - step).gamma) /
                       (2 * step);
  // The change of the gamma index, 1e9 USD per 1 %, per 1 % of spot.
  EXPECT_NEAR(found / (1e-4 * low * low * low * slope / 1e9), 1.0, 1e-4);
}

// A contract with a minute to live makes two roots 0.24 % of spot apart: samples must not step over them.
TEST(Levels, CloseRootsAreNotSteppedOver) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(60, "AAA");
  b.contract(100.435, 1, 10, 0.3);
  b.expiry(60 * kDay, "AAA");
  b.contract(100.0, -1, 50, 0.3);
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  constexpr PositionModel kNaive[] = {PositionModel::kNaive};
  const auto n = dealer_positions(s, kNaive);
  const auto weights = exposure_weights(s, 0, n, 1);
  std::vector<std::int64_t> begin;
  const BookView book = make_book(s, 0, weights, begin);
  const std::vector<double> gamma(2, 1.0);
  EXPECT_EQ(levels_of(book, s.quote_time, gamma).crossing[0].size(), 2U);
}

TEST(Levels, ABalancedBookHasNoZeroGamma) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(42 * kDay, "AAA");
  for (const double strike : {90.0, 100.0, 105.0}) {
    b.contract(strike, -1, 100, 0.25);
    b.contract(strike, 1, 100, 0.25);
  }
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  constexpr PositionModel kNaive[] = {PositionModel::kNaive};
  const auto n = dealer_positions(s, kNaive);
  const auto weights = exposure_weights(s, 0, n, 1);
  std::vector<std::int64_t> begin;
  const BookView book = make_book(s, 0, weights, begin);
  const TickerLevels levels = levels_of(book, s.quote_time, std::vector<double>(6, 1.0));
  EXPECT_EQ(levels.level[0][LevelName::kZeroGamma].status, LevelStatus::kNoSignChange);
  EXPECT_EQ(levels.crossing[0].size(), 0U);
}

TEST(Levels, TiesGoToTheStrikeNearestToSpotThenTheLower) {
  ChainBuilder b;
  b.ticker("AAA", 100.0);
  b.expiry(20 * kDay, "AAA");
  for (const double strike : {100.0, 102.0, 104.0}) b.contract(strike, 1, 10, 0.3);
  for (const double strike : {98.0, 102.0}) b.contract(strike, -1, 10, 0.3);
  const Snapshot s = make_snapshot(b.chain, MarketConfig(), {}, Calendar(), *make_reference_backend());
  constexpr PositionModel kNaive[] = {PositionModel::kNaive};
  const auto n = dealer_positions(s, kNaive);
  const auto weights = exposure_weights(s, 0, n, 1);
  std::vector<std::int64_t> begin;
  const BookView book = make_book(s, 0, weights, begin);
  const std::vector<double> equal(5, 0.01);
  const auto levels = levels_of(book, s.quote_time, equal);
  EXPECT_EQ(levels.level[0][LevelName::kCallWall].value, 100.0);
  EXPECT_EQ(levels.level[0][LevelName::kPutWall].value, 98.0);
  EXPECT_EQ(levels.level[0][LevelName::kPutWallUnrestricted].value, 98.0) << "98 and 102 are equally near: the lower";
  EXPECT_EQ(levels.level[0][LevelName::kAbsoluteGammaStrike].value, 102.0);
  const std::vector<double> nothing(5, 0.0);
  const auto none = levels_of(book, s.quote_time, nothing);
  EXPECT_EQ(none.level[0][LevelName::kCallWall].status, LevelStatus::kNoContracts);
  EXPECT_TRUE(std::isnan(none.level[0][LevelName::kCallWall].value));
  EXPECT_EQ(none.level[0][LevelName::kGammaIndexRatio].status, LevelStatus::kNoContracts);
}

// What a run hands over, by ticker of the chain.
struct Collector final : NightSink {
  struct One {
    NightHeader header;
    Snapshot snapshot;
    NightTables tables;
    std::vector<double> cells;
  };
  std::map<std::size_t, One> night;
  std::size_t blocks = 0;
  void write(std::span<TickerNight> block) override {
    ++blocks;
    for (const TickerNight& one : block) {
      EXPECT_TRUE(night.emplace(one.index, One{one.header, one.snapshot, one.tables, one.cells}).second)
          << "ticker " << one.index << " twice";
    }
  }
};

Collector collect(const OptionChain& chain, const RunConfig& config, Backend& backend, std::size_t memory,
                  const std::atomic<bool>& stop) {
  const Calendar calendar;
  const NightInputs inputs = inputs_in_memory(chain);
  const std::atomic<bool> never{false};
  const NightPlan plan = make_night_plan(inputs, config, calendar, backend, never);
  std::vector<std::size_t> places(plan.ticker.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  Collector sink;
  NightTimings timings;
  NightLimits limits;
  limits.memory = memory;
  limits.stop = &stop;
  run_night(inputs, plan, places, config, make_axes(chain, config, calendar, false), calendar, backend, sink, limits,
            timings);
  return sink;
}

OptionChain three_tickers() {
  ChainBuilder b;
  int k = 0;
  for (const char* name : {"AAA", "BBB", "CCC"}) {
    const double spot = 50.0 * ++k;
    b.ticker(name, spot);
    for (const std::int64_t days : {3, 10, 40}) {
      b.expiry(days * kDay, name);
      for (int i = -5; i <= 5; ++i) {
        b.contract(spot + 0.02 * i * spot, -1, 10 + i, 0.2 - 0.004 * i);
        b.contract(spot + 0.02 * i * spot, 1, 20 - i, 0.2 - 0.004 * i);
      }
    }
  }
  return b.chain;
}

// The smile that a Snapshot fits is the one that volatility follows: delta under sticky moneyness at one moved spot,
// from the formula.
TEST(NightRun, VolatilityFollowsTheFittedSmile) {
  const OptionChain chain = three_tickers();
  RunConfig config;
  config.scenarios.spots = 21;
  config.scenarios.iv_shifts = {0.0};
  config.scenarios.sessions = 1;
  config.scenarios.iv_rules = {{IvRuleName::kStickyStrike, 1.0}, {IvRuleName::kStickyMoneyness, 0.0}};
  const auto backend = make_cpu_backend(Precision::kFp64);
  const std::atomic<bool> stop{false};
  const Collector sink = collect(chain, config, *backend, std::size_t{1} << 30, stop);
  const NightHeader& header = sink.night.at(0).header;
  const Snapshot& snapshot = sink.night.at(0).snapshot;
  EXPECT_EQ(header.iv_rule, (std::vector<std::string>{"sticky_strike", "sticky_moneyness"}));
  EXPECT_EQ(header.iv_rule_parameter, (std::vector<double>{1.0, 0.0}));
  const std::size_t j = 16;
  const double x = header.spot_step[j] * header.spot_scale[0];
  double strike_sum = 0.0, moneyness_sum = 0.0, gross = 0.0;
  for (std::int64_t i = snapshot.contract_begin[0]; i < snapshot.contract_begin[1]; ++i) {
    const auto n = static_cast<std::size_t>(i);
    const auto e = static_cast<std::size_t>(snapshot.contract_expiry[n]);
    const SmileCurve& smile = snapshot.smile[e];
    ASSERT_EQ(snapshot.expiry_volatility[e].kind, SmileKind::kSvi);
    const double k = std::log(snapshot.strike[n] / snapshot.spot[0]);  // no carry, no basis
    const double moved = snapshot.implied_volatility[n] + smile.volatility(k - x) - smile.volatility(k);
    const auto delta = [&](double sigma) {
      const double right = static_cast<double>(snapshot.right[n]);
      const auto g = formulas::black_scholes<double>(
          {right, snapshot.spot[0] * std::exp(x), snapshot.strike[n], 0.0, 0.0, sigma, smile.tau});
      return right * snapshot.open_interest[n] * snapshot.multiplier[n] * g[Greek::kDelta];
    };
    strike_sum += delta(snapshot.implied_volatility[n]);
    moneyness_sum += delta(moved);
    gross += std::abs(delta(moved));
  }
  const std::vector<double>& cells = sink.night.at(0).cells;  // dx first: rule, time, shift, spot
  EXPECT_NEAR(cells[j], strike_sum, 1e-10 * gross);
  EXPECT_NEAR(cells[21 + j], moneyness_sum, 1e-10 * gross);
  EXPECT_GT(std::abs(moneyness_sum - strike_sum), 1e-4 * gross);
}

TEST(NightRun, EverySurfaceLiesWhereTheHeaderSays) {
  const OptionChain chain = three_tickers();
  RunConfig config;
  config.scenarios.spots = 21;
  config.scenarios.iv_shifts = {-0.02, 0.0, 0.02};
  config.scenarios.sessions = 3;
  config.scenarios.iv_rules = {{IvRuleName::kStickyStrike, 1.0}, {IvRuleName::kRelativeBeta, 10.0}};
  config.positions = {PositionModel::kNaive, PositionModel::kUnsigned};
  config.delta_change = true;
  const auto backend = make_cpu_backend(Precision::kFp64);
  std::atomic<bool> stop{false};
  const Collector whole = collect(chain, config, *backend, std::size_t{1} << 30, stop);
  ASSERT_EQ(whole.night.size(), 3U);
  EXPECT_EQ(whole.blocks, 1U);
  const NightHeader& header = whole.night.at(2).header;
  const Snapshot& snapshot = whole.night.at(2).snapshot;
  EXPECT_EQ(header.ticker, std::vector<std::string>{"CCC"});
  EXPECT_EQ(snapshot.chain_row.front(), chain.contract_begin[2]) << "rows are those of the whole chain";
  const std::size_t cells = header.chunk_cells();
  // One cell of ticker 2, position 1, rule 1, time 2, shift 2, spot 3, by the formula of a reader.
  const std::size_t cell = (2 * 3 + 2) * 21 + 3;
  for (const Greek greek : {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna}) {
    const double x = header.spot_step[3] * header.spot_scale[0];
    double expected = 0.0;
    for (std::size_t i = 0; i < snapshot.contracts(); ++i) {
      const auto e = static_cast<std::size_t>(snapshot.contract_expiry[i]);
      const double tau = static_cast<double>(snapshot.settlement[e] - header.time[2]) / 31536000.0;
      const double sigma = std::max(0.01, snapshot.implied_volatility[i] * (1.0 - 10.0 * x) + 0.02);
      expected += snapshot.open_interest[i] * 100.0 *
                  formulas::black_scholes<double>(
                      {double(snapshot.right[i]), 150.0 * std::exp(x), snapshot.strike[i], 0, 0, sigma, tau})[greek];
    }
    const double actual = whole.night.at(2).cells[((header.greeks.index(greek) * 2 + 1) * 2 + 1) * cells + cell];
    EXPECT_NEAR(actual / expected, 1.0, 1e-9) << name(greek);
  }
  // delta_change is 0 at its own reference.
  const std::size_t reference_cell = 1 * 21 + 10;
  for (std::size_t wr = 0; wr < 4; ++wr) EXPECT_EQ(whole.night.at(0).cells[(4 * 4 + wr) * cells + reference_cell], 0.0);
  for (const auto& [index, one] : whole.night) EXPECT_EQ(one.tables.level.size(), 2U);

  // Blocks of one ticker give the same bits.
  const Collector pieces = collect(chain, config, *backend, 1, stop);
  EXPECT_EQ(pieces.blocks, 3U);
  for (std::size_t u = 0; u < 3; ++u) {
    EXPECT_EQ(whole.night.at(u).cells, pieces.night.at(u).cells);
    EXPECT_EQ(whole.night.at(u).tables.greeks, pieces.night.at(u).tables.greeks);
  }

  stop = true;
  EXPECT_THROW(collect(chain, config, *backend, 1, stop), Stopped);
}

TEST(NightRun, ATickerWhoseDataMakeAStageThrowIsRefusedAlone) {
  OptionChain chain = three_tickers();
  RunConfig config;
  config.scenarios.spots = 5;
  config.scenarios.iv_shifts = {0.0};
  config.scenarios.sessions = 2;
  config.scenarios.iv_rules = {{IvRuleName::kStickyMoneyness, 0.0}};
  // Without quotes there is no smile for the rule to follow.
  for (auto i = static_cast<std::size_t>(chain.contract_begin[1]);
       i < static_cast<std::size_t>(chain.contract_begin[2]); ++i) {
    chain.bid[i] = chain.ask[i] = std::nan("");
    chain.vendor_iv[i] = i % 2 == 0 ? 0.2 : std::nan("");
  }
  config.market.iv_source = IvPreference::kVendor;
  config.market.minimum_coverage = 0.0;
  const auto backend = make_cpu_backend(Precision::kFp64);
  const std::atomic<bool> stop{false};
  const Collector all = collect(chain, config, *backend, std::size_t{1} << 30, stop);
  ASSERT_EQ(all.night.size(), 3U);
  EXPECT_EQ(all.night.at(0).snapshot.tickers(), 1U);
  EXPECT_EQ(all.night.at(2).snapshot.tickers(), 1U);
  const Snapshot& refused = all.night.at(1).snapshot;
  EXPECT_EQ(refused.tickers(), 0U);
  EXPECT_NE(refused.quality.at(0).status, TickerStatus::kOk);
}

TEST(NightPlan, ShardsCoverThePlanOnceAndAreBalanced) {
  NightPlan plan;
  for (std::size_t u = 0; u < 1000; ++u) {
    plan.ticker.push_back(u);
    plan.cost.push_back(1.0 / static_cast<double>(1 + u % 97));
  }
  for (const std::size_t count : {1U, 2U, 5U, 7U}) {
    std::vector<int> times(1000, 0);
    std::vector<double> load;
    for (std::size_t i = 0; i < count; ++i) {
      load.push_back(0.0);
      for (const std::size_t place : shard_of(plan, i, count)) {
        ++times[place];
        load.back() += plan.cost[place];
      }
    }
    EXPECT_EQ(std::count(times.begin(), times.end(), 1), 1000);
    EXPECT_LT(*std::max_element(load.begin(), load.end()), 1.02 * *std::min_element(load.begin(), load.end()));
  }
  EXPECT_GT(ticker_cost(2000, {}, true), ticker_cost(1000, {}, true));
}

TEST(NightRun, TimesAreSuccessiveClosesOrFiveMinuteSteps) {
  const Calendar calendar;
  ScenarioConfig config;
  const Instant friday = new_york_instant(Date(std::chrono::year(2023) / 11 / 22), 15, 0);
  const auto times = make_times(config, calendar, friday);
  ASSERT_EQ(times.size(), 9U);
  EXPECT_EQ(times[0], friday);
  EXPECT_EQ(times[1] - times[0], 3600);
  EXPECT_EQ(new_york_second_of_day(times[2]), 13 * 3600) << "the day after Thanksgiving is a half day";
  config.time_axis = TimeAxis::kIntraday;
  const auto steps = make_times(config, calendar, friday);
  EXPECT_EQ(steps.size(), 13U);
  EXPECT_EQ(steps.back() - steps.front(), 3600);
}

TEST(Scenarios, SpotAxisIsSymmetricWithAnExactZero) {
  ScenarioConfig config;
  const auto steps = spot_steps(config);
  ASSERT_EQ(steps.size(), 201U);
  EXPECT_EQ(steps[100], 0.0);
  EXPECT_EQ(steps[101], 0.1);
  for (std::size_t j = 0; j < 201; ++j) EXPECT_EQ(steps[j], -steps[200 - j]);
  EXPECT_DOUBLE_EQ(spot_scale(config, 0.2), 0.2 / std::sqrt(252.0));
  config.spot_axis = SpotAxis::kLogReturn;
  EXPECT_EQ(spot_scale(config, 0.2), 1.0);
}

TEST(Scenarios, ClippedCellsAreCountedForLiveContractsOnly) {
  const OptionChain chain = three_tickers();
  RunConfig config;
  config.scenarios.spots = 5;
  config.scenarios.iv_shifts = {-0.19, 0.0};
  config.scenarios.iv_floor = 0.01;
  config.scenarios.sessions = 2;
  const Snapshot s = make_snapshot(chain, config.market, {}, Calendar(), *make_reference_backend());
  constexpr PositionModel kNaive[] = {PositionModel::kNaive};
  const auto n = dealer_positions(s, kNaive);
  const auto weights = exposure_weights(s, 0, n, 1);
  std::vector<std::int64_t> begin;
  const BookView book = make_book(s, 0, weights, begin);
  const std::vector<Instant> time = {s.quote_time,
                                     s.quote_time + 4 * kDay};  // the first expiry is settled at the second
  const GridView grid = make_grid(config.scenarios, {}, time, 0.01);
  std::int64_t expected = 0;
  for (std::size_t e = 0; e < 3; ++e) {
    for (auto i = static_cast<std::size_t>(begin[e]); i < static_cast<std::size_t>(begin[e + 1]); ++i) {
      if (s.implied_volatility[i] - 0.19 < 0.01 && s.open_interest[i] > 0.0) expected += (e == 0 ? 1 : 2) * 5;
    }
  }
  ASSERT_GT(expected, 0);
  EXPECT_EQ(count_clipped_cells(book, grid, 1), expected);
}

}  // namespace
}  // namespace greekgrid

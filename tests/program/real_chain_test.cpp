// From real vendor files to exposures: backends against the reference, net gamma against independent numbers.

#include <gtest/gtest.h>

#include <cmath>

#include "greekgrid/host/folklore.hpp"
#include "greekgrid/host/levels.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid_test/books.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

struct LoadedBook {
  OptionChain chain;
  Snapshot snapshot;
  std::vector<double> weights;
  std::vector<std::int64_t> expiry_begin;
  std::vector<formulas::Smile<double>> smile;
  BookView view;
  double scale = 0.0;
};

LoadedBook load(const std::filesystem::path& path, const MarketConfig& market, std::span<const PositionModel> models) {
  LoadedBook loaded;
  loaded.chain = ingest(std::span(&path, 1), Calendar(), IngestOptions());
  loaded.snapshot = make_snapshot(loaded.chain, market, {}, Calendar(), *make_reference_backend());
  const auto positions = dealer_positions(loaded.snapshot, loaded.chain, models);
  loaded.weights = exposure_weights(loaded.snapshot, 0, positions, models.size());
  loaded.view = make_book(loaded.snapshot, 0, loaded.weights, loaded.expiry_begin);
  // Snapshots carry no smiles: one by hand for each expiry.
  for (const Instant settlement : loaded.view.settlement) {
    loaded.smile.push_back(
        test::index_like_smile(static_cast<double>(settlement - loaded.snapshot.quote_time) / kSecondsPerYear));
  }
  loaded.view.smile = loaded.smile;
  loaded.scale = spot_scale(ScenarioConfig(), loaded.snapshot.atm_iv.at(0));
  return loaded;
}

constexpr PositionModel kNaive[] = {PositionModel::kNaive};

class RealChain : public testing::TestWithParam<const char*> {};

// Every contract of the chain; fewer spots and shifts than a night's grid, over the same ranges and times.
TEST_P(RealChain, CpuEquivalentToReference) {
  const auto path = test::data_dir() / GetParam();
  GREEKGRID_REQUIRE_FILE(path);
  MarketConfig market;
  market.rate = 0.05;
  market.dividend_yield = 0.015;
  const LoadedBook loaded = load(path, market, kNaive);
  ScenarioConfig scenarios;
  scenarios.spots = 11;
  scenarios.iv_shifts = {-0.1, 0.0, 0.1};
  const auto times = make_times(scenarios, Calendar(), loaded.snapshot.quote_time);
  const auto reference = make_reference_backend();
  for (const IvRuleChoice rule :
       {IvRuleChoice{IvRuleName::kStickyStrike, 1.0}, IvRuleChoice{IvRuleName::kRelativeBeta, 10.0},
        IvRuleChoice{IvRuleName::kStickyMoneyness, 0.0}, IvRuleChoice{IvRuleName::kStickyLocalVolatility, 2.0},
        IvRuleChoice{IvRuleName::kSkewStickiness, -4.0}}) {
    const GridView grid = make_grid(scenarios, rule, times, loaded.scale);
    const auto evaluate = [&](Backend& backend) {
      std::vector<double> out(kGreekCount * grid.scenarios());
      const ExposureJob job = {loaded.view, grid, 1, out};
      backend.evaluate(GreekSet::all(), {&job, 1});
      return out;
    };
    const auto expected = evaluate(*reference);
    for (const auto& [precision, tolerance] : {std::pair{Precision::kFp32, 5e-6}, std::pair{Precision::kFp64, 1e-11}}) {
      const auto actual = evaluate(*make_cpu_backend(precision));
      for (std::size_t g = 0; g < kGreekCount; ++g) {
        const auto worst = test::compare_surface(std::span(actual).subspan(g * grid.scenarios(), grid.scenarios()),
                                                 std::span(expected).subspan(g * grid.scenarios(), grid.scenarios()));
        EXPECT_LE(worst.relative_to_maximum, tolerance)
            << name(kAllGreeks[g]) << " cell " << worst.cell << ", rule " << name(rule.rule);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Chains, RealChain,
                         testing::Values("cboe/spx_20230914_quotedata.csv", "cboe/amd_20230820_quotedata.csv",
                                         "cboe/ndx_20221212_quotedata.csv", "cboe/spx_20220323_es_quotedata.csv"),
                         [](const auto& instance) {
                           const std::string path = instance.param;
                           return path.substr(5, path.find("_quotedata") - 5);
                         });

// 16.0775 by an independent script over the vendor's volatilities alone, F = S, calendar time from the close at 16:00.
// Net gamma is a small residual of gross, so the forward decides it: 1e9 USD per 1 % and the flip under F = S and under
// parity, with the vendor's volatility and with our own. Tolerance: 10 % of each sum, 2 points of each move of the
// flip.
TEST(NetGamma, SpxOfSeptember2023MovesWithTheForward) {
  const auto path = test::data_dir() / "cboe/spx_20230914_quotedata.csv";
  GREEKGRID_REQUIRE_FILE(path);
  struct Result {
    double index, flip;
  };
  const auto net = [&](ForwardPreference forward, IvPreference iv) {
    MarketConfig market;
    market.forward_source = forward;
    market.iv_source = iv;
    market.iv_fill = false;  // the sums compared with leave out what has no volatility of its own source
    const LoadedBook loaded = load(path, market, kNaive);
    const std::vector<double> greeks = base_greeks(loaded.view, loaded.snapshot.quote_time, 1e-4);
    LevelInputs in;
    in.book = loaded.view;
    in.greeks = greeks;
    in.quote_time = loaded.snapshot.quote_time;
    in.iv_floor = 1e-4;
    const TickerLevels levels = compute_levels(in, *make_cpu_backend(Precision::kFp64));
    return Result{levels.level[0][LevelName::kGammaIndex].value, levels.level[0][LevelName::kZeroGamma].value};
  };
  const Result vendor_spot = net(ForwardPreference::kSpot, IvPreference::kVendor);
  const Result vendor_parity = net(ForwardPreference::kParity, IvPreference::kVendor);
  const Result own_spot = net(ForwardPreference::kSpot, IvPreference::kOwn);
  const Result own_parity = net(ForwardPreference::kParity, IvPreference::kOwn);
  EXPECT_NEAR(vendor_spot.index, 16.0775, 2e-3);
  EXPECT_NEAR(vendor_parity.index, 32.3, 3.23);
  EXPECT_NEAR(own_spot.index, 7.2, 0.72);
  EXPECT_NEAR(own_parity.index, 22.0, 2.2);
  EXPECT_NEAR(vendor_parity.flip - vendor_spot.flip, -11.0, 2.0);
  EXPECT_NEAR(own_parity.flip - own_spot.flip, -13.0, 2.0);
}

// Published for this very file: total gamma -11.00 $bn per 1 %, flip 4,734 (exactly -10.9987 and 4734.48).
TEST(Folklore, ReproducesThePublishedNumbers) {
  const auto path = test::data_dir() / "cboe/spx_20240107_quotedata.csv";
  GREEKGRID_REQUIRE_FILE(path);
  const OptionChain chain = ingest(std::span(&path, 1), Calendar(), IngestOptions());
  const FolkloreGamma folklore = folklore_gamma(chain, 0);
  EXPECT_NEAR(folklore.total, -10.9987, 5e-5);
  ASSERT_EQ(folklore.flips.size(), 1U);
  EXPECT_NEAR(folklore.flips[0], 4734.48, 0.005);
}

}  // namespace
}  // namespace greekgrid

// From real vendor files to exposures: backends against the reference, net gamma against independent numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <string_view>

#include "greekgrid/host/attribution.hpp"
#include "greekgrid/host/folklore.hpp"
#include "greekgrid/host/levels.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/host/profile.hpp"
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
  const auto positions = dealer_positions(loaded.snapshot, models);
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

// The market of an index: a rate and a yield that are not 0.
MarketConfig index_market() {
  MarketConfig market;
  market.rate = 0.05;
  market.dividend_yield = 0.015;
  return market;
}

class RealChain : public testing::TestWithParam<const char*> {};

// Every contract of the chain; fewer spots and shifts than a night's grid, over the same ranges and times.
TEST_P(RealChain, CpuEquivalentToReference) {
  const auto path = test::data_dir() / GetParam();
  GREEKGRID_REQUIRE_FILE(path);
  const LoadedBook loaded = load(path, index_market(), kNaive);
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

// The evaluators of a night against brute force in fp64 (itself within 1e-11 of the reference above), at every spot of
// the default grid: the chain, with hours to live at many of the instants; its twelve contracts of most weight; and
// neighbouring strikes held long and short against each other. Each surface is within the tolerance of its maximum and
// within the bound that is reported.
TEST_P(RealChain, SpectralWithinTheTolerance) {
  const auto path = test::data_dir() / GetParam();
  GREEKGRID_REQUIRE_FILE(path);
  const LoadedBook loaded = load(path, index_market(), kNaive);
  ScenarioConfig scenarios;
  scenarios.iv_shifts = {-0.1, 0.02};
  const auto times = make_times(scenarios, Calendar(), loaded.snapshot.quote_time);
  const GridView grid = make_grid(scenarios, {IvRuleName::kStickyStrike, 1.0}, times, loaded.scale);

  std::vector<double> few(loaded.weights.size(), 0.0), cancelling = few;
  std::vector<double> sizes;
  for (const double weight : loaded.weights) sizes.push_back(std::abs(weight));
  std::nth_element(sizes.begin(), sizes.begin() + 11, sizes.end(), std::greater<>());
  for (std::size_t i = 0; i < few.size(); ++i) {
    if (std::abs(loaded.weights[i]) >= sizes[11]) few[i] = loaded.weights[i];
    if (i + 2 < few.size()) {
      cancelling[i] += loaded.weights[i];
      cancelling[i + 2] -= loaded.weights[i];
    }
  }
  std::size_t short_dated = 0;
  for (const std::int64_t time : times) {
    for (const std::int64_t settlement : loaded.view.settlement) {
      short_dated += settlement > time && settlement - time < 86400 ? 1 : 0;
    }
  }
  // The others were quoted at a weekend.
  const bool daily = std::string_view(GetParam()).find("spx") != std::string_view::npos;
  EXPECT_GE(short_dated, daily ? 1U : 0U);

  for (const auto& [which, weights] : {std::pair{"all", &loaded.weights}, {"few", &few}, {"cancelling", &cancelling}}) {
    BookView book = loaded.view;
    book.weight = *weights;
    const auto evaluate = [&](Backend& backend, EvaluationReport* report) {
      std::vector<double> out(kGreekCount * grid.scenarios());
      const ExposureJob job = {book, grid, 1, out, report};
      backend.evaluate(GreekSet::all(), {&job, 1});
      return out;
    };
    const auto expected = evaluate(*make_cpu_backend(Precision::kFp64), nullptr);
    for (const auto& [precision, tolerance] :
         {std::pair{Precision::kFp32, 5e-6}, {Precision::kFp32, 1e-6}, {Precision::kFp64, 2e-8}}) {
      EvaluationReport report;
      const auto actual = evaluate(*make_cpu_backend(precision, {Evaluator::kSpectral, tolerance}), &report);
      EXPECT_TRUE(report.spectral) << which << " " << tolerance;
      EXPECT_LE(report.bound, tolerance) << which;
      double most = 0.0;
      for (std::size_t g = 0; g < kGreekCount; ++g) {
        const auto worst = test::compare_surface(std::span(actual).subspan(g * grid.scenarios(), grid.scenarios()),
                                                 std::span(expected).subspan(g * grid.scenarios(), grid.scenarios()));
        EXPECT_LE(worst.relative_to_maximum, report.bound + 2e-11)
            << which << " " << name(kAllGreeks[g]) << " cell " << worst.cell << " at " << tolerance;
        most = std::max(most, worst.relative_to_maximum);
      }
      std::cout << which << ", tolerance " << tolerance << ": bound " << report.bound << ", worst cell " << most << ", "
                << report.fp64_rows << " of the rows in fp64, attempts " << report.attempts << '\n';
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

// The identity that makes GX what it is called, at every cell of a night's grid: S GX = dDX / d ln S. Differences along
// the stored axis are too coarse (a step is a tenth of an expected move, of the order of the nearest expiries'
// deviations), so DX is evaluated again h and 2 h to either side of every cell, with what settles at that instant or
// before left out: its delta is a step and its gamma 0. Delta is e^(-q tau) N(d1) with d1 linear in ln S, of slope 1/s,
// s = sigma sqrt(tau), so the bounds are sums over contracts:
//   difference of fourth order: h^4 / 30 times the fifth derivative of N, at most 3 / sqrt(2 pi) = 1.2, over s^5
//   rounding: 18 / (12 h) times that of a delta, a few eps and a few of ln S through 0.4 / s
//   gamma itself: 1e-11 of the largest of its surface, the promise of the backend
TEST(RealSurface, GxIsTheDerivativeOfDxAtEveryCell) {
  const auto path = test::data_dir() / "cboe/spx_20230914_quotedata.csv";
  GREEKGRID_REQUIRE_FILE(path);
  const LoadedBook loaded = load(path, MarketConfig(), kNaive);
  const BookView& book = loaded.view;
  ScenarioConfig scenarios;
  scenarios.iv_shifts = {0.0};
  const auto times = make_times(scenarios, Calendar(), loaded.snapshot.quote_time);
  const GridView grid = make_grid(scenarios, {IvRuleName::kStickyStrike, 1.0}, times, loaded.scale);
  const auto backend = make_cpu_backend(Precision::kFp64);
  std::vector<double> gx(grid.scenarios());
  const ExposureJob surface = {book, grid, 1, gx};
  backend->evaluate({Greek::kGamma}, {&surface, 1});

  constexpr double kStep = 3e-5, kEps = 2.2e-16;
  const auto spot_at = [&](std::size_t j) {
    return book.spot * std::exp(grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step);
  };
  double steepest = 0.0;  // of the surface, S GX
  for (std::size_t c = 0; c < gx.size(); ++c) steepest = std::max(steepest, std::abs(spot_at(c % grid.spots) * gx[c]));
  for (std::size_t t = 0; t < times.size(); ++t) {
    std::vector<double> weight(book.weight.begin(), book.weight.end());
    double tolerance = 1e-11 * steepest;
    for (std::size_t e = 0; e < book.expiries(); ++e) {
      const double tau = static_cast<double>(book.settlement[e] - times[t]) / kSecondsPerYear;
      for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
           i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
        if (tau <= 0.0) weight[i] = 0.0;
        if (weight[i] == 0.0) continue;
        const double s = std::max(scenarios.iv_floor, book.implied_volatility[i]) * std::sqrt(tau);
        tolerance += std::abs(weight[i]) * (std::pow(kStep, 4.0) / 30.0 * 1.2 / std::pow(s, 5.0) +
                                            18.0 / (12.0 * kStep) * kEps * (4.0 + 4.0 * 0.4 / s));
      }
    }
    EXPECT_LT(tolerance, 1e-6 * steepest) << "instant " << t;
    BookView alive = book;
    alive.weight = weight;
    GridView one = grid;
    one.time = std::span(times).subspan(t, 1);
    const double offsets[] = {-2.0, -1.0, 1.0, 2.0};
    std::vector<double> dx(std::size(offsets) * grid.spots);
    std::vector<ExposureJob> jobs;
    for (std::size_t k = 0; k < std::size(offsets); ++k) {
      GridView moved = one;
      moved.log_spot_begin += offsets[k] * kStep;
      jobs.push_back({alive, moved, 1, std::span(dx).subspan(k * grid.spots, grid.spots)});
    }
    backend->evaluate({Greek::kDelta}, jobs);
    for (std::size_t j = 0; j < grid.spots; ++j) {
      const auto at = [&](std::size_t k) { return dx[k * grid.spots + j]; };
      const double slope = (8.0 * (at(2) - at(1)) - (at(3) - at(0))) / (12.0 * kStep);
      ASSERT_NEAR(spot_at(j) * gx[t * grid.spots + j], slope, tolerance) << "instant " << t << ", spot " << j;
    }
  }
}

// One book summed in four ways: the surface's cells, the profiles, the levels and an attribution's change of DX.
TEST(RealSurface, LevelsProfilesAndAttributionAreOfTheSurface) {
  const auto path = test::data_dir() / "cboe/spx_20230914_quotedata.csv";
  GREEKGRID_REQUIRE_FILE(path);
  const LoadedBook loaded = load(path, MarketConfig(), kNaive);
  const BookView& book = loaded.view;
  const Snapshot& snapshot = loaded.snapshot;
  const Instant now = snapshot.quote_time;
  constexpr double kFloor = 0.01, kMove = 0.008;
  const std::vector<Instant> closes = Calendar().closes_after(now, 5);
  const std::vector<double> greeks = base_greeks(book, now, kFloor);

  // DX and GX at spot, and at a move of spot, volatility and time together.
  const Instant times[] = {now, closes[0]};
  const double shifts[] = {0.0, 0.01};
  GridView grid;
  grid.quote_time = times[0];
  grid.time = times;
  grid.iv_shift = shifts;
  grid.iv_floor = kFloor;
  grid.log_spot_begin = -kMove;
  grid.log_spot_step = kMove;
  grid.spots = 3;
  std::vector<double> values(2 * grid.scenarios());
  const ExposureJob job = {book, grid, 1, values};
  make_reference_backend()->evaluate({Greek::kDelta, Greek::kGamma}, {&job, 1});
  const auto dx = [&](std::size_t t, std::size_t v, std::size_t j) { return values[(t * 2 + v) * 3 + j]; };
  const double gx = values[grid.scenarios() + 1];
  double gross_dx = 0.0, gross_gx = 0.0;
  for (std::size_t i = 0; i < book.contracts(); ++i) {
    gross_dx += std::abs(book.weight[i]);
    gross_gx += std::abs(book.weight[i] * greeks[static_cast<std::size_t>(Greek::kGamma) * book.contracts() + i]);
  }
  // Sums of some 10^4 contracts in other orders: 1e-12 of their magnitudes.
  const double shares = 1e-12 * gross_dx, shares_per_usd = 1e-12 * gross_gx;

  ProfileInputs profile_inputs;
  profile_inputs.book = book;
  profile_inputs.greeks = greeks;
  profile_inputs.multiplier = snapshot.multiplier;
  profile_inputs.open_interest = snapshot.open_interest;
  profile_inputs.volume = snapshot.volume;
  profile_inputs.buckets = bucket_ends(Calendar(), now);
  const Profile profile = make_profile(profile_inputs);
  for (const GroupExposures* part : {&profile.by_strike, &profile.by_expiry, &profile.by_bucket}) {
    double delta = 0.0, gamma = 0.0;
    for (std::size_t row = 0; row < part->call[0].size(); ++row) {
      delta += part->call[0][row] + part->put[0][row];
      gamma += part->call[1][row] + part->put[1][row];
    }
    EXPECT_NEAR(delta, dx(0, 0, 1), shares);
    EXPECT_NEAR(gamma, gx, shares_per_usd);
  }

  LevelInputs in;
  in.book = book;
  in.greeks = greeks;
  in.quote_time = now;
  in.closes = closes;
  in.front_end = closes[4];
  in.iv_floor = kFloor;
  in.expected_move = kMove;
  const TickerLevels levels = compute_levels(in, *make_cpu_backend(Precision::kFp64));
  const LevelRow& row = levels.level[0];
  EXPECT_NEAR(row[LevelName::kGammaIndex].value, 0.01 * book.spot * book.spot * gx / 1e9,
              0.01 * book.spot * book.spot * shares_per_usd / 1e9);
  // The backend promises 1e-11 of the largest DX.
  EXPECT_NEAR(row[LevelName::kHedgeUp].value, -(dx(0, 0, 2) - dx(0, 0, 1)), 10.0 * shares);
  EXPECT_NEAR(row[LevelName::kHedgeDown].value, -(dx(0, 0, 0) - dx(0, 0, 1)), 10.0 * shares);
  // Every root is one of the plain closed form: 1e-4 of spot is promised, 1e-6 asked for.
  std::size_t roots = 0;
  for (const CrossingRow& crossing : levels.crossing[0]) {
    if (crossing.kind != CrossingKind::kZeroGamma) continue;
    ++roots;
    const double below = gamma_exposure(book, now, kFloor, crossing.price * (1.0 - 1e-6)).gamma;
    const double above = gamma_exposure(book, now, kFloor, crossing.price * (1.0 + 1e-6)).gamma;
    EXPECT_LT(below * above, 0.0) << crossing.price;
    EXPECT_EQ(above > 0.0, crossing.slope > 0.0) << crossing.price;
  }
  EXPECT_GE(roots, 1U);
  EXPECT_EQ(row[LevelName::kZeroGammaCount].value, static_cast<double>(roots));

  const Move move[] = {{kMove, 0.01, closes[0]}};
  const Attribution parts = attribute(book, 1, now, kFloor, profile.strike, move);
  for (const std::vector<double>* rows : {&parts.by_expiry, &parts.by_strike}) {
    double term[kAttributionTerms] = {};
    for (std::size_t cell = 0; cell < rows->size(); ++cell) term[cell % kAttributionTerms] += (*rows)[cell];
    const double start = dx(0, 0, 1);
    EXPECT_NEAR(term[static_cast<std::size_t>(AttributionTerm::kTotal)], dx(1, 1, 2) - start, shares);
    EXPECT_NEAR(term[static_cast<std::size_t>(AttributionTerm::kGamma)], dx(0, 0, 2) - start, shares);
    EXPECT_NEAR(term[static_cast<std::size_t>(AttributionTerm::kVanna)], dx(0, 1, 1) - start, shares);
    EXPECT_NEAR(term[static_cast<std::size_t>(AttributionTerm::kCharm)], dx(1, 0, 1) - start, shares);
  }
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

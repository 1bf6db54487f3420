// The spectral evaluator against the plain double reference: every Greek within what was asked for, and within what the
// report says.

#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <cmath>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/normal.hpp"
#include "greekgrid_test/books.hpp"
#include "spectral/plan.hpp"

namespace greekgrid {
namespace {

using test::Book;
using test::Grid;
using test::kQuoteTime;

constexpr std::int64_t kDay = 86400;

struct Case {
  std::string name;
  Book book;
  Grid grid;
  std::size_t positions = 1;
};

// The grid of a night: ten expected moves, shifts of up to ten vol points, instants a session apart.
Grid night_grid(std::size_t times, double volatility, std::size_t spots = 201) {
  Grid grid = test::session_grid(times, 1, spots, 10.0 * volatility / std::sqrt(252.0));
  grid.iv_shift = {-0.1, -0.04, 0.0, 0.1};
  grid.view.iv_floor = 0.01;
  return grid;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"index", test::index_like_book(1500), night_grid(3, 0.2)});
  all.push_back({"index_with_positions", test::index_like_book(400, 3), night_grid(2, 0.2), 3});
  all.push_back({"twelve_contracts", test::index_like_book(12), night_grid(2, 0.2)});
  all.push_back({"even_spots", test::index_like_book(300), night_grid(2, 0.2, 64)});
  all.push_back({"many_spots", test::index_like_book(300), night_grid(1, 0.2, 1001)});
  all.push_back({"three_spots", test::index_like_book(300), night_grid(1, 0.2, 3)});
  {
    Case c{"basis_and_an_uncentred_grid", test::index_like_book(300), night_grid(2, 0.2)};
    c.book.spot_basis = 0.0123;
    c.grid.view.log_spot_begin += 0.04;
    c.grid.view.iv_shift_term = IvShiftTerm::kSqrtTime;
    c.grid.view.iv_shift_term_cap = 4.0;
    all.push_back(std::move(c));
  }
  {
    // Settled before, at and after the instants; minutes to live; a zero weight among them; equal strikes.
    Case c{"zero_days", {}, night_grid(3, 0.2)};
    c.grid.time = {kQuoteTime, kQuoteTime + 3600, kQuoteTime + 7200};
    for (const int minutes : {-5, 3, 60, 90, 121, 390, 1440, 10080}) {
      c.book.add_expiry(kQuoteTime + minutes * 60, 0.05, 0.02);
      for (int i = -20; i <= 20; ++i) {
        c.book.add(100.0 + 0.25 * i, i % 2 == 0 ? 1 : -1, 0.2 - 0.003 * i + 0.0004 * i * i,
                   {i % 5 == 0 ? 0.0 : 100.0 + 13.0 * i});
        c.book.add(100.0 + 0.25 * i, 1, 0.2, {40.0});
      }
    }
    all.push_back(std::move(c));
  }
  {
    // Strikes from wing to wing, volatilities from the floor to absurd ones, years to live, high rates and yields.
    Case c{"wings", {}, night_grid(2, 0.6)};
    for (const auto& [days, rate, yield] : {std::tuple{30, 0.05, 0.03}, {400, 0.12, -0.02}, {1500, 0.0, 0.15}}) {
      c.book.add_expiry(kQuoteTime + days * kDay, rate, yield);
      for (const double k : {0.01, 1.0, 20.0, 60.0, 90.0, 100.0, 110.0, 180.0, 500.0, 1e5}) {
        c.book.add(k, 1, 0.2 + 0.01 * std::log(k) * std::log(k), {1000.0});
        c.book.add(k, -1, 3.0, {-700.0});
        c.book.add(k, -1, 0.005, {300.0});
        c.book.add(k, 1, 11.0, {50.0});
      }
    }
    all.push_back(std::move(c));
  }
  {
    // Long and short of neighbouring strikes: the surface is a thousandth of what is summed.
    Case c{"cancelling", {}, night_grid(2, 0.2)};
    for (const int days : {1, 7, 30, 180}) {
      c.book.add_expiry(kQuoteTime + days * kDay, 0.04, 0.01);
      for (int i = -40; i <= 40; ++i) {
        c.book.add(100.0 + 0.5 * i, 1, 0.2 + 0.0001 * i, {1000.0});
        c.book.add(100.0 + 0.5 * i, -1, 0.2 + 0.0001 * i, {-1000.0});
        c.book.add(100.02 + 0.5 * i, 1, 0.2 + 0.0001 * i, {-1000.0});
        c.book.add(100.02 + 0.5 * i, -1, 0.2 + 0.0001 * i, {1000.5});
      }
    }
    all.push_back(std::move(c));
  }
  {
    Case c{"one_contract", {}, night_grid(1, 0.2)};
    c.book.add_expiry(kQuoteTime + 20 * kDay, 0.04, 0.01);
    c.book.add(101.0, -1, 0.2, {100.0});
    all.push_back(std::move(c));
  }
  {
    Case c{"no_weights", {}, night_grid(1, 0.2)};
    c.book.add_expiry(kQuoteTime + 20 * kDay, 0.04, 0.01);
    c.book.add(101.0, -1, 0.2, {0.0});
    all.push_back(std::move(c));
  }
  all.push_back({"no_contracts", {}, night_grid(1, 0.2)});
  return all;
}

struct Evaluated {
  std::vector<double> exposure;
  EvaluationReport report;
};

Evaluated evaluate(Backend& backend, GreekSet greeks, const Case& c) {
  Evaluated result;
  const GridView grid = c.grid.get();
  result.exposure.assign(greeks.size() * c.positions * grid.scenarios(), NAN);
  ExposureJob job = {c.book.view(), grid, c.positions, result.exposure, &result.report};
  backend.evaluate(greeks, {&job, 1});
  return result;
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> all = cases();
  return all;
}
const std::vector<std::vector<double>>& expected() {
  static const std::vector<std::vector<double>> all = [] {
    std::vector<std::vector<double>> results;
    for (const Case& c : all_cases())
      results.push_back(evaluate(*make_reference_backend(), GreekSet::all(), c).exposure);
    return results;
  }();
  return all;
}

// Each surface within the tolerance of its maximum, and within the bound that the report states. `all` are the results
// of the reference for all Greeks.
void expect_within(Precision precision, double tolerance, GreekSet greeks, const std::string& under, const Case& c,
                   const std::vector<double>& all) {
  const auto backend = make_cpu_backend(precision, {Evaluator::kSpectral, tolerance});
  const Evaluated result = evaluate(*backend, greeks, c);
  const std::size_t cells = c.grid.get().scenarios();
  for (const Greek greek : kAllGreeks) {
    if (!greeks.contains(greek)) continue;
    for (std::size_t w = 0; w < c.positions; ++w) {
      const std::span<const double> actual(result.exposure.data() + (greeks.index(greek) * c.positions + w) * cells,
                                           cells);
      const std::span<const double> truth(all.data() + (static_cast<std::size_t>(greek) * c.positions + w) * cells,
                                          cells);
      const auto worst = test::compare_surface(actual, truth);
      // Where it hands the job over, brute force makes no promise but its own.
      const double promised = result.report.spectral ? std::min(tolerance, result.report.bound)
                                                     : (precision == Precision::kFp32 ? 5e-6 : 1e-11);
      EXPECT_LE(worst.relative_to_maximum, promised + 1e-11)
          << under << " " << c.name << " " << name(greek) << " position " << w << " cell " << worst.cell << ": "
          << worst.actual << " for " << worst.expected << ", largest " << worst.maximum << ", attempts "
          << result.report.attempts;
    }
  }
}

void expect_within(Precision precision, double tolerance, GreekSet greeks, const std::string& under) {
  for (std::size_t i = 0; i < all_cases().size(); ++i) {
    expect_within(precision, tolerance, greeks, under, all_cases()[i], expected()[i]);
  }
}

TEST(Spectral, EquivalentToReferenceWithinTheTolerance) {
  for (const double tolerance : {1e-6, 2e-8}) {
    expect_within(Precision::kFp64, tolerance, GreekSet::all(), "fp64");
  }
  for (const double tolerance : {1e-4, 5e-6, 1e-6}) {
    expect_within(Precision::kFp32, tolerance, GreekSet::all(), "fp32");
  }
}

TEST(Spectral, EquivalentToReferenceForAnySetOfGreeks) {
  for (const Greek greek : kAllGreeks) {
    expect_within(Precision::kFp64, 1e-6, {greek}, std::string(name(greek)));
    expect_within(Precision::kFp32, 1e-5, {greek}, std::string(name(greek)));
  }
  expect_within(Precision::kFp32, 5e-6, kGreeks3, "three");
  expect_within(Precision::kFp32, 5e-6, kGreeks11, "eleven");
}

TEST(Spectral, EquivalentToReferenceOnEveryInstructionSet) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    expect_within(Precision::kFp64, 1e-6, GreekSet::all(), hwy::TargetName(target));
    expect_within(Precision::kFp32, 1e-5, GreekSet::all(), hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
}

// The halves of a row are written in vectors, and what is over of them by itself: every remainder, of odd and even
// numbers of spots, with and without contracts that were evaluated at the spots before.
TEST(Spectral, EquivalentToReferenceAtAnyNumberOfSpots) {
  const auto reference = make_reference_backend();
  Case c{"", {}, {}, 2};
  for (const int hours : {3, 30, 24 * 20, 24 * 300}) {
    c.book.add_expiry(kQuoteTime + hours * 3600, 0.05, 0.02);
    for (int i = -4; i <= 4; ++i)
      c.book.add(100.0 + 1.5 * i, i % 2 == 0 ? 1 : -1, 0.2 - 0.002 * i, {50.0 + 7.0 * i, -1.0 * i});
  }
  for (std::size_t spots = 3; spots <= 36; ++spots) {
    c.name = std::to_string(spots) + " spots";
    c.grid = night_grid(2, 0.2, spots);
    const std::vector<double> all = evaluate(*reference, GreekSet::all(), c).exposure;
    const EvaluationReport report =
        evaluate(*make_cpu_backend(Precision::kFp64, {Evaluator::kSpectral, 1e-8}), GreekSet::all(), c).report;
    EXPECT_TRUE(report.spectral && report.at_nodes > 0 && report.direct > 0) << c.name;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      expect_within(Precision::kFp64, 1e-8, GreekSet::all(), hwy::TargetName(target), c, all);
      expect_within(Precision::kFp32, 1e-5, GreekSet::all(), hwy::TargetName(target), c, all);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

TEST(Spectral, ReportsWhatItDid) {
  const auto find = [](const std::string& name) -> const Case& {
    for (const Case& c : all_cases()) {
      if (c.name == name) return c;
    }
    throw std::logic_error(name);
  };
  const auto report = [&](const std::string& name, Precision precision, double tolerance) {
    return evaluate(*make_cpu_backend(precision, {Evaluator::kSpectral, tolerance}), kGreeks11, find(name)).report;
  };
  const EvaluationReport loose = report("index", Precision::kFp32, 1e-4);
  EXPECT_TRUE(loose.spectral);
  EXPECT_EQ(loose.fp64_rows, 0.0);
  EXPECT_EQ(loose.attempts, 1);
  EXPECT_GT(loose.bound, 0.0);
  EXPECT_LE(loose.bound, 1e-4);
  EXPECT_GT(loose.at_nodes, 0);
  EXPECT_GT(loose.direct, 0);  // hours to live under a shift of -0.1
  const EvaluationReport tight = report("index", Precision::kFp32, 1e-8);
  EXPECT_TRUE(tight.spectral);
  EXPECT_EQ(tight.fp64_rows, 1.0);
  EXPECT_GT(tight.at_nodes, loose.at_nodes);
  // Rows that single precision cannot keep, alone: those under the lowest shift are the sharpest.
  const EvaluationReport mixed = report("index", Precision::kFp32, 3e-6);
  EXPECT_GT(mixed.fp64_rows, 0.0);
  EXPECT_LT(mixed.fp64_rows, 0.5);
  EXPECT_EQ(mixed.attempts, 2);
  EXPECT_LE(mixed.bound, 3e-6);
  // What cancels takes single precision out of reach, and more nodes.
  const EvaluationReport cancelling = report("cancelling", Precision::kFp32, 5e-6);
  EXPECT_TRUE(cancelling.spectral);
  EXPECT_GT(cancelling.fp64_rows, 0.0);
  EXPECT_GT(cancelling.attempts, 1);
  EXPECT_LE(cancelling.bound, 5e-6);
}

TEST(Spectral, LeavesOtherRulesAndSmallJobsToBruteForce) {
  Case c = all_cases()[1];
  c.book.add_smiles();
  for (const auto& [rule, parameter] : {std::pair{IvRule::kRelativeBeta, 10.0}, {IvRule::kSkewStickiness, 0.0}}) {
    c.grid.view.iv_rule = rule;
    c.grid.view.iv_rule_parameter = parameter;
    const Evaluated spectral =
        evaluate(*make_cpu_backend(Precision::kFp64, {Evaluator::kSpectral, 1e-6}), kGreeks11, c);
    EXPECT_FALSE(spectral.report.spectral);
    EXPECT_EQ(spectral.exposure, evaluate(*make_cpu_backend(Precision::kFp64), kGreeks11, c).exposure);
  }
  // A stickiness of 1 is sticky strike.
  c.grid.view.iv_rule_parameter = 1.0;
  EXPECT_TRUE(evaluate(*make_cpu_backend(Precision::kFp64, {Evaluator::kAuto, 1e-6}), kGreeks11, c).report.spectral);
  // Brute force in its place keeps to the tolerance too.
  c.grid.view.iv_rule_parameter = 0.0;
  EXPECT_EQ(evaluate(*make_cpu_backend(Precision::kFp32, {Evaluator::kAuto, 1e-6}), kGreeks11, c).exposure,
            evaluate(*make_cpu_backend(Precision::kFp64), kGreeks11, c).exposure);
  EXPECT_EQ(evaluate(*make_cpu_backend(Precision::kFp32, {Evaluator::kAuto, 1e-5}), kGreeks11, c).exposure,
            evaluate(*make_cpu_backend(Precision::kFp32), kGreeks11, c).exposure);
  const Case& small = all_cases()[2];
  EXPECT_FALSE(
      evaluate(*make_cpu_backend(Precision::kFp64, {Evaluator::kAuto, 1e-6}), kGreeks11, small).report.spectral);
  EXPECT_FALSE(evaluate(*make_cpu_backend(Precision::kFp64), kGreeks11, all_cases()[0]).report.spectral);
}

TEST(Spectral, SameBitsForAnyThreadCountTogetherAndAlone) {
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const auto together = [&](int threads, bool backwards) {
      std::vector<Evaluated> results(all_cases().size());
      std::vector<ExposureJob> jobs;
      for (std::size_t k = 0; k < all_cases().size(); ++k) {
        const std::size_t i = backwards ? all_cases().size() - 1 - k : k;
        const Case& c = all_cases()[i];
        results[i].exposure.assign(kGreeks11.size() * c.positions * c.grid.get().scenarios(), NAN);
        jobs.push_back({c.book.view(), c.grid.get(), c.positions, results[i].exposure, &results[i].report});
      }
      const oneapi::tbb::global_control control(oneapi::tbb::global_control::max_allowed_parallelism,
                                                static_cast<std::size_t>(threads));
      oneapi::tbb::task_arena arena(threads);
      const auto backend = make_cpu_backend(precision, {Evaluator::kSpectral, 5e-6});
      arena.execute([&] { backend->evaluate(kGreeks11, jobs); });
      return results;
    };
    const auto one = together(1, false);
    const auto four = together(4, true);
    for (std::size_t i = 0; i < all_cases().size(); ++i) {
      EXPECT_EQ(one[i].exposure, four[i].exposure) << all_cases()[i].name;
      const auto alone =
          evaluate(*make_cpu_backend(precision, {Evaluator::kSpectral, 5e-6}), kGreeks11, all_cases()[i]);
      EXPECT_EQ(one[i].exposure, alone.exposure) << all_cases()[i].name;
      EXPECT_EQ(one[i].report.bound, alone.report.bound) << all_cases()[i].name;
    }
  }
}

// He_m(d) phi(d).
double hermite(int order, double d) {
  const double q = d * d;
  return formulas::normal_density(d) * (order == 1 ? d : order == 2 ? q - 1.0 : q * q - 6.0 * q + 3.0);
}

// The bound holds for interpolants that are formed and measured here, and is not far from them at its widest.
TEST(SpectralPlan, BoundsTheErrorOfInterpolation) {
  for (const std::size_t n : {16, 24, 48, 96, 128}) {
    const spectral::Level level = spectral::make_level(n);
    for (const int order : {1, 2, 4}) {
      for (const double error : {1e-4, 1e-7, 1e-10}) {
        const double width = spectral::widest(n, error, order);
        ASSERT_GT(width, 0.0);
        EXPECT_LE(spectral::node_error_bound(n, width, order), error);
        double worst = 0.0;
        for (double b = -width - 3.0; b <= width + 3.0; b += width / 9.0) {
          std::vector<double> coefficient(n, 0.0);
          for (std::size_t k = 0; k < n / 2; ++k) {
            const double up = hermite(order, width * level.node[k] + b);
            const double down = hermite(order, width * level.node[n - 1 - k] + b);
            for (std::size_t m = 0; m < n / 2; ++m) {
              coefficient[2 * m] += level.even[k * n / 2 + m] * (up + down);
              coefficient[2 * m + 1] += level.odd[k * n / 2 + m] * (up - down);
            }
          }
          for (double t = -1.0; t <= 1.0; t += 0.0137) {
            double sum = 0.0;
            for (std::size_t m = 0; m < n; ++m) sum += coefficient[m] * std::cos(static_cast<double>(m) * std::acos(t));
            worst = std::max(worst, std::abs(sum - hermite(order, width * t + b)));
          }
        }
        EXPECT_LE(worst, error + 1e-14) << n << " nodes, order " << order << ", width " << width;
        EXPECT_GE(worst, error * 1e-4 - 1e-14) << n << " nodes, order " << order << ", width " << width;
      }
    }
  }
}

TEST(SpectralPlan, GrowthCoefficientsMakeTheExponential) {
  for (const double l : {0.01, 0.3, 1.0, 4.0}) {
    const auto c = spectral::growth_coefficients(l);
    for (double t = -1.0; t <= 1.0; t += 0.25) {
      double sum = 0.0;
      for (std::size_t k = 0; k < c.size(); ++k) sum += c[k] * std::cos(static_cast<double>(k) * std::acos(t));
      EXPECT_NEAR(sum, std::exp(l * t), 1e-14 * std::exp(l)) << l << " " << t;
    }
  }
}

}  // namespace
}  // namespace greekgrid

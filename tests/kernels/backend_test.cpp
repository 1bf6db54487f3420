// Every backend that runs on the CPU against the plain double reference, over books that hold the hard cases.

#include "greekgrid/kernels/backend.hpp"

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <cmath>

#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

using test::Book;
using test::Grid;
using test::kQuoteTime;

// fp32: d carries 2 ulp of 6e-8 and exp multiplies them by |d| <= 5 where the density matters, the two approximations
// add 1.4e-7: about 1e-6 of one contract's term; with signs that cancel in the sum the surface maximum is a tenth of
// gross on real books, and errors of many contracts average. fp64: the same count with 2.2e-16, cancellation up to 1e3.
constexpr double kTolerance32 = 5e-6;
constexpr double kTolerance64 = 1e-11;

struct Case {
  std::string name;
  Book book;
  Grid grid;
};

void follow_smile(Case& c, double stickiness) {
  c.book.add_smiles();
  c.grid.view.iv_rule = IvRule::kSkewStickiness;
  c.grid.view.iv_rule_parameter = stickiness;
}

std::vector<Case> skew_stickiness_cases() {
  std::vector<Case> all;
  for (const auto& [name, stickiness] : {std::pair{"sticky_moneyness", 0.0}, std::pair{"sticky_local_volatility", 2.0},
                                         std::pair{"stickiness_of_one", 1.0}, std::pair{"stickiness_of_1.5", 1.5}}) {
    Case c{name, test::index_like_book(300, 2), test::session_grid(3, 3, 41, 0.08)};
    follow_smile(c, stickiness);
    c.book.spot_basis = 0.0023;
    all.push_back(std::move(c));
  }
  for (const double stickiness : {-10.0, 10.0}) {
    // Volatility runs up the wings on one side and into the floor on the other.
    Case c{stickiness < 0 ? "stickiness_of_-10" : "stickiness_of_10", test::index_like_book(400),
           test::session_grid(2, 5, 41, 0.08)};
    follow_smile(c, stickiness);
    c.grid.view.iv_shift_term = IvShiftTerm::kSqrtTime;
    c.grid.view.iv_shift_term_cap = 4.0;
    c.grid.view.iv_floor = 0.12;
    all.push_back(std::move(c));
  }
  {
    // One expiry of more contracts than share a table, which settles at the second instant.
    Case c{"stickiness_over_many_spots", test::index_like_book(130), test::session_grid(2, 1, 1501, 0.1)};
    c.grid.time[1] = c.book.settlement[0];
    follow_smile(c, 0.5);
    all.push_back(std::move(c));
  }
  {
    // Hours and minutes to live, strikes around spot and far out, settling at an instant and between instants.
    Case c{"stickiness_0dte", {}, test::session_grid(3, 3, 61, 0.03)};
    c.grid.time = {kQuoteTime, kQuoteTime + 3600, kQuoteTime + 7200};
    for (const int minutes : {3, 60, 90, 121, 390}) {
      c.book.add_expiry(kQuoteTime + minutes * 60, 0.05, 0.02);
      for (int i = -20; i <= 20; ++i) {
        c.book.add(100.0 + 0.25 * i, i % 2 == 0 ? 1 : -1, 0.2 - 0.01 * i + 0.001 * i * i, {100.0 + 13.0 * i});
      }
    }
    follow_smile(c, 0.0);
    // Spots are known to 2e-16, d1 to that over sigma sqrt(tau): a minute before settlement 1 % would leave 1e-11 of
    // it.
    c.grid.view.iv_floor = 0.03;
    all.push_back(std::move(c));
  }
  {
    Case c{"stickiness_in_deep_wings", {}, test::session_grid(2, 3, 33, 0.5)};
    c.book.add_expiry(kQuoteTime + 30 * 86400, 0.05, 0.03);
    for (double k : {0.01, 1.0, 20.0, 90.0, 100.0, 500.0, 1e5}) {
      c.book.add(k, 1, 0.2, {1000.0});
      c.book.add(k, -1, 3.0, {-700.0});
    }
    c.book.add_expiry(kQuoteTime + 3 * 365 * 86400LL, 0.05, 0.03);
    for (double k : {20.0, 90.0, 100.0, 400.0}) c.book.add(k, -1, 11.0, {900.0});
    follow_smile(c, 0.0);
    c.book.smile[0].s = 0.0;  // a kink instead of a curve
    all.push_back(std::move(c));
  }
  {
    Case c{"stickiness_of_a_flat_smile", test::index_like_book(100), test::session_grid(2, 3, 33, 0.1)};
    follow_smile(c, 0.0);
    for (auto& smile : c.book.smile) smile.b = 0.0;
    all.push_back(std::move(c));
  }
  {
    Case c{"stickiness_of_one_contract", {}, test::session_grid(1, 1, 3, 0.05)};
    c.book.add_expiry(kQuoteTime + 86400, 0.04, 0.01);
    c.book.add(101.0, -1, 0.2, {100.0});
    follow_smile(c, 0.0);
    all.push_back(std::move(c));
  }
  return all;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"index_like", test::index_like_book(1500), test::session_grid(4, 3, 41, 0.15)});
  all.push_back({"three_positions", test::index_like_book(300, 3), test::session_grid(3, 3, 33, 0.1)});
  {
    Case c{"relative_beta", test::index_like_book(600), test::session_grid(3, 3, 41, 0.08)};
    c.grid.view.iv_rule = IvRule::kRelativeBeta;
    c.grid.view.iv_rule_parameter = 10.0;
    all.push_back(std::move(c));
  }
  for (Case& c : skew_stickiness_cases()) all.push_back(std::move(c));
  {
    Case c{"sqrt_time_shift_on_the_floor", test::index_like_book(600), test::session_grid(3, 9, 41, 0.1)};
    c.grid.view.iv_shift_term = IvShiftTerm::kSqrtTime;
    c.grid.view.iv_shift_term_cap = 4.0;
    c.grid.view.iv_floor = 0.12;
    all.push_back(std::move(c));
  }
  {
    Case c{"spot_basis", test::index_like_book(400), test::session_grid(2, 1, 21, 0.1)};
    c.book.spot_basis = 0.0023;
    all.push_back(std::move(c));
  }
  {
    // Settles exactly at an instant of the grid, between instants, minutes after an instant; strikes on grid spots.
    Case c{"settles_inside_the_grid", {}, test::session_grid(4, 3, 21, 0.05)};
    c.book.add_expiry(kQuoteTime + 600, 0.05, 0.02);
    for (double k : {98.0, 100.0, 100.5}) c.book.add(k, 1, 0.3, {100.0});
    c.book.add_expiry(kQuoteTime + 86400, 0.05, 0.02);
    for (double k : {95.0, 100.0, 103.0}) c.book.add(k, 1, 0.3, {300.0});
    for (double k : {95.0, 100.0, 103.0}) c.book.add(k, -1, 0.3, {-500.0});
    c.book.add_expiry(kQuoteTime + 86400 + 60, 0.05, 0.02);
    for (double k : {95.0, 100.0, 103.0}) c.book.add(k, -1, 0.25, {70.0});
    c.book.add_expiry(kQuoteTime + 400000, 0.05, 0.02);
    c.book.add(100.0, 1, 0.2, {11.0});
    all.push_back(std::move(c));
  }
  {
    Case c{"deep_wings_and_extreme_volatility", {}, test::session_grid(2, 3, 33, 0.5)};
    c.book.add_expiry(kQuoteTime + 30 * 86400, 0.05, 0.03);
    for (double k : {0.01, 1.0, 20.0, 500.0, 1e5}) {
      c.book.add(k, 1, 0.2, {1000.0});
      c.book.add(k, -1, 3.0, {-700.0});
    }
    c.book.add_expiry(kQuoteTime + 3 * 365 * 86400LL, 0.05, 0.03);
    for (double k : {20.0, 90.0, 100.0, 400.0}) c.book.add(k, -1, 11.0, {900.0});
    c.book.add(100.0, 1, 0.011, {100.0});
    all.push_back(std::move(c));
  }
  {
    Case c{"one_contract", {}, test::session_grid(1, 1, 1, 0.0)};
    c.book.add_expiry(kQuoteTime + 86400, 0.0, 0.0);
    c.book.add(100.0, -1, 0.2, {100.0});
    all.push_back(std::move(c));
  }
  {
    Case c{"zero_open_interest", {}, test::session_grid(2, 1, 17, 0.1)};
    c.book.add_expiry(kQuoteTime + 86400 * 9, 0.01, 0.0);
    c.book.add(100.0, -1, 0.2, {0.0});
    c.book.add(101.0, 1, 0.2, {0.0});
    all.push_back(std::move(c));
  }
  {
    Case c{"no_contracts", {}, test::session_grid(2, 1, 17, 0.1)};
    c.book.weight.resize(1);
    all.push_back(std::move(c));
  }
  return all;
}

// The reference's exposures of every Greek, case by case; evaluated once.
const std::vector<std::vector<double>>& reference_exposures() {
  static const auto exposures = [] {
    std::vector<std::vector<double>> all;
    const auto reference = make_reference_backend();
    for (const Case& c : cases()) all.push_back(test::evaluate(*reference, GreekSet::all(), c.book, c.grid));
    return all;
  }();
  return exposures;
}

void expect_equivalent(Backend& backend, GreekSet greeks, double tolerance) {
  std::size_t number = 0;
  for (const Case& c : cases()) {
    const std::vector<double>& expected = reference_exposures()[number++];
    const auto actual = test::evaluate(backend, greeks, c.book, c.grid);
    const std::size_t cells = expected.size() / kGreekCount;
    ASSERT_EQ(actual.size(), greeks.size() * cells) << c.name;
    for (const Greek greek : kAllGreeks) {
      if (!greeks.contains(greek)) continue;
      const auto worst =
          test::compare_surface(std::span(actual).subspan(greeks.index(greek) * cells, cells),
                                std::span(expected).subspan(GreekSet::all().index(greek) * cells, cells));
      EXPECT_LE(worst.relative_to_maximum, tolerance)
          << c.name << " " << name(greek) << " cell " << worst.cell << ": " << worst.actual << " for " << worst.expected
          << ", maximum " << worst.maximum;
    }
  }
}

TEST(CpuBackend, Fp32EquivalentToReference) {
  expect_equivalent(*make_cpu_backend(Precision::kFp32), GreekSet::all(), kTolerance32);
}

TEST(CpuBackend, Fp64EquivalentToReference) {
  expect_equivalent(*make_cpu_backend(Precision::kFp64), GreekSet::all(), kTolerance64);
}

TEST(CpuBackend, EverySetOfGreeksEquivalentToReference) {
  const auto backend = make_cpu_backend(Precision::kFp64);
  for (const Greek greek : kAllGreeks) expect_equivalent(*backend, {greek}, kTolerance64);
  expect_equivalent(*backend, kGreeks3, kTolerance64);
  expect_equivalent(*backend, kGreeks11, kTolerance64);
  expect_equivalent(*backend, {Greek::kDelta, Greek::kTheta, Greek::kVeta}, kTolerance64);
}

TEST(CpuBackend, SameBitsFromAnyNumberOfThreadsAndAnyCompany) {
  const Book book = test::index_like_book(700, 2);
  const Book other = test::index_like_book(90, 1, 7);
  const Grid grid = test::session_grid(5, 3, 57, 0.1);
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const auto backend = make_cpu_backend(precision);
    const auto alone = [&] {
      oneapi::tbb::task_arena one(1);
      return one.execute([&] { return test::evaluate(*backend, GreekSet::all(), book, grid); });
    }();
    const GridView view = grid.get();
    std::vector<double> a(alone.size());
    std::vector<double> b(GreekSet::all().size() * view.scenarios());
    std::vector<double> c(alone.size());
    const std::vector<ExposureJob> jobs = {
        {book.view(), view, 2, a}, {other.view(), view, 1, b}, {book.view(), view, 2, c}};
    const oneapi::tbb::global_control threads(oneapi::tbb::global_control::max_allowed_parallelism, 4);
    oneapi::tbb::task_arena several(4);
    several.execute([&] { backend->evaluate(GreekSet::all(), jobs); });
    EXPECT_EQ(alone, a);
    EXPECT_EQ(alone, c);
  }
}

// Rows share tables of volatilities, more of them the fewer threads there are.
TEST(CpuBackend, SameBitsFromAnyNumberOfThreadsUnderSkewStickiness) {
  Case c{"", test::index_like_book(300, 2), test::session_grid(5, 3, 57, 0.1)};
  follow_smile(c, 0.0);
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const auto backend = make_cpu_backend(precision);
    std::vector<double> alone;
    const oneapi::tbb::global_control allowed(oneapi::tbb::global_control::max_allowed_parallelism, 9);
    for (const int threads : {1, 2, 3, 9}) {
      oneapi::tbb::task_arena arena(threads);
      const auto out = arena.execute([&] { return test::evaluate(*backend, GreekSet::all(), c.book, c.grid); });
      if (alone.empty()) alone = out;
      EXPECT_EQ(out, alone) << threads << " threads";
    }
  }
}

TEST(CpuBackend, LinearInPositions) {
  const Grid grid = test::session_grid(2, 3, 33, 0.1);
  Book book = test::index_like_book(200, 2);
  book.weight.push_back({});
  for (std::size_t i = 0; i < book.strike.size(); ++i) {
    book.weight[2].push_back(2.0 * book.weight[0][i] - 3.0 * book.weight[1][i]);
  }
  const auto backend = make_cpu_backend(Precision::kFp64);
  const auto out = test::evaluate(*backend, kGreeks3, book, grid);
  const std::size_t cells = grid.get().scenarios();
  for (std::size_t g = 0; g < 3; ++g) {
    std::vector<double> combined(cells);
    for (std::size_t i = 0; i < cells; ++i) {
      combined[i] = 2.0 * out[(3 * g) * cells + i] - 3.0 * out[(3 * g + 1) * cells + i];
    }
    EXPECT_LE(test::compare_surface(std::span(out).subspan((3 * g + 2) * cells, cells), combined).relative_to_maximum,
              1e-12);
  }
}

TEST(CpuBackend, PermutingContractsChangesNothingBeyondTolerance) {
  const Book book = test::index_like_book(300);
  Book reversed = book;
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const auto begin = static_cast<std::ptrdiff_t>(book.expiry_begin[e]);
    const auto end = static_cast<std::ptrdiff_t>(book.expiry_begin[e + 1]);
    std::reverse(reversed.strike.begin() + begin, reversed.strike.begin() + end);
    std::reverse(reversed.right.begin() + begin, reversed.right.begin() + end);
    std::reverse(reversed.implied_volatility.begin() + begin, reversed.implied_volatility.begin() + end);
    std::reverse(reversed.weight[0].begin() + begin, reversed.weight[0].begin() + end);
  }
  const Grid grid = test::session_grid(2, 3, 33, 0.1);
  const auto backend = make_cpu_backend(Precision::kFp32);
  const auto a = test::evaluate(*backend, kGreeks3, book, grid);
  const auto b = test::evaluate(*backend, kGreeks3, reversed, grid);
  const std::size_t cells = grid.get().scenarios();
  for (std::size_t g = 0; g < 3; ++g) {
    EXPECT_LE(test::compare_surface(std::span(b).subspan(g * cells, cells), std::span(a).subspan(g * cells, cells))
                  .relative_to_maximum,
              kTolerance32);
  }
}

// GX = dDX/dS, CX = dDX/dt, VX = dDX/dsigma by central differences of the surfaces themselves, with q != 0.
TEST(ReferenceBackend, ExposuresAreDerivativesOfDeltaExposure) {
  Book book = test::index_like_book(200);
  for (auto& s : book.settlement) s += 20 * 86400;
  const auto backend = make_reference_backend();
  const GreekSet greeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna};
  Grid grid;
  grid.time = {kQuoteTime, kQuoteTime + 60, kQuoteTime + 120};
  grid.iv_shift = {-1e-5, 0.0, 1e-5};
  grid.view.spots = 3;
  grid.view.log_spot_begin = -1e-5;
  grid.view.log_spot_step = 1e-5;
  grid.view.iv_floor = 1e-4;
  const auto out = test::evaluate(*backend, greeks, book, grid);
  const auto at = [&](Greek greek, std::size_t t, std::size_t v, std::size_t j) {
    return out[((greeks.index(greek) * 3 + t) * 3 + v) * 3 + j];
  };
  const auto spot = [&](double j) { return book.spot * std::exp(1e-5 * j); };
  const double gx = (at(Greek::kDelta, 1, 1, 2) - at(Greek::kDelta, 1, 1, 0)) / (spot(1) - spot(-1));
  const double cx = (at(Greek::kDelta, 2, 1, 1) - at(Greek::kDelta, 0, 1, 1)) / (120.0 / kSecondsPerYear);
  const double vx = (at(Greek::kDelta, 1, 2, 1) - at(Greek::kDelta, 1, 0, 1)) / 2e-5;
  EXPECT_NEAR(gx / at(Greek::kGamma, 1, 1, 1), 1.0, 1e-6);
  EXPECT_NEAR(cx / at(Greek::kCharm, 1, 1, 1), 1.0, 1e-6);
  EXPECT_NEAR(vx / at(Greek::kVanna, 1, 1, 1), 1.0, 1e-6);
}

TEST(Backends, StickinessOfOneGivesTheBitsOfStickyStrike) {
  for (Case& c : skew_stickiness_cases()) {
    Grid sticky = c.grid;
    sticky.view.iv_rule = IvRule::kStickyStrike;
    c.grid.view.iv_rule_parameter = 1.0;
    Book without = c.book;
    without.smile.clear();  // nor is it read
    for (Backend* backend : {make_reference_backend().release(), make_cpu_backend(Precision::kFp32).release(),
                             make_cpu_backend(Precision::kFp64).release()}) {
      const std::unique_ptr<Backend> owned(backend);
      EXPECT_EQ(test::evaluate(*backend, GreekSet::all(), without, c.grid),
                test::evaluate(*backend, GreekSet::all(), c.book, sticky))
          << c.name << " " << backend->status().detail;
    }
  }
}

// Surfaces are partial derivatives at the volatility of their own cell: gx is the slope of dx with that volatility
// held, and the slope along the stored spot axis has vanna times the slope of volatility in it besides.
TEST(Backends, GammaExposureIsThePartialDerivativeUnderSkewStickiness) {
  constexpr double kStep = 1e-5;
  Book book = test::index_like_book(40);
  for (auto& s : book.settlement) s += 20 * 86400;
  book.add_smiles();
  const GreekSet greeks = {Greek::kDelta, Greek::kGamma, Greek::kVanna};
  for (const auto& backend : {make_reference_backend(), make_cpu_backend(Precision::kFp64)}) {
    for (const double stickiness : {0.0, 2.0, -3.0}) {
      for (const double x : {-0.03, 0.0, 0.04}) {
        Grid grid = test::session_grid(1, 1, 3, kStep);
        grid.view.log_spot_begin = x - kStep;
        grid.view.iv_rule = IvRule::kSkewStickiness;
        grid.view.iv_rule_parameter = stickiness;
        const double spot = book.spot * std::exp(x);
        const double width = book.spot * (std::exp(x + kStep) - std::exp(x - kStep));
        const auto at = [](const std::vector<double>& out, std::size_t greek, std::size_t j) {
          return out[greek * 3 + j];
        };
        const auto along = test::evaluate(*backend, greeks, book, grid);

        // The same contracts at the volatility that the rule gives them at x, which then stays.
        Book held = book;
        const double tau0 = static_cast<double>(book.settlement[0] - kQuoteTime) / kSecondsPerYear;
        const double log_forward = std::log(book.spot) + (book.rate[0] - book.dividend_yield[0]) * tau0;
        for (std::size_t i = 0; i < book.strike.size(); ++i) {
          const double k = std::log(book.strike[i]) - log_forward;
          held.implied_volatility[i] +=
              book.smile[0].volatility(k + (stickiness - 1.0) * x) - book.smile[0].volatility(k);
        }
        ASSERT_EQ(book.settlement.size(), 1U);
        Grid sticky = grid;
        sticky.view.iv_rule = IvRule::kStickyStrike;
        const auto still = test::evaluate(*backend, greeks, held, sticky);
        const double partial = (at(still, 0, 2) - at(still, 0, 0)) / width;
        EXPECT_NEAR(at(along, 1, 1) / partial, 1.0, 1e-6);
        EXPECT_NEAR(at(along, 1, 1) / at(still, 1, 1), 1.0, 1e-10);

        // The chain rule, contract by contract: d sigma / dS = (R - 1) smile'(k + (R - 1) x) / S.
        double chain = at(along, 1, 1);
        double largest = 0.0;
        for (std::size_t i = 0; i < book.strike.size(); ++i) {
          Book one;
          one.spot = book.spot;
          one.add_expiry(book.settlement[0], book.rate[0], book.dividend_yield[0]);
          one.add(book.strike[i], book.right[i], held.implied_volatility[i], {book.weight[0][i]});
          const double k = std::log(book.strike[i]) - log_forward + (stickiness - 1.0) * x;
          const double skew = (book.smile[0].volatility(k + 1e-6) - book.smile[0].volatility(k - 1e-6)) / 2e-6;
          const double term =
              at(test::evaluate(*backend, greeks, one, sticky), 2, 1) * (stickiness - 1.0) * skew / spot;
          chain += term;
          largest = std::max(largest, std::abs(term));
        }
        const double total = (at(along, 0, 2) - at(along, 0, 0)) / width;
        EXPECT_NEAR(total, chain, 1e-6 * (largest + std::abs(partial))) << "R " << stickiness << " x " << x;
        EXPECT_GT(std::abs(total - at(along, 1, 1)), 1e-4 * std::abs(partial)) << "R " << stickiness << " x " << x;
      }
    }
  }
}

TEST(CompareSurface, FailsOnNanSignAndSize) {
  const std::vector<double> expected = {1.0, -2.0, 0.0};
  EXPECT_EQ(test::compare_surface(expected, expected).relative_to_maximum, 0.0);
  EXPECT_DOUBLE_EQ(test::compare_surface(std::vector{1.0, 2.0, 0.0}, expected).relative_to_maximum, 2.0);
  EXPECT_TRUE(std::isinf(test::compare_surface(std::vector<double>{1.0, NAN, 0.0}, expected).relative_to_maximum));
  EXPECT_TRUE(std::isinf(test::compare_surface(std::vector{1.0, -2.0}, expected).relative_to_maximum));
  EXPECT_TRUE(std::isinf(test::compare_surface(std::vector{1e-30}, std::vector{0.0}).relative_to_maximum));
}

}  // namespace
}  // namespace greekgrid

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>

#include "device_backend.hpp"
#include "equivalence.hpp"
#include "fake_device.hpp"
#include "greekgrid_test/books.hpp"
#include "synthetic_book.hpp"

namespace greekgrid {
namespace {

using test::FakeDevice;
using test::FakeDeviceLog;
using test::SyntheticCase;

std::unique_ptr<Backend> make_spectral(FakeDeviceLog& log, Precision precision, double tolerance) {
  cuda::DeviceBackendOptions options;
  options.evaluator = {Evaluator::kSpectral, tolerance};
  return cuda::make_device_backend(std::make_unique<FakeDevice>(log), precision, options);
}

struct Mode {
  const char* name;
  Precision precision;
  GreekSet greeks;
  double tolerance;
};
void PrintTo(const Mode& mode, std::ostream* out) {
  *out << mode.name;
}

class DeviceSpectralTest : public testing::TestWithParam<Mode> {};

TEST_P(DeviceSpectralTest, EquivalentToReference) {
  const Mode& mode = GetParam();
  const auto reference = make_reference_backend();
  FakeDeviceLog log;
  const auto backend = make_spectral(log, mode.precision, mode.tolerance);
  double worst = 0.0;
  for (const SyntheticCase& item : test::synthetic_cases()) {
    const auto values = test::evaluate_alone(*backend, item, mode.greeks);
    test::expect_equivalent(values, test::evaluate_alone(*reference, item, mode.greeks), item, mode.greeks,
                            mode.tolerance, worst);
  }
  EXPECT_THAT(log.faults, testing::IsEmpty());
  RecordProperty("worst", testing::PrintToString(worst));
}

/// What the synthetic cases lack: calls and puts that all but cancel, and expiries of every length in one book.
std::vector<SyntheticCase> more_cases() {
  std::mt19937 random(31);
  std::vector<SyntheticCase> cases;
  {
    SyntheticCase item{"cancelling positions", {}, {}};
    for (const int days : {9, 60}) {
      item.book.add_expiry(days * test::kDay, 120, 0.2, 0.05, 0.03, random);
    }
    // A call against a put of the same strike and volatility: their gammas cancel but for a thousandth.
    for (std::size_t i = 0; i + 1 < item.book.strike.size(); i += 2) {
      item.book.strike[i + 1] = item.book.strike[i];
      item.book.implied_volatility[i + 1] = item.book.implied_volatility[i];
      item.book.right[i] = 1, item.book.right[i + 1] = -1;
    }
    item.book.add_weights(1, random);
    for (std::size_t i = 0; i + 1 < item.book.strike.size(); i += 2) {
      item.book.weight[i] = 1e5;
      item.book.weight[i + 1] = -0.999e5;
    }
    cases.push_back(std::move(item));
  }
  {
    SyntheticCase item{"from hours to years", {}, {}, 2};
    for (const double days : {0.01, 0.2, 0.7, 1.5, 3.0, 8.0, 20.0, 60.0, 200.0, 900.0}) {
      item.book.add_expiry(static_cast<std::int64_t>(days * test::kDay), 150, 0.3, 0.05, 0.02, random);
    }
    item.book.add_weights(2, random);
    item.grid.half_width = 0.2;
    item.grid.spots = 201;
    item.grid.term = IvShiftTerm::kSqrtTime;
    cases.push_back(std::move(item));
  }
  {
    SyntheticCase item{"even number of spots, spot basis, q above r", {}, {}};
    item.book.add_expiry(30 * test::kDay, 80, 0.3, 0.01, 0.08, random);
    item.book.add_weights(1, random);
    item.book.spot_basis = -0.004;
    item.grid.spots = 64;
    cases.push_back(std::move(item));
  }
  return cases;
}

TEST_P(DeviceSpectralTest, MoreEquivalentToReference) {
  const Mode& mode = GetParam();
  const auto reference = make_reference_backend();
  FakeDeviceLog log;
  const auto backend = make_spectral(log, mode.precision, mode.tolerance);
  for (const SyntheticCase& item : more_cases()) {
    EvaluationReport report;
    std::vector<double> values(item.values(mode.greeks), std::nan(""));
    ExposureJob job = item.job(values);
    job.report = &report;
    backend->evaluate(mode.greeks, {&job, 1});
    double worst = 0.0;
    test::expect_equivalent(values, test::evaluate_alone(*reference, item, mode.greeks), item, mode.greeks,
                            mode.tolerance, worst);
    if (report.spectral) {
      EXPECT_LE(report.bound, mode.tolerance) << item.name;
      // Contracts evaluated spot by spot bring the rounding of the brute-force kernel, which the bound is not about.
      EXPECT_LE(worst, report.bound + (mode.precision == Precision::kFp32 ? 2e-6 : 1e-11)) << item.name;
    }
    RecordProperty(std::string(item.name), testing::PrintToString(worst) + " of " +
                                               testing::PrintToString(report.bound) +
                                               (report.spectral ? "" : " by brute force") + " after " +
                                               testing::PrintToString(report.attempts));
  }
  EXPECT_THAT(log.faults, testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Modes, DeviceSpectralTest,
                         testing::Values(Mode{"fp64_3", Precision::kFp64, kGreeks3, 1e-8},
                                         Mode{"fp64_11", Precision::kFp64, kGreeks11, 1e-8},
                                         Mode{"fp64_12", Precision::kFp64, GreekSet::all(), 1e-8},
                                         Mode{"fp32_3", Precision::kFp32, kGreeks3, 5e-6},
                                         Mode{"fp32_11", Precision::kFp32, kGreeks11, 5e-6},
                                         Mode{"fp32_12", Precision::kFp32, GreekSet::all(), 5e-6}),
                         [](const auto& tested) { return std::string(tested.param.name); });

/// Books of a session: 0DTE to two years, q != 0, deep wings, positions that all but cancel, one contract, settlement
/// inside the grid, under the grid of a night.
struct SessionCase {
  const char* name;
  test::Book book;
  test::Grid grid;
};
std::vector<SessionCase> session_cases() {
  const auto night = [](std::size_t times, double volatility) {
    test::Grid grid = test::session_grid(times, 1, 201, 10.0 * volatility / std::sqrt(252.0));
    grid.iv_shift = {-0.1, 0.0, 0.1};
    grid.view.iv_floor = 0.01;
    return grid;
  };
  std::vector<SessionCase> cases;
  cases.push_back({"index", test::index_like_book(600), night(2, 0.2)});
  {
    SessionCase c{"zero days", {}, night(3, 0.2)};
    c.grid.time = {test::kQuoteTime, test::kQuoteTime + 3600, test::kQuoteTime + 7200};
    for (const int minutes : {-5, 3, 60, 90, 121, 390, 1440, 10080}) {
      c.book.add_expiry(test::kQuoteTime + minutes * 60, 0.05, 0.02);
      for (int i = -20; i <= 20; ++i) {
        c.book.add(100.0 + 0.25 * i, i % 2 == 0 ? 1 : -1, 0.2 - 0.003 * i + 0.0004 * i * i,
                   {i % 5 == 0 ? 0.0 : 100.0 + 13.0 * i});
      }
    }
    cases.push_back(std::move(c));
  }
  for (const double highest : {0.9, 11.0}) {
    // Under the second, sigma sqrt(tau) is beyond what the spectral evaluator takes.
    SessionCase c{highest < 1.0 ? "deep wings" : "absurd volatilities", {}, night(2, 0.6)};
    for (const auto& [days, rate, yield] : {std::tuple{30, 0.05, 0.03}, {400, 0.12, -0.02}, {1500, 0.0, 0.15}}) {
      c.book.add_expiry(test::kQuoteTime + days * test::kDay, rate, yield);
      for (const double k : {0.01, 1.0, 20.0, 60.0, 90.0, 100.0, 110.0, 180.0, 500.0, 1e5}) {
        c.book.add(k, 1, 0.2 + 0.01 * std::log(k) * std::log(k), {1000.0});
        c.book.add(k, -1, highest, {-700.0});
        c.book.add(k, -1, 0.005, {300.0});
      }
    }
    cases.push_back(std::move(c));
  }
  {
    // Long and short of neighbouring strikes: the surface is a thousandth of what is summed.
    SessionCase c{"cancelling", {}, night(2, 0.2)};
    for (const int days : {1, 7, 30, 180}) {
      c.book.add_expiry(test::kQuoteTime + days * test::kDay, 0.04, 0.01);
      for (int i = -20; i <= 20; ++i) {
        const double k = 100.0 + i, sigma = 0.2 + 0.0001 * i;
        c.book.add(k, 1, sigma, {1000.0});
        c.book.add(k, -1, sigma, {-1000.0});
        c.book.add(k + 0.02, 1, sigma, {-1000.0});
        c.book.add(k + 0.02, -1, sigma, {1000.5});
      }
    }
    cases.push_back(std::move(c));
  }
  {
    SessionCase c{"one contract", {}, night(1, 0.2)};
    c.book.add_expiry(test::kQuoteTime + 20 * test::kDay, 0.04, 0.01);
    c.book.add(101.0, -1, 0.2, {100.0});
    cases.push_back(std::move(c));
  }
  return cases;
}

TEST(DeviceSpectral, BooksOfASessionEquivalentToReference) {
  const auto reference = make_reference_backend();
  for (const SessionCase& item : session_cases()) {
    const auto expected = test::evaluate(*reference, kGreeks11, item.book, item.grid);
    const std::size_t scenarios = item.grid.get().scenarios();
    for (const auto& [precision, tolerance] : {std::pair{Precision::kFp64, 2e-8}, {Precision::kFp32, 5e-6}}) {
      FakeDeviceLog log;
      const auto backend = make_spectral(log, precision, tolerance);
      std::vector<double> values(expected.size(), std::nan(""));
      EvaluationReport report;
      ExposureJob job{item.book.view(), item.grid.get(), 1, values, &report};
      backend->evaluate(kGreeks11, {&job, 1});
      double worst = 0.0;
      for (std::size_t g = 0; g < kGreeks11.size(); ++g) {
        const std::span<const double> own = std::span<const double>(values).subspan(g * scenarios, scenarios);
        const auto deviation =
            test::compare_surface(own, std::span<const double>(expected).subspan(g * scenarios, scenarios));
        worst = std::max(worst, deviation.relative_to_maximum);
      }
      EXPECT_LE(worst, tolerance) << item.name << ", attempts " << report.attempts;
      RecordProperty(std::string(item.name) + (precision == Precision::kFp64 ? " fp64" : " fp32"),
                     testing::PrintToString(worst) + " of " + testing::PrintToString(report.bound) +
                         (report.spectral ? "" : " by brute force") + (report.fp64_rows > 0.0 ? " fp64 nodes" : "") +
                         ", " + testing::PrintToString(report.at_nodes) + " at nodes, " +
                         testing::PrintToString(report.direct) + " direct");
      EXPECT_THAT(log.faults, testing::IsEmpty());
    }
  }
}

std::size_t count(const FakeDeviceLog& log, const char* what) {
  return static_cast<std::size_t>(
      std::count_if(log.issues.begin(), log.issues.end(), [&](const auto& issue) { return issue.what == what; }));
}

/// Brute force in single precision keeps to no tolerance below its own error: there it is double, as on the CPU.
TEST(DeviceSpectral, BruteForceInItsPlaceKeepsToTheToleranceToo) {
  const SyntheticCase item = test::synthetic_cases().front();
  const auto values = [&](Precision precision, double tolerance) {
    FakeDeviceLog log;
    cuda::DeviceBackendOptions options;
    options.evaluator = {Evaluator::kAuto, tolerance};
    const auto backend = cuda::make_device_backend(std::make_unique<FakeDevice>(log), precision, options);
    return test::evaluate_alone(*backend, item, GreekSet::all());
  };
  EXPECT_EQ(values(Precision::kFp32, 1e-6), values(Precision::kFp64, 1e-6));
  EXPECT_NE(values(Precision::kFp32, 5e-6), values(Precision::kFp64, 5e-6));
}

TEST(DeviceSpectral, IsTakenWhereItApplies) {
  const auto cases = test::synthetic_cases();
  std::size_t taken = 0;
  for (const SyntheticCase& item : cases) {
    FakeDeviceLog log;
    const auto backend = make_spectral(log, Precision::kFp64, 1e-8);
    EvaluationReport report;
    std::vector<double> values(item.values(kGreeks11), std::nan(""));
    ExposureJob job = item.job(values);
    job.report = &report;
    backend->evaluate(kGreeks11, {&job, 1});
    if (item.grid.view().effective_rule() != IvRule::kStickyStrike || item.book.strike.empty() || item.grid.spots < 3) {
      EXPECT_EQ(count(log, "launch_node_sums"), 0U) << item.name;
      EXPECT_FALSE(report.spectral) << item.name;
      continue;
    }
    EXPECT_GE(count(log, "launch_node_sums"), 1U) << item.name;
    if (report.spectral) {
      ++taken;
      EXPECT_EQ(report.fp64_rows, 1.0);
      EXPECT_LE(report.bound, 1e-8) << item.name;
    }
  }
  EXPECT_GE(taken, 8U);
  // Left to itself it takes jobs that pay, and none under brute force.
  FakeDeviceLog log;
  cuda::DeviceBackendOptions options;
  options.evaluator = {Evaluator::kAuto, 1e-6};
  const auto backend = cuda::make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32, options);
  test::evaluate_alone(*backend, cases[0], kGreeks3);
  EXPECT_EQ(count(log, "launch_node_sums"), 0U);
  SyntheticCase larger = more_cases()[1];
  test::evaluate_alone(*backend, larger, kGreeks3);
  EXPECT_GE(count(log, "launch_node_sums"), 1U);
}

TEST(DeviceSpectral, SameBitsForAnyChunksStreamsOrderThreadsAndDevices) {
  auto cases = test::synthetic_cases();
  for (SyntheticCase& item : more_cases()) cases.push_back(std::move(item));
  std::erase_if(cases, [](const SyntheticCase& item) { return item.grid.rule != IvRule::kStickyStrike; });
  std::vector<std::vector<double>> expected(cases.size());
  {
    FakeDeviceLog log;
    const auto backend = make_spectral(log, Precision::kFp32, 5e-6);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      expected[i] = test::evaluate_alone(*backend, cases[i], kGreeks11);
    }
  }
  for (const std::size_t devices : {1U, 3U}) {
    std::vector<FakeDeviceLog> logs(devices);
    std::vector<std::unique_ptr<cuda::DeviceApi>> apis;
    for (FakeDeviceLog& log : logs) {
      log.thread_order = devices == 1 ? test::ThreadOrder::kDescending : test::ThreadOrder::kAscending;
      log.reverse_queue = devices == 1;
      apis.push_back(std::make_unique<FakeDevice>(log));
    }
    cuda::DeviceBackendOptions options;
    options.evaluator = {Evaluator::kSpectral, 5e-6};
    options.chunk_bytes = devices == 1 ? std::size_t{1} << 28 : 300000;
    options.least_evaluations = 1;
    const auto backend = cuda::make_device_backend(std::move(apis), Precision::kFp32, options);
    std::vector<std::vector<double>> values(cases.size());
    std::vector<ExposureJob> jobs;
    for (std::size_t i = cases.size(); i-- > 0;) {
      values[i].assign(cases[i].values(kGreeks11), std::nan(""));
      jobs.push_back(cases[i].job(values[i]));
    }
    backend->evaluate(kGreeks11, jobs);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      EXPECT_EQ(values[i], expected[i]) << cases[i].name << " on " << devices << " devices";
    }
    for (const FakeDeviceLog& log : logs) EXPECT_THAT(log.faults, testing::IsEmpty());
  }
}

TEST(DeviceSpectral, FailingCallsAreReportedAndLeakNothing) {
  SyntheticCase item = more_cases()[1];
  item.grid.spots = 21;
  item.grid.iv_shift = {0.0};
  FakeDeviceLog clean;
  std::vector<double> expected;
  {
    const auto backend = make_spectral(clean, Precision::kFp32, 5e-6);
    expected = test::evaluate_alone(*backend, item, kGreeks3);
  }
  ASSERT_GT(clean.calls, 15);
  for (int call = 0; call < clean.calls; ++call) {
    FakeDeviceLog log;
    log.fail_at_call = call;
    {
      const auto backend = make_spectral(log, Precision::kFp32, 5e-6);
      EXPECT_THROW(test::evaluate_alone(*backend, item, kGreeks3), BackendError) << "call " << call;
      EXPECT_TRUE(log.alive.empty()) << "call " << call;
      EXPECT_EQ(test::evaluate_alone(*backend, item, kGreeks3), expected) << "call " << call;
    }
    EXPECT_TRUE(log.alive.empty()) << "call " << call;
    EXPECT_THAT(log.faults, testing::IsEmpty()) << "call " << call;
  }
}

}  // namespace
}  // namespace greekgrid

#include "device_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "equivalence.hpp"
#include "fake_device.hpp"
#include "synthetic_book.hpp"

namespace greekgrid {
namespace {

using cuda::make_device_backend;
using test::evaluate_alone;
using test::expect_equivalent;
using test::FakeDevice;
using test::FakeDeviceLog;
using test::SyntheticCase;

struct Mode {
  const char* name;
  Precision precision;
  GreekSet greeks;
  double tolerance;
};
void PrintTo(const Mode& mode, std::ostream* out) {
  *out << mode.name;
}

class DeviceBackendTest : public testing::TestWithParam<Mode> {};

TEST_P(DeviceBackendTest, EquivalentToReference) {
  const Mode& mode = GetParam();
  const auto reference = make_reference_backend();
  FakeDeviceLog log;
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), mode.precision);
  double worst = 0.0;
  for (const SyntheticCase& item : test::synthetic_cases()) {
    const auto values = evaluate_alone(*backend, item, mode.greeks);
    expect_equivalent(values, evaluate_alone(*reference, item, mode.greeks), item, mode.greeks, mode.tolerance, worst);
  }
  EXPECT_THAT(log.faults, testing::IsEmpty());
  RecordProperty("worst", testing::PrintToString(worst));
}

INSTANTIATE_TEST_SUITE_P(Modes, DeviceBackendTest,
                         testing::Values(Mode{"fp64_3", Precision::kFp64, kGreeks3, 1e-11},
                                         Mode{"fp64_11", Precision::kFp64, kGreeks11, 1e-11},
                                         Mode{"fp64_12", Precision::kFp64, GreekSet::all(), 1e-11},
                                         Mode{"fp64_some", Precision::kFp64,
                                              GreekSet{Greek::kGamma, Greek::kZomma, Greek::kVeta}, 1e-11},
                                         Mode{"fp32_3", Precision::kFp32, kGreeks3, 5e-6},
                                         Mode{"fp32_11", Precision::kFp32, kGreeks11, 5e-6},
                                         Mode{"fp32_12", Precision::kFp32, GreekSet::all(), 5e-6}),
                         [](const auto& tested) { return std::string(tested.param.name); });

/// All cases in one call.
std::vector<std::vector<double>> evaluate_together(Backend& backend, const std::vector<SyntheticCase>& cases,
                                                   GreekSet greeks, const std::vector<std::size_t>& order) {
  std::vector<std::vector<double>> exposure(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) exposure[i].assign(cases[i].values(greeks), std::nan(""));
  std::vector<ExposureJob> jobs;
  for (const std::size_t i : order) jobs.push_back(cases[i].job(exposure[i]));
  backend.evaluate(greeks, jobs);
  return exposure;
}

TEST(DeviceBackend, SameBitsForAnyChunksStreamsOrderAndThreads) {
  const auto cases = test::synthetic_cases();
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), 0U);
  FakeDeviceLog first_log;
  const auto first = make_device_backend(std::make_unique<FakeDevice>(first_log), Precision::kFp32);
  const auto expected = evaluate_together(*first, cases, kGreeks3, order);
  EXPECT_EQ(first_log.chunks, 1);

  std::mt19937 random(7);
  for (const std::size_t streams : {1U, 2U, 5U}) {
    for (const std::size_t chunk_bytes : {std::size_t{1}, std::size_t{300000}, std::size_t{1} << 28}) {
      FakeDeviceLog log;
      log.thread_order = streams == 2 ? test::ThreadOrder::kDescending : test::ThreadOrder::kAscending;
      log.reverse_queue = streams == 5;
      const auto backend =
          make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32, {streams, chunk_bytes, 0});
      std::shuffle(order.begin(), order.end(), random);
      for (int repeat = 0; repeat < (streams == 2 ? 2 : 1); ++repeat) {
        const auto values = evaluate_together(*backend, cases, kGreeks3, order);
        for (std::size_t i = 0; i < cases.size(); ++i) {
          ASSERT_TRUE(std::equal(values[i].begin(), values[i].end(), expected[i].begin()))
              << cases[i].name << ", streams " << streams << ", chunk " << chunk_bytes;
        }
      }
      EXPECT_THAT(log.faults, testing::IsEmpty());
    }
  }
}

TEST(DeviceBackend, StickinessOfOneGivesTheBitsOfStickyStrike) {
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    FakeDeviceLog log;
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), precision);
    for (SyntheticCase item : test::synthetic_cases()) {
      item.grid.rule = IvRule::kStickyStrike;
      const auto sticky = evaluate_alone(*backend, item, kGreeks11);
      item.grid.rule = IvRule::kSkewStickiness;
      item.grid.parameter = 1.0;
      item.book.smile.clear();  // nor is it read
      EXPECT_EQ(evaluate_alone(*backend, item, kGreeks11), sticky) << item.name;
    }
    EXPECT_THAT(log.faults, testing::IsEmpty());
  }
}

TEST(DeviceBackend, ReusesItsBuffers) {
  const auto cases = test::synthetic_cases();
  FakeDeviceLog log;
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32);
  evaluate_alone(*backend, cases[8], kGreeks3);
  const std::size_t once = log.device_allocations;
  for (int i = 0; i < 9; ++i) evaluate_alone(*backend, cases[0], kGreeks3);
  EXPECT_LE(log.device_allocations, once + 4);
}

/// A lane's chunk is waited for only when every other lane has its next one issued, copies and kernels, so that the
/// copies of one run beside the kernels of another; within a lane the order is upload, kernels, download, record.
TEST(DeviceBackend, CopiesOverlapWithTheKernelsOfOtherLanes) {
  const auto cases = test::synthetic_cases();
  std::vector<std::vector<double>> exposure(7);
  std::vector<ExposureJob> jobs;
  for (auto& e : exposure) {
    e.assign(cases[0].values(kGreeks3), std::nan(""));
    jobs.push_back(cases[0].job(e));
  }
  for (const std::size_t lanes : {1U, 2U, 3U}) {
    FakeDeviceLog log;
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32, {lanes, 1, 0});
    backend->evaluate(kGreeks3, jobs);
    EXPECT_THAT(log.faults, testing::IsEmpty());
    std::map<const void*, std::vector<std::string>> of_stream;
    std::size_t issued = 0, waited = 0;
    for (const auto& [what, stream] : log.issues) {
      of_stream[stream].push_back(what);
      if (what == "record") ++issued;
      if (what == "wait") {
        ++waited;
        EXPECT_EQ(issued, std::min(jobs.size(), waited + lanes - 1)) << lanes << " lanes, wait " << waited;
      }
    }
    EXPECT_EQ(issued, jobs.size());
    EXPECT_EQ(waited, jobs.size());
    EXPECT_EQ(of_stream.size(), lanes);
    const std::vector<std::string> chunk = {"copy_to_device", "order_segments", "launch_exposure",
                                            "copy_to_host",   "record",         "wait"};
    for (const auto& [stream, calls] : of_stream) {
      ASSERT_EQ(calls.size() % chunk.size(), 0U);
      for (std::size_t k = 0; k < calls.size(); ++k) EXPECT_EQ(calls[k], chunk[k % chunk.size()]);
    }
  }
}

TEST(DeviceBackend, KeepsWithinItsMemoryAndSaysWhenAJobDoesNotFit) {
  const auto cases = test::synthetic_cases();
  FakeDeviceLog log;
  std::size_t largest = 0;
  for (const auto& item : cases) largest = std::max(largest, item.values(GreekSet::all()) * 8);
  const std::size_t budget = 4 * largest;
  const auto backend =
      make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {3, std::size_t{1} << 30, budget});
  for (const auto& item : cases) evaluate_alone(*backend, item, GreekSet::all());
  EXPECT_LE(log.bytes_peak, 2 * budget);  // device and pinned memory together
  EXPECT_THAT(log.faults, testing::IsEmpty());

  // A table of volatilities counts too: 50 contracts x 40001 spots in fp64 are 16 MB, the exposures 1 MB.
  SyntheticCase wide = cases[4];
  std::mt19937 random(3);
  wide.book = {};
  wide.book.add_expiry(9 * test::kDay, 50, 0.2, 0.05, 0.02, random);
  wide.book.add_weights(1, random);
  wide.book.add_smiles();
  wide.grid.time.resize(1);
  wide.grid.iv_shift = {0.0};
  wide.grid.spots = 40001;
  const auto small =
      make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {1, 1 << 20, std::size_t{4} << 20});
  EXPECT_NO_THROW(evaluate_alone(*small, wide, kGreeks3));
  wide.grid.rule = IvRule::kSkewStickiness;
  wide.grid.parameter = 0.0;
  EXPECT_THROW(evaluate_alone(*small, wide, kGreeks3), BackendError);

  const auto tight = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 1 << 20, 4096});
  EXPECT_THROW(evaluate_alone(*tight, cases[0], kGreeks3), BackendError);
}

TEST(DeviceBackend, FailingCallsAreReportedAndLeakNothing) {
  const auto cases = test::synthetic_cases();
  // Of two segments, of either rule, empty.
  std::mt19937 random(3);
  SyntheticCase wide = cases[4];
  wide.book = {};
  wide.book.add_expiry(9 * test::kDay, 2100, 0.2, 0.05, 0.02, random);
  wide.book.add_weights(1, random);
  wide.grid.spots = 3;
  SyntheticCase following = cases[4];
  following.book.add_smiles();
  following.grid.rule = IvRule::kSkewStickiness;
  following.grid.parameter = 0.0;
  const std::vector<SyntheticCase> some = {cases[4], wide, cases[5], cases[9], following};
  const std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  FakeDeviceLog clean;
  std::vector<std::vector<double>> expected;
  {
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(clean), Precision::kFp64, {2, 1, 0});
    expected = evaluate_together(*backend, some, kGreeks3, order);
  }
  EXPECT_TRUE(clean.alive.empty());
  ASSERT_GT(clean.calls, 30);
  for (int call = 0; call < clean.calls; ++call) {
    FakeDeviceLog log;
    log.fail_at_call = call;
    {
      const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 1, 0});
      EXPECT_THROW(evaluate_together(*backend, some, kGreeks3, order), BackendError) << "call " << call;
      EXPECT_EQ(log.streams, 0) << "call " << call;
      EXPECT_EQ(log.events, 0) << "call " << call;
      EXPECT_TRUE(log.alive.empty()) << "call " << call;
      // The next call starts afresh.
      EXPECT_EQ(evaluate_together(*backend, some, kGreeks3, order), expected) << "call " << call;
    }
    EXPECT_TRUE(log.alive.empty()) << "call " << call;
    EXPECT_EQ(log.streams, 0);
    EXPECT_THAT(log.faults, testing::IsEmpty()) << "call " << call;
  }
}

TEST(DeviceBackend, SaysWhyItCannotRun) {
  FakeDeviceLog log;
  log.usable = false;
  log.detail = "no driver: cudaErrorInsufficientDriver";
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32);
  EXPECT_FALSE(backend->status().usable);
  EXPECT_EQ(backend->status().name, "cuda");
  EXPECT_EQ(backend->status().detail, log.detail);
  const auto cases = test::synthetic_cases();
  try {
    evaluate_alone(*backend, cases[0], kGreeks3);
    FAIL() << "evaluated without a device";
  } catch (const BackendError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(log.detail));
  }
  EXPECT_EQ(log.calls, 0);
}

TEST(CudaBackend, IsListedAndRefusesWhereItCannotRun) {
  const auto backend = make_cuda_backend(Precision::kFp32);
  const BackendStatus status = backend->status();
  EXPECT_EQ(status.name, "cuda");
  EXPECT_FALSE(status.detail.empty());
  if (status.usable) GTEST_SKIP() << "a device answers: " << status.detail;
  const auto cases = test::synthetic_cases();
  EXPECT_THROW(evaluate_alone(*backend, cases[0], kGreeks3), BackendError);
}

}  // namespace
}  // namespace greekgrid

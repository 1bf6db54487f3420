// Searches for nearest points and sums of kernels on the emulated device.

#include "device_forecast.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

#include "fake_device.hpp"
#include "greekgrid_test/histories.hpp"

namespace greekgrid {
namespace {

using cuda::make_device_forecast_backend;
using test::FakeDevice;
using test::FakeDeviceLog;
using test::find_nearest;
using test::Neighbours;
using test::PairSumsCase;
using test::same_neighbours;
using test::SearchCase;
using test::sum_kernels;

static_assert(std::is_trivially_copyable_v<cuda::NearestBody>);
static_assert(std::is_trivially_copyable_v<cuda::KernelFillBody>);
static_assert(std::is_trivially_copyable_v<cuda::SliceSumBody>);

bool all_same(const std::vector<Neighbours>& a, const std::vector<Neighbours>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_neighbours);
}

TEST(DeviceNearest, EqualsReferenceToTheBitInAnyOrderOfThreads) {
  const auto reference = make_reference_forecast_backend();
  for (const auto order : {test::ThreadOrder::kAscending, test::ThreadOrder::kDescending}) {
    FakeDeviceLog log;
    log.thread_order = order;
    const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log));
    for (const SearchCase& c : test::search_cases()) {
      EXPECT_TRUE(same_neighbours(find_nearest(*backend, c), find_nearest(*reference, c))) << c.name;
    }
    EXPECT_THAT(log.faults, testing::IsEmpty());
  }
}

TEST(DeviceNearest, SameBitsForAnyChunksAndStreams) {
  const auto searches = test::many_searches(400);
  const auto expected = find_nearest(*make_reference_forecast_backend(), searches);
  for (const std::size_t streams : {1U, 2U, 5U}) {
    for (const std::size_t chunk_bytes : {std::size_t{1}, std::size_t{60000}, std::size_t{1} << 28}) {
      FakeDeviceLog log;
      const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log), {streams, chunk_bytes, 0});
      EXPECT_TRUE(all_same(find_nearest(*backend, searches), expected))
          << "streams " << streams << ", chunk " << chunk_bytes;
      if (chunk_bytes == 60000) {
        EXPECT_GT(log.chunks, 10);
        EXPECT_LT(log.chunks, 200);
      }
      if (chunk_bytes > 60000) {
        EXPECT_EQ(log.chunks, 1);
      }
      const std::size_t allocations = log.device_allocations;
      EXPECT_TRUE(all_same(find_nearest(*backend, searches), expected));
      if (streams == 1) {
        EXPECT_EQ(log.device_allocations, allocations);
      }
      EXPECT_THAT(log.faults, testing::IsEmpty());
    }
  }
}

TEST(DevicePairSums, EquivalentToReference) {
  const auto reference = make_reference_forecast_backend();
  for (const auto order : {test::ThreadOrder::kAscending, test::ThreadOrder::kDescending}) {
    FakeDeviceLog log;
    log.thread_order = order;
    const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log));
    for (const PairSumsCase& c : test::pair_sums_cases()) {
      const auto worst = test::compare_sums(sum_kernels(*backend, c), sum_kernels(*reference, c), c);
      EXPECT_LE(worst.in_tolerance, 0.25) << worst.where;  // two roundings to single precision and no more
    }
    EXPECT_THAT(log.faults, testing::IsEmpty());
  }
}

TEST(DevicePairSums, AHistoryOfFifteenYears) {
  const PairSumsCase c = test::long_pair_sums(3780);
  FakeDeviceLog log;
  const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log));
  const auto worst =
      test::compare_sums(sum_kernels(*backend, c), sum_kernels(*make_reference_forecast_backend(), c), c);
  EXPECT_LE(worst.in_tolerance, 0.25) << worst.where;
  EXPECT_LE(log.bytes_peak, std::size_t{90} << 20);
  EXPECT_THAT(log.faults, testing::IsEmpty());
}

TEST(DeviceNearest, AWalkOfSixYears) {
  const SearchCase c = test::walk_search(1500);
  FakeDeviceLog log;
  const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log));
  EXPECT_TRUE(same_neighbours(find_nearest(*backend, c), find_nearest(*make_reference_forecast_backend(), c)));
  EXPECT_THAT(log.faults, testing::IsEmpty());
}

TEST(DevicePairSums, SameBitsForAnyChunksAndStreams) {
  const auto sums = test::many_pair_sums(60);
  std::vector<std::vector<float>> expected;
  FakeDeviceLog first_log;
  const auto first = make_device_forecast_backend(std::make_unique<FakeDevice>(first_log));
  for (const PairSumsCase& c : sums) expected.push_back(sum_kernels(*first, c));
  for (const std::size_t streams : {1U, 3U}) {
    for (const std::size_t chunk_bytes : {std::size_t{1}, std::size_t{20} << 20, std::size_t{1} << 32}) {
      FakeDeviceLog log;
      log.free_bytes = std::size_t{1} << 34;
      const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log), {streams, chunk_bytes, 0});
      EXPECT_EQ(sum_kernels(*backend, sums), expected) << "streams " << streams << ", chunk " << chunk_bytes;
      EXPECT_GT(log.products, 100);
      if (chunk_bytes > 1) {
        EXPECT_LT(log.chunks, 40);
      }
      EXPECT_THAT(log.faults, testing::IsEmpty());
    }
  }
}

TEST(DeviceForecast, KeepsWithinItsMemoryAndSaysWhenAJobDoesNotFit) {
  FakeDeviceLog log;
  const std::size_t budget = std::size_t{24} << 20;
  {
    const auto backend =
        make_device_forecast_backend(std::make_unique<FakeDevice>(log), {3, std::size_t{1} << 30, budget});
    find_nearest(*backend, test::many_searches(300));
    sum_kernels(*backend, test::many_pair_sums(12));
    sum_kernels(*backend, test::pair_sums_cases()[2]);  // alone with the memory of all lanes
    sum_kernels(*backend, test::many_pair_sums(3));
    EXPECT_LE(log.bytes_peak, 2 * budget);  // device and pinned memory together
    EXPECT_GT(log.chunks, 4);               // more than calls
  }
  EXPECT_THAT(log.faults, testing::IsEmpty());
  EXPECT_TRUE(log.alive.empty());
  const auto tight = make_device_forecast_backend(std::make_unique<FakeDevice>(log), {2, 1 << 20, 4096});
  EXPECT_THROW(find_nearest(*tight, test::walk_search(400)), BackendError);
  EXPECT_THROW(sum_kernels(*tight, test::pair_sums_cases()[1]), BackendError);
}

TEST(DeviceForecast, FailingCallsAreReportedAndLeakNothing) {
  const auto searches = test::many_searches(6);
  const auto sums = test::many_pair_sums(3);
  const auto both = [&](ForecastBackend& backend) {
    return std::pair(find_nearest(backend, searches), sum_kernels(backend, sums));
  };
  FakeDeviceLog clean;
  const cuda::DeviceBackendOptions options{2, 1, 0};
  const auto expected = both(*make_device_forecast_backend(std::make_unique<FakeDevice>(clean), options));
  EXPECT_TRUE(clean.alive.empty());
  ASSERT_GT(clean.calls, 40);
  for (int call = 0; call < clean.calls; ++call) {
    FakeDeviceLog log;
    log.fail_at_call = call;
    {
      const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log), options);
      EXPECT_THROW(both(*backend), BackendError) << "call " << call;
      EXPECT_EQ(log.streams, 0) << "call " << call;
      EXPECT_EQ(log.events, 0) << "call " << call;
      EXPECT_TRUE(log.alive.empty()) << "call " << call;
      // The next call starts afresh.
      const auto again = both(*backend);
      EXPECT_TRUE(all_same(again.first, expected.first)) << "call " << call;
      EXPECT_EQ(again.second, expected.second) << "call " << call;
    }
    EXPECT_TRUE(log.alive.empty()) << "call " << call;
    EXPECT_THAT(log.faults, testing::IsEmpty()) << "call " << call;
  }
}

TEST(DeviceForecast, NothingToDoTouchesNoChunk) {
  FakeDeviceLog log;
  const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log));
  backend->nearest({});
  backend->pair_sums({});
  EXPECT_EQ(log.chunks, 0);
}

TEST(DeviceForecast, SaysWhyItCannotRun) {
  FakeDeviceLog log;
  log.usable = false;
  log.detail = "no driver: cudaErrorInsufficientDriver";
  const auto backend = make_device_forecast_backend(std::make_unique<FakeDevice>(log));
  EXPECT_EQ(backend->status().detail, log.detail);
  try {
    find_nearest(*backend, test::walk_search(310));
    FAIL() << "searched without a device";
  } catch (const BackendError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(log.detail));
  }
  EXPECT_EQ(log.calls, 0);
}

TEST(CudaForecast, RefusesWhereItCannotRun) {
  const auto backend = make_cuda_forecast_backend();
  if (const BackendStatus status = backend->status(); status.usable) {
    GTEST_SKIP() << "a device answers: " << status.detail;
  }
  EXPECT_THROW(find_nearest(*backend, test::walk_search(310)), BackendError);
  EXPECT_THROW(sum_kernels(*backend, test::pair_sums_cases()[0]), BackendError);
}

}  // namespace
}  // namespace greekgrid

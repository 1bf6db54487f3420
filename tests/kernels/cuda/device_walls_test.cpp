// The search for gamma walls on the emulated device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <type_traits>

#include "device_backend.hpp"
#include "fake_device.hpp"
#include "greekgrid_test/walls.hpp"

namespace greekgrid {
namespace {

using cuda::make_device_backend;
using test::compare_walls;
using test::FakeDevice;
using test::FakeDeviceLog;
using test::find_walls;
using test::same_walls;
using test::WallCase;
using test::Walls;

static_assert(std::is_trivially_copyable_v<cuda::WallBody<cuda::WallRule::kFixed>>);

std::vector<Walls> find_together(Backend& backend, const std::vector<WallCase>& cases,
                                 const std::vector<std::size_t>& order) {
  std::vector<Walls> walls(cases.size());
  std::vector<WallJob> jobs;
  for (const std::size_t i : order) {
    walls[i] = {std::vector<double>(cases[i].cells(), -1.0), std::vector<double>(cases[i].cells(), -1.0)};
    jobs.push_back(cases[i].job(walls[i].call, walls[i].put));
  }
  backend.gamma_walls(jobs);
  return walls;
}

std::vector<std::size_t> in_order(const std::vector<WallCase>& cases) {
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

bool all_same(const std::vector<Walls>& a, const std::vector<Walls>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_walls);
}

TEST(DeviceWalls, EquivalentToReference) {
  const auto reference = make_reference_backend();
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    FakeDeviceLog log;
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), precision);
    std::size_t walls = 0, different = 0;
    for (const WallCase& c : test::wall_cases()) {
      const auto worst = compare_walls(find_walls(*backend, c), find_walls(*reference, c), c);
      EXPECT_LE(worst.in_tolerance, 1.0) << c.name << ", " << worst.where;
      walls += worst.walls;
      different += worst.different;
    }
    EXPECT_LE(different * 1000, walls);
    EXPECT_THAT(log.faults, testing::IsEmpty());
  }
}

TEST(DeviceWalls, OfEqualSumsTheNearestStrikeWins) {
  FakeDeviceLog log;
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64);
  for (const int right : {1, -1}) {
    const test::WallTie tie = test::wall_tie(right);
    const Walls walls = find_walls(*backend, tie.tied);
    EXPECT_EQ(right > 0 ? walls.call : walls.put, std::vector<double>(2, tie.nearer));
  }
}

TEST(DeviceWalls, TheLargerOfTwoCloseSumsWins) {
  const auto reference = make_reference_backend();
  FakeDeviceLog log;
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32);
  for (const IvRule rule : {IvRule::kStickyStrike, IvRule::kRelativeBeta, IvRule::kSkewStickiness}) {
    for (const WallCase& c : test::close_walls(rule)) {
      EXPECT_TRUE(same_walls(find_walls(*backend, c), find_walls(*reference, c))) << c.name;
    }
  }
}

TEST(DeviceWalls, ContractsThatCancelAreNoWall) {
  FakeDeviceLog log;
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64);
  for (const IvRule rule : {IvRule::kStickyStrike, IvRule::kRelativeBeta, IvRule::kSkewStickiness}) {
    const WallCase c = test::cancelling_walls(rule);
    const Walls walls = find_walls(*backend, c);
    EXPECT_TRUE(same_walls(walls, find_walls(*make_reference_backend(), c)));
    EXPECT_TRUE(std::isnan(walls.call[0]));
  }
}

TEST(DeviceWalls, SameBitsForAnyChunksStreamsOrderAndThreads) {
  const auto cases = test::wall_cases();
  std::vector<std::size_t> order = in_order(cases);
  FakeDeviceLog first_log;
  const auto first = make_device_backend(std::make_unique<FakeDevice>(first_log), Precision::kFp64);
  const auto expected = find_together(*first, cases, order);
  EXPECT_EQ(first_log.chunks, 3);  // one a rule

  std::mt19937 random(7);
  for (const std::size_t streams : {1U, 2U, 5U}) {
    for (const std::size_t chunk_bytes : {std::size_t{1}, std::size_t{60000}}) {
      FakeDeviceLog log;
      log.thread_order = streams == 2 ? test::ThreadOrder::kDescending : test::ThreadOrder::kAscending;
      const auto backend =
          make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {streams, chunk_bytes, 0});
      std::shuffle(order.begin(), order.end(), random);
      EXPECT_TRUE(all_same(find_together(*backend, cases, order), expected))
          << "streams " << streams << ", chunk " << chunk_bytes;
      EXPECT_GT(log.chunks, 3);
      EXPECT_THAT(log.faults, testing::IsEmpty());
    }
  }
}

TEST(DeviceWalls, KeepsWithinItsMemoryAndSaysWhenAJobDoesNotFit) {
  const auto cases = test::wall_cases();
  FakeDeviceLog log;
  const std::size_t budget = 600000;
  {
    const auto backend =
        make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {3, std::size_t{1} << 30, budget});
    for (const WallCase& c : cases) find_walls(*backend, c);
    EXPECT_LE(log.bytes_peak, 2 * budget);  // device and pinned memory together
  }
  EXPECT_THAT(log.faults, testing::IsEmpty());
  const auto tight = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 1 << 20, 4096});
  EXPECT_THROW(find_walls(*tight, cases[0]), BackendError);
}

TEST(DeviceWalls, FailingCallsAreReportedAndLeakNothing) {
  const auto all = test::wall_cases();
  std::vector<WallCase> some;
  for (const WallCase& c : all) {
    if (c.name.starts_with("one_contract") || c.name.starts_with("no_contracts")) some.push_back(c);
  }
  ASSERT_GE(some.size(), 5U);
  const std::vector<std::size_t> order = in_order(some);
  FakeDeviceLog clean;
  std::vector<Walls> expected;
  {
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(clean), Precision::kFp64, {2, 1, 0});
    expected = find_together(*backend, some, order);
  }
  EXPECT_TRUE(clean.alive.empty());
  ASSERT_GT(clean.calls, 30);
  for (int call = 0; call < clean.calls; ++call) {
    FakeDeviceLog log;
    log.fail_at_call = call;
    {
      const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 1, 0});
      EXPECT_THROW(find_together(*backend, some, order), BackendError) << "call " << call;
      EXPECT_EQ(log.streams, 0) << "call " << call;
      EXPECT_TRUE(log.alive.empty()) << "call " << call;
      // The next call starts afresh.
      EXPECT_TRUE(all_same(find_together(*backend, some, order), expected)) << "call " << call;
    }
    EXPECT_TRUE(log.alive.empty()) << "call " << call;
    EXPECT_THAT(log.faults, testing::IsEmpty()) << "call " << call;
  }
}

TEST(DeviceWalls, SaysWhyItCannotRun) {
  FakeDeviceLog log;
  log.usable = false;
  log.detail = "no driver: cudaErrorInsufficientDriver";
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32);
  try {
    find_walls(*backend, test::wall_cases()[0]);
    FAIL() << "searched without a device";
  } catch (const BackendError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(log.detail));
  }
  EXPECT_EQ(log.calls, 0);
}

TEST(CudaWalls, RefusesWhereItCannotRun) {
  const auto backend = make_cuda_backend(Precision::kFp32);
  if (const BackendStatus status = backend->status(); status.usable) {
    GTEST_SKIP() << "a device answers: " << status.detail;
  }
  EXPECT_THROW(find_walls(*backend, test::wall_cases()[0]), BackendError);
}

}  // namespace
}  // namespace greekgrid

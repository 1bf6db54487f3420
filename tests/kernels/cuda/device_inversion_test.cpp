// Inversion on the emulated device: the body is the formula, so that its results are the reference's to the bit.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "device_backend.hpp"
#include "equivalence.hpp"
#include "fake_device.hpp"
#include "greekgrid_test/quotes.hpp"
#include "synthetic_book.hpp"

namespace greekgrid {
namespace {

using cuda::make_device_backend;
using formulas::IvStatus;
using test::FakeDevice;
using test::FakeDeviceLog;
using test::invert;
using test::Inverted;
using test::Quotes;

static_assert(std::is_trivially_copyable_v<cuda::InversionBody>);

void expect_same(const Inverted& actual, const Inverted& expected, const std::string& name) {
  ASSERT_EQ(actual.status, expected.status) << name;
  for (std::size_t i = 0; i < actual.sigma.size(); ++i) {
    if (expected.status[i] == IvStatus::kOk) {
      ASSERT_EQ(actual.sigma[i], expected.sigma[i]) << name << ", quote " << i;
    } else {
      ASSERT_TRUE(std::isnan(actual.sigma[i])) << name << ", quote " << i;
    }
  }
}

TEST(DeviceInversion, EquivalentToReference) {
  const auto reference = make_reference_backend();
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    FakeDeviceLog log;
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), precision);
    for (const auto& item : test::quote_cases()) {
      expect_same(invert(*backend, item.quotes.view()), invert(*reference, item.quotes.view()), item.name);
    }
    EXPECT_THAT(log.faults, testing::IsEmpty());
    EXPECT_EQ(log.chunks, static_cast<int>(test::quote_cases().size()) - 1);  // none for no quotes
  }
}

TEST(DeviceInversion, SameBitsForAnyChunksStreamsAndThreads) {
  const auto reference = make_reference_backend();
  for (const std::size_t size : {1U, 255U, 256U, 257U, 1025U, 3000U}) {
    const Quotes quotes = test::session_quotes(size);
    const auto expected = invert(*reference, quotes.view());
    for (const std::size_t streams : {1U, 2U, 5U}) {
      for (const std::size_t chunk_bytes : {std::size_t{1}, std::size_t{40000}, std::size_t{1} << 28}) {
        FakeDeviceLog log;
        log.thread_order = streams == 2 ? test::ThreadOrder::kDescending : test::ThreadOrder::kAscending;
        const auto backend =
            make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32, {streams, chunk_bytes, 0});
        for (int repeat = 0; repeat < 2; ++repeat) {
          expect_same(invert(*backend, quotes.view()), expected,
                      std::to_string(size) + " quotes, " + std::to_string(streams) + " streams");
        }
        EXPECT_THAT(log.faults, testing::IsEmpty());
        const std::size_t blocks = (size + 255) / 256;
        const std::size_t once = chunk_bytes == 1 ? blocks : chunk_bytes == 40000 ? (blocks + 2) / 3 : 1;
        EXPECT_EQ(log.chunks, static_cast<int>(2 * once));
      }
    }
  }
}

TEST(DeviceInversion, SharesItsBuffersWithExposures) {
  const auto cases = test::synthetic_cases();
  const Quotes quotes = test::session_quotes(2000);
  const auto expected = invert(*make_reference_backend(), quotes.view());
  FakeDeviceLog log;
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 30000, 0});
  const auto exposure = test::evaluate_alone(*backend, cases[0], kGreeks3);
  for (int repeat = 0; repeat < 3; ++repeat) {
    expect_same(invert(*backend, quotes.view()), expected, "after exposures");
    EXPECT_EQ(test::evaluate_alone(*backend, cases[0], kGreeks3), exposure);
  }
  const std::size_t allocations = log.device_allocations;
  invert(*backend, quotes.view());
  EXPECT_EQ(log.device_allocations, allocations);
  EXPECT_THAT(log.faults, testing::IsEmpty());
}

TEST(DeviceInversion, KeepsWithinItsMemoryAndSaysWhenABlockDoesNotFit) {
  const Quotes quotes = test::session_quotes(4000);
  FakeDeviceLog log;
  const std::size_t budget = 100000;
  {
    const auto backend =
        make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {3, std::size_t{1} << 30, budget});
    invert(*backend, quotes.view());
    EXPECT_LE(log.bytes_peak, 2 * budget);  // device and pinned memory together
    EXPECT_GT(log.chunks, 1);
  }
  EXPECT_THAT(log.faults, testing::IsEmpty());
  const auto tight = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 1 << 20, 4096});
  EXPECT_THROW(invert(*tight, quotes.view()), BackendError);
}

TEST(DeviceInversion, FailingCallsAreReportedAndLeakNothing) {
  const Quotes quotes = test::session_quotes(900);
  FakeDeviceLog clean;
  Inverted expected;
  {
    const auto backend = make_device_backend(std::make_unique<FakeDevice>(clean), Precision::kFp64, {2, 1, 0});
    expected = invert(*backend, quotes.view());
  }
  EXPECT_TRUE(clean.alive.empty());
  ASSERT_GT(clean.calls, 20);
  for (int call = 0; call < clean.calls; ++call) {
    FakeDeviceLog log;
    log.fail_at_call = call;
    {
      const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp64, {2, 1, 0});
      EXPECT_THROW(invert(*backend, quotes.view()), BackendError) << "call " << call;
      EXPECT_EQ(log.streams, 0) << "call " << call;
      EXPECT_EQ(log.events, 0) << "call " << call;
      EXPECT_TRUE(log.alive.empty()) << "call " << call;
      // The next call starts afresh.
      expect_same(invert(*backend, quotes.view()), expected, "call " + std::to_string(call));
    }
    EXPECT_TRUE(log.alive.empty()) << "call " << call;
    EXPECT_EQ(log.streams, 0);
    EXPECT_THAT(log.faults, testing::IsEmpty()) << "call " << call;
  }
}

TEST(DeviceInversion, SaysWhyItCannotRun) {
  FakeDeviceLog log;
  log.usable = false;
  log.detail = "no driver: cudaErrorInsufficientDriver";
  const auto backend = make_device_backend(std::make_unique<FakeDevice>(log), Precision::kFp32);
  const Quotes quotes = test::session_quotes(3);
  try {
    invert(*backend, quotes.view());
    FAIL() << "inverted without a device";
  } catch (const BackendError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(log.detail));
  }
  EXPECT_EQ(log.calls, 0);
}

TEST(CudaInversion, RefusesWhereItCannotRun) {
  const auto backend = make_cuda_backend(Precision::kFp32);
  if (const BackendStatus status = backend->status(); status.usable) {
    GTEST_SKIP() << "a device answers: " << status.detail;
  }
  const Quotes quotes = test::session_quotes(3);
  EXPECT_THROW(invert(*backend, quotes.view()), BackendError);
}

}  // namespace
}  // namespace greekgrid

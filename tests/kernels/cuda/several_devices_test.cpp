#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <numeric>
#include <set>

#include "device_pieces.hpp"
#include "equivalence.hpp"
#include "fake_device.hpp"
#include "greekgrid_test/quotes.hpp"
#include "greekgrid_test/walls.hpp"

namespace greekgrid {
namespace {

using cuda::ExposurePiece;
using test::FakeDevice;
using test::FakeDeviceLog;
using test::SyntheticCase;

/// A backend on fake devices, and what each of them saw.
struct Devices {
  std::deque<FakeDeviceLog> log;
  std::unique_ptr<Backend> backend;

  Devices(std::size_t count, Precision precision, std::uint64_t least_evaluations = 1) : log(count) {
    for (std::size_t d = 0; d < count; ++d) log[d].detail = "fake, sm_90";
    cuda::DeviceBackendOptions options;
    options.least_evaluations = least_evaluations;
    std::vector<std::unique_ptr<cuda::DeviceApi>> devices;
    for (FakeDeviceLog& l : log) devices.push_back(std::make_unique<FakeDevice>(l));
    backend = cuda::make_device_backend(std::move(devices), precision, options);
  }
  void expect_no_faults() const {
    for (const FakeDeviceLog& l : log) EXPECT_THAT(l.faults, testing::IsEmpty());
  }
};

std::vector<std::vector<double>> evaluate_together(Backend& backend, const std::vector<SyntheticCase>& cases,
                                                   GreekSet greeks) {
  std::vector<std::vector<double>> exposure(cases.size());
  std::vector<ExposureJob> jobs;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    exposure[i].assign(cases[i].values(greeks), std::nan(""));
    jobs.push_back(cases[i].job(exposure[i]));
  }
  backend.evaluate(greeks, jobs);
  return exposure;
}

TEST(SeveralDevices, SameBitsAsOneDevice) {
  const auto cases = test::synthetic_cases();
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const GreekSet greeks = precision == Precision::kFp32 ? kGreeks11 : kGreeks3;
    Devices one(1, precision);
    const auto expected = evaluate_together(*one.backend, cases, greeks);
    for (const std::size_t count : {2U, 3U, 8U}) {
      Devices several(count, precision);
      const auto values = evaluate_together(*several.backend, cases, greeks);
      for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_EQ(values[i], expected[i]) << cases[i].name << " on " << count << " devices";
      }
      several.expect_no_faults();
      for (const FakeDeviceLog& log : several.log) EXPECT_GT(log.chunks, 0);
    }
  }
}

TEST(SeveralDevices, OneJobIsCutBetweenItsRows) {
  for (SyntheticCase item : test::synthetic_cases()) {
    if (item.book.strike.empty()) continue;
    Devices one(1, Precision::kFp32), several(4, Precision::kFp32);
    EXPECT_EQ(test::evaluate_alone(*several.backend, item, kGreeks3),
              test::evaluate_alone(*one.backend, item, kGreeks3))
        << item.name;
    several.expect_no_faults();
  }
}

TEST(SeveralDevices, PiecesCoverEachRowOnceAndKeepTheBound) {
  for (const SyntheticCase& item : test::synthetic_cases()) {
    std::vector<double> exposure(item.values(kGreeks3));
    const ExposureJob job = item.job(exposure);
    const ExposurePiece all = cuda::whole(job);
    const std::size_t times = job.grid.time.size(), shifts = job.grid.iv_shift.size();
    for (const std::uint64_t parts : {1U, 2U, 3U, 5U, 100U}) {
      const std::uint64_t most = all.evaluations / parts + 1;
      std::vector<int> seen(times * shifts, 0);
      std::uint64_t evaluations = 0;
      std::size_t values = 0;
      for (const ExposurePiece& piece : cuda::cut({&job, 1}, most)) {
        const std::size_t own_times = piece.job.grid.time.size(), own_shifts = piece.job.grid.iv_shift.size();
        std::uint64_t own = 0;
        for (std::size_t t = 0; t < own_times; ++t) {
          EXPECT_EQ(piece.job.grid.time[t], job.grid.time[piece.time + t]);
          own += cuda::row_evaluations(job, piece.time + t) * own_shifts;
          for (std::size_t v = 0; v < own_shifts; ++v) ++seen[(piece.time + t) * shifts + piece.shift + v];
        }
        EXPECT_EQ(own, piece.evaluations);
        // A row is never cut, and shifts come in whole numbers: two rows are the finest there may be above the bound.
        if (own_times > 1) {
          EXPECT_LE(own, most);
        } else {
          EXPECT_LE(own, std::max(most, 2 * cuda::row_evaluations(job, piece.time))) << item.name;
        }
        evaluations += own;
        values += piece.values;
      }
      EXPECT_THAT(seen, testing::Each(1)) << item.name;
      EXPECT_EQ(evaluations, all.evaluations);
      EXPECT_EQ(values, exposure.size());
    }
  }
}

TEST(SeveralDevices, RowsAreWrittenWhereTheJobHasThem) {
  SyntheticCase item = test::synthetic_cases()[0];
  item.positions = 2;
  item.grid.spots = 3;
  std::vector<double> exposure(item.values(kGreeks3), std::nan(""));
  std::vector<double> expected(exposure.size());
  std::iota(expected.begin(), expected.end(), 0.0);
  const ExposureJob job = item.job(exposure);
  const std::size_t times = job.grid.time.size(), shifts = job.grid.iv_shift.size(), spots = 3;
  for (const ExposurePiece& piece : cuda::cut({&job, 1}, 1)) {
    std::vector<double> own;
    for (std::size_t block = 0; block < 6; ++block) {
      for (std::size_t t = 0; t < piece.job.grid.time.size(); ++t) {
        for (std::size_t v = 0; v < piece.job.grid.iv_shift.size(); ++v) {
          for (std::size_t j = 0; j < spots; ++j) {
            own.push_back(expected[((block * times + piece.time + t) * shifts + piece.shift + v) * spots + j]);
          }
        }
      }
    }
    ASSERT_EQ(own.size(), piece.values);
    cuda::write_rows(piece, own.data());
  }
  EXPECT_EQ(exposure, expected);
}

TEST(SeveralDevices, WorkIsDealtByCostAndSpeed) {
  const std::vector<std::uint64_t> cost = {5, 50, 20, 30, 40, 0};
  const std::vector<double> alike = {1.0, 1.0};
  EXPECT_THAT(cuda::deal(cost, alike),
              testing::ElementsAre(testing::ElementsAre(0, 1, 2), testing::ElementsAre(3, 4, 5)));
  const std::vector<double> unlike = {10.0, 132.0};
  const auto dealt = cuda::deal(std::vector<std::uint64_t>(142, 7), unlike);
  EXPECT_EQ(dealt[0].size(), 10U);
  EXPECT_EQ(dealt[1].size(), 132U);
}

TEST(SeveralDevices, SmallWorkStaysOnTheFirst) {
  const auto cases = test::synthetic_cases();
  Devices several(3, Precision::kFp32, std::uint64_t{1} << 40);
  test::evaluate_alone(*several.backend, cases[0], kGreeks3);
  EXPECT_GT(several.log[0].calls, 0);
  EXPECT_EQ(several.log[1].calls, 0);
  EXPECT_EQ(several.log[2].calls, 0);
}

TEST(SeveralDevices, QuotesAndWallsEqualOneDevices) {
  Devices one(1, Precision::kFp64), several(3, Precision::kFp64);
  for (const auto& item : test::quote_cases()) {
    const QuoteView quotes = item.quotes.view();
    const auto worst =
        test::compare_quotes(test::invert(*several.backend, quotes), test::invert(*one.backend, quotes), quotes);
    EXPECT_EQ(worst.in_attainable, 0.0) << item.name;
  }
  for (const test::WallCase& item : test::wall_cases()) {
    EXPECT_TRUE(test::same_walls(test::find_walls(*several.backend, item), test::find_walls(*one.backend, item)))
        << item.name;
  }
  several.expect_no_faults();
}

TEST(SeveralDevices, AFailureNamesItsDeviceAndTheNextCallSucceeds) {
  auto cases = test::synthetic_cases();
  cases.resize(2);
  Devices one(1, Precision::kFp32);
  const auto expected = evaluate_together(*one.backend, cases, kGreeks3);
  for (const std::size_t failing : {0U, 1U, 2U}) {
    for (const int call : {0, 5, 9, 14}) {
      Devices several(3, Precision::kFp32);
      several.log[failing].fail_at_call = call;
      try {
        evaluate_together(*several.backend, cases, kGreeks3);
        FAIL() << "device " << failing << " did not fail at call " << call;
      } catch (const BackendError& error) {
        EXPECT_THAT(error.what(), testing::StartsWith("device " + std::to_string(failing) + " (fake, sm_90): "));
        EXPECT_THAT(error.what(), testing::HasSubstr("fault put in by the test"));
      }
      EXPECT_EQ(several.log[failing].streams, 0);
      EXPECT_TRUE(several.log[failing].alive.empty());
      EXPECT_EQ(evaluate_together(*several.backend, cases, kGreeks3), expected);
      several.expect_no_faults();
    }
  }
}

TEST(SeveralDevices, SaysWhatItUsesAndWhatItLeavesOut) {
  Devices several(4, Precision::kFp32);
  several.log[1].usable = false;
  several.log[1].detail = "old, is older than sm_80";
  several.log[3].detail = "other, sm_80";
  const BackendStatus status = several.backend->status();
  EXPECT_TRUE(status.usable);
  EXPECT_EQ(status.detail, "2 x fake, sm_90; other, sm_80; device 1 left out (old, is older than sm_80)");
  const auto cases = test::synthetic_cases();
  Devices one(1, Precision::kFp32);
  EXPECT_EQ(evaluate_together(*several.backend, cases, kGreeks3), evaluate_together(*one.backend, cases, kGreeks3));
  EXPECT_EQ(several.log[1].calls, 0);
  EXPECT_GT(several.log[2].calls, 0);
  EXPECT_GT(several.log[3].calls, 0);

  Devices none(2, Precision::kFp32);
  for (FakeDeviceLog& log : none.log) log.usable = false, log.detail = "no driver";
  EXPECT_FALSE(none.backend->status().usable);
  EXPECT_EQ(none.backend->status().detail, "no driver");
  EXPECT_THROW(test::evaluate_alone(*none.backend, cases[0], kGreeks3), BackendError);
}

}  // namespace
}  // namespace greekgrid

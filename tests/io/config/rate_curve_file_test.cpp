// Par-yield files: the row of the date, and every way a file can be wrong.

#include "greekgrid/io/rate_curve_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

using testing::HasSubstr;

constexpr Date kDate = std::chrono::year(2023) / 9 / 5;
const std::string kHeader = "Date,\"1 Mo\",\"6 Mo\",\"1 Yr\",\"2 Yr\"\n";

std::string message_of(const std::string& text, Date date = kDate) {
  try {
    parse_rate_curve(text, "curve.csv", date);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RateCurveFile, TakesTheNewestRowNotAfterTheDate) {
  const std::string text = kHeader + "09/06/2023,9,9,9,9\n09/01/2023,5.51,5.47,N/A,4.87\n2023-08-31,1,1,1,1\n";
  const auto curve = parse_rate_curve(text, "curve.csv", kDate);
  ASSERT_EQ(curve.size(), 3U);  // what is not available is left out
  EXPECT_DOUBLE_EQ(curve[0].tau, 1.0 / 12.0);
  EXPECT_DOUBLE_EQ(curve[0].zero_rate, 2.0 * std::log1p(0.5 * 0.0551));
  EXPECT_DOUBLE_EQ(curve[2].tau, 2.0);
}

TEST(RateCurveFile, RefusesWithFileAndLine) {
  EXPECT_THAT(message_of(""), HasSubstr("curve.csv:1:"));
  EXPECT_THAT(message_of("a,b\n1,2\n"), HasSubstr("begins with Date"));
  EXPECT_THAT(message_of("Date,3 Wk\n09/01/2023,5\n"), HasSubstr("'3 Wk' is no maturity"));
  EXPECT_THAT(message_of("Date,2 Yr,1 Yr\n09/01/2023,5,5\n"), HasSubstr("'1 Yr' is no maturity"));
  EXPECT_THAT(message_of(kHeader + "09/01/2023,5\n"), HasSubstr("curve.csv:2: the row has not the columns"));
  EXPECT_THAT(message_of(kHeader + "yesterday,5,5,5,5\n"), HasSubstr("'yesterday' is no date"));
  EXPECT_THAT(message_of(kHeader + "09/01/2023,5,x,5,5\n"), HasSubstr("'x' is no yield"));
  EXPECT_THAT(message_of(kHeader + "09/01/2023,5,500,5,5\n"), HasSubstr("'500' is no yield"));
  EXPECT_THAT(message_of(kHeader + "08/20/2023,5,5,5,5\n"), HasSubstr("within 7 days"));
  EXPECT_THAT(message_of(kHeader + "09/06/2023,5,5,5,5\n"), HasSubstr("within 7 days"));
}

TEST(RateCurveFile, ReadsTheTreasurys) {
  const auto file = test::reference_dir() / "daily-treasury-rates_2023.csv";
  GREEKGRID_REQUIRE_FILE(file);
  const auto curve = read_rate_curve(file, kDate);
  ASSERT_EQ(curve.size(), 13U);
  EXPECT_NEAR(curve[2].zero_rate, 2.0 * std::log1p(0.5 * 0.0553), 1e-15);
  EXPECT_NEAR(curve.back().zero_rate, 0.042, 0.002);
}

}  // namespace
}  // namespace greekgrid

// Files of split corrections: what they say, and every way one can be wrong.

#include "greekgrid/io/corrections_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace greekgrid {
namespace {

using testing::HasSubstr;

std::string message_of(const std::string& text) {
  try {
    parse_corrections(text, "splits.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CorrectionsFile, SortsBySymbolAndDateWhateverTheColumnsOrder) {
  const Corrections read = parse_corrections(
      "\xef\xbb\xbf"
      "remark,Factor,Date,Symbol\nspin-off,1.25,2022-04-11,t\n,1,2021-03-05,BRK.B\n\n\"a, b\",0.125,2021-08-02,GE\n",
      "splits.csv");
  ASSERT_EQ(read.split.size(), 3U);
  EXPECT_EQ(read.split[1].symbol, "GE");
  EXPECT_EQ(read.split[1].date, 18841 * 86400);
  EXPECT_EQ(read.split[1].factor, 0.125);
  EXPECT_EQ(read.split[0].factor, 1.0);
  EXPECT_EQ(read.split[2].symbol, "T");
  EXPECT_EQ(read.source, "splits.csv");
  EXPECT_EQ(read.sha256.size(), 64U);
  EXPECT_TRUE(parse_corrections("symbol,date,factor\n", "x").split.empty());
}

TEST(CorrectionsFile, RefusesWithFileAndRow) {
  const std::string header = "symbol,date,factor\n";
  EXPECT_THAT(message_of(""), HasSubstr("splits.csv: the file is empty"));
  EXPECT_THAT(message_of("symbol,date\n"), HasSubstr("splits.csv:1: no column factor"));
  EXPECT_THAT(message_of(header + "A,2021-01-04\n"), HasSubstr("splits.csv:2: the row has not the columns"));
  EXPECT_THAT(message_of(header + "A,2021-01-04,2\n,2021-01-04,2\n"), HasSubstr("splits.csv:3: '' is no symbol"));
  EXPECT_THAT(message_of(header + "A,2021-13-04,2\n"), HasSubstr("'2021-13-04' is no date"));
  for (const char* factor : {"0", "-2", "nan", "inf", "1e5", "two", ""}) {
    EXPECT_THAT(message_of(header + "A,2021-01-04," + factor + "\n"), HasSubstr("is no factor")) << factor;
  }
  EXPECT_THAT(message_of(header + "A,2021-01-04,2\nB,2021-01-04,2\nA,2021-01-04,3\n"), HasSubstr("A has two factors"));
}

}  // namespace
}  // namespace greekgrid

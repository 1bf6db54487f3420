#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

TEST(RejectReport, QuotesByRfc4180) {
  const std::filesystem::path path = scratch_dir("rejects") / "rejects.csv";
  write_reject_report({{"a,b.csv", 7, "Open Interest", "negative", "-1", "AMD"},
                       {"c.csv", 8, "option_symbol", "bad_symbol", "say \"no\"\nor", ""},
                       {"", 0, "", "column_count", "", "SPX"}},
                      path);
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(text.str(),
            "file,row,ticker,field,rule,value\n"
            "\"a,b.csv\",7,AMD,Open Interest,negative,-1\n"
            "c.csv,8,,option_symbol,bad_symbol,\"say \"\"no\"\"\nor\"\n"
            ",0,SPX,,column_count,\n");
}

TEST(RejectReport, IsCountedByRule) {
  const std::filesystem::path path = scratch_dir("rejects") / "rejects.csv";
  EXPECT_TRUE(count_reject_report(path).empty());
  write_reject_report({{"a,b.csv", 7, "bid", "negative", "-1", "AMD"},
                       {"c.csv", 8, "ask", "negative", "\"-2\"", ""},
                       {"", 0, "", "column_count", "", "SPX"}},
                      path);
  const std::map<std::string, std::size_t> expected = {{"column_count", 1}, {"negative", 2}};
  EXPECT_EQ(count_reject_report(path), expected);
}

TEST(RejectReport, OfNothingIsItsHeader) {
  const std::filesystem::path path = scratch_dir("rejects") / "rejects.csv";
  write_reject_report({}, path);
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(text.str(), "file,row,ticker,field,rule,value\n");
}

}  // namespace
}  // namespace greekgrid::test

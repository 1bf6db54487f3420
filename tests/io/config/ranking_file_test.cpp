// Rankings as CSV, and the selection of a configuration.

#include "greekgrid/io/ranking_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "greekgrid/io/config_file.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_ranking(text, "r.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RankingFile, ARankRanksFromTheSmallestANumberFromTheLargest) {
  EXPECT_THAT(parse_ranking("rank,symbol,volume\n3,AAA,9\n1,BBB,1\n2,CCC,5\n", "r.csv").symbol,
              ElementsAre("BBB", "CCC", "AAA"));
  const Ranking r =
      parse_ranking("\xef\xbb\xbfname,Ticker,\"dollar volume\"\r\nx,bbb,2\r\n\r\nx,^AAA,2\r\nx,C,1e9\r\n", "r.csv");
  EXPECT_THAT(r.symbol, ElementsAre("C", "AAA", "BBB")) << "ties by name";
  EXPECT_EQ(r.source, "r.csv");
  EXPECT_EQ(r.sha256.size(), 64U);
  EXPECT_EQ(r.rows_in, 3);
}

TEST(RankingFile, EveryRowIsRankedOrRefused) {
  const Ranking r = parse_ranking("symbol,x\nA,1\nB,\nC,one\nD,inf\nE E,1\nF\n\"G,1\nA,5\nH,2\n", "r.csv");
  EXPECT_THAT(r.symbol, ElementsAre("A", "H")) << "the best of two";
  std::vector<std::string> rules;
  for (const Diagnostic& reject : r.rejects) rules.push_back(std::to_string(reject.row) + " " + reject.rule);
  EXPECT_THAT(rules, ElementsAre("2 duplicate_ticker", "3 bad_number", "4 bad_number", "5 bad_number", "6 bad_ticker",
                                 "7 column_count", "8 bad_quoting"));
  EXPECT_EQ(r.rows_in, static_cast<std::int64_t>(r.symbol.size() + r.rejects.size()));
}

TEST(RankingFile, WhatRanksNothingIsRefused) {
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("a,b\nA,1\n"), HasSubstr("r.csv:1: no header of a ranking"));
  EXPECT_THAT(refusal("volume,symbol\n1,A\n"), HasSubstr("no header of a ranking"));
  EXPECT_THAT(refusal("symbol,x\n"), HasSubstr("no usable row"));
  EXPECT_THAT(refusal("symbol,x\nA,one\n"), HasSubstr("no usable row"));
  EXPECT_THAT(refusal("symbol,x\nA," + std::string((1 << 20) + 1, '1')), HasSubstr("longer than 1 MiB"));
}

TEST(RankingFile, RealRanking) {
  const auto path = test::data_dir() / "universe" / "top2000_avg_dollar_volume_60d_to_20260821.csv";
  GREEKGRID_REQUIRE_FILE(path);
  const Ranking r = read_ranking(path);
  EXPECT_EQ(r.rows_in, 2000);
  EXPECT_EQ(r.symbol.size(), 1997U);
  ASSERT_EQ(r.rejects.size(), 3U) << "preferred shares";
  EXPECT_EQ(r.rejects[0].value, "ORCL^D");
  EXPECT_EQ(r.symbol.front(), "MU");
  EXPECT_EQ(r.symbol.back(), "SMPL");
}

std::string config_refusal(const std::string& line) {
  try {
    parse_config("[selection]\n" + line + "\n", "run.toml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(SelectionOfAConfiguration, IsReadPrintedAndReadAgain) {
  const std::string sha(64, 'a');
  const RunConfig config = parse_config(
      "[selection]\ntop = 5\nalways = [\"SPX\", \"SPY\"]\nranking_source = \"r.csv\"\nranking_sha256 = \"" + sha +
          "\"\n",
      "run.toml");
  EXPECT_THAT(config.selection.always, ElementsAre("SPX", "SPY"));
  EXPECT_EQ(config.ranking.source, "r.csv");
  EXPECT_EQ(config.ranking.sha256, sha);
  const RunConfig again = parse_config(to_toml(config), "printed");
  EXPECT_EQ(to_toml(again), to_toml(config));
  EXPECT_THAT(again.selection.always, ElementsAre("SPX", "SPY"));
  EXPECT_EQ(again.ranking.sha256, sha);
  EXPECT_THAT(config_refusal("always = \"SPX\""), HasSubstr("selection.always is not a list"));
  EXPECT_THAT(config_refusal("always = [1]"), HasSubstr("selection.always"));
  EXPECT_THAT(config_refusal("ranking = 1"), HasSubstr("selection.ranking"));
  EXPECT_THAT(config_refusal("ranking = \"\""), HasSubstr("selection.ranking"));
  EXPECT_THAT(config_refusal("ranking_sha256 = \"ABC\""), HasSubstr("64 lower-case"));
}

TEST(SelectionOfAConfiguration, NamesItsRankingFromWhereItLies) {
  const auto dir = test::scratch_dir("selection");
  std::ofstream(dir / "run.toml") << "[selection]\nranking = \"lists/r.csv\"\n";
  EXPECT_EQ(read_config(dir / "run.toml").ranking.file, (dir / "lists/r.csv").string());
  std::ofstream(dir / "run.toml") << "[selection]\nranking = \"/lists/r.csv\"\n";
  EXPECT_EQ(read_config(dir / "run.toml").ranking.file, "/lists/r.csv");
}

}  // namespace
}  // namespace greekgrid

// Daily series: each format on real files and on made ones, rows that add up, and what is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "greekgrid/io/history_ingest.hpp"
#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

HistorySource read(std::string_view text, const HistoryOptions& options = {}, std::string_view name = "made.csv") {
  return parse_history_bytes(text, name, Calendar(), options);
}

std::string refusal_of(std::string_view text, const HistoryOptions& options = {}, std::string_view name = "1.csv") {
  try {
    read(text, options, name);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::map<std::string, int> rules_of(const HistorySource& source) {
  std::map<std::string, int> count;
  for (const Diagnostic& reject : source.rejects) ++count[reject.rule];
  return count;
}

void expect_adds_up(const HistorySource& source) {
  EXPECT_EQ(source.rows_in, static_cast<std::int64_t>(source.history.rows() + source.rejects.size()));
  EXPECT_EQ(source.line.size(), source.history.rows());
  EXPECT_EQ(source.history.knowledge_time.size(), source.history.rows());
}

double value_at(const DailyHistory& history, const std::string& symbol, Date date,
                std::vector<double> DailyHistory::*column) {
  const Instant midnight = midnight_of(date);
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    if (history.symbol[u] != symbol) continue;
    for (std::int64_t row = history.row_begin[u]; row < history.row_begin[u] + history.row_count[u]; ++row) {
      if (history.date[static_cast<std::size_t>(row)] == midnight) {
        return (history.*column)[static_cast<std::size_t>(row)];
      }
    }
  }
  ADD_FAILURE() << "no " << symbol;
  return 0.0;
}

const std::string kFinraHeader = "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\r\n";

TEST(History, ReadsFinraShortVolume) {
  const HistorySource source =
      read(kFinraHeader + "20210104|AAICpB|12.5|0|90.25|Q,N\r\n20210104|AAC/U|1|0|2|Q\r\n2\r\n");
  EXPECT_EQ(source.format, HistoryFormat::kFinra);
  EXPECT_THAT(source.rejects, IsEmpty());
  EXPECT_THAT(source.history.symbol, ElementsAre("AAC/U", "AAICpB"));
  EXPECT_EQ(source.history.short_volume[1], 12.5);
  EXPECT_EQ(source.history.off_exchange_volume[1], 90.25);
  EXPECT_EQ(source.history.date[0], 1609718400);
  EXPECT_TRUE(std::isnan(source.history.close[0]));
  // Before 2011 exempt sales were not told.
  const HistorySource old = read("Date|Symbol|ShortVolume|TotalVolume|Market\n20100104|A|1|2|Q\n1\n");
  EXPECT_EQ(old.history.rows(), 1U);
  EXPECT_TRUE(std::isnan(old.history.short_exempt_volume[0]));
}

TEST(History, RefusesFinraRowsByRule) {
  const HistorySource source = read(kFinraHeader +
                                    "20210104|A|1|0|2|Q\n20210104|A|1|0|2|Q\n20210199|B|1|0|2|Q\n20210104|C|x|0|2|Q\n"
                                    "20210104|D|-1|0|2|Q\n20210104|E|3|0|2|Q\n20210102|F|1|0|2|Q\n20210104|G|1|0\n"
                                    "20210104||1|0|2|Q\n20210104|H|||\n20210104|I||||\n20210104|J|1e999|0|2|Q\n12\n");
  expect_adds_up(source);
  EXPECT_EQ(source.history.rows(), 1U);
  EXPECT_THAT(rules_of(source),
              ElementsAre(Pair("bad_date", 1), Pair("bad_number", 1), Pair("bad_ticker", 1), Pair("column_count", 2),
                          Pair("duplicate_row", 1), Pair("negative", 1), Pair("no_value", 1), Pair("non_finite", 1),
                          Pair("not_a_session", 1), Pair("short_above_total", 1)));
  EXPECT_EQ(source.rejects[0].row, 3);
}

// Prices with the close of the session, 13:00 on half days; FINRA's volumes in the evening of every day.
TEST(History, RowsAreKnownWhenTheirSeriesWas) {
  const auto known = [](std::string_view text) { return read(text).history.knowledge_time; };
  const auto at = [](Date date, int hour) { return new_york_instant(date, hour, 0); };
  const Date winter = test::ymd(2021, 1, 4), summer = test::ymd(2021, 7, 6), half = test::ymd(2021, 11, 26);
  EXPECT_THAT(known("date,symbol,close\n2021-01-04,A,1\n2021-07-06,A,1\n2021-11-26,A,1\n"),
              ElementsAre(at(winter, 16), at(summer, 16), at(half, 13)));
  EXPECT_THAT(known("date,symbol,price,dix,gex\n2021-11-26,SPX,1,0.4,1\n"), ElementsAre(at(half, 18)));
  EXPECT_THAT(known(kFinraHeader + "20211126|A|1|0|2|Q\n1\n" + kFinraHeader + "20210706|A|1|0|2|Q\n1\n"),
              ElementsAre(at(summer, 18), at(half, 18)));
}

TEST(History, ChainsAndNightsAreKnownWithTheLaterOfQuotesAndOpenInterest) {
  const Instant close = new_york_instant(test::ymd(2026, 8, 20), 16, 0), open = close + 17 * 3600 + 1800;
  EXPECT_EQ(knowledge_time_of(close, "", "c.h5"), close);
  EXPECT_EQ(knowledge_time_of(close, "2026-08-21T09:30:00-04:00", "c.h5"), open);
  EXPECT_EQ(knowledge_time_of(close, "2026-08-20T09:30:00-04:00", "c.h5"), close);
  try {
    knowledge_time_of(close, "tomorrow", "c.h5");
    ADD_FAILURE() << "no error";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("c.h5: open_interest_knowledge_time 'tomorrow' is no instant"));
  }
}

// A file that was cut may end in a number that was cut: none of its rows is believed.
TEST(History, RefusesFinraFilesWhoseCountDiffers) {
  const std::string rows = "20210104|A|1|0|2|Q\n20210104|B|1|0|2|Q\n";
  for (const std::string& end : {std::string(), std::string("3\n"), std::string("20210104|C|1|0|22\n")}) {
    const HistorySource source = read(kFinraHeader + rows + end);
    expect_adds_up(source);
    EXPECT_EQ(source.history.rows(), 0U) << end;
    EXPECT_EQ(rules_of(source)["record_count_mismatch"], 2) << end;
  }
  // Files put one after the other keep their counts.
  const HistorySource two = read(kFinraHeader + rows + "2\n" + kFinraHeader + "20210105|A|1|0|2|Q\n9\n");
  EXPECT_EQ(two.history.rows(), 2U);
  EXPECT_EQ(rules_of(two)["record_count_mismatch"], 1);
}

TEST(History, ReadsCsvByTheNamesOfItsColumns) {
  const HistorySource long_form = read("date,symbol,close,volume\n2021-01-29,MU,78.27,17925902\n2021-01-29,BRK/B,1,\n");
  EXPECT_EQ(long_form.format, HistoryFormat::kDailyCsv);
  EXPECT_THAT(long_form.history.symbol, ElementsAre("BRK/B", "MU"));
  EXPECT_TRUE(std::isnan(long_form.history.volume[0]));
  const HistorySource vix =
      read("DATE,OPEN,HIGH,LOW,CLOSE\n01/02/1990,17.24,17.25,17.23,17.24\n", {}, "VIX_History.csv");
  EXPECT_THAT(vix.history.symbol, ElementsAre("VIX"));
  EXPECT_EQ(vix.history.high[0], 17.25);
  EXPECT_EQ(vix.history.low[0], 17.23);
  const HistorySource dix = read("date,price,dix,gex\n2011-05-02,1361.219971,0.378842,1897312571.4860\n", {}, "d.csv");
  EXPECT_EQ(dix.format, HistoryFormat::kDix);
  EXPECT_THAT(dix.history.symbol, ElementsAre("SPX"));
  EXPECT_EQ(dix.history.close[0], 1361.219971);
  EXPECT_EQ(dix.history.gex[0], 1897312571.486);
  HistoryOptions options;
  options.symbol = "^ndx";
  EXPECT_THAT(read("Date,Close\n2021-01-29,1\n", options).history.symbol, ElementsAre("NDX"));
  const HistorySource packed =
      read(test::gzip("\xef\xbb\xbf"
                      "Date,Ticker,Close\r\n2021-01-29T00:00:00Z,\"A\",1\r\n"));
  EXPECT_THAT(packed.history.symbol, ElementsAre("A"));
}

TEST(History, RefusesCsvRowsByRule) {
  const HistorySource source = read(
      "date,symbol,close,high,low,volume,dix\n2021-01-29,A,1,3,2,5,0.4\n2021-01-29,A,2,,,,\n2021-01-30,B,1,,,,\n"
      "2021-02-30,B,1,,,,\n2021-01-29,C,0,,,,\n2021-01-29,C,1,2,3,,\n2021-01-29,C,1,,,-1,\n2021-01-29,C,1,,,,40\n"
      "2021-01-29,C,1\n2021-01-29,\"C,1,,,,\n2021-01-29,C,nan,,,,\n2021-01-29,C,,,,,\n1985-01-30,C,1,,,,\n");
  expect_adds_up(source);
  EXPECT_EQ(source.history.rows(), 1U);
  EXPECT_THAT(rules_of(source), ElementsAre(Pair("bad_date", 1), Pair("bad_quoting", 1), Pair("column_count", 1),
                                            Pair("duplicate_row", 1), Pair("high_below_low", 1), Pair("negative", 1),
                                            Pair("no_value", 1), Pair("non_finite", 1), Pair("not_a_session", 2),
                                            Pair("not_positive", 1), Pair("out_of_range", 1)));
  EXPECT_EQ(source.history.close[0], 1.0) << "the first of two rows stays";
}

TEST(History, RefusesTextsThatAreNoSeries) {
  EXPECT_THAT(refusal_of("a,b\n1,2\n"), HasSubstr("1.csv: unknown daily series"));
  EXPECT_THAT(refusal_of("date,symbol,strike,price,volume\n"), HasSubstr("unknown daily series")) << "options";
  EXPECT_THAT(refusal_of(""), HasSubstr("empty"));
  EXPECT_THAT(refusal_of("date,close\n2021-01-29,1\n"), HasSubstr("name it with --symbol"));
  EXPECT_THAT(refusal_of("date,symbol,close,Close\n"), HasSubstr("twice"));
  HistoryOptions options;
  options.format = HistoryFormat::kFinra;
  EXPECT_THAT(refusal_of("date,close\n", options), HasSubstr("no header of FINRA short volume"));
  EXPECT_THAT(refusal_of("date,symbol,close\n" + std::string(std::size_t{3} << 20, 'x')), HasSubstr("1 MiB"));
}

// Mutants of every format: an InputError, or rows that add up and values inside their domains.
TEST(History, HostileBytes) {
  const std::vector<std::string> seed = {
      kFinraHeader + "20210104|AAA|10|1|30|B,Q,N\n20210104|BRK/B|2.5|0|7.25|Q\n2\n",
      "date,price,dix,gex\n2011-05-02,1361.22,0.378,1.9e9\n",
      "\xef\xbb\xbf"
      "symbol,date,open,high,low,close,volume\n\"A\"\"B\",2021-01-04,1,2,1,1,5\nA,01/05/2021,1,2,1,1,5\n"};
  std::mt19937 random(7);
  int usable = 0;
  for (std::size_t k = 0; k < 20000; ++k) {
    std::string bytes = seed[k % seed.size()];
    for (std::size_t mutations = random() % 4; mutations > 0; --mutations) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          bytes.erase(at, random() % 9);
          break;
        case 2:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 20));
          break;
        default:
          bytes.insert(at, 1, "|,\"\n\r0-e."[random() % 9]);
      }
      if (bytes.empty()) bytes = "\n";
    }
    try {
      const HistorySource source = read(bytes, {}, "A.csv");
      ASSERT_EQ(source.rows_in, static_cast<std::int64_t>(source.history.rows() + source.rejects.size())) << bytes;
      for (std::size_t i = 0; i < source.history.rows(); ++i) {
        ASSERT_FALSE(source.history.close[i] <= 0.0 || std::isinf(source.history.close[i])) << bytes;
        ASSERT_FALSE(source.history.short_volume[i] > source.history.off_exchange_volume[i]) << bytes;
      }
      if (source.history.rows() > 0) ++usable;
    } catch (const InputError&) {
    }
  }
  EXPECT_GT(usable, 1000);
}

struct RealFile {
  const char* path;
  HistoryFormat format;
  std::int64_t rows_in, kept, symbols, off_session;
};

class RealHistory : public ::testing::TestWithParam<RealFile> {};

TEST_P(RealHistory, CountsAddUp) {
  const RealFile& wanted = GetParam();
  const std::filesystem::path file = test::data_dir() / wanted.path;
  GREEKGRID_REQUIRE_FILE(file);
  const HistorySource source = read_history_source(file, Calendar(), {});
  expect_adds_up(source);
  EXPECT_EQ(source.format, wanted.format);
  EXPECT_EQ(source.rows_in, wanted.rows_in);
  EXPECT_EQ(static_cast<std::int64_t>(source.history.rows()), wanted.kept);
  EXPECT_EQ(static_cast<std::int64_t>(source.history.symbols()), wanted.symbols);
  EXPECT_EQ(rules_of(source)["not_a_session"], wanted.off_session);
  EXPECT_EQ(source.rejects.size(), static_cast<std::size_t>(wanted.off_session));
}

INSTANTIATE_TEST_SUITE_P(
    Files, RealHistory,
    ::testing::Values(
        RealFile{"finra/CNMSshvol20210104.txt", HistoryFormat::kFinra, 9151, 9151, 9151, 0},
        RealFile{"finra/CNMSshvol20210212.txt", HistoryFormat::kFinra, 9486, 9486, 9486, 0},
        RealFile{"history/DIX_to_20241231.csv", HistoryFormat::kDix, 3440, 3440, 1, 0},
        RealFile{"history/spx_daily_19900102_20260717.csv", HistoryFormat::kDailyCsv, 9202, 9202, 1, 0},
        RealFile{"history/VIX_History_19900102_20260707.csv", HistoryFormat::kDailyCsv, 9223, 9190, 1, 33},
        RealFile{"history/spy_2021_ohlcv_tiingo.csv", HistoryFormat::kDailyCsv, 252, 252, 1, 0},
        RealFile{"history/us_close_volume_200x_2021_2026.csv.gz", HistoryFormat::kDailyCsv, 278852, 278453, 200, 399},
        RealFile{"history/us_close_volume_all_20210129_20210212.csv.gz", HistoryFormat::kDailyCsv, 72192, 72192, 7094,
                 0}));

// The same day of one share in two publications: what FINRA's facilities saw is a part of all volume.
TEST(History, RealValues) {
  const std::filesystem::path finra = test::data_dir() / "finra" / "CNMSshvol20210129.txt";
  const std::filesystem::path closes = test::data_dir() / "history" / "us_close_volume_200x_2021_2026.csv.gz";
  GREEKGRID_REQUIRE_FILE(finra);
  GREEKGRID_REQUIRE_FILE(closes);
  const Date day = test::ymd(2021, 1, 29);
  const HistorySource prices = read_history_source(closes, Calendar(), {});
  const HistorySource shorts = read_history_source(finra, Calendar(), {});
  EXPECT_EQ(value_at(prices.history, "NVDA", day, &DailyHistory::close), 519.59);
  const double off = value_at(shorts.history, "NVDA", day, &DailyHistory::off_exchange_volume);
  EXPECT_GT(off, 1e6);
  EXPECT_LT(off, value_at(prices.history, "NVDA", day, &DailyHistory::volume));
  EXPECT_LT(value_at(shorts.history, "NVDA", day, &DailyHistory::short_volume), off);
  const DailyCheck check = check_history(prices.history, Calendar());
  const auto split = std::find_if(check.jump.begin(), check.jump.end(), [&](const DailyJump& jump) {
    return prices.history.symbol[jump.symbol] == "NVDA" && jump.before == 1208.88;
  });
  ASSERT_NE(split, check.jump.end());
  EXPECT_EQ(split->after, 121.79);
  EXPECT_EQ(check.missing_sessions, 800) << "four sessions of 200 shares";
}

}  // namespace
}  // namespace greekgrid

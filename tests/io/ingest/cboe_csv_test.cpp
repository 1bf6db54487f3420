#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

TEST(CboeCsv, OneRowIsTwoContracts) {
  const OptionChain chain = parse(cboe(kCboeRow));
  ASSERT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.rows_in, 2);
  EXPECT_TRUE(chain.rejects.empty());
  EXPECT_EQ(chain.ticker, std::vector<std::string>{"AMD"});
  EXPECT_EQ(chain.spot[0], 105.6);
  EXPECT_EQ(chain.right, (std::vector<std::int8_t>{-1, 1}));
  EXPECT_EQ(chain.strike, (std::vector<double>{100.0, 100.0}));
  EXPECT_EQ(chain.multiplier, (std::vector<double>{100.0, 100.0}));
  EXPECT_EQ(chain.open_interest, (std::vector<double>{123.0, 321.0}));
  EXPECT_EQ(chain.volume, (std::vector<double>{7.0, 11.0}));
  EXPECT_EQ(chain.bid, (std::vector<double>{0.38, 6.05}));
  EXPECT_EQ(chain.ask, (std::vector<double>{0.41, 6.2}));
  EXPECT_EQ(chain.last, (std::vector<double>{0.4, 6.1}));
  EXPECT_EQ(chain.vendor_iv, (std::vector<double>{0.44, 0.45}));
  EXPECT_EQ(chain.vendor_delta, (std::vector<double>{-0.19, 0.81}));
  EXPECT_EQ(chain.vendor_gamma, (std::vector<double>{0.03, 0.03}));
  EXPECT_EQ(chain.settlement[0], new_york_instant(ymd(2023, 8, 25), 16, 0));
  EXPECT_EQ(chain.exercise[0], Exercise::kAmerican);
  EXPECT_EQ(chain.file_time, new_york_instant(ymd(2023, 8, 18), 22, 35));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2023, 8, 18), 16, 0));
  EXPECT_EQ(chain.open_interest_settle_date, "2023-08-17");
  EXPECT_EQ(chain.open_interest_knowledge_time, "2023-08-18T09:30:00-04:00");
  EXPECT_TRUE(chain.dealer_position.empty());
}

TEST(CboeCsv, DateLinesOfManyLanguages) {
  const Instant instant = new_york_instant(ymd(2022, 3, 23), 10, 11);
  for (const char* date : {
           "March 23, 2022 at 10:11 AM EDT",
           "23 de marzo de 2022, 10:11 GMT-4",
           "23 mars 2022, 10:11 UTC\xe2\x88\x92"
           "4",  // U+2212
           "23 mars 2022 \xc3\xa0 10:11 UTC\xe2\x88\x92"
           "4",
           "23 mars 2022 \xc3\xa0 16\xe2\x80\xafh\xe2\x80\xaf"
           "11 UTC+2",  // U+202F around h
           "March 23, 2022 at 10:11\xe2\x80\xaf"
           "AM EDT",  // U+202F before AM
           "March 23, 2022, 2:11 PM UTC",
           "23 de marzo de 2022, 10:11 a.\xc2\xa0m. GMT-4",
           "23 de marzo de 2022 a las 15:11 CET",
           "23. M\xc3\xa4rz 2022 um 15:11 GMT+1",
           "Mar 23 2022 @ 10:11 ET",
           "March 23, 2022 at 9:11 AM CDT",
       }) {
    EXPECT_EQ(parse(cboe(kCboeRow, date)).file_time, instant) << date;
  }
  // In session: fifteen minutes of the vendor's delay come off, and out of session they do not show.
  EXPECT_EQ(parse(cboe(kCboeRow, "March 23, 2022 at 10:11 AM EDT")).quote_time, instant - 900);
  EXPECT_EQ(parse(cboe(kCboeRow, "March 23, 2022 at 4:10 PM EDT")).quote_time,
            new_york_instant(ymd(2022, 3, 23), 15, 55));
  EXPECT_EQ(parse(cboe(kCboeRow, "March 23, 2022 at 9:40 AM EDT")).quote_time,
            new_york_instant(ymd(2022, 3, 22), 16, 0));
  EXPECT_EQ(parse(cboe(kCboeRow, "12 f\xc3\xa9vrier 2024, 12:00 EST")).file_time,
            new_york_instant(ymd(2024, 2, 12), 12, 0));
  EXPECT_EQ(parse(cboe(kCboeRow, "1 ao\xc3\xbbt 2024, 12:05 AM EDT")).file_time,
            new_york_instant(ymd(2024, 8, 1), 0, 5));
  EXPECT_EQ(parse(cboe(kCboeRow, "August 1, 2024 at 12:05 PM EDT")).file_time,
            new_york_instant(ymd(2024, 8, 1), 12, 5));
}

TEST(CboeCsv, AStampWithoutAKnownZoneNeedsQuoteTime) {
  for (const char* date : {"March 23, 2022 at 10:11 AM", "March 23, 2022 at 10:11 AM XYZ", "March 2022 at 10:11 AM EDT",
                           "yesterday", "March 32, 2022 at 10:11 AM EDT", "March 23, 2022 at 13:11 AM EDT", ""}) {
    EXPECT_THAT(refusal(cboe(kCboeRow, date)), testing::HasSubstr("--quote-time")) << date;
    IngestOptions options;
    options.quote_time = new_york_instant(ymd(2022, 3, 23), 16, 0);
    const OptionChain chain = ingest_bytes(cboe(kCboeRow, date), "made.csv", Calendar{}, options);
    EXPECT_EQ(chain.quote_time, *options.quote_time);
    EXPECT_EQ(chain.open_interest_settle_date, "") << "unknown";
  }
}

TEST(CboeCsv, PreambleVariants) {
  EXPECT_EQ(parse(std::string("---Example Data---").append(cboe(kCboeRow))).spot[0], 105.6);
  EXPECT_EQ(parse(std::string("\xef\xbb\xbf").append(cboe(kCboeRow))).spot[0], 105.6);
  EXPECT_EQ(parse(cboe(kCboeRow).substr(1)).spot[0], 105.6);
  EXPECT_EQ(parse(cboe(kCboeRow, "August 18, 2023 at 10:35 PM EDT", "A \"B\", C,Last: 4505.1,Change: 1")).spot[0],
            4505.1);
  EXPECT_EQ(parse(cboe(kCboeRow, "August 18, 2023 at 10:35 PM EDT",
                       "A,\"Last: 4,505.1\",Change: \xe2\x88\x92"
                       "1"))
                .spot[0],
            4505.1);
  EXPECT_TRUE(std::isnan(parse(cboe(kCboeRow, "August 18, 2023 at 10:35 PM EDT", "A,Change: 1")).spot[0]));
  EXPECT_THAT(refusal(cboe(kCboeRow, "August 18, 2023 at 10:35 PM EDT", "A,Last: n/a,Change: 1")),
              testing::StartsWith("made.txt:2: "));
  // Labels came later.
  const OptionChain old = parse(
      "SPX (S&P 500 INDEX),2690.73,-45.54\nNov 19 2018 @ 17:30 ET\n"
      "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Vol,IV,Open Int,Strike,Puts,Last Sale,Net,Bid,Ask,Vol,IV,Open Int\n"
      "11/21/2018,SPXW181121C02700000,1,0,1,2,3,0.2,4,2700,SPXW181121P02700000,1,0,1,2,3,0.2,5\n");
  EXPECT_EQ(old.spot[0], 2690.73);
  EXPECT_EQ(old.ticker[0], "SPX");
  EXPECT_EQ(old.root[0], "SPXW");
  EXPECT_EQ(old.file_time, new_york_instant(ymd(2018, 11, 19), 17, 30));
  EXPECT_TRUE(std::isnan(old.vendor_delta[0]) && std::isnan(old.vendor_gamma[0]));
  EXPECT_EQ(old.open_interest, (std::vector<double>{5.0, 4.0}));
}

TEST(CboeCsv, LineEndsAndTrailingCommas) {
  std::string text = cboe(kCboeRow + "\n  \n");
  std::string crlf;
  for (const char c : text) {
    if (c == '\n') crlf += '\r';
    crlf += c;
  }
  EXPECT_EQ(parse(crlf).contracts(), 2u);
  EXPECT_EQ(parse(crlf).rows_in, 2);
  EXPECT_EQ(parse(text.substr(0, text.rfind("123") + 3)).contracts(), 2u) << "no line end at the end";
  std::string comma = kCboeRow;
  comma.back() = ',';
  comma += '\n';
  EXPECT_EQ(parse(cboe(comma)).contracts(), 2u);
}

TEST(CboeCsv, RootsOfAFamilyStayApart) {
  const std::string rows =
      "Fri Sep 15 "
      "2023,SPXW230915C04500000,1,0,1,2,3,0.2,0.5,0.01,4,4500.00,SPXW230915P04500000,1,0,1,2,3,0.2,-0.5,0.01,5\n"
      "Fri Sep 15 "
      "2023,SPX230915C04500000,1,0,1,2,3,0.2,0.5,0.01,6,4500.00,SPX230915P04500000,1,0,1,2,3,0.2,-0.5,0.01,7\n"
      "Thu Sep 14 "
      "2023,SPXW230914C04500000,1,0,1,2,3,0.2,0.5,0.01,8,4500.00,SPXW230914P04500000,1,0,1,2,3,0.2,-0.5,0.01,9\n";
  const OptionChain chain = parse(cboe(rows, "September 14, 2023 at 4:31 PM EDT"));
  ASSERT_EQ(chain.expiries(), 3u);
  EXPECT_EQ(chain.ticker, std::vector<std::string>{"SPX"});
  EXPECT_EQ(chain.root, (std::vector<std::string>{"SPXW", "SPX", "SPXW"}));
  EXPECT_EQ(chain.style[1], SettlementStyle::kAm);
  EXPECT_EQ(chain.settlement[1], new_york_instant(ymd(2023, 9, 15), 9, 30));
  EXPECT_EQ(chain.settlement[2], new_york_instant(ymd(2023, 9, 15), 16, 0));
  EXPECT_EQ(chain.open_interest, (std::vector<double>{9, 8, 7, 6, 5, 4}));
  EXPECT_EQ(chain.contract_expiry, (std::vector<std::int32_t>{0, 0, 1, 1, 2, 2}));
}

TEST(CboeCsv, AdjustedAndForeignRootsAreQuarantined) {
  const std::string rows =
      kCboeRow +
      "Fri Aug 25 2023,AMD1230825C00100000,1,0,1,2,3,0.2,0.5,0.01,4,100.00,AMD1230825P00100000,1,0,1,2,3,"
      "0.2,-0.5,0.01,5\n"
      "Fri Aug 25 2023,XLNX230825C00100000,1,0,1,2,3,0.2,0.5,0.01,4,100.00,XLNX230825P00100000,1,0,1,2,3,"
      "0.2,-0.5,0.01,5\n";
  const OptionChain chain = parse(cboe(rows));
  EXPECT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.rows_in, 6);
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"adjusted_root", 2}, {"foreign_root", 2}}));
  EXPECT_EQ(chain.rejects[0].row, 6);
  EXPECT_EQ(chain.rejects[0].value, "AMD1230825C00100000");
  EXPECT_EQ(chain.rejects[0].ticker, "AMD");
  EXPECT_EQ(chain.rejects[0].file, "made.txt");
  // A file of nothing but an adjusted class has nothing to price: the multiplier is not assumed.
  EXPECT_THAT(
      refusal(cboe("Fri Aug 25 2023,AMD1230825C00100000,1,0,1,2,3,0.2,0.5,0.01,4,100.00,AMD1230825P00100000,1,0,1,2,"
                   "3,0.2,-0.5,0.01,5\n")),
      testing::HasSubstr("adjusted_root"));
}

TEST(CboeCsv, BadRowsAreRejectsWithTheirReason) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string row = kCboeRow;
    row.replace(row.find(from), from.size(), to);
    return parse(cboe(row +
                      "Fri Aug 25 2023,AMD230825C00105000,1,0,1,2,3,0.2,0.5,0.01,4,105.00,AMD230825P00105000,1,0,1,2,3,"
                      "0.2,-0.5,0.01,5\n"));
  };
  const auto expect = [&](const std::string& from, const std::string& to, const std::string& rule,
                          const std::string& field, const std::string& value, int count = 1) {
    const OptionChain chain = with(from, to);
    ASSERT_EQ(chain.rejects.size(), static_cast<std::size_t>(count)) << to;
    EXPECT_EQ(chain.rows_in, 4);
    EXPECT_EQ(chain.contracts(), static_cast<std::size_t>(4 - count));
    EXPECT_EQ(chain.rejects[0].rule, rule) << to;
    EXPECT_EQ(chain.rejects[0].field, field) << to;
    EXPECT_EQ(chain.rejects[0].value, value) << to;
    EXPECT_EQ(chain.rejects[0].row, 5);
  };
  expect(",6.05,", ",6.0x,", "bad_number", "Bid", "6.0x");
  expect(",6.05,", ",nan,", "non_finite", "Bid", "nan");
  expect(",6.2,", ",-inf,", "non_finite", "Ask", "-inf");
  expect(",6.2,", ",1e400,", "non_finite", "Ask", "1e400");
  expect(",6.2,", ",1e-400,", "bad_number", "Ask", "1e-400");
  expect(",321,", ",-321,", "negative", "Open Interest", "-321");
  expect(",0.45,", ",-0.45,", "negative", "IV", "-0.45");
  expect("AMD230825C00100000", "AMD2308C00100000", "bad_symbol", "Calls", "AMD2308C00100000");
}

TEST(CboeCsv, SymbolsAgainstColumns) {
  const std::string good =
      "Fri Aug 25 "
      "2023,AMD230825C00105000,1,0,1,2,3,0.2,0.5,0.01,4,105.00,AMD230825P00105000,1,0,1,2,3,0.2,-0.5,0.01,5\n";
  const auto reasons = [&good](const std::string& row) { return rules(parse(cboe(row + good))); };
  const auto row = [](const std::string& date, const std::string& call, const std::string& strike,
                      const std::string& put) {
    return date + "," + call + ",1,0,1,2,3,0.2,0.5,0.01,4," + strike + "," + put + ",1,0,1,2,3,0.2,-0.5,0.01,5\n";
  };
  using Count = std::map<std::string, int>;
  EXPECT_EQ(reasons(row("Fri Sep 01 2023", "AMD230825C00100000", "100.00", "AMD230825P00100000")),
            (Count{{"contradicts_symbol", 2}}));
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "AMD230825P00100000", "100.00", "AMD230825P00100000")),
            (Count{{"contradicts_symbol", 1}}));
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "AMD230825C00100000", "101.00", "AMD230825P00100000")),
            (Count{{"contradicts_symbol", 2}}));
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "AMD230825C00033333", "33.33", "AMD230825P00033333")), Count{});
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "AMD230825C00033333", "33.34", "AMD230825P00033333")),
            (Count{{"contradicts_symbol", 2}}));
  EXPECT_EQ(reasons(row("Fri Foo 25 2023", "AMD230825C00100000", "100.00", "AMD230825P00100000")),
            (Count{{"bad_date", 2}}));
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "", "100.00", "AMD230825P00100000")), (Count{{"bad_symbol", 1}}));
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "AMD230825C00100000", "", "AMD230825P00100000")),
            (Count{{"missing_strike", 2}}));
  EXPECT_EQ(reasons(row("Fri Aug 25 2023", "AMD230825C00000000", "0", "AMD230825P00000000")),
            (Count{{"nonpositive_strike", 2}}));
  EXPECT_EQ(reasons(good), (Count{{"duplicate_contract", 2}}));
  EXPECT_EQ(reasons("Fri Aug 25 2023,AMD230825C00105000\n"), (Count{{"column_count", 2}}));
  EXPECT_EQ(reasons("\"Fri Aug 25 2023,AMD230825C00105000\n"), (Count{{"bad_quoting", 2}}));
}

TEST(CboeCsv, TheFirstOfRepeatedRowsWins) {
  std::string second = kCboeRow;
  second.replace(second.find(",321,"), 5, ",999,");
  const OptionChain chain = parse(cboe(kCboeRow + second));
  EXPECT_EQ(chain.open_interest, (std::vector<double>{123.0, 321.0}));
  ASSERT_EQ(chain.rejects.size(), 2u);
  EXPECT_EQ(chain.rejects[0].row, 6);
  EXPECT_EQ(chain.rows_in, 4);
  EXPECT_THAT((std::vector<std::string>{chain.rejects[0].value, chain.rejects[1].value}),
              testing::UnorderedElementsAre("AMD230825C00100000", "AMD230825P00100000"));
}

TEST(CboeCsv, MissingIsNotZero) {
  std::string row = kCboeRow;
  row.replace(row.find(",321,"), 5, ",,");
  row.replace(row.find(",123\n"), 5, ",0\n");
  const OptionChain chain = parse(cboe(row));
  EXPECT_EQ(chain.open_interest[0], 0.0);
  EXPECT_TRUE(std::isnan(chain.open_interest[1]));
}

TEST(CboeCsv, HeaderWithoutANeededColumnIsRefused) {
  std::string text = cboe(kCboeRow);
  text.replace(text.find("Strike"), 6, "Streik");
  EXPECT_THAT(refusal(text), testing::AllOf(testing::StartsWith("made.txt:4: "), testing::HasSubstr("'Strike'")));
  text = cboe(kCboeRow);
  text.replace(text.rfind("Open Interest"), 13, "Unknown");
  EXPECT_THAT(refusal(text), testing::HasSubstr("'Open Interest' on both sides"));
}

}  // namespace
}  // namespace greekgrid::test

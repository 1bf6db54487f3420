#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>

#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

const std::string kA = long_row("A", "A260717C00105000", "2026-07-17", "C", "105");

TEST(LongCsv, ReadsARow) {
  const OptionChain chain = parse(kLongHeader + kA);
  ASSERT_EQ(chain.contracts(), 1u);
  EXPECT_EQ(chain.ticker[0], "A");
  EXPECT_EQ(chain.spot[0], 134.29);
  EXPECT_EQ(chain.strike[0], 105.0);
  EXPECT_EQ(chain.right[0], 1);
  EXPECT_EQ(chain.bid[0], 1.0);
  EXPECT_EQ(chain.ask[0], 1.2);
  EXPECT_EQ(chain.last[0], 1.1);
  EXPECT_EQ(chain.volume[0], 5.0);
  EXPECT_EQ(chain.open_interest[0], 10.0);
  EXPECT_EQ(chain.vendor_iv[0], 0.3);
  EXPECT_EQ(chain.vendor_delta[0], 0.5);
  EXPECT_EQ(chain.vendor_gamma[0], 0.02);
  EXPECT_EQ(chain.multiplier[0], 100.0);
  EXPECT_EQ(chain.file_time, new_york_instant(ymd(2026, 7, 12), 6, 30, 38));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 7, 10), 16, 0));
  EXPECT_EQ(chain.open_interest_settle_date, "2026-07-09");
  EXPECT_EQ(chain.open_interest_knowledge_time, "2026-07-10T09:30:00-04:00");
}

TEST(LongCsv, EmptyIsMissingAndZeroIsZero) {
  const OptionChain chain = parse(
      kLongHeader +
      long_row("A", "A260717C00105000", "2026-07-17", "C", "105", ",,,,,1e-05,,,,", "2026-07-12T06:30:38-04:00", "") +
      long_row("A", "A260717P00105000", "2026-07-17", "P", "105", "0,0,0,0,0,0,0,0,0,0", "2026-07-12T06:30:38-04:00",
               ""));
  ASSERT_EQ(chain.contracts(), 2u);
  for (const auto* column : {&chain.bid, &chain.ask, &chain.last, &chain.volume, &chain.open_interest,
                             &chain.vendor_delta, &chain.vendor_gamma}) {
    EXPECT_EQ((*column)[0], 0.0);
    EXPECT_TRUE(std::isnan((*column)[1]));
  }
  EXPECT_EQ(chain.vendor_iv[1], 1e-5) << "as quoted";
  EXPECT_TRUE(std::isnan(chain.spot[0]));
}

TEST(LongCsv, HeaderByNameWithMarkQuotesAndCrlf) {
  const OptionChain chain = parse(
      "\xef\xbb\xbf\"Right\", Strike ,open_interest,\"underlying\",expiration,comment,updated\r\n"
      "put,12.5,7,^spx,2026-07-17,\"said \"\"no\"\", twice\",2026-07-12 10:30:38Z\r\n"
      "Call,12.5,8,\"_SPX\",2026-07-17,,2026-07-12T10:30+0000\r\n");
  ASSERT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.ticker, std::vector<std::string>{"SPX"});
  EXPECT_EQ(chain.root, std::vector<std::string>{"SPX"});
  EXPECT_EQ(chain.open_interest, (std::vector<double>{7.0, 8.0}));
  EXPECT_TRUE(std::isnan(chain.spot[0]) && std::isnan(chain.bid[0]));
  EXPECT_EQ(chain.file_time, new_york_instant(ymd(2026, 7, 12), 6, 30, 38));
}

TEST(LongCsv, HeaderProblems) {
  EXPECT_THAT(refusal("underlying,expiration,strike,open_interest\nA,2026-07-17,5,1\n"), testing::HasSubstr("'right'"));
  EXPECT_THAT(refusal("underlying,expiration,strike,right,bid\nA,2026-07-17,5,C,1\n"),
              testing::HasSubstr("'open_interest'"));
  EXPECT_THAT(refusal("underlying,expiration,strike,strike,right,open_interest\n"), testing::HasSubstr("twice"));
  EXPECT_THAT(refusal("underlying,expiration,strike,right,open_interest\nA,2026-07-17,5,C,1\n"),
              testing::HasSubstr("--quote-time"));
  IngestOptions options;
  options.quote_time = new_york_instant(ymd(2026, 7, 10), 16, 0);
  EXPECT_EQ(
      ingest_bytes("underlying,expiration,strike,right,open_interest\nA,2026-07-17,5,C,1\n", "a", Calendar{}, options)
          .contracts(),
      1u);
}

TEST(LongCsv, QuoteTimeIsTheLastCloseNotAfterTheNewestStamp) {
  const auto quote_time = [](const std::string& updated) {
    return parse(kLongHeader +
                 long_row("A", "A271217C00105000", "2027-12-17", "C", "105", "1,1.2,1.1,5,10,0.3,0.5,0.02,,", updated))
        .quote_time;
  };
  EXPECT_EQ(quote_time("2026-07-10T16:00:00-04:00"), new_york_instant(ymd(2026, 7, 10), 16, 0));
  EXPECT_EQ(quote_time("2026-07-10T15:59:59-04:00"), new_york_instant(ymd(2026, 7, 9), 16, 0));
  EXPECT_EQ(quote_time("2026-08-19T22:46:58.3-04:00"), new_york_instant(ymd(2026, 8, 19), 16, 0));
  EXPECT_EQ(quote_time("2026-11-27T13:30:00-05:00"), new_york_instant(ymd(2026, 11, 27), 13, 0));
}

TEST(LongCsv, StaleTickersAreRefused) {
  const auto row = [](const std::string& ticker, const std::string& updated) {
    return long_row(ticker, ticker + "271217C00105000", "2027-12-17", "C", "105", "1,1.2,1.1,5,10,0.3,0.5,0.02,,",
                    updated);
  };
  const OptionChain chain = parse(kLongHeader + row("A", "2026-07-12T06:30:00-04:00") +
                                  row("B", "2026-07-10T17:00:00-04:00") + row("C", "2026-07-09T16:00:00-04:00") +
                                  row("D", "2026-07-09T15:59:59-04:00") + row("E", "2026-06-09T15:59:59-04:00"));
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"A", "B", "C"}));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"stale_ticker", 2}}));
  EXPECT_EQ(chain.rejects[0].ticker, "D");
  EXPECT_EQ(chain.rejects[0].row, 5);
  EXPECT_EQ(chain.rejects[0].value, "2026-07-09T19:59:59Z");
  EXPECT_EQ(chain.rows_in, 5);
}

TEST(LongCsv, RootsWithinAnUnderlying) {
  const auto row = [](const std::string& ticker, const std::string& root) {
    return long_row(ticker, root + "271217C00105000", "2027-12-17", "C", "105");
  };
  const OptionChain chain =
      parse(kLongHeader + row("BRK-B", "BRKB") + row("BF.B", "BFB") + row("CDE", "CDE") + row("CDE", "NGD") +
            row("SPX", "SPX") + row("SPX", "SPXW") + row("NDX", "NDXP") + row("RUT", "RUTW") + row("VIX", "VIXW") +
            row("SPY", "SPY7") + row("AMD", "AMD1") + row("AMD1", "AMD1") + row("SPX", "SPXW1") + row("IWM", "RUT"));
  EXPECT_EQ(chain.contracts(), 9u);
  std::vector<std::string> seen;
  for (const Diagnostic& reject : chain.rejects) seen.push_back(reject.ticker + " " + reject.rule);
  EXPECT_EQ(seen, (std::vector<std::string>{"CDE foreign_root", "AMD adjusted_root", "AMD1 adjusted_root",
                                            "SPX adjusted_root", "IWM foreign_root"}));
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"BF.B", "BRK-B", "CDE", "NDX", "RUT", "SPX", "SPY", "VIX"}));
  for (std::size_t n = 0; n < chain.contracts(); ++n) {
    const std::string& root = chain.root[static_cast<std::size_t>(chain.contract_expiry[n])];
    EXPECT_EQ(chain.multiplier[n], root == "SPY7" ? 10.0 : 100.0) << root;
  }
}

TEST(LongCsv, BadRowsAreRejectsWithTheirReason) {
  const std::string symbol = "A260717C00105000", date = "2026-07-17";
  const auto rule = [&](const std::string& row) {
    const OptionChain chain = parse(kLongHeader + long_row("B", "B260717C00105000", date, "C", "105") + row);
    EXPECT_EQ(chain.rows_in, 2);
    EXPECT_EQ(chain.contracts() + chain.rejects.size(), 2u);
    if (chain.rejects.empty()) return std::string("kept");
    EXPECT_EQ(chain.rejects[0].row, 3);
    return chain.rejects[0].rule + " " + chain.rejects[0].field;
  };
  EXPECT_EQ(rule(long_row("A", symbol, date, "C", "105")), "kept");
  EXPECT_EQ(rule(long_row("A", symbol, date, "P", "105")), "contradicts_symbol option_symbol");
  EXPECT_EQ(rule(long_row("A", symbol, "2026-07-24", "C", "105")), "contradicts_symbol option_symbol");
  EXPECT_EQ(rule(long_row("A", symbol, date, "C", "106")), "contradicts_symbol option_symbol");
  EXPECT_EQ(rule(long_row("A", symbol, "2026-02-30", "C", "105")), "bad_date expiration");
  EXPECT_EQ(rule(long_row("A", symbol, date, "X", "105")), "bad_right right");
  EXPECT_EQ(rule(long_row("A", symbol, date, "", "105")), "bad_right right");
  EXPECT_EQ(rule(long_row("A", "A260732C00105000", date, "C", "105")), "bad_symbol option_symbol");
  EXPECT_EQ(rule(long_row("A", "260717C00105000", date, "C", "105")), "bad_symbol option_symbol");
}

TEST(LongCsv, BadValues) {
  const std::string symbol = "A260717C00105000", date = "2026-07-17";
  const auto rule = [&](const std::string& rest, const std::string& strike = "105",
                        const std::string& updated = "2026-07-12T06:30:38-04:00", const std::string& spot = "100",
                        const std::string& ticker = "A") {
    const OptionChain chain = parse(kLongHeader + long_row("B", "B260717C00105000", date, "C", "105") +
                                    long_row(ticker, symbol, date, "C", strike, rest, updated, spot));
    return chain.rejects.empty() ? std::string("kept") : chain.rejects[0].rule + " " + chain.rejects[0].field;
  };
  const std::string good = "1,1.2,1.1,5,10,0.3,0.5,0.02,-0.01,0.1";
  EXPECT_EQ(rule(good), "kept");
  EXPECT_EQ(rule("x,1.2,1.1,5,10,0.3,0.5,0.02,-0.01,0.1"), "bad_number bid");
  EXPECT_EQ(rule("1,nan,1.1,5,10,0.3,0.5,0.02,-0.01,0.1"), "non_finite ask");
  EXPECT_EQ(rule("1,1.2,Infinity,5,10,0.3,0.5,0.02,-0.01,0.1"), "non_finite last");
  EXPECT_EQ(rule("1,1.2,1.1,1e400,10,0.3,0.5,0.02,-0.01,0.1"), "non_finite volume");
  EXPECT_EQ(rule("1,1.2,1.1,5,-1,0.3,0.5,0.02,-0.01,0.1"), "negative open_interest");
  EXPECT_EQ(rule("1,1.2,1.1,5,10,0.3 0.4,0.5,0.02,-0.01,0.1"), "bad_number implied_volatility");
  EXPECT_EQ(rule("1,1.2,1.1,5,10,0.3,-0.5,-0.02,-0.01,0.1"), "kept");
  EXPECT_EQ(rule("1,1.2,1.1,5,10,0.3,0.5,0x10,-0.01,0.1"), "bad_number gamma");
  EXPECT_EQ(rule("1,1.2,1.1,5,10,0.3,0.5"), "column_count row");
  EXPECT_EQ(rule(good + ",9"), "column_count row");
  EXPECT_EQ(rule("\"1,1.2,1.1,5,10,0.3,0.5,0.02,-0.01,0.1"), "bad_quoting row");
  EXPECT_EQ(rule(good, ""), "missing_strike strike");
  EXPECT_EQ(rule(good, "-105"), "nonpositive_strike strike");
  EXPECT_EQ(rule(good, "105", "2026-07-12T06:30:38"), "bad_stamp updated") << "no zone";
  EXPECT_EQ(rule(good, "105", ""), "bad_stamp updated");
  EXPECT_EQ(rule(good, "105", "2026-07-12T06:30:38-04:00", "-5"), "negative underlying_price");
  EXPECT_EQ(rule(good, "105", "2026-07-12T06:30:38-04:00", "abc"), "bad_number underlying_price");
  EXPECT_EQ(rule(good, "105", "2026-07-12T06:30:38-04:00", "100", ""), "bad_ticker underlying");
  EXPECT_EQ(rule(good, "105", "2026-07-12T06:30:38-04:00", "100", std::string("A\0", 2)), "bad_ticker underlying");
  EXPECT_EQ(rule(good, "105", "2026-07-12T06:30:38-04:00", "100", "A\xff"), "bad_ticker underlying");
}

TEST(LongCsv, StrikesWithoutASymbolAreThousandths) {
  const std::string header = "underlying,expiration,strike,right,open_interest\n";
  IngestOptions options;
  options.quote_time = new_york_instant(ymd(2026, 7, 10), 16, 0);
  const OptionChain chain =
      ingest_bytes(header + "A,2026-07-17,33.333,C,1\nA,2026-07-17,0.0005,C,1\nA,2026-07-17,1e12,C,1\n" +
                       "A,2026-07-17,0.3,C,1\nA,2026-07-17,0.3000000000001,C,2\n",
                   "a", Calendar{}, options);
  EXPECT_EQ(chain.strike, (std::vector<double>{0.3, 33.333}));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"strike_resolution", 2}, {"duplicate_contract", 1}}));
}

TEST(LongCsv, RowsOfAnyOrderAreSorted) {
  std::vector<std::string> rows;
  for (const char* ticker : {"B", "AA", "A", "A.B"}) {
    for (const char* date : {"2026-07-17", "2026-08-21"}) {
      for (int strike = 90; strike <= 110; strike += 5) {
        for (const char* right : {"C", "P"}) {
          std::string root;
          for (const char* c = ticker; *c != '\0'; ++c) {
            if (*c != '.') root += *c;
          }
          char symbol[64];
          std::snprintf(symbol, sizeof symbol, "%s26%.2s%.2s%s%08d", root.c_str(), date + 5, date + 8, right,
                        strike * 1000);
          rows.push_back(long_row(ticker, symbol, date, right, std::to_string(strike)));
        }
      }
    }
  }
  std::reverse(rows.begin(), rows.end());
  std::rotate(rows.begin(), rows.begin() + 17, rows.end());
  std::string text = kLongHeader;
  for (const std::string& row : rows) text += row;
  const OptionChain chain = parse(text);
  EXPECT_EQ(chain.contracts(), rows.size());
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"A", "A.B", "AA", "B"}));
  EXPECT_TRUE(std::is_sorted(chain.contract_expiry.begin(), chain.contract_expiry.end()));
  for (std::size_t i = 1; i < chain.contracts(); ++i) {
    if (chain.contract_expiry[i] != chain.contract_expiry[i - 1]) continue;
    EXPECT_LT(chain.strike[i - 1] * 10 + chain.right[i - 1], chain.strike[i] * 10 + chain.right[i]);
  }
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    EXPECT_EQ(chain.contract_begin[u], static_cast<std::int64_t>(u * 20));
    EXPECT_EQ(chain.contract_count[u], 20);
  }
}

/// Enough rows for several blocks, with a bad one here and there.
std::string many_rows() {
  std::string text = kLongHeader;
  for (int i = 0; i < 60000; ++i) {
    const std::string ticker{'T', static_cast<char>('A' + i / 4000)};
    char symbol[64], strike[32];
    std::snprintf(symbol, sizeof symbol, "%s260717C%08d", ticker.c_str(), (i % 4000 + 1) * 500);
    std::snprintf(strike, sizeof strike, "%.3f", (i % 4000 + 1) * 0.5);
    text += long_row(ticker, symbol, "2026-07-17", i % 5003 == 7 ? "Q" : "C", strike);
  }
  return text;
}

TEST(LongCsv, SameChainFromAnyNumberOfThreads) {
  const std::string text = many_rows();
  ASSERT_GT(text.size(), std::size_t{4} << 20);
  const OptionChain all = parse(gzip(text));
  EXPECT_EQ(all.rows_in, 60000);
  EXPECT_EQ(all.rejects.size(), 12u);
  for (std::size_t i = 0; i < all.rejects.size(); ++i) {
    EXPECT_EQ(all.rejects[i].row, static_cast<std::int64_t>(i * 5003 + 7 + 2));
    EXPECT_EQ(all.rejects[i].rule, "bad_right");
  }
  tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const OptionChain single = parse(text);
  EXPECT_EQ(single.strike, all.strike);
  EXPECT_EQ(single.contract_expiry, all.contract_expiry);
  EXPECT_EQ(single.ticker, all.ticker);
  EXPECT_EQ(single.rejects.size(), all.rejects.size());
}

TEST(LongCsv, SourcesOfOneInstantMerge) {
  const std::filesystem::path dir = scratch_dir("ingest_merge");
  const auto write = [&dir](const std::string& name, const std::string& text) {
    const std::filesystem::path path = dir / name;
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
    return path;
  };
  const auto one = write("one.csv", kLongHeader + kA);
  const auto two =
      write("two.csv.gz", gzip(kLongHeader + kA + long_row("B", "B260717C00105000", "2026-07-17", "C", "105")));
  const auto other = write("other.csv", kLongHeader + long_row("C", "C260717C00105000", "2026-07-17", "C", "105",
                                                               "1,1.2,1.1,5,10,0.3,,,,", "2026-07-14T17:00:00-04:00"));
  const std::vector<std::filesystem::path> both{one, two}, odd{one, other};
  const OptionChain chain = ingest(both, Calendar{}, {});
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"duplicate_contract", 1}}));
  EXPECT_EQ(chain.rejects[0].file, "two.csv.gz");
  ASSERT_EQ(chain.source.size(), 2u);
  EXPECT_EQ(chain.source[0].name, "one.csv");
  EXPECT_EQ(chain.source[1].sha256.size(), 64u);
  EXPECT_EQ(chain.rows_in, 3);
  try {
    ingest(odd, Calendar{}, {});
    ADD_FAILURE() << "different instants were accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(testing::StartsWith(other.string() + ": "), testing::HasSubstr("2026-07-14T20:00:00Z"),
                               testing::HasSubstr("--quote-time")));
  }
  IngestOptions options;
  options.quote_time = 1783713600;
  EXPECT_EQ(ingest(odd, Calendar{}, options).quote_time, 1783713600);
}

}  // namespace
}  // namespace greekgrid::test

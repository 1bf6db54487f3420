// Open interest of the clearing house, alone and as a refresh of chains whose quotes stay.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kDays =
    "{\"ticker\":\"SPY\",\"closes\":{\"20-8\":762.5,\"21-8\":765.5,\"24-8\":765.5},\"days\":{"
    "\"20-8\":{\"2026-08-21\":{\"700.0\":{\"call_oi\":1,\"put_oi\":2}}},"
    "\"21-8\":{\"2026-08-21\":{\"700.0\":{\"call_oi\":3,\"put_oi\":4},\"702.5\":{\"call_oi\":5,\"put_oi\":null}}},"
    "\"24-8\":{\"2026-08-28\":{\"700.0\":{\"call_oi\":-7,\"put_oi\":8},\"701\":9,\"x\":{\"call_oi\":1,\"put_oi\":1}},"
    "\"2026-08-32\":{\"700.0\":{\"call_oi\":1,\"put_oi\":1}}}},"
    "\"updated_at\":\"2026-08-22T04:28:16Z\"}";

const std::string kColumns =
    "{\"ticker\":\"SPX\",\"pull_dates\":[\"30-12\",\"31-12\"],\"close\":7674.5,\"by_expiration\":{"
    "\"2026-01-16\":{\"strikes\":[7000.0],\"rows\":[{\"strike\":7000.0,\"calls\":[1,2],\"puts\":[3,4]}]},"
    "\"2026-01-20\":{\"strikes\":[7000.0],\"rows\":[{\"strike\":7000.0,\"calls\":[5,6],\"puts\":[7,8]}]}},"
    "\"updated_at\":\"2026-01-01T04:28:16Z\"}";

IngestOptions session(int y, unsigned m, unsigned d) {
  IngestOptions options;
  options.session = ymd(y, m, d);
  return options;
}

TEST(OccOpenInterest, ADayOfAHistory) {
  const OptionChain chain = parse(kDays, session(2026, 8, 21));
  ASSERT_EQ(chain.contracts(), 4u);
  EXPECT_EQ(chain.ticker[0], "SPY");
  EXPECT_EQ(chain.root[0], "SPY");
  EXPECT_EQ(chain.spot[0], 765.5);
  EXPECT_EQ(chain.strike, (std::vector<double>{700, 700, 702.5, 702.5}));
  EXPECT_EQ(chain.open_interest[0], 4);
  EXPECT_EQ(chain.open_interest[1], 3);
  EXPECT_TRUE(std::isnan(chain.open_interest[2]));
  EXPECT_TRUE(std::isnan(chain.bid[0]) && std::isnan(chain.vendor_iv[0]));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 8, 21), 16, 0));
  // The label is the morning after the positions.
  EXPECT_EQ(chain.open_interest_settle_date, "2026-08-20");
  EXPECT_EQ(chain.open_interest_knowledge_time, "2026-08-21T09:30:00-04:00");
}

TEST(OccOpenInterest, ALabelAfterTheFileIsOfTheCloseBefore) {
  const OptionChain chain = parse(kDays, session(2026, 8, 24));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 8, 21), 16, 0));
  EXPECT_EQ(chain.open_interest_settle_date, "2026-08-21");
  EXPECT_EQ(chain.open_interest_knowledge_time, "2026-08-24T09:30:00-04:00");
  ASSERT_EQ(chain.contracts(), 1u);
  EXPECT_EQ(chain.open_interest[0], 8);
  EXPECT_EQ(chain.rows_in, 8);
  EXPECT_EQ(rules(chain),
            (std::map<std::string, int>{{"negative", 1}, {"not_an_object", 2}, {"bad_number", 2}, {"bad_date", 2}}));
}

TEST(OccOpenInterest, ColumnsByLabelOverTheYear) {
  const OptionChain chain = parse(kColumns, session(2025, 12, 30));
  // The third Friday has two classes under one figure, the other day has one.
  ASSERT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.root[0], "SPXW");
  EXPECT_EQ(chain.open_interest, (std::vector<double>{7, 5}));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"ambiguous_root", 2}}));
  EXPECT_TRUE(std::isnan(chain.spot[0])) << "the only close is the last label's";
  EXPECT_EQ(parse(kColumns, session(2025, 12, 31)).spot[0], 7674.5);
}

TEST(OccOpenInterest, SeveralDaysAreListed) {
  EXPECT_THAT(refusal(kDays), AllOf(HasSubstr("3 sessions, 2026-08-20 to 2026-08-24"), HasSubstr("--session")));
  EXPECT_THAT(refusal(kDays, session(2026, 8, 19)),
              AllOf(HasSubstr("no open interest published on 2026-08-19"), HasSubstr("3 sessions")));
}

TEST(OccOpenInterest, WhatIsNone) {
  IngestOptions options;
  options.format = "occ-oi";
  const auto message = [&](const std::string& text) { return refusal(text, options); };
  EXPECT_THAT(message("{"), HasSubstr("JSON cannot be read"));
  EXPECT_THAT(message("[]"), HasSubstr("no 'ticker'"));
  EXPECT_THAT(message("{\"ticker\":\"S PY\"}"), HasSubstr("symbol of the underlying"));
  EXPECT_THAT(message("{\"ticker\":\"SPY\"}"), HasSubstr("'updated_at'"));
  const std::string head = "{\"ticker\":\"SPY\",\"updated_at\":\"2026-08-22T04:28:16Z\"";
  EXPECT_THAT(message(head + "}"), HasSubstr("neither 'days' nor"));
  EXPECT_THAT(message(head + ",\"days\":{}}"), HasSubstr("no label"));
  EXPECT_THAT(message(head + ",\"days\":{\"22-8\":{}}}"), HasSubstr("'22-8' is no session"));
  EXPECT_THAT(message(head + ",\"days\":{\"2026-08-21\":{}}}"), HasSubstr("is no session"));
  EXPECT_THAT(message(head + ",\"days\":{\"21-8\":7}}"), HasSubstr("holds no expirations"));
  EXPECT_THAT(message(head + ",\"days\":{\"21-8\":{}}}"), HasSubstr("no usable row"));
  EXPECT_THAT(message(head + ",\"closes\":{\"21-8\":\"x\"},\"days\":{\"21-8\":{}}}"),
              HasSubstr("price of the underlying"));
}

// Chains of 2026-08-20's close with two roots on the third Friday and one on the week after.
const std::string kQuotes = kLongHeader + [] {
  std::string rows;
  for (const auto& [ticker, root, date, code] : {std::tuple{"SPX", "SPX", "2026-08-21", "260821"},
                                                 {"SPX", "SPXW", "2026-08-21", "260821"},
                                                 {"SPX", "SPXW", "2026-08-28", "260828"},
                                                 {"SPY", "SPY", "2026-08-21", "260821"},
                                                 {"QQQ", "QQQ", "2026-08-21", "260821"}}) {
    for (const char* right : {"C", "P"}) {
      rows += long_row(ticker, std::string(root) + code + right + "00700000", date, right, "700",
                       "1,1.2,1.1,5,10,0.3,0.5,0.02,-0.01,0.1", "2026-08-20T20:00:00-04:00");
    }
  }
  return rows;
}();

class Refresh : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = dir_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  OptionChain chain_ = parse(kQuotes);
  std::filesystem::path dir_ = scratch_dir("open_interest");
};

double interest(const OptionChain& chain, const std::string& root, const std::string& ticker, int right,
                std::size_t nth = 0) {
  for (std::size_t n = 0; n < chain.contracts(); ++n) {
    const auto e = static_cast<std::size_t>(chain.contract_expiry[n]);
    if (chain.root[e] != root || chain.ticker[static_cast<std::size_t>(chain.expiry_ticker[e])] != ticker) continue;
    if (chain.right[n] == right && nth-- == 0) return chain.open_interest[n];
  }
  return -1.0;
}

TEST_F(Refresh, OfOneUnderlyingLeavesTheOthers) {
  ASSERT_EQ(chain_.open_interest_settle_date, "2026-08-19");
  const OptionChain before = chain_;
  const auto file = write("spy.json", kDays);
  const OpenInterestRefresh done =
      refresh_open_interest(chain_, std::vector{file}, Calendar{}, session(2026, 8, 21), false);
  EXPECT_EQ(done.rows_in, 4);
  EXPECT_EQ(done.replaced, 2);
  EXPECT_EQ(done.without_new, 0);
  EXPECT_EQ(done.other_tickers, 8);
  EXPECT_EQ(done.rejects.size(), 2u);
  EXPECT_EQ(done.rejects[0].rule, "not_in_chain");
  EXPECT_EQ(done.rejects[1].rule, "missing_open_interest");
  EXPECT_EQ(interest(chain_, "SPY", "SPY", 1), 3);
  EXPECT_EQ(interest(chain_, "SPY", "SPY", -1), 4);
  EXPECT_EQ(interest(chain_, "QQQ", "QQQ", 1), 10);
  // Figures of two closes stand side by side: there is no one date.
  EXPECT_EQ(chain_.open_interest_settle_date, "");
  EXPECT_EQ(chain_.open_interest_knowledge_time, "");
  EXPECT_EQ(chain_.quote_time, before.quote_time);
  EXPECT_EQ(chain_.bid, before.bid);
  ASSERT_EQ(chain_.source.size(), 2u);
  EXPECT_EQ(chain_.source[1].name, "spy.json");
}

TEST_F(Refresh, RowsOfTheSameDateKeepIt) {
  const auto file = write("spy.json", kDays);
  refresh_open_interest(chain_, std::vector{file}, Calendar{}, session(2026, 8, 20), false);
  EXPECT_EQ(chain_.open_interest_settle_date, "2026-08-19");
  EXPECT_EQ(chain_.open_interest_knowledge_time, "2026-08-20T09:30:00-04:00");
}

const std::string kIndex =
    "{\"ticker\":\"SPX\",\"closes\":{},\"days\":{\"21-8\":{\"2026-08-21\":{\"700\":{\"call_oi\":30,\"put_oi\":40}},"
    "\"2026-08-28\":{\"700\":{\"call_oi\":50,\"put_oi\":60},\"700.0\":{\"call_oi\":1,\"put_oi\":1}}}},"
    "\"updated_at\":\"2026-08-22T04:28:16Z\"}";

TEST_F(Refresh, TwoClassesUnderOneFigureAreAmbiguous) {
  const auto file = write("spx.json", kIndex);
  for (const bool keep : {false, true}) {
    OptionChain chain = chain_;
    const OpenInterestRefresh done = refresh_open_interest(chain, std::vector{file}, Calendar{}, {}, keep);
    EXPECT_EQ(done.rows_in, 6);
    EXPECT_EQ(done.replaced, 2);
    EXPECT_EQ(done.without_new, 4);
    std::map<std::string, int> count;
    for (const Diagnostic& reject : done.rejects) ++count[reject.rule];
    EXPECT_EQ(count, (std::map<std::string, int>{{"ambiguous_root", 2}, {"duplicate_contract", 2}}));
    EXPECT_EQ(interest(chain, "SPXW", "SPX", 1, 1), 50) << "the only root of its date";
    if (keep) {
      EXPECT_EQ(interest(chain, "SPX", "SPX", 1), 10);
      EXPECT_EQ(chain.open_interest_settle_date, "") << "old and new figures side by side";
    } else {
      EXPECT_TRUE(std::isnan(interest(chain, "SPX", "SPX", 1)) && std::isnan(interest(chain, "SPXW", "SPX", 1)));
    }
  }
}

TEST_F(Refresh, FilesWithRootsTellTheClassesApart) {
  std::string later;
  for (std::size_t from = 0; from < kQuotes.size();) {
    const std::size_t end = kQuotes.find('\n', from) + 1;
    std::string line = kQuotes.substr(from, end - from);
    if (line.find("SPX26") != std::string::npos) line.replace(line.find(",5,10,"), 6, ",5,11,");
    if (line.find("SPXW26") != std::string::npos) line.replace(line.find(",5,10,"), 6, ",5,12,");
    if (const auto at = line.find("08-20T"); at != std::string::npos) line.replace(at, 6, "08-21T");
    later += line;
    from = end;
  }
  const auto file = write("later.csv", later);
  const OpenInterestRefresh done = refresh_open_interest(chain_, std::vector{file}, Calendar{}, {}, false);
  EXPECT_EQ(done.replaced, 10);
  EXPECT_TRUE(done.rejects.empty());
  EXPECT_EQ(interest(chain_, "SPX", "SPX", 1), 11);
  EXPECT_EQ(interest(chain_, "SPXW", "SPX", 1), 12);
  EXPECT_EQ(chain_.open_interest_settle_date, "2026-08-20");
  EXPECT_EQ(chain_.open_interest_knowledge_time, "2026-08-21T09:30:00-04:00");
}

TEST_F(Refresh, FromAnotherChainsFile) {
  OptionChain later = chain_;
  for (double& value : later.open_interest) value += 7;
  later.open_interest_settle_date = "2026-08-20";
  later.open_interest_knowledge_time = "2026-08-21T09:30:00-04:00";
  later.source[0].name = "later.csv";
  write_chain_file(later, dir_ / "later.h5");
  const std::vector<double> wanted = later.open_interest;
  const OpenInterestRefresh done = refresh_open_interest(chain_, std::vector{dir_ / "later.h5"}, Calendar{}, {}, false);
  EXPECT_EQ(done.replaced, 10);
  EXPECT_EQ(chain_.open_interest, wanted);
  EXPECT_EQ(chain_.open_interest_settle_date, "2026-08-20");
  EXPECT_EQ(chain_.open_interest_knowledge_time, "2026-08-21T09:30:00-04:00");
  EXPECT_EQ(chain_.source.back().name, "later.csv");
  later.open_interest_settle_date.clear();
  write_chain_file(later, dir_ / "later.h5");
  EXPECT_THROW(refresh_open_interest(chain_, std::vector{dir_ / "later.h5"}, Calendar{}, {}, false), InputError);
}

TEST_F(Refresh, WhatDoesNotFitIsRefused) {
  const auto spy = write("spy.json", kDays), spx = write("spx.json", kColumns);
  const auto message = [&](const std::vector<std::filesystem::path>& files, const IngestOptions& options) {
    try {
      refresh_open_interest(chain_, files, Calendar{}, options, false);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message({spx}, session(2025, 12, 30)),
              AllOf(HasSubstr("no row fits the chain"), HasSubstr("same underlying")));
  EXPECT_THAT(message({spy}, {}), HasSubstr("--session"));
  const auto one = write("one.json", kIndex);
  const auto other = write("other.csv", kQuotes);
  EXPECT_THAT(message({one, other}, {}), HasSubstr("has no one date"));
}

}  // namespace
}  // namespace greekgrid::test

// Real chains. The expected figures were counted from the files by another program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

struct Expected {
  const char* file;
  const char* ticker;
  double spot;
  std::int64_t rows_in, contracts;
  double open_interest;
  Instant file_time, quote_time;
  const char* settle_date;
};

void expect_order(const OptionChain& chain) {
  EXPECT_TRUE(std::is_sorted(chain.ticker.begin(), chain.ticker.end()));
  EXPECT_TRUE(std::is_sorted(chain.contract_expiry.begin(), chain.contract_expiry.end()));
  for (std::size_t e = 1; e < chain.expiries(); ++e) {
    const auto key = [&](std::size_t i) {
      return std::tuple(chain.expiry_ticker[i], chain.settlement[i], chain.root[i]);
    };
    ASSERT_LT(key(e - 1), key(e)) << e;
  }
  for (std::size_t n = 1; n < chain.contracts(); ++n) {
    if (chain.contract_expiry[n] != chain.contract_expiry[n - 1]) continue;
    ASSERT_LT(std::pair(chain.strike[n - 1], chain.right[n - 1]), std::pair(chain.strike[n], chain.right[n])) << n;
  }
}

class RealCboeFile : public testing::TestWithParam<Expected> {};

TEST_P(RealCboeFile, AgreesWithAnIndependentCount) {
  const Expected& expected = GetParam();
  const std::filesystem::path path = data_dir() / "cboe" / expected.file;
  GREEKGRID_REQUIRE_FILE(path);
  const OptionChain chain = ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
  ASSERT_EQ(chain.tickers(), 1u);
  EXPECT_EQ(chain.ticker[0], expected.ticker);
  EXPECT_EQ(chain.spot[0], expected.spot);
  EXPECT_EQ(chain.rows_in, expected.rows_in);
  EXPECT_EQ(static_cast<std::int64_t>(chain.contracts()), expected.contracts);
  EXPECT_EQ(static_cast<std::int64_t>(chain.rejects.size()), expected.rows_in - expected.contracts);
  for (const Diagnostic& reject : chain.rejects) EXPECT_EQ(reject.rule, "adjusted_root");
  EXPECT_EQ(total(chain.open_interest), expected.open_interest);
  EXPECT_EQ(chain.file_time, expected.file_time);
  EXPECT_EQ(chain.quote_time, expected.quote_time);
  EXPECT_EQ(chain.open_interest_settle_date, expected.settle_date);
  EXPECT_EQ(
      std::count_if(chain.open_interest.begin(), chain.open_interest.end(), [](double x) { return std::isnan(x); }), 0);
  expect_order(chain);
}

Instant et(int y, unsigned m, unsigned d, int hour, int minute, int second = 0) {
  return new_york_instant(ymd(y, m, d), hour, minute, second);
}

INSTANTIATE_TEST_SUITE_P(
    All, RealCboeFile,
    testing::Values(Expected{"amd_20230820_quotedata.csv", "AMD", 105.6, 1738, 1658, 2655419, et(2023, 8, 20, 22, 35),
                             et(2023, 8, 18, 16, 0), "2023-08-17"},
                    Expected{"ndx_20221212_quotedata.csv", "NDX", 11706.4395, 19118, 19118, 171001,
                             et(2022, 12, 12, 20, 31), et(2022, 12, 12, 16, 0), "2022-12-09"},
                    Expected{"rut_20221212_quotedata.csv", "RUT", 1817.4937, 7334, 7334, 596276,
                             et(2022, 12, 12, 20, 30), et(2022, 12, 12, 16, 0), "2022-12-09"},
                    Expected{"spx_20220323_es_quotedata.csv", "SPX", 4479.0898, 19002, 19002, 13393621,
                             et(2022, 3, 23, 10, 11), et(2022, 3, 23, 9, 56), "2022-03-22"},
                    Expected{"spx_20221212_quotedata.csv", "SPX", 3990.5601, 19156, 19156, 19269624,
                             et(2022, 12, 12, 20, 30), et(2022, 12, 12, 16, 0), "2022-12-09"},
                    Expected{"spx_20230914_quotedata.csv", "SPX", 4505.1001, 19920, 19920, 20386854,
                             et(2023, 9, 14, 16, 31), et(2023, 9, 14, 16, 0), "2023-09-13"},
                    Expected{"spx_20240107_quotedata.csv", "SPX", 4697.2402, 21038, 21038, 18098410,
                             et(2024, 1, 7, 10, 52), et(2024, 1, 5, 16, 0), "2024-01-04"},
                    Expected{"spy_20230914_quotedata.csv", "SPY", 450.81, 7292, 7292, 21573172, et(2023, 9, 14, 16, 31),
                             et(2023, 9, 14, 16, 0), "2023-09-13"},
                    Expected{"spy_20250902_quotedata.csv", "SPY", 642.65, 8504, 8504, 17629336, et(2025, 9, 3, 9, 24),
                             et(2025, 9, 2, 16, 0), "2025-08-29"},
                    Expected{"xsp_20230914_quotedata.csv", "XSP", 450.51, 10882, 10882, 504532, et(2023, 9, 14, 16, 30),
                             et(2023, 9, 14, 16, 0), "2023-09-13"},
                    Expected{"rut_20230920_delayed_quotes.json", "RUT", 1806.1193, 6680, 6680, 656107,
                             et(2023, 9, 20, 23, 17, 42), et(2023, 9, 20, 16, 0), "2023-09-19"}),
    [](const testing::TestParamInfo<Expected>& parameter) {
      const std::string name = parameter.param.file;
      return name.substr(0, name.find('.'));
    });

TEST(RealFiles, WholeMarketOfOneClose) {
  const std::filesystem::path path = data_dir() / "universe" / "us_options_20260710_close.csv.gz";
  GREEKGRID_REQUIRE_FILE(path);
  const OptionChain chain = ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
  EXPECT_EQ(chain.rows_in, 1014332);
  EXPECT_EQ(chain.contracts(), 1014167u);
  EXPECT_EQ(chain.tickers(), 4950u);
  EXPECT_EQ(chain.expiries(), 28120u);
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"foreign_root", 165}}));
  EXPECT_EQ(total(chain.open_interest), 481342677.0);
  EXPECT_EQ(total(chain.volume), 42182839.0);
  EXPECT_NEAR(total(chain.vendor_iv), 858407.7170572496, 1e-3);
  const auto& oi = chain.open_interest;
  EXPECT_EQ(std::count_if(oi.begin(), oi.end(), [](double x) { return std::isnan(x); }), 3641);
  EXPECT_EQ(chain.quote_time, et(2026, 7, 10, 16, 0));
  EXPECT_EQ(chain.file_time, et(2026, 7, 12, 19, 53, 30));
  const auto spx = std::find(chain.ticker.begin(), chain.ticker.end(), "SPX") - chain.ticker.begin();
  EXPECT_EQ(chain.spot[static_cast<std::size_t>(spx)], 7575.390137);
  expect_order(chain);
}

TEST(RealFiles, OneTickerOfManyIsStale) {
  const std::filesystem::path path = data_dir() / "universe" / "us_options_20260819_close.csv.gz";
  GREEKGRID_REQUIRE_FILE(path);
  const OptionChain chain = ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
  EXPECT_EQ(chain.rows_in, 290077);
  EXPECT_EQ(chain.contracts(), 289951u);
  EXPECT_EQ(chain.tickers(), 334u);
  EXPECT_EQ(chain.expiries(), 3496u);
  // Eight rows of the stale ticker also list an expiration that their symbol contradicts.
  EXPECT_EQ(rules(chain),
            (std::map<std::string, int>{{"foreign_root", 86}, {"stale_ticker", 32}, {"contradicts_symbol", 8}}));
  EXPECT_EQ(total(chain.open_interest), 162198484.0);
  EXPECT_EQ(chain.quote_time, et(2026, 8, 19, 16, 0));
  EXPECT_EQ(chain.file_time, et(2026, 8, 19, 22, 57, 11));
  EXPECT_EQ(chain.open_interest_settle_date, "2026-08-18");
  expect_order(chain);
}

TEST(RealFiles, IndexAndFundOfOneMinuteMerge) {
  std::vector<std::filesystem::path> paths;
  for (const char* file : {"spx_20230914_quotedata.csv", "spy_20230914_quotedata.csv", "xsp_20230914_quotedata.csv"}) {
    paths.push_back(data_dir() / "cboe" / file);
    GREEKGRID_REQUIRE_FILE(paths.back());
  }
  const OptionChain chain = ingest(paths, Calendar{}, {});
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"SPX", "SPY", "XSP"}));
  EXPECT_EQ(chain.contracts(), 19920u + 7292u + 10882u);
  EXPECT_EQ(chain.file_time, et(2023, 9, 14, 16, 31));
  expect_order(chain);
}

/// One source of another vendor: every row is kept or refused by a rule.
struct Account {
  const char* name;
  const char* file;
  std::optional<Date> session;
  std::int64_t rows_in, other_sessions;
  std::map<std::string, int> refused;
  std::size_t expiries;
  double open_interest, volume, spot;
  Instant quote_time;
  const char* settle_date;
};

void PrintTo(const Account& account, std::ostream* out) {
  *out << account.name;
}

class RealVendorFile : public testing::TestWithParam<Account> {};

TEST_P(RealVendorFile, AccountsForEveryRow) {
  const Account& expected = GetParam();
  const std::filesystem::path path = data_dir() / expected.file;
  GREEKGRID_REQUIRE_FILE(path);
  IngestOptions options;
  options.session = expected.session;
  const OptionChain chain = ingest(std::vector<std::filesystem::path>{path}, Calendar{}, options);
  EXPECT_EQ(chain.rows_in, expected.rows_in);
  EXPECT_EQ(chain.rows_other_sessions, expected.other_sessions);
  EXPECT_EQ(rules(chain), expected.refused);
  std::int64_t refused = 0;
  for (const auto& [rule, count] : expected.refused) refused += count;
  EXPECT_EQ(static_cast<std::int64_t>(chain.contracts()), expected.rows_in - refused);
  EXPECT_EQ(chain.tickers(), 1u);
  EXPECT_EQ(chain.expiries(), expected.expiries);
  EXPECT_EQ(total(chain.open_interest), expected.open_interest);
  EXPECT_EQ(total(chain.volume), expected.volume);
  EXPECT_TRUE(chain.spot[0] == expected.spot || (std::isnan(expected.spot) && std::isnan(chain.spot[0])))
      << chain.spot[0];
  EXPECT_EQ(chain.quote_time, expected.quote_time);
  EXPECT_EQ(chain.open_interest_settle_date, expected.settle_date);
  expect_order(chain);
}

INSTANTIATE_TEST_SUITE_P(All, RealVendorFile,
                         testing::Values(Account{"yfinance",
                                                 "yahoo/SPY_20260211_options.csv",
                                                 {},
                                                 8778,
                                                 0,
                                                 {},
                                                 31,
                                                 15642320,
                                                 5042426,
                                                 692.2999877929688,
                                                 et(2026, 2, 11, 11, 19, 32),
                                                 "2026-02-10"},
                                         Account{"yfinance_morning",
                                                 "yahoo/SPY_20260212am_options.csv",
                                                 {},
                                                 9177,
                                                 0,
                                                 {},
                                                 34,
                                                 15767610,
                                                 2190513,
                                                 691.2050170898438,
                                                 et(2026, 2, 12, 10, 10, 2),
                                                 "2026-02-11"},
                                         Account{"symbol_history",
                                                 "history/spy_20150105_options.csv",
                                                 {},
                                                 4922,
                                                 0,
                                                 {},
                                                 37,
                                                 17727715,
                                                 3292434,
                                                 std::numeric_limits<double>::quiet_NaN(),
                                                 et(2015, 1, 5, 16, 0),
                                                 "2015-01-02"},
                                         Account{"deltaneutral",
                                                 "history/spy_2021_daily20_options.csv",
                                                 ymd(2021, 3, 3),
                                                 20,
                                                 5020,
                                                 {},
                                                 5,
                                                 485001,
                                                 139568,
                                                 381.42,
                                                 et(2021, 3, 3, 16, 0),
                                                 "2021-03-02"},
                                         Account{"occ_spy",
                                                 "occ_open_interest/SPY_history.json",
                                                 ymd(2026, 8, 20),
                                                 14160,
                                                 0,
                                                 {},
                                                 34,
                                                 22522079,
                                                 0,
                                                 762.5999755859375,
                                                 et(2026, 8, 20, 16, 0),
                                                 "2026-08-19"},
                                         Account{"occ_nvda",
                                                 "occ_open_interest/NVDA_history.json",
                                                 ymd(2026, 8, 24),
                                                 3710,
                                                 0,
                                                 {},
                                                 22,
                                                 15110129,
                                                 0,
                                                 214.72000122070312,
                                                 et(2026, 8, 21, 16, 0),
                                                 "2026-08-21"},
                                         Account{"occ_spx",
                                                 "occ_open_interest/SPX.json",
                                                 ymd(2026, 8, 21),
                                                 32420,
                                                 0,
                                                 {{"ambiguous_root", 10240}},
                                                 46,
                                                 5085721,
                                                 0,
                                                 std::numeric_limits<double>::quiet_NaN(),
                                                 et(2026, 8, 21, 16, 0),
                                                 "2026-08-20"}),
                         [](const testing::TestParamInfo<Account>& parameter) {
                           return std::string(parameter.param.name);
                         });

TEST(RealFiles, MinisHaveTheirMultiplier) {
  const std::filesystem::path path = data_dir() / "history" / "spy_20150105_options.csv";
  GREEKGRID_REQUIRE_FILE(path);
  const OptionChain chain = ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
  std::map<std::pair<std::string, double>, int> count;
  for (std::size_t n = 0; n < chain.contracts(); ++n) {
    ++count[{chain.root[static_cast<std::size_t>(chain.contract_expiry[n])], chain.multiplier[n]}];
  }
  EXPECT_EQ(count, (std::map<std::pair<std::string, double>, int>{{{"SPY", 100.0}, 3664}, {{"SPY7", 10.0}, 1258}}));
}

TEST(RealFiles, ManySessionsInOneFileAreListed) {
  const std::filesystem::path path = data_dir() / "history" / "spy_2021_daily20_options.csv";
  GREEKGRID_REQUIRE_FILE(path);
  try {
    ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
    ADD_FAILURE() << "252 sessions passed for one";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("252 sessions, 2021-01-04 to 2021-12-31"));
  }
}

TEST(RealFiles, OpenInterestOfTheNextMorning) {
  const std::filesystem::path quotes = data_dir() / "universe" / "us_options_20260819_close.csv.gz";
  const std::filesystem::path later = data_dir() / "occ_open_interest" / "NVDA_history.json";
  GREEKGRID_REQUIRE_FILE(quotes);
  GREEKGRID_REQUIRE_FILE(later);
  OptionChain chain = ingest(std::vector<std::filesystem::path>{quotes}, Calendar{}, {});
  IngestOptions options;
  options.session = ymd(2026, 8, 20);
  const OpenInterestRefresh done = refresh_open_interest(chain, std::vector{later}, Calendar{}, options, false);
  // Counted by another program: 3770 figures, 3286 contracts, 2999 in common.
  EXPECT_EQ(done.rows_in, 3770);
  EXPECT_EQ(done.replaced, 2999);
  EXPECT_EQ(done.rejects.size(), 771u);
  EXPECT_EQ(done.without_new, 287);
  EXPECT_EQ(done.other_tickers, 289951 - 3286);
  const auto nvda = static_cast<std::size_t>(std::lower_bound(chain.ticker.begin(), chain.ticker.end(), "NVDA") -
                                             chain.ticker.begin());
  double sum = 0.0;
  for (std::int64_t i = 0; i < chain.contract_count[nvda]; ++i) {
    const double interest = chain.open_interest[static_cast<std::size_t>(chain.contract_begin[nvda] + i)];
    if (!std::isnan(interest)) sum += interest;
  }
  EXPECT_EQ(sum, 14733979.0);
}

}  // namespace
}  // namespace greekgrid::test

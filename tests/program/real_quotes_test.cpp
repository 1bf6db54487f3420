// Every bid, mid, ask and last of real vendor files through the inversions of the backends: the wings, the stale, the
// crossed and the empty ones as markets leave them.

#include <gtest/gtest.h>

#include <cmath>

#include "greekgrid/host/chain.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid_test/quotes.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

class RealQuotes : public testing::TestWithParam<const char*> {};

TEST_P(RealQuotes, CpuEquivalentToReference) {
  const auto path = test::data_dir() / GetParam();
  GREEKGRID_REQUIRE_FILE(path);
  const OptionChain chain = ingest(std::span(&path, 1), Calendar(), IngestOptions());
  constexpr double kRate = 0.05;
  constexpr double kDividendYield = 0.015;
  test::Quotes quotes;
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    const auto begin = static_cast<std::size_t>(chain.contract_begin[u]);
    for (std::size_t i = begin; i < begin + static_cast<std::size_t>(chain.contract_count[u]); ++i) {
      const auto settlement = chain.settlement[static_cast<std::size_t>(chain.contract_expiry[i])];
      const double tau = static_cast<double>(settlement - chain.quote_time) / kSecondsPerYear;
      const double forward = chain.spot[u] * std::exp((kRate - kDividendYield) * tau);
      for (const double price : {chain.bid[i], 0.5 * (chain.bid[i] + chain.ask[i]), chain.ask[i], chain.last[i]}) {
        quotes.add(chain.right[i], price, forward, chain.strike[i], std::exp(-kRate * tau), tau);
      }
    }
  }
  const auto expected = test::invert(*make_reference_backend(), quotes.view());
  const auto actual = test::invert(*make_cpu_backend(Precision::kFp64), quotes.view());
  const auto worst = test::compare_quotes(actual, expected, quotes.view());
  EXPECT_LE(worst.in_attainable, test::kQuoteTolerance) << worst.quoted;
  std::size_t inverted = 0;
  for (const formulas::IvStatus status : expected.status) inverted += status == formulas::IvStatus::kOk;
  EXPECT_GT(inverted, quotes.size() / 3);
  EXPECT_LT(inverted, quotes.size());
  RecordProperty("quotes", std::to_string(quotes.size()));
  RecordProperty("inverted", std::to_string(inverted));
  RecordProperty("worst_in_units_of_attainable", std::to_string(worst.in_attainable));
}

INSTANTIATE_TEST_SUITE_P(Files, RealQuotes,
                         testing::Values("cboe/spx_20230914_quotedata.csv", "cboe/amd_20230820_quotedata.csv",
                                         "cboe/ndx_20221212_quotedata.csv",
                                         "universe/us_options_20260710_close.csv.gz"),
                         [](const auto& instance) {
                           const std::string path = instance.param;
                           const std::size_t begin = path.find('/') + 1;
                           return path.substr(begin, path.find_first_of('_', begin) - begin);
                         });

}  // namespace
}  // namespace greekgrid

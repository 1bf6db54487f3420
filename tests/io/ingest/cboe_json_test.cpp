#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

std::string option(const std::string& symbol,
                   const std::string& fields =
                       "\"bid\":809.5,\"ask\":811.1,\"iv\":0.0,\"open_interest\":22.0,\"volume\":"
                       "3.0,\"delta\":0.9974,\"gamma\":0.0,\"last_trade_price\":860.9,"
                       "\"last_trade_time\":null") {
  return "{\"option\":\"" + symbol + "\"," + fields + "}";
}

std::string json(const std::string& options, const std::string& symbol = "\"symbol\":\"_RUT\"",
                 const std::string& stamp = "2023-09-21 03:17:42") {
  return "{\"timestamp\":\"" + stamp + "\",\"data\":{\"options\":[" + options +
         "],\"symbol\":\"^RUT\",\"current_price\":1806.1193}" + (symbol.empty() ? "" : "," + symbol) + "}";
}

TEST(CboeJson, ReadsAContract) {
  const OptionChain chain = parse(json(option("RUT231020C01000000")));
  ASSERT_EQ(chain.contracts(), 1u);
  EXPECT_EQ(chain.ticker[0], "RUT");
  EXPECT_EQ(chain.spot[0], 1806.1193);
  EXPECT_EQ(chain.strike[0], 1000.0);
  EXPECT_EQ(chain.right[0], 1);
  EXPECT_EQ(chain.bid[0], 809.5);
  EXPECT_EQ(chain.ask[0], 811.1);
  EXPECT_EQ(chain.last[0], 860.9);
  EXPECT_EQ(chain.volume[0], 3.0);
  EXPECT_EQ(chain.open_interest[0], 22.0);
  EXPECT_EQ(chain.vendor_iv[0], 0.0) << "as quoted";
  EXPECT_EQ(chain.vendor_delta[0], 0.9974);
  EXPECT_EQ(chain.style[0], SettlementStyle::kAm);
  // The stamp is UTC: the evening of the 20th in New York.
  EXPECT_EQ(chain.file_time, new_york_instant(ymd(2023, 9, 20), 23, 17, 42));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2023, 9, 20), 16, 0));
}

TEST(CboeJson, NullAndAbsentAreMissing) {
  const OptionChain chain =
      parse(json(option("RUT231020C01000000", "\"bid\":null,\"open_interest\":null,\"iv\":\"0.25\",\"ask\":5")));
  EXPECT_TRUE(std::isnan(chain.bid[0]));
  EXPECT_TRUE(std::isnan(chain.open_interest[0]));
  EXPECT_TRUE(std::isnan(chain.vendor_delta[0]));
  EXPECT_EQ(chain.vendor_iv[0], 0.25);
  EXPECT_EQ(chain.ask[0], 5.0);
}

TEST(CboeJson, RejectsElementsWithTheirReason) {
  const OptionChain chain = parse(json(
      option("RUTW231020C01000000") + ",7," + option("nonsense") + ",{\"bid\":1}," + option("RUT1231020C01000000") +
      "," + option("IWM231020C00100000") + "," + option("RUT231020C01000000", "\"bid\":-1") + "," +
      option("RUT231020C01000000", "\"bid\":true") + "," + option("RUT231020C01000000", "\"bid\":[]") + "," +
      option("RUTW231020C01000000") + "," + option("RUT231020C00000000")));
  EXPECT_EQ(chain.contracts(), 1u);
  EXPECT_EQ(chain.rows_in, 11);
  ASSERT_EQ(chain.rejects.size(), 10u);
  std::vector<std::string> seen;
  for (const Diagnostic& reject : chain.rejects) seen.push_back(std::to_string(reject.row) + " " + reject.rule);
  EXPECT_EQ(seen, (std::vector<std::string>{"2 not_an_object", "3 bad_symbol", "4 bad_symbol", "5 adjusted_root",
                                            "6 foreign_root", "7 negative", "8 bad_number", "9 bad_number",
                                            "10 duplicate_contract", "11 nonpositive_strike"}));
}

TEST(CboeJson, UnderlyingFromTheDataOrTheRoots) {
  EXPECT_EQ(parse(json(option("RUTW231020C01000000"), "")).ticker[0], "RUT");
  EXPECT_EQ(parse("{\"timestamp\":\"2023-09-21 03:17:42\",\"data\":{\"current_price\":1,\"options\":[" +
                  option("SPXW231020C01000000") + "]}}")
                .ticker[0],
            "SPX");
}

TEST(CboeJson, StructureIsChecked) {
  EXPECT_THAT(refusal("{\"data\":1}"), testing::HasSubstr("'data'"));
  EXPECT_THAT(refusal("{\"data\":{}}"), testing::HasSubstr("data.options"));
  EXPECT_THAT(refusal("{\"data\":{\"options\":[]}"), testing::HasSubstr("JSON cannot be read"));
  EXPECT_THAT(refusal(json("")), testing::HasSubstr("no usable row"));
  EXPECT_THAT(refusal(json(option("RUT231020C01000000"), "", "soon")), testing::HasSubstr("--quote-time"));
  EXPECT_THAT(refusal(json(option("RUT231020C01000000", "\"bid\":1e400"))), testing::HasSubstr("JSON cannot be read"));
  EXPECT_THAT(refusal(json(option("RUT231020C01000000", "\"bid\":NaN"))), testing::HasSubstr("JSON cannot be read"));
}

TEST(CboeJson, DepthIsLimited) {
  const auto nested = [](int depth) {
    return "{\"x\":" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "," + json(option("RUT231020C01000000")).substr(1);
  };
  EXPECT_EQ(parse(nested(60)).contracts(), 1u);
  EXPECT_THAT(refusal(nested(64)), testing::HasSubstr("JSON cannot be read"));
  EXPECT_THAT(refusal("{\"a\":" + std::string(1000000, '[')), testing::HasSubstr("JSON cannot be read"));
}

}  // namespace
}  // namespace greekgrid::test

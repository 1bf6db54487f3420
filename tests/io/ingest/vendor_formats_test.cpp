// Small files of every built-in profile, as their documentation lays them out, with the exact contracts they hold.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// One contract, all of it; NaN compares equal to NaN.
struct Row {
  std::string ticker, root;
  Instant settlement;
  double strike;
  int right;
  double multiplier, bid, ask, last, volume, open_interest, iv, delta, gamma;
};

void expect_rows(const OptionChain& chain, const std::vector<Row>& rows) {
  ASSERT_EQ(chain.contracts(), rows.size());
  EXPECT_EQ(chain.rows_in, static_cast<std::int64_t>(chain.contracts() + chain.rejects.size()));
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const auto e = static_cast<std::size_t>(chain.contract_expiry[n]);
    const Row& row = rows[n];
    EXPECT_EQ(chain.ticker[static_cast<std::size_t>(chain.expiry_ticker[e])], row.ticker) << n;
    EXPECT_EQ(chain.root[e], row.root) << n;
    EXPECT_EQ(chain.settlement[e], row.settlement) << n;
    EXPECT_EQ(chain.right[n], row.right) << n;
    const std::pair<double, double> numbers[] = {{chain.strike[n], row.strike},
                                                 {chain.multiplier[n], row.multiplier},
                                                 {chain.bid[n], row.bid},
                                                 {chain.ask[n], row.ask},
                                                 {chain.last[n], row.last},
                                                 {chain.volume[n], row.volume},
                                                 {chain.open_interest[n], row.open_interest},
                                                 {chain.vendor_iv[n], row.iv},
                                                 {chain.vendor_delta[n], row.delta},
                                                 {chain.vendor_gamma[n], row.gamma}};
    for (std::size_t i = 0; i < std::size(numbers); ++i) {
      if (std::isnan(numbers[i].second)) {
        EXPECT_TRUE(std::isnan(numbers[i].first)) << "row " << n << ", number " << i;
      } else {
        EXPECT_EQ(numbers[i].first, numbers[i].second) << "row " << n << ", number " << i;
      }
    }
  }
}

Instant close(int y, unsigned m, unsigned d) {
  return new_york_instant(ymd(y, m, d), 16, 0);
}
Instant open(int y, unsigned m, unsigned d) {
  return new_york_instant(ymd(y, m, d), 9, 30);
}

TEST(VendorFormats, Yfinance) {
  const std::string text =
      "contractSymbol,lastTradeDate,strike,lastPrice,bid,ask,change,percentChange,volume,openInterest,"
      "impliedVolatility,inTheMoney,contractSize,currency\n"
      "SPY260220C00500000,2026-02-11 15:22:33+00:00,500.0,192.08,191.32,193.87,0.0,0.0,,2,1e-05,True,REGULAR,USD\n"
      "SPY260220P00500000,2026-02-11 16:19:32+00:00,500.0,0.05,0.04,0.06,0.0,0.0,7.0,,0.5,False,REGULAR,USD\n"
      "SPY1260220P00500000,2026-01-30 15:22:33+00:00,500.0,0.05,0.04,0.06,0.0,0.0,7.0,3,0.5,False,REGULAR,USD\n"
      "SPY260220P00505000,2026-01-30 15:22:33+00:00,505.0,0.05,0.04,0.06,0.0,0.0,7.0,3,0.5,False,WEIRD,USD\n";
  const OptionChain chain = parse(text);
  expect_rows(chain,
              {{"SPY", "SPY", close(2026, 2, 20), 500, -1, 100, 0.04, 0.06, 0.05, 7, kNone, 0.5, kNone, kNone},
               {"SPY", "SPY", close(2026, 2, 20), 500, 1, 100, 191.32, 193.87, 192.08, kNone, 2, 1e-5, kNone, kNone}});
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"adjusted_root", 1}, {"nonstandard_deliverable", 1}}));
  EXPECT_TRUE(std::isnan(chain.spot[0]));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 2, 11), 11, 19, 32)) << "the newest trade";
  EXPECT_EQ(chain.rejects[0].ticker, "SPY");
}

TEST(VendorFormats, OptionsDx) {
  const std::string header =
      "[QUOTE_UNIXTIME], [QUOTE_READTIME], [QUOTE_DATE], [QUOTE_TIME_HOURS], [UNDERLYING_LAST], [EXPIRE_DATE], "
      "[EXPIRE_UNIX], [DTE], [C_DELTA], [C_GAMMA], [C_VEGA], [C_THETA], [C_RHO], [C_IV], [C_VOLUME], [C_LAST], "
      "[C_SIZE], [C_BID], [C_ASK], [STRIKE], [P_BID], [P_ASK], [P_SIZE], [P_LAST], [P_DELTA], [P_GAMMA], [P_VEGA], "
      "[P_THETA], [P_RHO], [P_IV], [P_VOLUME], [STRIKE_DISTANCE], [STRIKE_DISTANCE_PCT]\n";
  const auto row = [](const std::string& unix_time, const std::string& date) {
    return unix_time + ", " + date + " 16:00, " + date +
           ", 16.000000, 380.820000, 2023-01-06, 1673038800, 3.000000, 0.920000, 0.011000, 0.1, -0.2, 0.0, 0.310000, "
           "12, 0.000000, 1 x 2, 20.950000, 21.130000, 360.000000, 0.110000, 0.120000, 3 x 4, 0.110000, -0.030000, "
           "0.005000, 0.0, -0.1, 0.0, , 345, 20.8, 0.055\n";
  };
  IngestOptions options;
  options.underlying = "SPY";
  const OptionChain chain = parse(header + row("1672779600", "2023-01-03"), options);
  expect_rows(chain,
              {{"SPY", "SPY", close(2023, 1, 6), 360, -1, 100, 0.11, 0.12, 0.11, 345, kNone, kNone, -0.03, 0.005},
               {"SPY", "SPY", close(2023, 1, 6), 360, 1, 100, 20.95, 21.13, kNone, 12, kNone, 0.31, 0.92, 0.011}});
  EXPECT_EQ(chain.spot[0], 380.82);
  EXPECT_EQ(chain.quote_time, close(2023, 1, 3));
  EXPECT_THAT(refusal(header + row("1672779600", "2023-01-03")), HasSubstr("--underlying"));

  // A month in one file, as they are sold.
  const std::string month = header + row("1672779600", "2023-01-03") + row("1672866000", "2023-01-04");
  EXPECT_THAT(refusal(month, options),
              AllOf(HasSubstr("2 sessions, 2023-01-03 to 2023-01-04"), HasSubstr("--session")));
  options.session = ymd(2023, 1, 4);
  const OptionChain second = parse(month, options);
  EXPECT_EQ(second.quote_time, close(2023, 1, 4));
  EXPECT_EQ(second.rows_in, 2);
  EXPECT_EQ(second.rows_other_sessions, 2);
  options.session = ymd(2023, 1, 5);
  EXPECT_THAT(refusal(month, options), AllOf(HasSubstr("no rows of the session 2023-01-05"), HasSubstr("2 sessions")));
  // Weeklies of an index are of its PM class.
  options.session.reset();
  options.underlying = "^spx";
  EXPECT_EQ(parse(header + row("1672779600", "2023-01-03"), options).root[0], "SPXW");
}

TEST(VendorFormats, SnapshotsOfOneSessionKeepTheNewest) {
  const std::string header =
      "[QUOTE_UNIXTIME],[QUOTE_DATE],[UNDERLYING_LAST],[EXPIRE_DATE],[STRIKE],[C_BID],[C_ASK],[P_BID],[P_ASK]\n";
  IngestOptions options;
  options.underlying = "SPY";
  const OptionChain chain = parse(header + "1672772400,2023-01-03,379,2023-01-06,360,1,2,3,4\n" +
                                      "1672776000,2023-01-03,380,2023-01-06,360,1,2,3,4\n" +
                                      "1672779600,2023-01-03,381,2023-01-06,360,5,6,7,8\n" +
                                      "1672866000,2023-01-03,382,2023-01-06,360,5,6,7,8\n",
                                  options);
  EXPECT_EQ(chain.bid, (std::vector<double>{7, 5}));
  EXPECT_EQ(chain.spot[0], 381);
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"earlier_snapshot", 4}, {"bad_stamp", 2}}))
      << "the last row is stamped the day after its session";
}

TEST(VendorFormats, Orats) {
  const std::string text =
      "ticker,stkPx,expirDate,yte,strike,cVolu,cOi,pVolu,pOi,cBidPx,cValue,cAskPx,pBidPx,pValue,pAskPx,cBidIv,cMidIv,"
      "cAskIv,smoothSmvVol,pBidIv,pMidIv,pAskIv,iRate,divRate,residualRateData,delta,gamma,theta,vega,rho,phi,"
      "driftlessTheta,extVol,extCTheo,extPTheo,spot_px,trade_date\n"
      "SPX,4410.5,12/15/2023,0.3,4400,10,20,30,40,1.1,1.2,1.3,2.1,2.2,2.3,0.1,0.11,0.12,0.1,0.2,0.21,0.22,0.05,0.01,0,"
      "0.55,0.002,-1,5,1,1,1,0.1,1,1,4405.25,8/2/2023\n";
  const OptionChain chain = parse(text);
  expect_rows(chain, {{"SPX", "SPX", open(2023, 12, 15), 4400, -1, 100, 2.1, 2.3, kNone, 30, 40, 0.21, kNone, 0.002},
                      {"SPX", "SPX", open(2023, 12, 15), 4400, 1, 100, 1.1, 1.3, kNone, 10, 20, 0.11, 0.55, 0.002}});
  EXPECT_EQ(chain.spot[0], 4405.25) << "not the implied future";
  EXPECT_EQ(chain.quote_time, close(2023, 8, 2));
  EXPECT_EQ(chain.open_interest_settle_date, "2023-08-01");
}

TEST(VendorFormats, DataShop) {
  const std::string header =
      "underlying_symbol,quote_date,root,expiration,strike,option_type,open,high,low,close,trade_volume,bid_size_1545,"
      "bid_1545,ask_size_1545,ask_1545,underlying_bid_1545,underlying_ask_1545,implied_underlying_price_1545,"
      "active_underlying_price_1545,implied_volatility_1545,delta_1545,gamma_1545,theta_1545,vega_1545,rho_1545,"
      "bid_size_eod,bid_eod,ask_size_eod,ask_eod,underlying_bid_eod,underlying_ask_eod,vwap,open_interest,"
      "delivery_code\n";
  const std::string rest =
      ",0.0000,0.0000,0.0000,0.0000,0,1,10.1,2,10.3,4400,4401,4399.5,4400.5,0.15,0.5,0.001,-1,2,3,"
      "1,99,1,99,4400,4401,0,77,\n";
  const OptionChain chain =
      parse(header + "^SPX,2023-11-24,SPXW,2023-12-15,4400.000,C" + rest + "^SPX,2023-11-24,SPX,2023-12-15,4400.000,P" +
            rest + "BRK.B,2023-11-24,BRKB,2023-12-15,350.000,P" + rest + "BRK.B,2023-11-24,BRKB1,2023-12-15,350.000,P" +
            rest);
  expect_rows(chain, {{"BRK.B", "BRKB", close(2023, 12, 15), 350, -1, 100, 10.1, 10.3, kNone, 0, 77, 0.15, 0.5, 0.001},
                      {"SPX", "SPX", open(2023, 12, 15), 4400, -1, 100, 10.1, 10.3, kNone, 0, 77, 0.15, 0.5, 0.001},
                      {"SPX", "SPXW", close(2023, 12, 15), 4400, 1, 100, 10.1, 10.3, kNone, 0, 77, 0.15, 0.5, 0.001}});
  EXPECT_EQ(chain.spot, (std::vector<double>{4400.5, 4400.5}));
  // 15 minutes before the close, on a half day too.
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2023, 11, 24), 12, 45));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"adjusted_root", 1}}));
}

TEST(VendorFormats, OptionMetrics) {
  const std::string header =
      "secid,date,symbol,exdate,cp_flag,strike_price,best_bid,best_offer,volume,open_interest,impl_volatility,delta,"
      "gamma,vega,theta,optionid,cfadj,am_settlement,contract_size,ss_flag,exercise_style\n";
  const OptionChain chain = parse(
      header +
      "108105,20190102,SPX 190118C2500000,20190118,C,2500000,10.5,11.5,3,4,-99.99,-99.99,-99.99,-99.99,-99.99,1,1,1,"
      "100,0,E\n"
      "108105,20190102,SPXW 190118C2500000,20190118,P,2500000,10.5,11.5,3,4,0.2,-0.4,0.001,1,1,2,1,0,100,0,E\n"
      "109820,20190102,SPY 190118C250500,20190118,C,250500,1,2,3,4,0.2,0.5,0.01,1,1,3,1,0,-99,0,A\n"
      "109820,20190102,SPY1 190118C250500,20190118,C,250500,1,2,3,4,0.2,0.5,0.01,1,1,4,1,0,100,0,A\n"
      "109820,20190102,SPY2 190118C250500,20190118,C,250500,1,2,3,4,0.2,0.5,0.01,1,1,5,1,0,150,0,A\n"
      "109820,20190102,SPY 190118P250500,20190118,P,250500,1,2,3,4,0.2,0.5,0.01,1,1,6,1,0,100,1,A\n"
      "109820,20190102,SPY 190118P250600,20190118,P,250600,1,2,3,4,0.2,0.5,0.01,1,1,6,1,0,12.5,0,A\n");
  expect_rows(chain, {{"SPX", "SPX", open(2019, 1, 18), 2500, 1, 100, 10.5, 11.5, kNone, 3, 4, kNone, kNone, kNone},
                      {"SPX", "SPXW", close(2019, 1, 18), 2500, -1, 100, 10.5, 11.5, kNone, 3, 4, 0.2, -0.4, 0.001},
                      {"SPY", "SPY", close(2019, 1, 18), 250.5, 1, 100, 1, 2, kNone, 3, 4, 0.2, 0.5, 0.01},
                      {"SPY", "SPY2", close(2019, 1, 18), 250.5, 1, 150, 1, 2, kNone, 3, 4, 0.2, 0.5, 0.01}});
  EXPECT_EQ(rules(chain),
            (std::map<std::string, int>{{"adjusted_root", 1}, {"nonstandard_deliverable", 1}, {"bad_multiplier", 1}}));
  EXPECT_EQ(chain.exercise, (std::vector<Exercise>{Exercise::kEuropean, Exercise::kEuropean, Exercise::kAmerican,
                                                   Exercise::kAmerican}));
  EXPECT_EQ(chain.quote_time, close(2019, 1, 2));
}

TEST(VendorFormats, SettlementFlagsOverrideTheRoot) {
  const std::string header = "ticker,date,exdate,cp_flag,strike_price,best_bid,best_offer,am_settlement\n";
  const OptionChain chain =
      parse(header + "ABC,2019-01-02,2019-01-18,C,2500000,1,2,1\n" +
            "ABC,2019-01-02,2019-01-18,P,2500000,1,2,0\nABC,2019-01-02,2019-01-18,P,2600000,1,2,\n");
  ASSERT_EQ(chain.expiries(), 2u);
  EXPECT_EQ(chain.settlement, (std::vector<Instant>{open(2019, 1, 18), close(2019, 1, 18)}));
  EXPECT_EQ(chain.style, (std::vector<SettlementStyle>{SettlementStyle::kAm, SettlementStyle::kPm}));
  EXPECT_EQ(chain.contract_expiry, (std::vector<std::int32_t>{0, 1, 1}));
}

TEST(VendorFormats, ThetaDataOfBothVersions) {
  const OptionChain v2 = parse(
      "root,expiration,strike,right,ms_of_day,open,high,low,close,volume,count,bid_size,bid,ask_size,ask,date\n"
      "SPXW,20241108,5700000,C,57600000,1,2,3,0,0,5,6,12.1,7,12.3,20241107\n"
      "AAPL,20241115,227500,P,57600000,1,2,3,4.5,9,5,6,4.4,7,4.6,20241107\n");
  expect_rows(v2,
              {{"AAPL", "AAPL", close(2024, 11, 15), 227.5, -1, 100, 4.4, 4.6, 4.5, 9, kNone, kNone, kNone, kNone},
               {"SPX", "SPXW", close(2024, 11, 8), 5700, 1, 100, 12.1, 12.3, kNone, 0, kNone, kNone, kNone, kNone}});
  EXPECT_EQ(v2.quote_time, close(2024, 11, 7));
  const OptionChain v3 = parse(
      "symbol,expiration,strike,right,timestamp,open_interest\n"
      "SPXW,2024-11-08,5700.000,CALL,2024-11-07T06:30:02,12\nSPXW,2024-11-08,5700.000,PUT,2024-11-07T06:30:02,34\n");
  EXPECT_EQ(v3.open_interest, (std::vector<double>{34, 12}));
  EXPECT_EQ(v3.strike, (std::vector<double>{5700, 5700}));
  EXPECT_EQ(v3.quote_time, close(2024, 11, 7));
}

TEST(VendorFormats, Polygon) {
  const OptionChain snapshot = parse(
      "details.ticker,details.contract_type,details.exercise_style,details.expiration_date,details.shares_per_contract,"
      "details.strike_price,underlying_asset.ticker,underlying_asset.price,last_quote.bid,last_quote.ask,"
      "last_quote.last_updated,day.close,day.volume,open_interest,implied_volatility,greeks.delta,greeks.gamma\n"
      "O:SPY241220P00720000,put,american,2024-12-20,100,720,SPY,590.5,129,130.5,1731013200000000000,128,3,21,0.3,-0.9,"
      "0.001\n"
      "O:SPY1241220P00720000,put,american,2024-12-20,100,720,SPY,590.5,129,130.5,1731013200000000000,128,3,21,0.3,-0.9,"
      "0.001\n");
  expect_rows(snapshot, {{"SPY", "SPY", close(2024, 12, 20), 720, -1, 100, 129, 130.5, 128, 3, 21, 0.3, -0.9, 0.001}});
  EXPECT_EQ(rules(snapshot), (std::map<std::string, int>{{"adjusted_root", 1}}));
  EXPECT_EQ(snapshot.spot[0], 590.5);
  EXPECT_EQ(snapshot.quote_time, close(2024, 11, 7)) << "stamped 16:00";
  const OptionChain bars = parse(
      "ticker,volume,open,close,high,low,window_start,transactions\n"
      "O:SPXW241108C05700000,4930,200,290,300,200,1730955600000000000,532\n");
  expect_rows(bars,
              {{"SPX", "SPXW", close(2024, 11, 8), 5700, 1, 100, kNone, kNone, 290, 4930, kNone, kNone, kNone, kNone}});
  EXPECT_EQ(bars.quote_time, close(2024, 11, 7)) << "the bar begins at New York midnight";
}

TEST(VendorFormats, Databento) {
  const OptionChain chain = parse(
      "ts_recv,ts_event,rtype,publisher_id,instrument_id,side,price,size,flags,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,"
      "symbol\n"
      "1731013199000000000,1731013198000000000,193,30,1,N,9223372036854775807,0,0,1050000000,1150000000,1,2,"
      "SPY   241220C00600000\n"
      "1731013199000000000,1731013198000000000,193,30,1,N,9223372036854775807,0,0,9223372036854775807,"
      "350000000,1,2,BRKB  241220P00400500\n");
  expect_rows(
      chain,
      {{"BRKB", "BRKB", close(2024, 12, 20), 400.5, -1, 100, kNone, 0.35, kNone, kNone, kNone, kNone, kNone, kNone},
       {"SPY", "SPY", close(2024, 12, 20), 600, 1, 100, 1.05, 1.15, kNone, kNone, kNone, kNone, kNone, kNone}});
  EXPECT_EQ(chain.quote_time, close(2024, 11, 7) - 1);
}

TEST(VendorFormats, DatabentoWrittenPretty) {
  const OptionChain chain = parse(
      "ts_recv,ts_event,rtype,publisher_id,instrument_id,bid_px_00,ask_px_00,symbol\n"
      "2024-11-07T20:59:59.123456789Z,2024-11-07T20:59:59.000000000Z,193,30,1,1.050000000,,SPY   241220C00600000\n");
  EXPECT_EQ(chain.bid[0], 1.05);
  EXPECT_TRUE(std::isnan(chain.ask[0]));
  EXPECT_EQ(chain.quote_time, close(2024, 11, 7) - 1);
}

TEST(VendorFormats, DataShopIntervals) {
  const std::string header =
      "underlying_symbol,quote_datetime,root,expiration,strike,option_type,open,high,low,close,trade_volume,bid_size,"
      "bid,"
      "ask_size,ask,underlying_bid,underlying_ask,implied_underlying_price,active_underlying_price,implied_volatility,"
      "delta,gamma,theta,vega,rho,open_interest\n";
  const auto row = [](const std::string& time, const std::string& bid) {
    return "^SPX,2023-11-22 " + time + ",SPXW,2023-12-15,4400.000,C,0,0,0,0,0,1," + bid +
           ",2,10.3,4400,4401,4399.5,4400.5,0.15,0.5,0.001,-1,2,3,77\n";
  };
  const OptionChain chain = parse(header + row("10:00:00", "1") + row("10:30:00", "2"));
  expect_rows(chain, {{"SPX", "SPXW", close(2023, 12, 15), 4400, 1, 100, 2, 10.3, kNone, 0, 77, 0.15, 0.5, 0.001}});
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2023, 11, 22), 10, 30));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"earlier_snapshot", 1}}));
}

TEST(VendorFormats, OratsByTheNamesOfTheInterface) {
  const OptionChain chain = parse(
      "ticker,tradeDate,expirDate,dte,strike,stockPrice,callVolume,callOpenInterest,putVolume,putOpenInterest,"
      "callBidPrice,"
      "callAskPrice,putBidPrice,putAskPrice,callMidIv,putMidIv,delta,gamma,spotPrice,expiryTod\n"
      "SPX,2023-08-02,2023-08-18,17,4400,4410.5,10,20,30,40,1.1,1.3,2.1,2.3,0.11,0.21,0.55,0.002,4405.25,am\n"
      "SPX,2023-08-02,2023-08-18,17,4405,4410.5,10,20,30,40,1.1,1.3,2.1,2.3,0.11,0.21,0.55,0.002,4405.25,pm\n");
  ASSERT_EQ(chain.contracts(), 4u);
  EXPECT_EQ(chain.open_interest, (std::vector<double>{40, 20, 40, 20}));
  EXPECT_EQ(chain.settlement, (std::vector<Instant>{open(2023, 8, 18), close(2023, 8, 18)}));
  EXPECT_EQ(chain.spot[0], 4405.25);
}

TEST(VendorFormats, YfinanceWithoutATrade) {
  const OptionChain chain = parse(
      ",contractSymbol,lastTradeDate,strike,lastPrice,bid,ask,volume,openInterest,impliedVolatility,contractSize,"
      "expirationDate\n"
      "0,SPY260220C00500000,,500.0,,191.32,193.87,,2,1e-05,REGULAR,2026-02-20 00:00:00\n"
      "1,SPY260220P00500000,2026-02-11 16:19:32,500.0,0.05,0.04,0.06,7.0,,0.5,REGULAR,2026-02-20\n");
  EXPECT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 2, 11), 11, 19, 32));
}

TEST(VendorFormats, SymbolHistoryWithMinis) {
  const std::string text =
      "\xef\xbb\xbf"
      "date, symbol, under, expiration, strike, put/call, bid, ask, price, volume, open interest, implied vol, delta, "
      "gamma, rho, theta, vega, nonstd\r\n"
      "2015-01-05,SPY   150117C00200000,SPY,2015-01-17,200,C,3.1,3.2,0,0,5,0.15,0.6,0.04,0,0,0,0\r\n"
      "2015-01-05,SPY7  150117C00200000,SPY,2015-01-17,200,C,3.0,3.3,3.1,1,2,0.15,0.6,0.04,0,0,0,7\r\n";
  IngestOptions options;
  options.spot["spy"] = 201.72;
  const OptionChain chain = parse(text, options);
  expect_rows(chain, {{"SPY", "SPY", close(2015, 1, 16), 200, 1, 100, 3.1, 3.2, kNone, 0, 5, 0.15, 0.6, 0.04},
                      {"SPY", "SPY7", close(2015, 1, 16), 200, 1, 10, 3.0, 3.3, 3.1, 1, 2, 0.15, 0.6, 0.04}});
  EXPECT_EQ(chain.spot[0], 201.72);
  EXPECT_EQ(chain.quote_time, close(2015, 1, 5));
  EXPECT_TRUE(std::isnan(parse(text).spot[0]));
  options.spot["QQQ"] = 100;
  EXPECT_THAT(refusal(text, options), HasSubstr("--spot QQQ: no such underlying"));
}

TEST(VendorFormats, DeltaNeutralKeepsTheConsolidatedRow) {
  const std::string header =
      "underlying,underlying_last,exchange,optionroot,optionext,type,expiration,quotedate,strike,last,bid,ask,volume,"
      "openinterest,impliedvol,delta,gamma,theta,vega,optionalias\n";
  const auto row = [](const std::string& exchange, const std::string& symbol) {
    return "SPY,368.79," + exchange + "," + symbol +
           ",,put,01/29/2021,01/04/2021,345,2.71,2.76,2.78,7424,48199,0.288,-0.178,0.009,-0.1,0.25,x\n";
  };
  const OptionChain chain = parse(header + row("A", "SPY210129P00345000") + row("*", "SPY210129P00345000") +
                                  row("C", "SPY210129P00345000") + row("*", "SPY210129P00345000-E"));
  expect_rows(chain,
              {{"SPY", "SPY", close(2021, 1, 29), 345, -1, 100, 2.76, 2.78, 2.71, 7424, 48199, 0.288, -0.178, 0.009}});
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"exchange_repeat", 3}}));
}

TEST(VendorFormats, CboeRowsOfOneExchangeAreRepeats) {
  const std::string row = kCboeRow;
  std::string repeat = kCboeRow;
  repeat.replace(repeat.find("00100000,"), 8, "00100000-E");
  repeat.replace(repeat.find("P00100000,") + 1, 8, "00100000-E");
  const OptionChain chain = parse(cboe(repeat + row));
  EXPECT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"exchange_repeat", 2}}));
}

TEST(VendorFormats, ARejectNamesOnlyATickerThatIsKnown) {
  const OptionChain chain = parse(
      "ticker,volume,open,close,high,low,window_start,transactions\n"
      "O:SPY241108C05700000,1,2,3,4,5,1730955600000000000,6\nnonsense,1,2,3,4,5,1730955600000000000,6\n"
      "O:QQQ1241108C05700000,1,2,3,4,5,1730955600000000000,6\n");
  ASSERT_EQ(chain.rejects.size(), 2u);
  EXPECT_EQ(chain.rejects[0].rule + chain.rejects[0].ticker, "bad_symbol");
  EXPECT_EQ(chain.rejects[1].rule + chain.rejects[1].ticker, "adjusted_rootQQQ");
}

TEST(VendorFormats, RowsThatAreAllRefusedAreTheProblem) {
  EXPECT_THAT(refusal(kLongHeader + long_row("AMD1", "AMD1260717C00105000", "2026-07-17", "C", "105")),
              HasSubstr("no usable row (all 1 refused, most often by adjusted_root)"));
}

TEST(VendorFormats, AWeekendIsNoSession) {
  EXPECT_THAT(refusal("root,expiration,strike,right,ms_of_day,bid,ask,date\nSPY,20241115,227500,P,1,1,2,20241109\n"),
              AllOf(HasSubstr("2024-11-09 is no trading session"), HasSubstr("--quote-time")));
}

TEST(VendorFormats, NearestFormatIsNamed) {
  const std::string message = refusal("contractSymbol,strike,lastPrice,impliedVolatility\nA,1,2,3\n");
  EXPECT_THAT(message, AllOf(HasSubstr("unknown format"), HasSubstr("nearest is yfinance"),
                             HasSubstr("'lasttradedate'"), HasSubstr("--profile")));
  IngestOptions options;
  options.format = "orats";
  EXPECT_THAT(refusal("ticker,stkPx,strike,cOi,pOi\nA,1,2,3,4\n", options),
              AllOf(HasSubstr(":1: the header lacks 'expirdate'"), HasSubstr("orats")));
}

TEST(VendorFormats, SessionOfAFileWithoutSessions) {
  IngestOptions options;
  options.session = ymd(2023, 8, 18);
  EXPECT_EQ(parse(cboe(kCboeRow), options).contracts(), 2u);
  options.session = ymd(2023, 8, 17);
  EXPECT_THAT(refusal(cboe(kCboeRow), options), HasSubstr("quotes of another session (2023-08-18 here"));
}

TEST(VendorFormats, UnderlyingsAreNamedOnce) {
  IngestOptions options;
  options.underlying = "SPY";
  EXPECT_THAT(refusal(kLongHeader + long_row("A", "A260717C00105000", "2026-07-17", "C", "105"), options),
              AllOf(HasSubstr("--underlying beside the column 'underlying'")));
  options.underlying = "not a symbol";
  EXPECT_THAT(refusal("contractSymbol,lastTradeDate,strike,impliedVolatility\n", options), HasSubstr("is no symbol"));
}

}  // namespace
}  // namespace greekgrid::test

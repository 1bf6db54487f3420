#pragma once

/// @file
/// What one ticker's chain says, in two passes around the inversion of all quotes: forwards and quotes to invert, then
/// smiles, a volatility for every contract, and metrics. Private to host.

#include <limits>
#include <optional>
#include <vector>

#include "greekgrid/host/market.hpp"
#include "greekgrid/host/variance_index.hpp"

namespace greekgrid {

/// Instants and curves that all tickers share.
struct MarketContext {
  const OptionChain& chain;
  const MarketConfig& config;
  DiscountCurve curve;
  Instant next_close = 0, fifth_close = 0;
};

/// One live expiry of a ticker on its way into a Snapshot.
struct LiveExpiry {
  std::int32_t expiry = 0;          // of the chain
  std::int64_t begin = 0, end = 0;  // chain rows
  double tau = 0.0, rate = 0.0, dividend_yield = 0.0, forward = 0.0, discount = 1.0;
  ForwardSource forward_source = ForwardSource::kMissing;
  SmileCurve smile{};
  SmileFit fit;
  bool first_source_smile = false;  // enough points of the preferred source alone
  ExpiryVolatility volatility;
  std::vector<StrikeQuotes> quotes;             // by strike
  std::vector<std::int64_t> put_row, call_row;  // by strike; -1 where not listed
  std::vector<std::int64_t> own_row;            // by strike: the row whose quote is inverted, -1 for none
  std::vector<double> own_sigma;                // by strike; NaN for none
};

/// One contract with a volatility.
struct PricedContract {
  std::int64_t row = 0;
  std::size_t expiry = 0;  // of TickerMarket::expiries()
  double sigma = 0.0;
  IvSource source = IvSource::kMissing;
};

/// Quotes to invert, one array per argument.
struct QuoteBatch {
  std::vector<std::int8_t> right;
  std::vector<double> price, forward, strike, discount, tau;

  void append(const QuoteBatch& other) {
    right.insert(right.end(), other.right.begin(), other.right.end());
    for (const auto member :
         {&QuoteBatch::price, &QuoteBatch::forward, &QuoteBatch::strike, &QuoteBatch::discount, &QuoteBatch::tau}) {
      (this->*member).insert((this->*member).end(), (other.*member).begin(), (other.*member).end());
    }
  }
};

class TickerMarket {
 public:
  TickerMarket(const MarketContext& context, std::size_t ticker);

  /// First pass: judges rows, finds forwards, lists the quotes to invert.
  void prepare();
  QuoteBatch& batch() { return batch_; }
  /// Second pass: `sigma` in the order of the batch, NaN where there is none.
  /// @param fits of the same data, taken if there are any and else filled; may be null
  void finish(std::span<const double> sigma, SmileFits* fits = nullptr);
  /// Refuses the ticker because a stage could not do with its data. @param why of the stage
  void fail(const std::string& why);

  TickerQuality quality;
  Diagnostics diagnostics;
  std::vector<PricedContract> contracts;
  std::vector<QuoteStatus> quote_status;  // by row of the ticker
  TickerVolatility volatility;
  double spot = 0.0, spot_basis = 0.0, atm_iv = 0.0;
  double notional = 0.0;  // USD of live open interest
  const std::vector<LiveExpiry>& expiries() const { return expiry_; }

 private:
  void refuse(TickerStatus status, const char* field, const char* rule, double value);
  void refuse_row(std::int64_t row, const char* field, const char* rule, double value);
  bool row_usable(std::int64_t row);
  void collect_expiries();
  bool find_spot(double quoted);
  void find_carries();
  double dividends_before(const LiveExpiry& e) const;
  void judge_quotes(LiveExpiry& e);
  QuoteStatus judge_quote(std::int64_t row, const LiveExpiry& e) const;
  bool allowed_by_other(std::int64_t row, std::int64_t other, const LiveExpiry& e) const;
  static double plausible(double quote);
  double vendor_floor() const;
  std::optional<double> vendor(std::int64_t row) const;
  void fit_smiles(SmileFits* fits);
  void price_contracts();
  void measure_expiry(LiveExpiry& e) const;
  void measure_ticker();

  const MarketContext& context_;
  const OptionChain& chain_;
  std::size_t ticker_;
  std::int64_t begin_, end_;
  double vendor_floor_ = std::numeric_limits<double>::quiet_NaN();
  double live_interest_ = 0.0, expired_interest_ = 0.0;
  std::vector<bool> live_row_;  // by row of the ticker: may be priced if it finds a volatility
  std::vector<LiveExpiry> expiry_;
  QuoteBatch batch_;
};

}  // namespace greekgrid

// From an OptionChain to a Snapshot: every contract is priced, expired or refused with a reason.

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "greekgrid/host/market.hpp"
#include "greekgrid/kernels/formulas/implied_volatility.hpp"

namespace greekgrid {

std::string_view name(PositionModel model) {
  switch (model) {
    case PositionModel::kNaive:
      return "naive";
    case PositionModel::kUnsigned:
      return "unsigned";
    case PositionModel::kAllShort:
      return "all_short";
    case PositionModel::kReversed:
      return "reversed";
    case PositionModel::kSignedColumn:
      return "signed_column";
  }
  return "";
}

std::string_view name(IvPreference preference) {
  return preference == IvPreference::kVendor ? "vendor" : "own";
}

bool is_placeholder_iv(double iv, double floor, double bid, double ask) {
  if (!(iv > 1e-4)) return true;
  if (iv == floor) return true;
  if (bid == 0.0 && ask == 0.0) {
    for (int k = 1; k <= 6; ++k) {
      if (std::abs(iv - std::ldexp(1.0, -k)) <= 2e-5) return true;
    }
  }
  return false;
}

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What lies beyond is an error of the file. Within them no exposure of a book leaves the range of float32, so that one
// wild number costs its row or its ticker, never the night.
constexpr double kLeastSpot = 1e-4, kMostSpot = 1e9;  // USD
constexpr double kMostVolatility = 100.0;             // vol
constexpr double kMostShares = 1e12;                  // of one contract: open interest times multiplier

// One contract with a volatility.
struct PricedContract {
  std::int64_t row = 0;
  std::int32_t expiry = 0;  // of the chain
  double sigma = 0.0;
  IvSource source = IvSource::kMissing;
};

// All that one ticker contributes, computed independently of the others.
struct TickerPiece {
  TickerQuality quality;
  std::vector<PricedContract> contracts;
  Diagnostics diagnostics;
  double atm_iv = 0.0;
  double notional = 0.0;  // USD of live open interest
};

class TickerJudge {
 public:
  TickerJudge(const OptionChain& chain, const MarketConfig& config, std::size_t ticker)
      : chain_(chain),
        config_(config),
        ticker_(ticker),
        begin_(chain.contract_begin[ticker]),
        end_(begin_ + chain.contract_count[ticker]) {}

  TickerPiece judge() {
    piece_.quality.ticker = chain_.ticker[ticker_];
    piece_.quality.rows_in = end_ - begin_;
    const double spot = chain_.spot[ticker_];
    if (begin_ == end_) return refuse(TickerStatus::kNoContracts, "contracts", "no_contracts", "0");
    if (!(spot >= kLeastSpot && spot <= kMostSpot)) return refuse(TickerStatus::kNoSpot, "spot", "no_spot", text(spot));
    spot_ = spot;
    vendor_floor_ = vendor_floor();
    judge_contracts();
    const double total = live_interest_ + expired_interest_;
    piece_.quality.expired_share = total > 0.0 ? expired_interest_ / total : 0.0;
    if (piece_.quality.rows_expired == piece_.quality.rows_in) {
      return refuse(TickerStatus::kAllExpired, "settlement", "all_expired",
                    text(static_cast<double>(piece_.quality.rows_expired)));
    }
    if (!(live_interest_ > 0.0)) return refuse(TickerStatus::kNoOpenInterest, "open_interest", "no_open_interest", "0");
    piece_.quality.coverage = priced_interest_ / live_interest_;
    piece_.quality.filled_iv_share = priced_interest_ > 0.0 ? filled_interest_ / priced_interest_ : 0.0;
    if (piece_.contracts.empty() || piece_.quality.coverage < config_.minimum_coverage) {
      return refuse(TickerStatus::kTooLittleIv, "implied_volatility", "too_little_iv", text(piece_.quality.coverage));
    }
    piece_.quality.contracts = static_cast<std::int64_t>(piece_.contracts.size());
    piece_.atm_iv = atm_iv();
    return std::move(piece_);
  }

 private:
  static std::string text(double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.17g", value);
    return buffer;
  }

  TickerPiece refuse(TickerStatus status, const char* field, const char* rule, std::string value) {
    piece_.quality.status = status;
    piece_.quality.contracts = 0;
    piece_.contracts.clear();
    piece_.diagnostics.push_back(
        {"", static_cast<std::int64_t>(ticker_), field, rule, std::move(value), chain_.ticker[ticker_]});
    return std::move(piece_);
  }

  void refuse_row(std::int64_t row, const char* field, const char* rule, double value) {
    ++piece_.quality.rows_refused;
    piece_.diagnostics.push_back({"", row, field, rule, text(value), chain_.ticker[ticker_]});
  }

  // The volatility that a vendor writes when it found none, if this ticker has one.
  double vendor_floor() const {
    double smallest = std::numeric_limits<double>::infinity();
    std::int64_t count = 0;
    for (std::int64_t i = begin_; i < end_; ++i) {
      const double iv = chain_.vendor_iv[at(i)];
      if (!(iv > 1e-4)) continue;
      if (iv < smallest) smallest = iv, count = 0;
      if (iv == smallest) ++count;
    }
    return count > 20 ? smallest : kNaN;
  }

  std::optional<double> vendor(std::int64_t i) const {
    const double iv = chain_.vendor_iv[at(i)];
    if (!(iv <= kMostVolatility) || is_placeholder_iv(iv, vendor_floor_, chain_.bid[at(i)], chain_.ask[at(i)]))
      return std::nullopt;
    return iv;
  }

  std::optional<double> own(std::int64_t i, double tau, double forward, double discount) const {
    const double bid = chain_.bid[at(i)];
    const double ask = chain_.ask[at(i)];
    if (!(bid > 0.0) || !(ask >= bid)) return std::nullopt;
    const double price = 0.5 * (bid + ask);
    const auto result = formulas::implied_volatility(static_cast<double>(chain_.right[at(i)]), price, forward,
                                                     chain_.strike[at(i)], discount, tau);
    if (result.status != formulas::IvStatus::kOk || !(result.sigma > 1e-4) || !(result.sigma <= kMostVolatility))
      return std::nullopt;
    return result.sigma;
  }

  // A live contract on its way to a volatility.
  struct Candidate {
    std::int64_t row;
    std::optional<double> sigma;
    IvSource source;
  };

  // Put and call of one strike are neighbours in chain order; parity gives both one volatility.
  void fill_from_opposite_right(std::vector<Candidate>& live) const {
    for (std::size_t k = 0; k < live.size(); ++k) {
      Candidate& c = live[k];
      if (c.sigma) continue;
      for (const std::size_t other : {k - 1, k + 1}) {
        if (other >= live.size() || live[other].source == IvSource::kOppositeRight || !live[other].sigma) continue;
        const std::size_t a = at(c.row);
        const std::size_t b = at(live[other].row);
        if (chain_.contract_expiry[a] == chain_.contract_expiry[b] && chain_.strike[a] == chain_.strike[b]) {
          c.sigma = live[other].sigma;
          c.source = IvSource::kOppositeRight;
          break;
        }
      }
    }
  }

  void judge_contracts() {
    std::vector<Candidate> live;
    const bool vendor_first = config_.iv_source == IvPreference::kVendor;
    for (std::int64_t i = begin_; i < end_; ++i) {
      const auto e = static_cast<std::size_t>(chain_.contract_expiry[at(i)]);
      const double interest = chain_.open_interest[at(i)];
      const double shares = interest * chain_.multiplier[at(i)];
      const double known_interest = shares >= 0.0 && shares <= kMostShares ? shares : 0.0;
      if (chain_.settlement[e] <= chain_.quote_time) {
        ++piece_.quality.rows_expired;
        expired_interest_ += known_interest;
        continue;
      }
      live_interest_ += known_interest;
      if (!(shares >= 0.0 && shares <= kMostShares)) {
        refuse_row(i, "open_interest",
                   std::isnan(interest) ? "missing_open_interest"
                   : interest < 0.0     ? "negative_open_interest"
                                        : "implausible_open_interest",
                   interest);
        continue;
      }
      if (!chain_.dealer_position.empty() &&
          std::abs(chain_.dealer_position[at(i)] * chain_.multiplier[at(i)]) > kMostShares) {
        refuse_row(i, "dealer_position", "implausible_dealer_position", chain_.dealer_position[at(i)]);
        continue;
      }
      piece_.notional += known_interest * spot_;
      const double tau = static_cast<double>(chain_.settlement[e] - chain_.quote_time) / kSecondsPerYear;
      const double forward = spot_ * std::exp((config_.rate - config_.dividend_yield) * tau);
      const double discount = std::exp(-config_.rate * tau);
      Candidate c = {i, std::nullopt, IvSource::kMissing};
      if (vendor_first && (c.sigma = vendor(i))) c.source = IvSource::kVendor;
      if (!c.sigma && (!vendor_first || config_.iv_fill) && (c.sigma = own(i, tau, forward, discount))) {
        c.source = IvSource::kOwnMid;
      }
      live.push_back(c);
    }
    if (config_.iv_fill) {
      fill_from_opposite_right(live);
      if (!vendor_first) {
        // Our own volatility of the other right comes before the vendor's of this one, which belongs to another
        // forward.
        for (Candidate& c : live) {
          if (!c.sigma && (c.sigma = vendor(c.row))) c.source = IvSource::kVendor;
        }
        fill_from_opposite_right(live);
      }
    }
    const IvSource first_source = vendor_first ? IvSource::kVendor : IvSource::kOwnMid;
    for (const Candidate& c : live) {
      if (!c.sigma) {
        refuse_row(c.row, "implied_volatility", "no_usable_iv", chain_.vendor_iv[at(c.row)]);
        continue;
      }
      const double interest = chain_.open_interest[at(c.row)] * chain_.multiplier[at(c.row)];
      priced_interest_ += interest;
      if (c.source != first_source) filled_interest_ += interest;
      piece_.contracts.push_back({c.row, chain_.contract_expiry[at(c.row)], *c.sigma, c.source});
    }
  }

  // At-the-money volatility at 30 days: mean of the contracts at the strike nearest to spot of each expiry, linear in
  // total variance between the expiries around 30 days, the nearest expiry's beyond them. It only scales the spot axis.
  double atm_iv() const {
    struct Point {
      double tau, sigma;
    };
    std::vector<Point> points;
    for (std::size_t k = 0; k < piece_.contracts.size();) {
      const std::int32_t e = piece_.contracts[k].expiry;
      double nearest = std::numeric_limits<double>::infinity();
      double sum = 0.0;
      int count = 0;
      for (; k < piece_.contracts.size() && piece_.contracts[k].expiry == e; ++k) {
        const double distance = std::abs(chain_.strike[at(piece_.contracts[k].row)] - spot_);
        if (distance < nearest) nearest = distance, sum = 0.0, count = 0;
        if (distance == nearest) sum += piece_.contracts[k].sigma, ++count;
      }
      const double tau =
          static_cast<double>(chain_.settlement[static_cast<std::size_t>(e)] - chain_.quote_time) / kSecondsPerYear;
      points.push_back({tau, sum / count});
    }
    constexpr double kTarget = 30.0 / 365.0;
    std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.tau < b.tau; });
    const auto above = std::find_if(points.begin(), points.end(), [](const Point& p) { return p.tau >= kTarget; });
    if (above == points.begin()) return above->sigma;
    if (above == points.end()) return points.back().sigma;
    const Point& a = *(above - 1);
    const Point& b = *above;
    const double share = (kTarget - a.tau) / (b.tau - a.tau);
    const double variance = (1.0 - share) * a.sigma * a.sigma * a.tau + share * b.sigma * b.sigma * b.tau;
    return std::sqrt(variance / kTarget);
  }

  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  const OptionChain& chain_;
  const MarketConfig& config_;
  std::size_t ticker_;
  std::int64_t begin_, end_;
  double spot_ = 0.0, vendor_floor_ = kNaN;
  double live_interest_ = 0.0, expired_interest_ = 0.0, priced_interest_ = 0.0, filled_interest_ = 0.0;
  TickerPiece piece_;
};

}  // namespace

Snapshot make_snapshot(const OptionChain& chain, const MarketConfig& config, const TickerSelection& selection) {
  Snapshot snapshot;
  snapshot.quote_time = chain.quote_time;

  std::vector<std::size_t> wanted;
  if (selection.tickers.empty()) {
    wanted.resize(chain.tickers());
    std::iota(wanted.begin(), wanted.end(), std::size_t{0});
  } else {
    std::vector<std::string> names = selection.tickers;
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string& ticker : names) {
      const auto found = std::lower_bound(chain.ticker.begin(), chain.ticker.end(), ticker);
      if (found != chain.ticker.end() && *found == ticker) {
        wanted.push_back(static_cast<std::size_t>(found - chain.ticker.begin()));
        continue;
      }
      TickerQuality quality;
      quality.ticker = ticker;
      quality.status = TickerStatus::kNotInChain;
      snapshot.quality.push_back(quality);
      snapshot.diagnostics.push_back({"", 0, "ticker", "not_in_chain", ticker, ticker});
    }
  }

  std::vector<TickerPiece> pieces(wanted.size());
  oneapi::tbb::parallel_for(std::size_t{0}, wanted.size(),
                            [&](std::size_t k) { pieces[k] = TickerJudge(chain, config, wanted[k]).judge(); });

  if (selection.top > 0) {
    std::vector<std::size_t> rank(pieces.size());
    std::iota(rank.begin(), rank.end(), std::size_t{0});
    std::stable_sort(rank.begin(), rank.end(),
                     [&](std::size_t a, std::size_t b) { return pieces[a].notional > pieces[b].notional; });
    std::size_t accepted = 0;
    std::vector<bool> keep(pieces.size(), false);
    for (const std::size_t k : rank) {
      if (accepted == selection.top) break;
      keep[k] = true;  // refused tickers that rank above the last accepted one stay in the account
      if (pieces[k].quality.status == TickerStatus::kOk) ++accepted;
    }
    std::vector<TickerPiece> kept;
    std::vector<std::size_t> kept_tickers;
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      if (!keep[k]) continue;
      kept.push_back(std::move(pieces[k]));
      kept_tickers.push_back(wanted[k]);
    }
    pieces = std::move(kept);
    wanted = std::move(kept_tickers);
  }

  snapshot.expiry_begin.push_back(0);
  snapshot.contract_begin.push_back(0);
  snapshot.expiry_contract_begin.push_back(0);
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    TickerPiece& piece = pieces[k];
    snapshot.quality.push_back(piece.quality);
    for (Diagnostic& d : piece.diagnostics) snapshot.diagnostics.push_back(std::move(d));
    if (piece.quality.status != TickerStatus::kOk) continue;
    const auto u = static_cast<std::int32_t>(snapshot.ticker.size());
    snapshot.ticker.push_back(chain.ticker[wanted[k]]);
    snapshot.spot.push_back(chain.spot[wanted[k]]);
    snapshot.spot_basis.push_back(0.0);
    snapshot.atm_iv.push_back(piece.atm_iv);
    std::int32_t last_expiry = -1;
    for (const PricedContract& c : piece.contracts) {
      const auto e = static_cast<std::size_t>(c.expiry);
      const auto i = static_cast<std::size_t>(c.row);
      if (c.expiry != last_expiry) {
        last_expiry = c.expiry;
        snapshot.expiry_ticker.push_back(u);
        snapshot.root.push_back(chain.root[e]);
        snapshot.settlement.push_back(chain.settlement[e]);
        snapshot.exercise.push_back(chain.exercise[e]);
        snapshot.style.push_back(chain.style[e]);
        snapshot.rate.push_back(config.rate);
        snapshot.dividend_yield.push_back(config.dividend_yield);
        snapshot.forward_source.push_back(ForwardSource::kGivenRateAndYield);
        snapshot.expiry_contract_begin.push_back(snapshot.expiry_contract_begin.back());
      }
      snapshot.contract_expiry.push_back(static_cast<std::int32_t>(snapshot.root.size() - 1));
      snapshot.chain_row.push_back(c.row);
      snapshot.strike.push_back(chain.strike[i]);
      snapshot.right.push_back(chain.right[i]);
      snapshot.multiplier.push_back(chain.multiplier[i]);
      snapshot.open_interest.push_back(chain.open_interest[i]);
      snapshot.implied_volatility.push_back(c.sigma);
      snapshot.iv_source.push_back(c.source);
      snapshot.vendor_gamma.push_back(chain.vendor_gamma[i]);
      ++snapshot.expiry_contract_begin.back();
    }
    snapshot.expiry_begin.push_back(static_cast<std::int64_t>(snapshot.root.size()));
    snapshot.contract_begin.push_back(static_cast<std::int64_t>(snapshot.strike.size()));
  }
  std::stable_sort(snapshot.quality.begin(), snapshot.quality.end(),
                   [](const TickerQuality& a, const TickerQuality& b) { return a.ticker < b.ticker; });
  return snapshot;
}

}  // namespace greekgrid

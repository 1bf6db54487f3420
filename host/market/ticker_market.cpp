#include "ticker_market.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string_view>

#include "greekgrid/kernels/formulas/normal.hpp"
#include "median.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kDaysPerYear = 365.0;

// What lies beyond is an error of the file. Within them no exposure of a book leaves the range of float32, so that one
// wild number costs its row or its ticker, never the night.
constexpr double kLeastSpot = 1e-4, kMostSpot = 1e9;  // USD
constexpr double kMostVolatility = 100.0;             // vol
constexpr double kMostShares = 1e12;                  // of one contract: open interest times multiplier

// Parity. Below five days ln(F/S)/tau is basis and rounding, not carry.
constexpr double kCarryTau = 5.0 / kDaysPerYear;
constexpr double kBasisTau = 10.0 / kDaysPerYear;  // expiries whose forward shows the basis rather than the carry
constexpr double kFarBasisTau = 60.0 / kDaysPerYear;
constexpr double kLargeBasis = 0.05, kMostBasis = 0.25;
constexpr double kMostResidual = 0.01;    // of the forward
constexpr double kMostPairWidth = 0.005;  // of the forward: how tight a single pair must be
constexpr double kOwnForwardMiss = 5e-4;  // of the forward: own pairs support a short expiry's forward this near

// A wide quote: its mid says nothing.
constexpr double kWideShare = 1.0, kWideAmount = 0.10;

// Errors of a volatility, vol: the least of our own, and of a vendor's at the money.
constexpr double kOwnError = 5e-4, kVendorError = 2e-3;
constexpr std::size_t kEnoughPoints = 5;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

bool parity_holds(const ParityForward& p) {
  if (p.pairs == 0 || !(p.forward > 0.0)) return false;
  if (p.pairs == 1) return (p.high - p.low) <= kMostPairWidth * p.forward;
  return p.residual <= kMostResidual * p.forward && 2 * p.supporting >= p.pairs;
}

}  // namespace

TickerMarket::TickerMarket(const MarketContext& context, std::size_t ticker)
    : context_(context),
      chain_(context.chain),
      ticker_(ticker),
      begin_(context.chain.contract_begin[ticker]),
      end_(begin_ + context.chain.contract_count[ticker]) {
  quality.ticker = chain_.ticker[ticker];
  quality.rows_in = end_ - begin_;
}

void TickerMarket::refuse(TickerStatus status, const char* field, const char* rule, double value) {
  quality.status = status;
  quality.contracts = 0;
  contracts.clear();
  diagnostics.push_back(
      {"", static_cast<std::int64_t>(chain_.place(ticker_)), field, rule, text(value), chain_.ticker[ticker_]});
}

void TickerMarket::fail(const std::string& why) {
  contracts.clear();
  expiry_.clear();
  batch_ = {};
  quality.status = TickerStatus::kStageFailed;
  quality.contracts = 0;
  diagnostics.push_back(
      {"", static_cast<std::int64_t>(chain_.place(ticker_)), "ticker", "stage_failed", why, chain_.ticker[ticker_]});
}

void TickerMarket::refuse_row(std::int64_t row, const char* field, const char* rule, double value) {
  ++quality.rows_refused;
  // The row of the whole chain, whatever part of it this is.
  const std::int64_t whole = row - begin_ + chain_.first_row(ticker_);
  diagnostics.push_back({"", whole, field, rule, text(value), chain_.ticker[ticker_]});
}

void TickerMarket::prepare() {
  if (begin_ == end_) return refuse(TickerStatus::kNoContracts, "contracts", "no_contracts", 0.0);
  const double quoted = chain_.spot[ticker_];
  if (!std::isnan(quoted) && !(quoted >= kLeastSpot && quoted <= kMostSpot)) {
    return refuse(TickerStatus::kNoSpot, "spot", "no_spot", quoted);
  }
  vendor_floor_ = vendor_floor();
  collect_expiries();
  const double total = live_interest_ + expired_interest_;
  quality.expired_share = total > 0.0 ? expired_interest_ / total : 0.0;
  if (quality.rows_expired == quality.rows_in) {
    return refuse(TickerStatus::kAllExpired, "settlement", "all_expired", static_cast<double>(quality.rows_expired));
  }
  if (!(live_interest_ > 0.0)) return refuse(TickerStatus::kNoOpenInterest, "open_interest", "no_open_interest", 0.0);
  if (!find_spot(quoted)) return;
  // Known dividends that would take most of the share with them are a mistake of the configuration.
  const double paid = dividends_before(expiry_.back());
  if (!(paid <= 0.5 * spot)) {
    return refuse(TickerStatus::kSpotContradicted, "dividends", "dividends_above_half_spot", paid);
  }
  find_carries();
  for (LiveExpiry& e : expiry_) judge_quotes(e);
}

// Splits the ticker's rows into live expiries with quotes by strike, and judges what does not depend on a price.
void TickerMarket::collect_expiries() {
  live_row_.assign(at(end_ - begin_), false);
  quote_status.assign(at(end_ - begin_), QuoteStatus::kMissing);
  for (std::int64_t row = begin_; row < end_;) {
    const std::int32_t expiry = chain_.contract_expiry[at(row)];
    std::int64_t end = row;
    while (end < end_ && chain_.contract_expiry[at(end)] == expiry) ++end;
    const auto known_interest = [&](std::int64_t i) {
      const double shares = chain_.open_interest[at(i)] * chain_.multiplier[at(i)];
      return shares >= 0.0 && shares <= kMostShares ? shares : 0.0;
    };
    const Instant settlement = chain_.settlement[static_cast<std::size_t>(expiry)];
    if (settlement <= chain_.quote_time) {
      for (; row < end; ++row) ++quality.rows_expired, expired_interest_ += known_interest(row);
      continue;
    }
    LiveExpiry e;
    e.expiry = expiry;
    e.begin = row;
    e.end = end;
    e.tau = static_cast<double>(settlement - chain_.quote_time) / kSecondsPerYear;
    e.rate = context_.curve.zero_rate(e.tau);
    e.discount = std::exp(-e.rate * e.tau);
    for (; row < end; ++row) {
      live_interest_ += known_interest(row);
      live_row_[at(row - begin_)] = row_usable(row);
      const double strike = chain_.strike[at(row)];
      if (e.quotes.empty() || e.quotes.back().strike != strike) {
        e.quotes.push_back({strike, kNaN, kNaN, kNaN, kNaN});
        e.put_row.push_back(-1);
        e.call_row.push_back(-1);
      }
      StrikeQuotes& quotes = e.quotes.back();
      if (chain_.right[at(row)] > 0) {
        quotes.call_bid = plausible(chain_.bid[at(row)]), quotes.call_ask = plausible(chain_.ask[at(row)]);
        e.call_row.back() = row;
      } else {
        quotes.put_bid = plausible(chain_.bid[at(row)]), quotes.put_ask = plausible(chain_.ask[at(row)]);
        e.put_row.back() = row;
      }
    }
    e.volatility.parity = parity_forward(e.quotes, e.discount, chain_.exercise[static_cast<std::size_t>(expiry)]);
    expiry_.push_back(std::move(e));
  }
}

// Whether a live row may be priced, apart from its volatility.
bool TickerMarket::row_usable(std::int64_t row) {
  const double interest = chain_.open_interest[at(row)];
  const double shares = interest * chain_.multiplier[at(row)];
  if (!(shares >= 0.0 && shares <= kMostShares)) {
    refuse_row(row, "open_interest",
               std::isnan(interest) ? "missing_open_interest"
               : interest < 0.0     ? "negative_open_interest"
                                    : "implausible_open_interest",
               interest);
    return false;
  }
  if (!chain_.dealer_position.empty() &&
      std::abs(chain_.dealer_position[at(row)] * chain_.multiplier[at(row)]) > kMostShares) {
    refuse_row(row, "dealer_position", "implausible_dealer_position", chain_.dealer_position[at(row)]);
    return false;
  }
  return true;
}

// Present value of the known dividends that go ex before an expiry settles.
double TickerMarket::dividends_before(const LiveExpiry& e) const {
  const Instant settlement = chain_.settlement[static_cast<std::size_t>(e.expiry)];
  double sum = 0.0;
  const auto& all = context_.config.dividends;
  auto d = std::lower_bound(all.begin(), all.end(), chain_.ticker[ticker_],
                            [](const KnownDividend& a, const std::string& t) { return a.ticker < t; });
  for (; d != all.end() && d->ticker == chain_.ticker[ticker_]; ++d) {
    const Instant ex = new_york_instant(d->ex_date, 9, 30);
    if (ex <= chain_.quote_time || ex > settlement) continue;
    const double tau = static_cast<double>(ex - chain_.quote_time) / kSecondsPerYear;
    sum += d->amount * std::exp(-context_.curve.zero_rate(tau) * tau);
  }
  return sum;
}

// The spot, and the basis between it and the spot that the options saw.
bool TickerMarket::find_spot(double quoted) {
  // The synthetic spot of one expiry: known dividends are added back, an unknown carry is the given yield.
  const auto synthetic = [&](const LiveExpiry& e) {
    return e.volatility.parity.forward * std::exp(-(e.rate - context_.config.dividend_yield) * e.tau) +
           dividends_before(e);
  };
  std::vector<const LiveExpiry*> usable;
  for (const LiveExpiry& e : expiry_) {
    if (parity_holds(e.volatility.parity)) usable.push_back(&e);
  }
  std::vector<double> near;
  bool spot_allowed = true;  // by the bid and ask of every pair of those expiries
  for (const LiveExpiry* e : usable) {
    if (near.size() == 3 || e->tau > kBasisTau) continue;
    const double here = synthetic(*e);
    const ParityForward& p = e->volatility.parity;
    near.push_back(here);
    spot_allowed &= quoted * p.forward >= here * p.low && quoted * p.forward <= here * p.high;
  }
  double found = near.empty() ? kNaN : median(near);
  if (near.empty() && usable.size() >= 2 && usable[0]->tau <= kFarBasisTau) {
    // Without a short expiry the basis is what two forwards leave at tau = 0, if that is more than their noise.
    const LiveExpiry& a = *usable[0];
    const auto later =
        std::find_if(usable.begin(), usable.end(), [&](const LiveExpiry* e) { return e->tau > 1.3 * a.tau; });
    if (later != usable.end()) {
      const LiveExpiry& b = **later;
      const double reference = std::isnan(quoted) ? synthetic(a) : quoted;
      const double weight = b.tau / (b.tau - a.tau);
      const double basis =
          weight * std::log(synthetic(a) / reference) + (1.0 - weight) * std::log(synthetic(b) / reference);
      const auto noise = [](const LiveExpiry& e) {
        return std::max(e.volatility.parity.residual,
                        0.25 * std::abs(e.volatility.parity.high - e.volatility.parity.low)) /
               e.volatility.parity.forward;
      };
      const double error = std::hypot(weight * noise(a), (weight - 1.0) * noise(b));
      if (std::abs(basis) > 0.002 + 3.0 * error) found = reference * std::exp(basis);
    }
  }
  if (std::isnan(quoted)) {
    if (std::isnan(found) && !usable.empty()) found = synthetic(*usable[0]);
    if (!(found >= kLeastSpot && found <= kMostSpot)) {
      refuse(TickerStatus::kNoSpot, "spot", "no_spot", quoted);
      return false;
    }
    spot = found;
    quality.spot_source = SpotSource::kParity;
    return true;
  }
  spot = quoted;
  quality.spot_source = SpotSource::kVendor;
  if (std::isnan(found)) return true;
  // A spot that the quotes allow is not corrected by their noise.
  const double basis = !near.empty() && spot_allowed ? 0.0 : std::log(found / quoted);
  if (std::abs(basis) > kLargeBasis) {
    // So large a basis is a vendor's mistake or one expiry's stale quotes: it takes another expiry to tell.
    const auto agreeing = std::count_if(usable.begin(), usable.end(), [&](const LiveExpiry* e) {
      return e->tau <= kFarBasisTau && std::abs(std::log(synthetic(*e) / found)) <= 0.02;
    });
    if (agreeing < 2) return true;
  }
  if (!(std::abs(basis) <= kMostBasis)) {
    // One odd expiry is not believed against the vendor; three are.
    if (near.size() < 3) return true;
    quality.spot_basis_bp = 1e4 * basis;
    refuse(TickerStatus::kSpotContradicted, "spot", "spot_contradicts_parity", found);
    return false;
  }
  quality.spot_basis_bp = 1e4 * basis;
  if (context_.config.forward_source == ForwardPreference::kParity) spot_basis = basis;
  return true;
}

void TickerMarket::find_carries() {
  const MarketConfig& config = context_.config;
  const double base = spot * std::exp(spot_basis);
  std::vector<std::pair<double, double>> carry;  // tau, dividend yield, of the expiries with parity
  std::vector<double> residuals;
  for (LiveExpiry& e : expiry_) {
    const ParityForward& p = e.volatility.parity;
    if (p.forward > 0.0) residuals.push_back(p.residual / p.forward);
    if (config.forward_source != ForwardPreference::kParity || !parity_holds(p) || e.tau < kCarryTau) continue;
    const double log_carry = std::log(p.forward / base);
    if (!(std::abs(log_carry - (e.rate - config.dividend_yield) * e.tau) <= 0.01 + 0.5 * e.tau)) continue;
    e.dividend_yield = e.rate - log_carry / e.tau;
    e.forward_source = ForwardSource::kParity;
    // What neighbours borrow is the carry without the known dividends: those belong to their dates.
    carry.emplace_back(e.tau, e.dividend_yield + std::log1p(-dividends_before(e) / base) / e.tau);
  }
  quality.parity_residual = median(std::move(residuals));
  std::sort(carry.begin(), carry.end());
  for (LiveExpiry& e : expiry_) {
    if (e.forward_source != ForwardSource::kParity) {
      if (config.forward_source == ForwardPreference::kSpot) {
        e.dividend_yield = e.rate;
        e.forward_source = ForwardSource::kGivenRateAndYield;
      } else if (carry.empty()) {
        e.dividend_yield = config.dividend_yield;
        e.forward_source = ForwardSource::kGivenRateAndYield;
      } else {
        const auto above = std::lower_bound(carry.begin(), carry.end(), std::pair(e.tau, -1e300));
        if (above == carry.begin()) {
          e.dividend_yield = above->second;
        } else if (above == carry.end()) {
          e.dividend_yield = carry.back().second;
        } else {
          const auto below = above - 1;
          const double share = (e.tau - below->first) / (above->first - below->first);
          e.dividend_yield = (1.0 - share) * below->second + share * above->second;
        }
        e.forward_source = ForwardSource::kNeighbourCarry;
      }
      if (config.forward_source == ForwardPreference::kParity) {
        e.dividend_yield -= std::log1p(-dividends_before(e) / base) / e.tau;
      }
    }
    e.forward = base * std::exp((e.rate - e.dividend_yield) * e.tau);
    const ParityForward& p = e.volatility.parity;
    // A short expiry takes its carry from elsewhere; its forward is still parity's if its own pairs say the same.
    if (config.forward_source == ForwardPreference::kParity && e.tau < kCarryTau && parity_holds(p) &&
        ((e.forward >= p.low && e.forward <= p.high) ||
         std::abs(p.forward - e.forward) <= kOwnForwardMiss * e.forward)) {
      e.forward_source = ForwardSource::kParity;
    }
  }
}

// A quote beyond any price is as good as none.
double TickerMarket::plausible(double quote) {
  return quote >= 0.0 && quote <= kMostSpot ? quote : kNaN;
}

QuoteStatus TickerMarket::judge_quote(std::int64_t row, const LiveExpiry& e) const {
  const double bid = plausible(chain_.bid[at(row)]);
  const double ask = plausible(chain_.ask[at(row)]);
  if (std::isnan(bid) || std::isnan(ask)) return QuoteStatus::kMissing;
  if (bid == 0.0 && ask == 0.0) return QuoteStatus::kPlaceholder;
  if (!(bid > 0.0)) return QuoteStatus::kNoBid;
  if (ask < bid) return QuoteStatus::kCrossed;
  const double mid = 0.5 * (bid + ask);
  if (ask - bid > kWideAmount && ask - bid > kWideShare * mid) return QuoteStatus::kWide;
  const double right = static_cast<double>(chain_.right[at(row)]);
  const double strike = chain_.strike[at(row)];
  if (!(mid > e.discount * std::max(right * (e.forward - strike), 0.0))) return QuoteStatus::kBelowIntrinsic;
  if (!(mid < e.discount * (right > 0.0 ? e.forward : strike))) return QuoteStatus::kAboveBound;
  return QuoteStatus::kOk;
}

// Whether the time value that a quote in the money implies lies between bid and ask of the other right, as far as those
// are there: a lone ask is still a bound, and in the money a stale mid can be worth any volatility.
bool TickerMarket::allowed_by_other(std::int64_t row, std::int64_t other, const LiveExpiry& e) const {
  if (other < 0) return true;
  const double mid = 0.5 * (chain_.bid[at(row)] + chain_.ask[at(row)]);
  const double time_value = mid - e.discount * std::abs(e.forward - chain_.strike[at(row)]);
  const double bid = plausible(chain_.bid[at(other)]);
  const double ask = plausible(chain_.ask[at(other)]);
  return !(ask > 0.0 && time_value > ask) && !(bid > 0.0 && time_value < bid);
}

// Chooses per strike the quote that is inverted: out of the money, else in the money.
void TickerMarket::judge_quotes(LiveExpiry& e) {
  e.own_row.assign(e.quotes.size(), -1);
  e.own_sigma.assign(e.quotes.size(), kNaN);
  for (std::size_t s = 0; s < e.quotes.size(); ++s) {
    for (const std::int64_t row : {e.put_row[s], e.call_row[s]}) {
      if (row >= 0) quote_status[at(row - begin_)] = judge_quote(row, e);
    }
    const bool call_side = e.quotes[s].strike >= e.forward;
    const std::int64_t first = call_side ? e.call_row[s] : e.put_row[s];
    const std::int64_t second = call_side ? e.put_row[s] : e.call_row[s];
    const auto usable = [&](std::int64_t row) {
      return row >= 0 && quote_status[at(row - begin_)] == QuoteStatus::kOk;
    };
    const std::int64_t row = usable(first) ? first : usable(second) && allowed_by_other(second, first, e) ? second : -1;
    e.own_row[s] = row;
    if (row < 0) continue;
    batch_.right.push_back(chain_.right[at(row)]);
    batch_.price.push_back(0.5 * (chain_.bid[at(row)] + chain_.ask[at(row)]));
    batch_.forward.push_back(e.forward);
    batch_.strike.push_back(chain_.strike[at(row)]);
    batch_.discount.push_back(e.discount);
    batch_.tau.push_back(e.tau);
  }
}

// The volatility that a vendor writes when it found none, if this ticker has one.
double TickerMarket::vendor_floor() const {
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

std::optional<double> TickerMarket::vendor(std::int64_t row) const {
  if (row < 0) return std::nullopt;
  const double iv = chain_.vendor_iv[at(row)];
  if (!(iv <= kMostVolatility) || is_placeholder_iv(iv, vendor_floor_, chain_.bid[at(row)], chain_.ask[at(row)]))
    return std::nullopt;
  return iv;
}

void TickerMarket::finish(std::span<const double> sigma, SmileFits* fits) {
  if (quality.status != TickerStatus::kOk) return;
  std::size_t next = 0;
  for (LiveExpiry& e : expiry_) {
    for (std::size_t s = 0; s < e.quotes.size(); ++s) {
      if (e.own_row[s] < 0) continue;
      const double found = sigma[next++];
      if (found > 1e-4 && found <= kMostVolatility) e.own_sigma[s] = found;
    }
  }
  fit_smiles(fits);
  price_contracts();
  if (contracts.empty() || quality.supported_iv_share < context_.config.minimum_coverage) {
    return refuse(TickerStatus::kTooLittleIv, "implied_volatility", "too_little_iv", quality.supported_iv_share);
  }
  quality.contracts = static_cast<std::int64_t>(contracts.size());
  for (LiveExpiry& e : expiry_) measure_expiry(e);
  measure_ticker();
}

void TickerMarket::fit_smiles(SmileFits* fits) {
  const bool known = fits != nullptr && fits->size() == expiry_.size();
  if (fits != nullptr && !known) fits->clear();
  const bool vendor_first = context_.config.iv_source == IvPreference::kVendor;
  std::vector<double> spreads;
  for (LiveExpiry& e : expiry_) {
    std::vector<SmilePoint> own, vendors;
    for (std::size_t s = 0; s < e.quotes.size(); ++s) {
      const double strike = e.quotes[s].strike;
      const double k = std::log(strike / e.forward);
      const bool call_side = strike >= e.forward;
      std::optional<double> iv = vendor(call_side ? e.call_row[s] : e.put_row[s]);
      if (!iv) iv = vendor(call_side ? e.put_row[s] : e.call_row[s]);
      const auto deviations = [&](double sigma) {
        return k / (sigma * std::sqrt(e.tau)) - 0.5 * sigma * std::sqrt(e.tau);
      };
      const double sigma = e.own_sigma[s];
      if (!std::isnan(sigma)) {
        const double d1 = deviations(sigma);
        const double vega = e.discount * e.forward * formulas::normal_density(d1) * std::sqrt(e.tau);
        const double bid = chain_.bid[at(e.own_row[s])];
        const double ask = chain_.ask[at(e.own_row[s])];
        own.push_back({k, sigma, std::max(kOwnError, vega > 0.0 ? 0.5 * (ask - bid) / vega : 1e3)});
        if (std::abs(d1) < 1.0) spreads.push_back(2.0 * (ask - bid) / (bid + ask));
      }
      if (iv && (vendor_first || std::isnan(sigma))) {
        const double d1 = std::clamp(deviations(*iv), -8.0, 8.0);
        vendors.push_back({k, *iv, kVendorError * std::exp(0.5 * d1 * d1)});
      }
    }
    std::vector<SmilePoint>& points = vendor_first ? vendors : own;
    const std::vector<SmilePoint>& others = vendor_first ? own : vendors;
    e.first_source_smile = points.size() >= kEnoughPoints;
    if (!e.first_source_smile && context_.config.iv_fill) {
      for (const SmilePoint& p : others) {
        const auto place =
            std::lower_bound(points.begin(), points.end(), p.k, [](const SmilePoint& a, double k) { return a.k < k; });
        if (place == points.end() || place->k != p.k) points.insert(place, p);
      }
    }
    e.fit = known ? (*fits)[static_cast<std::size_t>(&e - expiry_.data())] : fit_smile(points, e.tau);
    if (fits != nullptr && !known) fits->push_back(e.fit);
    e.smile = e.fit.smile;
  }
  quality.spread = median(std::move(spreads));

  double violation = 0.0;
  int smiles = 0;
  std::map<std::string_view, const LiveExpiry*> last;  // by root: minis and weeklies have smiles of their own
  for (LiveExpiry& e : expiry_) {
    const LiveExpiry*& before = last[chain_.root[static_cast<std::size_t>(e.expiry)]];
    ExpiryVolatility& v = e.volatility;
    v.kind = e.fit.kind;
    v.points = e.fit.points;
    v.low_k = e.fit.low;
    v.high_k = e.fit.high;
    v.residual = e.fit.residual;
    v.butterfly = e.fit.butterfly;
    v.calendar = 0.0;
    if (e.fit.kind == SmileKind::kMissing) {
      const LiveExpiry* nearest = nullptr;
      for (const LiveExpiry& other : expiry_) {
        if (other.fit.kind == SmileKind::kMissing) continue;
        if (nearest == nullptr || std::abs(std::log(other.tau / e.tau)) < std::abs(std::log(nearest->tau / e.tau))) {
          nearest = &other;
        }
      }
      v.residual = v.butterfly = v.calendar = v.low_k = v.high_k = kNaN;
      if (nearest == nullptr) {
        e.smile = {e.tau, 0.0, 0.0, 0.0, 0.0, e.tau};  // level: whatever follows the smile stays where it is
        continue;
      }
      e.smile = move_smile(nearest->smile, e.tau);
      v.kind = SmileKind::kNeighbourExpiry;
      const double stretch = std::sqrt(e.tau / nearest->tau);
      v.low_k = stretch * nearest->fit.low;
      v.high_k = stretch * nearest->fit.high;
      continue;
    }
    if (before != nullptr && e.tau > before->tau) {
      const double low = std::max(before->fit.low, e.fit.low);
      const double high = std::min(before->fit.high, e.fit.high);
      if (low <= high) v.calendar = calendar_score(before->smile, e.smile, low, high);
    }
    before = &e;
    violation += std::min(1.0, std::max(v.butterfly, v.calendar));
    ++smiles;
  }
  if (smiles > 0) quality.arbitrage_score = violation / smiles;
}

void TickerMarket::price_contracts() {
  const bool vendor_first = context_.config.iv_source == IvPreference::kVendor;
  const bool fill = context_.config.iv_fill;
  double priced = 0.0, filled = 0.0, own_priced = 0.0, supported = 0.0;
  for (std::size_t index = 0; index < expiry_.size(); ++index) {
    const LiveExpiry& e = expiry_[index];
    std::size_t s = 0;
    for (std::int64_t row = e.begin; row < e.end; ++row) {
      const double strike = chain_.strike[at(row)];
      while (e.quotes[s].strike != strike) ++s;
      const double interest = chain_.open_interest[at(row)] * chain_.multiplier[at(row)];
      if (!live_row_[at(row - begin_)]) continue;
      notional += interest * spot;
      const std::int64_t other = row == e.put_row[s] ? e.call_row[s] : e.put_row[s];
      const double k = std::log(strike / e.forward);
      const bool own_smile = e.fit.kind != SmileKind::kMissing;
      // Between its outermost points a smile of the first source comes before the other source; one that needed the
      // other source's points comes after them.
      const bool within = own_smile && k >= e.fit.low && k <= e.fit.high;
      const bool inside = within && e.first_source_smile;

      PricedContract c{row, index, kNaN, IvSource::kMissing};
      const auto take = [&](IvSource source, std::optional<double> sigma) {
        if (std::isnan(c.sigma) && sigma && *sigma > 1e-4 && *sigma <= kMostVolatility) {
          c.sigma = *sigma;
          c.source = source;
        }
      };
      const auto take_own = [&] {
        if (!std::isnan(e.own_sigma[s])) {
          take(e.own_row[s] == row ? IvSource::kOwnMid : IvSource::kOppositeRight, e.own_sigma[s]);
        }
      };
      if (vendor_first) take(IvSource::kVendor, vendor(row));
      if (!vendor_first || fill) take_own();
      if (fill) {
        if (vendor_first) take(IvSource::kOppositeRight, vendor(other));
        if (inside) take(IvSource::kSmile, e.smile.volatility(k));
        if (!vendor_first) {
          take(IvSource::kVendor, vendor(row));
          take(IvSource::kOppositeRight, vendor(other));
        }
        // Beyond the last point a smile is an extrapolation: worth more than nothing, less than a vendor's word.
        if (own_smile) take(IvSource::kSmile, e.smile.volatility(k));
        if (e.volatility.kind == SmileKind::kNeighbourExpiry) {
          take(IvSource::kNeighbourExpiry, e.smile.volatility(k));
        }
      }
      if (std::isnan(c.sigma)) {
        refuse_row(row, "implied_volatility", "no_usable_iv", chain_.vendor_iv[at(row)]);
        continue;
      }
      priced += interest;
      if (c.source != IvSource::kNeighbourExpiry && (c.source != IvSource::kSmile || within)) supported += interest;
      const bool own = !std::isnan(e.own_sigma[s]) && c.sigma == e.own_sigma[s];
      if (own) own_priced += interest;
      if (vendor_first ? c.source != IvSource::kVendor : !own) filled += interest;
      contracts.push_back(c);
    }
  }
  quality.coverage = priced / live_interest_;
  quality.own_iv_share = own_priced / live_interest_;
  quality.supported_iv_share = supported / live_interest_;
  quality.filled_iv_share = priced > 0.0 ? filled / priced : 0.0;
}

void TickerMarket::measure_expiry(LiveExpiry& e) const {
  ExpiryVolatility& v = e.volatility;
  v.atm_iv = v.skew_25d = v.skew_10d = v.smirk_25d = v.smirk_10d = kNaN;
  v.straddle_strike = v.straddle = kNaN;
  v.range_50_low = v.range_50_high = v.range_70_low = v.range_70_high = kNaN;
  v.quantile.fill(kNaN);

  double nearest = std::numeric_limits<double>::infinity();
  for (const StrikeQuotes& q : e.quotes) {
    if (!(q.call_bid > 0.0 && q.call_ask >= q.call_bid && q.put_bid > 0.0 && q.put_ask >= q.put_bid)) continue;
    const double distance = std::abs(q.strike - e.forward);
    if (!(distance < nearest)) continue;  // increasing strikes: a tie stays with the lower
    nearest = distance;
    v.straddle_strike = q.strike;
    v.straddle = 0.5 * (q.call_bid + q.call_ask + q.put_bid + q.put_ask);
  }
  if (v.kind == SmileKind::kMissing) return;
  v.atm_iv = e.smile.volatility(0.0);
  const auto at_delta = [&](double delta) { return k_of_delta(e.smile, delta, e.dividend_yield).value_or(kNaN); };
  const double call_25 = at_delta(0.25), put_25 = at_delta(-0.25);
  const double call_10 = at_delta(0.10), put_10 = at_delta(-0.10);
  const auto sigma = [&](double k) { return std::isnan(k) ? kNaN : e.smile.volatility(k); };
  v.skew_25d = sigma(call_25) - sigma(put_25);
  v.skew_10d = sigma(call_10) - sigma(put_10);
  v.smirk_25d = 0.5 * (sigma(call_25) + sigma(put_25)) - v.atm_iv;
  v.smirk_10d = 0.5 * (sigma(call_10) + sigma(put_10)) - v.atm_iv;
  v.range_50_low = e.forward * std::exp(put_25);
  v.range_50_high = e.forward * std::exp(call_25);
  v.range_70_low = e.forward * std::exp(at_delta(-0.15));
  v.range_70_high = e.forward * std::exp(at_delta(0.15));
  for (std::size_t i = 0; i < v.quantile.size(); ++i) {
    v.quantile[i] = e.forward * std::exp(k_of_probability(e.smile, kQuantileProbabilities[i]).value_or(kNaN));
  }
}

void TickerMarket::measure_ticker() {
  // At-the-forward total variance by settlement, expiries of one instant averaged.
  struct Node {
    double tau, variance;
    int count;
  };
  const auto nodes_of = [&](bool standard_only) {
    std::vector<Node> nodes;
    for (const LiveExpiry& e : expiry_) {
      const ExpiryVolatility& v = e.volatility;
      if (std::isnan(v.atm_iv) || v.kind == SmileKind::kNeighbourExpiry) continue;
      if (standard_only && chain_.multiplier[at(e.begin)] != 100.0) continue;
      const double variance = v.atm_iv * v.atm_iv * e.tau;
      if (!nodes.empty() && nodes.back().tau == e.tau) {
        Node& n = nodes.back();
        n.variance = (n.variance * n.count + variance) / (n.count + 1);
        ++n.count;
      } else {
        nodes.push_back({e.tau, variance, 1});
      }
    }
    return nodes;
  };
  // Total variance at tau, linear between nodes; `origin` adds the node (0, 0).
  const auto variance_at = [](std::vector<Node> nodes, bool origin, double tau) -> Metric {
    if (nodes.empty()) return {kNaN, MetricStatus::kNoSmile};
    if (origin) nodes.insert(nodes.begin(), {0.0, 0.0, 1});
    if (tau < nodes.front().tau || tau > nodes.back().tau) return {kNaN, MetricStatus::kOutsideRange};
    const auto above =
        std::lower_bound(nodes.begin(), nodes.end(), tau, [](const Node& n, double t) { return n.tau < t; });
    if (above->tau == tau || above == nodes.begin()) return {above->variance, MetricStatus::kOk};
    const Node& a = *(above - 1);
    const double share = (tau - a.tau) / (above->tau - a.tau);
    return {(1.0 - share) * a.variance + share * above->variance, MetricStatus::kOk};
  };
  constexpr double kMonth = 30.0 / kDaysPerYear;
  const std::vector<Node> standard = nodes_of(true);
  const std::vector<Node> all = standard.empty() ? nodes_of(false) : standard;  // a ticker of minis alone
  volatility.iv30 = variance_at(standard, false, kMonth);
  volatility.iv30.value = std::sqrt(volatility.iv30.value / kMonth);
  const auto move_to = [&](Instant close) {
    Metric m = variance_at(all, true, static_cast<double>(close - chain_.quote_time) / kSecondsPerYear);
    m.value = std::sqrt(m.value);
    return m;
  };
  volatility.implied_move_1d = move_to(context_.next_close);
  volatility.implied_move_5d = move_to(context_.fifth_close);

  // Sets the width of the spot axis, so it must have a value: beyond the listed expiries the nearest one's.
  if (!all.empty()) {
    const double tau = std::clamp(kMonth, all.front().tau, all.back().tau);
    atm_iv = std::sqrt(variance_at(all, false, tau).value / tau);
  } else {
    // No smile at all, so no IV was filled: the contract nearest to the money of the expiry nearest to a month.
    const auto closer = [&](const PricedContract& a, const PricedContract& b) {
      const auto far = [&](const PricedContract& c) {
        return std::pair(std::abs(expiry_[c.expiry].tau - kMonth), std::abs(chain_.strike[at(c.row)] - spot));
      };
      return far(a) < far(b);
    };
    atm_iv = std::min_element(contracts.begin(), contracts.end(), closer)->sigma;
  }

  // Strips of the expiries nearest to a month on either side.
  double below_tau = 0.0, below_variance = kNaN, above_tau = 0.0, above_variance = kNaN;
  for (const LiveExpiry& e : expiry_) {
    if (chain_.multiplier[at(e.begin)] != 100.0) continue;
    const bool below = e.tau <= kMonth;
    if (!below && !std::isnan(above_variance)) break;
    const std::optional<double> variance = strip_variance(e.quotes, e.discount, e.tau);
    if (!variance) continue;
    (below ? below_tau : above_tau) = e.tau;
    (below ? below_variance : above_variance) = *variance;
  }
  if (std::isnan(below_variance) && std::isnan(above_variance)) {
    volatility.variance_index = {kNaN, MetricStatus::kNoQuotes};
  } else if (std::isnan(below_variance) || std::isnan(above_variance)) {
    volatility.variance_index = {kNaN, MetricStatus::kOutsideRange};
  } else {
    volatility.variance_index = {interpolate_volatility(below_tau, below_variance, above_tau, above_variance, kMonth),
                                 MetricStatus::kOk};
  }

  volatility.straddle = {kNaN, MetricStatus::kNoQuotes};
  // The first date a day or more away, or none: a later expiry's straddle measures something else.
  const LiveExpiry* headline = nullptr;
  const auto settlement_of = [&](const LiveExpiry& e) { return chain_.settlement[static_cast<std::size_t>(e.expiry)]; };
  const auto first =
      std::find_if(expiry_.begin(), expiry_.end(), [](const LiveExpiry& e) { return e.tau * kDaysPerYear >= 1.0; });
  for (auto e = first; e != expiry_.end() && new_york_date(settlement_of(*e)) == new_york_date(settlement_of(*first));
       ++e) {
    if (std::isnan(e->volatility.straddle)) continue;
    const auto is_pm = [&](const LiveExpiry& x) {
      return chain_.style[static_cast<std::size_t>(x.expiry)] == SettlementStyle::kPm;
    };
    if (headline == nullptr || (is_pm(*e) && !is_pm(*headline))) headline = &*e;
  }
  if (headline != nullptr) {
    volatility.straddle = {headline->volatility.straddle, MetricStatus::kOk};
    volatility.straddle_settlement = settlement_of(*headline);
  }
}

}  // namespace greekgrid

// From an OptionChain to a Snapshot: every contract is priced, expired or refused with a reason.

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "greekgrid/host/daily_history.hpp"
#include "selection.hpp"
#include "ticker_market.hpp"

namespace greekgrid {

bool is_placeholder_iv(double iv, double floor, double bid, double ask) {
  if (!(iv > 1e-4)) return true;
  if (iv == floor) return true;
  if (bid == 0.0 && ask == 0.0) {
    for (int k = 0; k <= 13; ++k) {
      if (std::abs(iv - std::ldexp(1.0, -k)) <= 2e-5) return true;
    }
  }
  return false;
}

namespace {
using Clock = std::chrono::steady_clock;

}  // namespace

void set_skew_changes(Snapshot& snapshot, std::span<const EarlierSkew> earlier) {
  std::map<std::tuple<std::string_view, std::string_view, Instant>, const EarlierSkew*> known;
  for (const EarlierSkew& skew : earlier) known[{skew.ticker, skew.root, skew.settlement}] = &skew;
  for (std::size_t e = 0; e < snapshot.expiries(); ++e) {
    ExpiryVolatility& now = snapshot.expiry_volatility[e];
    now.skew_25d_change = std::numeric_limits<double>::quiet_NaN();
    const auto u = static_cast<std::size_t>(snapshot.expiry_ticker[e]);
    const auto found = known.find({snapshot.ticker[u], snapshot.root[e], snapshot.settlement[e]});
    if (found == known.end() || now.kind == SmileKind::kMissing) continue;
    const double tau = static_cast<double>(snapshot.settlement[e] - snapshot.quote_time) / kSecondsPerYear;
    const double log_forward =
        std::log(snapshot.spot[u]) + snapshot.spot_basis[u] + (snapshot.rate[e] - snapshot.dividend_yield[e]) * tau;
    const auto sigma = [&](double strike) { return snapshot.smile[e].volatility(std::log(strike) - log_forward); };
    // A strike that was null makes the change null.
    now.skew_25d_change = sigma(found->second->call_strike) - sigma(found->second->put_strike) - found->second->skew;
  }
}

namespace {

// Two passes around the inversion of all quotes: one batch, which is what a device wants.
std::vector<TickerMarket> price_tickers(const MarketContext& context, std::span<const std::size_t> wanted,
                                        Backend& backend, SnapshotTimings* timings,
                                        std::vector<SmileFits>* fits = nullptr) {
  std::vector<TickerMarket> pieces;
  pieces.reserve(wanted.size());
  for (const std::size_t ticker : wanted) pieces.emplace_back(context, ticker);
  SnapshotTimings taken;
  auto started = Clock::now();
  const auto lap = [&started] {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - started).count();
    started = now;
    return seconds;
  };
  // What one ticker's data does to a stage is that ticker's loss alone.
  const auto each = [&](const auto& pass) {
    oneapi::tbb::parallel_for(std::size_t{0}, pieces.size(), [&](std::size_t k) {
      try {
        pass(k);
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const std::exception& error) {
        pieces[k].fail(error.what());
      }
    });
  };
  each([&](std::size_t k) { pieces[k].prepare(); });
  taken.forward_seconds = lap();

  QuoteBatch all;
  std::vector<std::size_t> begin = {0};
  for (TickerMarket& piece : pieces) {
    QuoteBatch batch = std::exchange(piece.batch(), {});
    all.append(batch);
    begin.push_back(all.price.size());
  }
  std::vector<double> sigma(all.price.size());
  std::vector<formulas::IvStatus> status(all.price.size());
  backend.implied_volatilities({all.right, all.price, all.forward, all.strike, all.discount, all.tau}, sigma, status);
  all = {};
  taken.inversions = sigma.size();
  taken.inversion_seconds = lap();

  each([&](std::size_t k) {
    if (pieces[k].quality.status == TickerStatus::kStageFailed) return;
    pieces[k].finish(std::span(sigma).subspan(begin[k], begin[k + 1] - begin[k]),
                     fits == nullptr ? nullptr : &(*fits)[k]);
  });
  taken.smile_seconds = lap();
  if (timings != nullptr) {
    timings->forward_seconds += taken.forward_seconds;
    timings->inversion_seconds += taken.inversion_seconds;
    timings->smile_seconds += taken.smile_seconds;
    timings->inversions += taken.inversions;
  }
  return pieces;
}

Snapshot empty_snapshot(Instant quote_time) {
  Snapshot snapshot;
  snapshot.quote_time = quote_time;
  snapshot.expiry_begin.push_back(0);
  snapshot.contract_begin.push_back(0);
  snapshot.expiry_contract_begin.push_back(0);
  return snapshot;
}

// Adds a ticker of the chain: its row of quality, its diagnostics and, if it is accepted, its book.
void append(Snapshot& snapshot, const OptionChain& chain, std::size_t ticker, TickerMarket& piece) {
  snapshot.quality.push_back(piece.quality);
  const std::int64_t first_row = chain.contract_begin[ticker];
  const std::int64_t shift = chain.first_row(ticker) - first_row;  // to rows of the whole chain
  for (Diagnostic& d : piece.diagnostics) snapshot.diagnostics.push_back(std::move(d));
  if (piece.quality.status != TickerStatus::kOk) return;
  const auto u = static_cast<std::int32_t>(snapshot.ticker.size());
  snapshot.ticker.push_back(chain.ticker[ticker]);
  snapshot.spot.push_back(piece.spot);
  snapshot.spot_basis.push_back(piece.spot_basis);
  snapshot.atm_iv.push_back(piece.atm_iv);
  snapshot.volatility.push_back(piece.volatility);
  std::size_t last_expiry = piece.expiries().size();
  for (const PricedContract& c : piece.contracts) {
    const LiveExpiry& live = piece.expiries()[c.expiry];
    const auto e = static_cast<std::size_t>(live.expiry);
    const auto i = static_cast<std::size_t>(c.row);
    if (c.expiry != last_expiry) {
      last_expiry = c.expiry;
      snapshot.expiry_ticker.push_back(u);
      snapshot.root.push_back(chain.root[e]);
      snapshot.settlement.push_back(chain.settlement[e]);
      snapshot.exercise.push_back(chain.exercise[e]);
      snapshot.style.push_back(chain.style[e]);
      snapshot.rate.push_back(live.rate);
      snapshot.dividend_yield.push_back(live.dividend_yield);
      snapshot.forward_source.push_back(live.forward_source);
      snapshot.smile.push_back(live.smile);
      snapshot.expiry_volatility.push_back(live.volatility);
      snapshot.expiry_contract_begin.push_back(snapshot.expiry_contract_begin.back());
    }
    snapshot.contract_expiry.push_back(static_cast<std::int32_t>(snapshot.root.size() - 1));
    snapshot.chain_row.push_back(c.row + shift);
    snapshot.strike.push_back(chain.strike[i]);
    snapshot.right.push_back(chain.right[i]);
    snapshot.multiplier.push_back(chain.multiplier[i]);
    snapshot.open_interest.push_back(chain.open_interest[i]);
    snapshot.implied_volatility.push_back(c.sigma);
    snapshot.iv_source.push_back(c.source);
    snapshot.quote_status.push_back(piece.quote_status[static_cast<std::size_t>(c.row - first_row)]);
    snapshot.volume.push_back(chain.volume[i]);
    snapshot.vendor_gamma.push_back(chain.vendor_gamma[i]);
    snapshot.column_position.push_back(chain.dealer_position.empty() ? 0.0 : chain.dealer_position[i]);
    ++snapshot.expiry_contract_begin.back();
  }
  snapshot.expiry_begin.push_back(static_cast<std::int64_t>(snapshot.root.size()));
  snapshot.contract_begin.push_back(static_cast<std::int64_t>(snapshot.strike.size()));
}

MarketContext market_context(const OptionChain& chain, const MarketConfig& config, const Calendar& calendar) {
  const std::vector<Instant> closes = calendar.closes_after(chain.quote_time, 5);
  return {chain, config, config.rate_curve.empty() ? DiscountCurve(config.rate) : DiscountCurve(config.rate_curve),
          closes.front(), closes.back()};
}

}  // namespace

std::vector<Snapshot> make_ticker_snapshots(const OptionChain& chain, const MarketConfig& config,
                                            const Calendar& calendar, Backend& backend, SnapshotTimings* timings,
                                            std::vector<double>* notional, std::vector<SmileFits>* fits) {
  std::vector<std::size_t> all(chain.tickers());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const MarketContext context = market_context(chain, config, calendar);
  if (fits != nullptr) fits->resize(chain.tickers());
  std::vector<TickerMarket> pieces = price_tickers(context, all, backend, timings, fits);
  std::vector<Snapshot> snapshots(pieces.size());
  oneapi::tbb::parallel_for(std::size_t{0}, pieces.size(), [&](std::size_t k) {
    snapshots[k] = empty_snapshot(chain.quote_time);
    append(snapshots[k], chain, k, pieces[k]);
  });
  if (notional != nullptr) {
    notional->clear();
    for (const TickerMarket& piece : pieces) notional->push_back(piece.notional);
  }
  return snapshots;
}

Snapshot make_snapshot(const OptionChain& chain, const MarketConfig& config, const TickerSelection& selection,
                       const Calendar& calendar, Backend& backend, SnapshotTimings* timings) {
  Wanted wanted = choose_tickers(chain.ticker, selection);
  const MarketContext context = market_context(chain, config, calendar);
  if (timings != nullptr) *timings = {};
  std::vector<TickerMarket> pieces = price_tickers(context, wanted.ticker, backend, timings);
  std::vector<bool> keep(pieces.size(), true);
  if (selection.top > 0) {
    std::vector<double> notional;
    std::vector<bool> accepted;
    for (const TickerMarket& piece : pieces) {
      notional.push_back(piece.notional);
      accepted.push_back(piece.quality.status == TickerStatus::kOk);
    }
    keep = keep_top(wanted, notional, accepted, !selection.ranking.empty(), selection.top);
  }
  Snapshot snapshot = empty_snapshot(chain.quote_time);
  snapshot.quality = std::move(wanted.absent);
  snapshot.diagnostics = std::move(wanted.diagnostics);
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    if (keep[k]) append(snapshot, chain, wanted.ticker[k], pieces[k]);
  }
  std::stable_sort(snapshot.quality.begin(), snapshot.quality.end(),
                   [](const TickerQuality& a, const TickerQuality& b) { return a.ticker < b.ticker; });
  return snapshot;
}

}  // namespace greekgrid

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

constexpr std::size_t kUnranked = std::numeric_limits<std::size_t>::max();

// Vendors part the class of a share from its symbol by different signs.
// Tickers of a chain that a selection asks for, with their places in its ranking.
struct Wanted {
  std::vector<std::size_t> ticker;  // of the chain
  std::vector<std::size_t> rank;    // kUnranked if not in the ranking, or without one
  std::vector<bool> always;
};

Wanted choose(const OptionChain& chain, const TickerSelection& selection, Snapshot& snapshot) {
  std::unordered_map<std::string, std::size_t> rank;
  for (std::size_t k = 0; k < selection.ranking.size(); ++k) rank.try_emplace(share_class_key(selection.ranking[k]), k);
  std::unordered_set<std::string> always;
  for (const std::string& ticker : selection.always) always.insert(share_class_key(ticker));

  std::vector<std::string> names = selection.tickers.empty() ? chain.ticker : selection.tickers;
  std::unordered_set<std::string> listed;
  for (const std::string& ticker : names) listed.insert(share_class_key(ticker));
  for (const std::string& ticker : selection.always) {
    if (listed.insert(share_class_key(ticker)).second) names.push_back(ticker);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  Wanted wanted;
  for (const std::string& ticker : names) {
    const auto found = std::lower_bound(chain.ticker.begin(), chain.ticker.end(), ticker);
    if (found == chain.ticker.end() || *found != ticker) {
      TickerQuality quality;
      quality.ticker = ticker;
      quality.status = TickerStatus::kNotInChain;
      snapshot.quality.push_back(quality);
      snapshot.diagnostics.push_back({"", 0, "ticker", "not_in_chain", ticker, ticker});
      continue;
    }
    const std::string key = share_class_key(ticker);
    const bool is_always = always.count(key) > 0;
    const auto place = rank.find(key);
    if (!selection.ranking.empty() && place == rank.end() && !is_always) {
      snapshot.diagnostics.push_back({"", 0, "ticker", "not_ranked", ticker, ticker});
      continue;
    }
    wanted.ticker.push_back(static_cast<std::size_t>(found - chain.ticker.begin()));
    wanted.rank.push_back(place == rank.end() ? kUnranked : place->second);
    wanted.always.push_back(is_always);
  }
  return wanted;
}
}  // namespace

std::size_t count_missing(std::span<const std::string> ranking, std::span<const std::string> ticker) {
  std::unordered_set<std::string> known;
  for (const std::string& name : ticker) known.insert(share_class_key(name));
  return static_cast<std::size_t>(std::count_if(ranking.begin(), ranking.end(), [&](const std::string& name) {
    return known.count(share_class_key(name)) == 0;
  }));
}

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

Snapshot make_snapshot(const OptionChain& chain, const MarketConfig& config, const TickerSelection& selection,
                       const Calendar& calendar, Backend& backend, SnapshotTimings* timings) {
  Snapshot snapshot;
  snapshot.quote_time = chain.quote_time;

  Wanted choice = choose(chain, selection, snapshot);
  std::vector<std::size_t>& wanted = choice.ticker;

  const std::vector<Instant> closes = calendar.closes_after(chain.quote_time, 5);
  const MarketContext context{chain, config,
                              config.rate_curve.empty() ? DiscountCurve(config.rate) : DiscountCurve(config.rate_curve),
                              closes.front(), closes.back()};
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
  oneapi::tbb::parallel_for(std::size_t{0}, pieces.size(), [&](std::size_t k) { pieces[k].prepare(); });
  taken.forward_seconds = lap();

  // All quotes of the universe are one batch: what a device wants, and the same numbers for any selection of tickers.
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

  oneapi::tbb::parallel_for(std::size_t{0}, pieces.size(), [&](std::size_t k) {
    pieces[k].finish(std::span(sigma).subspan(begin[k], begin[k + 1] - begin[k]));
  });
  taken.smile_seconds = lap();
  if (timings != nullptr) *timings = taken;

  if (selection.top > 0) {
    std::vector<std::size_t> order(pieces.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return selection.ranking.empty() ? pieces[a].notional > pieces[b].notional : choice.rank[a] < choice.rank[b];
    });
    std::size_t accepted = 0;
    std::vector<bool> keep = choice.always;
    for (const std::size_t k : order) {
      if (accepted == selection.top) break;
      keep[k] = true;  // refused tickers that rank above the last accepted one stay in the account
      if (pieces[k].quality.status == TickerStatus::kOk) ++accepted;
    }
    std::vector<TickerMarket> kept;
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
    TickerMarket& piece = pieces[k];
    snapshot.quality.push_back(piece.quality);
    for (Diagnostic& d : piece.diagnostics) snapshot.diagnostics.push_back(std::move(d));
    if (piece.quality.status != TickerStatus::kOk) continue;
    const auto u = static_cast<std::int32_t>(snapshot.ticker.size());
    snapshot.ticker.push_back(chain.ticker[wanted[k]]);
    snapshot.spot.push_back(piece.spot);
    snapshot.spot_basis.push_back(piece.spot_basis);
    snapshot.atm_iv.push_back(piece.atm_iv);
    snapshot.volatility.push_back(piece.volatility);
    std::size_t last_expiry = piece.expiries().size();
    const std::int64_t first_row = chain.contract_begin[wanted[k]];
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
      snapshot.chain_row.push_back(c.row);
      snapshot.strike.push_back(chain.strike[i]);
      snapshot.right.push_back(chain.right[i]);
      snapshot.multiplier.push_back(chain.multiplier[i]);
      snapshot.open_interest.push_back(chain.open_interest[i]);
      snapshot.implied_volatility.push_back(c.sigma);
      snapshot.iv_source.push_back(c.source);
      snapshot.quote_status.push_back(piece.quote_status[static_cast<std::size_t>(c.row - first_row)]);
      snapshot.volume.push_back(chain.volume[i]);
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

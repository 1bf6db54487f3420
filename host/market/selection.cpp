#include "selection.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/host/market.hpp"

namespace greekgrid {

Wanted choose_tickers(std::span<const std::string> ticker_of_chain, const TickerSelection& selection) {
  Wanted wanted;
  std::unordered_map<std::string, std::size_t> rank;
  for (std::size_t k = 0; k < selection.ranking.size(); ++k) rank.try_emplace(share_class_key(selection.ranking[k]), k);
  std::unordered_set<std::string> always;
  for (const std::string& ticker : selection.always) always.insert(share_class_key(ticker));

  std::vector<std::string> names = selection.tickers;
  if (names.empty()) names.assign(ticker_of_chain.begin(), ticker_of_chain.end());
  std::unordered_set<std::string> listed;
  for (const std::string& ticker : names) listed.insert(share_class_key(ticker));
  for (const std::string& ticker : selection.always) {
    if (listed.insert(share_class_key(ticker)).second) names.push_back(ticker);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  for (const std::string& ticker : names) {
    const auto found = std::lower_bound(ticker_of_chain.begin(), ticker_of_chain.end(), ticker);
    if (found == ticker_of_chain.end() || *found != ticker) {
      TickerQuality quality;
      quality.ticker = ticker;
      quality.status = TickerStatus::kNotInChain;
      wanted.absent.push_back(quality);
      wanted.diagnostics.push_back({"", 0, "ticker", "not_in_chain", ticker, ticker});
      continue;
    }
    const std::string key = share_class_key(ticker);
    const bool is_always = always.count(key) > 0;
    const auto place = rank.find(key);
    if (!selection.ranking.empty() && place == rank.end() && !is_always) {
      wanted.diagnostics.push_back({"", 0, "ticker", "not_ranked", ticker, ticker});
      continue;
    }
    wanted.ticker.push_back(static_cast<std::size_t>(found - ticker_of_chain.begin()));
    wanted.rank.push_back(place == rank.end() ? kUnranked : place->second);
    wanted.always.push_back(is_always);
  }
  return wanted;
}

std::vector<bool> keep_top(const Wanted& wanted, std::span<const double> notional, const std::vector<bool>& accepted,
                           bool ranked, std::size_t top) {
  std::vector<std::size_t> order(wanted.ticker.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return ranked ? wanted.rank[a] < wanted.rank[b] : notional[a] > notional[b];
  });
  std::size_t taken = 0;
  std::vector<bool> keep = wanted.always;
  for (const std::size_t k : order) {
    if (taken == top) break;
    keep[k] = true;  // refused tickers that rank above the last accepted one stay in the account
    if (accepted[k]) ++taken;
  }
  return keep;
}

std::size_t count_missing(std::span<const std::string> ranking, std::span<const std::string> ticker) {
  std::unordered_set<std::string> known;
  for (const std::string& name : ticker) known.insert(share_class_key(name));
  return static_cast<std::size_t>(std::count_if(ranking.begin(), ranking.end(), [&](const std::string& name) {
    return known.count(share_class_key(name)) == 0;
  }));
}

}  // namespace greekgrid

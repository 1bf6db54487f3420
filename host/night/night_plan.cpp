#include "greekgrid/host/night_plan.hpp"

#include <algorithm>
#include <numeric>

#include "../market/selection.hpp"
#include "greekgrid/host/night_run.hpp"

namespace greekgrid {
namespace {

constexpr std::size_t kSurveyed = 64;  // tickers priced at a time to find the first so many

// Statuses and notionals of the tickers that may make the cut, a few at a time.
std::vector<bool> survey(const Wanted& wanted, const NightInputs& inputs, const RunConfig& config,
                         const Calendar& calendar, Backend& backend, const std::atomic<bool>& stop,
                         std::vector<SmileFits>& fits) {
  const bool ranked = !config.selection.ranking.empty();
  std::vector<std::size_t> order(wanted.ticker.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (ranked) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return wanted.rank[a] < wanted.rank[b]; });
  }
  std::vector<double> notional(wanted.ticker.size(), 0.0);
  std::vector<bool> accepted(wanted.ticker.size(), false);
  std::size_t taken = 0;
  for (std::size_t begin = 0; begin < order.size(); begin += kSurveyed) {
    // With a ranking the ranks beyond the cut are of no interest.
    if (ranked && taken >= config.selection.top) break;
    if (stop) throw Stopped{};
    std::vector<std::size_t> places(
        order.begin() + static_cast<std::ptrdiff_t>(begin),
        order.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kSurveyed, order.size())));
    std::sort(places.begin(), places.end());
    std::vector<std::size_t> tickers;
    for (const std::size_t k : places) tickers.push_back(wanted.ticker[k]);
    std::vector<double> part_notional;
    std::vector<SmileFits> part_fits;
    const std::vector<Snapshot> part = make_ticker_snapshots(inputs.read_chain(tickers), config.market, calendar,
                                                             backend, nullptr, &part_notional, &part_fits);
    for (std::size_t i = 0; i < places.size(); ++i) {
      notional[places[i]] = part_notional[i];
      fits[places[i]] = std::move(part_fits[i]);
      accepted[places[i]] = part[i].tickers() > 0;
      if (accepted[places[i]]) ++taken;
    }
  }
  return keep_top(wanted, notional, accepted, ranked, config.selection.top);
}

}  // namespace

NightInputs inputs_in_memory(const OptionChain& chain, const DailyHistory* history) {
  NightInputs inputs;
  inputs.chain = &chain;
  inputs.read_chain = [&chain](std::span<const std::size_t> tickers) { return part_of(chain, tickers); };
  inputs.history = history;
  if (history != nullptr) {
    inputs.read_history = [history](std::span<const std::size_t> symbols) { return part_of(*history, symbols); };
  }
  return inputs;
}

NightPlan make_night_plan(const NightInputs& inputs, const RunConfig& config, const Calendar& calendar,
                          Backend& backend, const std::atomic<bool>& stop) {
  const TickerSelection& selection = config.selection;
  Wanted wanted = choose_tickers(inputs.chain->ticker, selection);
  NightPlan plan;
  plan.absent = std::move(wanted.absent);
  plan.diagnostics = std::move(wanted.diagnostics);
  plan.not_ranked = static_cast<std::size_t>(
      std::count_if(plan.diagnostics.begin(), plan.diagnostics.end(),
                    [](const Diagnostic& diagnostic) { return diagnostic.rule == "not_ranked"; }));
  if (!selection.ranking.empty()) plan.ranked_absent = count_missing(selection.ranking, inputs.chain->ticker);
  std::vector<bool> keep(wanted.ticker.size(), true);
  std::vector<SmileFits> fits(wanted.ticker.size());
  if (selection.top > 0 && wanted.ticker.size() > selection.top) {
    keep = survey(wanted, inputs, config, calendar, backend, stop, fits);
  }
  for (std::size_t k = 0; k < wanted.ticker.size(); ++k) {
    if (!keep[k]) continue;
    plan.ticker.push_back(wanted.ticker[k]);
    plan.fits.push_back(std::move(fits[k]));
    plan.cost.push_back(ticker_cost(inputs.chain->contract_count[wanted.ticker[k]], config, inputs.history != nullptr));
  }
  return plan;
}

double ticker_cost(std::int64_t contracts, const RunConfig& config, bool has_history) {
  // Market, levels and profiles per contract; the surfaces per evaluation and Greek; forecasts per ticker.
  constexpr double kPerContract = 8e-6, kPerEvaluation = 1e-10, kPerCell = 2e-8, kPerHistory = 0.03, kPerTicker = 2e-3;
  const double cells =
      static_cast<double>(config.scenarios.spots * config.scenarios.iv_shifts.size() * config.scenarios.sessions *
                          config.scenarios.iv_rules.size() * config.positions.size() * config.greeks.size());
  const auto n = static_cast<double>(contracts);
  return kPerTicker + (has_history ? kPerHistory : 0.0) + n * kPerContract + n * cells * kPerEvaluation +
         cells * kPerCell;
}

std::vector<std::size_t> costliest_first(const NightPlan& plan) {
  std::vector<std::size_t> order(plan.ticker.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return plan.cost[a] > plan.cost[b]; });
  return order;
}

std::vector<std::size_t> shard_of(const NightPlan& plan, std::size_t index, std::size_t count) {
  const std::vector<std::size_t> order = costliest_first(plan);
  std::vector<double> load(count, 0.0);
  std::vector<std::size_t> own;
  for (const std::size_t k : order) {
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    load[least] += plan.cost[k];
    if (least == index) own.push_back(k);
  }
  std::sort(own.begin(), own.end());
  return own;
}

}  // namespace greekgrid

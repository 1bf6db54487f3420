#include "synthetic_universe.hpp"

#include <algorithm>
#include <numeric>

#include "evaluations.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/host/synthetic_chain.hpp"

namespace greekgrid::bench {

// Tickers evaluated by one call: enough to keep threads busy, few enough to stay in the memory of a block of a run.
static constexpr std::size_t kBlock = 64;

SyntheticUniverse::SyntheticUniverse(std::int32_t tickers, std::int64_t contracts, const ScenarioConfig& scenarios)
    : scenarios_(scenarios),
      snapshot_(make_snapshot(synthesize_chain({tickers, contracts, 1}, Calendar()), MarketConfig(), TickerSelection(),
                              Calendar(), *make_cpu_backend(Precision::kFp64))),
      times_(make_times(scenarios_, Calendar(), snapshot_.quote_time)),
      weights_(snapshot_.tickers()),
      expiry_begin_(snapshot_.tickers()) {
  constexpr PositionModel kModel[] = {PositionModel::kNaive};
  const std::vector<double> positions = dealer_positions(snapshot_, kModel);
  std::vector<std::size_t> order(snapshot_.tickers());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto& begin = snapshot_.contract_begin;
    return begin[a + 1] - begin[a] > begin[b + 1] - begin[b];
  });
  for (const std::size_t u : order) {
    weights_[u] = exposure_weights(snapshot_, u, positions, 1);
    books_.push_back(make_book(snapshot_, u, weights_[u], expiry_begin_[u]));
    grids_.push_back(make_grid(scenarios_, IvRuleChoice{}, times_, spot_scale(scenarios_, snapshot_.atm_iv[u])));
    evaluations_ += live_evaluations(books_.back(), grids_.back());
  }
}

void SyntheticUniverse::evaluate(Backend& backend, GreekSet greeks) {
  std::vector<ExposureJob> jobs;
  for (std::size_t first = 0; first < books_.size(); first += kBlock) {
    const std::size_t last = std::min(books_.size(), first + kBlock);
    const std::size_t each = greeks.size() * grids_[first].scenarios();
    if (results_.size() < (last - first) * each) results_.resize((last - first) * each);
    jobs.clear();
    for (std::size_t k = first; k < last; ++k) {
      jobs.push_back({books_[k], grids_[k], 1, std::span(results_).subspan((k - first) * each, each)});
    }
    backend.evaluate(greeks, jobs);
  }
}

}  // namespace greekgrid::bench

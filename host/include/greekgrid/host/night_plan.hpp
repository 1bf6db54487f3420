#pragma once

/// @file
/// Which tickers a night takes, what each will cost, and which shard evaluates which. A plan follows from the inputs
/// and the configuration alone, so every shard of a night makes the same one.

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_result.hpp"

namespace greekgrid {

/// Where a run reads from, a few tickers at a time, so that its memory does not grow with the universe.
struct NightInputs {
  /// The chain without its contracts: identity, tickers with contract_begin and contract_count.
  const OptionChain* chain = nullptr;
  /// The part of the chain of some tickers, ascending.
  std::function<OptionChain(std::span<const std::size_t>)> read_chain;
  /// The history without its rows: symbols with row_count; null without a history.
  const DailyHistory* history = nullptr;
  /// The part of the history of some symbols, ascending.
  std::function<DailyHistory(std::span<const std::size_t>)> read_history;
  std::vector<SplitCorrection> corrections;
  /// Levels and skews of an earlier session, that changes are told against; empty without one.
  std::vector<LevelRow> previous_level;
  std::vector<EarlierSkew> previous_skew;
};
/// Inputs that are in memory; they are to outlive the result.
NightInputs inputs_in_memory(const OptionChain& chain, const DailyHistory* history = nullptr);

/// The tickers of a night.
struct NightPlan {
  std::vector<std::size_t> ticker;                ///< of the chain, ascending; refused ones among them
  std::vector<double> cost;                       ///< of each, seconds of a core: estimated, see ticker_cost()
  std::vector<SmileFits> fits;                    ///< of each, where it was priced to choose it; else empty
  std::vector<TickerQuality> absent;              ///< asked for by name, not in the chain
  Diagnostics diagnostics;                        ///< one per ticker that is absent or not ranked
  std::size_t not_ranked = 0, ranked_absent = 0;  ///< of the chain without a rank; ranks without a ticker
};

/// Chooses the tickers. Where only the first so many accepted ones are asked for and there are more, those before the
/// cut have to be priced to know which they are.
/// @throws Stopped, BackendError
NightPlan make_night_plan(const NightInputs& inputs, const RunConfig& config, const Calendar& calendar,
                          Backend& backend, const std::atomic<bool>& stop);

/// Seconds of a core that a ticker takes, from its contracts and the grid: bench/results has the measurements behind
/// it.
double ticker_cost(std::int64_t contracts, const RunConfig& config, bool has_history);

/// Places in the plan, the costliest first: the order in which tickers are evaluated and their chunks lie in the night.
std::vector<std::size_t> costliest_first(const NightPlan& plan);

/// The tickers of shard `index` of `count`, as places in the plan, ascending: the costliest first, each to the shard
/// with the least so far. @param index 0 .. count - 1
std::vector<std::size_t> shard_of(const NightPlan& plan, std::size_t index, std::size_t count);

}  // namespace greekgrid

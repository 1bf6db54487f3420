#pragma once

/// @file
/// One run: tickers streamed through read, snapshot, evaluation and sink in blocks that fit a budget of memory.

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_plan.hpp"
#include "greekgrid/host/night_result.hpp"
#include "greekgrid/host/run_config.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// Receives what the tickers of a block come to, block after block, from one thread at a time.
class NightSink {
 public:
  virtual ~NightSink() = default;
  /// The nights are valid during the call only; the sink may refuse one (TickerNight::refuse) and then takes the
  /// refusal. Whatever it throws ends the run. It may hold what two calls came to, encoded, beyond them.
  virtual void write(std::span<TickerNight> block) = 0;
};

/// How far a run is.
struct NightProgress {
  std::size_t tickers_done = 0, tickers = 0;
  double cost_done = 0.0, cost = 0.0;  ///< of the plan
  double evaluations = 0.0;            ///< live contract-scenarios of the tickers done
};

/// What a run took, for its record. Stages overlap: their wall times add up to more than the run's.
struct NightTimings {
  double read_seconds = 0.0;      ///< wall time of reading chains and histories
  double snapshot_seconds = 0.0;  ///< of pricing them
  SnapshotTimings snapshot;       ///< its parts
  double evaluate_seconds = 0.0;  ///< wall time inside the backend
  double levels_seconds = 0.0;    ///< wall time of everything that is read off the books beside the surfaces
  /// Its parts, summed over threads.
  double sample_thread_seconds = 0.0, levels_thread_seconds = 0.0, profile_thread_seconds = 0.0,
         attribution_thread_seconds = 0.0, intraday_thread_seconds = 0.0, outlook_thread_seconds = 0.0;
  double steps_seconds = 0.0;  ///< wall time of the tables of hypothetical closes
  double sink_seconds = 0.0;   ///< wall time of the sink
  double wall_seconds = 0.0;   ///< of the whole stream
  double evaluations = 0.0;    ///< live contract-scenarios: weight not 0, tau' > 0
  std::size_t blocks = 0;
};

/// Thrown when the stop flag is raised, after the blocks under way have reached the sink.
struct Stopped {};

/// What a run may use and how it is watched.
struct NightLimits {
  /// Of the blocks under way, bytes: what a ticker takes is estimated from its contracts and the grid, and a block
  /// holds as many as fit into a third of it, one at least and no more than two seconds' work of a core.
  std::size_t memory = std::size_t{1} << 30;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const NightProgress&)> progress;
};

/// Axes of a night, without tickers. `time` as make_times gives it.
NightHeader make_axes(const OptionChain& chain, const RunConfig& config, const Calendar& calendar, bool has_history);

/// Instants of the time axis: quote_time, then session closes or intraday steps.
std::vector<Instant> make_times(const ScenarioConfig& config, const Calendar& calendar, Instant quote_time);

/// The last session that is over at the quotes: what later prices and volumes say is not known yet.
Date last_session(const Calendar& calendar, Instant quote_time);

/// Bytes that a ticker takes while its block is under way: an estimate from above.
std::size_t ticker_bytes(std::int64_t contracts, const NightHeader& axes, std::size_t history_rows);

/// Evaluates the tickers of a plan at `places`, costliest first, into the sink: surfaces, and what is read off the same
/// books: levels, crossings, ladders, profiles, attributions, the session's paths and lines, base Greeks, dealer
/// positions, forecasts and hypothetical closes. Levels and the session are evaluated by the CPU backend in double
/// precision whatever `backend` is. What a ticker comes to does not depend on the other tickers, their blocks or the
/// number of threads, to the bit. A ticker whose data makes a stage throw is refused as stage_failed.
///
/// Three stages overlap, each in turn parallel inside: reading and pricing a block, evaluating the one before, handing
/// the one before that to the sink.
/// @throws Stopped, and whatever the backend, the readers or the sink throws
void run_night(const NightInputs& inputs, const NightPlan& plan, std::span<const std::size_t> places,
               const RunConfig& config, const NightHeader& axes, const Calendar& calendar, Backend& backend,
               NightSink& sink, const NightLimits& limits, NightTimings& timings);

}  // namespace greekgrid

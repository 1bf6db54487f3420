#pragma once

/// @file
/// One run over a snapshot: surfaces in blocks of tickers, levels from the same books, one table set at the end.

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_result.hpp"
#include "greekgrid/host/run_config.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// Receives the surfaces of one ticker after the other, from several threads, in any order.
class SurfaceSink {
 public:
  virtual ~SurfaceSink() = default;
  /// `cells` is C-ordered (surface, position, iv_rule, time, iv_shift, spot_step), `session` likewise
  /// (kIntradaySurfaces, position, kScopes, time, spot_step) of the session's axes, empty without; both are valid
  /// during the call only, as are the steps, null without a history.
  virtual void write_surfaces(std::int64_t ticker, std::span<const double> cells, std::span<const double> session,
                              const TickerSteps* steps) = 0;
};

/// How far a run is.
struct NightProgress {
  std::size_t tickers_done = 0, tickers = 0;
  double evaluations_done = 0.0, evaluations = 0.0;  ///< live contract-scenarios
};

/// What a run took, for its record.
struct NightTimings {
  double evaluate_seconds = 0.0;  ///< wall time inside the backend
  double levels_seconds = 0.0;    ///< wall time of everything that is read off the books beside the surfaces
  /// Its parts, summed over threads.
  double levels_thread_seconds = 0.0, profile_thread_seconds = 0.0, attribution_thread_seconds = 0.0,
         intraday_thread_seconds = 0.0, outlook_thread_seconds = 0.0;
  double steps_seconds = 0.0;  ///< wall time of the tables of hypothetical closes
  double drain_seconds = 0.0;  ///< wall time waiting for the sink after evaluation
  double evaluations = 0.0;    ///< live contract-scenarios: weight not 0, tau' > 0
};

/// Thrown out of run_night when the stop flag is raised.
struct Stopped {};

/// Axes of the result, known before the first surface. `time` as make_times gives it.
/// @param average_daily_volume (U) shares, NaN where not known; empty: known of none
/// @param history without a store nothing is forecast
NightHeader make_header(const OptionChain& chain, const Snapshot& snapshot, const RunConfig& config,
                        const Calendar& calendar, std::span<const double> average_daily_volume = {},
                        const NightHistory& history = {});

/// Instants of the time axis: quote_time, then session closes or intraday steps.
std::vector<Instant> make_times(const ScenarioConfig& config, const Calendar& calendar, Instant quote_time);

/// Evaluates every ticker of the snapshot into the sink and returns what is read off the same books: levels, crossings,
/// ladders, profiles, attributions, the session's paths and lines, base Greeks and dealer positions. Levels and the
/// session are evaluated by the CPU backend in double precision whatever `backend` is, so they do not depend on it.
/// Surfaces of at most `block_bytes` are in memory at a time, twice: one block is written while the next is
/// evaluated.
/// @throws std::invalid_argument if an IV rule follows the smile and a book has none (see make_book);
/// Stopped when *stop becomes true (checked between blocks), and whatever the backend or the sink throws.
NightTables run_night(const OptionChain& chain, Snapshot& snapshot, const RunConfig& config, const NightHeader& header,
                      const Calendar& calendar, Backend& backend, SurfaceSink& sink, std::size_t block_bytes,
                      const std::function<void(const NightProgress&)>& progress, const std::atomic<bool>& stop,
                      NightTimings& timings, const NightHistory& history = {});

}  // namespace greekgrid

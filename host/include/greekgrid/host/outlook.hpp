#pragma once

/// @file
/// A night's tickers in their own history: predictors, forecasts and hypothetical closes of each, from the store of
/// past sessions and what the night itself says of its session.

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/host/percent_gamma.hpp"
#include "greekgrid/host/step_forward.hpp"
#include "greekgrid/host/step_table.hpp"
#include "greekgrid/host/ticker_forecast.hpp"

namespace greekgrid {

/// What a run stores of forecasts and hypothetical closes.
struct OutlookConfig {
  bool maps = true;                                   ///< weather maps
  std::vector<StepMode> modes = {StepMode::kAppend};  ///< of hypothetical closes; none: no /step_forward
};
constexpr std::string_view name(StepMode mode) {
  return mode == StepMode::kAppend ? "append" : "replace";
}

/// The past, as far as a run knows it.
struct NightHistory {
  const DailyHistory* store = nullptr;  ///< null: no history, no forecasts
  std::vector<SplitCorrection> corrections;
};

/// Axes of what a night stores of its history; equal for all tickers.
struct OutlookAxes {
  bool stored = false;  ///< there is a history
  bool maps = false;
  Date session;            ///< session t: the last that has begun at the quotes
  bool over = true;        ///< whether it has ended by then
  Instant known_by = 0;    ///< the open of session t + 1: what became known later does not count
  Instant next_close = 0;  ///< the close of session t + 1
  std::vector<StepMode> mode;
  StepAxis close;  ///< of whole chunks, around the tickers' own
};

/// What a night says of its session.
struct Tonight {
  Date session;
  bool over = true;      ///< whether the session had ended at the quotes
  Instant known_by = 0;  ///< see OutlookAxes
  double spot = 0.0;     ///< USD: the close where the store has none yet
  double iv30 = 0.0;     ///< vol, NaN if unknown
  double g_old = 0.0;    ///< sum OI m gamma of calls over that of puts, NaN if unknown
};

/// Index into the store of each ticker, or -1: the symbol of that very spelling, else of those that spell the same
/// share class the one with the most rows.
std::vector<std::ptrdiff_t> find_symbols(const DailyHistory& store, std::span<const std::string> ticker);

/// One ticker's rows of the store up to the session, with what the night adds: its volatility and ratio take the place
/// of the store's, its spot stands where there is no close. Nothing later than the session is taken, nor what became
/// known after the next one had opened; of a session that is not over the spot alone. G is left missing: it needs the
/// close, see make_outlook().
/// @param symbol index into the store, or -1: a history of this one session
DailyHistory with_tonight(const DailyHistory& store, std::ptrdiff_t symbol, const std::string& ticker,
                          const Tonight& tonight);

/// The axes of a night, but for its closes: those are known when the tickers are.
/// @param stored whether there is a history
OutlookAxes make_outlook_axes(bool stored, const OutlookConfig& config, const Calendar& calendar, Instant quote_time);

/// The hypothetical closes and maps of one ticker, which a night stores and forgets.
struct TickerSteps {
  std::size_t sessions = 0;       ///< of the history up to the session
  std::vector<StepForward> step;  ///< by mode
  StepTable table;                ///< (W, R, V) of the run
  std::array<WeatherMaps, kHorizons.size()> maps;
};

/// The best and the worst next close of one mode and horizon, mean of the sessions that follow.
struct StepExtremes {
  bool known = false;
  double best = 0.0, best_mean = 0.0, best_n_eff = 0.0;  ///< MAD of t; MAD sqrt(h); sessions
  double worst = 0.0, worst_mean = 0.0, worst_n_eff = 0.0;
};

/// What is kept of a ticker.
struct TickerOutlook {
  TickerForecast forecast;  ///< without its series
  struct Mode {
    bool d_held = false, g_held = false;  ///< see StepForward
    std::array<StepExtremes, kHorizons.size()> extremes;
  };
  std::vector<Mode> mode;
};

/// One ticker's predictors, forecasts with their record, and its hypothetical closes but for the book's table.
/// @param book the contracts that G is made of @param quote_time of the book
/// @param steps filled where the axes say so
TickerOutlook make_outlook(const NightHistory& history, std::ptrdiff_t symbol, const std::string& ticker,
                           const Tonight& tonight, const PercentGammaBook& book, Instant quote_time,
                           const OutlookAxes& axes, const Calendar& calendar, TickerSteps& steps);

}  // namespace greekgrid

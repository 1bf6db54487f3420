#pragma once

/// @file
/// One ticker's forecast with everything it stands on: its predictors of a session, the forecasts of both horizons and
/// of every pair, and the record of the same forecasts.

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/forecast.hpp"
#include "greekgrid/host/predictors.hpp"

namespace greekgrid {

/// What to make.
struct TickerForecastOptions {
  std::optional<Date> date;     ///< the session of this day or the last before it; without: the last of the history
  bool record = true;           ///< walk-forward evaluation over the whole history up to the session
  bool series = false;          ///< sessions and predictors are kept, as step_forward() needs them
  bool gamma_from_gex = false;  ///< the history's gex series stands in for G
  /// Symbol whose closes, in per cent, are the implied volatility of 30 days; if empty the history's own iv30.
  std::string iv30_symbol;
};

/// Why a symbol has no forecast.
enum class TickerForecastStatus : std::int8_t {
  kOk = 0,
  kNoSessions = 1,           ///< no close up to the date
  kInsufficientHistory = 2,  ///< P or V has no standing yet, or there are fewer than 42 candidates
};

/// The forecast of one symbol at session t, the last of its series.
struct TickerForecast {
  std::string symbol;
  TickerForecastStatus status = TickerForecastStatus::kNoSessions;
  std::vector<Instant> date;      ///< of every session up to t, 00:00 UTC
  SessionPredictors at;           ///< of session t
  std::vector<SplitEvent> event;  ///< splits and jumps up to t
  SessionSeries sessions;         ///< up to t, if kept
  PredictorSeries predictors;     ///< up to t, if kept
  std::array<Forecast, kHorizons.size()> now;
  std::array<std::array<Forecast, kPairs.size()>, kHorizons.size()> pair;
  std::array<ForecastRecord, kHorizons.size()> record;
};

/// Everything above for one symbol of a history. What is later than the date is not looked at.
/// @param symbol index into the history
TickerForecast make_ticker_forecast(const DailyHistory& history, std::size_t symbol, const Calendar& calendar,
                                    std::span<const SplitCorrection> corrections, const TickerForecastOptions& options);

/// The unit of outcomes over sessions ahead, MAD sqrt(h), 1. @param mad mean absolute return of a day, 1
double horizon_mad(double mad, int horizon);
/// A value in units of MAD sqrt(h) as a return, 1, and as a price, USD.
double outcome_return(const TickerForecast& forecast, int horizon, double value);
double outcome_price(const TickerForecast& forecast, int horizon, double value);

}  // namespace greekgrid

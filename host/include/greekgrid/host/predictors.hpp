#pragma once

/// @file
/// What a ticker's history says of each of its sessions: split-adjusted returns, the predictors P, V, G, D with their
/// earlier definitions, their standing in their own past, realised volatility and the premium of implied over realised.
///
/// Everything of session t is made of values up to t alone, to the bit: a change of any later value changes nothing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/daily_history.hpp"

namespace greekgrid {

/// What the corrections file says of a split: prices before `date` are divided by `factor`, volumes multiplied. A
/// factor of 1 refuses a split that would be detected there. A date without a close counts at the next close; factors
/// of different dates that meet there multiply, of one date the last given counts.
struct SplitCorrection {
  std::string symbol;   ///< as in the history, share classes in any spelling
  Instant date = 0;     ///< midnight UTC of the first session at the new price
  double factor = 1.0;  ///< > 0, finite
};

/// A split, a reported jump or a correction of one symbol.
struct SplitEvent {
  std::size_t session = 0;  ///< the first at the new price
  Instant date = 0;         ///< of that session
  double ratio = 1.0;       ///< close before / close
  double factor = 1.0;      ///< shares per old share that the series is adjusted by; 1: a jump that stands as a return
  bool corrected = false;   ///< from the corrections file
};

/// Sessions of one symbol that have a close, T of them, ascending. Prices are as published (unadjusted), so that a
/// later split changes no earlier value; `split[t]` relates t to t - 1.
struct SessionSeries {
  std::vector<Instant> date;                   ///< (T) 00:00 UTC
  std::vector<double> open, high, low, close;  ///< (T) USD, NaN missing but for close
  std::vector<double> volume;                  ///< (T) shares
  std::vector<double> short_ratio;             ///< (T) short over total off-exchange volume, or the DIX; NaN missing
  std::vector<std::int8_t> short_zero_volume;  ///< (T) 1 where the total is 0
  std::vector<double> split;                   ///< (T) factor that prices before t are divided by at t; [0] = 1
  std::vector<std::int8_t> after_gap;          ///< (T) 1 where sessions of the calendar are missing before t
  std::vector<SplitEvent> event;               ///< splits and jumps, ascending

  std::size_t sessions() const { return close.size(); }
};

/// The sessions of a symbol, with splits detected by the rule below or taken from the corrections.
///
/// R = close[t-1]/close[t] with R >= 1.7 or <= 1/1.7 is a candidate; its factor the nearest in log of 2, 3, 4, 5, 6, 7,
/// 8, 10, 12, 15, 20, 25, 30, 40, 50, 100 or a reciprocal of one, within 0.10; accepted if volume[t] close[t] is at
/// most five times (median of the five volumes before, in shares of t-1) close[t-1]: a split trades for as many dollars
/// as the days before, a crash for many more. Without those volumes, or where their median is 0, nothing is accepted.
/// Any other |ln R| > 0.22 is an event of factor 1. A correction comes first and is an event whatever R is.
/// Where `dix` is present in the history at a session it is the short ratio; else short_volume / off_exchange_volume.
/// Where there is no close a night's spot takes its place; rows where neither is positive and finite are no sessions.
/// O(rows of the symbol).
/// @param symbol index into the history
/// @throws std::invalid_argument for a correction of that symbol whose factor is not positive and finite
SessionSeries make_sessions(const DailyHistory& history, std::size_t symbol, const Calendar& calendar,
                            std::span<const SplitCorrection> corrections);

/// Closes in the units of the last session: split-adjusted, (T) USD. For pictures: a later split changes them all, so
/// nothing that must be known at t may be made of them.
std::vector<double> adjusted_closes(const SessionSeries& series);

/// Why a predictor has no value.
enum class PredictorStatus : std::int8_t {
  kOk = 0,
  kInsufficientHistory = 1,  ///< its window begins before the first session
  kZeroMad = 2,              ///< a mean absolute return of 0 divides
  kZeroVolume = 3,           ///< a total volume of 0 divides
  kMissingInput = 4,         ///< a value of the window is missing
};

/// The predictors that forecasts stand on, in the order that distances are summed.
enum class Predictor : std::uint8_t { kP, kV, kG, kD };
inline constexpr std::size_t kPredictors = 4;

/// Values by session, NaN where missing. T sessions.
struct PredictorSeries {
  std::vector<double> r;    ///< close/close - 1 over consecutive sessions, across a split by its factor; [0] missing
  std::vector<double> mad;  ///< mean of |r| over 21 returns
  /// P = mean21(r)/MAD in [-1, 1], V = MAD/mean21(MAD) - 1, G as given, D the mean short ratio of t-5 .. t-1
  std::array<std::vector<double>, kPredictors> x;
  std::array<std::vector<PredictorStatus>, kPredictors> status;
  std::array<std::vector<double>, kPredictors> z;  ///< their standing in [-1, 1], see expanding_rank()
  std::vector<double> p_old;                       ///< mean21(r_i / MAD_{i-1})
  std::vector<double> v_raw;                       ///< MAD - mean21(MAD)
  std::vector<double> v_old;                       ///< (MAD_t - MAD_{t-21}) / MAD_{t-21}
  std::vector<double> g_old;                       ///< call gamma / put gamma at market volatility, as given
  std::vector<double> d_old;                       ///< the day's short ratio
  /// of p_old, v_old, g_old and d_old, in the order of Predictor
  std::array<std::vector<PredictorStatus>, kPredictors> old_status;
  std::vector<double> rv20;  ///< sqrt(252/20 sum of the last 20 squared log returns), vol
  /// Mean true range of 5 sessions, USD of session t: closes and ranges before a split are divided by its factor. Needs
  /// high and low, and 6 sessions.
  std::vector<double> atr5;
  std::vector<double> iv30;                 ///< vol, as given
  std::vector<double> premium;              ///< iv30 - rv20, vol
  std::vector<double> premium_score;        ///< (premium - mean)/deviation (divisor N) of its N >= 252 values up to t
  std::vector<std::int8_t> premium_regime;  ///< +1 premium (score >= 0.5), -1 discount (<= -0.5), 0, missing 2
};

/// One session of a series with its predictors; NaN where missing.
struct SessionPredictors {
  static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

  std::int64_t sessions = 0;  ///< of the series up to this one
  Instant date = 0;           ///< 00:00 UTC
  double close = kNaN, mad = kNaN;
  std::array<double, kPredictors> x{kNaN, kNaN, kNaN, kNaN}, z = x;
  std::array<PredictorStatus, kPredictors> status{};
  std::array<double, kPredictors> old = x;  ///< P_old, V_old, G_old, D_old
  std::array<PredictorStatus, kPredictors> old_status{};
  double v_raw = kNaN, rv20 = kNaN, atr5 = kNaN, iv30 = kNaN, premium = kNaN, premium_score = kNaN;
  std::int8_t premium_regime = 2;
};

/// What other sources say of the sessions of a series; empty where there is nothing, else (T) with NaN.
struct SessionInputs {
  std::span<const double> g;      ///< call share of percent gamma
  std::span<const double> g_old;  ///< call gamma / put gamma
  std::span<const double> iv30;   ///< vol
};

inline constexpr std::size_t kMadWindow = 21;
inline constexpr std::size_t kShortWindow = 5;    ///< daily short ratios in D
inline constexpr std::size_t kLeastRanked = 252;  ///< values that a standing or a score needs

/// Computes them. Sums over windows add oldest to newest, afresh for each t, so that a window's value depends on the
/// window alone. First values: MAD and P at the 22nd close, V at the 42nd, P_old and V_old at the 43rd. A value that is
/// not finite counts as missing. O(T log T).
/// @throws std::invalid_argument where a column of the series or an input that is not empty is not (T)
PredictorSeries compute_predictors(const SessionSeries& series, const SessionInputs& inputs = {});

/// r and MAD alone; the other columns are empty.
PredictorSeries compute_returns(const SessionSeries& series);

/// The row of session t. @throws std::out_of_range beyond the series
SessionPredictors session_predictors(const SessionSeries& series, const PredictorSeries& predictors, std::size_t t);

/// z_t = 2u - 1, u = (#{j <= t: x_j < x_t} + 0.5 #{j <= t: x_j = x_t})/N_t over the values up to t, t included; NaN
/// where x is, or where N_t < 252. Values that are NaN are no x_j. Exact: made of counts. O(T log T).
std::vector<double> expanding_rank(std::span<const double> x);

/// What one more value would stand at among those up to t, itself included: z' of a counterfactual.
class ExpandingRank {
 public:
  /// @param x values up to t, NaN left out
  explicit ExpandingRank(std::span<const double> x);
  /// NaN where value is, or where there are fewer than 252 values, it included.
  double operator()(double value) const;

 private:
  std::vector<double> sorted_;
};

/// P, V and MAD of a counterfactual session; NaN where the status is not kOk, and MAD before the 22nd close.
struct NextPredictors {
  double p = std::numeric_limits<double>::quiet_NaN(), v = p, mad = p;
  PredictorStatus p_status = PredictorStatus::kInsufficientHistory, v_status = p_status;
};
/// Those of the session that would follow t with the return `r`: to the bit what compute_predictors gives for the
/// series with that session appended.
/// @param r close/close - 1
/// @param replace true: the return takes the place of r[t] and nothing rolls
/// @throws std::invalid_argument where the series has no session t
NextPredictors next_predictors(const PredictorSeries& series, std::size_t t, double r, bool replace);

}  // namespace greekgrid

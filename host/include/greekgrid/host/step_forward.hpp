#pragma once

/// @file
/// Hypothetical next closes of one ticker: the predictors that each would give and what followed such sessions.

#include <array>
#include <optional>
#include <vector>

#include "greekgrid/host/forecast.hpp"
#include "greekgrid/host/percent_gamma.hpp"
#include "greekgrid/host/predictors.hpp"

namespace greekgrid {

/// What a hypothetical close is.
enum class StepMode : std::uint8_t {
  kAppend,   ///< the close of session t + 1: windows roll, the book is aged to it, what expires on the way has settled
  kReplace,  ///< another close of session t itself: nothing rolls, the book is that of now. x = 0 is session t
};

/// Closes c_t (1 + x MAD_t), x = i/20 for i in [first, last].
struct StepAxis {
  int first = -200, last = 100;

  std::size_t size() const { return static_cast<std::size_t>(last - first + 1); }
  double x(std::size_t k) const { return static_cast<double>(first + static_cast<int>(k)) / 20.0; }
  /// The index of x = 0.
  std::size_t zero() const { return static_cast<std::size_t>(-first); }
};

/// From -10 to +5 MAD, extended to what the ticker has done: the extremes of r_i/MAD_{i-1} up to session t.
StepAxis step_axis(const PredictorSeries& predictors, std::size_t t);

/// Why a hypothetical close has no numbers.
enum class CloseStatus : std::int8_t {
  kOk = 0,
  kNonpositiveClose = 1,
  kNoMad = 2,  ///< session t has no mean absolute return: the closes are not known themselves
};

/// What is known at session t, the last of the series.
struct StepInputs {
  const SessionSeries* sessions = nullptr;
  const PredictorSeries* predictors = nullptr;
  /// The contracts that G is made of; none: G is held where the predictors have it (g_held).
  std::optional<PercentGammaBook> book;
  Instant now = 0;         ///< of the book
  Instant next_close = 0;  ///< the close of session t + 1
};

/// Numbers by close, X of them. Predictors in the order of Predictor, NaN where missing.
struct StepForward {
  StepMode mode = StepMode::kAppend;
  StepAxis axis;
  std::vector<double> close;                              ///< (X) USD
  std::vector<CloseStatus> status;                        ///< (X)
  std::array<std::vector<double>, kPredictors> value, z;  ///< (X) P', V', G', D' and their standings
  std::vector<double> mad;                                ///< (X) MAD'; G' is that of percent_gammas(), exact at x = 0
  bool d_held = false;                                    ///< D' is D_t, as the ratio of session t is not known yet
  bool g_held = false;                                    ///< G' is G_t, as there is no book
  std::array<std::vector<Forecast>, kHorizons.size()> forecast;  ///< (X); candidates are s <= t - h

  /// Best and worst x within [-10, 5] by the mean of the next `horizon` sessions, the first on ties.
  struct Extremes {
    double best = 0.0, worst = 0.0;  ///< x, MAD
    std::size_t best_at = 0, worst_at = 0;
    bool known = false;
  };
  Extremes extremes(std::size_t horizon_index) const;
};

/// Repeats session t + 1 (or t) for every close. In `replace` the predictors, standings and forecasts at x = 0 are
/// those of session t, to 1e-12.
/// @param mode see StepMode
StepForward step_forward(const StepInputs& inputs, StepMode mode);

}  // namespace greekgrid

#pragma once

/// @file
/// What is shocked and by how much: the axes of a scenario grid and the rule by which volatility answers spot.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

/// Unit of the spot axis.
enum class SpotAxis : std::uint8_t {
  kExpectedMove,  ///< one standard deviation of the ticker's own next session
  kLogReturn,     ///< ln(S / S0)
};
/// Where the instants of the time axis lie.
enum class TimeAxis : std::uint8_t {
  kSessions,  ///< the quote instant and successive session closes
  kIntraday,  ///< the quote instant and fixed steps to the next session close
};

/// The names under which IV rules are asked for and stored. All but the last are skew-stickiness rules; the first three
/// have their R fixed.
enum class IvRuleName : std::uint8_t {
  kStickyStrike,           ///< R = 1: volatility stays with the strike
  kStickyMoneyness,        ///< R = 0: the smile moves with spot
  kStickyLocalVolatility,  ///< R = 2: about what a local volatility surface implies
  kSkewStickiness,         ///< any R in [-10, 10]
  kRelativeBeta,
};
/// The rule that backends evaluate.
IvRule iv_rule(IvRuleName name);
/// The R that a name fixes; 10, the default of beta, for relative_beta; none for skew_stickiness.
std::optional<double> default_parameter(IvRuleName name);

/// One entry of the IV rule axis.
struct IvRuleChoice {
  IvRuleName rule = IvRuleName::kStickyStrike;
  double parameter = 1.0;  ///< R, beta for relative_beta

  /// Whether it takes a smile for every expiry of a book (BookView::smile).
  bool reads_smile() const { return iv_rule(rule) == IvRule::kSkewStickiness && parameter != 1.0; }
};

/// The axes of a run. The default grid is 201 spots x 11 IV shifts x 9 times.
struct ScenarioConfig {
  SpotAxis spot_axis = SpotAxis::kExpectedMove;
  double spot_half_width = 10.0;  ///< expected moves, or log return
  std::size_t spots = 201;        ///< odd, so that the middle one is the reference
  std::vector<double> iv_shifts = {-0.10, -0.08, -0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.06, 0.08, 0.10};  ///< vol
  IvShiftTerm iv_shift_term = IvShiftTerm::kFlat;
  double iv_shift_term_cap = 4.0;  ///< of the sqrt_time scale
  double iv_floor = 0.01;          ///< vol
  TimeAxis time_axis = TimeAxis::kSessions;
  std::size_t sessions = 9;  ///< instants of the sessions axis, the quote instant included
  int intraday_step = 300;   ///< s
  std::vector<IvRuleChoice> iv_rules = {IvRuleChoice{}};
};

std::string_view name(SpotAxis axis);
std::string_view name(TimeAxis axis);
std::string_view name(IvShiftTerm term);
std::string_view name(IvRuleName rule);

/// The spot_step coordinate: `spots` values, symmetric, exactly 0 in the middle, in units of the axis.
std::vector<double> spot_steps(const ScenarioConfig& config);

/// Log return per unit of spot_step for a ticker: the expected move of one session, atm_iv sqrt(1/252), or 1.
double spot_scale(const ScenarioConfig& config, double atm_iv);

/// The grid of one ticker under one rule; `time` must outlive the view.
GridView make_grid(const ScenarioConfig& config, const IvRuleChoice& rule, std::span<const std::int64_t> time,
                   double scale);

/// Number of (contract, time, iv_shift, spot) cells of a book in which the volatility floor binds, over contracts that
/// are alive (tau' > 0) and have a weight in any position model.
std::int64_t count_clipped_cells(const BookView& book, const GridView& grid, std::size_t positions);

}  // namespace greekgrid

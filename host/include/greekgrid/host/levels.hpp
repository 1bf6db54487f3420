#pragma once

/// @file
/// Levels of one ticker under its position models: everything of /levels, /crossing and /ladder. docs/numbers.md has
/// the definitions with formulas, signs and sources.

#include <span>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/level.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/scenarios/scenario_config.hpp"

namespace greekgrid {

/// The choices that levels leave open.
struct LevelConfig {
  IvRuleChoice flip_rule = {IvRuleName::kStickyLocalVolatility, 2.0};  ///< how volatility follows spot in the flip
  double vomma_shift = 0.02;                                           ///< vol, > 0: of the vomma zones
  double ladder_shift = 0.02;                                          ///< vol, > 0: of the ladder's asymmetries
};

/// One ticker: n contracts, W position models.
struct LevelInputs {
  BookView book;  ///< weights (W, n)
  std::size_t positions = 1;
  std::span<const double> greeks;         ///< (kGreekCount, n) as base_greeks() gives them
  std::span<const double> multiplier;     ///< (n) shares
  std::span<const double> open_interest;  ///< (n) contracts; none: no max_pain, centroid and ratio of it
  std::span<const double> volume;         ///< (n) contracts, NaN counts as 0; none: no ratio
  Instant quote_time = 0;
  std::span<const Instant> closes;  ///< next session closes, ascending: the ladder's; the first is the flip's
  Instant front_end = 0;            ///< vomma zones are of what settles by then, or of the first settlement
  double iv_floor = 0.01;           ///< vol
  double expected_move = 0.01;      ///< log return, one standard deviation to the next close, > 0
  double average_daily_volume = std::numeric_limits<double>::quiet_NaN();  ///< shares, NaN if unknown
  LevelConfig config;
};

/// Levels of every model.
struct TickerLevels {
  std::vector<LevelRow> level;                     ///< (W), without ticker and position
  std::vector<std::vector<CrossingRow>> crossing;  ///< (W), by kind, then ascending price
  std::vector<LadderRow> ladder;                   ///< (W, closes + 1)
};

/// Computes them.
///
/// Roots are of the evaluated exposure, from 0.8 to 1.2 of spot: bracketed between spots at most 0.02 % apart (0.04 %
/// for the flip) and evaluated at sixteen spots around each bracket. Zero gamma and speed take the root of the cubic
/// through four of them: with h their distance and s the narrowest deviation of the book, both in ln S, its error is
/// about h^4 / s^3, below 1e-7 of spot for a minute to live. The flip is interpolated linearly between slopes of DX, to
/// about h^2 / (8 s): 1e-6 for an hour, 1e-8 for a day. The promise is 1e-4. A pair of roots closer than 0.02 % (0.04
/// %) may be missed. Net gamma below 1e-12 of gross has no sign: a balanced book has no roots. The flip takes slopes of
/// DX below 1e-4 of gross gamma to have no sign. Changes are those of set_changes() without an earlier session.
/// @param sampler a backend of double precision. Time-like inputs are at most a few hundred thousand evaluations a
/// contract for expiries of hours, a few hundred for those of weeks (see evaluate_line)
TickerLevels compute_levels(const LevelInputs& in, Backend& sampler);

/// Fills gamma_index_change and the other changes from the levels of an earlier session: this less that, null for the
/// reason of today's level where that is null, else with no_previous where there is no earlier row of the ticker and
/// model or its level is null.
void set_changes(std::span<LevelRow> rows, std::span<const LevelRow> previous);

/// Greeks per share at an instant, S0 and shift 0, of every contract, derivatives to the vendor's spot:
/// (kGreekCount, n).
std::vector<double> base_greeks(const BookView& book, Instant time, double iv_floor);

/// Gamma exposure and its derivative speed exposure of the first model at a spot and instant, by the plain closed form:
/// shares USD-1, shares USD-2.
struct GammaPoint {
  double gamma = 0.0;
  double speed = 0.0;
  double gross = 0.0;  ///< sum of the magnitudes of gamma's terms
};
GammaPoint gamma_exposure(const BookView& book, Instant time, double iv_floor, double spot);

}  // namespace greekgrid

#include <algorithm>
#include <cmath>

#include "greekgrid/kernels/formulas/iv_shift.hpp"
#include "greekgrid/scenarios/scenario_config.hpp"

namespace greekgrid {

std::string_view name(SpotAxis axis) {
  return axis == SpotAxis::kExpectedMove ? "expected_move" : "log_return";
}
std::string_view name(TimeAxis axis) {
  return axis == TimeAxis::kSessions ? "sessions" : "intraday";
}
std::string_view name(IvShiftTerm term) {
  return term == IvShiftTerm::kFlat ? "flat" : "sqrt_time";
}
std::string_view name(IvRule rule) {
  return rule == IvRule::kStickyStrike ? "sticky_strike" : "relative_beta";
}

std::vector<double> spot_steps(const ScenarioConfig& config) {
  const auto half = static_cast<std::ptrdiff_t>(config.spots / 2);
  std::vector<double> steps;
  for (std::ptrdiff_t j = -half; j <= half; ++j) {
    // Divided last: round numbers stay round, and -j mirrors j exactly.
    steps.push_back(half == 0 ? 0.0 : static_cast<double>(j) * config.spot_half_width / static_cast<double>(half));
  }
  return steps;
}

double spot_scale(const ScenarioConfig& config, double atm_iv) {
  return config.spot_axis == SpotAxis::kExpectedMove ? atm_iv * std::sqrt(1.0 / 252.0) : 1.0;
}

GridView make_grid(const ScenarioConfig& config, const IvRuleChoice& rule, std::span<const std::int64_t> time,
                   double scale) {
  GridView grid;
  grid.time = time;
  grid.iv_shift = config.iv_shifts;
  grid.spots = config.spots;
  const auto half = static_cast<double>(config.spots / 2);
  grid.log_spot_step = half > 0.0 ? config.spot_half_width * scale / half : 0.0;
  grid.log_spot_begin = -half * grid.log_spot_step;
  grid.iv_rule = rule.rule;
  grid.iv_rule_parameter = rule.parameter;
  grid.iv_shift_term = config.iv_shift_term;
  grid.iv_shift_term_cap = config.iv_shift_term_cap;
  grid.iv_floor = config.iv_floor;
  return grid;
}

std::int64_t count_clipped_cells(const BookView& book, const GridView& grid, std::size_t positions) {
  const std::size_t n = book.contracts();
  std::int64_t clipped = 0;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const auto alive =
        std::count_if(grid.time.begin(), grid.time.end(), [&](std::int64_t time) { return book.settlement[e] > time; });
    if (alive == 0) continue;
    const double tau0 = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
    const double scale =
        grid.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      bool weighted = false;
      for (std::size_t w = 0; w < positions; ++w) weighted = weighted || book.weight[w * n + i] != 0.0;
      if (!weighted) continue;
      for (const double shift : grid.iv_shift) {
        const double shifted = shift * scale;
        if (grid.iv_rule == IvRule::kStickyStrike) {
          if (book.implied_volatility[i] + shifted < grid.iv_floor)
            clipped += alive * static_cast<std::int64_t>(grid.spots);
          continue;
        }
        for (std::size_t j = 0; j < grid.spots; ++j) {
          const double x = grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step;
          const double sigma = book.implied_volatility[i] * (1.0 - grid.iv_rule_parameter * x) + shifted;
          if (sigma < grid.iv_floor) clipped += alive;
        }
      }
    }
  }
  return clipped;
}

}  // namespace greekgrid

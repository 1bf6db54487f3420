#include <algorithm>
#include <cmath>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"
#include "greekgrid/kernels/formulas/smile.hpp"
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
std::string_view name(IvRuleName rule) {
  switch (rule) {
    case IvRuleName::kStickyStrike:
      return "sticky_strike";
    case IvRuleName::kStickyMoneyness:
      return "sticky_moneyness";
    case IvRuleName::kStickyLocalVolatility:
      return "sticky_local_volatility";
    case IvRuleName::kSkewStickiness:
      return "skew_stickiness";
    case IvRuleName::kRelativeBeta:
      break;
  }
  return "relative_beta";
}

IvRule iv_rule(IvRuleName name) {
  return name == IvRuleName::kStickyStrike   ? IvRule::kStickyStrike
         : name == IvRuleName::kRelativeBeta ? IvRule::kRelativeBeta
                                             : IvRule::kSkewStickiness;
}

std::optional<double> default_parameter(IvRuleName name) {
  switch (name) {
    case IvRuleName::kStickyStrike:
      return 1.0;
    case IvRuleName::kStickyMoneyness:
      return 0.0;
    case IvRuleName::kStickyLocalVolatility:
      return 2.0;
    case IvRuleName::kSkewStickiness:
      return std::nullopt;
    case IvRuleName::kRelativeBeta:
      break;
  }
  return 10.0;
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
  grid.quote_time = time.front();
  grid.time = time;
  grid.iv_shift = config.iv_shifts;
  grid.spots = config.spots;
  const auto half = static_cast<double>(config.spots / 2);
  grid.log_spot_step = half > 0.0 ? config.spot_half_width * scale / half : 0.0;
  grid.log_spot_begin = -half * grid.log_spot_step;
  grid.iv_rule = iv_rule(rule.rule);
  grid.iv_rule_parameter = rule.parameter;
  grid.iv_shift_term = config.iv_shift_term;
  grid.iv_shift_term_cap = config.iv_shift_term_cap;
  grid.iv_floor = config.iv_floor;
  return grid;
}

namespace {

// The least volatility under the skew-stickiness rule over a grid's spots, before shift and floor. Total variance is
// convex in k: it is least at its vertex, or at the end of the range that is nearest to it.
double least_volatility(const formulas::Smile<double>& smile, double sigma, double k, const GridView& grid) {
  const double first = grid.log_spot_begin;
  const double last = first + static_cast<double>(grid.spots - 1) * grid.log_spot_step;
  const double slope = grid.iv_rule_parameter - 1.0;  // of the place on the smile in x
  const double vertex = smile.m - smile.rho * smile.s / std::sqrt(1.0 - smile.rho * smile.rho);
  const double x = std::clamp((vertex - k) / slope, first, last);
  return sigma + formulas::skew_stickiness_move(smile, k, grid.iv_rule_parameter, x);
}

}  // namespace

std::int64_t count_clipped_cells(const BookView& book, const GridView& grid, std::size_t positions) {
  constexpr double kRounding = 1e-9;  // vol: far above the error of a volatility, far below what is worth a look
  const IvRule rule = grid.effective_rule();
  const std::size_t n = book.contracts();
  std::int64_t clipped = 0;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const auto alive =
        std::count_if(grid.time.begin(), grid.time.end(), [&](std::int64_t time) { return book.settlement[e] > time; });
    if (alive == 0) continue;
    const double tau0 = static_cast<double>(book.settlement[e] - grid.quote_time) / kSecondsPerYear;
    const double scale =
        grid.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      bool weighted = false;
      for (std::size_t w = 0; w < positions; ++w) weighted = weighted || book.weight[w * n + i] != 0.0;
      if (!weighted) continue;
      double k = 0.0;
      if (rule == IvRule::kSkewStickiness) {
        k = -(formulas::log_moneyness(book.spot, book.strike[i]) + book.spot_basis +
              (book.rate[e] - book.dividend_yield[e]) * tau0);
        // Most contracts are far above the floor everywhere: one look at the smile shows it.
        const double lowest_shift = *std::min_element(grid.iv_shift.begin(), grid.iv_shift.end()) * scale;
        const double least = least_volatility(book.smile[e], book.implied_volatility[i], k, grid) + lowest_shift;
        if (least > grid.iv_floor + kRounding) continue;
      }
      for (const double shift : grid.iv_shift) {
        const double shifted = shift * scale;
        if (rule == IvRule::kStickyStrike) {
          if (book.implied_volatility[i] + shifted < grid.iv_floor)
            clipped += alive * static_cast<std::int64_t>(grid.spots);
          continue;
        }
        for (std::size_t j = 0; j < grid.spots; ++j) {
          const double x = grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step;
          const double ruled = rule == IvRule::kRelativeBeta
                                   ? book.implied_volatility[i] * (1.0 - grid.iv_rule_parameter * x)
                                   : book.implied_volatility[i] +
                                         formulas::skew_stickiness_move(book.smile[e], k, grid.iv_rule_parameter, x);
          if (ruled + shifted < grid.iv_floor) clipped += alive;
        }
      }
    }
  }
  return clipped;
}

}  // namespace greekgrid

// The IV rules by name and the cells in which the volatility floor binds under them.

#include <gtest/gtest.h>

#include <cmath>

#include "greekgrid/scenarios/scenario_config.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

TEST(IvRules, NamesStandForRulesAndRatios) {
  struct Known {
    IvRuleName rule;
    const char* text;
    IvRule evaluated;
    double parameter;  // NaN: none
  };
  for (const Known& known :
       {Known{IvRuleName::kStickyStrike, "sticky_strike", IvRule::kStickyStrike, 1.0},
        {IvRuleName::kStickyMoneyness, "sticky_moneyness", IvRule::kSkewStickiness, 0.0},
        {IvRuleName::kStickyLocalVolatility, "sticky_local_volatility", IvRule::kSkewStickiness, 2.0},
        {IvRuleName::kSkewStickiness, "skew_stickiness", IvRule::kSkewStickiness, NAN},
        {IvRuleName::kRelativeBeta, "relative_beta", IvRule::kRelativeBeta, 10.0}}) {
    EXPECT_EQ(name(known.rule), known.text);
    EXPECT_EQ(iv_rule(known.rule), known.evaluated) << known.text;
    EXPECT_EQ(default_parameter(known.rule).has_value(), std::isfinite(known.parameter)) << known.text;
    if (const auto fixed = default_parameter(known.rule)) {
      EXPECT_EQ(*fixed, known.parameter) << known.text;
    }
  }
  EXPECT_FALSE((IvRuleChoice{IvRuleName::kStickyStrike, 1.0}.reads_smile()));
  EXPECT_FALSE((IvRuleChoice{IvRuleName::kSkewStickiness, 1.0}.reads_smile()));
  EXPECT_TRUE((IvRuleChoice{IvRuleName::kSkewStickiness, 1.5}.reads_smile()));
  EXPECT_TRUE((IvRuleChoice{IvRuleName::kStickyMoneyness, 0.0}.reads_smile()));
  EXPECT_FALSE((IvRuleChoice{IvRuleName::kRelativeBeta, 10.0}.reads_smile()));
}

TEST(IvRules, GoIntoTheGrid) {
  const std::int64_t time[] = {test::kQuoteTime};
  const GridView grid = make_grid(ScenarioConfig(), {IvRuleName::kStickyLocalVolatility, 2.0}, time, 0.01);
  EXPECT_EQ(grid.iv_rule, IvRule::kSkewStickiness);
  EXPECT_EQ(grid.iv_rule_parameter, 2.0);
  EXPECT_EQ(grid.effective_rule(), IvRule::kSkewStickiness);
  EXPECT_EQ(make_grid(ScenarioConfig(), {IvRuleName::kSkewStickiness, 1.0}, time, 0.01).effective_rule(),
            IvRule::kStickyStrike);
}

// Cell by cell, by the text of the schema.
std::int64_t clipped_cells(const test::Book& book, const GridView& grid) {
  std::int64_t clipped = 0;
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const double tau0 = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
    const double forward = book.spot * std::exp(book.spot_basis + (book.rate[e] - book.dividend_yield[e]) * tau0);
    const double scale = grid.iv_shift_term == IvShiftTerm::kFlat
                             ? 1.0
                             : std::min(std::sqrt(30.0 / 365.0 / tau0), grid.iv_shift_term_cap);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      if (book.weight[0][i] == 0.0) continue;
      const double k = std::log(book.strike[i] / forward);
      for (const std::int64_t time : grid.time) {
        if (book.settlement[e] <= time) continue;
        for (const double shift : grid.iv_shift) {
          for (std::size_t j = 0; j < grid.spots; ++j) {
            const double x = grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step;
            double sigma = book.implied_volatility[i];
            if (grid.iv_rule == IvRule::kRelativeBeta) sigma *= 1.0 - grid.iv_rule_parameter * x;
            if (grid.iv_rule == IvRule::kSkewStickiness) {
              sigma += book.smile[e].volatility(k + (grid.iv_rule_parameter - 1.0) * x) - book.smile[e].volatility(k);
            }
            if (sigma + shift * scale < grid.iv_floor) ++clipped;
          }
        }
      }
    }
  }
  return clipped;
}

TEST(IvRules, ClippedCellsAreCountedUnderEveryRule) {
  test::Book book = test::index_like_book(300);
  book.spot_basis = 0.004;
  book.add_smiles();
  book.weight[0][7] = 0.0;
  for (auto& smile : book.smile) smile.a *= 0.5;
  test::Grid grid = test::session_grid(3, 5, 31, 0.12);
  for (const auto term : {IvShiftTerm::kFlat, IvShiftTerm::kSqrtTime}) {
    grid.view.iv_shift_term = term;
    grid.view.iv_shift_term_cap = 3.0;
    for (const double floor : {0.0005, 0.05, 0.12}) {
      grid.view.iv_floor = floor;
      for (const auto& [rule, parameter] :
           {std::pair{IvRule::kStickyStrike, 1.0}, std::pair{IvRule::kRelativeBeta, 5.0},
            std::pair{IvRule::kSkewStickiness, -10.0}, std::pair{IvRule::kSkewStickiness, 0.0},
            std::pair{IvRule::kSkewStickiness, 1.0}, std::pair{IvRule::kSkewStickiness, 2.0},
            std::pair{IvRule::kSkewStickiness, 10.0}}) {
        grid.view.iv_rule = rule;
        grid.view.iv_rule_parameter = parameter;
        const std::int64_t expected = clipped_cells(book, grid.get());
        EXPECT_EQ(count_clipped_cells(book.view(), grid.get(), 1), expected)
            << "rule " << static_cast<int>(rule) << " parameter " << parameter << " floor " << floor;
        if (floor > 0.1) {
          EXPECT_GT(expected, 0) << "rule " << static_cast<int>(rule) << " parameter " << parameter;
        }
      }
    }
  }
}

}  // namespace
}  // namespace greekgrid

// Entries of iv_rules: what is read, what is refused and why, and that what is printed reads back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "greekgrid/io/config_file.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {
namespace {

using testing::HasSubstr;

std::vector<IvRuleChoice> rules(const std::string& list) {
  const RunConfig config = parse_config("[scenarios]\niv_rules = " + list + "\n", "run.toml");
  const std::string printed = to_toml(config);
  const RunConfig again = parse_config(printed, "printed");
  EXPECT_EQ(to_toml(again), printed);
  EXPECT_EQ(again.scenarios.iv_rules.size(), config.scenarios.iv_rules.size());
  for (std::size_t i = 0; i < config.scenarios.iv_rules.size(); ++i) {
    EXPECT_EQ(again.scenarios.iv_rules[i].rule, config.scenarios.iv_rules[i].rule);
    EXPECT_EQ(again.scenarios.iv_rules[i].parameter, config.scenarios.iv_rules[i].parameter);
  }
  return config.scenarios.iv_rules;
}

std::string refusal(const std::string& list) {
  try {
    parse_config("[scenarios]\niv_rules = " + list + "\n", "run.toml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(IvRulesOfAConfiguration, AreReadAsNamesAndAsTables) {
  const auto read = rules(
      R"(["sticky_strike", {rule = "sticky_moneyness"}, "sticky_local_volatility",
          {rule = "skew_stickiness", stickiness = 1.5}, {rule = "relative_beta", beta = 7}])");
  ASSERT_EQ(read.size(), 5U);
  const std::pair<IvRuleName, double> expected[] = {{IvRuleName::kStickyStrike, 1.0},
                                                    {IvRuleName::kStickyMoneyness, 0.0},
                                                    {IvRuleName::kStickyLocalVolatility, 2.0},
                                                    {IvRuleName::kSkewStickiness, 1.5},
                                                    {IvRuleName::kRelativeBeta, 7.0}};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(read[i].rule, expected[i].first);
    EXPECT_EQ(read[i].parameter, expected[i].second);
  }
  EXPECT_EQ(rules(R"(["relative_beta"])")[0].parameter, 10.0);
  EXPECT_EQ(rules(R"([{rule = "skew_stickiness", stickiness = -10}])")[0].parameter, -10.0);
  EXPECT_EQ(rules(R"([{stickiness = 10.0, rule = "skew_stickiness"}])")[0].parameter, 10.0);
}

TEST(IvRulesOfAConfiguration, AreRefusedWithTheReason) {
  EXPECT_THAT(refusal(R"(["sticky_delta"])"), HasSubstr("sticky_local_volatility, skew_stickiness, relative_beta"));
  EXPECT_THAT(refusal(R"(["skew_stickiness"])"), HasSubstr("stickiness = 1.5"));
  EXPECT_THAT(refusal(R"([{rule = "skew_stickiness"}])"), HasSubstr("has no stickiness"));
  EXPECT_THAT(refusal(R"([{rule = "skew_stickiness", stickiness = 10.5}])"), HasSubstr("out of range (-10"));
  EXPECT_THAT(refusal(R"([{rule = "skew_stickiness", stickiness = nan}])"), HasSubstr("iv_rules.stickiness"));
  EXPECT_THAT(refusal(R"([{rule = "skew_stickiness", beta = 1}])"), HasSubstr("iv_rules.beta is not a parameter"));
  EXPECT_THAT(refusal(R"([{rule = "sticky_moneyness", stickiness = 0}])"), HasSubstr("is not a parameter"));
  EXPECT_THAT(refusal(R"([{rule = "sticky_strike", "" = 1}])"), HasSubstr("is not a parameter"));
  EXPECT_THAT(refusal(R"([{stickiness = 1.5}])"), HasSubstr("without rule"));
  EXPECT_THAT(refusal(R"([{rule = "skew_stickiness", stickiness = 1}, {rule = "skew_stickiness", stickiness = 2}])"),
              HasSubstr("names a rule twice"));
}

}  // namespace
}  // namespace greekgrid

#include "greekgrid/host/level.hpp"

namespace greekgrid {

const std::array<LevelText, kLevelCount> kLevelTexts = {{
    {"gamma_index", "1e9 USD", "net gamma exposure per 1 per cent of spot", LevelName::kGammaIndex},
    {"gamma_index_ratio", "1", "net over gross gamma exposure, -1 to 1", LevelName::kGammaIndexRatio},
    {"gamma_index_change", "1e9 USD", "gamma_index less that of the earlier session", LevelName::kGammaIndexChange},
    {"spot_basis_factor", "1", "synthetic spot over spot: a level times this is in the coordinate that the options saw",
     LevelName::kSpotBasisFactor},
    {"call_wall", "USD", "strike of the largest call gamma at or above spot", LevelName::kCallWall},
    {"call_wall_runner_up", "USD", "strike of the second largest sum for call_wall", LevelName::kCallWallRunnerUp},
    {"call_wall_ratio", "1", "sum at call_wall_runner_up over that at call_wall", LevelName::kCallWallRunnerUp},
    {"call_wall_change", "USD", "call_wall less that of the earlier session", LevelName::kCallWallChange},
    {"put_wall", "USD", "strike of the largest put gamma at or below spot", LevelName::kPutWall},
    {"put_wall_runner_up", "USD", "strike of the second largest sum for put_wall", LevelName::kPutWallRunnerUp},
    {"put_wall_ratio", "1", "sum at put_wall_runner_up over that at put_wall", LevelName::kPutWallRunnerUp},
    {"put_wall_change", "USD", "put_wall less that of the earlier session", LevelName::kPutWallChange},
    {"call_wall_unrestricted", "USD", "strike of the largest call gamma", LevelName::kCallWallUnrestricted},
    {"call_wall_unrestricted_runner_up", "USD", "strike of the second largest sum for call_wall_unrestricted",
     LevelName::kCallWallUnrestrictedRunnerUp},
    {"call_wall_unrestricted_ratio", "1", "sum at call_wall_unrestricted_runner_up over that at call_wall_unrestricted",
     LevelName::kCallWallUnrestrictedRunnerUp},
    {"call_wall_unrestricted_change", "USD", "call_wall_unrestricted less that of the earlier session",
     LevelName::kCallWallUnrestrictedChange},
    {"put_wall_unrestricted", "USD", "strike of the largest put gamma", LevelName::kPutWallUnrestricted},
    {"put_wall_unrestricted_runner_up", "USD", "strike of the second largest sum for put_wall_unrestricted",
     LevelName::kPutWallUnrestrictedRunnerUp},
    {"put_wall_unrestricted_ratio", "1", "sum at put_wall_unrestricted_runner_up over that at put_wall_unrestricted",
     LevelName::kPutWallUnrestrictedRunnerUp},
    {"put_wall_unrestricted_change", "USD", "put_wall_unrestricted less that of the earlier session",
     LevelName::kPutWallUnrestrictedChange},
    {"absolute_gamma_strike", "USD", "strike of the largest call plus put gamma", LevelName::kAbsoluteGammaStrike},
    {"absolute_gamma_strike_runner_up", "USD", "strike of the second largest sum for absolute_gamma_strike",
     LevelName::kAbsoluteGammaStrikeRunnerUp},
    {"absolute_gamma_strike_ratio", "1", "sum at absolute_gamma_strike_runner_up over that at absolute_gamma_strike",
     LevelName::kAbsoluteGammaStrikeRunnerUp},
    {"absolute_gamma_strike_change", "USD", "absolute_gamma_strike less that of the earlier session",
     LevelName::kAbsoluteGammaStrikeChange},
    {"gamma_level_1", "USD",
     "strike of the largest net gamma within 25 per cent of spot, other than the walls and absolute_gamma_strike",
     LevelName::kGammaLevel1},
    {"gamma_level_2", "USD",
     "strike of the second largest net gamma within 25 per cent of spot, other than the walls and "
     "absolute_gamma_strike",
     LevelName::kGammaLevel2},
    {"gamma_level_3", "USD",
     "strike of the third largest net gamma within 25 per cent of spot, other than the walls and absolute_gamma_strike",
     LevelName::kGammaLevel3},
    {"gamma_level_4", "USD",
     "strike of the fourth largest net gamma within 25 per cent of spot, other than the walls and "
     "absolute_gamma_strike",
     LevelName::kGammaLevel4},
    {"gamma_level_5", "USD",
     "strike of the fifth largest net gamma within 25 per cent of spot, other than the walls and absolute_gamma_strike",
     LevelName::kGammaLevel5},
    {"gamma_level_6", "USD",
     "strike of the sixth largest net gamma within 25 per cent of spot, other than the walls and absolute_gamma_strike",
     LevelName::kGammaLevel6},
    {"gamma_level_7", "USD",
     "strike of the seventh largest net gamma within 25 per cent of spot, other than the walls and "
     "absolute_gamma_strike",
     LevelName::kGammaLevel7},
    {"gamma_level_8", "USD",
     "strike of the eighth largest net gamma within 25 per cent of spot, other than the walls and "
     "absolute_gamma_strike",
     LevelName::kGammaLevel8},
    {"gamma_level_9", "USD",
     "strike of the ninth largest net gamma within 25 per cent of spot, other than the walls and absolute_gamma_strike",
     LevelName::kGammaLevel9},
    {"gamma_level_10", "USD",
     "strike of the tenth largest net gamma within 25 per cent of spot, other than the walls and absolute_gamma_strike",
     LevelName::kGammaLevel10},
    {"gamma_level_1_index", "1e9 USD", "net gamma exposure of gamma_level_1 per 1 per cent of spot",
     LevelName::kGammaLevel1},
    {"gamma_level_2_index", "1e9 USD", "net gamma exposure of gamma_level_2 per 1 per cent of spot",
     LevelName::kGammaLevel2},
    {"gamma_level_3_index", "1e9 USD", "net gamma exposure of gamma_level_3 per 1 per cent of spot",
     LevelName::kGammaLevel3},
    {"gamma_level_4_index", "1e9 USD", "net gamma exposure of gamma_level_4 per 1 per cent of spot",
     LevelName::kGammaLevel4},
    {"gamma_level_5_index", "1e9 USD", "net gamma exposure of gamma_level_5 per 1 per cent of spot",
     LevelName::kGammaLevel5},
    {"gamma_level_6_index", "1e9 USD", "net gamma exposure of gamma_level_6 per 1 per cent of spot",
     LevelName::kGammaLevel6},
    {"gamma_level_7_index", "1e9 USD", "net gamma exposure of gamma_level_7 per 1 per cent of spot",
     LevelName::kGammaLevel7},
    {"gamma_level_8_index", "1e9 USD", "net gamma exposure of gamma_level_8 per 1 per cent of spot",
     LevelName::kGammaLevel8},
    {"gamma_level_9_index", "1e9 USD", "net gamma exposure of gamma_level_9 per 1 per cent of spot",
     LevelName::kGammaLevel9},
    {"gamma_level_10_index", "1e9 USD", "net gamma exposure of gamma_level_10 per 1 per cent of spot",
     LevelName::kGammaLevel10},
    {"zero_gamma", "USD", "spot nearest to spot_reference where gamma exposure changes sign and is not weak",
     LevelName::kZeroGamma},
    {"zero_gamma_slope", "1e9 USD", "change of the gamma index per 1 per cent of spot at zero_gamma",
     LevelName::kZeroGamma},
    {"zero_gamma_prominence", "1", "prominence of zero_gamma over gross gamma exposure", LevelName::kZeroGamma},
    {"zero_gamma_count", "1", "number of sign changes between 0.8 and 1.2 of spot, weak ones included",
     LevelName::kZeroGammaCount},
    {"zero_gamma_change", "USD", "zero_gamma less that of the earlier session", LevelName::kZeroGammaChange},
    {"flip", "USD",
     "spot nearest to spot_reference where the book aged to the next close neither gains nor loses delta, volatility "
     "following the rule",
     LevelName::kFlip},
    {"flip_change", "USD", "flip less that of the earlier session", LevelName::kFlipChange},
    {"max_pain", "USD", "listed strike at which all open contracts would be worth least at settlement",
     LevelName::kMaxPain},
    {"put_call_ratio_open_interest", "1", "put over call contracts open", LevelName::kPutCallRatioOpenInterest},
    {"put_call_ratio_volume", "1", "put over call contracts traded", LevelName::kPutCallRatioVolume},
    {"gamma_centroid", "USD", "mean strike weighted with gamma", LevelName::kGammaCentroid},
    {"vega_centroid", "USD", "mean strike weighted with vega", LevelName::kVegaCentroid},
    {"open_interest_centroid", "USD", "mean strike weighted with open interest times multiplier",
     LevelName::kOpenInterestCentroid},
    {"speed_pivot_up", "USD", "nearest spot above where gross speed changes sign", LevelName::kSpeedPivotUp},
    {"speed_pivot_down", "USD", "nearest spot below where gross speed changes sign", LevelName::kSpeedPivotDown},
    {"speed_target_up", "USD", "nearest spot above where gross speed has an extremum", LevelName::kSpeedTargetUp},
    {"speed_target_down", "USD", "nearest spot below where gross speed has an extremum", LevelName::kSpeedTargetDown},
    {"speed_asymmetry", "1", "(spot - speed_target_down) / (speed_target_up - spot) - 1", LevelName::kSpeedAsymmetry},
    {"vomma_zone_down_low", "USD", "lower edge of the vomma zone above spot, volatility down",
     LevelName::kVommaZoneDownLow},
    {"vomma_zone_down_high", "USD", "upper edge of the vomma zone above spot, volatility down",
     LevelName::kVommaZoneDownHigh},
    {"vomma_zone_up_low", "USD", "lower edge of the vomma zone below spot, volatility up", LevelName::kVommaZoneUpLow},
    {"vomma_zone_up_high", "USD", "upper edge of the vomma zone below spot, volatility up",
     LevelName::kVommaZoneUpHigh},
    {"vomma_zone_asymmetry", "1", "width of the zone under volatility up over that under volatility down, less 1",
     LevelName::kVommaZoneAsymmetry},
    {"expected_move", "1", "one standard deviation of the log return to the next close", LevelName::kExpectedMove},
    {"hedge_up", "shares", "shares that dealers buy when spot rises by expected_move at once", LevelName::kHedgeUp},
    {"hedge_down", "shares", "shares that dealers buy when spot falls by expected_move at once", LevelName::kHedgeDown},
    {"hedge_up_usd", "USD", "hedge_up at the spot after the move", LevelName::kHedgeUp},
    {"hedge_down_usd", "USD", "hedge_down at the spot after the move", LevelName::kHedgeDown},
    {"hedge_up_volume_share", "1", "hedge_up over average daily volume", LevelName::kHedgeUpVolumeShare},
    {"hedge_down_volume_share", "1", "hedge_down over average daily volume", LevelName::kHedgeDownVolumeShare},
}};

std::string_view name(LevelStatus status) {
  switch (status) {
    case LevelStatus::kOk:
      return "ok";
    case LevelStatus::kNoSignChange:
      return "no_sign_change";
    case LevelStatus::kNoContracts:
      return "no_contracts";
    case LevelStatus::kOutsideRange:
      return "outside_range";
    case LevelStatus::kOnlyWeak:
      return "only_weak";
    case LevelStatus::kNoPrevious:
      return "no_previous";
    case LevelStatus::kNoCalls:
      return "no_calls";
    case LevelStatus::kNoRunnerUp:
      return "no_runner_up";
    case LevelStatus::kNoAverageVolume:
      return "no_average_volume";
  }
  return "";
}

}  // namespace greekgrid

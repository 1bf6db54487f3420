#pragma once

/// @file
/// The levels of a ticker under one position model: every column of /levels with its name, meaning and unit, in the one
/// order that files, tables and cards use.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "greekgrid/kernels/greek.hpp"

namespace greekgrid {

/// Why a level is null.
enum class LevelStatus : std::int8_t {
  kOk = 0,
  kNoSignChange = 1,     ///< the exposure has one sign over the whole range
  kNoContracts = 2,      ///< nothing there that could be summed
  kOutsideRange = 3,     ///< it lies beyond the range of spots searched, 0.8 to 1.2 of the reference
  kOnlyWeak = 4,         ///< the exposure changes sign, but nowhere by 1 % of gross
  kNoPrevious = 5,       ///< no result of an earlier session was given, or it has no such level
  kNoCalls = 6,          ///< a ratio to calls without any
  kNoRunnerUp = 7,       ///< one strike alone, or fewer strikes than asked for
  kNoAverageVolume = 8,  ///< no daily volume of the underlying was given
};
inline constexpr int kLevelStatusCount = 9;
/// How files spell a status.
std::string_view name(LevelStatus status);

/// A level with the reason when there is none; value is NaN exactly when status is not ok.
struct Level {
  double value = std::numeric_limits<double>::quiet_NaN();
  LevelStatus status = LevelStatus::kNoContracts;

  bool ok() const { return status == LevelStatus::kOk; }
  static Level of(double value) { return {value, LevelStatus::kOk}; }
  static Level null(LevelStatus why) { return {std::numeric_limits<double>::quiet_NaN(), why}; }
};

/// The columns of /levels beside ticker and position. docs/numbers.md has formulas, signs and sources.
enum class LevelName : std::uint8_t {
  kGammaIndex,
  kGammaIndexRatio,
  kGammaIndexChange,
  kSpotBasisFactor,
  kCallWall,
  kCallWallRunnerUp,
  kCallWallRatio,
  kCallWallChange,
  kPutWall,
  kPutWallRunnerUp,
  kPutWallRatio,
  kPutWallChange,
  kCallWallUnrestricted,
  kCallWallUnrestrictedRunnerUp,
  kCallWallUnrestrictedRatio,
  kCallWallUnrestrictedChange,
  kPutWallUnrestricted,
  kPutWallUnrestrictedRunnerUp,
  kPutWallUnrestrictedRatio,
  kPutWallUnrestrictedChange,
  kAbsoluteGammaStrike,
  kAbsoluteGammaStrikeRunnerUp,
  kAbsoluteGammaStrikeRatio,
  kAbsoluteGammaStrikeChange,
  kGammaLevel1,
  kGammaLevel2,
  kGammaLevel3,
  kGammaLevel4,
  kGammaLevel5,
  kGammaLevel6,
  kGammaLevel7,
  kGammaLevel8,
  kGammaLevel9,
  kGammaLevel10,
  kGammaLevel1Index,
  kGammaLevel2Index,
  kGammaLevel3Index,
  kGammaLevel4Index,
  kGammaLevel5Index,
  kGammaLevel6Index,
  kGammaLevel7Index,
  kGammaLevel8Index,
  kGammaLevel9Index,
  kGammaLevel10Index,
  kZeroGamma,
  kZeroGammaSlope,
  kZeroGammaProminence,
  kZeroGammaCount,
  kZeroGammaChange,
  kFlip,
  kFlipChange,
  kMaxPain,
  kPutCallRatioOpenInterest,
  kPutCallRatioVolume,
  kGammaCentroid,
  kVegaCentroid,
  kOpenInterestCentroid,
  kSpeedPivotUp,
  kSpeedPivotDown,
  kSpeedTargetUp,
  kSpeedTargetDown,
  kSpeedAsymmetry,
  kVommaZoneDownLow,
  kVommaZoneDownHigh,
  kVommaZoneUpLow,
  kVommaZoneUpHigh,
  kVommaZoneAsymmetry,
  kExpectedMove,
  kHedgeUp,
  kHedgeDown,
  kHedgeUpUsd,
  kHedgeDownUsd,
  kHedgeUpVolumeShare,
  kHedgeDownVolumeShare,
};
inline constexpr std::size_t kLevelCount = static_cast<std::size_t>(LevelName::kHedgeDownVolumeShare) + 1;
inline constexpr std::size_t kGammaLevels = 10;  ///< gamma_level_1 .. 10

/// How files name and describe a level.
struct LevelText {
  std::string_view name;
  std::string_view units;
  std::string_view meaning;
  /// The level whose status says why this one is null too; its own index where it has a status of its own.
  LevelName status_of;
};
/// By LevelName.
extern const std::array<LevelText, kLevelCount> kLevelTexts;

constexpr std::size_t index(LevelName name) {
  return static_cast<std::size_t>(name);
}
inline bool has_own_status(LevelName name) {
  return kLevelTexts[index(name)].status_of == name;
}

/// One row of /levels.
struct LevelRow {
  std::string ticker, position;
  std::array<Level, kLevelCount> level{};

  Level& operator[](LevelName name) { return level[index(name)]; }
  const Level& operator[](LevelName name) const { return level[index(name)]; }
};

/// What changes sign at a row of /crossing.
enum class CrossingKind : std::int8_t {
  kZeroGamma = 0,  ///< gx at the quote instant, sticky strike
  kFlip = 1,       ///< gx + vanna dsigma/dS with the book aged to the next close
};

/// One row of /crossing.
struct CrossingRow {
  std::string ticker, position;
  CrossingKind kind = CrossingKind::kZeroGamma;
  double price = 0.0;       ///< USD
  double slope = 0.0;       ///< 1e9 USD: d(gamma index) per 1 % of spot, at the root
  double prominence = 0.0;  ///< 1: the lesser of the largest |exposure| on either side up to the next root or the end
                            ///< of the range, over gross gx at the reference spot

  /// Less than 1 % of gross changes sign: the root is one of noise or of far strikes.
  bool weak() const { return !(prominence >= 0.01); }
};

/// Greeks of the weekday ladder, in its order.
inline constexpr std::array<Greek, 8> kLadderGreeks = {Greek::kGamma, Greek::kColor, Greek::kZomma, Greek::kVega,
                                                       Greek::kVeta,  Greek::kVomma, Greek::kVanna, Greek::kUltima};

/// One row of /ladder: net exposures of the book aged to a close, averaged over a band of spots.
struct LadderRow {
  std::string ticker, position;
  std::int32_t session = 0;                              ///< 0 the quote instant, k the k-th next close
  std::int64_t time = 0;                                 ///< s since the epoch
  double band_low = 0.0, band_high = 0.0;                ///< USD: spot_reference e^(-+ expected_move)
  std::array<double, kLadderGreeks.size()> exposure{};   ///< units of the exposure of the Greek
  std::array<double, kLadderGreeks.size()> asymmetry{};  ///< 1, in [-1, 1]; NaN where everything is 0
};

}  // namespace greekgrid

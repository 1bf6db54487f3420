#pragma once

/// @file
/// Names, units and meanings of night.h5 that its writer and its reader share. Private to io/hdf5.

#include <array>
#include <cstddef>

#include "greekgrid/kernels/greek.hpp"

namespace greekgrid::h5 {

inline constexpr const char* kNightSchema = "greekgrid.night";

/// How files spell a Greek.
struct GreekText {
  const char* surface;         ///< name of its exposure
  const char* surface_units;   ///< of the exposure
  const char* contract_units;  ///< raw, per share
  const char* derivative;      ///< for long_name
};

/// In the order of Greek.
inline constexpr std::array<GreekText, kGreekCount> kGreekText = {{
    {"dx", "shares", "1", "dV/dS"},
    {"gx", "shares USD-1", "USD-1", "d2V/dS2"},
    {"charm", "shares common_year-1", "common_year-1", "d2V/dS dt"},
    {"vanna", "shares vol-1", "vol-1", "d2V/dS dsigma"},
    {"speed", "shares USD-2", "USD-2", "d3V/dS3"},
    {"zomma", "shares USD-1 vol-1", "USD-1 vol-1", "d3V/dS2 dsigma"},
    {"color", "shares USD-1 common_year-1", "USD-1 common_year-1", "d3V/dS2 dt"},
    {"vega", "USD vol-1", "USD vol-1", "dV/dsigma"},
    {"vomma", "USD vol-2", "USD vol-2", "d2V/dsigma2"},
    {"ultima", "USD vol-3", "USD vol-3", "d3V/dsigma3"},
    {"theta", "USD common_year-1", "USD common_year-1", "dV/dt"},
    {"veta", "USD vol-1 common_year-1", "USD vol-1 common_year-1", "d2V/dsigma dt"},
}};

/// Surfaces of /intraday, in the order of IntradaySurface.
struct SessionText {
  const char* name;
  const char* units;
  const char* meaning;
};
inline constexpr std::array<SessionText, 6> kSessionText = {{
    {"dx", "shares", "delta exposure: sum of dealer contracts times multiplier times dV/dS"},
    {"gx", "shares USD-1", "gamma exposure: sum of dealer contracts times multiplier times d2V/dS2"},
    {"charm", "shares common_year-1", "charm exposure: sum of dealer contracts times multiplier times d2V/dS dt"},
    {"vanna", "shares vol-1", "vanna exposure: sum of dealer contracts times multiplier times d2V/dS dsigma"},
    {"charm_heatmap", "contract_delta",
     "contract-delta gained from this instant to the next at fixed spot: difference of dx over 100"},
    {"gamma_heatmap", "contract_delta",
     "contract-delta gained over a rise of spot by gamma_move: gx times gamma_move over 100"},
}};

inline constexpr const char* kDeltaChange = "delta_change";
inline constexpr const char* kKeptBits = "_QuantizeBitRoundNumberOfSignificantBits";

// Names of the values of the enumerations, in their order.
inline constexpr const char* kForwardSourceMeanings = "missing parity neighbour_carry given_rate_and_yield";
inline constexpr const char* kIvSourceMeanings = "missing own_mid vendor opposite_right smile neighbour_expiry";
inline constexpr const char* kLevelStatusMeanings =
    "ok no_sign_change no_contracts outside_range only_weak no_previous no_calls no_runner_up no_average_volume";
inline constexpr const char* kCrossingKindMeanings = "zero_gamma flip";
inline constexpr const char* kNoYesMeanings = "no yes";
inline constexpr const char* kLineKindMeanings = "gamma_ridge_high gamma_ridge_low zero_gamma zero_charm";
inline constexpr const char* kPathStatusMeanings = "ok repelling singular left_grid no_data";
inline constexpr const char* kTickerStatusMeanings =
    "ok no_contracts all_expired no_spot too_little_iv not_in_chain no_open_interest spot_contradicted "
    "stage_failed";
inline constexpr const char* kQuoteStatusMeanings =
    "missing ok placeholder no_bid crossed wide below_intrinsic above_bound";
inline constexpr const char* kSmileKindMeanings = "missing svi svi_fixed_place flat neighbour_expiry";
inline constexpr const char* kMetricStatusMeanings = "ok outside_range no_smile no_quotes";
inline constexpr const char* kSpotSourceMeanings = "missing vendor parity";
inline constexpr int kTickerStatusCount = 9, kSpotSourceCount = 3;

}  // namespace greekgrid::h5

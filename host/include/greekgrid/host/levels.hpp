#pragma once

/// @file
/// Gamma levels of one ticker under one position model, at the quote instant, IV shift 0 and sticky strike.

#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/night_result.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// Levels and crossings of one ticker and model.
struct TickerLevels {
  LevelRow level;
  std::vector<CrossingRow> crossing;  ///< ascending price
};

/// Computes walls, absolute gamma strike, gamma index and every zero-gamma price.
///
/// @param book    one position model's view (weights (1, n))
/// @param gamma   (n) gamma per share at S0, USD-1
/// @param grid    the ticker's grid: its spot range bounds zero_gamma, its floor applies; time[0] is the instant
/// @param sampler evaluates the gamma exposure at 2001 or more log-spaced spots of that range, 0.02 % apart at most (up
/// to
///                a half-width of 10 in ln S); every change of sign between samples is refined by bracketing on the
///                plain closed form to 1e-9 of spot. Net gamma below 1e-12 of gross has no sign: a balanced book has no
///                roots
TickerLevels compute_levels(const BookView& book, std::span<const double> gamma, const GridView& grid,
                            Backend& sampler);

/// Gamma exposure and its derivative speed exposure at a spot, by the plain closed form: shares USD-1, shares USD-2.
struct GammaPoint {
  double gamma = 0.0;
  double speed = 0.0;
  double gross = 0.0;  ///< sum of the magnitudes of gamma's terms
};
GammaPoint gamma_exposure(const BookView& book, const GridView& grid, double spot);

}  // namespace greekgrid

#pragma once

/// @file
/// How weighted outcomes stand against what came, for several ensembles at once. Vectorised (Highway, dispatched at run
/// time), single-threaded, safe to call from any number of threads.

#include <array>
#include <cstddef>
#include <span>

namespace greekgrid {

/// Ensembles that are scored at once.
inline constexpr std::size_t kEnsembles = 8;

/// One number of each ensemble.
using EnsembleRow = std::array<double, kEnsembles>;

/// Scores of each ensemble. Sums run over its outcomes in the order given, each operation rounded and none fused, so
/// every instruction set gives the bits of the same loop over one ensemble.
struct EnsembleScores {
  EnsembleRow mean;      ///< sum w y
  EnsembleRow squares;   ///< sum w^2
  EnsembleRow distance;  ///< sum w |y_i - came|
  EnsembleRow spread;    ///< 1/2 sum sum w_i w_j |y_i - y_j| = sum (y_{k+1} - y_k) W_k (1 - W_k)
  EnsembleRow pit;       ///< sum w [y_i < came] + 1/2 sum w [y_i = came]
};

/// @param y    (N) rows of outcomes, ascending in each ensemble; N >= 1
/// @param w    (N) rows of weights > 0, scaled in place to sum to 1
/// @param came what came
/// @param probability (Q) of the quantiles
/// @param quantile    (Q) by the rule y(C_i), C_i = sum_{j<=i} w_j - w_i/2, linear between, constant beyond
EnsembleScores score_ensembles(std::span<const EnsembleRow> y, std::span<EnsembleRow> w, const EnsembleRow& came,
                               std::span<const double> probability, std::span<EnsembleRow> quantile);

}  // namespace greekgrid

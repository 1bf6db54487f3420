#pragma once

/// @file
/// What brute force promises in place of the spectral evaluator. Private to kernels.

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// What brute force in single precision is within, relative to the largest magnitude of a surface.
inline constexpr double kBruteFp32Error = 5e-6;

/// The precision of brute force: double where a tolerance below what single precision is within is asked for.
constexpr Precision brute_precision(Precision asked, const EvaluatorOptions& options) {
  const bool keeps = options.evaluator == Evaluator::kBrute || options.tolerance >= kBruteFp32Error;
  return keeps ? asked : Precision::kFp64;
}

}  // namespace greekgrid

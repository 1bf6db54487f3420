// The names of the evaluators.

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

std::string_view name(Evaluator evaluator) {
  return evaluator == Evaluator::kAuto ? "auto" : evaluator == Evaluator::kBrute ? "brute" : "spectral";
}

std::optional<Evaluator> evaluator_from_name(std::string_view text) {
  for (const Evaluator evaluator : {Evaluator::kAuto, Evaluator::kBrute, Evaluator::kSpectral}) {
    if (name(evaluator) == text) return evaluator;
  }
  return std::nullopt;
}

}  // namespace greekgrid

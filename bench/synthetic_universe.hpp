#pragma once

/// @file
/// A made universe in memory, through the code that a run takes: chain, snapshot, positions, books, grids.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "greekgrid/host/snapshot.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/scenarios/scenario_config.hpp"

namespace greekgrid::bench {

class SyntheticUniverse {
 public:
  SyntheticUniverse(std::int32_t tickers, std::int64_t contracts, const ScenarioConfig& scenarios);
  SyntheticUniverse(const SyntheticUniverse&) = delete;
  SyntheticUniverse& operator=(const SyntheticUniverse&) = delete;

  std::size_t tickers() const { return books_.size(); }
  std::size_t contracts() const { return snapshot_.contracts(); }
  double evaluations() const { return evaluations_; }

  /// Evaluates every ticker, the largest first, in blocks of tickers whose results take turns in one memory.
  void evaluate(Backend& backend, GreekSet greeks);

 private:
  ScenarioConfig scenarios_;
  Snapshot snapshot_;
  std::vector<std::int64_t> times_;
  std::vector<std::vector<double>> weights_;
  std::vector<std::vector<std::int64_t>> expiry_begin_;
  std::vector<BookView> books_;  // by contracts, most first
  std::vector<GridView> grids_;
  std::vector<double> results_;
  double evaluations_ = 0.0;
};

}  // namespace greekgrid::bench

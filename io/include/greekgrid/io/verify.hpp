#pragma once

/// @file
/// Whether a chains.h5, history.h5 or night.h5 holds to its schema: structure, checksums, statements about its values,
/// and surfaces recomputed from the book beside them.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// How much of the surfaces to recompute.
struct VerifyOptions {
  double share = 0.001;               ///< of the scenarios of every ticker, in [0, 1]; never fewer than 16 of them
  std::optional<std::int64_t> cells;  ///< scenarios over all tickers instead of the share; at least one of each ticker
  bool all = false;                   ///< every scenario
  std::uint64_t seed = 1;             ///< of the draw
  /// Bound of a cell's error relative to the largest magnitude of its surface, instead of that of the precision in
  /// /run: 5e-6 for fp32, 1e-11 for fp64. Where a surface cancels 1e-6 and 1e-11 of a cell's gross sum are allowed.
  std::optional<double> tolerance;
  /// Called between blocks, some seconds apart at the most; what it throws ends the verification.
  std::function<void()> poll = [] {};
};

/// One rule and what became of it.
struct VerifyCheck {
  std::string name;
  std::int64_t count = 0;          ///< statements looked at
  std::int64_t failures = 0;       ///< of them false
  std::vector<std::string> shown;  ///< the first ten: variable, index, rule, value

  bool holds() const { return failures == 0; }
};

/// The cell of a surface that is farthest from its recomputation.
struct WorstCell {
  std::string surface, ticker, position, iv_rule, time;
  double iv_shift = 0.0, spot_step = 0.0;
  double stored = 0.0, recomputed = 0.0;
  double of_largest = 0.0;  ///< error over the largest magnitude of its surface
  double of_gross = 0.0;    ///< error over the sum of magnitudes of the cell
  double of_tolerance = 0.0;
};

/// What was found in one file.
struct VerifyReport {
  std::string schema, version;
  std::vector<VerifyCheck> checks;  ///< in the order in which they were made
  std::vector<WorstCell> worst;     ///< one per surface with recomputed cells
  std::vector<std::string> notes;   ///< what a newer MINOR has beyond this program's, and what was not looked at

  bool holds() const {
    for (const VerifyCheck& check : checks) {
      if (!check.holds()) return false;
    }
    return true;
  }
};

/// Verifies one file. The file is foreign: it is read by child processes under limits of memory and time, block by
/// block of tickers (65,536 contracts or 256 MiB of surfaces, one ticker at the least), and what they hand over is
/// looked at again.
/// @throws InputError for a file that cannot be opened as one of this program's of this MAJOR.
VerifyReport verify_file(const std::filesystem::path& path, const VerifyOptions& options);

}  // namespace greekgrid

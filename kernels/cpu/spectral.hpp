#pragma once

/// @file
/// The spectral evaluator's loops on the CPU: sums of contracts at Chebyshev nodes and what is made of them for one
/// row, an instant and an IV shift. The mathematics is in spectral/plan.hpp.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/aligned.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "spectral/plan.hpp"

namespace greekgrid::cpu {

/// A level in the precision of the nodes.
struct NodeLevel {
  spectral::Level level;
  AlignedVector<float> node32;      ///< (n)
  AlignedVector<double> node64;     ///< (n)
  AlignedVector<double> even, odd;  ///< (n/2, n/2 padded) see spectral::Level
  std::size_t padded = 0;           ///< n/2 in whole vectors
  std::size_t at = 0;               ///< of its first node in the sums of a row
};

/// What all rows share.
struct SpectralLevels {
  std::vector<NodeLevel> level;  ///< ascending node counts
  std::size_t nodes = 0;         ///< of all levels together
};
SpectralLevels make_spectral_levels(bool fp64_nodes);

/// What all rows with so many spots share.
struct SpectralTables {
  const SpectralLevels* levels = nullptr;
  spectral::Expansion expansion;
  std::size_t half = 0;                ///< spots of a half, padded
  AlignedVector<float> even32, odd32;  ///< (kCoefficients / 2, half) padded
  AlignedVector<double> even64, odd64;
};
SpectralTables make_spectral_tables(std::size_t spots, const SpectralLevels& levels);

/// One position model of one book, without its zero weights.
struct SpectralPosition {
  struct Contracts {
    std::vector<double> log_moneyness, moneyness, strike, sigma, weight, right;  ///< (n), kRowPad more can be read
    std::array<std::vector<double>*, 6> columns() {
      return {&log_moneyness, &moneyness, &strike, &sigma, &weight, &right};
    }
    std::array<const std::vector<double>*, 6> columns() const {
      return {&log_moneyness, &moneyness, &strike, &sigma, &weight, &right};
    }
  };
  Contracts by_sigma;                        ///< ascending within an expiry
  Contracts by_strike;                       ///< the same contracts
  std::vector<std::size_t> begin;            ///< (E + 1)
  std::vector<double> signed_weight;         ///< (n + 1) of by_sigma: sums of right * weight of those before
  std::vector<double> signed_weight_strike;  ///< (n + 1) and of right * weight * strike
};
SpectralPosition prepare_position(const BookView& book, std::size_t position);

/// One attempt at a job: the error of a node count that is accepted, relative to a contract's own magnitude, and where
/// single precision will do.
struct SpectralAccuracy {
  double error = 1e-9;
  bool fp64_nodes = true;
  bool fp64_expansion = true;
};

/// The widths that node counts take at an error, for a set of Greeks.
struct NodeWidths {
  std::vector<double> widest;                              ///< (levels) the largest A that a level takes
  std::array<double, spectral::kTopCount> top_error = {};  ///< of each top relative to a contract's magnitude
};
NodeWidths make_node_widths(const SpectralLevels& levels, GreekSet greeks, double error);

/// An expiry at an instant, all 0 where it is over.
inline constexpr std::size_t kPaddedFamilies = 16;
static_assert(kPaddedFamilies >= spectral::kFamilyCount);
struct TimedExpiry {
  double tau = 0.0, root = 0.0, discount_q = 0.0, discount_r = 0.0;  ///< years, its root, e^{-q tau}, e^{-r tau}
  std::array<double, kPaddedFamilies> factor = {};                   ///< of the families
};

/// What the rows of a job share in one attempt.
struct SpectralJob {
  const ExposureJob* job = nullptr;
  const SpectralTables* tables = nullptr;
  SpectralAccuracy accuracy;
  spectral::Interval interval;
  spectral::CombinePlan plan;
  double basis = 1.0, centre_spot = 0.0;    ///< e^b, S0 e^b e^centre
  std::vector<double> growth_coefficients;  ///< of e^{L t}
  std::vector<double> widest;               ///< see NodeWidths
  std::array<double, spectral::kTopCount> top_error = {};
  bool pins_ends = false;              ///< second integrals are made to have their values at the ends
  bool exact_exp = false;              ///< exp(-d^2/2) at nodes to the last place
  double window = 0.0;                 ///< |d| beyond which direct evaluation takes a contract for settled
  std::vector<TimedExpiry> timed;      ///< (times, E)
  std::vector<double> shift_scale;     ///< (E) what an IV shift is multiplied with
  std::vector<double> growth;          ///< (J padded) S_j / S0
  std::vector<double> spot, per_spot;  ///< S_j e^b and its inverse from [kRowPad] on, room on both sides
};
SpectralJob prepare_job(const ExposureJob& job, GreekSet greeks, const SpectralTables& tables,
                        const SpectralAccuracy& accuracy, const NodeWidths& widths);

/// What a row came to, by Greek.
struct RowOutcome {
  double* largest;   ///< (G) the largest magnitude
  double* bound;     ///< (G) bound of the error of truncation
  double* rounding;  ///< (G) estimate of the error of rounding
};

/// Contracts of rows by what evaluated them.
struct EvaluationCounts {
  std::int64_t at_nodes = 0;  ///< contracts times nodes
  std::int64_t direct = 0;    ///< contracts evaluated at spots
};

struct SpectralScratch;
struct SpectralScratchDeleter {
  void operator()(SpectralScratch* scratch) const;
};
using SpectralScratchPointer = std::unique_ptr<SpectralScratch, SpectralScratchDeleter>;
/// Scratch memory of one thread.
SpectralScratchPointer make_spectral_scratch();

/// Writes one row, an instant and an IV shift, of one position model to out[g * out_stride + j].
EvaluationCounts evaluate_spectral_row(const SpectralJob& shared, const SpectralPosition& position, std::size_t row,
                                       SpectralScratch& scratch, double* out, std::size_t out_stride,
                                       const RowOutcome& outcome);

}  // namespace greekgrid::cpu

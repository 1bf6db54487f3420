#pragma once

/// @file
/// What a device holds of the jobs of a chunk that go to the spectral evaluator (see spectral/plan.hpp), beside the
/// tables of all jobs.

#include <cstdint>

#include "greekgrid/kernels/host_device.hpp"
#include "tables.hpp"

namespace greekgrid::cuda {

/// Node counts of the levels, and where the nodes and matrices of a level begin among those of all.
inline constexpr int kLevels = 6;
GREEKGRID_HD constexpr std::uint32_t level_nodes(int level) {
  // 16, 24, 32, 48, 64, 96: arithmetic, where an array would be read from memory.
  return level % 2 == 0 ? 16U << (level / 2) : 24U << (level / 2);
}
GREEKGRID_HD constexpr std::uint32_t level_begin(int level) {
  // Pairs of levels have 40 nodes, 80, 160.
  return 40U * ((1U << (level / 2)) - 1U) + (level % 2 == 0 ? 0U : 16U << (level / 2));
}
inline constexpr std::uint32_t kAllNodes = level_begin(kLevels);
/// Two matrices of (nodes/2)^2 for each level, those of even degrees first.
GREEKGRID_HD constexpr std::uint32_t matrix_begin(int level) {
  std::uint32_t begin = 0;
  for (int i = 0; i < level; ++i) begin += level_nodes(i) * level_nodes(i) / 2;
  return begin;
}
inline constexpr std::uint32_t kMatrixValues = matrix_begin(kLevels);

/// Families (spectral::Family) that a set of Greeks needs, by slot.
inline constexpr int kAllFamilies = 12;
GREEKGRID_HD constexpr int family_slots(int greeks) {
  return greeks == 3 ? 4 : greeks == 11 ? 9 : kAllFamilies;
}
GREEKGRID_HD constexpr int family_of_slot(int greeks, int slot) {
  return greeks == 3 && slot == 3 ? 6 : slot;
}
/// The top of a family: 0 H21, 1 H22, 2 H12, 3 H24.
GREEKGRID_HD constexpr int top_of_family(int family) {
  return family < 4 ? 0 : family < 6 ? 1 : family < 8 ? 2 : family == 8 || family == 11 ? 3 : 1;
}

/// Doubles of the slot of a work item: its families at all nodes, then what adds up whatever the levels: their
/// integrals at the anchor (families, 3), r C2, and its magnitudes.
GREEKGRID_HD constexpr std::uint32_t magnitude_values(int greeks) {
  return static_cast<std::uint32_t>(family_slots(greeks)) * 8 + 4;
}
GREEKGRID_HD constexpr std::uint32_t anchor_values(int greeks) {
  return static_cast<std::uint32_t>(family_slots(greeks)) * 3 + 1;
}
GREEKGRID_HD constexpr std::uint32_t slot_values(int greeks) {
  return static_cast<std::uint32_t>(family_slots(greeks)) * kAllNodes + anchor_values(greeks) +
         magnitude_values(greeks);
}
/// Doubles that say how a row came out: the largest magnitude of each Greek of the kernel over its spots, then what its
/// contracts amount to at nodes (spectral::Magnitudes): sums (families, 4), squares (families, 4), both of r C2; then
/// contracts times nodes, and contracts that are evaluated spot by spot.
GREEKGRID_HD constexpr std::uint32_t outcome_values(int greeks) {
  return static_cast<std::uint32_t>(greeks) + magnitude_values(greeks);
}

struct SpectralJob {
  double centre;                ///< of the interval of ln(S/S0)
  double half_width;            ///< L
  double least_total[kLevels];  ///< least sigma sqrt(tau) of a level, descending: L over the largest width it resolves
  std::uint64_t slot;           ///< first, in slots: (segment, row)
  std::uint64_t outcome;        ///< first row, in rows of the chunk
  std::uint64_t row_end;        ///< rows of this and earlier spectral jobs
  std::uint32_t job;            ///< into the chunk's jobs
  std::uint32_t rows;           ///< (W, T, V)
  std::uint32_t segments;
  std::uint32_t growth;  ///< first, into the coefficients of e^{L t}
  std::uint32_t growth_count;
  std::uint32_t adds;  ///< 1: the exposures hold what was evaluated spot by spot
};

/// The contracts of one expiry of a spectral job.
struct ExpiryRange {
  std::uint32_t job;
  std::uint32_t contract;  ///< first, into the chunk's contracts
  std::uint32_t count;
};

struct SpectralTables {
  Tables tables;
  const SpectralJob* jobs;
  const ExpiryRange* ranges;
  const double* node;    ///< (kAllNodes)
  const double* matrix;  ///< (kMatrixValues)
  const double* growth;
  double* slots;        ///< (slots, slot_values)
  double* outcome;      ///< (rows, outcome_values)
  std::uint32_t* used;  ///< (slots) levels that an item has, as bits
  std::uint32_t job_count;
};

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// From sums at nodes to exposures at spots: one block, one row (position model, instant, IV shift), all Greeks, in
/// fp64.
///
/// Segments are added in their order; sums at nodes become Chebyshev coefficients, the integrals that the Greeks need
/// are recurrences of these (their terms are those of spectral::kTerms), and a thread expands all functions at a pair
/// of spots that lie symmetrically about the middle, T_k by its recurrence.
///
/// Not by batched products of cuBLAS: for 11 Greeks, 201 spots and 60 coefficients these are 289 kflop a row against
/// 157 here (parity), and would write and read 65 kB of coefficients and functions that here never leave the block,
/// beside the 25 kB that both read and write (docs/cuda.md).

#include <cstdint>

#include "device_math.hpp"
#include "moments.hpp"
#include "spectral_tables.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

/// Coefficients that are carried: those of the most nodes, and room for three integrals and growth.
inline constexpr std::uint32_t kSpectralCoefficients = 104;

template <int Greeks>
struct ExpansionBody {
  SpectralTables spectral;

  static constexpr std::uint32_t kThreads = 128;
  static constexpr int kFamilies = family_slots(Greeks);
  /// Functions expanded: the Greeks, of theta the part that S multiplies, and last its other part.
  static constexpr int kFunctions = Greeks == 3 ? 3 : Greeks + 1;

  /// Columns of coefficients: the families, their first, second and third integrals as far as they are read.
  enum Column : int { kTop = 0, kFirst = kFamilies, kSecond = 2 * kFamilies };
  static constexpr int kSecondColumns = Greeks == 3 ? 3 : Greeks == 11 ? 5 : 7;
  static constexpr int kGrown = kSecond + kSecondColumns;  ///< H10 of r times e^{L t}, then tau-fold H-11, then r C2
  static constexpr int kBond = kGrown + 1;
  static constexpr int kThird = kBond + 1;
  static constexpr int kColumns = Greeks == 3 ? kGrown : Greeks == 11 ? kBond + 1 : kThird + 1;
  /// Even, so that a row of coefficients is read in pairs; with 34 a half warp meets a bank twice.
  static constexpr int kStride = (kColumns + 1) / 2 * 2;

  struct State {
    std::uint32_t used;
    std::uint32_t most;  ///< nodes
  };
  struct Shared {
    alignas(16) double coefficient[kSpectralCoefficients][kStride];
    double even[kFamilies][48];
    double odd[kFamilies][48];
    double anchor[kFamilies][3];
    double bond;
    double largest[Greeks][kThreads / 8];
    SpectralJob own;
    Job job;
    std::uint32_t row;
  };

  GREEKGRID_HD bool operator()(int phase, ThreadCoord at, State& state, Shared& shared) const {
    if (phase == 0) {
      if (at.thread == 0) find_row(at.block, shared);
      for (std::uint32_t k = at.thread; k < kSpectralCoefficients; k += at.threads) {
        GREEKGRID_UNROLL
        for (int c = 0; c < kStride; ++c) shared.coefficient[k][c] = 0.0;
      }
      return true;
    }
    if (phase == 1) begin(at, state, shared);
    constexpr int kLevelPhases = 2 * kLevels;
    if (phase <= kLevelPhases) {
      const int level = (phase - 1) / 2;
      if ((state.used >> level & 1U) == 0) return true;
      if (phase % 2 == 1) {
        gather(level, at, shared);
      } else {
        transform(level, at, shared);
      }
      return true;
    }
    switch (phase - kLevelPhases) {
      case 1:
        integrate_all(1, at, shared);
        return true;
      case 2:
        anchor_all(1, at, shared);
        return true;
      case 3:
        integrate_all(2, at, shared);
        if constexpr (Greeks > 3) grow(at, shared);
        return true;
      case 4:
        anchor_all(2, at, shared);
        return true;
      case 5:
        if constexpr (Greeks > 3) integrate_all(3, at, shared);
        return true;
      case 6:
        if constexpr (Greeks > 3) anchor_all(3, at, shared);
        return true;
      case 7:
        combine(at, shared);
        return true;
      case 8:
        expand(at, state, shared);
        return true;
      case 9:
        find_largest(at, shared);
        return true;
      default:
        break;
    }
    if (at.thread < Greeks) {
      double largest = 0.0;
      for (std::uint32_t part = 0; part < kThreads / 8; ++part) {
        largest = math::max(largest, shared.largest[at.thread][part]);
      }
      outcome_of(shared)[at.thread] = largest;
    }
    return false;
  }

 private:
  GREEKGRID_HD void find_row(std::uint64_t block, Shared& shared) const {
    std::uint32_t low = 0;
    std::uint32_t high = spectral.job_count - 1;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (spectral.jobs[middle].row_end <= block) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    shared.own = spectral.jobs[low];
    shared.job = spectral.tables.jobs[shared.own.job];
    shared.row = static_cast<std::uint32_t>(block - (shared.own.row_end - shared.own.rows));
  }

  GREEKGRID_HD const double* slot_of(std::uint32_t segment, const Shared& shared) const {
    return spectral.slots + place_of(segment, shared) * slot_values(Greeks);
  }
  GREEKGRID_HD static std::uint64_t place_of(std::uint32_t segment, const Shared& shared) {
    return shared.own.slot + std::uint64_t{segment} * shared.own.rows + shared.row;
  }

  GREEKGRID_HD void begin(ThreadCoord at, State& state, Shared& shared) const {
    state.used = 0;
    for (std::uint32_t s = 0; s < shared.own.segments; ++s) state.used |= spectral.used[place_of(s, shared)];
    state.most = 0;
    GREEKGRID_UNROLL
    for (int level = 0; level < kLevels; ++level) {
      if ((state.used >> level & 1U) != 0) state.most = level_nodes(level);
    }
    constexpr std::uint32_t kAnchors = anchor_values(Greeks);
    double* outcome = outcome_of(shared) + Greeks;
    for (std::uint32_t k = at.thread; k < kAnchors + magnitude_values(Greeks); k += at.threads) {
      double sum = 0.0;
      for (std::uint32_t s = 0; s < shared.own.segments; ++s) {
        sum += slot_of(s, shared)[static_cast<std::uint32_t>(kFamilies) * kAllNodes + k];
      }
      if (k + 1 < kAnchors) {
        shared.anchor[k / 3][k % 3] = sum;
      } else if (k + 1 == kAnchors) {
        shared.bond = sum;
      } else {
        outcome[k - kAnchors] = sum;
      }
    }
  }
  GREEKGRID_HD double* outcome_of(const Shared& shared) const {
    return spectral.outcome + (shared.own.outcome + shared.row) * outcome_values(Greeks);
  }

  /// Sums at the nodes of a level over the segments that have it, by parity.
  GREEKGRID_HD void gather(int level, ThreadCoord at, Shared& shared) const {
    const std::uint32_t nodes = level_nodes(level);
    const std::uint32_t half = nodes / 2;
    for (std::uint32_t i = at.thread; i < half * static_cast<std::uint32_t>(kFamilies); i += at.threads) {
      const std::uint32_t f = i / half;
      const std::uint32_t k = i - f * half;
      double right = 0.0, left = 0.0;
      for (std::uint32_t s = 0; s < shared.own.segments; ++s) {
        if ((spectral.used[place_of(s, shared)] >> level & 1U) == 0) continue;
        const double* values = slot_of(s, shared) + f * kAllNodes + level_begin(level);
        right += values[k];
        left += values[nodes - 1 - k];
      }
      shared.even[f][k] = right + left;
      shared.odd[f][k] = right - left;
    }
  }

  /// A thread has one degree.
  GREEKGRID_HD void transform(int level, ThreadCoord at, Shared& shared) const {
    const std::uint32_t nodes = level_nodes(level);
    const std::uint32_t half = nodes / 2;
    if (at.thread >= nodes) return;
    // Threads of a warp share their parity where nodes are many: the first half has the even degrees.
    const bool odd = at.thread >= half;
    const std::uint32_t m = odd ? at.thread - half : at.thread;
    const double* matrix = spectral.matrix + matrix_begin(level) + (odd ? half * half : 0U) + m;
    double sum[kFamilies];
    GREEKGRID_UNROLL
    for (int f = 0; f < kFamilies; ++f) sum[f] = 0.0;
    GREEKGRID_ROLLED
    for (std::uint32_t k = 0; k < half; ++k) {
      const double factor = matrix[k * half];
      GREEKGRID_UNROLL
      for (int f = 0; f < kFamilies; ++f)
        sum[f] = math::fma(factor, odd ? shared.odd[f][k] : shared.even[f][k], sum[f]);
    }
    double* coefficient = shared.coefficient[2 * m + (odd ? 1U : 0U)];
    GREEKGRID_UNROLL
    for (int f = 0; f < kFamilies; ++f) coefficient[f] += sum[f];
  }

  /// An integral over x: from which column to which, its sign and its value at the middle.
  struct Integral {
    int from, to;
    double factor, anchor;
  };
  /// Integrals of a depth, in any order: those of depth 1 are of every family.
  GREEKGRID_HD static constexpr int integrals(int depth) {
    return depth == 1 ? kFamilies : depth == 2 ? kSecondColumns : kColumns - kBond;
  }
  GREEKGRID_HD static Integral integral(int depth, int i, const Shared& shared) {
    const double width = shared.own.half_width;
    if (depth == 1) return {kTop + i, kFirst + i, -width, shared.anchor[i][0]};
    if (depth == 2) {
      const int slot = second_family(i);
      const bool rising = top_of_family(family_of_slot(Greeks, slot)) == 0;
      return {kFirst + slot, kSecond + i, rising ? width : -width, shared.anchor[slot][1]};
    }
    if (i == 0) {
      const double spot = shared.job.spot * math::exp(shared.own.centre);
      return {kGrown, kBond, width * spot, shared.bond};
    }
    return {kSecond + 6, kThird, -width, shared.anchor[kFamilies - 1][2]};
  }
  /// Slots of the families that are integrated twice: 21, 21 yield, 12 decay; 22 root, 24 cube; 22 veta, 24 veta.
  GREEKGRID_HD static constexpr int second_family(int i) {
    return i < 2 ? i : i == 2 ? (Greeks == 3 ? 3 : 6) : i == 3 ? 4 : i == 4 ? 8 : i == 5 ? 9 : 11;
  }

  GREEKGRID_HD static void integrate_all(int depth, ThreadCoord at, Shared& shared) {
    const std::uint32_t k = at.thread;
    if (k == 0 || k >= kSpectralCoefficients) return;
    const double half = 0.5 / static_cast<double>(k);
    for (int i = 0; i < integrals(depth); ++i) {
      const Integral integral_i = integral(depth, i, shared);
      const double before = shared.coefficient[k - 1][integral_i.from] * (k == 1 ? 2.0 : 1.0);
      const double after = k + 1 < kSpectralCoefficients ? shared.coefficient[k + 1][integral_i.from] : 0.0;
      shared.coefficient[k][integral_i.to] = integral_i.factor * half * (before - after);
    }
  }

  /// The constant of each integral: T_k(0) is 1, 0, -1, 0.
  GREEKGRID_HD static void anchor_all(int depth, ThreadCoord at, Shared& shared) {
    if (at.thread >= static_cast<std::uint32_t>(integrals(depth))) return;
    const Integral own = integral(depth, static_cast<int>(at.thread), shared);
    double up = 0.0, down = 0.0;
    for (std::uint32_t k = 2; k < kSpectralCoefficients; k += 4) {
      down += shared.coefficient[k][own.to];
      if (k + 2 < kSpectralCoefficients) up += shared.coefficient[k + 2][own.to];
    }
    shared.coefficient[0][own.to] = own.anchor - (up - down);
  }

  /// The product of r H10 with e^{L t}: T_m T_k = (T_{m+k} + T_{|m-k|})/2.
  GREEKGRID_HD void grow(ThreadCoord at, Shared& shared) const {
    const std::uint32_t degree = at.thread;
    if (degree + 1 >= kSpectralCoefficients) return;
    constexpr int kFrom = kFirst + 2;  // of the family of r
    const double* growth = spectral.growth + shared.own.growth;
    double sum = 0.0;
    for (std::uint32_t m = 0; m < shared.own.growth_count; ++m) {
      double pair = 0.0;
      if (degree >= m) pair += shared.coefficient[degree - m][kFrom];
      if (degree + m < kSpectralCoefficients) pair += shared.coefficient[degree + m][kFrom];
      if (degree >= 1 && m >= degree) pair += shared.coefficient[m - degree][kFrom];
      sum = math::fma(0.5 * growth[m], pair, sum);
    }
    shared.coefficient[degree][kGrown] = sum;
  }

  /// Functions in place of the columns they are made of; a thread has one degree.
  GREEKGRID_HD static void combine(ThreadCoord at, Shared& shared) {
    const std::uint32_t k = at.thread;
    if (k >= kSpectralCoefficients) return;
    double* c = shared.coefficient[k];
    const double b = shared.job.basis_growth;
    const double b2 = b * b;
    const double* top = c + kTop;
    const double* first = c + kFirst;
    const double* second = c + kSecond;
    constexpr int kDecay = Greeks == 3 ? 3 : 6;
    const double h10 = first[0], h10_yield = first[1], h10_rate = first[2], h01 = first[kDecay];
    const double c1 = second[0], c1_yield = second[1], hm10 = second[2];
    double f[kFunctions];
    f[0] = b * c1;
    f[1] = b2 * h10;
    f[2] = b * (c1_yield + (h10_yield - h10_rate) + (h01 - hm10));
    if constexpr (Greeks > 3) {
      const double h11 = first[4], h00 = second[3], h02 = second[4];
      f[3] = b * (h00 - h11);
      f[4] = -b2 * b * (top[0] + h10);
      f[5] = b2 * (top[4] - h11);
      f[6] = b2 * (h10_yield + (top[2] - top[1]) + (h01 - top[6]));
      f[7] = h00;
      f[8] = top[7] + (first[3] - first[7]);
      f[9] = top[8] + 3.0 * (top[5] - first[5]) - 2.0 * first[8] + h02;
      f[10] = c1_yield - hm10;
      f[kFunctions - 1] = -c[kBond];
      if constexpr (Greeks == 12) f[11] = second[5] + first[10] + (c[kThird] - second[6]);
    }
    GREEKGRID_UNROLL
    for (int i = 0; i < kFunctions; ++i) c[i] = f[i];
  }

  GREEKGRID_HD void expand(ThreadCoord at, const State& state, const Shared& shared) const {
    const Job& job = shared.job;
    const std::uint32_t half = (job.spots + 1) / 2;
    const double last = static_cast<double>(job.spots - 1);
    std::uint32_t count = state.most + 4 + (Greeks > 3 ? shared.own.growth_count : 0U);
    count = state.most == 0 ? 0 : count < kSpectralCoefficients ? (count + 1) / 2 * 2 : kSpectralCoefficients;
    for (std::uint32_t m = at.thread; m < half; m += at.threads) {
      const std::uint32_t j = m + job.spots / 2;
      const double t = (2.0 * static_cast<double>(j) - last) / last;
      double even[kFunctions], odd[kFunctions];
      GREEKGRID_UNROLL
      for (int f = 0; f < kFunctions; ++f) even[f] = odd[f] = 0.0;
      double before = 1.0, here = t;
      GREEKGRID_ROLLED
      for (std::uint32_t k = 0; k < count; k += 2) {
        GREEKGRID_UNROLL
        for (int f = 0; f < kFunctions; ++f) {
          even[f] = math::fma(shared.coefficient[k][f], before, even[f]);
          odd[f] = math::fma(shared.coefficient[k + 1][f], here, odd[f]);
        }
        before = math::fma(2.0 * t, here, -before);
        here = math::fma(2.0 * t, before, -here);
      }
      double value[kFunctions];
      GREEKGRID_UNROLL
      for (int f = 0; f < kFunctions; ++f) value[f] = even[f] + odd[f];
      write(j, value, shared);
      if (job.spots - 1 - j == j) continue;
      GREEKGRID_UNROLL
      for (int f = 0; f < kFunctions; ++f) value[f] = even[f] - odd[f];
      write(job.spots - 1 - j, value, shared);
    }
  }

  /// The largest magnitudes of the row as it was written, of which an error is a part: one part for eight threads.
  GREEKGRID_HD void find_largest(ThreadCoord at, Shared& shared) const {
    const Job& job = shared.job;
    const std::uint64_t stride = std::uint64_t{shared.own.rows} * job.spots;
    constexpr std::uint32_t kParts = kThreads / 8;
    for (std::uint32_t k = at.thread; k < Greeks * kParts; k += at.threads) {
      const std::uint32_t part = k % kParts;
      const std::int32_t slot = spectral.tables.greek_slot[k / kParts];
      double largest = 0.0;
      if (slot >= 0) {
        const double* row = spectral.tables.exposure + job.output + static_cast<std::uint64_t>(slot) * stride +
                            std::uint64_t{shared.row} * job.spots;
        for (std::uint32_t j = part; j < job.spots; j += kParts) {
          const double magnitude = math::abs(row[j]);
          largest = magnitude > largest || magnitude != magnitude ? magnitude : largest;
        }
      }
      shared.largest[k / kParts][part] = largest;
    }
  }

  GREEKGRID_HD void write(std::uint32_t j, const double (&value)[kFunctions], const Shared& shared) const {
    const Job& job = shared.job;
    const double log_move = job.log_spot_begin + static_cast<double>(j) * job.log_spot_step;
    const double spot = job.vendor_spot * math::exp(log_move) * job.basis_growth;
    const double inverse = 1.0 / spot;
    const std::uint64_t stride = std::uint64_t{shared.own.rows} * job.spots;
    double* slots = spectral.tables.exposure + job.output + std::uint64_t{shared.row} * job.spots + j;
    GREEKGRID_UNROLL
    for (int g = 0; g < Greeks; ++g) {
      const std::int32_t slot = spectral.tables.greek_slot[g];
      if (slot < 0) continue;
      double greek = value[g];
      if (g == 1 || g == 5 || g == 6) greek *= inverse;
      if (g == 4) greek *= inverse * inverse;
      if (g >= 7) greek *= spot;
      if (g == 10) greek += value[kFunctions - 1];
      double& to = slots[static_cast<std::uint64_t>(slot) * stride];
      to = shared.own.adds != 0 ? to + greek : greek;
    }
  }
};

}  // namespace greekgrid::cuda

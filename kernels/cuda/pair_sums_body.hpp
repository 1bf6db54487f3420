#pragma once

/// @file
/// Sums of Gaussian kernels over pairs of axes as matrix products: one body fills the matrices, the products are
/// cuBLAS's, another body adds up their slices.
///
/// Sums over points are cut into slices of kSlicePoints, the last one filled up with zeros, so that a product has many
/// parts that run side by side, always of the same shape. All in double: a sum of thousands of products in single
/// precision would be off by more than the sums may be, and devices of data centres multiply either equally quickly.
/// Matrices have the points of a slice next to each other, a row for each node:
///   right (slice, axis 1 .. A-1, node, point)                    k
///   left  (slice, axis 0 .. A-2, value, kind, node, point)       k, k max(y, 0), k max(-y, 0)
/// where A counts the axes that have values. The squares, of k^2, are likewise, left of them with one kind, k^2. For
/// each first axis a one product per slice gives (value, kind, node of a, axis b > a, node of b).

#include <cstdint>

#include "device_math.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

inline constexpr std::uint32_t kSlicePoints = 256;  // and threads that fill
inline constexpr std::uint32_t kFillNodes = 16;     // nodes that a block fills
inline constexpr std::uint32_t kNodes = 64;
inline constexpr std::uint32_t kSignedKinds = 3;
inline constexpr std::uint32_t kKinds = 4;  // with the squares last
inline constexpr std::uint32_t kPairAxes = 4;
inline constexpr std::uint32_t kPairValues = 2;
inline constexpr double kLeastFilled = 1e-9;

/// A history's points and matrices; all but the counts are places in the arrays of PairSumsTables.
struct PairSumsPoints {
  std::uint64_t fill_end;            ///< blocks that fill this and earlier ones
  std::uint64_t sum_end;             ///< sums of this and earlier ones
  std::uint64_t axis[kPairAxes];     ///< first, (N), of the axes that have values
  std::uint64_t value[kPairValues];  ///< first, (N)
  std::uint64_t right, right_squares, left, left_squares;
  std::uint64_t product[kPairAxes - 1];          ///< by first axis: (slice, value, kind, node, axis, node)
  std::uint64_t product_squares[kPairAxes - 1];  ///< (slice, value, node, axis, node)
  double factor;                                 ///< -1/(2 bandwidth^2)
  std::uint32_t points;                          ///< N
  std::uint32_t slices;
  std::uint32_t axes;    ///< A, 2 to 4
  std::uint32_t values;  ///< 1 or 2
};

struct PairSumsTables {
  const PairSumsPoints* jobs;
  const double* columns;
  double* matrices;
  float* sums;  ///< (value, pair, KernelSum, node, node) by job, pairs of the axes that have values
  std::uint32_t job_count;
};

/// The job that has an item, of which `end` counts those of it and earlier ones.
GREEKGRID_HD std::uint32_t job_of(const PairSumsTables& tables, std::uint64_t item,
                                  std::uint64_t PairSumsPoints::*end) {
  std::uint32_t low = 0;
  std::uint32_t high = tables.job_count - 1;
  while (low < high) {
    const std::uint32_t middle = (low + high) / 2;
    if (tables.jobs[middle].*end <= item) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Fills the matrices: one block has kFillNodes nodes of an axis over a slice, a thread one point.
struct KernelFillBody {
  PairSumsTables tables;

  struct State {};
  struct Shared {
    PairSumsPoints job;
    std::uint32_t rest;  ///< block within the job
  };

  GREEKGRID_HD bool operator()(int phase, ThreadCoord at, State&, Shared& shared) const {
    if (phase == 0) {
      if (at.thread == 0) {
        const std::uint32_t low = job_of(tables, at.block, &PairSumsPoints::fill_end);
        shared.job = tables.jobs[low];
        shared.rest = static_cast<std::uint32_t>(at.block - (low == 0 ? 0 : tables.jobs[low - 1].fill_end));
      }
      return true;
    }
    fill(at, shared);
    return false;
  }

 private:
  GREEKGRID_HD void fill(ThreadCoord at, const Shared& shared) const {
    const PairSumsPoints& job = shared.job;
    const std::uint32_t first = shared.rest % (kNodes / kFillNodes) * kFillNodes;
    const std::uint32_t axis = shared.rest / (kNodes / kFillNodes) % job.axes;
    const std::uint64_t slice = shared.rest / (kNodes / kFillNodes * job.axes);
    const std::uint64_t s = slice * kSlicePoints + at.thread;

    // Where there is no point, or none on this axis, all kernels are 0: |2| is on no axis.
    const double place = s < job.points ? tables.columns[job.axis[axis] + s] : 2.0;
    const bool on_axis = math::abs(place) <= 1.0;
    const double z = on_axis ? place : 0.0;
    double weight[kPairValues][kSignedKinds];
    GREEKGRID_UNROLL
    for (std::uint32_t v = 0; v < kPairValues; ++v) {
      const double y = v < job.values && s < job.points ? tables.columns[job.value[v] + s] : 0.0;
      const bool known = y - y == 0.0;
      weight[v][0] = known ? 1.0 : 0.0;
      weight[v][1] = known && y > 0.0 ? y : 0.0;
      weight[v][2] = known && y < 0.0 ? -y : 0.0;
    }

    const std::uint64_t each = kNodes * kSlicePoints;
    const std::uint64_t point = first * kSlicePoints + at.thread;
    const std::uint64_t row = slice * (job.axes - 1) + axis;  // of the left matrices; of the right ones the next
    for (std::uint32_t i = 0; i < kFillNodes; ++i) {
      const double x = (-1.0 + 2.0 * static_cast<double>(first + i) / 63.0) - z;
      double k = on_axis ? math::exp(job.factor * (x * x)) : 0.0;
      if (k < kLeastFilled) k = 0.0;
      const std::uint64_t node = point + i * kSlicePoints;
      if (axis > 0) {
        tables.matrices[job.right + (row - 1) * each + node] = k;
        tables.matrices[job.right_squares + (row - 1) * each + node] = k * k;
      }
      if (axis + 1 == job.axes) continue;
      GREEKGRID_UNROLL
      for (std::uint32_t v = 0; v < kPairValues; ++v) {
        if (v >= job.values) continue;
        const std::uint64_t of_value = row * job.values + v;
        GREEKGRID_UNROLL
        for (std::uint32_t kind = 0; kind < kSignedKinds; ++kind) {
          tables.matrices[job.left + (of_value * kSignedKinds + kind) * each + node] = weight[v][kind] * k;
        }
        tables.matrices[job.left_squares + of_value * each + node] = weight[v][0] * (k * k);
      }
    }
  }
};

/// Adds the slices of the products in their order: one thread, one sum.
struct SliceSumBody {
  PairSumsTables tables;

  struct State {};
  struct Shared {
    char unused;
  };

  GREEKGRID_HD bool operator()(int, ThreadCoord at, State&, Shared&) const {
    const std::uint64_t element = std::uint64_t{at.block} * at.threads + at.thread;
    if (element >= tables.jobs[tables.job_count - 1].sum_end) return false;
    const std::uint32_t low = job_of(tables, element, &PairSumsPoints::sum_end);
    const PairSumsPoints& job = tables.jobs[low];
    const std::uint64_t skipped = low == 0 ? 0 : tables.jobs[low - 1].sum_end;
    auto rest = static_cast<std::uint32_t>(element - skipped);
    const std::uint32_t second = rest % kNodes;
    rest /= kNodes;
    const std::uint32_t first = rest % kNodes;
    rest /= kNodes;
    const std::uint32_t kind = rest % kKinds;
    rest /= kKinds;
    const std::uint32_t pairs = job.axes * (job.axes - 1) / 2;
    const std::uint32_t value = rest / pairs;
    std::uint32_t later = rest % pairs;  // which of the axes after a
    std::uint32_t a = 0;
    for (; later >= job.axes - 1 - a; ++a) later -= job.axes - 1 - a;

    const bool squares = kind == kSignedKinds;
    const std::uint32_t row = squares ? value : value * kSignedKinds + kind;
    const std::uint64_t width = (job.axes - 1 - a) * kNodes;
    const std::uint64_t each = width * kNodes * job.values * (squares ? 1 : kSignedKinds);
    const double* from = tables.matrices + (squares ? job.product_squares[a] : job.product[a]) +
                         (row * kNodes + first) * width + later * kNodes + second;
    double sum = 0.0;
    for (std::uint32_t slice = 0; slice < job.slices; ++slice) sum += from[slice * each];
    tables.sums[element] = static_cast<float>(sum);
    return false;
  }
};

}  // namespace greekgrid::cuda

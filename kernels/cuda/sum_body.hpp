#pragma once

/// @file
/// The second pass: adds the partial sums of a job's segments to its exposures, in the order of the segments.

#include <cstdint>

#include "greekgrid/kernels/host_device.hpp"
#include "tables.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

struct SumBody {
  const SumJob* jobs;
  std::uint32_t job_count;
  double* exposure;
  const double* partial;

  struct State {};
  struct Shared {
    char unused;
  };

  GREEKGRID_HD bool operator()(int, ThreadCoord at, State&, Shared&) const {
    const std::uint64_t element = std::uint64_t{at.block} * at.threads + at.thread;
    if (element >= jobs[job_count - 1].end) return false;
    std::uint32_t low = 0;
    std::uint32_t high = job_count - 1;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (jobs[middle].end <= element) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const SumJob& job = jobs[low];
    const std::uint64_t local = element - (job.end - job.values);
    double sum = exposure[job.output + local];
    for (std::uint32_t k = 1; k < job.segments; ++k) sum += partial[job.partial + (k - 1) * job.values + local];
    exposure[job.output + local] = sum;
    return false;
  }
};

}  // namespace greekgrid::cuda

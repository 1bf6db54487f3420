#pragma once

/// @file
/// The launch order of segments by Thrust: largest first, then the running sum of their work items. The execution
/// policy names the system that runs it: CUDA in the backend, the host in tests.

#include <thrust/functional.h>
#include <thrust/iterator/permutation_iterator.h>
#include <thrust/scan.h>
#include <thrust/sort.h>

#include "device_api.hpp"

namespace greekgrid::cuda {

template <class Policy, class Pointer32, class Pointer64, class ConstPointer64>
void order_segments(const Policy& policy, Pointer32 key, Pointer32 segment, ConstPointer64 items, Pointer64 item_end,
                    std::uint32_t count) {
  thrust::stable_sort_by_key(policy, key, key + count, segment, thrust::greater<std::uint32_t>());
  const auto ordered = thrust::make_permutation_iterator(items, segment);
  thrust::inclusive_scan(policy, ordered, ordered + count, item_end);
}

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// Launches of the kernels of searches and kernel sums, in a source file of their own so that they compile beside the
/// exposure kernels.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "nearest_body.hpp"
#include "pair_sums_body.hpp"

namespace greekgrid::cuda {

void launch_nearest(const NearestBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream);
void launch_kernel_fill(const KernelFillBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream);
void launch_slice_sum(const SliceSumBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream);

}  // namespace greekgrid::cuda

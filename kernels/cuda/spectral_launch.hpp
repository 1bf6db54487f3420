#pragma once

/// @file
/// Launches of the spectral evaluator's kernels, one source file for the sums at nodes in each precision and one for
/// the rest.

#include <cuda_runtime_api.h>

#include "device_api.hpp"

namespace greekgrid::cuda {

void launch_sigma_order(const SpectralTables& tables, std::uint32_t blocks, cudaStream_t stream);
void launch_node_sums_fp32(int greeks, const SpectralTables& tables, const Queue& queue, std::uint32_t blocks,
                           cudaStream_t stream);
void launch_node_sums_fp64(int greeks, const SpectralTables& tables, const Queue& queue, std::uint32_t blocks,
                           cudaStream_t stream);
void launch_expansion(int greeks, const SpectralTables& tables, std::uint32_t blocks, cudaStream_t stream);

}  // namespace greekgrid::cuda

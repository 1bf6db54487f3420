#pragma once

/// @file
/// Launches of the exposure kernel and of its first pass, one source file for each precision so that they compile side
/// by side.

#include <cuda_runtime_api.h>

#include "device_api.hpp"

namespace greekgrid::cuda {

void launch_exposure_fp32(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                          std::uint32_t threads, cudaStream_t stream);
void launch_smile_fp32(const Tables& tables, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream);
void launch_smile_fp64(const Tables& tables, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream);
void launch_exposure_fp64(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                          std::uint32_t threads, cudaStream_t stream);

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// Launch of the wall kernels, in a source file of its own so that it compiles beside the exposure kernels.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "wall_body.hpp"

namespace greekgrid::cuda {

void launch_walls(WallRule rule, const WallTables& tables, std::uint32_t blocks, std::uint32_t threads,
                  cudaStream_t stream);

}  // namespace greekgrid::cuda

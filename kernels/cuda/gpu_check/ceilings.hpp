#pragma once

/// @file
/// What the device can do at most, measured in the same run as the kernels.

namespace greekgrid::cuda {

struct Ceilings {
  double fp32_fma_per_second;
  double fp64_fma_per_second;
  double special_function_per_second;  ///< exponentials and reciprocals
};

Ceilings measure_ceilings();

}  // namespace greekgrid::cuda

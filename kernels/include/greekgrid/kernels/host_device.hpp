#pragma once

/// @file
/// The one place that knows whether a function is also compiled for a device.

#if defined(__CUDACC__)
#define GREEKGRID_HD __host__ __device__ inline
#else
#define GREEKGRID_HD inline
#endif

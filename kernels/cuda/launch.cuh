#pragma once

/// @file
/// The one __global__ template: runs a kernel body (see thread_coord.hpp), a barrier after each phase.

#include "thread_coord.hpp"

namespace greekgrid::cuda {

/// kMinBlocks of kMaxThreads share a multiprocessor: what bounds the registers of a thread.
template <class Body, int kMaxThreads, int kMinBlocks>
__global__ void __launch_bounds__(kMaxThreads, kMinBlocks) run(const __grid_constant__ Body body) {
  __shared__ typename Body::Shared shared;
  typename Body::State state;
  const ThreadCoord at{blockIdx.x, threadIdx.x, blockDim.x};
  for (int phase = 0; body(phase, at, state, shared); ++phase) __syncthreads();
}

}  // namespace greekgrid::cuda

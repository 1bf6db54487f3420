#include "forecast_launch.hpp"
#include "launch.cuh"

namespace greekgrid::cuda {

void launch_nearest(const NearestBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  run<NearestBody, kNearestThreads, 8><<<blocks, threads, 0, stream>>>(body);
}

void launch_kernel_fill(const KernelFillBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  run<KernelFillBody, 256, 2><<<blocks, threads, 0, stream>>>(body);
}

void launch_slice_sum(const SliceSumBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  run<SliceSumBody, 256, 2><<<blocks, threads, 0, stream>>>(body);
}

}  // namespace greekgrid::cuda

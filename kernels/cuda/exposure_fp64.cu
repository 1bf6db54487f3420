#include "exposure_launch.cuh"

namespace greekgrid::cuda {

void launch_exposure_fp64(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                          std::uint32_t threads, cudaStream_t stream) {
  launch_kind<double>(kind, tables, queue, blocks, threads, stream);
}

}  // namespace greekgrid::cuda

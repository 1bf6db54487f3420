#include "exposure_launch.cuh"

namespace greekgrid::cuda {

void launch_exposure_fp64(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                          std::uint32_t threads, cudaStream_t stream) {
  launch_kind<double>(kind, tables, queue, blocks, threads, stream);
}

void launch_smile_fp64(const Tables& tables, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  launch_smile<double>(tables, blocks, threads, stream);
}

}  // namespace greekgrid::cuda

#include "inversion_launch.hpp"
#include "launch.cuh"

namespace greekgrid::cuda {

void launch_inversion(const InversionBody& body, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  run<InversionBody, 256, 2><<<blocks, threads, 0, stream>>>(body);
}

}  // namespace greekgrid::cuda

#include "launch.cuh"
#include "spectral_body.hpp"
#include "spectral_launch.hpp"

namespace greekgrid::cuda {
namespace {

template <int Greeks>
void launch_one(const SpectralTables& tables, const Queue& queue, std::uint32_t blocks, cudaStream_t stream) {
  using Body = NodeSumsBody<double, Greeks>;
  run<Body, Body::kThreads, 4><<<blocks, Body::kThreads, 0, stream>>>(Body{tables, queue});
}

}  // namespace

void launch_node_sums_fp64(int greeks, const SpectralTables& tables, const Queue& queue, std::uint32_t blocks,
                           cudaStream_t stream) {
  if (greeks == kThreeGreeks) return launch_one<kThreeGreeks>(tables, queue, blocks, stream);
  if (greeks == kElevenGreeks) return launch_one<kElevenGreeks>(tables, queue, blocks, stream);
  return launch_one<kTwelveGreeks>(tables, queue, blocks, stream);
}

}  // namespace greekgrid::cuda

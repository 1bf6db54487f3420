#include "launch.cuh"
#include "spectral_body.hpp"
#include "spectral_expansion_body.hpp"
#include "spectral_launch.hpp"

namespace greekgrid::cuda {
namespace {

template <int Greeks>
void launch_one(const SpectralTables& tables, std::uint32_t blocks, cudaStream_t stream) {
  using Body = ExpansionBody<Greeks>;
  run<Body, Body::kThreads, 4><<<blocks, Body::kThreads, 0, stream>>>(Body{tables});
}

}  // namespace

void launch_sigma_order(const SpectralTables& tables, std::uint32_t blocks, cudaStream_t stream) {
  run<SigmaOrderBody, 128, 4><<<blocks, 128, 0, stream>>>(SigmaOrderBody{tables});
}

void launch_expansion(int greeks, const SpectralTables& tables, std::uint32_t blocks, cudaStream_t stream) {
  if (greeks == kThreeGreeks) return launch_one<kThreeGreeks>(tables, blocks, stream);
  if (greeks == kElevenGreeks) return launch_one<kElevenGreeks>(tables, blocks, stream);
  return launch_one<kTwelveGreeks>(tables, blocks, stream);
}

}  // namespace greekgrid::cuda

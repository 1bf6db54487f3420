#pragma once

/// @file
/// Chooses the instance of the exposure kernel that a KernelKind names, for the .cu file of each precision.

#include "exposure_body.hpp"
#include "exposure_launch.hpp"
#include "launch.cuh"

namespace greekgrid::cuda {

template <class Real, int Greeks, bool kSpotRule>
void launch_one(const Tables& tables, const Queue& queue, std::uint32_t blocks, std::uint32_t threads,
                cudaStream_t stream) {
  using Body = ExposureBody<Real, Greeks, kSpotRule>;
  run<Body, 256, 2><<<blocks, threads, 0, stream>>>(Body{tables, queue});
}

template <class Real>
void launch_kind(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks, std::uint32_t threads,
                 cudaStream_t stream) {
  if (kind.greeks == kThreeGreeks) {
    return kind.spot_rule ? launch_one<Real, kThreeGreeks, true>(tables, queue, blocks, threads, stream)
                          : launch_one<Real, kThreeGreeks, false>(tables, queue, blocks, threads, stream);
  }
  if (kind.greeks == kElevenGreeks) {
    return kind.spot_rule ? launch_one<Real, kElevenGreeks, true>(tables, queue, blocks, threads, stream)
                          : launch_one<Real, kElevenGreeks, false>(tables, queue, blocks, threads, stream);
  }
  return kind.spot_rule ? launch_one<Real, kTwelveGreeks, true>(tables, queue, blocks, threads, stream)
                        : launch_one<Real, kTwelveGreeks, false>(tables, queue, blocks, threads, stream);
}

template <class Real>
void launch_smile(const Tables& tables, std::uint32_t blocks, std::uint32_t threads, cudaStream_t stream) {
  run<SmileBody<Real>, 256, 2><<<blocks, threads, 0, stream>>>(SmileBody<Real>{tables});
}

}  // namespace greekgrid::cuda

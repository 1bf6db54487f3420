#pragma once

/// @file
/// A device that also measures, by events on the stream, what its kernels take.

#include <memory>
#include <string>

#include "device_api.hpp"

namespace greekgrid::cuda {

/// Seconds by kernel.
struct KernelSeconds {
  double exposure = 0;
  double other = 0;  ///< ordering and second pass
  double sigma_order = 0;  ///< of the spectral evaluator, as the next two
  double node_sums = 0;
  double expansion = 0;
  double inversion = 0;
  double walls = 0;
  double nearest = 0;
  double products = 0;
  double fill_and_slices = 0;  ///< what comes before and after the products
};

/// A CUDA device that adds the time of its kernels to seconds, each time the backend has waited for them.
/// Give the backend one stream: with several, kernels overlap and their times say nothing.
std::unique_ptr<DeviceApi> make_timed_device(KernelSeconds& seconds);

/// Versions of driver and runtime, for the record.
std::string cuda_versions();

}  // namespace greekgrid::cuda

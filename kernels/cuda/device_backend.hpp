#pragma once

/// @file
/// The CUDA backend over any DeviceApi: cuts the jobs into chunks that fit device memory and keeps copies and kernels
/// of several chunks in flight.

#include <cstddef>
#include <memory>

#include "device_api.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid::cuda {

struct DeviceBackendOptions {
  std::size_t streams = 3;
  std::size_t chunk_bytes = std::size_t{96} << 20;  ///< device memory of one chunk, unless a single job needs more
  std::size_t device_bytes = 0;                     ///< all chunks together; 0: 60 % of what is free at the first call
};

/// A backend on the device behind the interface. One call of evaluate at a time.
std::unique_ptr<Backend> make_device_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                             const DeviceBackendOptions& options = {});

}  // namespace greekgrid::cuda

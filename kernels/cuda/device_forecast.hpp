#pragma once

/// @file
/// The CUDA backend of searches and kernel sums over any DeviceApi: cuts the jobs into chunks that fit device memory
/// and keeps copies and kernels of several chunks in flight.

#include <memory>

#include "device_api.hpp"
#include "device_backend.hpp"
#include "greekgrid/kernels/forecast_backend.hpp"

namespace greekgrid::cuda {

/// A backend on the device behind the interface. One call at a time.
std::unique_ptr<ForecastBackend> make_device_forecast_backend(std::unique_ptr<DeviceApi> device,
                                                              const DeviceBackendOptions& options = {});

}  // namespace greekgrid::cuda

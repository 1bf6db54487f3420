#pragma once

/// @file
/// The device behind the CUDA runtime.

#include <memory>

#include "device_api.hpp"

namespace greekgrid::cuda {

/// Device 0 of the process. Never fails: a machine without a driver or device says so in probe().
std::unique_ptr<DeviceApi> make_cuda_device();

}  // namespace greekgrid::cuda

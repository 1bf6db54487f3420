#pragma once

/// @file
/// The device behind the CUDA runtime.

#include <memory>

#include "cublas_products.hpp"
#include "device_api.hpp"

namespace greekgrid::cuda {

/// Device 0 of the process. Never fails: a machine without a driver or device says so in probe().
/// @param products who multiplies; null: nobody, a product is refused
std::unique_ptr<DeviceApi> make_cuda_device(std::unique_ptr<Products> products = nullptr);

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// The device behind the CUDA runtime.

#include <memory>
#include <vector>

#include "cublas_products.hpp"
#include "device_api.hpp"

namespace greekgrid::cuda {

/// A device of the process. Never fails: a machine without a driver or device says so in probe(). A call leaves the
/// device the current one of the calling thread.
/// @param products who multiplies; null: nobody, a product is refused
/// @param number   of the device, from 0, among those that CUDA_VISIBLE_DEVICES leaves
std::unique_ptr<DeviceApi> make_cuda_device(std::unique_ptr<Products> products = nullptr, int number = 0);

/// All devices of the process, in the order of CUDA; device 0, which then says why, where there is none.
std::vector<std::unique_ptr<DeviceApi>> make_cuda_devices();

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// The CUDA backend over any DeviceApi: cuts the jobs into chunks that fit device memory and keeps copies and kernels
/// of several chunks in flight.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "device_api.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid::cuda {

struct DeviceBackendOptions {
  std::size_t streams = 3;
  std::size_t chunk_bytes = std::size_t{96} << 20;  ///< device memory of one chunk, unless a single job needs more
  std::size_t device_bytes = 0;  ///< of a device, all chunks together; 0: 60 % of what is free at the first call
  EvaluatorOptions evaluator = {};
  /// With several devices: live evaluations that are worth a device or a piece of their own, a quarter of a
  /// millisecond.
  std::uint64_t least_evaluations = std::uint64_t{1} << 28;
};

/// A backend on the device behind the interface. One call of evaluate at a time.
std::unique_ptr<Backend> make_device_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                             const DeviceBackendOptions& options = {});

/// A backend on all of the devices that are usable, at least one device given. Work is dealt by its live evaluations
/// and the devices' multiprocessors; a job that is large beside a device's share is cut between rows (instant, IV
/// shift). The bits of a result depend neither on the number of devices nor on who did what. A failure names its
/// device, counted from 0 as given. One call at a time.
std::unique_ptr<Backend> make_device_backend(std::vector<std::unique_ptr<DeviceApi>> devices, Precision precision,
                                             const DeviceBackendOptions& options = {});

}  // namespace greekgrid::cuda

// The CUDA backend of a program that was built with CUDA.

#include "cuda_device.hpp"
#include "device_backend.hpp"

namespace greekgrid {

std::unique_ptr<Backend> make_cuda_backend(Precision precision, EvaluatorOptions options) {
  cuda::DeviceBackendOptions device_options;
  device_options.evaluator = options;
  return cuda::make_device_backend(cuda::make_cuda_devices(), precision, device_options);
}

}  // namespace greekgrid

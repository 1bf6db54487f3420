// The CUDA backend of searches and kernel sums of a program that was built with CUDA.

#include "cublas_products.hpp"
#include "cuda_device.hpp"
#include "device_forecast.hpp"

namespace greekgrid {

std::unique_ptr<ForecastBackend> make_cuda_forecast_backend() {
  return cuda::make_device_forecast_backend(cuda::make_cuda_device(cuda::make_cublas_products()));
}

}  // namespace greekgrid

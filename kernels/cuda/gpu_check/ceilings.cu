#include <cuda_runtime.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ceilings.hpp"
#include "device_math.hpp"
#include "greekgrid/kernels/error.hpp"

namespace greekgrid::cuda {
namespace {

constexpr int kChains = 8;
constexpr int kSteps = 4096;
constexpr int kThreads = 256;

void check(cudaError_t error) {
  if (error != cudaSuccess)
    throw BackendError(std::string("measuring ceilings failed (") + cudaGetErrorName(error) + ")");
}

template <class Real>
__global__ void chains_of_fma(Real scale, Real* out) {
  Real x[kChains];
  for (int k = 0; k < kChains; ++k) x[k] = static_cast<Real>(threadIdx.x + k);
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int k = 0; k < kChains; ++k) x[k] = math::fma(x[k], scale, scale);
  }
  Real sum = 0;
  for (int k = 0; k < kChains; ++k) sum += x[k];
  if (sum == Real(-1)) *out = sum;
}

__global__ void chains_of_special_functions(float scale, float* out) {
  float x[kChains];
  for (int k = 0; k < kChains; ++k) x[k] = scale + static_cast<float>(k);
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int k = 0; k < kChains; ++k) x[k] = reciprocal(x[k]);
  }
  float sum = 0;
  for (int k = 0; k < kChains; ++k) sum += x[k];
  if (sum == -1.0f) *out = sum;
}

/// Operations per second: the median of seven launches.
template <class Launch>
double rate_of(int blocks, const Launch& launch) {
  cudaEvent_t from, to;
  check(cudaEventCreate(&from));
  check(cudaEventCreate(&to));
  std::vector<float> milliseconds;
  for (int i = 0; i < 9; ++i) {
    check(cudaEventRecord(from));
    launch(blocks);
    check(cudaGetLastError());
    check(cudaEventRecord(to));
    check(cudaEventSynchronize(to));
    float elapsed = 0;
    check(cudaEventElapsedTime(&elapsed, from, to));
    if (i >= 2) milliseconds.push_back(elapsed);
  }
  check(cudaEventDestroy(from));
  check(cudaEventDestroy(to));
  std::sort(milliseconds.begin(), milliseconds.end());
  return double(blocks) * kThreads * kChains * kSteps / (1e-3 * milliseconds[milliseconds.size() / 2]);
}

}  // namespace

Ceilings measure_ceilings() {
  int multiprocessors = 0;
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  const int blocks = multiprocessors * 32;
  void* out = nullptr;
  check(cudaMalloc(&out, 64));
  Ceilings ceilings{};
  ceilings.fp32_fma_per_second =
      rate_of(blocks, [out](int n) { chains_of_fma<float><<<n, kThreads>>>(0.999f, static_cast<float*>(out)); });
  ceilings.fp64_fma_per_second =
      rate_of(blocks, [out](int n) { chains_of_fma<double><<<n, kThreads>>>(0.999, static_cast<double*>(out)); });
  ceilings.special_function_per_second =
      rate_of(blocks, [out](int n) { chains_of_special_functions<<<n, kThreads>>>(1.5f, static_cast<float*>(out)); });
  check(cudaFree(out));
  return ceilings;
}

}  // namespace greekgrid::cuda

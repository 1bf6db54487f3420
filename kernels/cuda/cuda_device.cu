// The one place that calls the CUDA runtime; every call goes through check().

#include <cuda_runtime.h>
#include <thrust/system/cuda/execution_policy.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cuda_device.hpp"
#include "exposure_launch.hpp"
#include "forecast_launch.hpp"
#include "greekgrid/kernels/error.hpp"
#include "inversion_launch.hpp"
#include "launch.cuh"
#include "segment_order.hpp"
#include "spectral_launch.hpp"
#include "wall_launch.hpp"

namespace greekgrid::cuda {
namespace {

void check(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // a reported error must not appear again at the next launch
  std::string message =
      std::string(call) + " failed (" + cudaGetErrorName(error) + ": " + cudaGetErrorString(error) + ")";
  if (error == cudaErrorMemoryAllocation) message += " lower the memory budget";
  throw BackendError(message);
}

/// Temporary memory of Thrust in the order of the stream: nothing waits for the device.
class StreamAllocator {
 public:
  using value_type = char;
  explicit StreamAllocator(cudaStream_t stream) : stream_(stream) {}
  char* allocate(std::ptrdiff_t bytes) {
    void* memory = nullptr;
    check(cudaMallocAsync(&memory, static_cast<std::size_t>(bytes), stream_), "cudaMallocAsync");
    return static_cast<char*>(memory);
  }
  void deallocate(char* memory, std::size_t) noexcept { cudaFreeAsync(memory, stream_); }

 private:
  cudaStream_t stream_;
};

class CudaDevice final : public DeviceApi {
 public:
  CudaDevice(std::unique_ptr<Products> products, int number) : products_(std::move(products)), number_(number) {}

  DeviceProbe probe() override {
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) {
      cudaGetLastError();
      return {false, std::string(error == cudaErrorNoDevice ? "no device: " : "no driver: ") + cudaGetErrorName(error),
              0};
    }
    if (count <= number_) return {false, "no device: cudaGetDeviceCount counts " + std::to_string(count), 0};
    cudaDeviceProp properties{};
    std::size_t free_bytes = 0, all_bytes = 0;
    error = cudaGetDeviceProperties(&properties, number_);
    if (error == cudaSuccess) error = cudaSetDevice(number_);
    if (error == cudaSuccess) error = cudaMemGetInfo(&free_bytes, &all_bytes);
    if (error != cudaSuccess) {
      cudaGetLastError();
      return {false, std::string("device does not answer: ") + cudaGetErrorName(error), 0};
    }
    if (properties.major < 8) {
      return {false, std::string(properties.name) + " is older than sm_80, for which the kernels are built", 0};
    }
    return {true,
            std::string(properties.name) + ", sm_" + std::to_string(properties.major) +
                std::to_string(properties.minor) + ", " + std::to_string(properties.multiProcessorCount) +
                " multiprocessors, " + std::to_string(all_bytes >> 20) + " MB",
            free_bytes, properties.multiProcessorCount};
  }

  void* allocate(std::size_t bytes) override {
    select();
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes), "cudaMalloc");
    return memory;
  }
  void release(void* d_memory) noexcept override { cudaFree(d_memory); }
  void* allocate_pinned(std::size_t bytes) override {
    select();
    void* memory = nullptr;
    check(cudaMallocHost(&memory, bytes), "cudaMallocHost");
    return memory;
  }
  void release_pinned(void* memory) noexcept override { cudaFreeHost(memory); }

  Stream create_stream() override {
    select();
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    return stream;
  }
  void destroy_stream(Stream stream) noexcept override {
    if (products_ != nullptr) products_->forget(stream);
    cudaStreamDestroy(static_cast<cudaStream_t>(stream));
  }
  void synchronize(Stream stream) override {
    select();
    check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "cudaStreamSynchronize");
  }
  Event create_event() override {
    select();
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
    return event;
  }
  void destroy_event(Event event) noexcept override { cudaEventDestroy(static_cast<cudaEvent_t>(event)); }
  void record(Event event, Stream stream) override {
    select();
    check(cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream)), "cudaEventRecord");
  }
  void wait(Event event) override {
    select();
    check(cudaEventSynchronize(static_cast<cudaEvent_t>(event)), "cudaEventSynchronize");
  }

  void copy_to_device(void* d_to, const void* from, std::size_t bytes, Stream stream) override {
    select();
    check(cudaMemcpyAsync(d_to, from, bytes, cudaMemcpyHostToDevice, static_cast<cudaStream_t>(stream)),
          "cudaMemcpyAsync to device");
  }
  void copy_to_host(void* to, const void* d_from, std::size_t bytes, Stream stream) override {
    select();
    check(cudaMemcpyAsync(to, d_from, bytes, cudaMemcpyDeviceToHost, static_cast<cudaStream_t>(stream)),
          "cudaMemcpyAsync to host");
  }

  void order_segments(const OrderTables& tables, Stream stream) override {
    select();
    StreamAllocator allocator(static_cast<cudaStream_t>(stream));
    try {
      cuda::order_segments(thrust::cuda::par_nosync(allocator).on(static_cast<cudaStream_t>(stream)), tables.key,
                           tables.segment, tables.items, tables.item_end, tables.count);
    } catch (const BackendError&) {
      throw;
    } catch (const std::exception& error) {
      cudaGetLastError();
      throw BackendError(std::string("ordering of segments failed (") + error.what() + ")");
    }
  }
  void launch_smile(KernelKind kind, const Tables& tables, std::uint32_t blocks, std::uint32_t threads,
                    Stream stream) override {
    select();
    (kind.fp64 ? launch_smile_fp64 : launch_smile_fp32)(tables, blocks, threads, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the smile kernel");
  }
  void launch_exposure(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                       std::uint32_t threads, Stream stream) override {
    select();
    (kind.fp64 ? launch_exposure_fp64 : launch_exposure_fp32)(kind, tables, queue, blocks, threads,
                                                              static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the exposure kernel");
  }
  void launch_sigma_order(const SpectralTables& tables, std::uint32_t blocks, Stream stream) override {
    select();
    cuda::launch_sigma_order(tables, blocks, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the ordering of volatilities");
  }
  void launch_node_sums(KernelKind kind, const SpectralTables& tables, const Queue& queue, std::uint32_t blocks,
                        Stream stream) override {
    select();
    (kind.fp64 ? launch_node_sums_fp64 : launch_node_sums_fp32)(kind.greeks, tables, queue, blocks,
                                                                static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the sums at nodes");
  }
  void launch_expansion(KernelKind kind, const SpectralTables& tables, std::uint32_t blocks, Stream stream) override {
    select();
    cuda::launch_expansion(kind.greeks, tables, blocks, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the expansion to spots");
  }
  void launch_sum(const SumBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) override {
    select();
    run<SumBody, 256, 1><<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(body);
    check(cudaGetLastError(), "launch of the sum kernel");
  }
  void launch_inversion(const InversionBody& body, std::uint32_t blocks, std::uint32_t threads,
                        Stream stream) override {
    select();
    cuda::launch_inversion(body, blocks, threads, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the inversion kernel");
  }
  void launch_walls(WallRule rule, const WallTables& tables, std::uint32_t blocks, std::uint32_t threads,
                    Stream stream) override {
    select();
    cuda::launch_walls(rule, tables, blocks, threads, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the wall kernel");
  }
  void launch_nearest(const NearestBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) override {
    select();
    cuda::launch_nearest(body, blocks, threads, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the search for nearest points");
  }
  void launch_kernel_fill(const KernelFillBody& body, std::uint32_t blocks, std::uint32_t threads,
                          Stream stream) override {
    select();
    cuda::launch_kernel_fill(body, blocks, threads, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the filling of kernel matrices");
  }
  void multiply(const StridedProducts& products, Stream stream) override {
    select();
    if (products_ == nullptr)
      throw BackendError("a product was refused (the device was made without a library for it)");
    products_->multiply(products, stream);
  }
  void launch_slice_sum(const SliceSumBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) override {
    select();
    cuda::launch_slice_sum(body, blocks, threads, static_cast<cudaStream_t>(stream));
    check(cudaGetLastError(), "launch of the sum of slices");
  }

 private:
  /// The device of a thread is a matter of the thread, and callers choose theirs.
  void select() const { check(cudaSetDevice(number_), "cudaSetDevice"); }

  std::unique_ptr<Products> products_;
  int number_;
};

}  // namespace

std::unique_ptr<DeviceApi> make_cuda_device(std::unique_ptr<Products> products, int number) {
  return std::make_unique<CudaDevice>(std::move(products), number);
}

std::vector<std::unique_ptr<DeviceApi>> make_cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) cudaGetLastError();
  std::vector<std::unique_ptr<DeviceApi>> devices;
  for (int number = 0; number < std::max(1, count); ++number) devices.push_back(make_cuda_device(nullptr, number));
  return devices;
}

}  // namespace greekgrid::cuda

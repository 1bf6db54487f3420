#include <cuda_runtime.h>

#include <utility>
#include <vector>

#include "cuda_device.hpp"
#include "greekgrid/kernels/error.hpp"
#include "timed_device.hpp"

namespace greekgrid::cuda {
namespace {

class TimedDevice final : public DeviceApi {
 public:
  explicit TimedDevice(KernelSeconds& seconds) : device_(make_cuda_device(make_cublas_products())), seconds_(seconds) {}
  ~TimedDevice() override {
    for (const Interval& i : intervals_) destroy(i);
  }

  DeviceProbe probe() override { return device_->probe(); }
  void* allocate(std::size_t bytes) override { return device_->allocate(bytes); }
  void release(void* d_memory) noexcept override { device_->release(d_memory); }
  void* allocate_pinned(std::size_t bytes) override { return device_->allocate_pinned(bytes); }
  void release_pinned(void* memory) noexcept override { device_->release_pinned(memory); }
  Stream create_stream() override { return device_->create_stream(); }
  void destroy_stream(Stream stream) noexcept override { device_->destroy_stream(stream); }
  void synchronize(Stream stream) override { device_->synchronize(stream); }
  Event create_event() override { return device_->create_event(); }
  void destroy_event(Event event) noexcept override { device_->destroy_event(event); }
  void record(Event event, Stream stream) override { device_->record(event, stream); }
  void wait(Event event) override {
    device_->wait(event);
    for (const Interval& i : intervals_) {
      float milliseconds = 0;
      if (cudaEventElapsedTime(&milliseconds, i.from, i.to) != cudaSuccess)
        throw BackendError("timing a kernel failed");
      *i.sum += 1e-3 * milliseconds;
      destroy(i);
    }
    intervals_.clear();
  }
  void copy_to_device(void* d_to, const void* from, std::size_t bytes, Stream stream) override {
    device_->copy_to_device(d_to, from, bytes, stream);
  }
  void copy_to_host(void* to, const void* d_from, std::size_t bytes, Stream stream) override {
    device_->copy_to_host(to, d_from, bytes, stream);
  }
  void order_segments(const OrderTables& tables, Stream stream) override {
    timed(seconds_.other, stream, [&] { device_->order_segments(tables, stream); });
  }
  void launch_smile(KernelKind kind, const Tables& tables, std::uint32_t blocks, std::uint32_t threads,
                    Stream stream) override {
    timed(seconds_.other, stream, [&] { device_->launch_smile(kind, tables, blocks, threads, stream); });
  }
  void launch_exposure(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                       std::uint32_t threads, Stream stream) override {
    timed(seconds_.exposure, stream, [&] { device_->launch_exposure(kind, tables, queue, blocks, threads, stream); });
  }
  void launch_sigma_order(const SpectralTables& tables, std::uint32_t blocks, Stream stream) override {
    timed(seconds_.sigma_order, stream, [&] { device_->launch_sigma_order(tables, blocks, stream); });
  }
  void launch_node_sums(KernelKind kind, const SpectralTables& tables, const Queue& queue, std::uint32_t blocks,
                        Stream stream) override {
    timed(seconds_.node_sums, stream, [&] { device_->launch_node_sums(kind, tables, queue, blocks, stream); });
  }
  void launch_expansion(KernelKind kind, const SpectralTables& tables, std::uint32_t blocks, Stream stream) override {
    timed(seconds_.expansion, stream, [&] { device_->launch_expansion(kind, tables, blocks, stream); });
  }
  void launch_sum(const SumBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) override {
    timed(seconds_.other, stream, [&] { device_->launch_sum(body, blocks, threads, stream); });
  }
  void launch_inversion(const InversionBody& body, std::uint32_t blocks, std::uint32_t threads,
                        Stream stream) override {
    timed(seconds_.inversion, stream, [&] { device_->launch_inversion(body, blocks, threads, stream); });
  }
  void launch_walls(WallRule rule, const WallTables& tables, std::uint32_t blocks, std::uint32_t threads,
                    Stream stream) override {
    timed(seconds_.walls, stream, [&] { device_->launch_walls(rule, tables, blocks, threads, stream); });
  }
  void launch_nearest(const NearestBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) override {
    timed(seconds_.nearest, stream, [&] { device_->launch_nearest(body, blocks, threads, stream); });
  }
  void launch_kernel_fill(const KernelFillBody& body, std::uint32_t blocks, std::uint32_t threads,
                          Stream stream) override {
    timed(seconds_.fill_and_slices, stream, [&] { device_->launch_kernel_fill(body, blocks, threads, stream); });
  }
  void multiply(const StridedProducts& products, Stream stream) override {
    timed(seconds_.products, stream, [&] { device_->multiply(products, stream); });
  }
  void launch_slice_sum(const SliceSumBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) override {
    timed(seconds_.fill_and_slices, stream, [&] { device_->launch_slice_sum(body, blocks, threads, stream); });
  }

 private:
  struct Interval {
    cudaEvent_t from, to;
    double* sum;
  };
  static void destroy(const Interval& i) {
    cudaEventDestroy(i.from);
    cudaEventDestroy(i.to);
  }
  template <class Work>
  void timed(double& sum, Stream stream, const Work& work) {
    Interval i{nullptr, nullptr, &sum};
    if (cudaEventCreate(&i.from) != cudaSuccess || cudaEventCreate(&i.to) != cudaSuccess) {
      throw BackendError("creating a timing event failed");
    }
    cudaEventRecord(i.from, static_cast<cudaStream_t>(stream));
    work();
    cudaEventRecord(i.to, static_cast<cudaStream_t>(stream));
    intervals_.push_back(i);
  }

  std::unique_ptr<DeviceApi> device_;
  KernelSeconds& seconds_;
  std::vector<Interval> intervals_;
};

}  // namespace

std::unique_ptr<DeviceApi> make_timed_device(KernelSeconds& seconds) {
  return std::make_unique<TimedDevice>(seconds);
}

std::string cuda_versions() {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  return "driver " + std::to_string(driver) + ", runtime " + std::to_string(runtime);
}

}  // namespace greekgrid::cuda

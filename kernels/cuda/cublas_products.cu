#include <cublas_v2.h>

#include <map>
#include <string>

#include "cublas_products.hpp"
#include "greekgrid/kernels/error.hpp"

namespace greekgrid::cuda {
namespace {

void check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  std::string message =
      std::string(call) + " failed (" + cublasGetStatusName(status) + ": " + cublasGetStatusString(status) + ")";
  if (status == CUBLAS_STATUS_ALLOC_FAILED) message += " lower the memory budget";
  throw BackendError(message);
}

class CublasProducts final : public Products {
 public:
  ~CublasProducts() override {
    for (const auto& [stream, handle] : handles_) cublasDestroy(handle);
  }

  void multiply(const StridedProducts& p, Stream stream) override {
    const double one = 1.0, zero = 0.0;
    check(cublasDgemmStridedBatched(handle_of(stream), operation(p.transpose_a), operation(p.transpose_b), p.m, p.n,
                                    p.k, &one, p.a, p.leading_a, p.stride_a, p.b, p.leading_b, p.stride_b, &zero, p.c,
                                    p.leading_c, p.stride_c, p.batch),
          "cublasDgemmStridedBatched");
  }

  void forget(Stream stream) noexcept override {
    const auto found = handles_.find(stream);
    if (found == handles_.end()) return;
    cublasDestroy(found->second);
    handles_.erase(found);
  }

 private:
  static cublasOperation_t operation(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }

  cublasHandle_t handle_of(Stream stream) {
    const auto found = handles_.find(stream);
    if (found != handles_.end()) return found->second;
    cublasHandle_t handle = nullptr;
    check(cublasCreate(&handle), "cublasCreate");
    handles_[stream] = handle;
    check(cublasSetStream(handle, static_cast<cudaStream_t>(stream)), "cublasSetStream");
    return handle;
  }

  std::map<Stream, cublasHandle_t> handles_;
};

}  // namespace

std::unique_ptr<Products> make_cublas_products() {
  return std::make_unique<CublasProducts>();
}

}  // namespace greekgrid::cuda

// The CUDA backend of a program that was built without CUDA: linked, listed, and says why it cannot run.

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {
namespace {

class CudaStub final : public Backend {
 public:
  BackendStatus status() const override { return {"cuda", false, "built without CUDA"}; }
  void evaluate(GreekSet, std::span<const ExposureJob>) override { refuse(); }
  void implied_volatilities(const QuoteView&, std::span<double>, std::span<formulas::IvStatus>) override { refuse(); }
  void gamma_walls(std::span<const WallJob>) override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    throw BackendError(
        "backend cuda cannot run (built without CUDA) configure with -DGREEKGRID_CUDA=ON where nvcc is installed");
  }
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(Precision) {
  return std::make_unique<CudaStub>();
}

}  // namespace greekgrid

// The CUDA backends of a program that was built without CUDA: linked, listed, and say why they cannot run.

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/forecast_backend.hpp"

namespace greekgrid {
namespace {

[[noreturn]] void refuse() {
  throw BackendError(
      "backend cuda cannot run (built without CUDA) configure with -DGREEKGRID_CUDA=ON where nvcc is installed");
}

class CudaStub final : public Backend {
 public:
  BackendStatus status() const override { return {"cuda", false, "built without CUDA"}; }
  void evaluate(GreekSet, std::span<const ExposureJob>) override { refuse(); }
  void implied_volatilities(const QuoteView&, std::span<double>, std::span<formulas::IvStatus>) override { refuse(); }
  void gamma_walls(std::span<const WallJob>) override { refuse(); }
};

class CudaForecastStub final : public ForecastBackend {
 public:
  BackendStatus status() const override { return {"cuda", false, "built without CUDA"}; }
  void nearest(std::span<const NearestJob>) override { refuse(); }
  void pair_sums(std::span<const PairSumsJob>) override { refuse(); }
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(Precision, EvaluatorOptions) {
  return std::make_unique<CudaStub>();
}
std::unique_ptr<ForecastBackend> make_cuda_forecast_backend() {
  return std::make_unique<CudaForecastStub>();
}

}  // namespace greekgrid

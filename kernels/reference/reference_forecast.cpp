// Searches and sums of kernels as plain double loops, written to be read, never optimised: what every other backend is
// tested against.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "greekgrid/kernels/forecast_backend.hpp"

namespace greekgrid {
namespace {

struct Candidate {
  double distance2;
  std::int32_t index;
};

void search(const NearestJob& job) {
  const PointsView& points = job.points;
  for (std::size_t q = 0; q < job.places(); ++q) {
    const double* at = job.at.data() + q * points.axes;
    std::vector<Candidate> candidates;
    for (std::int32_t i = 0; i <= job.last[q]; ++i) {
      double distance2 = 0.0;
      for (std::size_t a = 0; a < points.axes; ++a) {
        const double difference = points.axis[a][i] - at[a];
        distance2 = distance2 + difference * difference;
      }
      if (std::isnan(distance2)) continue;
      if (points.required != nullptr && !std::isfinite(points.required[i])) continue;
      candidates.push_back({distance2, i});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.index > b.index;
    });
    job.candidates[q] = static_cast<std::int32_t>(candidates.size());
    for (std::size_t k = 0; k < job.count; ++k) {
      const bool found = k < candidates.size();
      job.index[q * job.count + k] = found ? candidates[k].index : -1;
      job.distance2[q * job.count + k] = found ? candidates[k].distance2 : std::numeric_limits<double>::quiet_NaN();
    }
  }
}

// Kernels of a point at every node of an axis; all 0 where it is not on the axis.
std::vector<double> node_kernels(double z, double bandwidth) {
  std::vector<double> kernel(kKernelNodes, 0.0);
  if (!(std::abs(z) <= 1.0)) return kernel;
  for (std::size_t i = 0; i < kKernelNodes; ++i) {
    const double x = -1.0 + 2.0 * static_cast<double>(i) / 63.0 - z;
    const double k = std::exp(-x * x / (2.0 * bandwidth * bandwidth));
    if (k >= kLeastKernel) kernel[i] = k;
  }
  return kernel;
}

void sum_kernels(const PairSumsJob& job) {
  constexpr std::size_t kMap = kKernelNodes * kKernelNodes;
  float* out = job.sums.data();
  for (std::size_t v = 0; v < job.values(); ++v) {
    for (std::size_t a = 0; a + 1 < kKernelAxes; ++a) {
      for (std::size_t b = a + 1; b < kKernelAxes; ++b, out += kKernelSums * kMap) {
        std::vector<double> sum(kKernelSums * kMap, 0.0);
        const double *first = job.points.axis[a], *second = job.points.axis[b];
        for (std::size_t s = 0; s < job.points.points && first != nullptr && second != nullptr; ++s) {
          const double y = job.points.value[v][s];
          if (!std::isfinite(y)) continue;
          const std::vector<double> left = node_kernels(first[s], job.bandwidth);
          const std::vector<double> right = node_kernels(second[s], job.bandwidth);
          for (std::size_t i = 0; i < kKernelNodes; ++i) {
            for (std::size_t j = 0; j < kKernelNodes; ++j) {
              const double k = left[i] * right[j];
              const std::size_t at = i * kKernelNodes + j;
              sum[static_cast<std::size_t>(KernelSum::kMass) * kMap + at] += k;
              sum[static_cast<std::size_t>(KernelSum::kPositive) * kMap + at] += k * std::max(y, 0.0);
              sum[static_cast<std::size_t>(KernelSum::kNegative) * kMap + at] += k * std::max(-y, 0.0);
              sum[static_cast<std::size_t>(KernelSum::kSquares) * kMap + at] += k * k;
            }
          }
        }
        std::transform(sum.begin(), sum.end(), out, [](double x) { return static_cast<float>(x); });
      }
    }
  }
}

class ReferenceForecastBackend final : public ForecastBackend {
 public:
  BackendStatus status() const override { return {"reference", true, "plain double loops, one thread"}; }
  void nearest(std::span<const NearestJob> jobs) override {
    for (const NearestJob& job : jobs) search(job);
  }
  void pair_sums(std::span<const PairSumsJob> jobs) override {
    for (const PairSumsJob& job : jobs) sum_kernels(job);
  }
};

}  // namespace

std::unique_ptr<ForecastBackend> make_reference_forecast_backend() {
  return std::make_unique<ReferenceForecastBackend>();
}

}  // namespace greekgrid

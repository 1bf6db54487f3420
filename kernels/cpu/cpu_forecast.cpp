// Searches and sums of kernels on the CPU: spreads places and histories over threads; a place or a history is one
// thread's, so the bits of a result depend on its job alone.

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "cpu/moments.hpp"
#include "greekgrid/kernels/forecast_backend.hpp"

namespace greekgrid {
namespace {

// Places that one thread takes at a time: some tenths of a millisecond over a long history.
constexpr std::size_t kPlacePiece = 64;

void search(const NearestJob& job, std::size_t begin, std::size_t end) {
  const std::size_t axes = job.points.axes;
  for (std::size_t q = begin; q < end; ++q) {
    const std::span<std::int32_t> index = job.index.subspan(q * job.count, job.count);
    const std::span<double> distance2 = job.distance2.subspan(q * job.count, job.count);
    PointsView points = job.points;
    points.points = job.last[q] < 0 ? 0 : static_cast<std::size_t>(job.last[q]) + 1;
    const std::size_t candidates =
        nearest(points, job.at.subspan(q * axes, axes), index, distance2, NearestAnswer::kOrderAndCount);
    job.candidates[q] = static_cast<std::int32_t>(candidates);
    const auto found = static_cast<std::ptrdiff_t>(std::min(candidates, job.count));
    std::fill(index.begin() + found, index.end(), -1);
    std::fill(distance2.begin() + found, distance2.end(), std::numeric_limits<double>::quiet_NaN());
  }
}

class CpuForecastBackend final : public ForecastBackend {
 public:
  BackendStatus status() const override {
    return {"cpu", true, std::string("Highway ") + cpu::instruction_set() + ", oneTBB"};
  }

  void nearest(std::span<const NearestJob> jobs) override {
    struct Piece {
      const NearestJob* job;
      std::size_t begin, end;
    };
    std::vector<Piece> pieces;
    for (const NearestJob& job : jobs) {
      for (std::size_t q = 0; q < job.places(); q += kPlacePiece) {
        pieces.push_back({&job, q, std::min(q + kPlacePiece, job.places())});
      }
    }
    oneapi::tbb::parallel_for(std::size_t{0}, pieces.size(),
                              [&](std::size_t p) { search(*pieces[p].job, pieces[p].begin, pieces[p].end); });
  }

  void pair_sums(std::span<const PairSumsJob> jobs) override {
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t j) {
      gaussian_pair_sums(jobs[j].points, jobs[j].bandwidth, jobs[j].sums);
    });
  }
};

}  // namespace

std::unique_ptr<ForecastBackend> make_cpu_forecast_backend() {
  return std::make_unique<CpuForecastBackend>();
}

}  // namespace greekgrid

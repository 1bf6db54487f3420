#pragma once

/// @file
/// The backends that search for nearest points and sum kernels over pairs of axes, many histories at once: what
/// forecasts are made of. As with exposures, a backend that cannot run here says why; nothing falls back silently.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/kernel_sums.hpp"
#include "greekgrid/kernels/nearest.hpp"

namespace greekgrid {

/// Searches among the points of one history: Q places, each with the K points nearest to it.
struct NearestJob {
  PointsView points;                   ///< coordinates of magnitude 1e150 at most, or NaN; `rounded` is not needed
  std::span<const double> at;          ///< (Q, axes) places; no point is near one that has a NaN
  std::span<const std::int32_t> last;  ///< (Q) candidates of a place are points 0 .. last, below N; below 0: none
  std::size_t count = 0;               ///< K, 1 to kMostNearest
  std::span<std::int32_t> index;       ///< (Q, K) of the points, nearest first; -1 where there are fewer candidates
  std::span<double> distance2;         ///< (Q, K); NaN where there are fewer candidates
  std::span<std::int32_t> candidates;  ///< (Q) points up to `last` that were not left out

  std::size_t places() const { return last.size(); }
};

/// Sums of kernels over the points of one history, as of gaussian_pair_sums.
struct PairSumsJob {
  KernelPointsView points;
  double bandwidth = 0.0;  ///< >= 0.15
  /// (value, pair, KernelSum, first axis, second axis); 0 for the pairs of an axis without values
  std::span<float> sums;

  std::size_t values() const { return points.value[1] == nullptr ? 1 : 2; }
};

/// Searches and sums over histories. Results depend on the job alone: not on the other jobs of the call, the number of
/// threads or earlier calls.
class ForecastBackend {
 public:
  virtual ~ForecastBackend() = default;
  virtual BackendStatus status() const = 0;
  /// Finds the nearest points of every job: those of greekgrid::nearest in their order, to the bit, whatever the
  /// backend. The call returns when all results are written.
  /// @throws BackendError if the backend is not usable or its device fails.
  virtual void nearest(std::span<const NearestJob> jobs) = 0;
  /// Sums the kernels of every job within the error of gaussian_pair_sums. The call returns when all results are
  /// written.
  /// @throws BackendError if the backend is not usable or its device fails.
  virtual void pair_sums(std::span<const PairSumsJob> jobs) = 0;
};

/// Plain double loops: the truth the other backends are tested against.
std::unique_ptr<ForecastBackend> make_reference_forecast_backend();
/// Vectorised (Highway, dispatched at run time) and threaded (oneTBB, within the caller's arena).
std::unique_ptr<ForecastBackend> make_cpu_forecast_backend();
/// CUDA; a stub that says why where the program was built without it or no device answers. One call at a time.
std::unique_ptr<ForecastBackend> make_cuda_forecast_backend();

}  // namespace greekgrid

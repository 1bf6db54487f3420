#include <algorithm>
#include <cmath>
#include <limits>

#include "greekgrid/host/forecast.hpp"
#include "greekgrid/kernels/kernel_sums.hpp"

namespace greekgrid {

static_assert(kMapNodes == kKernelNodes && kPairs.size() == kAxisPairs && kPredictors == kKernelAxes);

WeatherMaps make_weather_maps(const ForecastData& data, std::ptrdiff_t last) {
  constexpr std::size_t kMap = kMapNodes * kMapNodes;
  KernelPointsView points;
  points.value = data.outcome.data();
  points.points = last < 0 ? 0 : std::min(static_cast<std::size_t>(last) + 1, data.outcome.size());
  for (std::size_t p = 0; p < kPredictors; ++p) {
    // A predictor that the ticker does not have costs nothing.
    for (std::size_t s = 0; s < points.points && points.axis[p] == nullptr; ++s) {
      if (std::isfinite(data.z[p][s])) points.axis[p] = data.z[p].data();
    }
  }
  std::vector<float> sums(kAxisPairs * kKernelSums * kMap);
  gaussian_pair_sums(points, kMapBandwidth, sums);
  WeatherMaps maps;
  for (auto* map : {&maps.mean, &maps.magnitude, &maps.mass, &maps.n_eff}) map->resize(kPairs.size() * kMap);
  for (std::size_t pair = 0; pair < kPairs.size(); ++pair) {
    const float* sum = sums.data() + pair * kKernelSums * kMap;
    for (std::size_t i = 0; i < kMap; ++i) {
      const float mass = sum[i], positive = sum[kMap + i], negative = sum[2 * kMap + i], squares = sum[3 * kMap + i];
      const std::size_t at = pair * kMap + i;
      const bool shown = mass >= static_cast<float>(kLeastMapMass);
      constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
      maps.mass[at] = mass;
      maps.n_eff[at] = squares > 0.0F ? mass * mass / squares : 0.0F;
      maps.mean[at] = shown ? (positive - negative) / mass : kNaN;
      maps.magnitude[at] = shown ? (positive + negative) / mass - 1.0F : kNaN;
    }
  }
  return maps;
}

}  // namespace greekgrid

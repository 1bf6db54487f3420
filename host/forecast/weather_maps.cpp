#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "greekgrid/host/forecast.hpp"
#include "greekgrid/kernels/kernel_sums.hpp"

namespace greekgrid {

static_assert(kMapNodes == kKernelNodes && kPairs.size() == kAxisPairs && kPredictors == kKernelAxes);
static_assert(kHorizons.size() <= kKernelValues);

namespace {

constexpr std::size_t kMap = kMapNodes * kMapNodes;

KernelPointsView points_of(const ForecastData& data, std::size_t sessions) {
  KernelPointsView points;
  points.points = sessions;
  for (std::size_t p = 0; p < kPredictors; ++p) {
    // A predictor that the ticker does not have costs nothing.
    for (std::size_t s = 0; s < sessions && points.axis[p] == nullptr; ++s) {
      if (std::isfinite(data.z[p][s])) points.axis[p] = data.z[p].data();
    }
  }
  return points;
}

// @param sums of one value
WeatherMaps maps_of(std::span<const float> sums) {
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

}  // namespace

WeatherMaps make_weather_maps(const ForecastData& data, std::ptrdiff_t last) {
  const std::size_t sessions = last < 0 ? 0 : std::min(static_cast<std::size_t>(last) + 1, data.outcome.size());
  KernelPointsView points = points_of(data, sessions);
  points.value[0] = data.outcome.data();
  std::vector<float> sums(kAxisPairs * kKernelSums * kMap);
  gaussian_pair_sums(points, kMapBandwidth, sums);
  return maps_of(sums);
}

std::array<WeatherMaps, kHorizons.size()> make_weather_maps(const HorizonData& data, std::size_t t) {
  std::array<std::vector<double>, kHorizons.size()> known;
  std::size_t sessions = 0;
  const auto candidates = [&](std::size_t h) {
    const auto horizon = static_cast<std::size_t>(data[h].horizon);
    return t < horizon ? 0 : std::min(t - horizon + 1, data[h].outcome.size());
  };
  for (std::size_t h = 0; h < kHorizons.size(); ++h) sessions = std::max(sessions, candidates(h));
  KernelPointsView points = points_of(data[0], sessions);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    known[h].assign(sessions, std::numeric_limits<double>::quiet_NaN());
    std::copy_n(data[h].outcome.begin(), candidates(h), known[h].begin());
    points.value[h] = known[h].data();
  }
  constexpr std::size_t kOfValue = kAxisPairs * kKernelSums * kMap;
  std::vector<float> sums(kHorizons.size() * kOfValue);
  gaussian_pair_sums(points, kMapBandwidth, sums);
  std::array<WeatherMaps, kHorizons.size()> maps;
  for (std::size_t h = 0; h < kHorizons.size(); ++h) maps[h] = maps_of(std::span(sums).subspan(h * kOfValue, kOfValue));
  return maps;
}

}  // namespace greekgrid

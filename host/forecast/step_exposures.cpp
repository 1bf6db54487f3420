#include "greekgrid/host/step_exposures.hpp"

#include <algorithm>
#include <cmath>

#include "../levels/exposure_line.hpp"

namespace greekgrid {
namespace {

constexpr std::size_t kMost = 1U << 14U;  // spots of a line

}  // namespace

std::vector<double> step_exposures(Backend& backend, GreekSet greeks, const BookView& book, std::size_t positions,
                                   const GridView& grid, std::span<const double> close) {
  const std::size_t rows = greeks.size() * positions * grid.time.size() * grid.iv_shift.size();
  std::vector<double> out(rows * close.size(), 0.0);
  if (close.empty() || book.expiries() == 0) return out;
  const double low = std::log(close.front() / book.spot), high = std::log(close.back() / book.spot);
  // The closes' own spacing where it is least, at the top.
  const double gap = close.size() > 1 ? std::log(close.back() / close[close.size() - 2]) : 1e-3;
  const double range = std::max(high - low, gap);
  const auto points = static_cast<std::size_t>(std::clamp(std::ceil(range / gap), 8.0, static_cast<double>(kMost)));
  SpotLine line;
  line.step = range / static_cast<double>(points);
  line.begin = low - 4.0 * line.step;
  line.spots = points + 10;
  const std::vector<double> values = evaluate_line(backend, greeks, book, positions, grid, line, grid.time.front());
  for (std::size_t c = 0; c < close.size(); ++c) {
    const double at = (std::log(close[c] / book.spot) - line.begin) / line.step;
    const auto below = std::clamp<std::size_t>(static_cast<std::size_t>(at), 3, line.spots - 5);
    const auto weight = lagrange(at - static_cast<double>(below));
    for (std::size_t row = 0; row < rows; ++row) {
      const double* from = &values[row * line.spots + below - 3];
      double value = 0.0;
      for (std::size_t a = 0; a < kStencil; ++a) value += weight[a] * from[a];
      out[row * close.size() + c] = value;
    }
  }
  return out;
}

}  // namespace greekgrid

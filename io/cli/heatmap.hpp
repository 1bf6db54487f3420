#pragma once

/// @file
/// A matrix as characters: the sign and the size of every cell readable without colour.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace greekgrid::cli {

/// What to draw. Samples are C-ordered (rows, columns); NaN is missing.
struct Heatmap {
  std::vector<double> value;
  std::vector<std::string> row_label, column_label;  ///< one per sample of an axis
  std::optional<std::size_t> marked_column;          ///< sample that the axis points at
  std::string row_name, column_name;                 ///< of the axes, with their units
};

/// How to draw it.
struct HeatmapStyle {
  std::size_t width = 100, height = 40;  ///< characters and lines of the map, labels aside
  bool take_nearest = false;             ///< where samples share a cell: that in its middle instead of their mean
  bool use_color = false;
};

/// The map with its axes, and a key to its characters: 1 to 9 positive and a to i negative, in ninths of the largest
/// magnitude among the samples, `|` and `~` where the sign changes along and across a row, `0` exactly zero, `?`
/// missing.
/// @param unit of the values, for the key
std::string draw_heatmap(const Heatmap& map, const HeatmapStyle& style, const std::string& unit);

}  // namespace greekgrid::cli

#include "heatmap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace greekgrid::cli {
namespace {

constexpr int kLevels = 9;
constexpr std::size_t kWidestCell = 6;
/// Of the 256-colour palette, weak to strong: blue positive, red negative.
constexpr std::array<int, kLevels> kPositive = {195, 153, 117, 111, 75, 69, 33, 27, 21};
constexpr std::array<int, kLevels> kNegative = {224, 217, 210, 203, 197, 196, 160, 124, 88};
constexpr int kDark = 16, kLight = 231, kFirstLightOn = 6;

/// The samples [begin(i), begin(i + 1)) of cell i.
struct Cells {
  std::size_t samples, count;
  std::size_t begin(std::size_t i) const { return i * samples / count; }
  std::size_t middle(std::size_t i) const { return (begin(i) + begin(i + 1) - 1) / 2; }
  std::size_t of(std::size_t sample) const {
    std::size_t i = 0;
    while (begin(i + 1) <= sample) ++i;
    return i;
  }
  std::string text(bool take_nearest) const {
    if (samples == count) return fmt::format("{} samples", samples);
    const std::size_t least = samples / count, most = (samples + count - 1) / count;
    return fmt::format("{} samples in {} cells, each the {} {}", samples, count,
                       take_nearest ? "middle one of" : "mean of",
                       least == most ? fmt::format("{}", least) : fmt::format("{} or {}", least, most));
  }
};

double cell_value(const Heatmap& map, const Cells& rows, const Cells& columns, std::size_t r, std::size_t c,
                  bool take_nearest) {
  if (take_nearest) return map.value[rows.middle(r) * columns.samples + columns.middle(c)];
  double sum = 0.0;
  std::size_t count = 0;
  for (std::size_t i = rows.begin(r); i < rows.begin(r + 1); ++i) {
    for (std::size_t j = columns.begin(c); j < columns.begin(c + 1); ++j) {
      const double value = map.value[i * columns.samples + j];
      if (std::isnan(value)) continue;
      sum += value;
      ++count;
    }
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

/// What the key's ninths are of: the largest magnitude, or where a few samples dwarf the rest the one that a tenth of
/// them exceeds, so that the minutes before a settlement do not leave the day before them blank.
struct Scale {
  double top = 0.0;
  bool is_cut = false;
};
Scale scale_of(const std::vector<double>& values) {
  constexpr double kDwarfed = 4.0;
  std::vector<double> size;
  for (const double value : values) {
    if (std::isfinite(value) && value != 0.0) size.push_back(std::fabs(value));
  }
  if (size.empty()) return {};
  const auto tenth = size.begin() + static_cast<std::ptrdiff_t>(size.size() * 9 / 10);
  std::nth_element(size.begin(), tenth, size.end());
  const double most = *std::max_element(tenth, size.end());
  if (most <= kDwarfed * *tenth) return {most, false};
  return {*tenth, true};
}

/// Ninths of the top of the scale, rounded away from zero; 0 for 0 and NaN.
int level(double value, double largest) {
  if (std::isnan(value) || value == 0.0 || largest == 0.0) return 0;
  const int ninths =
      std::clamp(static_cast<int>(std::ceil(kLevels * std::min(1.0, std::fabs(value) / largest))), 1, kLevels);
  return value > 0.0 ? ninths : -ninths;
}

char letter(double value, int ninths) {
  if (std::isnan(value)) return '?';
  return static_cast<char>(ninths < 0 ? 'a' - 1 - ninths : '0' + ninths);
}

bool changes_sign(double a, double b) {
  return (a < 0.0 && b > 0.0) || (a > 0.0 && b < 0.0);
}

std::string color_of(int ninths) {
  if (ninths == 0) return "\x1b[0m";
  const int place = std::abs(ninths) - 1;
  return fmt::format("\x1b[38;5;{};48;5;{}m", place >= kFirstLightOn ? kLight : kDark,
                     (ninths > 0 ? kPositive : kNegative)[static_cast<std::size_t>(place)]);
}

/// The axis below the map: ticks, their labels, and the mark.
std::string axis(const Heatmap& map, const Cells& columns, std::size_t wide, std::size_t margin) {
  const std::size_t width = columns.count * wide;
  std::size_t longest = 0;
  for (const std::string& label : map.column_label) longest = std::max(longest, label.size());
  const std::size_t spacing = ((longest + 2 + wide - 1) / wide) * wide;
  const std::size_t marked = map.marked_column ? columns.of(*map.marked_column) * wide : 0;
  std::string line(width, '-'), labels(width + longest, ' ');
  for (std::size_t at = marked % spacing; at < width; at += spacing) {
    line[at] = '+';
    const std::string& label = map.column_label[columns.middle(at / wide)];
    labels.replace(at, label.size(), label);
  }
  if (map.marked_column) line[marked] = '^';
  if (map.marked_column)
    labels.replace(marked, map.column_label[*map.marked_column].size(), map.column_label[*map.marked_column]);
  labels.erase(labels.find_last_not_of(' ') + 1);
  return std::string(margin, ' ') + line + "\n" + std::string(margin, ' ') + labels + "\n";
}

}  // namespace

std::string draw_heatmap(const Heatmap& map, const HeatmapStyle& style, const std::string& unit) {
  const Cells rows{map.row_label.size(), std::min(map.row_label.size(), std::max<std::size_t>(1, style.height))};
  const Cells columns{map.column_label.size(),
                      std::min(map.column_label.size(), std::max<std::size_t>(1, style.width))};
  const std::size_t wide = std::clamp<std::size_t>(style.width / columns.count, 1, kWidestCell);
  const Scale scale = scale_of(map.value);
  const double largest = scale.top;
  std::vector<double> value;
  for (std::size_t r = 0; r < rows.count; ++r) {
    for (std::size_t c = 0; c < columns.count; ++c) {
      value.push_back(cell_value(map, rows, columns, r, c, style.take_nearest));
    }
  }
  std::size_t margin = 0;
  for (std::size_t r = 0; r < rows.count; ++r) margin = std::max(margin, map.row_label[rows.middle(r)].size());
  margin += 2;

  std::string text;
  for (std::size_t r = 0; r < rows.count; ++r) {
    text += fmt::format("{:<{}}", map.row_label[rows.middle(r)], margin);
    int last = 0;
    for (std::size_t c = 0; c < columns.count; ++c) {
      const double here = value[r * columns.count + c];
      const int ninths = level(here, largest);
      std::string cell(wide, letter(here, ninths));
      if (c > 0 && changes_sign(value[r * columns.count + c - 1], here)) {
        cell[0] = '|';
      } else if (r > 0 && changes_sign(value[(r - 1) * columns.count + c], here)) {
        cell[0] = '~';
      }
      if (style.use_color && ninths != last) text += color_of(ninths);
      last = ninths;
      text += cell;
    }
    if (style.use_color && last != 0) text += "\x1b[0m";
    text += "\n";
  }
  text += axis(map, columns, wide, margin);
  text += fmt::format("across  {}, {}\n", map.column_name, columns.text(style.take_nearest));
  text += fmt::format("down    {}, {}\n", map.row_name, rows.text(style.take_nearest));
  text +=
      fmt::format("key     1 to 9 positive, a to i negative, up to so many ninths of {:.4g} ({}); 0 zero, ? missing\n",
                  largest, unit);
  if (scale.is_cut)
    text += "        9 and i: that much or more; the largest tenth of the samples is far above the rest\n";
  text += "        | the sign changes across, ~ it changes down\n";
  return text;
}

}  // namespace greekgrid::cli

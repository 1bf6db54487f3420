// A slice of a surface as a map of characters in the terminal.

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <string_view>

#include "commands.hpp"
#include "display_unit.hpp"
#include "heatmap.hpp"
#include "output.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

constexpr const char *kTicker = "ticker", *kSpot = "spot", *kSpotReference = "spot_reference";

struct Options {
  std::string file, ticker, what, group = "root", position, iv_rule, iv_shift, time, x, y, unit, color = "auto",
                                  aggregate = "mean";
  std::vector<std::string> select;
  std::size_t width = 0, height = 0;
};

/// A dimension of the variable: its coordinate, and the index at which it is held unless it is an axis.
struct Dimension {
  std::string name;
  std::int64_t length = 0;
  TableColumn coordinate;
  std::int64_t index = 0;
};

bool is_number(const TableVariable& variable) {
  return variable.type != "string" && variable.flag_values.empty() && !variable.is_instant();
}

/// Whether a variable has a ticker and two more dimensions to draw.
bool is_surface(const TableVariable& variable) {
  constexpr std::size_t kLeast = 3;
  return is_number(variable) && variable.dims.size() >= kLeast &&
         std::find(variable.dims.begin(), variable.dims.end(), kTicker) != variable.dims.end();
}

std::size_t nearest(const TableColumn& coordinate, double wanted) {
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < cells(coordinate.variable); ++i) {
    const double distance = std::fabs(number_at(coordinate, i) - wanted);
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/// A coordinate's value as people read it.
std::string label(const TableColumn& coordinate, std::size_t index) {
  const std::string text = text_at(coordinate, index);
  if (coordinate.variable.is_instant() && !is_number_at(coordinate, index)) {
    return text.substr(0, text.size() - 4) + "Z";  // without seconds
  }
  if (coordinate.variable.type == "f64" || coordinate.variable.type == "f32") {
    return fmt::format("{:.6g}", number_at(coordinate, index));
  }
  return text;
}

/// The index that `DIM=VALUE` asks for. @throws UsageError
std::int64_t find_index(const std::string& option, const std::string& value, const Dimension& dim) {
  const TableVariable& variable = dim.coordinate.variable;
  if (variable.type == "string") {
    const auto& names = std::get<std::vector<std::string>>(dim.coordinate.values);
    const auto found = std::find(names.begin(), names.end(), value);
    if (found != names.end()) return found - names.begin();
    throw UsageError(fmt::format("{} {}: no such {} (choose {})", option, value, dim.name, join(names, ", ")));
  }
  if (variable.is_instant()) {
    std::int64_t index = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), index);
    if (error == std::errc() && end == value.data() + value.size()) {
      if (index >= 0 && index < dim.length) return index;
      throw UsageError(
          fmt::format("{} {}: out of range (an index from 0 to {}, or an instant)", option, value, dim.length - 1));
    }
    return static_cast<std::int64_t>(nearest(dim.coordinate, static_cast<double>(parse_instant(value, option))));
  }
  double number = 0.0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number)) {
    throw UsageError(fmt::format("{} {}: not a number (the nearest value of {} is taken)", option, value, dim.name));
  }
  return static_cast<std::int64_t>(nearest(dim.coordinate, number));
}

/// What the options hold fixed, by dimension: option and value.
std::map<std::string, std::pair<std::string, std::string>> selections(const Options& options) {
  std::map<std::string, std::pair<std::string, std::string>> fixed;
  const auto add = [&](const std::string& dim, const std::string& option, const std::string& value) {
    if (value.empty()) return;
    if (!fixed.insert({dim, {option, value}}).second)
      throw UsageError(option + " " + value + ": " + dim + " comes twice");
  };
  add("position", "--position", options.position);
  add("iv_rule", "--iv-rule", options.iv_rule);
  add("iv_shift", "--iv-shift", options.iv_shift);
  add("time", "--time", options.time);
  for (const std::string& one : options.select) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == one.size()) {
      throw UsageError("--select " + one + ": not DIM=VALUE");
    }
    add(one.substr(0, equals), "--select " + one.substr(0, equals), one.substr(equals + 1));
  }
  return fixed;
}

/// The two axes of the map. @throws UsageError
std::pair<std::string, std::string> choose_axes(
    const Options& options, const TableVariable& variable,
    const std::map<std::string, std::pair<std::string, std::string>>& fixed) {
  std::vector<std::string> free;
  for (const std::string& dim : variable.dims) {
    if (dim != kTicker && !fixed.contains(dim)) free.push_back(dim);
  }
  const auto require = [&](const char* option, const std::string& dim) {
    if (std::find(free.begin(), free.end(), dim) != free.end()) return;
    throw UsageError(fmt::format("{} {}: no free dimension of {} (choose {})", option, dim, variable.name,
                                 free.empty() ? "fewer selections" : join(free, ", ")));
  };
  const auto length = [&](const std::string& dim) {
    return variable.lengths[static_cast<std::size_t>(std::find(variable.dims.begin(), variable.dims.end(), dim) -
                                                     variable.dims.begin())];
  };
  const auto choose = [&](std::initializer_list<const char*> preferred) -> std::string {
    for (const std::string name : preferred) {
      if (std::find(free.begin(), free.end(), name) != free.end() && length(name) > 1) return name;
    }
    const auto longest = std::max_element(
        free.begin(), free.end(), [&](const std::string& a, const std::string& b) { return length(a) < length(b); });
    if (longest == free.end()) {
      throw UsageError(fmt::format("{} of group {} has fewer than two dimensions left (select fewer of {})",
                                   variable.name, options.group, join(variable.dims, ", ")));
    }
    return *longest;
  };
  if (!options.x.empty()) require("--x", options.x);
  if (!options.y.empty()) require("--y", options.y);
  if (!options.x.empty() && options.x == options.y) throw UsageError("--y " + options.y + ": is the x axis already");
  std::erase(free, options.x);
  std::erase(free, options.y);
  const std::string x = options.x.empty() ? choose({"spot_step", "strike", "row"}) : options.x;
  std::erase(free, x);
  return {x, options.y.empty() ? choose({"time", "iv_shift"}) : options.y};
}

/// The spots of one ticker over a dimension, or its reference alone.
struct Spots {
  std::string dim;  ///< empty if there is one only
  std::vector<double> value;
  double reference = std::numeric_limits<double>::quiet_NaN();

  double at(const std::map<std::string, std::size_t>& index) const {
    if (value.empty()) return reference;
    return value[index.at(dim)];
  }
};

Spots read_spots(const Options& options, const TableFile& listed, const TableGroup& group, std::int64_t ticker,
                 const std::string& name) {
  Spots spots;
  const TableVariable* spot = find_variable(group, kSpot);
  if (spot != nullptr && is_number(*spot) && spot->dims.size() == 2 && spot->dims[0] == kTicker) {
    spots.dim = spot->dims[1];
    const TableColumn column =
        std::move(read_columns(options.file, group, {{kSpot}, {{kTicker, {ticker, 1}}}}).front());
    for (std::size_t i = 0; i < cells(column.variable); ++i) spots.value.push_back(number_at(column, i));
  }
  for (const TableGroup* where : {&group, &listed.groups.front()}) {
    const TableVariable* reference = find_variable(*where, kSpotReference);
    if (reference == nullptr || !is_number(*reference) || reference->dims != std::vector<std::string>{kTicker})
      continue;
    const std::vector<TableColumn> table = read_columns(options.file, *where, {{kTicker, kSpotReference}, {}});
    for (std::size_t u = 0; u < cells(table[0].variable); ++u) {
      if (text_at(table[0], u) == name) spots.reference = number_at(table[1], u);
    }
    break;
  }
  return spots;
}

std::int64_t find_ticker(const Options& options, const TableGroup& group, std::string& name) {
  const TableColumn column = read_column(options.file, group, kTicker);
  const auto* names = std::get_if<std::vector<std::string>>(&column.values);
  if (names == nullptr) throw InputError(options.file + ": the tickers of group " + group.path + " are no names");
  if (options.ticker.empty()) {
    constexpr std::size_t kMostListed = 20;
    name = names->front();
    if (names->size() == 1) return 0;
    const std::vector<std::string> some(
        names->begin(), names->begin() + static_cast<std::ptrdiff_t>(std::min(kMostListed, names->size())));
    throw UsageError(fmt::format("--ticker: missing (choose one of {}: {}{})", names->size(), join(some, ", "),
                                 names->size() > kMostListed ? ", ..." : ""));
  }
  name = options.ticker;
  const auto found = std::find(names->begin(), names->end(), options.ticker);
  if (found != names->end()) return found - names->begin();
  throw InputError(
      fmt::format("{}: no ticker {} (see `greekgrid info` for what was refused)", options.file, options.ticker));
}

bool use_color(const std::string& color) {
  if (color != "auto") return color == "always";
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

/// Characters and lines for the map beside labels of a width.
HeatmapStyle style_of(const Options& options, std::size_t margin) {
  constexpr std::size_t kWidth = 100, kHeight = 40, kLeast = 20, kOtherLines = 14;
  HeatmapStyle style{kWidth, kHeight, options.aggregate == "nearest", use_color(options.color)};
  struct winsize window {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0) {
    style.width = std::max(kLeast, window.ws_col - std::min<std::size_t>(window.ws_col, margin));
    style.height = std::max(kLeast, window.ws_row - std::min<std::size_t>(window.ws_row, kOtherLines));
  }
  if (options.width > 0) style.width = options.width;
  if (options.height > 0) style.height = options.height;
  return style;
}

int run_show(const Options& options) {
  const TableFile listed = list_groups(options.file);
  if (listed.schema != "greekgrid.night") {
    throw InputError(options.file + ": holds no surfaces (its schema is " + listed.schema +
                     ") make a night.h5 with greekgrid run");
  }
  const TableGroup& group = require_group("--group", options.group, listed);
  std::vector<std::string> surfaces;
  for (const TableVariable& variable : group.variables) {
    if (is_surface(variable)) surfaces.push_back(variable.name);
  }
  if (surfaces.empty()) {
    throw UsageError("--group " + group.path +
                     ": has no variable over ticker and two more dimensions (see `greekgrid export`)");
  }
  const bool has_gx = std::find(surfaces.begin(), surfaces.end(), "gx") != surfaces.end();
  const std::string what = !options.what.empty() ? options.what : has_gx ? "gx" : surfaces.front();
  const TableVariable& variable = require_variable("--what", what, group, surfaces);
  std::string ticker_name;
  const std::int64_t ticker = find_ticker(options, group, ticker_name);

  const auto fixed = selections(options);
  for (const auto& [dim, how] : fixed) {
    if (dim == kTicker || std::find(variable.dims.begin(), variable.dims.end(), dim) == variable.dims.end()) {
      throw UsageError(fmt::format("{} {}: {} has no such dimension {} (it has {})", how.first, how.second,
                                   variable.name, dim, join(variable.dims, ", ")));
    }
  }
  const auto [x_name, y_name] = choose_axes(options, variable, fixed);
  std::vector<TableColumn> coordinates = read_columns(options.file, group, {variable.dims, {}});
  std::map<std::string, Dimension> dims;
  TableSelection selection{{variable.name}, {}};
  std::map<std::string, std::size_t> at;
  std::string held;
  for (std::size_t k = 0; k < variable.dims.size(); ++k) {
    Dimension dim{variable.dims[k], variable.lengths[k], std::move(coordinates[k]), 0};
    const auto how = fixed.find(dim.name);
    if (dim.name == kTicker) {
      dim.index = ticker;
    } else if (how != fixed.end()) {
      dim.index = find_index(how->second.first, how->second.second, dim);
    } else if (dim.name == "iv_shift" || dim.name == "spot_step") {
      dim.index = static_cast<std::int64_t>(nearest(dim.coordinate, 0.0));
    }
    at[dim.name] = static_cast<std::size_t>(dim.index);
    if (dim.name != x_name && dim.name != y_name) {
      selection.ranges[dim.name] = {dim.index, 1};
      if (dim.name != kTicker) {
        held +=
            (held.empty() ? "" : ", ") + dim.name + " " + label(dim.coordinate, static_cast<std::size_t>(dim.index));
        const std::string& units = dim.coordinate.variable.units;
        if (!units.empty() && units != "1" && !dim.coordinate.variable.is_instant()) held += " " + units;
      }
    }
    dims.emplace(dim.name, std::move(dim));
  }
  const TableColumn read = std::move(read_columns(options.file, group, selection).front());
  const Spots spots = read_spots(options, listed, group, ticker, ticker_name);
  DisplayUnit unit = display_unit(variable.units, options.unit);
  if (unit.spot_power > 0 && spots.value.empty() && std::isnan(spots.reference)) {
    throw UsageError("--unit: no spot of " + ticker_name + " to convert with (choose --unit base)");
  }

  const Dimension &x = dims.at(x_name), &y = dims.at(y_name);
  const auto nx = static_cast<std::size_t>(x.length), ny = static_cast<std::size_t>(y.length);
  // The axis that comes first in the file has the longer stride.
  const bool y_first = std::find(variable.dims.begin(), variable.dims.end(), y_name) <
                       std::find(variable.dims.begin(), variable.dims.end(), x_name);
  Heatmap map;
  double largest = 0.0;
  for (std::size_t i = 0; i < ny; ++i) {
    for (std::size_t j = 0; j < nx; ++j) {
      at[y_name] = i;
      at[x_name] = j;
      map.value.push_back(unit.of(number_at(read, y_first ? i * nx + j : j * ny + i), spots.at(at)));
      if (std::isfinite(map.value.back())) largest = std::max(largest, std::fabs(map.value.back()));
    }
  }
  for (const auto& [scale, name] : {std::pair{1e9, "1e9 "}, std::pair{1e6, "1e6 "}}) {
    if (!unit.scales || largest < scale) continue;
    for (double& value : map.value) value /= scale;
    unit.name = name + unit.name;
    break;
  }
  const auto labels = [&](const Dimension& dim, std::vector<std::string>& out, std::string& name) {
    const bool is_spot = !spots.value.empty() && spots.dim == dim.name;
    for (std::size_t i = 0; i < static_cast<std::size_t>(dim.length); ++i) {
      out.push_back(is_spot ? fmt::format("{:.2f}", spots.value[i]) : label(dim.coordinate, i));
    }
    const std::string& units = dim.coordinate.variable.units;
    name = is_spot                                ? std::string("spot, USD")
           : dim.coordinate.variable.is_instant() ? dim.name + ", UTC"
           : units.empty() || units == "1"        ? dim.name
                                                  : dim.name + ", " + units;
  };
  labels(x, map.column_label, map.column_name);
  labels(y, map.row_label, map.row_name);
  if (!spots.value.empty() && spots.dim == x_name && std::isfinite(spots.reference)) {
    std::size_t best = 0;
    for (std::size_t j = 0; j < nx; ++j) {
      if (std::fabs(spots.value[j] - spots.reference) < std::fabs(spots.value[best] - spots.reference)) best = j;
    }
    map.marked_column = best;
    map.column_name += fmt::format(" (^ is at the reference {:.2f})", spots.reference);
  }

  std::size_t margin = 2;
  for (const std::string& one : map.row_label) margin = std::max(margin, one.size() + 2);
  std::string text = fmt::format("{} {}, {}\n", ticker_name, variable.name, unit.name);
  if (!variable.long_name.empty()) text += variable.long_name + "\n";
  if (!spots.value.empty() && spots.dim != x_name && spots.dim != y_name) {
    held += fmt::format(" (spot {:.2f} USD)", spots.at(at));
  }
  if (!held.empty()) text += held + "\n";
  text += "\n" + draw_heatmap(map, style_of(options, margin), unit.name);
  const auto short_name = [](const std::string& name) { return name.substr(0, name.find(',')); };
  const auto place = [&](std::size_t i) {
    return fmt::format("{:+.4g} ({}) at {} {}, {} {}", map.value[i], unit.name, short_name(map.column_name),
                       map.column_label[i % nx], short_name(map.row_name), map.row_label[i / nx]);
  };
  std::size_t least = map.value.size(), most = map.value.size();
  for (std::size_t i = 0; i < map.value.size(); ++i) {
    if (!std::isfinite(map.value[i])) continue;
    if (least == map.value.size() || map.value[i] < map.value[least]) least = i;
    if (most == map.value.size() || map.value[i] > map.value[most]) most = i;
  }
  if (most < map.value.size()) {
    text += "max     " + place(most) + "\nmin     " + place(least) + "\n";
    if (map.marked_column) text += "at ^    " + place(*map.marked_column) + "\n";
  } else {
    text += "max     none: every sample is missing\n";
  }
  print(text);
  return kDone;
}

}  // namespace

Command add_show(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("show", "A slice of a surface of a night.h5 as a map in the terminal");
  command->add_option("file", options->file, "night.h5")->required();
  command->add_option("--ticker", options->ticker, "Which; not needed where there is one only");
  command->add_option("--what", options->what, "Variable; default gx, or the first surface of the group");
  command->add_option("--group", options->group, "root, intraday, ...: see `greekgrid export FILE`")
      ->capture_default_str();
  command->add_option("--position", options->position, "Position model; default the first");
  command->add_option("--iv-rule", options->iv_rule, "IV rule; default the first");
  command->add_option("--iv-shift", options->iv_shift, "Volatility shift in vol, the nearest is taken; default 0");
  command->add_option("--time", options->time,
                      "Index, or ISO 8601 with zone (the nearest is taken); default the first");
  command
      ->add_option("--select", options->select, "DIM=VALUE for any other dimension, as the options above; repeatable")
      ->type_name("DIM=VALUE");
  command->add_option("--x", options->x, "Dimension across; default spot_step, shown as spot");
  command->add_option("--y", options->y, "Dimension down; default time, or iv_shift where --time is given");
  command->add_option("--width", options->width, "Characters of a row, labels aside; default the terminal's, or 100")
      ->check(CLI::Range(1, 10000));
  command->add_option("--height", options->height, "Rows; default the terminal's, or 40")->check(CLI::Range(1, 10000));
  command
      ->add_option("--aggregate", options->aggregate,
                   "Of samples that share a character: mean, or nearest to its middle")
      ->check(CLI::IsMember({"mean", "nearest"}))
      ->capture_default_str();
  command->add_option(
      "--unit", options->unit,
      "base (as stored), usd, contract_delta, per_1pct, usd_per_1pct, per_2.5pt, per_vol_point, usd_per_vol_point, "
      "per_minute, per_5min, per_day, or several joined by commas; default what the field quotes");
  command->add_option("--color", options->color, "auto (on a terminal), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  return [options] { return run_show(*options); };
}

}  // namespace greekgrid::cli

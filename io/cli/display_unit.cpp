#include "display_unit.hpp"

#include <fmt/format.h>

#include <cctype>
#include <sstream>
#include <vector>

#include "commands.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

constexpr double kSharesPerContract = 100.0;
constexpr double kMinutesPerYear = 525600.0, kDaysPerYear = 365.0;

/// A stored unit in parts: "shares USD-1" is shares over USD.
struct Parts {
  std::string above;               ///< "shares", "1e9 USD"; "1" for none
  std::vector<std::string> below;  ///< as often as its power

  explicit Parts(const std::string& stored) {
    std::istringstream words(stored);
    for (std::string word; words >> word;) {
      const std::size_t minus = word.rfind('-');
      const bool is_below = minus != std::string::npos && minus > 0 && minus + 2 == word.size() &&
                            std::isdigit(static_cast<unsigned char>(word[minus + 1])) != 0;
      if (!is_below) {
        above += (above.empty() ? "" : " ") + word;
      } else {
        below.insert(below.end(), static_cast<std::size_t>(word[minus + 1] - '0'), word.substr(0, minus));
      }
    }
    if (above.empty()) above = "1";
  }
  bool has_below(const std::string& name) const {
    for (const std::string& one : below) {
      if (one == name) return true;
    }
    return false;
  }
};

/// The ways that a stored unit can be shown.
std::vector<std::string> ways(const Parts& parts) {
  std::vector<std::string> names = {"base"};
  const bool shares = parts.above == "shares";
  if (shares) names.insert(names.end(), {"usd", "contract_delta"});
  if (parts.has_below("USD")) names.insert(names.end(), {"per_1pct", "per_2.5pt"});
  if (shares && parts.has_below("USD")) names.emplace_back("usd_per_1pct");
  if (parts.has_below("vol")) names.emplace_back("per_vol_point");
  if (shares && parts.has_below("vol")) names.emplace_back("usd_per_vol_point");
  if (parts.has_below("common_year")) names.insert(names.end(), {"per_minute", "per_5min", "per_day"});
  return names;
}

std::vector<std::string> usual(const Parts& parts) {
  std::vector<std::string> names;
  if (parts.above == "shares" && parts.below == std::vector<std::string>{"USD"}) names.emplace_back("usd");
  if (parts.has_below("USD")) names.emplace_back("per_1pct");
  if (parts.has_below("vol")) names.emplace_back("per_vol_point");
  if (parts.has_below("common_year")) {
    names.emplace_back(parts.above == "shares" && parts.below.size() == 1 ? "per_minute" : "per_day");
  }
  return names;
}

/// Replaces what a number is per, each time it is there; false if it is not.
bool replace_below(Parts& parts, const std::string& from, const std::string& to, double factor, int spot_power,
                   DisplayUnit& unit) {
  bool found = false;
  for (std::string& one : parts.below) {
    if (one != from) continue;
    found = true;
    one = to;
    unit.factor *= factor;
    unit.spot_power += spot_power;
  }
  return found;
}

/// False if an earlier way took what this one is about.
bool apply(const std::string& way, Parts& parts, DisplayUnit& unit) {
  if (way == "usd" || way == "contract_delta") {
    if (parts.above != "shares") return false;
    parts.above = way == "usd" ? "USD" : "contract-delta";
    if (way == "usd") unit.spot_power += 1;
    if (way == "contract_delta") unit.factor /= kSharesPerContract;
    return true;
  }
  if (way == "per_1pct") return replace_below(parts, "USD", "1 %", 0.01, 1, unit);
  if (way == "per_2.5pt") return replace_below(parts, "USD", "2.5 USD", 2.5, 0, unit);
  if (way == "per_vol_point") return replace_below(parts, "vol", "vol point", 0.01, 0, unit);
  if (way == "per_minute") return replace_below(parts, "common_year", "minute", 1.0 / kMinutesPerYear, 0, unit);
  if (way == "per_5min") return replace_below(parts, "common_year", "5 minutes", 5.0 / kMinutesPerYear, 0, unit);
  if (way == "per_day") return replace_below(parts, "common_year", "day", 1.0 / kDaysPerYear, 0, unit);
  return way == "base";
}

}  // namespace

double DisplayUnit::of(double stored, double spot) const {
  double value = stored * factor;
  for (int i = 0; i < spot_power; ++i) value *= spot;
  return value;
}

DisplayUnit display_unit(const std::string& stored, const std::string& asked) {
  Parts parts(stored);
  const std::vector<std::string> known = ways(parts);
  std::vector<std::string> chosen = asked.empty() ? usual(parts) : std::vector<std::string>{};
  std::istringstream list(asked);
  for (std::string way; std::getline(list, way, ',');) {
    bool is_known = false;
    for (const std::string& one : known) is_known = is_known || one == way;
    if (!is_known) {
      throw UsageError(fmt::format("--unit {}: not a way to show \"{}\" (choose {})", way, stored, join(known, ", ")));
    }
    if (way.rfind("usd_", 0) == 0) {
      chosen.insert(chosen.end(), {"usd", way.substr(4)});
    } else {
      chosen.push_back(way);
    }
  }
  DisplayUnit unit;
  unit.scales = asked != "base" && (parts.above == "shares" || parts.above == "USD");
  for (const std::string& way : chosen) {
    if (!apply(way, parts, unit)) {
      throw UsageError(fmt::format("--unit {}: {} after another way to show the same (choose one)", asked, way));
    }
  }
  unit.name = parts.above;
  if (parts.below.empty()) return unit;
  for (const std::string& one : parts.below) unit.name += " per " + one;
  return unit;
}

}  // namespace greekgrid::cli

#pragma once

/// @file
/// Everything that determines what a run computes, with the defaults that a configuration file overrides.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/scenarios/scenario_config.hpp"

namespace greekgrid {

/// Who is long what.
enum class PositionModel : std::uint8_t {
  kNaive,         ///< dealers long calls, short puts: the folklore default
  kUnsigned,      ///< +1 for calls and puts
  kAllShort,      ///< -1 for calls and puts
  kReversed,      ///< dealers short calls, long puts
  kSignedColumn,  ///< the input's own signed dealer contracts
};
std::string_view name(PositionModel model);

/// Which volatility is asked for first.
enum class IvPreference : std::uint8_t {
  kVendor,  ///< the vendor's column, then our own inversion of the mid
  kOwn,     ///< our own inversion of the mid, of the opposite right, then the vendor's column
};
std::string_view name(IvPreference preference);

/// How a market is read from a chain.
struct MarketConfig {
  double rate = 0.0;            ///< flat, continuously compounded, common_year-1
  double dividend_yield = 0.0;  ///< flat, continuously compounded, common_year-1
  IvPreference iv_source = IvPreference::kVendor;
  bool iv_fill = true;            ///< false: only the first source, the rest is dropped and counted
  double minimum_coverage = 0.5;  ///< share of live open interest that must be priced, else the ticker is refused
};

/// A day whose session differs from the built-in calendar.
struct CalendarOverride {
  Date date;
  Calendar::DayKind kind;
};

/// Which tickers of a chain are wanted.
struct TickerSelection {
  std::vector<std::string> tickers;  ///< by name, or all if empty; a name that the chain lacks becomes a refused ticker
  std::size_t top = 0;  ///< the first so many accepted ones by open interest in USD (OI x multiplier x spot),
                        ///< ties by name; 0 = all
};

/// One run.
struct RunConfig {
  TickerSelection selection;
  ScenarioConfig scenarios;
  MarketConfig market;
  std::vector<PositionModel> positions = {PositionModel::kNaive};
  GreekSet greeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna};
  bool delta_change = false;
  int keep_bits = 0;  ///< significant mantissa bits kept in surfaces, 0 for all
  Precision precision = Precision::kFp32;
  std::vector<CalendarOverride> calendar;
};

}  // namespace greekgrid

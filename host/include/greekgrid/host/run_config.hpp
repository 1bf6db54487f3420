#pragma once

/// @file
/// Everything that determines what a run computes, with the defaults that a configuration file overrides.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/attribution.hpp"
#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/discount_curve.hpp"
#include "greekgrid/host/intraday.hpp"
#include "greekgrid/host/levels.hpp"
#include "greekgrid/host/outlook.hpp"
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
  kVendor,  ///< the vendor's column, then own quotes, the smile, a neighbour's smile
  kOwn,     ///< own quotes out of the money, then of the opposite right, the smile, the vendor's column, a neighbour's
};
std::string_view name(IvPreference preference);

/// Where forwards come from.
enum class ForwardPreference : std::uint8_t {
  kParity,  ///< put-call parity, then the carry of neighbouring expiries, then rate and yield
  kFlat,    ///< S e^((rate - dividend_yield) tau)
  kSpot,    ///< S: the carry is zero, only discounting remains
};
std::string_view name(ForwardPreference preference);

/// A cash dividend that is known to be paid.
struct KnownDividend {
  std::string ticker;
  Date ex_date;
  double amount = 0.0;  ///< USD per share, > 0
};

/// How a market is read from a chain.
struct MarketConfig {
  double rate = 0.0;                     ///< flat, continuously compounded, common_year-1; without a curve
  std::vector<CurveNode> rate_curve;     ///< zero rates; empty: the flat rate
  std::string rate_curve_file;           ///< of par yields, which the program turns into rate_curve for the quote date
  double dividend_yield = 0.0;           ///< flat, continuously compounded, common_year-1; the last resort under parity
  std::vector<KnownDividend> dividends;  ///< sorted by ticker, ex date; read when the synthetic spot is formed
  ForwardPreference forward_source = ForwardPreference::kParity;
  IvPreference iv_source = IvPreference::kOwn;
  bool iv_fill = true;            ///< false: only the first source, the rest is dropped and counted
  double minimum_coverage = 0.5;  ///< share of live OI with a supported volatility (TickerQuality), else refused
};

/// A day whose session differs from the built-in calendar.
struct CalendarOverride {
  Date date;
  Calendar::DayKind kind;
};

/// Which tickers of a chain are wanted.
struct TickerSelection {
  std::vector<std::string> tickers;  ///< by name, or all if empty; a name that the chain lacks becomes a refused ticker
  std::size_t top = 0;  ///< the first so many accepted ones by the ranking, or without one by open interest in USD
                        ///< (OI x multiplier x spot), ties by name; 0 = all
  /// Symbols, best first; none: no ranking. With one, tickers that it lacks are left out, each with a Diagnostic
  /// not_ranked. Share classes match however they are spelled: BRK/B, BRK.B and BRK-B are one.
  std::vector<std::string> ranking;
  std::vector<std::string> always;  ///< by name, besides the first `top` and whatever their rank
};

/// Where the ranking of a selection comes from. The program reads it; a result records what it was.
struct RankingSource {
  std::string file;    ///< to read; not recorded
  std::string source;  ///< base name of what was read
  std::string sha256;  ///< of its bytes, 64 lower-case hexadecimal digits
};

/// One run.
struct RunConfig {
  TickerSelection selection;
  RankingSource ranking;
  ScenarioConfig scenarios;
  MarketConfig market;
  std::vector<PositionModel> positions = {PositionModel::kNaive};
  GreekSet greeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna};
  bool delta_change = false;
  int keep_bits = 0;  ///< significant mantissa bits kept in surfaces, 0 for all
  Precision precision = Precision::kFp32;
  EvaluatorOptions evaluator = {Evaluator::kAuto, 1e-6};
  LevelConfig levels;
  IntradayConfig intraday;
  std::vector<NamedMove> moves = {{"down", -1.0, 0.02, 1}, {"up", 1.0, -0.02, 1}};  ///< attributed; names are distinct
  OutlookConfig outlook;                                                            ///< of runs with a history
  std::vector<CalendarOverride> calendar;
};

}  // namespace greekgrid

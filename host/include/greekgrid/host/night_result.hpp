#pragma once

/// @file
/// What one run produces beside the surfaces: the header that fixes the file's shape, and the tables of its groups.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/snapshot.hpp"
#include "greekgrid/kernels/greek.hpp"

namespace greekgrid {

enum class LevelStatus : std::int8_t { kOk = 0, kNoSignChange = 1, kNoContracts = 2, kOutsideGrid = 3 };

/// A level with the reason when there is none; value is NaN exactly when status is not ok.
struct Level {
  double value = 0.0;
  LevelStatus status = LevelStatus::kOk;
};

/// One row of /levels.
struct LevelRow {
  std::string ticker, position;
  double gamma_index = 0.0;  ///< 1e9 USD per 1 %
  Level gamma_index_ratio;   ///< net / gross, in [-1, 1]
  Level call_wall, put_wall, call_wall_unrestricted, put_wall_unrestricted, absolute_gamma_strike;  ///< USD
  Level zero_gamma;                                                                                 ///< USD
  double zero_gamma_slope = 0.0;  ///< shares USD-2, NaN when zero_gamma is null
  std::int32_t zero_gamma_count = 0;
};

/// One row of /crossing.
struct CrossingRow {
  std::string ticker, position;
  double price = 0.0;  ///< USD
  double slope = 0.0;  ///< shares USD-2
};

/// Axes and identities of a night.h5: everything known before the first surface is computed.
/// Sizes: U tickers, W positions, R rules, T times, V shifts, J spots.
struct NightHeader {
  std::string title;
  Instant quote_time = 0, file_time = 0;
  std::string open_interest_settle_date, open_interest_knowledge_time;
  std::vector<ChainSource> source;

  std::vector<std::string> ticker;        // (U)
  std::vector<double> spot_reference;     // (U) USD
  std::vector<double> spot_basis;         // (U)
  std::vector<double> spot_scale;         // (U) log return per unit of spot_step
  std::vector<std::string> position;      // (W)
  std::vector<std::string> iv_rule;       // (R)
  std::vector<double> iv_rule_parameter;  // (R)
  std::vector<Instant> time;              // (T)
  std::string time_axis;                  // sessions | intraday
  std::vector<double> iv_shift;           // (V) vol
  std::string iv_shift_term;              // flat | sqrt_time
  double iv_shift_term_cap = 0.0;         // only with sqrt_time
  double iv_floor = 0.0;                  // vol
  std::vector<double> spot_step;          // (J)
  std::string spot_axis;                  // expected_move | log_return
  GreekSet greeks;                        // surfaces stored, by Greek
  bool delta_change = false;              // whether delta_change is stored too
  int keep_bits = 0;                      // significant mantissa bits kept in surfaces; 0 = all 23

  /// Surfaces stored: one per Greek, then delta_change.
  std::size_t surfaces() const { return greeks.size() + (delta_change ? 1 : 0); }
  /// Cells of one chunk: T * V * J.
  std::size_t chunk_cells() const { return time.size() * iv_shift.size() * spot_step.size(); }
};

/// The tables of a night.h5, complete when the last surface is.
struct NightTables {
  std::vector<LevelRow> level;          // (U * W) by ticker, position
  std::vector<CrossingRow> crossing;    // sorted by ticker, position, price
  const Snapshot* snapshot = nullptr;   // /expiry, /contract, /quality
  std::vector<double> dealer_position;  // (N, W) signed dealer contracts, by contract then position
  std::vector<double> greeks;  // (kGreekCount, N) raw per share at time[0], S0, shift 0, with the floor applied
  /// /run: attributes in order of name; strings only where a value is text.
  std::string configuration, tool_version, build, backend, precision;
  std::vector<std::string> warnings;
};

}  // namespace greekgrid

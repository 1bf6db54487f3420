#pragma once

/// @file
/// What one run produces beside the surfaces: the header that fixes the file's shape, and the tables of its groups.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "greekgrid/host/attribution.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/intraday.hpp"
#include "greekgrid/host/level.hpp"
#include "greekgrid/host/outlook.hpp"
#include "greekgrid/host/profile.hpp"
#include "greekgrid/host/snapshot.hpp"
#include "greekgrid/kernels/greek.hpp"

namespace greekgrid {

/// Closes that a chunk of /step_forward holds. The axis of a night begins and ends with whole chunks counted from x =
/// 0, so that where a close lies in its chunk does not depend on the other tickers.
inline constexpr int kChunkCloses = 384;
/// The whole chunks that an axis lies in.
StepAxis whole_chunks(const StepAxis& axis);

/// Axes and identities of a night.h5: everything known before the first surface is computed.
/// Sizes: U tickers, W positions, R rules, T times, V shifts, J spots.
struct NightHeader {
  std::string title;
  Instant quote_time = 0, file_time = 0;
  std::string open_interest_settle_date, open_interest_knowledge_time;
  std::vector<ChainSource> source;

  std::vector<std::string> ticker;           // (U)
  std::vector<double> spot_reference;        // (U) USD
  std::vector<double> spot_basis;            // (U)
  std::vector<double> spot_scale;            // (U) log return per unit of spot_step
  std::vector<std::string> position;         // (W)
  std::vector<std::string> iv_rule;          // (R)
  std::vector<double> iv_rule_parameter;     // (R)
  std::vector<Instant> time;                 // (T)
  std::string time_axis;                     // sessions | intraday
  std::vector<double> iv_shift;              // (V) vol
  std::string iv_shift_term;                 // flat | sqrt_time
  double iv_shift_term_cap = 0.0;            // only with sqrt_time
  double iv_floor = 0.0;                     // vol
  std::vector<double> spot_step;             // (J)
  std::string spot_axis;                     // expected_move | log_return
  GreekSet greeks;                           // surfaces stored, by Greek
  bool delta_change = false;                 // whether delta_change is stored too
  std::vector<double> expected_move;         // (U) log return, one standard deviation to the next close
  std::vector<double> average_daily_volume;  // (U) shares, NaN where not known
  IntradayAxes intraday;                     // no times: no /intraday
  std::vector<double> gamma_move;            // (U) USD, of the gamma heatmap
  std::vector<NamedMove> moves;              // attributed
  std::vector<Instant> move_time;            // of each move
  BucketEnds buckets;                        // of /profile/bucket
  OutlookAxes outlook;                       // of /predictors and, with a history, what stands on it
  int keep_bits = 0;                         // significant mantissa bits kept in surfaces; 0 = all 23

  /// Surfaces stored: one per Greek, then delta_change.
  std::size_t surfaces() const { return greeks.size() + (delta_change ? 1 : 0); }
  /// Cells of one chunk: T * V * J.
  std::size_t chunk_cells() const { return time.size() * iv_shift.size() * spot_step.size(); }
  /// Cells of one ticker's surface of the session under one model and scope.
  std::size_t session_cells() const { return intraday.time.size() * intraday.spot_step.size(); }
};

/// One row of a ticker's lines: which surface a line is on.
struct LineRow {
  std::string ticker, position;
  ExpiryScope scope = ExpiryScope::kAll;
  SurfaceLine line;
};

/// What tickers add to the tables of a night.h5: of one ticker, or of several in the order of their bytes.
struct NightTables {
  std::vector<LevelRow> level;                           // (U * W) by ticker, position
  std::vector<CrossingRow> crossing;                     // sorted by ticker, position, kind, price
  std::vector<LadderRow> ladder;                         // by ticker, position, session
  std::vector<std::int64_t> strike_begin, strike_count;  // (U) rows of profile.strike
  Profile profile;                                       // of all tickers
  Attribution attribution;                               // of all tickers
  std::vector<LeastResistancePath> path;                 // (U * W) by ticker, position
  std::vector<double> half_band;                         // (U * W) shares
  std::vector<LineRow> line;                             // by ticker, position, scope
  std::vector<TickerOutlook> outlook;                    // (U)
  const Snapshot* snapshot = nullptr;                    // /expiry, /contract, /quality
  std::vector<double> dealer_position;                   // (N, W) signed dealer contracts, by contract then position
  std::vector<double> greeks;  // (kGreekCount, N) raw per share at time[0], S0, shift 0, with the floor applied
};

/// How a ticker's surfaces were evaluated and how far they are from the plain double sums, in fp64 before they are
/// stored. Errors are relative to the largest magnitude of their surface, the worst of all surfaces.
struct SurfaceErrors {
  std::int64_t spectral = 0, brute = 0;  ///< grids (one a rule) by evaluator
  double bound = 0.0;                    ///< of the spectral evaluator
  std::int64_t cells = 0;                ///< scenarios that were recomputed contract by contract
  double sampled = 0.0;                  ///< the worst of them
  double sampled_of_gross = 0.0;         ///< likewise, relative to the cell's sum of magnitudes

  void add(const SurfaceErrors& other);
};

/// Everything that a night stores of one ticker, or why it stores nothing.
struct TickerNight {
  std::size_t index = 0;        ///< of the whole chain
  NightHeader header;           ///< axes of the night, columns of this ticker: U = 1
  Snapshot snapshot;            ///< U = 1; of a refused ticker U = 0 with its row of quality and diagnostics
  NightTables tables;           ///< of this ticker; of a refused one empty
  TickerSteps steps;            ///< hypothetical closes and maps, where the header stores an outlook
  std::vector<double> cells;    ///< (surface, position, iv_rule, time, iv_shift, spot_step)
  std::vector<double> session;  ///< (kIntradaySurfaces, position, kScopes, time, spot_step) or empty
  double evaluations = 0.0;     ///< live contract-scenarios
  SurfaceErrors errors;
  std::string symbol;  ///< name of the ticker in the history, or its own

  bool accepted() const { return !snapshot.ticker.empty(); }
  /// Turns the ticker into a refused one: stage_failed, with the reason as its diagnostic.
  void refuse(const std::string& why);
};

/// What is known of a ticker without opening its part of a night: everything that the whole needs of each.
struct TickerDigest {
  std::string ticker;
  TickerStatus status = TickerStatus::kOk;
  std::int64_t index = 0;                                                                ///< of the whole chain
  double spot_reference = 0.0, spot_basis = 0.0, spot_scale = 0.0, expected_move = 0.0;  ///< as in NightHeader
  double average_daily_volume = 0.0, gamma_move = 0.0;
  std::int64_t contracts = 0;
  double evaluations = 0.0;
  double basis_bp = 0.0;  ///< 1e4 spot_basis as /quality has it
  bool stepped = false;   ///< whether there are hypothetical closes, on `closes`
  StepAxis closes;        ///< of whole chunks, around the ticker's own
  std::string symbol;     ///< in the history
  double close = 0.0, g = 0.0, g_old = 0.0, iv30 = 0.0, gamma_index = 0.0;  ///< the session's row of the history
  SurfaceErrors errors;
  std::vector<std::string> rule;      ///< of refused contracts
  std::vector<std::int64_t> refused;  ///< how many, by rule
};
TickerDigest digest_of(const TickerNight& night);

/// What a run says of itself in /run beside its tickers.
struct NightRunTexts {
  ChainSource previous;  ///< the earlier result that changes of levels are told against; no name: none
  std::string configuration, tool_version, build, backend, precision, evaluator;
  double tolerance = 0.0;  ///< that the spectral evaluator was asked to keep to
  std::vector<std::string> warnings;
};

/// Warnings that follow from all tickers of a night, worst named: refusals by reason and by rule, spots that the
/// options did not see, closes of the history on another scale. @param digest in the order of their names
std::vector<std::string> night_warnings(std::span<const TickerDigest> digest);

}  // namespace greekgrid

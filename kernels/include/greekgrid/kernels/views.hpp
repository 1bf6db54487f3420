#pragma once

/// @file
/// What a backend sees: plain arrays of one underlying's contracts and of the scenario axes. Everything is validated
/// above; a backend re-checks nothing.

#include <cstddef>
#include <cstdint>
#include <span>

#include "greekgrid/kernels/formulas/smile.hpp"
#include "greekgrid/kernels/greek.hpp"

namespace greekgrid {

/// Seconds of a common year (365 days, 525,600 minutes): tau = seconds / this.
inline constexpr double kSecondsPerYear = 31536000.0;

/// The live contracts of one underlying: E expiries, N contracts sorted by expiry, W position models.
struct BookView {
  double spot = 0.0;                           ///< S0, USD, > 0
  double spot_basis = 0.0;                     ///< b = ln(S_syn / S), held over all scenarios
  std::span<const std::int64_t> settlement;    ///< (E) s since the epoch, UTC
  std::span<const double> rate;                ///< (E) continuously compounded, common_year-1
  std::span<const double> dividend_yield;      ///< (E) continuously compounded, common_year-1
  std::span<const std::int64_t> expiry_begin;  ///< (E + 1) first contract of each expiry; [0] = 0, [E] = N
  std::span<const double> strike;              ///< (N) USD, > 0
  std::span<const std::int8_t> right;          ///< (N) +1 call, -1 put
  std::span<const double> implied_volatility;  ///< (N) vol, > 0, before rule, shift and floor
  std::span<const double> weight;              ///< (W, N) n m: signed dealer contracts times multiplier, shares
  /// (E) smiles over k = ln(strike / forward), forward = spot e^(spot_basis + (rate - dividend_yield) tau0); read under
  /// the skew-stickiness rule alone, may be empty under others.
  std::span<const formulas::Smile<double>> smile = {};

  std::size_t expiries() const { return settlement.size(); }
  std::size_t contracts() const { return strike.size(); }
};

/// Quotes of European options to be inverted for their volatilities, N of them, in any order. Nothing is assumed of the
/// numbers: what cannot be inverted is answered by a status.
struct QuoteView {
  std::span<const std::int8_t> right;  ///< (N) +1 call, -1 put
  std::span<const double> price;       ///< (N) USD per share, paid now
  std::span<const double> forward;     ///< (N) USD
  std::span<const double> strike;      ///< (N) USD
  std::span<const double> discount;    ///< (N) value now of 1 USD at settlement
  std::span<const double> tau;         ///< (N) common years to settlement

  std::size_t size() const { return price.size(); }
};

/// How volatility answers a move of spot.
enum class IvRule : std::uint8_t {
  kStickyStrike,  ///< sigma' = sigma
  kRelativeBeta,  ///< sigma' = sigma (1 - parameter x), x = ln(S / S0)
  /// sigma' = sigma + smile(k + (R - 1) x) - smile(k), R = parameter in [-10, 10], k = ln(strike / forward) at the
  /// quote instant: 1 is sticky strike, 0 sticky moneyness, 2 sticky local volatility.
  kSkewStickiness,
};

/// How an IV shift is spread over expiries.
enum class IvShiftTerm : std::uint8_t {
  kFlat,      ///< the same shift everywhere
  kSqrtTime,  ///< times min(sqrt((30/365) / tau0), cap), tau0 at the quote instant
};

/// The axes of a scenario grid for one underlying: T instants x V IV shifts x J spots, under one IV rule.
/// Order of steps: rule, then shift, then floor: sigma = max(iv_floor, sigma_rule + iv_shift * scale).
struct GridView {
  std::int64_t quote_time = 0;  ///< s since the epoch: tau0 of smiles and of the scale of shifts counts from here
  std::span<const std::int64_t> time;  ///< (T) s since the epoch
  std::span<const double> iv_shift;    ///< (V) vol
  double log_spot_begin = 0.0;         ///< ln(S[0] / S0)
  double log_spot_step = 0.0;          ///< spacing of ln S; spot j is S0 exp(begin + j step)
  std::size_t spots = 0;               ///< J
  IvRule iv_rule = IvRule::kStickyStrike;
  double iv_rule_parameter = 1.0;  ///< beta for kRelativeBeta, R for kSkewStickiness
  IvShiftTerm iv_shift_term = IvShiftTerm::kFlat;
  double iv_shift_term_cap = 0.0;  ///< cap of the sqrt_time scale
  double iv_floor = 0.0;           ///< vol, > 0

  std::size_t scenarios() const { return time.size() * iv_shift.size() * spots; }
  /// The rule to evaluate: a stickiness of 1 is sticky strike itself, on the same path to the same bits.
  IvRule effective_rule() const {
    return iv_rule == IvRule::kSkewStickiness && iv_rule_parameter == 1.0 ? IvRule::kStickyStrike : iv_rule;
  }
};

/// How a job was evaluated, where it asks for it.
struct EvaluationReport {
  bool spectral = false;      ///< else brute force
  double fp64_rows = 0.0;     ///< share of the rows that the spectral evaluator summed in fp64
  int attempts = 0;           ///< of the spectral evaluator, those refused for their error included
  double bound = 0.0;         ///< of the error relative to the largest magnitude of a surface: the worst surface
  std::int64_t at_nodes = 0;  ///< contracts times nodes, over rows; of the last attempt of each
  std::int64_t direct = 0;    ///< contracts evaluated directly, over rows
};

/// One piece of work: a book over a grid. The result is written to exposure, C-ordered
/// (Greek of the set, position, time, iv_shift, spot), in the units of the Greek times shares, derivatives taken to the
/// vendor's spot (factor e^(b j), see spot_order).
struct ExposureJob {
  BookView book;
  GridView grid;
  std::size_t positions = 1;   ///< W
  std::span<double> exposure;  ///< (G, W, T, V, J)
  EvaluationReport* report = nullptr;
};

/// The strikes that carry the most gamma of a book, its gamma walls, at many hypothetical spots.
///
/// At a spot S, g(K) of a strike K and a right is the sum over their contracts, of any expiry, of weight times gamma at
/// S e^(spot_basis), with the volatility of a GridView: rule at x = ln(S / spot of the book), shift, floor. The call
/// wall is the strike K >= S whose calls have the largest |g|, the put wall the strike K <= S whose puts have it; of
/// equal ones the strike nearest to S. Equal strikes, to the bit, are one strike. Contracts of a strike and right whose
/// weights differ in sign cancel; magnitudes as weights give walls that no sign of a position model moves.
struct WallJob {
  BookView book;                ///< contracts that settle at `time` or before it contribute nothing
  GridView grid;                ///< quote instant, shifts and rule; its instants and spots are not looked at
  std::int64_t time = 0;        ///< s since the epoch, not before the quote instant: when gamma is taken
  std::span<const double> at;   ///< (X) hypothetical spots, USD, > 0, ascending with any spacing
  std::size_t positions = 1;    ///< W
  std::span<double> call_wall;  ///< (W, V, X) USD; NaN where no call at or above S has gamma
  std::span<double> put_wall;   ///< (W, V, X) USD; NaN where no put at or below S has gamma

  std::size_t cells() const { return positions * grid.iv_shift.size() * at.size(); }
};

}  // namespace greekgrid

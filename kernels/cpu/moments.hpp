#pragma once

/// @file
/// The brute-force inner loops of the CPU backend: from the contracts of one expiry to sums over them, for all spots of
/// one instant and IV shift.
///
/// With d = d1, phi = exp(-d^2/2)/sqrt(2 pi), s = sigma sqrt(tau), a = 1/s and u = weight e^{-q tau}, every Greek is a
/// combination of the moments m_{p,k} = sum u a^p d^k phi and of the sums of u N(d1) and w K e^{-r tau} N(d2), with
/// factors that are common to the contracts of one expiry. Calls and puts differ by constants only.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "greekgrid/kernels/formulas/smile.hpp"
#include "greekgrid/kernels/greek.hpp"

namespace greekgrid::cpu {

/// Sums over the contracts of one expiry; M<p>D<k> is sum u a^p d^k phi, with MM for p = -1.
enum Moment : std::uint8_t {
  kMM1D0,
  kMM1D1,
  kM0D0,
  kM0D1,
  kM0D2,
  kM1D0,
  kM1D1,
  kM1D2,
  kM1D3,
  kM2D0,
  kM2D1,
  kM2D2,
  kM2D4,
  kAsset,  ///< sum u N(d1)
  kBond,   ///< sum w K e^{-r tau} N(d2)
  kMomentCount
};

/// The moments that a set of Greeks needs, as bits.
constexpr std::uint32_t needed_moments(GreekSet greeks) {
  std::uint32_t mask = 0;
  const auto need = [&](Greek greek, std::initializer_list<Moment> moments) {
    if (!greeks.contains(greek)) return;
    for (Moment m : moments) mask |= 1U << m;
  };
  need(Greek::kDelta, {kAsset});
  need(Greek::kGamma, {kM1D0});
  need(Greek::kCharm, {kAsset, kM1D0, kM0D1, kMM1D0});
  need(Greek::kVanna, {kM0D0, kM1D1});
  need(Greek::kSpeed, {kM1D0, kM2D1});
  need(Greek::kZomma, {kM2D0, kM2D2, kM1D1});
  need(Greek::kColor, {kM1D0, kM2D1, kM0D1, kM1D2});
  need(Greek::kVega, {kM0D0});
  need(Greek::kVomma, {kM1D2, kM0D1});
  need(Greek::kUltima, {kM2D4, kM2D2, kM2D0, kM1D3, kM1D1, kM0D2, kM0D0});
  need(Greek::kTheta, {kMM1D0, kAsset, kBond});
  need(Greek::kVeta, {kM0D0, kM1D1, kMM1D1, kM0D2});
  return mask;
}

/// Rows of spots are padded to a multiple of this: the lanes of the widest vector.
inline constexpr std::size_t kRowPad = 16;

/// What the contracts of one expiry, or a block of them, look like before any scenario: filled once per book. All (n);
/// kRowPad more values can be read behind the last one, their values do not matter but sigma must be positive.
struct ExpiryContracts {
  const double* log_moneyness;  ///< ln(S0 e^b / K)
  const double* moneyness;      ///< S0 e^b / K
  const double* strike;         ///< USD
  const double* sigma;          ///< vol
  const double* weight;         ///< shares, never 0
  std::size_t count;            ///< n
  double signed_weight;         ///< sum of right * weight: N(d1) - 1 of a put is N(d1) - 1/2 less a half
  double signed_weight_strike;  ///< sum of right * weight * strike; both of the expiry with its first block, else 0
};

/// How the volatility of a row follows the spot, before shift and floor.
enum class RowVolatility : std::uint8_t {
  kFixed,         ///< it does not: the affine loop
  kRelativeBeta,  ///< sigma (1 - beta x)
  kTabulated,     ///< the table of the scratch memory, see tabulate_volatility
};

/// One scenario row: an instant and an IV shift, all spots, for one expiry that is still alive.
struct ScenarioRow {
  double tau;  ///< > 0
  double rate, dividend_yield;
  double shift;  ///< vol, already scaled by the shift term
  double floor;  ///< vol
  RowVolatility volatility;
  double beta;  ///< of kRelativeBeta, else 0
  double log_spot_begin, log_spot_step;
  std::size_t spots;     ///< J
  const double* spot;    ///< (J padded to kRowPad) S_j e^b, USD
  const double* growth;  ///< (J padded to kRowPad) S_j / S0
  double basis_factor;   ///< e^b
  /// |d1| and |d2| beyond which the affine loop may take a contract for settled, or 0: its contracts ascend in strike.
  double window = 0.0;
};

/// Scratch memory of one thread; grows to the largest expiry and row seen.
struct Scratch;
struct ScratchDeleter {
  void operator()(Scratch* scratch) const;
};
using ScratchPointer = std::unique_ptr<Scratch, ScratchDeleter>;
ScratchPointer make_scratch();

/// Adds the exposures of one expiry in one row to out[g * out_stride + j], g over the Greeks of the set in its order.
/// Evaluation in fp32 with sums over at most 64 contracts before they are carried in fp64, or all in fp64.
void add_exposures_fp32(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, Scratch& scratch,
                        double* out, std::size_t out_stride);
void add_exposures_fp64(GreekSet greeks, const ExpiryContracts& contracts, const ScenarioRow& row, Scratch& scratch,
                        double* out, std::size_t out_stride);

/// The skew-stickiness rule for the contracts of one expiry.
struct SmileRule {
  formulas::Smile<double> smile;
  double carry0;      ///< (rate - dividend_yield) tau0, tau0 > 0 at the quote instant: forward0 = S0 e^(b + carry0)
  double stickiness;  ///< R
};

/// Contracts that one table of volatilities holds at most over a row of spots, so that it stays in a core's cache. At
/// least one block of fp32 sums.
std::size_t table_contracts(std::size_t spots, std::size_t bytes_per_value);

/// Tabulates the volatility of contracts under the rule, before shift and floor, at every spot of a row: what all rows
/// of a grid share. Evaluated in fp64; rows of the same precision with kTabulated read it, over the same contracts.
void tabulate_volatility_fp32(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row,
                              Scratch& scratch);
void tabulate_volatility_fp64(const ExpiryContracts& contracts, const SmileRule& rule, const ScenarioRow& row,
                              Scratch& scratch);

/// Instruction set that the dispatcher chose on this machine, such as "AVX3".
const char* instruction_set();

}  // namespace greekgrid::cpu

#pragma once

/// @file
/// A book at hypothetical closes: exposures, walls and flip of each, under IV shifts and rules.

#include <cstdint>
#include <span>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/step_forward.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// What a table holds of a close, by position model, rule and shift.
enum class StepQuantity : std::uint8_t {
  kDx,          ///< sum n m delta, shares
  kGx,          ///< sum n m gamma, shares USD-1
  kCharm,       ///< sum n m charm, shares common_year-1
  kVanna,       ///< sum n m vanna, shares vol-1
  kGammaIndex,  ///< 0.01 S^2 GX / 1e9 at the close, 1e9 USD
  kFlip,        ///< root of dDX/dS along the rule nearest to the close, USD; NaN without one
  kCallWall,    ///< strike at or above the close with the largest sum |n| m gamma of calls, USD; NaN without one
  kPutWall,     ///< strike at or below it, of puts
};
inline constexpr std::size_t kStepQuantities = 8;

/// One ticker: n contracts, W position models, M modes, R rules, V shifts, X closes.
struct StepTableInputs {
  BookView book;  ///< weights (W, n)
  std::size_t positions = 1;
  std::span<const double> open_interest;  ///< (n) contracts
  std::span<const double> multiplier;     ///< (n) shares
  std::span<const GridView> rule;         ///< (R) of the quote instant; instants and spots are not looked at
  std::span<const StepMode> mode;         ///< (M)
  Instant next_close = 0;                 ///< of session t + 1: where kAppend ages the book to
  std::span<const double> close;          ///< (X) USD, ascending; those that are not positive have no numbers
};

/// Numbers of one ticker, NaN where there is none.
struct StepTable {
  std::vector<double> value;        ///< (StepQuantity, M, W, R, V, X)
  std::vector<double> gamma_ratio;  ///< (M, R, V, X) G_old': sum OI m gamma of calls over that of puts; NaN where
                                    ///< the puts' is below 1e-5 of the largest of both over the spots
};

/// Makes the tables of many tickers; their work goes to the backend in few calls.
///
/// Contracts that settle at or before the instant of a mode contribute nothing. Closes are evenly apart in price, the
/// backends' spots in its logarithm: expiries are evaluated on lines of spots no coarser than an eighth of their
/// narrowest deviation and carried to the closes by Lagrange interpolation through eight points, below 3e-7 of the
/// largest magnitude over the closes (1e-6 under rules that follow a smile) beside the backend's own error, as long as
/// the narrowest deviation is above 3e-4 of spot and the floor of volatility does not begin to bind between closes,
/// where exposures have a corner. Flips lie within 0.8 .. 1.2 of spot or among the closes; exposures of less than 5e-6
/// of the largest (1e-4 under rules that move volatility) have no sign there. Their error is about s/500, s the
/// narrowest deviation in ln S. Walls are those of Backend::gamma_walls with |n| m for weights.
/// @param sampler of double precision: flips under rules that move volatility are differences of DX
/// @throws BackendError
std::vector<StepTable> make_step_tables(Backend& backend, Backend& sampler, std::span<const StepTableInputs> tickers);

}  // namespace greekgrid

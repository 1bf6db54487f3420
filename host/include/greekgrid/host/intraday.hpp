#pragma once

/// @file
/// The coming session in steps of minutes: exposure surfaces of one ticker over the session and spot, the lines on them
/// and the path of least resistance.

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/surface_lines.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// How the session is laid out.
struct IntradayConfig {
  bool stored = true;       ///< false: no /intraday, /line
  int step = 300;           ///< s
  double half_width = 3.0;  ///< of the spot axis, expected moves to the next close
  std::size_t spots = 61;   ///< odd
};

/// Which expiries a surface sums.
enum class ExpiryScope : std::int8_t {
  kAll,   ///< all that settle after the first instant
  k0dte,  ///< those of them that settle by the session's close
};
inline constexpr std::size_t kScopes = 2;
constexpr std::string_view name(ExpiryScope scope) {
  return scope == ExpiryScope::kAll ? "all" : "0dte";
}

/// Surfaces of a session, in the order that files hold them.
enum class IntradaySurface : std::uint8_t {
  kDx,            ///< sum n m delta, shares
  kGx,            ///< sum n m gamma, shares USD-1
  kCharm,         ///< sum n m charm, shares common_year-1
  kVanna,         ///< sum n m vanna, shares vol-1
  kCharmHeatmap,  ///< sum n (delta at the next instant - delta), contract-delta per step; 0 at the close
  kGammaHeatmap,  ///< sum n gamma move, contract-delta per move of gamma_move()
};
inline constexpr std::size_t kIntradaySurfaces = 6;

/// The move of spot that the gamma heatmap is stated for: 2.5 points for SPX, else 0.05 % of spot, USD.
double gamma_move(std::string_view ticker, double spot);

/// Axes that all tickers share. The session is the one in progress at the quote instant, else the next.
struct IntradayAxes {
  std::vector<Instant> time;      ///< (T) the quote instant or the open, then steps, to the close; at least two
  std::vector<double> spot_step;  ///< (J) expected moves, symmetric, exactly 0 in the middle
};
IntradayAxes make_intraday_axes(const IntradayConfig& config, const Calendar& calendar, Instant quote_time);

/// One ticker: n contracts, W position models.
struct IntradayInputs {
  BookView book;  ///< weights (W, n)
  std::size_t positions = 1;
  std::span<const double> delta;  ///< (n) per share at the quote instant
  Instant quote_time = 0;
  double expected_move = 0.0;                                              ///< log return of one unit of spot_step
  double iv_floor = 0.0;                                                   ///< vol
  double move = 0.0;                                                       ///< USD, gamma_move()
  double average_daily_volume = std::numeric_limits<double>::quiet_NaN();  ///< shares, NaN if unknown
};

/// One ticker's session under W position models.
struct TickerIntraday {
  std::vector<double> surface;                 ///< (kIntradaySurfaces, W, kScopes, T, J)
  std::vector<LeastResistancePath> path;       ///< (W) over all expiries
  std::vector<double> half_band;               ///< (W) shares: that of the path's band
  std::vector<std::vector<SurfaceLine>> line;  ///< (W, kScopes)
};

/// Computes a session at sticky strike and shift 0, in double precision.
///
/// Expiries that settle more than eight times the session's length after the close are evaluated at six Chebyshev
/// instants of the session and carried to the others by the polynomial through them, to 1e-7 of the largest magnitude
/// of their surface; nearer ones at every instant. Contracts that settle at or before the first instant (AM settlement
/// at the open) are left out, so no roll-off is taken for charm.
///
/// The path of least resistance starts at S0 with the level DX(S0, quote instant) of the same contracts; its band is
/// |DX - level| <= 1 % of the average daily volume, or where that is not known 1 % of sum |n m delta|.
/// @param storage memory that the surfaces take over, such as those of a ticker that is done with
TickerIntraday compute_intraday(const IntradayInputs& in, const IntradayAxes& axes, Backend& sampler,
                                std::vector<double> storage = {});

}  // namespace greekgrid

#pragma once

/// @file
/// Lines on one stored exposure surface: ridges of gamma exposure, contours of zero gamma and zero charm, and the path
/// of least resistance.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace greekgrid {

/// One exposure surface of a trading session at one IV shift and position model: T instants x J spots, C-ordered (T,
/// J). A view: nothing is copied.
struct SessionSurface {
  std::span<const std::int64_t> time;  ///< (T) s since epoch, strictly increasing
  std::span<const double> spot;        ///< (J) USD, positive, strictly increasing; log-spaced in practice
  std::span<const double> dx;          ///< (T, J) shares
  std::span<const double> gx;          ///< (T, J) shares USD-1, d dx / d spot
  std::span<const double> charm;       ///< (T, J) shares common_year-1 (31,536,000 s), d dx / d t
};

/// What a line follows.
enum class LineKind : std::int8_t {
  kGammaRidgeHigh = 0,  ///< local maxima of GX along spot
  kGammaRidgeLow = 1,   ///< local minima of GX along spot
  kZeroGamma = 2,       ///< changes of sign of GX along spot
  kZeroCharm = 3,       ///< changes of sign of CX along spot
};

/// A line at one instant.
struct LinePoint {
  std::int32_t time = 0;  ///< index of the instant
  double spot = 0.0;      ///< USD
  /// Ridges: GX there, shares USD-1. Contours: slope along spot there, dGX/dS in shares USD-2 or dCX/dS in shares
  /// USD-1 common_year-1; its sign is the direction of the change.
  double value = 0.0;
  double strength = 0.0;  ///< prominence, > 0: shares USD-1, or shares common_year-1 for kZeroCharm; see trace_lines
};

/// A line over consecutive instants, one point each.
struct SurfaceLine {
  LineKind kind = LineKind::kGammaRidgeHigh;
  std::vector<LinePoint> point;  ///< consecutive instants, ascending
  double strength = 0.0;         ///< the largest strength of its points
};

/// What is too little to be a line, and how far one moves.
struct LineThresholds {
  /// Points of less prominence are dropped: relative to the surface's largest |GX| for ridges (a ridge is a shape of
  /// the whole picture), to the row's own largest magnitude for contours (a change of sign at the open is none the less
  /// for charm's being a hundred times larger at the close). 0 keeps all.
  double least_prominence = 0.01;
  std::size_t least_instants = 3;  ///< shorter lines are dropped
  /// The furthest a line moves from one instant to the next, in mean steps of ln spot, ln(spot[J-1]/spot[0])/(J-1).
  double most_jump = 3.0;
};

/// Ridges and zero contours of a surface.
///
/// Ridges: a sample, or a run of equal samples, above (below) both its neighbours along spot; located at the vertex of
/// the parabola through three samples in ln spot (error of the third order in the step where the extremum is that of a
/// smooth bump), in the middle of a run of three or more. A run of exact zeros is underflow, not a ridge. The ends of
/// the grid are no extrema. `strength` is the topographic prominence: from the peak walk each way to the first extremum
/// or grid end that is strictly higher, or else to the end of the grid; note the lowest value on each walk; the
/// prominence is the height above the higher of the two. The end of the grid thus counts as higher ground, as what lies
/// beyond is not known, and the highest peak stands above the higher of the lowest values on its two sides. Minima
/// likewise on -GX.
///
/// Contours: changes of sign along spot. Samples of at most 1e-12 of the row's largest magnitude have no sign and count
/// as 0, so a change is between the signed samples around them. The root is that of the monotone cubic Hermite
/// interpolant in spot (slopes of the parabola through three samples, 0 at an extremum, cut to three times the lesser
/// secant: Fritsch and Carlson 1980), exact for linear data, found by bracketing to rounding; one sample without a sign
/// is itself the root; of several the root is the geometric middle, and `value` the mean slope between the signed ones.
/// `strength` is the lesser of the largest magnitudes of the samples on each side, up to the next change of sign (of
/// any strength) or the end of the grid.
///
/// Lines: points of consecutive instants are matched one to one, in order of spot (neither extrema nor roots pass
/// through each other), at the least sum of distances in ln spot, where a point left without a partner costs half of
/// most_jump. Contours match only points whose slopes have the same sign. A point without a partner begins or ends a
/// line; nothing bridges an instant without a point.
///
/// A row with a sample that is not finite has no points of that quantity; a row of zeros has none either.
/// @returns by kind, then first instant, then spot there; the same input gives the same bits
/// @throws std::invalid_argument if shapes differ, or times or spots do not strictly increase, spots are not positive,
///         or a threshold is negative
std::vector<SurfaceLine> trace_lines(const SessionSurface& surface, const LineThresholds& thresholds = {});

/// How far the path of least resistance can be followed. Those after kRepelling are final: they hold from the first
/// instant that has them to the last.
enum class PathStatus : std::int8_t {
  kOk = 0,
  /// GX < 0 on the path: dealers are short gamma. Above the path DX is below its level, so they buy, H = -(DX - level)
  /// > 0, and below it they sell: deviations grow, and the path repels where it would otherwise attract.
  kRepelling = 1,
  /// |GX| on the path is below 1e-3 of the row's largest, the row's gx are all 0 (nothing alive), GX is 0 at the start,
  /// or the branch of the level set ends in a fold (GX = 0) before this instant: dS/dt = -CX/GX has no bound there.
  kSingular = 2,
  kLeftGrid = 3,  ///< the level set lies beyond the spots of the grid
  kNoData = 4,    ///< a sample of the row, the level or the start is not finite, or the grid has fewer than two spots
};

/// The path of least resistance; spot, gamma and the band are NaN where status is kSingular, kLeftGrid or kNoData.
struct LeastResistancePath {
  std::vector<double> spot;  ///< (T) USD
  /// (T) USD: the nearest spots below and above the path where |DX - level| reaches half_band; NaN where it does not
  /// within the grid.
  std::vector<double> band_low, band_high;
  std::vector<double> gamma;  ///< (T) GX on the path, shares USD-1: the slope of the interpolated DX
  std::vector<PathStatus> status;
};

/// Marches the path of least resistance, the level set DX(S(t), t) = level: dealers who hold their hedge trade nothing
/// along it, dS/dt = -CX/GX.
///
/// DX between spots is the cubic Hermite interpolant of dx with slopes gx (error of the fourth order in the step, exact
/// for cubics); in a step where both slopes and the difference agree in sign, slopes are cut to three times the secant,
/// so gamma narrower than the step (hours before settlement) makes no folds that are not there. It is not interpolated
/// in time: each instant is solved for itself, so errors do not add up. A branch is a stretch of spots where
/// interpolated DX is monotone, but for ripples of 1e-12 of the row's largest |DX|.
///
/// At time[0] the root is on the branch that holds start_spot; it is start_spot where DX(start_spot, time[0]) is the
/// level. Afterwards it is on the branch of the instant's own row that holds the last spot and has the path's sign of
/// GX; where there is none, the root of that sign on the last row's branch that is nearest to the predictor
/// S - CX/GX dt; where there is none either, the path has left the grid if the branch reaches its end with the level
/// still beyond, and is singular otherwise. A branch that moves by more than its width in one step is not followed.
///
/// @param start_spot USD, the path's spot where it begins (S0)
/// @param level      shares, DX(S0, t0); t0 may precede time[0]
/// @param half_band  shares, >= 0, eps of the band |DX - level| <= eps, by convention 1 % of average daily volume; NaN
/// or
///                   negative gives a band of NaN
/// @throws std::invalid_argument if shapes differ, or times or spots do not strictly increase, or spots are not
/// positive
LeastResistancePath march_path(const SessionSurface& surface, double start_spot, double level, double half_band);

}  // namespace greekgrid

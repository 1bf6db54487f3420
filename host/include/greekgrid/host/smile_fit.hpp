#pragma once

/// @file
/// Fits the smile of one expiry, judges it, and reads ranges off it.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "greekgrid/kernels/formulas/smile.hpp"

namespace greekgrid {

using SmileCurve = formulas::Smile<double>;

/// One observed volatility.
struct SmilePoint {
  double k = 0.0;      ///< ln(strike / forward)
  double sigma = 0.0;  ///< vol, > 0
  double error = 0.0;  ///< vol, > 0: half the quote's spread over its vega; the weight is 1 / error^2
};

/// How a smile came about.
enum class SmileKind : std::int8_t {
  kMissing = 0,
  kSvi = 1,              ///< five parameters, from five strikes or more
  kSviFixedPlace = 2,    ///< level, slope and curvature, from three or four strikes; place and width fixed
  kFlat = 3,             ///< level alone, from one or two strikes
  kNeighbourExpiry = 4,  ///< the nearest expiry's, in standardised moneyness k / sqrt(tau)
};

/// A fitted smile.
struct SmileFit {
  SmileCurve smile{};
  SmileKind kind = SmileKind::kMissing;
  int points = 0;
  double low = 0.0, high = 0.0;  ///< range of k of the points
  double residual = 0.0;         ///< vol: root mean square of (fit - observed), weighted as the fit
  double butterfly = 0.0;        ///< largest violation of a non-negative density, see butterfly_score
};

/// The fits of one ticker, by expiry that is priced.
using SmileFits = std::vector<SmileFit>;

/// Weighted least squares in volatility over raw SVI with its bounds held (minimum variance > 0, b >= 0, |rho| < 1),
/// robust against outliers (Huber weights). If the density of the result turns negative where there are points, the fit
/// is repeated with that penalised. Deterministic. @param points in increasing k; none gives kMissing
SmileFit fit_smile(std::span<const SmilePoint> points, double tau);

/// The smile of another expiry moved to tau: total variance scales with tau, k with its square root.
SmileCurve move_smile(const SmileCurve& smile, double tau);

/// Durrleman's g(k): the risk-neutral density is non-negative exactly where g >= 0.
/// Source: Gatheral and Jacquier (2014), definition 2.2 and lemma 2.2.
double density_sign(const SmileCurve& smile, double k);

/// max(0, -min g) over 41 points of [low, high]: 0 for a smile without butterfly arbitrage there, 1.
double butterfly_score(const SmileCurve& smile, double low, double high);

/// Largest relative fall of total variance from `near` to `far` at one k over 41 points of [low, high]: 0 without
/// calendar arbitrage, 1.
double calendar_score(const SmileCurve& near, const SmileCurve& far, double low, double high);

/// The k where the Black-Scholes delta (phi e^(-q tau) N(phi d1)) under the smile is `delta` (0.25 for a call, -0.25
/// for a put); nothing if no k within 12 deviations has it.
std::optional<double> k_of_delta(const SmileCurve& smile, double delta, double dividend_yield);

/// Risk-neutral probability that ln(S_T / F) < k under the smile.
double risk_neutral_cdf(const SmileCurve& smile, double k);

/// Probabilities whose quantiles are stored.
inline constexpr std::array<double, 7> kQuantileProbabilities = {0.05, 0.15, 0.25, 0.5, 0.75, 0.85, 0.95};

/// k with risk_neutral_cdf(k) = probability; nothing if none within 12 deviations.
std::optional<double> k_of_probability(const SmileCurve& smile, double probability);

}  // namespace greekgrid

#pragma once

/// @file
/// Forecasts from a ticker's own past: what followed the sessions that stood most like this one, as weighted outcomes,
/// over pairs of predictors as maps, and with the record that the same forecasts have had.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "greekgrid/host/predictors.hpp"

namespace greekgrid {

/// Sessions ahead that are forecast.
inline constexpr std::array<int, 2> kHorizons = {5, 21};
/// Neighbours of a forecast.
inline constexpr std::size_t kNeighbours = 42;
/// Probabilities of the quantiles, ascending; the third is the quantile median.
inline constexpr std::array<double, 5> kForecastProbabilities = {0.05, 0.25, 0.50, 0.75, 0.95};
/// Sessions in which a neighbour's weight halves.
inline constexpr double kHalfLife = 504.0;

/// Which predictors a distance is over: bit i is Predictor i.
using PredictorSet = std::uint8_t;
inline constexpr PredictorSet kPV = 0b0011, kPVG = 0b0111, kPVD = 0b1011, kPVGD = 0b1111;
/// The pairs, in order: PV PG PD VG VD GD.
inline constexpr std::array<PredictorSet, 6> kPairs = {0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100};

/// One horizon of a ticker as forecasts read it. T sessions.
struct ForecastData {
  int horizon = 5;
  std::array<std::span<const double>, kPredictors> z;  ///< (T) standings, NaN missing
  std::vector<double> outcome;  ///< (T) y_s = (c_{s+h}/c_s - 1)/(MAD_s sqrt h), NaN where unknown or MAD_s is 0
};
/// The price ratio is the product of 1 + r over s+1 .. s+h, oldest first: an outcome depends on nothing after s + h.
/// @param predictors must outlive the result @param horizon sessions, >= 1
ForecastData make_forecast_data(const PredictorSeries& predictors, int horizon);

/// Every horizon of a ticker, in the order of kHorizons, from the same predictors.
using HorizonData = std::array<ForecastData, kHorizons.size()>;
HorizonData make_forecast_data(const PredictorSeries& predictors);

/// Where a forecast stands.
struct ForecastQuery {
  std::array<double, kPredictors> z{};  ///< NaN: not valid
  std::ptrdiff_t last = -1;             ///< the largest session that may be a candidate, t - h; negative: none
  std::size_t now = 0;                  ///< ages are now - s sessions: t, or t + 1 for a next close
};
/// The predictors a query can be answered with: PVGD, PVG, PVD or PV by what is valid, or 0 without P and V.
PredictorSet valid_set(const std::array<double, kPredictors>& z);

/// The predictors that a query is answered with: of the sets that are valid in it the largest with 42 candidates, of
/// PVG and PVD the one with more (PVG of as many), so that a predictor whose series has just become long enough does
/// not leave a ticker without forecasts until its candidates are enough. The valid set where none has as many.
class UsableSet {
 public:
  explicit UsableSet(const ForecastData& data);
  /// @param last see ForecastQuery
  PredictorSet operator()(const std::array<double, kPredictors>& z, std::ptrdiff_t last) const;

 private:
  std::array<std::vector<std::int32_t>, 4> count_;  ///< (T) candidates up to each session: PVGD, PVG, PVD, PV
};

/// Why there is no forecast.
enum class ForecastStatus : std::int8_t { kOk = 0, kInsufficientHistory = 1, kNoPredictors = 2 };

/// What followed. Outcomes are in units of MAD sqrt(h) of their own session. Numbers are 0 unless the status is ok.
struct Forecast {
  ForecastStatus status = ForecastStatus::kInsufficientHistory;
  PredictorSet set = 0;
  std::size_t candidates = 0;      ///< sessions that could have been neighbours
  double n_eff = 0.0;              ///< 1 / sum w^2
  double mean = 0.0;               ///< sum w y
  double volatility = 0.0;         ///< sum w |y|
  double volatility_median = 0.0;  ///< of |y| by the quantile rule
  double median = 0.0;     ///< of the kernel density: root of sum w Phi((m - y)/b) = 1/2; b = 0: the quantile median
  double bandwidth = 0.0;  ///< b = 1.06 s n_eff^(-1/5), s^2 = sum w (y - mean)^2
  std::array<double, kForecastProbabilities.size()> quantile{};
  std::array<std::int32_t, kNeighbours> session{};  ///< neighbours by distance, then the later session first
  std::array<double, kNeighbours> distance2{}, weight{}, outcome{};
};

/// The 42 nearest candidates s <= query.last that have every predictor of the set and an outcome, by (distance^2, then
/// larger s); distance^2 summed in the order P, V, G, D in double. w ~ exp(-d^2/(2 h^2)) 2^(-(now - s)/504), h the 42nd
/// distance (0: that factor is 1), normalised. Sums run in ascending order of the outcomes (ties: the earlier session
/// first). Same input, same bytes.
/// @param set the predictors of the distance, not empty; kNoPredictors unless all are valid in the query
/// @param with_median false leaves `median` NaN: it costs as much as everything else
Forecast forecast(const ForecastData& data, const ForecastQuery& query, PredictorSet set, bool with_median = true);

namespace forecast_detail {
struct SetColumns;
}

/// Forecasts of one horizon at places that follow each other closely, such as those of hypothetical closes: to the bit
/// forecast() of the same query, in a fraction of its time. What is near is kept, and searched alone for as long as no
/// other session can be nearer by the triangle inequality. Not to be shared between threads.
class ForecastPath {
 public:
  /// @param data must outlive the path @param last, now as in ForecastQuery
  ForecastPath(const ForecastData& data, std::ptrdiff_t last, std::size_t now);
  /// @param set as of forecast(); a change of it starts afresh
  Forecast operator()(const std::array<double, kPredictors>& z, PredictorSet set, bool with_median = true);

 private:
  struct Places {
    std::array<std::vector<double>, kPredictors> axis;  ///< of the set
    std::vector<std::int32_t> session;                  ///< ascending

    void clear();
    void add(const forecast_detail::SetColumns& from, std::size_t i, std::int32_t s);
    forecast_detail::SetColumns columns(std::size_t count) const;
  };

  void take_candidates(PredictorSet set);
  bool find(const Places& places, const std::array<double, kPredictors>& at, std::size_t axes, Forecast& result) const;

  const ForecastData& data_;
  std::size_t sessions_, now_;
  std::vector<double> age_;  ///< factor by age
  PredictorSet set_ = 0;
  Places candidates_, near_;
  std::array<double, kPredictors> centre_{};  ///< of what is near
  double radius_ = 0.0;
};

/// The weighted quantile rule: y ascending, C_i = sum_{j<=i} w_j - w_i/2, linear between (C_i, y_i), constant beyond.
/// @param order indices that sort y, as many as there are @param w sums to 1
double weighted_quantile(std::span<const double> y, std::span<const double> w, std::span<const std::uint8_t> order,
                         double probability);
/// Root of sum w Phi((m - y)/b) = 1/2 to 1e-12 of the range of y, b > 0. Where the density at the root is so small that
/// double cannot part its neighbourhood (halves of the weight that lie many b apart), some point of it.
double density_median(std::span<const double> y, std::span<const double> w, double bandwidth);

/// CRPS of weighted outcomes against what came: sum w |y_i - y| - 1/2 sum sum w_i w_j |y_i - y_j|; `fair` divides the
/// second term by 1 - sum w^2. The double sum is that of (y_{k+1} - y_k) W_k (1 - W_k) over sorted outcomes, every term
/// positive: O(n log n), relative error of a few n ulp.
/// @param y not empty, in any order @param w sums to 1 @param came finite
double crps(std::span<const double> y, std::span<const double> w, double came, bool fair);
/// CRPS of N(0, deviation), deviation >= 0: deviation (z erf(z/sqrt 2) + 2 phi(z) - 1/sqrt(pi)), z = came/deviation.
double crps_normal(double deviation, double came);

/// The record of one horizon: every session t whose outcome is known, forecast from what was known at t. Means are over
/// the forecasts and NaN where there is none. Every skill is 1 - CRPS / CRPS of climatology over the same sessions.
struct ForecastRecord {
  int horizon = 5;
  std::int64_t forecasts = 0;                                  ///< n
  double n_independent = 0.0;                                  ///< n / h
  double crps = 0.0, crps_fair = 0.0, crps_climatology = 0.0;  ///< means
  double skill = 0.0;                                          ///< 1 - crps / crps_climatology
  double skill_t = 0.0;  ///< Newey-West t of the mean of crps_climatology - crps, Bartlett weights, lag h sessions
  double crps_random_walk = 0.0, skill_random_walk = 0.0;  ///< N(0, sqrt(pi/2)): the return that MAD implies
  double crps_implied = 0.0, skill_implied = 0.0;  ///< N(0, iv30 sqrt(h/252)) in outcome units; NaN without iv30
  std::int64_t forecasts_implied = 0;              ///< forecasts of sessions with iv30 > 0
  double skill_where_implied = 0.0;  ///< the forecast's own over those sessions: what skill_implied is beside
  double skill_random = 0.0;         ///< of 42 random candidates with the same time weights
  std::array<double, kForecastProbabilities.size()> pinball{}, pinball_climatology{};  ///< mean (p - [y < q])(y - q)
  std::array<double, 10> pit{};          ///< share of the forecasts by sum w [y_i < y] + 1/2 sum w [y_i = y]
  std::int64_t signs = 0;                ///< forecasts whose mean and outcome are both other than 0
  double hit_rate = 0.0;                 ///< share of those with sign(mean) = sign(outcome)
  double hit_low = 0.0, hit_high = 0.0;  ///< Wilson interval of 95 % at signs / h
  double always_up = 0.0;                ///< share of those with an outcome above 0
};

/// Walk-forward evaluation: at each t with a valid set and 42 candidates s <= t - h the forecast of that set, against
/// y_t. Climatology: the same candidates with equal weights.
/// O(T) memory; the time of one search per session, climatology by insertion.
/// @param iv30 (T) vol or empty @param mad (T) per session @param seed of the random candidates, drawn by (seed, t)
/// @param keep if given, (T) mean forecasts, NaN where there is none
ForecastRecord walk_forward(const ForecastData& data, std::span<const double> iv30, std::span<const double> mad,
                            std::uint64_t seed, std::vector<double>* keep = nullptr);
/// Those of every horizon, to the bit, in half the searches: the candidates of the longer horizon are those of the
/// shorter but for the sessions between, wherever an outcome is known of both horizons or of neither.
std::array<ForecastRecord, kHorizons.size()> walk_forward(
    const HorizonData& data, std::span<const double> iv30, std::span<const double> mad, std::uint64_t seed,
    std::array<std::vector<double>, kHorizons.size()>* keep = nullptr);

/// The ends of Wilson's interval of 95 % of a share at n trials, n > 0 (any real number), in [0, 1].
std::array<double, 2> wilson_interval(double share, double n);

/// Nodes of a map's axis: g_i = -1 + 2 i/63.
inline constexpr std::size_t kMapNodes = 64;
inline constexpr double kMapBandwidth = 0.15;
inline constexpr double kLeastMapMass = 5.0;

/// What followed over a pair of predictors, (pair, first predictor, second predictor), single precision.
struct WeatherMaps {
  std::vector<float> mean;       ///< sum K y / sum K
  std::vector<float> magnitude;  ///< sum K |y| / sum K - 1
  std::vector<float> mass;       ///< sum K, candidates
  std::vector<float> n_eff;      ///< (sum K)^2 / sum K^2
};
/// Maps of the six pairs from the candidates s <= last that have both predictors and an outcome, kernel
/// exp(-(g - z)^2/(2 0.15^2)) per axis, no weights by age; mean and magnitude are NaN where the mass is below 5.
///
/// Relative errors: mass e = 3e-7, n_eff 8e-6; |mean| and magnitude are off by at most 2 e (magnitude + 1). A mass
/// below 1e-3 has in addition the 1e-9 per candidate that is dropped.
/// @param last negative: no candidates
WeatherMaps make_weather_maps(const ForecastData& data, std::ptrdiff_t last);

/// Those of every horizon as of session t, from candidates s <= t - h: what the horizons share is summed once, so the
/// maps are those above within the errors given there.
std::array<WeatherMaps, kHorizons.size()> make_weather_maps(const HorizonData& data, std::size_t t);

}  // namespace greekgrid

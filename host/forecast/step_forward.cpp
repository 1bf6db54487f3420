#include "greekgrid/host/step_forward.hpp"

#include <algorithm>
#include <cmath>

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kStepsPerMad = 20.0;
constexpr int kLeastFirst = -200, kLeastLast = 100;
constexpr int kFurthest = 4000;  // 200 MAD: what lies beyond is an error of the data
constexpr std::size_t kRatios = 5;

// D of session t + 1: the mean of the five ratios up to t, if all are known.
double next_d(const SessionSeries& sessions, std::size_t t) {
  if (t + 1 < kRatios) return kNaN;
  double sum = 0.0;
  for (std::size_t s = t + 1 - kRatios; s <= t; ++s) sum += sessions.short_ratio[s];
  return sum / static_cast<double>(kRatios);
}

}  // namespace

StepAxis step_axis(const PredictorSeries& predictors, std::size_t t) {
  double low = 0.0, high = 0.0;
  for (std::size_t s = 1; s <= t; ++s) {
    const double ratio = predictors.r[s] / predictors.mad[s - 1];
    if (!std::isfinite(ratio)) continue;
    low = std::min(low, ratio);
    high = std::max(high, ratio);
  }
  const auto steps = [](double x) { return static_cast<int>(std::clamp<double>(x, -kFurthest, kFurthest)); };
  return {std::min(kLeastFirst, steps(std::floor(kStepsPerMad * low))),
          std::max(kLeastLast, steps(std::ceil(kStepsPerMad * high)))};
}

StepForward step_forward(const StepInputs& inputs, StepMode mode) {
  const SessionSeries& sessions = *inputs.sessions;
  const PredictorSeries& predictors = *inputs.predictors;
  const std::size_t t = sessions.sessions() - 1;
  const bool replace = mode == StepMode::kReplace;
  StepForward out;
  out.mode = mode;
  out.axis = step_axis(predictors, t);
  const std::size_t closes = out.axis.size();
  const double mad = predictors.mad[t], base = sessions.close[t];

  // Standings among the values before the session that the close belongs to.
  const std::size_t past = replace ? t : t + 1;
  std::vector<ExpandingRank> rank;
  for (std::size_t k = 0; k < kPredictors; ++k) {
    rank.emplace_back(std::span(predictors.x[k]).first(std::min(past, predictors.x[k].size())));
  }
  const auto d = static_cast<std::size_t>(Predictor::kD), g = static_cast<std::size_t>(Predictor::kG);
  double d_value = predictors.x[d][t];
  if (!replace) {
    const double known = next_d(sessions, t);
    out.d_held = !std::isfinite(known);
    if (!out.d_held) d_value = known;
  }
  out.g_held = !inputs.book.has_value();

  for (auto* column : {&out.close, &out.mad}) column->assign(closes, kNaN);
  out.status.assign(closes, CloseStatus::kOk);
  for (std::size_t k = 0; k < kPredictors; ++k) {
    out.value[k].assign(closes, kNaN);
    out.z[k].assign(closes, kNaN);
  }
  for (auto& list : out.forecast) list.resize(closes);
  for (std::size_t c = 0; c < closes; ++c) out.close[c] = base * (1.0 + out.axis.x(c) * mad);
  const auto positive = static_cast<std::size_t>(
      std::find_if(out.close.begin(), out.close.end(), [](double close) { return close > 0.0; }) - out.close.begin());
  const Instant at = replace ? inputs.now : inputs.next_close;
  const std::vector<PercentGamma> gammas =
      out.g_held ? std::vector<PercentGamma>()
                 : percent_gammas(*inputs.book, std::span<const double>(out.close).subspan(positive), at);
  // The session's own close exactly: replaced by itself it is itself.
  const auto g_at = [&](std::size_t c) {
    return c == out.axis.zero() ? percent_gamma(*inputs.book, base, at).share() : gammas[c - positive].share();
  };
  for (std::size_t c = 0; c < closes; ++c) {
    const double r = out.axis.x(c) * mad;
    if (!(out.close[c] > 0.0)) {
      out.status[c] = std::isfinite(mad) ? CloseStatus::kNonpositiveClose : CloseStatus::kNoMad;
      continue;
    }
    double change = r;
    if (replace) {
      // The session's own return with another close; at x = 0 the very same number.
      change = c == out.axis.zero() || t == 0 ? predictors.r[t] : (1.0 + predictors.r[t]) * (1.0 + r) - 1.0;
    }
    const NextPredictors next = next_predictors(predictors, t, change, replace);
    out.value[0][c] = next.p;
    out.value[1][c] = next.v;
    out.mad[c] = next.mad;
    out.value[g][c] = out.g_held ? predictors.x[g][t] : g_at(c);
    out.value[d][c] = d_value;
    for (std::size_t k = 0; k < kPredictors; ++k) out.z[k][c] = rank[k](out.value[k][c]);
  }

  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(t) - kHorizons[h];
    const ForecastData data = make_forecast_data(predictors, kHorizons[h]);
    ForecastPath path(data, last, replace ? t : t + 1);
    const UsableSet usable(data);
    for (std::size_t c = 0; c < closes; ++c) {
      if (out.status[c] != CloseStatus::kOk) continue;
      std::array<double, kPredictors> z;
      for (std::size_t k = 0; k < kPredictors; ++k) z[k] = out.z[k][c];
      const PredictorSet set = usable(z, last);
      if (set == 0) {
        out.forecast[h][c].status = ForecastStatus::kNoPredictors;
        continue;
      }
      out.forecast[h][c] = path(z, set);
    }
  }
  return out;
}

StepForward::Extremes StepForward::extremes(std::size_t horizon_index) const {
  Extremes found;
  double most = 0.0, least = 0.0;
  for (std::size_t c = 0; c < axis.size(); ++c) {
    const Forecast& f = forecast[horizon_index][c];
    const int i = axis.first + static_cast<int>(c);
    if (i < kLeastFirst || i > kLeastLast || f.status != ForecastStatus::kOk) continue;
    if (!found.known || f.mean > most) {
      most = f.mean;
      found.best = axis.x(c);
      found.best_at = c;
    }
    if (!found.known || f.mean < least) {
      least = f.mean;
      found.worst = axis.x(c);
      found.worst_at = c;
    }
    found.known = true;
  }
  return found;
}

}  // namespace greekgrid

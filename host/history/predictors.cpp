#include "greekgrid/host/predictors.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace greekgrid {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kBefore = kMadWindow - 1;  // values of a window before its newest
constexpr std::size_t kVolWindow = 20;
constexpr std::size_t kRangeWindow = 5;
constexpr double kTradingDays = 252.0;
constexpr double kRegimeScore = 0.5;
constexpr std::int8_t kNoRegime = 2;

// First sessions that have a value. Returns begin at 1.
constexpr std::size_t kFirstMad = kMadWindow;              // the 22nd close
constexpr std::size_t kFirstV = kFirstMad + kBefore;       // the 42nd
constexpr std::size_t kFirstOld = kFirstMad + kMadWindow;  // the 43rd

/// A number or why there is none.
struct Value {
  double value = kNan;
  PredictorStatus status = PredictorStatus::kInsufficientHistory;
};

Value known(double value) {
  if (std::isfinite(value)) return {value, PredictorStatus::kOk};
  return {kNan, PredictorStatus::kMissingInput};
}

constexpr Value kZeroMadValue{kNan, PredictorStatus::kZeroMad};

// The same few functions serve a series and its counterfactual next session, so that both agree to the bit.

/// Mean of the 20 values from `before` on and of the newest.
double mean21(const double* before, double newest) {
  double sum = 0.0;
  for (std::size_t i = 0; i < kBefore; ++i) sum += before[i];
  return (sum + newest) / static_cast<double>(kMadWindow);
}

double mean21_absolute(const double* before, double newest) {
  double sum = 0.0;
  for (std::size_t i = 0; i < kBefore; ++i) sum += std::abs(before[i]);
  return (sum + std::abs(newest)) / static_cast<double>(kMadWindow);
}

/// In [-1, 1] although rounded: |sum r| never rounds above sum |r|, term by term.
Value p_of(double mean_return, double mad) {
  return mad == 0.0 ? kZeroMadValue : known(mean_return / mad);
}

Value v_of(double mad, double mean_mad) {
  return mean_mad == 0.0 ? kZeroMadValue : known(mad / mean_mad - 1.0);
}

double standing(std::size_t less, std::size_t equal, std::size_t count) {
  if (count < kLeastRanked) return kNan;
  return 2.0 * ((static_cast<double>(less) + 0.5 * static_cast<double>(equal)) / static_cast<double>(count)) - 1.0;
}

/// The largest distance between the day's prices and the close before, all in USD of t.
double true_range(const SessionSeries& series, std::size_t t) {
  const double before = series.close[t - 1] / series.split[t];
  const double high = series.high[t], low = series.low[t];
  if (std::isnan(high) || std::isnan(low)) return kNan;
  return std::max({high - low, std::abs(high - before), std::abs(low - before)});
}

/// Mean of the last five short ratios before t.
Value short_mean(const SessionSeries& series, std::size_t t) {
  if (t < kShortWindow) return {};
  double sum = 0.0;
  bool zero = false;
  for (std::size_t i = t - kShortWindow; i < t; ++i) {
    sum += series.short_ratio[i];
    zero = zero || series.short_zero_volume[i] != 0;
  }
  if (zero) return {kNan, PredictorStatus::kZeroVolume};
  return known(sum / static_cast<double>(kShortWindow));
}

/// Mean and deviation of the values so far, stable for values far from 0 (Welford).
class RunningScore {
 public:
  /// Takes a value in and says how many deviations it is from the mean; NaN for fewer than 252 or all alike.
  double operator()(double value) {
    ++count_;
    const double n = static_cast<double>(count_);
    const double from_old = value - mean_;
    mean_ += from_old / n;
    squares_ += from_old * (value - mean_);
    if (count_ < kLeastRanked || !(squares_ > 0.0)) return kNan;
    return (value - mean_) / std::sqrt(squares_ / n);
  }

 private:
  std::size_t count_ = 0;
  double mean_ = 0.0, squares_ = 0.0;
};

void check_shapes(const SessionSeries& series, const SessionInputs& inputs) {
  const std::size_t count = series.sessions();
  bool fits =
      series.date.size() == count && series.short_zero_volume.size() == count && series.after_gap.size() == count;
  for (const auto* column :
       {&series.open, &series.high, &series.low, &series.volume, &series.short_ratio, &series.split}) {
    fits = fits && column->size() == count;
  }
  if (!fits) throw std::invalid_argument("every column of a series of sessions has one value per session");
  for (const auto& input : {inputs.g, inputs.g_old, inputs.iv30}) {
    if (!input.empty() && input.size() != count) {
      throw std::invalid_argument("inputs of predictors are empty or have one value per session");
    }
  }
}

}  // namespace

PredictorSeries compute_returns(const SessionSeries& series) {
  const std::size_t count = series.sessions();
  PredictorSeries out;
  out.r.assign(count, kNan);
  out.mad.assign(count, kNan);
  for (std::size_t t = 1; t < count; ++t) {
    // Across a split by its factor alone: closes adjusted for all splits would carry later ones back to here.
    out.r[t] = series.close[t] * series.split[t] / series.close[t - 1] - 1.0;
    if (t >= kFirstMad) out.mad[t] = mean21_absolute(&out.r[t - kBefore], out.r[t]);
  }
  return out;
}

PredictorSeries compute_predictors(const SessionSeries& series, const SessionInputs& inputs) {
  check_shapes(series, inputs);
  const std::size_t count = series.sessions();
  PredictorSeries out = compute_returns(series);
  for (auto* column : {&out.p_old, &out.v_raw, &out.v_old, &out.g_old, &out.d_old, &out.rv20, &out.atr5, &out.iv30,
                       &out.premium, &out.premium_score}) {
    column->assign(count, kNan);
  }
  for (std::size_t k = 0; k < kPredictors; ++k) {
    out.x[k].assign(count, kNan);
    out.status[k].assign(count, PredictorStatus::kInsufficientHistory);
    out.old_status[k].assign(count, PredictorStatus::kInsufficientHistory);
  }
  out.premium_regime.assign(count, kNoRegime);
  const auto put = [&out](Predictor predictor, std::size_t t, const Value& value) {
    const auto k = static_cast<std::size_t>(predictor);
    out.x[k][t] = value.value;
    out.status[k][t] = value.status;
  };
  const auto put_old = [&out](Predictor predictor, std::vector<double>& column, std::size_t t, const Value& value) {
    column[t] = value.value;
    out.old_status[static_cast<std::size_t>(predictor)][t] = value.status;
  };
  const auto given = [](std::span<const double> input, std::size_t t) {
    return known(input.empty() ? kNan : input[t]);
  };

  std::vector<double> squared_log(count, kNan), in_mads(count, kNan), range(count, kNan);
  RunningScore score;
  for (std::size_t t = 0; t < count; ++t) {
    if (t > 0) {
      const double log_return = std::log(series.close[t] * series.split[t] / series.close[t - 1]);
      squared_log[t] = log_return * log_return;
      range[t] = true_range(series, t);
    }
    if (t >= kFirstMad) {
      put(Predictor::kP, t, p_of(mean21(&out.r[t - kBefore], out.r[t]), out.mad[t]));
    }
    if (t > kFirstMad && out.mad[t - 1] != 0.0) in_mads[t] = out.r[t] / out.mad[t - 1];
    if (t >= kFirstV) {
      const double mean_mad = mean21(&out.mad[t - kBefore], out.mad[t]);
      put(Predictor::kV, t, v_of(out.mad[t], mean_mad));
      out.v_raw[t] = out.mad[t] - mean_mad;
    }
    if (t >= kFirstOld) {
      const double* divisor = &out.mad[t - kMadWindow];
      const bool zero = std::find(divisor, divisor + kMadWindow, 0.0) != divisor + kMadWindow;
      put_old(Predictor::kP, out.p_old, t, zero ? kZeroMadValue : known(mean21(&in_mads[t - kBefore], in_mads[t])));
      put_old(Predictor::kV, out.v_old, t, *divisor == 0.0 ? kZeroMadValue : known((out.mad[t] - *divisor) / *divisor));
    }
    put(Predictor::kG, t, given(inputs.g, t));
    put_old(Predictor::kG, out.g_old, t, given(inputs.g_old, t));
    put(Predictor::kD, t, short_mean(series, t));
    put_old(
        Predictor::kD, out.d_old, t,
        series.short_zero_volume[t] != 0 ? Value{kNan, PredictorStatus::kZeroVolume} : known(series.short_ratio[t]));
    if (t >= kVolWindow) {
      double sum = 0.0;
      for (std::size_t i = t - kVolWindow + 1; i <= t; ++i) sum += squared_log[i];
      out.rv20[t] = known(std::sqrt(kTradingDays / static_cast<double>(kVolWindow) * sum)).value;
    }
    if (t >= kRangeWindow) {
      std::array<double, kRangeWindow> ranges;
      double factor = 1.0;
      for (std::size_t k = 0; k < kRangeWindow; ++k) {
        ranges[kRangeWindow - 1 - k] = range[t - k] / factor;
        factor *= series.split[t - k];
      }
      double sum = 0.0;
      for (const double value : ranges) sum += value;
      out.atr5[t] = known(sum / static_cast<double>(kRangeWindow)).value;
    }
    out.iv30[t] = given(inputs.iv30, t).value;
    out.premium[t] = out.iv30[t] - out.rv20[t];
    if (!std::isnan(out.premium[t])) {
      const double s = score(out.premium[t]);
      out.premium_score[t] = s;
      if (!std::isnan(s)) out.premium_regime[t] = s >= kRegimeScore ? 1 : s <= -kRegimeScore ? -1 : 0;
    }
  }
  for (std::size_t k = 0; k < kPredictors; ++k) out.z[k] = expanding_rank(out.x[k]);
  return out;
}

SessionPredictors session_predictors(const SessionSeries& series, const PredictorSeries& predictors, std::size_t t) {
  SessionPredictors row;
  row.sessions = static_cast<std::int64_t>(t) + 1;
  row.date = series.date.at(t);
  row.close = series.close.at(t);
  row.mad = predictors.mad.at(t);
  const std::vector<double>* old[] = {&predictors.p_old, &predictors.v_old, &predictors.g_old, &predictors.d_old};
  for (std::size_t k = 0; k < kPredictors; ++k) {
    row.x[k] = predictors.x[k].at(t);
    row.z[k] = predictors.z[k].at(t);
    row.status[k] = predictors.status[k].at(t);
    row.old[k] = old[k]->at(t);
    row.old_status[k] = predictors.old_status[k].at(t);
  }
  row.v_raw = predictors.v_raw.at(t);
  row.rv20 = predictors.rv20.at(t);
  row.atr5 = predictors.atr5.at(t);
  row.iv30 = predictors.iv30.at(t);
  row.premium = predictors.premium.at(t);
  row.premium_score = predictors.premium_score.at(t);
  row.premium_regime = predictors.premium_regime.at(t);
  return row;
}

std::vector<double> expanding_rank(std::span<const double> x) {
  std::vector<std::pair<double, std::size_t>> order;
  order.reserve(x.size());
  for (std::size_t t = 0; t < x.size(); ++t) {
    if (!std::isnan(x[t])) order.emplace_back(x[t], t);
  }
  std::vector<double> z(x.size(), kNan);
  if (order.size() < kLeastRanked) return z;
  std::sort(order.begin(), order.end());

  // All values lend their order alone; what is counted at t are those up to t.
  std::vector<std::size_t> place(x.size(), 0);  // from 1; 0 missing
  std::size_t places = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || order[i].first != order[i - 1].first) ++places;
    place[order[i].second] = places;
  }
  std::vector<std::uint32_t> tree(places + 1, 0), equal(places + 1, 0);  // a Fenwick tree of counts, and the counts
  std::size_t seen = 0;
  for (std::size_t t = 0; t < x.size(); ++t) {
    if (place[t] == 0) continue;
    for (std::size_t i = place[t]; i <= places; i += i & (~i + 1)) ++tree[i];
    ++equal[place[t]];
    ++seen;
    std::size_t less = 0;
    for (std::size_t i = place[t] - 1; i > 0; i &= i - 1) less += tree[i];
    z[t] = standing(less, equal[place[t]], seen);
  }
  return z;
}

ExpandingRank::ExpandingRank(std::span<const double> x) {
  sorted_.reserve(x.size());
  for (const double value : x) {
    if (!std::isnan(value)) sorted_.push_back(value);
  }
  std::sort(sorted_.begin(), sorted_.end());
}

double ExpandingRank::operator()(double value) const {
  if (std::isnan(value)) return kNan;
  const auto [low, high] = std::equal_range(sorted_.begin(), sorted_.end(), value);
  return standing(static_cast<std::size_t>(low - sorted_.begin()), static_cast<std::size_t>(high - low) + 1,
                  sorted_.size() + 1);
}

NextPredictors next_predictors(const PredictorSeries& series, std::size_t t, double r, bool replace) {
  if (t >= series.r.size()) throw std::invalid_argument("the predictors have no such session");
  const std::size_t place = replace ? t : t + 1;  // of the counterfactual session
  NextPredictors next;
  if (place < kFirstMad) return next;
  const double* returns = &series.r[place - kBefore];
  next.mad = mean21_absolute(returns, r);
  const Value p = p_of(mean21(returns, r), next.mad);
  next.p = p.value;
  next.p_status = p.status;
  if (place < kFirstV) return next;
  const Value v = v_of(next.mad, mean21(&series.mad[place - kBefore], next.mad));
  next.v = v.value;
  next.v_status = v.status;
  return next;
}

}  // namespace greekgrid

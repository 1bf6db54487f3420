#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "ensemble.hpp"
#include "greekgrid/host/forecast.hpp"
#include "greekgrid/kernels/nearest.hpp"

namespace greekgrid {

using forecast_detail::Ensemble;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kQuantiles = kForecastProbabilities.size();

double pinball_loss(double probability, double quantile, double came) {
  return (probability - (came < quantile ? 1.0 : 0.0)) * (came - quantile);
}

/// Known outcomes by their rank over the whole series: they order the outcomes of any past without a look at their
/// future, as integers.
struct Ranks {
  std::vector<std::int32_t> of_session;  ///< (T) -1 without an outcome
  std::vector<std::int32_t> session;     ///< by rank

  explicit Ranks(std::span<const double> outcome) : of_session(outcome.size(), -1) {
    for (std::size_t s = 0; s < outcome.size(); ++s) {
      if (std::isfinite(outcome[s])) session.push_back(static_cast<std::int32_t>(s));
    }
    std::sort(session.begin(), session.end(), [&](std::int32_t a, std::int32_t b) {
      return outcome[a] != outcome[b] ? outcome[a] < outcome[b] : a < b;
    });
    for (std::size_t r = 0; r < session.size(); ++r) of_session[session[r]] = static_cast<std::int32_t>(r);
  }
};

/// The candidates of one set up to a session, as an ensemble of equal weights that grows by insertion.
class Climatology {
 public:
  Climatology(const ForecastData& data, const Ranks& ranks, PredictorSet set)
      : data_(data), ranks_(ranks), set_(set), tree_(ranks.session.size() + 1) {}

  /// Takes in the candidates up to `last`, which never decreases.
  void advance(std::size_t last) {
    for (; next_ <= last; ++next_) {
      bool valid = ranks_.of_session[next_] >= 0;
      for (std::size_t p = 0; p < kPredictors; ++p) {
        if (((set_ >> p) & 1) != 0) valid = valid && !std::isnan(data_.z[p][next_]);
      }
      if (valid) insert(next_);
    }
  }
  [[nodiscard]] std::size_t size() const { return sorted_.size(); }
  [[nodiscard]] const std::vector<std::int32_t>& candidates() const { return session_; }

  /// The CRPS of equal weights against an outcome of a given rank: O(log n).
  [[nodiscard]] double crps(double came, std::int32_t rank) const {
    const auto n = static_cast<double>(sorted_.size());
    return distances_to(came, rank).second / n - pair_distances_ / (n * n);
  }
  /// The quantile rule at equal weights: C_i = (i + 1/2)/n.
  [[nodiscard]] double quantile(double probability) const {
    const double place = probability * static_cast<double>(sorted_.size()) - 0.5;
    if (place <= 0.0) return sorted_.front();
    const auto i = static_cast<std::size_t>(place);
    if (i + 1 >= sorted_.size()) return sorted_.back();
    return sorted_[i] + (place - static_cast<double>(i)) * (sorted_[i + 1] - sorted_[i]);
  }

 private:
  struct Node {
    double sum = 0.0;
    std::int64_t count = 0;
  };

  /// Outcomes of lower rank, and the sum of the distances of all to a value of this rank.
  [[nodiscard]] std::pair<std::size_t, double> distances_to(double value, std::int32_t rank) const {
    Node below;
    for (std::size_t i = static_cast<std::size_t>(rank); i > 0; i &= i - 1) {
      below.sum += tree_[i].sum;
      below.count += tree_[i].count;
    }
    const auto lower = static_cast<double>(below.count);
    const double upper = static_cast<double>(sorted_.size()) - lower;
    return {static_cast<std::size_t>(below.count),
            (value * lower - below.sum) + ((total_ - below.sum) - value * upper)};
  }
  void insert(std::size_t session) {
    const double value = data_.outcome[session];
    const std::int32_t rank = ranks_.of_session[session];
    const auto [lower, distances] = distances_to(value, rank);
    pair_distances_ += distances;
    total_ += value;
    sorted_.insert(sorted_.begin() + static_cast<std::ptrdiff_t>(lower), value);
    session_.push_back(static_cast<std::int32_t>(session));
    for (std::size_t i = static_cast<std::size_t>(rank) + 1; i < tree_.size(); i += i & (~i + 1)) {
      tree_[i].sum += value;
      ++tree_[i].count;
    }
  }

  const ForecastData& data_;
  const Ranks& ranks_;
  PredictorSet set_;
  std::size_t next_ = 0;
  std::vector<Node> tree_;  ///< Fenwick's, over ranks
  std::vector<double> sorted_;
  std::vector<std::int32_t> session_;
  double total_ = 0.0, pair_distances_ = 0.0;
};

/// Bits that depend on (seed, t) alone (splitmix64).
class DrawSequence {
 public:
  DrawSequence(std::uint64_t seed, std::uint64_t t) : state_(mix(seed) + t * 0xd1342543de82ef95U) {}
  std::size_t below(std::size_t n) {
    state_ += 0x9e3779b97f4a7c15U;
    return static_cast<std::size_t>(((mix(state_) >> 32) * n) >> 32);
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

/// The t of the mean of a series with gaps (NaN); NaN where its variance is not positive.
double newey_west_t(std::span<const double> x, int lag) {
  double sum = 0.0;
  std::size_t n = 0;
  for (const double v : x) {
    if (std::isnan(v)) continue;
    sum += v;
    ++n;
  }
  if (n < 2) return kNaN;
  const auto count = static_cast<double>(n);
  const double mean = sum / count;
  // A gap has no deviation: its products are none.
  std::vector<double> deviation(x.size());
  for (std::size_t t = 0; t < x.size(); ++t) deviation[t] = std::isnan(x[t]) ? 0.0 : x[t] - mean;
  double variance = 0.0;
  for (std::size_t l = 0; l <= static_cast<std::size_t>(lag) && l < x.size(); ++l) {
    double covariance = 0.0;
    for (std::size_t t = l; t < x.size(); ++t) covariance += deviation[t] * deviation[t - l];
    const double weight = 1.0 - static_cast<double>(l) / (static_cast<double>(lag) + 1.0);
    variance += (l == 0 ? 1.0 : 2.0) * weight * covariance / count;
  }
  return variance > 0.0 ? mean / std::sqrt(variance / count) : kNaN;
}

}  // namespace

std::array<double, 2> wilson_interval(double share, double n) {
  constexpr double kZ = 1.959963984540054;  // N^-1(0.975)
  const double z2 = kZ * kZ / n;
  const double middle = (share + 0.5 * z2) / (1.0 + z2);
  const double half = kZ / (1.0 + z2) * std::sqrt(share * (1.0 - share) / n + 0.25 * z2 / n);
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

ForecastRecord walk_forward(const ForecastData& data, std::span<const double> iv30, std::span<const double> mad,
                            std::uint64_t seed, std::vector<double>* keep) {
  assert(iv30.empty() || iv30.size() == data.outcome.size());
  assert(mad.size() == data.outcome.size());
  const std::size_t sessions = data.outcome.size();
  const auto h = static_cast<std::size_t>(data.horizon);
  if (keep != nullptr) keep->assign(sessions, kNaN);

  const Ranks ranks(data.outcome);
  std::array<std::vector<Climatology>, 16> climatologies;  // none or one
  std::vector<double> age(sessions + 1);
  for (std::size_t i = 0; i <= sessions; ++i) age[i] = forecast_detail::age_factor(static_cast<double>(i));
  // P where there is an outcome: every set has P, so the search need not look at outcomes.
  std::vector<double> p_with_outcome(data.z[0].begin(), data.z[0].end());
  for (std::size_t s = 0; s < sessions; ++s) {
    if (!std::isfinite(data.outcome[s])) p_with_outcome[s] = kNaN;
  }

  // The ensemble of sessions and their weights before these are normalised.
  std::array<std::int32_t, kNeighbours> session, neighbour, rank;
  PredictorSet last_set = 0;
  std::array<double, kNeighbours> distance2, raw;
  std::array<std::uint8_t, kNeighbours> order;
  Ensemble ensemble;
  const auto make_ensemble = [&] {
    for (std::size_t i = 0; i < kNeighbours; ++i) rank[i] = ranks.of_session[session[i]];
    ascending_order(rank, order);
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      ensemble.y[i] = data.outcome[session[order[i]]];
      ensemble.w[i] = raw[order[i]];
    }
    ensemble.normalise();
  };

  ForecastRecord record;
  record.horizon = data.horizon;
  double random = 0.0, climatology_where_implied = 0.0, where_implied = 0.0;
  std::int64_t hits = 0, ups = 0;
  std::vector<double> gain(sessions, kNaN);
  std::vector<std::uint8_t> drawn(sessions, 0);
  for (std::size_t t = h; t < sessions; ++t) {
    const double came = data.outcome[t];
    std::array<double, kPredictors> z;
    for (std::size_t p = 0; p < kPredictors; ++p) z[p] = data.z[p][t];
    const PredictorSet set = valid_set(z);
    if (set == 0 || !std::isfinite(came)) continue;
    auto& slot = climatologies[set];
    if (slot.empty()) slot.emplace_back(data, ranks, set);
    Climatology& climatology = slot.front();
    climatology.advance(t - h);
    if (climatology.size() < kNeighbours) continue;

    forecast_detail::SetColumns columns = forecast_detail::columns_of(data, set, z);
    columns.column[0] = p_with_outcome.data();
    const PointsView points{columns.column, columns.count, nullptr, t - h + 1};
    // The neighbours of the session before are candidates still, and near still: they bound the search.
    double within = std::numeric_limits<double>::infinity();
    if (last_set == set) {
      within = 0.0;
      for (const std::int32_t s : neighbour) {
        double d2 = 0.0;
        for (std::size_t p = 0; p < columns.count; ++p) {
          const double difference = columns.column[p][s] - columns.at[p];
          d2 += difference * difference;
        }
        within = std::max(within, d2);
      }
    }
    last_set = set;
    nearest(points, std::span(columns.at).first(columns.count), neighbour, distance2, NearestAnswer::kPoints, within);
    session = neighbour;
    double h2 = 0.0;
    for (const double d2 : distance2) h2 = std::max(h2, d2);
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      raw[i] = forecast_detail::distance_factor(distance2[i], h2) * age[t - static_cast<std::size_t>(session[i])];
    }
    make_ensemble();
    const forecast_detail::Score score = forecast_detail::score(ensemble.y, ensemble.w, came);
    const double mean = score.mean;
    if (keep != nullptr) (*keep)[t] = mean;

    ++record.forecasts;
    const double ours = score.distance - score.spread;
    const double theirs = climatology.crps(came, ranks.of_session[t]);
    record.crps += ours;
    record.crps_fair += score.distance - score.spread / (1.0 - score.squares);
    record.crps_climatology += theirs;
    gain[t] = theirs - ours;

    const auto quantile = forecast_detail::quantiles(ensemble.y, ensemble.w, kForecastProbabilities);
    for (std::size_t q = 0; q < kQuantiles; ++q) {
      const double p = kForecastProbabilities[q];
      record.pinball[q] += pinball_loss(p, quantile[q], came);
      record.pinball_climatology[q] += pinball_loss(p, climatology.quantile(p), came);
    }
    record.pit[std::min<std::size_t>(static_cast<std::size_t>(10.0 * score.pit), 9)] += 1.0;
    if (mean != 0.0 && came != 0.0) {
      ++record.signs;
      hits += (mean > 0.0) == (came > 0.0) ? 1 : 0;
      ups += came > 0.0 ? 1 : 0;
    }

    record.crps_random_walk += crps_normal(std::sqrt(0.5 * std::numbers::pi), came);
    if (!iv30.empty() && iv30[t] > 0.0) {
      // iv30 sqrt(h/252) / (MAD sqrt h)
      record.crps_implied += crps_normal(iv30[t] / (mad[t] * std::sqrt(252.0)), came);
      climatology_where_implied += theirs;
      where_implied += ours;
      ++record.forecasts_implied;
    }

    DrawSequence draw(seed, t);
    for (std::size_t i = 0; i < kNeighbours;) {
      const std::int32_t s = climatology.candidates()[draw.below(climatology.size())];
      session[i] = s;
      raw[i] = age[t - static_cast<std::size_t>(s)];
      i += drawn[s] == 0 ? 1 : 0;  // else drawn again
      drawn[s] = 1;
    }
    for (const std::int32_t s : session) drawn[s] = 0;
    make_ensemble();
    const forecast_detail::Score random_score = forecast_detail::score(ensemble.y, ensemble.w, came);
    random += random_score.distance - random_score.spread;
  }

  const auto n = static_cast<double>(record.forecasts);
  record.n_independent = n / static_cast<double>(data.horizon);
  record.skill = 1.0 - record.crps / record.crps_climatology;  // 0/0 without forecasts: NaN
  record.skill_random_walk = 1.0 - record.crps_random_walk / record.crps_climatology;
  record.skill_implied = 1.0 - record.crps_implied / climatology_where_implied;
  record.skill_where_implied = 1.0 - where_implied / climatology_where_implied;
  record.skill_random = 1.0 - random / record.crps_climatology;
  record.skill_t = newey_west_t(gain, data.horizon);
  record.crps_implied /= static_cast<double>(record.forecasts_implied);
  for (double* sum : {&record.crps, &record.crps_fair, &record.crps_climatology, &record.crps_random_walk}) *sum /= n;
  for (auto* sums : {&record.pinball, &record.pinball_climatology}) {
    for (double& sum : *sums) sum /= n;
  }
  for (double& share : record.pit) share /= n;
  const auto signs = static_cast<double>(record.signs);
  record.hit_rate = static_cast<double>(hits) / signs;
  record.always_up = static_cast<double>(ups) / signs;
  const auto interval = wilson_interval(record.hit_rate, signs / static_cast<double>(data.horizon));
  record.hit_low = record.signs > 0 ? interval[0] : kNaN;
  record.hit_high = record.signs > 0 ? interval[1] : kNaN;
  return record;
}

}  // namespace greekgrid

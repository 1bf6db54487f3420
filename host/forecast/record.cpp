#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "ensemble.hpp"
#include "greekgrid/host/forecast.hpp"
#include "greekgrid/kernels/ensemble_scores.hpp"
#include "greekgrid/kernels/nearest.hpp"
#include "greekgrid/kernels/normal_mixture.hpp"

namespace greekgrid {

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
    std::vector<std::pair<double, std::int32_t>> known;
    known.reserve(outcome.size());
    for (std::size_t s = 0; s < outcome.size(); ++s) {
      if (std::isfinite(outcome[s])) known.emplace_back(outcome[s], static_cast<std::int32_t>(s));
    }
    std::sort(known.begin(), known.end());
    session.reserve(known.size());
    for (const auto& [value, s] : known) {
      of_session[s] = static_cast<std::int32_t>(session.size());
      session.push_back(s);
    }
  }
};

/// Quantiles of equal weights, C_i = (i + 1/2)/n, of outcomes that come one by one: a set of ranks, and for every
/// probability the outcome below its quantile, which moves by a few places from one session to the next.
class GrowingQuantiles {
 public:
  explicit GrowingQuantiles(std::size_t ranks) : word_(ranks / 64 + 1, 0) {}

  void insert(std::int32_t rank) {
    if (size_++ == 0) {
      for (Place& place : place_) place.rank = rank;
    }
    for (Place& place : place_) place.below += rank < place.rank ? 1 : 0;
    word_[static_cast<std::size_t>(rank) / 64] |= std::uint64_t{1} << (rank % 64);
  }
  /// @param value_of outcome by rank
  template <class ValueOf>
  double quantile(std::size_t q, ValueOf value_of) {
    const double place = kForecastProbabilities[q] * static_cast<double>(size_) - 0.5;
    const std::size_t index = place <= 0.0 ? 0 : std::min(static_cast<std::size_t>(place), size_ - 1);
    Place& at = place_[q];
    for (; at.below < index; ++at.below) at.rank = after(at.rank);
    for (; at.below > index; --at.below) at.rank = before(at.rank);
    const double low = value_of(at.rank);
    if (place <= 0.0 || index + 1 >= size_) return low;
    return low + (place - static_cast<double>(index)) * (value_of(after(at.rank)) - low);
  }

 private:
  struct Place {
    std::int32_t rank = 0;
    std::size_t below = 0;  ///< ranks of the set below it
  };

  /// The next rank of the set, which must be there.
  [[nodiscard]] std::int32_t after(std::int32_t rank) const {
    std::size_t w = static_cast<std::size_t>(rank + 1) / 64;
    std::uint64_t bits = word_[w] >> ((rank + 1) % 64) << ((rank + 1) % 64);
    while (bits == 0) bits = word_[++w];
    return static_cast<std::int32_t>(w * 64) + std::countr_zero(bits);
  }
  [[nodiscard]] std::int32_t before(std::int32_t rank) const {
    std::size_t w = static_cast<std::size_t>(rank) / 64;
    std::uint64_t bits = word_[w] & ((std::uint64_t{1} << (rank % 64)) - 1);
    while (bits == 0) bits = word_[--w];
    return static_cast<std::int32_t>(w * 64) + 63 - std::countl_zero(bits);
  }

  std::vector<std::uint64_t> word_;
  std::size_t size_ = 0;
  std::array<Place, kQuantiles> place_;
};

/// The candidates of one set up to a session, as an ensemble of equal weights that grows by insertion.
class Climatology {
 public:
  Climatology(const ForecastData& data, const Ranks& ranks, PredictorSet set)
      : data_(data), ranks_(ranks), set_(set), tree_(ranks.session.size() + 1), quantiles_(ranks.session.size() + 1) {}

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
  [[nodiscard]] std::size_t size() const { return session_.size(); }
  [[nodiscard]] const std::vector<std::int32_t>& candidates() const { return session_; }

  /// The CRPS of equal weights against an outcome of a given rank: O(log n).
  [[nodiscard]] double crps(double came, std::int32_t rank) const {
    const auto n = static_cast<double>(session_.size());
    return distances_to(came, rank) / n - pair_distances_ / (n * n);
  }
  [[nodiscard]] double quantile(std::size_t q) {
    return quantiles_.quantile(q, [&](std::int32_t rank) { return data_.outcome[ranks_.session[rank]]; });
  }

 private:
  struct Node {
    double sum = 0.0;
    std::int64_t count = 0;
  };

  /// The sum of the distances of all to a value of this rank.
  [[nodiscard]] double distances_to(double value, std::int32_t rank) const {
    Node below;
    for (std::size_t i = static_cast<std::size_t>(rank); i > 0; i &= i - 1) {
      below.sum += tree_[i].sum;
      below.count += tree_[i].count;
    }
    const auto lower = static_cast<double>(below.count);
    const double upper = static_cast<double>(session_.size()) - lower;
    return (value * lower - below.sum) + ((total_ - below.sum) - value * upper);
  }
  void insert(std::size_t session) {
    const double value = data_.outcome[session];
    const std::int32_t rank = ranks_.of_session[session];
    pair_distances_ += distances_to(value, rank);
    total_ += value;
    quantiles_.insert(rank);
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
  GrowingQuantiles quantiles_;
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

namespace {

using Neighbours = std::array<std::int32_t, kNeighbours>;
using Distances = std::array<double, kNeighbours>;

/// Ensembles that wait until there are enough to score at once.
struct Batch {
  std::array<EnsembleRow, kNeighbours> y{}, w{};
  std::array<EnsembleRow, kQuantiles> quantile{};

  Batch() {
    for (EnsembleRow& row : w) row.fill(1.0);
  }
};

/// The record of one horizon as it grows, session by session.
class GrowingRecord {
 public:
  GrowingRecord(const ForecastData& data, std::span<const double> iv30, std::span<const double> mad, std::uint64_t seed,
                std::vector<double>* keep)
      : data_(data),
        iv30_(iv30),
        mad_(mad),
        seed_(seed),
        keep_(keep),
        ranks_(data.outcome),
        gain_(data.outcome.size(), kNaN) {
    assert(iv30.empty() || iv30.size() == data.outcome.size());
    assert(mad.size() == data.outcome.size());
    if (keep != nullptr) keep->assign(data.outcome.size(), kNaN);
    for (std::size_t i = 0; i <= data.outcome.size(); ++i) {
      age_.push_back(forecast_detail::age_factor(static_cast<double>(i)));
    }
    past_.reserve(data.outcome.size());
    for (std::size_t s = 0; s < data.outcome.size(); ++s) {
      past_.push_back({data.outcome[s], ranks_.of_session[s], 0});  // session 0 draws nothing
    }
    record_.horizon = data.horizon;
  }

  /// Whether session t is forecast and scored.
  bool takes(std::size_t t, PredictorSet set) {
    const auto h = static_cast<std::size_t>(data_.horizon);
    if (t < h || !std::isfinite(data_.outcome[t])) return false;
    auto& slot = climatologies_[set];
    if (slot.empty()) slot.emplace_back(data_, ranks_, set);
    climatology_ = &slot.front();
    climatology_->advance(t - h);
    return climatology_->size() >= kNeighbours;
  }

  /// Forecasts session t, which it has just taken, from its neighbours in any order.
  void add(std::size_t t, const Neighbours& neighbour, const Distances& distance2) {
    const double came = data_.outcome[t];
    const double* age = age_.data() + t;
    Past* past = past_.data();
    Unsorted all;
    Distances factor;
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      factor[i] = *(age - neighbour[i]);
      all.outcome[i] = past[neighbour[i]].outcome;
      all.rank[i] = past[neighbour[i]].rank;
    }
    weigh_by_distance(distance2, factor, all.weight);
    add_ensemble(all, ours_);
    DrawSequence draw(seed_, t);
    const std::span<const std::int32_t> candidates = climatology_->candidates();
    for (std::size_t i = 0; i < kNeighbours;) {
      const std::int32_t s = candidates[draw.below(candidates.size())];
      all.outcome[i] = past[s].outcome;
      all.rank[i] = past[s].rank;
      all.weight[i] = *(age - s);
      i += past[s].drawn_at != t ? 1 : 0;  // else drawn again
      past[s].drawn_at = static_cast<std::uint32_t>(t);
    }
    add_ensemble(all, random_);
    came_[waiting_] = came;
    when_[waiting_] = t;
    theirs_[waiting_] = climatology_->crps(came, ranks_.of_session[t]);
    for (std::size_t q = 0; q < kQuantiles; ++q) {
      climatology_quantile_[q][waiting_] = climatology_->quantile(q);
    }
    if (++waiting_ == kEnsembles) score();
  }

  ForecastRecord finish() {
    score();
    ForecastRecord record = record_;
    const auto n = static_cast<double>(record.forecasts);
    record.n_independent = n / static_cast<double>(data_.horizon);
    record.skill = 1.0 - record.crps / record.crps_climatology;  // 0/0 without forecasts: NaN
    record.skill_random_walk = 1.0 - record.crps_random_walk / record.crps_climatology;
    record.skill_implied = 1.0 - record.crps_implied / climatology_where_implied_;
    record.skill_where_implied = 1.0 - where_implied_ / climatology_where_implied_;
    record.skill_random = 1.0 - random_sum_ / record.crps_climatology;
    record.skill_t = newey_west_t(gain_, data_.horizon);
    record.crps_implied /= static_cast<double>(record.forecasts_implied);
    for (double* sum : {&record.crps, &record.crps_fair, &record.crps_climatology, &record.crps_random_walk}) {
      *sum /= n;
    }
    for (auto* sums : {&record.pinball, &record.pinball_climatology}) {
      for (double& sum : *sums) sum /= n;
    }
    for (double& share : record.pit) share /= n;
    const auto signs = static_cast<double>(record.signs);
    record.hit_rate = static_cast<double>(hits_) / signs;
    record.always_up = static_cast<double>(ups_) / signs;
    const auto interval = wilson_interval(record.hit_rate, signs / static_cast<double>(data_.horizon));
    record.hit_low = record.signs > 0 ? interval[0] : kNaN;
    record.hit_high = record.signs > 0 ? interval[1] : kNaN;
    return record;
  }

 private:
  /// What an ensemble needs of a session, side by side in memory: sessions are taken in no order.
  struct Past {
    double outcome;
    std::int32_t rank;
    std::uint32_t drawn_at;  ///< the session that last drew this one
  };
  /// An ensemble with its weights before these are normalised.
  struct Unsorted {
    Distances outcome, weight;
    std::array<std::int32_t, kNeighbours> rank;
  };

  void add_ensemble(const Unsorted& all, Batch& batch) const {
    std::array<std::uint8_t, kNeighbours> order;
    ascending_order(all.rank, order);
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      batch.y[i][waiting_] = all.outcome[order[i]];
      batch.w[i][waiting_] = all.weight[order[i]];
    }
  }

  void score() {
    const EnsembleScores ours = score_ensembles(ours_.y, ours_.w, came_, kForecastProbabilities, ours_.quantile);
    const EnsembleScores random = score_ensembles(random_.y, random_.w, came_, {}, {});
    for (std::size_t k = 0; k < waiting_; ++k) {
      const double came = came_[k], mean = ours.mean[k], theirs = theirs_[k];
      const std::size_t t = when_[k];
      if (keep_ != nullptr) (*keep_)[t] = mean;
      ++record_.forecasts;
      const double crps = ours.distance[k] - ours.spread[k];
      record_.crps += crps;
      record_.crps_fair += ours.distance[k] - ours.spread[k] / (1.0 - ours.squares[k]);
      record_.crps_climatology += theirs;
      gain_[t] = theirs - crps;
      for (std::size_t q = 0; q < kQuantiles; ++q) {
        const double p = kForecastProbabilities[q];
        record_.pinball[q] += pinball_loss(p, ours_.quantile[q][k], came);
        record_.pinball_climatology[q] += pinball_loss(p, climatology_quantile_[q][k], came);
      }
      record_.pit[std::min<std::size_t>(static_cast<std::size_t>(10.0 * ours.pit[k]), 9)] += 1.0;
      if (mean != 0.0 && came != 0.0) {
        ++record_.signs;
        hits_ += (mean > 0.0) == (came > 0.0) ? 1 : 0;
        ups_ += came > 0.0 ? 1 : 0;
      }
      record_.crps_random_walk += crps_normal(std::sqrt(0.5 * std::numbers::pi), came);
      if (!iv30_.empty() && iv30_[t] > 0.0) {
        // iv30 sqrt(h/252) / (MAD sqrt h)
        record_.crps_implied += crps_normal(iv30_[t] / (mad_[t] * std::sqrt(252.0)), came);
        climatology_where_implied_ += theirs;
        where_implied_ += crps;
        ++record_.forecasts_implied;
      }
      random_sum_ += random.distance[k] - random.spread[k];
    }
    waiting_ = 0;
  }

  const ForecastData& data_;
  std::span<const double> iv30_, mad_;
  std::uint64_t seed_;
  std::vector<double>* keep_;
  Ranks ranks_;
  std::array<std::vector<Climatology>, 16> climatologies_;  ///< none or one
  Climatology* climatology_ = nullptr;                      ///< of the session taken last
  std::vector<double> age_;
  ForecastRecord record_;
  double random_sum_ = 0.0, climatology_where_implied_ = 0.0, where_implied_ = 0.0;
  std::int64_t hits_ = 0, ups_ = 0;
  std::vector<double> gain_;
  std::vector<Past> past_;
  std::size_t waiting_ = 0;
  Batch ours_, random_;
  EnsembleRow came_{}, theirs_{};
  std::array<std::size_t, kEnsembles> when_{};
  std::array<EnsembleRow, kQuantiles> climatology_quantile_{};
};

/// The searches of one session after the other.
class WalkingSearch {
 public:
  /// @param data its outcomes are looked at for being known alone
  explicit WalkingSearch(const ForecastData& data) {
    for (std::size_t p = 0; p < kPredictors; ++p) column_[p].assign(data.z[p].begin(), data.z[p].end());
    // P where there is an outcome: every set has P, so the search need not look at outcomes.
    for (std::size_t s = 0; s < data.outcome.size(); ++s) {
      if (!std::isfinite(data.outcome[s])) column_[0][s] = kNaN;
    }
    for (std::size_t p = 0; p < kPredictors; ++p) rounded_[p].assign(column_[p].begin(), column_[p].end());
  }

  /// The nearest among the sessions before `end`, which never decreases; false where there are fewer than 42.
  bool find(PredictorSet set, const std::array<double, kPredictors>& z, std::size_t end) {
    PointsView points{{}, 0, nullptr, end, {}};
    for (std::size_t p = 0; p < kPredictors; ++p) {
      if (((set >> p) & 1) == 0) continue;
      points.axis[points.axes] = column_[p].data();
      points.rounded[points.axes] = rounded_[p].data();
      at_[points.axes++] = z[p];
    }
    points_ = points;
    // The neighbours of the session before are candidates still, and near still: they bound the search.
    double within = std::numeric_limits<double>::infinity();
    if (last_set_ == set) {
      within = farthest(points, std::span(at_).first(points.axes), neighbour_);
    }
    const std::size_t found =
        nearest(points, std::span(at_).first(points.axes), neighbour_, distance2_, NearestAnswer::kPoints, within);
    last_set_ = found == kNeighbours ? set : PredictorSet{0};
    return found == kNeighbours;
  }
  [[nodiscard]] const Neighbours& neighbour() const { return neighbour_; }
  [[nodiscard]] const Distances& distance2() const { return distance2_; }

  /// The nearest of those found and of the sessions from the last search's end to before `end`.
  void find_with_later(std::size_t end, Neighbours& neighbour, Distances& distance2) const {
    std::array<std::int32_t, kMostNearest> index;
    std::array<double, kMostNearest> distance;
    std::copy(neighbour_.begin(), neighbour_.end(), index.begin());
    std::copy(distance2_.begin(), distance2_.end(), distance.begin());
    std::size_t count = kNeighbours;
    for (std::size_t s = points_.points; s < end; ++s) {
      const double d2 = distance2_to(static_cast<std::int32_t>(s));
      if (std::isnan(d2)) continue;
      index[count] = static_cast<std::int32_t>(s);
      distance[count++] = d2;
    }
    keep_nearest(std::span(index).first(count), std::span(distance).first(count), kNeighbours);
    std::copy_n(index.begin(), kNeighbours, neighbour.begin());
    std::copy_n(distance.begin(), kNeighbours, distance2.begin());
  }

 private:
  [[nodiscard]] double distance2_to(std::int32_t s) const {
    double sum = 0.0;
    for (std::size_t axis = 0; axis < points_.axes; ++axis) {
      const double difference = points_.axis[axis][s] - at_[axis];
      sum += difference * difference;
    }
    return sum;
  }

  std::array<std::vector<double>, kPredictors> column_;
  std::array<std::vector<float>, kPredictors> rounded_;
  PointsView points_;
  std::array<double, kPredictors> at_{};
  PredictorSet last_set_ = 0;
  Neighbours neighbour_{};
  Distances distance2_{};
};

/// Whether every candidate of the longer horizon at any session is one of the shorter, and the other way round but for
/// the sessions between: so where outcomes are missing at the end of the history alone.
bool same_but_between(const ForecastData& shorter, const ForecastData& longer) {
  static_assert(kHorizons[1] - kHorizons[0] <= static_cast<int>(kMostNearest - kNeighbours));
  const std::size_t sessions = shorter.outcome.size(), h = static_cast<std::size_t>(longer.horizon);
  if (longer.outcome.size() != sessions) return false;
  for (std::size_t s = 0; s + h < sessions; ++s) {
    if (std::isfinite(shorter.outcome[s]) != std::isfinite(longer.outcome[s])) return false;
  }
  return true;
}

std::array<double, kPredictors> standing(const ForecastData& data, std::size_t t) {
  std::array<double, kPredictors> z;
  for (std::size_t p = 0; p < kPredictors; ++p) z[p] = data.z[p][t];
  return z;
}

}  // namespace

ForecastRecord walk_forward(const ForecastData& data, std::span<const double> iv30, std::span<const double> mad,
                            std::uint64_t seed, std::vector<double>* keep) {
  GrowingRecord record(data, iv30, mad, seed, keep);
  WalkingSearch search(data);
  const UsableSet usable(data);
  for (std::size_t t = static_cast<std::size_t>(data.horizon); t < data.outcome.size(); ++t) {
    const auto z = standing(data, t);
    const PredictorSet set = usable(z, static_cast<std::ptrdiff_t>(t) - data.horizon);
    if (set == 0 || !record.takes(t, set)) continue;
    search.find(set, z, t - static_cast<std::size_t>(data.horizon) + 1);
    record.add(t, search.neighbour(), search.distance2());
  }
  return record.finish();
}

std::array<ForecastRecord, kHorizons.size()> walk_forward(const HorizonData& data, std::span<const double> iv30,
                                                          std::span<const double> mad, std::uint64_t seed,
                                                          std::array<std::vector<double>, kHorizons.size()>* keep) {
  const auto kept = [&](std::size_t h) { return keep != nullptr ? &(*keep)[h] : nullptr; };
  const auto &shorter = data[0], &longer = data[1];
  if (!same_but_between(shorter, longer)) {
    return {walk_forward(shorter, iv30, mad, seed, kept(0)), walk_forward(longer, iv30, mad, seed, kept(1))};
  }
  GrowingRecord shorter_record(shorter, iv30, mad, seed, kept(0)), longer_record(longer, iv30, mad, seed, kept(1));
  WalkingSearch search(shorter), early(shorter);
  Neighbours neighbour;
  Distances distance2;
  const UsableSet usable_shorter(shorter), usable_longer(longer);
  const auto h0 = static_cast<std::size_t>(shorter.horizon), h1 = static_cast<std::size_t>(longer.horizon);
  for (std::size_t t = h0; t < shorter.outcome.size(); ++t) {
    const auto z = standing(shorter, t);
    const auto at = static_cast<std::ptrdiff_t>(t);
    const PredictorSet set = usable_shorter(z, at - shorter.horizon),
                       longer_set = usable_longer(z, at - longer.horizon);
    if (set == 0) continue;
    const bool in_shorter = shorter_record.takes(t, set), in_longer = longer_record.takes(t, longer_set);
    if (!in_shorter && !in_longer) continue;
    if (in_longer && longer_set != set) {
      search.find(longer_set, z, t - h1 + 1);
      longer_record.add(t, search.neighbour(), search.distance2());
      if (in_shorter) {
        early.find(set, z, t - h0 + 1);
        shorter_record.add(t, early.neighbour(), early.distance2());
      }
      continue;
    }
    const bool enough = search.find(set, z, t < h1 ? 0 : t - h1 + 1);
    if (in_longer) longer_record.add(t, search.neighbour(), search.distance2());
    if (in_shorter && enough) {
      search.find_with_later(t - h0 + 1, neighbour, distance2);
      shorter_record.add(t, neighbour, distance2);
    } else if (in_shorter) {
      // The sessions between make up the number.
      early.find(set, z, t - h0 + 1);
      shorter_record.add(t, early.neighbour(), early.distance2());
    }
  }
  return {shorter_record.finish(), longer_record.finish()};
}

}  // namespace greekgrid

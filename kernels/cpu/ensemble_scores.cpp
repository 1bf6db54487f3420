// Scores of ensembles, one in each lane: the sums of one are chains of dependent additions that no reordering may
// touch.

#include "greekgrid/kernels/ensemble_scores.hpp"

#include <cassert>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/ensemble_scores.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void ScoreEnsembles(std::span<const EnsembleRow> y, std::span<EnsembleRow> w, const EnsembleRow& came,
                    std::span<const double> probability, std::span<EnsembleRow> quantile, EnsembleScores& scores) {
  const hn::CappedTag<double, kEnsembles> d;
  using V = hn::Vec<decltype(d)>;
  const V one = hn::Set(d, 1.0), half = hn::Set(d, 0.5), zero = hn::Zero(d);
  const std::size_t n = y.size();
  for (std::size_t lane = 0; lane < kEnsembles; lane += hn::Lanes(d)) {
    const auto row = [&](const EnsembleRow& values) HWY_ATTR { return hn::LoadU(d, values.data() + lane); };
    V total = zero;
    for (std::size_t i = 0; i < n; ++i) total = hn::Add(total, row(w[i]));
    const V scale = hn::Div(one, total), what_came = row(came);
    V mean = zero, squares = zero, distance = zero, spread = zero, pit = zero, up_to = zero, last = row(y[0]);
    for (std::size_t i = 0; i < n; ++i) {
      const V weight = hn::Mul(row(w[i]), scale), value = row(y[i]);
      hn::StoreU(weight, d, w[i].data() + lane);
      mean = hn::Add(mean, hn::Mul(weight, value));
      squares = hn::Add(squares, hn::Mul(weight, weight));
      distance = hn::Add(distance, hn::Mul(weight, hn::Abs(hn::Sub(value, what_came))));
      const V below =
          hn::Add(hn::IfThenElseZero(hn::Lt(value, what_came), one), hn::IfThenElseZero(hn::Le(value, what_came), one));
      pit = hn::Add(pit, hn::Mul(weight, hn::Mul(half, below)));
      spread = hn::Add(spread, hn::Mul(hn::Sub(value, last), hn::Mul(up_to, hn::Sub(one, up_to))));
      up_to = hn::Add(up_to, weight);
      last = value;
    }
    hn::StoreU(mean, d, scores.mean.data() + lane);
    hn::StoreU(squares, d, scores.squares.data() + lane);
    hn::StoreU(distance, d, scores.distance.data() + lane);
    hn::StoreU(spread, d, scores.spread.data() + lane);
    hn::StoreU(pit, d, scores.pit.data() + lane);
    for (std::size_t q = 0; q < probability.size(); ++q) {
      const V p = hn::Set(d, probability[q]);
      V at = hn::Mul(half, row(w[0])), previous = row(w[0]), low = row(y[0]);
      V result = hn::IfThenElse(hn::Ge(at, p), low, row(y[n - 1]));
      V low_y = result, high_y = result, low_at = zero, high_at = one;
      for (std::size_t i = 1; i < n; ++i) {
        const V weight = row(w[i]), high = row(y[i]);
        const V next = hn::Add(at, hn::Mul(half, hn::Add(previous, weight)));
        const auto here = hn::And(hn::Lt(at, p), hn::Ge(next, p));
        low_y = hn::IfThenElse(here, low, low_y);
        high_y = hn::IfThenElse(here, high, high_y);
        low_at = hn::IfThenElse(here, at, low_at);
        high_at = hn::IfThenElse(here, next, high_at);
        at = next;
        previous = weight;
        low = high;
      }
      // Before the first and beyond the last both ends are the same outcome.
      const V u = hn::Div(hn::Sub(p, low_at), hn::Sub(high_at, low_at));
      hn::StoreU(hn::Add(low_y, hn::Mul(u, hn::Sub(high_y, low_y))), d, quantile[q].data() + lane);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid {
namespace cpu {
HWY_EXPORT(ScoreEnsembles);
}  // namespace cpu

EnsembleScores score_ensembles(std::span<const EnsembleRow> y, std::span<EnsembleRow> w, const EnsembleRow& came,
                               std::span<const double> probability, std::span<EnsembleRow> quantile) {
  assert(!y.empty() && w.size() == y.size() && quantile.size() == probability.size());
  EnsembleScores scores;
  HWY_DYNAMIC_DISPATCH(cpu::ScoreEnsembles)(y, w, came, probability, quantile, scores);
  return scores;
}

}  // namespace greekgrid
#endif

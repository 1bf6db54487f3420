#pragma once

/// @file
/// The brute-force kernel: one block evaluates one work item, a thread one spot or two.
///
/// Phase 0 finds the item; then, per tile of contracts, one phase stages what depends on the contract (in fp64) and one
/// sums the moments over the tile in the precision of the kernel and folds them into fp64 exposures. The order of the
/// sums depends on the job alone.

#include <cstdint>

#include "device_math.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"
#include "moments.hpp"
#include "smile_body.hpp"
#include "tables.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

/// Sticky strike: d1 = (j - pivot) slope + d1_pivot and the powers of a are the contract's own.
/// Relative beta and skew stickiness: d1 and a depend on the spot, so moneyness and volatility are staged instead.
template <class Real>
struct alignas(16) StagedContract {
  // In groups of 16 bytes in fp32: the first two are all that delta, gamma and charm read.
  Real slope;     ///< a h; where volatility moves: the step h of ln S
  Real at_pivot;  ///< d1 at the pivot; where volatility moves: ln(F/K) there
  Real pivot;     ///< the index of the spot nearest d1 = 0: far from it only relative accuracy of d1 matters
  Real us;        ///< u / a
  Real u;         ///< weight e^{-q tau}
  Real ua;
  Real call_u;  ///< u of a call, 0 of a put
  Real put_u;   ///< -u of a put, 0 of a call
  Real total;   ///< sigma sqrt(tau) = 1 / a
  Real uaa;
  Real call_bond;  ///< weight K e^{-r tau} of a call
  Real put_bond;
};

/// Spots of a thread: two in fp32 under sticky strike, so that each read of a staged contract serves two evaluations
/// and their latencies overlap; one where registers are short.
constexpr std::uint32_t spots_per_thread(bool fp64, bool spot_rule) {
  return fp64 || spot_rule ? 1 : 2;
}

template <class Real, int Greeks, bool kSpotRule>
struct ExposureBody {
  Tables tables;
  Queue queue;

  static constexpr int kSpots = spots_per_thread(sizeof(Real) == 8, kSpotRule);
  static constexpr std::uint32_t kWarp = 32;

  struct SpotState {
    double sum[Greeks];
    double log_move;  ///< ln(S/S0)
    double spot;      ///< S e^b
    double inverse_spot;
  };
  struct State {
    SpotState of[kSpots];  ///< of spots first, first + threads
    std::uint32_t first;
    int live;  ///< spots that some thread of the warp has: the same in a whole warp, so that no warp diverges
  };

  struct Shared {
    StagedContract<Real> contract[kTileContracts];
    double iv_base[kSpotRule ? kTileContracts : 1];   ///< sigma + shift; shift alone where a table has the volatility
    double iv_slope[kSpotRule ? kTileContracts : 1];  ///< -sigma beta: sigma' = max(floor, base + slope x)
    Segment segment;
    Job job;
    std::uint32_t position;
    std::uint32_t instant;
    std::uint32_t shift;
    std::uint32_t spot_tile;
    ExpiryState expiry;
    std::uint32_t begin;  ///< of the staged contracts: the spectral evaluator has those before
    std::uint32_t count;
    std::uint32_t first;
  };

  GREEKGRID_HD bool operator()(int phase, ThreadCoord at, State& state, Shared& shared) const {
    if (phase == 0) {
      if (at.thread == 0) find_item(at.block, shared);
      return true;
    }
    const std::uint32_t step = static_cast<std::uint32_t>(phase - 1);
    const std::uint32_t tile = step / 2;
    if (step % 2 == 0) {
      if (tile == 0) begin(at, state, shared);
      stage(shared.segment.tile + tile, at, shared);
      return true;
    }
    if (shared.expiry.tau > 0.0) {
      if (kSpots == 1 || state.live == kSpots) {
        accumulate<kSpots>(at, state, shared);
      } else {
        accumulate<1>(at, state, shared);
      }
    } else if (shared.expiry.tau == 0.0) {
      accumulate_settling(state, shared);
    }
    if (tile + 1 < shared.segment.tiles) return true;
    write(at, state, shared);
    return false;
  }

 private:
  GREEKGRID_HD void find_item(std::uint64_t item, Shared& shared) const {
    std::uint32_t low = 0;
    std::uint32_t high = queue.segments - 1;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (queue.item_end[middle] <= item) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const std::uint64_t local = low == 0 ? item : item - queue.item_end[low - 1];
    shared.segment = tables.segments[queue.segment[low]];
    shared.job = tables.jobs[shared.segment.job];
    std::uint32_t rest = static_cast<std::uint32_t>(local);
    shared.spot_tile = rest % shared.segment.spot_tiles;
    rest /= shared.segment.spot_tiles;
    shared.shift = rest % shared.job.shifts;
    rest /= shared.job.shifts;
    shared.instant = rest % shared.job.times;
    shared.position = rest / shared.job.times;
  }

  GREEKGRID_HD void begin(ThreadCoord at, State& state, const Shared& shared) const {
    state.first = shared.spot_tile * at.threads * kSpots + at.thread;
    const std::uint32_t warp_first = shared.spot_tile * at.threads * kSpots + at.thread / kWarp * kWarp;
    state.live = 1;
    GREEKGRID_UNROLL
    for (int k = 0; k < kSpots; ++k) {
      SpotState& s = state.of[k];
      const std::uint32_t ahead = static_cast<std::uint32_t>(k) * at.threads;
      if (k > 0 && warp_first + ahead < shared.job.spots) state.live = k + 1;
      GREEKGRID_UNROLL
      for (int g = 0; g < Greeks; ++g) s.sum[g] = 0.0;
      s.log_move = shared.job.log_spot_begin + static_cast<double>(state.first + ahead) * shared.job.log_spot_step;
      s.spot = shared.job.vendor_spot * math::exp(s.log_move) * shared.job.basis_growth;
      s.inverse_spot = 1.0 / s.spot;
    }
  }

  GREEKGRID_HD static bool leaves_contracts(const Job& job) { return job.least_total < 1e300; }

  GREEKGRID_HD void stage(std::uint32_t tile_index, ThreadCoord at, Shared& shared) const {
    const Tile tile = tables.tiles[tile_index];
    const Job& job = shared.job;
    const std::int64_t settlement = tables.settlement[tile.expiry];
    const std::int64_t quote_time = job.quote_time;
    const double tau = static_cast<double>(settlement - tables.time[job.time + shared.instant]) / kSecondsPerCommonYear;
    const double rate = tables.rate[tile.expiry];
    const double dividend_yield = tables.dividend_yield[tile.expiry];
    const double sqrt_tau = math::sqrt(math::max(tau, 0.0));
    if (at.thread == 0) {
      shared.expiry = {tau, sqrt_tau, 0.5 / tau, rate, dividend_yield};
      shared.count = tile.count;
      shared.first = tile.contract;
      if (kSpotRule || !leaves_contracts(job)) shared.begin = 0;
    }
    if (!(tau > 0.0)) return;
    double scale = 1.0;
    if (job.iv_shift_cap >= 0.0) {
      const double tau0 = static_cast<double>(settlement - quote_time) / kSecondsPerCommonYear;
      scale = formulas::sqrt_time_scale(tau0, job.iv_shift_cap);
    }
    const double shift = tables.iv_shift[job.shift + shared.shift] * scale;
    const double discount_q = math::exp(-dividend_yield * tau);
    const double discount_r = math::exp(-rate * tau);
    const double* weights = tables.weight + job.weight + std::uint64_t{shared.position} * job.contracts;
    for (std::uint32_t i = at.thread; i < tile.count; i += at.threads) {
      std::uint32_t contract = tile.contract + i;
      if constexpr (!kSpotRule) {
        if (leaves_contracts(job)) {
          // Sorted by descending volatility: those that are left come first, whatever the shift.
          const SortedContract* sorted = tables.sorted + contract;
          const auto left = [&](const SortedContract& c) {
            return math::max(job.iv_floor, c.sigma + shift) * sqrt_tau >= job.least_total;
          };
          const bool own_left = left(*sorted);
          if (!own_left && (i == 0 || left(*(sorted - 1)))) shared.begin = i;
          if (own_left && i + 1 == tile.count) shared.begin = tile.count;
          if (own_left) continue;
          contract = sorted->contract;
        }
      }
      const double strike = tables.strike[contract];
      const double weight = weights[contract - job.contract];
      const bool call = tables.right[contract] > 0;
      const double iv = tables.implied_volatility[contract];
      // ln(F/K) at the first spot.
      const double moneyness =
          formulas::log_moneyness(job.spot, strike) + (rate - dividend_yield) * tau + job.log_spot_begin;
      const double base = kSpotRule ? iv + shift : math::max(job.iv_floor, iv + shift);
      const double total = math::max(base, job.iv_floor) * sqrt_tau;
      const double a = 1.0 / total;
      const double centre = -(moneyness + 0.5 * total * total) / job.log_spot_step;
      const double last = static_cast<double>(job.spots - 1);
      // A single spot has no step: the comparisons send the quotient's NaN to 0.
      const double inside = centre > 0.0 ? (centre < last ? centre : last) : 0.0;
      const double pivot = static_cast<double>(static_cast<std::int64_t>(inside + 0.5));
      const double at_pivot = moneyness + pivot * job.log_spot_step;
      const double u = weight * discount_q;
      const double bond = weight * strike * discount_r;
      StagedContract<Real>& c = shared.contract[i];
      c.pivot = static_cast<Real>(pivot);
      c.u = static_cast<Real>(u);
      c.call_u = static_cast<Real>(call ? u : 0.0);
      c.put_u = static_cast<Real>(call ? 0.0 : -u);
      c.call_bond = static_cast<Real>(call ? bond : 0.0);
      c.put_bond = static_cast<Real>(call ? 0.0 : -bond);
      if constexpr (kSpotRule) {
        c.slope = static_cast<Real>(job.log_spot_step);
        c.at_pivot = static_cast<Real>(at_pivot);
        shared.iv_base[i] = job.rule_volatility == kNoTable ? base : shift;
        shared.iv_slope[i] = -iv * job.iv_rule_parameter;
      } else {
        c.slope = static_cast<Real>(a * job.log_spot_step);
        c.at_pivot = static_cast<Real>(a * at_pivot + 0.5 * total);
        c.total = static_cast<Real>(total);
        c.ua = static_cast<Real>(u * a);
        c.us = static_cast<Real>(u * total);
        c.uaa = static_cast<Real>(u * a * a);
      }
    }
  }

  template <int kCount>
  GREEKGRID_HD void accumulate(ThreadCoord at, State& state, const Shared& shared) const {
    Moments<Real> m[kCount];
    Real j[kCount];
    Real spot[kCount];
    GREEKGRID_UNROLL
    for (int k = 0; k < kCount; ++k) {
      j[k] = static_cast<Real>(state.first + static_cast<std::uint32_t>(k) * at.threads);
      spot[k] = static_cast<Real>(state.of[k].spot);
    }
    // The column of a job's table at this thread's spot; a thread without one reads the last.
    [[maybe_unused]] const Real* table = nullptr;
    if constexpr (kSpotRule) {
      const Job& job = shared.job;
      if (job.rule_volatility != kNoTable) {
        table = static_cast<const Real*>(tables.rule_volatility) + job.rule_volatility +
                std::uint64_t{shared.first - job.contract} * job.spots +
                (state.first < job.spots ? state.first : job.spots - 1);
      }
    }
    const std::uint32_t count = shared.count;
    for (std::uint32_t i = shared.begin; i < count; ++i) {
      const StagedContract<Real> c = shared.contract[i];
      GREEKGRID_UNROLL
      for (int k = 0; k < kCount; ++k) {
        Real d = math::fma(j[k] - c.pivot, c.slope, c.at_pivot);
        Real total = c.total, ua = c.ua, us = c.us, uaa = c.uaa;
        if constexpr (kSpotRule) {
          static_assert(kCount == 1);
          const double unfloored =
              table == nullptr ? math::fma(shared.iv_slope[i], state.of[k].log_move, shared.iv_base[i])
                               : static_cast<double>(table[std::uint64_t{i} * shared.job.spots]) + shared.iv_base[i];
          const double sigma = math::max(shared.job.iv_floor, unfloored);
          total = static_cast<Real>(sigma * shared.expiry.sqrt_tau);
          const Real a = Real(1) / total;
          d = math::fma(d, a, Real(0.5) * total);
          ua = c.u * a;
          us = c.u * total;
          uaa = ua * a;
        }
        add_contract(c, d, total, ua, us, uaa, spot[k], m[k]);
      }
    }
    GREEKGRID_UNROLL
    for (int k = 0; k < kCount; ++k) {
      SpotState& s = state.of[k];
      add_exposures<Greeks>(m[k], shared.expiry, s.spot, s.inverse_spot, s.sum);
    }
  }

  GREEKGRID_HD void add_contract(const StagedContract<Real>& c, Real d, Real total, Real ua, Real us, Real uaa,
                                 Real spot, Moments<Real>& m) const {
    const Real e = bell(d);
    const Real tail = e * mills(math::abs(d));
    // right N(right d) from the tail on either side, so that an out-of-the-money put keeps its own small value.
    const bool above = d >= Real(0);
    m.c1 += math::fma(math::select(above, -c.u, c.u), tail, math::select(above, c.call_u, c.put_u));
    const Real de = d * e;
    m.mn_0 = math::fma(us, e, m.mn_0);
    m.m0_1 = math::fma(c.u, de, m.m0_1);
    m.m1_0 = math::fma(ua, e, m.m1_0);
    if constexpr (Greeks >= kElevenGreeks) {
      const Real d2e = d * de;
      const Real d3e = d * d2e;
      const Real d4e = d * d3e;
      m.m0_0 = math::fma(c.u, e, m.m0_0);
      m.m0_2 = math::fma(c.u, d2e, m.m0_2);
      m.m1_1 = math::fma(ua, de, m.m1_1);
      m.m1_2 = math::fma(ua, d2e, m.m1_2);
      m.m1_3 = math::fma(ua, d3e, m.m1_3);
      m.m2_0 = math::fma(uaa, e, m.m2_0);
      m.m2_1 = math::fma(uaa, de, m.m2_1);
      m.m2_2 = math::fma(uaa, d2e, m.m2_2);
      m.m2_4 = math::fma(uaa, d4e, m.m2_4);
      // K e^{-r tau} n(d2) = S e^{-q tau} n(d1): the second distribution needs no exponential of its own.
      const Real d2 = d - total;
      const Real scale = spot * (c.u * e);
      const bool above2 = d2 >= Real(0);
      m.c2 += math::fma(math::select(above2, -scale, scale), mills(math::abs(d2)),
                        math::select(above2, c.call_bond, c.put_bond));
      if constexpr (Greeks >= kTwelveGreeks) m.mn_1 = math::fma(us, de, m.mn_1);
    }
  }

  /// The instant of settlement: the exercise indicator, in fp64, and nothing but delta.
  GREEKGRID_HD void accumulate_settling(State& state, const Shared& shared) const {
    const double* weights = tables.weight + shared.job.weight + std::uint64_t{shared.position} * shared.job.contracts;
    for (std::uint32_t i = 0; i < shared.count; ++i) {
      const std::uint32_t contract = shared.first + i;
      const double weight = weights[contract - shared.job.contract];
      const double right = static_cast<double>(tables.right[contract]);
      const double strike = tables.strike[contract];
      GREEKGRID_UNROLL
      for (int k = 0; k < kSpots; ++k) {
        state.of[k].sum[0] += weight * formulas::settled_delta(right, state.of[k].spot, strike);
      }
    }
  }

  GREEKGRID_HD void write(ThreadCoord at, const State& state, const Shared& shared) const {
    const Job& job = shared.job;
    const std::uint64_t row = (std::uint64_t{shared.position} * job.times + shared.instant) * job.shifts + shared.shift;
    const std::uint64_t stride = std::uint64_t{job.positions} * job.times * job.shifts * job.spots;
    double* slots = shared.segment.index == 0 ? tables.exposure + job.output
                                              : tables.partial + job.partial + (shared.segment.index - 1) * job.values;
    slots += row * job.spots;
    const double b1 = job.basis_growth;
    const double b2 = b1 * b1;
    // e^(b j) with j derivatives in S, in the order of the enumeration Greek.
    const double growth[12] = {b1, b2, b1, b1, b2 * b1, b2, b2, 1.0, 1.0, 1.0, 1.0, 1.0};
    GREEKGRID_UNROLL
    for (int k = 0; k < kSpots; ++k) {
      const std::uint32_t j = state.first + static_cast<std::uint32_t>(k) * at.threads;
      if (j >= job.spots) continue;
      GREEKGRID_UNROLL
      for (int g = 0; g < Greeks; ++g) {
        if (tables.greek_slot[g] >= 0) {
          slots[static_cast<std::uint64_t>(tables.greek_slot[g]) * stride + j] = state.of[k].sum[g] * growth[g];
        }
      }
    }
  }
};

}  // namespace greekgrid::cuda

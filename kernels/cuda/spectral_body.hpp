#pragma once

/// @file
/// The kernels of the spectral evaluator up to sums at nodes: contracts in the order of their volatility, and the tops
/// at Chebyshev nodes, folded into families.
///
/// A work item is a segment of one job at one position model, instant and shift, as in the brute-force kernel.
/// Contracts of an expiry descend in volatility, so those of a level lie together whatever the shift; a thread has one
/// node of a level and every g-th contract of it, where g groups of n nodes fill the block. Sums over a tile are in the
/// precision of the kernel, sums over tiles in fp64, in the order of the tables.

#include <cstdint>

#include "device_math.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"
#include "moments.hpp"
#include "smile_body.hpp"
#include "spectral_tables.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

/// Writes the contracts of one expiry in descending order of volatility, ties in the order of the book: each thread
/// counts the contracts before its own.
struct SigmaOrderBody {
  SpectralTables spectral;
  struct State {};
  struct Shared {
    char unused;
  };

  GREEKGRID_HD bool operator()(int, ThreadCoord at, State&, Shared&) const {
    const Tables& tables = spectral.tables;
    const ExpiryRange range = spectral.ranges[at.block];
    const double* sigma = tables.implied_volatility + range.contract;
    const double spot = tables.jobs[range.job].spot;
    for (std::uint32_t i = at.thread; i < range.count; i += at.threads) {
      const double own = sigma[i];
      std::uint32_t before = 0;
      for (std::uint32_t j = 0; j < range.count; ++j) {
        before += sigma[j] > own || (sigma[j] == own && j < i) ? 1U : 0U;
      }
      const std::uint32_t contract = range.contract + i;
      tables.sorted[range.contract + before] = {own, formulas::log_moneyness(spot, tables.strike[contract]),
                                                tables.strike[contract], contract,
                                                static_cast<std::int32_t>(tables.right[contract])};
    }
    return false;
  }
};

/// exp(-v^2) of -v^2, in the base that the device has an instruction for: v = d kDeviateScale.
GREEKGRID_HD float bell_of_square(float exponent) {
#if defined(__CUDA_ARCH__)
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
#else
  return ::exp2f(exponent);
#endif
}
/// For -708 <= exponent <= 0, below that e^-708, which is nothing: no branch, half the instructions of exp(). 2^f by
/// the fit of the CPU backend, relative error 3e-18 before rounding.
GREEKGRID_HD double bell_of_square(double exponent) {
  constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits
  constexpr double kLog2E = 1.4426950408889634074;
  const double clamped = math::max(exponent, -708.0);
  const double shifted = math::fma(clamped, kLog2E, kMagic);
  const double f = math::fma(clamped, kLog2E, -(shifted - kMagic));
  double p = 4.4352797236099687745e-10;
  p = math::fma(p, f, 7.0741056275206038311e-9);
  p = math::fma(p, f, 1.0178198042978264061e-7);
  p = math::fma(p, f, 1.3215433089711255789e-6);
  p = math::fma(p, f, 1.5252733489932703191e-5);
  p = math::fma(p, f, 1.5403530462514018700e-4);
  p = math::fma(p, f, 1.3333558146789986955e-3);
  p = math::fma(p, f, 9.6181291075883359910e-3);
  p = math::fma(p, f, 0.055504108664819921280);
  p = math::fma(p, f, 0.24022650695910156200);
  p = math::fma(p, f, 0.69314718055994533046);
  p = math::fma(p, f, 1.0);
  const auto power = __builtin_bit_cast(std::uint64_t, shifted) << 52;
  return __builtin_bit_cast(double, __builtin_bit_cast(std::uint64_t, p) + power);
}
template <class Real>
inline constexpr double kDeviateScale = sizeof(Real) == 4 ? 0.84932180028801907 : 0.70710678118654752;
template <class Real>
inline constexpr double kSquaredDeviate = sizeof(Real) == 4 ? 1.38629436111989062 : 2.0;  // 1 / kDeviateScale^2

/// What the loop over nodes reads of a contract: v = slope t + at_centre, u a^2 n(0) and sigma sqrt(tau).
template <class Real>
struct alignas(16) StagedTop {
  Real slope;
  Real at_centre;
  Real uaa;
  Real total;
};

/// Level of a contract by its sigma sqrt(tau), kLevels for what is evaluated spot by spot.
GREEKGRID_HD int level_of(const SpectralJob& job, double total) {
  int level = 0;
  GREEKGRID_UNROLL
  for (int i = 0; i < kLevels; ++i) level += total < job.least_total[i] ? 1 : 0;
  return level;
}

template <class Real, int Greeks>
struct NodeSumsBody {
  SpectralTables spectral;
  Queue queue;

  static constexpr std::uint32_t kThreads = 128;
  static constexpr std::uint32_t kStaged = sizeof(Real) == 8 ? kTileContracts : 2 * kTileContracts;
  static constexpr int kFamilies = family_slots(Greeks);
  /// Partial sums of a node: d p, He2 s p, and for more Greeks He2 p, He2^2 p, p with p = u a^2 phi.
  static constexpr int kPartials = Greeks == 3 ? 2 : 5;
  /// Sums at the anchor: C1, H10, H01, H-10; then C2, H11, H00, H13, H02; then H-11.
  static constexpr int kAnchors = Greeks == 3 ? 4 : Greeks == 11 ? 9 : 10;
  /// Sums of |u| a^p, p from 2 to -1, and in single precision, whose rounding counts, of their squares.
  static constexpr int kMagnitudes = sizeof(Real) == 4 ? 8 : 4;
  static constexpr int kContractSums = kAnchors + kMagnitudes;
  static constexpr std::uint32_t kAnchorParts = 8;

  enum class Step { kStage, kSum, kWrite };
  struct State {
    Step step;
    int level;            ///< of the node sums that are not folded yet, -1: none
    std::uint32_t tile;   ///< among those of the segment
    std::uint32_t taken;  ///< tiles staged together
    std::uint32_t used;   ///< levels met, as bits
    std::uint32_t turn;   ///< which of the two arrays of partial sums is written next
  };

  struct Shared {
    StagedTop<Real> contract[kStaged];
    Real partial[2][kPartials][kThreads];
    Real of_contract[kContractSums][kStaged];
    double contract_part[kContractSums][kAnchorParts];
    double family[kFamilies][kAllNodes];
    double anchor[kFamilies][3];
    double bond;
    double magnitude[magnitude_values(Greeks)];
    double factor[kAllFamilies];
    double rate;
    std::uint32_t begin[kLevels + 2];  ///< first staged contract of a level, then of what is left out, then the end
    Segment segment;
    Job job;
    SpectralJob own;
    std::uint32_t position;
    std::uint32_t instant;
    std::uint32_t shift;
    std::uint32_t row;
  };

  GREEKGRID_HD bool operator()(int phase, ThreadCoord at, State& state, Shared& shared) const {
    if (phase == 0) {
      if (at.thread == 0) find_item(at.block, shared);
      return true;
    }
    if (phase == 1) {
      clear(at, shared);
      state.step = Step::kStage;
      state.tile = 0;
      state.used = 0;
      state.turn = 0;
    }
    switch (state.step) {
      case Step::kStage:
        stage_step(at, state, shared);
        return true;
      case Step::kSum:
        node_step(at, state, shared);
        return true;
      case Step::kWrite:
        break;
    }
    write(at, state, shared);
    return false;
  }

 private:
  GREEKGRID_HD void find_item(std::uint64_t item, Shared& shared) const {
    const Tables& tables = spectral.tables;
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
    shared.row = static_cast<std::uint32_t>(low == 0 ? item : item - queue.item_end[low - 1]);
    shared.segment = tables.segments[queue.segment[low]];
    shared.job = tables.jobs[shared.segment.job];
    shared.own = spectral.jobs[shared.job.spectral];
    shared.shift = shared.row % shared.job.shifts;
    const std::uint32_t rest = shared.row / shared.job.shifts;
    shared.instant = rest % shared.job.times;
    shared.position = rest / shared.job.times;
  }

  GREEKGRID_HD static void clear(ThreadCoord at, Shared& shared) {
    GREEKGRID_UNROLL
    for (int f = 0; f < kFamilies; ++f) {
      for (std::uint32_t k = at.thread; k < kAllNodes; k += at.threads) shared.family[f][k] = 0.0;
    }
    if (at.thread < kFamilies * 3) shared.anchor[at.thread / 3][at.thread % 3] = 0.0;
    if (at.thread == 0) shared.bond = 0.0;
    if (at.thread < magnitude_values(Greeks)) shared.magnitude[at.thread] = 0.0;
  }

  /// The next tiles, or the end of them. What a thread decides here, all threads decide.
  GREEKGRID_HD void stage_step(ThreadCoord at, State& state, Shared& shared) const {
    const Tables& tables = spectral.tables;
    while (state.tile < shared.segment.tiles) {
      const std::uint32_t first = shared.segment.tile + state.tile;
      const Tile tile = tables.tiles[first];
      state.taken = 1;
      std::uint32_t count = tile.count;
      if (kStaged > kTileContracts && state.tile + 1 < shared.segment.tiles &&
          tables.tiles[first + 1].expiry == tile.expiry) {
        state.taken = 2;
        count += tables.tiles[first + 1].count;
      }
      const std::int64_t settlement = tables.settlement[tile.expiry];
      const double tau =
          static_cast<double>(settlement - tables.time[shared.job.time + shared.instant]) / kSecondsPerCommonYear;
      if (tau > 0.0) {
        stage(tile, count, tau, settlement, at, shared);
        state.step = Step::kSum;
        state.level = -1;
        return;
      }
      state.tile += state.taken;
    }
    state.step = Step::kWrite;
  }

  GREEKGRID_HD void stage(const Tile& tile, std::uint32_t count, double tau, std::int64_t settlement, ThreadCoord at,
                          Shared& shared) const {
    const Tables& tables = spectral.tables;
    const Job& job = shared.job;
    const double rate = tables.rate[tile.expiry];
    const double dividend_yield = tables.dividend_yield[tile.expiry];
    const double sqrt_tau = math::sqrt(tau);
    if (at.thread == 0) {
      const double h = 0.5 / tau;
      double* f = shared.factor;  // spectral::family_factors
      f[0] = 1.0, f[1] = dividend_yield, f[2] = rate, f[3] = tau;
      f[4] = sqrt_tau, f[5] = tau * sqrt_tau, f[6] = h, f[7] = tau, f[8] = tau * sqrt_tau;
      f[9] = sqrt_tau * (dividend_yield - 2.0 * h), f[10] = sqrt_tau * (rate - dividend_yield), f[11] = sqrt_tau * h;
      shared.rate = rate;
    }
    double scale = 1.0;
    if (job.iv_shift_cap >= 0.0) {
      const double tau0 = static_cast<double>(settlement - job.quote_time) / kSecondsPerCommonYear;
      scale = formulas::sqrt_time_scale(tau0, job.iv_shift_cap);
    }
    const double shift = tables.iv_shift[job.shift + shared.shift] * scale;
    const double carry = (rate - dividend_yield) * tau + shared.own.centre;
    const double discount_q = math::exp(-dividend_yield * tau);
    const double* weights = tables.weight + job.weight + std::uint64_t{shared.position} * job.contracts;
    for (std::uint32_t i = at.thread; i < count; i += at.threads) {
      const SortedContract c = tables.sorted[tile.contract + i];
      const double total = math::max(job.iv_floor, c.sigma + shift) * sqrt_tau;
      const int level = level_of(shared.own, total);
      int before = -1;
      if (i > 0) {
        const double sigma = tables.sorted[tile.contract + i - 1].sigma;
        before = level_of(shared.own, math::max(job.iv_floor, sigma + shift) * sqrt_tau);
      }
      for (int k = before + 1; k <= level; ++k) shared.begin[k] = i;
      if (i + 1 == count) {
        for (int k = level + 1; k < kLevels + 2; ++k) shared.begin[k] = count;
      }
      if (level == kLevels) continue;
      const double weight = weights[c.contract - job.contract];
      const double a = 1.0 / total;
      const double u = weight * discount_q;
      const double d = (c.moneyness + carry) * a + 0.5 * total;
      StagedTop<Real>& staged = shared.contract[i];
      staged.slope = static_cast<Real>(kDeviateScale<Real> * shared.own.half_width * a);
      staged.at_centre = static_cast<Real>(kDeviateScale<Real> * d);
      staged.uaa = static_cast<Real>(kInverseSqrtTwoPi * (u * a * a));
      staged.total = static_cast<Real>(total);
      const double bond = Greeks == 3 ? 0.0 : weight * c.strike * math::exp(-rate * tau);
      at_anchor(i, c.right > 0, static_cast<Real>(u), static_cast<Real>(a), static_cast<Real>(total),
                static_cast<Real>(d), static_cast<Real>(d - total), static_cast<Real>(bond), shared);
    }
  }

  /// A contract's part of the sums at the middle of the interval. Calls count N, puts N - 1.
  GREEKGRID_HD static void at_anchor(std::uint32_t i, bool call, Real u, Real a, Real total, Real d, Real d2, Real bond,
                                     Shared& shared) {
    const Real e = bell(d);
    const auto centred = [call](Real deviate, Real density) {
      const Real tail = density * mills(math::abs(deviate));
      const Real in = deviate >= Real(0) ? Real(1) - tail : tail;
      const Real out = deviate >= Real(0) ? tail : Real(1) - tail;
      return call ? in : -out;
    };
    const Real phi = static_cast<Real>(kInverseSqrtTwoPi) * (u * e);
    const Real dphi = d * phi;
    shared.of_contract[0][i] = u * centred(d, e);
    shared.of_contract[1][i] = a * phi;
    shared.of_contract[2][i] = dphi;
    shared.of_contract[3][i] = total * phi;
    if constexpr (Greeks > 3) {
      const Real he2 = math::fma(d, d, Real(-1));
      shared.of_contract[4][i] = bond * centred(d2, bell(d2));
      shared.of_contract[5][i] = a * dphi;
      shared.of_contract[6][i] = phi;
      shared.of_contract[7][i] = a * dphi * (he2 - Real(2));
      shared.of_contract[8][i] = he2 * phi;
    }
    if constexpr (Greeks == 12) shared.of_contract[9][i] = total * dphi;
    Real power = math::abs(u) * a * a;
    GREEKGRID_UNROLL
    for (int p = 0; p < 4; ++p, power *= total) {
      shared.of_contract[kAnchors + p][i] = power;
      if constexpr (kMagnitudes == 8) shared.of_contract[kAnchors + 4 + p][i] = power * power;
    }
  }

  /// Sums at the nodes of one level, while those of the level before are folded.
  GREEKGRID_HD void node_step(ThreadCoord at, State& state, Shared& shared) const {
    int level = state.level + 1;
    while (level < kLevels && shared.begin[level] == shared.begin[level + 1]) ++level;
    const bool met = state.level >= 0;
    if (level < kLevels) {
      sum_nodes(level, shared.partial[state.turn & 1], at, shared);
      state.used |= 1U << level;
    }
    ++state.turn;
    if (met) {
      fold(state.level, shared.partial[state.turn & 1], at, shared);
      if (shared.begin[state.level] == 0) fold_anchors(at, shared);
    } else {
      if (level < kLevels) add_anchor_parts(at, shared);
      if (at.thread == 0) count_contracts(shared);
    }
    state.level = level;
    if (level == kLevels) {
      state.tile += state.taken;
      state.step = Step::kStage;
    }
  }

  GREEKGRID_HD void sum_nodes(int level, Real (&partial)[kPartials][kThreads], ThreadCoord at,
                              const Shared& shared) const {
    const std::uint32_t nodes = level_nodes(level);
    const std::uint32_t groups = kThreads / nodes;
    const std::uint32_t group = at.thread / nodes;
    if (group >= groups) return;
    const Real t = static_cast<Real>(spectral.node[level_begin(level) + at.thread - group * nodes]);
    Real sum_d = 0, sum_he2_total = 0;
    [[maybe_unused]] Real sum_he2 = 0, sum_square = 0, sum = 0;
    const std::uint32_t end = shared.begin[level + 1];
    GREEKGRID_UNROLL_BY_FOUR
    for (std::uint32_t i = shared.begin[level] + group; i < end; i += groups) {
      const StagedTop<Real> c = shared.contract[i];
      const Real v = math::fma(c.slope, t, c.at_centre);
      const Real exponent = -v * v;
      const Real p = c.uaa * bell_of_square(exponent);
      const Real he2 = math::fma(exponent, static_cast<Real>(-kSquaredDeviate<Real>), Real(-1));
      const Real g = he2 * p;
      sum_d = math::fma(v, p, sum_d);
      sum_he2_total = math::fma(c.total, g, sum_he2_total);
      if constexpr (Greeks > 3) {
        sum_he2 += g;
        sum_square = math::fma(he2, g, sum_square);
        sum += p;
      }
    }
    partial[0][at.thread] = sum_d;
    partial[1][at.thread] = sum_he2_total;
    if constexpr (Greeks > 3) {
      partial[2][at.thread] = sum_he2;
      partial[3][at.thread] = sum_square;
      partial[4][at.thread] = sum;
    }
  }

  GREEKGRID_HD static void fold(int level, const Real (&partial)[kPartials][kThreads], ThreadCoord at, Shared& shared) {
    const std::uint32_t nodes = level_nodes(level);
    if (at.thread >= nodes) return;
    const std::uint32_t groups = kThreads / nodes;
    double sum[kPartials];
    GREEKGRID_UNROLL
    for (int s = 0; s < kPartials; ++s) {
      double total = 0.0;
      for (std::uint32_t g = 0; g < groups; ++g) total += static_cast<double>(partial[s][g * nodes + at.thread]);
      sum[s] = total;
    }
    double top[4] = {sum[0] * (1.0 / kDeviateScale<Real>), 0.0, sum[1], 0.0};
    if constexpr (Greeks > 3) {
      top[1] = sum[2];
      top[3] = sum[3] - 4.0 * sum[2] - 2.0 * sum[4];  // He4 = He2^2 - 4 He2 - 2
    }
    const std::uint32_t k = level_begin(level) + at.thread;
    GREEKGRID_UNROLL
    for (int f = 0; f < kFamilies; ++f) {
      const int family = family_of_slot(Greeks, f);
      shared.family[f][k] = math::fma(shared.factor[family], top[top_of_family(family)], shared.family[f][k]);
    }
  }

  GREEKGRID_HD static void count_contracts(Shared& shared) {
    std::uint32_t at_nodes = 0;
    for (int level = 0; level < kLevels; ++level) {
      at_nodes += (shared.begin[level + 1] - shared.begin[level]) * level_nodes(level);
    }
    shared.magnitude[kFamilies * 8 + 2] += static_cast<double>(at_nodes);
    shared.magnitude[kFamilies * 8 + 3] += static_cast<double>(shared.begin[kLevels + 1] - shared.begin[kLevels]);
  }

  /// Contracts below the first that is left out, in parts of equal length.
  GREEKGRID_HD static void add_anchor_parts(ThreadCoord at, Shared& shared) {
    constexpr std::uint32_t kLength = kStaged / kAnchorParts;
    const std::uint32_t end = shared.begin[kLevels];
    for (std::uint32_t k = at.thread; k < kContractSums * kAnchorParts; k += at.threads) {
      const std::uint32_t sum_of = k / kAnchorParts;
      const std::uint32_t part = k % kAnchorParts;
      double sum = 0.0;
      for (std::uint32_t i = part * kLength; i < (part + 1) * kLength && i < end; ++i) {
        sum += static_cast<double>(shared.of_contract[sum_of][i]);
      }
      shared.contract_part[sum_of][part] = sum;
    }
  }

  GREEKGRID_HD static void fold_anchors(ThreadCoord at, Shared& shared) {
    const auto sum_of = [&shared](int anchor) {
      double sum = 0.0;
      for (std::uint32_t p = 0; p < kAnchorParts; ++p) sum += shared.contract_part[anchor][p];
      return sum;
    };
    if (at.thread < kFamilies * 3) {
      const int slot = static_cast<int>(at.thread) / 3;
      const int depth = static_cast<int>(at.thread) % 3;
      const int family = family_of_slot(Greeks, slot);
      const int anchor = anchor_of(top_of_family(family), depth);
      if (anchor >= 0 && anchor < kAnchors) {
        shared.anchor[slot][depth] = math::fma(shared.factor[family], sum_of(anchor), shared.anchor[slot][depth]);
      }
    } else if (Greeks > 3 && at.thread == kFamilies * 3) {
      shared.bond = math::fma(shared.rate, sum_of(4), shared.bond);
    }
    add_magnitudes(sum_of, at, shared);
  }

  /// What an expiry's contracts amount to in each family and integral, as the error of the row is estimated from: the
  /// rounding of a top's nodes is independent from node to node, so an integral over the width of a contract is as good
  /// as the terms themselves, but the next carries it over the whole interval.
  template <class SumOf>
  GREEKGRID_HD static void add_magnitudes(const SumOf& sum_of, ThreadCoord at, Shared& shared) {
    if (at.thread < kFamilies * 4) {
      const int slot = static_cast<int>(at.thread) / 4;
      const int depth = static_cast<int>(at.thread) % 4;
      const int family = family_of_slot(Greeks, slot);
      const int highest = top_of_family(family) == 2 ? 1 : 0;  // the power of a in H12 is 1
      if (depth + highest > 3) return;
      const double size = math::abs(shared.factor[family]);
      shared.magnitude[at.thread] += size * sum_of(kAnchors + depth + highest);
      if constexpr (kMagnitudes == 8) {
        const double l2 = shared.own.half_width * shared.own.half_width;
        const double reach = depth < 2 ? 0.0 : depth == 2 ? l2 : l2 * l2;
        shared.magnitude[kFamilies * 4 + at.thread] +=
            size * size * (sum_of(kAnchors + 4 + depth + highest) + reach * sum_of(kAnchors + 4 + highest + 1));
      }
    } else if (at.thread == kFamilies * 4) {
      shared.magnitude[kFamilies * 8] += math::abs(shared.rate) * sum_of(kAnchors + 2);
      if constexpr (kMagnitudes == 8) {
        shared.magnitude[kFamilies * 8 + 1] += shared.rate * shared.rate * sum_of(kAnchors + 6);
      }
    }
  }

  /// Which sum is the integral of a top, once, twice and three times; -1: none.
  GREEKGRID_HD static int anchor_of(int top, int depth) {
    switch (top * 3 + depth) {
      case 0:
        return 1;  // H10 of H21
      case 1:
        return 0;  // C1
      case 3:
        return 5;  // H11 of H22
      case 4:
        return 6;  // H00
      case 6:
        return 2;  // H01 of H12
      case 7:
        return 3;  // H-10
      case 9:
        return 7;  // H13 of H24
      case 10:
        return 8;  // H02
      case 11:
        return 9;  // H-11
      default:
        return -1;
    }
  }

  GREEKGRID_HD void write(ThreadCoord at, const State& state, const Shared& shared) const {
    const std::uint64_t place = shared.own.slot + std::uint64_t{shared.segment.index} * shared.own.rows + shared.row;
    double* slot = spectral.slots + place * slot_values(Greeks);
    for (int level = 0; level < kLevels; ++level) {
      if ((state.used >> level & 1U) == 0) continue;
      const std::uint32_t begin = level_begin(level);
      if (at.thread >= level_nodes(level)) continue;
      GREEKGRID_UNROLL
      for (int f = 0; f < kFamilies; ++f) {
        slot[static_cast<std::uint32_t>(f) * kAllNodes + begin + at.thread] = shared.family[f][begin + at.thread];
      }
    }
    double* anchors = slot + static_cast<std::uint32_t>(kFamilies) * kAllNodes;
    if (at.thread < kFamilies * 3) anchors[at.thread] = shared.anchor[at.thread / 3][at.thread % 3];
    if (at.thread < magnitude_values(Greeks)) {
      anchors[anchor_values(Greeks) + at.thread] = shared.magnitude[at.thread];
    }
    if (at.thread == 0) {
      anchors[kFamilies * 3] = shared.bond;
      spectral.used[place] = state.used;
    }
  }
};

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// The search for gamma walls: one block has the calls or puts of a job at one position model, IV shift and run of
/// spots, a thread one spot.
///
/// Phase 0 finds the item; then, per tile of contracts, one phase stages what depends on the contract and one lets each
/// thread add the tile to the sum of the strike at hand and keep the largest. All in fp64. Contracts come by strike,
/// outward from the spots, so that of equal sums the nearest stays.

#include <cmath>
#include <cstdint>

#include "device_math.hpp"
#include "greekgrid/kernels/formulas/smile.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

/// Contracts that are staged together.
inline constexpr std::uint32_t kWallTile = 64;

struct WallContract {
  double outward;                ///< right x strike
  double log_forward_moneyness;  ///< ln(F / strike) at S0
  double sigma;                  ///< before rule, shift and floor
  double sqrt_tau;
  double shift_scale;
  double smile_moneyness;   ///< ln(strike / F) at the quote instant
  std::uint32_t smile;      ///< into the chunk's smiles
  std::uint32_t completes;  ///< 1 for the last contract of its strike
};

/// The calls or the puts of a job.
struct WallSideJob {
  std::uint64_t end;  ///< work items of this and earlier ones
  double right;
  double iv_floor;
  double iv_rule_parameter;
  std::uint64_t weight;    ///< first, (W, contracts)
  std::uint64_t output;    ///< first, (W, V, X)
  std::uint32_t contract;  ///< first
  std::uint32_t contracts;
  std::uint32_t spot;        ///< first
  std::uint32_t spots;       ///< X
  std::uint32_t shift;       ///< first
  std::uint32_t shifts;      ///< V
  std::uint32_t positions;   ///< W
  std::uint32_t spot_tiles;  ///< blocks along the spots
};

struct WallTables {
  const WallSideJob* sides;
  const WallContract* contracts;
  const double* weight;  ///< n m e^{-q tau}
  const double* spot;    ///< S
  const double* x;       ///< ln(S / S0)
  const double* iv_shift;
  const formulas::Smile<double>* smiles;
  double* wall;
  std::uint32_t side_count;
};

/// How volatility goes along the spots: as RowVolatility of the CPU backend.
enum class WallRule : std::uint8_t { kFixed, kRelativeBeta, kSkewStickiness };

template <WallRule kRule>
struct WallBody {
  WallTables tables;

  struct State {
    double x;
    double outward;  ///< right x S
    double sum;      ///< of the strike at hand
    double best;     ///< the largest |sum| yet
    double found;    ///< right x its strike
    std::uint32_t spot;
  };

  /// A contract under the block's shift. Fixed volatility: d1 = (x - zero) slope; else what gives volatility and d1.
  struct Staged {
    double zero;         ///< else ln(F/K) at S0
    double slope;        ///< else sigma sqrt(tau) per unit of volatility: sqrt(tau)
    double coefficient;  ///< weight e^{-q tau}, over sigma sqrt(tau) where that is fixed
    double outward;
    double sigma;
    double shift;
    double smile_moneyness;
    std::uint32_t smile;
    std::uint32_t completes;
  };

  struct Shared {
    Staged contract[kWallTile];
    WallSideJob side;
    std::uint32_t position;
    std::uint32_t shift;
    std::uint32_t spot_tile;
    std::uint32_t first;  ///< contract of the side that is the first at or beyond one of the block's spots
  };

  GREEKGRID_HD bool operator()(int phase, ThreadCoord at, State& state, Shared& shared) const {
    if (phase == 0) {
      if (at.thread == 0) find_item(at, shared);
      return true;
    }
    const std::uint32_t step = static_cast<std::uint32_t>(phase - 1);
    const std::uint32_t begin = shared.first + step / 2 * kWallTile;
    const std::uint32_t left = shared.side.contracts - begin;
    const std::uint32_t count = left < kWallTile ? left : kWallTile;
    if (step % 2 == 0) {
      if (step == 0) start(at, state, shared);
      for (std::uint32_t i = at.thread; i < count; i += at.threads) stage(begin + i, shared, shared.contract[i]);
      if (count > 0) return true;
      write(state, shared);
      return false;
    }
    for (std::uint32_t i = 0; i < count; ++i) add(shared.contract[i], shared.side, state);
    if (count < left) return true;
    write(state, shared);
    return false;
  }

 private:
  GREEKGRID_HD void find_item(ThreadCoord at, Shared& shared) const {
    std::uint32_t low = 0;
    std::uint32_t high = tables.side_count - 1;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (tables.sides[middle].end <= at.block) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const WallSideJob& side = shared.side = tables.sides[low];
    std::uint32_t rest = static_cast<std::uint32_t>(at.block - (low == 0 ? 0 : tables.sides[low - 1].end));
    shared.spot_tile = rest % side.spot_tiles;
    rest /= side.spot_tiles;
    shared.shift = rest % side.shifts;
    shared.position = rest / side.shifts;

    // Calls are seen from the lowest spot of the block on, puts from the highest.
    const std::uint32_t from = shared.spot_tile * at.threads;
    const std::uint32_t last = from + at.threads < side.spots ? from + at.threads - 1 : side.spots - 1;
    const double nearest = side.right * tables.spot[side.spot + (side.right > 0.0 ? from : last)];
    std::uint32_t first = 0;
    std::uint32_t end = side.contracts;
    while (first < end) {
      const std::uint32_t middle = (first + end) / 2;
      if (tables.contracts[side.contract + middle].outward < nearest) {
        first = middle + 1;
      } else {
        end = middle;
      }
    }
    shared.first = first;
  }

  GREEKGRID_HD void start(ThreadCoord at, State& state, const Shared& shared) const {
    const WallSideJob& side = shared.side;
    state.spot = shared.spot_tile * at.threads + at.thread;
    // A thread without a spot goes along with the last and writes nothing.
    const std::uint32_t place = side.spot + (state.spot < side.spots ? state.spot : side.spots - 1);
    state.x = tables.x[place];
    state.outward = side.right * tables.spot[place];
    state.sum = 0.0;
    state.best = 0.0;
    state.found = NAN;
  }

  GREEKGRID_HD void stage(std::uint32_t i, const Shared& shared, Staged& staged) const {
    const WallSideJob& side = shared.side;
    const WallContract c = tables.contracts[side.contract + i];
    const double weight = tables.weight[side.weight + std::uint64_t{shared.position} * side.contracts + i];
    const double shift = tables.iv_shift[side.shift + shared.shift] * c.shift_scale;
    staged.outward = c.outward;
    staged.completes = c.completes;
    if constexpr (kRule == WallRule::kFixed) {
      const double total = math::max(side.iv_floor, c.sigma + shift) * c.sqrt_tau;
      staged.slope = 1.0 / total;
      staged.zero = -(c.log_forward_moneyness + 0.5 * total * total);
      staged.coefficient = weight * staged.slope;
    } else {
      staged.zero = c.log_forward_moneyness;
      staged.slope = c.sqrt_tau;
      staged.coefficient = weight;
      staged.sigma = c.sigma;
      staged.shift = shift;
      staged.smile_moneyness = c.smile_moneyness;
      staged.smile = c.smile;
    }
  }

  GREEKGRID_HD void add(const Staged& c, const WallSideJob& side, State& state) const {
    double e;
    if constexpr (kRule == WallRule::kFixed) {
      e = bell((state.x - c.zero) * c.slope);
    } else {
      double sigma;
      if constexpr (kRule == WallRule::kRelativeBeta) {
        sigma = c.sigma * (1.0 - side.iv_rule_parameter * state.x);
      } else {
        sigma = c.sigma + formulas::skew_stickiness_move(tables.smiles[c.smile], c.smile_moneyness,
                                                         side.iv_rule_parameter, state.x);
      }
      const double total = math::max(side.iv_floor, sigma + c.shift) * c.slope;
      const double a = 1.0 / total;
      e = bell(math::fma(state.x + c.zero, a, 0.5 * total)) * a;
    }
    // Not fused: contracts that cancel shall leave 0, not the error of a rounded product.
    const double term = c.coefficient * e;
    state.sum = state.sum + term;
    if (c.completes == 0) return;
    const double size = math::abs(state.sum);
    if (size > state.best && c.outward >= state.outward) {
      state.best = size;
      state.found = c.outward;
    }
    state.sum = 0.0;
  }

  GREEKGRID_HD void write(const State& state, const Shared& shared) const {
    const WallSideJob& side = shared.side;
    if (state.spot >= side.spots) return;
    const std::uint64_t row = std::uint64_t{shared.position} * side.shifts + shared.shift;
    tables.wall[side.output + row * side.spots + state.spot] = side.right * state.found;
  }
};

}  // namespace greekgrid::cuda

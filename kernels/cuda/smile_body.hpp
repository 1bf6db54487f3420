#pragma once

/// @file
/// The first pass of the jobs whose volatility follows the smile: the volatility of every contract at every spot,
/// before shift and floor, which all position models, instants and IV shifts of the job then share. A block has one
/// tile of contracts.

#include <cstdint>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/smile.hpp"
#include "tables.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

inline constexpr double kSecondsPerCommonYear = 31536000.0;

/// Real is the precision of the exposure kernel that reads the table; the move is formed in fp64.
template <class Real>
struct SmileBody {
  Tables tables;

  struct State {};
  struct Shared {
    char unused;
  };

  GREEKGRID_HD bool operator()(int, ThreadCoord at, State&, Shared&) const {
    const SmileTile place = tables.smile_tiles[at.block];
    const Tile tile = tables.tiles[place.tile];
    const Job& job = tables.jobs[place.job];
    const formulas::Smile<double> smile = tables.smiles[place.smile];
    const double tau0 = static_cast<double>(tables.settlement[tile.expiry] - job.quote_time) / kSecondsPerCommonYear;
    const double carry = (tables.rate[tile.expiry] - tables.dividend_yield[tile.expiry]) * tau0;
    Real* row = static_cast<Real*>(tables.rule_volatility) + job.rule_volatility +
                std::uint64_t{tile.contract - job.contract} * job.spots;
    for (std::uint32_t i = 0; i < tile.count; ++i, row += job.spots) {
      const double k = -(formulas::log_moneyness(job.spot, tables.strike[tile.contract + i]) + carry);
      const double sigma = tables.implied_volatility[tile.contract + i];
      for (std::uint32_t j = at.thread; j < job.spots; j += at.threads) {
        const double x = job.log_spot_begin + static_cast<double>(j) * job.log_spot_step;
        row[j] = static_cast<Real>(sigma + formulas::skew_stickiness_move(smile, k, job.iv_rule_parameter, x));
      }
    }
    return false;
  }
};

}  // namespace greekgrid::cuda

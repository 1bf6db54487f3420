#pragma once

/// @file
/// The contracts of a wall job as its search goes over them: calls and puts apart, by strike outward from any spot,
/// without those that cannot matter. Shared by the CPU and the CUDA backend.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

/// Calls or puts of a job that are alive at its instant and have a weight in some position model: n of them, of K
/// strikes. Columns of contracts have room for a vector of the widest kind behind the last one; it holds ones.
struct WallSide {
  static constexpr std::size_t kPad = 16;

  double right = 1.0;                         ///< +1 calls, -1 puts
  std::size_t contracts = 0;                  ///< n
  std::vector<double> outward;                ///< (K) right x strike, ascending: calls go up and puts go down
  std::vector<std::uint32_t> begin = {0};     ///< (K + 1) first contract of each strike
  std::vector<double> log_forward_moneyness;  ///< (n) ln(F / strike) at the instant of the job with spot S0
  std::vector<double> sigma;                  ///< (n) vol, before rule, shift and floor
  std::vector<double> sqrt_tau;               ///< (n) of the time to settlement at the instant of the job
  std::vector<double> shift_scale;            ///< (n) what an IV shift is multiplied with
  std::vector<double> smile_moneyness;        ///< (n) ln(strike / F) at the quote instant; skew stickiness alone
  std::vector<std::uint32_t> expiry;          ///< (n) of the book
  std::vector<double> weight;                 ///< (W, n + kPad) n m e^{-q tau}: what gamma at a spot is made of,
                                              ///< without the factors that are common to all contracts

  std::size_t strikes() const { return outward.size(); }
  std::size_t stride() const { return contracts + kPad; }
  /// The first strike at or beyond a spot, S x right, or strikes().
  std::size_t first_strike(double outward_spot) const {
    return static_cast<std::size_t>(std::lower_bound(outward.begin(), outward.end(), outward_spot) - outward.begin());
  }
};

inline WallSide make_wall_side(const WallJob& job, int right) {
  const BookView& book = job.book;
  WallSide side;
  side.right = right;

  struct Ordered {
    double outward;
    std::size_t contract;
    std::size_t expiry;
    bool operator<(const Ordered& other) const {
      return outward != other.outward ? outward < other.outward : contract < other.contract;
    }
  };
  std::vector<Ordered> order;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    if (book.settlement[e] <= job.time) continue;
    const auto end = static_cast<std::size_t>(book.expiry_begin[e + 1]);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]); i < end; ++i) {
      if (book.right[i] != right) continue;
      bool weighs = false;
      for (std::size_t w = 0; w < job.positions; ++w) weighs = weighs || book.weight[w * book.contracts() + i] != 0.0;
      if (weighs) order.push_back({right * book.strike[i], i, e});
    }
  }
  std::sort(order.begin(), order.end());

  side.contracts = order.size();
  const bool smile = job.grid.effective_rule() == IvRule::kSkewStickiness;
  for (auto* column : {&side.log_forward_moneyness, &side.sigma, &side.sqrt_tau, &side.shift_scale}) {
    column->assign(side.stride(), 1.0);
  }
  if (smile) side.smile_moneyness.assign(side.stride(), 1.0);
  side.weight.assign(job.positions * side.stride(), 1.0);
  side.expiry.resize(side.contracts);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto [outward, i, e] = order[k];
    if (side.outward.empty() || side.outward.back() != outward) {
      if (k > 0) side.begin.push_back(static_cast<std::uint32_t>(k));
      side.outward.push_back(outward);
    }
    const double tau = static_cast<double>(book.settlement[e] - job.time) / kSecondsPerYear;
    const double tau0 = static_cast<double>(book.settlement[e] - job.grid.quote_time) / kSecondsPerYear;
    const double carry = book.rate[e] - book.dividend_yield[e];
    const double moneyness = formulas::log_moneyness(book.spot, book.strike[i]) + book.spot_basis;
    side.log_forward_moneyness[k] = moneyness + carry * tau;
    side.sigma[k] = book.implied_volatility[i];
    side.sqrt_tau[k] = std::sqrt(tau);
    side.shift_scale[k] = job.grid.iv_shift_term == IvShiftTerm::kFlat
                              ? 1.0
                              : formulas::sqrt_time_scale(tau0, job.grid.iv_shift_term_cap);
    if (smile) side.smile_moneyness[k] = -(moneyness + carry * tau0);
    side.expiry[k] = static_cast<std::uint32_t>(e);
    const double discount = std::exp(-book.dividend_yield[e] * tau);
    for (std::size_t w = 0; w < job.positions; ++w) {
      side.weight[w * side.stride() + k] = book.weight[w * book.contracts() + i] * discount;
    }
  }
  if (side.contracts > 0) side.begin.push_back(static_cast<std::uint32_t>(side.contracts));
  return side;
}

/// Calls, puts.
inline std::array<WallSide, 2> make_wall_sides(const WallJob& job) {
  return {make_wall_side(job, 1), make_wall_side(job, -1)};
}

}  // namespace greekgrid

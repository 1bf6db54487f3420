#pragma once

/// @file
/// Inversion of quotes for their volatilities: one thread, one quote, the formula itself.

#include <cstdint>

#include "greekgrid/kernels/formulas/implied_volatility.hpp"
#include "greekgrid/kernels/host_device.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

struct InversionBody {
  const double* price;  ///< (N), as are all; the columns of a QuoteView
  const double* forward;
  const double* strike;
  const double* discount;
  const double* tau;
  const std::int8_t* right;
  double* sigma;
  formulas::IvStatus* status;
  std::uint32_t count;  ///< N

  struct State {};
  struct Shared {
    char unused;
  };

  GREEKGRID_HD bool operator()(int, ThreadCoord at, State&, Shared&) const {
    const std::uint32_t i = at.block * at.threads + at.thread;
    if (i >= count) return false;
    const formulas::ImpliedVolatility inverted = formulas::implied_volatility(
        static_cast<double>(right[i]), price[i], forward[i], strike[i], discount[i], tau[i]);
    sigma[i] = inverted.sigma;
    status[i] = inverted.status;
    return false;
  }
};

}  // namespace greekgrid::cuda

#pragma once

/// @file
/// What is counted as an evaluation.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "greekgrid/kernels/views.hpp"

namespace greekgrid::bench {

/// Contracts with a weight times scenarios with tau' > 0: counting more would praise work that nobody does.
inline double live_evaluations(const BookView& book, const GridView& grid) {
  double live = 0.0;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const auto instants =
        std::count_if(grid.time.begin(), grid.time.end(), [&](std::int64_t time) { return book.settlement[e] > time; });
    const auto begin = static_cast<std::size_t>(book.expiry_begin[e]);
    const auto weights = book.weight.subspan(begin, static_cast<std::size_t>(book.expiry_begin[e + 1]) - begin);
    live += static_cast<double>(instants) *
            static_cast<double>(std::count_if(weights.begin(), weights.end(), [](double w) { return w != 0.0; }));
  }
  return live * static_cast<double>(grid.iv_shift.size() * grid.spots);
}

}  // namespace greekgrid::bench

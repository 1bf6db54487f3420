#pragma once

/// @file
/// Exposures along a fine line of spots. Private to host/levels.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// `spots` points evenly spaced in ln S: x_j = begin + j step, x = ln(S / S0).
struct SpotLine {
  double begin = 0.0;
  double step = 0.0;
  std::size_t spots = 1;

  double x(std::size_t j) const { return begin + static_cast<double>(j) * step; }
};

/// Exposures of a book over a grid's instants and shifts along a line: (G, W, T, V, spots).
///
/// An expiry whose contracts all have a deviation sigma sqrt(tau) of s or more is evaluated 2^k steps apart, at most
/// s / 8, and carried to the line by Lagrange interpolation through eight points: for a Gaussian of that width the
/// error is below 1e-8 of its height, for its derivative below 3e-8. Expiries of a narrower s are evaluated at every
/// spot. Under the skew-stickiness rule the spacing is also at most the width of the smile's vertex; a
/// vertex narrower than the line's own step is not resolved.
/// @param alive_after expiries that settle at or before it are left out
std::vector<double> evaluate_line(Backend& backend, GreekSet greeks, const BookView& book, std::size_t positions,
                                  const GridView& grid, const SpotLine& line, std::int64_t alive_after);

/// Points that carry a value from a coarser line: -3 .. 4 around the one below.
inline constexpr std::size_t kStencil = 8;

/// Their Lagrange weights at `at` in [0, 1] between points 0 and 1.
std::array<double, kStencil> lagrange(double at);

/// A part of a book: the expiries [first, last), with the weights of one position model.
struct BookPart {
  BookView view;
  std::vector<std::int64_t> expiry_begin;
  std::vector<double> weight;  // (W, n of the part)

  BookPart(const BookView& book, std::size_t positions, std::size_t first, std::size_t last);
  BookPart(const BookPart&) = delete;
  BookPart& operator=(const BookPart&) = delete;
};

}  // namespace greekgrid

#pragma once

/// @file
/// Exposures along a fine line of spots. Private to host.

#include <array>
#include <cstddef>
#include <memory>
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

/// A part of a book: the expiries [first, last), with the weights of one position model.
struct BookPart {
  BookView view;
  std::vector<std::int64_t> expiry_begin;
  std::vector<double> weight;  // (W, n of the part)

  BookPart(const BookView& book, std::size_t positions, std::size_t first, std::size_t last);
  BookPart(const BookPart&) = delete;
  BookPart& operator=(const BookPart&) = delete;
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

/// The deviation of a book's narrowest contract with a weight over the grid's instants and shifts, or the smile's
/// vertex where a rule follows it, in ln S; of the expiries that settle after `alive_after`, infinite without any.
/// Between ln(S / S0) = low and high.
double narrowest_deviation(const BookView& book, std::size_t positions, const GridView& grid, std::int64_t alive_after,
                           double low, double high);

/// What evaluate_line() does, in steps, so that the jobs of many lines can go to a backend in one call. The book's and
/// the grid's arrays must live until sum() has returned.
class LineEvaluation {
 public:
  LineEvaluation(GreekSet greeks, const BookView& book, std::size_t positions, const GridView& grid,
                 const SpotLine& line, std::int64_t alive_after);
  /// Adds the jobs; what they point to stays where it is when this is moved.
  void append_jobs(std::vector<ExposureJob>& jobs);
  /// (G, W, T, V, spots), once the jobs are evaluated.
  std::vector<double> sum() const;

 private:
  struct Run {
    std::unique_ptr<BookPart> part;
    int coarseness = 0;
    SpotLine line;  // as evaluated
    std::vector<double> exposure;
  };
  SpotLine line_;
  GridView grid_;
  std::size_t positions_, rows_;
  std::vector<Run> runs_;
};

/// Points that carry a value from a coarser line: -3 .. 4 around the one below.
inline constexpr std::size_t kStencil = 8;

/// Their Lagrange weights at `at` in [0, 1] between points 0 and 1.
std::array<double, kStencil> lagrange(double at);

}  // namespace greekgrid

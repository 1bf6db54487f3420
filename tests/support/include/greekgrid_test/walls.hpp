#pragma once

/// @file
/// Books whose gamma walls every backend finds, and the one comparison of walls.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid::test {

/// A wall job that owns its arrays; its results are elsewhere.
struct WallCase {
  std::string name;
  Book book;
  std::vector<double> iv_shift = {0.0};
  std::vector<double> at;
  std::int64_t time = kQuoteTime;
  IvRule iv_rule = IvRule::kStickyStrike;
  double iv_rule_parameter = 1.0;
  IvShiftTerm iv_shift_term = IvShiftTerm::kFlat;
  double iv_shift_term_cap = 0.0;
  double iv_floor = 0.01;

  std::size_t positions() const { return book.weight.size(); }
  std::size_t cells() const { return positions() * iv_shift.size() * at.size(); }
  WallJob job(std::span<double> call_wall, std::span<double> put_wall) const;
};

/// Spots at uneven distances within half_width of the book's in ln S, ascending.
std::vector<double> uneven_spots(const Book& book, std::size_t count, double half_width);

/// Books of several expiries and position models under every rule, and the corners: settled and settling contracts,
/// minutes to live, one contract, no contracts, no weight, equal strikes across expiries, strikes at the spots, calls
/// alone, sums that cancel, spots beyond all strikes, more position models and spots than one pass takes.
std::vector<WallCase> wall_cases();

/// A case with two strikes next to each other whose sums are the same to the bit, far above the only spot (right +1,
/// calls) or far below it (right -1, puts).
struct WallTie {
  WallCase tied;
  double nearer = 0.0, farther = 0.0;
};
WallTie wall_tie(int right);

/// Calls in pairs that cancel exactly in the first position model and not in the second: 3 shifts, 3 spots.
WallCase cancelling_walls(IvRule rule);

/// Pairs of strikes on either side of a spot, of different expiries, whose sums differ by 3e-12 of themselves:
/// contracts 0 and 1 are the nearer call and put, 2 and 3 the farther ones, and these are the larger in every other
/// case, the first one among them. A backend that is less accurate than that finds other walls.
std::vector<WallCase> close_walls(IvRule rule);

struct Walls {
  std::vector<double> call, put;  // (W, V, X)
};
/// Runs a backend over one case. Results that it does not write show as -1, which is no strike.
Walls find_walls(Backend& backend, const WallCase& of);

/// Whether two walls hold the same bits; a wall that is not there equals another that is not.
bool same_walls(const Walls& a, const Walls& b);

/// Worst difference of walls from the expected ones. Where strikes differ, that of expected and actual |g| in units of
/// what rounding may make of either (see the implementation); up to 1 both are the largest as far as can be known.
struct WallDeviation {
  double in_tolerance = 0.0;  ///< infinite where a wall is no strike of its right on its side of the spot
  std::size_t different = 0;  ///< cells whose strikes differ
  std::size_t walls = 0;      ///< cells that have a wall; calls and puts count apart
  std::string where;          ///< the worst cell
};
WallDeviation compare_walls(const Walls& actual, const Walls& expected, const WallCase& of);

}  // namespace greekgrid::test

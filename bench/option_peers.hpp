#pragma once

/// @file
/// Other people's ways to the same sums, over the contracts of a book at the quote instant and shift 0: what an
/// evaluator is compared with, and what keeps the comparison honest.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/kernels/greek.hpp"
#include "greekgrid_test/books.hpp"
#include "libmvec_baseline.hpp"

namespace greekgrid::bench {

/// A book at the quote instant with one value a contract, as others keep options.
struct BookColumns {
  std::vector<double> right, strike, sigma, rate, dividend_yield, tau, weight;
  explicit BookColumns(const test::Book& book);
  OptionColumns view() const;
};

/// One way to sums of weight x Greek.
struct OptionPeer {
  std::string name;
  GreekSet greeks;
  std::function<void(std::span<const double> spots, std::span<double> out)> sums;  ///< (greeks, spots), single thread
};

/// Every peer that this build has; book and columns must outlive them.
std::vector<OptionPeer> make_option_peers(const test::Book& book, const BookColumns& columns);

/// Worst error of a peer over Greeks and spots, relative to the largest sum of its Greek.
/// @param expected (GreekSet::all(), spots) of the reference backend
double peer_error(GreekSet greeks, std::span<const double> sums, std::span<const double> expected, std::size_t spots);

/// A peer with a larger error computes something else and is not timed.
inline constexpr double kPeerTolerance = 1e-9;

}  // namespace greekgrid::bench

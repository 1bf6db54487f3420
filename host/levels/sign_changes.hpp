#pragma once

/// @file
/// Where samples along a line change sign. Private to host.

#include <cstddef>
#include <vector>

namespace greekgrid {

// A spot where an exposure is 0.
struct Root {
  double x = 0.0;      // ln(S / S0)
  double slope = 0.0;  // of the exposure in x
};

// The root in [begin, begin + 1] of the cubic through v[-1 .. 2], whose signs at the ends differ there, and its slope.
inline Root cubic_root(const double* v, double begin) {
  const double c3 = (v[2] - v[-1] - 3.0 * (v[1] - v[0])) / 6.0;
  const double c2 = 0.5 * (v[1] + v[-1]) - v[0];
  const double c1 = v[1] - v[0] - c2 - c3;
  const auto value = [&](double u) { return v[0] + u * (c1 + u * (c2 + u * c3)); };
  const bool rises = value(begin) < 0.0;
  double low = begin, high = begin + 1.0;
  for (int step = 0; step < 52; ++step) {
    const double middle = 0.5 * (low + high);
    ((value(middle) < 0.0) == rises ? low : high) = middle;
  }
  return {low, c1 + low * (2.0 * c2 + low * 3.0 * c3)};
}

// Index pairs around every sign change of samples; samples without a sign lie between.
struct Change {
  std::size_t before = 0, after = 0;
};
template <class Sign>
std::vector<Change> sign_changes(std::size_t n, Sign sign) {
  std::vector<Change> changes;
  std::size_t before = n;
  for (std::size_t j = 0; j < n; ++j) {
    const int s = sign(j);
    if (s == 0) continue;
    if (before < n && sign(before) != s) changes.push_back({before, j});
    before = j;
  }
  return changes;
}

}  // namespace greekgrid

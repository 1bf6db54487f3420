#pragma once

/// @file
/// Random numbers that every compiler makes the same. Private to host.

#include <cmath>
#include <cstdint>

namespace greekgrid {

/// SplitMix64 (Steele, Lea and Flood, 2014). The standard library's distributions differ between implementations.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform in (0, 1).
  double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal by Box and Muller.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(6.28318530717958647692 * uniform());
  }
  bool happens(double probability) { return uniform() < probability; }

 private:
  std::uint64_t state_;
};

}  // namespace greekgrid

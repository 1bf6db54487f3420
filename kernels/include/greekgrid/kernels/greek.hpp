#pragma once

/// @file
/// The Greeks by name, in the one order that arrays over Greeks use, and sets of them.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace greekgrid {

/// A partial derivative of the price of one option for one share, from the holder's side. Volatility derivatives are
/// per 1.00 of annualised volatility, time derivatives per common year (525,600 minutes) of calendar time, d/dt =
/// -d/dtau.
enum class Greek : std::uint8_t {
  kDelta,   ///< dV/dS, 1
  kGamma,   ///< d2V/dS2, USD-1
  kCharm,   ///< d2V/dS dt, common_year-1
  kVanna,   ///< d2V/dS dsigma, vol-1
  kSpeed,   ///< d3V/dS3, USD-2
  kZomma,   ///< d3V/dS2 dsigma, USD-1 vol-1
  kColor,   ///< d3V/dS2 dt, USD-1 common_year-1
  kVega,    ///< dV/dsigma, USD vol-1
  kVomma,   ///< d2V/dsigma2, USD vol-2
  kUltima,  ///< d3V/dsigma3, USD vol-3
  kTheta,   ///< dV/dt, USD common_year-1
  kVeta,    ///< d2V/dsigma dt, USD vol-1 common_year-1
};

inline constexpr std::size_t kGreekCount = 12;

inline constexpr std::array<Greek, kGreekCount> kAllGreeks = {
    Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna,  Greek::kSpeed, Greek::kZomma,
    Greek::kColor, Greek::kVega,  Greek::kVomma, Greek::kUltima, Greek::kTheta, Greek::kVeta};

/// Name of a Greek as files and configurations spell it.
constexpr std::string_view name(Greek greek) {
  constexpr std::array<std::string_view, kGreekCount> names = {"delta", "gamma", "charm", "vanna",  "speed", "zomma",
                                                               "color", "vega",  "vomma", "ultima", "theta", "veta"};
  return names[static_cast<std::size_t>(greek)];
}

/// The Greek of a name, or nothing if there is none of that name.
constexpr std::optional<Greek> greek_from_name(std::string_view text) {
  for (Greek greek : kAllGreeks) {
    if (name(greek) == text) return greek;
  }
  return std::nullopt;
}

/// Number of derivatives in S: a Greek to the synthetic spot S e^b becomes one to S by the factor e^(b j).
constexpr int spot_order(Greek greek) {
  constexpr std::array<int, kGreekCount> orders = {1, 2, 1, 1, 3, 2, 2, 0, 0, 0, 0, 0};
  return orders[static_cast<std::size_t>(greek)];
}

/// A set of Greeks. Iteration and index() follow the order of the enumeration.
class GreekSet {
 public:
  constexpr GreekSet() = default;
  constexpr GreekSet(std::initializer_list<Greek> greeks) {
    for (Greek greek : greeks) insert(greek);
  }
  static constexpr GreekSet all() {
    GreekSet set;
    for (Greek greek : kAllGreeks) set.insert(greek);
    return set;
  }

  constexpr void insert(Greek greek) { bits_ |= bit(greek); }
  constexpr bool contains(Greek greek) const { return (bits_ & bit(greek)) != 0; }
  constexpr std::size_t size() const { return static_cast<std::size_t>(std::popcount(bits_)); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::uint32_t bits() const { return bits_; }
  /// Position of a contained Greek among the members of the set.
  constexpr std::size_t index(Greek greek) const {
    return static_cast<std::size_t>(std::popcount(bits_ & (bit(greek) - 1U)));
  }
  constexpr bool is_subset_of(GreekSet other) const { return (bits_ & ~other.bits_) == 0; }
  friend constexpr bool operator==(GreekSet, GreekSet) = default;

 private:
  static constexpr std::uint32_t bit(Greek greek) { return 1U << static_cast<unsigned>(greek); }
  std::uint32_t bits_ = 0;
};

/// Delta, gamma, charm: the three-Greek job of the benchmarks.
inline constexpr GreekSet kGreeks3 = {Greek::kDelta, Greek::kGamma, Greek::kCharm};
/// All but veta: the eleven-Greek job of the benchmarks.
inline constexpr GreekSet kGreeks11 = {Greek::kDelta, Greek::kGamma, Greek::kSpeed, Greek::kVega,
                                       Greek::kVanna, Greek::kZomma, Greek::kCharm, Greek::kColor,
                                       Greek::kTheta, Greek::kVomma, Greek::kUltima};

}  // namespace greekgrid

#pragma once

/// @file
/// Where a ticker's exposures sit at the quote instant: by strike, by expiry and by bucket of expiries; and what each
/// settlement takes away.

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/level.hpp"
#include "greekgrid/kernels/greek.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

/// Greeks of the profiles, in their order.
inline constexpr std::array<Greek, 4> kProfileGreeks = {Greek::kDelta, Greek::kGamma, Greek::kVanna, Greek::kCharm};

/// Buckets of expiries, by settlement.
enum class ExpiryBucket : std::uint8_t {
  k0dte,     ///< up to the close of the coming session: the one in progress at the quote instant, else the next
  kWeekly,   ///< up to the close of the first week-ending session after that
  kMonthly,  ///< up to the close of the first monthly expiration (third Friday, or the session before) after that
  kBeyond,
};
inline constexpr std::size_t kBuckets = 4;
constexpr std::string_view name(ExpiryBucket bucket) {
  constexpr std::array<std::string_view, kBuckets> names = {"0dte", "weekly", "monthly", "beyond"};
  return names[static_cast<std::size_t>(bucket)];
}

/// Last settlement instants of the buckets; the last has no end.
struct BucketEnds {
  std::array<Instant, kBuckets - 1> end{};

  ExpiryBucket of(Instant settlement) const;
};
BucketEnds bucket_ends(const Calendar& calendar, Instant quote_time);

/// Exposures of groups of contracts: rows x W models, C-ordered. call + put is the net.
struct GroupExposures {
  std::array<std::vector<double>, kProfileGreeks.size()> call, put;  ///< sum n m greek, units of the exposure
  std::array<std::vector<double>, kProfileGreeks.size()> gross;      ///< sum |n m greek|

  void resize(std::size_t cells);
  void append(const GroupExposures& other);
};
/// Contracts of groups: rows.
struct GroupContracts {
  std::vector<double> call_open_interest, put_open_interest;  ///< contracts
  std::vector<double> call_volume, put_volume;                ///< contracts; missing volume counts as 0

  void resize(std::size_t rows);
  void append(const GroupContracts& other);
};

/// Profiles of one ticker or, appended, of all.
struct Profile {
  std::vector<double> strike;      ///< (K) USD, ascending within a ticker: every listed strike that is priced
  GroupContracts by_strike_count;  ///< (K)
  GroupExposures by_strike;        ///< (K, W)

  GroupContracts by_expiry_count;                                          ///< (E)
  GroupExposures by_expiry;                                                ///< (E, W)
  std::vector<Level> max_pain;                                             ///< (E) USD, over the strikes of the expiry
  std::vector<Level> put_call_ratio_open_interest, put_call_ratio_volume;  ///< (E)
  /// (E, W) exposures of the book without the expiry, and without it and all that settle before it or with it.
  std::vector<double> dx_without, gx_without, dx_after, gx_after;

  GroupContracts by_bucket_count;  ///< (kBuckets)
  GroupExposures by_bucket;        ///< (kBuckets, W)

  void append(const Profile& other);
};

/// One ticker's contracts and what is summed over them.
struct ProfileInputs {
  BookView book;  ///< weights (W, n)
  std::size_t positions = 1;
  std::span<const double> greeks;                             ///< (kGreekCount, n), base_greeks()
  std::span<const double> multiplier, open_interest, volume;  ///< (n)
  BucketEnds buckets;
};
Profile make_profile(const ProfileInputs& in);

/// The strike among those of the contracts at which they would be worth least at settlement, sum OI m max(phi (K -
/// strike), 0); ties go to the lower. no_contracts without open interest.
Level max_pain(std::span<const double> strike, std::span<const std::int8_t> right,
               std::span<const double> open_interest, std::span<const double> multiplier);
/// Put contracts over call contracts; no_calls without calls. NaN counts as 0.
Level put_call_ratio(std::span<const std::int8_t> right, std::span<const double> contracts);

}  // namespace greekgrid

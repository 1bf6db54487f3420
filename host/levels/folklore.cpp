#include "greekgrid/host/folklore.hpp"

#include <cmath>

#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

// Monday to Friday days in [from, to); no holidays, as the script has none. Negative when to lies before from.
int weekdays_between(std::chrono::sys_days from, std::chrono::sys_days to) {
  if (to < from) return -weekdays_between(to, from);
  int count = 0;
  for (auto day = from; day < to; day += std::chrono::days(1)) {
    const unsigned weekday = std::chrono::weekday(day).c_encoding();
    if (weekday != 0 && weekday != 6) ++count;
  }
  return count;
}

}  // namespace

FolkloreGamma folklore_gamma(const OptionChain& chain, std::size_t ticker) {
  FolkloreGamma result;
  const double spot = chain.spot[ticker];
  const auto begin = static_cast<std::size_t>(chain.contract_begin[ticker]);
  const auto end = begin + static_cast<std::size_t>(chain.contract_count[ticker]);
  const std::chrono::sys_days today(new_york_date(chain.file_time));
  constexpr std::size_t kSpots = 60;
  for (std::size_t j = 0; j < kSpots; ++j) {
    result.spot.push_back(spot * (0.8 + 0.4 * static_cast<double>(j) / static_cast<double>(kSpots - 1)));
    result.profile.push_back(0.0);
  }
  const auto per_percent = [](double s) { return s * s * 0.01 / 1e9; };
  for (std::size_t i = begin; i < end; ++i) {
    const double interest = chain.open_interest[i];
    if (!(interest > 0.0)) continue;
    const double weight = chain.right[i] * interest * chain.multiplier[i];
    if (std::isfinite(chain.vendor_gamma[i])) result.total += weight * chain.vendor_gamma[i] * per_percent(spot);
    const auto expiry = static_cast<std::size_t>(chain.contract_expiry[i]);
    const int days = weekdays_between(today, std::chrono::sys_days(new_york_date(chain.settlement[expiry])));
    const double sigma = chain.vendor_iv[i];
    if (days < 0 || !(sigma > 0.0)) continue;
    const double tau = days == 0 ? 1.0 / 262.0 : days / 262.0;
    for (std::size_t j = 0; j < kSpots; ++j) {
      const auto g = formulas::black_scholes<double>(
          {static_cast<double>(chain.right[i]), result.spot[j], chain.strike[i], 0.0, 0.0, sigma, tau});
      result.profile[j] += weight * g.gamma * per_percent(result.spot[j]);
    }
  }
  for (std::size_t j = 1; j < kSpots; ++j) {
    const double a = result.profile[j - 1];
    const double b = result.profile[j];
    if ((a > 0.0) == (b > 0.0)) continue;
    result.flips.push_back(result.spot[j] - (result.spot[j] - result.spot[j - 1]) * b / (b - a));
  }
  return result;
}

}  // namespace greekgrid

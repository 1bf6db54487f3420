#pragma once

/// @file
/// Histories and sessions for tests: of one symbol, on the sessions of the built-in calendar.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/host/predictors.hpp"

namespace greekgrid::test {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline Instant midnight(int year, unsigned month, unsigned day) {
  return midnight_of(Date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}});
}

/// Rows of one symbol at the first `count` sessions from 1991-01-02 on; every quantity is missing.
inline DailyHistory blank_history(std::size_t count, const std::string& symbol = "A") {
  const Calendar calendar;
  DailyHistory history;
  history.symbol = {symbol};
  history.row_begin = {0};
  history.row_count = {static_cast<std::int64_t>(count)};
  for (std::chrono::sys_days day = std::chrono::year{1991} / 1 / 2; history.date.size() < count;
       day += std::chrono::days{1}) {
    if (calendar.is_session(Date{day})) history.date.push_back(midnight_of(Date{day}));
  }
  for (const Instant date : history.date) history.knowledge_time.push_back(date + 21 * 3600);
  for (const DailyQuantity& quantity : kDailyQuantities) (history.*quantity.column).assign(count, kNan);
  return history;
}

/// The same with closes.
inline DailyHistory history_of(const std::vector<double>& close, const std::string& symbol = "A") {
  DailyHistory history = blank_history(close.size(), symbol);
  history.close = close;
  return history;
}

inline SessionSeries sessions_of(const DailyHistory& history, std::span<const SplitCorrection> corrections = {}) {
  return make_sessions(history, 0, Calendar(), corrections);
}

/// Deterministic uniform numbers in [0, 1).
class Uniform {
 public:
  explicit Uniform(std::uint64_t seed) : state_(seed) {}
  double operator()() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_;
};

/// Sessions of a market that moves by up to 3 % a day, with all quantities: every tenth close equals the one before,
/// and at each of `split` shares split three for one: a factor by which doubles do not divide exactly.
inline DailyHistory lively_history(std::size_t count, std::uint64_t seed, const std::vector<std::size_t>& split = {}) {
  DailyHistory history = blank_history(count);
  Uniform uniform(seed);
  double close = 100.0, shares = 1e6;
  for (std::size_t t = 0; t < count; ++t) {
    for (const std::size_t s : split) {
      if (s == t) close /= 3.0, shares *= 3.0;
    }
    const double before = close;
    if (t % 10 != 9) close *= 1.0 + 0.06 * (uniform() - 0.5);
    history.close[t] = close;
    history.open[t] = before;
    history.high[t] = std::max(close, before) * (1.0 + 0.01 * uniform());
    history.low[t] = std::min(close, before) * (1.0 - 0.01 * uniform());
    history.volume[t] = shares * (0.5 + uniform());
    history.off_exchange_volume[t] = std::floor(shares * (0.2 + 0.1 * uniform()));
    history.short_volume[t] = std::floor(history.off_exchange_volume[t] * (0.3 + 0.4 * uniform()));
  }
  return history;
}

}  // namespace greekgrid::test

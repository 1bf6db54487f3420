#include "greekgrid/host/daily_history.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <unordered_map>

namespace greekgrid {
namespace {

constexpr Instant kDaySeconds = 86400;

Date date_of(Instant midnight) {
  return Date{std::chrono::sys_days{std::chrono::days{midnight / kDaySeconds}}};
}

/// One row of one part, in the order of a symbol's rows.
struct Place {
  Instant date;
  std::size_t part, row;
};

void append_rows(DailyHistory& out, const DailyHistory& part, std::size_t first, std::size_t count) {
  const auto append = [first, count](auto& to, const auto& from) {
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
    to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
  };
  append(out.date, part.date);
  append(out.knowledge_time, part.knowledge_time);
  for (const DailyQuantity& quantity : kDailyQuantities) append(out.*quantity.column, part.*quantity.column);
}

/// Takes what another part says of the day of the last row.
void merge_into_last_row(DailyMerge& merge, const DailyHistory& part, const Place& place, bool replace) {
  DailyHistory& out = merge.history;
  bool taken = false;
  for (std::size_t q = 0; q < kDailyQuantities.size(); ++q) {
    const DailyQuantity& quantity = kDailyQuantities[q];
    const double value = (part.*quantity.column)[place.row];
    double& kept = (out.*quantity.column).back();
    if (std::isnan(value)) continue;
    if (!std::isnan(kept) && same_daily_value(quantity, kept, value)) {
      ++merge.repeated[place.part];
      continue;
    }
    if (!std::isnan(kept)) {
      merge.contradiction.push_back({place.part, place.row, q, kept, value});
      if (!replace) continue;
    }
    kept = value;
    taken = true;
  }
  if (!taken) return;
  ++merge.rows_taken[place.part];
  out.knowledge_time.back() = std::max(out.knowledge_time.back(), part.knowledge_time[place.row]);
}

}  // namespace

Instant midnight_of(Date date) {
  return Instant{std::chrono::sys_days{date}.time_since_epoch().count()} * kDaySeconds;
}

Instant finra_knowledge_time(Date session) {
  return new_york_instant(session, 18, 0);
}

DailyHistory part_of(const DailyHistory& history, std::span<const std::size_t> symbol) {
  DailyHistory part;
  for (const std::size_t u : symbol) {
    const auto begin = static_cast<std::ptrdiff_t>(history.row_begin[u]);
    const auto end = begin + static_cast<std::ptrdiff_t>(history.row_count[u]);
    part.symbol.push_back(history.symbol[u]);
    part.row_begin.push_back(static_cast<std::int64_t>(part.rows()));
    part.row_count.push_back(history.row_count[u]);
    const auto take = [&](const auto& from, auto& to) {
      to.insert(to.end(), from.begin() + begin, from.begin() + end);
    };
    take(history.date, part.date);
    take(history.knowledge_time, part.knowledge_time);
    for (const DailyQuantity& quantity : kDailyQuantities) take(history.*quantity.column, part.*quantity.column);
  }
  return part;
}

void append_symbol_row(DailyHistory& history, const std::string& symbol, Date date, Instant knowledge_time) {
  history.symbol.push_back(symbol);
  history.row_begin.push_back(static_cast<std::int64_t>(history.rows()));
  history.row_count.push_back(1);
  history.date.push_back(midnight_of(date));
  history.knowledge_time.push_back(knowledge_time);
  for (const DailyQuantity& quantity : kDailyQuantities) {
    (history.*quantity.column).push_back(std::numeric_limits<double>::quiet_NaN());
  }
}

bool same_daily_value(const DailyQuantity& quantity, double a, double b) {
  if (a == b) return true;
  constexpr double kSinglePrecision = 0x1p-23;
  return !quantity.is_volume && std::abs(a - b) <= kSinglePrecision * std::max(std::abs(a), std::abs(b));
}

DailyMerge merge_histories(std::span<const DailyHistory* const> parts, bool replace) {
  DailyMerge merge;
  DailyHistory& out = merge.history;
  merge.repeated.assign(parts.size(), 0);
  merge.rows_taken.assign(parts.size(), 0);
  std::size_t most = 0;
  for (const DailyHistory* part : parts) most += part->rows();
  out.date.reserve(most);
  out.knowledge_time.reserve(most);
  for (const DailyQuantity& quantity : kDailyQuantities) (out.*quantity.column).reserve(most);

  struct Slice {
    std::size_t part, symbol;
  };
  std::unordered_map<std::string_view, std::vector<Slice>> slices;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t u = 0; u < parts[p]->symbols(); ++u) slices[parts[p]->symbol[u]].push_back({p, u});
  }
  std::vector<std::string_view> names;
  names.reserve(slices.size());
  for (const auto& [name, slice] : slices) names.push_back(name);
  std::sort(names.begin(), names.end());

  std::vector<Place> places;
  for (const std::string_view name : names) {
    places.clear();
    for (const Slice& slice : slices.at(name)) {
      const DailyHistory& part = *parts[slice.part];
      const auto begin = static_cast<std::size_t>(part.row_begin[slice.symbol]);
      const auto end = begin + static_cast<std::size_t>(part.row_count[slice.symbol]);
      for (std::size_t row = begin; row < end; ++row) places.push_back({part.date[row], slice.part, row});
    }
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
      return std::tie(a.date, a.part, a.row) < std::tie(b.date, b.part, b.row);
    });
    out.symbol.emplace_back(name);
    out.row_begin.push_back(static_cast<std::int64_t>(out.rows()));
    for (std::size_t k = 0; k < places.size();) {
      const Place& place = places[k];
      const DailyHistory& part = *parts[place.part];
      // A run of one part is taken at once: a store is long, and what comes to it a day. Of its rows the last alone can
      // have a date that other parts speak of too: they come next.
      std::size_t end = k;
      while (end < places.size() && places[end].part == place.part) ++end;
      append_rows(out, part, place.row, end - k);
      merge.rows_taken[place.part] += static_cast<std::int64_t>(end - k);
      for (k = end; k < places.size() && places[k].date == out.date.back(); ++k) {
        merge_into_last_row(merge, *parts[places[k].part], places[k], replace);
      }
    }
    out.row_count.push_back(static_cast<std::int64_t>(out.rows()) - out.row_begin.back());
  }
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (merge.rows_taken[p] == 0) continue;
    for (const ChainSource& source : parts[p]->source) {
      const auto same = [&](const ChainSource& s) { return s.name == source.name && s.sha256 == source.sha256; };
      if (std::none_of(out.source.begin(), out.source.end(), same)) out.source.push_back(source);
    }
  }
  return merge;
}

DailyCheck check_history(const DailyHistory& history, const Calendar& calendar) {
  DailyCheck check;
  if (history.rows() == 0) return check;
  const auto [low, high] = std::minmax_element(history.date.begin(), history.date.end());
  std::vector<Instant> session;
  for (Instant day = *low; day <= *high; day += kDaySeconds) {
    if (calendar.is_session(date_of(day))) session.push_back(day);
  }
  const auto place = [&session](Instant day) { return std::lower_bound(session.begin(), session.end(), day); };
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    const auto begin = static_cast<std::size_t>(history.row_begin[u]);
    const auto end = begin + static_cast<std::size_t>(history.row_count[u]);
    if (begin == end) continue;
    const std::int64_t sessions = place(history.date[end - 1] + 1) - place(history.date[begin]);
    const std::int64_t missing = std::max<std::int64_t>(0, sessions - history.row_count[u]);
    check.missing_sessions += missing;
    if (missing > 0) ++check.symbols_with_gaps;
    double before = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t i = begin; i < end; ++i) {
      const double close = history.close[i];
      if (std::isnan(close)) continue;
      if (std::abs(std::log(close / before)) > kNotableJump) check.jump.push_back({u, history.date[i], before, close});
      if (i > begin && close == history.close[i - 1] && history.volume[i] > 0.0 &&
          history.volume[i] == history.volume[i - 1]) {
        ++check.stale_rows;
      }
      before = close;
    }
  }
  return check;
}

std::string share_class_key(std::string symbol) {
  std::replace_if(
      symbol.begin(), symbol.end(), [](char c) { return c == '/' || c == '.'; }, '-');
  return symbol;
}

std::vector<double> average_daily_volume(const DailyHistory& history, std::span<const std::string> ticker, Date date,
                                         int most) {
  std::unordered_map<std::string, std::size_t> place;
  for (std::size_t u = 0; u < history.symbols(); ++u) place.try_emplace(share_class_key(history.symbol[u]), u);
  const Instant last = midnight_of(date), first = last - 365 * kDaySeconds;
  std::vector<double> volume;
  for (const std::string& name : ticker) {
    double sum = 0.0;
    int days = 0;
    if (const auto found = place.find(share_class_key(name)); found != place.end()) {
      const std::int64_t begin = history.row_begin[found->second];
      for (std::int64_t row = begin + history.row_count[found->second] - 1; row >= begin && days < most; --row) {
        const auto i = static_cast<std::size_t>(row);
        if (history.date[i] < first) break;
        if (history.date[i] > last || !(history.volume[i] > 0.0)) continue;
        sum += history.volume[i];
        ++days;
      }
    }
    volume.push_back(days > 0 ? sum / days : std::numeric_limits<double>::quiet_NaN());
  }
  return volume;
}

std::vector<double> mean_dollar_volume(const DailyHistory& history, const Calendar& calendar, Date date, int window,
                                       int least) {
  Session session = calendar.session_on_or_before(date);
  const Instant last = midnight_of(session.date);
  for (int i = 1; i < window; ++i) {
    session = calendar.session_on_or_before(Date{std::chrono::sys_days{session.date} - std::chrono::days{1}});
  }
  const Instant first = midnight_of(session.date);
  std::vector<double> means;
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    double sum = 0.0;
    int days = 0;
    for (std::int64_t row = history.row_begin[u]; row < history.row_begin[u] + history.row_count[u]; ++row) {
      const auto i = static_cast<std::size_t>(row);
      if (history.date[i] < first || history.date[i] > last) continue;
      const double dollars = history.close[i] * history.volume[i];
      if (!std::isfinite(dollars)) continue;
      sum += dollars;
      ++days;
    }
    means.push_back(days >= std::max(least, 1) ? sum / days : std::numeric_limits<double>::quiet_NaN());
  }
  return means;
}

std::vector<std::string> rank_by_dollar_volume(std::span<const std::string> symbol, std::span<const double> mean) {
  std::vector<std::size_t> order;
  for (std::size_t u = 0; u < symbol.size(); ++u) {
    if (!std::isnan(mean[u])) order.push_back(u);
  }
  // Symbols are sorted by bytes, so their index breaks ties by name.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return mean[a] > mean[b]; });
  std::vector<std::string> ranked;
  for (const std::size_t u : order) ranked.push_back(symbol[u]);
  return ranked;
}

std::vector<std::string> rank_by_dollar_volume(const DailyHistory& history, const Calendar& calendar, Date date,
                                               int window, int least) {
  return rank_by_dollar_volume(history.symbol, mean_dollar_volume(history, calendar, date, window, least));
}

}  // namespace greekgrid

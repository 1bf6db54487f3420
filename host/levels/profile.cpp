#include "greekgrid/host/profile.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace greekgrid {
namespace {

template <class Value>
void append_to(std::vector<Value>& to, const std::vector<Value>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

bool is_week_end(const Calendar& calendar, Date session) {
  // The last session of its week: the next one lies in another.
  const std::chrono::sys_days day(session), next(calendar.next_session(session).date);
  const auto monday = [](std::chrono::sys_days d) { return d - (std::chrono::weekday(d) - std::chrono::Monday); };
  return monday(day) != monday(next);
}

// The session of the monthly expiration of a month: its third Friday, or the session before.
Session monthly_expiration(const Calendar& calendar, std::chrono::year_month month) {
  return calendar.session_on_or_before(Date(month / std::chrono::Friday[3]));
}

}  // namespace

ExpiryBucket BucketEnds::of(Instant settlement) const {
  std::size_t bucket = 0;
  while (bucket < end.size() && settlement > end[bucket]) ++bucket;
  return static_cast<ExpiryBucket>(bucket);
}

BucketEnds bucket_ends(const Calendar& calendar, Instant quote_time) {
  BucketEnds ends;
  // The first close strictly after the quote ends the session in progress, or the next one.
  ends.end[0] = calendar.closes_after(quote_time, 1).front();
  Session session = calendar.next_session(new_york_date(ends.end[0]));
  while (!is_week_end(calendar, session.date)) session = calendar.next_session(session.date);
  ends.end[1] = session.close;
  const Date week = new_york_date(ends.end[1]);
  auto month = week.year() / week.month();
  while ((ends.end[2] = monthly_expiration(calendar, month).close) <= ends.end[1]) month += std::chrono::months(1);
  return ends;
}

void GroupExposures::resize(std::size_t cells) {
  for (auto* part : {&call, &put, &gross}) {
    for (std::vector<double>& column : *part) column.resize(cells);
  }
}
void GroupExposures::append(const GroupExposures& other) {
  for (std::size_t g = 0; g < kProfileGreeks.size(); ++g) {
    append_to(call[g], other.call[g]);
    append_to(put[g], other.put[g]);
    append_to(gross[g], other.gross[g]);
  }
}
void GroupContracts::resize(std::size_t rows) {
  for (auto* column : {&call_open_interest, &put_open_interest, &call_volume, &put_volume}) column->resize(rows);
}
void GroupContracts::append(const GroupContracts& other) {
  append_to(call_open_interest, other.call_open_interest);
  append_to(put_open_interest, other.put_open_interest);
  append_to(call_volume, other.call_volume);
  append_to(put_volume, other.put_volume);
}
void Profile::append(const Profile& other) {
  append_to(strike, other.strike);
  by_strike_count.append(other.by_strike_count);
  by_strike.append(other.by_strike);
  by_expiry_count.append(other.by_expiry_count);
  by_expiry.append(other.by_expiry);
  append_to(max_pain, other.max_pain);
  append_to(put_call_ratio_open_interest, other.put_call_ratio_open_interest);
  append_to(put_call_ratio_volume, other.put_call_ratio_volume);
  append_to(dx_without, other.dx_without);
  append_to(gx_without, other.gx_without);
  append_to(dx_after, other.dx_after);
  append_to(gx_after, other.gx_after);
  by_bucket_count.append(other.by_bucket_count);
  by_bucket.append(other.by_bucket);
}

Level max_pain(std::span<const double> strike, std::span<const std::int8_t> right,
               std::span<const double> open_interest, std::span<const double> multiplier) {
  struct AtStrike {
    double call = 0.0, put = 0.0;  // shares open
  };
  std::map<std::int64_t, AtStrike> strikes;
  double puts = 0.0, put_value = 0.0, total = 0.0;
  for (std::size_t i = 0; i < open_interest.size(); ++i) {
    const double shares = open_interest[i] * multiplier[i];
    AtStrike& at = strikes[std::llround(strike[i] * 1000.0)];
    (right[i] > 0 ? at.call : at.put) += shares;
    total += shares;
    if (right[i] < 0) {
      puts += shares;
      put_value += shares * strike[i];
    }
  }
  if (!(total > 0.0)) return Level::null(LevelStatus::kNoContracts);
  // What is paid is piecewise linear in the settlement price: one pass keeps it up to date.
  Level best;
  double least = 0.0, calls = 0.0, call_value = 0.0;
  const double rounding = 1e-13 * put_value;
  for (const auto& [thousandths, at] : strikes) {
    const double price = static_cast<double>(thousandths) / 1000.0;
    puts -= at.put;
    put_value -= at.put * price;
    const double paid = (calls * price - call_value) + (put_value - puts * price);
    calls += at.call;
    call_value += at.call * price;
    if (!best.ok() || paid < least - rounding) {
      best = Level::of(price);
      least = paid;
    }
  }
  return best;
}

Level put_call_ratio(std::span<const std::int8_t> right, std::span<const double> contracts) {
  double call = 0.0, put = 0.0;
  for (std::size_t i = 0; i < contracts.size(); ++i) {
    if (contracts[i] > 0.0) (right[i] > 0 ? call : put) += contracts[i];
  }
  return call > 0.0 ? Level::of(put / call) : Level::null(LevelStatus::kNoCalls);
}

Profile make_profile(const ProfileInputs& in) {
  const BookView& book = in.book;
  const std::size_t n = book.contracts(), expiries = book.expiries(), models = in.positions;
  Profile out;

  std::vector<std::int64_t> key(n);
  for (std::size_t i = 0; i < n; ++i) key[i] = std::llround(book.strike[i] * 1000.0);
  std::vector<std::int64_t> listed = key;
  std::sort(listed.begin(), listed.end());
  listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
  for (const std::int64_t thousandths : listed) out.strike.push_back(static_cast<double>(thousandths) / 1000.0);

  out.by_strike_count.resize(listed.size());
  out.by_strike.resize(listed.size() * models);
  out.by_expiry_count.resize(expiries);
  out.by_expiry.resize(expiries * models);
  out.by_bucket_count.resize(kBuckets);
  out.by_bucket.resize(kBuckets * models);

  for (std::size_t e = 0; e < expiries; ++e) {
    const auto begin = static_cast<std::size_t>(book.expiry_begin[e]);
    const std::size_t count = static_cast<std::size_t>(book.expiry_begin[e + 1]) - begin;
    const auto bucket = static_cast<std::size_t>(in.buckets.of(book.settlement[e]));
    for (std::size_t i = begin; i < begin + count; ++i) {
      const auto k = static_cast<std::size_t>(std::lower_bound(listed.begin(), listed.end(), key[i]) - listed.begin());
      const bool is_call = book.right[i] > 0;
      const auto add_count = [&](GroupContracts& counts, std::size_t row) {
        (is_call ? counts.call_open_interest : counts.put_open_interest)[row] += in.open_interest[i];
        if (in.volume[i] > 0.0) (is_call ? counts.call_volume : counts.put_volume)[row] += in.volume[i];
      };
      add_count(out.by_strike_count, k);
      add_count(out.by_expiry_count, e);
      add_count(out.by_bucket_count, bucket);
      for (std::size_t g = 0; g < kProfileGreeks.size(); ++g) {
        const double greek = in.greeks[static_cast<std::size_t>(kProfileGreeks[g]) * n + i];
        for (std::size_t w = 0; w < models; ++w) {
          const double exposure = book.weight[w * n + i] * greek;
          const auto add = [&](GroupExposures& sums, std::size_t row) {
            (is_call ? sums.call : sums.put)[g][row * models + w] += exposure;
            sums.gross[g][row * models + w] += std::abs(exposure);
          };
          add(out.by_strike, k);
          add(out.by_expiry, e);
          add(out.by_bucket, bucket);
        }
      }
    }
    const auto right = book.right.subspan(begin, count);
    out.max_pain.push_back(max_pain(book.strike.subspan(begin, count), right, in.open_interest.subspan(begin, count),
                                    in.multiplier.subspan(begin, count)));
    out.put_call_ratio_open_interest.push_back(put_call_ratio(right, in.open_interest.subspan(begin, count)));
    out.put_call_ratio_volume.push_back(put_call_ratio(right, in.volume.subspan(begin, count)));
  }

  // Sums over the expiries that are left, not differences of sums: what is left of a cancellation is exact.
  const auto left = [&](std::size_t g, std::size_t w, auto keeps) {
    double sum = 0.0;
    for (std::size_t e = 0; e < expiries; ++e) {
      if (keeps(e)) sum += out.by_expiry.call[g][e * models + w] + out.by_expiry.put[g][e * models + w];
    }
    return sum;
  };
  constexpr std::size_t kDelta = 0, kGamma = 1;  // places in kProfileGreeks
  for (std::size_t e = 0; e < expiries; ++e) {
    const auto others = [&](std::size_t other) { return other != e; };
    const auto later = [&](std::size_t other) { return book.settlement[other] > book.settlement[e]; };
    for (std::size_t w = 0; w < models; ++w) {
      out.dx_without.push_back(left(kDelta, w, others));
      out.gx_without.push_back(left(kGamma, w, others));
      out.dx_after.push_back(left(kDelta, w, later));
      out.gx_after.push_back(left(kGamma, w, later));
    }
  }
  return out;
}

}  // namespace greekgrid

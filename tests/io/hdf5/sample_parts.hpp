#pragma once

/// @file
/// A sample night cut into its tickers, and written by way of parts as a run does it.

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "greekgrid/io/night_part.hpp"
#include "sample.hpp"

namespace greekgrid::test {

/// Everything that the sample says of one ticker.
inline void cut(const SampleNight& from, std::size_t u, TickerNight& to) {
  const NightHeader& h = from.header;
  const std::string& ticker = h.ticker[u];
  const std::size_t positions = h.position.size();
  to.index = u;
  to.header = h;
  to.header.ticker = {ticker};
  for (const auto column :
       {&NightHeader::spot_reference, &NightHeader::spot_basis, &NightHeader::spot_scale, &NightHeader::expected_move,
        &NightHeader::average_daily_volume, &NightHeader::gamma_move}) {
    to.header.*column = {(h.*column).at(u)};
  }
  const Snapshot& all = from.snapshot;
  Snapshot& own = to.snapshot;
  const auto begin = static_cast<std::size_t>(all.contract_begin[u]),
             end = static_cast<std::size_t>(all.contract_begin[u + 1]);
  std::size_t first = 0, last = 0;  // expiries
  while (first < all.expiries() && all.expiry_ticker[first] != static_cast<std::int32_t>(u)) ++first;
  for (last = first; last < all.expiries() && all.expiry_ticker[last] == static_cast<std::int32_t>(u);) ++last;
  const auto part = [](const auto& column, std::size_t a, std::size_t b) {
    return std::decay_t<decltype(column)>(column.begin() + static_cast<std::ptrdiff_t>(a),
                                          column.begin() + static_cast<std::ptrdiff_t>(b));
  };
  own.quote_time = all.quote_time;
  own.ticker = {ticker};
  own.spot = {all.spot[u]};
  own.spot_basis = {all.spot_basis[u]};
  own.volatility = {all.volatility[u]};
  own.contract_begin = {0, static_cast<std::int64_t>(end - begin)};
  own.expiry_ticker.assign(last - first, 0);
  own.root = part(all.root, first, last);
  own.settlement = part(all.settlement, first, last);
  own.exercise = part(all.exercise, first, last);
  own.style = part(all.style, first, last);
  own.rate = part(all.rate, first, last);
  own.dividend_yield = part(all.dividend_yield, first, last);
  own.forward_source = part(all.forward_source, first, last);
  own.smile = part(all.smile, first, last);
  own.expiry_volatility = part(all.expiry_volatility, first, last);
  own.contract_expiry = part(all.contract_expiry, begin, end);
  for (std::int32_t& e : own.contract_expiry) e -= static_cast<std::int32_t>(first);
  own.chain_row = part(all.chain_row, begin, end);
  own.right = part(all.right, begin, end);
  own.iv_source = part(all.iv_source, begin, end);
  own.quote_status = part(all.quote_status, begin, end);
  for (const auto column : {&Snapshot::strike, &Snapshot::multiplier, &Snapshot::open_interest, &Snapshot::volume,
                            &Snapshot::implied_volatility, &Snapshot::column_position}) {
    own.*column = part(all.*column, begin, end);
  }
  own.quality = {all.quality[u]};

  const NightTables& t = from.tables;
  NightTables& out = to.tables;
  out.snapshot = &own;
  const auto of_ticker = [&](const auto& rows) {
    std::decay_t<decltype(rows)> some;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(some),
                 [&](const auto& row) { return row.ticker == ticker; });
    return some;
  };
  out.level = of_ticker(t.level);
  out.crossing = of_ticker(t.crossing);
  out.ladder = of_ticker(t.ladder);
  out.line = of_ticker(t.line);
  if (!h.intraday.time.empty()) {
    out.path = part(t.path, u * positions, (u + 1) * positions);
    out.half_band = part(t.half_band, u * positions, (u + 1) * positions);
  }
  const auto s0 = static_cast<std::size_t>(t.strike_begin[u]), s1 = s0 + static_cast<std::size_t>(t.strike_count[u]);
  out.strike_begin = {0};
  out.strike_count = {t.strike_count[u]};
  out.profile.strike = part(t.profile.strike, s0, s1);
  const auto counts = [&](const GroupContracts& a, std::size_t b, std::size_t e) {
    GroupContracts c;
    for (const auto column : {&GroupContracts::call_open_interest, &GroupContracts::put_open_interest,
                              &GroupContracts::call_volume, &GroupContracts::put_volume}) {
      c.*column = part(a.*column, b, e);
    }
    return c;
  };
  const auto sums = [&](const GroupExposures& a, std::size_t b, std::size_t e) {
    GroupExposures c;
    for (std::size_t g = 0; g < kProfileGreeks.size(); ++g) {
      c.call[g] = part(a.call[g], b, e);
      c.put[g] = part(a.put[g], b, e);
      c.gross[g] = part(a.gross[g], b, e);
    }
    return c;
  };
  out.profile.by_strike_count = counts(t.profile.by_strike_count, s0, s1);
  out.profile.by_strike = sums(t.profile.by_strike, s0 * positions, s1 * positions);
  out.profile.by_expiry_count = counts(t.profile.by_expiry_count, first, last);
  out.profile.by_expiry = sums(t.profile.by_expiry, first * positions, last * positions);
  out.profile.max_pain = part(t.profile.max_pain, first, last);
  out.profile.put_call_ratio_open_interest = part(t.profile.put_call_ratio_open_interest, first, last);
  out.profile.put_call_ratio_volume = part(t.profile.put_call_ratio_volume, first, last);
  for (const auto column : {&Profile::dx_without, &Profile::gx_without, &Profile::dx_after, &Profile::gx_after}) {
    out.profile.*column = part(t.profile.*column, first * positions, last * positions);
  }
  out.profile.by_bucket_count = counts(t.profile.by_bucket_count, u * kBuckets, (u + 1) * kBuckets);
  out.profile.by_bucket = sums(t.profile.by_bucket, u * kBuckets * positions, (u + 1) * kBuckets * positions);
  const std::size_t terms = positions * h.moves.size() * kAttributionTerms;
  out.attribution.by_expiry = part(t.attribution.by_expiry, first * terms, last * terms);
  out.attribution.by_strike = part(t.attribution.by_strike, s0 * terms, s1 * terms);
  out.outlook = {t.outlook[u]};
  out.dealer_position = part(t.dealer_position, begin * positions, end * positions);
  const std::size_t n = all.contracts();
  for (std::size_t g = 0; g < kGreekCount; ++g) {
    const std::vector<double> one = part(t.greeks, g * n + begin, g * n + end);
    out.greeks.insert(out.greeks.end(), one.begin(), one.end());
  }
  to.symbol = ticker;
  to.cells = from.cells(u);
  if (!h.intraday.time.empty()) to.session = from.session(u);
  if (h.outlook.stored) {
    to.steps = from.steps(u);
    to.header.outlook.close = whole_chunks(to.steps.step.front().axis);
  }
}

inline NightIdentity identity_of(const SampleNight& night, std::int32_t shard = 1, std::int32_t shards = 1) {
  NightIdentity identity;
  identity.axes = night.header;
  identity.axes.outlook.close = whole_chunks({});
  for (const auto column :
       {&NightHeader::spot_reference, &NightHeader::spot_basis, &NightHeader::spot_scale, &NightHeader::expected_move,
        &NightHeader::average_daily_volume, &NightHeader::gamma_move}) {
    (identity.axes.*column).clear();
  }
  identity.axes.ticker.clear();
  identity.texts = night.texts;
  identity.ticker = night.header.ticker;
  identity.fact = {{"configuration", "spots = 5"}, {"chain", "0123"}};
  for (const TickerQuality& row : night.snapshot.quality) {
    if (row.status == TickerStatus::kNotInChain) identity.absent.push_back(row);
  }
  identity.shard = shard;
  identity.shards = shards;
  return identity;
}

/// Appends tickers in blocks of `block`; `change` may spoil one before.
inline void append(NightPart& part, const SampleNight& night, const std::vector<std::size_t>& tickers,
                   std::size_t block = 5, const std::function<void(TickerNight&)>& change = {}) {
  for (std::size_t begin = 0; begin < tickers.size(); begin += block) {
    const std::size_t end = std::min(begin + block, tickers.size());
    std::vector<TickerNight> nights(end - begin);
    for (std::size_t k = 0; k < nights.size(); ++k) {
      cut(night, tickers[begin + k], nights[k]);
      if (change) change(nights[k]);
    }
    part.append(nights);
  }
}

inline std::vector<std::size_t> all_of(const SampleNight& night) {
  std::vector<std::size_t> order(night.header.ticker.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

/// A night by way of one part, which is removed.
inline NightStatistics write_night(const std::filesystem::path& file, const SampleNight& night,
                                   const std::function<void(TickerNight&)>& change = {}) {
  const std::filesystem::path path = file.string() + ".part";
  NightPart part = NightPart::create(path, identity_of(night), file.string());
  std::filesystem::remove(path);  // the open file is all that is needed
  append(part, night, all_of(night), 5, change);
  const NightPart* parts[] = {&part};
  return write_night_file(parts, file);
}

}  // namespace greekgrid::test

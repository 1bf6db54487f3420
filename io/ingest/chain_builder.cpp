#include "chain_builder.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <map>
#include <optional>

namespace greekgrid::ingest_detail {
namespace {

/// New York wall clock with its offset, such as 2024-01-05T09:30:00-05:00.
std::string iso_new_york(Instant instant) {
  const Date date = new_york_date(instant);
  const int second = new_york_second_of_day(instant);
  const Instant offset = Instant{day_number(date)} * 86400 + second - instant;
  char text[64];
  std::snprintf(text, sizeof text, "%sT%02d:%02d:%02d%c%02d:%02d", iso_date(date).c_str(), second / 3600,
                second / 60 % 60, second % 60, offset < 0 ? '-' : '+', static_cast<int>(std::abs(offset) / 3600),
                static_cast<int>(std::abs(offset) / 60 % 60));
  return text;
}

/// A row on its way into the chain: what it is sorted by and where it came from.
struct Entry {
  Instant settlement;
  std::int64_t contract;  // strike in thousandths, doubled, plus 1 for a call
  const ContractRow* row;
  std::uint32_t root;  // rank by bytes
  std::uint32_t source;
};

bool before(const Entry& a, const Entry& b) {
  if (a.settlement != b.settlement) return a.settlement < b.settlement;
  if (a.root != b.root) return a.root < b.root;
  return a.contract < b.contract;
}

bool same_contract(const Entry& a, const Entry& b) {
  return a.settlement == b.settlement && a.root == b.root && a.contract == b.contract;
}

/// What the row says of its class, or else what its root does.
RootRule convention_of(const ContractRow& row, std::string_view root) {
  RootRule rule = root_rule(root);
  if ((row.convention & 3) != 0) rule.style = static_cast<SettlementStyle>(row.convention & 3);
  if (row.convention >> 2 != 0) rule.exercise = static_cast<Exercise>((row.convention >> 2) - 1);
  return rule;
}

[[noreturn]] void refuse_empty(const std::string& label, const std::map<std::string, std::int64_t>& refused,
                               std::int64_t rows_in) {
  std::string why = "it lists no contracts";
  if (rows_in > 0) {
    const auto most = std::max_element(refused.begin(), refused.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    why = "all " + std::to_string(rows_in) + " refused";
    if (most != refused.end()) why += ", most often by " + most->first;
  }
  throw InputError(label + ": no usable row (" + why + ") check the file and its format");
}

/// Where rows carry the stamp and every row was refused, the rows are what is wrong.
void check_rows(const SourceRows& source) {
  std::map<std::string, std::int64_t> refused;
  std::int64_t rows_in = 0;
  for (const RowBlock& block : source.block) {
    if (!block.row.empty()) return;
    rows_in += block.rows_in;
    for (const Diagnostic& reject : block.reject) ++refused[reject.rule];
  }
  if (rows_in > 0) refuse_empty(source.label, refused, rows_in);
}

void check_same_instant(const std::vector<SourceRows>& sources) {
  for (const SourceRows& source : sources) {
    if (source.quote_time == 0) {
      check_rows(source);
      throw InputError(
          source.label +
          ": the stamp cannot be read (no date line with a known time zone) give the instant with --quote-time");
    }
    if (source.quote_time != sources.front().quote_time) {
      throw InputError(source.label + ": quotes of another instant (" + iso_utc(source.quote_time) + " here, " +
                       iso_utc(sources.front().quote_time) + " in " + sources.front().label +
                       ") ingest them apart or give one instant with --quote-time");
    }
  }
}

void check_session(const std::vector<SourceRows>& sources, Date session) {
  for (const SourceRows& source : sources) {
    // Files that name the session of each row were searched for it already.
    if (source.quote_time != 0 && new_york_date(source.quote_time) != session && !source.open_interest_session) {
      throw InputError(source.label + ": quotes of another session (" + iso_date(new_york_date(source.quote_time)) +
                       " here, " + iso_date(session) + " with --session) leave --session out");
    }
  }
}

/// Prices that the command line gives, by ticker.
void set_spots(OptionChain& chain, const std::map<std::string, double>& given) {
  for (const auto& [symbol, price] : given) {
    const std::string ticker = normal_ticker(symbol).value_or(symbol);
    const auto it = std::lower_bound(chain.ticker.begin(), chain.ticker.end(), ticker);
    if (it == chain.ticker.end() || *it != ticker) {
      throw InputError("--spot " + symbol + ": no such underlying (none of the files lists it) check the symbol");
    }
    chain.spot[static_cast<std::size_t>(it - chain.ticker.begin())] = price;
  }
}

}  // namespace

std::string iso_date(Date date) {
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()));
  return text;
}

std::string iso_utc(Instant instant) {
  const Instant day = instant >= 0 ? instant / 86400 : -((-instant + 86399) / 86400);
  const int second = static_cast<int>(instant - day * 86400);
  char text[48];
  std::snprintf(text, sizeof text, "%sT%02d:%02d:%02dZ", iso_date(date_of(static_cast<DayNumber>(day))).c_str(),
                second / 3600, second / 60 % 60, second % 60);
  return text;
}

/// It is taken as known at the open of D, the latest instant that "morning" allows. D is the session that the quotes
/// belong to, because vendors roll open interest and quotes together (a file fetched before the open still lists the
/// contracts that expired the day before), unless the source says otherwise.
OpenInterestDates open_interest_dates(const std::vector<SourceRows>& sources, const Calendar& calendar) {
  std::optional<Date> session;
  for (const SourceRows& source : sources) {
    if (source.quote_time == 0 && !source.open_interest_session) return {};
    const Date date =
        source.open_interest_session ? date_of(*source.open_interest_session) : new_york_date(source.quote_time);
    if (session && *session != date) return {};  // of different days: unknown for the whole
    session = date;
  }
  if (!session) return {};
  const Session published = calendar.session_on_or_before(*session);
  const Session settled =
      calendar.session_on_or_before(Date{std::chrono::sys_days{published.date} - std::chrono::days{1}});
  return {iso_date(settled.date), iso_new_york(published.open)};
}

std::vector<ChainSource> provenance(const std::vector<SourceRows>& sources) {
  std::vector<ChainSource> list;
  for (std::size_t s = 0; s < sources.size(); ++s) {
    const bool archive = !sources[s].file.empty();
    // Members of one archive stand side by side.
    if (archive && s > 0 && sources[s - 1].file == sources[s].file && sources[s - 1].sha256 == sources[s].sha256) {
      continue;
    }
    list.push_back({archive ? sources[s].file : sources[s].name, sources[s].sha256});
  }
  return list;
}

std::int32_t RowBlock::intern(std::string_view text) {
  if (const auto it = index_.find(text); it != index_.end()) return it->second;
  const auto id = static_cast<std::int32_t>(symbol.size());
  symbol.emplace_back(text);
  index_.emplace(std::string(text), id);
  return id;
}

std::string symbol_text(const ContractRow& row, std::string_view root) {
  const Date date = date_of(row.expiration);
  char text[80];
  std::snprintf(text, sizeof text, "%.*s%02d%02u%02u%c%08lld", static_cast<int>(root.size()), root.data(),
                static_cast<int>(date.year()) % 100, static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), row.right > 0 ? 'C' : 'P', static_cast<long long>(row.strike));
  return text;
}

std::string_view store_quantity(ContractRow& row, const Quantity& quantity, const Number& number) {
  if (number.kind == NumberKind::kBad) return rule::kBadNumber;
  if (number.kind == NumberKind::kNonFinite) return rule::kNonFinite;
  if (!quantity.may_be_negative && number.value < 0.0) return rule::kNegative;
  row.*quantity.slot = number.value;
  return {};
}

std::string_view check_strike(const Number& number, double tolerance, const std::int64_t* symbol_strike,
                              std::int64_t& strike) {
  if (number.kind == NumberKind::kMissing) return rule::kMissingStrike;
  if (number.kind == NumberKind::kBad) return rule::kBadNumber;
  if (number.kind == NumberKind::kNonFinite) return rule::kNonFinite;
  if (number.value <= 0.0) return rule::kNonpositiveStrike;
  if (symbol_strike != nullptr) {
    if (*symbol_strike <= 0) return rule::kNonpositiveStrike;
    const double listed = static_cast<double>(*symbol_strike) / 1000.0;
    if (!(std::abs(number.value - listed) <= tolerance)) return rule::kContradictsSymbol;
    strike = *symbol_strike;
    return {};
  }
  const std::optional<std::int64_t> thousandths = strike_thousandths(number.value);
  if (!thousandths || *thousandths <= 0) return rule::kStrikeResolution;
  strike = *thousandths;
  return {};
}

std::string_view check_strike(std::string_view text, const std::int64_t* symbol_strike, std::int64_t& strike) {
  return check_strike(parse_number(text), strike_tolerance(text), symbol_strike, strike);
}

OptionChain build_chain(std::vector<SourceRows> sources, const Calendar& calendar, const IngestOptions& options) {
  OptionChain chain;
  if (!options.quote_time) check_same_instant(sources);
  if (options.session) check_session(sources, *options.session);
  if (!sources.empty()) chain.quote_time = options.quote_time.value_or(sources.front().quote_time);
  for (const SourceRows& source : sources) {
    chain.file_time = std::max(chain.file_time, source.file_time);
    for (const RowBlock& block : source.block) {
      chain.rows_in += block.rows_in;
      chain.rows_other_sessions += block.other_sessions;
    }
  }
  chain.source = provenance(sources);
  if (chain.file_time == 0) chain.file_time = chain.quote_time;
  const OpenInterestDates dates = open_interest_dates(sources, calendar);
  chain.open_interest_settle_date = dates.settled;
  chain.open_interest_knowledge_time = dates.known;

  // One ranking of every symbol, by bytes, serves tickers and roots.
  std::vector<std::string> name;
  for (const SourceRows& source : sources) {
    for (const RowBlock& block : source.block) name.insert(name.end(), block.symbol.begin(), block.symbol.end());
  }
  std::sort(name.begin(), name.end());
  name.erase(std::unique(name.begin(), name.end()), name.end());

  std::vector<Diagnostics> rejects(sources.size());  // by source; there may be as many as rows, so none is copied
  const auto refuse = [&rejects, &name](const Entry& entry, std::uint32_t ticker, std::string_view why,
                                        const std::string& file) {
    rejects[entry.source].push_back(
        {file, entry.row->line, "contract", std::string(why), symbol_text(*entry.row, name[entry.root]), name[ticker]});
  };

  std::size_t total = 0;
  for (const SourceRows& source : sources) {
    for (const RowBlock& block : source.block) total += block.row.size();
  }
  std::vector<Entry> entry;
  std::vector<std::uint32_t> entry_ticker;
  entry.reserve(total);
  entry_ticker.reserve(total);
  std::unordered_map<std::uint64_t, Instant> settled;
  std::vector<std::uint32_t> rank;
  for (std::size_t s = 0; s < sources.size(); ++s) {
    std::size_t stale = 0;
    const std::size_t fresh_before = entry.size();
    for (RowBlock& block : sources[s].block) {
      for (Diagnostic& reject : block.reject) {
        reject.file = sources[s].name;
        rejects[s].push_back(std::move(reject));
      }
      block.reject = {};
      rank.clear();
      for (const std::string& symbol : block.symbol) {
        rank.push_back(static_cast<std::uint32_t>(std::lower_bound(name.begin(), name.end(), symbol) - name.begin()));
      }
      std::uint64_t last_key = ~std::uint64_t{0};
      Instant settlement = 0;
      std::uint8_t last_style = 0;
      for (const ContractRow& row : block.row) {
        const std::uint32_t root = rank[static_cast<std::size_t>(row.root)];
        const std::uint32_t ticker = rank[static_cast<std::size_t>(row.ticker)];
        const std::uint64_t key = (std::uint64_t{root} << 32) | static_cast<std::uint32_t>(row.expiration);
        if (key != last_key || (row.convention & 3) != last_style) {
          last_style = row.convention & 3;
          // Days of our calendar need fewer than 20 bits, so the style finds room.
          const auto [it, inserted] = settled.try_emplace(key | (std::uint64_t{last_style} << 28), 0);
          if (inserted) {
            it->second = calendar.settlement(date_of(row.expiration), convention_of(row, name[root]).style);
          }
          settlement = it->second;
          last_key = key;
        }
        const Entry made{settlement, row.strike * 2 + (row.right > 0 ? 1 : 0), &row, root,
                         static_cast<std::uint32_t>(s)};
        // The clearing house sums the classes of an index that share a date and a strike.
        if (sources[s].open_interest_session && !sources[s].roots_known && has_several_roots(name[ticker]) &&
            is_monthly_expiration(row.expiration, calendar)) {
          refuse(made, ticker, rule::kAmbiguousRoot, sources[s].name);
          continue;
        }
        if (row.stamp != 0 && row.stamp < sources[s].stale_before) {
          refuse(made, ticker, sources[s].snapshots ? rule::kEarlierSnapshot : rule::kStaleTicker, sources[s].name);
          rejects[s].back().field = "updated";
          rejects[s].back().value = iso_utc(row.stamp);
          if (!sources[s].snapshots) ++stale;
          continue;
        }
        entry.push_back(made);
        entry_ticker.push_back(ticker);
      }
    }
    // One wrong stamp in the future must not pass for the file's and cost all the others.
    if (stale > entry.size() - fresh_before) {
      throw InputError(sources[s].label + ": most rows are stale (" + std::to_string(stale) + " of " +
                       std::to_string(stale + entry.size() - fresh_before) +
                       " are stamped more than one session before the newest, " + iso_utc(sources[s].file_time) +
                       ") correct that stamp");
    }
  }

  // Counting sort by ticker keeps the order of the files inside a ticker.
  std::vector<std::size_t> offset(name.size() + 1, 0);
  for (const std::uint32_t ticker : entry_ticker) ++offset[ticker + 1];
  for (std::size_t i = 1; i < offset.size(); ++i) offset[i] += offset[i - 1];
  std::vector<Entry> sorted(entry.size());
  {
    std::vector<std::size_t> next(offset.begin(), offset.end() - 1);
    for (std::size_t i = 0; i < entry.size(); ++i) sorted[next[entry_ticker[i]]++] = entry[i];
  }
  entry = {};
  entry_ticker = {};

  std::vector<std::uint32_t> listed;  // tickers that have rows
  for (std::uint32_t t = 0; t < name.size(); ++t) {
    if (offset[t + 1] > offset[t]) listed.push_back(t);
  }
  std::vector<std::size_t> kept(listed.size(), 0);  // rows
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> repeated(listed.size());
  std::vector<std::vector<std::size_t>> expiry_begin(listed.size());  // of the kept rows
  std::vector<double> spot(listed.size(), std::numeric_limits<double>::quiet_NaN());
  tbb::parallel_for(std::size_t{0}, listed.size(), [&](std::size_t u) {
    Entry* const begin = sorted.data() + offset[listed[u]];
    Entry* const end = sorted.data() + offset[listed[u] + 1];
    for (const Entry* e = begin; e != end; ++e) {
      if (!std::isnan(e->row->spot)) {
        spot[u] = e->row->spot;
        break;
      }
    }
    if (!std::is_sorted(begin, end, before)) std::stable_sort(begin, end, before);
    // Kept rows move to the front, repeated ones behind them in their order.
    std::vector<Entry> copies;
    Entry* out = begin;
    for (Entry* e = begin; e != end; ++e) {
      if (out != begin && same_contract(out[-1], *e)) {
        copies.push_back(*e);
        continue;
      }
      if (out == begin || out[-1].settlement != e->settlement || out[-1].root != e->root) {
        expiry_begin[u].push_back(static_cast<std::size_t>(out - begin));
      }
      *out++ = *e;
    }
    kept[u] = static_cast<std::size_t>(out - begin);
    std::copy(copies.begin(), copies.end(), out);
  });
  for (std::size_t u = 0; u < listed.size(); ++u) {
    for (std::size_t i = offset[listed[u]] + kept[u]; i < offset[listed[u] + 1]; ++i) {
      refuse(sorted[i], listed[u], rule::kDuplicateContract, sources[sorted[i].source].name);
    }
  }

  std::vector<std::size_t> contract_begin(listed.size() + 1, 0), expiry_offset(listed.size() + 1, 0);
  for (std::size_t u = 0; u < listed.size(); ++u) {
    contract_begin[u + 1] = contract_begin[u] + kept[u];
    expiry_offset[u + 1] = expiry_offset[u] + expiry_begin[u].size();
  }
  const std::size_t contracts = contract_begin.back();
  const std::size_t expiries = expiry_offset.back();

  for (Diagnostics& list : rejects) {
    const auto by_row = [](const Diagnostic& a, const Diagnostic& b) { return a.row < b.row; };
    if (!std::is_sorted(list.begin(), list.end(), by_row)) std::stable_sort(list.begin(), list.end(), by_row);
    if (chain.rejects.empty()) {
      chain.rejects = std::move(list);
    } else {
      std::move(list.begin(), list.end(), std::back_inserter(chain.rejects));
    }
  }
  if (contracts == 0) {
    std::map<std::string, std::int64_t> refused;
    for (const Diagnostic& reject : chain.rejects) ++refused[reject.rule];
    refuse_empty(sources.empty() ? std::string("input") : sources.front().label, refused, chain.rows_in);
  }

  chain.ticker.resize(listed.size());
  chain.spot = std::move(spot);
  chain.contract_begin.resize(listed.size());
  chain.contract_count.resize(listed.size());
  chain.expiry_ticker.resize(expiries);
  chain.root.resize(expiries);
  chain.settlement.resize(expiries);
  chain.exercise.resize(expiries);
  chain.style.resize(expiries);
  chain.contract_expiry.resize(contracts);
  chain.right.resize(contracts);
  for (std::vector<double>* column :
       {&chain.strike, &chain.multiplier, &chain.bid, &chain.ask, &chain.last, &chain.volume, &chain.open_interest,
        &chain.vendor_iv, &chain.vendor_delta, &chain.vendor_gamma}) {
    column->resize(contracts);
  }
  tbb::parallel_for(std::size_t{0}, listed.size(), [&](std::size_t u) {
    chain.ticker[u] = name[listed[u]];
    chain.contract_begin[u] = static_cast<std::int64_t>(contract_begin[u]);
    chain.contract_count[u] = static_cast<std::int64_t>(kept[u]);
    const Entry* const rows = sorted.data() + offset[listed[u]];
    std::size_t next_expiry = 0;
    for (std::size_t i = 0; i < kept[u]; ++i) {
      if (next_expiry < expiry_begin[u].size() && expiry_begin[u][next_expiry] == i) {
        const std::size_t e = expiry_offset[u] + next_expiry++;
        const RootRule convention = convention_of(*rows[i].row, name[rows[i].root]);
        chain.expiry_ticker[e] = static_cast<std::int32_t>(u);
        chain.root[e] = name[rows[i].root];
        chain.settlement[e] = rows[i].settlement;
        chain.exercise[e] = convention.exercise;
        chain.style[e] = convention.style;
      }
      const std::size_t n = contract_begin[u] + i;
      const ContractRow& row = *rows[i].row;
      chain.contract_expiry[n] = static_cast<std::int32_t>(expiry_offset[u] + next_expiry - 1);
      chain.strike[n] = static_cast<double>(row.strike) / 1000.0;
      chain.right[n] = row.right;
      chain.multiplier[n] = row.multiplier;
      chain.bid[n] = row.bid;
      chain.ask[n] = row.ask;
      chain.last[n] = row.last;
      chain.volume[n] = row.volume;
      chain.open_interest[n] = row.open_interest;
      chain.vendor_iv[n] = row.iv;
      chain.vendor_delta[n] = row.delta;
      chain.vendor_gamma[n] = row.gamma;
    }
  });
  set_spots(chain, options.spot);
  return chain;
}

}  // namespace greekgrid::ingest_detail

// New open interest for a chain whose quotes stay.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "chain_builder.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/ingest.hpp"
#include "sources.hpp"

namespace greekgrid {
namespace {

using namespace ingest_detail;

/// A contract without its root.
struct Key {
  std::int32_t ticker;
  DayNumber settled;    // New York date
  std::int64_t strike;  // thousandths
  std::int8_t right;
  auto order() const { return std::tie(ticker, settled, strike, right); }
};

struct Listed {
  Key key;
  std::size_t contract;
};

std::vector<Listed> contracts_of(const OptionChain& chain) {
  std::vector<DayNumber> settled;
  for (const Instant instant : chain.settlement) settled.push_back(day_number(new_york_date(instant)));
  std::vector<Listed> list;
  list.reserve(chain.contracts());
  for (std::size_t n = 0; n < chain.contracts(); ++n) {
    const auto e = static_cast<std::size_t>(chain.contract_expiry[n]);
    list.push_back({{chain.expiry_ticker[e], settled[e], std::llround(chain.strike[n] * 1000.0), chain.right[n]}, n});
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const Listed& a, const Listed& b) { return a.key.order() < b.key.order(); });
  return list;
}

/// A chains.h5 as a source of open interest: its contracts as rows, numbered as in the file.
SourceRows rows_of(const OptionChain& chain, const std::filesystem::path& path, const Calendar& calendar) {
  SourceRows source;
  source.name = path.filename().string();
  source.label = path.string();
  const std::optional<DayNumber> settled = parse_iso_date(chain.open_interest_settle_date);
  if (!settled) {
    throw InputError(source.label +
                     ": the date of its open interest is unknown (open_interest_settle_date is empty) "
                     "give the vendor's file");
  }
  source.open_interest_session = day_number(calendar.next_session(date_of(*settled)).date);
  source.quote_time = chain.quote_time;
  RowBlock block;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t n = 0; n < chain.contracts(); ++n) {
    const auto e = static_cast<std::size_t>(chain.contract_expiry[n]);
    const std::int32_t ticker = block.intern(chain.ticker[static_cast<std::size_t>(chain.expiry_ticker[e])]);
    const std::int32_t root = block.intern(chain.root[e]);
    block.row.push_back({nan, nan, nan, nan, chain.open_interest[n], nan, nan, nan, nan,
                         std::llround(chain.strike[n] * 1000.0), 0, static_cast<std::int64_t>(n), ticker, root,
                         day_number(new_york_date(chain.settlement[e])), chain.right[n]});
  }
  block.rows_in = static_cast<std::int64_t>(block.row.size());
  source.block.push_back(std::move(block));
  return source;
}

}  // namespace

OpenInterestRefresh refresh_open_interest(OptionChain& chain, std::span<const std::filesystem::path> files,
                                          const Calendar& calendar, const IngestOptions& options, bool keep_old) {
  std::vector<SourceRows> sources;
  std::vector<ChainSource> origin;
  if (files.empty()) throw InputError("input: no file of open interest named (nothing to do) name one");
  for (const std::filesystem::path& file : files) {
    if (is_hdf5_file(file)) {
      const OptionChain later = read_chain_file(file);
      sources.push_back(rows_of(later, file, calendar));
      origin.insert(origin.end(), later.source.begin(), later.source.end());
      continue;
    }
    std::vector<SourceRows> parsed = parse_files(std::span(&file, 1), calendar, options);
    for (ChainSource& source : provenance(parsed)) origin.push_back(std::move(source));
    std::move(parsed.begin(), parsed.end(), std::back_inserter(sources));
  }
  if (options.quote_time) {
    for (SourceRows& source : sources) source.quote_time = *options.quote_time;
  }
  const OpenInterestDates dates = open_interest_dates(sources, calendar);
  if (dates.settled.empty()) {
    throw InputError(sources.front().label +
                     ": the open interest has no one date (no stamp, or files of several sessions) give files of one "
                     "session, or the instant of their quotes with --quote-time");
  }

  OpenInterestRefresh refresh;
  const std::vector<Listed> list = contracts_of(chain);
  std::vector<bool> replaced(chain.contracts(), false), refreshed(chain.tickers(), false);
  for (SourceRows& source : sources) {
    for (RowBlock& block : source.block) {
      refresh.rows_in += block.rows_in;
      for (Diagnostic& reject : block.reject) {
        reject.file = source.name;
        refresh.rejects.push_back(std::move(reject));
      }
      std::vector<std::int32_t> ticker;
      for (const std::string& symbol : block.symbol) {
        const auto it = std::lower_bound(chain.ticker.begin(), chain.ticker.end(), symbol);
        ticker.push_back(
            it == chain.ticker.end() || *it != symbol ? -1 : static_cast<std::int32_t>(it - chain.ticker.begin()));
      }
      std::unordered_map<DayNumber, DayNumber> settled;
      for (const ContractRow& row : block.row) {
        const std::string& root = block.symbol[static_cast<std::size_t>(row.root)];
        const auto refuse = [&](std::string_view why) {
          refresh.rejects.push_back({source.name, row.line, "contract", std::string(why),
                                     symbol_text(row, source.roots_known ? root : std::string()),
                                     block.symbol[static_cast<std::size_t>(row.ticker)]});
        };
        const std::int32_t u = ticker[static_cast<std::size_t>(row.ticker)];
        if (u < 0) {
          refuse(rule::kNotInChain);
          continue;
        }
        refreshed[static_cast<std::size_t>(u)] = true;
        if (std::isnan(row.open_interest)) {
          refuse(rule::kMissingOpenInterest);
          continue;
        }
        const auto [day, inserted] = settled.try_emplace(row.expiration, 0);
        if (inserted) {
          // AM and PM classes settle on the same day.
          day->second = day_number(new_york_date(calendar.settlement(date_of(row.expiration), SettlementStyle::kPm)));
        }
        const Key key{u, day->second, row.strike, row.right};
        auto [first, last] =
            std::equal_range(list.begin(), list.end(), Listed{key, 0},
                             [](const Listed& a, const Listed& b) { return a.key.order() < b.key.order(); });
        const auto root_of = [&](const Listed& one) -> const std::string& {
          return chain.root[static_cast<std::size_t>(chain.contract_expiry[one.contract])];
        };
        if (source.roots_known) {
          first = std::find_if(first, last, [&](const Listed& one) { return root_of(one) == root; });
          if (first != last) last = first + 1;
        }
        if (last - first > 1) {
          refuse(rule::kAmbiguousRoot);
        } else if (first == last) {
          refuse(rule::kNotInChain);
        } else if (replaced[first->contract]) {
          refuse(rule::kDuplicateContract);
        } else {
          replaced[first->contract] = true;
          chain.open_interest[first->contract] = row.open_interest;
          ++refresh.replaced;
        }
      }
    }
  }
  if (refresh.replaced == 0) {
    throw InputError(sources.front().label + ": no row fits the chain (" + std::to_string(refresh.rows_in) +
                     " rows of other underlyings or contracts) check that both are of the same underlying");
  }

  bool mixed = false;
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    const auto begin = static_cast<std::size_t>(chain.contract_begin[u]);
    const auto end = begin + static_cast<std::size_t>(chain.contract_count[u]);
    for (std::size_t n = begin; n < end; ++n) {
      if (replaced[n]) continue;
      if (refreshed[u]) {
        ++refresh.without_new;
        if (!keep_old) chain.open_interest[n] = std::numeric_limits<double>::quiet_NaN();
        mixed = mixed || keep_old;
      } else {
        ++refresh.other_tickers;
        mixed = true;
      }
    }
  }
  // One date for the whole, or none.
  mixed =
      mixed && (chain.open_interest_settle_date != dates.settled || chain.open_interest_knowledge_time != dates.known);
  chain.open_interest_settle_date = mixed ? std::string() : dates.settled;
  chain.open_interest_knowledge_time = mixed ? std::string() : dates.known;
  chain.source.insert(chain.source.end(), origin.begin(), origin.end());
  return refresh;
}

}  // namespace greekgrid

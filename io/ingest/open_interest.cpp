// New open interest for a chain whose quotes stay.

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "chain_builder.hpp"
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

}  // namespace

OpenInterestRefresh refresh_open_interest(OptionChain& chain, std::span<const std::filesystem::path> files,
                                          const Calendar& calendar, const IngestOptions& options, bool keep_old) {
  std::vector<SourceRows> sources = parse_files(files, calendar, options);
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
  for (ChainSource& source : provenance(sources)) chain.source.push_back(std::move(source));
  return refresh;
}

}  // namespace greekgrid

#include "greekgrid/host/chain.hpp"

#include <algorithm>

namespace greekgrid {

OptionChain part_of(const OptionChain& chain, std::span<const std::size_t> ticker) {
  OptionChain part;
  part.quote_time = chain.quote_time;
  part.file_time = chain.file_time;
  part.open_interest_settle_date = chain.open_interest_settle_date;
  part.open_interest_knowledge_time = chain.open_interest_knowledge_time;
  part.source = chain.source;
  for (const std::size_t u : ticker) {
    const auto number = static_cast<std::int32_t>(part.tickers());
    part.whole_ticker.push_back(u);
    part.whole_contract.push_back(chain.contract_begin[u]);
    part.ticker.push_back(chain.ticker[u]);
    part.spot.push_back(chain.spot[u]);
    const auto first = static_cast<std::int32_t>(
        std::lower_bound(chain.expiry_ticker.begin(), chain.expiry_ticker.end(), static_cast<std::int32_t>(u)) -
        chain.expiry_ticker.begin());
    const auto shift = static_cast<std::int32_t>(part.expiries()) - first;
    for (auto e = static_cast<std::size_t>(first);
         e < chain.expiries() && chain.expiry_ticker[e] == static_cast<std::int32_t>(u); ++e) {
      part.expiry_ticker.push_back(number);
      part.root.push_back(chain.root[e]);
      part.settlement.push_back(chain.settlement[e]);
      part.exercise.push_back(chain.exercise[e]);
      part.style.push_back(chain.style[e]);
    }
    part.contract_begin.push_back(static_cast<std::int64_t>(part.contracts()));
    part.contract_count.push_back(chain.contract_count[u]);
    const auto begin = static_cast<std::ptrdiff_t>(chain.contract_begin[u]);
    const auto end = begin + static_cast<std::ptrdiff_t>(chain.contract_count[u]);
    const auto take = [&](const auto& from, auto& to) {
      if (!from.empty()) to.insert(to.end(), from.begin() + begin, from.begin() + end);
    };
    for (auto i = begin; i < end; ++i)
      part.contract_expiry.push_back(chain.contract_expiry[static_cast<std::size_t>(i)] + shift);
    take(chain.strike, part.strike);
    take(chain.right, part.right);
    for (const auto column : kChainColumns) take(chain.*column, part.*column);
    take(chain.dealer_position, part.dealer_position);
  }
  part.rows_in = static_cast<std::int64_t>(part.contracts());
  return part;
}

}  // namespace greekgrid

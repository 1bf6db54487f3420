// Any bytes give an InputError or a ranking without a symbol twice.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "greekgrid/io/ranking_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const greekgrid::Ranking ranking =
        greekgrid::parse_ranking({reinterpret_cast<const char*>(data), size}, "ranking.csv");
    const std::set<std::string> symbols(ranking.symbol.begin(), ranking.symbol.end());
    if (symbols.empty() || symbols.size() != ranking.symbol.size() || symbols.count("") > 0) std::abort();
    if (ranking.rows_in != static_cast<std::int64_t>(ranking.symbol.size() + ranking.rejects.size())) std::abort();
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

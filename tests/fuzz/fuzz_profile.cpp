// A profile and a table in one input, parted by a line of "---": whatever they say, the outcome is an InputError or a
// chain whose rows add up.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "greekgrid/io/ingest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const greekgrid::Calendar calendar;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t parted = bytes.find("\n---\n");
  if (parted == std::string_view::npos) return 0;
  greekgrid::IngestOptions options;
  options.profile = bytes.substr(0, parted + 1);
  options.profile_name = "fuzz.toml";
  options.quote_time = 1783713600;
  try {
    const greekgrid::OptionChain chain = greekgrid::ingest_bytes(bytes.substr(parted + 5), "fuzz", calendar, options);
    if (chain.rows_in != static_cast<std::int64_t>(chain.contracts() + chain.rejects.size())) std::abort();
    for (std::size_t n = 0; n < chain.contracts(); ++n) {
      if (!(chain.strike[n] > 0.0 && chain.multiplier[n] >= 1.0)) std::abort();
    }
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

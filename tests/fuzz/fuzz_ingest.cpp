// Any bytes give an InputError or a chain whose rows add up; everything else is a finding.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "greekgrid/io/ingest.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void parse(std::string_view bytes, const greekgrid::IngestOptions& options) {
  static const greekgrid::Calendar calendar;
  try {
    const greekgrid::OptionChain chain = greekgrid::ingest_bytes(bytes, "fuzz", calendar, options);
    require(chain.contracts() > 0);
    require(chain.rows_in == static_cast<std::int64_t>(chain.contracts() + chain.rejects.size()));
    for (std::size_t n = 0; n < chain.contracts(); ++n) {
      require(chain.strike[n] > 0.0 && chain.multiplier[n] >= 1.0);
      require(!std::isinf(chain.bid[n]) && !(chain.bid[n] < 0.0));
      require(!std::isinf(chain.open_interest[n]) && !(chain.open_interest[n] < 0.0));
    }
  } catch (const greekgrid::InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  greekgrid::IngestOptions options;
  options.format = GREEKGRID_FUZZ_FORMAT;
  parse(bytes, options);
  options.quote_time = 1783713600;
  parse(bytes, options);
  // What the command line can say in place of a file.
  options.quote_time.reset();
  options.session = greekgrid::Date{std::chrono::year{2026}, std::chrono::August, std::chrono::day{20}};
  options.underlying = "SPX";
  parse(bytes, options);
  return 0;
}

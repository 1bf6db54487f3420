// A file of open interest over a chain of two expirations: whatever the bytes, the chain keeps its contracts, its rows
// add up, and its figures are numbers or missing.

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "greekgrid/io/ingest.hpp"

namespace {

const greekgrid::Calendar& calendar() {
  static const greekgrid::Calendar made;
  return made;
}

greekgrid::OptionChain sound_chain() {
  std::string text =
      "underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,open_interest,"
      "implied_volatility,delta,gamma\n";
  for (const char* row :
       {"SPY,2026-08-20T16:00:00-04:00,760,SPY260821C00500000,2026-08-21,C,500,1,2,1,1,5,0.2,0.5,0.01\n",
        "SPY,2026-08-20T16:00:00-04:00,760,SPY260821P00500000,2026-08-21,P,500,1,2,1,1,5,0.2,0.5,0.01\n",
        "SPY,2026-08-20T16:00:00-04:00,760,SPY260918P00505000,2026-09-18,P,505,1,2,1,1,5,0.2,0.5,0.01\n"}) {
    text += row;
  }
  greekgrid::IngestOptions options;
  options.quote_time = 1787256000;
  return greekgrid::ingest_bytes(text, "sound", calendar(), options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("open_interest", 0);
  static const std::array<std::filesystem::path, 1> names = {"/proc/self/fd/" + std::to_string(file)};
  static const greekgrid::OptionChain sound = sound_chain();
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  greekgrid::OptionChain chain = sound;
  greekgrid::IngestOptions options;
  options.session = greekgrid::Date{std::chrono::year{2026}, std::chrono::August, std::chrono::day{20}};
  options.underlying = "SPY";
  try {
    greekgrid::refresh_open_interest(chain, names, calendar(), options, size % 2 == 0);
    if (chain.contracts() != sound.contracts()) std::abort();
    for (const double figure : chain.open_interest) {
      if (std::isinf(figure) || figure < 0.0) std::abort();
    }
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

/// @file
/// Fuzzes the file of split corrections: whatever the bytes, the outcome is sorted corrections or an InputError.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "greekgrid/io/corrections_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto read =
        greekgrid::parse_corrections(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.csv");
    for (std::size_t k = 0; k < read.split.size(); ++k) {
      const auto& split = read.split[k];
      if (!(split.factor >= 1e-4 && split.factor <= 1e4) || split.symbol.empty()) std::abort();
      if (k > 0 && split.symbol < read.split[k - 1].symbol) std::abort();
    }
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

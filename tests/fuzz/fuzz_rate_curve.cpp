/// @file
/// Fuzzes the par-yield CSV: whatever the text, the outcome is a curve in increasing time or an InputError.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "greekgrid/io/rate_curve_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using greekgrid::Date;
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Date date = std::chrono::year(2023) / 9 / 5;
    double before = 0.0;
    for (const greekgrid::CurveNode& node : greekgrid::parse_rate_curve(text, "fuzz.csv", date)) {
      if (!(node.tau > before) || !std::isfinite(node.zero_rate)) std::abort();
      before = node.tau;
    }
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

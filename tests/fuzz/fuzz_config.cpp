/// @file
/// Fuzzes the run configuration: whatever the text, the outcome is a configuration or an InputError, and what a
/// configuration says of itself reads back as the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "greekgrid/io/config_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string once = greekgrid::to_toml(greekgrid::parse_config(text, "fuzz.toml"));
    if (greekgrid::to_toml(greekgrid::parse_config(once, "fuzz.toml")) != once) std::abort();
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

// The installed io room without a file: a configuration round trip, and the refusal of a file that is not there.
#include <cstdio>
#include <filesystem>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/config_file.hpp"

int main() {
  const std::string text = greekgrid::to_toml(greekgrid::parse_config("", "empty"));
  if (greekgrid::to_toml(greekgrid::parse_config(text, "written")) != text) return 1;
  try {
    greekgrid::read_chain_file(std::filesystem::path("no such file.h5"));
  } catch (const greekgrid::InputError& error) {
    std::printf("%zu bytes of configuration; %s", text.size(), error.what());
    return 0;
  }
  return 2;
}

/// @file
/// Fuzzes read_chain_file through its guard: whatever the bytes, the outcome is a chain or an InputError. The HDF5
/// library itself is not the subject (it crashes, in the child); what this process makes of the child's answer is.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "greekgrid/io/chain_file.hpp"
#include "input_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const greekgrid::OptionChain chain = greekgrid::read_chain_file(greekgrid::fuzz::write_input(data, size));
    if (chain.contracts() == 0) std::abort();
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

/// @file
/// Writes the sample files that the Python tests look at: write_samples DIRECTORY.

#include <exception>
#include <filesystem>
#include <iostream>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/history_file.hpp"
#include "sample_parts.hpp"

namespace {

using namespace greekgrid;
namespace fs = std::filesystem;

void write_night(const fs::path& file, test::SampleNight& night, int keep_bits = 0) {
  night.header.keep_bits = keep_bits;
  test::write_night(file, night);
}

void write_all(const fs::path& dir) {
  fs::create_directories(dir);
  const OptionChain small = test::sample_chain(3, 5);
  write_chain_file(small, dir / "chains_small.h5");
  test::SampleNight small_night(small);
  write_night(dir / "night_small.h5", small_night);

  write_history_file(test::sample_history(3, 4), dir / "history_small.h5");
  write_history_file(test::sample_history(300, 70), dir / "history_large.h5");

  // More rows than one chunk, a partial last chunk, tables in two dimensions.
  OptionChain large = test::sample_chain(300, 15);
  for (std::size_t i = 0; i < large.contracts(); ++i) large.dealer_position.push_back(test::scramble(i + 3));
  write_chain_file(large, dir / "chains_large.h5");
  test::SampleNight large_night(large, 21);
  write_night(dir / "night_large.h5", large_night);

  // One of everything, no crossing, some bits dropped.
  const OptionChain one = test::one_contract_chain();
  write_chain_file(one, dir / "chains_one.h5");
  test::SampleNight one_night(one, 1);
  one_night.tables.crossing.clear();
  one_night.texts.warnings.clear();
  write_night(dir / "night_one.h5", one_night, 12);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  write_all(argv[1]);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

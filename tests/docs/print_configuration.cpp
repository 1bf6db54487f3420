// The configuration in force as `run` stores it: of the file given, or the defaults.
//   print_configuration [FILE]

#include <exception>
#include <iostream>

#include "greekgrid/io/config_file.hpp"

int main(int argc, char** argv) try {
  std::cout << greekgrid::to_toml(argc > 1 ? greekgrid::read_config(argv[1]) : greekgrid::RunConfig());
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

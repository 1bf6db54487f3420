// The table of `greekgrid greeks`, through the command itself: any bytes give rows or an InputError.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/commands.hpp"
#include "greekgrid/io/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("greeks", 0);
  static const std::string name = "/proc/self/fd/" + std::to_string(file);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  CLI::App app;
  const greekgrid::cli::Command command = greekgrid::cli::add_greeks(app);
  const char* words[] = {"greekgrid", "greeks", name.c_str()};
  app.parse(3, words);
  try {
    const int code = command();
    if (code != greekgrid::cli::kDone && code != greekgrid::cli::kInputRejected) std::abort();
  } catch (const greekgrid::InputError&) {
  }
  return 0;
}

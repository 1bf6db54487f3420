/// @file
/// Fuzzes read_night_summary through its guard: whatever the bytes, the outcome is a summary or an InputError.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "greekgrid/io/night_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = ::memfd_create("input", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const greekgrid::NightSummary night = greekgrid::read_night_summary("/proc/self/fd/" + std::to_string(fd));
    if (night.header.spot_reference.size() != night.header.ticker.size()) std::abort();
  } catch (const greekgrid::InputError&) {
  }
  ::close(fd);
  return 0;
}

/// @file
/// Fuzzes read_history_file through its guard: whatever the bytes, the outcome is a history or an InputError. The HDF5
/// library itself is not the subject (it crashes, in the child); what this process makes of the child's answer is.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "greekgrid/io/history_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = ::memfd_create("input", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const greekgrid::DailyHistory history = greekgrid::read_history_file("/proc/self/fd/" + std::to_string(fd));
    if (history.rows() == 0) std::abort();
  } catch (const greekgrid::InputError&) {
  }
  ::close(fd);
  return 0;
}

#pragma once

/// @file
/// The fuzzer's bytes as a file with a name: the HDF5 library refuses to open one that has none, such as a memfd.

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace greekgrid::fuzz {

/// Writes the bytes to the one input file of this process, which is removed at its end, and returns the name.
inline const std::string& write_input(const std::uint8_t* data, std::size_t size) {
  struct File {
    std::string name =
        std::filesystem::temp_directory_path() / ("greekgrid_fuzz_" + std::to_string(::getpid()) + ".h5");
    int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    File() = default;
    ~File() {
      ::close(fd);
      ::unlink(name.c_str());
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
  };
  static const File file;
  if (file.fd < 0 || ::ftruncate(file.fd, 0) != 0 || ::pwrite(file.fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  return file.name;
}

}  // namespace greekgrid::fuzz

#pragma once

/// @file
/// A nameless file that holds decoded columns: what is read once and needed a piece at a time, in any order. It goes
/// with its owner, however that ends. Private to io/hdf5.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace greekgrid::h5 {

class Spool {
 public:
  /// @param directory where the space is taken; empty: memory. @param named what messages call it; empty: the directory
  /// @throws OutputError
  explicit Spool(const std::filesystem::path& directory, const std::string& named = {});
  ~Spool();
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&& other) noexcept;

  const std::string& named() const { return named_; }
  int descriptor() const { return descriptor_; }
  /// Appends. @throws OutputError
  void append(const void* data, std::size_t size);
  /// Reads exactly `size` bytes. Thread-safe. @throws OutputError
  void read(std::uint64_t offset, void* data, std::size_t size) const;
  std::uint64_t size() const { return size_; }
  /// Tells what another process, which shares the descriptor, has written.
  void measure();

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string named_;
};

}  // namespace greekgrid::h5

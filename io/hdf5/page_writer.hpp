#pragma once

/// @file
/// Bytes on their way to the disk past the page cache. Private to io/hdf5.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace greekgrid::h5 {

/// What direct writes are multiples of, in place and size: the largest sector and the smallest page there is.
inline constexpr std::uint64_t kPage = 4096;

/// The first place from `end` on where a page begins.
constexpr std::uint64_t next_page(std::uint64_t end) {
  return (end + kPage - 1) / kPage * kPage;
}

/// Writes whole pages of a file directly from memory to the disk (O_DIRECT). A run does not read again what it writes:
/// copied into the page cache, its gigabytes would take processor time from what computes them and memory from all
/// else. Where the file system has no such writes they are plain ones.
class PageWriter {
 public:
  /// @param descriptor of a file open for writing; it must outlive this
  explicit PageWriter(int descriptor);
  ~PageWriter();
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;

  /// Writes from the place `at` on, where a page begins, and zeros behind it to the end of its last page.
  /// @return 0, or the errno of what failed
  int write(std::uint64_t at, std::span<const char> bytes);
  /// Whether writes still go past the page cache.
  bool is_direct() const { return direct_ >= 0; }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  int put(std::uint64_t at, std::size_t count);
  void give_up_direct();

  int plain_ = -1, direct_ = -1;
  std::unique_ptr<char, Free> stage_;
};

}  // namespace greekgrid::h5

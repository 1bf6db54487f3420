#include "page_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

namespace greekgrid::h5 {
namespace {

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 131 + seed) % 251 + 1);
  return text;
}

/// What is in a file that came to be by writes of these sizes, each from the next page on.
std::string written(int descriptor, const std::vector<std::size_t>& sizes) {
  std::string expected;
  PageWriter writer(descriptor);
  for (const std::size_t size : sizes) {
    const std::string bytes = pattern(size, static_cast<unsigned>(size));
    EXPECT_EQ(writer.write(expected.size(), bytes), 0);
    expected += bytes;
    expected.resize(next_page(expected.size()), '\0');
  }
  std::string found(expected.size() + 1, '?');
  const ssize_t got = ::pread(descriptor, found.data(), found.size(), 0);
  EXPECT_EQ(got, static_cast<ssize_t>(expected.size())) << "whole pages and nothing behind them";
  found.resize(expected.size());
  EXPECT_TRUE(found == expected);
  return found;
}

const std::vector<std::size_t> kSizes = {1, 4095, 4096, 4097, 0, (1U << 20U) - 1, (1U << 20U), (3U << 20U) + 5};

TEST(PageWriter, WritesWholePagesOnDiskAndInMemory) {
  // A disk takes direct writes, memory may not: the bytes are the same.
  char name[] = "/var/tmp/greekgrid_pages_XXXXXX";
  const int file = ::mkstemp(name), memory = ::memfd_create("pages", MFD_CLOEXEC);
  ASSERT_GE(file, 0);
  ASSERT_GE(memory, 0);
  ::unlink(name);
  EXPECT_TRUE(written(file, kSizes) == written(memory, kSizes));
  ::close(file);
  ::close(memory);
}

TEST(PageWriter, GoesOnPlainlyWhereADirectWriteIsRefused) {
  char name[] = "/var/tmp/greekgrid_pages_XXXXXX";
  const int file = ::mkstemp(name);
  ASSERT_GE(file, 0);
  ::unlink(name);
  PageWriter writer(file);
  if (!writer.is_direct()) GTEST_SKIP() << "no direct writes in /var/tmp";
  // A place between pages is refused as pages larger than ours would be; some file systems make a plain write of it.
  const std::string bytes = pattern(5000, 1);
  const int probe = ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
  const bool is_refused = ::pwrite(probe, bytes.data(), 1, 1) < 0 && errno == EINVAL;
  ::close(probe);
  if (!is_refused) GTEST_SKIP() << "/var/tmp takes direct writes of any size";
  EXPECT_EQ(writer.write(1, bytes), 0);
  EXPECT_FALSE(writer.is_direct());
  std::string found(1 + bytes.size(), '?');
  ASSERT_EQ(::pread(file, found.data(), found.size(), 0), static_cast<ssize_t>(found.size()));
  EXPECT_TRUE(found.substr(1) == bytes);
  ::close(file);
}

TEST(PageWriter, SaysWhatFailed) {
  const int full = ::open("/dev/full", O_RDWR | O_CLOEXEC);
  ASSERT_GE(full, 0);
  EXPECT_EQ(PageWriter(full).write(0, pattern(10, 1)), ENOSPC);
  ::close(full);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(PageWriter(ends[1]).write(0, pattern(10, 1)), ESPIPE);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace greekgrid::h5

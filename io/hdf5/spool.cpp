#include "spool.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "greekgrid/io/error.hpp"

namespace greekgrid::h5 {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& problem, int error) {
  throw OutputError(where + ": " + problem + " (" + std::strerror(error) + ")");
}

/// What a call returns that is made again where a signal cut it short.
template <class Call>
int retried(const Call& call) {
  for (;;) {
    const int result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

int open_nameless(const std::filesystem::path& directory) {
  if (directory.empty()) return ::memfd_create("greekgrid", MFD_CLOEXEC);
  const int descriptor = retried([&] { return ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); });
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return descriptor;
  // Some network file systems know no nameless files.
  std::string name = (directory / ".greekgrid.XXXXXX").string();
  const int named = retried([&] { return ::mkostemp(name.data(), O_CLOEXEC); });
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

Spool::Spool(const std::filesystem::path& directory, const std::string& named)
    : descriptor_(open_nameless(directory)), named_(!named.empty() ? named : directory.string()) {
  if (named_.empty()) named_ = "memory";
  if (descriptor_ < 0) fail(named_, "no room for what is read", errno);
}

Spool::~Spool() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Spool::Spool(Spool&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_), named_(std::move(other.named_)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(named_, other.named_);
  return *this;
}

void Spool::append(const void* data, std::size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t wrote = ::pwrite(descriptor_, from, size, static_cast<off_t>(size_));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) fail(named_, "what is read cannot be kept", wrote < 0 ? errno : ENOSPC);
    from += wrote;
    size -= static_cast<std::size_t>(wrote);
    size_ += static_cast<std::uint64_t>(wrote);
  }
}

void Spool::read(std::uint64_t offset, void* data, std::size_t size) const {
  char* to = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t got = ::pread(descriptor_, to, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(named_, "what was read is lost", got < 0 ? errno : EIO);
    to += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
}

void Spool::measure() {
  struct stat found {};
  if (::fstat(descriptor_, &found) != 0) fail(named_, "what was read is lost", errno);
  size_ = static_cast<std::uint64_t>(found.st_size);
}

}  // namespace greekgrid::h5

#include "page_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

namespace greekgrid::h5 {
namespace {

// Few calls a ticker, and small enough to stay in a cache while it is filled.
constexpr std::size_t kStage = std::size_t{1} << 20U;
static_assert(kStage % kPage == 0);

}  // namespace

PageWriter::PageWriter(int descriptor)
    : plain_(descriptor), stage_(static_cast<char*>(std::aligned_alloc(kPage, kStage))) {
  if (stage_ == nullptr) throw std::bad_alloc();
  // A descriptor of its own on the very file: its flags are not those of `descriptor`, whose reads need no pages.
  direct_ = ::open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_WRONLY | O_CLOEXEC | O_DIRECT);
}

PageWriter::~PageWriter() {
  give_up_direct();
}

void PageWriter::give_up_direct() {
  if (direct_ >= 0) ::close(direct_);
  direct_ = -1;
}

int PageWriter::put(std::uint64_t at, std::size_t count) {
  const char* from = stage_.get();
  while (count > 0) {
    const ssize_t wrote = ::pwrite(is_direct() ? direct_ : plain_, from, count, static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    // Larger pages than ours, no direct writes at all, or the rest of a page after a write that was cut short.
    if (wrote < 0 && errno == EINVAL && is_direct()) {
      give_up_direct();
      continue;
    }
    if (wrote <= 0) return wrote < 0 ? errno : ENOSPC;
    from += wrote;
    count -= static_cast<std::size_t>(wrote);
    at += static_cast<std::uint64_t>(wrote);
  }
  return 0;
}

int PageWriter::write(std::uint64_t at, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kStage), whole = next_page(count);
    std::memcpy(stage_.get(), bytes.data(), count);
    std::memset(stage_.get() + count, 0, whole - count);
    if (const int error = put(at, whole); error != 0) return error;
    at += whole;
    bytes = bytes.subspan(count);
  }
  return 0;
}

}  // namespace greekgrid::h5

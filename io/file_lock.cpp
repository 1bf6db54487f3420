#include "greekgrid/io/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <string>

#include "greekgrid/io/error.hpp"

namespace greekgrid {
namespace fs = std::filesystem;
namespace {

/// Lock files that this process holds: one that is cut short removes them.
std::mutex held_mutex;
std::set<fs::path> held;

/// Where the lock of a file is, whatever name it is called by.
fs::path lock_path(const fs::path& file) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(file, error);
  const fs::path& known = error ? file : real;
  return known.parent_path() / ("." + known.filename().string() + ".lock");
}

/// Whether an open file is the one that a path names: its last owner may have removed it while we waited.
bool is_at(int descriptor, const fs::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

}  // namespace

FileLock::FileLock(const fs::path& file) : lock_(lock_path(file)) {
  acquire(file, true);
}

FileLock::FileLock(const fs::path& file, std::try_to_lock_t) : lock_(lock_path(file)) {
  acquire(file, false);
}

void FileLock::acquire(const fs::path& file, bool waits) {
  for (;;) {
    descriptor_ = ::open(lock_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int error = descriptor_ < 0 ? errno : 0;
    while (error == 0 && ::flock(descriptor_, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
      if (errno != EINTR) error = errno;
    }
    if (error == 0 && is_at(descriptor_, lock_)) break;
    if (descriptor_ >= 0) ::close(descriptor_);
    if (error == EWOULDBLOCK) {
      throw OutputError(file.string() + ": is being written by another process (it holds " + lock_.string() +
                        ") wait until that has ended");
    }
    if (error != 0) throw OutputError(file.string() + ": cannot be locked (" + std::strerror(error) + ")");
  }
  const std::lock_guard lock(held_mutex);
  held.insert(lock_);
}

FileLock::~FileLock() {
  // Removed while it is held: who waits for this one sees that it is no longer there and takes the next.
  {
    const std::lock_guard lock(held_mutex);
    ::unlink(lock_.c_str());
    held.erase(lock_);
  }
  // A child that was forked meanwhile has the descriptor too: closing ours would not end the lock.
  ::flock(descriptor_, LOCK_UN);
  ::close(descriptor_);
}

void remove_held_locks() {
  const std::lock_guard lock(held_mutex);
  for (const fs::path& file : held) ::unlink(file.c_str());
}

}  // namespace greekgrid

#pragma once

/// @file
/// One writer at a time: a lock that programs hold while they read a file, change what it says and replace it.

#include <filesystem>
#include <mutex>

namespace greekgrid {

/// An exclusive lock on a file that need not exist, held by this object alone: other processes and other threads wait.
/// Atomic replacement keeps readers safe; this keeps two writers from losing one another's changes.
///
/// The lock is one of flock(2) on `.<name>.lock` beside the file, symbolic links followed, because the file itself is
/// another one after each replacement. It ends with its owner, however that ends; a lock file left behind is no lock.
class FileLock {
 public:
  /// Waits for the lock. @throws OutputError where the directory is missing or not writable, or knows no locks
  explicit FileLock(const std::filesystem::path& file);
  /// Takes the lock or throws at once. @throws OutputError also where another holds it
  FileLock(const std::filesystem::path& file, std::try_to_lock_t);
  /// Gives it up and removes the lock file.
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  void acquire(const std::filesystem::path& file, bool waits);

  std::filesystem::path lock_;
  int descriptor_ = -1;
};

/// Removes the lock files that this process holds: for a process that is about to be cut short. The locks end with it.
void remove_held_locks();

}  // namespace greekgrid

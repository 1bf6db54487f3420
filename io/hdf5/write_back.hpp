#pragma once

/// @file
/// Bytes on their way to the disk while more are made. Private to io/hdf5.

#include <fcntl.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace greekgrid::h5 {

/// Has the system write what was appended while the run goes on, in a thread of its own: the call waits where the disk
/// has enough to do. The sync at the end finds little left.
class WriteBack {
 public:
  explicit WriteBack(int descriptor) : descriptor_(descriptor), thread_([this] { run(); }) {}
  ~WriteBack() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  WriteBack(const WriteBack&) = delete;
  WriteBack& operator=(const WriteBack&) = delete;

  void add(std::uint64_t begin, std::uint64_t size) {
    {
      const std::lock_guard lock(mutex_);
      if (end_ == begin_) begin_ = begin;
      end_ = begin + size;
      if (end_ - begin_ < kWorthIt) return;
    }
    wake_.notify_one();
  }

 private:
  static constexpr std::uint64_t kWorthIt = std::uint64_t{8} << 20U;

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return ends_ || end_ - begin_ >= kWorthIt; });
      if (ends_) return;
      const std::uint64_t begin = begin_, end = begin_ = end_;
      lock.unlock();
      // A hint: what it could not do, the sync will.
      ::sync_file_range(descriptor_, static_cast<off_t>(begin), static_cast<off_t>(end - begin), SYNC_FILE_RANGE_WRITE);
      lock.lock();
    }
  }

  const int descriptor_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t begin_ = 0, end_ = 0;  // what is appended and not yet handed on
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace greekgrid::h5

#pragma once

/// @file
/// The HDF5 C library behind move-only handles and one checked wrapper. Private to io/hdf5.
///
/// The library is used by one thread at a time: every call of it, in this process, is made under a LibraryLock.

#include <hdf5.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace greekgrid::h5 {

/// A call of the library failed; what() is the innermost reason the library gives. Callers turn it into InputError or
/// OutputError with the file's name.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Holds the one lock of the library for its lifetime. Taking it also silences the library, which keeps its error
/// reports per thread where it was built thread-safe (as Debian does), and bars it from loading plug-ins.
class LibraryLock {
 public:
  LibraryLock();

 private:
  std::unique_lock<std::mutex> lock_;
};

/// Throws Error with the library's reason. @param what the call, "create dataset gx"
[[noreturn]] void fail(const std::string& what);

/// Closes what goes out of scope. Small datasets are written by their close, where nothing can be thrown: a failure is
/// kept for check_closes(). A file that goes this way was given up, and with it the failures.
void close_unchecked(hid_t id, herr_t (*closer)(hid_t)) noexcept;

/// Throws Error if a close has failed since the last call. A file is not whole before this has passed.
void check_closes(const std::string& what);

/// The checked wrapper: every call goes through it. A negative result is a failure.
template <class Result>
Result check(Result result, const std::string& what) {
  if (result < 0) fail(what);
  return result;
}

/// Closes an identifier of any kind when it goes.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);

  Handle() = default;
  /// Takes over the result of a call; throws Error if it failed.
  Handle(hid_t id, Closer closer, const std::string& what) : id_(check(id, what)), closer_(closer) {}
  ~Handle() {
    if (id_ >= 0) close_unchecked(id_, closer_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }

  hid_t get() const { return id_; }
  /// Closes now and throws Error if that fails, or the close of something in it has failed before: for files, whose
  /// last bytes are written by it.
  void close(const std::string& what) {
    const hid_t id = std::exchange(id_, -1);
    if (id >= 0) check(closer_(id), what);
    check_closes(what);
  }

 private:
  hid_t id_ = -1;
  Closer closer_ = nullptr;
};

}  // namespace greekgrid::h5

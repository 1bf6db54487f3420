#pragma once

/// @file
/// Values as plain bytes between the child process that reads a file and the process that asked for it. Private to
/// io/hdf5.

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "handle.hpp"

namespace greekgrid::h5 {

/// There is no room for what is handed over.
class NoRoom : public Error {
 public:
  explicit NoRoom(int error) : Error("hand over what was read failed"), code(error) {}
  int code;  ///< errno
};

/// Writes values to a descriptor, or behind a string.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(int fd) : fd_(fd) {}
  explicit ArchiveWriter(std::string& memory) : memory_(&memory) {}

  template <class... Values>
  void operator()(const Values&... values) {
    (put(values), ...);
  }
  /// Plain bytes, as they are.
  void raw(const void* data, std::size_t size) { bytes(data, size); }
  /// Writes what is still buffered.
  void flush() {
    write_all(buffer_.data(), buffer_.size());
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kBuffer = 1 << 16;

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      bytes(&value, sizeof value);
    } else {
      transfer(*this, value);
    }
  }
  void put(const std::string& text) {
    put(std::uint64_t{text.size()});
    bytes(text.data(), text.size());
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put(std::uint64_t{values.size()});
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      bytes(values.data(), values.size() * sizeof(T));
    } else {
      for (const T& value : values) put(value);
    }
  }
  void bytes(const void* data, std::size_t size) {
    if (memory_ != nullptr) {
      memory_->append(static_cast<const char*>(data), size);
      return;
    }
    if (size >= kBuffer) {
      flush();
      write_all(static_cast<const char*>(data), size);
      return;
    }
    buffer_.append(static_cast<const char*>(data), size);
    if (buffer_.size() >= kBuffer) flush();
  }
  void write_all(const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t wrote = ::write(fd_, data, size);
      if (wrote < 0 && errno == EINTR) continue;
      // The limit of a child, whose answer is kept in memory.
      if (wrote < 0 && errno == EFBIG) throw std::bad_alloc();
      if (wrote <= 0) throw NoRoom(wrote < 0 ? errno : ENOSPC);
      data += wrote;
      size -= static_cast<std::size_t>(wrote);
    }
  }

  int fd_ = -1;
  std::string* memory_ = nullptr;
  std::string buffer_;
};

/// Reads the values back. What a child process wrote is trusted no more than the file: every length is checked against
/// the bytes that are left. Throws Error.
class ArchiveReader {
 public:
  explicit ArchiveReader(std::span<const char> bytes) : left_(bytes) {}

  template <class... Values>
  void operator()(Values&... values) {
    (get(values), ...);
  }
  std::size_t left() const { return left_.size(); }

 private:
  template <class T>
  void get(T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      std::memcpy(&value, take(sizeof value), sizeof value);
    } else {
      transfer(*this, value);
    }
  }
  void get(std::string& text) {
    const std::uint64_t size = count(1);
    text.assign(take(size), size);
  }
  template <class T>
  void get(std::vector<T>& values) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      values.resize(count(sizeof(T)));
      if (!values.empty()) std::memcpy(values.data(), take(values.size() * sizeof(T)), values.size() * sizeof(T));
    } else {
      // Every element takes at least the eight bytes of one length.
      values.resize(count(sizeof(std::uint64_t)));
      for (T& value : values) get(value);
    }
  }
  std::uint64_t count(std::size_t size) {
    std::uint64_t n = 0;
    get(n);
    if (n > left_.size() / size) throw Error("a list is longer than what was read");
    return n;
  }
  const char* take(std::size_t size) {
    if (size > left_.size()) throw Error("what was read is incomplete");
    const char* data = left_.data();
    left_ = left_.subspan(size);
    return data;
  }

  std::span<const char> left_;
};

}  // namespace greekgrid::h5

#pragma once

/// @file
/// XXH3-128 of bytes: against accidents, not against forgers. Private to io/hdf5.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace greekgrid::h5 {

class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  ContentHash(const ContentHash&) = delete;
  ContentHash& operator=(const ContentHash&) = delete;

  void add(const void* data, std::size_t size);
  std::array<std::uint64_t, 2> value() const;
  /// 32 hexadecimal digits.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Of some bytes at once.
std::array<std::uint64_t, 2> content_hash(const void* data, std::size_t size);

}  // namespace greekgrid::h5

#include "content_hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>

namespace greekgrid::h5 {

struct ContentHash::State {
  XXH3_state_t hash;
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->hash);
}
ContentHash::~ContentHash() = default;

void ContentHash::add(const void* data, std::size_t size) {
  if (size > 0) XXH3_128bits_update(&state_->hash, data, size);
}

std::array<std::uint64_t, 2> ContentHash::value() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->hash);
  return {hash.high64, hash.low64};
}

std::string ContentHash::hex() const {
  const auto [high, low] = value();
  char digits[33];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return digits;
}

std::array<std::uint64_t, 2> content_hash(const void* data, std::size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(data, size);
  return {hash.high64, hash.low64};
}

}  // namespace greekgrid::h5

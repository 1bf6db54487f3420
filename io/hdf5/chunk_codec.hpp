#pragma once

/// @file
/// The filters of a chunk outside the library, so that they run in many threads: shuffle, deflate, fletcher32, as the
/// filters of HDF5 do it. Private to io/hdf5.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace greekgrid::h5 {

/// Deflate level written into the filter description of every dataset.
inline constexpr unsigned kDeflateLevel = 1;

/// The deflate library with version and level, such as "isal 2.30.0 level 1".
std::string compressor_name();

/// Keeps so many bits of a float32's mantissa (1-23; 0 = all), rounding half to even. What is not finite is the
/// caller's.
struct BitRounding {
  explicit constexpr BitRounding(int keep_bits)
      : drop(keep_bits <= 0 || keep_bits >= 23 ? 0 : 23 - keep_bits),
        half(drop == 0 ? 0 : (1U << (drop - 1)) - 1U),
        odd(drop == 0 ? 0 : 1U),
        mask(~((1U << drop) - 1U)) {}
  constexpr std::uint32_t operator()(std::uint32_t bits) const { return (bits + half + ((bits >> drop) & odd)) & mask; }

  int drop;
  std::uint32_t half, odd, mask;
};

/// Converts to float32 and keeps keep_bits mantissa bits (1-23; 0 = all), rounding half to even.
/// Returns the index of the first cell that float32 cannot hold (NaN, infinite or too large), or -1.
std::ptrdiff_t to_float32(std::span<const double> from, int keep_bits, std::span<std::uint32_t> to);

/// Groups byte k of all elements of `size` bytes, k = 0, 1, ...: HDF5's shuffle filter. Same lengths, no overlap.
void shuffle(std::span<const std::uint8_t> from, std::size_t size, std::span<std::uint8_t> to);

/// Undoes shuffle(). What is over of whole elements is copied as it is, as the filter leaves it.
void unshuffle(std::span<const std::uint8_t> from, std::size_t size, std::span<std::uint8_t> to);

/// HDF5's fletcher32 checksum (H5_checksum_fletcher32: 16-bit big-endian words, an odd byte as the high one).
std::uint32_t fletcher32(std::span<const std::uint8_t> bytes);

/// Bytes of a stored checksum.
inline constexpr std::size_t kChecksumBytes = 4;
/// The checksum as it is stored behind a chunk.
std::array<std::uint8_t, kChecksumBytes> stored_checksum(std::span<const std::uint8_t> bytes);

/// Unpacks a zlib stream. No more than `to` takes is unpacked, whatever the stream holds.
/// @return whether the stream is whole, its checksum right, and it holds exactly the bytes of `to`
bool unpack(std::span<const std::uint8_t> packed, std::span<std::uint8_t> to);

/// Encodes chunks; one object per thread, its buffers are reused.
class ChunkEncoder {
 public:
  ChunkEncoder();
  ~ChunkEncoder();
  ChunkEncoder(const ChunkEncoder&) = delete;
  ChunkEncoder& operator=(const ChunkEncoder&) = delete;

  /// Shuffles elements of `size` bytes, deflates (zlib format) and appends the checksum of the compressed bytes.
  std::vector<std::uint8_t> encode(std::span<const std::uint8_t> bytes, std::size_t size);
  /// The same behind what is there already; returns the bytes of the chunk.
  std::size_t append(std::span<const std::uint8_t> bytes, std::size_t size, std::string& to);

 private:
  /// Leaves the chunk in packed_ and returns its length, without the checksum.
  std::size_t deflate(std::span<const std::uint8_t> bytes, std::size_t size);

  struct State;
  State* state_;
  std::vector<std::uint8_t> shuffled_, packed_;
};

}  // namespace greekgrid::h5

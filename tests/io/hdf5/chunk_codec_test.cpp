#include "chunk_codec.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "handle.hpp"
#include "table.hpp"

namespace greekgrid::h5 {
namespace {

float rounded(double value, int keep_bits) {
  const std::vector<double> from = {value};
  std::vector<std::uint32_t> to(1);
  EXPECT_EQ(to_float32(from, keep_bits, to), -1);
  return std::bit_cast<float>(to[0]);
}

TEST(ChunkCodec, ConvertsAsTheLanguageDoesWhenAllBitsAreKept) {
  for (const double value : {0.0, -0.0, 1.0 / 3.0, -1e-40, 1e-50, 16777217.0, 3.4e38}) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(rounded(value, 0)), std::bit_cast<std::uint32_t>(static_cast<float>(value)));
    EXPECT_EQ(rounded(value, 23), static_cast<float>(value));
  }
}

TEST(ChunkCodec, RoundsMantissaHalfToEven) {
  // Two bits kept: steps of 1/4 between 1 and 2.
  EXPECT_EQ(rounded(1.0, 2), 1.0F);
  EXPECT_EQ(rounded(1.124, 2), 1.0F);
  EXPECT_EQ(rounded(1.126, 2), 1.25F);
  EXPECT_EQ(rounded(1.125, 2), 1.0F);  // tie: 1.00 has the even last bit
  EXPECT_EQ(rounded(1.375, 2), 1.5F);  // tie: 1.50 has
  EXPECT_EQ(rounded(-1.375, 2), -1.5F);
  EXPECT_EQ(rounded(1.9, 2), 2.0F);  // carries into the exponent
}

TEST(ChunkCodec, ErrorOfRoundingIsHalfAStep) {
  for (int keep = 1; keep < 23; ++keep) {
    for (int i = 0; i < 1000; ++i) {
      const double value = static_cast<float>(std::sin(i + 0.5) * std::exp(i % 20 - 10));
      EXPECT_LE(std::fabs(static_cast<double>(rounded(value, keep)) - value),
                std::ldexp(std::fabs(value), -keep - 1) * 1.0001)
          << keep << " bits of " << value;
    }
  }
}

TEST(ChunkCodec, NamesTheFirstCellThatFloat32CannotHold) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {nan, -nan, inf, -inf, 1e39, -1e300, std::numeric_limits<double>::signaling_NaN()}) {
    for (const int keep : {0, 1, 12}) {
      std::vector<double> from(100, 1.5);
      from[37] = from[80] = bad;
      std::vector<std::uint32_t> to(from.size());
      EXPECT_EQ(to_float32(from, keep, to), 37) << bad << " with " << keep << " bits";
    }
  }
  // In range, but rounding to few bits carries it to infinity.
  const std::vector<double> from = {1.0, static_cast<double>(FLT_MAX)};
  std::vector<std::uint32_t> to(2);
  EXPECT_EQ(to_float32(from, 0, to), -1);
  EXPECT_EQ(to_float32(from, 4, to), 1);
}

TEST(ChunkCodec, FletcherOfKnownBytes) {
  EXPECT_EQ(fletcher32({}), 0U);
  const std::vector<std::uint8_t> even = {1, 2, 3, 4}, odd = {1, 2, 3};
  EXPECT_EQ(fletcher32(even), (0x0102U + 0x0102U + 0x0304U) << 16U | (0x0102U + 0x0304U));
  EXPECT_EQ(fletcher32(odd), (0x0102U + 0x0102U + 0x0300U) << 16U | (0x0102U + 0x0300U));
}

/// The library's own filters decode what the encoder made: sizes around the block of every loop.
TEST(ChunkCodec, TheLibraryDecodesEveryLength) {
  const LibraryLock lock;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "open");
  check(H5Pset_fapl_core(access.get(), 1 << 20, false), "open");
  const Handle file(H5Fcreate("in_memory", H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose, "open");
  ChunkEncoder encoder;
  int number = 0;
  for (const std::size_t size : {std::size_t{1}, std::size_t{4}, std::size_t{8}}) {
    for (const std::size_t count : {1U, 2U, 3U, 89U, 90U, 91U, 719U, 720U, 721U, 2047U, 2048U, 2049U, 5000U, 70001U}) {
      for (const int kind : {0, 1, 2}) {
        std::vector<std::uint8_t> bytes(size * count);
        std::uint32_t state = 12345;
        for (std::uint8_t& byte : bytes) {
          state = state * 1664525U + 1013904223U;
          // Incompressible, constant, and all-ones, whose checksum is the extreme of the sums.
          byte = kind == 0 ? static_cast<std::uint8_t>(state >> 24U) : kind == 1 ? 7 : 0xff;
        }
        const Type type = size == 1 ? Type::kInt8 : size == 4 ? Type::kInt32 : Type::kInt64;
        const hsize_t dim = count, offset = 0;
        const Handle creation = dataset_properties(type, false, {dim});
        const Handle space(H5Screate_simple(1, &dim, nullptr), H5Sclose, "space");
        const Handle dataset(H5Dcreate2(file.get(), std::to_string(number++).c_str(), file_type(type), space.get(),
                                        H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                             H5Dclose, "create");
        const std::vector<std::uint8_t> chunk = encoder.encode(bytes, size);
        check(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, &offset, chunk.size(), chunk.data()), "write");
        std::vector<std::uint8_t> read(bytes.size());
        ASSERT_GE(H5Dread(dataset.get(), file_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, read.data()), 0)
            << count << " elements of " << size;
        EXPECT_EQ(read, bytes) << count << " elements of " << size << ", kind " << kind;
      }
    }
  }
}

TEST(ChunkCodec, EncodesTheSameBytesAgain) {
  std::vector<std::uint8_t> bytes(80000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i >> 7U);
  ChunkEncoder first, second;
  const auto expected = first.encode(bytes, 4);
  second.encode(std::vector<std::uint8_t>(4000, 9), 8);  // leaves other state behind
  EXPECT_EQ(second.encode(bytes, 4), expected);
  EXPECT_EQ(first.encode(bytes, 4), expected);
}

/// ISA-L's first match search of a stream reads a register that holds the stream's address: one encoder in thousands,
/// at the right address, wrote other bytes. Many encoders, each at its own address, with many kinds of text.
TEST(ChunkCodec, EncodesTheSameBytesAtAnyAddress) {
  std::deque<ChunkEncoder> encoders(32);
  for (const std::size_t length : {96U, 288U, 289U, 290U, 1024U}) {
    std::vector<std::uint8_t> bytes(length);
    for (unsigned text = 0; text < 400; ++text) {
      for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(i % 2 == 0 ? text : 31 * text + 1);
      const auto expected = encoders.front().encode(bytes, 1);
      for (ChunkEncoder& encoder : encoders) ASSERT_EQ(encoder.encode(bytes, 1), expected) << length << ' ' << text;
    }
  }
}

TEST(ChunkCodec, UnpacksAStreamThatHoldsExactlySoManyBytes) {
  constexpr std::size_t kLarge = std::size_t{1} << 18;
  ChunkEncoder encoder;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1000}, kLarge, kLarge + 1, 4 * kLarge + 7}) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * i >> 7U);
    std::vector<std::uint8_t> packed = encoder.encode(bytes, 1);
    packed.resize(packed.size() - kChecksumBytes);
    // What lies behind the room that is given stays as it is.
    std::vector<std::uint8_t> room(size + 4 * kLarge, 0xa5);
    const auto unpacks_to = [&](std::size_t length) { return unpack(packed, std::span(room).first(length)); };
    EXPECT_TRUE(unpacks_to(size)) << size;
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), room.begin())) << size;
    EXPECT_EQ(std::count(room.begin() + static_cast<std::ptrdiff_t>(size), room.end(), 0xa5), 4 * kLarge) << size;
    EXPECT_FALSE(unpacks_to(size + 1)) << size;
    EXPECT_FALSE(unpacks_to(size + 4 * kLarge)) << size;
    if (size > 0) {
      EXPECT_FALSE(unpacks_to(size - 1)) << size;
    }
    for (std::size_t cut = 1; cut < packed.size(); cut += 1 + cut / 2) {
      EXPECT_FALSE(unpack(std::span(packed).first(packed.size() - cut), std::span(room).first(size)))
          << size << " without " << cut;
    }
    packed[packed.size() - 1] ^= 1U;
    EXPECT_FALSE(unpacks_to(size)) << size << ", another checksum";
  }
  EXPECT_FALSE(unpack({}, {}));
}

TEST(ChunkCodec, UndoesTheShuffle) {
  for (const std::size_t size : {1U, 4U, 8U}) {
    for (const std::size_t count : {0U, 1U, 15U, 1000U}) {
      std::vector<std::uint8_t> bytes(count * size), shuffled(bytes.size()), back(bytes.size());
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
      shuffle(bytes, size, shuffled);
      unshuffle(shuffled, size, back);
      EXPECT_EQ(back, bytes) << size << ' ' << count;
    }
  }
  // Two elements of three bytes and what is over of a third.
  const std::vector<std::uint8_t> stored = {1, 4, 2, 5, 3, 6, 7};
  std::vector<std::uint8_t> back(stored.size());
  unshuffle(stored, 3, back);
  EXPECT_EQ(back, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7}));
}

TEST(ChunkCodec, NamesItsLibrary) {
  EXPECT_FALSE(compressor_name().empty());
}

}  // namespace
}  // namespace greekgrid::h5

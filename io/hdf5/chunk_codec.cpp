#include "chunk_codec.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>

#include "vector_state.hpp"

#if GREEKGRID_HAVE_ISAL
#include <isa-l.h>
#else
#include <libdeflate.h>
#endif

namespace greekgrid::h5 {
namespace {

// Loops over every byte of a night: compiled for wider vectors too, chosen when the program starts. The values are the
// same on all of them.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GREEKGRID_WIDE_VECTORS __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define GREEKGRID_WIDE_VECTORS
#endif

/// Element size known at compile time: the inner loop has a constant stride and is vectorised.
template <std::size_t kSize>
[[gnu::always_inline]] inline void shuffle_elements(const std::uint8_t* __restrict from, std::size_t count,
                                                    std::uint8_t* __restrict to) {
  // A block stays in the first-level cache while its bytes are taken one place at a time.
  constexpr std::size_t kBlock = 2048;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(count, begin + kBlock);
    for (std::size_t place = 0; place < kSize; ++place) {
      for (std::size_t i = begin; i < end; ++i) to[place * count + i] = from[i * kSize + place];
    }
  }
}

template <std::size_t kSize>
[[gnu::always_inline]] inline void unshuffle_elements(const std::uint8_t* __restrict from, std::size_t count,
                                                      std::uint8_t* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t place = 0; place < kSize; ++place) to[i * kSize + place] = from[place * count + i];
  }
}

}  // namespace

GREEKGRID_WIDE_VECTORS std::ptrdiff_t to_float32(std::span<const double> from, int keep_bits,
                                                 std::span<std::uint32_t> to) {
  constexpr std::uint32_t kInfinity = 0x7f800000U;
  const BitRounding rounded(keep_bits);
  std::uint32_t refused = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(from[i]));
    const std::uint32_t special = (bits & kInfinity) == kInfinity ? 1U : 0U;
    bits = rounded(bits);
    refused |= special | ((bits & kInfinity) == kInfinity ? 1U : 0U);
    to[i] = bits;
  }
  if (refused == 0) return -1;
  // Rounding can carry a NaN's mantissa out of sight, so both ends are looked at again.
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!(std::fabs(from[i]) <= static_cast<double>(FLT_MAX)) || (to[i] & kInfinity) == kInfinity) {
      return static_cast<std::ptrdiff_t>(i);
    }
  }
  return -1;
}

GREEKGRID_WIDE_VECTORS void shuffle(std::span<const std::uint8_t> from, std::size_t size, std::span<std::uint8_t> to) {
  const std::size_t count = from.size() / size;
  switch (size) {
    case 1:
      std::copy(from.begin(), from.end(), to.begin());
      break;
    case 4:
      shuffle_elements<4>(from.data(), count, to.data());
      break;
    case 8:
      shuffle_elements<8>(from.data(), count, to.data());
      break;
    default:
      throw std::invalid_argument("no shuffle of elements of " + std::to_string(size) + " bytes");
  }
}

GREEKGRID_WIDE_VECTORS void unshuffle(std::span<const std::uint8_t> from, std::size_t size,
                                      std::span<std::uint8_t> to) {
  const std::size_t count = size == 0 ? 0 : from.size() / size;
  if (size == 4) {
    unshuffle_elements<4>(from.data(), count, to.data());
  } else if (size == 8) {
    unshuffle_elements<8>(from.data(), count, to.data());
  } else {
    for (std::size_t place = 0; place < size; ++place) {
      for (std::size_t i = 0; i < count; ++i) to[i * size + place] = from[place * count + i];
    }
  }
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(count * size), from.end(),
            to.begin() + static_cast<std::ptrdiff_t>(count * size));
}

GREEKGRID_WIDE_VECTORS std::uint32_t fletcher32(std::span<const std::uint8_t> bytes) {
  // 360 words: the most whose sums cannot overflow 32 bits.
  constexpr std::size_t kWords = 360;
  std::uint32_t sum1 = 0, sum2 = 0;
  const std::uint8_t* data = bytes.data();
  std::size_t words = bytes.size() / 2;
  while (words > 0) {
    const std::size_t block = std::min(words, kWords);
    words -= block;
    // The sum of the running sums: each word counts once for every place from its own on.
    std::uint32_t words_sum = 0, weighted = 0;
    for (std::uint32_t i = 0; i < block; ++i) {
      const auto word = static_cast<std::uint32_t>((data[2 * i] << 8U) | data[2 * i + 1]);
      words_sum += word;
      weighted += word * (static_cast<std::uint32_t>(block) - i);
    }
    sum2 += sum1 * static_cast<std::uint32_t>(block) + weighted;
    sum1 += words_sum;
    data += 2 * block;
    sum1 = (sum1 & 0xffffU) + (sum1 >> 16U);
    sum2 = (sum2 & 0xffffU) + (sum2 >> 16U);
  }
  if (bytes.size() % 2 != 0) {
    sum1 += static_cast<std::uint32_t>(*data) << 8U;
    sum2 += sum1;
    sum1 = (sum1 & 0xffffU) + (sum1 >> 16U);
    sum2 = (sum2 & 0xffffU) + (sum2 >> 16U);
  }
  sum1 = (sum1 & 0xffffU) + (sum1 >> 16U);
  sum2 = (sum2 & 0xffffU) + (sum2 >> 16U);
  return (sum2 << 16U) | sum1;
}

std::array<std::uint8_t, kChecksumBytes> stored_checksum(std::span<const std::uint8_t> bytes) {
  const std::uint32_t sum = fletcher32(bytes);
  std::array<std::uint8_t, kChecksumBytes> stored{};
  for (std::size_t place = 0; place < kChecksumBytes; ++place) {
    stored[place] = static_cast<std::uint8_t>(sum >> (8U * place));
  }
  return stored;
}

#if GREEKGRID_HAVE_ISAL

std::string compressor_name() {
  return "isal " + std::to_string(ISAL_MAJOR_VERSION) + "." + std::to_string(ISAL_MINOR_VERSION) + "." +
         std::to_string(ISAL_PATCH_VERSION) + " level " + std::to_string(kDeflateLevel);
}

bool unpack(std::span<const std::uint8_t> packed, std::span<std::uint8_t> to) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (packed.size() > kMost || to.size() > kMost) return false;
  const auto inflate = std::make_unique_for_overwrite<inflate_state>();
  isal_inflate_init(inflate.get());
  inflate->crc_flag = ISAL_ZLIB;
  inflate->next_in = const_cast<std::uint8_t*>(packed.data());
  inflate->avail_in = static_cast<std::uint32_t>(packed.size());
  std::uint8_t beyond = 0;  // takes the byte too many
  for (const std::span<std::uint8_t> piece : {to, std::span(&beyond, 1)}) {
    inflate->next_out = piece.data();
    inflate->avail_out = static_cast<std::uint32_t>(piece.size());
    const int status = isal_inflate(inflate.get());
    clear_upper_halves();
    if (status != ISAL_DECOMP_OK) return false;
    const bool is_done = inflate->block_state == ISAL_BLOCK_FINISH;
    if (piece.data() == &beyond) return is_done && inflate->avail_out == 1;
    if (inflate->avail_out > 0) return false;
    if (is_done) return true;
  }
  return false;
}

struct ChunkEncoder::State {
  isal_zstream stream;
  std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(ISAL_DEF_LVL1_DEFAULT);
};

std::size_t ChunkEncoder::deflate(std::span<const std::uint8_t> bytes, std::size_t size) {
  shuffled_.resize(bytes.size());
  shuffle(bytes, size, shuffled_);
  isal_zstream& stream = state_->stream;
  // Up to 2.32 the first step of the library's match search takes the hash of its third byte from a register that
  // holds the address of the stream, so that the output depended on where the stream lies. Given one byte beyond what
  // it keeps back, the library takes that one step alone and searches afresh with the rest. What is too short for
  // that goes through level 0, which is free of the fault.
  constexpr std::size_t kFirst = ISAL_LOOK_AHEAD + 1;
  const bool is_long = shuffled_.size() > kFirst;
  isal_deflate_init(&stream);
  stream.level = is_long ? kDeflateLevel : 0;
  stream.level_buf = state_->scratch.data();
  stream.level_buf_size = static_cast<std::uint32_t>(state_->scratch.size());
  stream.gzip_flag = IGZIP_ZLIB;
  stream.flush = NO_FLUSH;
  stream.next_in = shuffled_.data();
  stream.avail_in = static_cast<std::uint32_t>(is_long ? kFirst : shuffled_.size());
  stream.end_of_stream = is_long ? 0 : 1;
  std::vector<std::uint8_t>& out = packed_;
  if (out.size() < bytes.size() / 2 + 1024) out.resize(bytes.size() / 2 + 1024);
  do {
    if (stream.total_out == out.size()) out.resize(out.size() * 2);
    stream.next_out = out.data() + stream.total_out;
    stream.avail_out = static_cast<std::uint32_t>(out.size() - stream.total_out);
    const int status = isal_deflate(&stream);
    clear_upper_halves();
    if (status != COMP_OK) throw std::runtime_error("deflate failed (isal status " + std::to_string(status) + ")");
    if (stream.end_of_stream == 0) {
      stream.avail_in = static_cast<std::uint32_t>(shuffled_.size() - kFirst);
      stream.end_of_stream = 1;
    }
  } while (stream.internal_state.state != ZSTATE_END);
  return stream.total_out;
}

#else

std::string compressor_name() {
  return "libdeflate " LIBDEFLATE_VERSION_STRING " level " + std::to_string(kDeflateLevel);
}

bool unpack(std::span<const std::uint8_t> packed, std::span<std::uint8_t> to) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!decompressor) throw std::bad_alloc();
  return libdeflate_zlib_decompress(decompressor.get(), packed.data(), packed.size(), to.data(), to.size(), nullptr) ==
         LIBDEFLATE_SUCCESS;
}

struct ChunkEncoder::State {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(static_cast<int>(kDeflateLevel));
  State() {
    if (compressor == nullptr) throw std::bad_alloc();
  }
  ~State() { libdeflate_free_compressor(compressor); }
};

std::size_t ChunkEncoder::deflate(std::span<const std::uint8_t> bytes, std::size_t size) {
  shuffled_.resize(bytes.size());
  shuffle(bytes, size, shuffled_);
  std::vector<std::uint8_t>& out = packed_;
  out.resize(std::max(out.size(), libdeflate_zlib_compress_bound(state_->compressor, bytes.size())));
  const std::size_t length =
      libdeflate_zlib_compress(state_->compressor, shuffled_.data(), shuffled_.size(), out.data(), out.size());
  if (length == 0) throw std::runtime_error("deflate failed (libdeflate: no room)");
  return length;
}

#endif

std::vector<std::uint8_t> ChunkEncoder::encode(std::span<const std::uint8_t> bytes, std::size_t size) {
  const std::size_t length = deflate(bytes, size);
  const std::array<std::uint8_t, kChecksumBytes> sum = stored_checksum({packed_.data(), length});
  std::vector<std::uint8_t> out;
  out.reserve(length + sum.size());
  out.insert(out.end(), packed_.begin(), packed_.begin() + static_cast<std::ptrdiff_t>(length));
  out.insert(out.end(), sum.begin(), sum.end());
  return out;
}

std::size_t ChunkEncoder::append(std::span<const std::uint8_t> bytes, std::size_t size, std::string& to) {
  const std::size_t length = deflate(bytes, size);
  const std::array<std::uint8_t, kChecksumBytes> sum = stored_checksum({packed_.data(), length});
  to.append(reinterpret_cast<const char*>(packed_.data()), length);
  to.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  return length + sum.size();
}

ChunkEncoder::ChunkEncoder() : state_(new State) {}
ChunkEncoder::~ChunkEncoder() {
  delete state_;
}

}  // namespace greekgrid::h5

/// @file
/// What writing a night takes by itself: the chunks of a night.h5 are decoded into memory, then, by the clock,
/// compressed by all threads, written and synced as a run does. Nothing is computed. Prints JSON.
///
///   night_write NIGHT TARGET [THREADS]
///
/// TARGET is as long as NIGHT but no HDF5 file: what is no chunk of a night is written as zeros. It is removed.

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "chunk_codec.hpp"
#include "page_writer.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Chunk {
  haddr_t address = 0;
  std::size_t size = 1;  // of an element
  std::vector<std::uint8_t> bytes;
};

std::vector<std::uint8_t> decode(const std::vector<std::uint8_t>& stored, std::size_t bytes, std::size_t size) {
  constexpr std::size_t kChecksum = 4;
  std::vector<std::uint8_t> shuffled(bytes), out(bytes);
  uLongf length = bytes;
  if (stored.size() < kChecksum ||
      ::uncompress(shuffled.data(), &length, stored.data(), stored.size() - kChecksum) != Z_OK || length != bytes) {
    throw std::runtime_error("a chunk cannot be decoded");
  }
  const std::size_t count = bytes / size;
  for (std::size_t place = 0; place < size; ++place) {
    for (std::size_t i = 0; i < count; ++i) out[i * size + place] = shuffled[place * count + i];
  }
  return out;
}

void read_dataset(hid_t dataset, std::vector<Chunk>& chunks) {
  const hid_t creation = H5Dget_create_plist(dataset), space = H5Dget_space(dataset), type = H5Dget_type(dataset);
  if (H5Pget_layout(creation) == H5D_CHUNKED) {
    const auto rank = static_cast<std::size_t>(H5Sget_simple_extent_ndims(space));
    std::vector<hsize_t> dims(rank), chunk(rank), offset(rank, 0);
    H5Sget_simple_extent_dims(space, dims.data(), nullptr);
    H5Pget_chunk(creation, static_cast<int>(rank), chunk.data());
    const std::size_t size = H5Tget_size(type);
    std::size_t bytes = size;
    for (const hsize_t n : chunk) bytes *= n;
    for (bool more = true; more;) {
      haddr_t address = HADDR_UNDEF;
      hsize_t length = 0;
      unsigned mask = 0;
      H5Dget_chunk_info_by_coord(dataset, offset.data(), &mask, &address, &length);
      if (address != HADDR_UNDEF && length > 0) {
        std::vector<std::uint8_t> stored(length);
        if (H5Dread_chunk(dataset, H5P_DEFAULT, offset.data(), &mask, stored.data()) < 0) {
          throw std::runtime_error("a chunk cannot be read");
        }
        chunks.push_back({address, size, decode(stored, bytes, size)});
      }
      more = false;
      for (std::size_t d = rank; d-- > 0 && !more;) {
        offset[d] += chunk[d];
        more = offset[d] < dims[d];
        if (!more) offset[d] = 0;
      }
    }
  }
  H5Tclose(type);
  H5Sclose(space);
  H5Pclose(creation);
}

std::vector<Chunk> read_night(const char* path) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) throw std::runtime_error(std::string(path) + " cannot be read");
  std::vector<Chunk> chunks;
  const auto visit = [](hid_t root, const char* name, const H5O_info_t* info, void* out) -> herr_t {
    if (info->type != H5O_TYPE_DATASET) return 0;
    const hid_t dataset = H5Dopen2(root, name, H5P_DEFAULT);
    read_dataset(dataset, *static_cast<std::vector<Chunk>*>(out));
    H5Dclose(dataset);
    return 0;
  };
#if H5_VERSION_GE(1, 12, 0)
  const auto found = H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &chunks, H5O_INFO_BASIC);
#else
  const auto found = H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &chunks);
#endif
  if (found < 0) throw std::runtime_error(std::string(path) + " cannot be read");
  H5Fclose(file);
  std::sort(chunks.begin(), chunks.end(), [](const Chunk& a, const Chunk& b) { return a.address < b.address; });
  return chunks;
}

void write_whole(int descriptor, std::uint64_t at, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::pwrite(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (wrote <= 0) throw std::runtime_error("the target cannot be written");
    done += static_cast<std::size_t>(wrote);
  }
}

struct Batch {
  std::size_t begin = 0, end = 0;
  std::string packed;
};

int measure(const char* night, const char* target, int threads) {
  const std::vector<Chunk> chunks = read_night(night);
  const std::uint64_t file_bytes = std::filesystem::file_size(night);
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                          static_cast<std::size_t>(threads));
  std::uint64_t raw = 0;
  for (const Chunk& chunk : chunks) raw += chunk.bytes.size();
  const int descriptor = ::open(target, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) throw std::runtime_error(std::string(target) + " cannot be written");

  constexpr std::size_t kBatchBytes = std::size_t{4} << 20U;
  const auto started = Clock::now();
  std::size_t next = 0;
  std::uint64_t at = 0;
  std::atomic<std::int64_t> compressing{0};
  double writing = 0.0;
  {
    greekgrid::h5::PageWriter pages(descriptor);
    using oneapi::tbb::filter_mode;
    const auto take = [&](oneapi::tbb::flow_control& control) -> Batch {
      Batch batch{next, next, {}};
      for (std::size_t bytes = 0; batch.end < chunks.size() && bytes < kBatchBytes; ++batch.end) {
        bytes += chunks[batch.end].bytes.size();
      }
      next = batch.end;
      if (batch.begin == batch.end) control.stop();
      return batch;
    };
    const auto compress = [&](Batch batch) -> Batch {
      thread_local greekgrid::h5::ChunkEncoder encoder;
      const auto begun = Clock::now();
      for (std::size_t k = batch.begin; k < batch.end; ++k)
        encoder.append(chunks[k].bytes, chunks[k].size, batch.packed);
      compressing += std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begun).count();
      return batch;
    };
    const auto write = [&](const Batch& batch) {
      const auto begun = Clock::now();
      if (pages.write(at, batch.packed) != 0) throw std::runtime_error("the target cannot be written");
      at = greekgrid::h5::next_page(at + batch.packed.size());
      writing += seconds_since(begun);
    };
    oneapi::tbb::parallel_pipeline(static_cast<std::size_t>(threads) * 2,
                                   oneapi::tbb::make_filter<void, Batch>(filter_mode::serial_in_order, take) &
                                       oneapi::tbb::make_filter<Batch, Batch>(filter_mode::parallel, compress) &
                                       oneapi::tbb::make_filter<Batch, void>(filter_mode::serial_in_order, write));
    if (at < file_bytes) write_whole(descriptor, at, std::string(file_bytes - at, '\0'));
  }
  const auto syncing = Clock::now();
  if (::fsync(descriptor) != 0) throw std::runtime_error("the target cannot be synced");
  const double synced = seconds_since(syncing), total = seconds_since(started);
  ::close(descriptor);
  std::filesystem::remove(target);
  fmt::print(
      "{{\"seconds\": {}, \"compress_thread_seconds\": {}, \"write_seconds\": {}, \"sync_seconds\": {}, "
      "\"chunks\": {}, \"raw_bytes\": {}, \"chunk_bytes\": {}, \"file_bytes\": {}}}\n",
      total, 1e-9 * static_cast<double>(compressing.load()), writing, synced, chunks.size(), raw, at, file_bytes);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3 || count > 4) {
    fmt::print(stderr, "usage: night_write NIGHT TARGET [THREADS]\n");
    return 2;
  }
  try {
    return measure(words[1], words[2], count > 3 ? std::atoi(words[3]) : oneapi::tbb::info::default_concurrency());
  } catch (const std::exception& error) {
    fmt::print(stderr, "night_write: {}\n", error.what());
    return 1;
  }
}

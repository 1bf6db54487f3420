// In the place of io/hdf5/child_reader.cpp: the bytes of the fuzzer are what a child process answers, so that what this
// process makes of a child that a file has taken over is tried thousands of times a second. On request the
// answer of an honest child is written to a file instead: a seed.

#include "answer.hpp"
#include "child_reader.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

bool is_hdf5_file(const std::filesystem::path& /*path*/) {
  return false;
}

namespace h5 {

void read_in_child(const std::filesystem::path& path, const ReadFunction& read, const TakeFunction& take,
                   std::uint64_t work) {
  Spool memory({});
  read_in_child(path, memory, read, take, work);
}

void read_in_child(const std::filesystem::path& path, Spool& out, const ReadFunction& read, const TakeFunction& take,
                   std::uint64_t work) {
  read_in_children(
      path, {&out, 1}, {&read, 1}, [&](std::span<ArchiveReader> in) { take(in.front()); }, work);
}

void read_in_children(const std::filesystem::path& path, std::span<Spool> out, std::span<const ReadFunction> reads,
                      const std::function<void(std::span<ArchiveReader> in)>& take, std::uint64_t /*work*/) {
  try {
    if (fuzz::recorded >= 0) {
      const LibraryLock lock;
      const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "open");
      ArchiveWriter archive(fuzz::recorded);
      reads.front()(file.get(), std::filesystem::file_size(path), archive);
      archive.flush();
      throw Error("recorded");
    }
    std::vector<ArchiveReader> in;
    for (Spool& spool : out) {
      // A child's farewell is the last byte of the spool.
      spool.append(fuzz::answer.data(), fuzz::answer.size());
      spool.append("", 1);
      in.emplace_back(std::span(reinterpret_cast<const char*>(fuzz::answer.data()), fuzz::answer.size()));
    }
    take(in);
  } catch (const Error& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

}  // namespace h5
}  // namespace greekgrid

#pragma once

/// @file
/// The guard between a hostile file and this process. Private to io/hdf5.
///
/// The HDF5 library is not safe on corrupt metadata: a flipped bit in a heap of strings may crash it, hang it or make
/// it write beyond its buffers. So the library never opens a foreign file here: a forked child opens the descriptor,
/// reads what is asked for and hands over plain values, under limits of memory and time. Whatever happens to the child
/// is an InputError; what it hands over is checked again by the callers.
///
/// Forking while other threads run: the child has one thread, a copy of the one that forked. glibc makes malloc usable
/// in it, and this process holds the LibraryLock over the fork, so that no other thread is inside HDF5. The child
/// touches nothing else that another thread may have locked (no stdio, no logging, no locale, no oneTBB) and leaves by
/// _exit, so that no destructor or exit handler of this process runs twice.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "archive.hpp"
#include "spool.hpp"

namespace greekgrid::h5 {

/// In the child: reads from an open file of file_size bytes and hands over. Throws Error.
using ReadFunction = std::function<void(hid_t file, std::uint64_t file_size, ArchiveWriter& out)>;
/// In the caller: takes over. Throws Error.
using TakeFunction = std::function<void(ArchiveReader& in)>;

/// Opens an HDF5 file in a child process, runs `read` there and `take` here.
/// @param work bytes that `read` looks at, where that is much more than lies in the file: the child has longer for them
/// @throws InputError for a file that is missing, not regular, empty, no HDF5 file or not readable by the child in
/// time, and for every Error of `read` and `take`.
void read_in_child(const std::filesystem::path& path, const ReadFunction& read, const TakeFunction& take,
                   std::uint64_t work = 0);

/// The same, with what is handed over in spools, which keep it: `take` may remember where columns lie in them. A child
/// for each spool, all at once and all of the same open file, runs the function of the same place; `take` runs when all
/// have ended well. Of several errors the first child's is told.
/// @param take is given a reader for each spool
/// @throws OutputError for a spool that takes no more, too
void read_in_children(const std::filesystem::path& path, std::span<Spool> spools, std::span<const ReadFunction> reads,
                      const std::function<void(std::span<ArchiveReader> in)>& take, std::uint64_t work = 0);
/// With one child.
void read_in_child(const std::filesystem::path& path, Spool& spool, const ReadFunction& read, const TakeFunction& take,
                   std::uint64_t work = 0);

}  // namespace greekgrid::h5

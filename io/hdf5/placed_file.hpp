#pragma once

/// @file
/// An HDF5 file in which chunks lie where they were put before there was a file: encoded data are written once, while a
/// run goes on, and what describes them is written around them at its end. Private to io/hdf5.

#include <cstdint>
#include <filesystem>
#include <limits>

#include "handle.hpp"
#include "page_writer.hpp"

namespace greekgrid::h5 {

/// Where the first chunk may lie; before it the library keeps the beginning of its file.
inline constexpr std::uint64_t kFirstChunk = kPage;

/// Where chunks lie, for the one file that is being made. Outlives the file's handle.
struct Placement {
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t end = kFirstChunk;  ///< of the chunks: everything else that the library stores lies behind it
  bool is_written = false;          ///< the chunks are in the file already
  std::uint64_t next = kNone;       ///< the place of the chunk that is stored next; the library's taking it clears it
};

/// Creates a file as create_file does, around what lies within the placement. The file must exist; what of it is not
/// chunks is lost. Throws Error.
Handle create_placed_file(const std::filesystem::path& path, Placement& placement);

}  // namespace greekgrid::h5

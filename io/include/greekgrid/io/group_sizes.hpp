#pragma once

/// @file
/// Where the bytes of a file are.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// A group of the root with all below it; "root" for the variables of the root itself.
struct GroupSize {
  std::string group;
  std::uint64_t bytes = 0;  ///< of values as stored, compressed; names, attributes and indices are not counted
};

/// Sizes of a file's groups, largest first. Read with the guard of read_chain_file. @throws InputError
std::vector<GroupSize> read_group_sizes(const std::filesystem::path& path);

}  // namespace greekgrid

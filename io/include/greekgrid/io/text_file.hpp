#pragma once

/// @file
/// Small text files that are read whole: configurations, profiles, records.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace greekgrid {

/// The bytes of a regular file of at most `most` bytes. A pipe or a device is refused, not waited for.
/// @throws InputError for a file that is missing, not regular, too long or not readable
std::string read_text_file(const std::filesystem::path& path, std::size_t most);

/// The same of a file that need not be there: nothing where read_text_file() would throw.
std::optional<std::string> text_file_if_any(const std::filesystem::path& path, std::size_t most);

}  // namespace greekgrid

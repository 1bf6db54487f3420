#pragma once

/// @file
/// Run configurations as TOML.

#include <filesystem>
#include <string>
#include <string_view>

#include "greekgrid/host/run_config.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Reads a configuration; what the file does not name keeps its default. Unknown keys, wrong types and values out of
/// range are refused, with file, line and key.
/// @throws InputError
RunConfig read_config(const std::filesystem::path& path);

/// The same from text; `name` appears in messages.
RunConfig parse_config(std::string_view text, std::string_view name);

/// The configuration in force as TOML: every key, defaults filled in, sorted. parse_config() of it gives the same.
std::string to_toml(const RunConfig& config);

}  // namespace greekgrid

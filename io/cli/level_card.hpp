#pragma once

/// @file
/// One ticker's night on one page.

#include <filesystem>
#include <string>

#include "greekgrid/io/night_file.hpp"

namespace greekgrid::cli {

/// Levels, ranges, hedging, profiles by bucket, the next roll-offs, the ladder and the session of one row of /levels,
/// as text. Reads the tables beside the levels from `file`; one that it lacks is left out. @throws InputError
std::string level_card(const std::filesystem::path& file, const NightSummary& night, const LevelRow& row);

}  // namespace greekgrid::cli

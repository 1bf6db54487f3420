#pragma once

/// @file
/// night.h5: the result of one run, read back. It is made of its parts: night_part.hpp.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/night_result.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// What `levels` and `info` read back from a night.h5.
struct NightSummary {
  NightHeader header;
  std::vector<LevelRow> level;
  std::vector<CrossingRow> crossing;
  std::vector<TickerQuality> quality;
  std::int64_t contracts = 0, expiries = 0;
  Instant session = 0;                     ///< 00:00 UTC of the session that the quotes belong to
  std::map<std::string, std::string> run;  ///< attributes of /run as text
  std::vector<std::string> warnings;
};

/// Reads header, levels, crossings, quality and run attributes, with the guard of read_chain_file. @throws InputError
NightSummary read_night_summary(const std::filesystem::path& path);

}  // namespace greekgrid

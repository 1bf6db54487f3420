#pragma once

/// @file
/// Splits that closes do not show, or show falsely, as CSV.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/predictors.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Corrections, sorted by symbol and date, and where they came from.
struct Corrections {
  std::vector<SplitCorrection> split;
  std::string source;  ///< base name
  std::string sha256;  ///< 64 lower-case hexadecimal digits
};

/// Reads a CSV (plain or gzip) with the columns `symbol`, `date` (YYYY-MM-DD: the first session at the new price) and
/// `factor` (new shares per old share, 1e-4 to 1e4; 1: what looks like a split there is none). Other columns, such as a
/// remark, are ignored.
/// @throws InputError naming file, row and field for anything it cannot take: a correction is too rare to be left out
/// silently
Corrections read_corrections(const std::filesystem::path& path);

/// The same from memory; `name` appears in messages and is the source.
Corrections parse_corrections(std::string_view bytes, std::string_view name);

}  // namespace greekgrid

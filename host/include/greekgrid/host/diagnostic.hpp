#pragma once

/// @file
/// What was refused and why, as data: input errors are collected, never thrown one by one.

#include <cstdint>
#include <string>
#include <vector>

namespace greekgrid {

/// One refusal. A row that is refused has exactly one diagnostic, so rows in = rows kept + rows refused.
struct Diagnostic {
  std::string file;  ///< base name of the source, empty when it came from memory
  std::int64_t row =
      0;               ///< line of the file (1-based), element of a JSON array (1-based) or row of chains.h5 (0-based)
  std::string field;   ///< column name as the file spells it, or the quantity
  std::string rule;    ///< snake_case name of the rule that refused it
  std::string value;   ///< the offending value as text
  std::string ticker;  ///< underlying, empty if unknown
};

using Diagnostics = std::vector<Diagnostic>;

}  // namespace greekgrid

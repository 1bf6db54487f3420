#pragma once

/// @file
/// The schema of the files as a document: what docs/schema.md shows is what this prints.

#include <string>
#include <string_view>

namespace greekgrid {

/// Markdown: a heading for every group of a file, then a table of its variables, their dimensions, types, units and
/// meanings, in the order in which they lie in the file, and the attributes of the group.
/// @param file chains, history or night
/// @return empty for another file
std::string schema_page(std::string_view file);

}  // namespace greekgrid

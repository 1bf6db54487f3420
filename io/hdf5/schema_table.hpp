#pragma once

/// @file
/// What the files hold, variable by variable, as their writers left it in files with everything stored. Private to
/// io/hdf5.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "table.hpp"

namespace greekgrid::h5 {

/// A variable, or a group where the name is empty. Lists are blank-separated.
struct SchemaRow {
  std::string_view file;   ///< chains, history or night
  std::string_view group;  ///< "/", "/levels", "/profile/strike"
  std::string_view name, dims;
  Type type;
  std::string_view units;       ///< empty for strings and flags
  std::string_view flags;       ///< flag_meanings; empty unless a flag
  std::string_view attributes;  ///< beyond those that the other columns imply
  std::string_view meaning;     ///< long_name

  bool is_group() const { return name.empty(); }
  bool is_coordinate() const { return dims == name; }
};

/// Rows of all files, groups before their variables, in the order in which they lie in the files.
std::span<const SchemaRow> schema_rows();
/// Whether a sound file may lack a variable: it is stored on request or where the input has it.
bool may_be_absent(const SchemaRow& row);
/// Whether a sound file may lack an attribute of an object.
bool may_be_absent(const SchemaRow& row, std::string_view attribute);
/// Whether a sound file may have an attribute that the row does not list.
bool may_be_present(const SchemaRow& row, std::string_view attribute);
/// Parts of a blank-separated list.
std::vector<std::string> words(std::string_view list);

}  // namespace greekgrid::h5

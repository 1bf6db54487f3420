#pragma once

/// @file
/// Any table of a night.h5, chains.h5 or history.h5, read by what the file says of itself: groups, variables and parts
/// of variables along their dimensions. With the guard of read_chain_file; what comes out of it is validated again.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Units of instants: int64 seconds, UTC.
inline constexpr const char* kInstantUnits = "seconds since 1970-01-01 00:00:00";

/// Values of a variable, C-ordered.
using TableValues = std::variant<std::vector<double>, std::vector<float>, std::vector<std::int64_t>,
                                 std::vector<std::int32_t>, std::vector<std::int8_t>, std::vector<std::string>>;

/// What a file says of a variable. Texts are UTF-8 without control characters.
struct TableVariable {
  std::string name;
  std::vector<std::string> dims;      ///< at least one; each names a coordinate variable of the same group
  std::vector<std::int64_t> lengths;  ///< of the dimensions, positive; their product fits into 63 bits
  std::string type;                   ///< i8, i32, i64, f32, f64 or string, as docs/schema.md spells them
  std::string long_name;
  std::string units;                       ///< empty for strings and flags
  std::vector<std::int8_t> flag_values;    ///< empty unless a flag
  std::vector<std::string> flag_meanings;  ///< as many as flag_values

  bool is_coordinate() const { return dims.size() == 1 && dims[0] == name; }
  bool is_instant() const { return type == "i64" && units == kInstantUnits; }
};

/// A group and its variables, in the order in which they lie in the file.
struct TableGroup {
  std::string path;  ///< "levels", "profile/strike"; "root" for the root
  std::vector<TableVariable> variables;
  bool is_empty_table = false;  ///< a table without rows: no variables, attribute `rows`
};

/// The groups of a file, the root first, then by path.
struct TableFile {
  std::string schema;  ///< greekgrid.night, greekgrid.chains or greekgrid.history
  std::vector<TableGroup> groups;
};

/// A part of a dimension.
struct IndexRange {
  std::int64_t begin = 0, count = 0;
};

/// What to read of a group.
struct TableSelection {
  std::vector<std::string> variables;        ///< all if empty
  std::map<std::string, IndexRange> ranges;  ///< by dimension; one without a range is read whole
};

/// A variable with its values: `variable.lengths` are those of the part that was read.
struct TableColumn {
  TableVariable variable;
  TableValues values;
};

/// The groups of a file. @throws InputError for a file of another schema, a damaged one, or one with a variable of a
/// type that docs/schema.md does not know.
TableFile list_groups(const std::filesystem::path& path);

/// Variables of a group, in the order asked for, else in that of list_groups(). Sizes are checked against the file's
/// before anything is allocated; the result takes the memory of the selected cells.
/// @throws InputError as list_groups(), and for a group, a variable or an index range that the file does not have
std::vector<TableColumn> read_table(const std::filesystem::path& path, const std::string& group,
                                    const TableSelection& selection = {});

}  // namespace greekgrid

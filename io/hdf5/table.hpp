#pragma once

/// @file
/// Tables as HDF5 groups that netCDF readers open: dimension scales on every axis, units, fill values, filters. All
/// calls are made under a LibraryLock. Private to io/hdf5.

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "greekgrid/host/chain.hpp"
#include "handle.hpp"

namespace greekgrid::h5 {

/// Element types that files may hold.
enum class Type : std::uint8_t { kInt8, kInt32, kInt64, kFloat32, kFloat64, kString };

/// Type of numbers of T; enumerations are stored as their underlying integers.
template <class T>
constexpr Type type_of() {
  if constexpr (std::is_enum_v<T>) {
    return type_of<std::underlying_type_t<T>>();
  } else if constexpr (std::is_same_v<T, std::int8_t>) {
    return Type::kInt8;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return Type::kInt32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return Type::kInt64;
  } else if constexpr (std::is_same_v<T, float>) {
    return Type::kFloat32;
  } else if constexpr (std::is_same_v<T, double>) {
    return Type::kFloat64;
  } else {
    static_assert(std::is_same_v<T, std::string>);
    return Type::kString;
  }
}

/// Bytes of one number.
std::size_t size_of(Type type);
/// The type as it lies in a file: little endian. Strings are made by string_type().
hid_t file_type(Type type);
/// The same type in memory.
hid_t memory_type(Type type);
/// Variable-length UTF-8.
Handle string_type();

/// A view of the values of a column, C-ordered.
struct Values {
  Type type;
  const void* data;
  std::size_t count;

  template <class T>
  Values(const std::vector<T>& values)  // NOLINT(google-explicit-constructor): a column's values, whatever their type
      : type(type_of<T>()), data(values.data()), count(values.size()) {}
};

/// What a variable is called and means.
struct Column {
  std::string name;
  std::vector<std::string> dims;  ///< a column over the dimension of its own name is that dimension's scale
  std::string long_name;
  std::string units;          ///< empty for strings and flags
  std::string flag_meanings;  ///< blank-separated names of 0, 1, ...; empty unless a flag
  /// Dimension that the values are numbers of: a part's own count from where the parts before it end. Empty: not such.
  std::string index_of = {};
  /// Whether parts say different values of a shared column, of which the file holds the greatest.
  bool greatest_of_parts = false;
};

/// Units of instants; they imply the attribute calendar.
inline constexpr const char* kTimeUnits = "seconds since 1970-01-01 00:00:00";

// Attributes. Text that is not UTF-8 (a file name may be anything) has its bad bytes replaced by U+FFFD.
void write_attribute(hid_t object, const std::string& name, const std::string& text);
void write_attribute(hid_t object, const std::string& name, const std::vector<std::string>& list);
void write_attribute(hid_t object, const std::string& name, std::int32_t number);
void write_attribute(hid_t object, const std::string& name, std::int64_t number);
void write_attribute(hid_t object, const std::string& name, float number);
void write_attribute(hid_t object, const std::string& name, double number);
void write_attribute(hid_t object, const std::string& name, const std::vector<std::int8_t>& numbers);

/// Creates a file whose bytes depend on its content only.
Handle create_file(const std::filesystem::path& path);
/// The same with access properties that were made of file_access().
Handle create_file(const std::filesystem::path& path, const Handle& access);
Handle file_access();
/// The root group of a file.
Handle root_group(const Handle& file);
/// A group below another one.
Handle create_group(hid_t parent, const std::string& name);
/// Creation properties of a dataset: no times; chunked and filtered if `chunk` is not empty; fill value NaN for float
/// columns that are no coordinates.
Handle dataset_properties(Type type, bool fill_nan, const std::vector<hsize_t>& chunk);

class TableWriter;

/// A column whose values come piece by piece, in order. Holds a few chunks at a time, whatever its length.
class ColumnStream {
 public:
  /// The next `count` values.
  void append(const void* values, std::size_t count);
  void append(std::span<const std::string> texts);
  /// Writes what is still held. Throws Error unless exactly the values of the column came.
  void finish();

 private:
  friend class TableWriter;
  ColumnStream(Handle dataset, Type type, std::vector<hsize_t> dims, hsize_t chunk_rows, std::vector<std::uint8_t> fill,
               std::string what);
  void write_rows(bool last);

  Handle dataset_;
  Type type_;
  std::vector<hsize_t> dims_;
  hsize_t chunk_rows_;  // 0: contiguous
  std::vector<std::uint8_t> fill_;
  std::string what_;
  std::size_t width_ = 1, written_ = 0;  // values of one row; rows written
  std::vector<std::uint8_t> held_;
  std::vector<std::string> held_text_;
};

/// Writes the variables of one group. Coordinates come before the columns over them.
class TableWriter {
 public:
  explicit TableWriter(hid_t group) : group_(group) {}

  /// Writes a variable with its scales, attributes and storage.
  void column(const Column& column, const Values& values);
  /// Begins a variable of `count` values of a type. The stream is finished before the next variable begins.
  ColumnStream begin(const Column& column, Type type, std::size_t count);
  /// Writes the coordinate of a dimension without a natural one: 0 .. n-1.
  void row_numbers(const std::string& name, std::size_t n);
  /// Attaches the scales of `column.dims` to a dataset and writes long_name, units, flags and _FillValue.
  void describe(hid_t dataset, const Column& column, Type type);
  bool has(const std::string& dim) const { return scale_.count(dim) > 0; }
  /// Length of a dimension whose coordinate is written.
  std::size_t length(const std::string& dim) const { return scale_.at(dim).length; }
  /// Adds an attribute to a coordinate.
  template <class Value>
  void scale_attribute(const std::string& dim, const std::string& name, const Value& value) {
    write_attribute(scale_.at(dim).dataset.get(), name, value);
  }

 private:
  struct Scale {
    Handle dataset;
    std::size_t length = 0;
  };
  hid_t group_;
  std::map<std::string, Scale> scale_;
};

/// Root attributes of both files; empty source lists are left out, because no dimension has length zero.
void write_root_attributes(hid_t root, const std::string& schema, const std::string& title, Instant quote_time,
                           Instant file_time, const std::string& settle_date, const std::string& knowledge_time,
                           const std::vector<ChainSource>& source);

/// The version that files carry: MAJOR.MINOR.
inline constexpr const char* kSchemaVersion = "1.0";
inline constexpr const char* kSchemaMajor = "1";

/// ISO 8601 in UTC, whole seconds: 2023-09-14T20:00:00Z.
std::string iso_from_instant(Instant instant);
/// The text with every byte that is not part of a UTF-8 character replaced by U+FFFD.
std::string as_utf8(std::string_view text);

}  // namespace greekgrid::h5

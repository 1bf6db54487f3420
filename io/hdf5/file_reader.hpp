#pragma once

/// @file
/// Reading variables and attributes of a file of a known schema. Runs in the child process of child_reader.hpp; sizes
/// are checked against the file's before anything is allocated. Private to io/hdf5.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "handle.hpp"
#include "table.hpp"

namespace greekgrid::h5 {

/// An open file. Paths are absolute: "/spot", "/levels/row". Every member throws Error where the file is not as asked.
class FileReader {
 public:
  FileReader(hid_t file, std::uint64_t file_size) : file_(file), file_size_(file_size) {}

  /// Refuses files of another schema or another MAJOR.
  void require_schema(const std::string& schema) const;

  bool has(const std::string& path) const;
  /// Length of a one-dimensional variable.
  std::size_t length(const std::string& path) const;
  /// Values of a variable of exactly these dimensions.
  template <class T>
  std::vector<T> values(const std::string& path, const std::vector<std::size_t>& dims) const {
    std::vector<T> out;
    const Handle dataset = open(path, type_of<T>(), dims);
    out.resize(product(dims));
    read(dataset, path, type_of<T>(), out.data());
    return out;
  }
  std::vector<std::string> strings(const std::string& path, std::size_t length) const;

  bool has_attribute(const std::string& object, const std::string& name) const;
  std::string text_attribute(const std::string& object, const std::string& name) const;
  /// A list; empty if there is no such attribute.
  std::vector<std::string> list_attribute(const std::string& object, const std::string& name) const;
  double number_attribute(const std::string& object, const std::string& name) const;
  /// Names of the attributes of an object that are scalar strings.
  std::vector<std::string> text_attribute_names(const std::string& object) const;

 private:
  static std::size_t product(const std::vector<std::size_t>& dims);
  /// Opens a dataset and checks type, dimensions, storage and filters.
  Handle open(const std::string& path, Type type, const std::vector<std::size_t>& dims) const;
  static void read(const Handle& dataset, const std::string& path, Type type, void* out);
  Handle open_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> texts(const Handle& attribute, const std::string& name) const;

  hid_t file_;
  std::uint64_t file_size_;
};

}  // namespace greekgrid::h5

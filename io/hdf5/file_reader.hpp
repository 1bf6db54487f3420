#pragma once

/// @file
/// Reading variables and attributes of a file of a known schema. Runs in the child process of child_reader.hpp; sizes
/// are checked against the file's before anything is allocated. Private to io/hdf5.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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
  /// Whether the file is of a higher MINOR than this program's: it may have what this program does not know.
  bool is_newer() const;

  bool has(const std::string& path) const;
  /// Length of a one-dimensional variable.
  std::size_t length(const std::string& path) const;
  /// Values of a variable of exactly these dimensions.
  template <class T>
  std::vector<T> values(const std::string& path, const std::vector<std::size_t>& dims) const {
    std::vector<T> out;
    const Handle dataset = open(path, type_of<T>(), dims);
    out.resize(product(dims));
    read(dataset, path, type_of<T>(), dims, out.data());
    return out;
  }
  std::vector<std::string> strings(const std::string& path, std::size_t length) const;

  /// Names of the groups (or else the variables) in a group, by hard links, in the order in which they lie in the file.
  std::vector<std::string> children(const std::string& group, bool groups) const;
  /// What a variable says of itself: its type, its lengths and the names of its dimensions, by their scales.
  struct Shape {
    Type type;
    std::vector<std::size_t> lengths;
    std::vector<std::string> dims;
  };
  Shape shape(const std::string& path) const;
  /// A part of a variable of exactly this shape: `count` values from `begin` along each dimension.
  template <class T>
  std::vector<T> part(const std::string& path, const Shape& shape, const std::vector<std::size_t>& begin,
                      const std::vector<std::size_t>& count) const {
    const Handle dataset = open(path, type_of<T>(), shape.lengths);
    if constexpr (std::is_same_v<T, std::string>) {
      return read_strings(dataset, path, begin, count);
    } else {
      std::vector<T> out(product(count));
      read_part(dataset, path, type_of<T>(), begin, count, out.data());
      return out;
    }
  }

  bool has_attribute(const std::string& object, const std::string& name) const;
  std::string text_attribute(const std::string& object, const std::string& name) const;
  /// A list; empty if there is no such attribute.
  std::vector<std::string> list_attribute(const std::string& object, const std::string& name) const;
  double number_attribute(const std::string& object, const std::string& name) const;
  /// Values of a flag; empty if there is no such attribute.
  std::vector<std::int8_t> flags_attribute(const std::string& object, const std::string& name) const;
  /// Names of the attributes of an object that are scalar strings.
  std::vector<std::string> text_attribute_names(const std::string& object) const;

 private:
  /// Throws Error beyond what any file can hold.
  static std::size_t product(const std::vector<std::size_t>& dims);
  /// Opens a variable whose data lie in this file and were packed by filters that this program has.
  Handle open_own(const std::string& path) const;
  /// Opens a dataset and checks type, dimensions, storage and filters.
  Handle open(const std::string& path, Type type, const std::vector<std::size_t>& dims) const;
  /// Told of a chunk: its lengths, where it begins, and its bytes; none of one that may be absent and is, and of a
  /// variable without filters.
  using VisitChunk =
      std::function<void(std::span<const hsize_t>, std::span<const hsize_t>, std::span<const std::uint8_t>)>;
  /// Unpacks the chunks that a selection meets, in their order. Refuses a variable of which one is missing, does not
  /// unpack to its length or has another checksum. The library itself would unpack any amount, and pass on what lies
  /// in memory behind a chunk that is too short; and it takes longer.
  void visit_chunks(const Handle& dataset, const std::string& path, const std::vector<hsize_t>& begin,
                    const std::vector<hsize_t>& count, const VisitChunk& visit) const;
  /// Refuses what visit_chunks refuses, of a variable that the library reads: one of strings, or without filters.
  void check_chunks(const Handle& dataset, const std::string& path, const std::vector<hsize_t>& begin,
                    const std::vector<hsize_t>& count) const;
  void read(const Handle& dataset, const std::string& path, Type type, const std::vector<std::size_t>& dims,
            void* out) const;
  void read_part(const Handle& dataset, const std::string& path, Type type, const std::vector<std::size_t>& begin,
                 const std::vector<std::size_t>& count, void* out) const;
  std::vector<std::string> read_strings(const Handle& dataset, const std::string& path,
                                        const std::vector<std::size_t>& begin,
                                        const std::vector<std::size_t>& count) const;
  Handle open_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> texts(const Handle& attribute, const std::string& name) const;

  hid_t file_;
  std::uint64_t file_size_;
};

}  // namespace greekgrid::h5

#pragma once

/// @file
/// The structure of a file against the schema: what is there, of which type and shape, how it is stored. Runs in the
/// child process of child_reader.hpp. Private to io/hdf5.

#include <cstdint>
#include <string>
#include <vector>

#include "file_reader.hpp"
#include "findings.hpp"

namespace greekgrid::h5 {

/// A variable that can be read.
struct StoredVariable {
  std::string path;
  Type type = Type::kString;
  std::vector<std::size_t> lengths;
  std::vector<std::string> dims;   ///< by the names of the scales; may hold empty names where there are none
  std::vector<std::size_t> chunk;  ///< empty if contiguous
  bool readable = false;           ///< of a type and shape that can be read
  bool known = false;              ///< and in the schema, with this type and these dimensions
};

/// What a file is and has.
struct Structure {
  std::string file;  ///< chains, history or night
  std::string version;
  bool newer = false;  ///< of a higher MINOR than this program's
  std::vector<StoredVariable> variables;
  std::vector<std::string> groups;
};

/// Looks at every object, attribute and dataset of a file. @throws Error for a file of another schema or MAJOR
Structure read_structure(hid_t file, const FileReader& reader, Findings& findings);

}  // namespace greekgrid::h5

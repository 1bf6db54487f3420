#pragma once

/// @file
/// The values of a file: every chunk with its checksum, and the statements that the schema makes about them. Runs in
/// the child process of child_reader.hpp. Private to io/hdf5.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "file_reader.hpp"
#include "findings.hpp"
#include "verify_structure.hpp"

namespace greekgrid::h5 {

/// The cells at spot_reference, time[0] and iv_shift 0, as the surfaces have them. (U, W) each; empty where unknown.
struct ReferenceCells {
  std::vector<double> dx, gx;
  std::vector<double> dx_tolerance, gx_tolerance;  ///< how far from the sums of the tables they may be
};

/// A numeric variable read chunk by chunk.
class ChunkReader {
 public:
  /// @throws Error for one that cannot be opened
  ChunkReader(hid_t file, const StoredVariable& variable);
  /// Calls see(first index of every dimension, lengths) for every part of the variable that is stored; the part is then
  /// at data(). A part that cannot be read is passed to `broken` with its reason.
  void for_each(const std::function<void(const std::vector<std::size_t>&, const std::vector<std::size_t>&)>& see,
                const std::function<void(const std::vector<std::size_t>&, const std::string&)>& broken);
  /// Reads a part. @throws Error
  void read(const std::vector<std::size_t>& begin, const std::vector<std::size_t>& count);
  template <class T>
  std::span<const T> data() const {
    return {reinterpret_cast<const T*>(bytes_.data()), count_};
  }

 private:
  bool is_stored(const std::vector<std::size_t>& begin) const;

  const StoredVariable& variable_;
  Handle dataset_, space_;
  std::vector<char> bytes_;
  std::size_t count_ = 0;
};

/// Whether a variable is one of the surfaces of the root, which verify_cells.hpp reads.
bool is_root_surface(const Structure& structure, const StoredVariable& variable);

/// Reads every chunk of the variables [first, last) but the surfaces of the root: checksums, flags, numbers that are
/// none.
void check_chunks(hid_t file, const FileReader& reader, const Structure& structure, std::size_t first, std::size_t last,
                  Findings& findings);

/// The statements about the values of the tables.
void check_statements(hid_t file, const FileReader& reader, const Structure& structure, const ReferenceCells& cells,
                      Findings& findings);

}  // namespace greekgrid::h5

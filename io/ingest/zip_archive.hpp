#pragma once

/// @file
/// Members of a zip archive as streams. The only place that calls libzip.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace greekgrid::ingest_detail {

/// An open archive. Members are read one after the other, none twice.
class ZipArchive {
 public:
  struct Member {
    std::uint64_t index;
    std::string name;
  };

  /// Takes over a duplicate of `descriptor`; `label` is what messages call the archive.
  /// @throws InputError if it is no archive.
  ZipArchive(int descriptor, std::string label);
  /// `bytes` must outlive the object. @throws InputError
  ZipArchive(std::string_view bytes, std::string label);
  ~ZipArchive();
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  /// The files in the archive, in its order; without folders, hidden files and what macOS adds.
  /// @throws InputError if there is none, or more than 10,000.
  std::vector<Member> members() const;
  /// Begins a member. @throws InputError if it is encrypted or compressed by an unknown method.
  void open(const Member& member);
  /// Reads up to `room` bytes of the open member; 0 at its end. @throws InputError if the data are corrupt.
  std::size_t read(char* out, std::size_t room);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True if a file that begins so is a zip archive.
bool is_zip(std::string_view beginning);

}  // namespace greekgrid::ingest_detail

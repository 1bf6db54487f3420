#pragma once

/// @file
/// The text of a source, plain, gzip or a member of a zip archive, read in pieces under limits.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/io/error.hpp"

namespace greekgrid::ingest_detail {

/// Decompressed text of one source as a stream, and the digest of its bytes on disk.
/// Limits: 64 GiB of text, and 1000 times the compressed size, both for all members of an archive together. Several
/// gzip members are one text; a member without its trailer is truncated. Zero bytes after the last member are padding,
/// anything else is corrupt. An archive inside an archive is refused.
class SourceText {
 public:
  /// One text per plain or gzip file, one per member of a zip archive. Texts of one archive are to be read one after
  /// the other.
  /// @throws InputError if the file is missing, not a regular file, not readable or empty, or an archive without files.
  static std::vector<SourceText> all_of_file(const std::filesystem::path& path);
  /// `bytes` must outlive the objects. @throws InputError if empty.
  static std::vector<SourceText> all_of_memory(std::string_view bytes, std::string name);
  /// The same where one text is wanted. @throws InputError for an archive of several files, too.
  static SourceText from_file(const std::filesystem::path& path);
  static SourceText from_memory(std::string_view bytes, std::string name);

  SourceText(SourceText&&) noexcept;
  SourceText& operator=(SourceText&&) noexcept;
  ~SourceText();

  /// Base name, for diagnostics and provenance; archive.zip:member for the member of an archive.
  const std::string& name() const;
  /// Base name of the archive, empty if there is none.
  const std::string& archive() const;
  /// The path as it was given, for messages.
  const std::string& label() const;
  /// Appends up to `count` bytes of text (fewer only at the end). @throws InputError
  void read(std::string& text, std::size_t count);
  /// Everything that is left, for formats of one underlying that are parsed as a whole.
  /// @throws InputError beyond 4 GiB
  void read_all(std::string& text);
  /// True once the text has ended.
  bool ended() const;
  /// 64 lower-case hexadecimal digits; reads what is left of the bytes.
  std::string sha256();

 private:
  struct State;
  explicit SourceText(std::unique_ptr<State> state);
  static std::vector<SourceText> opened(std::unique_ptr<State> state);
  static SourceText only(std::vector<SourceText> texts);
  std::unique_ptr<State> state_;
};

}  // namespace greekgrid::ingest_detail

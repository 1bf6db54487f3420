#pragma once

/// @file
/// Atomic replacement of a file: a reader sees the old one or the new one, never half of one.

#include <filesystem>
#include <string>

namespace greekgrid {

/// A file in the making, beside its target. Written under `.<name>.<pid>.tmp` in the target's directory, then published
/// by fsync, rename and fsync of the directory. A symbolic link as target is followed: the link stays, the file it
/// names is replaced. Left-overs of dead processes to the same target are removed at construction.
class PendingFile {
 public:
  /// Checks that the target can be replaced and reserves the temporary name.
  /// @throws OutputError if the directory is missing or not writable, or the target is a directory or device.
  explicit PendingFile(std::filesystem::path target);
  /// Removes the temporary file unless published.
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  /// Where to write.
  const std::filesystem::path& path() const { return temporary_; }
  /// The file that is replaced: the target given, symbolic links followed.
  const std::filesystem::path& target() const { return target_; }
  /// Makes another finished (closed) file of the same directory tree the temporary one: it keeps its name besides.
  /// @throws OutputError
  void take(const std::filesystem::path& file);
  /// Makes the finished (closed) temporary file the target, durably.
  /// @throws OutputError; the old target is then untouched and the temporary file removed (unless only the last step,
  /// the fsync of the directory, failed: the message then says that the target was replaced).
  void publish();

 private:
  std::filesystem::path target_, temporary_;
  bool published_ = false;
};

/// Removes the temporary files of this process that are not published, and the locks that it holds: for a process that
/// is about to be cut short.
void remove_pending_files();

/// Writes a small text file atomically. @throws OutputError
void publish_text(const std::filesystem::path& target, const std::string& text);

}  // namespace greekgrid

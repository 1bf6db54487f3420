#pragma once

/// @file
/// Failures of files. The program maps them to exit codes: InputError 3, OutputError 1.

#include <stdexcept>
#include <string>

namespace greekgrid {

/// An input that cannot be used at all: missing, not a regular file, empty, truncated, corrupt, of unknown format, of
/// another schema. The message reads `FILE[:ROW]: problem (why) suggestion`.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A target that cannot be written: missing directory, no space, no right, a directory or device. The message reads
/// `FILE: problem (why) suggestion`. The old target, if any, is untouched.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace greekgrid

#pragma once

/// @file
/// Where tests find real chains and reference numbers. Neither is part of the repository: tests skip without them.

#include <filesystem>
#include <string>

namespace greekgrid::test {

/// Directory of real chains: $GREEKGRID_DATA, default ../shared/data beside the source tree.
std::filesystem::path data_dir();
/// Directory of reference numbers: $GREEKGRID_REFERENCE, default `reference` beside data_dir().
std::filesystem::path reference_dir();
/// A fresh empty directory below the system's temporary one, removed at exit of the test program.
std::filesystem::path scratch_dir(const std::string& name);

}  // namespace greekgrid::test

/// Skips the running test, with the reason, when a real file is absent.
#define GREEKGRID_REQUIRE_FILE(path)                                                                      \
  do {                                                                                                    \
    if (!std::filesystem::exists(path))                                                                   \
      GTEST_SKIP() << "no file " << (path).filename() << " (set GREEKGRID_DATA to the folder of chains)"; \
  } while (false)

#include "greekgrid_test/test_data.hpp"

#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace greekgrid::test {
namespace fs = std::filesystem;

fs::path data_dir() {
  if (const char* dir = std::getenv("GREEKGRID_DATA")) return dir;
  return fs::path(GREEKGRID_SOURCE_DIR) / ".." / "shared" / "data";
}

fs::path reference_dir() {
  if (const char* dir = std::getenv("GREEKGRID_REFERENCE")) return dir;
  return data_dir() / ".." / "reference";
}

fs::path scratch_dir(const std::string& name) {
  struct Cleaner {
    std::vector<fs::path> dirs;
    ~Cleaner() {
      std::error_code ignored;
      for (const fs::path& dir : dirs) fs::remove_all(dir, ignored);
    }
  };
  static Cleaner cleaner;
  fs::path dir = fs::temp_directory_path() /
                 ("greekgrid_" + name + "_" + std::to_string(::getpid()) + "_" + std::to_string(cleaner.dirs.size()));
  fs::remove_all(dir);
  fs::create_directories(dir);
  cleaner.dirs.push_back(dir);
  return dir;
}

}  // namespace greekgrid::test

#include "handle.hpp"

#include <cstring>

namespace greekgrid::h5 {

namespace {

std::mutex& mutex() {
  static std::mutex the_mutex;
  return the_mutex;
}

}  // namespace

LibraryLock::LibraryLock() : lock_(mutex()) {
  static const bool started = [] {
    // Before any other call: files are closed by their owners. After a full disk the library's own exit handler would
    // try once more to write what could not be written.
    H5dont_atexit();
    H5PLset_loading_state(0);
    return true;
  }();
  thread_local const bool silenced = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(started);
  static_cast<void>(silenced);
}

void fail(const std::string& what) {
  std::string reason;
  const auto innermost = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    if (entry->desc != nullptr && *entry->desc != '\0') *static_cast<std::string*>(out) = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &reason);
  H5Eclear2(H5E_DEFAULT);
  throw Error(what + " failed" + (reason.empty() ? "" : ": " + reason));
}

}  // namespace greekgrid::h5

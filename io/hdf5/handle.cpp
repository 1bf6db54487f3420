#include "handle.hpp"

#include <cstring>

namespace greekgrid::h5 {

std::mutex& library_mutex() {
  static std::mutex mutex;
  static const bool ready = [] {
    const std::lock_guard lock(mutex);
    // HDF5 1.10.8 initialises itself in its first call; the program ends its files itself, so no exit handler.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    H5PLset_loading_state(0);
    return true;
  }();
  static_cast<void>(ready);
  return mutex;
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

#include "handle.hpp"

#include <cstring>
#include <optional>
#include <string_view>

namespace greekgrid::h5 {

namespace {

std::mutex& mutex() {
  static std::mutex the_mutex;
  return the_mutex;
}

/// The reason of the first close that failed since it was last asked for; used under the LibraryLock.
std::optional<std::string>& failed_close() {
  static std::optional<std::string> the_reason;
  return the_reason;
}

/// What the system said, where the library reports a failed read or write with the time, addresses and sizes around it.
std::string without_circumstances(const std::string& reason) {
  constexpr std::string_view kBegin = "error message = '";
  const std::size_t begin = reason.find(kBegin);
  if (begin == std::string::npos) return reason;
  const std::size_t end = reason.find('\'', begin + kBegin.size());
  return reason.substr(begin + kBegin.size(), end == std::string::npos ? end : end - begin - kBegin.size());
}

std::string innermost_reason() {
  std::string reason;
  const auto innermost = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    if (entry->desc != nullptr && *entry->desc != '\0') *static_cast<std::string*>(out) = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &reason);
  H5Eclear2(H5E_DEFAULT);
  return without_circumstances(reason);
}

std::string with_colon(const std::string& reason) {
  return reason.empty() ? reason : ": " + reason;
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
  throw Error(what + " failed" + with_colon(innermost_reason()));
}

void close_unchecked(hid_t id, herr_t (*closer)(hid_t)) noexcept {
  // The close of a file has closed what was still open in it.
  if (H5Iis_valid(id) <= 0) return;
  if (closer(id) < 0 && !failed_close()) {
    try {
      failed_close() = innermost_reason();
    } catch (...) {
      failed_close() = std::string();
    }
  }
  if (closer == H5Fclose) failed_close().reset();
}

void check_closes(const std::string& what) {
  const std::optional<std::string> reason = std::exchange(failed_close(), std::nullopt);
  if (reason) throw Error(what + " failed" + with_colon(*reason));
}

}  // namespace greekgrid::h5

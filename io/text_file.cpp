#include "greekgrid/io/text_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "greekgrid/io/error.hpp"

namespace greekgrid {

std::string read_text_file(const std::filesystem::path& path, std::size_t most) {
  const auto refuse = [&](const std::string& problem) { throw InputError(path.string() + ": " + problem); };
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) refuse(std::string("cannot be read (") + std::strerror(errno) + ") check the path");
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } const closer{file};
  struct stat found {};
  if (::fstat(file, &found) != 0 || !S_ISREG(found.st_mode)) {
    refuse("cannot be read (missing or no file: a directory, a pipe or a device) check the path");
  }
  // The size that is told need not be the one that is read: some files of the kernel have none.
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(std::string("cannot be read (") + std::strerror(errno) + ") check the disk");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > most)
    refuse("is longer than " + std::to_string(most >> 20) + " MiB (limit of such a file) check the path");
  text.resize(size);
  return text;
}

std::optional<std::string> text_file_if_any(const std::filesystem::path& path, std::size_t most) {
  try {
    return read_text_file(path, most);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

}  // namespace greekgrid

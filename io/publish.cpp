#include "greekgrid/io/publish.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "greekgrid/io/error.hpp"
#include "greekgrid/io/file_lock.hpp"

namespace greekgrid {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& target, const std::string& problem, int error) {
  throw OutputError(target.string() + ": " + problem + " (" + std::strerror(error) + ")");
}

/// Temporaries of this process: a second writer of one target in one process would share the name.
std::mutex live_mutex;
std::set<fs::path> live;

fs::path directory_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// The file that a chain of symbolic links names, which need not exist.
fs::path follow_links(const fs::path& target) {
  constexpr int kMostLinks = 40;
  fs::path file = target;
  for (int step = 0; step < kMostLinks; ++step) {
    std::error_code error;
    if (fs::symlink_status(file, error).type() != fs::file_type::symlink) return file;
    const fs::path named = fs::read_symlink(file, error);
    if (error) fail(target, "cannot follow the symbolic link", error.value());
    file = named.is_absolute() ? named : file.parent_path() / named;
  }
  fail(target, "cannot follow the symbolic link", ELOOP);
}

/// Process id in `.<name>.<pid>.tmp`, or 0 if the file name is not of that form.
pid_t pid_of_temporary(std::string_view file, std::string_view name) {
  std::string begin(1, '.');
  begin.append(name).append(1, '.');
  constexpr std::string_view kEnd = ".tmp";
  if (!file.starts_with(begin) || !file.ends_with(kEnd) || file.size() <= begin.size() + kEnd.size()) return 0;
  const std::string_view digits = file.substr(begin.size(), file.size() - begin.size() - kEnd.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  return error == std::errc() && end == digits.data() + digits.size() && pid > 0 ? pid : 0;
}

void remove_left_overs(const fs::path& target) {
  std::error_code error;
  const std::string name = target.filename().string();
  for (fs::directory_iterator entry(directory_of(target), error), end; !error && entry != end; entry.increment(error)) {
    const pid_t pid = pid_of_temporary(entry->path().filename().string(), name);
    if (pid == 0 || pid == ::getpid() || ::kill(pid, 0) == 0 || errno != ESRCH) continue;
    std::error_code ignored;
    fs::remove(entry->path(), ignored);
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  /// close(2) reports delayed write errors of network file systems.
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

}  // namespace

PendingFile::PendingFile(fs::path target) : target_(std::move(target)) {
  const fs::path given = target_;
  if (!given.has_filename()) fail(given, "cannot be written", given.empty() ? ENOENT : EISDIR);
  struct stat found {};
  if (::stat(given.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) fail(given, "cannot be written", EISDIR);
    if (!S_ISREG(found.st_mode)) {
      throw OutputError(given.string() + ": cannot be written (not a regular file) name a file to create or replace");
    }
  } else if (errno != ENOENT) {
    fail(given, "cannot be written", errno);
  }
  target_ = follow_links(given);
  std::string name(1, '.');
  name.append(target_.filename().string()).append(1, '.').append(std::to_string(::getpid())).append(".tmp");
  temporary_ = directory_of(target_) / name;

  std::error_code error;
  const fs::path key = fs::weakly_canonical(temporary_, error);
  const std::lock_guard lock(live_mutex);
  if (live.contains(key))
    throw OutputError(given.string() + ": cannot be written (this process is writing it already)");
  remove_left_overs(target_);
  // A file of our own process id that is not live is the left-over of a dead process with that number.
  ::unlink(temporary_.c_str());
  Descriptor file(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) fail(given, "cannot be written", errno);
  live.insert(key);
}

PendingFile::~PendingFile() {
  if (!published_) ::unlink(temporary_.c_str());
  std::error_code error;
  const fs::path key = fs::weakly_canonical(temporary_, error);
  const std::lock_guard lock(live_mutex);
  live.erase(key);
}

void PendingFile::take(const fs::path& file) {
  if (::unlink(temporary_.c_str()) != 0 && errno != ENOENT) fail(target_, "cannot be written", errno);
  if (::link(file.c_str(), temporary_.c_str()) == 0) return;
  // Some file systems know one name of a file only.
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) {
    fail(target_, "cannot be written", errno);
  }
  if (::rename(file.c_str(), temporary_.c_str()) != 0) fail(target_, "cannot be written", errno);
}

void PendingFile::publish() {
  Descriptor file(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
  const auto give_up = [&](const std::string& problem, int error) {
    ::unlink(temporary_.c_str());
    fail(target_, problem, error);
  };
  if (file.get() < 0) give_up("cannot be written", errno);
  struct stat old {};
  if (::stat(target_.c_str(), &old) == 0 && ::fchmod(file.get(), old.st_mode & 07777U) != 0) {
    give_up("cannot keep the mode of the old file", errno);
  }
  if (::fsync(file.get()) != 0 || file.close() != 0) give_up("cannot be written", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) give_up("cannot be replaced", errno);
  published_ = true;
  Descriptor directory(::open(directory_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a directory: that is no failure of ours.
  if (directory.get() >= 0 && ::fsync(directory.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    fail(target_, "was replaced, but its directory could not be synced", errno);
  }
}

void remove_pending_files() {
  {
    const std::lock_guard lock(live_mutex);
    for (const fs::path& file : live) ::unlink(file.c_str());
  }
  remove_held_locks();
}

void publish_text(const fs::path& target, const std::string& text) {
  PendingFile pending(target);
  Descriptor file(::open(pending.path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (file.get() < 0) fail(target, "cannot be written", errno);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail(target, "cannot be written", errno);
    done += static_cast<std::size_t>(wrote);
  }
  if (file.close() != 0) fail(target, "cannot be written", errno);
  pending.publish();
}

}  // namespace greekgrid

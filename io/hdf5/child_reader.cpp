#include "child_reader.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {
namespace {

constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& problem) {
  throw InputError(path.string() + ": " + problem);
}

/// A message in which a damaged file may have had a word: one line, no control codes, not endless.
std::string plain_message(std::string text) {
  constexpr std::size_t kMost = 600;
  if (text.size() > kMost) {
    const std::size_t end = text.size() - kMost / 3;
    text = text.substr(0, kMost / 2) + " [...] " + text.substr(end);
  }
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

constexpr std::uint64_t kBlock = 512, kMostHoles = 16, kSmall = 16 << 20;

/// Opens a regular file and finds its size, holes left out. A pipe is refused, not waited for.
int open_regular(const std::filesystem::path& path, std::uint64_t& size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) refuse(path, std::string("cannot be read (") + std::strerror(errno) + ")");
  struct stat found {};
  if (::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
    ::close(fd);
    refuse(path, "cannot be read (not a regular file)");
  }
  // Holes cost an attacker nothing, and a sound file has none to speak of: they do not raise the limits.
  const std::uint64_t held = static_cast<std::uint64_t>(found.st_blocks) * kBlock * kMostHoles + kSmall;
  size = std::min(static_cast<std::uint64_t>(found.st_size), held);
  return fd;
}

bool has_signature(const std::filesystem::path& path, int fd) {
  std::array<unsigned char, kSignature.size()> begin{};
  const ssize_t got = ::pread(fd, begin.data(), begin.size(), 0);
  if (got < 0) refuse(path, std::string("cannot be read (") + std::strerror(errno) + ")");
  return static_cast<std::size_t>(got) == begin.size() && begin == kSignature;
}

}  // namespace

bool is_hdf5_file(const std::filesystem::path& path) {
  std::uint64_t size = 0;
  const Descriptor file(open_regular(path, size));
  return has_signature(path, file.get());
}

namespace h5 {
namespace {

constexpr int kRead = 0, kRefused = 3, kOutOfMemory = 4;
constexpr int kNoRoom = 100;  // and errno
constexpr std::uint64_t kMiB = 1 << 20;

// An address sanitizer reserves terabytes of address space and stops a runaway allocation itself.
#if defined(__has_feature)  // clang
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GREEKGRID_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GREEKGRID_SANITIZED 1
#endif
#if defined(GREEKGRID_SANITIZED)
constexpr bool kLimitMemory = false;
#else
constexpr bool kLimitMemory = true;
#endif

/// Limits of a child: what an honest file of that size needs many times over.
struct Limits {
  rlim_t memory = RLIM_INFINITY;
  rlim_t handed_over;
  rlim_t cpu_seconds;
  std::chrono::seconds wall;

  Limits(std::uint64_t file_size, std::uint64_t work)
      : handed_over(256 * kMiB + 64 * file_size),
        cpu_seconds(3 + file_size / (2 * kMiB) + work / (8 * kMiB)),
        wall(static_cast<std::int64_t>(40 + file_size / (2 * kMiB) + work / (4 * kMiB))) {
    if (!kLimitMemory) return;
    // The limit counts all that this process has mapped already; with a GPU that is tens of GiB.
    long pages = 0;
    if (const int statm = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC); statm >= 0) {
      char text[64] = {};
      if (::read(statm, text, sizeof text - 1) > 0) pages = std::strtol(text, nullptr, 10);
      ::close(statm);
    }
    const auto mapped = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (pages > 0) memory = mapped + 512 * kMiB + 64 * file_size;
  }
};

void lower_limit(int resource, rlim_t most) {
  struct rlimit limit {};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return;
  limit.rlim_cur = std::min(most, limit.rlim_max);
  limit.rlim_max = limit.rlim_cur;
  ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
}

/// The child: never returns.
[[noreturn]] void read_and_exit(int file, std::uint64_t file_size, int out, const ReadFunction& read,
                                const Limits& limits, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kOutOfMemory);
  // A crash here is an answer, not an event: no handler of this program, no core.
  for (const int crash : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU}) ::signal(crash, SIG_DFL);
  // A signal to the whole process group is for the parent to answer; its end is the end of this process too.
  for (const int stop : {SIGINT, SIGTERM}) ::signal(stop, SIG_IGN);
  // What is handed over lies in memory too, which only this limits.
  ::signal(SIGXFSZ, SIG_IGN);
  lower_limit(RLIMIT_FSIZE, limits.handed_over);
  lower_limit(RLIMIT_CORE, 0);
  lower_limit(RLIMIT_CPU, limits.cpu_seconds);
  if (limits.memory != RLIM_INFINITY) lower_limit(RLIMIT_AS, limits.memory);
  // What the library or an abort prints is not for the user.
  if (const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) {
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
  }
  int status = kRefused;
  try {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "open");
    check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG), "open");
    check(H5Pset_file_locking(access.get(), false, true), "open");
    const std::string name = "/proc/self/fd/" + std::to_string(file);
    const Handle opened(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, "open the HDF5 file");
    ArchiveWriter archive(out);
    read(opened.get(), file_size, archive);
    archive(static_cast<std::int8_t>(kRead));
    archive.flush();
    ::_exit(kRead);
  } catch (const std::bad_alloc&) {
    ::_exit(kOutOfMemory);
  } catch (const NoRoom& full) {
    ::_exit(kNoRoom + full.code);
  } catch (const std::exception& error) {
    try {
      if (::ftruncate(out, 0) == 0 && ::lseek(out, 0, SEEK_SET) == 0) {
        ArchiveWriter archive(out);
        archive(std::string(error.what()), static_cast<std::int8_t>(kRefused));
        archive.flush();
      }
    } catch (...) {
      status = kOutOfMemory;
    }
  }
  ::_exit(status);
}

/// How a child ended.
enum class End : std::uint8_t { kExited, kUnknown, kCrashed, kKilled, kTimedOut };

struct Ended {
  End end;
  int code;  ///< of a child that exited
};

/// Children that read one file; those that nobody waited for end with it.
class Children {
 public:
  explicit Children(std::chrono::seconds wall) : end_(std::chrono::steady_clock::now() + wall) {}
  ~Children() {
    for (const pid_t child : child_) {
      if (child > 0) ::kill(child, SIGKILL);
    }
    for (std::size_t k = 0; k < child_.size(); ++k) wait(k);
  }
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  /// Whether there is a further child now; errno says why not.
  bool begin(int file, std::uint64_t size, int out, const ReadFunction& read, const Limits& limits) {
    child_.reserve(child_.size() + 1);
    const pid_t parent = ::getpid();
    const LibraryLock lock;
    const pid_t child = ::fork();
    if (child == 0) read_and_exit(file, size, out, read, limits, parent);
    if (child > 0) child_.push_back(child);
    return child > 0;
  }

  /// Waits for a child, and kills it when its time is over.
  Ended wait(std::size_t which) {
    using namespace std::chrono_literals;
    const pid_t child = std::exchange(child_[which], 0);
    if (child == 0) return {End::kUnknown, -1};
    auto pause = std::chrono::microseconds(100);
    bool killed = false;
    for (;;) {
      int status = 0;
      const pid_t done = ::waitpid(child, &status, WNOHANG);
      if (done == child) {
        if (WIFEXITED(status)) return {End::kExited, WEXITSTATUS(status)};
        if (killed || WTERMSIG(status) == SIGXCPU) return {End::kTimedOut, -1};
        return {WTERMSIG(status) == SIGKILL ? End::kKilled : End::kCrashed, -1};
      }
      // With SIGCHLD ignored by whoever started this program the kernel forgets how children end.
      if (done < 0 && errno != EINTR) return {killed ? End::kTimedOut : End::kUnknown, -1};
      if (!killed && std::chrono::steady_clock::now() > end_) {
        ::kill(child, SIGKILL);
        killed = true;
      }
      std::this_thread::sleep_for(pause);
      pause = std::min<std::chrono::microseconds>(pause * 2, 5ms);
    }
  }

 private:
  std::chrono::steady_clock::time_point end_;
  std::vector<pid_t> child_;
};

class Mapping {
 public:
  Mapping(int fd, std::size_t size)
      : size_(size), data_(size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0)) {}
  ~Mapping() {
    if (data_ != nullptr && data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::span<const char> bytes() const {
    if (data_ == nullptr || data_ == MAP_FAILED) return {};
    return {static_cast<const char*>(data_), size_};
  }

 private:
  std::size_t size_;
  void* data_;
};

}  // namespace

void read_in_child(const std::filesystem::path& path, const ReadFunction& read, const TakeFunction& take,
                   std::uint64_t work) {
  Spool memory({});
  read_in_child(path, memory, read, take, work);
}

void read_in_child(const std::filesystem::path& path, Spool& out, const ReadFunction& read, const TakeFunction& take,
                   std::uint64_t work) {
  read_in_children(
      path, {&out, 1}, {&read, 1}, [&](std::span<ArchiveReader> in) { take(in.front()); }, work);
}

void read_in_children(const std::filesystem::path& path, std::span<Spool> out, std::span<const ReadFunction> reads,
                      const std::function<void(std::span<ArchiveReader> in)>& take, std::uint64_t work) {
  std::uint64_t size = 0;
  const Descriptor file(open_regular(path, size));
  if (size == 0) refuse(path, "cannot be read (the file is empty)");
  if (!has_signature(path, file.get())) refuse(path, "is no HDF5 file (its first bytes are others)");
  const Limits limits(size, work);
  Children children(limits.wall);
  for (std::size_t k = 0; k < reads.size(); ++k) {
    if (!children.begin(file.get(), size, out[k].descriptor(), reads[k], limits)) {
      refuse(path, std::string("cannot be read (no child process: ") + std::strerror(errno) + ")");
    }
  }
  std::vector<Ended> ended;
  for (std::size_t k = 0; k < reads.size(); ++k) ended.push_back(children.wait(k));
  std::deque<Mapping> mapping;
  std::vector<ArchiveReader> answer;
  for (std::size_t k = 0; k < reads.size(); ++k) {
    out[k].measure();
    // The last byte repeats the exit code.
    std::span<const char> handed_over = mapping.emplace_back(out[k].descriptor(), out[k].size()).bytes();
    const int last = handed_over.empty() ? -1 : handed_over.back();
    if (!handed_over.empty()) handed_over = handed_over.first(handed_over.size() - 1);
    const int code = ended[k].end == End::kUnknown ? last : ended[k].code;
    if (ended[k].end == End::kKilled) {
      refuse(path, "cannot be read (the process that read it was killed from outside) is there too little memory?");
    }
    if (code > kNoRoom) {
      throw OutputError(out[k].named() + ": no room for what " + path.string() + " holds (" +
                        std::strerror(code - kNoRoom) + ")");
    }
    const std::string damaged = "the file is damaged: make it again";
    if (ended[k].end == End::kTimedOut) {
      refuse(path, "cannot be read (it takes longer than any sound file) " + damaged);
    }
    if (code == kOutOfMemory) refuse(path, "cannot be read (it needs more memory than any sound file) " + damaged);
    if (ended[k].end == End::kCrashed || (code != kRead && code != kRefused) || code != last) {
      refuse(path, "cannot be read (it crashes the HDF5 library) " + damaged);
    }
    answer.emplace_back(handed_over);
    if (code == kRead) continue;
    try {
      std::string problem;
      answer.back()(problem);
      throw Error(problem);
    } catch (const Error& error) {
      refuse(path, plain_message(error.what()));
    }
  }
  try {
    take(answer);
  } catch (const Error& error) {
    refuse(path, plain_message(error.what()));
  }
}

}  // namespace h5
}  // namespace greekgrid

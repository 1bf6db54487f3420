#include "process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string_view>
#include <thread>

#include "greekgrid/io/publish.hpp"

namespace greekgrid::cli {
namespace {

std::atomic<bool> g_stop{false};
std::atomic<int> g_exit_code{0};
std::atomic<bool> g_cooperates{false};

}  // namespace

void watch_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::thread([signals] {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) return;
    g_exit_code = 128 + signal;
    g_stop = true;
    // A block of the reference backend can take minutes: past this the run is cut where it stands. A command that never
    // looks at the flag is cut at once.
    if (g_cooperates) std::this_thread::sleep_for(std::chrono::seconds(6));
    remove_pending_files();
    const std::string message = std::string("greekgrid: ") + kStoppedMessage + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message.data(), message.size());
    ::_exit(128 + signal);
  }).detach();
}

const std::atomic<bool>& stop_requested() {
  g_cooperates = true;
  // A signal that has come counts also before the thread that waits for it had its turn: what is asked for before the
  // last steps of a short run must not be lost to them.
  sigset_t pending;
  if (sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1)) {
    using namespace std::chrono_literals;
    // One that was sent to this very thread never reaches the other.
    for (int i = 0; i < 1000 && !g_stop; ++i) std::this_thread::sleep_for(1ms);
  }
  return g_stop;
}
int stop_exit_code() {
  return g_exit_code;
}

std::uint64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024U;
}

std::uint64_t resident_memory_bytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::vector<std::string> command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  return words;
}

std::string host_name() {
  char buffer[256] = {};
  return gethostname(buffer, sizeof buffer - 1) == 0 ? buffer : "";
}

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "";
}

}  // namespace greekgrid::cli

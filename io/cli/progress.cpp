#include "progress.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>

#include "process.hpp"

namespace greekgrid::cli {

bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

Progress::Progress(std::string what)
    : what_(std::move(what)),
      terminal_(stderr_is_terminal()),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (shown_) std::fputc('\n', stderr);
}

void Progress::begin() {
  if (!terminal_) {
    spdlog::info("stage={} memory_mb={:.0f}", what_, static_cast<double>(resident_memory_bytes()) * 1e-6);
    return;
  }
  std::fprintf(stderr, "\r%s ...\033[K", what_.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::update(std::size_t tickers_done, std::size_t tickers, double share, double evaluations) {
  const auto now = std::chrono::steady_clock::now();
  const bool last = tickers_done == tickers;
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
  if (!last && now - last_ < pause) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double left = share > 0.0 ? seconds * (1.0 - share) / share : 0.0;
  const double rate = seconds > 0.0 ? evaluations / seconds : 0.0;
  if (!terminal_) {
    spdlog::info(
        "stage={} tickers={}/{} share={:.3f} evaluations={:.4g} evaluations_per_s={:.3g} seconds={:.1f} left_s={:.0f} "
        "memory_mb={:.0f}",
        what_, tickers_done, tickers, share, evaluations, rate, seconds, left,
        static_cast<double>(resident_memory_bytes()) * 1e-6);
    return;
  }
  const std::string text = fmt::format("{} {}/{} tickers, {:.0f} %, {:.3g} evaluations/s, {:.0f} s left", what_,
                                       tickers_done, tickers, 100.0 * share, rate, left);
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  std::fprintf(stderr, "\r[%s%s] %s\033[K", std::string(static_cast<std::size_t>(filled), '#').c_str(),
               std::string(static_cast<std::size_t>(kWidth - filled), '.').c_str(), text.c_str());
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace greekgrid::cli

#pragma once

/// @file
/// Progress of long work: one changing line on a terminal, log lines of key=value otherwise.

#include <chrono>
#include <cstddef>
#include <string>

namespace greekgrid::cli {

class Progress {
 public:
  explicit Progress(std::string what);
  /// Ends the line on a terminal.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Tells at once that a stage has begun whose steps are not counted.
  void begin();
  /// @param share of the work, decides the time left @param evaluations done so far
  void update(std::size_t tickers_done, std::size_t tickers, double share, double evaluations);

 private:
  std::string what_;
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

/// True if standard error is a terminal.
bool stderr_is_terminal();

}  // namespace greekgrid::cli

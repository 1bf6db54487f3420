#pragma once

/// @file
/// Jobs measured in turn, so that a busy machine slows them alike.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <functional>
#include <span>
#include <vector>

namespace greekgrid::bench {

/// How often each job has its turn: `least` times whatever it takes, then until it has used its budget, `most` times at
/// the utmost. A turn shorter than `turn_seconds` is filled by repeating the job.
struct Rounds {
  int least = 3, most = 15;
  double budget_seconds = 1.5, turn_seconds = 0.02;
};

/// Wall seconds of one job.
struct Timing {
  double first = 0.0;  ///< the very first call, which may build what later ones reuse
  double best = 0.0, median = 0.0;
  std::size_t turns = 0;
  double cores = 0.0;  ///< processor time over wall time: what the machine gave us of the cores that we asked for
};

/// Times every job in every round, the first call included.
inline std::vector<Timing> time_in_turn(std::span<const std::function<void()>> jobs, const Rounds& rounds) {
  using Clock = std::chrono::steady_clock;
  struct Course {
    std::vector<double> seconds;
    double spent = 0.0, processor = 0.0;
    int repeats = 1;
  };
  std::vector<Course> courses(jobs.size());
  for (int round = 0; round < rounds.most; ++round) {
    for (std::size_t k = 0; k < jobs.size(); ++k) {
      Course& course = courses[k];
      if (round >= rounds.least && course.spent > rounds.budget_seconds) continue;
      const std::clock_t processor = std::clock();
      const auto begin = Clock::now();
      for (int i = 0; i < course.repeats; ++i) jobs[k]();
      const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
      course.spent += elapsed;
      course.processor += static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
      course.seconds.push_back(elapsed / course.repeats);
      // From the second call on: the first may be slow for reasons of its own.
      if (round < 2) course.repeats = std::max(1, static_cast<int>(rounds.turn_seconds / course.seconds.back()));
    }
  }
  std::vector<Timing> timings;
  for (Course& course : courses) {
    Timing timing = {course.seconds.front(), 0.0, 0.0, course.seconds.size(), course.processor / course.spent};
    std::sort(course.seconds.begin(), course.seconds.end());
    timing.best = course.seconds.front();
    timing.median = course.seconds[course.seconds.size() / 2];
    timings.push_back(timing);
  }
  return timings;
}

}  // namespace greekgrid::bench

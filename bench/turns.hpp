#pragma once

/// @file
/// Jobs measured in turn, so that a busy machine slows them alike.

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
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

/// Seconds of one job: processor time of the whole process, and wall time.
struct Timing {
  struct Clock {
    double best = 0.0, median = 0.0;
  };
  Clock processor, wall;
  double first_wall = 0.0;  ///< the very first call, which may build what later ones reuse
  double cores = 0.0;       ///< processor time over wall time: what the machine gave us of the cores that we asked for
  std::size_t turns = 0;
};

/// Seconds of processor that this process has had, to the nanosecond.
inline double processor_now() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Times every job in every round, the first call included.
inline std::vector<Timing> time_in_turn(std::span<const std::function<void()>> jobs, const Rounds& rounds) {
  using Clock = std::chrono::steady_clock;
  struct Course {
    std::vector<double> processor, wall;  // seconds a call, by turn
    double spent_processor = 0.0, spent_wall = 0.0;
    int repeats = 1;
  };
  std::vector<Course> courses(jobs.size());
  for (int round = 0; round < rounds.most; ++round) {
    for (std::size_t k = 0; k < jobs.size(); ++k) {
      Course& course = courses[k];
      if (round >= rounds.least && course.spent_wall > rounds.budget_seconds) continue;
      const double processor_begin = processor_now();
      const auto begin = Clock::now();
      for (int i = 0; i < course.repeats; ++i) jobs[k]();
      const double wall = std::chrono::duration<double>(Clock::now() - begin).count();
      const double processor = processor_now() - processor_begin;
      course.spent_wall += wall;
      course.spent_processor += processor;
      course.wall.push_back(wall / course.repeats);
      course.processor.push_back(processor / course.repeats);
      // From the second call on: the first may be slow for reasons of its own.
      if (round < 2) course.repeats = std::max(1, static_cast<int>(rounds.turn_seconds / course.wall.back()));
    }
  }
  const auto summary = [](std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return Timing::Clock{seconds.front(), seconds[seconds.size() / 2]};
  };
  std::vector<Timing> timings;
  for (const Course& course : courses) {
    timings.push_back({summary(course.processor), summary(course.wall), course.wall.front(),
                       course.spent_processor / course.spent_wall, course.wall.size()});
  }
  return timings;
}

}  // namespace greekgrid::bench

#pragma once

/// @file
/// The search for nearest points: one block has one place, its threads share the candidates.
///
/// Points are ordered by (distance^2, larger index), which leaves no ties, so what is found does not depend on who
/// looks where. Of the least of each thread the K-th is a bound: K points at least lie within it, and few more, since a
/// thread rarely has two of them. A second scan collects those, and each finds its rank by counting those before it.
/// Where candidates are so unevenly spread over threads that more lie within the bound than there are slots, the points
/// are found one after the other instead.

#include <cmath>
#include <cstdint>

#include "device_math.hpp"
#include "thread_coord.hpp"

namespace greekgrid::cuda {

inline constexpr std::uint32_t kNearestThreads = 128;  // at least as many as points may be asked for
inline constexpr std::uint32_t kNearestSlots = 512;
inline constexpr std::uint32_t kNearestAxes = 4;
/// Stands for a column that there is not.
inline constexpr std::uint64_t kNoColumn = ~std::uint64_t{0};

/// A job's points and places; columns and places are in `values`.
struct NearestPoints {
  std::uint64_t end;                 ///< places of this and earlier jobs
  std::uint64_t axis[kNearestAxes];  ///< first, (N)
  std::uint64_t required;            ///< first, (N), or kNoColumn
  std::uint64_t at;                  ///< first, (Q, axes)
  std::uint64_t output;              ///< first, (Q, K)
  std::uint32_t axes;
  std::uint32_t count;  ///< K, 1 to kNearestThreads
};

struct NearestTables {
  const NearestPoints* jobs;
  const double* values;
  const std::int32_t* last;  ///< (places of all jobs) last candidate, below 0: none
  std::int32_t* index;       ///< (places, K) by job
  double* distance2;         ///< (places, K) by job
  std::int32_t* candidates;  ///< (places of all jobs)
  std::uint32_t job_count;
};

struct NearestBody {
  NearestTables tables;

  struct Found {
    double distance2;
    std::int32_t index;
  };
  struct State {
    Found least;  ///< of the thread's candidates; index -1: none
  };
  struct Shared {
    Found least[kNearestThreads];
    Found kept[kNearestSlots];
    Found bound;  ///< no point after it is among the nearest; later the last of those found one after the other
    const double* axis[kNearestAxes];
    const double* required;
    double at[kNearestAxes];
    std::uint64_t output;
    std::int32_t last;
    std::uint32_t axes;
    std::uint32_t count;
    std::uint32_t candidates;
    std::uint32_t within;  ///< points within the bound
  };

  GREEKGRID_HD bool operator()(int phase, ThreadCoord at, State& state, Shared& shared) const {
    switch (phase) {
      case 0:
        if (at.thread == 0) find_place(at, shared);
        return true;
      case 1:
        find_least(at, state, shared);
        return true;
      case 2:
        find_bound(at, state, shared);
        return true;
      case 3:
        // A thread whose least is not within the bound has none that is.
        if (state.least.index >= 0 && !precedes(shared.bound, state.least)) collect(at, shared);
        return true;
      default:
        break;
    }
    if (shared.within <= kNearestSlots) {
      write_ranked(at, shared);
      return false;
    }
    const std::uint32_t step = static_cast<std::uint32_t>(phase - 4);
    if (step % 2 == 0) {
      find_next(at, step == 0, shared);
      return true;
    }
    if (at.thread == 0) write_next(at, step / 2, shared);
    return step / 2 + 1 < shared.count;
  }

 private:
  GREEKGRID_HD static bool precedes(const Found& a, const Found& b) {
    return a.distance2 < b.distance2 || (a.distance2 == b.distance2 && a.index > b.index);
  }

  GREEKGRID_HD void find_place(ThreadCoord at, Shared& shared) const {
    std::uint32_t low = 0;
    std::uint32_t high = tables.job_count - 1;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (tables.jobs[middle].end <= at.block) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const NearestPoints& job = tables.jobs[low];
    const std::uint64_t place = at.block - (low == 0 ? 0 : tables.jobs[low - 1].end);
    for (std::uint32_t a = 0; a < job.axes; ++a) {
      shared.axis[a] = tables.values + job.axis[a];
      shared.at[a] = tables.values[job.at + place * job.axes + a];
    }
    shared.required = job.required == kNoColumn ? nullptr : tables.values + job.required;
    shared.output = job.output + place * job.count;
    shared.last = tables.last[at.block];
    shared.axes = job.axes;
    shared.count = job.count;
    shared.bound = {INFINITY, -1};
    shared.candidates = 0;
    shared.within = 0;
  }

  /// NaN for a point that is left out. No multiply-add may fuse here: the bits are those of every backend.
  template <std::uint32_t kAxes>
  GREEKGRID_HD static double distance2(const Shared& shared, std::int32_t i) {
    double difference = shared.axis[0][i] - shared.at[0];
    double sum = difference * difference;
    GREEKGRID_UNROLL
    for (std::uint32_t a = 1; a < kAxes; ++a) {
      difference = shared.axis[a][i] - shared.at[a];
      sum = sum + difference * difference;
    }
    if (shared.required != nullptr) {
      // y - y is 0, or NaN where y is not finite.
      const double y = shared.required[i];
      sum = sum + (y - y);
    }
    return sum;
  }

  /// Shows a visitor all of a thread's candidates, from the last down, so that of equal distances the first one wins.
  template <std::uint32_t kAxes, class Visitor>
  GREEKGRID_HD static void visit_of(ThreadCoord at, const Shared& shared, Visitor& visitor) {
    const auto step = static_cast<std::int32_t>(at.threads);
    for (std::int32_t i = shared.last - static_cast<std::int32_t>(at.thread); i >= 0; i -= step) {
      visitor({distance2<kAxes>(shared, i), i});
    }
  }
  template <class Visitor>
  GREEKGRID_HD static void visit(ThreadCoord at, const Shared& shared, Visitor& visitor) {
    switch (shared.axes) {
      case 1:
        return visit_of<1>(at, shared, visitor);
      case 2:
        return visit_of<2>(at, shared, visitor);
      case 3:
        return visit_of<3>(at, shared, visitor);
      default:
        return visit_of<4>(at, shared, visitor);
    }
  }

  struct Least {
    Found least = {INFINITY, -1};
    std::uint32_t count = 0;
    GREEKGRID_HD void operator()(Found found) {
      count += found.distance2 == found.distance2 ? 1U : 0U;
      if (found.distance2 < least.distance2) least = found;
    }
  };
  GREEKGRID_HD void find_least(ThreadCoord at, State& state, Shared& shared) const {
    Least visitor;
    visit(at, shared, visitor);
    state.least = shared.least[at.thread] = visitor.least;
    take_slots(shared.candidates, visitor.count);
  }

  GREEKGRID_HD void find_bound(ThreadCoord at, const State& state, Shared& shared) const {
    if (state.least.index < 0) return;
    std::uint32_t rank = 0;
    for (std::uint32_t t = 0; t < at.threads; ++t) rank += precedes(shared.least[t], state.least) ? 1U : 0U;
    if (rank + 1 == shared.count) shared.bound = state.least;
  }

  struct Collector {
    Shared* shared;
    Found bound;
    GREEKGRID_HD void operator()(Found found) {
      if (!(found.distance2 <= bound.distance2) || precedes(bound, found)) return;
      const std::uint32_t slot = take_slots(shared->within, 1);
      if (slot < kNearestSlots) shared->kept[slot] = found;
    }
  };
  GREEKGRID_HD void collect(ThreadCoord at, Shared& shared) const {
    Collector visitor{&shared, shared.bound};
    visit(at, shared, visitor);
  }

  GREEKGRID_HD void write_ranked(ThreadCoord at, const Shared& shared) const {
    for (std::uint32_t p = at.thread; p < shared.within; p += at.threads) {
      const Found mine = shared.kept[p];
      std::uint32_t rank = 0;
      for (std::uint32_t k = 0; k < shared.within; ++k) rank += precedes(shared.kept[k], mine) ? 1U : 0U;
      if (rank < shared.count) write(shared.output + rank, mine);
    }
    for (std::uint32_t k = shared.within + at.thread; k < shared.count; k += at.threads) {
      write(shared.output + k, {NAN, -1});
    }
    if (at.thread == 0) tables.candidates[at.block] = static_cast<std::int32_t>(shared.candidates);
  }

  struct Next {
    Found after;
    bool first;
    Found least = {INFINITY, -1};
    GREEKGRID_HD void operator()(Found found) {
      if (found.distance2 < least.distance2 && (first || precedes(after, found))) least = found;
    }
  };
  GREEKGRID_HD void find_next(ThreadCoord at, bool first, Shared& shared) const {
    Next visitor{shared.bound, first};
    visit(at, shared, visitor);
    shared.least[at.thread] = visitor.least;
  }
  GREEKGRID_HD void write_next(ThreadCoord at, std::uint32_t rank, Shared& shared) const {
    Found next = shared.least[0];
    for (std::uint32_t t = 1; t < at.threads; ++t) {
      if (precedes(shared.least[t], next)) next = shared.least[t];
    }
    write(shared.output + rank, next);
    shared.bound = next;
    if (rank == 0) tables.candidates[at.block] = static_cast<std::int32_t>(shared.candidates);
  }

  GREEKGRID_HD void write(std::uint64_t place, Found found) const {
    tables.index[place] = found.index;
    tables.distance2[place] = found.distance2;
  }
};

}  // namespace greekgrid::cuda

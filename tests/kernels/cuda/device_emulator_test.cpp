#include "greekgrid_test/device_emulator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "thread_coord.hpp"

namespace greekgrid {
namespace {

using cuda::ThreadCoord;
using test::emulate;
using test::ThreadOrder;

/// Each thread publishes its number, then takes its neighbour's; kBarrier says whether a barrier lies between.
template <bool kBarrier>
struct Neighbour {
  double* out;
  struct State {};
  struct Shared {
    double value[8];
  };
  bool operator()(int phase, ThreadCoord at, State&, Shared& shared) const {
    if (phase == 0) {
      shared.value[at.thread] = at.thread;
      if (kBarrier) return true;
    }
    out[at.block * at.threads + at.thread] = shared.value[(at.thread + 1) % at.threads];
    return false;
  }
};

TEST(DeviceEmulator, RunsPhasesBetweenBarriers) {
  for (const ThreadOrder order : {ThreadOrder::kAscending, ThreadOrder::kDescending}) {
    std::vector<double> out(16, -1.0);
    emulate<Neighbour<true>, ThreadCoord>({out.data()}, 2, 8, order);
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(out[i], static_cast<double>((i + 1) % 8));
  }
}

TEST(DeviceEmulator, ShowsAMissingBarrier) {
  std::vector<double> up(8), down(8);
  emulate<Neighbour<false>, ThreadCoord>({up.data()}, 1, 8, ThreadOrder::kAscending);
  emulate<Neighbour<false>, ThreadCoord>({down.data()}, 1, 8, ThreadOrder::kDescending);
  EXPECT_TRUE(std::isnan(up[0]));  // read before it was written: poison
  EXPECT_NE(up, down);
}

struct Diverging {
  struct State {};
  struct Shared {
    char unused;
  };
  bool operator()(int, ThreadCoord at, State&, Shared&) const { return at.thread == 0; }
};

TEST(DeviceEmulator, RefusesThreadsThatMissABarrier) {
  EXPECT_THROW((emulate<Diverging, ThreadCoord>({}, 1, 4)), std::logic_error);
}

}  // namespace
}  // namespace greekgrid

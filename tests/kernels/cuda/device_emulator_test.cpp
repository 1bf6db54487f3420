#include "greekgrid_test/device_emulator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "fake_device.hpp"
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

TEST(FakeDevice, DoesNothingBeforeSomebodyWaits) {
  test::FakeDeviceLog log;
  test::FakeDevice device(log);
  const cuda::Stream stream = device.create_stream();
  const cuda::Event event = device.create_event();
  auto* host = static_cast<double*>(device.allocate_pinned(8));
  auto* d_value = static_cast<double*>(device.allocate(8));
  host[0] = 1.0;
  device.copy_to_device(d_value, host, 8, stream);
  device.record(event, stream);
  host[0] = 2.0;  // too early: the copy has not run
  device.copy_to_host(host, d_value, 8, stream);
  EXPECT_TRUE(std::isnan(d_value[0]));
  device.wait(event);
  EXPECT_EQ(d_value[0], 2.0);
  device.synchronize(stream);
  device.release(d_value);
  device.release_pinned(host);
  device.destroy_event(event);
  device.destroy_stream(stream);
  EXPECT_TRUE(log.faults.empty());
  EXPECT_TRUE(log.alive.empty());
}

TEST(FakeDevice, NoticesReleasedMemory) {
  test::FakeDeviceLog log;
  test::FakeDevice device(log);
  const cuda::Stream stream = device.create_stream();
  auto* host = static_cast<double*>(device.allocate_pinned(8));
  auto* d_value = static_cast<double*>(device.allocate(8));
  device.copy_to_device(d_value, host, 8, stream);
  device.release(d_value);  // the copy still lies on the stream
  device.synchronize(stream);
  device.release(d_value);
  device.release_pinned(host);
  device.destroy_stream(stream);
  EXPECT_THAT(log.faults, testing::ElementsAre("copy used memory that is not alive", "released what is not alive"));
}

TEST(FakeDevice, FailsAtTheCallItIsTold) {
  test::FakeDeviceLog log;
  log.fail_at_call = 1;
  test::FakeDevice device(log);
  void* first = device.allocate(8);
  EXPECT_THROW(device.allocate(8), BackendError);
  device.release(first);
  EXPECT_EQ(log.bytes_alive, 0U);
}

}  // namespace
}  // namespace greekgrid

#pragma once

/// @file
/// Runs a kernel body (see kernels/cuda/thread_coord.hpp) over blocks and threads on the host, one barrier-separated
/// phase after another, so that its logic is tested without a device.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

namespace greekgrid::test {

/// Order in which the threads of a block run within a phase, and the blocks of a launch. A body whose results depend on
/// it has a race.
enum class ThreadOrder { kAscending, kDescending };

/// Runs every block. Shared memory and registers start as 0xff bytes, so reading what no thread wrote shows as NaN.
/// @throws std::logic_error if the threads of a block disagree about the end: on a device they would miss a barrier.
template <class Body, class Coord>
void emulate(const Body& body, std::uint32_t blocks, std::uint32_t threads,
             ThreadOrder order = ThreadOrder::kAscending) {
  using State = typename Body::State;
  using Shared = typename Body::Shared;
  const auto shared_memory = std::make_unique<unsigned char[]>(sizeof(Shared) + alignof(Shared));
  auto address = reinterpret_cast<std::uintptr_t>(shared_memory.get());
  address = (address + alignof(Shared) - 1) / alignof(Shared) * alignof(Shared);
  auto* shared = reinterpret_cast<Shared*>(address);
  std::vector<State> states(threads);
  for (std::uint32_t b = 0; b < blocks; ++b) {
    const std::uint32_t block = order == ThreadOrder::kAscending ? b : blocks - 1 - b;
    std::memset(static_cast<void*>(shared), 0xff, sizeof(Shared));
    std::memset(static_cast<void*>(states.data()), 0xff, threads * sizeof(State));
    for (int phase = 0;; ++phase) {
      std::uint32_t going_on = 0;
      for (std::uint32_t t = 0; t < threads; ++t) {
        const std::uint32_t thread = order == ThreadOrder::kAscending ? t : threads - 1 - t;
        going_on += body(phase, Coord{block, thread, threads}, states[thread], *shared) ? 1U : 0U;
      }
      if (going_on == 0) break;
      if (going_on != threads) throw std::logic_error("threads of a block diverge at a barrier");
    }
  }
}

}  // namespace greekgrid::test

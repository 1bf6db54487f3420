#pragma once

/// @file
/// What a kernel body knows about its place. A body is a trivially copyable functor
///   bool operator()(int phase, ThreadCoord, State&, Shared&) const
/// called by every thread of a block for phase 0, 1, 2 ... with a barrier after each; all threads of a block return the
/// same value, false ends the block. State is a thread's registers, Shared the block's memory. Nothing in a body asks
/// whether it runs on a device, so the same functor runs in tests through an emulator of blocks and threads.

#include <cstdint>

namespace greekgrid::cuda {

struct ThreadCoord {
  std::uint32_t block;
  std::uint32_t thread;
  std::uint32_t threads;  ///< threads per block
};

}  // namespace greekgrid::cuda

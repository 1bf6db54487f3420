#pragma once

/// @file
/// Everything the backend asks of a device, one virtual call each, so that its chunking, reuse of buffers and order of
/// work are tested on a machine without one. Calls throw BackendError with the device's own reason when they fail;
/// those that release never throw.

#include <cstddef>
#include <cstdint>
#include <string>

#include "inversion_body.hpp"
#include "nearest_body.hpp"
#include "pair_sums_body.hpp"
#include "products.hpp"
#include "spectral_tables.hpp"
#include "sum_body.hpp"
#include "tables.hpp"
#include "wall_body.hpp"

namespace greekgrid::cuda {

using Stream = void*;
using Event = void*;

struct DeviceProbe {
  bool usable = false;
  std::string detail;          ///< the device's name, or why there is none
  std::size_t free_bytes = 0;  ///< device memory free now
  int multiprocessors = 0;     ///< what devices of unlike size are compared by
};

/// Which instance of the exposure kernel.
struct KernelKind {
  bool fp64;
  int greeks;      ///< kThreeGreeks, kElevenGreeks or kTwelveGreeks
  bool spot_rule;  ///< volatility moves with spot
};

/// Arrays of the ordering of segments, all on the device.
struct OrderTables {
  std::uint32_t* key;          ///< (S) contracts; permuted with segment
  std::uint32_t* segment;      ///< (S) in: any order; out: by key, largest first, ties in the order given
  const std::uint64_t* items;  ///< (all segments of the chunk) work items of a segment, by segment number
  std::uint64_t* item_end;     ///< (S) out: running sum of items in the new order
  std::uint32_t count;         ///< S > 0
};

/// One device. Calls may come from any thread, from one at a time.
class DeviceApi {
 public:
  virtual ~DeviceApi() = default;
  virtual DeviceProbe probe() = 0;

  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* d_memory) noexcept = 0;
  virtual void* allocate_pinned(std::size_t bytes) = 0;
  virtual void release_pinned(void* memory) noexcept = 0;

  virtual Stream create_stream() = 0;
  virtual void destroy_stream(Stream stream) noexcept = 0;
  /// Returns when everything issued to the stream is done; throws if any of it failed.
  virtual void synchronize(Stream stream) = 0;
  virtual Event create_event() = 0;
  virtual void destroy_event(Event event) noexcept = 0;
  virtual void record(Event event, Stream stream) = 0;
  /// Returns when the work before the last record is done.
  virtual void wait(Event event) = 0;

  virtual void copy_to_device(void* d_to, const void* from, std::size_t bytes, Stream stream) = 0;
  virtual void copy_to_host(void* to, const void* d_from, std::size_t bytes, Stream stream) = 0;

  virtual void order_segments(const OrderTables& tables, Stream stream) = 0;
  /// The first pass of jobs that follow the smile; `blocks` is the number of smile tiles.
  virtual void launch_smile(KernelKind kind, const Tables& tables, std::uint32_t blocks, std::uint32_t threads,
                            Stream stream) = 0;
  virtual void launch_exposure(KernelKind kind, const Tables& tables, const Queue& queue, std::uint32_t blocks,
                               std::uint32_t threads, Stream stream) = 0;
  /// The passes of the spectral evaluator: `blocks` are expiries, work items, rows.
  virtual void launch_sigma_order(const SpectralTables& tables, std::uint32_t blocks, Stream stream) = 0;
  virtual void launch_node_sums(KernelKind kind, const SpectralTables& tables, const Queue& queue, std::uint32_t blocks,
                                Stream stream) = 0;
  virtual void launch_expansion(KernelKind kind, const SpectralTables& tables, std::uint32_t blocks, Stream stream) = 0;
  virtual void launch_sum(const SumBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) = 0;
  virtual void launch_inversion(const InversionBody& body, std::uint32_t blocks, std::uint32_t threads,
                                Stream stream) = 0;
  virtual void launch_walls(WallRule rule, const WallTables& tables, std::uint32_t blocks, std::uint32_t threads,
                            Stream stream) = 0;
  virtual void launch_nearest(const NearestBody& body, std::uint32_t blocks, std::uint32_t threads, Stream stream) = 0;
  virtual void launch_kernel_fill(const KernelFillBody& body, std::uint32_t blocks, std::uint32_t threads,
                                  Stream stream) = 0;
  virtual void multiply(const StridedProducts& products, Stream stream) = 0;
  virtual void launch_slice_sum(const SliceSumBody& body, std::uint32_t blocks, std::uint32_t threads,
                                Stream stream) = 0;
};

}  // namespace greekgrid::cuda

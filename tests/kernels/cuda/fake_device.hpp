#pragma once

/// @file
/// A DeviceApi on the host. Work issued to a stream runs only when somebody waits for it, so that a buffer touched too
/// early shows; released memory is poisoned and kept, and every use of it is an error; any call can be made to fail.

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "device_api.hpp"
#include "exposure_body.hpp"
#include "greekgrid/kernels/error.hpp"
#include "greekgrid_test/device_emulator.hpp"
#include "spectral_body.hpp"
#include "spectral_expansion_body.hpp"

namespace greekgrid::test {

/// What a fake device saw and how it behaves; outlives the backend that owns the device.
struct FakeDeviceLog {
  /// A copy, a launch, a record or a wait, in the order of the calls.
  struct Issue {
    std::string what;
    const void* on;  ///< its stream; of a wait that of the event
  };

  // How to behave.
  int fail_at_call = -1;  ///< the call of this number (from 0) that can fail does
  bool usable = true;
  std::string detail = "fake device";
  std::size_t free_bytes = std::size_t{1} << 30;
  int multiprocessors = 0;
  ThreadOrder thread_order = ThreadOrder::kAscending;
  bool reverse_queue = false;  ///< launch smallest first

  // What happened.
  int calls = 0;
  int chunks = 0;
  int products = 0;
  int streams = 0, events = 0;  ///< alive now
  std::size_t device_allocations = 0;
  std::size_t bytes_alive = 0, bytes_peak = 0;
  std::vector<Issue> issues;
  std::vector<std::string> faults;  ///< uses of memory that was not alive, copies from or to memory that is not pinned
  std::set<const unsigned char*> pinned;
  std::map<const unsigned char*, std::pair<std::unique_ptr<unsigned char[]>, std::size_t>> alive;
  std::vector<std::unique_ptr<unsigned char[]>> released;

  bool holds(const void* memory, std::size_t bytes) const {
    const auto* p = static_cast<const unsigned char*>(memory);
    auto it = alive.upper_bound(p);
    if (it == alive.begin()) return false;
    --it;
    return p >= it->first && p + bytes <= it->first + it->second.second;
  }
};

class FakeDevice final : public cuda::DeviceApi {
 public:
  explicit FakeDevice(FakeDeviceLog& log) : log_(log) {}

  cuda::DeviceProbe probe() override { return {log_.usable, log_.detail, log_.free_bytes, log_.multiprocessors}; }

  void* allocate(std::size_t bytes) override {
    may_fail("allocate");
    ++log_.device_allocations;
    return take(bytes);
  }
  void release(void* memory) noexcept override { give(memory); }
  void* allocate_pinned(std::size_t bytes) override {
    may_fail("allocate_pinned");
    void* memory = take(bytes);
    log_.pinned.insert(static_cast<unsigned char*>(memory));
    return memory;
  }
  void release_pinned(void* memory) noexcept override {
    log_.pinned.erase(static_cast<unsigned char*>(memory));
    give(memory);
  }

  cuda::Stream create_stream() override {
    may_fail("create_stream");
    ++log_.streams;
    return new FakeStream;
  }
  void destroy_stream(cuda::Stream stream) noexcept override {
    --log_.streams;
    delete static_cast<FakeStream*>(stream);
  }
  void synchronize(cuda::Stream stream) override { drain(static_cast<FakeStream*>(stream), SIZE_MAX); }
  cuda::Event create_event() override {
    may_fail("create_event");
    ++log_.events;
    return new FakeEvent;
  }
  void destroy_event(cuda::Event event) noexcept override {
    --log_.events;
    delete static_cast<FakeEvent*>(event);
  }
  void record(cuda::Event event, cuda::Stream stream) override {
    may_fail("record");
    auto* e = static_cast<FakeEvent*>(event);
    e->stream = static_cast<FakeStream*>(stream);
    e->position = e->stream->issued;
    log_.issues.push_back({"record", e->stream});
  }
  void wait(cuda::Event event) override {
    may_fail("wait");
    auto* e = static_cast<FakeEvent*>(event);
    log_.issues.push_back({"wait", e->stream});
    drain(e->stream, e->position);
  }

  void copy_to_device(void* to, const void* from, std::size_t bytes, cuda::Stream stream) override {
    may_fail("copy_to_device");
    ++log_.chunks;
    require_pinned(from, "copy_to_device");
    issue("copy_to_device", stream, [=, this] { copy(to, from, bytes); });
  }
  void copy_to_host(void* to, const void* from, std::size_t bytes, cuda::Stream stream) override {
    may_fail("copy_to_host");
    require_pinned(to, "copy_to_host");
    issue("copy_to_host", stream, [=, this] { copy(to, from, bytes); });
  }

  void order_segments(const cuda::OrderTables& o, cuda::Stream stream) override {
    may_fail("order_segments");
    issue("order_segments", stream, [=, this] {
      if (!require(o.key, o.count * 4, "order_segments") || !require(o.item_end, o.count * 8, "order_segments")) return;
      std::vector<std::uint32_t> rank(o.count), segment(o.segment, o.segment + o.count), key(o.key, o.key + o.count);
      std::iota(rank.begin(), rank.end(), 0U);
      std::stable_sort(rank.begin(), rank.end(), [&](std::uint32_t a, std::uint32_t b) {
        return log_.reverse_queue ? key[a] < key[b] : key[a] > key[b];
      });
      std::uint64_t end = 0;
      for (std::uint32_t i = 0; i < o.count; ++i) {
        o.key[i] = key[rank[i]];
        o.segment[i] = segment[rank[i]];
        o.item_end[i] = end += o.items[o.segment[i]];
      }
    });
  }

  void launch_smile(cuda::KernelKind kind, const cuda::Tables& tables, std::uint32_t blocks, std::uint32_t threads,
                    cuda::Stream stream) override {
    may_fail("launch_smile");
    issue("launch_smile", stream, [=, this] {
      if (!require(tables.smile_tiles, blocks * sizeof(cuda::SmileTile), "launch_smile") ||
          !require(tables.smiles, sizeof(formulas::Smile<double>), "launch_smile") ||
          !require(tables.rule_volatility, kind.fp64 ? 8 : 4, "launch_smile")) {
        return;
      }
      if (kind.fp64) {
        emulate<cuda::SmileBody<double>, cuda::ThreadCoord>({tables}, blocks, threads, log_.thread_order);
      } else {
        emulate<cuda::SmileBody<float>, cuda::ThreadCoord>({tables}, blocks, threads, log_.thread_order);
      }
    });
  }
  void launch_exposure(cuda::KernelKind kind, const cuda::Tables& tables, const cuda::Queue& queue,
                       std::uint32_t blocks, std::uint32_t threads, cuda::Stream stream) override {
    may_fail("launch_exposure");
    issue("launch_exposure", stream, [=, this] {
      if (!require(queue.item_end, queue.segments * 8, "launch_exposure") ||
          !require(tables.jobs, sizeof(cuda::Job), "launch_exposure") ||
          !require(tables.exposure, 8, "launch_exposure")) {
        return;
      }
      if (kind.fp64) {
        dispatch<double>(kind, tables, queue, blocks, threads);
      } else {
        dispatch<float>(kind, tables, queue, blocks, threads);
      }
    });
  }

  void launch_sigma_order(const cuda::SpectralTables& tables, std::uint32_t blocks, cuda::Stream stream) override {
    may_fail("launch_sigma_order");
    issue("launch_sigma_order", stream, [=, this] {
      if (!require(tables.ranges, blocks * sizeof(cuda::ExpiryRange), "launch_sigma_order")) return;
      for (std::uint32_t k = 0; k < blocks; ++k) {
        const cuda::ExpiryRange& range = tables.ranges[k];
        if (!require(tables.tables.sorted + range.contract, range.count * sizeof(cuda::SortedContract),
                     "launch_sigma_order")) {
          return;
        }
      }
      emulate<cuda::SigmaOrderBody, cuda::ThreadCoord>({tables}, blocks, 128, log_.thread_order);
    });
  }
  void launch_node_sums(cuda::KernelKind kind, const cuda::SpectralTables& tables, const cuda::Queue& queue,
                        std::uint32_t blocks, cuda::Stream stream) override {
    may_fail("launch_node_sums");
    issue("launch_node_sums", stream, [=, this] {
      if (!require(queue.item_end, queue.segments * 8, "launch_node_sums") || !require_slots(kind, tables)) return;
      if (kind.fp64) {
        node_sums<double>(kind, tables, queue, blocks);
      } else {
        node_sums<float>(kind, tables, queue, blocks);
      }
    });
  }
  void launch_expansion(cuda::KernelKind kind, const cuda::SpectralTables& tables, std::uint32_t blocks,
                        cuda::Stream stream) override {
    may_fail("launch_expansion");
    issue("launch_expansion", stream, [=, this] {
      if (!require_slots(kind, tables) || !require(tables.node, cuda::kAllNodes * 8, "launch_expansion") ||
          !require(tables.matrix, cuda::kMatrixValues * 8, "launch_expansion")) {
        return;
      }
      if (kind.greeks == cuda::kThreeGreeks) {
        expand<cuda::kThreeGreeks>(tables, blocks);
      } else if (kind.greeks == cuda::kElevenGreeks) {
        expand<cuda::kElevenGreeks>(tables, blocks);
      } else {
        expand<cuda::kTwelveGreeks>(tables, blocks);
      }
    });
  }

  void launch_sum(const cuda::SumBody& body, std::uint32_t blocks, std::uint32_t threads,
                  cuda::Stream stream) override {
    may_fail("launch_sum");
    issue("launch_sum", stream, [=, this] {
      if (!require(body.jobs, body.job_count * sizeof(cuda::SumJob), "launch_sum")) return;
      emulate<cuda::SumBody, cuda::ThreadCoord>(body, blocks, threads, log_.thread_order);
    });
  }

  void launch_inversion(const cuda::InversionBody& body, std::uint32_t blocks, std::uint32_t threads,
                        cuda::Stream stream) override {
    may_fail("launch_inversion");
    issue("launch_inversion", stream, [=, this] {
      for (const double* column : {body.price, body.forward, body.strike, body.discount, body.tau}) {
        if (!require(column, body.count * 8, "launch_inversion")) return;
      }
      if (!require(body.right, body.count, "launch_inversion") ||
          !require(body.sigma, body.count * 8, "launch_inversion") ||
          !require(body.status, body.count * sizeof(formulas::IvStatus), "launch_inversion")) {
        return;
      }
      emulate<cuda::InversionBody, cuda::ThreadCoord>(body, blocks, threads, log_.thread_order);
    });
  }

  void launch_walls(cuda::WallRule rule, const cuda::WallTables& tables, std::uint32_t blocks, std::uint32_t threads,
                    cuda::Stream stream) override {
    may_fail("launch_walls");
    issue("launch_walls", stream, [=, this] {
      if (!require(tables.sides, tables.side_count * sizeof(cuda::WallSideJob), "launch_walls")) return;
      for (std::uint32_t k = 0; k < tables.side_count; ++k) {
        const cuda::WallSideJob& side = tables.sides[k];
        if (!require(tables.contracts + side.contract, side.contracts * sizeof(cuda::WallContract), "launch_walls") ||
            !require(tables.weight + side.weight, std::size_t{side.positions} * side.contracts * 8, "launch_walls") ||
            !require(tables.spot + side.spot, side.spots * 8, "launch_walls") ||
            !require(tables.x + side.spot, side.spots * 8, "launch_walls") ||
            !require(tables.iv_shift + side.shift, side.shifts * 8, "launch_walls") ||
            !require(tables.wall + side.output, std::size_t{side.positions} * side.shifts * side.spots * 8,
                     "launch_walls")) {
          return;
        }
      }
      if (rule == cuda::WallRule::kSkewStickiness) {
        for (std::uint32_t k = 0; k < tables.side_count; ++k) {
          const cuda::WallSideJob& side = tables.sides[k];
          for (std::uint32_t i = side.contract; i < side.contract + side.contracts; ++i) {
            if (!require(tables.smiles + tables.contracts[i].smile, sizeof(*tables.smiles), "launch_walls")) return;
          }
        }
      }
      switch (rule) {
        case cuda::WallRule::kFixed:
          return emulate<cuda::WallBody<cuda::WallRule::kFixed>, cuda::ThreadCoord>({tables}, blocks, threads,
                                                                                    log_.thread_order);
        case cuda::WallRule::kRelativeBeta:
          return emulate<cuda::WallBody<cuda::WallRule::kRelativeBeta>, cuda::ThreadCoord>({tables}, blocks, threads,
                                                                                           log_.thread_order);
        case cuda::WallRule::kSkewStickiness:
          return emulate<cuda::WallBody<cuda::WallRule::kSkewStickiness>, cuda::ThreadCoord>({tables}, blocks, threads,
                                                                                             log_.thread_order);
      }
    });
  }

  void launch_nearest(const cuda::NearestBody& body, std::uint32_t blocks, std::uint32_t threads,
                      cuda::Stream stream) override {
    may_fail("launch_nearest");
    issue("launch_nearest", stream, [=, this] {
      const cuda::NearestTables& tables = body.tables;
      if (!require(tables.jobs, tables.job_count * sizeof(cuda::NearestPoints), "launch_nearest") ||
          !require(tables.last, blocks * 4, "launch_nearest") ||
          !require(tables.candidates, blocks * 4, "launch_nearest")) {
        return;
      }
      std::uint64_t begin = 0;
      for (std::uint32_t k = 0; k < tables.job_count; ++k) {
        const cuda::NearestPoints& job = tables.jobs[k];
        const std::uint64_t places = job.end - begin;
        const std::int32_t* last = tables.last + begin;
        const auto points = static_cast<std::size_t>(std::max(-1, *std::max_element(last, last + places)) + 1);
        const auto column = [&](std::uint64_t first) {
          return points == 0 || require(tables.values + first, points * 8, "launch_nearest");
        };
        for (std::uint32_t a = 0; a < job.axes; ++a) {
          if (!column(job.axis[a])) return;
        }
        if (job.required != cuda::kNoColumn && !column(job.required)) return;
        if (!require(tables.values + job.at, places * job.axes * 8, "launch_nearest") ||
            !require(tables.index + job.output, places * job.count * 4, "launch_nearest") ||
            !require(tables.distance2 + job.output, places * job.count * 8, "launch_nearest")) {
          return;
        }
        begin = job.end;
      }
      if (begin != blocks) log_.faults.push_back("launch_nearest has other blocks than places");
      emulate<cuda::NearestBody, cuda::ThreadCoord>(body, blocks, threads, log_.thread_order);
    });
  }
  void launch_kernel_fill(const cuda::KernelFillBody& body, std::uint32_t blocks, std::uint32_t threads,
                          cuda::Stream stream) override {
    may_fail("launch_kernel_fill");
    issue("launch_kernel_fill", stream, [=, this] {
      const cuda::PairSumsTables& tables = body.tables;
      if (!require(tables.jobs, tables.job_count * sizeof(cuda::PairSumsPoints), "launch_kernel_fill")) return;
      for (std::uint32_t k = 0; k < tables.job_count; ++k) {
        const cuda::PairSumsPoints& job = tables.jobs[k];
        for (std::uint32_t a = 0; a < job.axes; ++a) {
          if (!require(tables.columns + job.axis[a], job.points * 8, "launch_kernel_fill")) return;
        }
        for (std::uint32_t v = 0; v < job.values; ++v) {
          if (!require(tables.columns + job.value[v], job.points * 8, "launch_kernel_fill")) return;
        }
      }
      emulate<cuda::KernelFillBody, cuda::ThreadCoord>(body, blocks, threads, log_.thread_order);
    });
  }
  /// The arguments as cuBLAS reads them, in a plain triple loop.
  void multiply(const cuda::StridedProducts& p, cuda::Stream stream) override {
    may_fail("multiply");
    ++log_.products;
    issue("multiply", stream, [=, this] {
      const auto extent = [&](std::int64_t stride, std::int32_t leading, std::int32_t rows, std::int32_t columns) {
        if (leading < rows) log_.faults.push_back("multiply has a leading dimension below its rows");
        return static_cast<std::size_t>(stride * (p.batch - 1) + std::int64_t{leading} * (columns - 1) + rows) * 8;
      };
      if (!require(p.a, extent(p.stride_a, p.leading_a, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k),
                   "multiply") ||
          !require(p.b, extent(p.stride_b, p.leading_b, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n),
                   "multiply") ||
          !require(p.c, extent(p.stride_c, p.leading_c, p.m, p.n), "multiply")) {
        return;
      }
      const std::ptrdiff_t step_a = p.transpose_a ? 1 : p.leading_a, step_b = p.transpose_b ? p.leading_b : 1;
      for (std::int32_t i = 0; i < p.batch; ++i) {
        for (std::int32_t column = 0; column < p.n; ++column) {
          const double* b = p.b + i * p.stride_b + (p.transpose_b ? column : std::ptrdiff_t{column} * p.leading_b);
          for (std::int32_t row = 0; row < p.m; ++row) {
            const double* a = p.a + i * p.stride_a + (p.transpose_a ? std::ptrdiff_t{row} * p.leading_a : row);
            double sum = 0.0;
            for (std::int32_t k = 0; k < p.k; ++k) sum += a[k * step_a] * b[k * step_b];
            p.c[i * p.stride_c + std::ptrdiff_t{column} * p.leading_c + row] = sum;
          }
        }
      }
    });
  }
  void launch_slice_sum(const cuda::SliceSumBody& body, std::uint32_t blocks, std::uint32_t threads,
                        cuda::Stream stream) override {
    may_fail("launch_slice_sum");
    issue("launch_slice_sum", stream, [=, this] {
      const cuda::PairSumsTables& tables = body.tables;
      if (!require(tables.jobs, tables.job_count * sizeof(cuda::PairSumsPoints), "launch_slice_sum") ||
          !require(tables.sums, tables.jobs[tables.job_count - 1].sum_end * 4, "launch_slice_sum")) {
        return;
      }
      emulate<cuda::SliceSumBody, cuda::ThreadCoord>(body, blocks, threads, log_.thread_order);
    });
  }

 private:
  struct FakeStream {
    std::deque<std::function<void()>> work;
    std::size_t issued = 0;
    std::size_t done = 0;
  };
  struct FakeEvent {
    FakeStream* stream = nullptr;
    std::size_t position = 0;
  };

  template <class Real>
  void dispatch(cuda::KernelKind kind, const cuda::Tables& tables, const cuda::Queue& queue, std::uint32_t blocks,
                std::uint32_t threads) {
    switch (kind.greeks) {
      case cuda::kThreeGreeks:
        return rule<Real, cuda::kThreeGreeks>(kind, tables, queue, blocks, threads);
      case cuda::kElevenGreeks:
        return rule<Real, cuda::kElevenGreeks>(kind, tables, queue, blocks, threads);
      default:
        return rule<Real, cuda::kTwelveGreeks>(kind, tables, queue, blocks, threads);
    }
  }
  template <class Real, int Greeks>
  void rule(cuda::KernelKind kind, const cuda::Tables& tables, const cuda::Queue& queue, std::uint32_t blocks,
            std::uint32_t threads) {
    if (kind.spot_rule) {
      emulate<cuda::ExposureBody<Real, Greeks, true>, cuda::ThreadCoord>({tables, queue}, blocks, threads,
                                                                         log_.thread_order);
    } else {
      emulate<cuda::ExposureBody<Real, Greeks, false>, cuda::ThreadCoord>({tables, queue}, blocks, threads,
                                                                          log_.thread_order);
    }
  }

  template <class Real>
  void node_sums(cuda::KernelKind kind, const cuda::SpectralTables& tables, const cuda::Queue& queue,
                 std::uint32_t blocks) {
    const auto run = [&]<class Body>(const Body& body) {
      emulate<Body, cuda::ThreadCoord>(body, blocks, Body::kThreads, log_.thread_order);
    };
    if (kind.greeks == cuda::kThreeGreeks) return run(cuda::NodeSumsBody<Real, cuda::kThreeGreeks>{tables, queue});
    if (kind.greeks == cuda::kElevenGreeks) return run(cuda::NodeSumsBody<Real, cuda::kElevenGreeks>{tables, queue});
    run(cuda::NodeSumsBody<Real, cuda::kTwelveGreeks>{tables, queue});
  }
  template <int Greeks>
  void expand(const cuda::SpectralTables& tables, std::uint32_t blocks) {
    using Body = cuda::ExpansionBody<Greeks>;
    emulate<Body, cuda::ThreadCoord>(Body{tables}, blocks, Body::kThreads, log_.thread_order);
  }
  bool require_slots(cuda::KernelKind kind, const cuda::SpectralTables& tables) {
    if (!require(tables.jobs, tables.job_count * sizeof(cuda::SpectralJob), "spectral launch")) return false;
    const cuda::SpectralJob& last = tables.jobs[tables.job_count - 1];
    const std::uint64_t slots = last.slot + std::uint64_t{last.rows} * last.segments;
    return require(tables.slots, slots * cuda::slot_values(kind.greeks) * 8, "spectral launch") &&
           require(tables.used, slots * 4, "spectral launch");
  }

  void may_fail(const char* what) {
    if (log_.calls++ == log_.fail_at_call) throw BackendError(std::string(what) + " failed (fault put in by the test)");
  }
  void* take(std::size_t bytes) {
    auto memory = std::make_unique<unsigned char[]>(bytes);
    std::memset(memory.get(), 0xff, bytes);
    unsigned char* p = memory.get();
    log_.bytes_alive += bytes;
    log_.bytes_peak = std::max(log_.bytes_peak, log_.bytes_alive);
    log_.alive[p] = {std::move(memory), bytes};
    return p;
  }
  void give(void* memory) noexcept {
    const auto it = log_.alive.find(static_cast<unsigned char*>(memory));
    if (it == log_.alive.end()) {
      log_.faults.push_back("released what is not alive");
      return;
    }
    std::memset(memory, 0xdd, it->second.second);
    log_.bytes_alive -= it->second.second;
    log_.released.push_back(std::move(it->second.first));
    log_.alive.erase(it);
  }
  bool require(const void* memory, std::size_t bytes, const char* what) {
    if (log_.holds(memory, bytes)) return true;
    log_.faults.push_back(std::string(what) + " used memory that is not alive");
    return false;
  }
  /// A copy of memory that is not pinned waits for the device: nothing would overlap.
  void require_pinned(const void* memory, const char* what) {
    const auto it = log_.alive.upper_bound(static_cast<const unsigned char*>(memory));
    if (it == log_.alive.begin() || log_.pinned.count(std::prev(it)->first) == 0) {
      log_.faults.push_back(std::string(what) + " used memory that is not pinned");
    }
  }
  void copy(void* to, const void* from, std::size_t bytes) {
    if (require(to, bytes, "copy") && require(from, bytes, "copy")) std::memcpy(to, from, bytes);
  }
  void issue(const char* what, cuda::Stream stream, std::function<void()> work) {
    auto* s = static_cast<FakeStream*>(stream);
    log_.issues.push_back({what, s});
    s->work.push_back(std::move(work));
    ++s->issued;
  }
  static void drain(FakeStream* stream, std::size_t until) {
    while (!stream->work.empty() && stream->done < until) {
      auto work = std::move(stream->work.front());
      stream->work.pop_front();
      ++stream->done;
      work();
    }
  }

  FakeDeviceLog& log_;
};

}  // namespace greekgrid::test

#pragma once

/// @file
/// What backends over a DeviceApi share: buffers that grow and are reused, streams with their buffers, and the cutting
/// of jobs into chunks that fit device memory.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device_api.hpp"
#include "device_backend.hpp"
#include "greekgrid/kernels/error.hpp"

namespace greekgrid::cuda {

/// Device or pinned memory that grows and is reused. Contents are lost on growth.
class Buffer {
 public:
  enum class Kind { kDevice, kPinned };
  Buffer(DeviceApi& device, Kind kind) : device_(&device), kind_(kind) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { clear(); }

  void require(std::size_t bytes) {
    if (bytes <= bytes_) return;
    clear();
    memory_ = kind_ == Kind::kDevice ? device_->allocate(bytes) : device_->allocate_pinned(bytes);
    bytes_ = bytes;
  }
  void clear() noexcept {
    if (memory_ == nullptr) return;
    if (kind_ == Kind::kDevice) {
      device_->release(memory_);
    } else {
      device_->release_pinned(memory_);
    }
    memory_ = nullptr;
    bytes_ = 0;
  }
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  DeviceApi* device_;
  Kind kind_;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

/// One stream with the buffers of the chunk that is on it. A backend derives from it what it has pending there.
class Lane {
 public:
  explicit Lane(DeviceApi& api)
      : device(api),
        upload(api, Buffer::Kind::kPinned),
        result(api, Buffer::Kind::kPinned),
        d_upload(api, Buffer::Kind::kDevice),
        d_values(api, Buffer::Kind::kDevice) {
    stream = api.create_stream();
    try {
      done = api.create_event();
    } catch (...) {
      api.destroy_stream(stream);
      throw;
    }
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() {
    // What is still on the stream reads the buffers that are about to be released.
    try {
      device.synchronize(stream);
    } catch (const BackendError&) {
    }
    device.destroy_event(done);
    device.destroy_stream(stream);
  }

  DeviceApi& device;
  Buffer upload, result, d_upload, d_values;
  Stream stream = nullptr;
  Event done = nullptr;
};

inline std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

inline std::string megabytes(std::size_t bytes) {
  return std::to_string((bytes + 1048575) / 1048576) + " MB";
}

/// The device of a backend and the lanes on it.
/// @tparam OwnLane a Lane with what the backend has pending on it
template <class OwnLane>
class DeviceLanes {
 public:
  DeviceLanes(std::unique_ptr<DeviceApi> device, const DeviceBackendOptions& options)
      : device_(std::move(device)), options_(options) {
    options_.streams = std::max<std::size_t>(1, options_.streams);
  }

 protected:
  /// Runs work that may use the lanes. After a failure nothing is known of them: the next call makes others.
  template <class Work>
  void with_device(const Work& work) {
    if (budget_ == 0) {
      const DeviceProbe probe = device_->probe();
      if (!probe.usable) {
        throw BackendError("backend cuda cannot run (" + probe.detail + ") take backend cpu on this machine");
      }
      budget_ = options_.device_bytes != 0 ? options_.device_bytes : probe.free_bytes / 5 * 3;
    }
    try {
      while (lanes_.size() < options_.streams) lanes_.push_back(std::make_unique<OwnLane>(*device_));
      work();
    } catch (...) {
      lanes_.clear();
      throw;
    }
  }

  /// Cuts jobs into chunks that fit a lane's share of memory and issues them in turn; all are done on return.
  /// @param divisible what a caller may split a job by that fits nowhere
  /// @param size_of size_of(job), which can be added up
  /// @param bytes_of bytes_of(size): device memory of a chunk
  /// @param collect_lane collect_lane(lane) waits for a lane's chunk and hands its results out
  /// @param issue_chunk issue_chunk(lane, size, chunk)
  template <class AnyJob, class SizeOf, class BytesOf, class Collect, class Issue>
  void in_chunks(const std::vector<AnyJob*>& jobs, const char* divisible, const SizeOf& size_of,
                 const BytesOf& bytes_of, const Collect& collect_lane, const Issue& issue_chunk) {
    const std::size_t share = budget_ / lanes_.size();
    const std::size_t target = std::min(options_.chunk_bytes, share);
    std::size_t turn = 0;
    for (std::size_t first = 0; first < jobs.size();) {
      auto size = size_of(*jobs[first]);
      std::vector<AnyJob*> chunk = {jobs[first]};
      for (++first; first < jobs.size(); ++first) {
        auto with = size;
        with += size_of(*jobs[first]);
        if (bytes_of(with) > target) break;
        size = with;
        chunk.push_back(jobs[first]);
      }
      const std::size_t need = bytes_of(size);
      if (need > budget_) {
        throw BackendError("a job does not fit the device (needs " + megabytes(need) + ", budget " +
                           megabytes(budget_) + ") split its " + divisible);
      }
      if (need > share) {
        // One job larger than a lane's share runs alone, with the memory of all.
        for (const auto& lane : lanes_) {
          collect_lane(*lane);
          lane->d_upload.clear();
          lane->d_values.clear();
        }
      }
      OwnLane& lane = *lanes_[turn++ % lanes_.size()];
      collect_lane(lane);
      issue_chunk(lane, size, std::move(chunk));
      if (need > share) {
        collect_lane(lane);
        lane.d_upload.clear();
        lane.d_values.clear();
      }
    }
    for (std::size_t i = 0; i < lanes_.size(); ++i) collect_lane(*lanes_[(turn + i) % lanes_.size()]);
  }

  std::unique_ptr<DeviceApi> device_;
  DeviceBackendOptions options_;
  std::size_t budget_ = 0;                       // bytes of device memory, all lanes together; 0: not known yet
  std::vector<std::unique_ptr<OwnLane>> lanes_;  // before device_ in destruction: they release into it
};

}  // namespace greekgrid::cuda

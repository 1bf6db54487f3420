#include "device_forecast.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "device_lanes.hpp"
#include "nearest_body.hpp"
#include "pair_sums_body.hpp"

namespace greekgrid::cuda {
namespace {

// The bodies keep their own copies of these, so that nvcc reads no more headers than it needs.
static_assert(kNearestAxes == kMostAxes && kNearestThreads >= kMostNearest);
static_assert(kNodes == kKernelNodes && kKinds == kKernelSums && kPairAxes == kKernelAxes);
static_assert(kPairValues == kKernelValues && kLeastFilled == kLeastKernel);
static_assert(static_cast<std::size_t>(KernelSum::kSquares) == kSignedKinds);

constexpr std::uint32_t kSliceSumThreads = 256;
constexpr std::size_t kMap = kKernelNodes * kKernelNodes;

/// A lane with the chunk that is on it.
class ForecastLane : public Lane {
 public:
  using Lane::Lane;
  std::vector<const NearestJob*> pending_searches;
  std::vector<const PairSumsJob*> pending_sums;
};

/// What searches need.
struct NearestSize {
  std::size_t jobs = 0, places = 0, values = 0, results = 0;

  NearestSize& operator+=(const NearestSize& o) {
    jobs += o.jobs, places += o.places, values += o.values, results += o.results;
    return *this;
  }
};

NearestSize size_of(const NearestJob& job) {
  NearestSize size;
  size.jobs = 1;
  size.places = job.places();
  const std::size_t columns = job.points.axes + (job.points.required == nullptr ? 0 : 1);
  size.values = columns * job.points.points + job.at.size();
  size.results = job.index.size();
  return size;
}

/// Places of the arrays of a chunk of searches; results lie in a buffer of their own.
struct NearestLayout {
  std::size_t jobs, last, values, upload_bytes, distance2, index, candidates, result_bytes;

  explicit NearestLayout(const NearestSize& n) {
    jobs = 0;
    last = aligned(n.jobs * sizeof(NearestPoints));
    values = last + aligned(n.places * 4);
    upload_bytes = values + aligned(n.values * 8);
    distance2 = 0;
    index = aligned(n.results * 8);
    candidates = index + aligned(n.results * 4);
    result_bytes = candidates + aligned(n.places * 4);
  }
  std::size_t device_bytes() const { return upload_bytes + result_bytes; }
};

/// The axes of a history that have values, and their pairs.
struct PresentAxes {
  std::array<std::size_t, kKernelAxes> axis{};
  std::size_t count = 0;

  explicit PresentAxes(const KernelPointsView& points) {
    for (std::size_t a = 0; a < kKernelAxes; ++a) {
      if (points.axis[a] != nullptr) axis[count++] = a;
    }
  }
  std::size_t pairs() const { return count * (count - 1) / 2; }
};

std::size_t slices_of(const PairSumsJob& job) {
  return (job.points.points + kSlicePoints - 1) / kSlicePoints;
}

/// What sums of kernels need; matrices in doubles.
struct PairSumsSize {
  std::size_t jobs = 0, columns = 0, matrices = 0, sums = 0;

  PairSumsSize& operator+=(const PairSumsSize& o) {
    jobs += o.jobs, columns += o.columns, matrices += o.matrices, sums += o.sums;
    return *this;
  }
};

/// Doubles of the matrices of a job.
struct MatrixSizes {
  std::size_t right, left_squares, left;
  std::array<std::size_t, kKernelAxes - 1> product_squares{}, product{};  // by first axis

  explicit MatrixSizes(const PairSumsJob& job) {
    const std::size_t slices = slices_of(job), axes = PresentAxes(job.points).count;
    right = slices * (axes - 1) * kKernelNodes * kSlicePoints;
    left_squares = right * job.values();
    left = left_squares * kSignedKinds;
    for (std::size_t a = 0; a + 1 < axes; ++a) {
      product_squares[a] = slices * job.values() * (axes - 1 - a) * kMap;
      product[a] = product_squares[a] * kSignedKinds;
    }
  }
  std::size_t all() const {
    std::size_t sum = 2 * right + left_squares + left;
    for (std::size_t a = 0; a + 1 < kKernelAxes; ++a) sum += product_squares[a] + product[a];
    return sum;
  }
};

PairSumsSize size_of(const PairSumsJob& job) {
  const PresentAxes present(job.points);
  PairSumsSize size;
  size.jobs = 1;
  size.columns = (present.count + job.values()) * job.points.points;
  size.matrices = MatrixSizes(job).all();
  size.sums = job.values() * present.pairs() * kKernelSums * kMap;
  return size;
}

/// Places of the arrays of a chunk of sums: what is uploaded, and what is made on the device.
struct PairSumsLayout {
  std::size_t jobs, columns, upload_bytes, sums, matrices, made_bytes;

  explicit PairSumsLayout(const PairSumsSize& n) {
    jobs = 0;
    columns = aligned(n.jobs * sizeof(PairSumsPoints));
    upload_bytes = columns + aligned(n.columns * 8);
    sums = 0;
    matrices = aligned(n.sums * 4);
    made_bytes = matrices + n.matrices * 8;
  }
  std::size_t device_bytes() const { return upload_bytes + made_bytes; }
};

std::size_t device_bytes(const NearestSize& size) {
  return NearestLayout(size).device_bytes();
}
std::size_t device_bytes(const PairSumsSize& size) {
  return PairSumsLayout(size).device_bytes();
}

std::uint32_t launchable(std::uint64_t blocks) {
  if (blocks > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
    throw BackendError("a chunk has " + std::to_string(blocks) +
                       " work items (a launch takes 2147483647) split its places");
  }
  return static_cast<std::uint32_t>(blocks);
}

class DeviceForecastBackend final : public ForecastBackend, private DeviceLanes<ForecastLane> {
 public:
  using DeviceLanes::DeviceLanes;

  BackendStatus status() const override {
    DeviceProbe probe = device_->probe();
    return {"cuda", probe.usable, std::move(probe.detail)};
  }

  void nearest(std::span<const NearestJob> jobs) override {
    with_device([&] {
      std::vector<const NearestJob*> with_work;
      for (const NearestJob& job : jobs) {
        if (job.places() > 0) with_work.push_back(&job);
      }
      run(with_work, "places",
          [this](ForecastLane& lane, const NearestSize& size, auto chunk) { issue(lane, size, std::move(chunk)); });
    });
  }

  void pair_sums(std::span<const PairSumsJob> jobs) override {
    with_device([&] {
      std::vector<const PairSumsJob*> with_work;
      for (const PairSumsJob& job : jobs) {
        if (job.points.points == 0 || PresentAxes(job.points).count < 2) {
          std::fill(job.sums.begin(), job.sums.end(), 0.0F);
        } else {
          with_work.push_back(&job);
        }
      }
      run(with_work, "values",
          [this](ForecastLane& lane, const PairSumsSize& size, auto chunk) { issue(lane, size, std::move(chunk)); });
    });
  }

 private:
  template <class AnyJob, class Issue>
  void run(const std::vector<AnyJob*>& jobs, const char* divisible, const Issue& issue_chunk) {
    in_chunks(
        jobs, divisible, [](const AnyJob& job) { return size_of(job); },
        [](const auto& size) { return device_bytes(size); }, [this](ForecastLane& lane) { collect(lane); },
        issue_chunk);
  }

  /// Waits for a lane's chunk and hands its results out.
  void collect(ForecastLane& lane) {
    if (lane.pending_searches.empty() && lane.pending_sums.empty()) return;
    device_->wait(lane.done);
    if (!lane.pending_searches.empty()) {
      NearestSize size;
      for (const NearestJob* job : lane.pending_searches) size += size_of(*job);
      const NearestLayout layout(size);
      const auto hand_out = [&](std::size_t offset, auto results_of) {
        const std::byte* from = lane.result.data() + offset;
        for (const NearestJob* job : lane.pending_searches) {
          const auto results = results_of(*job);
          if (!results.empty()) std::memcpy(results.data(), from, results.size_bytes());
          from += results.size_bytes();
        }
      };
      hand_out(layout.distance2, [](const NearestJob& job) { return job.distance2; });
      hand_out(layout.index, [](const NearestJob& job) { return job.index; });
      hand_out(layout.candidates, [](const NearestJob& job) { return job.candidates; });
      lane.pending_searches.clear();
    }
    const auto* sums = reinterpret_cast<const float*>(lane.result.data());
    for (const PairSumsJob* job : lane.pending_sums) {
      float* to = job->sums.data();
      for (std::size_t v = 0; v < job->values(); ++v) {
        for (std::size_t a = 0; a + 1 < kKernelAxes; ++a) {
          for (std::size_t b = a + 1; b < kKernelAxes; ++b, to += kKernelSums * kMap) {
            if (job->points.axis[a] == nullptr || job->points.axis[b] == nullptr) {
              std::fill_n(to, kKernelSums * kMap, 0.0F);
            } else {
              std::copy_n(sums, kKernelSums * kMap, to);
              sums += kKernelSums * kMap;
            }
          }
        }
      }
    }
    lane.pending_sums.clear();
  }

  void issue(ForecastLane& lane, const NearestSize& size, std::vector<const NearestJob*> chunk) {
    const NearestLayout layout(size);
    lane.upload.require(layout.upload_bytes);
    lane.result.require(layout.result_bytes);
    lane.d_upload.require(layout.upload_bytes);
    lane.d_values.require(layout.result_bytes);
    const std::uint32_t blocks = launchable(size.places);

    std::byte* base = lane.upload.data();
    auto* points = reinterpret_cast<NearestPoints*>(base + layout.jobs);
    auto* last = reinterpret_cast<std::int32_t*>(base + layout.last);
    auto* values = reinterpret_cast<double*>(base + layout.values);
    NearestSize at;
    for (const NearestJob* job : chunk) {
      NearestPoints& d = points[at.jobs];
      d = {};
      std::size_t value = at.values;
      const auto append = [&](const double* from, std::size_t count) {
        std::copy_n(from, count, values + value);
        return std::exchange(value, value + count);
      };
      for (std::size_t a = 0; a < job->points.axes; ++a) d.axis[a] = append(job->points.axis[a], job->points.points);
      d.required = job->points.required == nullptr ? kNoColumn : append(job->points.required, job->points.points);
      d.at = append(job->at.data(), job->at.size());
      d.output = at.results;
      d.axes = static_cast<std::uint32_t>(job->points.axes);
      d.count = static_cast<std::uint32_t>(job->count);
      std::copy(job->last.begin(), job->last.end(), last + at.places);
      at += size_of(*job);
      d.end = at.places;
    }

    std::byte* d_upload = lane.d_upload.data();
    std::byte* d_result = lane.d_values.data();
    NearestTables tables{};
    tables.jobs = reinterpret_cast<const NearestPoints*>(d_upload + layout.jobs);
    tables.last = reinterpret_cast<const std::int32_t*>(d_upload + layout.last);
    tables.values = reinterpret_cast<const double*>(d_upload + layout.values);
    tables.distance2 = reinterpret_cast<double*>(d_result + layout.distance2);
    tables.index = reinterpret_cast<std::int32_t*>(d_result + layout.index);
    tables.candidates = reinterpret_cast<std::int32_t*>(d_result + layout.candidates);
    tables.job_count = static_cast<std::uint32_t>(size.jobs);
    device_->copy_to_device(d_upload, base, layout.upload_bytes, lane.stream);
    device_->launch_nearest({tables}, blocks, kNearestThreads, lane.stream);
    device_->copy_to_host(lane.result.data(), d_result, layout.result_bytes, lane.stream);
    device_->record(lane.done, lane.stream);
    lane.pending_searches = std::move(chunk);
  }

  void issue(ForecastLane& lane, const PairSumsSize& size, std::vector<const PairSumsJob*> chunk) {
    const PairSumsLayout layout(size);
    lane.upload.require(layout.upload_bytes);
    lane.result.require(size.sums * 4);
    lane.d_upload.require(layout.upload_bytes);
    lane.d_values.require(layout.made_bytes);

    std::byte* base = lane.upload.data();
    auto* points = reinterpret_cast<PairSumsPoints*>(base + layout.jobs);
    auto* columns = reinterpret_cast<double*>(base + layout.columns);
    auto* d_matrices = reinterpret_cast<double*>(lane.d_values.data() + layout.matrices);
    std::uint64_t fill_end = 0;
    PairSumsSize at;
    for (const PairSumsJob* job : chunk) {
      const PresentAxes present(job->points);
      PairSumsPoints& d = points[at.jobs];
      d = {};
      std::size_t column = at.columns;
      const auto append = [&](const double* from) {
        std::copy_n(from, job->points.points, columns + column);
        return std::exchange(column, column + job->points.points);
      };
      for (std::size_t a = 0; a < present.count; ++a) d.axis[a] = append(job->points.axis[present.axis[a]]);
      for (std::size_t v = 0; v < job->values(); ++v) d.value[v] = append(job->points.value[v]);

      const MatrixSizes sizes(*job);
      std::size_t matrix = at.matrices;
      const auto place = [&matrix](std::size_t count) { return std::exchange(matrix, matrix + count); };
      d.right = place(sizes.right);
      d.right_squares = place(sizes.right);
      d.left = place(sizes.left);
      d.left_squares = place(sizes.left_squares);
      for (std::size_t a = 0; a + 1 < present.count; ++a) {
        d.product[a] = place(sizes.product[a]);
        d.product_squares[a] = place(sizes.product_squares[a]);
      }
      d.factor = -1.0 / (2.0 * job->bandwidth * job->bandwidth);
      d.points = static_cast<std::uint32_t>(job->points.points);
      d.slices = static_cast<std::uint32_t>(slices_of(*job));
      d.axes = static_cast<std::uint32_t>(present.count);
      d.values = static_cast<std::uint32_t>(job->values());
      fill_end += std::uint64_t{d.slices} * d.axes * (kNodes / kFillNodes);
      d.fill_end = fill_end;
      at += size_of(*job);
      d.sum_end = at.sums;
    }

    const std::byte* d_upload = lane.d_upload.data();
    PairSumsTables tables{};
    tables.jobs = reinterpret_cast<const PairSumsPoints*>(d_upload + layout.jobs);
    tables.columns = reinterpret_cast<const double*>(d_upload + layout.columns);
    tables.matrices = d_matrices;
    tables.sums = reinterpret_cast<float*>(lane.d_values.data() + layout.sums);
    tables.job_count = static_cast<std::uint32_t>(size.jobs);
    device_->copy_to_device(lane.d_upload.data(), base, layout.upload_bytes, lane.stream);
    device_->launch_kernel_fill({tables}, launchable(fill_end), kSlicePoints, lane.stream);
    // A call of its own for each job: how cuBLAS goes about a product may depend on the size of its batch.
    for (std::size_t j = 0; j < size.jobs; ++j) {
      const PairSumsPoints& d = points[j];
      for (std::uint32_t a = 0; a + 1 < d.axes; ++a) {
        multiply(d, a, d.right, d.left, d.product[a], kSignedKinds, d_matrices, lane.stream);
        multiply(d, a, d.right_squares, d.left_squares, d.product_squares[a], 1, d_matrices, lane.stream);
      }
    }
    device_->launch_slice_sum({tables}, launchable((size.sums + kSliceSumThreads - 1) / kSliceSumThreads),
                              kSliceSumThreads, lane.stream);
    device_->copy_to_host(lane.result.data(), tables.sums, size.sums * 4, lane.stream);
    device_->record(lane.done, lane.stream);
    lane.pending_sums = std::move(chunk);
  }

  /// The product of first axis a with all later ones, in every slice.
  void multiply(const PairSumsPoints& d, std::uint32_t a, std::uint64_t right, std::uint64_t left,
                std::uint64_t product, std::uint32_t kinds, double* d_matrices, Stream stream) {
    const std::int64_t axis = std::int64_t{kNodes} * kSlicePoints;
    const auto axes = static_cast<std::int64_t>(d.axes);
    const auto rows = static_cast<std::int64_t>(d.values * kinds);  // in nodes
    StridedProducts products;
    products.transpose_a = true;
    products.m = static_cast<std::int32_t>((axes - 1 - a) * kNodes);
    products.n = static_cast<std::int32_t>(rows * kNodes);
    products.k = kSlicePoints;
    products.a = d_matrices + right + a * axis;
    products.leading_a = kSlicePoints;
    products.stride_a = (axes - 1) * axis;
    products.b = d_matrices + left + a * rows * axis;
    products.leading_b = kSlicePoints;
    products.stride_b = (axes - 1) * rows * axis;
    products.c = d_matrices + product;
    products.leading_c = products.m;
    products.stride_c = std::int64_t{products.m} * products.n;
    products.batch = static_cast<std::int32_t>(d.slices);
    device_->multiply(products, stream);
  }
};

}  // namespace

std::unique_ptr<ForecastBackend> make_device_forecast_backend(std::unique_ptr<DeviceApi> device,
                                                              const DeviceBackendOptions& options) {
  return std::make_unique<DeviceForecastBackend>(std::move(device), options);
}

}  // namespace greekgrid::cuda

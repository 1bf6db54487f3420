#include "device_backend.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "device_lanes.hpp"
#include "device_pieces.hpp"
#include "exposure_body.hpp"
#include "inversion_body.hpp"
#include "moments.hpp"
#include "wall_body.hpp"
#include "wall_contracts.hpp"

namespace greekgrid::cuda {
namespace {

// The bodies keep their own copies of these, so that nvcc reads no more headers than it needs.
static_assert(kSecondsPerCommonYear == kSecondsPerYear);
static_assert(static_cast<int>(kGreekCount) == kTwelveGreeks);
static_assert(kGreeks3.bits() == (1U << kThreeGreeks) - 1U && kGreeks11.bits() == (1U << kElevenGreeks) - 1U);

constexpr std::uint32_t kMaxThreads = 256;
constexpr std::uint32_t kWarp = 32;
constexpr std::uint32_t kSumThreads = 256;
constexpr std::uint32_t kInversionThreads = 256;
constexpr std::size_t kMostQuoteBlocks = std::size_t{1} << 22;  // their quotes are counted in 32 bits

/// A lane with the chunk that is on it.
class ExposureLane : public Lane {
 public:
  using Lane::Lane;
  std::vector<const ExposurePiece*> pending;
  std::vector<const WallJob*> pending_walls;
  std::size_t quote_begin = 0, quote_count = 0;  // pending quotes
};

/// What a job or a chunk of them needs.
struct Size {
  std::size_t jobs = 0, expiries = 0, contracts = 0, weights = 0, times = 0, shifts = 0, tiles = 0, segments = 0;
  std::size_t values = 0, partials = 0, sum_jobs = 0;
  std::size_t smiles = 0, smile_tiles = 0, rule_volatilities = 0;  // of jobs that follow the smile

  Size& operator+=(const Size& o) {
    jobs += o.jobs, expiries += o.expiries, contracts += o.contracts, weights += o.weights, times += o.times;
    shifts += o.shifts, tiles += o.tiles, segments += o.segments, values += o.values, partials += o.partials;
    sum_jobs += o.sum_jobs, smiles += o.smiles, smile_tiles += o.smile_tiles;
    rule_volatilities += o.rule_volatilities;
    return *this;
  }
};

/// Whether volatility moves with spot, so that the job goes to the other instance of the kernel.
bool follows_spot(const ExposureJob& job) {
  return job.grid.effective_rule() != IvRule::kStickyStrike;
}

Size size_of(const ExposurePiece& piece) {
  const ExposureJob& job = piece.job;
  Size size;
  size.jobs = 1;
  size.expiries = job.book.expiries();
  size.contracts = job.book.contracts();
  size.weights = job.positions * size.contracts;
  size.times = job.grid.time.size();
  size.shifts = job.grid.iv_shift.size();
  for (std::size_t e = 0; e < size.expiries; ++e) {
    const auto n = static_cast<std::size_t>(job.book.expiry_begin[e + 1] - job.book.expiry_begin[e]);
    size.tiles += (n + kTileContracts - 1) / kTileContracts;
  }
  size.segments = (size.tiles + kSegmentTiles - 1) / kSegmentTiles;
  size.values = piece.values;
  size.partials = size.segments > 1 ? (size.segments - 1) * size.values : 0;
  size.sum_jobs = size.segments > 1 ? 1 : 0;
  if (job.grid.effective_rule() == IvRule::kSkewStickiness) {
    size.smiles = size.expiries;
    size.smile_tiles = size.tiles;
    size.rule_volatilities = size.contracts * job.grid.spots;
  }
  return size;
}

/// Places of the arrays of a chunk in its upload buffer; what follows `upload_bytes` exists on the device only.
struct Layout {
  std::size_t jobs, tiles, segments, settlement, rate, dividend_yield, strike, right, implied_volatility, weight, time,
      iv_shift, smiles, smile_tiles, sum_jobs, key, order, items, upload_bytes, item_end, bytes;

  explicit Layout(const Size& n) {
    std::size_t at = 0;
    const auto place = [&at](std::size_t count, std::size_t each) {
      const std::size_t here = at;
      at = aligned(at + count * each);
      return here;
    };
    jobs = place(n.jobs, sizeof(Job));
    tiles = place(n.tiles, sizeof(Tile));
    segments = place(n.segments, sizeof(Segment));
    settlement = place(n.expiries, 8);
    rate = place(n.expiries, 8);
    dividend_yield = place(n.expiries, 8);
    strike = place(n.contracts, 8);
    right = place(n.contracts, 1);
    implied_volatility = place(n.contracts, 8);
    weight = place(n.weights, 8);
    time = place(n.times, 8);
    iv_shift = place(n.shifts, 8);
    smiles = place(n.smiles, sizeof(formulas::Smile<double>));
    smile_tiles = place(n.smile_tiles, sizeof(SmileTile));
    sum_jobs = place(n.sum_jobs, sizeof(SumJob));
    key = place(n.segments, 4);
    order = place(n.segments, 4);
    items = place(n.segments, 8);
    upload_bytes = at;
    item_end = place(n.segments, 8);
    bytes = at;
  }
};

/// Exposures, partial sums and volatilities under the rule: what is made on the device.
std::size_t made_bytes(const Size& size, Precision precision) {
  const std::size_t real = precision == Precision::kFp64 ? sizeof(double) : sizeof(float);
  return aligned(size.values * 8) + aligned(size.partials * 8) + aligned(size.rule_volatilities * real);
}

std::size_t device_bytes(const Size& size, Precision precision) {
  return Layout(size).bytes + made_bytes(size, precision);
}

/// Places of the columns of a chunk of quotes; results lie in a buffer of their own.
struct QuoteLayout {
  std::size_t price, forward, strike, discount, tau, right, upload_bytes, sigma, status, result_bytes;

  explicit QuoteLayout(std::size_t count) {
    const std::size_t column = aligned(count * 8);
    price = 0, forward = column, strike = 2 * column, discount = 3 * column, tau = 4 * column, right = 5 * column;
    upload_bytes = right + aligned(count);
    sigma = 0, status = column, result_bytes = column + aligned(count * sizeof(formulas::IvStatus));
  }
  std::size_t device_bytes() const { return upload_bytes + result_bytes; }
};

/// Which instance of the wall kernel a job goes to.
WallRule wall_rule(const WallJob& job) {
  switch (job.grid.effective_rule()) {
    case IvRule::kSkewStickiness:
      return WallRule::kSkewStickiness;
    case IvRule::kRelativeBeta:
      return WallRule::kRelativeBeta;
    case IvRule::kStickyStrike:
      break;
  }
  return WallRule::kFixed;
}

/// What wall jobs need at most; contracts that cannot matter are left out later.
struct WallSize {
  std::size_t sides = 0, contracts = 0, weights = 0, spots = 0, shifts = 0, smiles = 0, values = 0;

  WallSize& operator+=(const WallSize& o) {
    sides += o.sides, contracts += o.contracts, weights += o.weights, spots += o.spots, shifts += o.shifts;
    smiles += o.smiles, values += o.values;
    return *this;
  }
};

WallSize size_of(const WallJob& job) {
  WallSize size;
  size.sides = 2;
  size.contracts = job.book.contracts();
  size.weights = job.positions * size.contracts;
  size.spots = job.at.size();
  size.shifts = job.grid.iv_shift.size();
  if (wall_rule(job) == WallRule::kSkewStickiness) size.smiles = job.book.expiries();
  size.values = 2 * job.cells();
  return size;
}

/// Places of the arrays of a chunk of wall jobs in its upload buffer.
struct WallLayout {
  std::size_t sides, contracts, weight, spot, x, iv_shift, smiles, bytes;

  explicit WallLayout(const WallSize& n) {
    std::size_t at = 0;
    const auto place = [&at](std::size_t count, std::size_t each) {
      const std::size_t here = at;
      at = aligned(at + count * each);
      return here;
    };
    sides = place(n.sides, sizeof(WallSideJob));
    contracts = place(n.contracts, sizeof(WallContract));
    weight = place(n.weights, 8);
    spot = place(n.spots, 8);
    x = place(n.spots, 8);
    iv_shift = place(n.shifts, 8);
    smiles = place(n.smiles, sizeof(formulas::Smile<double>));
    bytes = at;
  }
};

std::size_t device_bytes(const WallSize& size, Precision) {
  return WallLayout(size).bytes + aligned(size.values * 8);
}

class DeviceBackend final : public PieceBackend, private DeviceLanes<ExposureLane> {
 public:
  DeviceBackend(std::unique_ptr<DeviceApi> device, Precision precision, const DeviceBackendOptions& options)
      : DeviceLanes(std::move(device), options), precision_(precision) {}

  BackendStatus status() const override {
    DeviceProbe probe = device_->probe();
    return {"cuda", probe.usable, std::move(probe.detail)};
  }

  void evaluate(GreekSet greeks, std::span<const ExposureJob> jobs) override {
    std::vector<ExposurePiece> pieces;
    pieces.reserve(jobs.size());
    for (const ExposureJob& job : jobs) pieces.push_back(whole(job));
    evaluate_pieces(greeks, pieces);
  }
  void evaluate_pieces(GreekSet greeks, std::span<const ExposurePiece> pieces) override {
    with_device([&] { run(greeks, pieces); });
  }
  void implied_volatilities(const QuoteView& quotes, std::span<double> sigma,
                            std::span<formulas::IvStatus> status) override {
    with_device([&] { run(quotes, sigma, status); });
  }
  void gamma_walls(std::span<const WallJob> jobs) override {
    with_device([&] {
      // A chunk goes to one kernel, so jobs of one rule are taken together.
      for (const WallRule rule : {WallRule::kFixed, WallRule::kRelativeBeta, WallRule::kSkewStickiness}) {
        std::vector<const WallJob*> of_rule;
        for (const WallJob& job : jobs) {
          if (wall_rule(job) == rule && job.cells() > 0) of_rule.push_back(&job);
        }
        in_chunks(of_rule, "positions or shifts", [&](ExposureLane& lane, const WallSize& size, auto chunk) {
          issue(lane, rule, size, std::move(chunk));
        });
      }
    });
  }

 private:
  void run(GreekSet greeks, std::span<const ExposurePiece> pieces) {
    std::vector<const ExposurePiece*> with_work;
    for (const ExposurePiece& piece : pieces) {
      const Size own = size_of(piece);
      if (own.tiles == 0 || own.values == 0) {
        fill_rows(piece, 0.0);
      } else {
        with_work.push_back(&piece);
      }
    }
    in_chunks(with_work, "positions or instants",
              [&](ExposureLane& lane, const Size& size, auto chunk) { issue(lane, greeks, size, std::move(chunk)); });
  }

  /// As of DeviceLanes, for jobs of either kind.
  template <class AnyJob, class Issue>
  void in_chunks(const std::vector<const AnyJob*>& jobs, const char* divisible, const Issue& issue_chunk) {
    DeviceLanes::in_chunks(
        jobs, divisible, [](const AnyJob& job) { return size_of(job); },
        [this](const auto& size) { return device_bytes(size, precision_); },
        [this](ExposureLane& lane) { collect(lane); }, issue_chunk);
  }

  void run(const QuoteView& quotes, std::span<double> sigma, std::span<formulas::IvStatus> status) {
    const std::size_t target = std::min(options_.chunk_bytes, budget_ / lanes_.size());
    // Whole blocks of threads, whose columns leave no gaps, and at least one of them.
    const std::size_t block_bytes = QuoteLayout(kInversionThreads).device_bytes();
    if (block_bytes > budget_ / lanes_.size()) {
      throw BackendError("a block of quotes does not fit the device (needs " + megabytes(block_bytes) + ", budget " +
                         megabytes(budget_ / lanes_.size()) + ") raise the memory budget");
    }
    const std::size_t most = std::clamp<std::size_t>(target / block_bytes, 1, kMostQuoteBlocks) * kInversionThreads;
    std::size_t turn = 0;
    for (std::size_t begin = 0; begin < quotes.size(); begin += most) {
      ExposureLane& lane = *lanes_[turn++ % lanes_.size()];
      collect(lane, sigma, status);
      lane.quote_begin = begin;
      issue(lane, quotes, std::min(most, quotes.size() - begin));
    }
    for (std::size_t i = 0; i < lanes_.size(); ++i) collect(*lanes_[(turn + i) % lanes_.size()], sigma, status);
  }

  void collect(ExposureLane& lane, std::span<double> sigma, std::span<formulas::IvStatus> status) {
    if (lane.quote_count == 0) return;
    device_->wait(lane.done);
    const QuoteLayout layout(lane.quote_count);
    const std::byte* from = lane.result.data();
    std::memcpy(sigma.data() + lane.quote_begin, from + layout.sigma, lane.quote_count * 8);
    std::memcpy(status.data() + lane.quote_begin, from + layout.status, lane.quote_count * sizeof(formulas::IvStatus));
    lane.quote_count = 0;
  }

  void issue(ExposureLane& lane, const QuoteView& quotes, std::size_t count) {
    const QuoteLayout layout(count);
    lane.upload.require(layout.upload_bytes);
    lane.result.require(layout.result_bytes);
    lane.d_upload.require(layout.upload_bytes);
    lane.d_values.require(layout.result_bytes);
    std::byte* d_upload = lane.d_upload.data();
    std::byte* d_values = lane.d_values.data();
    InversionBody body{};
    const auto place = [&]<class T>(std::span<const T> column, std::size_t offset, const T*& d_column) {
      std::memcpy(lane.upload.data() + offset, column.data() + lane.quote_begin, count * sizeof(T));
      d_column = reinterpret_cast<const T*>(d_upload + offset);
    };
    place(quotes.price, layout.price, body.price);
    place(quotes.forward, layout.forward, body.forward);
    place(quotes.strike, layout.strike, body.strike);
    place(quotes.discount, layout.discount, body.discount);
    place(quotes.tau, layout.tau, body.tau);
    place(quotes.right, layout.right, body.right);
    body.sigma = reinterpret_cast<double*>(d_values + layout.sigma);
    body.status = reinterpret_cast<formulas::IvStatus*>(d_values + layout.status);
    body.count = static_cast<std::uint32_t>(count);
    device_->copy_to_device(d_upload, lane.upload.data(), layout.upload_bytes, lane.stream);
    device_->launch_inversion(body, (body.count + kInversionThreads - 1) / kInversionThreads, kInversionThreads,
                              lane.stream);
    device_->copy_to_host(lane.result.data(), d_values, layout.result_bytes, lane.stream);
    device_->record(lane.done, lane.stream);
    lane.quote_count = count;
  }

  /// Waits for a lane's chunk and hands its results out.
  void collect(ExposureLane& lane) {
    if (lane.pending.empty() && lane.pending_walls.empty()) return;
    device_->wait(lane.done);
    const std::byte* from = lane.result.data();
    for (const WallJob* job : lane.pending_walls) {
      for (const std::span<double> walls : {job->call_wall, job->put_wall}) {
        std::memcpy(walls.data(), from, walls.size_bytes());
        from += walls.size_bytes();
      }
    }
    lane.pending_walls.clear();
    for (const ExposurePiece* piece : lane.pending) {
      write_rows(*piece, reinterpret_cast<const double*>(from));
      from += piece->values * 8;
    }
    lane.pending.clear();
  }

  void issue(ExposureLane& lane, GreekSet greeks, const Size& size, std::vector<const ExposurePiece*> chunk) {
    const Layout layout(size);
    lane.upload.require(layout.upload_bytes);
    lane.result.require(size.values * 8);
    lane.d_upload.require(layout.bytes);
    lane.d_values.require(made_bytes(size, precision_));

    std::byte* base = lane.upload.data();
    auto* jobs = reinterpret_cast<Job*>(base + layout.jobs);
    auto* tiles = reinterpret_cast<Tile*>(base + layout.tiles);
    auto* segments = reinterpret_cast<Segment*>(base + layout.segments);
    auto* smile_tiles = reinterpret_cast<SmileTile*>(base + layout.smile_tiles);
    auto* sum_jobs = reinterpret_cast<SumJob*>(base + layout.sum_jobs);
    auto* keys = reinterpret_cast<std::uint32_t*>(base + layout.key);
    auto* order = reinterpret_cast<std::uint32_t*>(base + layout.order);
    auto* items = reinterpret_cast<std::uint64_t*>(base + layout.items);

    std::size_t widest = 0;
    for (const ExposurePiece* piece : chunk) widest = std::max(widest, piece->job.grid.spots);
    std::uint32_t threads[2], block_spots[2];
    for (const int rule : {0, 1}) {
      const std::uint32_t per_thread = spots_per_thread(precision_ == Precision::kFp64, rule == 1);
      const std::size_t warps = (widest + per_thread * kWarp - 1) / (per_thread * kWarp);
      threads[rule] = static_cast<std::uint32_t>(std::min<std::size_t>(kMaxThreads / kWarp, warps)) * kWarp;
      block_spots[rule] = per_thread * threads[rule];
    }

    // Segments of either IV rule go to their own kernel: sticky strike lies first in the tables.
    std::uint32_t rule_segments[2] = {0, 0};
    for (const ExposurePiece* piece : chunk) {
      rule_segments[follows_spot(piece->job)] += static_cast<std::uint32_t>(size_of(*piece).segments);
    }
    std::uint32_t segment_at[2] = {0, rule_segments[0]};
    std::uint64_t rule_items[2] = {0, 0};
    std::uint64_t sum_end = 0;
    const std::size_t partial_begin = aligned(size.values * 8) / 8;
    Size at;
    for (std::uint32_t k = 0; k < chunk.size(); ++k) {
      const ExposureJob& job = chunk[k]->job;
      const Size own = size_of(*chunk[k]);
      const int rule = follows_spot(job);
      jobs[k] = describe(job, at);
      jobs[k].values = own.values;
      jobs[k].partial = at.partials;
      jobs[k].rule_volatility = own.smiles > 0 ? at.rule_volatilities : kNoTable;
      copy_arrays(job, base, layout, at);
      const auto tile_begin = static_cast<std::uint32_t>(at.tiles);
      write_tiles(job, at, tiles + tile_begin);
      if (own.smiles > 0) {
        for (std::uint32_t t = 0; t < own.tiles; ++t) {
          const std::uint32_t expiry = tiles[tile_begin + t].expiry - static_cast<std::uint32_t>(at.expiries);
          smile_tiles[at.smile_tiles + t] = {k, tile_begin + t, static_cast<std::uint32_t>(at.smiles) + expiry};
        }
      }
      if (own.segments > 1) {
        sum_end += own.values;
        sum_jobs[at.sum_jobs] = {sum_end, at.values, at.partials, own.values, static_cast<std::uint32_t>(own.segments)};
      }
      const std::uint32_t spot_tiles =
          (static_cast<std::uint32_t>(job.grid.spots) + block_spots[rule] - 1) / block_spots[rule];
      for (std::uint32_t s = 0; s < own.segments; ++s) {
        const std::uint32_t skipped = s * kSegmentTiles;
        const auto count = std::min<std::uint32_t>(kSegmentTiles, static_cast<std::uint32_t>(own.tiles) - skipped);
        const std::uint32_t place = segment_at[rule]++;
        segments[place] = {k, s, tile_begin + skipped, count, spot_tiles};
        keys[place] = 0;
        for (std::uint32_t t = 0; t < count; ++t) keys[place] += tiles[tile_begin + skipped + t].count;
        order[place] = place;
        items[place] = std::uint64_t{spot_tiles} * job.positions * own.times * own.shifts;
        rule_items[rule] += items[place];
      }
      at += own;
    }

    const std::uint64_t sum_blocks = (sum_end + kSumThreads - 1) / kSumThreads;
    for (const std::uint64_t blocks : {rule_items[0], rule_items[1], sum_blocks}) {
      if (blocks > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
        throw BackendError("a chunk has " + std::to_string(blocks) +
                           " work items (a launch takes 2147483647) split its positions or instants");
      }
    }

    std::byte* d_base = lane.d_upload.data();
    const auto place = [d_base]<class T>(std::size_t offset, T*& pointer) {
      pointer = reinterpret_cast<T*>(d_base + offset);
    };
    Tables tables{};
    place(layout.jobs, tables.jobs);
    place(layout.tiles, tables.tiles);
    place(layout.segments, tables.segments);
    place(layout.settlement, tables.settlement);
    place(layout.rate, tables.rate);
    place(layout.dividend_yield, tables.dividend_yield);
    place(layout.strike, tables.strike);
    place(layout.right, tables.right);
    place(layout.implied_volatility, tables.implied_volatility);
    place(layout.weight, tables.weight);
    place(layout.time, tables.time);
    place(layout.iv_shift, tables.iv_shift);
    place(layout.smiles, tables.smiles);
    place(layout.smile_tiles, tables.smile_tiles);
    tables.exposure = reinterpret_cast<double*>(lane.d_values.data());
    tables.partial = tables.exposure + partial_begin;
    tables.rule_volatility = tables.partial + aligned(size.partials * 8) / 8;
    KernelKind kind{precision_ == Precision::kFp64, kThreeGreeks, false};
    for (const Greek greek : kAllGreeks) {
      const int place_of_greek = static_cast<int>(greek);
      const bool wanted = greeks.contains(greek);
      tables.greek_slot[place_of_greek] = wanted ? static_cast<std::int32_t>(greeks.index(greek)) : -1;
      if (!wanted) continue;
      if (place_of_greek >= kElevenGreeks) {
        kind.greeks = kTwelveGreeks;
      } else if (place_of_greek >= kThreeGreeks) {
        kind.greeks = std::max(kind.greeks, kElevenGreeks);
      }
    }

    device_->copy_to_device(d_base, base, layout.upload_bytes, lane.stream);
    if (size.smile_tiles > 0) {
      const std::size_t warps = std::min<std::size_t>(kMaxThreads / kWarp, (widest + kWarp - 1) / kWarp);
      device_->launch_smile(kind, tables, static_cast<std::uint32_t>(size.smile_tiles),
                            static_cast<std::uint32_t>(warps) * kWarp, lane.stream);
    }
    std::uint32_t segment_first = 0;
    for (const bool spot_rule : {false, true}) {
      const std::uint32_t count = rule_segments[spot_rule];
      if (count == 0) continue;
      kind.spot_rule = spot_rule;
      OrderTables ordering{};
      place(layout.key, ordering.key);
      place(layout.order, ordering.segment);
      place(layout.items, ordering.items);
      place(layout.item_end, ordering.item_end);
      ordering.key += segment_first;
      ordering.segment += segment_first;
      ordering.item_end += segment_first;
      ordering.count = count;
      device_->order_segments(ordering, lane.stream);
      device_->launch_exposure(kind, tables, {ordering.segment, ordering.item_end, count},
                               static_cast<std::uint32_t>(rule_items[spot_rule]), threads[spot_rule], lane.stream);
      segment_first += count;
    }
    if (size.sum_jobs > 0) {
      const SumJob* d_sum_jobs = nullptr;
      place(layout.sum_jobs, d_sum_jobs);
      device_->launch_sum({d_sum_jobs, static_cast<std::uint32_t>(size.sum_jobs), tables.exposure, tables.partial},
                          static_cast<std::uint32_t>(sum_blocks), kSumThreads, lane.stream);
    }
    device_->copy_to_host(lane.result.data(), tables.exposure, size.values * 8, lane.stream);
    device_->record(lane.done, lane.stream);
    lane.pending = std::move(chunk);
  }

  void issue(ExposureLane& lane, WallRule rule, const WallSize& size, std::vector<const WallJob*> chunk) {
    const WallLayout layout(size);
    lane.upload.require(layout.bytes);
    lane.result.require(size.values * 8);
    lane.d_upload.require(layout.bytes);
    lane.d_values.require(size.values * 8);

    std::byte* base = lane.upload.data();
    auto* sides = reinterpret_cast<WallSideJob*>(base + layout.sides);
    auto* contracts = reinterpret_cast<WallContract*>(base + layout.contracts);
    auto* weights = reinterpret_cast<double*>(base + layout.weight);
    auto* spots = reinterpret_cast<double*>(base + layout.spot);
    auto* xs = reinterpret_cast<double*>(base + layout.x);
    auto* shifts = reinterpret_cast<double*>(base + layout.iv_shift);
    auto* smiles = reinterpret_cast<formulas::Smile<double>*>(base + layout.smiles);

    std::size_t widest = 0;
    for (const WallJob* job : chunk) widest = std::max(widest, job->at.size());
    const std::uint32_t threads =
        static_cast<std::uint32_t>(std::min<std::size_t>(kMaxThreads / kWarp, (widest + kWarp - 1) / kWarp)) * kWarp;

    std::uint64_t items = 0;
    WallSize at;
    for (const WallJob* job : chunk) {
      for (const WallSide& side : make_wall_sides(*job)) {
        WallSideJob& d = sides[at.sides++];
        d = {};
        d.right = side.right;
        d.iv_floor = job->grid.iv_floor;
        d.iv_rule_parameter = job->grid.iv_rule_parameter;
        d.weight = at.weights;
        d.output = at.values;
        d.contract = static_cast<std::uint32_t>(at.contracts);
        d.contracts = static_cast<std::uint32_t>(side.contracts);
        d.spot = static_cast<std::uint32_t>(at.spots);
        d.spots = static_cast<std::uint32_t>(job->at.size());
        d.shift = static_cast<std::uint32_t>(at.shifts);
        d.shifts = static_cast<std::uint32_t>(job->grid.iv_shift.size());
        d.positions = static_cast<std::uint32_t>(job->positions);
        d.spot_tiles = (d.spots + threads - 1) / threads;
        items += std::uint64_t{d.spot_tiles} * d.positions * d.shifts;
        d.end = items;
        write_contracts(side, static_cast<std::uint32_t>(at.smiles), contracts + at.contracts);
        for (std::size_t w = 0; w < job->positions; ++w) {
          std::copy_n(&side.weight[w * side.stride()], side.contracts, weights + at.weights + w * side.contracts);
        }
        at.contracts += side.contracts;
        at.weights += job->positions * side.contracts;
        at.values += job->cells();
      }
      for (const double spot : job->at) {
        spots[at.spots] = spot;
        xs[at.spots++] = formulas::log_moneyness(spot, job->book.spot);
      }
      std::copy(job->grid.iv_shift.begin(), job->grid.iv_shift.end(), shifts + at.shifts);
      at.shifts += job->grid.iv_shift.size();
      if (rule == WallRule::kSkewStickiness) {
        std::copy(job->book.smile.begin(), job->book.smile.end(), smiles + at.smiles);
        at.smiles += job->book.smile.size();
      }
    }
    if (items > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
      throw BackendError("a chunk has " + std::to_string(items) +
                         " work items (a launch takes 2147483647) split its positions or shifts");
    }

    std::byte* d_base = lane.d_upload.data();
    const auto place = [d_base]<class T>(std::size_t offset, T*& pointer) {
      pointer = reinterpret_cast<T*>(d_base + offset);
    };
    WallTables tables{};
    place(layout.sides, tables.sides);
    place(layout.contracts, tables.contracts);
    place(layout.weight, tables.weight);
    place(layout.spot, tables.spot);
    place(layout.x, tables.x);
    place(layout.iv_shift, tables.iv_shift);
    place(layout.smiles, tables.smiles);
    tables.wall = reinterpret_cast<double*>(lane.d_values.data());
    tables.side_count = static_cast<std::uint32_t>(size.sides);
    device_->copy_to_device(d_base, base, layout.bytes, lane.stream);
    device_->launch_walls(rule, tables, static_cast<std::uint32_t>(items), threads, lane.stream);
    device_->copy_to_host(lane.result.data(), tables.wall, size.values * 8, lane.stream);
    device_->record(lane.done, lane.stream);
    lane.pending_walls = std::move(chunk);
  }

  static void write_contracts(const WallSide& side, std::uint32_t first_smile, WallContract* contract) {
    for (std::size_t k = 0; k < side.strikes(); ++k) {
      for (std::uint32_t i = side.begin[k]; i < side.begin[k + 1]; ++i) {
        const double smile_moneyness = side.smile_moneyness.empty() ? 0.0 : side.smile_moneyness[i];
        *contract++ = {side.outward[k],
                       side.log_forward_moneyness[i],
                       side.sigma[i],
                       side.sqrt_tau[i],
                       side.shift_scale[i],
                       smile_moneyness,
                       first_smile + side.expiry[i],
                       i + 1 == side.begin[k + 1] ? 1U : 0U};
      }
    }
  }

  static Job describe(const ExposureJob& job, const Size& at) {
    const BookView& book = job.book;
    const GridView& grid = job.grid;
    Job d{};
    d.basis_growth = std::exp(book.spot_basis);
    d.spot = book.spot * d.basis_growth;
    d.vendor_spot = book.spot;
    d.log_spot_begin = grid.log_spot_begin;
    d.log_spot_step = grid.log_spot_step;
    d.iv_rule_parameter = grid.iv_rule_parameter;
    d.iv_floor = grid.iv_floor;
    d.iv_shift_cap = grid.iv_shift_term == IvShiftTerm::kFlat ? -1.0 : grid.iv_shift_term_cap;
    d.quote_time = grid.quote_time;
    d.spots = static_cast<std::uint32_t>(grid.spots);
    d.times = static_cast<std::uint32_t>(grid.time.size());
    d.shifts = static_cast<std::uint32_t>(grid.iv_shift.size());
    d.positions = static_cast<std::uint32_t>(job.positions);
    d.contract = static_cast<std::uint32_t>(at.contracts);
    d.contracts = static_cast<std::uint32_t>(book.contracts());
    d.time = static_cast<std::uint32_t>(at.times);
    d.shift = static_cast<std::uint32_t>(at.shifts);
    d.weight = at.weights;
    d.output = at.values;
    return d;
  }

  static void copy_arrays(const ExposureJob& job, std::byte* base, const Layout& layout, const Size& at) {
    const auto copy = [base](std::size_t offset, std::size_t skipped, auto values) {
      std::memcpy(base + offset + skipped * sizeof(values[0]), values.data(), values.size_bytes());
    };
    copy(layout.settlement, at.expiries, job.book.settlement);
    copy(layout.rate, at.expiries, job.book.rate);
    copy(layout.dividend_yield, at.expiries, job.book.dividend_yield);
    copy(layout.strike, at.contracts, job.book.strike);
    copy(layout.right, at.contracts, job.book.right);
    copy(layout.implied_volatility, at.contracts, job.book.implied_volatility);
    copy(layout.weight, at.weights, job.book.weight.first(job.positions * job.book.contracts()));
    copy(layout.time, at.times, job.grid.time);
    copy(layout.iv_shift, at.shifts, job.grid.iv_shift);
    if (job.grid.effective_rule() == IvRule::kSkewStickiness) copy(layout.smiles, at.smiles, job.book.smile);
  }

  static void write_tiles(const ExposureJob& job, const Size& at, Tile* tile) {
    for (std::size_t e = 0; e < job.book.expiries(); ++e) {
      for (auto i = job.book.expiry_begin[e]; i < job.book.expiry_begin[e + 1]; i += kTileContracts) {
        *tile++ = {
            static_cast<std::uint32_t>(at.expiries + e),
            static_cast<std::uint32_t>(at.contracts + static_cast<std::size_t>(i)),
            static_cast<std::uint32_t>(std::min<std::int64_t>(kTileContracts, job.book.expiry_begin[e + 1] - i))};
      }
    }
  }

  Precision precision_;
};

}  // namespace

std::unique_ptr<PieceBackend> make_piece_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                                 const DeviceBackendOptions& options) {
  return std::make_unique<DeviceBackend>(std::move(device), precision, options);
}

std::unique_ptr<Backend> make_device_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                             const DeviceBackendOptions& options) {
  return make_piece_backend(std::move(device), precision, options);
}

}  // namespace greekgrid::cuda

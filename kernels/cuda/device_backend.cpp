#include "device_backend.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "brute_precision.hpp"
#include "device_lanes.hpp"
#include "device_pieces.hpp"
#include "exposure_body.hpp"
#include "inversion_body.hpp"
#include "moments.hpp"
#include "spectral/plan.hpp"
#include "spectral_body.hpp"
#include "spectral_expansion_body.hpp"
#include "wall_body.hpp"
#include "wall_contracts.hpp"

namespace greekgrid::cuda {
namespace {

// The bodies keep their own copies of these, so that nvcc reads no more headers than it needs.
static_assert(kSecondsPerCommonYear == kSecondsPerYear);
static_assert(static_cast<int>(kGreekCount) == kTwelveGreeks);
static_assert(kGreeks3.bits() == (1U << kThreeGreeks) - 1U && kGreeks11.bits() == (1U << kElevenGreeks) - 1U);

static_assert(kAllFamilies == spectral::kFamilyCount && kAllNodes == 280);
static_assert(kSpectralCoefficients >= level_nodes(kLevels - 1) + spectral::kMoreCoefficients);
static_assert([] {
  for (int f = 0; f < kAllFamilies; ++f) {
    if (top_of_family(f) != spectral::top_of(static_cast<spectral::Family>(f))) return false;
  }
  return true;
}());

constexpr std::uint32_t kMaxThreads = 256;
constexpr std::uint32_t kWarp = 32;
constexpr std::uint32_t kSumThreads = 256;
constexpr std::uint32_t kInversionThreads = 256;
constexpr std::size_t kMostQuoteBlocks = std::size_t{1} << 22;  // their quotes are counted in 32 bits

struct ExposureWork;

/// A lane with the chunk that is on it.
class ExposureLane : public Lane {
 public:
  using Lane::Lane;
  std::vector<ExposureWork*> pending;
  std::vector<const WallJob*> pending_walls;
  std::size_t quote_begin = 0, quote_count = 0;  // pending quotes
};

/// What a job or a chunk of them needs.
struct Size {
  std::size_t jobs = 0, expiries = 0, contracts = 0, weights = 0, times = 0, shifts = 0, tiles = 0, segments = 0;
  std::size_t values = 0, partials = 0, sum_jobs = 0;
  std::size_t smiles = 0, smile_tiles = 0, rule_volatilities = 0;  // of jobs that follow the smile
  // Of jobs of the spectral evaluator; slots and their values in doubles.
  std::size_t spectral_jobs = 0, spectral_segments = 0, ranges = 0, growth = 0, sorted = 0, slots = 0, slot_values = 0;
  std::size_t rows = 0, outcomes = 0;  // of the same, and doubles of their outcomes

  Size& operator+=(const Size& o) {
    jobs += o.jobs, expiries += o.expiries, contracts += o.contracts, weights += o.weights, times += o.times;
    shifts += o.shifts, tiles += o.tiles, segments += o.segments, values += o.values, partials += o.partials;
    sum_jobs += o.sum_jobs, smiles += o.smiles, smile_tiles += o.smile_tiles;
    rule_volatilities += o.rule_volatilities;
    spectral_jobs += o.spectral_jobs, spectral_segments += o.spectral_segments, ranges += o.ranges;
    growth += o.growth, sorted += o.sorted, slots += o.slots, slot_values += o.slot_values;
    rows += o.rows, outcomes += o.outcomes;
    return *this;
  }
};

/// A piece with how it is to be evaluated.
struct ExposureWork {
  const ExposurePiece* piece = nullptr;
  Precision precision = Precision::kFp64;
  bool spectral = false;
  double error = 0.0;  // what a contract at nodes may deviate by, of its own magnitude
  int attempts = 0;
  std::vector<double> outcome;  // (rows, outcome_values)
  bool direct = true;           // some contracts of some rows are evaluated spot by spot
  std::vector<double> growth;   // coefficients of e^{L t}
  double least_total[kLevels];  // of the spectral evaluator
  Size size;
};

/// Place of the spectral evaluator's segments, after those of either instance of the exposure kernel.
constexpr int kSpectralSegments = 2;
/// Share of the tolerance that a contract's own error may take: sums of magnitudes exceed the largest of a surface by
/// so much where strikes are spread and calls and puts cancel.
constexpr double kErrorShare = 2e-4;
/// Tolerance below which nodes are not tried in single precision.
constexpr double kFp32Tolerance = 2e-6;
constexpr double kLeastError = 1e-14;
constexpr int kMostAttempts = 3;
/// Standard deviations of a sum of independent rounding errors that its estimate stands for, and the rounding error of
/// one contract's term in units of half an ulp of its magnitude.
constexpr double kDeviations = 4.0;
constexpr double kRounding = 0.6;
constexpr double kWidestInterval = 4.0;  // of ln S: e^{L t} has few coefficients
/// sigma sqrt(tau) from which the anchors may take their density from an exp that has underflowed.
constexpr double kWide = 5.0;
/// A row of fewer evaluations costs less by brute force than by what the spectral evaluator does once a row.
constexpr std::size_t kFewEvaluations = 12800;

/// Nodes of all levels, and their matrices.
const std::vector<double>& nodes() {
  static const std::vector<double> all = [] {
    std::vector<double> values;
    for (int level = 0; level < kLevels; ++level) {
      const spectral::Level made = spectral::make_level(level_nodes(level));
      values.insert(values.end(), made.node.begin(), made.node.end());
    }
    return values;
  }();
  return all;
}
const std::vector<double>& matrices() {
  static const std::vector<double> all = [] {
    std::vector<double> values;
    for (int level = 0; level < kLevels; ++level) {
      const spectral::Level made = spectral::make_level(level_nodes(level));
      values.insert(values.end(), made.even.begin(), made.even.end());
      values.insert(values.end(), made.odd.begin(), made.odd.end());
    }
    return values;
  }();
  return all;
}

/// The factor of a shift at an expiry of a job.
double shift_scale(const ExposureJob& job, std::size_t expiry) {
  if (job.grid.iv_shift_term == IvShiftTerm::kFlat) return 1.0;
  const double tau0 = static_cast<double>(job.book.settlement[expiry] - job.grid.quote_time) / kSecondsPerYear;
  return formulas::sqrt_time_scale(tau0, job.grid.iv_shift_term_cap);
}

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

/// What the spectral evaluator adds.
void add_spectral_size(const ExposureWork& work, int greeks, Size& size) {
  const ExposureJob& job = work.piece->job;
  size.spectral_jobs = 1;
  size.spectral_segments = size.segments;
  size.ranges = size.expiries;
  size.growth = work.growth.size();
  size.sorted = size.contracts;
  size.rows = job.positions * size.times * size.shifts;
  size.slots = size.segments * size.rows;
  size.outcomes = size.rows * outcome_values(greeks);
  size.slot_values = size.slots * slot_values(greeks);
}

/// Places of the arrays of a chunk in its upload buffer; what follows `upload_bytes` exists on the device only.
struct Layout {
  std::size_t jobs, tiles, segments, settlement, rate, dividend_yield, strike, right, implied_volatility, weight, time,
      iv_shift, smiles, smile_tiles, sum_jobs, spectral_jobs, ranges, growth, node, matrix, key, order, items,
      upload_bytes, item_end, sorted, bytes;

  explicit Layout(const Size& n) {
    std::size_t at = 0;
    const auto place = [&at](std::size_t count, std::size_t each) {
      const std::size_t here = at;
      at = aligned(at + count * each);
      return here;
    };
    jobs = place(n.jobs, sizeof(Job));
    tiles = place(n.tiles, sizeof(Tile));
    // Jobs of the spectral evaluator have their segments twice: for what it leaves to the other kernel, and for itself.
    const std::size_t all_segments = n.segments + n.spectral_segments;
    segments = place(all_segments, sizeof(Segment));
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
    spectral_jobs = place(n.spectral_jobs, sizeof(SpectralJob));
    ranges = place(n.ranges, sizeof(ExpiryRange));
    growth = place(n.growth, 8);
    node = place(n.spectral_jobs > 0 ? kAllNodes : 0, 8);
    matrix = place(n.spectral_jobs > 0 ? kMatrixValues : 0, 8);
    key = place(all_segments, 4);
    order = place(all_segments, 4);
    items = place(all_segments, 8);
    upload_bytes = at;
    item_end = place(all_segments, 8);
    sorted = place(n.sorted, sizeof(SortedContract));
    bytes = at;
  }
};

/// Exposures, partial sums and volatilities under the rule: what is made on the device.
std::size_t made_bytes(const Size& size, Precision precision) {
  const std::size_t real = precision == Precision::kFp64 ? sizeof(double) : sizeof(float);
  return aligned((size.values + size.outcomes) * 8) + aligned(size.partials * 8) +
         aligned(size.rule_volatilities * real) + aligned(size.slot_values * 8) + aligned(size.slots * 4);
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
    std::vector<ExposureWork> work(pieces.size());
    std::vector<ExposureWork*> brute, open;
    const EvaluatorOptions& evaluator = options_.evaluator;
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      ExposureWork& own = work[k];
      const ExposureJob& job = pieces[k].job;
      own.piece = &pieces[k];
      own.precision = precision_;
      own.size = size_of(pieces[k]);
      if (job.report != nullptr) *job.report = {};
      if (own.size.tiles == 0 || own.size.values == 0) {
        fill_rows(pieces[k], 0.0);
      } else if (takes_spectral(evaluator, job)) {
        own.spectral = true;
        own.error = evaluator.tolerance * kErrorShare;
        if (evaluator.tolerance < kFp32Tolerance) own.precision = Precision::kFp64;
        open.push_back(&own);
      } else {
        own.precision = brute_precision(precision_, evaluator);
        brute.push_back(&own);
      }
    }
    const auto issue_chunk = [&](ExposureLane& lane, const Size& size, auto chunk) {
      issue(lane, greeks, size, std::move(chunk));
    };
    while (!open.empty()) {
      for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
        std::vector<ExposureWork*> some;
        for (ExposureWork* own : open) {
          if (own->precision != precision) continue;
          prepare_spectral(kind_of(greeks, precision).greeks, *own);
          some.push_back(own);
        }
        in_chunks(some, "positions or instants", issue_chunk);
      }
      std::vector<ExposureWork*> again;
      for (ExposureWork* own : open) {
        if (!settle(greeks, *own)) (own->spectral ? again : brute).push_back(own);
      }
      open = std::move(again);
    }
    in_chunks(brute, "positions or instants", issue_chunk);
  }

  /// Whether a job keeps to the tolerance. Else it is set to another attempt, or to brute force.
  bool settle(GreekSet greeks, ExposureWork& work) const {
    const double tolerance = options_.evaluator.tolerance;
    const ExposureJob& job = work.piece->job;
    const int kernel_greeks = kind_of(greeks, work.precision).greeks;
    const auto families = static_cast<std::size_t>(family_slots(kernel_greeks));
    const GridView& grid = job.grid;
    const double basis = std::exp(job.book.spot_basis);
    const auto spot = [&](std::size_t j) {
      return job.book.spot * basis * std::exp(grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step);
    };
    const spectral::CombinePlan plan = spectral::make_combine_plan(greeks, basis, spot(0), spot(grid.spots - 1));
    const bool fp32 = work.precision == Precision::kFp32;
    const std::size_t rows = work.size.times * work.size.shifts;
    double truncation = 0.0, rounding = 0.0;
    bool holds = true;
    ++work.attempts;
    std::vector<double> bound(greeks.size()), scale(greeks.size()), largest(greeks.size());
    std::array<double, spectral::kTopCount> unit;
    unit.fill(1.0);
    for (std::size_t w = 0; w < job.positions; ++w) {
      std::vector<double> worst_bound(greeks.size(), 0.0), worst_rounding(greeks.size(), 0.0);
      std::fill(largest.begin(), largest.end(), 0.0);
      for (std::size_t row = w * rows; row < (w + 1) * rows; ++row) {
        const double* outcome = work.outcome.data() + row * outcome_values(kernel_greeks);
        for (const Greek greek : kAllGreeks) {
          if (!greeks.contains(greek)) continue;
          double& most = largest[greeks.index(greek)];
          const double own = outcome[static_cast<int>(greek)];
          if (!(own <= most)) most = own;
        }
        outcome += kernel_greeks;
        for (const int power : {1, 2}) {
          if (power == 2 && !fp32) continue;
          spectral::Magnitudes magnitudes;
          const double* of = outcome + (power == 1 ? 0 : 4 * families);
          for (std::size_t f = 0; f < families; ++f) {
            const auto family = static_cast<std::size_t>(family_of_slot(kernel_greeks, static_cast<int>(f)));
            std::copy_n(of + 4 * f, 4, magnitudes.of[family].begin());
          }
          magnitudes.c2 = outcome[8 * families + (power == 1 ? 0 : 1)];
          spectral::error_scales(plan, magnitudes, unit, power, scale.data());
          std::vector<double>& worst = power == 1 ? worst_bound : worst_rounding;
          for (std::size_t g = 0; g < greeks.size(); ++g) worst[g] = std::max(worst[g], scale[g]);
        }
      }
      for (std::size_t g = 0; g < greeks.size(); ++g) {
        const double of_bound = work.error * worst_bound[g];
        const double of_rounding = kDeviations * kRounding * 0x1p-24 * worst_rounding[g];
        if (of_bound + of_rounding == 0.0) continue;
        // A surface of zeros with contracts behind it: what cancels is nobody's measure.
        holds = holds && of_bound + of_rounding <= tolerance * largest[g];
        truncation = std::max(truncation, of_bound / largest[g]);
        rounding = std::max(rounding, of_rounding / largest[g]);
      }
    }
    if (holds) {
      if (job.report != nullptr) {
        double at_nodes = 0.0, direct = 0.0;
        for (std::size_t row = 0; row < work.size.rows; ++row) {
          const double* last = work.outcome.data() + (row + 1) * outcome_values(kernel_greeks);
          at_nodes += last[-2];
          direct += last[-1];
        }
        *job.report = {true,
                       fp32 ? 0.0 : 1.0,
                       work.attempts,
                       truncation + rounding,
                       static_cast<std::int64_t>(at_nodes),
                       static_cast<std::int64_t>(direct)};
      }
      return true;
    }
    const bool rounds = rounding > 0.5 * tolerance;
    if (fp32 && rounds) work.precision = Precision::kFp64;
    if (truncation > 0.5 * tolerance) work.error *= 0.4 * tolerance / truncation;
    if (work.attempts < kMostAttempts && work.error >= kLeastError && (fp32 || !rounds)) return false;
    if (job.report != nullptr) *job.report = {false, 0.0, work.attempts, 0.0, 0, 0};
    work.spectral = false;
    work.direct = true;
    work.precision = brute_precision(precision_, options_.evaluator);
    work.size = size_of(*work.piece);
    return false;
  }

  /// As of DeviceLanes, for jobs of either kind.
  template <class AnyJob, class Issue>
  void in_chunks(const std::vector<AnyJob*>& jobs, const char* divisible, const Issue& issue_chunk) {
    Precision precision = precision_;
    if constexpr (std::is_same_v<AnyJob, ExposureWork>) {
      if (!jobs.empty()) precision = jobs.front()->precision;
    }
    DeviceLanes::in_chunks(
        jobs, divisible,
        [](const AnyJob& job) {
          if constexpr (std::is_same_v<AnyJob, ExposureWork>) {
            return job.size;
          } else {
            return size_of(job);
          }
        },
        [precision](const auto& size) { return device_bytes(size, precision); },
        [this](ExposureLane& lane) { collect(lane); }, issue_chunk);
  }

  static KernelKind kind_of(GreekSet greeks, Precision precision) {
    KernelKind kind{precision == Precision::kFp64, kThreeGreeks, false};
    for (const Greek greek : kAllGreeks) {
      const int place = static_cast<int>(greek);
      if (!greeks.contains(greek)) continue;
      if (place >= kElevenGreeks) {
        kind.greeks = kTwelveGreeks;
      } else if (place >= kThreeGreeks) {
        kind.greeks = std::max(kind.greeks, kElevenGreeks);
      }
    }
    return kind;
  }

  /// Levels of a job by the error that a contract may make of its own magnitude, and whether some contract is left
  /// over.
  static void prepare_spectral(int greeks, ExposureWork& work) {
    const ExposureJob& job = work.piece->job;
    const spectral::Interval interval = spectral::interval_of(job.grid);
    work.growth = spectral::growth_coefficients(interval.half_width);
    for (int level = 0; level < kLevels; ++level) {
      // The highest of the Hermite polynomials that the tops of these Greeks need.
      const double widest = spectral::widest(level_nodes(level), work.error, greeks == kThreeGreeks ? 2 : 4);
      work.least_total[level] = widest > 0.0 ? interval.half_width / widest : std::numeric_limits<double>::infinity();
    }
    work.direct = has_direct(job, work.least_total[kLevels - 1]);
    work.size = size_of(*work.piece);
    add_spectral_size(work, greeks, work.size);
  }

  /// Whether some contract at some instant and shift has less than a sigma sqrt(tau), or settles at an instant.
  static bool has_direct(const ExposureJob& job, double least_total) {
    const double lowest_shift = *std::min_element(job.grid.iv_shift.begin(), job.grid.iv_shift.end());
    for (std::size_t e = 0; e < job.book.expiries(); ++e) {
      const auto first = job.book.implied_volatility.begin() + job.book.expiry_begin[e];
      const auto last = job.book.implied_volatility.begin() + job.book.expiry_begin[e + 1];
      if (first == last) continue;
      const double scale = shift_scale(job, e);
      const double sigma = std::max(job.grid.iv_floor, *std::min_element(first, last) + lowest_shift * scale);
      for (const std::int64_t time : job.grid.time) {
        const double tau = static_cast<double>(job.book.settlement[e] - time) / kSecondsPerYear;
        // Next to the bound rounding decides, and the kernels do it otherwise: such contracts count as left over.
        if (tau == 0.0 || (tau > 0.0 && sigma * std::sqrt(tau) < least_total * (1.0 + 1e-9))) return true;
      }
    }
    return false;
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
    for (const ExposureWork* work : lane.pending) {
      write_rows(*work->piece, reinterpret_cast<const double*>(from));
      from += work->piece->values * 8;
    }
    for (ExposureWork* work : lane.pending) {
      if (!work->spectral) continue;
      work->outcome.resize(work->size.outcomes);
      std::memcpy(work->outcome.data(), from, work->outcome.size() * 8);
      from += work->outcome.size() * 8;
    }
    lane.pending.clear();
  }

  void issue(ExposureLane& lane, GreekSet greeks, const Size& size, std::vector<ExposureWork*> chunk) {
    const Precision precision = chunk.front()->precision;  // of all of them
    const Layout layout(size);
    lane.upload.require(layout.upload_bytes);
    lane.result.require((size.values + size.outcomes) * 8);
    lane.d_upload.require(layout.bytes);
    lane.d_values.require(made_bytes(size, precision));

    std::byte* base = lane.upload.data();
    auto* jobs = reinterpret_cast<Job*>(base + layout.jobs);
    auto* tiles = reinterpret_cast<Tile*>(base + layout.tiles);
    auto* segments = reinterpret_cast<Segment*>(base + layout.segments);
    auto* smile_tiles = reinterpret_cast<SmileTile*>(base + layout.smile_tiles);
    auto* sum_jobs = reinterpret_cast<SumJob*>(base + layout.sum_jobs);
    auto* spectral_jobs = reinterpret_cast<SpectralJob*>(base + layout.spectral_jobs);
    auto* ranges = reinterpret_cast<ExpiryRange*>(base + layout.ranges);
    auto* keys = reinterpret_cast<std::uint32_t*>(base + layout.key);
    auto* order = reinterpret_cast<std::uint32_t*>(base + layout.order);
    auto* items = reinterpret_cast<std::uint64_t*>(base + layout.items);

    std::size_t widest = 0;
    for (const ExposureWork* work : chunk) widest = std::max(widest, work->piece->job.grid.spots);
    std::uint32_t threads[2], block_spots[2];
    for (const int rule : {0, 1}) {
      const std::uint32_t per_thread = spots_per_thread(precision == Precision::kFp64, rule == 1);
      const std::size_t warps = (widest + per_thread * kWarp - 1) / (per_thread * kWarp);
      threads[rule] = static_cast<std::uint32_t>(std::min<std::size_t>(kMaxThreads / kWarp, warps)) * kWarp;
      block_spots[rule] = per_thread * threads[rule];
    }

    // Segments go to their own kernels: sticky strike lies first in the tables, then volatility that moves with spot,
    // then the spectral evaluator.
    std::uint32_t kernel_segments[3] = {0, 0, 0};
    for (const ExposureWork* work : chunk) {
      const auto count = static_cast<std::uint32_t>(work->size.segments);
      if (work->direct) kernel_segments[follows_spot(work->piece->job)] += count;
      if (work->spectral) kernel_segments[kSpectralSegments] += count;
    }
    std::uint32_t segment_at[3] = {0, kernel_segments[0], kernel_segments[0] + kernel_segments[1]};
    std::uint64_t kernel_items[3] = {0, 0, 0};
    std::uint64_t spectral_rows = 0;
    std::uint64_t sum_end = 0;
    std::uint32_t sum_job_count = 0;
    const std::size_t partial_begin = aligned((size.values + size.outcomes) * 8) / 8;
    Size at;
    for (std::uint32_t k = 0; k < chunk.size(); ++k) {
      const ExposureWork& work = *chunk[k];
      const ExposureJob& job = work.piece->job;
      const Size& own = work.size;
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
      if (work.spectral) {
        spectral_rows += job.positions * own.times * own.shifts;
        spectral_jobs[at.spectral_jobs] = describe(work, k, at, spectral_rows);
        jobs[k].spectral = static_cast<std::uint32_t>(at.spectral_jobs);
        jobs[k].least_total = work.least_total[kLevels - 1];
        std::copy(work.growth.begin(), work.growth.end(), reinterpret_cast<double*>(base + layout.growth) + at.growth);
        for (std::size_t e = 0; e < own.expiries; ++e) {
          const auto begin = job.book.expiry_begin[e];
          ranges[at.ranges + e] = {k, static_cast<std::uint32_t>(at.contracts + static_cast<std::size_t>(begin)),
                                   static_cast<std::uint32_t>(job.book.expiry_begin[e + 1] - begin)};
        }
      }
      if (own.segments > 1 && work.direct) {
        sum_end += own.values;
        sum_jobs[sum_job_count++] = {sum_end, at.values, at.partials, own.values,
                                     static_cast<std::uint32_t>(own.segments)};
      }
      const std::uint32_t spot_tiles =
          (static_cast<std::uint32_t>(job.grid.spots) + block_spots[rule] - 1) / block_spots[rule];
      for (const int kernel : {rule, kSpectralSegments}) {
        if (kernel == kSpectralSegments ? !work.spectral : !work.direct) continue;
        const std::uint32_t tiles_of_spots = kernel == kSpectralSegments ? 1 : spot_tiles;
        for (std::uint32_t s = 0; s < own.segments; ++s) {
          const std::uint32_t skipped = s * kSegmentTiles;
          const auto count = std::min<std::uint32_t>(kSegmentTiles, static_cast<std::uint32_t>(own.tiles) - skipped);
          const std::uint32_t place = segment_at[kernel]++;
          segments[place] = {k, s, tile_begin + skipped, count, tiles_of_spots};
          keys[place] = 0;
          for (std::uint32_t t = 0; t < count; ++t) keys[place] += tiles[tile_begin + skipped + t].count;
          order[place] = place;
          items[place] = std::uint64_t{tiles_of_spots} * job.positions * own.times * own.shifts;
          kernel_items[kernel] += items[place];
        }
      }
      at += own;
    }

    const std::uint64_t sum_blocks = (sum_end + kSumThreads - 1) / kSumThreads;
    for (const std::uint64_t blocks : {kernel_items[0], kernel_items[1], kernel_items[2], sum_blocks}) {
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
    place(layout.sorted, tables.sorted);
    KernelKind kind = kind_of(greeks, precision);
    for (const Greek greek : kAllGreeks) {
      tables.greek_slot[static_cast<int>(greek)] =
          greeks.contains(greek) ? static_cast<std::int32_t>(greeks.index(greek)) : -1;
    }
    SpectralTables spectral{};
    if (size.spectral_jobs > 0) {
      std::copy(nodes().begin(), nodes().end(), reinterpret_cast<double*>(base + layout.node));
      std::copy(matrices().begin(), matrices().end(), reinterpret_cast<double*>(base + layout.matrix));
      spectral.tables = tables;
      place(layout.spectral_jobs, spectral.jobs);
      place(layout.ranges, spectral.ranges);
      place(layout.growth, spectral.growth);
      place(layout.node, spectral.node);
      place(layout.matrix, spectral.matrix);
      std::byte* made = lane.d_values.data() + made_bytes(size, precision);
      made -= aligned(size.slots * 4);
      spectral.used = reinterpret_cast<std::uint32_t*>(made);
      made -= aligned(size.slot_values * 8);
      spectral.slots = reinterpret_cast<double*>(made);
      spectral.outcome = tables.exposure + size.values;
      spectral.job_count = static_cast<std::uint32_t>(size.spectral_jobs);
    }

    device_->copy_to_device(d_base, base, layout.upload_bytes, lane.stream);
    if (size.smile_tiles > 0) {
      const std::size_t warps = std::min<std::size_t>(kMaxThreads / kWarp, (widest + kWarp - 1) / kWarp);
      device_->launch_smile(kind, tables, static_cast<std::uint32_t>(size.smile_tiles),
                            static_cast<std::uint32_t>(warps) * kWarp, lane.stream);
    }
    if (size.ranges > 0) {
      device_->launch_sigma_order(spectral, static_cast<std::uint32_t>(size.ranges), lane.stream);
    }
    std::uint32_t segment_first = 0;
    for (const int kernel : {0, 1, kSpectralSegments}) {
      const std::uint32_t count = kernel_segments[kernel];
      if (count == 0) continue;
      kind.spot_rule = kernel == 1;
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
      const Queue queue{ordering.segment, ordering.item_end, count};
      const auto blocks = static_cast<std::uint32_t>(kernel_items[kernel]);
      if (kernel == kSpectralSegments) {
        device_->launch_node_sums(kind, spectral, queue, blocks, lane.stream);
      } else {
        device_->launch_exposure(kind, tables, queue, blocks, threads[kernel], lane.stream);
      }
      segment_first += count;
    }
    if (sum_job_count > 0) {
      const SumJob* d_sum_jobs = nullptr;
      place(layout.sum_jobs, d_sum_jobs);
      device_->launch_sum({d_sum_jobs, sum_job_count, tables.exposure, tables.partial},
                          static_cast<std::uint32_t>(sum_blocks), kSumThreads, lane.stream);
    }
    if (size.spectral_jobs > 0) {
      device_->launch_expansion(kind, spectral, static_cast<std::uint32_t>(spectral_rows), lane.stream);
    }
    device_->copy_to_host(lane.result.data(), tables.exposure, (size.values + size.outcomes) * 8, lane.stream);
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

  static SpectralJob describe(const ExposureWork& work, std::uint32_t job, const Size& at, std::uint64_t row_end) {
    const spectral::Interval interval = spectral::interval_of(work.piece->job.grid);
    SpectralJob d{};
    d.centre = interval.centre;
    d.half_width = interval.half_width;
    std::copy_n(work.least_total, kLevels, d.least_total);
    d.slot = at.slots;
    d.outcome = at.rows;
    d.row_end = row_end;
    d.job = job;
    d.rows = static_cast<std::uint32_t>(work.piece->job.positions * work.size.times * work.size.shifts);
    d.segments = static_cast<std::uint32_t>(work.size.segments);
    d.growth = static_cast<std::uint32_t>(at.growth);
    d.growth_count = static_cast<std::uint32_t>(work.growth.size());
    d.adds = work.direct ? 1 : 0;
    return d;
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
    d.least_total = std::numeric_limits<double>::infinity();
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

bool takes_spectral(const EvaluatorOptions& options, const ExposureJob& job) {
  const GridView& grid = job.grid;
  if (options.evaluator == Evaluator::kBrute || grid.effective_rule() != IvRule::kStickyStrike) return false;
  if (grid.spots < 3 || grid.time.empty() || grid.iv_shift.empty() || !(grid.log_spot_step > 0.0) ||
      spectral::interval_of(grid).half_width > kWidestInterval) {
    return false;
  }
  const double shift = *std::max_element(grid.iv_shift.begin(), grid.iv_shift.end());
  const std::int64_t time = *std::min_element(grid.time.begin(), grid.time.end());
  for (std::size_t e = 0; e < job.book.expiries(); ++e) {
    const double tau = static_cast<double>(job.book.settlement[e] - time) / kSecondsPerYear;
    if (tau <= 0.0) continue;
    double sigma = grid.iv_floor;
    for (auto i = job.book.expiry_begin[e]; i < job.book.expiry_begin[e + 1]; ++i) {
      sigma = std::max(sigma, job.book.implied_volatility[static_cast<std::size_t>(i)] + shift * shift_scale(job, e));
    }
    if (sigma * std::sqrt(tau) > kWide) return false;
  }
  return options.evaluator == Evaluator::kSpectral || job.book.contracts() * grid.spots >= kFewEvaluations;
}

std::unique_ptr<PieceBackend> make_piece_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                                 const DeviceBackendOptions& options) {
  return std::make_unique<DeviceBackend>(std::move(device), precision, options);
}

std::unique_ptr<Backend> make_device_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                             const DeviceBackendOptions& options) {
  return make_piece_backend(std::move(device), precision, options);
}

}  // namespace greekgrid::cuda

#include "greekgrid/host/step_table.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include "../levels/exposure_line.hpp"
#include "../levels/sign_changes.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr GreekSet kGreeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna},
                   kGammaAlone = {Greek::kGamma}, kDeltaAlone = {Greek::kDelta};
constexpr double kStepsPerDeviation = 8.0;
constexpr double kCoarsestStep = 0.02;  // ln S: books without short-dated contracts
constexpr double kMostSpots = 16384.0;  // of a line
constexpr double kLeastClose = 0.05;    // of spot: lower closes have a line of their own
constexpr double kFlipRange[] = {0.8, 1.2};
constexpr double kNoSign = 5e-6;   // of the largest |gx|: what single precision leaves
constexpr double kNoRatio = 1e-5;  // puts of less than this share of the largest gamma divide nothing
constexpr double kNoSlope = 1e-4;  // of the largest |dDX/dS|

/// Where the spots of one shift's lines lie.
SpotLine make_line(double low, double high, double deviation) {
  SpotLine line;
  line.step = std::max(std::min(deviation / kStepsPerDeviation, kCoarsestStep), (high - low) / kMostSpots);
  line.begin = low - static_cast<double>(kStencil) / 2.0 * line.step;
  line.spots = static_cast<std::size_t>(std::ceil((high - low) / line.step)) + kStencil + 2;
  return line;
}

/// Carries (rows, line) to ln(S / S0) = x: the rows' values.
class Carrier {
 public:
  Carrier(const SpotLine& line, double x) {
    const double at = (x - line.begin) / line.step;
    const auto below = std::clamp<std::size_t>(static_cast<std::size_t>(at), 3, line.spots - 5);
    first_ = below - 3;
    weight_ = lagrange(at - static_cast<double>(below));
  }
  double operator()(const double* row) const {
    double value = 0.0;
    for (std::size_t a = 0; a < kStencil; ++a) value += weight_[a] * row[first_ + a];
    return value;
  }

 private:
  std::size_t first_ = 0;
  std::array<double, kStencil> weight_{};
};

/// ln(S / S0) of the roots of samples at begin + j step, ascending; values of at most `noise` of the largest have no
/// sign.
std::vector<double> roots_of(std::span<const double> v, double begin, double step, double noise) {
  double largest = 0.0;
  for (const double value : v) largest = std::max(largest, std::abs(value));
  const double least = noise * largest;
  std::vector<double> roots;
  for (const Change& change : sign_changes(v.size(), [&](std::size_t j) {
         return std::abs(v[j]) <= least ? 0 : v[j] > 0.0 ? 1 : -1;
       })) {
    // Among samples without a sign of their own, where the side changes.
    std::size_t before = change.before;
    while (before + 1 < change.after && (v[before + 1] > 0.0) == (v[change.before] > 0.0) && v[before + 1] != 0.0) {
      ++before;
    }
    if (before >= 1 && before + 2 < v.size() && (v[before] > 0.0) != (v[before + 1] > 0.0)) {
      roots.push_back(begin + (static_cast<double>(before) + cubic_root(&v[before], 0.0).x) * step);
    } else {
      roots.push_back(begin + (static_cast<double>(before) + 0.5) * step);
    }
  }
  return roots;
}

double nearest_root(const std::vector<double>& roots, double x) {
  const auto above = std::lower_bound(roots.begin(), roots.end(), x);
  if (roots.empty()) return kNaN;
  if (above == roots.begin()) return *above;
  if (above == roots.end()) return roots.back();
  return x - above[-1] <= *above - x ? above[-1] : *above;
}

/// One ticker's work between the calls of the backend.
class Ticker {
 public:
  explicit Ticker(const StepTableInputs& in)
      : in_(in),
        shifts_(in.rule.empty() ? 0 : in.rule.front().iv_shift.size()),
        from_(static_cast<std::size_t>(
            std::find_if(in.close.begin(), in.close.end(), [](double c) { return c > 0.0; }) - in.close.begin())) {
    const std::size_t rows = in.mode.size() * in.rule.size() * shifts_ * in.close.size();
    out_.value.assign(kStepQuantities * in.positions * rows, kNaN);
    out_.gamma_ratio.assign(rows, kNaN);
    if (from_ == in.close.size()) return;
    for (const double close : in.close.subspan(from_)) x_.push_back(std::log(close / in.book.spot));
    const std::size_t n = in.book.contracts();
    // Walls are of what is there, whoever holds it, as those of /levels.
    for (const double weight : in.book.weight.first(in.positions * n)) gross_weight_.push_back(std::abs(weight));
    // The market's own gammas by right, as two more models.
    open_weight_.assign(2 * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      open_weight_[(in.book.right[i] > 0 ? 0 : n) + i] = in.open_interest[i] * in.multiplier[i];
    }
  }

  void append_jobs(std::vector<ExposureJob>& greeks, std::vector<ExposureJob>& ratios, std::vector<ExposureJob>& slopes,
                   std::vector<WallJob>& walls) {
    if (x_.empty()) return;
    wall_.resize(2 * in_.mode.size() * in_.rule.size() * in_.positions * shifts_ * x_.size());
    cells_.reserve(in_.mode.size() * in_.rule.size() * shifts_);  // jobs point into them
    for (std::size_t m = 0; m < in_.mode.size(); ++m) {
      for (std::size_t r = 0; r < in_.rule.size(); ++r) {
        for (std::size_t v = 0; v < shifts_; ++v) append_cell(m, r, v, greeks, ratios, slopes);
        walls.push_back(wall_job(m, r));
      }
    }
  }

  StepTable finish() {
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      carry(cells_[c], c);
      cells_[c] = {};
    }
    if (!cells_.empty()) place_walls();
    return std::move(out_);
  }

 private:
  /// One mode, rule and shift.
  struct Cell {
    SpotLine line, ratio_line, low_line;
    std::unique_ptr<LineEvaluation> greeks, ratio, slope, low_greeks, low_ratio;
  };

  void append_cell(std::size_t m, std::size_t r, std::size_t v, std::vector<ExposureJob>& greeks,
                   std::vector<ExposureJob>& ratios, std::vector<ExposureJob>& slopes) {
    Cell& cell = cells_.emplace_back();
    GridView grid = in_.rule[r];
    grid.iv_shift = grid.iv_shift.subspan(v, 1);
    grid.time =
        in_.mode[m] == StepMode::kAppend ? std::span(&in_.next_close, 1) : std::span(&in_.rule[r].quote_time, 1);
    const Instant instant = grid.time[0];
    const double lowest = std::log(kLeastClose);
    const double low = std::max(std::min(x_.front(), std::log(kFlipRange[0])), lowest);
    const double high = std::max(x_.back(), std::log(kFlipRange[1]));
    const double width = narrowest_deviation(in_.book, in_.positions, grid, instant, low, high);
    cell.line = make_line(low, high, width);
    cell.greeks = std::make_unique<LineEvaluation>(kGreeks, in_.book, in_.positions, grid, cell.line, instant);
    cell.greeks->append_jobs(greeks);
    BookView held = in_.book;
    held.weight = open_weight_;
    cell.ratio_line = make_line(low, high, narrowest_deviation(held, 2, grid, instant, low, high));
    cell.ratio = std::make_unique<LineEvaluation>(kGammaAlone, held, 2, grid, cell.ratio_line, instant);
    cell.ratio->append_jobs(ratios);
    if (x_.front() < lowest) {
      cell.low_line = make_line(x_.front(), lowest, width);
      cell.low_greeks =
          std::make_unique<LineEvaluation>(kGreeks, in_.book, in_.positions, grid, cell.low_line, instant);
      cell.low_greeks->append_jobs(greeks);
      cell.low_ratio = std::make_unique<LineEvaluation>(kGammaAlone, held, 2, grid, cell.low_line, instant);
      cell.low_ratio->append_jobs(ratios);
    }
    if (grid.effective_rule() != IvRule::kStickyStrike) {
      cell.slope = std::make_unique<LineEvaluation>(kDeltaAlone, in_.book, in_.positions, grid, cell.line, instant);
      cell.slope->append_jobs(slopes);
    }
  }

  WallJob wall_job(std::size_t m, std::size_t r) {
    const GridView& rule = in_.rule[r];
    WallJob job;
    job.book = in_.book;
    job.book.weight = gross_weight_;
    job.grid = rule;
    job.time = in_.mode[m] == StepMode::kAppend ? in_.next_close : rule.quote_time;
    job.at = in_.close.subspan(from_);
    job.positions = in_.positions;
    const std::size_t cells = job.cells();
    double* at = &wall_[2 * (m * in_.rule.size() + r) * cells];
    job.call_wall = {at, cells};
    job.put_wall = {at + cells, cells};
    return job;
  }

  void place_walls() {
    const double* from = wall_.data();
    for (std::size_t m = 0; m < in_.mode.size(); ++m) {
      for (std::size_t r = 0; r < in_.rule.size(); ++r) {
        for (const StepQuantity quantity : {StepQuantity::kCallWall, StepQuantity::kPutWall}) {
          for (std::size_t w = 0; w < in_.positions; ++w) {
            for (std::size_t v = 0; v < shifts_; ++v, from += x_.size()) {
              const std::size_t cell = (m * in_.rule.size() + r) * shifts_ + v;
              std::copy_n(from, x_.size(), &out_.value[place(quantity, w, cell)]);
            }
          }
        }
      }
    }
  }

  /// Index of a quantity of the cell at the first close.
  std::size_t place(StepQuantity quantity, std::size_t w, std::size_t cell) const {
    const std::size_t shifted = in_.rule.size() * shifts_;  // cells of one mode
    const std::size_t row = (static_cast<std::size_t>(quantity) * in_.mode.size() + cell / shifted) * in_.positions + w;
    return (row * shifted + cell % shifted) * in_.close.size() + from_;
  }

  void carry(const Cell& cell, std::size_t index) {
    const std::size_t spots = cell.line.spots, positions = in_.positions;
    const std::vector<double> sums = cell.greeks->sum(), ratios = cell.ratio->sum();
    const std::vector<double> slope_sums = cell.slope ? cell.slope->sum() : std::vector<double>();
    std::vector<std::vector<double>> roots(positions);
    for (std::size_t w = 0; w < positions; ++w) {
      if (!cell.slope) {
        const double* gx = &sums[(kGreeks.index(Greek::kGamma) * positions + w) * spots];
        roots[w] = roots_of({gx, spots}, cell.line.begin, cell.line.step, kNoSign);
        continue;
      }
      const double* dx = &slope_sums[w * spots];
      std::vector<double> slopes;
      for (std::size_t j = 0; j + 1 < spots; ++j) {
        slopes.push_back((dx[j + 1] - dx[j]) / (std::exp(cell.line.x(j + 1)) - std::exp(cell.line.x(j))));
      }
      roots[w] = roots_of(slopes, cell.line.begin + 0.5 * cell.line.step, cell.line.step, kNoSlope);
    }
    const double lowest = std::min(x_.front(), std::log(kFlipRange[0])),
                 highest = std::max(x_.back(), std::log(kFlipRange[1]));
    for (auto& list : roots) std::erase_if(list, [&](double x) { return x < lowest || x > highest; });
    const std::vector<double> low_sums = cell.low_greeks ? cell.low_greeks->sum() : std::vector<double>(),
                              low_ratios = cell.low_ratio ? cell.low_ratio->sum() : std::vector<double>();
    double largest_gamma = 0.0;  // of the market
    for (std::size_t j = 0; j < cell.ratio_line.spots; ++j) {
      largest_gamma = std::max(largest_gamma, ratios[j] + ratios[cell.ratio_line.spots + j]);
    }
    for (std::size_t c = 0; c < x_.size(); ++c) {
      const bool is_low = x_[c] < std::log(kLeastClose);
      const SpotLine &line = is_low ? cell.low_line : cell.line, &ratio_line = is_low ? cell.low_line : cell.ratio_line;
      const double *sum = is_low ? low_sums.data() : sums.data(), *ratio = is_low ? low_ratios.data() : ratios.data();
      const Carrier carrier(line, x_[c]), open(ratio_line, x_[c]);
      const double close = in_.close[from_ + c];
      for (std::size_t w = 0; w < positions; ++w) {
        double value[kGreeks.size()];
        for (std::size_t g = 0; g < kGreeks.size(); ++g) {
          value[g] = carrier(&sum[(g * positions + w) * line.spots]);
          out_.value[place(static_cast<StepQuantity>(g), w, index) + c] = value[g];
        }
        out_.value[place(StepQuantity::kGammaIndex, w, index) + c] = 0.01 * close * close * value[1] / 1e9;
        out_.value[place(StepQuantity::kFlip, w, index) + c] = in_.book.spot * std::exp(nearest_root(roots[w], x_[c]));
      }
      const double calls = open(ratio), puts = open(&ratio[ratio_line.spots]);
      if (puts > kNoRatio * largest_gamma && calls >= 0.0) {
        out_.gamma_ratio[index * in_.close.size() + from_ + c] = calls / puts;
      }
    }
  }

  const StepTableInputs& in_;
  std::size_t shifts_, from_;         ///< the first close with numbers
  std::vector<double> x_;             ///< ln(close / S0) from there
  std::vector<double> open_weight_;   ///< (2, n) shares: calls, puts
  std::vector<double> gross_weight_;  ///< (W, n) shares
  std::vector<Cell> cells_;           ///< (M, R, V)
  std::vector<double> wall_;          ///< (M, R, call or put, W, V, closes with numbers) USD
  StepTable out_;
};

}  // namespace

std::vector<StepTable> make_step_tables(Backend& backend, Backend& sampler, std::span<const StepTableInputs> tickers) {
  std::vector<std::unique_ptr<Ticker>> work(tickers.size());
  std::vector<ExposureJob> greeks, ratios, slopes;
  std::vector<WallJob> walls;
  for (std::size_t u = 0; u < tickers.size(); ++u) {
    work[u] = std::make_unique<Ticker>(tickers[u]);
    work[u]->append_jobs(greeks, ratios, slopes, walls);
  }
  if (!greeks.empty()) backend.evaluate(kGreeks, greeks);
  if (!ratios.empty()) backend.evaluate(kGammaAlone, ratios);
  if (!slopes.empty()) sampler.evaluate(kDeltaAlone, slopes);
  if (!walls.empty()) backend.gamma_walls(walls);
  std::vector<StepTable> tables(tickers.size());
  oneapi::tbb::parallel_for(std::size_t{0}, tickers.size(), [&](std::size_t u) { tables[u] = work[u]->finish(); });
  return tables;
}

}  // namespace greekgrid

#include "exposure_line.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "greekgrid/kernels/formulas/iv_shift.hpp"

namespace greekgrid {
namespace {

constexpr double kStepsPerDeviation = 8.0;
constexpr double kStepsPerSmileWidth = 1.0;
constexpr double kNarrowestVertex = 1.6e-3;  // log-moneyness
constexpr int kCoarsest = 8;                 // 2^8 steps
constexpr std::size_t kMargin = 4;           // points beyond either end that the interpolation reads

// The deviation of an expiry's narrowest contract over the grid's instants and shifts, in ln S, between ln(S / S0) =
// low and high.
double narrowest(const BookView& book, std::size_t e, std::size_t positions, const GridView& grid, double low,
                 double high) {
  double sigma = std::numeric_limits<double>::infinity();
  const std::size_t n = book.contracts();
  for (auto i = static_cast<std::size_t>(book.expiry_begin[e]); i < static_cast<std::size_t>(book.expiry_begin[e + 1]);
       ++i) {
    bool weighted = false;
    for (std::size_t w = 0; w < positions; ++w) weighted = weighted || book.weight[w * n + i] != 0.0;
    if (weighted) sigma = std::min(sigma, book.implied_volatility[i]);
  }
  if (grid.effective_rule() == IvRule::kRelativeBeta) {
    sigma *= 1.0 - std::max(grid.iv_rule_parameter * low, grid.iv_rule_parameter * high);
  }
  const double tau0 = static_cast<double>(book.settlement[e] - grid.quote_time) / kSecondsPerYear;
  const double scale =
      grid.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
  sigma += *std::min_element(grid.iv_shift.begin(), grid.iv_shift.end()) * scale;
  const double tau = static_cast<double>(book.settlement[e] - grid.time.back()) / kSecondsPerYear;
  double width = std::max(sigma, grid.iv_floor) * std::sqrt(std::max(tau, 0.0));
  if (grid.effective_rule() == IvRule::kSkewStickiness && book.smile[e].b > 0.0) {
    const double slope = std::abs(grid.iv_rule_parameter - 1.0);
    const double vertex = std::max(book.smile[e].s, kNarrowestVertex);
    width = std::min(width, vertex / slope * (kStepsPerDeviation / kStepsPerSmileWidth));
  }
  return width;
}

// How many halvings of the resolution an expiry bears.
int coarseness(double width, double step) {
  if (!(width > kStepsPerDeviation * step) || step <= 0.0) return 0;
  // Infinite where no contract has a weight.
  return static_cast<int>(
      std::min(static_cast<double>(kCoarsest), std::floor(std::log2(width / (kStepsPerDeviation * step)))));
}

}  // namespace

std::array<double, kStencil> lagrange(double at) {
  std::array<double, kStencil> weights{};
  for (std::size_t a = 0; a < kStencil; ++a) {
    double weight = 1.0;
    for (std::size_t b = 0; b < kStencil; ++b) {
      if (b == a) continue;
      weight *= (at - (static_cast<double>(b) - 3.0)) / (static_cast<double>(a) - static_cast<double>(b));
    }
    weights[a] = weight;
  }
  return weights;
}

BookPart::BookPart(const BookView& book, std::size_t positions, std::size_t first, std::size_t last) : view(book) {
  const auto begin = static_cast<std::size_t>(book.expiry_begin[first]);
  const auto count = static_cast<std::size_t>(book.expiry_begin[last]) - begin;
  for (std::size_t e = first; e <= last; ++e) {
    expiry_begin.push_back(book.expiry_begin[e] - static_cast<std::int64_t>(begin));
  }
  for (std::size_t w = 0; w < positions; ++w) {
    const auto row = book.weight.subspan(w * book.contracts() + begin, count);
    weight.insert(weight.end(), row.begin(), row.end());
  }
  view.settlement = book.settlement.subspan(first, last - first);
  view.rate = book.rate.subspan(first, last - first);
  view.dividend_yield = book.dividend_yield.subspan(first, last - first);
  view.expiry_begin = expiry_begin;
  view.strike = book.strike.subspan(begin, count);
  view.right = book.right.subspan(begin, count);
  view.implied_volatility = book.implied_volatility.subspan(begin, count);
  view.weight = weight;
  if (!book.smile.empty()) view.smile = book.smile.subspan(first, last - first);
}

double narrowest_deviation(const BookView& book, std::size_t positions, const GridView& grid, std::int64_t alive_after,
                           double low, double high) {
  double width = std::numeric_limits<double>::infinity();
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    if (book.settlement[e] > alive_after) width = std::min(width, narrowest(book, e, positions, grid, low, high));
  }
  return width;
}

LineEvaluation::LineEvaluation(GreekSet greeks, const BookView& book, std::size_t positions, const GridView& grid,
                               const SpotLine& line, std::int64_t alive_after)
    : line_(line),
      grid_(grid),
      positions_(positions),
      rows_(greeks.size() * positions * grid.time.size() * grid.iv_shift.size()) {
  const double end = line.x(line.spots - 1);
  for (std::size_t e = 0; e < book.expiries();) {
    if (book.settlement[e] <= alive_after) {
      ++e;
      continue;
    }
    const int level = coarseness(narrowest(book, e, positions, grid, line.begin, end), line.step);
    std::size_t last = e + 1;
    while (last < book.expiries() && book.settlement[last] > alive_after &&
           coarseness(narrowest(book, last, positions, grid, line.begin, end), line.step) == level) {
      ++last;
    }
    Run run;
    run.part = std::make_unique<BookPart>(book, positions, e, last);
    run.coarseness = level;
    run.line = line;
    if (level > 0) {
      const std::size_t stride = std::size_t{1} << static_cast<unsigned>(level);
      run.line.step = line.step * static_cast<double>(stride);
      run.line.begin = line.begin - static_cast<double>(kMargin) * run.line.step;
      run.line.spots = (line.spots - 1 + stride - 1) / stride + 1 + 2 * kMargin;
    }
    run.exposure.resize(rows_ * run.line.spots);
    runs_.push_back(std::move(run));
    e = last;
  }
}

void LineEvaluation::append_jobs(std::vector<ExposureJob>& jobs) {
  for (Run& run : runs_) {
    GridView part = grid_;
    part.log_spot_begin = run.line.begin;
    part.log_spot_step = run.line.step;
    part.spots = run.line.spots;
    jobs.push_back({run.part->view, part, positions_, run.exposure});
  }
}

std::vector<double> LineEvaluation::sum() const {
  std::vector<double> sum(rows_ * line_.spots, 0.0);
  for (const Run& run : runs_) {
    const std::size_t stride = std::size_t{1} << static_cast<unsigned>(run.coarseness);
    for (std::size_t phase = 0; phase < stride; ++phase) {
      const auto weights = lagrange(static_cast<double>(phase) / static_cast<double>(stride));
      for (std::size_t row = 0; row < rows_; ++row) {
        const double* from = &run.exposure[row * run.line.spots];
        double* to = &sum[row * line_.spots];
        for (std::size_t j = phase, c = kMargin; j < line_.spots; j += stride, ++c) {
          if (run.coarseness == 0) {
            to[j] += from[j];
            continue;
          }
          double value = 0.0;
          for (std::size_t a = 0; a < kStencil; ++a) value += weights[a] * from[c - 3 + a];
          to[j] += value;
        }
      }
    }
  }
  return sum;
}

std::vector<double> evaluate_line(Backend& backend, GreekSet greeks, const BookView& book, std::size_t positions,
                                  const GridView& grid, const SpotLine& line, std::int64_t alive_after) {
  LineEvaluation evaluation(greeks, book, positions, grid, line, alive_after);
  std::vector<ExposureJob> jobs;
  evaluation.append_jobs(jobs);
  backend.evaluate(greeks, jobs);
  return evaluation.sum();
}

}  // namespace greekgrid

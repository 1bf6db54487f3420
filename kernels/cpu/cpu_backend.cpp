// The CPU backend: splits jobs into scenario rows, spreads the rows over threads and adds the expiries of a row in
// order, so that the bits of a result depend on its job alone; spreads quotes over threads in pieces. Where volatility
// follows the smile, a thread takes many rows of a job and forms the volatilities of a block of contracts once for all
// of them; in the search for walls it takes few spots and all shifts instead. Under sticky strike the spectral
// evaluator may take a job; rows whose error is too large for what was asked are evaluated again.

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "brute_precision.hpp"
#include "cpu/implied_volatility.hpp"
#include "cpu/moments.hpp"
#include "cpu/spectral.hpp"
#include "cpu/walls.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"

namespace greekgrid {
namespace {

using cpu::ExpiryContracts;
using cpu::RowVolatility;
using cpu::ScenarioRow;

// One position model of one book without its zero weights, ready for every row.
struct PreparedPosition {
  std::vector<double> log_moneyness, moneyness, strike, sigma, weight;  // (n), and a vector's lanes more to read
  std::vector<std::size_t> begin;                                       // (E + 1)
  std::vector<double> signed_weight, signed_weight_strike;              // (E)
};

// Quotes that one thread takes at a time: enough to hide the hand-over, few enough to share out one underlying's.
constexpr std::size_t kQuotePiece = 4096;

// A job with what all of its rows share.
struct PreparedJob {
  std::vector<PreparedPosition> position;  // (W)
  std::vector<double> growth, spot;        // (J padded)
};

PreparedPosition prepare(const BookView& book, std::size_t w) {
  PreparedPosition p;
  for (auto* column : {&p.log_moneyness, &p.moneyness, &p.strike, &p.sigma, &p.weight}) {
    column->reserve(book.contracts() + cpu::kRowPad);
  }
  const double effective = book.spot * std::exp(book.spot_basis);
  p.begin.push_back(0);
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    double signed_weight = 0.0;
    double signed_weight_strike = 0.0;
    const auto end = static_cast<std::size_t>(book.expiry_begin[e + 1]);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]); i < end; ++i) {
      const double weight = book.weight[w * book.contracts() + i];
      if (weight == 0.0) continue;
      p.log_moneyness.push_back(formulas::log_moneyness(book.spot, book.strike[i]) + book.spot_basis);
      p.moneyness.push_back(effective / book.strike[i]);
      p.strike.push_back(book.strike[i]);
      p.sigma.push_back(book.implied_volatility[i]);
      p.weight.push_back(weight);
      signed_weight += book.right[i] * weight;
      signed_weight_strike += book.right[i] * weight * book.strike[i];
    }
    p.begin.push_back(p.weight.size());
    p.signed_weight.push_back(signed_weight);
    p.signed_weight_strike.push_back(signed_weight_strike);
  }
  for (auto* column : {&p.log_moneyness, &p.moneyness, &p.strike, &p.sigma, &p.weight}) {
    column->resize(column->size() + cpu::kRowPad, 1.0);
  }
  return p;
}

PreparedJob prepare(const ExposureJob& job) {
  PreparedJob prepared;
  for (std::size_t w = 0; w < job.positions; ++w) prepared.position.push_back(prepare(job.book, w));
  const std::size_t padded = (job.grid.spots + cpu::kRowPad - 1) / cpu::kRowPad * cpu::kRowPad;
  const double basis = std::exp(job.book.spot_basis);
  for (std::size_t j = 0; j < padded; ++j) {
    const double growth = std::exp(job.grid.log_spot_begin + static_cast<double>(j) * job.grid.log_spot_step);
    prepared.growth.push_back(growth);
    prepared.spot.push_back(job.book.spot * growth * basis);
  }
  return prepared;
}

struct PreparedWalls {
  std::array<WallSide, 2> side;  // calls, puts
  cpu::WallSpots spots;
  std::vector<cpu::WallPart> part;
};

PreparedWalls prepare(const WallJob& job) {
  PreparedWalls prepared = {make_wall_sides(job), cpu::make_wall_spots(job), {}};
  const std::size_t spots = job.at.size();
  const std::size_t shifts = job.grid.iv_shift.size();
  if (spots == 0 || shifts == 0) return prepared;
  if (job.grid.effective_rule() == IvRule::kSkewStickiness) {
    for (std::size_t j = 0; j < spots; j += cpu::kWallSpots) {
      prepared.part.push_back({j, std::min(j + cpu::kWallSpots, spots), 0, shifts});
    }
  } else {
    for (std::size_t v = 0; v < shifts; ++v) prepared.part.push_back({0, spots, v, v + 1});
  }
  return prepared;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(Precision precision, const EvaluatorOptions& options)
      : precision_(precision), brute_precision_(brute_precision(precision, options)), options_(options) {}

  BackendStatus status() const override {
    return {"cpu", true,
            std::string("Highway ") + cpu::instruction_set() + (precision_ == Precision::kFp32 ? ", fp32" : ", fp64") +
                ", oneTBB"};
  }

  void evaluate(GreekSet greeks, std::span<const ExposureJob> jobs) override {
    std::vector<ExposureJob> brute;
    std::vector<const ExposureJob*> spectral;
    for (const ExposureJob& job : jobs) {
      if (job.report != nullptr) *job.report = {};
      if (takes_spectral(job)) {
        spectral.push_back(&job);
      } else {
        brute.push_back(job);
      }
    }
    evaluate_spectral(greeks, spectral, brute);
    evaluate_brute(greeks, brute);
  }

  void implied_volatilities(const QuoteView& quotes, std::span<double> sigma,
                            std::span<formulas::IvStatus> status) override {
    const std::size_t pieces = (quotes.size() + kQuotePiece - 1) / kQuotePiece;
    oneapi::tbb::parallel_for(std::size_t{0}, pieces, [&](std::size_t piece) {
      const std::size_t begin = piece * kQuotePiece;
      const std::size_t count = std::min(kQuotePiece, quotes.size() - begin);
      cpu::invert_quotes({quotes.right.data() + begin, quotes.price.data() + begin, quotes.forward.data() + begin,
                          quotes.strike.data() + begin, quotes.discount.data() + begin, quotes.tau.data() + begin},
                         count, sigma.data() + begin, status.data() + begin);
    });
  }

  void gamma_walls(std::span<const WallJob> jobs) override {
    // A job is prepared, searched and let go by one task, which shares out its parts in turn.
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t k) {
      const WallJob& job = jobs[k];
      const PreparedWalls prepared = prepare(job);
      oneapi::tbb::parallel_for(std::size_t{0}, prepared.part.size(), [&](std::size_t p) {
        cpu::WallScratch& scratch = wall_scratch_.local();
        cpu::find_walls(job, prepared.side[0], prepared.spots, prepared.part[p], scratch, job.call_wall.data());
        cpu::find_walls(job, prepared.side[1], prepared.spots, prepared.part[p], scratch, job.put_wall.data());
      });
    });
  }

 private:
  void evaluate_brute(GreekSet greeks, std::span<const ExposureJob> jobs) {
    std::vector<PreparedJob> prepared(jobs.size());
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t k) { prepared[k] = prepare(jobs[k]); });
    std::size_t all_rows = 0;
    for (const ExposureJob& job : jobs) all_rows += rows(job.grid);
    std::vector<std::size_t> task_begin(jobs.size() + 1, 0);
    std::vector<std::size_t> task_rows(jobs.size(), 1);
    for (std::size_t k = 0; k < jobs.size(); ++k) {
      if (reads_smile(jobs[k].grid)) task_rows[k] = rows_per_table(jobs[k].grid, all_rows);
      task_begin[k + 1] = task_begin[k] + (rows(jobs[k].grid) + task_rows[k] - 1) / task_rows[k];
    }
    oneapi::tbb::parallel_for(std::size_t{0}, task_begin.back(), [&](std::size_t task) {
      const auto k = static_cast<std::size_t>(std::upper_bound(task_begin.begin(), task_begin.end(), task) -
                                              task_begin.begin() - 1);
      const std::size_t first = (task - task_begin[k]) * task_rows[k];
      const std::size_t count = std::min(task_rows[k], rows(jobs[k].grid) - first);
      evaluate_rows(greeks, jobs[k], prepared[k], first, count);
    });
  }

  // Jobs of so few evaluations a row cost less by brute force than what the spectral evaluator does once a row.
  std::size_t few_evaluations() const { return brute_precision_ == Precision::kFp32 ? 72000 : 24000; }

  bool takes_spectral(const ExposureJob& job) const {
    if (options_.evaluator == Evaluator::kBrute || job.grid.effective_rule() != IvRule::kStickyStrike) return false;
    // What the expansions to spots are made for: a grid with a width, and not a vast one.
    const bool applies = job.grid.spots >= 3 && job.grid.log_spot_step > 0.0 &&
                         spectral::interval_of(job.grid).half_width <= kWidestInterval;
    return applies &&
           (options_.evaluator == Evaluator::kSpectral || job.book.contracts() * job.grid.spots >= few_evaluations());
  }

  // A job on its way through the spectral evaluator.
  struct Attempt {
    const ExposureJob* job = nullptr;
    std::vector<cpu::SpectralPosition> position;  // (W)
    cpu::SpectralAccuracy accuracy;               // of the rows that are open
    std::shared_ptr<const cpu::SpectralTables> tables;
    cpu::SpectralJob shared;
    std::vector<double> outcome;  // (rows, W, 3, G): largest, bound, rounding
    std::vector<cpu::EvaluationCounts> counts;
    std::vector<std::uint8_t> is_open, is_fp64;  // (rows)
    int attempts = 0;
  };

  // Evaluates jobs until each row keeps to the tolerance; a job of which none of the attempts brings all rows there
  // goes to `brute`. A few rows of a job come first and tell most of the attempts that would fail.
  void evaluate_spectral(GreekSet greeks, std::span<const ExposureJob* const> jobs, std::vector<ExposureJob>& brute) {
    std::vector<Attempt> open(jobs.size());
    const bool fp64_nodes = precision_ == Precision::kFp64 || options_.tolerance < fp32_tolerance(greeks);
    const bool fp64_expansion = precision_ == Precision::kFp64 || options_.tolerance < kFp32ExpansionTolerance;
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t k) {
      Attempt& a = open[k];
      a.job = jobs[k];
      a.accuracy = {options_.tolerance * error_share(fp64_nodes), fp64_nodes, fp64_expansion};
      for (std::size_t w = 0; w < a.job->positions; ++w) a.position.push_back(cpu::prepare_position(a.job->book, w));
      const std::size_t count = rows(a.job->grid);
      a.outcome.assign(count * a.job->positions * 3 * greeks.size(), 0.0);
      a.counts.assign(count * a.job->positions, {});
      a.is_open.assign(count, 1);
      a.is_fp64.assign(count, 0);
    });
    while (!open.empty()) {
      oneapi::tbb::parallel_for(std::size_t{0}, open.size(), [&](std::size_t k) {
        Attempt& a = open[k];
        a.tables = shared_tables(a.job->grid.spots, a.accuracy.fp64_nodes);
        a.shared = cpu::prepare_job(*a.job, greeks, *a.tables, a.accuracy,
                                    node_widths(*a.tables->levels, greeks, a.accuracy.error));
        ++a.attempts;
      });
      std::vector<Attempt> again, rest;
      const auto refuse = [&](const Errors& errors, Attempt& a) {
        if (a.attempts < kMostAttempts && raise_accuracy(errors, a.accuracy)) {
          again.push_back(std::move(a));
          return;
        }
        if (a.job->report != nullptr) a.job->report->attempts = a.attempts;
        brute.push_back(*a.job);
      };
      evaluate_rows(greeks, open, true);
      for (Attempt& a : open) {
        // The largest of a surface may yet be found in the other rows. Where most of the probe fails, so will they.
        const Errors errors = errors_of(greeks, a, kProbeMargin, [&](std::size_t row) {
          return a.is_open[row] != 0 && is_probe(a.job->grid, row);
        });
        if (2 * errors.failing > errors.rows) {
          refuse(errors, a);
        } else {
          rest.push_back(std::move(a));
        }
      }
      evaluate_rows(greeks, rest, false);
      for (Attempt& a : rest) {
        for (std::size_t row = 0; row < a.is_open.size(); ++row) {
          if (a.is_open[row] != 0) a.is_fp64[row] = a.accuracy.fp64_nodes ? 1 : 0;
        }
        // Of all rows: what the last ones came to may have made the largest less.
        std::fill(a.is_open.begin(), a.is_open.end(), std::uint8_t{0});
        const Errors errors = errors_of(greeks, a, 1.0, [](std::size_t) { return true; });
        if (errors.failing > 0) {
          refuse(errors, a);
        } else {
          write_report(a, errors);
        }
      }
      open = std::move(again);
    }
  }

  // Rows at the ends of the time axis under the lowest and the middle shift are the probe; it, or all the others.
  static bool is_probe(const GridView& grid, std::size_t row) {
    const std::size_t time = row / grid.iv_shift.size();
    const std::size_t shift = row % grid.iv_shift.size();
    return (time == 0 || time + 1 == grid.time.size()) && (shift == 0 || shift == grid.iv_shift.size() / 2);
  }

  void evaluate_rows(GreekSet greeks, std::vector<Attempt>& open, bool probe) {
    struct Task {
      std::size_t attempt, row, position;
    };
    std::vector<Task> tasks;
    for (std::size_t k = 0; k < open.size(); ++k) {
      for (std::size_t row = 0; row < rows(open[k].job->grid); ++row) {
        if (open[k].is_open[row] == 0 || is_probe(open[k].job->grid, row) != probe) continue;
        for (std::size_t w = 0; w < open[k].job->positions; ++w) tasks.push_back({k, row, w});
      }
    }
    oneapi::tbb::parallel_for(std::size_t{0}, tasks.size(), [&](std::size_t t) {
      const Task& task = tasks[t];
      Attempt& a = open[task.attempt];
      const ExposureJob& job = *a.job;
      const std::size_t scenarios = job.grid.scenarios();
      const std::size_t local = task.row * job.positions + task.position;
      cpu::SpectralScratchPointer& scratch = spectral_scratch_.local();
      if (!scratch) scratch = cpu::make_spectral_scratch();
      double* outcome = a.outcome.data() + local * 3 * greeks.size();
      a.counts[local] = cpu::evaluate_spectral_row(
          a.shared, a.position[task.position], task.row, *scratch,
          job.exposure.data() + task.position * scenarios + task.row * job.grid.spots, job.positions * scenarios,
          {outcome, outcome + greeks.size(), outcome + 2 * greeks.size()});
    });
  }

  // Errors relative to the largest magnitude of their surface in the rows that are evaluated.
  struct Errors {
    std::size_t rows = 0, failing = 0;        // looked at; of these, beyond the tolerance
    double truncation = 0.0, rounding = 0.0;  // the worst of the rows that fail
    double worst = 0.0;                       // of all
  };
  // Looks at some rows, and opens again those that err by more than so many times the tolerance.
  template <class Looks>
  Errors errors_of(GreekSet greeks, Attempt& a, double times_tolerance, const Looks& looks_at) const {
    Errors errors;
    const std::size_t positions = a.job->positions, count = rows(a.job->grid), stride = positions * 3 * greeks.size();
    std::vector<double> largest(positions * greeks.size(), 0.0);
    const auto outcome = [&](std::size_t row, std::size_t surface, std::size_t k) {
      return a.outcome[row * stride + (surface / greeks.size() * 3 + k) * greeks.size() + surface % greeks.size()];
    };
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t i = 0; i < largest.size(); ++i) largest[i] = std::max(largest[i], outcome(row, i, 0));
    }
    for (std::size_t row = 0; row < count; ++row) {
      if (!looks_at(row)) continue;
      Errors own;
      for (std::size_t i = 0; i < largest.size(); ++i) {
        const double truncation = outcome(row, i, 1), rounding = outcome(row, i, 2);
        // Nothing was summed. Zeros that something was summed to are nobody's measure: the error is infinite.
        if (truncation + rounding == 0.0) continue;
        own.truncation = std::max(own.truncation, truncation / largest[i]);
        own.rounding = std::max(own.rounding, rounding / largest[i]);
        const double worst = (truncation + rounding) / largest[i];
        own.worst = std::max(own.worst, worst);
        // Sums beyond the range of single precision.
        if (std::isnan(worst)) own.rounding = own.worst = std::numeric_limits<double>::infinity();
      }
      ++errors.rows;
      errors.worst = std::max(errors.worst, own.worst);
      if (own.worst <= times_tolerance * options_.tolerance) continue;
      ++errors.failing;
      a.is_open[row] = 1;
      errors.truncation = std::max(errors.truncation, own.truncation);
      errors.rounding = std::max(errors.rounding, own.rounding);
    }
    return errors;
  }

  // What another attempt takes; false where there is nothing left to raise.
  bool raise_accuracy(const Errors& errors, cpu::SpectralAccuracy& accuracy) const {
    bool raised = false;
    if (errors.rounding > 0.5 * options_.tolerance && !(accuracy.fp64_nodes && accuracy.fp64_expansion)) {
      accuracy.fp64_expansion = accuracy.fp64_nodes;
      accuracy.fp64_nodes = raised = true;
    }
    // In steps of four, so that jobs share the widths of their errors.
    for (double left = errors.truncation; left > 0.5 * options_.tolerance && accuracy.error > kLeastError;
         left /= 4.0) {
      accuracy.error /= 4.0;
      raised = true;
    }
    return raised;
  }

  static void write_report(const Attempt& a, const Errors& errors) {
    if (a.job->report == nullptr) return;
    const auto fp64 = static_cast<double>(std::count(a.is_fp64.begin(), a.is_fp64.end(), 1));
    EvaluationReport& report = *a.job->report;
    report = {true, fp64 / static_cast<double>(std::max<std::size_t>(a.is_fp64.size(), 1)), a.attempts, errors.worst, 0,
              0};
    for (const cpu::EvaluationCounts& counts : a.counts) {
      report.at_nodes += counts.at_nodes;
      report.direct += counts.direct;
    }
  }

  // The tables for so many spots, made when they are asked for. Few are kept: there are jobs with spots of their own.
  std::shared_ptr<const cpu::SpectralTables> shared_tables(std::size_t spots, bool fp64_nodes) {
    const std::lock_guard lock(tables_mutex_);
    std::unique_ptr<cpu::SpectralLevels>& levels = levels_[fp64_nodes ? 1 : 0];
    if (!levels) levels = std::make_unique<cpu::SpectralLevels>(cpu::make_spectral_levels(fp64_nodes));
    const auto key = std::pair{spots, fp64_nodes};
    const auto found = tables_.find(key);
    if (found != tables_.end()) return found->second;
    if (tables_.size() >= kKeptTables) tables_.clear();
    return tables_[key] = std::make_shared<cpu::SpectralTables>(cpu::make_spectral_tables(spots, *levels));
  }

  const cpu::NodeWidths& node_widths(const cpu::SpectralLevels& levels, GreekSet greeks, double error) {
    const std::lock_guard lock(tables_mutex_);
    std::unique_ptr<cpu::NodeWidths>& found = widths_[{&levels, greeks.bits(), error}];
    if (!found) found = std::make_unique<cpu::NodeWidths>(cpu::make_node_widths(levels, greeks, error));
    return *found;
  }

  static std::size_t rows(const GridView& grid) { return grid.time.size() * grid.iv_shift.size(); }
  static bool reads_smile(const GridView& grid) { return grid.effective_rule() == IvRule::kSkewStickiness; }

  // Rows of one task under a rule with a table, which is made anew for each task: few large tasks, yet work for every
  // thread. No row's bits depend on it.
  static std::size_t rows_per_table(const GridView& grid, std::size_t all_rows) {
    // An arena knows its slots, not how many threads the program allows.
    using oneapi::tbb::global_control;
    const auto threads = std::min(static_cast<std::size_t>(oneapi::tbb::this_task_arena::max_concurrency()),
                                  global_control::active_value(global_control::max_allowed_parallelism));
    const std::size_t share = threads == 1 ? all_rows : (all_rows + 2 * threads - 1) / (2 * threads);
    return std::clamp<std::size_t>(share, 1, std::max<std::size_t>(rows(grid), 1));
  }

  // The rows [first, first + count) of a job; a row is an instant and an IV shift.
  void evaluate_rows(GreekSet greeks, const ExposureJob& job, const PreparedJob& prepared, std::size_t first,
                     std::size_t count) {
    const GridView& grid = job.grid;
    const BookView& book = job.book;
    const std::size_t scenarios = grid.scenarios();
    const std::size_t greek_stride = job.positions * scenarios;
    cpu::ScratchPointer& scratch = scratch_.local();
    if (!scratch) scratch = cpu::make_scratch();

    for (std::size_t w = 0; w < job.positions; ++w) {
      double* out = job.exposure.data() + w * scenarios + first * grid.spots;
      for (std::size_t g = 0; g < greeks.size(); ++g) std::fill_n(out + g * greek_stride, count * grid.spots, 0.0);
      for (std::size_t e = 0; e < book.expiries(); ++e) {
        add_expiry(greeks, job, prepared, w, e, first, count, *scratch, out);
      }
    }
  }

  // Adds one expiry under one position model to the rows, the first of which is at `out`.
  void add_expiry(GreekSet greeks, const ExposureJob& job, const PreparedJob& prepared, std::size_t w, std::size_t e,
                  std::size_t first, std::size_t count, cpu::Scratch& scratch, double* out) {
    const GridView& grid = job.grid;
    const BookView& book = job.book;
    const PreparedPosition& p = prepared.position[w];
    const std::size_t greek_stride = job.positions * grid.scenarios();
    const double basis = std::exp(book.spot_basis);
    const double tau0 = static_cast<double>(book.settlement[e] - grid.quote_time) / kSecondsPerYear;
    const double scale =
        grid.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
    const RowVolatility volatility = row_volatility(grid);
    const bool table = volatility == RowVolatility::kTabulated;
    const std::size_t block =
        table ? cpu::table_contracts(grid.spots, brute_precision_ == Precision::kFp32 ? sizeof(float) : sizeof(double))
              : p.begin[e + 1];
    bool tabulated = false;
    for (std::size_t begin = p.begin[e]; begin < p.begin[e + 1]; begin += block, tabulated = false) {
      // The constants of all contracts of the expiry go with its first block.
      const bool leads = begin == p.begin[e];
      const ExpiryContracts contracts = {&p.log_moneyness[begin],
                                         &p.moneyness[begin],
                                         &p.strike[begin],
                                         &p.sigma[begin],
                                         &p.weight[begin],
                                         std::min(block, p.begin[e + 1] - begin),
                                         leads ? p.signed_weight[e] : 0.0,
                                         leads ? p.signed_weight_strike[e] : 0.0};
      for (std::size_t k = 0; k < count; ++k) {
        const std::int64_t time = grid.time[(first + k) / grid.iv_shift.size()];
        double* row = out + k * grid.spots;
        if (book.settlement[e] < time) continue;
        if (book.settlement[e] == time) {
          if (leads && greeks.contains(Greek::kDelta)) add_settled(book, e, w, prepared, grid.spots, basis, row);
          continue;
        }
        const ScenarioRow scenario = {static_cast<double>(book.settlement[e] - time) / kSecondsPerYear,
                                      book.rate[e],
                                      book.dividend_yield[e],
                                      grid.iv_shift[(first + k) % grid.iv_shift.size()] * scale,
                                      grid.iv_floor,
                                      volatility,
                                      volatility == RowVolatility::kRelativeBeta ? grid.iv_rule_parameter : 0.0,
                                      grid.log_spot_begin,
                                      grid.log_spot_step,
                                      grid.spots,
                                      prepared.spot.data(),
                                      prepared.growth.data(),
                                      basis};
        if (table && !tabulated) {
          const cpu::SmileRule rule = {book.smile[e], (book.rate[e] - book.dividend_yield[e]) * tau0,
                                       grid.iv_rule_parameter};
          (brute_precision_ == Precision::kFp32 ? cpu::tabulate_volatility_fp32 : cpu::tabulate_volatility_fp64)(
              contracts, rule, scenario, scratch);
          tabulated = true;
        }
        (brute_precision_ == Precision::kFp32 ? cpu::add_exposures_fp32 : cpu::add_exposures_fp64)(
            greeks, contracts, scenario, scratch, row, greek_stride);
      }
    }
  }

  static RowVolatility row_volatility(const GridView& grid) {
    switch (grid.effective_rule()) {
      case IvRule::kSkewStickiness:
        return RowVolatility::kTabulated;
      case IvRule::kRelativeBeta:
        return grid.iv_rule_parameter == 0.0 ? RowVolatility::kFixed : RowVolatility::kRelativeBeta;
      case IvRule::kStickyStrike:
        break;
    }
    return RowVolatility::kFixed;
  }

  // Delta comes first in every set that contains it, so `out` is its row.
  static void add_settled(const BookView& book, std::size_t e, std::size_t w, const PreparedJob& prepared,
                          std::size_t spots, double basis, double* out) {
    const auto end = static_cast<std::size_t>(book.expiry_begin[e + 1]);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]); i < end; ++i) {
      const double weight = book.weight[w * book.contracts() + i] * basis;
      if (weight == 0.0) continue;
      for (std::size_t j = 0; j < spots; ++j) {
        out[j] +=
            weight * formulas::settled_delta(static_cast<double>(book.right[i]), prepared.spot[j], book.strike[i]);
      }
    }
  }

  // Share of the tolerance that a contract's own error may take in the first attempt: sums of magnitudes exceed the
  // largest of a surface by so much where strikes are spread and calls and puts cancel. In single precision node counts
  // come in larger steps, and what a few rows lack costs less than what all would take for it, as long as rounding
  // leaves room.
  double error_share(bool fp64_nodes) const {
    return !fp64_nodes && options_.tolerance >= kFp32Tolerance ? 2e-3 : 5e-4;
  }
  // Tolerances below which single precision is not tried; at nodes the sums of some Greeks cancel more than those of
  // others.
  static constexpr double kFp32Tolerance = 2e-6;
  static constexpr double kFp32ExpansionTolerance = 8e-7;
  static double fp32_tolerance(GreekSet greeks) {
    constexpr GreekSet kSteady = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna, Greek::kVega};
    return greeks.is_subset_of(kSteady) ? 5e-7 : kFp32Tolerance;
  }
  static constexpr double kLeastError = 1e-14;
  static constexpr int kMostAttempts = 3;
  static constexpr double kProbeMargin = 1.2;
  static constexpr double kWidestInterval = 4.0;  // of ln S: e^{L t} has few coefficients

  Precision precision_, brute_precision_;
  EvaluatorOptions options_;
  std::mutex tables_mutex_;
  static constexpr std::size_t kKeptTables = 8;
  std::array<std::unique_ptr<cpu::SpectralLevels>, 2> levels_;  // fp32, fp64
  std::map<std::pair<std::size_t, bool>, std::shared_ptr<const cpu::SpectralTables>> tables_;
  std::map<std::tuple<const cpu::SpectralLevels*, std::uint32_t, double>, std::unique_ptr<cpu::NodeWidths>> widths_;
  oneapi::tbb::enumerable_thread_specific<cpu::SpectralScratchPointer> spectral_scratch_;
  oneapi::tbb::enumerable_thread_specific<cpu::ScratchPointer> scratch_;
  oneapi::tbb::enumerable_thread_specific<cpu::WallScratch> wall_scratch_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(Precision precision, EvaluatorOptions options) {
  return std::make_unique<CpuBackend>(precision, options);
}

}  // namespace greekgrid

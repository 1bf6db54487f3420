// The CPU backend: splits jobs into scenario rows, spreads the rows over threads and adds the expiries of a row in
// order, so that the bits of a result depend on its job alone; spreads quotes over threads in pieces.

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu/implied_volatility.hpp"
#include "cpu/moments.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"

namespace greekgrid {
namespace {

using cpu::ExpiryContracts;
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

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(Precision precision) : precision_(precision) {}

  BackendStatus status() const override {
    return {"cpu", true,
            std::string("Highway ") + cpu::instruction_set() + (precision_ == Precision::kFp32 ? ", fp32" : ", fp64") +
                ", oneTBB"};
  }

  void evaluate(GreekSet greeks, std::span<const ExposureJob> jobs) override {
    std::vector<PreparedJob> prepared(jobs.size());
    oneapi::tbb::parallel_for(std::size_t{0}, jobs.size(), [&](std::size_t k) { prepared[k] = prepare(jobs[k]); });
    std::vector<std::size_t> row_begin(jobs.size() + 1, 0);
    for (std::size_t k = 0; k < jobs.size(); ++k) {
      row_begin[k + 1] = row_begin[k] + jobs[k].grid.time.size() * jobs[k].grid.iv_shift.size();
    }
    oneapi::tbb::parallel_for(std::size_t{0}, row_begin.back(), [&](std::size_t row) {
      const auto k =
          static_cast<std::size_t>(std::upper_bound(row_begin.begin(), row_begin.end(), row) - row_begin.begin() - 1);
      evaluate_row(greeks, jobs[k], prepared[k], row - row_begin[k]);
    });
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

 private:
  void evaluate_row(GreekSet greeks, const ExposureJob& job, const PreparedJob& prepared, std::size_t row) {
    const GridView& grid = job.grid;
    const BookView& book = job.book;
    const std::int64_t time = grid.time[row / grid.iv_shift.size()];
    const double shift = grid.iv_shift[row % grid.iv_shift.size()];
    const std::size_t scenarios = grid.scenarios();
    const double basis = std::exp(book.spot_basis);
    cpu::ScratchPointer& scratch = scratch_.local();
    if (!scratch) scratch = cpu::make_scratch();

    for (std::size_t w = 0; w < job.positions; ++w) {
      const PreparedPosition& p = prepared.position[w];
      double* out = job.exposure.data() + w * scenarios + row * grid.spots;
      const std::size_t greek_stride = job.positions * scenarios;
      for (std::size_t g = 0; g < greeks.size(); ++g) {
        std::fill_n(out + g * greek_stride, grid.spots, 0.0);
      }
      for (std::size_t e = 0; e < book.expiries(); ++e) {
        const std::size_t begin = p.begin[e];
        const std::size_t count = p.begin[e + 1] - begin;
        if (count == 0 || book.settlement[e] < time) continue;
        if (book.settlement[e] == time) {
          if (greeks.contains(Greek::kDelta)) add_settled(book, e, w, prepared, grid.spots, basis, out);
          continue;
        }
        const double tau = static_cast<double>(book.settlement[e] - time) / kSecondsPerYear;
        const double tau0 = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
        const double scale =
            grid.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
        const ExpiryContracts contracts = {&p.log_moneyness[begin], &p.moneyness[begin],      &p.strike[begin],
                                           &p.sigma[begin],         &p.weight[begin],         count,
                                           p.signed_weight[e],      p.signed_weight_strike[e]};
        const ScenarioRow scenario = {tau,
                                      book.rate[e],
                                      book.dividend_yield[e],
                                      shift * scale,
                                      grid.iv_floor,
                                      grid.iv_rule == IvRule::kRelativeBeta ? grid.iv_rule_parameter : 0.0,
                                      grid.log_spot_begin,
                                      grid.log_spot_step,
                                      grid.spots,
                                      prepared.spot.data(),
                                      prepared.growth.data(),
                                      basis};
        if (precision_ == Precision::kFp32) {
          cpu::add_exposures_fp32(greeks, contracts, scenario, *scratch, out, greek_stride);
        } else {
          cpu::add_exposures_fp64(greeks, contracts, scenario, *scratch, out, greek_stride);
        }
      }
    }
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

  Precision precision_;
  oneapi::tbb::enumerable_thread_specific<cpu::ScratchPointer> scratch_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(Precision precision) {
  return std::make_unique<CpuBackend>(precision);
}

}  // namespace greekgrid

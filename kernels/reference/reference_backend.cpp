// Plain double loops over the closed forms, written to be read, never optimised: what every other backend is tested
// against.

#include <algorithm>
#include <cmath>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"
#include "greekgrid/kernels/formulas/smile.hpp"

namespace greekgrid {
namespace {

double shift_scale(const GridView& grid, double tau0) {
  if (grid.iv_shift_term == IvShiftTerm::kFlat) return 1.0;
  return formulas::sqrt_time_scale(tau0, grid.iv_shift_term_cap);
}

// The volatility of contract i of expiry e, which is alive, at ln(S / S0) = x, before shift and floor.
double rule_volatility(const BookView& book, const GridView& grid, std::size_t e, std::size_t i, double x) {
  const double sigma = book.implied_volatility[i];
  switch (grid.effective_rule()) {
    case IvRule::kRelativeBeta:
      return sigma * (1.0 - grid.iv_rule_parameter * x);
    case IvRule::kSkewStickiness: {
      const double tau0 = static_cast<double>(book.settlement[e] - grid.quote_time) / kSecondsPerYear;
      const double log_forward_moneyness = formulas::log_moneyness(book.spot, book.strike[i]) + book.spot_basis +
                                           (book.rate[e] - book.dividend_yield[e]) * tau0;
      return sigma + formulas::skew_stickiness_move(book.smile[e], -log_forward_moneyness, grid.iv_rule_parameter, x);
    }
    case IvRule::kStickyStrike:
      break;
  }
  return sigma;
}

void evaluate_job(GreekSet greeks, const ExposureJob& job) {
  const BookView& book = job.book;
  const GridView& grid = job.grid;
  const std::size_t scenarios = grid.scenarios();
  std::fill(job.exposure.begin(), job.exposure.end(), 0.0);

  std::size_t scenario = 0;
  for (const std::int64_t time : grid.time) {
    for (const double shift : grid.iv_shift) {
      for (std::size_t j = 0; j < grid.spots; ++j, ++scenario) {
        const double x = grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step;
        const double spot = book.spot * std::exp(x) * std::exp(book.spot_basis);
        for (std::size_t e = 0; e < book.expiries(); ++e) {
          const double tau = static_cast<double>(book.settlement[e] - time) / kSecondsPerYear;
          if (tau < 0.0) continue;
          const double tau0 = static_cast<double>(book.settlement[e] - grid.quote_time) / kSecondsPerYear;
          const double scaled_shift = shift * shift_scale(grid, tau0);
          for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
               i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
            const double sigma = std::max(grid.iv_floor, rule_volatility(book, grid, e, i, x) + scaled_shift);
            const auto g = formulas::black_scholes<double>({static_cast<double>(book.right[i]), spot, book.strike[i],
                                                            book.rate[e], book.dividend_yield[e], sigma, tau});
            std::size_t index = scenario;
            for (const Greek greek : kAllGreeks) {
              if (!greeks.contains(greek)) continue;
              const double value = g[greek] * std::exp(book.spot_basis * spot_order(greek));
              for (std::size_t w = 0; w < job.positions; ++w, index += scenarios) {
                job.exposure[index] += book.weight[w * book.contracts() + i] * value;
              }
            }
          }
        }
      }
    }
  }
}

class ReferenceBackend final : public Backend {
 public:
  BackendStatus status() const override { return {"reference", true, "plain double loops, one thread"}; }
  void evaluate(GreekSet greeks, std::span<const ExposureJob> jobs) override {
    for (const ExposureJob& job : jobs) evaluate_job(greeks, job);
  }
  void implied_volatilities(const QuoteView& quotes, std::span<double> sigma,
                            std::span<formulas::IvStatus> status) override {
    for (std::size_t i = 0; i < quotes.size(); ++i) {
      const auto inverted = formulas::implied_volatility(quotes.right[i], quotes.price[i], quotes.forward[i],
                                                         quotes.strike[i], quotes.discount[i], quotes.tau[i]);
      sigma[i] = inverted.sigma;
      status[i] = inverted.status;
    }
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace greekgrid

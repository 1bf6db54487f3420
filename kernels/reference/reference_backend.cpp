// Plain double loops over the closed forms, written to be read, never optimised: what every other backend is tested
// against.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

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

// A wall so far: strikes are seen outward from the spot, so that of equal sums the nearest stays.
struct Wall {
  double strike = std::numeric_limits<double>::quiet_NaN();
  double size = 0.0;
  void see(double of_strike, double sum) {
    if (std::abs(sum) > size) *this = {of_strike, std::abs(sum)};
  }
};

// Gamma of every contract at one spot and shift; 0 of those that have settled.
std::vector<double> gammas(const WallJob& job, double spot, double shift) {
  const BookView& book = job.book;
  const GridView& grid = job.grid;
  const double x = formulas::log_moneyness(spot, book.spot);
  std::vector<double> gamma(book.contracts(), 0.0);
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const double tau = static_cast<double>(book.settlement[e] - job.time) / kSecondsPerYear;
    if (tau <= 0.0) continue;
    const double tau0 = static_cast<double>(book.settlement[e] - job.grid.quote_time) / kSecondsPerYear;
    const double scaled_shift = shift * shift_scale(grid, tau0);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      const double sigma = std::max(grid.iv_floor, rule_volatility(book, grid, e, i, x) + scaled_shift);
      gamma[i] = formulas::black_scholes<double>({static_cast<double>(book.right[i]), spot * std::exp(book.spot_basis),
                                                  book.strike[i], book.rate[e], book.dividend_yield[e], sigma, tau})
                     .gamma;
    }
  }
  return gamma;
}

void find_walls(const WallJob& job) {
  const BookView& book = job.book;
  std::map<double, std::vector<std::size_t>> contracts;  // by strike
  for (std::size_t i = 0; i < book.contracts(); ++i) contracts[book.strike[i]].push_back(i);
  for (std::size_t v = 0; v < job.grid.iv_shift.size(); ++v) {
    for (std::size_t j = 0; j < job.at.size(); ++j) {
      const double spot = job.at[j];
      const std::vector<double> gamma = gammas(job, spot, job.grid.iv_shift[v]);
      for (std::size_t w = 0; w < job.positions; ++w) {
        const auto sum = [&](const std::vector<std::size_t>& of_strike, int right) {
          double total = 0.0;
          for (const std::size_t i : of_strike) {
            if (book.right[i] == right) total += book.weight[w * book.contracts() + i] * gamma[i];
          }
          return total;
        };
        Wall call, put;
        for (auto k = contracts.lower_bound(spot); k != contracts.end(); ++k) call.see(k->first, sum(k->second, 1));
        for (auto k = contracts.upper_bound(spot); k != contracts.begin();) {
          --k;
          put.see(k->first, sum(k->second, -1));
        }
        const std::size_t cell = (w * job.grid.iv_shift.size() + v) * job.at.size() + j;
        job.call_wall[cell] = call.strike;
        job.put_wall[cell] = put.strike;
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
  void gamma_walls(std::span<const WallJob> jobs) override {
    for (const WallJob& job : jobs) find_walls(job);
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace greekgrid

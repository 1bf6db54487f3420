#include "greekgrid/host/attribution.hpp"

#include <algorithm>

#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

// What deltas of one contract share.
struct ContractState {
  double right, strike, log_moneyness, rate, dividend_yield;
};

// delta of formulas::black_scholes, to its bits but for the order of the logarithm's terms.
double delta(const ContractState& c, double spot, double log_spot, double sigma, double tau) {
  if (tau < 0.0) return 0.0;
  if (tau == 0.0) return formulas::settled_delta(c.right, spot, c.strike);
  const double deviation = sigma * std::sqrt(tau);
  const double d1 = (c.log_moneyness + log_spot + (c.rate - c.dividend_yield) * tau) / deviation + 0.5 * deviation;
  return c.right * std::exp(-c.dividend_yield * tau) * formulas::normal_distribution(c.right * d1);
}

}  // namespace

void Attribution::append(const Attribution& other) {
  by_expiry.insert(by_expiry.end(), other.by_expiry.begin(), other.by_expiry.end());
  by_strike.insert(by_strike.end(), other.by_strike.begin(), other.by_strike.end());
}

Attribution attribute(const BookView& book, std::size_t positions, Instant quote_time, double iv_floor,
                      std::span<const double> strike, std::span<const Move> moves) {
  const std::size_t n = book.contracts(), row = moves.size() * kAttributionTerms;
  Attribution out;
  out.by_expiry.resize(book.expiries() * positions * row);
  out.by_strike.resize(strike.size() * positions * row);
  const double basis = std::exp(book.spot_basis), spot = book.spot * basis;
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const double tau0 = static_cast<double>(book.settlement[e] - quote_time) / kSecondsPerYear;
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      const auto k = static_cast<std::size_t>(std::lower_bound(strike.begin(), strike.end(), book.strike[i] - 5e-4) -
                                              strike.begin());
      const ContractState contract = {static_cast<double>(book.right[i]), book.strike[i],
                                      formulas::log_moneyness(book.spot, book.strike[i]) + book.spot_basis,
                                      book.rate[e], book.dividend_yield[e]};
      const double sigma0 = std::max(iv_floor, book.implied_volatility[i]);
      const double start = delta(contract, spot, 0.0, sigma0, tau0);
      for (std::size_t a = 0; a < moves.size(); ++a) {
        const Move& move = moves[a];
        const double x = move.log_spot, moved = spot * std::exp(x);
        const double sigma1 = std::max(iv_floor, book.implied_volatility[i] + move.iv_shift);
        const double tau1 = static_cast<double>(book.settlement[e] - move.time) / kSecondsPerYear;
        // Changes against the start, so that far contracts cancel here and not in sums.
        const double s = delta(contract, moved, x, sigma0, tau0) - start;
        const double v = delta(contract, spot, 0.0, sigma1, tau0) - start;
        const double t = delta(contract, spot, 0.0, sigma0, tau1) - start;
        const double sv = delta(contract, moved, x, sigma1, tau0) - start - s - v;
        const double st = delta(contract, moved, x, sigma0, tau1) - start - s - t;
        const double vt = delta(contract, spot, 0.0, sigma1, tau1) - start - v - t;
        const double total = delta(contract, moved, x, sigma1, tau1) - start;
        const double terms[kAttributionTerms] = {total, s, v, t, sv, st, vt, total - s - v - t - sv - st - vt};
        for (std::size_t w = 0; w < positions; ++w) {
          const double weight = book.weight[w * n + i] * basis;
          double* expiry = &out.by_expiry[(e * positions + w) * row + a * kAttributionTerms];
          double* at_strike = &out.by_strike[(k * positions + w) * row + a * kAttributionTerms];
          for (std::size_t term = 0; term < kAttributionTerms; ++term) {
            expiry[term] += weight * terms[term];
            at_strike[term] += weight * terms[term];
          }
        }
      }
    }
  }
  return out;
}

}  // namespace greekgrid

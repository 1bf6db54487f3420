#include "greekgrid_test/walls.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/formulas/iv_shift.hpp"

namespace greekgrid::test {
namespace {

// The sum of a strike, and how far two honest evaluations of it may lie apart.
struct Sum {
  double value = 0.0;
  double uncertain = 0.0;
};

// Per contract: d1 is known to the roundings of ln(S/K) and ln(S/S0) over sigma sqrt(tau), and to those of the
// volatility, which the rules leave with some 40 eps at the floor; the density answers with d1 times that. A polynomial
// for the exponential adds 4e-14. Densities below 1e-307 need not be there.
Sum sum_of(const WallCase& of, std::size_t w, double shift, double spot, double strike, int right) {
  constexpr double kEps = std::numeric_limits<double>::epsilon();
  const Book& book = of.book;
  const double x = formulas::log_moneyness(spot, book.spot);
  Sum sum;
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const double tau = static_cast<double>(book.settlement[e] - of.time) / kSecondsPerYear;
    if (tau <= 0.0) continue;
    const double tau0 = static_cast<double>(book.settlement[e] - kQuoteTime) / kSecondsPerYear;
    const double carry = book.rate[e] - book.dividend_yield[e];
    const double scale =
        of.iv_shift_term == IvShiftTerm::kFlat ? 1.0 : formulas::sqrt_time_scale(tau0, of.iv_shift_term_cap);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      if (book.strike[i] != strike || book.right[i] != right) continue;
      double sigma = book.implied_volatility[i];
      if (of.iv_rule == IvRule::kRelativeBeta) sigma *= 1.0 - of.iv_rule_parameter * x;
      if (of.iv_rule == IvRule::kSkewStickiness) {
        const double k = -(formulas::log_moneyness(book.spot, strike) + book.spot_basis + carry * tau0);
        sigma += formulas::skew_stickiness_move(book.smile[e], k, of.iv_rule_parameter, x);
      }
      sigma = std::max(of.iv_floor, sigma + shift * scale);
      const double synthetic = spot * std::exp(book.spot_basis);
      const double gamma = formulas::black_scholes<double>({static_cast<double>(right), synthetic, strike, book.rate[e],
                                                            book.dividend_yield[e], sigma, tau})
                               .gamma;
      const double s = sigma * std::sqrt(tau);
      const double m = formulas::log_moneyness(synthetic, strike) + carry * tau;
      const double d = m / s + 0.5 * s;
      const double of_d = 8.0 * kEps * (1.0 + std::abs(m) + std::abs(x)) / s + 40.0 * kEps * (std::abs(m) / s + s);
      const double weight = book.weight[w][i];
      sum.value += weight * gamma;
      sum.uncertain += std::abs(weight) * gamma * (1e-13 + (1.0 + std::abs(d)) * of_d);
      sum.uncertain += std::abs(weight) * 1e-307 / (s * spot);
    }
  }
  return sum;
}

// splitmix64 in [0, 1): the same numbers everywhere.
struct Uniform {
  std::uint64_t state;
  double operator()() {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }
};

void add_random_strikes(Book& book, std::size_t expiries, const std::vector<double>& strikes, std::size_t positions) {
  Uniform uniform{77};
  for (std::size_t e = 0; e < expiries; ++e) {
    book.add_expiry(kQuoteTime + static_cast<std::int64_t>(86400 * (1 + 7 * e)), 0.05, 0.02);
    for (const double strike : strikes) {
      for (const int right : {1, -1}) {
        std::vector<double> weights;
        for (std::size_t w = 0; w < positions; ++w) weights.push_back(std::round(2000.0 * (uniform() - 0.5)) * 100.0);
        book.add(strike, right, 0.15 + 0.2 * uniform(), weights);
      }
    }
  }
}

WallCase follow_smile(WallCase c, double stickiness) {
  c.book.add_smiles();
  c.iv_rule = IvRule::kSkewStickiness;
  c.iv_rule_parameter = stickiness;
  return c;
}

}  // namespace

WallJob WallCase::job(std::span<double> call_wall, std::span<double> put_wall) const {
  WallJob job;
  job.book = book.view();
  job.grid.quote_time = kQuoteTime;
  job.grid.iv_shift = iv_shift;
  job.grid.iv_rule = iv_rule;
  job.grid.iv_rule_parameter = iv_rule_parameter;
  job.grid.iv_shift_term = iv_shift_term;
  job.grid.iv_shift_term_cap = iv_shift_term_cap;
  job.grid.iv_floor = iv_floor;
  job.time = time;
  job.at = at;
  job.positions = positions();
  job.call_wall = call_wall;
  job.put_wall = put_wall;
  return job;
}

std::vector<double> uneven_spots(const Book& book, std::size_t count, double half_width) {
  std::vector<double> spots;
  for (std::size_t j = 0; j < count; ++j) {
    const double u = count > 1 ? 2.0 * static_cast<double>(j) / static_cast<double>(count - 1) - 1.0 : 0.0;
    spots.push_back(book.spot * std::exp(half_width * (0.4 * u + 0.6 * u * u * u)));
  }
  return spots;
}

std::vector<WallCase> wall_cases() {
  std::vector<WallCase> all;
  const auto add = [&all](const char* name, WallCase c, std::size_t spots, double half_width) {
    c.name = name;
    if (c.at.empty()) c.at = uneven_spots(c.book, spots, half_width);
    all.push_back(std::move(c));
  };
  const auto index_like = [](std::size_t contracts, std::size_t positions) {
    WallCase c;
    c.book = index_like_book(contracts, positions);
    c.iv_shift = {-0.04, 0.0, 0.05};
    return c;
  };
  add("index_like", index_like(800, 1), 61, 0.15);
  add("three_positions", index_like(300, 3), 45, 0.1);
  add("seven_positions", index_like(200, 7), 37, 0.1);
  {
    WallCase c = index_like(300, 2);
    c.book.spot_basis = 0.0023;
    c.time = kQuoteTime + 86400;
    add("spot_basis_a_day_later", c, 33, 0.1);
    c.iv_rule = IvRule::kRelativeBeta;
    c.iv_rule_parameter = 10.0;
    add("relative_beta", c, 67, 0.08);
    c.iv_rule_parameter = 0.0;
    add("relative_beta_of_0", c, 33, 0.08);
    for (const auto& [name, stickiness] :
         {std::pair{"sticky_moneyness", 0.0}, std::pair{"sticky_local_volatility", 2.0},
          std::pair{"stickiness_of_one", 1.0}, std::pair{"stickiness_of_-10", -10.0}}) {
      add(name, follow_smile(c, stickiness), 67, 0.08);
    }
  }
  {
    WallCase c = index_like(300, 1);
    c.iv_shift = {-0.1, -0.02, 0.0, 0.02};
    c.iv_shift_term = IvShiftTerm::kSqrtTime;
    c.iv_shift_term_cap = 4.0;
    c.iv_floor = 0.12;
    add("sqrt_time_shift_on_the_floor", c, 41, 0.1);
    c.iv_rule = IvRule::kRelativeBeta;
    c.iv_rule_parameter = 4.0;
    add("sqrt_time_shift_and_relative_beta", c, 41, 0.1);
    add("sqrt_time_shift_and_sticky_moneyness", follow_smile(c, 0.0), 41, 0.1);
  }
  {
    // Settled before the instant, at it, minutes and hours after it.
    WallCase c;
    c.time = kQuoteTime + 7200;
    c.iv_shift = {-0.05, 0.0, 0.1};
    for (const int minutes : {30, 120, 123, 180, 390}) {
      c.book.add_expiry(kQuoteTime + minutes * 60, 0.05, 0.02);
      for (int i = -20; i <= 20; ++i) {
        c.book.add(100.0 + 0.5 * i, i % 2 == 0 ? 1 : -1, 0.2 - 0.01 * i + 0.001 * i * i, {1e6 + 13.0 * i * minutes});
      }
    }
    add("0dte", c, 301, 0.06);
    c.iv_floor = 0.03;
    add("0dte_sticky_moneyness", follow_smile(c, 0.0), 301, 0.06);
  }
  {
    WallCase c;
    c.book.add_expiry(kQuoteTime - 60, 0.05, 0.02);
    c.book.add(100.0, 1, 0.2, {100.0});
    c.book.add_expiry(kQuoteTime, 0.05, 0.02);
    c.book.add(101.0, -1, 0.2, {100.0});
    add("all_settled", c, 5, 0.1);
  }
  {
    // Sums of many expiries at few strikes, some of them at spots, whose signs cancel for the most part.
    WallCase c;
    add_random_strikes(c.book, 14, {90.0, 95.0, 97.5, 100.0, 102.5, 105.0, 110.0}, 2);
    c.at = {85.0, 90.0, 92.0, 95.0, 97.5, 99.0, 100.0, 100.1, 102.5, 105.0, 109.0, 110.0, 115.0};
    c.iv_shift = {-0.05, 0.0};
    add("equal_strikes_across_expiries_at_the_spots", c, 0, 0.0);
    add("equal_strikes_sticky_local_volatility", follow_smile(c, 2.0), 0, 0.0);
  }
  {
    WallCase c;
    c.book.add_expiry(kQuoteTime + 86400, 0.04, 0.01);
    c.book.add(101.0, -1, 0.2, {100.0});
    c.at = {100.0};
    add("one_contract_above", c, 0, 0.0);
    c.at = {99.0, 101.0, 102.0};
    add("one_contract", c, 0, 0.0);
    add("one_contract_sticky_moneyness", follow_smile(c, 0.0), 0, 0.0);
  }
  {
    WallCase c = index_like(100, 2);
    for (auto& right : c.book.right) right = 1;
    add("no_puts", c, 21, 0.1);
    for (auto& right : c.book.right) right = -1;
    add("no_calls", c, 21, 0.1);
  }
  {
    WallCase c;
    c.book.add_expiry(kQuoteTime + 9 * 86400, 0.01, 0.0);
    c.book.add(100.0, -1, 0.2, {0.0, 0.0});
    c.book.add(101.0, 1, 0.2, {0.0, 3.0});
    add("a_position_without_weight", c, 17, 0.1);
    c.book.weight[1] = {0.0, 0.0};
    add("no_weight", c, 17, 0.1);
  }
  {
    WallCase c;
    c.book.weight.resize(1);
    add("no_contracts", c, 17, 0.1);
    add("no_contracts_sticky_moneyness", follow_smile(c, 0.0), 17, 0.1);
  }
  {
    WallCase c;
    c.book.add_expiry(kQuoteTime + 30 * 86400, 0.05, 0.03);
    for (double k : {0.01, 1.0, 20.0, 90.0, 100.0, 500.0, 1e5}) {
      c.book.add(k, 1, 0.2, {1000.0});
      c.book.add(k, -1, 3.0, {-700.0});
    }
    c.book.add_expiry(kQuoteTime + 3 * 365 * 86400LL, 0.05, 0.03);
    for (double k : {20.0, 90.0, 100.0, 400.0}) c.book.add(k, -1, 11.0, {900.0});
    add("deep_wings_and_extreme_volatility", c, 33, 6.0);
    add("deep_wings_sticky_moneyness", follow_smile(c, 0.5), 33, 0.5);
  }
  {
    WallCase c = index_like(3000, 1);
    add("many_contracts", c, 5, 0.1);
    c.iv_rule = IvRule::kRelativeBeta;
    c.iv_rule_parameter = 4.0;
    add("many_contracts_relative_beta", c, 5, 0.1);
  }
  {
    WallCase c = index_like(60, 1);
    c.iv_shift.clear();
    add("no_shifts", c, 5, 0.1);
    c = index_like(60, 1);
    c.name = "no_spots";
    all.push_back(c);
  }
  return all;
}

WallTie wall_tie(int right) {
  // S/K and its logarithm have fewer places between 2 and 4 than strikes below a power of two.
  WallTie tie;
  const double spot = right > 0 ? 100.0 : 200.0;
  double strike = right > 0 ? 250.0 : 63.0;
  double next = std::nextafter(strike, 1e9);
  while (formulas::log_moneyness(spot, strike) != formulas::log_moneyness(spot, next)) {
    strike = next;
    next = std::nextafter(strike, 1e9);
  }
  tie.nearer = right > 0 ? strike : next;
  tie.farther = right > 0 ? next : strike;
  WallCase& c = tie.tied;
  c.name = right > 0 ? "tied_calls" : "tied_puts";
  c.book.spot = spot;
  c.book.add_expiry(kQuoteTime + 365 * 86400, 0.05, 0.02);
  for (const double k : {strike, next}) c.book.add(k, right, 0.8, {1000.0, -70.0});
  c.at = {spot};
  return tie;
}

WallCase cancelling_walls(IvRule rule) {
  WallCase c;
  c.name = "cancelling";
  c.iv_rule = rule;
  c.iv_rule_parameter = 0.5;
  c.book.add_expiry(kQuoteTime + 30 * 86400, 0.05, 0.02);
  for (const double k : {101.0, 102.0, 103.3}) {
    c.book.add(k, 1, 0.213, {123.0, 7.0});
    c.book.add(k, 1, 0.213, {-123.0, 7.0});
  }
  c.book.add_smiles();
  c.at = {97.0, 99.0, 100.3};
  c.iv_shift = {-0.013, 0.0, 0.017};
  return c;
}

std::vector<WallCase> close_walls(IvRule rule) {
  Uniform uniform{5};
  std::vector<WallCase> all;
  for (int n = 0; n < 200; ++n) {
    WallCase c;
    c.name = "close_" + std::to_string(n);
    c.iv_rule = rule;
    c.iv_rule_parameter = rule == IvRule::kRelativeBeta ? 2.0 : 0.0;
    c.book.spot_basis = 0.002 * uniform();
    c.iv_shift = {0.04 * (uniform() - 0.5)};
    c.at = {c.book.spot * std::exp(0.1 * (uniform() - 0.5))};
    const double days = 1.0 + 60.0 * uniform();
    const double deviation = 0.2 * std::sqrt(days / 365.0);
    for (int k = 0; k < 2; ++k) {
      c.book.add_expiry(kQuoteTime + static_cast<std::int64_t>(86400.0 * days * (1 + k)), 0.05, 0.02 + 0.01 * k);
      for (const int right : {1, -1}) {
        const double distance = right * deviation * (k + uniform());
        c.book.add(c.at[0] * std::exp(distance), right, 0.15 + 0.1 * uniform(), {1.0});
      }
    }
    c.book.add_smiles();
    for (const std::size_t i : {0U, 1U}) {
      const auto gamma = [&](std::size_t of) {
        return sum_of(c, 0, c.iv_shift[0], c.at[0], c.book.strike[of], c.book.right[of]).value;
      };
      const double scale = 1e3 / gamma(i);
      c.book.weight[0][i + 2] = 1e3 / gamma(i + 2) * (n % 2 == 0 ? 1.0 + 3e-12 : 1.0 - 3e-12);
      c.book.weight[0][i] = n % 3 == 0 ? -scale : scale;
    }
    all.push_back(std::move(c));
  }
  return all;
}

Walls find_walls(Backend& backend, const WallCase& of) {
  Walls walls{std::vector<double>(of.cells(), -1.0), std::vector<double>(of.cells(), -1.0)};
  const WallJob job = of.job(walls.call, walls.put);
  backend.gamma_walls({&job, 1});
  return walls;
}

bool same_walls(const Walls& a, const Walls& b) {
  const auto same = [](const std::vector<double>& p, const std::vector<double>& q) {
    return std::equal(p.begin(), p.end(), q.begin(), q.end(),
                      [](double u, double v) { return (std::isnan(u) && std::isnan(v)) || u == v; });
  };
  return same(a.call, b.call) && same(a.put, b.put);
}

WallDeviation compare_walls(const Walls& actual, const Walls& expected, const WallCase& of) {
  WallDeviation worst;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const int right : {1, -1}) {
    const std::vector<double>& found = right > 0 ? actual.call : actual.put;
    const std::vector<double>& wanted = right > 0 ? expected.call : expected.put;
    if (found.size() != of.cells() || wanted.size() != of.cells()) {
      worst.in_tolerance = infinity;
      worst.where = "sizes";
      return worst;
    }
    for (std::size_t cell = 0; cell < wanted.size(); ++cell) {
      const double a = found[cell], b = wanted[cell];
      worst.walls += std::isnan(b) ? 0 : 1;
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
      ++worst.different;
      const std::size_t j = cell % of.at.size();
      const std::size_t v = cell / of.at.size() % of.iv_shift.size();
      const std::size_t w = cell / of.at.size() / of.iv_shift.size();
      double deviation = 0.0;
      if (!std::isnan(a)) {
        bool is_strike = false;
        for (std::size_t i = 0; i < of.book.strike.size(); ++i) {
          is_strike = is_strike || (of.book.strike[i] == a && of.book.right[i] == right);
        }
        if (!is_strike || right * a < right * of.at[j]) deviation = infinity;
      }
      const auto sum = [&](double strike) {
        return std::isnan(strike) ? Sum{} : sum_of(of, w, of.iv_shift[v], of.at[j], strike, right);
      };
      const Sum of_a = sum(a), of_b = sum(b);
      const double lost = std::abs(of_b.value) - std::abs(of_a.value);
      if (lost > 0.0) deviation = std::max(deviation, lost / (of_a.uncertain + of_b.uncertain));
      if (deviation > worst.in_tolerance) {
        worst.in_tolerance = deviation;
        worst.where = std::string(right > 0 ? "call" : "put") + " wall of position " + std::to_string(w) + ", shift " +
                      std::to_string(of.iv_shift[v]) + ", spot " + std::to_string(of.at[j]) + ": " + std::to_string(a) +
                      " (" + std::to_string(of_a.value) + ") for " + std::to_string(b) + " (" +
                      std::to_string(of_b.value) + ")";
      }
    }
  }
  return worst;
}

}  // namespace greekgrid::test

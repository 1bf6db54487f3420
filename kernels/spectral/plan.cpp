#include "spectral/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace greekgrid::spectral {
namespace {

constexpr double kPi = std::numbers::pi;

// ln of a bound on sup over x of |He_m(x + iy)| e^{-x^2/2} at Y = y^2. With R = x^2 + Y it is p(R) e^{(Y-R)/2}, which
// rises up to where 2 p' = p and falls from there on.
double log_hermite(int order, double y_squared) {
  const double peak = order == 1 ? 1.0 : order == 2 ? 1.0 : std::sqrt(10.0) - 1.0;
  const double r = std::max(y_squared, peak);
  const double size = order == 1 ? std::sqrt(r) : order == 2 ? r + 1.0 : r * r + 6.0 * r + 3.0;
  return std::log(size) + 0.5 * (y_squared - r);
}

double log_bound(std::size_t nodes, double width, int order, double rho) {
  const double beta = 0.5 * (rho - 1.0 / rho);
  const double y2 = beta * beta * width * width;
  return std::log(4.0 / (rho - 1.0)) - static_cast<double>(nodes - 1) * std::log(rho) + 0.5 * y2 +
         log_hermite(order, y2) - 0.5 * std::log(2.0 * kPi);
}

}  // namespace

std::uint32_t needed_families(GreekSet greeks) {
  std::uint32_t families = 0;
  for (const Term& term : kTerms) {
    if (greeks.contains(greek_of(term.function))) families |= 1U << term.family;
  }
  return families;
}

std::uint32_t needed_tops(std::uint32_t families) {
  std::uint32_t tops = 0;
  for (int f = 0; f < kFamilyCount; ++f) {
    if ((families >> f & 1U) != 0) tops |= 1U << top_of(static_cast<Family>(f));
  }
  return tops;
}

std::array<double, kFamilyCount> family_factors(double tau, double rate, double dividend_yield) {
  const double h = 0.5 / tau;
  const double root = std::sqrt(tau);
  return {1.0,
          dividend_yield,
          rate,
          tau,
          root,
          tau * root,
          h,
          tau,
          tau * root,
          root * (dividend_yield - 2.0 * h),
          root * (rate - dividend_yield),
          root * h};
}

void Anchors::add(const std::array<double, kFamilyCount>& factor, double rate, const AnchorSums& sums) {
  const std::array<std::array<double, 3>, kTopCount> integral = {{
      {sums.h10, sums.c1, 0.0},
      {sums.h11, sums.h00, 0.0},
      {sums.h01, sums.hm10, 0.0},
      {sums.h13, sums.h02, sums.hm11},
  }};
  for (std::size_t f = 0; f < kFamilyCount; ++f) {
    for (std::size_t k = 0; k < 3; ++k) of[f][k] += factor[f] * integral[top_of(static_cast<Family>(f))][k];
  }
  c2 += rate * sums.c2;
}

std::vector<Function> functions_of(GreekSet greeks) {
  std::vector<Function> functions;
  for (const Greek greek : kAllGreeks) {
    if (greeks.contains(greek)) functions.push_back(static_cast<Function>(greek));
  }
  if (greeks.contains(Greek::kTheta)) functions.push_back(kFThetaBond);
  return functions;
}

double node_error_bound(std::size_t nodes, double width, int order) {
  // Least over rho by golden section in ln(rho - 1): the bound falls, then rises.
  double low = std::log(1e-3);
  double high = std::log(1e3);
  constexpr double kGolden = 0.6180339887498949;
  const auto at = [&](double z) { return log_bound(nodes, width, order, 1.0 + std::exp(z)); };
  double left = high - kGolden * (high - low);
  double right = low + kGolden * (high - low);
  double f_left = at(left);
  double f_right = at(right);
  for (int i = 0; i < 40; ++i) {
    if (f_left < f_right) {
      high = right, right = left, f_right = f_left;
      left = high - kGolden * (high - low);
      f_left = at(left);
    } else {
      low = left, left = right, f_left = f_right;
      right = low + kGolden * (high - low);
      f_right = at(right);
    }
  }
  return std::exp(std::min(f_left, f_right));
}

double widest(std::size_t nodes, double error, int order) {
  double low = 0.0;
  double high = static_cast<double>(nodes);
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (node_error_bound(nodes, middle, order) <= error ? low : high) = middle;
  }
  return low;
}

// Newton's iteration for the inverse of 2 T_degree(node) from one that is off by the rounding of nodes: its error is
// squared each time. `inverse` (node, degree) is the transpose of what a matrix of values is multiplied with.
static void refine(const std::vector<double>& node, std::size_t parity, std::vector<double>& inverse) {
  const std::size_t half = node.size() / 2;
  std::vector<double> value(half * half), residual(half * half), refined(half * half);
  for (std::size_t k = 0; k < half; ++k) {
    for (std::size_t m = 0; m < half; ++m) {
      value[k * half + m] = 2.0 * std::cos(static_cast<double>(2 * m + parity) * std::acos(node[k]));
    }
  }
  for (int step = 0; step < 2; ++step) {
    // residual (k, l) = sum over degrees of value (k, m) inverse (l, m).
    for (std::size_t k = 0; k < half; ++k) {
      for (std::size_t l = 0; l < half; ++l) {
        double sum = 0.0;
        for (std::size_t m = 0; m < half; ++m) sum += value[k * half + m] * inverse[l * half + m];
        residual[k * half + l] = (k == l ? 2.0 : 0.0) - sum;
      }
    }
    std::fill(refined.begin(), refined.end(), 0.0);
    for (std::size_t k = 0; k < half; ++k) {
      for (std::size_t l = 0; l < half; ++l) {
        for (std::size_t m = 0; m < half; ++m) {
          refined[l * half + m] += inverse[k * half + m] * residual[k * half + l];
        }
      }
    }
    inverse = refined;
  }
}

Level make_level(std::size_t nodes, bool single) {
  Level level;
  level.nodes = nodes;
  const std::size_t half = nodes / 2;
  const auto n = static_cast<double>(nodes);
  for (std::size_t k = 0; k < nodes; ++k) level.node.push_back(std::cos(kPi * (static_cast<double>(k) + 0.5) / n));
  // Exactly symmetric, as the split by parity takes them to be.
  for (std::size_t k = 0; k < half; ++k) level.node[nodes - 1 - k] = -level.node[k];
  level.even.resize(half * half);
  level.odd.resize(half * half);
  for (std::size_t k = 0; k < half; ++k) {
    for (std::size_t m = 0; m < half; ++m) {
      const auto coefficient = [&](std::size_t degree) {
        const std::size_t turn = degree * (2 * k + 1) % (4 * nodes);
        return (degree == 0 ? 1.0 : 2.0) / n * std::cos(kPi * static_cast<double>(turn) / (2.0 * n));
      };
      level.even[k * half + m] = coefficient(2 * m);
      level.odd[k * half + m] = coefficient(2 * m + 1);
    }
  }
  if (single) {
    for (double& node : level.node) node = static_cast<float>(node);
    refine(level.node, 0, level.even);
    refine(level.node, 1, level.odd);
  }
  return level;
}

Expansion make_expansion(std::size_t spots) {
  Expansion expansion;
  expansion.spots = spots;
  expansion.half = (spots + 1) / 2;
  const std::size_t half = expansion.half;
  expansion.even.resize(kCoefficients / 2 * half);
  expansion.odd.resize(kCoefficients / 2 * half);
  for (std::size_t m = 0; m < half; ++m) {
    const double last = static_cast<double>(spots - 1);
    const double t = (2.0 * static_cast<double>(m + spots / 2) - last) / last;
    double before = 1.0;
    double here = t;
    for (std::size_t k = 0; k < kCoefficients; k += 2) {
      expansion.even[k / 2 * half + m] = before;
      expansion.odd[k / 2 * half + m] = here;
      before = 2.0 * t * here - before;
      here = 2.0 * t * before - here;
    }
  }
  return expansion;
}

Interval interval_of(const GridView& grid) {
  const double half_width = 0.5 * static_cast<double>(grid.spots - 1) * grid.log_spot_step;
  return {grid.log_spot_begin + half_width, half_width};
}

std::vector<double> growth_coefficients(double half_width) {
  // 2 I_k(L), I_0(L) for k = 0, by the power series: L is a few units at the most.
  std::vector<double> coefficients;
  double lead = 1.0;  // (L/2)^k / k!
  for (int k = 0; k < 100; ++k) {
    double term = lead;
    double sum = 0.0;
    for (int m = 1; sum + term != sum; ++m) {
      sum += term;
      term *= 0.25 * half_width * half_width / (m * static_cast<double>(m + k));
    }
    coefficients.push_back(k == 0 ? sum : 2.0 * sum);
    if (coefficients.back() < 1e-17 * coefficients.front()) break;
    lead *= 0.5 * half_width / (k + 1);
  }
  return coefficients;
}

CombinePlan make_combine_plan(GreekSet greeks, double basis_factor, double lowest_spot, double highest_spot) {
  CombinePlan plan;
  plan.greeks = greeks;
  plan.families = needed_families(greeks);
  for (const Function function : functions_of(greeks)) {
    const Greek greek = greek_of(function);
    const int power = spot_power(function);
    const double largest = power > 0 ? highest_spot : std::pow(lowest_spot, power);
    const std::size_t begin = plan.term.size();
    for (const Term& term : kTerms) {
      if (term.function != function) continue;
      const double factor = term.factor * std::pow(basis_factor, spot_order(greek));
      const double scale = std::abs(factor) * largest;
      plan.term.push_back({term.family, term.depth, factor, scale});
      plan.depth[term.family] = std::max(plan.depth[term.family], term.depth);
    }
    plan.function.push_back({function, greeks.index(greek), largest, begin, plan.term.size()});
  }
  return plan;
}

void error_scales(const CombinePlan& plan, const Magnitudes& magnitudes, const std::array<double, kTopCount>& unit,
                  int power, double* scale) {
  std::fill_n(scale, plan.greeks.size(), 0.0);
  for (const CombinePlan::PlannedFunction& function : plan.function) {
    for (std::size_t k = function.begin; k < function.end; ++k) {
      const CombinePlan::PlannedTerm& term = plan.term[k];
      const double magnitude =
          function.function == kFThetaBond ? magnitudes.c2 : magnitudes.of[term.family][term.depth];
      const double size = term.scale * unit[top_of(term.family)];
      scale[function.greek] += power == 1 ? size * magnitude : size * size * magnitude;
    }
  }
  if (power == 1) return;
  for (std::size_t g = 0; g < plan.greeks.size(); ++g) scale[g] = std::sqrt(scale[g]);
}

}  // namespace greekgrid::spectral

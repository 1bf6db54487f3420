// Compiled with -Ofast for this very processor (see CMakeLists.txt): the loops over contracts are the compiler's to
// vectorise, and tests look for the vector functions that it then calls. Includes C headers alone: what -Ofast makes
// of an inline function must not be taken for it elsewhere.

#include "libmvec_baseline.hpp"

#include <math.h>
#include <stdlib.h>

namespace greekgrid::bench {
namespace {

// What does not depend on spot, computed once a call, as anyone would.
struct Prepared {
  double *constant, *per_deviation, *deviation, *asset, *bond;
};

Prepared prepare(const OptionColumns& o, double* memory) {
  const Prepared p = {memory, memory + o.count, memory + 2 * o.count, memory + 3 * o.count, memory + 4 * o.count};
  for (size_t i = 0; i < o.count; ++i) {
    const double s = o.sigma[i] * sqrt(o.tau[i]);
    p.deviation[i] = s;
    p.per_deviation[i] = 1.0 / s;
    p.constant[i] = (o.rate[i] - o.dividend_yield[i]) * o.tau[i] - log(o.strike[i]) + 0.5 * s * s;
    p.asset[i] = o.weight[i] * exp(-o.dividend_yield[i] * o.tau[i]);
    p.bond[i] = o.weight[i] * exp(-o.rate[i] * o.tau[i]) * o.strike[i];
  }
  return p;
}

template <int kGreeks>
void add_up(const OptionColumns& o, const double* spot, size_t spots, double* sums) {
  double* const memory = static_cast<double*>(malloc(5 * o.count * sizeof(double)));
  const Prepared p = prepare(o, memory);
  const double kRoot = 0.70710678118654752440, kDensity = 0.39894228040143267794;
  for (size_t j = 0; j < spots; ++j) {
    const double S = spot[j], log_S = log(S), per_S = 1.0 / S;
    double delta = 0, gamma = 0, charm = 0, vanna = 0, speed = 0, zomma = 0, color = 0, vega = 0, vomma = 0, ultima = 0,
           theta = 0;
    for (size_t i = 0; i < o.count; ++i) {
      const double s = p.deviation[i], a = p.per_deviation[i], tau = o.tau[i], q = o.dividend_yield[i];
      const double d1 = (log_S + p.constant[i]) * a, d2 = d1 - s;
      const double n = p.asset[i] * kDensity * exp(-0.5 * d1 * d1);
      const double N = p.asset[i] * o.right[i] * 0.5 * erfc(-o.right[i] * d1 * kRoot);
      const double half = 0.5 / tau;
      const double drift = (2.0 * (o.rate[i] - q) * tau - d2 * s) * a;
      const double g = n * a * per_S;
      delta += N;
      gamma += g;
      charm += q * N - n * half * drift;
      if (kGreeks == 3) continue;
      const double r = 1.0 / o.sigma[i];
      const double v = S * n * s * r;
      const double dd = d1 * d2;
      const double B = p.bond[i] * o.right[i] * 0.5 * erfc(-o.right[i] * d2 * kRoot);
      vanna -= n * d2 * r;
      speed -= g * per_S * (d1 * a + 1.0);
      zomma += g * (dd - 1.0) * r;
      color += g * half * (2.0 * q * tau + 1.0 + d1 * drift);
      vega += v;
      vomma += v * dd * r;
      ultima -= v * r * r * (dd * (1.0 - dd) + d1 * d1 + d2 * d2);
      theta += q * S * N - o.rate[i] * B - S * n * s * half;
    }
    const double all[] = {delta, gamma, charm, vanna, speed, zomma, color, vega, vomma, ultima, theta};
    for (int k = 0; k < kGreeks; ++k) sums[static_cast<size_t>(k) * spots + j] = all[k];
  }
  free(memory);
}

}  // namespace

void libmvec_sums_3(const OptionColumns& options, const double* spot, size_t spots, double* sums) {
  add_up<3>(options, spot, spots, sums);
}
void libmvec_sums_11(const OptionColumns& options, const double* spot, size_t spots, double* sums) {
  add_up<11>(options, spot, spots, sums);
}

}  // namespace greekgrid::bench

#include "moments.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device_math.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

/// Moments of one contract, straight from their definition.
cuda::Moments<double> moments_of(const formulas::OptionState<double>& o) {
  const double total = o.sigma * std::sqrt(o.tau);
  const double a = 1.0 / total;
  const double d = (formulas::log_moneyness(o.spot, o.strike) + (o.rate - o.dividend_yield) * o.tau) * a + 0.5 * total;
  const double u = std::exp(-o.dividend_yield * o.tau);
  const double e = std::exp(-0.5 * d * d);
  cuda::Moments<double> m;
  m.c1 = u * o.right * formulas::normal_distribution(o.right * d);
  m.c2 = o.strike * std::exp(-o.rate * o.tau) * o.right * formulas::normal_distribution(o.right * (d - total));
  const auto moment = [&](int p, int k) { return u * std::pow(a, p) * e * std::pow(d, k); };
  m.mn_0 = moment(-1, 0), m.mn_1 = moment(-1, 1);
  m.m0_0 = moment(0, 0), m.m0_1 = moment(0, 1), m.m0_2 = moment(0, 2);
  m.m1_0 = moment(1, 0), m.m1_1 = moment(1, 1), m.m1_2 = moment(1, 2), m.m1_3 = moment(1, 3);
  m.m2_0 = moment(2, 0), m.m2_1 = moment(2, 1), m.m2_2 = moment(2, 2), m.m2_4 = moment(2, 4);
  return m;
}

TEST(Moments, GiveEveryGreekOfTheClosedForms) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int i = 0; i < 4000; ++i) {
    formulas::OptionState<double> o{};
    o.right = i % 2 == 0 ? 1.0 : -1.0;
    o.spot = 50.0 + 100.0 * unit(random);
    o.sigma = 0.05 + unit(random);
    o.tau = std::exp(-9.0 + 10.0 * unit(random));
    o.rate = 0.1 * unit(random) - 0.02;
    o.dividend_yield = 0.08 * unit(random);
    const double total = o.sigma * std::sqrt(o.tau);
    o.strike = o.spot * std::exp(total * (6.0 * unit(random) - 3.0));
    const auto expected = formulas::black_scholes(o);
    const cuda::ExpiryState state{o.tau, std::sqrt(o.tau), 0.5 / o.tau, o.rate, o.dividend_yield};
    double sum[cuda::kTwelveGreeks] = {};
    cuda::add_exposures<cuda::kTwelveGreeks>(moments_of(o), state, o.spot, 1.0 / o.spot, sum);
    // The size of each Greek's largest term, so that a zero crossing does not ask for more digits than there are.
    const double v = expected.vega, h = state.half_per_tau, s = total;
    const double peak = std::exp(-o.dividend_yield * o.tau) * 0.4;
    const double scale[cuda::kTwelveGreeks] = {1.0,
                                               peak / (o.spot * s),
                                               peak * (h * (1 + s) * 4 + 0.1 / s) + 0.1,
                                               peak * 8 / o.sigma,
                                               peak / (o.spot * o.spot * s) * (1 + 4 / s),
                                               peak / (o.spot * s * o.sigma) * 20,
                                               peak / (o.spot * s) * (1 + h * 20 * (1 + s) + 1 / s),
                                               peak * o.spot * std::sqrt(o.tau),
                                               peak * o.spot * std::sqrt(o.tau) / o.sigma * 20,
                                               peak * o.spot * std::sqrt(o.tau) / (o.sigma * o.sigma) * 200,
                                               peak * o.spot * s * h + 0.1 * (o.spot + o.strike),
                                               peak * o.spot * std::sqrt(o.tau) * (1 + 20 * h * (1 + s) + 1 / s)};
    for (const Greek greek : kAllGreeks) {
      const auto g = static_cast<std::size_t>(greek);
      EXPECT_NEAR(sum[g], expected[greek], 2e-13 * scale[g])
          << name(greek) << " spot " << o.spot << " strike " << o.strike << " sigma " << o.sigma << " tau " << o.tau
          << " vega " << v;
    }
  }
}

TEST(DeviceMath, TailIsTheNormalDistribution) {
  double worst_float = 0.0, worst_double = 0.0;
  for (double v = 0.0; v < 13.0; v += 0.001) {
    const double exact = formulas::normal_distribution(-v);
    const auto f = static_cast<float>(v);
    worst_float =
        std::max(worst_float, std::abs(cuda::bell(f) * cuda::mills(f) - formulas::normal_distribution(-double{f})));
    worst_double = std::max(worst_double, std::abs(cuda::bell(v) * cuda::mills(v) / exact - 1.0) / (1.0 + v * v));
  }
  EXPECT_LE(worst_float, 1.5e-7);
  EXPECT_LE(worst_double, 1e-15);
}

TEST(DeviceMath, VanishesFarOut) {
  for (const float d : {20.0f, 1e6f, 1e18f}) {
    EXPECT_EQ(cuda::bell(d), 0.0f);
    EXPECT_EQ(cuda::bell(-d), 0.0f);
    EXPECT_EQ(cuda::bell(d) * cuda::mills(d), 0.0f);
  }
}

}  // namespace
}  // namespace greekgrid

// The search for gamma walls by backend, IV rule and chain size, beside the loop that anyone would write first over the
// same job in one run. Thread count (0: all) and contracts are arguments; rates of one thread are by its own time, of
// several by the wall clock.
//
//   walls_bench [--benchmark_filter=...] [--benchmark_out=FILE --benchmark_out_format=json]
//
// evals_per_s counts what the definition asks for, whether a backend forms it or can tell that it does not matter: the
// gammas of calls at or above a spot and of puts at or below it, a position model, shift and spot each. pairs_per_s
// counts every contract at every shift and spot, of either side.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid_test/walls.hpp"

namespace greekgrid::bench {
namespace {

using test::WallCase;
using test::Walls;

// What a night asks of each underlying: 301 spots within 15 per cent in the logarithm, 11 shifts.
WallCase night_case(std::size_t contracts, IvRule rule, std::size_t positions = 1) {
  WallCase c;
  c.book = test::index_like_book(contracts, positions);
  c.iv_rule = rule;
  c.iv_rule_parameter = rule == IvRule::kRelativeBeta ? 4.0 : 0.0;
  if (rule == IvRule::kSkewStickiness) c.book.add_smiles();
  c.iv_shift.clear();
  for (int v = -5; v <= 5; ++v) c.iv_shift.push_back(0.01 * v);
  for (int j = -150; j <= 150; ++j) c.at.push_back(c.book.spot * std::exp(0.001 * j));
  return c;
}

void report(benchmark::State& state, const WallCase& c) {
  double evaluations = 0.0;
  for (const double spot : c.at) {
    for (std::size_t i = 0; i < c.book.strike.size(); ++i) {
      evaluations += c.book.right[i] * c.book.strike[i] >= c.book.right[i] * spot ? 1.0 : 0.0;
    }
  }
  const auto rate = [&](double count) {
    const double shifts = static_cast<double>(c.iv_shift.size() * c.positions());
    return benchmark::Counter(count * shifts * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  };
  state.counters["evals_per_s"] = rate(evaluations);
  state.counters["pairs_per_s"] = rate(static_cast<double>(c.book.strike.size() * c.at.size()));
}

void run_backend(benchmark::State& state, Backend& backend, const WallCase& c) {
  if (const BackendStatus status = backend.status(); !status.usable) {
    state.SkipWithError(("skipped: " + status.detail).c_str());
    return;
  }
  const std::size_t threads =
      state.range(0) > 0 ? static_cast<std::size_t>(state.range(0)) : std::max(1U, std::thread::hardware_concurrency());
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
  Walls walls{std::vector<double>(c.cells()), std::vector<double>(c.cells())};
  const WallJob job = c.job(walls.call, walls.put);
  for (auto _ : state) {
    backend.gamma_walls({&job, 1});
    benchmark::ClobberMemory();
  }
  report(state, c);
}

std::size_t contracts_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(1));
}

void BM_WallsCpu(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp64), night_case(contracts_of(state), IvRule::kStickyStrike));
}
BENCHMARK(BM_WallsCpu)->ArgNames({"threads", "contracts"})->Args({1, 240})->Args({1, 1500})->Args({1, 20000});
BENCHMARK(BM_WallsCpu)->ArgNames({"threads", "contracts"})->Args({0, 1500})->UseRealTime();

void BM_WallsCpuRelativeBeta(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp64), night_case(contracts_of(state), IvRule::kRelativeBeta));
}
BENCHMARK(BM_WallsCpuRelativeBeta)->ArgNames({"threads", "contracts"})->Args({1, 1500});

void BM_WallsCpuStickyMoneyness(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp64), night_case(contracts_of(state), IvRule::kSkewStickiness));
}
BENCHMARK(BM_WallsCpuStickyMoneyness)->ArgNames({"threads", "contracts"})->Args({1, 1500})->Args({1, 20000});

void BM_WallsCpuFourPositions(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp64), night_case(contracts_of(state), IvRule::kStickyStrike, 4));
}
BENCHMARK(BM_WallsCpuFourPositions)->ArgNames({"threads", "contracts"})->Args({1, 1500});

void BM_WallsCuda(benchmark::State& state) {
  run_backend(state, *make_cuda_backend(Precision::kFp64), night_case(contracts_of(state), IvRule::kStickyStrike));
}
BENCHMARK(BM_WallsCuda)->ArgNames({"threads", "contracts"})->Args({1, 1500})->UseRealTime();

// Doubles, exp, log and sqrt of libm, one contract and spot after the other; what depends on the contract alone is
// formed once, contracts lie by strike, and the side of a strike where it is no wall is skipped. Sticky strike.
struct ScalarContract {
  double log_forward_strike, sigma, sqrt_tau, weight;
};
struct ScalarStrike {
  double strike;
  std::vector<ScalarContract> contracts;
};

std::vector<ScalarStrike> by_strike(const WallCase& c, int right) {
  std::vector<std::pair<double, ScalarContract>> sorted;
  for (std::size_t e = 0; e < c.book.settlement.size(); ++e) {
    const double tau = static_cast<double>(c.book.settlement[e] - c.time) / kSecondsPerYear;
    const double carry = (c.book.rate[e] - c.book.dividend_yield[e]) * tau;
    for (auto i = static_cast<std::size_t>(c.book.expiry_begin[e]);
         i < static_cast<std::size_t>(c.book.expiry_begin[e + 1]); ++i) {
      if (!(tau > 0.0) || c.book.right[i] != right) continue;
      sorted.push_back({right * c.book.strike[i],
                        {carry - std::log(c.book.strike[i]), c.book.implied_volatility[i], std::sqrt(tau),
                         c.book.weight[0][i] * std::exp(-c.book.dividend_yield[e] * tau)}});
    }
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ScalarStrike> strikes;
  for (const auto& [outward, contract] : sorted) {
    if (strikes.empty() || strikes.back().strike != right * outward) strikes.push_back({right * outward, {}});
    strikes.back().contracts.push_back(contract);
  }
  return strikes;
}

void BM_WallsScalarLoop(benchmark::State& state) {
  const WallCase c = night_case(contracts_of(state), IvRule::kStickyStrike);
  Walls walls{std::vector<double>(c.cells()), std::vector<double>(c.cells())};
  for (auto _ : state) {
    for (const int right : {1, -1}) {
      const std::vector<ScalarStrike> strikes = by_strike(c, right);
      double* wall = (right > 0 ? walls.call : walls.put).data();
      for (const double shift : c.iv_shift) {
        for (const double spot : c.at) {
          const double log_spot = std::log(spot);
          double best = 0.0, found = std::numeric_limits<double>::quiet_NaN();
          for (const ScalarStrike& strike : strikes) {
            if (right * strike.strike < right * spot) continue;
            double sum = 0.0;
            for (const ScalarContract& k : strike.contracts) {
              const double s = std::max(c.iv_floor, k.sigma + shift) * k.sqrt_tau;
              const double d1 = (log_spot + k.log_forward_strike) / s + 0.5 * s;
              sum += k.weight * std::exp(-0.5 * d1 * d1) * 0.39894228040143267794 / (spot * s);
            }
            if (std::abs(sum) > best) {
              best = std::abs(sum);
              found = strike.strike;
            }
          }
          *wall++ = found;
        }
      }
    }
    benchmark::ClobberMemory();
  }
  report(state, c);
  // The two loops are about the same walls.
  const auto expected = test::find_walls(*make_cpu_backend(Precision::kFp64), c);
  state.counters["other_walls"] = static_cast<double>(test::compare_walls(walls, expected, c).different);
}
BENCHMARK(BM_WallsScalarLoop)->ArgNames({"threads", "contracts"})->Args({1, 240})->Args({1, 1500});

}  // namespace
}  // namespace greekgrid::bench

BENCHMARK_MAIN();

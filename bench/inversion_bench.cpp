// Inversion of option prices to volatilities by backend, beside the scalar formula and QuantLib over the same quotes in
// one run. Thread count (0: all) and quotes are arguments; rates of one thread are by its own time, of several by the
// wall clock.
//
//   inversion_bench [--benchmark_filter=...] [--benchmark_out=FILE --benchmark_out_format=json]

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/implied_volatility.hpp"
#include "greekgrid_test/quotes.hpp"
#include "quantlib_baseline.hpp"

namespace greekgrid::bench {
namespace {

using test::Quotes;

constexpr std::size_t kFew = 4096;      // in the cache: what the arithmetic can do
constexpr std::size_t kMany = 1500000;  // a universe: what memory and threads make of it

// Discounted prices over the region where quotes lie: up to 6 deviations from the money, two hours to two years.
const Quotes& quotes_of(std::size_t count) {
  static std::map<std::size_t, Quotes> made;
  Quotes& quotes = made[count];
  if (quotes.size() == 0) quotes = test::session_quotes(count);
  return quotes;
}

// Rate, and the worst error against the volatilities that the prices were made with (NaN counts as infinite).
void report(benchmark::State& state, const Quotes& quotes, const std::vector<double>& sigma) {
  double worst = 0.0;
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    const double error = std::abs(sigma[i] / quotes.sigma[i] - 1.0);
    if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
  }
  state.counters["inversions_per_s"] = benchmark::Counter(
      static_cast<double>(sigma.size()) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["worst_relative_error"] = worst;
}

void run_backend(benchmark::State& state, Backend& backend) {
  if (const BackendStatus status = backend.status(); !status.usable) {
    state.SkipWithError(("skipped: " + status.detail).c_str());
    return;
  }
  const std::size_t threads =
      state.range(0) > 0 ? static_cast<std::size_t>(state.range(0)) : std::max(1U, std::thread::hardware_concurrency());
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
  const Quotes& quotes = quotes_of(static_cast<std::size_t>(state.range(1)));
  std::vector<double> sigma(quotes.size());
  std::vector<formulas::IvStatus> statuses(quotes.size());
  const QuoteView view = quotes.view();
  for (auto _ : state) {
    backend.implied_volatilities(view, sigma, statuses);
    benchmark::ClobberMemory();
  }
  report(state, quotes, sigma);
}

void BM_InversionFormula(benchmark::State& state) {
  run_backend(state, *make_reference_backend());
}
BENCHMARK(BM_InversionFormula)->ArgNames({"threads", "quotes"})->Args({1, kFew});

void BM_InversionCpu(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp64));
}
BENCHMARK(BM_InversionCpu)->ArgNames({"threads", "quotes"})->Args({1, kFew})->Args({1, kMany});
BENCHMARK(BM_InversionCpu)->ArgNames({"threads", "quotes"})->Args({0, kMany})->UseRealTime();

void BM_InversionCuda(benchmark::State& state) {
  run_backend(state, *make_cuda_backend(Precision::kFp64));
}
BENCHMARK(BM_InversionCuda)->ArgNames({"threads", "quotes"})->Args({1, kMany})->UseRealTime();

#ifdef GREEKGRID_BENCH_QUANTLIB
void BM_InversionQuantLib(benchmark::State& state) {
  const Quotes& quotes = quotes_of(static_cast<std::size_t>(state.range(1)));
  std::vector<double> sigma(quotes.size());
  for (auto _ : state) {
    for (std::size_t i = 0; i < sigma.size(); ++i) {
      sigma[i] = quantlib_implied_volatility(quotes.right[i], quotes.price[i], quotes.forward[i], quotes.strike[i],
                                             quotes.discount[i], quotes.tau[i]);
    }
    benchmark::ClobberMemory();
  }
  report(state, quotes, sigma);
}
BENCHMARK(BM_InversionQuantLib)->ArgNames({"threads", "quotes"})->Args({1, kFew});
#endif

}  // namespace
}  // namespace greekgrid::bench

BENCHMARK_MAIN();

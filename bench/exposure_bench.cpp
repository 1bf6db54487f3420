// Brute-force exposure evaluation by backend, precision, set of Greeks and chain shape, beside the peaks of the core, a
// scalar libm loop and QuantLib's analytic engine, all in one run. One thread; evaluations/s count live evaluations
// only.
//
//   exposure_bench [--benchmark_filter=...] [--benchmark_out=FILE --benchmark_out_format=json]

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <cmath>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/books.hpp"
#include "machine_peaks.hpp"
#include "quantlib_baseline.hpp"

namespace greekgrid::bench {
namespace {

using test::Book;
using test::Grid;

// Contracts times scenarios with tau' > 0.
double live_evaluations(const Book& book, const GridView& grid) {
  double live = 0.0;
  for (const std::int64_t time : grid.time) {
    for (std::size_t e = 0; e < book.settlement.size(); ++e) {
      if (book.settlement[e] > time) live += static_cast<double>(book.expiry_begin[e + 1] - book.expiry_begin[e]);
    }
  }
  return live * static_cast<double>(grid.iv_shift.size() * grid.spots);
}

void set_rate(benchmark::State& state, double evaluations) {
  state.counters["evals_per_s"] =
      benchmark::Counter(evaluations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void BM_PeakFmaFp32(benchmark::State& state) {
  const std::size_t count = 100000;
  for (auto _ : state) benchmark::DoNotOptimize(run_fma_fp32(count));
  state.counters["vector_instructions_per_s"] = benchmark::Counter(
      16.0 * static_cast<double>(count) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["flop_per_s"] =
      benchmark::Counter(32.0 * static_cast<double>(lanes_fp32() * count) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(BM_PeakFmaFp32);

void BM_PeakFmaFp64(benchmark::State& state) {
  const std::size_t count = 100000;
  for (auto _ : state) benchmark::DoNotOptimize(run_fma_fp64(count));
  state.counters["vector_instructions_per_s"] = benchmark::Counter(
      16.0 * static_cast<double>(count) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_PeakFmaFp64);

void BM_PeakIssueFp32(benchmark::State& state) {
  const std::size_t count = 100000;
  for (auto _ : state) benchmark::DoNotOptimize(run_issue_fp32(count));
  state.counters["vector_instructions_per_s"] = benchmark::Counter(
      16.0 * static_cast<double>(count) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_PeakIssueFp32);

GreekSet greeks_of(std::int64_t count) {
  return count == 3 ? kGreeks3 : count == 11 ? kGreeks11 : GreekSet::all();
}

void run_backend(benchmark::State& state, Backend& backend) {
  const auto contracts = static_cast<std::size_t>(state.range(1));
  const GreekSet greeks = greeks_of(state.range(0));
  const Book book = test::index_like_book(contracts);
  const Grid grid = contracts > 5000 ? test::session_grid(2, 3, 201, 0.1) : test::session_grid(9, 11, 201, 0.1);
  const GridView view = grid.get();
  std::vector<double> out(greeks.size() * view.scenarios());
  const ExposureJob job = {book.view(), view, 1, out};
  for (auto _ : state) {
    backend.evaluate(greeks, {&job, 1});
    benchmark::ClobberMemory();
  }
  set_rate(state, live_evaluations(book, view));
}

void BM_CpuFp32(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp32));
}
void BM_CpuFp64(benchmark::State& state) {
  run_backend(state, *make_cpu_backend(Precision::kFp64));
}
BENCHMARK(BM_CpuFp32)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500, 20000}});
BENCHMARK(BM_CpuFp64)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500, 20000}});

// The loop that anyone would write first: libm in double, one contract and scenario after the other.
void BM_ScalarLibm(benchmark::State& state) {
  const auto contracts = static_cast<std::size_t>(state.range(0));
  const Book book = test::index_like_book(contracts);
  const GridView grid = [] {
    static const Grid g = test::session_grid(1, 1, 21, 0.1);
    return g.get();
  }();
  for (auto _ : state) {
    OptionSums sums{};
    for (std::size_t j = 0; j < grid.spots; ++j) {
      const double spot = book.spot * std::exp(grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step);
      for (std::size_t e = 0; e < book.settlement.size(); ++e) {
        const double tau = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
        for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
             i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
          const auto g =
              formulas::black_scholes<double>({static_cast<double>(book.right[i]), spot, book.strike[i], book.rate[e],
                                               book.dividend_yield[e], book.implied_volatility[i], tau});
          for (const Greek greek : kAllGreeks) sums[static_cast<std::size_t>(greek)] += book.weight[0][i] * g[greek];
        }
      }
    }
    benchmark::DoNotOptimize(sums);
  }
  set_rate(state, live_evaluations(book, grid));
}
BENCHMARK(BM_ScalarLibm)->ArgName("contracts")->Arg(240)->Arg(1500);

#ifdef GREEKGRID_BENCH_QUANTLIB
void BM_QuantLibAnalyticEngine(benchmark::State& state) {
  const Book book = test::index_like_book(240);
  for (auto _ : state) benchmark::DoNotOptimize(quantlib_engine_sums(book, 5));
  set_rate(state, 240.0 * 5.0);
}
BENCHMARK(BM_QuantLibAnalyticEngine);
#endif

}  // namespace
}  // namespace greekgrid::bench

int main(int argc, char** argv) {
  // One core: shares of a peak mean nothing over several that share a clock.
  const oneapi::tbb::global_control one(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

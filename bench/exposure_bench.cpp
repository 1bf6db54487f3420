// Brute-force exposure evaluation by backend, precision, set of Greeks and chain shape, beside the peaks of the core,
// the floor that follows from them, a scalar libm loop and QuantLib's analytic engine, all in one run. One
// thread; evaluations/s count live evaluations only.
//
//   exposure_bench [--benchmark_filter=...] [--benchmark_out=FILE --benchmark_out_format=json]
//   exposure_bench --instruction_table          the table of instruction_counts.hpp as JSON, for
//   scripts/bench_instructions

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "cpu/moments.hpp"
#include "evaluations.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid_test/books.hpp"
#include "instruction_counts.hpp"
#include "issue_floor.hpp"
#include "libm_baseline.hpp"
#include "machine_peaks.hpp"
#include "quantlib_baseline.hpp"

namespace greekgrid::bench {
namespace {

using test::Book;
using test::Grid;

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

// Evaluations of one call; the exposures are discarded.
double run_backend(benchmark::State& state, Backend& backend) {
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
  const double evaluations = live_evaluations(book.view(), view);
  set_rate(state, evaluations);
  return evaluations;
}

void run_cpu(benchmark::State& state, Precision precision) {
  const double floor = floor_evaluations_per_second(greeks_of(state.range(0)), precision);
  const double evaluations = run_backend(state, *make_cpu_backend(precision));
  state.counters["floor_evals_per_s"] = floor;
  state.counters["share_of_floor"] =
      benchmark::Counter(evaluations * static_cast<double>(state.iterations()) / floor, benchmark::Counter::kIsRate);
}

void run_cuda(benchmark::State& state, Precision precision) {
  const auto backend = make_cuda_backend(precision);
  if (const BackendStatus status = backend->status(); !status.usable) {
    state.SkipWithError(("skipped: " + status.detail).c_str());
    return;
  }
  run_backend(state, *backend);
}

void BM_CpuFp32(benchmark::State& state) {
  run_cpu(state, Precision::kFp32);
}
void BM_CpuFp64(benchmark::State& state) {
  run_cpu(state, Precision::kFp64);
}
BENCHMARK(BM_CpuFp32)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500, 20000}});
BENCHMARK(BM_CpuFp64)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500, 20000}});

// The IV rules beside each other: one chain, grid and thread, the rules in turn in every iteration, so that a busy
// machine slows them alike. Ratios are of the best processor times of each.
void BM_CpuIvRulesFp32(benchmark::State& state) {
  const GreekSet greeks = greeks_of(state.range(0));
  Book book = test::index_like_book(static_cast<std::size_t>(state.range(1)));
  book.add_smiles();
  const Grid grid = test::session_grid(9, 11, 201, 0.1);
  struct Rule {
    const char* name;
    IvRule rule;
    double parameter;
    double best = INFINITY;
  };
  Rule rules[] = {{"sticky_strike", IvRule::kStickyStrike, 1.0},
                  {"relative_beta", IvRule::kRelativeBeta, 10.0},
                  {"skew_stickiness", IvRule::kSkewStickiness, 0.0}};
  const auto backend = make_cpu_backend(Precision::kFp32);
  std::vector<double> out(greeks.size() * grid.get().scenarios());
  for (auto _ : state) {
    for (Rule& rule : rules) {
      GridView view = grid.get();
      view.iv_rule = rule.rule;
      view.iv_rule_parameter = rule.parameter;
      const ExposureJob job = {book.view(), view, 1, out};
      const std::clock_t begin = std::clock();
      backend->evaluate(greeks, {&job, 1});
      benchmark::ClobberMemory();
      rule.best = std::min(rule.best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
  }
  const double evaluations = live_evaluations(book.view(), grid.get());
  for (const Rule& rule : rules) state.counters[std::string(rule.name) + "_evals_per_s"] = evaluations / rule.best;
  state.counters["relative_beta_to_sticky_strike"] = rules[1].best / rules[0].best;
  state.counters["skew_stickiness_to_sticky_strike"] = rules[2].best / rules[0].best;
  state.counters["skew_stickiness_to_relative_beta"] = rules[2].best / rules[1].best;
}
BENCHMARK(BM_CpuIvRulesFp32)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {1500}});

// One chain a call, copies to and from the device included: a universe in one call is what gpu_check measures.
void BM_CudaFp32(benchmark::State& state) {
  run_cuda(state, Precision::kFp32);
}
void BM_CudaFp64(benchmark::State& state) {
  run_cuda(state, Precision::kFp64);
}
BENCHMARK(BM_CudaFp32)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500, 20000}})->UseRealTime();
BENCHMARK(BM_CudaFp64)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500, 20000}})->UseRealTime();

// Refuses a baseline that computes something else than we do.
template <const GreekSet& kSet>
bool same_as_reference(const std::array<double, kGreekCount>& sums, const Book& book, const Grid& grid) {
  const auto expected = test::evaluate(*make_reference_backend(), kSet, book, grid);
  const std::size_t cells = grid.get().scenarios();
  for (const Greek greek : kAllGreeks) {
    if (!kSet.contains(greek)) continue;
    double sum = 0.0;
    double scale = 0.0;
    for (std::size_t j = 0; j < cells; ++j) {
      sum += expected[kSet.index(greek) * cells + j];
      scale += std::abs(expected[kSet.index(greek) * cells + j]);
    }
    if (!(std::abs(sums[static_cast<std::size_t>(greek)] - sum) <= 1e-8 * scale)) return false;
  }
  return true;
}

template <const GreekSet& kSet>
void run_libm(benchmark::State& state) {
  const Book book = test::index_like_book(static_cast<std::size_t>(state.range(1)));
  const Grid grid = test::session_grid(1, 1, 21, 0.1);
  const GridView view = grid.get();
  if (!same_as_reference<kSet>(libm_sums<kSet>(book, view), book, grid)) {
    state.SkipWithError("the libm loop disagrees with the reference backend");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(libm_sums<kSet>(book, view));
  set_rate(state, live_evaluations(book.view(), view));
}

void BM_ScalarLibm(benchmark::State& state) {
  state.range(0) == 3 ? run_libm<kGreeks3>(state) : run_libm<kGreeks11>(state);
}
BENCHMARK(BM_ScalarLibm)->ArgNames({"greeks", "contracts"})->ArgsProduct({{3, 11}, {240, 1500}});

#ifdef GREEKGRID_BENCH_QUANTLIB
void BM_QuantLibAnalyticEngine(benchmark::State& state) {
  const Book book = test::index_like_book(240);
  QuantLibEngine engine(book);
  std::vector<double> spots, out(kQuantLibGreeks.size() * 5);
  for (int j = 0; j < 5; ++j) spots.push_back(book.spot * (1.0 + 0.01 * j));
  for (auto _ : state) {
    engine.sums(spots, out);
    benchmark::ClobberMemory();
  }
  set_rate(state, 240.0 * 5.0);
  state.SetLabel("delta gamma vega theta");
}
BENCHMARK(BM_QuantLibAnalyticEngine);
#endif

void print_instruction_table() {
  const char* separator = "[";
  for (const InstructionCount& row : kInstructionCounts) {
    std::printf("%s\n {\"greeks\": %zu, \"precision\": \"%s\", \"mask\": %u, \"instructions\": %d}", separator,
                row.greeks.size(), row.precision == Precision::kFp32 ? "fp32" : "fp64", row.moments(), row.total());
    separator = ",";
  }
  std::printf("\n]\n");
}

}  // namespace
}  // namespace greekgrid::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--instruction_table") == 0) {
    greekgrid::bench::print_instruction_table();
    return 0;
  }
  // One core: shares of a peak mean nothing over several that share a clock.
  const oneapi::tbb::global_control one(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("instruction_set", greekgrid::cpu::instruction_set());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

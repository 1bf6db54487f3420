// Forecasts of one ticker of fifteen years: the search, the walk-forward record and the maps, each beside a plain
// baseline in the same run. One thread; callers work on many tickers at once.
//
//   forecast_bench [--benchmark_filter=...] [--benchmark_out=FILE --benchmark_out_format=json]
//
// A time is that of one ticker: 3780 sessions, four predictors (the first 252 sessions have none), both horizons.
// bench/forecast_baseline.py does the searches in numpy; nanoflann, a library of k-d trees, is an optional baseline of
// those of the next closes. BLAS is an optional baseline of the maps, as the library of the distribution chooses its
// kernels for this machine. The backends take kTickers such tickers in a call instead, on a number of threads (0: all),
// copies included.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "greekgrid/host/forecast.hpp"
#include "greekgrid/kernels/forecast_backend.hpp"
#include "greekgrid/kernels/nearest.hpp"
#include "greekgrid_test/histories.hpp"

#ifdef GREEKGRID_BENCH_OPENBLAS
#include <cblas.h>
#endif
#ifdef GREEKGRID_BENCH_NANOFLANN
#include <nanoflann.hpp>
#endif

namespace greekgrid::bench {
namespace {

constexpr std::size_t kSessions = 3780;
constexpr std::size_t kNextCloses = 383;

struct Ticker {
  PredictorSeries series;
  std::vector<double> iv30;
  HorizonData horizon;
};

const Ticker& ticker() {
  static const Ticker result = [] {
    constexpr double kMemory = 0.95;
    std::mt19937_64 generator(1);
    std::normal_distribution<double> normal;
    Ticker t;
    for (auto& z : t.series.z) {
      double state = normal(generator);
      for (std::size_t s = 0; s < kSessions; ++s) {
        state = kMemory * state + std::sqrt(1.0 - kMemory * kMemory) * normal(generator);
        z.push_back(s < 252 ? std::numeric_limits<double>::quiet_NaN() : std::erf(state * std::sqrt(0.5)));
      }
    }
    for (std::size_t s = 0; s < kSessions; ++s) {
      t.series.r.push_back(0.01 * normal(generator));
      t.series.mad.push_back(0.008);
      t.iv30.push_back(0.16);
    }
    t.horizon = make_forecast_data(t.series);
    return t;
  }();
  return result;
}

std::array<double, kPredictors> standing(const ForecastData& data, std::size_t t) {
  std::array<double, kPredictors> z;
  for (std::size_t p = 0; p < kPredictors; ++p) z[p] = data.z[p][t];
  return z;
}

struct Found {
  double distance2;
  std::int32_t session;
};

bool nearer(const Found& a, const Found& b) {
  return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.session > b.session;
}

// The search as one would write it first: all distances, then a selection.
double plain_search(const ForecastData& data, const std::array<double, kPredictors>& z, std::size_t end,
                    std::vector<Found>& all) {
  all.clear();
  for (std::size_t s = 0; s < end; ++s) {
    double distance2 = 0.0;
    for (std::size_t p = 0; p < kPredictors; ++p) {
      const double difference = data.z[p][s] - z[p];
      distance2 += difference * difference;
    }
    if (!std::isnan(distance2) && !std::isnan(data.outcome[s]))
      all.push_back({distance2, static_cast<std::int32_t>(s)});
  }
  if (all.size() < kNeighbours) return 0.0;
  std::nth_element(all.begin(), all.begin() + (kNeighbours - 1), all.end(), nearer);
  return all[kNeighbours - 1].distance2;
}

// Every search of a walk-forward evaluation of both horizons.
template <class Search>
void walk_searches(Search search) {
  double sum = 0.0;
  for (const ForecastData& data : ticker().horizon) {
    for (std::size_t t = 300; t < kSessions; ++t) sum += search(data, standing(data, t), t - data.horizon + 1);
  }
  benchmark::DoNotOptimize(sum);
}

void BM_WalkSearchPlain(benchmark::State& state) {
  std::vector<Found> all;
  for (auto _ : state) {
    walk_searches(
        [&](const ForecastData& data, const auto& z, std::size_t end) { return plain_search(data, z, end, all); });
  }
}
BENCHMARK(BM_WalkSearchPlain)->Unit(benchmark::kMillisecond);

void BM_WalkSearch(benchmark::State& state) {
  std::array<std::int32_t, kNeighbours> session;
  std::array<double, kNeighbours> distance2;
  for (auto _ : state) {
    walk_searches([&](const ForecastData& data, const auto& z, std::size_t end) {
      PointsView points{{}, kPredictors, data.outcome.data(), end};
      for (std::size_t p = 0; p < kPredictors; ++p) points.axis[p] = data.z[p].data();
      nearest(points, z, session, distance2, NearestAnswer::kPoints);
      return distance2[0];
    });
  }
}
BENCHMARK(BM_WalkSearch)->Unit(benchmark::kMillisecond);

// The ticker with the first of its predictors only: most have no G and D.
Ticker ticker_with(std::int64_t predictors) {
  Ticker t = ticker();
  for (std::size_t p = static_cast<std::size_t>(predictors); p < kPredictors; ++p) {
    std::fill(t.series.z[p].begin(), t.series.z[p].end(), std::numeric_limits<double>::quiet_NaN());
  }
  t.horizon = make_forecast_data(t.series);
  return t;
}

void BM_Record(benchmark::State& state) {
  const Ticker t = ticker_with(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(walk_forward(t.horizon, t.iv30, t.series.mad, 1)[0].skill);
  }
}
BENCHMARK(BM_Record)->ArgName("predictors")->Arg(2)->Arg(4)->Unit(benchmark::kMillisecond);

// Forecasts of 383 next closes over both horizons, with their medians.
void BM_NextCloses(benchmark::State& state) {
  for (auto _ : state) {
    double sum = 0.0;
    for (const ForecastData& data : ticker().horizon) {
      ForecastPath path(data, static_cast<std::ptrdiff_t>(kSessions) - 1 - data.horizon, kSessions);
      auto z = standing(data, kSessions - 1);
      for (std::size_t i = 0; i < kNextCloses; ++i) {
        const double x = 2.0 * static_cast<double>(i) / (kNextCloses - 1) - 1.0;
        z[0] = x;
        z[1] = 1.0 - 2.0 * x * x;
        sum += path(z, kPVGD).median;
      }
    }
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(BM_NextCloses)->Unit(benchmark::kMillisecond);

// The searches of the next closes alone, both horizons.
template <class Search>
void search_next_closes(const ForecastData& data, Search search) {
  auto z = standing(data, kSessions - 1);
  for (std::size_t i = 0; i < kNextCloses; ++i) {
    const double x = 2.0 * static_cast<double>(i) / (kNextCloses - 1) - 1.0;
    z[0] = x;
    z[1] = 1.0 - 2.0 * x * x;
    search(z);
  }
}

void BM_NextClosesSearch(benchmark::State& state) {
  std::array<std::int32_t, kNeighbours> index;
  std::array<double, kNeighbours> distance2;
  for (auto _ : state) {
    for (const ForecastData& data : ticker().horizon) {
      PointsView points;
      for (std::size_t p = 0; p < kPredictors; ++p) points.axis[points.axes++] = data.z[p].data();
      points.required = data.outcome.data();
      points.points = kSessions - static_cast<std::size_t>(data.horizon);
      search_next_closes(data, [&](const auto& z) { nearest(points, z, index, distance2, NearestAnswer::kPoints); });
      benchmark::DoNotOptimize(index);
    }
  }
}
BENCHMARK(BM_NextClosesSearch)->Unit(benchmark::kMillisecond);

#ifdef GREEKGRID_BENCH_NANOFLANN
// Candidates as the library's trees read them.
struct Cloud {
  std::vector<std::array<double, kPredictors>> point;
  std::size_t kdtree_get_point_count() const { return point.size(); }
  double kdtree_get_pt(std::size_t i, std::size_t axis) const { return point[i][axis]; }
  template <class Box>
  bool kdtree_get_bbox(Box&) const {
    return false;
  }
};

// The tree is made too: a night has another one for every ticker and horizon.
void BM_NextClosesSearchNanoflann(benchmark::State& state) {
  using Tree = nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, Cloud>, Cloud, kPredictors>;
  std::array<std::uint32_t, kNeighbours> index;
  std::array<double, kNeighbours> distance2;
  for (auto _ : state) {
    for (const ForecastData& data : ticker().horizon) {
      Cloud cloud;
      for (std::size_t s = 0; s + static_cast<std::size_t>(data.horizon) < kSessions; ++s) {
        if (!std::isfinite(data.outcome[s]) || !std::isfinite(data.z[0][s])) continue;
        cloud.point.push_back({data.z[0][s], data.z[1][s], data.z[2][s], data.z[3][s]});
      }
      const Tree tree(kPredictors, cloud);
      search_next_closes(data,
                         [&](const auto& z) { tree.knnSearch(z.data(), kNeighbours, index.data(), distance2.data()); });
      benchmark::DoNotOptimize(index);
    }
  }
}
BENCHMARK(BM_NextClosesSearchNanoflann)->Unit(benchmark::kMillisecond);
#endif

void BM_WeatherMaps(benchmark::State& state) {
  const Ticker t = ticker_with(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(make_weather_maps(t.horizon, kSessions - 1)[0].mean.data());
}
BENCHMARK(BM_WeatherMaps)->ArgName("predictors")->Arg(2)->Arg(4)->Unit(benchmark::kMillisecond);

constexpr std::size_t kTickers = 8;

template <class Call>
void run_backend(benchmark::State& state, const ForecastBackend& backend, const char* counted, double count,
                 const Call& call) {
  if (const BackendStatus status = backend.status(); !status.usable) {
    state.SkipWithError(("skipped: " + status.detail).c_str());
    return;
  }
  const std::size_t threads =
      state.range(0) > 0 ? static_cast<std::size_t>(state.range(0)) : std::max(1U, std::thread::hardware_concurrency());
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
  for (auto _ : state) {
    call();
    benchmark::ClobberMemory();
  }
  state.counters[counted] =
      benchmark::Counter(count * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// The searches of the walks of one horizon, none of which knows another's answer.
void run_searches(benchmark::State& state, ForecastBackend& backend) {
  const test::SearchCase walk = test::walk_search(kSessions);
  std::vector<test::Neighbours> results(kTickers);
  std::vector<NearestJob> jobs;
  for (test::Neighbours& r : results) jobs.push_back(walk.job(r));
  run_backend(state, backend, "places_per_s", static_cast<double>(kTickers * walk.last.size()),
              [&] { backend.nearest(jobs); });
}

void BM_BackendSearchCpu(benchmark::State& state) {
  run_searches(state, *make_cpu_forecast_backend());
}
BENCHMARK(BM_BackendSearchCpu)->ArgName("threads")->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BackendSearchCpu)->ArgName("threads")->Arg(0)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_BackendSearchCuda(benchmark::State& state) {
  run_searches(state, *make_cuda_forecast_backend());
}
BENCHMARK(BM_BackendSearchCuda)->ArgName("threads")->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

void run_pair_sums(benchmark::State& state, ForecastBackend& backend) {
  const test::PairSumsCase one = test::long_pair_sums(kSessions);
  std::vector<std::vector<float>> results(kTickers);
  std::vector<PairSumsJob> jobs;
  for (auto& r : results) jobs.push_back(one.job(r));
  run_backend(state, backend, "tickers_per_s", static_cast<double>(kTickers), [&] { backend.pair_sums(jobs); });
}

void BM_BackendPairSumsCpu(benchmark::State& state) {
  run_pair_sums(state, *make_cpu_forecast_backend());
}
BENCHMARK(BM_BackendPairSumsCpu)->ArgName("threads")->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BackendPairSumsCpu)->ArgName("threads")->Arg(0)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_BackendPairSumsCuda(benchmark::State& state) {
  run_pair_sums(state, *make_cuda_forecast_backend());
}
BENCHMARK(BM_BackendPairSumsCuda)->ArgName("threads")->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

#ifdef GREEKGRID_BENCH_OPENBLAS
// The products alone, of kernels that are there already: per pair Kx [Ky; y Ky; |y| Ky]^T and Kx^2 Ky^2^T.
void BM_WeatherMapsBlas(benchmark::State& state) {
  openblas_set_num_threads(1);
  const std::size_t n = kSessions - 252;
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<float> uniform(0.01F, 1.0F);
  std::vector<float> left(64 * n), right(192 * n), out(64 * 192);
  for (auto* matrix : {&left, &right}) {
    for (float& x : *matrix) x = uniform(generator);
  }
  const auto columns = static_cast<blasint>(n);
  for (auto _ : state) {
    for (int product = 0; product < 12; ++product) {
      for (const int rows : {192, 64}) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, 64, rows, columns, 1.0F, left.data(), columns,
                    right.data(), columns, 0.0F, out.data(), rows);
        benchmark::DoNotOptimize(out.data());
      }
    }
  }
  state.SetLabel(std::string("OpenBLAS ") + openblas_get_corename());
}
BENCHMARK(BM_WeatherMapsBlas)->Unit(benchmark::kMillisecond);
#endif

}  // namespace
}  // namespace greekgrid::bench

BENCHMARK_MAIN();

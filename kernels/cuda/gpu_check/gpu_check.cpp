// Does the silicon agree, does it agree with itself, and how fast is it: the checks of the CUDA backend that need a
// device.
//
// gpu_check [--check-only] [--results DIR]. Exit status 0: all checks passed; 1: one failed, or no device answers.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ceilings.hpp"
#include "cuda_device.hpp"
#include "device_backend.hpp"
#include "device_forecast.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/forecast_backend.hpp"
#include "histories.hpp"
#include "quotes.hpp"
#include "synthetic_book.hpp"
#include "timed_device.hpp"
#include "walls.hpp"

namespace {

using namespace greekgrid;
using Clock = std::chrono::steady_clock;

constexpr double kTolerance[2] = {5e-6, 1e-11};
constexpr const char* kPrecisionName[2] = {"fp32", "fp64"};

double seconds_since(Clock::time_point from) {
  return std::chrono::duration<double>(Clock::now() - from).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

/// Largest error of a surface relative to its largest magnitude, over Greeks and position models; infinity for a NaN.
double worst_error(const std::vector<double>& values, const std::vector<double>& expected, std::size_t scenarios) {
  double worst = 0.0;
  for (std::size_t at = 0; at < values.size(); at += scenarios) {
    double maximum = 0.0, error = 0.0;
    for (std::size_t k = at; k < at + scenarios; ++k) {
      if (!std::isfinite(values[k])) return INFINITY;
      maximum = std::max(maximum, std::abs(expected[k]));
      error = std::max(error, std::abs(values[k] - expected[k]));
    }
    if (error > 0.0) worst = std::max(worst, error / maximum);
  }
  return worst;
}

struct Verdict {
  bool passed = true;
  double worst[2] = {0.0, 0.0};
  double worst_inversion = 0.0;  // in units of the attainable error
  std::size_t other_walls = 0;   // strikes that are as large as the expected ones as far as can be known
  double worst_sum = 0.0;        // of kernels, in units of the stated error
};

Verdict check_values() {
  Verdict verdict;
  const auto reference = make_reference_backend();
  const auto cases = test::synthetic_cases();
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const auto p = static_cast<std::size_t>(precision);
    const auto backend = make_cuda_backend(precision);
    for (const GreekSet greeks : {kGreeks3, kGreeks11, GreekSet::all()}) {
      std::vector<std::vector<double>> together(cases.size());
      std::vector<ExposureJob> jobs;
      for (std::size_t i = 0; i < cases.size(); ++i) {
        together[i].assign(cases[i].values(greeks), NAN);
        jobs.push_back(cases[i].job(together[i]));
      }
      backend->evaluate(greeks, jobs);
      for (std::size_t i = 0; i < cases.size(); ++i) {
        std::vector<double> expected(cases[i].values(greeks)), alone(expected.size(), NAN);
        const ExposureJob reference_job = cases[i].job(expected);
        reference->evaluate(greeks, {&reference_job, 1});
        const double worst = worst_error(together[i], expected, cases[i].grid.view().scenarios());
        verdict.worst[p] = std::max(verdict.worst[p], worst);
        if (!(worst <= kTolerance[p])) {
          verdict.passed = false;
          std::printf("FAILED %s, %zu Greeks, %s: error %.3g of the maximum\n", kPrecisionName[p], greeks.size(),
                      cases[i].name, worst);
        }
        const ExposureJob alone_job = cases[i].job(alone);
        for (int repeat = 0; repeat < 3; ++repeat) {
          backend->evaluate(greeks, {&alone_job, 1});
          if (!alone.empty() && std::memcmp(alone.data(), together[i].data(), alone.size() * 8) != 0) {
            verdict.passed = false;
            std::printf("FAILED %s, %zu Greeks, %s: other bits in run %d\n", kPrecisionName[p], greeks.size(),
                        cases[i].name, repeat);
          }
        }
      }
    }
    std::printf("%s: largest error %.3g of the maximum (tolerance %.0e)\n", kPrecisionName[p], verdict.worst[p],
                kTolerance[p]);
  }
  return verdict;
}

/// The spectral evaluator beside the reference at the tolerances of its precisions, and with itself.
void check_spectral(Verdict& verdict) {
  const auto reference = make_reference_backend();
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const bool fp64 = precision == Precision::kFp64;
    const double tolerance = fp64 ? 2e-8 : 5e-6;
    const auto backend = make_cuda_backend(precision, {Evaluator::kSpectral, tolerance});
    double largest = 0.0;
    for (const GreekSet greeks : {kGreeks3, kGreeks11, GreekSet::all()}) {
      for (const test::SyntheticCase& item : test::synthetic_cases()) {
        std::vector<double> values(item.values(greeks), NAN), expected(values.size()), again(values.size(), NAN);
        const ExposureJob job = item.job(values), reference_job = item.job(expected), same = item.job(again);
        backend->evaluate(greeks, {&job, 1});
        reference->evaluate(greeks, {&reference_job, 1});
        backend->evaluate(greeks, {&same, 1});
        const double worst = worst_error(values, expected, item.grid.view().scenarios());
        largest = std::max(largest, worst);
        if (!(worst <= tolerance)) {
          verdict.passed = false;
          std::printf("FAILED spectral %s, %zu Greeks, %s: error %.3g of the maximum\n", kPrecisionName[fp64],
                      greeks.size(), item.name, worst);
        }
        if (!values.empty() && std::memcmp(values.data(), again.data(), values.size() * 8) != 0) {
          verdict.passed = false;
          std::printf("FAILED spectral %s, %zu Greeks, %s: other bits in the second run\n", kPrecisionName[fp64],
                      greeks.size(), item.name);
        }
      }
    }
    std::printf("spectral %s: largest error %.3g of the maximum (tolerance %.0e)\n", kPrecisionName[fp64], largest,
                tolerance);
  }
}

/// Work dealt to all devices, in pieces as small as they can be, beside the first device alone, to the bit.
void check_devices(Verdict& verdict) {
  cuda::DeviceBackendOptions options;
  options.least_evaluations = 1;
  auto devices = cuda::make_cuda_devices();
  const std::size_t count = devices.size();
  if (count < 2) return;
  const auto several = cuda::make_device_backend(std::move(devices), Precision::kFp32, options);
  const auto one = cuda::make_device_backend(cuda::make_cuda_device(), Precision::kFp32);
  for (const test::SyntheticCase& item : test::synthetic_cases()) {
    std::vector<double> dealt(item.values(kGreeks11), NAN), expected(dealt.size(), NAN);
    const ExposureJob job = item.job(dealt), same = item.job(expected);
    several->evaluate(kGreeks11, {&job, 1});
    one->evaluate(kGreeks11, {&same, 1});
    if (!dealt.empty() && std::memcmp(dealt.data(), expected.data(), dealt.size() * 8) != 0) {
      verdict.passed = false;
      std::printf("FAILED on %zu devices, %s: other bits than on one\n", count, item.name);
    }
  }
  std::printf("%zu devices: compared with one, to the bit\n", count);
}

void check_inversions(Verdict& verdict) {
  const auto reference = make_reference_backend();
  const auto backend = make_cuda_backend(Precision::kFp64);
  for (const auto& [name, quotes] : test::quote_cases()) {
    const QuoteView view = quotes.view();
    const auto first = test::invert(*backend, view);
    const auto worst = test::compare_quotes(first, test::invert(*reference, view), view);
    verdict.worst_inversion = std::max(verdict.worst_inversion, worst.in_attainable);
    if (!(worst.in_attainable <= test::kQuoteTolerance)) {
      verdict.passed = false;
      std::printf("FAILED inversion, %s: %.3g attainable errors, %s\n", name.c_str(), worst.in_attainable,
                  worst.quoted.c_str());
    }
    if (test::compare_quotes(test::invert(*backend, view), first, view).in_attainable != 0.0) {
      verdict.passed = false;
      std::printf("FAILED inversion, %s: other bits in the second run\n", name.c_str());
    }
  }
  std::printf("inversion: largest deviation %.3g attainable errors (tolerance %.0f)\n", verdict.worst_inversion,
              test::kQuoteTolerance);
}

void check_walls(Verdict& verdict) {
  const auto reference = make_reference_backend();
  const auto backend = make_cuda_backend(Precision::kFp64);
  std::size_t walls = 0;
  for (const test::WallCase& item : test::wall_cases()) {
    const auto first = test::find_walls(*backend, item);
    const auto worst = test::compare_walls(first, test::find_walls(*reference, item), item);
    walls += worst.walls;
    verdict.other_walls += worst.different;
    if (!(worst.in_tolerance <= 1.0)) {
      verdict.passed = false;
      std::printf("FAILED walls, %s: %.3g tolerances, %s\n", item.name.c_str(), worst.in_tolerance,
                  worst.where.c_str());
    }
    if (!test::same_walls(test::find_walls(*backend, item), first)) {
      verdict.passed = false;
      std::printf("FAILED walls, %s: other strikes in the second run\n", item.name.c_str());
    }
  }
  std::printf("walls: %zu of %zu at another strike of the same size\n", verdict.other_walls, walls);
}

void check_searches(Verdict& verdict) {
  const auto reference = make_reference_forecast_backend();
  const auto backend = make_cuda_forecast_backend();
  std::vector<test::SearchCase> cases = test::search_cases();
  for (test::SearchCase& c : test::many_searches(300)) cases.push_back(std::move(c));
  cases.push_back(test::walk_search(1500));
  const auto together = test::find_nearest(*backend, cases);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (!test::same_neighbours(together[i], test::find_nearest(*reference, cases[i]))) {
      verdict.passed = false;
      std::printf("FAILED search, %s: other points or distances\n", cases[i].name.c_str());
    }
    if (!test::same_neighbours(test::find_nearest(*backend, cases[i]), together[i])) {
      verdict.passed = false;
      std::printf("FAILED search, %s: alone other than together\n", cases[i].name.c_str());
    }
  }
  std::printf("searches: %zu histories, compared to the bit\n", cases.size());
}

void check_pair_sums(Verdict& verdict) {
  const auto reference = make_reference_forecast_backend();
  const auto backend = make_cuda_forecast_backend();
  std::vector<test::PairSumsCase> cases = test::pair_sums_cases();
  for (test::PairSumsCase& c : test::many_pair_sums(60)) cases.push_back(std::move(c));
  cases.push_back(test::long_pair_sums(3780));
  const auto together = test::sum_kernels(*backend, cases);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto worst = test::compare_sums(together[i], test::sum_kernels(*reference, cases[i]), cases[i]);
    verdict.worst_sum = std::max(verdict.worst_sum, worst.in_tolerance);
    if (!(worst.in_tolerance <= 1.0)) {
      verdict.passed = false;
      std::printf("FAILED kernel sums: %.3g stated errors, %s\n", worst.in_tolerance, worst.where.c_str());
    }
    if (test::sum_kernels(*backend, cases[i]) != together[i]) {
      verdict.passed = false;
      std::printf("FAILED kernel sums, %s: alone other bits than together\n", cases[i].name.c_str());
    }
  }
  std::printf("kernel sums: largest deviation %.3g stated errors\n", verdict.worst_sum);
}

/// A universe of like chains over the standard grid.
struct Shape {
  const char* name;
  int expiries, per_expiry, tickers;
  const char* rule = "sticky_strike";
  IvRule iv_rule = IvRule::kStickyStrike;
  double parameter = 1.0;
};

test::SyntheticCase universe_case(const Shape& shape) {
  std::mt19937 random(99);
  test::SyntheticCase item{};
  item.book.spot = 400.0;
  for (int e = 0; e < shape.expiries; ++e) {
    item.book.add_expiry((3 * e + 1) * test::kDay + 3600, shape.per_expiry, 0.1 + 0.02 * e, 0.05, 0.013, random);
  }
  item.book.add_weights(1, random);
  item.book.add_smiles();
  item.grid.rule = shape.iv_rule;
  item.grid.parameter = shape.parameter;
  item.grid.spots = 201;
  item.grid.time.clear();
  for (int t = 0; t < 9; ++t) item.grid.time.push_back(test::kQuoteTime + t * 3600);
  item.grid.iv_shift.clear();
  for (int v = 0; v < 11; ++v) item.grid.iv_shift.push_back(0.01 * (v - 5));
  return item;
}

double live_evaluations(const Shape& shape, const test::SyntheticCase& item) {
  double live = 0.0;
  for (const std::int64_t time : item.grid.time) {
    for (std::size_t e = 0; e < item.book.settlement.size(); ++e) {
      if (item.book.settlement[e] > time) live += static_cast<double>(shape.per_expiry);
    }
  }
  return live * 201.0 * 11.0 * shape.tickers;
}

/// Instructions of the innermost loops (scripts/gpu_instructions), for 3 and 11 Greeks: what bounds them where the
/// measured ceiling of multiply-adds stands for the rate of issue.
constexpr double kSpotInstructions[2] = {28.8, 62.0};  // fp32, sticky strike
constexpr double kNodeInstructions[2][2] = {{12.2, 15.2}, {31.0, 33.2}};
constexpr double kNodeFp64Operations[2] = {23.0, 26.0};

/// The universe by the spectral evaluator: its kernels, and which part of the time of the sums at nodes the device's
/// ceilings account for.
std::string measure_spectral(const Shape& shape, GreekSet greeks, Precision precision, const cuda::Ceilings& ceilings) {
  const test::SyntheticCase item = universe_case(shape);
  const double live = live_evaluations(shape, item);
  const std::size_t values = item.values(greeks);
  std::vector<double> exposure(values * static_cast<std::size_t>(shape.tickers));
  std::vector<EvaluationReport> reports(static_cast<std::size_t>(shape.tickers));
  std::vector<ExposureJob> jobs;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    jobs.push_back(
        {item.book.view(), item.grid.view(), 1, std::span<double>(exposure).subspan(i * values, values), &reports[i]});
  }
  const bool fp64 = precision == Precision::kFp64;
  const double tolerance = fp64 ? 2e-8 : 5e-6;
  cuda::KernelSeconds kernels;
  std::vector<cuda::KernelSeconds> measured;
  std::vector<double> whole_seconds;
  {
    cuda::DeviceBackendOptions options{1, std::size_t{2} << 30, 0};
    options.evaluator = {Evaluator::kSpectral, tolerance};
    const auto timed = cuda::make_device_backend(cuda::make_timed_device(kernels), precision, options);
    for (int i = 0; i < 6; ++i) {
      kernels = {};
      timed->evaluate(greeks, jobs);
      if (i > 0) measured.push_back(kernels);  // the first loads the module and allocates
    }
  }
  {
    const auto backend = make_cuda_backend(precision, {Evaluator::kSpectral, tolerance});
    for (int i = 0; i < 4; ++i) {
      const auto from = Clock::now();
      backend->evaluate(greeks, jobs);
      if (i > 0) whole_seconds.push_back(seconds_since(from));
    }
  }
  const auto all_of = [](const cuda::KernelSeconds& k) {
    return k.sigma_order + k.node_sums + k.expansion + k.exposure + k.other;
  };
  std::sort(measured.begin(), measured.end(), [&](const auto& a, const auto& b) { return all_of(a) < all_of(b); });
  const cuda::KernelSeconds& k = measured[measured.size() / 2];
  double at_nodes = 0.0, direct = 0.0, bound = 0.0, attempts = 0.0;
  std::size_t spectral = 0;
  for (const EvaluationReport& report : reports) {
    spectral += report.spectral ? 1 : 0;
    at_nodes += static_cast<double>(report.at_nodes);
    direct += static_cast<double>(report.direct);
    bound = std::max(bound, report.bound);
    attempts = std::max(attempts, static_cast<double>(report.attempts));
  }
  const std::size_t set = greeks.size() > 3 ? 1 : 0;
  double floor = at_nodes * kNodeInstructions[fp64][set] / ceilings.fp32_fma_per_second;
  if (fp64) floor = std::max(floor, at_nodes * kNodeFp64Operations[set] / ceilings.fp64_fma_per_second);
  const double whole = median(whole_seconds);
  std::printf(
      "%-16s spectral        %2zuG %s: %.4g evaluations/s in the kernels (%.4g s: nodes %.4g, expansion %.4g, direct "
      "%.4g), "
      "%.0f %% of the floor at the nodes, %.4g end to end (%.4g s)\n",
      shape.name, greeks.size(), kPrecisionName[fp64], live / all_of(k), all_of(k), k.node_sums, k.expansion,
      k.exposure, 1e2 * floor / k.node_sums, live / whole, whole);
  std::ostringstream json;
  json.precision(6);
  json << "    {\"shape\": " << quoted(shape.name) << ", \"contracts\": " << shape.expiries * shape.per_expiry
       << ", \"tickers\": " << shape.tickers << ", \"evaluator\": \"spectral\", \"tolerance\": " << tolerance
       << ", \"greeks\": " << greeks.size() << ", \"precision\": " << quoted(kPrecisionName[fp64])
       << ", \"live_evaluations\": " << live << ", \"contract_nodes\": " << at_nodes
       << ", \"contracts_evaluated_directly\": " << direct << ", \"tickers_spectral\": " << spectral
       << ", \"attempts\": " << attempts << ", \"bound\": " << bound << ", \"kernel_seconds\": " << all_of(k)
       << ", \"node_seconds\": " << k.node_sums << ", \"node_floor_seconds\": " << floor
       << ", \"node_share_of_floor\": " << floor / k.node_sums << ", \"expansion_seconds\": " << k.expansion
       << ", \"direct_seconds\": " << k.exposure << ", \"end_to_end_seconds\": " << whole
       << ", \"evaluations_per_second\": " << live / all_of(k)
       << ", \"evaluations_per_second_end_to_end\": " << live / whole << "}";
  return json.str();
}

std::string measure(const Shape& shape, GreekSet greeks, Precision precision, const cuda::Ceilings& ceilings) {
  const test::SyntheticCase item = universe_case(shape);
  const double live = live_evaluations(shape, item);
  const std::size_t values = item.values(greeks);
  std::vector<double> exposure(values * static_cast<std::size_t>(shape.tickers));
  std::vector<ExposureJob> jobs;
  for (int i = 0; i < shape.tickers; ++i) {
    jobs.push_back({item.book.view(), item.grid.view(), 1,
                    std::span<double>(exposure).subspan(static_cast<std::size_t>(i) * values, values)});
  }

  cuda::KernelSeconds kernels;
  std::vector<double> exposure_seconds, other_seconds, whole_seconds;
  {
    const auto timed =
        cuda::make_device_backend(cuda::make_timed_device(kernels), precision, {1, std::size_t{512} << 20, 0});
    for (int i = 0; i < 6; ++i) {
      kernels = {};
      timed->evaluate(greeks, jobs);
      if (i == 0) continue;  // module load and allocation
      exposure_seconds.push_back(kernels.exposure);
      other_seconds.push_back(kernels.other);
    }
  }
  {
    const auto backend = make_cuda_backend(precision);
    for (int i = 0; i < 4; ++i) {
      const auto from = Clock::now();
      backend->evaluate(greeks, jobs);
      if (i > 0) whole_seconds.push_back(seconds_since(from));
    }
  }
  const double kernel = median(exposure_seconds), other = median(other_seconds), whole = median(whole_seconds);
  std::printf(
      "%-16s %-15s %2zuG %s: %.4g evaluations/s in the kernel (%.4g s, range %.4g .. %.4g), %.4g end to end (%.4g s)\n",
      shape.name, shape.rule, greeks.size(), kPrecisionName[static_cast<std::size_t>(precision)], live / kernel, kernel,
      *std::min_element(exposure_seconds.begin(), exposure_seconds.end()),
      *std::max_element(exposure_seconds.begin(), exposure_seconds.end()), live / whole, whole);
  std::ostringstream json;
  json.precision(6);
  json << "    {\"shape\": " << quoted(shape.name) << ", \"contracts\": " << shape.expiries * shape.per_expiry
       << ", \"tickers\": " << shape.tickers << ", \"iv_rule\": " << quoted(shape.rule)
       << ", \"greeks\": " << greeks.size()
       << ", \"precision\": " << quoted(kPrecisionName[static_cast<std::size_t>(precision)])
       << ", \"live_evaluations\": " << live << ", \"kernel_seconds\": " << kernel
       << ", \"kernel_seconds_min\": " << *std::min_element(exposure_seconds.begin(), exposure_seconds.end())
       << ", \"kernel_seconds_max\": " << *std::max_element(exposure_seconds.begin(), exposure_seconds.end())
       << ", \"order_smile_and_sum_seconds\": " << other << ", \"end_to_end_seconds\": " << whole
       << ", \"evaluations_per_second\": " << live / kernel
       << ", \"evaluations_per_second_end_to_end\": " << live / whole;
  if (precision == Precision::kFp32 && shape.iv_rule == IvRule::kStickyStrike) {
    const double floor = live * kSpotInstructions[greeks.size() > 3] / ceilings.fp32_fma_per_second;
    std::printf("%-16s %.0f %% of the floor\n", "", 1e2 * floor / kernel);
    json << ", \"floor_seconds\": " << floor << ", \"share_of_floor\": " << floor / kernel;
  }
  json << "}";
  return json.str();
}

/// Inversions of a universe's quotes beside the formula on one thread of the processor.
std::string measure_inversions() {
  const test::Quotes quotes = test::session_quotes(1500000);
  const QuoteView view = quotes.view();
  std::vector<double> sigma(quotes.size());
  std::vector<formulas::IvStatus> status(quotes.size());
  const auto count = static_cast<double>(quotes.size());
  cuda::KernelSeconds kernels;
  std::vector<double> kernel_seconds, whole_seconds;
  {
    const auto timed =
        cuda::make_device_backend(cuda::make_timed_device(kernels), Precision::kFp64, {1, std::size_t{512} << 20, 0});
    for (int i = 0; i < 6; ++i) {
      kernels = {};
      timed->implied_volatilities(view, sigma, status);
      if (i > 0) kernel_seconds.push_back(kernels.inversion);  // the first loads the module and allocates
    }
  }
  {
    const auto backend = make_cuda_backend(Precision::kFp64);
    for (int i = 0; i < 6; ++i) {
      const auto from = Clock::now();
      backend->implied_volatilities(view, sigma, status);
      if (i > 0) whole_seconds.push_back(seconds_since(from));
    }
  }
  double worst = 0.0;
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    const double error = std::abs(sigma[i] / quotes.sigma[i] - 1.0);
    if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
  }
  const auto from = Clock::now();
  make_reference_backend()->implied_volatilities(view, sigma, status);
  const double scalar = seconds_since(from);
  const double kernel = median(kernel_seconds), whole = median(whole_seconds);
  std::printf(
      "inversion: %.4g/s in the kernel, %.4g/s end to end, worst relative error %.2g; formula on one thread "
      "%.4g/s\n",
      count / kernel, count / whole, worst, count / scalar);
  std::ostringstream json;
  json.precision(6);
  json << "{\"quotes\": " << count << ", \"kernel_seconds\": " << kernel << ", \"end_to_end_seconds\": " << whole
       << ", \"inversions_per_second\": " << count / kernel
       << ", \"inversions_per_second_end_to_end\": " << count / whole << ", \"worst_relative_error\": " << worst
       << ", \"formula_inversions_per_second\": " << count / scalar << "}";
  return json.str();
}

/// Walls of 200 like chains at 301 spots under 11 IV shifts.
std::string measure_walls(IvRule rule, const char* rule_name) {
  test::WallCase item;
  item.book = test::index_like_book(1500);
  item.book.add_smiles();
  item.iv_rule = rule;
  item.iv_rule_parameter = rule == IvRule::kRelativeBeta ? 4.0 : 0.0;
  item.iv_shift.clear();
  for (int v = -5; v <= 5; ++v) item.iv_shift.push_back(0.01 * v);
  for (int j = -150; j <= 150; ++j) item.at.push_back(item.book.spot * std::exp(0.001 * j));
  test::Walls walls{std::vector<double>(item.cells()), std::vector<double>(item.cells())};
  const std::vector<WallJob> jobs(200, item.job(walls.call, walls.put));
  const double pairs = 200.0 * 1500.0 * 301.0 * 11.0;
  cuda::KernelSeconds kernels;
  std::vector<double> kernel_seconds, whole_seconds;
  {
    const auto timed =
        cuda::make_device_backend(cuda::make_timed_device(kernels), Precision::kFp64, {1, std::size_t{512} << 20, 0});
    for (int i = 0; i < 6; ++i) {
      kernels = {};
      timed->gamma_walls(jobs);
      if (i > 0) kernel_seconds.push_back(kernels.walls);  // the first loads the module and allocates
    }
  }
  {
    const auto backend = make_cuda_backend(Precision::kFp64);
    for (int i = 0; i < 6; ++i) {
      const auto from = Clock::now();
      backend->gamma_walls(jobs);
      if (i > 0) whole_seconds.push_back(seconds_since(from));
    }
  }
  const double kernel = median(kernel_seconds), whole = median(whole_seconds);
  std::printf("walls, %s: %.4g contracts x spots x shifts/s in the kernel, %.4g end to end\n", rule_name,
              pairs / kernel, pairs / whole);
  std::ostringstream json;
  json.precision(6);
  json << "{\"iv_rule\": " << quoted(rule_name) << ", \"contracts\": 1500, \"tickers\": 200, \"spots\": 301, "
       << "\"iv_shifts\": 11, \"kernel_seconds\": " << kernel << ", \"end_to_end_seconds\": " << whole
       << ", \"contract_cells_per_second\": " << pairs / kernel
       << ", \"contract_cells_per_second_end_to_end\": " << pairs / whole << "}";
  return json.str();
}

/// Seconds of a call over many like jobs, in the kernels and end to end, and of one job by plain loops on one thread.
struct ForecastSeconds {
  cuda::KernelSeconds kernels;
  double whole = 0, plain = 0;
};
template <class Call, class Kernel>
ForecastSeconds measure_forecast(const Call& call, const Kernel& kernel_of) {
  ForecastSeconds result;
  cuda::KernelSeconds kernels;
  std::vector<cuda::KernelSeconds> kernel_seconds;
  std::vector<double> whole_seconds;
  {
    const auto timed =
        cuda::make_device_forecast_backend(cuda::make_timed_device(kernels), {1, std::size_t{1} << 30, 0});
    for (int i = 0; i < 6; ++i) {
      kernels = {};
      call(*timed);
      if (i > 0) kernel_seconds.push_back(kernels);  // the first loads modules and cuBLAS and allocates
    }
  }
  std::sort(kernel_seconds.begin(), kernel_seconds.end(),
            [&](const auto& a, const auto& b) { return kernel_of(a) < kernel_of(b); });
  result.kernels = kernel_seconds[kernel_seconds.size() / 2];
  {
    const auto backend = make_cuda_forecast_backend();
    for (int i = 0; i < 6; ++i) {
      const auto from = Clock::now();
      call(*backend);
      if (i > 0) whole_seconds.push_back(seconds_since(from));
    }
  }
  result.whole = median(whole_seconds);
  return result;
}

/// The searches of a walk over fifteen years, 100 tickers.
std::string measure_searches() {
  constexpr std::size_t kTickers = 100;
  const test::SearchCase walk = test::walk_search(3780);
  std::vector<test::Neighbours> results(kTickers);
  std::vector<NearestJob> jobs;
  for (test::Neighbours& r : results) jobs.push_back(walk.job(r));
  ForecastSeconds seconds = measure_forecast([&](ForecastBackend& backend) { backend.nearest(jobs); },
                                             [](const cuda::KernelSeconds& k) { return k.nearest; });
  const auto from = Clock::now();
  make_reference_forecast_backend()->nearest({jobs.data(), 1});
  seconds.plain = seconds_since(from);
  const auto places = static_cast<double>(kTickers * walk.last.size());
  double pairs = 0.0;
  for (const std::int32_t last : walk.last) pairs += kTickers * (last + 1.0);
  std::printf("search: %.4g places/s in the kernel (%.4g points x places/s), %.4g end to end; plain loops %.4g\n",
              places / seconds.kernels.nearest, pairs / seconds.kernels.nearest, places / seconds.whole,
              places / kTickers / seconds.plain);
  std::ostringstream json;
  json.precision(6);
  json << "{\"tickers\": " << kTickers << ", \"sessions\": 3780, \"places\": " << places
       << ", \"kernel_seconds\": " << seconds.kernels.nearest << ", \"end_to_end_seconds\": " << seconds.whole
       << ", \"places_per_second\": " << places / seconds.kernels.nearest
       << ", \"places_per_second_end_to_end\": " << places / seconds.whole
       << ", \"plain_places_per_second\": " << places / kTickers / seconds.plain << "}";
  return json.str();
}

/// The kernel sums of both outcomes over fifteen years on four axes, 100 tickers.
std::string measure_pair_sums() {
  constexpr std::size_t kTickers = 100;
  const test::PairSumsCase one = test::long_pair_sums(3780);
  std::vector<std::vector<float>> results(kTickers);
  std::vector<PairSumsJob> jobs;
  for (auto& r : results) jobs.push_back(one.job(r));
  ForecastSeconds seconds =
      measure_forecast([&](ForecastBackend& backend) { backend.pair_sums(jobs); },
                       [](const cuda::KernelSeconds& k) { return k.products + k.fill_and_slices; });
  const auto from = Clock::now();
  make_reference_forecast_backend()->pair_sums({jobs.data(), 1});
  seconds.plain = seconds_since(from);
  const double kernel = seconds.kernels.products + seconds.kernels.fill_and_slices;
  // Six pairs, two values, four sums over slices of 256 points.
  const double operations = kTickers * 6.0 * 2.0 * 4.0 * 64.0 * 64.0 * 2.0 * (15.0 * 256.0);
  std::printf("kernel sums: %.4g tickers/s in the kernels (products %.4g FLOP/s), %.4g end to end; plain loops %.4g\n",
              kTickers / kernel, operations / seconds.kernels.products, kTickers / seconds.whole, 1.0 / seconds.plain);
  std::ostringstream json;
  json.precision(6);
  json << "{\"tickers\": " << kTickers << ", \"sessions\": 3780, \"axes\": 4, \"values\": 2"
       << ", \"product_seconds\": " << seconds.kernels.products
       << ", \"fill_and_slice_seconds\": " << seconds.kernels.fill_and_slices
       << ", \"end_to_end_seconds\": " << seconds.whole << ", \"tickers_per_second\": " << kTickers / kernel
       << ", \"tickers_per_second_end_to_end\": " << kTickers / seconds.whole
       << ", \"product_operations_per_second\": " << operations / seconds.kernels.products
       << ", \"plain_tickers_per_second\": " << 1.0 / seconds.plain << "}";
  return json.str();
}

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

int main(int argc, char** argv) {
  bool check_only = false;
  std::string results = ".";
  std::string command;
  for (int i = 0; i < argc; ++i) {
    if (i > 0) command += ' ';
    command += argv[i];
  }
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--check-only") {
      check_only = true;
    } else if (argument == "--results" && i + 1 < argc) {
      results = argv[++i];
    } else {
      std::fprintf(stderr, "unknown argument %s (gpu_check [--check-only] [--results DIR])\n", argv[i]);
      return 1;
    }
  }
  try {
    const BackendStatus status = make_cuda_backend(Precision::kFp32)->status();
    if (!status.usable) {
      std::fprintf(stderr, "gpu_check cannot run (%s) run it on a machine with an NVIDIA GPU\n", status.detail.c_str());
      return 1;
    }
    std::printf("device: %s\n", status.detail.c_str());
    Verdict verdict = check_values();
    check_spectral(verdict);
    check_devices(verdict);
    check_inversions(verdict);
    check_walls(verdict);
    check_searches(verdict);
    check_pair_sums(verdict);
    if (check_only || !verdict.passed) return verdict.passed ? 0 : 1;

    const cuda::Ceilings ceilings = cuda::measure_ceilings();
    std::printf("ceilings: %.4g fp32 fma/s, %.4g fp64 fma/s, %.4g special functions/s\n", ceilings.fp32_fma_per_second,
                ceilings.fp64_fma_per_second, ceilings.special_function_per_second);
    std::string rows;
    // The rules under which volatility moves with spot, beside the same chains under sticky strike.
    for (const Shape& shape :
         {Shape{"240 contracts", 8, 30, 400}, Shape{"1500 contracts", 15, 100, 200},
          Shape{"20000 contracts", 40, 500, 12},
          Shape{"1500 contracts", 15, 100, 200, "relative_beta", IvRule::kRelativeBeta, 4.0},
          Shape{"1500 contracts", 15, 100, 200, "skew_stickiness", IvRule::kSkewStickiness, 0.0}}) {
      for (const GreekSet greeks : {kGreeks3, kGreeks11}) {
        for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
          rows += (rows.empty() ? "" : ",\n") + measure(shape, greeks, precision, ceilings);
        }
      }
    }

    for (const Shape& shape : {Shape{"240 contracts", 8, 30, 400}, Shape{"1500 contracts", 15, 100, 200},
                               Shape{"20000 contracts", 40, 500, 12}}) {
      for (const GreekSet greeks : {kGreeks3, kGreeks11}) {
        for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
          rows += ",\n" + measure_spectral(shape, greeks, precision, ceilings);
        }
      }
    }

    const std::string inversion = measure_inversions();
    const std::string walls = measure_walls(IvRule::kStickyStrike, "sticky_strike") + ", " +
                              measure_walls(IvRule::kRelativeBeta, "relative_beta") + ", " +
                              measure_walls(IvRule::kSkewStickiness, "skew_stickiness");

    const std::string searches = measure_searches();
    const std::string pair_sums = measure_pair_sums();

    const std::time_t now = std::time(nullptr);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
    std::string slug;
    for (const char c : status.detail.substr(0, status.detail.find(','))) {
      slug += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(c)) : '-';
    }
    const std::string path = results + "/" + slug + "-" + date + ".json";
    std::ofstream file(path);
    file << "{\n  \"device\": " << quoted(status.detail) << ",\n  \"processor\": " << quoted(processor())
         << ",\n  \"processor_threads\": " << std::thread::hardware_concurrency()
         << ",\n  \"cuda\": " << quoted(cuda::cuda_versions()) << ",\n  \"date\": " << quoted(date)
         << ",\n  \"commit\": " << quoted(environment("GREEKGRID_COMMIT", "unknown"))
         << ",\n  \"command\": " << quoted(environment("GREEKGRID_COMMAND", command.c_str()))
         << ",\n  \"grid\": \"201 spots x 11 IV shifts x 9 times\""
         << ",\n  \"largest_error_of_surface_maximum\": {\"fp32\": " << verdict.worst[0]
         << ", \"fp64\": " << verdict.worst[1]
         << "},\n  \"largest_deviation_of_inversion_in_attainable_errors\": " << verdict.worst_inversion
         << ",\n  \"inversion\": " << inversion << ",\n  \"walls\": [" << walls << "]"
         << ",\n  \"largest_deviation_of_kernel_sums_in_stated_errors\": " << verdict.worst_sum
         << ",\n  \"searches\": " << searches << ",\n  \"kernel_sums\": " << pair_sums
         << ",\n  \"same_bits_in_repeated_runs\": true,\n  \"fp32_fma_per_second\": " << ceilings.fp32_fma_per_second
         << ",\n  \"fp64_fma_per_second\": " << ceilings.fp64_fma_per_second
         << ",\n  \"special_functions_per_second\": " << ceilings.special_function_per_second
         << ",\n  \"throughput\": [\n"
         << rows << "\n  ]\n}\n";
    file.close();
    if (!file) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      return 1;
    }
    std::printf("wrote %s\n", path.c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_check failed: %s\n", error.what());
    return 1;
  }
}

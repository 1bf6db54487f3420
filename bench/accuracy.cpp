// Errors of the CPU backend on a real chain: every contract, the whole default grid, all Greeks, against the reference
// backend. Per Greek the worst error relative to the surface's largest magnitude, and relative to the gross exposure
// sum |n m greek| of the same cell, where cancellation between contracts cannot hide in the denominator.
//
//   accuracy [--file VENDOR_FILE] [--ticker T] [--json FILE] [--spots N] [--rate R] [--dividend-yield Q]
//
// Default file: cboe/spx_20230914_quotedata.csv of $GREEKGRID_DATA. Without it: exit status 77.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid_test/test_data.hpp"
#include "surface_errors.hpp"

namespace greekgrid::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::filesystem::path file = test::data_dir() / "cboe" / "spx_20230914_quotedata.csv";
  std::string ticker, json;
  std::size_t spots = 201;
  double rate = 0.05, dividend_yield = 0.015;
};

Options parse(std::span<char*> arguments) {
  Options options;
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const std::string name = arguments[i];
    if (i + 1 == arguments.size()) throw std::invalid_argument(name + ": has no value (options come in pairs)");
    const std::string value = arguments[i + 1];
    if (name == "--file") {
      options.file = value;
    } else if (name == "--ticker") {
      options.ticker = value;
    } else if (name == "--json") {
      options.json = value;
    } else if (name == "--spots") {
      options.spots = std::stoul(value);
    } else if (name == "--rate") {
      options.rate = std::stod(value);
    } else if (name == "--dividend-yield") {
      options.dividend_yield = std::stod(value);
    } else {
      throw std::invalid_argument(name + ": unknown option (--file --ticker --json --spots --rate --dividend-yield)");
    }
  }
  if (options.spots % 2 == 0) throw std::invalid_argument("--spots: is even (the middle spot is the reference)");
  return options;
}

int measure(const Options& options) {
  const OptionChain chain = ingest(std::span(&options.file, 1), Calendar(), IngestOptions());
  MarketConfig market;
  market.rate = options.rate;
  market.dividend_yield = options.dividend_yield;
  TickerSelection selection;
  selection.tickers = {options.ticker.empty() ? chain.ticker.front() : options.ticker};
  const Snapshot snapshot = make_snapshot(chain, market, selection, Calendar(), *make_cpu_backend(Precision::kFp64));
  if (snapshot.tickers() == 0) throw std::runtime_error(selection.tickers.front() + ": refused");
  constexpr PositionModel kModel[] = {PositionModel::kNaive};
  const std::vector<double> positions = dealer_positions(snapshot, kModel);
  const std::vector<double> weights = exposure_weights(snapshot, 0, positions, 1);
  std::vector<std::int64_t> expiry_begin;
  const BookView book = make_book(snapshot, 0, weights, expiry_begin);
  ScenarioConfig scenarios;
  scenarios.spots = options.spots;
  const auto times = make_times(scenarios, Calendar(), snapshot.quote_time);
  const GridView grid = make_grid(scenarios, IvRuleChoice{}, times, spot_scale(scenarios, snapshot.atm_iv[0]));

  const auto evaluate = [&](Backend& backend, const GridView& part, std::span<double> out) {
    const ExposureJob job = {book, part, 1, out};
    backend.evaluate(GreekSet::all(), {&job, 1});
  };
  const auto begin = Clock::now();
  static_assert(GridView{}.iv_shift_term == IvShiftTerm::kFlat);
  const auto [expected, gross] = surface_truth(book, grid);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  nlohmann::ordered_json record;
  record["file"] = options.file.filename().string();
  record["ticker"] = snapshot.ticker[0];
  record["contracts"] = snapshot.contracts();
  record["expiries"] = snapshot.expiries();
  record["grid"] = {{"times", grid.time.size()}, {"iv_shifts", grid.iv_shift.size()}, {"spots", grid.spots}};
  record["rate"] = options.rate;
  record["dividend_yield"] = options.dividend_yield;
  record["position"] = "naive";
  record["reference_seconds"] = seconds;
  record["small_gross"] = kSmallGross;
  std::printf(
      "%s: %s, %zu contracts, %zu expiries, %zu x %zu x %zu scenarios, r = %g, q = %g (reference and gross: %.1f s)\n",
      options.file.filename().c_str(), snapshot.ticker[0].c_str(), snapshot.contracts(), snapshot.expiries(),
      grid.time.size(), grid.iv_shift.size(), grid.spots, options.rate, options.dividend_yield, seconds);
  std::printf(
      "worst error relative to the surface maximum, to the gross exposure of its cell (cells of at least %g of the "
      "largest),\n"
      "and to gross in any cell\n%-8s %12s %12s %12s   %12s %12s %12s\n",
      kSmallGross, "", "fp32 max", "fp32 gross", "fp32 any", "fp64 max", "fp64 gross", "fp64 any");
  const std::size_t cells = grid.scenarios();
  std::vector<Worst> results[2];
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    std::vector<double> actual(kGreekCount * cells);
    evaluate(*make_cpu_backend(precision), grid, actual);
    const char* const precision_name = precision == Precision::kFp32 ? "fp32" : "fp64";
    for (std::size_t g = 0; g < kGreekCount; ++g) {
      const auto part = [&](const std::vector<double>& values) { return std::span(values).subspan(g * cells, cells); };
      const Worst worst = compare(part(actual), part(expected), part(gross));
      results[precision == Precision::kFp64].push_back(worst);
      record["errors"].push_back({{"greek", name(kAllGreeks[g])},
                                  {"precision", precision_name},
                                  {"relative_to_maximum", worst.to_maximum},
                                  {"relative_to_gross", worst.to_gross},
                                  {"relative_to_gross_any_cell", worst.to_gross_anywhere},
                                  {"cell",
                                   {{"time", worst.cell / (grid.spots * grid.iv_shift.size())},
                                    {"iv_shift", worst.cell / grid.spots % grid.iv_shift.size()},
                                    {"spot", worst.cell % grid.spots}}}});
    }
  }
  for (std::size_t g = 0; g < kGreekCount; ++g) {
    const Worst& a = results[0][g];
    const Worst& b = results[1][g];
    std::printf("%-8s %12.2e %12.2e %12.2e   %12.2e %12.2e %12.2e\n", std::string(name(kAllGreeks[g])).c_str(),
                a.to_maximum, a.to_gross, a.to_gross_anywhere, b.to_maximum, b.to_gross, b.to_gross_anywhere);
  }
  if (!options.json.empty()) {
    std::ofstream out(options.json);
    out << record.dump(1) << "\n";
    if (!out.flush()) throw std::runtime_error(options.json + ": cannot be written");
  }
  return 0;
}

}  // namespace
}  // namespace greekgrid::bench

int main(int argc, char** argv) try {
  const auto options = greekgrid::bench::parse(std::span(argv, static_cast<std::size_t>(argc)));
  if (!std::filesystem::exists(options.file)) {
    std::fprintf(stderr, "accuracy: %s: no such file (set GREEKGRID_DATA to the folder of chains, or give --file)\n",
                 options.file.c_str());
    return 77;
  }
  return greekgrid::bench::measure(options);
} catch (const std::invalid_argument& error) {
  std::fprintf(stderr, "accuracy: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "accuracy: %s\n", error.what());
  return 1;
}

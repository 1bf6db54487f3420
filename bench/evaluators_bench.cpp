// Every evaluator of the CPU backend beside brute force, the peaks of the core and other people's ways to the same
// sums: speed and observed error by chain, the synthetic universe, scaling over contracts, scenarios and threads.
// Everything is measured in turn. scripts/bench_evaluators runs it and prints what it found.
//
//   evaluators_bench --json FILE [--quick] [--parts chains,peers,universe,scaling] [--books DIR]
//                    [--evaluators brute,spectral]
//
// --books writes the peers' contracts and the reference's answers as DIR/book_<contracts>.json, for baselines in other
// languages. --quick is a trial on tiny inputs, never a figure to quote.

#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluations.hpp"
#include "greekgrid/host/night_run.hpp"
#include "issue_floor.hpp"
#include "option_peers.hpp"
#include "surface_errors.hpp"
#include "synthetic_universe.hpp"
#include "turns.hpp"

namespace greekgrid::bench {
namespace {

using Json = nlohmann::ordered_json;
using test::Book;

struct EvaluatorCase {
  const char* evaluator;
  Precision precision;
  EvaluatorOptions options;
};
constexpr EvaluatorCase kCases[] = {
    {"brute", Precision::kFp64, {Evaluator::kBrute}},
    {"brute", Precision::kFp32, {Evaluator::kBrute}},
    {"spectral", Precision::kFp64, {Evaluator::kSpectral, 1e-6}},
    {"spectral", Precision::kFp64, {Evaluator::kSpectral, 2e-8}},
    {"spectral", Precision::kFp32, {Evaluator::kSpectral, 1e-6}},
    {"spectral", Precision::kFp32, {Evaluator::kSpectral, 5e-6}},
};

struct ScenarioCount {
  std::size_t spots, iv_shifts;
};
struct UniverseSize {
  std::int32_t tickers;
  std::int64_t contracts;
};

// What is measured at full length and in a trial.
struct Sizes {
  std::vector<std::size_t> chains, peer_chains;
  std::size_t spots, sessions;
  UniverseSize universe;
  std::vector<UniverseSize> universes;  // smaller ones
  std::size_t scenario_chain;
  std::vector<ScenarioCount> scenarios;
  Rounds chain_rounds, universe_rounds;
};
Sizes sizes(bool quick) {
  if (quick) {
    return {{60, 120},
            {60},
            21,
            3,
            {3, 300},
            {{1, 60}, {2, 120}},
            60,
            {{5, 1}, {11, 3}, {21, 5}},
            {1, 2, 0.01, 0.001},
            {1, 1, 0.0, 0.0}};
  }
  return {{240, 1500, 20000},
          {240, 1500},
          201,
          9,
          {1000, 1500000},
          {{1, 1000}, {2, 3000}, {7, 10000}, {20, 30000}, {67, 100000}, {200, 300000}},
          1500,
          {{11, 1}, {33, 3}, {101, 11}, {201, 11}, {501, 21}, {2001, 55}},
          {3, 15, 1.5, 0.02},
          {1, 5, 6.0, 0.0}};
}

// As one thread of a program sees the machine, or several.
class Threads {
 public:
  explicit Threads(std::size_t count) : control_(oneapi::tbb::global_control::max_allowed_parallelism, count) {}

 private:
  oneapi::tbb::global_control control_;
};

std::vector<EvaluatorCase> g_cases(std::begin(kCases), std::end(kCases));

// One thread is timed by the processor's clock, as a shared machine lets it wait; several by the wall's.
void add_times(Json& row, double evaluations, const Timing& timing, std::size_t threads) {
  const Timing::Clock& clock = threads == 1 ? timing.processor : timing.wall;
  row["threads"] = threads;
  row["seconds"] = clock.best;
  row["median_seconds"] = clock.median;
  row["processor_seconds"] = timing.processor.best;
  row["wall_seconds"] = timing.wall.best;
  row["first_wall_seconds"] = timing.first_wall;
  row["cores"] = timing.cores;
  row["turns"] = timing.turns;
  row["evaluations"] = evaluations;
  row["evaluations_per_s"] = evaluations / clock.best;
}

Json row_of(const EvaluatorCase& which, GreekSet greeks, double evaluations, const Timing& timing,
            std::size_t threads = 1) {
  Json row;
  row["evaluator"] = which.evaluator;
  row["precision"] = which.precision == Precision::kFp32 ? "fp32" : "fp64";
  if (which.options.evaluator != Evaluator::kBrute) row["tolerance"] = which.options.tolerance;
  row["greeks"] = greeks.size();
  add_times(row, evaluations, timing, threads);
  return row;
}

// Spot axis of +-10 expected moves of a session, as a run makes it from the volatility at the money at about 30 days.
double at_the_money(const Book& book) {
  std::size_t nearest = 0;
  const auto far = [&](std::size_t e) {
    return std::abs(static_cast<double>(book.settlement[e] - test::kQuoteTime) / 86400.0 - 30.0);
  };
  for (std::size_t e = 1; e < book.settlement.size(); ++e) nearest = far(e) < far(nearest) ? e : nearest;
  auto i = static_cast<std::size_t>(book.expiry_begin[nearest]);
  for (std::size_t k = i; k < static_cast<std::size_t>(book.expiry_begin[nearest + 1]); ++k) {
    if (std::abs(book.strike[k] - book.spot) < std::abs(book.strike[i] - book.spot)) i = k;
  }
  return book.implied_volatility[i];
}

// A chain over a grid, its axes included.
struct ChainJob {
  ScenarioConfig scenarios;
  Book book;
  std::vector<std::int64_t> times;
  BookView view;
  GridView grid;

  ChainJob(std::size_t contracts, const ScenarioConfig& config)
      : scenarios(config),
        book(test::index_like_book(contracts)),
        times(make_times(scenarios, Calendar(), test::kQuoteTime)),
        view(book.view()),
        grid(make_grid(scenarios, IvRuleChoice{}, times, spot_scale(scenarios, at_the_money(book)))) {}
  ChainJob(const ChainJob&) = delete;
  ChainJob& operator=(const ChainJob&) = delete;
};

// What the evaluator says of itself: whether it did what it was asked for, and what it makes of its own error.
Json report_of(const EvaluationReport& report) {
  return {{"spectral", report.spectral}, {"fp64_rows", report.fp64_rows}, {"attempts", report.attempts},
          {"bound", report.bound},       {"at_nodes", report.at_nodes},   {"direct", report.direct}};
}

// Rows of every case over one chain, one thread, and the surfaces that they left.
struct Measured {
  std::vector<Json> rows;
  std::vector<std::vector<double>> surfaces;
};
Measured measure_chain(const BookView& book, const GridView& grid, GreekSet greeks, const Rounds& rounds) {
  const Threads one(1);
  Measured measured;
  std::vector<EvaluationReport> reports(g_cases.size());
  std::vector<std::unique_ptr<Backend>> backends;
  std::vector<std::function<void()>> jobs;
  measured.surfaces.assign(g_cases.size(), std::vector<double>(greeks.size() * grid.scenarios()));
  for (std::size_t k = 0; k < g_cases.size(); ++k) {
    backends.push_back(make_cpu_backend(g_cases[k].precision, g_cases[k].options));
    jobs.emplace_back([&, k] {
      const ExposureJob job = {book, grid, 1, measured.surfaces[k], &reports[k]};
      backends[k]->evaluate(greeks, {&job, 1});
    });
  }
  const auto timings = time_in_turn(jobs, rounds);
  for (std::size_t k = 0; k < g_cases.size(); ++k) {
    Json row = row_of(g_cases[k], greeks, live_evaluations(book, grid), timings[k]);
    if (g_cases[k].options.evaluator != Evaluator::kBrute) row["report"] = report_of(reports[k]);
    measured.rows.push_back(row);
  }
  return measured;
}

// Every `stride`-th spot of a surface, (rows, spots).
std::vector<double> strided(std::span<const double> surface, std::size_t spots, std::size_t stride) {
  std::vector<double> out;
  for (std::size_t k = 0; k < surface.size(); ++k) {
    if (k % spots % stride == 0) out.push_back(surface[k]);
  }
  return out;
}
GridView strided(GridView grid, std::size_t stride) {
  grid.spots = (grid.spots - 1) / stride + 1;
  grid.log_spot_step *= static_cast<double>(stride);
  return grid;
}

Json errors_of(GreekSet greeks, std::span<const double> surface, const SurfaceTruth& truth) {
  Json errors = Json::array();
  const std::size_t cells = surface.size() / greeks.size();
  for (const Greek greek : kAllGreeks) {
    if (!greeks.contains(greek)) continue;
    const std::size_t all = GreekSet::all().index(greek) * cells;
    const Worst worst =
        compare(surface.subspan(greeks.index(greek) * cells, cells), std::span(truth.expected).subspan(all, cells),
                std::span(truth.gross).subspan(all, cells));
    errors.push_back({{"greek", name(greek)},
                      {"relative_to_maximum", worst.to_maximum},
                      {"relative_to_gross", worst.to_gross},
                      {"relative_to_gross_any_cell", worst.to_gross_anywhere}});
  }
  return errors;
}

Json describe(const ChainJob& job) {
  return {{"contracts", job.book.strike.size()},
          {"expiries", job.book.settlement.size()},
          {"times", job.grid.time.size()},
          {"iv_shifts", job.grid.iv_shift.size()},
          {"spots", job.grid.spots},
          {"log_spot_half_width", -job.grid.log_spot_begin}};
}

void measure_chains(const Sizes& size, const ScenarioConfig& scenarios, Json& record) {
  for (const std::size_t contracts : size.chains) {
    const ChainJob job(contracts, scenarios);
    // The reference takes a hundred times as long as what it is to judge.
    const std::size_t stride = contracts > 5000 ? 5 : 1;
    const GridView compared = strided(job.grid, stride);
    const SurfaceTruth truth = surface_truth(job.view, compared);
    record["chains"].push_back(describe(job));
    record["chains"].back()["spots_compared"] = compared.spots;
    for (const GreekSet greeks : {kGreeks3, kGreeks11}) {
      const Measured measured = measure_chain(job.view, job.grid, greeks, size.chain_rounds);
      for (std::size_t k = 0; k < g_cases.size(); ++k) {
        Json row = measured.rows[k];
        row["contracts"] = contracts;
        row["floor_evaluations_per_s"] = floor_evaluations_per_second(greeks, g_cases[k].precision);
        row["errors"] = errors_of(greeks, strided(measured.surfaces[k], job.grid.spots, stride), truth);
        record["evaluators"].push_back(row);
      }
      std::fprintf(stderr, "evaluators_bench: %zu contracts, %zu Greeks\n", contracts, greeks.size());
    }
  }
}

// The peers' job: one instant and no shift, since that is what they offer. Evaluators do the same job beside them.
void measure_peers(const Sizes& size, ScenarioConfig scenarios, const std::string& books, Json& record) {
  const Threads one(1);
  scenarios.iv_shifts = {0.0};
  scenarios.sessions = 1;
  for (const std::size_t contracts : size.peer_chains) {
    const ChainJob job(contracts, scenarios);
    std::vector<double> expected(kGreekCount * job.grid.spots), spots;
    const ExposureJob reference = {job.view, job.grid, 1, expected};
    make_reference_backend()->evaluate(GreekSet::all(), {&reference, 1});
    for (std::size_t j = 0; j < job.grid.spots; ++j) {
      spots.push_back(job.book.spot *
                      std::exp(job.grid.log_spot_begin + static_cast<double>(j) * job.grid.log_spot_step));
    }
    const BookColumns columns(job.book);
    std::vector<OptionPeer> peers;
    std::vector<std::vector<double>> sums;
    std::vector<Json> rows;
    for (OptionPeer& peer : make_option_peers(job.book, columns)) {
      std::vector<double> out(peer.greeks.size() * spots.size());
      peer.sums(spots, out);
      const double error = peer_error(peer.greeks, out, expected, spots.size());
      Json row = {{"name", peer.name}, {"greeks", peer.greeks.size()}, {"contracts", contracts}, {"error", error}};
      if (!(error <= kPeerTolerance)) {
        row["refused"] = "computes something else than the reference";
        record["peers"].push_back(row);
        continue;
      }
      peers.push_back(std::move(peer));
      sums.push_back(std::move(out));
      rows.push_back(std::move(row));
    }
    std::vector<std::function<void()>> jobs;
    for (std::size_t k = 0; k < peers.size(); ++k) jobs.emplace_back([&, k] { peers[k].sums(spots, sums[k]); });
    const auto timings = time_in_turn(jobs, size.chain_rounds);
    const double evaluations = live_evaluations(job.view, job.grid);
    for (std::size_t k = 0; k < peers.size(); ++k) {
      add_times(rows[k], evaluations, timings[k], 1);
      record["peers"].push_back(rows[k]);
    }
    for (const GreekSet greeks : {kGreeks3, kGreeks11}) {
      for (Json& row : measure_chain(job.view, job.grid, greeks, size.chain_rounds).rows) {
        row["contracts"] = contracts;
        record["evaluators_on_the_peers_job"].push_back(row);
      }
    }
    if (books.empty()) continue;
    Json book = {{"right", columns.right},
                 {"strike", columns.strike},
                 {"sigma", columns.sigma},
                 {"rate", columns.rate},
                 {"dividend_yield", columns.dividend_yield},
                 {"tau", columns.tau},
                 {"weight", columns.weight},
                 {"spot", spots}};
    for (const Greek greek : kAllGreeks) {
      const auto part = std::span(expected).subspan(GreekSet::all().index(greek) * spots.size(), spots.size());
      book["expected"][std::string(name(greek))] = std::vector<double>(part.begin(), part.end());
    }
    std::ofstream(books + "/book_" + std::to_string(contracts) + ".json") << book;
  }
}

void measure_universe(SyntheticUniverse& universe, GreekSet greeks, std::size_t threads, const Rounds& rounds,
                      Json& rows) {
  const Threads limit(threads);
  std::vector<std::unique_ptr<Backend>> backends;
  std::vector<std::function<void()>> jobs;
  for (const EvaluatorCase& which : g_cases) {
    backends.push_back(make_cpu_backend(which.precision, which.options));
    jobs.emplace_back([&universe, greeks, backend = backends.back().get()] { universe.evaluate(*backend, greeks); });
  }
  const auto timings = time_in_turn(jobs, rounds);
  for (std::size_t k = 0; k < g_cases.size(); ++k) {
    Json row = row_of(g_cases[k], greeks, universe.evaluations(), timings[k], threads);
    row["tickers"] = universe.tickers();
    row["contracts"] = universe.contracts();
    rows.push_back(row);
  }
  std::fprintf(stderr, "evaluators_bench: %zu tickers, %zu contracts, %zu Greeks, %zu threads\n", universe.tickers(),
               universe.contracts(), greeks.size(), threads);
}

// The result memory exists before anything is timed.
void touch(SyntheticUniverse& universe, GreekSet greeks) {
  universe.evaluate(*make_cpu_backend(g_cases.back().precision, g_cases.back().options), greeks);
}

void measure_whole_universe(const Sizes& size, const ScenarioConfig& scenarios, Json& record) {
  SyntheticUniverse universe(size.universe.tickers, size.universe.contracts, scenarios);
  touch(universe, kGreeks11);
  for (const std::size_t threads : {1, 2}) {
    for (const GreekSet greeks : {kGreeks3, kGreeks11}) {
      measure_universe(universe, greeks, threads, size.universe_rounds, record["universe"]);
    }
  }
}

void measure_scaling(const Sizes& size, const ScenarioConfig& scenarios, Json& record) {
  for (const UniverseSize& one : size.universes) {
    SyntheticUniverse universe(one.tickers, one.contracts, scenarios);
    touch(universe, kGreeks11);
    measure_universe(universe, kGreeks11, 1, {2, 15, 1.0, size.chain_rounds.turn_seconds}, record["over_contracts"]);
  }
  for (const ScenarioCount& count : size.scenarios) {
    ScenarioConfig config = scenarios;
    config.spots = count.spots;
    config.iv_shifts.clear();
    for (std::size_t v = 0; v < count.iv_shifts; ++v) {
      const auto middle = static_cast<double>(count.iv_shifts / 2);
      config.iv_shifts.push_back(middle > 0.0 ? 0.1 * (static_cast<double>(v) - middle) / middle : 0.0);
    }
    const ChainJob job(size.scenario_chain, config);
    for (Json& row : measure_chain(job.view, job.grid, kGreeks11, size.chain_rounds).rows) {
      row["contracts"] = size.scenario_chain;
      row["scenarios"] = job.grid.scenarios();
      row["spots"] = count.spots;
      row["iv_shifts"] = count.iv_shifts;
      record["over_scenarios"].push_back(row);
    }
    std::fprintf(stderr, "evaluators_bench: %zu scenarios\n", job.grid.scenarios());
  }
}

Json peaks() {
  const MachinePeaks& rates = machine_peaks();
  return {{"vector_instructions_per_s", rates.best()},
          {"fma_fp32_instructions_per_s", rates.fma_fp32},
          {"fma_fp64_instructions_per_s", rates.fma_fp64},
          {"mixed_instructions_per_s", rates.issue_fp32},
          {"lanes_fp32", lanes_fp32()},
          {"lanes_fp64", lanes_fp64()},
          {"flop_per_s_fp32", 2.0 * static_cast<double>(lanes_fp32()) * rates.fma_fp32},
          {"flop_per_s_fp64", 2.0 * static_cast<double>(lanes_fp64()) * rates.fma_fp64}};
}

struct Options {
  std::string json, books, parts = "chains,peers,universe,scaling", evaluators;
  bool quick = false;
};

bool listed(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

Options parse(std::span<char*> arguments) {
  Options options;
  const struct {
    const char* name;
    std::string* value;
  } texts[] = {{"--json", &options.json},
               {"--books", &options.books},
               {"--parts", &options.parts},
               {"--evaluators", &options.evaluators}};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string word = arguments[i];
    const auto* const found =
        std::find_if(std::begin(texts), std::end(texts), [&](const auto& text) { return word == text.name; });
    if (word == "--quick") {
      options.quick = true;
    } else if (found == std::end(texts) || i + 1 == arguments.size()) {
      throw std::invalid_argument(word + ": unknown option, or without its value");
    } else {
      *found->value = arguments[++i];
    }
  }
  if (options.json.empty()) throw std::invalid_argument("--json FILE is missing");
  return options;
}

void measure(const Options& options) {
  if (!options.evaluators.empty()) {
    std::erase_if(g_cases, [&](const EvaluatorCase& c) { return !listed(options.evaluators, c.evaluator); });
    if (g_cases.empty()) throw std::invalid_argument("--evaluators: none of brute, spectral");
  }
  const Sizes size = sizes(options.quick);
  ScenarioConfig scenarios;
  scenarios.spots = size.spots;
  scenarios.sessions = size.sessions;
  Json record;
  record["cpu"] = make_cpu_backend(Precision::kFp64)->status().detail;
  record["peaks"] = peaks();
  if (listed(options.parts, "chains")) measure_chains(size, scenarios, record);
  if (listed(options.parts, "peers")) measure_peers(size, scenarios, options.books, record);
  if (listed(options.parts, "scaling")) measure_scaling(size, scenarios, record);
  if (listed(options.parts, "universe")) measure_whole_universe(size, scenarios, record);
  std::ofstream out(options.json);
  out << record.dump(1) << "\n";
  if (!out.flush()) throw std::runtime_error(options.json + ": cannot be written");
}

}  // namespace
}  // namespace greekgrid::bench

int main(int argc, char** argv) try {
  greekgrid::bench::measure(greekgrid::bench::parse(std::span(argv, static_cast<std::size_t>(argc))));
  return 0;
} catch (const std::invalid_argument& error) {
  std::fprintf(stderr, "evaluators_bench: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "evaluators_bench: %s\n", error.what());
  return 1;
}

// The main job: chains in, night.h5 and its run record out.

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/config_file.hpp"
#include "greekgrid/io/corrections_file.hpp"
#include "greekgrid/io/file_lock.hpp"
#include "greekgrid/io/history_file.hpp"
#include "greekgrid/io/history_ingest.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/night_file.hpp"
#include "greekgrid/io/night_table.hpp"
#include "greekgrid/io/publish.hpp"
#include "greekgrid/io/ranking_file.hpp"
#include "greekgrid/io/rate_curve_file.hpp"
#include "output.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "sources.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  SourceOptions source;
  std::string target, config, backend = "auto", rejects, ranking, history, previous, corrections;
  std::vector<std::string> tickers, always;
  std::size_t top = 0;
  int threads = 0;
  bool strict = false, no_append = false, replace = false;
};

// Surfaces go from the engine to the file.
class FileSink final : public SurfaceSink {
 public:
  explicit FileSink(NightWriter& writer) : writer_(writer) {}
  void write_surfaces(std::int64_t ticker, std::span<const double> cells, std::span<const double> session,
                      const TickerSteps* steps) override {
    writer_.write_surfaces(ticker, cells, session, steps);
  }

 private:
  NightWriter& writer_;
};

std::unique_ptr<Backend> choose_backend(const std::string& wanted, Precision precision) {
  if (wanted == "reference") return make_reference_backend();
  if (wanted == "cpu") return make_cpu_backend(precision);
  auto cuda = make_cuda_backend(precision);
  const BackendStatus status = cuda->status();
  if (status.usable) return cuda;
  if (wanted == "cuda") throw BackendError("--backend cuda: cannot run (" + status.detail + ") choose cpu or auto");
  auto cpu = make_cpu_backend(precision);
  spdlog::info("backend cpu, {} (cuda: {})", cpu->status().detail, status.detail);
  return cpu;
}

// Basis points between the vendor's spot and the one that the options saw, from which on it is worth a warning.
constexpr double kNotableBasis = 20.0;

// The last session that is over at the quotes: what later prices and volumes say is not known yet.
Date last_session(const Calendar& calendar, Instant quote_time) {
  const Session session = calendar.session_begun_by(quote_time);
  if (quote_time >= session.close) return session.date;
  return calendar.session_on_or_before(Date{std::chrono::sys_days{session.date} - std::chrono::days{1}}).date;
}

// Fills the ranking of the selection and records what it was: a CSV, or where only the first so many are asked for and
// there is none, the history. `history` is what --history names.
Diagnostics rank_universe(const Options& options, const DailyHistory& history, const Calendar& calendar,
                          Instant quote_time, RunConfig& config) {
  const RankingSource recorded = config.ranking;
  const std::string csv = !options.ranking.empty() ? options.ranking : recorded.file;
  const bool by_history = csv.empty() && !options.history.empty() &&
                          (config.selection.top > 0 || !recorded.sha256.empty() || !recorded.source.empty());
  const std::string file = by_history ? options.history : csv;
  if (file.empty()) {
    if (recorded.sha256.empty() && recorded.source.empty()) return {};
    throw InputError(options.config + ": selection.ranking_source without a ranking (" + recorded.source +
                     " was read by the run that recorded it) name it with --ranking or --history");
  }
  Ranking ranking;
  if (!by_history) {
    ranking = read_ranking(file);
  } else {
    ranking.symbol = rank_by_dollar_volume(history, calendar, last_session(calendar, quote_time));
    ranking.source = std::filesystem::path(file).filename().string();
    if (ranking.symbol.empty()) {
      throw InputError(file +
                       ": ranks nothing (no symbol has close and volume on 20 of the 60 sessions up to the quote "
                       "date) extend it");
    }
    // Of what it ranks, not of the file: the store grows by every night's own session.
    ranking.sha256 = ranking_sha256(ranking.symbol);
  }
  if (!recorded.sha256.empty() && recorded.sha256 != ranking.sha256) {
    throw InputError(file + ": another ranking than the configuration records (sha256 " + ranking.sha256 + " for " +
                     recorded.sha256 + ") drop selection.ranking_sha256 to take it");
  }
  config.selection.ranking = std::move(ranking.symbol);
  config.ranking = {"", std::move(ranking.source), std::move(ranking.sha256)};
  return std::move(ranking.rejects);
}

// The result of an earlier session, whose levels changes are told against.
struct Previous {
  std::vector<LevelRow> level;
  std::vector<EarlierSkew> skew;
  ChainSource source;
};

std::vector<EarlierSkew> read_skews(const std::string& file) {
  const std::vector<TableColumn> tickers = read_rows(file, "root", {{"ticker"}, {}});
  const std::vector<TableColumn> c = read_rows(
      file, "expiry", {{"expiry_ticker", "root", "settlement", "range_50_low", "range_50_high", "skew_25d"}, {}});
  std::vector<EarlierSkew> skews(cells(c[0].variable));
  for (std::size_t e = 0; e < skews.size(); ++e) {
    const double u = number_at(c[0], e);
    if (!(u >= 0.0 && u < static_cast<double>(cells(tickers[0].variable)))) {
      throw InputError(
          fmt::format("{}: expiry {} is of ticker {}, which is none of it (the file is damaged)", file, e, u));
    }
    skews[e] = {text_at(tickers[0], static_cast<std::size_t>(u)),
                text_at(c[1], e),
                static_cast<Instant>(number_at(c[2], e)),
                number_at(c[3], e),
                number_at(c[4], e),
                number_at(c[5], e)};
  }
  return skews;
}

Previous read_previous(const std::string& file, Instant quote_time) {
  if (file.empty()) return {};
  NightSummary night = read_night_summary(file);
  if (night.header.quote_time >= quote_time) {
    throw InputError(fmt::format("{}: no earlier session (its quotes are of {}, this run's of {}) name an older result",
                                 file, utc_text(night.header.quote_time), utc_text(quote_time)));
  }
  return {std::move(night.level),
          night.expiries > 0 ? read_skews(file) : std::vector<EarlierSkew>{},
          {std::filesystem::path(file).filename().string(), file_sha256(file)}};
}

// The session's own row of every ticker, under the names of the store.
DailyHistory session_rows(const Options& options, const OptionChain& chain, const NightHeader& header,
                          const NightTables& tables, const std::vector<std::string>& symbol) {
  const Instant known =
      knowledge_time_of(chain.quote_time, chain.open_interest_knowledge_time, options.source.files.front());
  std::map<std::string, std::size_t> order;  // of two tickers that spell one share class the first
  for (std::size_t u = 0; u < symbol.size(); ++u) order.emplace(symbol[u], u);
  DailyHistory tonight;
  tonight.source = {{std::filesystem::path(options.target).filename().string(), file_sha256(options.target)}};
  for (const auto& [name, u] : order) {
    const SessionPredictors& at = tables.outlook[u].forecast.at;
    append_symbol_row(tonight, name, header.outlook.session, known);
    tonight.spot.back() = header.spot_reference[u];
    tonight.g.back() = at.x[static_cast<std::size_t>(Predictor::kG)];
    tonight.g_old.back() = at.old[static_cast<std::size_t>(Predictor::kG)];
    tonight.iv30.back() = at.iv30;
    tonight.gamma_index.back() = tables.level[u * header.position.size()][LevelName::kGammaIndex].value;
  }
  return tonight;
}

// Puts them into the store, once the result and its record are published.
void append_tonight(const Options& options, const OptionChain& chain, const NightHeader& header,
                    const NightTables& tables, const std::vector<std::string>& symbol) {
  if (!header.outlook.over) {
    spdlog::warn("{}: not extended (the quotes are of {}, before the close of their session)", options.history,
                 utc_text(chain.quote_time));
    return;
  }
  const std::string session = utc_text(midnight_of(header.outlook.session)).substr(0, 10);
  HistoryAppend appended;
  try {
    appended =
        append_to_history(options.history, session_rows(options, chain, header, tables, symbol), options.replace);
  } catch (const OutputError& error) {
    throw OutputError(
        fmt::format("{}; {} itself is complete: `greekgrid history {} {} -o {}` extends the history by it",
                    error.what(), options.target, options.history, options.target, options.history));
  }
  const std::size_t differ = appended.merge.contradiction.size();
  if (differ > 0) {
    spdlog::warn("{}: {} values of {} differ from those it had {}", options.history, differ, session,
                 options.replace ? "and replaced them" : "and were left out (--replace takes them)");
  }
  spdlog::info("{}: {}", options.history,
               appended.written ? "extended by the session of " + session : "has the session already");
}

// Closes of the history on another scale than the quotes: how many, and the worst in words.
std::pair<std::size_t, std::string> contradicted_closes(const NightHeader& header, const NightTables& tables) {
  constexpr double kNotable = 0.05;
  std::pair<std::size_t, std::string> found;
  double largest = kNotable;
  for (std::size_t u = 0; u < header.ticker.size(); ++u) {
    const double close = tables.outlook[u].forecast.at.close, spot = header.spot_reference[u];
    const double distance = std::abs(std::log(close / spot));
    if (!(distance > kNotable)) continue;
    ++found.first;
    if (distance > largest) {
      largest = distance;
      found.second = fmt::format("{} {:g} for {:g}", header.ticker[u], close, spot);
    }
  }
  return found;
}

std::string now_text() {
  return utc_text(static_cast<Instant>(std::time(nullptr)));
}

int run(const Options& options) {
  const std::string record_target = options.target + ".run.json";
  std::vector<Target> targets = {{"-o", options.target}, {"the run record", record_target}};
  if (!options.rejects.empty()) targets.push_back({"--rejects", options.rejects});
  std::vector<std::string> inputs = options.source.files;
  for (const std::string& file : {options.config, options.source.profile, options.ranking, options.history,
                                  options.previous, options.corrections}) {
    if (!file.empty()) inputs.push_back(file);
  }
  check_targets(targets, inputs);
  const std::string started_at = now_text();
  const auto start = Clock::now();
  auto stage = start;
  const auto lap = [&stage] {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - stage).count();
    stage = now;
    return seconds;
  };
  const int threads = options.threads > 0 ? options.threads : oneapi::tbb::info::default_concurrency();
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                          static_cast<std::size_t>(threads));

  RunConfig config = options.config.empty() ? RunConfig() : read_config(options.config);
  if (!options.tickers.empty()) config.selection.tickers = options.tickers;
  if (options.top > 0) config.selection.top = options.top;
  if (!options.always.empty()) config.selection.always = options.always;
  if (!config.ranking.file.empty() && options.ranking.empty()) {
    inputs.push_back(config.ranking.file);
    check_targets(targets, inputs);
  }
  Calendar calendar;
  for (const CalendarOverride& day : config.calendar) calendar.set_day(day.date, day.kind);
  const auto backend = choose_backend(options.backend, config.precision);
  // Refuse a hopeless one before the work.
  for (const Target& target : targets) const PendingFile probe(target.path);
  if (!options.history.empty() && !options.no_append) {
    const FileLock lock(options.history);
    const PendingFile probe(options.history);
  }

  nlohmann::ordered_json seconds;
  const OptionChain chain = read_chain(options.source, calendar);
  log_rejects(chain.rejects, "rows");
  seconds["read"] = lap();
  if (stop_requested()) throw Stopped{};

  if (std::count(config.positions.begin(), config.positions.end(), PositionModel::kSignedColumn) > 0) {
    const auto known = std::count_if(chain.dealer_position.begin(), chain.dealer_position.end(),
                                     [](double n) { return std::isfinite(n); });
    if (known == 0) {
      throw InputError(
          options.source.files.front() +
          ": no dealer positions (position model signed_column needs the column dealer_position) choose another model");
    }
    const auto missing = static_cast<std::ptrdiff_t>(chain.contracts()) - known;
    if (missing > 0) spdlog::warn("{} contracts without a dealer position count as 0 in signed_column", missing);
  }

  if (!config.market.rate_curve_file.empty()) {
    config.market.rate_curve = read_rate_curve(config.market.rate_curve_file, new_york_date(chain.quote_time));
  }
  const Previous previous = read_previous(options.previous, chain.quote_time);
  DailyHistory history = options.history.empty() ? DailyHistory() : read_history_file(options.history);
  NightHistory past;
  if (!options.history.empty()) {
    past.store = &history;
    if (!options.corrections.empty()) past.corrections = read_corrections(options.corrections).split;
  }
  const Diagnostics ranking_rejects = rank_universe(options, history, calendar, chain.quote_time, config);
  log_rejects(ranking_rejects, "rows of the ranking");
  SnapshotTimings market;
  Snapshot snapshot = make_snapshot(chain, config.market, config.selection, calendar, *backend, &market);
  seconds["snapshot"] = lap();
  seconds["forwards"] = market.forward_seconds;
  seconds["inversions"] = market.inversion_seconds;
  seconds["smiles"] = market.smile_seconds;
  std::size_t refused = 0;
  std::map<std::string, std::size_t> reasons;
  for (const TickerQuality& quality : snapshot.quality) {
    if (quality.status == TickerStatus::kOk) continue;
    ++refused;
    ++reasons[std::string(name(quality.status))];
    if (refused <= 20) spdlog::warn("ticker {} refused: {}", quality.ticker, name(quality.status));
  }
  if (refused > 20) spdlog::warn("{} more tickers refused (`greekgrid info` lists all)", refused - 20);
  if (!options.rejects.empty()) {
    Diagnostics all = chain.rejects;
    all.insert(all.end(), ranking_rejects.begin(), ranking_rejects.end());
    all.insert(all.end(), snapshot.diagnostics.begin(), snapshot.diagnostics.end());
    write_reject_report(all, options.rejects);
  }
  const auto not_ranked = std::count_if(snapshot.diagnostics.begin(), snapshot.diagnostics.end(),
                                        [](const Diagnostic& diagnostic) { return diagnostic.rule == "not_ranked"; });
  std::vector<std::string> selection_warnings;
  if (!ranking_rejects.empty()) {
    selection_warnings.push_back(fmt::format("{} rows of the ranking refused", ranking_rejects.size()));
  }
  if (!config.selection.ranking.empty()) {
    const std::size_t absent = count_missing(config.selection.ranking, chain.ticker);
    if (not_ranked > 0) selection_warnings.push_back(fmt::format("{} tickers of the chain not_ranked", not_ranked));
    if (absent > 0) selection_warnings.push_back(fmt::format("{} ranked tickers are not in the chain", absent));
  }
  for (const std::string& warning : selection_warnings) spdlog::warn("{}", warning);
  if (snapshot.tickers() == 0) {
    std::string why = not_ranked > 0 ? fmt::format("{} not_ranked", not_ranked) : std::string();
    for (const auto& [reason, count] : reasons) why += fmt::format("{}{} {}", why.empty() ? "" : ", ", count, reason);
    throw InputError(
        fmt::format("{}: no ticker left ({})", options.source.files.front(), why.empty() ? "the chain is empty" : why));
  }
  if (stop_requested()) throw Stopped{};

  const NightHeader header =
      make_header(chain, snapshot, config, calendar,
                  average_daily_volume(history, snapshot.ticker, last_session(calendar, chain.quote_time)), past);
  NightWriter writer(options.target, header);
  FileSink sink(writer);
  NightTimings timings;
  NightTables tables = [&] {
    Progress progress("run");
    constexpr std::size_t kBlockBytes = std::size_t{64} << 20;
    return run_night(
        chain, snapshot, config, header, calendar, *backend, sink, kBlockBytes,
        [&](const NightProgress& p) { progress.update(p.tickers_done, p.tickers, p.evaluations_done, p.evaluations); },
        stop_requested(), timings, past);
  }();
  seconds["evaluate"] = timings.evaluate_seconds;
  seconds["levels"] = timings.levels_seconds;
  seconds["levels_threads"] = {{"levels", timings.levels_thread_seconds},
                               {"profiles", timings.profile_thread_seconds},
                               {"attribution", timings.attribution_thread_seconds},
                               {"intraday", timings.intraday_thread_seconds},
                               {"forecasts", timings.outlook_thread_seconds}};
  seconds["step_tables"] = timings.steps_seconds;
  seconds["drain"] = timings.drain_seconds;
  lap();
  set_changes(tables.level, previous.level);
  set_skew_changes(snapshot, previous.skew);
  tables.previous = previous.source;
  tables.configuration = to_toml(config);
  tables.tool_version = GREEKGRID_VERSION;
  tables.build = GREEKGRID_BUILD;
  tables.backend = backend->status().name;
  tables.precision = options.backend == "reference" || config.precision == Precision::kFp64 ? "fp64" : "fp32";
  tables.warnings = selection_warnings;
  for (const auto& [reason, count] : reasons)
    tables.warnings.push_back(fmt::format("{} tickers refused: {}", count, reason));
  std::map<std::string, std::size_t> rules;
  for (const Diagnostic& diagnostic : snapshot.diagnostics) {
    // Refusals of whole tickers have been told by their status.
    if (diagnostic.field == "open_interest" || diagnostic.field == "dealer_position" ||
        diagnostic.rule == "no_usable_iv") {
      if (diagnostic.rule != "no_open_interest") ++rules[diagnostic.rule];
    }
  }
  for (const auto& [rule, count] : rules)
    tables.warnings.push_back(fmt::format("{} contracts refused: {}", count, rule));
  std::vector<const TickerQuality*> displaced;
  for (const TickerQuality& quality : snapshot.quality) {
    if (quality.status == TickerStatus::kOk && std::abs(quality.spot_basis_bp) > kNotableBasis) {
      displaced.push_back(&quality);
    }
  }
  if (!displaced.empty()) {
    const auto worst = *std::max_element(displaced.begin(), displaced.end(), [](const auto* a, const auto* b) {
      return std::abs(a->spot_basis_bp) < std::abs(b->spot_basis_bp);
    });
    tables.warnings.push_back(
        fmt::format("{} tickers have options that saw another spot by more than {:.0f} bp, {} by {:.1f} bp",
                    displaced.size(), kNotableBasis, worst->ticker, worst->spot_basis_bp));
    spdlog::warn("{} (docs/conventions.md, forwards)", tables.warnings.back());
  }
  if (const auto [count, worst] = contradicted_closes(header, tables); count > 0) {
    tables.warnings.push_back(
        fmt::format("{} tickers have a close in the history that is more than 5 % from their spot, {}", count, worst));
    spdlog::warn("{} (is the history adjusted, or of another symbol?)", tables.warnings.back());
  }
  writer.finish(tables);
  seconds["finish"] = lap();
  const double total = std::chrono::duration<double>(Clock::now() - start).count();
  seconds["total"] = total;

  const NightWriter::Statistics statistics = writer.statistics();
  nlohmann::ordered_json record;
  record["program"] = "greekgrid";
  record["version"] = GREEKGRID_VERSION;
  record["started"] = started_at;
  record["finished"] = now_text();
  record["command_line"] = command_line();
  record["inputs"] = inputs;
  record["target"] = options.target;
  record["host"] = host_name();
  record["processor"] = processor_name();
  record["threads"] = threads;
  record["backend"] = tables.backend;
  record["device"] = backend->status().detail;
  record["seconds"] = seconds;
  record["tickers"] = snapshot.tickers();
  record["tickers_refused"] = refused;
  record["contracts"] = snapshot.contracts();
  record["quotes_inverted"] = market.inversions;
  record["greeks"] = config.greeks.size();
  record["scenarios_per_ticker"] = header.chunk_cells() * config.scenarios.iv_rules.size();
  record["evaluations"] = timings.evaluations;
  record["evaluations_per_second"] =
      timings.evaluate_seconds > 0.0 ? timings.evaluations / timings.evaluate_seconds : 0.0;
  record["surface_bytes_raw"] = statistics.bytes_raw;
  record["surface_bytes_compressed"] = statistics.bytes_compressed;
  record["compress_thread_seconds"] = statistics.compress_seconds;
  record["write_thread_seconds"] = statistics.write_seconds;
  record["peak_memory_bytes"] = peak_memory_bytes();
  // File names need not be UTF-8, JSON must be.
  publish_text(record_target, record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");

  if (past.store != nullptr && !options.no_append) {
    std::vector<std::string> symbol = snapshot.ticker;
    const std::vector<std::ptrdiff_t> place = find_symbols(history, snapshot.ticker);
    for (std::size_t u = 0; u < symbol.size(); ++u) {
      if (place[u] >= 0) symbol[u] = history.symbol[static_cast<std::size_t>(place[u])];
    }
    history = {};  // the store is read anew under its lock
    append_tonight(options, chain, header, tables, symbol);
  }
  spdlog::info(
      "{}: {} tickers, {} contracts, {:.3g} evaluations in {:.2f} s ({:.3g}/s), total {:.2f} s, peak memory {}",
      options.target, snapshot.tickers(), snapshot.contracts(), timings.evaluations, timings.evaluate_seconds,
      timings.evaluations / std::max(timings.evaluate_seconds, 1e-9), total,
      bytes_text(static_cast<double>(peak_memory_bytes())));
  return refused > 0 && options.strict ? kTickersRefused : kDone;
}

}  // namespace

Command add_run(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("run", "Chains to a night.h5: exposure surfaces, gamma levels, the audit trail");
  command->add_option("files", options->source.files, "One chains.h5, or vendor files (ingested in memory)")
      ->required();
  command->add_option("-o,--output", options->target, "Target night.h5; its run record is written beside it")
      ->required();
  command->add_option("--config", options->config, "Run configuration, TOML (docs/configuration.md)");
  command->add_option("--tickers", options->tickers, "Only these, separated by commas")->delimiter(',');
  command->add_option("--top", options->top, "Only the first so many of the ranking, or by open interest in USD")
      ->check(CLI::Range(1, 1000000000));
  command->add_option("--ranking", options->ranking,
                      "Ranking of tickers, CSV with a ticker and a number; the others are left out");
  command->add_option(
      "--history", options->history,
      "history.h5: predictors, forecasts and hypothetical closes, average daily volumes; with --top and no ranking the "
      "largest by mean close x volume of the last 60 sessions. The session's own row is appended once the run is done");
  command->add_option("--corrections", options->corrections,
                      "With --history: split corrections, CSV: symbol,date,factor");
  command->add_flag("--no-append", options->no_append, "The history is read, not extended");
  command->add_flag("--replace", options->replace,
                    "Values that the history has already of the session are replaced by this run's");
  command->add_option("--previous", options->previous,
                      "night.h5 of an earlier session: changes of levels are told against it");
  command->add_option("--always", options->always, "These besides, separated by commas, whatever their rank")
      ->delimiter(',');
  command->add_option("--backend", options->backend, "auto, cpu, cuda, reference")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "reference"}))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads (default: one a core)")->check(CLI::Range(1, 4096));
  add_source_options(*command, options->source);
  command->add_option("--rejects", options->rejects, "Report of refused rows, contracts and tickers, CSV");
  command->add_flag("--strict", options->strict, "Exit 5 if a ticker was refused");
  return [options] { return run(*options); };
}

}  // namespace greekgrid::cli

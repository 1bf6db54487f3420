#include "night_job.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "commands.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/chain_file.hpp"
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
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::unique_ptr<Backend> choose_backend(const std::string& wanted, Precision precision,
                                        const EvaluatorOptions& evaluator) {
  if (wanted == "reference") return make_reference_backend();
  if (wanted == "cpu") return make_cpu_backend(precision, evaluator);
  auto cuda = make_cuda_backend(precision, evaluator);
  const BackendStatus status = cuda->status();
  if (status.usable) return cuda;
  if (wanted == "cuda") throw BackendError("--backend cuda: cannot run (" + status.detail + ") choose cpu or auto");
  auto cpu = make_cpu_backend(precision, evaluator);
  spdlog::info("backend cpu, {} (cuda: {})", cpu->status().detail, status.detail);
  return cpu;
}

// Symbols of a store by their dollar volumes, a few symbols at a time.
std::vector<std::string> rank_store(const HistoryStore& store, const Calendar& calendar, Date date) {
  constexpr std::size_t kSymbols = 64;
  const std::vector<std::string>& symbol = store.index().symbol;
  std::vector<double> means;
  for (std::size_t begin = 0; begin < symbol.size(); begin += kSymbols) {
    std::vector<std::size_t> part;
    for (std::size_t s = begin; s < std::min(begin + kSymbols, symbol.size()); ++s) part.push_back(s);
    const std::vector<double> some = mean_dollar_volume(store.read(part), calendar, date);
    means.insert(means.end(), some.begin(), some.end());
  }
  return rank_by_dollar_volume(symbol, means);
}

// Fills the ranking of the selection and records what it was: a CSV, or where only the first so many are asked for and
// there is none, the history. `history` is what --history names.
Diagnostics rank_universe(const NightOptions& options, const HistoryStore* history, const Calendar& calendar,
                          Instant quote_time, RunConfig& config) {
  const RankingSource recorded = config.ranking;
  const std::string csv = !options.ranking.empty() ? options.ranking : recorded.file;
  const bool by_history = csv.empty() && history != nullptr &&
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
    ranking.symbol = rank_store(*history, calendar, last_session(calendar, quote_time));
    ranking.source = fs::path(file).filename().string();
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

std::string now_text() {
  return utc_text(static_cast<Instant>(std::time(nullptr)));
}

// The folder of a run's own state, made where it is missing. Only its owner may look into it.
class ResumeFolder {
 public:
  ResumeFolder(const std::string& target, bool goes_on) : path_(resume_folder(target)) {
    std::error_code error;
    had_state_ = fs::exists(fs::symlink_status(path_, error));
    if (had_state_ && !goes_on) {
      spdlog::info("{}: what an earlier run left behind is dropped (--resume would have gone on with it)", target);
      fs::remove_all(path_, error);
      had_state_ = false;
    }
    if (::mkdir(path_.c_str(), 0777) != 0 && errno != EEXIST) {
      throw OutputError(target + ": cannot be written (" + std::strerror(errno) + " for " + path_.string() + ")");
    }
    if (!fs::is_directory(fs::symlink_status(path_, error))) {
      throw OutputError(target + ": cannot be written (" + path_.string() + " is no folder) remove it");
    }
  }
  ~ResumeFolder() {
    if (!keep_) drop();
  }
  ResumeFolder(const ResumeFolder&) = delete;
  ResumeFolder& operator=(const ResumeFolder&) = delete;

  fs::path part() const { return path_ / "part"; }
  fs::path chunks() const { return path_ / "chunks"; }
  bool had_part() const {
    std::error_code error;
    return had_state_ && fs::exists(part(), error);
  }
  // From now on there is something in it that a later run can use.
  void keep() { keep_ = true; }
  void drop() {
    std::error_code error;
    fs::remove_all(path_, error);
    keep_ = true;
    if (error) spdlog::warn("{} is left behind ({})", path_.string(), error.message());
  }

 private:
  fs::path path_;
  bool had_state_ = false, keep_ = false;
};

// Facts of a night, name by name, so that a refusal can say which is another.
std::vector<NightFact> facts_of(const NightOptions& options, const ChainStore& chain, const HistoryStore* history,
                                const RunConfig& config, const NightRunTexts& texts, const std::string& device) {
  std::vector<NightFact> facts = {{"tool_version", texts.tool_version},
                                  {"build", texts.build},
                                  {"backend", texts.backend},
                                  {"device", device},
                                  {"precision", texts.precision}};
  std::istringstream lines(texts.configuration);
  for (std::string line; std::getline(lines, line);) facts.push_back({"configuration", line});
  facts.push_back({"chain", chain.digest()});
  for (const ChainSource& source : chain.index().source) {
    facts.push_back({"source", source.name + " " + source.sha256});
  }
  facts.push_back({"previous", texts.previous.name + " " + texts.previous.sha256});
  facts.push_back({"corrections", options.corrections.empty() ? "" : file_sha256(options.corrections)});
  // What a configuration file names but does not hold is spelled out with it.
  std::string curve;
  for (const CurveNode& node : config.market.rate_curve) curve += fmt::format("{:a} {:a} ", node.tau, node.zero_rate);
  facts.push_back({"rate curve", curve});
  facts.push_back({"history", history == nullptr ? "" : history->digest()});
  return facts;
}

// What one block frees the next one takes: handed back in between, every page of it would be cleared once more.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kLargest = 32 << 20, kKept = 128 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLargest);
  ::mallopt(M_TRIM_THRESHOLD, kKept);
#endif
}

// Tickers go from the engine into the part: encoded where they come from, written by a thread of its own. A thread that
// computes waits for the disk only where that is the slower of the two.
class PartSink final : public NightSink {
 public:
  explicit PartSink(NightPart& part) : part_(part), writer_([this] { run(); }) {}
  // A run that is cut short leaves what was encoded.
  ~PartSink() override { join(); }
  PartSink(const PartSink&) = delete;
  PartSink& operator=(const PartSink&) = delete;

  void write(std::span<TickerNight> block) override {
    NightPart::Block encoded = part_.encode(block);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    waiting_.push_back(std::move(encoded));
    changed_.notify_all();
  }
  // Returns when everything is written. Throws what writing threw.
  void finish() {
    join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr std::size_t kMostWaiting = 2;  // blocks

  void join() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    if (writer_.joinable()) writer_.join();
  }
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      NightPart::Block block = std::move(waiting_.front());
      lock.unlock();
      try {
        part_.append(std::move(block));
      } catch (...) {
        lock.lock();
        failure_ = std::current_exception();
        waiting_.clear();
        changed_.notify_all();
        return;
      }
      lock.lock();
      waiting_.pop_front();
      changed_.notify_all();
    }
  }

  NightPart& part_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<NightPart::Block> waiting_;  // the first is being written
  std::exception_ptr failure_;
  bool ends_ = false;
  std::thread writer_;
};

// What they come to is noted and dropped.
class DroppingSink final : public NightSink {
 public:
  explicit DroppingSink(std::vector<TickerDigest>& digest) : digest_(digest) {}
  void write(std::span<TickerNight> block) override {
    for (const TickerNight& night : block) digest_.push_back(digest_of(night));
  }

 private:
  std::vector<TickerDigest>& digest_;
};

struct Refusals {
  std::size_t tickers = 0, accepted = 0;
  std::int64_t contracts = 0;
  std::map<std::string, std::size_t> reason;
};

Refusals tell_refusals(const NightIdentity& identity, std::span<const TickerDigest> digest) {
  Refusals out;
  const auto tell = [&out](const std::string& ticker, TickerStatus status) {
    ++out.reason[std::string(name(status))];
    if (++out.tickers <= 20) spdlog::warn("ticker {} refused: {}", ticker, name(status));
  };
  for (const TickerQuality& row : identity.absent) tell(row.ticker, row.status);
  for (const TickerDigest& one : digest) {
    out.contracts += one.contracts;
    if (one.status == TickerStatus::kOk) ++out.accepted;
    if (one.status != TickerStatus::kOk) tell(one.ticker, one.status);
  }
  if (out.tickers > 20) spdlog::warn("{} more tickers refused (`greekgrid info` lists all)", out.tickers - 20);
  return out;
}

// A part becomes the shard that was asked for: durable, then under its name.
void publish_part(const fs::path& part, const std::string& target) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(target, error);  // a link stays, the file it names is replaced
  if (error) real = target;
  if (::rename(part.c_str(), real.c_str()) != 0) {
    throw OutputError(target + ": cannot be written (" + std::strerror(errno) + ")");
  }
  const fs::path folder = real.has_parent_path() ? real.parent_path() : fs::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

fs::path resume_folder(const fs::path& target) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(target, error);
  const fs::path& known = error ? target : real;
  return known.parent_path() / ("." + known.filename().string() + ".resume");
}

std::vector<TickerDigest> digests_of(std::span<const NightPart* const> parts) {
  std::vector<TickerDigest> all;
  for (const NightPart* part : parts) all.insert(all.end(), part->done().begin(), part->done().end());
  std::sort(all.begin(), all.end(), [](const TickerDigest& a, const TickerDigest& b) { return a.ticker < b.ticker; });
  return all;
}

void append_night(const std::string& store, const std::string& night, const NightIdentity& identity,
                  std::vector<TickerDigest> digest, bool replace) {
  const NightHeader& axes = identity.axes;
  if (!axes.outlook.over) {
    spdlog::warn("{}: not extended (the quotes are of {}, before the close of their session)", store,
                 utc_text(axes.quote_time));
    return;
  }
  const std::string session = utc_text(midnight_of(axes.outlook.session)).substr(0, 10);
  HistoryExtension appended;
  try {
    const Instant known = knowledge_time_of(axes.quote_time, axes.open_interest_knowledge_time, night);
    DailyHistory tonight;
    tonight.source = {{fs::path(night).filename().string(), file_sha256(night)}};
    std::map<std::string, const TickerDigest*> order;  // of two tickers that spell one share class the first
    for (const TickerDigest& one : digest) {
      if (one.status == TickerStatus::kOk) order.emplace(one.symbol, &one);
    }
    for (const auto& [symbol, one] : order) {
      append_symbol_row(tonight, symbol, axes.outlook.session, known);
      tonight.spot.back() = one->spot_reference;
      tonight.g.back() = one->g;
      tonight.g_old.back() = one->g_old;
      tonight.iv30.back() = one->iv30;
      tonight.gamma_index.back() = one->gamma_index;
    }
    appended = extend_history(store, tonight, replace);
  } catch (const OutputError& error) {
    throw OutputError(
        fmt::format("{}; {} itself is complete: `greekgrid history {} {} -o {}` extends the history by it",
                    error.what(), night, store, night, store));
  }
  const std::size_t differ = appended.contradictions;
  if (differ > 0) {
    spdlog::warn("{}: {} values of {} differ from those it had {}", store, differ, session,
                 replace ? "and replaced them" : "and were left out (--replace takes them)");
  }
  spdlog::info("{}: {}", store, appended.written ? "extended by the session of " + session : "has the session already");
}

std::string method_of(const NightOptions& options) {
  RunConfig config = options.config.empty() ? RunConfig() : read_config(options.config);
  std::string text = to_toml(config) + GREEKGRID_VERSION + "\n" + GREEKGRID_BUILD + "\n";
  const auto backend = choose_backend(options.backend, config.precision, config.evaluator);
  text += std::string(backend->status().name) + " " + std::string(backend->status().detail) + "\n";
  text += fmt::format("{} {} {} {} {} {}\n", fmt::join(options.tickers, ","), options.top,
                      fmt::join(options.always, ","), options.source.format, options.evaluator, options.tolerance);
  for (const std::string& file : {options.ranking, options.corrections, options.source.profile,
                                  config.market.rate_curve_file, config.ranking.file}) {
    text += (file.empty() ? std::string("-") : file_sha256(file)) + "\n";
  }
  return text_sha256(text);
}

int run_night_job(const NightOptions& options) {
  stop_requested();  // from here on a signal ends the run by itself, so that nothing is left of its locks
  const bool is_shard = options.shards > 1;
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
  keep_freed_memory();
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                          static_cast<std::size_t>(threads));

  RunConfig config = options.config.empty() ? RunConfig() : read_config(options.config);
  if (!options.tickers.empty()) config.selection.tickers = options.tickers;
  if (options.top > 0) config.selection.top = options.top;
  if (!options.always.empty()) config.selection.always = options.always;
  if (!options.evaluator.empty()) config.evaluator.evaluator = *evaluator_from_name(options.evaluator);
  if (options.tolerance > 0.0) config.evaluator.tolerance = options.tolerance;
  if (!config.ranking.file.empty() && options.ranking.empty()) {
    inputs.push_back(config.ranking.file);
    check_targets(targets, inputs);
  }
  Calendar calendar;
  for (const CalendarOverride& day : config.calendar) calendar.set_day(day.date, day.kind);
  const auto backend = choose_backend(options.backend, config.precision, config.evaluator);
  // Refuse a hopeless one before the work.
  for (const Target& target : targets) const PendingFile probe(target.path);
  const bool appends = !options.history.empty() && !options.no_append && !is_shard && !options.dry_run;
  if (appends) {
    const FileLock lock(options.history);
    const PendingFile probe(options.history);
  }
  // One run to a target at a time; where it goes, its state and what it reads take their room.
  const FileLock lock(options.target, std::try_to_lock);
  ResumeFolder folder(options.target, options.resume || options.dry_run);
  if (folder.had_part()) folder.keep();
  const fs::path room = folder.part().parent_path();

  nlohmann::ordered_json seconds;
  Progress("read").begin();
  // Chain and history are read side by side, each by a process of its own.
  const bool has_store = !options.history.empty() && !(options.may_begin_history && !fs::exists(options.history));
  std::future<std::unique_ptr<HistoryStore>> reading;
  if (has_store) {
    reading = std::async(std::launch::async, [&] { return std::make_unique<HistoryStore>(options.history, room); });
  }
  const ChainStore chain = open_chain(options.source, calendar, room);
  const OptionChain& index = chain.index();
  log_rejects(index.rejects, "rows");
  seconds["read"] = lap();
  if (stop_requested()) throw Stopped{};

  std::vector<std::string> selection_warnings;
  if (std::count(config.positions.begin(), config.positions.end(), PositionModel::kSignedColumn) > 0) {
    const std::int64_t known = count_positions(chain);
    if (known == 0) {
      throw InputError(
          options.source.files.front() +
          ": no dealer positions (position model signed_column needs the column dealer_position) choose another model");
    }
    const std::int64_t missing = chain.contracts() - known;
    if (missing > 0) spdlog::warn("{} contracts without a dealer position count as 0 in signed_column", missing);
  }
  if (!config.market.rate_curve_file.empty()) {
    config.market.rate_curve = read_rate_curve(config.market.rate_curve_file, new_york_date(index.quote_time));
  }
  const Previous previous = read_previous(options.previous, index.quote_time);
  std::unique_ptr<HistoryStore> history;
  NightInputs night;
  night.chain = &index;
  night.read_chain = [&chain](std::span<const std::size_t> tickers) { return chain.read(tickers); };
  night.previous_level = previous.level;
  night.previous_skew = previous.skew;
  const DailyHistory no_rows;
  if (!options.history.empty() && !has_store) {
    night.history = &no_rows;
    night.read_history = [](std::span<const std::size_t>) { return DailyHistory(); };
    if (!options.corrections.empty()) night.corrections = read_corrections(options.corrections).split;
  } else if (has_store) {
    history = reading.get();
    night.history = &history->index();
    night.read_history = [&history](std::span<const std::size_t> symbols) { return history->read(symbols); };
    if (!options.corrections.empty()) night.corrections = read_corrections(options.corrections).split;
  }
  const Diagnostics ranking_rejects = rank_universe(options, history.get(), calendar, index.quote_time, config);
  log_rejects(ranking_rejects, "rows of the ranking");
  seconds["history"] = lap();

  Progress("plan").begin();
  NightPlan plan = make_night_plan(night, config, calendar, *backend, stop_requested());
  if (!ranking_rejects.empty()) {
    selection_warnings.push_back(fmt::format("{} rows of the ranking refused", ranking_rejects.size()));
  }
  if (plan.not_ranked > 0)
    selection_warnings.push_back(fmt::format("{} tickers of the chain not_ranked", plan.not_ranked));
  if (plan.ranked_absent > 0) {
    selection_warnings.push_back(fmt::format("{} ranked tickers are not in the chain", plan.ranked_absent));
  }
  for (const std::string& warning : selection_warnings) spdlog::warn("{}", warning);
  seconds["plan"] = lap();
  if (stop_requested()) throw Stopped{};

  NightIdentity identity;
  identity.axes = make_axes(index, config, calendar, night.history != nullptr);
  identity.texts.previous = previous.source;
  identity.texts.configuration = to_toml(config);
  identity.texts.tool_version = GREEKGRID_VERSION;
  identity.texts.build = GREEKGRID_BUILD;
  identity.texts.backend = backend->status().name;
  identity.texts.precision = options.backend == "reference" || config.precision == Precision::kFp64 ? "fp64" : "fp32";
  identity.texts.evaluator = name(config.evaluator.evaluator);
  identity.texts.tolerance = config.evaluator.tolerance;
  identity.texts.warnings = selection_warnings;
  identity.fact =
      facts_of(options, chain, history.get(), config, identity.texts, std::string(backend->status().detail));
  for (const std::size_t u : plan.ticker) identity.ticker.push_back(index.ticker[u]);
  identity.absent = plan.absent;
  identity.diagnostics = plan.diagnostics;
  identity.shard = options.shard;
  identity.shards = options.shards;

  for (const std::size_t place : costliest_first(plan)) identity.order.push_back(static_cast<std::uint32_t>(place));
  // A shard is one file, for it goes elsewhere.
  const fs::path chunks = is_shard ? fs::path() : folder.chunks();
  std::optional<NightPart> part;
  if (!options.dry_run) {
    part = folder.had_part() ? NightPart::resume(folder.part(), identity, options.target, chunks)
                             : NightPart::create(folder.part(), identity, options.target, chunks);
  }
  std::vector<std::size_t> places =
      shard_of(plan, static_cast<std::size_t>(options.shard - 1), static_cast<std::size_t>(options.shards));
  const std::size_t all_places = places.size();
  if (part) {
    std::vector<std::string> done;
    for (const TickerDigest& digest : part->done()) done.push_back(digest.ticker);
    std::sort(done.begin(), done.end());
    std::erase_if(places, [&](std::size_t place) {
      return std::binary_search(done.begin(), done.end(), index.ticker[plan.ticker[place]]);
    });
  }
  const std::size_t taken_over = all_places - places.size();
  if (taken_over > 0) spdlog::info("{}: goes on, {} of {} tickers are done", options.target, taken_over, all_places);

  NightLimits limits;
  limits.stop = &stop_requested();
  std::size_t largest = 0;
  std::size_t rows = 0;  // of the longest history
  for (const std::int64_t count : night.history != nullptr ? night.history->row_count : std::vector<std::int64_t>()) {
    rows = std::max(rows, static_cast<std::size_t>(count));
  }
  for (const std::size_t place : places) {
    largest = std::max(largest, ticker_bytes(index.contract_count[plan.ticker[place]], identity.axes, rows));
  }
  constexpr std::uint64_t kReserve = std::uint64_t{192} << 20U;  // buffers of the file, thread caches, code
  const std::uint64_t used = resident_memory_bytes() + kReserve;
  if (options.memory < used + 2 * largest) {
    throw UsageError(fmt::format("--memory {}: too little (this run needs {}: {} for its inputs and {} a ticker)",
                                 bytes_text(static_cast<double>(options.memory)),
                                 bytes_text(static_cast<double>(used + 2 * largest)),
                                 bytes_text(static_cast<double>(used)), bytes_text(static_cast<double>(largest))));
  }
  limits.memory = options.memory - used;
  NightTimings timings;
  std::vector<TickerDigest> dropped;
  seconds["prepare"] = lap();
  {
    Progress progress("evaluate");
    limits.progress = [&](const NightProgress& p) {
      progress.update(p.tickers_done, p.tickers, p.cost > 0.0 ? p.cost_done / p.cost : 1.0, p.evaluations);
    };
    const auto stream = [&](NightSink& sink) {
      run_night(night, plan, places, config, identity.axes, calendar, *backend, sink, limits, timings);
    };
    if (part) {
      folder.keep();
      PartSink sink(*part);
      try {
        stream(sink);
      } catch (const Stopped&) {
        sink.finish();  // a disk that is full is more than a stop
        throw;
      }
      sink.finish();
    } else {
      DroppingSink sink(dropped);
      stream(sink);
    }
  }
  seconds["stream"] = lap();
  seconds["stages"] = {{"read", timings.read_seconds},         {"snapshot", timings.snapshot_seconds},
                       {"evaluate", timings.evaluate_seconds}, {"levels", timings.levels_seconds},
                       {"step_tables", timings.steps_seconds}, {"sink", timings.sink_seconds}};
  seconds["snapshot"] = timings.snapshot_seconds;
  seconds["forwards"] = timings.snapshot.forward_seconds;
  seconds["inversions"] = timings.snapshot.inversion_seconds;
  seconds["smiles"] = timings.snapshot.smile_seconds;
  seconds["evaluate"] = timings.evaluate_seconds;
  seconds["levels"] = timings.levels_seconds;
  seconds["levels_threads"] = {
      {"sampled_errors", timings.sample_thread_seconds}, {"levels", timings.levels_thread_seconds},
      {"profiles", timings.profile_thread_seconds},      {"attribution", timings.attribution_thread_seconds},
      {"intraday", timings.intraday_thread_seconds},     {"forecasts", timings.outlook_thread_seconds}};
  seconds["step_tables"] = timings.steps_seconds;
  seconds["sink"] = timings.sink_seconds;

  const NightPart* one[] = {part ? &*part : nullptr};
  const std::span<const NightPart* const> parts(one, part ? 1 : 0);
  std::vector<TickerDigest> digest = part ? digests_of(parts) : std::move(dropped);
  const Refusals refused = tell_refusals(identity, digest);
  if (!options.rejects.empty() && part) {
    Diagnostics all = index.rejects;
    const Diagnostics of_tickers = diagnostics_of(parts);
    all.insert(all.end(), ranking_rejects.begin(), ranking_rejects.end());
    all.insert(all.end(), of_tickers.begin(), of_tickers.end());
    write_reject_report(all, options.rejects);
  }
  if (refused.accepted == 0 && !is_shard && part) {
    std::string why = plan.not_ranked > 0 ? fmt::format("{} not_ranked", plan.not_ranked) : std::string();
    for (const auto& [reason, count] : refused.reason)
      why += fmt::format("{}{} {}", why.empty() ? "" : ", ", count, reason);
    folder.drop();
    throw InputError(
        fmt::format("{}: no ticker left ({})", options.source.files.front(), why.empty() ? "the chain is empty" : why));
  }
  const NightStatistics streamed = part ? part->statistics() : NightStatistics();
  NightStatistics written;
  if (stop_requested()) throw Stopped{};
  if (!part) {
    // Nothing to publish.
  } else if (is_shard) {
    part->complete();
    publish_part(folder.part(), options.target);
  } else {
    const std::vector<std::string> warnings = night_warnings(digest);
    for (const std::string& warning : warnings) {
      if (warning.find("options that saw") != std::string::npos)
        spdlog::warn("{} (docs/conventions.md, forwards)", warning);
      if (warning.find("close in the history") != std::string::npos) {
        spdlog::warn("{} (is the history adjusted, or of another symbol?)", warning);
      }
    }
    // Also where an earlier run had come this far: the bytes are the same, and what is there may no longer be.
    Progress progress("assemble");
    progress.begin();
    written = write_night_file(parts, options.target);
  }
  seconds["finish"] = lap();
  const double total = std::chrono::duration<double>(Clock::now() - start).count();
  seconds["total"] = total;

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
  record["backend"] = identity.texts.backend;
  record["device"] = backend->status().detail;
  record["shard"] = fmt::format("{}/{}", options.shard, options.shards);
  record["tickers_taken_over"] = taken_over;
  record["seconds"] = seconds;
  const double stages[] = {timings.read_seconds + timings.snapshot_seconds,
                           timings.evaluate_seconds + timings.levels_seconds + timings.steps_seconds,
                           timings.sink_seconds};
  const double longest = *std::max_element(std::begin(stages), std::end(stages));
  record["stream_over_longest_stage"] = longest > 0.0 ? timings.wall_seconds / longest : 0.0;
  record["blocks"] = timings.blocks;
  record["tickers"] = refused.accepted;
  record["tickers_refused"] = refused.tickers;
  record["contracts"] = refused.contracts;
  record["quotes_inverted"] = timings.snapshot.inversions;
  record["greeks"] = config.greeks.size();
  record["scenarios_per_ticker"] = identity.axes.chunk_cells() * config.scenarios.iv_rules.size();
  record["evaluations"] = timings.evaluations;
  record["evaluations_per_second"] =
      timings.evaluate_seconds > 0.0 ? timings.evaluations / timings.evaluate_seconds : 0.0;
  record["surface_bytes_raw"] = streamed.bytes_raw;
  record["surface_bytes_compressed"] = streamed.bytes_compressed;
  record["compress_thread_seconds"] = streamed.compress_seconds;
  record["write_thread_seconds"] = streamed.write_seconds + written.write_seconds;
  record["memory_budget_bytes"] = options.memory;
  record["peak_memory_bytes"] = peak_memory_bytes();
  // File names need not be UTF-8, JSON must be.
  const std::string text = record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (!part) {
    print(text);
    return refused.tickers > 0 && options.strict ? kTickersRefused : kDone;
  }
  publish_text(record_target, text);

  if (appends) {
    Progress("append").begin();
    part->mark_published();
    history.reset();  // the store is read anew under its lock
    append_night(options.history, options.target, identity, std::move(digest), options.replace);
  }
  folder.drop();
  spdlog::info(
      "{}: {} tickers, {} contracts, {:.3g} evaluations in {:.2f} s ({:.3g}/s), total {:.2f} s, peak memory {}",
      options.target, refused.accepted, refused.contracts, timings.evaluations, timings.evaluate_seconds,
      timings.evaluations / std::max(timings.evaluate_seconds, 1e-9), total,
      bytes_text(static_cast<double>(peak_memory_bytes())));
  return refused.tickers > 0 && options.strict ? kTickersRefused : kDone;
}

void add_night_options(CLI::App& command, NightOptions& options) {
  command.add_option("--config", options.config, "Run configuration, TOML (docs/configuration.md)");
  command.add_option("--tickers", options.tickers, "Only these, separated by commas")->delimiter(',');
  command.add_option("--top", options.top, "Only the first so many of the ranking, or by open interest in USD")
      ->check(CLI::Range(1, 1000000000));
  command.add_option("--ranking", options.ranking,
                     "Ranking of tickers, CSV with a ticker and a number; the others are left out");
  command.add_option("--corrections", options.corrections,
                     "With --history: split corrections, CSV: symbol,date,factor");
  command.add_flag("--replace", options.replace,
                   "Values that the history has already of the session are replaced by this run's");
  command.add_option("--always", options.always, "These besides, separated by commas, whatever their rank")
      ->delimiter(',');
  command.add_option("--backend", options.backend, "auto, cpu, cuda, reference")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "reference"}))
      ->capture_default_str();
  command.add_option("--evaluator", options.evaluator, "auto, brute, spectral; over the configuration's")
      ->check(CLI::IsMember({"auto", "brute", "spectral"}));
  command
      .add_option("--tolerance", options.tolerance,
                  "Error that surfaces may have, over their largest magnitude; over the configuration's")
      ->check(CLI::Range(kLeastTolerance, kMostTolerance));
  command.add_option("--threads", options.threads, "Threads (default: one a core)")->check(CLI::Range(1, 4096));
  command.add_option("--memory", options.memory, "Memory that the run keeps within, such as 4GiB")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("4GiB");
  command.add_flag("--resume", options.resume, "Go on with what a run that was cut short left beside the target");
  command.add_flag("--strict", options.strict, "Exit 5 if a ticker was refused");
}

}  // namespace greekgrid::cli

// Daily series to one history.h5.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/host/percent_gamma.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/file_lock.hpp"
#include "greekgrid/io/history_file.hpp"
#include "greekgrid/io/history_ingest.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/night_file.hpp"
#include "greekgrid/io/night_table.hpp"
#include "greekgrid/io/publish.hpp"
#include "greekgrid/io/ranking_file.hpp"
#include "output.hpp"
#include "process.hpp"
#include "sources.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> files;
  std::string target, rejects, format = "auto", symbol;
  bool replace = false;
};

/// One input on its way into the store.
struct Part {
  std::string file, name, format;
  DailyHistory history;
  std::vector<std::int64_t> line;  ///< empty for a history.h5
  std::int64_t rows_in = 0;
  std::size_t refused = 0;
  DailyCheck check;
};

std::string date_text(Instant midnight) {
  return utc_text(midnight).substr(0, 10);
}

/// A night's own series: spot, G, G_old, gamma index under its first position model and iv30, as rows of its session.
DailyHistory night_history(const std::string& file, const Calendar& calendar) {
  const NightSummary night = read_night_summary(file);
  const std::vector<TableColumn> c = read_rows(file, "predictors", {{"ticker", "g", "g_old", "iv30"}, {}});
  const std::vector<TableColumn> root = read_rows(file, "root", {{"ticker", "spot_reference"}, {}});
  const Date date = calendar.session_begun_by(night.header.quote_time).date;
  const Instant known = knowledge_time_of(night.header.quote_time, night.header.open_interest_knowledge_time, file);
  DailyHistory history;
  for (std::size_t u = 0; u < cells(c[0].variable); ++u) {
    const std::string ticker = text_at(c[0], u);
    double index = std::numeric_limits<double>::quiet_NaN();
    for (const LevelRow& row : night.level) {
      if (row.ticker == ticker && row.position == night.header.position.front()) {
        index = row[LevelName::kGammaIndex].value;
      }
    }
    const double g = number_at(c[1], u), g_old = number_at(c[2], u), iv30 = number_at(c[3], u);
    if (!std::isfinite(index) && !std::isfinite(g) && !std::isfinite(g_old) && !std::isfinite(iv30)) continue;
    append_symbol_row(history, ticker, date, known);
    history.g.back() = g;
    history.g_old.back() = g_old;
    history.gamma_index.back() = index;
    history.iv30.back() = iv30;
    if (u < cells(root[0].variable) && text_at(root[0], u) == ticker) history.spot.back() = number_at(root[1], u);
  }
  return history;
}

Part read_part(const std::string& file, const Options& options, HistoryFormat format, const Calendar& calendar,
               Diagnostics& rejects) {
  Part part;
  part.file = file;
  part.name = fs::path(file).filename().string();
  std::error_code ignored;
  const std::string schema = fs::is_regular_file(file, ignored) && is_hdf5_file(file) ? list_groups(file).schema : "";
  // What is quoted within a session is not what its close will say.
  const auto over = [&](Instant quote_time) {
    if (quote_time >= calendar.session_begun_by(quote_time).close) return true;
    spdlog::warn("{}: nothing taken (its quotes are of {}, before the close of their session)", file,
                 utc_text(quote_time));
    return false;
  };
  if (schema == "greekgrid.night") {
    part.format = "night.h5";
    if (over(read_night_summary(file).header.quote_time)) part.history = night_history(file, calendar);
    part.history.source = {{part.name, file_sha256(file)}};
    part.rows_in = static_cast<std::int64_t>(part.history.rows());
    return part;
  }
  if (schema == "greekgrid.chains") {
    const OptionChain chain = read_chain_file(file);
    part.format = "chains.h5";
    if (over(chain.quote_time)) {
      part.history = percent_gamma_history(
          chain, calendar, knowledge_time_of(chain.quote_time, chain.open_interest_knowledge_time, file));
    }
    part.history.source = {{part.name, file_sha256(file)}};
    part.rows_in = static_cast<std::int64_t>(chain.tickers());
    part.refused = chain.tickers() - part.history.symbols();
    if (part.refused > 0) spdlog::warn("{}: {} tickers without a spot or open interest have no G", file, part.refused);
    return part;
  }
  if (!schema.empty()) {
    part.format = "history.h5";
    part.history = read_history_file(file);
    part.rows_in = static_cast<std::int64_t>(part.history.rows());
    return part;
  }
  HistorySource source = read_history_source(file, calendar, {format, options.symbol});
  part.format = name(source.format);
  part.history = std::move(source.history);
  part.line = std::move(source.line);
  part.rows_in = source.rows_in;
  part.refused = source.rejects.size();
  part.check = check_history(part.history, calendar);
  for (const DailyJump& jump : part.check.jump) {
    if (&jump - part.check.jump.data() == 5) {
      spdlog::warn("{}: {} more jumps", file, part.check.jump.size() - 5);
      break;
    }
    spdlog::warn("{}: {} {} {:g} -> {:g}: possible split (nothing is adjusted)", file, part.history.symbol[jump.symbol],
                 date_text(jump.date), jump.before, jump.after);
  }
  std::map<std::string, std::size_t> rules;
  for (Diagnostic& reject : source.rejects) {
    ++rules[reject.rule];
    rejects.push_back(std::move(reject));
  }
  for (const auto& [rule, count] : rules) spdlog::warn("{}: {} rows refused: {}", file, count, rule);
  return part;
}

/// The report of contradictions: what was not taken, the earlier value or with --replace the one it replaced.
void report_contradictions(const DailyMerge& merge, const std::vector<Part>& parts, bool replace,
                           Diagnostics& rejects) {
  for (const DailyContradiction& c : merge.contradiction) {
    const Part& part = parts[c.part];
    const auto next = std::upper_bound(part.history.row_begin.begin(), part.history.row_begin.end(),
                                       static_cast<std::int64_t>(c.row));
    const auto symbol = static_cast<std::size_t>(next - part.history.row_begin.begin()) - 1;
    rejects.push_back({part.name, part.line.empty() ? static_cast<std::int64_t>(c.row) : part.line[c.row],
                       std::string(kDailyQuantities[c.quantity].name),
                       replace ? "replaces_earlier" : "contradicts_earlier",
                       fmt::format("{} {:.17g} for {:.17g}", date_text(part.history.date[c.row]), c.later, c.earlier),
                       part.history.symbol[symbol]});
  }
}

int run_history(const Options& options) {
  const auto format = history_format_from_name(options.format);
  if (!format) throw UsageError("--format " + options.format + ": unknown (choose auto, finra, dix, daily-csv)");
  const std::string report = options.rejects.empty() ? options.target + ".rejects.csv" : options.rejects;
  // A store that is read whole before it is replaced may be extended in place; every other input is safe from the
  // target.
  std::vector<std::string> inputs;
  std::optional<std::size_t> place;  // of the store among the files
  for (std::size_t k = 0; k < options.files.size(); ++k) {
    if (options.target.empty() || !same_file(options.files[k], options.target) || !is_hdf5_file(options.files[k])) {
      inputs.push_back(options.files[k]);
    } else if (!place) {
      place = k;
    }
  }
  check_targets({{"-o", options.target}, {"--rejects", report}}, inputs);
  for (const std::string& target : {options.target, report}) const PendingFile probe(target);
  std::error_code ignored;
  if (!place && fs::exists(options.target, ignored)) {
    spdlog::warn("{}: replaced, not extended (to extend it name it among the files)", options.target);
  }

  const auto start = std::chrono::steady_clock::now();
  const Calendar calendar;
  Diagnostics rejects;
  std::vector<Part> parts;
  parts.reserve(options.files.size());
  std::vector<const DailyHistory*> histories;
  for (std::size_t k = 0; k < options.files.size(); ++k) {
    if (k == place) {  // read when nobody else can change it any more
      Part& store = parts.emplace_back();
      store.file = options.files[k];
      store.name = fs::path(store.file).filename().string();
      store.format = "history.h5";
    } else {
      parts.push_back(read_part(options.files[k], options, *format, calendar, rejects));
      histories.push_back(&parts.back().history);
    }
    if (stop_requested()) throw Stopped{};
  }
  DailyMerge merge;
  bool written = true;
  if (place) {
    HistoryAppend append = append_to_history(options.target, histories, options.replace, *place);
    Part& store = parts[*place];
    store.history = std::move(append.before);
    store.rows_in = static_cast<std::int64_t>(store.history.rows());
    merge = std::move(append.merge);
    written = append.written;
  } else {
    merge = merge_histories(histories, options.replace);
    if (stop_requested()) throw Stopped{};
    if (merge.history.rows() == 0) {
      write_reject_report(rejects, report);
      throw InputError(options.files.front() + ": no usable row left (" + std::to_string(rejects.size()) +
                       " refused) see " + report);
    }
    const FileLock lock(options.target);
    write_history_file(merge.history, options.target);
  }
  report_contradictions(merge, parts, options.replace, rejects);
  write_reject_report(rejects, report);

  std::vector<std::int64_t> contradicted(parts.size());
  for (const DailyContradiction& c : merge.contradiction) ++contradicted[c.part];
  std::vector<std::vector<std::string>> table = {{"file", "format", "rows in", "kept", "refused", "known values",
                                                  options.replace ? "replaced" : "contradicted", "gaps", "jumps",
                                                  "stale"}};
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const Part& part = parts[p];
    table.push_back({part.name, part.format, std::to_string(part.rows_in), std::to_string(part.history.rows()),
                     std::to_string(part.refused), std::to_string(merge.repeated[p]), std::to_string(contradicted[p]),
                     std::to_string(part.check.missing_sessions), std::to_string(part.check.jump.size()),
                     std::to_string(part.check.stale_rows)});
  }
  const DailyHistory& history = merge.history;
  const DailyCheck check = check_history(history, calendar);
  const auto [first, last] = std::minmax_element(history.date.begin(), history.date.end());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  print(format_table(table, 2) +
        fmt::format("{}: {} symbols, {} rows, {} to {}{}\n"
                    "{} sessions missing in {} symbols, {} jumps (possible splits), {} rows repeat the day before\n"
                    "{} refused or contradicted ({}), {:.2f} s, peak memory {}\n",
                    options.target, history.symbols(), history.rows(), date_text(*first), date_text(*last),
                    written ? "" : " (nothing new: left as it is)", check.missing_sessions, check.symbols_with_gaps,
                    check.jump.size(), check.stale_rows, rejects.size(), report, seconds,
                    bytes_text(static_cast<double>(peak_memory_bytes()))));
  return kDone;
}

}  // namespace

Command add_history(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "history", "Daily prices, volumes, FINRA short volume and DIX-style series to one history.h5, or into it");
  command
      ->add_option("files", options->files,
                   "Daily series, plain or gzip, chains.h5 for their G, night.h5 for G_old, gamma index and iv30, and "
                   "history.h5 files; earlier ones win")
      ->required();
  command
      ->add_option(
          "-o,--output", options->target,
          "Target history.h5; to extend it name it among the files too. It is then left alone where nothing is new, "
          "and locked while it is extended: of several programs each waits for the others")
      ->required();
  command->add_option("--format", options->format, "auto, finra, dix, daily-csv")->capture_default_str();
  command->add_option("--symbol", options->symbol,
                      "Symbol of files without a column of symbols (default: SPX for dix, else from the file's name)");
  command->add_flag("--replace", options->replace, "A value that differs from an earlier one replaces it");
  command->add_option("--rejects", options->rejects, "Reject report, CSV (default: <output>.rejects.csv)");
  return [options] { return run_history(*options); };
}

}  // namespace greekgrid::cli

// Many sessions in their order: each a night of its own, from what was known by then.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/error.hpp"
#include "greekgrid/io/file_lock.hpp"
#include "greekgrid/io/publish.hpp"
#include "greekgrid/io/ranking_file.hpp"
#include "night_job.hpp"
#include "output.hpp"
#include "process.hpp"

namespace greekgrid::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  NightOptions night;
  std::string folder, results, from, to;
};

// One session's inputs.
struct SessionInputs {
  std::string date;  // YYYY-MM-DD
  std::vector<std::string> files;
};

// The date that a name holds as YYYY-MM-DD or YYYYMMDD, the first of either; empty without one.
std::string date_in(const std::string& name) {
  const auto digits = [&](std::size_t at, std::size_t count) {
    return at + count <= name.size() && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(at),
                                                    name.begin() + static_cast<std::ptrdiff_t>(at + count),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  };
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (at > 0 && digits(at - 1, 1)) continue;
    std::string date;
    if (digits(at, 4) && digits(at + 5, 2) && digits(at + 8, 2) && name[at + 4] == '-' && name[at + 7] == '-' &&
        !digits(at + 10, 1)) {
      date = name.substr(at, 10);
    } else if (digits(at, 8) && !digits(at + 8, 1)) {
      date = name.substr(at, 4) + "-" + name.substr(at + 4, 2) + "-" + name.substr(at + 6, 2);
    }
    const std::chrono::year_month_day day{
        std::chrono::year(date.empty() ? 0 : std::stoi(date.substr(0, 4))),
        std::chrono::month(date.empty() ? 0U : static_cast<unsigned>(std::stoi(date.substr(5, 2)))),
        std::chrono::day(date.empty() ? 0U : static_cast<unsigned>(std::stoi(date.substr(8, 2))))};
    if (!date.empty() && day.ok()) return date;
  }
  return {};
}

std::string session_of(Instant quote_time) {
  const Calendar calendar;
  return utc_text(midnight_of(calendar.session_begun_by(quote_time).date)).substr(0, 10);
}

// The sessions of a folder: its chains.h5 files by what they say, vendor files and folders of them by their names.
std::vector<SessionInputs> find_sessions(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with('.')) entries.push_back(entry->path());
  }
  if (error) throw InputError(folder + ": cannot be read (" + error.message() + ") name a folder of sessions");
  std::sort(entries.begin(), entries.end());
  std::map<std::string, SessionInputs> sessions;
  for (const fs::path& path : entries) {
    SessionInputs one;
    if (fs::is_directory(path)) {
      for (const fs::directory_entry& file : fs::directory_iterator(path)) {
        if (file.is_regular_file() && !file.path().filename().string().starts_with('.')) {
          one.files.push_back(file.path().string());
        }
      }
      std::sort(one.files.begin(), one.files.end());
      one.date = date_in(path.filename().string());
    } else if (fs::is_regular_file(path)) {
      one.files = {path.string()};
      one.date = is_hdf5_file(path) ? session_of(read_quote_time(path)) : date_in(path.filename().string());
    }
    if (one.files.empty()) continue;
    if (one.date.empty()) {
      throw InputError(path.string() + ": no session (its name holds no date) name it YYYY-MM-DD or ingest it first");
    }
    const auto [found, is_new] = sessions.emplace(one.date, one);
    if (!is_new) {
      throw InputError(path.string() + ": a second input of the session " + one.date + " (" +
                       found->second.files.front() + " is the first) keep one, or put both into one folder");
    }
  }
  std::vector<SessionInputs> all;
  for (auto& [date, one] : sessions) all.push_back(std::move(one));
  if (all.empty()) throw InputError(folder + ": holds no session (no chains.h5 and no vendor file)");
  return all;
}

// What an earlier backfill into the folder says of itself; nothing where it says nothing that can be read.
Json read_state(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return {};
  Json state = Json::parse(in, nullptr, false);
  return state.is_object() && state.value("program", "") == "greekgrid backfill" ? state : Json();
}

void check_date(const std::string& text, const char* option) {
  if (!text.empty()) parse_date(text, option);
}

int backfill(Options options) {
  check_date(options.from, "--from");
  check_date(options.to, "--to");
  std::vector<SessionInputs> sessions = find_sessions(options.folder);
  std::erase_if(sessions, [&](const SessionInputs& one) {
    return (!options.from.empty() && one.date < options.from) || (!options.to.empty() && one.date > options.to);
  });
  if (sessions.empty()) throw InputError(options.folder + ": holds no session between --from and --to");
  std::error_code error;
  fs::create_directories(options.results, error);
  if (error) throw OutputError(options.results + ": cannot be made (" + error.message() + ")");
  const fs::path state_file = fs::path(options.results) / "backfill.json";
  const FileLock lock(state_file, std::try_to_lock);

  const std::string method = method_of(options.night);
  const Json before = read_state(state_file);
  // Another method is another history: nothing made by the one before stands.
  const bool same_method = before.is_object() && before.value("method", "") == method;
  if (before.is_object() && !before.empty() && !same_method) {
    spdlog::info("{}: made by another method (configuration, program or backend): every session is computed anew",
                 options.results);
  }
  Json state;
  state["program"] = "greekgrid backfill";
  state["version"] = GREEKGRID_VERSION;
  state["method"] = method;
  state["sessions"] = Json::object();

  std::vector<std::vector<std::string>> rows = {{"session", "outcome", "tickers", "refused", "contracts", "seconds"}};
  std::size_t made = 0, kept = 0, failed = 0;
  bool stands = same_method;  // what is there of a session stands on all sessions before it
  std::string previous;
  for (const SessionInputs& session : sessions) {
    if (stop_requested()) throw Stopped{};
    const fs::path target = fs::path(options.results) / ("night_" + session.date + ".h5");
    Json inputs = Json::array();
    for (const std::string& file : session.files) {
      inputs.push_back({{"name", fs::path(file).filename().string()}, {"sha256", file_sha256(file)}});
    }
    const Json* known = nullptr;
    if (same_method && before.contains("sessions") && before["sessions"].is_object() &&
        before["sessions"].contains(session.date)) {
      known = &before["sessions"][session.date];
    }
    const auto bytes_now = [&] {
      std::error_code absent;
      const std::uintmax_t size = fs::file_size(target, absent);
      return absent ? std::uintmax_t{0} : size;
    };
    // What was rejected once is rejected again: the inputs and the method are the same.
    stands = stands && known != nullptr && known->value("inputs", Json()) == inputs &&
             known->value("previous", "") == previous &&
             (known->value("outcome", "") == "failed" ||
              (known->value("outcome", "") == "done" && known->value("bytes", std::uintmax_t{0}) == bytes_now()));
    Json outcome;
    outcome["inputs"] = inputs;
    outcome["previous"] = previous;
    const auto started = std::chrono::steady_clock::now();
    if (stands) {
      outcome = *known;
      const bool was_done = outcome.value("outcome", "") == "done";
      ++(was_done ? kept : failed);
    } else {
      spdlog::info("session {} ({} of {})", session.date, made + kept + failed + 1, sessions.size());
      NightOptions night = options.night;
      night.source.files = session.files;
      night.target = target.string();
      night.may_begin_history = true;
      night.replace = true;  // the store says what the sessions come to now
      night.resume = same_method && fs::exists(resume_folder(target));
      night.previous = previous.empty() ? "" : (fs::path(options.results) / previous).string();
      try {
        run_night_job(night);
        outcome["outcome"] = "done";
        ++made;
      } catch (const InputError& problem) {
        // One session's data are that session's loss; what the disk or the user says ends it all.
        spdlog::error("session {}: {}", session.date, problem.what());
        outcome["outcome"] = "failed";
        outcome["reason"] = problem.what();
        ++failed;
      }
      if (outcome["outcome"] == "done") {
        std::ifstream in(target.string() + ".run.json", std::ios::binary);
        const Json record = Json::parse(in, nullptr, false);
        for (const char* key : {"tickers", "tickers_refused", "contracts"}) {
          if (record.is_object() && record.contains(key)) outcome[key] = record[key];
        }
        outcome["bytes"] = bytes_now();
      }
      outcome["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    }
    state["sessions"][session.date] = outcome;
    if (!stands) publish_text(state_file, state.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    if (outcome.value("outcome", "") == "done") previous = target.filename().string();
    const auto number = [&](const char* key) { return outcome.contains(key) ? outcome[key].dump() : std::string("-"); };
    const bool is_kept = stands && outcome.value("outcome", "") == "done";
    rows.push_back({session.date, is_kept ? "kept" : outcome.value("outcome", ""), number("tickers"),
                    number("tickers_refused"), number("contracts"),
                    stands ? "-" : fmt::format("{:.2f}", outcome.value("seconds", 0.0))});
  }
  print(format_table(rows, 2));
  print(fmt::format("{} sessions: {} computed, {} kept, {} failed\n", sessions.size(), made, kept, failed));
  return failed > 0 ? kInputRejected : kDone;
}

}  // namespace

Command add_backfill(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "backfill", "A folder of sessions to a folder of nights, in order, each from what was known by then");
  command
      ->add_option("folder", options->folder,
                   "Sessions: chains.h5 files, vendor files with a date in their name, or folders of them")
      ->required();
  command->add_option("-o,--output", options->results, "Folder of the results: night_YYYY-MM-DD.h5 and backfill.json")
      ->required();
  command
      ->add_option("--history", options->night.history,
                   "history.h5 that every session reads and extends; it is begun where it is missing")
      ->required();
  command->add_option("--from", options->from, "First session, YYYY-MM-DD");
  command->add_option("--to", options->to, "Last session, YYYY-MM-DD");
  add_night_options(*command, options->night);
  command->remove_option(command->get_option("--resume"));
  command->remove_option(command->get_option("--replace"));
  command->add_option("--format", options->night.source.format, "Of vendor files")->capture_default_str();
  command->add_option("--profile", options->night.source.profile, "Profile (TOML) that describes the vendor's table");
  return [options] { return backfill(*options); };
}

}  // namespace greekgrid::cli

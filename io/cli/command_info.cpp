// One page about a chains.h5, a history.h5 or a night.h5 and its run record.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "commands.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/config_file.hpp"
#include "greekgrid/io/group_sizes.hpp"
#include "greekgrid/io/history_file.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/night_file.hpp"
#include "greekgrid/io/text_file.hpp"
#include "output.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

std::string sources(const std::vector<ChainSource>& list) {
  std::string text;
  for (const ChainSource& source : list)
    text += fmt::format("source          {}  sha256 {}\n", source.name, source.sha256);
  return text;
}

std::string of_chain(const std::string& file, const OptionChain& chain) {
  double interest = 0.0;
  std::size_t missing_iv = 0;
  for (std::size_t i = 0; i < chain.contracts(); ++i) {
    if (chain.open_interest[i] > 0.0) interest += chain.open_interest[i];
    if (!(chain.vendor_iv[i] > 0.0)) ++missing_iv;
  }
  const auto expired = std::count_if(chain.contract_expiry.begin(), chain.contract_expiry.end(), [&](std::int32_t e) {
    return chain.settlement[static_cast<std::size_t>(e)] <= chain.quote_time;
  });
  return fmt::format(
             "{}: option chains\nquote_time      {}\nfile_time       {}\nopen interest   settled {}, known {}\n", file,
             utc_text(chain.quote_time), utc_text(chain.file_time),
             chain.open_interest_settle_date.empty() ? "unknown" : chain.open_interest_settle_date,
             chain.open_interest_knowledge_time.empty() ? "unknown" : chain.open_interest_knowledge_time) +
         sources(chain.source) +
         fmt::format(
             "tickers         {}\nexpiries        {}\ncontracts       {} ({} expired at quote_time, {} without a "
             "vendor IV)\n"
             "open interest   {:.0f} contracts\n",
             chain.tickers(), chain.expiries(), chain.contracts(), expired, missing_iv, interest);
}

std::string of_history(const std::string& file, const DailyHistory& history) {
  const auto date = [](Instant midnight) { return utc_text(midnight).substr(0, 10); };
  const auto [first, last] = std::minmax_element(history.date.begin(), history.date.end());
  std::string text = fmt::format("{}: daily history\ndates           {} to {}\n", file, date(*first), date(*last)) +
                     sources(history.source) +
                     fmt::format("symbols         {}\nrows            {}\n", history.symbols(), history.rows());
  text += fmt::format("known           until {}\n",
                      utc_text(*std::max_element(history.knowledge_time.begin(), history.knowledge_time.end())));
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const std::vector<double>& column = history.*quantity.column;
    std::size_t values = 0, symbols = 0;
    for (std::size_t u = 0; u < history.symbols(); ++u) {
      const auto begin = column.begin() + history.row_begin[u];
      const auto known = std::count_if(begin, begin + history.row_count[u], [](double v) { return !std::isnan(v); });
      values += static_cast<std::size_t>(known);
      if (known > 0) ++symbols;
    }
    if (values > 0) text += fmt::format("{:<20} {} values of {} symbols\n", quantity.name, values, symbols);
  }
  const DailyCheck check = check_history(history, Calendar());
  text += fmt::format("gaps            {} sessions missing in {} symbols\njumps           {} (possible splits)\n",
                      check.missing_sessions, check.symbols_with_gaps, check.jump.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(check.jump.size(), 20); ++i) {
    const DailyJump& jump = check.jump[i];
    text += fmt::format("  {:<13} {} {:g} -> {:g}\n", history.symbol[jump.symbol], date(jump.date), jump.before,
                        jump.after);
  }
  return text + fmt::format("stale           {} rows repeat the day before\n", check.stale_rows);
}

// Text of a file that the program did not write, or that someone else did: one line, printable.
std::string one_line(std::string text) {
  constexpr std::size_t kLongest = 160;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + " ...";
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

// The first few of a list, and how many more there are.
std::string some(const std::vector<std::string>& list, std::size_t most) {
  std::string text =
      join({list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(most, list.size()))}, ", ");
  if (list.size() > most) text += fmt::format(" and {} more", list.size() - most);
  return text;
}

// Keys of a configuration with their sections, in their order; values that run over lines are joined.
std::vector<std::string> settings(const std::string& toml) {
  std::vector<std::string> out;
  std::string section;
  std::istringstream in(toml);
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find_first_not_of(' ');
    if (first == std::string::npos) continue;
    line = line.substr(first);
    if (line.starts_with("[") && line.ends_with("]") && line.find('=') == std::string::npos &&
        line.find('\'') == std::string::npos) {
      section = line.substr(line.find_first_not_of('['));
      section = section.substr(0, section.find(']')) + ".";
    } else if (line.find(" = ") != std::string::npos && line.find_first_of("[{'") > line.find(" = ")) {
      out.push_back(section + line);
    } else if (!out.empty()) {
      out.back() += " " + line;
    }
  }
  return out;
}

// What of the configuration is not the default.
std::string of_configuration(const std::string& toml) {
  constexpr std::size_t kMost = 10;
  std::vector<std::string> ours = settings(toml);
  std::vector<std::string> usual = settings(to_toml(RunConfig()));
  std::vector<std::string> changed;
  for (const std::string& line : ours) {
    const auto same = std::find(usual.begin(), usual.end(), line);
    if (same == usual.end()) {
      changed.push_back(line);
    } else {
      usual.erase(same);
    }
  }
  if (changed.empty()) return "configuration   the default\n";
  std::string text = "configuration   other than the default (`--configuration` prints all)\n";
  for (std::size_t k = 0; k < std::min(changed.size(), kMost); ++k) text += "  " + one_line(changed[k]) + "\n";
  if (changed.size() > kMost) text += fmt::format("  and {} more\n", changed.size() - kMost);
  return text;
}

// The run record beside a result; nothing in it is relied on.
std::string of_record(const std::string& file) {
  constexpr std::uintmax_t kMostBytes = 1 << 20;
  const std::string name = file + ".run.json";
  const std::string lead = fmt::format("run record      {}", name);
  std::error_code error;
  const auto status = std::filesystem::status(name, error);
  if (status.type() == std::filesystem::file_type::not_found) return "run record      none beside the file\n";
  if (error || status.type() != std::filesystem::file_type::regular)
    return lead + " cannot be read (no regular file)\n";
  if (const auto size = std::filesystem::file_size(name, error); error || size > kMostBytes) {
    return lead + " is not read (larger than 1 MiB)\n";
  }
  std::ifstream in(name);
  const auto json = nlohmann::ordered_json::parse(in, nullptr, false);
  if (json.is_discarded()) return lead + " is not JSON\n";
  if (!json.is_object() || json.value("program", nlohmann::ordered_json()) != "greekgrid") {
    return lead + " is no run record of this program\n";
  }
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? one_line(found->get<std::string>()) : std::string("?");
  };
  const auto number = [](const nlohmann::ordered_json& of, const char* key) {
    if (!of.is_object()) return std::nan("");
    const auto found = of.find(key);
    return found != of.end() && found->is_number() ? found->get<double>() : std::nan("");
  };
  const nlohmann::ordered_json seconds = json.value("seconds", nlohmann::ordered_json());
  std::string out = fmt::format("{}: version {}, {} to {}\n", lead, text("version"), text("started"), text("finished"));
  std::vector<std::string> stages;
  if (seconds.is_object()) {
    for (const auto& [key, value] : seconds.items()) {
      if (value.is_number() && key != "total" && value.get<double>() >= 0.005 && stages.size() < 10) {
        stages.push_back(fmt::format("{} {:.2f}", one_line(key), value.get<double>()));
      }
    }
  }
  out += fmt::format("took            {:.2f} s{}\n", number(seconds, "total"),
                     stages.empty() ? "" : " (" + join(stages, ", ") + ")");
  out +=
      fmt::format("throughput      {:.3g} evaluations, {:.3g} per second; {:.0f} quotes inverted\n",
                  number(json, "evaluations"), number(json, "evaluations_per_second"), number(json, "quotes_inverted"));
  const double peak = number(json, "peak_memory_bytes");
  out += fmt::format("machine         {}, {} ({}), {:.0f} threads, {}; peak memory {}\n", text("host"), text("backend"),
                     text("device"), number(json, "threads"), text("processor"),
                     std::isnan(peak) ? "?" : bytes_text(peak));
  return out;
}

// Where the bytes are.
std::string of_sizes(const std::string& file) {
  constexpr std::size_t kMost = 8;
  const std::vector<GroupSize> sizes = read_group_sizes(file);
  std::error_code error;
  const auto all = std::filesystem::file_size(file, error);
  std::vector<std::string> parts;
  for (const GroupSize& size : sizes) {
    if (size.bytes > 0) parts.push_back(one_line(size.group) + " " + bytes_text(static_cast<double>(size.bytes)));
  }
  return fmt::format("size            {}: {}\n", error ? "?" : bytes_text(static_cast<double>(all)),
                     some(parts, kMost));
}

// One page, at most 50 lines.
// @param outlook of_outlook()
std::string of_night(const std::string& file, const NightSummary& night, const std::string& outlook) {
  const NightHeader& h = night.header;
  std::string text = fmt::format("{}: {}\nquote_time      {}\nfile_time       {}\n", file, h.title,
                                 utc_text(h.quote_time), utc_text(h.file_time));
  if (!h.open_interest_settle_date.empty() || !h.open_interest_knowledge_time.empty()) {
    text += fmt::format("open interest   settled {}, known {}\n",
                        h.open_interest_settle_date.empty() ? "unknown" : h.open_interest_settle_date,
                        h.open_interest_knowledge_time.empty() ? "unknown" : h.open_interest_knowledge_time);
  }
  constexpr std::size_t kMostSources = 4, kMostNames = 8, kMostWarnings = 5, kMostTickers = 5;
  text += sources(
      {h.source.begin(), h.source.begin() + static_cast<std::ptrdiff_t>(std::min(kMostSources, h.source.size()))});
  if (h.source.size() > kMostSources) text += fmt::format("source          {} more\n", h.source.size() - kMostSources);
  text += fmt::format(
      "axes            {} tickers x {} positions x {} IV rules x {} times ({}) x {} IV shifts x {} spots ({})\n",
      h.ticker.size(), h.position.size(), h.iv_rule.size(), h.time.size(), h.time_axis, h.iv_shift.size(),
      h.spot_step.size(), h.spot_axis);
  text += fmt::format("positions       {}\nIV rules        {}\n", some(h.position, kMostNames), some(h.iv_rule, 5));
  text += "surfaces        ";
  for (const Greek greek : kAllGreeks) {
    if (!h.greeks.contains(greek)) continue;
    text += std::string(greek == Greek::kDelta ? "dx" : greek == Greek::kGamma ? "gx" : name(greek)) + " ";
  }
  text += h.delta_change ? "delta_change" : "";
  text += h.keep_bits > 0 ? fmt::format(" ({} bits of the mantissa)\n", h.keep_bits) : "\n";
  text += fmt::format("priced          {} contracts, {} expiries\n", night.contracts, night.expiries) + outlook;
  std::map<std::string, std::vector<std::string>> status;
  std::int64_t in = 0, expired = 0, refused = 0;
  for (const TickerQuality& quality : night.quality) {
    status[std::string(name(quality.status))].push_back(quality.ticker);
    in += quality.rows_in;
    expired += quality.rows_expired;
    refused += quality.rows_refused;
  }
  text += fmt::format("rows            {} in, {} expired, {} refused\n", in, expired, refused);
  for (const auto& [key, tickers] : status) {
    text += fmt::format("tickers         {} {}", tickers.size(), key);
    text += key == name(TickerStatus::kOk) ? "\n" : ": " + some(tickers, kMostNames) + "\n";
  }
  // The accepted tickers that deserve the least trust: least supported volatility first.
  std::vector<const TickerQuality*> accepted;
  for (const TickerQuality& quality : night.quality) {
    if (quality.status == TickerStatus::kOk) accepted.push_back(&quality);
  }
  std::stable_sort(accepted.begin(), accepted.end(),
                   [](const auto* a, const auto* b) { return a->supported_iv_share < b->supported_iv_share; });
  if (!accepted.empty()) {
    std::vector<std::vector<std::string>> rows = {{"least supported", "supported", "own IV", "filled", "expired",
                                                   "refused", "parity residual", "arbitrage", "spread", "basis bp"}};
    const auto percent = [](double share) { return std::isnan(share) ? "-" : fmt::format("{:.1f} %", 100.0 * share); };
    const auto number = [](double value) { return std::isnan(value) ? "-" : fmt::format("{:.2g}", value); };
    for (std::size_t i = 0; i < std::min(accepted.size(), kMostTickers); ++i) {
      const TickerQuality& q = *accepted[i];
      rows.push_back({q.ticker, percent(q.supported_iv_share), percent(q.own_iv_share), percent(q.filled_iv_share),
                      percent(q.expired_share), std::to_string(q.rows_refused), number(q.parity_residual),
                      number(q.arbitrage_score), percent(q.spread), fmt::format("{:.1f}", q.spot_basis_bp)});
    }
    text += format_table(rows, 1);
  }
  std::size_t attributes = 0;
  for (const auto& [key, value] : night.run) {
    if (key != "configuration" && ++attributes <= 8) text += fmt::format("{:<15} {}\n", one_line(key), one_line(value));
  }
  for (std::size_t k = 0; k < std::min(night.warnings.size(), kMostWarnings); ++k) {
    text += fmt::format("warning         {}\n", one_line(night.warnings[k]));
  }
  if (night.warnings.size() > kMostWarnings) {
    text += fmt::format("warning         {} more\n", night.warnings.size() - kMostWarnings);
  }
  if (const auto configuration = night.run.find("configuration"); configuration != night.run.end()) {
    text += of_configuration(configuration->second);
  }
  return text + of_sizes(file) + of_record(file);
}

// What the night knew of its tickers' past. Empty for a file of before that was stored.
std::string of_outlook(const std::string& file) {
  const TableFile listed = list_groups(file);
  const auto group = [&](const char* path) {
    return std::find_if(listed.groups.begin(), listed.groups.end(),
                        [&](const TableGroup& g) { return g.path == path; });
  };
  const auto predictors = group("predictors"), forecast = group("forecast");
  if (predictors == listed.groups.end() || forecast == listed.groups.end()) return "";
  if (forecast->is_empty_table) return "history         none, no forecasts\n";
  const TableColumn sessions = read_column(file, *predictors, "sessions");
  const TableColumn status = read_column(file, *forecast, "status");
  const std::size_t tickers = cells(sessions.variable), horizons = cells(status.variable) / tickers;
  double longest = 0.0;
  std::size_t forecasts = 0;
  for (std::size_t u = 0; u < tickers; ++u) {
    longest = std::max(longest, number_at(sessions, u));
    bool any = false;
    for (std::size_t h = 0; h < horizons; ++h) any = any || text_at(status, u * horizons + h) == "ok";
    if (any) ++forecasts;
  }
  return fmt::format("history         up to {:.0f} sessions, {} of {} tickers with forecasts\n", longest, forecasts,
                     tickers);
}

// Refused rows by rule, from the report that lies beside the file if there is one.
std::string of_rejects(const std::string& file) {
  const std::string name = file + ".rejects.csv";
  std::size_t rows = 0;
  std::string rules;
  for (const auto& [rule, count] : count_reject_report(name)) {
    rules += fmt::format("  {:<13} {}\n", count, rule);
    rows += count;
  }
  return rows == 0 ? "" : fmt::format("reject report   {}: {} rows\n", name, rows) + rules;
}

}  // namespace

Command add_info(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("info", "What is in a chains.h5, history.h5 or night.h5, and how it was made");
  command->add_option("file", *file, "chains.h5, history.h5 or night.h5")->required();
  auto configuration = std::make_shared<bool>(false);
  command->add_flag("--configuration", *configuration, "The whole configuration of a night.h5 instead, as TOML");
  return [file, configuration] {
    if (*configuration && read_schema_name(*file) != "greekgrid.night") {
      throw UsageError("--configuration: only a night.h5 has one");
    }
    const std::string schema = read_schema_name(*file);
    if (schema == "greekgrid.history") {
      print(plain(of_history(*file, read_history_file(*file)) + of_rejects(*file), true));
      return kDone;
    }
    if (schema == "greekgrid.chains") {
      print(plain(of_chain(*file, read_chain_file(*file)) + of_rejects(*file), true));
      return kDone;
    }
    const NightSummary night = read_night_summary(*file);
    if (*configuration) {
      const auto stored = night.run.find("configuration");
      if (stored == night.run.end()) throw InputError(*file + ": /run has no configuration");
      print(stored->second + "\n");
      return kDone;
    }
    print(plain(of_night(*file, night, of_outlook(*file)) + of_rejects(*file), true));
    return kDone;
  };
}

}  // namespace greekgrid::cli

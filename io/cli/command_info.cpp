// One page about a chains.h5, a history.h5 or a night.h5 and its run record.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.hpp"
#include "greekgrid/io/chain_file.hpp"
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

// @param outlook of_outlook()
std::string of_night(const std::string& file, const NightSummary& night, const std::string& outlook) {
  const NightHeader& h = night.header;
  std::string text = fmt::format("{}: {}\nquote_time      {}\nfile_time       {}\n", file, h.title,
                                 utc_text(h.quote_time), utc_text(h.file_time));
  text += sources(h.source);
  text += fmt::format(
      "axes            {} tickers x {} positions x {} IV rules x {} times ({}) x {} IV shifts x {} spots ({})\n",
      h.ticker.size(), h.position.size(), h.iv_rule.size(), h.time.size(), h.time_axis, h.iv_shift.size(),
      h.spot_step.size(), h.spot_axis);
  text += "surfaces        ";
  for (const Greek greek : kAllGreeks) {
    if (!h.greeks.contains(greek)) continue;
    text += std::string(greek == Greek::kDelta ? "dx" : greek == Greek::kGamma ? "gx" : name(greek)) + " ";
  }
  text += h.delta_change ? "delta_change\n" : "\n";
  text += fmt::format("priced          {} contracts, {} expiries\n", night.contracts, night.expiries) + outlook;
  std::map<std::string, std::size_t> status;
  for (const TickerQuality& quality : night.quality) ++status[std::string(name(quality.status))];
  for (const auto& [key, count] : status) text += fmt::format("tickers         {} {}\n", count, key);
  for (const TickerQuality& quality : night.quality) {
    if (quality.status != TickerStatus::kOk && status[std::string(name(quality.status))] <= 20) {
      text += fmt::format("  refused       {} ({})\n", quality.ticker, name(quality.status));
    }
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
    for (std::size_t i = 0; i < std::min<std::size_t>(accepted.size(), 10); ++i) {
      const TickerQuality& q = *accepted[i];
      rows.push_back({q.ticker, percent(q.supported_iv_share), percent(q.own_iv_share), percent(q.filled_iv_share),
                      percent(q.expired_share), std::to_string(q.rows_refused), number(q.parity_residual),
                      number(q.arbitrage_score), percent(q.spread), fmt::format("{:.1f}", q.spot_basis_bp)});
    }
    text += format_table(rows, 1);
  }
  for (const auto& [key, value] : night.run) {
    if (key != "configuration") text += fmt::format("{:<15} {}\n", key, value);
  }
  for (const std::string& warning : night.warnings) text += fmt::format("warning         {}\n", warning);
  if (const auto configuration = night.run.find("configuration"); configuration != night.run.end()) {
    text += "configuration\n" + configuration->second + "\n";
  }
  return text;
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

constexpr std::size_t kLongestRecord = std::size_t{16} << 20;
constexpr int kDeepestRecord = 64;

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
  return [file] {
    const std::string schema = read_schema_name(*file);
    if (schema == "greekgrid.history") {
      print(plain(of_history(*file, read_history_file(*file)) + of_rejects(*file), true));
      return kDone;
    }
    if (schema == "greekgrid.chains") {
      print(plain(of_chain(*file, read_chain_file(*file)) + of_rejects(*file), true));
      return kDone;
    }
    print(plain(of_night(*file, read_night_summary(*file), of_outlook(*file)) + of_rejects(*file), true));
    const std::optional<std::string> record = text_file_if_any(*file + ".run.json", kLongestRecord);
    if (!record) return kDone;
    // What lies beside a file may be anything: nesting is bounded, because printing goes down it level by level.
    bool is_deep = false;
    const auto shallow = [&](int depth, nlohmann::ordered_json::parse_event_t /*event*/,
                             nlohmann::ordered_json& /*value*/) {
      is_deep = is_deep || depth > kDeepestRecord;
      return !is_deep;
    };
    const auto json = nlohmann::ordered_json::parse(*record, shallow, false);
    if (json.is_discarded() || is_deep) {
      print(plain(fmt::format("run record      {}.run.json is not JSON\n", *file), true));
    } else {
      const std::string text = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
      print(plain(fmt::format("run record      {}.run.json\n{}\n", *file, text), true));
    }
    return kDone;
  };
}

}  // namespace greekgrid::cli

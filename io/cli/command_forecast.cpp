// Forecasts from a ticker's own past, each with the record that such forecasts have had.

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "commands.hpp"
#include "greekgrid/host/forecast_ranking.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/host/step_forward.hpp"
#include "greekgrid/host/ticker_forecast.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/corrections_file.hpp"
#include "greekgrid/io/history_file.hpp"
#include "output.hpp"
#include "process.hpp"

namespace greekgrid::cli {
namespace {

constexpr std::array<const char*, kPredictors> kLetters = {"P", "V", "G", "D"};
constexpr std::array<const char*, kPairs.size()> kPairNames = {"PV", "PG", "PD", "VG", "VD", "GD"};

struct Options {
  std::string file, corrections, date, sort = "symbol", format, iv30, step_forward, chain;
  std::vector<std::string> symbols;
  std::size_t limit = 0;
  int threads = 0;
  bool no_record = false, gex = false, ranking = false;
};

// A column of the table, CSV and JSON.
struct Column {
  std::string name;
  std::function<double(const TickerForecast&)> value;
};

const std::vector<Column>& columns() {
  static const std::vector<Column> all = [] {
    std::vector<Column> list = {
        {"close", [](const TickerForecast& f) { return f.at.close; }},
        {"mad", [](const TickerForecast& f) { return f.at.mad; }},
    };
    for (std::size_t k = 0; k < kPredictors; ++k) {
      const std::string letter(1, "pvgd"[k]);
      list.push_back({letter, [k](const TickerForecast& f) { return f.at.x[k]; }});
      list.push_back({"z_" + letter, [k](const TickerForecast& f) { return f.at.z[k]; }});
    }
    const auto number = [&](const char* name, double SessionPredictors::*member) {
      list.push_back({name, [member](const TickerForecast& f) { return f.at.*member; }});
    };
    number("v_raw", &SessionPredictors::v_raw);
    for (std::size_t k = 0; k < kPredictors; ++k) {
      list.push_back({std::string(1, "pvgd"[k]) + "_old", [k](const TickerForecast& f) { return f.at.old[k]; }});
    }
    number("rv20", &SessionPredictors::rv20);
    number("atr5", &SessionPredictors::atr5);
    number("iv30", &SessionPredictors::iv30);
    number("premium", &SessionPredictors::premium);
    number("premium_score", &SessionPredictors::premium_score);
    for (std::size_t h = 0; h < kHorizons.size(); ++h) {
      const std::string tail = "_" + std::to_string(kHorizons[h]);
      const auto of_forecast = [&](const std::string& name, double Forecast::*member) {
        list.push_back({name + tail, [h, member](const TickerForecast& f) { return f.now[h].*member; }});
      };
      of_forecast("mean", &Forecast::mean);
      of_forecast("median", &Forecast::median);
      of_forecast("volatility", &Forecast::volatility);
      of_forecast("volatility_median", &Forecast::volatility_median);
      for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
        list.push_back({fmt::format("quantile_{:02.0f}{}", 100.0 * kForecastProbabilities[q], tail),
                        [h, q](const TickerForecast& f) { return f.now[h].quantile[q]; }});
      }
      of_forecast("n_eff", &Forecast::n_eff);
      for (std::size_t p = 0; p < kPairs.size(); ++p) {
        std::string pair = kPairNames[p];
        std::transform(pair.begin(), pair.end(), pair.begin(), [](char c) { return static_cast<char>(c | 32); });
        list.push_back({"median_" + pair + tail, [h, p](const TickerForecast& f) { return f.pair[h][p].median; }});
      }
      const auto of_record = [&](const std::string& name, double ForecastRecord::*member) {
        list.push_back({name + tail, [h, member](const TickerForecast& f) { return f.record[h].*member; }});
      };
      list.push_back(
          {"forecasts" + tail, [h](const TickerForecast& f) { return static_cast<double>(f.record[h].forecasts); }});
      of_record("n_independent", &ForecastRecord::n_independent);
      of_record("crps", &ForecastRecord::crps);
      of_record("crps_climatology", &ForecastRecord::crps_climatology);
      of_record("skill", &ForecastRecord::skill);
      of_record("skill_t", &ForecastRecord::skill_t);
      of_record("skill_random_walk", &ForecastRecord::skill_random_walk);
      of_record("skill_implied", &ForecastRecord::skill_implied);
      of_record("skill_random", &ForecastRecord::skill_random);
      of_record("hit_rate", &ForecastRecord::hit_rate);
      of_record("hit_low", &ForecastRecord::hit_low);
      of_record("hit_high", &ForecastRecord::hit_high);
      of_record("always_up", &ForecastRecord::always_up);
    }
    return list;
  }();
  return all;
}

// Numbers of forecasts and records that were not made are null, not 0.
double value_of(const TickerForecast& f, const Column& column, bool record) {
  if (f.status == TickerForecastStatus::kNoSessions) return std::numeric_limits<double>::quiet_NaN();
  const std::string& name = column.name;
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    if (!name.ends_with("_" + std::to_string(kHorizons[h]))) continue;
    const bool of_record = name.starts_with("skill") || name.starts_with("crps") || name.starts_with("hit_") ||
                           name.starts_with("always") || name.starts_with("forecasts") ||
                           name.starts_with("n_independent");
    if (of_record && (!record || f.record[h].forecasts == 0)) return std::numeric_limits<double>::quiet_NaN();
    if (!of_record && f.now[h].status != ForecastStatus::kOk) return std::numeric_limits<double>::quiet_NaN();
    if (name.starts_with("median_") && name.size() > 9) {
      for (std::size_t p = 0; p < kPairs.size(); ++p) {
        const bool this_pair = (name[7] | 32) == (kPairNames[p][0] | 32) && (name[8] | 32) == (kPairNames[p][1] | 32);
        if (this_pair && f.pair[h][p].status != ForecastStatus::kOk) return std::numeric_limits<double>::quiet_NaN();
      }
    }
  }
  return column.value(f);
}

std::string session_text(const TickerForecast& f) {
  return f.date.empty() ? "" : utc_text(f.date.back()).substr(0, 10);
}

std::string set_text(PredictorSet set) {
  std::string text;
  for (std::size_t k = 0; k < kPredictors; ++k) {
    if ((set >> k & 1U) != 0) text += kLetters[k];
  }
  return text;
}

std::string number_text(double value, const std::string& format) {
  return std::isfinite(value) ? fmt::format(fmt::runtime("{:" + format + "}"), value) : "-";
}

std::string status_text(TickerForecastStatus status) {
  constexpr std::array<const char*, 3> names = {"ok", "no_sessions", "insufficient_history"};
  return names[static_cast<std::size_t>(status)];
}

std::string card(const TickerForecast& f, bool record) {
  if (f.status == TickerForecastStatus::kNoSessions) return f.symbol + ": no session with a close\n";
  const SessionPredictors& p = f.at;
  std::string text = fmt::format("{} at {}, close {:.2f}: {} sessions since {}\n", f.symbol, session_text(f), p.close,
                                 p.sessions, utc_text(f.date[0]).substr(0, 10));
  for (const SplitEvent& event : f.event) {
    if (event.factor != 1.0) {
      text += fmt::format("split {:g} : 1 on {}{}\n", event.factor, utc_text(event.date).substr(0, 10),
                          event.corrected ? " (correction)" : "");
    }
  }
  text += fmt::format("one MAD is {} % a day ({} USD), the unit of all below times sqrt(sessions)\n\n",
                      number_text(100.0 * p.mad, ".3f"), number_text(p.mad * p.close, ".2f"));
  std::vector<std::vector<std::string>> rows = {{"predictor", "now", "standing in its past (-1 to 1)"}};
  for (std::size_t k = 0; k < kPredictors; ++k) {
    rows.push_back({std::string("  ") + kLetters[k], number_text(p.x[k], "+.4f"), number_text(p.z[k], "+.3f")});
  }
  for (std::size_t k = 0; k < kPredictors; ++k) {
    rows.push_back({std::string("  ") + kLetters[k] + "_old", number_text(p.old[k], "+.4f"), ""});
  }
  text += format_table(rows, 1);
  text += fmt::format("realised volatility of 20 days {} points, of 30 days implied {}, premium score {}\n",
                      number_text(100.0 * p.rv20, ".2f"), number_text(100.0 * p.iv30, ".2f"),
                      number_text(p.premium_score, "+.2f"));
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    const Forecast& now = f.now[h];
    const int days = kHorizons[h];
    if (now.status != ForecastStatus::kOk) {
      text += fmt::format("\n{} sessions ahead: no forecast ({})\n", days,
                          now.status == ForecastStatus::kNoPredictors ? "no predictors" : "insufficient_history");
      continue;
    }
    text += fmt::format(
        "\n{} sessions ahead: what followed the {} sessions that stood most like this one on {}, of {}; "
        "{:.1f} effective\n",
        days, kNeighbours, set_text(now.set), now.candidates, now.n_eff);
    rows = {{"", "MAD", "per cent", "price"}};
    const auto row = [&](const std::string& name, double value) {
      rows.push_back({"  " + name, number_text(value, "+.3f"),
                      number_text(100.0 * outcome_return(f, days, value), "+.2f"),
                      number_text(outcome_price(f, days, value), ".2f")});
    };
    row("mean", now.mean);
    row("median", now.median);
    for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
      row(fmt::format("{:.0f} %", 100.0 * kForecastProbabilities[q]), now.quantile[q]);
    }
    text += format_table(rows, 1);
    text += fmt::format("  size of the move: mean {:.3f}, median {:.3f} MAD\n", now.volatility, now.volatility_median);
    std::string pairs;
    for (std::size_t k = 0; k < kPairs.size(); ++k) {
      const Forecast& pair = f.pair[h][k];
      if (pair.status == ForecastStatus::kOk && pair.set != 0)
        pairs += fmt::format("  {} {:+.3f}", kPairNames[k], pair.median);
    }
    if (!pairs.empty()) text += "  medians by pair:" + pairs + "\n";
    std::string nearest;
    for (std::size_t k = 0; k < 5; ++k) {
      nearest += fmt::format("{}{} ({:+.2f})", k > 0 ? ", " : "",
                             utc_text(f.date[static_cast<std::size_t>(now.session[k])]).substr(0, 10), now.outcome[k]);
    }
    text += "  nearest: " + nearest + "\n";
    const ForecastRecord& r = f.record[h];
    if (!record || r.forecasts == 0) continue;
    text += fmt::format(
        "  record over {} sessions ({:.0f} independent): CRPS {:.4f}, climatology {:.4f}, skill {:+.3f} (t {:+.1f})\n",
        r.forecasts, r.n_independent, r.crps, r.crps_climatology, r.skill, r.skill_t);
    text += fmt::format(
        "    against a random walk {:+.3f}, against implied volatility {}; 42 sessions drawn at random {:+.3f}\n",
        r.skill_random_walk, number_text(r.skill_implied, "+.3f"), r.skill_random);
    text += fmt::format("    direction right {:.1f} % [{:.1f}, {:.1f}], always up {:.1f} %\n", 100.0 * r.hit_rate,
                        100.0 * r.hit_low, 100.0 * r.hit_high, 100.0 * r.always_up);
    std::string pit;
    for (const double share : r.pit) pit += fmt::format(" {:.1f}", 100.0 * share);
    text += "    outcomes by tenth of the forecast, %:" + pit + " (10 each if calibrated)\n";
  }
  if (record) text += "\nSkill above 0 beats the plain distribution of the past; below 0 it does worse.\n";
  return text;
}

std::string table(const std::vector<const TickerForecast*>& list, bool record) {
  std::vector<std::vector<std::string>> rows = {{"symbol", "session", "close", "MAD %", "P", "V", "G", "D", "on",
                                                 "n_eff", "median5", "vol5", "5 %", "95 %", "skill5", "median21",
                                                 "skill21"}};
  for (const TickerForecast* f : list) {
    if (f->status == TickerForecastStatus::kNoSessions) {
      rows.push_back({f->symbol, "no_sessions", "", "", "", "", "", "", "", "", "", "", "", "", "", "", ""});
      continue;
    }
    const Forecast& five = f->now[0];
    const bool ok = five.status == ForecastStatus::kOk;
    const auto of = [&](double value, const char* format) {
      return ok ? number_text(value, format) : std::string("-");
    };
    const auto skill = [&](std::size_t h) {
      return record && f->record[h].forecasts > 0 ? number_text(f->record[h].skill, "+.3f") : std::string("-");
    };
    const auto z = [&](std::size_t k) { return number_text(f->at.z[k], "+.2f"); };
    rows.push_back({f->symbol, session_text(*f), number_text(f->at.close, ".2f"), number_text(100.0 * f->at.mad, ".2f"),
                    z(0), z(1), z(2), z(3), ok ? set_text(five.set) : "-", of(five.n_eff, ".1f"),
                    of(five.median, "+.3f"), of(five.volatility, ".3f"), of(five.quantile[0], "+.2f"),
                    of(five.quantile[4], "+.2f"), skill(0),
                    f->now[1].status == ForecastStatus::kOk ? number_text(f->now[1].median, "+.3f") : "-", skill(1)});
  }
  return format_table(rows, 2) +
         "P, V, G, D: standing in its own past, -1 to 1. Forecasts in MAD times sqrt(sessions); skill of the CRPS "
         "against climatology.\n";
}

std::string records(const std::vector<const TickerForecast*>& list, const std::string& format, bool record) {
  if (format == "json") {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const TickerForecast* f : list) {
      nlohmann::ordered_json entry = {{"symbol", f->symbol},
                                      {"session", session_text(*f)},
                                      {"status", status_text(f->status)},
                                      {"predictors", set_text(f->now[0].set)}};
      for (const Column& column : columns()) {
        const double value = value_of(*f, column, record);
        entry[column.name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
      }
      for (std::size_t h = 0; h < kHorizons.size(); ++h) {
        if (f->now[h].status != ForecastStatus::kOk) continue;
        nlohmann::ordered_json neighbours = nlohmann::ordered_json::array();
        for (std::size_t k = 0; k < kNeighbours; ++k) {
          neighbours.push_back(
              {{"session", utc_text(f->date[static_cast<std::size_t>(f->now[h].session[k])]).substr(0, 10)},
               {"distance", std::sqrt(f->now[h].distance2[k])},
               {"weight", f->now[h].weight[k]},
               {"outcome", f->now[h].outcome[k]}});
        }
        entry["neighbours_" + std::to_string(kHorizons[h])] = std::move(neighbours);
        if (record && f->record[h].forecasts > 0) {
          entry["pit_" + std::to_string(kHorizons[h])] = f->record[h].pit;
          entry["pinball_" + std::to_string(kHorizons[h])] = f->record[h].pinball;
          entry["pinball_climatology_" + std::to_string(kHorizons[h])] = f->record[h].pinball_climatology;
        }
      }
      out.push_back(std::move(entry));
    }
    return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  std::vector<std::vector<std::string>> cells = {{"symbol", "session", "status", "predictors"}};
  for (const Column& column : columns()) cells[0].push_back(column.name);
  for (const TickerForecast* f : list) {
    std::vector<std::string> line = {f->symbol, session_text(*f), status_text(f->status), set_text(f->now[0].set)};
    for (const Column& column : columns()) {
      const double value = value_of(*f, column, record);
      line.push_back(std::isfinite(value) ? fmt::format("{:.17g}", value) : "");
    }
    cells.push_back(std::move(line));
  }
  return format_csv(cells);
}

// Hypothetical closes of one symbol: rows of all columns for CSV and JSON, every half MAD on the page.
struct StepColumn {
  std::string name;
  std::function<double(const StepForward&, std::size_t)> value;
};

const std::vector<StepColumn>& step_columns() {
  static const std::vector<StepColumn> all = [] {
    std::vector<StepColumn> list = {
        {"next_close_mad", [](const StepForward& s, std::size_t c) { return s.axis.x(c); }},
        {"next_close", [](const StepForward& s, std::size_t c) { return s.close[c]; }},
        {"mad", [](const StepForward& s, std::size_t c) { return s.mad[c]; }},
    };
    for (std::size_t k = 0; k < kPredictors; ++k) {
      const std::string letter(1, "pvgd"[k]);
      list.push_back({letter, [k](const StepForward& s, std::size_t c) { return s.value[k][c]; }});
      list.push_back({"z_" + letter, [k](const StepForward& s, std::size_t c) { return s.z[k][c]; }});
    }
    for (std::size_t h = 0; h < kHorizons.size(); ++h) {
      const std::string tail = "_" + std::to_string(kHorizons[h]);
      const auto of = [&](const std::string& name, auto get) {
        list.push_back({name + tail, [h, get](const StepForward& s, std::size_t c) {
                          const Forecast& f = s.forecast[h][c];
                          return f.status == ForecastStatus::kOk ? get(f) : std::numeric_limits<double>::quiet_NaN();
                        }});
      };
      of("mean", [](const Forecast& f) { return f.mean; });
      of("median", [](const Forecast& f) { return f.median; });
      of("volatility", [](const Forecast& f) { return f.volatility; });
      for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
        of(fmt::format("quantile_{:02.0f}", 100.0 * kForecastProbabilities[q]),
           [q](const Forecast& f) { return f.quantile[q]; });
      }
      of("n_eff", [](const Forecast& f) { return f.n_eff; });
    }
    return list;
  }();
  return all;
}

// @param chain the open interest that G is made of; without the symbol G is held
StepForward steps_of(const TickerForecast& f, const std::string& mode, const OptionChain& chain,
                     const Calendar& calendar) {
  StepInputs inputs;
  inputs.sessions = &f.sessions;
  inputs.predictors = &f.predictors;
  std::vector<Instant> settlement;
  const std::string key = share_class_key(f.symbol);
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    if (share_class_key(chain.ticker[u]) != key) continue;
    inputs.book = percent_gamma_book(chain, u, settlement);
    inputs.now = chain.quote_time;
    inputs.next_close =
        calendar
            .next_session(
                Date{std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{std::chrono::seconds{f.at.date}})})
            .close;
  }
  return step_forward(inputs, mode == "replace" ? StepMode::kReplace : StepMode::kAppend);
}

const char* close_status(CloseStatus status) {
  constexpr std::array<const char*, 3> names = {"ok", "nonpositive_close", "no_mad"};
  return names[static_cast<std::size_t>(status)];
}

std::string step_page(const TickerForecast& f, const StepForward& s) {
  std::string text = fmt::format(
      "{} after {}, close {:.2f}: {} closes from {:+.2f} to {:+.2f} MAD of {:.3f} %, {}\n", f.symbol, session_text(f),
      f.at.close, s.axis.size(), s.axis.x(0), s.axis.x(s.axis.size() - 1), 100.0 * f.at.mad,
      s.mode == StepMode::kAppend ? "each as the next session's" : "each in place of its own");
  if (s.g_held) text += "G is that of the session itself";
  if (s.d_held) text += std::string(s.g_held ? ", and so is D" : "D is that of the session itself");
  if (s.g_held || s.d_held) text += "\n";
  std::vector<std::vector<std::string>> rows = {
      {"  MAD", "close", "P", "V", "G", "D", "mean5", "median5", "vol5", "n_eff", "mean21", "median21"}};
  for (std::size_t c = 0; c < s.axis.size(); ++c) {
    if ((s.axis.first + static_cast<int>(c)) % 10 != 0) continue;
    std::vector<std::string> line = {fmt::format("  {:+.1f}", s.axis.x(c))};
    if (s.status[c] != CloseStatus::kOk) {
      line.emplace_back(close_status(s.status[c]));
      line.resize(rows[0].size());
    } else {
      line.push_back(number_text(s.close[c], ".2f"));
      for (std::size_t k = 0; k < kPredictors; ++k) line.push_back(number_text(s.z[k][c], "+.2f"));
      for (std::size_t h = 0; h < kHorizons.size(); ++h) {
        const Forecast& now = s.forecast[h][c];
        const bool ok = now.status == ForecastStatus::kOk;
        const auto number = [&](double value, const char* format) {
          return ok ? number_text(value, format) : std::string("-");
        };
        line.push_back(number(now.mean, "+.3f"));
        line.push_back(number(now.median, "+.3f"));
        if (h > 0) continue;
        line.push_back(number(now.volatility, ".3f"));
        line.push_back(number(now.n_eff, ".1f"));
      }
    }
    rows.push_back(std::move(line));
  }
  text += format_table(rows, 1);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    const StepForward::Extremes e = s.extremes(h);
    if (!e.known) continue;
    text += fmt::format(
        "best close for {} sessions {:+.2f} MAD (mean {:+.3f}, {:.1f} effective), worst {:+.2f} ({:+.3f}, {:.1f})\n",
        kHorizons[h], e.best, s.forecast[h][e.best_at].mean, s.forecast[h][e.best_at].n_eff, e.worst,
        s.forecast[h][e.worst_at].mean, s.forecast[h][e.worst_at].n_eff);
  }
  return text + "P, V, G, D: standing among the values so far. The curve jumps where neighbours change places.\n";
}

std::string step_records(const std::vector<const TickerForecast*>& list, const std::vector<StepForward>& steps,
                         const std::string& format) {
  if (format == "json") {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (std::size_t k = 0; k < steps.size(); ++k) {
      for (std::size_t c = 0; c < steps[k].close.size(); ++c) {
        nlohmann::ordered_json entry = {{"symbol", list[k]->symbol},
                                        {"session", session_text(*list[k])},
                                        {"status", close_status(steps[k].status[c])}};
        for (const StepColumn& column : step_columns()) {
          const double value = column.value(steps[k], c);
          entry[column.name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
        }
        out.push_back(std::move(entry));
      }
    }
    return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  std::vector<std::vector<std::string>> cells = {{"symbol", "session", "status"}};
  for (const StepColumn& column : step_columns()) cells[0].push_back(column.name);
  for (std::size_t k = 0; k < steps.size(); ++k) {
    for (std::size_t c = 0; c < steps[k].close.size(); ++c) {
      std::vector<std::string> line = {list[k]->symbol, session_text(*list[k]), close_status(steps[k].status[c])};
      for (const StepColumn& column : step_columns()) {
        const double value = column.value(steps[k], c);
        line.push_back(std::isfinite(value) ? fmt::format("{:.17g}", value) : "");
      }
      cells.push_back(std::move(line));
    }
  }
  return format_csv(cells);
}

// The ranking page: the most bullish, then the most bearish.
std::vector<const TickerForecast*> rank(const std::vector<const TickerForecast*>& list) {
  std::vector<std::string> ticker;
  std::vector<double> median;
  for (const TickerForecast* f : list) {
    const Forecast& five = f->now[0];
    ticker.push_back(f->symbol);
    median.push_back(five.status == ForecastStatus::kOk ? five.median : std::numeric_limits<double>::quiet_NaN());
  }
  std::vector<const TickerForecast*> page;
  for (const RankedTicker& ranked : rank_forecasts(ticker, median)) page.push_back(list[ranked.index]);
  return page;
}

void sort_forecasts(std::vector<const TickerForecast*>& list, const std::string& sort, bool record) {
  if (sort == "symbol") return;
  const bool ascending = sort.ends_with(":asc");
  const std::string name = sort.substr(0, sort.find(':'));
  const auto column = std::find_if(columns().begin(), columns().end(), [&](const Column& c) { return c.name == name; });
  if (column == columns().end()) {
    throw UsageError("--sort " + sort + ": no such column (`--format csv` has their names)");
  }
  std::stable_sort(list.begin(), list.end(), [&](const TickerForecast* a, const TickerForecast* b) {
    const double x = value_of(*a, *column, record), y = value_of(*b, *column, record);
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return ascending ? x < y : x > y;
  });
}

int run(const Options& options) {
  const Calendar calendar;
  TickerForecastOptions wanted;
  wanted.record = !options.no_record && options.step_forward.empty();
  wanted.series = !options.step_forward.empty();
  wanted.gamma_from_gex = options.gex;
  wanted.iv30_symbol = options.iv30;
  if (!options.date.empty()) wanted.date = parse_date(options.date, "--date");
  const DailyHistory history = read_history_file(options.file);
  const Corrections corrections = options.corrections.empty() ? Corrections() : read_corrections(options.corrections);
  if (!options.iv30.empty() && !std::binary_search(history.symbol.begin(), history.symbol.end(), options.iv30)) {
    throw InputError(options.file + ": no symbol " + options.iv30 + " (--iv30)");
  }
  std::vector<std::size_t> which;
  if (options.symbols.empty()) {
    for (std::size_t s = 0; s < history.symbols(); ++s) which.push_back(s);
  }
  for (const std::string& symbol : options.symbols) {
    const std::string key = share_class_key(symbol);
    const auto found = std::find_if(history.symbol.begin(), history.symbol.end(),
                                    [&](const std::string& known) { return share_class_key(known) == key; });
    if (found == history.symbol.end()) throw InputError(options.file + ": no symbol " + symbol);
    which.push_back(static_cast<std::size_t>(found - history.symbol.begin()));
  }
  std::vector<TickerForecast> made(which.size());
  {
    const oneapi::tbb::global_control threads(
        oneapi::tbb::global_control::max_allowed_parallelism,
        options.threads > 0
            ? static_cast<std::size_t>(options.threads)
            : oneapi::tbb::global_control::active_value(oneapi::tbb::global_control::max_allowed_parallelism));
    oneapi::tbb::parallel_for(std::size_t{0}, which.size(), [&](std::size_t k) {
      if (stop_requested()) return;
      made[k] = make_ticker_forecast(history, which[k], calendar, corrections.split, wanted);
    });
  }
  if (stop_requested()) throw Stopped{};
  std::vector<const TickerForecast*> list;
  std::size_t without = 0;
  for (const TickerForecast& f : made) {
    // Symbols that nobody asked for by name are left out where there is nothing to say of them.
    if (f.status == TickerForecastStatus::kNoSessions && options.symbols.empty()) {
      ++without;
    } else {
      list.push_back(&f);
    }
  }
  if (without > 0) spdlog::info("{} symbols without a close are left out", without);
  if (options.ranking) {
    list = rank(list);
  } else {
    sort_forecasts(list, options.sort, wanted.record);
  }
  if (options.limit > 0 && list.size() > options.limit) list.resize(options.limit);
  const std::string format = !options.format.empty() ? options.format : options.symbols.size() == 1 ? "card" : "table";
  if (!options.step_forward.empty()) {
    std::erase_if(list, [](const TickerForecast* f) { return f->status == TickerForecastStatus::kNoSessions; });
    const OptionChain chain = options.chain.empty() ? OptionChain() : read_chain_file(options.chain);
    std::vector<StepForward> steps(list.size());
    oneapi::tbb::parallel_for(std::size_t{0}, list.size(), [&](std::size_t k) {
      steps[k] = steps_of(*list[k], options.step_forward, chain, calendar);
    });
    if (format == "csv" || format == "json") {
      print(step_records(list, steps, format));
    } else {
      for (std::size_t k = 0; k < list.size(); ++k) print((k > 0 ? "\n" : "") + step_page(*list[k], steps[k]));
    }
    return kDone;
  }
  if (format == "table") {
    print(table(list, wanted.record));
  } else if (format == "card") {
    for (const TickerForecast* f : list) print(card(*f, wanted.record) + "\n");
  } else {
    print(records(list, format, wanted.record));
  }
  return kDone;
}

}  // namespace

Command add_forecast(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("forecast", "What followed the sessions of a history.h5 most like its last, with its record");
  command->add_option("file", options->file, "history.h5")->required();
  command->add_option("--symbols", options->symbols, "Only these, separated by commas; one alone is shown as a card")
      ->delimiter(',');
  command->add_option("--date", options->date,
                      "As of the session of that day, YYYY-MM-DD: nothing later is looked at (default: the last)");
  command->add_option("--corrections", options->corrections, "Split corrections, CSV: symbol,date,factor");
  command->add_flag("--gex", options->gex, "The history's gex series stands in for G");
  command->add_option("--iv30", options->iv30, "Symbol whose closes are a 30-day volatility in per cent, such as VIX");
  command->add_flag("--no-record", options->no_record, "Forecasts alone, without their walk-forward evaluation");
  command
      ->add_option(
          "--step-forward", options->step_forward,
          "Hypothetical closes from -10 to +5 MAD instead: append (of the next session) or replace (of its own)")
      ->check(CLI::IsMember({"append", "replace"}));
  command->add_option("--chain", options->chain,
                      "With --step-forward: chains.h5 whose open interest gives each close its G (default: G stays)");
  command->add_flag("--ranking", options->ranking,
                    "The 50 most bullish and the 50 most bearish by the median of 5 sessions");
  command->add_option("--sort", options->sort, "symbol, or a column: largest first, COLUMN:asc smallest first")
      ->capture_default_str();
  command->add_option("--limit", options->limit, "At most so many rows; 0 for all")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command
      ->add_option("--format", options->format, "card, table, csv or json (default: card for one symbol, else table)")
      ->check(CLI::IsMember({"card", "table", "csv", "json"}));
  return [options] { return run(*options); };
}

}  // namespace greekgrid::cli

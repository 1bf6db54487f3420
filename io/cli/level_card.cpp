#include "level_card.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "greekgrid/host/hedge.hpp"
#include "greekgrid/host/outlook.hpp"
#include "greekgrid/io/night_table.hpp"
#include "output.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

using enum LevelName;
using Range = std::map<std::string, IndexRange>;

// One group of the file, read for one ticker: columns by name.
class Group {
 public:
  Group(const std::filesystem::path& file, const std::string& group, const Range& ranges,
        const std::vector<std::string>& variables) {
    for (TableColumn& column : read_rows(file.string(), group, {variables, ranges})) {
      const std::string name = column.variable.name;
      columns_.emplace(name, std::move(column));
    }
  }
  std::size_t rows(const std::string& column) const { return cells(columns_.at(column).variable); }
  double number(const std::string& column, std::size_t row) const { return number_at(columns_.at(column), row); }
  std::string text(const std::string& column, std::size_t row) const { return text_at(columns_.at(column), row); }

 private:
  std::map<std::string, TableColumn> columns_;
};

// What the file has, so that a table an older file lacks is left out.
class File {
 public:
  explicit File(const std::filesystem::path& path) : path_(path), listed_(list_groups(path)) {}

  // A group's variables, or nothing if it lacks one of them.
  std::optional<Group> read(const std::string& name, const Range& ranges,
                            const std::vector<std::string>& variables) const {
    for (const TableGroup& group : listed_.groups) {
      if (group.path != name) continue;
      for (const std::string& variable : variables) {
        if (find_variable(group, variable) == nullptr) return std::nullopt;
      }
      return Group(path_, name, ranges, variables);
    }
    return std::nullopt;
  }

 private:
  std::filesystem::path path_;
  TableFile listed_;
};

std::string value_text(const Level& level, const std::string& format) {
  return level.ok() ? fmt::format(fmt::runtime("{:" + format + "}"), level.value) : std::string(name(level.status));
}

std::string number_text(double value, const std::string& format) {
  return std::isfinite(value) ? fmt::format(fmt::runtime("{:" + format + "}"), value) : "-";
}

std::string line(const std::string& name, const std::string& text) {
  return fmt::format("  {:<22}{}\n", name, text);
}

// 2023-09-14 16:00 from an instant in UTC, as New York reads it.
std::string new_york_text(Instant instant) {
  constexpr Instant kEndOf9999 = 253402300799;
  if (instant <= 0 || instant > kEndOf9999) return "no instant";
  const Date date = new_york_date(instant);
  const int second = new_york_second_of_day(instant);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600,
                     second / 60 % 60);
}

class Card {
 public:
  Card(const std::filesystem::path& file, const NightSummary& night, const LevelRow& row)
      : file_(file), night_(night), row_(row) {
    const auto& tickers = night.header.ticker;
    ticker_ = std::lower_bound(tickers.begin(), tickers.end(), row.ticker) - tickers.begin();
    if (ticker_ == static_cast<std::int64_t>(tickers.size())) {
      throw InputError(file.string() + ": levels of " + row.ticker +
                       ", which is no ticker of it (the file is damaged)");
    }
    const auto& positions = night.header.position;
    position_ = std::find(positions.begin(), positions.end(), row.position) - positions.begin();
    if (position_ == static_cast<std::int64_t>(positions.size())) {
      throw InputError(file.string() + ": levels of model " + row.position +
                       ", which is none of it (the file is damaged)");
    }
    spot_ = night.header.spot_reference[static_cast<std::size_t>(ticker_)];
  }

  std::string text() {
    head();
    gamma();
    walls();
    crowd();
    profile();
    ranges();
    outlook();
    hedging();
    moves();
    buckets();
    settlements();
    session();
    ladder();
    return text_ + "\n";
  }

 private:
  Range ticker() const { return {{"ticker", {ticker_, 1}}}; }
  Range ticker_and_position() const { return {{"ticker", {ticker_, 1}}, {"position", {position_, 1}}}; }

  std::string distance(double price) const { return fmt::format("{:+.2f} %", 100.0 * (price / spot_ - 1.0)); }
  std::string price(LevelName level) const {
    return row_[level].ok() ? fmt::format("{:.2f} ({})", row_[level].value, distance(row_[level].value))
                            : std::string(name(row_[level].status));
  }
  void heading(const std::string& text) { text_ += "\n" + text + "\n"; }

  void head() {
    const double basis = night_.header.spot_basis[static_cast<std::size_t>(ticker_)];
    text_ += fmt::format("{}, dealers {}: spot {:.2f} at {} New York\n", row_.ticker, row_.position, spot_,
                         new_york_text(night_.header.quote_time));
    if (basis != 0.0) {
      text_ += fmt::format(
          "the options saw {:.2f} ({:+.1f} bp): times {:.6f} takes spots, such as zero gamma, into their "
          "coordinate;\nstrikes and the 50 % and 70 % ranges are in it already\n",
          spot_ * std::exp(basis), 1e4 * basis, std::exp(basis));
    }
  }

  void gamma() {
    heading("Gamma, at the quote instant and sticky strike");
    text_ += line("gamma index", value_text(row_[kGammaIndex], "+.4g") + " 1e9 USD per 1 % of spot, net/gross " +
                                     value_text(row_[kGammaIndexRatio], "+.3f") + change(kGammaIndexChange, "+.4g"));
    std::string zero = price(kZeroGamma);
    if (row_[kZeroGamma].ok()) {
      zero += fmt::format(", index {} per 1 %, prominence {:.1f} % of gross", value_text(row_[kZeroGammaSlope], "+.3g"),
                          100.0 * row_[kZeroGammaProminence].value) +
              change(kZeroGammaChange, "+.2f");
    }
    text_ += line("zero gamma", zero);
    std::string roots;
    for (const CrossingRow& crossing : night_.crossing) {
      if (crossing.ticker != row_.ticker || crossing.position != row_.position) continue;
      if (crossing.kind == CrossingKind::kZeroGamma) {
        roots += fmt::format("{}{:.2f}{}", roots.empty() ? "" : ", ", crossing.price, crossing.weak() ? " (weak)" : "");
      }
    }
    if (!roots.empty()) text_ += line("all roots", roots);
    text_ += line("flip", price(kFlip) + ", book aged to the next close, volatility following the rule" +
                              change(kFlipChange, "+.2f"));
  }

  std::string change(LevelName level, const std::string& format) const {
    return row_[level].ok() ? ", change " + value_text(row_[level], format) : "";
  }

  void walls() {
    heading("Walls");
    std::vector<std::vector<std::string>> rows = {{"", "strike", "from spot", "runner-up", "its size", "change"}};
    for (const auto& [label, wall] : {std::pair{"  call wall", kCallWall}, std::pair{"  put wall", kPutWall},
                                      std::pair{"  call wall, unrestricted", kCallWallUnrestricted},
                                      std::pair{"  put wall, unrestricted", kPutWallUnrestricted},
                                      std::pair{"  absolute gamma strike", kAbsoluteGammaStrike}}) {
      const auto at = [&](std::size_t offset) { return row_.level[index(wall) + offset]; };
      rows.push_back({label, value_text(at(0), ".2f"), at(0).ok() ? distance(at(0).value) : "",
                      value_text(at(1), ".2f"), at(2).ok() ? fmt::format("{:.1f} %", 100.0 * at(2).value) : "",
                      at(3).ok() ? value_text(at(3), "+.2f") : "-"});
    }
    text_ += format_table(rows, 1);
    std::string levels;
    for (std::size_t k = 0; k < kGammaLevels; ++k) {
      const Level& level = row_.level[index(kGammaLevel1) + k];
      if (!level.ok()) break;
      levels += fmt::format("{}{:.2f} ({:+.3g})", levels.empty() ? "" : "  ", level.value,
                            row_.level[index(kGammaLevel1Index) + k].value);
    }
    text_ += line("gamma levels", levels.empty() ? value_text(row_[kGammaLevel1], ".2f") : levels);
  }

  void crowd() {
    heading("Open interest");
    text_ += line("max pain", price(kMaxPain));
    text_ += line("put/call",
                  fmt::format("{} by open interest, {} by volume", value_text(row_[kPutCallRatioOpenInterest], ".3f"),
                              value_text(row_[kPutCallRatioVolume], ".3f")));
    text_ += line("mean strike",
                  fmt::format("{} by gamma, {} by vega, {} by open interest", value_text(row_[kGammaCentroid], ".2f"),
                              value_text(row_[kVegaCentroid], ".2f"), value_text(row_[kOpenInterestCentroid], ".2f")));
  }

  void profile() {
    heading("Shape of gross gamma over spot");
    text_ += line("speed pivots", price(kSpeedPivotDown) + " and " + price(kSpeedPivotUp));
    text_ += line("speed targets", price(kSpeedTargetDown) + " and " + price(kSpeedTargetUp) + ", asymmetry " +
                                       value_text(row_[kSpeedAsymmetry], "+.3f"));
    text_ += line("vomma zone, vol down",
                  value_text(row_[kVommaZoneDownLow], ".2f") + " to " + value_text(row_[kVommaZoneDownHigh], ".2f"));
    text_ += line("vomma zone, vol up", value_text(row_[kVommaZoneUpLow], ".2f") + " to " +
                                            value_text(row_[kVommaZoneUpHigh], ".2f") + ", asymmetry " +
                                            value_text(row_[kVommaZoneAsymmetry], "+.3f"));
  }

  void ranges() {
    const auto volatility =
        file_.read("volatility", ticker(),
                   {"iv30", "implied_move_1d", "implied_move_5d", "week_inner_low", "week_inner_high", "week_outer_low",
                    "week_outer_high", "straddle", "straddle_low", "straddle_high", "straddle_tau", "iv30_status",
                    "implied_move_1d_status", "implied_move_5d_status"});
    if (!volatility) return;
    const auto v = [&](const char* name) { return volatility->number(name, 0); };
    const auto band = [&](const char* low, const char* high) {
      return fmt::format("[{}, {}]", number_text(v(low), ".2f"), number_text(v(high), ".2f"));
    };
    heading("Ranges");
    const auto metric = [&](const char* name, const std::string& unit) {
      return std::isfinite(v(name)) ? fmt::format("{:.2f} {}", 100.0 * v(name), unit)
                                    : volatility->text(std::string(name) + "_status", 0);
    };
    text_ += line("iv30", metric("iv30", "vol points"));
    text_ += line("one deviation", fmt::format("{} to the next close, {} to the fifth", metric("implied_move_1d", "%"),
                                               metric("implied_move_5d", "%")));
    text_ += line("week", band("week_inner_low", "week_inner_high") + " inner (0.674 deviations), " +
                              band("week_outer_low", "week_outer_high") + " outer (one)");
    text_ += line("straddle",
                  fmt::format("{} points, {} (a mean absolute move, {} days)", number_text(v("straddle"), ".2f"),
                              band("straddle_low", "straddle_high"), number_text(365.0 * v("straddle_tau"), ".1f")));
    expiry_ranges();
  }

  // The 50 % and 70 % ranges of the first few expiries.
  void expiry_ranges() {
    const auto expiries = file_.read("expiry", expiry_range(),
                                     {"root", "settlement", "atm_iv", "straddle", "range_50_low", "range_50_high",
                                      "range_70_low", "range_70_high", "skew_25d", "skew_25d_change"});
    if (!expiries) return;
    std::vector<std::vector<std::string>> rows = {{"  root", "settles", "ATM vol", "straddle", "50 % range", "width",
                                                   "70 % range", "width", "25d skew", "change"}};
    const std::size_t count = std::min<std::size_t>(kFewRows, expiries->rows("root"));
    for (std::size_t e = 0; e < count; ++e) {
      const auto n = [&](const char* name) { return expiries->number(name, e); };
      const auto pair = [&](const char* low, const char* high) {
        return fmt::format("{} .. {}", number_text(n(low), ".2f"), number_text(n(high), ".2f"));
      };
      rows.push_back({"  " + expiries->text("root", e), new_york_text(static_cast<Instant>(n("settlement"))),
                      number_text(100.0 * n("atm_iv"), ".2f"), number_text(n("straddle"), ".2f"),
                      pair("range_50_low", "range_50_high"), number_text(n("range_50_high") - n("range_50_low"), ".2f"),
                      pair("range_70_low", "range_70_high"), number_text(n("range_70_high") - n("range_70_low"), ".2f"),
                      number_text(100.0 * n("skew_25d"), "+.2f"), number_text(100.0 * n("skew_25d_change"), "+.2f")});
    }
    text_ += format_table(rows, 1);
  }

  // Rows of /expiry that belong to the ticker.
  Range expiry_range() {
    if (expiry_count_ < 0) {
      expiry_count_ = 0;
      if (const auto who = file_.read("expiry", {}, {"expiry_ticker"})) {
        for (std::size_t e = 0; e < who->rows("expiry_ticker"); ++e) {
          if (static_cast<std::int64_t>(who->number("expiry_ticker", e)) != ticker_) continue;
          if (expiry_count_++ == 0) expiry_begin_ = static_cast<std::int64_t>(e);
        }
      }
    }
    return {{"expiry", {expiry_begin_, std::max<std::int64_t>(expiry_count_, 1)}}};
  }

  // What its own past says, and never that without how it has done.
  void outlook() {
    const auto at = file_.read("predictors", ticker(), {"sessions", "close", "mad", "z_p", "z_v", "z_g", "z_d"});
    const auto forecasts = file_.read("forecast", ticker(), {"horizon", "status", "median", "n_eff"});
    const auto record = file_.read("record", ticker(), {"horizon", "forecasts", "skill", "skill_t"});
    if (!at || !forecasts || !record) return;
    const double mad = at->number("mad", 0);
    heading(fmt::format(
        "Outlook of its own past, {:.0f} sessions up to this one{}", at->number("sessions", 0),
        std::isfinite(mad) ? fmt::format(": a MAD is {:.3f} % a day, times sqrt(sessions) ahead", 100.0 * mad) : ""));
    const auto standing = [&](const char* name) { return number_text(at->number(name, 0), "+.2f"); };
    text_ += line("standing, -1 to 1", fmt::format("P {}, V {}, G {}, D {}", standing("z_p"), standing("z_v"),
                                                   standing("z_g"), standing("z_d")));
    for (const int horizon : kHorizons) {
      text_ += line(fmt::format("{} sessions ahead", horizon), forecast_text(*at, *forecasts, *record, horizon));
    }
    next_closes(*at, skill_text(*record, kHorizons[0]));
  }

  // Row of a horizon in a table of one ticker, if it is there.
  static std::optional<std::size_t> row_of(const Group& group, int horizon) {
    for (std::size_t h = 0; h < group.rows("horizon"); ++h) {
      if (group.number("horizon", h) == horizon) return h;
    }
    return std::nullopt;
  }

  // Empty where no forecast has been scored.
  static std::string skill_text(const Group& record, int horizon) {
    const auto row = row_of(record, horizon);
    if (!row || record.number("forecasts", *row) == 0.0 || !std::isfinite(record.number("skill", *row))) return "";
    return fmt::format("skill {:+.3f} (t {}) of {:.0f} such forecasts", record.number("skill", *row),
                       number_text(record.number("skill_t", *row), "+.1f"), record.number("forecasts", *row));
  }

  static std::string forecast_text(const Group& at, const Group& forecasts, const Group& record, int horizon) {
    const auto row = row_of(forecasts, horizon);
    if (!row) return "no forecast";
    const double median = forecasts.number("median", *row);
    if (!std::isfinite(median)) return "no forecast (" + forecasts.text("status", *row) + ")";
    const std::string skill = skill_text(record, horizon);
    if (skill.empty()) return "not shown: no such forecast has been scored yet";
    const double change = median * horizon_mad(at.number("mad", 0), horizon);
    return fmt::format("median {:+.3f} MAD ({:+.2f} %, {:.2f}), {} effective neighbours, {}", median, 100.0 * change,
                       at.number("close", 0) * (1.0 + change), number_text(forecasts.number("n_eff", *row), ".1f"),
                       skill);
  }

  // The next closes that the forecast of five sessions likes best and least.
  void next_closes(const Group& at, const std::string& skill) {
    const auto modes = file_.read("step_forward", {}, {"mode"});
    if (!modes || skill.empty()) return;
    Range ranges = ticker();
    for (std::size_t m = 0; m < modes->rows("mode"); ++m) {
      if (modes->text("mode", m) == name(StepMode::kAppend)) ranges["mode"] = {static_cast<std::int64_t>(m), 1};
    }
    if (!ranges.contains("mode")) return;
    for (const std::string which : {"best", "worst"}) {
      const auto group =
          file_.read("step_forward", ranges, {"horizon", which + "_close", which + "_mean", which + "_n_eff"});
      const auto row = group ? row_of(*group, kHorizons[0]) : std::nullopt;
      if (!row || !std::isfinite(group->number(which + "_close", *row))) return;
      const double x = group->number(which + "_close", *row);
      text_ += line(
          which + " next close",
          fmt::format("{:+.2f} MAD ({:.2f}), then mean {:+.3f} MAD in {} sessions, {} effective, {}", x,
                      at.number("close", 0) * (1.0 + x * at.number("mad", 0)), group->number(which + "_mean", *row),
                      kHorizons[0], number_text(group->number(which + "_n_eff", *row), ".1f"), skill));
    }
  }

  void hedging() {
    heading("Hedging of a move of one deviation at once");
    for (const auto& [label, flow, usd, share, sign] :
         {std::tuple{"up", kHedgeUp, kHedgeUpUsd, kHedgeUpVolumeShare, 1.0},
          std::tuple{"down", kHedgeDown, kHedgeDownUsd, kHedgeDownVolumeShare, -1.0}}) {
      if (!row_[flow].ok()) {
        text_ += line(label, std::string(name(row_[flow].status)));
        continue;
      }
      const double to = spot_ * std::exp(sign * row_[kExpectedMove].value);
      text_ += line(
          fmt::format("{} to {:.2f}", label, to),
          fmt::format(
              "{}: {:+.4g} shares, {:+.4g} USD{}", hedge_in_words(row_.ticker, row_[flow].value), row_[flow].value,
              row_[usd].value,
              row_[share].ok() ? fmt::format(", {:+.1f} % of average daily volume", 100.0 * row_[share].value) : ""));
    }
  }

  // Of each stored move what it does to delta, and who owns most of that.
  void moves() {
    const auto what = file_.read("attribution/expiry", {}, {"move", "expected_moves", "iv_shift", "time"});
    if (!what) return;
    Range ranges = expiry_range();
    ranges["position"] = {position_, 1};
    heading("Moves: the change of delta and who owns it (greekgrid attribute has the rest)");
    std::vector<std::vector<std::string>> rows = {{"  move", "to", "vol", "until", "delta, shares", "gamma", "vanna",
                                                   "charm", "cross", "largest expiry", "its change"}};
    for (std::size_t a = 0; a < what->rows("move"); ++a) {
      ranges["move"] = {static_cast<std::int64_t>(a), 1};
      const auto parts =
          file_.read("attribution/expiry", ranges, {"root", "settlement", "total", "gamma", "vanna", "charm"});
      if (!parts || expiry_count_ == 0) return;
      double total = 0.0, gamma = 0.0, vanna = 0.0, charm = 0.0;
      std::size_t largest = 0;
      for (std::size_t e = 0; e < parts->rows("total"); ++e) {
        total += parts->number("total", e);
        gamma += parts->number("gamma", e);
        vanna += parts->number("vanna", e);
        charm += parts->number("charm", e);
        if (std::abs(parts->number("total", e)) > std::abs(parts->number("total", largest))) largest = e;
      }
      const double x = what->number("expected_moves", a) * row_[kExpectedMove].value;
      rows.push_back({"  " + what->text("move", a), number_text(spot_ * std::exp(x), ".2f"),
                      number_text(100.0 * what->number("iv_shift", a), "+.1f"),
                      new_york_text(static_cast<Instant>(what->number("time", a))), number_text(total, "+.3e"),
                      number_text(gamma, "+.3e"), number_text(vanna, "+.3e"), number_text(charm, "+.3e"),
                      number_text(total - gamma - vanna - charm, "+.3e"),
                      new_york_text(static_cast<Instant>(parts->number("settlement", largest))).substr(0, 10),
                      number_text(parts->number("total", largest), "+.3e")});
    }
    text_ += format_table(rows, 1);
  }

  void buckets() {
    const auto group = file_.read("profile/bucket", ticker_and_position(),
                                  {"bucket", "call_open_interest", "put_open_interest", "delta_net", "gamma_net",
                                   "gamma_gross", "vanna_net", "charm_net"});
    if (!group) return;
    heading("By settlement");
    std::vector<std::vector<std::string>> rows = {{"  bucket", "calls open", "puts open", "delta, shares",
                                                   "gamma index", "gross", "vanna/vol point", "charm/day"}};
    for (std::size_t b = 0; b < group->rows("bucket"); ++b) {
      const auto n = [&](const char* name) { return group->number(name, b); };
      const double per_percent = 0.01 * spot_ * spot_ / 1e9;
      rows.push_back({"  " + group->text("bucket", b), number_text(n("call_open_interest"), ".0f"),
                      number_text(n("put_open_interest"), ".0f"), number_text(n("delta_net"), "+.3e"),
                      number_text(n("gamma_net") * per_percent, "+.4g"),
                      number_text(n("gamma_gross") * per_percent, ".4g"), number_text(0.01 * n("vanna_net"), "+.3e"),
                      number_text(n("charm_net") / 365.0, "+.3e")});
    }
    text_ += format_table(rows, 1);
  }

  void settlements() {
    Range ranges = expiry_range();
    ranges["position"] = {position_, 1};
    const auto group = file_.read("profile/expiry", ranges,
                                  {"root", "settlement", "delta_net", "gamma_net", "dx_after", "gx_after", "max_pain"});
    if (!group || expiry_count_ == 0) return;
    heading("What settles");
    std::vector<std::vector<std::string>> rows = {
        {"  root", "settles", "delta, shares", "gamma index", "delta left", "index left", "max pain"}};
    const std::size_t count = std::min<std::size_t>(kFewRows, group->rows("root"));
    const double per_percent = 0.01 * spot_ * spot_ / 1e9;
    for (std::size_t e = 0; e < count; ++e) {
      const auto n = [&](const char* name) { return group->number(name, e); };
      rows.push_back({"  " + group->text("root", e), new_york_text(static_cast<Instant>(n("settlement"))),
                      number_text(n("delta_net"), "+.3e"), number_text(n("gamma_net") * per_percent, "+.4g"),
                      number_text(n("dx_after"), "+.3e"), number_text(n("gx_after") * per_percent, "+.4g"),
                      number_text(n("max_pain"), ".2f")});
    }
    text_ += format_table(rows, 1);
    if (group->rows("root") > count) text_ += fmt::format("  and {} later\n", group->rows("root") - count);
  }

  void session() {
    const auto group =
        file_.read("intraday", ticker_and_position(), {"time", "path_spot", "path_low", "path_high", "path_status"});
    if (!group) return;
    const std::size_t last = group->rows("time") - 1;
    heatmaps(group->number("time", 0), last > 0 ? group->number("time", 1) : 0.0);
    heading(fmt::format("Path of least resistance from {:.2f} at the quote instant, over the coming session", spot_));
    std::vector<std::vector<std::string>> rows = {{"  New York", "spot", "from", "to", "status"}};
    constexpr std::size_t kPlaces = 4;
    for (std::size_t k = 0; k <= kPlaces; ++k) {
      const std::size_t t = last * k / kPlaces;
      if (k > 0 && t == last * (k - 1) / kPlaces) continue;
      rows.push_back({"  " + new_york_text(static_cast<Instant>(group->number("time", t))),
                      number_text(group->number("path_spot", t), ".2f"),
                      number_text(group->number("path_low", t), ".2f"),
                      number_text(group->number("path_high", t), ".2f"), group->text("path_status", t)});
    }
    text_ += format_table(rows, 1);
  }

  // What the session's first step makes dealers do if spot stays, and a small move if it does not.
  void heatmaps(double begin, double next) {
    const auto axis = file_.read("intraday", {}, {"spot_step"});
    if (!axis) return;
    Range ranges = ticker_and_position();
    ranges["time"] = {0, 1};
    ranges["spot_step"] = {static_cast<std::int64_t>(axis->rows("spot_step") / 2), 1};  // spot_reference
    const auto cell = file_.read("intraday", ranges, {"expiries", "charm_heatmap", "gamma_heatmap"});
    const auto move = file_.read("intraday", ticker(), {"gamma_move"});
    if (!cell || !move) return;
    heading(fmt::format("At {:.2f} and {}", spot_, new_york_text(static_cast<Instant>(begin))));
    for (std::size_t k = 0; k < cell->rows("expiries"); ++k) {
      const std::string who = cell->text("expiries", k);
      text_ += line(who + ", if spot stays",
                    charm_in_words(row_.ticker, cell->number("charm_heatmap", k), (next - begin) / 60.0));
      text_ += line(who + ", if it moves",
                    gamma_in_words(row_.ticker, cell->number("gamma_heatmap", k), move->number("gamma_move", 0)));
    }
  }

  void ladder() {
    const auto place = std::find_if(night_.level.begin(), night_.level.end(), [&](const LevelRow& row) {
      return row.ticker == row_.ticker && row.position == row_.position;
    });
    std::vector<std::string> variables = {"ticker", "position", "time", "band_low", "band_high"};
    for (const Greek greek : kLadderGreeks) variables.emplace_back(name(greek));
    constexpr std::int64_t kSessions = 6;
    const auto begin = kSessions * (place - night_.level.begin());
    const auto group = file_.read("ladder", {{"row", {begin, kSessions}}}, variables);
    if (!group || group->text("ticker", 0) != row_.ticker || group->text("position", 0) != row_.position) return;
    heading(fmt::format(
        "Now and at the closes ahead: net exposures in the mean of [{:.2f}, {:.2f}], per USD, year and 1.00 "
        "of volatility",
        group->number("band_low", 0), group->number("band_high", 0)));
    std::vector<std::vector<std::string>> rows = {{"  New York"}};
    for (const Greek greek : kLadderGreeks) rows[0].emplace_back(name(greek));
    for (std::size_t t = 0; t < static_cast<std::size_t>(kSessions); ++t) {
      rows.push_back({"  " + new_york_text(static_cast<Instant>(group->number("time", t)))});
      for (const Greek greek : kLadderGreeks) {
        rows.back().push_back(number_text(group->number(std::string(name(greek)), t), "+.3e"));
      }
    }
    text_ += format_table(rows, 1);
  }

  static constexpr std::size_t kFewRows = 6;

  File file_;
  const NightSummary& night_;
  const LevelRow& row_;
  std::int64_t ticker_ = 0, position_ = 0, expiry_begin_ = 0, expiry_count_ = -1;
  double spot_ = 0.0;
  std::string text_;
};

}  // namespace

std::string level_card(const std::filesystem::path& file, const NightSummary& night, const LevelRow& row) {
  return Card(file, night, row).text();
}

}  // namespace greekgrid::cli

// TOML to RunConfig and back. Every key is listed once, in parse_config(), with its range.

#include "greekgrid/io/config_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <sstream>

#include "greekgrid/io/text_file.hpp"
#include "toml_keys.hpp"

namespace greekgrid {
namespace {

std::string display(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// Reads a table and remembers which keys were asked for, so that the rest can be refused.
class Section {
 public:
  Section(const toml::table* table, std::string prefix, std::string_view file)
      : table_(table), prefix_(std::move(prefix)), file_(file) {}

  [[noreturn]] void fail(const toml::node* node, const std::string& key, const std::string& problem) const {
    const auto line = node != nullptr ? node->source().begin.line : 0;
    throw InputError(std::string(file_) + ":" + std::to_string(line) + ": " + prefix_ + key + " " + problem);
  }

  const toml::node* find(const std::string& key) {
    asked_.insert(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }

  void number(const std::string& key, double& value, double low, double high) {
    if (const toml::node* node = find(key)) value = number_of(node, key, low, high);
  }

  double number_of(const toml::node* node, const std::string& key, double low, double high) const {
    const auto given = node->value<double>();
    if (!given || !node->is_number()) fail(node, key, "is not a number");
    // Written so that NaN fails too.
    if (!(*given >= low && *given <= high)) {
      fail(node, key, "= " + display(*given) + " is out of range (" + display(low) + " to " + display(high) + ")");
    }
    return *given;
  }

  template <class Integer>
  void integer(const std::string& key, Integer& value, std::int64_t low, std::int64_t high) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_integer()) fail(node, key, "is not a whole number");
    const std::int64_t given = *node->value<std::int64_t>();
    if (given < low || given > high) {
      fail(node, key,
           "= " + std::to_string(given) + " is out of range (" + std::to_string(low) + " to " + std::to_string(high) +
               ")");
    }
    value = static_cast<Integer>(given);
  }

  void boolean(const std::string& key, bool& value) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_boolean()) fail(node, key, "is neither true nor false");
    value = *node->value<bool>();
  }

  template <class Enum>
  void choice(const std::string& key, Enum& value, std::initializer_list<Enum> choices) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    value = choice_of(node, key, choices);
  }

  template <class Enum>
  Enum choice_of(const toml::node* node, const std::string& key, std::initializer_list<Enum> choices) const {
    const auto given = node->value<std::string>();
    std::string known;
    for (const Enum c : choices) {
      if (given && name(c) == *given) return c;
      known += (known.empty() ? "" : ", ") + std::string(name(c));
    }
    fail(node, key,
         (given ? "= \"" + *given + "\" is unknown" : std::string("is not a string")) + " (choose " + known + ")");
  }

  const toml::array* array(const std::string& key) {
    const toml::node* node = find(key);
    if (node == nullptr) return nullptr;
    if (!node->is_array() || node->as_array()->empty()) fail(node, key, "is not a list with at least one entry");
    return node->as_array();
  }

  void refuse_unknown() const {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      if (asked_.count(std::string(key.str())) == 0) {
        fail(&node, std::string(key.str()), "is not a configuration key (see the reference in docs/configuration.md)");
      }
    }
  }

 private:
  const toml::table* table_;
  std::string prefix_;
  std::string_view file_;
  std::set<std::string> asked_;
};

Section section(Section& root, const std::string& name, std::string_view file) {
  const toml::node* node = root.find(name);
  if (node != nullptr && !node->is_table()) root.fail(node, name, "is not a table");
  return Section(node == nullptr ? nullptr : node->as_table(), name + ".", file);
}

// The key of a rule's parameter and its range; no key where the name fixes the parameter.
struct RuleParameter {
  std::string_view key;
  double low, high;
};
RuleParameter parameter_of(IvRuleName rule) {
  if (rule == IvRuleName::kRelativeBeta) return {"beta", -100.0, 100.0};
  if (rule == IvRuleName::kSkewStickiness) return {"stickiness", -10.0, 10.0};
  return {"", 0.0, 0.0};
}

// One rule: a name, or a table of its name and parameter. `key` is where it stands.
IvRuleChoice read_iv_rule(const Section& s, const std::string& key, const toml::node& node) {
  const std::initializer_list<IvRuleName> rules = {IvRuleName::kStickyStrike, IvRuleName::kStickyMoneyness,
                                                   IvRuleName::kStickyLocalVolatility, IvRuleName::kSkewStickiness,
                                                   IvRuleName::kRelativeBeta};
  const toml::table* table = node.as_table();
  const toml::node* rule = table == nullptr ? &node : table->get("rule");
  if (rule == nullptr) s.fail(&node, key, "has an entry without rule");
  IvRuleChoice choice;
  choice.rule = s.choice_of(rule, table == nullptr ? key : key + ".rule", rules);
  const RuleParameter parameter = parameter_of(choice.rule);
  std::optional<double> value = default_parameter(choice.rule);
  if (table != nullptr) {
    for (const auto& [name, given] : *table) {
      if (name.str() == "rule") continue;
      const std::string path = key + "." + std::string(name.str());
      if (parameter.key.empty() || name.str() != parameter.key) s.fail(&given, path, "is not a parameter of this rule");
      value = s.number_of(&given, path, parameter.low, parameter.high);
    }
  }
  if (!value) s.fail(&node, key, "has no stickiness (write {rule = \"skew_stickiness\", stickiness = 1.5})");
  choice.parameter = *value;
  return choice;
}

void read_scenarios(Section& s, ScenarioConfig& c) {
  s.choice("spot_axis", c.spot_axis, {SpotAxis::kExpectedMove, SpotAxis::kLogReturn});
  if (c.spot_axis == SpotAxis::kLogReturn) c.spot_half_width = 0.2;
  s.number("spot_half_width", c.spot_half_width, 1e-6, c.spot_axis == SpotAxis::kLogReturn ? 3.0 : 100.0);
  s.integer("spots", c.spots, 1, 100001);
  if (c.spots % 2 == 0)
    s.fail(s.find("spots"), "spots", "is even (the middle spot is the reference: choose an odd number)");
  if (const toml::array* shifts = s.array("iv_shifts")) {
    c.iv_shifts.clear();
    for (const toml::node& node : *shifts) c.iv_shifts.push_back(s.number_of(&node, "iv_shifts", -10.0, 10.0));
    if (!std::is_sorted(c.iv_shifts.begin(), c.iv_shifts.end(), std::less_equal<>())) {
      s.fail(shifts, "iv_shifts", "is not strictly increasing");
    }
    if (std::find(c.iv_shifts.begin(), c.iv_shifts.end(), 0.0) == c.iv_shifts.end()) {
      s.fail(shifts, "iv_shifts", "does not contain 0 (the unshifted state must be on the axis)");
    }
  }
  s.choice("iv_shift_term", c.iv_shift_term, {IvShiftTerm::kFlat, IvShiftTerm::kSqrtTime});
  s.number("iv_shift_term_cap", c.iv_shift_term_cap, 0.01, 1000.0);
  s.number("iv_floor", c.iv_floor, 1e-4, 1.0);
  s.choice("time_axis", c.time_axis, {TimeAxis::kSessions, TimeAxis::kIntraday});
  s.integer("sessions", c.sessions, 1, 1000);
  s.integer("intraday_step", c.intraday_step, 1, 86400);
  if (const toml::array* rules = s.array("iv_rules")) {
    c.iv_rules.clear();
    for (const toml::node& node : *rules) {
      const IvRuleChoice choice = read_iv_rule(s, "iv_rules", node);
      for (const IvRuleChoice& other : c.iv_rules) {
        if (other.rule == choice.rule) s.fail(&node, "iv_rules", "names a rule twice");
      }
      c.iv_rules.push_back(choice);
    }
  }
}

Date date_of(const Section& s, const toml::node& node, const std::string& key) {
  if (const auto date = node.value<toml::date>()) {
    const Date result = std::chrono::year(date->year) / std::chrono::month(date->month) / std::chrono::day(date->day);
    if (result.ok()) return result;
  }
  s.fail(&node, key, "holds something else than a date (write 2026-12-24, without quotes)");
}

toml::date toml_date(Date date) {
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day())};
}

// A list of [tau, zero_rate] pairs, or the name of a file of par yields that read_config() turns into one.
void read_rate_curve(Section& s, MarketConfig& market) {
  const toml::node* node = s.find("rate_curve");
  if (node == nullptr) return;
  if (const auto file = node->value<std::string>()) {
    if (file->empty()) s.fail(node, "rate_curve", "is empty");
    market.rate_curve_file = *file;
    return;
  }
  if (!node->is_array()) s.fail(node, "rate_curve", "is neither a file name nor a list of [years, zero rate]");
  for (const toml::node& entry : *node->as_array()) {
    const toml::array* pair = entry.as_array();
    if (pair == nullptr || pair->size() != 2)
      s.fail(&entry, "rate_curve", "holds something else than [years, zero rate]");
    const double tau = s.number_of(pair->get(0), "rate_curve", 1e-6, 100.0);
    const double rate = s.number_of(pair->get(1), "rate_curve", -1.0, 1.0);
    if (!market.rate_curve.empty() && tau <= market.rate_curve.back().tau) {
      s.fail(&entry, "rate_curve", "is not in increasing time");
    }
    market.rate_curve.push_back({tau, rate});
  }
  if (market.rate_curve.empty()) s.fail(node, "rate_curve", "is empty");
}

void read_dividends(Section& s, MarketConfig& market) {
  const toml::array* list = s.array("dividends");
  if (list == nullptr) return;
  for (const toml::node& node : *list) {
    const toml::table* table = node.as_table();
    if (table == nullptr || table->size() != 3) {
      s.fail(&node, "dividends", "holds something else than {ticker, ex_date, amount}");
    }
    KnownDividend dividend;
    const toml::node* ticker = table->get("ticker");
    const toml::node* date = table->get("ex_date");
    const toml::node* amount = table->get("amount");
    if (ticker == nullptr || date == nullptr || amount == nullptr || !ticker->is_string()) {
      s.fail(&node, "dividends", "holds something else than {ticker, ex_date, amount}");
    }
    dividend.ticker = *ticker->value<std::string>();
    dividend.ex_date = date_of(s, *date, "dividends.ex_date");
    dividend.amount = s.number_of(amount, "dividends.amount", 1e-9, 1e6);
    market.dividends.push_back(std::move(dividend));
  }
  std::stable_sort(market.dividends.begin(), market.dividends.end(),
                   [](const KnownDividend& a, const KnownDividend& b) {
                     return std::tie(a.ticker, a.ex_date) < std::tie(b.ticker, b.ex_date);
                   });
}

void read_levels(Section& s, LevelConfig& levels) {
  if (const toml::node* rule = s.find("flip_rule")) levels.flip_rule = read_iv_rule(s, "flip_rule", *rule);
  s.number("vomma_shift", levels.vomma_shift, 1e-4, 1.0);
  s.number("ladder_shift", levels.ladder_shift, 1e-4, 1.0);
}

void read_intraday(Section& s, IntradayConfig& intraday) {
  s.boolean("stored", intraday.stored);
  s.integer("step", intraday.step, 10, 23400);
  s.number("half_width", intraday.half_width, 1e-3, 100.0);
  s.integer("spots", intraday.spots, 3, 10001);
  if (intraday.spots % 2 == 0) {
    s.fail(s.find("spots"), "spots", "is even (the middle spot is the reference: choose an odd number)");
  }
}

void read_moves(Section& s, std::vector<NamedMove>& moves) {
  const toml::node* node = s.find("moves");
  if (node == nullptr) return;
  if (!node->is_array()) s.fail(node, "moves", "is not a list of {name, expected_moves, iv_shift, sessions}");
  moves.clear();
  for (const toml::node& entry : *node->as_array()) {
    if (!entry.is_table()) s.fail(&entry, "moves", "holds something else than {name, ...}");
    NamedMove move;
    bool named = false;
    for (const auto& [key, given] : *entry.as_table()) {
      const std::string path = "moves." + std::string(key.str());
      if (key.str() == "name") {
        move.name = given.value<std::string>().value_or("");
        const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; };
        named =
            !move.name.empty() && move.name.size() <= 64 && std::all_of(move.name.begin(), move.name.end(), is_plain);
        if (!named) s.fail(&given, path, "is not a name (letters, digits, _ and -, at most 64)");
      } else if (key.str() == "expected_moves") {
        move.expected_moves = s.number_of(&given, path, -20.0, 20.0);
      } else if (key.str() == "iv_shift") {
        move.iv_shift = s.number_of(&given, path, -10.0, 10.0);
      } else if (key.str() == "sessions") {
        const double sessions = s.number_of(&given, path, 0.0, 1000.0);
        if (sessions != std::floor(sessions)) s.fail(&given, path, "is not a whole number");
        move.sessions = static_cast<int>(sessions);
      } else {
        s.fail(&given, path, "is not a part of a move (name, expected_moves, iv_shift, sessions)");
      }
    }
    if (!named) s.fail(&entry, "moves", "has an entry without name");
    for (const NamedMove& other : moves) {
      if (other.name == move.name) s.fail(&entry, "moves", "names " + move.name + " twice");
    }
    moves.push_back(std::move(move));
  }
}

}  // namespace

RunConfig parse_config(std::string_view text, std::string_view file) {
  toml::table tables;
  if (const std::size_t line = line_of_long_key(text); line != 0) {
    throw InputError(std::string(file) + ":" + std::to_string(line) + ": a key of more than " +
                     std::to_string(kMostKeyParts) + " parts (see the reference in docs/configuration.md)");
  }
  try {
    tables = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    throw InputError(std::string(file) + ":" + std::to_string(error.source().begin.line) + ": not TOML (" +
                     std::string(error.description()) + ")");
  }
  RunConfig config;
  Section root(&tables, "", file);

  Section scenarios = section(root, "scenarios", file);
  read_scenarios(scenarios, config.scenarios);
  scenarios.refuse_unknown();

  // One ticker's block of one surface is one chunk of the file, at most 1 GiB of float32.
  const ScenarioConfig& grid = config.scenarios;
  const std::size_t times =
      grid.time_axis == TimeAxis::kSessions ? grid.sessions : 2 + 23400 / static_cast<std::size_t>(grid.intraday_step);
  if (grid.spots * grid.iv_shifts.size() * times > (std::size_t{1} << 28)) {
    scenarios.fail(
        nullptr, "spots",
        "x iv_shifts x times is more than 2^28 cells a ticker (a surface is stored in blocks of at most 1 GiB)");
  }

  Section market = section(root, "market", file);
  market.number("rate", config.market.rate, -1.0, 1.0);
  market.number("dividend_yield", config.market.dividend_yield, -1.0, 1.0);
  read_rate_curve(market, config.market);
  read_dividends(market, config.market);
  market.choice("forward_source", config.market.forward_source,
                {ForwardPreference::kParity, ForwardPreference::kFlat, ForwardPreference::kSpot});
  market.choice("iv_source", config.market.iv_source, {IvPreference::kVendor, IvPreference::kOwn});
  market.boolean("iv_fill", config.market.iv_fill);
  market.number("minimum_coverage", config.market.minimum_coverage, 0.0, 1.0);
  market.refuse_unknown();

  Section levels = section(root, "levels", file);
  read_levels(levels, config.levels);
  levels.refuse_unknown();

  Section intraday = section(root, "intraday", file);
  read_intraday(intraday, config.intraday);
  intraday.refuse_unknown();

  Section attribution = section(root, "attribution", file);
  read_moves(attribution, config.moves);
  attribution.refuse_unknown();

  Section forecast = section(root, "forecast", file);
  forecast.boolean("maps", config.outlook.maps);
  if (const toml::node* modes = forecast.find("step_forward")) {
    if (!modes->is_array()) forecast.fail(modes, "step_forward", "is not a list");
    config.outlook.modes.clear();
    for (const toml::node& node : *modes->as_array()) {
      const StepMode mode = forecast.choice_of(&node, "step_forward", {StepMode::kAppend, StepMode::kReplace});
      if (std::find(config.outlook.modes.begin(), config.outlook.modes.end(), mode) != config.outlook.modes.end()) {
        forecast.fail(&node, "step_forward", "names a mode twice");
      }
      config.outlook.modes.push_back(mode);
    }
  }
  forecast.refuse_unknown();

  Section surfaces = section(root, "surfaces", file);
  if (const toml::array* greeks = surfaces.array("greeks")) {
    config.greeks = {};
    for (const toml::node& node : *greeks) {
      const auto given = node.value<std::string>();
      if (given && *given == "all") {
        config.greeks = GreekSet::all();
        continue;
      }
      const auto greek = given ? greek_from_name(*given) : std::nullopt;
      if (!greek)
        surfaces.fail(&node, "greeks", "names no Greek of this program (" + given.value_or("not a string") + ")");
      config.greeks.insert(*greek);
    }
    for (const Greek needed : {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna})
      config.greeks.insert(needed);
  }
  surfaces.boolean("delta_change", config.delta_change);
  surfaces.integer("keep_bits", config.keep_bits, 0, 23);
  if (const toml::node* precision = surfaces.find("precision")) {
    const auto given = precision->value<std::string>();
    if (!given || (*given != "fp32" && *given != "fp64"))
      surfaces.fail(precision, "precision", "is unknown (choose fp32, fp64)");
    config.precision = *given == "fp32" ? Precision::kFp32 : Precision::kFp64;
  }
  if (const toml::node* evaluator = surfaces.find("evaluator")) {
    const auto given = evaluator->value<std::string>();
    const auto found = given ? evaluator_from_name(*given) : std::nullopt;
    if (!found) surfaces.fail(evaluator, "evaluator", "is unknown (choose auto, brute, spectral)");
    config.evaluator.evaluator = *found;
  }
  surfaces.number("tolerance", config.evaluator.tolerance, kLeastTolerance, kMostTolerance);
  surfaces.refuse_unknown();

  Section positions = section(root, "positions", file);
  if (const toml::array* models = positions.array("models")) {
    config.positions.clear();
    for (const toml::node& node : *models) {
      const PositionModel model =
          positions.choice_of(&node, "models",
                              {PositionModel::kNaive, PositionModel::kUnsigned, PositionModel::kAllShort,
                               PositionModel::kReversed, PositionModel::kSignedColumn});
      if (std::find(config.positions.begin(), config.positions.end(), model) != config.positions.end()) {
        positions.fail(&node, "models", "names a model twice");
      }
      config.positions.push_back(model);
    }
  }
  positions.refuse_unknown();

  Section selection = section(root, "selection", file);
  if (const toml::node* node = selection.find("tickers")) {
    if (!node->is_array()) selection.fail(node, "tickers", "is not a list");
    for (const toml::node& ticker : *node->as_array()) {
      const auto given = ticker.value<std::string>();
      if (!given || given->empty()) selection.fail(&ticker, "tickers", "holds something else than a symbol");
      config.selection.tickers.push_back(*given);
    }
  }
  selection.integer("top", config.selection.top, 0, 1000000000);
  if (const toml::node* node = selection.find("always")) {
    if (!node->is_array()) selection.fail(node, "always", "is not a list");
    for (const toml::node& ticker : *node->as_array()) {
      const auto given = ticker.value<std::string>();
      if (!given || given->empty()) selection.fail(&ticker, "always", "holds something else than a symbol");
      config.selection.always.push_back(*given);
    }
  }
  for (const auto& [key, slot] :
       {std::pair{"ranking", &config.ranking.file}, std::pair{"ranking_source", &config.ranking.source},
        std::pair{"ranking_sha256", &config.ranking.sha256}}) {
    const toml::node* node = selection.find(key);
    if (node == nullptr) continue;
    const auto given = node->value<std::string>();
    if (!given || given->empty()) selection.fail(node, key, "is not a string with something in it");
    *slot = *given;
  }
  if (const std::string& sha = config.ranking.sha256;
      !sha.empty() && (sha.size() != 64 || sha.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    selection.fail(selection.find("ranking_sha256"), "ranking_sha256", "is not 64 lower-case hexadecimal digits");
  }
  selection.refuse_unknown();

  Section calendar = section(root, "calendar", file);
  for (const auto& [key, kind] :
       {std::pair{"closed", Calendar::DayKind::kClosed}, std::pair{"half", Calendar::DayKind::kHalf},
        std::pair{"full", Calendar::DayKind::kFull}}) {
    if (const toml::array* days = calendar.array(key)) {
      for (const toml::node& node : *days) config.calendar.push_back({date_of(calendar, node, key), kind});
    }
  }
  std::sort(config.calendar.begin(), config.calendar.end(),
            [](const CalendarOverride& a, const CalendarOverride& b) { return a.date < b.date; });
  for (std::size_t i = 1; i < config.calendar.size(); ++i) {
    if (config.calendar[i].date == config.calendar[i - 1].date) calendar.fail(nullptr, "", "names a day twice");
  }
  calendar.refuse_unknown();
  root.refuse_unknown();
  return config;
}

RunConfig read_config(const std::filesystem::path& path) {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  RunConfig config = parse_config(read_text_file(path, kMost), path.string());
  if (!config.market.rate_curve_file.empty()) {
    // A name in a configuration is meant from where the configuration lies.
    config.market.rate_curve_file = (path.parent_path() / config.market.rate_curve_file).string();
  }
  if (!config.ranking.file.empty()) config.ranking.file = (path.parent_path() / config.ranking.file).string();
  return config;
}

namespace {

toml::table rule_table(const IvRuleChoice& rule) {
  toml::table entry;
  entry.insert("rule", std::string(name(rule.rule)));
  if (const auto key = parameter_of(rule.rule).key; !key.empty()) entry.insert(key, rule.parameter);
  return entry;
}

}  // namespace

std::string to_toml(const RunConfig& config) {
  toml::table scenarios;
  const ScenarioConfig& s = config.scenarios;
  toml::array shifts;
  for (const double shift : s.iv_shifts) shifts.push_back(shift);
  toml::array rules;
  for (const IvRuleChoice& rule : s.iv_rules) rules.push_back(rule_table(rule));
  scenarios.insert("spot_axis", std::string(name(s.spot_axis)));
  scenarios.insert("spot_half_width", s.spot_half_width);
  scenarios.insert("spots", static_cast<std::int64_t>(s.spots));
  scenarios.insert("iv_shifts", std::move(shifts));
  scenarios.insert("iv_shift_term", std::string(name(s.iv_shift_term)));
  scenarios.insert("iv_shift_term_cap", s.iv_shift_term_cap);
  scenarios.insert("iv_floor", s.iv_floor);
  scenarios.insert("time_axis", std::string(name(s.time_axis)));
  scenarios.insert("sessions", static_cast<std::int64_t>(s.sessions));
  scenarios.insert("intraday_step", static_cast<std::int64_t>(s.intraday_step));
  scenarios.insert("iv_rules", std::move(rules));

  toml::table market;
  market.insert("rate", config.market.rate);
  market.insert("dividend_yield", config.market.dividend_yield);
  if (!config.market.rate_curve.empty()) {
    toml::array curve;
    for (const CurveNode& node : config.market.rate_curve) curve.push_back(toml::array{node.tau, node.zero_rate});
    market.insert("rate_curve", std::move(curve));
  } else if (!config.market.rate_curve_file.empty()) {
    market.insert("rate_curve", config.market.rate_curve_file);
  }
  if (!config.market.dividends.empty()) {
    toml::array dividends;
    for (const KnownDividend& d : config.market.dividends) {
      dividends.push_back(toml::table{{"ticker", d.ticker}, {"ex_date", toml_date(d.ex_date)}, {"amount", d.amount}});
    }
    market.insert("dividends", std::move(dividends));
  }
  market.insert("forward_source", std::string(name(config.market.forward_source)));
  market.insert("iv_source", std::string(name(config.market.iv_source)));
  market.insert("iv_fill", config.market.iv_fill);
  market.insert("minimum_coverage", config.market.minimum_coverage);

  toml::table surfaces;
  toml::array greeks;
  for (const Greek greek : kAllGreeks) {
    if (config.greeks.contains(greek)) greeks.push_back(std::string(name(greek)));
  }
  surfaces.insert("greeks", std::move(greeks));
  surfaces.insert("delta_change", config.delta_change);
  surfaces.insert("keep_bits", static_cast<std::int64_t>(config.keep_bits));
  surfaces.insert("precision", config.precision == Precision::kFp32 ? "fp32" : "fp64");
  surfaces.insert("evaluator", std::string(name(config.evaluator.evaluator)));
  surfaces.insert("tolerance", config.evaluator.tolerance);

  toml::table levels;
  levels.insert("flip_rule", rule_table(config.levels.flip_rule));
  levels.insert("vomma_shift", config.levels.vomma_shift);
  levels.insert("ladder_shift", config.levels.ladder_shift);

  toml::table intraday;
  intraday.insert("stored", config.intraday.stored);
  intraday.insert("step", static_cast<std::int64_t>(config.intraday.step));
  intraday.insert("half_width", config.intraday.half_width);
  intraday.insert("spots", static_cast<std::int64_t>(config.intraday.spots));

  toml::table attribution;
  toml::array moves;
  for (const NamedMove& move : config.moves) {
    moves.push_back(toml::table{{"name", move.name},
                                {"expected_moves", move.expected_moves},
                                {"iv_shift", move.iv_shift},
                                {"sessions", static_cast<std::int64_t>(move.sessions)}});
  }
  attribution.insert("moves", std::move(moves));

  toml::table forecast;
  forecast.insert("maps", config.outlook.maps);
  toml::array modes;
  for (const StepMode mode : config.outlook.modes) modes.push_back(std::string(name(mode)));
  forecast.insert("step_forward", std::move(modes));

  toml::table positions;
  toml::array models;
  for (const PositionModel model : config.positions) models.push_back(std::string(name(model)));
  positions.insert("models", std::move(models));

  toml::table calendar;
  for (const auto& [key, kind] :
       {std::pair{"closed", Calendar::DayKind::kClosed}, std::pair{"half", Calendar::DayKind::kHalf},
        std::pair{"full", Calendar::DayKind::kFull}}) {
    toml::array days;
    for (const CalendarOverride& day : config.calendar) {
      if (day.kind != kind) continue;
      days.push_back(toml_date(day.date));
    }
    if (!days.empty()) calendar.insert(key, std::move(days));
  }

  toml::table selection;
  toml::array tickers;
  for (const std::string& ticker : config.selection.tickers) tickers.push_back(ticker);
  selection.insert("tickers", std::move(tickers));
  selection.insert("top", static_cast<std::int64_t>(config.selection.top));
  toml::array always;
  for (const std::string& ticker : config.selection.always) always.push_back(ticker);
  selection.insert("always", std::move(always));
  if (!config.ranking.source.empty()) selection.insert("ranking_source", config.ranking.source);
  if (!config.ranking.sha256.empty()) selection.insert("ranking_sha256", config.ranking.sha256);
  // A path is recorded only as long as what it names has not been read.
  if (!config.ranking.file.empty()) selection.insert("ranking", config.ranking.file);

  toml::table root;
  root.insert("selection", std::move(selection));
  root.insert("scenarios", std::move(scenarios));
  root.insert("market", std::move(market));
  root.insert("surfaces", std::move(surfaces));
  root.insert("levels", std::move(levels));
  root.insert("intraday", std::move(intraday));
  root.insert("attribution", std::move(attribution));
  root.insert("forecast", std::move(forecast));
  root.insert("positions", std::move(positions));
  root.insert("calendar", std::move(calendar));
  std::ostringstream out;
  out << root << "\n";
  return out.str();
}

}  // namespace greekgrid

// TOML to Profile. Every key is listed once, in parse_profile() and column_rule().

#include "profile.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "greekgrid/io/error.hpp"
#include "profile_texts.hpp"
#include "toml_keys.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::size_t kTextLimit = std::size_t{1} << 20;

/// One table of the profile: remembers what was asked for, so that the rest can be refused.
class Section {
 public:
  Section(const toml::table* table, std::string prefix, std::string_view where)
      : table_(table), prefix_(std::move(prefix)), where_(where) {}

  [[noreturn]] void fail(const toml::node* node, const std::string& key, const std::string& problem) const {
    const auto line = node != nullptr ? node->source().begin.line : 0;
    throw InputError(std::string(where_) + ":" + std::to_string(line) + ": " + prefix_ + key + " " + problem);
  }

  const toml::node* find(const std::string& key) {
    asked_.insert(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }

  std::string text(const std::string& key, std::string otherwise = {}) {
    const toml::node* node = find(key);
    if (node == nullptr) return otherwise;
    const auto given = node->value<std::string>();
    if (!given || given->empty()) fail(node, key, "is not a text (quote it)");
    return *given;
  }

  bool boolean(const std::string& key) {
    const toml::node* node = find(key);
    if (node == nullptr) return false;
    if (!node->is_boolean()) fail(node, key, "is neither true nor false (write one of them)");
    return *node->value<bool>();
  }

  double number(const std::string& key, double otherwise, double low, double high) {
    const toml::node* node = find(key);
    if (node == nullptr) return otherwise;
    const auto given = node->value<double>();
    if (!given || !node->is_number()) fail(node, key, "is not a number (write one)");
    // Written so that NaN fails too.
    if (!(*given >= low && *given <= high)) fail(node, key, "is out of range (see docs/formats.md)");
    return *given;
  }

  /// One text or a list of them, in lower case if `lower`.
  std::vector<std::string> texts(const std::string& key, bool lower = true) {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    std::vector<std::string> out;
    const auto take = [&](const toml::node& one) {
      const auto given = one.value<std::string>();
      if (!one.is_string() || given->empty()) fail(&one, key, "is neither a text nor a list of texts (quote each)");
      out.push_back(lower ? lower_case(trimmed(*given)) : *given);
    };
    if (const toml::array* list = node->as_array()) {
      if (list->empty()) fail(node, key, "is an empty list (name at least one)");
      for (const toml::node& one : *list) take(one);
    } else {
      take(*node);
    }
    return out;
  }

  template <class Enum>
  Enum choice(const std::string& key, Enum otherwise, std::initializer_list<std::pair<std::string_view, Enum>> known) {
    const toml::node* node = find(key);
    return node == nullptr ? otherwise : choice_of(node, key, known);
  }

  template <class Enum>
  Enum choice_of(const toml::node* node, const std::string& key,
                 std::initializer_list<std::pair<std::string_view, Enum>> known) const {
    const auto given = node->value<std::string>();
    std::string names;
    for (const auto& [name, value] : known) {
      if (given && *given == name) return value;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    fail(node, key, "is not one of the known words (choose " + names + ")");
  }

  void refuse_unknown() const {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      if (asked_.count(std::string(key.str())) == 0) {
        fail(&node, std::string(key.str()), "is not a key of a profile (see docs/formats.md)");
      }
    }
  }

  const toml::table* table(const std::string& key) {
    const toml::node* node = find(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(node, key, "is not a table (see docs/formats.md)");
    return node->as_table();
  }

  const std::string& prefix() const { return prefix_; }
  std::string_view where() const { return where_; }

 private:
  const toml::table* table_;
  std::string prefix_;
  std::string_view where_;
  std::set<std::string> asked_;
};

TimeForm form_of(const Section& section, const toml::node& node) {
  return section.choice_of<TimeForm>(&node, "format",
                                     {{"iso", TimeForm::kIso},
                                      {"compact", TimeForm::kCompact},
                                      {"month_first", TimeForm::kMonthFirst},
                                      {"day_first", TimeForm::kDayFirst},
                                      {"words", TimeForm::kWords},
                                      {"iso_time", TimeForm::kIsoTime},
                                      {"unix_s", TimeForm::kUnixSeconds},
                                      {"unix_ms", TimeForm::kUnixMillis},
                                      {"unix_ns", TimeForm::kUnixNanos}});
}

void add_missing(Section& section, const std::string& key, ColumnRule& rule) {
  const toml::node* node = section.find(key);
  if (node == nullptr) return;
  const auto take = [&](const toml::node& one) {
    if (one.is_number()) {
      // A whole number may be beyond 2^53, as INT64_MAX is: tables are read into doubles all the same.
      const double value =
          one.is_integer() ? static_cast<double>(one.as_integer()->get()) : one.as_floating_point()->get();
      if (!std::isfinite(value)) section.fail(&one, key, "is not finite (write a number or a text)");
      rule.missing.push_back(value);
    } else if (one.is_string()) {
      rule.missing_text.push_back(*one.value<std::string>());
    } else {
      section.fail(&one, key, "is neither a number nor a text (write what stands for a missing value)");
    }
  };
  if (const toml::array* list = node->as_array()) {
    for (const toml::node& one : *list) take(one);
  } else {
    take(*node);
  }
}

enum class Kind : std::uint8_t { kText, kNumber, kTime, kChoice, kFlag };

/// `key = "name"`, `key = ["name", ...]` or `key = {column = ..., ...}`.
ColumnRule column_rule(Section& parent, const std::string& key, Kind kind, const ColumnRule& shared,
                       std::initializer_list<std::pair<const char*, std::int8_t>> flags = {}) {
  const toml::node* node = parent.find(key);
  ColumnRule rule;
  if (node == nullptr) return rule;
  if (kind == Kind::kNumber) {
    rule.missing = shared.missing;
    rule.missing_text = shared.missing_text;
  }
  if (const toml::table* table = node->as_table()) {
    Section section(table, parent.prefix() + key + ".", parent.where());
    rule.name = section.texts("column");
    if (rule.name.empty()) section.fail(node, "column", "is missing (name the column)");
    if (kind == Kind::kNumber) {
      const double scale = section.number("scale", 1.0, 1e-12, 1e12);
      // A division by a whole number keeps decimals that a multiplication by its inverse would not.
      const double inverse = std::round(1.0 / scale);
      if (scale < 1.0 && std::abs(inverse * scale - 1.0) < 1e-12) {
        rule.divide = inverse;
      } else {
        rule.multiply = scale;
      }
      rule.whole_only = section.boolean("whole_only");
      add_missing(section, "missing", rule);
    }
    if (kind == Kind::kTime) {
      if (const toml::node* form = section.find("format")) {
        if (const toml::array* list = form->as_array()) {
          for (const toml::node& one : *list) rule.form.push_back(form_of(section, one));
        } else {
          rule.form.push_back(form_of(section, *form));
        }
      }
      rule.zone = section.choice("zone", Zone::kNone,
                                 {{"none", Zone::kNone}, {"UTC", Zone::kUtc}, {"America/New_York", Zone::kNewYork}});
    }
    if (kind == Kind::kText) {
      rule.prefix = section.text("prefix");
      rule.first_word = section.boolean("first_word");
    }
    if (kind == Kind::kChoice) {
      const toml::node* accepted = section.find("keep");
      const toml::array* list = accepted == nullptr ? nullptr : accepted->as_array();
      if (list == nullptr || list->empty()) section.fail(node, "keep", "is no list (say which values to keep)");
      for (const toml::node& one : *list) {
        if (!one.is_string()) section.fail(&one, "keep", "is no text (quote each)");
        rule.accepted.push_back(lower_case(trimmed(*one.value<std::string>())));
      }
    }
    for (const auto& [word, value] : flags) {
      for (const std::string& spelling : section.texts(word)) rule.meaning.emplace_back(spelling, value);
    }
    section.refuse_unknown();
  } else {
    rule.name = parent.texts(key);
    if (kind == Kind::kChoice) parent.fail(node, key, "says not what to keep (write {column = ..., keep = [...]})");
  }
  if (kind == Kind::kTime && rule.form.empty()) rule.form = {TimeForm::kIso};
  if (kind == Kind::kFlag && rule.meaning.empty()) {
    parent.fail(node, key, "says not what its values mean (see docs/formats.md)");
  }
  return rule;
}

constexpr std::array kQuantityKeys{"bid",   "ask",  "last", "volume", "open_interest", "implied_volatility",
                                   "delta", "gamma"};

void read_side(Section& section, SideRule& side, const ColumnRule& shared) {
  side.symbol = column_rule(section, "symbol", Kind::kText, shared);
  for (std::size_t q = 0; q < kQuantityKeys.size(); ++q) {
    side.quantity[q] = column_rule(section, kQuantityKeys[q], Kind::kNumber, shared);
  }
}

/// Whole seconds and the fraction dropped; none for what is no plain decimal.
std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') rest.remove_prefix(1);
  }
  if (!rest.empty()) return std::nullopt;
  return value;
}

/// Day or month of one or two digits, year of four, at slashes.
std::optional<DayNumber> slashed_date(std::string_view text, bool month_first) {
  int part[3] = {0, 0, 0};
  for (int i = 0; i < 3; ++i) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || text.front() == '-' || digits > (i == 2 ? 4u : 2u) || (i == 2 && digits != 4)) {
      return std::nullopt;
    }
    part[i] = value;
    text.remove_prefix(digits);
    if (i < 2) {
      if (text.empty() || text.front() != '/') return std::nullopt;
      text.remove_prefix(1);
    }
  }
  if (!text.empty()) return std::nullopt;
  return checked_date(part[2], month_first ? part[0] : part[1], month_first ? part[1] : part[0]);
}

std::optional<Instant> instant_of(std::string_view text, TimeForm form, Zone zone) {
  switch (form) {
    case TimeForm::kIsoTime: {
      if (const auto read = parse_iso_instant(text)) return read;
      if (zone == Zone::kNone) return std::nullopt;
      const auto wall = parse_iso_instant(text, 0);
      if (!wall || zone == Zone::kUtc) return wall;
      const Instant day = *wall / 86400;  // after 1970, so the quotient is the floor
      const int second = static_cast<int>(*wall - day * 86400);
      return new_york_instant(date_of(static_cast<DayNumber>(day)), second / 3600, second / 60 % 60, second % 60);
    }
    case TimeForm::kUnixSeconds:
    case TimeForm::kUnixMillis:
    case TimeForm::kUnixNanos: {
      const auto value = whole_number(text);
      const std::int64_t unit = form == TimeForm::kUnixSeconds ? 1 : form == TimeForm::kUnixMillis ? 1000 : 1000000000;
      constexpr Instant kYear2200 = 7258118400;
      if (!value || *value <= 0 || *value / unit >= kYear2200) return std::nullopt;
      return *value / unit;
    }
    default:
      return std::nullopt;
  }
}

bool equal_without_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

}  // namespace

Number read_number(std::string_view text, const ColumnRule& rule) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (!rule.missing_text.empty()) {
    const std::string_view word = trimmed(text);
    for (const std::string& missing : rule.missing_text) {
      if (word == missing) return {NumberKind::kMissing, nan};
    }
  }
  Number number = parse_number(text);
  if (number.kind != NumberKind::kNumber) return number;
  for (const double missing : rule.missing) {
    if (number.value == missing) return {NumberKind::kMissing, nan};
  }
  if (!rule.whole_only || text.find('.') == std::string_view::npos) {
    number.value = number.value * rule.multiply / rule.divide;
  }
  if (!std::isfinite(number.value)) return {NumberKind::kNonFinite, nan};
  return number;
}

std::optional<DayNumber> read_day(std::string_view text, const ColumnRule& rule) {
  text = trimmed(text);
  for (const TimeForm form : rule.form) {
    std::optional<DayNumber> day;
    switch (form) {
      case TimeForm::kIso:
        day = parse_iso_date(text);
        break;
      case TimeForm::kCompact:
        if (text.size() == 8) {
          int value = 0;
          const auto [end, error] = std::from_chars(text.data(), text.data() + 8, value);
          if (error == std::errc() && end == text.data() + 8 && value > 0) {
            day = checked_date(value / 10000, value / 100 % 100, value % 100);
          }
        }
        break;
      case TimeForm::kMonthFirst:
      case TimeForm::kDayFirst:
        if (!text.empty()) day = slashed_date(text, form == TimeForm::kMonthFirst);
        break;
      case TimeForm::kWords:
        day = parse_date_in_words(text);
        break;
      default:
        if (const auto instant = instant_of(text, form, rule.zone)) day = day_number(new_york_date(*instant));
    }
    if (day) return day;
  }
  return std::nullopt;
}

std::optional<Instant> read_instant(std::string_view text, const ColumnRule& rule) {
  text = trimmed(text);
  for (const TimeForm form : rule.form) {
    if (const auto instant = instant_of(text, form, rule.zone)) return instant;
  }
  return std::nullopt;
}

std::int8_t meaning_of(std::string_view text, const ColumnRule& rule, std::int8_t otherwise) {
  text = trimmed(text);
  for (const auto& [word, value] : rule.meaning) {
    if (equal_without_case(text, word)) return value;
  }
  return otherwise;
}

bool is_accepted(std::string_view text, const ColumnRule& rule) {
  text = trimmed(text);
  return std::any_of(rule.accepted.begin(), rule.accepted.end(),
                     [text](const std::string& word) { return equal_without_case(text, word); });
}

Profile parse_profile(std::string_view text, std::string_view where) {
  if (text.size() > kTextLimit) throw InputError(std::string(where) + ": longer than 1 MiB (limit) this is no profile");
  toml::table document;
  if (const std::size_t line = line_of_long_key(text); line != 0) {
    throw InputError(std::string(where) + ":" + std::to_string(line) + ": a key of more than " +
                     std::to_string(kMostKeyParts) + " parts (a profile has no such key) correct the line");
  }
  try {
    document = toml::parse(text, where);
  } catch (const toml::parse_error& error) {
    throw InputError(std::string(where) + ":" + std::to_string(error.source().begin.line) +
                     ": the profile is no TOML (" + shown(error.description()) + ") correct the line");
  }
  Section root(&document, "", where);
  Profile profile;
  profile.where = where;
  profile.format = root.text("format");
  profile.title = root.text("title");
  if (profile.format.empty()) root.fail(nullptr, "format", "is missing (give the format a name)");
  if (const toml::node* node = root.find("match")) {
    const toml::array* list = node->as_array();
    if (list == nullptr) root.fail(node, "match", "is no list (name the columns that identify the header)");
    for (const toml::node& one : *list) {
      std::vector<std::string> group;
      const auto take = [&](const toml::node& word) {
        if (!word.is_string()) root.fail(&word, "match", "holds what is no text (quote each column)");
        group.push_back(lower_case(trimmed(*word.value<std::string>())));
      };
      if (const toml::array* alternatives = one.as_array()) {
        for (const toml::node& word : *alternatives) take(word);
      } else {
        take(one);
      }
      if (group.empty()) root.fail(&one, "match", "holds an empty list (name the columns)");
      profile.match.push_back(std::move(group));
    }
  }
  if (profile.match.empty()) {
    root.fail(nullptr, "match", "is missing (name the columns that identify the header)");
  }
  profile.require = root.texts("require");
  const std::string delimiter = root.text("delimiter", ",");
  if (delimiter.size() != 1 || std::string_view(",;\t|").find(delimiter[0]) == std::string_view::npos) {
    root.fail(root.find("delimiter"), "delimiter", "is none of , ; | and tab (choose one)");
  }
  profile.delimiter = delimiter[0];
  profile.skip_lines = static_cast<int>(root.number("skip_lines", 0.0, 0.0, 100.0));
  profile.pair = root.choice<int>("shape", 0, {{"contract_per_row", 0}, {"call_and_put_per_row", 1}}) == 1;
  ColumnRule shared;
  add_missing(root, "missing", shared);

  Section columns(root.table("columns"), "columns.", where);
  profile.underlying = column_rule(columns, "underlying", Kind::kText, shared);
  profile.root = column_rule(columns, "root", Kind::kText, shared);
  profile.expiration = column_rule(columns, "expiration", Kind::kTime, shared);
  profile.right = column_rule(columns, "right", Kind::kText, shared);
  profile.strike = column_rule(columns, "strike", Kind::kNumber, shared);
  profile.session = column_rule(columns, "session", Kind::kTime, shared);
  profile.stamp = column_rule(columns, "stamp", Kind::kTime, shared);
  profile.spot = column_rule(columns, "spot", Kind::kNumber, shared);
  profile.multiplier = column_rule(columns, "multiplier", Kind::kNumber, shared);
  profile.exchange = column_rule(columns, "exchange", Kind::kChoice, shared);
  profile.deliverable = column_rule(columns, "deliverable", Kind::kChoice, shared);
  profile.settlement = column_rule(columns, "settlement", Kind::kFlag, shared, {{"am", 1}, {"pm", 2}});
  profile.exercise = column_rule(columns, "exercise", Kind::kFlag, shared, {{"european", 1}, {"american", 2}});
  read_side(columns, profile.call, shared);
  columns.refuse_unknown();

  const toml::table* call = root.table("call");
  const toml::table* put = root.table("put");
  if (profile.pair) {
    if (call == nullptr || put == nullptr) {
      root.fail(nullptr, "call, put", "are missing (the columns of each side stand in tables of these names)");
    }
    // Columns that both sides share, such as a gamma, may stand under columns.
    profile.put = profile.call;
    for (auto& [table, name, side] : {std::tuple{call, "call.", &profile.call}, {put, "put.", &profile.put}}) {
      Section section(table, name, where);
      SideRule own;
      read_side(section, own, shared);
      section.refuse_unknown();
      if (!own.symbol.name.empty()) side->symbol = own.symbol;
      for (std::size_t q = 0; q < kQuantityColumns; ++q) {
        if (!own.quantity[q].name.empty()) side->quantity[q] = own.quantity[q];
      }
    }
  } else if (call != nullptr || put != nullptr) {
    root.fail(nullptr, "call, put", "stand in a profile of a row per contract (set shape = \"call_and_put_per_row\")");
  }

  Section right(root.table("right"), "right.", where);
  for (const auto& [word, value, usual] : {std::tuple{"call", std::int8_t{1}, "c"}, {"put", std::int8_t{-1}, "p"}}) {
    std::vector<std::string> spellings = right.texts(word);
    if (spellings.empty()) spellings = {usual, word};
    for (const std::string& spelling : spellings) profile.right.meaning.emplace_back(spelling, value);
  }
  right.refuse_unknown();

  profile.underlying_from = root.choice(
      "underlying_from", UnderlyingFrom::kColumn,
      {{"column", UnderlyingFrom::kColumn}, {"root", UnderlyingFrom::kRoot}, {"most_rows", UnderlyingFrom::kFile}});
  profile.fixed_underlying = root.text("underlying");

  Section quote(root.table("quote"), "quote.", where);
  const bool has_session = !profile.session.name.empty(), has_stamp = !profile.stamp.name.empty();
  profile.quote = quote.choice("instant",
                               has_session ? QuoteRule::kSessionClose
                               : has_stamp ? QuoteRule::kStamp
                                           : QuoteRule::kNone,
                               {{"session_close", QuoteRule::kSessionClose},
                                {"stamp", QuoteRule::kStamp},
                                {"close_before_stamp", QuoteRule::kCloseBeforeStamp},
                                {"none", QuoteRule::kNone}});
  profile.close_offset = static_cast<Instant>(quote.number("minutes_before_close", 0.0, 0.0, 209.0) * 60.0);
  profile.delay = static_cast<Instant>(quote.number("delay_minutes", 0.0, 0.0, 1440.0) * 60.0);
  profile.stale =
      quote.choice("stale", StaleRule::kSession,
                   {{"session_before", StaleRule::kSession}, {"older", StaleRule::kAny}, {"never", StaleRule::kNever}});
  if (profile.quote == QuoteRule::kSessionClose && !has_session) {
    quote.fail(nullptr, "instant", "= \"session_close\" without columns.session (name the column of the date)");
  }
  if ((profile.quote == QuoteRule::kStamp || profile.quote == QuoteRule::kCloseBeforeStamp) && !has_stamp) {
    quote.fail(nullptr, "instant", "is a rule of stamps without columns.stamp (name the column)");
  }
  quote.refuse_unknown();
  root.refuse_unknown();

  const bool symbols = !profile.call.symbol.name.empty() && (!profile.pair || !profile.put.symbol.name.empty());
  const bool parts =
      !profile.expiration.name.empty() && !profile.strike.name.empty() && (profile.pair || !profile.right.name.empty());
  if (!symbols && !parts) {
    root.fail(nullptr, "columns",
              "identify no contract (name symbol, or expiration, strike and, in a row per contract, right)");
  }
  return profile;
}

std::span<const Profile> built_in_profiles() {
  static const std::vector<Profile> profiles = [] {
    std::vector<Profile> read;
    for (const ProfileText& text : kProfileTexts) read.push_back(parse_profile(text.text, text.name));
    return read;
  }();
  return profiles;
}

HeaderMatch match_header(const Profile& profile, std::string_view text) {
  std::string_view header_line;
  for (int i = 0; i <= profile.skip_lines; ++i) {
    if (!next_line(text, header_line)) header_line = {};
  }
  std::vector<std::string_view> fields;
  std::string unquoted;
  HeaderMatch match;
  std::set<std::string> names;
  if (split_fields(header_line, fields, unquoted, profile.delimiter)) {
    for (const std::string_view field : fields) names.insert(lower_case(trimmed(field).substr(0, 64)));
  }
  for (const std::vector<std::string>& group : profile.match) {
    if (std::any_of(group.begin(), group.end(), [&](const std::string& word) { return names.count(word) > 0; })) {
      ++match.found;
    } else {
      match.lacking.push_back(group.front());
    }
  }
  return match;
}

}  // namespace greekgrid::ingest_detail

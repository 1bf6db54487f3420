#include "text_scan.hpp"

#include <fast_float/fast_float.h>

#include <cmath>
#include <limits>

namespace greekgrid::ingest_detail {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

/// Exactly `count` digits at the front of text, taken off it.
bool take_digits(std::string_view& text, std::size_t count, int& value) {
  if (text.size() < count) return false;
  value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// First letters that tell the month in English, Spanish, French, German, Italian and Portuguese, accents as in UTF-8;
// the longest match wins (mai/mar, juin/juil).
struct MonthName {
  std::string_view prefix;
  int month;
};
constexpr std::array kMonthNames{MonthName{"jan", 1},
                                 MonthName{"ene", 1},
                                 MonthName{"gen", 1},
                                 MonthName{"feb", 2},
                                 MonthName{"f\xc3\xa9v", 2},
                                 MonthName{"fev", 2},
                                 MonthName{"mar", 3},
                                 MonthName{"m\xc3\xa4r", 3},
                                 MonthName{"apr", 4},
                                 MonthName{"abr", 4},
                                 MonthName{"avr", 4},
                                 MonthName{"may", 5},
                                 MonthName{"mai", 5},
                                 MonthName{"mag", 5},
                                 MonthName{"jun", 6},
                                 MonthName{"juin", 6},
                                 MonthName{"giu", 6},
                                 MonthName{"jul", 7},
                                 MonthName{"juil", 7},
                                 MonthName{"lug", 7},
                                 MonthName{"aug", 8},
                                 MonthName{"ago", 8},
                                 MonthName{"ao\xc3\xbb", 8},
                                 MonthName{"aou", 8},
                                 MonthName{"sep", 9},
                                 MonthName{"set", 9},
                                 MonthName{"oct", 10},
                                 MonthName{"okt", 10},
                                 MonthName{"ott", 10},
                                 MonthName{"out", 10},
                                 MonthName{"nov", 11},
                                 MonthName{"dec", 12},
                                 MonthName{"dic", 12},
                                 MonthName{"d\xc3\xa9"
                                           "c",
                                           12},
                                 MonthName{"dez", 12}};

int month_of(std::string_view word) {
  if (word == "martes" || word == "mardi") return 0;  // weekdays
  for (const MonthName& name : kMonthNames) {
    if (word.substr(0, name.prefix.size()) == name.prefix) return name.month;
  }
  return 0;
}

/// Blanks and minus signs of typographers in plain ASCII.
std::string plain(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto starts = [&text](std::size_t i, std::string_view code) { return text.substr(i, code.size()) == code; };
  for (std::size_t i = 0; i < text.size();) {
    if (starts(i, "\xe2\x80\xaf") || starts(i, "\xe2\x80\x89")) {  // U+202F, U+2009
      out += ' ';
      i += 3;
    } else if (starts(i, "\xe2\x88\x92") || starts(i, "\xe2\x80\x93")) {  // U+2212, U+2013
      out += '-';
      i += 3;
    } else if (starts(i, "\xc2\xa0")) {
      out += ' ';
      i += 2;
    } else {
      out += text[i++];
    }
  }
  return lower_case(out);
}

/// What a text in words says; -1 where it does not.
struct Spoken {
  int year = -1, month = -1, day = -1;
  int hour = -1, minute = 0, second = 0;
  bool post_meridiem = false, ante_meridiem = false;
  bool new_york = false;
  std::optional<int> zone;  // seconds east of Greenwich
  bool conflict = false;
};

struct ZoneName {
  std::string_view name;
  int hours;
};
// Abbreviations that mean one thing in one country's market data; IST, CST of China and the like are left out.
constexpr std::array kZones{ZoneName{"est", -5}, ZoneName{"edt", -4}, ZoneName{"cst", -6}, ZoneName{"cdt", -5},
                            ZoneName{"mst", -7}, ZoneName{"mdt", -6}, ZoneName{"pst", -8}, ZoneName{"pdt", -7},
                            ZoneName{"cet", 1},  ZoneName{"cest", 2}, ZoneName{"bst", 1},  ZoneName{"z", 0}};

Spoken listen(std::string_view text) {
  Spoken said;
  const auto set = [&said](int& slot, int value) {
    if (slot >= 0 && slot != value) said.conflict = true;
    slot = value;
  };
  std::size_t i = 0;
  const auto number = [&](int& digits) {
    int value = 0;
    digits = 0;
    while (i < text.size() && is_digit(text[i])) {
      if (++digits <= 6) value = value * 10 + (text[i] - '0');
      ++i;
    }
    return digits <= 6 ? value : -1;
  };
  while (i < text.size()) {
    int digits = 0;
    if (is_digit(text[i])) {
      const int value = number(digits);
      std::size_t j = i;
      while (j < text.size() && text[j] == ' ') ++j;
      const bool french_hour = j + 1 < text.size() && text[j] == 'h' && said.hour < 0 && digits <= 2;
      if (digits <= 2 && i + 1 < text.size() && text[i] == ':' && is_digit(text[i + 1])) {
        set(said.hour, value);
        ++i;
        said.minute = number(digits);
        if (digits != 2) said.conflict = true;
        if (i + 1 < text.size() && text[i] == ':' && is_digit(text[i + 1])) {
          ++i;
          said.second = number(digits);
          if (digits != 2) said.conflict = true;
        }
      } else if (french_hour && (!is_letter(text[j + 1]))) {  // 16 h 31
        set(said.hour, value);
        i = j + 1;
        while (i < text.size() && text[i] == ' ') ++i;
        if (i < text.size() && is_digit(text[i])) said.minute = number(digits);
      } else if (digits == 4) {
        set(said.year, value);
      } else if (digits <= 2) {
        set(said.day, value);
      } else {
        said.conflict = true;
      }
    } else if (is_letter(text[i])) {
      const std::size_t begin = i;
      while (i < text.size() && is_letter(text[i])) ++i;
      const std::string_view word = text.substr(begin, i - begin);
      // "a.m.", "p. m.", "AM": the second letter may stand apart.
      if (word == "am" || word == "pm" || word == "a" || word == "p") {
        bool meridiem = word.size() == 2;
        if (!meridiem) {
          std::size_t j = i;
          if (j < text.size() && text[j] == '.') ++j;
          while (j < text.size() && text[j] == ' ') ++j;
          if (j < text.size() && text[j] == 'm' && (j + 1 == text.size() || !is_letter(text[j + 1]))) {
            meridiem = true;
            i = j + 1;
          }
        }
        if (meridiem && said.hour >= 0) (word[0] == 'p' ? said.post_meridiem : said.ante_meridiem) = true;
        continue;
      }
      if (word == "et") {
        said.new_york = true;
      } else if (word == "gmt" || word == "utc") {
        int offset = 0;
        if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
          const int sign = text[i] == '-' ? -1 : 1;
          ++i;
          int value = number(digits);
          int minutes = 0;
          if (digits == 4) {
            minutes = value % 100;
            value /= 100;
          } else if (i < text.size() && text[i] == ':') {
            ++i;
            int minute_digits = 0;
            minutes = number(minute_digits);
            if (minute_digits != 2) said.conflict = true;
          }
          if (digits == 0 || digits == 3 || digits > 4 || value > 14 || minutes < 0 || minutes > 59) {
            said.conflict = true;
          } else {
            offset = sign * (value * 3600 + minutes * 60);
          }
        }
        said.zone = offset;
      } else if (const int month = month_of(word); month > 0 && word.size() >= 3) {
        set(said.month, month);
      } else {
        for (const ZoneName& zone : kZones) {
          if (word == zone.name) said.zone = zone.hours * 3600;
        }
      }
    } else {
      ++i;
    }
  }
  return said;
}

}  // namespace

DayNumber day_number(Date date) {
  return static_cast<DayNumber>(std::chrono::sys_days{date}.time_since_epoch().count());
}
Date date_of(DayNumber day) {
  return Date{std::chrono::sys_days{std::chrono::days{day}}};
}

std::optional<DayNumber> checked_date(int y, int m, int d) {
  if (y < 1970 || y > 2199 || m < 1 || m > 12 || d < 1 || d > 31) return std::nullopt;
  const Date date{std::chrono::year{y}, std::chrono::month{static_cast<unsigned>(m)},
                  std::chrono::day{static_cast<unsigned>(d)}};
  if (!date.ok()) return std::nullopt;
  return day_number(date);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string shown(std::string_view text) {
  constexpr std::size_t limit = 80;
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) c = '?';
  }
  if (text.size() > limit) out += "...";
  return out;
}

bool split_fields(std::string_view line, std::vector<std::string_view>& fields, std::string& unquoted, char delimiter) {
  fields.clear();
  if (line.find('"') == std::string_view::npos) {
    const char* begin = line.data();
    const char* const end = begin + line.size();
    for (const char* p = begin; p != end; ++p) {
      if (*p == delimiter) {
        fields.emplace_back(begin, static_cast<std::size_t>(p - begin));
        begin = p + 1;
      }
    }
    fields.emplace_back(begin, static_cast<std::size_t>(end - begin));
    return true;
  }
  // Reserved once so that views into it stay valid.
  unquoted.clear();
  unquoted.reserve(line.size());
  std::size_t i = 0;
  while (true) {
    if (i < line.size() && line[i] == '"') {
      const std::size_t begin = unquoted.size();
      ++i;
      while (true) {
        if (i >= line.size()) return false;
        if (line[i] == '"') {
          if (i + 1 < line.size() && line[i + 1] == '"') {
            ++i;
          } else {
            break;
          }
        }
        unquoted += line[i++];
      }
      ++i;
      fields.emplace_back(unquoted.data() + begin, unquoted.size() - begin);
      if (i < line.size() && line[i] != delimiter) return false;
    } else {
      const std::size_t begin = i;
      while (i < line.size() && line[i] != delimiter) ++i;
      fields.push_back(line.substr(begin, i - begin));
    }
    if (i >= line.size()) return true;
    ++i;
  }
}

bool next_line(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  const std::size_t end = rest.find('\n');
  line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return true;
}

Number parse_number(std::string_view text) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  text = trimmed(text);
  if (text.empty()) return {NumberKind::kMissing, nan};
  double value = 0.0;
  const auto [end, error] = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return {NumberKind::kBad, nan};
  if (!std::isfinite(value)) return {NumberKind::kNonFinite, nan};
  if (error == std::errc::result_out_of_range) return {NumberKind::kBad, nan};
  if (error != std::errc()) return {NumberKind::kBad, nan};
  if (value == 0.0) {
    for (const char c : text) {
      if (c == 'e' || c == 'E') break;
      if (c >= '1' && c <= '9') return {NumberKind::kBad, nan};
    }
    value = 0.0;  // -0 is 0
  }
  return {NumberKind::kNumber, value};
}

std::optional<std::int64_t> strike_thousandths(double strike) {
  if (!(std::abs(strike) < 1e9)) return std::nullopt;
  const double scaled = strike * 1000.0;
  const double nearest = std::round(scaled);
  if (std::abs(scaled - nearest) > 1e-3) return std::nullopt;
  return static_cast<std::int64_t>(nearest);
}

double strike_tolerance(std::string_view text) {
  text = trimmed(text);
  const std::size_t point = text.find('.');
  const bool two_decimals = point != std::string_view::npos && text.size() - point - 1 == 2;
  return two_decimals ? 0.005 + 1e-9 : 0.0005;
}

std::optional<DayNumber> parse_iso_date(std::string_view text) {
  text = trimmed(text);
  int y = 0, m = 0, d = 0;
  if (!take_digits(text, 4, y) || !take(text, '-') || !take_digits(text, 2, m) || !take(text, '-') ||
      !take_digits(text, 2, d) || !text.empty()) {
    return std::nullopt;
  }
  return checked_date(y, m, d);
}

std::optional<DayNumber> parse_date_in_words(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 64) return std::nullopt;
  if (text.size() == 10 && text[4] == '-') return parse_iso_date(text);
  if (text.size() == 10 && text[2] == '/') {
    int y = 0, m = 0, d = 0;
    if (!take_digits(text, 2, m) || !take(text, '/') || !take_digits(text, 2, d) || !take(text, '/') ||
        !take_digits(text, 4, y)) {
      return std::nullopt;
    }
    return checked_date(y, m, d);
  }
  const Spoken said = listen(plain(text));
  if (said.conflict || said.hour >= 0) return std::nullopt;
  return checked_date(said.year, said.month, said.day);
}

std::optional<Instant> parse_iso_instant(std::string_view text, std::optional<int> zone_seconds) {
  text = trimmed(text);
  int y = 0, m = 0, d = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, y) || !take(text, '-') || !take_digits(text, 2, m) || !take(text, '-') ||
      !take_digits(text, 2, d)) {
    return std::nullopt;
  }
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute)) return std::nullopt;
  if (take(text, ':')) {
    if (!take_digits(text, 2, second)) return std::nullopt;
    if (take(text, '.')) {
      if (text.empty() || !is_digit(text.front())) return std::nullopt;
      while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
    }
  }
  const std::optional<DayNumber> day = checked_date(y, m, d);
  if (!day || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  int offset = 0;
  text = trimmed(text);
  if (text.empty()) {
    if (!zone_seconds) return std::nullopt;
    offset = *zone_seconds;
  } else if (!take(text, 'Z')) {
    const int sign = text.front() == '-' ? -1 : 1;
    int zone_hour = 0, zone_minute = 0;
    if (!take(text, '-') && !take(text, '+')) return std::nullopt;
    if (!take_digits(text, 2, zone_hour)) return std::nullopt;
    take(text, ':');
    if (!text.empty() && !take_digits(text, 2, zone_minute)) return std::nullopt;
    if (zone_hour > 14 || zone_minute > 59) return std::nullopt;
    offset = sign * (zone_hour * 3600 + zone_minute * 60);
  }
  if (!text.empty()) return std::nullopt;
  return std::int64_t{*day} * 86400 + hour * 3600 + minute * 60 + second - offset;
}

std::optional<Instant> parse_instant_in_words(std::string_view text) {
  if (text.size() > 200) return std::nullopt;
  const Spoken said = listen(plain(text));
  const std::optional<DayNumber> day = checked_date(said.year, said.month, said.day);
  int hour = said.hour;
  const bool twelve = said.post_meridiem || said.ante_meridiem;
  if (said.conflict || !day || hour < 0 || hour > 23 || said.minute < 0 || said.minute > 59 || said.second > 59 ||
      (twelve && (hour < 1 || hour > 12)) || (said.post_meridiem && said.ante_meridiem)) {
    return std::nullopt;
  }
  if (twelve) hour = hour % 12 + (said.post_meridiem ? 12 : 0);
  if (said.new_york) return new_york_instant(date_of(*day), hour, said.minute, said.second);
  if (!said.zone) return std::nullopt;
  return std::int64_t{*day} * 86400 + hour * 3600 + said.minute * 60 + said.second - *said.zone;
}

}  // namespace greekgrid::ingest_detail

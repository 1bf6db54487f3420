#include "output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "commands.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid::cli {

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    throw OutputError(fmt::format("standard output: not written ({})", std::strerror(errno)));
  }
}

std::string plain(std::string_view text, bool lines) {
  std::string made(text);
  for (char& c : made) {
    if ((static_cast<unsigned char>(c) < 0x20 && !(lines && c == '\n')) || c == 0x7f) c = '?';
  }
  return made;
}

void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw OutputError(fmt::format("standard output: not written ({})", std::strerror(errno)));
  }
}

std::string format_table(const std::vector<std::vector<std::string>>& rows, std::size_t left_aligned_columns) {
  std::vector<std::size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += c == 0 ? "" : "  ";
      line +=
          c < left_aligned_columns ? fmt::format("{:<{}}", row[c], width[c]) : fmt::format("{:>{}}", row[c], width[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string format_csv(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) text += ',';
      if (row[c].find_first_of(",\"\r\n") == std::string::npos) {
        text += row[c];
        continue;
      }
      text += '"';
      for (const char ch : row[c]) text += ch == '"' ? std::string("\"\"") : std::string(1, ch);
      text += '"';
    }
    text += '\n';
  }
  return text;
}

std::string utc_text(Instant instant) {
  using namespace std::chrono;
  const sys_seconds time{seconds{instant}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

Date parse_date(const std::string& text, const std::string& option) {
  int year = 0, month = 0, day = 0;
  char end = 0;
  const bool read = text.size() == 10 && std::sscanf(text.c_str(), "%4d-%2d-%2d%c", &year, &month, &day, &end) == 3;
  const Date date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                  std::chrono::day{static_cast<unsigned>(day)}};
  if (!read || year < 1970 || !date.ok()) throw UsageError(option + " " + text + ": no date (write YYYY-MM-DD)");
  return date;
}

Instant parse_instant(const std::string& text, const std::string& option) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone_hour = 0, zone_minute = 0, used = 0;
  char sign = 0;
  const auto fail = [&]() -> Instant {
    throw UsageError(option + " " + text +
                     ": not an instant (write ISO 8601 with a zone, such as 2026-07-10T16:00:00-04:00)");
  };
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) != 6)
    return fail();
  const std::string zone = text.substr(static_cast<std::size_t>(used));
  int zone_seconds = 0;
  if (zone != "Z") {
    int zone_used = 0;
    if (std::sscanf(zone.c_str(), "%c%2d:%2d%n", &sign, &zone_hour, &zone_minute, &zone_used) != 3 ||
        static_cast<std::size_t>(zone_used) != zone.size() || (sign != '+' && sign != '-')) {
      return fail();
    }
    zone_seconds = (zone_hour * 3600 + zone_minute * 60) * (sign == '-' ? -1 : 1);
  }
  const std::chrono::year_month_day date = std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) /
                                           std::chrono::day(static_cast<unsigned>(day));
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return fail();
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  const Instant instant = static_cast<Instant>(days) * 86400 + hour * 3600 + minute * 60 + second - zone_seconds;
  if (instant < 0 || year > 9000) throw UsageError(option + " " + text + ": out of range (years 1970 to 9000)");
  return instant;
}

std::string bytes_text(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000.0 && unit < 4) bytes /= 1000.0, ++unit;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 2, units[unit]);
}

}  // namespace greekgrid::cli

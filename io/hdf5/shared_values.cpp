#include "shared_values.hpp"

#include <algorithm>
#include <chrono>

namespace greekgrid::h5 {
namespace {

/// The decimal digits at [begin, begin + count), or -1.
int digits(std::string_view text, std::size_t begin, std::size_t count) {
  int value = 0;
  for (const char digit : text.substr(begin, count)) {
    if (digit < '0' || digit > '9') return -1;
    value = value * 10 + (digit - '0');
  }
  return value;
}

}  // namespace

std::optional<Instant> instant_from_iso(std::string_view text) {
  using namespace std::chrono;
  constexpr std::size_t kClock = 19, kWithOffset = 25;
  const bool is_utc = text.size() == kClock + 1 && text[kClock] == 'Z';
  const bool has_offset = text.size() == kWithOffset && (text[kClock] == '+' || text[kClock] == '-') && text[22] == ':';
  if (!is_utc && !has_offset) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') return std::nullopt;
  const int year_number = digits(text, 0, 4), month_number = digits(text, 5, 2), day_number = digits(text, 8, 2);
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  const int offset_hour = has_offset ? digits(text, 20, 2) : 0, offset_minute = has_offset ? digits(text, 23, 2) : 0;
  if (std::min({year_number, month_number, day_number, hour, minute, second, offset_hour, offset_minute}) < 0 ||
      hour > 23 || minute > 59 || second > 59 || offset_hour > 23 || offset_minute > 59) {
    return std::nullopt;
  }
  const year_month_day date{year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!date.ok()) return std::nullopt;
  const Instant local =
      duration_cast<seconds>(sys_days(date).time_since_epoch()).count() + hour * 3600 + minute * 60 + second;
  const Instant offset = (offset_hour * 60 + offset_minute) * 60;
  return local - (has_offset && text[kClock] == '-' ? -offset : offset);
}

bool is_instant(Instant instant) {
  constexpr Instant kEndOf9999 = 253402300799;
  return instant >= 0 && instant <= kEndOf9999;
}

bool is_symbol(std::string_view text) {
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; };
  constexpr std::size_t kLongest = 256;
  return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), is_plain) &&
         as_utf8(text) == text;
}

void make_plain(std::string& text) {
  text = as_utf8(text);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
}

std::vector<ChainSource> read_sources(const FileReader& file) {
  const std::vector<std::string> names = file.list_attribute("/", "source_name");
  const std::vector<std::string> sums = file.list_attribute("/", "source_sha256");
  if (names.size() != sums.size()) throw Error("source_name and source_sha256 have different lengths");
  std::vector<ChainSource> source;
  for (std::size_t i = 0; i < names.size(); ++i) source.push_back({names[i], sums[i]});
  return source;
}

}  // namespace greekgrid::h5

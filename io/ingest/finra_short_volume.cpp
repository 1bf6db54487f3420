// FINRA Reg SHO daily short volume: fields between bars, volumes that may be fractional, and a last line that counts
// the records. Until 2011 there was no column of exempt sales.

#include "history_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

void split_at_bars(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  for (;;) {
    const std::size_t bar = line.find('|');
    fields.push_back(trimmed(line.substr(0, bar)));
    if (bar == std::string_view::npos) return;
    line.remove_prefix(bar + 1);
  }
}

struct Layout {
  std::size_t date = kAbsent, symbol = kAbsent, short_volume = kAbsent, exempt = kAbsent, total = kAbsent, count = 0;

  explicit Layout(const std::vector<std::string_view>& fields) : count(fields.size()) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::string name = lower_case(fields[i].substr(0, 32));
      if (name == "date") date = i;
      if (name == "symbol") symbol = i;
      if (name == "shortvolume") short_volume = i;
      if (name == "shortexemptvolume") exempt = i;
      if (name == "totalvolume") total = i;
    }
  }
  bool complete() const { return date != kAbsent && symbol != kAbsent && short_volume != kAbsent && total != kAbsent; }
};

/// YYYYMMDD, or as ISO writes it.
std::optional<DayNumber> day_of(std::string_view text) {
  if (text.size() == 8 && text.find('-') == std::string_view::npos) {
    const std::string iso =
        std::string(text.substr(0, 4)) + "-" + std::string(text.substr(4, 2)) + "-" + std::string(text.substr(6, 2));
    return parse_iso_date(iso);
  }
  return parse_iso_date(text);
}

}  // namespace

bool is_finra_header(std::string_view line) {
  std::vector<std::string_view> fields;
  split_at_bars(line.substr(0, 512), fields);
  return Layout(fields).complete();
}

HistorySource parse_finra(LineReader& lines, const std::string& label, const Calendar& calendar) {
  std::string_view line;
  std::vector<std::string_view> fields;
  if (!lines.next(line) || !is_finra_header(line)) {
    throw InputError(label +
                     ":1: no header of FINRA short volume (Date|Symbol|ShortVolume|...|TotalVolume|Market "
                     "expected) fetch the file again");
  }
  split_at_bars(line, fields);
  const Layout layout(fields);
  DailyRows rows(calendar, HistoryFormat::kFinra);
  // Several files in one are as many sections, each with its own count.
  std::size_t section = rows.mark();
  std::int64_t records = 0;
  const auto close_section = [&](std::string_view counted) {
    if (counted != std::to_string(records)) {
      rows.refuse_since(section, "record count", "record_count_mismatch", counted.empty() ? "none" : counted);
    }
    section = rows.mark();
    records = 0;
  };
  while (lines.next(line)) {
    const std::string_view text = trimmed(line);
    if (text.empty()) continue;
    if (text.find_first_not_of("0123456789") == std::string_view::npos) {
      close_section(text);
      continue;
    }
    split_at_bars(line, fields);
    if (fields.size() == layout.count && fields[layout.date] == "Date") continue;
    const std::int64_t number = lines.number();
    rows.count();
    ++records;
    if (fields.size() != layout.count) {
      rows.refuse(number, "row", "column_count", line, "");
      continue;
    }
    const std::string symbol = daily_symbol(fields[layout.symbol]);
    if (symbol.empty()) {
      rows.refuse(number, "Symbol", "bad_ticker", fields[layout.symbol], "");
      continue;
    }
    const std::optional<DayNumber> day = day_of(fields[layout.date]);
    if (!day) {
      rows.refuse(number, "Date", "bad_date", fields[layout.date], symbol);
      continue;
    }
    DailyValues values = no_values();
    if (!rows.read(number, "ShortVolume", fields[layout.short_volume], symbol, kShortVolume, values)) continue;
    if (layout.exempt != kAbsent &&
        !rows.read(number, "ShortExemptVolume", fields[layout.exempt], symbol, kShortExemptVolume, values)) {
      continue;
    }
    if (!rows.read(number, "TotalVolume", fields[layout.total], symbol, kOffExchangeVolume, values)) continue;
    if (values[kShortVolume] > values[kOffExchangeVolume]) {
      rows.refuse(number, "ShortVolume", "short_above_total", fields[layout.short_volume], symbol);
      continue;
    }
    rows.add(number, symbol, *day, values, "Date", fields[layout.date]);
  }
  if (records > 0) close_section("");
  return rows.finish();
}

}  // namespace greekgrid::ingest_detail

// Daily prices, volumes and DIX-style series as CSV: columns found by name, what is not known is left alone.

#include "history_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

struct Layout {
  std::size_t date = kAbsent, symbol = kAbsent, count = 0;
  std::array<std::size_t, kDailyQuantities.size()> quantity{};
  std::vector<std::string> name;
  std::string twice;
  bool of_contracts = false;  ///< strikes: a table of options, whose volume is of contracts

  explicit Layout(const std::vector<std::string_view>& fields) : count(fields.size()) {
    quantity.fill(kAbsent);
    std::size_t price = kAbsent;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      name.emplace_back(trimmed(fields[i]));
      const std::string lower = lower_case(std::string_view(name.back()).substr(0, 32));
      const auto place = [&](std::size_t& slot) {
        if (slot != kAbsent) twice = name.back();
        slot = i;
      };
      if (lower == "date") place(date);
      if (lower == "symbol" || lower == "ticker") place(symbol);
      if (lower == "price") place(price);
      if (lower == "strike") of_contracts = true;
      for (const std::size_t q : {kOpen, kHigh, kLow, kClose, kVolume, kDix, kGex}) {
        if (lower == kDailyQuantities[q].name) place(quantity[q]);
      }
    }
    if (quantity[kClose] == kAbsent) quantity[kClose] = price;
  }
  bool has(std::size_t q) const { return quantity[q] != kAbsent; }
};

/// A date, or a stamp that begins with one.
std::optional<DayNumber> day_of(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 10 && (text[10] == 'T' || text[10] == ' ')) return parse_iso_date(text.substr(0, 10));
  return parse_date_in_words(text);
}

}  // namespace

bool is_dix_header(const std::vector<std::string_view>& fields) {
  const Layout layout(fields);
  return layout.date != kAbsent && layout.has(kDix);
}

bool is_daily_header(const std::vector<std::string_view>& fields) {
  const Layout layout(fields);
  return layout.date != kAbsent && !layout.of_contracts && (layout.has(kClose) || layout.has(kVolume));
}

HistorySource parse_daily_csv(LineReader& lines, const std::string& label, const Calendar& calendar,
                              HistoryFormat format, const std::string& given_symbol) {
  std::string_view line;
  std::vector<std::string_view> fields;
  std::string unquoted;
  if (!lines.next(line) || !split_fields(line, fields, unquoted)) {
    throw InputError(label + ":1: the header is unreadable (empty, or a quote is not closed) fetch the file again");
  }
  const Layout layout(fields);
  if (!layout.twice.empty()) {
    throw InputError(label + ":1: the header names '" + shown(layout.twice) +
                     "' twice (columns are found by name) rename one of them");
  }
  if (!(format == HistoryFormat::kDix ? is_dix_header(fields) : is_daily_header(fields))) {
    throw InputError(label + ":1: the header lacks 'date' or a series (close, volume, dix) rename or add the column");
  }
  if (layout.symbol == kAbsent && given_symbol.empty()) {
    throw InputError(label + ":1: whose series it is is unknown (there is no column 'symbol') name it with --symbol");
  }
  DailyRows rows(calendar, format);
  std::string symbol = given_symbol;
  while (lines.next(line)) {
    if (trimmed(line).empty()) continue;
    const std::int64_t number = lines.number();
    rows.count();
    if (!split_fields(line, fields, unquoted)) {
      rows.refuse(number, "row", "bad_quoting", line, "");
      continue;
    }
    if (fields.size() != layout.count) {
      rows.refuse(number, "row", "column_count", line, "");
      continue;
    }
    if (layout.symbol != kAbsent) {
      symbol = daily_symbol(fields[layout.symbol]);
      if (symbol.empty()) {
        rows.refuse(number, layout.name[layout.symbol], "bad_ticker", fields[layout.symbol], "");
        continue;
      }
    }
    const std::string_view date_text = fields[layout.date];
    const std::optional<DayNumber> day = day_of(date_text);
    if (!day) {
      rows.refuse(number, layout.name[layout.date], "bad_date", date_text, symbol);
      continue;
    }
    DailyValues values = no_values();
    bool good = true;
    for (std::size_t q = 0; q < kDailyQuantities.size() && good; ++q) {
      const std::size_t column = layout.quantity[q];
      if (column != kAbsent) good = rows.read(number, layout.name[column], fields[column], symbol, q, values);
    }
    if (!good) continue;
    if (values[kHigh] < values[kLow]) {
      rows.refuse(number, layout.name[layout.quantity[kHigh]], "high_below_low", fields[layout.quantity[kHigh]],
                  symbol);
      continue;
    }
    rows.add(number, symbol, *day, values, layout.name[layout.date], date_text);
  }
  return rows.finish();
}

}  // namespace greekgrid::ingest_detail

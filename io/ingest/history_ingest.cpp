// Daily series: which format a text has, and what the formats share.

#include "greekgrid/io/history_ingest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "history_formats.hpp"

namespace greekgrid {
namespace ingest_detail {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::int64_t kDaySeconds = 86400;

/// Letters that a base name begins with, in capitals: SPX of spx_daily_1990.csv.
std::string symbol_of_name(std::string_view name) {
  std::size_t n = 0;
  while (n < name.size() && ((name[n] >= 'a' && name[n] <= 'z') || (name[n] >= 'A' && name[n] <= 'Z'))) ++n;
  return n <= 6 ? upper_case(name.substr(0, n)) : std::string();
}

HistorySource parse_source(SourceText source, const Calendar& calendar, const HistoryOptions& options) {
  std::string head;
  source.read(head, std::size_t{64} << 10);
  if (head.empty()) {
    throw InputError(source.label() + ": the text is empty (0 bytes after decompression) fetch it again");
  }
  if (head.starts_with("\xef\xbb\xbf")) head.erase(0, 3);
  HistoryFormat format = options.format;
  std::string_view rest = head, line;
  std::vector<std::string_view> fields;
  std::string unquoted;
  next_line(rest, line);
  if (format == HistoryFormat::kAuto) {
    if (is_finra_header(line)) {
      format = HistoryFormat::kFinra;
    } else if (split_fields(line, fields, unquoted) && is_dix_header(fields)) {
      format = HistoryFormat::kDix;
    } else if (split_fields(line, fields, unquoted) && is_daily_header(fields)) {
      format = HistoryFormat::kDailyCsv;
    } else {
      throw InputError(source.label() + ": unknown daily series (it begins with '" + shown(line.substr(0, 60)) +
                       "') name it with --format finra|dix|daily-csv");
    }
  }
  std::string symbol = daily_symbol(options.symbol);
  if (symbol.empty()) symbol = format == HistoryFormat::kDix ? "SPX" : symbol_of_name(source.name());
  LineReader lines(std::move(head), source);
  HistorySource out = format == HistoryFormat::kFinra
                          ? parse_finra(lines, source.label(), calendar)
                          : parse_daily_csv(lines, source.label(), calendar, format, symbol);
  out.name = source.name();
  out.history.source = {{source.name(), source.sha256()}};
  for (Diagnostic& reject : out.rejects) reject.file = out.name;
  return out;
}

}  // namespace

bool LineReader::next(std::string_view& line) {
  std::size_t end = buffer_.find('\n', at_);
  while (end == std::string::npos && !source_.ended()) {
    buffer_.erase(0, at_);
    at_ = 0;
    const std::size_t searched = buffer_.size();
    if (searched > kLineLimit) break;
    source_.read(buffer_, kPiece);
    end = buffer_.find('\n', searched);
  }
  if (end == std::string::npos && at_ == buffer_.size()) return false;
  line = std::string_view(buffer_).substr(at_, end == std::string::npos ? end : end - at_);
  ++number_;
  if (line.size() > kLineLimit) {
    throw InputError(source_.label() + ":" + std::to_string(number_) +
                     ": line longer than 1 MiB (limit) this is no daily series");
  }
  at_ = end == std::string::npos ? buffer_.size() : end + 1;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return true;
}

DailyValues no_values() {
  DailyValues values;
  values.fill(std::numeric_limits<double>::quiet_NaN());
  return values;
}

std::string daily_symbol(std::string_view text) {
  constexpr std::size_t kLongest = 32;
  text = trimmed(text);
  while (!text.empty() && (text.front() == '^' || text.front() == '_')) text.remove_prefix(1);
  if (text.size() > kLongest) return {};
  bool capital = false, lower = false;
  for (const char c : text) {
    const bool punctuation = std::string_view("./-^+=$#*").find(c) != std::string_view::npos;
    const bool digit = c >= '0' && c <= '9';
    capital |= c >= 'A' && c <= 'Z';
    lower |= c >= 'a' && c <= 'z';
    if (!punctuation && !digit && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z')) return {};
  }
  return lower && !capital ? upper_case(text) : std::string(text);
}

void DailyRows::refuse(std::int64_t line, std::string_view field, std::string_view rule, std::string_view value,
                       std::string_view symbol) {
  out_.rejects.push_back({"", line, std::string(field), std::string(rule), shown(value), std::string(symbol)});
}

bool DailyRows::read(std::int64_t line, std::string_view field, std::string_view text, std::string_view symbol,
                     std::size_t slot, DailyValues& values) {
  const Number number = parse_number(text);
  std::string_view why;
  if (number.kind == NumberKind::kBad) why = "bad_number";
  if (number.kind == NumberKind::kNonFinite) why = "non_finite";
  if (number.kind == NumberKind::kNumber) {
    if (kDailyQuantities[slot].is_volume && number.value < 0.0) why = "negative";
    if (slot <= kClose && !(number.value > 0.0)) why = "not_positive";
    if (slot == kDix && !(number.value >= 0.0 && number.value <= 1.0)) why = "out_of_range";
  }
  if (!why.empty()) {
    refuse(line, field, why, text, symbol);
    return false;
  }
  values[slot] = number.value;
  return true;
}

void DailyRows::add(std::int64_t line, std::string_view symbol, DayNumber day, const DailyValues& values,
                    std::string_view date_field, std::string_view date_text) {
  if (std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    return refuse(line, "row", "no_value", "", symbol);
  }
  const auto [known, is_first] = known_.try_emplace(day);
  if (is_first) {
    const Date date = date_of(day);
    // The years that the calendar knows.
    const int year = static_cast<int>(date.year());
    if (const auto session = year >= 1990 && year <= 2035 ? calendar_.session(date) : std::nullopt) {
      known->second = out_.format == HistoryFormat::kFinra || out_.format == HistoryFormat::kDix
                          ? finra_knowledge_time(date)
                          : session->close;
    }
  }
  if (!known->second) return refuse(line, date_field, "not_a_session", date_text, symbol);
  auto found = index_.find(symbol);
  if (found == index_.end()) {
    found = index_.emplace(std::string(symbol), static_cast<std::uint32_t>(symbol_.size())).first;
    symbol_.emplace_back(symbol);
  }
  row_.push_back({found->second, day, line, values});
}

void DailyRows::refuse_since(std::size_t mark, std::string_view field, std::string_view rule, std::string_view value) {
  for (std::size_t i = mark; i < row_.size(); ++i) refuse(row_[i].line, field, rule, value, symbol_[row_[i].symbol]);
  row_.resize(mark);
}

HistorySource DailyRows::finish() {
  std::vector<std::uint32_t> order(symbol_.size()), place(symbol_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) { return symbol_[a] < symbol_[b]; });
  for (std::uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::sort(row_.begin(), row_.end(), [&place](const Row& a, const Row& b) {
    return std::tie(place[a.symbol], a.day, a.line) < std::tie(place[b.symbol], b.day, b.line);
  });
  DailyHistory& history = out_.history;
  for (std::size_t i = 0; i < row_.size(); ++i) {
    const Row& row = row_[i];
    if (i > 0 && row_[i - 1].symbol == row.symbol && row_[i - 1].day == row.day) {
      const Date date = date_of(row.day);
      char text[16];
      std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
      refuse(row.line, "row", "duplicate_row", text, symbol_[row.symbol]);
      continue;
    }
    if (history.symbol.empty() || history.symbol.back() != symbol_[row.symbol]) {
      history.symbol.push_back(symbol_[row.symbol]);
      history.row_begin.push_back(static_cast<std::int64_t>(history.rows()));
      history.row_count.push_back(0);
    }
    ++history.row_count.back();
    history.date.push_back(Instant{row.day} * kDaySeconds);
    history.knowledge_time.push_back(*known_.at(row.day));
    for (std::size_t q = 0; q < kDailyQuantities.size(); ++q) {
      (history.*kDailyQuantities[q].column).push_back(row.value[q]);
    }
    out_.line.push_back(row.line);
  }
  std::stable_sort(out_.rejects.begin(), out_.rejects.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.row < b.row; });
  return std::move(out_);
}

}  // namespace ingest_detail

std::string_view name(HistoryFormat format) {
  switch (format) {
    case HistoryFormat::kAuto:
      return "auto";
    case HistoryFormat::kFinra:
      return "finra";
    case HistoryFormat::kDix:
      return "dix";
    case HistoryFormat::kDailyCsv:
      return "daily-csv";
  }
  return "";
}

std::optional<HistoryFormat> history_format_from_name(std::string_view text) {
  for (const HistoryFormat format :
       {HistoryFormat::kAuto, HistoryFormat::kFinra, HistoryFormat::kDix, HistoryFormat::kDailyCsv}) {
    if (name(format) == text) return format;
  }
  return std::nullopt;
}

HistorySource read_history_source(const std::filesystem::path& path, const Calendar& calendar,
                                  const HistoryOptions& options) {
  return ingest_detail::parse_source(ingest_detail::SourceText::from_file(path), calendar, options);
}

HistorySource parse_history_bytes(std::string_view bytes, std::string_view name, const Calendar& calendar,
                                  const HistoryOptions& options) {
  return ingest_detail::parse_source(ingest_detail::SourceText::from_memory(bytes, std::string(name)), calendar,
                                     options);
}

Instant knowledge_time_of(Instant quote_time, const std::string& open_interest_knowledge_time,
                          const std::string& label) {
  if (open_interest_knowledge_time.empty()) return quote_time;
  const std::optional<Instant> known = ingest_detail::parse_iso_instant(open_interest_knowledge_time);
  if (!known) {
    throw InputError(label + ": open_interest_knowledge_time '" + ingest_detail::shown(open_interest_knowledge_time) +
                     "' is no instant (ISO 8601 with a zone is) make the file again");
  }
  return std::max(quote_time, *known);
}

}  // namespace greekgrid

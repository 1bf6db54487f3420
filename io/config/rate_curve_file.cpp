#include "greekgrid/io/rate_curve_file.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "ingest/source_text.hpp"
#include "ingest/text_scan.hpp"

namespace greekgrid {
namespace {

namespace text = ingest_detail;

// "1 Mo", "1.5 Month", "2 Yr", "10 Years".
std::optional<double> maturity_of(std::string_view name) {
  const std::string lower = text::lower_case(text::trimmed(name));
  const std::size_t unit = lower.find_first_of("my");
  if (unit == std::string::npos) return std::nullopt;
  const std::string_view word = std::string_view(lower).substr(unit);
  const text::Number number = text::parse_number(std::string_view(lower).substr(0, unit));
  if (number.kind != text::NumberKind::kNumber || !(number.value > 0.0)) return std::nullopt;
  if (word == "mo" || word == "month" || word == "months") return number.value / 12.0;
  if (word == "yr" || word == "year" || word == "years") return number.value;
  return std::nullopt;
}

[[noreturn]] void fail(std::string_view name, std::int64_t line, const std::string& what) {
  throw InputError(std::string(name) + ":" + std::to_string(line) + ": " + what);
}

}  // namespace

std::vector<CurveNode> parse_rate_curve(std::string_view bytes, std::string_view name, Date date) {
  std::string_view rest = bytes, line;
  std::vector<std::string_view> fields;
  std::string unquoted;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  if (!text::next_line(rest, line) || !text::split_fields(line, fields, unquoted) || fields.size() < 2 ||
      text::lower_case(text::trimmed(fields[0])) != "date") {
    fail(name, 1, "not a par-yield curve (the header begins with Date) check rate_curve");
  }
  std::vector<double> maturity;
  for (std::size_t i = 1; i < fields.size(); ++i) {
    const auto found = maturity_of(fields[i]);
    if (!found || (!maturity.empty() && *found <= maturity.back())) {
      fail(name, 1,
           "column '" + text::shown(fields[i]) + "' is no maturity (such as 3 Mo or 2 Yr, in increasing order)");
    }
    maturity.push_back(*found);
  }
  const text::DayNumber wanted = text::day_number(date);
  std::optional<text::DayNumber> newest;
  std::vector<ParYield> yields;
  std::int64_t number = 1, newest_line = 0;
  while (text::next_line(rest, line)) {
    ++number;
    if (text::trimmed(line).empty()) continue;
    if (line.size() > text::kLineLimit || !text::split_fields(line, fields, unquoted) ||
        fields.size() != maturity.size() + 1) {
      fail(name, number, "the row has not the columns of the header");
    }
    const auto day = text::parse_date_in_words(fields[0]);
    if (!day) fail(name, number, "'" + text::shown(fields[0]) + "' is no date (MM/DD/YYYY)");
    std::vector<ParYield> row;
    for (std::size_t i = 0; i < maturity.size(); ++i) {
      const text::Number value = text::parse_number(fields[i + 1]);
      if (value.kind == text::NumberKind::kMissing || text::lower_case(text::trimmed(fields[i + 1])) == "n/a") continue;
      if (value.kind != text::NumberKind::kNumber || !(std::abs(value.value) <= 50.0)) {
        fail(name, number, "'" + text::shown(fields[i + 1]) + "' is no yield (per cent)");
      }
      row.push_back({maturity[i], value.value / 100.0});
    }
    if (*day > wanted || (newest && *day <= *newest) || row.empty()) continue;
    newest = day;
    newest_line = number;
    yields = std::move(row);
  }
  if (!newest || wanted - *newest > 7) {
    fail(name, number, "no row within 7 days before the quotes (a curve belongs to a date) fetch a newer file");
  }
  try {
    return bootstrap_par_yields(yields);
  } catch (const std::invalid_argument& error) {
    fail(name, newest_line, error.what());
  }
}

std::vector<CurveNode> read_rate_curve(const std::filesystem::path& path, Date date) {
  text::SourceText source = text::SourceText::from_file(path);
  std::string bytes;
  source.read_all(bytes);
  return parse_rate_curve(bytes, path.string(), date);
}

}  // namespace greekgrid

#include "greekgrid/io/corrections_file.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "ingest/contract_symbol.hpp"
#include "ingest/source_text.hpp"
#include "ingest/text_scan.hpp"

namespace greekgrid {
namespace {

namespace text = ingest_detail;

constexpr std::size_t kLongest = std::size_t{16} << 20;
constexpr double kLargestFactor = 1e4;
constexpr Instant kDay = 86400;

Corrections parse(text::SourceText source) {
  std::string bytes;
  while (!source.ended()) {
    source.read(bytes, std::size_t{1} << 20);
    if (bytes.size() > kLongest) throw InputError(source.label() + ": longer than 16 MiB (no file of corrections)");
  }
  std::string_view rest = bytes, line;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  std::vector<std::string_view> fields;
  std::string unquoted;
  constexpr std::array<const char*, 3> kNames = {"symbol", "date", "factor"};
  std::array<std::optional<std::size_t>, 3> at;
  std::size_t columns = 0;
  if (text::next_line(rest, line) && line.size() <= text::kLineLimit && text::split_fields(line, fields, unquoted)) {
    columns = fields.size();
    for (std::size_t i = 0; i < columns; ++i) {
      const std::string name = text::lower_case(text::trimmed(fields[i]).substr(0, 32));
      for (std::size_t k = 0; k < kNames.size(); ++k) {
        if (name == kNames[k] && !at[k]) at[k] = i;
      }
    }
  }
  for (std::size_t k = 0; k < kNames.size(); ++k) {
    if (!at[k]) throw InputError(source.label() + ":1: no column " + kNames[k] + " (symbol, date, factor) add it");
  }
  Corrections out;
  std::int64_t row = 1;
  const auto fail = [&](const std::string& what) {
    throw InputError(source.label() + ":" + std::to_string(row) + ": " + what);
  };
  while (text::next_line(rest, line)) {
    ++row;
    if (line.size() > text::kLineLimit) fail("line longer than 1 MiB");
    if (text::trimmed(line).empty()) continue;
    if (!text::split_fields(line, fields, unquoted) || fields.size() != columns) {
      fail("the row has not the columns of the header");
    }
    const std::optional<std::string> symbol = text::normal_ticker(fields[*at[0]]);
    if (!symbol) fail("'" + text::shown(fields[*at[0]]) + "' is no symbol");
    const auto day = text::parse_date_in_words(fields[*at[1]]);
    if (!day) fail("'" + text::shown(fields[*at[1]]) + "' is no date (YYYY-MM-DD)");
    const text::Number factor = text::parse_number(fields[*at[2]]);
    if (factor.kind != text::NumberKind::kNumber ||
        !(factor.value >= 1.0 / kLargestFactor && factor.value <= kLargestFactor)) {
      fail("'" + text::shown(fields[*at[2]]) + "' is no factor (new shares per old share, 1e-4 to 1e4)");
    }
    out.split.push_back({*symbol, static_cast<Instant>(*day) * kDay, factor.value});
  }
  std::stable_sort(out.split.begin(), out.split.end(), [](const SplitCorrection& a, const SplitCorrection& b) {
    return a.symbol != b.symbol ? a.symbol < b.symbol : a.date < b.date;
  });
  for (std::size_t k = 1; k < out.split.size(); ++k) {
    if (out.split[k].symbol == out.split[k - 1].symbol && out.split[k].date == out.split[k - 1].date) {
      throw InputError(source.label() + ": " + out.split[k].symbol + " has two factors of one date (keep one)");
    }
  }
  out.source = source.name();
  out.sha256 = source.sha256();
  return out;
}

}  // namespace

Corrections read_corrections(const std::filesystem::path& path) {
  return parse(text::SourceText::from_file(path));
}

Corrections parse_corrections(std::string_view bytes, std::string_view name) {
  return parse(text::SourceText::from_memory(bytes, std::string(name)));
}

}  // namespace greekgrid

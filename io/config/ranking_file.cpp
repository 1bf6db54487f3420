#include "greekgrid/io/ranking_file.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "ingest/contract_symbol.hpp"
#include "ingest/source_text.hpp"
#include "ingest/text_scan.hpp"

namespace greekgrid {
namespace {

namespace text = ingest_detail;

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);
constexpr std::size_t kLongest = std::size_t{64} << 20;

struct Entry {
  double order;  // smallest first
  std::string symbol;
  std::int64_t line;
};

Ranking rank(text::SourceText source) {
  std::string bytes;
  while (!source.ended()) {
    source.read(bytes, std::size_t{1} << 20);
    if (bytes.size() > kLongest) throw InputError(source.label() + ": longer than 64 MiB (no ranking)");
  }
  std::string_view rest = bytes, line;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  std::vector<std::string_view> fields;
  std::string unquoted;
  std::size_t ticker = kAbsent, number = kAbsent, columns = 0;
  std::string number_name, ticker_name;
  bool ascending = false;
  if (text::next_line(rest, line) && line.size() <= text::kLineLimit && text::split_fields(line, fields, unquoted)) {
    columns = fields.size();
    for (std::size_t i = 0; i < columns; ++i) {
      const std::string name = text::lower_case(text::trimmed(fields[i]).substr(0, 32));
      if (ticker == kAbsent && (name == "symbol" || name == "ticker" || name == "underlying")) ticker = i;
      if (name == "rank") number = i, ascending = true;
    }
    if (number == kAbsent && ticker != kAbsent && ticker + 1 < columns) number = ticker + 1;
  }
  if (ticker == kAbsent || number == kAbsent) {
    throw InputError(source.label() +
                     ":1: no header of a ranking (a column symbol, ticker or underlying with a number after it, or a "
                     "column rank) add it");
  }
  number_name = text::trimmed(fields[number]);
  ticker_name = text::trimmed(fields[ticker]);

  Ranking ranking;
  std::vector<Entry> entries;
  const auto refuse = [&](std::int64_t row, std::string field, const char* rule, std::string_view value,
                          std::string symbol) {
    ranking.rejects.push_back({source.name(), row, std::move(field), rule, text::shown(value), std::move(symbol)});
  };
  for (std::int64_t row = 2; text::next_line(rest, line); ++row) {
    if (line.size() > text::kLineLimit) {
      throw InputError(source.label() + ":" + std::to_string(row) + ": line longer than 1 MiB (limit) no ranking");
    }
    if (text::trimmed(line).empty()) continue;
    ++ranking.rows_in;
    if (!text::split_fields(line, fields, unquoted)) {
      refuse(row, "row", "bad_quoting", line, "");
      continue;
    }
    if (fields.size() != columns) {
      refuse(row, "row", "column_count", line, "");
      continue;
    }
    const std::optional<std::string> symbol = text::normal_ticker(fields[ticker]);
    if (!symbol) {
      refuse(row, ticker_name, "bad_ticker", fields[ticker], "");
      continue;
    }
    const text::Number value = text::parse_number(fields[number]);
    if (value.kind != text::NumberKind::kNumber) {
      refuse(row, number_name, "bad_number", fields[number], *symbol);
      continue;
    }
    entries.push_back({ascending ? value.value : -value.value, *symbol, row});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.order, a.symbol, a.line) < std::tie(b.order, b.symbol, b.line);
  });
  std::set<std::string_view> known;
  for (const Entry& entry : entries) {
    if (!known.insert(entry.symbol).second) {
      refuse(entry.line, ticker_name, "duplicate_ticker", entry.symbol, entry.symbol);
      continue;
    }
    ranking.symbol.push_back(entry.symbol);
  }
  std::stable_sort(ranking.rejects.begin(), ranking.rejects.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.row < b.row; });
  if (ranking.symbol.empty()) {
    throw InputError(source.label() + ": no usable row (" + std::to_string(ranking.rows_in) +
                     " rows, every one refused) check its columns");
  }
  ranking.source = source.name();
  ranking.sha256 = source.sha256();
  return ranking;
}

}  // namespace

Ranking read_ranking(const std::filesystem::path& path) {
  return rank(text::SourceText::from_file(path));
}

Ranking parse_ranking(std::string_view bytes, std::string_view name) {
  return rank(text::SourceText::from_memory(bytes, std::string(name)));
}

std::string file_sha256(const std::filesystem::path& path) {
  return text::SourceText::from_file(path).sha256();
}

std::string text_sha256(std::string_view text) {
  return text::SourceText::from_memory(text, "text").sha256();
}

std::string ranking_sha256(std::span<const std::string> symbol) {
  std::string lines;
  for (const std::string& one : symbol) lines += one + "\n";
  return text_sha256(lines);
}

}  // namespace greekgrid

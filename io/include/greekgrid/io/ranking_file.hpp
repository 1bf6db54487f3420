#pragma once

/// @file
/// Rankings of tickers as CSV.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/diagnostic.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// A ranking, and where it came from.
struct Ranking {
  std::vector<std::string> symbol;  ///< best first, none twice
  std::string source;               ///< base name
  std::string sha256;               ///< 64 lower-case hexadecimal digits, of the bytes on disk
  std::int64_t rows_in = 0;         ///< = symbol.size() + rejects.size()
  Diagnostics rejects;              ///< bad_quoting, column_count, bad_ticker, bad_number, duplicate_ticker
};

/// Reads a CSV (plain or gzip) with a column `symbol`, `ticker` or `underlying` and a number: a column `rank` ranks
/// from the smallest, else the column after the ticker's from the largest. Ties by name.
/// @throws InputError for an unreadable file or header, and where no row is left
Ranking read_ranking(const std::filesystem::path& path);

/// The same from memory; `name` appears in messages and is the source.
Ranking parse_ranking(std::string_view bytes, std::string_view name);

/// Digest of a file's bytes, 64 lower-case hexadecimal digits. @throws InputError
std::string file_sha256(const std::filesystem::path& path);
/// The same of a text. @throws InputError for an empty one
std::string text_sha256(std::string_view text);
/// The same of a ranking that no file holds: of its symbols, best first, a line each. @throws InputError without any
std::string ranking_sha256(std::span<const std::string> symbol);

}  // namespace greekgrid

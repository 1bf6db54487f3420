#pragma once

/// @file
/// Vendor files in, one OptionChain out. Every contract row is either in the chain or a Diagnostic.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

enum class Format : std::uint8_t { kAuto, kCboeCsv, kCboeJson, kLongCsv };

/// The format of a command-line name (auto, cboe-csv, cboe-json, long-csv), or nothing.
std::optional<Format> format_from_name(std::string_view name);

struct IngestOptions {
  Format format = Format::kAuto;
  std::optional<Instant> quote_time;  ///< overrides the rule of Calendar::quote_time for every source
};

/// Reads vendor files (plain or gzip) into one chain, sorted and free of duplicates.
/// Sources of different quote instants are refused unless options.quote_time is given.
/// @throws InputError for a file that cannot be used at all, or when no usable row is left.
OptionChain ingest(std::span<const std::filesystem::path> files, const Calendar& calendar,
                   const IngestOptions& options);

/// Parses one source from memory; `name` appears in messages and decides nothing. For tests and fuzzing.
/// @throws InputError
OptionChain ingest_bytes(std::string_view bytes, std::string_view name, const Calendar& calendar,
                         const IngestOptions& options);

/// Writes rejects as CSV with the header file,row,ticker,field,rule,value (RFC 4180 quoting), atomically.
/// @throws OutputError
void write_reject_report(const Diagnostics& rejects, const std::filesystem::path& target);

/// Rows of a reject report by rule; empty where there is no readable report.
std::map<std::string, std::size_t> count_reject_report(const std::filesystem::path& path);

}  // namespace greekgrid

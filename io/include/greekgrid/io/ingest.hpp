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
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// The names that IngestOptions::format knows: auto, cboe-csv, cboe-json, occ-oi and those of the built-in profiles.
std::vector<std::string> format_names();

struct IngestOptions {
  std::string format = "auto";         ///< one of format_names(); auto goes by the header, never by the file's name
  std::optional<Instant> quote_time;   ///< overrides the rule of the format for every source
  std::optional<Date> session;         ///< the session to take of files that hold several
  std::string underlying;              ///< of files that name none
  std::map<std::string, double> spot;  ///< USD by underlying, in place of what files say
  std::string profile;                 ///< text of a profile (TOML) that describes every table; empty: none
  std::string profile_name;            ///< its file, for messages
};

/// Reads vendor files (plain, gzip or zip) into one chain, sorted and free of duplicates. Every member of a zip archive
/// is a source. Sources of different quote instants are refused unless options.quote_time is given.
/// @throws InputError for a file that cannot be used at all, a format or profile that cannot, or when no usable row is
/// left.
OptionChain ingest(std::span<const std::filesystem::path> files, const Calendar& calendar,
                   const IngestOptions& options);

/// Parses one source from memory; `name` appears in messages and decides nothing. For tests and fuzzing.
/// @throws InputError
OptionChain ingest_bytes(std::string_view bytes, std::string_view name, const Calendar& calendar,
                         const IngestOptions& options);

/// What a refresh did. Rows of the new sources: rows_in = replaced contracts + rejects.size().
struct OpenInterestRefresh {
  std::int64_t rows_in = 0;
  std::int64_t replaced = 0;       ///< contracts with a new value
  std::int64_t without_new = 0;    ///< contracts of a refreshed underlying that the sources have no usable row for
  std::int64_t other_tickers = 0;  ///< contracts of underlyings that the sources do not list: their values stay
  Diagnostics rejects;             ///< one per row that was not used
};

/// Replaces the open interest of a chain by that of later files: the clearing house's JSON, any format with open
/// interest, or another chains.h5. Contracts are the same when underlying, settlement date, strike and right are, and
/// the root where the source names roots. A source without roots speaks of a contract only if the chain has one root
/// for it; where it has several (SPX and SPXW on a third Friday) the row is refused as ambiguous_root. Contracts of a
/// listed underlying that get no new value become missing, because their old value belongs to another close, or keep it
/// if `keep_old`; those of other underlyings stay as they are. The dates of open interest become those of the sources;
/// both are empty (unknown) if values of different dates remain side by side. Everything else is untouched.
/// @throws InputError if a file cannot be used, the sources are of different sessions, or no row fits the chain.
OpenInterestRefresh refresh_open_interest(OptionChain& chain, std::span<const std::filesystem::path> files,
                                          const Calendar& calendar, const IngestOptions& options, bool keep_old);

/// Writes rejects as CSV with the header file,row,ticker,field,rule,value (RFC 4180 quoting), atomically.
/// @throws OutputError
void write_reject_report(const Diagnostics& rejects, const std::filesystem::path& target);

/// Rows of a reject report by rule; empty where there is no readable report.
std::map<std::string, std::size_t> count_reject_report(const std::filesystem::path& path);

}  // namespace greekgrid

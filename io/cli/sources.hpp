#pragma once

/// @file
/// Inputs and targets as commands take them: chains.h5 or vendor files in, one file out.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/ingest.hpp"

namespace greekgrid::cli {

/// What the command line says about inputs.
struct SourceOptions {
  std::vector<std::string> files;
  std::string format = "auto";
  std::string profile;            ///< file of a profile, empty for none
  std::string quote_time;         ///< ISO 8601 with zone, empty for the rule
  std::string session;            ///< ISO date, empty for the only one
  std::string underlying;         ///< of files that name none
  std::vector<std::string> spot;  ///< SYMBOL=PRICE
};

/// Registers the options of vendor files: --format, --profile, --quote-time, --session, --underlying, --spot.
void add_source_options(CLI::App& command, SourceOptions& options);

/// The options as ingest takes them; reads the profile. @throws InputError, UsageError
IngestOptions ingest_options(const SourceOptions& options);

/// One chains.h5, or vendor files ingested in memory. @throws InputError, UsageError
OptionChain read_chain(const SourceOptions& options, const Calendar& calendar);

/// The same as a store that is read a few tickers at a time. @param room a folder for its columns
ChainStore open_chain(const SourceOptions& options, const Calendar& calendar, const std::filesystem::path& room);
/// Contracts of a chain with a dealer position.
std::int64_t count_positions(const ChainStore& chain);

/// A file that a command is going to write, and the option that names it.
struct Target {
  std::string option, path;
};

/// Whether two paths name one file: those that exist are compared by what they are, the others by where they would be.
bool same_file(const std::string& a, const std::string& b);

/// Refuses an empty target, one that is also an input and two that are one file. @throws UsageError
void check_targets(const std::vector<Target>& targets, const std::vector<std::string>& inputs);

/// How many rows were refused by each rule.
std::map<std::string, std::size_t> count_rules(const Diagnostics& rejects);

/// Logs how many rows were refused by each rule.
void log_rejects(const Diagnostics& rejects, const std::string& what);

}  // namespace greekgrid::cli

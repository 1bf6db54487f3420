#pragma once

/// @file
/// Inputs and targets as commands take them: chains.h5 or vendor files in, one file out.

#include <filesystem>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"

namespace greekgrid::cli {

/// What the command line says about inputs.
struct SourceOptions {
  std::vector<std::string> files;
  std::string format = "auto";
  std::string quote_time;  ///< ISO 8601 with zone, empty for the rule
};

/// One chains.h5, or vendor files ingested in memory. @throws InputError, UsageError
OptionChain read_chain(const SourceOptions& options, const Calendar& calendar);

/// A file that a command is going to write, and the option that names it.
struct Target {
  std::string option, path;
};

/// Refuses an empty target, one that is also an input and two that are one file. @throws UsageError
void check_targets(const std::vector<Target>& targets, const std::vector<std::string>& inputs);

/// Logs how many rows were refused by each rule.
void log_rejects(const Diagnostics& rejects, const std::string& what);

}  // namespace greekgrid::cli

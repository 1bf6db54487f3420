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

/// Refuses an empty target and one that is also an input. @throws UsageError
void check_target(const std::string& target, const std::vector<std::string>& inputs);

/// Logs how many rows were refused by each rule.
void log_rejects(const Diagnostics& rejects, const std::string& what);

}  // namespace greekgrid::cli

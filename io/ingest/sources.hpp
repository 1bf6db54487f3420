#pragma once

/// @file
/// From files to parsed sources: containers opened, formats recognised.

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "chain_builder.hpp"

namespace greekgrid::ingest_detail {

/// Every source of the files, in their order; the members of an archive in the archive's. @throws InputError
std::vector<SourceRows> parse_files(std::span<const std::filesystem::path> files, const Calendar& calendar,
                                    const IngestOptions& options);
/// The sources of one file in memory. @throws InputError
std::vector<SourceRows> parse_memory(std::string_view bytes, std::string_view name, const Calendar& calendar,
                                     const IngestOptions& options);

}  // namespace greekgrid::ingest_detail

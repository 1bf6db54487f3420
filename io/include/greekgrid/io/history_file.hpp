#pragma once

/// @file
/// history.h5: daily prices and volumes of many symbols (netCDF-4 compatible HDF5).

#include <filesystem>

#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Writes history.h5 atomically; equal histories give equal bytes.
/// @throws OutputError also for a history that is not what DailyHistory promises, or has no row
void write_history_file(const DailyHistory& history, const std::filesystem::path& target);

/// Reads and validates history.h5, with the guard of read_chain_file. @throws InputError
DailyHistory read_history_file(const std::filesystem::path& path);

}  // namespace greekgrid

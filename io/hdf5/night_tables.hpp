#pragma once

/// @file
/// The tables of a night's groups as columns of one ticker. Private to io/hdf5.

#include <string>
#include <vector>

#include "greekgrid/host/night_result.hpp"
#include "ticker_columns.hpp"

namespace greekgrid::h5 {

/// What the schema says of the axes of a night. Throws Error.
void validate_axes(const NightHeader& header);
/// Names of the stored surfaces, in their order.
std::vector<std::string> surface_names(const NightHeader& header);

/// Every group but /quality, /weather and the surfaces. Throws Error for tables that do not fit the header.
TickerColumns record_tables(const NightHeader& header, const NightTables& tables);
/// /quality of one ticker, accepted or not.
TickerColumns record_quality(const std::vector<TickerQuality>& rows);

}  // namespace greekgrid::h5

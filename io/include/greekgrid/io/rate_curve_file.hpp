#pragma once

/// @file
/// Treasury par-yield curves as CSV.

#include <filesystem>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/discount_curve.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Zero rates from the par yields in force on a date: the newest row not after it, at most 7 days old. Header `Date`
/// and maturities such as "1 Mo", "1.5 Month", "2 Yr"; dates MM/DD/YYYY or YYYY-MM-DD in any order; yields in per cent,
/// bond equivalent; an empty yield is left out.
/// @throws InputError for an unreadable file, header or number, and where no row is recent enough
std::vector<CurveNode> read_rate_curve(const std::filesystem::path& path, Date date);

/// The same from text; `name` appears in messages.
std::vector<CurveNode> parse_rate_curve(std::string_view text, std::string_view name, Date date);

}  // namespace greekgrid

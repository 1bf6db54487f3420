#pragma once

/// @file
/// The pages that a night's forecasts are published as: the sheet, one row per ticker under the names of the field, and
/// the ranking of the most bullish and the most bearish. No group of the file holds them; its groups add up to them.

#include <string>
#include <vector>

#include "tables.hpp"

namespace greekgrid::cli {

/// The pages that a file has, as if they were groups: "sheet" and "ranking" where there are predictors. The ranking has
/// no lengths before it is made, and without a history no rows.
std::vector<TableGroup> night_pages(const TableFile& listed);

/// The columns that say which row it is, first of every choice of columns.
std::vector<std::string> row_names(const TableGroup& page);

/// Columns of a page, in the order of its variables and as long as each other. Numbers that were not made are NaN.
/// @param page one of night_pages() @throws InputError
std::vector<TableColumn> read_page(const std::string& file, const TableFile& listed, const TableGroup& page);

}  // namespace greekgrid::cli

#pragma once

/// @file
/// What `export` and `show` share: finding groups and variables of a file by name, and values as text.

#include <optional>
#include <string>
#include <vector>

#include "greekgrid/io/night_table.hpp"

namespace greekgrid::cli {

/// Names joined by a separator.
std::string join(const std::vector<std::string>& names, const std::string& separator);

/// The group of a name. @throws UsageError that lists the groups of the file
const TableGroup& require_group(const std::string& option, const std::string& name, const TableFile& file);
/// The variable of a name, or null.
const TableVariable* find_variable(const TableGroup& group, const std::string& name);
/// The variable of a name. @throws UsageError that lists `choices`
const TableVariable& require_variable(const std::string& option, const std::string& name, const TableGroup& group,
                                      const std::vector<std::string>& choices);

/// Variables of a listed group, with the dimensions and lengths that the list says: a file may be replaced between two
/// reads.
/// @throws InputError
std::vector<TableColumn> read_columns(const std::string& file, const TableGroup& group,
                                      const TableSelection& selection);
/// One of them, whole.
TableColumn read_column(const std::string& file, const TableGroup& group, const std::string& name);

/// Columns of one table: variables of a group, each with as many values as the first. @throws InputError
std::vector<TableColumn> read_rows(const std::string& file, const std::string& group, const TableSelection& selection);

/// Number of values of a variable.
std::size_t cells(const TableVariable& variable);
/// A value as a number: NaN of a text.
double number_at(const TableColumn& column, std::size_t index);
/// A value as text: instants ISO 8601 in UTC, flags as their words, doubles with 17 digits, floats with 9; empty if it
/// is NaN. A flag or an instant that is none is a number.
std::string text_at(const TableColumn& column, std::size_t index);
/// Whether text_at() is a number, for formats that tell numbers from texts.
bool is_number_at(const TableColumn& column, std::size_t index);

}  // namespace greekgrid::cli

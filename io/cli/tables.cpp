#include "tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "commands.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace {

constexpr std::int64_t kEndOf9999 = 253402300799;

const std::string* flag_meaning(const TableVariable& variable, std::int8_t value) {
  const auto found = std::find(variable.flag_values.begin(), variable.flag_values.end(), value);
  if (found == variable.flag_values.end()) return nullptr;
  return &variable.flag_meanings[static_cast<std::size_t>(found - variable.flag_values.begin())];
}

}  // namespace

std::string join(const std::vector<std::string>& names, const std::string& separator) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : separator) + name;
  return text;
}

const TableGroup& require_group(const std::string& option, const std::string& name, const TableFile& file) {
  std::vector<std::string> names;
  for (const TableGroup& group : file.groups) {
    if (group.path == name) return group;
    if (!group.variables.empty() || group.is_empty_table) names.push_back(group.path);
  }
  throw UsageError(fmt::format("{} {}: no such group (choose {})", option, name, join(names, ", ")));
}

const TableVariable* find_variable(const TableGroup& group, const std::string& name) {
  const auto found = std::find_if(group.variables.begin(), group.variables.end(),
                                  [&](const TableVariable& variable) { return variable.name == name; });
  return found == group.variables.end() ? nullptr : &*found;
}

const TableVariable& require_variable(const std::string& option, const std::string& name, const TableGroup& group,
                                      const std::vector<std::string>& choices) {
  const TableVariable* found = find_variable(group, name);
  if (found != nullptr && std::find(choices.begin(), choices.end(), name) != choices.end()) return *found;
  throw UsageError(fmt::format("{} {}: {} in group {} (choose {})", option, name,
                               found == nullptr ? "no such variable" : "not such a variable", group.path,
                               choices.empty() ? "another group" : join(choices, ", ")));
}

std::vector<TableColumn> read_columns(const std::string& file, const TableGroup& group,
                                      const TableSelection& selection) {
  std::vector<TableColumn> columns = read_table(file, group.path, selection);
  for (const TableColumn& column : columns) {
    const TableVariable* listed = find_variable(group, column.variable.name);
    bool agrees = listed != nullptr && listed->dims == column.variable.dims && listed->type == column.variable.type &&
                  listed->units == column.variable.units;
    for (std::size_t k = 0; agrees && k < listed->dims.size(); ++k) {
      const auto range = selection.ranges.find(listed->dims[k]);
      const std::int64_t expected = range == selection.ranges.end() ? listed->lengths[k] : range->second.count;
      agrees = column.variable.lengths[k] == expected;
    }
    if (!agrees) {
      throw InputError(
          fmt::format("{}: variable {} of group {} is another than a moment ago (the file was replaced) try again",
                      file, column.variable.name, group.path));
    }
  }
  return columns;
}

TableColumn read_column(const std::string& file, const TableGroup& group, const std::string& name) {
  return std::move(read_columns(file, group, {{name}, {}}).front());
}

std::vector<TableColumn> read_rows(const std::string& file, const std::string& group, const TableSelection& selection) {
  std::vector<TableColumn> columns = read_table(file, group, selection);
  for (const TableColumn& column : columns) {
    if (cells(column.variable) != cells(columns.front().variable)) {
      throw InputError(fmt::format("{}: variable {} of group {} has {} values, {} has {} (the file is damaged)", file,
                                   column.variable.name, group, cells(column.variable), columns.front().variable.name,
                                   cells(columns.front().variable)));
    }
  }
  return columns;
}

std::size_t cells(const TableVariable& variable) {
  std::size_t count = 1;
  for (const std::int64_t length : variable.lengths) count *= static_cast<std::size_t>(length);
  return count;
}

double number_at(const TableColumn& column, std::size_t index) {
  return std::visit(
      [&](const auto& values) {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>) {
          return std::numeric_limits<double>::quiet_NaN();
        } else {
          return static_cast<double>(values[index]);
        }
      },
      column.values);
}

std::string text_at(const TableColumn& column, std::size_t index) {
  return std::visit(
      [&](const auto& values) -> std::string {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        const Value& value = values[index];
        if constexpr (std::is_same_v<Value, std::string>) {
          return value;
        } else if constexpr (std::is_floating_point_v<Value>) {
          return std::isnan(value) ? "" : fmt::format("{:.{}g}", value, std::numeric_limits<Value>::max_digits10);
        } else if constexpr (std::is_same_v<Value, std::int8_t>) {
          const std::string* meaning = flag_meaning(column.variable, value);
          return meaning != nullptr ? *meaning : fmt::format("{}", static_cast<int>(value));
        } else {
          if (is_number_at(column, index)) return fmt::format("{}", value);
          return utc_text(value);
        }
      },
      column.values);
}

bool is_number_at(const TableColumn& column, std::size_t index) {
  if (column.variable.type == "string") return false;
  if (column.variable.is_instant()) {
    const std::int64_t value = std::get<std::vector<std::int64_t>>(column.values)[index];
    return value < 0 || value > kEndOf9999;
  }
  if (column.variable.flag_values.empty()) return true;
  return flag_meaning(column.variable, std::get<std::vector<std::int8_t>>(column.values)[index]) == nullptr;
}

}  // namespace greekgrid::cli

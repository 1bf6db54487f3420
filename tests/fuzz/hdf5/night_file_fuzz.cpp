/// @file
/// Fuzzes read_night_summary, list_groups and read_table through their guard: whatever the bytes, the outcome is values
/// that fit together or an InputError.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "greekgrid/io/night_file.hpp"
#include "greekgrid/io/night_table.hpp"
#include "input_file.hpp"

namespace {

using namespace greekgrid;

void summarize(const std::string& path) {
  try {
    const NightSummary night = read_night_summary(path);
    if (night.header.spot_reference.size() != night.header.ticker.size()) std::abort();
  } catch (const InputError&) {
  }
}

/// Reads a group whole, and each variable in part.
void read_group(const std::string& path, const TableGroup& group) {
  TableSelection part;
  for (const TableVariable& variable : group.variables) {
    if (variable.is_coordinate()) part.ranges[variable.name] = {variable.lengths[0] / 2, 1};
  }
  for (const TableSelection& selection : {TableSelection(), part}) {
    try {
      for (const TableColumn& column : read_table(path, group.path, selection)) {
        std::size_t count = 1;
        for (const std::int64_t length : column.variable.lengths) count *= static_cast<std::size_t>(length);
        if (count != std::visit([](const auto& values) { return values.size(); }, column.values)) std::abort();
        if (column.variable.flag_values.size() != column.variable.flag_meanings.size()) std::abort();
      }
    } catch (const InputError&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string& path = greekgrid::fuzz::write_input(data, size);
  // Every call costs a process: most inputs need not pay for all of them.
  if (size == 0 || data[size / 2] % 4 == 0) summarize(path);
  try {
    const TableFile file = list_groups(path);
    const std::size_t chosen = size == 0 ? 0 : data[size / 3] % file.groups.size();
    read_group(path, file.groups[chosen]);
  } catch (const InputError&) {
  }
  return 0;
}

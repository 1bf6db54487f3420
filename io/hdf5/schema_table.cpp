#include "schema_table.hpp"

#include <algorithm>
#include <map>

#include "greekgrid/io/schema.hpp"
#include "night_schema.hpp"

namespace greekgrid {
namespace h5 {
namespace {

constexpr SchemaRow kRows[] = {
#include "schema_rows.inc"
};

bool is_among(std::string_view what, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

constexpr std::string_view kSixDims = "ticker position iv_rule time iv_shift spot_step";

std::string_view spelled(Type type) {
  switch (type) {
    case Type::kInt8:
      return "i8";
    case Type::kInt32:
      return "i32";
    case Type::kInt64:
      return "i64";
    case Type::kFloat32:
      return "f32";
    case Type::kFloat64:
      return "f64";
    case Type::kString:
      break;
  }
  return "string";
}

std::string joined(const std::vector<std::string>& parts, const std::string& around) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + around + part + around;
  return text;
}

/// @param explained variables of the table so far by their flags: a long list is written once
std::string cells_of(const SchemaRow& row, std::map<std::string_view, std::string_view>& explained) {
  std::string text = "| `" + std::string(row.name) + "` | ";
  text += row.dims == kSixDims ? "the six" : joined(words(row.dims), "");
  text += " | " + std::string(spelled(row.type)) + " | ";
  text += row.units == kTimeUnits ? "CF time" : !row.flags.empty() ? "flags" : std::string(row.units);
  text += " | " + std::string(row.meaning);
  std::vector<std::string> flags = words(row.flags);
  for (std::size_t k = 0; k < flags.size(); ++k) flags[k] = std::to_string(k) + " " + flags[k];
  constexpr std::size_t kLongList = 6;
  const auto [first, is_first] = explained.try_emplace(row.flags, row.name);
  if (!flags.empty()) {
    text += is_first || flags.size() < kLongList ? ": " + joined(flags, "")
                                                 : ", as of `" + std::string(first->second) + "`";
  }
  std::vector<std::string> attributes = words(row.attributes);
  std::erase(attributes, "coordinates");
  if (!attributes.empty()) text += attributes.size() == 1 ? "; attribute " : "; attributes ";
  text += joined(attributes, "`");
  return text + " |\n";
}

}  // namespace

std::span<const SchemaRow> schema_rows() {
  return kRows;
}

bool may_be_absent(const SchemaRow& row) {
  if (row.file == "chains") return row.name == "dealer_position";
  return row.file == "night" && row.dims == kSixDims && !is_among(row.name, {"dx", "gx", "charm", "vanna"});
}

bool may_be_absent(const SchemaRow& row, std::string_view attribute) {
  return is_among(attribute, {"source_name", "source_sha256", "warnings", "iv_shift_term_cap"}) ||
         (row.group == "/step_forward" && row.is_group());
}

bool may_be_present(const SchemaRow& row, std::string_view attribute) {
  if (row.group == "/run") return is_among(attribute, {"previous_name", "previous_sha256"});
  return row.dims == kSixDims && attribute == kKeptBits;
}

std::vector<std::string> words(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (end > 0) parts.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}

}  // namespace h5

std::string schema_page(std::string_view file) {
  std::string page;
  bool in_table = false;
  std::map<std::string_view, std::string_view> explained;
  for (const h5::SchemaRow& row : h5::schema_rows()) {
    if (row.file != file) continue;
    if (!row.is_group()) {
      if (!in_table) page += "| variable | dims | type | units | meaning |\n|---|---|---|---|---|\n";
      in_table = true;
      page += h5::cells_of(row, explained);
      continue;
    }
    in_table = false;
    explained.clear();
    page += (page.empty() ? "## " : "\n## ") + std::string(file) + ".h5, " +
            (row.group == "/" ? std::string("root") : std::string(row.group)) + "\n\n";
    const std::vector<std::string> attributes = h5::words(row.attributes);
    if (!attributes.empty()) page += "Attributes: " + h5::joined(attributes, "`") + ".\n\n";
  }
  return page;
}

}  // namespace greekgrid

#include "greekgrid/io/night_table.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "archive.hpp"
#include "child_reader.hpp"
#include "file_reader.hpp"
#include "night_schema.hpp"
#include "shared_values.hpp"

namespace greekgrid {

/// Hands a variable over between processes. In the namespace of the type, where the archives look for it.
template <class Archive>
void transfer(Archive& archive, TableVariable& v) {
  archive(v.name, v.dims, v.lengths, v.type, v.long_name, v.units, v.flag_values, v.flag_meanings);
}
template <class Archive>
void transfer(Archive& archive, const TableVariable& v) {
  archive(v.name, v.dims, v.lengths, v.type, v.long_name, v.units, v.flag_values, v.flag_meanings);
}
template <class Archive>
void transfer(Archive& archive, TableGroup& group) {
  std::int8_t empty = 0;
  archive(group.path, group.variables, empty);
  group.is_empty_table = empty != 0;
}
template <class Archive>
void transfer(Archive& archive, const TableGroup& group) {
  archive(group.path, group.variables, static_cast<std::int8_t>(group.is_empty_table));
}

namespace {

constexpr std::size_t kMostGroups = 1000, kDeepest = 8;
/// In the order of h5::Type.
constexpr std::array<const char*, 6> kTypeNames = {"i8", "i32", "i64", "f32", "f64", "string"};

std::string absolute(const std::string& group) {
  return group == "root" ? "/" : "/" + group;
}
std::string child_of(const std::string& group, const std::string& name) {
  return group == "/" ? "/" + name : group + "/" + name;
}

std::string require_any_schema(const h5::FileReader& file) {
  const bool has = file.has_attribute("/", "schema");
  const std::string found = has ? file.text_attribute("/", "schema") : "";
  const bool known = found == "greekgrid.chains" || found == "greekgrid.history";
  file.require_schema(known ? found : h5::kNightSchema);
  return found;
}

TableVariable describe(const h5::FileReader& file, const std::string& group, const std::string& name,
                       h5::FileReader::Shape& shape) {
  const std::string path = child_of(group, name);
  shape = file.shape(path);
  TableVariable variable;
  variable.name = name;
  variable.dims = shape.dims;
  variable.lengths.assign(shape.lengths.begin(), shape.lengths.end());
  variable.type = kTypeNames.at(static_cast<std::size_t>(shape.type));
  const auto text = [&](const char* attribute) {
    return file.has_attribute(path, attribute) ? file.text_attribute(path, attribute) : std::string();
  };
  variable.long_name = text("long_name");
  variable.units = text("units");
  variable.flag_values = file.flags_attribute(path, "flag_values");
  std::istringstream meanings(text("flag_meanings"));
  for (std::string word; meanings >> word;) variable.flag_meanings.push_back(word);
  return variable;
}

void collect_groups(const h5::FileReader& file, const std::string& path, std::size_t depth, TableFile& out) {
  TableGroup group;
  group.path = path == "/" ? "root" : path.substr(1);
  // A group may be linked below itself.
  if (depth > kDeepest || out.groups.size() >= kMostGroups) {
    throw h5::Error("groups are nested without end (the file is damaged)");
  }
  h5::FileReader::Shape shape{};
  for (const std::string& name : file.children(path, false)) {
    try {
      group.variables.push_back(describe(file, path, name, shape));
    } catch (const h5::Error&) {
      // A later MINOR may add variables of other types and shapes; readers ignore what they do not know.
      if (!file.is_newer()) throw;
    }
  }
  group.is_empty_table = group.variables.empty() && file.has_attribute(path, "rows");
  out.groups.push_back(std::move(group));
  std::vector<std::string> below = file.children(path, true);
  std::sort(below.begin(), below.end());
  for (const std::string& name : below) collect_groups(file, child_of(path, name), depth + 1, out);
}

/// Checks what a child process says of a variable, and makes its texts plain. Returns the number of its values.
std::size_t validate(TableVariable& v) {
  const auto require = [&](bool holds, const char* rule) {
    if (!holds) throw h5::Error("variable " + v.name + " is wrong (" + rule + ")");
  };
  h5::make_plain(v.name);
  h5::make_plain(v.long_name);
  h5::make_plain(v.units);
  for (std::string& meaning : v.flag_meanings) h5::make_plain(meaning);
  for (const std::string& dim : v.dims) require(h5::is_symbol(dim), "a dimension's name is no name");
  require(h5::is_symbol(v.name), "its name is no name");
  require(!v.dims.empty() && v.dims.size() == v.lengths.size(), "dimensions and lengths differ in number");
  require(std::set<std::string>(v.dims.begin(), v.dims.end()).size() == v.dims.size(), "a dimension comes twice");
  require(std::find(kTypeNames.begin(), kTypeNames.end(), v.type) != kTypeNames.end(), "unknown type");
  require(v.flag_values.size() == v.flag_meanings.size(), "flag_values and flag_meanings differ in length");
  require(v.flag_values.empty() || v.type == "i8", "a flag is no int8");
  constexpr std::int64_t kMost = std::int64_t{1} << 56;
  std::int64_t count = 1;
  for (const std::int64_t length : v.lengths) {
    require(length > 0 && length <= kMost / count, "impossible lengths");
    count *= length;
  }
  return static_cast<std::size_t>(count);
}

/// Every dimension of a group has a coordinate of its length.
void validate_group(TableGroup& group) {
  h5::make_plain(group.path);
  std::map<std::string, std::int64_t> length;
  for (TableVariable& v : group.variables) {
    validate(v);
    if (v.is_coordinate()) length[v.name] = v.lengths[0];
  }
  for (const TableVariable& v : group.variables) {
    for (std::size_t k = 0; k < v.dims.size(); ++k) {
      const auto found = length.find(v.dims[k]);
      if (found == length.end() || found->second != v.lengths[k]) {
        throw h5::Error("dimension " + v.dims[k] + " of variable " + v.name + " of group " + group.path +
                        " has no coordinate of its length (the file is damaged)");
      }
    }
  }
}

/// The part of a variable that a selection asks for.
struct Part {
  std::vector<std::size_t> begin, count;

  Part(const TableVariable& v, const TableSelection& selection) {
    for (std::size_t k = 0; k < v.dims.size(); ++k) {
      const auto asked = selection.ranges.find(v.dims[k]);
      const IndexRange range = asked == selection.ranges.end() ? IndexRange{0, v.lengths[k]} : asked->second;
      if (range.begin < 0 || range.count < 1 || range.begin >= v.lengths[k] ||
          range.count > v.lengths[k] - range.begin) {
        throw h5::Error("dimension " + v.dims[k] + " of variable " + v.name + " has no " + std::to_string(range.count) +
                        " indices from " + std::to_string(range.begin) + " on (it has " + std::to_string(v.lengths[k]) +
                        ")");
      }
      begin.push_back(static_cast<std::size_t>(range.begin));
      count.push_back(static_cast<std::size_t>(range.count));
    }
  }
};

/// Calls `use` with a value of the type that a name stands for, one of kTypeNames.
template <class Use>
void with_type(const std::string& type, Use use) {
  if (type == "i8") use(std::int8_t{});
  if (type == "i32") use(std::int32_t{});
  if (type == "i64") use(std::int64_t{});
  if (type == "f32") use(float{});
  if (type == "f64") use(double{});
  if (type == "string") use(std::string{});
}

/// Reads and hands over in the child; every variable is described before its values, so that the reader knows their
/// type.
void read_columns(const h5::FileReader& file, const std::string& group, const TableSelection& selection,
                  h5::ArchiveWriter& out) {
  require_any_schema(file);
  const std::string path = absolute(group);
  if (!file.has(path)) throw h5::Error("there is no group " + group);
  std::vector<std::string> names = selection.variables.empty() ? file.children(path, false) : selection.variables;
  out(static_cast<std::uint64_t>(names.size()));
  for (const std::string& name : names) {
    if (!file.has(child_of(path, name))) throw h5::Error("group " + group + " has no variable " + name);
    h5::FileReader::Shape shape{};
    TableVariable variable = describe(file, path, name, shape);
    const Part part(variable, selection);
    variable.lengths.assign(part.count.begin(), part.count.end());
    out(variable);
    with_type(variable.type,
              [&](auto zero) { out(file.part<decltype(zero)>(child_of(path, name), shape, part.begin, part.count)); });
  }
}

std::vector<TableColumn> take_columns(h5::ArchiveReader& in, const TableSelection& selection) {
  std::uint64_t columns = 0;
  in(columns);
  std::vector<TableColumn> table;
  for (std::uint64_t c = 0; c < columns; ++c) {
    TableColumn& column = table.emplace_back();
    in(column.variable);
    const std::size_t count = validate(column.variable);
    const TableVariable& v = column.variable;
    if (!selection.variables.empty() && (c >= selection.variables.size() || v.name != selection.variables[c])) {
      throw h5::Error("variable " + v.name + " was not asked for (the file is damaged)");
    }
    for (std::size_t k = 0; k < v.dims.size(); ++k) {
      const auto asked = selection.ranges.find(v.dims[k]);
      if (asked != selection.ranges.end() && asked->second.count != v.lengths[k]) {
        throw h5::Error("variable " + v.name + " is not the part that was asked for (the file is damaged)");
      }
    }
    with_type(v.type, [&](auto zero) {
      std::vector<decltype(zero)> values;
      in(values);
      if (values.size() != count) throw h5::Error("variable " + v.name + " has another number of values than places");
      if constexpr (std::is_same_v<decltype(zero), std::string>) {
        for (std::string& text : values) h5::make_plain(text);
      }
      column.values = std::move(values);
    });
  }
  if (!selection.variables.empty() && table.size() != selection.variables.size()) {
    throw h5::Error("not every variable that was asked for came (the file is damaged)");
  }
  return table;
}

}  // namespace

TableFile list_groups(const std::filesystem::path& path) {
  TableFile result;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const h5::FileReader reader(file, file_size);
        TableFile found;
        found.schema = require_any_schema(reader);
        collect_groups(reader, "/", 0, found);
        out(found.schema, found.groups);
      },
      [&](h5::ArchiveReader& in) {
        in(result.schema, result.groups);
        h5::make_plain(result.schema);
        for (TableGroup& group : result.groups) validate_group(group);
        if (result.groups.empty()) throw h5::Error("there is no group (the file is damaged)");
      });
  return result;
}

std::vector<TableColumn> read_table(const std::filesystem::path& path, const std::string& group,
                                    const TableSelection& selection) {
  std::vector<TableColumn> table;
  h5::read_in_child(
      path,
      [&](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        read_columns(h5::FileReader(file, file_size), group, selection, out);
      },
      [&](h5::ArchiveReader& in) { table = take_columns(in, selection); });
  return table;
}

}  // namespace greekgrid

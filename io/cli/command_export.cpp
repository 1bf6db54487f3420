// Any table of a file as CSV or JSON: one row per cell of its dimensions.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "commands.hpp"
#include "greekgrid/io/publish.hpp"
#include "night_pages.hpp"
#include "output.hpp"
#include "sources.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

constexpr std::size_t kPiece = 1U << 16;           // characters written at once
constexpr std::size_t kValuesInMemory = 1U << 22;  // of all columns of a block
constexpr std::size_t kCheapGap = 1U << 16;        // cells that are cheaper to skip than to start another read
constexpr const char* kSymbolNames[] = {"ticker", "symbol"};

struct Options {
  std::string file, what, format, dims, output;
  std::vector<std::string> tickers, positions, variables;
};

std::string quoted_csv(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string quoted_json(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Writes text in pieces, to standard output or to a file that appears whole or not at all.
class Sink {
 public:
  explicit Sink(const std::string& target) : target_(target) {
    if (target.empty() || target == "-") return;
    file_.emplace(target);
    out_.open(file_->path(), std::ios::binary);
  }
  void write(const std::string& text) {
    text_ += text;
    if (text_.size() >= kPiece) flush();
  }
  void finish() {
    flush();
    if (!file_) return;
    out_.close();
    check();
    file_->publish();
  }

 private:
  void flush() {
    if (file_) {
      out_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
      check();
    } else {
      print(text_);
    }
    text_.clear();
  }
  void check() const {
    if (!out_) throw OutputError(target_ + ": not written (no space or no right)");
  }

  std::string target_, text_;
  std::optional<PendingFile> file_;
  std::ofstream out_;
};

/// Rows of a dimension that belong to rows of another table, whose columns are repeated beside them.
struct Join {
  std::size_t dim = 0;               ///< of the table
  std::vector<std::int64_t> parent;  ///< row of the other table; -1 for none
  std::vector<TableColumn> columns;  ///< over the dimension of the other table
};

/// A table of a group: the variables over `dims`, with those over some of them repeated.
struct LongTable {
  std::vector<std::string> dims;
  std::vector<std::int64_t> lengths;
  std::vector<std::string> variables;  ///< to read, the coordinates of dims first
  std::vector<Join> joins;
  std::vector<std::string> elsewhere;  ///< asked for and not over `dims`: to be found among the joins
};

std::string_view dim_of(const LongTable& table, std::size_t k) {
  return table.dims[k];
}

bool is_within(const std::vector<std::string>& dims, const std::vector<std::string>& of) {
  return std::all_of(dims.begin(), dims.end(),
                     [&](const std::string& dim) { return std::find(of.begin(), of.end(), dim) != of.end(); });
}

/// The sets of dimensions that variables of a group have, coordinates aside, most cells first.
std::vector<const TableVariable*> shapes_of(const TableGroup& group) {
  std::vector<const TableVariable*> shapes;
  for (const TableVariable& variable : group.variables) {
    const auto same = [&](const TableVariable* other) { return other->dims == variable.dims; };
    if (!variable.is_coordinate() && std::none_of(shapes.begin(), shapes.end(), same)) shapes.push_back(&variable);
  }
  std::stable_sort(shapes.begin(), shapes.end(), [](const auto* a, const auto* b) {
    return std::pair(cells(*a), a->dims.size()) > std::pair(cells(*b), b->dims.size());
  });
  if (shapes.empty()) shapes.push_back(&group.variables.front());
  return shapes;
}

/// Chooses dimensions and variables. @throws UsageError
LongTable choose_table(const TableGroup& group, const Options& options) {
  const std::vector<const TableVariable*> shapes = shapes_of(group);
  const auto size = [](const TableVariable* variable) { return std::pair(cells(*variable), variable->dims.size()); };
  const TableVariable* shape = nullptr;
  for (const std::string& name : options.variables) {
    const TableVariable* variable = find_variable(group, name);
    if (variable != nullptr && (shape == nullptr || size(variable) > size(shape))) shape = variable;
  }
  if (shape == nullptr) shape = shapes.front();
  if (!options.dims.empty()) {
    const auto found = std::find_if(group.variables.begin(), group.variables.end(), [&](const TableVariable& variable) {
      return join(variable.dims, ",") == options.dims;
    });
    if (found == group.variables.end()) {
      std::vector<std::string> choices;
      for (const TableVariable* other : shapes) choices.push_back(join(other->dims, ","));
      throw UsageError(fmt::format("--dims {}: no variable of group {} has them (choose {})", options.dims, group.path,
                                   join(choices, " or ")));
    }
    shape = &*found;
  }
  LongTable table{shape->dims, shape->lengths, shape->dims, {}, {}};
  // Texts and instants over one dimension tell which row it is.
  for (const TableVariable& variable : group.variables) {
    const bool names_rows = variable.type == "string" || variable.is_instant();
    if (!options.variables.empty() && names_rows && variable.dims.size() == 1 && !variable.is_coordinate() &&
        is_within(variable.dims, table.dims)) {
      table.variables.push_back(variable.name);
    }
  }
  for (const std::string& name : options.variables) {
    const TableVariable* variable = find_variable(group, name);
    if (variable == nullptr || !is_within(variable->dims, table.dims)) {
      table.elsewhere.push_back(name);
      continue;
    }
    const bool is_taken = std::find(table.variables.begin(), table.variables.end(), name) != table.variables.end();
    if (!is_taken) table.variables.push_back(name);
  }
  if (!options.variables.empty()) return table;
  // What is over fewer dimensions comes first: it says more of the row than of the cell.
  for (const bool whole : {false, true}) {
    for (const TableVariable& variable : group.variables) {
      const bool is_whole = variable.dims.size() == table.dims.size();
      if (!variable.is_coordinate() && is_whole == whole && is_within(variable.dims, table.dims)) {
        table.variables.push_back(variable.name);
      }
    }
  }
  return table;
}

/// The columns over one dimension of a group that say which row it is: texts and instants, row numbers left out.
std::vector<TableColumn> identity_columns(const std::string& file, const TableGroup& group, const std::string& dim) {
  TableSelection selection;
  for (const TableVariable& variable : group.variables) {
    const bool over_dim = variable.dims.size() == 1 && variable.dims[0] == dim;
    if (over_dim && (variable.type == "string" || variable.is_instant())) selection.variables.push_back(variable.name);
  }
  return selection.variables.empty() ? std::vector<TableColumn>{} : read_columns(file, group, selection);
}

std::vector<std::int64_t> integers(const TableColumn& column) {
  std::vector<std::int64_t> out;
  std::visit(
      [&](const auto& values) {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_integral_v<Value>) out.assign(values.begin(), values.end());
      },
      column.values);
  return out;
}

/// Rows of a dimension that lie together: DIM_begin and DIM_count over another dimension say whose they are; of a
/// dimension NAME_row also NAME_begin and NAME_count.
void join_slices(const std::string& file, const TableGroup& group, std::size_t k, LongTable& table) {
  const std::string dim(dim_of(table, k));
  const std::string name =
      dim.ends_with("_row") && find_variable(group, dim + "_begin") == nullptr ? dim.substr(0, dim.size() - 4) : dim;
  const TableVariable* begin = find_variable(group, name + "_begin");
  const TableVariable* count = find_variable(group, name + "_count");
  if (begin == nullptr || count == nullptr || begin->dims.size() != 1 || begin->dims != count->dims ||
      begin->dims[0] == dim) {
    return;
  }
  const std::vector<TableColumn> slices = read_columns(file, group, {{begin->name, count->name}, {}});
  const std::vector<std::int64_t> first = integers(slices[0]), rows = integers(slices[1]);
  Join made;
  made.dim = k;
  made.parent.assign(static_cast<std::size_t>(table.lengths[k]), -1);
  for (std::size_t u = 0; u < std::min(first.size(), rows.size()); ++u) {
    if (first[u] < 0 || rows[u] < 0 || first[u] > table.lengths[k] || rows[u] > table.lengths[k] - first[u]) {
      throw InputError(fmt::format("{}: {} and {} of group {} point outside (the file is damaged)", file, begin->name,
                                   count->name, group.path));
    }
    std::fill_n(made.parent.begin() + first[u], rows[u], static_cast<std::int64_t>(u));
  }
  made.columns = identity_columns(file, group, begin->dims[0]);
  // Numbers of the other table too, where it is this group's: the spot of a contract's ticker.
  for (const TableVariable& variable : group.variables) {
    const bool other = variable.dims == begin->dims && !variable.is_coordinate() && variable.name != begin->name &&
                       variable.name != count->name && variable.type != "string" && !variable.is_instant();
    if (other) made.columns.push_back(read_column(file, group, variable.name));
  }
  table.joins.push_back(std::move(made));
}

/// Rows of a dimension with a number of a row elsewhere: DIM_TARGET is an index into the dimension TARGET of this
/// group, of the group of that name, or of the root.
void join_indices(const std::string& file, const TableFile& listed, const TableGroup& group, std::size_t k,
                  LongTable& table) {
  const std::string dim(dim_of(table, k));
  for (const TableVariable& variable : group.variables) {
    if (variable.dims != std::vector<std::string>{dim} || variable.name.rfind(dim + "_", 0) != 0 ||
        (variable.type != "i32" && variable.type != "i64") || variable.is_instant()) {
      continue;
    }
    const std::string target = variable.name.substr(dim.size() + 1);
    const TableGroup* where = find_variable(group, target) != nullptr ? &group : nullptr;
    for (const std::string& path : {target, std::string("root")}) {
      for (const TableGroup& other : listed.groups) {
        if (where == nullptr && other.path == path && find_variable(other, target) != nullptr) where = &other;
      }
    }
    if (where == nullptr || !find_variable(*where, target)->is_coordinate()) continue;
    Join made;
    made.dim = k;
    made.parent = integers(read_column(file, group, variable.name));
    made.columns = identity_columns(file, *where, target);
    const std::int64_t rows = find_variable(*where, target)->lengths[0];
    for (std::int64_t& row : made.parent) {
      if (row < 0 || row >= rows) row = -1;
    }
    table.joins.push_back(std::move(made));
  }
}

/// Adds the joins of every dimension; a name that the table has already is left out.
void add_joins(const std::string& file, const TableFile& listed, const TableGroup& group, LongTable& table) {
  for (std::size_t k = 0; k < table.dims.size(); ++k) {
    join_slices(file, group, k, table);
    join_indices(file, listed, group, k, table);
  }
  std::set<std::string> taken(table.variables.begin(), table.variables.end());
  for (const TableVariable& variable : group.variables) {
    if (is_within(variable.dims, table.dims)) taken.insert(variable.name);
  }
  for (Join& beside : table.joins) {
    std::erase_if(beside.columns, [&](const TableColumn& c) { return !taken.insert(c.variable.name).second; });
  }
}

/// Refuses variables that are neither over the table's dimensions nor joined. @throws UsageError
void require_found(const TableGroup& group, const LongTable& table) {
  std::vector<std::string> names;
  for (const TableVariable& variable : group.variables) {
    if (is_within(variable.dims, table.dims)) names.push_back(variable.name);
  }
  for (const Join& beside : table.joins) {
    for (const TableColumn& column : beside.columns) names.push_back(column.variable.name);
  }
  for (const std::string& name : table.elsewhere) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const TableVariable* variable = find_variable(group, name);
    if (variable == nullptr) require_variable("--variables", name, group, names);
    throw UsageError(fmt::format("--variables {}: over {}, not over {} (export it by itself)", name,
                                 join(variable->dims, " x "), join(table.dims, " x ")));
  }
}

/// Which indices of each dimension are wanted.
using Masks = std::vector<std::vector<bool>>;

/// Keeps the rows whose column of one of these names has one of these values. Returns the values that there are, or
/// nothing if there is no such column.
std::optional<std::set<std::string>> restrict_to(const std::string& file, const TableGroup& group,
                                                 const LongTable& table, std::span<const char* const> names,
                                                 const std::vector<std::string>& wanted, Masks& masks) {
  const auto is_wanted = [&](const std::string& text) {
    return std::find(wanted.begin(), wanted.end(), text) != wanted.end();
  };
  for (const std::string name : names) {
    std::set<std::string> known;
    for (const Join& beside : table.joins) {
      for (const TableColumn& column : beside.columns) {
        if (column.variable.name != name || column.variable.type != "string") continue;
        const auto& texts = std::get<std::vector<std::string>>(column.values);
        known.insert(texts.begin(), texts.end());
        for (std::size_t i = 0; i < beside.parent.size(); ++i) {
          const std::int64_t parent = beside.parent[i];
          if (parent < 0 || !is_wanted(texts[static_cast<std::size_t>(parent)])) masks[beside.dim][i] = false;
        }
        return known;
      }
    }
    const TableVariable* variable = find_variable(group, name);
    if (variable == nullptr || variable->type != "string" || variable->dims.size() != 1) continue;
    const auto dim = std::find(table.dims.begin(), table.dims.end(), variable->dims[0]);
    if (dim == table.dims.end()) continue;
    std::vector<bool>& mask = masks[static_cast<std::size_t>(dim - table.dims.begin())];
    const TableColumn column = read_column(file, group, name);
    const auto& texts = std::get<std::vector<std::string>>(column.values);
    if (texts.size() != mask.size()) continue;
    known.insert(texts.begin(), texts.end());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!is_wanted(texts[i])) mask[i] = false;
    }
    return known;
  }
  return std::nullopt;
}

/// Restricts a table by --tickers and --position. @throws UsageError, InputError
Masks make_masks(const Options& options, const TableFile& listed, const TableGroup& group, const LongTable& table) {
  Masks masks;
  for (const std::int64_t length : table.lengths) masks.emplace_back(static_cast<std::size_t>(length), true);
  constexpr const char* kPositionName[] = {"position"};
  const auto apply = [&](const char* option, std::span<const char* const> names, const std::vector<std::string>& wanted,
                         const char* suggestion) {
    if (wanted.empty()) return;
    auto known = restrict_to(options.file, group, table, names, wanted, masks);
    if (!known) {
      throw UsageError(fmt::format("{}: the table {} of group {} has no {} (leave it out, or choose another group)",
                                   option, join(table.dims, " x "), group.path, names[0]));
    }
    // A table of levels or crossings need not have a row of every ticker.
    for (const TableVariable& variable : listed.groups.front().variables) {
      if (variable.is_coordinate() && std::find(names.begin(), names.end(), variable.name) != names.end()) {
        const TableColumn all = read_column(options.file, listed.groups.front(), variable.name);
        for (std::size_t i = 0; i < cells(variable); ++i) known->insert(text_at(all, i));
      }
    }
    for (const std::string& value : wanted) {
      if (!known->contains(value)) {
        throw InputError(fmt::format("{}: no {} {} ({})", options.file, names[0], value, suggestion));
      }
    }
  };
  apply("--tickers", kSymbolNames, options.tickers, "see `greekgrid info` for what was refused");
  apply("--position", kPositionName, options.positions, "see `greekgrid export FILE --what root --dims position`");
  return masks;
}

/// The first and last wanted index of a dimension, or count 0.
IndexRange bounds(const std::vector<bool>& mask) {
  const auto first = std::find(mask.begin(), mask.end(), true);
  if (first == mask.end()) return {};
  const auto last = std::find(mask.rbegin(), mask.rend(), true).base();
  return {first - mask.begin(), last - first};
}

/// Runs of wanted indices; runs with a short gap between them are one.
std::vector<IndexRange> runs(const std::vector<bool>& mask, std::int64_t gap) {
  std::vector<IndexRange> out;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (!mask[i]) continue;
    const auto at = static_cast<std::int64_t>(i);
    if (out.empty() || at - (out.back().begin + out.back().count) > gap) out.push_back({at, 0});
    out.back().count = at + 1 - out.back().begin;
  }
  return out;
}

/// Writes rows as CSV or JSON.
class RowWriter {
 public:
  RowWriter(Sink& sink, bool is_json) : sink_(sink), is_json_(is_json) {}

  void header(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      std::string key = is_json_ ? quoted_json(name) + ": " : quoted_csv(name);
      if (!key_.empty()) key = (is_json_ ? ", " : ",") + key;
      key_.push_back(std::move(key));
    }
    if (is_json_) return sink_.write("[");
    for (const std::string& key : key_) sink_.write(key);
    sink_.write("\n");
  }
  /// A value as it stands in a row.
  std::string spell(const TableColumn& column, std::size_t index) const {
    std::string text = text_at(column, index);
    if (!is_json_) return quoted_csv(text);
    if (!is_number_at(column, index)) return quoted_json(text);
    return text.empty() || !std::isfinite(number_at(column, index)) ? "null" : text;
  }
  std::string missing() const { return is_json_ ? "null" : ""; }
  /// One row of texts made by spell().
  void row(const std::vector<const std::string*>& texts) {
    std::string line = is_json_ ? (rows_ == 0 ? "\n {" : ",\n {") : "";
    for (std::size_t c = 0; c < texts.size(); ++c) {
      line += is_json_ ? key_[c] : (c == 0 ? "" : ",");
      line += *texts[c];
    }
    sink_.write(line + (is_json_ ? "}" : "\n"));
    ++rows_;
  }
  void end() {
    if (is_json_) sink_.write(rows_ == 0 ? "]\n" : "\n]\n");
  }

 private:
  Sink& sink_;
  bool is_json_;
  std::vector<std::string> key_;
  std::size_t rows_ = 0;
};

/// Reads a table block by block and writes its rows in order.
class Exporter {
 public:
  Exporter(const std::string& file, const TableGroup& group, const LongTable& table, const Masks& masks,
           RowWriter& writer)
      : file_(file), group_(group), table_(table), masks_(masks), writer_(writer) {}

  void run() {
    write_header();
    std::vector<IndexRange> ranges;
    for (const std::vector<bool>& mask : masks_) ranges.push_back(bounds(mask));
    for (const IndexRange& range : ranges) {
      if (range.count == 0) return;
    }
    std::int64_t inner = 1;
    for (std::size_t k = 1; k < ranges.size(); ++k) inner *= ranges[k].count;
    for (const IndexRange& run : runs(masks_[0], static_cast<std::int64_t>(kCheapGap) / inner)) {
      ranges[0] = run;
      split(ranges, 0);
    }
  }

 private:
  void write_header() {
    std::vector<std::string> names = table_.dims;
    for (const Join& beside : table_.joins) {
      for (const TableColumn& column : beside.columns) names.push_back(column.variable.name);
    }
    names.insert(names.end(), table_.variables.begin() + static_cast<std::ptrdiff_t>(table_.dims.size()),
                 table_.variables.end());
    writer_.header(names);
  }

  /// Cuts ranges along dimension k and, where one index is still too much, the next.
  void split(std::vector<IndexRange> ranges, std::size_t k) {
    std::size_t inner = table_.variables.size();
    for (std::size_t j = k + 1; j < ranges.size(); ++j) inner *= static_cast<std::size_t>(ranges[j].count);
    const bool fits = inner <= kValuesInMemory || k + 1 == ranges.size();
    const auto step = static_cast<std::int64_t>(fits ? std::max<std::size_t>(1, kValuesInMemory / inner) : 1);
    const IndexRange whole = ranges[k];
    for (std::int64_t begin = whole.begin; begin < whole.begin + whole.count; begin += step) {
      ranges[k] = {begin, std::min(step, whole.begin + whole.count - begin)};
      if (fits) {
        write_block(ranges);
      } else {
        split(ranges, k + 1);
      }
    }
  }

  void write_block(const std::vector<IndexRange>& ranges) {
    TableSelection selection{table_.variables, {}};
    for (std::size_t k = 0; k < ranges.size(); ++k) selection.ranges[table_.dims[k]] = ranges[k];
    const std::vector<TableColumn> columns = read_columns(file_, group_, selection);
    const std::size_t dims = ranges.size();
    // A column over one dimension is spelled once per index, the others once per cell.
    struct Source {
      const TableColumn* column;
      std::vector<std::size_t> stride;
      std::vector<std::string> spelled;
      std::size_t dim;
      std::string now;
    };
    std::vector<Source> sources;
    const auto joined = [&] {
      for (const Join& beside : table_.joins) {
        for (const TableColumn& column : beside.columns) {
          Source source{&column, {}, {}, beside.dim, {}};
          for (std::int64_t i = 0; i < ranges[beside.dim].count; ++i) {
            const std::int64_t parent = beside.parent[static_cast<std::size_t>(ranges[beside.dim].begin + i)];
            source.spelled.push_back(parent < 0 ? writer_.missing()
                                                : writer_.spell(column, static_cast<std::size_t>(parent)));
          }
          sources.push_back(std::move(source));
        }
      }
    };
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (c == dims) joined();
      const TableVariable& v = columns[c].variable;
      Source source{&columns[c], std::vector<std::size_t>(dims, 0), {}, 0, {}};
      std::size_t stride = 1;
      for (std::size_t a = v.dims.size(); a-- > 0;) {
        const auto at = std::find(table_.dims.begin(), table_.dims.end(), v.dims[a]) - table_.dims.begin();
        source.stride[static_cast<std::size_t>(at)] = stride;
        source.dim = static_cast<std::size_t>(at);
        stride *= static_cast<std::size_t>(v.lengths[a]);
      }
      if (v.dims.size() == 1) {
        for (std::size_t i = 0; i < stride; ++i) source.spelled.push_back(writer_.spell(columns[c], i));
      }
      sources.push_back(std::move(source));
    }
    if (columns.size() == dims) joined();

    std::vector<const std::string*> row(sources.size());
    std::vector<std::int64_t> at(dims, 0);
    for (;;) {
      bool wanted = true;
      for (std::size_t k = 0; k < dims; ++k) {
        wanted = wanted && masks_[k][static_cast<std::size_t>(ranges[k].begin + at[k])];
      }
      for (std::size_t c = 0; wanted && c < sources.size(); ++c) {
        Source& source = sources[c];
        if (!source.spelled.empty()) {
          row[c] = &source.spelled[static_cast<std::size_t>(at[source.dim])];
          continue;
        }
        std::size_t index = 0;
        for (std::size_t k = 0; k < dims; ++k) index += source.stride[k] * static_cast<std::size_t>(at[k]);
        source.now = writer_.spell(*source.column, index);
        row[c] = &source.now;
      }
      if (wanted) writer_.row(row);
      std::size_t k = dims;
      while (k > 0 && ++at[k - 1] == ranges[k - 1].count) at[--k] = 0;
      if (k == 0) return;
    }
  }

  const std::string& file_;
  const TableGroup& group_;
  const LongTable& table_;
  const Masks& masks_;
  RowWriter& writer_;
};

std::string lengths_text(const TableVariable& variable) {
  std::vector<std::string> lengths;
  for (const std::int64_t length : variable.lengths) lengths.push_back(std::to_string(length));
  return join(lengths, " x ");
}

/// The groups of a file with their variables.
std::string listing(const TableFile& file, const std::string& format) {
  std::vector<std::vector<std::string>> rows = {{"group", "variable", "dims", "lengths", "type", "units", "meaning"}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const TableGroup& group : file.groups) {
    if (group.is_empty_table) rows.push_back({group.path, "-", "", "", "", "", "no rows"});
    for (const TableVariable& v : group.variables) {
      std::string meaning = v.long_name;
      if (!v.flag_meanings.empty()) meaning += (meaning.empty() ? "" : ": ") + join(v.flag_meanings, ", ");
      rows.push_back({group.path, v.name, join(v.dims, " x "), lengths_text(v), v.type,
                      v.is_instant() ? "UTC" : v.units, meaning});
      json.push_back({{"group", group.path},
                      {"variable", v.name},
                      {"dims", v.dims},
                      {"lengths", v.lengths.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(v.lengths)},
                      {"type", v.type},
                      {"units", v.units},
                      {"long_name", v.long_name},
                      {"flag_meanings", v.flag_meanings}});
    }
  }
  if (format == "json") return json.dump(1) + "\n";
  return format == "csv" ? format_csv(rows) : format_table(rows, rows[0].size());
}

/// Tells on standard error which other tables the group has.
void mention_others(const TableGroup& group, const LongTable& table) {
  std::vector<std::string> others;
  for (const TableVariable* shape : shapes_of(group)) {
    if (shape->dims != table.dims) others.push_back("--dims " + join(shape->dims, ","));
  }
  if (!others.empty()) {
    std::fprintf(stderr, "greekgrid: %s: rows are %s (other tables of the group: %s)\n", group.path.c_str(),
                 join(table.dims, " x ").c_str(), join(others, ", ").c_str());
  }
}

// Columns of a page as chosen, those that name its rows first.
std::vector<TableVariable> choose_columns(const TableGroup& page, const Options& options) {
  if (options.variables.empty()) return page.variables;
  std::vector<std::string> known, names = row_names(page);
  for (const TableVariable& variable : page.variables) known.push_back(variable.name);
  for (const std::string& name : options.variables) {
    require_variable("--variables", name, page, known);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<TableVariable> chosen;
  for (const std::string& name : names) chosen.push_back(*find_variable(page, name));
  return chosen;
}

// Tickers of --tickers that the night does not have are refused, those that are on no row of the page are not.
void require_tickers(const Options& options, const TableFile& listed) {
  if (options.tickers.empty()) return;
  const TableColumn column = read_column(options.file, listed.groups.front(), "ticker");
  std::set<std::string> known;
  for (std::size_t i = 0; i < cells(column.variable); ++i) known.insert(text_at(column, i));
  for (const std::string& ticker : options.tickers) {
    if (!known.contains(ticker)) {
      throw InputError(
          fmt::format("{}: no ticker {} (see `greekgrid info` for what was refused)", options.file, ticker));
    }
  }
}

int export_page(const Options& options, const TableFile& listed, TableGroup page) {
  for (const auto& [option, given] :
       {std::pair{"--position", !options.positions.empty()}, std::pair{"--dims", !options.dims.empty()}}) {
    if (given) throw UsageError(fmt::format("{}: the {} has one row per ticker (leave it out)", option, page.path));
  }
  page.variables = choose_columns(page, options);
  require_tickers(options, listed);
  const std::vector<TableColumn> columns = read_page(options.file, listed, page);
  const auto ticker = std::find_if(columns.begin(), columns.end(),
                                   [](const TableColumn& column) { return column.variable.name == "TICKER"; });
  Sink sink(options.output);
  RowWriter writer(sink, options.format == "json");
  std::vector<std::string> names;
  for (const TableColumn& column : columns) names.push_back(column.variable.name);
  writer.header(names);
  for (std::size_t row = 0; row < cells(ticker->variable); ++row) {
    const bool wanted = options.tickers.empty() || std::find(options.tickers.begin(), options.tickers.end(),
                                                             text_at(*ticker, row)) != options.tickers.end();
    if (!wanted) continue;
    std::vector<std::string> texts;
    std::vector<const std::string*> line;
    for (const TableColumn& column : columns) texts.push_back(writer.spell(column, row));
    for (const std::string& text : texts) line.push_back(&text);
    writer.row(line);
  }
  writer.end();
  sink.finish();
  return kDone;
}

int run_export(const Options& options) {
  if (!options.output.empty() && options.output != "-") check_targets({{"-o", options.output}}, {options.file});
  if (options.what.empty() &&
      !(options.tickers.empty() && options.positions.empty() && options.variables.empty() && options.dims.empty())) {
    throw UsageError("--tickers, --position, --variables or --dims without --what (name the group)");
  }
  TableFile listed = list_groups(options.file);
  const std::size_t groups = listed.groups.size();
  for (TableGroup& page : night_pages(listed)) listed.groups.push_back(std::move(page));
  if (options.what.empty()) {
    Sink sink(options.output);
    sink.write(listing(listed, options.format));
    sink.finish();
    return kDone;
  }
  const TableGroup& group = require_group("--what", options.what, listed);
  if (group.variables.empty() && !group.is_empty_table) {
    throw UsageError("--what " + group.path + ": holds attributes only (see `greekgrid info`)");
  }
  const bool is_json = options.format == "json";
  if (group.is_empty_table) {
    std::fprintf(stderr, "greekgrid: %s: group %s has no rows\n", plain(options.file).c_str(), group.path.c_str());
    Sink sink(options.output);
    sink.write(is_json ? "[]\n" : "");
    sink.finish();
    return kDone;
  }
  if (&group >= listed.groups.data() + groups) return export_page(options, listed, group);
  LongTable table = choose_table(group, options);
  add_joins(options.file, listed, group, table);
  require_found(group, table);
  const Masks masks = make_masks(options, listed, group, table);
  if (options.dims.empty() && options.variables.empty()) mention_others(group, table);
  Sink sink(options.output);
  RowWriter writer(sink, is_json);
  Exporter(options.file, group, table, masks, writer).run();
  writer.end();
  sink.finish();
  return kDone;
}

}  // namespace

Command add_export(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("export", "Any table of a night.h5, chains.h5 or history.h5 as CSV or JSON");
  command->add_option("file", options->file, "night.h5, chains.h5 or history.h5")->required();
  command->add_option(
      "--what", options->what,
      "Group: levels, contract, profile/strike, ...; root for the surfaces; of a night's forecasts also sheet and "
      "ranking. Without it: list what there is");
  command->add_option("--tickers", options->tickers, "Only these, separated by commas")->delimiter(',');
  command->add_option("--position", options->positions, "Only these position models, separated by commas")
      ->delimiter(',');
  command
      ->add_option("--variables", options->variables,
                   "Only these, separated by commas; coordinates and what names a row always come")
      ->delimiter(',');
  command->add_option(
      "--dims", options->dims,
      "Which table of the group, by its dimensions separated by commas; default the one with most cells");
  command->add_option("--format", options->format, "csv (default) or json; of a list also table (default)")
      ->check(CLI::IsMember({"csv", "json"}));
  command->add_option("-o,--output", options->output, "File to write; standard output if absent or -");
  command->footer(
      "One row per cell of the table's dimensions, coordinates first. Variables over some of the dimensions are "
      "repeated\n"
      "(spot beside every cell of a surface), and rows that belong to a ticker or an expiry carry its name, root and\n"
      "settlement. Flags are words, instants ISO 8601 in UTC, missing values empty (CSV) or null (JSON), float64 has "
      "17\n"
      "digits and float32 9. Tables are read and written in pieces, whatever their size.\n"
      "sheet: one row per ticker under the names of the field, with the record of its forecasts (docs/forecasts.md).\n"
      "ranking: the 50 most bullish and the 50 most bearish of them by MEDIAN; --tickers leaves their ranks as they "
      "are.");
  return [options] { return run_export(*options); };
}

}  // namespace greekgrid::cli

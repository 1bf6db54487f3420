#include "greekgrid/io/history_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "archive.hpp"
#include "child_reader.hpp"
#include "file_reader.hpp"
#include "greekgrid/io/file_lock.hpp"
#include "greekgrid/io/publish.hpp"
#include "shared_values.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

constexpr const char* kSchema = "greekgrid.history";
constexpr Instant kDaySeconds = 86400;

/// What a quantity is called in the file, in the order of kDailyQuantities.
struct Description {
  const char* long_name;
  const char* units;
};
constexpr std::array<Description, kDailyQuantities.size()> kDescriptions{
    Description{"first price of the session", "USD"},
    Description{"highest price of the session", "USD"},
    Description{"lowest price of the session", "USD"},
    Description{"last price of the session, not adjusted", "USD"},
    Description{"shares traded on all venues", "shares"},
    Description{"shares sold short off exchange", "shares"},
    Description{"shares sold short exempt off exchange", "shares"},
    Description{"shares traded off exchange", "shares"},
    Description{"dark index", "1"},
    Description{"gamma exposure in the unit of its publisher", "1"},
    Description{"call share of percent gamma: 0.5 is balanced", "1"},
    Description{"price of a night's quotes: the close until there is one", "USD"},
    Description{"call gamma over put gamma at market volatility: 1 is balanced, of a night", "1"},
    Description{"gamma index of a night's first position model", "1e9 USD"},
    Description{"implied volatility of 30 days at the forward, of a night", "vol"}};

std::string iso_date(Instant midnight) {
  return h5::iso_from_instant(midnight).substr(0, 10);
}

void write_variables(hid_t root, const DailyHistory& history) {
  const auto [first, last] = std::minmax_element(history.date.begin(), history.date.end());
  h5::write_attribute(root, "schema", std::string(kSchema));
  h5::write_attribute(root, "schema_version", std::string(h5::kSchemaVersion));
  h5::write_attribute(root, "Conventions", std::string("CF-1.10"));
  h5::write_attribute(root, "title", std::string("daily prices and volumes"));
  h5::write_attribute(root, "first_date", iso_date(*first));
  h5::write_attribute(root, "last_date", iso_date(*last));
  h5::write_attribute(root, "tool_version", std::string(GREEKGRID_VERSION));
  if (!history.source.empty()) {
    std::vector<std::string> names, sums;
    for (const ChainSource& source : history.source) {
      names.push_back(source.name);
      sums.push_back(source.sha256);
    }
    h5::write_attribute(root, "source_name", names);
    h5::write_attribute(root, "source_sha256", sums);
  }

  h5::TableWriter table(root);
  table.column({"symbol", {"symbol"}, "symbol as published", "", ""}, history.symbol);
  table.row_numbers("row", history.rows());
  const std::vector<std::string> symbol = {"symbol"}, row = {"row"};
  table.column({"row_begin", symbol, "first row of the symbol", "1", ""}, history.row_begin);
  table.column({"row_count", symbol, "number of rows of the symbol", "1", ""}, history.row_count);
  table.column({"date", row, "date of the session, at 00:00 UTC", h5::kTimeUnits, ""}, history.date);
  table.column({"knowledge_time", row, "instant from which on every value of the row was known", h5::kTimeUnits, ""},
               history.knowledge_time);
  for (std::size_t q = 0; q < kDailyQuantities.size(); ++q) {
    table.column({std::string(kDailyQuantities[q].name), row, kDescriptions[q].long_name, kDescriptions[q].units, ""},
                 history.*kDailyQuantities[q].column);
  }
}

/// Hands the variables over one by one: a store is large, and this way the child holds one column at a time.
void hand_over_variables(const h5::FileReader& file, h5::ArchiveWriter& out) {
  file.require_schema(kSchema);
  if (!file.has("/knowledge_time")) {
    throw h5::Error(
        "variable knowledge_time is missing (another version of the program made the file) make it again from its "
        "sources");
  }
  const std::size_t symbols = file.length("/symbol"), rows = file.length("/row");
  out(h5::read_sources(file), file.strings("/symbol", symbols));
  for (const char* name : {"/row_begin", "/row_count"}) out(file.values<std::int64_t>(name, {symbols}));
  for (const char* name : {"/date", "/knowledge_time"}) out(file.values<Instant>(name, {rows}));
  // A quantity that an older file does not know yet is missing everywhere: a store outlives the program's versions.
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const std::string path = "/" + std::string(quantity.name);
    out(file.has(path) ? file.values<double>(path, {rows})
                       : std::vector<double>(rows, std::numeric_limits<double>::quiet_NaN()));
  }
}

void take_variables(h5::ArchiveReader& in, DailyHistory& history) {
  in(history.source, history.symbol, history.row_begin, history.row_count, history.date, history.knowledge_time);
  for (const DailyQuantity& quantity : kDailyQuantities) in(history.*quantity.column);
}

[[noreturn]] void refuse(std::string_view variable, std::size_t row, const char* rule) {
  throw h5::Error(std::string(variable) + "[" + std::to_string(row) + "] is wrong (" + rule + ")");
}

inline void require(bool holds, std::string_view variable, std::size_t row, const char* rule) {
  if (!holds) refuse(variable, row, rule);
}

void validate_shape(const DailyHistory& history) {
  if (history.rows() == 0) throw h5::Error("holds no row (nothing could be read from it)");
  bool same = history.row_begin.size() == history.symbols() && history.row_count.size() == history.symbols() &&
              history.symbols() > 0 && history.knowledge_time.size() == history.rows();
  for (const DailyQuantity& quantity : kDailyQuantities) {
    same = same && (history.*quantity.column).size() == history.rows();
  }
  if (!same) throw h5::Error("columns of one dimension have different lengths");
}

/// Everything that DailyHistory promises. Throws h5::Error.
void validate(const DailyHistory& history) {
  validate_shape(history);
  const auto rows = static_cast<std::int64_t>(history.rows());
  std::int64_t next = 0;
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    require(h5::is_symbol(history.symbol[u]), "symbol", u, "empty, blank or not printable");
    require(u == 0 || history.symbol[u - 1] < history.symbol[u], "symbol", u, "not sorted");
    require(history.row_begin[u] == next, "row_begin", u, "not where the symbol before ends");
    require(history.row_count[u] > 0 && history.row_count[u] <= rows - next, "row_count", u,
            "none, or beyond the rows of the file");
    for (std::int64_t row = next; row < next + history.row_count[u]; ++row) {
      const auto i = static_cast<std::size_t>(row);
      require(h5::is_instant(history.date[i]) && history.date[i] % kDaySeconds == 0, "date", i,
              "not midnight of a day between the years 1970 and 9999");
      require(row == next || history.date[i - 1] < history.date[i], "date", i, "not ascending");
      require(h5::is_instant(history.knowledge_time[i]) && history.knowledge_time[i] >= history.date[i],
              "knowledge_time", i, "before the row's date, or beyond the year 9999");
    }
    next += history.row_count[u];
  }
  require(next == rows, "row_count", history.symbols() - 1, "rows are left over");
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const std::vector<double>& column = history.*quantity.column;
    for (std::size_t i = 0; i < column.size(); ++i) {
      require(!std::isinf(column[i]), quantity.name, i, "infinite");
      require(!quantity.is_volume || !(column[i] < 0.0), quantity.name, i, "negative");
    }
  }
}

}  // namespace

void write_history_file(const DailyHistory& history, const std::filesystem::path& target) {
  try {
    validate(history);
    PendingFile pending(target);
    {
      const h5::LibraryLock lock;
      h5::Handle file = h5::create_file(pending.path());
      {
        const h5::Handle root = h5::root_group(file);
        write_variables(root.get(), history);
      }
      file.close("close the file");
    }
    pending.publish();
  } catch (const h5::Error& error) {
    throw OutputError(target.string() + ": cannot be written (" + error.what() + ")");
  }
}

DailyHistory read_history_file(const std::filesystem::path& path) {
  DailyHistory history;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        hand_over_variables(h5::FileReader(file, file_size), out);
      },
      [&](h5::ArchiveReader& in) {
        take_variables(in, history);
        validate(history);
      });
  return history;
}

HistoryAppend append_to_history(const std::filesystem::path& store, std::span<const DailyHistory* const> parts,
                                bool replace, std::size_t place) {
  if (place > parts.size())
    throw std::invalid_argument("a store has no place beyond the parts that are merged with it");
  const FileLock lock(store);
  HistoryAppend out;
  std::error_code error;
  if (std::filesystem::exists(store, error) || error) out.before = read_history_file(store);
  std::vector<const DailyHistory*> all(parts.begin(), parts.end());
  all.insert(all.begin() + static_cast<std::ptrdiff_t>(place), &out.before);
  out.merge = merge_histories(all, replace);
  const std::vector<std::int64_t>& taken = out.merge.rows_taken;
  out.written = place > 0 || std::any_of(taken.begin() + 1, taken.end(), [](std::int64_t rows) { return rows > 0; });
  if (out.written) write_history_file(out.merge.history, store);
  return out;
}

HistoryAppend append_to_history(const std::filesystem::path& store, const DailyHistory& tonight, bool replace) {
  const DailyHistory* parts[] = {&tonight};
  return append_to_history(store, parts, replace);
}

}  // namespace greekgrid

#include "greekgrid/io/history_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "archive.hpp"
#include "child_reader.hpp"
#include "file_reader.hpp"
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
  for (std::size_t q = 0; q < kDailyQuantities.size(); ++q) {
    table.column({std::string(kDailyQuantities[q].name), row, kDescriptions[q].long_name, kDescriptions[q].units, ""},
                 history.*kDailyQuantities[q].column);
  }
}

DailyHistory read_variables(const h5::FileReader& file) {
  file.require_schema(kSchema);
  DailyHistory history;
  history.source = h5::read_sources(file);
  const std::size_t symbols = file.length("/symbol"), rows = file.length("/row");
  history.symbol = file.strings("/symbol", symbols);
  history.row_begin = file.values<std::int64_t>("/row_begin", {symbols});
  history.row_count = file.values<std::int64_t>("/row_count", {symbols});
  history.date = file.values<Instant>("/date", {rows});
  for (const DailyQuantity& quantity : kDailyQuantities) {
    history.*quantity.column = file.values<double>("/" + std::string(quantity.name), {rows});
  }
  return history;
}

template <class Archive, class History>
void transfer_history(Archive& archive, History& history) {
  archive(history.source, history.symbol, history.row_begin, history.row_count, history.date);
  for (const DailyQuantity& quantity : kDailyQuantities) archive(history.*quantity.column);
}

void require(bool holds, const std::string& variable, std::size_t row, const char* rule) {
  if (!holds) throw h5::Error(variable + "[" + std::to_string(row) + "] is wrong (" + rule + ")");
}

void validate_shape(const DailyHistory& history) {
  if (history.rows() == 0) throw h5::Error("holds no row (nothing could be read from it)");
  bool same = history.row_begin.size() == history.symbols() && history.row_count.size() == history.symbols() &&
              history.symbols() > 0;
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
    }
    next += history.row_count[u];
  }
  require(next == rows, "row_count", history.symbols() - 1, "rows are left over");
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const std::vector<double>& column = history.*quantity.column;
    for (std::size_t i = 0; i < column.size(); ++i) {
      require(!std::isinf(column[i]), std::string(quantity.name), i, "infinite");
      require(!quantity.is_volume || !(column[i] < 0.0), std::string(quantity.name), i, "negative");
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
        const DailyHistory read = read_variables(h5::FileReader(file, file_size));
        transfer_history(out, read);
      },
      [&](h5::ArchiveReader& in) {
        transfer_history(in, history);
        validate(history);
      });
  return history;
}

}  // namespace greekgrid

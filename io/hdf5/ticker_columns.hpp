#pragma once

/// @file
/// What one ticker adds to the tables of a night, column by column. A night is the concatenation of its tickers: the
/// same functions say what a table holds whether the ticker was evaluated now, by a run that was cut short, or on
/// another machine. Private to io/hdf5.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive.hpp"
#include "table.hpp"

namespace greekgrid::h5 {

/// One step in the making of a file's tables, without values: equal for all tickers of a night.
struct TableItem {
  enum class Kind : std::int8_t { kGroup, kAttribute, kColumn, kRowNumbers };
  Kind kind = Kind::kColumn;
  std::string group;  ///< path below the root, such as profile/strike
  std::string name;   ///< kGroup: the dimension that its rows are counted by; kAttribute, kRowNumbers: its own
  std::string text;   ///< kAttribute
  Column column;      ///< kColumn
  Type type = Type::kFloat64;

  /// Whether every ticker has values of its own.
  bool of_ticker() const;
};
/// Whether the length of a dimension is the sum over tickers.
bool is_of_tickers(std::string_view dim);

template <class Archive>
void transfer(Archive& archive, Column& column) {
  archive(column.name, column.dims, column.long_name, column.units, column.flag_meanings, column.index_of,
          column.greatest_of_parts);
}
template <class Archive>
void transfer(Archive& archive, const Column& column) {
  archive(column.name, column.dims, column.long_name, column.units, column.flag_meanings, column.index_of,
          column.greatest_of_parts);
}
template <class Archive>
void transfer(Archive& archive, TableItem& item) {
  archive(item.kind, item.group, item.name, item.text, item.column, item.type);
}
template <class Archive>
void transfer(Archive& archive, const TableItem& item) {
  archive(item.kind, item.group, item.name, item.text, item.column, item.type);
}

/// Where the values of an item lie in the data.
struct ItemPlace {
  std::uint64_t offset = 0, count = 0, bytes = 0;  ///< count: values, or rows of kGroup's dimension

  template <class Archive>
  friend void transfer(Archive& archive, ItemPlace& place) {
    archive(place.offset, place.count, place.bytes);
  }
  template <class Archive>
  friend void transfer(Archive& archive, const ItemPlace& place) {
    archive(place.offset, place.count, place.bytes);
  }
};

/// The columns of one ticker: items, places and the values behind one another.
struct TickerColumns {
  std::vector<TableItem> item;
  std::vector<ItemPlace> place;  ///< by item
  std::string data;              ///< numbers as they lie in memory, texts as an archive of a list
};

/// The texts of a place. Throws Error.
std::vector<std::string> texts_of(std::span<const char> bytes);

/// Records one group in place of TableWriter.
class TableRecorder {
 public:
  /// @param dim the dimension that the group's rows are counted by: no rows over all tickers, no variables
  TableRecorder(TickerColumns& out, std::string group, const std::string& dim, std::size_t rows);
  void attribute(const std::string& name, const std::string& text);
  void column(const Column& column, const Values& values);
  void row_numbers(const std::string& dim, std::size_t n);

 private:
  void add(TableItem item, std::size_t count);

  TickerColumns& out_;
  std::string group_;
};

}  // namespace greekgrid::h5

#include "ticker_columns.hpp"

#include <algorithm>
#include <array>

namespace greekgrid::h5 {

bool is_of_tickers(std::string_view dim) {
  constexpr std::array<std::string_view, 7> kDims = {"ticker",     "row",  "expiry", "contract",
                                                     "strike_row", "line", "point"};
  return std::find(kDims.begin(), kDims.end(), dim) != kDims.end();
}

bool TableItem::of_ticker() const {
  return kind == Kind::kRowNumbers ? is_of_tickers(name)
                                   : kind == Kind::kColumn && !column.dims.empty() && is_of_tickers(column.dims[0]);
}

std::vector<std::string> texts_of(std::span<const char> bytes) {
  ArchiveReader in(bytes);
  std::vector<std::string> texts;
  in(texts);
  return texts;
}

TableRecorder::TableRecorder(TickerColumns& out, std::string group, const std::string& dim, std::size_t rows)
    : out_(out), group_(std::move(group)) {
  TableItem item;
  item.kind = TableItem::Kind::kGroup;
  item.name = dim;
  add(std::move(item), rows);
}

void TableRecorder::add(TableItem item, std::size_t count) {
  item.group = group_;
  out_.item.push_back(std::move(item));
  out_.place.push_back({out_.data.size(), count, 0});
}

void TableRecorder::attribute(const std::string& name, const std::string& text) {
  TableItem item;
  item.kind = TableItem::Kind::kAttribute;
  item.name = name;
  item.text = text;
  add(std::move(item), 0);
}

void TableRecorder::column(const Column& column, const Values& values) {
  TableItem item;
  item.column = column;
  item.type = values.type;
  add(std::move(item), values.count);
  ItemPlace& place = out_.place.back();
  if (values.type == Type::kString) {
    ArchiveWriter archive(out_.data);
    const auto* texts = static_cast<const std::string*>(values.data);
    archive(std::vector<std::string>(texts, texts + values.count));
  } else if (values.count > 0) {
    out_.data.append(static_cast<const char*>(values.data), values.count * size_of(values.type));
  }
  place.bytes = out_.data.size() - place.offset;
}

void TableRecorder::row_numbers(const std::string& dim, std::size_t n) {
  TableItem item;
  item.kind = TableItem::Kind::kRowNumbers;
  item.name = dim;
  add(std::move(item), n);
}

}  // namespace greekgrid::h5

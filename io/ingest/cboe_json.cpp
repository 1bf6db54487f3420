// CBOE's delayed quotes as JSON: data.current_price and data.options[], one element per contract with its OSI symbol.

#include <simdjson.h>

#include <limits>

#include "vendor_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kDepthLimit = 64;

struct Field {
  const char* key;
  Quantity quantity;
};
constexpr Field kFields[] = {{"last_trade_price", {&ContractRow::last, false}},
                             {"bid", {&ContractRow::bid, false}},
                             {"ask", {&ContractRow::ask, false}},
                             {"volume", {&ContractRow::volume, false}},
                             {"open_interest", {&ContractRow::open_interest, false}},
                             {"iv", {&ContractRow::iv, false}},
                             {"delta", {&ContractRow::delta, true}},
                             {"gamma", {&ContractRow::gamma, true}}};

/// A JSON number, a number in a string, or null; a key that is absent is missing too.
Number number_of(const simdjson::simdjson_result<dom::element>& found) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  dom::element element;
  if (found.get(element) != simdjson::SUCCESS || element.is_null()) return {NumberKind::kMissing, nan};
  if (element.is_bool()) return {NumberKind::kBad, nan};
  double value = nan;
  if (element.get(value) == simdjson::SUCCESS) {
    return value - value == 0.0 ? Number{NumberKind::kNumber, value == 0.0 ? 0.0 : value}
                                : Number{NumberKind::kNonFinite, nan};
  }
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) return parse_number(text);
  return {NumberKind::kBad, nan};
}

std::string text_of(const dom::element& element) {
  if (element.is_array()) return "[...]";
  if (element.is_object()) return "{...}";
  return shown(simdjson::minify(element));
}

class OptionReader {
 public:
  explicit OptionReader(RowBlock& block) : block_(block) {}

  void read(const dom::element& element, std::int64_t number) {
    line_ = number;
    ++block_.rows_in;
    dom::object option;
    if (element.get(option) != simdjson::SUCCESS) return refuse("options", rule::kNotAnObject, text_of(element));
    std::string_view text;
    if (option["option"].get(text) != simdjson::SUCCESS) return refuse("option", rule::kBadSymbol, "");
    const std::optional<ContractSymbol> symbol = parse_contract_symbol(text);
    if (!symbol) return refuse("option", rule::kBadSymbol, text);
    if (symbol->strike <= 0) return refuse("option", rule::kNonpositiveStrike, text);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    ContractRow row{
        nan, nan, nan, nan, nan, nan, nan, nan, nan, symbol->strike, 0, line_, 0, 0, symbol->expiration, symbol->right};
    for (const Field& field : kFields) {
      const auto found = option[field.key];
      const std::string_view why = store_quantity(row, field.quantity, number_of(found));
      if (!why.empty()) return refuse(field.key, why, text_of(found.value_unsafe()));
    }
    row.root = block_.intern(symbol->root);
    block_.row.push_back(row);
  }

 private:
  void refuse(std::string_view field, std::string_view why, std::string_view value) {
    block_.reject.push_back({"", line_, std::string(field), std::string(why), shown(value), ""});
  }

  RowBlock& block_;
  std::int64_t line_ = 0;
};

}  // namespace

SourceRows parse_cboe_json(std::string head, SourceText& source, const Calendar& calendar) {
  source.read_all(head);
  const auto fail = [&source](const std::string& what) { throw InputError(source.label() + ": " + what); };
  dom::parser parser;
  dom::element document;
  // The depth limit holds only for a parser that need not grow.
  if (parser.allocate(head.size(), kDepthLimit) != simdjson::SUCCESS)
    fail("no memory for the JSON text close programs");
  if (const simdjson::error_code error = parser.parse(head).get(document); error != simdjson::SUCCESS) {
    fail(std::string("the JSON cannot be read (") + simdjson::error_message(error) + ") fetch the file again");
  }
  dom::object data;
  if (document["data"].get(data) != simdjson::SUCCESS) {
    fail("no object 'data' (not CBOE's delayed quotes) check --format");
  }
  dom::array options;
  if (data["options"].get(options) != simdjson::SUCCESS) {
    fail("no array 'data.options' (not CBOE's delayed quotes) check --format");
  }
  const Number spot = number_of(data["current_price"]);
  if (spot.kind == NumberKind::kBad || spot.kind == NumberKind::kNonFinite || spot.value < 0.0) {
    fail("the price of the underlying is unreadable (data.current_price) fetch the file again");
  }
  std::string ticker;
  std::string_view text;
  if (document["symbol"].get(text) == simdjson::SUCCESS || data["symbol"].get(text) == simdjson::SUCCESS) {
    const std::optional<std::string> normal = normal_ticker(text);
    if (!normal) fail("the symbol of the underlying is unreadable ('" + shown(text) + "') fetch the file again");
    ticker = family_underlying(*normal);
  }

  SourceRows rows;
  if (document["timestamp"].get(text) == simdjson::SUCCESS) {
    // The stamp is UTC and does not say so.
    rows.file_time = parse_iso_instant(text, 0).value_or(0);
    if (rows.file_time != 0) rows.quote_time = calendar.quote_time(rows.file_time - kCboeDelay);
  }
  RowBlock block;
  OptionReader reader(block);
  std::int64_t number = 0;
  for (const dom::element& option : options) reader.read(option, ++number);
  block.lines = number;
  assign_underlying(block, ticker, spot.value, "option", "option");
  rows.block.push_back(std::move(block));
  return rows;
}

}  // namespace greekgrid::ingest_detail

// CBOE's "quotedata.csv": a preamble of company, spot and stamp, then one row per strike with the call on the left and
// the put on the right under the same column names.

#include <algorithm>
#include <array>
#include <limits>

#include "vendor_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);
constexpr int kPreambleLines = 12;

enum Column : std::uint8_t { kLast, kBid, kAsk, kVolume, kIv, kDelta, kGamma, kOpenInterest, kColumns };

constexpr std::array<Quantity, kColumns> kQuantities{
    Quantity{&ContractRow::last, false}, Quantity{&ContractRow::bid, false},
    Quantity{&ContractRow::ask, false},  Quantity{&ContractRow::volume, false},
    Quantity{&ContractRow::iv, false},   Quantity{&ContractRow::delta, true},
    Quantity{&ContractRow::gamma, true}, Quantity{&ContractRow::open_interest, false}};

int column_of(std::string_view field) {
  const std::string name = lower_case(trimmed(field));
  if (name == "last sale" || name == "last") return kLast;
  if (name == "bid") return kBid;
  if (name == "ask") return kAsk;
  if (name == "volume" || name == "vol") return kVolume;
  if (name == "iv") return kIv;
  if (name == "delta") return kDelta;
  if (name == "gamma") return kGamma;
  if (name == "open interest" || name == "open int" || name == "int") return kOpenInterest;
  return -1;
}

bool is_named(std::string_view field, std::string_view name) {
  return lower_case(trimmed(field)) == name;
}

struct Side {
  std::size_t symbol = kAbsent;
  std::array<std::size_t, kColumns> column{};
  Side() { column.fill(kAbsent); }
};

struct Layout {
  std::size_t expiration = kAbsent, strike = kAbsent, count = 0;
  Side call, put;
  std::vector<std::string> name;  // as the file spells it
};

Layout read_header(const std::vector<std::string_view>& fields, const std::string& where) {
  Layout layout;
  layout.count = fields.size();
  Side* side = nullptr;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    layout.name.emplace_back(trimmed(fields[i]));
    if (is_named(fields[i], "expiration date") || is_named(fields[i], "expiration")) {
      layout.expiration = i;
    } else if (is_named(fields[i], "strike")) {
      layout.strike = i;
    } else if (is_named(fields[i], "calls")) {
      side = &layout.call;
      side->symbol = i;
    } else if (is_named(fields[i], "puts")) {
      side = &layout.put;
      side->symbol = i;
    } else if (const int column = column_of(fields[i]); column >= 0 && side != nullptr) {
      std::size_t& slot = side->column[static_cast<std::size_t>(column)];
      if (slot == kAbsent) slot = i;
    }
  }
  const auto require = [&where](std::size_t column, const char* what) {
    if (column == kAbsent) {
      throw InputError(where + ": the header lacks " + what + " (columns are found by name) fetch the file again");
    }
  };
  require(layout.expiration, "'Expiration Date'");
  require(layout.strike, "'Strike'");
  require(layout.call.symbol, "'Calls'");
  require(layout.put.symbol, "'Puts'");
  for (const Side* s : {&layout.call, &layout.put}) {
    require(s->column[kBid], "'Bid' on both sides");
    require(s->column[kAsk], "'Ask' on both sides");
    require(s->column[kOpenInterest], "'Open Interest' on both sides");
  }
  return layout;
}

/// A price as the preamble prints it: thousands may be grouped by commas.
Number preamble_number(std::string_view text) {
  std::string digits;
  for (const char c : text.substr(0, 64)) {
    if (c != ',') digits += c;
  }
  return parse_number(digits);
}

struct Preamble {
  double spot = std::numeric_limits<double>::quiet_NaN();
  Instant stamp = 0;
};

/// `line` is the text of one preamble line, `fields` its fields.
void read_preamble_line(std::string_view line, const std::vector<std::string_view>& fields, const std::string& where,
                        Preamble& preamble) {
  const bool spot_known = preamble.spot == preamble.spot;
  bool labelled = false;
  for (const std::string_view field : fields) {
    std::string_view text = trimmed(field);
    if (lower_case(text.substr(0, 5)) == "last:") {
      labelled = true;
      const Number number = preamble_number(text.substr(5));
      if (number.kind == NumberKind::kBad || number.kind == NumberKind::kNonFinite || number.value < 0.0) {
        throw InputError(where + ": the price of the underlying is unreadable ('" + shown(text) +
                         "') fetch the file again");
      }
      preamble.spot = number.value;
    }
  }
  const std::optional<Instant> stamp = fields.empty() ? std::nullopt : parse_instant_in_words(fields.front());
  if (stamp && preamble.stamp == 0) {
    preamble.stamp = *stamp;
    return;
  }
  if (!stamp && preamble.stamp == 0) {
    // Older layouts and other languages may break the date at its comma without quotes.
    if (const std::optional<Instant> whole = parse_instant_in_words(line.substr(0, line.find(",Bid")))) {
      preamble.stamp = *whole;
      return;
    }
  }
  // Before labels: "SPX (S&P 500 INDEX),2690.73,-45.54".
  if (!labelled && !spot_known && preamble.spot != preamble.spot && fields.size() >= 2 && fields.size() <= 4) {
    const Number number = parse_number(fields[1]);
    if (number.kind == NumberKind::kNumber && number.value > 0.0) preamble.spot = number.value;
  }
}

class TableReader {
 public:
  TableReader(const Layout& layout, RowBlock& block) : layout_(layout), block_(block) {}

  void read(std::string_view line, std::int64_t number) {
    line_ = number;
    block_.rows_in += 2;
    if (!split_fields(line, fields_, unquoted_)) {
      refuse_both("", rule::kBadQuoting, line);
      return;
    }
    // A trailing comma is tolerated: some layouts end every row with one.
    const bool trailing = fields_.size() == layout_.count + 1 && trimmed(fields_.back()).empty();
    if (fields_.size() != layout_.count && !trailing) {
      refuse_both("row", rule::kColumnCount, line);
      return;
    }
    const std::string_view expiration = fields_[layout_.expiration];
    if (expiration != last_expiration_text_) {
      last_expiration_ = parse_date_in_words(expiration);
      last_expiration_text_ = expiration;
    }
    if (!last_expiration_) {
      refuse_both(layout_.name[layout_.expiration], rule::kBadDate, expiration);
      return;
    }
    read_side(layout_.call, 1);
    read_side(layout_.put, -1);
  }

 private:
  void refuse(std::string_view field, std::string_view why, std::string_view value) {
    block_.reject.push_back({"", line_, std::string(field), std::string(why), shown(value), ""});
  }
  void refuse_both(std::string_view field, std::string_view why, std::string_view value) {
    refuse(field, why, value);
    refuse(field, why, value);
  }

  void read_side(const Side& side, std::int8_t right) {
    const std::string_view text = fields_[side.symbol];
    const std::string& symbol_name = layout_.name[side.symbol];
    if (has_exchange_suffix(text)) return refuse(symbol_name, rule::kExchangeRepeat, text);
    const std::optional<ContractSymbol> symbol = parse_contract_symbol(text);
    if (!symbol) return refuse(symbol_name, rule::kBadSymbol, text);
    if (symbol->expiration != *last_expiration_) {
      return refuse(layout_.name[layout_.expiration], rule::kContradictsSymbol, text);
    }
    if (symbol->right != right) return refuse(symbol_name, rule::kContradictsSymbol, text);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    ContractRow row{nan, nan, nan, nan, nan, nan, nan, nan, nan, 0, 0, line_, 0, 0, symbol->expiration, right};
    const std::string_view strike_text = fields_[layout_.strike];
    if (const std::string_view why = check_strike(strike_text, &symbol->strike, row.strike); !why.empty()) {
      return refuse(layout_.name[layout_.strike], why, strike_text);
    }
    for (std::size_t q = 0; q < kColumns; ++q) {
      const std::size_t column = side.column[q];
      if (column == kAbsent) continue;
      const std::string_view why = store_quantity(row, kQuantities[q], parse_number(fields_[column]));
      if (!why.empty()) return refuse(layout_.name[column], why, fields_[column]);
    }
    row.root = block_.intern(symbol->root);
    block_.row.push_back(row);
  }

  const Layout& layout_;
  RowBlock& block_;
  std::vector<std::string_view> fields_;
  std::string unquoted_, last_expiration_text_;
  std::optional<DayNumber> last_expiration_;
  std::int64_t line_ = 0;
};

}  // namespace

bool is_cboe_header(const std::vector<std::string_view>& fields) {
  const auto has = [&fields](std::string_view name) {
    return std::any_of(fields.begin(), fields.end(), [name](std::string_view f) { return is_named(f, name); });
  };
  return has("calls") && has("puts");
}

std::string underlying_of_most_rows(const std::map<std::string, std::int64_t>& rows_of_root) {
  // An adjusted root counts for the root it was adjusted from, so that a file of nothing else still names its
  // underlying. Ties go to the lower name.
  std::map<std::string, std::int64_t> rows;
  for (const auto& [root, count] : rows_of_root) rows[std::string(root_underlying(root))] += count;
  std::string ticker;
  std::int64_t most = -1;
  for (const auto& [name, count] : rows) {
    if (count > most) {
      most = count;
      ticker = name;
    }
  }
  return ticker;
}

void apply_underlying(RowBlock& block, const std::string& ticker, std::string_view call_field,
                      std::string_view put_field) {
  for (Diagnostic& reject : block.reject) reject.ticker = ticker;
  std::vector<RootStanding> standing;
  for (const std::string& root : block.symbol) standing.push_back(root_standing(ticker, root));
  const std::int32_t id = block.intern(ticker);
  std::size_t kept = 0;
  for (ContractRow& row : block.row) {
    const RootStanding is = standing[static_cast<std::size_t>(row.root)];
    row.multiplier = class_multiplier(is, row.multiplier);
    if (row.multiplier == 0) {
      block.reject.push_back({"", row.line, std::string(row.right > 0 ? call_field : put_field),
                              std::string(is == RootStanding::kAdjusted ? rule::kAdjustedRoot : rule::kForeignRoot),
                              symbol_text(row, block.symbol[static_cast<std::size_t>(row.root)]), ticker});
      continue;
    }
    row.ticker = id;
    block.row[kept++] = row;
  }
  block.row.resize(kept);
}

void assign_underlying(RowBlock& block, const std::string& given, double spot, std::string_view call_field,
                       std::string_view put_field) {
  std::map<std::string, std::int64_t> count;
  for (ContractRow& row : block.row) {
    ++count[block.symbol[static_cast<std::size_t>(row.root)]];
    row.spot = spot;
    row.multiplier = 0;  // the root says
  }
  apply_underlying(block, given.empty() ? underlying_of_most_rows(count) : given, call_field, put_field);
}

SourceRows parse_cboe_csv(std::string head, SourceText& source, const Calendar& calendar) {
  source.read_all(head);
  SourceRows rows;
  RowBlock block;
  std::string_view rest = head;
  std::string_view line;
  std::int64_t number = 0;
  const auto next = [&] {
    if (!next_line(rest, line)) return false;
    ++number;
    if (line.size() > kLineLimit) {
      throw InputError(source.label() + ":" + std::to_string(number) +
                       ": line longer than 1 MiB (limit) this is not a quote file");
    }
    return true;
  };
  const auto where = [&] { return source.label() + ":" + std::to_string(number); };

  Preamble preamble;
  std::optional<Layout> layout;
  std::vector<std::string_view> fields;
  std::string unquoted;
  while (!layout && number < kPreambleLines && next()) {
    const bool readable = split_fields(line, fields, unquoted);
    if (!readable) fields.clear();
    if (is_cboe_header(fields)) {
      layout = read_header(fields, where());
    } else {
      read_preamble_line(line, fields, where(), preamble);
    }
  }
  if (!layout) {
    throw InputError(
        source.label() +
        ": no header with 'Calls' and 'Puts' in the first lines (not a CBOE quote file, or cut short) check "
        "--format");
  }
  TableReader table(*layout, block);
  while (next()) {
    if (!trimmed(line).empty()) table.read(line, number);
  }
  block.lines = number;
  assign_underlying(block, "", preamble.spot, layout->name[layout->call.symbol], layout->name[layout->put.symbol]);
  rows.file_time = preamble.stamp;
  rows.quote_time = preamble.stamp == 0 ? 0 : calendar.quote_time(preamble.stamp - kCboeDelay);
  rows.block.push_back(std::move(block));
  return rows;
}

}  // namespace greekgrid::ingest_detail

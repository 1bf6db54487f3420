// Long CSV: one row per contract, many underlyings, columns found by name. Blocks of lines are parsed concurrently
// while the next ones are decompressed; rows keep the order of the file.

#include <oneapi/tbb/parallel_pipeline.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "vendor_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);
constexpr std::size_t kBlockBytes = std::size_t{2} << 20;
constexpr std::size_t kBlocksInFlight = 8;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr std::array kQuantityNames{"bid",   "ask",  "last", "volume", "open_interest", "implied_volatility",
                                    "delta", "gamma"};
constexpr std::array<Quantity, kQuantityNames.size()> kQuantities{
    Quantity{&ContractRow::bid, false},           Quantity{&ContractRow::ask, false},
    Quantity{&ContractRow::last, false},          Quantity{&ContractRow::volume, false},
    Quantity{&ContractRow::open_interest, false}, Quantity{&ContractRow::iv, false},
    Quantity{&ContractRow::delta, true},          Quantity{&ContractRow::gamma, true}};

struct Layout {
  std::size_t underlying = kAbsent, updated = kAbsent, spot = kAbsent, symbol = kAbsent, expiration = kAbsent,
              right = kAbsent, strike = kAbsent, count = 0;
  std::array<std::size_t, kQuantityNames.size()> quantity{};
  std::vector<std::string> name;
};

Layout read_header(const std::vector<std::string_view>& fields, const std::string& where) {
  Layout layout;
  layout.quantity.fill(kAbsent);
  layout.count = fields.size();
  const auto place = [&](std::size_t& slot, std::size_t column) {
    if (slot != kAbsent) {
      throw InputError(where + ": the header names '" + layout.name[column] +
                       "' twice (columns are found by name) rename one of them");
    }
    slot = column;
  };
  for (std::size_t i = 0; i < fields.size(); ++i) {
    layout.name.emplace_back(trimmed(fields[i]));
    const std::string name = lower_case(layout.name.back());
    if (name == "underlying") place(layout.underlying, i);
    if (name == "updated") place(layout.updated, i);
    if (name == "underlying_price") place(layout.spot, i);
    if (name == "option_symbol") place(layout.symbol, i);
    if (name == "expiration") place(layout.expiration, i);
    if (name == "right") place(layout.right, i);
    if (name == "strike") place(layout.strike, i);
    for (std::size_t q = 0; q < kQuantityNames.size(); ++q) {
      if (name == kQuantityNames[q]) place(layout.quantity[q], i);
    }
  }
  const auto require = [&where](std::size_t column, const char* what) {
    if (column == kAbsent) {
      throw InputError(where + ": the header lacks '" + what +
                       "' (columns are found by name) rename or add the column");
    }
  };
  require(layout.underlying, "underlying");
  require(layout.expiration, "expiration");
  require(layout.right, "right");
  require(layout.strike, "strike");
  require(layout.quantity[4], "open_interest");
  return layout;
}

/// One block on its way: text in, rows out.
struct Parcel {
  std::string text;
  RowBlock block;
  std::string problem;            // set if the source failed behind this text
  std::int64_t problem_line = 0;  // of the block, 0 if the problem has none
};

/// Parses one block. What consecutive rows share (underlying, stamp, spot, root, expiration) is read once.
class BlockReader {
 public:
  BlockReader(const Layout& layout, Parcel& parcel) : layout_(layout), parcel_(parcel), block_(parcel.block) {}

  void read() {
    std::string_view rest = parcel_.text;
    std::string_view line;
    block_.row.reserve(rest.size() / 96);
    while (next_line(rest, line)) {
      ++block_.lines;
      if (line.size() > kLineLimit) {
        parcel_.problem = "line longer than 1 MiB (limit) this is not a chain file";
        parcel_.problem_line = block_.lines;
        return;
      }
      if (trimmed(line).empty()) continue;
      ++block_.rows_in;
      read_row(line);
    }
  }

 private:
  void refuse(std::size_t column, std::string_view why, std::string_view value) {
    block_.reject.push_back({"", block_.lines, column == kAbsent ? std::string("row") : layout_.name[column],
                             std::string(why), shown(value), std::string(trimmed(ticker_))});
  }

  bool read_ticker(std::string_view text) {
    if (have_ticker_ && text == ticker_text_) return true;
    ticker_text_ = text;
    const std::optional<std::string> ticker = normal_ticker(text);
    have_ticker_ = ticker.has_value();
    ticker_ = ticker.value_or("");
    if (have_ticker_) ticker_id_ = block_.intern(ticker_);
    root_text_.clear();  // its standing depends on the ticker
    return have_ticker_;
  }

  bool read_stamp(std::string_view text) {
    if (have_stamp_ && text == stamp_text_) return true;
    const std::optional<Instant> stamp = parse_iso_instant(text);
    stamp_text_ = text;
    have_stamp_ = stamp.has_value();
    stamp_ = stamp.value_or(0);
    return have_stamp_;
  }

  void read_row(std::string_view line) {
    if (!split_fields(line, fields_, unquoted_)) {
      ticker_.clear();
      have_ticker_ = false;
      return refuse(kAbsent, rule::kBadQuoting, line);
    }
    if (fields_.size() != layout_.count) {
      ticker_.clear();
      have_ticker_ = false;
      return refuse(kAbsent, rule::kColumnCount, line);
    }
    if (!read_ticker(fields_[layout_.underlying])) {
      return refuse(layout_.underlying, rule::kBadTicker, fields_[layout_.underlying]);
    }
    ContractRow row{kNan, kNan, kNan, kNan,         kNan,       kNan,       kNan, kNan,
                    kNan, 0,    0,    block_.lines, ticker_id_, ticker_id_, 0,    0};
    if (layout_.updated != kAbsent) {
      if (!read_stamp(fields_[layout_.updated])) {
        return refuse(layout_.updated, rule::kBadStamp, fields_[layout_.updated]);
      }
      row.stamp = stamp_;
    }

    const std::string_view expiration = fields_[layout_.expiration];
    if (!have_expiration_ || expiration != expiration_text_) {
      const std::optional<DayNumber> day = parse_iso_date(expiration);
      expiration_text_ = expiration;
      have_expiration_ = day.has_value();
      expiration_ = day.value_or(0);
    }
    if (!have_expiration_) return refuse(layout_.expiration, rule::kBadDate, expiration);
    row.expiration = expiration_;

    const std::string_view right = trimmed(fields_[layout_.right]);
    if (right.size() == 1) {
      row.right = static_cast<std::int8_t>(right[0] == 'C' || right[0] == 'c'   ? 1
                                           : right[0] == 'P' || right[0] == 'p' ? -1
                                                                                : 0);
    } else {
      const std::string word = lower_case(right.substr(0, 5));
      row.right = static_cast<std::int8_t>(right.size() > 4 ? 0 : word == "call" ? 1 : word == "put" ? -1 : 0);
    }
    if (row.right == 0) return refuse(layout_.right, rule::kBadRight, right);

    std::optional<ContractSymbol> symbol;
    if (layout_.symbol != kAbsent) {
      const std::string_view text = fields_[layout_.symbol];
      symbol = parse_contract_symbol(text);
      if (!symbol) return refuse(layout_.symbol, rule::kBadSymbol, text);
      if (symbol->expiration != row.expiration || symbol->right != row.right) {
        return refuse(layout_.symbol, rule::kContradictsSymbol, text);
      }
    }
    const std::string_view strike = fields_[layout_.strike];
    if (const std::string_view why = check_strike(strike, symbol ? &symbol->strike : nullptr, row.strike);
        !why.empty()) {
      const bool contradiction = why == rule::kContradictsSymbol;
      return refuse(contradiction ? layout_.symbol : layout_.strike, why,
                    contradiction ? fields_[layout_.symbol] : strike);
    }
    if (!read_root(symbol ? symbol->root : std::string_view(), row)) return;

    if (layout_.spot != kAbsent) {
      const Number spot = parse_number(fields_[layout_.spot]);
      const std::string_view why = store_quantity(row, {&ContractRow::spot, false}, spot);
      if (!why.empty()) return refuse(layout_.spot, why, fields_[layout_.spot]);
    }
    for (std::size_t q = 0; q < kQuantities.size(); ++q) {
      const std::size_t column = layout_.quantity[q];
      if (column == kAbsent) continue;
      const std::string_view why = store_quantity(row, kQuantities[q], parse_number(fields_[column]));
      if (!why.empty()) return refuse(column, why, fields_[column]);
    }
    block_.newest_stamp = std::max(block_.newest_stamp, row.stamp);
    block_.row.push_back(row);
  }

  /// Without a symbol the root is the ticker without its punctuation.
  bool read_root(std::string_view root, ContractRow& row) {
    std::string letters;
    if (root.empty()) {
      for (const char c : ticker_) {
        if (c != '.' && c != '-' && c != '/') letters += c;
      }
      root = letters;
    }
    if (root != root_text_) {
      root_text_ = root;
      standing_ = root_standing(ticker_, root);
      root_id_ = block_.intern(root);
    }
    row.root = root_id_;
    if (standing_ == RootStanding::kStandard) return true;
    const std::size_t column = layout_.symbol != kAbsent ? layout_.symbol : layout_.underlying;
    refuse(column, standing_ == RootStanding::kAdjusted ? rule::kAdjustedRoot : rule::kForeignRoot, fields_[column]);
    return false;
  }

  const Layout& layout_;
  Parcel& parcel_;
  RowBlock& block_;
  std::vector<std::string_view> fields_;
  std::string unquoted_;
  // Copies: a quoted field lives only as long as its line.
  std::string ticker_text_, ticker_, stamp_text_, expiration_text_, root_text_;
  bool have_ticker_ = false, have_stamp_ = false, have_expiration_ = false;
  std::int32_t ticker_id_ = 0, root_id_ = 0;
  Instant stamp_ = 0;
  DayNumber expiration_ = 0;
  RootStanding standing_ = RootStanding::kStandard;
};

/// Cuts the stream into blocks of whole lines. A failure of the source travels with the text before it, so that it is
/// reported in order.
class BlockCutter {
 public:
  BlockCutter(std::string carry, SourceText& source) : carry_(std::move(carry)), source_(source) {}

  std::shared_ptr<Parcel> next() {
    if (finished_) return nullptr;
    auto parcel = std::make_shared<Parcel>();
    parcel->text = std::move(carry_);
    carry_.clear();
    try {
      if (!source_.ended() && parcel->text.size() < kBlockBytes) {
        source_.read(parcel->text, kBlockBytes - parcel->text.size());
      }
    } catch (const InputError& error) {
      parcel->problem = error.what();
      finished_ = true;
      return parcel;
    }
    if (source_.ended()) {
      finished_ = true;
      return parcel->text.empty() ? nullptr : parcel;
    }
    const std::size_t end = parcel->text.rfind('\n');
    if (end == std::string::npos || parcel->text.size() - end - 1 > kLineLimit) {
      // The unfinished line is over the limit already: the reader reports it where it stands.
      finished_ = true;
      return parcel;
    }
    carry_.assign(parcel->text, end + 1);
    parcel->text.resize(end + 1);
    return parcel;
  }

 private:
  std::string carry_;
  SourceText& source_;
  bool finished_ = false;
};

}  // namespace

bool is_long_header(const std::vector<std::string_view>& fields) {
  bool underlying = false, expiration = false, strike = false;
  for (const std::string_view field : fields) {
    const std::string name = lower_case(trimmed(field).substr(0, 32));
    underlying |= name == "underlying";
    expiration |= name == "expiration";
    strike |= name == "strike";
  }
  return underlying && expiration && strike;
}

SourceRows parse_long_csv(std::string head, SourceText& source, const Calendar& calendar) {
  std::size_t end = head.find('\n');
  while (end == std::string::npos && !source.ended() && head.size() <= kLineLimit) {
    source.read(head, kLineLimit);
    end = head.find('\n');
  }
  std::string_view rest = head;
  std::string_view line;
  next_line(rest, line);
  const std::string where = source.label() + ":1";
  if (line.size() > kLineLimit) throw InputError(where + ": line longer than 1 MiB (limit) this is not a chain file");
  std::vector<std::string_view> fields;
  std::string unquoted;
  if (!split_fields(line, fields, unquoted)) {
    throw InputError(where + ": the header is unreadable (a quote is not closed) fetch the file again");
  }
  const Layout layout = read_header(fields, where);

  SourceRows rows;
  BlockCutter cutter(std::string(rest), source);
  std::int64_t lines = 1;
  std::string problem;
  using Shared = std::shared_ptr<Parcel>;
  tbb::parallel_pipeline(
      kBlocksInFlight,
      tbb::make_filter<void, Shared>(tbb::filter_mode::serial_in_order, [&cutter](tbb::flow_control& control) {
        Shared parcel = cutter.next();
        if (!parcel) control.stop();
        return parcel;
      }) & tbb::make_filter<Shared, Shared>(tbb::filter_mode::parallel, [&layout](Shared parcel) {
        BlockReader(layout, *parcel).read();
        return parcel;
      }) & tbb::make_filter<Shared, void>(tbb::filter_mode::serial_in_order, [&](Shared parcel) {
        if (!problem.empty()) return;
        if (!parcel->problem.empty()) {
          problem = parcel->problem_line == 0
                        ? parcel->problem
                        : source.label() + ":" + std::to_string(lines + parcel->problem_line) + ": " + parcel->problem;
          return;
        }
        for (ContractRow& row : parcel->block.row) row.line += lines;
        for (Diagnostic& reject : parcel->block.reject) reject.row += lines;
        lines += parcel->block.lines;
        rows.file_time = std::max(rows.file_time, parcel->block.newest_stamp);
        rows.block.push_back(std::move(parcel->block));
      }));
  if (!problem.empty()) throw InputError(problem);

  if (rows.file_time != 0) {
    // The latest session whose close is not after the newest stamp; an own stamp before the close of the session before
    // that one is more than one session behind.
    Session session = calendar.session_on_or_before(new_york_date(rows.file_time));
    const auto previous = [&calendar](const Session& s) {
      return calendar.session_on_or_before(Date{std::chrono::sys_days{s.date} - std::chrono::days{1}});
    };
    if (session.close > rows.file_time) session = previous(session);
    rows.quote_time = session.close;
    rows.stale_before = previous(session).close;
  }
  return rows;
}

}  // namespace greekgrid::ingest_detail

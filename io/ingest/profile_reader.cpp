// Tables as a profile describes them: a row per contract, or call and put side by side; columns found by name. Blocks
// of lines are parsed concurrently while the next ones are decompressed; rows keep the order of the file.

#include <oneapi/tbb/parallel_pipeline.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "vendor_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);
constexpr std::size_t kBlockBytes = std::size_t{2} << 20;
constexpr std::size_t kBlocksInFlight = 8;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const std::string kNoPrefix;

using QuantityArray = std::array<Quantity, kQuantityColumns>;
constexpr QuantityArray kQuantities{Quantity{&ContractRow::bid, false},           Quantity{&ContractRow::ask, false},
                                    Quantity{&ContractRow::last, false},          Quantity{&ContractRow::volume, false},
                                    Quantity{&ContractRow::open_interest, false}, Quantity{&ContractRow::iv, false},
                                    Quantity{&ContractRow::delta, true},          Quantity{&ContractRow::gamma, true}};

/// Where the header has a column of the profile.
struct Slot {
  std::size_t column = kAbsent;
  const ColumnRule* rule = nullptr;
  bool plain = true;  // neither scale nor sentinel
  explicit operator bool() const { return column != kAbsent; }
};

struct SideLayout {
  std::int8_t right = 0;  // 0: the column says
  Slot symbol;
  std::array<Slot, kQuantityColumns> quantity;
};

struct Layout {
  const Profile* profile = nullptr;
  Slot underlying, root, expiration, right, strike, session, stamp, spot, multiplier, exchange, deliverable, settlement,
      exercise;
  std::vector<SideLayout> side;
  std::size_t count = 0;
  std::vector<std::string> name;  // as the file spells it
  std::string ticker;             // of every row, where neither column nor root says; empty otherwise
  bool ticker_of_most_rows = false;
  std::optional<DayNumber> wanted_session;
  const Calendar* calendar = nullptr;
};

Layout read_header(const std::vector<std::string_view>& fields, const Profile& profile, const IngestOptions& options,
                   const Calendar& calendar, const std::string& where) {
  Layout layout;
  layout.profile = &profile;
  layout.calendar = &calendar;
  layout.count = fields.size();
  std::map<std::string, std::size_t> place;
  std::set<std::string> twice;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    layout.name.emplace_back(trimmed(fields[i]));
    const std::string name = lower_case(layout.name.back());
    if (!place.emplace(name, i).second) twice.insert(name);
  }
  const auto find = [&](const ColumnRule& rule) {
    Slot slot;
    for (const std::string& name : rule.name) {
      const auto it = place.find(name);
      if (it == place.end()) continue;
      if (twice.count(name) > 0) {
        throw InputError(where + ": the header names '" + layout.name[it->second] +
                         "' twice (columns are found by name) rename one of them");
      }
      slot.column = it->second;
      slot.rule = &rule;
      slot.plain = rule.plain();
      break;
    }
    return slot;
  };
  const auto lacks = [&](const std::string& what) {
    return InputError(where + ": the header lacks '" + what + "' (columns of " + profile.format +
                      " are found by name) rename or add the column, or choose another --format");
  };
  layout.underlying = find(profile.underlying);
  layout.root = find(profile.root);
  layout.expiration = find(profile.expiration);
  layout.right = find(profile.right);
  layout.strike = find(profile.strike);
  layout.session = find(profile.session);
  layout.stamp = find(profile.stamp);
  layout.spot = find(profile.spot);
  layout.multiplier = find(profile.multiplier);
  layout.exchange = find(profile.exchange);
  layout.deliverable = find(profile.deliverable);
  layout.settlement = find(profile.settlement);
  layout.exercise = find(profile.exercise);
  layout.side.resize(profile.pair ? 2 : 1);
  for (std::size_t s = 0; s < layout.side.size(); ++s) {
    const SideRule& rule = s == 0 ? profile.call : profile.put;
    layout.side[s].right = static_cast<std::int8_t>(!profile.pair ? 0 : s == 0 ? 1 : -1);
    layout.side[s].symbol = find(rule.symbol);
    for (std::size_t q = 0; q < kQuantityColumns; ++q) layout.side[s].quantity[q] = find(rule.quantity[q]);
  }
  for (const SideLayout& side : layout.side) {
    if (side.symbol) continue;
    const auto require = [&](const Slot& slot, const ColumnRule& rule) {
      if (slot) return;
      throw lacks(!rule.name.empty() ? rule.name.front() : profile.call.symbol.name.front());
    };
    require(layout.expiration, profile.expiration);
    require(layout.strike, profile.strike);
    if (side.right == 0) require(layout.right, profile.right);
  }
  for (const std::string& name : profile.require) {
    if (place.count(name) == 0) throw lacks(name);
  }
  const std::string& given = !options.underlying.empty() ? options.underlying : profile.fixed_underlying;
  if (layout.underlying) {
    if (!options.underlying.empty()) {
      throw InputError(where + ": --underlying beside the column '" + layout.name[layout.underlying.column] +
                       "' (the file names its underlyings) leave --underlying out");
    }
  } else if (!given.empty()) {
    const std::optional<std::string> ticker = normal_ticker(given);
    if (!ticker)
      throw InputError(where + ": the underlying '" + shown(given) + "' is no symbol (bad character) correct it");
    layout.ticker = *ticker;
  } else if (profile.underlying_from == UnderlyingFrom::kFile) {
    layout.ticker_of_most_rows = true;
  } else if (profile.underlying_from == UnderlyingFrom::kColumn) {
    if (!profile.underlying.name.empty()) throw lacks(profile.underlying.name.front());
    throw InputError(where + ": no column names the underlying (files of " + profile.format +
                     " do not) give it with --underlying");
  }
  const bool roots = layout.root || std::any_of(layout.side.begin(), layout.side.end(),
                                                [](const SideLayout& side) { return bool(side.symbol); });
  if (!roots && layout.ticker.empty() && !layout.underlying) {
    throw InputError(where +
                     ": no column names the underlying or a root (none of the profile's is there) give it with " +
                     "--underlying");
  }
  if (options.session && layout.session) layout.wanted_session = day_number(*options.session);
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
      if (!trimmed(line).empty()) read_row(line);
    }
  }

 private:
  void refuse(std::size_t column, std::string_view why, std::string_view value) {
    block_.reject.push_back({"", block_.lines, column == kAbsent ? std::string("row") : layout_.name[column],
                             std::string(why), shown(value),
                             knows_ticker_ ? std::string(trimmed(ticker_)) : std::string()});
  }

  bool read_ticker(std::string_view text) {
    if (have_ticker_ && text == ticker_text_) return true;
    ticker_text_ = text;
    const std::string& prefix = layout_.underlying ? layout_.underlying.rule->prefix : kNoPrefix;
    const std::optional<std::string> ticker = normal_ticker(without_prefix(text, prefix));
    have_ticker_ = ticker.has_value();
    ticker_ = ticker.value_or("");
    if (have_ticker_) ticker_id_ = block_.intern(ticker_);
    root_text_.clear();  // its standing depends on the ticker
    return have_ticker_;
  }

  static std::string_view without_prefix(std::string_view text, const std::string& prefix) {
    if (prefix.empty()) return text;
    text = trimmed(text);
    if (text.substr(0, prefix.size()) == prefix) text.remove_prefix(prefix.size());
    return text;
  }

  bool read_stamp(std::string_view text) {
    if (have_stamp_ && text == stamp_text_) return true;
    const std::optional<Instant> stamp = read_instant(text, *layout_.stamp.rule);
    stamp_text_ = text;
    have_stamp_ = stamp.has_value();
    stamp_ = stamp.value_or(0);
    return have_stamp_;
  }

  /// A row that cannot be told apart from others counts for all its contracts.
  void refuse_row(std::size_t column, std::string_view why, std::string_view value) {
    block_.rows_in += static_cast<std::int64_t>(layout_.side.size());
    for (std::size_t s = 0; s < layout_.side.size(); ++s) refuse(column, why, value);
  }

  void read_row(std::string_view line) {
    const bool readable = split_fields(line, fields_, unquoted_, layout_.profile->delimiter);
    if (!readable || fields_.size() != layout_.count) {
      ticker_.clear();
      have_ticker_ = false;
      knows_ticker_ = false;
      root_text_.clear();
      return refuse_row(kAbsent, readable ? rule::kColumnCount : rule::kBadQuoting, line);
    }
    if (layout_.session) {
      const std::string_view text = fields_[layout_.session.column];
      if (!have_session_ || text != session_text_) {
        const std::optional<DayNumber> day = read_day(text, *layout_.session.rule);
        session_text_ = text;
        have_session_ = day.has_value();
        session_ = day.value_or(0);
        if (have_session_) session_count_ = &block_.session[session_];
      }
      if (!have_session_) return refuse_row(layout_.session.column, rule::kBadDate, text);
      *session_count_ += static_cast<std::int64_t>(layout_.side.size());
      if (layout_.wanted_session && session_ != *layout_.wanted_session) {
        block_.other_sessions += static_cast<std::int64_t>(layout_.side.size());
        return;
      }
    }
    // A ticker that only the root tells is not known yet; the one of the row before is no answer.
    knows_ticker_ = layout_.underlying || !layout_.ticker.empty();
    if (layout_.underlying) {
      if (!read_ticker(fields_[layout_.underlying.column])) {
        return refuse_row(layout_.underlying.column, rule::kBadTicker, fields_[layout_.underlying.column]);
      }
    } else if (!layout_.ticker.empty() && !have_ticker_) {
      read_ticker(layout_.ticker);
    }
    for (const SideLayout& side : layout_.side) {
      ++block_.rows_in;
      read_contract(side);
    }
  }

  void read_contract(const SideLayout& side) {
    ContractRow row{kNan, kNan, kNan, kNan,         kNan,       kNan,       kNan, kNan,
                    kNan, 0,    0,    block_.lines, ticker_id_, ticker_id_, 0,    side.right};
    if (layout_.exchange && !is_accepted(fields_[layout_.exchange.column], *layout_.exchange.rule)) {
      return refuse(layout_.exchange.column, rule::kExchangeRepeat, fields_[layout_.exchange.column]);
    }
    // Where stamps only date the whole file, one that is missing costs nothing.
    const bool stamped = layout_.stamp && (layout_.profile->stale != StaleRule::kNever ||
                                           !trimmed(fields_[layout_.stamp.column]).empty());
    if (stamped) {
      if (!read_stamp(fields_[layout_.stamp.column])) {
        return refuse(layout_.stamp.column, rule::kBadStamp, fields_[layout_.stamp.column]);
      }
      // A stamp of another day than the row's session is one of them wrong; the newest stamp decides too much to guess.
      if (layout_.session && day_number(new_york_date(stamp_)) != session_) {
        return refuse(layout_.stamp.column, rule::kBadStamp, fields_[layout_.stamp.column]);
      }
      row.stamp = stamp_;
    }
    if (layout_.expiration) {
      const std::string_view expiration = fields_[layout_.expiration.column];
      if (!have_expiration_ || expiration != expiration_text_) {
        const std::optional<DayNumber> day = read_day(expiration, *layout_.expiration.rule);
        expiration_text_ = expiration;
        have_expiration_ = day.has_value();
        expiration_ = day.value_or(0);
      }
      if (!have_expiration_) return refuse(layout_.expiration.column, rule::kBadDate, expiration);
      row.expiration = expiration_;
    }
    if (layout_.right && side.right == 0) {
      row.right = meaning_of(fields_[layout_.right.column], *layout_.right.rule, 0);
      if (row.right == 0) return refuse(layout_.right.column, rule::kBadRight, fields_[layout_.right.column]);
    }

    std::optional<ContractSymbol> symbol;
    if (side.symbol) {
      const std::string_view text = fields_[side.symbol.column];
      if (has_exchange_suffix(text)) return refuse(side.symbol.column, rule::kExchangeRepeat, text);
      symbol = parse_contract_symbol(without_prefix(text, side.symbol.rule->prefix));
      if (!symbol) return refuse(side.symbol.column, rule::kBadSymbol, text);
      if ((layout_.expiration && symbol->expiration != row.expiration) ||
          (row.right != 0 && symbol->right != row.right)) {
        return refuse(side.symbol.column, rule::kContradictsSymbol, text);
      }
      row.expiration = symbol->expiration;
      row.right = symbol->right;
    }
    if (layout_.strike) {
      const std::string_view strike = fields_[layout_.strike.column];
      const std::string_view why = check_strike(
          layout_.strike.plain ? parse_number(strike) : read_number(strike, *layout_.strike.rule),
          layout_.strike.plain ? strike_tolerance(strike) : 0.0005, symbol ? &symbol->strike : nullptr, row.strike);
      if (!why.empty()) {
        const bool contradiction = why == rule::kContradictsSymbol;
        return refuse(contradiction ? side.symbol.column : layout_.strike.column, why,
                      contradiction ? fields_[side.symbol.column] : strike);
      }
    } else {
      if (symbol->strike <= 0) return refuse(side.symbol.column, rule::kNonpositiveStrike, fields_[side.symbol.column]);
      row.strike = symbol->strike;
    }
    if (layout_.deliverable && !is_accepted(fields_[layout_.deliverable.column], *layout_.deliverable.rule)) {
      return refuse(layout_.deliverable.column, rule::kNonstandardDeliverable, fields_[layout_.deliverable.column]);
    }
    std::uint16_t multiplier = 0;
    if (layout_.multiplier) {
      const Number given = read_number(fields_[layout_.multiplier.column], *layout_.multiplier.rule);
      if (given.kind == NumberKind::kNumber && given.value >= 1.0 && given.value <= 65535.0 &&
          given.value == std::floor(given.value)) {
        multiplier = static_cast<std::uint16_t>(given.value);
      } else if (given.kind != NumberKind::kMissing) {
        return refuse(layout_.multiplier.column, rule::kBadMultiplier, fields_[layout_.multiplier.column]);
      }
    }
    if (layout_.settlement) {
      const std::int8_t style = meaning_of(fields_[layout_.settlement.column], *layout_.settlement.rule, 0);
      row.convention = static_cast<std::uint8_t>(style);
    }
    if (layout_.exercise) {
      const std::int8_t exercise = meaning_of(fields_[layout_.exercise.column], *layout_.exercise.rule, 0);
      row.convention = static_cast<std::uint8_t>(row.convention | (exercise << 2));
    }
    if (!read_root(side, symbol ? symbol->root : std::string_view(), multiplier, row)) return;

    if (layout_.spot && !store(row, {&ContractRow::spot, false}, layout_.spot)) return;
    for (std::size_t q = 0; q < kQuantityColumns; ++q) {
      if (side.quantity[q] && !store(row, kQuantities[q], side.quantity[q])) return;
    }
    block_.newest_stamp = std::max(block_.newest_stamp, row.stamp);
    block_.row.push_back(row);
  }

  bool store(ContractRow& row, const Quantity& quantity, const Slot& slot) {
    const std::string_view text = fields_[slot.column];
    const std::string_view why =
        store_quantity(row, quantity, slot.plain ? parse_number(text) : read_number(text, *slot.rule));
    if (!why.empty()) refuse(slot.column, why, text);
    return why.empty();
  }

  /// The root is the symbol's, its column's, or what the ticker lists on that day; its standing says whether the row
  /// may stay. Where the ticker is that of most rows, the standing is judged when all rows are known.
  bool read_root(const SideLayout& side, std::string_view root, std::uint16_t multiplier, ContractRow& row) {
    std::size_t column = side.symbol ? side.symbol.column : layout_.underlying.column;
    std::string made;
    if (root.empty() && layout_.root) {
      column = layout_.root.column;
      std::string_view text = trimmed(without_prefix(fields_[column], layout_.root.rule->prefix));
      if (layout_.root.rule->first_word) text = text.substr(0, text.find(' '));
      const std::optional<std::string> normal = normal_ticker(text);
      if (!normal || normal->size() > 8) {
        refuse(column, rule::kBadSymbol, fields_[column]);
        return false;
      }
      for (const char c : *normal) {
        if (c != '.' && c != '-' && c != '/') made += c;
      }
      root = made;
    } else if (root.empty()) {
      made = listed_root(ticker_, row.expiration, *layout_.calendar);
      root = made;
    }
    if (root != root_text_) {
      root_text_ = root;
      root_id_ = block_.intern(root);
      if (!layout_.underlying && layout_.ticker.empty()) {
        ticker_ = layout_.ticker_of_most_rows ? std::string() : std::string(root_underlying(root));
        ticker_id_ = layout_.ticker_of_most_rows ? root_id_ : block_.intern(ticker_);
      }
      standing_ = layout_.ticker_of_most_rows ? RootStanding::kStandard : root_standing(ticker_, root);
    }
    knows_ticker_ = true;
    row.root = root_id_;
    row.ticker = ticker_id_;
    if (layout_.ticker_of_most_rows) {
      row.multiplier = multiplier;  // settled with the standing
      return true;
    }
    row.multiplier = class_multiplier(standing_, multiplier);
    if (row.multiplier != 0) return true;
    refuse(column, standing_ == RootStanding::kAdjusted ? rule::kAdjustedRoot : rule::kForeignRoot,
           column == kAbsent ? std::string_view(root_text_) : fields_[column]);
    return false;
  }

  const Layout& layout_;
  Parcel& parcel_;
  RowBlock& block_;
  std::vector<std::string_view> fields_;
  std::string unquoted_;
  // Copies: a quoted field lives only as long as its line.
  std::string ticker_text_, ticker_, stamp_text_, expiration_text_, root_text_, session_text_;
  bool have_ticker_ = false, have_stamp_ = false, have_expiration_ = false, have_session_ = false,
       knows_ticker_ = false;
  std::int32_t ticker_id_ = 0, root_id_ = 0;
  Instant stamp_ = 0;
  DayNumber expiration_ = 0, session_ = 0;
  std::int64_t* session_count_ = nullptr;
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

/// Every row of a source whose underlying is that of most of its rows.
void settle_underlying(SourceRows& rows, const Layout& layout) {
  std::map<std::string, std::int64_t> count;
  for (const RowBlock& block : rows.block) {
    std::vector<std::int64_t> of_symbol(block.symbol.size(), 0);
    for (const ContractRow& row : block.row) ++of_symbol[static_cast<std::size_t>(row.root)];
    for (std::size_t i = 0; i < of_symbol.size(); ++i) {
      if (of_symbol[i] > 0) count[block.symbol[i]] += of_symbol[i];
    }
  }
  const std::string ticker = underlying_of_most_rows(count);
  std::vector<std::string> field;
  for (const SideLayout& side : layout.side)
    field.push_back(layout.name[side.symbol ? side.symbol.column : layout.root.column]);
  for (RowBlock& block : rows.block) apply_underlying(block, ticker, field.front(), field.back());
}

/// The one session whose rows were read; none if no row names one.
std::optional<DayNumber> one_session(const SourceRows& rows, const Layout& layout, const std::string& label) {
  std::map<DayNumber, std::int64_t> count;
  for (const RowBlock& block : rows.block) {
    for (const auto& [day, n] : block.session) count[day] += n;
  }
  if (count.empty()) return std::nullopt;
  const std::string range = count.size() == 1 ? "the session " + iso_date(date_of(count.begin()->first))
                                              : std::to_string(count.size()) + " sessions, " +
                                                    iso_date(date_of(count.begin()->first)) + " to " +
                                                    iso_date(date_of(count.rbegin()->first));
  if (layout.wanted_session) {
    if (count.count(*layout.wanted_session) > 0) return layout.wanted_session;
    throw InputError(label + ": no rows of the session " + iso_date(date_of(*layout.wanted_session)) +
                     " (the file holds " + range + ") choose one with --session YYYY-MM-DD");
  }
  if (count.size() > 1) {
    throw InputError(label + ": several sessions in one file (it holds " + range +
                     ") choose one with --session YYYY-MM-DD");
  }
  return count.begin()->first;
}

}  // namespace

SourceRows parse_table(std::string head, SourceText& source, const Profile& profile, const Calendar& calendar,
                       const IngestOptions& options) {
  // The header and the lines before it, whatever their length up to the limit.
  const auto header_end = [&] {
    std::size_t end = 0;
    for (int i = 0; i <= profile.skip_lines && end != std::string::npos; ++i)
      end = head.find('\n', i == 0 ? 0 : end + 1);
    return end;
  };
  while (header_end() == std::string::npos && !source.ended() && head.size() <= kLineLimit) {
    source.read(head, kLineLimit);
  }
  std::string_view rest = head;
  std::string_view line;
  std::int64_t lines = 0;
  for (int i = 0; i <= profile.skip_lines; ++i) {
    if (!next_line(rest, line)) line = {};
    ++lines;
  }
  const std::string where = source.label() + ":" + std::to_string(lines);
  if (line.size() > kLineLimit) throw InputError(where + ": line longer than 1 MiB (limit) this is not a chain file");
  std::vector<std::string_view> fields;
  std::string unquoted;
  if (!split_fields(line, fields, unquoted, profile.delimiter)) {
    throw InputError(where + ": the header is unreadable (a quote is not closed) fetch the file again");
  }
  const Layout layout = read_header(fields, profile, options, calendar, where);

  SourceRows rows;
  BlockCutter cutter(std::string(rest), source);
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

  rows.roots_known = layout.root || layout.side.front().symbol;
  if (layout.ticker_of_most_rows) settle_underlying(rows, layout);
  const std::optional<DayNumber> day = layout.session ? one_session(rows, layout, source.label()) : std::nullopt;
  const auto previous = [&calendar](const Session& s) {
    return calendar.session_on_or_before(Date{std::chrono::sys_days{s.date} - std::chrono::days{1}});
  };
  const Instant stamp = rows.file_time;
  switch (profile.quote) {
    case QuoteRule::kNone:
      break;
    case QuoteRule::kSessionClose:
      if (day) {
        const std::optional<Session> session = calendar.session(date_of(*day));
        if (!session && !options.quote_time) {
          throw InputError(source.label() + ": " + iso_date(date_of(*day)) +
                           " is no trading session (a weekend or a holiday) give the instant with --quote-time");
        }
        if (session) rows.quote_time = session->close - profile.close_offset;
      }
      if (rows.file_time == 0) rows.file_time = rows.quote_time;
      break;
    case QuoteRule::kStamp:
      if (stamp != 0) rows.quote_time = calendar.quote_time(stamp - profile.delay);
      break;
    case QuoteRule::kCloseBeforeStamp:
      if (stamp != 0) {
        Session session = calendar.session_on_or_before(new_york_date(stamp));
        if (session.close > stamp) session = previous(session);
        rows.quote_time = session.close;
      }
      break;
  }
  if (stamp != 0 && profile.stale == StaleRule::kAny) {
    rows.stale_before = stamp;
    rows.snapshots = true;
  }
  if (stamp != 0 && profile.stale == StaleRule::kSession && rows.quote_time != 0) {
    // A row with a stamp of its own is stale if that lies before the close of the session before the quotes'.
    rows.stale_before = previous(calendar.session_on_or_before(new_york_date(rows.quote_time))).close;
  }
  return rows;
}

}  // namespace greekgrid::ingest_detail

// Open interest of the Options Clearing Corporation as JSON, by label, expiration and strike. A label D-M is the
// morning on which the positions of the close before were published; it has no year. Two layouts: a history of days,
// and a table with one column per label. No quotes, no roots.

#include <simdjson.h>

#include <cmath>
#include <limits>

#include "vendor_formats.hpp"

namespace greekgrid::ingest_detail {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kDepthLimit = 64;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A label and where it stands in the file.
struct Label {
  std::string text;
  DayNumber day;
  std::size_t index;
};

/// The date of "D-M" nearest to the file's own stamp.
std::optional<DayNumber> label_day(std::string_view text, DayNumber written) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || dash == 0 || dash > 2 || text.size() - dash - 1 > 2) return std::nullopt;
  int day = 0, month = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == dash) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    int& part = i < dash ? day : month;
    part = part * 10 + (text[i] - '0');
  }
  const int year = static_cast<int>(date_of(written).year());
  std::optional<DayNumber> nearest;
  for (int y = year - 1; y <= year + 1; ++y) {
    const std::optional<DayNumber> at = checked_date(y, month, day);
    if (at && (!nearest || std::abs(*at - written) < std::abs(*nearest - written))) nearest = at;
  }
  return nearest;
}

Number number_of(const simdjson::simdjson_result<dom::element>& found) {
  dom::element element;
  if (found.get(element) != simdjson::SUCCESS || element.is_null()) return {NumberKind::kMissing, kNan};
  double value = kNan;
  if (element.is_bool() || element.get(value) != simdjson::SUCCESS) return {NumberKind::kBad, kNan};
  return {NumberKind::kNumber, value == 0.0 ? 0.0 : value};
}

/// Collects the contracts of one label.
class InterestReader {
 public:
  InterestReader(RowBlock& block, std::string ticker, double spot, const Calendar& calendar)
      : block_(block), ticker_(std::move(ticker)), spot_(spot), calendar_(calendar) {
    ticker_id_ = block_.intern(ticker_);
  }

  bool expiration(std::string_view text) {
    expiration_text_ = text;
    expiration_ = parse_iso_date(text);
    if (expiration_) {
      const std::string root = listed_root(ticker_, *expiration_, calendar_);
      root_id_ = block_.intern(root);
      standard_ = root_standing(ticker_, root) == RootStanding::kStandard;
    }
    return expiration_.has_value();
  }

  /// Call and put of one strike.
  void strike(std::string_view text, const Number& call, const Number& put) {
    ++element_;
    contract(text, call, 1);
    contract(text, put, -1);
  }

  /// A strike whose entry is not as it should be.
  void unreadable(std::string_view text) {
    ++element_;
    for (int side = 0; side < 2; ++side) {
      ++block_.rows_in;
      refuse("strike", rule::kNotAnObject, text);
    }
  }

  std::int64_t elements() const { return element_; }

 private:
  void contract(std::string_view text, const Number& interest, std::int8_t right) {
    ++block_.rows_in;
    if (!expiration_) return refuse("expiration", rule::kBadDate, expiration_text_);
    ContractRow row{kNan,  kNan, kNan, kNan,     kNan,       kNan,     kNan,         kNan,
                    spot_, 0,    0,    element_, ticker_id_, root_id_, *expiration_, right};
    if (const std::string_view why = check_strike(text, nullptr, row.strike); !why.empty()) {
      return refuse("strike", why, text);
    }
    if (!standard_) return refuse("ticker", rule::kAdjustedRoot, ticker_);
    const std::string_view field = right > 0 ? "call_oi" : "put_oi";
    if (const std::string_view why = store_quantity(row, {&ContractRow::open_interest, false}, interest);
        !why.empty()) {
      return refuse(field, why, std::to_string(interest.value));
    }
    block_.row.push_back(row);
  }

  void refuse(std::string_view field, std::string_view why, std::string_view value) {
    block_.reject.push_back({"", element_, std::string(field), std::string(why), shown(value), ticker_});
  }

  RowBlock& block_;
  std::string ticker_;
  double spot_;
  const Calendar& calendar_;
  std::int32_t ticker_id_ = 0, root_id_ = 0;
  std::string expiration_text_;
  std::optional<DayNumber> expiration_;
  bool standard_ = false;
  std::int64_t element_ = 0;
};

void read_days(const dom::object& expirations, InterestReader& reader) {
  for (const auto& [date, strikes] : expirations) {
    reader.expiration(date);
    dom::object table;
    if (strikes.get(table) != simdjson::SUCCESS) {
      reader.unreadable(date);
      continue;
    }
    for (const auto& [strike, interest] : table) {
      dom::object sides;
      if (interest.get(sides) != simdjson::SUCCESS) {
        reader.unreadable(strike);
        continue;
      }
      reader.strike(strike, number_of(sides["call_oi"]), number_of(sides["put_oi"]));
    }
  }
}

void read_columns(const dom::object& expirations, std::size_t label, InterestReader& reader) {
  for (const auto& [date, table] : expirations) {
    reader.expiration(date);
    dom::array rows;
    if (table["rows"].get(rows) != simdjson::SUCCESS) {
      reader.unreadable(date);
      continue;
    }
    for (const dom::element& row : rows) {
      dom::element strike;
      dom::array calls, puts;
      if (row["strike"].get(strike) != simdjson::SUCCESS || !strike.is_number() ||
          row["calls"].get(calls) != simdjson::SUCCESS || row["puts"].get(puts) != simdjson::SUCCESS) {
        reader.unreadable(date);
        continue;
      }
      reader.strike(simdjson::minify(strike), number_of(calls.at(label)), number_of(puts.at(label)));
    }
  }
}

}  // namespace

SourceRows parse_occ_json(std::string head, SourceText& source, const Calendar& calendar,
                          const IngestOptions& options) {
  source.read_all(head);
  const auto fail = [&source](const std::string& what) { throw InputError(source.label() + ": " + what); };
  dom::parser parser;
  // The depth limit holds only for a parser that need not grow.
  if (parser.allocate(head.size(), kDepthLimit) != simdjson::SUCCESS)
    fail("no memory for the JSON text close programs");
  dom::element document;
  if (const simdjson::error_code error = parser.parse(head).get(document); error != simdjson::SUCCESS) {
    fail(std::string("the JSON cannot be read (") + simdjson::error_message(error) + ") fetch the file again");
  }
  std::string_view text;
  if (document["ticker"].get(text) != simdjson::SUCCESS)
    fail("no 'ticker' (not open interest by expiration) check --format");
  const std::optional<std::string> ticker = normal_ticker(text);
  if (!ticker) fail("the symbol of the underlying is unreadable ('" + shown(text) + "') fetch the file again");
  std::optional<Instant> written;
  if (document["updated_at"].get(text) == simdjson::SUCCESS) written = parse_iso_instant(text, 0);
  if (!written) fail("no readable 'updated_at' (labels such as 24-8 have no year of their own) fetch the file again");
  const DayNumber written_day = day_number(new_york_date(*written));

  std::vector<Label> labels;
  const auto add = [&](std::string_view label) {
    const std::optional<DayNumber> day = label_day(label, written_day);
    if (!day || !calendar.is_session(date_of(*day))) {
      fail("the label '" + shown(label) + "' is no session (it should be D-M of a trading day) correct it");
    }
    labels.push_back({std::string(label), *day, labels.size()});
  };
  dom::object days, table;
  dom::array pulls;
  const bool history = document["days"].get(days) == simdjson::SUCCESS;
  if (history) {
    for (const auto& [label, strikes] : days) add(label);
  } else if (document["by_expiration"].get(table) == simdjson::SUCCESS &&
             document["pull_dates"].get(pulls) == simdjson::SUCCESS) {
    for (const dom::element& pull : pulls) {
      if (pull.get(text) != simdjson::SUCCESS) fail("a label is no text (pull_dates) fetch the file again");
      add(text);
    }
  } else {
    fail("neither 'days' nor 'by_expiration' with 'pull_dates' (not open interest by expiration) check --format");
  }
  if (labels.empty()) fail("no label (the file holds no day) fetch it again");

  const auto last =
      std::max_element(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.day < b.day; });
  auto chosen = last;
  const std::string range =
      std::to_string(labels.size()) + " sessions, " +
      iso_date(date_of(
          std::min_element(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.day < b.day; })
              ->day)) +
      " to " + iso_date(date_of(last->day));
  if (options.session) {
    chosen = std::find_if(labels.begin(), labels.end(),
                          [&](const Label& label) { return label.day == day_number(*options.session); });
    if (chosen == labels.end()) {
      fail("no open interest published on " + iso_date(*options.session) + " (the file holds " + range +
           ") choose one with --session YYYY-MM-DD");
    }
  } else if (labels.size() > 1) {
    fail("several sessions in one file (it holds " + range + ") choose one with --session YYYY-MM-DD");
  }

  double spot = kNan;
  Number close = history ? number_of(document["closes"][chosen->text]) : Number{NumberKind::kMissing, kNan};
  if (!history && chosen == last) close = number_of(document["close"]);
  if (close.kind == NumberKind::kBad || close.value < 0.0) {
    fail("the price of the underlying is unreadable (close of '" + chosen->text + "') fetch the file again");
  }
  spot = close.value;

  SourceRows rows;
  rows.roots_known = false;
  rows.file_time = *written;
  rows.open_interest_session = chosen->day;
  // The close of the label's own day, or the last one before the file was written if that had not come yet.
  const Instant label_close = calendar.session_on_or_before(date_of(chosen->day)).close;
  rows.quote_time = label_close <= *written ? label_close : calendar.quote_time(*written);
  RowBlock block;
  InterestReader reader(block, *ticker, spot, calendar);
  if (history) {
    dom::object strikes;
    if (days[chosen->text].get(strikes) != simdjson::SUCCESS) {
      fail("the label '" + chosen->text + "' holds no expirations (an object was expected) fetch the file again");
    }
    read_days(strikes, reader);
  } else {
    read_columns(table, chosen->index, reader);
  }
  block.lines = reader.elements();
  rows.block.push_back(std::move(block));
  return rows;
}

}  // namespace greekgrid::ingest_detail

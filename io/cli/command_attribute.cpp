// Who owns the change of delta over a move: a ticker's stored book repriced, by expiry and by strike.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.hpp"
#include "greekgrid/host/attribution.hpp"
#include "greekgrid/host/hedge.hpp"
#include "greekgrid/io/night_file.hpp"
#include "output.hpp"
#include "tables.hpp"

namespace greekgrid::cli {
namespace {

struct Options {
  std::string file, ticker, position, move, spot, time, by, format = "text";
  double iv_shift = 0.0, expected_moves = 0.0;
  int sessions = 0;
  std::optional<std::size_t> limit;  // 10 on the page, else all
  bool has_expected_moves = false, has_iv_shift = false, has_sessions = false;
};

// A ticker's contracts as the file has them.
struct StoredBook {
  std::vector<Instant> settlement;
  std::vector<std::string> root;
  std::vector<double> rate, dividend_yield, strike, volatility, weight;
  std::vector<std::int64_t> expiry_begin;
  std::vector<std::int8_t> right;
  double spot = 0.0, spot_basis = 0.0;

  BookView view() const {
    BookView book;
    book.spot = spot;
    book.spot_basis = spot_basis;
    book.settlement = settlement;
    book.rate = rate;
    book.dividend_yield = dividend_yield;
    book.expiry_begin = expiry_begin;
    book.strike = strike;
    book.right = right;
    book.implied_volatility = volatility;
    book.weight = weight;
    return book;
  }
};

// A value of a file that is used as a number: what a writer of ours never leaves out.
double sound(const std::string& file, const TableColumn& column, std::size_t row, double low, double high) {
  const double value = number_at(column, row);
  if (!(value >= low && value <= high)) {
    throw InputError(fmt::format("{}: {} row {} is {}, beyond [{:g}, {:g}] (the file is damaged)", file,
                                 column.variable.name, row, value, low, high));
  }
  return value;
}

StoredBook read_book(const std::string& file, const NightSummary& night, std::size_t u, std::size_t w) {
  constexpr double kHuge = 1e15;
  StoredBook book;
  book.spot = night.header.spot_reference[u];
  book.spot_basis = night.header.spot_basis[u];
  const auto ticker = static_cast<std::int64_t>(u), position = static_cast<std::int64_t>(w);
  const std::vector<TableColumn> slice =
      read_rows(file, "contract", {{"contract_begin", "contract_count"}, {{"ticker", {ticker, 1}}}});
  const auto begin = static_cast<std::int64_t>(sound(file, slice[0], 0, 0.0, kHuge));
  const auto count = static_cast<std::int64_t>(sound(file, slice[1], 0, 0.0, kHuge));
  if (count == 0) throw InputError(file + ": no contract of " + night.header.ticker[u]);
  const std::vector<TableColumn> c =
      read_rows(file, "contract",
                {{"contract_expiry", "strike", "right", "multiplier", "implied_volatility", "dealer_position"},
                 {{"contract", {begin, count}}, {"position", {position, 1}}}});
  const std::vector<TableColumn> e = read_rows(file, "expiry", {{"root", "settlement", "rate", "dividend_yield"}, {}});
  std::int64_t last = -1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const auto expiry =
        static_cast<std::int64_t>(sound(file, c[0], i, 0.0, static_cast<double>(cells(e[0].variable)) - 1.0));
    if (expiry < last) {
      throw InputError(fmt::format("{}: contract {} is of an earlier expiry than the one before (the file is damaged)",
                                   file, begin + static_cast<std::int64_t>(i)));
    }
    if (expiry != last) {
      const auto row = static_cast<std::size_t>(expiry);
      book.expiry_begin.push_back(static_cast<std::int64_t>(i));
      book.root.push_back(text_at(e[0], row));
      book.settlement.push_back(static_cast<Instant>(sound(file, e[1], row, 0.0, 1e11)));
      book.rate.push_back(sound(file, e[2], row, -10.0, 10.0));
      book.dividend_yield.push_back(sound(file, e[3], row, -1e4, 1e4));
      last = expiry;
    }
    book.strike.push_back(sound(file, c[1], i, 1e-9, kHuge));
    const double right = sound(file, c[2], i, -1.0, 1.0);
    if (right == 0.0) throw InputError(file + ": a contract is neither call nor put (the file is damaged)");
    book.right.push_back(right > 0.0 ? std::int8_t{1} : std::int8_t{-1});
    book.volatility.push_back(sound(file, c[4], i, 0.0, 1e3));
    book.weight.push_back(sound(file, c[3], i, 0.0, kHuge) * sound(file, c[5], i, -kHuge, kHuge));
  }
  book.expiry_begin.push_back(count);
  return book;
}

double number_of(const std::string& option, const std::string& text, std::string_view digits) {
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0.0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value)) {
    throw UsageError(option + " " + text + ": neither a price nor a percentage such as -1.5%");
  }
  return value;
}

// The move that the options spell, and its name.
Move find_move(const Options& options, const NightSummary& night, std::size_t u) {
  const NightHeader& header = night.header;
  const bool spelled = !options.spot.empty() || options.has_expected_moves || options.has_iv_shift ||
                       !options.time.empty() || options.has_sessions;
  Move move;
  move.time = header.quote_time;
  // The same under every position model.
  const auto row = std::find_if(night.level.begin(), night.level.end(),
                                [&](const LevelRow& r) { return r.ticker == header.ticker[u]; });
  if (row == night.level.end() || !(*row)[LevelName::kExpectedMove].ok()) {
    throw InputError(options.file + ": no expected_move of " + header.ticker[u]);
  }
  if (const double size = (*row)[LevelName::kExpectedMove].value; !(size > 0.0 && size <= 20.0)) {
    throw InputError(
        fmt::format("{}: expected_move of {} is {} (the file is damaged)", options.file, header.ticker[u], size));
  }
  const double unit = (*row)[LevelName::kExpectedMove].value;
  if (!options.move.empty()) {
    if (spelled) throw UsageError("--move: its spot, volatility and time are the file's (give --move alone)");
    const TableFile listed = list_groups(options.file);
    const TableGroup& group = require_group("--move", "attribution/expiry", listed);
    if (group.is_empty_table) throw UsageError("--move: none in " + options.file);
    const std::vector<TableColumn> c =
        read_rows(options.file, group.path, {{"move", "expected_moves", "iv_shift", "time"}, {}});
    std::vector<std::string> names;
    for (std::size_t a = 0; a < cells(c[0].variable); ++a) {
      names.push_back(text_at(c[0], a));
      if (names.back() != options.move) continue;
      return {sound(options.file, c[1], a, -100.0, 100.0) * unit, sound(options.file, c[2], a, -10.0, 10.0),
              static_cast<Instant>(sound(options.file, c[3], a, static_cast<double>(header.quote_time), 1e11))};
    }
    throw UsageError("--move " + options.move + ": no such move (choose " + join(names, ", ") + ")");
  }
  if (!spelled)
    throw UsageError("which move? (--move NAME, or --spot, --expected-moves, --iv-shift, --time, --sessions)");
  if (!options.spot.empty()) {
    const bool percent = options.spot.ends_with('%');
    const double value = number_of("--spot", options.spot,
                                   std::string_view(options.spot).substr(0, options.spot.size() - (percent ? 1 : 0)));
    const double ratio = percent ? 1.0 + value / 100.0 : value / header.spot_reference[u];
    if (!(ratio > 1e-3 && ratio < 1e3)) {
      throw UsageError(fmt::format("--spot {}: {:g} times the reference {:.2f} (0.001 to 1000 times)", options.spot,
                                   ratio, header.spot_reference[u]));
    }
    move.log_spot = std::log(ratio);
  } else if (options.has_expected_moves) {
    move.log_spot = options.expected_moves * unit;
  }
  move.iv_shift = options.iv_shift;
  if (options.has_sessions && options.sessions > 0) {
    move.time = Calendar().closes_after(header.quote_time, options.sessions).back();
  } else if (!options.time.empty()) {
    move.time = parse_instant(options.time, "--time");
    if (move.time < header.quote_time) {
      throw UsageError(fmt::format("--time {}: before the quotes of {}", options.time, utc_text(header.quote_time)));
    }
  }
  return move;
}

// One row of a result: who, and the parts.
struct Row {
  std::string root;
  Instant settlement = 0;
  double strike = 0.0;
  std::span<const double> term;  // kAttributionTerms
  double total() const { return term[0]; }
};

std::vector<Row> rows_of(const Options& options, const StoredBook& book, const std::vector<double>& strikes,
                         const Attribution& result, bool by_strike) {
  const std::vector<double>& values = by_strike ? result.by_strike : result.by_expiry;
  std::vector<Row> rows;
  for (std::size_t k = 0; k * kAttributionTerms < values.size(); ++k) {
    Row row;
    row.term = std::span(values).subspan(k * kAttributionTerms, kAttributionTerms);
    if (by_strike) {
      row.strike = strikes[k];
    } else {
      row.root = book.root[k];
      row.settlement = book.settlement[k];
    }
    rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return std::abs(a.total()) > std::abs(b.total()); });
  const std::size_t limit = options.limit.value_or(options.format == "text" ? 10 : 0);
  if (limit > 0 && rows.size() > limit) rows.resize(limit);
  return rows;
}

std::string shares_text(double shares) {
  return shares == 0.0 ? "0" : fmt::format("{:+.4g}", shares);
}

// Rows as a table of the page: parts in shares, the cross terms in one column.
std::string part_table(const std::vector<Row>& rows, bool by_strike, double gross) {
  std::vector<std::vector<std::string>> cells;
  if (by_strike) {
    cells.push_back({"  strike", "total", "gamma", "vanna", "charm", "cross", "share"});
  } else {
    cells.push_back({"  settles", "root", "total", "gamma", "vanna", "charm", "cross", "share"});
  }
  for (const Row& row : rows) {
    const std::span<const double> t = row.term;
    std::vector<std::string> line;
    if (by_strike) {
      line = {fmt::format("  {:.2f}", row.strike)};
    } else {
      line = {"  " + utc_text(row.settlement), row.root};
    }
    for (const double part : {t[0], t[1], t[2], t[3], t[4] + t[5] + t[6] + t[7]}) line.push_back(shares_text(part));
    line.push_back(gross > 0.0 ? fmt::format("{:.1f} %", 100.0 * std::abs(t[0]) / gross) : "-");
    cells.push_back(std::move(line));
  }
  return format_table(cells, by_strike ? 1 : 2);
}

std::string page(const Options& options, const NightSummary& night, std::size_t u, std::size_t w, const Move& move,
                 const StoredBook& book, const std::vector<double>& strikes, const Attribution& result) {
  std::array<double, kAttributionTerms> sum{};
  double gross_expiry = 0.0, gross_strike = 0.0;
  for (std::size_t k = 0; k < result.by_expiry.size(); ++k) {
    sum[k % kAttributionTerms] += result.by_expiry[k];
    if (k % kAttributionTerms == 0) gross_expiry += std::abs(result.by_expiry[k]);
  }
  for (std::size_t k = 0; k < result.by_strike.size(); k += kAttributionTerms) {
    gross_strike += std::abs(result.by_strike[k]);
  }
  const std::string& ticker = night.header.ticker[u];
  std::string text = fmt::format(
      "{}, dealers {}: spot {:.2f} to {:.2f} ({:+.2f} %), volatility {:+.2f} points, {} to {}\n", ticker,
      night.header.position[w], book.spot, book.spot * std::exp(move.log_spot), 100.0 * std::expm1(move.log_spot),
      100.0 * move.iv_shift, utc_text(night.header.quote_time), utc_text(move.time));
  std::vector<std::vector<std::string>> cells = {{"  part of the change of delta", "shares", "hedge"}};
  for (std::size_t term = 0; term < kAttributionTerms; ++term) {
    cells.push_back({"  " + std::string(name(static_cast<AttributionTerm>(term))), shares_text(sum[term]),
                     hedge_in_words(ticker, -sum[term])});
  }
  std::size_t width = 0;
  for (const auto& line : cells) width = std::max(width, line[1].size());
  for (const auto& line : cells) text += fmt::format("{:<30}{:>{}}  {}\n", line[0], line[1], width, line[2]);
  const auto section = [&](bool by_strike, double gross) {
    const std::size_t all = (by_strike ? result.by_strike : result.by_expiry).size() / kAttributionTerms;
    const std::vector<Row> rows = rows_of(options, book, strikes, result, by_strike);
    text += fmt::format("\nBy {}, the largest {} of {} (share: of the sum of magnitudes)\n",
                        by_strike ? "strike" : "expiry", rows.size(), all);
    text += part_table(rows, by_strike, gross);
  };
  if (options.by != "strike") section(false, gross_expiry);
  if (options.by != "expiry") section(true, gross_strike);
  return text;
}

// Rows for programs: all of one breakdown, 17 digits.
std::string records(const Options& options, const NightSummary& night, std::size_t u, std::size_t w,
                    const StoredBook& book, const std::vector<double>& strikes, const Attribution& result) {
  const bool by_strike = options.by != "expiry";
  const std::vector<Row> rows = rows_of(options, book, strikes, result, by_strike);
  if (options.format == "json") {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
      nlohmann::ordered_json entry = {{"ticker", night.header.ticker[u]}, {"position", night.header.position[w]}};
      if (by_strike) {
        entry["strike"] = row.strike;
      } else {
        entry["root"] = row.root;
        entry["settlement"] = utc_text(row.settlement);
      }
      for (std::size_t term = 0; term < kAttributionTerms; ++term) {
        entry[std::string(name(static_cast<AttributionTerm>(term)))] = row.term[term];
      }
      out.push_back(std::move(entry));
    }
    return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  std::vector<std::vector<std::string>> cells = {{"ticker", "position"}};
  if (by_strike) {
    cells[0].emplace_back("strike");
  } else {
    cells[0].emplace_back("root");
    cells[0].emplace_back("settlement");
  }
  for (std::size_t term = 0; term < kAttributionTerms; ++term) {
    cells[0].emplace_back(name(static_cast<AttributionTerm>(term)));
  }
  for (const Row& row : rows) {
    std::vector<std::string> line = {night.header.ticker[u], night.header.position[w]};
    if (by_strike) {
      line.push_back(fmt::format("{:.17g}", row.strike));
    } else {
      line.push_back(row.root);
      line.push_back(utc_text(row.settlement));
    }
    for (const double value : row.term) line.push_back(fmt::format("{:.17g}", value));
    cells.push_back(std::move(line));
  }
  return format_csv(cells);
}

int run(const Options& options) {
  const NightSummary night = read_night_summary(options.file);
  const NightHeader& header = night.header;
  const auto place = [&](const std::vector<std::string>& names, const std::string& wanted, const char* what,
                         const char* option) -> std::size_t {
    if (wanted.empty() && (names.size() == 1 || what == std::string("position model"))) return 0;
    if (wanted.empty()) throw UsageError(fmt::format("{}: which of the {} tickers?", option, names.size()));
    const auto found = std::find(names.begin(), names.end(), wanted);
    if (found == names.end()) {
      throw InputError(fmt::format("{}: no {} {} (see `greekgrid info`)", options.file, what, wanted));
    }
    return static_cast<std::size_t>(found - names.begin());
  };
  const std::size_t u = place(header.ticker, options.ticker, "ticker", "--ticker");
  const std::size_t w = place(header.position, options.position, "position model", "--position");
  const Move move = find_move(options, night, u);
  const StoredBook book = read_book(options.file, night, u, w);
  std::vector<double> strikes = book.strike;
  std::sort(strikes.begin(), strikes.end());
  strikes.erase(std::unique(strikes.begin(), strikes.end()), strikes.end());
  const Attribution result = attribute(book.view(), 1, header.quote_time, header.iv_floor, strikes, {&move, 1});
  print(options.format == "text" ? page(options, night, u, w, move, book, strikes, result)
                                 : records(options, night, u, w, book, strikes, result));
  return kDone;
}

}  // namespace

Command add_attribute(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "attribute", "Who owns the change of delta over a move: gamma, vanna, charm, by expiry, strike");
  command->add_option("file", options->file, "night.h5")->required();
  command->add_option("--ticker", options->ticker, "Which; not needed where there is one only");
  command->add_option("--position", options->position, "Position model; default the first");
  command->add_option("--move", options->move, "A move by the name that the file has it under");
  CLI::Option* spot =
      command->add_option("--spot", options->spot, "Where spot goes: a price, or a percentage such as -1%");
  command
      ->add_option("--expected-moves", options->expected_moves, "Where spot goes, in expected moves to the next close")
      ->check(CLI::Range(-20.0, 20.0))
      ->excludes(spot)
      ->each([options](const std::string&) { options->has_expected_moves = true; });
  command->add_option("--iv-shift", options->iv_shift, "What every volatility gains, vol")
      ->check(CLI::Range(-10.0, 10.0))
      ->each([options](const std::string&) { options->has_iv_shift = true; });
  CLI::Option* time =
      command->add_option("--time", options->time, "When, ISO 8601 with zone; default the quote instant");
  command->add_option("--sessions", options->sessions, "When, in closes ahead")
      ->check(CLI::Range(0, 252))
      ->excludes(time)
      ->each([options](const std::string&) { options->has_sessions = true; });
  command->add_option("--by", options->by, "expiry or strike; default both, strike in CSV and JSON")
      ->check(CLI::IsMember({"expiry", "strike"}));
  command
      ->add_option("--limit", options->limit,
                   "At most so many rows, the largest changes first; 0 for all (default: 10 as text, else all)")
      ->check(CLI::Range(0, 1000000000));
  command->add_option("--format", options->format, "text, csv or json")
      ->check(CLI::IsMember({"text", "csv", "json"}))
      ->capture_default_str();
  return [options] { return run(*options); };
}

}  // namespace greekgrid::cli

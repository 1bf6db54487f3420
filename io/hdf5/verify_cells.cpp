#include "verify_cells.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "night_schema.hpp"
#include "shared_values.hpp"

namespace greekgrid::h5 {
namespace {

std::string text_of(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::optional<Greek> greek_of(const std::string& surface) {
  for (const Greek greek : kAllGreeks) {
    if (surface == kGreekText[static_cast<std::size_t>(greek)].surface) return greek;
  }
  return std::nullopt;
}

bool is_rule(const std::string& name) {
  return name == "sticky_strike" || name == "sticky_moneyness" || name == "sticky_local_volatility" ||
         name == "skew_stickiness" || name == "relative_beta";
}

const StoredVariable& variable(const Structure& structure, const std::string& path) {
  for (const StoredVariable& one : structure.variables) {
    if (one.path == path && one.known) return one;
  }
  throw Error("variable " + path + " is not as its schema says");
}

void require(bool holds, const std::string& problem) {
  if (!holds) throw Error(problem);
}

template <class T>
bool all_within(const std::vector<T>& values, double low, double high) {
  return std::all_of(values.begin(), values.end(), [&](T x) {
    const auto value = static_cast<double>(x);
    return value >= low && value <= high;
  });
}

constexpr double kHuge = 1e15;

/// Refuses a book that no formula answers.
void validate(const NightAxes& axes, const TickerCells& book, std::size_t cells) {
  const std::size_t n = book.strike.size(), e = book.settlement.size(), w = axes.position.size();
  require(e > 0 && n > 0 && book.rate.size() == e && book.dividend_yield.size() == e && book.smile.size() == 5 * e &&
              book.expiry_begin.size() == e + 1 && book.implied_volatility.size() == n && book.right.size() == n &&
              book.weight.size() == w * n && book.greeks.size() == kGreekCount * n &&
              book.stored.size() == axes.chunks() * cells && book.largest.size() == axes.chunks(),
          "a book is incomplete");
  require(book.expiry_begin.front() == 0 && book.expiry_begin.back() == static_cast<std::int64_t>(n) &&
              std::is_sorted(book.expiry_begin.begin(), book.expiry_begin.end()),
          "expiries of a book do not follow one another");
  require(all_within(book.settlement, static_cast<double>(axes.time.front()) + 1.0, 2.6e11),
          "a settlement is not after time[0]");
  require(all_within(book.rate, -10.0, 10.0), "a rate is beyond -10 and 10");
  require(all_within(book.dividend_yield, -1e4, 1e4), "a dividend yield is beyond any");
  require(all_within(book.strike, 1e-9, kHuge), "a strike is beyond any");
  require(all_within(book.implied_volatility, 0.0, 1e3), "a volatility is beyond any");
  require(all_within(book.weight, -kHuge, kHuge), "a position is beyond any");
  require(std::all_of(book.smile.begin(), book.smile.end(), [](double x) { return std::isfinite(x); }),
          "a smile is no number");
}

BookView view(const NightAxes& axes, std::size_t u, const TickerCells& book,
              const std::vector<formulas::Smile<double>>& smile) {
  BookView out;
  out.spot = axes.spot_reference[u];
  out.spot_basis = axes.spot_basis[u];
  out.settlement = book.settlement;
  out.rate = book.rate;
  out.dividend_yield = book.dividend_yield;
  out.expiry_begin = book.expiry_begin;
  out.strike = book.strike;
  out.right = book.right;
  out.implied_volatility = book.implied_volatility;
  out.weight = book.weight;
  out.smile = smile;
  return out;
}

bool has(const Structure& structure, const std::string& path) {
  return std::any_of(structure.variables.begin(), structure.variables.end(),
                     [&](const StoredVariable& one) { return one.path == path && one.known; });
}

/// In the child: a few hypothetical closes of a ticker, its ends and its middle among them.
void read_closes(hid_t file, const Structure& structure, const NightAxes& axes, std::size_t u, TickerCells& out) {
  const auto rule = std::find(axes.iv_rule.begin(), axes.iv_rule.end(), "sticky_strike");
  if (axes.close_time.empty() || rule == axes.iv_rule.end()) return;
  const StoredVariable& dx = variable(structure, "/step_forward/dx");
  ChunkReader close(file, variable(structure, "/step_forward/close"));
  const std::size_t closes = dx.lengths[5], modes = dx.lengths[1];
  require(modes == axes.close_time.size(), "modes of /step_forward have no instants");
  close.read({u, 0}, {1, closes});
  std::vector<std::size_t> known;
  for (std::size_t c = 0; c < closes; ++c) {
    if (close.data<double>()[c] > 0.0) known.push_back(c);
  }
  if (known.empty()) return;
  constexpr std::size_t kParts = 4;
  std::vector<std::size_t> chosen;
  for (std::size_t k = 0; k <= kParts; ++k) {
    const std::size_t c = known[k * (known.size() - 1) / kParts];
    if (chosen.empty() || chosen.back() != c) chosen.push_back(c);
  }
  for (const std::size_t c : chosen) out.close.push_back(close.data<double>()[c]);
  const auto r = static_cast<std::size_t>(rule - axes.iv_rule.begin());
  const auto v =
      static_cast<std::size_t>(std::find(axes.iv_shift.begin(), axes.iv_shift.end(), 0.0) - axes.iv_shift.begin());
  for (std::size_t m = 0; m < modes; ++m) {
    for (std::size_t w = 0; w < axes.position.size(); ++w) {
      for (const char* name : {"dx", "gx"}) {
        ChunkReader values(file, variable(structure, std::string("/step_forward/") + name));
        values.read({u, m, w, r, v, 0}, {1, 1, 1, 1, 1, closes});
        double largest = 0.0;
        for (const float x : values.data<float>())
          largest = std::max(largest, std::isnan(x) ? 0.0 : std::abs(double{x}));
        for (const std::size_t c : chosen) out.close_exposure.push_back(values.data<float>()[c]);
        out.close_largest.push_back(largest);
      }
    }
  }
}

/// The expiries [from, to) of a book under one position model, whose weights are then (1, N).
struct BookPart {
  std::vector<std::int64_t> begin;
  BookView view;

  BookPart(const BookView& book, std::size_t from, std::size_t to, std::size_t position) : view(book) {
    const auto first = static_cast<std::size_t>(book.expiry_begin[from]),
               count = static_cast<std::size_t>(book.expiry_begin[to]) - first;
    for (std::size_t e = from; e <= to; ++e) begin.push_back(book.expiry_begin[e] - static_cast<std::int64_t>(first));
    view.settlement = book.settlement.subspan(from, to - from);
    view.rate = book.rate.subspan(from, to - from);
    view.dividend_yield = book.dividend_yield.subspan(from, to - from);
    view.expiry_begin = begin;
    view.strike = book.strike.subspan(first, count);
    view.right = book.right.subspan(first, count);
    view.implied_volatility = book.implied_volatility.subspan(first, count);
    view.weight = book.weight.subspan(position * book.contracts() + first, count);
    view.smile = book.smile.subspan(from, to - from);
  }
  BookPart(const BookPart&) = delete;
  BookPart& operator=(const BookPart&) = delete;
};

/// Expiries of a book that settle at an instant or before it; they ascend by settlement.
std::size_t settled_by(const BookView& book, std::int64_t time) {
  return static_cast<std::size_t>(std::upper_bound(book.settlement.begin(), book.settlement.end(), time) -
                                  book.settlement.begin());
}

constexpr const char* kScopeNames[] = {"all", "0dte"};

/// In the child: a few places of a ticker's session.
void read_session(hid_t file, const FileReader& reader, const Structure& structure, const NightAxes& axes,
                  std::size_t u, TickerCells& out) {
  if (axes.session_time.empty()) return;
  const StoredVariable& surface = variable(structure, "/intraday/dx");
  const std::size_t times = surface.lengths[3], spots = surface.lengths[4];
  const std::vector<std::string> scope = reader.strings("/intraday/expiries", surface.lengths[2]);
  const std::vector<double> step = reader.values<double>("/intraday/spot_step", {spots}),
                            move = reader.values<double>("/intraday/expected_move", {axes.ticker.size()});
  require(times == axes.session_time.size(), "instants of /intraday are others than its surfaces'");
  const std::size_t places[][2] = {
      {0, spots / 2},        {0, 0}, {times / 3, (u * 7) % spots}, {times / 2, spots - 1}, {times - 1, spots / 3},
      {times - 1, spots / 2}};
  for (const auto& [t, j] : places) {
    out.session_time.push_back(axes.session_time[t]);
    out.session_log_spot.push_back(step[j] * move[u]);
  }
  ChunkReader dx(file, surface), gx(file, variable(structure, "/intraday/gx"));
  for (std::size_t w = 0; w < axes.position.size(); ++w) {
    for (const char* name : kScopeNames) {
      const auto at = std::find(scope.begin(), scope.end(), name);
      require(at != scope.end(), std::string("/intraday has no surface of the expiries ") + name);
      for (ChunkReader* values : {&dx, &gx}) {
        values->read({u, w, static_cast<std::size_t>(at - scope.begin()), 0, 0}, {1, 1, 1, times, spots});
        double largest = 0.0;
        for (const float x : values->data<float>()) largest = std::max(largest, std::abs(double{x}));
        for (const auto& [t, j] : places) out.session_exposure.push_back(values->data<float>()[t * spots + j]);
        out.session_largest.push_back(largest);
      }
    }
  }
}

/// In the caller: those places against the book. A session is computed in double precision; what settles long after it
/// is carried between instants by a polynomial, to 1e-7 of the largest. What settles by its first instant is left out.
void compare_session(const NightAxes& axes, std::size_t u, const BookView& book, const TickerCells& cells,
                     Backend& reference, Findings& findings) {
  constexpr double kCarried = 1e-7;
  constexpr double kNoShift[] = {0.0};
  const std::size_t places = cells.session_time.size(), positions = axes.position.size();
  if (places == 0) return;
  require(cells.session_log_spot.size() == places && cells.session_largest.size() == positions * 4 &&
              cells.session_exposure.size() == positions * 4 * places &&
              all_within(cells.session_log_spot, -100.0, 100.0) &&
              all_within(cells.session_time, static_cast<double>(axes.time.front()), 2.6e11) &&
              std::is_sorted(axes.session_time.begin(), axes.session_time.end()) &&
              std::is_sorted(book.settlement.begin(), book.settlement.end()),
          "a session is incomplete");
  const std::size_t first = settled_by(book, axes.session_time.front()),
                    ends[] = {book.expiries(), settled_by(book, axes.session_time.back())};
  for (std::size_t w = 0; w < positions; ++w) {
    for (std::size_t s = 0; s < 2; ++s) {
      const BookPart part(book, first, std::max(first, ends[s]), w);
      for (std::size_t p = 0; p < places; ++p) {
        GridView grid;
        grid.quote_time = axes.time.front();
        grid.time = {&cells.session_time[p], 1};
        grid.iv_shift = kNoShift;
        grid.log_spot_begin = cells.session_log_spot[p];
        grid.spots = 1;
        grid.iv_floor = axes.iv_floor;
        const std::vector<CellSum> sums = recompute_cell(reference, {Greek::kDelta, Greek::kGamma}, part.view, grid, 1);
        for (std::size_t q = 0; q < 2; ++q) {
          const std::size_t row = (w * 2 + s) * 2 + q;
          const double stored = cells.session_exposure[row * places + p];
          const double tolerance = cell_tolerance({kBound64.of_largest + kCarried, kBound64.of_gross},
                                                  cells.session_largest[row], sums[q], 23) +
                                   (q == 0 ? sums[q].at_strike : 0.0);
          findings.require("session cells", std::abs(stored - sums[q].net) <= tolerance, [&] {
            return std::string("/intraday/") + (q == 0 ? "dx" : "gx") + "[" + axes.ticker[u] + ", " + axes.position[w] +
                   ", " + kScopeNames[s] + ", " + iso_from_instant(cells.session_time[p]) + ", ln(S / S0) " +
                   text_of(cells.session_log_spot[p]) + "]: is that of the book (" + text_of(sums[q].net) + " to " +
                   text_of(tolerance) + "), is " + text_of(stored);
          });
        }
      }
    }
  }
}

/// In the caller: those closes against the book. The tables carry exposures to the closes by interpolation: 3e-7 of the
/// largest beside the backend's own error, where no deviation is narrower than 3e-4 of spot and the floor does not
/// bind.
void compare_closes(const NightAxes& axes, std::size_t u, const BookView& book, const TickerCells& cells,
                    const CellBound& bound, Backend& reference, Findings& findings) {
  constexpr double kCarried = 3e-7, kNarrowest = 3e-4;
  constexpr double kNoShift[] = {0.0};
  const std::size_t closes = cells.close.size(), positions = axes.position.size();
  if (closes == 0) return;
  require(cells.close_largest.size() == axes.close_time.size() * positions * 2 &&
              cells.close_exposure.size() == cells.close_largest.size() * closes && all_within(cells.close, 1e-9, 1e12),
          "hypothetical closes are incomplete");
  for (std::size_t m = 0; m < axes.close_time.size(); ++m) {
    const std::int64_t time = axes.close_time[m];
    require(time >= axes.time.front(), "a hypothetical close lies before time[0]");
    // What settles by then is gone. Expiries of a book ascend by settlement.
    const std::size_t live = settled_by(book, time);
    bool answered = live < book.expiries() && std::is_sorted(book.settlement.begin(), book.settlement.end());
    for (std::size_t e = live; answered && e < book.expiries(); ++e) {
      const double root = std::sqrt(static_cast<double>(book.settlement[e] - time) / kSecondsPerYear);
      for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
           i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
        answered =
            answered && book.implied_volatility[i] * root > kNarrowest && book.implied_volatility[i] > axes.iv_floor;
      }
    }
    if (!answered) continue;
    for (std::size_t w = 0; w < positions; ++w) {
      const BookPart part(book, live, book.expiries(), w);
      for (std::size_t c = 0; c < closes; ++c) {
        GridView grid;
        grid.quote_time = axes.time.front();
        grid.time = {&axes.close_time[m], 1};
        grid.iv_shift = kNoShift;
        grid.log_spot_begin = std::log(cells.close[c] / book.spot);
        grid.spots = 1;
        grid.iv_floor = axes.iv_floor;
        const std::vector<CellSum> sums = recompute_cell(reference, {Greek::kDelta, Greek::kGamma}, part.view, grid, 1);
        for (std::size_t q = 0; q < 2; ++q) {
          const std::size_t row = (m * positions + w) * 2 + q;
          const double stored = cells.close_exposure[row * closes + c];
          const double tolerance =
              cell_tolerance({bound.of_largest + kCarried, bound.of_gross}, cells.close_largest[row], sums[q], 23);
          findings.require("close cells", std::abs(stored - sums[q].net) <= tolerance, [&] {
            return std::string("/step_forward/") + (q == 0 ? "dx" : "gx") + "[" + axes.ticker[u] + ", mode " +
                   std::to_string(m) + ", " + axes.position[w] + ", close " + text_of(cells.close[c]) +
                   "]: is that of the book (" + text_of(sums[q].net) + " to " + text_of(tolerance) + "), is " +
                   text_of(stored);
          });
        }
      }
    }
  }
}

}  // namespace

NightAxes read_axes(const FileReader& reader, const Structure& structure) {
  NightAxes a;
  const auto doubles = [&](const char* path) { return reader.values<double>(path, variable(structure, path).lengths); };
  const auto longs = [&](const char* path) {
    return reader.values<std::int64_t>(path, variable(structure, path).lengths);
  };
  const auto strings = [&](const char* path) { return reader.strings(path, variable(structure, path).lengths.at(0)); };
  a.ticker = strings("/ticker");
  a.position = strings("/position");
  a.iv_rule = strings("/iv_rule");
  a.spot_reference = doubles("/spot_reference");
  a.spot_basis = doubles("/spot_basis");
  a.spot_scale = doubles("/spot_scale");
  a.iv_rule_parameter = doubles("/iv_rule_parameter");
  a.iv_shift = doubles("/iv_shift");
  a.spot_step = doubles("/spot_step");
  a.time = longs("/time");
  a.contract_begin = longs("/contract/contract_begin");
  a.contract_count = longs("/contract/contract_count");
  const std::size_t expiries = variable(structure, "/expiry/expiry").lengths.at(0);
  for (const std::int32_t u : reader.values<std::int32_t>("/expiry/expiry_ticker", {expiries})) {
    a.expiry_ticker.push_back(u);
  }
  a.settlement = longs("/expiry/settlement");
  a.iv_shift_term = reader.text_attribute("/iv_shift", "iv_shift_term");
  a.iv_floor = reader.number_attribute("/iv_shift", "iv_floor");
  if (reader.has_attribute("/iv_shift", "iv_shift_term_cap")) {
    a.iv_shift_term_cap = reader.number_attribute("/iv_shift", "iv_shift_term_cap");
  }
  a.precision = reader.text_attribute("/run", "precision");
  // A file that does not say was evaluated by brute force.
  if (reader.has_attribute("/run", "evaluator") && reader.text_attribute("/run", "evaluator") != "brute") {
    a.tolerance = reader.number_attribute("/run", "tolerance");
  }
  const auto add = [&](const std::string& name) {
    const std::string path = "/" + name;
    const auto found = std::find_if(structure.variables.begin(), structure.variables.end(),
                                    [&](const StoredVariable& one) { return one.path == path && one.known; });
    if (found == structure.variables.end()) return;
    a.surface.push_back(name);
    a.kept_bits.push_back(
        reader.has_attribute(path, kKeptBits) ? static_cast<int>(reader.number_attribute(path, kKeptBits)) : 23);
  };
  for (const GreekText& text : kGreekText) add(text.surface);
  add(kDeltaChange);
  if (has(structure, "/intraday/dx") && has(structure, "/intraday/gx") && has(structure, "/intraday/expected_move") &&
      has(structure, "/intraday/spot_step") && has(structure, "/intraday/time")) {
    a.session_time = longs("/intraday/time");
  }
  if (has(structure, "/step_forward/mode") && has(structure, "/step_forward/dx") &&
      has(structure, "/step_forward/gx")) {
    const auto next = instant_from_iso(reader.text_attribute("/step_forward", "next_session_close"));
    for (const std::string& mode : strings("/step_forward/mode")) {
      if (!next || (mode != "append" && mode != "replace")) {
        a.close_time.clear();  // of a later MINOR
        break;
      }
      a.close_time.push_back(mode == "append" ? *next : a.time.at(0));
    }
  }
  return a;
}

void validate(const NightAxes& a) {
  const std::size_t tickers = a.ticker.size();
  require(tickers > 0 && !a.position.empty() && !a.iv_rule.empty() && !a.surface.empty() && !a.time.empty() &&
              !a.iv_shift.empty() && a.spot_step.size() % 2 == 1 && a.kept_bits.size() == a.surface.size() &&
              a.spot_reference.size() == tickers && a.spot_basis.size() == tickers && a.spot_scale.size() == tickers &&
              a.contract_begin.size() == tickers && a.contract_count.size() == tickers &&
              a.iv_rule_parameter.size() == a.iv_rule.size() && a.settlement.size() == a.expiry_ticker.size(),
          "the axes have other lengths than their columns");
  require(a.chunk_cells() <= std::size_t{1} << 28U, "a surface is larger than 1 GiB");
  require(all_within(a.kept_bits, 1.0, 23.0), "a surface keeps an impossible number of bits");
  require(all_within(a.spot_reference, 1e-9, 1e12) && all_within(a.spot_basis, -10.0, 10.0) &&
              all_within(a.spot_scale, 1e-12, 100.0) && all_within(a.spot_step, -1e6, 1e6),
          "spot_reference, spot_basis, spot_scale or spot_step is beyond any");
  for (const double scale : a.spot_scale) {
    require(std::abs(scale * a.spot_step.front()) < 100.0 && std::abs(scale * a.spot_step.back()) < 100.0,
            "a spot is beyond any");
  }
  require(all_within(a.iv_shift, -100.0, 100.0) && a.iv_floor > 0.0 && a.iv_floor < 100.0 &&
              a.iv_shift_term_cap >= 0.0 && a.iv_shift_term_cap < 1e6,
          "iv_shift or its attributes are beyond any");
  require(std::count(a.iv_shift.begin(), a.iv_shift.end(), 0.0) == 1, "iv_shift does not contain 0 once");
  require(std::is_sorted(a.time.begin(), a.time.end()) && all_within(a.time, 0.0, 2.6e11), "time does not ascend");
  std::int64_t next = 0;
  for (std::size_t u = 0; u < tickers; ++u) {
    require(a.contract_begin[u] == next && a.contract_count[u] > 0 && a.contract_count[u] < 100'000'000,
            "contract_begin and contract_count of a ticker are no slice");
    next += a.contract_count[u];
  }
  require(all_within(a.expiry_ticker, 0.0, static_cast<double>(tickers) - 1.0), "an expiry is of no ticker");
  for (const std::string& name : a.surface) require(greek_of(name) || name == kDeltaChange, "a surface is of no Greek");
}

std::vector<TickerCells> read_cells(hid_t file, const FileReader& reader, const Structure& structure,
                                    const NightAxes& axes, std::size_t first,
                                    const std::vector<std::vector<CellPlace>>& places, Findings& findings) {
  const std::size_t tickers = places.size(), positions = axes.position.size(), rules = axes.iv_rule.size(),
                    times = axes.time.size(), shifts = axes.iv_shift.size(), spots = axes.spot_step.size();
  const auto begin = static_cast<std::size_t>(axes.contract_begin[first]);
  std::size_t rows = 0;
  for (std::size_t k = 0; k < tickers; ++k) rows += static_cast<std::size_t>(axes.contract_count[first + k]);
  const std::size_t all = variable(structure, "/contract/contract").lengths.at(0);
  require(begin + rows <= all, "contracts of a ticker lie beyond the table");
  const auto column = [&]<class T>(const std::string& name, T) {
    const StoredVariable& one = variable(structure, "/contract/" + name);
    const FileReader::Shape shape = {one.type, one.lengths, one.dims};
    if (one.lengths.size() == 1) return reader.part<T>(one.path, shape, {begin}, {rows});
    return reader.part<T>(one.path, shape, {begin, 0}, {rows, one.lengths[1]});
  };
  const auto of_expiry = [&](const std::string& name) {
    return reader.values<double>("/expiry/" + name, variable(structure, "/expiry/" + name).lengths);
  };
  const std::vector<std::int32_t> expiry = column("contract_expiry", std::int32_t{});
  const std::vector<double> strike = column("strike", 0.0), multiplier = column("multiplier", 0.0),
                            volatility = column("implied_volatility", 0.0), dealer = column("dealer_position", 0.0);
  const std::vector<std::int8_t> right = column("right", std::int8_t{});
  std::vector<std::vector<double>> greeks;
  for (const Greek greek : kAllGreeks) greeks.push_back(column(std::string(name(greek)), 0.0));
  const std::vector<double> rate = of_expiry("rate"), yield = of_expiry("dividend_yield");
  std::vector<std::vector<double>> smile;
  for (const char* name : {"smile_a", "smile_b", "smile_rho", "smile_m", "smile_s"}) smile.push_back(of_expiry(name));
  require(dealer.size() == rows * positions, "dealer_position is not (contract, position)");

  std::vector<TickerCells> out(tickers);
  std::size_t from = 0;
  for (std::size_t k = 0; k < tickers; ++k) {
    TickerCells& book = out[k];
    const auto n = static_cast<std::size_t>(axes.contract_count[first + k]);
    std::int64_t last = -1;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t e = expiry[from + i];
      require(e >= last && e >= 0 && static_cast<std::size_t>(e) < rate.size(),
              "contract_expiry of " + axes.ticker[first + k] + " does not ascend");
      if (e != last) {
        const auto row = static_cast<std::size_t>(e);
        book.expiry_begin.push_back(static_cast<std::int64_t>(i));
        book.settlement.push_back(axes.settlement.at(row));
        book.rate.push_back(rate[row]);
        book.dividend_yield.push_back(yield.at(row));
        // Without a smile volatility stays where it is.
        const bool missing = std::isnan(smile[0].at(row));
        for (const std::vector<double>& parameter : smile) book.smile.push_back(missing ? 0.0 : parameter.at(row));
        last = e;
      }
      book.strike.push_back(strike[from + i]);
      book.implied_volatility.push_back(volatility[from + i]);
      book.right.push_back(right[from + i] > 0 ? std::int8_t{1} : std::int8_t{-1});
    }
    book.expiry_begin.push_back(static_cast<std::int64_t>(n));
    for (std::size_t w = 0; w < positions; ++w) {
      for (std::size_t i = 0; i < n; ++i) {
        book.weight.push_back(dealer[(from + i) * positions + w] * multiplier[from + i]);
      }
    }
    for (const std::vector<double>& greek : greeks) {
      book.greeks.insert(book.greeks.end(), greek.begin() + static_cast<std::ptrdiff_t>(from),
                         greek.begin() + static_cast<std::ptrdiff_t>(from + n));
    }
    from += n;
    book.stored.resize(axes.chunks() * places[k].size());
    book.largest.assign(axes.chunks(), std::numeric_limits<double>::quiet_NaN());
  }

  std::vector<ChunkReader> chunks;
  for (const std::string& name : axes.surface) chunks.emplace_back(file, variable(structure, "/" + name));
  const std::size_t zero =
      static_cast<std::size_t>(std::find(axes.iv_shift.begin(), axes.iv_shift.end(), 0.0) - axes.iv_shift.begin());
  const std::size_t reference = zero * spots + spots / 2;
  std::vector<float> delta;
  for (std::size_t k = 0; k < tickers; ++k) {
    TickerCells& book = out[k];
    try {
      read_session(file, reader, structure, axes, first + k, book);
      read_closes(file, structure, axes, first + k, book);
    } catch (const Error& error) {
      book.close.clear();
      findings.fail("session cells", "/intraday or /step_forward of " + axes.ticker[first + k] + " cannot be read (" +
                                         error.what() + ")");
    }
    const std::int64_t end = *std::max_element(book.settlement.begin(), book.settlement.end());
    for (std::size_t w = 0; w < positions; ++w) {
      for (std::size_t r = 0; r < rules; ++r) {
        delta.clear();
        for (std::size_t s = 0; s < axes.surface.size(); ++s) {
          const std::string& name = axes.surface[s];
          const auto where = [&](std::size_t cell) {
            return "/" + name + "[" + axes.ticker[first + k] + ", " + axes.position[w] + ", " + axes.iv_rule[r] +
                   ", time " + std::to_string(cell / spots / shifts) + ", iv_shift " +
                   std::to_string(cell / spots % shifts) + ", spot_step " + std::to_string(cell % spots) + "]";
          };
          try {
            chunks[s].read({first + k, w, r, 0, 0, 0}, {1, 1, 1, times, shifts, spots});
          } catch (const Error& error) {
            findings.fail("checksums", where(0) + ": chunk cannot be read (" + error.what() + ")");
            continue;
          }
          findings.count("checksums");
          const std::span<const float> cells = chunks[s].data<float>();
          double largest = 0.0;
          std::int64_t bad = 0, dead = 0;
          for (std::size_t c = 0; c < cells.size(); ++c) {
            const std::int64_t time = axes.time[c / spots / shifts];
            if (!std::isfinite(cells[c])) {
              findings.fail("surfaces", where(c) + ": is a number, is " + text_of(cells[c]));
              ++bad;
              continue;
            }
            largest = std::max(largest, std::abs(static_cast<double>(cells[c])));
            if (time < end || (time == end && name == "dx") || name == kDeltaChange) continue;
            ++dead;
            if (cells[c] == 0.0F) continue;
            findings.fail("dead cells", where(c) + ": is 0 where nothing is alive, is " + text_of(cells[c]));
            --dead;
          }
          findings.count("surfaces", static_cast<std::int64_t>(cells.size()) - bad);
          findings.count("dead cells", dead);
          if (name == "dx") delta.assign(cells.begin(), cells.end());
          if (name == kDeltaChange && delta.size() == cells.size()) {
            const double half =
                std::ldexp(1.0, -24) + (axes.kept_bits[s] < 23 ? std::ldexp(1.0, -axes.kept_bits[s] - 1) : 0.0);
            for (std::size_t c = 0; c < cells.size(); ++c) {
              const double dx = delta[c], at = delta[reference], wanted = dx - at;
              findings.require("delta_change",
                               std::abs(cells[c] - wanted) <= 2.0 * half * (std::abs(dx) + std::abs(at)) + 1e-37, [&] {
                                 return where(c) + ": is dx less dx of the reference cell (" + text_of(wanted) +
                                        "), is " + text_of(cells[c]);
                               });
            }
          }
          const std::size_t chunk = (s * positions + w) * rules + r;
          book.largest[chunk] = largest;
          for (std::size_t c = 0; c < places[k].size(); ++c) {
            const CellPlace& at = places[k][c];
            book.stored[chunk * places[k].size() + c] = cells[(at.time * shifts + at.iv_shift) * spots + at.spot];
          }
        }
      }
    }
  }
  return out;
}

void compare_cells(const NightAxes& axes, std::size_t first, const std::vector<std::vector<CellPlace>>& places,
                   const std::vector<TickerCells>& cells, const CellBound& bound, Findings& findings,
                   std::vector<WorstCell>& worst, ReferenceCells& references) {
  const std::size_t positions = axes.position.size(), rules = axes.iv_rule.size(), surfaces = axes.surface.size();
  require(cells.size() == places.size(), "books are missing");
  GreekSet greeks;
  for (const std::string& name : axes.surface) {
    if (const auto greek = greek_of(name)) greeks.insert(*greek);
  }
  const std::size_t zero =
      static_cast<std::size_t>(std::find(axes.iv_shift.begin(), axes.iv_shift.end(), 0.0) - axes.iv_shift.begin());
  const CellPlace reference_place{0, zero, axes.spot_step.size() / 2};
  const auto reference = make_reference_backend();
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const std::size_t u = first + k, count = places[k].size();
    const TickerCells& book = cells[k];
    validate(axes, book, count);
    std::vector<formulas::Smile<double>> smile;
    for (std::size_t e = 0; e < book.settlement.size(); ++e) {
      const double tau = static_cast<double>(book.settlement[e] - axes.time.front()) / kSecondsPerYear;
      const double* p = &book.smile[5 * e];
      smile.push_back({p[0], p[1], p[2], p[3], p[4], tau});
    }
    const BookView of = view(axes, u, book, smile);

    const std::vector<double> wanted = recompute_greeks(*reference, of, axes.time.front(), axes.iv_floor);
    const std::size_t n = of.contracts();
    for (const Greek greek : kAllGreeks) {
      const std::size_t g = static_cast<std::size_t>(greek) * n;
      double largest = 0.0;
      for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(wanted[g + i]));
      for (std::size_t i = 0; i < n; ++i) {
        const double value = book.greeks[g + i];
        findings.require("contract Greeks",
                         std::abs(value - wanted[g + i]) <= 1e-9 * std::abs(wanted[g + i]) + 1e-13 * largest, [&] {
                           return "/contract/" + std::string(name(greek)) + "[" +
                                  std::to_string(axes.contract_begin[u] + static_cast<std::int64_t>(i)) +
                                  "]: is that of the formula (" + text_of(wanted[g + i]) + "), is " + text_of(value);
                         });
      }
    }

    compare_session(axes, u, of, book, *reference, findings);
    compare_closes(axes, u, of, book, bound, *reference, findings);

    std::vector<std::vector<CellSum>> sums(rules * count);
    tbb::parallel_for(std::size_t{0}, sums.size(), [&](std::size_t task) {
      const std::size_t r = task / count;
      const CellPlace& at = places[k][task % count];
      GridView grid;
      grid.quote_time = axes.time.front();
      grid.time = {&axes.time[at.time], 1};
      grid.iv_shift = {&axes.iv_shift[at.iv_shift], 1};
      grid.log_spot_begin = axes.spot_step[at.spot] * axes.spot_scale[u];
      grid.spots = 1;
      grid.iv_rule = axes.iv_rule[r] == "sticky_strike"   ? IvRule::kStickyStrike
                     : axes.iv_rule[r] == "relative_beta" ? IvRule::kRelativeBeta
                                                          : IvRule::kSkewStickiness;
      grid.iv_rule_parameter = axes.iv_rule_parameter[r];
      grid.iv_shift_term = axes.iv_shift_term == "sqrt_time" ? IvShiftTerm::kSqrtTime : IvShiftTerm::kFlat;
      grid.iv_shift_term_cap = axes.iv_shift_term_cap;
      grid.iv_floor = axes.iv_floor;
      sums[task] = recompute_cell(*reference, greeks, of, grid, positions);
    });

    for (std::size_t s = 0; s < surfaces; ++s) {
      const auto greek = greek_of(axes.surface[s]);
      if (!greek) continue;
      for (std::size_t w = 0; w < positions; ++w) {
        for (std::size_t r = 0; r < rules; ++r) {
          if (!is_rule(axes.iv_rule[r])) continue;  // of a later MINOR
          const std::size_t chunk = (s * positions + w) * rules + r;
          const double largest = book.largest[chunk];
          if (!std::isfinite(largest)) continue;  // not read: told by its checksum
          for (std::size_t c = 0; c < count; ++c) {
            const CellPlace& at = places[k][c];
            const CellSum& sum = sums[r * count + c][greeks.index(*greek) * positions + w];
            const double stored = book.stored[chunk * count + c], error = std::abs(stored - sum.net);
            const double tolerance = cell_tolerance(bound, largest, sum, axes.kept_bits[s]) +
                                     (*greek == Greek::kDelta ? sum.at_strike : 0.0);
            WorstCell cell;
            cell.surface = axes.surface[s];
            cell.ticker = axes.ticker[u];
            cell.position = axes.position[w];
            cell.iv_rule = axes.iv_rule[r];
            cell.time = iso_from_instant(axes.time[at.time]);
            cell.iv_shift = axes.iv_shift[at.iv_shift];
            cell.spot_step = axes.spot_step[at.spot];
            cell.stored = stored;
            cell.recomputed = sum.net;
            cell.of_largest = largest > 0.0 ? error / largest : error > 0.0 ? HUGE_VAL : 0.0;
            cell.of_gross = sum.gross > 0.0 ? error / sum.gross : error > 0.0 ? HUGE_VAL : 0.0;
            cell.of_tolerance = error / tolerance;
            findings.require("cells", error <= tolerance, [&] {
              return "/" + cell.surface + "[" + cell.ticker + ", " + cell.position + ", " + cell.iv_rule + ", time " +
                     std::to_string(at.time) + ", iv_shift " + std::to_string(at.iv_shift) + ", spot_step " +
                     std::to_string(at.spot) + "]: is that of the book (" + text_of(sum.net) + " to " +
                     text_of(tolerance) + "), is " + text_of(stored);
            });
            const auto found = std::find_if(worst.begin(), worst.end(),
                                            [&](const WorstCell& one) { return one.surface == cell.surface; });
            if (found == worst.end()) {
              worst.push_back(cell);
            } else if (!(cell.of_tolerance <= found->of_tolerance)) {
              *found = cell;
            }
            if (r != 0 || at != reference_place) continue;
            if (*greek == Greek::kDelta) {
              references.dx.push_back(stored);
              references.dx_tolerance.push_back(tolerance);
            }
            if (*greek == Greek::kGamma) {
              references.gx.push_back(stored);
              references.gx_tolerance.push_back(tolerance);
            }
          }
        }
      }
    }
  }
}

}  // namespace greekgrid::h5

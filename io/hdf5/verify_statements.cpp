// What the schema says about the values of the tables, statement by statement.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "greekgrid/host/chain.hpp"
#include "greekgrid/kernels/views.hpp"
#include "night_schema.hpp"
#include "schema_table.hpp"
#include "shared_values.hpp"
#include "verify_values.hpp"

namespace greekgrid::h5 {
namespace {

using Numbers = std::vector<double>;
using Texts = std::vector<std::string>;

constexpr double kExact = 1e-12;    // relative: of identities that the writer evaluates in double
constexpr double kSummed = 1e-9;    // of the gross sum: sums of the same terms in another order
constexpr double kSingle = 1.2e-7;  // relative: of two numbers rounded to float32

/// A variable is not there or not as the schema says: structure has reported it.
struct Unknown {};

std::string text_of(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

bool near(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance || (std::isnan(a) && std::isnan(b));
}

class Statements {
 public:
  Statements(hid_t file, const FileReader& reader, const Structure& structure, const ReferenceCells& cells,
             Findings& findings)
      : file_(file), reader_(reader), structure_(structure), cells_(cells), findings_(findings) {}

  void chains();
  void history();
  void night();

 private:
  const StoredVariable& variable(const std::string& path) const {
    for (const StoredVariable& one : structure_.variables) {
      if (one.path == path && one.known) return one;
    }
    throw Unknown{};
  }
  bool has(const std::string& path) const {
    return std::any_of(structure_.variables.begin(), structure_.variables.end(),
                       [&](const StoredVariable& one) { return one.path == path && one.known; });
  }
  /// Values of a number of any type.
  Numbers numbers(const std::string& path) const;
  Texts texts(const std::string& path) const { return reader_.strings(path, variable(path).lengths.at(0)); }
  std::size_t length(const std::string& path) const { return variable(path).lengths.at(0); }
  Instant instant(const char* name) const {
    const auto found = instant_from_iso(reader_.text_attribute("/", name));
    if (!found) throw Error(std::string("attribute ") + name + " is no instant");
    return *found;
  }

  /// Runs one group of statements; what cannot be read is a failure of that check.
  template <class Make>
  void about(const char* check, Make make) {
    check_ = check;
    try {
      make();
    } catch (const Unknown&) {
      return;
    } catch (const Error& error) {
      findings_.fail(check, std::string("cannot be looked at (") + error.what() + ")");
    }
  }
  template <class Text>
  void say(bool holds, Text text) {
    findings_.require(check_, holds, text);
  }
  /// A statement about one element of a variable.
  void say(bool holds, const std::string& path, std::size_t i, const char* rule, double value) {
    findings_.require(check_, holds,
                      [&] { return path + "[" + std::to_string(i) + "]: " + rule + ", is " + text_of(value); });
  }
  void say_near(const std::string& path, std::size_t i, double value, double wanted, double tolerance,
                const char* rule) {
    findings_.require(check_, near(value, wanted, tolerance), [&] {
      return path + "[" + std::to_string(i) + "]: " + rule + " (" + text_of(wanted) + "), is " + text_of(value);
    });
  }
  void every(const std::string& path, const char* rule, bool (*holds)(double)) {
    const Numbers values = numbers(path);
    for (std::size_t i = 0; i < values.size(); ++i) say(holds(values[i]), path, i, rule, values[i]);
  }
  /// Begins and counts that cover `total` rows without a gap.
  void slices(const std::string& begin, const std::string& count, std::size_t total) {
    const Numbers first = numbers(begin), rows = numbers(count);
    double next = 0.0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      say(rows[i] >= 0.0, count, i, "a slice has 0 rows or more", rows[i]);
      say_near(begin, i, first[i], next, 0.0, "slices follow one another");
      next = first[i] + rows[i];
    }
    say_near(count, rows.size() - 1, next, static_cast<double>(total), 0.0, "slices end with the table");
  }
  void sorted(const std::string& path) {
    const Texts names = texts(path);
    for (std::size_t i = 0; i < names.size(); ++i) {
      say((i == 0 || names[i - 1] < names[i]) && is_symbol(names[i]), [&] {
        return path + "[" + std::to_string(i) + "]: symbols ascend bytewise and none is blank, is \"" + names[i] + "\"";
      });
    }
  }
  /// Slices, read where they are known to be sound: begin[u] .. begin[u] + count[u] <= total.
  std::vector<std::size_t> bounds(const std::string& begin, const std::string& count, std::size_t total) const {
    const Numbers first = numbers(begin), rows = numbers(count);
    std::vector<std::size_t> out = {0};
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (first[i] != static_cast<double>(out.back()) || !(rows[i] >= 0.0)) throw Unknown{};
      out.push_back(out.back() + static_cast<std::size_t>(rows[i]));
    }
    if (out.back() != total) throw Unknown{};
    return out;
  }
  /// Indices into a table of n rows; throws Unknown where one is not.
  std::vector<std::size_t> indices(const std::string& path, std::size_t n) const {
    std::vector<std::size_t> out;
    for (const double i : numbers(path)) {
      if (!(i >= 0.0 && i < static_cast<double>(n))) throw Unknown{};
      out.push_back(static_cast<std::size_t>(i));
    }
    return out;
  }
  void ordered(const std::string& group, std::initializer_list<const char*> names) {
    std::vector<Numbers> columns;
    for (const char* name : names) columns.push_back(numbers(group + "/" + name));
    for (std::size_t k = 1; k < columns.size(); ++k) {
      for (std::size_t i = 0; i < columns[k].size(); ++i) {
        const double low = columns[k - 1][i], high = columns[k][i];
        if (std::isnan(low) || std::isnan(high)) continue;
        say(low <= high * (1.0 + (high >= 0.0 ? kExact : -kExact)) + 1e-300, [&] {
          return group + "/" + names.begin()[k] + "[" + std::to_string(i) + "]: is not below " + names.begin()[k - 1] +
                 " (" + text_of(low) + "), is " + text_of(high);
        });
      }
    }
  }

  void coordinates();
  void statuses();
  void axes();
  void expiries();
  void contracts();
  void levels();
  void profile();
  void group_sums(const std::string& group, std::size_t inner);
  void attribution();
  void session();
  void lines();
  void quality();
  void forecasts();
  void closes();
  void weather();

  hid_t file_;
  const FileReader& reader_;
  const Structure& structure_;
  const ReferenceCells& cells_;
  Findings& findings_;
  const char* check_ = "";
};

Numbers Statements::numbers(const std::string& path) const {
  const StoredVariable& found = variable(path);
  const auto widen = [](const auto& values) { return Numbers(values.begin(), values.end()); };
  switch (found.type) {
    case Type::kInt8:
      return widen(reader_.values<std::int8_t>(path, found.lengths));
    case Type::kInt32:
      return widen(reader_.values<std::int32_t>(path, found.lengths));
    case Type::kInt64:
      return widen(reader_.values<std::int64_t>(path, found.lengths));
    case Type::kFloat32:
      return widen(reader_.values<float>(path, found.lengths));
    case Type::kFloat64:
      return reader_.values<double>(path, found.lengths);
    case Type::kString:
      break;
  }
  throw Unknown{};
}

void Statements::coordinates() {
  const std::set<std::string> counted = {"row",  "expiry", "contract",  "strike_row",
                                         "line", "point",  "neighbour", "tenth"};
  for (const StoredVariable& one : structure_.variables) {
    const std::string name = one.path.substr(one.path.rfind('/') + 1);
    if (!one.known || one.dims != std::vector<std::string>{name}) continue;
    about("coordinates", [&] {
      if (counted.contains(name)) {
        const Numbers values = numbers(one.path);
        for (std::size_t i = 0; i < values.size(); ++i) {
          say(values[i] == static_cast<double>(i), one.path, i, "counts from 0", values[i]);
        }
      } else if (one.type == Type::kString && structure_.file == "night" && one.path != "/" + name &&
                 one.path != "/quality/ticker" && (name == "ticker" || name == "position" || name == "iv_rule")) {
        const Texts here = texts(one.path), root = texts("/" + name);
        say(here == root, [&] { return one.path + ": is that of the root"; });
      } else if (one.type == Type::kString) {
        const Texts values = texts(one.path);
        say(std::set<std::string>(values.begin(), values.end()).size() == values.size(),
            [&] { return one.path + ": no value comes twice"; });
      } else if (name == "iv_shift" && one.path != "/iv_shift") {
        say(numbers(one.path) == numbers("/iv_shift"), [&] { return one.path + ": is that of the root"; });
      } else {
        const Numbers values = numbers(one.path);
        // Buckets may end together: there is no week left on a Friday.
        for (std::size_t i = 1; i < values.size(); ++i) {
          say(values[i] > values[i - 1], one.path, i, "ascends", values[i]);
        }
      }
    });
  }
}

/// NaN exactly where the status is another than the first, ok.
void Statements::statuses() {
  std::map<std::string, std::string> status;
  for (const SchemaRow& row : schema_rows()) {
    if (row.file != structure_.file || row.flags.empty() || !row.flags.starts_with("ok ")) continue;
    const std::string group(row.group), name(row.name);
    if (name.ends_with("_status")) status[group + "/" + name.substr(0, name.size() - 7)] = group + "/" + name;
  }
  const auto shared = [&](const std::string& value, const std::string& of) {
    status["/levels/" + value] = "/levels/" + of + "_status";
  };
  for (const std::string wall :
       {"call_wall", "put_wall", "call_wall_unrestricted", "put_wall_unrestricted", "absolute_gamma_strike"}) {
    shared(wall + "_ratio", wall + "_runner_up");
  }
  for (int k = 1; k <= 10; ++k) {
    shared("gamma_level_" + std::to_string(k) + "_index", "gamma_level_" + std::to_string(k));
  }
  shared("zero_gamma_slope", "zero_gamma");
  shared("zero_gamma_prominence", "zero_gamma");
  shared("hedge_up_usd", "hedge_up");
  shared("hedge_down_usd", "hedge_down");
  if (structure_.file != "night") return;
  for (const auto& [value, flag] : status) {
    if (!has(value) || !has(flag)) continue;
    about("statuses", [&] {
      const Numbers values = numbers(value), flags = numbers(flag);
      if (values.size() != flags.size()) throw Unknown{};
      for (std::size_t i = 0; i < values.size(); ++i) {
        say(std::isnan(values[i]) == (flags[i] != 0.0), value, i, "is NaN exactly where its status is not ok",
            values[i]);
      }
    });
  }
}

void Statements::axes() {
  about("axes", [&] {
    sorted("/ticker");
    const Numbers time = numbers("/time"), shift = numbers("/iv_shift"), step = numbers("/spot_step");
    say_near("/time", 0, time[0], static_cast<double>(instant("quote_time")), 0.0, "time[0] is quote_time");
    say(std::count(shift.begin(), shift.end(), 0.0) == 1, [] { return std::string("/iv_shift: contains 0 once"); });
    say(step.size() % 2 == 1, [] { return std::string("/spot_step: is of odd length"); });
    for (std::size_t j = 0; j < step.size(); ++j) {
      say(step[j] == -step[step.size() - 1 - j], "/spot_step", j, "is symmetric around 0", step[j]);
    }
    const auto one_of = [&](const char* path, const char* name, std::initializer_list<const char*> all) {
      const std::string value = reader_.text_attribute(path, name);
      say(std::find(all.begin(), all.end(), value) != all.end() || structure_.newer,
          [&] { return std::string(path) + ": attribute " + name + " is \"" + value + "\", which is none"; });
      return value;
    };
    one_of("/time", "time_axis", {"sessions", "intraday"});
    one_of("/spot_step", "spot_axis", {"expected_move", "log_return"});
    const bool cap = one_of("/iv_shift", "iv_shift_term", {"flat", "sqrt_time"}) == "sqrt_time";
    say(reader_.has_attribute("/iv_shift", "iv_shift_term_cap") == cap,
        [] { return std::string("/iv_shift: iv_shift_term_cap is there with sqrt_time only"); });
    say(reader_.number_attribute("/iv_shift", "iv_floor") > 0.0,
        [] { return std::string("/iv_shift: iv_floor is positive"); });
    const Texts rules = texts("/iv_rule");
    const std::set<std::string> known = {"sticky_strike", "sticky_moneyness", "sticky_local_volatility",
                                         "skew_stickiness", "relative_beta"};
    for (const std::string& rule : rules) {
      say(known.contains(rule) || structure_.newer, [&] { return "/iv_rule: \"" + rule + "\" is no rule"; });
    }
    every("/iv_rule_parameter", "is a number", [](double x) { return std::isfinite(x); });
  });
  about("spot", [&] {
    const Numbers reference = numbers("/spot_reference"), scale = numbers("/spot_scale"), step = numbers("/spot_step"),
                  spot = numbers("/spot");
    every("/spot_reference", "is positive", [](double x) { return x > 0.0; });
    every("/spot_basis", "is the log of a ratio near 1", [](double x) { return std::abs(x) < 10.0; });
    every("/spot_scale", "is positive", [](double x) { return x > 0.0; });
    for (std::size_t i = 0; i < spot.size(); ++i) {
      const std::size_t u = i / step.size();
      const double wanted = reference[u] * std::exp(step[i % step.size()] * scale[u]);
      say_near("/spot", i, spot[i], wanted, kExact * wanted, "is spot_reference exp(spot_step spot_scale)");
    }
  });
}

void Statements::expiries() {
  about("indices", [&] {
    const double tickers = static_cast<double>(length("/ticker"));
    double last = 0.0;
    const Numbers of = numbers("/expiry/expiry_ticker");
    for (std::size_t e = 0; e < of.size(); ++e) {
      say(of[e] >= last && of[e] < tickers, "/expiry/expiry_ticker", e, "ascends within the tickers", of[e]);
      last = std::max(last, of[e]);
    }
  });
  about("expiry identities", [&] {
    const std::vector<std::size_t> of = indices("/expiry/expiry_ticker", length("/ticker"));
    const Numbers settlement = numbers("/expiry/settlement"), rate = numbers("/expiry/rate"),
                  yield = numbers("/expiry/dividend_yield"), tau = numbers("/expiry/tau"),
                  forward = numbers("/expiry/forward"), discount = numbers("/expiry/discount"),
                  spot = numbers("/spot_reference"), basis = numbers("/spot_basis"), time = numbers("/time");
    for (std::size_t e = 0; e < of.size(); ++e) {
      const double years = (settlement[e] - time[0]) / kSecondsPerYear;
      say(tau[e] > 0.0, "/expiry/tau", e, "is positive", tau[e]);
      say_near("/expiry/tau", e, tau[e], years, kExact * std::abs(years), "is (settlement - time[0]) / 31536000");
      const double carried = spot[of[e]] * std::exp(basis[of[e]] + (rate[e] - yield[e]) * years);
      say_near("/expiry/forward", e, forward[e], carried, kExact * std::abs(carried),
               "is spot_reference exp(spot_basis + (rate - dividend_yield) tau)");
      const double worth = std::exp(-rate[e] * years);
      say_near("/expiry/discount", e, discount[e], worth, kExact * worth, "is exp(-rate tau)");
      say(discount[e] > 0.0 && discount[e] < 2.0, "/expiry/discount", e, "lies between 0 and 2", discount[e]);
    }
  });
  about("smiles", [&] {
    const Numbers kind = numbers("/expiry/smile_kind"), low = numbers("/expiry/smile_low"),
                  high = numbers("/expiry/smile_high"), b = numbers("/expiry/smile_b"),
                  rho = numbers("/expiry/smile_rho"), s = numbers("/expiry/smile_s");
    for (const char* name : {"smile_a", "smile_b", "smile_rho", "smile_m", "smile_s"}) {
      const std::string path = std::string("/expiry/") + name;
      const Numbers values = numbers(path);
      for (std::size_t e = 0; e < values.size(); ++e) {
        say(std::isnan(values[e]) == (kind[e] == 0.0), path, e, "is NaN exactly where smile_kind is missing",
            values[e]);
      }
    }
    for (std::size_t e = 0; e < kind.size(); ++e) {
      if (kind[e] == 0.0) continue;
      say(b[e] >= 0.0 && std::abs(rho[e]) < 1.0 && s[e] >= 0.0, "/expiry/smile_b", e,
          "b and s are not negative and rho lies within -1 and 1", b[e]);
      say(!(low[e] > high[e]), "/expiry/smile_high", e, "is not below smile_low", high[e]);
    }
    ordered("/expiry",
            {"quantile_05", "quantile_15", "quantile_25", "quantile_50", "quantile_75", "quantile_85", "quantile_95"});
    ordered("/expiry", {"range_70_low", "range_50_low", "range_50_high", "range_70_high"});
  });
}

void Statements::contracts() {
  about("slices", [&] {
    const std::size_t n = length("/contract/contract");
    slices("/contract/contract_begin", "/contract/contract_count", n);
  });
  about("indices", [&] {
    const std::size_t n = length("/contract/contract"), expiries = length("/expiry/expiry");
    const Numbers expiry = numbers("/contract/contract_expiry");
    for (std::size_t i = 0; i < n; ++i) {
      say(expiry[i] >= 0.0 && expiry[i] < static_cast<double>(expiries) && (i == 0 || expiry[i] >= expiry[i - 1]),
          "/contract/contract_expiry", i, "ascends within the expiries", expiry[i]);
    }
    const std::vector<std::size_t> of = indices("/contract/contract_expiry", expiries),
                                   ticker = indices("/expiry/expiry_ticker", length("/ticker")),
                                   begin = bounds("/contract/contract_begin", "/contract/contract_count", n);
    for (std::size_t u = 0; u + 1 < begin.size(); ++u) {
      for (std::size_t i = begin[u]; i < begin[u + 1]; ++i) {
        say(ticker[of[i]] == u, "/contract/contract_expiry", i, "is an expiry of the contract's ticker",
            static_cast<double>(of[i]));
      }
    }
  });
  about("contracts", [&] {
    every("/contract/strike", "is positive", [](double x) { return x > 0.0; });
    every("/contract/multiplier", "is positive", [](double x) { return x > 0.0; });
    every("/contract/implied_volatility", "is positive", [](double x) { return x > 0.0 && x < 1e3; });
    every("/contract/open_interest", "is not negative", [](double x) { return x >= 0.0; });
    every("/contract/dealer_position", "is a number", [](double x) { return std::isfinite(x); });
    const std::vector<std::size_t> of = indices("/contract/contract_expiry", length("/expiry/expiry"));
    const Numbers tau = numbers("/contract/tau"), years = numbers("/expiry/tau"), row = numbers("/contract/chain_row");
    for (std::size_t i = 0; i < of.size(); ++i) {
      say_near("/contract/tau", i, tau[i], years[of[i]], 0.0, "is that of its expiry");
      say(row[i] >= 0.0, "/contract/chain_row", i, "is a row", row[i]);
    }
    const Numbers strike = numbers("/contract/strike"), right = numbers("/contract/right");
    for (std::size_t i = 1; i < of.size(); ++i) {
      if (of[i] != of[i - 1]) continue;
      say(strike[i - 1] < strike[i] || (strike[i - 1] == strike[i] && right[i - 1] < right[i]), "/contract/strike", i,
          "contracts of an expiry ascend by strike and right", strike[i]);
    }
  });
  about("put-call", [&] {
    const std::vector<std::size_t> of = indices("/contract/contract_expiry", length("/expiry/expiry")),
                                   ticker = indices("/expiry/expiry_ticker", length("/ticker"));
    const Numbers strike = numbers("/contract/strike"), volatility = numbers("/contract/implied_volatility"),
                  delta = numbers("/contract/delta"), gamma = numbers("/contract/gamma"),
                  vega = numbers("/contract/vega"), tau = numbers("/expiry/tau"),
                  yield = numbers("/expiry/dividend_yield"), basis = numbers("/spot_basis");
    for (std::size_t i = 1; i < of.size(); ++i) {
      const std::size_t e = of[i];
      if (of[i - 1] != e || strike[i - 1] != strike[i] || volatility[i - 1] != volatility[i]) continue;
      const double parity = std::exp(-yield[e] * tau[e] + basis[ticker[e]]);
      say_near("/contract/delta", i, delta[i] - delta[i - 1], parity, 1e-10 * parity,
               "call less put of one strike and volatility is exp(-dividend_yield tau + spot_basis)");
      say_near("/contract/gamma", i, gamma[i], gamma[i - 1], 1e-9 * std::abs(gamma[i]) + 1e-300,
               "is that of the put of the strike");
      say_near("/contract/vega", i, vega[i], vega[i - 1], 1e-9 * std::abs(vega[i]) + 1e-300,
               "is that of the put of the strike");
    }
  });
}

void Statements::levels() {
  about("levels", [&] {
    const Texts tickers = texts("/ticker"), positions = texts("/position"), of = texts("/levels/ticker"),
                model = texts("/levels/position");
    const std::size_t width = positions.size();
    say(of.size() == tickers.size() * width,
        [&] { return "/levels: one row per ticker and position, has " + std::to_string(of.size()); });
    if (of.size() != tickers.size() * width) throw Unknown{};
    const Numbers spot = numbers("/spot_reference"), index = numbers("/levels/gamma_index"),
                  ratio = numbers("/levels/gamma_index_ratio"), call = numbers("/levels/call_wall"),
                  put = numbers("/levels/put_wall"), zero = numbers("/levels/zero_gamma");
    for (std::size_t k = 0; k < of.size(); ++k) {
      const std::size_t u = k / width;
      say(of[k] == tickers[u] && model[k] == positions[k % width],
          [&] { return "/levels[" + std::to_string(k) + "]: rows are by ticker, then position, is " + of[k]; });
      if (!std::isnan(call[k])) say(call[k] >= spot[u], "/levels/call_wall", k, "is not below spot", call[k]);
      if (!std::isnan(put[k])) say(put[k] <= spot[u], "/levels/put_wall", k, "is not above spot", put[k]);
      if (!std::isnan(ratio[k])) {
        say(std::abs(ratio[k]) <= 1.0 + kExact, "/levels/gamma_index_ratio", k, "lies within -1 and 1", ratio[k]);
      }
      if (!std::isnan(zero[k])) {
        say(zero[k] >= 0.8 * spot[u] * (1.0 - 1e-6) && zero[k] <= 1.2 * spot[u] * (1.0 + 1e-6), "/levels/zero_gamma", k,
            "lies within 0.8 and 1.2 of spot", zero[k]);
      }
      if (cells_.gx.size() == of.size() && !std::isnan(index[k])) {
        const double unit = 0.01 * spot[u] * spot[u] / 1e9;
        say_near("/levels/gamma_index", k, index[k], unit * cells_.gx[k], unit * cells_.gx_tolerance[k],
                 "is 0.01 spot^2 gx / 1e9 of the reference cell");
      }
    }
  });
  about("crossings", [&] {
    const Texts of = texts("/crossing/ticker"), model = texts("/crossing/position");
    const Numbers kind = numbers("/crossing/kind"), price = numbers("/crossing/price"),
                  prominence = numbers("/crossing/prominence"), weak = numbers("/crossing/weak");
    for (std::size_t i = 0; i < of.size(); ++i) {
      say(price[i] > 0.0, "/crossing/price", i, "is positive", price[i]);
      say(weak[i] == (prominence[i] < 0.01 ? 1.0 : 0.0), "/crossing/weak", i, "is prominence below 0.01", weak[i]);
      if (i == 0) continue;
      say(of[i - 1] < of[i] || (of[i - 1] == of[i] && (model[i - 1] != model[i] || kind[i - 1] < kind[i] ||
                                                       (kind[i - 1] == kind[i] && price[i - 1] <= price[i]))),
          "/crossing/price", i, "rows are by ticker, position, kind, price", price[i]);
    }
  });
}

/// net = call + put, magnitudes below gross. @param inner entries per row of the table's own dims
void Statements::group_sums(const std::string& group, std::size_t) {
  for (const char* greek : {"delta", "gamma", "vanna", "charm"}) {
    const std::string path = group + "/" + greek;
    const Numbers call = numbers(path + "_call"), put = numbers(path + "_put"), net = numbers(path + "_net"),
                  gross = numbers(path + "_gross");
    for (std::size_t i = 0; i < net.size(); ++i) {
      say_near(path + "_net", i, net[i], call[i] + put[i], kSummed * gross[i], "is call and put together");
      say(gross[i] >= 0.0 && std::abs(call[i]) + std::abs(put[i]) <= gross[i] * (1.0 + kSummed) + 1e-300,
          path + "_gross", i, "is at least the magnitudes of calls and puts", gross[i]);
    }
  }
}

void Statements::profile() {
  about("slices", [&] {
    slices("/profile/strike/strike_begin", "/profile/strike/strike_count", length("/profile/strike/strike_row"));
  });
  about("profile", [&] {
    for (const char* group : {"/profile/strike", "/profile/expiry", "/profile/bucket"}) group_sums(group, 0);
  });
  about("profile", [&] {
    const std::size_t tickers = length("/ticker"), width = length("/position"), expiries = length("/expiry/expiry"),
                      rows = length("/profile/strike/strike_row");
    const std::vector<std::size_t> of = indices("/expiry/expiry_ticker", tickers),
                                   begin = bounds("/profile/strike/strike_begin", "/profile/strike/strike_count", rows);
    const std::size_t buckets = length("/profile/bucket/bucket");
    for (const char* greek : {"delta", "gamma", "vanna", "charm"}) {
      const std::string net = std::string("/") + greek + "_net", gross = std::string("/") + greek + "_gross";
      const Numbers by_strike = numbers("/profile/strike" + net), by_expiry = numbers("/profile/expiry" + net),
                    by_bucket = numbers("/profile/bucket" + net), size = numbers("/profile/strike" + gross);
      Numbers strike_sum(tickers * width), strike_gross(tickers * width), expiry_sum(tickers * width),
          bucket_sum(tickers * width);
      for (std::size_t u = 0; u < tickers; ++u) {
        for (std::size_t i = begin[u]; i < begin[u + 1]; ++i) {
          for (std::size_t w = 0; w < width; ++w) {
            strike_sum[u * width + w] += by_strike[i * width + w];
            strike_gross[u * width + w] += size[i * width + w];
          }
        }
        for (std::size_t w = 0; w < width; ++w) {
          for (std::size_t b = 0; b < buckets; ++b) {
            bucket_sum[u * width + w] += by_bucket[(u * width + w) * buckets + b];
          }
        }
      }
      for (std::size_t e = 0; e < expiries; ++e) {
        for (std::size_t w = 0; w < width; ++w) expiry_sum[of[e] * width + w] += by_expiry[e * width + w];
      }
      const bool is_delta = std::string(greek) == "delta", is_gamma = std::string(greek) == "gamma";
      for (std::size_t k = 0; k < tickers * width; ++k) {
        const double tolerance = kSummed * strike_gross[k];
        say_near("/profile/expiry" + net, k, expiry_sum[k], strike_sum[k], tolerance,
                 "the sum over the expiries of a ticker and position is that over its strikes");
        say_near("/profile/bucket" + net, k, bucket_sum[k], strike_sum[k], tolerance,
                 "the sum over the buckets of a ticker and position is that over its strikes");
        if (is_delta && cells_.dx.size() == tickers * width) {
          say_near("/profile/strike" + net, k, strike_sum[k], cells_.dx[k], cells_.dx_tolerance[k] + tolerance,
                   "the sum over strikes is dx of the reference cell");
        }
        if (is_gamma && cells_.gx.size() == tickers * width) {
          say_near("/profile/strike" + net, k, strike_sum[k], cells_.gx[k], cells_.gx_tolerance[k] + tolerance,
                   "the sum over strikes is gx of the reference cell");
        }
      }
      if (!is_delta && !is_gamma) continue;
      const std::string without = std::string("/profile/expiry/") + (is_delta ? "dx" : "gx") + "_without";
      const Numbers rest = numbers(without);
      for (std::size_t e = 0; e < expiries; ++e) {
        for (std::size_t w = 0; w < width; ++w) {
          const std::size_t k = of[e] * width + w;
          say_near(without, e * width + w, rest[e * width + w], strike_sum[k] - by_expiry[e * width + w],
                   2.0 * kSummed * strike_gross[k], "is the book without the expiry");
        }
      }
    }
  });
}

void Statements::attribution() {
  for (const char* group : {"/attribution/expiry", "/attribution/strike"}) {
    about("attribution", [&] {
      const auto at = [&](const char* name) { return numbers(std::string(group) + "/" + name); };
      const Numbers total = at("total");
      Numbers sum(total.size()), size(total.size());
      for (const char* name : {"gamma", "vanna", "charm", "spot_iv", "spot_time", "iv_time", "residual"}) {
        const Numbers part = at(name);
        for (std::size_t i = 0; i < part.size(); ++i) {
          sum[i] += part[i];
          size[i] += std::abs(part[i]);
        }
      }
      // Each part is a difference of deltas: what the deltas are rounded to is no part of it.
      const Numbers gross = numbers(std::string(group).replace(0, 12, "/profile") + "/delta_gross");
      const std::size_t moves = total.size() / gross.size();
      for (std::size_t i = 0; i < total.size(); ++i) {
        say_near(std::string(group) + "/total", i, total[i], sum[i], kSummed * size[i] + kExact * gross[i / moves],
                 "is the sum of its parts");
      }
    });
  }
}

void Statements::session() {
  about("session", [&] {
    const Numbers reference = numbers("/intraday/spot_reference"), root = numbers("/spot_reference"),
                  unit = numbers("/intraday/expected_move"), step = numbers("/intraday/spot_step"),
                  spot = numbers("/intraday/spot"), move = numbers("/intraday/gamma_move");
    for (std::size_t u = 0; u < root.size(); ++u) {
      say_near("/intraday/spot_reference", u, reference[u], root[u], 0.0, "is that of the root");
      say(unit[u] > 0.0 && move[u] > 0.0, "/intraday/gamma_move", u, "moves are positive", move[u]);
    }
    for (std::size_t i = 0; i < spot.size(); ++i) {
      const double wanted = reference[i / step.size()] * std::exp(step[i % step.size()] * unit[i / step.size()]);
      say_near("/intraday/spot", i, spot[i], wanted, kExact * wanted, "is spot_reference exp(spot_step expected_move)");
    }
    const Numbers path = numbers("/intraday/path_spot"), low = numbers("/intraday/path_low"),
                  high = numbers("/intraday/path_high");
    for (std::size_t i = 0; i < path.size(); ++i) {
      say(!(low[i] > path[i]) && !(high[i] < path[i]), "/intraday/path_spot", i, "lies between its band's ends",
          path[i]);
    }
    const char* names[] = {"dx", "gx", "charm_heatmap", "gamma_heatmap"};
    std::vector<ChunkReader> chunks;
    for (const char* name : names) chunks.emplace_back(file_, variable(std::string("/intraday/") + name));
    const std::vector<std::size_t>& lengths = variable("/intraday/dx").lengths;
    const std::size_t times = lengths[3], spots = lengths[4];
    for (std::size_t k = 0; k < lengths[0] * lengths[1] * lengths[2]; ++k) {
      const std::size_t u = k / lengths[2] / lengths[1];
      const std::vector<std::size_t> begin = {u, k / lengths[2] % lengths[1], k % lengths[2], 0, 0},
                                     count = {1, 1, 1, times, spots};
      for (ChunkReader& chunk : chunks) chunk.read(begin, count);
      const auto dx = chunks[0].data<float>(), gx = chunks[1].data<float>(), charm = chunks[2].data<float>(),
                 gamma = chunks[3].data<float>();
      for (std::size_t i = 0; i < times * spots; ++i) {
        const double wanted = static_cast<double>(gx[i]) * move[u] / 100.0;
        say_near("/intraday/gamma_heatmap", k * times * spots + i, gamma[i], wanted, kSingle * std::abs(wanted) + 1e-37,
                 "is gx gamma_move / 100");
        if (i + spots >= times * spots) continue;
        const double from = dx[i], to = dx[i + spots];
        say_near("/intraday/charm_heatmap", k * times * spots + i, charm[i], (to - from) / 100.0,
                 kSingle * (std::abs(from) + std::abs(to)) / 100.0 + 1e-37,
                 "is the rise of dx to the next instant / 100");
      }
    }
  });
}

void Statements::lines() {
  about("slices", [&] { slices("/line/point_begin", "/line/point_count", length("/line/point")); });
  about("lines", [&] {
    every("/line/spot", "is positive", [](double x) { return x > 0.0; });
    const Numbers all = numbers("/intraday/time"), time = numbers("/line/time");
    for (std::size_t i = 0; i < time.size(); ++i) {
      say(std::binary_search(all.begin(), all.end(), time[i]), "/line/time", i, "is an instant of /intraday", time[i]);
    }
  });
}

void Statements::quality() {
  about("quality", [&] {
    sorted("/quality/ticker");
    const Texts names = texts("/quality/ticker"), tickers = texts("/ticker");
    const Numbers status = numbers("/quality/status"), priced = numbers("/quality/contracts"),
                  in = numbers("/quality/rows_in"), expired = numbers("/quality/rows_expired"),
                  refused = numbers("/quality/rows_refused"),
                  count = has("/contract/contract_count") ? numbers("/contract/contract_count") : Numbers();
    Texts accepted;
    for (std::size_t i = 0; i < names.size(); ++i) {
      say(priced[i] >= 0.0 && expired[i] >= 0.0 && refused[i] >= 0.0, "/quality/contracts", i,
          "counts are not negative", priced[i]);
      if (status[i] != 0.0) continue;
      say_near("/quality/rows_in", i, in[i], priced[i] + expired[i] + refused[i], 0.0,
               "is contracts, rows_expired and rows_refused together");
      if (accepted.size() < count.size()) {
        say_near("/quality/contracts", i, priced[i], count[accepted.size()], 0.0, "is contract_count of the ticker");
      }
      accepted.push_back(names[i]);
    }
    say(accepted == tickers, [] { return std::string("/quality/status: what is ok is the root's ticker"); });
    for (const char* name : {"coverage", "own_iv_share", "supported_iv_share", "filled_iv_share", "expired_share"}) {
      every(std::string("/quality/") + name, "is a share",
            [](double x) { return std::isnan(x) || (x >= 0.0 && x <= 1.0 + kExact); });
    }
    every("/quality/clipped_cells", "is not negative", [](double x) { return x >= 0.0; });
  });
}

void Statements::forecasts() {
  about("predictors", [&] {
    for (const char* letter : {"p", "v", "g", "d"}) {
      every(std::string("/predictors/z_") + letter, "is a standing within -1 and 1",
            [](double x) { return std::isnan(x) || std::abs(x) <= 1.0; });
    }
    every("/predictors/sessions", "is not negative", [](double x) { return x >= 0.0; });
  });
  about("forecasts", [&] {
    const Numbers status = numbers("/forecast/status"), weight = numbers("/forecast/neighbour_weight"),
                  distance = numbers("/forecast/neighbour_distance"), n_eff = numbers("/forecast/n_eff"),
                  mean = numbers("/forecast/mean");
    const std::size_t k = weight.size() / status.size();
    for (std::size_t i = 0; i < status.size(); ++i) {
      say(std::isnan(mean[i]) == (status[i] != 0.0), "/forecast/mean", i, "is NaN exactly where its status is not ok",
          mean[i]);
      if (status[i] != 0.0) continue;
      double sum = 0.0;
      bool rising = true;
      for (std::size_t n = 0; n < k; ++n) {
        sum += weight[i * k + n];
        rising = rising && weight[i * k + n] >= 0.0 && (n == 0 || distance[i * k + n] >= distance[i * k + n - 1]);
      }
      say_near("/forecast/neighbour_weight", i * k, sum, 1.0, kSummed, "weights of the neighbours sum to 1");
      say(rising, "/forecast/neighbour_distance", i * k, "neighbours are nearest first", distance[i * k]);
      say(n_eff[i] >= 1.0 - kSummed && n_eff[i] <= static_cast<double>(k) * (1.0 + kSummed), "/forecast/n_eff", i,
          "lies between 1 and the neighbours", n_eff[i]);
    }
    ordered("/forecast", {"quantile_05", "quantile_25", "quantile_50", "quantile_75", "quantile_95"});
  });
  about("record", [&] {
    ordered("/record", {"hit_low", "hit_rate", "hit_high"});
    const Numbers pit = numbers("/record/pit"), forecasts = numbers("/record/forecasts"),
                  crps = numbers("/record/crps"), climatology = numbers("/record/crps_climatology"),
                  skill = numbers("/record/skill");
    for (std::size_t i = 0; i < forecasts.size(); ++i) {
      say(forecasts[i] >= 0.0, "/record/forecasts", i, "is not negative", forecasts[i]);
      if (forecasts[i] == 0.0) continue;
      const std::size_t tenths = pit.size() / forecasts.size();
      const double sum = std::accumulate(pit.begin() + static_cast<std::ptrdiff_t>(i * tenths),
                                         pit.begin() + static_cast<std::ptrdiff_t>((i + 1) * tenths), 0.0);
      say_near("/record/pit", i * tenths, sum, 1.0, kSummed, "shares of the tenths sum to 1");
      if (climatology[i] > 0.0) {
        say_near("/record/skill", i, skill[i], 1.0 - crps[i] / climatology[i], 1e-9, "is 1 less crps over climatology");
      }
    }
  });
}

void Statements::closes() {
  about("hypothetical closes", [&] {
    const StoredVariable& book = variable("/step_forward/gamma_index");
    const std::size_t closes = book.lengths[5];
    Numbers close;
    {
      // Parts that are not stored are missing throughout.
      const StoredVariable& of = variable("/step_forward/close");
      close.assign(of.lengths[0] * closes, std::numeric_limits<double>::quiet_NaN());
      ChunkReader chunks(file_, of);
      chunks.for_each(
          [&](const auto& begin, const auto& count) {
            for (std::size_t c = 0; c < count[1]; ++c) {
              close[begin[0] * closes + begin[1] + c] = chunks.template data<double>()[c];
            }
          },
          [](const auto&, const auto&) {});
    }
    const Numbers axis = numbers("/step_forward/next_close");
    ChunkReader index(file_, book), gx(file_, variable("/step_forward/gx")),
        call(file_, variable("/step_forward/call_wall")), put(file_, variable("/step_forward/put_wall"));
    index.for_each(
        [&](const auto& begin, const auto& count) {
          for (ChunkReader* other : {&gx, &call, &put}) other->read(begin, count);
          const std::size_t along = count[5];
          for (std::size_t i = 0; i < index.data<float>().size(); ++i) {
            const double at = close[begin[0] * closes + begin[5] + i % along];
            const double gamma = gx.data<float>()[i], value = index.data<float>()[i];
            if (std::isnan(at) || std::isnan(gamma)) continue;
            const double wanted = 0.01 * at * at * gamma / 1e9;
            say_near("/step_forward/gamma_index", begin[0], value, wanted, 2.0 * kSingle * std::abs(wanted) + 1e-37,
                     "is 0.01 close^2 gx / 1e9");
            const double above = call.data<float>()[i], below = put.data<float>()[i];
            say(!(above < at * (1.0 - kSingle)), "/step_forward/call_wall", begin[0], "is not below the close", above);
            say(!(below > at * (1.0 + kSingle)), "/step_forward/put_wall", begin[0], "is not above the close", below);
          }
        },
        [](const auto&, const auto&) {});
    ChunkReader low(file_, variable("/step_forward/quantile_05")), middle(file_, variable("/step_forward/quantile_50")),
        high(file_, variable("/step_forward/quantile_95"));
    low.for_each(
        [&](const auto& begin, const auto& count) {
          middle.read(begin, count);
          high.read(begin, count);
          for (std::size_t i = 0; i < low.data<double>().size(); ++i) {
            const double a = low.data<double>()[i], b = middle.data<double>()[i], c = high.data<double>()[i];
            if (std::isnan(b)) continue;
            say(a <= b && b <= c, "/step_forward/quantile_50", begin[0], "lies between its neighbours", b);
          }
        },
        [](const auto&, const auto&) {});
  });
}

void Statements::weather() {
  about("weather", [&] {
    ChunkReader mean(file_, variable("/weather/mean")), mass(file_, variable("/weather/mass"));
    mass.for_each(
        [&](const auto& begin, const auto& count) {
          mean.read(begin, count);
          for (std::size_t i = 0; i < mass.data<float>().size(); ++i) {
            const double weight = mass.data<float>()[i], value = mean.data<float>()[i];
            if (std::isnan(weight) || std::abs(weight - 5.0) < 0.01) continue;  // twelve bits of the mantissa
            say(weight >= 0.0 && std::isnan(value) == (weight < 5.0), "/weather/mean", begin[0],
                "is NaN exactly where mass is below 5", value);
          }
        },
        [](const auto&, const auto&) {});
  });
}

void Statements::night() {
  coordinates();
  axes();
  expiries();
  contracts();
  statuses();
  levels();
  profile();
  attribution();
  session();
  lines();
  quality();
  forecasts();
  closes();
  weather();
}

void Statements::chains() {
  coordinates();
  about("axes", [&] {
    sorted("/ticker");
    instant("quote_time");
    instant("file_time");
    every("/spot", "is positive or missing", [](double x) { return std::isnan(x) || x > 0.0; });
  });
  about("slices", [&] { slices("/contract_begin", "/contract_count", length("/contract")); });
  about("indices", [&] {
    const Numbers of = numbers("/expiry_ticker"), expiry = numbers("/contract_expiry");
    for (std::size_t e = 0; e < of.size(); ++e) {
      say(of[e] >= 0.0 && of[e] < static_cast<double>(length("/ticker")) && (e == 0 || of[e] >= of[e - 1]),
          "/expiry_ticker", e, "ascends within the tickers", of[e]);
    }
    for (std::size_t i = 0; i < expiry.size(); ++i) {
      say(expiry[i] >= 0.0 && expiry[i] < static_cast<double>(of.size()) && (i == 0 || expiry[i] >= expiry[i - 1]),
          "/contract_expiry", i, "ascends within the expiries", expiry[i]);
    }
    const std::vector<std::size_t> in = indices("/contract_expiry", of.size()),
                                   ticker = indices("/expiry_ticker", length("/ticker")),
                                   begin = bounds("/contract_begin", "/contract_count", length("/contract"));
    for (std::size_t u = 0; u + 1 < begin.size(); ++u) {
      for (std::size_t i = begin[u]; i < begin[u + 1]; ++i) {
        say(ticker[in[i]] == u, "/contract_expiry", i, "is an expiry of the contract's ticker",
            static_cast<double>(in[i]));
      }
    }
  });
  about("contracts", [&] {
    const Numbers settlement = numbers("/settlement"), of = numbers("/expiry_ticker"), strike = numbers("/strike"),
                  right = numbers("/right"), expiry = numbers("/contract_expiry");
    const Texts root = texts("/root");
    for (std::size_t e = 1; e < of.size(); ++e) {
      if (of[e] != of[e - 1]) continue;
      say(settlement[e - 1] < settlement[e] || (settlement[e - 1] == settlement[e] && root[e - 1] < root[e]),
          "/settlement", e, "expiries of a ticker ascend by settlement and root", settlement[e]);
    }
    for (std::size_t i = 0; i < strike.size(); ++i) {
      const double thousandths = std::round(strike[i] * 1000.0);
      say(strike[i] > 0.0 && strike[i] == thousandths / 1000.0, "/strike", i, "is thousandths / 1000", strike[i]);
      if (i == 0 || expiry[i] != expiry[i - 1]) continue;
      say(strike[i - 1] < strike[i] || (strike[i - 1] == strike[i] && right[i - 1] < right[i]), "/strike", i,
          "contracts of an expiry ascend by strike and right", strike[i]);
    }
    every("/multiplier", "is positive", [](double x) { return x > 0.0; });
    every("/open_interest", "is not negative", [](double x) { return std::isnan(x) || x >= 0.0; });
    every("/volume", "is not negative", [](double x) { return std::isnan(x) || x >= 0.0; });
  });
}

void Statements::history() {
  coordinates();
  about("axes", [&] { sorted("/symbol"); });
  about("slices", [&] { slices("/row_begin", "/row_count", length("/row")); });
  about("days", [&] {
    const Numbers date = numbers("/date"), known = numbers("/knowledge_time");
    const std::vector<std::size_t> begin = bounds("/row_begin", "/row_count", date.size());
    for (std::size_t i = 0; i < date.size(); ++i) {
      say(std::fmod(date[i], 86400.0) == 0.0, "/date", i, "is midnight", date[i]);
      say(known[i] >= date[i], "/knowledge_time", i, "is not before the date", known[i]);
    }
    for (std::size_t u = 0; u + 1 < begin.size(); ++u) {
      for (std::size_t i = begin[u] + 1; i < begin[u + 1]; ++i) {
        say(date[i] > date[i - 1], "/date", i, "ascends within a symbol", date[i]);
      }
    }
    const Numbers low = numbers("/low"), high = numbers("/high"), part = numbers("/short_volume"),
                  all = numbers("/off_exchange_volume");
    std::vector<bool> any(date.size());
    for (const StoredVariable& one : structure_.variables) {
      if (!one.known || one.type != Type::kFloat64) continue;
      const Numbers values = numbers(one.path);
      for (std::size_t i = 0; i < values.size(); ++i) any[i] = any[i] || !std::isnan(values[i]);
    }
    for (std::size_t i = 0; i < date.size(); ++i) {
      say(any[i], "/row", i, "every row has a value", static_cast<double>(i));
      say(!(high[i] < low[i]), "/high", i, "is not below low", high[i]);
      say(!(part[i] > all[i]), "/short_volume", i, "is not above off_exchange_volume", part[i]);
    }
    const auto day = [&](const char* name) {
      return instant_from_iso(reader_.text_attribute("/", name) + "T00:00:00Z");
    };
    const auto [first, last] = std::minmax_element(date.begin(), date.end());
    say(day("first_date") && static_cast<double>(*day("first_date")) == *first,
        [] { return std::string("/: first_date is the earliest date"); });
    say(day("last_date") && static_cast<double>(*day("last_date")) == *last,
        [] { return std::string("/: last_date is the latest date"); });
  });
}

}  // namespace

void check_statements(hid_t file, const FileReader& reader, const Structure& structure, const ReferenceCells& cells,
                      Findings& findings) {
  Statements statements(file, reader, structure, cells, findings);
  if (structure.file == "chains") statements.chains();
  if (structure.file == "history") statements.history();
  if (structure.file == "night") statements.night();
}

}  // namespace greekgrid::h5

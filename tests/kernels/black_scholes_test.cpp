// The closed forms against 60-digit derivatives, published tables, their own limits and the invariants of the field.

#include "greekgrid/kernels/formulas/black_scholes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

using formulas::black_scholes;
using formulas::OptionGreeks;
using State = formulas::OptionState<double>;

std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  // The published tables carry one quoted note with commas per row.
  const auto split = [](const std::string& text) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (char c : text) {
      if (c == '"')
        quoted = !quoted;
      else if (c == ',' && !quoted)
        cells.emplace_back();
      else if (c != '\r')
        cells.back() += c;
    }
    return cells;
  };
  std::getline(in, line);
  const auto header = split(line);
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    const auto cells = split(line);
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < header.size() && i < cells.size(); ++i) row[header[i]] = cells[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

// Sums of the magnitudes of each formula's terms: what a rounding error of the terms can amount to near a zero
// crossing.
OptionGreeks<double> magnitudes(const State& o, const OptionGreeks<double>& g) {
  const double s = o.sigma * std::sqrt(o.tau);
  const double carry = (o.rate - o.dividend_yield) * o.tau;
  const double d1 = (formulas::log_moneyness(o.spot, o.strike) + carry) / s + 0.5 * s;
  const double d2 = d1 - s;
  const double drift = (2.0 * std::abs(carry) + std::abs(d2) * s) / s;
  const double dn = std::exp(-o.dividend_yield * o.tau) * formulas::normal_density(d1);
  const double asset = o.spot * std::abs(g.delta);
  const double bond = o.strike * std::exp(-o.rate * o.tau) * formulas::normal_distribution(o.right * d2);
  OptionGreeks<double> m;
  m.price = asset + bond;
  m.delta = std::abs(g.delta);
  m.gamma = g.gamma;
  m.vega = g.vega;
  m.vanna = std::abs(dn / o.sigma) * (std::abs(d1) + s);
  m.speed = g.gamma / o.spot * (std::abs(d1) / s + 1.0);
  m.zomma = g.gamma * (std::abs(d1 * d2) + 1.0) / o.sigma;
  m.charm = std::abs(o.dividend_yield * g.delta) + dn * 0.5 / o.tau * drift;
  m.color = g.gamma * 0.5 / o.tau * (2.0 * std::abs(o.dividend_yield) * o.tau + 1.0 + std::abs(d1) * drift);
  m.vomma = g.vega * std::abs(d1) * (std::abs(d1) + s) / o.sigma;
  m.ultima = g.vega / (o.sigma * o.sigma) * (std::abs(d1 * d2) * (1.0 + std::abs(d1 * d2)) + d1 * d1 + d2 * d2);
  m.theta =
      o.spot * dn * o.sigma * 0.5 / std::sqrt(o.tau) + std::abs(o.dividend_yield) * asset + std::abs(o.rate) * bond;
  m.veta = g.vega * (std::abs(o.dividend_yield) + 0.5 / o.tau + std::abs(d1) * 0.5 / o.tau * drift);
  return m;
}

TEST(BlackScholes, PriceAndTwelveGreeksAgreeWithSixtyDigitDifferentiation) {
  const auto path = test::reference_dir() / "greeks_golden.csv";
  GREEKGRID_REQUIRE_FILE(path);
  const auto rows = read_csv(path);
  ASSERT_EQ(rows.size(), 400U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    const auto number = [&](const std::string& column) { return std::stod(row.at(column)); };
    const State o = {row.at("right") == "C" ? 1.0 : -1.0,
                     number("spot"),
                     number("strike"),
                     number("rate"),
                     number("dividend_yield"),
                     number("iv"),
                     number("tau")};
    const auto g = black_scholes(o);
    const auto m = magnitudes(o, g);
    const auto check = [&](std::string_view what, double actual, double magnitude) {
      const double expected = number(std::string(what));
      EXPECT_LE(std::abs(actual - expected), 1e-11 * magnitude + 1e-290)
          << "row " << i + 2 << " " << what << " " << row.at("right") << " S=" << o.spot << " K=" << o.strike
          << " r=" << o.rate << " q=" << o.dividend_yield << " iv=" << o.sigma << " tau=" << o.tau << ": " << actual
          << " for " << expected;
    };
    check("price", g.price, m.price);
    for (const Greek greek : kAllGreeks) check(name(greek), g[greek], m[greek]);
  }
}

TEST(BlackScholes, HaugsTablesAsInQuantLib) {
  const auto path = test::reference_dir() / "quantlib_haug_european_values.csv";
  GREEKGRID_REQUIRE_FILE(path);
  std::size_t checked = 0;
  for (const auto& row : read_csv(path)) {
    const auto number = [&](const char* column) { return std::stod(row.at(column)); };
    const auto g = black_scholes<double>({row.at("type") == "call" ? 1.0 : -1.0, number("spot"), number("strike"),
                                          number("r"), number("q"), number("vol"), number("t")});
    EXPECT_NEAR(g.price, number("value"), number("tolerance")) << "row " << checked + 2;
    ++checked;
  }
  EXPECT_GE(checked, 40U);
  for (const auto& row : read_csv(test::reference_dir() / "quantlib_haug_european_greeks.csv")) {
    const auto number = [&](const char* column) { return std::stod(row.at(column)); };
    const auto g = black_scholes<double>({row.at("type") == "call" ? 1.0 : -1.0, number("spot"), number("strike"),
                                          number("r"), number("q"), number("vol"), number("t")});
    const std::map<std::string, double> values = {{"delta", g.delta},
                                                  {"gamma", g.gamma},
                                                  {"vega", g.vega},
                                                  {"theta", g.theta},
                                                  {"rho", g.rho},
                                                  {"theta per day", g.theta / 365.0},
                                                  {"elasticity", g.delta * number("spot") / g.price}};
    const auto found = values.find(row.at("greek"));
    if (found == values.end()) continue;  // dividendRho is no Greek of ours
    EXPECT_NEAR(found->second, number("value"), 1e-4) << row.at("greek");
  }
}

TEST(BlackScholes, PyVollibRows) {
  const auto path = test::reference_dir() / "py_vollib_test_data.json";
  GREEKGRID_REQUIRE_FILE(path);
  const auto json = nlohmann::json::parse(std::ifstream(path));
  const auto& columns = json.at("columns");
  const auto column = [&](const char* what) {
    return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), what) - columns.begin());
  };
  std::size_t rows = 0;
  for (const auto& row : json.at("data")) {
    const auto number = [&](const char* what) { return row.at(column(what)).get<double>(); };
    ++rows;
    for (const double right : {1.0, -1.0}) {
      const auto g =
          black_scholes<double>({right, number("S"), number("K"), number("R"), 0.0, number("v"), number("t")});
      const auto close = [&](const char* what, double actual) {
        // Printed to nine digits.
        EXPECT_NEAR(actual, number(what), 2e-8 * std::abs(number(what)) + 2e-9) << what << " row " << rows;
      };
      close(right > 0 ? "bs_call" : "bs_put", g.price);
      close(right > 0 ? "CD" : "PD", g.delta);
      close(right > 0 ? "CG" : "PG", g.gamma);
      close(right > 0 ? "CT" : "PT", g.theta);
      close(right > 0 ? "CV" : "PV", g.vega);
      close(right > 0 ? "CR" : "PR", g.rho);
    }
  }
  EXPECT_EQ(rows, 101U);
}

TEST(BlackScholes, AtSettlementOnlyTheExerciseIndicatorRemains) {
  for (const double right : {1.0, -1.0}) {
    for (const double strike : {90.0, 100.0, 110.0}) {
      const auto g = black_scholes<double>({right, 100.0, strike, 0.05, 0.02, 0.3, 0.0});
      const double intrinsic = right * (100.0 - strike);
      EXPECT_EQ(g.price, std::max(intrinsic, 0.0));
      EXPECT_EQ(g.delta, right * (intrinsic > 0 ? 1.0 : intrinsic == 0 ? 0.5 : 0.0));
      for (const Greek greek : kAllGreeks) {
        if (greek != Greek::kDelta) {
          EXPECT_EQ(g[greek], 0.0) << name(greek);
        }
      }
      const auto settled = black_scholes<double>({right, 100.0, strike, 0.05, 0.02, 0.3, -1e-9});
      EXPECT_EQ(settled.price, 0.0);
      for (const Greek greek : kAllGreeks) EXPECT_EQ(settled[greek], 0.0) << name(greek);
    }
  }
}

TEST(BlackScholes, LimitsAreFiniteAndRight) {
  for (const double right : {1.0, -1.0}) {
    for (const double strike : {1e-3, 50.0, 99.999, 100.0, 100.001, 200.0, 1e7}) {
      for (const double sigma : {0.0, 1e-300, 1e-12, 1e-4, 0.2, 15.0, 1e3}) {
        for (const double tau : {1e-300, 1.9e-6, 1e-3, 1.0, 30.0}) {
          const auto g = black_scholes<double>({right, 100.0, strike, 0.05, 0.02, sigma, tau});
          EXPECT_TRUE(std::isfinite(g.price) && std::isfinite(g.rho));
          for (const Greek greek : kAllGreeks) {
            EXPECT_FALSE(std::isnan(g[greek]))
                << name(greek) << " K=" << strike << " sigma=" << sigma << " tau=" << tau;
          }
        }
      }
    }
    // sigma -> 0: the discounted forward payoff.
    const auto g = black_scholes<double>({right, 100.0, 100.0 - right * 10.0, 0.05, 0.02, 1e-9, 0.5});
    EXPECT_NEAR(g.price, right * (100.0 * std::exp(-0.01) - (100.0 - right * 10.0) * std::exp(-0.025)), 1e-12);
    EXPECT_NEAR(g.delta, right * std::exp(-0.01), 1e-15);
    EXPECT_NEAR(g.charm, right * 0.02 * std::exp(-0.01), 1e-15);
    EXPECT_EQ(g.gamma, 0.0);
  }
}

TEST(BlackScholes, CallsAndPutsDifferAsParitySays) {
  for (const double strike : {80.0, 100.0, 123.0}) {
    const double q = 0.03, r = 0.05, tau = 0.4;
    const auto call = black_scholes<double>({1.0, 100.0, strike, r, q, 0.25, tau});
    const auto put = black_scholes<double>({-1.0, 100.0, strike, r, q, 0.25, tau});
    EXPECT_NEAR(call.price - put.price, 100.0 * std::exp(-q * tau) - strike * std::exp(-r * tau), 1e-12);
    EXPECT_NEAR(call.delta - put.delta, std::exp(-q * tau), 1e-15);
    EXPECT_NEAR(call.charm - put.charm, q * std::exp(-q * tau), 1e-14);
    for (const Greek greek : {Greek::kGamma, Greek::kVega, Greek::kVanna, Greek::kSpeed, Greek::kZomma, Greek::kColor,
                              Greek::kVomma, Greek::kUltima, Greek::kVeta}) {
      EXPECT_EQ(call[greek], put[greek]) << name(greek);
    }
  }
}

// The integral of charm over a session is the change of delta at fixed spot.
TEST(BlackScholes, CharmIntegratesToTheChangeOfDelta) {
  const double begin = 5.0 / 365.0, end = 4.0 / 365.0;
  const auto delta = [](double tau) { return black_scholes<double>({-1.0, 100.0, 101.0, 0.05, 0.03, 0.3, tau}).delta; };
  const int n = 2000;  // Simpson
  double integral = 0.0;
  for (int i = 0; i <= n; ++i) {
    const double tau = begin + (end - begin) * i / n;
    const double weight = i == 0 || i == n ? 1.0 : i % 2 == 1 ? 4.0 : 2.0;
    integral += weight * black_scholes<double>({-1.0, 100.0, 101.0, 0.05, 0.03, 0.3, tau}).charm;
  }
  integral *= (begin - end) / n / 3.0;
  EXPECT_NEAR(integral, delta(end) - delta(begin), 1e-12);
}

}  // namespace
}  // namespace greekgrid

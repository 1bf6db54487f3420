#pragma once

/// @file
/// Books and grids that a test owns, and views of them.

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "greekgrid/kernels/views.hpp"

namespace greekgrid::test {

inline constexpr std::int64_t kQuoteTime = 1700000000;
inline constexpr std::int64_t kDay = 86400;

struct SyntheticBook {
  double spot = 100.0, spot_basis = 0.0;
  std::vector<std::int64_t> settlement, expiry_begin = {0};
  std::vector<double> rate, dividend_yield, strike, implied_volatility, weight;
  std::vector<std::int8_t> right;
  std::vector<formulas::Smile<double>> smile;  // one an expiry, or none

  /// An expiry of calls and puts whose strikes span width either side of spot in logarithm.
  void add_expiry(std::int64_t seconds, int contracts, double width, double r, double q, std::mt19937& random) {
    settlement.push_back(kQuoteTime + seconds);
    rate.push_back(r);
    dividend_yield.push_back(q);
    std::uniform_real_distribution<double> unit(0.0, 1.0);
    for (int i = 0; i < contracts; ++i) {
      const double k = contracts == 1 ? 0.01 : width * (2.0 * i / (contracts - 1) - 1.0);
      strike.push_back(std::round(spot * std::exp(k) * 4.0) / 4.0);
      right.push_back(i % 3 == 0 ? -1 : 1);
      implied_volatility.push_back(0.12 + 0.3 * unit(random) * std::abs(k) + 0.1 * unit(random));
    }
    expiry_begin.push_back(static_cast<std::int64_t>(strike.size()));
  }
  /// Weights of several position models; every seventh contract has none.
  void add_weights(std::size_t positions, std::mt19937& random) {
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    weight.resize(positions * strike.size());
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = i % 7 == 3 ? 0.0 : 1e5 * unit(random);
  }
  /// A smile of the own time to settlement for every expiry: skewed to the left, curved over a standard deviation.
  void add_smiles() {
    for (std::size_t e = 0; e < settlement.size(); ++e) {
      const double tau = static_cast<double>(settlement[e] - kQuoteTime) / kSecondsPerYear;
      const double deviation = 0.2 * std::sqrt(tau);
      smile.push_back({0.6 * deviation * deviation, 0.4 * deviation, -0.7, 0.1 * deviation, 0.8 * deviation, tau});
    }
  }
  BookView view() const {
    return {spot,   spot_basis, settlement,         rate,   dividend_yield, expiry_begin,
            strike, right,      implied_volatility, weight, smile};
  }
};

struct SyntheticGrid {
  std::vector<std::int64_t> time = {kQuoteTime, kQuoteTime + 7200, kQuoteTime + kDay};
  std::vector<double> iv_shift = {-0.05, 0.0, 0.1};
  double half_width = 0.1;
  std::size_t spots = 41;
  IvRule rule = IvRule::kStickyStrike;
  double parameter = 1.0;
  IvShiftTerm term = IvShiftTerm::kFlat;
  double cap = 3.0;
  double floor = 0.01;

  GridView view() const {
    GridView g;
    g.quote_time = time.front();
    g.time = time;
    g.iv_shift = iv_shift;
    g.spots = spots;
    g.log_spot_begin = spots > 1 ? -half_width : 0.0;
    g.log_spot_step = spots > 1 ? 2.0 * half_width / static_cast<double>(spots - 1) : 0.0;
    g.iv_rule = rule;
    g.iv_rule_parameter = parameter;
    g.iv_shift_term = term;
    g.iv_shift_term_cap = cap;
    g.iv_floor = floor;
    return g;
  }
};

/// A case: what it holds and how it is named in a failure.
struct SyntheticCase {
  const char* name;
  SyntheticBook book;
  SyntheticGrid grid;
  std::size_t positions = 1;

  std::size_t values(GreekSet greeks) const { return greeks.size() * positions * grid.view().scenarios(); }
  ExposureJob job(std::vector<double>& exposure) const { return {book.view(), grid.view(), positions, exposure}; }
};

/// Small books that cover the corners: minutes to live, settling at an instant and between instants, deep wings, one
/// contract, none, many tiles and segments, several position models, every rule, clipping.
inline std::vector<SyntheticCase> synthetic_cases() {
  std::mt19937 random(20240119);
  std::vector<SyntheticCase> cases;
  const auto plain_book = [&random](int per_expiry) {
    SyntheticBook book;
    book.add_expiry(5 * kDay, per_expiry, 0.25, 0.05, 0.02, random);
    book.add_expiry(40 * kDay, per_expiry, 0.4, 0.045, 0.015, random);
    book.add_expiry(700 * kDay, per_expiry, 0.8, 0.04, 0.03, random);
    return book;
  };
  const auto add = [&](const char* name, SyntheticBook book, SyntheticGrid grid, std::size_t positions = 1) {
    book.add_weights(positions, random);
    cases.push_back({name, std::move(book), std::move(grid), positions});
  };

  add("three expiries", plain_book(37), {});
  {
    SyntheticBook book;
    book.add_expiry(7200 - 600, 30, 0.05, 0.05, 0.01, random);
    book.add_expiry(7200, 30, 0.05, 0.05, 0.01, random);  // exactly at the second instant
    book.add_expiry(kDay + 90, 30, 0.05, 0.05, 0.01, random);
    SyntheticGrid grid;
    grid.half_width = 0.03;
    grid.spots = 201;
    add("0DTE, settling at and between instants", book, grid);
  }
  {
    SyntheticBook book;
    book.add_expiry(0, 9, 0.04, 0.05, 0.01, random);  // settles at the quote; a strike lies at the spot
    SyntheticGrid grid;
    grid.term = IvShiftTerm::kSqrtTime;
    add("settling at the quote", book, grid);
  }
  {
    SyntheticBook book;
    book.add_expiry(2 * kDay, 40, 3.0, 0.05, 0.02, random);
    add("deep wings", book, {});
  }
  {
    SyntheticBook book;
    book.add_expiry(20 * kDay, 1, 0.0, 0.05, 0.02, random);
    add("one contract", book, {});
  }
  add("no contracts", SyntheticBook{}, {});
  {
    SyntheticBook book;
    book.add_expiry(20 * kDay, 0, 0.0, 0.05, 0.02, random);
    book.add_expiry(30 * kDay, 70, 0.2, 0.05, 0.02, random);
    add("an empty expiry", book, {});
  }
  add("four position models", plain_book(21), {}, 4);
  {
    SyntheticGrid grid;
    grid.spots = 13;
    grid.iv_shift = {0.0, 0.02};
    SyntheticBook book;
    book.add_expiry(11 * kDay, 1500, 0.3, 0.05, 0.02, random);
    book.add_expiry(60 * kDay, 1700, 0.3, 0.05, 0.02, random);
    add("several segments", book, grid, 2);
  }
  {
    SyntheticGrid grid;
    grid.rule = IvRule::kRelativeBeta;
    grid.parameter = 4.0;
    add("relative beta", plain_book(25), grid);
    grid.iv_shift = {-0.15, 0.0};
    grid.floor = 0.08;
    add("relative beta, clipped", plain_book(25), grid);
  }
  {
    SyntheticGrid grid;
    grid.iv_shift = {-0.2, -0.1, 0.0};
    grid.floor = 0.08;
    add("clipped at the floor", plain_book(25), grid);
  }
  {
    SyntheticGrid grid;
    grid.term = IvShiftTerm::kSqrtTime;
    grid.cap = 1.7;
    add("shift by square root of time", plain_book(25), grid);
  }
  {
    SyntheticBook book = plain_book(25);
    book.spot_basis = 0.003;
    add("spot basis", book, {});
  }
  {
    SyntheticGrid grid;
    grid.spots = 1;
    add("one spot", plain_book(10), grid);
  }
  {
    SyntheticGrid grid;
    grid.spots = 600;
    grid.time = {kQuoteTime};
    add("several spot tiles", plain_book(10), grid);
  }
  const auto follow = [](double stickiness) {
    SyntheticGrid grid;
    grid.rule = IvRule::kSkewStickiness;
    grid.parameter = stickiness;
    return grid;
  };
  const auto add_following = [&](const char* name, SyntheticBook book, SyntheticGrid grid, std::size_t positions = 1) {
    book.add_smiles();
    add(name, std::move(book), std::move(grid), positions);
  };
  add_following("sticky moneyness", plain_book(25), follow(0.0), 2);
  add_following("sticky local volatility", plain_book(25), follow(2.0));
  add_following("stickiness of 1", plain_book(25), follow(1.0));
  {
    SyntheticBook book = plain_book(25);
    book.spot_basis = 0.003;
    SyntheticGrid grid = follow(1.5);
    grid.term = IvShiftTerm::kSqrtTime;
    grid.cap = 1.7;
    add_following("stickiness of 1.5, spot basis, shift by square root of time", book, grid);
    grid.parameter = 10.0;
    grid.iv_shift = {-0.1, 0.0};
    grid.floor = 0.12;
    add_following("stickiness of 10, clipped", book, grid);
    grid.parameter = -10.0;
    add_following("stickiness of -10, clipped", book, grid);
  }
  {
    SyntheticBook book;
    book.add_expiry(0, 9, 0.04, 0.05, 0.01, random);
    book.add_expiry(7200 - 600, 30, 0.05, 0.05, 0.01, random);
    book.add_expiry(7200, 30, 0.05, 0.05, 0.01, random);
    book.add_expiry(kDay + 90, 30, 0.05, 0.05, 0.01, random);
    SyntheticGrid grid = follow(0.0);
    grid.half_width = 0.03;
    grid.spots = 201;
    // Spots are known to 2e-16, d1 to that over sigma sqrt(tau): 90 s before settlement 1 % would leave 1e-11 of it.
    grid.floor = 0.05;
    add_following("stickiness at 0DTE, settling at and between instants", book, grid);
  }
  {
    SyntheticBook book;
    book.add_expiry(2 * kDay, 40, 3.0, 0.05, 0.02, random);
    add_following("stickiness in deep wings", book, follow(0.5));
  }
  {
    SyntheticBook book;
    book.add_expiry(20 * kDay, 1, 0.0, 0.05, 0.02, random);
    SyntheticGrid grid = follow(0.0);
    grid.spots = 1;
    add_following("stickiness of one contract at one spot", book, grid);
  }
  {
    SyntheticBook book;
    book.add_expiry(20 * kDay, 0, 0.0, 0.05, 0.02, random);
    book.add_expiry(11 * kDay, 1300, 0.3, 0.05, 0.02, random);
    book.add_expiry(60 * kDay, 1200, 0.3, 0.05, 0.02, random);
    SyntheticGrid grid = follow(0.0);
    grid.spots = 13;
    grid.iv_shift = {0.0, 0.02};
    add_following("stickiness over several segments", book, grid, 2);
  }
  {
    SyntheticGrid grid = follow(0.0);
    grid.spots = 600;
    grid.time = {kQuoteTime};
    add_following("stickiness over several spot tiles", plain_book(10), grid);
  }
  return cases;
}

}  // namespace greekgrid::test

// Exposures at hypothetical closes against the closed forms.

#include "greekgrid/host/step_exposures.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid {
namespace {

constexpr Instant kNow = 1'700'000'000, kDay = 86400;

void add_expiry(test::Book& book, double days, std::mt19937& random, int contracts) {
  std::uniform_real_distribution<double> k(70.0, 130.0), v(0.12, 0.6), n(-500.0, 500.0);
  book.add_expiry(kNow + static_cast<Instant>(days * static_cast<double>(kDay)), 0.04, 0.01);
  for (int i = 0; i < contracts; ++i) {
    const double strike = k(random), sigma = v(random);
    book.add(strike, i % 2 == 0 ? 1 : -1, sigma, {n(random)});
  }
}

TEST(StepExposures, AreThoseOfTheClosedFormsAtEveryClose) {
  std::mt19937 random(11);
  test::Book held;
  held.spot_basis = 0.001;
  add_expiry(held, 0.9, random, 20);  // settles before the close
  for (const double days : {2.0, 3.0, 10.0, 45.0, 400.0}) add_expiry(held, days, random, 40);
  const BookView book = held.view();
  const Instant at[] = {kNow + kDay};
  const double shifts[] = {-0.05, 0.0, 0.1};
  GridView grid;
  grid.quote_time = kNow;
  grid.time = at;
  grid.iv_shift = shifts;
  grid.iv_floor = 0.01;
  std::vector<double> close;
  for (int i = -200; i <= 100; ++i) close.push_back(100.0 * (1.0 + 0.01 * i / 20.0));
  const auto backend = make_cpu_backend(Precision::kFp64);
  const GreekSet greeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna};
  const std::vector<double> got = step_exposures(*backend, greeks, book, 1, grid, close);
  std::size_t row = 0;
  for (const Greek greek : {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna}) {
    const double power = std::exp(book.spot_basis * spot_order(greek));
    for (const double shift : shifts) {
      std::vector<double> want(close.size(), 0.0);
      double largest = 0.0;
      for (std::size_t c = 0; c < close.size(); ++c) {
        for (std::size_t e = 1; e < book.expiries(); ++e) {
          const double tau = static_cast<double>(book.settlement[e] - at[0]) / kSecondsPerYear;
          for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
               i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
            const auto g = formulas::black_scholes<double>(
                {static_cast<double>(book.right[i]), close[c] * std::exp(book.spot_basis), book.strike[i], book.rate[e],
                 book.dividend_yield[e], std::max(grid.iv_floor, book.implied_volatility[i] + shift), tau});
            want[c] += book.weight[i] * g[greek] * power;
          }
        }
        largest = std::max(largest, std::abs(want[c]));
      }
      for (std::size_t c = 0; c < close.size(); ++c) {
        ASSERT_NEAR(got[row * close.size() + c], want[c], 1e-7 * largest)
            << name(greek) << " " << shift << " " << close[c];
      }
      ++row;
    }
  }
}

TEST(StepExposures, AnEmptyBookIsZero) {
  const test::Book none;
  const Instant at[] = {kNow};
  const double shift[] = {0.0};
  GridView grid;
  grid.quote_time = kNow;
  grid.time = at;
  grid.iv_shift = shift;
  grid.iv_floor = 0.01;
  const auto backend = make_cpu_backend(Precision::kFp64);
  const double closes[] = {90.0, 100.0};
  EXPECT_EQ(step_exposures(*backend, {Greek::kDelta}, none.view(), 1, grid, closes), std::vector<double>(2, 0.0));
}

}  // namespace
}  // namespace greekgrid

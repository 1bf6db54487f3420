// A book of one contract through the installed reference, CPU and CUDA backends.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"

int main() {
  const std::vector<std::int64_t> settlement = {31536000}, expiry_begin = {0, 1}, time = {0};
  const std::vector<double> rate = {0.05}, dividend_yield = {0.01}, strike = {100.0}, volatility = {0.2},
                            weight = {100.0}, iv_shift = {0.0};
  const std::vector<std::int8_t> right = {1};
  greekgrid::BookView book;
  book.spot = 100.0;
  book.settlement = settlement;
  book.rate = rate;
  book.dividend_yield = dividend_yield;
  book.expiry_begin = expiry_begin;
  book.strike = strike;
  book.right = right;
  book.implied_volatility = volatility;
  book.weight = weight;
  greekgrid::GridView grid;
  grid.quote_time = time[0];
  grid.time = time;
  grid.iv_shift = iv_shift;
  grid.spots = 1;
  grid.iv_floor = 0.01;

  const greekgrid::formulas::OptionState<double> option{1.0, 100.0, 100.0, 0.05, 0.01, 0.2, 1.0};
  const double expected = 100.0 * greekgrid::formulas::black_scholes(option).gamma;
  int wrong = 0;
  const auto evaluate = [&](std::unique_ptr<greekgrid::Backend> backend, bool optional) {
    const greekgrid::BackendStatus status = backend->status();
    if (!status.usable && optional) {
      std::printf("%s: %s; ", std::string(status.name).c_str(), status.detail.c_str());
      return;
    }
    std::vector<double> gamma(1);
    const greekgrid::ExposureJob job{book, grid, 1, gamma};
    backend->evaluate({greekgrid::Greek::kGamma}, {&job, 1});
    std::printf("%s: gamma %.9g; ", std::string(status.name).c_str(), gamma[0]);
    if (!(std::abs(gamma[0] - expected) <= 1e-9 * expected)) ++wrong;
  };
  evaluate(greekgrid::make_reference_backend(), false);
  evaluate(greekgrid::make_cpu_backend(greekgrid::Precision::kFp64), false);
  evaluate(greekgrid::make_cuda_backend(greekgrid::Precision::kFp64), true);
  return wrong;
}

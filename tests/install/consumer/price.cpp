// One price by the installed formulas alone.
#include <cmath>
#include <cstdio>

#include "greekgrid/kernels/formulas/black_scholes.hpp"

int main() {
  // Hull, "Options, Futures, and Other Derivatives", example of the Black-Scholes-Merton chapter: call 4.76, put 0.81.
  greekgrid::formulas::OptionState<double> option{1.0, 42.0, 40.0, 0.1, 0.0, 0.2, 0.5};
  const double call = greekgrid::formulas::black_scholes(option).price;
  option.right = -1.0;
  const double put = greekgrid::formulas::black_scholes(option).price;
  std::printf("call %.2f, put %.2f", call, put);
  return std::abs(call - 4.76) < 0.005 && std::abs(put - 0.81) < 0.005 ? 0 : 1;
}

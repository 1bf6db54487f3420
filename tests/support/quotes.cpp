#include "greekgrid_test/quotes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <sstream>

#include "greekgrid/kernels/formulas/implied_volatility.hpp"

namespace greekgrid::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Uniform {
 public:
  explicit Uniform(std::uint64_t seed) : generator_(seed) {}
  double operator()(double low, double high) {
    return low + (high - low) * (static_cast<double>(generator_() >> 11U) * 0x1p-53);
  }

 private:
  std::mt19937_64 generator_;
};

/// Discounted price by the closed form, either side of the money.
double price_of(int phi, double forward, double strike, double discount, double s) {
  return discount *
         (std::sqrt(forward) * std::sqrt(strike) * formulas::normalised_black(std::log(forward / strike), s) +
          std::max(phi * (forward - strike), 0.0));
}

Quotes in_the_money() {
  Quotes quotes;
  Uniform uniform(2);
  while (quotes.size() < 1001) {
    const double years = uniform(0.01, 2.0);
    const double vol = uniform(0.1, 1.0);
    const double s = vol * std::sqrt(years);
    const double strike = 250.0 * std::exp(uniform(-3.0, 3.0) * s);
    const int phi = strike < 250.0 ? 1 : -1;
    quotes.add(phi, price_of(phi, 250.0, strike, 0.97, s), 250.0, strike, 0.97, years, vol);
  }
  return quotes;
}

Quotes minutes_to_decades() {
  Quotes quotes;
  for (const double years : {1.0 / 525600, 1.0 / 8760, 1.0 / 365, 7.0 / 365, 0.1, 1.0, 10.0}) {
    for (double vol = 1e-3; vol <= 10.0; vol *= 1.31) {
      const double s = vol * std::sqrt(years);
      for (double h = -30.0; h <= 30.0; h += 1.7) {
        const double strike = 4000.0 * std::exp(-h * s);
        for (const int phi : {1, -1}) {
          quotes.add(phi, price_of(phi, 4000.0, strike, 0.9, s), 4000.0, strike, 0.9, years, vol);
        }
      }
    }
  }
  return quotes;
}

Quotes deep_wings() {
  Quotes quotes;
  Uniform uniform(3);
  while (quotes.size() < 4001) {
    // The last thousand where |x| is large and the deviation is not: there a series in it cancels.
    const bool cancelling = quotes.size() > 3000;
    const double s = std::exp(uniform(std::log(cancelling ? 0.3 : 1e-5), std::log(cancelling ? 0.8 : 9.0)));
    const double x = s * std::exp(uniform(std::log(cancelling ? 10.0 : 3.0), std::log(37.0)));
    const int phi = uniform(0.0, 1.0) < 0.5 ? 1 : -1;
    const double strike = 30.0 * std::exp(phi * x);
    if (!(strike > 1e-290 && strike < 1e290)) continue;
    quotes.add(phi, price_of(phi, 30.0, strike, 1.0, s), 30.0, strike, 1.0, 0.25, 2.0 * s);
  }
  return quotes;
}

Quotes at_the_money() {
  Quotes quotes;
  for (const double relative : {0.0, 2.3e-16, 1e-15, 1e-12, 1e-9, 1e-6, 1e-4, 3e-3}) {
    for (const double sign : {1.0, -1.0}) {
      const double strike = 100.0 * (1.0 + sign * relative);
      for (double s = 1e-7; s < 12.0; s *= 1.7) {
        quotes.add(1, price_of(1, 100.0, strike, 0.99, s), 100.0, strike, 0.99, 0.5, s / std::sqrt(0.5));
      }
    }
  }
  return quotes;
}

Quotes on_the_bounds() {
  Quotes quotes;
  for (const int phi : {1, -1}) {
    for (const double strike : {1e-3, 60.0, 99.0, 100.0, 101.0, 160.0, 1e5}) {
      for (const double discount : {1.0, 0.93}) {
        const double intrinsic = discount * std::max(phi * (100.0 - strike), 0.0);
        const double bound = discount * (phi > 0 ? 100.0 : strike);
        for (const double edge : {intrinsic, bound}) {
          for (const double value : {edge, std::nextafter(edge, kInfinity), std::nextafter(edge, -kInfinity),
                                     edge * (1.0 + 1e-15), edge * (1.0 - 1e-15), edge - 1.0, edge + 1.0, -edge}) {
            quotes.add(phi, value, 100.0, strike, discount, 0.3);
          }
        }
        for (double from_bound = 0.5; from_bound > 1e-17; from_bound *= 0.3) {
          quotes.add(phi, bound - from_bound * (bound - intrinsic), 100.0, strike, discount, 0.3);
          quotes.add(phi, intrinsic + from_bound * (bound - intrinsic), 100.0, strike, discount, 0.3);
        }
      }
    }
  }
  return quotes;
}

Quotes no_numbers() {
  Quotes quotes;
  const std::array<double, 5> good = {4.0, 100.0, 103.0, 0.98, 0.5};
  for (std::size_t column = 0; column < good.size(); ++column) {
    for (const double bad : {kNan, -kNan, kInfinity, -kInfinity, 0.0, -0.0, -1.0, -1e308}) {
      auto c = good;
      c[column] = bad;
      for (const int phi : {1, -1}) quotes.add(phi, c[0], c[1], c[2], c[3], c[4]);
    }
  }
  for (const int phi : {0, 2, -2, 127, -128}) quotes.add(phi, good[0], good[1], good[2], good[3], good[4]);
  quotes.add(1, kNan, kNan, kNan, kNan, kNan);
  quotes.add(1, good[0], good[1], good[2], good[3], good[4]);
  return quotes;
}

Quotes ends_of_the_range() {
  Quotes quotes;
  const double ends[] = {5e-324, 1e-310, 2.3e-308, 1e-300, 1e-120, 1e-20, 1.0, 1e20, 1e120, 1e300, 1.7e308};
  for (const double forward : ends) {
    for (const double strike : ends) {
      for (const double fraction : {1e-300, 1e-30, 0.01, 0.5, 0.999}) {
        for (const int phi : {1, -1}) {
          quotes.add(phi, fraction * (phi > 0 ? forward : strike), forward, strike, 1.0, 1.0);
          quotes.add(phi, std::max(phi * (forward - strike), 0.0) + fraction * std::min(forward, strike), forward,
                     strike, 1.0, 1.0);
        }
      }
    }
  }
  for (const double end : ends) {
    for (const int phi : {1, -1}) {
      quotes.add(phi, 4.0, 100.0, 103.0, end, 1.0);
      quotes.add(phi, 4.0 * end, 100.0, 103.0, end, 1.0);
      quotes.add(phi, 4.0, 100.0, 103.0, 1.0, end);
      quotes.add(phi, end, 100.0, 103.0, 1.0, 1.0);
    }
  }
  return quotes;
}

}  // namespace

void Quotes::add(int phi, double value, double f, double k, double df, double years, double vol) {
  right.push_back(static_cast<std::int8_t>(phi));
  price.push_back(value);
  forward.push_back(f);
  strike.push_back(k);
  discount.push_back(df);
  tau.push_back(years);
  sigma.push_back(vol);
}

void Quotes::add(const Quotes& others, std::size_t i) {
  add(others.right[i], others.price[i], others.forward[i], others.strike[i], others.discount[i], others.tau[i],
      others.sigma[i]);
}

QuoteView Quotes::view() const {
  return {right, price, forward, strike, discount, tau};
}

Quotes session_quotes(std::size_t count) {
  Quotes quotes;
  Uniform uniform(1);
  while (quotes.size() < count) {
    const double years = std::exp(uniform(std::log(2.0 / 8760.0), std::log(2.0)));
    const double vol = uniform(0.05, 1.5);
    const double s = vol * std::sqrt(years);
    const double x = uniform(-6.0, 6.0) * s;  // ln(F/K)
    const int phi = x > 0.0 ? -1 : 1;         // out of the money
    const double discount = std::exp(-0.04 * years);
    const double strike = 100.0 * std::exp(-x);
    const double value = discount * std::sqrt(100.0 * strike) * formulas::normalised_black(x, s);
    if (value > 1e-8) quotes.add(phi, value, 100.0, strike, discount, years, vol);
  }
  return quotes;
}

std::vector<QuoteCase> quote_cases() {
  return {{"session", session_quotes(4099)},
          {"in_the_money", in_the_money()},
          {"minutes_to_decades", minutes_to_decades()},
          {"deep_wings", deep_wings()},
          {"at_the_money", at_the_money()},
          {"on_the_bounds", on_the_bounds()},
          {"no_numbers", no_numbers()},
          {"ends_of_the_range", ends_of_the_range()},
          {"none", {}}};
}

Inverted invert(Backend& backend, const QuoteView& quotes) {
  constexpr auto kUnwritten = static_cast<formulas::IvStatus>(99);
  Inverted out{std::vector<double>(quotes.size(), -1.0), std::vector<formulas::IvStatus>(quotes.size(), kUnwritten)};
  backend.implied_volatilities(quotes, out.sigma, out.status);
  return out;
}

double attainable_error(const QuoteView& quotes, std::size_t i, double sigma) {
  const double forward = quotes.forward[i];
  const double strike = quotes.strike[i];
  const double s = sigma * std::sqrt(quotes.tau[i]);
  const double h = std::log(forward / strike) / s;
  const double slope = std::exp(-0.5 * (h * h + 0.25 * s * s)) / std::sqrt(2.0 * M_PI);
  const double time_value = quotes.price[i] / quotes.discount[i] - std::max(quotes.right[i] * (forward - strike), 0.0);
  const double b = time_value / (std::sqrt(forward) * std::sqrt(strike));
  return std::numeric_limits<double>::epsilon() * (1.0 + b / (s * slope));
}

QuoteDeviation compare_quotes(const Inverted& actual, const Inverted& expected, const QuoteView& quotes) {
  QuoteDeviation worst;
  const auto raise = [&](double deviation, std::size_t i) {
    if (deviation <= worst.in_attainable) return;
    worst.in_attainable = std::isnan(deviation) ? kInfinity : deviation;
    worst.quote = i;
    std::ostringstream text;
    text.precision(17);
    text << "quote " << i << ": right " << int{quotes.right[i]} << " price " << quotes.price[i] << " forward "
         << quotes.forward[i] << " strike " << quotes.strike[i] << " discount " << quotes.discount[i] << " tau "
         << quotes.tau[i] << " gives " << actual.sigma[i] << " (status " << static_cast<int>(actual.status[i])
         << ") for " << expected.sigma[i] << " (status " << static_cast<int>(expected.status[i]) << ")";
    worst.quoted = text.str();
  };
  if (actual.sigma.size() != quotes.size() || actual.status.size() != quotes.size() ||
      expected.sigma.size() != quotes.size() || expected.status.size() != quotes.size()) {
    worst.in_attainable = kInfinity;
    worst.quoted = "sizes differ";
    return worst;
  }
  for (std::size_t i = 0; i < quotes.size(); ++i) {
    if (actual.status[i] != expected.status[i]) {
      raise(kInfinity, i);
    } else if (expected.status[i] != formulas::IvStatus::kOk) {
      if (!std::isnan(actual.sigma[i])) raise(kInfinity, i);
    } else if (!(actual.sigma[i] > 0.0)) {
      raise(kInfinity, i);
    } else if (actual.sigma[i] != expected.sigma[i]) {
      raise(std::abs(actual.sigma[i] / expected.sigma[i] - 1.0) / attainable_error(quotes, i, expected.sigma[i]), i);
    }
  }
  return worst;
}

}  // namespace greekgrid::test

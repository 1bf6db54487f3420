#include "quantlib_baseline.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <ql/exercise.hpp>
#include <ql/instruments/vanillaoption.hpp>
#include <ql/pricingengines/blackformula.hpp>
#include <ql/pricingengines/vanilla/analyticeuropeanengine.hpp>
#include <ql/processes/blackscholesprocess.hpp>
#include <ql/quotes/simplequote.hpp>
#include <ql/settings.hpp>
#include <ql/termstructures/volatility/equityfx/blackconstantvol.hpp>
#include <ql/termstructures/yield/flatforward.hpp>
#include <ql/time/calendars/nullcalendar.hpp>
#include <ql/time/daycounters/actual365fixed.hpp>
#include <vector>

namespace greekgrid::bench {
namespace ql = QuantLib;

namespace {
struct Priced {
  ql::ext::shared_ptr<ql::VanillaOption> option;
  double weight;
};
struct Setup {
  ql::ext::shared_ptr<ql::SimpleQuote> spot;
  std::vector<Priced> options;
  const test::Book* book = nullptr;
};

Setup make_setup(const test::Book& book) {
  Setup setup;
  setup.book = &book;
  const ql::Date today(14, ql::September, 2023);
  ql::Settings::instance().evaluationDate() = today;
  const ql::DayCounter count = ql::Actual365Fixed();
  setup.spot = ql::ext::make_shared<ql::SimpleQuote>(book.spot);
  const ql::Handle<ql::Quote> spot(setup.spot);
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const int days = std::max(1, static_cast<int>((book.settlement[e] - test::kQuoteTime) / 86400));
    const ql::Handle<ql::YieldTermStructure> r(ql::ext::make_shared<ql::FlatForward>(today, book.rate[e], count));
    const ql::Handle<ql::YieldTermStructure> q(
        ql::ext::make_shared<ql::FlatForward>(today, book.dividend_yield[e], count));
    const auto exercise = ql::ext::make_shared<ql::EuropeanExercise>(today + days);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      const ql::Handle<ql::BlackVolTermStructure> vol(
          ql::ext::make_shared<ql::BlackConstantVol>(today, ql::NullCalendar(), book.implied_volatility[i], count));
      const auto process = ql::ext::make_shared<ql::BlackScholesMertonProcess>(spot, q, r, vol);
      const auto payoff = ql::ext::make_shared<ql::PlainVanillaPayoff>(
          book.right[i] > 0 ? ql::Option::Call : ql::Option::Put, book.strike[i]);
      auto option = ql::ext::make_shared<ql::VanillaOption>(payoff, exercise);
      option->setPricingEngine(ql::ext::make_shared<ql::AnalyticEuropeanEngine>(process));
      setup.options.push_back({option, book.weight[0][i]});
    }
  }
  return setup;
}
}  // namespace

OptionSums quantlib_engine_sums(const test::Book& book, std::size_t spots) {
  static Setup setup;
  if (setup.book != &book) setup = make_setup(book);
  OptionSums sums{};
  for (std::size_t j = 0; j < spots; ++j) {
    setup.spot->setValue(book.spot * (1.0 + 0.01 * static_cast<double>(j)));
    for (const Priced& p : setup.options) {
      sums[static_cast<std::size_t>(Greek::kDelta)] += p.weight * p.option->delta();
      sums[static_cast<std::size_t>(Greek::kGamma)] += p.weight * p.option->gamma();
      sums[static_cast<std::size_t>(Greek::kVega)] += p.weight * p.option->vega();
      sums[static_cast<std::size_t>(Greek::kTheta)] += p.weight * p.option->theta();
    }
  }
  return sums;
}

double quantlib_implied_volatility(double right, double price, double forward, double strike, double discount,
                                   double tau) {
  try {
    const double deviation =
        ql::blackFormulaImpliedStdDev(right > 0.0 ? ql::Option::Call : ql::Option::Put, strike, forward, price,
                                      discount, 0.0, ql::Null<ql::Real>(), 1e-12, 1000);
    return deviation / std::sqrt(tau);
  } catch (const std::exception&) {
    return std::numeric_limits<double>::quiet_NaN();
  }
}

}  // namespace greekgrid::bench

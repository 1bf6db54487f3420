#include "quantlib_baseline.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <ql/exercise.hpp>
#include <ql/instruments/vanillaoption.hpp>
#include <ql/pricingengines/blackcalculator.hpp>
#include <ql/pricingengines/blackformula.hpp>
#include <ql/pricingengines/vanilla/analyticeuropeanengine.hpp>
#include <ql/processes/blackscholesprocess.hpp>
#include <ql/quotes/simplequote.hpp>
#include <ql/settings.hpp>
#include <ql/termstructures/volatility/equityfx/blackconstantvol.hpp>
#include <ql/termstructures/yield/flatforward.hpp>
#include <ql/time/calendars/nullcalendar.hpp>
#include <string>
#include <utility>
#include <vector>

namespace greekgrid::bench {
namespace ql = QuantLib;

namespace {
// Actual/365 in days, stretched so that the one maturity of its expiry lies where the book says.
class ExpiryClock : public ql::DayCounter {
  class Impl final : public ql::DayCounter::Impl {
   public:
    explicit Impl(double years_per_day) : years_per_day_(years_per_day) {}
    std::string name() const override { return "greekgrid expiry"; }
    ql::Time yearFraction(const ql::Date& from, const ql::Date& to, const ql::Date&, const ql::Date&) const override {
      return static_cast<double>(to - from) * years_per_day_;
    }

   private:
    double years_per_day_;
  };

 public:
  explicit ExpiryClock(double years_per_day)
      : ql::DayCounter(ql::ext::shared_ptr<ql::DayCounter::Impl>(new Impl(years_per_day))) {}
};

struct Priced {
  ql::ext::shared_ptr<ql::VanillaOption> option;
  double weight;
};

double tau_of(const test::Book& book, std::size_t e) {
  return static_cast<double>(book.settlement[e] - test::kQuoteTime) / kSecondsPerYear;
}

// Adds one contract's Greeks to the sums of one spot.
template <class Option>
void add(const Option& value, double weight, std::size_t j, std::size_t spots, std::span<double> out) {
  for (const auto& [greek, amount] : {std::pair(Greek::kDelta, value.delta()), std::pair(Greek::kGamma, value.gamma()),
                                      std::pair(Greek::kVega, value.vega()), std::pair(Greek::kTheta, value.theta())}) {
    out[kQuantLibGreeks.index(greek) * spots + j] += weight * amount;
  }
}
}  // namespace

struct QuantLibEngine::Setup {
  ql::ext::shared_ptr<ql::SimpleQuote> spot;
  std::vector<Priced> options;
};

QuantLibEngine::QuantLibEngine(const test::Book& book) : setup_(std::make_unique<Setup>()) {
  const ql::Date today(14, ql::September, 2023);
  ql::Settings::instance().evaluationDate() = today;
  setup_->spot = ql::ext::make_shared<ql::SimpleQuote>(book.spot);
  const ql::Handle<ql::Quote> spot(setup_->spot);
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const int days = std::max(1, static_cast<int>((book.settlement[e] - test::kQuoteTime) / 86400));
    const ExpiryClock count(tau_of(book, e) / days);
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
      setup_->options.push_back({option, book.weight[0][i]});
    }
  }
}
QuantLibEngine::~QuantLibEngine() = default;

void QuantLibEngine::sums(std::span<const double> spots, std::span<double> out) {
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t j = 0; j < spots.size(); ++j) {
    setup_->spot->setValue(spots[j]);
    for (const Priced& p : setup_->options) add(*p.option, p.weight, j, spots.size(), out);
  }
}

namespace {
// BlackCalculator takes what the engine would look up.
struct Calculated {
  const ql::BlackCalculator& calculator;
  double spot, tau;
  double delta() const { return calculator.delta(spot); }
  double gamma() const { return calculator.gamma(spot); }
  double vega() const { return calculator.vega(tau); }
  double theta() const { return calculator.theta(spot, tau); }
};
}  // namespace

void quantlib_black_calculator_sums(const test::Book& book, std::span<const double> spots, std::span<double> out) {
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t e = 0; e < book.settlement.size(); ++e) {
    const double tau = tau_of(book, e);
    const double root = std::sqrt(tau);
    const double growth = std::exp((book.rate[e] - book.dividend_yield[e]) * tau);
    const double discount = std::exp(-book.rate[e] * tau);
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      const auto right = book.right[i] > 0 ? ql::Option::Call : ql::Option::Put;
      for (std::size_t j = 0; j < spots.size(); ++j) {
        const ql::BlackCalculator calculator(right, book.strike[i], spots[j] * growth,
                                             book.implied_volatility[i] * root, discount);
        add(Calculated{calculator, spots[j], tau}, book.weight[0][i], j, spots.size(), out);
      }
    }
  }
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

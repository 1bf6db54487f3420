// Chains made from a known surface with known rates and dividends, and what a Snapshot makes of them.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "greekgrid/host/market.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kSpot = 400.0, kRate = 0.05, kYield = 0.017, kBasis = 0.0012;
constexpr int kDays[] = {1, 2, 9, 30, 91, 365};

SmileCurve smile_of(double tau) {
  // Total variance rises with tau at every k: no calendar arbitrage.
  return {0.02 * tau, 0.03 * std::sqrt(tau), -0.5, 0.02 * std::sqrt(tau), 0.15 * std::sqrt(tau), tau};
}

// A cash dividend of `dividend` going ex after `ex` years, on top of the continuous yield.
double forward_of(double tau, double dividend, double ex = 20.0 / 365.0) {
  const double paid = tau >= ex ? dividend * std::exp(-kRate * ex) : 0.0;
  return (kSpot * std::exp(kBasis) - paid) * std::exp((kRate - kYield) * tau);
}

struct MadeChain {
  OptionChain chain;
  std::vector<double> sigma;  // by contract
};

// Strikes every 2 % of a deviation's reach; quote(price) gives bid and ask.
template <class Quote>
MadeChain make_chain(double dividend, Quote&& quote, double ex = 20.0 / 365.0) {
  MadeChain made;
  OptionChain& c = made.chain;
  c.quote_time = new_york_instant(Date(std::chrono::year(2026) / 7 / 10), 16, 0);
  c.file_time = c.quote_time;
  c.ticker = {"AAA"};
  c.spot = {kSpot};
  c.contract_begin = {0};
  for (const int days : kDays) {
    const double tau = days / 365.0;
    const SmileCurve smile = smile_of(tau);
    const double forward = forward_of(tau, dividend, ex), discount = std::exp(-kRate * tau);
    c.expiry_ticker.push_back(0);
    c.root.push_back("AAA");
    c.settlement.push_back(c.quote_time + days * 86400);
    c.exercise.push_back(Exercise::kEuropean);
    c.style.push_back(SettlementStyle::kPm);
    const double reach = 2.5 * std::sqrt(smile.total_variance(0.0));
    for (int i = -12; i <= 12; ++i) {
      const double strike = std::round(forward * std::exp(reach * i / 12.0) * 10.0) / 10.0;
      const double sigma = smile.volatility(std::log(strike / forward));
      for (const int right : {-1, 1}) {
        const double price = formulas::black_scholes<double>(
                                 {static_cast<double>(right), forward * discount, strike, kRate, 0.0, sigma, tau})
                                 .price;
        const auto [bid, ask] = quote(price);
        c.contract_expiry.push_back(static_cast<std::int32_t>(c.root.size() - 1));
        c.strike.push_back(strike);
        c.right.push_back(static_cast<std::int8_t>(right));
        c.bid.push_back(bid);
        c.ask.push_back(ask);
        made.sigma.push_back(sigma);
      }
    }
  }
  const std::size_t n = c.strike.size();
  c.contract_count = {static_cast<std::int64_t>(n)};
  c.multiplier.assign(n, 100.0);
  c.open_interest.assign(n, 10.0);
  for (auto* column : {&c.last, &c.volume, &c.vendor_iv, &c.vendor_delta, &c.vendor_gamma}) column->assign(n, kNaN);
  c.rows_in = static_cast<std::int64_t>(n);
  return made;
}

std::pair<double, double> exact_quote(double price) {
  const double half = std::min(0.01, 0.25 * price);
  return {price - half, price + half};
}

double forward_of(const Snapshot& s, std::size_t e) {
  const double tau = static_cast<double>(s.settlement[e] - s.quote_time) / kSecondsPerYear;
  return s.spot[0] * std::exp(s.spot_basis[0] + (s.rate[e] - s.dividend_yield[e]) * tau);
}

void expect_surface(const Snapshot& s, const MadeChain& made, double dividend) {
  ASSERT_EQ(s.tickers(), 1U);
  ASSERT_EQ(s.expiries(), std::size(kDays));
  for (std::size_t e = 0; e < s.expiries(); ++e) {
    const double tau = kDays[e] / 365.0;
    const double forward = forward_of(tau, dividend);
    EXPECT_NEAR(forward_of(s, e) / forward, 1.0, 1e-6) << kDays[e] << " days";
    EXPECT_EQ(s.forward_source[e], ForwardSource::kParity) << kDays[e] << " days";
    EXPECT_EQ(s.expiry_volatility[e].kind, SmileKind::kSvi);
    EXPECT_LT(s.expiry_volatility[e].butterfly, 1e-9);
    EXPECT_LT(s.expiry_volatility[e].calendar, 1e-6);
    EXPECT_NEAR(s.expiry_volatility[e].atm_iv, smile_of(tau).volatility(0.0), 1e-8);
    for (double x = -2.0; x <= 2.0; x += 0.25) {
      const double k = x * std::sqrt(smile_of(tau).total_variance(0.0));
      EXPECT_NEAR(s.smile[e].volatility(k), smile_of(tau).volatility(k), 1e-8) << kDays[e] << " days, k " << k;
    }
  }
  ASSERT_EQ(s.contracts(), made.sigma.size());
  for (std::size_t i = 0; i < s.contracts(); ++i) {
    EXPECT_NEAR(s.implied_volatility[i], made.sigma[static_cast<std::size_t>(s.chain_row[i])], 1e-8)
        << "strike " << s.strike[i];
  }
  EXPECT_NEAR(s.spot_basis[0], kBasis, 1e-9);
  EXPECT_NEAR(s.quality[0].spot_basis_bp, 1e4 * kBasis, 1e-5);
  EXPECT_EQ(s.quality[0].own_iv_share, 1.0);
  EXPECT_EQ(s.quality[0].filled_iv_share, 0.0);
  EXPECT_LT(s.quality[0].parity_residual, 1e-12);
}

MarketConfig known_market() {
  MarketConfig market;
  market.rate_curve = {{0.1, kRate}, {5.0, kRate}};
  market.dividend_yield = kYield;
  return market;
}

TEST(SurfaceRoundTrip, ForwardsAndVolatilitiesComeBack) {
  const MadeChain made = make_chain(0.0, exact_quote);
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  expect_surface(s, made, 0.0);
  // At-the-forward total variance at 30 days is a node; one day is linear from nothing.
  EXPECT_NEAR(s.volatility[0].iv30.value, smile_of(30.0 / 365.0).volatility(0.0), 1e-8);
  EXPECT_EQ(s.volatility[0].implied_move_1d.status, MetricStatus::kOk);
  // The next close is Monday's, three days on: between the nodes of two and nine days.
  const auto w = [](double days) { return smile_of(days / 365.0).total_variance(0.0); };
  EXPECT_NEAR(s.volatility[0].implied_move_1d.value, std::sqrt(w(2.0) + (w(9.0) - w(2.0)) / 7.0), 1e-8);
  EXPECT_NEAR(s.volatility[0].implied_move_5d.value, std::sqrt(w(2.0) + (w(9.0) - w(2.0)) * 5.0 / 7.0), 1e-8);
}

// A dividend that is known is no basis; what follows its ex date carries it in the yield.
TEST(SurfaceRoundTrip, KnownDividends) {
  const MadeChain made = make_chain(3.0, exact_quote);
  MarketConfig market = known_market();
  market.dividends = {{"AAA", new_york_date(made.chain.quote_time + 20 * 86400), 3.0}};
  const Snapshot s = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  expect_surface(s, made, 3.0);
  EXPECT_GT(s.dividend_yield[3], kYield + 0.08);
}

// A dividend ex before the first expiry: unknown, it is taken for a basis of its size; known, it is not.
TEST(SurfaceRoundTrip, DividendBeforeTheFirstExpiry) {
  MadeChain made = make_chain(0.0, exact_quote);
  made.chain.spot = {kSpot + 2.0};
  MarketConfig market = known_market();
  const Snapshot unknown = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  EXPECT_NEAR(unknown.spot_basis[0], kBasis - std::log1p(2.0 / kSpot), 1e-9);
  market.dividends = {{"AAA", new_york_date(made.chain.quote_time + 86400), 2.0}};
  const Snapshot known = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  EXPECT_NEAR(known.spot_basis[0], std::log((kSpot * std::exp(kBasis) + 2.0) / (kSpot + 2.0)), 1e-6);
  for (std::size_t e = 2; e < known.expiries(); ++e) {
    EXPECT_NEAR(forward_of(known, e) / forward_of(kDays[e] / 365.0, 0.0), 1.0, 1e-6);
  }
}

// Quotes in cents of a wide market with stale prices, gaps and one-sided quotes: stated bounds.
TEST(SurfaceRoundTrip, BearsNoiseStaleQuotesAndGaps) {
  std::mt19937 generator(3);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  const MadeChain made = make_chain(0.0, [&](double price) -> std::pair<double, double> {
    const double half = 0.02 + 0.01 * price;
    double middle = price + 0.5 * half * (2.0 * uniform(generator) - 1.0);
    if (uniform(generator) < 0.04) middle *= 1.3;                // stale
    if (uniform(generator) < 0.10) return {kNaN, kNaN};          // a gap
    if (uniform(generator) < 0.05) return {0.0, middle + half};  // nobody bids
    const double bid = std::floor(100.0 * (middle - half)) / 100.0;
    return {std::max(bid, 0.0), std::ceil(100.0 * (middle + half)) / 100.0};
  });
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  ASSERT_EQ(s.expiries(), std::size(kDays));
  EXPECT_EQ(s.contracts(), made.sigma.size());  // every gap is filled
  for (std::size_t e = 0; e < s.expiries(); ++e) {
    const double tau = kDays[e] / 365.0;
    EXPECT_NEAR(forward_of(s, e) / forward_of(tau, 0.0), 1.0, 1e-3) << kDays[e];
    // The quotes of the first days are a few cents: half a spread is vols.
    const double deviation = std::sqrt(smile_of(tau).total_variance(0.0));
    for (double x = -1.5; x <= 1.5; x += 0.25) {
      EXPECT_NEAR(s.smile[e].volatility(x * deviation) / smile_of(tau).volatility(x * deviation), 1.0, 0.05)
          << kDays[e] << " days, " << x << " deviations";
    }
  }
}

TEST(SurfaceRoundTrip, AMissingSpotIsTakenFromParity) {
  MadeChain made = make_chain(0.0, exact_quote);
  made.chain.spot = {kNaN};
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  ASSERT_EQ(s.tickers(), 1U);
  EXPECT_EQ(s.quality[0].spot_source, SpotSource::kParity);
  EXPECT_NEAR(s.spot[0], kSpot * std::exp(kBasis), 1e-6);
  EXPECT_EQ(s.spot_basis[0], 0.0);
}

TEST(SurfaceRoundTrip, ASpotThatParityContradictsIsRefused) {
  MadeChain made = make_chain(0.0, exact_quote);
  made.chain.spot = {2.0 * kSpot};  // a split the vendor forgot
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  EXPECT_EQ(s.tickers(), 0U);
  EXPECT_EQ(s.quality[0].status, TickerStatus::kSpotContradicted);
  ASSERT_FALSE(s.diagnostics.empty());
  EXPECT_EQ(s.diagnostics.back().rule, "spot_contradicts_parity");
}

// A dividend between the two shortest expiries belongs to the second alone, though neither sets a carry.
TEST(SurfaceRoundTrip, AKnownDividendGoesToTheExpiriesAfterItsDate) {
  const double ex = 2.0 / 365.0 + 17.5 / 8760.0;  // Monday at the open
  const MadeChain made = make_chain(4.0, exact_quote, ex);
  MarketConfig market = known_market();
  market.dividends = {{"AAA", Date(std::chrono::year(2026) / 7 / 13), 4.0}};
  const Snapshot s = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  ASSERT_EQ(s.tickers(), 1U);
  for (std::size_t e = 0; e < std::size(kDays); ++e) {
    EXPECT_NEAR(forward_of(s, e) / forward_of(kDays[e] / 365.0, 4.0, ex), 1.0, 1e-6) << kDays[e] << " days";
  }
}

TEST(SurfaceRoundTrip, DividendsBeyondTheShareAreRefused) {
  const MadeChain made = make_chain(0.0, exact_quote);
  MarketConfig market = known_market();
  market.dividends = {{"AAA", Date(std::chrono::year(2026) / 9 / 1), 2.0 * kSpot}};
  const Snapshot s = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  EXPECT_EQ(s.tickers(), 0U);
  ASSERT_FALSE(s.diagnostics.empty());
  EXPECT_EQ(s.diagnostics.back().rule, "dividends_above_half_spot");
}

// In the money a stale mid is worth any volatility: the ask of the other right says whether it may be believed.
TEST(SurfaceRoundTrip, AQuoteInTheMoneyIsBoundedByTheOtherRight) {
  for (const bool stale : {false, true}) {
    MadeChain made = make_chain(0.0, exact_quote);
    OptionChain& c = made.chain;
    std::size_t row = 0;  // the put of the third lowest strike at 30 days; its call follows
    while (c.contract_expiry[row] != 3) ++row;
    row += 4;
    ASSERT_EQ(c.right[row], -1);
    c.bid[row] = 0.0;
    if (stale) c.bid[row + 1] += 5.0, c.ask[row + 1] += 5.0;
    const Snapshot s = make_snapshot(c, known_market(), {}, Calendar(), *make_reference_backend());
    ASSERT_EQ(s.contracts(), made.sigma.size());
    EXPECT_EQ(s.quote_status[row], QuoteStatus::kNoBid);
    EXPECT_EQ(s.iv_source[row], stale ? IvSource::kSmile : IvSource::kOppositeRight);
    EXPECT_EQ(s.iv_source[row + 1], stale ? IvSource::kSmile : IvSource::kOwnMid);
    EXPECT_NEAR(s.implied_volatility[row], made.sigma[row], 1e-7);
  }
}

// A spot that every pair's bid and ask allow is not corrected.
TEST(SurfaceRoundTrip, ASpotThatTheQuotesAllowStays) {
  const MadeChain made = make_chain(0.0, [](double price) {
    return std::pair<double, double>{std::max(price - 0.6, 0.01), price + 0.6};
  });
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  ASSERT_EQ(s.tickers(), 1U);
  EXPECT_EQ(s.spot_basis[0], 0.0);
}

// One expiry whose every quote is stale by 10 % says nothing against the vendor's spot; its forward is its neighbours'.
TEST(SurfaceRoundTrip, OneStaleExpiryIsNotBelieved) {
  MadeChain made = make_chain(0.0, exact_quote);
  for (std::size_t i = 0; i < made.chain.contracts(); ++i) {
    const bool first = made.chain.contract_expiry[i] == 0;
    if (made.chain.contract_expiry[i] <= 2 && !first) made.chain.bid[i] = made.chain.ask[i] = 0.0;
    if (first) made.chain.strike[i] += 40.0;  // as if quoted when the spot stood there
  }
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  ASSERT_EQ(s.tickers(), 1U);
  EXPECT_LT(std::abs(s.spot_basis[0]), 0.01);
  EXPECT_EQ(s.forward_source[0], ForwardSource::kNeighbourCarry);
  EXPECT_NEAR(forward_of(s, 0) / kSpot, 1.0, 0.01);
}

TEST(SurfaceRoundTrip, WithoutParityForwardsAreAsGiven) {
  const MadeChain made = make_chain(0.0, exact_quote);
  MarketConfig market = known_market();
  market.forward_source = ForwardPreference::kFlat;
  const Snapshot flat = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  market.forward_source = ForwardPreference::kSpot;
  const Snapshot spot = make_snapshot(made.chain, market, {}, Calendar(), *make_reference_backend());
  for (std::size_t e = 0; e < std::size(kDays); ++e) {
    EXPECT_NEAR(forward_of(flat, e), kSpot * std::exp((kRate - kYield) * kDays[e] / 365.0), 1e-10);
    EXPECT_NEAR(forward_of(spot, e), kSpot, 1e-10);
    EXPECT_EQ(flat.forward_source[e], ForwardSource::kGivenRateAndYield);
    EXPECT_GT(flat.expiry_volatility[e].parity.pairs, 0);  // told all the same
  }
  EXPECT_EQ(flat.spot_basis[0], 0.0);
}

// An expiry without pairs takes the carry between its neighbours'; one without any quotes also their smile.
TEST(SurfaceRoundTrip, NeighboursLendCarryAndSmile) {
  MadeChain made = make_chain(0.0, exact_quote);
  const std::int32_t blind = 4;
  for (std::size_t i = 0; i < made.chain.contracts(); ++i) {
    if (made.chain.contract_expiry[i] == blind) made.chain.bid[i] = made.chain.ask[i] = 0.0;
  }
  const Snapshot s = make_snapshot(made.chain, known_market(), {}, Calendar(), *make_reference_backend());
  ASSERT_EQ(s.expiries(), std::size(kDays));
  EXPECT_EQ(s.forward_source[blind], ForwardSource::kNeighbourCarry);
  EXPECT_NEAR(forward_of(s, blind) / forward_of(kDays[blind] / 365.0, 0.0), 1.0, 1e-9);
  EXPECT_EQ(s.expiry_volatility[blind].kind, SmileKind::kNeighbourExpiry);
  for (std::size_t i = 0; i < s.contracts(); ++i) {
    if (s.contract_expiry[i] != blind) continue;
    EXPECT_EQ(s.iv_source[i], IvSource::kNeighbourExpiry);
    EXPECT_EQ(s.quote_status[i], QuoteStatus::kPlaceholder);
  }
  EXPECT_NEAR(s.quality[0].supported_iv_share, 5.0 / 6.0, 1e-12);
}

}  // namespace
}  // namespace greekgrid

#include "greekgrid/host/synthetic_chain.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "random.hpp"

namespace greekgrid {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kCommonYear = 525600.0 * 60.0;  // seconds
constexpr double kRate = 0.04;
constexpr std::int64_t kLargestName = 20000;  // contracts, as SPX lists
constexpr std::int64_t kDailyName = 5000;     // contracts from which a name expires every session
constexpr int kMostExpiries = 60;
const Date kQuoteDate{std::chrono::year{2026} / std::chrono::July / 10};

double rounded(double value, double unit) {
  return std::round(value / unit) * unit;
}
/// To a decimal fraction, so that the nearest double of the printed number is stored.
double decimals(double value, double per_unit) {
  return std::round(value * per_unit) / per_unit;
}

/// Contracts of each rank: floor(scale / (rank + 3)), at least 1, at most the cap, the rest dealt from the top.
std::vector<std::int64_t> deal_contracts(std::int64_t tickers, std::int64_t contracts) {
  const std::int64_t cap = std::max(kLargestName, (contracts + tickers - 1) / tickers);
  const auto count = [cap](std::int64_t scale, std::int64_t rank) {
    return std::clamp<std::int64_t>(scale / (rank + 3), 1, cap);
  };
  const auto total = [&](std::int64_t scale) {
    std::int64_t sum = 0;
    for (std::int64_t rank = 0; rank < tickers; ++rank) sum += count(scale, rank);
    return sum;
  };
  std::int64_t low = 0, high = cap * (tickers + 3);
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (total(middle) <= contracts ? low : high) = middle;
  }
  std::vector<std::int64_t> dealt(static_cast<std::size_t>(tickers));
  std::int64_t left = contracts;
  for (std::int64_t rank = 0; rank < tickers; ++rank) left -= dealt[static_cast<std::size_t>(rank)] = count(low, rank);
  while (left > 0) {
    for (std::int64_t& n : dealt) {
      if (left > 0 && n < cap) {
        ++n;
        --left;
      }
    }
  }
  return dealt;
}

/// An index with an AM root for its monthlies and a PM root for the rest.
struct IndexName {
  std::int64_t rank;
  const char *monthly, *weekly;
  double spot, volatility;
};
constexpr std::array kIndices{IndexName{0, "SPX", "SPXW", 6900.0, 0.14}, IndexName{5, "NDX", "NDXP", 25000.0, 0.19},
                              IndexName{8, "RUT", "RUTW", 2500.0, 0.20}};

const IndexName* index_of(std::int64_t rank) {
  for (const IndexName& index : kIndices) {
    if (index.rank == rank) return &index;
  }
  return nullptr;
}

/// Four letters, different for different ranks: 7919 and 26^4 have no common factor.
std::string stock_name(std::int64_t rank) {
  std::int64_t code = (rank * 7919 + 4711) % 456976;
  std::string name(4, 'A');
  for (char& letter : name) {
    letter = static_cast<char>('A' + code % 26);
    code /= 26;
  }
  return name;
}

struct Expiry {
  std::string root;
  Instant settlement;
  SettlementStyle style;
  std::int64_t contracts = 0;
};

struct Name {
  std::string ticker;
  std::int64_t rank, contracts;
  std::vector<Expiry> expiry;
};

Date third_friday(int months_ahead) {
  const auto month = std::chrono::year_month{kQuoteDate.year(), kQuoteDate.month()} + std::chrono::months{months_ahead};
  return Date{month / std::chrono::Friday[3]};
}

/// Sessions next, then Fridays, then third Fridays; near expirations list more strikes than far ones.
std::vector<Expiry> list_expiries(const Name& name, const Calendar& calendar) {
  const int wanted = static_cast<int>(
      std::clamp<double>(std::floor(0.36 * std::sqrt(static_cast<double>(name.contracts))), 1.0, kMostExpiries));
  const IndexName* const index = index_of(name.rank);
  const std::string daily_root = index != nullptr ? index->weekly : name.ticker;
  const std::string monthly_root = index != nullptr ? index->monthly : name.ticker;
  const SettlementStyle monthly_style = index != nullptr ? SettlementStyle::kAm : SettlementStyle::kPm;
  std::vector<Expiry> list;
  const auto add = [&](Date date, const std::string& root, SettlementStyle style) {
    const Instant settlement = calendar.settlement(date, style);
    for (const Expiry& known : list) {
      if (known.settlement == settlement && known.root == root) return;
    }
    list.push_back({root, settlement, style});
  };
  if (name.contracts >= kDailyName) {
    Session session = calendar.session_on_or_after(kQuoteDate);
    for (int i = 0; i < std::min(wanted / 4, 12); ++i, session = calendar.next_session(session.date)) {
      add(session.date, daily_root, SettlementStyle::kPm);
    }
  }
  if (wanted >= 6) {
    for (int week = 1; week <= wanted / 3 && static_cast<int>(list.size()) < wanted - 1; ++week) {
      add(Date{sys_days{kQuoteDate} + days{7 * week}}, daily_root, SettlementStyle::kPm);
    }
  }
  for (int month = 0; month < 2 * kMostExpiries && static_cast<int>(list.size()) < wanted; ++month) {
    add(third_friday(month), monthly_root, monthly_style);
  }
  std::sort(list.begin(), list.end(), [](const Expiry& a, const Expiry& b) {
    return a.settlement != b.settlement ? a.settlement < b.settlement : a.root < b.root;
  });
  // Weights 3E, 3E - 2, ..., so the nearest has about three times the strikes of the farthest.
  const auto expiries = static_cast<std::int64_t>(list.size());
  std::int64_t weights = 0, left = name.contracts - expiries;
  for (std::int64_t e = 0; e < expiries; ++e) weights += 3 * expiries - 2 * e;
  for (std::int64_t e = 0; e < expiries; ++e) {
    list[static_cast<std::size_t>(e)].contracts = 1 + (name.contracts - expiries) * (3 * expiries - 2 * e) / weights;
    left -= list[static_cast<std::size_t>(e)].contracts - 1;
  }
  for (std::int64_t e = 0; left > 0; e = (e + 1) % expiries, --left) ++list[static_cast<std::size_t>(e)].contracts;
  return list;
}

/// The volatility surface of a name: at-the-money term structure and SSVI wings.
struct Surface {
  double level, front, correlation, convexity;

  double at_the_money(double tau) const { return level * (1.0 + front * std::exp(-4.0 * tau)); }
  double volatility(double k, double tau) const {
    const double sigma = at_the_money(tau);
    const double theta = sigma * sigma * tau;
    const double phi = convexity / std::sqrt(theta * (1.0 + theta));
    const double shifted = phi * k + correlation;
    const double w =
        0.5 * theta * (1.0 + correlation * phi * k + std::sqrt(shifted * shifted + 1.0 - correlation * correlation));
    return std::sqrt(std::max(w, 1e-10) / tau);
  }
};

constexpr std::array<std::int64_t, 10> kSteps{500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000};

/// The finest listed step, in thousandths, with which `strikes` strikes reach `width` on both sides.
std::int64_t strike_step(double spot, double width, std::int64_t strikes) {
  const double finest = spot >= 1000.0 ? 5000.0 : spot >= 100.0 ? 1000.0 : 500.0;
  for (const std::int64_t step : kSteps) {
    if (static_cast<double>(step) >= finest &&
        static_cast<double>(strikes * step) >= std::min(2000.0 * width, 1900.0 * spot)) {
      return step;
    }
  }
  return kSteps.back();
}

class NameWriter {
 public:
  NameWriter(const Name& name, std::uint64_t seed, OptionChain& chain)
      : name_(name),
        random_(seed ^ (0xd1342543de82ef95ULL * static_cast<std::uint64_t>(name.rank + 1))),
        chain_(chain) {
    random_.bits();
  }

  /// Fills the ticker's rows; all arrays have their size.
  void write(std::size_t ticker, std::size_t expiry, std::size_t contract) {
    const IndexName* const index = index_of(name_.rank);
    index_ = index != nullptr;
    spot_ = index_ ? index->spot * random_.uniform(0.97, 1.03)
                   : std::clamp(std::exp(4.1 + 1.0 * random_.normal()), 2.0, 3000.0);
    spot_ = decimals(spot_, 100.0);
    yield_ = index_ ? 0.013 : random_.happens(0.5) ? random_.uniform(0.0, 0.035) : 0.0;
    surface_.level = index_ ? index->volatility : std::clamp(0.38 * std::exp(0.35 * random_.normal()), 0.12, 1.2);
    surface_.front = random_.uniform(-0.1, 0.2);
    surface_.correlation = index_ ? -0.65 : random_.uniform(-0.5, -0.1);
    surface_.convexity = random_.uniform(0.7, 1.1);
    scale_ = std::sqrt(static_cast<double>(name_.contracts));

    chain_.ticker[ticker] = name_.ticker;
    chain_.spot[ticker] = spot_;
    chain_.contract_begin[ticker] = static_cast<std::int64_t>(contract);
    chain_.contract_count[ticker] = name_.contracts;
    for (const Expiry& e : name_.expiry) {
      chain_.expiry_ticker[expiry] = static_cast<std::int32_t>(ticker);
      chain_.root[expiry] = e.root;
      chain_.settlement[expiry] = e.settlement;
      chain_.exercise[expiry] = index_ ? Exercise::kEuropean : Exercise::kAmerican;
      chain_.style[expiry] = e.style;
      contract = write_expiry(e, static_cast<std::int32_t>(expiry), contract);
      ++expiry;
    }
  }

 private:
  std::size_t write_expiry(const Expiry& e, std::int32_t expiry, std::size_t n) {
    const double tau = static_cast<double>(e.settlement - chain_.quote_time) / kCommonYear;
    const std::int64_t strikes = (e.contracts + 1) / 2;
    const double reach = surface_.level * std::sqrt(std::max(tau, 0.0) + 7.0 / 365.0);
    const std::int64_t step = strike_step(spot_, spot_ * std::min(0.7, 4.0 * reach), strikes);
    const auto centre = static_cast<std::int64_t>(std::llround(spot_ * 1000.0 / static_cast<double>(step)));
    // Puts reach further down than calls up.
    const std::int64_t first = std::max<std::int64_t>(1, centre - strikes * 3 / 5);
    std::int64_t left = e.contracts;
    for (std::int64_t i = 0; i < strikes; ++i) {
      // An odd count lists one right only at the last strike.
      const bool alone = left == 1;
      for (const std::int8_t right : {std::int8_t{-1}, std::int8_t{1}}) {
        if (alone && right > 0) break;
        chain_.contract_expiry[n] = expiry;
        write_contract(n++, (first + i) * step, step, right, tau);
        --left;
      }
    }
    return n;
  }

  void write_contract(std::size_t n, std::int64_t thousandths, std::int64_t step, std::int8_t right, double tau) {
    const double strike = static_cast<double>(thousandths) / 1000.0;
    const double k = std::log(strike / spot_) - (kRate - yield_) * std::max(tau, 0.0);
    const double sigma = tau > 0.0 ? surface_.volatility(k, tau) : surface_.level;
    const auto value = formulas::black_scholes<double>(
        {static_cast<double>(right), spot_, strike, kRate, yield_, sigma, std::max(tau, 0.0)});
    const double distance = std::abs(k) / (surface_.level * std::sqrt(std::max(tau, 0.0) + 7.0 / 365.0));

    chain_.strike[n] = strike;
    chain_.right[n] = right;
    chain_.multiplier[n] = 100.0;

    // Draws are made for every contract alike, so that one rule does not shift the numbers of the next contract.
    const double spread = random_.uniform(0.005, 0.03), silence = random_.uniform(), trade = random_.uniform(),
                 size = random_.normal(), empty = random_.uniform(), missing = random_.uniform();

    const double tick = value.price >= 3.0 ? 0.05 : index_ ? 0.05 : 0.01;
    const double half = std::max(0.5 * tick, spread * value.price);
    const bool quoted = silence > 0.02 + 0.02 * std::min(distance, 3.0);
    chain_.bid[n] = quoted ? decimals(std::max(0.0, std::floor((value.price - half) / tick) * tick), 100.0) : 0.0;
    chain_.ask[n] = quoted ? decimals(std::max(tick, std::ceil((value.price + half) / tick) * tick), 100.0) : 0.0;

    // Round strikes gather interest: every 5th and every 20th of the ladder.
    const std::int64_t rung = thousandths / step;
    const double roundness = rung % 20 == 0 ? 6.0 : rung % 5 == 0 ? 2.5 : 1.0;
    const double typical = 4.0 * scale_ * roundness * std::exp(-0.5 * distance) * (right * k > 0.0 ? 1.0 : 0.5);
    const double interest = empty < 0.12 ? 0.0 : std::min(std::floor(typical * std::exp(1.3 * size)), 2e6);
    chain_.open_interest[n] = missing < 0.003 ? kNan : interest;
    const double volume = trade < 0.55 ? 0.0 : std::floor(interest * (trade - 0.55));
    chain_.volume[n] = missing > 0.96 ? kNan : volume;
    chain_.last[n] = volume > 0.0 ? decimals(std::max(tick, rounded(value.price, tick)), 100.0) : kNan;

    const bool unknown = missing > 0.4 && missing < 0.42;
    const bool placeholder = !quoted && missing < 0.3;
    chain_.vendor_iv[n] = unknown ? kNan : placeholder ? 1e-5 : tau > 0.0 ? decimals(sigma, 1e4) : 0.0;
    chain_.vendor_delta[n] = unknown ? kNan : decimals(value.delta, 1e4);
    chain_.vendor_gamma[n] = unknown ? kNan : decimals(value.gamma, 1e4);
  }

  const Name& name_;
  Random random_;
  OptionChain& chain_;
  bool index_ = false;
  double spot_ = 0.0, yield_ = 0.0, scale_ = 0.0;
  Surface surface_{};
};

}  // namespace

OptionChain synthesize_chain(const SyntheticChainOptions& options, const Calendar& calendar) {
  if (options.tickers < 1 || options.tickers > 400000) {
    throw std::invalid_argument("tickers must lie in 1 .. 400000 (names of four letters) ask for fewer");
  }
  if (options.contracts < options.tickers || options.contracts > 100'000'000) {
    throw std::invalid_argument("contracts must lie in tickers .. 100000000 (every ticker lists one) change the count");
  }
  const std::vector<std::int64_t> dealt = deal_contracts(options.tickers, options.contracts);
  std::vector<Name> names(static_cast<std::size_t>(options.tickers));
  tbb::parallel_for(std::size_t{0}, names.size(), [&](std::size_t i) {
    const auto rank = static_cast<std::int64_t>(i);
    const IndexName* const index = index_of(rank);
    names[i] = {index != nullptr ? index->monthly : stock_name(rank), rank, dealt[i], {}};
    names[i].expiry = list_expiries(names[i], calendar);
  });
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.ticker < b.ticker; });

  OptionChain chain;
  chain.quote_time = new_york_instant(kQuoteDate, 16, 0);
  chain.file_time = chain.quote_time;
  chain.open_interest_settle_date = "2026-07-09";
  chain.open_interest_knowledge_time = "2026-07-10T09:30:00-04:00";
  chain.rows_in = options.contracts;
  std::vector<std::size_t> expiry(names.size() + 1, 0), contract(names.size() + 1, 0);
  for (std::size_t u = 0; u < names.size(); ++u) {
    expiry[u + 1] = expiry[u] + names[u].expiry.size();
    contract[u + 1] = contract[u] + static_cast<std::size_t>(names[u].contracts);
  }
  chain.ticker.resize(names.size());
  chain.spot.resize(names.size());
  chain.contract_begin.resize(names.size());
  chain.contract_count.resize(names.size());
  chain.expiry_ticker.resize(expiry.back());
  chain.root.resize(expiry.back());
  chain.settlement.resize(expiry.back());
  chain.exercise.resize(expiry.back());
  chain.style.resize(expiry.back());
  chain.contract_expiry.resize(contract.back());
  chain.right.resize(contract.back());
  for (std::vector<double>* column :
       {&chain.strike, &chain.multiplier, &chain.bid, &chain.ask, &chain.last, &chain.volume, &chain.open_interest,
        &chain.vendor_iv, &chain.vendor_delta, &chain.vendor_gamma}) {
    column->resize(contract.back());
  }
  tbb::parallel_for(std::size_t{0}, names.size(),
                    [&](std::size_t u) { NameWriter(names[u], options.seed, chain).write(u, expiry[u], contract[u]); });
  return chain;
}

}  // namespace greekgrid

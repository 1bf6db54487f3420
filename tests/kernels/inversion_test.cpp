// Every backend that runs on the CPU inverts the same quotes as the formula does.

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "cpu/implied_volatility.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid_test/quotes.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

using formulas::IvStatus;
using test::compare_quotes;
using test::invert;
using test::Inverted;
using test::Quotes;

constexpr double kEps = std::numeric_limits<double>::epsilon();

// All cases in one.
Quotes every_quote() {
  Quotes all;
  for (const auto& item : test::quote_cases()) {
    for (std::size_t i = 0; i < item.quotes.size(); ++i) all.add(item.quotes, i);
  }
  return all;
}

// Restores the choice of the instruction set when a test ends.
struct InstructionSets {
  std::vector<std::int64_t> all = hwy::SupportedAndGeneratedTargets();
  ~InstructionSets() { hwy::SetSupportedTargetsForTest(0); }
};

bool same_bits(const Inverted& a, const Inverted& b) {
  if (a.status != b.status || a.sigma.size() != b.sigma.size()) return false;
  for (std::size_t i = 0; i < a.sigma.size(); ++i) {
    // A volatility that does not exist has no bits to agree on.
    if (a.status[i] == IvStatus::kOk && std::memcmp(&a.sigma[i], &b.sigma[i], sizeof(double)) != 0) return false;
  }
  return true;
}

double expect_equivalent(Backend& backend, const Quotes& quotes, const std::string& name) {
  const auto reference = make_reference_backend();
  const auto worst = compare_quotes(invert(backend, quotes.view()), invert(*reference, quotes.view()), quotes.view());
  EXPECT_LE(worst.in_attainable, test::kQuoteTolerance) << name << ", " << worst.quoted;
  return worst.in_attainable;
}

TEST(QuoteCases, HoldEveryStatusAndKindOfQuote) {
  const Quotes quotes = every_quote();
  const auto inverted = invert(*make_reference_backend(), quotes.view());
  std::size_t count[4] = {};
  std::size_t wide = 0, narrow = 0, deep = 0;
  for (std::size_t i = 0; i < quotes.size(); ++i) {
    ++count[static_cast<std::size_t>(inverted.status[i])];
    if (inverted.status[i] != IvStatus::kOk) continue;
    const double s = inverted.sigma[i] * std::sqrt(quotes.tau[i]);
    const double x = std::abs(std::log(quotes.forward[i] / quotes.strike[i]));
    wide += s > 0.75;
    narrow += s < 0.01;
    deep += x > 4.0;
  }
  for (const std::size_t of_status : count) EXPECT_GT(of_status, 60U);
  EXPECT_GT(wide, 500U);
  EXPECT_GT(narrow, 500U);
  EXPECT_GT(deep, 500U);
}

TEST(ReferenceInversion, IsTheFormula) {
  const Quotes quotes = every_quote();
  const auto inverted = invert(*make_reference_backend(), quotes.view());
  for (std::size_t i = 0; i < quotes.size(); ++i) {
    const auto expected = formulas::implied_volatility(quotes.right[i], quotes.price[i], quotes.forward[i],
                                                       quotes.strike[i], quotes.discount[i], quotes.tau[i]);
    ASSERT_EQ(inverted.status[i], expected.status) << i;
    if (expected.status == IvStatus::kOk) {
      ASSERT_EQ(inverted.sigma[i], expected.sigma) << i;
    } else {
      ASSERT_TRUE(std::isnan(inverted.sigma[i])) << i;
    }
  }
}

TEST(CpuInversion, EquivalentToReference) {
  double worst = 0.0;
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    const auto backend = make_cpu_backend(precision);
    for (const auto& item : test::quote_cases()) {
      worst = std::max(worst, expect_equivalent(*backend, item.quotes, item.name));
    }
  }
  RecordProperty("worst_in_units_of_attainable", std::to_string(worst));
}

TEST(CpuInversion, EveryInstructionSetEquivalentToReference) {
  const InstructionSets sets;
  std::set<std::string> tested;
  for (const std::int64_t set : sets.all) {
    hwy::SetSupportedTargetsForTest(set);
    const auto backend = make_cpu_backend(Precision::kFp64);
    const std::string detail = backend->status().detail;
    tested.insert(detail);
    for (const auto& item : test::quote_cases()) expect_equivalent(*backend, item.quotes, item.name + ", " + detail);
  }
  EXPECT_GE(tested.size(), std::min<std::size_t>(2, sets.all.size()));
  RecordProperty("instruction_sets", std::to_string(tested.size()));
}

// What the throughput is quoted at. The price holds the volatility to eps (1 + b/(s db/ds)), below 1e-14 here.
TEST(CpuInversion, RecoversTheVolatilityOfASession) {
  const Quotes quotes = test::session_quotes(20001);
  const auto inverted = invert(*make_cpu_backend(Precision::kFp64), quotes.view());
  double worst = 0.0;
  for (std::size_t i = 0; i < quotes.size(); ++i) {
    ASSERT_EQ(inverted.status[i], IvStatus::kOk);
    worst = std::max(worst, std::abs(inverted.sigma[i] / quotes.sigma[i] - 1.0));
  }
  EXPECT_LE(worst, 1e-12);
  RecordProperty("worst", testing::PrintToString(worst));
}

TEST(CpuInversion, InvertsThePublishedValues) {
  const auto path = test::reference_dir() / "lets_be_rational_TestValues.json";
  GREEKGRID_REQUIRE_FILE(path);
  std::ifstream file(path);
  // The file spells the undefined volatilities of its settled cases NaN, which is no JSON.
  std::stringstream text;
  text << file.rdbuf();
  const auto data = nlohmann::json::parse(std::regex_replace(text.str(), std::regex("\\bNaN\\b"), "null"));
  Quotes quotes;
  for (std::size_t i = 0; i < data["input"].size(); ++i) {
    const auto& in = data["input"][i];
    quotes.add(in["q"].get<int>(), data["output"][i]["black"].get<double>(), in["F"].get<double>(),
               in["K"].get<double>(), 1.0, in["T"].get<double>(), in["sigma"].get<double>());
  }
  ASSERT_EQ(quotes.size(), 1000U);
  const InstructionSets sets;
  for (const std::int64_t set : sets.all) {
    hwy::SetSupportedTargetsForTest(set);
    const auto backend = make_cpu_backend(Precision::kFp64);
    SCOPED_TRACE(backend->status().detail);
    expect_equivalent(*backend, quotes, "published values");
    const auto inverted = invert(*backend, quotes.view());
    std::size_t held = 0;
    for (std::size_t i = 0; i < quotes.size(); ++i) {
      if (quotes.tau[i] == 0.0) {
        EXPECT_EQ(inverted.status[i], IvStatus::kInvalid);
        continue;
      }
      // The bound that the formula meets: the published price is known to eps, in the money the whole of it.
      const double x = std::log(quotes.forward[i] / quotes.strike[i]);
      const double s = quotes.sigma[i] * std::sqrt(quotes.tau[i]);
      const double vega = std::sqrt(quotes.forward[i] * quotes.strike[i] / (2.0 * M_PI)) *
                          std::exp(-0.5 * (x * x / (s * s) + 0.25 * s * s));
      const double conditioning = quotes.price[i] / (s * vega);
      if (!(conditioning * kEps < 1e-3)) continue;
      ASSERT_EQ(inverted.status[i], IvStatus::kOk) << i;
      const double error = std::abs(inverted.sigma[i] / quotes.sigma[i] - 1.0);
      EXPECT_LE(error, 16 * kEps * (1.0 + conditioning)) << i;
      if (16 * kEps * (1.0 + conditioning) <= 1e-12) ++held;
    }
    EXPECT_GT(held, 500U);  // these to 1e-12
  }
}

TEST(CpuInversion, SameBitsInAnyPlaceOfAnyBatch) {
  const auto backend = make_cpu_backend(Precision::kFp64);
  const Quotes quotes = every_quote();
  const auto expected = invert(*backend, quotes.view());
  for (const std::size_t size : {1U, 2U, 7U, 8U, 9U, 255U, 256U, 257U, 4095U, 4096U, 4097U}) {
    for (std::size_t begin = 0; begin < quotes.size(); begin += size == 1 ? 97 : size) {
      const std::size_t count = std::min<std::size_t>(size, quotes.size() - begin);
      Quotes part;
      Inverted part_expected;
      for (std::size_t k = 0; k < count; ++k) {
        part.add(quotes, begin + k);
        part_expected.sigma.push_back(expected.sigma[begin + k]);
        part_expected.status.push_back(expected.status[begin + k]);
      }
      ASSERT_TRUE(same_bits(invert(*backend, part.view()), part_expected)) << size << " quotes from " << begin;
    }
  }
  Quotes reversed;
  for (std::size_t i = quotes.size(); i-- > 0;) reversed.add(quotes, i);
  auto backwards = invert(*backend, reversed.view());
  std::reverse(backwards.sigma.begin(), backwards.sigma.end());
  std::reverse(backwards.status.begin(), backwards.status.end());
  EXPECT_TRUE(same_bits(backwards, expected));
}

TEST(CpuInversion, SameBitsFromAnyNumberOfThreads) {
  const auto backend = make_cpu_backend(Precision::kFp64);
  const Quotes quotes = every_quote();
  const auto in_arena = [&](int threads) {
    oneapi::tbb::task_arena arena(threads);
    return arena.execute([&] { return invert(*backend, quotes.view()); });
  };
  const auto alone = in_arena(1);
  const oneapi::tbb::global_control control(oneapi::tbb::global_control::max_allowed_parallelism, 4);
  for (const int threads : {2, 4}) EXPECT_TRUE(same_bits(in_arena(threads), alone)) << threads << " threads";
}

// Otherwise every answer would still be right, and as slow as the formula.
TEST(CpuInversion, LeavesOnlyTheEdgesToTheFormula) {
  const InstructionSets sets;
  for (const std::int64_t set : sets.all) {
    hwy::SetSupportedTargetsForTest(set);
    for (const auto& [name, quotes] : test::quote_cases()) {
      std::vector<double> sigma(quotes.size());
      std::vector<IvStatus> status(quotes.size());
      const std::size_t deferred = cpu::invert_quotes({quotes.right.data(), quotes.price.data(), quotes.forward.data(),
                                                       quotes.strike.data(), quotes.discount.data(), quotes.tau.data()},
                                                      quotes.size(), sigma.data(), status.data());
      std::size_t edges = 0;
      for (std::size_t i = 0; i < quotes.size(); ++i) {
        if (status[i] == IvStatus::kInvalid || status[i] == IvStatus::kBelowIntrinsic) continue;
        const double bound = quotes.discount[i] * (quotes.right[i] > 0 ? quotes.forward[i] : quotes.strike[i]);
        const double value =
            quotes.price[i] -
            std::max(quotes.right[i] * quotes.discount[i] * (quotes.forward[i] - quotes.strike[i]), 0.0);
        const double scale = quotes.discount[i] * std::sqrt(quotes.forward[i]) * std::sqrt(quotes.strike[i]);
        const bool moderate = quotes.forward[i] > 1e-99 && quotes.forward[i] < 1e99 && quotes.strike[i] > 1e-99 &&
                              quotes.strike[i] < 1e99 && value > 1e-279 * scale &&
                              std::abs(std::log(quotes.forward[i] / quotes.strike[i])) < 39.9;
        edges += !moderate || !(bound - quotes.price[i] > 1e-11 * bound);
      }
      EXPECT_LE(deferred, edges) << name << ", " << hwy::TargetName(set);
      const bool ordinary = name == "session" || name == "in_the_money";
      EXPECT_TRUE(!ordinary || deferred == 0) << name;
    }
  }
}

TEST(CpuInversion, WritesNothingBehindTheResults) {
  const auto backend = make_cpu_backend(Precision::kFp64);
  const Quotes quotes = test::session_quotes(300);
  for (const std::size_t size : {0U, 1U, 3U, 256U, 299U}) {
    Quotes part;
    for (std::size_t i = 0; i < size; ++i) part.add(quotes, i);
    std::vector<double> sigma(size + 1, -7.0);
    std::vector<IvStatus> status(size + 1, static_cast<IvStatus>(99));
    backend->implied_volatilities(part.view(), std::span(sigma).first(size), std::span(status).first(size));
    EXPECT_EQ(sigma[size], -7.0);
    EXPECT_EQ(status[size], static_cast<IvStatus>(99));
  }
}

TEST(CompareQuotes, FailsOnStatusNanAndSize) {
  const Quotes quotes = test::session_quotes(3);
  const auto good = invert(*make_reference_backend(), quotes.view());
  EXPECT_EQ(compare_quotes(good, good, quotes.view()).in_attainable, 0.0);
  Inverted bad = good;
  bad.status[1] = IvStatus::kInvalid;
  EXPECT_TRUE(std::isinf(compare_quotes(bad, good, quotes.view()).in_attainable));
  bad = good;
  bad.sigma[2] = std::nan("");
  EXPECT_TRUE(std::isinf(compare_quotes(bad, good, quotes.view()).in_attainable));
  bad = good;
  bad.sigma[2] = -bad.sigma[2];
  EXPECT_TRUE(std::isinf(compare_quotes(bad, good, quotes.view()).in_attainable));
  bad = good;
  bad.sigma[0] *= 1.0 + 1e-14;
  EXPECT_GT(compare_quotes(bad, good, quotes.view()).in_attainable, test::kQuoteTolerance);
  bad.sigma.pop_back();
  EXPECT_TRUE(std::isinf(compare_quotes(bad, good, quotes.view()).in_attainable));
  // A number where there is none.
  Quotes settled;
  settled.add(1, 5.0, 100.0, 100.0, 1.0, 0.0);
  const auto none = invert(*make_reference_backend(), settled.view());
  Inverted some = none;
  some.sigma[0] = 0.2;
  EXPECT_TRUE(std::isinf(compare_quotes(some, none, settled.view()).in_attainable));
}

}  // namespace
}  // namespace greekgrid

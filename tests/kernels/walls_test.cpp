// Every backend that runs on the CPU finds the gamma walls that the plain double reference finds.

#include "greekgrid_test/walls.hpp"

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <cmath>
#include <cstdint>
#include <memory>

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {
namespace {

using test::compare_walls;
using test::find_walls;
using test::kQuoteTime;
using test::same_walls;
using test::WallCase;
using test::Walls;

// The reference's walls of every case, found once.
const std::vector<Walls>& reference_walls() {
  static const auto walls = [] {
    std::vector<Walls> all;
    const auto reference = make_reference_backend();
    for (const WallCase& c : test::wall_cases()) all.push_back(find_walls(*reference, c));
    return all;
  }();
  return walls;
}

std::vector<std::unique_ptr<Backend>> every_backend() {
  std::vector<std::unique_ptr<Backend>> all;
  all.push_back(make_reference_backend());
  all.push_back(make_cpu_backend(Precision::kFp32));
  all.push_back(make_cpu_backend(Precision::kFp64));
  return all;
}

void expect_equivalent(Backend& backend, const std::string& under) {
  const auto cases = test::wall_cases();
  std::size_t walls = 0, different = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto worst = compare_walls(find_walls(backend, cases[i]), reference_walls()[i], cases[i]);
    EXPECT_LE(worst.in_tolerance, 1.0) << under << " " << cases[i].name << ", " << worst.where;
    walls += worst.walls;
    different += worst.different;
  }
  // The tolerance is for strikes that rounding cannot tell apart, which hardly occur.
  EXPECT_LE(different * 1000, walls) << under;
  testing::Test::RecordProperty("different", std::to_string(different) + " of " + std::to_string(walls));
}

TEST(CpuWalls, EquivalentToReference) {
  for (const Precision precision : {Precision::kFp32, Precision::kFp64}) {
    expect_equivalent(*make_cpu_backend(precision), precision == Precision::kFp32 ? "fp32" : "fp64");
  }
}

TEST(CpuWalls, EquivalentToReferenceOnEveryInstructionSet) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    expect_equivalent(*make_cpu_backend(Precision::kFp64), hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
}

// What is skipped is bounded by block of spots: many books, of narrow and wide blocks, few and many strikes.
TEST(CpuWalls, EquivalentToReferenceOnRandomBooks) {
  const auto reference = make_reference_backend();
  const auto backend = make_cpu_backend(Precision::kFp64);
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    WallCase c;
    c.book = test::index_like_book(40 + 20 * (seed % 7), 1 + seed % 3, seed);
    c.book.add_smiles();
    c.iv_shift = {-0.03, 0.02};
    c.iv_floor = 0.02;
    c.at = test::uneven_spots(c.book, 70, 0.01 * static_cast<double>(1 + seed * seed % 40));
    for (const auto& [rule, parameter] :
         {std::pair{IvRule::kStickyStrike, 0.0}, std::pair{IvRule::kRelativeBeta, 6.0},
          std::pair{IvRule::kRelativeBeta, -3.0}, std::pair{IvRule::kSkewStickiness, 0.0},
          std::pair{IvRule::kSkewStickiness, 5.0}}) {
      c.iv_rule = rule;
      c.iv_rule_parameter = parameter;
      const auto worst = compare_walls(find_walls(*backend, c), find_walls(*reference, c), c);
      EXPECT_LE(worst.in_tolerance, 1.0) << "seed " << seed << " parameter " << parameter << ", " << worst.where;
    }
  }
}

TEST(CpuWalls, SameBitsFromAnyNumberOfThreadsAndAnyCompany) {
  const auto cases = test::wall_cases();
  const auto backend = make_cpu_backend(Precision::kFp64);
  std::vector<Walls> alone;
  {
    oneapi::tbb::task_arena one(1);
    one.execute([&] {
      for (const WallCase& c : cases) alone.push_back(find_walls(*backend, c));
    });
  }
  const oneapi::tbb::global_control allowed(oneapi::tbb::global_control::max_allowed_parallelism, 9);
  for (const int threads : {1, 2, 5, 9}) {
    std::vector<Walls> together(cases.size());
    std::vector<WallJob> jobs;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      together[i] = {std::vector<double>(cases[i].cells(), -1.0), std::vector<double>(cases[i].cells(), -1.0)};
      jobs.push_back(cases[i].job(together[i].call, together[i].put));
    }
    oneapi::tbb::task_arena arena(threads);
    arena.execute([&] { backend->gamma_walls(jobs); });
    for (std::size_t i = 0; i < cases.size(); ++i) {
      EXPECT_TRUE(same_walls(together[i], alone[i])) << cases[i].name << " on " << threads << " threads";
    }
  }
}

// Nor do they depend on the other spots and shifts of the job.
TEST(CpuWalls, SameBitsFromOneSpotAndShiftAtATime) {
  const auto backend = make_cpu_backend(Precision::kFp64);
  for (const WallCase& c : test::wall_cases()) {
    if (c.at.size() > 100) continue;
    const Walls all = find_walls(*backend, c);
    for (std::size_t v = 0; v < c.iv_shift.size(); ++v) {
      for (std::size_t j = 0; j < c.at.size(); ++j) {
        WallCase one = c;
        one.iv_shift = {c.iv_shift[v]};
        one.at = {c.at[j]};
        const Walls walls = find_walls(*backend, one);
        for (std::size_t w = 0; w < c.positions(); ++w) {
          const std::size_t cell = (w * c.iv_shift.size() + v) * c.at.size() + j;
          EXPECT_TRUE(same_walls({{walls.call[w]}, {walls.put[w]}}, {{all.call[cell]}, {all.put[cell]}}))
              << c.name << ", shift " << v << ", spot " << j << ", position " << w;
        }
      }
    }
  }
}

// What the definition says, by hand.
TEST(Walls, LieOnTheirSideOfTheSpotOrAreNotThere) {
  WallCase c;
  c.book.add_expiry(kQuoteTime + 30 * 86400, 0.05, 0.02);
  c.book.add(90.0, -1, 0.2, {500.0});
  c.book.add(100.0, 1, 0.2, {-400.0});
  c.book.add(100.0, -1, 0.2, {100.0});
  c.book.add(102.0, 1, 0.2, {100.0});
  c.at = {80.0, 99.0, 100.0, 101.0, 103.0};
  const double nan = std::nan("");
  for (const auto& backend : every_backend()) {
    const Walls walls = find_walls(*backend, c);
    // A strike at the spot is on either side of it; a short position is as large as a long one.
    EXPECT_TRUE(same_walls(walls, {{100.0, 100.0, 100.0, 102.0, nan}, {nan, 90.0, 100.0, 100.0, 100.0}}))
        << backend->status().name;
  }
}

TEST(Walls, AddTheContractsOfAStrikeOverItsExpiries) {
  WallCase c;
  for (const int days : {20, 30, 40}) {
    c.book.add_expiry(kQuoteTime + days * 86400, 0.05, 0.02);
    c.book.add(102.0, 1, 0.2, {100.0, days == 30 ? -200.0 : 100.0});
    if (days == 30) c.book.add(103.0, 1, 0.2, {220.0, 220.0});
  }
  c.at = {101.0};
  for (const auto& backend : every_backend()) {
    EXPECT_TRUE(same_walls(find_walls(*backend, c), {{102.0, 103.0}, {std::nan(""), std::nan("")}}))
        << backend->status().name;
  }
}

TEST(Walls, ContractsThatCancelAreNoWall) {
  for (const IvRule rule : {IvRule::kStickyStrike, IvRule::kRelativeBeta, IvRule::kSkewStickiness}) {
    const WallCase c = test::cancelling_walls(rule);
    for (const auto& backend : every_backend()) {
      const Walls walls = find_walls(*backend, c);
      for (std::size_t cell = 0; cell < 9; ++cell) {
        EXPECT_TRUE(std::isnan(walls.call[cell])) << backend->status().name << " " << walls.call[cell];
        EXPECT_FALSE(std::isnan(walls.call[9 + cell])) << backend->status().name;
      }
    }
  }
}

TEST(Walls, OfEqualSumsTheNearestStrikeWins) {
  for (const int right : {1, -1}) {
    const test::WallTie tie = test::wall_tie(right);
    ASSERT_LT(right * tie.tied.at[0], right * tie.nearer);
    ASSERT_LT(right * tie.nearer, right * tie.farther);
    for (const auto& backend : every_backend()) {
      const Walls walls = find_walls(*backend, tie.tied);
      const std::vector<double>& found = right > 0 ? walls.call : walls.put;
      EXPECT_EQ(found, std::vector<double>(2, tie.nearer)) << backend->status().name;
    }
  }
}

// Here a wall is as good as the sums behind it: what the backends make of them must be right to 3e-12.
TEST(Walls, TheLargerOfTwoCloseSumsWins) {
  for (const IvRule rule : {IvRule::kStickyStrike, IvRule::kRelativeBeta, IvRule::kSkewStickiness}) {
    const auto cases = test::close_walls(rule);
    for (std::size_t n = 0; n < cases.size(); ++n) {
      const WallCase& c = cases[n];
      const std::size_t call = n % 2 == 0 ? 2 : 0;
      const Walls expected = {{c.book.strike[call]}, {c.book.strike[call + 1]}};
      for (const auto& backend : every_backend()) {
        EXPECT_TRUE(same_walls(find_walls(*backend, c), expected)) << backend->status().name << " " << c.name;
      }
    }
  }
}

TEST(CompareWalls, FailsOnAnotherStrikeTheWrongSideAndNoWall) {
  const WallCase c = test::wall_cases()[0];
  const Walls& expected = reference_walls()[0];
  EXPECT_EQ(compare_walls(expected, expected, c).in_tolerance, 0.0);
  EXPECT_EQ(compare_walls(expected, expected, c).different, 0U);
  EXPECT_GT(compare_walls(expected, expected, c).walls, 0U);
  const std::size_t cell = c.at.size() / 2;
  const auto with = [&](double strike) {
    Walls changed = expected;
    changed.call[cell] = strike;
    return compare_walls(changed, expected, c);
  };
  double other = 0.0;
  for (std::size_t i = 0; i < c.book.strike.size(); ++i) {
    if (c.book.right[i] > 0 && c.book.strike[i] > expected.call[cell]) other = c.book.strike[i];
  }
  EXPECT_GT(with(other).in_tolerance, 1e3);
  EXPECT_GT(with(std::nan("")).in_tolerance, 1e3);
  EXPECT_TRUE(std::isinf(with(other + 0.125).in_tolerance));     // no strike
  EXPECT_TRUE(std::isinf(with(c.book.strike[0]).in_tolerance));  // below the spot
  EXPECT_TRUE(std::isinf(compare_walls({{}, {}}, expected, c).in_tolerance));
}

}  // namespace
}  // namespace greekgrid

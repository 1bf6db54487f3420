// Lines on surfaces whose ridges, roots and level sets are known in closed form, and on random ones against the
// interpolants written out afresh.

#include "greekgrid/host/surface_lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "greekgrid/kernels/views.hpp"

namespace greekgrid {
namespace {

using ::testing::ElementsAre;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr std::int64_t kOpen = 1704724200;  // 2024-01-08 14:30:00 UTC

struct Exposure {
  double dx = 0.0, gx = 0.0, charm = 0.0;
};

struct Surface {
  std::vector<std::int64_t> time;
  std::vector<double> spot, dx, gx, charm;
  [[nodiscard]] SessionSurface view() const { return {time, spot, dx, gx, charm}; }
  [[nodiscard]] double years(std::size_t t) const { return static_cast<double>(time[t] - time[0]) / kSecondsPerYear; }
  [[nodiscard]] double at(const std::vector<double>& quantity, std::size_t t, std::size_t j) const {
    return quantity[t * spot.size() + j];
  }
};

std::vector<double> log_spots(double middle, double half_width, std::size_t count) {
  std::vector<double> spot;
  for (std::size_t j = 0; j < count; ++j) {
    const double x = 2.0 * static_cast<double>(j) / static_cast<double>(count - 1) - 1.0;
    spot.push_back(middle * std::exp(half_width * x));
  }
  return spot;
}

std::vector<double> even_spots(double low, double step, std::size_t count) {
  std::vector<double> spot;
  for (std::size_t j = 0; j < count; ++j) spot.push_back(low + step * static_cast<double>(j));
  return spot;
}

// exposure(spot, years since the first instant)
template <class F>
Surface surface_of(std::vector<double> spot, std::size_t times, std::int64_t step, F exposure) {
  Surface s;
  s.spot = std::move(spot);
  for (std::size_t t = 0; t < times; ++t) {
    s.time.push_back(kOpen + static_cast<std::int64_t>(t) * step);
    for (const double x : s.spot) {
      const Exposure e = exposure(x, s.years(t));
      s.dx.push_back(e.dx);
      s.gx.push_back(e.gx);
      s.charm.push_back(e.charm);
    }
  }
  return s;
}

// A surface of given rows of gx; dx and charm are 0.
Surface gamma_rows(std::vector<double> spot, const std::vector<std::vector<double>>& rows) {
  Surface s = surface_of(std::move(spot), rows.size(), 300, [](double, double) { return Exposure{}; });
  s.gx.clear();
  for (const auto& row : rows) s.gx.insert(s.gx.end(), row.begin(), row.end());
  return s;
}

std::vector<SurfaceLine> of_kind(const std::vector<SurfaceLine>& lines, LineKind kind) {
  std::vector<SurfaceLine> result;
  for (const SurfaceLine& line : lines) {
    if (line.kind == kind) result.push_back(line);
  }
  return result;
}

std::size_t count_of(const LeastResistancePath& path, PathStatus status) {
  return static_cast<std::size_t>(std::count(path.status.begin(), path.status.end(), status));
}

// A number exactly where the path is followed.
void expect_consistent(const LeastResistancePath& path) {
  for (std::size_t t = 0; t < path.status.size(); ++t) {
    const bool followed = path.status[t] == PathStatus::kOk || path.status[t] == PathStatus::kRepelling;
    EXPECT_EQ(std::isfinite(path.spot[t]), followed) << t;
    EXPECT_EQ(std::isfinite(path.gamma[t]), followed) << t;
    if (!followed) {
      EXPECT_TRUE(std::isnan(path.band_low[t]) && std::isnan(path.band_high[t])) << t;
    }
    if (t > 0 && path.status[t - 1] != path.status[t]) {
      EXPECT_LE(path.status[t - 1], PathStatus::kRepelling) << t;
      EXPECT_GT(path.status[t], PathStatus::kRepelling) << t;
    }
  }
}

// Cubic Hermite by its four basis polynomials.
double hermite(double u, double f0, double f1, double m0, double m1) {
  const double v = 1.0 - u;
  return f0 * v * v * (1.0 + 2.0 * u) + f1 * u * u * (3.0 - 2.0 * u) + m0 * u * v * v - m1 * u * u * v;
}

std::size_t step_of(const std::vector<double>& spot, double x) {
  std::size_t j = 0;
  while (j + 2 < spot.size() && spot[j + 1] <= x) ++j;
  return j;
}

// The interpolant that march_path states.
double delta_value(const Surface& s, std::size_t t, double x) {
  const std::size_t j = step_of(s.spot, x);
  const double width = s.spot[j + 1] - s.spot[j];
  const double rise = s.at(s.dx, t, j + 1) - s.at(s.dx, t, j);
  double m0 = width * s.at(s.gx, t, j);
  double m1 = width * s.at(s.gx, t, j + 1);
  if (m0 * rise >= 0.0 && m1 * rise >= 0.0 && rise != 0.0) {
    m0 = std::copysign(std::min(std::abs(m0), 3.0 * std::abs(rise)), rise);
    m1 = std::copysign(std::min(std::abs(m1), 3.0 * std::abs(rise)), rise);
  }
  return hermite((x - s.spot[j]) / width, s.at(s.dx, t, j), s.at(s.dx, t, j + 1), m0, m1);
}

// ---- The path of least resistance ----

TEST(LeastResistance, ConstantGammaAndCharmGiveAStraightLine) {
  for (const double gamma : {1e5, -2.5e4}) {
    for (const double charm : {-1e9, 3e8, 0.0}) {
      const Surface s = surface_of(log_spots(5000.0, 0.05, 61), 80, 300, [&](double x, double t) {
        return Exposure{gamma * (x - 4900.0) + charm * t, gamma, charm};
      });
      const double start = 5001.25;
      const double eps = 20.0 * std::abs(gamma);
      const LeastResistancePath path = march_path(s.view(), start, gamma * (start - 4900.0), eps);
      ASSERT_EQ(path.spot.size(), 80u);
      for (std::size_t t = 0; t < 80; ++t) {
        const double expected = start - charm / gamma * s.years(t);
        EXPECT_EQ(path.status[t], gamma > 0.0 ? PathStatus::kOk : PathStatus::kRepelling);
        EXPECT_NEAR(path.spot[t], expected, 1e-12 * expected);
        EXPECT_NEAR(path.band_low[t], expected - 20.0, 1e-12 * expected);
        EXPECT_NEAR(path.band_high[t], expected + 20.0, 1e-12 * expected);
        EXPECT_NEAR(path.gamma[t], gamma, 1e-9 * std::abs(gamma));
      }
      // A band narrower than the rounding of DX is the path.
      const LeastResistancePath bare = march_path(s.view(), start, gamma * (start - 4900.0), 1e-12);
      for (std::size_t t = 0; t < 80; ++t) {
        EXPECT_NEAR(bare.band_low[t], bare.spot[t], 1e-12 * start);
        EXPECT_NEAR(bare.band_high[t], bare.spot[t], 1e-12 * start);
      }
    }
  }
}

// DX = n erf((S - K)/w) + c t: the distance of the found spot from the level set is at most the error of cubic Hermite
// interpolation, h^4/384 max |DX''''|, over the least GX; max |d^4 erf/dz^4| = 4.404 (at z^2 = (3 - sqrt 6)/2).
TEST(LeastResistance, BumpOfGammaIsFollowedToTheFourthOrder) {
  const double n = 3e6;
  const double strike = 5000.0;
  const double width = 60.0;
  const double drift = -2e9;
  const auto dx = [&](double x, double t) { return n * std::erf((x - strike) / width) + drift * t; };
  const auto gx = [&](double x) {
    const double z = (x - strike) / width;
    return n * 2.0 * std::numbers::inv_sqrtpi / width * std::exp(-z * z);
  };
  std::vector<double> worst;
  for (const std::size_t spots : {31u, 61u, 121u, 241u}) {
    const Surface s = surface_of(log_spots(5003.0, 0.05, spots), 80, 300, [&](double x, double t) {
      return Exposure{dx(x, t), gx(x), drift};
    });
    const double level = dx(4985.0, 0.0);
    const LeastResistancePath path = march_path(s.view(), 4985.0, level, 1e5);
    const double h = s.spot[spots - 1] - s.spot[spots - 2];
    const double bound = n * std::pow(h / width, 4) / 384.0 * 4.404;
    double largest = 0.0;
    for (std::size_t t = 0; t < 80; ++t) {
      ASSERT_EQ(path.status[t], PathStatus::kOk);
      largest = std::max(largest, std::abs(dx(path.spot[t], s.years(t)) - level));
      EXPECT_LE(std::abs(dx(path.band_low[t], s.years(t)) - (level - 1e5)), bound);
      EXPECT_LE(std::abs(dx(path.band_high[t], s.years(t)) - (level + 1e5)), bound);
    }
    EXPECT_LE(largest, bound) << spots;
    worst.push_back(largest);
    // It moves by many steps of the finest grid, so every place within a step is met.
    if (spots == 241u) {
      EXPECT_GT(path.spot[79] - path.spot[0], 10.0 * h);
    }
  }
  for (std::size_t i = 1; i < worst.size(); ++i) EXPECT_GT(worst[i - 1] / worst[i], 10.0) << i;  // 16 in the limit
}

// DX = a ln S + g(t): S = S0 exp(-g(t)/a), whatever g does in between.
TEST(LeastResistance, InvertibleLevelSet) {
  const double a = -4e8;
  const auto g = [](double t) { return 3e6 * std::sin(2.0e4 * t); };
  const Surface s = surface_of(log_spots(100.0, 0.05, 61), 80, 300, [&](double x, double t) {
    return Exposure{a * std::log(x) + g(t), a / x, 3e6 * 2.0e4 * std::cos(2.0e4 * t)};
  });
  const double start = 100.7;
  const LeastResistancePath path = march_path(s.view(), start, a * std::log(start), kNaN);
  const double h = s.spot[60] - s.spot[59];
  for (std::size_t t = 0; t < 80; ++t) {
    ASSERT_EQ(path.status[t], PathStatus::kRepelling);
    // h^4/384 * 6 a/S^4 over a/S, and the rounding of a sum of 1e9 shares over its slope.
    const double bound = std::pow(h, 4) / 384.0 * 6.0 / std::pow(95.0, 3) + 4.0 * kEpsilon * 5.0 * 100.0;
    EXPECT_NEAR(path.spot[t], start * std::exp(-g(s.years(t)) / a), bound);
    EXPECT_TRUE(std::isnan(path.band_low[t]) && std::isnan(path.band_high[t]));
  }
}

// DX = -a (S - 100)^2 - c t: both branches meet at the hill's top, S = 100, and end there. Cubics are exact.
TEST(LeastResistance, FoldIsSingular) {
  const double a = 1000.0;
  const double c = 9.0 * a / 6e-4;  // the level -9 a is gone at 6e-4 years
  const Surface s = surface_of(log_spots(100.0, 0.08, 61), 80, 300, [&](double x, double t) {
    return Exposure{-a * (x - 100.0) * (x - 100.0) - c * t, -2.0 * a * (x - 100.0), -c};
  });
  for (const double start : {97.0, 103.0}) {
    const LeastResistancePath path = march_path(s.view(), start, -9.0 * a, 1.0 * a);
    expect_consistent(path);
    for (std::size_t t = 0; t < 80; ++t) {
      const double square = 9.0 - c / a * s.years(t);
      const double distance = std::sqrt(std::max(square, 0.0));
      const double largest_gamma = 2.0 * a * (s.spot[60] - 100.0);
      if (square > 0.0 && 2.0 * a * distance > 1.01e-3 * largest_gamma) {
        EXPECT_EQ(path.status[t], start < 100.0 ? PathStatus::kOk : PathStatus::kRepelling) << t;
        // Rounding of DX (64 a at most) over GX.
        EXPECT_NEAR(path.spot[t], start < 100.0 ? 100.0 - distance : 100.0 + distance, 64.0 * kEpsilon * 8.0 / distance)
            << t;
      } else if (square < 0.0) {
        EXPECT_EQ(path.status[t], PathStatus::kSingular) << t;
      }
    }
    EXPECT_GT(count_of(path, PathStatus::kSingular), 10u);
  }
  // On the top itself there is no telling which branch is meant.
  EXPECT_EQ(count_of(march_path(s.view(), 100.0, -9.0 * a, 0.0), PathStatus::kSingular), 80u);
}

// The branch still has its root, but |GX| there is under 1e-3 of the row's largest.
TEST(LeastResistance, FlatIsSingular) {
  for (const double relative : {0.9e-3, 1.1e-3}) {
    // The spots below 100 have the flat slope; gamma rises to 1000 above 110.
    const Surface s = surface_of(even_spots(90.0, 1.0, 41), 5, 300, [&](double x, double) {
      const double rise = std::clamp((x - 110.0) / 10.0, 0.0, 1.0);
      return Exposure{1000.0 * (relative * x + 5.0 * rise * rise), 1000.0 * (relative + rise), 0.0};
    });
    const LeastResistancePath path = march_path(s.view(), 95.5, 1000.0 * relative * 95.5, 0.0);
    expect_consistent(path);
    EXPECT_EQ(count_of(path, relative < 1e-3 * (1.0 + relative) ? PathStatus::kSingular : PathStatus::kOk), 5u);
  }
}

TEST(LeastResistance, LeavesTheGridForGood) {
  for (const double direction : {1.0, -1.0}) {
    for (const double gamma : {1e4, -1e4}) {
      // Out and back: once left, the path does not come back.
      const auto moved = [&](double t) { return direction * 8.0 * std::sin(t / 7.6e-4 * std::numbers::pi); };
      const Surface s = surface_of(even_spots(94.9, 0.2, 52), 80, 300, [&](double x, double t) {
        return Exposure{gamma * (x - 100.0 - moved(t)), gamma, 0.0};
      });
      const LeastResistancePath path = march_path(s.view(), 100.0, 0.0, 1.0);
      expect_consistent(path);
      bool left = false;
      for (std::size_t t = 0; t < 80; ++t) {
        left = left || 100.0 + moved(s.years(t)) < s.spot.front() || 100.0 + moved(s.years(t)) > s.spot.back();
        EXPECT_EQ(path.status[t] == PathStatus::kLeftGrid, left) << t;
      }
      EXPECT_TRUE(left);
    }
  }
  const Surface s = surface_of(even_spots(90.0, 1.0, 21), 3, 300, [](double x, double) {
    return Exposure{x, 1.0, 0.0};
  });
  EXPECT_EQ(count_of(march_path(s.view(), 89.99, 95.0, 1.0), PathStatus::kLeftGrid), 3u);
  EXPECT_EQ(count_of(march_path(s.view(), 110.01, 95.0, 1.0), PathStatus::kLeftGrid), 3u);
  EXPECT_EQ(count_of(march_path(s.view(), 90.0, 90.0, 1.0), PathStatus::kOk), 3u);
  EXPECT_EQ(count_of(march_path(s.view(), 110.0, 110.0, 1.0), PathStatus::kOk), 3u);
  EXPECT_EQ(count_of(march_path(s.view(), 100.0, 110.01, 1.0), PathStatus::kLeftGrid), 3u);
}

// The level is usually that of an earlier instant than the first.
TEST(LeastResistance, BeginsOnTheBranchOfTheStart) {
  const auto dx = [](double x) { return 1000.0 * std::sin(x - 100.0); };
  const Surface s = surface_of(even_spots(90.0, 0.125, 161), 4, 300, [&](double x, double) {
    return Exposure{dx(x), 1000.0 * std::cos(x - 100.0), 0.0};
  });
  const double bound = std::pow(0.125, 4) / 384.0;  // of 1000 shares
  for (const auto& [start, root] : {std::pair{100.0, std::asin(0.5)},
                                    {101.5, std::asin(0.5)},
                                    {98.6, std::asin(0.5)},
                                    {101.7, std::numbers::pi - std::asin(0.5)},
                                    {106.0, 2.0 * std::numbers::pi + std::asin(0.5)}}) {
    const LeastResistancePath path = march_path(s.view(), start, 500.0, 1.0);
    EXPECT_NEAR(path.spot[0], 100.0 + root, bound / std::cos(std::asin(0.5))) << start;
    EXPECT_EQ(path.spot[0], path.spot[3]);
    EXPECT_EQ(path.status[3], start == 101.7 ? PathStatus::kRepelling : PathStatus::kOk);
  }
  // No root on the branch, though other rows of the same surface would go on.
  EXPECT_EQ(count_of(march_path(s.view(), 100.0, 1001.0, 1.0), PathStatus::kSingular), 4u);
  // A sample that has the level is the root itself.
  for (const std::size_t j : {0u, 77u, 80u, 160u}) {
    EXPECT_EQ(march_path(s.view(), s.spot[j], s.dx[j], 1.0).spot[0], s.spot[j]);
  }
  for (int i = 1; i <= 50; ++i) {  // the last sample too, which is the far end of its step
    const Surface rising = surface_of(even_spots(90.0 + 0.1 * i, 0.7, 21), 1, 300, [&](double x, double) {
      return Exposure{1000.0 * std::sqrt(x * i), 500.0 * std::sqrt(i / x), 0.0};
    });
    EXPECT_EQ(march_path(rising.view(), rising.spot[20], rising.dx[20], 1.0).spot[0], rising.spot[20]);
  }
}

// The last branch splits: the spot it stood on now lies between two roots, both of its sign of GX, and the predictor
// S - CX/GX dt decides.
TEST(LeastResistance, PredictorDecidesWhereABranchSplits) {
  for (const double charm : {-5e5, 5e5}) {
    const Surface s = surface_of(even_spots(90.0, 1.0, 21), 2, 300, [&](double x, double t) {
      const double d = x - 100.0;
      return t == 0.0 ? Exposure{d, 1.0, charm} : Exposure{d * (d * d - 9.0), 3.0 * d * d - 9.0, 0.0};
    });
    const LeastResistancePath path = march_path(s.view(), 100.0, 0.0, 0.0);
    EXPECT_EQ(path.status[1], PathStatus::kOk);
    EXPECT_NEAR(path.spot[1], charm < 0.0 ? 103.0 : 97.0, 1e-11);
  }
}

// As above, where the predictor has no charm to go by: the nearest to where the path was.
TEST(LeastResistance, WithoutCharmTheNearestRootIsTaken) {
  const Surface s = surface_of(even_spots(90.0, 1.0, 21), 2, 300, [](double x, double t) {
    const double d = x - 100.0;
    return t == 0.0 ? Exposure{d, 1.0, kNaN}
                    : Exposure{(d + 4.0) * (d - 0.1) * (d - 2.0),
                               (d - 0.1) * (d - 2.0) + (d + 4.0) * (d - 2.0) + (d + 4.0) * (d - 0.1), 0.0};
  });
  EXPECT_NEAR(march_path(s.view(), 100.0, 0.0, 0.0).spot[1], 102.0, 1e-11);
}

// What the path falls back on is the branch of the instant before, no further than its folds.
TEST(LeastResistance, AnotherBranchIsNotEntered) {
  const auto cubic = [](double d, double root) {
    return Exposure{d * (d * d - root * root), 3.0 * d * d - root * root, 0.0};
  };
  const auto wave = [](double d) { return Exposure{std::sin(d), std::cos(d), 0.0}; };
  for (const double root : {1.5, 1.6, 3.0}) {  // folds at +-pi/2 = 1.5708, in one step with 1.6
    const Surface s = surface_of(even_spots(95.0, 0.125, 81), 2, 300, [&](double x, double t) {
      return t == 0.0 ? wave(x - 100.0) : cubic(x - 100.0, root);
    });
    EXPECT_EQ(march_path(s.view(), 100.0, 0.0, 0.0).status[1], root < 1.57 ? PathStatus::kOk : PathStatus::kSingular);
  }
  // The instant before, not the first.
  const Surface s = surface_of(even_spots(95.0, 0.125, 81), 3, 300, [&](double x, double t) {
    return t == 0.0 ? wave(x - 100.0) : t < 1e-5 ? Exposure{x - 100.0, 1.0, 1e6} : cubic(x - 100.0, 3.0);
  });
  EXPECT_NEAR(march_path(s.view(), 100.0, 0.0, 0.0).spot[2], 97.0, 1e-11);
}

// A step whose cubic turns twice: the band ends in the first dip that reaches it, seen from either side.
TEST(LeastResistance, BandEndsAtTheFirstTurnThatReachesIt) {
  Surface s;
  s.time = {kOpen};
  s.spot = {98.0, 99.0, 100.0, 101.0, 102.0};
  s.dx = {0.2, 0.6, 0.0, 1.0, 2.0};
  s.gx = {0.4, 0.4, -3.0, -3.0, 1.0};
  s.charm.assign(5, 0.0);
  const LeastResistancePath path = march_path(s.view(), 98.5, 0.4, 0.5);
  ASSERT_EQ(path.status[0], PathStatus::kOk);
  EXPECT_NEAR(path.spot[0], 98.5, 1e-12);
  EXPECT_GT(path.band_high[0], 100.0);
  EXPECT_LT(path.band_high[0], 100.15);
  EXPECT_NEAR(delta_value(s, 0, path.band_high[0]), -0.1, 1e-12);

  Surface mirrored = s;
  for (std::size_t j = 0; j < 5; ++j) {
    mirrored.spot[j] = 200.0 - s.spot[4 - j];
    mirrored.dx[j] = s.dx[4 - j];
    mirrored.gx[j] = -s.gx[4 - j];
  }
  const LeastResistancePath other = march_path(mirrored.view(), 101.5, 0.4, 0.5);
  ASSERT_EQ(other.status[0], PathStatus::kRepelling);
  EXPECT_NEAR(other.band_low[0], 200.0 - path.band_high[0], 1e-12);
}

// The last branch is gone from under the spot and what is left of it has no root: out of the grid where DX still falls
// short at the grid's end, singular otherwise.
TEST(LeastResistance, BranchGoneFromUnderTheSpot) {
  for (const bool rises : {true, false}) {
    const Surface s = surface_of(even_spots(90.0, 1.0, 21), 2, 300, [&](double x, double t) {
      const double d = x - 101.0;
      if (t == 0.0) return Exposure{x - 100.0, 1.0, 0.0};
      return rises ? Exposure{d * d - 200.0, 2.0 * d, 0.0} : Exposure{-d - 200.0, -1.0, 0.0};
    });
    const LeastResistancePath path = march_path(s.view(), 100.0, 0.0, 0.0);
    EXPECT_THAT(path.status, ElementsAre(PathStatus::kOk, rises ? PathStatus::kLeftGrid : PathStatus::kSingular));
  }
}

// Minutes before settlement gamma is narrower than the step: no fold may come of it.
TEST(LeastResistance, GammaNarrowerThanTheStep) {
  const auto step_at = [](double strike, double width) {
    return [=](double x, double) {
      const double z = (x - strike) / width;
      return Exposure{1000.0 * std::tanh(z), 1000.0 / width / std::pow(std::cosh(std::min(std::abs(z), 300.0)), 2),
                      0.0};
    };
  };
  const Surface at_sample = surface_of(even_spots(90.0, 1.0, 21), 3, 300, step_at(100.0, 0.01));
  for (const double level : {-900.0, -500.0, 300.0, 900.0}) {
    const LeastResistancePath path = march_path(at_sample.view(), 100.0, level, 50.0);
    EXPECT_EQ(count_of(path, PathStatus::kOk), 3u) << level;
    EXPECT_LT(std::abs(path.spot[2] - 100.0), 1.0);
    EXPECT_EQ(path.spot[2] > 100.0, level > 0.0);
    EXPECT_NEAR(delta_value(at_sample, 2, path.spot[2]), level, 1e-9);
    EXPECT_GT(path.gamma[2], 0.0);
  }
}

TEST(LeastResistance, BandCrossesTheHill) {
  const double a = 1000.0;
  const Surface s = surface_of(log_spots(100.0, 0.08, 61), 2, 300, [&](double x, double) {
    return Exposure{-a * (x - 100.0) * (x - 100.0), -2.0 * a * (x - 100.0), 0.0};
  });
  const auto band = [&](double half_band) {
    const LeastResistancePath path = march_path(s.view(), 97.0, -9.0 * a, half_band);
    return std::pair{path.band_low[0], path.band_high[0]};
  };
  EXPECT_NEAR(band(5.0 * a).first, 100.0 - std::sqrt(14.0), 1e-12);
  EXPECT_NEAR(band(5.0 * a).second, 98.0, 1e-12);
  EXPECT_NEAR(band(10.0 * a).second, 100.0 + std::sqrt(19.0), 1e-12);
  EXPECT_TRUE(std::isnan(band(62.0 * a).first));
  EXPECT_TRUE(std::isnan(band(62.0 * a).second));
  EXPECT_TRUE(std::isnan(band(-1.0).first) && std::isnan(band(kNaN).second));
  const LeastResistancePath path = march_path(s.view(), 97.0, -9.0 * a, 0.0);
  EXPECT_NEAR(path.band_low[1], path.spot[1], 1e-12);
  EXPECT_NEAR(path.band_high[1], path.spot[1], 1e-12);
}

TEST(LeastResistance, NothingToFollow) {
  const auto plane = [](double x, double) { return Exposure{x, 1.0, 0.0}; };
  Surface s = surface_of(even_spots(90.0, 1.0, 21), 6, 300, plane);
  EXPECT_EQ(count_of(march_path(s.view(), kNaN, 100.0, 1.0), PathStatus::kNoData), 6u);
  EXPECT_EQ(count_of(march_path(s.view(), 100.0, kNaN, 1.0), PathStatus::kNoData), 6u);

  // All contracts settled: nothing alive from the fifth instant.
  Surface settled = s;
  std::fill(settled.dx.begin() + 4 * 21, settled.dx.end(), 0.0);
  std::fill(settled.gx.begin() + 4 * 21, settled.gx.end(), 0.0);
  LeastResistancePath path = march_path(settled.view(), 100.0, 100.0, 1.0);
  expect_consistent(path);
  EXPECT_EQ(count_of(path, PathStatus::kOk), 4u);
  EXPECT_EQ(count_of(path, PathStatus::kSingular), 2u);
  EXPECT_EQ(path.band_low[3], 99.0);
  EXPECT_EQ(path.band_high[3], 101.0);

  // What settles leaves steps of delta, and no gamma to march along.
  for (std::size_t j = 0; j < 21; ++j) settled.dx[4 * 21 + j] = settled.spot[j] < 100.5 ? 0.0 : 200.0;
  EXPECT_EQ(count_of(march_path(settled.view(), 100.0, 100.0, 1.0), PathStatus::kSingular), 2u);

  for (const bool in_gamma : {true, false}) {
    Surface broken = s;
    (in_gamma ? broken.gx : broken.dx)[3 * 21 + 2] = in_gamma ? kNaN : std::numeric_limits<double>::infinity();
    path = march_path(broken.view(), 100.0, 100.0, 1.0);
    expect_consistent(path);
    EXPECT_EQ(count_of(path, PathStatus::kOk), 3u);
    EXPECT_EQ(count_of(path, PathStatus::kNoData), 3u);
  }
  // Charm only predicts: without it the roots are the same.
  Surface no_charm = s;
  std::fill(no_charm.charm.begin(), no_charm.charm.end(), kNaN);
  EXPECT_EQ(march_path(no_charm.view(), 100.0, 100.0, 1.0).spot, march_path(s.view(), 100.0, 100.0, 1.0).spot);

  EXPECT_EQ(march_path(surface_of({100.0}, 2, 300, plane).view(), 100.0, 100.0, 1.0).status[1], PathStatus::kNoData);
  EXPECT_EQ(march_path(surface_of({99.0, 101.0}, 1, 300, plane).view(), 100.0, 100.0, 1.0).spot[0], 100.0);
  EXPECT_TRUE(march_path(surface_of({99.0, 101.0}, 0, 300, plane).view(), 100.0, 100.0, 1.0).spot.empty());
  EXPECT_EQ(march_path(surface_of({}, 2, 300, plane).view(), 100.0, 100.0, 1.0).status[1], PathStatus::kNoData);
}

// ---- Lines ----

double bump(double x, double centre, double width) {
  return std::exp(-0.5 * (x - centre) * (x - centre) / (width * width));
}

// Two bumps of gamma drifting in ln spot, four widths apart. The parabola's vertex misses a bump's by at most
// 1.5 h^3/w^2 in ln spot (|f'''| <= 4.5 A h/w^4 within 1.5 h of the peak, a slope error of h^2/3 |f'''|, over A/w^2),
// here with some of the other bump's tail; its height by 0.3 (h/w)^4 A.
TEST(Lines, TwoMovingBumpsAreTwoRidges) {
  const double h = 2.0 * 0.05 / 60.0;
  const double w = 5.0 * h;
  const auto x1 = [](double t) { return -0.018 + 10.0 * t; };
  const auto x2 = [&](double t) { return x1(t) + 4.0 * 5.0 * 2.0 * 0.05 / 60.0; };
  const auto value = [&](double x, double t) { return 3e5 * bump(x, x1(t), w) + 2e5 * bump(x, x2(t), w); };
  const Surface s = surface_of(log_spots(5000.0, 0.05, 61), 80, 300, [&](double spot, double t) {
    return Exposure{0.0, value(std::log(spot / 5000.0), t), 0.0};
  });
  const auto lines = trace_lines(s.view());
  const auto high = of_kind(lines, LineKind::kGammaRidgeHigh);
  const auto low = of_kind(lines, LineKind::kGammaRidgeLow);
  ASSERT_EQ(high.size(), 2u);
  ASSERT_EQ(low.size(), 1u);
  EXPECT_EQ(lines.size(), 3u);
  double strongest = 0.0;
  for (std::size_t t = 0; t < 80; ++t) {
    const double years = s.years(t);
    // The truth, by looking at every 1/100 of a step.
    const auto extremum = [&](double from, double to, double sign) {
      double best = from;
      for (double x = from; x <= to; x += 0.01 * h) {
        if (sign * value(x, years) > sign * value(best, years)) best = x;
      }
      return best;
    };
    const double peak1 = extremum(x1(years) - w, x1(years) + w, 1.0);
    const double peak2 = extremum(x2(years) - w, x2(years) + w, 1.0);
    const double valley = extremum(peak1, peak2, -1.0);
    const double saddle = value(valley, years);
    const double place = 1.5 * h * h * h / (w * w) + 0.01 * h;
    const double height = 0.5 * std::pow(h / w, 4) * 3e5;
    ASSERT_EQ(high[0].point.size(), 80u);
    ASSERT_EQ(high[1].point.size(), 80u);
    ASSERT_EQ(low[0].point.size(), 80u);
    const LinePoint& p1 = high[0].point[t];
    const LinePoint& p2 = high[1].point[t];
    const LinePoint& v = low[0].point[t];
    EXPECT_EQ(p1.time, static_cast<std::int32_t>(t));
    EXPECT_NEAR(std::log(p1.spot / 5000.0), peak1, place);
    EXPECT_NEAR(std::log(p2.spot / 5000.0), peak2, place);
    EXPECT_NEAR(std::log(v.spot / 5000.0), valley, 2.0 * place);
    EXPECT_NEAR(p1.value, value(peak1, years), height);
    EXPECT_NEAR(p2.value, value(peak2, years), height);
    // The higher stands on the higher of the lowest grounds on its sides, the lower on the saddle.
    const double ends = std::max(value(-0.05, years), value(0.05, years));
    EXPECT_NEAR(p1.strength, value(peak1, years) - ends, height);
    EXPECT_NEAR(p2.strength, value(peak2, years) - saddle, 2.0 * height);
    EXPECT_NEAR(v.strength, value(peak2, years) - saddle, 2.0 * height);
    strongest = std::max(strongest, p2.strength);
  }
  EXPECT_EQ(high[1].strength, strongest);
}

// An end of the grid is ground to stand on, never a ridge; the lower of two peaks stands on the saddle between them.
TEST(Lines, ProminenceIsExact) {
  const std::vector<double> row = {4, 1, 1, 1, 3, 3, 3, 2, 2, 2, 9, 9, 9, 0, 0, 0, 5, 5, 5, -1, -1, -1, 6};
  LineThresholds all;
  all.least_prominence = 0.0;
  all.least_instants = 1;
  const Surface s = gamma_rows(even_spots(100.0, 1.0, row.size()), {row});
  const auto found = [&](LineKind kind) {
    std::vector<std::pair<double, double>> result;
    for (const auto& line : of_kind(trace_lines(s.view(), all), kind)) {
      result.emplace_back(line.point[0].value, line.point[0].strength);
      EXPECT_EQ(line.strength, line.point[0].strength);
    }
    return result;
  };
  // 3: left to 4 over 1, right to 9 over 2: on 2. 9: ends on both sides, on max(1, -1). 5: on max(0, -1).
  EXPECT_THAT(found(LineKind::kGammaRidgeHigh),
              ElementsAre(std::pair{3.0, 1.0}, std::pair{9.0, 8.0}, std::pair{5.0, 5.0}));
  // Upside down. 1: under min(4, 9). 2: under min(3, 9). -1: under min(9, 6). The zeros are underflow.
  EXPECT_THAT(found(LineKind::kGammaRidgeLow),
              ElementsAre(std::pair{1.0, 3.0}, std::pair{2.0, 1.0}, std::pair{-1.0, 7.0}));
  // A plateau is in its middle in ln spot.
  EXPECT_NEAR(of_kind(trace_lines(s.view(), all), LineKind::kGammaRidgeHigh)[0].point[0].spot, std::sqrt(104.0 * 106.0),
              1e-12 * 103.0);
}

// The vertex of a parabola in ln spot is exact, between samples and midway between two equal ones.
TEST(Lines, VertexOfAParabolaIsExact) {
  for (const double offset : {0.0, 0.3, 0.5, -0.49}) {
    const double h = 2.0 * 0.05 / 60.0;
    for (const double sign : {1.0, -1.0}) {
      const Surface s = surface_of(log_spots(5000.0, 0.05, 61), 4, 300, [&](double spot, double) {
        const double x = std::log(spot / 5000.0) / h - offset;
        return Exposure{0.0, sign * (1e4 - 10.0 * x * x), 0.0};
      });
      const auto lines = trace_lines(s.view());
      ASSERT_EQ(lines.size(), 1u);
      EXPECT_EQ(lines[0].kind, sign > 0.0 ? LineKind::kGammaRidgeHigh : LineKind::kGammaRidgeLow);
      // Differences of 10 among values of 1e4.
      EXPECT_NEAR(lines[0].point[0].spot, 5000.0 * std::exp(h * offset), 5000.0 * h * 1e4 * 8.0 * kEpsilon);
      EXPECT_NEAR(lines[0].point[0].value, sign * 1e4, 1e4 * 8.0 * kEpsilon);
    }
  }
}

// Two ridges run into each other, go on as one, and part: lines keep their order and share no point.
TEST(Lines, MergingBumps) {
  const double h = 2.0 * 0.05 / 60.0;
  const double w = 4.0 * h;
  const auto half = [&](double t) { return std::abs(0.02 - 0.04 * t / 7.5e-4); };
  const Surface s = surface_of(log_spots(5000.0, 0.05, 61), 80, 300, [&](double spot, double t) {
    const double x = std::log(spot / 5000.0);
    return Exposure{0.0, 3e5 * bump(x, -half(t), w) + 2.4e5 * bump(x, half(t), w), 0.0};
  });
  const auto lines = of_kind(trace_lines(s.view()), LineKind::kGammaRidgeHigh);
  ASSERT_EQ(lines.size(), 3u);
  std::vector<std::vector<double>> at(80);
  for (const SurfaceLine& line : lines) {
    for (std::size_t i = 0; i < line.point.size(); ++i) {
      EXPECT_EQ(line.point[i].time, line.point[0].time + static_cast<std::int32_t>(i));
      at[static_cast<std::size_t>(line.point[i].time)].push_back(line.point[i].spot);
    }
  }
  EXPECT_EQ(lines[0].point.size(), 80u);  // the higher one lives through
  EXPECT_LT(lines[1].point.back().time, 45);
  EXPECT_GT(lines[2].point.front().time, 35);
  EXPECT_EQ(lines[2].point.back().time, 79);
  for (std::size_t t = 0; t < 80; ++t) {
    const bool apart = half(s.years(t)) > 2.0 * w;
    if (apart) {
      EXPECT_EQ(at[t].size(), 2u) << t;
    }
    EXPECT_GE(at[t].size(), 1u) << t;
    if (at[t].size() == 2) {
      EXPECT_LT(at[t][0], at[t][1]) << t;
    }
  }
}

TEST(Lines, ContoursOfAPlaneAreExact) {
  for (const double slope : {250.0, -250.0}) {
    const Surface s = surface_of(log_spots(100.0, 0.05, 61), 80, 300, [&](double x, double t) {
      return Exposure{0.0, slope * (x - 99.0 - 3000.0 * t), 3.0 * slope * (x - 101.0 + 2000.0 * t)};
    });
    const auto lines = trace_lines(s.view());
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].kind, LineKind::kZeroGamma);
    EXPECT_EQ(lines[1].kind, LineKind::kZeroCharm);
    for (std::size_t t = 0; t < 80; ++t) {
      ASSERT_EQ(lines[0].point.size(), 80u);
      ASSERT_EQ(lines[1].point.size(), 80u);
      const double gamma = 99.0 + 3000.0 * s.years(t);
      const double charm = 101.0 - 2000.0 * s.years(t);
      EXPECT_NEAR(lines[0].point[t].spot, gamma, 1e-14 * gamma);
      EXPECT_NEAR(lines[0].point[t].value, slope, 1e-11 * std::abs(slope));
      EXPECT_NEAR(lines[0].point[t].strength, std::abs(slope) * std::min(gamma - s.spot[0], s.spot[60] - gamma), 1e-9);
      EXPECT_NEAR(lines[1].point[t].spot, charm, 1e-14 * charm);
      EXPECT_NEAR(lines[1].point[t].value, 3.0 * slope, 3e-11 * std::abs(slope));
      EXPECT_NEAR(lines[1].point[t].strength, 3.0 * std::abs(slope) * std::min(charm - s.spot[0], s.spot[60] - charm),
                  1e-9);
    }
  }
}

// The monotone cubic's error is of the third order where the row is smooth.
TEST(Lines, ContourOfASineConverges) {
  std::vector<double> worst;
  for (const std::size_t spots : {41u, 81u, 161u}) {
    double largest = 0.0;
    const Surface s = surface_of(log_spots(100.0, 0.05, spots), 40, 300, [&](double x, double t) {
      return Exposure{0.0, std::sin((x - 100.0 - 2000.0 * t) / 1.2 + 0.4 * std::cos(x)), 0.0};
    });
    const auto lines = of_kind(trace_lines(s.view()), LineKind::kZeroGamma);
    for (const SurfaceLine& line : lines) {
      for (const LinePoint& p : line.point) {
        const double t = s.years(static_cast<std::size_t>(p.time));
        largest = std::max(largest, std::abs(std::sin((p.spot - 100.0 - 2000.0 * t) / 1.2 + 0.4 * std::cos(p.spot))));
      }
    }
    EXPECT_GE(lines.size(), 2u);
    worst.push_back(largest);
  }
  EXPECT_GT(worst[0] / worst[1], 6.0);
  EXPECT_GT(worst[1] / worst[2], 6.0);
  // Slopes err by h^2/6 of the third derivative, which weighs at most h/4 between samples; that derivative is
  // below 3.8 here, and the fourth order 1 % of the third.
  EXPECT_LT(worst[2], std::pow(105.2 * 0.1 / 160.0, 3) / 24.0 * 3.8 * 1.01);
}

struct Root {
  double spot = 0.0, value = 0.0, strength = 0.0;
};
std::vector<Root> roots_of(const std::vector<double>& row, double least_prominence = 0.0) {
  LineThresholds all;
  all.least_prominence = least_prominence;
  all.least_instants = 1;
  std::vector<Root> roots;
  for (const auto& line : trace_lines(gamma_rows(even_spots(100.0, 1.0, row.size()), {row}).view(), all)) {
    if (line.kind == LineKind::kZeroGamma) roots.push_back({line.point[0].spot, line.point[0].value, line.strength});
  }
  return roots;
}

TEST(Lines, ZerosAndPlateausHaveNoSign) {
  EXPECT_TRUE(roots_of({0, 0, 0, 0}).empty());
  EXPECT_TRUE(roots_of({1, 0, 1, 0, 0, 2}).empty());
  EXPECT_TRUE(roots_of({0, 0, 1, 2, 1, 0, 0}).empty());
  // One zero is the root; the slope that of the parabola through its neighbours.
  auto roots = roots_of({-3, -2, 0, 2, 3});
  ASSERT_EQ(roots.size(), 1u);
  EXPECT_EQ(roots[0].spot, 102.0);
  EXPECT_EQ(roots[0].value, 2.0);
  EXPECT_EQ(roots[0].strength, 3.0);
  {
    LineThresholds all;
    all.least_instants = 1;
    const std::vector<double> spot = {98.0, 101.0, 103.0};
    const auto lines = trace_lines(gamma_rows(spot, {{-3.0 * 8.0, 0.0, 2.0 * 13.0}}).view(), all);  // (S - 101)(S - 90)
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0].point[0].spot, 101.0);
    EXPECT_NEAR(lines[0].point[0].value, 11.0, 1e-13);
  }
  // A plateau: its geometric middle, the mean slope across.
  roots = roots_of({5, 4, 0, 0, 0, -1, -2});
  ASSERT_EQ(roots.size(), 1u);
  EXPECT_NEAR(roots[0].spot, std::sqrt(102.0 * 104.0), 1e-13 * 103.0);
  EXPECT_EQ(roots[0].value, -5.0 / 4.0);
  EXPECT_EQ(roots[0].strength, 2.0);
  // Rounding errors of a book that cancels, and underflow.
  EXPECT_TRUE(roots_of({1e6, 1e5, 1e-7, -1e-7, 1e-7, -1e-7}).empty());
  EXPECT_EQ(roots_of({1e6, 1e5, 1e-7, -1e-5, 1e-7, -1e-7}).size(), 1u);
  EXPECT_TRUE(roots_of({-1e-300, 1e-300, 1, 2, 1}).empty());
  // Strength: up to the next change of sign on each side.
  roots = roots_of({-1, -8, -2, 3, 2, -7, -4});
  ASSERT_EQ(roots.size(), 2u);
  EXPECT_EQ(roots[0].strength, 3.0);
  EXPECT_EQ(roots[1].strength, 3.0);
  EXPECT_GT(roots[0].value, 0.0);
  EXPECT_LT(roots[1].value, 0.0);
  // Relative to the row's largest, 8: 3 is 37.5 %.
  EXPECT_EQ(roots_of({-1, -8, -2, 3, 2, -7, -4}, 0.374).size(), 2u);
  EXPECT_EQ(roots_of({-1, -8, -2, 3, 2, -7, -4}, 0.376).size(), 0u);
  // Two spots are a line.
  roots = roots_of({-1, 3});
  ASSERT_EQ(roots.size(), 1u);
  EXPECT_EQ(roots[0].spot, 100.25);
  EXPECT_EQ(roots[0].value, 4.0);
  // Where samples underflow to 0 there is no ridge.
  LineThresholds all;
  all.least_instants = 1;
  EXPECT_EQ(trace_lines(gamma_rows(even_spots(100.0, 1.0, 6), {{-1, -2, 0, 0, -2, -1}}).view(), all).size(), 2u);
  EXPECT_EQ(trace_lines(gamma_rows(even_spots(100.0, 1.0, 6), {{0, -2, -1, -1, -2, 0}}).view(), all).size(), 3u);
}

TEST(Lines, RowsWithoutPointsEndLines) {
  const std::vector<double> row = {0, 1, 4, 9, 4, 1, 0};
  const std::vector<double> zero(7, 0.0);
  std::vector<double> broken = row;
  broken[6] = kNaN;
  const auto spots = even_spots(100.0, 1.0, 7);
  EXPECT_TRUE(trace_lines(gamma_rows(spots, {zero, zero, zero, zero}).view()).empty());
  for (const auto& gap : {zero, broken}) {
    const auto lines = trace_lines(gamma_rows(spots, {row, row, row, gap, row, row, row, row, gap, row, row}).view());
    ASSERT_EQ(lines.size(), 2u);  // the last two instants are too few
    EXPECT_EQ(lines[0].point.size(), 3u);
    EXPECT_EQ(lines[1].point.size(), 4u);
    EXPECT_EQ(lines[1].point[0].time, 4);
  }
  EXPECT_TRUE(trace_lines(gamma_rows(spots, {row}).view()).empty());
  EXPECT_TRUE(trace_lines(gamma_rows(spots, {}).view()).empty());
  EXPECT_TRUE(trace_lines(gamma_rows({100.0}, {{1.0}, {2.0}, {3.0}}).view()).empty());
  EXPECT_TRUE(trace_lines(gamma_rows({}, {{}, {}, {}}).view()).empty());
  EXPECT_TRUE(trace_lines(gamma_rows({99.0, 101.0}, {{1, 2}, {2, 1}, {1, 2}}).view()).empty());
}

TEST(Lines, RidgesAreWeighedAgainstTheSurfaceAndContoursAgainstTheirRow) {
  const auto spots = even_spots(100.0, 1.0, 7);
  const std::vector<double> faint = {0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0};
  const auto ridges = [&](double loud) {
    std::vector<double> row(7);
    for (std::size_t j = 0; j < 7; ++j) row[j] = loud * faint[j];
    const auto lines = trace_lines(gamma_rows(spots, {faint, faint, faint, row}).view());
    return lines.empty() ? 0u : lines[0].point.size();
  };
  EXPECT_EQ(ridges(99.0), 4u);
  EXPECT_EQ(ridges(101.0), 0u);
  // Charm grows a thousandfold towards the close; its contour was there all along.
  Surface s = surface_of(spots, 10, 300, [](double x, double) { return Exposure{0.0, x - 103.5, x - 103.5}; });
  for (std::size_t i = 7 * 7; i < s.charm.size(); ++i) {
    s.charm[i] *= 1000.0;
    s.gx[i] *= 1000.0;
  }
  const auto lines = trace_lines(s.view());
  ASSERT_EQ(lines.size(), 2u);
  for (const SurfaceLine& line : lines) {
    EXPECT_EQ(line.point.size(), 10u);
    EXPECT_EQ(line.strength, line.point[9].strength);
    EXPECT_EQ(line.strength, 2500.0);
  }
}

TEST(Lines, LinksAreNearestInOrderAndBounded) {
  LineThresholds any;
  any.least_instants = 1;
  // A root at `at` spots above 100 on an even grid of 41.
  const auto root_at = [](double at, double slope) {
    std::vector<double> row;
    for (int j = 0; j < 41; ++j) row.push_back(slope * (j - at));
    return row;
  };
  const auto zero_gammas = [&](const std::vector<std::vector<double>>& rows, const LineThresholds& thresholds) {
    return of_kind(trace_lines(gamma_rows(log_spots(100.0, 0.2, 41), rows).view(), thresholds), LineKind::kZeroGamma);
  };
  // Roots in ln spot move by nearly as many steps as by samples.
  EXPECT_EQ(zero_gammas({root_at(10.0, 1.0), root_at(12.9, 1.0), root_at(10.0, 1.0)}, any).size(), 1u);
  EXPECT_EQ(zero_gammas({root_at(10.0, 1.0), root_at(13.1, 1.0), root_at(10.0, 1.0)}, any).size(), 3u);
  any.most_jump = 4.0;
  EXPECT_EQ(zero_gammas({root_at(10.0, 1.0), root_at(13.1, 1.0), root_at(10.0, 1.0)}, any).size(), 1u);
  // A rising contour does not become a falling one.
  EXPECT_EQ(zero_gammas({root_at(10.0, 1.0), root_at(10.0, -1.0), root_at(10.0, 1.0)}, any).size(), 3u);

  // Ridges at samples 10 and 13, then at 12 and 15 (spikes): nearest first would join 13 to 12 and leave 10 with 15, 5
  // steps away; in order both move by 2.
  const auto spikes = [](std::initializer_list<std::size_t> places) {
    std::vector<double> row(41, 0.0);
    for (const std::size_t j : places) row[j] = 1.0;
    return row;
  };
  any.most_jump = 3.5;
  const auto ridges = [&](const std::vector<std::vector<double>>& rows) {
    std::vector<std::vector<int>> places;
    const double step = 0.4 / 40.0;
    for (const auto& line :
         of_kind(trace_lines(gamma_rows(log_spots(100.0, 0.2, 41), rows).view(), any), LineKind::kGammaRidgeHigh)) {
      places.emplace_back();
      for (const LinePoint& p : line.point) {
        places.back().push_back(static_cast<int>(std::lround((std::log(p.spot / 100.0) + 0.2) / step)));
      }
    }
    return places;
  };
  EXPECT_THAT(ridges({spikes({10, 13}), spikes({12, 15})}), ElementsAre(ElementsAre(10, 12), ElementsAre(13, 15)));
  // One to one: of two near one, the nearer goes on, the other ends; and the other way round.
  EXPECT_THAT(ridges({spikes({10, 13}), spikes({12})}), ElementsAre(ElementsAre(10), ElementsAre(13, 12)));
  EXPECT_THAT(ridges({spikes({12}), spikes({10, 13})}), ElementsAre(ElementsAre(12, 13), ElementsAre(10)));
  // Born and died in between.
  EXPECT_THAT(ridges({spikes({5, 30}), spikes({6, 18, 31}), spikes({7, 32})}),
              ElementsAre(ElementsAre(5, 6, 7), ElementsAre(30, 31, 32), ElementsAre(18)));
  any.least_instants = 2;
  EXPECT_EQ(ridges({spikes({5, 30}), spikes({6, 18, 31}), spikes({7, 32})}).size(), 2u);
}

TEST(Lines, RefusesWhatIsNoSurface) {
  const auto plane = [](double x, double) { return Exposure{x, 1.0, 0.0}; };
  const Surface good = surface_of(even_spots(99.0, 1.0, 3), 2, 300, plane);
  const auto refused = [](const Surface& s) {
    EXPECT_THROW(trace_lines(s.view()), std::invalid_argument);
    EXPECT_THROW(march_path(s.view(), 100.0, 100.0, 1.0), std::invalid_argument);
  };
  for (const auto member : {&Surface::dx, &Surface::gx, &Surface::charm}) {
    Surface bad = good;
    (bad.*member).pop_back();
    refused(bad);
  }
  Surface bad = good;
  bad.time[1] = bad.time[0];
  refused(bad);
  for (const double spot : {99.0, 98.0, 0.0, kNaN}) {
    bad = good;
    bad.spot[1] = spot;
    refused(bad);
  }
  bad = good;
  bad.spot[0] = 0.0;
  refused(bad);
  bad = good;
  bad.spot[2] = std::numeric_limits<double>::infinity();
  refused(bad);
  LineThresholds thresholds;
  thresholds.most_jump = kNaN;
  EXPECT_THROW(trace_lines(good.view(), thresholds), std::invalid_argument);
  thresholds = {};
  thresholds.least_prominence = -0.1;
  EXPECT_THROW(trace_lines(good.view(), thresholds), std::invalid_argument);
}

// ---- Random smooth surfaces ----

struct RandomBook {
  std::vector<double> amount, centre, drift, width, decay;
  explicit RandomBook(std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    for (int i = 0; i < 8; ++i) {
      amount.push_back(1e5 * unit(generator));
      centre.push_back(5000.0 * (1.0 + 0.05 * unit(generator)));
      drift.push_back(1e5 * unit(generator));
      width.push_back(50.0 + 40.0 * unit(generator));
      decay.push_back(500.0 * unit(generator));
    }
    amount[0] = 2e5;  // something to hold on to
    width[0] = 150.0;
    centre[0] = 5000.0;
  }
  [[nodiscard]] Exposure operator()(double spot, double t) const {
    Exposure sum;
    for (std::size_t i = 0; i < amount.size(); ++i) {
      const double z = (spot - centre[i] - drift[i] * t) / width[i];
      const double scale = amount[i] * std::exp(decay[i] * t);
      const double integral = width[i] * std::sqrt(std::numbers::pi / 2.0) * std::erf(z / std::numbers::sqrt2);
      const double density = std::exp(-0.5 * z * z);
      sum.dx += scale * integral;
      sum.gx += scale * density;
      sum.charm += scale * (decay[i] * integral - drift[i] * density);
    }
    return sum;
  }
};

// The interpolant that trace_lines states: slopes of three-point parabolas, 0 at extrema, at most three times the
// lesser secant.
double monotone_value(const std::vector<double>& spot, const double* row, double x) {
  const std::size_t j = step_of(spot, x);
  const auto secant = [&](std::size_t i) { return (row[i + 1] - row[i]) / (spot[i + 1] - spot[i]); };
  const auto slope = [&](std::size_t i) {
    const std::size_t middle = std::clamp<std::size_t>(i, 1, spot.size() - 2);
    const double a = secant(middle - 1);
    const double b = secant(middle);
    const double bend = (b - a) / (spot[middle + 1] - spot[middle - 1]);
    const double parabola = a + bend * (2.0 * spot[i] - spot[middle - 1] - spot[middle]);
    const double near = i == spot.size() - 1 ? b : a;
    const double other = i == middle ? b : near;
    if (parabola * near <= 0.0 || parabola * other <= 0.0) return 0.0;
    return std::copysign(std::min({std::abs(parabola), 3.0 * std::abs(near), 3.0 * std::abs(other)}), parabola);
  };
  const double width = spot[j + 1] - spot[j];
  return hermite((x - spot[j]) / width, row[j], row[j + 1], slope(j) * width, slope(j + 1) * width);
}

TEST(RandomSurfaces, HoldWhatIsPromised) {
  std::size_t contour_points = 0;
  std::size_t ridge_points = 0;
  std::size_t path_points = 0;
  std::size_t edges = 0;
  std::array<std::size_t, 5> statuses{};
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    const RandomBook book(seed);
    const Surface s = surface_of(log_spots(5000.0, 0.06, 61), 40, 600, book);
    for (const SurfaceLine& line : trace_lines(s.view())) {
      ASSERT_GE(line.point.size(), 3u);
      double strongest = 0.0;
      for (const LinePoint& p : line.point) {
        const auto t = static_cast<std::size_t>(p.time);
        strongest = std::max(strongest, p.strength);
        ASSERT_TRUE(std::isfinite(p.value) && p.strength > 0.0 && p.spot > s.spot.front() && p.spot < s.spot.back());
        const std::size_t j = step_of(s.spot, p.spot);
        const double* gx = s.gx.data() + t * 61;
        if (line.kind == LineKind::kZeroGamma || line.kind == LineKind::kZeroCharm) {
          ++contour_points;
          const double* row = line.kind == LineKind::kZeroGamma ? gx : s.charm.data() + t * 61;
          const double nudge = 1e-4 * (s.spot[j + 1] - s.spot[j]);
          const double before = monotone_value(s.spot, row, p.spot - nudge);
          const double after = monotone_value(s.spot, row, p.spot + nudge);
          ASSERT_LT(before * after, 0.0) << seed << ' ' << t << ' ' << p.spot;
          EXPECT_EQ(after > before, p.value > 0.0);
          EXPECT_NEAR((after - before) / (2.0 * nudge), p.value, 1e-3 * std::abs(p.value));
        } else {
          ++ridge_points;
          // Within half a step of a sample that is the extremum of its neighbours.
          const double sign = line.kind == LineKind::kGammaRidgeHigh ? 1.0 : -1.0;
          const std::size_t top = sign * gx[j] > sign * gx[j + 1] ? j : j + 1;
          ASSERT_TRUE(top > 0 && top < 60);
          EXPECT_GE(sign * gx[top], std::max(sign * gx[top - 1], sign * gx[top + 1]));
          EXPECT_GE(sign * (p.value - gx[top]), 0.0);
        }
      }
      EXPECT_EQ(line.strength, strongest);
    }
    for (const double start : {4880.0, 5000.0, 5111.1}) {
      const double level = book(start, -1e-5).dx;
      const double half_band = 1e5;
      const LeastResistancePath path = march_path(s.view(), start, level, half_band);
      expect_consistent(path);
      for (std::size_t t = 0; t < 40; ++t) {
        ++statuses[static_cast<std::size_t>(path.status[t])];
        if (path.status[t] > PathStatus::kRepelling) continue;
        ++path_points;
        double largest = 0.0;
        for (std::size_t j = 0; j < 61; ++j) largest = std::max(largest, std::abs(s.at(s.dx, t, j)));
        EXPECT_LE(std::abs(delta_value(s, t, path.spot[t]) - level), 1e-9 * largest);
        EXPECT_EQ(path.gamma[t] > 0.0, path.status[t] == PathStatus::kOk);
        for (const double edge : {path.band_low[t], path.band_high[t]}) {
          if (std::isnan(edge)) continue;
          ++edges;
          EXPECT_NEAR(std::abs(delta_value(s, t, edge) - level), half_band, 1e-9 * largest);
          for (int i = 0; i <= 50; ++i) {  // the nearest such spot
            const double x = path.spot[t] + (edge - path.spot[t]) * i / 50.0;
            EXPECT_LE(std::abs(delta_value(s, t, x) - level), half_band + 1e-9 * largest);
          }
        }
      }
    }
  }
  EXPECT_GT(contour_points, 5000u);
  EXPECT_GT(ridge_points, 5000u);
  EXPECT_GT(path_points, 5000u);
  EXPECT_GT(edges, 5000u);
  for (const PathStatus status : {PathStatus::kOk, PathStatus::kRepelling, PathStatus::kSingular}) {
    EXPECT_GT(statuses[static_cast<std::size_t>(status)], 100u) << static_cast<int>(status);
  }
}

// Samples of any size, of none and of no number: what comes out is finite, in the grid, in order, and typed.
TEST(RandomSurfaces, BearAnything) {
  const double nasty[] = {
      0.0,    0.0,    0.0,     -0.0,   1.0,     -1.0,  1.0,    2.0,  -3.0, 1e-13,
      -1e-13, 5e-324, -5e-324, 1e-160, -1e-160, 1e290, -1e290, 1e17, kNaN, std::numeric_limits<double>::infinity()};
  std::mt19937 generator(7);
  std::size_t points = 0;
  std::size_t followed = 0;
  for (int i = 0; i < 3000; ++i) {
    // The first few kinds of sample, the first few more often.
    const std::size_t kinds = 1 + generator() % std::size(nasty);
    const std::size_t spots = 1 + generator() % 12;
    const Surface s =
        surface_of(log_spots(100.0, 0.1, std::max<std::size_t>(spots, 2)), generator() % 6, 300, [&](double, double) {
          return Exposure{nasty[generator() % kinds], nasty[generator() % kinds], nasty[generator() % kinds]};
        });
    LineThresholds all;
    all.least_prominence = 0.0;
    all.least_instants = 1;
    LineKind kind = LineKind::kGammaRidgeHigh;
    for (const SurfaceLine& line : trace_lines(s.view(), all)) {
      EXPECT_GE(line.kind, kind);
      kind = line.kind;
      ASSERT_FALSE(line.point.empty());
      for (std::size_t p = 0; p < line.point.size(); ++p) {
        ++points;
        EXPECT_EQ(line.point[p].time, line.point[0].time + static_cast<std::int32_t>(p));
        EXPECT_TRUE(std::isfinite(line.point[p].value) && std::isfinite(line.point[p].strength));
        EXPECT_GE(line.point[p].strength, 0.0);
        EXPECT_GE(line.point[p].spot, s.spot.front() * (1.0 - kEpsilon));
        EXPECT_LE(line.point[p].spot, s.spot.back() * (1.0 + kEpsilon));
      }
    }
    const LeastResistancePath path = march_path(s.view(), 99.0, nasty[generator() % kinds], 0.5);
    expect_consistent(path);
    followed += count_of(path, PathStatus::kOk) + count_of(path, PathStatus::kRepelling);
  }
  EXPECT_GT(points, 1000u);
  EXPECT_GT(followed, 200u);
}

void expect_same(const std::vector<SurfaceLine>& a, const std::vector<SurfaceLine>& b, double scale) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].kind, b[i].kind);
    EXPECT_EQ(scale * a[i].strength, b[i].strength);
    ASSERT_EQ(a[i].point.size(), b[i].point.size());
    for (std::size_t p = 0; p < a[i].point.size(); ++p) {
      EXPECT_EQ(a[i].point[p].time, b[i].point[p].time);
      EXPECT_EQ(a[i].point[p].spot, b[i].point[p].spot);
      EXPECT_EQ(scale * a[i].point[p].value, b[i].point[p].value);
      EXPECT_EQ(scale * a[i].point[p].strength, b[i].point[p].strength);
    }
  }
}

// The same input gives the same bits, a book of double size the same lines with doubled values, the opposite book high
// ridges for low ones and the same path, repelling for attracting.
TEST(RandomSurfaces, SameBitsAndScales) {
  for (std::uint32_t seed = 200; seed < 220; ++seed) {
    const RandomBook book(seed);
    const Surface s = surface_of(log_spots(5000.0, 0.06, 61), 40, 600, book);
    const auto lines = trace_lines(s.view());
    const Surface copy = s;
    expect_same(lines, trace_lines(copy.view()), 1.0);
    Surface twice = s;
    Surface opposite = s;
    for (const auto member : {&Surface::dx, &Surface::gx, &Surface::charm}) {
      for (double& x : twice.*member) x *= 2.0;
      for (double& x : opposite.*member) x = -x;
    }
    expect_same(lines, trace_lines(twice.view()), 2.0);
    const auto turned = trace_lines(opposite.view());
    EXPECT_EQ(of_kind(turned, LineKind::kGammaRidgeHigh).size(), of_kind(lines, LineKind::kGammaRidgeLow).size());
    EXPECT_EQ(of_kind(turned, LineKind::kGammaRidgeLow).size(), of_kind(lines, LineKind::kGammaRidgeHigh).size());
    expect_same(
        of_kind(lines, LineKind::kZeroGamma),
        [&] {
          auto contours = of_kind(turned, LineKind::kZeroGamma);
          for (auto& line : contours) {
            for (auto& p : line.point) p.value = -p.value;
          }
          return contours;
        }(),
        1.0);

    for (const std::size_t j : {0u, 17u, 60u}) {
      const LeastResistancePath at_sample = march_path(s.view(), s.spot[j], s.at(s.dx, 0, j), 0.0);
      if (at_sample.status[0] <= PathStatus::kRepelling) {
        EXPECT_EQ(at_sample.spot[0], s.spot[j]);
      }
    }
    const double level = s.at(s.dx, 0, 30);
    const LeastResistancePath path = march_path(s.view(), 5000.0, level, 1e5);
    const LeastResistancePath larger = march_path(twice.view(), 5000.0, 2.0 * level, 2e5);
    const LeastResistancePath against = march_path(opposite.view(), 5000.0, -level, 1e5);
    for (std::size_t t = 0; t < 40; ++t) {
      EXPECT_EQ(path.status[t], larger.status[t]);
      if (path.status[t] > PathStatus::kRepelling) {
        EXPECT_EQ(path.status[t], against.status[t]);
        continue;
      }
      EXPECT_NE(path.status[t], against.status[t]);
      EXPECT_EQ(path.spot[t], larger.spot[t]);
      EXPECT_EQ(path.spot[t], against.spot[t]);
      EXPECT_EQ(std::isnan(path.band_low[t]), std::isnan(larger.band_low[t]));
      if (!std::isnan(path.band_low[t])) {
        EXPECT_EQ(path.band_low[t], larger.band_low[t]);
      }
      EXPECT_EQ(2.0 * path.gamma[t], larger.gamma[t]);
      EXPECT_EQ(path.gamma[t], -against.gamma[t]);
    }
  }
}

}  // namespace
}  // namespace greekgrid

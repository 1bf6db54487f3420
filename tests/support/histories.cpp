#include "greekgrid_test/histories.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace greekgrid::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMap = kKernelNodes * kKernelNodes;

/// Draws coordinates: uniform in [-1, 1], on a lattice where its spacing is not 0, missing with a probability.
class Draw {
 public:
  Draw(std::uint64_t seed, double lattice, double missing) : random_(seed), lattice_(lattice), missing_(missing) {}

  double place() {
    const double x = 2.0 * uniform_(random_) - 1.0;
    return lattice_ > 0.0 ? lattice_ * std::round(x / lattice_) : x;
  }
  double operator()() { return uniform_(random_) < missing_ ? kNaN : place(); }
  std::vector<double> column(std::size_t n) {
    std::vector<double> x(n);
    for (double& value : x) value = (*this)();
    return x;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_;
  double lattice_, missing_;
};

SearchCase search(const std::string& name, std::size_t n, std::size_t axes, std::size_t count, std::size_t places,
                  bool required, Draw draw) {
  SearchCase c;
  c.name = name;
  c.count = count;
  for (std::size_t a = 0; a < axes; ++a) c.axis.push_back(draw.column(n));
  if (required) c.required = draw.column(n);
  for (std::size_t q = 0; q < places; ++q) {
    for (std::size_t a = 0; a < axes; ++a) c.at.push_back(draw.place());
    // The first place has all points, the second none, others some.
    c.last.push_back(static_cast<std::int32_t>(q == 0 ? n : q == 1 ? 0 : draw.below(n + 1)) - 1);
  }
  return c;
}

/// Columns of an autocorrelated series in [-1, 1] with a given number of first values missing.
std::vector<double> slow_column(std::size_t n, std::size_t missing, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  double state = normal(random);
  std::vector<double> x(n);
  for (std::size_t s = 0; s < n; ++s) {
    state = 0.95 * state + std::sqrt(1.0 - 0.95 * 0.95) * normal(random);
    x[s] = s < missing ? kNaN : std::erf(state * std::sqrt(0.5));
  }
  return x;
}

std::vector<double> outcomes(std::size_t n, double missing, std::mt19937_64& random) {
  std::normal_distribution<double> normal(0.1, 1.3);
  std::uniform_real_distribution<double> uniform;
  std::vector<double> y(n);
  for (double& value : y) value = uniform(random) < missing ? kNaN : normal(random);
  return y;
}

PairSumsCase sums(const std::string& name, std::size_t n, std::vector<std::size_t> axes, std::size_t values,
                  double missing, std::uint64_t seed) {
  PairSumsCase c;
  c.name = name;
  c.points = n;
  std::mt19937_64 random(seed);
  Draw draw(seed + 1, 0.0, missing);
  for (const std::size_t a : axes) c.axis[a] = draw.column(n);
  for (std::size_t v = 0; v < values; ++v) c.value[v] = outcomes(n, missing, random);
  return c;
}

}  // namespace

NearestJob SearchCase::job(Neighbours& results) const {
  results.index.assign(last.size() * count, -7);
  results.distance2.assign(last.size() * count, -7.0);
  results.candidates.assign(last.size(), -7);
  NearestJob j;
  j.points.axes = axis.size();
  j.points.points = axis[0].size();
  for (std::size_t a = 0; a < axis.size(); ++a) j.points.axis[a] = axis[a].data();
  j.points.required = required.empty() ? nullptr : required.data();
  j.at = at;
  j.last = last;
  j.count = count;
  j.index = results.index;
  j.distance2 = results.distance2;
  j.candidates = results.candidates;
  return j;
}

std::vector<SearchCase> search_cases() {
  std::vector<SearchCase> cases;
  std::uint64_t seed = 1;
  for (const std::size_t n : {1U, 41U, 42U, 43U, 127U, 128U, 129U, 700U, 1500U}) {
    for (std::size_t axes = 1; axes <= kMostAxes; ++axes) {
      const double missing = axes % 2 == 0 ? 0.3 : 0.0;
      const double lattice = std::array{0.0, 0.5, 0.125, 4.0}[(n + axes) % 4];
      cases.push_back(search("uniform", n, axes, 42, 6, axes > 2, Draw(++seed, 0.0, missing)));
      cases.push_back(search("lattice", n, axes, axes == 3 ? 64 : 17, 6, axes < 3, Draw(++seed, lattice, missing)));
    }
    for (SearchCase& c : cases) {
      if (c.name.find(' ') == std::string::npos) {
        c.name += " of " + std::to_string(n) + " points on " + std::to_string(c.axis.size());
      }
    }
  }
  cases.push_back(search("one asked for", 900, 4, 1, 20, true, Draw(++seed, 0.0, 0.05)));
  cases.push_back(search("most asked for", 900, 4, kMostNearest, 20, true, Draw(++seed, 0.0, 0.05)));
  cases.push_back(search("all in one place", 900, 3, 42, 5, false, Draw(++seed, 4.0, 0.0)));
  cases.push_back(search("nothing known", 300, 2, 42, 5, true, Draw(++seed, 0.0, 1.0)));
  cases.push_back(search("places nowhere", 300, 2, 42, 5, true, Draw(++seed, 0.0, 0.1)));
  cases.back().at[1] = cases.back().at[4] = kNaN;
  cases.push_back(search("no points", 0, 2, 42, 3, false, Draw(++seed, 0.0, 0.0)));
  cases.push_back(search("points that have no finite outcome", 400, 2, 42, 3, true, Draw(++seed, 0.0, 0.1)));
  for (std::size_t i = 0; i < 400; i += 3) cases.back().required[i] = std::numeric_limits<double>::infinity();

  // All near points, and all that are known, 128 and 1024 apart: more of them are one thread's than a block has room
  // for.
  SearchCase apart = search("near points 128 apart", 128 * 700, 2, 9, 2, false, Draw(++seed, 0.0, 0.0));
  for (auto& column : apart.axis) {
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = i % 128 == 5 ? 1e-3 * column[i] : 4.0 + column[i];
  }
  apart.at = {1e-4, 2e-4, -3e-4, 0.0};
  apart.last[1] = 128 * 600;
  cases.push_back(apart);
  SearchCase known = search("known points 1024 apart", 1024 * 600, 1, 5, 2, false, Draw(++seed, 0.0, 0.0));
  for (std::size_t i = 0; i < known.axis[0].size(); ++i) {
    known.axis[0][i] = i % 1024 == 0 ? std::round(8.0 * known.axis[0][i]) : kNaN;  // and ties among them
  }
  known.last[1] = 1024 * 520;
  cases.push_back(known);
  return cases;
}

std::vector<SearchCase> many_searches(std::size_t count) {
  std::vector<SearchCase> cases;
  Draw draw(77, 0.0, 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    const double missing = i % 3 == 0 ? 0.2 : 0.0, lattice = i % 5 == 0 ? 0.25 : 0.0;
    cases.push_back(search("search " + std::to_string(i), 1 + draw.below(i % 17 == 0 ? 900 : 150),
                           1 + draw.below(kMostAxes), 1 + draw.below(kMostNearest), draw.below(8), i % 2 == 0,
                           Draw(1000 + i, lattice, missing)));
  }
  return cases;
}

SearchCase walk_search(std::size_t sessions) {
  std::mt19937_64 random(5);
  SearchCase c;
  c.name = "walk over " + std::to_string(sessions) + " sessions";
  for (std::size_t a = 0; a < kMostAxes; ++a) c.axis.push_back(slow_column(sessions, 252, random));
  c.required = outcomes(sessions, 0.0, random);
  for (std::size_t t = 300; t < sessions; ++t) {
    for (const auto& column : c.axis) c.at.push_back(column[t]);
    c.last.push_back(static_cast<std::int32_t>(t) - 5);
  }
  return c;
}

Neighbours find_nearest(ForecastBackend& backend, const SearchCase& of) {
  Neighbours results;
  const NearestJob job = of.job(results);
  backend.nearest({&job, 1});
  return results;
}

std::vector<Neighbours> find_nearest(ForecastBackend& backend, const std::vector<SearchCase>& of) {
  std::vector<Neighbours> results(of.size());
  std::vector<NearestJob> jobs;
  for (std::size_t i = 0; i < of.size(); ++i) jobs.push_back(of[i].job(results[i]));
  backend.nearest(jobs);
  return results;
}

bool same_neighbours(const Neighbours& a, const Neighbours& b) {
  const auto same = [](double x, double y) {
    return (std::isnan(x) && std::isnan(y)) || std::memcmp(&x, &y, sizeof x) == 0;
  };
  return a.index == b.index && a.candidates == b.candidates &&
         std::equal(a.distance2.begin(), a.distance2.end(), b.distance2.begin(), b.distance2.end(), same);
}

PairSumsJob PairSumsCase::job(std::vector<float>& sums) const {
  PairSumsJob j;
  j.points.points = points;
  static const double none = 0.0;
  const auto column = [](const std::vector<double>& x) { return x.empty() ? nullptr : x.data(); };
  for (std::size_t a = 0; a < kKernelAxes; ++a) j.points.axis[a] = column(axis[a]);
  for (std::size_t v = 0; v < kKernelValues; ++v) j.points.value[v] = column(value[v]);
  if (points == 0) j.points.value[0] = &none;
  j.bandwidth = bandwidth;
  sums.assign(j.values() * kAxisPairs * kKernelSums * kMap, std::numeric_limits<float>::quiet_NaN());
  j.sums = sums;
  return j;
}

std::vector<PairSumsCase> pair_sums_cases() {
  std::vector<PairSumsCase> cases = {
      sums("one point", 1, {0, 1, 2, 3}, 1, 0.0, 1),
      sums("ends a slice", 256, {0, 1, 2, 3}, 1, 0.0, 2),
      sums("begins a slice", 257, {0, 1, 2, 3}, 2, 0.0, 3),
      sums("gaps", 300, {0, 1, 2, 3}, 2, 0.3, 4),
      sums("two axes", 520, {1, 3}, 2, 0.05, 5),
      sums("three axes", 150, {0, 2, 3}, 1, 0.05, 6),
      sums("one axis", 150, {2}, 1, 0.05, 7),
      sums("no axis", 150, {}, 2, 0.05, 8),
      sums("no points", 0, {}, 1, 0.0, 9),
      sums("wide", 200, {0, 1}, 2, 0.0, 10),
      sums("beyond the axes", 200, {0, 1, 3}, 1, 0.0, 11),
      sums("on the nodes", 64, {0, 1}, 1, 0.0, 12),
      sums("one value of two", 240, {0, 1}, 2, 0.0, 13),
      sums("no value", 100, {0, 1}, 2, 0.0, 14),
  };
  for (PairSumsCase& c : cases) {
    if (c.name == "wide") c.bandwidth = 0.4;
    if (c.name == "beyond the axes") {
      for (double& z : c.axis[1]) z *= 1.2;
      c.axis[0][0] = -1.0;
      c.axis[1][0] = 1.0;
      c.value[0][3] = std::numeric_limits<double>::infinity();
      c.value[0][4] = 0.0;
    }
    for (std::size_t i = 0; c.name == "on the nodes" && i < 64; ++i) {
      c.axis[0][i] = -1.0 + 2.0 * static_cast<double>(i) / 63.0;
      c.axis[1][i] = -c.axis[0][i];
    }
    for (std::size_t i = 0; c.name == "one value of two" && i < 240; i += 2) c.value[i % 4 / 2][i] = kNaN;
    if (c.name == "no value") std::fill(c.value[1].begin(), c.value[1].end(), kNaN);
  }
  return cases;
}

std::vector<PairSumsCase> many_pair_sums(std::size_t count) {
  std::vector<PairSumsCase> cases;
  Draw draw(78, 0.0, 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<std::size_t> axes =
        i % 9 == 0 ? std::vector<std::size_t>{0, 1, 3} : std::vector<std::size_t>{0, 1};
    cases.push_back(
        sums("sum " + std::to_string(i), draw.below(60), axes, 1 + i % 2, i % 4 == 0 ? 0.2 : 0.0, 2000 + i));
    if (cases.back().points == 0) cases.back() = PairSumsCase{"no points " + std::to_string(i), {}, {}, 0, 0.15};
  }
  return cases;
}

PairSumsCase long_pair_sums(std::size_t points) {
  std::mt19937_64 random(6);
  PairSumsCase c;
  c.name = std::to_string(points) + " points";
  c.points = points;
  for (auto& column : c.axis) column = slow_column(points, 252, random);
  for (std::size_t v = 0; v < kKernelValues; ++v) {
    c.value[v] = outcomes(points, 0.0, random);
    // The later outcome is known of fewer sessions.
    std::fill(c.value[v].end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(points, v == 0 ? 5 : 21)),
              c.value[v].end(), kNaN);
  }
  return c;
}

std::vector<float> sum_kernels(ForecastBackend& backend, const PairSumsCase& of) {
  std::vector<float> results;
  const PairSumsJob job = of.job(results);
  backend.pair_sums({&job, 1});
  return results;
}

std::vector<std::vector<float>> sum_kernels(ForecastBackend& backend, const std::vector<PairSumsCase>& of) {
  std::vector<std::vector<float>> results(of.size());
  std::vector<PairSumsJob> jobs;
  for (std::size_t i = 0; i < of.size(); ++i) jobs.push_back(of[i].job(results[i]));
  backend.pair_sums(jobs);
  return results;
}

SumDeviation compare_sums(const std::vector<float>& actual, const std::vector<float>& expected,
                          const PairSumsCase& of) {
  SumDeviation worst;
  if (actual.size() != expected.size()) return {std::numeric_limits<double>::infinity(), "other size"};
  std::array<double, kKernelValues> weight{};
  for (std::size_t v = 0; v < kKernelValues; ++v) {
    for (const double y : of.value[v]) weight[v] += std::isfinite(y) ? std::max(1.0, std::abs(y)) : 0.0;
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const std::size_t map = i / kMap, kind = map % kKernelSums, value = map / (kAxisPairs * kKernelSums);
    const bool squares = kind == static_cast<std::size_t>(KernelSum::kSquares);
    // Kernels about the least may be dropped or not.
    const double least = squares ? kLeastKernel * kLeastKernel : kLeastKernel;
    const double tolerance =
        (squares ? 6e-6 : 5e-7) * std::abs(static_cast<double>(expected[i])) + least * weight[value];
    const double error = std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
    const double in_tolerance = error == 0.0 ? 0.0 : error / tolerance;
    if (!(in_tolerance <= worst.in_tolerance)) {
      worst.in_tolerance = std::isnan(in_tolerance) ? std::numeric_limits<double>::infinity() : in_tolerance;
      worst.where = of.name + ", value " + std::to_string(value) + ", pair " +
                    std::to_string(map / kKernelSums % kAxisPairs) + ", sum " + std::to_string(kind) + ", nodes " +
                    std::to_string(i / kKernelNodes % kKernelNodes) + " and " + std::to_string(i % kKernelNodes) +
                    ": " + std::to_string(actual[i]) + " for " + std::to_string(expected[i]);
    }
  }
  return worst;
}

}  // namespace greekgrid::test

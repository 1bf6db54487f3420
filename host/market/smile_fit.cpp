// Smiles: a coarse search over place and width with the rest linear, then Levenberg-Marquardt in coordinates whose
// every value is a smile.

#include "greekgrid/host/smile_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "greekgrid/kernels/formulas/normal.hpp"

namespace greekgrid {
namespace {

constexpr int kParameters = 5;
constexpr int kPenaltyPoints = 25;
constexpr double kMostRho = 0.9999;

// Log-moneyness and total variance in units of the slice: z = k / deviation, y = w / variance, so that one set of
// starting values and step bounds serves an hour and ten years.
struct Scale {
  double deviation = 1.0, variance = 1.0;
};

// The smile in those units: y(z) = a + b (rho (z - m) + sqrt((z - m)^2 + s^2)).
struct Shape {
  double a = 0.0, b = 0.0, rho = 0.0, m = 0.0, s = 1.0;
  double at(double z) const {
    const double d = z - m;
    return a + b * (rho * d + std::sqrt(d * d + s * s));
  }
};

// Unbounded coordinates: ln of the minimum variance, ln b, atanh rho, m, ln s.
using Coordinates = std::array<double, kParameters>;

Shape shape_of(const Coordinates& c) {
  Shape f;
  f.b = std::exp(c[1]);
  f.rho = std::tanh(c[2]);
  f.m = c[3];
  f.s = std::exp(c[4]);
  // sqrt(1 - tanh^2) = 1 / cosh keeps its accuracy where rho rounds to 1.
  f.a = std::exp(c[0]) - f.b * f.s / std::cosh(c[2]);
  return f;
}

Coordinates coordinates_of(const Shape& f) {
  const double rho = std::clamp(f.rho, -kMostRho, kMostRho);
  const double lowest = f.a + f.b * f.s * std::sqrt(1.0 - rho * rho);
  return {std::log(std::max(lowest, 1e-6)), std::log(std::max(f.b, 1e-6)), std::atanh(rho), f.m,
          std::log(std::max(f.s, 1e-4))};
}

SmileCurve curve_of(const Shape& f, const Scale& scale, double tau) {
  return {f.a * scale.variance,
          f.b * scale.variance / scale.deviation,
          f.rho,
          f.m * scale.deviation,
          f.s * scale.deviation,
          tau};
}

struct Sample {
  double z, y;    // in units of the slice
  double sigma;   // sqrt(y)
  double weight;  // 1 / error, error in units of the volatility sqrt(variance / tau)
  double robust = 1.0;
};

// The level that fits best with all else given: the weighted mean of what is left, with the minimum kept positive.
void settle_level(std::span<const Sample> samples, Shape& f) {
  double top = 0.0, bottom = 0.0;
  for (const Sample& p : samples) {
    const double w = p.robust * p.weight / (2.0 * p.sigma);
    const double d = p.z - f.m;
    top += w * w * (p.y - f.b * (f.rho * d + std::sqrt(d * d + f.s * f.s)));
    bottom += w * w;
  }
  f.a = std::max(top / bottom, 1e-3 - f.b * f.s * std::sqrt(1.0 - f.rho * f.rho));
}

// Level, slope and curvature by weighted linear least squares for given place and width, bounds held by clamping.
// Returns the weighted sum of squares in volatility to first order.
double solve_linear(std::span<const Sample> samples, double m, double s, Shape& f) {
  double h[3][3] = {}, g[3] = {};
  for (const Sample& p : samples) {
    const double w = p.robust * p.weight / (2.0 * p.sigma);
    const double d = p.z - m;
    const double basis[3] = {w, w * d, w * std::sqrt(d * d + s * s)};
    for (int i = 0; i < 3; ++i) {
      g[i] += basis[i] * w * p.y;
      for (int j = 0; j < 3; ++j) h[i][j] += basis[i] * basis[j];
    }
  }
  for (int i = 0; i < 3; ++i) h[i][i] *= 1.0 + 1e-10;
  // Cholesky of a 3 x 3.
  double l[3][3] = {};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = h[i][j];
      for (int k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      if (i == j) {
        if (!(sum > 0.0)) return std::numeric_limits<double>::infinity();
        l[i][i] = std::sqrt(sum);
      } else {
        l[i][j] = sum / l[j][j];
      }
    }
  }
  double x[3];
  for (int i = 0; i < 3; ++i) {
    x[i] = g[i];
    for (int k = 0; k < i; ++k) x[i] -= l[i][k] * x[k];
    x[i] /= l[i][i];
  }
  for (int i = 2; i >= 0; --i) {
    for (int k = i + 1; k < 3; ++k) x[i] -= l[k][i] * x[k];
    x[i] /= l[i][i];
  }
  f.m = m;
  f.s = s;
  f.b = std::max(x[2], 1e-6);
  f.rho = std::clamp(x[1] / f.b, -0.995, 0.995);
  settle_level(samples, f);
  double cost = 0.0;
  for (const Sample& p : samples) {
    const double r = p.robust * p.weight * (std::sqrt(std::max(f.at(p.z), 1e-12)) - p.sigma);
    cost += r * r;
  }
  return cost;
}

double density_sign_of(const Shape& f, const Scale& scale, double z) {
  const double d = z - f.m;
  const double root = std::sqrt(d * d + f.s * f.s);
  const double w = f.at(z) * scale.variance;
  const double slope = f.b * (f.rho + d / root) * scale.variance / scale.deviation;
  const double bend = f.b * f.s * f.s / (root * root * root) * scale.variance / (scale.deviation * scale.deviation);
  const double k = z * scale.deviation;
  const double first = 1.0 - 0.5 * k * slope / w;
  return first * first - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend;
}

// The problem of one slice.
class Fitter {
 public:
  Fitter(std::vector<Sample> samples, Scale scale) : samples_(std::move(samples)), scale_(scale) {
    low_ = samples_.front().z;
    high_ = samples_.back().z;
  }

  std::span<Sample> samples() { return samples_; }
  double low() const { return low_; }
  double high() const { return high_; }
  void penalise() { penalised_ = true; }

  double minimum_density(const Shape& f) const {
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kPenaltyPoints; ++i) least = std::min(least, density_sign_of(f, scale_, penalty_place(i)));
    return least;
  }

  // Weighted sum of squares of a shape, penalties left out.
  double cost(const Shape& f) const {
    double sum = 0.0;
    for (const Sample& p : samples_) {
      const double r = p.robust * p.weight * (std::sqrt(std::max(f.at(p.z), 1e-14)) - p.sigma);
      sum += r * r;
    }
    return sum;
  }

  // Levenberg-Marquardt from `c`; returns the cost reached.
  double descend(Coordinates& c) const {
    double cost = evaluate(c, nullptr, nullptr);
    double damping = 1e-3;
    for (int iteration = 0; iteration < 60; ++iteration) {
      double h[kParameters][kParameters] = {}, g[kParameters] = {};
      evaluate(c, h, g);
      bool moved = false;
      double gain = 0.0;
      for (int attempt = 0; attempt < 8; ++attempt) {
        Coordinates step;
        if (!solve(h, g, damping, step)) {
          damping = std::max(10.0 * damping, 1e-8);
          continue;
        }
        Coordinates next = c;
        for (int i = 0; i < kParameters; ++i) {
          next[i] = std::clamp(c[i] - std::clamp(step[i], -2.0, 2.0), kLeast[i], kMost[i]);
        }
        const double trial = evaluate(next, nullptr, nullptr);
        if (trial < cost) {
          gain = cost - trial;
          c = next;
          cost = trial;
          damping = std::max(0.2 * damping, 1e-12);
          moved = true;
          break;
        }
        damping = std::max(8.0 * damping, 1e-9);
      }
      if (!moved || gain <= 1e-10 * cost || cost < 1e-26) break;
    }
    return cost;
  }

 private:
  // A smile without a minimum in sight runs off along a valley; these ends are far beyond any quoted one.
  static constexpr Coordinates kLeast = {-14.0, -14.0, -5.0, -40.0, -7.0};
  static constexpr Coordinates kMost = {6.0, 8.0, 5.0, 40.0, 5.0};

  static constexpr double kMostWing = 1.9, kWingStiffness = 1e3;

  double penalty_place(int i) const {
    return low_ + (high_ - low_) * static_cast<double>(i) / static_cast<double>(kPenaltyPoints - 1);
  }

  double evaluate(const Coordinates& c, double (*h)[kParameters], double* g) const {
    const Shape f = shape_of(c);
    const double lowest = std::exp(c[0]);
    const double inverse_cosh = 1.0 / std::cosh(c[2]);
    double cost = 0.0;
    for (const Sample& p : samples_) {
      const double d = p.z - f.m;
      const double root = std::sqrt(d * d + f.s * f.s);
      const double y = f.a + f.b * (f.rho * d + root);
      const double sigma = std::sqrt(std::max(y, 1e-14));
      const double w = p.robust * p.weight;
      const double r = w * (sigma - p.sigma);
      cost += r * r;
      if (h == nullptr) continue;
      const double chain = w / (2.0 * sigma);
      // dy by coordinate; a = lowest - b s / cosh.
      const double j[kParameters] = {chain * lowest, chain * f.b * (f.rho * d + root - f.s * inverse_cosh),
                                     chain * f.b * (d * inverse_cosh * inverse_cosh + f.s * f.rho * inverse_cosh),
                                     chain * -f.b * (f.rho + d / root),
                                     chain * f.b * f.s * (f.s / root - inverse_cosh)};
      add(j, r, h, g);
    }
    // Total variance cannot rise faster than 2 |k| (R. Lee, "The moment formula", Mathematical Finance 14, 2004);
    // without the bound a smile of one wing runs off to a steep hyperbola whose other wing is nonsense.
    const double unit = scale_.variance / scale_.deviation;
    const double wing = f.b * unit * (1.0 + std::abs(f.rho));
    if (wing > kMostWing) {
      const double r = kWingStiffness * (wing - kMostWing);
      cost += r * r;
      if (h != nullptr) {
        const double side = f.rho < 0.0 ? -1.0 : 1.0;
        const double j[kParameters] = {0.0, kWingStiffness * wing,
                                       kWingStiffness * f.b * unit * side * inverse_cosh * inverse_cosh, 0.0, 0.0};
        add(j, r, h, g);
      }
    }
    if (penalised_) {
      for (int i = 0; i < kPenaltyPoints; ++i) {
        const double r = penalty(f, i);
        cost += r * r;
        if (h == nullptr || r == 0.0) continue;
        double j[kParameters];
        for (int q = 0; q < kParameters; ++q) {
          Coordinates moved = c;
          moved[q] += 1e-6;
          j[q] = (penalty(shape_of(moved), i) - r) / 1e-6;
        }
        add(j, r, h, g);
      }
    }
    return cost;
  }

  double penalty(const Shape& f, int i) const {
    constexpr double kMargin = 0.002, kStiffness = 300.0;
    const double miss = kMargin - density_sign_of(f, scale_, penalty_place(i));
    return miss > 0.0 ? kStiffness * miss : 0.0;
  }

  static void add(const double* j, double r, double (*h)[kParameters], double* g) {
    for (int a = 0; a < kParameters; ++a) {
      g[a] += j[a] * r;
      for (int b = 0; b <= a; ++b) h[a][b] += j[a] * j[b];
    }
  }

  static bool solve(const double (*h)[kParameters], const double* g, double damping, Coordinates& x) {
    double l[kParameters][kParameters] = {};
    for (int i = 0; i < kParameters; ++i) {
      for (int j = 0; j <= i; ++j) {
        double sum = h[i][j];
        if (i == j) sum += damping * h[i][i] + 1e-14;
        for (int k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
        if (i == j) {
          if (!(sum > 0.0)) return false;
          l[i][i] = std::sqrt(sum);
        } else {
          l[i][j] = sum / l[j][j];
        }
      }
    }
    for (int i = 0; i < kParameters; ++i) {
      x[i] = g[i];
      for (int k = 0; k < i; ++k) x[i] -= l[i][k] * x[k];
      x[i] /= l[i][i];
    }
    for (int i = kParameters - 1; i >= 0; --i) {
      for (int k = i + 1; k < kParameters; ++k) x[i] -= l[k][i] * x[k];
      x[i] /= l[i][i];
    }
    return true;
  }

  std::vector<Sample> samples_;
  Scale scale_;
  double low_ = 0.0, high_ = 0.0;
  bool penalised_ = false;
};

// Huber weights from the residuals of a fit; false if no point is an outlier.
bool reweigh(std::span<Sample> samples, const Shape& f) {
  std::vector<double> size;
  for (const Sample& p : samples) size.push_back(std::abs(p.weight * (std::sqrt(std::max(f.at(p.z), 0.0)) - p.sigma)));
  std::vector<double> sorted = size;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
  // Half a quote's spread is what a point may be off in any case.
  const double bound = 2.5 * std::max(1.4826 * sorted[sorted.size() / 2], 0.5);
  bool changed = false;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double robust = size[i] > bound ? std::sqrt(bound / size[i]) : 1.0;
    changed |= std::abs(robust - samples[i].robust) > 1e-3;
    samples[i].robust = robust;
  }
  return changed;
}

double total_deviation(const SmileCurve& smile, double k) {
  return std::sqrt(std::max(smile.total_variance(k), 1e-300));
}

// Root of a continuous function with a sign change in [a, b] by the Illinois method.
template <class Function>
std::optional<double> root_between(Function&& f, double a, double b) {
  double fa = f(a), fb = f(b);
  if (fa == 0.0) return a;
  if (fb == 0.0) return b;
  if (!(fa * fb < 0.0)) return std::nullopt;
  for (int i = 0; i < 200; ++i) {
    double x = (a * fb - b * fa) / (fb - fa);
    if (!(x > std::min(a, b) && x < std::max(a, b))) x = 0.5 * (a + b);
    const double fx = f(x);
    if (fx == 0.0 || std::abs(b - a) <= 1e-15 * (1.0 + std::abs(x))) return x;
    if (fx * fb < 0.0) {
      a = b;
      fa = fb;
    } else {
      fa *= 0.5;
    }
    if (std::abs(x - b) <= 1e-14 * std::max(std::abs(x), 1e-6)) return x;
    b = x;
    fb = fx;
  }
  return b;
}

// f changes sign between the money and 12 deviations to one side or the other; the nearest change is taken.
template <class Function>
std::optional<double> root_from_money(const SmileCurve& smile, Function&& f) {
  const double deviation = total_deviation(smile, 0.0);
  const double at_money = f(0.0);
  double inner = 0.0;
  for (int i = 1; i <= 24; ++i) {
    const double outer = 0.5 * static_cast<double>(i) * deviation;
    for (const double side : {1.0, -1.0}) {
      if (f(side * outer) * at_money <= 0.0) return root_between(f, side * inner, side * outer);
    }
    inner = outer;
  }
  return std::nullopt;
}

}  // namespace

double density_sign(const SmileCurve& smile, double k) {
  return density_sign_of({smile.a, smile.b, smile.rho, smile.m, smile.s}, {}, k);
}

double butterfly_score(const SmileCurve& smile, double low, double high) {
  if (smile.b == 0.0) return 0.0;
  double least = 0.0;
  for (int i = 0; i <= 40; ++i) least = std::min(least, density_sign(smile, low + (high - low) * i / 40.0));
  return least < 0.0 ? -least : 0.0;
}

double calendar_score(const SmileCurve& near, const SmileCurve& far, double low, double high) {
  double worst = 0.0;
  for (int i = 0; i <= 40; ++i) {
    const double k = low + (high - low) * i / 40.0;
    const double before = near.total_variance(k);
    if (before > 0.0) worst = std::max(worst, (before - far.total_variance(k)) / before);
  }
  return worst;
}

SmileFit fit_smile(std::span<const SmilePoint> points, double tau) {
  SmileFit fit;
  fit.points = static_cast<int>(points.size());
  if (points.empty()) return fit;
  fit.low = points.front().k;
  fit.high = points.back().k;

  // The level near the money sets the units.
  double top = 0.0, bottom = 0.0;
  for (const SmilePoint& p : points) {
    const double weight = 1.0 / ((p.error * p.error) * (1.0 + p.k * p.k / (p.sigma * p.sigma * tau)));
    top += weight * p.sigma;
    bottom += weight;
  }
  const double level = top / bottom;
  Scale scale = {level * std::sqrt(tau), level * level * tau};
  std::vector<Sample> samples;
  samples.reserve(points.size());
  for (const SmilePoint& p : points) {
    const double sigma = p.sigma / level;
    samples.push_back({p.k / scale.deviation, sigma * sigma, sigma, level / p.error});
  }

  Shape shape;
  if (points.size() < 3) {
    fit.kind = SmileKind::kFlat;
    double sum = 0.0, weights = 0.0;
    for (const SmilePoint& p : points) sum += p.sigma / (p.error * p.error), weights += 1.0 / (p.error * p.error);
    fit.smile = {sum / weights * (sum / weights) * tau, 0.0, 0.0, 0.0, 0.0, tau};
  } else {
    double best = std::numeric_limits<double>::infinity();
    constexpr double kPlaces[] = {-1.5, -0.4, 0.3, 1.0, 2.5};
    constexpr double kWidths[] = {0.2, 0.7, 2.0};
    const bool full = points.size() >= 5;
    for (const double m : kPlaces) {
      for (const double s : kWidths) {
        if (!full && (m != 0.3 || s != 0.7)) continue;
        Shape trial;
        const double cost = solve_linear(samples, m, s, trial);
        if (cost < best) best = cost, shape = trial;
      }
    }
    if (!std::isfinite(best)) shape = {1.0, 1e-6, 0.0, 0.0, 1.0};
    fit.kind = full ? SmileKind::kSvi : SmileKind::kSviFixedPlace;
    if (full) {
      Fitter fitter(samples, scale);
      Coordinates c = coordinates_of(shape);
      fitter.descend(c);
      for (int round = 0; round < 4 && reweigh(fitter.samples(), shape_of(c)); ++round) fitter.descend(c);
      if (fitter.minimum_density(shape_of(c)) < 0.0) {
        fitter.penalise();
        fitter.descend(c);
      }
      shape = shape_of(c);
      // A level smile is at the far end of these coordinates, where their gradient vanishes; it is tried by itself.
      const Shape flat = {1.0, 0.0, 0.0, 0.0, 1.0};
      if (fitter.cost(flat) <= fitter.cost(shape) + 1e-9) shape = flat;
    }
    // Points that contradict each other can outweigh the penalty on steep wings.
    const double most = 2.0 * scale.deviation / (scale.variance * (1.0 + std::abs(shape.rho)));
    if (shape.b > most) {
      shape.b = most;
      settle_level(samples, shape);
    }
    fit.smile = curve_of(shape, scale, tau);
  }

  double squares = 0.0, weights = 0.0;
  for (const SmilePoint& p : points) {
    const double miss = fit.smile.volatility(p.k) - p.sigma;
    squares += miss * miss / (p.error * p.error);
    weights += 1.0 / (p.error * p.error);
  }
  fit.residual = std::sqrt(squares / weights);
  fit.butterfly = butterfly_score(fit.smile, fit.low, fit.high);
  return fit;
}

SmileCurve move_smile(const SmileCurve& smile, double tau) {
  const double ratio = tau / smile.tau;
  const double root = std::sqrt(ratio);
  return {smile.a * ratio, smile.b * root, smile.rho, smile.m * root, smile.s * root, tau};
}

std::optional<double> k_of_delta(const SmileCurve& smile, double delta, double dividend_yield) {
  const double right = delta > 0.0 ? 1.0 : -1.0;
  const double target = std::abs(delta) * std::exp(dividend_yield * smile.tau);
  if (!(target < 1.0)) return std::nullopt;
  return root_from_money(smile, [&](double k) {
    const double v = total_deviation(smile, k);
    return formulas::normal_distribution(right * (0.5 * v - k / v)) - target;
  });
}

double risk_neutral_cdf(const SmileCurve& smile, double k) {
  const double v = total_deviation(smile, k);
  const double d2 = -k / v - 0.5 * v;
  const double d = k - smile.m;
  const double root = std::sqrt(d * d + smile.s * smile.s);
  const double slope = root > 0.0 ? smile.b * (smile.rho + d / root) : 0.0;  // dw/dk; d(deviation)/dk = slope / 2v
  return formulas::normal_distribution(-d2) + formulas::normal_density(d2) * 0.5 * slope / v;
}

std::optional<double> k_of_probability(const SmileCurve& smile, double probability) {
  return root_from_money(smile, [&](double k) { return risk_neutral_cdf(smile, k) - probability; });
}

}  // namespace greekgrid

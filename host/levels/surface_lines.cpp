// Lines on a surface: extrema and roots row by row, linked over time; the level set of DX marched row by row.

#include "greekgrid/host/surface_lines.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "greekgrid/kernels/views.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kNoise = 1e-12;     // of the row's largest magnitude: rounding of sums over a whole book
constexpr double kFlat = 1e-3;       // of the row's largest |GX|: less is singular
constexpr double kSteepest = 3.0;    // times the secant: a cubic with slopes up to it is monotone (Fritsch and Carlson)
constexpr int kMostRootSteps = 200;  // bisection alone needs 60

void check_surface(const SessionSurface& s) {
  const std::size_t size = s.time.size() * s.spot.size();
  if (s.dx.size() != size || s.gx.size() != size || s.charm.size() != size) {
    throw std::invalid_argument("a surface's dx, gx and charm are (times, spots)");
  }
  if (std::adjacent_find(s.time.begin(), s.time.end(), std::greater_equal<>()) != s.time.end()) {
    throw std::invalid_argument("the times of a surface strictly increase");
  }
  for (std::size_t j = 0; j < s.spot.size(); ++j) {
    if (!(s.spot[j] > (j == 0 ? 0.0 : s.spot[j - 1])) || !std::isfinite(s.spot[j])) {
      throw std::invalid_argument("the spots of a surface are positive, finite and strictly increase");
    }
  }
}

// Largest magnitude of a row; NaN if a sample is not finite.
double largest_magnitude(std::span<const double> row) {
  double largest = 0.0;
  double broken = 0.0;  // becomes NaN
  for (const double x : row) {
    broken += x - x;
    largest = std::abs(x) > largest ? std::abs(x) : largest;
  }
  return largest + broken;
}

// A cubic over one step of the grid, in u = (S - low)/(high - low).
struct Cubic {
  double c0 = 0.0, c1 = 0.0, c2 = 0.0, c3 = 0.0;

  // By values at both ends and slopes per step.
  static Cubic hermite(double f0, double f1, double m0, double m1) {
    const double rise = f1 - f0;
    return {f0, m0, 3.0 * rise - 2.0 * m0 - m1, m0 + m1 - 2.0 * rise};
  }
  [[nodiscard]] double value(double u) const { return c0 + u * (c1 + u * (c2 + u * c3)); }
  [[nodiscard]] double slope(double u) const { return c1 + u * (2.0 * c2 + u * 3.0 * c3); }
};

// Root of a cubic less a target in [low, high], monotone there, where it takes the values at_low and at_high of
// opposite sign or 0: Newton steps inside a bracket that every step shrinks.
double root_of(Cubic cubic, double target, double low, double high, double at_low, double at_high) {
  if (at_low == 0.0) return low;
  if (at_high == 0.0) return high;
  // Taken off first, so that near the root nothing as large as the level itself is rounded.
  cubic.c0 -= target;
  double u = (low * at_high - high * at_low) / (at_high - at_low);
  if (!(u > low && u < high)) u = 0.5 * (low + high);
  for (int step = 0; step < kMostRootSteps; ++step) {
    const double value = cubic.value(u);
    if (value == 0.0) return u;
    ((value > 0.0) == (at_high > 0.0) ? high : low) = u;
    double next = u - value / cubic.slope(u);
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    const double moved = std::abs(next - u);
    u = next;
    if (moved <= kEpsilon * u || high - low <= kEpsilon * high) break;
  }
  return u;
}

// ---- Lines ----

// A point on its way into a line.
struct Candidate {
  LinePoint point;
  double log_spot = 0.0;
  int direction = 0;  // of a contour's change of sign; 0 for ridges
  std::size_t line = 0;
};

// Extremum of a row, or one of its ends: ground that prominence is measured against.
struct Extremum {
  double log_spot = 0.0, value = 0.0;
  int sign = 0;  // +1 maximum, -1 minimum, 0 ground only
};

// Links points of one kind, instant by instant.
class Linker {
 public:
  Linker(LineKind kind, double most_jump, std::vector<SurfaceLine>& lines)
      : kind_(kind), most_jump_(most_jump), lines_(lines) {}

  // The points of the instant being collected, in ascending spot.
  std::vector<Candidate>& points() { return now_; }

  void end_instant() {
    match();
    for (Candidate& c : now_) {
      if (c.line == kNone) {
        c.line = lines_.size();
        lines_.push_back({kind_, {}, 0.0});
      }
      SurfaceLine& line = lines_[c.line];
      line.point.push_back(c.point);
      line.strength = std::max(line.strength, c.point.strength);
    }
    before_.swap(now_);
    now_.clear();
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  static double distance(const Candidate& a, const Candidate& b) {
    if (a.direction != b.direction) return std::numeric_limits<double>::infinity();
    return std::abs(a.log_spot - b.log_spot);  // beyond most_jump_ two points alone cost less
  }

  // Least cost of matching the first i points before with the first k now, and back along the choices.
  void match() {
    const std::size_t rows = before_.size();
    const std::size_t width = now_.size() + 1;
    for (Candidate& c : now_) c.line = kNone;
    if (rows == 0 || width == 1) return;
    const double alone = 0.5 * most_jump_;
    cost_.resize((rows + 1) * width);
    for (std::size_t k = 0; k < width; ++k) cost_[k] = static_cast<double>(k) * alone;
    for (std::size_t i = 1; i <= rows; ++i) {
      cost_[i * width] = static_cast<double>(i) * alone;
      for (std::size_t k = 1; k < width; ++k) {
        const double together = cost_[(i - 1) * width + k - 1] + distance(before_[i - 1], now_[k - 1]);
        const double apart = std::min(cost_[(i - 1) * width + k], cost_[i * width + k - 1]) + alone;
        cost_[i * width + k] = std::min(together, apart);
      }
    }
    for (std::size_t i = rows, k = width - 1; i > 0 && k > 0;) {
      const double here = cost_[i * width + k];
      if (here == cost_[(i - 1) * width + k - 1] + distance(before_[i - 1], now_[k - 1])) {
        now_[k - 1].line = before_[i - 1].line;
        --i, --k;
      } else if (here == cost_[(i - 1) * width + k] + alone) {
        --i;
      } else {
        --k;
      }
    }
  }

  LineKind kind_;
  double most_jump_;
  std::vector<SurfaceLine>& lines_;
  std::vector<Candidate> before_, now_;
  std::vector<double> cost_;
};

// Vertex of the parabola through the samples j - 1, j, j + 1 in ln spot, j being the extremum among them.
Extremum vertex(std::span<const double> row, std::span<const double> log_spot, std::size_t j, int sign) {
  const double before = log_spot[j] - log_spot[j - 1];
  const double after = log_spot[j + 1] - log_spot[j];
  const double fall_before = (row[j - 1] - row[j]) / before;
  const double fall_after = (row[j + 1] - row[j]) / after;
  const double curvature = (fall_before + fall_after) / (before + after);
  const double slope = fall_after - curvature * after;
  if (curvature == 0.0) return {log_spot[j], row[j], sign};  // falls that underflow
  const double shift = -0.5 * slope / curvature;
  return {log_spot[j] + shift, row[j] + 0.5 * slope * shift, sign};
}

// The extrema of a row and its two ends, in ascending spot.
void find_extrema(std::span<const double> row, std::span<const double> log_spot, std::vector<Extremum>& extrema) {
  extrema.clear();
  const std::size_t spots = row.size();
  for (std::size_t first = 0, last = 0; first < spots; first = last + 1) {
    last = first;
    while (last + 1 < spots && row[last + 1] == row[first]) ++last;
    if (first == 0 || last + 1 == spots) {
      extrema.push_back({log_spot[first], row[first], 0});
      continue;
    }
    const bool high = row[first - 1] < row[first] && row[last + 1] < row[first];
    const bool low = row[first - 1] > row[first] && row[last + 1] > row[first];
    if (!high && !low) continue;
    const int sign = high ? 1 : -1;
    if (first < last && row[first] == 0.0) {
      extrema.push_back({log_spot[first], 0.0, 0});
    } else if (last - first > 1) {
      extrema.push_back({0.5 * (log_spot[first] + log_spot[last]), row[first], sign});
    } else {
      extrema.push_back(vertex(row, log_spot, first, sign));
    }
  }
}

double prominence(const std::vector<Extremum>& extrema, std::size_t i) {
  const double sign = extrema[i].sign;
  const double height = sign * extrema[i].value;
  double low_before = height;
  for (std::size_t j = i; j-- > 0 && sign * extrema[j].value <= height;) {
    low_before = std::min(low_before, sign * extrema[j].value);
  }
  double low_after = height;
  for (std::size_t j = i + 1; j < extrema.size() && sign * extrema[j].value <= height; ++j) {
    low_after = std::min(low_after, sign * extrema[j].value);
  }
  return height - std::max(low_before, low_after);
}

// Slope of the monotone cubic at sample j; the end samples take that of the parabola through the last three.
double monotone_slope(std::span<const double> row, std::span<const double> spot, std::size_t j) {
  const auto step = [&](std::size_t i) { return spot[i + 1] - spot[i]; };
  const auto secant = [&](std::size_t i) { return (row[i + 1] - row[i]) / step(i); };
  const std::size_t last = row.size() - 1;
  if (last == 1) return secant(0);
  if (j == 0 || j == last) {
    const std::size_t end = j == 0 ? 0 : last - 1;
    const std::size_t inner = j == 0 ? 1 : last - 2;
    const double at_end = secant(end);
    const double slope = at_end + (at_end - secant(inner)) * step(end) / (step(end) + step(inner));
    return (slope > 0.0) == (at_end > 0.0)
               ? std::copysign(std::min(std::abs(slope), kSteepest * std::abs(at_end)), slope)
               : 0.0;
  }
  const double before = secant(j - 1);
  const double after = secant(j);
  if (before == 0.0 || after == 0.0 || (before > 0.0) != (after > 0.0)) return 0.0;
  const double slope = (before * step(j) + after * step(j - 1)) / (step(j - 1) + step(j));
  return std::copysign(std::min(std::abs(slope), kSteepest * std::min(std::abs(before), std::abs(after))), slope);
}

// Root between the consecutive signed samples i and k, of opposite sign; what lies between them is 0.
LinePoint contour_point(std::span<const double> row, std::span<const double> spot, std::size_t i, std::size_t k) {
  LinePoint point;
  if (k == i + 1) {
    const double step = spot[k] - spot[i];
    const auto cubic =
        Cubic::hermite(row[i], row[k], step * monotone_slope(row, spot, i), step * monotone_slope(row, spot, k));
    const double u = root_of(cubic, 0.0, 0.0, 1.0, row[i], row[k]);
    point.spot = spot[i] + u * step;
    point.value = cubic.slope(u) / step;
  } else if (k == i + 2) {
    point.spot = spot[i + 1];
    point.value = monotone_slope(row, spot, i + 1);
  } else {
    point.spot = std::sqrt(spot[i + 1] * spot[k - 1]);
    point.value = (row[k] - row[i]) / (spot[k] - spot[i]);
  }
  return point;
}

// The changes of sign of a row whose samples without a sign are 0, in ascending spot.
void find_contours(std::span<const double> row, std::span<const double> spot, double least, std::int32_t time,
                   std::vector<Candidate>& points) {
  std::size_t before = row.size();
  double side = 0.0;  // largest magnitude since the last change of sign
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (row[j] == 0.0) continue;
    if (before < row.size() && (row[j] > 0.0) != (row[before] > 0.0)) {
      if (!points.empty()) points.back().point.strength = std::min(points.back().point.strength, side);
      Candidate c;
      c.point = contour_point(row, spot, before, j);
      c.point.time = time;
      c.point.strength = side;
      c.direction = row[j] > 0.0 ? 1 : -1;
      c.log_spot = std::log(c.point.spot);
      points.push_back(c);
      side = 0.0;
    }
    side = std::max(side, std::abs(row[j]));
    before = j;
  }
  if (!points.empty()) points.back().point.strength = std::min(points.back().point.strength, side);
  std::erase_if(points, [&](const Candidate& c) { return c.point.strength < least; });
}

}  // namespace

std::vector<SurfaceLine> trace_lines(const SessionSurface& surface, const LineThresholds& thresholds) {
  check_surface(surface);
  if (!(thresholds.least_prominence >= 0.0) || !(thresholds.most_jump >= 0.0)) {
    throw std::invalid_argument("thresholds of lines are not negative");
  }
  std::vector<SurfaceLine> lines;
  const std::size_t times = surface.time.size();
  const std::size_t spots = surface.spot.size();
  if (times == 0 || spots < 2) return lines;

  std::vector<double> log_spot(spots);
  for (std::size_t j = 0; j < spots; ++j) log_spot[j] = std::log(surface.spot[j]);
  const double reach = log_spot[spots - 1] - log_spot[0];
  const double jump = std::min(reach, thresholds.most_jump * reach / static_cast<double>(spots - 1));
  const auto row_of = [&](std::span<const double> quantity, std::size_t t) {
    return quantity.subspan(t * spots, spots);
  };

  std::vector<double> row_gamma(times), row_charm(times);  // largest magnitudes; NaN where a sample is not finite
  double largest = 0.0;
  for (std::size_t t = 0; t < times; ++t) {
    row_gamma[t] = largest_magnitude(row_of(surface.gx, t));
    row_charm[t] = largest_magnitude(row_of(surface.charm, t));
    if (row_gamma[t] > largest) largest = row_gamma[t];
  }

  std::vector<Extremum> extrema;
  for (const LineKind kind : {LineKind::kGammaRidgeHigh, LineKind::kGammaRidgeLow}) {
    Linker linker(kind, jump, lines);
    const int sign = kind == LineKind::kGammaRidgeHigh ? 1 : -1;
    for (std::size_t t = 0; t < times; ++t) {
      const auto row = row_of(surface.gx, t);
      if (row_gamma[t] > 0.0) {
        find_extrema(row, log_spot, extrema);
        for (std::size_t i = 0; i < extrema.size(); ++i) {
          if (extrema[i].sign != sign) continue;
          const double strength = prominence(extrema, i);
          if (strength < thresholds.least_prominence * largest) continue;
          const LinePoint point = {static_cast<std::int32_t>(t), std::exp(extrema[i].log_spot), extrema[i].value,
                                   strength};
          linker.points().push_back({point, extrema[i].log_spot, 0, 0});
        }
      }
      linker.end_instant();
    }
  }

  std::vector<double> signed_row(spots);
  for (const LineKind kind : {LineKind::kZeroGamma, LineKind::kZeroCharm}) {
    Linker linker(kind, jump, lines);
    for (std::size_t t = 0; t < times; ++t) {
      const auto row = row_of(kind == LineKind::kZeroGamma ? surface.gx : surface.charm, t);
      const double most = kind == LineKind::kZeroGamma ? row_gamma[t] : row_charm[t];
      if (most > 0.0) {
        for (std::size_t j = 0; j < spots; ++j) signed_row[j] = std::abs(row[j]) <= kNoise * most ? 0.0 : row[j];
        find_contours(signed_row, surface.spot, thresholds.least_prominence * most, static_cast<std::int32_t>(t),
                      linker.points());
      }
      linker.end_instant();
    }
  }
  std::erase_if(lines, [&](const SurfaceLine& line) { return line.point.size() < thresholds.least_instants; });
  return lines;
}

// ---- The path of least resistance ----

namespace {

// DX along spot at one instant.
class DeltaRow {
 public:
  DeltaRow(const SessionSurface& s, std::size_t t)
      : spot_(s.spot),
        dx_(s.dx.subspan(t * s.spot.size(), s.spot.size())),
        gx_(s.gx.subspan(t * s.spot.size(), s.spot.size())) {
    largest_gamma_ = largest_magnitude(gx_);
    ripple_ = kNoise * largest_magnitude(dx_);
  }

  [[nodiscard]] bool finite() const { return !std::isnan(largest_gamma_) && !std::isnan(ripple_); }
  [[nodiscard]] double largest_gamma() const { return largest_gamma_; }
  [[nodiscard]] double ripple() const { return ripple_; }
  [[nodiscard]] double lowest_spot() const { return spot_.front(); }
  [[nodiscard]] double highest_spot() const { return spot_.back(); }
  [[nodiscard]] double lowest_dx() const { return dx_.front(); }
  [[nodiscard]] double highest_dx() const { return dx_.back(); }

  // The step that holds a spot of the grid: the one above it where it is a sample, but for the last.
  [[nodiscard]] std::size_t step_of(double spot) const {
    const auto above = std::upper_bound(spot_.begin(), spot_.end(), spot) - spot_.begin();
    return static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(above - 1, 0, static_cast<std::ptrdiff_t>(spot_.size()) - 2));
  }
  [[nodiscard]] double width(std::size_t j) const { return spot_[j + 1] - spot_[j]; }
  [[nodiscard]] double place(std::size_t j, double spot) const { return (spot - spot_[j]) / width(j); }
  [[nodiscard]] double spot_at(std::size_t j, double u) const {
    return u == 1.0 ? spot_[j + 1] : spot_[j] + u * width(j);
  }
  // Exact at samples.
  [[nodiscard]] double value_at(std::size_t j, const Cubic& c, double u) const {
    return u == 0.0 ? dx_[j] : u == 1.0 ? dx_[j + 1] : c.value(u);
  }

  [[nodiscard]] Cubic cubic(std::size_t j) const {
    const double rise = dx_[j + 1] - dx_[j];
    double low = gx_[j] * width(j);
    double high = gx_[j + 1] * width(j);
    if (agree(low, high, rise)) {
      const double most = kSteepest * std::abs(rise);
      low = std::clamp(low, -most, most);
      high = std::clamp(high, -most, most);
    }
    return Cubic::hermite(dx_[j], dx_[j + 1], low, high);
  }

  [[nodiscard]] double value(double spot) const {
    const std::size_t j = step_of(spot);
    return value_at(j, cubic(j), place(j, spot));
  }
  [[nodiscard]] double slope(double spot) const {
    const std::size_t j = step_of(spot);
    return cubic(j).slope(place(j, spot)) / width(j);
  }

  // Where the cubic of a step turns, ascending places strictly inside it.
  struct Turns {
    std::array<double, 2> u{};
    std::size_t count = 0;
  };
  [[nodiscard]] Turns turns(std::size_t j, const Cubic& c) const {
    Turns turns;
    const double width_j = width(j);
    if (agree(gx_[j] * width_j, gx_[j + 1] * width_j, dx_[j + 1] - dx_[j])) return turns;
    const double a = 3.0 * c.c3;
    const double b = 2.0 * c.c2;
    const double discriminant = b * b - 4.0 * a * c.c1;
    if (!(discriminant > 0.0)) return turns;
    const double q = -0.5 * (b + std::copysign(std::sqrt(discriminant), b));
    const auto add = [&](double u) {
      if (u > 0.0 && u < 1.0) turns.u[turns.count++] = u;
    };
    if (a != 0.0) add(q / a);
    if (q != 0.0) add(c.c1 / q);
    if (turns.count == 2 && turns.u[0] > turns.u[1]) std::swap(turns.u[0], turns.u[1]);
    return turns;
  }

  // A stretch of one step where the cubic is monotone, from the walker's side to the far one.
  struct Piece {
    std::size_t step = 0;
    Cubic cubic;
    double from = 0.0, to = 0.0;        // places
    double at_from = 0.0, at_to = 0.0;  // DX
  };

  // Walks from a spot towards higher (direction +1) or lower (-1) spots, piece by piece, until visit(piece) returns
  // true or the grid ends. @returns whether it was stopped
  template <class Visit>
  bool walk(double spot, int direction, Visit visit) const {
    std::size_t j = step_of(spot);
    double from = place(j, spot);
    const double end = direction > 0 ? 1.0 : 0.0;
    const double begin = 1.0 - end;
    for (;; from = begin) {
      if (from != end) {
        const Cubic c = cubic(j);
        const Turns turn = turns(j, c);
        Piece piece = {j, c, from, from, 0.0, value_at(j, c, from)};
        for (std::size_t i = 0; i <= turn.count; ++i) {
          const double to = i == turn.count ? end : direction > 0 ? turn.u[i] : turn.u[turn.count - 1 - i];
          if (!(direction > 0 ? to > piece.to : to < piece.to)) continue;
          piece.from = piece.to;
          piece.at_from = piece.at_to;
          piece.to = to;
          piece.at_to = value_at(j, c, to);
          if (visit(static_cast<const Piece&>(piece))) return true;
        }
      }
      if (direction > 0 ? j + 2 >= spot_.size() : j == 0) return false;
      j += direction;
    }
  }

  // The spot of a piece where DX is the target, which lies between its ends.
  [[nodiscard]] double solve(const Piece& p, double target) const {
    const bool up = p.from < p.to;
    const double u = up ? root_of(p.cubic, target, p.from, p.to, p.at_from - target, p.at_to - target)
                        : root_of(p.cubic, target, p.to, p.from, p.at_to - target, p.at_from - target);
    return spot_at(p.step, u);
  }

 private:
  // Slopes and difference of one sign: the cubic is monotone once its slopes are cut.
  static bool agree(double low, double high, double rise) {
    return rise > 0.0 ? low >= 0.0 && high >= 0.0 : rise < 0.0 && low <= 0.0 && high <= 0.0;
  }

  std::span<const double> spot_, dx_, gx_;
  double largest_gamma_ = 0.0;
  double ripple_ = 0.0;
};

struct RowRoot {
  PathStatus status = PathStatus::kSingular;  // kOk: found
  double spot = kNaN;
};

// The root on the branch of a row that holds a spot; sign is that of GX on the branch.
RowRoot root_on_branch(const DeltaRow& row, double spot, double sign, double level) {
  const double short_of = sign * (level - row.value(spot));
  if (short_of == 0.0) return {PathStatus::kOk, spot};
  const int direction = short_of > 0.0 ? 1 : -1;
  RowRoot root;
  const bool stopped = row.walk(spot, direction, [&](const DeltaRow::Piece& p) {
    // Along a branch DX runs towards the level; that it runs away is a fold.
    if (direction * sign * (p.at_to - p.at_from) < -row.ripple()) return true;
    if (direction * sign * (p.at_to - level) < 0.0) return false;
    root = {PathStatus::kOk, row.solve(p, level)};
    return true;
  });
  if (!stopped) root.status = PathStatus::kLeftGrid;
  return root;
}

// The root of a row nearest to the predictor among those with the sign of GX on the last row's branch.
RowRoot root_near_branch(const DeltaRow& row, const DeltaRow& last, double spot, double sign, double level,
                         double predictor) {
  std::array<double, 2> end = {last.lowest_spot(), last.highest_spot()};
  for (const int direction : {-1, 1}) {
    last.walk(spot, direction, [&](const DeltaRow::Piece& p) {
      if (direction * sign * (p.at_to - p.at_from) >= -last.ripple()) return false;
      end[direction > 0] = last.spot_at(p.step, p.from);
      return true;
    });
  }
  RowRoot root;
  row.walk(end[0], 1, [&](const DeltaRow::Piece& p) {
    if (row.spot_at(p.step, p.from) > end[1]) return true;
    if (!(sign * (p.at_from - level) <= 0.0 && sign * (p.at_to - level) >= 0.0 && p.at_from != p.at_to)) return false;
    const double found = row.solve(p, level);
    if (found <= end[1] &&
        (root.status != PathStatus::kOk || std::abs(found - predictor) < std::abs(root.spot - predictor))) {
      root = {PathStatus::kOk, found};
    }
    return false;
  });
  if (root.status == PathStatus::kOk) return root;
  const bool below =
      end[0] == row.lowest_spot() && sign * row.slope(end[0]) > 0.0 && sign * (level - row.lowest_dx()) < 0.0;
  const bool above =
      end[1] == row.highest_spot() && sign * row.slope(end[1]) > 0.0 && sign * (level - row.highest_dx()) > 0.0;
  if (below || above) root.status = PathStatus::kLeftGrid;
  return root;
}

// The nearest spot in a direction where |DX - level| reaches the half band.
double band_edge(const DeltaRow& row, double spot, int direction, double level, double half_band) {
  if (std::abs(row.value(spot) - level) >= half_band) return spot;
  double edge = kNaN;
  row.walk(spot, direction, [&](const DeltaRow::Piece& p) {
    if (std::abs(p.at_to - level) < half_band) return false;
    edge = row.solve(p, level + std::copysign(half_band, p.at_to - level));
    return true;
  });
  return edge;
}

}  // namespace

LeastResistancePath march_path(const SessionSurface& surface, double start_spot, double level, double half_band) {
  check_surface(surface);
  const std::size_t times = surface.time.size();
  const std::size_t spots = surface.spot.size();
  LeastResistancePath path;
  path.spot.assign(times, kNaN);
  path.band_low.assign(times, kNaN);
  path.band_high.assign(times, kNaN);
  path.gamma.assign(times, kNaN);
  path.status.assign(times, PathStatus::kNoData);
  if (times == 0 || spots < 2 || !std::isfinite(start_spot) || !std::isfinite(level)) return path;

  const auto end_with = [&](std::size_t t, PathStatus status) {
    std::fill(path.status.begin() + static_cast<std::ptrdiff_t>(t), path.status.end(), status);
    return path;
  };
  if (start_spot < surface.spot.front() || start_spot > surface.spot.back()) return end_with(0, PathStatus::kLeftGrid);

  double spot = start_spot;
  double gamma = 0.0;
  double sign = 0.0;
  DeltaRow last(surface, 0);
  for (std::size_t t = 0; t < times; ++t) {
    const DeltaRow row(surface, t);
    if (!row.finite()) return end_with(t, PathStatus::kNoData);
    const double flat = kFlat * row.largest_gamma();
    const double slope = row.slope(spot);
    if (row.largest_gamma() == 0.0) return end_with(t, PathStatus::kSingular);
    RowRoot root;
    if (t == 0) {
      if (slope == 0.0) return end_with(t, PathStatus::kSingular);
      sign = slope > 0.0 ? 1.0 : -1.0;
      root = root_on_branch(row, spot, sign, level);
    } else {
      if (sign * slope > 0.0) root = root_on_branch(row, spot, sign, level);
      if (root.status == PathStatus::kSingular) {
        const std::size_t j = row.step_of(spot);
        const double* charm = surface.charm.data() + (t - 1) * spots + j;
        const double drift = charm[0] + row.place(j, spot) * (charm[1] - charm[0]);
        const double years = static_cast<double>(surface.time[t] - surface.time[t - 1]) / kSecondsPerYear;
        const double step = -drift / gamma * years;
        root = root_near_branch(row, last, spot, sign, level, std::isfinite(step) ? spot + step : spot);
      }
    }
    if (root.status != PathStatus::kOk) return end_with(t, root.status);
    spot = root.spot;
    gamma = row.slope(spot);
    if (!(sign * gamma >= flat)) return end_with(t, PathStatus::kSingular);
    path.spot[t] = spot;
    path.gamma[t] = gamma;
    path.status[t] = sign > 0.0 ? PathStatus::kOk : PathStatus::kRepelling;
    if (half_band >= 0.0) {
      path.band_low[t] = band_edge(row, spot, -1, level, half_band);
      path.band_high[t] = band_edge(row, spot, 1, level, half_band);
    }
    last = row;
  }
  return path;
}

}  // namespace greekgrid

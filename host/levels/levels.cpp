// Levels: sums per strike for the walls, bracketed roots of evaluated exposures, bands and ladders by repricing.

#include "greekgrid/host/levels.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "exposure_line.hpp"
#include "greekgrid/host/profile.hpp"
#include "greekgrid/host/smile_fit.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "sign_changes.hpp"

namespace greekgrid {
namespace {

using enum LevelName;

constexpr double kLow = 0.8, kHigh = 1.2;       // of spot: the range searched
constexpr double kMostStep = 2e-4;              // in ln S: one deviation at 4.6 hours is 20 of them
constexpr double kFlipStep = 4e-4;              // likewise, where nothing of the coming session is left
constexpr double kNoise = 1e-12;                // of gross gamma exposure
constexpr double kSlopeNoise = 1e-4;            // of gross: differences of interpolated DX are good to a third of that
constexpr std::size_t kZoom = 16;               // spots that a bracket is looked at closely: two vectors of doubles
constexpr double kGammaLevelRange = 0.25;       // of spot
constexpr std::size_t kBandSpots = 8;           // of the ladder
constexpr double kLeastSpeedProminence = 0.02;  // of the largest |speed|: what stands out less is a ripple
constexpr double kLeastGross = 0.01;  // of the largest gross over the range: spot may lie where there is no gamma

double nan() {
  return std::numeric_limits<double>::quiet_NaN();
}

SpotLine make_line(double most_step) {
  const double width = std::log(kHigh / kLow);
  const auto steps = static_cast<std::size_t>(std::ceil(width / most_step));
  return {std::log(kLow), width / static_cast<double>(steps), steps + 1};
}

struct StrikeSums {
  double strike = 0.0;
  double call = 0.0, put = 0.0;  // sum |n| m gamma
  double net = 0.0;              // sum n m gamma
};

// Sums per strike, ascending; strikes are one where their thousandths are.
std::vector<StrikeSums> sum_strikes(const BookView& book, std::size_t w, std::span<const double> gamma) {
  const std::size_t n = book.contracts();
  std::vector<std::pair<std::int64_t, std::size_t>> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = {std::llround(book.strike[i] * 1000.0), i};
  std::sort(order.begin(), order.end());
  std::vector<StrikeSums> sums;
  std::int64_t at = 0;
  for (const auto& [thousandths, i] : order) {
    if (sums.empty() || thousandths != at) sums.push_back({static_cast<double>(thousandths) / 1000.0, 0.0, 0.0, 0.0});
    at = thousandths;
    const double exposure = book.weight[w * n + i] * gamma[i];
    (book.right[i] > 0 ? sums.back().call : sums.back().put) += std::abs(exposure);
    sums.back().net += exposure;
  }
  return sums;
}

// The strikes of largest positive score among those allowed, largest first; ties go to the strike nearest to spot, then
// the lower.
template <class Allowed, class Score>
std::vector<StrikeSums> largest_strikes(const std::vector<StrikeSums>& strikes, double spot, std::size_t most,
                                        Allowed allowed, Score score) {
  std::vector<StrikeSums> found;
  for (const StrikeSums& strike : strikes) {
    if (allowed(strike.strike) && score(strike) > 0.0) found.push_back(strike);
  }
  const std::size_t count = std::min(most, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                    [&](const StrikeSums& a, const StrikeSums& b) {
                      if (score(a) != score(b)) return score(a) > score(b);
                      const double near_a = std::abs(a.strike - spot), near_b = std::abs(b.strike - spot);
                      return near_a != near_b ? near_a < near_b : a.strike < b.strike;
                    });
  found.resize(count);
  return found;
}

template <class Allowed, class Score>
void set_wall(LevelRow& row, LevelName wall, const std::vector<StrikeSums>& strikes, double spot, Allowed allowed,
              Score score) {
  // The columns of a wall follow each other.
  const auto runner_up = static_cast<LevelName>(index(wall) + 1), ratio = static_cast<LevelName>(index(wall) + 2);
  const std::vector<StrikeSums> best = largest_strikes(strikes, spot, 2, allowed, score);
  if (best.empty()) return;
  row[wall] = Level::of(best[0].strike);
  if (best.size() < 2) {
    row[runner_up] = row[ratio] = Level::null(LevelStatus::kNoRunnerUp);
    return;
  }
  row[runner_up] = Level::of(best[1].strike);
  row[ratio] = Level::of(score(best[1]) / score(best[0]));
}

void set_gamma_levels(LevelRow& row, const std::vector<StrikeSums>& strikes, double spot) {
  const auto taken = [&](double strike) {
    return strike == row[kCallWall].value || strike == row[kPutWall].value || strike == row[kAbsoluteGammaStrike].value;
  };
  const std::vector<StrikeSums> best = largest_strikes(
      strikes, spot, kGammaLevels,
      [&](double strike) { return std::abs(strike / spot - 1.0) <= kGammaLevelRange && !taken(strike); },
      [](const StrikeSums& s) { return std::abs(s.net); });
  for (std::size_t k = 0; k < kGammaLevels; ++k) {
    Level& level = row.level[index(kGammaLevel1) + k];
    Level& size = row.level[index(kGammaLevel1Index) + k];
    if (k < best.size()) {
      level = Level::of(best[k].strike);
      size = Level::of(0.01 * spot * spot * best[k].net / 1e9);
    } else if (row[kAbsoluteGammaStrike].ok()) {
      level = size = Level::null(LevelStatus::kNoRunnerUp);
    }
  }
}

// One bracket to be narrowed: the exposure has one sign at x = low and the other at high.
struct Bracket {
  std::size_t position = 0;  // model whose weights count
  double low = 0.0, high = 0.0;
};

// Looks closely at brackets: the exposure of each one's model at kZoom spots across it and `margin` of its width on
// either side, (bracket, spot). The jobs say where the spots are.
std::vector<ExposureJob> zoom(Backend& sampler, Greek greek, const BookView& book, const GridView& grid,
                              const std::vector<Bracket>& brackets, double margin, std::vector<double>& values) {
  values.resize(brackets.size() * kZoom);
  std::vector<ExposureJob> jobs;
  for (std::size_t k = 0; k < brackets.size(); ++k) {
    const double width = brackets[k].high - brackets[k].low;
    BookView one = book;
    one.weight = book.weight.subspan(brackets[k].position * book.contracts(), book.contracts());
    GridView close = grid;
    close.log_spot_begin = brackets[k].low - margin * width;
    close.log_spot_step = (1.0 + 2.0 * margin) * width / static_cast<double>(kZoom - 1);
    close.spots = kZoom;
    jobs.push_back({one, close, 1, std::span(values).subspan(k * kZoom, kZoom)});
  }
  if (!jobs.empty()) sampler.evaluate({greek}, jobs);
  return jobs;
}

// Narrows brackets of sign changes of sum w greek over spot, all of one book at once, by evaluating within them. Ends
// are looked at half a bracket further out: interpolation may have put a sign change into the wrong one of two
// neighbours. A bracket without a change on closer look gives nothing.
std::vector<std::optional<Root>> narrow(Backend& sampler, Greek greek, const BookView& book, const GridView& grid,
                                        const std::vector<Bracket>& brackets) {
  std::vector<std::optional<Root>> roots(brackets.size());
  std::vector<double> values;
  const std::vector<ExposureJob> jobs = zoom(sampler, greek, book, grid, brackets, 0.5, values);
  for (std::size_t k = 0; k < brackets.size(); ++k) {
    const double* v = &values[k * kZoom];
    // Of several changes the one nearest to the middle of the bracket, where it was first seen.
    std::size_t best = kZoom;
    const auto off = [](std::size_t at) { return std::abs(2.0 * static_cast<double>(at) + 2.0 - kZoom); };
    std::size_t after = kZoom;
    for (const Change& c : sign_changes(kZoom, [&](std::size_t j) { return v[j] == 0.0 ? 0 : v[j] > 0.0 ? 1 : -1; })) {
      if (best == kZoom || off(c.before) < off(best)) best = c.before, after = c.after;
    }
    if (best == kZoom) continue;
    if (after != best + 1) {
      // Underflow between two books far apart: its middle.
      const double step = jobs[k].grid.log_spot_step, wide = static_cast<double>(after - best);
      roots[k] = Root{jobs[k].grid.log_spot_begin + 0.5 * static_cast<double>(best + after) * step,
                      (v[after] - v[best]) / (wide * step)};
      continue;
    }
    const std::size_t left = std::clamp<std::size_t>(best, 1, kZoom - 3);
    const double step = jobs[k].grid.log_spot_step;
    const Root inner = cubic_root(&v[left], static_cast<double>(best) - static_cast<double>(left));
    roots[k] = Root{jobs[k].grid.log_spot_begin + (static_cast<double>(left) + inner.x) * step, inner.slope / step};
  }
  return roots;
}

// Largest |value| in each stretch between roots: (changes + 1).
std::vector<double> stretches(std::span<const double> values, const std::vector<Change>& changes) {
  std::vector<double> largest;
  std::size_t from = 0;
  for (std::size_t c = 0; c <= changes.size(); ++c) {
    const std::size_t to = c < changes.size() ? changes[c].before + 1 : values.size();
    double most = 0.0;
    for (std::size_t j = from; j < to; ++j) most = std::max(most, std::abs(values[j]));
    largest.push_back(most);
    from = to;
  }
  return largest;
}

// The changes whose roots hold, with one for those that noise around a root split into several.
struct Found {
  std::vector<Change> changes;
  std::vector<Root> roots;
};
Found settle(const std::vector<Change>& changes, std::span<const std::optional<Root>> roots) {
  constexpr double kSame = 1e-6;  // in ln S
  Found found;
  for (std::size_t c = 0; c < changes.size(); ++c) {
    if (!roots[c] || roots[c]->x < std::log(kLow) || roots[c]->x > std::log(kHigh)) continue;
    if (!found.roots.empty() && std::abs(roots[c]->x - found.roots.back().x) < kSame) continue;
    found.changes.push_back(changes[c]);
    found.roots.push_back(*roots[c]);
  }
  return found;
}

// The crossing nearest to spot that is not weak, or why there is none.
struct Nearest {
  LevelStatus status = LevelStatus::kNoSignChange;
  const CrossingRow* row = nullptr;
};
Nearest nearest_crossing(const std::vector<CrossingRow>& rows, CrossingKind kind, double spot) {
  Nearest nearest;
  for (const CrossingRow& row : rows) {
    if (row.kind != kind) continue;
    if (row.weak()) {
      if (nearest.row == nullptr) nearest.status = LevelStatus::kOnlyWeak;
      continue;
    }
    if (nearest.row == nullptr || std::abs(row.price - spot) < std::abs(nearest.row->price - spot)) {
      nearest = {LevelStatus::kOk, &row};
    }
  }
  return nearest;
}

// All of one ticker's work on lines of spots.
class Search {
 public:
  Search(const LevelInputs& in, Backend& sampler, TickerLevels& out)
      : in_(in), sampler_(sampler), out_(out), line_(make_line(kMostStep)), now_{in.quote_time}, sets_(in.positions) {
    grid_.quote_time = in.quote_time;
    grid_.time = now_;
    grid_.iv_shift = kNoShift;
    grid_.iv_floor = in.iv_floor;
    const std::size_t n = in.book.contracts();
    // Models whose signs alone differ share their gross.
    weights_.assign(in.book.weight.begin(), in.book.weight.begin() + static_cast<std::ptrdiff_t>(in.positions * n));
    for (std::size_t w = 0; w < in.positions; ++w) {
      std::vector<double> gross(n);
      for (std::size_t i = 0; i < n; ++i) gross[i] = std::abs(in.book.weight[w * n + i]);
      std::size_t known = in.positions;
      while (known < sets_ && !std::equal(gross.begin(), gross.end(), weights_.begin() + row(known, n))) ++known;
      if (known == sets_) {
        weights_.insert(weights_.end(), gross.begin(), gross.end());
        ++sets_;
      }
      gross_of_.push_back(known);
    }
    book_ = in.book;
    book_.weight = weights_;
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  void run() {
    gross_gamma_.assign(in_.positions, 0.0);
    for (std::size_t w = 0; w < in_.positions; ++w) {
      for (std::size_t i = 0; i < in_.book.contracts(); ++i) {
        gross_gamma_[w] += std::abs(in_.book.weight[w * in_.book.contracts() + i] *
                                    in_.greeks[index(Greek::kGamma) * in_.book.contracts() + i]);
      }
    }
    zero_gamma_and_speed();
    if (!in_.closes.empty()) flip();
    vomma_zones();
    hedging();
    ladder();
  }

 private:
  static constexpr double kNoShift[] = {0.0};
  static std::size_t index(Greek greek) { return static_cast<std::size_t>(greek); }
  static std::ptrdiff_t row(std::size_t k, std::size_t n) { return static_cast<std::ptrdiff_t>(k * n); }
  double spot_at(double x) const { return in_.book.spot * std::exp(x); }
  LevelRow& level(std::size_t w) { return out_.level[w]; }
  bool has_gamma(std::size_t w) const { return gross_gamma_[w] > 0.0; }

  // @param gross what prominence is relative to, of the unit of the samples
  void add_crossings(std::size_t w, CrossingKind kind, const Found& found, std::span<const double> samples,
                     double gross) {
    const std::vector<double> largest = stretches(samples, found.changes);
    for (std::size_t c = 0; c < found.roots.size(); ++c) {
      CrossingRow crossing;
      crossing.kind = kind;
      crossing.price = spot_at(found.roots[c].x);
      // d(0.01 S^2 g / 1e9) per 1 % of spot where g = 0, with dg/dS = slope / S.
      crossing.slope = 1e-4 * crossing.price * crossing.price * found.roots[c].slope / 1e9;
      crossing.prominence = std::min(largest[c], largest[c + 1]) / gross;
      out_.crossing[w].push_back(crossing);
    }
  }

  void zero_gamma_and_speed() {
    const std::size_t n = line_.spots, contracts = in_.book.contracts();
    // Contracts that dealers are long and short, each in one set: half the work of net and gross, which are their sum
    // and difference.
    std::vector<double> split(2 * in_.positions * contracts, 0.0);
    for (std::size_t w = 0; w < in_.positions; ++w) {
      for (std::size_t i = 0; i < contracts; ++i) {
        const double weight = in_.book.weight[w * contracts + i];
        split[(2 * w + (weight < 0.0 ? 1 : 0)) * contracts + i] = weight;
      }
    }
    BookView sides = in_.book;
    sides.weight = split;
    const std::vector<double> values =
        evaluate_line(sampler_, {Greek::kGamma, Greek::kSpeed}, sides, 2 * in_.positions, grid_, line_, in_.quote_time);
    std::vector<double> sums(4 * in_.positions * n);  // (net gamma, gross gamma, -, gross speed; model, spot)
    for (std::size_t w = 0; w < in_.positions; ++w) {
      for (std::size_t greek = 0; greek < 2; ++greek) {
        const double* is_long = &values[(greek * 2 * in_.positions + 2 * w) * n];
        const double* is_short = is_long + n;
        double* net = &sums[((2 * greek) * in_.positions + w) * n];
        double* gross = &sums[((2 * greek + 1) * in_.positions + w) * n];
        for (std::size_t j = 0; j < n; ++j) {
          net[j] = is_long[j] + is_short[j];
          gross[j] = is_long[j] - is_short[j];
        }
      }
    }
    const auto samples = [&](std::size_t kind, std::size_t w) {
      return std::span<const double>(sums).subspan((kind * in_.positions + w) * n, n);
    };
    std::vector<Bracket> brackets;
    std::vector<std::vector<Change>> changes(in_.positions);
    for (std::size_t w = 0; w < in_.positions; ++w) {
      const auto net = samples(0, w), gross = samples(1, w);
      changes[w] = sign_changes(n, [&](std::size_t j) {
        return std::abs(net[j]) <= kNoise * gross[j] ? 0 : net[j] > 0.0 ? 1 : -1;
      });
      for (const Change& c : changes[w]) brackets.push_back({w, line_.x(c.before), line_.x(c.after)});
    }
    const auto roots = narrow(sampler_, Greek::kGamma, book_, grid_, brackets);
    for (std::size_t w = 0, k = 0; w < in_.positions; ++w) {
      const Found found = settle(changes[w], std::span(roots).subspan(k, changes[w].size()));
      k += changes[w].size();
      if (!has_gamma(w)) continue;
      const auto gross = samples(1, w);
      add_crossings(w, CrossingKind::kZeroGamma, found, samples(0, w),
                    std::max(gross_gamma_[w], kLeastGross * *std::max_element(gross.begin(), gross.end())));
      LevelRow& row = level(w);
      row[kZeroGammaCount] = Level::of(static_cast<double>(out_.crossing[w].size()));
      const Nearest nearest = nearest_crossing(out_.crossing[w], CrossingKind::kZeroGamma, in_.book.spot);
      row[kZeroGamma] = row[kZeroGammaSlope] = row[kZeroGammaProminence] = Level::null(nearest.status);
      if (nearest.row != nullptr) {
        row[kZeroGamma] = Level::of(nearest.row->price);
        row[kZeroGammaSlope] = Level::of(nearest.row->slope);
        row[kZeroGammaProminence] = Level::of(nearest.row->prominence);
      }
    }
    for (std::size_t set = in_.positions; set < sets_; ++set) {
      const auto of = static_cast<std::size_t>(std::find(gross_of_.begin(), gross_of_.end(), set) - gross_of_.begin());
      speed(set, samples(3, of));
    }
  }

  // How far an extremum stands out of what surrounds it, up to where the samples go beyond it.
  static double prominence(std::span<const double> u, std::size_t i) {
    const double sign = u[i] > u[i - 1] ? 1.0 : -1.0, top = sign * u[i];
    double low[2] = {top, top};
    for (std::size_t j = i; j > 0 && sign * u[j - 1] <= top; --j) low[0] = std::min(low[0], sign * u[j - 1]);
    for (std::size_t j = i; j + 1 < u.size() && sign * u[j + 1] <= top; ++j) low[1] = std::min(low[1], sign * u[j + 1]);
    return top - std::max(low[0], low[1]);
  }

  // Pivots and targets of the gross speed profile, the same for every model of these gross weights.
  void speed(std::size_t set, std::span<const double> u) {
    const std::size_t n = line_.spots;
    double largest = 0.0;
    for (const double value : u) largest = std::max(largest, std::abs(value));
    const std::vector<Change> changes = sign_changes(n, [&](std::size_t j) {
      return u[j] == 0.0 ? 0 : u[j] > 0.0 ? 1 : -1;
    });
    // Of the changes around spot up to three can hold the nearest ones.
    std::vector<Bracket> brackets;
    std::vector<Change> near;
    for (std::size_t c = 0; c < changes.size(); ++c) {
      const bool last_below =
          line_.x(changes[c].after) <= 0.0 && (c + 1 == changes.size() || line_.x(changes[c + 1].after) > 0.0);
      const bool around = line_.x(changes[c].before) <= 0.0 && line_.x(changes[c].after) > 0.0;
      const bool first_above = line_.x(changes[c].before) > 0.0 && (c == 0 || line_.x(changes[c - 1].before) <= 0.0);
      if (!last_below && !around && !first_above) continue;
      near.push_back(changes[c]);
      brackets.push_back({set, line_.x(changes[c].before), line_.x(changes[c].after)});
    }
    const auto roots = narrow(sampler_, Greek::kSpeed, book_, grid_, brackets);
    std::optional<double> pivot[2], target[2];  // below, above
    for (std::size_t k = 0; k < roots.size(); ++k) {
      if (!roots[k] || roots[k]->x == 0.0) continue;
      auto& side = pivot[roots[k]->x > 0.0 ? 1 : 0];
      if (!side || std::abs(roots[k]->x) < std::abs(*side)) side = roots[k]->x;
    }
    std::vector<Bracket> extrema;
    for (const int side : {0, 1}) {
      const double at = -line_.begin / line_.step;  // the spot
      const std::ptrdiff_t step = side == 1 ? 1 : -1;
      for (auto j = static_cast<std::ptrdiff_t>(side == 1 ? std::floor(at) : std::ceil(at));
           j >= 1 && j + 1 < static_cast<std::ptrdiff_t>(n); j += step) {
        const auto i = static_cast<std::size_t>(j);
        if ((u[i] - u[i - 1]) * (u[i + 1] - u[i]) >= 0.0 || prominence(u, i) < kLeastSpeedProminence * largest)
          continue;
        // The vertex may lie on the other side of spot than its sample, within half a step.
        const double vertex =
            line_.x(i) - 0.5 * line_.step * (u[i + 1] - u[i - 1]) / (u[i - 1] - 2.0 * u[i] + u[i + 1]);
        if ((vertex > 0.0) != (side == 1)) continue;
        target[side] = vertex;
        extrema.push_back({set, line_.x(i) - 0.5 * line_.step, line_.x(i) + 0.5 * line_.step});
        break;
      }
    }
    for (const std::optional<Root>& found : narrow_extremum(Greek::kSpeed, book_, grid_, extrema)) {
      if (found) target[found->x > 0.0 ? 1 : 0] = found->x;
    }
    for (std::size_t w = 0; w < in_.positions; ++w) {
      if (gross_of_[w] != set || !has_gamma(w)) continue;
      LevelRow& row = level(w);
      const auto put = [&](LevelName name, const std::optional<double>& x) {
        row[name] = x ? Level::of(spot_at(*x)) : Level::null(LevelStatus::kOutsideRange);
      };
      put(kSpeedPivotDown, pivot[0]);
      put(kSpeedPivotUp, pivot[1]);
      put(kSpeedTargetDown, target[0]);
      put(kSpeedTargetUp, target[1]);
      row[kSpeedAsymmetry] = Level::null(LevelStatus::kOutsideRange);
      if (target[0] && target[1]) {
        const double spot = in_.book.spot;
        row[kSpeedAsymmetry] =
            Level::of((spot - row[kSpeedTargetDown].value) / (row[kSpeedTargetUp].value - spot) - 1.0);
      }
    }
  }

  // Where DX along the volatility rule has an extremum in spot, the book aged to the next close: its derivative is
  // gx + vanna dsigma/dS, with the contract's own dsigma/dS.
  void flip() {
    const Instant close[] = {in_.closes.front()};
    GridView grid = grid_;
    grid.time = close;
    grid.iv_rule = iv_rule(in_.config.flip_rule.rule);
    grid.iv_rule_parameter = in_.config.flip_rule.parameter;
    if (in_.book.smile.empty() && grid.effective_rule() == IvRule::kSkewStickiness) {
      grid.iv_rule = IvRule::kStickyStrike;
    }
    std::size_t first = 0;
    while (first < book_.expiries() && book_.settlement[first] <= close[0]) ++first;
    if (first == book_.expiries()) return;  // no_contracts
    const BookPart live(book_, in_.positions, first, book_.expiries());

    // Differences stand between spots: from the low end of the range to its high end.
    SpotLine line = make_line(kFlipStep);
    line.begin -= 0.5 * line.step;
    ++line.spots;
    const std::size_t n = line.spots;
    const std::vector<double> values =
        evaluate_line(sampler_, {Greek::kDelta}, live.view, in_.positions, grid, line, close[0]);
    const std::vector<double> aged_gross = gross_gamma(live.view, close[0]);
    std::vector<double> slopes(in_.positions * (n - 1));  // dDX/dS between neighbours
    std::vector<std::vector<Change>> changes(in_.positions);
    std::vector<Bracket> brackets;
    for (std::size_t w = 0; w < in_.positions; ++w) {
      const double* dx = &values[w * n];
      double* slope = &slopes[w * (n - 1)];
      for (std::size_t j = 0; j + 1 < n; ++j) {
        slope[j] = (dx[j + 1] - dx[j]) / (spot_at(line.x(j + 1)) - spot_at(line.x(j)));
      }
      const double noise = kSlopeNoise * aged_gross[w];
      changes[w] = sign_changes(n - 1, [&](std::size_t j) {
        return std::abs(slope[j]) <= noise ? 0 : slope[j] > 0.0 ? 1 : -1;
      });
      for (const Change& c : changes[w]) {
        brackets.push_back({w, line.x(c.before) + 0.5 * line.step, line.x(c.after) + 0.5 * line.step});
      }
    }
    auto roots = narrow_extremum(Greek::kDelta, live.view, grid, brackets);
    set_curvatures(live.view, grid, brackets, roots);
    for (std::size_t w = 0, k = 0; w < in_.positions; ++w) {
      const Found found = settle(changes[w], std::span(roots).subspan(k, changes[w].size()));
      k += changes[w].size();
      if (!has_gamma(w) || !(aged_gross[w] > 0.0)) continue;
      add_crossings(w, CrossingKind::kFlip, found, std::span(slopes).subspan(w * (n - 1), n - 1), aged_gross[w]);
      const Nearest nearest = nearest_crossing(out_.crossing[w], CrossingKind::kFlip, in_.book.spot);
      level(w)[kFlip] = nearest.row != nullptr ? Level::of(nearest.row->price) : Level::null(nearest.status);
    }
  }

  // sum |n| m gamma of each model at spot and an instant before every settlement; the closed form of gamma alone, as
  // all Greeks would cost more than the search.
  std::vector<double> gross_gamma(const BookView& book, Instant at) const {
    std::vector<double> gross(in_.positions, 0.0);
    const double spot = book.spot * std::exp(book.spot_basis);
    for (std::size_t e = 0; e < book.expiries(); ++e) {
      const double tau = static_cast<double>(book.settlement[e] - at) / kSecondsPerYear, q = book.dividend_yield[e];
      for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
           i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
        const double deviation = std::max(in_.iv_floor, book.implied_volatility[i]) * std::sqrt(tau);
        const double d1 = (std::log(spot / book.strike[i]) + (book.rate[e] - q) * tau) / deviation + 0.5 * deviation;
        const double gamma = std::exp(-q * tau - 0.5 * d1 * d1 + 2.0 * book.spot_basis) /
                             (std::sqrt(2.0 * std::numbers::pi) * spot * deviation);
        for (std::size_t w = 0; w < in_.positions; ++w) {
          gross[w] += std::abs(book.weight[w * book.contracts() + i]) * gamma;
        }
      }
    }
    return gross;
  }

  // Narrows brackets of sign changes of the derivative in spot of an exposure, by differences on finer spots: 1e-4
  // apart or less, which leaves the differences of double precision ten digits.
  std::vector<std::optional<Root>> narrow_extremum(Greek greek, const BookView& book, const GridView& grid,
                                                   const std::vector<Bracket>& brackets) {
    std::vector<std::optional<Root>> roots(brackets.size());
    std::vector<double> values;
    const std::vector<ExposureJob> jobs = zoom(sampler_, greek, book, grid, brackets, 1.0, values);
    for (std::size_t k = 0; k < brackets.size(); ++k) {
      const double* v = &values[k * kZoom];
      const double begin = jobs[k].grid.log_spot_begin, step = jobs[k].grid.log_spot_step;
      double slope[kZoom - 1];
      for (std::size_t j = 0; j + 1 < kZoom; ++j) {
        const double from = begin + static_cast<double>(j) * step;
        slope[j] = (v[j + 1] - v[j]) / (spot_at(from + step) - spot_at(from));
      }
      std::size_t best = kZoom;
      const auto off = [](std::size_t at) { return std::abs(2.0 * static_cast<double>(at) + 3.0 - kZoom); };
      for (std::size_t j = 0; j + 2 < kZoom; ++j) {
        if ((slope[j] > 0.0) == (slope[j + 1] > 0.0)) continue;
        if (best == kZoom || off(j) < off(best)) best = j;
      }
      if (best == kZoom) continue;
      const double rise = slope[best + 1] - slope[best];
      const double share = rise != 0.0 ? -slope[best] / rise : 0.5;
      roots[k] = Root{begin + (static_cast<double>(best) + 0.5 + share) * step, rise / step};
    }
    return roots;
  }

  // Slopes of dDX/dS at its roots from second differences of DX, eighth order, spaced wide enough for rounding.
  void set_curvatures(const BookView& book, const GridView& grid, const std::vector<Bracket>& brackets,
                      std::vector<std::optional<Root>>& roots) {
    constexpr double kStencil[] = {-1.0 / 560.0, 8.0 / 315.0, -0.2,        1.6,         -205.0 / 72.0,
                                   1.6,          -0.2,        8.0 / 315.0, -1.0 / 560.0};
    constexpr std::size_t kPoints = std::size(kStencil);
    const std::size_t rows = grid.time.size() * kPoints;
    std::vector<double> values(brackets.size() * rows);
    std::vector<ExposureJob> jobs;
    for (std::size_t k = 0; k < brackets.size(); ++k) {
      if (!roots[k]) continue;
      BookView one = book;
      one.weight = book.weight.subspan(brackets[k].position * book.contracts(), book.contracts());
      GridView around = grid;
      around.log_spot_step = line_.step;
      around.log_spot_begin = roots[k]->x - 0.5 * static_cast<double>(kPoints - 1) * line_.step;
      around.spots = kPoints;
      jobs.push_back({one, around, 1, std::span(values).subspan(k * rows, rows)});
    }
    if (jobs.empty()) return;
    sampler_.evaluate({Greek::kDelta}, jobs);
    for (std::size_t k = 0; k < brackets.size(); ++k) {
      if (!roots[k]) continue;
      double second = 0.0;  // d2 DX / dx2; d DX / dx is 0 here
      for (std::size_t j = 0; j < kPoints; ++j) second += kStencil[j] * values[k * rows + rows - kPoints + j];
      roots[k]->slope = second / (line_.step * line_.step) / spot_at(roots[k]->x);
    }
  }

  void vomma_zones() {
    const std::size_t n = line_.spots;
    const double shifts[] = {-in_.config.vomma_shift, in_.config.vomma_shift};
    GridView grid = grid_;
    grid.iv_shift = shifts;
    // Gross weights of the front of the book: what settles later has its vomma beyond the range.
    BookView gross = book_;
    const std::size_t first = in_.positions, sets = sets_ - in_.positions;
    gross.weight = std::span(weights_).subspan(first * book_.contracts(), sets * book_.contracts());
    std::size_t front = 1;
    while (front < book_.expiries() &&
           (book_.settlement[front] <= in_.front_end || book_.settlement[front] == book_.settlement[0])) {
      ++front;
    }
    if (book_.expiries() == 0) return;
    const BookPart part(gross, sets, 0, front);
    const std::vector<double> values =
        evaluate_line(sampler_, {Greek::kVomma}, part.view, sets, grid, line_, in_.quote_time);
    const double spot = in_.book.spot;
    for (std::size_t w = 0; w < in_.positions; ++w) {
      if (!has_gamma(w)) continue;
      LevelRow& row = level(w);
      const double* down = &values[((gross_of_[w] - first) * 2 + 0) * n];
      const double* up = &values[((gross_of_[w] - first) * 2 + 1) * n];
      const auto above = zone(down, 1), below = zone(up, -1);
      for (const LevelName name :
           {kVommaZoneDownLow, kVommaZoneDownHigh, kVommaZoneUpLow, kVommaZoneUpHigh, kVommaZoneAsymmetry}) {
        row[name] = Level::null(LevelStatus::kOutsideRange);
      }
      if (above) {
        row[kVommaZoneDownLow] = Level::of(spot * std::exp(above->near));
        row[kVommaZoneDownHigh] = Level::of(spot * std::exp(above->far));
      }
      if (below) {
        row[kVommaZoneUpHigh] = Level::of(spot * std::exp(below->near));
        row[kVommaZoneUpLow] = Level::of(spot * std::exp(below->far));
      }
      if (above && below) {
        const double width_up = row[kVommaZoneUpHigh].value - row[kVommaZoneUpLow].value;
        const double width_down = row[kVommaZoneDownHigh].value - row[kVommaZoneDownLow].value;
        row[kVommaZoneAsymmetry] = Level::of(width_up / width_down - 1.0);
      }
    }
  }

  // The band around the largest vomma on one side of spot in which it is at least half of that.
  struct Zone {
    double near = 0.0, far = 0.0;  // ln(S / S0): towards and away from spot
  };
  std::optional<Zone> zone(const double* q, int side) const {
    const auto last = static_cast<std::ptrdiff_t>(line_.spots) - 1;
    const double at_spot = -line_.begin / line_.step;
    const auto first = static_cast<std::ptrdiff_t>(side > 0 ? std::floor(at_spot) + 1.0 : std::ceil(at_spot) - 1.0);
    std::ptrdiff_t peak = first;
    for (std::ptrdiff_t j = first; j >= 0 && j <= last; j += side) {
      if (q[j] > q[peak]) peak = j;
    }
    // Where vomma grows towards spot the largest is at spot itself, between samples.
    const double beyond = std::abs(at_spot - static_cast<double>(first));
    const double at_end = (1.0 - beyond) * q[first] + beyond * q[first - side];
    const double largest = std::max(q[peak], at_end);
    if (!(largest > 0.0)) return std::nullopt;
    const double half = 0.5 * largest;
    const auto edge = [&](std::ptrdiff_t inside, std::ptrdiff_t outside) {
      const double share = (q[inside] - half) / (q[inside] - q[outside]);
      return line_.x(static_cast<std::size_t>(inside)) + static_cast<double>(outside - inside) * share * line_.step;
    };
    std::ptrdiff_t far = peak;
    while (far >= 0 && far <= last && q[far] >= half) far += side;
    if (far < 0 || far > last) return std::nullopt;
    std::ptrdiff_t near = peak;
    while (near != first - side && q[near] >= half) near -= side;
    const double towards = near == first - side ? 0.0 : edge(near + side, near);
    return Zone{towards, edge(far - side, far)};
  }

  void hedging() {
    GridView grid = grid_;
    grid.log_spot_begin = -in_.expected_move;
    grid.log_spot_step = in_.expected_move;
    grid.spots = 3;
    std::vector<double> dx(in_.positions * 3);
    const ExposureJob job = {in_.book, grid, in_.positions, dx};
    sampler_.evaluate({Greek::kDelta}, {&job, 1});
    for (std::size_t w = 0; w < in_.positions; ++w) {
      LevelRow& row = level(w);
      row[kExpectedMove] = Level::of(in_.expected_move);
      row[kHedgeUpVolumeShare] = row[kHedgeDownVolumeShare] = Level::null(LevelStatus::kNoAverageVolume);
      if (!has_gamma(w)) continue;
      const double down = dx[w * 3 + 1] - dx[w * 3], up = dx[w * 3 + 1] - dx[w * 3 + 2];
      row[kHedgeUp] = Level::of(up);
      row[kHedgeDown] = Level::of(down);
      row[kHedgeUpUsd] = Level::of(up * spot_at(in_.expected_move));
      row[kHedgeDownUsd] = Level::of(down * spot_at(-in_.expected_move));
      if (in_.average_daily_volume > 0.0) {
        row[kHedgeUpVolumeShare] = Level::of(up / in_.average_daily_volume);
        row[kHedgeDownVolumeShare] = Level::of(down / in_.average_daily_volume);
      }
    }
  }

  void ladder() {
    std::vector<Instant> times = {in_.quote_time};
    times.insert(times.end(), in_.closes.begin(), in_.closes.end());
    const double shifts[] = {-in_.config.ladder_shift, 0.0, in_.config.ladder_shift};
    GridView grid = grid_;
    grid.time = times;
    grid.iv_shift = shifts;
    grid.log_spot_begin = -in_.expected_move;
    grid.log_spot_step = 2.0 * in_.expected_move / static_cast<double>(kBandSpots - 1);
    grid.spots = kBandSpots;
    GreekSet greeks;
    for (const Greek greek : kLadderGreeks) greeks.insert(greek);
    const std::size_t scenarios = grid.scenarios();
    std::vector<double> values(greeks.size() * in_.positions * scenarios);
    const ExposureJob job = {in_.book, grid, in_.positions, values};
    sampler_.evaluate(greeks, {&job, 1});
    for (std::size_t w = 0; w < in_.positions; ++w) {
      for (std::size_t t = 0; t < times.size(); ++t) {
        LadderRow row;
        row.session = static_cast<std::int32_t>(t);
        row.time = times[t];
        row.band_low = spot_at(-in_.expected_move);
        row.band_high = spot_at(in_.expected_move);
        std::size_t at = 0;  // place of the Greek in the set, which is in the order of Greek
        for (const Greek greek : kAllGreeks) {
          if (!greeks.contains(greek)) continue;
          const double* first = &values[(at++ * in_.positions + w) * scenarios + t * 3 * kBandSpots];
          double mean[3] = {};
          for (std::size_t v = 0; v < 3; ++v) {
            for (std::size_t j = 0; j < kBandSpots; ++j) mean[v] += first[v * kBandSpots + j];
            mean[v] /= static_cast<double>(kBandSpots);
          }
          const auto place = static_cast<std::size_t>(std::find(kLadderGreeks.begin(), kLadderGreeks.end(), greek) -
                                                      kLadderGreeks.begin());
          row.exposure[place] = mean[1];
          const double size = std::abs(mean[0]) + 2.0 * std::abs(mean[1]) + std::abs(mean[2]);
          row.asymmetry[place] = size > 0.0 ? (mean[0] - 2.0 * mean[1] + mean[2]) / size : nan();
        }
        out_.ladder.push_back(row);
      }
    }
  }

  const LevelInputs& in_;
  Backend& sampler_;
  TickerLevels& out_;
  SpotLine line_;
  Instant now_[1];
  GridView grid_;                // one instant, shift 0, sticky strike
  BookView book_;                // with the gross weights after those of the models
  std::vector<double> weights_;  // (sets, n)
  std::size_t sets_;
  std::vector<std::size_t> gross_of_;  // (W) which of them
  std::vector<double> gross_gamma_;    // (W) sum |n| m gamma at spot
};

void set_strike_levels(const LevelInputs& in, std::size_t w, LevelRow& row) {
  const BookView& book = in.book;
  const std::size_t n = book.contracts();
  const double spot = book.spot;
  const auto gamma = in.greeks.subspan(static_cast<std::size_t>(Greek::kGamma) * n, n);
  const auto vega = in.greeks.subspan(static_cast<std::size_t>(Greek::kVega) * n, n);
  double net = 0.0, gross = 0.0, gamma_strike = 0.0, vega_sum = 0.0, vega_strike = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double weight = book.weight[w * n + i];
    net += weight * gamma[i];
    gross += std::abs(weight * gamma[i]);
    gamma_strike += std::abs(weight * gamma[i]) * book.strike[i];
    vega_sum += std::abs(weight * vega[i]);
    vega_strike += std::abs(weight * vega[i]) * book.strike[i];
  }
  row[kGammaIndex] = Level::of(0.01 * spot * spot * net / 1e9);
  row[kSpotBasisFactor] = Level::of(std::exp(book.spot_basis));
  if (gross > 0.0) {
    row[kGammaIndexRatio] = Level::of(net / gross);
    row[kGammaCentroid] = Level::of(gamma_strike / gross);
  }
  if (vega_sum > 0.0) row[kVegaCentroid] = Level::of(vega_strike / vega_sum);

  const std::vector<StrikeSums> strikes = sum_strikes(book, w, gamma);
  const auto call = [](const StrikeSums& s) { return s.call; };
  const auto put = [](const StrikeSums& s) { return s.put; };
  const auto both = [](const StrikeSums& s) { return s.call + s.put; };
  const auto anywhere = [](double) { return true; };
  const auto above = [&](double strike) { return strike >= spot; };
  const auto below = [&](double strike) { return strike <= spot; };
  set_wall(row, kCallWall, strikes, spot, above, call);
  set_wall(row, kPutWall, strikes, spot, below, put);
  set_wall(row, kCallWallUnrestricted, strikes, spot, anywhere, call);
  set_wall(row, kPutWallUnrestricted, strikes, spot, anywhere, put);
  set_wall(row, kAbsoluteGammaStrike, strikes, spot, anywhere, both);
  set_gamma_levels(row, strikes, spot);
}

void set_open_interest_levels(const LevelInputs& in, LevelRow& row) {
  row[kMaxPain] = max_pain(in.book.strike, in.book.right, in.open_interest, in.multiplier);
  row[kPutCallRatioOpenInterest] = put_call_ratio(in.book.right, in.open_interest);
  row[kPutCallRatioVolume] = put_call_ratio(in.book.right, in.volume);
  double shares = 0.0, value = 0.0;
  for (std::size_t i = 0; i < in.open_interest.size(); ++i) {
    shares += in.open_interest[i] * in.multiplier[i];
    value += in.open_interest[i] * in.multiplier[i] * in.book.strike[i];
  }
  if (shares > 0.0) row[kOpenInterestCentroid] = Level::of(value / shares);
}

// Levels whose change is stored, and where.
constexpr std::pair<LevelName, LevelName> kChanges[] = {
    {kGammaIndex, kGammaIndexChange},
    {kCallWall, kCallWallChange},
    {kPutWall, kPutWallChange},
    {kCallWallUnrestricted, kCallWallUnrestrictedChange},
    {kPutWallUnrestricted, kPutWallUnrestrictedChange},
    {kAbsoluteGammaStrike, kAbsoluteGammaStrikeChange},
    {kZeroGamma, kZeroGammaChange},
    {kFlip, kFlipChange},
};

}  // namespace

std::vector<double> base_greeks(const BookView& book, Instant time, double iv_floor) {
  const std::size_t n = book.contracts();
  std::vector<double> greeks(kGreekCount * n);
  const double effective = book.spot * std::exp(book.spot_basis);
  double factor[kGreekCount];
  for (const Greek greek : kAllGreeks) {
    factor[static_cast<std::size_t>(greek)] = std::exp(book.spot_basis * spot_order(greek));
  }
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const double tau = static_cast<double>(book.settlement[e] - time) / kSecondsPerYear;
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      const auto g = formulas::black_scholes<double>({static_cast<double>(book.right[i]), effective, book.strike[i],
                                                      book.rate[e], book.dividend_yield[e],
                                                      std::max(iv_floor, book.implied_volatility[i]), tau});
      for (const Greek greek : kAllGreeks) {
        const auto at = static_cast<std::size_t>(greek);
        greeks[at * n + i] = g[greek] * factor[at];
      }
    }
  }
  return greeks;
}

GammaPoint gamma_exposure(const BookView& book, Instant time, double iv_floor, double spot) {
  GammaPoint sum;
  const double effective = spot * std::exp(book.spot_basis);
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const double tau = static_cast<double>(book.settlement[e] - time) / kSecondsPerYear;
    if (!(tau > 0.0)) continue;
    for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
         i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
      if (book.weight[i] == 0.0) continue;
      const auto g = formulas::black_scholes<double>({static_cast<double>(book.right[i]), effective, book.strike[i],
                                                      book.rate[e], book.dividend_yield[e],
                                                      std::max(iv_floor, book.implied_volatility[i]), tau});
      sum.gamma += book.weight[i] * g.gamma;
      sum.gross += std::abs(book.weight[i] * g.gamma);
      sum.speed += book.weight[i] * g.speed;
    }
  }
  sum.gamma *= std::exp(2.0 * book.spot_basis);
  sum.gross *= std::exp(2.0 * book.spot_basis);
  sum.speed *= std::exp(3.0 * book.spot_basis);
  return sum;
}

TickerLevels compute_levels(const LevelInputs& in, Backend& sampler) {
  TickerLevels out;
  out.level.resize(in.positions);
  out.crossing.resize(in.positions);
  for (std::size_t w = 0; w < in.positions; ++w) {
    set_strike_levels(in, w, out.level[w]);
    set_open_interest_levels(in, out.level[w]);
  }
  Search(in, sampler, out).run();
  set_changes(out.level, {});
  return out;
}

void set_changes(std::span<LevelRow> rows, std::span<const LevelRow> previous) {
  std::map<std::pair<std::string_view, std::string_view>, const LevelRow*> earlier;
  for (const LevelRow& row : previous) earlier[{row.ticker, row.position}] = &row;
  for (LevelRow& row : rows) {
    const auto found = earlier.find({row.ticker, row.position});
    for (const auto& [from, change] : kChanges) {
      const bool both = found != earlier.end() && row[from].ok() && (*found->second)[from].ok();
      row[change] = both              ? Level::of(row[from].value - (*found->second)[from].value)
                    : !row[from].ok() ? Level::null(row[from].status)
                                      : Level::null(LevelStatus::kNoPrevious);
    }
  }
}

}  // namespace greekgrid

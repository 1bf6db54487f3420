// Sums of Gaussian kernels over pairs of axes, by interpolation along the first.
//
// As a function of where a point lies within half a node's spacing of a node, a kernel this wide is a polynomial of
// degree 7 to 5e-6 of its square and 7e-9 of itself. So the points of a cell first spread their kernels of the second
// axis over 8 places of the cell, 8 columns of sums where a point had up to 64, and the kernels of the first axis are
// taken of the places alone. All of it in double: interpolation weights have both signs, and what they cancel must not
// show in single precision.
//
// A value y is added to the sum of the positive or of the negative ones, never to both: points are taken by sign, and
// sum k y and sum k |y| follow as difference and sum.

#include "greekgrid/kernels/kernel_sums.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernel_sums.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef GREEKGRID_CPU_KERNEL_SUMS_ONCE
#define GREEKGRID_CPU_KERNEL_SUMS_ONCE
namespace greekgrid::cpu {

inline constexpr std::size_t kPlaces = 8;  // of a cell, Chebyshev's
inline constexpr std::size_t kMap = kKernelNodes * kKernelNodes;
// Sums of a pair: mass, squares, and the positive and the negative ones of up to two values.
inline constexpr std::size_t kPairSums = 2 + 2 * kKernelValues;
inline constexpr std::size_t kMass = 0, kSquares = 1, kSigned = 2;

// Kernels of the places of cell j at node i, at [place][i - j + kMiddle], and their squares.
struct PlaceKernels {
  static constexpr std::ptrdiff_t kMiddle = 64;
  static constexpr std::size_t kSize = 136;
  alignas(64) std::array<std::array<double, kSize>, kPlaces> kernel{}, square{};
  // Interpolation weight of a place: the sum over k of transform[k][place] T_k(u).
  alignas(64) std::array<std::array<double, kPlaces>, kPlaces> transform{};
  std::ptrdiff_t reach = 0;  // nodes from a cell to the farthest that its kernels reach: 30 at a bandwidth of 0.15

  explicit PlaceKernels(double bandwidth) {
    constexpr double kSpacing = 2.0 / 63.0, kCount = kPlaces;
    const double factor = -0.5 / (bandwidth * bandwidth);
    // Of every point of a cell beyond, the kernel is below the least.
    reach = static_cast<std::ptrdiff_t>(std::min(63.0, std::sqrt(std::log(kLeastKernel) / factor) / kSpacing + 0.5));
    for (std::size_t p = 0; p < kPlaces; ++p) {
      const double angle = (static_cast<double>(p) + 0.5) * std::numbers::pi / kCount;
      const double place = 0.5 * kSpacing * std::cos(angle);
      for (std::ptrdiff_t d = -reach; d <= reach; ++d) {
        const double x = kSpacing * static_cast<double>(d) - place;
        const double k = std::exp(factor * (x * x));
        kernel[p][static_cast<std::size_t>(d + kMiddle)] = k;
        square[p][static_cast<std::size_t>(d + kMiddle)] = k * k;
      }
      for (std::size_t k = 0; k < kPlaces; ++k) {
        transform[k][p] = (k == 0 ? 1.0 : 2.0) / kCount * std::cos(static_cast<double>(k) * angle);
      }
    }
  }
};

// Where the points lie on an axis.
struct AxisPoints {
  std::vector<std::int8_t> cell;                        // (N) the nearest node, -1: not on this axis
  std::vector<std::array<double, kPlaces>> weight;      // (N)
  std::vector<std::array<float, kKernelNodes>> kernel;  // (N) at every node, if asked for
};

// Points in the order that sums take them, by cell of an axis and then by group: the bit v of a group is set where
// value v is negative.
struct PointOrder {
  static constexpr std::size_t kGroups = std::size_t{1} << kKernelValues;
  std::array<std::int32_t, kKernelNodes * kGroups + 1> begin{};  // of (cell, group)
  std::vector<std::int32_t> point;
};

using ValueColumns = std::array<const double*, kKernelValues>;

// Sums of the places of one cell, and of all nodes.
struct PairSums {
  alignas(64) std::array<std::array<std::array<double, kKernelNodes>, kPlaces>, kPairSums> place;
  alignas(64) std::array<std::array<double, kMap>, kPairSums> node;
  alignas(64) std::array<std::array<double, kMap>, 2> own;  // mass and squares with the points of one value alone
};

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Vectors of columns of a tile of rows.
#if HWY_TARGET <= HWY_AVX3
constexpr int kColumns = 4;
#else
constexpr int kColumns = 2;
#endif
constexpr int kRows = 4;

// The kernels of a point at every node from those of the places of its cell.
void NodeKernels(const PlaceKernels& places, std::int8_t cell, const double* weight, double* kernel, double* square) {
  const hn::CappedTag<double, 8> d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t begin = static_cast<std::size_t>(PlaceKernels::kMiddle - cell);
  for (std::size_t i = 0; i < kKernelNodes; i += lanes) {
    auto k = hn::Zero(d), k2 = hn::Zero(d);
    for (std::size_t p = 0; p < kPlaces; ++p) {
      const auto w = hn::Set(d, weight[p]);
      k = hn::MulAdd(w, hn::LoadU(d, places.kernel[p].data() + begin + i), k);
      if (square != nullptr) k2 = hn::MulAdd(w, hn::LoadU(d, places.square[p].data() + begin + i), k2);
    }
    hn::StoreU(k, d, kernel + i);
    if (square != nullptr) hn::StoreU(k2, d, square + i);
  }
}

void LocatePoints(const PlaceKernels& places, const double* z, std::size_t points, bool with_kernel, AxisPoints& axis) {
  const hn::CappedTag<double, 8> d;
  const std::size_t lanes = hn::Lanes(d);
  axis.cell.assign(points, -1);
  axis.weight.resize(points);
  if (with_kernel) axis.kernel.resize(points);
  for (std::size_t s = 0; s < points; ++s) {
    if (!(std::abs(z[s]) <= 1.0)) {
      if (with_kernel) axis.kernel[s].fill(0.0F);
      continue;
    }
    const double place = (z[s] + 1.0) * 31.5, node = std::floor(place + 0.5);
    const double u = 2.0 * (place - node);
    axis.cell[s] = static_cast<std::int8_t>(node);
    double chebyshev[kPlaces] = {1.0, u};
    for (std::size_t k = 2; k < kPlaces; ++k) chebyshev[k] = 2.0 * u * chebyshev[k - 1] - chebyshev[k - 2];
    for (std::size_t p = 0; p < kPlaces; p += lanes) {
      auto w = hn::Zero(d);
      for (std::size_t k = 0; k < kPlaces; ++k) {
        w = hn::MulAdd(hn::Set(d, chebyshev[k]), hn::LoadU(d, places.transform[k].data() + p), w);
      }
      hn::StoreU(w, d, axis.weight[s].data() + p);
    }
    if (!with_kernel) continue;
    double kernel[kKernelNodes];
    NodeKernels(places, axis.cell[s], axis.weight[s].data(), kernel, nullptr);
    for (std::size_t i = 0; i < kKernelNodes; ++i) axis.kernel[s][i] = static_cast<float>(kernel[i]);
  }
}

// Adds the points of one cell and group to the sums of its places.
template <int kValues>
void AddGroup(const AxisPoints& first, const AxisPoints& second, const ValueColumns& value, std::size_t group,
              const std::int32_t* begin, const std::int32_t* end, PairSums& sums) {
  const hn::CappedTag<double, 8> d;
  const hn::Rebind<float, decltype(d)> df;
  using V = hn::Vec<decltype(d)>;
  constexpr int kTogether = 4;  // places
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t column = 0; column < kKernelNodes; column += lanes) {
    for (std::size_t place = 0; place < kPlaces; place += kTogether) {
      V m[kTogether], q[kTogether], y[kValues][kTogether];
      for (int p = 0; p < kTogether; ++p) {
        m[p] = q[p] = hn::Zero(d);
        for (int v = 0; v < kValues; ++v) y[v][p] = hn::Zero(d);
      }
      for (const std::int32_t* point = begin; point != end; ++point) {
        const auto s = static_cast<std::size_t>(*point);
        const double* weight = first.weight[s].data() + place;
        const V k = hn::PromoteTo(d, hn::LoadU(df, second.kernel[s].data() + column));
        const V k2 = hn::Mul(k, k);
        V ky[kValues];
        for (int v = 0; v < kValues; ++v) ky[v] = hn::Mul(k, hn::Set(d, value[v][s]));
        for (int p = 0; p < kTogether; ++p) {
          const V w = hn::Set(d, weight[p]);
          m[p] = hn::MulAdd(w, k, m[p]);
          q[p] = hn::MulAdd(w, k2, q[p]);
          for (int v = 0; v < kValues; ++v) y[v][p] = hn::MulAdd(w, ky[v], y[v][p]);
        }
      }
      const auto add = [&](std::size_t sum, int p, V added) HWY_ATTR {
        double* to = sums.place[sum][place + static_cast<std::size_t>(p)].data() + column;
        hn::StoreU(hn::Add(hn::LoadU(d, to), added), d, to);
      };
      for (int p = 0; p < kTogether; ++p) {
        add(kMass, p, m[p]);
        add(kSquares, p, q[p]);
        for (int v = 0; v < kValues; ++v) {
          const bool negative = ((group >> v) & 1) != 0;
          add(kSigned + 2 * static_cast<std::size_t>(v) + (negative ? 1 : 0), p, negative ? hn::Neg(y[v][p]) : y[v][p]);
        }
      }
    }
  }
}

// Adds the sums of the places of a cell, each times its kernel, to those of the nodes within reach.
void SpreadCell(const PlaceKernels& places, std::ptrdiff_t cell, std::size_t sums_of_pair, PairSums& sums) {
  const hn::CappedTag<double, 8> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::ptrdiff_t from = std::max<std::ptrdiff_t>(0, cell - places.reach) / kRows * kRows;
  const std::ptrdiff_t to = std::min<std::ptrdiff_t>(kKernelNodes - 1, cell + places.reach);
  for (std::size_t sum = 0; sum < sums_of_pair; ++sum) {
    const auto& table = sum == kSquares ? places.square : places.kernel;
    for (std::ptrdiff_t row = from; row <= to; row += kRows) {
      const auto begin = static_cast<std::size_t>(row - cell + PlaceKernels::kMiddle);
      for (std::size_t column = 0; column < kKernelNodes; column += kColumns * lanes) {
        double* out = sums.node[sum].data() + static_cast<std::size_t>(row) * kKernelNodes + column;
        V tile[kRows][kColumns];
        for (int r = 0; r < kRows; ++r) {
          for (int c = 0; c < kColumns; ++c) tile[r][c] = hn::LoadU(d, out + r * kKernelNodes + c * lanes);
        }
        for (std::size_t p = 0; p < kPlaces; ++p) {
          V right[kColumns];
          for (int c = 0; c < kColumns; ++c) {
            right[c] = hn::LoadU(d, sums.place[sum][p].data() + column + c * lanes);
          }
          for (int r = 0; r < kRows; ++r) {
            const V left = hn::Set(d, table[p][begin + static_cast<std::size_t>(r)]);
            for (int c = 0; c < kColumns; ++c) tile[r][c] = hn::MulAdd(left, right[c], tile[r][c]);
          }
        }
        for (int r = 0; r < kRows; ++r) {
          for (int c = 0; c < kColumns; ++c) hn::StoreU(tile[r][c], d, out + r * kKernelNodes + c * lanes);
        }
      }
    }
  }
}

// The sums of a pair over points in the order of cells of the first axis.
template <int kValues>
void SumPairOf(const PlaceKernels& places, const AxisPoints& first, const AxisPoints& second, const ValueColumns& value,
               const PointOrder& order, PairSums& sums) {
  constexpr std::size_t kSums = 2 + 2 * kValues;
  for (std::size_t sum = 0; sum < kSums; ++sum) sums.node[sum].fill(0.0);
  for (std::size_t cell = 0; cell < kKernelNodes; ++cell) {
    const std::int32_t* begin = order.begin.data() + cell * PointOrder::kGroups;
    if (begin[0] == begin[PointOrder::kGroups]) continue;
    std::fill_n(sums.place[0][0].data(), kSums * kPlaces * kKernelNodes, 0.0);
    for (std::size_t group = 0; group < PointOrder::kGroups; ++group) {
      if (begin[group] == begin[group + 1]) continue;
      AddGroup<kValues>(first, second, value, group, order.point.data() + begin[group],
                        order.point.data() + begin[group + 1], sums);
    }
    SpreadCell(places, static_cast<std::ptrdiff_t>(cell), kSums, sums);
  }
}
void SumPair(const PlaceKernels& places, const AxisPoints& first, const AxisPoints& second, const ValueColumns& value,
             const PointOrder& order, PairSums& sums) {
  if (value[1] == nullptr) {
    SumPairOf<1>(places, first, second, value, order, sums);
  } else {
    SumPairOf<2>(places, first, second, value, order, sums);
  }
}

// A double sum in single precision. It is of one sign, but where it is next to nothing rounding may leave it beyond 0.
void WriteMap(const double* map, float* out) {
  const hn::CappedTag<double, 8> d;
  const hn::Rebind<float, decltype(d)> df;
  for (std::size_t i = 0; i < kMap; i += hn::Lanes(d)) {
    hn::StoreU(hn::DemoteTo(df, hn::Max(hn::LoadU(d, map + i), hn::Zero(d))), df, out + i);
  }
}

// Adds one point to mass, squares and the sum of its value, as a product of kernels.
void AddPoint(const PlaceKernels& places, const AxisPoints& first, const AxisPoints& second, std::size_t s,
              double value, double* mass, double* squares, double* signed_sum) {
  const hn::CappedTag<double, 8> d;
  double left[kKernelNodes], left2[kKernelNodes], right[kKernelNodes], right2[kKernelNodes];
  NodeKernels(places, first.cell[s], first.weight[s].data(), left, left2);
  NodeKernels(places, second.cell[s], second.weight[s].data(), right, right2);
  const auto add = [&](double* to, double factor, const double* kernel) HWY_ATTR {
    const auto f = hn::Set(d, factor);
    for (std::size_t j = 0; j < kKernelNodes; j += hn::Lanes(d)) {
      hn::StoreU(hn::MulAdd(f, hn::LoadU(d, kernel + j), hn::LoadU(d, to + j)), d, to + j);
    }
  };
  for (std::size_t i = 0; i < kKernelNodes; ++i) {
    add(mass + i * kKernelNodes, left[i], right);
    add(squares + i * kKernelNodes, left2[i], right2);
    add(signed_sum + i * kKernelNodes, std::abs(value) * left[i], right);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {
namespace {
HWY_EXPORT(LocatePoints);
HWY_EXPORT(SumPair);
HWY_EXPORT(WriteMap);
HWY_EXPORT(AddPoint);

// More points than these that have only one of two values: each value is summed for itself.
constexpr std::size_t kMostSingle = 64;

PointOrder order_points(const AxisPoints& axis, const ValueColumns& value) {
  PointOrder order;
  std::vector<std::int16_t> key(axis.cell.size(), -1);
  for (std::size_t s = 0; s < key.size(); ++s) {
    bool known = axis.cell[s] >= 0;
    std::size_t group = 0;
    for (std::size_t v = 0; v < kKernelValues && value[v] != nullptr; ++v) {
      known = known && std::isfinite(value[v][s]);
      group |= value[v][s] < 0.0 ? std::size_t{1} << v : 0;
    }
    if (!known) continue;
    key[s] = static_cast<std::int16_t>(static_cast<std::size_t>(axis.cell[s]) * PointOrder::kGroups + group);
    ++order.begin[static_cast<std::size_t>(key[s]) + 1];
  }
  for (std::size_t k = 1; k < order.begin.size(); ++k) order.begin[k] += order.begin[k - 1];
  order.point.resize(static_cast<std::size_t>(order.begin.back()));
  auto next = order.begin;
  for (std::size_t s = 0; s < key.size(); ++s) {
    if (key[s] < 0) continue;
    order.point[static_cast<std::size_t>(next[static_cast<std::size_t>(key[s])]++)] = static_cast<std::int32_t>(s);
  }
  return order;
}

}  // namespace
}  // namespace greekgrid::cpu

namespace greekgrid {

void gaussian_pair_sums(const KernelPointsView& points, double bandwidth, std::span<float> sums) {
  using cpu::kMap;
  constexpr std::size_t kOfValue = kAxisPairs * kKernelSums * kMap;
  const std::size_t values = points.value[1] == nullptr ? 1 : 2;
  assert(points.value[0] != nullptr && sums.size() == values * kOfValue);
  std::vector<std::int32_t> single;
  for (std::size_t s = 0; s < points.points && values == 2; ++s) {
    if (std::isfinite(points.value[0][s]) != std::isfinite(points.value[1][s])) {
      single.push_back(static_cast<std::int32_t>(s));
    }
  }
  if (single.size() > cpu::kMostSingle) {
    for (std::size_t v = 0; v < values; ++v) {
      KernelPointsView one = points;
      one.value = {points.value[v], nullptr};
      gaussian_pair_sums(one, bandwidth, sums.subspan(v * kOfValue, kOfValue));
    }
    return;
  }
  std::fill(sums.begin(), sums.end(), 0.0F);
  const cpu::PlaceKernels places(bandwidth);
  std::array<cpu::AxisPoints, kKernelAxes> axis;
  for (std::size_t a = 0; a < kKernelAxes; ++a) {
    if (points.axis[a] == nullptr) continue;
    HWY_DYNAMIC_DISPATCH(cpu::LocatePoints)(places, points.axis[a], points.points, a > 0, axis[a]);
  }
  const auto pair_sums = std::make_unique<cpu::PairSums>();
  std::size_t pair = 0;
  for (std::size_t a = 0; a + 1 < kKernelAxes; ++a) {
    const cpu::PointOrder order = cpu::order_points(axis[a], points.value);
    for (std::size_t b = a + 1; b < kKernelAxes; ++b, ++pair) {
      if (points.axis[a] == nullptr || points.axis[b] == nullptr) continue;
      HWY_DYNAMIC_DISPATCH(cpu::SumPair)(places, axis[a], axis[b], points.value, order, *pair_sums);
      for (std::size_t v = 0; v < values; ++v) {
        float* out = sums.data() + v * kOfValue + pair * kKernelSums * kMap;
        const std::size_t positive = cpu::kSigned + 2 * v;
        auto& [own_mass, own_squares] = pair_sums->own;
        own_mass = pair_sums->node[cpu::kMass];
        own_squares = pair_sums->node[cpu::kSquares];
        for (const std::int32_t i : single) {
          const auto s = static_cast<std::size_t>(i);
          const double y = points.value[v][s];
          if (!std::isfinite(y) || axis[a].cell[s] < 0 || axis[b].cell[s] < 0) continue;
          HWY_DYNAMIC_DISPATCH(cpu::AddPoint)
          (places, axis[a], axis[b], s, y, own_mass.data(), own_squares.data(),
           pair_sums->node[positive + (y < 0.0 ? 1 : 0)].data());
        }
        const auto write = [&](KernelSum sum, const auto& map) {
          HWY_DYNAMIC_DISPATCH(cpu::WriteMap)(map.data(), out + static_cast<std::size_t>(sum) * kMap);
        };
        write(KernelSum::kMass, own_mass);
        write(KernelSum::kPositive, pair_sums->node[positive]);
        write(KernelSum::kNegative, pair_sums->node[positive + 1]);
        write(KernelSum::kSquares, own_squares);
      }
    }
  }
}

}  // namespace greekgrid
#endif

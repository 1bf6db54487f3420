// Sums of Gaussian kernels over pairs of axes: A^T diag(w) B in tiles that stay in registers.
//
// A value y is added to the sum of the positive or of the negative ones, never to both: points are taken by sign, and
// sum k y and sum k |y| follow as difference and sum at half the work.

#include "greekgrid/kernels/kernel_sums.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <memory>
#include <vector>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/kernel_sums.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// after the first inclusion of highway.h, and once per instruction set
#include "hwy/contrib/math/math-inl.h"

#ifndef GREEKGRID_CPU_KERNEL_SUMS_ONCE
#define GREEKGRID_CPU_KERNEL_SUMS_ONCE
namespace greekgrid::cpu {

// Points of a block: its kernels of one pair fit a first-level cache.
inline constexpr std::size_t kPointBlock = 96;
// Squares of kernels below this would leave the normal numbers of single precision in products of four.
inline constexpr double kLeastKernel = 1e-9;

// The kernels of a block of points, by point, so that the nodes of one are read as vectors.
struct KernelBlock {
  alignas(64) float kernel[kKernelAxes][kPointBlock][kKernelNodes];
  alignas(64) float square[kKernelAxes][kPointBlock][kKernelNodes];
  alignas(64) float magnitude[kPointBlock];
  alignas(64) double node[kKernelNodes];
};

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of a tile; two vectors of columns. 6 accumulators a row.
#if HWY_TARGET <= HWY_AVX3
constexpr int kRows = 4;
#else
constexpr int kRows = 2;
#endif

void Kernels(double z, double bandwidth, const double* node, float* kernel, float* square) {
  const hn::CappedTag<double, 8> d;
  const hn::Rebind<float, decltype(d)> df;
  const std::size_t lanes = hn::Lanes(d);
  if (!(std::abs(z) <= 1.0)) {
    std::fill_n(kernel, kKernelNodes, 0.0F);
    std::fill_n(square, kKernelNodes, 0.0F);
    return;
  }
  const auto factor = hn::Set(d, -0.5 / (bandwidth * bandwidth));
  const auto least = hn::Set(d, std::log(kLeastKernel));
  for (std::size_t i = 0; i < kKernelNodes; i += lanes) {
    const auto x = hn::Sub(hn::Load(d, node + i), hn::Set(d, z));
    const auto exponent = hn::Mul(hn::Mul(x, x), factor);
    const auto k = hn::IfThenElseZero(hn::Ge(exponent, least), hn::Exp(d, exponent));
    hn::StoreU(hn::DemoteTo(df, k), df, kernel + i);
    hn::StoreU(hn::DemoteTo(df, hn::Mul(k, k)), df, square + i);
  }
}

// Adds a block's sums of one tile of rows and all columns to those of a pair: three of (64, 64).
void AddTile(const KernelBlock& block, int a, int b, std::size_t row, std::size_t points, float* mass, float* value,
             float* squares) {
  const hn::CappedTag<float, 16> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t column = 0; column < kKernelNodes; column += 2 * lanes) {
    V m[kRows][2], y[kRows][2], q[kRows][2];
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < 2; ++c) m[r][c] = y[r][c] = q[r][c] = hn::Zero(d);
    }
    for (std::size_t s = 0; s < points; ++s) {
      const float* left = block.kernel[a][s] + row;
      const float* left2 = block.square[a][s] + row;
      const V k0 = hn::Load(d, block.kernel[b][s] + column), k1 = hn::Load(d, block.kernel[b][s] + column + lanes);
      const V s0 = hn::Load(d, block.square[b][s] + column), s1 = hn::Load(d, block.square[b][s] + column + lanes);
      const V magnitude = hn::Set(d, block.magnitude[s]);
      const V y0 = hn::Mul(k0, magnitude), y1 = hn::Mul(k1, magnitude);
      for (int r = 0; r < kRows; ++r) {
        const V k = hn::Set(d, left[r]), k2 = hn::Set(d, left2[r]);
        m[r][0] = hn::MulAdd(k, k0, m[r][0]);
        m[r][1] = hn::MulAdd(k, k1, m[r][1]);
        y[r][0] = hn::MulAdd(k, y0, y[r][0]);
        y[r][1] = hn::MulAdd(k, y1, y[r][1]);
        q[r][0] = hn::MulAdd(k2, s0, q[r][0]);
        q[r][1] = hn::MulAdd(k2, s1, q[r][1]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < 2; ++c) {
        const std::size_t place = (row + r) * kKernelNodes + column + c * lanes;
        hn::StoreU(hn::Add(hn::LoadU(d, mass + place), m[r][c]), d, mass + place);
        hn::StoreU(hn::Add(hn::LoadU(d, value + place), y[r][c]), d, value + place);
        hn::StoreU(hn::Add(hn::LoadU(d, squares + place), q[r][c]), d, squares + place);
      }
    }
  }
}

// Adds the points of one sign, by index.
void AddPoints(const KernelPointsView& points, const std::int32_t* index, std::size_t count, double bandwidth,
               KernelSum sign, KernelBlock* block, float* sums) {
  constexpr std::size_t kMap = kKernelNodes * kKernelNodes;
  for (std::size_t begin = 0; begin < count; begin += kPointBlock) {
    const std::size_t size = std::min(kPointBlock, count - begin);
    for (std::size_t s = 0; s < size; ++s) {
      const std::int32_t i = index[begin + s];
      block->magnitude[s] = static_cast<float>(std::abs(points.value[i]));
      for (std::size_t axis = 0; axis < kKernelAxes; ++axis) {
        if (points.axis[axis] == nullptr) continue;
        Kernels(points.axis[axis][i], bandwidth, block->node, block->kernel[axis][s], block->square[axis][s]);
      }
    }
    float* out = sums;
    for (int a = 0; a < 4; ++a) {
      for (int b = a + 1; b < 4; ++b, out += kKernelSums * kMap) {
        if (points.axis[a] == nullptr || points.axis[b] == nullptr) continue;
        for (std::size_t row = 0; row < kKernelNodes; row += kRows) {
          AddTile(*block, a, b, row, size, out + static_cast<std::size_t>(KernelSum::kMass) * kMap,
                  out + static_cast<std::size_t>(sign) * kMap,
                  out + static_cast<std::size_t>(KernelSum::kSquares) * kMap);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {
HWY_EXPORT(AddPoints);
}  // namespace greekgrid::cpu

namespace greekgrid {

void gaussian_pair_sums(const KernelPointsView& points, double bandwidth, std::span<float> sums) {
  assert(sums.size() == kAxisPairs * kKernelSums * kKernelNodes * kKernelNodes);
  std::fill(sums.begin(), sums.end(), 0.0F);
  std::vector<std::int32_t> positive, negative;
  for (std::size_t i = 0; i < points.points; ++i) {
    if (!std::isfinite(points.value[i])) continue;
    (points.value[i] < 0.0 ? negative : positive).push_back(static_cast<std::int32_t>(i));
  }
  const auto block = std::make_unique<cpu::KernelBlock>();
  for (std::size_t i = 0; i < kKernelNodes; ++i) block->node[i] = static_cast<double>(i) / 31.5 - 1.0;
  HWY_DYNAMIC_DISPATCH(cpu::AddPoints)
  (points, positive.data(), positive.size(), bandwidth, KernelSum::kPositive, block.get(), sums.data());
  HWY_DYNAMIC_DISPATCH(cpu::AddPoints)
  (points, negative.data(), negative.size(), bandwidth, KernelSum::kNegative, block.get(), sums.data());
}

}  // namespace greekgrid
#endif

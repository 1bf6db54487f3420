// The search for nearest points: a scan that keeps what is nearer than the worst of those kept so far. Over columns in
// single precision first where there are any: what could be among the nearest for all that rounding may have done is
// measured again in double.

#include "greekgrid/kernels/nearest.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <type_traits>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nearest.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef GREEKGRID_CPU_NEAREST_ONCE
#define GREEKGRID_CPU_NEAREST_ONCE
namespace greekgrid::cpu {

// Points scanned between two tightenings of the bound: few at first, when the bound is loose.
inline constexpr std::size_t kFirstScan = 256, kLargestScan = 1024;
// The same where a bound is known or the scan is cheap enough to go on without one.
inline constexpr std::size_t kFirstScanSingle = 512, kLargestScanSingle = 2048;
// More than these are kept no longer than to the end of a block.
inline constexpr std::size_t kLoose = 128;
// The widest vector of doubles that the loops meet; a store of compressed lanes writes a whole one.
inline constexpr std::size_t kSlack = 64;

struct Kept {
  alignas(64) std::array<double, kLoose + kLargestScan + kSlack> distance2;
  alignas(64) std::array<std::int64_t, kLoose + kLargestScan + kSlack> index;
  std::size_t count = 0;
  double bound = std::numeric_limits<double>::infinity();  // only nearer points are of interest
};

struct KeptSingle {
  alignas(64) std::array<float, kLoose + kLargestScanSingle + kSlack> distance2;
  alignas(64) std::array<std::int32_t, kLoose + kLargestScanSingle + kSlack> index;
  std::size_t count = 0;
  float bound = std::numeric_limits<float>::infinity();  // only what is no farther is of interest
};

// A distance^2 in single precision that no point exceeds whose distance^2 in double is `distance2` at most, and the
// other way round. With u = 2^-24 and coordinates of magnitude 1 at most, a rounded difference is off by 4.1 u, so the
// length of four of them by 8.2 u; squares and sums add 2.5 u of the length. Taken are 16 u and 8 u.
inline double beyond_rounding(double distance2) {
  const double length = std::sqrt(distance2) * (1.0 + 0x1p-21) + 0x1p-20;
  return length * length;
}
inline float single_above(double x) {
  return static_cast<float>(x * (1.0 + 0x1p-22));
}

// Where distances tie in numbers that bisection cannot part: the order written out.
inline void keep_by_sorting(Kept& kept, std::size_t k) {
  struct Entry {
    double distance2;
    std::int64_t index;
  };
  std::array<Entry, kLoose + kLargestScan> entry;
  for (std::size_t i = 0; i < kept.count; ++i) entry[i] = {kept.distance2[i], kept.index[i]};
  const auto nearer = [](const Entry& a, const Entry& b) {
    return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.index > b.index;
  };
  std::nth_element(entry.begin(), entry.begin() + k, entry.begin() + kept.count, nearer);
  kept.count = k;
  kept.bound = 0.0;
  for (std::size_t i = 0; i < k; ++i) {
    kept.distance2[i] = entry[i].distance2;
    kept.index[i] = entry[i].index;
    kept.bound = std::max(kept.bound, entry[i].distance2);
  }
}

}  // namespace greekgrid::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace greekgrid::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Writes the lanes of a mask next to each other, and perhaps others after them; returns how many.
template <class D, class V, class M>
HWY_INLINE std::size_t Append(D d, V v, M mask, hn::TFromD<D>* to) {
#if HWY_TARGET <= HWY_AVX3
  // Highway 1.0.3 goes through a table of permutations that g++ copies to the stack for every vector.
  if constexpr (std::is_same_v<hn::TFromD<D>, double>) {
    _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(mask.raw), v.raw));
  } else if constexpr (std::is_same_v<hn::TFromD<D>, float>) {
    _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(mask.raw), v.raw));
  } else if constexpr (std::is_same_v<hn::TFromD<D>, std::int32_t>) {
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask.raw), v.raw));
  } else {
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask.raw), v.raw));
  }
  return hn::CountTrue(d, mask);
#else
  return hn::CompressStore(v, mask, d, to);
#endif
}

// Appends the points of [begin, end) that are nearer than the bound; returns those that are valid, or 0 if they are not
// to be counted. What a call does not need it does not compute: the loop is bound by arithmetic.
template <int kAxes, bool kRequired, bool kCount>
std::size_t Scan(const PointsView& points, const double* at, std::size_t begin, std::size_t end, Kept& kept) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<std::int64_t> di;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t valid = 0, count = kept.count, i = begin;
  const V bound = hn::Set(d, kept.bound);
  const auto one = hn::Set(di, 1), step = hn::Set(di, static_cast<std::int64_t>(lanes));
  auto index = hn::Iota(di, static_cast<std::int64_t>(begin));
  auto valid_lanes = hn::Zero(di);
  for (; i + lanes <= end; i += lanes) {
    V difference = hn::Sub(hn::LoadU(d, points.axis[0] + i), hn::Set(d, at[0]));
    V distance2 = hn::Mul(difference, difference);
    for (int axis = 1; axis < kAxes; ++axis) {
      difference = hn::Sub(hn::LoadU(d, points.axis[axis] + i), hn::Set(d, at[axis]));
      distance2 = hn::Add(distance2, hn::Mul(difference, difference));
    }
    if constexpr (kRequired) {
      // y - y is 0, or NaN where y is not finite.
      const V y = hn::LoadU(d, points.required + i);
      distance2 = hn::Add(distance2, hn::Sub(y, y));
    }
    if constexpr (kCount) {
      valid_lanes = hn::Add(valid_lanes, hn::IfThenElseZero(hn::RebindMask(di, hn::Eq(distance2, distance2)), one));
    }
    // No branch: whether a vector has a near point cannot be predicted, and a wrong guess costs more than two stores.
    const auto near = hn::Lt(distance2, bound);
    Append(di, index, hn::RebindMask(di, near), kept.index.data() + count);
    count += Append(d, distance2, near, kept.distance2.data() + count);
    index = hn::Add(index, step);
  }
  valid += static_cast<std::size_t>(hn::GetLane(hn::SumOfLanes(di, valid_lanes)));
  for (; i < end; ++i) {
    double distance2 = 0.0;
    for (int axis = 0; axis < kAxes; ++axis) {
      const double difference = points.axis[axis][i] - at[axis];
      distance2 = distance2 + difference * difference;
    }
    if constexpr (kRequired) distance2 = distance2 + (points.required[i] - points.required[i]);
    if constexpr (kCount) valid += distance2 == distance2 ? 1 : 0;
    if (distance2 < kept.bound) {
      kept.index[count] = static_cast<std::int64_t>(i);
      kept.distance2[count++] = distance2;
    }
  }
  kept.count = count;
  return valid;
}

std::size_t CountUpTo(const Kept& kept, double limit) {
  const hn::ScalableTag<double> d;
  const auto v = hn::Set(d, limit);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kept.count; i += hn::Lanes(d)) {
    count += hn::CountTrue(d, hn::Le(hn::LoadU(d, kept.distance2.data() + i), v));
  }
  return count;
}

// Keeps the k nearest of more than k. Bisection over the value of the distance has no branch that depends on data but
// its own, where a selection by exchanges has one per element.
void Tighten(Kept& kept, std::size_t k) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<std::int64_t> di;
  const std::size_t lanes = hn::Lanes(d);
  const double infinity = std::numeric_limits<double>::infinity();
  hn::StoreU(hn::Set(d, infinity), d, kept.distance2.data() + kept.count);
  double high = 0.0;
  {
    auto most = hn::Zero(d);
    for (std::size_t i = 0; i < kept.count; i += lanes) {
      const auto v = hn::LoadU(d, kept.distance2.data() + i);
      most = hn::Max(most, hn::IfThenElseZero(hn::Lt(v, hn::Set(d, infinity)), v));
    }
    high = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  double low = -0x1p-1000;  // count up to low < k <= count up to high
  double limit = high;
  bool parted = false;
  for (int step = 0; step < 64; ++step) {
    const double middle = low + 0.5 * (high - low);
    if (!(middle > low && middle < high)) break;
    const std::size_t count = CountUpTo(kept, middle);
    if (count == k) {
      limit = middle;
      parted = true;
      break;
    }
    (count < k ? low : high) = middle;
  }
  if (!parted) {
    keep_by_sorting(kept, k);
    return;
  }
  std::size_t count = 0;
  auto most = hn::Zero(d);
  for (std::size_t i = 0; i < kept.count; i += lanes) {
    const auto v = hn::LoadU(d, kept.distance2.data() + i);
    const auto index = hn::LoadU(di, kept.index.data() + i);
    const auto near = hn::Le(v, hn::Set(d, limit));
    most = hn::Max(most, hn::IfThenElseZero(near, v));
    Append(di, index, hn::RebindMask(di, near), kept.index.data() + count);
    count += Append(d, v, near, kept.distance2.data() + count);
  }
  kept.count = count;
  kept.bound = hn::GetLane(hn::MaxOfLanes(d, most));
}

// The place of every point in the order, by counting those before it.
void WriteSorted(Kept& kept, std::int32_t* out_index, double* out_distance2) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<std::int64_t> di;
  const std::size_t lanes = hn::Lanes(d);
  hn::StoreU(hn::Set(d, std::numeric_limits<double>::infinity()), d, kept.distance2.data() + kept.count);
  hn::StoreU(hn::Set(di, -1), di, kept.index.data() + kept.count);
  for (std::size_t p = 0; p < kept.count; ++p) {
    const auto mine = hn::Set(d, kept.distance2[p]);
    const auto my_index = hn::Set(di, kept.index[p]);
    std::size_t before = 0;
    for (std::size_t i = 0; i < kept.count; i += lanes) {
      const auto v = hn::LoadU(d, kept.distance2.data() + i);
      const auto later = hn::Gt(hn::LoadU(di, kept.index.data() + i), my_index);
      before += hn::CountTrue(d, hn::Or(hn::Lt(v, mine), hn::And(hn::Eq(v, mine), hn::RebindMask(d, later))));
    }
    out_index[before] = static_cast<std::int32_t>(kept.index[p]);
    out_distance2[before] = kept.distance2[p];
  }
}

template <int kAxes, bool kRequired, bool kCount>
std::size_t NearestOf(const PointsView& points, const double* at, std::size_t k, Kept& kept) {
  std::size_t valid = 0;
  // From the last point down: of equal distances the larger index wins, so a point that only ties with the bound is
  // out, and in a series that moves slowly the last ones are near.
  std::size_t size = kFirstScan;
  for (std::size_t end = points.points; end > 0;) {
    const std::size_t begin = end > size ? end - size : 0;
    valid += Scan<kAxes, kRequired, kCount>(points, at, begin, end, kept);
    if (kept.count > k && (kept.count > kLoose || begin == 0)) {
      Tighten(kept, k);
    } else if (kept.count == k && std::isinf(kept.bound)) {
      kept.bound = *std::max_element(kept.distance2.begin(), kept.distance2.begin() + k);
    }
    end = begin;
    size = std::min(2 * size, kLargestScan);
  }
  return kCount ? valid : kept.count;
}

// Appends the points of [begin, end) that are no farther than the bound in single precision.
template <int kAxes>
void ScanSingle(const PointsView& points, const double* at, std::size_t begin, std::size_t end, KeptSingle& kept) {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::int32_t> di;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t count = kept.count, i = begin;
  V place[kAxes];
  const float* column[kAxes];
  for (int axis = 0; axis < kAxes; ++axis) {
    place[axis] = hn::Set(d, static_cast<float>(at[axis]));
    column[axis] = points.rounded[axis];
  }
  const V bound = hn::Set(d, kept.bound);
  const auto step = hn::Set(di, static_cast<std::int32_t>(lanes));
  auto index = hn::Iota(di, static_cast<std::int32_t>(begin));
  for (; i + lanes <= end; i += lanes) {
    V difference = hn::Sub(hn::LoadU(d, column[0] + i), place[0]);
    V distance2 = hn::Mul(difference, difference);
    for (int axis = 1; axis < kAxes; ++axis) {
      difference = hn::Sub(hn::LoadU(d, column[axis] + i), place[axis]);
      distance2 = hn::MulAdd(difference, difference, distance2);
    }
    const auto near = hn::Le(distance2, bound);
    Append(di, index, hn::RebindMask(di, near), kept.index.data() + count);
    count += Append(d, distance2, near, kept.distance2.data() + count);
    index = hn::Add(index, step);
  }
  if (i < end) {
    const auto rest = hn::FirstN(d, end - i);
    V distance2 = hn::Zero(d);
    for (int axis = 0; axis < kAxes; ++axis) {
      const V difference = hn::Sub(hn::MaskedLoad(rest, d, column[axis] + i), place[axis]);
      distance2 = hn::MulAdd(difference, difference, distance2);
    }
    const auto near = hn::And(rest, hn::Le(distance2, bound));
    Append(di, index, hn::RebindMask(di, near), kept.index.data() + count);
    count += Append(d, distance2, near, kept.distance2.data() + count);
  }
  kept.count = count;
}

// Drops what cannot be among the k nearest of more than k.
void TightenSingle(KeptSingle& kept, std::size_t k) {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::int32_t> di;
  const std::size_t lanes = hn::Lanes(d);
  hn::StoreU(hn::Set(d, std::numeric_limits<float>::infinity()), d, kept.distance2.data() + kept.count);
  float low = 0.0F, high = 0.0F;
  auto most = hn::Zero(d);
  for (std::size_t i = 0; i < kept.count; i += lanes) {
    const auto v = hn::LoadU(d, kept.distance2.data() + i);
    most = hn::Max(most, hn::IfThenElseZero(hn::Lt(v, hn::Set(d, std::numeric_limits<float>::infinity())), v));
  }
  high = hn::GetLane(hn::MaxOfLanes(d, most));
  // No more than an eighth too many are as good as none: they are measured again anyway.
  for (int step = 0; step < 32; ++step) {
    const float middle = low + 0.5F * (high - low);
    if (!(middle > low && middle < high)) break;
    const auto v = hn::Set(d, middle);
    std::size_t count = 0;
    for (std::size_t i = 0; i < kept.count; i += lanes) {
      count += hn::CountTrue(d, hn::Le(hn::LoadU(d, kept.distance2.data() + i), v));
    }
    (count < k ? low : high) = middle;
    if (count >= k && count <= k + k / 8) break;
  }
  // k points are within beyond_rounding(high), and these are within that once more in single precision.
  kept.bound = std::min(kept.bound, single_above(beyond_rounding(beyond_rounding(high))));
  const auto bound = hn::Set(d, kept.bound);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kept.count; i += lanes) {
    const auto v = hn::LoadU(d, kept.distance2.data() + i);
    const auto index = hn::LoadU(di, kept.index.data() + i);
    const auto near = hn::Le(v, bound);
    Append(di, index, hn::RebindMask(di, near), kept.index.data() + count);
    count += Append(d, v, near, kept.distance2.data() + count);
  }
  kept.count = count;
}

// distance^2 of points by index, a vector at a time. What is read beyond the last index must be some point.
template <class D, class VI>
HWY_INLINE hn::Vec<D> DistancesOf(D d, const PointsView& points, const double* at, VI index) {
  auto difference = hn::Sub(hn::GatherIndex(d, points.axis[0], index), hn::Set(d, at[0]));
  auto distance2 = hn::Mul(difference, difference);
  for (std::size_t axis = 1; axis < points.axes; ++axis) {
    difference = hn::Sub(hn::GatherIndex(d, points.axis[axis], index), hn::Set(d, at[axis]));
    distance2 = hn::Add(distance2, hn::Mul(difference, difference));
  }
  return distance2;
}

double Farthest(const PointsView& points, const double* at, const std::int32_t* index, std::size_t n) {
  const hn::CappedTag<double, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  alignas(64) std::int64_t padded[kMostNearest + 8];
  for (std::size_t i = 0; i < n; ++i) padded[i] = index[i];
  for (std::size_t i = n; i < n + 8; ++i) padded[i] = index[0];
  auto most = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    most = hn::Max(most, DistancesOf(d, points, at, hn::LoadU(di, padded + i)));
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

// The k nearest through single precision; false where too many are too close to each other to be told apart so.
template <int kAxes>
bool NearestRounded(const PointsView& points, const double* at, std::size_t k, double within, Kept& kept) {
  KeptSingle single;
  if (within < 0x1p60) single.bound = single_above(beyond_rounding(within));
  std::size_t size = kFirstScanSingle;
  for (std::size_t end = points.points; end > 0;) {
    const std::size_t begin = end > size ? end - size : 0;
    ScanSingle<kAxes>(points, at, begin, end, single);
    if (single.count > k && (single.count > kLoose || begin == 0)) {
      TightenSingle(single, k);
      if (single.count > kLoose) return false;
    }
    end = begin;
    size = std::min(2 * size, kLargestScanSingle);
  }
  const hn::CappedTag<double, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < single.count; ++i) kept.index[i] = single.index[i];
  for (std::size_t i = single.count; i < single.count + lanes; ++i) kept.index[i] = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < single.count; i += lanes) {
    const auto index = hn::LoadU(di, kept.index.data() + i);
    const auto distance2 = DistancesOf(d, points, at, index);
    const auto rest = hn::FirstN(d, std::min(single.count - i, lanes));
    const auto near = hn::And(rest, hn::Lt(distance2, hn::Set(d, kept.bound)));
    Append(di, index, hn::RebindMask(di, near), kept.index.data() + count);
    count += Append(d, distance2, near, kept.distance2.data() + count);
  }
  kept.count = count;
  if (count > k) Tighten(kept, k);
  return true;
}

template <int kAxes>
std::size_t NearestIn(const PointsView& points, const double* at, std::size_t k, NearestAnswer answer, double within,
                      Kept& kept) {
  if (points.required != nullptr) return NearestOf<kAxes, true, true>(points, at, k, kept);
  if (answer == NearestAnswer::kPoints && points.rounded[0] != nullptr) {
    if (NearestRounded<kAxes>(points, at, k, within, kept)) return kept.count;
    kept.count = 0;
  }
  if (answer == NearestAnswer::kPoints) return NearestOf<kAxes, false, false>(points, at, k, kept);
  return NearestOf<kAxes, false, true>(points, at, k, kept);
}

std::size_t Nearest(const PointsView& points, const double* at, std::size_t k, std::int32_t* index, double* distance2,
                    NearestAnswer answer, double within) {
  Kept kept;
  kept.bound = std::nextafter(within, std::numeric_limits<double>::infinity());
  std::size_t result = 0;
  switch (points.axes) {
    case 1:
      result = NearestIn<1>(points, at, k, answer, within, kept);
      break;
    case 2:
      result = NearestIn<2>(points, at, k, answer, within, kept);
      break;
    case 3:
      result = NearestIn<3>(points, at, k, answer, within, kept);
      break;
    default:
      result = NearestIn<4>(points, at, k, answer, within, kept);
  }
  if (answer == NearestAnswer::kOrderAndCount) {
    WriteSorted(kept, index, distance2);
    return result;
  }
  for (std::size_t i = 0; i < kept.count; ++i) {
    index[i] = static_cast<std::int32_t>(kept.index[i]);
    distance2[i] = kept.distance2[i];
  }
  return kept.count;
}

void KeepNearest(std::int32_t* index, double* distance2, std::size_t n, std::size_t k) {
  Kept kept;
  std::copy_n(index, n, kept.index.begin());
  std::copy_n(distance2, n, kept.distance2.begin());
  kept.count = n;
  if (n > k) Tighten(kept, k);
  for (std::size_t i = 0; i < k; ++i) {
    index[i] = static_cast<std::int32_t>(kept.index[i]);
    distance2[i] = kept.distance2[i];
  }
}

// The order of up to kMostNearest keys by counting the smaller ones of each.
template <class T>
void OrderByCounting(const T* padded, std::size_t n, std::uint8_t* order) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  if (n <= 2 * lanes) {
    const auto first = hn::LoadU(d, padded), second = hn::LoadU(d, padded + lanes);
    for (std::size_t i = 0; i < n; ++i) {
      const auto mine = hn::Set(d, padded[i]);
      order[hn::CountTrue(d, hn::Lt(first, mine)) + hn::CountTrue(d, hn::Lt(second, mine))] =
          static_cast<std::uint8_t>(i);
    }
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto mine = hn::Set(d, padded[i]);
    std::size_t below = 0;
    for (std::size_t j = 0; j < n; j += lanes) below += hn::CountTrue(d, hn::Lt(hn::LoadU(d, padded + j), mine));
    order[below] = static_cast<std::uint8_t>(i);
  }
}

void AscendingOrder(const std::int32_t* key, std::size_t n, std::uint8_t* order) {
  constexpr std::size_t kPadded = 2 * kMostNearest;  // a vector beyond the last key
  std::int32_t least = 0, most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    least = std::min(least, key[i]);
    most = std::max(most, key[i]);
  }
  if (least >= std::numeric_limits<std::int16_t>::min() && most < std::numeric_limits<std::int16_t>::max()) {
    alignas(64) std::int16_t narrow[kPadded];
    for (std::size_t i = 0; i < n; ++i) narrow[i] = static_cast<std::int16_t>(key[i]);
    std::fill(narrow + n, narrow + kPadded, std::numeric_limits<std::int16_t>::max());
    OrderByCounting(narrow, n, order);
  } else {
    alignas(64) std::int32_t padded[kPadded];
    std::copy_n(key, n, padded);
    std::fill(padded + n, padded + kPadded, std::numeric_limits<std::int32_t>::max());
    OrderByCounting(padded, n, order);
  }
}

void AscendingValues(const double* key, const std::int32_t* index, std::size_t n, std::uint8_t* order) {
  const hn::CappedTag<double, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  alignas(64) double padded[kMostNearest + 8];
  alignas(64) std::int64_t wide[kMostNearest + 8];
  std::copy_n(key, n, padded);
  std::copy_n(index, n, wide);
  std::fill_n(padded + n, 8, std::numeric_limits<double>::infinity());
  std::fill_n(wide + n, 8, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const auto mine = hn::Set(d, key[i]);
    const auto my_index = hn::Set(di, static_cast<std::int64_t>(index[i]));
    std::size_t below = 0;
    for (std::size_t j = 0; j < n; j += hn::Lanes(d)) {
      const auto v = hn::LoadU(d, padded + j);
      const auto before = hn::RebindMask(d, hn::Lt(hn::LoadU(di, wide + j), my_index));
      below += hn::CountTrue(d, hn::Or(hn::Lt(v, mine), hn::And(hn::Eq(v, mine), before)));
    }
    order[below] = static_cast<std::uint8_t>(i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace greekgrid::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace greekgrid::cpu {
HWY_EXPORT(Nearest);
HWY_EXPORT(Farthest);
HWY_EXPORT(KeepNearest);
HWY_EXPORT(AscendingOrder);
HWY_EXPORT(AscendingValues);
}  // namespace greekgrid::cpu

namespace greekgrid {

std::size_t nearest(const PointsView& points, std::span<const double> at, std::span<std::int32_t> index,
                    std::span<double> distance2, NearestAnswer answer, double within) {
  assert(points.axes >= 1 && points.axes <= kMostAxes && at.size() == points.axes);
  assert(index.size() <= kMostNearest && !index.empty() && distance2.size() == index.size());
  return HWY_DYNAMIC_DISPATCH(cpu::Nearest)(points, at.data(), index.size(), index.data(), distance2.data(), answer,
                                            within);
}

double farthest(const PointsView& points, std::span<const double> at, std::span<const std::int32_t> index) {
  assert(points.axes >= 1 && points.axes <= kMostAxes && at.size() == points.axes);
  assert(!index.empty() && index.size() <= kMostNearest);
  return HWY_DYNAMIC_DISPATCH(cpu::Farthest)(points, at.data(), index.data(), index.size());
}

void keep_nearest(std::span<std::int32_t> index, std::span<double> distance2, std::size_t k) {
  assert(distance2.size() == index.size() && index.size() <= kMostNearest && k >= 1 && k <= index.size());
  HWY_DYNAMIC_DISPATCH(cpu::KeepNearest)(index.data(), distance2.data(), index.size(), k);
}

void ascending_order(std::span<const std::int32_t> key, std::span<std::uint8_t> order) {
  assert(key.size() <= kMostNearest && order.size() == key.size());
  HWY_DYNAMIC_DISPATCH(cpu::AscendingOrder)(key.data(), key.size(), order.data());
}

void ascending_order(std::span<const double> key, std::span<const std::int32_t> index, std::span<std::uint8_t> order) {
  assert(key.size() <= kMostNearest && index.size() == key.size() && order.size() == key.size());
  HWY_DYNAMIC_DISPATCH(cpu::AscendingValues)(key.data(), index.data(), key.size(), order.data());
}

}  // namespace greekgrid
#endif

// The Thrust code of the backend on Thrust's sequential host system.

#include "segment_order.hpp"

#include <gtest/gtest.h>
#include <thrust/system/cpp/execution_policy.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace greekgrid {
namespace {

TEST(SegmentOrder, IsLargestFirstAndStable) {
  std::mt19937 random(5);
  for (const std::uint32_t count : {1U, 2U, 17U, 5000U}) {
    std::vector<std::uint32_t> key(count), segment(count);
    std::vector<std::uint64_t> items(count + 10), item_end(count);
    for (auto& k : key) k = static_cast<std::uint32_t>(random() % 50);
    // Segment numbers start at 10, as those of the second kernel of a chunk do.
    std::iota(segment.begin(), segment.end(), 10U);
    for (auto& n : items) n = 1 + random() % 1000;

    std::vector<std::uint32_t> expected = segment;
    std::stable_sort(expected.begin(), expected.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return key[a - 10] > key[b - 10]; });
    cuda::order_segments(thrust::cpp::par, key.data(), segment.data(), items.data(), item_end.data(), count);
    EXPECT_EQ(segment, expected);
    EXPECT_TRUE(std::is_sorted(key.rbegin(), key.rend()));
    std::uint64_t end = 0;
    for (std::uint32_t i = 0; i < count; ++i) EXPECT_EQ(item_end[i], end += items[segment[i]]);
  }
}

}  // namespace
}  // namespace greekgrid

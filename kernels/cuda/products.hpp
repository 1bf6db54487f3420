#pragma once

/// @file
/// Products of matrices on the device, by the arguments of cublasDgemmStridedBatched.

#include <cstdint>

namespace greekgrid::cuda {

/// C_i = op(A_i) op(B_i) for i of `batch`, in double. Matrices are column-major; an element (row, column) of A_i is at
/// a[i * stride_a + column * leading_a + row]. op(A) is m x k, op(B) k x n, C m x n.
struct StridedProducts {
  bool transpose_a = false, transpose_b = false;
  std::int32_t m = 0, n = 0, k = 0;
  const double* a = nullptr;
  std::int32_t leading_a = 0;
  std::int64_t stride_a = 0;
  const double* b = nullptr;
  std::int32_t leading_b = 0;
  std::int64_t stride_b = 0;
  double* c = nullptr;
  std::int32_t leading_c = 0;
  std::int64_t stride_c = 0;
  std::int32_t batch = 0;
};

}  // namespace greekgrid::cuda

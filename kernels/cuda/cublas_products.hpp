#pragma once

/// @file
/// Products of matrices by cuBLAS, apart from the device, so that a program which multiplies nothing does without that
/// library: loading it takes longer than many a command.

#include <memory>

#include "device_api.hpp"

namespace greekgrid::cuda {

/// Multiplies matrices on streams of a device. Calls throw BackendError with the library's own reason.
class Products {
 public:
  virtual ~Products() = default;
  virtual void multiply(const StridedProducts& products, Stream stream) = 0;
  /// Lets go of what a stream that is about to be destroyed was given.
  virtual void forget(Stream stream) noexcept = 0;
};

/// cuBLAS, with a handle and so a workspace for each stream: sharing one, the bits of products could depend on what
/// else is running.
std::unique_ptr<Products> make_cublas_products();

}  // namespace greekgrid::cuda

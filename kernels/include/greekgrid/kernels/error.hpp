#pragma once

/// @file
/// Exceptions of the library. Messages read "problem (why) suggestion".

#include <stdexcept>
#include <string>

namespace greekgrid {

/// A backend that was asked to work cannot: built without it, no driver, no device, out of device memory.
class BackendError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace greekgrid

#pragma once

/// @file
/// What a child process would answer, for answer_child.cpp.

#include <cstdint>
#include <span>

namespace greekgrid::fuzz {

inline std::span<const std::uint8_t> answer;
/// A descriptor that an honest answer is written to instead, or -1.
inline int recorded = -1;

}  // namespace greekgrid::fuzz

#pragma once

/// @file
/// A guard in front of the TOML parser, which limits how deep values are nested but not how many parts a dotted key
/// has: a table is made of each, and giving back ten thousands of them, one in the other, overflows the stack.

#include <cstddef>
#include <string_view>

namespace greekgrid {

/// Parts of a key; ours have three.
inline constexpr std::size_t kMostKeyParts = 32;

/// The line, from 1, of a key of more than kMostKeyParts parts, or 0. Quotes are not looked at, so a text of as many
/// full stops without a comma counts too.
inline std::size_t line_of_long_key(std::string_view toml) {
  std::size_t line = 1, parts = 1;
  char before = '\n';
  for (const char c : toml) {
    switch (c) {
      case '\n':
        ++line;
        [[fallthrough]];
      case '=':
      case ',':
      case '[':
      case ']':
      case '{':
      case '}':
        parts = 1;
        break;
      case '.':
        if (before != '.') ++parts;
        break;
      default:
        break;
    }
    if (parts > kMostKeyParts) return line;
    if (c != ' ' && c != '\t') before = c;
  }
  return 0;
}

}  // namespace greekgrid

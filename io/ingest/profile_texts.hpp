#pragma once

/// @file
/// The texts of io/ingest/profiles, put into the program by cmake/GreekgridProfiles.cmake.

#include <span>
#include <string_view>

namespace greekgrid::ingest_detail {

struct ProfileText {
  std::string_view name;  ///< of the file
  std::string_view text;
};
extern const std::span<const ProfileText> kProfileTexts;

}  // namespace greekgrid::ingest_detail

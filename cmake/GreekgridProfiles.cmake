# greekgrid_profiles(<source>): writes a C++ file that holds every io/ingest/profiles/*.toml, rewritten when one changes.
set(GREEKGRID_PROFILE_DIR ${CMAKE_CURRENT_LIST_DIR}/../io/ingest/profiles)
function(greekgrid_profiles source)
  file(GLOB profiles CONFIGURE_DEPENDS ${GREEKGRID_PROFILE_DIR}/*.toml)
  list(SORT profiles)
  set(entries "")
  foreach(profile IN LISTS profiles)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${profile})
    file(READ ${profile} text)
    get_filename_component(name ${profile} NAME)
    string(APPEND entries "    ProfileText{\"${name}\", R\"profile(${text})profile\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
// Generated from io/ingest/profiles.
#include "profile_texts.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr ProfileText kTexts[] = {
@entries@};

}  // namespace

const std::span<const ProfileText> kProfileTexts(kTexts);

}  // namespace greekgrid::ingest_detail
]])
endfunction()

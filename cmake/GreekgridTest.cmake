# greekgrid_test(<name> SOURCES ... LIBS ... [LABELS ...]): one GoogleTest executable whose cases CTest discovers by name.
include(GoogleTest)
function(greekgrid_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} greekgrid::test_support greekgrid::build GTest::gmock GTest::gtest_main)
  # gtest_discover_tests() drops empty arguments, and the next word would be taken for the label.
  set(labels)
  if(ARG_LABELS)
    set(labels LABELS "${ARG_LABELS}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES TEST_PREFIX "${name}." PROPERTIES ${labels} TIMEOUT 600)
endfunction()

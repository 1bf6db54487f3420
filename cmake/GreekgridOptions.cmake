# Options, warning sets and sanitizers that every room shares, carried by the interface target greekgrid_build.
set(GREEKGRID_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO (when nvcc is found), ON, OFF")
set_property(CACHE GREEKGRID_CUDA PROPERTY STRINGS AUTO ON OFF)
set(GREEKGRID_SANITIZE "" CACHE STRING "Sanitizers for every target, such as address,undefined or thread")
option(GREEKGRID_TESTS "Build the tests" ON)
option(GREEKGRID_BENCH "Build the benchmarks where Google Benchmark is found" ON)
option(GREEKGRID_FUZZ "Build the fuzzers with clang and run them briefly as tests" OFF)
option(GREEKGRID_WERROR "Treat warnings as errors" ON)

add_library(greekgrid_build INTERFACE)
add_library(greekgrid::build ALIAS greekgrid_build)
target_compile_features(greekgrid_build INTERFACE cxx_std_20)
# -ffp-contract=off: formulas fuse only where they say fma, so every build of them agrees bit for bit.
target_compile_options(greekgrid_build INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off;-fno-math-errno;-Wall;-Wextra;-Wshadow;-Wconversion;-Wno-sign-conversion;-Wnon-virtual-dtor>)
# g++ 12 sees an overlap in inlined std::string assignments that cannot happen (GCC bug 105651).
target_compile_options(greekgrid_build INTERFACE
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
if(GREEKGRID_WERROR)
  target_compile_options(greekgrid_build INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
# Reproducible binaries and messages: no path of the build machine in them.
target_compile_options(greekgrid_build INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>)
if(GREEKGRID_SANITIZE)
  target_compile_options(greekgrid_build INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${GREEKGRID_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>)
  target_link_options(greekgrid_build INTERFACE -fsanitize=${GREEKGRID_SANITIZE})
endif()

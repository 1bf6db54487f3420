# Decides whether the CUDA backend is built (GREEKGRID_CUDA AUTO|ON|OFF) and sets GREEKGRID_HAVE_CUDA.
# nvcc is looked for on PATH, in CUDACXX and at /usr/local/cuda/bin. No GPU is needed to build.
set(GREEKGRID_HAVE_CUDA OFF)
if(NOT GREEKGRID_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER)
    find_program(GREEKGRID_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
    mark_as_advanced(GREEKGRID_NVCC)
    if(DEFINED ENV{CUDACXX})
      set(CMAKE_CUDA_COMPILER $ENV{CUDACXX})
    elseif(GREEKGRID_NVCC)
      set(CMAKE_CUDA_COMPILER ${GREEKGRID_NVCC})
    endif()
  endif()
  if(CMAKE_CUDA_COMPILER)
    # An explicit list: "native" asks a GPU. Machine code for sm_80 and sm_90, and PTX of the latter for what follows.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "CUDA architectures")
    endif()
    if(NOT DEFINED CMAKE_CUDA_HOST_COMPILER)
      set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER} CACHE FILEPATH "Host compiler of nvcc")
    endif()
    # CMake 3.25 does not know that this nvcc has C++20 and would drop CMAKE_CUDA_STANDARD without a word.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(CMAKE_CUDA_EXTENSIONS OFF)
    find_package(CUDAToolkit REQUIRED)
    if(TARGET CUDA::cublas)
      set(GREEKGRID_HAVE_CUDA ON)
      message(STATUS "CUDA backend: ${CMAKE_CUDA_COMPILER} for ${CMAKE_CUDA_ARCHITECTURES}")
    elseif(GREEKGRID_CUDA STREQUAL "ON")
      message(FATAL_ERROR "GREEKGRID_CUDA=ON but there is no cuBLAS beside ${CMAKE_CUDA_COMPILER} install libcublas with its "
                          "headers (libcublas-dev), or configure with -DGREEKGRID_CUDA=OFF")
    else()
      message(STATUS "CUDA backend: not built (no cuBLAS beside ${CMAKE_CUDA_COMPILER})")
    endif()
  elseif(GREEKGRID_CUDA STREQUAL "ON")
    message(FATAL_ERROR "GREEKGRID_CUDA=ON but there is no nvcc (looked on PATH, in CUDACXX and /usr/local/cuda/bin) "
                        "install the CUDA toolkit, set CUDACXX to its nvcc, or configure with -DGREEKGRID_CUDA=OFF")
  else()
    message(STATUS "CUDA backend: not built (no nvcc on PATH, in CUDACXX or /usr/local/cuda/bin)")
  endif()
endif()

# greekgrid_cuda_options(<target>): the compile options of CUDA sources. Multiply-adds fuse only where they are written,
# as in the rest of the library; ptxas reports registers and spills.
function(greekgrid_cuda_options target)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:--fmad=false>"
    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xcompiler=-ffp-contract=off,-fno-math-errno,-Wall,-Wextra>")
  if(GREEKGRID_WERROR)
    target_compile_options(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:--Werror all-warnings,cross-execution-space-call -Xcompiler=-Werror>")
  endif()
endfunction()

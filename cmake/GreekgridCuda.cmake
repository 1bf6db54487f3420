# Decides whether the CUDA backend is built (GREEKGRID_CUDA AUTO|ON|OFF) and sets GREEKGRID_HAVE_CUDA.
set(GREEKGRID_HAVE_CUDA OFF)

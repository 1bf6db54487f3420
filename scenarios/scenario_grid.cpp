#include "greekgrid/kernels/views.hpp"

#include "greekgrid/io/error.hpp"

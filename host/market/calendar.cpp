#include "greekgrid/host/calendar.hpp"

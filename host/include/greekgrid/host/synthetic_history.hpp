#pragma once

/// @file
/// Made daily histories of the tickers of a chain, for demonstrations and benchmarks without any data.

#include <cstddef>
#include <cstdint>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/daily_history.hpp"

namespace greekgrid {

/// The sessions before that of a chain's quotes, of every ticker with a spot: returns with clustered volatility that
/// lead to the spot, opens, highs and lows, volumes that grow with the size of a return, FINRA's volumes, and G, G_old
/// and iv30 that wander slowly; every twentieth ticker has split two for one on the way. Nothing in it foretells
/// anything: forecasts show no skill. The same chain and seed give the same history on every compiler and from any
/// number of threads.
/// @param sessions 1 .. 9,000, as far back as the calendar goes
/// @throws std::invalid_argument if sessions is out of range
DailyHistory synthesize_history(const OptionChain& chain, std::size_t sessions, std::uint64_t seed,
                                const Calendar& calendar);

}  // namespace greekgrid

#pragma once

/// @file
/// A made universe of option chains, for demonstrations and benchmarks without any data.

#include <cstdint>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"

namespace greekgrid {

/// What is asked for. Contracts are dealt to tickers by a capped Zipf law and add up exactly.
struct SyntheticChainOptions {
  std::int32_t tickers = 1000;         ///< 1 .. 400,000
  std::int64_t contracts = 1'500'000;  ///< at least one per ticker, at most 100,000,000
  std::uint64_t seed = 1;
};

/// A chain as a vendor might list it at the close of 2026-07-10: an index with AM monthlies and PM weeklies (SPX, SPXW;
/// NDX and RUT in larger universes) and invented stocks; session-by-session expirations of the largest names, the one
/// that has just settled among them; strike ladders around log-normal spots; volatilities of an SSVI surface (Gatheral
/// and Jacquier, 2014); European Black-Scholes prices with a spread on a tick grid, some quotes 0/0, some volatilities
/// missing or placeholders; open interest heavy-tailed and gathered at round strikes, 0 and missing among it. The same
/// options give the same chain on every compiler (numbers are rounded to what a vendor prints) and from any number of
/// threads. No sources, no dealer positions.
/// @throws std::invalid_argument if the options are out of range
OptionChain synthesize_chain(const SyntheticChainOptions& options, const Calendar& calendar);

}  // namespace greekgrid

#pragma once

/// @file
/// What a device holds of one chunk of jobs: plain arrays and the tables that lead a block to its work.

#include <cstdint>

#include "greekgrid/kernels/formulas/smile.hpp"

namespace greekgrid::cuda {

/// Contracts of one expiry that are staged and summed together, at most kTileContracts of them.
inline constexpr int kTileContracts = 64;
/// Tiles of one work item at most: bounds the longest item, so that one large chain is spread over the device.
inline constexpr int kSegmentTiles = 32;

struct Tile {
  std::uint32_t expiry;    ///< into the chunk's expiries
  std::uint32_t contract;  ///< first, into the chunk's contracts
  std::uint32_t count;
};

/// A run of tiles of one job; one work item is a segment at one position model, instant, IV shift and spot tile.
struct Segment {
  std::uint32_t job;
  std::uint32_t index;  ///< among the segments of its job
  std::uint32_t tile;   ///< first
  std::uint32_t tiles;
  std::uint32_t spot_tiles;  ///< blocks along the spot axis
};

/// A tile of a job whose volatility follows the smile.
struct SmileTile {
  std::uint32_t job;
  std::uint32_t tile;
  std::uint32_t smile;  ///< into the chunk's smiles
};

/// A contract of a job of the spectral evaluator, by descending volatility within its expiry.
struct SortedContract {
  double sigma;
  double moneyness;  ///< ln(S0 e^b / K)
  double strike;
  std::uint32_t contract;  ///< into the chunk's contracts
  std::int32_t right;
};

/// Of a job whose volatility does not follow the smile.
inline constexpr std::uint64_t kNoTable = ~std::uint64_t{0};

struct Job {
  double spot;  ///< S0 e^b: contracts see the synthetic spot
  double vendor_spot;
  double basis_growth;  ///< e^b
  double log_spot_begin;
  double log_spot_step;
  double iv_rule_parameter;
  double iv_floor;
  double iv_shift_cap;  ///< of the sqrt_time scale; < 0: flat
  std::int64_t quote_time;
  std::uint32_t spots;
  std::uint32_t times;
  std::uint32_t shifts;
  std::uint32_t positions;
  std::uint32_t contract;  ///< first, into the chunk's contracts
  std::uint32_t contracts;
  std::uint32_t time;             ///< first
  std::uint32_t shift;            ///< first
  std::uint64_t weight;           ///< first
  std::uint64_t output;           ///< first, into the chunk's exposures: the slots of segment 0
  std::uint64_t partial;          ///< first, into the chunk's partial sums: the slots of segment 1
  std::uint64_t values;           ///< (G, W, T, V, J)
  std::uint64_t rule_volatility;  ///< first, into the chunk's volatilities under the rule, or kNoTable
  /// Contracts of at least this sigma sqrt(tau) are left to the spectral evaluator; infinite where none are. A job that
  /// leaves any has its contracts sorted.
  double least_total;
  std::uint32_t spectral;  ///< into the chunk's spectral jobs, if any are left
};

/// A job of several segments: its partial sums are added to its exposures in the order of the segments.
struct SumJob {
  std::uint64_t end;  ///< elements of this and earlier such jobs
  std::uint64_t output;
  std::uint64_t partial;
  std::uint64_t values;
  std::uint32_t segments;
};

struct Tables {
  const Job* jobs;
  const Tile* tiles;
  const Segment* segments;
  const std::int64_t* settlement;
  const double* rate;
  const double* dividend_yield;
  const double* strike;
  const std::int8_t* right;
  const double* implied_volatility;
  const double* weight;
  const std::int64_t* time;
  const double* iv_shift;
  const formulas::Smile<double>* smiles;
  const SmileTile* smile_tiles;
  void* rule_volatility;   ///< (contracts, J) of each job that follows the smile, in the kernel's precision
  SortedContract* sorted;  ///< (contracts) of jobs of the spectral evaluator
  double* exposure;
  double* partial;
  std::int32_t greek_slot[12];  ///< place of a Greek in the result, or -1
};

/// Segments in the order of their launch: largest first.
struct Queue {
  std::uint32_t* segment;   ///< (S) by rank
  std::uint64_t* item_end;  ///< (S) work items of this and earlier ranks
  std::uint32_t segments;
};

}  // namespace greekgrid::cuda

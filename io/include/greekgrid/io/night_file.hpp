#pragma once

/// @file
/// night.h5: the result of one run. Surfaces are compressed by the calling threads and written by one writer thread in
/// ticker order, so the bytes do not depend on the number of threads.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/night_result.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Writes one night.h5 beside its target and publishes it when finished.
class NightWriter {
 public:
  /// Creates the temporary file with its root: coordinates, attributes and the empty surface datasets.
  /// @throws OutputError
  NightWriter(const std::filesystem::path& target, const NightHeader& header);
  /// Discards the file unless finish() returned.
  ~NightWriter();
  NightWriter(const NightWriter&) = delete;
  NightWriter& operator=(const NightWriter&) = delete;

  /// Converts to float32, rounds, shuffles, deflates and queues the surfaces of one ticker. Thread-safe; tickers may
  /// come in any order, each exactly once. `cells` is C-ordered (surface, position, iv_rule, time, iv_shift,
  /// spot_step), surfaces in the order of NightHeader, `session` (IntradaySurface, position, ExpiryScope, time,
  /// spot_step) over the session's axes, empty where there are none; `steps` of a ticker whose header stores an
  /// outlook, null leaves them missing. Waits while 256 MiB of encoded chunks are queued and the writer thread has its
  /// next ticker; tickers that run ahead of a missing one stay in memory.
  /// @throws OutputError for a cell that float32 cannot hold, and for an earlier failure of the writer thread.
  void write_surfaces(std::int64_t ticker, std::span<const double> cells, std::span<const double> session = {},
                      const TickerSteps* steps = nullptr);

  /// Writes the groups, closes and publishes.
  /// @throws OutputError also if a ticker's surfaces are missing or the tables do not fit the header
  void finish(const NightTables& tables);

  struct Statistics {
    std::uint64_t bytes_raw = 0;         ///< of the surfaces, hypothetical closes and maps
    std::uint64_t bytes_compressed = 0;  ///< as stored
    double compress_seconds = 0.0;       ///< summed over threads
    double write_seconds = 0.0;          ///< of the writer thread
  };
  Statistics statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What `levels` and `info` read back from a night.h5.
struct NightSummary {
  NightHeader header;
  std::vector<LevelRow> level;
  std::vector<CrossingRow> crossing;
  std::vector<TickerQuality> quality;
  std::int64_t contracts = 0, expiries = 0;
  Instant session = 0;                     ///< 00:00 UTC of the session that the quotes belong to
  std::map<std::string, std::string> run;  ///< attributes of /run as text
  std::vector<std::string> warnings;
};

/// Reads header, levels, crossings, quality and run attributes, with the guard of read_chain_file. @throws InputError
NightSummary read_night_summary(const std::filesystem::path& path);

}  // namespace greekgrid

#pragma once

/// @file
/// The records of a NightPart, for those who make a night of them. Private to io/hdf5.

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "greekgrid/io/night_part.hpp"
#include "ticker_columns.hpp"

namespace greekgrid::h5 {

/// Where one ticker's chunks and diagnostics lie in the data of its record.
struct RecordIndex {
  TickerDigest digest;
  std::vector<std::uint64_t> surface;  ///< bytes of each chunk: (surfaces, W, R), then (session surfaces, W, scopes)
  std::vector<std::int32_t> step_dataset, step_axis;
  std::vector<std::int64_t> step_offset;  ///< (chunks, 6)
  std::vector<std::uint64_t> step;        ///< bytes of each chunk
  /// Values and bytes of each item of the tables and of /quality.
  std::vector<std::uint32_t> count, bytes, quality_count, quality_bytes;
  std::uint64_t diagnostics = 0;  ///< bytes
  /// Where the chunks lie in a file of their own, and their hash; 0: they are in the record.
  std::uint64_t chunks_at = 0;
  std::array<std::uint64_t, 2> chunks_hash{};
  std::uint64_t raw = 0;  ///< bytes of the surfaces before encoding
};

/// Reads from records. Offsets are of the file; data of a record lie in the order quality, tables, surfaces, steps,
/// diagnostics, where surfaces and steps may be elsewhere.
class RecordReader {
 public:
  explicit RecordReader(const NightPart& part) : part_(part) {}
  std::size_t records() const;
  /// @throws InputError
  RecordIndex index(std::size_t record) const;
  /// Begin of a record's data in the file.
  std::uint64_t data(std::size_t record) const;
  void read(std::uint64_t offset, void* to, std::size_t size) const;
  /// Bytes of a record's chunks, and where they lie in the file of chunks (0: in the record).
  std::uint64_t chunk_bytes(std::size_t record) const;
  std::uint64_t chunks_at(std::size_t record) const;
  void read_chunks(std::uint64_t offset, void* to, std::size_t size) const;
  /// The file of chunks if there is one that nothing else goes by the name of; empty otherwise.
  std::filesystem::path own_chunks() const;
  const std::vector<TableItem>& tables() const;   ///< items of accepted tickers; empty if there is none
  const std::vector<TableItem>& quality() const;  ///< of /quality

 private:
  const NightPart& part_;
};

}  // namespace greekgrid::h5

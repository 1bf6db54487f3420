#pragma once

/// @file
/// history.h5: daily prices and volumes of many symbols (netCDF-4 compatible HDF5).

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// Writes history.h5 atomically; equal histories give equal bytes.
/// @throws OutputError also for a history that is not what DailyHistory promises, or has no row
void write_history_file(const DailyHistory& history, const std::filesystem::path& target);

/// A history that is read a few symbols at a time: as ChainStore.
class HistoryStore {
 public:
  /// Reads and validates all of a history.h5, see read_history_file().
  /// @param directory where room is taken for the columns; empty: memory @throws InputError, OutputError
  explicit HistoryStore(const std::filesystem::path& path, const std::filesystem::path& directory = {});
  ~HistoryStore();
  HistoryStore(HistoryStore&&) noexcept;
  HistoryStore& operator=(HistoryStore&&) noexcept;

  /// Symbols and sources, without rows.
  const DailyHistory& index() const;
  std::int64_t rows() const;
  /// The part that belongs to some symbols, ascending. Thread-safe. @throws OutputError
  DailyHistory read(std::span<const std::size_t> symbols) const;
  /// The whole. @throws OutputError
  DailyHistory read() const;
  /// 32 hexadecimal digits (XXH3-128) of everything in it but the names and sums of its sources.
  const std::string& digest() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads and validates history.h5, with the guard of read_chain_file. @throws InputError
DailyHistory read_history_file(const std::filesystem::path& path);

/// A store extended in place.
struct HistoryAppend {
  DailyHistory before;   ///< what the store said; empty where there was none
  DailyMerge merge;      ///< of all parts, the store among them; its history is what the store says now
  bool written = false;  ///< false: nothing new was said, the file was left alone
};

/// Reads a history.h5, merges parts into it and replaces it atomically. Nobody else changes the store meanwhile:
/// callers in other processes or threads wait for one another (FileLock). A store that is missing is made. Where no row
/// is added and no value filled or replaced, as by the same parts again, the file is left as it is. Costs a reading and
/// a writing of the whole store: its size counts, not that of what is new.
/// @param parts   merged in their order, see merge_histories()
/// @param replace a value that differs from an earlier one replaces it
/// @param place   how many of the parts come before the store: 0 and what the store says stands against them all. The
///                numbers of parts in the result count the store. With any other place the file is always written.
/// @throws InputError for a store that cannot be read, OutputError for one that cannot be locked or written,
/// std::invalid_argument for a place beyond the parts
HistoryAppend append_to_history(const std::filesystem::path& store, std::span<const DailyHistory* const> parts,
                                bool replace, std::size_t place = 0);
/// The same of one part.
HistoryAppend append_to_history(const std::filesystem::path& store, const DailyHistory& tonight, bool replace);

/// What extending a store came to.
struct HistoryExtension {
  std::size_t contradictions = 0;  ///< values that differ from those the store had
  bool written = false;            ///< false: nothing new was said, the file was left alone
};
/// The same of a small part, such as a night's, with the same bytes: symbol by symbol, so that memory does not grow
/// with the store. @throws InputError, OutputError
HistoryExtension extend_history(const std::filesystem::path& store, const DailyHistory& tonight, bool replace);

}  // namespace greekgrid

#pragma once

/// @file
/// chains.h5: one quote instant, many underlyings (netCDF-4 compatible HDF5).

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "greekgrid/host/chain.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// True if the file begins with the HDF5 signature. @throws InputError if it cannot be read.
bool is_hdf5_file(const std::filesystem::path& path);

/// The root attribute `schema` of an HDF5 file: which of this program's files it is, read as safely as its contents.
/// @throws InputError for a file without one.
std::string read_schema_name(const std::filesystem::path& path);

/// The quote instant of a chains.h5, read as safely as its contents and without them. @throws InputError
Instant read_quote_time(const std::filesystem::path& path);

/// Writes chains.h5 atomically; equal chains give equal bytes.
/// @throws OutputError also for a chain that is not what OptionChain promises, or has no contract
void write_chain_file(const OptionChain& chain, const std::filesystem::path& target);

/// A chain that is read a few tickers at a time. Its columns lie decoded in a nameless file: memory holds the tickers
/// and expiries alone, and what becomes of the file it was read from no longer matters.
class ChainStore {
 public:
  /// Reads and validates all of a chains.h5, see read_chain_file().
  /// @param directory where room is taken for the columns; empty: memory @throws InputError, OutputError
  explicit ChainStore(const std::filesystem::path& path, const std::filesystem::path& directory = {});
  /// Takes over a chain that was ingested. @throws InputError for one without a contract, OutputError
  explicit ChainStore(OptionChain chain, const std::filesystem::path& directory = {});
  ~ChainStore();
  ChainStore(ChainStore&&) noexcept;
  ChainStore& operator=(ChainStore&&) noexcept;

  /// Everything but the columns of contracts.
  const OptionChain& index() const;
  std::int64_t contracts() const;
  bool has_dealer_position() const;
  /// The part that belongs to some tickers, ascending. Thread-safe. @throws OutputError
  OptionChain read(std::span<const std::size_t> tickers) const;
  /// The whole. @throws OutputError
  OptionChain read() const;
  /// 32 hexadecimal digits (XXH3-128) of everything in it but the names and sums of its sources.
  const std::string& digest() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads and validates chains.h5: schema and version, dimensions against the file size, order, indices, values.
/// The HDF5 library never opens the file in this process: a child process reads it under limits of time and memory and
/// hands over plain values, because the library is not safe on corrupt metadata; what it hands over is validated here.
/// `rejects` of the result is empty and rows_in is its number of contracts.
/// @throws InputError
OptionChain read_chain_file(const std::filesystem::path& path);

}  // namespace greekgrid

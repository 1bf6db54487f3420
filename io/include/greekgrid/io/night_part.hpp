#pragma once

/// @file
/// A part of a night: what tickers came to, one record after the other, as they are done. It is what a run that is cut
/// short leaves behind, and what a shard hands over; the file that others read is made from one or several of them.

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/night_result.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

/// One thing that determines the bytes of a night.
struct NightFact {
  std::string name, value;
  friend bool operator==(const NightFact&, const NightFact&) = default;
};

/// What all parts of one night have in common, and what a run that goes on must find unchanged.
struct NightIdentity {
  NightHeader axes;     ///< without tickers
  NightRunTexts texts;  ///< warnings: those of the selection
  /// Names and values of everything that determines the bytes: configuration, inputs by content, program, backend.
  std::vector<NightFact> fact;
  std::vector<std::string> ticker;     ///< of the whole night, in the order of their bytes, refused ones among them
  std::vector<std::uint32_t> order;    ///< of `ticker`: how their chunks lie in the night; empty: as they are
  std::vector<TickerQuality> absent;   ///< asked for, not in the chain
  Diagnostics diagnostics;             ///< of tickers that are absent or not ranked
  std::int32_t shard = 1, shards = 1;  ///< which part of how many
};

/// What writing a part or a night took.
struct NightStatistics {
  std::uint64_t bytes_raw = 0;         ///< of surfaces, hypothetical closes and maps
  std::uint64_t bytes_compressed = 0;  ///< as stored
  double compress_seconds = 0.0;       ///< summed over threads
  double write_seconds = 0.0;          ///< of the thread that writes
};

/// One part on disk. The file is a sequence of records, each with its length and an XXH3-128 of its bytes, so that a
/// process may be killed at any instruction, and a machine lose power, without harm to the records before. A part that
/// is a night by itself can keep its chunks in a file of their own, in the places that they have in the night: what the
/// night lacks is written around them when all are there, and most of its bytes are written once.
class NightPart {
 public:
  /// Begins a part; a file of that name is replaced. @param named what messages call it
  /// @param chunks where the chunks are kept; empty: with the records @throws OutputError
  static NightPart create(const std::filesystem::path& path, const NightIdentity& identity, const std::string& named,
                          const std::filesystem::path& chunks = {});
  /// Goes on with a part that a run left behind: whole records are kept, what is damaged or incomplete is cut off.
  /// @throws InputError if it is no part, or one of another run (the first differing fact is named), OutputError
  static NightPart resume(const std::filesystem::path& path, const NightIdentity& identity, const std::string& named,
                          const std::filesystem::path& chunks = {});
  /// Opens a complete part for reading. @throws InputError for a file that is no part, damaged or incomplete
  static NightPart open(const std::filesystem::path& path);
  ~NightPart();
  NightPart(NightPart&&) noexcept;
  NightPart& operator=(NightPart&&) noexcept;

  const NightIdentity& identity() const;
  const std::filesystem::path& path() const;
  /// The tickers that are done, in the order of the records.
  const std::vector<TickerDigest>& done() const;

  /// Nights that are encoded and not yet written.
  class Block {
   public:
    Block(Block&&) noexcept;
    Block& operator=(Block&&) noexcept;
    ~Block();

   private:
    friend class NightPart;
    struct Impl;
    explicit Block(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  /// Encodes nights in parallel. A night that single precision cannot hold is refused as stage_failed first. May run
  /// while another thread appends.
  Block encode(std::span<TickerNight> block);
  /// Appends a record of each night, in the order of the identity. @throws OutputError, which leaves what was there
  /// before
  void append(Block block);
  void append(std::span<TickerNight> block) { append(encode(block)); }
  /// Ends the part: durable, and open() takes it from now on. @throws OutputError
  void complete();
  bool is_complete() const;
  /// Notes that the night made of this part has been published: a run that goes on has only to do what comes after.
  /// @throws OutputError
  void mark_published();
  bool is_published() const;
  NightStatistics statistics() const;

  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  explicit NightPart(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Refuses parts that do not make one whole night: other facts, tickers twice, tickers or shards that are missing. All
/// that is wrong is named. @throws InputError
void check_parts(std::span<const NightPart* const> parts);

/// Diagnostics of every ticker of the parts and of those that had none, by ticker; reads what the parts hold of them.
Diagnostics diagnostics_of(std::span<const NightPart* const> parts);

/// Makes the night of its parts and publishes it: the bytes depend on what the tickers came to alone, not on how they
/// are spread over parts and in which order. Memory holds one ticker's chunks, a slice of one column at a time and what
/// is read ahead of the records: some 32 MiB, or 4 KiB a ticker where that is more.
/// @throws OutputError, InputError for a record that cannot be read back
NightStatistics write_night_file(std::span<const NightPart* const> parts, const std::filesystem::path& target);

}  // namespace greekgrid

#include "night_part.hpp"

#include <fcntl.h>
#include <oneapi/tbb/parallel_for.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "archive.hpp"
#include "chunk_codec.hpp"
#include "content_hash.hpp"
#include "night_forecasts.hpp"
#include "night_schema.hpp"
#include "night_tables.hpp"
#include "page_writer.hpp"
#include "placed_file.hpp"
#include "shared_values.hpp"

namespace greekgrid {

// How the values of a record are spelled. In the namespace of their types, where the archives look for them.
namespace {

template <class Archive, class Header>
void transfer_axes(Archive& archive, Header& h) {
  archive(h.title, h.quote_time, h.file_time, h.open_interest_settle_date, h.open_interest_knowledge_time, h.source,
          h.position, h.iv_rule, h.iv_rule_parameter, h.time, h.time_axis, h.iv_shift, h.iv_shift_term,
          h.iv_shift_term_cap, h.iv_floor, h.spot_step, h.spot_axis, h.delta_change, h.intraday.time,
          h.intraday.spot_step, h.move_time, h.keep_bits);
  for (auto& end : h.buckets.end) archive(end);
  auto& o = h.outlook;
  archive(o.stored, o.maps, o.over, o.known_by, o.next_close, o.mode, o.close.first, o.close.last);
}

}  // namespace

template <class Archive>
void transfer(Archive& archive, const NightHeader& h) {
  transfer_axes(archive, h);
  archive(h.greeks.bits(), static_cast<std::int64_t>(midnight_of(h.outlook.session)), std::uint64_t{h.moves.size()});
  for (const NamedMove& move : h.moves) archive(move.name, move.expected_moves, move.iv_shift, move.sessions);
}
template <class Archive>
void transfer(Archive& archive, NightHeader& h) {
  transfer_axes(archive, h);
  std::uint32_t bits = 0;
  std::int64_t session = 0;
  std::uint64_t moves = 0;
  archive(bits, session, moves);
  for (const Greek greek : kAllGreeks) {
    if ((bits & (1U << static_cast<unsigned>(greek))) != 0) h.greeks.insert(greek);
  }
  h.outlook.session =
      Date{std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(session)))};
  if (moves > archive.left()) throw h5::Error("a list is longer than what was read");
  h.moves.resize(moves);
  for (NamedMove& move : h.moves) archive(move.name, move.expected_moves, move.iv_shift, move.sessions);
}

/// T, changeable or not.
template <class Value, class T>
concept Either = std::is_same_v<std::remove_const_t<Value>, T>;

template <Either<NightFact> Value>
auto fields_of(Value& v) {
  return std::tie(v.name, v.value);
}
template <Either<NightRunTexts> Value>
auto fields_of(Value& v) {
  return std::tie(v.previous, v.configuration, v.tool_version, v.build, v.backend, v.precision, v.evaluator,
                  v.tolerance, v.warnings);
}
template <Either<TickerQuality> Value>
auto fields_of(Value& v) {
  return std::tie(v.ticker, v.status, v.contracts, v.rows_in, v.rows_expired, v.rows_refused, v.coverage,
                  v.own_iv_share, v.supported_iv_share, v.filled_iv_share, v.expired_share, v.parity_residual,
                  v.arbitrage_score, v.spread, v.spot_basis_bp, v.spot_source, v.clipped_cells);
}
template <Either<Diagnostic> Value>
auto fields_of(Value& v) {
  return std::tie(v.file, v.row, v.field, v.rule, v.value, v.ticker);
}
template <Either<SurfaceErrors> Value>
auto fields_of(Value& v) {
  return std::tie(v.spectral, v.brute, v.bound, v.cells, v.sampled, v.sampled_of_gross);
}
template <Either<TickerDigest> Value>
auto fields_of(Value& v) {
  return std::tie(v.ticker, v.status, v.index, v.spot_reference, v.spot_basis, v.spot_scale, v.expected_move,
                  v.average_daily_volume, v.gamma_move, v.contracts, v.evaluations, v.basis_bp, v.stepped,
                  v.closes.first, v.closes.last, v.symbol, v.errors, v.close, v.g, v.g_old, v.iv30, v.gamma_index,
                  v.rule, v.refused);
}
template <Either<NightIdentity> Value>
auto fields_of(Value& v) {
  return std::tie(v.axes, v.texts, v.fact, v.ticker, v.order, v.absent, v.diagnostics, v.shard, v.shards);
}

template <class Archive, class Value>
requires requires(Value& value) {
  fields_of(value);
}
void transfer(Archive& archive, Value& value) {
  std::apply([&archive](auto&... field) { archive(field...); }, fields_of(value));
}

namespace h5 {

template <Either<RecordIndex> Value>
auto fields_of(Value& v) {
  return std::tie(v.digest, v.surface, v.step_dataset, v.step_axis, v.step_offset, v.step, v.count, v.bytes,
                  v.quality_count, v.quality_bytes, v.diagnostics, v.raw, v.chunks_at, v.chunks_hash[0],
                  v.chunks_hash[1]);
}
template <class Archive, Either<RecordIndex> Value>
void transfer(Archive& archive, Value& value) {
  std::apply([&archive](auto&... field) { archive(field...); }, fields_of(value));
}

}  // namespace h5

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::array<char, 8> kMagic = {'g', 'r', 'i', 'd', 'p', 'a', 'r', 't'};
constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kStatuses = h5::kTickerStatusCount;
constexpr std::size_t kMostSpare = std::size_t{48} << 20U;  // bytes of memory kept for chunks

/// What a record is. The order in a file: identity, then in any order schemas before the tickers that need them, end.
enum class Kind : std::uint32_t { kIdentity = 1, kTables = 2, kQuality = 3, kTicker = 4, kEnd = 5, kPublished = 6 };

/// Before every record; the hash is of the payload, seeded by kind and size through being computed over them too.
struct Frame {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  Kind kind = Kind::kTicker;
  std::uint64_t size = 0;
  std::array<std::uint64_t, 2> hash{};
};
static_assert(sizeof(Frame) == 40);

std::array<std::uint64_t, 2> hash_of(const Frame& frame, std::initializer_list<std::string_view> payload) {
  h5::ContentHash hash;
  hash.add(&frame.kind, sizeof frame.kind);
  hash.add(&frame.size, sizeof frame.size);
  for (const std::string_view piece : payload) hash.add(piece.data(), piece.size());
  return hash.value();
}

template <class Value>
std::string archived(const Value& value) {
  std::string bytes;
  h5::ArchiveWriter archive(bytes);
  archive(value);
  return bytes;
}

/// One ticker on its way into a part.
struct Encoded {
  h5::RecordIndex index;
  h5::TickerColumns columns, quality;
  std::string chunks, diagnostics;
  bool accepted = false;
};

}  // namespace

struct NightPart::Impl {
  fs::path path;
  std::string named;
  int descriptor = -1;
  std::uint64_t size = 0;  // of the whole records
  fs::path chunk_path;     // empty: chunks are in the records
  int chunk_descriptor = -1;
  std::uint64_t chunks_end = h5::kFirstChunk;  // of the chunks that whole records have
  std::unique_ptr<h5::PageWriter> chunk_writer;
  NightIdentity identity;
  std::vector<h5::TableItem> tables, quality;
  std::string tables_bytes, quality_bytes;
  std::vector<TickerDigest> digest;
  std::vector<std::uint64_t> index_at, index_size, data_at, data_size;  // by record, of the file
  std::vector<std::uint64_t> chunks_at, chunk_bytes;                    // by record, of the file of chunks
  std::map<std::string, std::size_t> rank;                              // of a ticker's chunks
  std::set<std::string> known;
  bool complete = false, published = false;
  NightStatistics statistics;
  mutable std::mutex mutex;  // of the statistics and the spare memory
  /// Memory of chunks that are written, for those that follow: what is new has to be cleared and copied to as it grows.
  mutable std::vector<std::string> spare;
  mutable std::size_t spare_bytes = 0;

  ~Impl() {
    chunk_writer.reset();
    if (descriptor >= 0) ::close(descriptor);
    if (chunk_descriptor >= 0) ::close(chunk_descriptor);
  }

  [[noreturn]] void refuse(const std::string& problem) const { throw InputError(named + ": " + problem); }
  [[noreturn]] void fail(int error, const fs::path& file) const {
    throw OutputError(named + ": cannot be written (" + std::strerror(error) + " for " + file.string() + ")");
  }
  [[noreturn]] void fail(int error) const { fail(error, path); }

  void read(std::uint64_t offset, void* to, std::size_t count) const { read(descriptor, offset, to, count); }
  void read(int from, std::uint64_t offset, void* to, std::size_t count) const {
    char* target = static_cast<char*>(to);
    while (count > 0) {
      const ssize_t got = ::pread(from, target, count, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        refuse(std::string("cannot be read back (") + (got < 0 ? std::strerror(errno) : "it is shorter than it was") +
               ")");
      target += got;
      count -= static_cast<std::size_t>(got);
      offset += static_cast<std::uint64_t>(got);
    }
  }

  /// Writes behind the whole records. What is cut short does not count: the next record takes its place.
  void write(std::uint64_t offset, const void* from, std::size_t count) const {
    const char* source = static_cast<const char*>(from);
    while (count > 0) {
      const ssize_t wrote = ::pwrite(descriptor, source, count, static_cast<off_t>(offset));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) fail(wrote < 0 ? errno : ENOSPC);
      source += wrote;
      count -= static_cast<std::size_t>(wrote);
      offset += static_cast<std::uint64_t>(wrote);
    }
  }

  /// Writes chunks where a page begins, and zeros to the end of their last page.
  void write_chunks(std::uint64_t at, std::span<const char> bytes) {
    if (const int error = chunk_writer->write(at, bytes); error != 0) fail(error, chunk_path);
  }

  std::string spare_chunks() const {
    const std::lock_guard lock(mutex);
    if (spare.empty()) return {};
    std::string chunks = std::move(spare.back());
    spare.pop_back();
    spare_bytes -= chunks.capacity();
    return chunks;
  }
  void keep(std::string chunks) {
    chunks.clear();
    const std::lock_guard lock(mutex);
    const std::size_t bytes = chunks.capacity();
    if (bytes < h5::kPage || spare_bytes + bytes > kMostSpare) return;
    spare_bytes += bytes;
    spare.push_back(std::move(chunks));
  }

  void append_record(Kind kind, std::initializer_list<std::string_view> pieces) {
    Frame frame;
    frame.kind = kind;
    for (const std::string_view piece : pieces) frame.size += piece.size();
    frame.hash = hash_of(frame, pieces);
    // The frame last: until it is whole there is no record.
    std::uint64_t at = size + sizeof frame;
    for (const std::string_view piece : pieces) {
      write(at, piece.data(), piece.size());
      at += piece.size();
    }
    write(size, &frame, sizeof frame);
    size = at;
  }

  /// Takes over a record that is whole. Throws h5::Error.
  void take(const Frame& frame, std::uint64_t at, std::span<const char> payload) {
    h5::ArchiveReader in(payload);
    switch (frame.kind) {
      case Kind::kIdentity:
        in(identity);
        h5::validate_axes(identity.axes);
        return;
      case Kind::kTables:
        in(tables);
        check(tables);
        tables_bytes.assign(payload.data(), payload.size());
        return;
      case Kind::kQuality:
        in(quality);
        check(quality);
        quality_bytes.assign(payload.data(), payload.size());
        return;
      case Kind::kTicker: {
        std::uint64_t index_bytes = 0;
        in(index_bytes);
        if (index_bytes > in.left()) throw h5::Error("a record is shorter than it says");
        h5::ArchiveReader index_in(payload.subspan(sizeof index_bytes, index_bytes));
        h5::RecordIndex index;
        index_in(index);
        const std::uint64_t data = in.left() - index_bytes;
        check(index, data);
        check_chunks(index);
        note(index, at, index_bytes, data);
        return;
      }
      case Kind::kEnd: {
        std::uint64_t records = 0;
        in(records);
        if (records != digest.size()) throw h5::Error("it says another number of tickers than it has");
        complete = true;
        return;
      }
      case Kind::kPublished:
        published = true;
        return;
    }
    throw h5::Error("it has a record of an unknown kind");
  }

  /// What an index says fits its columns and the data behind it. A shard comes from elsewhere: nothing is taken on
  /// trust. Throws h5::Error.
  void check(const h5::RecordIndex& index, std::uint64_t data) const {
    const auto require = [](bool holds) {
      if (!holds) throw h5::Error("a record contradicts itself");
    };
    require(h5::is_symbol(index.digest.ticker) && static_cast<std::size_t>(index.digest.status) < kStatuses);
    std::uint64_t sum = index.diagnostics;
    const auto add = [&](std::uint64_t bytes) {
      require(bytes <= data && sum <= data);
      sum += bytes;
    };
    const auto columns = [&](const std::vector<h5::TableItem>& items, const std::vector<std::uint32_t>& count,
                             const std::vector<std::uint32_t>& bytes) {
      require(count.size() == items.size() && bytes.size() == items.size());
      for (std::size_t k = 0; k < items.size(); ++k) {
        const bool is_column = items[k].kind == h5::TableItem::Kind::kColumn;
        const bool is_number = is_column && items[k].type != h5::Type::kString;
        // Rows that are counted have columns, of a byte a row at least.
        require(is_column || (bytes[k] == 0 && count[k] <= data));
        require(!is_number || std::uint64_t{count[k]} * h5::size_of(items[k].type) == bytes[k]);
        add(bytes[k]);
      }
    };
    columns(quality, index.quality_count, index.quality_bytes);
    if (index.digest.status == TickerStatus::kOk) columns(tables, index.count, index.bytes);
    if (index.chunks_at == 0) {
      for (const std::uint64_t bytes : index.surface) add(bytes);
      for (const std::uint64_t bytes : index.step) add(bytes);
    }
    require(sum == data);
    require(index.step_dataset.size() == index.step.size() && index.step_axis.size() == index.step.size() &&
            index.step_offset.size() == 6 * index.step.size());
    for (const std::int32_t axis : index.step_axis) require(axis >= 0 && axis < 6);
    const StepAxis& closes = index.digest.closes;
    constexpr int kMost = 1 << 20;
    require(!index.digest.stepped || (closes.first >= -kMost && closes.last <= kMost && closes.first <= closes.last &&
                                      closes.first % kChunkCloses == 0 && (closes.last + 1) % kChunkCloses == 0));
  }
  /// The chunks of a record are behind those of the records before, and are what they were. Throws h5::Error.
  void check_chunks(const h5::RecordIndex& index) const {
    const std::uint64_t bytes = chunk_bytes_of(index);
    if (chunk_descriptor < 0 || index.chunks_at == 0) {
      if (index.chunks_at != 0 || (chunk_descriptor >= 0 && bytes > 0)) throw h5::Error("its chunks are elsewhere");
      return;
    }
    struct stat found {};
    const bool exists = ::fstat(chunk_descriptor, &found) == 0;
    const std::uint64_t length = exists ? static_cast<std::uint64_t>(found.st_size) : 0;
    if (index.chunks_at != chunks_end || bytes > length || h5::next_page(chunks_end + bytes) > length) {
      throw h5::Error("its chunks are missing");
    }
    std::vector<char> pages(h5::next_page(bytes));
    read(chunk_descriptor, index.chunks_at, pages.data(), pages.size());
    const auto behind = pages.begin() + static_cast<std::ptrdiff_t>(bytes);
    if (h5::content_hash(pages.data(), bytes) != index.chunks_hash ||
        std::any_of(behind, pages.end(), [](char byte) { return byte != 0; })) {
      throw h5::Error("its chunks are damaged");
    }
  }
  static std::uint64_t chunk_bytes_of(const h5::RecordIndex& index) {
    return std::accumulate(index.step.begin(), index.step.end(),
                           std::accumulate(index.surface.begin(), index.surface.end(), std::uint64_t{0}));
  }
  /// The same of a list of columns.
  static void check(const std::vector<h5::TableItem>& items) {
    for (const h5::TableItem& item : items) {
      const bool known = item.kind >= h5::TableItem::Kind::kGroup && item.kind <= h5::TableItem::Kind::kRowNumbers &&
                         item.type >= h5::Type::kInt8 && item.type <= h5::Type::kString;
      const bool is_column = item.kind == h5::TableItem::Kind::kColumn;
      if (!known || item.group.empty() || (is_column && (item.column.dims.empty() || item.column.dims.size() > 3))) {
        throw h5::Error("its columns are none that this program stores");
      }
    }
  }

  void note(const h5::RecordIndex& index, std::uint64_t payload_at, std::uint64_t index_bytes, std::uint64_t data) {
    digest.push_back(index.digest);
    known.insert(index.digest.ticker);
    index_at.push_back(payload_at + sizeof index_bytes);
    index_size.push_back(index_bytes);
    data_at.push_back(payload_at + sizeof index_bytes + index_bytes);
    data_size.push_back(data);
    chunks_at.push_back(index.chunks_at);
    chunk_bytes.push_back(chunk_bytes_of(index));
    if (index.chunks_at != 0) chunks_end = h5::next_page(chunks_end + chunk_bytes.back());
    statistics.bytes_raw += index.raw;
    statistics.bytes_compressed += chunk_bytes.back();
  }

  /// Reads whole records from the beginning. Returns why it stopped before the end of the file; empty: it did not.
  std::string scan() {
    struct stat found {};
    if (::fstat(descriptor, &found) != 0) refuse(std::string("cannot be read (") + std::strerror(errno) + ")");
    const auto end = static_cast<std::uint64_t>(found.st_size);
    std::vector<char> payload;
    while (size < end) {
      Frame frame;
      if (end - size < sizeof frame) return "it is truncated";
      read(size, &frame, sizeof frame);
      if (frame.magic != kMagic) return size == 0 ? "it is no part of a night" : "it is damaged";
      if (frame.version != kVersion) return "another version of the program made it";
      if (frame.size > end - size - sizeof frame) return "it is truncated";
      payload.resize(frame.size);
      read(size + sizeof frame, payload.data(), payload.size());
      if (frame.hash != hash_of(frame, {std::string_view(payload.data(), payload.size())})) return "it is damaged";
      if (size == 0 && frame.kind != Kind::kIdentity) return "it is damaged";
      try {
        take(frame, size + sizeof frame, payload);
      } catch (const h5::Error& error) {
        return error.what();
      }
      size += sizeof frame + frame.size;
    }
    return size == 0 ? "it is empty" : "";
  }

  void rank_tickers() {
    for (const std::uint32_t k : identity.order) {
      if (k < identity.ticker.size()) rank.emplace(identity.ticker[k], rank.size());
    }
  }

  void open_chunks(const fs::path& file, int flags) {
    chunk_path = file;
    if (file.empty()) return;
    chunk_descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    if (chunk_descriptor < 0) fail(errno, file);
    chunk_writer = std::make_unique<h5::PageWriter>(chunk_descriptor);
  }

  /// A night that was published goes by the name of its chunks too: it keeps them, the part gets its own.
  void own_chunks() {
    struct stat found {};
    if (chunk_descriptor < 0 || ::fstat(chunk_descriptor, &found) != 0 || found.st_nlink == 1) return;
    const int from = std::exchange(chunk_descriptor, -1);
    chunk_writer.reset();
    try {
      if (::unlink(chunk_path.c_str()) != 0 && errno != ENOENT) fail(errno, chunk_path);
      open_chunks(fs::path(chunk_path), O_CREAT | O_EXCL);
      std::vector<char> piece(std::size_t{1} << 20U);
      for (std::uint64_t at = h5::kFirstChunk; at < chunks_end; at += piece.size()) {
        piece.resize(std::min<std::uint64_t>(piece.size(), chunks_end - at));
        read(from, at, piece.data(), piece.size());
        write_chunks(at, piece);
      }
    } catch (...) {
      ::close(from);
      throw;
    }
    ::close(from);
  }

  Encoded encode(TickerNight& night) const;
};

namespace {

/// Chunks of one surface after the other, (model, rule or scope) within each.
template <class Refuse>
void encode_surfaces(std::span<const double> cells, std::size_t chunk_cells, int keep_bits, std::string& data,
                     std::vector<std::uint64_t>& sizes, const Refuse& refuse) {
  thread_local h5::ChunkEncoder encoder;
  thread_local std::vector<std::uint32_t> bits;
  bits.resize(chunk_cells);
  for (std::size_t begin = 0; begin < cells.size(); begin += chunk_cells) {
    const std::span<const double> from = cells.subspan(begin, chunk_cells);
    const std::ptrdiff_t refused = h5::to_float32(from, keep_bits, bits);
    if (refused >= 0) {
      const auto cell = static_cast<std::size_t>(refused);
      refuse(begin / chunk_cells, cell, from[cell]);
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(bits.data());
    sizes.push_back(encoder.append({bytes, chunk_cells * sizeof(float)}, sizeof(float), data));
  }
}

/// Names the cell that float32 cannot hold.
[[noreturn]] void refuse_cell(const NightHeader& header, std::size_t chunk, std::size_t cell, double value) {
  const std::size_t rules = header.iv_rule.size(), positions = header.position.size();
  const std::size_t spots = header.spot_step.size(), shifts = header.iv_shift.size();
  const std::string at = "[" + header.position[chunk / rules % positions] + ", " + header.iv_rule[chunk % rules] +
                         ", time " + std::to_string(cell / spots / shifts) + ", iv_shift " +
                         std::to_string(cell / spots % shifts) + ", spot_step " + std::to_string(cell % spots) + "]";
  throw h5::Error("surface " + h5::surface_names(header)[chunk / rules / positions] + " is " + std::to_string(value) +
                  " at " + at + ": float32 cannot hold it");
}

void fill_places(const h5::TickerColumns& columns, std::vector<std::uint32_t>& count,
                 std::vector<std::uint32_t>& bytes) {
  for (const h5::ItemPlace& place : columns.place) {
    count.push_back(static_cast<std::uint32_t>(place.count));
    bytes.push_back(static_cast<std::uint32_t>(place.bytes));
  }
}

}  // namespace

/// One ticker's record and its chunks. Throws h5::Error for what a file cannot hold.
Encoded NightPart::Impl::encode(TickerNight& night) const {
  Encoded out;
  h5::RecordIndex& index = out.index;
  const NightHeader& header = night.header;
  out.chunks = spare_chunks();
  out.quality = h5::record_quality(night.snapshot.quality);
  fill_places(out.quality, index.quality_count, index.quality_bytes);
  if (night.accepted()) {
    const std::size_t surfaces = header.surfaces() * header.position.size() * header.iv_rule.size();
    const std::size_t sessions =
        header.intraday.time.empty() ? 0 : kIntradaySurfaces * header.position.size() * kScopes;
    if (night.cells.size() != surfaces * header.chunk_cells() ||
        night.session.size() != sessions * header.session_cells()) {
      throw h5::Error(std::to_string(night.cells.size()) + " and " + std::to_string(night.session.size()) +
                      " cells do not fit the header");
    }
    out.columns = h5::record_tables(header, night.tables);
    fill_places(out.columns, index.count, index.bytes);
    encode_surfaces(
        night.cells, header.chunk_cells(), header.keep_bits, out.chunks, index.surface,
        [&](std::size_t chunk, std::size_t cell, double value) { refuse_cell(header, chunk, cell, value); });
    encode_surfaces(night.session, header.session_cells(), 0, out.chunks, index.surface,
                    [&](std::size_t chunk, std::size_t, double value) {
                      throw h5::Error(std::string("intraday ") +
                                      h5::kSessionText[chunk / kScopes / header.position.size()].name + " holds " +
                                      std::to_string(value) + ": float32 cannot hold it");
                    });
    index.raw = (night.cells.size() + night.session.size()) * sizeof(float);
    for (const h5::EncodedChunk& chunk : h5::encode_steps(night.steps, header, [](const std::string& what) {
           throw h5::Error(what + ": float32 cannot hold it");
         })) {
      index.step_dataset.push_back(chunk.dataset);
      index.step_axis.push_back(chunk.axis);
      index.step_offset.insert(index.step_offset.end(), chunk.offset.begin(), chunk.offset.end());
      index.step.push_back(chunk.bytes.size());
      index.raw += chunk.raw_bytes;
      out.chunks.append(reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size());
    }
  }
  out.diagnostics = archived(night.snapshot.diagnostics);
  index.diagnostics = out.diagnostics.size();
  index.digest = digest_of(night);
  if (chunk_descriptor >= 0) index.chunks_hash = h5::content_hash(out.chunks.data(), out.chunks.size());
  return out;
}

NightPart::NightPart(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NightPart::~NightPart() = default;
NightPart::NightPart(NightPart&&) noexcept = default;
NightPart& NightPart::operator=(NightPart&&) noexcept = default;

const NightIdentity& NightPart::identity() const {
  return impl_->identity;
}
const fs::path& NightPart::path() const {
  return impl_->path;
}
const std::vector<TickerDigest>& NightPart::done() const {
  return impl_->digest;
}
bool NightPart::is_complete() const {
  return impl_->complete;
}
bool NightPart::is_published() const {
  return impl_->published;
}
NightStatistics NightPart::statistics() const {
  return impl_->statistics;
}

NightPart NightPart::create(const fs::path& path, const NightIdentity& identity, const std::string& named,
                            const fs::path& chunks) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->named = named;
  try {
    h5::validate_axes(identity.axes);
  } catch (const h5::Error& error) {
    throw OutputError(named + ": cannot be written (" + error.what() + ")");
  }
  impl->descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (impl->descriptor < 0) impl->fail(errno);
  // Whatever is there may be a published night by another name.
  if (!chunks.empty() && ::unlink(chunks.c_str()) != 0 && errno != ENOENT) impl->fail(errno, chunks);
  impl->open_chunks(chunks, O_CREAT | O_EXCL);
  impl->identity = identity;
  impl->rank_tickers();
  impl->append_record(Kind::kIdentity, {archived(identity)});
  return NightPart(std::move(impl));
}

NightPart NightPart::resume(const fs::path& path, const NightIdentity& identity, const std::string& named,
                            const fs::path& chunks) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->named = named;
  impl->descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (impl->descriptor < 0) {
    impl->refuse(std::string("cannot go on (") + std::strerror(errno) + " for " + path.string() +
                 ") leave out --resume to begin anew");
  }
  impl->open_chunks(chunks, O_CREAT);
  const std::string damage = impl->scan();
  if (impl->size == 0) {
    // Killed before there was an identity: nothing is lost by beginning anew. Anything else of that name is not ours.
    if (damage == "it is empty" || damage == "it is truncated") return create(path, identity, named, chunks);
    impl->refuse("cannot go on with " + path.string() + " (" + damage + ") leave out --resume to begin anew");
  }
  const auto& had = impl->identity.fact;
  const bool was_published = impl->published;
  for (std::size_t k = 0; k < std::max(had.size(), identity.fact.size()); ++k) {
    if (k < had.size() && k < identity.fact.size() && had[k] == identity.fact[k]) continue;
    const auto& [name, value] = k < identity.fact.size() ? identity.fact[k] : had[k];
    // The night's own session is in the store by now, perhaps.
    if (was_published && name == "history") continue;
    const std::string before = k < had.size() ? had[k].value : "nothing";
    impl->refuse("cannot go on (what is there is of another run: its " + name + " is " + before.substr(0, 200) +
                 ", this one's " + value.substr(0, 200) + ") leave out --resume to begin anew");
  }
  if (archived(impl->identity.ticker) != archived(identity.ticker) || impl->identity.shard != identity.shard ||
      impl->identity.shards != identity.shards) {
    impl->refuse(
        "cannot go on (what is there is of another run: its tickers or its shard are others) leave out "
        "--resume to begin anew");
  }
  if (::ftruncate(impl->descriptor, static_cast<off_t>(impl->size)) != 0) impl->fail(errno);
  impl->own_chunks();
  impl->rank_tickers();
  return NightPart(std::move(impl));
}

NightPart NightPart::open(const fs::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->named = path.string();
  impl->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (impl->descriptor < 0) impl->refuse(std::string("cannot be read (") + std::strerror(errno) + ")");
  struct stat found {};
  if (::fstat(impl->descriptor, &found) != 0 || !S_ISREG(found.st_mode)) {
    impl->refuse("cannot be read (not a regular file)");
  }
  const std::string damage = impl->scan();
  if (!damage.empty()) impl->refuse("is no shard that can be merged (" + damage + ") make it again");
  if (!impl->complete) {
    impl->refuse("is no shard that can be merged (it is incomplete: its run was cut short) finish it with --resume");
  }
  return NightPart(std::move(impl));
}

struct NightPart::Block::Impl {
  std::vector<Encoded> night;
};
NightPart::Block::Block(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NightPart::Block::~Block() = default;
NightPart::Block::Block(Block&&) noexcept = default;
NightPart::Block& NightPart::Block::operator=(Block&&) noexcept = default;

NightPart::Block NightPart::encode(std::span<TickerNight> block) {
  Impl& impl = *impl_;
  auto encoded = std::make_unique<Block::Impl>();
  encoded->night.resize(block.size());
  oneapi::tbb::parallel_for(std::size_t{0}, block.size(), [&](std::size_t k) {
    const auto started = Clock::now();
    Encoded& one = encoded->night[k];
    try {
      one = impl.encode(block[k]);
    } catch (const h5::Error& error) {
      block[k].refuse(error.what());
      one = impl.encode(block[k]);
    }
    one.accepted = block[k].accepted();
    const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
    const std::lock_guard lock(impl.mutex);
    impl.statistics.compress_seconds += seconds;
  });
  return Block(std::move(encoded));
}

void NightPart::append(Block block) {
  Impl& impl = *impl_;
  std::vector<Encoded>& encoded = block.impl_->night;
  std::vector<std::size_t> order(encoded.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t k) {
    const auto found = impl.rank.find(encoded[k].index.digest.ticker);
    return found == impl.rank.end() ? impl.rank.size() : found->second;
  };
  if (!impl.identity.order.empty()) {
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  }
  const auto started = Clock::now();
  for (const std::size_t k : order) {
    Encoded& one = encoded[k];
    if (impl.known.count(one.index.digest.ticker) > 0) {
      throw OutputError(impl.named + ": cannot be written (" + one.index.digest.ticker + " came twice)");
    }
    const std::string items = one.accepted ? archived(one.columns.item) : std::string();
    const std::string quality = archived(one.quality.item);
    if (impl.quality_bytes.empty()) {
      impl.append_record(Kind::kQuality, {quality});
      impl.quality_bytes = quality;
      impl.quality = one.quality.item;
    }
    if (one.accepted && impl.tables_bytes.empty()) {
      impl.append_record(Kind::kTables, {items});
      impl.tables_bytes = items;
      impl.tables = one.columns.item;
    }
    // A night is the concatenation of its tickers: they all have the same columns.
    if (quality != impl.quality_bytes || (one.accepted && items != impl.tables_bytes)) {
      throw OutputError(impl.named + ": cannot be written (" + one.index.digest.ticker +
                        " has other columns than the tickers before)");
    }
    // The chunks before the record that says where they are.
    const bool apart = impl.chunk_descriptor >= 0 && !one.chunks.empty();
    if (apart) {
      one.index.chunks_at = impl.chunks_end;
      impl.write_chunks(impl.chunks_end, one.chunks);
    }
    const std::uint64_t at = impl.size + sizeof(Frame);
    std::string directory = archived(one.index);
    const std::uint64_t index_bytes = directory.size();
    std::string begin(reinterpret_cast<const char*>(&index_bytes), sizeof index_bytes);
    begin += directory;
    const std::string_view chunks = apart ? std::string_view() : std::string_view(one.chunks);
    impl.append_record(Kind::kTicker, {begin, one.quality.data, one.columns.data, chunks, one.diagnostics});
    impl.note(one.index, at, index_bytes,
              one.quality.data.size() + one.columns.data.size() + chunks.size() + one.diagnostics.size());
    impl.keep(std::move(one.chunks));
    one = {};
  }
  const std::lock_guard lock(impl.mutex);
  impl.statistics.write_seconds += std::chrono::duration<double>(Clock::now() - started).count();
}

void NightPart::complete() {
  if (impl_->complete) return;
  impl_->append_record(Kind::kEnd, {archived(std::uint64_t{impl_->digest.size()})});
  if (::fsync(impl_->descriptor) != 0) impl_->fail(errno);
  impl_->complete = true;
}

void NightPart::mark_published() {
  if (impl_->published) return;
  impl_->append_record(Kind::kPublished, {});
  if (::fdatasync(impl_->descriptor) != 0) impl_->fail(errno);
  impl_->published = true;
}

namespace h5 {

std::size_t RecordReader::records() const {
  return part_.done().size();
}
RecordIndex RecordReader::index(std::size_t record) const {
  const NightPart::Impl& impl = part_.impl();
  std::string bytes(impl.index_size[record], '\0');
  impl.read(impl.index_at[record], bytes.data(), bytes.size());
  RecordIndex index;
  try {
    ArchiveReader in({bytes.data(), bytes.size()});
    in(index);
    impl.check(index, impl.data_size[record]);
  } catch (const Error& error) {
    impl.refuse(error.what());
  }
  return index;
}
std::uint64_t RecordReader::data(std::size_t record) const {
  return part_.impl().data_at[record];
}
void RecordReader::read(std::uint64_t offset, void* to, std::size_t size) const {
  part_.impl().read(offset, to, size);
}
std::uint64_t RecordReader::chunk_bytes(std::size_t record) const {
  return part_.impl().chunk_bytes[record];
}
std::uint64_t RecordReader::chunks_at(std::size_t record) const {
  return part_.impl().chunks_at[record];
}
void RecordReader::read_chunks(std::uint64_t offset, void* to, std::size_t size) const {
  part_.impl().read(part_.impl().chunk_descriptor, offset, to, size);
}
fs::path RecordReader::own_chunks() const {
  const NightPart::Impl& impl = part_.impl();
  struct stat found {};
  if (impl.chunk_descriptor < 0 || ::fstat(impl.chunk_descriptor, &found) != 0 || found.st_nlink != 1) return {};
  return impl.chunk_path;
}
const std::vector<TableItem>& RecordReader::tables() const {
  return part_.impl().tables;
}
const std::vector<TableItem>& RecordReader::quality() const {
  return part_.impl().quality;
}

}  // namespace h5

void check_parts(std::span<const NightPart* const> parts) {
  if (parts.empty()) throw InputError("no shard to merge");
  const NightPart& first = *parts.front();
  std::map<std::string, const NightPart*> whose;
  std::map<std::int32_t, const NightPart*> shard;
  std::string wrong;
  const auto complain = [&wrong](const std::string& problem) { wrong += (wrong.empty() ? "" : "; ") + problem; };
  for (const NightPart* part : parts) {
    const std::string file = part->path().string();
    const NightIdentity& own = part->identity();
    const NightIdentity& other = first.identity();
    for (std::size_t k = 0; k < std::max(own.fact.size(), other.fact.size()); ++k) {
      if (k < own.fact.size() && k < other.fact.size() && own.fact[k] == other.fact[k]) continue;
      complain(file + " is of another night than " + first.path().string() + " (its " +
               (k < own.fact.size() ? own.fact[k].name : other.fact[k].name) + " is another)");
      break;
    }
    if (own.shards != other.shards) {
      complain(file + " is one of " + std::to_string(own.shards) + " shards, " + first.path().string() + " one of " +
               std::to_string(other.shards));
    }
    if (const auto [found, is_new] = shard.emplace(own.shard, part); !is_new) {
      complain(file + " is shard " + std::to_string(own.shard) + " as is " + found->second->path().string());
    }
    for (const TickerDigest& digest : part->done()) {
      if (const auto [found, is_new] = whose.emplace(digest.ticker, part);
          !is_new && found->second != part && wrong.size() < 2000) {
        complain(digest.ticker + " is in " + file + " and in " + found->second->path().string());
      }
    }
  }
  for (std::int32_t i = 1; i <= first.identity().shards; ++i) {
    if (shard.count(i) == 0)
      complain("shard " + std::to_string(i) + " of " + std::to_string(first.identity().shards) + " is missing");
  }
  if (wrong.empty()) {
    for (const std::string& ticker : first.identity().ticker) {
      if (whose.count(ticker) == 0) complain(ticker + " is in no shard");
    }
    if (whose.size() > first.identity().ticker.size()) complain("there are more tickers than the night has");
  }
  if (!wrong.empty()) throw InputError(wrong + ": nothing was merged");
}

Diagnostics diagnostics_of(std::span<const NightPart* const> parts) {
  Diagnostics all = parts.empty() ? Diagnostics() : parts.front()->identity().diagnostics;
  std::vector<std::pair<std::string, std::pair<const NightPart*, std::size_t>>> order;
  for (const NightPart* part : parts) {
    for (std::size_t k = 0; k < part->done().size(); ++k) order.push_back({part->done()[k].ticker, {part, k}});
  }
  std::sort(order.begin(), order.end());
  for (const auto& [ticker, place] : order) {
    const h5::RecordReader reader(*place.first);
    const h5::RecordIndex index = reader.index(place.second);
    std::uint64_t at = reader.data(place.second);
    for (const std::uint32_t bytes : index.quality_bytes) at += bytes;
    for (const std::uint32_t bytes : index.bytes) at += bytes;
    if (index.chunks_at == 0) at += reader.chunk_bytes(place.second);
    std::string bytes(index.diagnostics, '\0');
    reader.read(at, bytes.data(), bytes.size());
    Diagnostics own;
    try {
      h5::ArchiveReader in({bytes.data(), bytes.size()});
      in(own);
    } catch (const h5::Error& error) {
      throw InputError(place.first->path().string() + ": " + error.what());
    }
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

}  // namespace greekgrid

#include "greekgrid/io/history_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "archive.hpp"
#include "child_reader.hpp"
#include "content_hash.hpp"
#include "file_reader.hpp"
#include "greekgrid/io/file_lock.hpp"
#include "greekgrid/io/publish.hpp"
#include "shared_values.hpp"
#include "spool.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

constexpr const char* kSchema = "greekgrid.history";
constexpr Instant kDaySeconds = 86400;

/// What a quantity is called in the file, in the order of kDailyQuantities.
struct Description {
  const char* long_name;
  const char* units;
};
constexpr std::array<Description, kDailyQuantities.size()> kDescriptions{
    Description{"first price of the session", "USD"},
    Description{"highest price of the session", "USD"},
    Description{"lowest price of the session", "USD"},
    Description{"last price of the session, not adjusted", "USD"},
    Description{"shares traded on all venues", "shares"},
    Description{"shares sold short off exchange", "shares"},
    Description{"shares sold short exempt off exchange", "shares"},
    Description{"shares traded off exchange", "shares"},
    Description{"dark index", "1"},
    Description{"gamma exposure in the unit of its publisher", "1"},
    Description{"call share of percent gamma: 0.5 is balanced", "1"},
    Description{"price of a night's quotes: the close until there is one", "USD"},
    Description{"call gamma over put gamma at market volatility: 1 is balanced, of a night", "1"},
    Description{"gamma index of a night's first position model", "1e9 USD"},
    Description{"implied volatility of 30 days at the forward, of a night", "vol"}};

std::string iso_date(Instant midnight) {
  return h5::iso_from_instant(midnight).substr(0, 10);
}

/// Columns by row: date, knowledge_time, kDailyQuantities, all of eight bytes.
constexpr std::size_t kColumns = kDailyQuantities.size() + 2;

/// A history whose rows come a piece at a time.
struct HistorySource {
  const DailyHistory* index = nullptr;  // symbols, row_begin, row_count, source
  std::size_t rows = 0;
  Instant first = 0, last = 0;  // dates
  std::function<void(std::size_t column, std::size_t begin, std::size_t count, void* to)> read;
};

void write_variables(hid_t root, const HistorySource& history) {
  const DailyHistory& index = *history.index;
  h5::write_attribute(root, "schema", std::string(kSchema));
  h5::write_attribute(root, "schema_version", std::string(h5::kSchemaVersion));
  h5::write_attribute(root, "Conventions", std::string("CF-1.10"));
  h5::write_attribute(root, "title", std::string("daily prices and volumes"));
  h5::write_attribute(root, "first_date", iso_date(history.first));
  h5::write_attribute(root, "last_date", iso_date(history.last));
  h5::write_attribute(root, "tool_version", std::string(GREEKGRID_VERSION));
  if (!index.source.empty()) {
    std::vector<std::string> names, sums;
    for (const ChainSource& source : index.source) {
      names.push_back(source.name);
      sums.push_back(source.sha256);
    }
    h5::write_attribute(root, "source_name", names);
    h5::write_attribute(root, "source_sha256", sums);
  }

  h5::TableWriter table(root);
  table.column({"symbol", {"symbol"}, "symbol as published", "", ""}, index.symbol);
  table.row_numbers("row", history.rows);
  const std::vector<std::string> symbol = {"symbol"}, row = {"row"};
  table.column({"row_begin", symbol, "first row of the symbol", "1", ""}, index.row_begin);
  table.column({"row_count", symbol, "number of rows of the symbol", "1", ""}, index.row_count);
  constexpr std::size_t kPiece = std::size_t{1} << 16U;
  std::vector<std::uint64_t> piece(std::min(history.rows, kPiece));
  const auto column = [&](std::size_t k, h5::Type type, const h5::Column& text) {
    h5::ColumnStream stream = table.begin(text, type, history.rows);
    for (std::size_t begin = 0; begin < history.rows; begin += piece.size()) {
      const std::size_t count = std::min(piece.size(), history.rows - begin);
      history.read(k, begin, count, piece.data());
      stream.append(piece.data(), count);
    }
    stream.finish();
  };
  column(0, h5::Type::kInt64, {"date", row, "date of the session, at 00:00 UTC", h5::kTimeUnits, ""});
  column(1, h5::Type::kInt64,
         {"knowledge_time", row, "instant from which on every value of the row was known", h5::kTimeUnits, ""});
  for (std::size_t q = 0; q < kDailyQuantities.size(); ++q) {
    column(2 + q, h5::Type::kFloat64,
           {std::string(kDailyQuantities[q].name), row, kDescriptions[q].long_name, kDescriptions[q].units, ""});
  }
}

void write_source(const HistorySource& history, const std::filesystem::path& target) {
  PendingFile pending(target);
  {
    const h5::LibraryLock lock;
    h5::Handle file = h5::create_file(pending.path());
    {
      const h5::Handle root = h5::root_group(file);
      write_variables(root.get(), history);
    }
    file.close("close the file");
  }
  pending.publish();
}

constexpr std::size_t kSlice = std::size_t{1} << 20U;  // rows of a column that the child holds at a time

template <class T>
void hand_over_column(const h5::FileReader& file, const std::string& path, std::size_t n, h5::ArchiveWriter& out) {
  const h5::FileReader::Shape shape = {h5::type_of<T>(), {n}, {}};
  for (std::size_t begin = 0; begin < n; begin += kSlice) {
    const std::size_t count = std::min(kSlice, n - begin);
    const std::vector<T> values = file.part<T>(path, shape, {begin}, {count});
    out.raw(values.data(), count * sizeof(T));
  }
}

/// Hands the variables over a slice at a time: a store is large.
void hand_over_variables(const h5::FileReader& file, h5::ArchiveWriter& out) {
  file.require_schema(kSchema);
  if (!file.has("/knowledge_time")) {
    throw h5::Error(
        "variable knowledge_time is missing (another version of the program made the file) make it again from its "
        "sources");
  }
  const std::size_t symbols = file.length("/symbol"), rows = file.length("/row");
  out(h5::read_sources(file), file.strings("/symbol", symbols));
  for (const char* name : {"/row_begin", "/row_count"}) out(file.values<std::int64_t>(name, {symbols}));
  out(std::uint64_t{rows});
  for (const char* name : {"/date", "/knowledge_time"}) hand_over_column<Instant>(file, name, rows, out);
  // A quantity that an older file does not know yet is missing everywhere: a store outlives the program's versions.
  const std::vector<double> missing(std::min(rows, kSlice), std::numeric_limits<double>::quiet_NaN());
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const std::string path = "/" + std::string(quantity.name);
    if (file.has(path)) {
      hand_over_column<double>(file, path, rows, out);
      continue;
    }
    for (std::size_t begin = 0; begin < rows; begin += kSlice) {
      out.raw(missing.data(), std::min(kSlice, rows - begin) * sizeof(double));
    }
  }
}

[[noreturn]] void refuse(std::string_view variable, std::size_t row, const char* rule) {
  throw h5::Error(std::string(variable) + "[" + std::to_string(row) + "] is wrong (" + rule + ")");
}

inline void require(bool holds, std::string_view variable, std::size_t row, const char* rule) {
  if (!holds) refuse(variable, row, rule);
}

void validate_index(const DailyHistory& history, std::size_t of_file) {
  if (of_file == 0) throw h5::Error("holds no row (nothing could be read from it)");
  if (history.row_begin.size() != history.symbols() || history.row_count.size() != history.symbols() ||
      history.symbols() == 0) {
    throw h5::Error("columns of one dimension have different lengths");
  }
  const auto rows = static_cast<std::int64_t>(of_file);
  std::int64_t next = 0;
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    require(h5::is_symbol(history.symbol[u]), "symbol", u, "empty, blank or not printable");
    require(u == 0 || history.symbol[u - 1] < history.symbol[u], "symbol", u, "not sorted");
    require(history.row_begin[u] == next, "row_begin", u, "not where the symbol before ends");
    require(history.row_count[u] > 0 && history.row_count[u] <= rows - next, "row_count", u,
            "none, or beyond the rows of the file");
    next += history.row_count[u];
  }
  require(next == rows, "row_count", history.symbols() - 1, "rows are left over");
}

/// Of a whole history, or of successive symbols whose first row is `base` of the whole.
void validate_rows(const DailyHistory& history, std::size_t base) {
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    const auto begin = static_cast<std::size_t>(history.row_begin[u]);
    for (std::size_t i = begin; i < begin + static_cast<std::size_t>(history.row_count[u]); ++i) {
      require(h5::is_instant(history.date[i]) && history.date[i] % kDaySeconds == 0, "date", base + i,
              "not midnight of a day between the years 1970 and 9999");
      require(i == begin || history.date[i - 1] < history.date[i], "date", base + i, "not ascending");
      require(h5::is_instant(history.knowledge_time[i]) && history.knowledge_time[i] >= history.date[i],
              "knowledge_time", base + i, "before the row's date, or beyond the year 9999");
    }
  }
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const std::vector<double>& column = history.*quantity.column;
    for (std::size_t i = 0; i < column.size(); ++i) {
      require(!std::isinf(column[i]), quantity.name, base + i, "infinite");
      require(!quantity.is_volume || !(column[i] < 0.0), quantity.name, base + i, "negative");
    }
  }
}

/// Everything that DailyHistory promises. Throws h5::Error.
void validate(const DailyHistory& history) {
  bool same = history.knowledge_time.size() == history.rows();
  for (const DailyQuantity& quantity : kDailyQuantities) {
    same = same && (history.*quantity.column).size() == history.rows();
  }
  if (!same) throw h5::Error("columns of one dimension have different lengths");
  validate_index(history, history.rows());
  validate_rows(history, 0);
}

}  // namespace

void write_history_file(const DailyHistory& history, const std::filesystem::path& target) {
  try {
    validate(history);
    const auto [first, last] = std::minmax_element(history.date.begin(), history.date.end());
    write_source({&history, history.rows(), *first, *last,
                  [&](std::size_t column, std::size_t begin, std::size_t count, void* to) {
                    const auto copy = [&](const auto& from) { std::memcpy(to, from.data() + begin, count * 8); };
                    if (column == 0) return copy(history.date);
                    if (column == 1) return copy(history.knowledge_time);
                    copy(history.*kDailyQuantities[column - 2].column);
                  }},
                 target);
  } catch (const h5::Error& error) {
    throw OutputError(target.string() + ": cannot be written (" + error.what() + ")");
  }
}

struct HistoryStore::Impl {
  DailyHistory index;
  std::size_t rows = 0;
  h5::Spool spool;
  std::uint64_t begin = 0;  // of the columns: date, knowledge_time, kDailyQuantities, all of eight bytes
  std::string digest;

  explicit Impl(const std::filesystem::path& directory) : spool(directory) {}

  DailyHistory read(std::span<const std::size_t> symbols) const {
    DailyHistory part;
    // Symbols that follow one another are one piece of each column.
    for (std::size_t k = 0; k < symbols.size();) {
      const auto first = static_cast<std::size_t>(index.row_begin[symbols[k]]);
      std::size_t count = 0;
      do {
        part.symbol.push_back(index.symbol[symbols[k]]);
        part.row_begin.push_back(static_cast<std::int64_t>(part.rows() + count));
        part.row_count.push_back(index.row_count[symbols[k]]);
        count += static_cast<std::size_t>(index.row_count[symbols[k]]);
        ++k;
      } while (k < symbols.size() && symbols[k] == symbols[k - 1] + 1);
      std::size_t column = 0;
      const auto append = [&](auto& to) {
        static_assert(sizeof(to[0]) == 8);
        const std::size_t before = to.size();
        to.resize(before + count);
        spool.read(begin + (column++ * rows + first) * 8, to.data() + before, count * 8);
      };
      append(part.date);
      append(part.knowledge_time);
      for (const DailyQuantity& quantity : kDailyQuantities) append(part.*quantity.column);
    }
    return part;
  }

  /// Looks at every row once, a part at a time. Throws h5::Error.
  void check() {
    h5::ContentHash hash;
    std::string text;
    h5::ArchiveWriter archive(text);
    archive(std::as_const(index.symbol), std::as_const(index.row_count));
    hash.add(text.data(), text.size());
    for (std::size_t u = 0; u < index.symbols();) {
      std::vector<std::size_t> symbols;
      std::int64_t count = 0;
      const auto base = static_cast<std::size_t>(index.row_begin[u]);
      for (; u < index.symbols() && (symbols.empty() || count + index.row_count[u] <= kPart); ++u) {
        count += index.row_count[u];
        symbols.push_back(u);
      }
      const DailyHistory part = read(symbols);
      validate_rows(part, base);
      hash.add(part.date.data(), part.rows() * 8);
      hash.add(part.knowledge_time.data(), part.rows() * 8);
      for (const DailyQuantity& quantity : kDailyQuantities) hash.add((part.*quantity.column).data(), part.rows() * 8);
    }
    digest = hash.hex();
  }

 private:
  static constexpr std::int64_t kPart = 1 << 17;
};

HistoryStore::HistoryStore(const std::filesystem::path& path, const std::filesystem::path& directory)
    : impl_(std::make_unique<Impl>(directory)) {
  h5::read_in_child(
      path, impl_->spool,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        hand_over_variables(h5::FileReader(file, file_size), out);
      },
      [&](h5::ArchiveReader& in) {
        DailyHistory& index = impl_->index;
        std::uint64_t rows = 0;
        in(index.source, index.symbol, index.row_begin, index.row_count, rows);
        constexpr std::size_t kRow = 8 * (kDailyQuantities.size() + 2);
        if (rows != in.left() / kRow || in.left() % kRow != 0) throw h5::Error("what was read is incomplete");
        impl_->rows = rows;
        validate_index(index, rows);
        // The last byte of the spool is the child's farewell.
        impl_->begin = impl_->spool.size() - 1 - in.left();
        impl_->check();
      });
}

HistoryStore::~HistoryStore() = default;
HistoryStore::HistoryStore(HistoryStore&&) noexcept = default;
HistoryStore& HistoryStore::operator=(HistoryStore&&) noexcept = default;

const DailyHistory& HistoryStore::index() const {
  return impl_->index;
}
std::int64_t HistoryStore::rows() const {
  return static_cast<std::int64_t>(impl_->rows);
}
const std::string& HistoryStore::digest() const {
  return impl_->digest;
}
DailyHistory HistoryStore::read(std::span<const std::size_t> symbols) const {
  return impl_->read(symbols);
}
DailyHistory HistoryStore::read() const {
  std::vector<std::size_t> all(impl_->index.symbols());
  std::iota(all.begin(), all.end(), std::size_t{0});
  DailyHistory whole = impl_->read(all);
  whole.source = impl_->index.source;
  return whole;
}

DailyHistory read_history_file(const std::filesystem::path& path) {
  return HistoryStore(path).read();
}

HistoryAppend append_to_history(const std::filesystem::path& store, std::span<const DailyHistory* const> parts,
                                bool replace, std::size_t place) {
  if (place > parts.size())
    throw std::invalid_argument("a store has no place beyond the parts that are merged with it");
  const FileLock lock(store);
  HistoryAppend out;
  std::error_code error;
  if (std::filesystem::exists(store, error) || error) out.before = read_history_file(store);
  std::vector<const DailyHistory*> all(parts.begin(), parts.end());
  all.insert(all.begin() + static_cast<std::ptrdiff_t>(place), &out.before);
  out.merge = merge_histories(all, replace);
  const std::vector<std::int64_t>& taken = out.merge.rows_taken;
  out.written = place > 0 || std::any_of(taken.begin() + 1, taken.end(), [](std::int64_t rows) { return rows > 0; });
  if (out.written) write_history_file(out.merge.history, store);
  return out;
}

HistoryAppend append_to_history(const std::filesystem::path& store, const DailyHistory& tonight, bool replace) {
  const DailyHistory* parts[] = {&tonight};
  return append_to_history(store, parts, replace);
}

HistoryExtension extend_history(const std::filesystem::path& store, const DailyHistory& tonight, bool replace) {
  const FileLock lock(store);
  HistoryExtension out;
  if (tonight.symbols() == 0) return out;
  std::error_code error;
  if (!std::filesystem::exists(store, error) && !error) {
    const DailyHistory* parts[] = {&tonight};
    write_history_file(merge_histories(parts, replace).history, store);
    out.written = true;
    return out;
  }
  const std::filesystem::path room = store.has_parent_path() ? store.parent_path() : std::filesystem::path(".");
  const HistoryStore before(store, room);
  const DailyHistory& old = before.index();
  DailyHistory index;  // of the result
  std::vector<h5::Spool> column;
  for (std::size_t k = 0; k < kColumns; ++k) column.emplace_back(room, store.string());
  HistorySource source;
  source.first = std::numeric_limits<Instant>::max();
  source.last = std::numeric_limits<Instant>::min();
  bool taken_old = false, taken_new = false;
  constexpr std::size_t kSymbols = 64;
  for (std::size_t a = 0, b = 0; a < old.symbols() || b < tonight.symbols();) {
    // The next symbols of both, in the order of their bytes.
    std::vector<std::size_t> mine, theirs;
    while ((a < old.symbols() || b < tonight.symbols()) && mine.size() + theirs.size() < 2 * kSymbols) {
      const bool has_old = a < old.symbols(), has_new = b < tonight.symbols();
      const int order = !has_new ? -1 : !has_old ? 1 : old.symbol[a].compare(tonight.symbol[b]);
      if (order <= 0) mine.push_back(a++);
      if (order >= 0) theirs.push_back(b++);
    }
    const DailyHistory own = before.read(mine), other = part_of(tonight, theirs);
    const DailyHistory* parts[] = {&own, &other};
    const DailyMerge merged = merge_histories(parts, replace);
    out.contradictions += merged.contradiction.size();
    taken_old = taken_old || merged.rows_taken[0] > 0;
    taken_new = taken_new || merged.rows_taken[1] > 0;
    const DailyHistory& some = merged.history;
    const auto rows_before = static_cast<std::int64_t>(source.rows);
    for (std::size_t u = 0; u < some.symbols(); ++u) {
      index.symbol.push_back(some.symbol[u]);
      index.row_begin.push_back(rows_before + some.row_begin[u]);
      index.row_count.push_back(some.row_count[u]);
    }
    for (const Instant date : some.date) {
      source.first = std::min(source.first, date);
      source.last = std::max(source.last, date);
    }
    column[0].append(some.date.data(), some.rows() * 8);
    column[1].append(some.knowledge_time.data(), some.rows() * 8);
    for (std::size_t q = 0; q < kDailyQuantities.size(); ++q) {
      column[2 + q].append((some.*kDailyQuantities[q].column).data(), some.rows() * 8);
    }
    source.rows += some.rows();
  }
  if (!taken_new) return out;
  // As in a merge of the whole: sources once each, none of a part that gave nothing.
  for (const auto& [list, taken] : {std::pair{&old.source, taken_old}, {&tonight.source, taken_new}}) {
    for (const ChainSource& one : *list) {
      const auto same = [&](const ChainSource& other) { return one.name == other.name && one.sha256 == other.sha256; };
      if (taken && std::none_of(index.source.begin(), index.source.end(), same)) index.source.push_back(one);
    }
  }
  source.index = &index;
  source.read = [&](std::size_t k, std::size_t begin, std::size_t count, void* to) {
    column[k].read(begin * 8, to, count * 8);
  };
  try {
    write_source(source, store);
  } catch (const h5::Error& problem) {
    throw OutputError(store.string() + ": cannot be written (" + problem.what() + ")");
  }
  out.written = true;
  return out;
}

}  // namespace greekgrid

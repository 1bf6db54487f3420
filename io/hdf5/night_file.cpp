// Makes the night of its parts.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "chunk_codec.hpp"
#include "greekgrid/host/hedge.hpp"
#include "greekgrid/io/publish.hpp"
#include "night_forecasts.hpp"
#include "night_part.hpp"
#include "night_schema.hpp"
#include "night_tables.hpp"
#include "page_writer.hpp"
#include "placed_file.hpp"
#include "shared_values.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

using h5::Column;
using h5::kTimeUnits;
using Clock = std::chrono::steady_clock;

const std::vector<std::string> kSurfaceDims = {"ticker", "position", "iv_rule", "time", "iv_shift", "spot_step"};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void require(bool holds, const std::string& problem) {
  if (!holds) throw h5::Error(problem);
}

/// What the schema says of the tickers. Throws h5::Error.
void validate_tickers(const NightHeader& header) {
  require(!header.ticker.empty(), "there is no ticker");
  require(std::adjacent_find(header.ticker.begin(), header.ticker.end(), std::greater_equal<>()) == header.ticker.end(),
          "tickers are not sorted");
  for (const auto* column : {&header.spot_reference, &header.spot_basis, &header.spot_scale}) {
    require(std::all_of(column->begin(), column->end(), [](double x) { return std::isfinite(x); }),
            "a spot column is not finite");
  }
}

Column surface_column(const NightHeader& header, std::size_t index) {
  std::size_t at = 0;
  for (const Greek greek : kAllGreeks) {
    if (!header.greeks.contains(greek) || at++ != index) continue;
    const h5::GreekText& text = h5::kGreekText[static_cast<std::size_t>(greek)];
    const std::string meaning = std::string(name(greek)) + " exposure: sum of dealer contracts times multiplier times ";
    return {text.surface, kSurfaceDims, meaning + text.derivative, text.surface_units, ""};
  }
  return {h5::kDeltaChange, kSurfaceDims, "dx less dx at spot_step 0, time[0], iv_shift 0", "shares", ""};
}

void write_root(hid_t root, h5::TableWriter& table, const NightHeader& header) {
  h5::write_root_attributes(root, h5::kNightSchema, header.title, header.quote_time, header.file_time,
                            header.open_interest_settle_date, header.open_interest_knowledge_time, header.source);
  const std::vector<std::string> names = h5::surface_names(header);
  const bool has_gx = header.greeks.contains(Greek::kGamma);
  h5::write_attribute(root, "settled_contracts", std::string("indicator_at_settlement"));
  h5::write_attribute(root, "NX_class", std::string("NXdata"));
  h5::write_attribute(root, "signal", has_gx ? std::string("gx") : names.front());
  h5::write_attribute(root, "axes", kSurfaceDims);

  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  table.column({"iv_rule", {"iv_rule"}, "how volatility answers a move of spot", "", ""}, header.iv_rule);
  table.column({"time", {"time"}, "scenario instant", kTimeUnits, ""}, header.time);
  table.column({"iv_shift", {"iv_shift"}, "shift of implied volatility", "vol", ""}, header.iv_shift);
  table.column({"spot_step", {"spot_step"}, "log return of spot over spot_scale", "1", ""}, header.spot_step);
  table.scale_attribute("time", "time_axis", header.time_axis);
  table.scale_attribute("iv_shift", "iv_shift_term", header.iv_shift_term);
  table.scale_attribute("iv_shift", "iv_floor", header.iv_floor);
  if (header.iv_shift_term == "sqrt_time") {
    table.scale_attribute("iv_shift", "iv_shift_term_cap", header.iv_shift_term_cap);
  }
  table.scale_attribute("spot_step", "spot_axis", header.spot_axis);

  std::vector<double> spot;
  for (std::size_t u = 0; u < header.ticker.size(); ++u) {
    for (const double step : header.spot_step) {
      spot.push_back(header.spot_reference[u] * std::exp(step * header.spot_scale[u]));
    }
  }
  const std::vector<std::string> ticker = {"ticker"};
  table.column({"spot_reference", ticker, "price of the underlying at quote_time", "USD", ""}, header.spot_reference);
  table.column({"spot_basis", ticker, "log of synthetic spot over spot", "1", ""}, header.spot_basis);
  table.column({"spot_scale", ticker, "log return of one spot_step", "1", ""}, header.spot_scale);
  table.column({"average_daily_volume", ticker, "mean volume of up to 21 sessions, of all venues", "shares", ""},
               header.average_daily_volume);
  table.column({"spot", {"ticker", "spot_step"}, "price of the underlying in the scenario", "USD", ""}, spot);
  table.column({"iv_rule_parameter", {"iv_rule"}, "skew-stickiness ratio, or beta of relative_beta", "1", ""},
               header.iv_rule_parameter);
}

h5::Handle create_surface(hid_t root, h5::TableWriter& table, const NightHeader& header, std::size_t index) {
  const Column column = surface_column(header, index);
  const std::string what = "create " + column.name;
  std::vector<hsize_t> dims;
  for (const std::string& dim : kSurfaceDims) dims.push_back(table.length(dim));
  const h5::Handle creation = h5::dataset_properties(h5::Type::kFloat32, true, {1, 1, 1, dims[3], dims[4], dims[5]});
  const h5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  h5::Handle dataset(H5Dcreate2(root, column.name.c_str(), h5::file_type(h5::Type::kFloat32), space.get(), H5P_DEFAULT,
                                creation.get(), H5P_DEFAULT),
                     H5Dclose, what);
  table.describe(dataset.get(), column, h5::Type::kFloat32);
  h5::write_attribute(dataset.get(), "coordinates", std::string("spot spot_reference"));
  if (header.keep_bits > 0 && header.keep_bits < 23) {
    h5::write_attribute(dataset.get(), h5::kKeptBits, std::int32_t{header.keep_bits});
  }
  return dataset;
}

const std::vector<std::string> kSessionDims = {"ticker", "position", "expiries", "time", "spot_step"};

/// The coordinates of /intraday.
void write_session_axes(h5::TableWriter& table, const NightHeader& header) {
  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, header.ticker);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  std::vector<std::string> scopes;
  for (std::size_t s = 0; s < kScopes; ++s) scopes.emplace_back(name(static_cast<ExpiryScope>(s)));
  table.column({"expiries", {"expiries"}, "all, or those that settle by the close of the session", "", ""}, scopes);
  table.column({"time", {"time"}, "instant of the session, to its close", kTimeUnits, ""}, header.intraday.time);
  table.column({"spot_step", {"spot_step"}, "log return of spot in expected moves", "1", ""},
               header.intraday.spot_step);
  std::vector<double> spot;
  for (std::size_t u = 0; u < header.ticker.size(); ++u) {
    for (const double step : header.intraday.spot_step) {
      spot.push_back(header.spot_reference[u] * std::exp(step * header.expected_move[u]));
    }
  }
  table.column({"spot_reference", {"ticker"}, "price of the underlying at quote_time", "USD", ""},
               header.spot_reference);
  table.column({"expected_move", {"ticker"}, "log return of one spot_step", "1", ""}, header.expected_move);
  table.column({"gamma_move", {"ticker"}, "move of spot that gamma_heatmap is stated for", "USD", ""},
               header.gamma_move);
  table.column({"spot", {"ticker", "spot_step"}, "price of the underlying in the scenario", "USD", ""}, spot);
  std::vector<std::string> futures;
  std::vector<double> multiplier;
  for (const std::string& ticker : header.ticker) {
    const auto hedge = index_futures(ticker);
    futures.emplace_back(hedge ? hedge->contract : "");
    multiplier.push_back(hedge ? hedge->multiplier : std::numeric_limits<double>::quiet_NaN());
  }
  table.column({"futures", {"ticker"}, "futures contract that hedges the book; empty where there is none", "", ""},
               futures);
  table.column({"futures_multiplier", {"ticker"}, "shares of the underlying per futures contract", "shares", ""},
               multiplier);
}

h5::Handle create_session_surface(hid_t group, h5::TableWriter& table, std::size_t index) {
  const h5::SessionText& text = h5::kSessionText[index];
  const Column column = {text.name, kSessionDims, text.meaning, text.units, ""};
  const std::string what = std::string("create intraday ") + text.name;
  std::vector<hsize_t> dims;
  for (const std::string& dim : kSessionDims) dims.push_back(table.length(dim));
  const h5::Handle creation = h5::dataset_properties(h5::Type::kFloat32, true, {1, 1, 1, dims[3], dims[4]});
  const h5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  h5::Handle dataset(H5Dcreate2(group, text.name, h5::file_type(h5::Type::kFloat32), space.get(), H5P_DEFAULT,
                                creation.get(), H5P_DEFAULT),
                     H5Dclose, what);
  table.describe(dataset.get(), column, h5::Type::kFloat32);
  h5::write_attribute(dataset.get(), "coordinates", std::string("spot spot_reference"));
  return dataset;
}

void write_run(hid_t root, const NightRunTexts& texts, const SurfaceErrors& errors) {
  const h5::Handle group = h5::create_group(root, "run");
  h5::write_attribute(group.get(), "configuration", texts.configuration);
  h5::write_attribute(group.get(), "tool_version", texts.tool_version);
  h5::write_attribute(group.get(), "build", texts.build);
  h5::write_attribute(group.get(), "backend", texts.backend);
  h5::write_attribute(group.get(), "precision", texts.precision);
  h5::write_attribute(group.get(), "evaluator", texts.evaluator);
  h5::write_attribute(group.get(), "tolerance", texts.tolerance);
  h5::write_attribute(group.get(), "grids_spectral", errors.spectral);
  h5::write_attribute(group.get(), "grids_brute", errors.brute);
  h5::write_attribute(group.get(), "error_bound", errors.bound);
  h5::write_attribute(group.get(), "cells_sampled", errors.cells);
  h5::write_attribute(group.get(), "error_sampled", errors.sampled);
  h5::write_attribute(group.get(), "error_sampled_of_gross", errors.sampled_of_gross);
  h5::write_attribute(group.get(), "compressor", h5::compressor_name());
  if (!texts.previous.name.empty()) {
    h5::write_attribute(group.get(), "previous_name", texts.previous.name);
    h5::write_attribute(group.get(), "previous_sha256", texts.previous.sha256);
  }
  if (!texts.warnings.empty()) h5::write_attribute(group.get(), "warnings", texts.warnings);
}

/// One ticker's record on its way into the tables: where the next item's values are.
struct Entry {
  const TickerDigest* digest = nullptr;
  const h5::RecordReader* reader = nullptr;
  std::size_t record = 0;
  std::uint64_t chunks_to = 0;  // of the night
  h5::TickerColumns absent;     // in place of a record
};

/// The values of one item of each entry, item after item. Entries are read ahead, in pieces as large as the memory set
/// aside for all of them allows: one by one they would be some hundred thousand reads.
class Cursor {
 public:
  Cursor(const std::vector<h5::TableItem>& items, std::vector<Entry*> entries)
      : items_(items),
        entry_(std::move(entries)),
        ahead_(std::clamp(kAhead / std::max<std::uint64_t>(entry_.size(), 1), kLeastAhead, kMostAhead)) {}

  void add_counts(const std::vector<std::uint32_t>& count, const std::vector<std::uint32_t>& bytes, std::uint64_t at) {
    require(count.size() == items_.size() && bytes.size() == items_.size(), "a record has another number of columns");
    count_.push_back(count);
    bytes_.push_back(bytes);
    piece_.push_back({at, std::accumulate(bytes.begin(), bytes.end(), at), at, {}});
  }
  std::size_t entries() const { return entry_.size(); }
  std::size_t count(std::size_t item, std::size_t u) const { return count_[u][item]; }
  std::size_t total(std::size_t item) const {
    std::size_t sum = 0;
    for (const auto& count : count_) sum += count[item];
    return sum;
  }
  /// The bytes of an item, which are the caller's to change; items are asked for in their order.
  std::span<char> read(std::size_t item, std::size_t u) {
    const std::uint64_t size = bytes_[u][item];
    Piece& piece = piece_[u];
    if (size > ahead_) {
      large_.resize(size);
      fetch(u, piece.at, large_);
      return large_;
    }
    if (piece.at + size > piece.begin + piece.bytes.size()) {
      piece.begin = piece.at;
      piece.bytes.resize(std::min(ahead_, piece.end - piece.at));
      fetch(u, piece.at, piece.bytes);
    }
    return std::span(piece.bytes).subspan(piece.at - piece.begin, size);
  }
  void skip(std::size_t item) {
    for (std::size_t u = 0; u < entries(); ++u) piece_[u].at += bytes_[u][item];
  }

 private:
  static constexpr std::uint64_t kAhead = std::uint64_t{32} << 20U, kLeastAhead = 4096,
                                 kMostAhead = std::uint64_t{1} << 20U;
  struct Piece {
    std::uint64_t at = 0, end = 0;  // of the next item, of the last one
    std::uint64_t begin = 0;        // of what is read ahead
    std::vector<char> bytes;
  };

  void fetch(std::size_t u, std::uint64_t at, std::vector<char>& to) const {
    const Entry& entry = *entry_[u];
    if (entry.reader != nullptr) {
      entry.reader->read(at, to.data(), to.size());
    } else {
      std::copy_n(entry.absent.data.data() + at, to.size(), to.data());
    }
  }

  const std::vector<h5::TableItem>& items_;
  std::vector<Entry*> entry_;
  std::uint64_t ahead_;
  std::vector<char> large_;  // an item longer than what is read ahead
  std::vector<std::vector<std::uint32_t>> count_, bytes_;
  std::vector<Piece> piece_;
};

template <class Number>
void add_base(std::span<char> bytes, std::int64_t base) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Number)) {
    Number number;
    std::memcpy(&number, &bytes[at], sizeof number);
    number = static_cast<Number>(number + base);
    std::memcpy(&bytes[at], &number, sizeof number);
  }
}

/// Writes the groups of a list of items, concatenating the tickers.
class GroupWriter {
 public:
  GroupWriter(hid_t root, const std::vector<h5::TableItem>& items, Cursor& cursor)
      : root_(root), items_(items), cursor_(cursor) {
    for (std::size_t k = 0; k < items.size(); ++k) {
      if (items[k].kind == h5::TableItem::Kind::kRowNumbers) rows_of_[items[k].name] = k;
    }
  }

  /// Groups whose tables are begun already.
  void continue_table(const std::string& path, h5::TableWriter* table) {
    if (table != nullptr) begun_[path] = table;
  }

  void write() {
    using Kind = h5::TableItem::Kind;
    for (std::size_t k = 0; k < items_.size(); ++k) {
      const h5::TableItem& item = items_[k];
      if (item.kind == Kind::kGroup) {
        begin_group(item, cursor_.total(k));
      } else if (table_ == nullptr) {
        // A table without rows has no variables.
      } else if (item.kind == Kind::kAttribute) {
        h5::write_attribute(group_.get(), item.name, item.text);
      } else if (item.kind == Kind::kRowNumbers) {
        table_->row_numbers(item.name, item.of_ticker() ? cursor_.total(k) : cursor_.count(k, 0));
      } else if (item.of_ticker()) {
        write_column(k);
      } else {
        write_shared(k);
      }
      cursor_.skip(k);
    }
    table_ = nullptr;
    own_.reset();
    group_ = {};
  }

 private:
  void begin_group(const h5::TableItem& item, std::size_t rows) {
    own_.reset();
    group_ = {};
    if (const auto found = begun_.find(item.group); found != begun_.end()) {
      table_ = found->second;
      return;
    }
    const std::size_t slash = item.group.find('/');
    const std::string parent = slash == std::string::npos ? "" : item.group.substr(0, slash);
    if (parent != parent_name_) {
      parent_ = parent.empty() ? h5::Handle() : h5::create_group(root_, parent);
      parent_name_ = parent;
    }
    group_ = h5::create_group(parent.empty() ? root_ : parent_.get(),
                              parent.empty() ? item.group : item.group.substr(slash + 1));
    if (rows == 0) {
      h5::write_attribute(group_.get(), "rows", std::int64_t{0});
      table_ = nullptr;
      return;
    }
    table_ = &own_.emplace(group_.get());
  }

  void write_column(std::size_t k) {
    const h5::TableItem& item = items_[k];
    h5::ColumnStream stream = table_->begin(item.column, item.type, cursor_.total(k));
    const std::string& dim = item.column.index_of;
    const auto rows = rows_of_.find(dim);
    require(dim.empty() || dim == "ticker" || rows != rows_of_.end(), item.column.name + " counts what there is not");
    std::int64_t base = 0;
    for (std::size_t u = 0; u < cursor_.entries(); ++u) {
      const std::span<char> own = cursor_.read(k, u);
      if (item.type == h5::Type::kString) {
        stream.append(h5::texts_of(own));
        continue;
      }
      if (!dim.empty() && item.type == h5::Type::kInt32) add_base<std::int32_t>(own, base);
      if (!dim.empty() && item.type == h5::Type::kInt64) add_base<std::int64_t>(own, base);
      stream.append(own.data(), own.size() / h5::size_of(item.type));
      if (!dim.empty()) base += dim == "ticker" ? 1 : static_cast<std::int64_t>(cursor_.count(rows->second, u));
    }
    stream.finish();
  }

  /// A column that all tickers share, or of which the greatest values count.
  void write_shared(std::size_t k) {
    const h5::TableItem& item = items_[k];
    const std::span<const char> first = cursor_.read(k, 0);
    if (item.type == h5::Type::kString) {
      table_->column(item.column, h5::texts_of(first));
      return;
    }
    std::vector<char> values(first.begin(), first.end());
    if (item.column.greatest_of_parts) {
      require(item.type == h5::Type::kInt64, item.column.name + " has no greatest value");
      for (std::size_t u = 1; u < cursor_.entries(); ++u) {
        const std::span<const char> other = cursor_.read(k, u);
        require(other.size() == values.size(), item.column.name + " has another length");
        for (std::size_t at = 0; at < values.size(); at += sizeof(std::int64_t)) {
          std::int64_t a = 0, b = 0;
          std::memcpy(&a, &values[at], sizeof a);
          std::memcpy(&b, &other[at], sizeof b);
          a = std::max(a, b);
          std::memcpy(&values[at], &a, sizeof a);
        }
      }
    }
    h5::ColumnStream stream = table_->begin(item.column, item.type, values.size() / h5::size_of(item.type));
    stream.append(values.data(), values.size() / h5::size_of(item.type));
    stream.finish();
  }

  hid_t root_;
  const std::vector<h5::TableItem>& items_;
  Cursor& cursor_;
  std::map<std::string, std::size_t> rows_of_;  // item that numbers the rows of a dimension
  std::map<std::string, h5::TableWriter*> begun_;
  std::string parent_name_;
  h5::Handle parent_, group_;
  std::optional<h5::TableWriter> own_;
  h5::TableWriter* table_ = nullptr;
};

/// A night in the making.
class NightFile {
 public:
  NightFile(std::span<const NightPart* const> parts, const std::filesystem::path& target)
      : identity_(parts.front()->identity()), given_(target.string()), pending_(target) {
    readers_.reserve(parts.size());
    for (const NightPart* part : parts) readers_.emplace_back(*part);
    for (std::size_t p = 0; p < parts.size(); ++p) {
      for (std::size_t k = 0; k < parts[p]->done().size(); ++k) {
        Entry entry;
        entry.digest = &parts[p]->done()[k];
        entry.reader = &readers_[p];
        entry.record = k;
        entries_.push_back(std::move(entry));
      }
    }
    for (const TickerQuality& row : identity_.absent) {
      TickerDigest& digest = absent_.emplace_back();
      digest.ticker = row.ticker;
      digest.status = row.status;
      Entry entry;
      entry.absent = h5::record_quality({row});
      entries_.push_back(std::move(entry));
    }
    for (std::size_t k = 0; k < absent_.size(); ++k)
      entries_[entries_.size() - absent_.size() + k].digest = &absent_[k];
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.digest->ticker < b.digest->ticker; });
    make_header();
    place_chunks();
  }

  ~NightFile() {
    const h5::LibraryLock lock;
    close_datasets();
    root_ = {};
    file_ = {};
  }
  NightFile(const NightFile&) = delete;
  NightFile& operator=(const NightFile&) = delete;

  NightStatistics write() {
    const auto started = Clock::now();
    try {
      const h5::LibraryLock lock;
      h5::validate_axes(header_);
      validate_tickers(header_);
      create();
      write_tickers();
      NightRunTexts texts = identity_.texts;
      std::vector<TickerDigest> digests;
      SurfaceErrors errors;
      for (const Entry& entry : entries_) {
        digests.push_back(*entry.digest);
        errors.add(entry.digest->errors);
      }
      for (std::string& warning : night_warnings(digests)) texts.warnings.push_back(std::move(warning));
      h5::write_attribute(root_.get(), "tool_version", texts.tool_version);
      write_run(root_.get(), texts, errors);
      close_datasets();
      root_ = {};
      file_.close("close the file");
    } catch (const h5::Error& error) {
      throw OutputError(given_ + ": cannot be written (" + error.what() + ")");
    }
    if (placement_.is_written) pending_.take(chunks_);
    pending_.publish();
    statistics_.write_seconds = seconds_since(started);
    return statistics_;
  }

 private:
  void make_header() {
    header_ = identity_.axes;
    std::optional<StepAxis> closes;
    for (Entry& entry : entries_) {
      const TickerDigest& digest = *entry.digest;
      if (digest.status != TickerStatus::kOk) continue;
      accepted_.push_back(&entry);
      header_.ticker.push_back(digest.ticker);
      header_.spot_reference.push_back(digest.spot_reference);
      header_.spot_basis.push_back(digest.spot_basis);
      header_.spot_scale.push_back(digest.spot_scale);
      header_.expected_move.push_back(digest.expected_move);
      header_.average_daily_volume.push_back(digest.average_daily_volume);
      header_.gamma_move.push_back(digest.gamma_move);
      if (!digest.stepped) continue;
      if (!closes) closes = digest.closes;
      closes = StepAxis{std::min(closes->first, digest.closes.first), std::max(closes->last, digest.closes.last)};
    }
    header_.outlook.close = closes ? *closes : whole_chunks({});
  }

  /// Where the chunks of each ticker lie: in the order of the identity, whatever part they come from, each ticker's
  /// from a page on. Where a part has them in these places already, the night is made around them.
  void place_chunks() {
    std::map<std::string, std::size_t> rank;
    for (const std::uint32_t k : identity_.order) {
      if (k < identity_.ticker.size()) rank.emplace(identity_.ticker[k], rank.size());
    }
    const auto rank_of = [&](const Entry* entry) {
      const auto found = rank.find(entry->digest->ticker);
      return found == rank.end() ? rank.size() : found->second;
    };
    std::vector<Entry*> order = accepted_;
    std::stable_sort(order.begin(), order.end(),
                     [&](const Entry* a, const Entry* b) { return rank_of(a) < rank_of(b); });
    placement_.is_written = true;
    for (Entry* entry : order) {
      entry->chunks_to = placement_.end;
      if (entry->reader->chunks_at(entry->record) != placement_.end) placement_.is_written = false;
      placement_.end = h5::next_page(placement_.end + entry->reader->chunk_bytes(entry->record));
    }
    if (readers_.size() == 1) chunks_ = readers_.front().own_chunks();
    if (chunks_.empty()) placement_.is_written = false;
  }

  void create() {
    file_ = h5::create_placed_file(placement_.is_written ? chunks_ : pending_.path(), placement_);
    root_ = h5::root_group(file_);
    h5::TableWriter table(root_.get());
    write_root(root_.get(), table, header_);
    for (std::size_t s = 0; s < header_.surfaces(); ++s) {
      surface_.push_back(create_surface(root_.get(), table, header_, s));
    }
    steps_.create(root_.get(), header_);
    if (header_.intraday.time.empty()) {
      const h5::Handle group = h5::create_group(root_.get(), "intraday");
      h5::write_attribute(group.get(), "rows", std::int64_t{0});
      return;
    }
    session_group_ = h5::create_group(root_.get(), "intraday");
    session_table_.emplace(session_group_.get());
    write_session_axes(*session_table_, header_);
    for (std::size_t s = 0; s < kIntradaySurfaces; ++s) {
      session_surface_.push_back(create_session_surface(session_group_.get(), *session_table_, s));
    }
  }

  void close_datasets() {
    surface_.clear();
    session_surface_.clear();
    steps_.close();
    session_table_.reset();
    session_group_ = {};
  }

  /// The chunks of every ticker, then the columns of all.
  void write_tickers() {
    std::vector<Entry*> all;
    for (Entry& entry : entries_) all.push_back(&entry);
    const std::vector<h5::TableItem> none;
    const std::vector<h5::TableItem>* tables = &none;
    const std::vector<h5::TableItem>* quality = &none;
    for (const h5::RecordReader& reader : readers_) {
      if (!reader.tables().empty()) tables = &reader.tables();
      if (!reader.quality().empty()) quality = &reader.quality();
    }
    Cursor table_cursor(*tables, accepted_), quality_cursor(*quality, all);
    std::size_t ordinal = 0;
    for (Entry& entry : entries_) {
      if (entry.reader == nullptr) {
        std::vector<std::uint32_t> count, bytes;
        for (const h5::ItemPlace& place : entry.absent.place) {
          count.push_back(static_cast<std::uint32_t>(place.count));
          bytes.push_back(static_cast<std::uint32_t>(place.bytes));
        }
        quality_cursor.add_counts(count, bytes, 0);
        continue;
      }
      const h5::RecordIndex index = entry.reader->index(entry.record);
      const std::uint64_t at = entry.reader->data(entry.record);
      quality_cursor.add_counts(index.quality_count, index.quality_bytes, at);
      if (entry.digest->status != TickerStatus::kOk) continue;
      const std::uint64_t tables_at = std::accumulate(index.quality_bytes.begin(), index.quality_bytes.end(), at);
      table_cursor.add_counts(index.count, index.bytes, tables_at);
      write_chunks(entry, ordinal++, index, std::accumulate(index.bytes.begin(), index.bytes.end(), tables_at));
    }
    GroupWriter groups(root_.get(), *tables, table_cursor);
    groups.continue_table("intraday", session_table_ ? &*session_table_ : nullptr);
    groups.continue_table("step_forward", steps_.table());
    groups.write();
    GroupWriter(root_.get(), *quality, quality_cursor).write();
  }

  void write_chunks(const Entry& entry, std::size_t ticker, const h5::RecordIndex& index, std::uint64_t at) {
    const std::uint64_t bytes = entry.reader->chunk_bytes(entry.record);
    if (buffer_.size() < bytes) buffer_.resize(bytes);
    if (placement_.is_written) {
      // The library is told of chunks that are where they belong; it never looks at them.
    } else if (index.chunks_at != 0) {
      entry.reader->read_chunks(index.chunks_at, buffer_.data(), bytes);
    } else {
      entry.reader->read(at, buffer_.data(), bytes);
    }
    const char* from = buffer_.data();
    std::uint64_t to = entry.chunks_to;
    const auto store = [&](hid_t dataset, const hsize_t* offset, std::uint64_t size, const std::string& what) {
      placement_.next = to;
      h5::check(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset, size, from), what);
      require(placement_.next == h5::Placement::kNone, what + " failed: a place of it is taken");
      from += size;
      to += size;
    };
    std::size_t chunk = 0;
    const std::string what = "write the surfaces of " + entry.digest->ticker;
    // The third dimension is the rule, or the session's expiries.
    const auto write = [&](const std::vector<h5::Handle>& datasets, hsize_t third) {
      for (const h5::Handle& dataset : datasets) {
        for (hsize_t position = 0; position < header_.position.size(); ++position) {
          for (hsize_t k = 0; k < third; ++k, ++chunk) {
            const hsize_t offset[6] = {static_cast<hsize_t>(ticker), position, k, 0, 0, 0};
            require(chunk < index.surface.size(), "chunks are missing of " + entry.digest->ticker);
            store(dataset.get(), offset, index.surface[chunk], what);
          }
        }
      }
    };
    write(surface_, header_.iv_rule.size());
    write(session_surface_, kScopes);
    require(chunk == index.surface.size(), "there are too many chunks of " + entry.digest->ticker);
    const std::int64_t shift = entry.digest->closes.first - header_.outlook.close.first;
    const std::string closes = "write the hypothetical closes of " + entry.digest->ticker;
    for (std::size_t k = 0; k < index.step.size(); ++k) {
      hsize_t offset[6] = {static_cast<hsize_t>(ticker)};
      const auto axis = static_cast<std::size_t>(index.step_axis[k]);
      for (std::size_t d = 1; d < 6; ++d) {
        offset[d] = static_cast<hsize_t>(index.step_offset[k * 6 + d] + (d == axis ? shift : 0));
      }
      store(steps_.dataset(static_cast<std::size_t>(index.step_dataset[k])), offset, index.step[k], closes);
    }
    statistics_.bytes_raw += index.raw;
    statistics_.bytes_compressed += bytes;
  }

  const NightIdentity& identity_;
  std::string given_;  // as the caller spells it, for messages
  PendingFile pending_;
  std::vector<h5::RecordReader> readers_;
  std::vector<Entry> entries_;  // of all tickers, by name
  std::deque<TickerDigest> absent_;
  std::vector<Entry*> accepted_;
  NightHeader header_;
  std::filesystem::path chunks_;  // of the one part, if it keeps them apart
  h5::Placement placement_;
  h5::Handle file_, root_;
  std::vector<h5::Handle> surface_;
  h5::Handle session_group_;  // /intraday, where the session is stored
  std::optional<h5::TableWriter> session_table_;
  std::vector<h5::Handle> session_surface_;
  h5::StepDatasets steps_;
  std::vector<char> buffer_;
  NightStatistics statistics_;
};

}  // namespace

NightStatistics write_night_file(std::span<const NightPart* const> parts, const std::filesystem::path& target) {
  check_parts(parts);
  return NightFile(parts, target).write();
}

}  // namespace greekgrid

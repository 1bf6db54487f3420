#include "greekgrid/io/chain_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "archive.hpp"
#include "child_reader.hpp"
#include "content_hash.hpp"
#include "file_reader.hpp"
#include "greekgrid/io/publish.hpp"
#include "shared_values.hpp"
#include "spool.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

constexpr const char* kSchema = "greekgrid.chains";

void write_variables(h5::TableWriter& table, const OptionChain& chain) {
  const std::string usd = "USD";
  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, chain.ticker);
  table.row_numbers("expiry", chain.expiries());
  table.row_numbers("contract", chain.contracts());

  const std::vector<std::string> ticker = {"ticker"}, expiry = {"expiry"}, contract = {"contract"};
  table.column({"spot", ticker, "price of the underlying at quote_time", usd, ""}, chain.spot);
  table.column({"contract_begin", ticker, "first contract of the ticker", "1", ""}, chain.contract_begin);
  table.column({"contract_count", ticker, "number of contracts of the ticker", "1", ""}, chain.contract_count);

  table.column({"expiry_ticker", expiry, "index into ticker", "1", ""}, chain.expiry_ticker);
  table.column({"root", expiry, "option root", "", ""}, chain.root);
  table.column({"settlement", expiry, "settlement instant", h5::kTimeUnits, ""}, chain.settlement);
  table.column({"exercise", expiry, "exercise style", "", h5::kExerciseMeanings}, chain.exercise);
  table.column({"settlement_style", expiry, "settlement at the open or the close", "", h5::kStyleMeanings},
               chain.style);

  table.column({"contract_expiry", contract, "index into expiry", "1", ""}, chain.contract_expiry);
  table.column({"strike", contract, "strike", usd, ""}, chain.strike);
  table.column({"right", contract, "+1 call, -1 put", "1", ""}, chain.right);
  table.column({"multiplier", contract, "shares per contract", "shares", ""}, chain.multiplier);
  table.column({"bid", contract, "bid as quoted", usd, ""}, chain.bid);
  table.column({"ask", contract, "ask as quoted", usd, ""}, chain.ask);
  table.column({"last", contract, "last trade as quoted", usd, ""}, chain.last);
  table.column({"volume", contract, "contracts traded", "1", ""}, chain.volume);
  table.column({"open_interest", contract, "contracts open", "1", ""}, chain.open_interest);
  table.column({"vendor_iv", contract, "implied volatility of the vendor", "vol", ""}, chain.vendor_iv);
  table.column({"vendor_delta", contract, "delta of the vendor", "1", ""}, chain.vendor_delta);
  table.column({"vendor_gamma", contract, "gamma of the vendor", "USD-1", ""}, chain.vendor_gamma);
  if (!chain.dealer_position.empty()) {
    table.column({"dealer_position", contract, "signed contracts of dealers", "1", ""}, chain.dealer_position);
  }
}

constexpr std::size_t kSlice = std::size_t{1} << 20U;  // rows of a column that the child holds at a time

/// Columns of contracts, in this order. Of a file those behind the first three are kChainColumns and the positions.
struct ContractColumn {
  const char* path;
  h5::Type type;
};
constexpr std::array<ContractColumn, kChainColumns.size() + 4> kContractColumns = {{
    {"/contract_expiry", h5::Type::kInt32},
    {"/right", h5::Type::kInt8},
    {"/strike", h5::Type::kFloat64},
    {"/multiplier", h5::Type::kFloat64},
    {"/bid", h5::Type::kFloat64},
    {"/ask", h5::Type::kFloat64},
    {"/last", h5::Type::kFloat64},
    {"/volume", h5::Type::kFloat64},
    {"/open_interest", h5::Type::kFloat64},
    {"/vendor_iv", h5::Type::kFloat64},
    {"/vendor_delta", h5::Type::kFloat64},
    {"/vendor_gamma", h5::Type::kFloat64},
    {"/dealer_position", h5::Type::kFloat64},
}};
constexpr std::size_t kExpiryColumn = 0, kRightColumn = 1, kStrikeColumn = 2, kFirstColumn = 3,
                      kPositionColumn = kContractColumns.size() - 1;

/// Files of more bytes are read by several processes side by side, each so many columns.
constexpr std::uintmax_t kLargeFile = std::uintmax_t{1} << 20U;
constexpr std::size_t kColumnsOfOne = 5;

/// Everything but the columns of contracts.
OptionChain read_index(const h5::FileReader& file) {
  file.require_schema(kSchema);
  OptionChain chain;
  const auto instant = [&](const std::string& name) {
    const std::string text = file.text_attribute("/", name);
    const std::optional<Instant> read = h5::instant_from_iso(text);
    if (!read) throw h5::Error("attribute " + name + " is no instant (\"" + text + "\" is not ISO 8601 with a zone)");
    return *read;
  };
  chain.quote_time = instant("quote_time");
  chain.file_time = instant("file_time");
  chain.open_interest_settle_date = file.text_attribute("/", "open_interest_settle_date");
  chain.open_interest_knowledge_time = file.text_attribute("/", "open_interest_knowledge_time");
  chain.source = h5::read_sources(file);

  const std::size_t tickers = file.length("/ticker"), expiries = file.length("/expiry");
  chain.ticker = file.strings("/ticker", tickers);
  chain.spot = file.values<double>("/spot", {tickers});
  chain.contract_begin = file.values<std::int64_t>("/contract_begin", {tickers});
  chain.contract_count = file.values<std::int64_t>("/contract_count", {tickers});
  chain.expiry_ticker = file.values<std::int32_t>("/expiry_ticker", {expiries});
  chain.root = file.strings("/root", expiries);
  chain.settlement = file.values<Instant>("/settlement", {expiries});
  chain.exercise = file.values<Exercise>("/exercise", {expiries});
  chain.style = file.values<SettlementStyle>("/settlement_style", {expiries});
  return chain;
}

template <class T>
void hand_over_column(const h5::FileReader& file, const std::string& path, std::size_t n, h5::ArchiveWriter& out) {
  const h5::FileReader::Shape shape = {h5::type_of<T>(), {n}, {}};
  for (std::size_t begin = 0; begin < n; begin += kSlice) {
    const std::size_t count = std::min(kSlice, n - begin);
    const std::vector<T> values = file.part<T>(path, shape, {begin}, {count});
    out.raw(values.data(), count * sizeof(T));
  }
}

/// Hands over columns [first, last), the positions only where the file has them.
void hand_over_columns(const h5::FileReader& file, std::size_t n, std::size_t first, std::size_t last,
                       h5::ArchiveWriter& out) {
  for (std::size_t k = first; k < last; ++k) {
    const auto [path, type] = kContractColumns[k];
    if (k == kPositionColumn && !file.has(path)) continue;
    if (type == h5::Type::kInt32) {
      hand_over_column<std::int32_t>(file, path, n, out);
    } else if (type == h5::Type::kInt8) {
      hand_over_column<std::int8_t>(file, path, n, out);
    } else {
      hand_over_column<double>(file, path, n, out);
    }
  }
}

template <class Archive, class Chain>
void transfer_index(Archive& archive, Chain& chain) {
  archive(chain.quote_time, chain.file_time, chain.open_interest_settle_date, chain.open_interest_knowledge_time,
          chain.source, chain.ticker, chain.spot, chain.contract_begin, chain.contract_count, chain.expiry_ticker,
          chain.root, chain.settlement, chain.exercise, chain.style);
}

void require(bool holds, const char* variable, std::size_t row, const char* rule) {
  if (!holds) throw h5::Error(std::string(variable) + "[" + std::to_string(row) + "] is wrong (" + rule + ")");
}

/// Thousandths of a strike, or 0 if it is no positive whole number of them.
std::int64_t thousandths(double strike) {
  constexpr double kMost = 1e12;
  if (!(strike > 0.0 && strike < kMost)) return 0;
  const auto whole = static_cast<std::int64_t>(std::llround(strike * 1000.0));
  return static_cast<double>(whole) / 1000.0 == strike ? whole : 0;
}

void validate_tickers(const OptionChain& chain, std::size_t of_file) {
  const auto contracts = static_cast<std::int64_t>(of_file);
  std::int64_t next = 0;
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    require(h5::is_symbol(chain.ticker[u]), "ticker", u, "empty, blank or not printable");
    require(u == 0 || chain.ticker[u - 1] < chain.ticker[u], "ticker", u, "not sorted");
    require(!std::isinf(chain.spot[u]), "spot", u, "infinite");
    require(chain.contract_begin[u] == next, "contract_begin", u, "not where the ticker before ends");
    require(chain.contract_count[u] >= 0 && chain.contract_count[u] <= contracts - next, "contract_count", u,
            "beyond the contracts of the file");
    next += chain.contract_count[u];
  }
  require(next == contracts, "contract_count", chain.tickers() - 1, "contracts are left over");
}

void validate_expiries(const OptionChain& chain) {
  for (std::size_t e = 0; e < chain.expiries(); ++e) {
    require(chain.expiry_ticker[e] >= 0 && static_cast<std::size_t>(chain.expiry_ticker[e]) < chain.tickers(),
            "expiry_ticker", e, "no such ticker");
    require(h5::is_symbol(chain.root[e]), "root", e, "empty, blank or not printable");
    require(h5::is_instant(chain.settlement[e]), "settlement", e, "not between the years 1970 and 9999");
    require(chain.exercise[e] == Exercise::kEuropean || chain.exercise[e] == Exercise::kAmerican, "exercise", e,
            "no such flag");
    require(chain.style[e] >= SettlementStyle::kUnknown && chain.style[e] <= SettlementStyle::kPm, "settlement_style",
            e, "no such flag");
    if (e == 0) continue;
    const auto key = [&](std::size_t row) {
      return std::tie(chain.expiry_ticker[row], chain.settlement[row], chain.root[row]);
    };
    require(key(e - 1) < key(e), "expiry", e, "not sorted by ticker, settlement, root");
  }
}

/// Of a whole chain or of successive tickers of one; rows are told as those of the whole.
void validate_contracts(const OptionChain& chain) {
  std::int64_t strike_before = 0;
  std::size_t u = 0;
  const std::size_t base = chain.tickers() == 0 ? 0 : static_cast<std::size_t>(chain.first_row(0));
  const auto require = [base](bool holds, const char* variable, std::size_t row, const char* rule) {
    if (!holds) greekgrid::require(false, variable, row + base, rule);
  };
  for (std::size_t i = 0; i < chain.contracts(); ++i) {
    const std::int32_t expiry = chain.contract_expiry[i];
    require(expiry >= 0 && static_cast<std::size_t>(expiry) < chain.expiries(), "contract_expiry", i, "no such expiry");
    while (static_cast<std::int64_t>(i) >= chain.contract_begin[u] + chain.contract_count[u]) ++u;
    require(static_cast<std::size_t>(chain.expiry_ticker[static_cast<std::size_t>(expiry)]) == u, "contract_expiry", i,
            "an expiry of another ticker");
    require(chain.right[i] == 1 || chain.right[i] == -1, "right", i, "neither +1 nor -1");
    const std::int64_t strike = thousandths(chain.strike[i]);
    require(strike > 0, "strike", i, "not positive or no whole thousandths");
    if (i > 0) {
      const std::int32_t before = chain.contract_expiry[i - 1];
      require(before < expiry ||
                  (before == expiry && std::tie(strike_before, chain.right[i - 1]) < std::tie(strike, chain.right[i])),
              "contract", i, "not sorted by expiry, strike, right");
    }
    strike_before = strike;
    require(chain.multiplier[i] > 0.0 && std::isfinite(chain.multiplier[i]), "multiplier", i, "not positive");
  }
  for (const auto& [name, column] : {std::pair{"bid", &chain.bid},
                                     {"ask", &chain.ask},
                                     {"last", &chain.last},
                                     {"volume", &chain.volume},
                                     {"open_interest", &chain.open_interest},
                                     {"vendor_iv", &chain.vendor_iv},
                                     {"vendor_delta", &chain.vendor_delta},
                                     {"vendor_gamma", &chain.vendor_gamma},
                                     {"dealer_position", &chain.dealer_position}}) {
    for (std::size_t i = 0; i < column->size(); ++i) require(!std::isinf((*column)[i]), name, i, "infinite");
  }
}

/// Lengths that belong together; true of what this program writes and of what the child checked.
void validate_index(const OptionChain& chain, std::size_t contracts) {
  const auto same = [](std::size_t length, std::initializer_list<std::size_t> others) {
    return std::all_of(others.begin(), others.end(), [&](std::size_t other) { return other == length; });
  };
  if (contracts == 0) throw h5::Error("holds no contract (nothing could be computed from it)");
  if (!same(chain.tickers(), {chain.spot.size(), chain.contract_begin.size(), chain.contract_count.size()}) ||
      !same(chain.expiries(),
            {chain.expiry_ticker.size(), chain.settlement.size(), chain.exercise.size(), chain.style.size()}) ||
      chain.tickers() == 0 || chain.expiries() == 0) {
    throw h5::Error("columns of one dimension have different lengths");
  }
  if (!h5::is_instant(chain.quote_time) || !h5::is_instant(chain.file_time)) {
    throw h5::Error("quote_time or file_time is wrong (not between the years 1970 and 9999)");
  }
  validate_tickers(chain, contracts);
  validate_expiries(chain);
}

/// Everything that OptionChain promises. Throws h5::Error.
void validate(const OptionChain& chain) {
  const std::size_t n = chain.contracts(), positions = chain.dealer_position.size();
  bool same = chain.contract_expiry.size() == n && chain.right.size() == n && (positions == 0 || positions == n);
  for (const auto column : kChainColumns) same = same && (chain.*column).size() == n;
  if (!same) throw h5::Error("columns of one dimension have different lengths");
  validate_index(chain, n);
  validate_contracts(chain);
}

}  // namespace

void write_chain_file(const OptionChain& chain, const std::filesystem::path& target) {
  try {
    validate(chain);
    PendingFile pending(target);
    {
      const h5::LibraryLock lock;
      h5::Handle file = h5::create_file(pending.path());
      {
        const h5::Handle root = h5::root_group(file);
        h5::write_root_attributes(root.get(), kSchema, "option chains of one quote instant", chain.quote_time,
                                  chain.file_time, chain.open_interest_settle_date, chain.open_interest_knowledge_time,
                                  chain.source);
        h5::write_attribute(root.get(), "tool_version", std::string(GREEKGRID_VERSION));
        h5::TableWriter table(root.get());
        write_variables(table, chain);
      }
      file.close("close the file");
    }
    pending.publish();
  } catch (const h5::Error& error) {
    throw OutputError(target.string() + ": cannot be written (" + error.what() + ")");
  }
}

std::string read_schema_name(const std::filesystem::path& path) {
  std::string name;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const h5::FileReader reader(file, file_size);
        if (!reader.has_attribute("/", "schema"))
          throw h5::Error("is no file of this program (it has no schema attribute)");
        out(reader.text_attribute("/", "schema"));
      },
      [&](h5::ArchiveReader& in) { in(name); });
  return name;
}

Instant read_quote_time(const std::filesystem::path& path) {
  Instant quote_time = 0;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const h5::FileReader reader(file, file_size);
        reader.require_schema(kSchema);
        const std::string text = reader.text_attribute("/", "quote_time");
        const std::optional<Instant> read = h5::instant_from_iso(text);
        if (!read) throw h5::Error("attribute quote_time is no instant (\"" + text + "\" is not ISO 8601 with a zone)");
        out(*read);
      },
      [&](h5::ArchiveReader& in) { in(quote_time); });
  return quote_time;
}

struct ChainStore::Impl {
  OptionChain index;
  std::size_t contracts = 0;
  bool has_positions = false;
  std::vector<h5::Spool> spool;
  struct Place {
    std::size_t spool;
    std::uint64_t begin;
  };
  std::vector<Place> column;              // of kContractColumns
  std::vector<std::size_t> expiry_begin;  // (U + 1)
  std::string digest;

  Impl(const std::filesystem::path& directory, std::size_t spools) {
    for (std::size_t k = 0; k < spools; ++k) spool.emplace_back(directory);
  }

  std::size_t columns() const { return kContractColumns.size() - (has_positions ? 0 : 1); }

  /// The next columns to `last` lie in a spool from `begin` on.
  void place_columns(std::size_t which, std::uint64_t begin, std::size_t last) {
    for (std::size_t k = column.size(); k < std::min(last, columns()); ++k) {
      column.push_back({which, begin});
      begin += contracts * h5::size_of(kContractColumns[k].type);
    }
  }

  void count_expiries() {
    expiry_begin.assign(1, 0);
    for (std::size_t u = 0, e = 0; u < index.tickers(); ++u) {
      while (e < index.expiries() && index.expiry_ticker[e] == static_cast<std::int32_t>(u)) ++e;
      expiry_begin.push_back(e);
    }
  }

  template <class T>
  void append(std::size_t which, std::size_t begin, std::size_t count, std::vector<T>& to) const {
    const std::size_t before = to.size();
    to.resize(before + count);
    spool[column[which].spool].read(column[which].begin + begin * sizeof(T), to.data() + before, count * sizeof(T));
  }

  OptionChain read(std::span<const std::size_t> tickers) const {
    OptionChain part;
    part.quote_time = index.quote_time;
    part.file_time = index.file_time;
    part.open_interest_settle_date = index.open_interest_settle_date;
    part.open_interest_knowledge_time = index.open_interest_knowledge_time;
    part.source = index.source;
    std::vector<std::int64_t> shift;  // of the numbers of expiries
    std::int64_t rows = 0;
    for (const std::size_t u : tickers) {
      shift.push_back(static_cast<std::int64_t>(part.expiries()) - static_cast<std::int64_t>(expiry_begin[u]));
      const auto number = static_cast<std::int32_t>(part.tickers());
      part.whole_ticker.push_back(u);
      part.whole_contract.push_back(index.contract_begin[u]);
      part.ticker.push_back(index.ticker[u]);
      part.spot.push_back(index.spot[u]);
      part.contract_begin.push_back(rows);
      rows += index.contract_count[u];
      part.contract_count.push_back(index.contract_count[u]);
      for (std::size_t e = expiry_begin[u]; e < expiry_begin[u + 1]; ++e) {
        part.expiry_ticker.push_back(number);
        part.root.push_back(index.root[e]);
        part.settlement.push_back(index.settlement[e]);
        part.exercise.push_back(index.exercise[e]);
        part.style.push_back(index.style[e]);
      }
    }
    // Tickers that lie behind one another are read as one.
    for (std::size_t k = 0; k < tickers.size();) {
      const auto begin = static_cast<std::size_t>(index.contract_begin[tickers[k]]);
      std::size_t count = 0;
      for (const std::size_t first = tickers[k], from = k; k < tickers.size() && tickers[k] - first == k - from; ++k) {
        count += static_cast<std::size_t>(index.contract_count[tickers[k]]);
      }
      append(kExpiryColumn, begin, count, part.contract_expiry);
      append(kRightColumn, begin, count, part.right);
      append(kStrikeColumn, begin, count, part.strike);
      for (std::size_t c = 0; c < kChainColumns.size(); ++c) {
        append(kFirstColumn + c, begin, count, part.*kChainColumns[c]);
      }
      if (has_positions) append(kPositionColumn, begin, count, part.dealer_position);
    }
    for (std::size_t k = 0; k < tickers.size(); ++k) {
      const auto first = part.contract_expiry.begin() + part.contract_begin[k];
      std::transform(first, first + part.contract_count[k], first,
                     [&, k](std::int32_t expiry) { return static_cast<std::int32_t>(expiry + shift[k]); });
    }
    part.rows_in = static_cast<std::int64_t>(part.contracts());
    return part;
  }

  /// Looks at every contract once, a part at a time. Throws h5::Error.
  void check() {
    h5::ContentHash hash;
    const auto add = [&hash](const void* data, std::size_t size) { hash.add(data, size); };
    std::string text;
    h5::ArchiveWriter archive(text);
    std::swap(index.source, unhashed_);
    transfer_index(archive, std::as_const(index));
    std::swap(index.source, unhashed_);
    add(text.data(), text.size());
    for (std::size_t u = 0; u < index.tickers();) {
      std::vector<std::size_t> tickers;
      std::int64_t rows = 0;
      for (; u < index.tickers() && (tickers.empty() || rows + index.contract_count[u] <= kPart); ++u) {
        rows += index.contract_count[u];
        tickers.push_back(u);
      }
      const OptionChain part = read(tickers);
      validate_contracts(part);
      add(part.contract_expiry.data(), part.contract_expiry.size() * sizeof(std::int32_t));
      add(part.right.data(), part.right.size());
      add(part.strike.data(), part.strike.size() * sizeof(double));
      for (const auto values : kChainColumns) add((part.*values).data(), (part.*values).size() * sizeof(double));
      add(part.dealer_position.data(), part.dealer_position.size() * sizeof(double));
    }
    digest = hash.hex();
  }

 private:
  static constexpr std::int64_t kPart = 1 << 18;
  std::vector<ChainSource> unhashed_;
};

ChainStore::ChainStore(const std::filesystem::path& path, const std::filesystem::path& directory) {
  std::error_code unknown;  // why is told by what opens it
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  const std::size_t each = !unknown && size > kLargeFile ? kColumnsOfOne : kContractColumns.size();
  std::vector<h5::ReadFunction> reads;
  for (std::size_t first = 0; first < kContractColumns.size(); first += each) {
    reads.emplace_back([first, each](hid_t opened, std::uint64_t file_size, h5::ArchiveWriter& out) {
      const h5::FileReader file(opened, file_size);
      std::size_t n = 0;
      if (first == 0) {
        const OptionChain index = read_index(file);
        transfer_index(out, index);
        n = file.length("/contract");
        out(std::uint64_t{n}, static_cast<std::int8_t>(file.has(kContractColumns[kPositionColumn].path)));
      } else {
        file.require_schema(kSchema);
        n = file.length("/contract");
      }
      hand_over_columns(file, n, first, std::min(first + each, kContractColumns.size()), out);
    });
  }
  impl_ = std::make_unique<Impl>(directory, reads.size());
  h5::read_in_children(path, impl_->spool, reads, [&](std::span<h5::ArchiveReader> in) {
    transfer_index(in.front(), impl_->index);
    std::uint64_t n = 0;
    std::int8_t has_positions = 0;
    in.front()(n, has_positions);
    impl_->contracts = n;
    impl_->has_positions = has_positions != 0;
    for (std::size_t k = 0; k < in.size(); ++k) {
      // Bytes of a contract first: what the file says of their number may be anything.
      std::size_t row = 0;
      const std::size_t last = std::min((k + 1) * each, impl_->columns());
      for (std::size_t c = k * each; c < last; ++c) row += h5::size_of(kContractColumns[c].type);
      const std::size_t left = in[k].left();
      if (row == 0 ? left > 0 : n != left / row || left % row != 0) throw h5::Error("what was read is incomplete");
      // The last byte of the spool is the child's farewell.
      impl_->place_columns(k, impl_->spool[k].size() - 1 - left, last);
    }
    validate_index(impl_->index, n);
    impl_->count_expiries();
    impl_->check();
  });
}

ChainStore::ChainStore(OptionChain chain, const std::filesystem::path& directory)
    : impl_(std::make_unique<Impl>(directory, 1)) {
  try {
    validate(chain);
    impl_->contracts = chain.contracts();
    impl_->has_positions = !chain.dealer_position.empty();
    const auto keep = [this](auto& column) {
      impl_->spool.front().append(column.data(), column.size() * sizeof(column[0]));
      column = {};
    };
    keep(chain.contract_expiry);
    keep(chain.right);
    keep(chain.strike);
    for (const auto column : kChainColumns) keep(chain.*column);
    if (impl_->has_positions) keep(chain.dealer_position);
    impl_->index = std::move(chain);
    impl_->place_columns(0, 0, impl_->columns());
    impl_->count_expiries();
    impl_->check();
  } catch (const h5::Error& error) {
    throw InputError(std::string("the chain cannot be used (") + error.what() + ")");
  }
}

ChainStore::~ChainStore() = default;
ChainStore::ChainStore(ChainStore&&) noexcept = default;
ChainStore& ChainStore::operator=(ChainStore&&) noexcept = default;

const OptionChain& ChainStore::index() const {
  return impl_->index;
}
std::int64_t ChainStore::contracts() const {
  return static_cast<std::int64_t>(impl_->contracts);
}
bool ChainStore::has_dealer_position() const {
  return impl_->has_positions;
}
const std::string& ChainStore::digest() const {
  return impl_->digest;
}
OptionChain ChainStore::read(std::span<const std::size_t> tickers) const {
  return impl_->read(tickers);
}
OptionChain ChainStore::read() const {
  std::vector<std::size_t> all(impl_->index.tickers());
  std::iota(all.begin(), all.end(), std::size_t{0});
  OptionChain whole = impl_->read(all);
  whole.whole_ticker.clear();
  whole.whole_contract.clear();
  return whole;
}

OptionChain read_chain_file(const std::filesystem::path& path) {
  return ChainStore(path).read();
}

}  // namespace greekgrid

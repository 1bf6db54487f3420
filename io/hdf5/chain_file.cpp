#include "greekgrid/io/chain_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <tuple>

#include "archive.hpp"
#include "child_reader.hpp"
#include "file_reader.hpp"
#include "greekgrid/io/publish.hpp"
#include "shared_values.hpp"
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

OptionChain read_variables(const h5::FileReader& file) {
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
  const std::size_t contracts = file.length("/contract");
  chain.ticker = file.strings("/ticker", tickers);
  chain.spot = file.values<double>("/spot", {tickers});
  chain.contract_begin = file.values<std::int64_t>("/contract_begin", {tickers});
  chain.contract_count = file.values<std::int64_t>("/contract_count", {tickers});
  chain.expiry_ticker = file.values<std::int32_t>("/expiry_ticker", {expiries});
  chain.root = file.strings("/root", expiries);
  chain.settlement = file.values<Instant>("/settlement", {expiries});
  chain.exercise = file.values<Exercise>("/exercise", {expiries});
  chain.style = file.values<SettlementStyle>("/settlement_style", {expiries});
  chain.contract_expiry = file.values<std::int32_t>("/contract_expiry", {contracts});
  chain.right = file.values<std::int8_t>("/right", {contracts});
  for (const auto& [name, member] : {std::pair{"/strike", &chain.strike},
                                     {"/multiplier", &chain.multiplier},
                                     {"/bid", &chain.bid},
                                     {"/ask", &chain.ask},
                                     {"/last", &chain.last},
                                     {"/volume", &chain.volume},
                                     {"/open_interest", &chain.open_interest},
                                     {"/vendor_iv", &chain.vendor_iv},
                                     {"/vendor_delta", &chain.vendor_delta},
                                     {"/vendor_gamma", &chain.vendor_gamma}}) {
    *member = file.values<double>(name, {contracts});
  }
  if (file.has("/dealer_position")) chain.dealer_position = file.values<double>("/dealer_position", {contracts});
  return chain;
}

template <class Archive, class Chain>
void transfer_chain(Archive& archive, Chain& chain) {
  archive(chain.quote_time, chain.file_time, chain.open_interest_settle_date, chain.open_interest_knowledge_time,
          chain.source, chain.ticker, chain.spot, chain.contract_begin, chain.contract_count, chain.expiry_ticker,
          chain.root, chain.settlement, chain.exercise, chain.style, chain.contract_expiry, chain.strike, chain.right,
          chain.multiplier, chain.bid, chain.ask, chain.last, chain.volume, chain.open_interest, chain.vendor_iv,
          chain.vendor_delta, chain.vendor_gamma, chain.dealer_position);
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

void validate_tickers(const OptionChain& chain) {
  const auto contracts = static_cast<std::int64_t>(chain.contracts());
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

void validate_contracts(const OptionChain& chain) {
  std::int64_t strike_before = 0;
  std::size_t u = 0;
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
void validate_shape(const OptionChain& chain) {
  const auto same = [](std::size_t length, std::initializer_list<std::size_t> others) {
    return std::all_of(others.begin(), others.end(), [&](std::size_t other) { return other == length; });
  };
  const std::size_t n = chain.contracts(), positions = chain.dealer_position.size();
  if (n == 0) throw h5::Error("holds no contract (nothing could be computed from it)");
  if (!same(chain.tickers(), {chain.spot.size(), chain.contract_begin.size(), chain.contract_count.size()}) ||
      !same(chain.expiries(),
            {chain.expiry_ticker.size(), chain.settlement.size(), chain.exercise.size(), chain.style.size()}) ||
      !same(n, {chain.contract_expiry.size(), chain.right.size(), chain.multiplier.size(), chain.bid.size(),
                chain.ask.size(), chain.last.size(), chain.volume.size(), chain.open_interest.size(),
                chain.vendor_iv.size(), chain.vendor_delta.size(), chain.vendor_gamma.size()}) ||
      (positions != 0 && positions != n) || chain.tickers() == 0 || chain.expiries() == 0) {
    throw h5::Error("columns of one dimension have different lengths");
  }
}

/// Everything that OptionChain promises. Throws h5::Error.
void validate(const OptionChain& chain) {
  validate_shape(chain);
  if (!h5::is_instant(chain.quote_time) || !h5::is_instant(chain.file_time)) {
    throw h5::Error("quote_time or file_time is wrong (not between the years 1970 and 9999)");
  }
  validate_tickers(chain);
  validate_expiries(chain);
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

OptionChain read_chain_file(const std::filesystem::path& path) {
  OptionChain chain;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const OptionChain read = read_variables(h5::FileReader(file, file_size));
        transfer_chain(out, read);
      },
      [&](h5::ArchiveReader& in) {
        transfer_chain(in, chain);
        validate(chain);
      });
  chain.rows_in = static_cast<std::int64_t>(chain.contracts());
  return chain;
}

}  // namespace greekgrid

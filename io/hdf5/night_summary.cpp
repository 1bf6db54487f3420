#include <algorithm>
#include <cmath>
#include <limits>

#include "archive.hpp"
#include "child_reader.hpp"
#include "file_reader.hpp"
#include "greekgrid/io/night_file.hpp"
#include "night_schema.hpp"
#include "shared_values.hpp"

namespace greekgrid {
namespace {

/// What the child hands over: the summary with the surfaces by name and the enumerations as numbers, because neither is
/// trusted before it is looked at.
struct HandedOver {
  NightSummary summary;
  std::vector<std::string> surface;
};

std::size_t rows_of(const h5::FileReader& file, const std::string& group, const std::string& dim) {
  if (!file.has(group)) throw h5::Error("group " + group + " is missing (the file is not whole)");
  if (file.has_attribute(group, "rows")) return 0;
  return file.length(group + "/" + dim);
}

NightHeader read_header(const h5::FileReader& file, std::vector<std::string>& surface) {
  NightHeader header;
  header.title = file.text_attribute("/", "title");
  const std::optional<Instant> quote = h5::instant_from_iso(file.text_attribute("/", "quote_time"));
  const std::optional<Instant> stamp = h5::instant_from_iso(file.text_attribute("/", "file_time"));
  if (!quote || !stamp) throw h5::Error("quote_time or file_time is no instant (ISO 8601 with a zone)");
  header.quote_time = *quote;
  header.file_time = *stamp;
  header.open_interest_settle_date = file.text_attribute("/", "open_interest_settle_date");
  header.open_interest_knowledge_time = file.text_attribute("/", "open_interest_knowledge_time");
  header.source = h5::read_sources(file);

  const std::size_t tickers = file.length("/ticker"), rules = file.length("/iv_rule");
  header.ticker = file.strings("/ticker", tickers);
  header.spot_reference = file.values<double>("/spot_reference", {tickers});
  header.spot_basis = file.values<double>("/spot_basis", {tickers});
  header.spot_scale = file.values<double>("/spot_scale", {tickers});
  header.position = file.strings("/position", file.length("/position"));
  header.iv_rule = file.strings("/iv_rule", rules);
  header.iv_rule_parameter = file.values<double>("/iv_rule_parameter", {rules});
  header.time = file.values<Instant>("/time", {file.length("/time")});
  header.time_axis = file.text_attribute("/time", "time_axis");
  header.iv_shift = file.values<double>("/iv_shift", {file.length("/iv_shift")});
  header.iv_shift_term = file.text_attribute("/iv_shift", "iv_shift_term");
  header.iv_floor = file.number_attribute("/iv_shift", "iv_floor");
  if (file.has_attribute("/iv_shift", "iv_shift_term_cap")) {
    header.iv_shift_term_cap = file.number_attribute("/iv_shift", "iv_shift_term_cap");
  }
  header.spot_step = file.values<double>("/spot_step", {file.length("/spot_step")});
  header.spot_axis = file.text_attribute("/spot_step", "spot_axis");

  for (const h5::GreekText& text : h5::kGreekText) surface.emplace_back(text.surface);
  surface.emplace_back(h5::kDeltaChange);
  std::erase_if(surface, [&](const std::string& name) { return !file.has("/" + name); });
  if (surface.empty()) throw h5::Error("there is no surface (the file is not whole)");
  if (file.has_attribute("/" + surface.front(), h5::kKeptBits)) {
    header.keep_bits = static_cast<int>(file.number_attribute("/" + surface.front(), h5::kKeptBits));
  }
  return header;
}

// A level that an older file lacks is null, as is one whose own column is there but whose reason is not.
std::vector<LevelRow> read_levels(const h5::FileReader& file) {
  const std::size_t rows = rows_of(file, "/levels", "row");
  std::vector<LevelRow> levels(rows);
  if (rows == 0) return levels;
  const auto ticker = file.strings("/levels/ticker", rows), position = file.strings("/levels/position", rows);
  for (std::size_t row = 0; row < rows; ++row) {
    levels[row].ticker = ticker[row];
    levels[row].position = position[row];
  }
  for (std::size_t k = 0; k < kLevelCount; ++k) {
    const LevelText& text = kLevelTexts[k];
    const std::string path = "/levels/" + std::string(text.name);
    const std::string reason = "/levels/" + std::string(kLevelTexts[index(text.status_of)].name) + "_status";
    if (!file.has(path) || !file.has(reason)) continue;
    const auto value = file.values<double>(path, {rows});
    const auto status = file.values<LevelStatus>(reason, {rows});
    for (std::size_t row = 0; row < rows; ++row) levels[row].level[k] = {value[row], status[row]};
  }
  return levels;
}

std::vector<CrossingRow> read_crossings(const h5::FileReader& file) {
  const std::size_t rows = rows_of(file, "/crossing", "row");
  std::vector<CrossingRow> crossings(rows);
  if (rows == 0) return crossings;
  const auto ticker = file.strings("/crossing/ticker", rows), position = file.strings("/crossing/position", rows);
  const auto kind = file.values<CrossingKind>("/crossing/kind", {rows});
  const auto price = file.values<double>("/crossing/price", {rows});
  const auto slope = file.values<double>("/crossing/slope", {rows});
  const auto prominence = file.values<double>("/crossing/prominence", {rows});
  for (std::size_t row = 0; row < rows; ++row) {
    crossings[row] = {ticker[row], position[row], kind[row], price[row], slope[row], prominence[row]};
  }
  return crossings;
}

std::vector<TickerQuality> read_quality(const h5::FileReader& file) {
  const std::size_t rows = rows_of(file, "/quality", "ticker");
  std::vector<TickerQuality> quality(rows);
  if (rows == 0) return quality;
  const auto ticker = file.strings("/quality/ticker", rows);
  const auto status = file.values<TickerStatus>("/quality/status", {rows});
  const auto spot_source = file.values<SpotSource>("/quality/spot_source", {rows});
  for (std::size_t row = 0; row < rows; ++row) {
    quality[row].ticker = ticker[row];
    quality[row].status = status[row];
    quality[row].spot_source = spot_source[row];
  }
  for (const auto& [name, member] : {std::pair{"contracts", &TickerQuality::contracts},
                                     {"rows_in", &TickerQuality::rows_in},
                                     {"rows_expired", &TickerQuality::rows_expired},
                                     {"rows_refused", &TickerQuality::rows_refused},
                                     {"clipped_cells", &TickerQuality::clipped_cells}}) {
    const auto column = file.values<std::int64_t>(std::string("/quality/") + name, {rows});
    for (std::size_t row = 0; row < rows; ++row) quality[row].*member = column[row];
  }
  for (const auto& [name, member] : {std::pair{"coverage", &TickerQuality::coverage},
                                     {"own_iv_share", &TickerQuality::own_iv_share},
                                     {"supported_iv_share", &TickerQuality::supported_iv_share},
                                     {"filled_iv_share", &TickerQuality::filled_iv_share},
                                     {"expired_share", &TickerQuality::expired_share},
                                     {"parity_residual", &TickerQuality::parity_residual},
                                     {"arbitrage_score", &TickerQuality::arbitrage_score},
                                     {"spread", &TickerQuality::spread},
                                     {"spot_basis_bp", &TickerQuality::spot_basis_bp}}) {
    const auto column = file.values<double>(std::string("/quality/") + name, {rows});
    for (std::size_t row = 0; row < rows; ++row) quality[row].*member = column[row];
  }
  return quality;
}

HandedOver read_summary(const h5::FileReader& file) {
  file.require_schema(h5::kNightSchema);
  HandedOver out;
  NightSummary& summary = out.summary;
  summary.header = read_header(file, out.surface);
  summary.level = read_levels(file);
  summary.crossing = read_crossings(file);
  summary.quality = read_quality(file);
  summary.contracts = static_cast<std::int64_t>(rows_of(file, "/contract", "contract"));
  summary.expiries = static_cast<std::int64_t>(rows_of(file, "/expiry", "expiry"));
  if (file.has_attribute("/predictors", "session")) {
    const auto session = h5::instant_from_iso(file.text_attribute("/predictors", "session") + "T00:00:00Z");
    if (!session) throw h5::Error("attribute session of /predictors is no date");
    summary.session = *session;
  }
  if (!file.has("/run")) throw h5::Error("group /run is missing (the file is not whole)");
  for (const std::string& name : file.text_attribute_names("/run")) {
    summary.run[name] = file.text_attribute("/run", name);
  }
  summary.warnings = file.list_attribute("/run", "warnings");
  return out;
}

/// What the child hands over is checked for what an array index or a table of names depends on.
void validate(const NightSummary& summary) {
  const NightHeader& header = summary.header;
  const std::size_t tickers = header.ticker.size();
  if (tickers == 0 || header.spot_reference.size() != tickers || header.spot_basis.size() != tickers ||
      header.spot_scale.size() != tickers || header.iv_rule_parameter.size() != header.iv_rule.size() ||
      header.time.empty() || header.iv_shift.empty() || header.spot_step.empty()) {
    throw h5::Error("coordinates and their columns have different lengths (the file is damaged)");
  }
  for (const std::string& ticker : header.ticker) {
    if (!h5::is_symbol(ticker)) throw h5::Error("a ticker is empty, blank or not printable (the file is damaged)");
  }
  for (std::size_t u = 0; u < tickers; ++u) {
    if (!(header.spot_reference[u] > 0.0 && header.spot_reference[u] < 1e12) ||
        !(std::abs(header.spot_basis[u]) < 10.0)) {
      throw h5::Error("spot_reference or spot_basis of " + header.ticker[u] + " is no price (the file is damaged)");
    }
  }
  if (header.keep_bits < 0 || header.keep_bits > 23) throw h5::Error("a surface keeps an impossible number of bits");
  for (const Instant instant : header.time) {
    if (!h5::is_instant(instant)) throw h5::Error("a time lies outside the years 1970 to 9999 (the file is damaged)");
  }
  for (const LevelRow& row : summary.level) {
    for (const Level& level : row.level) {
      const int status = static_cast<int>(level.status);
      if (status < 0 || status >= kLevelStatusCount) {
        throw h5::Error("a level of " + row.ticker + " has an unknown status (the file is damaged)");
      }
      if (std::isfinite(level.value) != level.ok()) {
        throw h5::Error("a level of " + row.ticker +
                        " has a value without being ok, or none though it is (the file is damaged)");
      }
    }
  }
  for (const CrossingRow& row : summary.crossing) {
    if (row.kind != CrossingKind::kZeroGamma && row.kind != CrossingKind::kFlip) {
      throw h5::Error("a crossing of " + row.ticker + " is of an unknown kind (the file is damaged)");
    }
    if (!(row.price > 0.0) || !std::isfinite(row.price) || !std::isfinite(row.slope) ||
        !std::isfinite(row.prominence)) {
      throw h5::Error("a crossing of " + row.ticker + " is no price (the file is damaged)");
    }
  }
  for (const TickerQuality& row : summary.quality) {
    const int status = static_cast<int>(row.status);
    const int spot_source = static_cast<int>(row.spot_source);
    if (status < 0 || status >= h5::kTickerStatusCount || spot_source < 0 || spot_source >= h5::kSpotSourceCount) {
      throw h5::Error("the quality of " + row.ticker + " has an unknown status (the file is damaged)");
    }
  }
}

/// Names are printed as they are, on terminals too.
void make_plain(NightSummary& summary) {
  NightHeader& header = summary.header;
  for (std::vector<std::string>* names : {&header.position, &header.iv_rule, &summary.warnings}) {
    for (std::string& name : *names) h5::make_plain(name);
  }
  for (LevelRow& row : summary.level) {
    h5::make_plain(row.ticker);
    h5::make_plain(row.position);
  }
  for (CrossingRow& row : summary.crossing) {
    h5::make_plain(row.ticker);
    h5::make_plain(row.position);
  }
  for (TickerQuality& row : summary.quality) h5::make_plain(row.ticker);
}

template <class Archive, class Out>
void transfer_summary(Archive& archive, Out& out) {
  auto& header = out.summary.header;
  archive(out.surface, header.title, header.quote_time, header.file_time, header.open_interest_settle_date,
          header.open_interest_knowledge_time, header.source, header.ticker, header.spot_reference, header.spot_basis,
          header.spot_scale, header.position, header.iv_rule, header.iv_rule_parameter, header.time, header.time_axis,
          header.iv_shift, header.iv_shift_term, header.iv_shift_term_cap, header.iv_floor, header.spot_step,
          header.spot_axis, header.keep_bits);
  archive(out.summary.level, out.summary.crossing, out.summary.quality, out.summary.contracts, out.summary.expiries,
          out.summary.session, out.summary.warnings);
}

template <class Archive, class Row>
void transfer_level(Archive& archive, Row& row) {
  archive(row.ticker, row.position);
  for (auto& level : row.level) archive(level.value, level.status);
}

template <class Archive, class Row>
void transfer_crossing(Archive& archive, Row& row) {
  archive(row.ticker, row.position, row.kind, row.price, row.slope, row.prominence);
}

template <class Archive, class Row>
void transfer_quality(Archive& archive, Row& row) {
  archive(row.ticker, row.status, row.contracts, row.rows_in, row.rows_expired, row.rows_refused, row.coverage,
          row.own_iv_share, row.supported_iv_share, row.filled_iv_share, row.expired_share, row.parity_residual,
          row.arbitrage_score, row.spread, row.spot_basis_bp, row.spot_source, row.clipped_cells);
}

}  // namespace

// Where the archives look for them: in the namespace of the types.
template <class Archive>
void transfer(Archive& archive, LevelRow& row) {
  transfer_level(archive, row);
}
template <class Archive>
void transfer(Archive& archive, const LevelRow& row) {
  transfer_level(archive, row);
}
template <class Archive>
void transfer(Archive& archive, CrossingRow& row) {
  transfer_crossing(archive, row);
}
template <class Archive>
void transfer(Archive& archive, const CrossingRow& row) {
  transfer_crossing(archive, row);
}
template <class Archive>
void transfer(Archive& archive, TickerQuality& row) {
  transfer_quality(archive, row);
}
template <class Archive>
void transfer(Archive& archive, const TickerQuality& row) {
  transfer_quality(archive, row);
}

NightSummary read_night_summary(const std::filesystem::path& path) {
  HandedOver result;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const HandedOver read = read_summary(h5::FileReader(file, file_size));
        transfer_summary(out, read);
        std::vector<std::string> run;
        for (const auto& [name, text] : read.summary.run) run.insert(run.end(), {name, text});
        out(run);
      },
      [&](h5::ArchiveReader& in) {
        transfer_summary(in, result);
        std::vector<std::string> run;
        in(run);
        for (std::size_t i = 0; i + 1 < run.size(); i += 2) result.summary.run[run[i]] = run[i + 1];
        for (const std::string& name : result.surface) {
          for (const Greek greek : kAllGreeks) {
            if (name == h5::kGreekText[static_cast<std::size_t>(greek)].surface)
              result.summary.header.greeks.insert(greek);
          }
          if (name == h5::kDeltaChange) result.summary.header.delta_change = true;
        }
        make_plain(result.summary);
        validate(result.summary);
      });
  return result.summary;
}

}  // namespace greekgrid

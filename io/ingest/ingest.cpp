#include "greekgrid/io/ingest.hpp"

#include "vendor_formats.hpp"

namespace greekgrid {
namespace ingest_detail {
namespace {

constexpr std::size_t kHeadBytes = std::size_t{64} << 10;

void drop_byte_order_mark(std::string& text) {
  if (text.compare(0, 3, "\xef\xbb\xbf") == 0) text.erase(0, 3);
}

SourceRows parse_source(SourceText source, const Calendar& calendar, const IngestOptions& options) {
  std::string head;
  source.read(head, kHeadBytes);
  if (head.empty())
    throw InputError(source.label() + ": the text is empty (0 bytes after decompression) fetch it again");
  drop_byte_order_mark(head);
  const Format format = options.format == Format::kAuto ? detect_format(head, source.label()) : options.format;
  SourceRows rows;
  switch (format) {
    case Format::kCboeCsv:
      rows = parse_cboe_csv(std::move(head), source, calendar);
      break;
    case Format::kCboeJson:
      rows = parse_cboe_json(std::move(head), source, calendar);
      break;
    case Format::kAuto:
    case Format::kLongCsv:
      rows = parse_long_csv(std::move(head), source, calendar);
      break;
  }
  rows.name = source.name();
  rows.label = source.label();
  rows.sha256 = source.sha256();
  return rows;
}

}  // namespace

Format detect_format(const std::string& head, const std::string& name) {
  constexpr std::string_view hdf5_signature{"\x89HDF\r\n\x1a\n", 8};
  if (head.compare(0, hdf5_signature.size(), hdf5_signature) == 0) {
    throw InputError(name + ": an HDF5 file (vendor files are text) use it where a chains.h5 is asked for");
  }
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && head[first] == '{') return Format::kCboeJson;
  std::string_view rest = head;
  std::string_view line;
  std::vector<std::string_view> fields;
  std::string unquoted;
  for (int i = 0; i < 12 && next_line(rest, line); ++i) {
    if (!split_fields(line, fields, unquoted)) continue;
    if (is_cboe_header(fields)) return Format::kCboeCsv;
    if (i == 0 && is_long_header(fields)) return Format::kLongCsv;
  }
  rest = head;
  next_line(rest, line);
  throw InputError(name + ": unknown format (it begins with '" + shown(line.substr(0, 60)) +
                   "') name it with --format auto|cboe-csv|cboe-json|long-csv");
}

}  // namespace ingest_detail

std::optional<Format> format_from_name(std::string_view name) {
  if (name == "auto") return Format::kAuto;
  if (name == "cboe-csv") return Format::kCboeCsv;
  if (name == "cboe-json") return Format::kCboeJson;
  if (name == "long-csv") return Format::kLongCsv;
  return std::nullopt;
}

OptionChain ingest(std::span<const std::filesystem::path> files, const Calendar& calendar,
                   const IngestOptions& options) {
  if (files.empty()) throw InputError("input: no file named (ingest needs at least one) name a vendor file");
  std::vector<ingest_detail::SourceRows> sources;
  for (const std::filesystem::path& file : files) {
    sources.push_back(ingest_detail::parse_source(ingest_detail::SourceText::from_file(file), calendar, options));
  }
  return ingest_detail::build_chain(std::move(sources), calendar, options);
}

OptionChain ingest_bytes(std::string_view bytes, std::string_view name, const Calendar& calendar,
                         const IngestOptions& options) {
  std::vector<ingest_detail::SourceRows> sources;
  sources.push_back(
      ingest_detail::parse_source(ingest_detail::SourceText::from_memory(bytes, std::string(name)), calendar, options));
  return ingest_detail::build_chain(std::move(sources), calendar, options);
}

}  // namespace greekgrid

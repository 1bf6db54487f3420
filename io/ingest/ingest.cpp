#include "greekgrid/io/ingest.hpp"

#include <algorithm>
#include <set>

#include "sources.hpp"
#include "vendor_formats.hpp"

namespace greekgrid {
namespace ingest_detail {
namespace {

constexpr std::size_t kHeadBytes = std::size_t{64} << 10;
constexpr std::string_view kCboeCsv = "cboe-csv", kCboeJson = "cboe-json", kOcc = "occ-oi";

void drop_byte_order_mark(std::string& text) {
  if (text.compare(0, 3, "\xef\xbb\xbf") == 0) text.erase(0, 3);
}

/// How a source is to be read: by one of the readers of their own, or by a profile.
struct Reading {
  std::string_view reader;
  const Profile* profile = nullptr;
};

/// A word of the clearing house's JSON stands before any of CBOE's, or the other way round.
std::string_view json_reader(const std::string& head) {
  const auto first = [&head](std::initializer_list<const char*> words) {
    std::size_t at = std::string::npos;
    for (const char* word : words) at = std::min(at, head.find(word));
    return at;
  };
  return first({"\"days\"", "\"by_expiration\"", "\"pull_dates\""}) < first({"\"data\"", "\"options\""}) ? kOcc
                                                                                                         : kCboeJson;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "'" : ", '") + word + "'";
  return text;
}

/// The built-in profile that the header fits; the one that asks for most columns if there are several.
Reading detect(const std::string& head, const std::string& name) {
  constexpr std::string_view hdf5_signature{"\x89HDF\r\n\x1a\n", 8};
  if (head.compare(0, hdf5_signature.size(), hdf5_signature) == 0) {
    throw InputError(name + ": an HDF5 file (vendor files are text) use it where a chains.h5 is asked for");
  }
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && head[first] == '{') return {json_reader(head), nullptr};
  std::string_view rest = head;
  std::string_view line;
  std::vector<std::string_view> fields;
  std::string unquoted;
  for (int i = 0; i < 12 && next_line(rest, line); ++i) {
    if (split_fields(line, fields, unquoted) && is_cboe_header(fields)) return {kCboeCsv, nullptr};
  }
  rest = head;
  next_line(rest, line);
  const Profile* best = nullptr;
  const Profile* rival = nullptr;
  const Profile* nearest = nullptr;
  double nearest_share = 0.0;
  std::vector<std::string> lacking;
  for (const Profile& profile : built_in_profiles()) {
    const HeaderMatch match = match_header(profile, head);
    const std::size_t asked = profile.match.size();
    if (match.lacking.empty()) {
      if (best == nullptr || asked > best->match.size()) {
        best = &profile;
        rival = nullptr;
      } else if (asked == best->match.size()) {
        rival = &profile;
      }
    } else if (const double share = static_cast<double>(match.found) / static_cast<double>(asked);
               share > nearest_share) {
      nearest = &profile;
      nearest_share = share;
      lacking = match.lacking;
    }
  }
  if (rival != nullptr) {
    throw InputError(name + ":1: the header fits two formats (" + best->format + ", " + best->title + ", and " +
                     rival->format + ", " + rival->title + ") name one with --format");
  }
  if (best != nullptr) return {{}, best};
  std::string why = "it begins with '" + shown(line.substr(0, 60)) + "'";
  if (nearest != nullptr) why += "; the nearest is " + nearest->format + ", which has " + quoted_list(lacking) + " too";
  throw InputError(name + ": unknown format (" + why + ") name it with --format, or describe it with --profile");
}

/// The layout of a named format that the header fits best; what it lacks is reported when its columns are looked up.
Reading named(const std::string& format, const std::string& head) {
  if (format == kCboeCsv) return {kCboeCsv, nullptr};
  if (format == kCboeJson) return {kCboeJson, nullptr};
  if (format == kOcc) return {kOcc, nullptr};
  const Profile* best = nullptr;
  double best_share = -1.0;
  for (const Profile& profile : built_in_profiles()) {
    if (profile.format != format) continue;
    const double share =
        static_cast<double>(match_header(profile, head).found) / static_cast<double>(profile.match.size());
    if (share > best_share) {
      best = &profile;
      best_share = share;
    }
  }
  return {{}, best};
}

SourceRows parse_source(SourceText source, const Calendar& calendar, const IngestOptions& options,
                        const std::optional<Profile>& own) {
  std::string head;
  source.read(head, kHeadBytes);
  if (head.empty())
    throw InputError(source.label() + ": the text is empty (0 bytes after decompression) fetch it again");
  drop_byte_order_mark(head);
  Reading reading;
  if (own) {
    if (const HeaderMatch match = match_header(*own, head); !match.lacking.empty()) {
      throw InputError(source.label() + ":" + std::to_string(own->skip_lines + 1) +
                       ": the header is not that of the profile " + own->where + " (it lacks " +
                       quoted_list(match.lacking) + ") correct the profile's match, or leave --profile out");
    }
    reading.profile = &*own;
  } else {
    reading = options.format == "auto" ? detect(head, source.label()) : named(options.format, head);
  }
  SourceRows rows = reading.reader == kCboeCsv    ? parse_cboe_csv(std::move(head), source, calendar)
                    : reading.reader == kCboeJson ? parse_cboe_json(std::move(head), source, calendar)
                    : reading.reader == kOcc
                        ? parse_occ_json(std::move(head), source, calendar, options)
                        : parse_table(std::move(head), source, *reading.profile, calendar, options);
  rows.name = source.name();
  rows.label = source.label();
  rows.file = source.archive();
  rows.sha256 = source.sha256();
  return rows;
}

std::optional<Profile> own_profile(const IngestOptions& options) {
  const std::vector<std::string> names = format_names();
  if (std::find(names.begin(), names.end(), options.format) == names.end()) {
    throw InputError("--format " + options.format + ": unknown format (choose " + quoted_list(names) + ")");
  }
  if (options.profile.empty() && options.profile_name.empty()) return std::nullopt;
  return parse_profile(options.profile, options.profile_name);
}

}  // namespace

std::vector<SourceRows> parse_files(std::span<const std::filesystem::path> files, const Calendar& calendar,
                                    const IngestOptions& options) {
  if (files.empty()) throw InputError("input: no file named (ingest needs at least one) name a vendor file");
  const std::optional<Profile> own = own_profile(options);
  std::vector<SourceRows> sources;
  for (const std::filesystem::path& file : files) {
    for (SourceText& text : SourceText::all_of_file(file)) {
      sources.push_back(parse_source(std::move(text), calendar, options, own));
    }
  }
  return sources;
}

std::vector<SourceRows> parse_memory(std::string_view bytes, std::string_view name, const Calendar& calendar,
                                     const IngestOptions& options) {
  const std::optional<Profile> own = own_profile(options);
  std::vector<SourceRows> sources;
  for (SourceText& text : SourceText::all_of_memory(bytes, std::string(name))) {
    sources.push_back(parse_source(std::move(text), calendar, options, own));
  }
  return sources;
}

}  // namespace ingest_detail

std::vector<std::string> format_names() {
  std::set<std::string> names{std::string(ingest_detail::kCboeCsv), std::string(ingest_detail::kCboeJson),
                              std::string(ingest_detail::kOcc)};
  for (const ingest_detail::Profile& profile : ingest_detail::built_in_profiles()) names.insert(profile.format);
  std::vector<std::string> list{"auto"};
  list.insert(list.end(), names.begin(), names.end());
  return list;
}

OptionChain ingest(std::span<const std::filesystem::path> files, const Calendar& calendar,
                   const IngestOptions& options) {
  return ingest_detail::build_chain(ingest_detail::parse_files(files, calendar, options), calendar, options);
}

OptionChain ingest_bytes(std::string_view bytes, std::string_view name, const Calendar& calendar,
                         const IngestOptions& options) {
  return ingest_detail::build_chain(ingest_detail::parse_memory(bytes, name, calendar, options), calendar, options);
}

}  // namespace greekgrid

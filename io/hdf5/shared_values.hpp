#pragma once

/// @file
/// Values that both files share, read back: instants, symbols, sources. Private to io/hdf5.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive.hpp"
#include "file_reader.hpp"
#include "greekgrid/host/chain.hpp"

namespace greekgrid {

/// Hands a source over between processes. In the namespace of ChainSource, where the archives look for it.
template <class Archive>
void transfer(Archive& archive, ChainSource& source) {
  archive(source.name, source.sha256);
}
template <class Archive>
void transfer(Archive& archive, const ChainSource& source) {
  archive(source.name, source.sha256);
}

}  // namespace greekgrid

namespace greekgrid::h5 {

inline constexpr const char* kExerciseMeanings = "european american";
inline constexpr const char* kStyleMeanings = "unknown am pm";

/// Instant of YYYY-MM-DDTHH:MM:SS followed by Z or +hh:mm or -hh:mm, or nothing.
std::optional<Instant> instant_from_iso(std::string_view text);
/// Whether an instant lies in the years 1970 to 9999, those that ISO 8601 spells with four digits.
bool is_instant(Instant instant);
/// Whether a text can name a ticker or a root: of 1 to 256 bytes, UTF-8, no blanks, no control characters.
bool is_symbol(std::string_view text);
/// Makes a text fit for people and terminals: UTF-8, control characters replaced.
void make_plain(std::string& text);
/// source_name and source_sha256 of the root. Throws Error.
std::vector<ChainSource> read_sources(const FileReader& file);

}  // namespace greekgrid::h5

#pragma once

/// @file
/// One parser per vendor format. Each takes the text from its first byte and fills blocks, stamp and quote instant.

#include <string>

#include "chain_builder.hpp"
#include "source_text.hpp"

namespace greekgrid::ingest_detail {

/// CBOE's delayed quotes come this much after the fact; the stamp is the moment of the download.
inline constexpr Instant kCboeDelay = 15 * 60;

/// What the first bytes of a text say about its format.
/// @throws InputError for an unknown format or header, naming what was found.
Format detect_format(const std::string& head, const std::string& name);

/// True if a line is the header of the respective table.
bool is_cboe_header(const std::vector<std::string_view>& fields);
bool is_long_header(const std::vector<std::string_view>& fields);

/// The parsers. `head` is text already read; it is the beginning of what `source` goes on with. quote_time is left 0
/// where the source has no readable stamp. @throws InputError for a text that cannot be used at all.
SourceRows parse_cboe_csv(std::string head, SourceText& source, const Calendar& calendar);
SourceRows parse_cboe_json(std::string head, SourceText& source, const Calendar& calendar);
SourceRows parse_long_csv(std::string head, SourceText& source, const Calendar& calendar);

/// Names the underlying of a one-ticker source after the root of most rows, then refuses adjusted and foreign roots.
/// `given` is what the source itself says, empty if it says nothing.
void assign_underlying(RowBlock& block, const std::string& given, double spot, std::string_view call_field,
                       std::string_view put_field);

}  // namespace greekgrid::ingest_detail

#pragma once

/// @file
/// The parsers of vendor formats. Each takes the text from its first byte and fills blocks, stamp and quote instant.

#include <map>
#include <string>

#include "chain_builder.hpp"
#include "profile.hpp"
#include "source_text.hpp"

namespace greekgrid::ingest_detail {

/// CBOE's delayed quotes come this much after the fact; the stamp is the moment of the download.
inline constexpr Instant kCboeDelay = 15 * 60;

/// True if a line is the header of CBOE's table.
bool is_cboe_header(const std::vector<std::string_view>& fields);

/// The parsers. `head` is text already read; it is the beginning of what `source` goes on with. quote_time is left 0
/// where the source has no readable stamp. @throws InputError for a text that cannot be used at all.
SourceRows parse_cboe_csv(std::string head, SourceText& source, const Calendar& calendar);
SourceRows parse_cboe_json(std::string head, SourceText& source, const Calendar& calendar);
/// The Options Clearing Corporation's open interest by label, expiration and strike.
SourceRows parse_occ_json(std::string head, SourceText& source, const Calendar& calendar, const IngestOptions& options);
/// A table as the profile describes it.
SourceRows parse_table(std::string head, SourceText& source, const Profile& profile, const Calendar& calendar,
                       const IngestOptions& options);

/// The underlying that most rows belong to, from the number of rows by root.
std::string underlying_of_most_rows(const std::map<std::string, std::int64_t>& rows_of_root);
/// Names the underlying of rows of one ticker, settles their multipliers (0: the root says) and refuses adjusted and
/// foreign roots.
void apply_underlying(RowBlock& block, const std::string& ticker, std::string_view call_field,
                      std::string_view put_field);
/// Both for a block that is the whole source. `given` is what the source itself says, empty if it says nothing.
void assign_underlying(RowBlock& block, const std::string& given, double spot, std::string_view call_field,
                       std::string_view put_field);

}  // namespace greekgrid::ingest_detail

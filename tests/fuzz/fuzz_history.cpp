// Any bytes give an InputError or a history whose rows add up and whose values lie in their domains, whatever format is
// named and whatever the file is called.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "greekgrid/io/history_ingest.hpp"

namespace {

using greekgrid::HistoryFormat;

void require(bool condition) {
  if (!condition) std::abort();
}

void parse(std::string_view bytes, HistoryFormat format, const char* name) {
  static const greekgrid::Calendar calendar;
  try {
    const greekgrid::HistorySource s = greekgrid::parse_history_bytes(bytes, name, calendar, {format, ""});
    const greekgrid::DailyHistory& h = s.history;
    require(s.rows_in == static_cast<std::int64_t>(h.rows() + s.rejects.size()) && s.line.size() == h.rows());
    std::size_t next = 0;
    for (std::size_t u = 0; u < h.symbols(); ++u) {
      require(!h.symbol[u].empty() && (u == 0 || h.symbol[u - 1] < h.symbol[u]));
      require(h.row_begin[u] == static_cast<std::int64_t>(next) && h.row_count[u] > 0);
      next += static_cast<std::size_t>(h.row_count[u]);
      for (std::size_t i = next - static_cast<std::size_t>(h.row_count[u]) + 1; i < next; ++i) {
        require(h.date[i - 1] < h.date[i]);
      }
    }
    require(next == h.rows());
    for (const greekgrid::DailyQuantity& quantity : greekgrid::kDailyQuantities) {
      require((h.*quantity.column).size() == h.rows());
      for (const double value : h.*quantity.column) {
        require(!std::isinf(value) && !(quantity.is_volume && value < 0.0));
      }
    }
    for (std::size_t i = 0; i < h.rows(); ++i) {
      require(!(h.close[i] <= 0.0) && !(h.high[i] < h.low[i]) && !(h.short_volume[i] > h.off_exchange_volume[i]));
    }
  } catch (const greekgrid::InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  parse(bytes, HistoryFormat::kAuto, "spx_daily.csv");
  parse(bytes, HistoryFormat::kAuto, "2021.csv");
  parse(bytes, HistoryFormat::kFinra, "a.txt");
  parse(bytes, HistoryFormat::kDix, "a.csv");
  parse(bytes, HistoryFormat::kDailyCsv, "a.csv");
  return 0;
}

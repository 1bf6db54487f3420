// The small parsers of text: contract symbols, tickers, numbers, dates and instants. A text is taken or it is not; what
// is taken lies in its domain, and a symbol that is spelled out again is the same contract.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "contract_symbol.hpp"
#include "text_scan.hpp"

namespace {

using namespace greekgrid::ingest_detail;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_symbol(std::string_view text) {
  const auto symbol = parse_contract_symbol(text);
  if (!symbol) return;
  require(!symbol->root.empty() && symbol->strike >= 0 && symbol->strike <= 99999999);
  require(symbol->right == 1 || symbol->right == -1);
  const std::chrono::year_month_day date{greekgrid::Date{date_of(symbol->expiration)}};
  require(date.ok());
  char tail[40];
  std::snprintf(tail, sizeof tail, "%02d%02u%02u%c%08lld", static_cast<int>(date.year()) % 100,
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), symbol->right > 0 ? 'C' : 'P',
                static_cast<long long>(symbol->strike));
  const std::string spelled = std::string(symbol->root) + tail;
  const auto again = parse_contract_symbol(spelled);
  require(again && again->root == symbol->root && again->expiration == symbol->expiration &&
          again->right == symbol->right && again->strike == symbol->strike);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const greekgrid::Calendar calendar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_symbol(text);
  if (const auto ticker = normal_ticker(text)) {
    require(!ticker->empty() && ticker->size() <= 16 && normal_ticker(*ticker) == ticker);
    require(!root_underlying(*ticker).empty() && !family_underlying(*ticker).empty());
    static_cast<void>(root_standing(*ticker, *ticker));
    static_cast<void>(has_several_roots(*ticker));
    require(!listed_root(*ticker, 20000, calendar).empty());
  }
  const Number number = parse_number(text);
  require((number.kind == NumberKind::kNumber) == std::isfinite(number.value));
  if (number.kind == NumberKind::kNumber) {
    if (const auto strike = strike_thousandths(number.value)) {
      // 1e-6, and two steps of a double below 1e9.
      require(std::fabs(static_cast<double>(*strike) / 1000.0 - number.value) <= 1e-6 + 2.4e-7);
    }
  }
  require(strike_tolerance(text) >= 0.0);
  for (const auto day : {parse_iso_date(text), parse_date_in_words(text)}) {
    if (day) require(day_number(date_of(*day)) == *day && *day >= 0 && *day < 84006);
  }
  for (const auto instant :
       {parse_iso_instant(text), parse_iso_instant(text, -5 * 3600), parse_instant_in_words(text)}) {
    if (instant) require(*instant > -200000 && *instant < 7258291200 + 200000);
  }
  for (const char c : shown(text)) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  return 0;
}

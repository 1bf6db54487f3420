#include "contract_symbol.hpp"

#include <algorithm>
#include <array>

namespace greekgrid::ingest_detail {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

int digits_value(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Cboe and Nasdaq list these roots on the index that stands beside them.
struct Family {
  std::string_view root, underlying;
};
constexpr std::array kFamilies{Family{"SPXW", "SPX"}, Family{"SPXPM", "SPX"}, Family{"NDXP", "NDX"},
                               Family{"RUTW", "RUT"}, Family{"VIXW", "VIX"},  Family{"XSPAM", "XSP"}};

// Mini options (10 shares), listed on these underlyings alone.
constexpr std::array<std::string_view, 6> kMinis{"AAPL7", "AMZN7", "GLD7", "GOOG7", "GOOGL7", "SPY7"};

std::string_view without_digits(std::string_view root) {
  std::string_view stem = root;
  while (!stem.empty() && is_digit(stem.back())) stem.remove_suffix(1);
  return stem.empty() ? root : stem;
}

}  // namespace

std::optional<ContractSymbol> parse_contract_symbol(std::string_view text) {
  text = trimmed(text);
  if (text.size() < 16 || text.size() > 27) return std::nullopt;
  const std::string_view tail = text.substr(text.size() - 15);
  const int year = digits_value(tail.substr(0, 2)), month = digits_value(tail.substr(2, 2)),
            day = digits_value(tail.substr(4, 2)), strike = digits_value(tail.substr(7));
  if (year < 0 || month < 0 || day < 0 || strike < 0 || (tail[6] != 'C' && tail[6] != 'P')) return std::nullopt;
  const Date date{std::chrono::year{2000 + year}, std::chrono::month{static_cast<unsigned>(month)},
                  std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  const std::string_view root = trimmed(text.substr(0, text.size() - 15));
  if (root.empty() || root.size() > 8) return std::nullopt;
  for (const char c : root) {
    if (!is_upper(c) && !is_digit(c)) return std::nullopt;
  }
  return ContractSymbol{root, day_number(date), static_cast<std::int8_t>(tail[6] == 'C' ? 1 : -1), strike};
}

std::optional<std::string> normal_ticker(std::string_view text) {
  text = trimmed(text);
  while (!text.empty() && (text.front() == '^' || text.front() == '_')) text.remove_prefix(1);
  if (text.empty() || text.size() > 16) return std::nullopt;
  std::string ticker = upper_case(text);
  for (const char c : ticker) {
    if (!is_upper(c) && !is_digit(c) && c != '.' && c != '-' && c != '/') return std::nullopt;
  }
  if (!is_upper(ticker.front()) && !is_digit(ticker.front())) return std::nullopt;
  return ticker;
}

std::string_view family_underlying(std::string_view root) {
  for (const Family& family : kFamilies) {
    if (family.root == root) return family.underlying;
  }
  return root;
}

std::string_view root_underlying(std::string_view root) {
  return family_underlying(without_digits(root));
}

bool has_exchange_suffix(std::string_view symbol) {
  symbol = trimmed(symbol);
  return symbol.size() > 2 && symbol[symbol.size() - 2] == '-' && (is_upper(symbol.back()) || is_digit(symbol.back()));
}

bool is_monthly_expiration(DayNumber expiration, const Calendar& calendar) {
  const Date date = date_of(expiration);
  const Date friday{std::chrono::sys_days{date.year() / date.month() / std::chrono::Friday[3]}};
  const DayNumber third = day_number(friday);
  if (expiration == third) return true;
  if (expiration == third + 1)
    return expiration < day_number(Date{std::chrono::year{2015}, std::chrono::March, std::chrono::day{1}});
  return !calendar.is_session(friday) && calendar.session_on_or_before(friday).date == date;
}

bool has_several_roots(std::string_view ticker) {
  return ticker == "SPX" || ticker == "NDX" || ticker == "RUT";
}

std::string listed_root(std::string_view ticker, DayNumber expiration, const Calendar& calendar) {
  if (has_several_roots(ticker) && !is_monthly_expiration(expiration, calendar)) {
    return ticker == "SPX" ? "SPXW" : ticker == "NDX" ? "NDXP" : "RUTW";
  }
  std::string root;
  for (const char c : ticker) {
    if (is_upper(c) || is_digit(c)) root += c;
  }
  return root;
}

std::uint16_t class_multiplier(RootStanding standing, std::uint16_t given) {
  switch (standing) {
    case RootStanding::kStandard:
      return given != 0 ? given : 100;
    case RootStanding::kMini:
      return given != 0 ? given : 10;
    case RootStanding::kAdjusted:
      return given != 100 ? given : 0;
    case RootStanding::kForeign:
      break;
  }
  return 0;
}

RootStanding root_standing(std::string_view ticker, std::string_view root) {
  // Listed symbols of the US hold no digits, so a root that ends in one is an adjusted or mini class even when the file
  // names it as its own underlying.
  std::string letters;
  letters.reserve(ticker.size());
  for (const char c : ticker) {
    if (is_upper(c) || is_digit(c)) letters += c;
  }
  std::string_view stem = root;
  while (!stem.empty() && is_digit(stem.back())) stem.remove_suffix(1);
  const auto belongs = [&letters](std::string_view name) {
    return name == letters || family_underlying(name) == letters;
  };
  if (belongs(stem) && std::find(kMinis.begin(), kMinis.end(), root) != kMinis.end()) return RootStanding::kMini;
  if (stem.size() == root.size()) return belongs(root) ? RootStanding::kStandard : RootStanding::kForeign;
  return belongs(stem) || belongs(root) ? RootStanding::kAdjusted : RootStanding::kForeign;
}

}  // namespace greekgrid::ingest_detail

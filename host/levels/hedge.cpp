// Hedges in contracts and in words.

#include "greekgrid/host/hedge.hpp"

#include <cmath>
#include <cstdio>

namespace greekgrid {
namespace {

constexpr std::string_view kUnknown = "hedge unknown";
constexpr std::string_view kNothing = "dealers trade nothing";

struct TickerFutures {
  std::string_view ticker;
  IndexFutures futures;
};
constexpr TickerFutures kTickerFutures[] = {
    {"SPX", {"ES", 50.0, "MES", 5.0}},
    {"NDX", {"NQ", 20.0, "MNQ", 2.0}},
    {"RUT", {"RTY", 50.0, "M2K", 5.0}},
};

// A whole number with commas between thousands; as large as a double may be.
std::string with_commas(double whole) {
  char text[400];
  const int length = std::snprintf(text, sizeof text, "%.0f", whole);
  std::string result(text, static_cast<std::size_t>(length));
  for (std::ptrdiff_t at = length - 3; at > 0; at -= 3) result.insert(static_cast<std::size_t>(at), 1, ',');
  return result;
}

// "600 ES (6,000 MES)"; empty for nothing.
std::string amount_in_words(std::string_view ticker, double shares) {
  const auto futures = index_futures(ticker);
  if (!futures) {
    const double whole = std::round(shares);
    return whole == 0.0 ? "" : with_commas(whole) + (whole == 1.0 ? " share" : " shares");
  }
  const double contracts = std::round(futures_contracts(shares, futures->multiplier));
  const double micros = std::round(futures_contracts(shares, futures->micro_multiplier));
  if (micros == 0.0) return "";
  const std::string in_micros = with_commas(micros) + " " + std::string(futures->micro_contract);
  if (contracts == 0.0) return in_micros;
  return with_commas(contracts) + " " + std::string(futures->contract) + " (" + in_micros + ")";
}

}  // namespace

std::optional<IndexFutures> index_futures(std::string_view ticker) {
  for (const TickerFutures& row : kTickerFutures) {
    if (row.ticker == ticker) return row.futures;
  }
  return std::nullopt;
}

std::string hedge_in_words(std::string_view ticker, double shares) {
  if (!std::isfinite(shares)) return std::string(kUnknown);
  const std::string amount = amount_in_words(ticker, std::abs(shares));
  if (amount.empty()) return std::string(kNothing);
  return (shares > 0.0 ? "dealers buy " : "dealers sell ") + amount;
}

std::string charm_in_words(std::string_view ticker, double charm, double minutes) {
  std::string words = hedge_in_words(ticker, hedge_flow(0.0, 100.0 * charm));
  if (words == kUnknown || words == kNothing) return words;
  char text[64];
  std::snprintf(text, sizeof text, " in %g minute%s", minutes, minutes == 1.0 ? "" : "s");
  return words + text;
}

std::string gamma_in_words(std::string_view ticker, double gamma, double move) {
  std::string words = hedge_in_words(ticker, hedge_flow(0.0, 100.0 * gamma));
  if (words == kUnknown || words == kNothing) return words;
  char text[64];
  std::snprintf(text, sizeof text, index_futures(ticker) ? "%.4g points" : "%.2f USD", move);
  return words + " into a rise of " + text + " and " + (gamma > 0.0 ? "buy" : "sell") + " as many into a fall";
}

}  // namespace greekgrid

// What the whole of a night needs to know of each ticker, and what it warns of.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "greekgrid/host/night_result.hpp"

namespace greekgrid {
namespace {

// Basis points between the vendor's spot and the one that the options saw, from which on it is worth a warning.
constexpr double kNotableBasis = 20.0;
// Log distance of a close from the spot, likewise.
constexpr double kNotableDistance = 0.05;

template <class... Values>
std::string text(const char* format, Values... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

int floor_to(int x, int step) {
  return (x >= 0 ? x / step : -((-x + step - 1) / step)) * step;
}

}  // namespace

StepAxis whole_chunks(const StepAxis& axis) {
  return {floor_to(axis.first, kChunkCloses), floor_to(axis.last, kChunkCloses) + kChunkCloses - 1};
}

void SurfaceErrors::add(const SurfaceErrors& other) {
  spectral += other.spectral;
  brute += other.brute;
  bound = std::max(bound, other.bound);
  cells += other.cells;
  sampled = std::max(sampled, other.sampled);
  sampled_of_gross = std::max(sampled_of_gross, other.sampled_of_gross);
}

void TickerNight::refuse(const std::string& why) {
  Snapshot refused;
  refused.quote_time = snapshot.quote_time;
  refused.quality = std::move(snapshot.quality);
  refused.diagnostics = std::move(snapshot.diagnostics);
  refused.expiry_begin = refused.contract_begin = refused.expiry_contract_begin = {0};
  TickerQuality& quality = refused.quality.at(0);
  quality.status = TickerStatus::kStageFailed;
  quality.contracts = 0;
  refused.diagnostics.push_back({"", static_cast<std::int64_t>(index), "ticker", "stage_failed", why, quality.ticker});
  snapshot = std::move(refused);
  tables = {};
  tables.snapshot = &snapshot;
  steps = {};
  cells.clear();
  session.clear();
  evaluations = 0.0;
  errors = {};
}

TickerDigest digest_of(const TickerNight& night) {
  TickerDigest digest;
  const TickerQuality& quality = night.snapshot.quality.at(0);
  digest.ticker = quality.ticker;
  digest.status = quality.status;
  digest.index = static_cast<std::int64_t>(night.index);
  digest.basis_bp = quality.spot_basis_bp;
  digest.contracts = quality.contracts;
  digest.evaluations = night.evaluations;
  digest.symbol = night.symbol;
  digest.errors = night.errors;
  std::map<std::string, std::int64_t> refused;
  for (const Diagnostic& diagnostic : night.snapshot.diagnostics) {
    // Refusals of whole tickers have been told by their status.
    if (diagnostic.field == "open_interest" || diagnostic.field == "dealer_position" ||
        diagnostic.rule == "no_usable_iv") {
      if (diagnostic.rule != "no_open_interest") ++refused[diagnostic.rule];
    }
  }
  for (const auto& [rule, count] : refused) {
    digest.rule.push_back(rule);
    digest.refused.push_back(count);
  }
  if (!night.accepted()) return digest;
  const NightHeader& header = night.header;
  digest.spot_reference = header.spot_reference.at(0);
  digest.spot_basis = header.spot_basis.at(0);
  digest.spot_scale = header.spot_scale.at(0);
  digest.expected_move = header.expected_move.at(0);
  digest.average_daily_volume = header.average_daily_volume.at(0);
  digest.gamma_move = header.gamma_move.at(0);
  digest.stepped = !night.steps.step.empty();
  if (digest.stepped) digest.closes = header.outlook.close;
  const SessionPredictors& at = night.tables.outlook.at(0).forecast.at;
  digest.close = at.close;
  digest.g = at.x[static_cast<std::size_t>(Predictor::kG)];
  digest.g_old = at.old[static_cast<std::size_t>(Predictor::kG)];
  digest.iv30 = at.iv30;
  digest.gamma_index = night.tables.level.empty() ? std::numeric_limits<double>::quiet_NaN()
                                                  : night.tables.level.front()[LevelName::kGammaIndex].value;
  return digest;
}

std::vector<std::string> night_warnings(std::span<const TickerDigest> digest) {
  std::map<std::string, std::int64_t> reasons, rules;
  std::int64_t displaced = 0, contradicted = 0;
  const TickerDigest* worst_basis = nullptr;
  const TickerDigest* worst_close = nullptr;
  const auto distance = [](const TickerDigest& d) { return std::abs(std::log(d.close / d.spot_reference)); };
  for (const TickerDigest& d : digest) {
    for (std::size_t k = 0; k < d.rule.size(); ++k) rules[d.rule[k]] += d.refused[k];
    if (d.status != TickerStatus::kOk) {
      ++reasons[std::string(name(d.status))];
      continue;
    }
    if (std::abs(d.basis_bp) > kNotableBasis) {
      ++displaced;
      if (worst_basis == nullptr || std::abs(d.basis_bp) > std::abs(worst_basis->basis_bp)) worst_basis = &d;
    }
    if (distance(d) > kNotableDistance) {
      ++contradicted;
      if (worst_close == nullptr || distance(d) > distance(*worst_close)) worst_close = &d;
    }
  }
  std::vector<std::string> warnings;
  for (const auto& [reason, count] : reasons) {
    warnings.push_back(text("%lld tickers refused: %s", static_cast<long long>(count), reason.c_str()));
  }
  for (const auto& [rule, count] : rules) {
    warnings.push_back(text("%lld contracts refused: %s", static_cast<long long>(count), rule.c_str()));
  }
  if (worst_basis != nullptr) {
    warnings.push_back(text("%lld tickers have options that saw another spot by more than %.0f bp, %s by %.1f bp",
                            static_cast<long long>(displaced), kNotableBasis, worst_basis->ticker.c_str(),
                            worst_basis->basis_bp));
  }
  if (worst_close != nullptr) {
    warnings.push_back(
        text("%lld tickers have a close in the history that is more than 5 %% from their spot, %s %g for %g",
             static_cast<long long>(contradicted), worst_close->ticker.c_str(), worst_close->close,
             worst_close->spot_reference));
  }
  return warnings;
}

}  // namespace greekgrid

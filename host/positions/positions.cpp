// Position models: from open interest to signed dealer contracts, and the books that backends see.

#include <cmath>

#include "greekgrid/host/market.hpp"

namespace greekgrid {
namespace {

double signed_contracts(PositionModel model, double right, double open_interest, double column) {
  switch (model) {
    case PositionModel::kNaive:
      return right * open_interest;
    case PositionModel::kUnsigned:
      return open_interest;
    case PositionModel::kAllShort:
      return -open_interest;
    case PositionModel::kReversed:
      return -right * open_interest;
    case PositionModel::kSignedColumn:
      return std::isfinite(column) ? column : 0.0;
  }
  return 0.0;
}

}  // namespace

std::vector<double> dealer_positions(const Snapshot& snapshot, std::span<const PositionModel> models) {
  std::vector<double> n;  // (N, W)
  n.reserve(snapshot.contracts() * models.size());
  for (std::size_t i = 0; i < snapshot.contracts(); ++i) {
    const double column = snapshot.column_position[i];
    for (const PositionModel model : models) {
      n.push_back(signed_contracts(model, snapshot.right[i], snapshot.open_interest[i], column));
    }
  }
  return n;
}

std::vector<double> exposure_weights(const Snapshot& snapshot, std::size_t ticker,
                                     std::span<const double> dealer_position, std::size_t models) {
  const auto begin = static_cast<std::size_t>(snapshot.contract_begin[ticker]);
  const auto end = static_cast<std::size_t>(snapshot.contract_begin[ticker + 1]);
  std::vector<double> weights;  // (W, n)
  weights.reserve((end - begin) * models);
  for (std::size_t w = 0; w < models; ++w) {
    for (std::size_t i = begin; i < end; ++i)
      weights.push_back(dealer_position[i * models + w] * snapshot.multiplier[i]);
  }
  return weights;
}

BookView make_book(const Snapshot& snapshot, std::size_t ticker, std::span<const double> weights,
                   std::vector<std::int64_t>& expiry_begin) {
  const auto first_expiry = static_cast<std::size_t>(snapshot.expiry_begin[ticker]);
  const auto expiries = static_cast<std::size_t>(snapshot.expiry_begin[ticker + 1]) - first_expiry;
  const auto first = static_cast<std::size_t>(snapshot.contract_begin[ticker]);
  const auto count = static_cast<std::size_t>(snapshot.contract_begin[ticker + 1]) - first;
  expiry_begin.clear();
  for (std::size_t e = 0; e <= expiries; ++e) {
    expiry_begin.push_back(snapshot.expiry_contract_begin[first_expiry + e] - static_cast<std::int64_t>(first));
  }
  BookView book;
  book.spot = snapshot.spot[ticker];
  book.spot_basis = snapshot.spot_basis[ticker];
  book.settlement = std::span(snapshot.settlement).subspan(first_expiry, expiries);
  book.rate = std::span(snapshot.rate).subspan(first_expiry, expiries);
  book.dividend_yield = std::span(snapshot.dividend_yield).subspan(first_expiry, expiries);
  book.expiry_begin = expiry_begin;
  book.strike = std::span(snapshot.strike).subspan(first, count);
  book.right = std::span(snapshot.right).subspan(first, count);
  book.implied_volatility = std::span(snapshot.implied_volatility).subspan(first, count);
  book.weight = weights;
  book.smile = std::span(snapshot.smile).subspan(first_expiry, expiries);
  return book;
}

}  // namespace greekgrid

#pragma once

/// @file
/// The surfaces of a night.h5 read once, and some of their cells recomputed from the book beside them. Private to
/// io/hdf5.

#include <cstdint>
#include <string>
#include <vector>

#include "file_reader.hpp"
#include "findings.hpp"
#include "greekgrid/host/cell_check.hpp"
#include "verify_structure.hpp"
#include "verify_values.hpp"

namespace greekgrid::h5 {

/// What of a night.h5 is needed to recompute its cells. Sizes as of NightHeader; S surfaces.
struct NightAxes {
  std::vector<std::string> ticker, position, iv_rule, surface;
  std::vector<int> kept_bits;  ///< (S) of the mantissa
  std::vector<double> spot_reference, spot_basis, spot_scale, iv_rule_parameter, iv_shift, spot_step;
  std::vector<std::int64_t> time, contract_begin, contract_count, expiry_ticker, settlement;
  std::string iv_shift_term, precision;
  double iv_floor = 0.0, iv_shift_term_cap = 0.0;
  double tolerance = 0.0;                  ///< of the spectral evaluator, 0 where it may not have been used
  std::vector<std::int64_t> session_time;  ///< of /intraday; empty where it is not stored
  std::vector<std::int64_t> close_time;    ///< (M) when the book is taken at a hypothetical close; empty without closes

  std::size_t chunk_cells() const { return time.size() * iv_shift.size() * spot_step.size(); }
  std::size_t chunks() const { return surface.size() * position.size() * iv_rule.size(); }
};

/// In the child. Throws Error.
NightAxes read_axes(const FileReader& reader, const Structure& structure);
/// In the caller: throws Error where the axes cannot be computed with.
void validate(const NightAxes& axes);

template <class Archive, class Axes>
void transfer_axes(Archive& archive, Axes& a) {
  archive(a.ticker, a.position, a.iv_rule, a.surface, a.kept_bits, a.spot_reference, a.spot_basis, a.spot_scale,
          a.iv_rule_parameter, a.iv_shift, a.spot_step, a.time, a.contract_begin, a.contract_count, a.expiry_ticker,
          a.settlement, a.iv_shift_term, a.precision, a.iv_floor, a.iv_shift_term_cap, a.tolerance, a.close_time,
          a.session_time);
}

/// A ticker's book and the cells that were asked for, as stored.
struct TickerCells {
  std::vector<std::int64_t> settlement, expiry_begin;
  std::vector<double> rate, dividend_yield, smile;                 ///< smile (E, 5): a, b, rho, m, s
  std::vector<double> strike, implied_volatility, weight, greeks;  ///< weight (W, N), greeks (kGreekCount, N)
  std::vector<std::int8_t> right;
  std::vector<float> stored;    ///< (S, W, R, cells)
  std::vector<double> largest;  ///< (S, W, R); NaN of a chunk that could not be read
  // Hypothetical closes under sticky strike without a shift, a few of them; empty where there are none.
  std::vector<double> close;          ///< (C) USD
  std::vector<float> close_exposure;  ///< (M, W, 2, C) dx and gx
  std::vector<double> close_largest;  ///< (M, W, 2) over all closes
  // A few places of /intraday, over all expiries and over those of the day; empty where there are none.
  std::vector<std::int64_t> session_time;  ///< (P) s since the epoch
  std::vector<double> session_log_spot;    ///< (P) ln(S / S0)
  std::vector<float> session_exposure;     ///< (W, 2 scopes, 2, P) dx and gx
  std::vector<double> session_largest;     ///< (W, 2 scopes, 2)
};

template <class Archive, class Cells>
void transfer_cells(Archive& archive, Cells& c) {
  archive(c.settlement, c.expiry_begin, c.rate, c.dividend_yield, c.smile, c.strike, c.implied_volatility, c.weight,
          c.greeks, c.right, c.stored, c.largest, c.close, c.close_exposure, c.close_largest, c.session_time,
          c.session_log_spot, c.session_exposure, c.session_largest);
}

/// In the child: reads the books and every chunk of the surfaces of the tickers from `first` on, one per list of
/// places. Looks at what can be said of the surfaces alone: finite, 0 where nothing is alive, delta_change.
std::vector<TickerCells> read_cells(hid_t file, const FileReader& reader, const Structure& structure,
                                    const NightAxes& axes, std::size_t first,
                                    const std::vector<std::vector<CellPlace>>& places, Findings& findings);

/// In the caller: recomputes the cells of one block with the reference backend and compares. Adds to `worst`, one per
/// surface, and to the reference cells. Throws Error where a book cannot be computed with.
void compare_cells(const NightAxes& axes, std::size_t first, const std::vector<std::vector<CellPlace>>& places,
                   const std::vector<TickerCells>& cells, const CellBound& bound, Findings& findings,
                   std::vector<WorstCell>& worst, ReferenceCells& references);

}  // namespace greekgrid::h5

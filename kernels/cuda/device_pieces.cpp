#include "device_pieces.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace greekgrid::cuda {
namespace {

/// Runs over the stretches of a piece that lie together in the job's array: visit(first in the job's, first in the
/// piece's, length).
template <class Visit>
void for_each_stretch(const ExposurePiece& piece, const Visit& visit) {
  const std::size_t spots = piece.job.grid.spots;
  const std::size_t own_times = piece.job.grid.time.size(), own_shifts = piece.job.grid.iv_shift.size();
  if (piece.values == 0) return;
  const bool all_shifts = own_shifts == piece.shifts;
  const std::size_t stretch = all_shifts ? own_times * own_shifts * spots : own_shifts * spots;
  const std::size_t stretches = all_shifts ? 1 : own_times;
  const std::size_t blocks = piece.values / (own_times * own_shifts * spots);
  for (std::size_t block = 0; block < blocks; ++block) {
    for (std::size_t s = 0; s < stretches; ++s) {
      const std::size_t row = (block * piece.times + piece.time + s) * piece.shifts + piece.shift;
      visit(row * spots, (block * stretches + s) * stretch, stretch);
    }
  }
}

}  // namespace

std::uint64_t row_evaluations(const ExposureJob& job, std::size_t instant) {
  std::uint64_t live = 0;
  for (std::size_t e = 0; e < job.book.expiries(); ++e) {
    if (job.book.settlement[e] > job.grid.time[instant]) {
      live += static_cast<std::uint64_t>(job.book.expiry_begin[e + 1] - job.book.expiry_begin[e]);
    }
  }
  return live * job.positions * job.grid.spots;
}

ExposurePiece whole(const ExposureJob& job) {
  ExposurePiece piece;
  piece.job = job;
  piece.values = job.exposure.size();
  piece.times = job.grid.time.size();
  piece.shifts = job.grid.iv_shift.size();
  for (std::size_t t = 0; t < piece.times; ++t) piece.evaluations += row_evaluations(job, t) * piece.shifts;
  return piece;
}

std::vector<ExposurePiece> cut(std::span<const ExposureJob> jobs, std::uint64_t most, const EvaluatorOptions& options) {
  most = std::max<std::uint64_t>(1, most);
  std::vector<ExposurePiece> pieces;
  for (const ExposureJob& job : jobs) {
    const ExposurePiece all = whole(job);
    if (all.evaluations <= most || all.values == 0 || takes_spectral(options, job)) {
      pieces.push_back(all);
      continue;
    }
    const std::size_t blocks = all.values / job.grid.scenarios();
    const auto add = [&](std::size_t time, std::size_t times, std::size_t shift, std::size_t shifts,
                         std::uint64_t evaluations) {
      ExposurePiece piece = all;
      piece.job.grid.time = job.grid.time.subspan(time, times);
      piece.job.grid.iv_shift = job.grid.iv_shift.subspan(shift, shifts);
      piece.values = blocks * times * shifts * job.grid.spots;
      piece.time = time;
      piece.shift = shift;
      piece.evaluations = evaluations;
      pieces.push_back(piece);
    };
    // Instants are taken together while they stay within the bound.
    std::size_t first = 0;
    std::uint64_t together = 0;
    for (std::size_t t = 0; t < all.times; ++t) {
      const std::uint64_t row = row_evaluations(job, t);
      const std::uint64_t instant = row * all.shifts;
      if (t > first && together + instant > most) {
        add(first, t - first, 0, all.shifts, together);
        first = t;
        together = 0;
      }
      if (instant > most) {
        // Nothing is held back here: an instant beyond the bound never joins earlier ones.
        const std::uint64_t wanted = (instant + most - 1) / most;
        const std::size_t ranges = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, all.shifts));
        for (std::size_t k = 0; k < ranges; ++k) {
          const std::size_t begin = k * all.shifts / ranges, end = (k + 1) * all.shifts / ranges;
          add(t, 1, begin, end - begin, row * (end - begin));
        }
        first = t + 1;
      } else {
        together += instant;
      }
    }
    if (first < all.times) add(first, all.times - first, 0, all.shifts, together);
  }
  return pieces;
}

std::vector<std::vector<std::size_t>> deal(std::span<const std::uint64_t> cost, std::span<const double> speed) {
  std::vector<std::size_t> order(cost.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
  std::vector<std::vector<std::size_t>> dealt(speed.size());
  std::vector<double> load(speed.size(), 0.0);
  for (const std::size_t work : order) {
    std::size_t soonest = 0;
    for (std::size_t d = 1; d < speed.size(); ++d) {
      const auto own = static_cast<double>(cost[work]);
      if ((load[d] + own) / speed[d] < (load[soonest] + own) / speed[soonest]) soonest = d;
    }
    load[soonest] += static_cast<double>(cost[work]);
    dealt[soonest].push_back(work);
  }
  for (auto& own : dealt) std::sort(own.begin(), own.end());
  return dealt;
}

void write_rows(const ExposurePiece& piece, const double* values) {
  for_each_stretch(piece, [&](std::size_t to, std::size_t from, std::size_t length) {
    std::memcpy(piece.job.exposure.data() + to, values + from, length * 8);
  });
}

void fill_rows(const ExposurePiece& piece, double value) {
  for_each_stretch(piece, [&](std::size_t to, std::size_t, std::size_t length) {
    std::fill_n(piece.job.exposure.data() + to, length, value);
  });
}

}  // namespace greekgrid::cuda

// One run: surfaces block by block while the previous block is written, then base Greeks and levels.

#include "greekgrid/host/night_run.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "greekgrid/host/levels.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A ticker's book with the arrays that only its view needs.
struct TickerBook {
  std::vector<double> weights;  // (W, n)
  std::vector<std::int64_t> expiry_begin;
  BookView view;
};

double live_evaluations(const BookView& book, const GridView& grid, std::size_t positions) {
  double live = 0.0;
  const std::size_t n = book.contracts();
  for (std::size_t e = 0; e < book.expiries(); ++e) {
    const auto alive =
        std::count_if(grid.time.begin(), grid.time.end(), [&](Instant t) { return book.settlement[e] > t; });
    for (std::size_t w = 0; w < positions; ++w) {
      for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
           i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
        if (book.weight[w * n + i] != 0.0) live += static_cast<double>(alive);
      }
    }
  }
  return live * static_cast<double>(grid.iv_shift.size() * grid.spots);
}

}  // namespace

std::vector<Instant> make_times(const ScenarioConfig& config, const Calendar& calendar, Instant quote_time) {
  std::vector<Instant> times = {quote_time};
  const std::vector<Instant> later = config.time_axis == TimeAxis::kSessions
                                         ? calendar.closes_after(quote_time, static_cast<int>(config.sessions) - 1)
                                         : calendar.intraday_after(quote_time, config.intraday_step);
  times.insert(times.end(), later.begin(), later.end());
  return times;
}

NightHeader make_header(const OptionChain& chain, const Snapshot& snapshot, const RunConfig& config,
                        const Calendar& calendar) {
  NightHeader header;
  const ScenarioConfig& scenarios = config.scenarios;
  header.title = "Dealer exposure surfaces";
  header.quote_time = chain.quote_time;
  header.file_time = chain.file_time;
  header.open_interest_settle_date = chain.open_interest_settle_date;
  header.open_interest_knowledge_time = chain.open_interest_knowledge_time;
  header.source = chain.source;
  header.ticker = snapshot.ticker;
  header.spot_reference = snapshot.spot;
  header.spot_basis = snapshot.spot_basis;
  for (const double iv : snapshot.atm_iv) header.spot_scale.push_back(spot_scale(scenarios, iv));
  for (const PositionModel model : config.positions) header.position.emplace_back(name(model));
  for (const IvRuleChoice& rule : scenarios.iv_rules) {
    header.iv_rule.emplace_back(name(rule.rule));
    header.iv_rule_parameter.push_back(rule.parameter);
  }
  header.time = make_times(scenarios, calendar, chain.quote_time);
  header.time_axis = name(scenarios.time_axis);
  header.iv_shift = scenarios.iv_shifts;
  header.iv_shift_term = name(scenarios.iv_shift_term);
  header.iv_shift_term_cap = scenarios.iv_shift_term_cap;
  header.iv_floor = scenarios.iv_floor;
  header.spot_step = spot_steps(scenarios);
  header.spot_axis = name(scenarios.spot_axis);
  header.greeks = config.greeks;
  header.delta_change = config.delta_change;
  header.keep_bits = config.keep_bits;
  return header;
}

NightTables run_night(const OptionChain& chain, Snapshot& snapshot, const RunConfig& config, const NightHeader& header,
                      Backend& backend, SurfaceSink& sink, std::size_t block_bytes,
                      const std::function<void(const NightProgress&)>& progress, const std::atomic<bool>& stop,
                      NightTimings& timings) {
  const std::size_t tickers = snapshot.tickers();
  const std::size_t positions = config.positions.size();
  const std::size_t rules = config.scenarios.iv_rules.size();
  const std::size_t cells = header.chunk_cells();
  const std::size_t ticker_cells = header.surfaces() * positions * rules * cells;

  NightTables tables;
  tables.snapshot = &snapshot;
  tables.dealer_position = dealer_positions(snapshot, chain, config.positions);

  std::vector<TickerBook> books(tickers);
  std::vector<double> live(tickers, 0.0);
  const auto grid_of = [&](std::size_t u, std::size_t r) {
    return make_grid(config.scenarios, config.scenarios.iv_rules[r], header.time, header.spot_scale[u]);
  };
  oneapi::tbb::parallel_for(std::size_t{0}, tickers, [&](std::size_t u) {
    books[u].weights = exposure_weights(snapshot, u, tables.dealer_position, positions);
    books[u].view = make_book(snapshot, u, books[u].weights, books[u].expiry_begin);
    std::int64_t clipped = 0;
    for (std::size_t r = 0; r < rules; ++r) {
      clipped += count_clipped_cells(books[u].view, grid_of(u, r), positions);
      live[u] += live_evaluations(books[u].view, grid_of(u, r), positions);
    }
    const auto quality = std::lower_bound(snapshot.quality.begin(), snapshot.quality.end(), snapshot.ticker[u],
                                          [](const TickerQuality& q, const std::string& t) { return q.ticker < t; });
    quality->clipped_cells = clipped;
  });
  NightProgress state;
  state.tickers = tickers;
  for (const double evaluations : live) state.evaluations += evaluations;
  timings.evaluations = state.evaluations;

  // Two blocks of buffers: one is evaluated into while the other is compressed and queued.
  const std::size_t block =
      std::clamp<std::size_t>(block_bytes / std::max<std::size_t>(ticker_cells * sizeof(double), 1), 1, 256);
  std::vector<std::vector<double>> buffers[2];
  for (auto& buffer : buffers) buffer.resize(std::min(block, std::max<std::size_t>(tickers, 1)));
  oneapi::tbb::task_group draining;
  int side = 0;
  try {
    for (std::size_t begin = 0; begin < tickers; begin += block, side ^= 1) {
      if (stop) throw Stopped{};
      const std::size_t end = std::min(begin + block, tickers);
      auto& buffer = buffers[side];
      const auto started = Clock::now();
      std::vector<std::vector<double>> ruled;  // (rule, ticker) results where there are several rules
      if (rules > 1) ruled.resize(rules * (end - begin));
      std::vector<ExposureJob> jobs;
      const std::size_t rule_cells = config.greeks.size() * positions * cells;
      for (std::size_t u = begin; u < end; ++u) {
        auto& out = buffer[u - begin];
        out.resize(ticker_cells);
        for (std::size_t r = 0; r < rules; ++r) {
          std::span<double> target = std::span(out).first(rule_cells);
          if (rules > 1) {
            auto& one = ruled[r * (end - begin) + u - begin];
            one.resize(rule_cells);
            target = one;
          }
          jobs.push_back({books[u].view, grid_of(u, r), positions, target});
        }
      }
      backend.evaluate(config.greeks, jobs);
      for (std::size_t u = begin; u < end; ++u) {
        auto& out = buffer[u - begin];
        for (std::size_t r = 0; rules > 1 && r < rules; ++r) {
          const auto& one = ruled[r * (end - begin) + u - begin];
          for (std::size_t gw = 0; gw < config.greeks.size() * positions; ++gw) {
            std::copy_n(&one[gw * cells], cells, &out[(gw * rules + r) * cells]);
          }
        }
        if (config.delta_change) {
          // dx less its value at the quote instant, shift 0 and the reference spot, per position and rule.
          const auto zero_shift = static_cast<std::size_t>(
              std::find(header.iv_shift.begin(), header.iv_shift.end(), 0.0) - header.iv_shift.begin());
          const std::size_t reference = zero_shift * header.spot_step.size() + header.spot_step.size() / 2;
          double* change = &out[config.greeks.size() * positions * rules * cells];
          for (std::size_t wr = 0; wr < positions * rules; ++wr) {
            const double base = out[wr * cells + reference];  // delta is the first Greek
            for (std::size_t c = 0; c < cells; ++c) change[wr * cells + c] = out[wr * cells + c] - base;
          }
        }
        state.evaluations_done += live[u];
      }
      timings.evaluate_seconds += seconds_since(started);
      const auto waiting = Clock::now();
      draining.wait();
      timings.drain_seconds += seconds_since(waiting);
      draining.run([&sink, &buffer, begin, end] {
        oneapi::tbb::parallel_for(
            begin, end, [&](std::size_t u) { sink.write_surfaces(static_cast<std::int64_t>(u), buffer[u - begin]); });
      });
      state.tickers_done = end;
      progress(state);
    }
  } catch (...) {
    draining.cancel();
    draining.wait();
    throw;
  }

  const auto started = Clock::now();
  const std::size_t n = snapshot.contracts();
  tables.greeks.resize(kGreekCount * n);
  std::vector<TickerLevels> levels(tickers * positions);
  const auto sampler = make_cpu_backend(Precision::kFp64);
  oneapi::tbb::parallel_for(std::size_t{0}, tickers, [&](std::size_t u) {
    if (stop) return;
    const BookView& book = books[u].view;
    const auto first = static_cast<std::size_t>(snapshot.contract_begin[u]);
    for (std::size_t e = 0; e < book.expiries(); ++e) {
      const double tau = static_cast<double>(book.settlement[e] - header.quote_time) / kSecondsPerYear;
      for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
           i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
        const auto g = formulas::black_scholes<double>(
            {static_cast<double>(book.right[i]), book.spot * std::exp(book.spot_basis), book.strike[i], book.rate[e],
             book.dividend_yield[e], std::max(header.iv_floor, book.implied_volatility[i]), tau});
        for (const Greek greek : kAllGreeks) {
          tables.greeks[static_cast<std::size_t>(greek) * n + first + i] =
              g[greek] * std::exp(book.spot_basis * spot_order(greek));
        }
      }
    }
    const std::span<const double> gamma =
        std::span(tables.greeks).subspan(static_cast<std::size_t>(Greek::kGamma) * n + first, book.contracts());
    for (std::size_t w = 0; w < positions; ++w) {
      BookView one = book;
      one.weight = book.weight.subspan(w * book.contracts(), book.contracts());
      TickerLevels& out = levels[u * positions + w];
      out = compute_levels(one, gamma, grid_of(u, 0), *sampler);
      out.level.ticker = snapshot.ticker[u];
      out.level.position = header.position[w];
      for (CrossingRow& crossing : out.crossing) {
        crossing.ticker = out.level.ticker;
        crossing.position = out.level.position;
      }
    }
  });
  timings.levels_seconds = seconds_since(started);
  const auto waiting = Clock::now();
  draining.wait();
  timings.drain_seconds += seconds_since(waiting);
  if (stop) throw Stopped{};

  for (TickerLevels& one : levels) {
    tables.level.push_back(one.level);
    tables.crossing.insert(tables.crossing.end(), one.crossing.begin(), one.crossing.end());
  }
  std::stable_sort(tables.crossing.begin(), tables.crossing.end(), [](const CrossingRow& a, const CrossingRow& b) {
    return std::tie(a.ticker, a.position, a.price) < std::tie(b.ticker, b.position, b.price);
  });
  return tables;
}

}  // namespace greekgrid

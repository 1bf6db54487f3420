// One run: surfaces block by block while the previous block is written, then base Greeks and levels.

#include "greekgrid/host/night_run.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "greekgrid/host/levels.hpp"

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

// What is read off one ticker's book beside its surfaces.
struct TickerAnalysis {
  std::vector<double> greeks;  // (kGreekCount, n)
  TickerLevels levels;
  Profile profile;
  Attribution attribution;
  TickerIntraday session;
  TickerOutlook outlook;
  TickerSteps steps;
};

// Seconds of every thread, added up.
struct PartClock {
  std::atomic<std::int64_t> nanoseconds{0};
  void add(Clock::time_point start) {
    nanoseconds += std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }
  double seconds() const { return 1e-9 * static_cast<double>(nanoseconds.load()); }
};

constexpr int kLadderSessions = 5;
constexpr std::size_t kMostOutlooks = 32;  // hypothetical closes and maps of a ticker take megabytes

// Call gamma over put gamma of the market, NaN where puts have none.
double gamma_ratio(const BookView& book, std::span<const double> greeks, std::span<const double> open_interest,
                   std::span<const double> multiplier) {
  const std::size_t n = book.contracts();
  double calls = 0.0, puts = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double gamma = open_interest[i] * multiplier[i] * greeks[static_cast<std::size_t>(Greek::kGamma) * n + i];
    (book.right[i] > 0 ? calls : puts) += gamma;
  }
  return puts > 0.0 ? calls / puts : std::numeric_limits<double>::quiet_NaN();
}

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
                        const Calendar& calendar, std::span<const double> average_daily_volume,
                        const NightHistory& history) {
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
  for (std::size_t u = 0; u < snapshot.tickers(); ++u) {
    const Metric& move = snapshot.volatility[u].implied_move_1d;
    const double fallback = snapshot.atm_iv[u] * std::sqrt(1.0 / 252.0);
    header.expected_move.push_back(move.status == MetricStatus::kOk && move.value > 0.0 ? move.value : fallback);
    header.gamma_move.push_back(gamma_move(snapshot.ticker[u], snapshot.spot[u]));
    header.average_daily_volume.push_back(average_daily_volume.empty() ? std::numeric_limits<double>::quiet_NaN()
                                                                       : average_daily_volume[u]);
  }
  if (config.intraday.stored) header.intraday = make_intraday_axes(config.intraday, calendar, chain.quote_time);
  header.moves = config.moves;
  for (const NamedMove& move : config.moves) {
    header.move_time.push_back(move.sessions > 0 ? calendar.closes_after(chain.quote_time, move.sessions).back()
                                                 : chain.quote_time);
  }
  header.buckets = bucket_ends(calendar, chain.quote_time);
  const auto symbol = history.store != nullptr ? find_symbols(*history.store, snapshot.ticker)
                                               : std::vector<std::ptrdiff_t>(snapshot.tickers(), -1);
  header.outlook =
      make_outlook_axes(history, snapshot.ticker, symbol, snapshot.spot, config.outlook, calendar, chain.quote_time);
  return header;
}

NightTables run_night(const OptionChain& chain, Snapshot& snapshot, const RunConfig& config, const NightHeader& header,
                      const Calendar& calendar, Backend& backend, SurfaceSink& sink, std::size_t block_bytes,
                      const std::function<void(const NightProgress&)>& progress, const std::atomic<bool>& stop,
                      NightTimings& timings, const NightHistory& history) {
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

  const std::vector<Instant> closes = calendar.closes_after(chain.quote_time, kLadderSessions);
  const auto sampler = make_cpu_backend(Precision::kFp64);
  const auto symbol = history.store != nullptr ? find_symbols(*history.store, snapshot.ticker)
                                               : std::vector<std::ptrdiff_t>(tickers, -1);
  PartClock levels_clock, profile_clock, attribution_clock, session_clock, outlook_clock;
  std::vector<TickerAnalysis> analyses(tickers);
  const auto analyse = [&](std::size_t u, std::vector<double>& session_buffer) {
    TickerAnalysis& out = analyses[u];
    const BookView& book = books[u].view;
    const auto first = static_cast<std::size_t>(snapshot.contract_begin[u]);
    const auto of_ticker = [&](const std::vector<double>& column) {
      return std::span(column).subspan(first, book.contracts());
    };
    auto started = Clock::now();
    out.greeks = base_greeks(book, header.quote_time, header.iv_floor);
    LevelInputs levels;
    levels.book = book;
    levels.positions = positions;
    levels.greeks = out.greeks;
    levels.multiplier = of_ticker(snapshot.multiplier);
    levels.open_interest = of_ticker(snapshot.open_interest);
    levels.volume = of_ticker(snapshot.volume);
    levels.quote_time = header.quote_time;
    levels.closes = closes;
    levels.front_end = header.buckets.end[1];
    levels.iv_floor = header.iv_floor;
    levels.expected_move = header.expected_move[u];
    levels.average_daily_volume = header.average_daily_volume[u];
    levels.config = config.levels;
    out.levels = compute_levels(levels, *sampler);
    levels_clock.add(started);

    started = Clock::now();
    out.profile = make_profile(
        {book, positions, out.greeks, levels.multiplier, levels.open_interest, levels.volume, header.buckets});
    profile_clock.add(started);

    started = Clock::now();
    std::vector<Move> moves;
    for (std::size_t a = 0; a < header.moves.size(); ++a) {
      moves.push_back(
          {header.moves[a].expected_moves * header.expected_move[u], header.moves[a].iv_shift, header.move_time[a]});
    }
    out.attribution = attribute(book, positions, header.quote_time, header.iv_floor, out.profile.strike, moves);
    attribution_clock.add(started);

    started = Clock::now();
    const auto in_chain = static_cast<std::size_t>(
        std::lower_bound(chain.ticker.begin(), chain.ticker.end(), snapshot.ticker[u]) - chain.ticker.begin());
    std::vector<Instant> settlement;
    const PercentGammaBook held = percent_gamma_book(chain, in_chain, settlement);
    const Tonight tonight = {header.outlook.session,
                             header.outlook.over,
                             header.outlook.known_by,
                             snapshot.spot[u],
                             snapshot.volatility[u].iv30.value,
                             gamma_ratio(book, out.greeks, levels.open_interest, levels.multiplier)};
    out.outlook = make_outlook(history, symbol[u], snapshot.ticker[u], tonight, held, header.quote_time, header.outlook,
                               calendar, out.steps);
    outlook_clock.add(started);

    if (header.intraday.time.empty()) return;
    started = Clock::now();
    IntradayInputs session;
    session.book = book;
    session.positions = positions;
    session.delta =
        std::span(out.greeks).subspan(static_cast<std::size_t>(Greek::kDelta) * book.contracts(), book.contracts());
    session.quote_time = header.quote_time;
    session.expected_move = header.expected_move[u];
    session.iv_floor = header.iv_floor;
    session.move = header.gamma_move[u];
    session.average_daily_volume = header.average_daily_volume[u];
    out.session = compute_intraday(session, header.intraday, *sampler, std::move(session_buffer));
    session_clock.add(started);
  };

  const auto make_tables = [&](std::size_t begin, std::size_t end) {
    std::vector<std::vector<GridView>> grids(end - begin);
    std::vector<StepTableInputs> inputs;
    for (std::size_t u = begin; u < end; ++u) {
      if (analyses[u].steps.step.empty()) continue;
      for (std::size_t r = 0; r < rules; ++r) grids[u - begin].push_back(grid_of(u, r));
      const auto of_ticker = [&](const std::vector<double>& column) {
        return std::span(column).subspan(static_cast<std::size_t>(snapshot.contract_begin[u]),
                                         books[u].view.contracts());
      };
      StepTableInputs in;
      in.book = books[u].view;
      in.positions = positions;
      in.open_interest = of_ticker(snapshot.open_interest);
      in.multiplier = of_ticker(snapshot.multiplier);
      in.rule = grids[u - begin];
      in.mode = header.outlook.mode;
      in.next_close = header.outlook.next_close;
      in.close = analyses[u].steps.step.front().close;
      inputs.push_back(in);
    }
    std::vector<StepTable> made = make_step_tables(backend, *sampler, inputs);
    std::size_t next = 0;
    for (std::size_t u = begin; u < end; ++u) {
      if (!analyses[u].steps.step.empty()) analyses[u].steps.table = std::move(made[next++]);
    }
  };

  // Two blocks of buffers: one is evaluated into while the other is compressed and queued.
  const bool stepped = header.outlook.stored && !header.outlook.mode.empty();
  const std::size_t block =
      std::clamp<std::size_t>(block_bytes / std::max<std::size_t>(ticker_cells * sizeof(double), 1), 1,
                              header.outlook.stored ? kMostOutlooks : 256);
  // Memory is kept from block to block: the kernel's clearing of fresh pages costs more than most of what fills them.
  std::vector<std::vector<double>> buffers[2], session_buffers[2];
  for (auto* both : {&buffers, &session_buffers}) {
    for (auto& buffer : *both) buffer.resize(std::min(block, std::max<std::size_t>(tickers, 1)));
  }
  oneapi::tbb::task_group draining;
  int side = 0;
  try {
    for (std::size_t begin = 0; begin < tickers; begin += block, side ^= 1) {
      if (stop) throw Stopped{};
      const std::size_t end = std::min(begin + block, tickers);
      auto &buffer = buffers[side], &sessions = session_buffers[side];
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
      if (stop) throw Stopped{};
      const auto analysing = Clock::now();
      oneapi::tbb::parallel_for(begin, end, [&](std::size_t u) { analyse(u, sessions[u - begin]); });
      timings.levels_seconds += seconds_since(analysing);
      if (stepped) {
        const auto stepping = Clock::now();
        make_tables(begin, end);
        timings.steps_seconds += seconds_since(stepping);
      }
      const auto waiting = Clock::now();
      draining.wait();
      timings.drain_seconds += seconds_since(waiting);
      draining.run([&sink, &header, &buffer, &sessions, &analyses, begin, end] {
        oneapi::tbb::parallel_for(begin, end, [&](std::size_t u) {
          sessions[u - begin] = std::move(analyses[u].session.surface);
          sink.write_surfaces(static_cast<std::int64_t>(u), buffer[u - begin], sessions[u - begin],
                              header.outlook.stored ? &analyses[u].steps : nullptr);
          analyses[u].steps = {};
        });
      });
      state.tickers_done = end;
      progress(state);
    }
  } catch (...) {
    draining.cancel();
    draining.wait();
    throw;
  }

  const auto waiting = Clock::now();
  draining.wait();
  timings.drain_seconds += seconds_since(waiting);
  if (stop) throw Stopped{};
  timings.levels_thread_seconds = levels_clock.seconds();
  timings.profile_thread_seconds = profile_clock.seconds();
  timings.attribution_thread_seconds = attribution_clock.seconds();
  timings.intraday_thread_seconds = session_clock.seconds();
  timings.outlook_thread_seconds = outlook_clock.seconds();

  const std::size_t n = snapshot.contracts();
  tables.greeks.resize(kGreekCount * n);
  for (std::size_t u = 0; u < tickers; ++u) {
    TickerAnalysis one = std::move(analyses[u]);
    const std::size_t count = books[u].view.contracts();
    for (std::size_t g = 0; g < kGreekCount; ++g) {
      std::copy_n(&one.greeks[g * count], count,
                  &tables.greeks[g * n + static_cast<std::size_t>(snapshot.contract_begin[u])]);
    }
    tables.strike_begin.push_back(static_cast<std::int64_t>(tables.profile.strike.size()));
    tables.strike_count.push_back(static_cast<std::int64_t>(one.profile.strike.size()));
    tables.profile.append(one.profile);
    tables.attribution.append(one.attribution);
    tables.outlook.push_back(std::move(one.outlook));
    for (std::size_t w = 0; w < positions; ++w) {
      const auto name_row = [&](auto row) {
        row.ticker = snapshot.ticker[u];
        row.position = header.position[w];
        return row;
      };
      tables.level.push_back(name_row(one.levels.level[w]));
      for (const CrossingRow& row : one.levels.crossing[w]) tables.crossing.push_back(name_row(row));
      const std::size_t sessions = one.levels.ladder.size() / positions;
      for (std::size_t t = 0; t < sessions; ++t) {
        tables.ladder.push_back(name_row(one.levels.ladder[w * sessions + t]));
      }
      if (header.intraday.time.empty()) continue;
      tables.path.push_back(std::move(one.session.path[w]));
      tables.half_band.push_back(one.session.half_band[w]);
      for (std::size_t scope = 0; scope < kScopes; ++scope) {
        for (SurfaceLine& line : one.session.line[w * kScopes + scope]) {
          LineRow row;
          row.scope = static_cast<ExpiryScope>(scope);
          row.line = std::move(line);
          tables.line.push_back(name_row(std::move(row)));
        }
      }
    }
  }
  return tables;
}

}  // namespace greekgrid

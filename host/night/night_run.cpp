// One run: tickers streamed in blocks. A block is read and priced while the one before is evaluated and the one before
// that is handed to the sink.

#include "greekgrid/host/night_run.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <unordered_map>

#include "greekgrid/host/cell_check.hpp"
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

// Seconds of every thread, added up.
struct PartClock {
  std::atomic<std::int64_t> nanoseconds{0};
  void add(Clock::time_point start) {
    nanoseconds += std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }
  double seconds() const { return 1e-9 * static_cast<double>(nanoseconds.load()); }
};

constexpr int kLadderSessions = 5;
constexpr std::size_t kMostTickers = 256;  // of a block
constexpr double kMostCost = 2.0;          // of a block, seconds of a core: what a kill loses, and a stop waits for
constexpr std::size_t kBlocksUnderWay = 3;

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

// Tickers on their way through the stages.
struct Block {
  std::vector<std::size_t> place;  // in the plan, ascending
  double cost = 0.0;
  OptionChain chain;
  DailyHistory history;
  std::vector<std::ptrdiff_t> symbol;  // in the history, -1 for none
  std::vector<TickerNight> night;
  std::vector<TickerBook> book;

  // Memory of surfaces is kept from block to block: the kernel's clearing of fresh pages costs more than most of what
  // fills them.
  void begin(std::vector<std::size_t> places) {
    place = std::move(places);
    cost = 0.0;
    std::vector<TickerNight> fresh(place.size());
    for (std::size_t k = 0; k < std::min(fresh.size(), night.size()); ++k) {
      fresh[k].cells.swap(night[k].cells);
      fresh[k].session.swap(night[k].session);
      fresh[k].cells.clear();
      fresh[k].session.clear();
    }
    night.swap(fresh);
    book.assign(place.size(), {});
  }
};

class NightStream {
 public:
  NightStream(const NightInputs& inputs, const NightPlan& plan, const RunConfig& config, const NightHeader& axes,
              const Calendar& calendar, Backend& backend, NightTimings& timings)
      : inputs_(inputs),
        plan_(plan),
        config_(config),
        axes_(axes),
        calendar_(calendar),
        backend_(backend),
        timings_(timings),
        sampler_(make_cpu_backend(Precision::kFp64)),
        reference_(make_reference_backend()),
        closes_(calendar.closes_after(axes.quote_time, kLadderSessions)),
        adv_date_(last_session(calendar, axes.quote_time)) {
    std::vector<std::string> tickers;
    for (const std::size_t u : plan.ticker) tickers.push_back(inputs.chain->ticker[u]);
    symbol_ = inputs.history != nullptr ? find_symbols(*inputs.history, tickers)
                                        : std::vector<std::ptrdiff_t>(tickers.size(), -1);
    for (const LevelRow& row : inputs.previous_level) previous_[row.ticker].first.push_back(row);
    for (const EarlierSkew& skew : inputs.previous_skew) previous_[skew.ticker].second.push_back(skew);
  }

  std::size_t bytes(std::size_t place) const {
    const std::ptrdiff_t s = symbol_[place];
    const std::size_t rows =
        s < 0 ? 0 : static_cast<std::size_t>(inputs_.history->row_count[static_cast<std::size_t>(s)]);
    return ticker_bytes(inputs_.chain->contract_count[plan_.ticker[place]], axes_, rows);
  }

  void read(Block& block);
  void price(Block& block);
  void evaluate(Block& block);
  void finish() {
    timings_.sample_thread_seconds = sample_clock_.seconds();
    timings_.levels_thread_seconds = levels_clock_.seconds();
    timings_.profile_thread_seconds = profile_clock_.seconds();
    timings_.attribution_thread_seconds = attribution_clock_.seconds();
    timings_.intraday_thread_seconds = session_clock_.seconds();
    timings_.outlook_thread_seconds = outlook_clock_.seconds();
  }

 private:
  GridView grid(const TickerNight& night, std::size_t rule) const {
    return make_grid(config_.scenarios, config_.scenarios.iv_rules[rule], axes_.time, night.header.spot_scale[0]);
  }
  void describe(Block& block, std::size_t k) const;
  void make_books(Block& block);
  void make_surfaces(Block& block);
  void sample_errors(TickerNight& night, const BookView& book) const;
  void analyse(Block& block, std::size_t k);
  void make_tables(Block& block);

  const NightInputs& inputs_;
  const NightPlan& plan_;
  const RunConfig& config_;
  const NightHeader& axes_;
  const Calendar& calendar_;
  Backend& backend_;
  NightTimings& timings_;
  const std::unique_ptr<Backend> sampler_, reference_;
  const std::vector<Instant> closes_;
  const Date adv_date_;
  std::vector<std::ptrdiff_t> symbol_;  // by place of the plan, in the whole history
  std::unordered_map<std::string, std::pair<std::vector<LevelRow>, std::vector<EarlierSkew>>> previous_;
  PartClock sample_clock_, levels_clock_, profile_clock_, attribution_clock_, session_clock_, outlook_clock_;
};

// Runs a stage for the accepted tickers of a block; one that throws is refused, the others go on.
template <class Stage>
void for_each_accepted(Block& block, const Stage& stage) {
  oneapi::tbb::parallel_for(std::size_t{0}, block.night.size(), [&](std::size_t k) {
    if (!block.night[k].accepted()) return;
    try {
      stage(k);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const BackendError&) {
      throw;
    } catch (const std::exception& error) {
      block.night[k].refuse(error.what());
    }
  });
}

void NightStream::read(Block& block) {
  std::vector<std::size_t> tickers;
  for (const std::size_t place : block.place) {
    tickers.push_back(plan_.ticker[place]);
    block.cost += plan_.cost[place];
  }
  block.chain = inputs_.read_chain(tickers);
  block.history = {};
  block.symbol.assign(block.place.size(), -1);
  if (inputs_.history == nullptr) return;
  std::vector<std::size_t> symbols;
  for (const std::size_t place : block.place) {
    if (symbol_[place] >= 0) symbols.push_back(static_cast<std::size_t>(symbol_[place]));
  }
  std::sort(symbols.begin(), symbols.end());
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
  block.history = inputs_.read_history(symbols);
  for (std::size_t k = 0; k < block.place.size(); ++k) {
    if (symbol_[block.place[k]] < 0) continue;
    const auto whole = static_cast<std::size_t>(symbol_[block.place[k]]);
    block.symbol[k] = std::lower_bound(symbols.begin(), symbols.end(), whole) - symbols.begin();
  }
}

void NightStream::price(Block& block) {
  // Fits are most of the pricing: those that the choice of the tickers has cost already are not made again.
  std::vector<SmileFits> fits;
  for (const std::size_t place : block.place) {
    fits.push_back(place < plan_.fits.size() ? plan_.fits[place] : SmileFits());
  }
  std::vector<Snapshot> snapshots =
      make_ticker_snapshots(block.chain, config_.market, calendar_, backend_, &timings_.snapshot, nullptr, &fits);
  oneapi::tbb::parallel_for(std::size_t{0}, block.night.size(), [&](std::size_t k) {
    TickerNight& night = block.night[k];
    night.index = plan_.ticker[block.place[k]];
    night.snapshot = std::move(snapshots[k]);
    night.tables.snapshot = &night.snapshot;
    night.symbol =
        block.symbol[k] < 0 ? block.chain.ticker[k] : block.history.symbol[static_cast<std::size_t>(block.symbol[k])];
    night.header = axes_;
  });
  for_each_accepted(block, [&](std::size_t k) { describe(block, k); });
}

// The header's columns of a ticker.
void NightStream::describe(Block& block, std::size_t k) const {
  TickerNight& night = block.night[k];
  NightHeader& header = night.header;
  const Snapshot& snapshot = night.snapshot;
  header.ticker = snapshot.ticker;
  header.spot_reference = snapshot.spot;
  header.spot_basis = snapshot.spot_basis;
  header.spot_scale = {spot_scale(config_.scenarios, snapshot.atm_iv[0])};
  const Metric& move = snapshot.volatility[0].implied_move_1d;
  const double fallback = snapshot.atm_iv[0] * std::sqrt(1.0 / 252.0);
  header.expected_move = {move.status == MetricStatus::kOk && move.value > 0.0 ? move.value : fallback};
  header.gamma_move = {gamma_move(snapshot.ticker[0], snapshot.spot[0])};
  header.average_daily_volume = {std::numeric_limits<double>::quiet_NaN()};
  if (block.symbol[k] >= 0) {
    const std::size_t own[] = {static_cast<std::size_t>(block.symbol[k])};
    header.average_daily_volume = average_daily_volume(part_of(block.history, own), snapshot.ticker, adv_date_);
  }
  if (const auto earlier = previous_.find(snapshot.ticker[0]); earlier != previous_.end()) {
    set_skew_changes(night.snapshot, earlier->second.second);
  }
}

void NightStream::make_books(Block& block) {
  const std::size_t positions = config_.positions.size(), rules = config_.scenarios.iv_rules.size();
  for_each_accepted(block, [&](std::size_t k) {
    TickerNight& night = block.night[k];
    TickerBook& book = block.book[k];
    night.tables.dealer_position = dealer_positions(night.snapshot, config_.positions);
    book.weights = exposure_weights(night.snapshot, 0, night.tables.dealer_position, positions);
    book.view = make_book(night.snapshot, 0, book.weights, book.expiry_begin);
    std::int64_t clipped = 0;
    for (std::size_t r = 0; r < rules; ++r) {
      clipped += count_clipped_cells(book.view, grid(night, r), positions);
      night.evaluations += live_evaluations(book.view, grid(night, r), positions);
    }
    night.snapshot.quality.at(0).clipped_cells = clipped;
  });
}

void NightStream::make_surfaces(Block& block) {
  const std::size_t positions = config_.positions.size(), rules = config_.scenarios.iv_rules.size();
  const std::size_t cells = axes_.chunk_cells(), rule_cells = config_.greeks.size() * positions * cells;
  std::vector<std::vector<double>> ruled;  // (ticker, rule) results where there are several rules
  if (rules > 1) ruled.resize(block.night.size() * rules);
  std::vector<ExposureJob> jobs;
  for (std::size_t k = 0; k < block.night.size(); ++k) {
    TickerNight& night = block.night[k];
    if (!night.accepted()) continue;
    night.cells.resize(axes_.surfaces() * positions * rules * cells);
    for (std::size_t r = 0; r < rules; ++r) {
      std::span<double> target = std::span(night.cells).first(rule_cells);
      if (rules > 1) {
        ruled[k * rules + r].resize(rule_cells);
        target = ruled[k * rules + r];
      }
      jobs.push_back({block.book[k].view, grid(night, r), positions, target, nullptr});
    }
  }
  std::vector<EvaluationReport> reports(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].report = &reports[i];
  backend_.evaluate(config_.greeks, jobs);
  std::size_t next = 0;
  for (TickerNight& night : block.night) {
    if (!night.accepted()) continue;
    for (std::size_t r = 0; r < rules; ++r) {
      const EvaluationReport& report = reports[next++];
      ++(report.spectral ? night.errors.spectral : night.errors.brute);
      night.errors.bound = std::max(night.errors.bound, report.bound);
    }
  }
  for_each_accepted(block, [&](std::size_t k) {
    std::vector<double>& out = block.night[k].cells;
    for (std::size_t r = 0; rules > 1 && r < rules; ++r) {
      for (std::size_t gw = 0; gw < config_.greeks.size() * positions; ++gw) {
        std::copy_n(&ruled[k * rules + r][gw * cells], cells, &out[(gw * rules + r) * cells]);
      }
    }
    if (!config_.delta_change) return;
    // dx less its value at the quote instant, shift 0 and the reference spot, per position and rule.
    const auto zero_shift =
        static_cast<std::size_t>(std::find(axes_.iv_shift.begin(), axes_.iv_shift.end(), 0.0) - axes_.iv_shift.begin());
    const std::size_t reference = zero_shift * axes_.spot_step.size() + axes_.spot_step.size() / 2;
    double* change = &out[config_.greeks.size() * positions * rules * cells];
    for (std::size_t wr = 0; wr < positions * rules; ++wr) {
      const double base = out[wr * cells + reference];  // delta is the first Greek
      for (std::size_t c = 0; c < cells; ++c) change[wr * cells + c] = out[wr * cells + c] - base;
    }
  });
}

// Recomputes a few scenarios of the surfaces contract by contract, about kSampledCells over all tickers of the night.
void NightStream::sample_errors(TickerNight& night, const BookView& book) const {
  constexpr std::size_t kSampledCells = 1024, kMostOfTicker = 16;
  const std::size_t tickers = std::max<std::size_t>(plan_.ticker.size(), 1);
  const std::size_t count = std::clamp<std::size_t>(kSampledCells / tickers, 1, kMostOfTicker);
  const std::size_t positions = config_.positions.size(), rules = config_.scenarios.iv_rules.size();
  const std::size_t cells = axes_.chunk_cells(), spots = axes_.spot_step.size();
  std::uint64_t seed = 0xcbf29ce484222325ULL;
  for (const char c : night.snapshot.ticker[0]) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  const auto surface = [&](std::size_t g, std::size_t w, std::size_t r) {
    return std::span(night.cells).subspan(((g * positions + w) * rules + r) * cells, cells);
  };
  SurfaceErrors& errors = night.errors;
  for (std::size_t r = 0; r < rules; ++r) {
    const GridView whole = grid(night, r);
    std::vector<double> largest;
    for (std::size_t g = 0; g < config_.greeks.size(); ++g) {
      for (std::size_t w = 0; w < positions; ++w) {
        double most = 0.0;
        for (const double value : surface(g, w, r)) most = std::max(most, std::abs(value));
        largest.push_back(most);
      }
    }
    for (const CellPlace& place : draw_cells(axes_.time.size(), axes_.iv_shift.size(), spots, count, seed + r)) {
      GridView cell = whole;
      cell.time = whole.time.subspan(place.time, 1);
      cell.iv_shift = whole.iv_shift.subspan(place.iv_shift, 1);
      cell.log_spot_begin += static_cast<double>(place.spot) * whole.log_spot_step;
      cell.spots = 1;
      const std::vector<CellSum> sums = recompute_cell(*reference_, config_.greeks, book, cell, positions);
      const std::size_t at = (place.time * axes_.iv_shift.size() + place.iv_shift) * spots + place.spot;
      ++errors.cells;
      for (std::size_t gw = 0; gw < sums.size(); ++gw) {
        const double error = std::abs(surface(gw / positions, gw % positions, r)[at] - sums[gw].net);
        // At its strike at settlement either side of a jump is right.
        if (sums[gw].at_strike > 0.0 || error == 0.0) continue;
        errors.sampled = std::max(errors.sampled, error / largest[gw]);
        errors.sampled_of_gross = std::max(errors.sampled_of_gross, error / sums[gw].gross);
      }
    }
  }
}

void NightStream::analyse(Block& block, std::size_t k) {
  TickerNight& night = block.night[k];
  const NightHeader& header = night.header;
  const Snapshot& snapshot = night.snapshot;
  NightTables& out = night.tables;
  const std::size_t positions = config_.positions.size();
  const BookView& book = block.book[k].view;
  auto started = Clock::now();
  sample_errors(night, book);
  sample_clock_.add(started);

  started = Clock::now();
  out.greeks = base_greeks(book, header.quote_time, header.iv_floor);
  LevelInputs levels;
  levels.book = book;
  levels.positions = positions;
  levels.greeks = out.greeks;
  levels.multiplier = snapshot.multiplier;
  levels.open_interest = snapshot.open_interest;
  levels.volume = snapshot.volume;
  levels.quote_time = header.quote_time;
  levels.closes = closes_;
  levels.front_end = header.buckets.end[1];
  levels.iv_floor = header.iv_floor;
  levels.expected_move = header.expected_move[0];
  levels.average_daily_volume = header.average_daily_volume[0];
  levels.config = config_.levels;
  const TickerLevels found = compute_levels(levels, *sampler_);
  levels_clock_.add(started);

  started = Clock::now();
  out.profile = make_profile(
      {book, positions, out.greeks, levels.multiplier, levels.open_interest, levels.volume, header.buckets});
  out.strike_begin = {0};
  out.strike_count = {static_cast<std::int64_t>(out.profile.strike.size())};
  profile_clock_.add(started);

  started = Clock::now();
  std::vector<Move> moves;
  for (std::size_t a = 0; a < header.moves.size(); ++a) {
    moves.push_back(
        {header.moves[a].expected_moves * header.expected_move[0], header.moves[a].iv_shift, header.move_time[a]});
  }
  out.attribution = attribute(book, positions, header.quote_time, header.iv_floor, out.profile.strike, moves);
  attribution_clock_.add(started);

  started = Clock::now();
  std::vector<Instant> settlement;
  const PercentGammaBook held = percent_gamma_book(block.chain, k, settlement);
  const Tonight tonight = {header.outlook.session,
                           header.outlook.over,
                           header.outlook.known_by,
                           snapshot.spot[0],
                           snapshot.volatility[0].iv30.value,
                           gamma_ratio(book, out.greeks, levels.open_interest, levels.multiplier)};
  NightHistory past;
  if (inputs_.history != nullptr) {
    past.store = &block.history;
    past.corrections = inputs_.corrections;
  }
  out.outlook.push_back(make_outlook(past, block.symbol[k], snapshot.ticker[0], tonight, held, header.quote_time,
                                     header.outlook, calendar_, night.steps));
  if (!night.steps.step.empty()) night.header.outlook.close = whole_chunks(night.steps.step.front().axis);
  outlook_clock_.add(started);

  started = Clock::now();
  TickerIntraday surface;
  if (!header.intraday.time.empty()) {
    IntradayInputs session;
    session.book = book;
    session.positions = positions;
    session.delta =
        std::span(out.greeks).subspan(static_cast<std::size_t>(Greek::kDelta) * book.contracts(), book.contracts());
    session.quote_time = header.quote_time;
    session.expected_move = header.expected_move[0];
    session.iv_floor = header.iv_floor;
    session.move = header.gamma_move[0];
    session.average_daily_volume = header.average_daily_volume[0];
    surface = compute_intraday(session, header.intraday, *sampler_, std::move(night.session));
    night.session = std::move(surface.surface);
  }
  session_clock_.add(started);

  for (std::size_t w = 0; w < positions; ++w) {
    const auto name_row = [&](auto row) {
      row.ticker = snapshot.ticker[0];
      row.position = header.position[w];
      return row;
    };
    out.level.push_back(name_row(found.level[w]));
    for (const CrossingRow& row : found.crossing[w]) out.crossing.push_back(name_row(row));
    const std::size_t sessions = found.ladder.size() / positions;
    for (std::size_t t = 0; t < sessions; ++t) out.ladder.push_back(name_row(found.ladder[w * sessions + t]));
    if (header.intraday.time.empty()) continue;
    out.path.push_back(std::move(surface.path[w]));
    out.half_band.push_back(surface.half_band[w]);
    for (std::size_t scope = 0; scope < kScopes; ++scope) {
      for (SurfaceLine& line : surface.line[w * kScopes + scope]) {
        LineRow row;
        row.scope = static_cast<ExpiryScope>(scope);
        row.line = std::move(line);
        out.line.push_back(name_row(std::move(row)));
      }
    }
  }
  const auto earlier = previous_.find(snapshot.ticker[0]);
  set_changes(out.level, earlier == previous_.end() ? std::vector<LevelRow>() : earlier->second.first);
}

void NightStream::make_tables(Block& block) {
  const std::size_t rules = config_.scenarios.iv_rules.size();
  std::vector<std::vector<GridView>> grids(block.night.size());
  std::vector<StepTableInputs> inputs;
  std::vector<std::size_t> whose;
  for (std::size_t k = 0; k < block.night.size(); ++k) {
    const TickerNight& night = block.night[k];
    if (!night.accepted() || night.steps.step.empty()) continue;
    for (std::size_t r = 0; r < rules; ++r) grids[k].push_back(grid(night, r));
    StepTableInputs in;
    in.book = block.book[k].view;
    in.positions = config_.positions.size();
    in.open_interest = night.snapshot.open_interest;
    in.multiplier = night.snapshot.multiplier;
    in.rule = grids[k];
    in.mode = axes_.outlook.mode;
    in.next_close = axes_.outlook.next_close;
    in.close = night.steps.step.front().close;
    inputs.push_back(in);
    whose.push_back(k);
  }
  if (inputs.empty()) return;
  std::vector<StepTable> made = make_step_tables(backend_, *sampler_, inputs);
  for (std::size_t i = 0; i < whose.size(); ++i) block.night[whose[i]].steps.table = std::move(made[i]);
}

void NightStream::evaluate(Block& block) {
  auto started = Clock::now();
  make_books(block);
  make_surfaces(block);
  timings_.evaluate_seconds += seconds_since(started);
  started = Clock::now();
  for_each_accepted(block, [&](std::size_t k) { analyse(block, k); });
  timings_.levels_seconds += seconds_since(started);
  started = Clock::now();
  make_tables(block);
  timings_.steps_seconds += seconds_since(started);
  for (const TickerNight& night : block.night) timings_.evaluations += night.evaluations;
}

}  // namespace

Date last_session(const Calendar& calendar, Instant quote_time) {
  const Session session = calendar.session_begun_by(quote_time);
  if (quote_time >= session.close) return session.date;
  return calendar.session_on_or_before(Date{std::chrono::sys_days{session.date} - std::chrono::days{1}}).date;
}

std::vector<Instant> make_times(const ScenarioConfig& config, const Calendar& calendar, Instant quote_time) {
  std::vector<Instant> times = {quote_time};
  const std::vector<Instant> later = config.time_axis == TimeAxis::kSessions
                                         ? calendar.closes_after(quote_time, static_cast<int>(config.sessions) - 1)
                                         : calendar.intraday_after(quote_time, config.intraday_step);
  times.insert(times.end(), later.begin(), later.end());
  return times;
}

NightHeader make_axes(const OptionChain& chain, const RunConfig& config, const Calendar& calendar, bool has_history) {
  NightHeader header;
  const ScenarioConfig& scenarios = config.scenarios;
  header.title = "Dealer exposure surfaces";
  header.quote_time = chain.quote_time;
  header.file_time = chain.file_time;
  header.open_interest_settle_date = chain.open_interest_settle_date;
  header.open_interest_knowledge_time = chain.open_interest_knowledge_time;
  header.source = chain.source;
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
  if (config.intraday.stored) header.intraday = make_intraday_axes(config.intraday, calendar, chain.quote_time);
  header.moves = config.moves;
  for (const NamedMove& move : config.moves) {
    header.move_time.push_back(move.sessions > 0 ? calendar.closes_after(chain.quote_time, move.sessions).back()
                                                 : chain.quote_time);
  }
  header.buckets = bucket_ends(calendar, chain.quote_time);
  header.outlook = make_outlook_axes(has_history, config.outlook, calendar, chain.quote_time);
  header.outlook.close = whole_chunks({});
  return header;
}

std::size_t ticker_bytes(std::int64_t contracts, const NightHeader& axes, std::size_t history_rows) {
  const std::size_t rules = axes.iv_rule.size(), positions = axes.position.size();
  const std::size_t cells = axes.surfaces() * positions * rules * axes.chunk_cells();
  const std::size_t session = kIntradaySurfaces * positions * kScopes * axes.session_cells();
  // Doubles, once more by rule where there are several, and the encoded chunks of single precision.
  std::size_t bytes = (cells * (rules > 1 ? 2 : 1) + session) * sizeof(double) + (cells + session) * sizeof(float);
  // The chain's columns, the market's own, the snapshot, Greeks, profiles and their recorded columns.
  bytes += static_cast<std::size_t>(contracts) * (1200 + 400 * positions * (1 + axes.moves.size()));
  if (!axes.outlook.stored) return bytes + (std::size_t{1} << 18U);
  constexpr std::size_t kCloses = 600, kRowColumns = 17, kCopies = 4;
  bytes += history_rows * kRowColumns * sizeof(double) * kCopies;
  bytes += axes.outlook.mode.size() * kCloses *
           (kHorizons.size() * (sizeof(Forecast) + 400) +
            2 * kStepQuantities * positions * rules * axes.iv_shift.size() * sizeof(double));
  if (axes.outlook.maps) {
    bytes += kHorizons.size() * kPairs.size() * kMapNodes * kMapNodes * 4 * 2 * sizeof(float);
  }
  return bytes + (std::size_t{1} << 20U);
}

void run_night(const NightInputs& inputs, const NightPlan& plan, std::span<const std::size_t> places,
               const RunConfig& config, const NightHeader& axes, const Calendar& calendar, Backend& backend,
               NightSink& sink, const NightLimits& limits, NightTimings& timings) {
  const auto started = Clock::now();
  NightStream stream(inputs, plan, config, axes, calendar, backend, timings);
  // Costliest first: what is left at the end is small, so that no stage waits long for another.
  std::vector<std::size_t> order(places.begin(), places.end());
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return plan.cost[a] > plan.cost[b]; });
  NightProgress state;
  state.tickers = order.size();
  for (const std::size_t place : order) state.cost += plan.cost[place];

  // A sink may hold what two more blocks came to, encoded: a third of what a block takes at the most.
  const std::size_t room = limits.memory / (kBlocksUnderWay + 1);
  std::vector<Block> blocks(kBlocksUnderWay);
  std::vector<Block*> idle;
  std::mutex idle_mutex;
  for (Block& block : blocks) idle.push_back(&block);
  std::size_t next = 0;
  bool stopped = false;
  const auto next_block = [&]() -> Block* {
    stopped = limits.stop != nullptr && *limits.stop && next < order.size();
    if (stopped || next == order.size()) return nullptr;
    std::vector<std::size_t> own;
    std::size_t bytes = 0;
    double cost = 0.0;
    for (; next < order.size() && own.size() < kMostTickers; ++next) {
      bytes += stream.bytes(order[next]);
      cost += plan.cost[order[next]];
      if (!own.empty() && (bytes > room || cost > kMostCost)) break;
      own.push_back(order[next]);
    }
    std::sort(own.begin(), own.end());
    Block* block = nullptr;
    {
      const std::lock_guard lock(idle_mutex);
      block = idle.back();
      idle.pop_back();
    }
    block->begin(std::move(own));
    return block;
  };
  using oneapi::tbb::filter_mode;
  const auto read = [&](oneapi::tbb::flow_control& control) -> Block* {
    Block* block = next_block();
    if (block == nullptr) {
      control.stop();
      return nullptr;
    }
    auto stage = Clock::now();
    stream.read(*block);
    timings.read_seconds += seconds_since(stage);
    stage = Clock::now();
    stream.price(*block);
    timings.snapshot_seconds += seconds_since(stage);
    return block;
  };
  const auto evaluate = [&](Block* block) {
    stream.evaluate(*block);
    return block;
  };
  const auto drain = [&](Block* block) {
    const auto stage = Clock::now();
    sink.write(block->night);
    timings.sink_seconds += seconds_since(stage);
    ++timings.blocks;
    state.tickers_done += block->night.size();
    state.cost_done += block->cost;
    for (const TickerNight& night : block->night) state.evaluations += night.evaluations;
    if (limits.progress) limits.progress(state);
    const std::lock_guard lock(idle_mutex);
    idle.push_back(block);
  };
  oneapi::tbb::parallel_pipeline(kBlocksUnderWay,
                                 oneapi::tbb::make_filter<void, Block*>(filter_mode::serial_in_order, read) &
                                     oneapi::tbb::make_filter<Block*, Block*>(filter_mode::serial_in_order, evaluate) &
                                     oneapi::tbb::make_filter<Block*, void>(filter_mode::serial_in_order, drain));
  stream.finish();
  timings.wall_seconds += seconds_since(started);
  if (stopped) throw Stopped{};
}

}  // namespace greekgrid

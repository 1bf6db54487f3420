#include "night_forecasts.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "chunk_codec.hpp"
#include "night_schema.hpp"

namespace greekgrid::h5 {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kCloses = kChunkCloses;
constexpr int kMapBits = 12;  // of the mantissa: a map is good to 1.2e-4 of itself, and half as large

constexpr std::array<const char*, kPredictors> kLetters = {"p", "v", "g", "d"};
constexpr std::array<const char*, kPairs.size()> kPairNames = {"PV", "PG", "PD", "VG", "VD", "GD"};
constexpr const char* kPredictorStatusMeanings = "ok insufficient_history zero_mad zero_volume missing_input";
constexpr const char* kOutlookStatusMeanings = "ok no_sessions insufficient_history";
constexpr const char* kForecastStatusMeanings = "ok insufficient_history no_predictors";
constexpr const char* kSetMeanings = "none PV PVG PVD PVGD";
constexpr const char* kCloseStatusMeanings = "outside_axis ok nonpositive_close no_mad";
constexpr const char* kRegimeMeanings = "missing discount neutral premium";

std::int8_t set_flag(PredictorSet set) {
  constexpr PredictorSet kSets[] = {0, kPV, kPVG, kPVD, kPVGD};
  return static_cast<std::int8_t>(std::find(kSets, kSets + 5, set) - kSets);
}

std::string iso_date(Instant midnight) {
  return iso_from_instant(midnight).substr(0, 10);
}

std::vector<std::int64_t> horizons() {
  return {kHorizons.begin(), kHorizons.end()};
}

/// A group; one that stores nothing says so.
Handle group_of(hid_t root, const std::string& name, bool stored) {
  Handle group = create_group(root, name);
  if (!stored) write_attribute(group.get(), "rows", std::int64_t{0});
  return group;
}

/// Coordinates that tables of forecasts share.
template <class Table>
void write_coordinates(Table& table, const NightHeader& header) {
  table.column({"ticker", {"ticker"}, "underlying symbol", "", ""}, header.ticker);
  table.column({"horizon", {"horizon"}, "sessions ahead", "1", ""}, horizons());
}

std::vector<double> map_nodes() {
  std::vector<double> nodes;
  for (std::size_t i = 0; i < kMapNodes; ++i) {
    nodes.push_back(-1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(kMapNodes - 1));
  }
  return nodes;
}

/// Names of the columns of forecasts by close, with their units.
struct Curve {
  std::string name, meaning, units;
  std::function<double(const Forecast&)> value;
};
const std::vector<Curve>& curves() {
  static const std::vector<Curve> all = [] {
    std::vector<Curve> list = {
        {"mean", "mean outcome, in mean absolute returns times sqrt(horizon)", "1", [](auto& f) { return f.mean; }},
        {"median", "median of the kernel density of outcomes", "1", [](auto& f) { return f.median; }},
        {"volatility", "mean absolute outcome", "1", [](auto& f) { return f.volatility; }},
        {"volatility_median", "median absolute outcome", "1", [](auto& f) { return f.volatility_median; }},
        {"n_eff", "effective number of neighbours", "1", [](auto& f) { return f.n_eff; }},
    };
    for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
      const int percent = static_cast<int>(std::lround(100.0 * kForecastProbabilities[q]));
      list.push_back({std::string("quantile_") + (percent < 10 ? "0" : "") + std::to_string(percent),
                      std::to_string(percent) + " % quantile of the outcomes", "1",
                      [q](const Forecast& f) { return f.quantile[q]; }});
    }
    return list;
  }();
  return all;
}

struct QuantityText {
  const char* name;
  const char* meaning;
  const char* units;
};
constexpr std::array<QuantityText, kStepQuantities> kQuantityText = {{
    {"dx", "delta exposure at the close: sum of dealer contracts times multiplier times dV/dS", "shares"},
    {"gx", "gamma exposure at the close: sum of dealer contracts times multiplier times d2V/dS2", "shares USD-1"},
    {"charm", "charm exposure at the close: sum of dealer contracts times multiplier times d2V/dS dt",
     "shares common_year-1"},
    {"vanna", "vanna exposure at the close: sum of dealer contracts times multiplier times d2V/dS dsigma",
     "shares vol-1"},
    {"gamma_index", "gamma exposure for 1 % at the close", "1e9 USD"},
    {"flip", "root nearest to the close of the slope of dx along the volatility rule", "USD"},
    {"call_wall", "strike at or above the close with the most gamma of calls", "USD"},
    {"put_wall", "strike at or below the close with the most gamma of puts", "USD"},
}};

// The places of the datasets of /step_forward.
enum StepPlace : std::size_t {
  kClose,
  kStatus,
  kMad,
  kSet,
  kValue,  // by predictor
  kStanding = kValue + kPredictors,
  kRatio = kStanding + kPredictors,
  kQuantity,                             // by StepQuantity
  kCurve = kQuantity + kStepQuantities,  // by curve
};

/// Values of one ticker along the union of closes, (rows, own closes) in, chunks out.
class Spread {
 public:
  Spread(const StepAxis& own, const StepAxis& all, std::size_t chunk)
      : shift_(static_cast<std::size_t>(own.first - all.first)), own_(own.size()), chunk_(chunk) {}

  /// Calls emit(first close of the chunk, its bytes) for every chunk along the closes that the ticker reaches.
  template <class Value, class Get, class Emit>
  void operator()(std::size_t rows, Value missing, const Get& value, Emit emit) const {
    for (std::size_t begin = shift_ / chunk_ * chunk_; begin < shift_ + own_; begin += chunk_) {
      std::vector<Value> cells(rows * chunk_, missing);
      const std::size_t from = std::max(begin, shift_), to = std::min(begin + chunk_, shift_ + own_);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = from; c < to; ++c) cells[row * chunk_ + c - begin] = value(row, c - shift_);
      }
      emit(begin, cells);
    }
  }

 private:
  std::size_t shift_, own_, chunk_;
};

template <class Value>
std::vector<std::uint8_t> encode_cells(const std::vector<Value>& cells) {
  thread_local ChunkEncoder encoder;
  return encoder.encode({reinterpret_cast<const std::uint8_t*>(cells.data()), cells.size() * sizeof(Value)},
                        sizeof(Value));
}

template <class Get>
auto by_ticker(const std::vector<TickerOutlook>& outlook, Get get) {
  std::vector<std::decay_t<decltype(get(outlook[0]))>> values;
  values.reserve(outlook.size());
  for (const TickerOutlook& one : outlook) values.push_back(get(one));
  return values;
}

/// (ticker, horizon) or, with `inner`, (ticker, horizon, inner).
template <class Get>
auto by_horizon(const std::vector<TickerOutlook>& outlook, std::size_t inner, Get get) {
  std::vector<std::decay_t<decltype(get(outlook[0].forecast, 0, 0))>> values;
  for (const TickerOutlook& one : outlook) {
    for (std::size_t h = 0; h < kHorizons.size(); ++h) {
      for (std::size_t k = 0; k < inner; ++k) values.push_back(get(one.forecast, h, k));
    }
  }
  return values;
}

void record_predictors(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook) {
  TableRecorder table(out, "predictors", "ticker", outlook.size());
  table.attribute("session", iso_date(midnight_of(header.outlook.session)));
  const std::vector<std::string> dims = {"ticker"};
  table.column({"ticker", dims, "underlying symbol", "", ""}, header.ticker);
  const auto flags = [&](const std::string& name, const std::string& meaning, const char* meanings, auto get) {
    table.column({name, dims, meaning, "", meanings}, by_ticker(outlook, get));
  };
  const auto number = [&](const std::string& name, const std::string& meaning, const char* units, auto get) {
    table.column({name, dims, meaning, units, ""},
                 by_ticker(outlook, [&](const TickerOutlook& o) { return static_cast<double>(get(o.forecast.at)); }));
  };
  using Row = const SessionPredictors&;
  flags("status", "why there is no forecast", kOutlookStatusMeanings,
        [](const TickerOutlook& o) { return o.forecast.status; });
  table.column({"sessions", dims, "sessions of the history up to this one", "1", ""},
               by_ticker(outlook, [](const TickerOutlook& o) { return o.forecast.at.sessions; }));
  number("close", "close of the session: the history's, else the spot of the quotes", "USD",
         [](Row r) { return r.close; });
  number("mad", "mean absolute return of 21 sessions", "1", [](Row r) { return r.mad; });
  constexpr std::array<const char*, kPredictors> kNow = {
      "mean return over mean absolute return, 21 sessions", "mean absolute return over its mean, less 1",
      "calls' share of percent gamma", "mean short share of off-exchange volume, sessions t-5 to t-1"};
  constexpr std::array<const char*, kPredictors> kOld = {
      "earlier P: mean of returns over the mean absolute return before each",
      "earlier V: change of the mean absolute return over 21 sessions",
      "earlier G: call gamma over put gamma at market volatility", "earlier D: short share of the session"};
  for (std::size_t k = 0; k < kPredictors; ++k) {
    const std::string letter = kLetters[k];
    number(letter, kNow[k], "1", [k](Row r) { return r.x[k]; });
    flags(letter + "_status", "why " + letter + " is missing", kPredictorStatusMeanings,
          [k](const TickerOutlook& o) { return o.forecast.at.status[k]; });
    number("z_" + letter, "standing of " + letter + " in its own past, -1 to 1", "1", [k](Row r) { return r.z[k]; });
    number(letter + "_old", kOld[k], "1", [k](Row r) { return r.old[k]; });
    flags(letter + "_old_status", "why " + letter + "_old is missing", kPredictorStatusMeanings,
          [k](const TickerOutlook& o) { return o.forecast.at.old_status[k]; });
  }
  number("v_raw", "mean absolute return less its mean", "1", [](Row r) { return r.v_raw; });
  number("rv20", "realised volatility of 20 sessions", "vol", [](Row r) { return r.rv20; });
  number("atr5", "mean true range of 5 sessions", "USD", [](Row r) { return r.atr5; });
  number("iv30", "volatility of 30 days that the premium is of", "vol", [](Row r) { return r.iv30; });
  number("premium", "iv30 less rv20", "vol", [](Row r) { return r.premium; });
  number("premium_score", "premium in deviations of its own past", "1", [](Row r) { return r.premium_score; });
  flags("premium_regime", "whether the score is above 0.5 or below -0.5", kRegimeMeanings,
        [](const TickerOutlook& o) -> std::int8_t {
          const std::int8_t regime = o.forecast.at.premium_regime;
          return regime == 2 ? std::int8_t{0} : static_cast<std::int8_t>(regime + 2);
        });
}

void record_forecasts(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook) {
  TableRecorder table(out, "forecast", "ticker", header.outlook.stored ? outlook.size() : 0);
  if (!header.outlook.stored) return;
  write_coordinates(table, header);
  table.column({"pair", {"pair"}, "two predictors", "", ""},
               std::vector<std::string>(kPairNames.begin(), kPairNames.end()));
  table.row_numbers("neighbour", kNeighbours);
  const std::vector<std::string> two = {"ticker", "horizon"}, pairs = {"ticker", "horizon", "pair"},
                                 near = {"ticker", "horizon", "neighbour"};
  using F = const TickerForecast&;
  table.column({"status", two, "why there is no forecast", "", kForecastStatusMeanings},
               by_horizon(outlook, 1, [](F f, std::size_t h, std::size_t) { return f.now[h].status; }));
  table.column({"predictor_set", two, "predictors of the distance", "", kSetMeanings},
               by_horizon(outlook, 1, [](F f, std::size_t h, std::size_t) { return set_flag(f.now[h].set); }));
  table.column({"candidates", two, "sessions that could have been neighbours", "1", ""},
               by_horizon(outlook, 1, [](F f, std::size_t h, std::size_t) {
                 return static_cast<std::int64_t>(f.now[h].candidates);
               }));
  const auto known = [](const Forecast& f, double value) { return f.status == ForecastStatus::kOk ? value : kNaN; };
  for (const Curve& curve : curves()) {
    table.column({curve.name, two, curve.meaning, curve.units, ""},
                 by_horizon(outlook, 1,
                            [&](F f, std::size_t h, std::size_t) { return known(f.now[h], curve.value(f.now[h])); }));
  }
  table.column(
      {"bandwidth", two, "of the kernel density", "1", ""},
      by_horizon(outlook, 1, [&](F f, std::size_t h, std::size_t) { return known(f.now[h], f.now[h].bandwidth); }));
  table.column(
      {"neighbour_session", near,
       "session of the neighbour, nearest first; the session itself where there is no forecast", kTimeUnits, ""},
      by_horizon(outlook, kNeighbours, [&](F f, std::size_t h, std::size_t k) {
        return f.now[h].status == ForecastStatus::kOk ? f.date[static_cast<std::size_t>(f.now[h].session[k])]
                                                      : midnight_of(header.outlook.session);
      }));
  const auto neighbour = [&](const char* name, const char* meaning, auto get) {
    table.column({name, near, meaning, "1", ""},
                 by_horizon(outlook, kNeighbours,
                            [&](F f, std::size_t h, std::size_t k) { return known(f.now[h], get(f.now[h], k)); }));
  };
  neighbour("neighbour_distance", "distance over the standings of the set",
            [](const Forecast& f, std::size_t k) { return std::sqrt(f.distance2[k]); });
  neighbour("neighbour_weight", "weight of the neighbour; they sum to 1",
            [](const Forecast& f, std::size_t k) { return f.weight[k]; });
  neighbour("neighbour_outcome", "what followed, in its own mean absolute returns times sqrt(horizon)",
            [](const Forecast& f, std::size_t k) { return f.outcome[k]; });
  for (const Curve& curve : curves()) {
    if (curve.name.starts_with("quantile")) continue;
    table.column({"pair_" + curve.name, pairs, curve.meaning + ", from two predictors alone", curve.units, ""},
                 by_horizon(outlook, kPairs.size(), [&](F f, std::size_t h, std::size_t p) {
                   return known(f.pair[h][p], curve.value(f.pair[h][p]));
                 }));
  }
}

void record_records(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook) {
  TableRecorder table(out, "record", "ticker", header.outlook.stored ? outlook.size() : 0);
  if (!header.outlook.stored) return;
  write_coordinates(table, header);
  table.column({"probability", {"probability"}, "of a quantile", "1", ""},
               std::vector<double>(kForecastProbabilities.begin(), kForecastProbabilities.end()));
  table.row_numbers("tenth", 10);
  const std::vector<std::string> two = {"ticker", "horizon"};
  using R = const ForecastRecord&;
  const auto count = [&](const char* name, const char* meaning, std::int64_t ForecastRecord::*member) {
    table.column({name, two, meaning, "1", ""},
                 by_horizon(outlook, 1, [member](const TickerForecast& f, std::size_t h, std::size_t) {
                   return f.record[h].*member;
                 }));
  };
  // What is a mean over no forecast is missing.
  const auto number = [&](const char* name, const char* meaning, double ForecastRecord::*member) {
    table.column({name, two, meaning, "1", ""},
                 by_horizon(outlook, 1, [member](const TickerForecast& f, std::size_t h, std::size_t) {
                   return f.record[h].forecasts > 0 ? f.record[h].*member : kNaN;
                 }));
  };
  count("forecasts", "sessions forecast and scored", &ForecastRecord::forecasts);
  number("n_independent", "forecasts over the horizon", &ForecastRecord::n_independent);
  number("crps", "mean continuous ranked probability score", &ForecastRecord::crps);
  number("crps_fair", "the same, corrected for the size of the ensemble", &ForecastRecord::crps_fair);
  number("crps_climatology", "that of all candidates at equal weights", &ForecastRecord::crps_climatology);
  number("skill", "1 less crps over crps_climatology", &ForecastRecord::skill);
  number("skill_t", "Newey-West t of the gain in crps", &ForecastRecord::skill_t);
  number("crps_random_walk", "crps of a normal that the mean absolute return implies",
         &ForecastRecord::crps_random_walk);
  number("skill_random_walk", "skill of that normal", &ForecastRecord::skill_random_walk);
  count("forecasts_implied", "forecasts of sessions with iv30", &ForecastRecord::forecasts_implied);
  number("crps_implied", "crps of a normal that iv30 implies", &ForecastRecord::crps_implied);
  number("skill_implied", "skill of that normal", &ForecastRecord::skill_implied);
  number("skill_where_implied", "the forecast's own skill over the sessions with iv30",
         &ForecastRecord::skill_where_implied);
  number("skill_random", "skill of 42 random candidates with the same weights by age", &ForecastRecord::skill_random);
  count("signs", "forecasts whose mean and outcome are other than 0", &ForecastRecord::signs);
  number("hit_rate", "share of them with the right sign", &ForecastRecord::hit_rate);
  number("hit_low", "lower end of its Wilson interval of 95 % at signs over horizon", &ForecastRecord::hit_low);
  number("hit_high", "upper end of it", &ForecastRecord::hit_high);
  number("always_up", "share of them with an outcome above 0", &ForecastRecord::always_up);
  const auto list = [&](const char* name, const char* meaning, const char* dim, std::size_t size, auto member) {
    table.column({name, {"ticker", "horizon", dim}, meaning, "1", ""},
                 by_horizon(outlook, size, [member](const TickerForecast& f, std::size_t h, std::size_t k) {
                   R record = f.record[h];
                   return record.forecasts > 0 ? (record.*member)[k] : kNaN;
                 }));
  };
  list("pinball", "mean pinball loss", "probability", kForecastProbabilities.size(), &ForecastRecord::pinball);
  list("pinball_climatology", "that of climatology", "probability", kForecastProbabilities.size(),
       &ForecastRecord::pinball_climatology);
  list("pit", "share of outcomes in each tenth of the forecast", "tenth", 10, &ForecastRecord::pit);
}

}  // namespace

void record_outlooks(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook) {
  record_predictors(out, header, outlook);
  record_forecasts(out, header, outlook);
  record_records(out, header, outlook);
}

std::size_t StepDatasets::add(hid_t group, TableWriter& table, const Column& column, Type type) {
  Dataset& made = dataset_.emplace_back();
  made.name = column.name;
  made.type = type;
  std::vector<hsize_t> dims, chunk;
  for (const std::string& dim : column.dims) {
    const std::size_t length = table.length(dim);
    // A ticker's chunk: one position model and rule, of the rest everything but closes far apart.
    const bool single = dim == "ticker" || dim == "position" || dim == "iv_rule";
    dims.push_back(length);
    chunk.push_back(single ? 1 : dim == "next_close" ? kCloses : length);
  }
  const std::string what = "create " + column.name;
  const Handle creation = dataset_properties(type, type == Type::kFloat32 || type == Type::kFloat64, chunk);
  const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  made.handle = Handle(
      H5Dcreate2(group, column.name.c_str(), file_type(type), space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
      H5Dclose, what);
  table.describe(made.handle.get(), column, type);
  return dataset_.size() - 1;
}

void StepDatasets::create(hid_t root, const NightHeader& header) {
  create_steps(root, header);
  create_maps(root, header);
}

void StepDatasets::create_steps(hid_t root, const NightHeader& header) {
  const OutlookAxes& axes = header.outlook;
  const bool stored = axes.stored && !axes.mode.empty();
  step_group_ = group_of(root, "step_forward", stored);
  if (!stored) return;
  const hid_t group = step_group_.get();
  write_attribute(group, "session", iso_date(midnight_of(axes.session)));
  write_attribute(group, "next_session_close", iso_from_instant(axes.next_close));
  TableWriter& table = step_table_.emplace(group);
  write_coordinates(table, header);
  std::vector<std::string> modes;
  for (const StepMode mode : axes.mode) modes.emplace_back(name(mode));
  table.column({"mode", {"mode"}, "append: the close of the next session; replace: another close of this one", "", ""},
               modes);
  table.column({"position", {"position"}, "position model", "", ""}, header.position);
  table.column({"iv_rule", {"iv_rule"}, "how volatility answers a move of spot", "", ""}, header.iv_rule);
  table.column({"iv_shift", {"iv_shift"}, "shift of implied volatility", "vol", ""}, header.iv_shift);
  table.row_numbers("neighbour", kNeighbours);
  std::vector<double> closes;
  for (std::size_t c = 0; c < axes.close.size(); ++c) closes.push_back(axes.close.x(c));
  table.column({"next_close", {"next_close"}, "return to the close in mean absolute returns of the session", "1", ""},
               closes);

  const std::vector<std::string> own = {"ticker", "next_close"}, mode = {"ticker", "mode", "next_close"},
                                 table_dims = {"ticker", "mode", "position", "iv_rule", "iv_shift", "next_close"};
  add(group, table, {"close", own, "hypothetical close", "USD", ""}, Type::kFloat64);
  add(group, table, {"close_status", own, "why a close has no numbers", "", kCloseStatusMeanings}, Type::kInt8);
  add(group, table, {"mad", mode, "mean absolute return after the close", "1", ""}, Type::kFloat64);
  add(group, table, {"predictor_set", mode, "predictors of the distance", "", kSetMeanings}, Type::kInt8);
  for (const char* letter : kLetters) {
    add(group, table, {letter, mode, std::string(letter) + " after the close", "1", ""}, Type::kFloat64);
  }
  for (const char* letter : kLetters) {
    add(group, table,
        {std::string("z_") + letter, mode, std::string("standing of ") + letter + " after the close, -1 to 1", "1", ""},
        Type::kFloat64);
  }
  add(group, table,
      {"g_old",
       {"ticker", "mode", "iv_rule", "iv_shift", "next_close"},
       "call gamma over put gamma at the market's volatility after rule and shift",
       "1",
       ""},
      Type::kFloat32);
  for (const QuantityText& text : kQuantityText) {
    add(group, table, {text.name, table_dims, text.meaning, text.units, ""}, Type::kFloat32);
  }
  for (const Curve& curve : curves()) {
    add(group, table,
        {curve.name, {"ticker", "mode", "horizon", "next_close"}, curve.meaning + " after the close", curve.units, ""},
        Type::kFloat64);
  }
  add(group, table,
      {"neighbour_age",
       {"ticker", "mode", "horizon", "neighbour", "next_close"},
       "sessions from the neighbour to the session, nearest first; 0 where there is no forecast",
       "1",
       ""},
      Type::kInt32);
}

void StepDatasets::create_maps(hid_t root, const NightHeader& header) {
  const bool stored = header.outlook.stored && header.outlook.maps;
  map_group_ = group_of(root, "weather", stored);
  if (!stored) return;
  TableWriter table(map_group_.get());
  write_coordinates(table, header);
  table.column({"pair", {"pair"}, "two predictors", "", ""},
               std::vector<std::string>(kPairNames.begin(), kPairNames.end()));
  table.column({"first", {"first"}, "standing of the first predictor", "1", ""}, map_nodes());
  table.column({"second", {"second"}, "standing of the second predictor", "1", ""}, map_nodes());
  const std::vector<std::string> dims = {"ticker", "horizon", "pair", "first", "second"};
  const auto map = [&](const char* name, const char* meaning) {
    const std::size_t index = add(map_group_.get(), table, {name, dims, meaning, "1", ""}, Type::kFloat32);
    write_attribute(dataset_[index].handle.get(), kKeptBits, std::int32_t{kMapBits});
  };
  map("mean", "mean outcome near the place, in mean absolute returns times sqrt(horizon)");
  map("magnitude", "mean absolute outcome near the place, less 1");
  map("mass", "sum of the kernel over the sessions of the past");
  map("n_eff", "effective number of sessions");
}

std::vector<EncodedChunk> encode_steps(const TickerSteps& steps, const NightHeader& header,
                                       const std::function<void(const std::string&)>& fail) {
  using Offset = std::array<std::int64_t, 6>;
  std::vector<EncodedChunk> chunks;
  const auto put = [&](std::size_t index, std::size_t axis, const Offset& offset, const auto& cells) {
    chunks.push_back({static_cast<std::int32_t>(index), static_cast<std::int32_t>(axis), offset,
                      cells.size() * sizeof(cells[0]), encode_cells(cells)});
  };
  const bool stepped = header.outlook.stored && !header.outlook.mode.empty();
  const std::size_t step_datasets = stepped ? kCurve + curves().size() + 1 : 0;
  if (stepped && !steps.step.empty()) {
    const StepForward& any = steps.step.front();
    const std::size_t modes = steps.step.size(), closes = any.axis.size();
    const Spread spread(any.axis, header.outlook.close, kCloses);
    // (rows, closes) with the closes last; `axis` is their place among the dimensions.
    const auto numbers = [&](std::size_t index, std::size_t rows, std::size_t axis, const auto& value) {
      spread(rows, kNaN, value, [&](std::size_t begin, const std::vector<double>& cells) {
        Offset offset{};
        offset[axis] = static_cast<std::int64_t>(begin);
        put(index, axis, offset, cells);
      });
    };
    const auto flags = [&](std::size_t index, std::size_t rows, std::size_t axis, const auto& value) {
      spread(rows, std::int8_t{0}, value, [&](std::size_t begin, const std::vector<std::int8_t>& cells) {
        Offset offset{};
        offset[axis] = static_cast<std::int64_t>(begin);
        put(index, axis, offset, cells);
      });
    };
    const auto single = [&](std::size_t index, const char* name, std::size_t rows, Offset offset, std::size_t axis,
                            const auto& value) {
      bool is_lost = false;
      const auto rounded = [&](std::size_t row, std::size_t c) {
        const double x = value(row, c);
        const auto f = static_cast<float>(x);
        is_lost |= !std::isnan(x) && !std::isfinite(f);
        return f;
      };
      spread(rows, std::numeric_limits<float>::quiet_NaN(), rounded,
             [&](std::size_t begin, const std::vector<float>& cells) {
               if (is_lost) fail(std::string("step_forward ") + name);
               offset[axis] = static_cast<std::int64_t>(begin);
               put(index, axis, offset, cells);
             });
    };
    numbers(kClose, 1, 1, [&](std::size_t, std::size_t c) { return any.close[c]; });
    flags(kStatus, 1, 1,
          [&](std::size_t, std::size_t c) { return static_cast<std::int8_t>(static_cast<int>(any.status[c]) + 1); });
    numbers(kMad, modes, 2, [&](std::size_t m, std::size_t c) { return steps.step[m].mad[c]; });
    flags(kSet, modes, 2, [&](std::size_t m, std::size_t c) { return set_flag(steps.step[m].forecast[0][c].set); });
    for (std::size_t k = 0; k < kPredictors; ++k) {
      numbers(kValue + k, modes, 2, [&](std::size_t m, std::size_t c) { return steps.step[m].value[k][c]; });
      numbers(kStanding + k, modes, 2, [&](std::size_t m, std::size_t c) { return steps.step[m].z[k][c]; });
    }
    // Every number of a forecast is taken while it is near: one is as long as a third of a page.
    const std::size_t lines = modes * kHorizons.size(), curve_count = curves().size();
    std::vector<double> curve(curve_count * lines * closes, kNaN);
    std::vector<std::int32_t> sessions_ago(lines * kNeighbours * closes, 0);
    for (std::size_t line = 0; line < lines; ++line) {
      for (std::size_t c = 0; c < closes; ++c) {
        const Forecast& f = steps.step[line / kHorizons.size()].forecast[line % kHorizons.size()][c];
        if (f.status != ForecastStatus::kOk) continue;
        for (std::size_t k = 0; k < curve_count; ++k) {
          curve[(k * lines + line) * closes + c] = curves()[k].value(f);
        }
        // The session's place is in its date list: neighbours count back from it.
        for (std::size_t k = 0; k < kNeighbours; ++k) {
          sessions_ago[(line * kNeighbours + k) * closes + c] =
              static_cast<std::int32_t>(steps.sessions) - 1 - f.session[k];
        }
      }
    }
    for (std::size_t k = 0; k < curve_count; ++k) {
      numbers(kCurve + k, lines, 3,
              [&](std::size_t line, std::size_t c) { return curve[(k * lines + line) * closes + c]; });
    }
    spread(
        lines * kNeighbours, std::int32_t{0},
        [&](std::size_t row, std::size_t c) { return sessions_ago[row * closes + c]; },
        [&](std::size_t begin, const std::vector<std::int32_t>& cells) {
          put(kCurve + curve_count, 4, {0, 0, 0, 0, static_cast<std::int64_t>(begin), 0}, cells);
        });
    const std::size_t rules = header.iv_rule.size(), shifts = header.iv_shift.size(),
                      positions = header.position.size();
    // Chunks hold every mode and shift of one model and rule.
    for (std::size_t r = 0; r < rules; ++r) {
      single(kRatio, "g_old", modes * shifts, {0, 0, static_cast<std::int64_t>(r), 0, 0, 0}, 4,
             [&](std::size_t row, std::size_t c) {
               const std::size_t m = row / shifts, v = row % shifts;
               return steps.table.gamma_ratio[((m * rules + r) * shifts + v) * closes + c];
             });
      for (std::size_t q = 0; q < kStepQuantities; ++q) {
        for (std::size_t w = 0; w < positions; ++w) {
          single(
              kQuantity + q, kQuantityText[q].name, modes * shifts,
              {0, 0, static_cast<std::int64_t>(w), static_cast<std::int64_t>(r), 0, 0}, 5,
              [&](std::size_t row, std::size_t c) {
                const std::size_t m = row / shifts, v = row % shifts;
                return steps.table.value[((((q * modes + m) * positions + w) * rules + r) * shifts + v) * closes + c];
              });
        }
      }
    }
  }
  if (header.outlook.stored && header.outlook.maps && !steps.maps[0].mean.empty()) {
    constexpr BitRounding rounded(kMapBits);
    constexpr std::uint32_t kInfinity = 0x7f800000U;
    std::size_t index = step_datasets;
    for (std::vector<float> WeatherMaps::*member :
         {&WeatherMaps::mean, &WeatherMaps::magnitude, &WeatherMaps::mass, &WeatherMaps::n_eff}) {
      std::vector<float> cells;
      for (const WeatherMaps& maps : steps.maps)
        cells.insert(cells.end(), (maps.*member).begin(), (maps.*member).end());
      for (float& value : cells) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        value = std::bit_cast<float>((bits & kInfinity) == kInfinity ? bits : rounded(bits));
      }
      put(index++, 0, {}, cells);
    }
  }
  return chunks;
}

void record_extremes(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook) {
  if (!header.outlook.stored || header.outlook.mode.empty()) return;
  TableRecorder table(out, "step_forward", "ticker", outlook.size());
  const std::vector<std::string> modes = {"ticker", "mode"}, dims = {"ticker", "mode", "horizon"};
  const std::size_t count = header.outlook.mode.size();
  const TickerOutlook::Mode none;
  const auto mode_of = [&](const TickerOutlook& o, std::size_t m) -> const TickerOutlook::Mode& {
    return m < o.mode.size() ? o.mode[m] : none;
  };
  const auto held = [&](const char* name, const char* meaning, bool TickerOutlook::Mode::*member) {
    std::vector<std::int8_t> values;
    for (const TickerOutlook& o : outlook) {
      for (std::size_t m = 0; m < count; ++m) values.push_back(mode_of(o, m).*member ? 1 : 0);
    }
    table.column({name, modes, meaning, "", kNoYesMeanings}, values);
  };
  held("d_held", "whether D is that of the session, the next one's being unknown", &TickerOutlook::Mode::d_held);
  held("g_held", "whether G is that of the session", &TickerOutlook::Mode::g_held);
  const auto number = [&](const char* name, const char* meaning, double StepExtremes::*member) {
    std::vector<double> values;
    for (const TickerOutlook& o : outlook) {
      for (std::size_t m = 0; m < count; ++m) {
        for (const StepExtremes& e : mode_of(o, m).extremes) values.push_back(e.known ? e.*member : kNaN);
      }
    }
    table.column({name, dims, meaning, "1", ""}, values);
  };
  number("best_close", "next close between -10 and 5 with the highest mean", &StepExtremes::best);
  number("best_mean", "that mean", &StepExtremes::best_mean);
  number("best_n_eff", "effective number of neighbours there", &StepExtremes::best_n_eff);
  number("worst_close", "next close between -10 and 5 with the lowest mean", &StepExtremes::worst);
  number("worst_mean", "that mean", &StepExtremes::worst_mean);
  number("worst_n_eff", "effective number of neighbours there", &StepExtremes::worst_n_eff);
}

void StepDatasets::close() {
  dataset_.clear();
  step_table_.reset();
  step_group_ = {};
  map_group_ = {};
}

}  // namespace greekgrid::h5

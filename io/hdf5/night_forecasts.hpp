#pragma once

/// @file
/// What a night says of its tickers' own history: /predictors, /forecast, /record, and the chunks of /step_forward and
/// /weather, which are written ticker by ticker. Private to io/hdf5.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "greekgrid/host/night_result.hpp"
#include "handle.hpp"
#include "table.hpp"
#include "ticker_columns.hpp"

namespace greekgrid::h5 {

/// One encoded chunk and its place.
struct EncodedChunk {
  std::int32_t dataset = 0;  ///< index into StepDatasets
  std::int32_t axis = 0;     ///< the dimension of closes, whose offset counts from the ticker's own axis; 0: none
  std::array<std::int64_t, 6> offset{};
  std::uint64_t raw_bytes = 0;  ///< before encoding
  std::vector<std::uint8_t> bytes;
};

/// Encodes one ticker's closes, whose axis is that of the header, and maps. Thread-safe.
/// @param fail called with the name of a value that single precision cannot hold; does not return
std::vector<EncodedChunk> encode_steps(const TickerSteps& steps, const NightHeader& header,
                                       const std::function<void(const std::string&)>& fail);

/// The datasets of /step_forward and /weather. Chunks that no ticker needs are not stored: they read as missing.
class StepDatasets {
 public:
  /// Creates groups, coordinates and empty datasets; groups without anything in them hold `rows` = 0.
  void create(hid_t root, const NightHeader& header);
  /// The tables begun, by group: what tickers add to them is written later.
  TableWriter* table() { return step_table_ ? &*step_table_ : nullptr; }
  /// Throws Error for an index beyond the datasets.
  hid_t dataset(std::size_t index) const {
    if (index >= dataset_.size()) throw Error("there is no such dataset of hypothetical closes");
    return dataset_[index].handle.get();
  }
  void close();

 private:
  struct Dataset {
    std::string name;
    Handle handle;
    Type type = Type::kFloat64;
  };
  std::size_t add(hid_t group, TableWriter& table, const Column& column, Type type);
  void create_steps(hid_t root, const NightHeader& header);
  void create_maps(hid_t root, const NightHeader& header);

  Handle step_group_, map_group_;
  std::optional<TableWriter> step_table_;
  std::vector<Dataset> dataset_;
};

/// /predictors, /forecast and /record.
void record_outlooks(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook);
/// The best and worst closes of /step_forward.
void record_extremes(TickerColumns& out, const NightHeader& header, const std::vector<TickerOutlook>& outlook);

}  // namespace greekgrid::h5

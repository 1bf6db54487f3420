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

namespace greekgrid::h5 {

/// One encoded chunk and its place.
struct EncodedChunk {
  std::size_t dataset = 0;  ///< index into its writer's datasets
  std::array<hsize_t, 6> offset{};
  std::size_t raw_bytes = 0;  ///< before encoding
  std::vector<std::uint8_t> bytes;
};

/// The datasets of /step_forward and /weather. Chunks that no ticker needs are not stored: they read as missing.
class StepDatasets {
 public:
  /// Creates groups, coordinates and empty datasets; groups without anything in them hold `rows` = 0.
  void create(hid_t root, const NightHeader& header);
  /// Encodes one ticker. Thread-safe.
  /// @param fail called with the name of a value that single precision cannot hold; does not return
  std::vector<EncodedChunk> encode(std::size_t ticker, const TickerSteps& steps, const NightHeader& header,
                                   const std::function<void(const std::string&)>& fail) const;
  /// Writes the table of best and worst closes.
  void finish(const NightHeader& header, const std::vector<TickerOutlook>& outlook);
  hid_t dataset(std::size_t index) const { return dataset_[index].handle.get(); }
  void close();

 private:
  struct Dataset {
    std::string name;
    Handle handle;
    Type type = Type::kFloat64;
    std::vector<std::size_t> chunk, length;  ///< by dimension
  };
  std::size_t add(hid_t group, TableWriter& table, const Column& column, Type type);
  void create_steps(hid_t root, const NightHeader& header);
  void create_maps(hid_t root, const NightHeader& header);

  Handle step_group_, map_group_;
  std::optional<TableWriter> step_table_;
  std::vector<Dataset> dataset_;
  std::size_t first_map_ = 0;
};

/// /predictors, /forecast and /record.
void write_outlooks(hid_t root, const NightHeader& header, const std::vector<TickerOutlook>& outlook);

}  // namespace greekgrid::h5

// What the readers of chains.h5, history.h5 and night.h5 take over from a child process: any bytes give values that fit
// together or an InputError. The first byte chooses the reader.
//   fuzz_answer --record READER FILE SEED     writes the answer of an honest child that reads FILE

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "answer.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/history_file.hpp"
#include "greekgrid/io/night_file.hpp"
#include "greekgrid/io/night_table.hpp"

namespace {

using namespace greekgrid;

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_plain(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

void check_columns(const std::vector<TableColumn>& table) {
  for (const TableColumn& column : table) {
    std::size_t count = 1;
    for (const std::int64_t length : column.variable.lengths) count *= static_cast<std::size_t>(length);
    require(count == std::visit([](const auto& values) { return values.size(); }, column.values));
    require(column.variable.flag_values.size() == column.variable.flag_meanings.size());
    require(is_plain(column.variable.name) && is_plain(column.variable.units) && is_plain(column.variable.long_name));
    if (const auto* texts = std::get_if<std::vector<std::string>>(&column.values)) {
      for (const std::string& text : *texts) require(is_plain(text));
    }
  }
}

void read(int reader, const std::string& path) {
  switch (reader) {
    case 0: {
      const OptionChain chain = read_chain_file(path);
      require(chain.contracts() > 0 && chain.spot.size() == chain.tickers());
      for (const std::int32_t expiry : chain.contract_expiry) {
        require(expiry >= 0 && static_cast<std::size_t>(expiry) < chain.expiries());
      }
      break;
    }
    case 1: {
      const DailyHistory history = read_history_file(path);
      require(history.rows() > 0 && history.date.size() == history.close.size());
      break;
    }
    case 2: {
      const NightSummary night = read_night_summary(path);
      require(night.header.spot_reference.size() == night.header.ticker.size());
      break;
    }
    case 3: {
      const TableFile file = list_groups(path);
      for (const TableGroup& group : file.groups) require(is_plain(group.path));
      break;
    }
    case 4:
      check_columns(read_table(path, "levels"));
      break;
    case 5: {
      TableSelection part;
      part.variables = {"gx", "spot"};
      part.ranges["ticker"] = {1, 1};
      const std::vector<TableColumn> table = read_table(path, "root", part);
      require(table.size() == 2);
      check_columns(table);
      break;
    }
    default:
      read_schema_name(path);
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  if (*count != 5 || std::strcmp((*words)[1], "--record") != 0) return 0;
  const char reader = static_cast<char>(std::atoi((*words)[2]));
  fuzz::recorded = ::open((*words)[4], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fuzz::recorded < 0 || ::write(fuzz::recorded, &reader, 1) != 1) std::exit(1);
  try {
    read(reader, (*words)[3]);
  } catch (const InputError& error) {
    std::exit(std::strstr(error.what(), "recorded") != nullptr ? 0 : 1);
  }
  std::exit(1);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  fuzz::answer = std::span(data + 1, size - 1);
  try {
    read(data[0] % 7, "fuzz.h5");
  } catch (const InputError&) {
  }
  return 0;
}

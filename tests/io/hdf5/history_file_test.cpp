#include "greekgrid/io/history_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid_test/test_data.hpp"
#include "handle.hpp"
#include "sample.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string message_of(const fs::path& file) {
  try {
    read_history_file(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

void expect_same(const DailyHistory& a, const DailyHistory& b) {
  EXPECT_EQ(a.symbol, b.symbol);
  EXPECT_EQ(a.row_begin, b.row_begin);
  EXPECT_EQ(a.row_count, b.row_count);
  EXPECT_EQ(a.date, b.date);
  ASSERT_EQ(a.source.size(), b.source.size());
  for (std::size_t i = 0; i < a.source.size(); ++i) EXPECT_EQ(a.source[i].sha256, b.source[i].sha256);
  for (const DailyQuantity& quantity : kDailyQuantities) {
    const auto &left = a.*quantity.column, &right = b.*quantity.column;
    ASSERT_EQ(left.size(), right.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
      EXPECT_TRUE(left[i] == right[i] || (std::isnan(left[i]) && std::isnan(right[i]))) << quantity.name << " " << i;
    }
  }
}

TEST(HistoryFile, RoundTrip) {
  const fs::path dir = test::scratch_dir("history");
  for (const DailyHistory& history : {test::sample_history(1, 1), test::sample_history(40, 600)}) {
    write_history_file(history, dir / "a.h5");
    write_history_file(history, dir / "b.h5");
    EXPECT_EQ(read_schema_name(dir / "a.h5"), "greekgrid.history");
    expect_same(history, read_history_file(dir / "a.h5"));
    EXPECT_EQ(bytes(dir / "a.h5"), bytes(dir / "b.h5"));
  }
}

// A store that grows day by day is the store made at once.
TEST(HistoryFile, AppendingGivesTheBytesOfOneGo) {
  const fs::path dir = test::scratch_dir("history");
  const DailyHistory a = test::sample_history(3, 10);
  DailyHistory b = test::sample_history(5, 12), c = test::sample_history(2, 15);
  b.source = {{"b.csv", std::string(64, 'b')}};
  c.source = {{"c.csv", std::string(64, 'c')}};
  const DailyHistory* all[] = {&a, &b, &c};
  write_history_file(merge_histories(all, false).history, dir / "once.h5");
  const DailyHistory* first[] = {&a, &b};
  write_history_file(merge_histories(first, false).history, dir / "grown.h5");
  const DailyHistory stored = read_history_file(dir / "grown.h5");
  const DailyHistory* second[] = {&stored, &c};
  write_history_file(merge_histories(second, false).history, dir / "grown.h5");
  EXPECT_EQ(bytes(dir / "once.h5"), bytes(dir / "grown.h5"));
}

TEST(HistoryFile, RefusesWhatItDoesNotPromise) {
  const fs::path file = test::scratch_dir("history") / "h.h5";
  EXPECT_THROW(write_history_file(DailyHistory(), file), OutputError);
  const auto spoiled = [&](auto change) {
    DailyHistory history = test::sample_history(3, 4);
    change(history);
    EXPECT_THROW(write_history_file(history, file), OutputError);
    EXPECT_FALSE(fs::exists(file));
  };
  spoiled([](DailyHistory& h) { std::swap(h.symbol[0], h.symbol[1]); });
  spoiled([](DailyHistory& h) { h.date[1] = h.date[0]; });
  spoiled([](DailyHistory& h) { h.date[1] += 1; });
  spoiled([](DailyHistory& h) { h.row_begin[1] += 1; });
  spoiled([](DailyHistory& h) { h.row_count[2] += 1; });
  spoiled([](DailyHistory& h) { h.close.pop_back(); });
  spoiled([](DailyHistory& h) { h.volume[0] = -1.0; });
  spoiled([](DailyHistory& h) { h.close[0] = std::numeric_limits<double>::infinity(); });
}

TEST(HistoryFile, RefusesOtherAndDamagedFiles) {
  const fs::path dir = test::scratch_dir("history");
  write_chain_file(test::sample_chain(1, 2), dir / "chains.h5");
  EXPECT_THAT(message_of(dir / "chains.h5"), HasSubstr("chains.h5: "));
  EXPECT_THAT(message_of(dir / "none.h5"), HasSubstr("cannot be read"));
  write_history_file(test::sample_history(3, 400), dir / "h.h5");
  const std::string good = bytes(dir / "h.h5");
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, good.size() / 2, good.size() - 1}) {
    std::ofstream(dir / "cut.h5", std::ios::binary) << good.substr(0, size);
    EXPECT_NE(message_of(dir / "cut.h5"), "no error") << size;
  }
  {
    const h5::LibraryLock lock;
    h5::Handle file(H5Fopen((dir / "h.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose, "open");
    h5::check(H5Adelete(file.get(), "schema_version"), "delete");
    h5::write_attribute(file.get(), "schema_version", std::string("2.0"));
    file.close("close");
  }
  EXPECT_THAT(message_of(dir / "h.h5"), HasSubstr("2.0"));
}

}  // namespace
}  // namespace greekgrid

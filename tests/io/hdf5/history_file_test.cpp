#include "greekgrid/io/history_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/file_lock.hpp"
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
  EXPECT_EQ(a.knowledge_time, b.knowledge_time);
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
  spoiled([](DailyHistory& h) { h.knowledge_time[1] = h.date[1] - 1; });
  spoiled([](DailyHistory& h) { h.knowledge_time[1] = Instant{1} << 40; });
  spoiled([](DailyHistory& h) { h.knowledge_time.pop_back(); });
  spoiled([](DailyHistory& h) { h.row_begin[1] += 1; });
  spoiled([](DailyHistory& h) { h.row_count[2] += 1; });
  spoiled([](DailyHistory& h) { h.close.pop_back(); });
  spoiled([](DailyHistory& h) { h.volume[0] = -1.0; });
  spoiled([](DailyHistory& h) { h.close[0] = std::numeric_limits<double>::infinity(); });
}

/// One row of one symbol.
DailyHistory row_of(const std::string& symbol, int day, double close, const std::string& source = "tonight") {
  DailyHistory history;
  append_symbol_row(history, symbol, Date{std::chrono::sys_days{std::chrono::days{18700 + day}}},
                    Instant{18700 + day} * 86400 + 80000);
  history.close.back() = close;
  history.source = {{source, std::string(64, 'd')}};
  return history;
}

/// Which file it is and when it was written.
std::pair<ino_t, std::int64_t> identity(const fs::path& file) {
  struct stat found {};
  EXPECT_EQ(::stat(file.c_str(), &found), 0);
  return {found.st_ino, found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
}

TEST(AppendToHistory, AddsRowsAndLeavesWhatItKnows) {
  const fs::path dir = test::scratch_dir("append"), store = dir / "h.h5";
  const DailyHistory before = test::sample_history(3, 10);
  const HistoryAppend made = append_to_history(store, before, false);
  EXPECT_TRUE(made.written);
  EXPECT_EQ(made.before.rows(), 0U);
  expect_same(read_history_file(store), before);

  const DailyHistory tonight = row_of("S1001", 10, 7.5);
  const HistoryAppend added = append_to_history(store, tonight, false);
  EXPECT_TRUE(added.written);
  EXPECT_TRUE(added.merge.contradiction.empty());
  expect_same(added.before, before);
  const DailyHistory now = read_history_file(store);
  expect_same(now, added.merge.history);
  EXPECT_EQ(now.rows(), before.rows() + 1);
  EXPECT_EQ(now.close[20], 7.5);
  EXPECT_EQ(now.knowledge_time[20], Instant{18710} * 86400 + 80000);

  // The same again, even as another file, is nothing new; the store is not touched.
  const auto untouched = identity(store);
  const HistoryAppend again = append_to_history(store, row_of("S1001", 10, 7.5, "rerun"), false);
  EXPECT_FALSE(again.written);
  EXPECT_EQ(again.merge.repeated[1], 1);
  EXPECT_EQ(identity(store), untouched);
  // The bytes are those of one go.
  const DailyHistory* parts[] = {&before, &tonight};
  write_history_file(merge_histories(parts, false).history, dir / "once.h5");
  EXPECT_EQ(bytes(store), bytes(dir / "once.h5"));

  // Another value is reported and not taken, or taken where that is asked for.
  const DailyHistory other = row_of("S1001", 10, 8.5, "other");
  for (const bool replace : {false, true}) {
    const HistoryAppend contradicted = append_to_history(store, other, replace);
    EXPECT_EQ(contradicted.written, replace);
    ASSERT_EQ(contradicted.merge.contradiction.size(), 1U);
    EXPECT_EQ(contradicted.merge.contradiction[0].part, 1U);
    EXPECT_EQ(contradicted.merge.contradiction[0].earlier, 7.5);
    EXPECT_EQ(contradicted.merge.contradiction[0].later, 8.5);
    EXPECT_EQ(identity(store) == untouched, !replace);
    EXPECT_EQ(read_history_file(store).close[20], replace ? 8.5 : 7.5);
  }
}

TEST(AppendToHistory, PartsMayComeBeforeTheStore) {
  const fs::path store = test::scratch_dir("append") / "h.h5";
  append_to_history(store, row_of("A", 0, 1.0), false);
  const DailyHistory first = row_of("A", 0, 2.0), last = row_of("A", 0, 3.0);
  const DailyHistory* parts[] = {&first, &last};
  const HistoryAppend append = append_to_history(store, parts, false, 1);
  EXPECT_EQ(read_history_file(store).close[0], 2.0);
  ASSERT_EQ(append.merge.contradiction.size(), 2U);
  EXPECT_EQ(append.merge.contradiction[0].later, 1.0) << "of the store, part 1";
  EXPECT_EQ(append.merge.contradiction[0].part, 1U);
  EXPECT_EQ(append.merge.contradiction[1].part, 2U);
  EXPECT_THROW(append_to_history(store, parts, false, 3), std::invalid_argument);
}

TEST(AppendToHistory, ADamagedStoreIsNotReplaced) {
  const fs::path dir = test::scratch_dir("append"), store = dir / "h.h5";
  std::ofstream(store) << "no store";
  EXPECT_THROW(append_to_history(store, row_of("A", 0, 1.0), false), InputError);
  EXPECT_EQ(bytes(store), "no store");
  EXPECT_THROW(append_to_history(dir / "none" / "h.h5", row_of("A", 0, 1.0), false), OutputError);
  EXPECT_FALSE(fs::exists(dir / ".h.h5.lock"));
}

constexpr int kWriters = 4, kAppends = 6;

void append_some(const fs::path& store, int writer) {
  for (int day = 0; day < kAppends; ++day)
    append_to_history(store, row_of("W" + std::to_string(writer), day, 1.0 + day), false);
}

void expect_all_rows(const fs::path& store) {
  const DailyHistory history = read_history_file(store);
  EXPECT_EQ(history.symbols(), std::size_t{kWriters});
  EXPECT_EQ(history.rows(), std::size_t{kWriters * kAppends});
  EXPECT_FALSE(fs::exists(store.parent_path() / ("." + store.filename().string() + ".lock")));
}

// Each reads what the others wrote before it writes: without the lock most rows are lost.
TEST(AppendToHistory, ThreadsLoseNothingOfOneAnother) {
  const fs::path store = test::scratch_dir("append") / "h.h5";
  std::vector<std::thread> writers;
  std::atomic<int> failed{0};
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      try {
        append_some(store, w);
      } catch (const std::exception&) {
        ++failed;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
  expect_all_rows(store);
}

TEST(AppendToHistory, ProcessesLoseNothingOfOneAnother) {
  const fs::path dir = test::scratch_dir("append"), store = dir / "h.h5";
  fs::create_directory(dir / "elsewhere");
  fs::create_symlink("../h.h5", dir / "elsewhere" / "link.h5");  // another name of the same store
  append_to_history(store, row_of("W0", 0, 1.0), false);
  std::vector<pid_t> children;
  for (int w = 0; w < kWriters; ++w) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        append_some(w % 2 == 0 ? store : dir / "elsewhere" / "link.h5", w);
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  expect_all_rows(store);
}

// Who dies with the lock leaves a file behind and no lock.
TEST(FileLock, EndsWithItsOwner) {
  const fs::path file = test::scratch_dir("lock") / "h.h5", left = file.parent_path() / ".h.h5.lock";
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FileLock lock(file);
    const char held = 1;
    if (::write(pipe[1], &held, 1) == 1) ::pause();
    ::_exit(1);
  }
  char held = 0;
  ASSERT_EQ(::read(pipe[0], &held, 1), 1);
  std::atomic<bool> taken{false};
  std::thread waiter([&] {
    const FileLock lock(file);
    taken = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(taken) << "the child holds it";
  EXPECT_TRUE(fs::exists(left));
  ::kill(child, SIGKILL);
  waiter.join();
  EXPECT_TRUE(taken);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(fs::exists(left));
  for (const int end : pipe) ::close(end);
}

// The readers of this program are forked: a child that lives on with the descriptor keeps nobody waiting.
TEST(FileLock, IsNotInheritedByChildren) {
  const fs::path file = test::scratch_dir("lock") / "h.h5";
  auto lock = std::make_unique<FileLock>(file);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(1);
  }
  std::atomic<bool> taken{false};
  std::thread waiter([&] {
    const FileLock next(file);
    taken = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(taken);
  lock.reset();
  for (int tenth = 0; tenth < 100 && !taken; ++tenth) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(taken);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  waiter.join();
}

// A store outlives the versions of the program: what it does not know yet is missing, without knowledge times it is
// none.
TEST(HistoryFile, TakesFilesOfBeforeAColumnAndNoneWithoutKnowledgeTimes) {
  const fs::path file = test::scratch_dir("history") / "h.h5";
  for (const std::string name : {"g_old", "spot", "knowledge_time"}) {
    write_history_file(test::sample_history(2, 3), file);
    {
      const h5::LibraryLock lock;
      h5::Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose, "open");
      h5::check(H5Ldelete(opened.get(), name.c_str(), H5P_DEFAULT), "delete");
      opened.close("close");
    }
    if (name == "knowledge_time") {
      EXPECT_THAT(message_of(file), HasSubstr("variable " + name + " is missing (another version of the program"));
      continue;
    }
    const DailyHistory read = read_history_file(file), whole = test::sample_history(2, 3);
    EXPECT_EQ(read.close, whole.close);
    const std::vector<double>& lost = name == "spot" ? read.spot : read.g_old;
    ASSERT_EQ(lost.size(), read.rows());
    EXPECT_TRUE(std::all_of(lost.begin(), lost.end(), [](double x) { return std::isnan(x); })) << name;
  }
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

#include "greekgrid/io/chain_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include "child_reader.hpp"
#include "greekgrid_test/test_data.hpp"
#include "handle.hpp"
#include "sample.hpp"
#include "shared_values.hpp"
#include "table.hpp"

// Of the library, for headers that are changed by hand.
extern "C" std::uint32_t H5_checksum_metadata(const void* data, std::size_t length, std::uint32_t start);

// A file that could not be closed, because the disk is full, stays in the library's memory.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace greekgrid {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

void expect_same(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  const auto same = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), same);
  if (at != a.end()) ADD_FAILURE() << at - a.begin() << ": " << *at << " " << *other;
}

void expect_same(const OptionChain& a, const OptionChain& b) {
  EXPECT_EQ(a.quote_time, b.quote_time);
  EXPECT_EQ(a.file_time, b.file_time);
  EXPECT_EQ(a.open_interest_settle_date, b.open_interest_settle_date);
  EXPECT_EQ(a.open_interest_knowledge_time, b.open_interest_knowledge_time);
  ASSERT_EQ(a.source.size(), b.source.size());
  for (std::size_t i = 0; i < a.source.size(); ++i) {
    EXPECT_EQ(a.source[i].name, b.source[i].name);
    EXPECT_EQ(a.source[i].sha256, b.source[i].sha256);
  }
  EXPECT_EQ(a.ticker, b.ticker);
  expect_same(a.spot, b.spot);
  EXPECT_EQ(a.contract_begin, b.contract_begin);
  EXPECT_EQ(a.contract_count, b.contract_count);
  EXPECT_EQ(a.expiry_ticker, b.expiry_ticker);
  EXPECT_EQ(a.root, b.root);
  EXPECT_EQ(a.settlement, b.settlement);
  EXPECT_EQ(a.exercise, b.exercise);
  EXPECT_EQ(a.style, b.style);
  EXPECT_EQ(a.contract_expiry, b.contract_expiry);
  EXPECT_EQ(a.right, b.right);
  for (const auto member :
       {&OptionChain::strike, &OptionChain::multiplier, &OptionChain::bid, &OptionChain::ask, &OptionChain::last,
        &OptionChain::volume, &OptionChain::open_interest, &OptionChain::vendor_iv, &OptionChain::vendor_delta,
        &OptionChain::vendor_gamma, &OptionChain::dealer_position}) {
    expect_same(a.*member, b.*member);
  }
}

std::string message_of(const fs::path& file) {
  try {
    read_chain_file(file);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// A file written, then changed through the library.
fs::path changed(const std::function<void(hid_t)>& change, const OptionChain& chain = test::sample_chain(2, 3)) {
  const fs::path file = test::scratch_dir("chain") / "chains.h5";
  write_chain_file(chain, file);
  const h5::LibraryLock lock;
  h5::Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose, "open");
  change(opened.get());
  opened.close("close");
  return file;
}

/// Changes one value of a variable.
template <class T>
std::function<void(hid_t)> value(const char* path, std::size_t index, T number) {
  return [=](hid_t file) {
    const h5::Handle dataset(H5Dopen2(file, path, H5P_DEFAULT), H5Dclose, "open");
    const h5::Handle space(H5Dget_space(dataset.get()), H5Sclose, "space");
    std::vector<T> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get())));
    const hid_t type = h5::memory_type(h5::type_of<T>());
    h5::check(H5Dread(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read");
    values.at(index) = number;
    h5::check(H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write");
  };
}

std::function<void(hid_t)> text_attribute(const char* name, const char* text) {
  return [=](hid_t file) {
    h5::check(H5Adelete(file, name), "delete");
    h5::write_attribute(file, name, std::string(text));
  };
}

/// Replaces a variable by one of another type, shape or storage.
std::function<void(hid_t)> replaced(const char* path, hid_t (*type)(), std::vector<hsize_t> dims,
                                    std::vector<hsize_t> chunk) {
  return [=](hid_t file) {
    h5::check(H5Ldelete(file, path, H5P_DEFAULT), "delete");
    const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "create");
    if (!chunk.empty()) h5::check(H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()), "chunk");
    const h5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, "space");
    const h5::Handle dataset(H5Dcreate2(file, path, type(), space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                             H5Dclose, "create");
  };
}

hid_t f64() {
  return H5T_IEEE_F64LE;
}
hid_t f32() {
  return H5T_IEEE_F32LE;
}
hid_t i32() {
  return H5T_STD_I32LE;
}
hid_t i64() {
  return H5T_STD_I64LE;
}

TEST(ChainFile, RoundTrip) {
  const fs::path file = test::scratch_dir("chain") / "chains.h5";
  for (const OptionChain& chain : {test::sample_chain(3, 5), test::one_contract_chain(), test::sample_chain(60, 150)}) {
    write_chain_file(chain, file);
    const OptionChain read = read_chain_file(file);
    expect_same(read, chain);
    EXPECT_EQ(read.rows_in, static_cast<std::int64_t>(chain.contracts()));
    EXPECT_TRUE(read.rejects.empty());
  }
}

TEST(ChainFile, KeepsDealerPositionsAndMissingSpots) {
  const fs::path file = test::scratch_dir("chain") / "chains.h5";
  OptionChain chain = test::sample_chain(2, 300);
  chain.dealer_position.assign(chain.contracts(), -12.5);
  chain.spot[1] = std::numeric_limits<double>::quiet_NaN();
  // A ticker without contracts between others is a valid one.
  chain.ticker.insert(chain.ticker.begin() + 1, "T1000B");
  chain.spot.insert(chain.spot.begin() + 1, 5.0);
  chain.contract_begin.insert(chain.contract_begin.begin() + 1, chain.contract_begin[1]);
  chain.contract_count.insert(chain.contract_count.begin() + 1, 0);
  for (std::int32_t& ticker : chain.expiry_ticker) ticker *= 2;
  write_chain_file(chain, file);
  expect_same(read_chain_file(file), chain);
}

/// One that several processes read.
OptionChain large_chain() {
  OptionChain chain = test::sample_chain(20, 400);
  std::mt19937_64 random(1);  // what cannot be packed
  for (auto* column : {&chain.bid, &chain.ask, &chain.last, &chain.vendor_delta, &chain.vendor_gamma}) {
    for (double& value : *column) value = static_cast<double>(random()) * 0x1p-64;
  }
  return chain;
}

TEST(ChainFile, IsReadBySeveralProcessesWhenItIsLarge) {
  const fs::path file = test::scratch_dir("chain") / "chains.h5";
  OptionChain chain = large_chain();
  for (const bool has_positions : {false, true}) {
    if (has_positions) chain.dealer_position = chain.vendor_delta;
    write_chain_file(chain, file);
    ASSERT_GT(fs::file_size(file), std::uintmax_t{1} << 20U);
    expect_same(read_chain_file(file), chain);
    // In memory there is one process: the digest is of the values, wherever they lie.
    EXPECT_EQ(ChainStore(file, "").digest(), ChainStore(chain, "").digest());
  }
}

TEST(ChainFile, RefusesALargeOneWhicheverProcessFindsFault) {
  const auto missing = [](const char* path) {
    return [path](hid_t file) { h5::check(H5Ldelete(file, path, H5P_DEFAULT), "delete"); };
  };
  for (const char* path : {"/spot", "/bid", "/volume", "/vendor_gamma"}) {
    EXPECT_THAT(message_of(changed(missing(path), large_chain())), HasSubstr(std::string(path) + " is missing"));
  }
  // Of two the first in the order of the file, however soon the other process is done.
  EXPECT_THAT(message_of(changed(
                  [&](hid_t file) {
                    missing("/vendor_gamma")(file);
                    missing("/vendor_iv")(file);
                    missing("/ask")(file);
                  },
                  large_chain())),
              HasSubstr("/ask is missing"));
  EXPECT_THAT(message_of(changed(text_attribute("schema", "greekgrid.other"), large_chain())),
              HasSubstr("is no greekgrid.chains file"));
}

/// Every order of filters that is allowed, in chunks that do not divide the column.
TEST(ChainFile, ReadsWhatOtherProgramsPackInOtherWays) {
  const OptionChain chain = test::sample_chain(2, 300);
  const std::string orders[] = {"", "s", "d", "f", "sd", "ds", "df", "sdf", "fd", "fsdf", "sfdff", "sf"};
  for (const std::string& order : orders) {
    const bool is_allowed = order != "ds";
    const auto change = [&](hid_t file) {
      h5::check(H5Ldelete(file, "/bid", H5P_DEFAULT), "delete");
      const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "create");
      const hsize_t chunk = 77, length = chain.contracts();
      h5::check(H5Pset_chunk(creation.get(), 1, &chunk), "chunk");
      for (const char filter : order) {
        if (filter == 's') h5::check(H5Pset_shuffle(creation.get()), "filter");
        if (filter == 'd') h5::check(H5Pset_deflate(creation.get(), 6), "filter");
        if (filter == 'f') h5::check(H5Pset_fletcher32(creation.get()), "filter");
      }
      const h5::Handle space(H5Screate_simple(1, &length, nullptr), H5Sclose, "space");
      const h5::Handle dataset(H5Dcreate2(file, "/bid", f64(), space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                               H5Dclose, "create");
      h5::check(H5Dwrite(dataset.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, chain.bid.data()), "write");
    };
    const fs::path file = changed(change, chain);
    if (is_allowed) {
      expect_same(read_chain_file(file), chain);
    } else {
      EXPECT_THAT(message_of(file), HasSubstr("/bid has filters in an order")) << order;
    }
  }
}

TEST(ChainFile, RefusesFiltersThatItWouldUndoInAnotherWay) {
  const OptionChain chain = test::sample_chain(2, 300);
  const auto packed = [&](bool leaves_the_last) {
    return [&, leaves_the_last](hid_t file) {
      h5::check(H5Ldelete(file, "/bid", H5P_DEFAULT), "delete");
      const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "create");
      const hsize_t chunk = 77, length = chain.contracts();
      h5::check(H5Pset_chunk(creation.get(), 1, &chunk), "chunk");
      h5::check(H5Pset_shuffle(creation.get()), "filter");
      if (leaves_the_last) {
        h5::check(H5Pset_chunk_opts(creation.get(), H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS), "options");
      }
      const h5::Handle space(H5Screate_simple(1, &length, nullptr), H5Sclose, "space");
      const h5::Handle dataset(H5Dcreate2(file, "/bid", f64(), space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                               H5Dclose, "create");
      h5::check(H5Dwrite(dataset.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, chain.bid.data()), "write");
    };
  };
  // The last chunk lies there unshuffled, in its full length.
  EXPECT_THAT(message_of(changed(packed(true), chain)), HasSubstr("/bid leaves some of its chunks unfiltered"));
  const fs::path file = changed(packed(false), chain);
  expect_same(read_chain_file(file), chain);
  std::string bytes = read(file);
  using namespace std::string_literals;
  // Identifier, flags, number of parameters, the width: of the variable that lies last, whose header begins with
  // its signature, version, flags and length, and ends with a checksum.
  const std::size_t header = bytes.rfind("OHDR");
  const std::size_t at = bytes.find("\x02\0\x01\0\x01\0\x08\0\0\0"s, header);
  ASSERT_TRUE(header != std::string::npos && at != std::string::npos);
  bytes[at + 6] = 1;  // to the library: not shuffled
  const auto flags = static_cast<unsigned char>(bytes[header + 5]);
  const std::size_t begin = header + 6 + ((flags & 0x20U) != 0 ? 16 : 0) + ((flags & 0x10U) != 0 ? 4 : 0);
  const std::size_t width = std::size_t{1} << (flags & 3U);
  std::size_t length = 0;
  std::memcpy(&length, &bytes[begin], width);
  const std::size_t end = begin + width + length;
  ASSERT_LT(end + 4, bytes.size());
  const std::uint32_t sum = H5_checksum_metadata(&bytes[header], end - header, 0);
  std::memcpy(&bytes[end], &sum, sizeof sum);
  write(file, bytes);
  EXPECT_THAT(message_of(file), HasSubstr("is shuffled by another width"));
}

TEST(ChildReader, ReadsInSeveralProcessesAndLeavesNone) {
  const fs::path file = test::scratch_dir("chain") / "chains.h5";
  write_chain_file(test::one_contract_chain(), file);
  std::vector<h5::Spool> spools;
  for (int k = 0; k < 3; ++k) spools.emplace_back(fs::path());
  const h5::ReadFunction tells = [](hid_t, std::uint64_t, h5::ArchiveWriter& out) { out(std::int64_t{::getpid()}); };
  const h5::ReadFunction crashes = [](hid_t, std::uint64_t, h5::ArchiveWriter&) { std::abort(); };
  const h5::ReadFunction refuses = [](hid_t, std::uint64_t, h5::ArchiveWriter&) { throw h5::Error("refused"); };
  const h5::ReadFunction waits = [](hid_t, std::uint64_t, h5::ArchiveWriter&) { ::usleep(100000); };
  std::vector<std::int64_t> processes = {::getpid()};
  const auto take = [&](std::span<h5::ArchiveReader> in) {
    for (h5::ArchiveReader& one : in) one(processes.emplace_back());
  };
  h5::read_in_children(file, spools, std::vector{tells, tells, tells}, take);
  EXPECT_EQ(std::set(processes.begin(), processes.end()).size(), 4U);
  const auto message = [&](const std::vector<h5::ReadFunction>& reads) {
    std::vector<h5::Spool> own;
    for (int k = 0; k < 3; ++k) own.emplace_back(fs::path());
    try {
      h5::read_in_children(file, own, reads, [](auto) { ADD_FAILURE(); });
    } catch (const InputError& error) {
      EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
      EXPECT_EQ(errno, ECHILD);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message({waits, crashes, refuses}), HasSubstr("crashes the HDF5 library"));
  EXPECT_THAT(message({refuses, waits, crashes}), HasSubstr("refused"));
}

TEST(ChainFile, RefusesAChunkWithAnotherChecksum) {
  const OptionChain chain = test::sample_chain(2, 300);
  haddr_t address = 0;
  hsize_t size = 0;
  const fs::path file = changed(
      [&](hid_t opened) {
        const h5::Handle dataset(H5Dopen2(opened, "/last", H5P_DEFAULT), H5Dclose, "open");
        const hsize_t first = 0;
        unsigned mask = 0;
        h5::check(H5Dget_chunk_info_by_coord(dataset.get(), &first, &mask, &address, &size), "look");
      },
      chain);
  std::string bytes = read(file);
  // The checksum alone is changed: what it is of would unpack.
  char& last = bytes.at(address + size - 1);
  last = static_cast<char>(last ^ 1);
  write(file, bytes);
  EXPECT_THAT(message_of(file), HasSubstr("a chunk of variable /last has another checksum"));
}

TEST(ChainFile, EqualChainsGiveEqualBytes) {
  const fs::path dir = test::scratch_dir("chain");
  write_chain_file(test::sample_chain(40, 30), dir / "a.h5");
  write_chain_file(test::sample_chain(1, 1), dir / "other.h5");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // object headers hold whole seconds
  write_chain_file(test::sample_chain(40, 30), dir / "b.h5");
  EXPECT_TRUE(read(dir / "a.h5") == read(dir / "b.h5"));
}

TEST(ChainFile, RefusesToWriteWhatIsNoChain) {
  const fs::path dir = test::scratch_dir("chain");
  OptionChain unsorted = test::sample_chain(2, 3);
  std::swap(unsorted.strike[0], unsorted.strike[3]);
  OptionChain ragged = test::sample_chain(2, 3);
  ragged.bid.pop_back();
  for (const OptionChain& chain : {OptionChain{}, unsorted, ragged}) {
    EXPECT_THROW(write_chain_file(chain, dir / "chains.h5"), OutputError);
  }
  EXPECT_THROW(write_chain_file(test::sample_chain(1, 1), dir / "no" / "chains.h5"), OutputError);
  EXPECT_THROW(write_chain_file(test::sample_chain(1, 1), dir), OutputError);
  EXPECT_TRUE(fs::is_empty(dir));
}

TEST(ChainFile, KeepsTheOldFileWhenTheDiskIsFull) {
  const fs::path dir = test::scratch_dir("chain");
  write_chain_file(test::sample_chain(1, 1), dir / "chains.h5");
  const std::string before = read(dir / "chains.h5");
  struct rlimit old {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t most : {rlim_t{100}, rlim_t{5000}, rlim_t{60000}}) {
    const struct rlimit lower { most, old.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &lower);
    EXPECT_THROW(write_chain_file(test::sample_chain(50, 60), dir / "chains.h5"), OutputError) << most;
    ::setrlimit(RLIMIT_FSIZE, &old);
  }
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(read(dir / "chains.h5") == before);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir), {}), 1);
  write_chain_file(test::sample_chain(2, 2), dir / "chains.h5");
  expect_same(read_chain_file(dir / "chains.h5"), test::sample_chain(2, 2));
}

TEST(ChainFile, RefusesWhatIsNoHdf5File) {
  const fs::path dir = test::scratch_dir("chain");
  EXPECT_THAT(message_of(dir / "absent"), HasSubstr("absent: cannot be read (No such file or directory)"));
  EXPECT_THAT(message_of(dir), HasSubstr("not a regular file"));
  write(dir / "empty", "");
  EXPECT_THAT(message_of(dir / "empty"), HasSubstr("empty"));
  EXPECT_FALSE(is_hdf5_file(dir / "empty"));
  write(dir / "text", "ticker,strike\n");
  EXPECT_THAT(message_of(dir / "text"), HasSubstr("is no HDF5 file"));
  EXPECT_FALSE(is_hdf5_file(dir / "text"));
  EXPECT_THROW(is_hdf5_file(dir / "absent"), InputError);
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(message_of(dir / "pipe"), HasSubstr("not a regular file"));
  write(dir / "signature", "\x89HDF\r\n\x1a\n");
  EXPECT_TRUE(is_hdf5_file(dir / "signature"));
  EXPECT_THAT(message_of(dir / "signature"), HasSubstr("open the HDF5 file failed"));
}

TEST(ChainFile, ReadsThroughASymbolicLink) {
  const fs::path dir = test::scratch_dir("chain");
  write_chain_file(test::sample_chain(1, 2), dir / "chains.h5");
  fs::create_symlink("chains.h5", dir / "link");
  expect_same(read_chain_file(dir / "link"), test::sample_chain(1, 2));
}

TEST(ChainFile, RefusesOtherSchemasAndMajors) {
  EXPECT_THAT(message_of(changed(text_attribute("schema", "greekgrid.night"))),
              HasSubstr("is no greekgrid.chains file"));
  EXPECT_THAT(message_of(changed(text_attribute("schema_version", "2.0"))), HasSubstr("schema version 2.0"));
  EXPECT_THAT(message_of(changed(text_attribute("schema_version", "10.0"))), HasSubstr("schema version 10.0"));
  EXPECT_THAT(message_of(changed(text_attribute("schema_version", ""))), HasSubstr("schema version"));
  EXPECT_THAT(message_of(changed([](hid_t file) { H5Adelete(file, "schema"); })), HasSubstr("no schema attribute"));
}

TEST(ChainFile, IgnoresWhatALaterMinorAdds) {
  const fs::path file = changed([](hid_t id) {
    text_attribute("schema_version", "1.7")(id);
    h5::write_attribute(id, "later", std::string("attribute"));
    h5::create_group(id, "later_group");
    h5::TableWriter table(id);
    table.row_numbers("later_row", 4);
  });
  expect_same(read_chain_file(file), test::sample_chain(2, 3));
}

TEST(ChainFile, RefusesWrongAttributes) {
  EXPECT_THAT(message_of(changed(text_attribute("quote_time", "yesterday"))), HasSubstr("quote_time is no instant"));
  EXPECT_THAT(message_of(changed(text_attribute("file_time", "2023-09-14T20:00:00"))),
              HasSubstr("file_time is no instant"));
  EXPECT_THAT(message_of(changed([](hid_t file) { H5Adelete(file, "quote_time"); })),
              HasSubstr("quote_time of / is missing"));
  EXPECT_THAT(message_of(changed([](hid_t file) {
                H5Adelete(file, "source_name");
                h5::write_attribute(file, "source_name", std::vector<std::string>{"one"});
              })),
              HasSubstr("different lengths"));
}

TEST(ChainFile, RefusesWrongValues) {
  EXPECT_THAT(message_of(changed(value<double>("/strike", 1, 80.0005))), HasSubstr("strike[1] is wrong"));
  EXPECT_THAT(message_of(changed(value<double>("/strike", 0, -80.0))), HasSubstr("strike[0] is wrong"));
  EXPECT_THAT(message_of(changed(value<double>("/strike", 0, NAN))), HasSubstr("strike[0] is wrong"));
  EXPECT_THAT(message_of(changed(value<double>("/strike", 0, 1e300))), HasSubstr("strike[0] is wrong"));
  EXPECT_THAT(message_of(changed(value<double>("/strike", 2, 80.0))), HasSubstr("contract[2] is wrong (not sorted"));
  EXPECT_THAT(message_of(changed(value<std::int8_t>("/right", 0, 1))), HasSubstr("contract[1] is wrong"));
  EXPECT_THAT(message_of(changed(value<std::int8_t>("/right", 3, 0))), HasSubstr("right[3] is wrong"));
  EXPECT_THAT(message_of(changed(value<double>("/multiplier", 5, 0.0))), HasSubstr("multiplier[5] is wrong"));
  EXPECT_THAT(message_of(changed(value<double>("/bid", 2, INFINITY))), HasSubstr("bid[2] is wrong (infinite)"));
  EXPECT_THAT(message_of(changed(value<std::int8_t>("/exercise", 0, 2))), HasSubstr("exercise[0] is wrong"));
  EXPECT_THAT(message_of(changed(value<std::int8_t>("/settlement_style", 0, -1))), HasSubstr("settlement_style[0]"));
  EXPECT_THAT(message_of(changed(value<std::int32_t>("/contract_expiry", 0, 4))), HasSubstr("contract_expiry[0]"));
  EXPECT_THAT(message_of(changed(value<std::int32_t>("/contract_expiry", 0, -1))), HasSubstr("contract_expiry[0]"));
  EXPECT_THAT(message_of(changed(value<std::int32_t>("/contract_expiry", 0, 2))), HasSubstr("another ticker"));
  EXPECT_THAT(message_of(changed(value<std::int32_t>("/expiry_ticker", 3, 2))), HasSubstr("expiry_ticker[3]"));
  EXPECT_THAT(message_of(changed(value<std::int32_t>("/expiry_ticker", 3, 0))),
              HasSubstr("expiry[3] is wrong (not sorted"));
  EXPECT_THAT(message_of(changed(value<std::int64_t>("/settlement", 0, std::int64_t{1} << 40))),
              HasSubstr("settlement[0]"));
  EXPECT_THAT(message_of(changed(value<std::int64_t>("/contract_begin", 1, 5))), HasSubstr("contract_begin[1]"));
  EXPECT_THAT(message_of(changed(value<std::int64_t>("/contract_count", 1, 11))), HasSubstr("contracts are left over"));
  EXPECT_THAT(message_of(changed(value<std::int64_t>("/contract_count", 1, INT64_MAX))),
              HasSubstr("contract_count[1]"));
  EXPECT_THAT(message_of(changed(value<std::int64_t>("/contract_count", 0, -1))), HasSubstr("contract_count[0]"));
}

TEST(ChainFile, RefusesWrongVariables) {
  EXPECT_THAT(message_of(changed([](hid_t file) { H5Ldelete(file, "/bid", H5P_DEFAULT); })),
              HasSubstr("/bid is missing"));
  EXPECT_THAT(message_of(changed(replaced("/bid", f32, {24}, {}))), HasSubstr("/bid has another type"));
  EXPECT_THAT(message_of(changed(replaced("/bid", f64, {23}, {}))), HasSubstr("/bid has other dimensions"));
  EXPECT_THAT(message_of(changed(replaced("/bid", f64, {24, 1}, {}))), HasSubstr("/bid has other dimensions"));
  EXPECT_THAT(message_of(changed(replaced("/ticker", i64, {2}, {}))), HasSubstr("/ticker has another type"));
  EXPECT_THAT(message_of(changed([](hid_t file) {
                H5Ldelete(file, "/bid", H5P_DEFAULT);
                H5Lcreate_soft("/ask", file, "/bid", H5P_DEFAULT, H5P_DEFAULT);
              })),
              HasSubstr("/bid is missing"));
  EXPECT_THAT(message_of(changed([](hid_t file) {
                H5Ldelete(file, "/bid", H5P_DEFAULT);
                H5Lcreate_external("/etc/passwd", "/bid", file, "/bid", H5P_DEFAULT, H5P_DEFAULT);
              })),
              HasSubstr("/bid is missing"));
  EXPECT_THAT(message_of(changed([](hid_t file) {
                H5Ldelete(file, "/bid", H5P_DEFAULT);
                const hsize_t dim = 24;
                const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "create");
                H5Pset_external(creation.get(), "/dev/zero", 0, 24 * 8);
                const h5::Handle space(H5Screate_simple(1, &dim, nullptr), H5Sclose, "space");
                const h5::Handle dataset(
                    H5Dcreate2(file, "/bid", H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                    H5Dclose, "create");
              })),
              HasSubstr("stored in another file"));
}

TEST(ChainFile, RefusesDimensionsThatTheFileCannotHold) {
  EXPECT_THAT(message_of(changed(replaced("/contract", i64, {hsize_t{1} << 40}, {4096}))), HasSubstr("elements"));
  EXPECT_THAT(message_of(changed(replaced("/contract", i64, {hsize_t{1} << 62}, {4096}))), HasSubstr("elements"));
  EXPECT_THAT(message_of(changed([](hid_t file) {
                replaced("/contract", i64, {10000000}, {4096})(file);
                replaced("/contract_expiry", i32, {10000000}, {4096})(file);
              })),
              HasSubstr("/contract_expiry needs 40000000 bytes and the file holds 0"));
}

/// Flips and truncations at deterministic places: a valid chain or an InputError, whatever the library does.
TEST(ChainFile, SurvivesFlippedBitsAndTruncations) {
  const fs::path dir = test::scratch_dir("chain");
  const fs::path file = dir / "chains.h5";
  OptionChain chain = test::one_contract_chain();
  chain.source = {{"a.csv", std::string(64, 'a')}};
  write_chain_file(chain, file);
  const std::string good = read(file);
  int refused = 0, crashed = 0;
  const auto attempt = [&](const std::string& bytes) {
    write(file, bytes);
    const std::string message = message_of(file);
    refused += message != "no error";
    crashed += message.find("crashes") != std::string::npos;
  };
  const std::size_t bits = good.size() * 8;
  constexpr std::size_t kFlips = 600;
  for (std::size_t i = 0; i < kFlips; ++i) {
    const std::size_t bit = (i * bits) / kFlips + (i * 2654435761ULL) % (bits / kFlips);
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << (bit % 8)));
    attempt(bytes);
  }
  for (std::size_t i = 0; i < 100; ++i) attempt(good.substr(0, i * good.size() / 100));
  RecordProperty("refused", refused);
  RecordProperty("crashed", crashed);
  EXPECT_GE(refused, 100);
  write(file, good);
  expect_same(read_chain_file(file), chain);
}

/// The strings are where the library is weakest: every byte of their heap is made all ones, zero and one more.
TEST(ChainFile, SurvivesABrokenStringHeap) {
  const fs::path dir = test::scratch_dir("chain");
  const fs::path file = dir / "chains.h5";
  write_chain_file(test::one_contract_chain(), file);
  const std::string good = read(file);
  const std::size_t heap = good.find("GCOL");
  ASSERT_NE(heap, std::string::npos);
  int crashed = 0;
  for (std::size_t at = heap; at < heap + 160; ++at) {
    for (const int put : {0xff, 0x00, good[at] + 1}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(put);
      write(file, bytes);
      crashed += message_of(file).find("crashes") != std::string::npos;
    }
  }
  RecordProperty("crashed", crashed);
}

TEST(ChainFile, ReadsWhileOtherThreadsAllocateAndRead) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator, unlike glibc's, may stay locked in a forked child";
#endif
  const fs::path dir = test::scratch_dir("chain");
  const OptionChain chain = test::sample_chain(2, 20);
  write_chain_file(chain, dir / "chains.h5");
  std::atomic<bool> stop = false;
  std::thread allocating([&] {
    while (!stop) std::vector<std::string>(100, std::string(200, 'x'));
  });
  std::vector<std::thread> readers;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        if (i == 0) write_chain_file(chain, dir / "other.h5");
        good += read_chain_file(dir / "chains.h5").strike == chain.strike;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  stop = true;
  allocating.join();
  EXPECT_EQ(good, 40);
}

TEST(ChainFile, ReadsWhereTheEndsOfChildrenAreForgotten) {
  const fs::path dir = test::scratch_dir("chain");
  write_chain_file(test::sample_chain(1, 2), dir / "chains.h5");
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(message_of(dir / "chains.h5"), "no error");
  write(dir / "chains.h5", read(dir / "chains.h5").substr(0, 5000));
  EXPECT_THAT(message_of(dir / "chains.h5"), HasSubstr("failed"));
  ::signal(SIGCHLD, before);
}

TEST(InstantText, RoundTripAndOffsets) {
  EXPECT_EQ(h5::iso_from_instant(test::kQuoteTime), "2023-09-14T20:00:00Z");
  EXPECT_EQ(h5::instant_from_iso("2023-09-14T20:00:00Z"), test::kQuoteTime);
  EXPECT_EQ(h5::instant_from_iso("2023-09-14T16:00:00-04:00"), test::kQuoteTime);
  EXPECT_EQ(h5::instant_from_iso("2023-09-15T05:30:00+09:30"), test::kQuoteTime);
  for (const char* wrong : {"", "2023-09-14", "2023-09-14T20:00:00", "2023-02-30T20:00:00Z", "2023-09-14T24:00:00Z",
                            "2023-09-14T20:00:00+0400", "2023-09-14 20:00:00Z", "20x3-09-14T20:00:00Z"}) {
    EXPECT_EQ(h5::instant_from_iso(wrong), std::nullopt) << wrong;
  }
}

TEST(Utf8Text, ReplacesWhatIsNone) {
  EXPECT_EQ(h5::as_utf8("d\xc3\xa9j\xc3\xa0 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "d\xc3\xa9j\xc3\xa0 \xe2\x82\xac \xf0\x9f\x98\x80");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(h5::as_utf8("a\xe9z"), "a" + bad + "z");
  EXPECT_EQ(h5::as_utf8("\xc0\x80"), bad + bad);
  EXPECT_EQ(h5::as_utf8("\xed\xa0\x80"), bad + bad + bad);
  EXPECT_EQ(h5::as_utf8(std::string_view("a\0b", 3)), "a" + bad + "b");
  EXPECT_EQ(h5::as_utf8("\xe2\x82"), bad + bad);
}

}  // namespace
}  // namespace greekgrid

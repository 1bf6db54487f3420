#include "greekgrid/io/night_part.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "greekgrid/io/night_file.hpp"
#include "greekgrid_test/test_data.hpp"
#include "sample_parts.hpp"

namespace greekgrid {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const OutputError& error) {
    return error.what();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// Small: a part of a few tens of kilobytes.
struct Small {
  test::SampleNight night{test::sample_chain(4, 1), 1};
  fs::path dir = test::scratch_dir("part");
  Small() {
    night.header.greeks = {Greek::kGamma};
    night.header.delta_change = false;
    night.header.outlook.stored = night.header.outlook.maps = false;
  }
  fs::path path() const { return dir / "part"; }
  NightPart create(std::int32_t shard = 1, std::int32_t shards = 1) const {
    return NightPart::create(path(), test::identity_of(night, shard, shards), "night.h5");
  }
};

TEST(NightPart, GoesOnFromEveryLengthThatAKillMayLeave) {
  const Small small;
  {
    NightPart whole = small.create();
    test::append(whole, small.night, test::all_of(small.night), 1);
    const NightPart* parts[] = {&whole};
    write_night_file(parts, small.dir / "golden.h5");
  }
  const std::string bytes = read(small.path()), golden = read(small.dir / "golden.h5");
  std::size_t most = 0;
  for (std::size_t length = 0; length <= bytes.size(); length += 1 + bytes.size() / 60) {
    write(small.path(), bytes.substr(0, length));
    NightPart part = NightPart::resume(small.path(), test::identity_of(small.night), "night.h5");
    const std::size_t done = part.done().size();
    ASSERT_LE(most, done) << length;
    most = done;
    std::vector<std::size_t> rest;
    for (std::size_t u = done; u < 4; ++u) rest.push_back(u);
    test::append(part, small.night, rest, 2);
    const NightPart* parts[] = {&part};
    write_night_file(parts, small.dir / "night.h5");
    ASSERT_TRUE(read(small.dir / "night.h5") == golden) << length << " of " << bytes.size() << " bytes";
  }
  EXPECT_GE(most, 3U);
}

TEST(NightPart, CutsOffWhatIsDamagedAndKeepsTheRecordsBefore) {
  const Small small;
  {
    NightPart whole = small.create();
    test::append(whole, small.night, test::all_of(small.night), 1);
  }
  const std::string bytes = read(small.path());
  std::size_t kept = 0;
  for (std::size_t k = 0; k < 200; ++k) {
    std::string bad = bytes;
    const std::size_t at = k * bytes.size() / 200;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (k % 8)));
    write(small.path(), bad);
    try {
      const NightPart part = NightPart::resume(small.path(), test::identity_of(small.night), "night.h5");
      ASSERT_LT(part.done().size(), 4U) << "byte " << at;
      ASSERT_LE(fs::file_size(small.path()), at) << "what is damaged is cut off";
      kept += part.done().size();
    } catch (const InputError& error) {
      ASSERT_THAT(error.what(), HasSubstr("leave out --resume")) << "byte " << at;
      ASSERT_EQ(read(small.path()).size(), bytes.size()) << "what is not ours is left alone";
    }
    EXPECT_THAT(message_of([&] {
                  write(small.path(), bad);
                  NightPart::open(small.path());
                }),
                HasSubstr("no shard that can be merged"));
  }
  EXPECT_GT(kept, 50U);
}

TEST(NightPart, ChunksThatAreKeptApartBecomeTheNightWhereTheyLie) {
  const Small small;
  const fs::path chunks = small.dir / "chunks", file = small.dir / "night.h5";
  NightIdentity identity = test::identity_of(small.night);
  identity.order = {2, 0, 3, 1};
  const auto night_of = [&](const NightPart& part) {
    const NightPart* parts[] = {&part};
    write_night_file(parts, file);
    return read(file);
  };
  std::string golden;
  {  // as a merge makes it: chunks lie with the records, which came in another order
    NightPart whole = NightPart::create(small.path(), identity, "night.h5");
    test::append(whole, small.night, {1, 0, 3, 2}, 1);
    golden = night_of(whole);
  }
  std::string records, apart;
  {
    NightPart part = NightPart::create(small.path(), identity, "night.h5", chunks);
    test::append(part, small.night, {0, 2}, 2);
    test::append(part, small.night, {3}, 1);
    test::append(part, small.night, {1}, 1);
    records = read(small.path());
    apart = read(chunks);
    EXPECT_TRUE(night_of(part) == golden);
    EXPECT_EQ(fs::hard_link_count(chunks), 2U);
    EXPECT_TRUE(night_of(part) == golden) << "once more, with the night in place";
  }
  const auto go_on = [&](std::size_t& done) {
    NightPart part = NightPart::resume(small.path(), identity, "night.h5", chunks);
    done = part.done().size();
    std::vector<std::size_t> rest(identity.order.begin() + static_cast<std::ptrdiff_t>(done), identity.order.end());
    test::append(part, small.night, rest, 1);
    return night_of(part);
  };
  std::size_t done = 0, most = 0;
  // Whatever of either file a kill or a power cut leaves.
  for (std::size_t k = 0; k <= 40; ++k) {
    fs::remove(chunks);
    write(small.path(), records.substr(0, records.size() * (k % 7 + 1) / 7));
    write(chunks, apart.substr(0, apart.size() * k / 40));
    ASSERT_TRUE(go_on(done) == golden) << k;
    most = std::max(most, done);
  }
  EXPECT_EQ(most, 3U);
  for (std::size_t at = 5000; at < apart.size(); at += apart.size() / 20) {
    fs::remove(chunks);
    std::string bad = apart;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write(small.path(), records);
    write(chunks, bad);
    ASSERT_TRUE(go_on(done) == golden) << "byte " << at;
    EXPECT_LT(done, 4U);
  }
  // A published night is no longer the part's: going on leaves it alone until there is another.
  {
    const NightPart part = NightPart::resume(small.path(), identity, "night.h5", chunks);
    EXPECT_EQ(fs::hard_link_count(file), 1U);
    EXPECT_TRUE(read(file) == golden);
  }
  EXPECT_THAT(message_of([&] { NightPart::open(small.path()); }), HasSubstr("its chunks are elsewhere"));
}

TEST(NightPart, RefusesTheStateOfAnotherRunAndSaysWhatIsAnother) {
  const Small small;
  {
    NightPart part = small.create();
    test::append(part, small.night, {0});
  }
  const auto message = [&](const std::function<void(NightIdentity&)>& change) {
    NightIdentity identity = test::identity_of(small.night);
    change(identity);
    return message_of([&] { NightPart::resume(small.path(), identity, "night.h5"); });
  };
  EXPECT_EQ(message([](NightIdentity&) {}), "no error");
  EXPECT_THAT(message([](NightIdentity& i) { i.fact[0].value = "spots = 7"; }),
              AllOf(HasSubstr("configuration is spots = 5, this one's spots = 7"), HasSubstr("leave out --resume")));
  EXPECT_THAT(message([](NightIdentity& i) { i.fact[1].value = "4567"; }), HasSubstr("its chain is 0123"));
  EXPECT_THAT(message([](NightIdentity& i) {
                i.fact.push_back({"history", "89"});
              }),
              HasSubstr("its history is nothing"));
  EXPECT_THAT(message([](NightIdentity& i) { i.ticker.pop_back(); }), HasSubstr("its tickers or its shard"));
  EXPECT_THAT(message([](NightIdentity& i) { i.shards = 2; }), HasSubstr("its tickers or its shard"));
  write(small.path(), std::string(100, 'x'));
  EXPECT_THAT(message([](NightIdentity&) {}), HasSubstr("it is no part of a night"));
}

TEST(NightPart, AHistoryThatGrewByThePublishedNightItselfIsNoOther) {
  const Small small;
  NightIdentity identity = test::identity_of(small.night);
  identity.fact.push_back({"history", "before"});
  {
    NightPart part = NightPart::create(small.path(), identity, "night.h5");
    test::append(part, small.night, test::all_of(small.night));
    EXPECT_FALSE(part.is_published());
    part.mark_published();
  }
  identity.fact.back().value = "after";
  EXPECT_TRUE(NightPart::resume(small.path(), identity, "night.h5").is_published());
  identity.fact.front().value = "spots = 9";
  EXPECT_THAT(message_of([&] { NightPart::resume(small.path(), identity, "night.h5"); }), HasSubstr("another run"));
}

TEST(NightPart, NamesEveryShardThatDoesNotFit) {
  const Small small;
  const auto make = [&](const std::string& name, std::int32_t shard, std::vector<std::size_t> tickers,
                        bool complete = true, const std::string& chain = "0123") {
    NightIdentity identity = test::identity_of(small.night, shard, 2);
    identity.fact[1].value = chain;
    NightPart part = NightPart::create(small.dir / name, identity, name);
    test::append(part, small.night, tickers);
    if (complete) part.complete();
  };
  make("a", 1, {0, 2});
  make("b", 2, {1, 3});
  make("again", 2, {1, 3});
  make("other", 2, {1, 3}, true, "4567");
  make("short", 2, {1});
  make("cut", 2, {1, 3}, false);
  const auto message = [&](const std::vector<std::string>& names) {
    return message_of([&] {
      std::vector<NightPart> parts;
      for (const std::string& name : names) parts.push_back(NightPart::open(small.dir / name));
      std::vector<const NightPart*> all;
      for (const NightPart& part : parts) all.push_back(&part);
      write_night_file(all, small.dir / "night.h5");
    });
  };
  EXPECT_THAT(message({"a"}), HasSubstr("shard 2 of 2 is missing"));
  EXPECT_THAT(message({"a", "b", "again"}), AllOf(HasSubstr("again is shard 2 as is"), HasSubstr("T1001 is in")));
  EXPECT_THAT(message({"a", "other"}), AllOf(HasSubstr("other is of another night"), HasSubstr("chain is another")));
  EXPECT_THAT(message({"a", "short"}), HasSubstr("T1003 is in no shard"));
  EXPECT_THAT(message({"a", "cut"}), AllOf(HasSubstr("cut: "), HasSubstr("incomplete")));
  EXPECT_THAT(message({"a", "absent"}), HasSubstr("No such file"));
  const std::string whole = read(small.dir / "b");
  write(small.dir / "torn", whole.substr(0, whole.size() - 1));
  EXPECT_THAT(message({"a", "torn"}), AllOf(HasSubstr("torn: "), HasSubstr("truncated")));
  EXPECT_FALSE(fs::exists(small.dir / "night.h5"));
  EXPECT_EQ(message({"b", "a"}), "no error");
  EXPECT_EQ(read_night_summary(small.dir / "night.h5").header.ticker.size(), 4U);
}

}  // namespace
}  // namespace greekgrid

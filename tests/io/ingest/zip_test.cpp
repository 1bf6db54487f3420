#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kA = kLongHeader + long_row("A", "A260717C00105000", "2026-07-17", "C", "105");
const std::string kB = kLongHeader + long_row("B", "B260717C00105000", "2026-07-17", "C", "105");

TEST(Zip, OneMemberDeflatedOrStored) {
  for (const bool deflated : {true, false}) {
    const OptionChain chain = parse(zip({{"a.csv", kA, deflated}}));
    EXPECT_EQ(chain.ticker, std::vector<std::string>{"A"});
    ASSERT_EQ(chain.source.size(), 1u);
    EXPECT_EQ(chain.source[0].name, "made.txt");
  }
}

TEST(Zip, EveryMemberIsASource) {
  const std::string bytes = zip({{"deep/", "", false},
                                 {"deep/a.csv", kA},
                                 {"__MACOSX/._a.csv", "x"},
                                 {".hidden", "x"},
                                 {"b.csv", kB + kB.substr(kLongHeader.size())}});
  const std::filesystem::path path = scratch_dir("zip") / "two.zip";
  std::ofstream(path, std::ios::binary) << bytes;
  const OptionChain chain = ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"A", "B"}));
  ASSERT_EQ(chain.rejects.size(), 1u);
  EXPECT_EQ(chain.rejects[0].file, "two.zip:b.csv");
  EXPECT_EQ(chain.rejects[0].row, 3);
  // The file on disk is one, and its digest is of its bytes.
  ASSERT_EQ(chain.source.size(), 1u);
  EXPECT_EQ(chain.source[0].name, "two.zip");
  EXPECT_EQ(chain.source[0].sha256.size(), 64u);
  EXPECT_EQ(parse(bytes).source[0].sha256, chain.source[0].sha256);
  EXPECT_EQ(parse(bytes).contracts(), 2u);
}

TEST(Zip, FormatsAreToldApartByMember) {
  IngestOptions options;
  options.quote_time = 1783713600;
  const OptionChain chain = parse(zip({{"a", kA}, {"b", cboe(kCboeRow)}}), options);
  EXPECT_EQ(chain.ticker, (std::vector<std::string>{"A", "AMD"}));
}

TEST(Zip, WhatCannotBeReadIsSaid) {
  EXPECT_THAT(refusal(zip({})), HasSubstr("holds no file"));
  EXPECT_THAT(refusal(zip({{"folder/", "", false}})), HasSubstr("holds no file"));
  EXPECT_THAT(refusal(zip({{"a.csv", ""}})), AllOf(StartsWith("made.txt:a.csv: "), HasSubstr("empty")));
  EXPECT_THAT(refusal(zip({{"a.csv", kA, true, 1}})), AllOf(StartsWith("made.txt:a.csv: "), HasSubstr("encrypted")));
  EXPECT_THAT(refusal(zip({{"a.csv", kA, true, 0, 6}})), HasSubstr("unknown method"));
  EXPECT_THAT(refusal(zip({{"a.csv", kA, true, 0, 0, 1}})), HasSubstr("checksum differs"));
  EXPECT_THAT(refusal(zip({{"inner.zip", zip({{"a.csv", kA}})}})),
              AllOf(StartsWith("made.txt:inner.zip: "), HasSubstr("archive inside an archive")));
  EXPECT_THAT(refusal(zip({{"a.csv.gz", gzip(kA), false}})), HasSubstr("archive inside an archive"));
  EXPECT_THAT(refusal(zip({{"readme.txt", "what this is"}})),
              AllOf(StartsWith("made.txt:readme.txt: "), HasSubstr("unknown format")));
  EXPECT_THAT(refusal("PK\x03\x04"), HasSubstr("directory is missing or corrupt"));
}

TEST(Zip, ExtractionHasALimit) {
  const std::string bomb(std::size_t{64} << 20, '\n');
  EXPECT_THAT(refusal(zip({{"a.csv", kA + bomb}})), HasSubstr("1000 times"));
}

TEST(Zip, DamagedArchivesNeverCrash) {
  const std::string whole = zip({{"a.csv", kA}, {"b.csv", kB, false}});
  std::mt19937_64 random(7);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal(whole.substr(0, size)), StartsWith("made.txt")) << size;
  }
  int chains = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole;
    for (int e = 0; e < 3; ++e) bytes[random() % bytes.size()] = static_cast<char>(random());
    try {
      const OptionChain chain = parse(bytes);
      ASSERT_EQ(chain.rows_in, static_cast<std::int64_t>(chain.contracts() + chain.rejects.size()));
      ++chains;
    } catch (const InputError& error) {
      ASSERT_THAT(error.what(), StartsWith("made.txt"));
    }
  }
  EXPECT_GT(chains, 0);
}

}  // namespace
}  // namespace greekgrid::test

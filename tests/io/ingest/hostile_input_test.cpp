// Any bytes give an InputError or a chain with rejects.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "greekgrid_test/test_data.hpp"
#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kLong = kLongHeader + long_row("A", "A260717C00105000", "2026-07-17", "C", "105");

TEST(HostileInput, FilesThatAreNone) {
  EXPECT_THAT(refusal(""), testing::AllOf(StartsWith("made.txt: "), HasSubstr("empty")));
  EXPECT_THAT(refusal(gzip("")), HasSubstr("empty"));
  EXPECT_THAT(refusal("\n\n\n"), HasSubstr("unknown format"));
  EXPECT_THAT(refusal(std::string(1000, '\0')), HasSubstr("unknown format"));
  EXPECT_THAT(refusal("\x89HDF\r\n\x1a\nabc"), HasSubstr("HDF5"));
  EXPECT_THAT(refusal("\xff\xfe"
                      "u\0n\0d\0"),
              HasSubstr("unknown format"));
  EXPECT_THAT(refusal("a,b,c\n1,2,3\n"), HasSubstr("unknown format"));
  EXPECT_THAT(refusal("\xef\xbb\xbf"), HasSubstr("unknown format")) << "a byte order mark and nothing else";
  EXPECT_THAT(refusal("[1,2]"), HasSubstr("unknown format"));
  EXPECT_THAT(refusal(kLongHeader), HasSubstr("--quote-time"));
  IngestOptions options;
  options.quote_time = 1783713600;
  EXPECT_THAT(refusal(kLongHeader, options), HasSubstr("no usable row"));
  const std::filesystem::path dir = scratch_dir("hostile");
  const auto message = [](const std::filesystem::path& path) {
    try {
      ingest(std::vector<std::filesystem::path>{path}, Calendar{}, {});
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(dir / "none.csv"),
              testing::AllOf(StartsWith((dir / "none.csv").string() + ": "), HasSubstr("No such file")));
  EXPECT_THAT(message(dir), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(message(dir / "pipe"), HasSubstr("not a regular file"));
  EXPECT_THROW(ingest({}, Calendar{}, {}), InputError);
}

TEST(HostileInput, TheNamedFormatIsTakenAtItsWord) {
  IngestOptions options;
  options.format = "cboe-csv";
  EXPECT_THAT(refusal(kLong, options), HasSubstr("'Calls' and 'Puts'"));
  options.format = "cboe-json";
  EXPECT_THAT(refusal(kLong, options), HasSubstr("JSON cannot be read"));
  options.format = "long-csv";
  EXPECT_THAT(refusal(cboe(kCboeRow), options), HasSubstr("header lacks"));
  options.format = "CBOE";
  try {
    parse(kLong, options);
    ADD_FAILURE() << "an unknown format was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("--format CBOE: unknown"), HasSubstr("'yfinance'")));
  }
}

TEST(HostileInput, EveryTruncationOfAGzipIsRefused) {
  const std::string whole = gzip(kLong);
  ASSERT_EQ(parse(whole).contracts(), 1u);
  for (std::size_t size = 2; size < whole.size(); ++size) {
    EXPECT_THAT(refusal(whole.substr(0, size)), StartsWith("made.txt: ")) << size;
  }
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 1)), HasSubstr("truncated"));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 8)), HasSubstr("truncated"));
}

TEST(HostileInput, GzipMembersAndWhatFollows) {
  const std::string head = gzip(kLongHeader), row = gzip(kLong.substr(kLongHeader.size()));
  EXPECT_EQ(parse(head + row).contracts(), 1u);
  EXPECT_EQ(parse(head + gzip("") + row).contracts(), 1u);
  EXPECT_EQ(parse(head + row + std::string(512, '\0')).contracts(), 1u) << "padding";
  EXPECT_THAT(refusal(head + row + "garbage"), HasSubstr("follow the gzip data"));
  EXPECT_THAT(refusal(head + row.substr(0, row.size() - 3)), HasSubstr("truncated"));
  std::string corrupt = head + row;
  corrupt[corrupt.size() - 6] = static_cast<char>(corrupt[corrupt.size() - 6] ^ 1);
  EXPECT_THAT(refusal(corrupt), HasSubstr("checksum"));
}

TEST(HostileInput, CountersOfTheLibraryAreNotTrustedAfterAnError) {
  // Found by fuzzing: an invalid look-back leaves ISA-L's count of unread bytes below zero.
  constexpr std::string_view hex =
      "1f8b0800000000000003a54f4b4ec33010dde714a3ac87c8633721b00b09a04a142ab5746f25566b359fca762a962c59"
      "73026ec021b8494f82dd4a5db1a2963c33cf7aefcd731417cd5ef6b56a60a66b3340a5f6ba561661dad749005c092c2c"
      "2c2c2c8c4fd22c2cba010000000000003c5b2c";
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  EXPECT_THAT(refusal(bytes), HasSubstr("corrupt"));
}

TEST(HostileInput, DecompressionHasALimit) {
  // 64 MiB of one byte compress 1000 times; deflate's own limit is 1032.
  EXPECT_THAT(refusal(gzip(kLong + std::string(std::size_t{64} << 20, '\n'))), HasSubstr("1000 times"));
}

TEST(HostileInput, LongLines) {
  const std::string longest(std::size_t{1} << 20, 'x');
  EXPECT_EQ(parse(kLong + longest + "\n" + kLong.substr(kLongHeader.size())).rejects.size(), 2u);
  EXPECT_THAT(refusal(kLong + longest + "x\n"), testing::AllOf(StartsWith("made.txt:3: "), HasSubstr("1 MiB")));
  EXPECT_THAT(refusal(kLong + longest + longest + longest + longest), testing::AllOf(StartsWith("made.txt:3: ")));
  EXPECT_THAT(refusal("underlying,expiration,strike," + longest), HasSubstr("made.txt"));
  EXPECT_THAT(refusal(cboe(kCboeRow) + longest + "x\n"),
              testing::AllOf(StartsWith("made.txt:6: "), HasSubstr("1 MiB")));
  IngestOptions options;
  options.format = "long-csv";
  EXPECT_THAT(refusal(longest + longest, options), testing::AllOf(StartsWith("made.txt:1: "), HasSubstr("1 MiB")));
}

TEST(HostileInput, MessagesNameProblemReasonAndSuggestion) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), gzip(kLong).substr(0, 40), std::string("{"), kLongHeader}) {
    EXPECT_THAT(refusal(bytes), testing::MatchesRegex("made\\.txt(:[0-9]+)?: .+ \\(.+\\) .+"));
  }
}

TEST(HostileInput, DigestIsThatOfTheBytesOnDisk) {
  // FIPS 180-2 gives abc; the digests of the file and of its compressed form differ.
  const OptionChain plain = parse(kLong), packed = parse(gzip(kLong));
  EXPECT_EQ(plain.source[0].name, "made.txt");
  EXPECT_THAT(plain.source[0].sha256, testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(plain.source[0].sha256.size(), 64u);
  EXPECT_NE(plain.source[0].sha256, packed.source[0].sha256);
}

/// Seeds of every format, whole chains in small.
std::vector<std::string> seeds() {
  const std::string json =
      "{\"timestamp\":\"2023-09-21 03:17:42\",\"data\":{\"options\":[{\"option\":\"RUT231020C01000000\",\"bid\":809.5,"
      "\"ask\":811.1,\"iv\":0.0,\"open_interest\":22.0,\"volume\":null,\"delta\":0.9974,\"gamma\":0.0},"
      "{\"option\":\"RUTW231020P01000000\",\"bid\":1}],\"current_price\":1806.1193},\"symbol\":\"_RUT\"}";
  return {cboe(kCboeRow + kCboeRow),
          cboe(kCboeRow,
               "23 de marzo de 2022, 10:11 UTC\xe2\x88\x92"
               "4"),
          json,
          kLong + kLong.substr(kLongHeader.size()),
          gzip(kLong),
          gzip(json),
          gzip(cboe(kCboeRow))};
}

TEST(HostileInput, MutatedSeedsNeverCrash) {
  std::mt19937_64 random(20260710);
  const Calendar calendar;
  int chains = 0, refused = 0;
  for (const std::string& seed : seeds()) {
    for (int i = 0; i < 1500; ++i) {
      std::string bytes = seed;
      const int edits = 1 + static_cast<int>(random() % 4);
      for (int e = 0; e < edits && !bytes.empty(); ++e) {
        const std::size_t at = random() % bytes.size();
        switch (random() % 6) {
          case 0:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
            break;
          case 1:
            bytes.resize(at);
            break;
          case 2:
            bytes[at] = static_cast<char>(random());
            break;
          case 3:
            bytes.erase(at, random() % 16);
            break;
          case 4:
            bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 64));
            break;
          default:
            bytes.insert(at, 1, ",\"\n\r\0{}[]:-9"[random() % 12]);
            break;
        }
      }
      for (const std::string& format : format_names()) {
        IngestOptions options;
        options.format = format;
        if (random() % 2 == 0) options.quote_time = 1783713600;
        try {
          const OptionChain chain = ingest_bytes(bytes, "mutant", calendar, options);
          ASSERT_EQ(chain.rows_in, static_cast<std::int64_t>(chain.contracts() + chain.rejects.size()));
          ASSERT_GT(chain.contracts(), 0u);
          for (std::size_t n = 0; n < chain.contracts(); ++n) ASSERT_GT(chain.strike[n], 0.0);
          ++chains;
        } catch (const InputError& error) {
          ASSERT_THAT(error.what(), testing::StartsWith("mutant"));
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(chains, 1000);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace greekgrid::test

// Profiles as users write them: what they can say, and what is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "ingest_support.hpp"

namespace greekgrid::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

IngestOptions with_profile(const std::string& text) {
  IngestOptions options;
  options.profile = text;
  options.profile_name = "map.toml";
  return options;
}

const std::string kMinimal =
    "format = \"mine\"\nmatch = [\"Symbol\"]\nunderlying_from = \"root\"\n[columns]\nsymbol = \"Symbol\"\n"
    "session = \"Day\"\nbid = \"Bid\"\n";

TEST(Profile, MinimalOne) {
  const OptionChain chain = parse("Day,SYMBOL,bid\n2026-07-10,SPXW260717C07000000,1.5\n", with_profile(kMinimal));
  ASSERT_EQ(chain.contracts(), 1u);
  EXPECT_EQ(chain.ticker[0], "SPX");
  EXPECT_EQ(chain.root[0], "SPXW");
  EXPECT_EQ(chain.bid[0], 1.5);
  EXPECT_TRUE(std::isnan(chain.ask[0]) && std::isnan(chain.open_interest[0]));
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 7, 10), 16, 0));
}

TEST(Profile, DelimitersScalesSentinelsAndSpellings) {
  const std::string profile =
      "format = \"mine\"\nmatch = [[\"K\", \"Strike\"], \"Exp\"]\ndelimiter = \";\"\nunderlying = \"^SPX\"\n"
      "missing = [-1, \"n/a\"]\n"
      "[columns]\nsession = {column = \"Day\", format = \"day_first\"}\n"
      "expiration = {column = \"Exp\", format = [\"compact\", \"words\"]}\nright = \"Type\"\n"
      "strike = {column = [\"K\", \"Strike\"], scale = 0.001}\nbid = {column = \"B\", scale = 1e-9}\n"
      "ask = {column = \"A\", missing = 0}\nimplied_volatility = {column = \"IV\", scale = 0.01}\n"
      "[right]\ncall = [\"Kauf\"]\nput = \"Verkauf\"\n";
  const OptionChain chain = parse(
      "Day;Exp;Type;K;B;A;IV\n10/7/2026;20260717;KAUF;7000000;1050000000;0;12.5\n"
      "10/7/2026;Jul 17 2026;Verkauf;7000500;-1;-1;n/a\n10/7/2026;20260717;C;7000500;1;1;1\n",
      with_profile(profile));
  ASSERT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.strike, (std::vector<double>{7000, 7000.5}));
  EXPECT_EQ(chain.right, (std::vector<std::int8_t>{1, -1}));
  EXPECT_EQ(chain.bid[0], 1.05) << "the nearest double, as if printed so";
  EXPECT_EQ(chain.vendor_iv[0], 0.125);
  EXPECT_TRUE(std::isnan(chain.ask[0]) && std::isnan(chain.bid[1]) && std::isnan(chain.ask[1]));
  EXPECT_TRUE(std::isnan(chain.vendor_iv[1]));
  EXPECT_EQ(rules(chain), (std::map<std::string, int>{{"bad_right", 1}}));
}

TEST(Profile, StampsOfEveryKind) {
  const auto time = [](const std::string& format, const std::string& text) {
    const std::string profile =
        "format = \"mine\"\nmatch = [\"S\"]\nunderlying_from = \"root\"\n[columns]\nsymbol = \"S\"\n"
        "stamp = {column = \"T\", " +
        format + "}\n";
    try {
      return parse("S;T\n", with_profile(profile)).quote_time;
    } catch (const InputError&) {
    }
    try {
      return parse("S,T\nSPY260717C00105000," + text + "\n", with_profile(profile)).file_time;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("made.txt"), testing::Not(HasSubstr("map.toml"))));
      return Instant{-1};
    }
  };
  const Instant noon = new_york_instant(ymd(2026, 7, 10), 12, 0);
  const std::string seconds = std::to_string(noon);
  EXPECT_EQ(time("format = \"unix_s\"", seconds), noon);
  EXPECT_EQ(time("format = \"unix_s\"", seconds + ".75"), noon);
  EXPECT_EQ(time("format = \"unix_ms\"", seconds + "999"), noon);
  EXPECT_EQ(time("format = \"unix_ns\"", seconds + "999999999"), noon);
  EXPECT_EQ(time("format = \"iso_time\"", "2026-07-10T12:00:00-04:00"), noon);
  EXPECT_EQ(time("format = \"iso_time\", zone = \"America/New_York\"", "2026-07-10 12:00"), noon);
  EXPECT_EQ(time("format = \"iso_time\", zone = \"UTC\"", "2026-07-10 16:00:00.5"), noon);
  EXPECT_EQ(time("format = \"iso_time\"", "2026-07-10 16:00:00"), -1) << "no zone";
  for (const char* text : {"", "x", "-5", "0", "9223372036854775807", "99999999999999999999", "1e9"}) {
    EXPECT_EQ(time("format = \"unix_s\"", text), -1) << text;
  }
}

TEST(Profile, CallAndPutSideBySide) {
  const std::string profile =
      "format = \"mine\"\nmatch = [\"C\", \"P\"]\nshape = \"call_and_put_per_row\"\nunderlying_from = \"most_rows\"\n"
      "[columns]\nsession = \"Day\"\ngamma = \"G\"\n[call]\nsymbol = \"C\"\nbid = \"CB\"\n[put]\nsymbol = \"P\"\nbid = "
      "\"PB\"\n";
  const OptionChain chain = parse(
      "Day,C,P,CB,PB,G\n2026-07-10,SPY260717C00105000,SPY260717P00105000,1,2,0.5\n"
      "2026-07-10,SPY260717P00106000,QQQ260717P00106000,1,2,0.5\n2026-07-10,short\n",
      with_profile(profile));
  ASSERT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.bid, (std::vector<double>{2, 1}));
  EXPECT_EQ(chain.vendor_gamma, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(chain.rows_in, 6);
  EXPECT_EQ(rules(chain),
            (std::map<std::string, int>{{"column_count", 2}, {"contradicts_symbol", 1}, {"foreign_root", 1}}));
}

TEST(Profile, LinesBeforeTheHeader) {
  const std::string profile = "skip_lines = 2\n" + kMinimal;
  const OptionChain chain =
      parse("A report\r\n\r\nDay,Symbol,Bid\r\n2026-07-10,SPY260717C00105000,1\r\nx,y\r\n", with_profile(profile));
  EXPECT_EQ(chain.contracts(), 1u);
  ASSERT_EQ(chain.rejects.size(), 1u);
  EXPECT_EQ(chain.rejects[0].row, 5);
  for (const char* text : {"", "a", "a\n", "a\nb", "a\nb\n", "a\nb\nDay"}) {
    EXPECT_THAT(refusal(text, with_profile(profile)), StartsWith("made.txt")) << text;
  }
  EXPECT_THAT(refusal("a\nb\nDay\n", with_profile(profile)), StartsWith("made.txt:3: "));
  EXPECT_THAT(refusal("Day,Symbol,Bid\n", with_profile("skip_lines = -1\n" + kMinimal)), HasSubstr("out of range"));
}

TEST(Profile, AHeaderThatIsNotItsOwn) {
  EXPECT_THAT(refusal(kLongHeader, with_profile(kMinimal)),
              AllOf(StartsWith("made.txt:1: "), HasSubstr("map.toml"), HasSubstr("'symbol'")));
}

TEST(Profile, MistakesAreRefusedWithTheirLine) {
  const auto message = [](const std::string& text) { return refusal(kLongHeader, with_profile(text)); };
  const std::string head = "format = \"mine\"\nmatch = [\"a\"]\n";
  EXPECT_THAT(message("format = \n"), AllOf(StartsWith("map.toml:1: "), HasSubstr("no TOML")));
  EXPECT_THAT(message(""), HasSubstr("format is missing"));
  EXPECT_THAT(message("format = 3\n"), AllOf(StartsWith("map.toml:1: "), HasSubstr("is not a text")));
  EXPECT_THAT(message("format = \"mine\"\n"), HasSubstr("match is missing"));
  EXPECT_THAT(message("format = \"mine\"\nmatch = [1]\n"), HasSubstr("match holds what is no text"));
  EXPECT_THAT(message(head + "speed = 3\n"), AllOf(StartsWith("map.toml:3: "), HasSubstr("speed is not a key")));
  EXPECT_THAT(message(head), HasSubstr("columns identify no contract"));
  EXPECT_THAT(message(head + "[columns]\nstrike = \"k\"\nexpiration = \"e\"\n"), HasSubstr("identify no contract"));
  EXPECT_THAT(message(head + "[columns]\nsymbol = \"s\"\nbids = \"b\"\n"),
              AllOf(StartsWith("map.toml:5: "), HasSubstr("columns.bids is not a key")));
  EXPECT_THAT(message(head + "[columns]\nsymbol = []\n"), HasSubstr("columns.symbol is an empty list"));
  EXPECT_THAT(message(head + "[columns]\nbid = {scale = 2}\n"), HasSubstr("columns.bid.column is missing"));
  EXPECT_THAT(message(head + "[columns]\nbid = {column = \"b\", scale = 0}\n"), HasSubstr("scale is out of range"));
  EXPECT_THAT(message(head + "[columns]\nbid = {column = \"b\", scale = nan}\n"), HasSubstr("scale is out of range"));
  EXPECT_THAT(message(head + "[columns]\nbid = {column = \"b\", missing = inf}\n"), HasSubstr("is not finite"));
  EXPECT_THAT(message(head + "[columns]\nstamp = {column = \"t\", format = \"epoch\"}\n"),
              HasSubstr("stamp.format is not one of the known words (choose iso, "));
  EXPECT_THAT(message(head + "[columns]\nstamp = {column = \"t\", zone = \"CET\"}\n"), HasSubstr("America/New_York"));
  EXPECT_THAT(message(head + "[columns]\nexchange = \"x\"\n"), HasSubstr("keep"));
  EXPECT_THAT(message(head + "[columns]\nsettlement = {column = \"x\"}\n"), HasSubstr("says not what its values mean"));
  EXPECT_THAT(message(head + "delimiter = \"ab\"\n"), HasSubstr("delimiter is none of"));
  EXPECT_THAT(message(head + "shape = \"wide\"\n"), HasSubstr("choose contract_per_row, call_and_put_per_row"));
  EXPECT_THAT(message(head + "shape = \"call_and_put_per_row\"\n"), HasSubstr("are missing"));
  EXPECT_THAT(message(head + "[columns]\nsymbol = \"s\"\n[call]\nbid = \"b\"\n"), HasSubstr("set shape"));
  EXPECT_THAT(message(head + "[columns]\nsymbol = \"s\"\n[quote]\ninstant = \"stamp\"\n"), HasSubstr("columns.stamp"));
  EXPECT_THAT(message(head + "[columns]\nsymbol = \"s\"\n[quote]\ninstant = \"session_close\"\n"),
              HasSubstr("columns.session"));
  EXPECT_THAT(message("columns = 3\n" + head), HasSubstr("columns is not a table"));
}

TEST(Profile, EveryMessageHasProblemReasonAndSuggestion) {
  for (const std::string& text : {std::string(), std::string("x = ["), std::string("format = \"m\"\nmatch = []\n")}) {
    EXPECT_THAT(refusal(kLongHeader, with_profile(text)), testing::MatchesRegex("map\\.toml:[0-9]+: .+ \\(.+\\).*"));
  }
}

/// The example of docs/formats.md: the first TOML block is the profile, the first CSV block the table it describes.
TEST(Profile, TheExampleOfTheDocumentation) {
  std::ifstream in(GREEKGRID_FORMATS_PAGE);
  ASSERT_TRUE(in) << GREEKGRID_FORMATS_PAGE;
  std::stringstream page;
  page << in.rdbuf();
  const auto block = [text = page.str()](const std::string& language) {
    const std::size_t begin = text.find("```" + language + "\n");
    EXPECT_NE(begin, std::string::npos) << language;
    const std::size_t from = begin + 4 + language.size();
    return text.substr(from, text.find("```", from) - from);
  };
  const OptionChain chain = parse(block("csv"), with_profile(block("toml")));
  ASSERT_EQ(chain.contracts(), 2u);
  EXPECT_EQ(chain.ticker[0], "SPY");
  EXPECT_EQ(chain.strike, (std::vector<double>{690, 692.5}));
  EXPECT_EQ(chain.right, (std::vector<std::int8_t>{1, -1}));
  EXPECT_EQ(chain.vendor_iv[0], 0.1425);
  EXPECT_TRUE(std::isnan(chain.vendor_iv[1]));
  EXPECT_EQ(chain.open_interest, (std::vector<double>{1200, 3400}));
  EXPECT_EQ(chain.spot[0], 691.25);
  EXPECT_EQ(chain.quote_time, new_york_instant(ymd(2026, 2, 11), 16, 0));
}

/// Every name and every profile of the program stands on the page.
TEST(Profile, TheDocumentationListsEveryFormat) {
  std::ifstream in(GREEKGRID_FORMATS_PAGE);
  std::stringstream page;
  page << in.rdbuf();
  for (const std::string& name : format_names()) EXPECT_THAT(page.str(), HasSubstr("`" + name + "`"));
}

}  // namespace
}  // namespace greekgrid::test

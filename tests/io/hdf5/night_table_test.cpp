#include "greekgrid/io/night_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>

#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/history_file.hpp"
#include "greekgrid/io/night_file.hpp"
#include "greekgrid_test/test_data.hpp"
#include "sample_parts.hpp"
#include "table.hpp"

namespace greekgrid {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

using test::write_night;

/// A file of the schema with what `add` writes into its root group.
fs::path odd_file(const std::function<void(hid_t root)>& add, const std::string& schema = "greekgrid.night") {
  const fs::path path = test::scratch_dir("night_table") / "odd.h5";
  const h5::LibraryLock lock;
  h5::Handle file = h5::create_file(path);
  {
    const h5::Handle root = h5::root_group(file);
    h5::write_attribute(root.get(), "schema", schema);
    h5::write_attribute(root.get(), "schema_version", std::string("1.0"));
    add(root.get());
  }
  file.close("close");
  return path;
}

const TableGroup& group_of(const TableFile& file, const std::string& path) {
  const auto found =
      std::find_if(file.groups.begin(), file.groups.end(), [&](const TableGroup& g) { return g.path == path; });
  if (found == file.groups.end()) throw std::runtime_error("no group " + path);
  return *found;
}

const TableVariable& variable_of(const TableGroup& group, const std::string& name) {
  const auto found = std::find_if(group.variables.begin(), group.variables.end(),
                                  [&](const TableVariable& v) { return v.name == name; });
  if (found == group.variables.end()) throw std::runtime_error("no variable " + name);
  return *found;
}

template <class T>
std::vector<T> values_of(const fs::path& file, const std::string& group, const std::string& name) {
  return std::get<std::vector<T>>(read_table(file, group, {{name}, {}}).at(0).values);
}

TEST(NightTable, ListsWhatIsInANight) {
  const fs::path file = test::scratch_dir("night_table") / "night.h5";
  test::SampleNight night(test::sample_chain(3, 4));
  night.tables.crossing.clear();
  write_night(file, night);
  const TableFile listed = list_groups(file);
  EXPECT_EQ(listed.schema, "greekgrid.night");
  std::vector<std::string> paths;
  for (const TableGroup& group : listed.groups) paths.push_back(group.path);
  EXPECT_THAT(paths, IsSupersetOf({"root", "contract", "crossing", "expiry", "levels", "profile/strike", "quality",
                                   "run", "volatility"}));
  const TableVariable& gx = variable_of(group_of(listed, "root"), "gx");
  EXPECT_THAT(gx.dims, ElementsAre("ticker", "position", "iv_rule", "time", "iv_shift", "spot_step"));
  EXPECT_THAT(gx.lengths, ElementsAre(3, 2, 2, 3, 3, 5));
  EXPECT_EQ(gx.type, "f32");
  EXPECT_EQ(gx.units, "shares USD-1");
  EXPECT_THAT(gx.long_name, HasSubstr("gamma"));
  EXPECT_FALSE(gx.is_coordinate());
  EXPECT_TRUE(variable_of(group_of(listed, "root"), "time").is_instant());
  const TableVariable& status = variable_of(group_of(listed, "levels"), "zero_gamma_status");
  EXPECT_THAT(status.flag_values, SizeIs(9));
  EXPECT_THAT(status.flag_meanings, Contains("only_weak"));
  EXPECT_TRUE(variable_of(group_of(listed, "levels"), "row").is_coordinate());
  EXPECT_THAT(variable_of(group_of(listed, "contract"), "dealer_position").dims, ElementsAre("contract", "position"));
  EXPECT_TRUE(group_of(listed, "crossing").is_empty_table);
  EXPECT_FALSE(group_of(listed, "run").is_empty_table);
  EXPECT_TRUE(read_table(file, "crossing").empty());
}

TEST(NightTable, ListsNestedGroups) {
  const fs::path path = odd_file([](hid_t root) {
    const h5::Handle outer = h5::create_group(root, "profile");
    const h5::Handle inner = h5::create_group(outer.get(), "strike");
    h5::TableWriter table(inner.get());
    table.row_numbers("row", 3);
    table.column({"strike", {"row"}, "strike", "USD", ""}, std::vector<double>{95.0, 100.0, 105.0});
  });
  const TableFile listed = list_groups(path);
  ASSERT_EQ(listed.groups.size(), 3U);
  EXPECT_EQ(listed.groups[2].path, "profile/strike");
  EXPECT_THAT(values_of<double>(path, "profile/strike", "strike"), ElementsAre(95.0, 100.0, 105.0));
}

TEST(NightTable, ReadsEveryType) {
  const fs::path file = test::scratch_dir("night_table") / "night.h5";
  const test::SampleNight night(test::sample_chain(3, 4));
  write_night(file, night);
  EXPECT_EQ(values_of<std::string>(file, "root", "ticker"), night.header.ticker);
  EXPECT_EQ(values_of<double>(file, "root", "spot_reference"), night.header.spot_reference);
  EXPECT_EQ(values_of<std::int64_t>(file, "root", "time"), night.header.time);
  EXPECT_EQ(values_of<double>(file, "contract", "dealer_position"), night.tables.dealer_position);
  EXPECT_EQ(values_of<std::int32_t>(file, "contract", "contract_expiry"), night.snapshot.contract_expiry);
  EXPECT_THAT(values_of<std::int8_t>(file, "levels", "zero_gamma_status"), ElementsAre(0, 1, 0, 1, 0, 1));
  const std::vector<TableColumn> levels = read_table(file, "levels");
  EXPECT_EQ(levels.size(), group_of(list_groups(file), "levels").variables.size());
  const auto gx = values_of<float>(file, "root", "gx");
  const std::size_t per_surface = night.header.chunk_cells() * 4;
  for (std::size_t u = 0; u < 3; ++u) {
    const std::vector<double> cells = night.cells(u);
    for (std::size_t i = 0; i < per_surface; ++i) {
      ASSERT_EQ(gx[u * per_surface + i], static_cast<float>(cells[per_surface + i])) << u << " " << i;
    }
  }
}

TEST(NightTable, ReadsParts) {
  const fs::path file = test::scratch_dir("night_table") / "night.h5";
  const test::SampleNight night(test::sample_chain(3, 4));
  write_night(file, night);
  const TableSelection selection = {
      {"gx", "spot", "ticker", "spot_step"},
      {{"ticker", {1, 2}}, {"position", {1, 1}}, {"iv_rule", {0, 1}}, {"time", {2, 1}}, {"spot_step", {3, 2}}}};
  const std::vector<TableColumn> table = read_table(file, "root", selection);
  ASSERT_EQ(table.size(), 4U);
  EXPECT_THAT(table[0].variable.lengths, ElementsAre(2, 1, 1, 1, 3, 2));
  EXPECT_THAT(table[1].variable.lengths, ElementsAre(2, 2));
  EXPECT_EQ(std::get<std::vector<std::string>>(table[2].values),
            (std::vector<std::string>{night.header.ticker[1], night.header.ticker[2]}));
  const auto& gx = std::get<std::vector<float>>(table[0].values);
  ASSERT_EQ(gx.size(), 12U);
  const std::size_t chunk = night.header.chunk_cells();
  std::size_t i = 0;
  for (std::size_t u = 1; u < 3; ++u) {
    const std::vector<double> cells = night.cells(u);
    for (std::size_t shift = 0; shift < 3; ++shift) {
      for (std::size_t spot = 3; spot < 5; ++spot, ++i) {
        // Surface gx, position 1, rule 0, time 2.
        EXPECT_EQ(gx[i], static_cast<float>(cells[(4 + 2) * chunk + 2 * 15 + shift * 5 + spot])) << i;
      }
    }
  }
}

TEST(NightTable, ReadsChainsAndHistories) {
  const fs::path dir = test::scratch_dir("night_table");
  const OptionChain chain = test::sample_chain(3, 5);
  write_chain_file(chain, dir / "chains.h5");
  EXPECT_EQ(list_groups(dir / "chains.h5").schema, "greekgrid.chains");
  EXPECT_EQ(values_of<double>(dir / "chains.h5", "root", "strike"), chain.strike);
  write_history_file(test::sample_history(3, 4), dir / "history.h5");
  EXPECT_EQ(list_groups(dir / "history.h5").schema, "greekgrid.history");
  EXPECT_EQ(values_of<std::string>(dir / "history.h5", "root", "symbol").size(), 3U);
}

TEST(NightTable, RefusesWhatIsNotThere) {
  const fs::path file = test::scratch_dir("night_table") / "night.h5";
  write_night(file, test::SampleNight(test::sample_chain(2, 2)));
  const auto message = [&](const std::string& group, const TableSelection& selection) {
    return message_of([&] { read_table(file, group, selection); });
  };
  EXPECT_THAT(message("nonsense", {}), HasSubstr("there is no group nonsense"));
  EXPECT_THAT(message("levels", {{"nonsense"}, {}}), HasSubstr("group levels has no variable nonsense"));
  for (const IndexRange range : {IndexRange{-1, 1}, {0, 3}, {2, 1}, {0, 0}, {1, INT64_MAX}, {INT64_MAX, 1}}) {
    EXPECT_THAT(message("root", {{"gx"}, {{"ticker", range}}}), HasSubstr("dimension ticker of variable gx has no"));
  }
  EXPECT_THAT(message_of([&] { list_groups(file.string() + ".absent"); }), HasSubstr("No such file"));
  const fs::path other = odd_file([](hid_t) {}, "someone.else");
  EXPECT_THAT(message_of([&] { list_groups(other); }),
              AllOf(HasSubstr("is no greekgrid.night file"), HasSubstr("someone.else")));
  EXPECT_THAT(message_of([&] { read_table(other, "root"); }), HasSubstr("is no greekgrid.night file"));
}

TEST(NightTable, RefusesVariablesThatNoSchemaHas) {
  const auto refused = [](const std::function<void(hid_t root)>& add) {
    const fs::path path = odd_file(add);
    const std::string listed = message_of([&] { list_groups(path); });
    EXPECT_NE(message_of([&] { read_table(path, "root"); }), "no error") << listed;
    return listed;
  };
  const auto dataset = [](hid_t root, const char* name, hid_t type, std::vector<hsize_t> dims) {
    const h5::Handle space(
        dims.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
        H5Sclose, "space");
    return h5::Handle(H5Dcreate2(root, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose, name);
  };
  EXPECT_THAT(refused([&](hid_t root) { dataset(root, "x", H5T_STD_U16LE, {3}); }), HasSubstr("has a type that no"));
  EXPECT_THAT(refused([&](hid_t root) { dataset(root, "x", H5T_STD_I32BE, {3}); }), HasSubstr("has a type that no"));
  EXPECT_THAT(refused([&](hid_t root) { dataset(root, "x", H5T_IEEE_F64LE, {}); }), HasSubstr("has no dimensions"));
  EXPECT_THAT(refused([&](hid_t root) { dataset(root, "x", H5T_IEEE_F64LE, {3}); }), HasSubstr("has no coordinate"));
  EXPECT_THAT(refused([&](hid_t root) {
                dataset(root, "x", H5T_IEEE_F64LE, {1U << 30U, 1U << 30U, 1U << 30U});
              }),
              HasSubstr("more elements than any file"));
}

TEST(NightTable, RefusesMoreThanTheFileHolds) {
  // A coordinate of a billion rows of which none is stored.
  const fs::path path = odd_file([](hid_t root) {
    const hsize_t rows = 1000000000, chunk = 1000;
    const h5::Handle space(H5Screate_simple(1, &rows, nullptr), H5Sclose, "space");
    const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "properties");
    h5::check(H5Pset_chunk(creation.get(), 1, &chunk), "chunk");
    const h5::Handle row(H5Dcreate2(root, "row", H5T_STD_I64LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                         H5Dclose, "row");
    h5::check(H5DSset_scale(row.get(), "row"), "scale");
  });
  EXPECT_THAT(message_of([&] { read_table(path, "root"); }), HasSubstr("needs 8000000000 bytes"));
  EXPECT_THAT(message_of([&] { read_table(path, "root", {{"row"}, {{"row", {5, 2}}}}); }), HasSubstr("it is damaged"));
}

TEST(NightTable, RefusesGroupsWithoutEnd) {
  const fs::path path = odd_file([](hid_t root) {
    const h5::Handle inner = h5::create_group(root, "inner");
    h5::check(H5Lcreate_hard(root, "/", inner.get(), "again", H5P_DEFAULT, H5P_DEFAULT), "link");
  });
  EXPECT_THAT(message_of([&] { list_groups(path); }), HasSubstr("nested without end"));
}

TEST(NightTable, RefusesACoordinateOfAnotherLength) {
  const fs::path path = odd_file([](hid_t root) {
    const h5::Handle other = h5::create_group(root, "other");
    h5::TableWriter table(other.get());
    table.row_numbers("row", 3);
    table.column({"price", {"row"}, "price", "USD", ""}, std::vector<double>{1.0, 2.0, 3.0});
    h5::check(H5Lmove(other.get(), "row", other.get(), "old", H5P_DEFAULT, H5P_DEFAULT), "move");
    h5::TableWriter(other.get()).row_numbers("row", 2);
  });
  EXPECT_THAT(message_of([&] { list_groups(path); }),
              HasSubstr("dimension row of variable price of group other has no coordinate of its length"));
}

TEST(NightTable, TextsComeWithoutControlCharacters) {
  const fs::path path = odd_file([](hid_t root) {
    h5::TableWriter table(root);
    table.column({"ticker", {"ticker"}, "a \x1b[31mred\x1b[0m name", "", ""},
                 std::vector<std::string>{"A\r\nB", "\x7f"});
  });
  const TableFile listed = list_groups(path);
  EXPECT_EQ(listed.groups[0].variables[0].long_name, "a ?[31mred?[0m name");
  EXPECT_THAT(values_of<std::string>(path, "root", "ticker"), ElementsAre("A??B", "?"));
}

TEST(NightTable, SurvivesFlippedBits) {
  const fs::path dir = test::scratch_dir("night_table");
  test::SampleNight night(test::one_contract_chain(), 1);
  night.header.greeks = {Greek::kGamma};
  night.header.delta_change = false;
  night.header.outlook.maps = false;
  write_night(dir / "good.h5", night);
  std::ifstream in(dir / "good.h5", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const std::size_t bits = good.size() * 8;
  constexpr std::size_t kFlips = 150;
  int refused = 0;
  for (std::size_t i = 0; i < kFlips; ++i) {
    const std::size_t bit = (i * bits) / kFlips + (i * 2654435761ULL) % (bits / kFlips);
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << (bit % 8)));
    std::ofstream(dir / "bad.h5", std::ios::binary) << bytes;
    refused += message_of([&] {
                 for (const TableGroup& group : list_groups(dir / "bad.h5").groups) {
                   read_table(dir / "bad.h5", group.path);
                 }
               }) != "no error";
  }
  EXPECT_GT(refused, 30);
}

}  // namespace
}  // namespace greekgrid

#include "greekgrid/io/night_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <thread>

#include "greekgrid_test/test_data.hpp"
#include "handle.hpp"
#include "sample_parts.hpp"

// A file that could not be closed, because the disk is full, stays in the library's memory.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace greekgrid {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
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

using test::write_night;

/// A dataset as the library's own filters decode it.
std::vector<float> read_surface(const fs::path& file, const std::string& name) {
  const h5::LibraryLock lock;
  const h5::Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "open");
  const h5::Handle dataset(H5Dopen2(opened.get(), name.c_str(), H5P_DEFAULT), H5Dclose, "open");
  const h5::Handle space(H5Dget_space(dataset.get()), H5Sclose, "space");
  std::vector<float> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get())));
  h5::check(H5Dread(dataset.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read");
  return values;
}

TEST(NightFile, HypotheticalClosesComeBackAtTheirPlaceAndAreMissingBeyondTheTickersOwn) {
  const fs::path file = test::scratch_dir("night") / "night.h5";
  const test::SampleNight night(test::sample_chain(3, 2), 21);
  write_night(file, night);
  const StepAxis all = whole_chunks(night.header.outlook.close);
  const std::size_t closes = all.size(), modes = 2, positions = 2, rules = 2, shifts = 3;
  const std::vector<float> dx = read_surface(file, "/step_forward/dx"),
                           wall = read_surface(file, "/step_forward/put_wall"),
                           ratio = read_surface(file, "/step_forward/g_old"),
                           mean = read_surface(file, "/step_forward/mean"),
                           age = read_surface(file, "/step_forward/neighbour_age"),
                           z = read_surface(file, "/step_forward/z_g"),
                           status = read_surface(file, "/step_forward/close_status");
  std::size_t missing = 0;
  for (std::size_t u = 0; u < 3; ++u) {
    const TickerSteps steps = night.steps(u);
    const StepAxis own = steps.step.front().axis;
    for (std::size_t c = 0; c < closes; ++c) {
      const int i = all.first + static_cast<int>(c);
      const bool inside = i >= own.first && i <= own.last;
      const auto k = static_cast<std::size_t>(inside ? i - own.first : 0);
      missing += inside ? 0 : 1;
      ASSERT_EQ(status[u * closes + c], !inside ? 0.0F : k == 0 ? 2.0F : 1.0F);
      const auto expect = [&](float got, double want) {
        if (inside && !std::isnan(want)) {
          ASSERT_EQ(got, static_cast<float>(want)) << "ticker " << u << " close " << i;
        } else {
          ASSERT_TRUE(std::isnan(got)) << "ticker " << u << " close " << i;
        }
      };
      for (std::size_t m = 0; m < modes; ++m) {
        const StepForward& step = steps.step[m];
        expect(z[(u * modes + m) * closes + c], step.z[2][k]);
        for (std::size_t h = 0; h < 2; ++h) {
          const Forecast& f = step.forecast[h][k];
          const float sessions = age[(((u * modes + m) * 2 + h) * kNeighbours + 41) * closes + c];
          ASSERT_EQ(sessions,
                    inside && f.status == ForecastStatus::kOk ? 999.0F - 41.0F - static_cast<float>(k) : 0.0F);
          expect(mean[((u * modes + m) * 2 + h) * closes + c], f.status == ForecastStatus::kOk ? f.mean : std::nan(""));
        }
        for (std::size_t r = 0; r < rules; ++r) {
          for (std::size_t v = 0; v < shifts; ++v) {
            expect(ratio[(((u * modes + m) * rules + r) * shifts + v) * closes + c],
                   steps.table.gamma_ratio[((m * rules + r) * shifts + v) * own.size() + k]);
            for (std::size_t w = 0; w < positions; ++w) {
              const std::size_t to = ((((u * modes + m) * positions + w) * rules + r) * shifts + v) * closes + c;
              const auto from = [&](StepQuantity q) {
                return ((((static_cast<std::size_t>(q) * modes + m) * positions + w) * rules + r) * shifts + v) *
                           own.size() +
                       k;
              };
              expect(dx[to], steps.table.value[from(StepQuantity::kDx)]);
              expect(wall[to], steps.table.value[from(StepQuantity::kPutWall)]);
            }
          }
        }
      }
    }
    const std::vector<float> n_eff = read_surface(file, "/weather/n_eff");
    for (std::size_t h = 0; h < 2; ++h) {
      const std::size_t cells = steps.maps[h].n_eff.size();
      for (std::size_t i = 0; i < cells; ++i) {
        const float want = steps.maps[h].n_eff[i];
        ASSERT_NEAR(n_eff[(u * 2 + h) * cells + i], want, 0x1p-13F * std::abs(want));
      }
    }
  }
  EXPECT_EQ(missing, 2 * (closes - 301) + closes - 421);  // two of the three reach -10 .. 5 only
}

/// The only refusal of a part whose tickers were spoilt one way.
Diagnostics refusals(const fs::path& dir, const test::SampleNight& night,
                     const std::function<void(TickerNight&)>& spoil) {
  NightPart part = NightPart::create(dir / "part", test::identity_of(night), "night.h5");
  fs::remove(dir / "part");
  test::append(part, night, test::all_of(night), 2, spoil);
  const NightPart* parts[] = {&part};
  return diagnostics_of(parts);
}

TEST(NightFile, AHypotheticalCloseBeyondSinglePrecisionIsRefused) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight night(test::sample_chain(1, 2), 21);
  const Diagnostics refused = refusals(dir, night, [](TickerNight& one) { one.steps.table.value[5] = 1e39; });
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].ticker, "T1000");
  EXPECT_EQ(refused[0].rule, "stage_failed");
  EXPECT_THAT(refused[0].value, AllOf(HasSubstr("step_forward dx"), HasSubstr("float32")));
}

TEST(NightFile, SurfacesComeBackAsFloat32) {
  const fs::path file = test::scratch_dir("night") / "night.h5";
  const test::SampleNight night(test::sample_chain(4, 2), 21);
  write_night(file, night);
  const std::size_t per_surface = night.header.chunk_cells() * 4;
  for (const auto& [place, name] : {std::pair{0, "/dx"}, {1, "/gx"}, {11, "/veta"}, {12, "/delta_change"}}) {
    const std::vector<float> surface = read_surface(file, name);
    ASSERT_EQ(surface.size(), 4 * per_surface);
    for (std::size_t u = 0; u < 4; ++u) {
      const std::vector<double> cells = night.cells(u);
      for (std::size_t i = 0; i < per_surface; ++i) {
        ASSERT_EQ(surface[u * per_surface + i],
                  static_cast<float>(cells[static_cast<std::size_t>(place) * per_surface + i]))
            << name << " of ticker " << u << ", cell " << i;
      }
    }
  }
}

TEST(NightFile, SummaryComesBack) {
  const fs::path file = test::scratch_dir("night") / "night.h5";
  test::SampleNight night(test::sample_chain(3, 4));
  night.header.keep_bits = 12;
  write_night(file, night);
  const NightSummary summary = read_night_summary(file);
  const NightHeader &got = summary.header, &put = night.header;
  EXPECT_EQ(got.title, put.title);
  EXPECT_EQ(got.quote_time, put.quote_time);
  EXPECT_EQ(got.file_time, put.file_time);
  EXPECT_EQ(got.open_interest_settle_date, put.open_interest_settle_date);
  EXPECT_EQ(got.open_interest_knowledge_time, put.open_interest_knowledge_time);
  EXPECT_EQ(got.source.size(), put.source.size());
  EXPECT_EQ(got.ticker, put.ticker);
  EXPECT_EQ(got.spot_reference, put.spot_reference);
  EXPECT_EQ(got.spot_basis, put.spot_basis);
  EXPECT_EQ(got.spot_scale, put.spot_scale);
  EXPECT_EQ(got.position, put.position);
  EXPECT_EQ(got.iv_rule, put.iv_rule);
  EXPECT_EQ(got.iv_rule_parameter, put.iv_rule_parameter);
  EXPECT_EQ(got.time, put.time);
  EXPECT_EQ(got.time_axis, put.time_axis);
  EXPECT_EQ(got.iv_shift, put.iv_shift);
  EXPECT_EQ(got.iv_shift_term, put.iv_shift_term);
  EXPECT_EQ(got.iv_shift_term_cap, put.iv_shift_term_cap);
  EXPECT_EQ(got.iv_floor, put.iv_floor);
  EXPECT_EQ(got.spot_step, put.spot_step);
  EXPECT_EQ(got.spot_axis, put.spot_axis);
  EXPECT_EQ(got.greeks, put.greeks);
  EXPECT_EQ(got.delta_change, put.delta_change);
  EXPECT_EQ(got.keep_bits, put.keep_bits);
  ASSERT_EQ(summary.level.size(), 6U);
  EXPECT_EQ(summary.level[1].ticker, "T1000");
  EXPECT_EQ(summary.level[1].position, "unsigned");
  EXPECT_EQ(summary.level[1][LevelName::kZeroGamma].status, LevelStatus::kNoSignChange);
  EXPECT_TRUE(std::isnan(summary.level[1][LevelName::kZeroGamma].value));
  EXPECT_EQ(summary.level[0][LevelName::kZeroGamma].value, 99.5);
  EXPECT_EQ(summary.level[0][LevelName::kZeroGammaCount].value, 1.0);
  EXPECT_EQ(summary.level[0][LevelName::kPutWall].value, 95.0);
  ASSERT_EQ(summary.crossing.size(), 3U);
  EXPECT_EQ(summary.crossing[2].ticker, "T1002");
  EXPECT_EQ(summary.crossing[2].slope, -2.5);
  ASSERT_EQ(summary.quality.size(), 4U);
  EXPECT_EQ(summary.quality[0].rows_in, 5);
  EXPECT_EQ(summary.quality[0].filled_iv_share, 0.25);
  EXPECT_EQ(summary.quality[3].status, TickerStatus::kNotInChain);
  EXPECT_EQ(summary.contracts, 48);
  EXPECT_EQ(summary.expiries, 6);
  EXPECT_EQ(summary.run.at("configuration"), night.texts.configuration);
  EXPECT_THAT(summary.run.at("compressor"), HasSubstr("level 1"));
  EXPECT_EQ(summary.run.count("warnings"), 0U);
  EXPECT_EQ(summary.warnings,
            (std::vector<std::string>{"spot_basis of T1001 is 10 bp", "1 tickers refused: not_in_chain"}));
}

TEST(NightFile, EmptyTablesAreGroupsWithoutVariables) {
  const fs::path file = test::scratch_dir("night") / "night.h5";
  test::SampleNight night(test::one_contract_chain(), 1);
  night.tables.crossing.clear();
  night.tables.level.clear();
  night.texts.warnings.clear();
  write_night(file, night);
  const NightSummary summary = read_night_summary(file);
  EXPECT_TRUE(summary.crossing.empty());
  EXPECT_TRUE(summary.level.empty());
  EXPECT_EQ(summary.warnings, std::vector<std::string>{"1 tickers refused: not_in_chain"});
  EXPECT_EQ(summary.contracts, 1);
}

TEST(NightFile, StoresASubsetOfTheSurfaces) {
  const fs::path file = test::scratch_dir("night") / "night.h5";
  test::SampleNight night(test::sample_chain(2, 2));
  night.header.greeks = {Greek::kCharm, Greek::kVanna};
  night.header.delta_change = false;
  night.header.iv_shift_term = "flat";
  write_night(file, night);
  const NightSummary summary = read_night_summary(file);
  EXPECT_EQ(summary.header.greeks, night.header.greeks);
  EXPECT_FALSE(summary.header.delta_change);
  EXPECT_EQ(summary.header.keep_bits, 0);
  EXPECT_EQ(read_surface(file, "/vanna")[0], static_cast<float>(night.cells(0)[night.header.chunk_cells() * 4]));
}

TEST(NightFile, SameBytesFromAnyOrderAndAnyParts) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight night(test::sample_chain(24, 40), 21);
  write_night(dir / "a.h5", night);
  const std::string expected = read(dir / "a.h5");
  for (const std::size_t shards : {1U, 2U, 5U, 24U}) {
    std::vector<NightPart> parts;
    for (std::size_t i = 0; i < shards; ++i) {
      parts.push_back(NightPart::create(
          dir / ("part" + std::to_string(i)),
          test::identity_of(night, static_cast<std::int32_t>(i + 1), static_cast<std::int32_t>(shards)), "b.h5"));
      std::vector<std::size_t> own;
      for (std::size_t u = 24; u-- > 0;) {
        if (u * 7 % shards == i) own.push_back(u);
      }
      test::append(parts.back(), night, own, 1 + i % 4);
    }
    std::vector<const NightPart*> all;
    for (const NightPart& part : parts) all.insert(all.begin(), &part);
    write_night_file(all, dir / "b.h5");
    EXPECT_TRUE(read(dir / "b.h5") == expected) << shards << " parts, backwards";
  }
}

TEST(NightFile, TwoNightsAtOnce) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight night(test::sample_chain(12, 5), 21);
  write_night(dir / "alone.h5", night);
  std::thread other([&] { write_night(dir / "other.h5", night); });
  write_night(dir / "one.h5", night);
  const NightSummary summary = read_night_summary(dir / "alone.h5");
  other.join();
  EXPECT_EQ(summary.contracts, 240);
  EXPECT_TRUE(read(dir / "one.h5") == read(dir / "alone.h5"));
  EXPECT_TRUE(read(dir / "other.h5") == read(dir / "alone.h5"));
}

TEST(NightFile, ATickerThatFloat32CannotHoldIsRefusedAlone) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight night(test::sample_chain(2, 2));
  for (const double bad : {std::nan(""), HUGE_VAL, 1e39}) {
    const auto spoil = [&](TickerNight& one) {
      // Surface gx, position unsigned, rule sticky_strike, time 2, shift 0, spot 4.
      if (one.index == 1) one.cells[((1 * 2 + 1) * 2 + 0) * 45 + 2 * 15 + 4] = bad;
    };
    const Diagnostics refused = refusals(dir, night, spoil);
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].ticker, "T1001");
    EXPECT_THAT(refused[0].value, AllOf(HasSubstr("surface gx"),
                                        HasSubstr("[unsigned, sticky_strike, time 2, iv_shift 0, spot_step 4]")));
    write_night(dir / "night.h5", night, spoil);
    const NightSummary summary = read_night_summary(dir / "night.h5");
    EXPECT_EQ(summary.header.ticker, (std::vector<std::string>{"T1000"}));
    EXPECT_EQ(summary.quality.at(1).status, TickerStatus::kStageFailed);
    EXPECT_THAT(summary.warnings, ::testing::Contains("1 tickers refused: stage_failed"));
    EXPECT_EQ(read_surface(dir / "night.h5", "/gx")[3], static_cast<float>(night.cells(0)[4 * 45 + 3]));
  }
}

TEST(NightFile, EachTickerExactlyOnce) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight night(test::sample_chain(2, 2));
  NightPart part = NightPart::create(dir / "part", test::identity_of(night), "night.h5");
  test::append(part, night, {1});
  EXPECT_THAT(message_of([&] { test::append(part, night, {1}); }), HasSubstr("T1001 came twice"));
  const NightPart* parts[] = {&part};
  EXPECT_THAT(message_of([&] { write_night_file(parts, dir / "night.h5"); }), HasSubstr("T1000 is in no shard"));
  EXPECT_FALSE(fs::exists(dir / "night.h5"));
  test::append(part, night, {0});
  write_night_file(parts, dir / "night.h5");
  EXPECT_EQ(read_night_summary(dir / "night.h5").header.ticker.size(), 2U);
}

TEST(NightFile, RefusesHeadersThatBreakTheSchema) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight night(test::sample_chain(2, 2));
  const auto message = [&](const std::function<void(NightHeader&)>& change) {
    NightIdentity identity = test::identity_of(night);
    change(identity.axes);
    return message_of([&] { NightPart::create(dir / "part", identity, "night.h5"); });
  };
  EXPECT_EQ(message([](NightHeader&) {}), "no error");
  EXPECT_THAT(message([](NightHeader& h) { h.position.clear(); }), HasSubstr("there is no position"));
  EXPECT_THAT(message([](NightHeader& h) { h.iv_rule[1] = h.iv_rule[0]; }), HasSubstr("not distinct"));
  EXPECT_THAT(message([](NightHeader& h) { h.time[0] += 1; }), HasSubstr("time[0] is not quote_time"));
  EXPECT_THAT(message([](NightHeader& h) { h.time[2] = h.time[1]; }), HasSubstr("time does not increase"));
  EXPECT_THAT(message([](NightHeader& h) { h.iv_shift[1] = 0.01; }), HasSubstr("does not contain 0"));
  EXPECT_THAT(message([](NightHeader& h) { h.spot_step.pop_back(); }), HasSubstr("even length"));
  EXPECT_THAT(message([](NightHeader& h) { h.spot_step[0] -= 1e-12; }), HasSubstr("not symmetric"));
  EXPECT_THAT(message([](NightHeader& h) { h.greeks = {}, h.delta_change = false; }), HasSubstr("no surface"));
  EXPECT_THAT(message([](NightHeader& h) { h.keep_bits = 24; }), HasSubstr("keep_bits"));
  EXPECT_THAT(message([](NightHeader& h) { h.time_axis = "weekly"; }), HasSubstr("unknown time_axis"));
  EXPECT_THAT(message_of([&] { NightPart::create("/nonexistent/part", test::identity_of(night), "night.h5"); }),
              HasSubstr("No such file"));
}

TEST(NightFile, ATickerWhoseTablesDoNotFitIsRefused) {
  const fs::path dir = test::scratch_dir("night");
  const auto message = [&](const std::function<void(TickerNight&)>& change) {
    const test::SampleNight night(test::sample_chain(2, 2));
    const Diagnostics refused = refusals(dir, night, [&](TickerNight& one) {
      if (one.index == 0) change(one);
    });
    return refused.size() == 1 ? refused[0].value : "none";
  };
  EXPECT_THAT(message([](auto& night) { night.tables.snapshot = nullptr; }), HasSubstr("no snapshot"));
  EXPECT_THAT(message([](auto& night) { night.tables.greeks.pop_back(); }), HasSubstr("greeks"));
  EXPECT_THAT(message([](auto& night) { night.tables.dealer_position.pop_back(); }), HasSubstr("dealer_position"));
  EXPECT_THAT(message([](auto& night) { night.tables.level[0][LevelName::kCallWall].value = NAN; }),
              HasSubstr("call_wall of T1000 naive"));
  EXPECT_THAT(message([](auto& night) { night.cells.pop_back(); }), HasSubstr("do not fit"));
}

TEST(NightFile, KeepsTheOldFileWhenTheDiskIsFull) {
  const fs::path dir = test::scratch_dir("night");
  const test::SampleNight small(test::sample_chain(1, 1)), large(test::sample_chain(30, 50), 101);
  write_night(dir / "night.h5", large);
  const rlim_t whole = fs::file_size(dir / "night.h5");
  write_night(dir / "night.h5", small);
  const std::string before = read(dir / "night.h5");
  struct rlimit old {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  // In the root, among the surfaces, and in the tables.
  for (const rlim_t most : {rlim_t{1000}, whole / 2, whole - 5000}) {
    NightPart part = NightPart::create(dir / "part", test::identity_of(large), "night.h5");
    fs::remove(dir / "part");
    test::append(part, large, test::all_of(large));
    const NightPart* parts[] = {&part};
    const struct rlimit lower { most, old.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &lower);
    EXPECT_THROW(write_night_file(parts, dir / "night.h5"), OutputError) << most;
    ::setrlimit(RLIMIT_FSIZE, &old);
  }
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(read(dir / "night.h5") == before);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir), {}), 1);
  write_night(dir / "night.h5", small);
  EXPECT_TRUE(read(dir / "night.h5") == before);
}

TEST(NightFile, StatisticsCountWhatIsStored) {
  const fs::path file = test::scratch_dir("night") / "night.h5";
  test::SampleNight night(test::sample_chain(3, 2), 21);
  night.header.outlook.stored = false;
  const NightStatistics statistics = write_night(file, night);
  EXPECT_EQ(statistics.bytes_raw, 3 * (night.cells(0).size() + night.session(0).size()) * 4);
  EXPECT_GT(statistics.bytes_compressed, 0U);
  EXPECT_LT(statistics.bytes_compressed, fs::file_size(file));
  EXPECT_GT(statistics.write_seconds, 0.0);
}

TEST(NightFile, SummarySurvivesFlippedBits) {
  const fs::path dir = test::scratch_dir("night");
  test::SampleNight night(test::one_contract_chain(), 1);
  night.header.greeks = {Greek::kGamma};
  night.header.delta_change = false;
  night.header.outlook.stored = false;
  write_night(dir / "good.h5", night);
  const std::string good = read(dir / "good.h5");
  const std::size_t bits = good.size() * 8;
  constexpr std::size_t kFlips = 300;
  int refused = 0;
  for (std::size_t i = 0; i < kFlips; ++i) {
    const std::size_t bit = (i * bits) / kFlips + (i * 2654435761ULL) % (bits / kFlips);
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << (bit % 8)));
    std::ofstream(dir / "bad.h5", std::ios::binary) << bytes;
    refused += message_of([&] { read_night_summary(dir / "bad.h5"); }) != "no error";
  }
  EXPECT_GT(refused, 50);
  EXPECT_THAT(message_of([&] { read_night_summary(dir / "absent.h5"); }), HasSubstr("No such file"));
}

TEST(NightFile, RefusesAChainsFile) {
  const fs::path file = test::scratch_dir("night") / "chains.h5";
  std::ofstream(file) << "text";
  EXPECT_THAT(message_of([&] { read_night_summary(file); }), HasSubstr("is no HDF5 file"));
}

}  // namespace
}  // namespace greekgrid

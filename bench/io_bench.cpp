// Files in and out, each beside what the machine does with as many bytes: ingest of long CSV, chains.h5, surfaces into
// night.h5. Wall-clock time; the thread count is an argument.
//
//   io_bench [--benchmark_filter=...] [--benchmark_out=FILE --benchmark_out_format=json]
//
// Files are written below $GREEKGRID_BENCH_DIR (default: the system's temporary directory) and removed. 1 MB = 1e6
// bytes.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "greekgrid/host/market.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/host/synthetic_chain.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/night_part.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A directory of this process, removed at exit.
const fs::path& work_dir() {
  struct Owner {
    fs::path path;
    Owner() {
      const char* given = std::getenv("GREEKGRID_BENCH_DIR");
      path = (given != nullptr ? fs::path(given) : fs::temp_directory_path()) /
             fmt::format("greekgrid_io_bench.{}", ::getpid());
      fs::create_directories(path);
    }
    ~Owner() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  };
  static const Owner owner;
  return owner.path;
}

std::size_t threads_of(const benchmark::State& state) {
  return state.range(0) > 0 ? static_cast<std::size_t>(state.range(0))
                            : std::max(1U, std::thread::hardware_concurrency());
}

class ThreadLimit {
 public:
  explicit ThreadLimit(std::size_t threads) : control_(oneapi::tbb::global_control::max_allowed_parallelism, threads) {}

 private:
  oneapi::tbb::global_control control_;
};

void set_rate(benchmark::State& state, const char* name, double each) {
  state.counters[name] =
      benchmark::Counter(each * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// Seconds for a plain write and fsync of a file's bytes from memory.
double plain_write_seconds(std::span<const char> bytes) {
  const fs::path file = work_dir() / "plain.bin";
  const auto begin = Clock::now();
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error(file.string() + ": cannot be created (plain write)");
  bool written = true;
  for (std::size_t done = 0; written && done < bytes.size();) {
    const ::ssize_t count =
        ::write(fd, bytes.data() + done, std::min<std::size_t>(bytes.size() - done, std::size_t{1} << 20));
    written = count > 0;
    if (written) done += static_cast<std::size_t>(count);
  }
  written = ::fsync(fd) == 0 && written;
  ::close(fd);
  const double seconds = seconds_since(begin);
  fs::remove(file);
  if (!written) throw std::runtime_error(file.string() + ": write failed (no space?)");
  return seconds;
}

std::vector<char> bytes_of(const fs::path& file) {
  std::vector<char> bytes(fs::file_size(file));
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  std::size_t done = 0;
  while (fd >= 0 && done < bytes.size()) {
    const ::ssize_t count = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  if (fd >= 0) ::close(fd);
  if (done != bytes.size()) throw std::runtime_error(file.string() + ": cannot be read");
  return bytes;
}

// The rate of the plain write of the same bytes, measured in turn with ours.
void set_plain_rate(benchmark::State& state, double megabytes, double plain_seconds) {
  state.counters["plain_write_MB_per_s"] = megabytes * static_cast<double>(state.iterations()) / plain_seconds;
}

const OptionChain& synthetic_chain() {
  static const OptionChain chain = synthesize_chain({200, 300'000, 1}, Calendar());
  return chain;
}

void append_number(std::string& text, double value) {
  if (std::isfinite(value)) fmt::format_to(std::back_inserter(text), "{}", value);
  text += ',';
}

// A chain as a long CSV with the columns that vendors of whole universes publish.
std::string long_csv(const OptionChain& chain) {
  std::string text =
      "underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,open_interest,"
      "implied_volatility,delta,gamma\n";
  const Date today = new_york_date(chain.quote_time);
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    const auto begin = static_cast<std::size_t>(chain.contract_begin[u]);
    const std::string head =
        fmt::format("{},{:04}-{:02}-{:02}T16:15:00-04:00,{},", chain.ticker[u], static_cast<int>(today.year()),
                    static_cast<unsigned>(today.month()), static_cast<unsigned>(today.day()), chain.spot[u]);
    for (std::size_t i = begin; i < begin + static_cast<std::size_t>(chain.contract_count[u]); ++i) {
      const auto e = static_cast<std::size_t>(chain.contract_expiry[i]);
      const Date date = new_york_date(chain.settlement[e]);
      const int year = static_cast<int>(date.year());
      const auto month = static_cast<unsigned>(date.month());
      const auto day = static_cast<unsigned>(date.day());
      const char right = chain.right[i] > 0 ? 'C' : 'P';
      text += head;
      fmt::format_to(std::back_inserter(text), "{}{:02}{:02}{:02}{}{:08},{:04}-{:02}-{:02},{},", chain.root[e],
                     year % 100, month, day, right, std::llround(chain.strike[i] * 1000.0), year, month, day, right);
      for (const auto* column : {&chain.strike, &chain.bid, &chain.ask, &chain.last, &chain.volume,
                                 &chain.open_interest, &chain.vendor_iv, &chain.vendor_delta, &chain.vendor_gamma}) {
        append_number(text, (*column)[i]);
      }
      text.back() = '\n';
    }
  }
  return text;
}

void BM_IngestSyntheticCsv(benchmark::State& state) {
  static const std::string text = long_csv(synthetic_chain());
  const ThreadLimit limit(threads_of(state));
  std::size_t contracts = 0, rejects = 0;
  for (auto _ : state) {
    const OptionChain chain = ingest_bytes(text, "synthetic.csv", Calendar(), IngestOptions());
    contracts = chain.contracts();
    rejects = chain.rejects.size();
  }
  set_rate(state, "MB_per_s", static_cast<double>(text.size()) / 1e6);
  set_rate(state, "rows_per_s", static_cast<double>(contracts + rejects));
  state.counters["MB"] = static_cast<double>(text.size()) / 1e6;
  state.counters["contracts"] = static_cast<double>(contracts);
  state.counters["rejects"] = static_cast<double>(rejects);
}
BENCHMARK(BM_IngestSyntheticCsv)->ArgName("threads")->Arg(1)->Arg(0)->UseRealTime()->Unit(benchmark::kMillisecond);

fs::path universe_file() {
  return test::data_dir() / "universe" / "us_options_20260710_close.csv.gz";
}

// Bytes of the text inside a gzip file; 0 if there is no such file.
std::uint64_t gunzip(const fs::path& file) {
  const gzFile in = ::gzopen(file.c_str(), "rb");
  if (in == nullptr) return 0;
  ::gzbuffer(in, 1U << 20);
  std::vector<char> buffer(std::size_t{1} << 20);
  std::uint64_t bytes = 0;
  for (int count = 0; (count = ::gzread(in, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;)
    bytes += static_cast<unsigned>(count);
  ::gzclose(in);
  return bytes;
}

void BM_IngestUniverse(benchmark::State& state) {
  const fs::path file = universe_file();
  if (!fs::exists(file)) {
    state.SkipWithError("skipped: no us_options_20260710_close.csv.gz (set GREEKGRID_DATA to the folder of chains)");
    return;
  }
  static const std::uint64_t bytes = gunzip(file);
  const ThreadLimit limit(threads_of(state));
  std::size_t contracts = 0, rejects = 0;
  for (auto _ : state) {
    const OptionChain chain = ingest(std::span(&file, 1), Calendar(), IngestOptions());
    contracts = chain.contracts();
    rejects = chain.rejects.size();
  }
  set_rate(state, "MB_per_s", static_cast<double>(bytes) / 1e6);
  set_rate(state, "rows_per_s", static_cast<double>(contracts + rejects));
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
  state.counters["contracts"] = static_cast<double>(contracts);
  state.counters["rejects"] = static_cast<double>(rejects);
}
BENCHMARK(BM_IngestUniverse)->ArgName("threads")->Arg(1)->Arg(0)->UseRealTime()->Unit(benchmark::kMillisecond);

// Decompression alone, by zlib on one thread: what any reader of the file pays.
void BM_GunzipUniverse(benchmark::State& state) {
  std::uint64_t bytes = 0;
  for (auto _ : state) bytes = gunzip(universe_file());
  if (bytes == 0) {
    state.SkipWithError("skipped: no us_options_20260710_close.csv.gz (set GREEKGRID_DATA to the folder of chains)");
    return;
  }
  set_rate(state, "MB_per_s", static_cast<double>(bytes) / 1e6);
}
BENCHMARK(BM_GunzipUniverse)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_ChainFileWrite(benchmark::State& state) {
  const OptionChain& chain = synthetic_chain();
  const ThreadLimit limit(threads_of(state));
  const fs::path file = work_dir() / "chains.h5";
  write_chain_file(chain, file);
  const std::vector<char> bytes = bytes_of(file);
  double plain = 0.0;
  for (auto _ : state) {
    const auto begin = Clock::now();
    write_chain_file(chain, file);
    state.SetIterationTime(seconds_since(begin));
    plain += plain_write_seconds(bytes);
  }
  const double megabytes = static_cast<double>(bytes.size()) / 1e6;
  set_rate(state, "file_MB_per_s", megabytes);
  set_rate(state, "contracts_per_s", static_cast<double>(chain.contracts()));
  state.counters["file_MB"] = megabytes;
  set_plain_rate(state, megabytes, plain);
  fs::remove(file);
}
BENCHMARK(BM_ChainFileWrite)->ArgName("threads")->Arg(0)->UseManualTime()->Unit(benchmark::kMillisecond);

// With the child process that opens the file first. The plain read is of the page cache, as ours is.
void BM_ChainFileRead(benchmark::State& state) {
  const OptionChain& chain = synthetic_chain();
  const ThreadLimit limit(threads_of(state));
  const fs::path file = work_dir() / "chains.h5";
  write_chain_file(chain, file);
  double plain = 0.0;
  for (auto _ : state) {
    auto begin = Clock::now();
    benchmark::DoNotOptimize(read_chain_file(file));
    state.SetIterationTime(seconds_since(begin));
    begin = Clock::now();
    benchmark::DoNotOptimize(bytes_of(file));
    plain += seconds_since(begin);
  }
  const double megabytes = static_cast<double>(fs::file_size(file)) / 1e6;
  set_rate(state, "file_MB_per_s", megabytes);
  set_rate(state, "contracts_per_s", static_cast<double>(chain.contracts()));
  state.counters["file_MB"] = megabytes;
  state.counters["plain_read_MB_per_s"] = megabytes * static_cast<double>(state.iterations()) / plain;
  fs::remove(file);
}
BENCHMARK(BM_ChainFileRead)->ArgName("threads")->Arg(0)->UseManualTime()->Unit(benchmark::kMillisecond);

// A night of small tickers over the default grid, kept in memory, so that writing it is timed alone.
struct SampleNight final : NightSink {
  OptionChain chain;
  NightIdentity identity;
  std::vector<TickerNight> nights;
  double raw_bytes = 0.0;

  explicit SampleNight(int tickers) : chain(synthesize_chain({tickers, 120 * tickers, 1}, Calendar())) {
    RunConfig config;
    config.greeks = kGreeks11;
    const Calendar calendar;
    const NightInputs inputs = inputs_in_memory(chain);
    const std::atomic<bool> stop = false;
    const auto backend = make_cpu_backend(Precision::kFp32);
    const NightPlan plan = make_night_plan(inputs, config, calendar, *backend, stop);
    identity.axes = make_axes(chain, config, calendar, false);
    identity.ticker = chain.ticker;
    std::vector<std::size_t> places(plan.ticker.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    nights.reserve(places.size());
    NightTimings timings;
    run_night(inputs, plan, places, config, identity.axes, calendar, *backend, *this, {}, timings);
  }
  void write(std::span<TickerNight> block) override {
    for (TickerNight& night : block) {
      nights.push_back(std::move(night));
      nights.back().tables.snapshot = &nights.back().snapshot;
    }
  }
};

// Encoding and recording the tickers, then the file made of the record.
void BM_NightParts(benchmark::State& state) {
  static SampleNight night(120);
  night.identity.axes.keep_bits = static_cast<int>(state.range(1));
  for (TickerNight& one : night.nights) one.header.keep_bits = night.identity.axes.keep_bits;
  const ThreadLimit limit(threads_of(state));
  const fs::path file = work_dir() / "night.h5", record = work_dir() / "night.part";
  double plain = 0.0, compress = 0.0, append = 0.0;
  NightStatistics statistics;
  for (auto _ : state) {
    const auto begin = Clock::now();
    NightPart part = NightPart::create(record, night.identity, file.string());
    constexpr std::size_t kBlock = 32;
    for (std::size_t k = 0; k < night.nights.size(); k += kBlock) {
      part.append(std::span(night.nights).subspan(k, std::min(kBlock, night.nights.size() - k)));
    }
    append += seconds_since(begin);
    const NightPart* parts[] = {&part};
    statistics = write_night_file(parts, file);
    state.SetIterationTime(seconds_since(begin));
    compress += part.statistics().compress_seconds;
    plain += plain_write_seconds(bytes_of(file));
  }
  const double raw_bytes = static_cast<double>(statistics.bytes_raw);
  const double stored_bytes = static_cast<double>(statistics.bytes_compressed);
  set_rate(state, "float32_MB_per_s", raw_bytes / 1e6);
  set_rate(state, "stored_MB_per_s", stored_bytes / 1e6);
  state.counters["float32_MB"] = raw_bytes / 1e6;
  state.counters["ratio"] = raw_bytes / stored_bytes;
  state.counters["append_ms"] = 1e3 * append / static_cast<double>(state.iterations());
  state.counters["encode_float32_MB_per_s_per_thread"] =
      raw_bytes / 1e6 * static_cast<double>(state.iterations()) / compress;
  set_plain_rate(state, static_cast<double>(fs::file_size(file)) / 1e6, plain);
  fs::remove(file);
  fs::remove(record);
}
BENCHMARK(BM_NightParts)
    ->ArgNames({"threads", "keep_bits"})
    ->ArgsProduct({{1, 0}, {0, 12}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace greekgrid::bench

BENCHMARK_MAIN();

/// @file
/// Throughput of NightWriter on smooth surfaces of the standard grid, beside a plain write of as many bytes:
/// night_throughput DIRECTORY [TICKERS [THREADS]].

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <thread>
#include <vector>

#include "greekgrid/io/night_file.hpp"
#include "sample.hpp"

namespace {

using namespace greekgrid;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Gaussian bumps over spot, as gamma exposures are; `count` surfaces of 9 x 11 x 201 cells.
std::vector<double> smooth_cells(std::size_t count) {
  std::vector<double> cells;
  for (std::size_t s = 0; s < count; ++s) {
    for (int time = 0; time < 9; ++time) {
      for (int shift = 0; shift < 11; ++shift) {
        const double width = 8.0 + 0.7 * shift - 0.4 * time;
        for (int j = 0; j < 201; ++j) {
          double sum = 0.0;
          for (int strike = 0; strike < 12; ++strike) {
            const double d = (j - 17.0 * strike - 3.0 * static_cast<double>(s)) / width;
            sum += std::sin(1.0 + strike) * std::exp(-0.5 * d * d);
          }
          cells.push_back(1e6 * sum);
        }
      }
    }
  }
  return cells;
}

/// Seconds for a plain write and fsync of `bytes`.
double plain_write_seconds(const std::filesystem::path& file, std::uint64_t bytes) {
  std::vector<char> block(1 << 20);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>(i * 2654435761U >> 13U);
  const auto begin = Clock::now();
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (std::uint64_t done = 0; done < bytes; done += block.size()) {
    if (::write(fd, block.data(), block.size()) < 0) break;
  }
  ::fsync(fd);
  ::close(fd);
  const double seconds = seconds_since(begin);
  std::filesystem::remove(file);
  return seconds;
}

void measure(const std::filesystem::path& dir, std::size_t tickers, std::size_t threads, int keep_bits) {
  test::SampleNight night(test::sample_chain(tickers, 1), 201);
  night.header.position = {"naive"};
  night.tables.dealer_position.resize(night.snapshot.contracts());
  night.header.iv_rule = {"sticky_strike"};
  night.header.iv_rule_parameter = {1.0};
  night.header.greeks = kGreeks11;
  night.header.delta_change = false;
  night.header.keep_bits = keep_bits;
  for (std::size_t t = 3; t < 9; ++t) night.header.time.push_back(night.header.time.back() + 86400);
  night.header.iv_shift.clear();
  for (int shift = -5; shift <= 5; ++shift) night.header.iv_shift.push_back(shift / 100.0);

  const std::vector<double> cells = smooth_cells(night.header.surfaces());
  const auto begin = Clock::now();
  NightWriter writer(dir / "throughput.h5", night.header);
  std::atomic<std::int64_t> next = 0;
  std::vector<std::thread> pool;
  for (std::size_t t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      for (std::int64_t u = next++; u < static_cast<std::int64_t>(tickers); u = next++) writer.write_surfaces(u, cells);
    });
  }
  for (std::thread& thread : pool) thread.join();
  const double surfaces = seconds_since(begin);
  writer.finish(night.tables);
  const double whole = seconds_since(begin);
  const NightWriter::Statistics statistics = writer.statistics();
  const double raw = static_cast<double>(statistics.bytes_raw) / 1e6;
  const double stored = static_cast<double>(statistics.bytes_compressed) / 1e6;
  const double plain = plain_write_seconds(dir / "plain.bin", statistics.bytes_compressed);
  std::cout << "keep_bits " << keep_bits << ", " << threads << " threads: " << raw << " MB of float32, stored "
            << stored << " MB (ratio " << raw / stored << ")\n  surfaces " << surfaces << " s, with tables and fsync "
            << whole << " s: " << raw / whole << " MB/s of float32\n  encode " << raw / statistics.compress_seconds
            << " MB/s per thread; writer thread " << stored / statistics.write_seconds << " MB/s stored\n  plain write "
            << "and fsync of the stored bytes " << plain << " s: " << stored / plain << " MB/s\n";
  std::filesystem::remove(dir / "throughput.h5");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) return 2;
  const std::size_t tickers = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 200;
  const std::size_t threads = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : std::thread::hardware_concurrency();
  for (const int keep_bits : {0, 12}) measure(argv[1], tickers, threads, keep_bits);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

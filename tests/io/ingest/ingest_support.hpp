#pragma once

/// @file
/// Small vendor texts and their compression, for the tests of ingest.

#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/io/ingest.hpp"

namespace greekgrid::test {

inline Date ymd(int y, unsigned m, unsigned d) {
  return Date{std::chrono::year{y}, std::chrono::month{m}, std::chrono::day{d}};
}

inline OptionChain parse(std::string_view bytes, const IngestOptions& options = {}) {
  return ingest_bytes(bytes, "made.txt", Calendar{}, options);
}

/// The message of the InputError that `bytes` give; empty if they give a chain.
inline std::string refusal(std::string_view bytes, const IngestOptions& options = {}) {
  try {
    parse(bytes, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

inline std::map<std::string, int> rules(const OptionChain& chain) {
  std::map<std::string, int> count;
  for (const Diagnostic& reject : chain.rejects) ++count[reject.rule];
  return count;
}

inline double total(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) {
    if (!std::isnan(value)) sum += value;
  }
  return sum;
}

/// One gzip member, by zlib: another library than the one that reads it.
inline std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("deflateInit2");
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// One member of a zip archive as it is to be written.
struct ZipEntry {
  std::string name, text;
  bool deflated = true;
  std::uint16_t flags = 0;      ///< bit 0: encrypted
  std::uint16_t method = 0;     ///< other than 0: said in place of the true one
  std::uint32_t wrong_crc = 0;  ///< added to the true one
};

/// A zip archive, by hand and zlib: another library than the one that reads it.
inline std::string zip(const std::vector<ZipEntry>& entries) {
  std::string out, directory;
  const auto put = [](std::string& to, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
  };
  for (const ZipEntry& entry : entries) {
    std::string data = entry.text;
    if (entry.deflated) {
      z_stream stream{};
      if (deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::runtime_error("deflateInit2");
      }
      data.assign(deflateBound(&stream, entry.text.size()) + 64, '\0');
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(entry.text.data()));
      stream.avail_in = static_cast<uInt>(entry.text.size());
      stream.next_out = reinterpret_cast<Bytef*>(data.data());
      stream.avail_out = static_cast<uInt>(data.size());
      if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
      data.resize(stream.total_out);
      deflateEnd(&stream);
    }
    const auto crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(entry.text.data()),
                                                      static_cast<uInt>(entry.text.size()))) +
                     entry.wrong_crc;
    std::string common;
    put(common, 20, 2);
    put(common, entry.flags, 2);
    put(common, entry.method != 0 ? entry.method : entry.deflated ? 8 : 0, 2);
    put(common, 0x21, 2);
    put(common, 0x5a21, 2);
    put(common, crc, 4);
    put(common, static_cast<std::uint32_t>(data.size()), 4);
    put(common, static_cast<std::uint32_t>(entry.text.size()), 4);
    put(common, static_cast<std::uint32_t>(entry.name.size()), 2);
    put(common, 0, 2);
    directory += "PK\x01\x02";
    put(directory, 20, 2);
    directory += common;
    put(directory, 0, 2);
    put(directory, 0, 2);
    put(directory, 0, 2);
    put(directory, 0, 4);
    put(directory, static_cast<std::uint32_t>(out.size()), 4);
    directory += entry.name;
    out += "PK\x03\x04" + common + entry.name + data;
  }
  std::string end = "PK\x05\x06";
  put(end, 0, 4);
  put(end, static_cast<std::uint32_t>(entries.size()), 2);
  put(end, static_cast<std::uint32_t>(entries.size()), 2);
  put(end, static_cast<std::uint32_t>(directory.size()), 4);
  put(end, static_cast<std::uint32_t>(out.size()), 4);
  put(end, 0, 2);
  return out + directory + end;
}

/// A CBOE file of one ticker: preamble, header and the given rows.
inline std::string cboe(const std::string& rows, const std::string& date = "August 18, 2023 at 10:35 PM EDT",
                        const std::string& title = "\"Advanced Micro Devices, Inc.\",Last: 105.6,Change:  1.01") {
  return "\n" + title + "\n\"Date: " + date +
         "\",Bid: 105.55,Ask: 105.7,Size: 2*3,\"Volume: 59,916,675\"\n"
         "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
         "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest\n" +
         rows;
}

inline const std::string kCboeRow =
    "Fri Aug 25 2023,AMD230825C00100000,6.1,0.5,6.05,6.2,11,0.45,0.81,0.03,321,100.00,"
    "AMD230825P00100000,0.4,-0.1,0.38,0.41,7,0.44,-0.19,0.03,123\n";

inline const std::string kLongHeader =
    "underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,open_interest,"
    "implied_volatility,delta,gamma,theta,vega\n";

/// One row of the long format.
inline std::string long_row(const std::string& ticker, const std::string& symbol, const std::string& expiration,
                            const std::string& right, const std::string& strike,
                            const std::string& rest = "1,1.2,1.1,5,10,0.3,0.5,0.02,-0.01,0.1",
                            const std::string& updated = "2026-07-12T06:30:38.456007-04:00",
                            const std::string& spot = "134.29") {
  return ticker + "," + updated + "," + spot + "," + symbol + "," + expiration + "," + right + "," + strike + "," +
         rest + "\n";
}

}  // namespace greekgrid::test

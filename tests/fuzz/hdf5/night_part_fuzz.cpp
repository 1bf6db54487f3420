/// @file
/// Fuzzes NightPart::open, resume and the night that is made of what they take: whatever the bytes, the outcome is a
/// file or an InputError or OutputError. A shard comes from another machine.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "content_hash.hpp"
#include "greekgrid/io/night_part.hpp"
#include "input_file.hpp"

namespace {

/// Records with a wrong hash end at the door: here every record gets the hash that its bytes have.
std::vector<std::uint8_t> with_hashes(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bytes(data, data + size);
  constexpr std::size_t kFrame = 40, kKind = 12, kSize = 16, kHash = 24;
  for (std::size_t at = 0; at + kFrame <= bytes.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, &bytes[at + kSize], sizeof length);
    if (length > bytes.size() - at - kFrame) break;
    greekgrid::h5::ContentHash hash;
    hash.add(&bytes[at + kKind], 4);
    hash.add(&bytes[at + kSize], 8);
    hash.add(bytes.data() + at + kFrame, length);
    const auto value = hash.value();
    std::memcpy(&bytes[at + kHash], value.data(), sizeof value);
    at += kFrame + length;
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace greekgrid;
  const std::vector<std::uint8_t> bytes = with_hashes(data, size);
  const std::string path = fuzz::write_input(bytes.data(), bytes.size());
  try {
    const NightPart part = NightPart::open(path);
    const NightPart* parts[] = {&part};
    diagnostics_of(parts);
    write_night_file(parts, path + ".night.h5");
  } catch (const InputError&) {
  } catch (const OutputError&) {
  }
  std::filesystem::remove(path + ".night.h5");
  return 0;
}

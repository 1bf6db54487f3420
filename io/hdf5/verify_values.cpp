// Every chunk of a file, read, and what can be said of single values.

#include "verify_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "schema_table.hpp"

namespace greekgrid::h5 {
namespace {

constexpr std::size_t kMostChunkBytes = (std::size_t{1} << 30U) + 65536;
constexpr std::size_t kMostChunks = 50'000'000;

std::string index_text(const std::vector<std::size_t>& index) {
  std::string text;
  for (const std::size_t i : index) text += (text.empty() ? "" : ", ") + std::to_string(i);
  return "[" + text + "]";
}

/// Index of an element of a part.
std::string index_text(const std::vector<std::size_t>& begin, const std::vector<std::size_t>& count,
                       std::size_t element) {
  std::vector<std::size_t> index = begin;
  for (std::size_t a = index.size(); a-- > 0;) {
    index[a] += element % count[a];
    element /= count[a];
  }
  return index_text(index);
}

}  // namespace

ChunkReader::ChunkReader(hid_t file, const StoredVariable& variable)
    : variable_(variable),
      dataset_(H5Dopen2(file, variable.path.c_str(), H5P_DEFAULT), H5Dclose, "open " + variable.path),
      space_(H5Dget_space(dataset_.get()), H5Sclose, "open " + variable.path) {}

bool ChunkReader::is_stored(const std::vector<std::size_t>& begin) const {
  if (variable_.chunk.empty()) return true;
  const std::vector<hsize_t> offset(begin.begin(), begin.end());
  haddr_t address = HADDR_UNDEF;
  hsize_t size = 0;
  unsigned mask = 0;
  check(H5Dget_chunk_info_by_coord(dataset_.get(), offset.data(), &mask, &address, &size), "find a chunk");
  return address != HADDR_UNDEF;
}

void ChunkReader::read(const std::vector<std::size_t>& begin, const std::vector<std::size_t>& count) {
  const std::vector<hsize_t> first(begin.begin(), begin.end()), size(count.begin(), count.end());
  count_ = 1;
  for (const std::size_t n : count) count_ *= n;
  if (count_ > kMostChunkBytes / size_of(variable_.type)) throw Error("a chunk is larger than 1 GiB");
  bytes_.resize(count_ * size_of(variable_.type));
  check(H5Sselect_hyperslab(space_.get(), H5S_SELECT_SET, first.data(), nullptr, size.data(), nullptr), "select");
  const Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose, "select");
  check(H5Dread(dataset_.get(), memory_type(variable_.type), memory.get(), space_.get(), H5P_DEFAULT, bytes_.data()),
        "read " + variable_.path);
}

void ChunkReader::for_each(
    const std::function<void(const std::vector<std::size_t>&, const std::vector<std::size_t>&)>& see,
    const std::function<void(const std::vector<std::size_t>&, const std::string&)>& broken) {
  const std::vector<std::size_t>& lengths = variable_.lengths;
  const std::vector<std::size_t> chunk = variable_.chunk.empty() ? lengths : variable_.chunk;
  std::size_t chunks = 1;
  for (std::size_t a = 0; a < lengths.size(); ++a) {
    if (chunk[a] == 0) throw Error("a chunk has no elements");
    const std::size_t along = (lengths[a] + chunk[a] - 1) / chunk[a];
    if (along > kMostChunks / chunks) throw Error("there are more chunks than in any sound file");
    chunks *= along;
  }
  std::vector<std::size_t> begin(lengths.size(), 0), count(lengths.size());
  for (std::size_t k = 0; k < chunks; ++k) {
    for (std::size_t a = 0; a < lengths.size(); ++a) count[a] = std::min(chunk[a], lengths[a] - begin[a]);
    bool got = false;
    try {
      got = is_stored(begin);
      if (got) read(begin, count);
    } catch (const Error& error) {
      got = false;
      broken(begin, error.what());
    }
    if (got) see(begin, count);
    for (std::size_t a = lengths.size(); a-- > 0;) {
      begin[a] += chunk[a];
      if (begin[a] < lengths[a]) break;
      begin[a] = 0;
    }
  }
}

bool is_root_surface(const Structure& structure, const StoredVariable& variable) {
  return structure.file == "night" && variable.known && variable.dims.size() == 6 &&
         variable.path.find('/', 1) == std::string::npos;
}

void check_chunks(hid_t file, const FileReader& reader, const Structure& structure, std::size_t first, std::size_t last,
                  Findings& findings) {
  for (std::size_t k = first; k < last; ++k) {
    const StoredVariable& variable = structure.variables[k];
    if (!variable.readable || is_root_surface(structure, variable)) continue;
    const std::string& path = variable.path;
    const std::size_t slash = path.rfind('/');
    const std::string group = slash == 0 ? "/" : path.substr(0, slash), name = path.substr(slash + 1);
    const SchemaRow* row = nullptr;
    for (const SchemaRow& one : schema_rows()) {
      if (one.file == structure.file && one.group == group && one.name == name) row = &one;
    }
    try {
      if (variable.type == Type::kString) {
        if (variable.lengths.size() != 1) continue;
        reader.strings(path, variable.lengths[0]);
        findings.count("checksums");
        continue;
      }
      const bool coordinate = variable.dims.size() == 1 && variable.dims[0] == name;
      const bool surface = group == "/intraday" && variable.dims.size() == 5;
      const std::size_t flags = row == nullptr ? 0 : words(row->flags).size();
      ChunkReader chunks(file, variable);
      const auto floats = [&](auto values, const auto& begin, const auto& count) {
        std::int64_t bad = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
          const bool nan = std::isnan(values[i]);
          if ((nan && (coordinate || surface)) || std::isinf(values[i])) {
            findings.fail(surface ? "surfaces" : "numbers", path + index_text(begin, count, i) + ": is " +
                                                                (nan ? "NaN" : "infinite") + ", which it never is");
            ++bad;
          }
        }
        findings.count(surface ? "surfaces" : "numbers", static_cast<std::int64_t>(values.size()) - bad);
      };
      chunks.for_each(
          [&](const auto& begin, const auto& count) {
            findings.count("checksums");
            if (row == nullptr) return;
            if (variable.type == Type::kFloat32) floats(chunks.data<float>(), begin, count);
            if (variable.type == Type::kFloat64) floats(chunks.data<double>(), begin, count);
            if (variable.type != Type::kInt8) return;
            const std::span<const std::int8_t> values = chunks.data<std::int8_t>();
            for (std::size_t i = 0; i < values.size(); ++i) {
              const int value = values[i];
              const bool known = flags == 0 ? value == 1 || value == -1
                                            : value >= 0 && (structure.newer || value < static_cast<int>(flags));
              findings.require("flag values", known, [&] {
                return path + index_text(begin, count, i) + ": is " + std::to_string(value) + ", which " +
                       (flags == 0 ? "is neither +1 nor -1" : "has no meaning");
              });
            }
          },
          [&](const auto& begin, const std::string& reason) {
            findings.fail("checksums", path + index_text(begin) + ": chunk cannot be read (" + reason + ")");
          });
    } catch (const Error& error) {
      findings.fail("checksums", path + ": cannot be read (" + error.what() + ")");
    }
  }
}

}  // namespace greekgrid::h5

#include "file_reader.hpp"

#include <hdf5_hl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "chunk_codec.hpp"

namespace greekgrid::h5 {
namespace {

/// Deflate cannot shrink further than 1032 to 1.
constexpr std::uint64_t kMostRatio = 1032;
constexpr std::uint64_t kStringReference = 16;
/// Of variables or groups of a group; ours have tens.
constexpr std::size_t kMostNames = 5000;
/// Bytes of a text: of a variable's, and of an attribute's, which may be a whole configuration.
constexpr std::size_t kLongestText = std::size_t{1} << 16, kLongestAttribute = std::size_t{4} << 20;

/// Whether every part of a path is a hard link: soft and external links lead elsewhere.
bool is_hard_path(hid_t file, const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (part != "/") {
      // What cannot be looked up is damaged, not absent: an older file may lack it, this one may not.
      H5L_info_t link;
      if (check(H5Lexists(file, part.c_str(), H5P_DEFAULT), "look for " + part) == 0) return false;
      check(H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT), "look for " + part);
      if (link.type != H5L_TYPE_HARD) return false;
    }
    if (end == std::string::npos) return true;
  }
}

bool is_string(hid_t type) {
  return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0;
}

/// Takes over what the library allocated for variable-length strings and gives it back when it goes.
struct LibraryStrings {
  std::vector<char*> pointer;
  hid_t type, space;
  LibraryStrings(std::size_t count, hid_t memory_type_, hid_t space_)
      : pointer(count, nullptr), type(memory_type_), space(space_) {}
  ~LibraryStrings() { H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointer.data()); }
  LibraryStrings(const LibraryStrings&) = delete;
  LibraryStrings& operator=(const LibraryStrings&) = delete;
  std::vector<std::string> copy(std::size_t longest) const {
    std::vector<std::string> out;
    for (const char* text : pointer) {
      out.emplace_back(text == nullptr ? "" : text);
      if (out.back().size() > longest) {
        throw Error("a text has more than " + std::to_string(longest) + " bytes (the file is damaged)");
      }
    }
    return out;
  }
};

}  // namespace

void FileReader::require_schema(const std::string& schema) const {
  const std::string suggestion =
      schema == "greekgrid.chains" ? " make one with greekgrid ingest" : " make one with greekgrid run";
  if (!has_attribute("/", "schema") || !has_attribute("/", "schema_version")) {
    throw Error("is no " + schema + " file (it has no schema attribute)" + suggestion);
  }
  const std::string found = text_attribute("/", "schema");
  if (found != schema) throw Error("is no " + schema + " file (its schema is \"" + found + "\")" + suggestion);
  const std::string version = text_attribute("/", "schema_version");
  const std::string major = version.substr(0, version.find('.'));
  if (major != kSchemaMajor) {
    throw Error("cannot be read (schema version " + version + ", this program reads " + kSchemaMajor +
                ".x) use a program of that version");
  }
}

bool FileReader::is_newer() const {
  const auto minor_of = [](const std::string& version) {
    const std::size_t dot = version.find('.');
    int minor = 0;
    if (dot != std::string::npos) {
      std::from_chars(version.data() + dot + 1, version.data() + version.size(), minor);
    }
    return minor;
  };
  return minor_of(text_attribute("/", "schema_version")) > minor_of(kSchemaVersion);
}

bool FileReader::has(const std::string& path) const {
  return is_hard_path(file_, path);
}

std::size_t FileReader::product(const std::vector<std::size_t>& dims) {
  constexpr std::size_t kMost = std::size_t{1} << 56;  // bytes of it fit into 63 bits, whatever the type
  std::size_t count = 1;
  for (const std::size_t dim : dims) {
    if (dim != 0 && count > kMost / dim) throw Error("a variable has more elements than any file (it is damaged)");
    count *= dim;
  }
  return count;
}

Handle FileReader::open_own(const std::string& path) const {
  if (!has(path)) throw Error("variable " + path + " is missing (the file is not whole)");
  const std::string what = "open " + path;
  Handle dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose, what);
  // Before anything else is asked: the library opens the sources of a virtual dataset to tell its dimensions.
  const Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose, what);
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  const bool is_own = layout == H5D_CHUNKED || layout == H5D_COMPACT ||
                      (layout == H5D_CONTIGUOUS && check(H5Pget_external_count(creation.get()), what) == 0);
  if (!is_own) throw Error("variable " + path + " is stored in another file (only data in the file itself are read)");
  unsigned options = 0;
  if (layout == H5D_CHUNKED) check(H5Pget_chunk_opts(creation.get(), &options), what);
  if (options != 0)
    throw Error("variable " + path + " leaves some of its chunks unfiltered (no file of this schema does)");
  const Handle type(H5Dget_type(dataset.get()), H5Tclose, what);
  const int filters = check(H5Pget_nfilters(creation.get()), what);
  bool is_deflated = false;
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, width = 0;
    std::size_t parameters = 1;
    const auto filter =
        H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &parameters, &width, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_FLETCHER32) {
      throw Error("variable " + path + " has filter " + std::to_string(filter) +
                  " (only shuffle, deflate and fletcher32 are read)");
    }
    if (is_deflated && filter != H5Z_FILTER_FLETCHER32) {
      throw Error("variable " + path + " has filters in an order that no file of this schema has");
    }
    if (filter == H5Z_FILTER_SHUFFLE && (parameters < 1 || width != H5Tget_size(type.get()))) {
      throw Error("variable " + path + " is shuffled by another width than its values have (it is damaged)");
    }
    is_deflated = is_deflated || filter == H5Z_FILTER_DEFLATE;
  }
  return dataset;
}

std::size_t FileReader::length(const std::string& path) const {
  const Handle dataset = open_own(path);
  const Handle space(H5Dget_space(dataset.get()), H5Sclose, "open " + path);
  hsize_t dim = 0;
  if (H5Sget_simple_extent_ndims(space.get()) != 1 || H5Sget_simple_extent_dims(space.get(), &dim, nullptr) != 1) {
    throw Error("variable " + path + " has other dimensions than its schema says");
  }
  if (dim == 0 || dim > file_size_ * kMostRatio) {
    throw Error("variable " + path + " has " + std::to_string(dim) + " elements (the file has " +
                std::to_string(file_size_) + " bytes)");
  }
  return dim;
}

Handle FileReader::open(const std::string& path, Type type, const std::vector<std::size_t>& dims) const {
  const std::string what = "open " + path;
  Handle dataset = open_own(path);
  const Handle stored(H5Dget_type(dataset.get()), H5Tclose, what);
  const bool type_agrees =
      type == Type::kString ? is_string(stored.get()) : H5Tequal(stored.get(), file_type(type)) > 0;
  if (!type_agrees) throw Error("variable " + path + " has another type than its schema says");

  const Handle space(H5Dget_space(dataset.get()), H5Sclose, what);
  std::array<hsize_t, H5S_MAX_RANK> extent{};
  if (H5Sget_simple_extent_ndims(space.get()) != static_cast<int>(dims.size()) ||
      H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr) < 0 ||
      !std::equal(dims.begin(), dims.end(), extent.begin())) {
    throw Error("variable " + path + " has other dimensions than its schema says");
  }

  const Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose, what);
  const bool is_chunked = H5Pget_layout(creation.get()) == H5D_CHUNKED;
  if (is_chunked) {
    // A chunk is unpacked whole, however little of it the variable has.
    std::array<hsize_t, H5S_MAX_RANK> chunk{};
    const int rank = check(H5Pget_chunk(creation.get(), H5S_MAX_RANK, chunk.data()), what);
    if (!std::equal(chunk.begin(), chunk.begin() + rank, extent.begin(), std::less_equal<>())) {
      throw Error("variable " + path + " has a chunk larger than itself (it is damaged)");
    }
  }
  // Dimensions of a damaged file may ask for any amount of memory: what lies in the file bounds what can be meant.
  const std::uint64_t bytes = product(dims) * (type == Type::kString ? kStringReference : size_of(type));
  const std::uint64_t stored_bytes = H5Dget_storage_size(dataset.get());
  const std::uint64_t most = is_chunked ? stored_bytes * kMostRatio : stored_bytes;
  if (stored_bytes > file_size_ || bytes > most) {
    throw Error("variable " + path + " needs " + std::to_string(bytes) + " bytes and the file holds " +
                std::to_string(std::min(stored_bytes, file_size_)) + " (it is damaged)");
  }
  return dataset;
}

void FileReader::visit_chunks(const Handle& dataset, const std::string& path, const std::vector<hsize_t>& begin,
                              const std::vector<hsize_t>& count, const VisitChunk& visit) const {
  const std::string what = "read " + path;
  const Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose, what);
  const std::size_t rank = begin.size();
  std::vector<hsize_t> chunk(rank), first(rank), last(rank);
  check(H5Pget_chunk(creation.get(), static_cast<int>(rank), chunk.data()), what);
  const Handle type(H5Dget_type(dataset.get()), H5Tclose, what);
  const std::size_t element = H5Tget_size(type.get());
  std::size_t unpacked = element;
  for (std::size_t k = 0; k < rank; ++k) {
    unpacked *= chunk[k];
    first[k] = begin[k] / chunk[k] * chunk[k];
    last[k] = (begin[k] + count[k] - 1) / chunk[k] * chunk[k];
  }
  // open_own() let pass: shuffles and sums, at most one deflate, sums again.
  struct Filter {
    H5Z_filter_t id;
    std::size_t bytes;  // of what it was given; of what it gives, where that is not known before, 0
  };
  std::vector<Filter> filter;
  std::size_t bytes = unpacked, sums = 0;
  const int filters = check(H5Pget_nfilters(creation.get()), what);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    std::size_t none = 0;
    const auto id =
        H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &none, nullptr, 0, nullptr, nullptr);
    filter.push_back({id, bytes});
    if (id == H5Z_FILTER_FLETCHER32) (bytes == 0 ? sums : bytes) += kChecksumBytes;
    if (id == H5Z_FILTER_DEFLATE) bytes = 0;
  }
  std::vector<std::uint8_t> stored, other;
  for (std::vector<hsize_t> at = first;;) {
    unsigned skipped = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t size = 0;
    check(H5Dget_chunk_info_by_coord(dataset.get(), at.data(), &skipped, &address, &size), what);
    if (address == HADDR_UNDEF) {
      // Hypothetical closes and maps that a ticker does not reach are not stored: they read as missing.
      if (!path.starts_with("/step_forward/") && !path.starts_with("/weather/")) {
        throw Error("a chunk of variable " + path + " is missing (the file is not whole)");
      }
      visit(chunk, at, {});
    } else {
      bool fits = skipped == 0 && size <= file_size_ && (bytes == 0 ? size >= sums : size == bytes);
      if (fits && !filter.empty()) {
        // Of a damaged index what is read may be another record than what was found: it says its own length.
        hsize_t length = 0;
        std::uint32_t mask = 0;
        check(H5Dget_chunk_storage_size(dataset.get(), at.data(), &length), what);
        fits = length == size;
        stored.resize(fits ? size : 0);
        if (fits) check(H5Dread_chunk(dataset.get(), H5P_DEFAULT, at.data(), &mask, stored.data()), what);
        fits = fits && mask == 0;
      }
      for (auto one = filter.rbegin(); fits && one != filter.rend(); ++one) {
        if (one->id == H5Z_FILTER_FLETCHER32) {
          const std::size_t data = stored.size() - kChecksumBytes;
          const auto sum = stored_checksum(std::span(stored).first(data));
          if (!std::equal(sum.begin(), sum.end(), stored.begin() + static_cast<std::ptrdiff_t>(data))) {
            throw Error("a chunk of variable " + path + " has another checksum than it says (the file is damaged)");
          }
          stored.resize(data);
          continue;
        }
        other.resize(one->bytes);
        if (one->id == H5Z_FILTER_DEFLATE) {
          fits = unpack(stored, other);
        } else {
          unshuffle(stored, element, other);
        }
        std::swap(stored, other);
      }
      if (!fits) throw Error("a chunk of variable " + path + " has another length than it says (the file is damaged)");
      visit(chunk, at, stored);
    }
    std::size_t k = rank;
    while (k > 0 && at[k - 1] == last[k - 1]) {
      at[k - 1] = first[k - 1];
      --k;
    }
    if (k == 0) return;
    at[k - 1] += chunk[k - 1];
  }
}

void FileReader::read_part(const Handle& dataset, const std::string& path, Type type,
                           const std::vector<std::size_t>& begin, const std::vector<std::size_t>& count,
                           void* out) const {
  if (product(count) == 0) return;
  const std::string what = "read " + path;
  const std::vector<hsize_t> first(begin.begin(), begin.end()), size(count.begin(), count.end());
  const std::size_t rank = size.size(), element = size_of(type);
  const Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose, what);
  const Handle space(H5Dget_space(dataset.get()), H5Sclose, what);
  std::array<hsize_t, H5S_MAX_RANK> extent{};
  check(H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr), what);
  for (std::size_t k = 0; k < rank; ++k) {
    if (first[k] > extent[k] || size[k] > extent[k] - first[k]) throw Error(what + " failed: there are fewer values");
  }
  if (H5Pget_layout(creation.get()) != H5D_CHUNKED || check(H5Pget_nfilters(creation.get()), what) == 0) {
    check_chunks(dataset, path, first, size);
    check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, first.data(), nullptr, size.data(), nullptr), what);
    const Handle memory(H5Screate_simple(static_cast<int>(rank), size.data(), nullptr), H5Sclose, what);
    check(H5Dread(dataset.get(), memory_type(type), memory.get(), space.get(), H5P_DEFAULT, out), what);
    return;
  }
  // Chunks hold numbers as they lie in memory: open() has compared the types.
  static_assert(std::endian::native == std::endian::little);
  std::array<std::uint8_t, sizeof(double)> fill{};
  H5D_fill_value_t status = H5D_FILL_VALUE_ERROR;
  check(H5Pfill_value_defined(creation.get(), &status), what);
  if (status != H5D_FILL_VALUE_UNDEFINED)
    check(H5Pget_fill_value(creation.get(), memory_type(type), fill.data()), what);
  auto* const to = static_cast<std::uint8_t*>(out);
  visit_chunks(dataset, path, first, size,
               [&](std::span<const hsize_t> chunk, std::span<const hsize_t> at, std::span<const std::uint8_t> bytes) {
                 // Rows of what chunk and selection share, one at a time.
                 std::vector<hsize_t> low(rank), high(rank);
                 for (std::size_t k = 0; k < rank; ++k) {
                   low[k] = std::max(first[k], at[k]);
                   high[k] = std::min(first[k] + size[k], at[k] + chunk[k]);
                 }
                 const std::size_t row = static_cast<std::size_t>(high[rank - 1] - low[rank - 1]) * element;
                 for (std::vector<hsize_t> cell = low;;) {
                   std::size_t from = 0, place = 0;
                   for (std::size_t k = 0; k < rank; ++k) {
                     from = from * chunk[k] + (cell[k] - at[k]);
                     place = place * size[k] + (cell[k] - first[k]);
                   }
                   std::uint8_t* const here = to + place * element;
                   if (!bytes.empty()) {
                     std::memcpy(here, bytes.data() + from * element, row);
                   } else {
                     for (std::size_t b = 0; b < row; b += element) std::memcpy(here + b, fill.data(), element);
                   }
                   std::size_t k = rank - 1;
                   while (k > 0 && cell[k - 1] + 1 == high[k - 1]) {
                     cell[k - 1] = low[k - 1];
                     --k;
                   }
                   if (k == 0) return;
                   ++cell[k - 1];
                 }
               });
}

void FileReader::check_chunks(const Handle& dataset, const std::string& path, const std::vector<hsize_t>& begin,
                              const std::vector<hsize_t>& count) const {
  const Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose, "read " + path);
  if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return;
  visit_chunks(dataset, path, begin, count, [](auto, auto, auto) {});
}

void FileReader::read(const Handle& dataset, const std::string& path, Type type, const std::vector<std::size_t>& dims,
                      void* out) const {
  read_part(dataset, path, type, std::vector<std::size_t>(dims.size(), 0), dims, out);
}

std::vector<std::string> FileReader::strings(const std::string& path, std::size_t length) const {
  const Handle dataset = open(path, Type::kString, {length});
  const Handle space(H5Dget_space(dataset.get()), H5Sclose, "read " + path);
  const Handle type = string_type();
  check_chunks(dataset, path, {0}, {length});
  LibraryStrings read(length, type.get(), space.get());
  check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, read.pointer.data()), "read " + path);
  return read.copy(kLongestText);
}

std::vector<std::string> FileReader::children(const std::string& group, bool groups) const {
  struct Child {
    std::string name;
    haddr_t address;
  };
  struct Found {
    std::vector<Child> child;
    H5O_type_t type;
  } found{{}, groups ? H5O_TYPE_GROUP : H5O_TYPE_DATASET};
  const auto collect = [](hid_t at, const char* name, const H5L_info_t* link, void* out) -> herr_t {
    if (link->type != H5L_TYPE_HARD) return 0;
    H5O_info_t object;
    if (H5Oget_info_by_name2(at, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return -1;
    auto& into = *static_cast<Found*>(out);
    if (into.child.size() == kMostNames) return 1;
    if (object.type == into.type) into.child.push_back({name, object.addr});
    return 0;
  };
  if (!has(group)) throw Error("group " + group + " is missing (the file is not whole)");
  const Handle opened(H5Gopen2(file_, group.c_str(), H5P_DEFAULT), H5Gclose, "open " + group);
  if (check(H5Literate(opened.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &found), "list " + group) > 0) {
    throw Error("group " + group + " holds more than " + std::to_string(kMostNames) + " names (the file is damaged)");
  }
  std::stable_sort(found.child.begin(), found.child.end(),
                   [](const Child& a, const Child& b) { return a.address < b.address; });
  std::vector<std::string> names;
  for (Child& child : found.child) names.push_back(std::move(child.name));
  return names;
}

FileReader::Shape FileReader::shape(const std::string& path) const {
  const std::string what = "open " + path;
  const Handle dataset = open_own(path);
  const Handle stored(H5Dget_type(dataset.get()), H5Tclose, what);
  Shape shape{Type::kString, {}, {}};
  if (!is_string(stored.get())) {
    constexpr std::array kNumbers = {Type::kInt8, Type::kInt32, Type::kInt64, Type::kFloat32, Type::kFloat64};
    const auto* found = std::find_if(kNumbers.begin(), kNumbers.end(),
                                     [&](Type type) { return H5Tequal(stored.get(), file_type(type)) > 0; });
    if (found == kNumbers.end()) throw Error("variable " + path + " has a type that no file of this schema has");
    shape.type = *found;
  }
  const Handle space(H5Dget_space(dataset.get()), H5Sclose, what);
  std::array<hsize_t, H5S_MAX_RANK> extent{};
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 1 || H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr) != rank) {
    throw Error("variable " + path + " has no dimensions (the file is damaged)");
  }
  shape.lengths.assign(extent.begin(), extent.begin() + rank);
  if (product(shape.lengths) == 0) throw Error("variable " + path + " has no elements (the file is damaged)");
  const bool is_scale = H5DSis_scale(dataset.get()) > 0;
  if (is_scale && rank == 1) {
    shape.dims = {path.substr(path.rfind('/') + 1)};
    return shape;
  }
  for (int axis = 0; axis < rank; ++axis) {
    constexpr std::size_t kLongestName = 256;
    std::array<char, kLongestName> name{};
    const auto first_name = [](hid_t, unsigned, hid_t scale, void* out) -> herr_t {
      return H5DSget_scale_name(scale, static_cast<char*>(out), kLongestName) > 0 ? 1 : -1;
    };
    if (H5DSiterate_scales(dataset.get(), static_cast<unsigned>(axis), nullptr, first_name, name.data()) <= 0) {
      H5Eclear2(H5E_DEFAULT);
      throw Error("axis " + std::to_string(axis) + " of variable " + path + " has no coordinate (the file is damaged)");
    }
    shape.dims.emplace_back(name.data());
  }
  return shape;
}

std::vector<std::string> FileReader::read_strings(const Handle& dataset, const std::string& path,
                                                  const std::vector<std::size_t>& begin,
                                                  const std::vector<std::size_t>& count) const {
  const std::string what = "read " + path;
  const std::vector<hsize_t> first(begin.begin(), begin.end()), size(count.begin(), count.end());
  check_chunks(dataset, path, first, size);
  const Handle space(H5Dget_space(dataset.get()), H5Sclose, what);
  check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, first.data(), nullptr, size.data(), nullptr), what);
  const Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose, what);
  const Handle type = string_type();
  LibraryStrings read(product(count), type.get(), memory.get());
  check(H5Dread(dataset.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT, read.pointer.data()), what);
  return read.copy(kLongestText);
}

bool FileReader::has_attribute(const std::string& object, const std::string& name) const {
  return has(object) &&
         check(H5Aexists_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT), "look for attribute " + name) > 0;
}

Handle FileReader::open_attribute(const std::string& object, const std::string& name) const {
  if (!has_attribute(object, name)) {
    throw Error("attribute " + name + " of " + object + " is missing (the file is not whole)");
  }
  return Handle(H5Aopen_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                "open attribute " + name);
}

std::vector<std::string> FileReader::texts(const Handle& attribute, const std::string& name) const {
  const std::string what = "read attribute " + name;
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose, what);
  if (!is_string(stored.get())) throw Error("attribute " + name + " is no variable-length string");
  const Handle space(H5Aget_space(attribute.get()), H5Sclose, what);
  const hssize_t count = check(H5Sget_simple_extent_npoints(space.get()), what);
  if (static_cast<std::uint64_t>(count) * kStringReference > file_size_) {
    throw Error("attribute " + name + " has " + std::to_string(count) + " elements (it is damaged)");
  }
  if (count == 0) return {};
  const Handle type = string_type();
  LibraryStrings read(static_cast<std::size_t>(count), type.get(), space.get());
  check(H5Aread(attribute.get(), type.get(), read.pointer.data()), what);
  return read.copy(kLongestAttribute);
}

std::string FileReader::text_attribute(const std::string& object, const std::string& name) const {
  const std::vector<std::string> found = texts(open_attribute(object, name), name);
  if (found.size() != 1) throw Error("attribute " + name + " is no single string");
  return found[0];
}

std::vector<std::string> FileReader::list_attribute(const std::string& object, const std::string& name) const {
  if (!has_attribute(object, name)) return {};
  return texts(open_attribute(object, name), name);
}

double FileReader::number_attribute(const std::string& object, const std::string& name) const {
  const Handle attribute = open_attribute(object, name);
  const std::string what = "read attribute " + name;
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose, what);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose, what);
  const H5T_class_t kind = H5Tget_class(stored.get());
  if ((kind != H5T_INTEGER && kind != H5T_FLOAT) || H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw Error("attribute " + name + " is no single number");
  }
  double number = 0.0;
  check(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &number), what);
  return number;
}

std::vector<std::int8_t> FileReader::flags_attribute(const std::string& object, const std::string& name) const {
  if (!has_attribute(object, name)) return {};
  constexpr hssize_t kMostFlags = 256;
  const Handle attribute = open_attribute(object, name);
  const std::string what = "read attribute " + name;
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose, what);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose, what);
  const hssize_t count = check(H5Sget_simple_extent_npoints(space.get()), what);
  if (H5Tequal(stored.get(), file_type(Type::kInt8)) <= 0 || count > kMostFlags) {
    throw Error("attribute " + name + " of " + object + " is no list of flags (the file is damaged)");
  }
  std::vector<std::int8_t> numbers(static_cast<std::size_t>(count));
  if (count > 0) check(H5Aread(attribute.get(), memory_type(Type::kInt8), numbers.data()), what);
  return numbers;
}

std::vector<std::string> FileReader::text_attribute_names(const std::string& object) const {
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Aiterate_by_name(file_, object.c_str(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names, H5P_DEFAULT),
        "list the attributes of " + object);
  std::erase_if(names, [&](const std::string& name) {
    const Handle attribute = open_attribute(object, name);
    const Handle type(H5Aget_type(attribute.get()), H5Tclose, "read attribute " + name);
    const Handle space(H5Aget_space(attribute.get()), H5Sclose, "read attribute " + name);
    return !is_string(type.get()) || H5Sget_simple_extent_type(space.get()) != H5S_SCALAR;
  });
  return names;
}

}  // namespace greekgrid::h5

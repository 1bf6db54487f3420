#include "file_reader.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace greekgrid::h5 {
namespace {

/// Deflate cannot shrink further than 1032 to 1.
constexpr std::uint64_t kMostRatio = 1032;
constexpr std::uint64_t kStringReference = 16;

/// Whether every part of a path is a hard link: soft and external links lead elsewhere.
bool is_hard_path(hid_t file, const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    H5L_info_t link;
    if (part != "/" && (H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)) {
      H5Eclear2(H5E_DEFAULT);
      return false;
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
  std::vector<std::string> copy() const {
    std::vector<std::string> out;
    for (const char* text : pointer) out.emplace_back(text == nullptr ? "" : text);
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

bool FileReader::has(const std::string& path) const {
  return is_hard_path(file_, path);
}

std::size_t FileReader::product(const std::vector<std::size_t>& dims) {
  std::size_t count = 1;
  for (const std::size_t dim : dims) count *= dim;
  return count;
}

std::size_t FileReader::length(const std::string& path) const {
  if (!has(path)) throw Error("variable " + path + " is missing (the file is not whole)");
  const Handle dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose, "open " + path);
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
  if (!has(path)) throw Error("variable " + path + " is missing (the file is not whole)");
  const std::string what = "open " + path;
  Handle dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose, what);
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
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT) {
    throw Error("variable " + path + " is stored in another file (only data in the file itself are read)");
  }
  if (layout == H5D_CONTIGUOUS && check(H5Pget_external_count(creation.get()), what) != 0) {
    throw Error("variable " + path + " is stored in another file (only data in the file itself are read)");
  }
  const int filters = check(H5Pget_nfilters(creation.get()), what);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    std::size_t none = 0;
    const auto filter =
        H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &none, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_FLETCHER32) {
      throw Error("variable " + path + " has filter " + std::to_string(filter) +
                  " (only shuffle, deflate and fletcher32 are read)");
    }
  }
  // Dimensions of a damaged file may ask for any amount of memory: what lies in the file bounds what can be meant.
  const std::uint64_t bytes = product(dims) * (type == Type::kString ? kStringReference : size_of(type));
  const std::uint64_t stored_bytes = H5Dget_storage_size(dataset.get());
  const std::uint64_t most = layout == H5D_CHUNKED ? stored_bytes * kMostRatio : stored_bytes;
  if (stored_bytes > file_size_ || bytes > most) {
    throw Error("variable " + path + " needs " + std::to_string(bytes) + " bytes and the file holds " +
                std::to_string(std::min(stored_bytes, file_size_)) + " (it is damaged)");
  }
  return dataset;
}

void FileReader::read(const Handle& dataset, const std::string& path, Type type, void* out) {
  check(H5Dread(dataset.get(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out), "read " + path);
}

std::vector<std::string> FileReader::strings(const std::string& path, std::size_t length) const {
  const Handle dataset = open(path, Type::kString, {length});
  const Handle space(H5Dget_space(dataset.get()), H5Sclose, "read " + path);
  const Handle type = string_type();
  LibraryStrings read(length, type.get(), space.get());
  check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, read.pointer.data()), "read " + path);
  return read.copy();
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
  return read.copy();
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

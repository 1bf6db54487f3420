#include "table.hpp"

#include <hdf5_hl.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>

#include "chunk_codec.hpp"

namespace greekgrid::h5 {
namespace {

constexpr std::size_t kFilteredElements = 1024;
constexpr std::size_t kChunkRows = 16384;
constexpr std::size_t kHeldChunks = 8;  // of rows, encoded at once

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t memory, const void* data,
                     const hsize_t* length) {
  const std::string what = "write attribute " + name;
  const Handle space(length == nullptr ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, length, nullptr), H5Sclose, what);
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
  check(H5Awrite(attribute.get(), memory, data), what);
}

template <class T>
void write_numbers(hid_t object, const std::string& name, const T* numbers, hsize_t count) {
  write_attribute(object, name, file_type(type_of<T>()), memory_type(type_of<T>()), numbers, &count);
}

/// C strings of texts; both live as long as this.
struct Texts {
  std::vector<std::string> text;
  std::vector<const char*> pointer;
  explicit Texts(std::span<const std::string> from) {
    for (const std::string& one : from) text.push_back(as_utf8(one));
    for (const std::string& one : text) pointer.push_back(one.c_str());
  }
};

/// The chunk of rows [begin, begin + rows) of one column of a C-ordered (n, width) array, padded to `rows` with `fill`.
void gather(const std::uint8_t* data, std::size_t size, std::size_t n, std::size_t width, std::size_t begin,
            std::size_t column, const std::uint8_t* fill, std::span<std::uint8_t> chunk) {
  const std::size_t rows = chunk.size() / size;
  const std::size_t present = std::min(rows, n - begin);
  if (width == 1) {
    std::memcpy(chunk.data(), data + begin * size, present * size);
  } else {
    for (std::size_t row = 0; row < present; ++row) {
      std::memcpy(&chunk[row * size], data + ((begin + row) * width + column) * size, size);
    }
  }
  for (std::size_t row = present; row < rows; ++row) std::memcpy(&chunk[row * size], fill, size);
}

}  // namespace

std::size_t size_of(Type type) {
  switch (type) {
    case Type::kInt8:
      return 1;
    case Type::kInt32:
    case Type::kFloat32:
      return 4;
    default:
      return 8;
  }
}

hid_t file_type(Type type) {
  switch (type) {
    case Type::kInt8:
      return H5T_STD_I8LE;
    case Type::kInt32:
      return H5T_STD_I32LE;
    case Type::kInt64:
      return H5T_STD_I64LE;
    case Type::kFloat32:
      return H5T_IEEE_F32LE;
    default:
      return H5T_IEEE_F64LE;
  }
}

hid_t memory_type(Type type) {
  switch (type) {
    case Type::kInt8:
      return H5T_NATIVE_INT8;
    case Type::kInt32:
      return H5T_NATIVE_INT32;
    case Type::kInt64:
      return H5T_NATIVE_INT64;
    case Type::kFloat32:
      return H5T_NATIVE_FLOAT;
    default:
      return H5T_NATIVE_DOUBLE;
  }
}

Handle string_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "make the string type");
  check(H5Tset_size(type.get(), H5T_VARIABLE), "make the string type");
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make the string type");
  return type;
}

void write_attribute(hid_t object, const std::string& name, const std::string& text) {
  const std::string utf8 = as_utf8(text);
  const char* pointer = utf8.c_str();
  const Handle type = string_type();
  write_attribute(object, name, type.get(), type.get(), &pointer, nullptr);
}

void write_attribute(hid_t object, const std::string& name, const std::vector<std::string>& list) {
  const Texts texts(list);
  const hsize_t count = list.size();
  const Handle type = string_type();
  write_attribute(object, name, type.get(), type.get(), texts.pointer.data(), &count);
}

void write_attribute(hid_t object, const std::string& name, std::int32_t number) {
  write_numbers(object, name, &number, 1);
}
void write_attribute(hid_t object, const std::string& name, std::int64_t number) {
  write_numbers(object, name, &number, 1);
}
void write_attribute(hid_t object, const std::string& name, float number) {
  write_numbers(object, name, &number, 1);
}
void write_attribute(hid_t object, const std::string& name, double number) {
  write_numbers(object, name, &number, 1);
}
void write_attribute(hid_t object, const std::string& name, const std::vector<std::int8_t>& numbers) {
  write_numbers(object, name, numbers.data(), numbers.size());
}

Handle file_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "create file");
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_LATEST), "create file");
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG), "create file");
  // The name is ours alone until it is published, and some network file systems refuse locks.
  check(H5Pset_file_locking(access.get(), false, true), "create file");
  return access;
}

Handle create_file(const std::filesystem::path& path, const Handle& access) {
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "create file");
  check(H5Pset_obj_track_times(creation.get(), false), "create file");
  return Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose, "create file");
}

Handle create_file(const std::filesystem::path& path) {
  return create_file(path, file_access());
}

Handle root_group(const Handle& file) {
  return Handle(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, "open root");
}

Handle create_group(hid_t parent, const std::string& name) {
  const std::string what = "create group " + name;
  const Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, what);
  check(H5Pset_obj_track_times(creation.get(), false), what);
  return Handle(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose, what);
}

Handle dataset_properties(Type type, bool fill_nan, const std::vector<hsize_t>& chunk) {
  const std::string what = "set properties of a dataset";
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, what);
  check(H5Pset_obj_track_times(creation.get(), false), what);
  if (fill_nan) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const float nan32 = std::numeric_limits<float>::quiet_NaN();
    const void* fill = type == Type::kFloat64 ? static_cast<const void*>(&nan) : &nan32;
    check(H5Pset_fill_value(creation.get(), memory_type(type), fill), what);
  }
  if (!chunk.empty()) {
    check(H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()), what);
    check(H5Pset_shuffle(creation.get()), what);
    check(H5Pset_deflate(creation.get(), kDeflateLevel), what);
    check(H5Pset_fletcher32(creation.get()), what);
  }
  return creation;
}

ColumnStream::ColumnStream(Handle dataset, Type type, std::vector<hsize_t> dims, hsize_t chunk_rows,
                           std::vector<std::uint8_t> fill, std::string what)
    : dataset_(std::move(dataset)),
      type_(type),
      dims_(std::move(dims)),
      chunk_rows_(chunk_rows),
      fill_(std::move(fill)),
      what_(std::move(what)) {
  for (std::size_t axis = 1; axis < dims_.size(); ++axis) width_ *= dims_[axis];
}

void ColumnStream::append(const void* values, std::size_t count) {
  const auto* bytes = static_cast<const std::uint8_t*>(values);
  held_.insert(held_.end(), bytes, bytes + count * size_of(type_));
  if (chunk_rows_ > 0 && held_.size() >= kHeldChunks * chunk_rows_ * width_ * size_of(type_)) write_rows(false);
}

void ColumnStream::append(std::span<const std::string> texts) {
  held_text_.insert(held_text_.end(), texts.begin(), texts.end());
  if (held_text_.size() >= kChunkRows) write_rows(false);
}

void ColumnStream::write_rows(bool last) {
  if (type_ == Type::kString) {
    if (held_text_.empty()) return;
    const Texts texts(held_text_);
    const hsize_t begin = written_, count = held_text_.size();
    if (begin + count > dims_[0]) throw Error(what_ + " failed: more values than places");
    const Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose, what_);
    const Handle space(H5Dget_space(dataset_.get()), H5Sclose, what_);
    check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &begin, nullptr, &count, nullptr), what_);
    const Handle text = string_type();
    check(H5Dwrite(dataset_.get(), text.get(), memory.get(), space.get(), H5P_DEFAULT, texts.pointer.data()), what_);
    written_ += count;
    held_text_.clear();
    return;
  }
  const std::size_t size = size_of(type_), row_bytes = width_ * size;
  const std::size_t rows = held_.size() / row_bytes;
  if (written_ + rows > dims_[0]) throw Error(what_ + " failed: more values than places");
  if (chunk_rows_ == 0) {
    if (written_ + rows != dims_[0]) throw Error(what_ + " failed: fewer values than places");
    check(H5Dwrite(dataset_.get(), memory_type(type_), H5S_ALL, H5S_ALL, H5P_DEFAULT, held_.data()), what_);
    written_ += rows;
    held_.clear();
    return;
  }
  // Every chunk is (chunk_rows, 1, ...); only the column's last ones are padded.
  const std::size_t whole = last ? (rows + chunk_rows_ - 1) / chunk_rows_ : rows / chunk_rows_;
  const std::size_t chunks = whole * width_;
  std::vector<std::vector<std::uint8_t>> encoded(chunks);
  // Isolated: a thread that waits here holds the library's lock and must not pick up foreign work that asks for it.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::size_t{0}, chunks, [&](std::size_t index) {
      thread_local ChunkEncoder encoder;
      std::vector<std::uint8_t> chunk(chunk_rows_ * size);
      gather(held_.data(), size, rows, width_, index / width_ * chunk_rows_, index % width_, fill_.data(), chunk);
      encoded[index] = encoder.encode(chunk, size);
    });
  });
  for (std::size_t index = 0; index < chunks; ++index) {
    std::vector<hsize_t> offset(dims_.size());
    offset[0] = written_ + index / width_ * chunk_rows_;
    std::size_t rest = index % width_;
    for (std::size_t axis = dims_.size() - 1; axis > 0; --axis) {
      offset[axis] = rest % dims_[axis];
      rest /= dims_[axis];
    }
    check(H5Dwrite_chunk(dataset_.get(), H5P_DEFAULT, 0, offset.data(), encoded[index].size(), encoded[index].data()),
          what_);
  }
  const std::size_t done = std::min<std::size_t>(rows, whole * chunk_rows_);
  written_ += done;
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(done * row_bytes));
}

void ColumnStream::finish() {
  write_rows(true);
  if (written_ != dims_[0] || !held_.empty()) throw Error(what_ + " failed: fewer values than places");
  dataset_ = {};
}

ColumnStream TableWriter::begin(const Column& column, Type type, std::size_t count) {
  const std::string what = "write " + column.name;
  const bool is_scale = column.dims.size() == 1 && column.dims[0] == column.name;
  std::vector<hsize_t> dims;
  for (const std::string& dim : column.dims) dims.push_back(is_scale ? count : length(dim));
  const std::size_t places = std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>());
  if (places == 0 || places != count || dims.size() > 3) {
    throw Error(what + " failed: " + std::to_string(count) + " values for " + std::to_string(places) + " places");
  }
  const bool is_text = type == Type::kString;
  const bool is_float = type == Type::kFloat32 || type == Type::kFloat64;
  std::vector<hsize_t> chunk;
  if (!is_text && count >= kFilteredElements) {
    chunk.assign(dims.size(), 1);
    chunk[0] = std::min<hsize_t>(dims[0], kChunkRows);
  }
  const Handle creation = dataset_properties(type, is_float && !is_scale, chunk);
  const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, what);
  const Handle text = string_type();
  Handle dataset(H5Dcreate2(group_, column.name.c_str(), is_text ? text.get() : file_type(type), space.get(),
                            H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                 H5Dclose, what);
  std::vector<std::uint8_t> fill(sizeof(double));
  if (!chunk.empty()) check(H5Pget_fill_value(creation.get(), memory_type(type), fill.data()), what);
  if (is_scale) check(H5DSset_scale(dataset.get(), column.name.c_str()), what);
  describe(dataset.get(), column, type);
  if (is_scale) {
    Handle again(H5Dopen2(group_, column.name.c_str(), H5P_DEFAULT), H5Dclose, what);
    scale_[column.name] = {std::move(again), count};
  }
  return {std::move(dataset), type, std::move(dims), chunk.empty() ? 0 : chunk[0], std::move(fill), what};
}

void TableWriter::column(const Column& column, const Values& values) {
  ColumnStream stream = begin(column, values.type, values.count);
  if (values.type == Type::kString) {
    stream.append({static_cast<const std::string*>(values.data), values.count});
  } else {
    stream.append(values.data, values.count);
  }
  stream.finish();
}

void TableWriter::row_numbers(const std::string& name, std::size_t n) {
  ColumnStream stream = begin({name, {name}, name + " number", "1", ""}, Type::kInt64, n);
  std::vector<std::int64_t> numbers(std::min(n, kChunkRows));
  for (std::size_t first = 0; first < n; first += numbers.size()) {
    const std::size_t count = std::min(numbers.size(), n - first);
    std::iota(numbers.begin(), numbers.end(), static_cast<std::int64_t>(first));
    stream.append(numbers.data(), count);
  }
  stream.finish();
}

void TableWriter::describe(hid_t dataset, const Column& column, Type type) {
  const bool is_scale = column.dims.size() == 1 && column.dims[0] == column.name;
  if (!is_scale) {
    unsigned axis = 0;
    for (const std::string& dim : column.dims) {
      check(H5DSattach_scale(dataset, scale_.at(dim).dataset.get(), axis++), "attach " + dim + " to " + column.name);
    }
  }
  write_attribute(dataset, "long_name", column.long_name);
  if (!column.units.empty()) write_attribute(dataset, "units", column.units);
  if (column.units == kTimeUnits) write_attribute(dataset, "calendar", std::string("proleptic_gregorian"));
  if (!column.flag_meanings.empty()) {
    const auto flags = std::count(column.flag_meanings.begin(), column.flag_meanings.end(), ' ') + 1;
    std::vector<std::int8_t> numbers(static_cast<std::size_t>(flags));
    std::iota(numbers.begin(), numbers.end(), std::int8_t{0});
    write_attribute(dataset, "flag_values", numbers);
    write_attribute(dataset, "flag_meanings", column.flag_meanings);
  }
  if (!is_scale && type == Type::kFloat32) {
    write_attribute(dataset, "_FillValue", std::numeric_limits<float>::quiet_NaN());
  }
  if (!is_scale && type == Type::kFloat64) {
    write_attribute(dataset, "_FillValue", std::numeric_limits<double>::quiet_NaN());
  }
}

void write_root_attributes(hid_t root, const std::string& schema, const std::string& title, Instant quote_time,
                           Instant file_time, const std::string& settle_date, const std::string& knowledge_time,
                           const std::vector<ChainSource>& source) {
  write_attribute(root, "schema", schema);
  write_attribute(root, "schema_version", std::string(kSchemaVersion));
  write_attribute(root, "Conventions", std::string("CF-1.10"));
  write_attribute(root, "title", title);
  write_attribute(root, "quote_time", iso_from_instant(quote_time));
  write_attribute(root, "file_time", iso_from_instant(file_time));
  write_attribute(root, "open_interest_settle_date", settle_date);
  write_attribute(root, "open_interest_knowledge_time", knowledge_time);
  if (source.empty()) return;
  std::vector<std::string> names, sums;
  for (const ChainSource& one : source) {
    names.push_back(one.name);
    sums.push_back(one.sha256);
  }
  write_attribute(root, "source_name", names);
  write_attribute(root, "source_sha256", sums);
}

std::string iso_from_instant(Instant instant) {
  using namespace std::chrono;
  const sys_seconds time{seconds(instant)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string as_utf8(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const unsigned lead = byte(i);
    // Shortest forms only, no surrogates, nothing beyond U+10FFFF; NUL would end the string in the file.
    std::size_t length = 0;
    if (lead >= 0x01 && lead < 0x80) length = 1;
    if (lead >= 0xc2 && lead < 0xe0) length = 2;
    if (lead >= 0xe0 && lead < 0xf0) length = 3;
    if (lead >= 0xf0 && lead < 0xf5) length = 4;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0U) != 0x80U) length = 0;
    }
    const unsigned second = byte(i + 1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      length = 0;
    }
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

}  // namespace greekgrid::h5

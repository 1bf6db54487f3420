// Every object of a file against the rows of the schema.

#include "verify_structure.hpp"

#include <hdf5_hl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "schema_table.hpp"

namespace greekgrid::h5 {
namespace {

constexpr std::size_t kMostObjects = 100000, kMostDepth = 8;
constexpr std::size_t kFilteredElements = 1024, kChunkRows = 16384, kMostCloses = 384;
constexpr std::array<Type, 5> kNumbers = {Type::kInt8, Type::kInt32, Type::kInt64, Type::kFloat32, Type::kFloat64};

bool contains(const std::vector<std::string>& list, const std::string& what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

std::string list_text(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const std::size_t n : numbers) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "(" + text + ")";
}

class Walk {
 public:
  Walk(hid_t file, const FileReader& reader, Findings& findings, Structure& out)
      : file_(file), reader_(reader), findings_(findings), out_(out) {}

  void group(const std::string& path, std::size_t depth);
  void finish();

 private:
  std::string below(const std::string& group, const std::string& name) const {
    return (group == "/" ? "" : group) + "/" + name;
  }
  void require(const char* check, bool holds, const std::string& where, const std::string& rule) {
    if (muted_) return;
    findings_.require(check, holds, [&] { return where + ": " + rule; });
  }
  /// What is beyond the schema is a note in a file of a later MINOR.
  void beyond(const char* check, const std::string& where, const std::string& what) {
    if (out_.newer) {
      findings_.note(where + ": " + what + " is not in schema " + kSchemaVersion + ", ignored");
    } else {
      findings_.fail(check, where + ": " + what + " is not in the schema");
    }
  }
  template <class Look>
  void look(const char* check, const std::string& where, Look function) {
    try {
      function();
    } catch (const Error& error) {
      if (!muted_) findings_.fail(check, where + ": cannot be read (" + error.what() + ")");
    }
  }

  const SchemaRow* row_of(const std::string& group, const std::string& name) const {
    for (const SchemaRow& row : schema_rows()) {
      if (row.file == out_.file && row.group == group && row.name == name) return &row;
    }
    return nullptr;
  }
  void attributes(const std::string& path, hid_t object, const SchemaRow* row, const std::vector<std::string>& implied);
  void attribute(const std::string& path, hid_t object, const std::string& name);
  void variable(const std::string& group, const std::string& name);
  void dimensions(hid_t dataset, const std::string& group, const std::string& name, StoredVariable& found,
                  const SchemaRow* row);
  void storage(hid_t dataset, const std::string& path, StoredVariable& found, const SchemaRow* row);
  void fill(hid_t dataset, const std::string& path, const StoredVariable& found);
  std::vector<std::size_t> wanted_chunk(const StoredVariable& found, const std::string& group) const;

  hid_t file_;
  const FileReader& reader_;
  Findings& findings_;
  Structure& out_;
  std::size_t objects_ = 0;
  bool muted_ = false;  // at what a later MINOR has added: nothing is known of it
};

void Walk::group(const std::string& path, std::size_t depth) {
  out_.groups.push_back(path);
  struct Link {
    std::string name;
    H5L_type_t type;
  };
  std::vector<Link> links;
  const auto collect = [](hid_t, const char* name, const H5L_info_t* link, void* out) -> herr_t {
    auto& into = *static_cast<std::vector<Link>*>(out);
    into.push_back({name, link->type});
    return into.size() > kMostObjects ? 1 : 0;
  };
  const Handle opened(H5Gopen2(file_, path.c_str(), H5P_DEFAULT), H5Gclose, "open " + path);
  check(H5Literate(opened.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &links), "list " + path);
  const SchemaRow* row = row_of(path, "");
  if (row == nullptr) beyond("groups", path, "this group");
  const bool added = row == nullptr && out_.newer;
  muted_ = added;
  look("attributes", path, [&] { attributes(path, opened.get(), row, {"rows"}); });
  muted_ = false;

  std::set<std::string> names;
  std::vector<std::string> groups;
  for (const Link& link : links) {
    const std::string at = below(path, link.name);
    if (++objects_ > kMostObjects) throw Error("the file has more objects than any of its schema");
    names.insert(link.name);
    require("links", link.type == H5L_TYPE_HARD, at, "is a hard link");
    if (link.type != H5L_TYPE_HARD) continue;
    look("objects", at, [&] {
      H5O_info_t info;
      check(H5Oget_info_by_name2(opened.get(), link.name.c_str(), &info, H5O_INFO_BASIC | H5O_INFO_HDR, H5P_DEFAULT),
            "look at " + at);
      const bool is_group = info.type == H5O_TYPE_GROUP;
      muted_ = out_.newer && row_of(is_group ? at : path, is_group ? "" : link.name) == nullptr;
      require("links", info.rc == 1, at, "has one name, found " + std::to_string(info.rc));
      require("objects", info.type == H5O_TYPE_GROUP || info.type == H5O_TYPE_DATASET, at, "is a group or a variable");
      require("times", (info.hdr.flags & H5O_HDR_STORE_TIMES) == 0, at, "keeps no times");
      if (is_group) groups.push_back(at);
      if (info.type == H5O_TYPE_DATASET) variable(path, link.name);
    });
    muted_ = false;
  }
  const bool empty = reader_.has_attribute(path, "rows");
  if (empty && !added) {
    require("groups", path != "/" && links.empty(), path, "has `rows` and nothing else");
    look("groups", path, [&] { require("groups", reader_.number_attribute(path, "rows") == 0.0, path, "rows is 0"); });
  } else {
    for (const SchemaRow& wanted : schema_rows()) {
      if (wanted.file != out_.file || wanted.group != path || wanted.is_group() || may_be_absent(wanted)) continue;
      require("variables", names.contains(std::string(wanted.name)), path, "has " + std::string(wanted.name));
    }
  }
  require("groups", depth < kMostDepth, path, "lies less than eight groups deep");
  if (depth >= kMostDepth) return;
  for (const std::string& at : groups) look("groups", at, [&] { group(at, depth + 1); });
}

void Walk::finish() {
  for (const SchemaRow& row : schema_rows()) {
    if (row.file != out_.file || !row.is_group()) continue;
    require("groups", contains(out_.groups, std::string(row.group)), std::string(row.group), "is there");
  }
  const Handle creation(H5Fget_create_plist(file_), H5Pclose, "look at the file");
  H5F_info2_t info;
  check(H5Fget_info2(file_, &info), "look at the file");
  require("file", info.super.version == 2, "/", "superblock 2, found " + std::to_string(info.super.version));
  hsize_t user_block = 0;
  check(H5Pget_userblock(creation.get(), &user_block), "look at the file");
  require("file", user_block == 0, "/", "no user block");
}

void Walk::attributes(const std::string& path, hid_t object, const SchemaRow* row,
                      const std::vector<std::string>& implied) {
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    auto& into = *static_cast<std::vector<std::string>*>(out);
    into.emplace_back(name);
    return into.size() > kFilteredElements ? 1 : 0;
  };
  check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), "list the attributes of " + path);
  const std::vector<std::string> listed = words(row == nullptr ? "" : row->attributes);
  for (const std::string& name : names) {
    if (name == "CLASS" || name == "NAME" || name == "DIMENSION_LIST" || name == "REFERENCE_LIST") continue;
    const bool was_muted = muted_;
    muted_ = was_muted || (out_.newer && !contains(implied, name) && !contains(listed, name));
    look("attributes", path, [&] { attribute(path, object, name); });
    muted_ = was_muted;
    if (row != nullptr && !contains(implied, name) && !contains(listed, name) && !may_be_present(*row, name)) {
      beyond("attributes", path, "attribute " + name);
    }
  }
  if (row == nullptr || contains(names, "rows")) return;
  for (const std::string& name : listed) {
    if (!may_be_absent(*row, name)) require("attributes", contains(names, name), path, "has attribute " + name);
  }
}

void Walk::attribute(const std::string& path, hid_t object, const std::string& name) {
  const std::string what = "look at attribute " + name;
  const Handle opened(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, what);
  const Handle type(H5Aget_type(opened.get()), H5Tclose, what);
  const Handle space(H5Aget_space(opened.get()), H5Sclose, what);
  const bool scalar = H5Sget_simple_extent_type(space.get()) == H5S_SCALAR;
  hsize_t length = 0;
  const bool list = H5Sget_simple_extent_ndims(space.get()) == 1 &&
                    H5Sget_simple_extent_dims(space.get(), &length, nullptr) == 1 && length > 0;
  if (H5Tget_class(type.get()) == H5T_STRING) {
    require("attributes", H5Tis_variable_str(type.get()) > 0 && H5Tget_cset(type.get()) == H5T_CSET_UTF8, path,
            "attribute " + name + " is variable-length UTF-8");
    const bool of_many = name == "source_name" || name == "source_sha256" || name == "axes" || name == "warnings";
    require("attributes", of_many ? list : scalar || (list && out_.newer), path,
            "attribute " + name + (of_many ? " is a list" : " is one string"));
    return;
  }
  const bool number =
      std::any_of(kNumbers.begin(), kNumbers.end(), [&](Type one) { return H5Tequal(type.get(), file_type(one)) > 0; });
  require("attributes", number, path, "attribute " + name + " is of a type of the schema");
  require("attributes", list && (length == 1 || name == "flag_values"), path,
          "attribute " + name + " is an array of length 1");
}

void Walk::variable(const std::string& group, const std::string& name) {
  const std::string path = below(group, name);
  const SchemaRow* row = row_of(group, name);
  if (row == nullptr) beyond("variables", path, "this variable");
  const Handle dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose, "open " + path);
  const Handle stored(H5Dget_type(dataset.get()), H5Tclose, "open " + path);
  StoredVariable found;
  found.path = path;
  bool typed = true;
  if (H5Tget_class(stored.get()) == H5T_STRING) {
    typed = H5Tis_variable_str(stored.get()) > 0 && H5Tget_cset(stored.get()) == H5T_CSET_UTF8;
  } else {
    const auto* number = std::find_if(kNumbers.begin(), kNumbers.end(),
                                      [&](Type one) { return H5Tequal(stored.get(), file_type(one)) > 0; });
    typed = number != kNumbers.end();
    if (typed) found.type = *number;
  }
  require("types", typed && H5Tcommitted(stored.get()) <= 0, path,
          "is int8, int32, int64, float32, float64, little endian, or a variable-length UTF-8 string");
  if (row != nullptr && typed) require("types", found.type == row->type, path, "has another type than its schema says");
  found.readable = typed;
  found.known = row != nullptr && typed && found.type == row->type;
  dimensions(dataset.get(), group, name, found, row);
  storage(dataset.get(), path, found, row);
  fill(dataset.get(), path, found);

  std::vector<std::string> implied = {"long_name", "units", "calendar", "flag_values", "flag_meanings", "_FillValue"};
  attributes(path, dataset.get(), row, implied);
  look("attributes", path, [&] {
    require("attributes", !reader_.text_attribute(path, "long_name").empty(), path, "long_name says something");
  });
  if (row != nullptr) {
    const std::string units = reader_.has_attribute(path, "units") ? reader_.text_attribute(path, "units") : "";
    require("units", units == row->units, path, "units \"" + std::string(row->units) + "\", found \"" + units + "\"");
    if (row->units == kTimeUnits) {
      require(
          "units",
          reader_.has_attribute(path, "calendar") && reader_.text_attribute(path, "calendar") == "proleptic_gregorian",
          path, "calendar proleptic_gregorian");
    }
    const bool flagged = reader_.has_attribute(path, "flag_meanings");
    require("flags", flagged == !row->flags.empty(), path, row->flags.empty() ? "has no flags" : "has flag_meanings");
    if (flagged && !row->flags.empty()) {
      const std::string meanings = reader_.text_attribute(path, "flag_meanings");
      const std::string wanted(row->flags);
      require("flags", meanings == wanted || (out_.newer && meanings.starts_with(wanted + " ")), path,
              "flag_meanings \"" + wanted + "\", found \"" + meanings + "\"");
      const std::vector<std::int8_t> values = reader_.flags_attribute(path, "flag_values");
      bool counts = values.size() == words(meanings).size();
      for (std::size_t k = 0; k < values.size(); ++k) counts = counts && values[k] == static_cast<std::int8_t>(k);
      require("flags", counts, path, "flag_values count from 0, one per meaning");
    }
  }
  out_.variables.push_back(std::move(found));
}

void Walk::dimensions(hid_t dataset, const std::string& group, const std::string& name, StoredVariable& found,
                      const SchemaRow* row) {
  const std::string path = found.path;
  const Handle space(H5Dget_space(dataset), H5Sclose, "open " + path);
  std::array<hsize_t, H5S_MAX_RANK> extent{}, most{};
  const int rank = H5Sget_simple_extent_ndims(space.get());
  const bool simple = rank > 0 && H5Sget_simple_extent_dims(space.get(), extent.data(), most.data()) == rank;
  require("dimensions", simple, path, "has dimensions");
  found.readable = found.readable && simple;
  found.known = found.known && simple;
  if (!simple) return;
  found.lengths.assign(extent.begin(), extent.begin() + rank);
  bool sized = true;
  for (int a = 0; a < rank; ++a) {
    const auto at = static_cast<std::size_t>(a);
    sized = sized && extent[at] > 0 && extent[at] == most[at];
  }
  require("dimensions", sized, path, "no dimension is empty or unlimited");
  found.readable = found.readable && sized;
  found.known = found.known && sized;
  const bool scale = H5DSis_scale(dataset) > 0;
  const bool attached = check(H5Aexists(dataset, "DIMENSION_LIST"), "open " + path) > 0;
  if (scale) {
    std::array<char, 256> label{};
    const auto length = H5DSget_scale_name(dataset, label.data(), label.size());
    require("dimensions", length > 0 && name == label.data() && rank == 1 && !attached, path,
            "a coordinate is a scale of its own name over one dimension");
    found.dims = {name};
  } else {
    for (int a = 0; a < rank; ++a) {
      const auto axis = static_cast<unsigned>(a);
      struct Scales {
        std::vector<haddr_t> address;
        std::string name;
      } scales;
      const auto see = [](hid_t, unsigned, hid_t one, void* out) -> herr_t {
        auto& into = *static_cast<Scales*>(out);
        H5O_info_t info;
        std::array<char, 256> label{};
        if (H5Oget_info2(one, &info, H5O_INFO_BASIC) < 0) return -1;
        if (H5DSget_scale_name(one, label.data(), label.size()) > 0) into.name = label.data();
        into.address.push_back(info.addr);
        return 0;
      };
      const bool listed = attached && H5DSiterate_scales(dataset, axis, nullptr, see, &scales) >= 0;
      if (!listed) H5Eclear2(H5E_DEFAULT);
      bool own = scales.address.size() == 1 && reader_.has(below(group, scales.name));
      if (own) {
        H5O_info_t info;
        own = H5Oget_info_by_name2(file_, below(group, scales.name).c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
              info.addr == scales.address[0];
        own = own && reader_.length(below(group, scales.name)) == extent[axis];
      }
      require("dimensions", own, path,
              "axis " + std::to_string(a) + " has exactly one scale, of its own group and length");
      found.dims.push_back(scales.name);
      found.known = found.known && own;
    }
  }
  if (row != nullptr) {
    std::string dims;
    for (const std::string& dim : found.dims) dims += (dims.empty() ? "" : " ") + dim;
    require("dimensions", dims == row->dims, path, "dimensions (" + std::string(row->dims) + "), found (" + dims + ")");
    found.known = found.known && dims == row->dims;
  }
}

std::vector<std::size_t> Walk::wanted_chunk(const StoredVariable& found, const std::string& group) const {
  const std::vector<std::size_t>& lengths = found.lengths;
  const bool surface = found.type == Type::kFloat32 && (group == "/" || group == "/intraday") && lengths.size() > 4;
  // Written ticker by ticker: one position model and rule, of the rest everything but closes far apart.
  const bool by_ticker = (group == "/step_forward" && lengths.size() > 1 && contains(found.dims, "next_close")) ||
                         (group == "/weather" && lengths.size() == 5);
  std::vector<std::size_t> chunk;
  if (surface || by_ticker) {
    for (std::size_t a = 0; a < lengths.size(); ++a) {
      const std::string& dim = found.dims[a];
      const bool single = dim == "ticker" || dim == "position" || dim == "iv_rule" || (surface && a < 3);
      chunk.push_back(single ? 1 : by_ticker && dim == "next_close" ? std::min(lengths[a], kMostCloses) : lengths[a]);
    }
    return chunk;
  }
  std::size_t count = 1;
  for (const std::size_t n : lengths) count *= n;
  if (found.type == Type::kString || count < kFilteredElements) return {};
  chunk.assign(lengths.size(), 1);
  chunk[0] = std::min(lengths[0], kChunkRows);
  return chunk;
}

void Walk::storage(hid_t dataset, const std::string& path, StoredVariable& found, const SchemaRow* row) {
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose, "look at " + path);
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  require("storage", layout == H5D_CHUNKED || layout == H5D_CONTIGUOUS, path, "is chunked or contiguous in this file");
  require("storage", layout != H5D_CONTIGUOUS || H5Pget_external_count(creation.get()) == 0, path,
          "is stored in this file");
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  if (layout == H5D_CHUNKED) {
    const int rank = check(H5Pget_chunk(creation.get(), H5S_MAX_RANK, chunk.data()), "look at " + path);
    found.chunk.assign(chunk.begin(), chunk.begin() + rank);
  }
  std::vector<H5Z_filter_t> filters;
  const int count = check(H5Pget_nfilters(creation.get()), "look at " + path);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    std::size_t none = 0;
    filters.push_back(
        H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &none, nullptr, 0, nullptr, nullptr));
  }
  const std::vector<H5Z_filter_t> wanted = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32};
  require("storage", found.chunk.empty() ? filters.empty() : filters == wanted, path,
          found.chunk.empty() ? "is contiguous and unfiltered" : "has the filters shuffle, deflate, fletcher32");
  if (row == nullptr || !found.known || out_.newer) return;  // a MINOR may chunk otherwise
  const std::vector<std::size_t> shape = wanted_chunk(found, std::string(row->group));
  require("storage", found.chunk == shape, path,
          shape.empty() ? "is contiguous" : "chunks " + list_text(shape) + ", found " + list_text(found.chunk));
}

void Walk::fill(hid_t dataset, const std::string& path, const StoredVariable& found) {
  const bool coordinate = H5DSis_scale(dataset) > 0;
  const bool needed = !coordinate && (found.type == Type::kFloat32 || found.type == Type::kFloat64);
  const bool stated = check(H5Aexists(dataset, "_FillValue"), "look at " + path) > 0;
  if (!needed) {
    require("fill values", !stated, path, "has no _FillValue");
    return;
  }
  bool agrees = false;
  if (stated) {
    const Handle attribute(H5Aopen(dataset, "_FillValue", H5P_DEFAULT), H5Aclose, "look at " + path);
    const Handle type(H5Aget_type(attribute.get()), H5Tclose, "look at " + path);
    agrees =
        H5Tequal(type.get(), file_type(found.type)) > 0 && std::isnan(reader_.number_attribute(path, "_FillValue"));
  }
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose, "look at " + path);
  double value = 0.0;
  check(H5Pget_fill_value(creation.get(), H5T_NATIVE_DOUBLE, &value), "look at " + path);
  require("fill values", agrees && std::isnan(value), path, "_FillValue is NaN of its type, as its fill value");
}

}  // namespace

Structure read_structure(hid_t file, const FileReader& reader, Findings& findings) {
  Structure out;
  if (!reader.has_attribute("/", "schema")) reader.require_schema("greekgrid.night");
  const std::string schema = reader.text_attribute("/", "schema");
  const bool known = schema == "greekgrid.chains" || schema == "greekgrid.history" || schema == "greekgrid.night";
  reader.require_schema(known ? schema : "greekgrid.night");
  out.file = schema.substr(schema.find('.') + 1);
  out.version = reader.text_attribute("/", "schema_version");
  out.newer = reader.is_newer();
  const auto well_formed = [&] {
    const std::size_t dot = out.version.find('.');
    return dot != std::string::npos && dot + 1 < out.version.size() &&
           out.version.find_first_not_of("0123456789.") == std::string::npos && out.version.find('.', dot + 1) > dot &&
           out.version.find('.', dot + 1) == std::string::npos;
  };
  findings.require("file", well_formed(), [&] { return "/: schema_version \"" + out.version + "\" is MAJOR.MINOR"; });
  findings.require(
      "file",
      reader.has_attribute("/", "Conventions") && reader.text_attribute("/", "Conventions").starts_with("CF-1."),
      [] { return std::string("/: Conventions is CF-1.10"); });
  Walk walk(file, reader, findings, out);
  walk.group("/", 0);
  walk.finish();
  return out;
}

}  // namespace greekgrid::h5

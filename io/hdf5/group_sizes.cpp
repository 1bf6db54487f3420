#include "greekgrid/io/group_sizes.hpp"

#include <algorithm>

#include "archive.hpp"
#include "child_reader.hpp"
#include "file_reader.hpp"

namespace greekgrid {
namespace {

std::uint64_t bytes_below(hid_t file, const h5::FileReader& reader, const std::string& group, int depth) {
  constexpr int kMostDepth = 8;
  std::uint64_t bytes = 0;
  const std::string prefix = group == "/" ? group : group + "/";
  for (const std::string& name : reader.children(group, false)) {
    const h5::Handle dataset(H5Dopen2(file, (prefix + name).c_str(), H5P_DEFAULT), H5Dclose, "open " + prefix + name);
    bytes += H5Dget_storage_size(dataset.get());
  }
  if (group == "/" || depth >= kMostDepth) return bytes;
  for (const std::string& name : reader.children(group, true)) {
    bytes += bytes_below(file, reader, prefix + name, depth + 1);
  }
  return bytes;
}

}  // namespace

std::vector<GroupSize> read_group_sizes(const std::filesystem::path& path) {
  std::vector<std::string> names;
  std::vector<std::uint64_t> bytes;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const h5::FileReader reader(file, file_size);
        std::vector<std::string> group = {"root"};
        std::vector<std::uint64_t> size = {bytes_below(file, reader, "/", 0)};
        for (const std::string& name : reader.children("/", true)) {
          group.push_back(name);
          size.push_back(bytes_below(file, reader, "/" + name, 1));
        }
        out(group, size);
      },
      [&](h5::ArchiveReader& in) {
        in(names, bytes);
        if (names.size() != bytes.size()) throw h5::Error("groups and their sizes differ in number");
      });
  std::vector<GroupSize> out;
  for (std::size_t k = 0; k < names.size(); ++k) out.push_back({names[k], bytes[k]});
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return out;
}

}  // namespace greekgrid

#include "placed_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "table.hpp"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

namespace greekgrid::h5 {
namespace {

constexpr haddr_t kLargest = haddr_t{1} << 62U;

/// What the library knows the driver's file by.
struct PlacedFile {
  H5FD_t common{};  // first: the library reads it
  Placement* placement = nullptr;
  int descriptor = -1;
  haddr_t end_of_addresses = 0;
  haddr_t end_of_file = 0;  // 0 until the library has taken its beginning: it makes a file of an empty one only
};

PlacedFile* own(H5FD_t* file) {
  return reinterpret_cast<PlacedFile*>(file);
}
const PlacedFile* own(const H5FD_t* file) {
  return reinterpret_cast<const PlacedFile*>(file);
}

/// Says what the system said, where messages look for it.
void tell(const char* what, int error) {
  H5Epush2(H5E_DEFAULT, __FILE__, what, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_WRITEERROR, "%s", std::strerror(error));
}

bool write_whole(int descriptor, haddr_t address, std::size_t size, const void* buffer) {
  const char* from = static_cast<const char*>(buffer);
  while (size > 0) {
    const ssize_t wrote = ::pwrite(descriptor, from, size, static_cast<off_t>(address));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      tell("write", wrote < 0 ? errno : ENOSPC);
      return false;
    }
    from += wrote;
    size -= static_cast<std::size_t>(wrote);
    address += static_cast<haddr_t>(wrote);
  }
  return true;
}

H5FD_t* open_file(const char* name, unsigned, hid_t access, haddr_t) {
  const void* info = H5Pget_driver_info(access);
  if (info == nullptr) return nullptr;
  auto file = std::make_unique<PlacedFile>();
  std::memcpy(&file->placement, info, sizeof file->placement);
  file->descriptor = ::open(name, O_RDWR | O_CLOEXEC);
  if (file->descriptor < 0) {
    tell("open", errno);
    return nullptr;
  }
  // Of an earlier attempt only the chunks stay.
  const std::array<char, kFirstChunk> nothing{};
  const auto kept = static_cast<off_t>(file->placement->is_written ? file->placement->end : 0);
  const bool is_cut = ::ftruncate(file->descriptor, kept) == 0;
  if (!is_cut) tell("truncate", errno);
  if (!is_cut || !write_whole(file->descriptor, 0, nothing.size(), nothing.data())) {
    ::close(file->descriptor);
    return nullptr;
  }
  return &file.release()->common;
}

herr_t close_file(H5FD_t* file) {
  const std::unique_ptr<PlacedFile> gone(own(file));
  if (::close(gone->descriptor) == 0) return 0;
  tell("close", errno);
  return -1;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  // Small pieces of the file's description are put together before they are written. Small data are not: they would be
  // put into the holes of the chunks.
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t allocate(H5FD_t* file, H5FD_mem_t type, hid_t, hsize_t size) {
  PlacedFile& placed = *own(file);
  Placement& placement = *placed.placement;
  if (type == H5FD_MEM_DRAW && placement.next != Placement::kNone) {
    return std::exchange(placement.next, Placement::kNone);
  }
  if (placed.end_of_addresses == 0) {
    if (size > kFirstChunk) return HADDR_UNDEF;
    placed.end_of_addresses = placed.end_of_file = placement.end;
    return 0;
  }
  return std::exchange(placed.end_of_addresses, placed.end_of_addresses + size);
}

haddr_t end_of_addresses(const H5FD_t* file, H5FD_mem_t) {
  return own(file)->end_of_addresses;
}
herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  own(file)->end_of_addresses = address;
  return 0;
}
haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) {
  return own(file)->end_of_file;
}

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  char* to = static_cast<char*>(buffer);
  while (size > 0) {
    const ssize_t got = ::pread(own(file)->descriptor, to, size, static_cast<off_t>(address));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      tell("read", errno);
      return -1;
    }
    if (got == 0) {  // what was never written is zero
      std::memset(to, 0, size);
      return 0;
    }
    to += got;
    size -= static_cast<std::size_t>(got);
    address += static_cast<haddr_t>(got);
  }
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t type, hid_t, haddr_t address, std::size_t size, const void* buffer) {
  PlacedFile& placed = *own(file);
  const Placement& placement = *placed.placement;
  const bool is_chunk = type == H5FD_MEM_DRAW && address >= kFirstChunk && address < placement.end;
  if (is_chunk && placement.is_written) return 0;
  if (!write_whole(placed.descriptor, address, size, buffer)) return -1;
  placed.end_of_file = std::max(placed.end_of_file, address + size);
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  PlacedFile& placed = *own(file);
  if (::ftruncate(placed.descriptor, static_cast<off_t>(placed.end_of_addresses)) != 0) {
    tell("truncate", errno);
    return -1;
  }
  placed.end_of_file = placed.end_of_addresses;
  return 0;
}

hid_t driver() {
  static const hid_t id = [] {
    static H5FD_class_t self{};
#if H5_VERSION_GE(1, 13, 2)
    self.version = H5FD_CLASS_VERSION;
#endif
#if H5_VERSION_GE(1, 13, 0)
    self.value = static_cast<H5FD_class_value_t>(511);  // the last of those left for tests and private use
#endif
    self.name = "greekgrid_placed";
    self.maxaddr = kLargest;
    self.fc_degree = H5F_CLOSE_WEAK;
    self.fapl_size = sizeof(Placement*);
    self.open = open_file;
    self.close = close_file;
    self.query = query;
    self.alloc = allocate;
    self.get_eoa = end_of_addresses;
    self.set_eoa = set_end_of_addresses;
    self.get_eof = end_of_file;
    self.read = read;
    self.write = write;
    self.truncate = truncate;
    constexpr H5FD_mem_t kMap[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(kMap), std::end(kMap), std::begin(self.fl_map));
    return H5FDregister(&self);
  }();
  return check(id, "register the driver");
}

}  // namespace

Handle create_placed_file(const std::filesystem::path& path, Placement& placement) {
  const Handle access = file_access();
  Placement* const pointer = &placement;
  check(H5Pset_driver(access.get(), driver(), &pointer), "create file");
  return create_file(path, access);
}

}  // namespace greekgrid::h5

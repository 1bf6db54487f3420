#include "zip_archive.hpp"

#include <unistd.h>
#include <zip.h>

#include <algorithm>

#include "greekgrid/io/error.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr zip_int64_t kMemberLimit = 10000;

}  // namespace

struct ZipArchive::State {
  std::string label, member;
  zip_t* archive = nullptr;
  zip_file_t* file = nullptr;

  ~State() {
    if (file != nullptr) zip_fclose(file);
    if (archive != nullptr) zip_discard(archive);
  }

  [[noreturn]] void fail(const std::string& what) const { throw InputError(label + ": " + what); }
  [[noreturn]] void fail_member(const std::string& what) const { throw InputError(label + ":" + member + ": " + what); }
};

ZipArchive::ZipArchive(int descriptor, std::string label) : state_(std::make_unique<State>()) {
  state_->label = std::move(label);
  const int own = ::dup(descriptor);
  int code = 0;
  if (own >= 0) state_->archive = zip_fdopen(own, 0, &code);
  if (state_->archive == nullptr) {
    if (own >= 0) ::close(own);
    state_->fail("the zip archive cannot be read (its directory is missing or corrupt) fetch the file again");
  }
}

ZipArchive::ZipArchive(std::string_view bytes, std::string label) : state_(std::make_unique<State>()) {
  state_->label = std::move(label);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, nullptr);
  if (source != nullptr) state_->archive = zip_open_from_source(source, ZIP_RDONLY, nullptr);
  if (state_->archive == nullptr) {
    if (source != nullptr) zip_source_free(source);
    state_->fail("the zip archive cannot be read (its directory is missing or corrupt) fetch the file again");
  }
}

ZipArchive::~ZipArchive() = default;

std::vector<ZipArchive::Member> ZipArchive::members() const {
  const zip_int64_t count = zip_get_num_entries(state_->archive, 0);
  if (count > kMemberLimit) state_->fail("the zip archive holds more than 10,000 members (limit) split it");
  std::vector<Member> list;
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* text = zip_get_name(state_->archive, index, ZIP_FL_ENC_GUESS);
    if (text == nullptr) continue;
    std::string name(text);
    const std::size_t slash = name.rfind('/');
    const std::string base = slash == std::string::npos ? name : name.substr(slash + 1);
    if (base.empty() || base.front() == '.' || name.rfind("__MACOSX/", 0) == 0) continue;
    for (char& c : name) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    list.push_back({index, std::move(name)});
  }
  if (list.empty()) state_->fail("the zip archive holds no file (empty, or folders alone) fetch it again");
  return list;
}

void ZipArchive::open(const Member& member) {
  if (state_->file != nullptr) zip_fclose(state_->file);
  state_->member = member.name;
  state_->file = zip_fopen_index(state_->archive, member.index, 0);
  if (state_->file != nullptr) return;
  switch (zip_error_code_zip(zip_get_error(state_->archive))) {
    case ZIP_ER_NOPASSWD:
    case ZIP_ER_WRONGPASSWD:
    case ZIP_ER_ENCRNOTSUPP:
      state_->fail_member("the member is encrypted (there is no password to give) decrypt the archive");
    case ZIP_ER_COMPNOTSUPP:
      state_->fail_member("the member is compressed by an unknown method (not deflate) compress it again");
    default:
      state_->fail_member("the member cannot be read (its header is corrupt) fetch the file again");
  }
}

std::size_t ZipArchive::read(char* out, std::size_t room) {
  const zip_int64_t count = zip_fread(state_->file, out, std::min<std::size_t>(room, std::size_t{1} << 24));
  if (count < 0) {
    const bool checksum = zip_error_code_zip(zip_file_get_error(state_->file)) == ZIP_ER_CRC;
    state_->fail_member(std::string("the zip data are corrupt (") + (checksum ? "checksum differs" : "invalid block") +
                        ") fetch the file again");
  }
  return static_cast<std::size_t>(count);
}

bool is_zip(std::string_view beginning) {
  const std::string_view mark = beginning.substr(0, 4);
  return mark == std::string_view("PK\x03\x04", 4) || mark == std::string_view("PK\x05\x06", 4) ||
         mark == std::string_view("PK\x07\x08", 4);
}

}  // namespace greekgrid::ingest_detail

#include "source_text.hpp"

#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "vector_state.hpp"
#include "zip_archive.hpp"

namespace greekgrid::ingest_detail {
namespace {

constexpr std::uint64_t kTextLimit = std::uint64_t{64} << 30;
constexpr std::uint64_t kWholeLimit = (std::uint64_t{4} << 30) - 1024;  // what the JSON parser can index
constexpr std::uint64_t kRatioLimit = 1000;
constexpr std::size_t kPiece = std::size_t{1} << 20;

struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

/// An archive and what its members have in common.
struct SharedArchive {
  SharedArchive(int descriptor, const std::string& label) : zip(descriptor, label) {}
  SharedArchive(std::string_view bytes, const std::string& label) : zip(bytes, label) {}
  ZipArchive zip;
  std::string name, sha256;
  std::uint64_t text_size = 0;
};

struct SourceText::State {
  std::string name, label;
  std::shared_ptr<SharedArchive> archive;  // of a member of an archive; the bytes above are then not read
  ZipArchive::Member member{};
  bool opened = false, archive_start = true;
  int descriptor = -1;      // -1: memory
  std::string_view memory;  // what is left of it
  std::string_view whole;
  std::uint64_t compressed_size = 0;
  std::vector<char> buffer;  // piece of the file
  std::string_view piece;    // bytes read and not yet consumed
  bool input_ended = false;
  bool gzip = false;
  bool ended = false;
  std::uint64_t text_size = 0;
  std::unique_ptr<inflate_state> inflate;  // 80 kB: of gzip alone
  std::unique_ptr<EVP_MD_CTX, DigestDeleter> digest{EVP_MD_CTX_new()};

  State() {
    if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) {
      throw InputError("sha256: the digest cannot be computed (libcrypto refused it) check the OpenSSL configuration");
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (descriptor >= 0) ::close(descriptor);
  }

  [[noreturn]] void fail(const std::string& what) const { throw InputError(label + ": " + what); }

  /// Makes `piece` non-empty unless the input has ended.
  void fill() {
    if (!piece.empty() || input_ended) return;
    if (descriptor < 0) {
      piece = memory.substr(0, kPiece);
      memory.remove_prefix(piece.size());
    } else {
      buffer.resize(kPiece);
      ssize_t count = 0;
      do {
        count = ::read(descriptor, buffer.data(), buffer.size());
      } while (count < 0 && errno == EINTR);
      if (count < 0) fail(std::string("cannot be read (") + std::strerror(errno) + ") check the disk");
      piece = std::string_view(buffer.data(), static_cast<std::size_t>(count));
    }
    if (piece.empty()) input_ended = true;
    EVP_DigestUpdate(digest.get(), piece.data(), piece.size());
  }

  void start() {
    fill();
    if (piece.empty()) fail("the file is empty (0 bytes) fetch it again");
    gzip = piece.size() >= 2 && piece[0] == '\x1f' && piece[1] == '\x8b';
    if (gzip) {
      inflate = std::make_unique<inflate_state>();
      isal_inflate_init(inflate.get());
      inflate->crc_flag = ISAL_GZIP;
    }
  }

  void count_text(std::size_t more) {
    std::uint64_t& size = archive ? archive->text_size : text_size;
    size += more;
    if (size > kTextLimit) fail("the text is longer than 64 GiB (limit) split the file");
    if ((gzip || archive) && size / kRatioLimit > compressed_size) {
      fail("the text is more than 1000 times the compressed size (limit) decompress the file if it is genuine");
    }
  }

  std::size_t copy(char* out, std::size_t room) {
    std::size_t done = 0;
    while (done < room) {
      fill();
      if (piece.empty()) {
        ended = true;
        break;
      }
      const std::size_t count = std::min(room - done, piece.size());
      std::memcpy(out + done, piece.data(), count);
      piece.remove_prefix(count);
      done += count;
    }
    return done;
  }

  std::size_t extract(char* out, std::size_t room) {
    if (!opened) {
      archive->zip.open(member);
      opened = true;
    }
    std::size_t done = 0;
    while (done < room) {
      const std::size_t count = archive->zip.read(out + done, room - done);
      if (count == 0) {
        ended = true;
        break;
      }
      const std::string_view start(out, std::min(count, std::size_t{4}));
      if (done == 0 && archive_start && (is_zip(start) || start.substr(0, 2) == "\x1f\x8b")) {
        fail("an archive inside an archive (zip or gzip as a member) unpack the outer one");
      }
      archive_start = false;
      done += count;
      count_text(count);
    }
    return done;
  }

  std::size_t decompress(char* out, std::size_t room) {
    std::size_t done = 0;
    while (done < room && !ended) {
      if (inflate->block_state == ISAL_BLOCK_FINISH) {
        next_member();
        continue;
      }
      fill();
      // With no input left one more call may still deliver text held back for want of room.
      inflate->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(piece.data()));
      inflate->avail_in = static_cast<std::uint32_t>(piece.size());
      const std::size_t slice = std::min<std::size_t>(room - done, std::size_t{1} << 30);
      inflate->next_out = reinterpret_cast<std::uint8_t*>(out + done);
      inflate->avail_out = static_cast<std::uint32_t>(slice);
      const int code = isal_inflate(inflate.get());
      clear_upper_halves();
      // After an error the library's counters mean nothing: avail_in has been seen to wrap below zero.
      if (code < 0 || inflate->avail_in > piece.size() || inflate->avail_out > slice) {
        fail(code == ISAL_INCORRECT_CHECKSUM ? "the gzip data are corrupt (checksum differs) fetch the file again"
                                             : "the gzip data are corrupt (invalid block) fetch the file again");
      }
      const std::size_t produced = slice - inflate->avail_out;
      const bool consumed = inflate->avail_in != piece.size();
      done += produced;
      piece.remove_prefix(piece.size() - inflate->avail_in);
      if (code > ISAL_OUT_OVERFLOW) fail("the gzip header is not readable (unusual flags) compress the file again");
      if (inflate->block_state != ISAL_BLOCK_FINISH && produced == 0 && !consumed && input_ended) {
        fail("the gzip data are truncated (the trailer is missing) fetch the file again");
      }
      count_text(produced);
    }
    return done;
  }

  void next_member() {
    fill();
    if (piece.empty()) {
      ended = true;
      return;
    }
    if (piece.front() == '\x1f') {
      isal_inflate_reset(inflate.get());
      inflate->crc_flag = ISAL_GZIP;
      return;
    }
    while (!piece.empty()) {
      if (piece.find_first_not_of('\0') != std::string_view::npos) {
        fail("bytes follow the gzip data (neither a member nor padding) fetch the file again");
      }
      piece = {};
      fill();
    }
    ended = true;
  }
};

SourceText::SourceText(std::unique_ptr<State> state) : state_(std::move(state)) {}
SourceText::SourceText(SourceText&&) noexcept = default;
SourceText& SourceText::operator=(SourceText&&) noexcept = default;
SourceText::~SourceText() = default;

std::vector<SourceText> SourceText::opened(std::unique_ptr<State> state) {
  std::vector<SourceText> list;
  if (!is_zip(state->piece)) {
    list.push_back(SourceText(std::move(state)));
    return list;
  }
  const std::string name = state->name, label = state->label;
  const std::uint64_t size = state->compressed_size;
  SourceText whole(std::move(state));
  std::shared_ptr<SharedArchive> archive;
  if (whole.state_->descriptor >= 0) {
    archive = std::make_shared<SharedArchive>(whole.state_->descriptor, label);
  } else {
    archive = std::make_shared<SharedArchive>(whole.state_->whole, label);
  }
  archive->name = name;
  for (const ZipArchive::Member& member : archive->zip.members()) {
    auto part = std::make_unique<State>();
    part->name = name + ":" + member.name;
    part->label = label + ":" + member.name;
    part->archive = archive;
    part->member = member;
    part->compressed_size = size;
    part->input_ended = true;
    list.push_back(SourceText(std::move(part)));
  }
  archive->sha256 = whole.sha256();
  return list;
}

std::vector<SourceText> SourceText::all_of_file(const std::filesystem::path& path) {
  auto state = std::make_unique<State>();
  state->name = path.filename().string();
  state->label = path.string();
  if (state->name.empty()) state->name = state->label;
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  state->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (state->descriptor < 0) {
    state->fail(std::string("cannot be opened (") + std::strerror(errno) + ") check the path and its rights");
  }
  struct stat status {};
  if (::fstat(state->descriptor, &status) != 0) state->fail("cannot be examined (fstat failed) check the file system");
  if (!S_ISREG(status.st_mode)) state->fail("not a regular file (directory, pipe or device) name a file");
  state->compressed_size = static_cast<std::uint64_t>(status.st_size);
  state->start();
  return opened(std::move(state));
}

std::vector<SourceText> SourceText::all_of_memory(std::string_view bytes, std::string name) {
  auto state = std::make_unique<State>();
  state->label = name;
  state->name = std::move(name);
  state->memory = bytes;
  state->whole = bytes;
  state->compressed_size = bytes.size();
  state->start();
  return opened(std::move(state));
}

SourceText SourceText::only(std::vector<SourceText> texts) {
  if (texts.size() > 1) {
    texts.front().state_->fail("one of " + std::to_string(texts.size()) +
                               " files in the archive (one was expected) unpack it and name the one");
  }
  return std::move(texts.front());
}

SourceText SourceText::from_file(const std::filesystem::path& path) {
  return only(all_of_file(path));
}

SourceText SourceText::from_memory(std::string_view bytes, std::string name) {
  return only(all_of_memory(bytes, std::move(name)));
}

const std::string& SourceText::name() const {
  return state_->name;
}
const std::string& SourceText::archive() const {
  static const std::string none;
  return state_->archive ? state_->archive->name : none;
}
const std::string& SourceText::label() const {
  return state_->label;
}
bool SourceText::ended() const {
  return state_->ended;
}

void SourceText::read(std::string& text, std::size_t count) {
  // In growing steps: a short text does not pay for the room of a long one.
  constexpr std::size_t kFirstStep = std::size_t{64} << 10;
  std::size_t done = 0;
  while (!state_->ended && done < count) {
    const std::size_t before = text.size(), room = std::min(count - done, std::max(kFirstStep, done));
    text.resize(before + room);
    std::size_t got = 0;
    if (state_->archive) {
      got = state_->extract(text.data() + before, room);
    } else if (state_->gzip) {
      got = state_->decompress(text.data() + before, room);
    } else {
      got = state_->copy(text.data() + before, room);
      state_->count_text(got);
    }
    text.resize(before + got);
    done += got;
  }
}

void SourceText::read_all(std::string& text) {
  while (!state_->ended) {
    read(text, std::size_t{4} << 20);
    if (text.size() >= kWholeLimit) state_->fail("the text is longer than 4 GiB (limit of this format) split the file");
  }
}

std::string SourceText::sha256() {
  if (state_->archive) return state_->archive->sha256;
  while (!state_->input_ended) {
    state_->piece = {};
    state_->fill();
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->digest.get(), bytes.data(), &size);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

}  // namespace greekgrid::ingest_detail

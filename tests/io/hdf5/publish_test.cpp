#include "greekgrid/io/publish.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "greekgrid/io/error.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::vector<std::string> names(const fs::path& dir) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(dir)) found.push_back(entry.path().filename());
  std::sort(found.begin(), found.end());
  return found;
}

std::string message_of(const fs::path& target) {
  try {
    publish_text(target, "x");
  } catch (const OutputError& error) {
    return error.what();
  }
  return "no error";
}

/// Lowers the soft limit on the size of files for its lifetime: writes beyond it fail like those to a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const struct rlimit lower { bytes, old_.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &lower);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  struct rlimit old_ {};
  sighandler_t handler_ = SIG_DFL;
};

TEST(Publish, CreatesAndReplaces) {
  const fs::path dir = test::scratch_dir("publish");
  publish_text(dir / "a.txt", "one");
  EXPECT_EQ(read(dir / "a.txt"), "one");
  publish_text(dir / "a.txt", "two");
  EXPECT_EQ(read(dir / "a.txt"), "two");
  EXPECT_THAT(names(dir), ElementsAre("a.txt"));
}

TEST(Publish, WorksInTheCurrentDirectory) {
  const fs::path dir = test::scratch_dir("publish");
  const fs::path before = fs::current_path();
  fs::current_path(dir);
  publish_text("bare.txt", "text");
  fs::current_path(before);
  EXPECT_EQ(read(dir / "bare.txt"), "text");
}

TEST(Publish, WritesUnderTheDocumentedName) {
  const fs::path dir = test::scratch_dir("publish");
  const PendingFile pending(dir / "night.h5");
  EXPECT_EQ(pending.path(), dir / (".night.h5." + std::to_string(::getpid()) + ".tmp"));
  EXPECT_TRUE(fs::exists(pending.path()));
}

TEST(Publish, KeepsTheModeOfTheReplacedFileAndElseFollowsTheUmask) {
  const fs::path dir = test::scratch_dir("publish");
  const mode_t before = ::umask(027);
  publish_text(dir / "fresh", "x");
  ::umask(before);
  EXPECT_EQ(fs::status(dir / "fresh").permissions(), fs::perms(0640));
  write(dir / "old", "x");
  fs::permissions(dir / "old", fs::perms(0604));
  publish_text(dir / "old", "y");
  EXPECT_EQ(fs::status(dir / "old").permissions(), fs::perms(0604));
}

TEST(Publish, FollowsSymbolicLinks) {
  const fs::path dir = test::scratch_dir("publish");
  fs::create_directory(dir / "there");
  write(dir / "there" / "file", "old");
  fs::create_symlink("there/file", dir / "link");
  fs::create_symlink("link", dir / "link_to_link");
  publish_text(dir / "link_to_link", "fresh");
  EXPECT_TRUE(fs::is_symlink(dir / "link_to_link"));
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read(dir / "there" / "file"), "fresh");
  fs::create_symlink("there/absent", dir / "dangling");
  publish_text(dir / "dangling", "made");
  EXPECT_EQ(read(dir / "there" / "absent"), "made");
  EXPECT_THAT(names(dir / "there"), ElementsAre("absent", "file"));
  fs::create_symlink("circle", dir / "circle");
  EXPECT_THAT(message_of(dir / "circle"), HasSubstr("circle: "));
}

TEST(Publish, RefusesWhatIsNoFile) {
  const fs::path dir = test::scratch_dir("publish");
  EXPECT_THAT(message_of(dir), HasSubstr("directory"));
  EXPECT_THAT(message_of(dir / ""), HasSubstr("directory"));
  EXPECT_THAT(message_of(""), HasSubstr("cannot be written"));
  EXPECT_THAT(message_of("/dev/full"), HasSubstr("/dev/full: cannot be written (not a regular file)"));
  EXPECT_THAT(message_of(dir / "no" / "file"), HasSubstr("No such file or directory"));
  write(dir / "plain", "x");
  EXPECT_THAT(message_of(dir / "plain" / "file"), HasSubstr("Not a directory"));
  EXPECT_THAT(message_of(dir / std::string(250, 'n')), HasSubstr("File name too long"));
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(message_of(dir / "pipe"), HasSubstr("not a regular file"));
  EXPECT_THAT(names(dir), ElementsAre("pipe", "plain"));
}

TEST(Publish, RefusesADirectoryWithoutWriteRight) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const fs::path dir = test::scratch_dir("publish");
  write(dir / "file", "old");
  fs::permissions(dir, fs::perms(0500));
  EXPECT_THAT(message_of(dir / "file"), HasSubstr("Permission denied"));
  fs::permissions(dir, fs::perms(0700));
  EXPECT_EQ(read(dir / "file"), "old");
}

TEST(Publish, KeepsTheOldFileWhenTheDiskIsFull) {
  const fs::path dir = test::scratch_dir("publish");
  write(dir / "file", "old");
  {
    const FileSizeLimit limit(1000);
    EXPECT_THROW(publish_text(dir / "file", std::string(5000, 'x')), OutputError);
  }
  EXPECT_EQ(read(dir / "file"), "old");
  EXPECT_THAT(names(dir), ElementsAre("file"));
}

TEST(Publish, KeepsTheOldFileWhenTheTemporaryVanishes) {
  const fs::path dir = test::scratch_dir("publish");
  write(dir / "file", "old");
  PendingFile pending(dir / "file");
  fs::remove(pending.path());
  EXPECT_THROW(pending.publish(), OutputError);
  EXPECT_EQ(read(dir / "file"), "old");
}

TEST(Publish, DiscardsWhatIsNotPublished) {
  const fs::path dir = test::scratch_dir("publish");
  { const PendingFile pending(dir / "file"); }
  EXPECT_THAT(names(dir), IsEmpty());
}

TEST(Publish, RefusesASecondWriterInTheProcess) {
  const fs::path dir = test::scratch_dir("publish");
  std::optional<PendingFile> first(dir / "file");
  EXPECT_THROW(PendingFile(dir / "." / "file"), OutputError);
  EXPECT_TRUE(fs::exists(first->path()));
  first.reset();
  EXPECT_NO_THROW(PendingFile(dir / "file"));
}

TEST(Publish, RemovesLeftOversOfDeadProcessesOnly) {
  const fs::path dir = test::scratch_dir("publish");
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  const std::string gone = std::to_string(dead);
  write(dir / (".file." + gone + ".tmp"), "x");
  write(dir / (".other." + gone + ".tmp"), "x");
  write(dir / (".file." + gone + "x.tmp"), "x");
  write(dir / (".file." + std::to_string(::getppid()) + ".tmp"), "x");
  write(dir / (".file." + std::to_string(::getpid()) + ".tmp"), "x");
  publish_text(dir / "file", "y");
  std::vector<std::string> expected = {".file." + gone + "x.tmp", ".file." + std::to_string(::getppid()) + ".tmp",
                                       ".other." + gone + ".tmp", "file"};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names(dir), expected);
}

}  // namespace
}  // namespace greekgrid

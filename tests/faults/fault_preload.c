// Preload library that makes the n-th writing call of a program fail, or ends the program there.
//
//   LD_PRELOAD=.../fault_preload.so GREEKGRID_FAULT_DIR=DIR GREEKGRID_FAULT=N:KIND program ...
//
// Only calls count that change files under GREEKGRID_FAULT_DIR (or make them durable), made by the program or by a
// child that it forked: one counter for all of them, from 1 on. An exec starts a new counter.
//
//   GREEKGRID_FAULT=N:KIND    the N-th call fails, N+:KIND it and all that follow. KIND is one of
//     ENOSPC EIO EDQUOT EROFS EINTR EACCES   the call does nothing and returns this error; a close closes all the same.
//                                 ENOSPC+ and EDQUOT+ stand for a disk that stays full: calls that take no space go
//                                 through.
//     short                       a write takes half of its bytes, other calls go through
//     kill-before kill-after      SIGKILL before or after the call is made
//     term stop                   SIGTERM or SIGSTOP to the process, then the call is made
//   GREEKGRID_FAULT_COUNT_FILE=FILE    every counted call adds a line: number, call, path (and, of a rename, its
//   target)
//
// Unusable variables end the program with 99, so that no campaign passes for want of faults.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum Kind { kNone, kError, kShort, kKillBefore, kKillAfter, kTerm, kStop };
// Whether a call takes space on the disk, or only now reports that there was none.
enum Space { kFree, kTakesSpace };

static char directory[PATH_MAX];
static size_t directory_length;
static int log_descriptor = -1;
static atomic_long* counter;
static enum Kind kind = kNone;
static int fault_errno;
static int sticky;
static long fault_at;
static int ready;

static void misused(const char* what) {
  static const char begin[] = "fault_preload: ";
  syscall(SYS_write, STDERR_FILENO, begin, sizeof begin - 1);
  syscall(SYS_write, STDERR_FILENO, what, strlen(what));
  syscall(SYS_write, STDERR_FILENO, "\n", (size_t)1);
  syscall(SYS_exit_group, 99);
}

static void read_fault(const char* text) {
  static const struct {
    const char* name;
    int number;
  } errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},     {"EDQUOT", EDQUOT},
                {"EROFS", EROFS},   {"EINTR", EINTR}, {"EACCES", EACCES}};
  char* end = NULL;
  fault_at = strtol(text, &end, 10);
  if (fault_at < 1) misused("GREEKGRID_FAULT has no number of a call");
  if (*end == '+') {
    sticky = 1;
    ++end;
  }
  if (*end++ != ':') misused("GREEKGRID_FAULT is not N:KIND or N+:KIND");
  if (strcmp(end, "short") == 0) kind = kShort;
  if (strcmp(end, "kill-before") == 0) kind = kKillBefore;
  if (strcmp(end, "kill-after") == 0) kind = kKillAfter;
  if (strcmp(end, "term") == 0) kind = kTerm;
  if (strcmp(end, "stop") == 0) kind = kStop;
  for (size_t k = 0; k < sizeof errors / sizeof *errors; ++k) {
    if (strcmp(end, errors[k].name) != 0) continue;
    kind = kError;
    fault_errno = errors[k].number;
  }
  if (kind == kNone) misused("GREEKGRID_FAULT names no known kind");
}

__attribute__((constructor)) static void start(void) {
  if (ready) return;
  const char* where = getenv("GREEKGRID_FAULT_DIR");
  ready = 1;
  if (where == NULL) return;
  if (realpath(where, directory) == NULL) misused("GREEKGRID_FAULT_DIR is no directory");
  directory_length = strlen(directory);
  // Shared with children that are forked, so that their calls count too.
  counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counter == MAP_FAILED) misused("no memory for the counter");
  const char* fault = getenv("GREEKGRID_FAULT");
  if (fault != NULL) read_fault(fault);
  const char* count_file = getenv("GREEKGRID_FAULT_COUNT_FILE");
  if (count_file != NULL) {
    log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_descriptor < 0) misused("GREEKGRID_FAULT_COUNT_FILE cannot be opened");
    // Out of the way of a program that expects the low numbers.
    const int high = (int)syscall(SYS_fcntl, log_descriptor, F_DUPFD_CLOEXEC, 500);
    if (high >= 0) {
      syscall(SYS_close, log_descriptor);
      log_descriptor = high;
    }
  }
}

static int under_directory(const char* path) {
  return directory_length > 0 && strncmp(path, directory, directory_length) == 0 &&
         (path[directory_length] == '/' || path[directory_length] == '\0');
}

// The file that a descriptor is open on; 0 where it is none of ours.
static int path_of_descriptor(int fd, char* path) {
  char link[64];
  if (directory_length == 0 || fd < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, (size_t)PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = '\0';
  return under_directory(path);
}

// Absolute, with the links of the folder (not of the name itself) followed; 0 where it is none of ours.
static int path_of_name(int at, const char* name, char* path) {
  char whole[PATH_MAX], folder[PATH_MAX];
  if (directory_length == 0 || name == NULL) return 0;
  if (name[0] == '/' || at == AT_FDCWD) {
    snprintf(whole, sizeof whole, "%s", name);
  } else {
    char base[PATH_MAX];
    snprintf(whole, sizeof whole, "/proc/self/fd/%d", at);
    const ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, whole, base, sizeof base - 1);
    if (length <= 0) return 0;
    base[length] = '\0';
    if ((size_t)snprintf(whole, sizeof whole, "%s/%s", base, name) >= sizeof whole) return 0;
  }
  char* slash = strrchr(whole, '/');
  const char* last = slash == NULL ? whole : slash + 1;
  if (slash == NULL) {
    if (realpath(".", folder) == NULL) return 0;
  } else {
    *slash = '\0';
    if (realpath(whole[0] == '\0' ? "/" : whole, folder) == NULL) return 0;
  }
  if (snprintf(path, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, last) >= PATH_MAX) return 0;
  return under_directory(path);
}

static int writable(int fd) {
  const long flags = syscall(SYS_fcntl, fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static void send_signal(int signal) {
  syscall(SYS_kill, getpid(), signal);
  // SIGKILL has taken us here, SIGSTOP stops us; SIGTERM may be handled by another thread while the call goes on.
}

// Counts a call and says what is to be done with it: kNone, kError, kShort or kKillAfter.
static enum Kind meet(const char* call, enum Space space, const char* path, const char* second) {
  const long n = atomic_fetch_add(counter, 1) + 1;
  if (log_descriptor >= 0) {
    char line[2 * PATH_MAX + 64];
    const int length = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\n", n, call, path, second == NULL ? "" : second);
    if (length > 0) syscall(SYS_write, log_descriptor, line, (size_t)length);
  }
  if (kind == kNone || !(n == fault_at || (sticky && n > fault_at))) return kNone;
  if (kind == kError && sticky && space == kFree && (fault_errno == ENOSPC || fault_errno == EDQUOT)) return kNone;
  if (kind == kKillBefore) send_signal(SIGKILL);
  if (kind == kTerm || kind == kStop) {
    send_signal(kind == kTerm ? SIGTERM : SIGSTOP);
    return kNone;
  }
  if (kind == kError) errno = fault_errno;
  return kind;
}

#define REAL(name) ((__typeof__(&name))(find(&real_##name, #name)))
static void* find(_Atomic(void*)* known, const char* name) {
  void* found = atomic_load(known);
  if (found == NULL) {
    found = dlsym(RTLD_NEXT, name);
    if (found == NULL) misused("a function of libc is missing");
    atomic_store(known, found);
  }
  return found;
}

// A call that returns -1 or another failure: FAILURE is what it returns then. CALL is evaluated when it is made.
#define GO_ON(result_type, call, ours, space, path, second, failure) \
  do {                                                               \
    if (!(ours)) return (call);                                      \
    const enum Kind todo = meet(__func__, space, path, second);      \
    if (todo == kError) return (failure);                            \
    const result_type result = (call);                               \
    if (todo == kKillAfter) send_signal(SIGKILL);                    \
    return result;                                                   \
  } while (0)

#define DESCRIPTOR_CALL(result_type, name, space, parameters, arguments)                           \
  static _Atomic(void*) real_##name;                                                               \
  result_type name parameters {                                                                    \
    char path[PATH_MAX];                                                                           \
    GO_ON(result_type, REAL(name) arguments, path_of_descriptor(fd, path), space, path, NULL, -1); \
  }

// Writes: the bytes can be cut to half.
#define WRITE_CALL(name, parameters, whole, half)                \
  static _Atomic(void*) real_##name;                             \
  ssize_t name parameters {                                      \
    char path[PATH_MAX];                                         \
    if (!path_of_descriptor(fd, path)) return REAL(name) whole;  \
    const enum Kind todo = meet(#name, kTakesSpace, path, NULL); \
    if (todo == kError) return -1;                               \
    if (todo == kShort && size > 1) return REAL(name) half;      \
    const ssize_t result = REAL(name) whole;                     \
    if (todo == kKillAfter) send_signal(SIGKILL);                \
    return result;                                               \
  }

WRITE_CALL(write, (int fd, const void* data, size_t size), (fd, data, size), (fd, data, size / 2))
WRITE_CALL(pwrite, (int fd, const void* data, size_t size, off_t at), (fd, data, size, at), (fd, data, size / 2, at))
WRITE_CALL(pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at),
           (fd, data, size / 2, at))
WRITE_CALL(writev, (int fd, const struct iovec* data, int size), (fd, data, size), (fd, data, size / 2))
WRITE_CALL(pwritev, (int fd, const struct iovec* data, int size, off_t at), (fd, data, size, at),
           (fd, data, size / 2, at))
WRITE_CALL(pwritev64, (int fd, const struct iovec* data, int size, off64_t at), (fd, data, size, at),
           (fd, data, size / 2, at))
WRITE_CALL(pwritev2, (int fd, const struct iovec* data, int size, off_t at, int flags), (fd, data, size, at, flags),
           (fd, data, size / 2, at, flags))
WRITE_CALL(pwritev64v2, (int fd, const struct iovec* data, int size, off64_t at, int flags),
           (fd, data, size, at, flags), (fd, data, size / 2, at, flags))
WRITE_CALL(sendfile, (int fd, int from, off_t* at, size_t size), (fd, from, at, size), (fd, from, at, size / 2))
WRITE_CALL(sendfile64, (int fd, int from, off64_t* at, size_t size), (fd, from, at, size), (fd, from, at, size / 2))
WRITE_CALL(copy_file_range, (int from, off64_t* from_at, int fd, off64_t* at, size_t size, unsigned flags),
           (from, from_at, fd, at, size, flags), (from, from_at, fd, at, size / 2, flags))

DESCRIPTOR_CALL(int, fsync, kTakesSpace, (int fd), (fd))
DESCRIPTOR_CALL(int, fdatasync, kTakesSpace, (int fd), (fd))
DESCRIPTOR_CALL(int, ftruncate, kFree, (int fd, off_t size), (fd, size))
DESCRIPTOR_CALL(int, ftruncate64, kFree, (int fd, off64_t size), (fd, size))
DESCRIPTOR_CALL(int, fallocate, kTakesSpace, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
DESCRIPTOR_CALL(int, fallocate64, kTakesSpace, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size))
DESCRIPTOR_CALL(int, fchmod, kFree, (int fd, mode_t mode), (fd, mode))

// These return the error and leave errno alone.
#define POSIX_FALLOCATE(name, offset)                                                                         \
  static _Atomic(void*) real_##name;                                                                          \
  int name(int fd, offset at, offset size) {                                                                  \
    char path[PATH_MAX];                                                                                      \
    GO_ON(int, REAL(name)(fd, at, size), path_of_descriptor(fd, path), kTakesSpace, path, NULL, fault_errno); \
  }
POSIX_FALLOCATE(posix_fallocate, off_t)
POSIX_FALLOCATE(posix_fallocate64, off64_t)

static _Atomic(void*) real_flock;
int flock(int fd, int operation) {
  char path[PATH_MAX];
  // Readers of HDF5 files lock them as well.
  const int ours = path_of_descriptor(fd, path) && writable(fd) && (operation & LOCK_UN) == 0;
  GO_ON(int, REAL(flock)(fd, operation), ours, kFree, path, NULL, -1);
}

static _Atomic(void*) real_close;
int close(int fd) {
  char path[PATH_MAX];
  if (fd == log_descriptor && fd >= 0) return 0;  // some programs close all they did not open
  const int ours = path_of_descriptor(fd, path) && writable(fd);
  if (!ours) return REAL(close)(fd);
  const enum Kind todo = meet("close", kTakesSpace, path, NULL);
  const int result = REAL(close)(fd);
  if (todo == kKillAfter) send_signal(SIGKILL);
  if (todo != kError) return result;
  errno = fault_errno;
  return -1;
}

static int opens_to_write(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
}

static enum Space space_of_open(int flags, const char* path) {
  struct stat found;
  return (flags & O_CREAT) != 0 && lstat(path, &found) != 0 ? kTakesSpace : kFree;
}

static int has_mode(int flags) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

#define OPEN_CALL(name, at, first, given)                                           \
  static _Atomic(void*) real_##name;                                                \
  int name first {                                                                  \
    char path[PATH_MAX];                                                            \
    mode_t mode = 0;                                                                \
    if (has_mode(flags)) {                                                          \
      va_list more;                                                                 \
      va_start(more, flags);                                                        \
      mode = va_arg(more, mode_t);                                                  \
      va_end(more);                                                                 \
    }                                                                               \
    const int ours = opens_to_write(flags) && path_of_name(at, file, path);         \
    GO_ON(int, REAL(name) given, ours, space_of_open(flags, path), path, NULL, -1); \
  }
OPEN_CALL(open, AT_FDCWD, (const char* file, int flags, ...), (file, flags, mode))
OPEN_CALL(open64, AT_FDCWD, (const char* file, int flags, ...), (file, flags, mode))
OPEN_CALL(openat, folder, (int folder, const char* file, int flags, ...), (folder, file, flags, mode))
OPEN_CALL(openat64, folder, (int folder, const char* file, int flags, ...), (folder, file, flags, mode))

#define NAME_CALL(name, at, space, file, parameters, arguments)                            \
  static _Atomic(void*) real_##name;                                                       \
  int name parameters {                                                                    \
    char path[PATH_MAX];                                                                   \
    GO_ON(int, REAL(name) arguments, path_of_name(at, file, path), space, path, NULL, -1); \
  }
NAME_CALL(creat, AT_FDCWD, kTakesSpace, file, (const char* file, mode_t mode), (file, mode))
NAME_CALL(creat64, AT_FDCWD, kTakesSpace, file, (const char* file, mode_t mode), (file, mode))
NAME_CALL(unlink, AT_FDCWD, kFree, file, (const char* file), (file))
NAME_CALL(unlinkat, folder, kFree, file, (int folder, const char* file, int flags), (folder, file, flags))
NAME_CALL(remove, AT_FDCWD, kFree, file, (const char* file), (file))
NAME_CALL(rmdir, AT_FDCWD, kFree, file, (const char* file), (file))
NAME_CALL(mkdir, AT_FDCWD, kTakesSpace, file, (const char* file, mode_t mode), (file, mode))
NAME_CALL(mkdirat, folder, kTakesSpace, file, (int folder, const char* file, mode_t mode), (folder, file, mode))
NAME_CALL(chmod, AT_FDCWD, kFree, file, (const char* file, mode_t mode), (file, mode))
NAME_CALL(truncate, AT_FDCWD, kFree, file, (const char* file, off_t size), (file, size))
NAME_CALL(truncate64, AT_FDCWD, kFree, file, (const char* file, off64_t size), (file, size))

// Counted where either name is ours, and named by the source.
#define RENAME_CALL(name, from_at, to_at, parameters, arguments)                                                \
  static _Atomic(void*) real_##name;                                                                            \
  int name parameters {                                                                                         \
    char source[PATH_MAX] = "", target[PATH_MAX] = "";                                                          \
    const int source_ours = path_of_name(from_at, from, source), target_ours = path_of_name(to_at, to, target); \
    GO_ON(int, REAL(name) arguments, source_ours || target_ours, kFree, source, target, -1);                    \
  }
RENAME_CALL(rename, AT_FDCWD, AT_FDCWD, (const char* from, const char* to), (from, to))
RENAME_CALL(renameat, from_at, to_at, (int from_at, const char* from, int to_at, const char* to),
            (from_at, from, to_at, to))
RENAME_CALL(renameat2, from_at, to_at, (int from_at, const char* from, int to_at, const char* to, unsigned flags),
            (from_at, from, to_at, to, flags))
RENAME_CALL(link, AT_FDCWD, AT_FDCWD, (const char* from, const char* to), (from, to))

// Streams: what they write themselves is libc's own and is not seen, their opening is.
#define FOPEN_CALL(name)                                                                 \
  static _Atomic(void*) real_##name;                                                     \
  FILE* name(const char* file, const char* mode) {                                       \
    char path[PATH_MAX];                                                                 \
    const int ours = strpbrk(mode, "wa+") != NULL && path_of_name(AT_FDCWD, file, path); \
    typedef FILE* Stream;                                                                \
    GO_ON(Stream, REAL(name)(file, mode), ours, kTakesSpace, path, NULL, NULL);          \
  }
FOPEN_CALL(fopen)
FOPEN_CALL(fopen64)

// What the fortified headers make of an open without a mode.
#define FORTIFIED_OPEN(name)             \
  int name(const char* file, int flags); \
  NAME_CALL(name, AT_FDCWD, kFree, opens_to_write(flags) ? file : NULL, (const char* file, int flags), (file, flags))
FORTIFIED_OPEN(__open_2)
FORTIFIED_OPEN(__open64_2)

"""The library that injects faults, tested on Python's own system calls: preload_test.py LIBRARY."""
import errno
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LIBRARY = sys.argv[1]

# Every line makes the calls that its comment names, and no other counted one.
CALLS = """
import os, sys
base = sys.argv[1]
a = os.open(base + "/a", os.O_RDWR | os.O_CREAT, 0o600)  # open
os.write(a, b"12345678")                                 # write
os.pwrite(a, b"abcd", 0)                                 # pwrite
os.writev(a, [b"12", b"34"])                             # writev
os.pwritev(a, [b"12", b"34"], 0)                         # pwritev
os.fsync(a)                                              # fsync
os.fdatasync(a)                                          # fdatasync
os.ftruncate(a, 6)                                       # ftruncate
os.posix_fallocate(a, 0, 16)                             # posix_fallocate
os.fchmod(a, 0o644)                                      # fchmod
import fcntl
fcntl.flock(a, fcntl.LOCK_EX)                            # flock
b = os.open(base + "/b", os.O_WRONLY | os.O_CREAT)       # open
os.sendfile(b, a, 0, 4)                                  # sendfile
os.copy_file_range(a, b, 4, 0, 0)                        # copy_file_range
os.close(b)                                              # close
os.close(a)                                              # close
os.mkdir(base + "/d")                                    # mkdir
os.rename(base + "/b", base + "/d/b")                    # rename
os.unlink(base + "/d/b")                                 # unlink
os.rmdir(base + "/d")                                    # rmdir
if os.fork() == 0:
    os.mkdir(base + "/child")                            # mkdir
    os._exit(0)
os.wait()
os.mkdir(base + "/parent")                               # mkdir
# None of these counts: reading, another folder, no change.
r = os.open(base + "/a", os.O_RDONLY)
os.read(r, 4)
os.close(r)
o = os.open(base + "-other", os.O_WRONLY | os.O_CREAT)
os.write(o, b"x")
os.close(o)
os.write(1, b"done\\n")
"""
NAMES = [line.split("#")[1].strip() for line in CALLS.splitlines() if "  # " in line]


def execute(folder, code, fault=None, count=None):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "GREEKGRID_FAULT_DIR": str(folder)}
    for name, value in (("GREEKGRID_FAULT", fault), ("GREEKGRID_FAULT_COUNT_FILE", count)):
        if value is not None:
            environment[name] = str(value)
    # -I -S -B: nothing of Python's own is written, and little is read.
    return subprocess.run(["/usr/bin/python3", "-I", "-S", "-B", "-c", code, str(folder)], env=environment, capture_output=True, text=True,
                          timeout=60)


def fresh(top, name):
    folder = top / name
    folder.mkdir()
    return folder


def test_every_call_is_counted(top):
    count = top / "count"
    done = execute(fresh(top, "clean"), CALLS, count=count)
    assert done.returncode == 0 and done.stdout == "done\n", done
    lines = [line.split("\t") for line in count.read_text().splitlines()]
    assert [int(line[0]) for line in lines] == list(range(1, len(lines) + 1)), lines
    got = [re.sub("(64v2|64|2)$", "", line[1]) for line in lines]  # the names of 64-bit offsets and of flags
    assert got == NAMES, (got, NAMES)
    assert all(line[2].startswith(str(top / "clean")) for line in lines)
    rename = next(line for line in lines if line[1] == "rename")
    assert rename[2].endswith("/b") and rename[3].endswith("/d/b"), rename


def test_the_nth_call_fails_and_no_other(top):
    for n, name in enumerate(NAMES, 1):
        for error in ("ENOSPC", "EIO", "EROFS"):
            folder = fresh(top, f"fail{n}{error}")
            done = execute(folder, CALLS, fault=f"{n}:{error}")
            if name == "mkdir" and n == len(NAMES) - 1:
                # The child fails, its parent goes on.
                assert done.returncode == 0 and not (folder / "child").exists() and (folder / "parent").exists(), done
                continue
            assert done.returncode == 1 and f"[Errno {getattr(errno, error)}]" in done.stderr and not done.stdout, (n, name, error, done)
    folder = fresh(top, "interrupted")
    assert execute(folder, CALLS, fault="2:EINTR").returncode == 0  # Python goes on after EINTR


def test_a_failing_close_closes(top):
    code = "import os, sys\nf = os.open(sys.argv[1] + '/f', os.O_WRONLY | os.O_CREAT)\ntry:\n  os.close(f)\nexcept OSError: pass\n" \
           "try:\n  os.fstat(f)\nexcept OSError: print('closed')\n"
    assert execute(fresh(top, "close"), code, fault="2:EIO").stdout == "closed\n"


def test_short_writes(top):
    code = "import os, sys\nf = os.open(sys.argv[1] + '/f', os.O_WRONLY | os.O_CREAT)\nprint(os.write(f, b'12345678'), os.write(f, b'12345678'))\n"
    folder = fresh(top, "short")
    assert execute(folder, code, fault="2:short").stdout == "4 8\n" and (folder / "f").stat().st_size == 12
    assert execute(fresh(top, "shorts"), code, fault="2+:short").stdout == "4 4\n"


def test_a_full_disk_stays_full(top):
    code = ("import os, sys\nbase = sys.argv[1]\n"
            "def attempt(what):\n"
            "  try: what(); print('went', end=' ')\n"
            "  except OSError as error: print(error.errno, end=' ')\n"
            "f = os.open(base + '/f', os.O_RDWR | os.O_CREAT)\nos.write(f, b'1')\n"  # calls 1, 2
            "attempt(lambda: os.write(f, b'2'))\nattempt(lambda: os.fsync(f))\nattempt(lambda: os.mkdir(base + '/d'))\n"
            "attempt(lambda: os.open(base + '/g', os.O_WRONLY | os.O_CREAT))\nattempt(lambda: os.open(base + '/f', os.O_WRONLY))\n"
            "attempt(lambda: os.unlink(base + '/f'))\n")
    full = errno.ENOSPC
    assert execute(fresh(top, "full"), code, fault="3+:ENOSPC").stdout.split() == [str(full)] * 4 + ["went", "went"]
    broken = errno.EIO
    assert execute(fresh(top, "broken"), code, fault="3+:EIO").stdout.split() == [str(broken)] * 6


def test_kills(top):
    rename = NAMES.index("rename") + 1
    before, after = fresh(top, "before"), fresh(top, "after")
    assert execute(before, CALLS, fault=f"{rename}:kill-before").returncode == -9 and (before / "b").exists()
    assert execute(after, CALLS, fault=f"{rename}:kill-after").returncode == -9 and (after / "d" / "b").exists()
    assert execute(fresh(top, "term"), CALLS, fault=f"{rename}:term").returncode == -15
    count = top / "killed"
    execute(fresh(top, "last"), CALLS, fault=f"{rename}:kill-before", count=count)
    assert len(count.read_text().splitlines()) == rename, "the call that ends the program is the last one of its log"


def test_misuse(top):
    for fault in ("", "x", "0:EIO", "3", "3:ENOTHING", "3+EIO"):
        done = execute(fresh(top, f"misuse{abs(hash(fault))}"), "pass", fault=fault)
        assert done.returncode == 99 and "fault_preload" in done.stderr, (fault, done)
    assert execute(top / "absent", "pass", fault="1:EIO").returncode == 99


with tempfile.TemporaryDirectory(prefix="greekgrid_preload_") as top_name:
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test(pathlib.Path(os.path.realpath(top_name)))
print("every call is counted, and fails when it is told to")

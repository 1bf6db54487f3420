"""Hostile files against every command that reads them. One case per call: hostile_test.py CASE.

Whatever a file does, the program ends within LIMIT_S seconds by exit 3 with one line that names the file, or by exit 0
with what the sound file gives; it dies of no signal, leaves no file, opens no other file, and no process of it takes more
than MEMORY. GREEKGRID names the program; GREEKGRID_HOSTILE=all runs every attack through every command, with more
truncations and flips, instead of a part of each. Exit 77 means skipped, with the reason on standard output.
"""
import collections
import concurrent.futures
import csv
import io
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = os.environ["GREEKGRID"]
ALL = os.environ.get("GREEKGRID_HOSTILE") == "all"
LIMIT_S = 20.0
MEMORY = (600 << 20, 128)  # bytes of one process: so many, and so many for each of the file's
CONFIG = "[scenarios]\nspots = 11\niv_shifts = [-0.02, 0.0, 0.02]\nsessions = 2\n"
LOG = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning) ")


class Skip(Exception):
    pass


class Result:
    def __init__(self, code, out, err, seconds, memory):
        self.code, self.out, self.err, self.seconds, self.memory = code, out, err, seconds, memory


def execute(args, cwd, env=None, limit=LIMIT_S, stdin=subprocess.DEVNULL):
    """Runs the program; a process that overstays is killed and has the code None. Memory is the most of it and of its children."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen([PROGRAM, *args], cwd=cwd, stdin=stdin, stdout=out, stderr=err, env={**os.environ, **(env or {})},
                                   start_new_session=True)
        pause, code, usage = 0.001, None, None
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() - start > limit:
                os.killpg(process.pid, signal.SIGKILL)
                _, _, usage = os.wait4(process.pid, 0)
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        process.returncode = code
        seconds = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        return Result(code, out.read(), err.read().decode(errors="replace"), seconds, usage.ru_maxrss << 10)


def run(*args, cwd, code=0, **more):
    done = execute([str(a) for a in args], cwd, **more)
    assert done.code == code, (args, done.code, done.out[-2000:], done.err[-2000:])
    return done


def commands(kind, sound):
    """(name, arguments before the target) of what reads a file of a kind, called attack.h5 in the folder."""
    file = "attack.h5"
    if kind == "chains":
        return [("run", ["run", file, "--config", sound / "run.toml", "-o", "out.h5"]),
                ("info", ["info", file]),
                ("export", ["export", file]),
                ("export contract", ["export", file, "--what", "root", "--dims", "contract", "-o", "out.csv"]),
                ("history", ["history", file, "-o", "out.h5"]),
                ("open interest", ["ingest", sound / "later.h5", "--open-interest", file, "-o", "out.h5"]),
                ("forecast", ["forecast", sound / "history.h5", "--symbols", "SPX", "--step-forward", "append", "--chain", file, "--format", "csv"])]
    if kind == "history":
        return [("forecast", ["forecast", file, "--no-record", "--format", "json"]),
                ("info", ["info", file]),
                ("export", ["export", file]),
                ("export row", ["export", file, "--what", "root", "--dims", "row", "-o", "out.csv"]),
                ("history", ["history", file, "-o", "out.h5"]),
                ("extend", ["history", sound / "sessions.csv", file, "-o", file]),
                ("run", ["run", sound / "chains.h5", "--history", file, "--no-append", "--config", sound / "run.toml", "-o", "out.h5"]),
                ("append", ["run", sound / "chains.h5", "--history", file, "--config", sound / "run.toml", "-o", "out.h5"])]
    return [("levels", ["levels", file, "--format", "json"]),
            ("info", ["info", file]),
            ("show", ["show", file, "--ticker", "SPX"]),
            ("export", ["export", file]),
            ("export root", ["export", file, "--what", "root", "-o", "out.csv"]),
            ("export levels", ["export", file, "--what", "levels", "--format", "json", "-o", "out.json"]),
            ("sheet", ["export", file, "--what", "sheet"]),
            ("attribute", ["attribute", file, "--ticker", "SPX", "--move", "down", "--format", "csv"]),
            ("history", ["history", file, "-o", "out.h5"]),
            ("previous", ["run", sound / "later.h5", "--previous", file, "--config", sound / "run.toml", "-o", "out.h5"])]


# What a command of `commands` may change: the file itself, where it extends it.
EXTENDS = {"extend", "append"}


def make_sound(folder):
    """The files that the program itself makes."""
    import h5py
    folder.mkdir()
    (folder / "run.toml").write_text(CONFIG)
    run("synth", "--tickers", 3, "--contracts", 1500, "--seed", 1, "-o", "chains.h5", "--history", "history.h5", "--sessions", 400, cwd=folder)
    run("run", "chains.h5", "-o", "night.h5", "--config", "run.toml", "--history", "history.h5", "--no-append", cwd=folder)
    (folder / "sessions.csv").write_text("date,symbol,close,volume\n2019-03-05,AAA,10,100\n")
    shutil.copy(folder / "chains.h5", folder / "later.h5")
    with h5py.File(folder / "later.h5", "r+") as f:
        for name in ("quote_time", "file_time"):
            del f.attrs[name]
            f.attrs[name] = "2026-07-13T20:00:00Z"
    return folder


def make_place(folder):
    """What a hostile file may try to reach."""
    import h5py
    import hostile_files
    import numpy
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with h5py.File(folder / "secret.h5", "w") as f:
        f["data"] = numpy.full(2000, hostile_files.SECRET)
    (folder / "secret.bin").write_bytes(numpy.full(20000, hostile_files.SECRET).tobytes())
    return folder


def secrets():
    import hostile_files
    import numpy
    return (str(hostile_files.SECRET).encode(), numpy.float64(hostile_files.SECRET).tobytes(), numpy.float32(hostile_files.SECRET).tobytes())


def dumped(path):
    """Every value of a file by another reader, in a process of its own; None where that reader gives up or dies."""
    script = ("import h5py, hashlib, sys\n"
              "d = hashlib.sha256()\n"
              "def visit(name, item):\n"
              "    d.update(name.encode() + repr(sorted((k, str(v)) for k, v in item.attrs.items() if k not in ('DIMENSION_LIST', 'REFERENCE_LIST'))).encode())\n"
              "    if isinstance(item, h5py.Dataset):\n"
              "        v = item[()]\n"
              "        d.update(repr(v.tolist()).encode() if v.dtype.kind == 'O' else v.tobytes())\n"
              "with h5py.File(sys.argv[1]) as f:\n"
              "    visit('/', f)\n"
              "    f.visititems(visit)\n"
              "print(d.hexdigest())\n")
    limited = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    try:
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=20, preexec_fn=limited)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Campaign:
    def __init__(self, kind, folder, env=None):
        self.kind, self.folder, self.env = kind, folder, env
        self.sound = make_sound(folder / "sound")
        self.place = make_place(folder / "place")
        self.commands = commands(kind, self.sound)
        self.findings, self.counts, self.lock = [], collections.Counter(), threading.Lock()
        self.slowest, self.most_memory, self.refused_by = (0.0, ""), (0, ""), collections.defaultdict(set)
        self.secrets = secrets()
        original = self.sound / f"{kind}.h5"
        self.sound_dump = dumped(original)
        assert self.sound_dump is not None
        self.expected = {}
        for name, args in self.commands:
            done, files = self.perform(args, original.read_bytes())
            assert done.code == 0, (name, done.code, done.err)
            self.expected[name] = self.essence(done, files)

    def perform(self, args, data):
        place = pathlib.Path(tempfile.mkdtemp(prefix="case_", dir=self.folder))
        try:
            (place / "attack.h5").write_bytes(data)
            done = execute([str(a) for a in args], place, self.env)
            files = {p.name: p.read_bytes() for p in place.iterdir() if p.is_file()}
            return done, files
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def essence(self, done, files):
        """What a command gave, but for what tells one run or one input from another: times, memory, digests of inputs."""
        kept = {}
        for name, data in files.items():
            if not name.endswith((".run.json", ".rejects.csv")) and name != "attack.h5":
                kept[name] = re.sub(rb"[0-9a-f]{64}", b"digest", data)
        out = re.sub(rb"[0-9a-f]{64}", b"digest", done.out)
        return re.sub(rb"[0-9.]+ s, peak memory [0-9.]+ [kMG]?B", b"", out), kept

    def same(self, name, done, files):
        """Whether a command gave what it gives of the sound file. A list of variables may be any, and a table may have fewer
        columns, in another order: those that are there are the sound file's."""
        if name == "export" or name in EXTENDS:
            return True
        (out, kept), (sound_out, sound_kept) = self.essence(done, files), self.expected[name]
        if set(kept) != {"out.csv"}:
            return (out, kept) == (sound_out, sound_kept)
        table, sound = ({column[0]: column for column in zip(*csv.reader(io.StringIO(files["out.csv"].decode())))}
                        for files in (kept, sound_kept))
        return out == sound_out and bool(table) and all(sound.get(column) == cells for column, cells in table.items())

    def check(self, attack, data, name, args):
        done, files = self.perform(args, data)
        problems = []
        if done.code is None:
            problems.append(f"still running after {LIMIT_S} s")
        elif done.code not in (0, 3):
            problems.append(f"exit {done.code}")
        if done.memory > MEMORY[0] + MEMORY[1] * len(data):
            problems.append(f"a process took {done.memory >> 20} MiB for {len(data)} bytes")
        said = [line for line in done.err.splitlines() if not LOG.match(line)]
        if any(ord(c) < 0x20 and c != "\n" or c == "\x7f" for c in done.err):
            problems.append("a control character in a message")
        if b"\x1b" in done.out or b"\x07" in done.out:
            problems.append("a control character in the output")
        kept = set(files) - {"attack.h5"}
        if done.code == 3:
            if done.out:
                problems.append("refused, with output")
            if kept:
                problems.append(f"refused, and left {kept}")
            if len(said) != 1 or not said[0].startswith("greekgrid: ") or "attack.h5" not in said[0] or len(said[0]) > 1000:
                problems.append("a message that is not one line with the file's name")
            if files["attack.h5"] != data:
                problems.append("refused, and the file was changed")
        for secret in self.secrets:
            if secret in done.out or secret in done.err.encode() or any(secret in content for content in files.values()):
                problems.append("another file was read")
        same = done.code == 0 and self.same(name, done, files)
        with self.lock:
            self.counts[done.code if done.code != 0 or same else "0, another file"] += 1
            self.slowest = max(self.slowest, (done.seconds, f"{attack}: {name}"))
            self.most_memory = max(self.most_memory, (done.memory, f"{attack}: {name}"))
            if done.code == 3:
                self.refused_by[attack].add(name)
            for problem in problems:
                self.findings.append(f"{self.kind} {attack}: {name}: {problem}: {done.err[-300:]!r}")
        return done.code == 0 and not same

    def attack(self, name, path, share):
        """Runs a share of the commands on a file, and removes it."""
        data = path.read_bytes()
        differs = [command for command, args in share if self.check(name, data, command, args)]
        # Other values are no wonder where another reader finds them too: a file may hold any.
        if differs and (not name.startswith(OTHER_VALUES) or dumped(path) == self.sound_dump):
            with self.lock:
                self.findings.append(f"{self.kind} {name}: {', '.join(differs)}: exit 0 and other values than the sound file's")
        path.unlink()

    def share(self, k):
        """All commands, or a few of them in turn: the first, and two others."""
        if ALL:
            return self.commands
        others = self.commands[1:]
        return [self.commands[k % 2], others[k % len(others)], others[(3 * k + 1) % len(others)]]

    def report(self):
        print(f"{self.kind}: {sum(self.counts.values())} runs, by exit code {dict(self.counts)}")
        print(f"slowest {self.slowest[0]:.1f} s ({self.slowest[1]}), most memory {self.most_memory[0] >> 20} MiB ({self.most_memory[1]})")
        assert not self.findings, f"{len(self.findings)} findings\n" + "\n".join(self.findings[:60])


# Attacks that make another file of the same schema, by the beginnings of their names.
OTHER_VALUES = ("flip_", "text_", "type_integer", "attribute_escape_codes", "storage_absent")


def need_modules():
    for name in ("numpy", "h5py"):
        try:
            __import__(name)
        except ImportError:
            raise Skip(f"no Python module {name}")


def hostile(kind, folder):
    need_modules()
    campaign = Campaign(kind, folder)
    made = folder / "made"
    made.mkdir()
    # A process of its own makes the files: the memory of a process that was forked from this one counts from this one's.
    cuts, flips = (100, 300) if ALL else (24, 48)
    maker = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("hostile_files.py"), kind, campaign.sound / f"{kind}.h5",
                              campaign.place, made, str(cuts), str(flips)], stdout=subprocess.PIPE, text=True)
    only, names = os.environ.get("GREEKGRID_HOSTILE_ONLY", ""), []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = collections.deque()
        for line in maker.stdout:
            name = line.strip()
            assert name not in names, name
            names.append(name)
            if only and only not in name:
                (made / name).unlink()
                continue
            share = campaign.share(len(names))
            if not ALL and name.startswith(("cut_", "flip_")):
                share = share[:1]
            while len(waiting) > 8:
                waiting.popleft().result()
            waiting.append(pool.submit(campaign.attack, name, made / name, share))
        for future in waiting:
            future.result()
    assert maker.wait() == 0
    if ALL:
        print("refused by no command:", " ".join(name for name in names if not campaign.refused_by[name]))
    print(f"{len(names)} files")
    campaign.report()


def case_chains(folder):
    hostile("chains", folder)


def case_history(folder):
    hostile("history", folder)


def case_night(folder):
    hostile("night", folder)


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="greekgrid_hostile_"))
    try:
        CASES[sys.argv[1]](folder)
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    main()

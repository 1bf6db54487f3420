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
LIMIT_S = 60.0
MEMORY = (600 << 20, 128)  # bytes of one process: so many, and so many for each of the file's
CONFIG = "[scenarios]\nspots = 11\niv_shifts = [-0.02, 0.0, 0.02]\nsessions = 2\n"
LONG_ROW = ("underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,open_interest,"
            "implied_volatility,delta,gamma\nAAA,2026-07-10T16:00:00-04:00,100,AAA260821C00100000,2026-08-21,C,100,3.1,3.3,3.2,5,10,0.25,0.5,0.03\n")
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
            ("export levels", ["export", file, "--what", "levels", "-o", "out.csv"]),
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
        """What a command gave, but for what tells one run or one input from another: times, memory, sizes and digests of inputs."""
        kept = {}
        for name, data in files.items():
            if not name.endswith((".run.json", ".rejects.csv")) and name != "attack.h5":
                kept[name] = re.sub(rb"[0-9a-f]{64}", b"digest", data)
        out = re.sub(rb"[0-9a-f]{64}", b"digest", done.out)
        return re.sub(rb"[0-9.]+ s\b|peak memory [0-9.]+ [kMG]?B|(?m:^size .*$)", b"", out), kept

    def same(self, name, done, files):
        """Whether a command gave what it gives of the sound file. A list of variables may be any, and a table may have fewer
        columns, in another order: those that are there are the sound file's."""
        if name == "export" or name in EXTENDS:
            return True
        (out, kept), (sound_out, sound_kept) = self.essence(done, files), self.expected[name]
        if set(kept) != {"out.csv"} or set(sound_kept) != {"out.csv"}:
            return (out, kept) == (sound_out, sound_kept)
        table, sound = ({column[0]: column for column in zip(*csv.reader(io.StringIO(files["out.csv"].decode())))}
                        for files in (kept, sound_kept))
        return out == sound_out and bool(table) and all(sound.get(column) == cells for column, cells in table.items())

    def check(self, attack, data, name, args):
        done, files = self.perform(args, data)
        problems = []
        # What is no HDF5 file is an ordinary input of `history`, which may not be its target.
        refused = (2, 3) if name in EXTENDS else (3,)
        if done.code is None:
            problems.append(f"still running after {LIMIT_S} s")
        elif done.code not in (0, *refused):
            problems.append(f"exit {done.code}")
        if done.memory > MEMORY[0] + MEMORY[1] * len(data):
            problems.append(f"a process took {done.memory >> 20} MiB for {len(data)} bytes")
        said = [line for line in done.err.splitlines() if not LOG.match(line) and "other tables of the group" not in line]
        if any(ord(c) < 0x20 and c != "\n" or c == "\x7f" for c in done.err):
            problems.append("a control character in a message")
        if b"\x1b" in done.out or b"\x07" in done.out:
            problems.append("a control character in the output")
        kept = set(files) - {"attack.h5"}
        if done.code in refused:
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
        turn = [self.commands[k % 2], others[k % len(others)], others[(3 * k + 1) % len(others)]]
        return turn[:2 if self.kind == "night" else 3]

    def report(self):
        print(f"{self.kind}: {sum(self.counts.values())} runs, by exit code {dict(self.counts)}")
        print(f"slowest {self.slowest[0]:.1f} s ({self.slowest[1]}), most memory {self.most_memory[0] >> 20} MiB ({self.most_memory[1]})")
        assert not self.findings, f"{len(self.findings)} findings\n" + "\n".join(self.findings[:60])


# Attacks that make another file of the same schema, by the beginnings of their names.
OTHER_VALUES = ("flip_", "text_", "type_", "layout_", "link_", "group_for", "attribute_escape_codes", "storage_absent")


def need_modules():
    for name in ("numpy", "h5py"):
        try:
            __import__(name)
        except ImportError:
            raise Skip(f"no Python module {name}")


def hostile(kind, folder):
    need_modules()
    csv.field_size_limit(1 << 30)
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


def case_limits(folder):
    """What docs/robustness.md states, pinned: each limit is met by a file just beyond it, and by one just below."""
    need_modules()
    import gzip
    import h5py
    import numpy
    sound = make_sound(folder / "sound")
    header = "right,spot,strike,rate,dividend_yield,iv,tau\n"
    row = "C,100,100,0.05,0,0.2,0.5"

    def refused(args, words, **more):
        done = execute([str(a) for a in args], folder, **more)
        assert done.code == 3 and words in done.err, (args, done.code, done.err)
    # A line: 1 MiB.
    mib = 1 << 20
    for extra, code in ((0, 0), (1, 3)):
        (folder / "greeks.csv").write_text(header + row + " " * (mib - len(row) + extra) + "\n")
        run("greeks", "greeks.csv", cwd=folder, code=code)
    # A configuration and a profile: 1 MiB.
    for extra, code in ((0, 0), (1, 3)):
        (folder / "long.toml").write_text(CONFIG + "#" * (mib - len(CONFIG) + extra))
        run("run", sound / "chains.h5", "-o", "n.h5", "--config", "long.toml", cwd=folder, code=code)
    (folder / "long_profile.toml").write_text("#" * (mib + 1))
    refused(["ingest", "greeks.csv", "-o", "c.h5", "--profile", "long_profile.toml"], "1 MiB")
    # Keys: 32 parts.
    for parts, words in ((32, "is not a configuration key"), (33, "more than 32 parts"), (100000, "more than 32 parts")):
        (folder / "keys.toml").write_text(".".join("a" * parts) + " = 1\n")
        refused(["run", sound / "chains.h5", "-o", "n.h5", "--config", "keys.toml"], words)
    # Text: 1000 times its compressed size.
    (folder / "bomb.csv.gz").write_bytes(gzip.compress(LONG_ROW.encode() + b"\n" * (64 << 20), 9))
    refused(["ingest", "bomb.csv.gz", "-o", "c.h5"], "1000 times")
    # JSON: depth 64 of what is read, and of the record beside a night.
    (folder / "deep.json").write_text("[" * 65 + "]" * 65)
    refused(["ingest", "deep.json", "-o", "c.h5"], "deep.json")
    shutil.copy(sound / "night.h5", folder / "n.h5")
    for depth in (40, 100000):
        (folder / "n.h5.run.json").write_text("[" * depth + "]" * depth)
        assert b"is no run record of this program" in run("info", "n.h5", cwd=folder).out, depth
    # Groups: 8 deep, 1000 of them; 5000 names in one.
    def night(change):
        shutil.copy(sound / "night.h5", folder / "n.h5")
        with h5py.File(folder / "n.h5", "r+") as f:
            change(f)
        return folder / "n.h5"
    for depth, code in ((8, 0), (9, 3)):
        run("export", night(lambda f: f.create_group("/".join("g" * depth))), cwd=folder, code=code)
    for count, code in ((800, 0), (1001, 3)):
        run("export", night(lambda f: [f.create_group(f"g{k}") for k in range(count)]), cwd=folder, code=code)
    refused(["export", night(lambda f: [f.__setitem__(f"g{k}", f["spot"]) for k in range(5001)])], "more than 5000 names")
    # Texts: 64 KiB, and 256 bytes of a symbol.
    def text(n):
        def change(f):
            del f["levels/ticker"]
            f.create_dataset("levels/ticker", data=["x" * n] * 3, dtype=h5py.string_dtype())
        return night(change)
    for extra, code in ((0, 0), (1, 3)):
        run("levels", text((1 << 16) + extra), cwd=folder, code=code)
    shutil.copy(sound / "history.h5", folder / "h.h5")
    for extra, code in ((0, 0), (1, 3)):
        with h5py.File(folder / "h.h5", "r+") as f:
            f["symbol"][...] = ["A" * (256 + extra), "B", "C"]
        run("info", "h.h5", cwd=folder, code=code)
    # A file of holes raises no limit: a terabyte of nothing is refused as fast as a kilobyte.
    shutil.copy(sound / "history.h5", folder / "holes.h5")
    os.truncate(folder / "holes.h5", 1 << 40)
    done = execute(["info", "holes.h5"], folder)
    assert done.code in (0, 3) and done.seconds < LIMIT_S and done.memory < MEMORY[0], (done.code, done.err, done.seconds)
    # Zip members: 10,000.
    import zipfile
    with zipfile.ZipFile(folder / "many.zip", "w") as z:
        for k in range(10001):
            z.writestr(f"{k}.csv", "")
    refused(["ingest", "many.zip", "-o", "c.h5"], "10,000 members")
    assert numpy.__version__


def case_plugins(folder):
    """No code comes from outside: filters, storage connectors and preloads that a file or the environment asks for."""
    need_modules()
    import hostile_files
    sound, place = make_sound(folder / "sound"), make_place(folder / "place")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang-14")
    if compiler is None:
        raise Skip("no C compiler to make a plug-in with")
    plugins = folder / "plugins"
    plugins.mkdir()
    marker = folder / "marker"
    (folder / "plugin.c").write_text(f"""
#include <fcntl.h>
#include <stddef.h>
static void mark(void) {{ open("{marker}", O_CREAT | O_WRONLY, 0600); }}
__attribute__((constructor)) static void loaded(void) {{ mark(); }}
static size_t filter(unsigned f, size_t n, const unsigned *v, size_t b, size_t *s, void **p) {{ mark(); return b; }}
static const struct {{ int version, id; unsigned e, d; const char *name; void *can, *set; void *filter; }}
    table = {{1, 305, 1, 1, "planted", 0, 0, (void *)filter}};
int H5PLget_plugin_type(void) {{ return 0; }}
const void *H5PLget_plugin_info(void) {{ return &table; }}
""")
    library = plugins / "libplanted.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "plugin.c"], check=True)
    maker = hostile_files.Maker("chains", sound / "chains.h5", place)

    def planted(f, name, data):
        import h5py
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk(data.shape)
        dcpl.set_filter(305, h5py.h5z.FLAG_OPTIONAL, (1,))
        made = h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(data.dtype), h5py.h5s.create_simple(data.shape), dcpl)
        made.write_direct_chunk((0,), data.tobytes())
    (folder / "chains.h5").write_bytes(maker.replace("number", planted))
    environment = {"HDF5_PLUGIN_PATH": str(plugins), "HDF5_PLUGIN_PRELOAD": str(library), "HDF5_VOL_CONNECTOR": "planted",
                   "HDF5_DRIVER": "planted", "HDF5_EXTFILE_PREFIX": str(place), "HDF5_VDS_PREFIX": str(place), "H5PY_DEFAULT_READONLY": "1"}
    # The plug-in works: another reader with this environment loads it.
    reader = "import h5py, sys\ntry:\n    h5py.File(sys.argv[1])['strike'][...]\nexcept OSError:\n    pass\n"
    subprocess.run([sys.executable, "-c", reader, folder / "chains.h5"], env={**os.environ, "HDF5_PLUGIN_PATH": str(plugins)}, check=True)
    assert marker.exists(), "the planted filter is loaded by nobody: the test shows nothing"
    marker.unlink()
    for args, code in ((["info", "chains.h5"], 3), (["run", "chains.h5", "-o", "n.h5"], 3), (["export", "chains.h5"], 3),
                       (["export", "chains.h5", "--what", "root", "--dims", "contract", "-o", "x.csv"], 3),
                       (["info", sound / "chains.h5"], 0), (["run", sound / "chains.h5", "-o", "n.h5", "--config", sound / "run.toml"], 0)):
        done = run(*args, cwd=folder, code=code, env=environment)
        assert code == 0 or "filter 305" in done.err, done.err
        assert not marker.exists(), args


def case_paths(folder):
    """Names of every kind, as inputs and as targets: no name is taken for an option, a command or another file."""
    need_modules()
    import zipfile
    sound = make_sound(folder / "sound")
    good = LONG_ROW
    where = folder / "where"
    where.mkdir()

    def left():
        return sorted(os.fsdecode(p) for p in os.listdir(where))
    kinds = {"chains.h5": lambda name: ["info", name], "rows.csv": lambda name: ["ingest", name, "-o", "made.h5"],
             "greeks.csv": lambda name: ["greeks", name]}
    content = {"chains.h5": (sound / "chains.h5").read_bytes(), "rows.csv": good.encode(),
               "greeks.csv": b"right,spot,strike,rate,dividend_yield,iv,tau\nC,100,100,0.05,0,0.2,0.5\n"}
    odd = [b"line\nend", b"\x1b[31mred", b"\xff\xfe", b"a b", b"semi;colon $(touch pwned) `touch pwned`", b"%s%n%s", b"{}{0}", b"..", b"x" * 250,
           "\u202egnp.exe".encode(), b"'quote\"", b"*", b"~", b"-", b"-o", b"--help", b"--"]
    for kind, command in kinds.items():
        for name in odd:
            if name == b"..":
                continue
            path = os.fsencode(where) + b"/" + name
            with open(path, "wb") as file:
                file.write(content[kind])
            before = left()
            # By its place it is a name like any other, and behind -- even where it begins like an option.
            for args in ([os.fsdecode(a) if isinstance(a, bytes) else a for a in command(b"./" + name)],):
                done = execute(args, where)
                assert done.code == 0, (kind, name, done.code, done.err)
                # Output tells the name without what a terminal obeys; a row of CSV holds no name.
                assert b"\x1b" not in done.out and "\x1b" not in done.err, (kind, name, done.out[:200], done.err)
            (where / "made.h5").unlink(missing_ok=True)
            (where / "made.h5.rejects.csv").unlink(missing_ok=True)
            assert left() == before, (kind, name, left())
            os.unlink(path)
    # Messages about odd names are one line.
    for name in (b"no\nsuch", b"\x1b[31mno", b"\xffno"):
        for args in (["info"], ["levels"], ["show"], ["export"], ["forecast"], ["greeks"], ["ingest", "-o", "x.h5"], ["run", "-o", "x.h5"],
                     ["history", "-o", "x.h5"], ["attribute", "--move", "down"]):
            done = execute([args[0], os.fsdecode(name), *args[1:]], where)
            said = [line for line in done.err.splitlines() if not LOG.match(line)]
            assert done.code == 3 and len(said) == 1 and "\x1b" not in done.err and not done.out, (args, name, done.code, done.err)
    # A name that begins with - is no option behind --.
    (where / "-o").write_bytes(content["chains.h5"])
    assert execute(["info", "--", "-o"], where).code == 0
    assert execute(["info", "-o"], where).code == 2
    (where / "-o").unlink()

    # What is no file: directories, pipes, devices, files of the kernel, links that lead nowhere or in a circle.
    os.mkfifo(where / "pipe")
    (where / "directory").mkdir()
    (where / "dangling").symlink_to("nowhere")
    (where / "circle").symlink_to("circle")
    (where / "good.h5").write_bytes(content["chains.h5"])
    shutil.copy(sound / "night.h5", where / "night.h5")
    before = left()
    long_name, long_path = "n" * 256, "d/" * 2048 + "n"
    inputs = ["pipe", "directory", "dangling", "circle", "/dev/zero", "/dev/full", "/dev/null", "/proc/self/mem", "/proc/self/environ",
              "/proc/kmsg", "good.h5/", "good.h5/x", "", long_name, long_path, "/dev/stdin"]
    for name in inputs:
        for args in (["info", name], ["levels", name], ["show", name], ["export", name], ["forecast", name], ["greeks", name], ["attribute", name, "--move", "down"],
                     ["ingest", name, "-o", "x.h5"], ["run", name, "-o", "x.h5"], ["history", name, "-o", "x.h5"],
                     ["run", "good.h5", "--config", name, "-o", "x.h5"], ["run", "good.h5", "--history", name, "-o", "x.h5", "--no-append"],
                     ["run", "good.h5", "--previous", name, "-o", "x.h5"], ["run", "good.h5", "--ranking", name, "-o", "x.h5"],
                     ["ingest", "good.h5", "--open-interest", name, "-o", "x.h5"], ["ingest", "good.h5", "--profile", name, "-o", "x.h5"],
                     ["run", "good.h5", "--history", "good.h5", "--corrections", name, "-o", "x.h5", "--no-append"]):
            optional = name == "" and args[0] in ("run", "greeks", "ingest") and args[1] != ""
            done = execute(args, where)
            assert done.code in ((0, 1, 2, 3) if optional or name == "" else (2, 3)), (args, done.code, done.err)
            assert done.memory < MEMORY[0] and len(done.err) < 10000, (args, done.memory)
            for path in ("x.h5", "x.h5.run.json", "x.h5.rejects.csv"):
                if optional:
                    (where / path).unlink(missing_ok=True)
            assert left() == before, (args, left())
    # As targets: nothing but a regular file is made or replaced, and what was there stays.
    for name, codes in (("pipe", (1,)), ("directory", (1,)), ("directory/", (1,)), ("circle", (1,)), ("/dev/full", (1,)), ("/dev/null", (1,)), ("/proc/self/mem", (1,)),
                        ("/proc/self/x", (1,)), ("good.h5/x", (1, 2)), ("good.h5/", (1, 2)), (long_name, (1,)), (long_path, (1,)), ("none/x.h5", (1,)), ("..", (1,)), (".", (1,)), ("", (2,))):
        for args in (["run", sound / "chains.h5", "-o", name, "--config", sound / "run.toml"], ["synth", "--tickers", "1", "--contracts", "300", "-o", name],
                     ["ingest", sound / "chains.h5", "--open-interest", sound / "chains.h5", "-o", name], ["history", sound / "history.h5", "-o", name],
                     ["export", "night.h5", "--what", "levels", "-o", name], ["greeks", "-o", name]):
            if name == "" and args[0] in ("greeks", "export"):
                continue
            with open(where / ".." / "greeks_in.csv", "wb+") as rows:
                rows.write(content["greeks.csv"])
                rows.seek(0)
                done = execute([str(a) for a in args], where, stdin=rows)
            assert done.code in codes, (args, done.code, done.err)
            assert left() == before, (args, left())
    # A dangling link is followed: the file that it names is made.
    run("synth", "--tickers", 1, "--contracts", 300, "-o", "dangling", cwd=where)
    assert (where / "dangling").is_symlink() and (where / "nowhere").is_file()
    # A target below .. is the file that it names, and an input by another name is still an input.
    assert execute(["run", "good.h5", "-o", "directory/../good.h5"], where).code == 2
    run("synth", "--tickers", 1, "--contracts", 300, "-o", "directory/../above.h5", cwd=where)
    assert (where / "above.h5").is_file()
    # What lies beside a file may be anything.
    for suffix in (".run.json", ".rejects.csv"):
        os.mkfifo(where / ("night.h5" + suffix))
        done = run("info", "night.h5", cwd=where)
        os.unlink(where / ("night.h5" + suffix))
        (where / ("night.h5" + suffix)).symlink_to("/dev/zero")
        done = run("info", "night.h5", cwd=where)
        assert done.memory < MEMORY[0]
        os.unlink(where / ("night.h5" + suffix))
    (where / "night.h5.run.json").write_bytes(b'{"a": "\xff\x1b[31m\x9b", "b": [1e999]}')
    assert b"\x1b" not in run("info", "night.h5", cwd=where).out
    # Unreadable files; the super-user reads them.
    (where / "secret.h5").write_bytes(content["chains.h5"])
    os.chmod(where / "secret.h5", 0)
    if os.geteuid() != 0:
        assert "secret.h5" in run("info", "secret.h5", cwd=where, code=3).err
    # A zip's members are read where they are: no name of theirs makes a file.
    outside = folder / "outside"
    outside.mkdir()
    for member in ("../outside/evil.csv", str(outside / "evil.csv"), "..\\outside\\evil.csv", "/etc/evil.csv", "a/../../outside/evil.csv", "evil\x1b[31m\n.csv",
                   "C:\\evil.csv"):
        with zipfile.ZipFile(where / "zip.zip", "w") as z:
            z.writestr(zipfile.ZipInfo(member), good)
        # A name that begins with a full stop is left out, like those of file systems' own files.
        done = run("ingest", "zip.zip", "-o", "made.h5", cwd=where, code=3 if member.startswith("..\\") else 0)
        assert b"\x1b" not in done.out and "\x1b" not in done.err
        assert not list(outside.iterdir()) and not os.path.exists("/etc/evil.csv")
        for made in ("made.h5", "made.h5.rejects.csv"):
            (where / made).unlink(missing_ok=True)
    with zipfile.ZipFile(where / "zip.zip", "w") as z:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        z.writestr(link, "/etc/passwd")
    assert "root:" not in run("ingest", "zip.zip", "-o", "made.h5", cwd=where, code=3).err


def case_profiles(folder):
    """A profile is data: keys that would read, write or run something are unknown, and refused by name."""
    need_modules()
    profile = ('format = "mine"\nmatch = ["Kind"]\n[columns]\nunderlying = "Sym"\nright = "Kind"\nexpiration = {column = "Maturity", format = "compact"}\n'
               'strike = "Strike"\nbid = "Bid"\nask = "Ask"\nopen_interest = "OI"\nspot = "Spot"\nsession = {column = "Day", format = "iso"}\n')
    (folder / "rows.csv").write_text("Day,Sym,Kind,Maturity,Strike,Bid,Ask,OI,Spot\n2026-02-11,SPY,Call,20260320,690,12.1,12.4,1200,691.25\n")
    path = folder / "profile.toml"
    path.write_text(profile)
    run("ingest", "rows.csv", "--profile", "profile.toml", "-o", "c.h5", cwd=folder)
    os.unlink(folder / "c.h5")
    os.unlink(folder / "c.h5.rejects.csv")
    before = sorted(os.listdir(folder))
    marker = folder / "marker"
    for key in ("include", "exec", "command", "path", "file", "import", "source", "script", "shell", "url", "output", "extends", "plugin", "eval", "env"):
        for text, words in ((f'{key} = "touch {marker}"\n' + profile, key), (profile.replace("[columns]", f'[{key}]\na = "touch {marker}"\n[columns]'), key),
                            (profile + f'{key} = "/etc/passwd"\n', key),
                            (profile.replace('{column = "Maturity", format = "compact"}', f'{{column = "Maturity", format = "compact", {key} = "/etc/passwd"}}'), key)):
            path.write_text(text)
            done = run("ingest", "rows.csv", "--profile", "profile.toml", "-o", "c.h5", cwd=folder, code=3)
            assert words in done.err and "profile.toml" in done.err, (key, done.err)
            assert "root:" not in done.err and not marker.exists()
            assert sorted(os.listdir(folder)) == before
    # Names are compared with the table's header, never opened or run.
    for name in ("/etc/passwd", "$(touch marker)", "`touch marker`", "file:///etc/passwd", "%s%n", "../../x", "a\\u001b[31m"):
        path.write_text(profile.replace('"OI"', f'"{name}"'))
        done = execute(["ingest", "rows.csv", "--profile", "profile.toml", "-o", "c.h5"], folder)
        assert done.code in (0, 3) and not marker.exists() and "\x1b" not in done.err and b"root:" not in done.out, (name, done.code, done.err)
        for made in ("c.h5", "c.h5.rejects.csv"):
            (folder / made).unlink(missing_ok=True)
    # The name that a profile gives itself appears in messages and attributes, as text.
    for text in ("x" * 2000000, "format = " + "[" * 100000, "a" + ".a" * 100000 + " = 1", "[[a]]\n" * 100000, "a = \"" + "\\u0000" * 10 + "\"", "\0", "\xef\xbb\xbf"):
        path.write_text(text)
        done = run("ingest", "rows.csv", "--profile", "profile.toml", "-o", "c.h5", cwd=folder, code=3)
        assert done.seconds < LIMIT_S and done.memory < MEMORY[0] and len(done.err) < 10000, (text[:20], done.seconds, len(done.err))


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

"""The units of examples/systemd as systemd reads them, and the script that they run: units_test.py. Exit 77: skipped."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

UNITS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "systemd"


def test_the_units_say_nothing_that_systemd_does_not_know(folder):
    if not shutil.which("systemd-analyze"):
        return "no systemd-analyze"
    program = folder / "greekgrid-night"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.timer")]:
        (folder / unit.name).write_text(unit.read_text().replace("/usr/local/bin/greekgrid-night", str(program)))
    # Units of the machine that the tests run on may be broken: their names are not ours.
    names = [path.name for path in UNITS.iterdir() if path.suffix in (".service", ".timer")]
    assert len(names) == 3, names
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in names)], capture_output=True, text=True,
                          timeout=60)
    told = [line for line in (done.stdout + done.stderr).splitlines() if any(name in line for name in names)]
    assert not told, told


def test_the_script_goes_on_or_starts_afresh(folder):
    log = folder / "log"
    program = folder / "program"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *--resume*) exit "$RESUMED" ;; esac\nexit "$FRESH"\n')
    program.chmod(0o755)
    fresh = "run chains.h5 -o night.h5 --history history.h5 --top 5"
    for state, resumed, afresh, code, calls in ((False, 0, 0, 0, [fresh]), (False, 0, 3, 3, [fresh]), (True, 0, 9, 0, [fresh + " --resume"]),
                                                (True, 1, 0, 1, [fresh + " --resume"]), (True, 143, 0, 143, [fresh + " --resume"]),
                                                (True, 3, 0, 0, [fresh + " --resume", fresh]), (True, 3, 3, 3, [fresh + " --resume", fresh])):
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        log.unlink(missing_ok=True)
        if state:
            (work / ".night.h5.resume").mkdir()
        done = subprocess.run([UNITS / "greekgrid-night"], cwd=work, timeout=60, env={**os.environ, "GREEKGRID": str(program), "RESUMED":
                              str(resumed), "FRESH": str(afresh), "GREEKGRID_OPTIONS": "--top 5"})
        assert done.returncode == code and log.read_text().splitlines() == calls, (state, resumed, done.returncode, log.read_text())
    return None


with tempfile.TemporaryDirectory(prefix="greekgrid_units_") as name:
    test_the_script_goes_on_or_starts_afresh(pathlib.Path(name))
    skipped = test_the_units_say_nothing_that_systemd_does_not_know(pathlib.Path(name))
if skipped:
    print(f"skipped: {skipped}")
    sys.exit(77)

"""The program as its users meet it: exit codes, streams, bytes, signals, kills. One case per call: program_test.py CASE.

GREEKGRID names the program. Exit 77 means skipped, with the reason on standard output.
"""
import csv
import datetime
import gzip
import hashlib
import io
import json
import math
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ["GREEKGRID"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("GREEKGRID_DATA", ROOT / ".." / "shared" / "data"))
REFERENCE = pathlib.Path(os.environ.get("GREEKGRID_REFERENCE", DATA / ".." / "reference"))


class Skip(Exception):
    pass


def run(*args, code=0, cwd=None, stdin=None, env=None):
    """Runs the program and checks its exit code; (stdout, stderr) as text."""
    done = subprocess.run([PROGRAM, *map(str, args)], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **(env or {})})
    assert done.returncode == code, f"{args}: exit {done.returncode} for {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def need(path):
    if not path.exists():
        raise Skip(f"no file {path.name} (set GREEKGRID_DATA to the folder of chains)")
    return path


def need_modules(*names):
    for name in names:
        try:
            __import__(name)
        except ImportError:
            raise Skip(f"no Python module {name}")


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def synth(folder, tickers=4, contracts=800, seed=1):
    target = folder / "chains.h5"
    run("synth", "--tickers", tickers, "--contracts", contracts, "--seed", seed, "-o", target)
    return target


def small_config(folder, extra=""):
    config = folder / "run.toml"
    config.write_text("[scenarios]\nspots = 21\niv_shifts = [-0.02, 0.0, 0.02]\nsessions = 3\n" + extra)
    return config


def long_csv(rows):
    header = ("underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,"
              "open_interest,implied_volatility,delta,gamma,theta,vega\n")
    return header + "".join(row + "\n" for row in rows)


GOOD_ROW = ("AAA,2026-07-10T16:00:00-04:00,100,AAA260821C00100000,2026-08-21,C,100,3.1,3.3,3.2,5,{oi},0.25,0.5,0.03,"
            "-0.02,0.1")


def case_usage(folder):
    for option in ("--help", "--version"):
        out, _ = run(option)
        assert "greekgrid" in out
    for command in ("ingest", "history", "run", "levels", "info", "synth", "devices", "greeks", "folklore", "export", "show"):
        assert command in run("--help")[0]
        assert "Usage" in run(command, "--help")[0]
    for wrong in ([], ["nonsense"], ["run"], ["run", "x", "-o", "y", "--threads", "0"], ["run", "x", "-o", "y", "--wrong"],
                  ["synth", "-o", "x", "--tickers", "0"], ["levels"], ["run", "x", "-o", "y", "--backend", "gpu"]):
        out, err = run(*wrong, code=2, cwd=folder)
        assert out == "" and err != "", wrong
    chains = synth(folder)
    _, err = run("run", chains, "-o", "", code=2)
    assert "-o" in err
    _, err = run("run", chains, "-o", chains, code=2)
    assert "is an input" in err
    _, err = run("run", chains, "-o", folder / "n.h5", "--quote-time", "yesterday", code=2)
    assert not (folder / "n.h5").exists()
    _, err = run("ingest", chains, "-o", folder / "c.h5", "--format", "nonsense", code=2)
    assert "nonsense" in err
    _, err = run("nonsense", code=2)
    assert err.startswith("greekgrid: nonsense: no such command"), err
    run("levels", folder / "n.h5", "--limit", "-1", code=2)
    rows = folder / "rows.csv"
    rows.write_text(long_csv([GOOD_ROW.format(oi=10)]))
    for instant in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"):
        run("run", rows, "-o", folder / "n.h5", "--quote-time", instant, code=2)


def case_paths(folder):
    """No file that is written may be an input or another target, and none is half done."""
    chains = synth(folder)
    config = small_config(folder)
    before = {path: sha(path) for path in (chains, config)}
    record = folder / "x.h5.run.json"
    record.write_bytes(chains.read_bytes())
    for args in (["run", chains, "-o", folder / "n.h5", "--rejects", chains],
                 ["run", chains, "-o", folder / "n.h5", "--rejects", folder / "." / "n.h5"],
                 ["run", chains, "-o", folder / "n.h5", "--rejects", folder / "n.h5.run.json"],
                 ["run", chains, "-o", folder / "n.h5", "--config", config, "--rejects", config],
                 ["run", record, "-o", folder / "x.h5"],
                 ["ingest", folder / "rows.csv", "-o", folder / "c.h5", "--rejects", folder / "c.h5"]):
        (folder / "rows.csv").write_text(long_csv([GOOD_ROW.format(oi=10)]))
        _, err = run(*args, code=2)
        assert "choose another target" in err, err
    assert all(sha(path) == digest for path, digest in before.items())
    assert sha(record) == before[chains]
    assert not (folder / "n.h5").exists() and not (folder / "c.h5").exists()
    (folder / "m.h5.run.json").mkdir()
    (folder / "m.h5.rejects.csv").mkdir()
    run("run", chains, "-o", folder / "m.h5", "--config", config, code=1)
    run("ingest", folder / "rows.csv", "-o", folder / "m.h5", code=1)
    assert not (folder / "m.h5").exists()
    odd = os.fsencode(folder) + b"/odd\xff.h5"
    pathlib.Path(os.fsdecode(odd)).write_bytes(chains.read_bytes())
    done = subprocess.run([PROGRAM, "run", odd, "-o", folder / "odd_night.h5", "--config", config], capture_output=True)
    assert done.returncode == 0, done
    record = json.loads((folder / "odd_night.h5.run.json").read_text())
    assert record["command_line"][1] == "run" and record["command_line"][-2:] == ["--config", str(config)], record


def case_devices(folder):
    out, _ = run("devices")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert lines["cpu"].split()[1] == "yes" and lines["reference"].split()[1] == "yes"
    assert "cuda" in lines
    if lines["cuda"].split()[1] == "no":
        chains = synth(folder)
        _, err = run("run", chains, "-o", folder / "n.h5", "--backend", "cuda", code=4)
        reason = " ".join(lines["cuda"].split()[2:])
        assert reason in err, (reason, err)
        assert not (folder / "n.h5").exists()


def case_greeks(folder):
    golden = need(REFERENCE / "greeks_golden.csv")
    out, _ = run("greeks", golden)
    rows = list(csv.DictReader(io.StringIO(out)))
    expected = list(csv.DictReader(golden.open()))
    assert len(rows) == len(expected) == 400
    assert list(rows[0])[:8] == ["right", "spot", "strike", "rate", "dividend_yield", "iv", "tau", "price"]
    for row, want in zip(rows, expected):
        assert row["spot"] == want["spot"] and row["right"] == want["right"]
        # Positive sums: no cancellation hides behind a plain relative tolerance.
        for column in ("gamma", "vega"):
            assert math.isclose(float(row[column]), float(want[column]), rel_tol=1e-11, abs_tol=1e-290), (column, row)
    text = "right,spot,strike,rate,dividend_yield,iv,tau\nC,100,100,0,0,0.2,1\nX,100,100,0,0,0.2,1\nP,0,100,0,0,0.2,1\nP,nan,100,0,0,.2,1\n-1,100,100,0,0,0.2,0\n"
    out, err = run("greeks", stdin=text)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 5
    assert abs(float(rows[0]["price"]) - 7.965567455405804) < 1e-12
    assert all(rows[k]["price"] == "nan" for k in (1, 2, 3))
    assert float(rows[4]["delta"]) == -0.5
    for row in (3, 4, 5):
        assert f"standard input:{row}:" in err
    wild = "right,spot,strike,rate,dividend_yield,iv,tau\nC,1e308,1e308,0.05,0.01,0.2,0.5\n\"1,5\",100,100,0,0,0.2,1\nC,100,100,0,0,1e-200,1\nC,100,100,0,0,0.2,1\n"
    lines = list(csv.reader(io.StringIO(run("greeks", stdin=wild)[0])))
    assert all(len(line) == len(lines[0]) for line in lines), lines
    assert [line[7] == "nan" for line in lines[1:]] == [True, True, True, False]
    assert "inf" not in str(lines) and "-nan" not in str(lines)
    run("greeks", "-o", folder / "out.csv", stdin=text)
    assert (folder / "out.csv").read_text() == out
    run("greeks", stdin="spot,strike\n1,2\n", code=3)
    run("greeks", stdin="", code=3)
    run("greeks", folder / "missing.csv", code=3)
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "greeks"], input=text, text=True, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and "standard output" in done.stderr, done


def case_run_on_real_chains(folder):
    need_modules("numpy", "h5py", "xarray")
    import numpy
    import xarray
    files = [need(DATA / "cboe" / f"{name}_20230914_quotedata.csv") for name in ("spx", "spy")]
    config = folder / "run.toml"
    config.write_text('[scenarios]\nspots = 41\niv_rules = ["sticky_strike", {rule = "relative_beta", beta = 10.0}, '
                      '"sticky_moneyness", {rule = "skew_stickiness", stickiness = 1.4}]\n'
                      'iv_shift_term = "sqrt_time"\n[market]\nrate = 0.05\ndividend_yield = 0.015\n'
                      '[surfaces]\ngreeks = ["all"]\ndelta_change = true\nprecision = "fp64"\n[positions]\nmodels = ["naive", "unsigned"]\n')
    target = folder / "night.h5"
    out, err = run("run", *files, "-o", target, "--config", config)
    assert out == "" and "\r" not in err and "\x1b" not in err
    record = json.loads((folder / "night.h5.run.json").read_text())
    assert record["tickers"] == 2 and record["evaluations"] > 0 and record["peak_memory_bytes"] > 0
    for engine in ("h5netcdf", "netcdf4"):
        with xarray.open_dataset(target, engine=engine) as night:
            assert night.gx.dims == ("ticker", "position", "iv_rule", "time", "iv_shift", "spot_step")
            assert list(night.ticker.values) == ["SPX", "SPY"]
            assert night.gx.attrs["units"] == "shares USD-1"
            assert str(night.time.values[0])[:19] == "2023-09-14T20:00:00"
            assert bool(numpy.isfinite(night.gx).all())
    recompute_cells(target, 60)
    levels = json.loads(run("levels", target, "--format", "json")[0])
    assert len(levels) == 4 and levels[0]["zero_gamma_status"] == "ok"
    assert "SPX" in run("levels", target)[0] and "call_wall" in run("levels", target, "--format", "csv")[0]
    assert "quote_time      2023-09-14T20:00:00Z" in run("info", target)[0]
    run("levels", target, "--tickers", "NOPE", code=3)


def recompute_cells(target, count):
    """A reader's recomputation of cells from /contract and /expiry, in numpy, by the text of the schema alone."""
    import h5py
    import numpy as np
    from math import erfc
    generator = random.Random(7)
    with h5py.File(target) as f:
        spot_reference, spot = f["spot_reference"][:], f["spot"][:]
        time_axis, shifts = f["time"][:], f["iv_shift"][:]
        term, floor = f["iv_shift"].attrs["iv_shift_term"], float(f["iv_shift"].attrs["iv_floor"][0])
        term = term.decode() if isinstance(term, bytes) else term
        cap = float(f["iv_shift"].attrs["iv_shift_term_cap"][0]) if term == "sqrt_time" else 1.0
        rules = [r.decode() if isinstance(r, bytes) else r for r in f["iv_rule"][:]]
        parameters = f["iv_rule_parameter"][:]
        c, e = f["contract"], f["expiry"]
        for _ in range(count):
            u, p, k = generator.randrange(len(spot)), generator.randrange(f["position"].shape[0]), generator.randrange(len(rules))
            t, v, j = (generator.randrange(n) for n in (len(time_axis), len(shifts), spot.shape[1]))
            rows = slice(int(c["contract_begin"][u]), int(c["contract_begin"][u] + c["contract_count"][u]))
            expiry = c["contract_expiry"][rows]
            settle = e["settlement"][:][expiry]
            r, q = e["rate"][:][expiry], e["dividend_yield"][:][expiry]
            tau0, tau = (settle - time_axis[0]) / 31536000, (settle - time_axis[t]) / 31536000
            basis = f["spot_basis"][u]
            x = np.log(spot[u, j] / spot_reference[u])
            S = spot[u, j] * np.exp(basis)  # what the options see; a derivative to the vendor's spot carries e^b each time
            sigma = c["implied_volatility"][rows]
            if rules[k] == "relative_beta":
                sigma = sigma * (1 - parameters[k] * x)
            elif rules[k] != "sticky_strike":
                a, b, rho, m, s2 = (e[f"smile_{name}"][:][expiry] for name in ("a", "b", "rho", "m", "s"))
                smile = lambda k: np.sqrt((a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + s2 ** 2))) / tau0)
                k0 = np.log(c["strike"][rows] / e["forward"][:][expiry])
                sigma = sigma + smile(k0 + (parameters[k] - 1) * x) - smile(k0)
            scale = np.minimum(np.sqrt((30 / 365) / tau0), cap) if term == "sqrt_time" else 1.0
            sigma = np.maximum(floor, sigma + shifts[v] * scale)
            K, phi = c["strike"][rows], c["right"][rows].astype(float)
            weight = c["dealer_position"][rows, p] * c["multiplier"][rows]
            live = tau > 0
            with np.errstate(all="ignore"):
                s = sigma * np.sqrt(tau)
                d1 = (np.log(S / K) + (r - q) * tau) / s + s / 2
                d2 = d1 - s
                n = np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi)
                N = np.array([0.5 * erfc(-a / math.sqrt(2)) for a in np.nan_to_num(phi * d1)])
                dq = np.exp(-q * tau)
                values = {
                    "dx": phi * dq * N, "gx": dq * n / (S * s), "vega": S * dq * n * np.sqrt(tau), "vanna": -dq * n * d2 / sigma,
                    "charm": phi * q * dq * N - dq * n * (2 * (r - q) * tau - d2 * s) / (2 * tau * s),
                    "vomma": S * dq * n * np.sqrt(tau) * d1 * d2 / sigma,
                }
                order = {"dx": 1, "gx": 2, "vanna": 1, "charm": 1}
                values = {name: value * np.exp(basis * order.get(name, 0)) for name, value in values.items()}
            at = phi * (np.where(phi * (S - K) > 0, 1.0, np.where(S == K, 0.5, 0.0))) * np.exp(basis)
            for name, value in values.items():
                terms = weight * np.where(live, value, np.where((tau == 0) & (name == "dx"), at, 0.0))
                expected = terms.sum()
                stored = f[name][u, p, k, t, v, j]
                # float32 storage, and rounding of a sum that cancels.
                assert abs(stored - expected) <= 1e-7 * abs(expected) + 1e-11 * np.abs(terms).sum(), (name, u, p, k, t, v, j, stored, expected)


def case_same_bytes(folder):
    chains = synth(folder, tickers=12, contracts=4000)
    config = small_config(folder, "[surfaces]\ndelta_change = true\nkeep_bits = 12\n[positions]\nmodels = [\"naive\", \"unsigned\"]\n")
    reference = folder / "a.h5"
    run("run", chains, "-o", reference, "--config", config, "--threads", 1)
    other = folder / "elsewhere"
    other.mkdir()
    shutil.copy(chains, other / "chains.h5")
    for threads, env in ((1, {}), (2, {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8"}), (7, {"TZ": "UTC"})):
        run("run", "chains.h5", "-o", "b.h5", "--config", config, "--threads", threads, cwd=other, env=env)
        assert sha(other / "b.h5") == sha(reference), threads
    again = folder / "again"
    again.mkdir()
    assert sha(synth(again, tickers=12, contracts=4000)) == sha(chains)
    source = need(DATA / "cboe" / "amd_20230820_quotedata.csv")
    for k in (1, 2):
        run("ingest", source, "-o", folder / f"chains{k}.h5")
    assert sha(folder / "chains1.h5") == sha(folder / "chains2.h5")
    run("run", folder / "chains1.h5", "-o", folder / "x.h5", "--config", config)
    run("run", source, "-o", folder / "y.h5", "--config", config)


def case_bad_inputs(folder):
    chains = synth(folder)
    good = long_csv([GOOD_ROW.format(oi=10)])
    bad = {
        "empty.csv": b"", "binary.csv": bytes(range(256)) * 64, "header.csv": b"a,b,c\n1,2,3\n", "nul.csv": b"\0" * 5000,
        "truncated.csv.gz": gzip.compress(good.encode())[:-6], "garbage.csv.gz": b"\x1f\x8b" + b"x" * 100,
        "text.h5": b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "header_only.csv": long_csv([]).encode(),
        "long_line.csv": long_csv(["A" * (2 << 20)]).encode(), "deep.json": b"[" * 100000,
        "truncated.h5": chains.read_bytes()[:-2000], "truncated.json": b'{"timestamp":"2023-09-21 03:17:42","data":{"options":[{',
    }
    for name, content in bad.items():
        path = folder / name
        path.write_bytes(content)
        for command in (["run", path, "-o", folder / "n.h5"], ["ingest", path, "-o", folder / "c.h5"]):
            _, err = run(*command, code=3)
            assert name in err, (name, err)
        assert not (folder / "n.h5").exists() and not (folder / "c.h5").exists(), name
    for command in (["run", folder / "missing.csv"], ["run", folder]):
        _, err = run(*command, "-o", folder / "n.h5", code=3)
        assert "greekgrid: " in err
    for command in ("levels", "info"):
        for name in ("text.h5", "truncated.h5", "missing.h5"):
            run(command, folder / name, code=3)
    run("levels", chains, code=3)  # another schema

    config = folder / "bad.toml"
    for text in ("[scenarios]\nspots = 20\n", "[scenarios]\nspotz = 21\n", "nonsense", "[market]\nrate = \"x\"\n", "[scenarios]\niv_shifts = [0.1]\n",
                 "[market]\nrate = nan\n", "[scenarios]\nspots = 100001\nsessions = 1000\n", "[surfaces]\ngreeks = [\"lambda\"]\n", "[positions]\nmodels = [\"naive\", \"naive\"]\n",
                 "[scenarios]\niv_rules = [{rule = \"relative_beta\", beta = 5}, {rule = \"relative_beta\", beta = 10}]\n",
                 "[scenarios]\niv_rules = [\"skew_stickiness\"]\n", "[scenarios]\niv_rules = [{rule = \"skew_stickiness\", stickiness = 11}]\n",
                 "[scenarios]\niv_rules = [{rule = \"sticky_strike\", stickiness = 1}]\n"):
        config.write_text(text)
        _, err = run("run", chains, "-o", folder / "n.h5", "--config", config, code=3)
        assert "bad.toml:" in err, err


def case_wild_numbers(folder):
    """One wild number in a universe costs its row or its ticker, and nothing is silently zero."""
    rows = []
    for ticker, oi, iv, spot in (("AAA", "10", "0.25", "100"), ("BBB", "1e308", "0.25", "100"), ("CCC", "10", "1e308", "100"),
                                 ("DDD", "10", "0.25", "1e308")):
        row = GOOD_ROW.format(oi=oi).replace("AAA", ticker).replace("0.25,0.5", iv + ",0.5").replace(",100,AAA", "," + spot + ",AAA")
        rows.append(row.replace("-04:00,100,", f"-04:00,{spot},"))
    path = folder / "wild.csv"
    path.write_text(long_csv(rows))
    config = small_config(folder)
    run("run", path, "-o", folder / "n.h5", "--config", config)
    levels = list(csv.DictReader(io.StringIO(run("levels", folder / "n.h5", "--format", "csv")[0])))
    assert [row["ticker"] for row in levels] == ["AAA", "CCC"], levels  # CCC by its own mid
    assert all(math.isfinite(float(row["gamma_index"])) and float(row["gamma_index"]) > 0 for row in levels)
    config.write_text("[positions]\nmodels = [\"signed_column\"]\n")
    _, err = run("run", path, "-o", folder / "m.h5", "--config", config, code=3)
    assert "dealer_position" in err and not (folder / "m.h5").exists()


def case_rows_are_refused_with_their_number(folder):
    rows = [GOOD_ROW.format(oi=10),
            GOOD_ROW.format(oi=10),  # duplicate
            GOOD_ROW.format(oi="1e999").replace("C00100000", "C00101000").replace("C,100,", "C,101,"),
            GOOD_ROW.format(oi="nan").replace("C00100000", "C00102000").replace("C,100,", "C,102,"),
            GOOD_ROW.format(oi="-5").replace("C00100000", "C00103000").replace("C,100,", "C,103,"),
            GOOD_ROW.format(oi="7").replace("C,100,", "C,150,"),  # the symbol says 100
            "AAA,short"]
    path = folder / "rows.csv"
    path.write_text(long_csv(rows))
    out, err = run("ingest", path, "-o", folder / "chains.h5")
    report = list(csv.DictReader((folder / "chains.h5.rejects.csv").open()))
    assert "7 rows in = " in out, out
    kept = int(re.search(r"= (\d+) contracts", out).group(1))
    assert kept + len(report) == 7, (kept, report)
    assert {int(r["row"]) for r in report} >= {3, 7, 8}, report
    assert all(r["rule"] and r["field"] for r in report)
    assert "refused" in err


def case_vendor_files(folder):
    """What the command line says in place of a file: profile, session, underlying, price; open interest of a later morning."""
    profile = folder / "map.toml"
    profile.write_text('format = "mine"\nmatch = ["Sym", "Day"]\nunderlying_from = "root"\n[columns]\nsymbol = "Sym"\n'
                       'session = "Day"\nbid = "B"\nopen_interest = "OI"\n')
    table = folder / "table.csv"
    table.write_text("Day,Sym,B,OI\n2026-08-19,SPY260918C00700000,1,5\n2026-08-20,SPY260918C00700000,2,6\n"
                     "2026-08-20,SPY260918P00700000,3,7\n2026-08-20,SPY1260918P00700000,3,8\n")
    chains = folder / "chains.h5"
    _, err = run("ingest", table, "-o", chains, "--profile", profile, code=3)
    assert "2 sessions, 2026-08-19 to 2026-08-20" in err and "--session" in err, err
    out, err = run("ingest", table, "-o", chains, "--profile", profile, "--session", "2026-08-20", "--spot", "SPY=762.5")
    assert "3 rows in = 2 contracts + 1 refused" in out and "adjusted_root            1" in out, out
    assert "1 rows of other sessions not read" in out, out
    assert "2026-08-20T20:00:00Z" in out and "without a price" not in err
    _, err = run("ingest", table, "-o", chains, "--profile", profile, "--session", "2026-08-20")
    assert "without a price" in err
    for wrong in (["--session", "20-8-2026"], ["--session", "2026-02-30"], ["--spot", "SPY"], ["--spot", "SPY=-1"],
                  ["--spot", "SPY=1", "--spot", "SPY=2"], ["--profile", profile, "--format", "orats"],
                  ["--keep-open-interest"]):
        run("ingest", table, "-o", folder / "n.h5", *wrong, code=2)
    run("ingest", table, "-o", folder / "n.h5", "--profile", folder / "none.toml", code=3)
    _, err = run("ingest", table, "-o", profile, "--profile", profile, code=2)
    assert "is an input" in err
    run("run", chains, "-o", folder / "n.h5", "--spot", "SPY=1", code=2)

    interest = folder / "spy.json"
    interest.write_text('{"ticker":"SPY","closes":{},"days":{"20-8":{},"21-8":{"2026-09-18":{"700.0":{"call_oi":11,'
                        '"put_oi":12},"705.0":{"call_oi":1,"put_oi":2}}}},"updated_at":"2026-08-22T04:28:16Z"}')
    _, err = run("ingest", chains, "--open-interest", interest, "-o", folder / "later.h5", code=3)
    assert "2 sessions, 2026-08-20 to 2026-08-21" in err, err
    out, _ = run("ingest", chains, "--open-interest", interest, "-o", folder / "later.h5", "--session", "2026-08-21")
    assert "4 rows in = 2 contracts with a new value + 2 refused" in out and "not_in_chain             2" in out, out
    report = list(csv.DictReader((folder / "later.h5.rejects.csv").open()))
    assert [row["rule"] for row in report] == ["not_in_chain"] * 2, report
    info = run("info", folder / "later.h5")[0]
    assert "settled 2026-08-20, known 2026-08-21T09:30:00-04:00" in info and "open interest   23 contracts" in info, info
    assert "2026-08-20T20:00:00Z" in info and "spy.json" in info and "table.csv" in info


def case_one_wrong_stamp_does_not_cost_the_others(folder):
    symbols = ("AAA", "BBB", "CCC")
    rows = [GOOD_ROW.format(oi=10).replace("AAA", symbol) for symbol in symbols]
    rows[1] = rows[1].replace("2026-07-10T", "2026-08-10T")
    path = folder / "stamps.csv"
    path.write_text(long_csv(rows))
    _, err = run("ingest", path, "-o", folder / "chains.h5", code=3)
    assert "stamps.csv" in err and "2 of 3" in err and "2026-08-10" in err, err
    assert not (folder / "chains.h5").exists()


def case_tickers(folder):
    chains = synth(folder, tickers=5, contracts=500)
    config = small_config(folder)
    out, _ = run("info", chains)
    assert "tickers         5" in out
    _, err = run("run", chains, "-o", folder / "n.h5", "--config", config, "--tickers", "NOPE", code=3)
    assert "NOPE" in err and not (folder / "n.h5").exists()
    run("run", chains, "-o", folder / "n.h5", "--config", config, "--top", 2)
    rows = list(csv.DictReader(io.StringIO(run("levels", folder / "n.h5", "--format", "csv")[0])))
    assert len(rows) == 2
    one = rows[0]["ticker"]
    run("run", chains, "-o", folder / "m.h5", "--config", config, "--tickers", f"{one},NOPE")
    _, err = run("run", chains, "-o", folder / "m.h5", "--config", config, "--tickers", f"{one},NOPE", "--strict", code=5)
    assert "NOPE refused: not_in_chain" in err
    assert "not_in_chain" in run("info", folder / "m.h5")[0]


FINRA = "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\n"


def daily_csv(tickers, days):
    """Closes and volumes; the first ticker trades most."""
    rows = [f"{day},{ticker},{100 + n},{1000 * (len(tickers) - n)}\n" for day in days for n, ticker in enumerate(tickers)]
    return "date,symbol,close,volume\n" + "".join(rows)


def case_history(folder):
    prices, short, dix = folder / "prices.csv.gz", folder / "short.txt", folder / "dix.csv"
    prices.write_bytes(gzip.compress(daily_csv(["AAA", "BRK/B"], ["2021-01-04", "2021-01-05"]).encode(), mtime=0))
    short.write_text(FINRA + "20210104|AAA|10|1|30|Q\n20210104|BBB|40|1|30|Q\n2\n")
    dix.write_text("date,price,dix,gex\n2021-01-04,3700.65,0.45,1e9\n2021-01-03,1,0.4,1\n")
    store, report = folder / "history.h5", folder / "history.h5.rejects.csv"
    out, err = run("history", prices, short, dix, "-o", store)
    assert "3 symbols, 5 rows, 2021-01-04 to 2021-01-05" in out, out
    assert "short_above_total" in err and "not_a_session" in err, err
    rejects = list(csv.DictReader(report.open()))
    assert [(r["file"], r["row"], r["rule"]) for r in rejects] == [("short.txt", "3", "short_above_total"),
                                                                  ("dix.csv", "3", "not_a_session")], rejects
    info, _ = run("info", store)
    assert "daily history" in info and "symbols         3" in info and "prices.csv.gz" in info, info

    # The same bytes from another place, and in several calls.
    (folder / "other").mkdir()
    for file in (prices, short, dix):
        shutil.copy(file, folder / "other")
    again = folder / "other" / "h.h5"
    run("history", "prices.csv.gz", "short.txt", "dix.csv", "-o", "h.h5", cwd=folder / "other")
    assert sha(again) == sha(store)
    steps = folder / "steps.h5"
    run("history", prices, "-o", steps)
    run("history", steps, short, "-o", steps)
    run("history", steps, dix, "-o", steps)
    assert sha(steps) == sha(store)
    run("history", steps, dix, prices, "-o", steps)
    assert sha(steps) == sha(store), "what is known already changes nothing"

    # Of values that differ the earlier stays, unless told otherwise; both are reported.
    later = folder / "later.csv"
    later.write_text("date,symbol,close,volume\n2021-01-04,AAA,999,2000\n")
    for option, rule, close in (([], "contradicts_earlier", 100), (["--replace"], "replaces_earlier", 999)):
        run("history", store, later, "-o", folder / "c.h5", *option)
        rejects = list(csv.DictReader((folder / "c.h5.rejects.csv").open()))
        assert [(r["file"], r["row"], r["field"], r["rule"]) for r in rejects] == [("later.csv", "2", "close", rule)], rejects
        try:
            import h5py
        except ImportError:
            continue
        with h5py.File(folder / "c.h5") as file:
            assert file["close"][0] == close

    # A store that nothing new is said of is not written again, one that something is said of is.
    kept = store.stat()
    out, _ = run("history", store, prices, short, "-o", store)
    assert "nothing new" in out and store.stat().st_mtime_ns == kept.st_mtime_ns and store.stat().st_ino == kept.st_ino, out
    rejects = list(csv.DictReader(report.open()))
    assert [r["rule"] for r in rejects] == ["short_above_total"], rejects
    run("history", store, later, "-o", store)
    assert store.stat().st_ino == kept.st_ino
    out, _ = run("history", store, later, "-o", store, "--replace")
    assert "nothing new" not in out and store.stat().st_ino != kept.st_ino, out

    # Programs that extend a store at once wait for one another.
    days = ["2021-01-06", "2021-01-07", "2021-01-08", "2021-01-11", "2021-01-12"]
    for day in days:
        (folder / f"{day}.csv").write_text(daily_csv(["AAA", "ZZZ"], [day]))
    running = [subprocess.Popen([PROGRAM, "history", store, folder / f"{day}.csv", "-o", store, "--rejects", folder / f"{day}.rejects"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for day in days]
    for process in running:
        _, err = process.communicate()
        assert process.returncode == 0, err
    info, _ = run("info", store)
    assert "rows            15\n" in info and "symbols         4" in info, info
    # Known with FINRA's file of the first day, the evening; later days with their closes.
    table, _ = run("export", store, "--what", "root", "--variables", "date,knowledge_time")
    known = {(r["symbol"], r["date"][:10]): r["knowledge_time"] for r in csv.DictReader(table.splitlines())}
    assert known["AAA", "2021-01-04"] == "2021-01-04T23:00:00Z" and known["AAA", "2021-01-05"] == "2021-01-05T21:00:00Z", known
    assert known["SPX", "2021-01-04"] == "2021-01-04T23:00:00Z" and known["ZZZ", "2021-01-12"] == "2021-01-12T21:00:00Z", known
    assert "known           until 2021-01-12T21:00:00Z" in info, info
    assert not list(folder.glob(".*.lock"))

    # Another file of that name is replaced, with a word about it.
    _, err = run("history", prices, "-o", steps)
    assert "replaced, not extended" in err, err
    before = sha(store)
    _, err = run("history", prices, "-o", prices, code=2)
    assert "is an input" in err, err
    _, err = run("history", short, folder / "none.csv", "-o", store, code=3)
    assert "none.csv" in err and sha(store) == before
    short.write_text(FINRA + "20210104|AAA|10|1|30|Q\n7\n")
    _, err = run("history", short, "-o", store, code=3)
    assert "no usable row" in err and sha(store) == before
    run("history", dix, "-o", folder / "no" / "h.h5", code=1)
    run("history", dix, "-o", folder / "d.h5", "--format", "nonsense", code=2)
    _, err = run("run", store, "-o", folder / "n.h5", code=3)
    assert "history.h5" in err
    store.write_bytes(store.read_bytes()[:-100])
    run("info", store, code=3)


def selected(folder, chains, *args, config=""):
    """Tickers, /run as info shows it, and the reject report of a run."""
    target, report = folder / "s.h5", folder / "s.csv"
    run("run", chains, "-o", target, "--config", small_config(folder, config), "--rejects", report, *args)
    rows = csv.DictReader(io.StringIO(run("levels", target, "--format", "csv")[0]))
    rejects = list(csv.DictReader(report.open()))
    return {row["ticker"] for row in rows}, run("info", target)[0], rejects


def case_ranking(folder):
    chains = synth(folder, tickers=5, contracts=500)
    everything, _, _ = selected(folder, chains)
    assert len(everything) == 5
    by_interest, _, _ = selected(folder, chains, "--top", 1)
    names = sorted(everything - by_interest) + sorted(by_interest)  # the largest by open interest ranks last
    a, b, c, d, e = names
    (folder / "in").mkdir()
    ranking = folder / "in" / "volume.csv"
    ranking.write_text("symbol,dollars\n" + "".join(f"{name},{value}\n" for name, value in
                                                    ((d, 1), (a, 5e9), ("GONE", 9e9), (c, 3), (b, 4e9), (b, 2), ("X Y", 1))))
    for args, config in ((["--ranking", ranking], ""), ([], '[selection]\nranking = "in/volume.csv"\n')):
        taken, info, rejects = selected(folder, chains, *args, config=config)
        assert taken == {a, b, c, d}, taken
        assert [r["ticker"] for r in rejects if r["rule"] == "not_ranked"] == [e], rejects
        assert {r["rule"] for r in rejects if r["file"] == "volume.csv"} == {"duplicate_ticker", "bad_ticker"}, rejects
        assert "1 tickers of the chain not_ranked" in info and "1 ranked tickers are not in the chain" in info, info
        assert 'ranking_source = "volume.csv"' in info.replace("'", '"') and sha(ranking) in info, info
        assert str(folder) not in info.split("ranking_source")[1].split("\n")[0]
    taken, _, _ = selected(folder, chains, "--ranking", ranking, "--top", 2)
    assert taken == {a, b}, taken
    digest = sha(folder / "s.h5")
    taken, info, rejects = selected(folder, chains, "--ranking", ranking, "--top", 1, "--always", f"{e},{c}")
    assert taken == {a, c, e} and "not_ranked" not in {r["rule"] for r in rejects}, (taken, rejects)
    listed = f'[selection]\nranking = "in/volume.csv"\ntop = 1\nalways = ["{e}", "{c}"]\n'
    assert selected(folder, chains, config=listed)[0] == {a, c, e}
    assert selected(folder, chains, "--top", 1, "--always", a)[0] == by_interest | {a}

    # The bytes do not depend on where the ranking lies.
    (folder / "elsewhere").mkdir()
    shutil.copy(ranking, folder / "elsewhere")
    selected(folder, chains, "--ranking", folder / "elsewhere" / "volume.csv", "--top", 2)
    assert sha(folder / "s.h5") == digest
    # A recorded ranking is asked for and compared.
    recorded = f'[selection]\nranking_source = "volume.csv"\nranking_sha256 = "{sha(ranking)}"\ntop = 2\n'
    config = small_config(folder, recorded)
    _, err = run("run", chains, "-o", folder / "r.h5", "--config", config, code=3)
    assert "volume.csv" in err, err
    run("run", chains, "-o", folder / "r.h5", "--config", config, "--ranking", ranking)
    assert sha(folder / "r.h5") == digest
    ranking.write_text(ranking.read_text() + f"{e},1e10\n")
    _, err = run("run", chains, "-o", folder / "r.h5", "--config", config, "--ranking", ranking, code=3)
    assert "sha256" in err and sha(folder / "r.h5") == digest, err

    bad = folder / "bad.csv"
    for text, message in (("", "empty"), ("a,b\n1,2\n", "header"), ("symbol,x\nAAA,none\n", "no usable row")):
        bad.write_text(text)
        _, err = run("run", chains, "-o", folder / "r.h5", "--ranking", bad, code=3)
        assert "bad.csv" in err and message in err, err
    _, err = run("run", chains, "-o", folder / "r.h5", "--ranking", folder / "none.csv", code=3)
    assert "none.csv" in err
    bad.write_text("symbol,x\nNOPE,1\n")
    _, err = run("run", chains, "-o", folder / "r.h5", "--ranking", bad, code=3)
    assert "no ticker left (5 not_ranked)" in err, err
    _, err = run("run", chains, "-o", bad, "--ranking", bad, code=2)
    assert "is an input" in err

    # By the dollar volume of a history: sessions up to the quote date.
    quote = re.search(r"quote_time +(\d{4}-\d\d-\d\d)", run("info", chains)[0]).group(1)
    prices, store = folder / "prices.csv", folder / "history.h5"
    day = datetime.date.fromisoformat(quote)
    days = [day - datetime.timedelta(n) for n in range(45)]
    prices.write_text(daily_csv([c, a, b], [d.isoformat() for d in days if d.weekday() < 5]))
    run("history", prices, "-o", store)
    taken, info, rejects = selected(folder, chains, "--history", store, "--top", 2)
    assert taken == {c, a}, taken
    assert {r["ticker"] for r in rejects if r["rule"] == "not_ranked"} == {d, e}, rejects
    ranked = hashlib.sha256(f"{c}\n{a}\n{b}\n".encode()).hexdigest()
    assert "history.h5" in info and ranked in info, info
    # A CSV ranks before a history, and without --top a history leaves nobody out.
    taken, info, rejects = selected(folder, chains, "--history", store, "--ranking", ranking, "--top", 2)
    assert ranking.name in info and sha(ranking) in info, info
    taken, info, rejects = selected(folder, chains, "--history", store)
    assert len(taken) == 5 and not [r for r in rejects if r["rule"] == "not_ranked"], taken
    prices.write_text(daily_csv([c], [d.isoformat() for d in days[:20] if d.weekday() < 5]))
    run("history", prices, "-o", store)
    _, err = run("run", chains, "-o", folder / "r.h5", "--history", store, "--top", 2, code=3)
    assert "ranks nothing" in err, err
    run("run", chains, "-o", folder / "r.h5", "--history", store)


def case_targets(folder):
    chains = synth(folder)
    config = small_config(folder)
    _, err = run("run", chains, "-o", folder / "no" / "such" / "n.h5", "--config", config, code=1)
    assert "n.h5" in err
    (folder / "directory.h5").mkdir()
    run("run", chains, "-o", folder / "directory.h5", "--config", config, code=1)
    run("run", chains, "-o", "/dev/null", "--config", config, code=1)
    real = folder / "real.h5"
    real.write_text("old")
    (folder / "link.h5").symlink_to("real.h5")
    run("run", chains, "-o", folder / "link.h5", "--config", config)
    assert (folder / "link.h5").is_symlink() and real.stat().st_size > 1000
    # A limit on file sizes stands in for a full disk: the write fails, the old target stays.
    before = sha(real)
    limited = subprocess.run(["bash", "-c", f'trap "" XFSZ; ulimit -f 400; exec "{PROGRAM}" run "{chains}" -o "{real}"'],
                             capture_output=True, text=True)
    assert limited.returncode == 1 and "real.h5" in limited.stderr, limited
    assert sha(real) == before
    # What was done is kept; going on with it gives the bytes of a run that nothing disturbed.
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == [".real.h5.resume"], list(folder.iterdir())
    run("run", chains, "-o", folder / "golden.h5")
    run("run", chains, "-o", real, "--resume")
    assert sha(real) == sha(folder / "golden.h5")
    assert not [p for p in folder.iterdir() if p.name.startswith(".")], list(folder.iterdir())


def left_overs(folder):
    return [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]


def case_signals(folder):
    chains = synth(folder, tickers=40, contracts=60000)
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        for delay in (0.05, 0.4, 0.9):
            process = subprocess.Popen([PROGRAM, "run", chains, "-o", folder / "n.h5"], stderr=subprocess.PIPE, text=True)
            time.sleep(delay)
            start = time.time()
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
            if process.returncode == 0:
                continue  # it had finished
            # Where the loader takes longer than the first delay, the signal meets a program that has no handler yet.
            before_main = delay == 0.05 and process.returncode == -number
            assert process.returncode == code or before_main, (process.returncode, err)
            assert time.time() - start < 10
            assert not (folder / "n.h5").exists() and not left_overs(folder)
        (folder / "n.h5").unlink(missing_ok=True)
    process = subprocess.Popen([PROGRAM, "run", chains, "-o", folder / "r.h5", "--backend", "reference"], stderr=subprocess.PIPE, text=True)
    time.sleep(1.0)
    start = time.time()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143 and time.time() - start < 10
    assert not (folder / "r.h5").exists() and not left_overs(folder)


def case_kill_minus_nine(folder):
    chains = synth(folder, tickers=30, contracts=20000)
    target = folder / "n.h5"
    start = time.time()
    run("run", chains, "-o", target)
    whole = time.time() - start
    complete = sha(target)
    old = b"the old result"
    generator = random.Random(1)
    killed = 0
    for attempt in range(25):
        target.write_bytes(old)
        process = subprocess.Popen([PROGRAM, "run", chains, "-o", target], stderr=subprocess.DEVNULL)
        time.sleep(generator.uniform(0.0, whole * 1.1))
        process.kill()
        killed += process.wait() == -9
        content = target.read_bytes()
        assert content == old or hashlib.sha256(content).hexdigest() == complete, attempt
    assert killed > 5
    run("run", chains, "-o", target)
    assert sha(target) == complete and not left_overs(folder)


def case_progress(folder):
    chains = synth(folder, tickers=10, contracts=3000)
    master, slave = pty.openpty()
    process = subprocess.Popen([PROGRAM, "run", chains, "-o", folder / "n.h5"], stderr=slave, stdout=subprocess.PIPE)
    os.close(slave)
    text = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    assert process.wait() == 0
    assert b"\r[" in text and b"tickers" in text and b"evaluations/s" in text, text
    _, err = run("run", chains, "-o", folder / "n.h5")
    assert "\r" not in err and "\x1b" not in err and "tickers=10/10" in err


def case_backends_agree(folder):
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    chains = synth(folder, tickers=3, contracts=600)
    config = small_config(folder, '[surfaces]\ngreeks = ["all"]\n')
    for backend in ("cpu", "reference"):
        run("run", chains, "-o", folder / f"{backend}.h5", "--config", config, "--backend", backend)
    with h5py.File(folder / "cpu.h5") as a, h5py.File(folder / "reference.h5") as b:
        for name in ("dx", "gx", "charm", "vanna", "speed", "zomma", "color", "vega", "vomma", "ultima", "theta", "veta"):
            for u in range(3):
                x, y = a[name][u].astype(float), b[name][u].astype(float)
                assert numpy.abs(x - y).max() <= 5e-6 * numpy.abs(y).max(), (name, u)
        assert a["run"].attrs["backend"] in ("cpu", b"cpu")


def case_plot_example(folder):
    need_modules("matplotlib", "xarray", "h5netcdf")
    chains = synth(folder, tickers=2, contracts=400)
    run("run", chains, "-o", folder / "n.h5", "--config", small_config(folder))
    ticker = json.loads(run("levels", folder / "n.h5", "--format", "json")[0])[0]["ticker"]
    subprocess.run([sys.executable, ROOT / "examples" / "plot_surface.py", folder / "n.h5", ticker, folder / "s.png"], check=True)
    assert (folder / "s.png").read_bytes().startswith(b"\x89PNG")


def case_folklore(folder):
    source = need(DATA / "cboe" / "spx_20240107_quotedata.csv")
    out, _ = run("folklore", source)
    assert "-11.00" in out and "4734.48" in out and "Why they differ" in out


def case_brute_force_levels(folder):
    """Every level, crossing, ladder and profile of real chains against plain numpy."""
    need_modules("numpy", "h5py")
    config = small_config(folder, '[positions]\nmodels = ["naive", "unsigned"]\n')
    for name in ("spx_20230914", "spy_20230914", "ndx_20221212", "amd_20230820"):
        source = need(DATA / "cboe" / f"{name}_quotedata.csv")
        run("run", source, "-o", folder / "n.h5", "--config", config)
        done = subprocess.run([sys.executable, ROOT / "tests" / "program" / "brute_force_levels.py", folder / "n.h5"],
                              capture_output=True, text=True)
        assert done.returncode == 0, f"{name}\n{done.stdout}\n{done.stderr}"
def iso(seconds):
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def spelled(variable):
    """The values of an h5py variable as export spells them, in C order; numbers as numbers, missing ones as None."""
    import numpy
    values = variable[:].ravel()
    if values.dtype.kind == "O":
        return [value.decode() for value in values]
    if "flag_values" in variable.attrs:
        words = variable.attrs["flag_meanings"]
        words = (words.decode() if isinstance(words, bytes) else words).split()
        return [words[value] for value in values]
    units = variable.attrs.get("units", "")
    if (units.decode() if isinstance(units, bytes) else units).startswith("seconds since"):
        return [iso(value) for value in values]
    return [None if isinstance(value, numpy.floating) and numpy.isnan(value) else value for value in values]


def same(text, value):
    """Whether a CSV field is exactly a value."""
    if value is None or isinstance(value, str):
        return text == (value or "")
    return type(value)(text) == value and len(text) <= 24


def exported(*args, code=0):
    out, err = run("export", *args, code=code)
    return list(csv.DictReader(io.StringIO(out))), err


def night_of_two_positions(folder):
    chains = synth(folder, tickers=3, contracts=900)
    night = folder / "night.h5"
    run("run", chains, "-o", night, "--config", small_config(folder, '[positions]\nmodels = ["naive", "unsigned"]\n'))
    return chains, night


def add_groups(night):
    """Groups that this version of the program does not write: another slice of surfaces, and a nested one."""
    import h5py
    import numpy
    with h5py.File(night, "r+") as f:
        tickers = f["ticker"][:]
        def group(name, scales, variables):
            if name in f:
                del f[name]
            made = f.create_group(name)
            for key, (values, units) in scales.items():
                made.create_dataset(key, data=values).make_scale(key)
                made[key].attrs["long_name"] = key
                if units:
                    made[key].attrs["units"] = units
            for key, (dims, values, units) in variables.items():
                made.create_dataset(key, data=values)
                for axis, dim in enumerate(dims):
                    made[key].dims[axis].attach_scale(made[dim])
                made[key].attrs["long_name"], made[key].attrs["units"] = key, units
        shape = (len(tickers), 2, 3, 4, 5)
        cells = (numpy.arange(numpy.prod(shape)).reshape(shape) - 152).astype("<f4")
        spot = numpy.array([[50.0 + 10 * u + j for j in range(5)] for u in range(len(tickers))])
        seconds = "seconds since 1970-01-01 00:00:00"
        group("intraday", {"ticker": (tickers, ""), "position": (f["position"][:], ""),
                           "expiries": (numpy.array([b"all", b"next", b"week"], dtype=h5py.string_dtype()), ""),
                           "time": (f["time"][0] + 300 * numpy.arange(4), seconds), "spot_step": (numpy.arange(-2.0, 3.0), "1")},
              {"spot": (("ticker", "spot_step"), spot, "USD"),
               "gx": (("ticker", "position", "expiries", "time", "spot_step"), cells, "shares USD-1")})
        group("profile/strike", {"row": (numpy.arange(3), "1")}, {"strike": (("row",), numpy.array([1.5, 2.5, numpy.nan]), "USD")})
        return cells, spot


def priced_chain(path, day, spot, skew):
    """Three expirations of AAA quoted around Black-Scholes prices of a smile 0.2 + skew ln(K / 100), at a day's close."""
    import math
    def cdf(x):
        return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))
    rows = []
    for expiry in ("2026-07-31", "2026-08-21", "2026-09-18"):
        tau = (datetime.date.fromisoformat(expiry) - datetime.date.fromisoformat(day)).days / 365.0
        for strike in range(80, 121, 2):
            sigma = 0.2 + skew * math.log(strike / 100.0)
            d1 = math.log(spot / strike) / (sigma * math.sqrt(tau)) + 0.5 * sigma * math.sqrt(tau)
            for right, sign in (("C", 1), ("P", -1)):
                value = sign * (spot * cdf(sign * d1) - strike * cdf(sign * (d1 - sigma * math.sqrt(tau))))
                symbol = f"AAA{expiry[2:4]}{expiry[5:7]}{expiry[8:]}{right}{strike * 1000:08d}"
                interest = (900 if right == "C" else 700) + 10 * strike if strike % 10 == 0 else 100
                rows.append(f"AAA,{day}T16:00:00-04:00,{spot},{symbol},{expiry},{right},{strike},{max(value - 0.01, 0.0):.6f},"
                            f"{value + 0.01:.6f},,5,{interest},{sigma:.6f},,,,")
    path.write_text(long_csv(rows))
    return path


def case_levels(folder):
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    _, night = night_of_two_positions(folder)
    with h5py.File(night) as f:
        tickers = [t.decode() for t in f["ticker"][:]]
        group = {name: f["levels"][name][:] for name in f["levels"]}
    rows = json.loads(run("levels", night, "--format", "json")[0])
    assert [(row["ticker"], row["position"]) for row in rows] == [(t, p) for t in tickers for p in ("naive", "unsigned")]
    with_status = 0
    for r, row in enumerate(rows):
        for name, values in group.items():
            if name.endswith("_status"):
                with_status += 1
            elif values.dtype.kind == "f":
                assert row[name] == values[r] or (row[name] is None and numpy.isnan(values[r])), (name, row[name], values[r])
    assert with_status > 10 * len(rows)
    as_csv = list(csv.DictReader(io.StringIO(run("levels", night, "--format", "csv")[0])))
    assert all(same(a["gamma_index"], b["gamma_index"]) and a["zero_gamma_status"] == b["zero_gamma_status"]
               for a, b in zip(as_csv, rows)) and len(as_csv) == len(rows)

    def chosen(*args):
        return json.loads(run("levels", night, "--format", "json", *args)[0])
    naive = chosen("--position", "naive")
    assert len(naive) == 3
    ordered = [row["call_wall"] for row in chosen("--position", "naive", "--sort", "call_wall")]
    assert ordered == sorted(ordered, reverse=True)
    assert [row["call_wall"] for row in chosen("--position", "naive", "--sort", "call_wall:asc")] == ordered[::-1]
    magnitudes = [abs(row["gamma_index"]) for row in chosen("--sort", "gamma_index")]
    assert magnitudes == sorted(magnitudes, reverse=True)
    middle = sorted(row["call_wall"] for row in naive)[1]
    assert len(chosen("--position", "naive", "--where", f"call_wall>{middle}")) == 1
    assert len(chosen("--position", "naive", "--where", f"call_wall>={middle}")) == 2
    assert len(chosen("--position", "naive", "--where", f"call_wall!={middle},call_wall<{middle}")) == 1
    # Gross gamma never changes sign, and no earlier session was given.
    assert len(chosen("--where", "zero_gamma=null", "--position", "unsigned")) == 3
    assert chosen("--where", "zero_gamma<1e9", "--position", "unsigned") == []
    assert {row["zero_gamma_status"] for row in rows if row["position"] == "unsigned"} == {"no_sign_change"}
    assert {row["call_wall_change_status"] for row in rows} == {"no_previous"}
    # Every table with a ticker can be had of one ticker, and says whose its rows are.
    for what in ("profile/strike", "profile/expiry", "profile/bucket", "attribution/strike", "attribution/expiry", "ladder", "crossing",
                 "line", "intraday", "contract", "expiry"):
        args = ("--variables", "gx") if what == "intraday" else ()
        table = list(csv.DictReader(io.StringIO(run("export", night, "--what", what, "--tickers", tickers[1], *args)[0])))
        assert table and {row["ticker"] for row in table} == {tickers[1]}, what
    assert len(chosen("--limit", 2)) == 2
    table, _ = run("levels", night, "--columns", "max_pain,flip", "--limit", 1)
    assert table.split()[:4] == ["ticker", "position", "max_pain", "flip"] or "max_pain" in table.splitlines()[0], table
    card, _ = run("levels", night, "--tickers", tickers[0], "--position", "naive")
    for part in ("gamma index", "zero gamma", "call wall", "max pain", "speed pivots", "vomma zone", "Ranges", "Moves", "Hedging",
                 "By settlement", "What settles", "Path of least resistance", "closes ahead"):
        assert part in card, part
    for args, code, message in ((("--columns", "call_wal"), 2, "call_wall"), (("--where", "call_wall"), 2, "no condition"),
                                (("--where", "call_wall<x"), 2, "call_wall<x"), (("--sort", "spam"), 2, "no level spam"), (("--sort", "flip:up"), 2, "no such order"),
                                (("--tickers", ""), 2, "empty"),
                                (("--tickers", "NOPE"), 3, "no ticker NOPE"), (("--position", "NOPE"), 3, "no position model NOPE")):
        out, err = run("levels", night, *args, code=code)
        assert out == "" and message in err, err


def case_attribute(folder):
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    _, night = night_of_two_positions(folder)
    terms = ("total", "gamma", "vanna", "charm", "spot_iv", "spot_time", "iv_time", "residual")
    with h5py.File(night) as f:
        ticker, moves = f["ticker"][1].decode(), [m.decode() for m in f["attribution/strike/move"][:]]
        begin, count = f["attribution/strike/strike_begin"][1], f["attribution/strike/strike_count"][1]
        strike = f["attribution/strike/strike"][begin:begin + count]
        stored = {term: f["attribution/strike"][term][begin:begin + count] for term in terms}
        step = {name: f["attribution/strike"][name][:] for name in ("expected_moves", "iv_shift", "time")}
        spot, surface = f["spot"][1], f["dx"][1, 0, 0]
    assert moves == ["down", "up"]
    for w, position in enumerate(("naive", "unsigned")):
        for a, move in enumerate(moves):
            spelled_move = ("--expected-moves", step["expected_moves"][a], "--iv-shift", step["iv_shift"][a], "--time", iso(step["time"][a]))
            out, _ = run("attribute", night, "--ticker", ticker, "--position", position, "--move", move, "--format", "csv")
            again, _ = run("attribute", night, "--ticker", ticker, "--position", position, *spelled_move, "--format", "csv")
            assert out == again
            rows = {float(row["strike"]): row for row in csv.DictReader(io.StringIO(out))}
            assert sorted(rows) == list(strike)
            for k, at in enumerate(strike):
                for term in terms:
                    assert abs(float(rows[at][term]) - stored[term][k, w, a]) <= 1e-9 * (1.0 + abs(stored["total"][:, w, a]).max())
    # By expiry it sums to the same, and a move to a stored cell is the change between cells (stored as float32).
    by = [json.loads(run("attribute", night, "--ticker", ticker, "--spot", repr(float(spot[-1])), "--sessions", 2, "--by", kind,
                         "--format", "json")[0]) for kind in ("expiry", "strike")]
    sums = [{term: sum(row[term] for row in rows) for term in terms} for rows in by]
    size = sum(abs(row["total"]) for row in by[1])
    assert all(abs(sums[0][term] - sums[1][term]) <= 1e-11 * size for term in terms), sums
    assert abs(sum(sums[0][term] for term in terms[1:]) - sums[0]["total"]) <= 1e-10 * size
    middle = len(spot) // 2
    change = float(surface[2, 1, -1]) - float(surface[0, 1, middle])
    assert abs(sums[0]["total"] - change) <= 1e-5 * numpy.abs(surface).max(), (sums[0]["total"], change)
    assert [row["total"] for row in by[0]] == sorted((row["total"] for row in by[0]), key=abs, reverse=True)
    page, _ = run("attribute", night, "--ticker", ticker, "--spot", "-2%", "--limit", 3)
    assert "(-2.00 %)" in page and "By expiry, the largest 3" in page and "residual" in page and "dealers" in page
    for args, code, message in ((("--ticker", ticker), 2, "which move"), (("--move", "up"), 2, "which of the 3 tickers"),
                                (("--ticker", ticker, "--move", "spam"), 2, "choose down, up"),
                                (("--ticker", ticker, "--move", "up", "--iv-shift", "0.1"), 2, "--move alone"),
                                (("--ticker", ticker, "--spot", "spam"), 2, "neither a price"),
                                (("--ticker", ticker, "--spot", "0"), 2, "--spot 0"), (("--ticker", ticker, "--spot", "nan"), 2, "nan"),
                                (("--ticker", ticker, "--time", "2020-01-01T00:00:00Z"), 2, "before the quotes"),
                                (("--ticker", ticker, "--spot", "5", "--expected-moves", "1"), 2, "excludes"),
                                (("--ticker", "NOPE", "--move", "up"), 3, "no ticker NOPE"),
                                (("--ticker", ticker, "--position", "NOPE", "--move", "up"), 3, "no position model NOPE")):
        out, err = run("attribute", night, *args, code=code)
        assert out == "" and message in err, (args, err)


def case_previous(folder):
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    config = small_config(folder)
    first, second, other = folder / "1.h5", folder / "2.h5", folder / "3.h5"
    run("run", priced_chain(folder / "a.csv", "2026-07-09", 99.0, -0.10), "-o", first, "--config", config)
    today = priced_chain(folder / "b.csv", "2026-07-10", 101.0, -0.25)
    run("run", today, "-o", second, "--config", config, "--previous", first)
    one, two = (json.loads(run("levels", night, "--format", "json")[0])[0] for night in (first, second))
    changed = [name for name in two if name.endswith("_change")]
    assert len(changed) == 8, changed
    for name in changed:
        level = name[:-len("_change")]
        if two[level] is None or one[level] is None:
            why = "no_previous" if two[level] is not None else two[level + "_status"]
            assert two[name] is None and two[name + "_status"] == why, name
        else:
            assert two[name] == two[level] - one[level] and two[name + "_status"] == "ok", name
    assert two["gamma_index_change"] != 0.0 and one["gamma_index_change"] is None
    with h5py.File(first) as f, h5py.File(second) as g:
        assert g["run"].attrs["previous_name"] == b"1.h5" or g["run"].attrs["previous_name"] == "1.h5"
        low, high = f["expiry/range_50_low"][:], f["expiry/range_50_high"][:]
        got = g["expiry/skew_25d_change"][:]
        assert numpy.isnan(f["expiry/skew_25d_change"][:]).all()
        # Volatility is 0.2 + slope ln(K / 100), so the change between fixed strikes is known up to the fit of the smile.
        expected = (-0.25 + 0.10) * numpy.log(high / low)
        assert numpy.abs(got - expected).max() < 2e-3 and numpy.abs(expected).min() > 5e-3, (got, expected)
        # The same smile seen from another spot: fixed strikes show no change, deltas do.
    run("run", priced_chain(folder / "c.csv", "2026-07-10", 103.0, -0.10), "-o", other, "--config", config, "--previous", first)
    with h5py.File(first) as f, h5py.File(other) as g:
        assert numpy.abs(g["expiry/skew_25d_change"][:]).max() < 1e-3
    out, err = run("run", today, "-o", folder / "x.h5", "--config", config, "--previous", second, code=3)
    assert "no earlier session" in err and not (folder / "x.h5").exists()
    run("run", today, "-o", folder / "x.h5", "--config", config, "--previous", today, code=3)
    run("run", today, "-o", first, "--config", config, "--previous", first, code=2)


def case_average_volume(folder):
    """Hedges as a share of the daily volume of a history."""
    need_modules("numpy", "h5py")
    import h5py
    chain = priced_chain(folder / "a.csv", "2026-07-10", 100.0, -0.10)
    days = [d for d in (datetime.date(2026, 5, 1) + datetime.timedelta(n) for n in range(90)) if d.weekday() < 5 and
            d.isoformat() not in ("2026-05-25", "2026-06-19", "2026-07-03")]
    (folder / "p.csv").write_text("date,symbol,close,volume\n" + "".join(f"{d},AAA,100,{1000 * n}\n" for n, d in enumerate(days)))
    run("history", folder / "p.csv", "-o", folder / "history.h5")
    night = folder / "night.h5"
    run("run", chain, "-o", night, "--config", small_config(folder), "--history", folder / "history.h5")
    past = [1000 * n for n, d in enumerate(days) if d <= datetime.date(2026, 7, 10)][-21:]
    mean = sum(past) / 21
    row = json.loads(run("levels", night, "--format", "json")[0])[0]
    with h5py.File(night) as f:
        assert f["average_daily_volume"][0] == mean
        assert f["intraday/path_half_band"][0, 0] == 0.01 * mean
    assert abs(row["hedge_up_volume_share"] * mean - row["hedge_up"]) < 1e-9 * abs(row["hedge_up"])
    assert "% of average daily volume" in run("levels", night, "--tickers", "AAA")[0]
    run("run", chain, "-o", night, "--config", small_config(folder))
    row = json.loads(run("levels", night, "--format", "json")[0])[0]
    assert row["hedge_up_volume_share"] is None and row["hedge_up_volume_share_status"] == "no_average_volume"


def random_walk(path, symbol, days, seed, jump=None, last=None):
    """A daily CSV of closes and volumes; `jump` (index, factor) divides every later close and multiplies every later volume.
    It begins near 100, or ends at `last`."""
    import random
    rng, close, walk, rows = random.Random(seed), 100.0, [], ["date,symbol,close,volume"]
    for day in days:
        close *= math.exp(rng.gauss(0.0, 0.01))
        walk.append((day, close, rng.randint(900, 1100)))
    scale = last / close if last else 1.0
    for n, (day, close, volume) in enumerate(walk):
        factor = jump[1] if jump and n >= jump[0] else 1.0
        rows.append(f"{day},{symbol},{scale * close / factor:.6f},{volume * factor:.0f}")
    path.write_text("\n".join(rows) + "\n")
    return path


def weekdays(first, count):
    day = datetime.date.fromisoformat(first)
    while count > 0:
        if day.weekday() < 5:
            yield day
            count -= 1
        day += datetime.timedelta(1)


def case_forecast(folder):
    days = list(weekdays("2019-01-01", 900))
    store = folder / "history.h5"

    def history(*files):
        run("history", *files, "-o", store)
        dates = run("export", store, "--variables", "close", "--what", "root")[0]
        return len(dates.splitlines()) - 1

    def forecasts(*args):
        return json.loads(run("forecast", store, "--format", "json", *args)[0])

    plain = random_walk(folder / "a.csv", "AAA", days, 1)
    sessions = history(plain)
    assert sessions > 850
    whole = forecasts()[0]
    assert whole["status"] == "ok" and whole["predictors"] == "PV" and whole["d"] is None and len(whole["neighbours_5"]) == 42
    assert abs(sum(n["weight"] for n in whole["neighbours_5"]) - 1.0) < 1e-12
    mean = sum(n["weight"] * n["outcome"] for n in whole["neighbours_5"])
    assert abs(mean - whole["mean_5"]) < 1e-12 and whole["quantile_05_5"] < whole["quantile_50_5"] < whole["quantile_95_5"]
    assert whole["forecasts_5"] > 300 and whole["skill_5"] < 0.05
    # As of an earlier session: what a history that ends there says, to the last bit. Nothing later is looked at.
    asked = "2022-01-14"
    earlier = forecasts("--date", asked)[0]
    cut = folder / "cut.csv"
    cut.write_text("".join(line for line in plain.read_text().splitlines(keepends=True) if line[:10] <= asked or line[0] == "d"))
    history(cut)
    assert forecasts()[0] == earlier and earlier["session"] <= asked and earlier != whole
    # A split changes no return, so no forecast; one that is refused by a correction does.
    history(random_walk(folder / "split.csv", "AAA", days, 1, jump=(700, 4.0)))
    split = forecasts()[0]
    for name in ("p", "v", "z_p", "z_v", "mean_5", "median_21", "skill_5"):
        assert abs(split[name] - whole[name]) < 1e-4, (name, split[name], whole[name])
    assert "split 4 : 1" in run("forecast", store, "--symbols", "AAA")[0]
    no_split = folder / "splits.csv"
    no_split.write_text(f"symbol,date,factor\nAAA,{days[700]},1\n")
    refused = forecasts("--corrections", no_split)[0]
    assert abs(refused["mean_5"] - whole["mean_5"]) > 1e-4 or abs(refused["skill_5"] - whole["skill_5"]) > 1e-4
    # Several symbols: the table, the ranking, threads, a short history.
    short = random_walk(folder / "b.csv", "BBB", days[:60], 2)
    more = [random_walk(folder / f"{n}.csv", f"C{n}", days, 10 + n) for n in range(5)]
    history(plain, short, *more)
    rows = forecasts("--no-record")
    assert [row["symbol"] for row in rows] == ["AAA", "BBB", "C0", "C1", "C2", "C3", "C4"]
    assert rows[1]["status"] == "insufficient_history" and rows[1]["mean_5"] is None and rows[0]["skill_5"] is None
    assert rows[0]["mean_5"] == whole["mean_5"]
    assert run("forecast", store, "--format", "json", "--threads", 1)[0] == run("forecast", store, "--format", "json", "--threads", 2)[0]
    ranked = [row["median_5"] for row in forecasts("--ranking")]
    up, down = [m for m in ranked if m > 0], [m for m in ranked if m < 0]
    assert ranked == up + down and up == sorted(up, reverse=True) and down == sorted(down) and len(ranked) == 6
    by_mean = [row["mean_5"] for row in forecasts("--sort", "mean_5:asc") if row["mean_5"] is not None]
    assert by_mean == sorted(by_mean) and len(by_mean) == 6
    table, _ = run("forecast", store)
    assert "insufficient" not in table and table.count("\n") >= 8 and "BBB" in table
    as_csv = list(csv.DictReader(io.StringIO(run("forecast", store, "--format", "csv")[0])))
    assert float(as_csv[0]["mean_5"]) == whole["mean_5"] and as_csv[1]["mean_5"] == ""
    card, _ = run("forecast", store, "--symbols", "AAA")
    assert "record over" in card and "42 sessions" in card and "always up" in card
    # Hypothetical closes: another one in place of the last changes nothing where it is the same.
    for mode in ("append", "replace"):
        steps = json.loads(run("forecast", store, "--symbols", "AAA", "--step-forward", mode, "--format", "json")[0])
        at = [row["next_close_mad"] for row in steps]
        assert at[0] <= -10.0 and at[-1] >= 5.0 and all(abs(b - a - 0.05) < 1e-12 for a, b in zip(at, at[1:]))
        zero = steps[at.index(0.0)]
        assert zero["next_close"] == whole["close"] and zero["status"] == "ok"
        if mode == "replace":
            for name in ("p", "v", "z_p", "z_v", "mean_5", "median_5", "quantile_95_21", "mean_21"):
                assert abs(zero[name] - whole[name]) <= 1e-12, (name, zero[name], whole[name])
        else:
            assert zero["p"] != whole["p"]
    table = list(csv.DictReader(io.StringIO(run("forecast", store, "--symbols", "AAA,BBB", "--step-forward", "append", "--format", "csv")[0])))
    assert {row["symbol"] for row in table} == {"AAA", "BBB"} and {row["mean_5"] for row in table if row["symbol"] == "BBB"} == {""}
    page, _ = run("forecast", store, "--symbols", "AAA", "--step-forward", "append")
    assert "best close for 5 sessions" in page and "+5.0" in page and "G is that of the session" in page
    bad = folder / "bad.csv"
    bad.write_text("symbol,date,factor\nAAA,2019-01-04,zero\n")
    for args, code, message in ((("--symbols", "NOPE"), 3, "no symbol NOPE"), (("--date", "2022"), 2, "--date 2022"),
                                (("--corrections", bad), 3, "bad.csv:2"), (("--iv30", "VIX"), 3, "no symbol VIX"),
                                (("--sort", "spam"), 2, "no such column")):
        out, err = run("forecast", store, *args, code=code)
        assert out == "" and message in err, (args, err)


def case_forecast_of_the_index(folder):
    """The record on the S&P 500: no skill is the honest answer, and what a leak would lift above zero."""
    dix = need(DATA / "history" / "DIX_to_20241231.csv")
    run("history", dix, "-o", folder / "h.h5")
    row = json.loads(run("forecast", folder / "h.h5", "--gex", "--format", "json")[0])[0]
    assert row["predictors"] == "PVGD" and row["session"] == "2024-12-31" and row["forecasts_5"] > 3000
    # Forgetting the embargo gives +0.02 and +0.10.
    assert -0.08 < row["skill_5"] < -0.04 and -0.13 < row["skill_21"] < -0.08, (row["skill_5"], row["skill_21"])
    assert abs(sum(row["pit_5"]) - 1.0) < 1e-12 and row["pit_5"][0] > 0.1 < row["pit_5"][9]


def case_hypothetical_closes(folder):
    """Predictors, forecasts, records, maps and every hypothetical close of real chains against plain numpy."""
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    dix = need(DATA / "history" / "DIX_to_20241231.csv")
    sources = [need(DATA / "cboe" / f"{name}_20230914_quotedata.csv") for name in ("spx", "spy")]
    config = folder / "c.toml"
    config.write_text('[forecast]\nstep_forward = ["append", "replace"]\n[positions]\nmodels = ["naive", "all_short"]\n')
    chains, store, night = folder / "c.h5", folder / "h.h5", folder / "n.h5"
    run("ingest", *sources, "-o", chains)
    run("history", dix, "-o", store)
    before = folder / "before.h5"
    before.write_bytes(store.read_bytes())
    run("run", chains, "--history", store, "--config", config, "-o", night)
    done = subprocess.run([sys.executable, ROOT / "tests" / "program" / "brute_force_steps.py", night, before, chains],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "1 tickers" in done.stdout, f"{done.stdout}\n{done.stderr}"
    with h5py.File(night) as f:
        assert list(f["ticker"].asstr()) == ["SPX", "SPY"]
        # SPY has no history: one session, G of its book, no forecast, no close.
        p = f["predictors"]
        assert list(p["status"]) == [0, 2] and list(p["sessions"]) == [3114, 1]
        assert 0.0 < p["g"][1] < 1.0 and numpy.isnan(p["p"][1]) and p["close"][1] == f["spot_reference"][1]
        s = f["step_forward"]
        assert set(s["close_status"][1]) <= {0, 3} and numpy.isnan(s["dx"][1]).all() and numpy.isnan(s["mean"][1]).all()
        zero = list(s["next_close"]).index(0.0)
        # Replaced by itself the session is itself.
        for letter in "pvgd":
            assert abs(s[letter][0, 1, zero] - p[letter][0]) < 1e-12, letter
        for h in (0, 1):
            for name in ("mean", "median", "volatility", "n_eff", "quantile_05"):
                assert abs(s[name][0, 1, h, zero] - f["forecast"][name][0, h]) < 1e-12, name
        # and the book is the night's.
        middle, flat = f["spot_step"].size // 2, list(f["iv_shift"]).index(0.0)
        for name in ("dx", "gx", "charm", "vanna"):
            want = f[name][0, 0, 0, 0, flat, middle]
            largest = numpy.nanmax(abs(s[name][0, 1, 0, 0, flat]))
            assert abs(s[name][0, 1, 0, 0, flat, zero] - want) < 1e-5 * largest, (name, want)
        levels = json.loads(run("levels", night, "--format", "json")[0])[0]
        for name in ("call_wall", "put_wall"):
            assert s[name][0, 1, 0, 0, flat, zero] == levels[name], name
        assert abs(s["gamma_index"][0, 1, 0, 0, flat, zero] - levels["gamma_index"]) < 1e-5 * abs(levels["gamma_index"])
        assert abs(s["flip"][0, 1, 0, 0, flat, zero] / levels["zero_gamma"] - 1.0) < 1e-5
        # The quarterly expiration of the 15th rolls off before the next close: G moves at an unchanged close.
        assert abs(s["g"][0, 0, zero] - s["g"][0, 1, zero]) > 0.005
        assert abs(s["gx"][0, 0, 0, 0, flat, zero]) < abs(s["gx"][0, 1, 0, 0, flat, zero]) * 1.5


def case_night_into_the_history(folder):
    """A run's own session joins the history it read: once, only whole sessions, and only explicitly anew."""
    need_modules("h5py")
    import h5py
    import math
    day = "2026-07-10"
    chains, store = folder / "chains.h5", folder / "history.h5"
    run("ingest", priced_chain(folder / "a.csv", day, 101.0, -0.1), "-o", chains)
    (folder / "p.csv").write_text("date,symbol,close,volume\n2026-07-08,AAA,99,5\n2026-07-09,AAA,100,5\n2026-07-09,ZZZ,7,5\n")
    run("history", folder / "p.csv", "-o", store)
    earlier = store.read_bytes()

    def rows():
        with h5py.File(store) as h:
            names = list(h["symbol"].asstr())
            begin, count = int(h["row_begin"][names.index("AAA")]), int(h["row_count"][names.index("AAA")])
            return [{name: h[name][i] for name in ("close", "spot", "g", "g_old", "gamma_index", "iv30", "knowledge_time")}
                    for i in range(begin, begin + count)]

    night, again = folder / "n.h5", folder / "again.h5"
    run("run", chains, "--history", store, "--no-append", "-o", night, "--config", small_config(folder))
    assert store.read_bytes() == earlier
    _, log = run("run", chains, "--history", store, "-o", night, "--config", small_config(folder))
    assert "extended by the session of 2026-07-10" in log, log
    got = rows()
    assert len(got) == 3 and got[2]["spot"] == 101.0 and math.isnan(got[2]["close"]) and math.isnan(got[1]["g"]), got
    with h5py.File(night) as f:
        p = f["predictors"]
        assert f["predictors"].attrs["session"] == day
        for name in ("g", "g_old", "iv30"):
            assert got[2][name] == p[name][0] or (math.isnan(got[2][name]) and math.isnan(p[name][0])), name
        assert got[2]["gamma_index"] == f["levels/gamma_index"][0]
        assert got[2]["knowledge_time"] == f["time"][0]
    # The same chain with the extended history gives the same bytes and changes nothing.
    extended = store.read_bytes()
    _, log = run("run", chains, "--history", store, "-o", again, "--config", small_config(folder))
    assert "has the session already" in log and sha(again) == sha(night) and store.read_bytes() == extended, log
    # Other values: kept out, then taken when asked for.
    run("ingest", priced_chain(folder / "b.csv", day, 103.0, -0.2), "-o", chains)
    _, log = run("run", chains, "--history", store, "-o", night, "--config", small_config(folder))
    assert "differ from those it had and were left out" in log and str(rows()) == str(got), log
    _, log = run("run", chains, "--history", store, "--replace", "-o", night, "--config", small_config(folder))
    assert "and replaced them" in log and rows()[2]["spot"] == 103.0 and rows()[2]["g"] != got[2]["g"], log
    # The official close comes in beside the spot and is what counts.
    (folder / "q.csv").write_text("date,symbol,close,volume\n2026-07-10,AAA,102.5,5\n")
    out, _ = run("history", store, folder / "q.csv", "-o", store)
    assert "0 refused or contradicted" in out and rows()[2]["close"] == 102.5, out
    run("run", chains, "--history", store, "-o", night, "--config", small_config(folder), "--no-append")
    with h5py.File(night) as f:
        assert f["predictors/close"][0] == 102.5
    # Quotes of a session that is not over are forecast from, at their own price, and not appended.
    kept = store.read_bytes()
    run("ingest", priced_chain(folder / "b.csv", day, 103.0, -0.2), "-o", chains, "--quote-time", "2026-07-10T15:00:00Z")
    _, log = run("run", chains, "--history", store, "-o", night, "--config", small_config(folder))
    assert "not extended" in log and store.read_bytes() == kept, log
    with h5py.File(night) as f:
        assert f["predictors/close"][0] == 103.0 and f["predictors"].attrs["session"] == day
    _, log = run("history", store, night, chains, "-o", folder / "x.h5")
    assert log.count("before the close of their session") == 2, log
    # Where the history cannot be extended nothing is begun.
    if os.getuid() != 0:
        folder.joinpath("locked").mkdir()
        target = folder / "locked" / "h.h5"
        target.write_bytes(store.read_bytes())
        target.parent.chmod(0o500)
        run("run", chains, "--history", target, "-o", folder / "never.h5", "--config", small_config(folder), code=1)
        target.parent.chmod(0o700)
        assert not (folder / "never.h5").exists()


def case_history_of_chains(folder):
    """G of a session from a chain's open interest, beside the prices of a history."""
    need_modules("numpy", "h5py")
    import h5py
    import math
    from statistics import NormalDist
    chains, store = folder / "chains.h5", folder / "history.h5"
    run("ingest", priced_chain(folder / "a.csv", "2026-07-10", 101.0, -0.1), "-o", chains)
    (folder / "p.csv").write_text("date,symbol,close,volume\n2026-07-09,AAA,100,5\n2026-07-10,AAA,101,5\n")
    out, _ = run("history", folder / "p.csv", chains, "-o", store)
    assert "chains.h5" in out and "1 symbols, 2 rows" in out, out
    with h5py.File(chains) as f, h5py.File(store) as h:
        normal, now, spot = NormalDist(), f.attrs["quote_time"], 101.0
        calls = puts = 0.0
        settled = f["settlement"][:][f["contract_expiry"][:]]
        quoted = datetime.datetime.fromisoformat((now.decode() if isinstance(now, bytes) else str(now)).replace("Z", "+00:00")).timestamp()
        for strike, right, interest, m, at in zip(f["strike"][:], f["right"][:], f["open_interest"][:], f["multiplier"][:], settled):
            width = 0.2 * math.sqrt((at - quoted) / 31536000.0)
            n = lambda s: normal.cdf(math.log(s / strike) / width + 0.5 * width)
            if right > 0:
                calls += interest * m * (n(1.01 * spot) - n(spot))
            else:
                puts += interest * m * (n(spot) - n(0.99 * spot))
        assert math.isnan(h["g"][0]) and abs(h["g"][1] - calls / (calls + puts)) < 1e-12, (h["g"][:], calls, puts)
        assert h["close"][1] == 101.0
    # A night of the same session adds its gamma index and iv30; named again it says nothing new.
    night = folder / "night.h5"
    run("run", chains, "-o", night, "--config", small_config(folder))
    level = json.loads(run("levels", night, "--format", "json")[0])[0]
    for _ in range(2):
        out, _ = run("history", store, night, "-o", store)
        assert "night.h5" in out and "0 refused or contradicted" in out, out
    with h5py.File(store) as h, h5py.File(night) as f:
        assert len(h["g"]) == 2 and not math.isnan(h["g"][1]) and h["close"][1] == 101.0
        n = {name: f[f"contract/{name}"][:] for name in ("right", "open_interest", "multiplier", "gamma")}
        gamma = n["open_interest"] * n["multiplier"] * n["gamma"]
        ratio = gamma[n["right"] > 0].sum() / gamma[n["right"] < 0].sum()
        assert math.isnan(h["g_old"][0]) and abs(h["g_old"][1] / ratio - 1.0) < 1e-12, (h["g_old"][:], ratio)
        assert abs(ratio - 1.0) > 1e-3 and n["right"].size > 10, ratio
        # Under the model that calls are long and puts short a ratio of 1 is an index of 0.
        assert f["position"].asstr()[0] == "naive" and (ratio > 1.0) == (level["gamma_index"] > 0.0), (ratio, level)
        # The row is known with the open interest that the chain was priced with, or its quotes.
        quoted, published = (datetime.datetime.fromisoformat(f.attrs[name].replace("Z", "+00:00")).timestamp() if f.attrs.get(name) else 0.0
                             for name in ("quote_time", "open_interest_knowledge_time"))
        assert h["knowledge_time"][1] == max(quoted, published) and h["knowledge_time"][0] == 1783627200, h["knowledge_time"][:]
        assert h["gamma_index"][1] == level["gamma_index"] and h["iv30"][1] == f["volatility/iv30"][0] and math.isnan(h["iv30"][0])
        g_old = h["g_old"][1]
    shown = json.loads(run("forecast", store, "--symbols", "AAA", "--format", "json")[0])[0]
    assert shown["g_old"] == g_old, (shown["g_old"], g_old)
    before = json.loads(run("forecast", store, "--symbols", "AAA", "--date", "2026-07-09", "--format", "json")[0])[0]
    assert before["g_old"] is None, before["g_old"]
    # The same chain again says nothing new; another open interest of the day contradicts it.
    out, _ = run("history", store, chains, "-o", store)
    assert "0 refused or contradicted" in out, out


def spot_of(chains):
    import h5py
    with h5py.File(chains) as f:
        return float(f["spot"][0])


def case_open_interest_of_sessions(folder):
    """G of every session that the clearing house's files hold, and of every hypothetical close of the last of them."""
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    days = [f"2026-08-{day}" for day in ("10", "11", "12", "13", "14", "17", "18", "19", "20", "21")]
    # The index's file holds one close; the others are those that its exchange published.
    spx = dict(zip(days, (7753.11, 7728.20, 7748.50, 7798.99, 7785.76, 7745.06, 7691.76, 7707.98, 7641.16, 7674.37)))
    for ticker, name, least in (("SPY", "SPY_history.json", 8), ("NVDA", "NVDA_history.json", 8), ("SPX", "SPX.json", 10)):
        source = need(DATA / "occ_open_interest" / name)
        files = []
        for day in days:
            target = folder / f"{ticker}_{day}.h5"
            spot = ["--spot", f"SPX={spx[day]}"] if ticker == "SPX" else []
            done = subprocess.run([PROGRAM, "ingest", source, "--session", day, *spot, "-o", target], capture_output=True, text=True)
            if done.returncode == 0:
                files.append(target)
        assert len(files) >= least, (ticker, len(files), done.stderr)
        store = folder / f"{ticker}.h5"
        # In place of the last close G is that of the last session; in the next session what expires has rolled off.
        closes = folder / f"{ticker}.csv"
        before = list(weekdays("2026-01-05", 154))  # to 2026-08-06
        level = spot_of(files[0])
        closes.write_text("date,symbol,close\n" +
                          "".join(f"{day},{ticker},{level * (1 + 0.002 * ((n * 7919) % 13 - 6))}\n" for n, day in enumerate(before)) +
                          "".join(f"{file.stem[-10:]},{ticker},{spot_of(file)!r}\n" for file in files))
        run("history", *files, closes, "-o", store)
        with h5py.File(store) as h:
            g = h["g"][:][numpy.isfinite(h["g"][:])]
        assert len(g) == len(files) and ((g > 0.1) & (g < 0.9)).all() and numpy.unique(g).size == len(g), (ticker, g)
        step = {}
        for mode in ("replace", "append"):
            rows = json.loads(run("forecast", store, "--symbols", ticker, "--step-forward", mode, "--chain", files[-1], "--format", "json")[0])
            step[mode] = next(row for row in rows if row["next_close_mad"] == 0.0)
            held = json.loads(run("forecast", store, "--symbols", ticker, "--step-forward", mode, "--format", "json")[0])
            assert {row["g"] for row in held} == {g[-1]} and len({row["g"] for row in rows}) > 200
        last = json.loads(run("forecast", store, "--symbols", ticker, "--format", "json")[0])[0]
        for name in ("p", "v", "g"):
            assert abs(step["replace"][name] - last[name]) < 1e-12, (ticker, name)
        assert abs(step["replace"]["g"] - g[-1]) < 1e-12 and abs(step["append"]["g"] - g[-1]) > 1e-6
        assert step["replace"]["status"] == "ok" and step["replace"]["next_close"] == spot_of(files[-1])


def case_published_ranges(folder):
    """The published example: a close of 6012.29, a straddle of 63 points, strikes of delta 0.25 at 57.77 and 49.44 points and of delta
    0.15 another 34.82 and 24.28 beyond. A chain quoted at the volatilities that these deltas ask for gives the same block."""
    need_modules("numpy", "h5py")
    import math
    from statistics import NormalDist
    import h5py
    spot, tau = 6012.29, 1.0 / 365.0
    normal = NormalDist()

    def price(sign, strike, sigma):
        d1 = math.log(spot / strike) / (sigma * math.sqrt(tau)) + 0.5 * sigma * math.sqrt(tau)
        return sign * (spot * normal.cdf(sign * d1) - strike * normal.cdf(sign * (d1 - sigma * math.sqrt(tau))))

    def solve(function, low, high):
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if function(middle) < 0.0 else (low, middle)
        return low

    def of_delta(strike, delta):
        """The volatility at which a strike's option of the side has the delta: sigma sqrt(tau) solves d1 = N^-1."""
        d1 = normal.inv_cdf(delta) if delta > 0.0 else -normal.inv_cdf(-delta)
        k = math.log(spot / strike)
        width = solve(lambda w: k / w + 0.5 * w - d1 if strike > spot else -(k / w + 0.5 * w - d1), 1e-4, 0.1)
        return width / math.sqrt(tau)

    far, near, far_more, near_more = 57.77, 49.44, 34.82, 24.28
    sigma = {spot: solve(lambda s: price(1, spot, s) + price(-1, spot, s) - 63.0, 0.01, 2.0),
             spot - far: of_delta(spot - far, -0.25), spot + near: of_delta(spot + near, 0.25),
             spot - far - far_more: of_delta(spot - far - far_more, -0.15), spot + near + near_more: of_delta(spot + near + near_more, 0.15)}
    rows = []
    for strike in sorted(sigma):
        for right, sign in (("C", 1), ("P", -1)):
            value, thousandths = price(sign, strike, sigma[strike]), round(strike * 1000)
            rows.append(f"AAA,2026-07-09T16:00:00-04:00,{spot},AAA260710{right}{thousandths:08d},2026-07-10,{right},{strike:.3f},{value - 1e-4:.6f},"
                        f"{value + 1e-4:.6f},,5,100,{sigma[strike]:.6f},,,,")
    (folder / "a.csv").write_text(long_csv(rows))
    night = folder / "night.h5"
    config = small_config(folder, "[market]\nrate = 0.0\ndividend_yield = 0.0\n")
    run("run", folder / "a.csv", "-o", night, "--config", config)
    with h5py.File(night) as f:
        e = {name: f["expiry"][name][0] for name in ("straddle", "straddle_strike", "range_50_low", "range_50_high", "range_70_low", "range_70_high", "smile_residual")}
        low, high = f["volatility/straddle_low"][0], f["volatility/straddle_high"][0]
    assert e["straddle_strike"] == spot and abs(e["straddle"] - 63.0) < 1e-3
    assert abs(low - 5949.29) < 1e-3 and abs(high - 6075.29) < 1e-3, (low, high)
    # The published distances bend the wrong way for a smile without arbitrage, so it misses them by its residual, told in vol;
    # a strike of given delta moves with volatility as its distance from spot does.
    slack = 2.0 * e["smile_residual"] / min(sigma.values()) * (far + far_more)
    assert slack < 1.0, slack
    for name, want in (("range_50_low", spot - far), ("range_50_high", spot + near), ("range_70_low", spot - far - far_more),
                       ("range_70_high", spot + near + near_more)):
        assert abs(e[name] - want) < slack, (name, e[name], want, slack)
    assert abs(e["range_50_high"] - e["range_50_low"] - 107.21) < slack and abs(e["range_70_high"] - e["range_70_low"] - 166.31) < slack
    card, _ = run("levels", night, "--tickers", "AAA")
    assert "[5949.29, 6075.29]" in card and "63.00 points" in card, card


def case_export(folder):
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    chains, night = night_of_two_positions(folder)
    add_groups(night)
    listed, _ = run("export", night)
    with h5py.File(night) as f:
        names = []
        f.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        found = {tuple(line.split()[:2]) for line in listed.splitlines()[1:]}
        found = {(group, name) for group, name in found if group != "sheet" and name != "-"}  # pages, and tables without rows
        assert found == {tuple(name.rsplit("/", 1)) if "/" in name else ("root", name) for name in names}, found
        rows = json.loads(run("export", night, "--format", "json")[0])
        gx = next(row for row in rows if (row["group"], row["variable"]) == ("root", "gx"))
        assert gx["units"] == "shares USD-1" and gx["lengths"] == list(f["gx"].shape), gx

        # Tables over one dimension are that table.
        for group in ("levels", "crossing", "quality", "expiry", "volatility", "profile/strike"):
            rows, err = exported(night, "--what", group)
            assert err == "", err
            for name, variable in f[group].items():
                assert all(map(same, [row[name] for row in rows], spelled(variable))), (group, name)
            as_json = json.loads(run("export", night, "--what", group, "--format", "json")[0])
            for row, other in zip(rows, as_json):
                assert list(row) == list(other)
                for key, text in row.items():
                    assert text == "" if other[key] is None else text == str(other[key]) or float(text) == other[key], (key, text)
        rows, _ = exported(night, "--what", "profile/strike")
        assert [row["strike"] for row in rows] == ["1.5", "2.5", ""], rows

        # Contracts carry their ticker, root and settlement; positions are a dimension.
        rows, err = exported(night, "--what", "contract")
        contracts, positions = f["contract/dealer_position"].shape
        assert len(rows) == contracts * positions and "--dims ticker" in err, err
        assert all(map(same, [row["dealer_position"] for row in rows], spelled(f["contract/dealer_position"])))
        ticker = [t.decode() for t, n in zip(f["contract/ticker"][:], f["contract/contract_count"][:]) for _ in range(n)]
        expiry = f["contract/contract_expiry"][:]
        settlement, root = spelled(f["expiry/settlement"]), spelled(f["expiry/root"])
        for i, row in enumerate(rows):
            e = expiry[i // positions]
            assert (row["ticker"], row["root"], row["settlement"]) == (ticker[i // positions], root[e], settlement[e]), row
            assert same(row["gamma"], f["contract/gamma"][i // positions]) if i % 97 == 0 else True
        tickers = spelled(f["ticker"])
        some, _ = exported(night, "--what", "levels", "--variables", "zero_gamma")
        assert list(some[0]) == ["row", "ticker", "position", "zero_gamma"]
        some, _ = exported(night, "--what", "contract", "--tickers", f"{tickers[2]},{tickers[0]}", "--position", "unsigned",
                           "--variables", "strike,dealer_position")
        expected = [row for row in rows if row["ticker"] != tickers[1] and row["position"] == "unsigned"]
        assert some == [{key: row[key] for key in some[0]} for row in expected]
        assert list(some[0]) == ["contract", "position", "ticker", "root", "settlement", "strike", "dealer_position"], some[0]
        some, _ = exported(night, "--what", "contract", "--variables", "ticker,settlement,gamma")
        assert list(some[0]) == ["contract", "ticker", "root", "settlement", "gamma"] and len(some) == contracts, some[0]
        rows, err = exported(night, "--what", "contract", "--dims", "ticker")
        assert [row["contract_count"] for row in rows] == [str(n) for n in f["contract/contract_count"][:]] and err == ""

        # A surface: one row per cell, with the spot of the cell.
        rows, _ = exported(night, "--what", "root", "--tickers", tickers[1])
        gx, spot = f["gx"][1], f["spot"][1]
        assert len(rows) == gx.size
        assert all(map(same, [row["gx"] for row in rows], gx.ravel()))
        assert all(same(row["spot"], spot[i % len(spot)]) for i, row in enumerate(rows))
        assert {row["ticker"] for row in rows} == {tickers[1]} and rows[-1]["time"] == spelled(f["time"])[-1]
        rows, _ = exported(night, "--what", "root", "--variables", "vanna")
        assert list(rows[0])[-2:] == ["spot_step", "vanna"] and all(map(same, [row["vanna"] for row in rows], spelled(f["vanna"])))
        rows, _ = exported(night, "--what", "levels", "--tickers", tickers[2], "--position", "naive")
        assert [(row["ticker"], row["position"]) for row in rows] == [(tickers[2], "naive")]

    out, _ = run("export", night, "--what", "levels")
    run("export", night, "--what", "levels", "-o", folder / "levels.csv")
    assert (folder / "levels.csv").read_text() == out
    before = sha(night)
    for args, code, message in ((["--what", "nonsense"], 2, "choose root, attribution/expiry"), (["--what", "run"], 2, "attributes only"),
                                (["--what", "levels", "--variables", "gx"], 2, "no such variable"),
                                (["--what", "contract", "--variables", "strike,spot"], 2, "no such variable"),
                                (["--what", "root", "--dims", "time,ticker"], 2, "ticker,spot_step"),
                                (["--what", "expiry", "--position", "naive"], 2, "has no position"),
                                (["--what", "root", "--dims", "ticker", "--variables", "gx"], 2, "not over ticker"),
                                (["--tickers", "A"], 2, "--what"), (["--what", "levels", "--format", "xml"], 2, "xml"),
                                (["--what", "levels", "-o", night], 2, "is an input"),
                                (["--what", "levels", "--tickers", "NOPE"], 3, "no ticker NOPE"),
                                (["--what", "levels", "--position", "NOPE"], 3, "no position NOPE"),
                                (["--what", "levels", "-o", folder / "no" / "x.csv"], 1, "x.csv")):
        out, err = run("export", night, *args, code=code)
        assert out == "" and err.startswith("greekgrid: ") and message in err, (args, err)
    assert sha(night) == before

    # More values than are read at once: the pieces fit together.
    shifts = ", ".join(f"{n / 100:.2f}" for n in range(-20, 21))
    config = folder / "large.toml"
    config.write_text(f'[scenarios]\nspots = 401\niv_shifts = [{shifts}]\n[positions]\nmodels = ["naive", "unsigned"]\n')
    run("run", chains, "-o", folder / "large.h5", "--config", config, "--tickers", tickers[0])
    out, _ = run("export", folder / "large.h5", "--what", "root")
    with h5py.File(folder / "large.h5") as f:
        header, *lines = out.splitlines()
        at = [header.split(",").index(name) for name in ("gx", "spot_step", "iv_shift", "position")]
        columns = list(zip(*(line.split(",") for line in lines)))
        assert len(lines) * len(header.split(",")) > 1 << 22
        shape = f["gx"].shape
        assert numpy.array_equal(numpy.array(columns[at[0]], dtype="f4").reshape(shape), f["gx"][:])
        for place, axis in ((at[1], 5), (at[2], 4)):
            values = f[("spot_step", "iv_shift")[axis == 4]][:].reshape([-1 if k == axis else 1 for k in range(6)])
            assert numpy.array_equal(numpy.array(columns[place], dtype=float).reshape(shape), numpy.broadcast_to(values, shape))
        assert columns[at[3]][0] == "naive" and columns[at[3]][-1] == "unsigned"

    # Numbers that mean nothing are written as they are, or refused.
    odd = folder / "odd.h5"
    shutil.copy(night, odd)
    with h5py.File(odd, "r+") as f:
        f["levels/zero_gamma_status"][0] = 77
        f["expiry/settlement"][1] = -5
        f["contract/contract_expiry"][:2] = (-1, 1)
        f["levels/gamma_index"][1] = numpy.inf
    rows, _ = exported(odd, "--what", "levels")
    assert rows[0]["zero_gamma_status"] == "77" and rows[1]["gamma_index"] == "inf", rows[0]
    assert json.loads(run("export", odd, "--what", "levels", "--format", "json")[0])[1]["gamma_index"] is None
    rows, _ = exported(odd, "--what", "contract", "--dims", "contract")
    assert (rows[0]["settlement"], rows[1]["settlement"]) == ("", "-5") and rows[0]["ticker"] == tickers[0]
    with h5py.File(odd, "r+") as f:
        f["contract/contract_count"][0] = 1 << 40
    _, err = run("export", odd, "--what", "contract", code=3)
    assert "point outside" in err, err
    with h5py.File(odd, "r+") as f:
        f.create_dataset("strange", data=numpy.arange(3, dtype="u8"))
    _, err = run("export", odd, code=3)
    assert "variable /strange has a type" in err, err

    rows, _ = exported(chains, "--what", "root")
    with h5py.File(chains) as f:
        assert all(map(same, [row["strike"] for row in rows], spelled(f["strike"]))) and rows[-1]["ticker"] == tickers[2]
    night.write_bytes(night.read_bytes()[:-3000])
    run("export", night, code=3)
    run("export", folder / "missing.h5", code=3)


def night_with_history(folder):
    """Five tickers: three with past enough, the first of which has D and G, one too short and one without any."""
    import h5py
    import numpy
    chains = synth(folder, tickers=5, contracts=1000)
    spots = [(row["ticker"], float(row["spot"])) for row in exported(chains, "--what", "root", "--dims", "ticker")[0]]
    days = [day for day in weekdays("2021-01-04", 1440) if day <= datetime.date(2026, 7, 10)]
    lengths = (len(days), 700, 420, 100)
    files = [random_walk(folder / f"{ticker}.csv", ticker, days[-length:], 20 + n, last=spot) for n, ((ticker, spot), length) in enumerate(zip(spots, lengths))]
    rng = random.Random(5)
    dix = folder / "dix.csv"
    dix.write_text("date,symbol,dix\n" + "".join(f"{day},{spots[0][0]},{0.4 + 0.1 * rng.random():.6f}\n" for day in days))
    history, night = folder / "history.h5", folder / "night.h5"
    run("history", *files, dix, "-o", history)
    with h5py.File(history, "r+") as f:
        known = ~numpy.isnan(f["dix"][:])
        f["g"][:] = numpy.where(known, 0.5 + 0.2 * numpy.sin(numpy.arange(len(known)) ** 2.0), numpy.nan)
    run("run", chains, "-o", night, "--config", small_config(folder), "--history", history, "--no-append")
    return chains, history, night


SHEET = ("DATE TICKER SPOT P V G D 1MAD_PCT 1MAD_SPOT 5MAD_PCT 5MAD_SPOT MEAN MEDIAN VOL VOL_MEDIAN PV PG PD VG VD GD N_EFF SKILL SKILL_T "
         "FORECASTS BEST_CLOSE BEST_MEAN BEST_N_EFF WORST_CLOSE WORST_MEAN WORST_N_EFF STATUS").split()


def expected_sheet(f):
    """The sheet from the groups of a night, h5py file in, one dict per ticker; missing numbers None."""
    def five(group):
        return list(f[group]["horizon"][:]).index(5)

    def number(value):
        return None if math.isnan(value) else float(value)

    rows = []
    p = f["predictors"]
    for u, ticker in enumerate(p["ticker"][:]):
        mad, close = p["mad"][u], p["close"][u]
        row = {"DATE": p.attrs["session"], "TICKER": ticker.decode(), "SPOT": close,
               "1MAD_PCT": 100.0 * mad, "1MAD_SPOT": mad * close, "5MAD_PCT": 100.0 * mad * math.sqrt(5.0), "5MAD_SPOT": mad * close * math.sqrt(5.0)}
        row.update({name.upper(): p["z_" + name][u] for name in "pvgd"})
        if "horizon" in f["forecast"]:
            g, h = f["forecast"], five("forecast")
            for name, variable in (("MEAN", "mean"), ("MEDIAN", "median"), ("VOL", "volatility"), ("VOL_MEDIAN", "volatility_median"), ("N_EFF", "n_eff")):
                row[name] = g[variable][u, h]
            row.update({pair.decode(): g["pair_median"][u, h, k] for k, pair in enumerate(g["pair"][:])})
            r, h = f["record"], five("record")
            row.update({name.upper(): r[name][u, h] for name in ("skill", "skill_t", "forecasts")})
            row["STATUS"] = spelled(g["status"])[u * len(g["horizon"]) + five("forecast")]
        else:
            row.update({"FORECASTS": 0, "STATUS": spelled(p["status"])[u]})
        s = f["step_forward"]
        if "mode" in s and b"append" in list(s["mode"][:]):
            m, h = list(s["mode"][:]).index(b"append"), five("step_forward")
            for name in ("best_close", "best_mean", "best_n_eff", "worst_close", "worst_mean", "worst_n_eff"):
                row[name.upper()] = s[name][u, m, h]
        row = {name: row.get(name) for name in SHEET}
        rows.append({name: value if value is None or isinstance(value, str) else number(value) for name, value in row.items()})
    return rows


def check_sheet(night):
    """The sheet of a night in both formats against its groups; its rows as JSON."""
    import h5py
    with h5py.File(night) as f:
        expected = expected_sheet(f)
    rows = json.loads(run("export", night, "--what", "sheet", "--format", "json")[0])
    as_csv, err = exported(night, "--what", "sheet")
    assert err == "" and len(rows) == len(expected) == len(as_csv)
    for row, line, want in zip(rows, as_csv, expected):
        assert list(row) == SHEET == list(line)
        for name, value in want.items():
            # Products of two or three numbers may differ by their order.
            same_number = isinstance(value, float) and isinstance(row[name], (int, float)) and abs(row[name] - value) <= 1e-15 * abs(value)
            assert row[name] == value or ("MAD_" in name and same_number), (want["TICKER"], name, row[name], value)
            assert line[name] == "" if row[name] is None else line[name] == row[name] or float(line[name]) == row[name], (name, line[name])
    return rows


def case_sheet(folder):
    need_modules("numpy", "h5py")
    chains, history, night = night_with_history(folder)
    rows = check_sheet(night)
    assert {row["DATE"] for row in rows} == {"2026-07-10"} and len(rows) == 5
    assert [row["STATUS"] for row in rows].count("ok") == 3, [row["STATUS"] for row in rows]
    for row in rows:
        known = row["STATUS"] == "ok"
        for name in ("MEAN", "MEDIAN", "VOL", "PV", "N_EFF", "BEST_CLOSE", "WORST_MEAN"):
            assert (row[name] is not None) == known, (row["TICKER"], name, row[name])
        assert row["SPOT"] > 0 and all((row[name] is not None) == (row is rows[0]) for name in ("G", "D", "PG", "GD"))
        if known:
            assert -10.0 <= row["WORST_CLOSE"] <= 5.0 and row["BEST_MEAN"] >= row["WORST_MEAN"] and row["SKILL"] < 0.5
            assert math.isclose(row["5MAD_PCT"], math.sqrt(5.0) * row["1MAD_PCT"], rel_tol=1e-15)
    # Some tickers, some columns.
    names = [row["TICKER"] for row in rows]
    some, _ = exported(night, "--what", "sheet", "--tickers", f"{names[2]},{names[0]}", "--variables", "SKILL,MEDIAN")
    assert [list(row) for row in some] == [["TICKER", "SKILL", "MEDIAN"]] * 2 and [row["TICKER"] for row in some] == [names[0], names[2]]
    assert all(float(row["MEDIAN"]) == rows[names.index(row["TICKER"])]["MEDIAN"] for row in some)
    target = folder / "sheet.csv"
    run("export", night, "--what", "sheet", "-o", target)
    assert target.read_text() == run("export", night, "--what", "sheet")[0]
    # The list has both pages, and says so to who asks for another.
    listed = [line.split() for line in run("export", night)[0].splitlines()]
    assert [line[1] for line in listed if line[0] == "sheet"] == SHEET and [line[1] for line in listed if line[0] == "ranking"][:3] == ["RANK", "SIDE", "TICKER"]
    for args, code, message in ((("--what", "sheets"), 2, "sheet, ranking"), (("--what", "sheet", "--variables", "SKIL"), 2, "choose DATE, TICKER"),
                                (("--what", "sheet", "--dims", "ticker"), 2, "--dims"), (("--what", "sheet", "--position", "naive"), 2, "--position"),
                                (("--what", "sheet", "--tickers", "NOPE"), 3, "no ticker NOPE"), (("--what", "ranking", "--tickers", "NOPE"), 3, "no ticker NOPE")):
        out, err = run("export", night, *args, code=code)
        assert out == "" and message in err, (args, err)
    # The ranking is the sheet's, by its rule.
    def page(*args):
        return json.loads(run("export", night, "--what", "ranking", "--format", "json", *args)[0])
    ranked = page()
    known = [row for row in rows if row["MEDIAN"] not in (None, 0.0)]
    up = sorted((row for row in known if row["MEDIAN"] > 0), key=lambda row: (-row["MEDIAN"], row["TICKER"]))
    down = sorted((row for row in known if row["MEDIAN"] < 0), key=lambda row: (row["MEDIAN"], row["TICKER"]))
    columns = ("TICKER", "MEDIAN", "MEAN", "N_EFF", "SKILL", "1MAD_PCT", "SPOT")
    assert ranked == [{"RANK": k + 1, "SIDE": side, **{name: row[name] for name in columns}}
                      for side, half in (("bullish", up), ("bearish", down)) for k, row in enumerate(half)] and len(ranked) == 3
    assert page("--tickers", ranked[-1]["TICKER"]) == ranked[-1:] and page("--tickers", rows[-1]["TICKER"]) == [], rows[-1]
    assert list(page("--variables", "SPOT")[0]) == ["RANK", "SIDE", "TICKER", "SPOT"]
    # The card shows the same numbers, and no forecast without its skill.
    first = next(row for row in rows if row["STATUS"] == "ok")
    card = run("levels", night, "--tickers", first["TICKER"])[0]
    outlook = card[card.index("Outlook of its own past"):].split("\n\n")[0].splitlines()
    assert 4 <= len(outlook) <= 6, outlook
    assert f"P {first['P']:+.2f}, V {first['V']:+.2f}, G {first['G']:+.2f}, D {first['D']:+.2f}" in outlook[1], outlook
    skill = f"skill {first['SKILL']:+.3f} (t {first['SKILL_T']:+.1f}) of {first['FORECASTS']} such forecasts"
    assert f"median {first['MEDIAN']:+.3f} MAD" in outlook[2] and f"{first['N_EFF']:.1f} effective" in outlook[2], outlook
    assert f"{first['BEST_CLOSE']:+.2f} MAD" in outlook[4] and f"{first['WORST_CLOSE']:+.2f} MAD" in outlook[5], outlook
    assert all(skill in outlook[k] for k in (2, 4, 5)) and "skill" in outlook[3], outlook
    short = next(row for row in rows if row["STATUS"] != "ok")
    card = run("levels", night, "--tickers", short["TICKER"])[0]
    assert f"no forecast ({short['STATUS']})" in card and "next close  " not in card and "median" not in card.split("Outlook")[1].split("\n\n")[0]
    info = run("info", night)[0]
    sessions = max(int(row["sessions"]) for row in exported(night, "--what", "predictors")[0])
    assert f"history         up to {sessions} sessions, 3 of 5 tickers with forecasts" in info, info
    # Without closes of the next session their columns are empty. The calendar is that of the run.
    other = "[forecast]\nstep_forward = ['replace']\n[calendar]\nclosed = [2026-07-10]\n"
    run("run", chains, "-o", night, "--config", small_config(folder, other), "--history", history, "--no-append")
    rows = check_sheet(night)
    assert {row["DATE"] for row in rows} == {"2026-07-09"} and {row["BEST_CLOSE"] for row in rows} == {row["WORST_N_EFF"] for row in rows} == {None}
    assert rows[0]["MEDIAN"] is not None
    card = run("levels", night, "--tickers", rows[0]["TICKER"])[0]
    assert "sessions ahead" in card and "best next close" not in card
    # Tables that are of other tickers are refused; a file of before there were predictors has no sheet.
    import h5py
    with h5py.File(night, "r+") as f:
        f["record/ticker"][0] = "OTHER"
    for what in ("sheet", "ranking"):
        out, err = run("export", night, "--what", what, code=3)
        assert out == "" and "group record is of other tickers" in err, err
    with h5py.File(night, "r+") as f:
        del f["predictors"]
    assert "no such group" in run("export", night, "--what", "sheet", code=2)[1] and "\nsheet " not in run("export", night)[0]
    assert "Outlook" not in run("levels", night, "--tickers", rows[0]["TICKER"])[0] and "\nhistory  " not in run("info", night)[0]
    # Without a history there is a sheet of reasons, and nothing to rank.
    run("run", chains, "-o", night, "--config", small_config(folder))
    rows = check_sheet(night)
    assert {row["MEDIAN"] for row in rows} == {row["SKILL"] for row in rows} == {row["BEST_CLOSE"] for row in rows} == {None}
    assert "ok" not in {row["STATUS"] for row in rows} and all(row["SPOT"] > 0 for row in rows)
    out, err = run("export", night, "--what", "ranking", "--format", "json")
    assert json.loads(out) == [] and "ranking has no rows" in err, err
    assert "Outlook" not in run("levels", night, "--tickers", rows[0]["TICKER"])[0]
    assert "history         none, no forecasts" in run("info", night)[0]


def shown_map(text):
    """The characters of a map, by row."""
    lines = text.splitlines()
    begin = lines.index("") + 1
    end = next(i for i in range(begin, len(lines)) if set(lines[i].strip()) <= set("-+^"))
    return [line.split("  ")[-1] for line in lines[begin:end]], lines[end], lines[end + 1]


def expected_map(values):
    """The characters of a map whose every cell is one sample."""
    largest, rows = abs(values).max(), []
    for k, row in enumerate(values):
        rows.append("")
        for j, value in enumerate(row):
            level = math.ceil(9 * abs(value) / largest)
            across, down = j > 0 and row[j - 1] * value < 0, k > 0 and values[k - 1, j] * value < 0
            rows[-1] += "|" if across else "~" if down else str(level) if value >= 0 else chr(ord("a") + level - 1)
    return rows


def extremes(text):
    """The largest and the smallest value that a map states, and their unit."""
    found = [re.search(rf"^{word} +([-+0-9.e]+) \((.*?)\) at", text, re.M) for word in ("max", "min")]
    return float(found[0].group(1)), float(found[1].group(1)), found[0].group(2)


def case_show(folder):
    need_modules("numpy", "h5py")
    import h5py
    import numpy
    chains, night = night_of_two_positions(folder)
    cells, intraday_spot = add_groups(night)
    with h5py.File(night) as f:
        ticker, spot = f["ticker"][1].decode(), f["spot"][1]
        surface = {name: f[name][1, :, 0].astype(float) for name in ("dx", "gx", "charm", "vanna")}
    middle = len(spot) // 2
    out, err = run("show", night, "--ticker", ticker)
    assert err == "" and "\x1b" not in out and "\r" not in out
    assert "position naive, iv_rule sticky_strike, iv_shift 0 vol" in out and "USD per 1 %" in out.splitlines()[0]

    # Every character says sign and size of its cell.
    slice_ = surface["gx"][0, :, 1] * 0.01 * spot ** 2
    rows, axis, labels = shown_map(run("show", night, "--ticker", ticker, "--width", len(spot))[0])
    assert rows == expected_map(slice_) and (slice_ > 0).any() and (slice_ < 0).any()
    at_spot = re.search(r"^at \^ +([-+0-9.e]+) \((.*?)\) at spot ([0-9.]+), time (.*)$", run("show", night, "--ticker", ticker)[0], re.M)
    level = json.loads(run("levels", night, "--tickers", ticker, "--format", "json")[0])[0]
    scale = {"1e9": 1.0, "1e6": 1e-3}[at_spot.group(2)[:3]]
    assert math.isclose(float(at_spot.group(1)) * scale, level["gamma_index"], rel_tol=1e-3), (at_spot.groups(), level)
    assert float(at_spot.group(3)) == round(level["spot_reference"], 2)
    assert axis.index("^") == len(axis) - len(spot) + middle and f"{spot[middle]:.2f}" in labels, (axis, labels)

    # Units.
    for name, unit, factor in (("gx", "base", 1.0), ("gx", "per_1pct", 0.01 * spot), ("gx", "usd_per_1pct", 0.01 * spot ** 2),
                               ("gx", "contract_delta,per_2.5pt", 0.025), ("dx", "base", 1.0), ("dx", "usd", spot),
                               ("dx", "contract_delta", 0.01), ("charm", "per_minute", 1 / 525600), ("charm", "per_5min", 5 / 525600),
                               ("charm", "per_day", 1 / 365), ("vanna", "per_vol_point", 0.01), ("vanna", "usd_per_vol_point", 0.01 * spot),
                               ("charm", "", 1 / 525600), ("vanna", "", 0.01), ("gx", "", 0.01 * spot ** 2), ("dx", "", 1.0)):
        args = ["show", night, "--ticker", ticker, "--what", name] + (["--unit", unit] if unit else [])
        most, least, label = extremes(run(*args)[0])
        expected = surface[name][0, :, 1] * factor
        scale = 1e9 if label.startswith("1e9") else 1e6 if label.startswith("1e6") else 1.0
        for got, want in ((most, expected.max()), (least, expected.min())):
            assert math.isclose(got * scale, want, rel_tol=2e-3, abs_tol=2e-3 * scale * 1e-3), (name, unit, label, got, want)
        assert unit != "base" or scale == 1.0

    # What is held is chosen by value, and said.
    out, _ = run("show", night, "--ticker", ticker, "--position", "unsigned", "--iv-shift", "0.019", "--unit", "base")
    assert "position unsigned" in out and "iv_shift 0.02 vol" in out
    assert math.isclose(extremes(out)[0], surface["gx"][1, :, 2].max(), rel_tol=2e-3)
    out, _ = run("show", night, "--ticker", ticker, "--time", "1", "--unit", "base", "--x", "iv_shift", "--y", "spot_step")
    assert math.isclose(extremes(out)[1], surface["gx"][0, 1].min(), rel_tol=2e-3) and "down    spot, USD" in out
    out, _ = run("show", night, "--ticker", ticker, "--time", "1", "--unit", "base", "--x", "iv_shift", "--y", "spot_step", "--width", "3")
    assert shown_map(out)[0] == expected_map(surface["gx"][0, 1].T), out
    out, _ = run("show", night, "--ticker", ticker, "--width", "10")
    assert "21 samples in 10 cells, each the mean of 2 or 3" in out
    assert "middle one of" in run("show", night, "--ticker", ticker, "--width", "10", "--aggregate", "nearest")[0]

    # Another group of surfaces, with other dimensions and spots of its own.
    out, _ = run("show", night, "--group", "intraday", "--ticker", ticker, "--select", "expiries=next", "--unit", "base", "--width", "5")
    assert "position naive, expiries next" in out and "60.00" in out, out
    slice_ = cells[1, 0, 1]
    assert extremes(out)[:2] == (slice_.max(), slice_.min())
    rows, _, _ = shown_map(out)
    assert rows == expected_map(slice_) and "~" in "".join(rows) and "0" in "".join(rows), rows

    # Colour on a terminal or when told, the same characters under it.
    colored, _ = run("show", night, "--ticker", ticker, "--color", "always")
    assert "\x1b[" in colored and re.sub(r"\x1b\[[0-9;]*m", "", colored) == run("show", night, "--ticker", ticker)[0]
    for term, has_color in (("xterm", True), ("dumb", False)):
        master, slave = pty.openpty()
        process = subprocess.Popen([PROGRAM, "show", night, "--ticker", ticker], stdout=slave, env={**os.environ, "TERM": term})
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
        assert process.wait() == 0 and (b"\x1b[" in text) == has_color, (term, text)

    for args, code, message in (([], 2, "--ticker: missing"), (["--ticker", "NOPE"], 3, "no ticker NOPE"),
                                (["--ticker", ticker, "--what", "spot"], 2, "choose dx, gx"),
                                (["--ticker", ticker, "--group", "levels"], 2, "no variable over ticker"),
                                (["--ticker", ticker, "--group", "nonsense"], 2, "choose root"),
                                (["--ticker", ticker, "--unit", "per_day"], 2, "per_1pct"),
                                (["--ticker", ticker, "--unit", "usd,contract_delta", "--what", "dx"], 2, "choose one"),
                                (["--ticker", ticker, "--select", "strike=5"], 2, "no such dimension strike"),
                                (["--ticker", ticker, "--select", "strike"], 2, "DIM=VALUE"),
                                (["--ticker", ticker, "--time", "99"], 2, "out of range"),
                                (["--ticker", ticker, "--time", "noon"], 2, "not an instant"),
                                (["--ticker", ticker, "--position", "NOPE"], 2, "choose naive, unsigned"),
                                (["--ticker", ticker, "--x", "time", "--y", "time"], 2, "x axis already"),
                                (["--ticker", ticker, "--width", "0"], 2, "--width")):
        out, err = run("show", night, *args, code=code)
        assert out == "" and err.startswith("greekgrid: ") and message in err, (args, err)
    _, err = run("show", chains, code=3)
    assert "holds no surfaces" in err


def verified(*args, code=0):
    """The reports of `greekgrid verify --json`."""
    return json.loads(run("verify", *args, "--json", code=code)[0])


def failed(report):
    return [check["name"] for check in report["checks"] if check["failures"]]


def case_verify(folder):
    """Sound files of many configurations hold; what the command line takes; what a broken byte does."""
    need_modules("numpy", "h5py")
    import h5py
    import sound_nights
    chains = synth(folder, tickers=20, contracts=2000)
    target = folder / "night.h5"
    for name, extra in sound_nights.CONFIGURATIONS.items():
        run("run", chains, "-o", target, "--config", small_config(folder, extra))
        report, = verified(target)
        assert report["holds"] and failed(report) == [] and report["notes"] == [], (name, failed(report))
        cells = next(check["count"] for check in report["checks"] if check["name"] == "cells")
        with h5py.File(target) as f:
            surfaces = [n for n, v in f.items() if isinstance(v, h5py.Dataset) and len(v.dims) == 6 and n != "delta_change"]
            assert cells == 16 * 20 * f["position"].size * f["iv_rule"].size * len(surfaces), (name, cells)
        assert [worst["surface"] for worst in report["worst"]] and all(0 <= worst["of_tolerance"] <= 1 for worst in report["worst"]), report["worst"]
    # Everything settles within the times, and calls and puts cancel; refused tickers; one contract.
    old = sound_nights.old_chain(folder / "old.csv")
    run("run", old, "-o", target, "--config", small_config(folder, "[surfaces]\ndelta_change = true\n"))
    report, = verified(target, "--all")
    assert report["holds"] and next(check["count"] for check in report["checks"] if check["name"] == "dead cells") > 0, failed(report)
    some = verified(target, "--cells", 5)[0]
    assert next(check["count"] for check in some["checks"] if check["name"] == "cells") == 5 * 4
    ticker = exported(chains, "--what", "root", "--dims", "ticker")[0][0]["ticker"]
    run("run", chains, "-o", target, "--tickers", f"{ticker},NOPE", "--config", small_config(folder))
    assert verified(chains, target)[1]["holds"]
    one = folder / "one.csv"
    one.write_text(long_csv([GOOD_ROW.format(oi=7)]))
    run("run", one, "-o", target, "--config", small_config(folder, '[market]\nforward_source = "flat"\niv_source = "vendor"\n'))
    assert verified(target)[0]["holds"]

    page, _ = run("verify", target)
    assert page.splitlines()[0] == f"{target}: greekgrid.night 1.0" and "all hold" in page.splitlines()[-1], page
    assert page == run("verify", target)[0]
    run("verify", code=2)
    run("verify", target, "--share", 0.1, "--cells", 4, code=2)
    run("verify", target, "--share", 1.5, code=2)
    out, err = run("verify", folder / "missing.h5", target, code=3)
    assert "missing.h5" in err and "all hold" in out, (out, err)
    reports = verified(folder / "missing.h5", target, code=3)
    assert [report["holds"] for report in reports] == [False, True] and "missing.h5" in reports[0]["problem"], reports
    run("verify", chains, "--cells", 0, code=2)
    # What a run says of its error is what a comparison of every cell finds.
    for evaluator, grids in (("spectral", (20, 0)), ("auto", None), ("brute", (0, 20))):
        run("run", chains, "-o", target, "--config", small_config(folder), "--evaluator", evaluator, "--tolerance", 1e-6)
        with h5py.File(target) as f:
            said = {name: value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value
                    for name, value in f["run"].attrs.items()}
        assert said["evaluator"] == evaluator and said["tolerance"] == 1e-6, said
        assert said["grids_spectral"] + said["grids_brute"] == 20, said
        assert grids is None or (said["grids_spectral"], said["grids_brute"]) == grids, said
        assert said["cells_sampled"] >= 20 and said["error_sampled"] <= (5e-6 if evaluator == "brute" else 1e-6), said
        if evaluator == "spectral":
            assert 0 < said["error_sampled"] <= said["error_bound"] <= 1e-6, said
        if evaluator != "brute":
            assert verified(target, "--all", "--tolerance", 1e-6)[0]["holds"]
    run("run", chains, "-o", target, "--evaluator", "slow", code=2)
    run("run", chains, "-o", target, "--tolerance", 1, code=2)
    assert "cells" in failed(verified(target, "--tolerance", 1e-12, code=3)[0])
    import mutations
    mutations.broken_chunk(target)
    report, = verified(target, code=3)
    check, = [check for check in report["checks"] if check["failures"]]
    assert check["name"] == "checksums" and check["shown"][0].startswith("/gx["), check
    out, _ = run("verify", target, code=3)
    assert f"    {target}: /gx[" in out and "1 do not hold" in out, out
    target.write_bytes(target.read_bytes()[:-2000])
    assert str(target) in run("verify", target, code=3)[1]
    # Whatever the bytes: an answer, in UTF-8, and no end but 0 or 3. What has no checksum - texts, short tables - may go unseen.
    run("run", old, "-o", target, "--config", small_config(folder, "[intraday]\nstored = false\n"))
    sound, rng, ends = target.read_bytes(), random.Random(3), []
    for k in range(40):
        bytes_now = bytearray(sound)
        for _ in range(rng.choice((1, 1, 20))):
            bytes_now[rng.randrange(len(sound) if k % 2 else 60000)] ^= 1 << rng.randrange(8)
        target.write_bytes(bytes_now)
        done = subprocess.run([PROGRAM, "verify", str(target)], capture_output=True, timeout=100)
        done.stdout.decode(), done.stderr.decode()
        ends.append(done.returncode)
    assert set(ends) <= {0, 3} and ends.count(3) > 10, ends


def case_verify_real(folder):
    """A real chain under rules that follow the smile."""
    import sound_nights
    files = [need(DATA / "cboe" / f"{name}_20230914_quotedata.csv") for name in ("spx", "spy")]
    run("run", *files, "-o", folder / "night.h5", "--config", small_config(folder, sound_nights.CONFIGURATIONS["rules"]))
    assert verified(folder / "night.h5")[0]["holds"]
    run("ingest", *files, "-o", folder / "chains.h5")
    assert verified(folder / "chains.h5")[0]["holds"]


def case_verify_catches(folder):
    """Every corruption of a sound file is caught by the check that it belongs to."""
    need_modules("numpy", "h5py")
    import h5py
    import mutations
    import sound_nights
    chains, history, night = night_with_history(folder)
    config = small_config(folder, sound_nights.CONFIGURATIONS["rules"] + '[surfaces]\ngreeks = ["all"]\ndelta_change = true\n'
                          '[positions]\nmodels = ["naive", "unsigned"]\n[intraday]\nspots = 21\nstep = 1800\n')
    config.write_text(config.read_text().replace("spots = 21", "spots = 11", 1))
    run("run", chains, "-o", night, "--config", config, "--history", history, "--no-append")
    broken = folder / "broken.h5"
    assert failed(verified(history)[0]) == []
    for check, change in [(None, lambda file: file.attrs["title"])] + mutations.MUTATIONS:
        shutil.copyfile(night, broken)
        with h5py.File(broken, "r+") as file:
            change(file)
        report, = verified(broken, *(["--all"] if check == "cells" else []), code=3 if check else 0)
        place = mutations.MUTATIONS.index((check, change)) if check else -1
        assert check is None or check in failed(report), (place, check, failed(report))
        assert all(len(one["shown"]) == min(one["failures"], 10) for one in report["checks"]), place


def make_newer(path, version="1.7"):
    """The file as a later MINOR might write it: with variables, groups and attributes that nobody here has heard of."""
    import h5py
    import numpy
    with h5py.File(path, "r+") as f:
        f.attrs.create("schema_version", version, dtype=h5py.string_dtype("utf-8"))
        f.attrs["mood"] = numpy.array([3.5])
        f.attrs["moods"] = numpy.arange(4, dtype="u2")
        dim = next(name for name in ("ticker", "symbol") if name in f)
        values = f.create_dataset("pressure", data=numpy.arange(f[dim].size, dtype="f8"))
        values.attrs["units"] = "1"
        values.dims[0].attach_scale(f[dim])
        f.create_dataset("count_of_days", data=numpy.arange(f[dim].size, dtype="u2"))
        f.create_dataset("pair", data=numpy.zeros(3, dtype=[("a", "i4"), ("b", "f8")]))
        f[dim].attrs["colour"] = "blue"
        group = f.create_group("tomorrow/evening")
        group.create_dataset("row", data=numpy.arange(3))
        group.create_dataset("single", data=7)
        f["tomorrow"].attrs["why"] = "because"
        if "levels" in f:
            f["levels"].create_dataset("blue", data=numpy.zeros(f["levels/row"].size))
            for flag in ("levels/call_wall_status", "quality/status", "contract/iv_source"):
                more = f[flag].attrs["flag_meanings"] + " later_reason"
                f[flag].attrs.create("flag_meanings", more, dtype=h5py.string_dtype("utf-8"))
                f[flag].attrs["flag_values"] = numpy.arange(len(more.split()), dtype="i1")


def every_command(folder, chains, history, night, code=0):
    """Every command that reads one of the three files."""
    import sound_nights
    ticker = "SPX"
    copy, later = folder / "copy.h5", sound_nights.old_chain(folder / "later.csv")
    later.write_text(later.read_text().replace("2026-07-10T16", "2026-07-13T16"))
    shutil.copyfile(history, copy)
    for args in (("info", night), ("info", chains), ("info", history), ("levels", night), ("levels", night, "--tickers", ticker),
                 ("show", night, "--ticker", ticker), ("attribute", night, "--ticker", ticker, "--spot", "-1%"),
                 ("export", night), ("export", night, "--what", "contract"), ("export", night, "--what", "root", "--tickers", ticker), ("export", night, "--what", "levels"),
                 ("export", night, "--what", "sheet"), ("export", chains), ("export", history, "--what", "root", "--variables", "close"),
                 ("folklore", chains, "--tickers", ticker), ("forecast", history, "--symbols", ticker), ("verify", chains, history, night),
                 ("run", chains, "-o", folder / "again.h5", "--history", history, "--no-append", "--config", small_config(folder)),
                 ("run", later, "-o", folder / "again.h5", "--previous", night, "--config", small_config(folder)),
                 ("history", copy, night, "-o", copy)):
        out, err = run(*args, code=code)
        if code:
            assert out == "" and "schema version 2" in err, (args, err)


def case_newer_files(folder):
    """Files of a later MINOR are read by every command, those of another MAJOR by none."""
    need_modules("numpy", "h5py")
    chains, history, night = night_with_history(folder)
    every_command(folder, chains, history, night)
    for path in (chains, history, night):
        make_newer(path)
    every_command(folder, chains, history, night)
    for report in verified(chains, history, night):
        assert report["holds"] and report["schema_version"] == "1.7" and any("pressure" in note for note in report["notes"]), report["notes"]
        assert any("tomorrow/evening" in note for note in report["notes"])
    # The same things in a file that says 1.0 are a mistake.
    make_version(night, "1.0")
    assert {"variables", "groups", "attributes", "flags"} <= set(failed(verified(night, code=3)[0]))
    for path in (chains, history, night):
        make_version(path, "2.0")
    every_command(folder, chains, history, night, code=3)


def make_version(path, version):
    import h5py
    with h5py.File(path, "r+") as f:
        f.attrs.create("schema_version", version, dtype=h5py.string_dtype("utf-8"))


def case_readers_are_undisturbed(folder):
    """Who holds the old file open reads its bytes to the end while a run publishes another over it."""
    need_modules("numpy", "h5py", "xarray", "h5netcdf")
    import h5py
    import mmap
    import numpy
    import xarray
    target = folder / "night.h5"
    first, second = synth(folder, tickers=4, contracts=400, seed=1), folder / "second.h5"
    run("synth", "--tickers", 4, "--contracts", 400, "--seed", 2, "-o", second)
    config = small_config(folder)
    run("run", first, "-o", target, "--config", config)
    old = target.read_bytes()
    with h5py.File(target) as f:
        gx = f["gx"][...]
    with open(target, "rb") as raw, h5py.File(target) as f, xarray.open_dataset(target, engine="h5netcdf") as lazy, \
            xarray.open_dataset(target, engine="netcdf4", group="contract") as contract:
        mapped = mmap.mmap(raw.fileno(), 0, prot=mmap.PROT_READ)
        assert raw.read(1000) == old[:1000] and numpy.array_equal(f["gx"][0], gx[0])
        strikes = len(contract.strike)
        for k in range(3):
            run("run", second, "-o", target, "--config", config)
            assert mapped[:] == old and len(mapped) == len(old)
            assert numpy.array_equal(f["gx"][k + 1], gx[k + 1]) and numpy.array_equal(lazy.gx[k].values, gx[k])
        assert raw.read() == old[1000:]
        assert numpy.array_equal(lazy.gx.values, gx) and len(contract.gamma.values) == strikes
    with h5py.File(target) as f:
        assert target.read_bytes() != old and not numpy.array_equal(f["gx"][...], gx)
    with xarray.open_dataset(target, engine="h5netcdf") as again:
        assert again.gx.shape == gx.shape and not numpy.array_equal(again.gx.values, gx)


def case_info_page(folder):
    """A page about a night of a thousand tickers, and about what may lie beside it."""
    need_modules("numpy", "h5py")
    chains = folder / "chains.h5"
    run("synth", "--tickers", 1000, "--contracts", 8000, "-o", chains)
    night, record = folder / "night.h5", folder / "night.h5.run.json"
    refused = ",".join(f"NOPE{k}" for k in range(300))
    names = ",".join(row["ticker"] for row in exported(chains, "--what", "root", "--dims", "ticker")[0])
    config = small_config(folder, "[intraday]\nstored = false\n")
    run("run", chains, "-o", night, "--config", config, "--tickers", f"{names},{refused}")
    page, _ = run("info", night)
    lines = page.splitlines()
    assert len(lines) <= 50 and all(len(line) < 200 for line in lines if not line.startswith("  selection.tickers")), (len(lines), page)
    assert re.search(r"tickers +300 not_in_chain: NOPE0, .* and 292 more", page), page
    for word in ("priced ", "rows ", "scenarios.spots = 21", "scenarios.sessions = 3", "size ", "per second", "took ", "peak memory ", "machine ", "backend "):
        assert word in page, (word, page)
    assert "ladder_shift" not in page and "[market]" in run("info", night, "--configuration")[0]
    config.write_text(run("info", night, "--configuration")[0])
    run("run", chains, "-o", folder / "same.h5", "--config", config)
    assert run("info", folder / "same.h5", "--configuration")[0] == run("info", night, "--configuration")[0]
    run("info", chains, "--configuration", code=2)

    whole = json.loads(record.read_text())
    for content, note in (('{"program": "greek', "is not JSON"), ("[1, 2]", "is no run record"), ('{"program": "other"}', "is no run record"), ("", "is not JSON"),
                          (json.dumps({"program": "greekgrid", "seconds": 3, "host": 7, "evaluations": "x"}), "took            nan s"),
                          (json.dumps({**whole, "host": "a\nb\x1b[31m"}), "a?b?[31m"), ("x" * (1 << 21), "larger than 1 MiB"), ("[" * 100000, "is not JSON")):
        record.write_text(content)
        out, _ = run("info", night)
        assert note in out and "\x1b" not in out and len(out.splitlines()) <= 50, (note, out[-600:])
    record.unlink()
    assert "none beside the file" in run("info", night)[0]
    os.mkfifo(record)
    assert "no regular file" in run("info", night)[0]


def state_of(target):
    return target.parent / f".{target.name}.resume"


def only(folder, *names):
    """Nothing hidden is left but these."""
    found = sorted(p.name for p in folder.iterdir() if p.name.startswith("."))
    assert found == sorted(names), found


def case_shards(folder):
    chains, store = folder / "c.h5", folder / "h.h5"
    run("synth", "--tickers", 9, "--contracts", 3000, "--seed", 3, "--history", store, "-o", chains)
    config = folder / "run.toml"
    config.write_text('[scenarios]\nspots = 21\nsessions = 3\niv_rules = ["sticky_strike", "sticky_moneyness"]\n'
                      '[positions]\nmodels = ["naive", "all_short"]\n')
    whole = folder / "whole.h5"
    before = store.read_bytes()
    run("run", chains, "-o", whole, "--config", config, "--history", store, "--tickers", "ZZZZ," + ",".join(tickers_of(chains)))
    extended = sha(store)
    for count in (1, 2, 5, 12):  # more shards than tickers: some are empty
        store.write_bytes(before)
        shards = [folder / f"{i}of{count}.shard" for i in range(1, count + 1)]
        for i, shard in enumerate(shards, 1):
            run("run", chains, "-o", shard, "--shard", f"{i}/{count}", "--config", config, "--history", store,
                "--tickers", "ZZZZ," + ",".join(tickers_of(chains)))
        assert count == 1 or store.read_bytes() == before, "a shard extends no history"
        merged = folder / "whole.h5"
        golden = sha(merged)
        if count == 1:
            assert sha(shards[0]) == golden, "1/1 is the whole"
            store.write_bytes(before)
            continue
        random.Random(count).shuffle(shards)
        run("merge", *shards, "-o", merged, "--history", store)
        assert sha(merged) == golden, count
        assert sha(store) == extended, count
        if count == 5:
            old = sha(merged)
            _, err = run("merge", *shards[1:], "-o", merged, code=3)
            assert "is missing" in err, err
            _, err = run("merge", *shards, shards[0], "-o", merged, code=3)
            assert "as is" in err, err
            torn = folder / "torn.shard"
            torn.write_bytes(shards[0].read_bytes()[:-7])
            _, err = run("merge", torn, *shards[1:], "-o", merged, code=3)
            assert "torn.shard" in err and "truncated" in err, err
            other = folder / "other.shard"
            run("run", chains, "-o", other, "--shard", "1/5", "--config", config)
            first = next(s for s in shards if s.name == "1of5.shard")
            _, err = run("merge", other, *[s for s in shards if s != first], "-o", merged, code=3)
            assert "another night" in err, err
            assert sha(merged) == old
    only(folder)
    for wrong in ("0/2", "3/2", "1", "1/2/3", "a/b", "-1/2", "1/0"):
        run("run", chains, "-o", folder / "x", "--shard=" + wrong, code=2)


def tickers_of(chains):
    import h5py
    with h5py.File(chains) as f:
        return [t.decode() if isinstance(t, bytes) else t for t in f["ticker"][:]]


def case_resume(folder):
    need_modules("h5py")
    chains, store = folder / "c.h5", folder / "h.h5"
    run("synth", "--tickers", 60, "--contracts", 12000, "--seed", 5, "--history", store, "-o", chains)
    before = store.read_bytes()
    golden = folder / "golden.h5"
    run("run", chains, "-o", golden, "--history", store, "--memory", "400MiB")
    complete, extended = sha(golden), read_rows(store)
    target = folder / "n.h5"
    generator = random.Random(2)
    went_on = 0
    for attempt in range(6):
        store.write_bytes(before)
        target.write_bytes(b"the old result")
        arguments = [PROGRAM, "run", chains, "-o", target, "--history", store, "--memory", "400MiB"]
        for _ in range(2):
            process = subprocess.Popen([*arguments, "--resume"], stderr=subprocess.PIPE, text=True)
            # When some of the records are there: a moment of the clock may meet the reading of the inputs.
            enough = generator.uniform(0.05, 0.7) * golden.stat().st_size
            while process.poll() is None and recorded(target) < enough:
                time.sleep(0.01)
            process.send_signal(generator.choice([signal.SIGKILL, signal.SIGTERM]))
            process.communicate(timeout=60)
            assert target.read_bytes() == b"the old result" or sha(target) == complete
        _, err = run(*arguments[1:], "--resume")
        went_on += "goes on, " in err
        assert sha(target) == complete, attempt
        assert read_rows(store) == extended, attempt
        only(folder)
    assert went_on > 1, went_on
    # A state of another run is refused by name, and left alone.
    process = subprocess.Popen([PROGRAM, "run", chains, "-o", target, "--memory", "400MiB"], stderr=subprocess.DEVNULL)
    while not (state_of(target) / "part").exists() or (state_of(target) / "part").stat().st_size < 100000:
        if process.poll() is not None:
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    if state_of(target).exists():
        state = sha(state_of(target) / "part")
        config = small_config(folder)
        for more, word in ((["--config", config], "configuration"), (["--history", store], "history"), (["--shard", "1/2"], "shard")):
            _, err = run("run", chains, "-o", target, "--resume", *more, code=3)
            assert word in err and "another run" in err, err
            assert sha(state_of(target) / "part") == state
        # Its own is kept by a run that has not the memory to go on, but for a record that was cut short.
        records = (state_of(target) / "part").read_bytes()
        _, err = run("run", chains, "-o", target, "--resume", "--memory", "100MiB", code=2)
        assert "too little" in err, err
        kept = (state_of(target) / "part").read_bytes()
        assert records.startswith(kept) and len(kept) > 0.5 * len(records), (len(kept), len(records))
        other = folder / "other.h5"
        run("synth", "--tickers", 60, "--contracts", 12000, "--seed", 6, "-o", other)
        _, err = run("run", other, "-o", target, "--resume", code=3)
        assert "its chain is" in err or "its source" in err or "tickers" in err, err
        run("run", chains, "-o", target)  # anew: the state is dropped
        only(folder)
    # Two runs to one target.
    first = subprocess.Popen([PROGRAM, "run", chains, "-o", target, "--backend", "reference"], stderr=subprocess.DEVNULL)
    while not (folder / ".n.h5.lock").exists():
        time.sleep(0.01)
    time.sleep(0.05)
    content = sha(target)
    _, err = run("run", chains, "-o", target, code=1)
    assert "another process" in err and "n.h5" in err, err
    first.kill()
    first.wait()
    assert sha(target) == content
    run("run", chains, "-o", target)  # the lock died with its owner
    only(folder)


def recorded(target):
    """Bytes of the records and chunks beside a target."""
    size = 0
    for name in ("part", "chunks"):
        try:
            size += (state_of(target) / name).stat().st_size
        except FileNotFoundError:
            pass
    return size


def read_rows(store):
    """What a store says, but for where it is from: a night's name is another in another folder."""
    import h5py
    import numpy
    with h5py.File(store) as f:
        return {name: (f[name][:].tobytes() if f[name].dtype.kind != "O" else [str(x) for x in f[name][:]])
                for name in f if isinstance(f[name], h5py.Dataset) and numpy.ndim(f[name]) > 0}


def case_memory(folder):
    chains = synth(folder, tickers=60, contracts=20000)
    _, err = run("run", chains, "-o", folder / "n.h5", "--memory", "100MiB", code=2)
    assert "too little" in err, err
    only(folder)
    peaks = {}
    for memory in ("300MiB", "600MiB"):
        run("run", chains, "-o", folder / f"{memory}.h5", "--memory", memory)
        record = json.loads((folder / f"{memory}.h5.run.json").read_text())
        peaks[memory] = record["peak_memory_bytes"]
        assert record["peak_memory_bytes"] < record["memory_budget_bytes"], record
    assert sha(folder / "300MiB.h5") == sha(folder / "600MiB.h5")
    run("run", chains, "-o", folder / "x.h5", "--memory", "many", code=2)
    # Everything is evaluated and nothing written; what an earlier run left stays.
    before = sorted(p.name for p in folder.iterdir())
    text, _ = run("run", chains, "-o", folder / "x.h5", "--dry-run")
    assert json.loads(text)["tickers"] == record["tickers"] and json.loads(text)["evaluations"] == record["evaluations"], text
    assert sorted(p.name for p in folder.iterdir()) == before
    state_of(folder / "x.h5").mkdir()
    (state_of(folder / "x.h5") / "part").write_bytes(b"of an earlier run")
    run("run", chains, "-o", folder / "x.h5", "--dry-run")
    assert (state_of(folder / "x.h5") / "part").read_bytes() == b"of an earlier run"


def case_backfill(folder):
    need_modules("h5py")
    sessions = folder / "sessions"
    sessions.mkdir()
    dates = [d for d in weekdays('2026-02-02', 21)]
    for k, date in enumerate(dates):
        if str(date) == "2026-02-16":  # Presidents' Day
            continue
        priced_chain(sessions / f"chain_{date}.csv", str(date), 100.0 + 0.3 * k, 0.1)
    stores = {}
    results = {}
    config = folder / "run.toml"
    config.write_text('[scenarios]\nspots = 21\nsessions = 2\niv_shifts = [0.0]\n[intraday]\nstored = false\n')
    generator = random.Random(7)

    def backfill(name, *more, kills=0, code=0):
        out, store = folder / name, folder / f"{name}.history.h5"
        arguments = ["backfill", sessions, "-o", out, "--history", store, "--config", config, *more]
        for _ in range(kills):
            process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(generator.uniform(0.3, 1.0))
            process.kill()
            process.communicate()
        text, _ = run(*arguments, code=code)
        return text, {p.name: sha(p) for p in out.glob("night_*.h5")}, sha(store)

    text, whole, store = backfill("whole")
    assert len(whole) == 20 and "20 computed, 0 kept, 0 failed" in text, text
    text, killed, killed_store = backfill("killed", kills=2)
    assert killed == whole and killed_store == store, text
    assert " kept" in text
    text, again, again_store = backfill("whole")
    assert "0 computed, 20 kept" in text and again == whole and again_store == store, text
    # Point in time: a night of the middle is the same whatever came later.
    first = folder / "first"
    run("backfill", sessions, "-o", first, "--history", folder / "first.history.h5", "--config", config, "--to", str(dates[7]))
    for path in first.glob("night_*.h5"):
        assert sha(path) == whole[path.name], path
    # A session whose data are no good is told, the others are not its victims.
    bad = sessions / f"chain_{dates[5]}.csv"
    good = bad.read_bytes()
    bad.write_bytes(b"not a chain")
    text, rest, _ = backfill("whole", code=3)
    assert "1 failed" in text and "5 kept" in text, text
    bad.write_bytes(good)
    text, healed, _ = backfill("whole")
    assert healed == whole, text
    # Another method is another history.
    config.write_text(config.read_text().replace("21", "11"))
    text, other, _ = backfill("whole")
    assert "20 computed" in text and not set(other.values()) & set(whole.values()), text
    (sessions / "nameless.csv").write_bytes(good)
    _, err = run("backfill", sessions, "-o", folder / "x", "--history", folder / "x.h5", code=3)
    assert "nameless.csv" in err and "date" in err, err


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="greekgrid_program_"))
    try:
        CASES[sys.argv[1]](folder)
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""A trial of scripts/bench_evaluators has every figure that the page quotes, and the scripts around it take it.

  evaluators_test.py BUILD
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EVERYONE = {("brute", "fp64", None), ("brute", "fp32", None), ("spectral", "fp64", 1e-6), ("spectral", "fp64", 2e-8),
            ("spectral", "fp32", 1e-6), ("spectral", "fp32", 5e-6)}


def case(row):
    return row["evaluator"], row["precision"], row.get("tolerance")


class Evaluators(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = Path(cls.folder.name)
        cls.file = cls.out / "evaluators.json"
        done = subprocess.run([ROOT / "scripts/bench_evaluators", "--quick", "--no-build", "--build", sys.argv[1], "--out", cls.out],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        cls.printed = done.stdout
        cls.record = json.loads(cls.file.read_text())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def by_job(self, section, *sizes):
        jobs = {}
        for row in self.record[section]:
            self.assertTrue(row["seconds"] > 0 and math.isfinite(row["evaluations_per_s"]), row)
            self.assertLessEqual(row["seconds"], row["median_seconds"])
            jobs.setdefault(tuple(row[size] for size in sizes), []).append(case(row))
        return jobs

    def test_says_where_it_comes_from(self):
        for key in ("machine", "commit", "command", "date", "load_average_at_start", "load_average_at_end"):
            self.assertTrue(self.record[key], key)
        self.assertTrue(self.record["quick"])
        self.assertNotIn(str(ROOT), self.file.read_text())

    def test_every_evaluator_has_every_job(self):
        for section, sizes, jobs in (("evaluators", ("contracts", "greeks"), 4), ("evaluators_on_the_peers_job", ("contracts", "greeks"), 2),
                                     ("universe", ("greeks", "threads"), 4), ("over_contracts", ("contracts",), 2),
                                     ("over_scenarios", ("scenarios",), 3)):
            found = self.by_job(section, *sizes)
            self.assertEqual(len(found), jobs, section)
            for job, cases in found.items():
                self.assertEqual(len(cases), len(EVERYONE), (section, job))
                self.assertEqual(set(cases), EVERYONE, (section, job))

    def test_errors_are_within_what_is_promised(self):
        for row in self.record["evaluators"]:
            self.assertEqual(len(row["errors"]), row["greeks"])
            promise = row.get("tolerance", 5e-6 if row["precision"] == "fp32" else 1e-11)
            for error in row["errors"]:
                self.assertLessEqual(error["relative_to_maximum"], promise, (case(row), error))

    def test_peers_compute_the_same(self):
        names = {row["name"] for row in self.record["peers"]}
        self.assertIn("scalar libm loop", names)
        for name in ("numpy + scipy", "QuantLib"):
            self.assertTrue(any(name in other for other in names) or name in self.record["skipped"], name)
        for row in self.record["peers"]:
            self.assertNotIn("refused", row)
            self.assertLessEqual(row["error"], 1e-9)
            self.assertTrue(row["evaluations_per_s"] > 0)

    def test_a_peer_that_computes_something_else_is_refused(self):
        subprocess.run([Path(sys.argv[1]) / "bench/evaluators_bench", "--quick", "--parts", "peers", "--json", self.out / "peers.json",
                        "--books", self.out], check=True, capture_output=True)
        book = self.out / "book_60.json"
        record = json.loads(book.read_text())
        record["sigma"][7] += 1e-6
        book.write_text(json.dumps(record))
        done = subprocess.run([sys.executable, ROOT / "bench/numpy_baseline.py", book], capture_output=True, text=True)
        if done.returncode == 77:
            self.skipTest("no scipy")
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in json.loads(done.stdout):
            self.assertIn("refused", row)
            self.assertNotIn("evaluations_per_s", row)

    def test_fits_cover_all_axes(self):
        self.assertEqual({(fit["axis"], *case(fit)) for fit in self.record["fits"]},
                         {(axis, *each) for axis in ("contracts", "scenarios", "threads") for each in EVERYONE})

    def test_tables_are_those_of_the_file(self):
        done = subprocess.run([ROOT / "scripts/bench_table", self.file], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, self.printed)

    def test_compares_with_itself(self):
        self.assertEqual(subprocess.run([ROOT / "scripts/bench_compare", self.file, self.file], capture_output=True).returncode, 0)

    def test_plots_are_the_same_twice(self):
        def plots():
            done = subprocess.run([sys.executable, ROOT / "scripts/bench_plots", self.file, "--out", self.out], capture_output=True, text=True,
                                  env={**os.environ, "MPLCONFIGDIR": str(self.out)})
            if done.returncode == 77:
                self.skipTest("no matplotlib")
            self.assertEqual(done.returncode, 0, done.stderr)
            return [Path(line).read_bytes() for line in done.stdout.split()]
        first = plots()
        self.assertEqual(len(first), 3)
        self.assertEqual(first, plots())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

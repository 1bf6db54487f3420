"""scripts/bench_compare on made-up results: what it must flag and what it must let pass."""
import copy
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
from power_law import power_law  # noqa: E402


def row(evaluator, precision, rate, error, **sizes):
    made = {"evaluator": evaluator, "precision": precision, "greeks": 11, "contracts": 1500, "seconds": 1.0 / rate, "evaluations_per_s": rate,
            "errors": [{"greek": "gamma", "relative_to_maximum": error}], **sizes}
    if evaluator == "spectral":
        made["tolerance"] = 1e-6
    return made


RESULT = {
    "schema": "greekgrid.bench.evaluators", "peaks": {"vector_instructions_per_s": 5e9},
    "evaluators": [row("brute", "fp64", 3e8, 2e-13), row("brute", "fp32", 1e9, 4e-7), row("spectral", "fp64", 6e9, 2e-7)],
    "universe": [row("brute", "fp64", 3e8, 0.0, threads=1), row("spectral", "fp64", 8e9, 0.0, threads=1)],
    "peers": [{"name": "numpy + scipy", "greeks": 11, "contracts": 1500, "evaluations_per_s": 3e7}],
}


class Compare(unittest.TestCase):
    def compare(self, change, *options):
        new = copy.deepcopy(RESULT)
        change(new)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / "old.json", Path(folder) / "new.json"]
            for file, record in zip(files, (RESULT, new)):
                file.write_text(json.dumps(record))
            done = subprocess.run([ROOT / "scripts/bench_compare", *options, *files], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def flagged(self, change, *options):
        status, lines, _ = self.compare(change, *options)
        self.assertIn(status, (0, 1))
        return lines if status == 1 else []

    def test_the_same_passes(self):
        self.assertEqual(self.flagged(lambda new: None), [])

    def test_a_slower_machine_passes(self):
        def halve(new):
            new["peaks"]["vector_instructions_per_s"] /= 2
            for entry in new["evaluators"] + new["universe"]:
                entry["evaluations_per_s"] /= 2
        self.assertEqual(self.flagged(halve), [])

    def test_a_slower_evaluator_is_flagged(self):
        def slow(new):
            new["evaluators"][2]["evaluations_per_s"] *= 0.85
        lines = self.flagged(slow)
        self.assertEqual(len(lines), 1)
        self.assertIn("spectral fp64 1e-6", lines[0])
        self.assertIn("0.850", lines[0])
        self.assertEqual(self.flagged(slow, "--tolerance", "0.2"), [])

    def test_slower_brute_force_is_seen_against_the_peak(self):
        def slow(new):
            new["evaluators"][1]["evaluations_per_s"] *= 0.5
        lines = self.flagged(slow)
        self.assertEqual(len(lines), 1)
        self.assertIn("brute fp32", lines[0])
        self.assertIn("peak", lines[0])

    def test_threads_are_compared_with_their_own_brute_force(self):
        def slow(new):
            new["universe"][1]["evaluations_per_s"] *= 0.5
        self.assertIn("universe", self.flagged(slow)[0])

    def test_threads_without_cores_say_nothing(self):
        def starve(new):
            new["universe"] += [row("brute", "fp64", 3e8, 0.0, threads=2, cores=1.9), row("spectral", "fp64", 1e9, 0.0, threads=2, cores=0.5)]
        new = copy.deepcopy(RESULT)
        starve(new)
        with tempfile.TemporaryDirectory() as folder:
            starved, quiet = Path(folder) / "starved.json", Path(folder) / "quiet.json"
            starved.write_text(json.dumps(new))
            new["universe"][-1].update(cores=1.9, evaluations_per_s=8e9)
            quiet.write_text(json.dumps(new))
            for files in ((starved, quiet), (quiet, starved)):
                self.assertEqual(subprocess.run([ROOT / "scripts/bench_compare", *files], capture_output=True).returncode, 0)

    def test_a_figure_that_is_gone_is_flagged(self):
        self.assertTrue(self.flagged(lambda new: new["evaluators"].pop())[0].endswith("gone"))

    def test_a_figure_that_is_no_number_is_flagged(self):
        def spoil(new):
            new["evaluators"][2]["evaluations_per_s"] = float("nan")
        self.assertEqual(len(self.flagged(spoil)), 1)

    def test_an_error_above_its_promise_is_flagged(self):
        def worse(factor):
            def change(new):
                new["evaluators"][2]["errors"][0]["relative_to_maximum"] *= factor
            return change
        self.assertEqual(self.flagged(worse(4)), [])  # 8e-7 of the 1e-6 promised
        self.assertIn("error of gamma", self.flagged(worse(6))[0])

    def test_other_files_are_refused(self):
        status, _, message = self.compare(lambda new: new.update(schema="greekgrid.bench"))
        self.assertEqual(status, 2)
        self.assertIn("no result of", message)


class PowerLaw(unittest.TestCase):
    def test_exact_law(self):
        exponent, residual = power_law([(n, 3e-6 * n**0.75) for n in (100, 1000, 10000)])
        self.assertAlmostEqual(exponent, 0.75)
        self.assertAlmostEqual(residual, 0.0)

    def test_residual(self):
        e = 2.718281828459045
        exponent, residual = power_law([(1, 1), (e, e * e), (e * e, 1)])
        self.assertAlmostEqual(exponent, 0.0)
        self.assertAlmostEqual(residual, (8 / 9) ** 0.5)  # of -2/3, 4/3, -2/3


if __name__ == "__main__":
    unittest.main()

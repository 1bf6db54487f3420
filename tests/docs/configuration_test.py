"""docs/configuration.md against the program: every key is documented, every documented key exists, defaults are the ones in
force and the example is accepted. Environment: PRINT_CONFIGURATION, the program that prints the configuration in force.

  configuration_test.py docs/configuration.md
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PRINT = os.environ["PRINT_CONFIGURATION"]

# A value that is not the default, so that to_toml has to print a key that it leaves out otherwise.
SAMPLE = {"market.rate_curve": "[[0.25, 0.05]]",
          "market.dividends": '[{ticker = "SPY", ex_date = 2026-09-18, amount = 1.5}]',
          "selection.ranking": '"ranking.csv"', "selection.ranking_source": '"ranking.csv"',
          "selection.ranking_sha256": '"' + 64 * "0" + '"',
          "calendar.closed": "[2026-01-02]", "calendar.half": "[2026-01-02]", "calendar.full": "[2026-01-02]"}


def printed(text=None):
    """Keys and values of the configuration in force, or the message of the refusal."""
    command = [PRINT]
    with tempfile.TemporaryDirectory() as directory:
        if text is not None:
            file = Path(directory) / "run.toml"
            file.write_text(text, encoding="utf-8")
            command.append(str(file))
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr
    import tomllib
    tables = tomllib.loads(done.stdout)
    return {f"{section}.{key}": value for section, keys in tables.items() for key, value in keys.items()}, ""


def documented(page):
    """(type, range, default) of every key, from the tables below the headings [section]."""
    keys = {}
    section = None
    for line in page.splitlines():
        heading = re.match(r"## (?:\[(\w+)\])?", line)
        if heading:
            section = heading.group(1)
        row = re.match(r"\| `(\w+)` \|", line)
        if row and section:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) != 5 or not all(cells):
                sys.exit(f"{section}.{row.group(1)}: a row needs key, type, range, default and meaning")
            keys[f"{section}.{row.group(1)}"] = cells[1:4]
    return keys


def main():
    import tomllib
    page = Path(sys.argv[1]).read_text(encoding="utf-8")
    keys = documented(page)
    in_force, _ = printed()
    failures = []
    for key in sorted(set(in_force) - set(keys)):
        failures.append(f"{key}: not documented")
    for key in sorted(set(keys) - set(in_force)):
        section, name = key.split(".")
        accepted, message = printed(f"[{section}]\n{name} = {SAMPLE.get(key, '1')}\n")
        if accepted is None or key not in accepted:
            failures.append(f"{key}: documented, but the program has no such key {message.strip()}")
    for key, value in in_force.items():
        default = re.match(r"`([^`]+)`", keys.get(key, ["", "", ""])[2])
        if default and not isinstance(value, list):
            stated = default.group(1)
            actual = str(value).lower() if isinstance(value, bool) else str(value)
            if stated != actual:
                failures.append(f"{key}: the page says default {stated}, the program {actual}")
    # A number beyond the documented ends is refused, one at the ends is not.
    for key, (kind, limits, _) in keys.items():
        ends = re.match(r"(-?[\d.e-]+) to (-?[\d.e-]+)", limits)
        if not ends or kind not in ("number", "integer"):
            continue
        section, name = key.split(".")
        for text, inside in ((ends.group(1), True), (ends.group(2), True), (f"{float(ends.group(2)) * 1.001 + 1:.0f}", False)):
            accepted, message = printed(f"[{section}]\n{name} = {text}\n")
            if (accepted is not None) != inside:
                failures.append(f"{key} = {text}: {'accepted beyond the documented range' if accepted else message.strip()}")
    # Every entry of iv_rules that the page shows is accepted, alone and by the configuration that it prints.
    entries = re.findall(r"^\| `(\{rule = [^`]*\})` \|", page, re.M)
    for entry in entries:
        accepted, message = printed(f"[scenarios]\niv_rules = [{entry}]\n")
        if accepted is None:
            failures.append(f"{entry}: {message.strip()}")
        elif tomllib.loads(f"rule = {entry}")["rule"] != {**accepted["scenarios.iv_rules"][0]}:
            failures.append(f"{entry}: the program prints {accepted['scenarios.iv_rules'][0]}")
    rules = set(re.findall(r"`(\w+)`", keys["scenarios.iv_rules"][1]))
    if rules != {re.search(r'"(\w+)"', entry).group(1) for entry in entries}:
        failures.append(f"iv_rules: the range names {sorted(rules)}, the entries others")
    example = re.search(r"```toml\n(.*?)```", page, re.S)
    accepted, message = printed(example.group(1)) if example else (None, "no example on the page")
    if accepted is None:
        failures.append(f"the example: {message.strip()}")
    for failure in failures:
        print(failure)
    print(f"{len(keys)} keys documented, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        import tomllib  # noqa: F401
    except ImportError:
        print("no tomllib (Python 3.11): skipped")
        sys.exit(77)
    sys.exit(main())

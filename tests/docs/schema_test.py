"""The tables of docs/schema.md are what `greekgrid schema` prints, and that is what the writers store, byte for byte.

  schema_test.py [--write]

PAGE, PROGRAM, ROWS, SAMPLES and SCHEMA_ROWS in the environment name docs/schema.md, greekgrid, io/hdf5/schema_rows.inc, the
folder of write_hdf5_samples and scripts/schema_rows. With --write the page is brought up to date.
"""
import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"<!-- greekgrid schema (\w+) (\S+) -->\n(.*?)<!-- end -->\n", re.S)


def sections(program):
    """{(file, group): text below its heading} as the program prints them."""
    text = subprocess.run([program, "schema"], capture_output=True, text=True, check=True).stdout
    found = {}
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        heading, body = part.split("\n\n", 1) if "\n\n" in part else (part.strip(), "")
        file, group = re.fullmatch(r"(\w+)\.h5, (\S+)", heading.strip()).groups()
        found[file, group] = body.strip("\n") + "\n"
    return found


def show(before, after, names):
    print("".join(list(difflib.unified_diff(before.splitlines(True), after.splitlines(True), *names))[:40]))


def main():
    page, rows = Path(os.environ["PAGE"]), Path(os.environ["ROWS"])
    made = subprocess.run([sys.executable, os.environ["SCHEMA_ROWS"], os.environ["SAMPLES"]], capture_output=True, text=True)
    if made.returncode == 77:
        print(made.stderr)
        return 77
    if made.returncode != 0 or made.stdout != rows.read_text(encoding="utf-8"):
        show(rows.read_text(encoding="utf-8"), made.stdout, ("schema_rows.inc", "what the writers store"))
        print(made.stderr + f"the rows are not what the writers store: {os.environ['SCHEMA_ROWS']} {os.environ['SAMPLES']} > {rows}, build, then "
              f"run this test again with --write")
        return 1
    printed = sections(os.environ["PROGRAM"])
    text = page.read_text(encoding="utf-8")
    missing = {place for place, body in printed.items() if body.strip()} - {match.groups()[:2] for match in BLOCK.finditer(text)}
    if missing:
        print("not in the page: " + ", ".join(f"<!-- greekgrid schema {file} {group} -->" for file, group in sorted(missing)))
        return 1
    wanted = BLOCK.sub(lambda m: f"<!-- greekgrid schema {m[1]} {m[2]} -->\n\n{printed[m[1], m[2]]}\n<!-- end -->\n", text)
    if "--write" in sys.argv:
        page.write_text(wanted, encoding="utf-8")
    elif wanted != text:
        show(text, wanted, ("docs/schema.md", "greekgrid schema"))
        print("the page is not what the program prints: run this test with --write (ctest -R docs.schema -V shows its environment)")
        return 1
    print(f"{len(printed)} groups of the page are what the program prints and the writers store")
    return 0


if __name__ == "__main__":
    sys.exit(main())

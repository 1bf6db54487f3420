"""The tables of docs/schema.md against files that the program writes: every variable with its dimensions, type and units.

  schema_test.py docs/schema.md CHAINS.h5 NIGHT.h5 HISTORY.h5
"""
import re
import sys
from pathlib import Path

try:
    import h5py
except ImportError:
    print("no h5py (python3-h5py): skipped")
    sys.exit(77)

TYPES = {"float64": "f64", "float32": "f32", "int64": "i64", "int32": "i32", "int8": "i8", "object": "string"}
SIX = ["ticker", "position", "iv_rule", "time", "iv_shift", "spot_step"]


def documented(page):
    """{(file, group): {variable: [dims, type, units]}} from the tables below the headings that name a file."""
    tables = {}
    place = None
    for line in page.splitlines():
        heading = re.match(r"## (.*)", line)
        if heading:
            found = re.match(r"(chains|night|history)\.h5(?:, (/[\w/]+|root))?$", heading.group(1))
            place = (found.group(1), (found.group(2) or "root").lstrip("/")) if found else None
        row = re.match(r"\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|", line)
        if row and place:
            tables.setdefault(place, {})[row.group(1)] = [cell.strip() for cell in row.groups()[1:]]
    return tables


def written(group):
    variables = {}
    for name, item in group.items():
        if not isinstance(item, h5py.Dataset):
            continue
        dims = [dim[0].name.split("/")[-1] if len(dim) else name for dim in item.dims]
        units = str(item.attrs.get("units", ""))
        if "flag_meanings" in item.attrs:
            units = "flags"
        elif units.startswith("seconds since"):
            units = "CF time"
        variables[name] = ["the six" if dims == SIX else ", ".join(dims), TYPES[str(item.dtype)], units]
    return variables


def main():
    tables = documented(Path(sys.argv[1]).read_text(encoding="utf-8"))
    failures = []
    seen = set()
    for kind, path in (("chains", sys.argv[2]), ("night", sys.argv[3]), ("history", sys.argv[4])):
        with h5py.File(path) as file:
            groups = {"root": file}
            file.visititems(lambda name, item: groups.update({name: item}) if isinstance(item, h5py.Group) and name != "run" else None)
            for name, group in groups.items():
                stated = tables.get((kind, name), {})
                seen.add((kind, name))
                actual = written(group)
                actual.pop("dealer_position", None) if kind == "chains" else None
                for variable in sorted(set(stated) | set(actual)):
                    if stated.get(variable) != actual.get(variable):
                        failures.append(f"{kind}.h5 /{name} {variable}: page {stated.get(variable)}, file {actual.get(variable)}")
    for place in set(tables) - seen:
        failures.append(f"{place}: documented, not in the file")
    print("\n".join(failures))
    print(f"{sum(map(len, tables.values()))} variables documented, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/numbers.md against a night.h5: every number of the file is on the page, and the page names none that is not there.

  numbers_test.py docs/numbers.md NIGHT.h5

A heading of the page that ends in groups, "Levels: `/levels`", is about them and the groups below them; headings below inherit
them. Every variable of the groups in PAGE_COVERS is in backticks there, flags `_status` and running numbers apart; coordinates
may stand anywhere. Every name in backticks in the first column of a table there is a variable of one of these groups, if the
file has any of them. `<greek>`, `<right>` and `<wall>` stand for any of their words, 1..10 for the numbers. Every reason
of a `_status` is in backticks on the page. The figures of the worked example are computed again.
"""
import re
import sys
from pathlib import Path

try:
    import h5py
except ImportError:
    print("no h5py (python3-h5py): skipped")
    sys.exit(77)

PAGE_COVERS = ("/", "/levels", "/crossing", "/ladder", "/profile", "/intraday", "/line", "/attribution")
REQUIRED = ("/levels", "/crossing")
WORDS = {"<greek>": ("delta", "gamma", "charm", "vanna", "speed", "zomma", "color", "vega", "vomma", "ultima", "theta", "veta"),
         "<right>": ("call", "put"),
         "<wall>": ("call_wall", "put_wall", "call_wall_unrestricted", "put_wall_unrestricted", "absolute_gamma_strike")}


def expanded(token):
    """[names] of a pattern; itself if it is none."""
    for word, values in WORDS.items():
        if word in token:
            return [name for value in values for name in expanded(token.replace(word, value))]
    numbers = re.search(r"(\d+)\.\.(\d+)", token)
    if numbers:
        return [token[:numbers.start()] + str(k) + token[numbers.end():]
                for k in range(int(numbers.group(1)), int(numbers.group(2)) + 1)]
    return [token]


def tokens(text):
    return re.findall(r"`([^`\s]+)`", text)


def sections(page):
    """[(groups, text)] by heading; a heading without groups of its own has those of the heading above it."""
    found, above = [], []
    for part in re.split(r"(?m)^(?=#{1,6} )", page):
        heading = part.splitlines()[0] if part else ""
        level = len(heading) - len(heading.lstrip("#"))
        above = [entry for entry in above if entry[0] < level]
        groups = re.findall(r"`(/[\w/]*)`", heading)
        if not groups:
            groups = above[-1][1] if above else []
        above.append((level, groups))
        found.append((groups, part))
    return found


def below(group, heading):
    return group == heading or heading != "/" and group.startswith(heading + "/")


def groups_with_variables(file):
    found = {"/": file}
    file.visititems(lambda name, item: found.update({"/" + name: item}) if isinstance(item, h5py.Group) else None)
    return {path: {name: item for name, item in group.items() if isinstance(item, h5py.Dataset)}
            for path, group in found.items()}


def is_coordinate(data):
    return data.attrs.get("CLASS") in (b"DIMENSION_SCALE", "DIMENSION_SCALE")


def is_running_number(data):
    return data.ndim == 1 and is_coordinate(data) and data.dtype.kind == "i" and "units" in data.attrs \
        and data.attrs["units"] in ("1", b"1") and list(data[...]) == list(range(len(data)))


def flag_words(data):
    text = data.attrs.get("flag_meanings", "")
    return (text.decode() if isinstance(text, bytes) else str(text)).split()


def main():
    page = Path(sys.argv[1]).read_text(encoding="utf-8")
    parts = sections(page)
    anywhere = {name for token in tokens(page) for name in expanded(token)}
    failures = []
    with h5py.File(sys.argv[2]) as file:
        groups = groups_with_variables(file)
        for path in REQUIRED:
            if path not in groups:
                failures.append(f"{path}: not in the file")
        count = 0
        for path, variables in groups.items():
            if not any(below(path, heading) for heading in PAGE_COVERS):
                continue
            named = {name for headings, text in parts if any(below(path, heading) for heading in headings)
                     for token in tokens(text) for name in expanded(token)}
            for name, data in variables.items():
                if name.endswith("_status"):
                    for word in set(flag_words(data)) - anywhere - {"ok"}:
                        failures.append(f"{path} {name}: no word on `{word}`")
                    continue
                if is_running_number(data):
                    continue
                count += 1
                if name not in named and not (is_coordinate(data) and name in anywhere):
                    failures.append(f"{path} {name}: not in its section of the page")
        for headings, text in parts:
            have = {name for path, variables in groups.items() for name in variables
                    if any(below(path, heading) for heading in headings)}
            if not have or headings == ["/"]:  # which surfaces are stored is configured
                continue
            for row in re.findall(r"(?m)^\| (`[^|]*) \|", text):
                for token in tokens(row):
                    names = expanded(token)
                    missing = [name for name in names if name not in have]
                    if missing and ("<" not in token or len(missing) == len(names)):
                        failures.append(f"`{token}`: on the page, but {', '.join(headings)} has no {missing[0]}")
    failures += worked_example(page)
    print("\n".join(failures))
    print(f"{count} numbers of the file, {len(failures)} failures")
    return 1 if failures else 0


def worked_example(page):
    """The example says what its own figures give."""
    close, straddle, inner, outer = 6012.29, 63.0, (57.77, 49.44), (34.82, 24.28)
    wanted = [f"{close:.2f}", f"{straddle:.0f} points", f"[{close - straddle:.2f}, {close + straddle:.2f}]",
              *(f"{value:.2f}" for value in inner + outer), f"{sum(inner):.2f}", f"{sum(inner + outer):.2f}"]
    return [f"the worked example lacks {text}" for text in wanted if text not in page]


if __name__ == "__main__":
    sys.exit(main())

"""The levels of every ticker as a pandas table, with h5py alone: levels_pandas.py night.h5 [OUT.csv]."""

import sys

try:
    import h5py
    import pandas as pd
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

with h5py.File(sys.argv[1]) as night:
    columns = {}
    for name, column in night["levels"].items():
        if column.dtype.kind == "O":  # text
            columns[name] = column.asstr()[...]
        elif "flag_meanings" in column.attrs:  # a status: why a level is missing
            columns[name] = [column.attrs["flag_meanings"].split()[flag] for flag in column[...]]
        else:
            columns[name] = column[...]

levels = pd.DataFrame(columns).set_index("row")
print(levels[["ticker", "position", "gamma_index", "call_wall", "put_wall", "zero_gamma", "zero_gamma_status"]])
if len(sys.argv) > 2:
    levels.to_csv(sys.argv[2], index=False)

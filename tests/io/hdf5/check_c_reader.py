"""The example in C++ and xarray read the same numbers: check_c_reader.py READ_NIGHT NIGHT.h5 TICKER."""
import subprocess
import sys

try:
    import h5netcdf  # noqa: F401
    import numpy
    import xarray
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def main(program, path, ticker):
    lines = subprocess.run([program, path, ticker], capture_output=True, text=True, check=True).stdout.splitlines()
    with xarray.open_dataset(path, engine="h5netcdf") as night:
        gx = night.gx.sel(ticker=ticker).isel(position=0, iv_rule=0, time=0).sel(iv_shift=0.0)
        table = numpy.array([[float(x) for x in line.split()] for line in lines[:-2]])
        assert numpy.array_equal(table[:, 0], gx.spot.values), "spot"
        assert numpy.array_equal(table[:, 1].astype(numpy.float32), gx.values), "gx"
    with xarray.open_dataset(path, group="levels", engine="h5netcdf") as levels:
        row = list(levels.ticker.values).index(ticker)
        for line in lines[-2:]:
            name, value = line.split()
            assert numpy.array_equal(float(value), levels[name].values[row], equal_nan=True), line
    wrong = subprocess.run([program, path, "NOPE"], capture_output=True, text=True)
    assert wrong.returncode == 1 and "no such ticker" in wrong.stderr, wrong
    print(f"{len(table)} cells and 2 levels agree")


if __name__ == "__main__":
    main(*sys.argv[1:])

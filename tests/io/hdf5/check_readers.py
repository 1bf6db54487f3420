"""Opens the sample files with every common reader and compares values: check_readers.py DIRECTORY.

Exit 0 when all agree, 1 otherwise, 77 (skipped) where a reader is missing.
"""

import shutil
import subprocess
import sys

try:
    import h5netcdf  # noqa: F401
    import h5py
    import netCDF4  # noqa: F401
    import numpy as np
    import xarray as xr
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
if shutil.which("ncdump") is None:
    print("skipped: no ncdump")
    sys.exit(77)

SURFACES = "dx gx charm vanna speed zomma color vega vomma ultima theta veta delta_change".split()
GREEKS = "delta gamma charm vanna speed zomma color vega vomma ultima theta veta".split()


def scramble(index):
    """The number that sample.hpp gives an index."""
    bits = ((np.asarray(index, dtype=np.uint64) * np.uint64(2654435761)) >> np.uint64(8)) & np.uint64(0xFFFF)
    return (bits.astype(np.float64) - 32768.0) / 64.0


def round_bits(values, keep):
    """Keeps `keep` mantissa bits of float32, half to even."""
    drop = 23 - keep
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    bits = bits + ((1 << (drop - 1)) - 1) + ((bits >> drop) & 1)
    return (bits & (0xFFFFFFFF ^ ((1 << drop) - 1))).astype(np.uint32).view(np.float32)


def check_night(path, engine):
    with xr.open_dataset(path, engine=engine) as night:
        assert list(night.dims) and set(night.coords) >= {"ticker", "time", "iv_shift", "spot_step", "spot",
                                                          "spot_reference"}, night.coords
        assert night["time"].dtype.kind == "M", night["time"]
        assert str(night["time"].values[0])[:19] == "2023-09-14T20:00:00"
        size = len(SURFACES) * night["dx"][0].size
        for place, name in enumerate(SURFACES):
            surface = night[name]
            assert surface.dtype == np.float32
            index = np.arange(surface[0].size) + place * surface[0].size
            for ticker in range(surface.shape[0]):
                wanted = scramble(ticker * 1000003 + index).astype(np.float32).reshape(surface.shape[1:])
                if "_one." in path:
                    wanted = round_bits(wanted.ravel(), 12).reshape(wanted.shape)
                assert np.array_equal(surface[ticker].values, wanted), (path, engine, name, ticker)
        assert size > 0
    for group in ("expiry", "contract", "levels", "crossing", "quality"):
        with xr.open_dataset(path, engine=engine, group=group) as table:
            if table.attrs.get("rows") is not None:
                assert int(np.asarray(table.attrs["rows"]).ravel()[0]) == 0 and not table.variables, (path, group)
                continue
            assert table.variables, (path, group)
            for name, variable in table.variables.items():
                assert variable.dtype.kind != "m", (group, name, "became a time difference")
            if group == "contract":
                n = table.sizes["contract"]
                wanted = scramble(np.arange(2 * n) + 5).reshape(n, 2)
                assert np.array_equal(table["dealer_position"].values, wanted)
                for place, name in enumerate(GREEKS):
                    assert np.array_equal(table[name].values, scramble(np.arange(n) + place * n + 9)), name
            if group == "levels":
                frame = table.to_dataframe()
                assert {"ticker", "position", "zero_gamma", "zero_gamma_status"} <= set(frame.columns)
    with xr.open_dataset(path, engine=engine, group="run") as run:
        assert run.attrs["backend"] == "reference" and run.attrs["configuration"].startswith("[grid]")


def check_chains(path, engine):
    with xr.open_dataset(path, engine=engine) as chains:
        index = np.arange(chains.sizes["contract"])
        assert np.array_equal(chains["bid"].values, np.abs(scramble(index)))
        last = np.where(index % 3 == 0, np.nan, scramble(index + 7))
        assert np.array_equal(chains["last"].values, last, equal_nan=True)
        assert chains["settlement"].dtype.kind == "M"
        if "_large." in path:
            assert np.array_equal(chains["dealer_position"].values, scramble(index + 3))
        sources = chains.attrs.get("source_name")
        if "_one." not in path:
            assert list(sources) == ["spx_quotedata.csv", "déjà vu.csv"], sources


def main(directory):
    for size in ("small", "large", "one"):
        for engine in ("netcdf4", "h5netcdf"):
            check_night(f"{directory}/night_{size}.h5", engine)
            check_chains(f"{directory}/chains_{size}.h5", engine)
        for kind in ("night", "chains"):
            path = f"{directory}/{kind}_{size}.h5"
            shown = subprocess.run(["ncdump", "-h", path], capture_output=True, text=True, check=True)
            assert "group: levels" in shown.stdout or kind == "chains"
            # ncdump without -h reads every value through the library's own filters.
            if size != "large":
                subprocess.run(["ncdump", path], stdout=subprocess.DEVNULL, check=True)
    with h5py.File(f"{directory}/night_one.h5") as night:
        assert night["gx"].attrs["_QuantizeBitRoundNumberOfSignificantBits"].dtype == np.int32
        assert night["gx"].attrs["_QuantizeBitRoundNumberOfSignificantBits"][0] == 12
    with h5py.File(f"{directory}/night_small.h5") as night:
        assert "_QuantizeBitRoundNumberOfSignificantBits" not in night["gx"].attrs
    print("every reader agrees")


if __name__ == "__main__":
    main(sys.argv[1])

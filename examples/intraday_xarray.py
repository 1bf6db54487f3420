"""The charm heatmap of one ticker to the close and its path of least resistance: intraday_xarray.py NIGHT.h5 TICKER [OUT.png]

Needs python3-xarray and python3-h5netcdf (or python3-netcdf4), and for the picture python3-matplotlib.
"""
import sys

try:
    import numpy as np
    import xarray as xr
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

path, ticker = sys.argv[1:3]
with xr.open_dataset(path, group="intraday") as intraday:
    one = intraday.sel(ticker=ticker, expiries="all").isel(position=0).load()
spot = one["spot"].values
minutes = ((one["time"] - one["time"][0]) / np.timedelta64(1, "m")).astype(int).values

print(f"{ticker}, positions {one['position'].item()}, {minutes[-1]} minutes to the close")
middle = len(spot) // 2  # spot_step 0: the reference
charm = one["charm_heatmap"].isel(spot_step=middle)
print("\nat the reference spot:")
print("minute   charm heatmap   gamma heatmap   path of least resistance")
for k in range(0, len(minutes), max(1, len(minutes) // 8)):
    print(f"{minutes[k]:6d}  {float(charm[k]):14.1f}  {float(one['gamma_heatmap'][k, middle]):14.1f}  {float(one['path_spot'][k]):12.2f}")
# Dealers hedge against the change of their delta; one contract-delta of SPX is two ES futures.
# A row is the change until the next one: that of the close itself is no longer traded.
flow = -float(charm[:-1].sum())
print(f"\ncontract-delta that dealers buy by the close if spot stays: {flow:.0f}" + (f" = {2.0 * flow:.0f} ES" if ticker == "SPX" else ""))

if len(sys.argv) > 3:
    try:
        import matplotlib
    except ImportError as error:
        print(f"no picture: {error}")
        sys.exit(0)
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    heat = one["charm_heatmap"].transpose("spot_step", "time").values
    limit = abs(heat).max() or 1.0
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    mesh = axes.pcolormesh(minutes, spot, heat, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="nearest")
    axes.plot(minutes, one["path_spot"].values, color="black", label="path of least resistance")
    axes.set_xlabel("minutes from the quotes")
    axes.set_ylabel("spot, USD")
    axes.set_title(f"{ticker}: charm, contract-delta per 5 minutes")
    axes.legend()
    figure.colorbar(mesh, ax=axes)
    figure.savefig(sys.argv[3], dpi=110)

"""Plots the gamma exposure of one ticker over spot and time: plot_surface.py NIGHT.h5 TICKER [OUT.png]

Needs python3-xarray, python3-h5netcdf and python3-matplotlib.
"""
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import xarray


def main(path, ticker, out="surface.png"):
    with xarray.open_dataset(path, engine="h5netcdf") as night:
        gx = night.gx.sel(ticker=ticker, iv_shift=0.0).isel(position=0, iv_rule=0)
        spot = night.spot.sel(ticker=ticker).values
        reference = float(night.spot_reference.sel(ticker=ticker))
        # shares per USD -> 1e9 USD per 1 % of spot
        scaled = gx.values * 0.01 * spot**2 / 1e9
        labels = [str(t)[5:16].replace("T", " ") for t in night.time.values]
    with xarray.open_dataset(path, group="levels", engine="h5netcdf") as levels:
        row = int((levels.ticker == ticker).argmax())
        zero_gamma = float(levels.zero_gamma[row])

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 7), sharex=True, height_ratios=(2, 3), layout="constrained")
    for k in (0, 1, len(labels) - 1):
        top.plot(spot, scaled[k], label=labels[k] + " UTC")
    top.axhline(0.0, color="0.6", linewidth=0.8)
    top.axvline(reference, color="0.3", linestyle=":", linewidth=1)
    top.set_ylabel("gamma exposure\n1e9 USD per 1 %")
    top.set_title(f"{ticker}: dealer gamma exposure, naive positions, spot {reference:.2f}, zero gamma {zero_gamma:.2f}")
    top.legend()
    limit = abs(scaled).max()
    mesh = bottom.pcolormesh(spot, range(len(labels)), scaled, cmap="RdBu", vmin=-limit, vmax=limit, shading="nearest")
    bottom.set_yticks(range(len(labels)), labels)
    bottom.axvline(reference, color="0.3", linestyle=":", linewidth=1)
    bottom.set_xlabel("spot, USD")
    bottom.set_ylabel("scenario time, UTC")
    figure.colorbar(mesh, ax=bottom, label="1e9 USD per 1 %", orientation="horizontal", shrink=0.8)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])

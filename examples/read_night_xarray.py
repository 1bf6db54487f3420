"""Gamma exposure of one ticker over spot, now and at the last scenario time: read_night_xarray.py night.h5 [TICKER]."""

import sys

try:
    import xarray as xr
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

path = sys.argv[1]
night = xr.open_dataset(path)
ticker = sys.argv[2] if len(sys.argv) > 2 else str(night["ticker"].values[0])

# One ticker's surface: axes by name, values by coordinate.
gx = night["gx"].sel(ticker=ticker).isel(position=0, iv_rule=0).sel(iv_shift=0.0)
per_cent = 0.01 * gx["spot"]  # shares per 1 % = shares per dollar times 1 % of spot
table = (gx * per_cent).isel(time=[0, -1]).transpose("spot_step", "time").to_pandas()
table.insert(0, "spot", gx["spot"].values)

print(f"{ticker}: gamma exposure in shares per 1 %, position model {gx['position'].item()}")
print(table.to_string(float_format="%.2f"))

# What was used is in the groups: the contracts behind the sums.
contract = xr.open_dataset(path, group="contract")
begin, count = (int(contract[name].sel(ticker=ticker)) for name in ("contract_begin", "contract_count"))
used = contract.isel(contract=slice(begin, begin + count))
print(f"{count} contracts, mean implied volatility {float(used['implied_volatility'].mean()):.4f}")

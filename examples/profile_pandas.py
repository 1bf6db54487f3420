"""Where the exposure of one ticker sits, as pandas tables: profile_pandas.py NIGHT.h5 TICKER

By strike around spot, and the roll-off schedule: what is left after each expiration. Needs python3-h5py and python3-pandas.
"""
import sys

try:
    import h5py
    import pandas as pd
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

path, ticker = sys.argv[1:3]
with h5py.File(path) as night:
    tickers = night["ticker"].asstr()[...].tolist()
    if ticker not in tickers:
        sys.exit(f"{path}: no ticker {ticker} (it has {', '.join(tickers)})")
    u = tickers.index(ticker)
    model = night["position"].asstr()[0]
    spot = night["spot_reference"][u]
    per_cent = 0.01 * spot**2 / 1e9  # shares per USD -> 1e9 USD per 1 % of spot

    # The rows of a ticker are contiguous; exposures have a column per position model, of which the first is taken.
    group = night["profile/strike"]
    begin, count = int(group["strike_begin"][u]), int(group["strike_count"][u])
    rows = slice(begin, begin + count)
    strikes = pd.DataFrame({
        "call_oi": group["call_open_interest"][rows].astype(int),
        "put_oi": group["put_open_interest"][rows].astype(int),
        "call_gamma": group["gamma_call"][rows, 0] * per_cent,
        "put_gamma": group["gamma_put"][rows, 0] * per_cent,
        "net_gamma": group["gamma_net"][rows, 0] * per_cent,
        "gross_gamma": group["gamma_gross"][rows, 0] * per_cent,
    }, index=pd.Index(group["strike"][rows], name="strike"))

    # The rows of /profile/expiry are those of /expiry.
    group, expiry = night["profile/expiry"], night["expiry"]
    mine = expiry["expiry_ticker"][...] == u
    schedule = pd.DataFrame({
        "settles": pd.to_datetime(expiry["settlement"][...][mine], unit="s", utc=True),
        "root": expiry["root"].asstr()[...][mine],
        "call_oi": group["call_open_interest"][...][mine].astype(int),
        "put_oi": group["put_open_interest"][...][mine].astype(int),
        "max_pain": group["max_pain"][...][mine],
        "net_gamma": group["gamma_net"][...][mine, 0] * per_cent,
        "gamma_after": group["gx_after"][...][mine, 0] * per_cent,
        "delta_after": group["dx_after"][...][mine, 0],
    }).sort_values(["settles", "root"]).set_index("settles")

print(f"{ticker}, spot {spot:.2f}, positions {model}; gamma in 1e9 USD per 1 %, delta in shares")
print()
near = strikes.iloc[(strikes.index.to_series() - spot).abs().argsort().iloc[:15]].sort_index()
print(near.to_string(float_format="{:.4f}".format))
print(f"\nall {len(strikes)} strikes: net {strikes.net_gamma.sum():.4f}, gross {strikes.gross_gamma.sum():.4f}")
print()
print(schedule.head(12).to_string(float_format="{:.4f}".format))

"""Predictors, forecasts and hypothetical closes of a night.h5 against plain recomputation.

  brute_force_steps.py NIGHT.h5 HISTORY.h5 CHAINS.h5 [--ticker T]... [--every N]

Takes the history's closes and short ratios, the chain's open interest and the night's own /contract and /expiry, and
nothing of the program. Tickers whose history has splits are left out. Prints every disagreement; exit 1 if there is any,
77 without numpy or h5py.
"""
import argparse
import datetime as dt
import math
import sys

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from brute_force_levels import YEAR, greeks, normal

HORIZONS = (5, 21)
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
LETTERS = ("p", "v", "g", "d")

# Sums of 21 numbers of 1 in double, and what is made of them.
SERIES = 1e-12
# Single precision of the program's surfaces, as its documentation states it, and its interpolation between spots.
BOOK = 6e-6
RATIO = 2e-5  # a quotient of two such
G_SHARE = 2e-7
MAP = 1.3e-4  # 12 bits of a mantissa, rounded, and what the program states of the sums


def texts(values):
    return [v.decode() for v in values[:]]


class Report:
    def __init__(self):
        self.checked, self.broken = 0, []

    def near(self, what, got, want, tolerance):
        got, want = np.broadcast_arrays(np.asarray(got, float), np.asarray(want, float))
        self.checked += got.size
        both = np.isnan(got) & np.isnan(want)
        wrong = ~both & ~(np.abs(got - want) <= tolerance)
        if wrong.any():
            i = np.unravel_index(np.argmax(wrong), wrong.shape)
            self.broken.append(f"{what}{list(map(int, i))}: file {got[i]!r}, here {want[i]!r} ({int(wrong.sum())} cells)")


# ---------------------------------------------------------------------------------------------------- the past


def history_of(history, ticker, last):
    names = texts(history["symbol"])
    if ticker not in names:
        return None
    s = names.index(ticker)
    rows = slice(int(history["row_begin"][s]), int(history["row_begin"][s] + history["row_count"][s]))
    date = history["date"][rows]
    keep = date <= last
    column = {name: history[name][rows][keep] for name in
              ("close", "dix", "short_volume", "off_exchange_volume", "g", "iv30")}
    held = np.isfinite(column["close"])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(np.isfinite(column["dix"]), column["dix"], column["short_volume"] / column["off_exchange_volume"])
    return {"date": date[keep][held], "close": column["close"][held], "ratio": ratio[held], "g": column["g"][held],
            "iv30": column["iv30"][held]}


def trailing(x, n):
    out = np.full(x.size, np.nan)
    for t in range(n - 1, x.size):
        out[t] = sum(x[t - n + 1:t + 1]) / n
    return out


def predictors(close, ratio, g):
    r = np.full(close.size, np.nan)
    r[1:] = close[1:] / close[:-1] - 1.0
    mad = trailing(np.abs(r), 21)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = trailing(r, 21) / mad
        v = mad / trailing(mad, 21) - 1.0
    d = np.full(close.size, np.nan)
    for t in range(5, close.size):
        d[t] = sum(ratio[t - 5:t]) / 5
    return r, mad, [p, v, g, d]


def standing(past, value):
    """Of one more value among those before it."""
    known = past[np.isfinite(past)]
    if not np.isfinite(value) or known.size + 1 < 252:
        return np.nan
    n = known.size + 1
    return 2.0 * ((known < value).sum() + 0.5 * ((known == value).sum() + 1)) / n - 1.0


def standings(x):
    return np.array([standing(x[:t], x[t]) for t in range(x.size)])


def outcomes(close, mad, h):
    y = np.full(close.size, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        y[:-h] = (close[h:] / close[:-h] - 1.0) / (mad[:-h] * math.sqrt(h))
    return y


def chosen(z, z_all, y, last):
    """Which predictors are in the distance: the most that have 42 candidates, or none."""
    valid = np.isfinite(z)
    if not (valid[0] and valid[1]):
        return []
    every = [0, 1] + [k for k in (2, 3) if valid[k]]

    def candidates(axes):
        return sum(np.logical_and.reduce([np.isfinite(y[:last + 1])] + [np.isfinite(z_all[k][:last + 1]) for k in axes]))
    three = [axes for axes in ([0, 1, 2], [0, 1, 3]) if valid[axes[2]]]
    three.sort(key=lambda axes: -candidates(axes))
    for axes in ([every] if len(every) == 4 else []) + three + [[0, 1]]:
        if candidates(axes) >= 42:
            return axes
    return every


def quantile(y, w, p):
    order = np.argsort(y, kind="stable")
    c = np.cumsum(w[order]) - 0.5 * w[order]
    return np.interp(p, c, y[order])


def neighbours(z_all, y, z, axes, last, now):
    """Weighted outcomes of the 42 nearest, or None."""
    s = np.arange(last + 1)
    ok = np.isfinite(y[:last + 1])
    for k in axes:
        ok &= np.isfinite(z_all[k][:last + 1])
    s = s[ok]
    if s.size < 42:
        return None
    d2 = sum((z_all[k][s] - z[k]) ** 2 for k in axes)
    near = np.lexsort((-s, d2))[:42]
    s, d2 = s[near], d2[near]
    w = 2.0 ** (-(now - s) / 504.0)
    if d2[-1] > 0.0:
        w = w * np.exp(-d2 / (2.0 * d2[-1]))
    return s, w / w.sum(), y[s]


def forecast(found):
    _, w, y = found
    out = {"mean": (w * y).sum(), "volatility": (w * abs(y)).sum(), "n_eff": 1.0 / (w * w).sum(),
           "volatility_median": quantile(abs(y), w, 0.5)}
    out.update({f"quantile_{round(100 * p):02d}": quantile(y, w, p) for p in PROBABILITIES})
    s = math.sqrt((w * (y - out["mean"]) ** 2).sum())
    b = 1.06 * s * out["n_eff"] ** -0.2
    low, high = y.min() - 10 * b, y.max() + 10 * b
    for _ in range(200):
        middle = 0.5 * (low + high)
        if (w * normal((middle - y) / b)).sum() < 0.5:
            low = middle
        else:
            high = middle
    out["median"] = 0.5 * (low + high)
    return out


def crps(w, y, came):
    return (w * abs(y - came)).sum() - 0.5 * (w[:, None] * w[None, :] * abs(y[:, None] - y[None, :])).sum()


# ---------------------------------------------------------------------------------------------------- the book


def percent_gamma(chain, spot, at):
    held = (chain["settlement"] > at) & (chain["open_interest"] * chain["multiplier"] > 0.0)
    k, right = chain["strike"][held], chain["right"][held]
    size = (chain["open_interest"] * chain["multiplier"])[held]
    width = 0.2 * np.sqrt((chain["settlement"][held] - at) / YEAR)
    moved = np.where(right > 0, 1.01, 0.99) * spot
    change = abs(normal(np.log(moved / k) / width + 0.5 * width) - normal(np.log(spot / k) / width + 0.5 * width))
    call, put = (size * change)[right > 0].sum(), (size * change)[right < 0].sum()
    return call / (call + put) if call + put > 0.0 else np.nan


def chain_of(chains, ticker):
    u = texts(chains["ticker"]).index(ticker)
    rows = slice(int(chains["contract_begin"][u]), int(chains["contract_begin"][u] + chains["contract_count"][u]))
    return {"settlement": chains["settlement"][:][chains["contract_expiry"][rows]].astype(float),
            **{name: chains[name][rows].astype(float) for name in ("strike", "right", "open_interest", "multiplier")}}


def book_of(night, u):
    contract, expiry = night["contract"], night["expiry"]
    rows = slice(int(contract["contract_begin"][u]), int(contract["contract_begin"][u] + contract["contract_count"][u]))
    e = contract["contract_expiry"][rows]
    book = {name: contract[name][rows].astype(float) for name in
            ("strike", "right", "multiplier", "open_interest", "implied_volatility")}
    book["position"] = contract["dealer_position"][rows].astype(float)
    for name in ("settlement", "rate", "dividend_yield"):
        book[name] = expiry[name][:].astype(float)[e]
    return book


def check_book(report, night, u, name, closes, mode, at):
    book, group = book_of(night, u), night["step_forward"]
    basis, floor = float(night["spot_basis"][u]), float(night["iv_shift"].attrs["iv_floor"][0])
    live = book["settlement"] > at
    part = {key: value[live] for key, value in book.items()}
    tau = (part["settlement"] - at) / YEAR
    shifts = night["iv_shift"][:]
    axis = group["next_close"][:]
    columns = {q: group[q][u, mode, :, 0] for q in ("dx", "gx", "charm", "vanna", "gamma_index", "flip", "call_wall", "put_wall")}
    ratio = group["g_old"][u, mode, 0]
    spots = group["close"][u]
    positions = columns["dx"].shape[0]
    weight = part["position"] * part["multiplier"][:, None]
    for v, shift in enumerate(shifts):
        sigma = np.maximum(part["implied_volatility"] + shift, floor)
        values = {q: np.zeros((positions, len(closes))) for q in ("dx", "gx", "charm", "vanna")}
        for c, k in enumerate(closes):
            s = spots[k]
            one = greeks(("delta", "gamma", "charm", "vanna"), s * math.exp(basis), part["strike"], sigma, tau, part["rate"],
                         part["dividend_yield"], part["right"])
            for q, greek, order in (("dx", "delta", 1), ("gx", "gamma", 2), ("charm", "charm", 1), ("vanna", "vanna", 1)):
                values[q][:, c] = (weight * one[greek][:, None]).sum(0) * math.exp(basis * order)
            size = part["open_interest"] * part["multiplier"] * one["gamma"]
            call, put = size[part["right"] > 0].sum(), size[part["right"] < 0].sum()
            if put > 0.0:
                report.near(f"{name} g_old shift {shift} close {axis[k]:.2f}", ratio[v, k], call / put, RATIO * call / put)
            for w in range(positions):
                gross = abs(weight[:, w]) * one["gamma"]
                for wall, right, side in (("call_wall", 1, part["strike"] >= s), ("put_wall", -1, part["strike"] <= s)):
                    strikes, place = np.unique(part["strike"][side & (part["right"] == right)], return_inverse=True)
                    got = columns[wall][w, v, k]
                    sums = np.zeros(strikes.size)
                    np.add.at(sums, place, gross[side & (part["right"] == right)])
                    if not strikes.size or sums.max() <= 0.0:
                        report.near(f"{name} {wall} shift {shift} close {axis[k]:.2f}", got, np.nan, 0.0)
                        continue
                    at_wall = sums[np.argmin(abs(strikes - got))]
                    report.near(f"{name} {wall} shift {shift} close {axis[k]:.2f}", at_wall, sums.max(), 1e-10 * sums.max())
        for q in values:
            # Relative to the largest of the whole row in the file.
            largest = abs(columns[q][:, v]).max(initial=0.0, where=np.isfinite(columns[q][:, v]))
            report.near(f"{name} {q} shift {shift}", columns[q][:, v][:, closes], values[q], BOOK * largest)
        report.near(f"{name} gamma_index shift {shift}", columns["gamma_index"][:, v][:, closes],
                    0.01 * spots[closes] ** 2 * values["gx"] / 1e9,
                    BOOK * 0.01 * spots[closes] ** 2 / 1e9 * abs(columns["gx"][:, v]).max(initial=0.0, where=np.isfinite(columns["gx"][:, v])))
        if texts(night["iv_rule"])[0] != "sticky_strike":
            continue
        for w in range(positions):  # a flip is where the exposure changes sign, 1e-4 of spot to either side
            for flip in set(columns["flip"][w, v, closes]):
                if not np.isfinite(flip):
                    continue
                ends = [(weight[:, w] * greeks(("gamma",), flip * f * math.exp(basis), part["strike"], sigma, tau, part["rate"],
                                               part["dividend_yield"])["gamma"]).sum() for f in (1 - 1e-4, 1 + 1e-4)]
                report.checked += 1
                if ends[0] * ends[1] >= 0.0:
                    report.broken.append(f"{name} flip {flip} shift {shift}: no change of sign ({ends})")


def check_ticker(report, night, history, chains, u, every):
    ticker = texts(night["ticker"])[u]
    group, steps = night["predictors"], night["step_forward"]
    session = int(dt.datetime.fromisoformat(group.attrs["session"] + "T00:00:00+00:00").timestamp())
    past = history_of(history, ticker, session)
    if past is None or group["status"][u] != 0:
        return False
    ratios = past["close"][1:] / past["close"][:-1]
    if (abs(np.log(ratios)) > math.log(1.7)).any():
        return False
    quote = int(night["time"][0])
    next_close = int(dt.datetime.fromisoformat(steps.attrs["next_session_close"].replace("Z", "+00:00")).timestamp())
    chain = chain_of(chains, ticker)
    past["g"][-1] = percent_gamma(chain, past["close"][-1], quote)
    close, t = past["close"], past["close"].size - 1
    r, mad, x = predictors(close, past["ratio"], past["g"])
    z = [standings(series) for series in x]
    report.near(f"{ticker} close", group["close"][u], close[t], 0.0)
    report.near(f"{ticker} mad", group["mad"][u], mad[t], SERIES)
    for k, letter in enumerate(LETTERS):
        report.near(f"{ticker} {letter}", group[letter][u], x[k][t], SERIES)
        report.near(f"{ticker} z_{letter}", group["z_" + letter][u], z[k][t], 0.0 if k != 2 else 1e-9)
    now = np.array([series[t] for series in z])
    for i, h in enumerate(HORIZONS):
        y = outcomes(close, mad, h)
        axes = chosen(now, z, y, t - h)
        found = neighbours(z, y, now, axes, t - h, t)
        for key, want in forecast(found).items():
            report.near(f"{ticker} {key} of {h}", night["forecast"][key][u, i], want, 1e-9)
        near = past["date"][found[0]]
        report.near(f"{ticker} neighbours of {h}", night["forecast"]["neighbour_session"][u, i], near, 0.0)
        # The record, every session of the past.
        ours, theirs = [], []
        for s in range(h, t + 1 - h):
            one = np.array([series[s] for series in z])
            set_of = chosen(one, z, y, s - h)
            if not set_of or not np.isfinite(y[s]):
                continue
            known = np.isfinite(y[:s - h + 1])
            for k in set_of:
                known &= np.isfinite(z[k][:s - h + 1])
            if known.sum() < 42:
                continue
            ours.append(crps(*neighbours(z, y, one, set_of, s - h, s)[1:], y[s]))
            pool = np.sort(y[:s - h + 1][known])
            n = pool.size
            theirs.append(abs(pool - y[s]).mean() - ((2 * np.arange(1, n + 1) - n - 1) * pool).sum() / n**2)
        report.near(f"{ticker} forecasts of {h}", night["record"]["forecasts"][u, i], len(ours), 0.0)
        if ours:
            report.near(f"{ticker} crps of {h}", night["record"]["crps"][u, i], np.mean(ours), 1e-10)
            report.near(f"{ticker} skill of {h}", night["record"]["skill"][u, i], 1 - np.mean(ours) / np.mean(theirs), 1e-10)
        # Weather: some places of the first pair.
        if "mean" in night["weather"]:
            ok = np.isfinite(y[:t - h + 1]) & np.isfinite(z[0][:t - h + 1]) & np.isfinite(z[1][:t - h + 1])
            a, b, yy = z[0][:t - h + 1][ok], z[1][:t - h + 1][ok], y[:t - h + 1][ok]
            for m, n in ((0, 0), (20, 40), (32, 32), (63, 5)):
                kernel = np.exp(-((-1 + 2 * m / 63 - a) ** 2 + (-1 + 2 * n / 63 - b) ** 2) / (2 * 0.15**2))
                place = (u, i, 0, m, n)
                mass = kernel.sum()
                report.near(f"{ticker} mass of {h}", night["weather"]["mass"][place], mass, MAP * mass + 1e-9 * yy.size)
                if mass < 5.0:
                    continue
                report.near(f"{ticker} weather of {h}", night["weather"]["mean"][place], (kernel * yy).sum() / mass,
                            MAP * (kernel * abs(yy)).sum() / mass)
                report.near(f"{ticker} weather n_eff of {h}", night["weather"]["n_eff"][place], mass**2 / (kernel**2).sum(),
                            MAP * mass**2 / (kernel**2).sum())
    # Hypothetical closes.
    axis = steps["next_close"][:]
    own = np.flatnonzero(steps["close_status"][u] == 1)
    closes = own[::every]
    for m, mode in enumerate(texts(steps["mode"])):
        replace = mode == "replace"
        at = quote if replace else next_close
        known = past["ratio"][t - 4:t + 1]
        for k in closes:
            c = close[t] * (1.0 + axis[k] * mad[t])
            where = f"{ticker} {mode} {axis[k]:.2f}"
            report.near(where + " close", steps["close"][u, k], c, 1e-12 * c)
            path = np.append(close[:t], c) if replace else np.append(close, c)
            before = np.append(past["ratio"][:t], np.nan) if replace else np.append(past["ratio"], np.nan)
            _, path_mad, path_x = predictors(path[-80:], before[-80:], np.full(min(80, path.size), np.nan))
            value = [path_x[0][-1], path_x[1][-1], percent_gamma(chain, c, at),
                     x[3][t] if replace else (sum(known) / 5 if np.isfinite(known).all() else x[3][t])]
            report.near(where + " mad", steps["mad"][u, m, k], path_mad[-1], SERIES)
            places = []
            for j, letter in enumerate(LETTERS):
                report.near(f"{where} {letter}", steps[letter][u, m, k], value[j], SERIES if j != 2 else G_SHARE)
                # Standings of the file's own value: a rounding may change a rank.
                stored = steps[letter][u, m, k]
                places.append(standing(x[j][:t] if replace else x[j], stored))
                report.near(f"{where} z_{letter}", steps["z_" + letter][u, m, k], places[-1], 0.0)
            for i, h in enumerate(HORIZONS):
                y = outcomes(close, mad, h)
                axes = chosen(np.array(places), z, y, t - h)
                found = neighbours(z, y, places, axes, t - h, t if replace else t + 1)
                for key, want in forecast(found).items():
                    report.near(f"{where} {key} of {h}", steps[key][u, m, i, k], want, 1e-9)
                report.near(f"{where} neighbours of {h}", steps["neighbour_age"][u, m, i, :, k], t - found[0], 0.0)
        check_book(report, night, u, f"{ticker} {mode}", closes, m, at)
    return True


def main():
    parser = argparse.ArgumentParser()
    for name in ("night", "history", "chains"):
        parser.add_argument(name)
    parser.add_argument("--ticker", action="append")
    parser.add_argument("--every", type=int, default=37)
    options = parser.parse_args()
    report, tickers = Report(), 0
    with h5py.File(options.night) as night, h5py.File(options.history) as history, h5py.File(options.chains) as chains:
        for u, ticker in enumerate(texts(night["ticker"])):
            if not options.ticker or ticker in options.ticker:
                tickers += check_ticker(report, night, history, chains, u, options.every)
    for line in report.broken[:50]:
        print(line)
    print(f"{tickers} tickers, {report.checked} numbers, {len(report.broken)} disagreements")
    return 1 if report.broken or not tickers else 0


if __name__ == "__main__":
    sys.exit(main())

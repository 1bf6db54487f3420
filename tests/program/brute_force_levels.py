"""Levels, crossings, ladder and profiles of a night.h5 against plain recomputation from the file's own audit trail.

  brute_force_levels.py NIGHT.h5 [--previous NIGHT.h5] [--allow-missing] [--stickiness R] [--ticker T]...

Takes /contract, /expiry, /volatility and the root's attributes, and nothing of the program: own Greeks, own calendar,
own root finding on spots 0.0034 % apart. Prints every disagreement; exit 1 if there is any, 77 without numpy or h5py.
--allow-missing skips groups and columns that the file lacks, and takes a file without `zero_gamma_prominence` for one
whose zero gamma is searched in the range of its spot grid.
"""
import argparse
import datetime as dt
import math
import sys
import time
from zoneinfo import ZoneInfo

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

YEAR = 31_536_000.0
NEW_YORK = ZoneInfo("America/New_York")
LOW, HIGH = 0.8, 1.2  # the range of spots searched, over spot
SPOTS = 12001         # steps of 0.0034 %: a sixth of the 0.02 % that the levels are promised with
PROMISED_STEP = 2e-4  # in ln S

# Tolerances. Strikes, counts and reasons: none.
SUM = 1e-9         # of sums, over the sum of magnitudes: 2e4 terms in double stay below 2e4 * 1.1e-16 = 2e-12 of it
ROOT = 1e-6        # of spots found by root finding, over spot; both sides refine far below it, 1e-4 is what is promised
SLOPE = 1e-4       # of derivatives at such a spot
# The program takes the flip's function from differences of delta exposure, good to 1e-4 of gross gamma as it says, and
# its slope over 0.16 % of spot, within which a smile with a sharp vertex bends.
FLIP_SLOPE, FLIP_PROMINENCE = 2e-3, 1e-4
WEAK = 0.01
SPEED_PROMINENCE = 0.02  # of the largest gross speed: of an extremum that is a target
LEAST_GROSS = 0.01       # of the largest gross over the range: what prominence is relative to at the least
NO_SIGN = 1e-12    # |net| below this of gross is rounding
# A largest value among samples h apart is below the true one by at most max|f''| h^2/8, f'' in ln S: the allowance of
# prominences and of vomma zones, from our own second differences and the promised h.


# ---------------------------------------------------------------------------------------------------- Black and Scholes

erfc = np.frompyfunc(math.erfc, 1, 1)


def normal(x):
    """Distribution function, to the last digits in both tails."""
    return 0.5 * np.asarray(erfc(-np.asarray(x, float) / math.sqrt(2.0)), float)


def greeks(names, s, k, sigma, tau, r, q, phi=None):
    """{name: value per share} at spots s the options see; arrays that broadcast; tau > 0. d/dt = -d/dtau."""
    root = np.sqrt(tau)
    v = sigma * root
    d1 = (np.log(s / k) + (r - q) * tau) / v + 0.5 * v
    d2 = d1 - v
    pdf = np.exp(-0.5 * d1 * d1) * (np.exp(-q * tau) / math.sqrt(2.0 * math.pi))
    gamma = pdf / (s * v)
    vega = s * pdf * root
    lean = d1 / v + 1.0
    drift = lambda: (2.0 * (r - q) * tau - d2 * v) / (2.0 * tau * v)
    formula = {
        "delta": lambda: phi * np.exp(-q * tau) * normal(phi * d1),
        "gamma": lambda: gamma,
        "charm": lambda: phi * q * np.exp(-q * tau) * normal(phi * d1) - pdf * drift(),
        "vanna": lambda: -pdf * d2 / sigma,
        "speed": lambda: -gamma / s * lean,
        "speed_slope": lambda: gamma / s**2 * (lean * lean + lean - 1.0 / v**2),  # d speed/dS
        "zomma": lambda: gamma * (d1 * d2 - 1.0) / sigma,
        "color": lambda: gamma * (q + 1.0 / (2.0 * tau) + d1 * drift()),
        "vega": lambda: vega,
        "vomma": lambda: vega * d1 * d2 / sigma,
        "ultima": lambda: -vega / sigma**2 * (d1 * d2 * (1.0 - d1 * d2) + d1 * d1 + d2 * d2),
        "veta": lambda: vega * (q - 1.0 / (2.0 * tau) + d1 * drift()),
    }
    return {name: formula[name]() for name in names}


# Derivatives in S of each: what the spot basis multiplies by e^b, since S_synthetic = S e^b.
SPOT_ORDER = {"delta": 1, "gamma": 2, "charm": 1, "vanna": 1, "speed": 3, "speed_slope": 4, "zomma": 2, "color": 2,
              "vega": 0, "vomma": 0, "ultima": 0, "veta": 0}


def check_own_greeks():
    """The closed forms above against differences of the one before them, down to the price."""
    k, r, q = 100.0, 0.04, 0.017

    def value(name, s, sigma, tau, phi):
        if name == "price":
            v = sigma * math.sqrt(tau)
            d1 = (math.log(s / k) + (r - q) * tau) / v + 0.5 * v
            return phi * float(s * math.exp(-q * tau) * normal(phi * d1) - k * math.exp(-r * tau) * normal(phi * (d1 - v)))
        return float(greeks([name], s, k, sigma, tau, r, q, phi)[name])

    steps = {"s": 2e-3, "sigma": 2e-5, "tau": 2e-5}
    for s, sigma, tau, phi in ((97.0, 0.2, 0.3, 1), (104.0, 0.35, 0.1, -1), (100.5, 0.15, 0.5, -1)):
        at = {"s": s, "sigma": sigma, "tau": tau}
        for of, by, name in (("price", "s", "delta"), ("delta", "s", "gamma"), ("gamma", "s", "speed"),
                             ("speed", "s", "speed_slope"), ("delta", "tau", "charm"), ("delta", "sigma", "vanna"),
                             ("gamma", "sigma", "zomma"), ("gamma", "tau", "color"), ("price", "sigma", "vega"),
                             ("vega", "sigma", "vomma"), ("vomma", "sigma", "ultima"), ("vega", "tau", "veta")):
            h = steps[by]
            up, down = (value(of, **{**at, by: at[by] + d}, phi=phi) for d in (h, -h))
            difference = (up - down) / (2.0 * h) * (-1.0 if by == "tau" else 1.0)
            closed = value(name, **at, phi=phi)
            scale = abs(value(of, **at, phi=phi)) / at[by] + abs(closed)
            assert abs(difference - closed) < 1e-5 * scale, (name, difference, closed)


# ------------------------------------------------------------------------------------------------------------- calendar

def easter(year):
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    m = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


def weekday_of(year, month, weekday, n):
    """The n-th such weekday of the month, from the end for n < 0."""
    if n > 0:
        first = dt.date(year, month, 1)
        return first + dt.timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(1)
    return last - dt.timedelta((last.weekday() - weekday) % 7)


CLOSED_ONCE = {dt.date.fromisoformat(day) for day in (
    "1994-04-27", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02", "2012-10-29",
    "2012-10-30", "2018-12-05", "2025-01-09")}


class Calendar:
    """Sessions of the New York Stock Exchange."""

    def __init__(self, overrides):
        self.closed, self.half, self.full = (set(overrides.get(key, ())) for key in ("closed", "half", "full"))

    @staticmethod
    def holidays(year):
        days = {weekday_of(year, 2, 0, 3), easter(year) - dt.timedelta(2), weekday_of(year, 5, 0, -1),
                weekday_of(year, 9, 0, 1), weekday_of(year, 11, 3, 4)}
        if year >= 1998:
            days.add(weekday_of(year, 1, 0, 3))
        fixed = [dt.date(year, 1, 1), dt.date(year, 7, 4), dt.date(year, 12, 25)]
        if year >= 2022:
            fixed.append(dt.date(year, 6, 19))
        for day in fixed:
            if day.weekday() == 6:
                days.add(day + dt.timedelta(1))
            elif day.weekday() == 5:
                if day.month != 1:  # a Saturday New Year is not observed in the old year
                    days.add(day - dt.timedelta(1))
            else:
                days.add(day)
        return days

    def is_session(self, day):
        if day in self.closed:
            return False
        if day in self.half or day in self.full:
            return True
        return day.weekday() < 5 and day not in self.holidays(day.year) and day not in CLOSED_ONCE

    def is_half(self, day):
        if day in self.half or day in self.full:
            return day in self.half
        eves = {weekday_of(day.year, 11, 3, 4) + dt.timedelta(1), dt.date(day.year, 7, 3), dt.date(day.year, 12, 24)}
        return day in eves

    def close(self, day):
        hour = 13 if self.is_half(day) else 16
        return int(dt.datetime(day.year, day.month, day.day, hour, tzinfo=NEW_YORK).timestamp())

    def sessions_closing_after(self, instant):
        day = dt.datetime.fromtimestamp(instant, NEW_YORK).date()
        while True:
            if self.is_session(day) and self.close(day) > instant:
                yield day
            day += dt.timedelta(1)

    def bucket_ends(self, instant):
        """Last settlements of 0dte, weekly and monthly."""
        sessions = self.sessions_closing_after(instant)
        coming = next(sessions)
        week_end = next(d for d in sessions if not any(
            self.is_session(d + dt.timedelta(n)) for n in range(1, 7 - d.weekday())))
        for day in sessions:
            third = weekday_of(day.year, day.month, 4, 3)
            while not self.is_session(third):
                third -= dt.timedelta(1)
            if day == third:
                return [self.close(coming), self.close(week_end), self.close(day)]


# ------------------------------------------------------------------------------------------------------ files and books

def column(group, name):
    data = group[name]
    return data.asstr()[...] if data.dtype.kind == "O" else data[...]


def flags(group, name):
    """A flag column as words."""
    meanings = group[name].attrs["flag_meanings"]
    meanings = (meanings.decode() if isinstance(meanings, bytes) else meanings).split()
    word = dict(zip(np.ravel(group[name].attrs["flag_values"]).tolist(), meanings))
    return np.array([word[int(value)] for value in group[name][...]], dtype=object)


class Night:
    def __init__(self, path):
        self.file = h5py.File(path, "r")
        file = self.file
        self.ticker = column(file, "ticker")
        self.position = column(file, "position")
        self.now = int(file["time"][0])
        self.floor = float(np.ravel(file["iv_shift"].attrs["iv_floor"])[0])
        self.expiry = {name: column(file["expiry"], name) for name in file["expiry"]}
        self.smile_missing = flags(file["expiry"], "smile_kind") == "missing"
        self.contract = {name: column(file["contract"], name) for name in file["contract"]}
        self.configuration = self.read_configuration()
        self.calendar = Calendar(self.configuration.get("calendar", {}))
        closes = self.calendar.sessions_closing_after(self.now)
        self.closes = [self.calendar.close(next(closes)) for _ in range(5)]

    def read_configuration(self):
        text = self.file["run"].attrs.get("configuration", "") if "run" in self.file else ""
        try:
            import tomllib
        except ImportError:
            return {}
        return tomllib.loads(text.decode() if isinstance(text, bytes) else str(text))

    def rows(self, group, *keys):
        """{(ticker, position, ...): row} of a flat table."""
        if group not in self.file or "row" not in self.file[group]:
            return {}
        columns = [column(self.file[group], key).tolist() for key in ("ticker", "position", *keys)]
        return {key: row for row, key in enumerate(zip(*columns))}


class Book:
    """The contracts of one ticker. `each`: as listed. The rest merges those with one strike, expiry and volatility, whose
    Greeks but delta and charm are the same for calls and puts, and leaves out those without any position."""

    def __init__(self, night, ticker):
        c, u = night.contract, int(np.flatnonzero(night.ticker == ticker)[0])
        begin, count = int(c["contract_begin"][u]), int(c["contract_count"][u])
        part = slice(begin, begin + count)
        self.night, self.ticker, self.u = night, ticker, u
        self.spot = float(night.file["spot_reference"][u])
        self.basis = float(night.file["spot_basis"][u])
        self.e = c["contract_expiry"][part].astype(int)
        self.thousandths = np.rint(c["strike"][part] * 1000.0).astype(np.int64)
        self.strike = self.thousandths / 1000.0
        self.phi = c["right"][part].astype(float)
        self.multiplier = c["multiplier"][part]
        self.open_interest = c["open_interest"][part]
        self.volume = np.nan_to_num(c["volume"][part]) if "volume" in c else None
        self.iv = c["implied_volatility"][part]
        self.n = c["dealer_position"][part].reshape(count, len(night.position))
        self.settlement = night.expiry["settlement"][self.e]
        self.nm = self.n * self.multiplier[:, None]

        held = np.any(self.n != 0.0, axis=1)
        key = np.stack([self.thousandths[held], self.e[held], self.iv[held].view(np.int64)], axis=1)
        unique, where = np.unique(key, axis=0, return_inverse=True)
        size = len(unique)
        self.m_strike = unique[:, 0] / 1000.0
        self.m_expiry = unique[:, 1]
        self.m_iv = unique[:, 2].copy().view(float)
        positions = len(night.position)
        self.net, self.gross = np.zeros((size, positions)), np.zeros((size, positions))
        np.add.at(self.net, where.ravel(), self.nm[held])
        np.add.at(self.gross, where.ravel(), np.abs(self.nm[held]))
        self.m_rate = night.expiry["rate"][self.m_expiry]
        self.m_yield = night.expiry["dividend_yield"][self.m_expiry]
        self.m_settlement = night.expiry["settlement"][self.m_expiry]

    def each_greek(self, names, spot=None):
        """{name: per contract} at the quote instant, of the vendor's spot."""
        tau = (self.settlement - self.night.now) / YEAR
        rate, dividend_yield = (self.night.expiry[name][self.e] for name in ("rate", "dividend_yield"))
        values = greeks(names, (self.spot if spot is None else spot) * math.exp(self.basis), self.strike,
                        np.maximum(self.night.floor, self.iv), tau, rate, dividend_yield, self.phi)
        return {name: value * math.exp(self.basis * SPOT_ORDER[name]) for name, value in values.items()}

    def sums(self, weights, names, spots, instant=None, shift=0.0, stickiness=None, until=None):
        """{name: (spots, weights' columns)}: sum over contracts of weight times Greek. With a stickiness R volatilities
        follow the smiles, and `slope` is the derivative of delta along that rule."""
        night = self.night
        instant = night.now if instant is None else instant
        spots = np.atleast_1d(np.asarray(spots, float))
        alive = self.m_settlement > instant
        if until is not None:
            alive &= self.m_settlement <= until
        k, r, q, e = self.m_strike[alive], self.m_rate[alive], self.m_yield[alive], self.m_expiry[alive]
        tau = (self.m_settlement[alive] - instant) / YEAR
        base = self.m_iv[alive] + shift
        weights = weights[alive]
        out = {name: np.zeros((len(spots), weights.shape[1])) for name in names}
        asked = ["gamma", "vanna"] if stickiness is not None else names
        chunk = max(1, 200_000 // max(1, len(k)))
        for begin in range(0, len(spots) if len(k) else 0, chunk):
            s = spots[begin:begin + chunk, None]
            rule, rule_slope = (base, 0.0) if stickiness is None else self.along_smile(base, e, k, s, stickiness)
            sigma = np.maximum(night.floor, rule)
            values = greeks(asked, s * math.exp(self.basis), k, sigma, tau, r, q)
            for name in asked:
                values[name] = values[name] * math.exp(self.basis * SPOT_ORDER[name])
            if stickiness is not None:
                values["slope"] = values["gamma"] + values["vanna"] * np.where(rule > night.floor, rule_slope, 0.0)
            for name in names:
                out[name][begin:begin + chunk] = values[name] @ weights
        return out

    def along_smile(self, base, e, k, s, stickiness):
        """Volatility and its derivative in S when smiles are followed with R, all smiles as of the quote instant."""
        x = self.night.expiry
        a, b, rho, m, width = (x["smile_" + name][e] for name in ("a", "b", "rho", "m", "s"))
        tau0 = (x["settlement"][e] - self.night.now) / YEAR
        usable = ~self.night.smile_missing[e]

        def smile(z):
            root = np.sqrt((z - m)**2 + width**2)
            sigma = np.sqrt((a + b * (rho * (z - m) + root)) / tau0)
            return sigma, b * (rho + (z - m) / root) / (2.0 * sigma * tau0)

        with np.errstate(invalid="ignore"):
            k0 = np.log(k / x["forward"][e])
            moved, slope = smile(k0 + (stickiness - 1.0) * np.log(s / self.spot))
            sigma = np.where(usable, base + moved - smile(k0)[0], base)
            return sigma, np.where(usable, (stickiness - 1.0) * slope / s, 0.0)


# -------------------------------------------------------------------------------------------------------- root finding

def bisect(function, low, high, rising):
    """Where `function` changes sign between two spots; `rising`: it is negative at `low`."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (function(middle) < 0.0) == rising:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def stands_out(values, i):
    """How far an extremum stands out of what surrounds it, up to where the samples go beyond it."""
    values = values if values[max(i - 3, 0)] <= values[i] or values[min(i + 3, len(values) - 1)] <= values[i] else -values
    beyond = np.flatnonzero(values > values[i] + 1e-9 * np.abs(values).max())
    left, right = beyond[beyond < i], beyond[beyond > i]
    low = values[(left[-1] + 1 if len(left) else 0):i + 1].min()
    high = values[i:(right[0] if len(right) else len(values))].min()
    return values[i] - max(low, high)


def sign_changes(function, spots, values, gross):
    """Every spot where the sampled function changes sign, pairs of roots between samples included."""
    spots, values, gross = list(spots), list(values), list(gross)
    size = np.abs(values)
    signed = np.sign(values)
    # A dip towards zero between samples of one sign may hide two roots: look closer.
    dips = [i for i in range(1, len(spots) - 1)
            if signed[i - 1] == signed[i] == signed[i + 1] != 0.0 and size[i] < size[i - 1] and size[i] <= size[i + 1]
            and size[i] < 4.0 * abs(size[i - 1] - 2.0 * size[i] + size[i + 1])]
    extra = [(spots[i - 1] + (spots[i + 1] - spots[i - 1]) * j / 32.0) for i in dips for j in range(1, 32) if j != 16]
    if extra:
        found = function(np.array(extra))
        order = np.argsort(np.array(spots + extra), kind="stable")
        values = np.array(values + list(found))[order]
        spots = np.array(spots + extra)[order]
        gross = np.array(gross + [max(gross)] * len(extra))[order]
    roots = []
    last = None
    for i in range(len(spots)):
        if abs(values[i]) <= NO_SIGN * gross[i]:
            continue
        if last is not None and (values[i] > 0.0) != (values[last] > 0.0):
            roots.append(bisect(lambda s: float(function(np.array([s]))[0]), spots[last], spots[i], values[i] > 0.0))
        last = i
    return roots


def curvature_allowance(spots, values):
    """How far the largest of samples PROMISED_STEP apart can be below the largest value."""
    x = np.log(spots)
    second = np.abs(np.diff(values, 2)) / np.diff(x)[:-1]**2
    return float(second.max(initial=0.0)) * PROMISED_STEP**2 / 8.0


def prominences(spots, values, roots, gross):
    """[(prominence, allowance)] of roots."""
    result = []
    ends = [spots[0] - 1.0, *roots, spots[-1] + 1.0]
    for i in range(1, len(ends) - 1):
        sides, slack = [], []
        for low, high in ((ends[i - 1], ends[i]), (ends[i], ends[i + 1])):
            inside = (spots >= low) & (spots <= high)
            sides.append(np.abs(values[inside]).max(initial=0.0) / gross)
            near = np.flatnonzero(inside)
            part = slice(max(0, near[0] - 2), near[-1] + 3) if len(near) else slice(
                max(0, np.searchsorted(spots, low) - 3), np.searchsorted(spots, low) + 3)
            slack.append(curvature_allowance(spots[part], values[part]) / gross)
        result.append((min(sides), max(slack) + SUM))
    return result


# --------------------------------------------------------------------------------------------------------------- levels

class Want:
    """What a level should be: a value with a tolerance, or a reason. Others that are as good (ties to within rounding,
    prominences within their allowance of 1 %) are in `also`."""

    def __init__(self, value=math.nan, status="ok", tolerance=0.0, also=()):
        self.value, self.status, self.tolerance, self.also = value, status, tolerance, also

    def accepts(self, value, status):
        if status == self.status and (status != "ok" or abs(value - self.value) <= self.tolerance):
            return True
        return any(other.accepts(value, status) for other in self.also)

    def __str__(self):
        return f"{self.value:.12g} +- {self.tolerance:.2g}" if self.status == "ok" else self.status


def null(status):
    return Want(status=status)


def ranked(strikes, sums, spot):
    """Strikes by falling sum, ties nearest to spot, then lower; those without any left out."""
    held = sums > 0.0
    strikes, sums = strikes[held], sums[held]
    order = np.lexsort((strikes, np.abs(strikes - spot), -sums))
    return strikes[order], sums[order]


def strike_want(strikes, sums, rank):
    """The strike of a rank; another whose sum is the same to rounding is as good."""
    same = np.flatnonzero(np.abs(sums - sums[rank]) <= 1e-12 * sums[rank])
    return Want(strikes[rank], also=[Want(strikes[i]) for i in same if i != rank])


class TickerLevels:
    """Everything that depends on the ticker and not on the position, then wants of each position."""

    def __init__(self, book, legacy, stickiness):
        self.book, self.legacy = book, legacy
        night, spot = book.night, book.spot
        ends = (LOW * spot, HIGH * spot)
        if legacy:
            ends = tuple(night.file["spot"][book.u, [0, -1]])
        # The reference itself is a sample.
        below, above = math.log(ends[0] / spot), math.log(ends[1] / spot)
        down = max(2, round(SPOTS * below / (below - above)))
        x = np.concatenate([np.linspace(below, 0.0, down), np.linspace(0.0, above, SPOTS + 1 - down)[1:]])
        self.spots = spot * np.exp(x)
        self.spots[[0, -1]] = ends
        self.middle = down - 1
        self.positions = len(night.position)
        both = np.hstack([book.net, book.gross])
        # |n| m is often the same for all models: sum it once.
        self.now = book.sums(both, ["gamma", "speed", "speed_slope"], self.spots)
        self.each = book.each_greek(["delta", "gamma", "charm", "vanna", "vega"])
        if not legacy:
            self.stickiness = stickiness
            self.next_close = night.closes[0]
            self.slope = book.sums(book.net, ["slope"], self.spots, self.next_close, 0.0, stickiness)["slope"]
            # The front of the book: what settles by the end of the weekly bucket, or its first settlement.
            self.front = max(book.night.calendar.bucket_ends(book.night.now)[1], int(book.m_settlement.min()))
            self.vomma = {
                "down": book.sums(book.gross, ["vomma"], self.spots[self.middle:], None, -0.02, until=self.front)["vomma"],
                "up": book.sums(book.gross, ["vomma"], self.spots[:self.middle + 1], None, +0.02, until=self.front)["vomma"]}
        self.move = self.expected_move()

    def expected_move(self):
        """One standard deviation to the next close; else that of a day at the volatility of 30 days."""
        night, u = self.book.night, self.book.u
        volatility = night.file["volatility"]
        if flags(volatility, "implied_move_1d_status")[u] == "ok":
            return float(volatility["implied_move_1d"][u])
        if night.file["spot_step"].attrs.get("spot_axis") in ("expected_move", b"expected_move"):
            return float(night.file["spot_scale"][u])
        mine = np.flatnonzero((night.expiry["expiry_ticker"] == u) & np.isfinite(night.expiry["atm_iv"]))
        if not len(mine):
            return math.nan
        tau, iv = night.expiry["tau"][mine], night.expiry["atm_iv"][mine]
        order = np.argsort(tau)
        tau, variance, month = tau[order], (iv**2 * tau)[order], 30.0 / 365.0
        if not tau[0] <= month <= tau[-1]:
            return float(iv[order][0 if month < tau[0] else -1]) * math.sqrt(1.0 / 252.0)
        return math.sqrt(np.interp(month, tau, variance) / month / 252.0)

    def by_strike(self, values):
        strikes, where = np.unique(self.book.thousandths, return_inverse=True)
        return strikes / 1000.0, np.bincount(where, values, len(strikes))

    # ---- one position

    def wants(self, p):
        """({level: Want}, [crossing])"""
        book, spot = self.book, self.book.spot
        want = {}
        gamma, nm = self.each["gamma"], book.nm[:, p]
        gross = float(np.sum(np.abs(nm) * gamma))
        net = float(np.sum(nm * gamma))
        to_index = 0.01 * spot**2 / 1e9
        want["gamma_index"] = Want(net * to_index, tolerance=SUM * gross * to_index)
        want["gamma_index_ratio"] = Want(net / gross, tolerance=SUM) if gross > 0.0 else null("no_contracts")
        want["spot_basis_factor"] = Want(math.exp(book.basis), tolerance=1e-12)
        self.walls(want, p, gamma, nm, to_index)
        crossings = self.zero_gamma(want, p, gross)
        if not self.legacy:
            crossings += self.flip(want, p, gross)
            self.centroids(want, nm, gamma)
            self.pain(want)
            self.speed(want, p)
            self.vomma_zones(want, p)
            self.hedges(want, nm)
        return want, crossings

    def walls(self, want, p, gamma, nm, to_index):
        book, spot = self.book, self.book.spot
        strikes, calls = self.by_strike(np.abs(nm) * gamma * (book.phi > 0.0))
        _, puts = self.by_strike(np.abs(nm) * gamma * (book.phi < 0.0))
        for name, sums, inside in (("call_wall", calls, strikes >= spot), ("put_wall", puts, strikes <= spot),
                                   ("call_wall_unrestricted", calls, strikes > 0.0),
                                   ("put_wall_unrestricted", puts, strikes > 0.0),
                                   ("absolute_gamma_strike", calls + puts, strikes > 0.0)):
            by, sizes = ranked(strikes[inside], sums[inside], spot)
            if not len(by):
                for suffix in ("", "_runner_up", "_ratio"):
                    want[name + suffix] = null("no_contracts")
                continue
            want[name] = strike_want(by, sizes, 0)
            want[name + "_runner_up"] = strike_want(by, sizes, 1) if len(by) > 1 else null("no_runner_up")
            want[name + "_ratio"] = Want(sizes[1] / sizes[0], tolerance=SUM) if len(by) > 1 else null("no_runner_up")
        _, net = self.by_strike(nm * gamma)
        taken = [want[name].value for name in ("call_wall", "put_wall", "absolute_gamma_strike")]
        free = (np.abs(strikes / spot - 1.0) <= 0.25) & ~np.isin(strikes, taken)
        by, sizes = ranked(strikes[free], np.abs(net[free]), spot)
        for k in range(10):
            name = f"gamma_level_{k + 1}"
            if k < len(by):
                want[name] = strike_want(by, sizes, k)
                value = net[strikes == by[k]][0] * to_index
                others = [net[strikes == other.value][0] * to_index for other in want[name].also]
                slack = SUM * (calls + puts)[strikes == by[k]][0] * to_index
                want[name + "_index"] = Want(value, tolerance=slack, also=[Want(v, tolerance=slack) for v in others])
            else:
                want[name] = want[name + "_index"] = null("no_runner_up" if np.any(calls + puts > 0.0) else "no_contracts")

    def crossing_wants(self, kind, function, values, magnitude, slopes, gross):
        """[(kind, price, slope, prominence, its allowance, slope's tolerance)]"""
        roots = sign_changes(function, self.spots, values, magnitude)
        scale = np.max(np.abs(slopes(self.spots[::50])), initial=0.0)
        found = []
        for root, (prominence, slack) in zip(roots, prominences(self.spots, values, roots, gross)):
            slope = float(slopes(np.array([root]))[0])
            of_flip = kind == "flip"
            found.append((kind, root, slope, prominence, slack + (FLIP_PROMINENCE if of_flip else 0.0),
                          (FLIP_SLOPE if of_flip else SLOPE) * (abs(slope) + 1e-3 * scale)))
        return found

    def nearest(self, found, gross):
        """What may be chosen of the roots, each an index or a reason: the nearest that is not weak, and those before it
        whose prominence is too near to 1 % to call."""
        if not gross > 0.0:
            return ["no_contracts"]
        if not found:
            return ["no_sign_change"]
        by_distance = sorted(range(len(found)), key=lambda i: abs(found[i][1] - self.book.spot))
        if self.legacy:
            return by_distance[:1]
        unclear = []
        for i in by_distance:
            prominence, slack = found[i][3:5]
            if abs(prominence - WEAK) <= slack:
                unclear.append(i)
            elif prominence >= WEAK:
                return [i, *unclear]
        return ["only_weak", *unclear]

    @staticmethod
    def one_of(choices, value):
        """The Want of choices of nearest(); value(index): (number, tolerance)."""
        wants = [null(choice) if isinstance(choice, str) else Want(value(choice)[0], "ok", value(choice)[1]) for choice in choices]
        wants[0].also = wants[1:]
        return wants[0]

    def zero_gamma(self, want, p, gross):
        book, spot = self.book, self.book.spot
        values, magnitude = self.now["gamma"][:, p], self.now["gamma"][:, self.positions + p]
        weights = book.net[:, [p]]
        function = lambda s: book.sums(weights, ["gamma"], s)["gamma"][:, 0]

        def slopes(s):
            speed = book.sums(weights, ["speed"], s)["speed"][:, 0]
            return speed if self.legacy else 1e-4 * s**3 * speed / 1e9

        relative = max(gross, LEAST_GROSS * magnitude.max(initial=0.0))
        found = self.crossing_wants("zero_gamma", function, values, magnitude, slopes, relative) if gross > 0.0 else []
        choices = self.nearest(found, gross)
        want["zero_gamma"] = self.one_of(choices, lambda i: (found[i][1], ROOT * spot))
        want["zero_gamma_slope"] = self.one_of(choices, lambda i: (found[i][2], found[i][5]))
        want["zero_gamma_prominence"] = self.one_of(choices, lambda i: (found[i][3], found[i][4]))
        hidden = 2 * sum(b[1] - a[1] < PROMISED_STEP * spot for a, b in zip(found, found[1:]))
        want["zero_gamma_count"] = Want(len(found), tolerance=hidden) if gross > 0.0 or self.legacy else null("no_contracts")
        return found

    def flip(self, want, p, gross):
        book = self.book
        weights = book.net[:, [p]]
        arguments = (self.next_close, 0.0, self.stickiness)
        function = lambda s: book.sums(weights, ["slope"], s, *arguments)["slope"][:, 0]

        def slopes(s):
            h = 2e-5 * s  # five points: their error is (h / width)^4, below 1e-7 for widths from 0.1 %
            f = [function(s + n * h) for n in (-2, -1, 1, 2)]
            return 1e-4 * s**3 * (f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / (12.0 * h) / 1e9

        values = self.slope[:, p]
        alive = np.any(book.net[book.m_settlement > self.next_close, p] != 0.0)
        if not alive or not gross > 0.0:
            want["flip"] = null("no_contracts")
            return []
        gross = float(book.sums(book.gross[:, [p]], ["gamma"], [book.spot], self.next_close, 0.0)["gamma"][0, 0])
        if not gross > 0.0:
            want["flip"] = null("no_contracts")
            return []
        # Rounding is that of the gross gamma of the aged book; that of now is as good a measure of 1e-12.
        found = self.crossing_wants("flip", function, values, self.now["gamma"][:, self.positions + p], slopes, gross)
        want["flip"] = self.one_of(self.nearest(found, gross), lambda i: (found[i][1], ROOT * book.spot))
        return found

    def centroids(self, want, nm, gamma):
        book = self.book
        for name, weight in (("gamma", np.abs(nm) * gamma), ("vega", np.abs(nm) * self.each["vega"]),
                             ("open_interest", book.open_interest * book.multiplier)):
            total = weight.sum()
            want[name + "_centroid"] = Want(float(weight @ book.strike / total), tolerance=SUM * book.spot) \
                if total > 0.0 else null("no_contracts")

    def pain(self, want):
        book = self.book
        want["max_pain"] = max_pain(book, slice(None))
        calls = book.phi > 0.0
        for name, size in (("open_interest", book.open_interest), ("volume", book.volume)):
            if size is None:
                continue
            total = size[calls].sum()
            want["put_call_ratio_" + name] = Want(size[~calls].sum() / total, tolerance=SUM * size.sum() / total) \
                if total > 0.0 else null("no_calls")

    def speed(self, want, p):
        """Pivots: the next change of sign of gross speed on either side of spot; targets: its next extremum."""
        book, spot = self.book, self.book.spot
        weights = book.gross[:, [p]]
        value, slope = (self.now[name][:, self.positions + p] for name in ("speed", "speed_slope"))
        level = {}
        for side, order in (("up", np.arange(self.middle, len(self.spots))), ("down", np.arange(self.middle, -1, -1))):
            pivot = target = math.nan
            # A sample of exactly 0 has no sign of its own.
            change = np.flatnonzero(np.sign(value[order][1:]) * np.sign(value[order][:-1]) < 0.0)
            if len(change):
                i = order[change[0]], order[change[0] + 1]
                low, high = min(i), max(i)
                one = lambda name: lambda s: float(book.sums(weights, [name], [s])[name][0, 0])
                pivot = bisect(one("speed"), self.spots[low], self.spots[high], value[high] > 0.0)
            one = lambda name: lambda s: float(book.sums(weights, [name], [s])[name][0, 0])
            turned = np.flatnonzero(np.sign(slope[order][1:]) * np.sign(slope[order][:-1]) < 0.0)
            near = []  # extrema that may be the target: up to the first that surely stands out
            for turn in turned:
                i = order[turn], order[turn + 1]
                low, high = min(i), max(i)
                stands = stands_out(value, low if abs(slope[low]) < abs(slope[high]) else high) / np.abs(value).max()
                if stands < SPEED_PROMINENCE - 1e-4:
                    continue
                near.append(bisect(one("speed_slope"), self.spots[low], self.spots[high], slope[high] > 0.0))
                if stands > SPEED_PROMINENCE + 1e-4:
                    break
            target = near[-1] if near else math.nan
            for name, found in (("pivot", pivot), ("target", target)):
                level[name, side] = found
                want[f"speed_{name}_{side}"] = null("outside_range") if math.isnan(found) else Want(
                    found, tolerance=ROOT * spot)
        if not np.any(weights > 0.0):
            for name in list(level):
                want[f"speed_{name[0]}_{name[1]}"] = null("no_contracts")
        up, down = level["target", "up"] - spot, spot - level["target", "down"]
        if math.isnan(up + down):
            want["speed_asymmetry"] = null(want["speed_target_up"].status if math.isnan(up) else want["speed_target_down"].status)
        else:
            want["speed_asymmetry"] = Want(down / up - 1.0, tolerance=ROOT * spot * (1.0 / up + down / up**2))

    def vomma_zones(self, want, p):
        book, spot = self.book, self.book.spot
        zones = {}
        for side, part, shift in (("down", slice(self.middle, None), -0.02), ("up", slice(0, self.middle + 1), 0.02)):
            spots, values = self.spots[part], self.vomma[side][:, p]
            names = [f"vomma_zone_{side}_{edge}" for edge in ("low", "high")]
            if not np.any(book.gross[:, p] > 0.0):
                zones[side] = null("no_contracts"), null("no_contracts")
            elif not values.max() > 0.0:
                zones[side] = null("outside_range"), null("outside_range")
            else:
                slack = curvature_allowance(spots, values)
                function = lambda s: float(book.sums(book.gross[:, [p]], ["vomma"], [s], None, shift, until=self.front)["vomma"][0, 0])
                best = int(values.argmax())
                rivals = [i for i in range(1, len(values) - 1)
                          if values[i] >= values[best] - slack and values[i] >= max(values[i - 1], values[i + 1])
                          and np.any(values[min(i, best):max(i, best) + 1] < 0.5 * values[best])]
                mine = self.zone(side, function, spots, values, best, slack)
                others = [self.zone(side, function, spots, values, i, slack) for i in rivals]
                for edge in (0, 1):
                    mine[edge].also = [other[edge] for other in others]
                zones[side] = mine
            want.update(zip(names, zones[side]))
        (a, b), (c, d) = zones["down"], zones["up"]
        if any(w.status != "ok" for w in (a, b, c, d)):
            bad = next(w.status for w in (a, b, c, d) if w.status != "ok")
            want["vomma_zone_asymmetry"] = null(bad)
        else:
            down, up = b.value - a.value, d.value - c.value
            slack = (c.tolerance + d.tolerance) / down + (a.tolerance + b.tolerance) * up / down**2
            want["vomma_zone_asymmetry"] = Want(up / down - 1.0, tolerance=slack)

    def zone(self, side, function, spots, values, peak, slack):
        """The spots around a peak with at least half of it, between the reference and the end of the range."""
        top = values[peak]
        if 0 < peak < len(values) - 1:  # parabola through the samples around it
            l, r = values[peak - 1], values[peak + 1]
            bend = l - 2.0 * top + r
            top = top - (r - l)**2 / (8.0 * bend) if bend < 0.0 else top
        half = 0.5 * top
        edges = []
        for step in (-1, 1):
            i = peak
            while 0 <= i < len(values) and values[i] >= half:
                i += step
            if not 0 <= i < len(values):
                at_spot = (step < 0) == (side == "down")
                edges.append(Want(self.book.spot, tolerance=ROOT * self.book.spot) if at_spot else null("outside_range"))
                continue
            low, high = sorted((spots[i], spots[i - step]))
            edge = bisect(lambda s: function(s) - half, low, high, step < 0)
            slope = abs(values[i] - values[i - step]) / (high - low)
            edges.append(Want(edge, tolerance=ROOT * self.book.spot + 0.5 * slack / slope))
        if any(w.status != "ok" for w in edges):
            return [null("outside_range"), null("outside_range")]
        return edges

    def hedges(self, want, nm):
        book, spot, move = self.book, self.book.spot, self.move
        want["expected_move"] = Want(move, tolerance=1e-9 * move) if move > 0.0 else null("no_contracts")
        if not move > 0.0:
            return
        here = self.each["delta"]
        size = float(np.sum(np.abs(nm)))
        for side, sign in (("up", 1.0), ("down", -1.0)):
            there = book.each_greek(["delta"], spot * math.exp(sign * move))["delta"]
            hedge = -float(np.sum(nm * (there - here)))
            any_position = np.any(nm != 0.0)
            want["hedge_" + side] = Want(hedge, tolerance=SUM * size) if any_position else null("no_contracts")
            after = spot * math.exp(sign * move)
            want[f"hedge_{side}_usd"] = Want(hedge * after, tolerance=SUM * size * after) if any_position else null("no_contracts")


def max_pain(book, part):
    """The listed strike with the least value of all open contracts at settlement, lower on a tie."""
    strikes = np.unique(book.thousandths[part]) / 1000.0
    weight = (book.open_interest * book.multiplier)[part]
    if not len(strikes) or not np.any(weight > 0.0):
        return null("no_contracts")
    pain = np.array([weight @ np.maximum(book.phi[part] * (k - book.strike[part]), 0.0) for k in strikes])
    least = np.flatnonzero(pain <= pain.min() + 1e-12 * abs(pain.min()))
    return Want(strikes[least[0]], also=[Want(strikes[i]) for i in least[1:] if pain[i] != pain[least[0]]])


LADDER = ("gamma", "color", "zomma", "vega", "veta", "vomma", "vanna", "ultima")


def ladder_wants(levels):
    """[session] -> {column: (positions' values, tolerances)}"""
    book = levels.book
    night = book.night
    spots = book.spot * np.exp(np.linspace(-levels.move, levels.move, 8))
    both = np.hstack([book.net, book.gross])
    rows = []
    for instant in [night.now, *night.closes]:
        mean, size = {}, {}
        for shift in (0.0, 0.02, -0.02):
            sums = book.sums(both, LADDER, spots, instant, shift)
            for name in LADDER:
                mean[name, shift] = sums[name][:, :levels.positions].mean(axis=0)
                # Gross of magnitudes: what the terms of the sum are large against.
                size[name, shift] = absolute_mean(book, name, spots, instant, shift) if shift == 0.0 else size[name, 0.0]
        row = {}
        for name in LADDER:
            g, up, down = (mean[name, shift] for shift in (0.0, 0.02, -0.02))
            row[name] = g, SUM * size[name, 0.0]
            below = np.abs(up) + np.abs(down) + 2.0 * np.abs(g)
            with np.errstate(invalid="ignore", divide="ignore"):
                value = np.where(below > 0.0, (up + down - 2.0 * g) / below, np.nan)
                row[name + "_asymmetry"] = value, np.where(below > 0.0, 8.0 * SUM * size[name, 0.0] / below, 0.0) + 1e-9
        row["band_low"] = np.full(levels.positions, spots[0]), np.full(levels.positions, 1e-9 * book.spot)
        row["band_high"] = np.full(levels.positions, spots[-1]), np.full(levels.positions, 1e-9 * book.spot)
        row["time"] = np.full(levels.positions, float(instant)), np.zeros(levels.positions)
        rows.append(row)
    return rows


def absolute_mean(book, name, spots, instant, shift):
    """Mean over spots of sum |weight| |Greek|."""
    alive = book.m_settlement > instant
    if not np.any(alive):
        return np.zeros(book.gross.shape[1])
    tau = (book.m_settlement[alive] - instant) / YEAR
    values = greeks([name], spots[:, None] * math.exp(book.basis), book.m_strike[alive],
                    np.maximum(book.night.floor, book.m_iv[alive] + shift), tau, book.m_rate[alive], book.m_yield[alive])
    return (np.abs(values[name]) * math.exp(book.basis * SPOT_ORDER[name]) @ book.gross[alive]).mean(axis=0)


# ----------------------------------------------------------------------------------------------------------- comparison

STATUS_OF = {"zero_gamma_slope": "zero_gamma", "zero_gamma_prominence": "zero_gamma", "hedge_up_usd": "hedge_up",
             "hedge_down_usd": "hedge_down"}
STATUS_OF |= {f"gamma_level_{k}_index": f"gamma_level_{k}" for k in range(1, 11)}
WALLS = ("call_wall", "put_wall", "call_wall_unrestricted", "put_wall_unrestricted", "absolute_gamma_strike")
STATUS_OF |= {f"{wall}_ratio": f"{wall}_runner_up" for wall in WALLS}
CHANGES = ("gamma_index", *WALLS, "zero_gamma", "flip")
PROFILE = ("delta", "gamma", "vanna", "charm")


class Report:
    def __init__(self, allow_missing):
        self.allow_missing, self.failures, self.compared, self.skipped = allow_missing, [], 0, set()

    def fail(self, text):
        self.failures.append(text)
        print(text)

    def missing(self, what):
        if self.allow_missing:
            self.skipped.add(what)
        elif what not in self.skipped:
            self.skipped.add(what)
            self.fail(f"{what}: not in the file")

    def close(self, where, got, want, tolerance):
        """Arrays; NaN agrees with NaN alone."""
        got, want = np.asarray(got, float), np.asarray(want, float)
        if got.shape != want.shape:
            return self.fail(f"{where}: shape {got.shape}, brute force {want.shape}")
        tolerance = np.broadcast_to(tolerance, want.shape)
        bad = np.isnan(got) != np.isnan(want)
        with np.errstate(invalid="ignore"):
            bad |= np.abs(got - want) > tolerance
        self.compared += got.size
        if np.any(bad):
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            self.fail(f"{where}{list(at) if at else ''}: file {got[at]:.12g}, brute force {want[at]:.12g} +- {tolerance[at]:.2g}"
                      + (f" ({int(bad.sum())} of {bad.size} disagree)" if bad.size > 1 else ""))


def status_words(night):
    """{level: reasons by row} of the columns that have their own."""
    group = night.file["levels"]
    return {name[:-7]: flags(group, name) for name in group if name.endswith("_status")}


def check_levels(night, report, ticker, p, want, values, statuses, row):
    for name, expected in want.items():
        if name not in values:
            report.missing(f"/levels {name}")
            continue
        owner = STATUS_OF.get(name, name)
        status = statuses[owner][row] if owner in statuses else "ok"
        value = float(values[name][row])
        report.compared += 1
        if math.isnan(value) != (status != "ok"):
            report.fail(f"{ticker} {night.position[p]} {name}: {value} with status {status}")
        elif not expected.accepts(value, status):
            got = f"{value:.12g}" if status == "ok" else status
            report.fail(f"{ticker} {night.position[p]} {name}: file {got}, brute force {expected}")


def check_changes(night, previous, report, ticker, p, values, statuses, row):
    here = night.position[p]
    before = previous.rows("levels").get((ticker, here)) if previous else None
    for name in CHANGES:
        change = name + "_change"
        if change not in values or name not in values:
            report.missing(f"/levels {change}")
            continue
        old = float(previous.file["levels"][name][before]) if before is not None and name in previous.file["levels"] else math.nan
        now = float(values[name][row])
        got, status = float(values[change][row]), statuses[change][row]
        report.compared += 1
        if math.isnan(old) or math.isnan(now):
            reasons = {"no_previous"} | ({statuses[name][row]} if math.isnan(now) and name in statuses else set())
            if status not in reasons or not math.isnan(got):
                report.fail(f"{ticker} {here} {change}: file {got} ({status}), brute force {' or '.join(sorted(reasons))}")
        elif status != "ok" or not abs(got - (now - old)) <= 1e-9 * (abs(now) + abs(old)):
            report.fail(f"{ticker} {here} {change}: file {got} ({status}), brute force {now - old:.12g}")


def check_volume_shares(night, report, ticker, p, values, statuses, row):
    """The volume is not in the file: both shares have to be of the same, positive one."""
    names = ("hedge_up", "hedge_down")
    for name in names:
        if f"{name}_volume_share" not in values:
            return report.missing(f"/levels {name}_volume_share")
    shares = [float(values[f"{name}_volume_share"][row]) for name in names]
    why = [statuses[f"{name}_volume_share"][row] for name in names]
    hedges = [float(values[name][row]) for name in names]
    where = f"{ticker} {night.position[p]} hedge_*_volume_share"
    report.compared += 2
    if why == ["ok", "ok"]:
        if any(h * s < 0.0 for h, s in zip(hedges, shares)):
            report.fail(f"{where}: {shares} against hedges {hedges}: another sign")
        elif not abs(hedges[0] * shares[1] - hedges[1] * shares[0]) <= SUM * abs(hedges[0] * shares[1]):
            report.fail(f"{where}: {shares} against hedges {hedges}: not one volume")
    elif not all(math.isnan(s) and w in ("no_average_volume", "no_contracts") for s, w in zip(shares, why)):
        report.fail(f"{where}: {shares} with {why}")


def check_crossings(night, report, ticker, p, found, legacy):
    if "crossing" not in night.file:
        return report.missing("/crossing")
    group, spot = night.file["crossing"], None
    here = night.position[p]
    kinds = {"zero_gamma"} if legacy else {"zero_gamma", "flip"}
    rows = []
    if "row" in group:
        for name in ("prominence", "weak"):
            if name not in group:
                report.missing(f"/crossing {name}")
        mine = np.flatnonzero((column(group, "ticker") == ticker) & (column(group, "position") == here))
        kind = flags(group, "kind")
        weak = flags(group, "weak") if "weak" in group else None
        rows = [{"kind": kind[i], "weak": weak[i] if weak is not None else None,
                 **{name: float(group[name][i]) for name in ("price", "slope", "prominence") if name in group}} for i in mine]
    for kind in sorted(kinds):
        got = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["price"])
        want = [row for row in found if row[0] == kind]
        where = f"{ticker} {here} crossing {kind}"
        if len(got) != len(want):
            # Two roots closer than the promised step may both be missed.
            close = set()
            for i in range(len(want) - 1):
                if want[i + 1][1] - want[i][1] < PROMISED_STEP * want[i][1] and i not in close:
                    close |= {i, i + 1}
            kept = [row for i, row in enumerate(want) if i not in close]
            if len(kept) == len(got):
                want = kept
            else:
                report.fail(f"{where}: file has {len(got)} at {[round(row['price'], 4) for row in got]}, "
                            f"brute force {len(want)} at {[round(row[1], 4) for row in want]}")
                continue
        for row, (_, price, slope, prominence, slack, slope_slack) in zip(got, want):
            report.close(f"{where} {price:.4f} price", row["price"], price, ROOT * price)
            report.close(f"{where} {price:.4f} slope", row["slope"], slope, slope_slack)
            if "prominence" in row:
                report.close(f"{where} {price:.4f} prominence", row["prominence"], prominence, slack)
                if row["weak"] is not None and row["weak"] != ("yes" if row["prominence"] < WEAK else "no"):
                    report.fail(f"{where} {price:.4f}: weak {row['weak']} with prominence {row['prominence']:.6g}")


def check_ladder(night, report, levels, rows):
    if "ladder" not in night.file:
        return report.missing("/ladder")
    group, ticker = night.file["ladder"], levels.book.ticker
    if not levels.move > 0.0:
        return
    for session, wants in enumerate(ladder_wants(levels)):
        at = [rows.get((ticker, position, session)) for position in night.position]
        if None in at:
            report.fail(f"{ticker} /ladder session {session}: no row")
            continue
        for name, (value, tolerance) in wants.items():
            if name not in group:
                report.missing(f"/ladder {name}")
            else:
                report.close(f"{ticker} /ladder session {session} {name}, by position", column(group, name)[at], value, tolerance)


def split(book, nm, values):
    """Call, put, net and gross terms of an exposure; (contracts, positions)."""
    terms = nm * values[:, None]
    calls = (book.phi > 0.0)[:, None]
    return {"call": np.where(calls, terms, 0.0), "put": np.where(calls, 0.0, terms), "net": terms, "gross": np.abs(terms)}


def grouped(values, where, size):
    out = np.zeros((size, *values.shape[1:]))
    np.add.at(out, where, values)
    return out


def check_counts(report, group, where, book, keys, size, pick):
    for name, data in (("open_interest", book.open_interest), ("volume", book.volume)):
        for right, mine in (("call", book.phi > 0.0), ("put", book.phi < 0.0)):
            full = f"{right}_{name}"
            if full not in group or data is None:
                report.missing(f"{where} {full}")
                continue
            want = grouped(np.where(mine, data, 0.0), keys, size)
            report.close(f"{book.ticker} {where} {full}", pick(group[full]), want, SUM * want)


def check_split(report, group, where, levels, keys, size, pick):
    book = levels.book
    for greek in PROFILE:
        terms = split(book, book.nm, levels.each[greek])
        gross = grouped(terms["gross"], keys, size)
        for part, values in terms.items():
            name = f"{greek}_{part}"
            if name not in group:
                report.missing(f"{where} {name}")
                continue
            single = 1e-6 if group[name].dtype == np.float32 else 0.0
            report.close(f"{book.ticker} {where} {name}", pick(group[name]), grouped(values, keys, size), (SUM + single) * gross)


def check_profiles(night, report, levels):
    book = levels.book
    profile = night.file.get("profile")
    if profile is None:
        return report.missing("/profile")
    u, ticker = book.u, book.ticker
    if "strike" in profile:
        group, where = profile["strike"], "/profile/strike"
        strikes, keys = np.unique(book.thousandths, return_inverse=True)
        begin, count = int(group["strike_begin"][u]), int(group["strike_count"][u])
        part = slice(begin, begin + count)
        report.close(f"{ticker} {where} strike", group["strike"][part], strikes / 1000.0, 0.0)
        if count == len(strikes):
            check_counts(report, group, where, book, keys, len(strikes), lambda data: data[part])
            check_split(report, group, where, levels, keys, len(strikes), lambda data: data[part])
    else:
        report.missing("/profile/strike")

    if "expiry" in profile:
        group, where = profile["expiry"], "/profile/expiry"
        mine = np.flatnonzero(night.expiry["expiry_ticker"] == u)
        keys = np.searchsorted(mine, book.e)
        pick = lambda data: data[...][mine]
        check_counts(report, group, where, book, keys, len(mine), pick)
        check_split(report, group, where, levels, keys, len(mine), pick)
        settlement = night.expiry["settlement"][mine]
        for short, greek in (("dx", "delta"), ("gx", "gamma")):
            terms = book.nm * levels.each[greek][:, None]
            total, slack = terms.sum(axis=0), SUM * np.abs(terms).sum(axis=0)
            own = grouped(terms, keys, len(mine))
            until = np.array([own[settlement <= instant].sum(axis=0) for instant in settlement])
            for name, want in ((f"{short}_without", total - own), (f"{short}_after", total - until)):
                if name in group:
                    report.close(f"{ticker} {where} {name}", pick(group[name]), want, slack)
                else:
                    report.missing(f"{where} {name}")
        calls = book.phi > 0.0
        for i, e in enumerate(mine):
            part = book.e == e
            wants = {"max_pain": max_pain(book, part)}
            for name, data in (("open_interest", book.open_interest), ("volume", book.volume)):
                if data is not None:
                    total = data[part & calls].sum()
                    ratio = data[part & ~calls].sum() / total if total > 0.0 else math.nan
                    wants["put_call_ratio_" + name] = Want(ratio, "ok" if total > 0.0 else "none", SUM * ratio)
            for name, want in wants.items():
                if name not in group:
                    report.missing(f"{where} {name}")
                    continue
                got = float(group[name][e])
                report.compared += 1
                if want.status != "ok":
                    if not math.isnan(got):
                        report.fail(f"{ticker} {where} {name}[{e}]: file {got}, brute force none")
                elif not want.accepts(got, "ok"):
                    report.fail(f"{ticker} {where} {name}[{e}]: file {got:.12g}, brute force {want}")
    else:
        report.missing("/profile/expiry")

    if "bucket" in profile:
        group, where = profile["bucket"], "/profile/bucket"
        names = column(group, "bucket").tolist()
        if names != ["0dte", "weekly", "monthly", "beyond"]:
            report.fail(f"{where} bucket: {names}")
        ends = night.calendar.bucket_ends(night.now)
        if "bucket_end" in group:
            report.close(f"{where} bucket_end", group["bucket_end"][...], [*ends, max(ends[-1], night.expiry["settlement"].max())], 0.0)
        else:
            report.missing(f"{where} bucket_end")
        keys = np.searchsorted(ends, book.settlement, side="left")
        check_counts(report, group, where, book, keys, 4, lambda data: data[u])
        check_split(report, group, where, levels, keys, 4, lambda data: data[u].T)  # (position, bucket) -> (bucket, position)
    else:
        report.missing("/profile/bucket")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("night")
    parser.add_argument("--previous", help="the night that changes are against")
    parser.add_argument("--allow-missing", action="store_true", help="skip groups and columns that the file lacks")
    parser.add_argument("--stickiness", type=float, default=2.0, help="R of the flip")
    parser.add_argument("--ticker", action="append", help="only these")
    options = parser.parse_args()
    check_own_greeks()
    started = time.monotonic()
    night = Night(options.night)
    previous = Night(options.previous) if options.previous else None
    report = Report(options.allow_missing)
    group = night.file["levels"]
    values = {name: column(group, name) for name in group if not name.endswith("_status")}
    statuses = status_words(night)
    legacy = "zero_gamma_prominence" not in values
    if legacy:
        report.missing("/levels zero_gamma_prominence")
        legacy = options.allow_missing
    if night.file["time"].attrs.get("time_axis") in ("sessions", b"sessions"):
        axis = night.file["time"][1:6]
        report.close("closes of the time axis", axis, night.closes[:len(axis)], 0.0)
    rows, ladder = night.rows("levels"), night.rows("ladder", "session")
    tickers = [t for t in night.ticker if not options.ticker or t in options.ticker]
    for ticker in tickers:
        levels = TickerLevels(Book(night, ticker), legacy, options.stickiness)
        for p, position in enumerate(night.position):
            row = rows.get((ticker, position))
            if row is None:
                report.fail(f"{ticker} {position}: no row in /levels")
                continue
            want, crossings = levels.wants(p)
            check_levels(night, report, ticker, p, want, values, statuses, row)
            check_changes(night, previous, report, ticker, p, values, statuses, row)
            check_volume_shares(night, report, ticker, p, values, statuses, row)
            check_crossings(night, report, ticker, p, crossings, legacy)
        check_profiles(night, report, levels)
        check_ladder(night, report, levels, ladder)
    if options.allow_missing and report.skipped:
        print("not in the file, skipped:", *sorted(report.skipped), sep="\n  ")
    print(f"{len(tickers)} tickers, {report.compared} numbers compared in {time.monotonic() - started:.0f} s, "
          f"{len(report.failures)} disagreements")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The searches of forecasts written plainly in numpy, one ticker and one core: a baseline for bench/forecast_bench.cpp.

  bench/forecast_baseline.py [--sessions N] [--closes N]

Prints JSON, seconds: `next_closes` are the 42 nearest sessions and their weighted mean of every hypothetical close over both horizons,
`record` those of every session of the past with the CRPS of the forecast and of equal weights (no quantiles, no random sessions, no
kernel medians: less than the benchmarks beside it do). A library of k-d trees would be another baseline; none is among the packages
that this project builds with.
"""
import argparse
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

try:
    import numpy
except ImportError:
    print("forecast_baseline: this Python has no numpy", file=sys.stderr)
    sys.exit(77)

HORIZONS, NEIGHBOURS, HALF_LIFE = (5, 21), 42, 504.0


def ticker(sessions):
    """Standings (4, T) that move as slowly as windows of 21 sessions let them, and white noise returns (T)."""
    random = numpy.random.default_rng(1)
    noise = random.standard_normal((4, sessions))
    state = numpy.empty_like(noise)
    state[:, 0] = noise[:, 0]
    for s in range(1, sessions):
        state[:, s] = 0.95 * state[:, s - 1] + numpy.sqrt(1 - 0.95**2) * noise[:, s]
    ranks = state.argsort(axis=1).argsort(axis=1)
    return 2.0 * (ranks + 0.5) / sessions - 1.0, 0.01 * random.standard_normal(sessions)


def outcomes(returns, horizon):
    path = numpy.concatenate([[1.0], numpy.cumprod(1.0 + returns[1:])])
    return (path[horizon:] / path[:-horizon] - 1.0) / (0.008 * numpy.sqrt(horizon))


def neighbours(z, at, now):
    """Indices of the nearest of the columns of z (4, n), and their weights."""
    distance2 = ((z - at[:, None]) ** 2).sum(axis=0)
    near = numpy.argpartition(distance2, NEIGHBOURS - 1)[:NEIGHBOURS]
    d2 = distance2[near]
    weight = numpy.exp(-0.5 * d2 / d2.max()) * numpy.exp2(-(now - near) / HALF_LIFE)
    return near, weight / weight.sum()


def crps(y, w, came):
    order = numpy.argsort(y)
    y, w = y[order], w[order]
    up_to = numpy.cumsum(w)[:-1]
    return (w * numpy.abs(y - came)).sum() - (numpy.diff(y) * up_to * (1.0 - up_to)).sum()


def next_closes(z, returns, closes, first):
    total = 0.0
    for horizon in HORIZONS:
        y = outcomes(returns, horizon)
        known = z[:, first:len(y)]
        for x in numpy.linspace(-1.0, 1.0, closes):
            near, weight = neighbours(known, numpy.array([x, 1.0 - 2.0 * x * x, z[2, -1], z[3, -1]]), z.shape[1] - first)
            total += weight @ y[first + near]
    return total


def record(z, returns, first):
    total = 0.0
    for horizon in HORIZONS:
        y = outcomes(returns, horizon)
        for t in range(first + NEIGHBOURS + horizon, len(y)):
            end = t - horizon + 1
            near, weight = neighbours(z[:, first:end], z[:, t], t - first)
            past = y[first:end]
            total += crps(past, numpy.full(len(past), 1.0 / len(past)), y[t]) - crps(past[near], weight, y[t])
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=3780)
    parser.add_argument("--closes", type=int, default=383)
    options = parser.parse_args()
    z, returns = ticker(options.sessions)
    first = 252  # sessions without a standing yet
    seconds = {}
    for name, job in (("next_closes", lambda: next_closes(z, returns, options.closes, first)), ("record", lambda: record(z, returns, first))):
        begin = time.perf_counter()
        job()
        seconds[name] = round(time.perf_counter() - begin, 4)
    print(json.dumps({"numpy": numpy.__version__, "sessions": options.sessions, "closes": options.closes, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

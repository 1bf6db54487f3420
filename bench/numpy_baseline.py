#!/usr/bin/env python3
"""The sums of eleven Greeks over the contracts of a book, as numpy and scipy do them: closed forms over arrays (contract, spot).

  bench/numpy_baseline.py BOOK.json...

A book is what evaluators_bench --books writes: contracts, spots, and the reference's answers, against which every sum is checked
before anything is timed. Arrays are taken in blocks of spots; several sizes are tried and the best counts. Prints JSON. Exit status
77 without numpy and scipy.
"""
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

try:
    import numpy
    import scipy
    from scipy.special import ndtr
except ImportError:
    print("numpy_baseline: this Python has no numpy or no scipy", file=sys.stderr)
    sys.exit(77)

GREEKS11 = ["delta", "gamma", "charm", "vanna", "speed", "zomma", "color", "vega", "vomma", "ultima", "theta"]
GREEKS3 = GREEKS11[:3]
BLOCKS = (1, 2, 4, 8, 16, 32, 64)  # spots
TOLERANCE = 1e-9  # of the largest sum of each Greek
TURNS = 7


def block_sums(book, spot, greeks):
    """{Greek: sums at each spot}, each line one array expression over (contract, spot)."""
    right, strike, sigma, rate, q, tau = (book[name][:, None] for name in
                                                  ("right", "strike", "sigma", "rate", "dividend_yield", "tau"))
    S = spot[None, :]
    s = sigma * numpy.sqrt(tau)
    d1 = (numpy.log(S) + ((rate - q) * tau - numpy.log(strike) + 0.5 * s * s)) / s
    d2 = d1 - s
    growth = numpy.exp(-q * tau)
    density = growth * (numpy.exp(-0.5 * d1 * d1) * 0.3989422804014327)
    distribution = right * growth * ndtr(right * d1)
    drift = (2.0 * (rate - q) * tau - d2 * s) / s
    gamma = density / (S * s)
    values = {"delta": distribution, "gamma": gamma, "charm": q * distribution - density * drift / (2.0 * tau)}
    if len(greeks) > len(GREEKS3):
        vega = S * density * numpy.sqrt(tau)
        dd = d1 * d2
        values["vanna"] = -density * d2 / sigma
        values["speed"] = -gamma / S * (d1 / s + 1.0)
        values["zomma"] = gamma * (dd - 1.0) / sigma
        values["color"] = gamma / (2.0 * tau) * (2.0 * q * tau + 1.0 + d1 * drift)
        values["vega"] = vega
        values["vomma"] = vega * dd / sigma
        values["ultima"] = -vega / (sigma * sigma) * (dd * (1.0 - dd) + d1 * d1 + d2 * d2)
        values["theta"] = (q * S * distribution - rate * strike * numpy.exp(-rate * tau) * right * ndtr(right * d2)
                           - S * density * sigma / (2.0 * numpy.sqrt(tau)))
    return {greek: book["weight"] @ value for greek, value in values.items()}


def sums(book, greeks, block):
    parts = [block_sums(book, book["spot"][j:j + block], greeks) for j in range(0, len(book["spot"]), block)]
    return {greek: numpy.concatenate([part[greek] for part in parts]) for greek in greeks}


def best_seconds(book, greeks, block):
    best = float("inf")
    for _ in range(TURNS):
        begin = time.process_time()
        sums(book, greeks, block)
        best = min(best, time.process_time() - begin)
    return best


def main():
    rows = []
    for file in sys.argv[1:]:
        with open(file, encoding="utf-8") as text:
            record = json.load(text)
        expected = record.pop("expected")
        book = {name: numpy.array(values) for name, values in record.items()}
        for greeks in (GREEKS3, GREEKS11):
            found = sums(book, greeks, 16)
            error = max(float(numpy.max(numpy.abs(found[greek] - expected[greek])) / numpy.max(numpy.abs(expected[greek])))
                        for greek in greeks)
            row = {"name": "numpy + scipy", "greeks": len(greeks), "contracts": len(book["strike"]), "error": error,
                   "detail": f"numpy {numpy.__version__}, scipy {scipy.__version__}"}
            if error <= TOLERANCE:
                seconds, block = min((best_seconds(book, greeks, block), block) for block in BLOCKS)
                row |= {"seconds": seconds, "evaluations_per_s": len(book["strike"]) * len(book["spot"]) / seconds, "spots_a_block": block}
            else:
                row["refused"] = "computes something else than the reference"
            rows.append(row)
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

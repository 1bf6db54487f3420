"""How time grows: seconds = c size^exponent, by least squares in logarithms."""
import math

CASE = ("evaluator", "precision", "tolerance")


def case_of(row):
    return tuple(row.get(name) for name in CASE)


def power_law(points):
    """(exponent, residual) of (size, seconds): the residual is the root mean square of what the line leaves, in ln seconds."""
    x = [math.log(size) for size, _ in points]
    y = [math.log(seconds) for _, seconds in points]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    exponent = sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)
    left = sum((b - my - exponent * (a - mx)) ** 2 for a, b in zip(x, y))
    return exponent, math.sqrt(left / len(x))


def axes(record):
    """{axis: (name of the size, rows)} of what a record measured over several sizes, each row by itself."""
    universe = record.get("universe", [])
    largest = max((row["greeks"] for row in universe), default=0)
    return {
        "contracts": ("contracts", record.get("over_contracts", []) + [
            row for row in universe if row["threads"] == 1 and row["greeks"] == largest]),
        "scenarios": ("scenarios", record.get("over_scenarios", [])),
        "threads": ("threads", [row for row in universe if row["greeks"] == largest]),
    }


def fits(record):
    """One row for every axis and evaluator with two sizes or more."""
    rows = []
    for axis, (size, measured) in axes(record).items():
        clock = "wall_seconds" if axis == "threads" else "seconds"
        for case in dict.fromkeys(case_of(row) for row in measured):
            points = [(row[size], row[clock]) for row in measured if case_of(row) == case]
            if len({x for x, _ in points}) < 2:
                continue
            exponent, residual = power_law(points)
            rows.append({"axis": axis, **{name: value for name, value in zip(CASE, case) if value is not None},
                         "points": len(points), "exponent": exponent, "residual_ln_seconds": residual})
    return rows

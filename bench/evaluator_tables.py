"""The tables of docs/evaluators.md, from evaluators.json as scripts/bench_evaluators writes it."""
from power_law import axes, case_of


def number(value, digits=3):
    """Three significant digits, in powers of ten that are multiples of three where the figure is large."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 1e4:
        exponent = len(str(int(abs(value)))) - 1
        exponent -= exponent % 3
        return f"{value / 10 ** exponent:.{digits}g}e{exponent}"
    if abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"


def table(head, rows):
    rows = list(rows)
    if not rows:
        return []
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def name_of(row):
    return " ".join([row["evaluator"], row["precision"], *([f"{row['tolerance']:.0e}".replace("e-0", "e-")] if "tolerance" in row else [])])


def brute_of(rows, row, precision=None):
    """The brute force that a row is to be divided by: same job, same run, same precision or the one given."""
    for other in rows:
        if other["evaluator"] == "brute" and other["precision"] == (precision or row["precision"]) and all(
                other.get(key) == row.get(key) for key in ("contracts", "greeks", "threads", "scenarios", "tickers")):
            return other
    return None


def times_brute(rows, row, precision=None):
    brute = brute_of(rows, row, precision)
    return number(brute["seconds"] / row["seconds"]) if brute else "-"


def worst(row, key):
    """(largest error, its Greek)."""
    found = max(row["errors"], key=lambda error: error[key])
    return f"{found[key]:.1e} {found['greek']}"


def says(row):
    """What an evaluator reports of its own work."""
    report = row.get("report")
    if not report:
        return "-"
    if not report["spectral"]:
        return "by brute force"
    share = report["fp64_rows"]
    nodes = "fp32" if share == 0 else "fp64" if share == 1 else f"{100 * share:.0f} % of rows fp64"
    return (f"{nodes} nodes, bound {report['bound']:.1e}"
            f"{', attempts ' + str(report['attempts']) if report['attempts'] > 1 else ''}")


def peaks(record):
    p = record["peaks"]
    return ["### Peaks of one core", "",
            f"`{record['cpu']}`, {p['lanes_fp32']} lanes of fp32 and {p['lanes_fp64']} of fp64 a vector.", "",
            *table(["loop", "vector instructions/s"], [
                ["fp32 multiply-add", f"{number(p['fma_fp32_instructions_per_s'])} ({number(p['flop_per_s_fp32'] / 1e9)} GFLOP/s)"],
                ["fp64 multiply-add", f"{number(p['fma_fp64_instructions_per_s'])} ({number(p['flop_per_s_fp64'] / 1e9)} GFLOP/s)"],
                ["the mixture of the contract loop", number(p["mixed_instructions_per_s"])]])]


def quantlib_engine(record):
    return max((row["evaluations_per_s"] for row in record.get("peers", [])
                if row["name"] == "QuantLib AnalyticEuropeanEngine" and "evaluations_per_s" in row), default=None)


def chains(record):
    rows = record.get("evaluators", [])
    if not rows:
        return []
    engine = quantlib_engine(record)
    lines = ["### Evaluators, one core", ""]
    for chain in record["chains"]:
        half = chain["log_spot_half_width"]
        lines.append(f"- {chain['contracts']} contracts in {chain['expiries']} expiries over {chain['times']} instants x "
                     f"{chain['iv_shifts']} IV shifts x {chain['spots']} spots of ln S within {half:.4f}; errors at "
                     f"{chain['spots_compared']} of the spots.")
    lines.append("")
    body = []
    for row in rows:
        floor = row.get("floor_evaluations_per_s")
        body.append([row["contracts"], row["greeks"], name_of(row), number(row["evaluations_per_s"]), number(row["median_seconds"] / row["seconds"]),
                     times_brute(rows, row), times_brute(rows, row, "fp32"), number(row["evaluations_per_s"] / engine) if engine else "-",
                     f"{100 * row['evaluations_per_s'] / floor:.0f} %" if floor else "-",
                     worst(row, "relative_to_maximum"), worst(row, "relative_to_gross"), says(row)])
    lines += table(["contracts", "Greeks", "evaluator", "evaluations/s", "median / best time", "x brute force", "x brute fp32",
                    "x QuantLib's engine", "share of the issue floor of brute force", "worst error / surface maximum", "worst error / gross sum of the cell",
                    "says of itself"], body)
    return lines


def errors(record):
    """Per Greek, of the largest set and chain."""
    rows = record.get("evaluators", [])
    if not rows:
        return []
    contracts, greeks = max(row["contracts"] for row in rows), max(row["greeks"] for row in rows)
    chosen = [row for row in rows if row["contracts"] == contracts and row["greeks"] == greeks]
    body = [[error["greek"], *(f"{row['errors'][k]['relative_to_maximum']:.1e}; {row['errors'][k]['relative_to_gross']:.1e}" for row in chosen)]
            for k, error in enumerate(chosen[0]["errors"])]
    return [f"### Observed errors by Greek, {contracts} contracts", "",
            "Over the surface's maximum; over the gross sum abs(w g) of the cell.", "",
            *table(["Greek", *(name_of(row) for row in chosen)], body)]


def peers(record):
    if "peers" not in record:
        return []
    ours = record.get("evaluators_on_the_peers_job", [])
    body = []
    for contracts in dict.fromkeys(row["contracts"] for row in record["peers"]):
        here = [row for row in record["peers"] if row["contracts"] == contracts]
        engine = next((row["evaluations_per_s"] for row in here if row["name"] == "QuantLib AnalyticEuropeanEngine" and
                       "evaluations_per_s" in row), None)
        both = [(row["name"], row) for row in here] + [(name_of(row), row) for row in ours if row["contracts"] == contracts]
        for name, row in both:
            rate = row.get("evaluations_per_s")
            body.append([contracts, name, row["greeks"], number(rate) if rate else f"refused: {row['refused']}",
                         number(rate / engine) if rate and engine else "-", f"{row['error']:.1e}" if "error" in row else "-"])
    calls = ", ".join(f"`{name}`" for name in record.get("libmvec_calls", [])) or "none"
    return ["### Peers, one core", "",
            "All on the same contracts at one instant, shift 0 and the spots of the grid; each checked against the reference before it was "
            f"timed. Vector functions that the libmvec loop calls: {calls}.", "",
            *table(["contracts", "what", "Greeks", "evaluations/s", "x QuantLib's engine", "error / largest sum"], body)]


def starved(row):
    """Whether several threads had less than three quarters of the cores that they asked for: wall time is then the machine's."""
    threads = row.get("threads", 1)
    return threads > 1 and row.get("cores", threads) < 0.75 * threads


def universe(record):
    rows = record.get("universe", [])
    body = [[row["greeks"], name_of(row), row["threads"], f"{row['wall_seconds']:.3g}{' *' if starved(row) else ''}", f"{row['first_wall_seconds']:.3g}",
             f"{row['processor_seconds']:.3g}", number(row["evaluations_per_s"]),
             times_brute(rows, row), times_brute(rows, row, "fp32"), f"{row['cores']:.2f}"] for row in rows]
    if not body:
        return []
    return ["### The universe, compute only", "",
            f"{rows[0]['tickers']} tickers, {rows[0]['contracts']} priced contracts, {number(rows[0]['evaluations'])} live evaluations.", "",
            *table(["Greeks", "evaluator", "threads", "wall s", "first call", "processor s", "evaluations/s", "x brute force", "x brute fp32", "cores had"], body),
            *(["\\* Less than three quarters of the cores that it asked for: wall time and ratios of this row are the machine's, not ours; "
               "processor time stands.", ""] if any(starved(row) for row in rows) else [])]


def scaling(record):
    lines = []
    for axis, (size, rows) in axes(record).items():
        if axis == "threads" or not rows:
            continue
        cases = list(dict.fromkeys(case_of(row) for row in rows))
        names = {case_of(row): name_of(row) for row in rows}
        seconds = {(case_of(row), row[size]): row["seconds"] for row in rows}
        sizes = sorted({row[size] for row in rows})
        lines += [f"### Processor seconds over {axis}, one core", "",
                  *table([axis, *(names[case] for case in cases)],
                         [[x, *(number(seconds.get((case, x))) for case in cases)] for x in sizes])]
    starving = {case_of(row) for row in record.get("universe", []) if starved(row)}
    body = [[fit["axis"], name_of(fit), "machine busy" if fit["axis"] == "threads" and case_of(fit) in starving else f"{fit['exponent']:.3f}", f"{fit['residual_ln_seconds']:.3f}" if fit["points"] > 2 else "-", fit["points"]]
            for fit in record.get("fits", [])]
    return lines + (["### Power laws", "", *table(["over", "evaluator", "exponent", "residual, ln s", "points"], body)] if body else [])


def render(record):
    facts = record["machine"]
    lines = [f"{facts['processor']} ({facts['model']}), {facts['cores']} cores, {facts['memory_bytes'] / 2**30:.0f} GiB, "
             f"{facts['operating_system']}, {facts['compiler']}. Commit {record['commit']}, {record['date']}, `{record['command']}`, "
             f"load average {record['load_average_at_start'][0]:.2f} at the start and {record['load_average_at_end'][0]:.2f} at the end.", ""]
    if record["quick"]:
        lines += ["A trial on tiny inputs: not figures to quote.", ""]
    for part in (peaks, chains, errors, peers, universe, scaling):
        lines += part(record)
    lines += [line for what, reason in record["skipped"].items() for line in (f"Left out: {what} ({reason}).", "")]
    return "\n".join(lines).rstrip() + "\n"

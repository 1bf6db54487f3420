"""Nights of many configurations, all of which `greekgrid verify` must find sound."""

CONFIGURATIONS = {
    "plain": "",
    "rounded": "[surfaces]\nkeep_bits = 10\ndelta_change = true\ngreeks = [\"all\"]\n",
    "fp64": "[surfaces]\nprecision = \"fp64\"\ngreeks = [\"all\"]\ndelta_change = true\n",
    "positions": "[positions]\nmodels = [\"naive\", \"unsigned\"]\n[intraday]\nstored = false\n[attribution]\nmoves = []\n",
    "rules": 'iv_rules = ["sticky_strike", "sticky_moneyness", "sticky_local_volatility", '
             '{rule = "skew_stickiness", stickiness = 1.4}, {rule = "relative_beta", beta = 10.0}]\niv_shift_term = "sqrt_time"\n',
    "ages": 'time_axis = "intraday"\nintraday_step = 3600\nspot_axis = "log_return"\n',
    "log": 'spot_axis = "log_return"\niv_shift_term = "sqrt_time"\n',
}


def old_chain(path):
    """A chain whose last expiry settles within the axis of times: what is dead is 0."""
    rows = []
    for expiry in ("2026-07-13", "2026-07-14"):
        for strike in range(80, 121, 5):
            for right in "CP":
                inside = max(0.0, (100 - strike) * (1 if right == "C" else -1))
                middle = inside + max(0.2, 2.5 - 0.12 * abs(strike - 100))
                symbol = f"AAA{expiry[2:].replace('-', '')}{right}{strike * 1000:08d}"
                rows.append(f"AAA,2026-07-10T16:00:00-04:00,100,{symbol},{expiry},{right},{strike},{middle - 0.05:.2f},"
                            f"{middle + 0.05:.2f},{middle:.2f},5,{10 + strike},0.4,0.5,0.03,-0.02,0.1")
    path.write_text("underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,"
                    "open_interest,implied_volatility,delta,gamma,theta,vega\n" + "".join(row + "\n" for row in rows))
    return path

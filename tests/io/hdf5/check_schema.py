"""Checks every object of chains.h5, history.h5 and night.h5 files against the schema: check_schema.py FILE...

Exit 0 when all rules hold, 1 with one line per broken rule, 77 (skipped) where h5py is missing.
"""

import math
import re
import sys

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TIME = "seconds since 1970-01-01 00:00:00"
SIX = ("ticker", "position", "iv_rule", "time", "iv_shift", "spot_step")
SURFACES = {
    "dx": "shares", "gx": "shares USD-1", "charm": "shares common_year-1", "vanna": "shares vol-1",
    "speed": "shares USD-2", "zomma": "shares USD-1 vol-1", "color": "shares USD-1 common_year-1",
    "vega": "USD vol-1", "vomma": "USD vol-2", "ultima": "USD vol-3", "theta": "USD common_year-1",
    "veta": "USD vol-1 common_year-1", "delta_change": "shares",
}


def same(names, dims, dtype, units):
    return {name: (dims, dtype, units) for name in names.split()}


CHAINS = {"/": {
    "ticker": (("ticker",), "str", None), "spot": (("ticker",), "f8", "USD"),
    **same("contract_begin contract_count", ("ticker",), "i8", "1"),
    "expiry": (("expiry",), "i8", "1"), "expiry_ticker": (("expiry",), "i4", "1"), "root": (("expiry",), "str", None),
    "settlement": (("expiry",), "i8", TIME), "exercise": (("expiry",), "i1", "european american"),
    "settlement_style": (("expiry",), "i1", "unknown am pm"),
    "contract": (("contract",), "i8", "1"), "contract_expiry": (("contract",), "i4", "1"),
    "right": (("contract",), "i1", "1"), "multiplier": (("contract",), "f8", "shares"),
    **same("strike bid ask last", ("contract",), "f8", "USD"),
    **same("volume open_interest vendor_delta", ("contract",), "f8", "1"),
    "vendor_iv": (("contract",), "f8", "vol"), "vendor_gamma": (("contract",), "f8", "USD-1"),
}}
CHAINS_OPTIONAL = {("/", "dealer_position"): (("contract",), "f8", "1")}

HISTORY = {
    "symbol": (("symbol",), "str", None), **same("row_begin row_count", ("symbol",), "i8", "1"),
    "row": (("row",), "i8", "1"), **same("date knowledge_time", ("row",), "i8", TIME),
    **same("open high low close spot", ("row",), "f8", "USD"), **same("dix gex g g_old", ("row",), "f8", "1"), "gamma_index": (("row",), "f8", "1e9 USD"), "iv30": (("row",), "f8", "vol"),
    **same("volume short_volume short_exempt_volume off_exchange_volume", ("row",), "f8", "shares"),
}

WALLS = "call_wall put_wall call_wall_unrestricted put_wall_unrestricted absolute_gamma_strike".split()
NUMBERS = [str(k) for k in range(1, 11)]
# Levels by unit; those without a status of their own share another's.
LEVELS = {
    "1e9 USD": ["gamma_index", "gamma_index_change", *[f"gamma_level_{k}_index" for k in NUMBERS], "zero_gamma_slope"],
    "1": ["gamma_index_ratio", "spot_basis_factor", *[f"{w}_ratio" for w in WALLS], "zero_gamma_prominence", "zero_gamma_count",
          "put_call_ratio_open_interest", "put_call_ratio_volume", "speed_asymmetry", "vomma_zone_asymmetry", "expected_move",
          "hedge_up_volume_share", "hedge_down_volume_share"],
    "USD": [*[f"{w}{part}" for w in WALLS for part in ("", "_runner_up", "_change")], *[f"gamma_level_{k}" for k in NUMBERS],
            "zero_gamma", "zero_gamma_change", "flip", "flip_change", "max_pain", "gamma_centroid", "vega_centroid",
            "open_interest_centroid", "speed_pivot_up", "speed_pivot_down", "speed_target_up", "speed_target_down",
            "vomma_zone_down_low", "vomma_zone_down_high", "vomma_zone_up_low", "vomma_zone_up_high", "hedge_up_usd",
            "hedge_down_usd"],
    "shares": ["hedge_up", "hedge_down"],
}
STATUS_OF = {**{f"{w}_ratio": f"{w}_runner_up" for w in WALLS}, **{f"gamma_level_{k}_index": f"gamma_level_{k}" for k in NUMBERS},
             "zero_gamma_slope": "zero_gamma", "zero_gamma_prominence": "zero_gamma", "hedge_up_usd": "hedge_up",
             "hedge_down_usd": "hedge_down"}
LEVEL_NAMES = [name for names in LEVELS.values() for name in names]
LEVEL_STATUS = ("ok no_sign_change no_contracts outside_range only_weak no_previous no_calls no_runner_up "
                "no_average_volume")
ROW = ("row",)
SESSION = ("ticker", "position", "expiries", "time", "spot_step")
EXPOSURES = {"delta": "shares", "gamma": "shares USD-1", "charm": "shares common_year-1", "vanna": "shares vol-1",
             "color": "shares USD-1 common_year-1", "zomma": "shares USD-1 vol-1", "vega": "USD vol-1",
             "vomma": "USD vol-2", "ultima": "USD vol-3", "veta": "USD vol-1 common_year-1"}
LADDER = ("gamma", "color", "zomma", "vega", "veta", "vomma", "vanna", "ultima")
EXPIRY = {"expiry": (("expiry",), "i8", "1"), **same("ticker root", ("expiry",), "str", None),
          "settlement": (("expiry",), "i8", TIME)}
STRIKE = {"strike_row": (("strike_row",), "i8", "1"), "ticker": (("ticker",), "str", None),
          **same("strike_begin strike_count", ("ticker",), "i8", "1"), "strike": (("strike_row",), "f8", "USD")}


def counts(dims):
    return same("call_open_interest put_open_interest call_volume put_volume", dims, "f8", "1")


def exposures(dims):
    return {f"{name}_{part}": (dims, "f8", EXPOSURES[name]) for name in ("delta", "gamma", "vanna", "charm")
            for part in ("call", "put", "net", "gross")}


def attribution(dim):
    return {"position": (("position",), "str", None), "move": (("move",), "str", None),
            "expected_moves": (("move",), "f8", "1"), "iv_shift": (("move",), "f8", "vol"), "time": (("move",), "i8", TIME),
            **same("total gamma vanna charm spot_iv spot_time iv_time residual", (dim, "position", "move"), "f8", "shares")}


CURVES = ("mean median volatility volatility_median n_eff quantile_05 quantile_25 quantile_50 quantile_75 quantile_95")
PREDICTORS = ("p", "v", "g", "d")
HORIZON = {"ticker": (("ticker",), "str", None), "horizon": (("horizon",), "i8", "1")}
TWO = ("ticker", "horizon")
SETS = "none PV PVG PVD PVGD"
STEP_OWN, STEP_MODE = ("ticker", "next_close"), ("ticker", "mode", "next_close")
STEP_CURVE, STEP_RATIO = ("ticker", "mode", "horizon", "next_close"), ("ticker", "mode", "iv_rule", "iv_shift", "next_close")
STEP_BOOK = ("ticker", "mode", "position", "iv_rule", "iv_shift", "next_close")
MAP = ("ticker", "horizon", "pair", "first", "second")
STEP_NEAR = ("ticker", "mode", "horizon", "neighbour", "next_close")
BY_TICKER = (STEP_OWN, STEP_MODE, STEP_CURVE, STEP_RATIO, STEP_BOOK, STEP_NEAR, MAP)  # written ticker by ticker


def ticker_chunk(dims, shape):
    single, closes = ("ticker", "position", "iv_rule"), "next_close"
    return tuple(1 if dim in single else min(n, 384) if dim == closes else n for dim, n in zip(dims, shape))


NIGHT = {
    "/predictors": {
        "ticker": (("ticker",), "str", None), "status": (("ticker",), "i1", "ok no_sessions insufficient_history"),
        "sessions": (("ticker",), "i8", "1"), **same("close atr5", ("ticker",), "f8", "USD"),
        **same("mad v_raw premium_score", ("ticker",), "f8", "1"), **same("rv20 iv30 premium", ("ticker",), "f8", "vol"),
        **{f"{z}{letter}{old}": (("ticker",), "f8", "1") for letter in PREDICTORS
           for z, old in (("", ""), ("z_", ""), ("", "_old"))},
        **{f"{letter}{old}_status": (("ticker",), "i1", "ok insufficient_history zero_mad zero_volume missing_input")
           for letter in PREDICTORS for old in ("", "_old")},
        "premium_regime": (("ticker",), "i1", "missing discount neutral premium"),
    },
    "/forecast": {
        **HORIZON, "pair": (("pair",), "str", None), "neighbour": (("neighbour",), "i8", "1"),
        "status": (TWO, "i1", "ok insufficient_history no_predictors"), "predictor_set": (TWO, "i1", SETS),
        "candidates": (TWO, "i8", "1"), **same(CURVES + " bandwidth", TWO, "f8", "1"),
        "neighbour_session": (TWO + ("neighbour",), "i8", TIME),
        **same("neighbour_distance neighbour_weight neighbour_outcome", TWO + ("neighbour",), "f8", "1"),
        **same("pair_mean pair_median pair_volatility pair_volatility_median pair_n_eff", TWO + ("pair",), "f8", "1"),
    },
    "/record": {
        **HORIZON, "probability": (("probability",), "f8", "1"), "tenth": (("tenth",), "i8", "1"),
        **same("forecasts forecasts_implied signs", TWO, "i8", "1"),
        **same("n_independent crps crps_fair crps_climatology skill skill_t crps_random_walk skill_random_walk "
               "crps_implied skill_implied skill_where_implied skill_random hit_rate hit_low hit_high always_up",
               TWO, "f8", "1"),
        **same("pinball pinball_climatology", TWO + ("probability",), "f8", "1"), "pit": (TWO + ("tenth",), "f8", "1"),
    },
    "/step_forward": {
        **HORIZON, **{name: ((name,), "str", None) for name in ("position", "iv_rule", "mode")}, "iv_shift": (("iv_shift",), "f8", "vol"),
        "next_close": (("next_close",), "f8", "1"), "close": (STEP_OWN, "f8", "USD"),
        "close_status": (STEP_OWN, "i1", "outside_axis ok nonpositive_close no_mad"),
        "predictor_set": (STEP_MODE, "i1", SETS),
        **same("mad " + " ".join(f"{letter} z_{letter}" for letter in PREDICTORS), STEP_MODE, "f8", "1"),
        **same(CURVES, STEP_CURVE, "f8", "1"), "neighbour": (("neighbour",), "i8", "1"),
        "neighbour_age": (STEP_NEAR, "i4", "1"), "g_old": (STEP_RATIO, "f4", "1"),
        **{name: (STEP_BOOK, "f4", units) for name, units in
           {"dx": "shares", "gx": "shares USD-1", "charm": "shares common_year-1", "vanna": "shares vol-1",
            "gamma_index": "1e9 USD", "flip": "USD", "call_wall": "USD", "put_wall": "USD"}.items()},
        **same("d_held g_held", ("ticker", "mode"), "i1", "no yes"),
        **same("best_close best_mean best_n_eff worst_close worst_mean worst_n_eff", ("ticker", "mode", "horizon"), "f8",
               "1"),
    },
    "/weather": {
        **HORIZON, "pair": (("pair",), "str", None), **{name: ((name,), "f8", "1") for name in ("first", "second")},
        **same("mean magnitude mass n_eff", MAP, "f4", "1"),
    },
    "/": {
        **{name: ((name,), "str", None) for name in ("ticker", "position", "iv_rule")},
        "time": (("time",), "i8", TIME), "iv_shift": (("iv_shift",), "f8", "vol"),
        "spot_step": (("spot_step",), "f8", "1"), "spot": (("ticker", "spot_step"), "f8", "USD"),
        "spot_reference": (("ticker",), "f8", "USD"), **same("spot_basis spot_scale", ("ticker",), "f8", "1"),
        "average_daily_volume": (("ticker",), "f8", "shares"),
        "iv_rule_parameter": (("iv_rule",), "f8", "1"),
        **{name: (SIX, "f4", units) for name, units in SURFACES.items()},
    },
    "/expiry": {
        "expiry": (("expiry",), "i8", "1"), "expiry_ticker": (("expiry",), "i4", "1"),
        "root": (("expiry",), "str", None), "settlement": (("expiry",), "i8", TIME),
        "exercise": (("expiry",), "i1", "european american"), "settlement_style": (("expiry",), "i1", "unknown am pm"),
        "tau": (("expiry",), "f8", "common_year"), **same("rate dividend_yield", ("expiry",), "f8", "common_year-1"),
        "forward": (("expiry",), "f8", "USD"), "discount": (("expiry",), "f8", "1"),
        "forward_source": (("expiry",), "i1", "missing parity neighbour_carry given_rate_and_yield"),
        **same("parity_forward parity_low parity_high parity_residual straddle_strike straddle range_50_low range_50_high "
               "range_70_low range_70_high quantile_05 quantile_15 quantile_25 quantile_50 quantile_75 quantile_85 "
               "quantile_95", ("expiry",), "f8", "USD"),
        **same("parity_pairs parity_supporting smile_points", ("expiry",), "i4", "1"),
        "smile_kind": (("expiry",), "i1", "missing svi svi_fixed_place flat neighbour_expiry"),
        **same("smile_a smile_b smile_rho smile_m smile_s smile_low smile_high butterfly_score calendar_score",
               ("expiry",), "f8", "1"),
        **same("smile_residual atm_iv skew_25d skew_25d_change skew_10d smirk_25d smirk_10d", ("expiry",), "f8", "vol"),
    },
    "/volatility": {
        "ticker": (("ticker",), "str", None), **same("iv30 variance_index", ("ticker",), "f8", "vol"),
        **same("iv_pct implied_move_1d implied_move_5d", ("ticker",), "f8", "1"),
        **same("iv_usd week_inner_low week_inner_high week_outer_low week_outer_high straddle straddle_low straddle_high",
               ("ticker",), "f8", "USD"),
        **{f"{name}_status": (("ticker",), "i1", "ok outside_range no_smile no_quotes")
           for name in ("iv30", "variance_index", "implied_move_1d", "implied_move_5d", "straddle")},
        "straddle_tau": (("ticker",), "f8", "common_year"),
    },
    "/contract": {
        "contract": (("contract",), "i8", "1"), "ticker": (("ticker",), "str", None),
        "position": (("position",), "str", None), **same("contract_begin contract_count", ("ticker",), "i8", "1"),
        "contract_expiry": (("contract",), "i4", "1"), "chain_row": (("contract",), "i8", "1"),
        "strike": (("contract",), "f8", "USD"), "right": (("contract",), "i1", "1"),
        "multiplier": (("contract",), "f8", "shares"), **same("open_interest volume", ("contract",), "f8", "1"),
        "implied_volatility": (("contract",), "f8", "vol"),
        "iv_source": (("contract",), "i1", "missing own_mid vendor opposite_right smile neighbour_expiry"),
        "quote_status": (("contract",), "i1",
                         "missing ok placeholder no_bid crossed wide below_intrinsic above_bound"),
        "tau": (("contract",), "f8", "common_year"), "dealer_position": (("contract", "position"), "f8", "1"),
        "delta": (("contract",), "f8", "1"), "gamma": (("contract",), "f8", "USD-1"),
        "vega": (("contract",), "f8", "USD vol-1"), "vanna": (("contract",), "f8", "vol-1"),
        "speed": (("contract",), "f8", "USD-2"), "zomma": (("contract",), "f8", "USD-1 vol-1"),
        "charm": (("contract",), "f8", "common_year-1"), "color": (("contract",), "f8", "USD-1 common_year-1"),
        "vomma": (("contract",), "f8", "USD vol-2"), "ultima": (("contract",), "f8", "USD vol-3"),
        "theta": (("contract",), "f8", "USD common_year-1"), "veta": (("contract",), "f8", "USD vol-1 common_year-1"),
    },
    "/levels": {
        "row": (ROW, "i8", "1"), **same("ticker position", ROW, "str", None),
        **{name: (ROW, "f8", units) for units, names in LEVELS.items() for name in names},
        **{f"{name}_status": (ROW, "i1", LEVEL_STATUS) for name in LEVEL_NAMES if name not in STATUS_OF},
    },
    "/crossing": {
        "row": (ROW, "i8", "1"), **same("ticker position", ROW, "str", None), "kind": (ROW, "i1", "zero_gamma flip"),
        "price": (ROW, "f8", "USD"), "slope": (ROW, "f8", "1e9 USD"), "prominence": (ROW, "f8", "1"),
        "weak": (ROW, "i1", "no yes"),
    },
    "/ladder": {
        "row": (ROW, "i8", "1"), **same("ticker position", ROW, "str", None), "session": (ROW, "i4", "1"),
        "time": (ROW, "i8", TIME), **same("band_low band_high", ROW, "f8", "USD"),
        **{name: (ROW, "f8", EXPOSURES[name]) for name in LADDER},
        **{f"{name}_asymmetry": (ROW, "f8", "1") for name in LADDER},
    },
    "/profile": {}, "/attribution": {},
    "/profile/strike": {**STRIKE, "position": (("position",), "str", None), **counts(("strike_row",)),
                        **exposures(("strike_row", "position"))},
    "/profile/expiry": {
        **EXPIRY, "position": (("position",), "str", None), **counts(("expiry",)),
        "max_pain": (("expiry",), "f8", "USD"),
        **same("put_call_ratio_open_interest put_call_ratio_volume", ("expiry",), "f8", "1"),
        **exposures(("expiry", "position")), **same("dx_without dx_after", ("expiry", "position"), "f8", "shares"),
        **same("gx_without gx_after", ("expiry", "position"), "f8", "shares USD-1"),
    },
    "/profile/bucket": {
        **{name: ((name,), "str", None) for name in ("ticker", "position", "bucket")},
        "bucket_end": (("bucket",), "i8", TIME), **counts(("ticker", "bucket")),
        **exposures(("ticker", "position", "bucket")),
    },
    "/attribution/expiry": {**EXPIRY, **attribution("expiry")},
    "/attribution/strike": {**STRIKE, **attribution("strike_row")},
    "/intraday": {
        **{name: ((name,), "str", None) for name in ("ticker", "position", "expiries")}, "time": (("time",), "i8", TIME),
        "spot_step": (("spot_step",), "f8", "1"), "spot": (("ticker", "spot_step"), "f8", "USD"),
        **same("spot_reference gamma_move", ("ticker",), "f8", "USD"), "expected_move": (("ticker",), "f8", "1"),
        "futures": (("ticker",), "str", None), "futures_multiplier": (("ticker",), "f8", "shares"),
        **{name: (SESSION, "f4", units) for name, units in
           {"dx": "shares", "gx": "shares USD-1", "charm": "shares common_year-1", "vanna": "shares vol-1",
            "charm_heatmap": "contract_delta", "gamma_heatmap": "contract_delta"}.items()},
        **same("path_spot path_low path_high", ("ticker", "position", "time"), "f8", "USD"),
        "path_status": (("ticker", "position", "time"), "i1", "ok repelling singular left_grid no_data"),
        "path_half_band": (("ticker", "position"), "f8", "shares"),
    },
    "/line": {
        "line": (("line",), "i8", "1"), **same("ticker position", ("line",), "str", None),
        "expiries": (("line",), "i1", "all 0dte"),
        "kind": (("line",), "i1", "gamma_ridge_high gamma_ridge_low zero_gamma zero_charm"),
        **same("point_begin point_count", ("line",), "i8", "1"), "point": (("point",), "i8", "1"),
        "time": (("point",), "i8", TIME), "spot": (("point",), "f8", "USD"),
        **same("ridge_gamma gamma_prominence", ("point",), "f8", "shares USD-1"),
        "zero_gamma_slope": (("point",), "f8", "shares USD-2"),
        "zero_charm_slope": (("point",), "f8", "shares USD-1 common_year-1"),
        "charm_prominence": (("point",), "f8", "shares common_year-1"),
    },
    "/quality": {
        "ticker": (("ticker",), "str", None),
        "status": (("ticker",), "i1",
                   "ok no_contracts all_expired no_spot too_little_iv not_in_chain no_open_interest spot_contradicted stage_failed"),
        **same("contracts rows_in rows_expired rows_refused clipped_cells", ("ticker",), "i8", "1"),
        **same("coverage own_iv_share supported_iv_share filled_iv_share expired_share parity_residual arbitrage_score "
               "spread spot_basis_bp", ("ticker",), "f8", "1"),
        "spot_source": (("ticker",), "i1", "missing vendor parity"),
    },
    "/run": {},
}
COMMON = ("schema", "schema_version", "Conventions", "title", "quote_time", "file_time", "open_interest_settle_date",
          "open_interest_knowledge_time", "tool_version")
HISTORY_COMMON = ("schema", "schema_version", "Conventions", "title", "first_date", "last_date", "tool_version")
LISTS = {"source_name", "source_sha256", "axes", "warnings"}
SCALE_ATTRIBUTES = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"}  # HDF5's own
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


class Checker:
    def __init__(self, name):
        self.name = name
        self.broken = []

    def require(self, holds, where, rule):
        if not holds:
            self.broken.append(f"{self.name}: {where}: {rule}")

    def attributes(self, thing, where):
        for name in thing.attrs:
            if name in SCALE_ATTRIBUTES:
                continue
            low = thing.attrs.get_id(name)
            space, kind = low.get_space(), low.get_type()
            if isinstance(kind, h5py.h5t.TypeStringID):
                self.require(kind.is_variable_str() and kind.get_cset() == h5py.h5t.CSET_UTF8, where,
                             f"attribute {name} is variable-length UTF-8")
                if name in LISTS:
                    self.require(len(space.shape) == 1 and space.shape[0] > 0, where, f"attribute {name} is a list")
                else:
                    self.require(space.get_simple_extent_type() == h5py.h5s.SCALAR, where, f"attribute {name} is scalar")
            else:
                self.number_type(kind, where, f"attribute {name}")
                length = 1 if name != "flag_values" else space.shape[0]
                self.require(space.shape == (length,), where, f"attribute {name} is an array of length 1")

    def number_type(self, kind, where, what):
        good = kind in (h5py.h5t.STD_I8LE, h5py.h5t.STD_I32LE, h5py.h5t.STD_I64LE, h5py.h5t.IEEE_F32LE,
                        h5py.h5t.IEEE_F64LE)
        self.require(good and not kind.committed(), where, f"{what} has an allowed type")

    def variable(self, group, name, spec):
        data, where = group[name], f"{group.name.rstrip('/')}/{name}"
        dims, dtype, units = spec
        scale = h5py.h5ds.is_scale(data.id)
        is_text = dtype == "str"
        self.require(group.get(name, getlink=True).__class__ is h5py.HardLink, where, "is a hard link")
        kind = data.id.get_type()
        if is_text:
            self.require(isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str() and
                         kind.get_cset() == h5py.h5t.CSET_UTF8, where, "variable-length UTF-8")
        else:
            self.number_type(kind, where, "variable")
            self.require(data.dtype == np.dtype(dtype), where, f"type {dtype}, found {data.dtype}")
        # Dimensions: one scale per axis, of the bare name, in the same group.
        self.require(len(data.shape) == len(dims) and all(data.shape), where, "rank, no zero-length dimension")
        self.require(data.maxshape == data.shape, where, "no unlimited dimension")
        self.require(scale == (dims == (name,)), where, "is a scale exactly if it is a coordinate")
        if scale:
            self.require(h5py.h5ds.get_scale_name(data.id) == name.encode(), where, "scale has the bare name")
            self.require("DIMENSION_LIST" not in data.attrs, where, "a scale has no scales")
        else:
            for axis, dim in enumerate(dims):
                scales = data.dims[axis].values()
                self.require(len(scales) == 1 and scales[0].name == f"{group.name.rstrip('/')}/{dim}", where,
                             f"axis {axis} has exactly the scale {dim}")
        # Attributes.
        attrs = data.attrs
        self.attributes(data, where)
        self.require(bool(attrs.get("long_name")), where, "long_name")
        is_flag = dtype == "i1" and name != "right"
        if is_flag:
            self.require(attrs.get("flag_meanings") == units and "units" not in attrs, where, "flag_meanings")
            values = attrs.get("flag_values")
            self.require(values is not None and values.dtype == np.int8 and
                         list(values) == list(range(len(units.split()))), where, "flag_values")
            self.require(set(data[...].ravel()) <= set(range(len(units.split()))), where, "known flags")
        else:
            self.require(attrs.get("units") == units, where, f"units {units}, found {attrs.get('units')}")
        if units == TIME:
            self.require(attrs.get("calendar") == "proleptic_gregorian", where, "calendar")
        fill = attrs.get("_FillValue")
        if dtype in ("f4", "f8") and not scale:
            self.require(fill is not None and fill.dtype == data.dtype and fill.shape == (1,) and math.isnan(fill[0]) and
                         math.isnan(data.fillvalue), where, "_FillValue NaN, equal to the fill value")
        else:
            self.require(fill is None, where, "no _FillValue")
        # Storage.
        plist = data.id.get_create_plist()
        self.require(not plist.get_obj_track_times(), where, "no times")
        filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
        chunked = not is_text and (data.size >= 1024 or dims in (SIX, SESSION, *BY_TICKER))
        if chunked:
            self.require(filters == [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32],
                         where, f"shuffle, deflate, fletcher32; found {filters}")
            wanted = (1, 1, 1, *data.shape[3:]) if dims in (SIX, SESSION) else (min(data.shape[0], 16384),) + (1,) * (len(dims) - 1)
            if dims in BY_TICKER:
                wanted = ticker_chunk(dims, data.shape)
            self.require(data.chunks == wanted, where, f"chunks {wanted}, found {data.chunks}")
            for i in range(data.id.get_num_chunks()):
                self.require(data.id.get_chunk_info(i).filter_mask == 0, where, "filter mask 0")
        else:
            self.require(plist.get_layout() == h5py.h5d.CONTIGUOUS and not filters, where, "contiguous, unfiltered")
            self.require(plist.get_external_count() == 0, where, "no external storage")
        if name in ("row", "expiry", "contract", "strike_row", "line", "point") and scale:
            self.require(np.array_equal(data[...], np.arange(data.size)), where, "0 .. n-1")
        if dims in (SIX, SESSION):
            self.require(attrs.get("coordinates") == "spot spot_reference", where, "coordinates")
            self.require(np.isfinite(data[...]).all(), where, "finite")

    def group(self, group, spec, optional):
        for name, thing in group.items():
            if isinstance(thing, h5py.Group):
                continue
            key = (group.name, name)
            if name in spec or key in optional:
                self.variable(group, name, spec.get(name) or optional[key])
            else:
                self.require(False, f"{group.name}/{name}", "is in the schema")
        if "rows" in group.attrs:
            self.require(group.attrs["rows"] == 0 and not list(group), group.name, "rows = 0 and nothing else")
        else:
            for name in spec:
                self.require(name in group or name in SURFACES and group.name == "/", group.name, f"has {name}")
        self.attributes(group, group.name)

    def file(self, path):
        with h5py.File(path, "r") as file:
            self.require(file.id.get_create_plist().get_version()[0] == 2, "/", "superblock 2")
            history = file.attrs["schema"] == "greekgrid.history"
            for name in HISTORY_COMMON if history else COMMON:
                self.require(name in file.attrs, "/", f"attribute {name}")
            self.require(file.attrs["schema_version"] == "1.0" and file.attrs["Conventions"] == "CF-1.10", "/", "versions")
            for name in () if history else ("quote_time", "file_time"):
                self.require(INSTANT.fullmatch(file.attrs[name]), "/", f"{name} is ISO 8601")
            for sha in file.attrs.get("source_sha256", []):
                self.require(re.fullmatch("[0-9a-f]{64}", sha), "/", "sha256")
            self.no_times(file, path)
            if file.attrs["schema"] == "greekgrid.chains":
                self.group(file["/"], CHAINS["/"], CHAINS_OPTIONAL)
            elif history:
                self.group(file["/"], HISTORY, {})
                self.days(file)
            else:
                self.night(file)

    def days(self, file):
        symbols = [text.decode() for text in file["symbol"]]
        self.require(symbols == sorted(set(symbols), key=str.encode), "/symbol", "sorted, none twice")
        begin, count, date = (file[name][...] for name in ("row_begin", "row_count", "date"))
        self.require(np.array_equal(begin, np.cumsum(count) - count) and count.sum() == len(date), "/row_begin", "slices")
        self.require((date % 86400 == 0).all(), "/date", "midnight")
        self.require((file["knowledge_time"][...] >= date).all(), "/knowledge_time", "not before the date")
        for b, n in zip(begin, count):
            self.require((np.diff(date[b:b + n]) > 0).all(), "/date", "ascending within a symbol")

    def no_times(self, file, path):
        """Object headers of version 2 say in flag bit 5 whether times follow; h5py shows times of datasets only."""
        with open(path, "rb") as raw:
            def visit(name, thing):
                raw.seek(h5py.h5o.get_info(thing.id).addr)
                head = raw.read(6)
                self.require(head[:5] == b"OHDR\x02" and not head[5] & 0x20, name, "no times in the object header")
                self.require(not isinstance(thing, h5py.Datatype), name, "no named type")
            visit("/", file["/"])
            file.visititems(visit)

    def night(self, file):
        attrs = file.attrs
        self.require(attrs["schema"] == "greekgrid.night", "/", "schema")
        self.require(set(file) - set(NIGHT["/"]) == {name[1:] for name in NIGHT if name != "/" and "/" not in name[1:]}, "/", "groups")
        for name, spec in NIGHT.items():
            self.group(file[name], spec, {})
        self.require(attrs.get("settled_contracts") == "indicator_at_settlement", "/", "settled_contracts")
        self.require(attrs.get("NX_class") == "NXdata" and attrs.get("signal") == "gx" and
                     tuple(attrs.get("axes")) == SIX, "/", "NXdata")
        time, shift, step = file["time"], file["iv_shift"], file["spot_step"]
        self.require(time.attrs.get("time_axis") in ("sessions", "intraday"), "/time", "time_axis")
        self.require((np.diff(time[...]) > 0).all(), "/time", "increasing")
        self.require(shift.attrs.get("iv_shift_term") in ("flat", "sqrt_time"), "/iv_shift", "iv_shift_term")
        self.require(("iv_shift_term_cap" in shift.attrs) == (shift.attrs.get("iv_shift_term") == "sqrt_time"),
                     "/iv_shift", "iv_shift_term_cap with sqrt_time only")
        self.require("iv_floor" in shift.attrs and 0.0 in shift[...], "/iv_shift", "iv_floor, contains 0")
        self.require(step.attrs.get("spot_axis") in ("expected_move", "log_return"), "/spot_step", "spot_axis")
        self.require((step[...] == -step[...][::-1]).all() and len(step) % 2 == 1, "/spot_step", "symmetric, odd")
        tickers = [text.decode() for text in file["ticker"]]
        self.require(tickers == sorted(tickers, key=str.encode), "/ticker", "sorted")
        spot = file["spot_reference"][...][:, None] * np.exp(step[...][None, :] * file["spot_scale"][...][:, None])
        self.require(np.allclose(file["spot"][...], spot, rtol=1e-14, atol=0), "/spot", "spot_reference e^(step scale)")
        for name in ("ticker", "position"):
            self.require((file[f"contract/{name}"][...] == file[name][...]).all(), f"/contract/{name}", "as in the root")
        self.expiries(file)
        self.levels(file["levels"])
        for name in ("configuration", "tool_version", "build", "backend", "precision", "compressor"):
            self.require(name in file["run"].attrs, "/run", name)

    def expiries(self, file):
        group = file["expiry"]
        who = group["expiry_ticker"][...]
        tau = (group["settlement"][...] - file["time"][0]) / 31536000.0
        rate, dividend = group["rate"][...], group["dividend_yield"][...]
        forward = file["spot_reference"][...][who] * np.exp(file["spot_basis"][...][who] + (rate - dividend) * tau)
        for name, wanted in (("tau", tau), ("forward", forward), ("discount", np.exp(-rate * tau))):
            self.require(np.allclose(group[name][...], wanted, rtol=1e-12, atol=0), f"/expiry/{name}", "as recomputed")
        contract = file["contract"]
        self.require(np.array_equal(contract["tau"][...], group["tau"][...][contract["contract_expiry"][...]]),
                     "/contract/tau", "of its expiry")

    def levels(self, group):
        for name in LEVEL_NAMES:
            status = group[f"{STATUS_OF.get(name, name)}_status"]
            self.require(np.array_equal(np.isnan(group[name][...]), status[...] != 0),
                         f"/levels/{name}", "NaN exactly when the status is not ok")


def main(paths):
    broken = []
    for path in paths:
        checker = Checker(path.rsplit("/", 1)[-1])
        checker.file(path)
        broken += checker.broken
    print("\n".join(broken) if broken else f"{len(paths)} files hold to the schema")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

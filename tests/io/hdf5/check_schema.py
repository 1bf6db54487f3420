"""Checks every object of chains.h5, history.h5 and night.h5 files against the schema: check_schema.py FILE...

Exit 0 when all rules hold, 1 with one line per broken rule, 77 (skipped) where h5py is missing.
"""

import ast
import math
import re
import sys
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TIME = "seconds since 1970-01-01 00:00:00"
SIX = ("ticker", "position", "iv_rule", "time", "iv_shift", "spot_step")
TYPES = {"kString": "str", "kInt8": "i1", "kInt32": "i4", "kInt64": "i8", "kFloat32": "f4", "kFloat64": "f8"}


def schema_rows():
    """{file: {group: {variable: (dims, dtype, units or flag meanings)}}}: the rows that the program itself goes by."""
    files = {}
    rows = Path(__file__).resolve().parents[3] / "io" / "hdf5" / "schema_rows.inc"
    for line in rows.read_text(encoding="utf-8").splitlines():
        if not line.startswith("{"):
            continue
        fields = ast.literal_eval("(" + re.sub(r"Type::(\w+)", r'"\1"', line.strip().rstrip(","))[1:-1] + ")")
        file, group, name, dims, kind, units, flags = fields[:7]
        variables = files.setdefault(file, {}).setdefault(group, {})
        if name:
            variables[name] = (tuple(dims.split()), TYPES[kind], flags or units or None)
    return files


ROWS = schema_rows()
CHAINS_OPTIONAL = {("/", "dealer_position"): ROWS["chains"]["/"].pop("dealer_position")}
CHAINS, HISTORY, NIGHT = ROWS["chains"], ROWS["history"]["/"], ROWS["night"]
SURFACES = [name for name, (dims, _, _) in NIGHT["/"].items() if dims == SIX]

WALLS = "call_wall put_wall call_wall_unrestricted put_wall_unrestricted absolute_gamma_strike".split()
NUMBERS = [str(k) for k in range(1, 11)]
# Levels without a status of their own share another's.
STATUS_OF = {**{f"{w}_ratio": f"{w}_runner_up" for w in WALLS}, **{f"gamma_level_{k}_index": f"gamma_level_{k}" for k in NUMBERS},
             "zero_gamma_slope": "zero_gamma", "zero_gamma_prominence": "zero_gamma", "hedge_up_usd": "hedge_up",
             "hedge_down_usd": "hedge_down"}
LEVEL_NAMES = [name for name, (_, dtype, _) in NIGHT["/levels"].items() if dtype == "f8"]
SESSION = ("ticker", "position", "expiries", "time", "spot_step")
# Written ticker by ticker.
BY_TICKER = {dims for dims, _, _ in NIGHT["/step_forward"].values() if "next_close" in dims and len(dims) > 1}
BY_TICKER |= {dims for dims, _, _ in NIGHT["/weather"].values() if len(dims) == 5}


def ticker_chunk(dims, shape):
    single, closes = ("ticker", "position", "iv_rule"), "next_close"
    return tuple(1 if dim in single else min(n, 384) if dim == closes else n for dim, n in zip(dims, shape))


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

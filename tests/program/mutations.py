"""Corruptions of a sound night.h5, each with the check of `greekgrid verify` that must catch it."""
import h5py
import numpy

SIX = (0, 0, 0, 0, 0, 0)


def put(path, index, value):
    def change(file):
        data = file[path]
        values = data[...]
        values[index] = value(values[index]) if callable(value) else value
        data[...] = values
    return change


def attribute(path, name, value):
    def change(file):
        if value is None:
            del file[path].attrs[name]
        else:
            file[path].attrs[name] = value
    return change


def text(path, name, value):
    """A text attribute as the program writes it."""
    def change(file):
        file[path].attrs.create(name, value, dtype=h5py.string_dtype("utf-8"))
    return change


def remove(path):
    def change(file):
        del file[path]
    return change


def rewrite(path, **storage):
    """The variable again with other storage, its attributes and scales as they were."""
    def change(file):
        old = file[path]
        values, attributes = old[...], {name: value for name, value in old.attrs.items() if name != "DIMENSION_LIST"}
        scales = [[scale for scale in axis.values()] for axis in old.dims]
        kind = storage.pop("dtype", old.dtype)
        options = {"chunks": old.chunks, "shuffle": True, "compression": "gzip", "fletcher32": True, "fillvalue": numpy.nan} if old.chunks else {"fillvalue": numpy.nan}
        options.update(storage)
        del file[path]
        new = file.create_dataset(path, data=values.astype(kind), **options)
        for name, value in attributes.items():
            new.attrs[name] = value
        for axis, of in enumerate(scales):
            for scale in of:
                new.dims[axis].attach_scale(scale)
    return change


def second_scale(file):
    file["spot_reference"].dims[0].attach_scale(file["time"])


def no_scale(file):
    file["spot_basis"].dims[0].detach_scale(file["ticker"])


def soft_link(file):
    del file["spot_scale"]
    file["spot_scale"] = h5py.SoftLink("/spot_basis")


def two_names(file):
    file["twice"] = file["levels"]


def named_type(file):
    file["kind"] = numpy.dtype("f8")


def swap_tickers(file):
    data = file["ticker"]
    values = data[...]
    values[0], values[1] = values[1], values[0]
    data[...] = values


def keeps_times(file):
    del file["spot_basis"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_obj_track_times(True)
    h5py.h5d.create(file.id, b"spot_basis", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((file["ticker"].size,)), plist)


def broken_chunk(path):
    """Flips a bit of a stored chunk; the library's checksum must see it."""
    with h5py.File(path) as file:
        info = file["gx"].id.get_chunk_info(0)
    with open(path, "r+b") as raw:
        raw.seek(info.byte_offset + info.size // 2)
        byte = raw.read(1)[0]
        raw.seek(info.byte_offset + info.size // 2)
        raw.write(bytes([byte ^ 4]))


def middle(file):
    shape = file["gx"].shape
    return (0, 0, 0, 0, shape[4] // 2, shape[5] // 2)


def reference_cell(name, factor):
    def change(file):
        put(name, middle(file), lambda x: x * factor)(file)
    return change


def largest_cell(name, factor):
    """The largest cell of the first surface; with --all it is always looked at."""
    def change(file):
        values = file[name][0, 0, 0]
        at = numpy.unravel_index(numpy.abs(values).argmax(), values.shape)
        put(name, (0, 0, 0, *at), lambda x: x * factor)(file)
    return change


def largest(path, factor):
    def change(file):
        values = file[path][...]
        at = numpy.unravel_index(numpy.nanargmax(numpy.abs(values)), values.shape)
        put(path, at, lambda x: x * factor)(file)
    return change


def ok_level(name, value):
    def change(file):
        rows = numpy.flatnonzero(~numpy.isnan(file[f"levels/{name}"][...]))
        put(f"levels/{name}", rows[0], value)(file)
    return change


def close_cell(factor):
    """The lowest close of the first ticker that has one, in dx."""
    def change(file):
        shift = list(file["iv_shift"][...]).index(0.0)
        closes = numpy.flatnonzero(file["step_forward/close"][0] > 0)
        put("step_forward/dx", (0, 0, 0, 0, shift, closes[0]), lambda x: x * factor)(file)
    return change


# (check, what is done); of a night with a history, several rules, models and all Greeks.
MUTATIONS = [
    ("types", rewrite("spot_basis", dtype="f4", fillvalue=numpy.float32("nan"))),
    ("types", rewrite("expiry/rate", dtype=">f8")),
    ("dimensions", second_scale),
    ("dimensions", no_scale),
    ("units", text("gx", "units", "shares")),
    ("units", attribute("time", "calendar", None)),
    ("attributes", attribute("gx", "long_name", None)),
    ("attributes", attribute("/", "settled_contracts", None)),
    ("attributes", attribute("gx", "shade", numpy.zeros(3))),
    ("attributes", attribute("iv_shift", "iv_floor", None)),
    ("flags", text("expiry/exercise", "flag_meanings", "european bermudan")),
    ("flags", attribute("expiry/exercise", "flag_values", numpy.array([1, 2], dtype="i1"))),
    ("fill values", attribute("gx", "_FillValue", None)),
    ("fill values", rewrite("spot_basis", fillvalue=0.0)),
    ("storage", rewrite("gx", shuffle=False)),
    ("storage", rewrite("gx", fletcher32=False)),
    ("storage", rewrite("gx", chunks=(1, 1, 1, 1, 1, 11))),
    ("storage", rewrite("spot_basis", chunks=(1,), compression="gzip")),
    ("variables", remove("contract/gamma")),
    ("variables", lambda file: file.create_dataset("levels/blue", data=numpy.zeros(3))),
    ("groups", remove("crossing")),
    ("groups", lambda file: file.create_group("blue")),
    ("groups", attribute("levels", "rows", numpy.array([0], dtype="i8"))),
    ("links", soft_link),
    ("links", two_names),
    ("objects", named_type),
    ("times", keeps_times),
    ("axes", swap_tickers),
    ("axes", put("time", 0, lambda t: t - 60)),
    ("axes", put("iv_shift", 1, 0.001)),
    ("axes", put("spot_step", 0, lambda x: x * 1.5)),
    ("coordinates", put("time", 1, 0)),
    ("coordinates", put("contract/contract", 3, 17)),
    ("coordinates", put("levels/row", 0, 9)),
    ("spot", put("spot", (1, 2), lambda s: s * (1 + 1e-9))),
    ("spot", put("spot_reference", 1, -1.0)),
    ("indices", put("contract/contract_expiry", 5, 10000)),
    ("indices", put("expiry/expiry_ticker", 0, 1)),
    ("slices", put("contract/contract_begin", 1, lambda n: n + 1)),
    ("slices", put("profile/strike/strike_count", 0, lambda n: n - 1)),
    ("slices", put("line/point_count", 0, lambda n: n + 1)),
    ("expiry identities", put("expiry/forward", 0, lambda f: f * (1 + 1e-10))),
    ("expiry identities", put("expiry/discount", 1, lambda d: d * (1 - 1e-10))),
    ("expiry identities", put("expiry/tau", 1, lambda t: t * (1 + 1e-10))),
    ("smiles", put("expiry/smile_rho", 0, numpy.nan)),
    ("smiles", put("expiry/quantile_50", 0, 0.01)),
    ("contracts", put("contract/strike", 2, 0.0)),
    ("contracts", put("contract/tau", 2, lambda t: t * 2)),
    ("contracts", put("contract/dealer_position", (2, 0), numpy.nan)),
    ("contract Greeks", largest("contract/gamma", 1.00001)),
    ("contract Greeks", largest("contract/ultima", 1.00001)),
    ("flag values", put("contract/right", 4, 0)),
    ("flag values", put("contract/iv_source", 4, 77)),
    ("numbers", put("contract/vega", 4, numpy.inf)),
    ("statuses", put("levels/call_wall_status", 0, 2)),
    ("statuses", ok_level("gamma_level_1", numpy.nan)),
    ("statuses", put("volatility/iv30", 0, numpy.nan)),
    ("levels", ok_level("gamma_index", lambda x: x * 1.001 + 0.001)),
    ("levels", ok_level("call_wall", 0.01)),
    ("levels", ok_level("zero_gamma", 1e-3)),
    ("crossings", put("crossing/price", 0, -3.0)),
    ("profile", largest("profile/strike/gamma_net", 1.0001)),
    ("profile", largest("profile/bucket/delta_net", 1.0001)),
    ("profile", largest("profile/expiry/gx_without", 1.0001)),
    ("attribution", largest("attribution/expiry/vanna", 1.0001)),
    ("session", put("intraday/spot", (0, 3), lambda s: s * 1.000001)),
    ("session", largest("intraday/gamma_heatmap", 1.0001)),
    ("lines", put("line/spot", 0, -1.0)),
    ("quality", put("quality/rows_refused", 0, lambda n: n + 1)),
    ("quality", put("quality/status", 0, 3)),
    ("quality", put("quality/coverage", 0, 1.5)),
    ("predictors", put("predictors/z_p", 0, 1.5)),
    ("forecasts", put("forecast/neighbour_weight", (0, 0, 0), lambda w: w + 0.01)),
    ("forecasts", put("forecast/quantile_50", (0, 0), 99.0)),
    ("record", put("record/pit", (0, 0, 0), lambda p: p + 0.01)),
    ("record", put("record/hit_low", (0, 0), 2.0)),
    ("hypothetical closes", largest("step_forward/gamma_index", 1.0001)),
    ("session cells", put("intraday/dx", (0, 0, 0, 0, 10), lambda x: x * 1.001)),
    ("session cells", put("intraday/gx", (0, 1, 0, -1, 10), lambda x: x * 1.001)),
    ("close cells", close_cell(1.001)),
    ("weather", put("weather/mass", (0, 0, 0, 32, 32), 0.5)),
    ("surfaces", put("vanna", SIX, numpy.nan)),
    ("surfaces", put("intraday/dx", (0, 0, 0, 0, 0), numpy.inf)),
    ("delta_change", largest_cell("delta_change", 1.0001)),
    ("cells", largest_cell("gx", 1.0001)),
    ("cells", largest_cell("charm", 1.0001)),
    ("cells", reference_cell("dx", 1.001)),
    ("cells", put("contract/implied_volatility", 3, lambda s: s * 1.05)),
    ("cells", attribute("iv_shift", "iv_floor", numpy.array([0.5]))),
]

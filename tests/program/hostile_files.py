"""HDF5 files that mean harm, each made from a sound file of the program's own.

attacks(kind, sound, place) yields (name, bytes): every attack is the whole file with one thing wrong. Those that h5py can
write are written; the others are patches of bytes, with the checksums of the metadata made good again, so that the file
says what the patch says instead of merely being torn. `place` holds what a file may try to reach: place/secret.h5, whose
numbers are SECRET, and place/pipe, a pipe that blocks whoever opens it.
"""
import pathlib
import random
import struct
import sys
import zlib

import h5py
import numpy

SECRET = 31337.015625
TEXT = h5py.string_dtype()

# What is replaced: a variable of numbers, one of texts, a chunked one, and a group.
TARGETS = {
    "chains": {"number": "strike", "text": "root", "chunked": "bid", "schema": "greekgrid.chains"},
    "history": {"number": "close", "text": "symbol", "chunked": "date", "schema": "greekgrid.history"},
    "night": {"number": "spot_reference", "text": "levels/ticker", "chunked": "gx", "schema": "greekgrid.night"},
}


def lookup3(data):
    """The checksum of HDF5's metadata: Bob Jenkins' lookup3 with initial value 0."""
    mask = 0xffffffff

    def rot(x, k):
        return (x << k | x >> (32 - k)) & mask

    a = b = c = (0xdeadbeef + len(data)) & mask
    while len(data) > 12:
        x, y, z = struct.unpack_from("<III", data)
        a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
        a = (a - c) & mask ^ rot(c, 4)
        c = (c + b) & mask
        b = (b - a) & mask ^ rot(a, 6)
        a = (a + c) & mask
        c = (c - b) & mask ^ rot(b, 8)
        b = (b + a) & mask
        a = (a - c) & mask ^ rot(c, 16)
        c = (c + b) & mask
        b = (b - a) & mask ^ rot(a, 19)
        a = (a + c) & mask
        c = (c - b) & mask ^ rot(b, 4)
        b = (b + a) & mask
        data = data[12:]
    if not data:
        return c
    x, y, z = struct.unpack("<III", bytes(data) + bytes(12 - len(data)))
    a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
    c = ((c ^ b) - rot(b, 14)) & mask
    a = ((a ^ c) - rot(c, 11)) & mask
    b = ((b ^ a) - rot(a, 25)) & mask
    c = ((c ^ b) - rot(b, 16)) & mask
    a = ((a ^ c) - rot(c, 4)) & mask
    b = ((b ^ a) - rot(a, 14)) & mask
    return ((c ^ b) - rot(b, 24)) & mask


class Bytes:
    """A file's bytes with what it takes to patch its metadata."""

    def __init__(self, path):
        self.data = bytearray(pathlib.Path(path).read_bytes())

    def put(self, at, layout, *values):
        struct.pack_into(layout, self.data, at, *values)

    def get(self, at, layout):
        return struct.unpack_from(layout, self.data, at)[0]

    def superblock(self, at, value):
        """Of version 2 and 3: addresses at 12, 20, 28 and 36."""
        self.put(at, "<Q", value)
        self.put(44, "<I", lookup3(self.data[:44]))

    def chunks(self, address):
        """Of an object header of version 2: (begin of messages, end of messages, begin of what is summed)."""
        assert self.data[address:address + 4] == b"OHDR", address
        flags = self.data[address + 5]
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(self.data[at:at + width], "little")
        todo = [(at + width, at + width + size, address)]
        seen = 0
        while seen < len(todo):
            begin, end, summed = todo[seen]
            seen += 1
            yield begin, end, summed
            for kind, body, length in self.messages(begin, end, flags):
                if kind == 0x10:
                    block, size = struct.unpack_from("<QQ", self.data, body)
                    todo.append((block + 4, block + size - 4, block))

    def messages(self, begin, end, flags):
        head = 6 if flags & 4 else 4
        while begin + head <= end:
            length = self.get(begin + 1, "<H")
            yield self.data[begin], begin + head, length
            begin += head + length

    def message(self, address, kind, patch, nth=0):
        """patch(body, length) of the nth message of a kind; its chunk is summed again."""
        flags = self.data[address + 5]
        for begin, end, summed in self.chunks(address):
            for found, body, length in self.messages(begin, end, flags):
                if found == kind:
                    if nth == 0:
                        patch(body, length)
                        self.put(end, "<I", lookup3(self.data[summed:end]))
                        return self
                    nth -= 1
        raise AssertionError(f"no message {kind:#x} at {address}")

    def find(self, signature, nth=0):
        at = -1
        for _ in range(nth + 1):
            at = self.data.index(signature, at + 1)
        return at


class Maker:
    def __init__(self, kind, sound, place):
        self.kind, self.sound, self.place = kind, pathlib.Path(sound), pathlib.Path(place)
        self.target = TARGETS[kind]
        self.path = self.place / "attack.h5"

    # --- what h5py can write

    def edit(self, change, libver=("earliest", "v110")):
        self.path.write_bytes(self.sound.read_bytes())
        with h5py.File(self.path, "r+", libver=libver) as f:
            change(f)
        return self.path.read_bytes()

    def rewrite(self, change, chunked_by_one=None):
        """The same values in the oldest form of the format, which has no checksum anywhere."""
        self.path.unlink(missing_ok=True)
        with h5py.File(self.sound) as f, h5py.File(self.path, "w", libver=("earliest", "v108")) as g:
            datasets, groups = [], [f]
            f.visititems(lambda _, item: (datasets if isinstance(item, h5py.Dataset) else groups).append(item))
            for group in groups:
                made = g.require_group(group.name)
                for key, value in group.attrs.items():
                    made.attrs.create(key, value, dtype=group.attrs.get_id(key).dtype)
            for old in datasets:
                g.create_dataset(old.name, data=old[()], dtype=old.dtype, chunks=(1,) * old.ndim if old.name == chunked_by_one else old.chunks)
            for old in datasets:
                if h5py.h5ds.is_scale(old.id):
                    g[old.name].make_scale(old.name.split("/")[-1])
            for old in datasets:
                made = g[old.name]
                for key, value in old.attrs.items():
                    if key not in ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST"):
                        made.attrs.create(key, value, dtype=old.attrs.get_id(key).dtype)
                if not h5py.h5ds.is_scale(old.id):
                    for axis, dim in enumerate(old.dims):
                        for scale in dim.values():
                            made.dims[axis].attach_scale(g[scale.name])
            change(g)
        return self.path.read_bytes()

    def replace(self, role, create, libver=("earliest", "v110")):
        """Another dataset in the place of a variable: create(f, name, data). Scales and attributes stay."""
        def change(f):
            name = self.target[role]
            old = f[name]
            data, attributes, group = old[()], dict(old.attrs), old.parent
            scales = [[s.name for s in dim.values()] for dim in old.dims]
            is_scale = h5py.h5ds.is_scale(old.id)
            if not is_scale:
                for axis, names in enumerate(scales):
                    for scale in names:
                        old.dims[axis].detach_scale(f[scale])
            del f[name]
            create(f, name, data)
            new = f.get(name, getlink=True)
            if not isinstance(new, h5py.HardLink) or not isinstance(f[name], h5py.Dataset):
                return
            for key in ("long_name", "units"):
                if key in attributes:
                    f[name].attrs[key] = attributes[key]
            if is_scale:
                return f[name].make_scale(name.split("/")[-1])
            for axis, names in enumerate(scales):
                for scale in names:
                    if axis < len(f[name].shape or ()):
                        f[name].dims[axis].attach_scale(f[scale])
        return self.edit(change, libver)

    def typed(self, role, dtype, value=None):
        def create(f, name, data):
            made = f.create_dataset(name, data.shape, dtype)
            if value is not None:
                made[...] = value
        return self.replace(role, create)

    def shaped(self, role, shape, maxshape=None, chunks=None):
        return self.replace(role, lambda f, name, data: f.create_dataset(
            name, shape, data.dtype if data.dtype.kind != "O" else TEXT, maxshape=maxshape, chunks=chunks))

    def low_level(self, role, plist, shape=None, dtype=None, maxshape=None):
        """A dataset with a creation property list that h5py's upper half would not write."""
        def create(f, name, data):
            dims = data.shape if shape is None else shape
            kind = h5py.h5t.py_create(data.dtype if dtype is None else dtype)
            h5py.h5d.create(f.id, name.encode(), kind, h5py.h5s.create_simple(dims, maxshape or dims), plist(data))
        return self.replace(role, create)

    def h5py_attacks(self):
        place, replace, typed = self.place, self.replace, self.typed
        plist = lambda: h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        # Types.
        yield "type_compound", typed("number", [("a", "<f8"), ("b", "<i4")])
        yield "type_enum", typed("number", h5py.enum_dtype({"A": 0, "B": 1}, "i1"))
        yield "type_reference", typed("number", h5py.ref_dtype)
        yield "type_region_reference", typed("number", h5py.regionref_dtype)
        yield "type_vlen_of_numbers", typed("number", h5py.vlen_dtype("f8"))
        yield "type_opaque", typed("number", "V16")
        yield "type_array", typed("number", "(1024,)f8")
        yield "type_unsigned", typed("number", "<u8")
        yield "type_big_endian", replace("number", lambda f, n, d: f.create_dataset(n, data=d.astype(">f8")))
        yield "type_half", typed("number", "<f2")
        yield "type_integer", typed("number", "<i8", 1)
        yield "type_text_for_numbers", typed("number", TEXT, "1.5")
        yield "type_numbers_for_text", typed("text", "<f8")
        yield "type_fixed_text", typed("text", "S8", b"A")
        yield "type_fixed_text_of_gigabytes", typed("text", f"S{(1 << 31) - 1}")
        yield "type_vlen_of_bytes", typed("text", h5py.vlen_dtype("u1"))

        def committed(f, name, data):
            f["number"] = numpy.dtype("<f8")
            h5py.h5d.create(f.id, name.encode(), f["number"].id, h5py.h5s.create_simple(data.shape))
            f[name][...] = data
        yield "type_committed", replace("number", committed)

        def quad(f, name, data):
            kind = h5py.h5t.IEEE_F64LE.copy()
            kind.set_size(4096)
            h5py.h5d.create(f.id, name.encode(), kind, h5py.h5s.create_simple(data.shape))
        yield "type_float_of_kilobytes", replace("number", quad)

        # Dimensions.
        huge = 1 << 40
        yield "dims_huge", self.shaped("number", (huge,), chunks=(1 << 20,))
        yield "dims_huge_text", self.shaped("text", (huge,), chunks=(1 << 20,))
        yield "dims_overflow", self.shaped("number", (1 << 32, 1 << 31, 2), chunks=(1024, 1024, 1))
        yield "dims_zero", self.shaped("number", (0,), maxshape=(None,), chunks=(16,))
        yield "dims_unlimited", replace("number", lambda f, n, d: f.create_dataset(n, data=d, maxshape=(None,), chunks=d.shape))
        yield "dims_scalar", self.shaped("number", ())
        yield "dims_null", replace("number", lambda f, n, d: f.create_dataset(n, data=h5py.Empty("<f8")))
        yield "dims_rank_32", self.shaped("number", (1,) * 32)
        yield "dims_one_more", replace("number", lambda f, n, d: f.create_dataset(n, data=numpy.append(d, 1.0)))
        yield "dims_one_less", replace("number", lambda f, n, d: f.create_dataset(n, data=d[:-1] if len(d) > 1 else numpy.ones((1, 1))))
        yield "dims_two", replace("number", lambda f, n, d: f.create_dataset(n, data=d[:, None]))

        # Storage.
        def external(path, size=None):
            def make(data):
                dcpl = plist()
                dcpl.set_external(str(path).encode(), 0, size or data.nbytes)
                return dcpl
            return make
        yield "external_storage_secret", self.low_level("number", external(place / "secret.bin"))
        yield "external_storage_pipe", self.low_level("number", external(place / "pipe"))
        yield "external_storage_zero", self.low_level("number", external("/dev/zero", h5py.h5f.UNLIMITED))
        yield "external_storage_text", self.low_level("text", lambda d: external(place / "pipe", 16 * d.size)(d), dtype=TEXT)

        def virtual(path, unlimited, role):
            def create(f, name, data):
                shape = (None,) if unlimited else data.shape
                space = h5py.h5s.create_simple(data.shape, (h5py.h5s.UNLIMITED,) * data.ndim if unlimited else data.shape)
                source = h5py.h5s.create_simple(data.shape, (h5py.h5s.UNLIMITED,) * data.ndim if unlimited else data.shape)
                if unlimited:
                    for s in (space, source):
                        s.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (1,), (1,))
                dcpl = plist()
                dcpl.set_virtual(space, str(path).encode(), b"data", source)
                kind = TEXT if data.dtype.kind == "O" else data.dtype
                h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(numpy.dtype(kind), logical=True), space, dcpl)
                assert shape
            return self.replace(role, create, ("latest", "latest"))
        for role in ("number", "text"):
            yield f"virtual_secret_{role}", virtual(place / "secret.h5", False, role)
            yield f"virtual_pipe_{role}", virtual(place / "pipe", False, role)
            yield f"virtual_unlimited_pipe_{role}", virtual(place / "pipe", True, role)
        yield "virtual_of_itself", virtual(".", False, "number")
        yield "storage_compact", replace("text", lambda f, n, d: self.compact(f, n, d))
        yield "storage_absent", replace("number", lambda f, n, d: f.create_dataset(n, d.shape, d.dtype))
        yield "storage_absent_chunks", replace("number", lambda f, n, d: f.create_dataset(n, d.shape, d.dtype, chunks=d.shape))

        def wide_chunk(f, name, data):
            made = f.create_dataset(name, data.shape, "<f8", maxshape=(None,), chunks=(1 << 28,), compression="gzip")
            made.id.write_direct_chunk((0,), deflated_zeros(2048))
        yield "chunk_of_gigabytes", replace("number", wide_chunk)

        def bomb(passes, megabytes, role="number"):
            """A chunk of the right declared size that inflates to more, once per pass of deflate."""
            def create(f, name, data):
                dcpl = plist()
                dcpl.set_chunk(data.shape)
                for _ in range(passes):
                    dcpl.set_deflate(9)
                kind = h5py.h5t.py_create(data.dtype)
                made = h5py.h5d.create(f.id, name.encode(), kind, h5py.h5s.create_simple(data.shape), dcpl)
                chunk = deflated_zeros(megabytes)
                for _ in range(passes - 1):
                    chunk = zlib.compress(chunk, 9)
                made.write_direct_chunk((0,) * data.ndim, chunk)
            return replace(role, create)
        # The library cannot say in a tiny variable's index that a chunk has megabytes.
        if self.kind != "night":
            yield "deflate_bomb", bomb(1, 4096)
        yield "deflate_bomb_of_two_passes", bomb(2, 8192)
        yield "deflate_bomb_chunked", bomb(1, 4096, "chunked")

        def honest_bomb(f, name, data):
            """A variable that is really as long as it says, of zeros: 2 GiB in 2 MB."""
            rows = 1 << 28
            made = f.create_dataset(name, (rows,), "<f8", chunks=(1 << 24,), compression="gzip", compression_opts=9)
            chunk = deflated_zeros(1 << 7)
            for k in range(rows >> 24):
                made.id.write_direct_chunk((k << 24,), chunk)
        yield "gigabytes_of_zeros", replace("number", honest_bomb)

        def many_names(f):
            """The same 256 MiB under 300 names."""
            rows = 1 << 25
            made = f.create_dataset("wide", (rows,), "<f8", chunks=(rows,), compression="gzip", compression_opts=9)
            made.id.write_direct_chunk((0,), deflated_zeros(8 * rows >> 20))
            made.make_scale("wide")
            for k in range(300):
                f[f"wide{k}"] = made
        yield "same_zeros_under_many_names", self.edit(many_names)

        def corrupt_chunk(f, name, data):
            made = f.create_dataset(name, data.shape, data.dtype, chunks=data.shape, compression="gzip")
            made.id.write_direct_chunk((0,) * data.ndim, b"\x78\xda" + b"\xff" * 100)
        yield "chunk_of_nonsense", replace("number", corrupt_chunk)
        yield "chunk_of_nonsense_chunked", replace("chunked", corrupt_chunk)

        def short_chunk(f, name, data):
            made = f.create_dataset(name, data.shape, data.dtype, chunks=data.shape, compression="gzip", shuffle=True)
            made.id.write_direct_chunk((0,) * data.ndim, zlib.compress(b"abc"))
        yield "chunk_too_short", replace("number", short_chunk)
        yield "chunk_too_short_chunked", replace("chunked", short_chunk)

        def wrong_sum(f, name, data):
            made = f.create_dataset(name, data.shape, data.dtype, chunks=data.shape, fletcher32=True)
            made.id.write_direct_chunk((0,) * data.ndim, data.tobytes() + b"\1\2\3\4")
        yield "chunk_of_wrong_sum", replace("number", wrong_sum)

        # Filters.
        def filtered(number, flags):
            def create(f, name, data):
                dcpl = plist()
                dcpl.set_chunk(data.shape)
                dcpl.set_deflate(4)
                kind = h5py.h5t.py_create(data.dtype)
                made = h5py.h5d.create(f.id, name.encode(), kind, h5py.h5s.create_simple(data.shape), dcpl)
                made.write_direct_chunk((0,) * data.ndim, zlib.compress(data.tobytes()))
            self.replace("number", create)
            patched = Bytes(self.path)
            with h5py.File(self.path) as f:
                address = h5py.h5o.get_info(f[self.target["number"]].id).addr

            def patch(body, length):
                # Version 1 or 2 of the pipeline message; deflate is number 1.
                at = body + (8 if patched.data[body] == 1 else 2)
                assert patched.get(at, "<H") == 1
                if patched.data[body] == 1 or number < 256:
                    patched.put(at, "<H", number)
                else:
                    return
                patched.put(at + (4 if patched.data[body] == 1 else 2), "<H", flags)
            self.any_message(patched, address, 0x0b, patch)
            return bytes(patched.data)
        yield "filter_unknown", filtered(32015, 0)
        yield "filter_unknown_optional", filtered(32015, 1)
        yield "filter_planted", filtered(305, 0)
        yield "filter_szip", filtered(4, 0)
        yield "filter_nbit", filtered(5, 0)
        yield "filter_scaleoffset", filtered(6, 0)
        yield "filter_zero", filtered(0, 0)
        yield "filter_scaleoffset_real", replace("chunked", lambda f, n, d: f.create_dataset(
            n, data=d.astype("<i4"), chunks=d.shape, scaleoffset=True))
        yield "filter_lzf", replace("number", lambda f, n, d: f.create_dataset(n, data=d, chunks=d.shape, compression="lzf"))

        # Links.
        def linked(role, make):
            def change(f):
                name = self.target[role]
                del f[name]
                f[name] = make(name)
            return self.edit(change)
        for role in ("number", "text"):
            yield f"link_soft_{role}", self.edit(lambda f: self.move_and_link(f, self.target[role]))
            yield f"link_external_secret_{role}", linked(role, lambda name: h5py.ExternalLink(str(place / "secret.h5"), "/data"))
            yield f"link_external_pipe_{role}", linked(role, lambda name: h5py.ExternalLink(str(place / "pipe"), "/data"))
        yield "link_soft_dangling", linked("number", lambda name: h5py.SoftLink("/none"))
        yield "link_soft_of_itself", linked("number", lambda name: h5py.SoftLink("/" + name))
        yield "link_soft_chain", self.edit(self.soft_chain)
        yield "group_for_a_variable", replace("number", lambda f, n, d: f.create_group(n))
        yield "type_for_a_variable", replace("number", lambda f, n, d: f.__setitem__(n, numpy.dtype("<f8")))
        yield "link_hard_cycle", self.edit(lambda f: f.__setitem__("again", f["/"]))
        yield "link_hard_cycle_deep", self.edit(lambda f: f.create_group("a/b/c").__setitem__("d", f["/a"]))
        yield "link_missing", self.edit(lambda f: f.__delitem__(self.target["number"]))
        yield "link_to_another_variable", self.edit(self.swap)

        def deep(f):
            group = f
            for _ in range(3000):
                group = group.create_group("below")
        yield "groups_nested_deeply", self.edit(deep, ("v110", "v110"))

        def broad(f):
            for k in range(20000):
                f[f"n{k}"] = f[self.target["number"]]
        yield "links_by_the_thousand", self.edit(broad, ("v110", "v110"))

        def doubling(f):
            group = f.create_group("d0")
            for k in range(1, 60):
                below = f.create_group(f"d{k}")
                group["left"] = below
                group["right"] = below
                group = below
        yield "groups_that_double", self.edit(doubling)
        if self.kind == "night":
            for group in ("levels", "crossing", "quality", "run", "contract", "expiry"):
                yield f"group_external_{group}", self.edit(
                    lambda f: (f.__delitem__(group), f.__setitem__(group, h5py.ExternalLink(str(place / "pipe"), "/"))))
                yield f"group_is_a_variable_{group}", self.edit(lambda f: (f.__delitem__(group), f.__setitem__(group, numpy.zeros(3))))
            yield "group_rows_claimed", self.edit(lambda f: f["levels"].attrs.__setitem__("rows", numpy.array([0], "<i8")))

        # Attributes.
        def attribute(name, value, where="/"):
            def change(f):
                if name in f[where].attrs:
                    del f[where].attrs[name]
                if value is not None:
                    f[where].attrs[name] = value
            return self.edit(change)
        yield "attribute_schema_missing", attribute("schema", None)
        yield "attribute_schema_number", attribute("schema", numpy.array([1], "<i8"))
        yield "attribute_schema_fixed", attribute("schema", numpy.bytes_(self.target["schema"]))
        yield "attribute_schema_list", attribute("schema", numpy.array([self.target["schema"]] * 2, TEXT))
        yield "attribute_schema_null", attribute("schema", h5py.Empty(TEXT))
        yield "attribute_schema_of_another", attribute("schema", "greekgrid.other\n\x1b[31mred")
        yield "attribute_schema_long", attribute("schema", "x" * 50000)
        yield "attribute_version_next", attribute("schema_version", "2.0\n\x1b]0;title\x07")
        yield "attribute_version_empty", attribute("schema_version", "")
        yield "attribute_sources_differ", attribute("source_sha256", numpy.array(["x"] * 5, TEXT))
        yield "attribute_escape_codes", attribute("source_name", numpy.array(["\x1b[2J\x1b[31mred\r\n"], TEXT))
        if self.kind != "history":
            yield "attribute_time_none", attribute("quote_time", "yesterday\n\x1b[31m")
            yield "attribute_time_number", attribute("quote_time", numpy.array([1.0]))
        yield "attribute_long", self.edit(lambda f: f[self.target["number"]].attrs.__setitem__("long_name", "y" * (1 << 24)), ("v110", "v110"))

        def many_attributes(f):
            for k in range(5000):
                f.attrs[f"a{k}"] = k
        yield "attributes_by_the_thousand", self.edit(many_attributes, ("v110", "v110"))

        def dense(f):
            f.attrs.create("dense", numpy.zeros(1 << 21), dtype="<f8")
        yield "attribute_of_megabytes", self.edit(dense, ("v110", "v110"))
        yield "attribute_scales_of_nonsense", self.edit(lambda f: f[self.target["chunked"]].attrs.create(
            "DIMENSION_LIST", numpy.array([1, 2, 3]), dtype="<i8"))

        # Texts.
        count = None
        with h5py.File(self.sound) as f:
            count = f[self.target["text"]].shape[0]
        for name, text in (("empty", ""), ("blank", "A B"), ("escape", "\x1b[31mA"), ("line", "A\nB"), ("bytes", b"\xff\xfe"),
                           ("path", "../../etc/passwd"), ("long", "Z" * (1 << 20))):
            values = [text] * count
            yield f"text_{name}", replace("text", lambda f, n, d: f.create_dataset(n, data=values, dtype=TEXT))

    @staticmethod
    def compact(f, name, data):
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(TEXT, logical=True), h5py.h5s.create_simple(data.shape), dcpl)
        h5py.Dataset(made)[...] = data

    @staticmethod
    def move_and_link(f, name):
        f.move(name, "moved")
        f[name] = h5py.SoftLink("/moved")

    def soft_chain(self, f):
        name = self.target["number"]
        f.move(name, "link0")
        for k in range(1, 100):
            f[f"link{k}"] = h5py.SoftLink(f"/link{k - 1}")
        f[name] = h5py.SoftLink("/link99")

    def swap(self, f):
        name, other = self.target["number"], self.target["text"]
        del f[name]
        f[name] = f[other]

    # --- patches of bytes

    def any_message(self, patched, address, kind, patch):
        """Of an object header of version 1, which has no checksum, or of version 2."""
        if patched.data[address:address + 4] == b"OHDR":
            return patched.message(address, kind, patch)
        at, end = address + 16, address + 16 + patched.get(address + 8, "<I")
        todo = [(at, end)]
        while todo:
            at, end = todo.pop(0)
            while at + 8 <= end:
                found, length = struct.unpack_from("<HH", patched.data, at)
                if found == kind:
                    patch(at + 8, length)
                    return patched
                if found == 0x10:
                    block, size = struct.unpack_from("<QQ", patched.data, at + 8)
                    todo.append((block, block + size))
                at += 8 + length
        raise AssertionError(f"no message {kind:#x}")

    def patched(self, change):
        """The sound file, patched: change(bytes, address of a variable by role)."""
        with h5py.File(self.sound) as f:
            address = {role: h5py.h5o.get_info(f[self.target[role]].id).addr for role in ("number", "text", "chunked")}
            address["root"] = h5py.h5o.get_info(f.id).addr
            offset = f[self.target["text"]].id.get_offset()
        made = Bytes(self.sound)
        change(made, address, offset)
        return bytes(made.data)

    def byte_attacks(self):
        patched = self.patched
        # Superblock.
        for name, at, value in (("end_beyond", 28, 1 << 50), ("end_before", 28, 100), ("end_undefined", 28, (1 << 64) - 1),
                                ("root_at_superblock", 36, 0), ("root_beyond", 36, 1 << 40), ("root_undefined", 36, (1 << 64) - 1),
                                ("base_beyond", 12, 1 << 30), ("extension_at_root", 20, 48), ("extension_beyond", 20, 1 << 40)):
            yield f"superblock_{name}", patched(lambda b, a, o: b.superblock(at, value))

        def flags(b, a, o):
            b.put(8, "<B", 3)
            b.put(11, "<B", 5)
            b.superblock(36, b.get(36, "<Q"))
        yield "superblock_of_a_writer", patched(flags)
        for version in (0, 1, 4, 255):
            yield f"superblock_version_{version}", patched(lambda b, a, o: b.put(8, "<B", version))
        yield "superblock_widths", patched(lambda b, a, o: (b.put(9, "<BB", 255, 255), b.superblock(36, b.get(36, "<Q"))))
        yield "superblock_widths_of_2", patched(lambda b, a, o: (b.put(9, "<BB", 2, 2), b.superblock(36, b.get(36, "<Q"))))

        # Object headers: dataspace 1, datatype 3, layout 8, filters 11, continuation 16.
        def message(role, kind, patch):
            return patched(lambda b, a, o: b.message(a[role], kind, lambda body, length: patch(b, body, length, a[role])))
        for name, dims in (("huge", 1 << 62), ("all_ones", (1 << 64) - 1), ("zero", 0)):
            yield f"dataspace_{name}", message("number", 1, lambda b, at, n, own: b.put(at + 4, "<Q", dims))
            yield f"dataspace_text_{name}", message("text", 1, lambda b, at, n, own: b.put(at + 4, "<Q", dims))
        yield "dataspace_rank_200", message("number", 1, lambda b, at, n, own: b.put(at + 1, "<B", 200))
        yield "dataspace_rank_0", message("number", 1, lambda b, at, n, own: b.put(at + 1, "<B", 0))
        for kind in range(16):
            yield f"datatype_class_{kind}", message("number", 3, lambda b, at, n, own: b.put(at, "<B", b.data[at] & 0xf0 | kind))
        for size in (0, 1, 3, 1 << 31, (1 << 32) - 1):
            yield f"datatype_size_{size}", message("number", 3, lambda b, at, n, own: b.put(at + 4, "<I", size))
        yield "datatype_text_size", message("text", 3, lambda b, at, n, own: b.put(at + 4, "<I", (1 << 32) - 1))
        yield "datatype_text_base", message("text", 3, lambda b, at, n, own: b.put(at + 8, "<I", 0xffffffff))
        yield "datatype_of_nonsense", message("number", 3, lambda b, at, n, own: b.data.__setitem__(slice(at + 8, at + n), b"\xff" * (n - 8)))
        for role in ("number", "text", "chunked"):
            for name, value in (("itself", None), ("superblock", 0), ("beyond", 1 << 45), ("undefined", (1 << 64) - 1)):
                def layout(b, at, n, own):
                    # Version 3: class 1 contiguous (address, size), class 2 chunked (rank, address of the tree).
                    b.put(at + (2 if b.data[at + 1] == 1 else 3), "<Q", own if value is None else value)
                yield f"layout_{role}_{name}", message(role, 8, layout)
            yield f"layout_{role}_class", message(role, 8, lambda b, at, n, own: b.put(at + 1, "<B", b.data[at + 1] ^ 3))
            yield f"layout_{role}_version", message(role, 8, lambda b, at, n, own: b.put(at, "<B", 1))

        def many_filters(b, at, n, own):
            b.put(at + 1, "<B", 255)
        yield "pipeline_of_255", message("chunked", 11, many_filters)
        yield "fill_value_of_gigabytes", message("number", 5, lambda b, at, n, own: b.put(at + 2, "<I", (1 << 31)))

        def first_message(kind, length=None):
            def change(b, a, o):
                flags = b.data[a["root"] + 5]
                begin, end, summed = next(iter(b.chunks(a["root"])))
                if kind is not None:
                    b.put(begin, "<B", kind)
                if length is not None:
                    b.put(begin + 1, "<H", length)
                assert flags is not None
                b.put(end, "<I", lookup3(b.data[summed:end]))
            return patched(change)
        yield "header_message_of_unknown_kind", first_message(0x7f)
        yield "header_message_too_long", first_message(None, 0xffff)

        def continuation(target):
            def change(b, a, o):
                def patch(body, length):
                    address, size = target(a["root"], len(b.data), body)
                    b.put(body, "<QQ", address, size)
                try:
                    b.message(a["root"], 0x10, patch)
                except AssertionError:
                    begin, end, summed = next(iter(b.chunks(a["root"])))
                    flags = b.data[a["root"] + 5]
                    for kind, body, length in list(b.messages(begin, end, flags)):
                        if length >= 16:
                            b.put(body - (6 if flags & 4 else 4), "<B", 0x10)
                            patch(body, length)
                            b.put(end, "<I", lookup3(b.data[summed:end]))
                            return
            return patched(change)
        yield "header_continues_in_itself", continuation(lambda own, size, at: (own, 120))
        yield "header_continues_beyond", continuation(lambda own, size, at: (1 << 40, 120))
        yield "header_continues_for_gigabytes", continuation(lambda own, size, at: (own, 1 << 33))

        # Structures that have a signature: B-trees and heaps.
        def signature(sign, patch, nth=0):
            def change(b, a, o):
                patch(b, b.find(sign, nth))
            return patched(change)
        yield "tree_child_is_itself", signature(b"TREE", lambda b, at: b.put(at + 24 + self.key(b, at), "<Q", at))
        yield "tree_sibling_is_itself", signature(b"TREE", lambda b, at: b.put(at + 8, "<QQ", at, at))
        yield "tree_of_65535", signature(b"TREE", lambda b, at: b.put(at + 6, "<H", 65535))
        yield "tree_level_255", signature(b"TREE", lambda b, at: b.put(at + 5, "<B", 255))
        yield "tree_level_1_of_itself", signature(b"TREE", lambda b, at: (b.put(at + 5, "<B", 1), b.put(at + 24 + self.key(b, at), "<Q", at)))
        yield "tree_chunk_of_gigabytes", signature(b"TREE", lambda b, at: b.put(at + 24, "<I", 0xfffffff0))
        yield "tree_chunk_mask", signature(b"TREE", lambda b, at: b.put(at + 28, "<I", 0xffffffff))
        yield "tree_kind", signature(b"TREE", lambda b, at: b.put(at + 4, "<B", 0))
        for nth in range(3):
            def heap(patch):
                return signature(b"GCOL", patch, nth)
            try:
                yield f"heap_{nth}_size_huge", heap(lambda b, at: b.put(at + 8, "<Q", 1 << 40))
            except ValueError:
                break
            yield f"heap_{nth}_size_zero", heap(lambda b, at: b.put(at + 8, "<Q", 0))
            yield f"heap_{nth}_object_huge", heap(lambda b, at: b.put(at + 24, "<Q", (1 << 64) - 1))
            yield f"heap_{nth}_object_long", heap(lambda b, at: b.put(at + 24, "<Q", 5000))
            yield f"heap_{nth}_object_65535", heap(lambda b, at: b.put(at + 16, "<H", 65535))
            yield f"heap_{nth}_object_zero", heap(lambda b, at: b.put(at + 16, "<H", 0))
            yield f"heap_{nth}_object_zero_of_size_zero", heap(lambda b, at: (b.put(at + 16, "<H", 0), b.put(at + 24, "<Q", 0)))

        def reference(patch):
            """Of a text: length, address of the collection, index."""
            return patched(lambda b, a, o: patch(b, o))
        yield "text_beyond_the_file", reference(lambda b, at: b.put(at + 4, "<Q", 1 << 40))
        yield "text_at_the_superblock", reference(lambda b, at: b.put(at + 4, "<Q", 0))
        yield "text_at_itself", reference(lambda b, at: b.put(at + 4, "<Q", at))
        yield "text_of_no_index", reference(lambda b, at: b.put(at + 12, "<I", 60000))
        yield "text_of_gigabytes", reference(lambda b, at: b.put(at, "<I", 0xffffffff))
        yield "text_longer_than_stored", reference(lambda b, at: b.put(at, "<I", 4000))

        # A group and its tree of the old kind, none of which is summed.
        def old_group(change):
            def create(f):
                group = f.create_group("old")
                for k in range(400):
                    group.create_group(f"name{k:04d}")
            self.rewrite(create)
            made = Bytes(self.path)
            trees = [at for at in self.all_of(made, b"TREE") if made.data[at + 4] == 0]
            change(made, trees, list(self.all_of(made, b"SNOD")), list(self.all_of(made, b"HEAP")))
            return bytes(made.data)
        root = lambda made, trees: max(trees, key=lambda at: made.data[at + 5])
        yield "old_group_tree_cycle", old_group(lambda b, t, s, h: b.put(root(b, t) + 32, "<Q", root(b, t)))
        yield "old_group_same_node_twice", old_group(lambda b, t, s, h: [b.put(root(b, t) + 32 + 16 * k, "<Q", s[0]) for k in range(8)])
        yield "old_group_65535_names", old_group(lambda b, t, s, h: [b.put(at + 6, "<H", 65535) for at in s])
        yield "old_group_name_beyond", old_group(lambda b, t, s, h: [b.put(at + 8, "<Q", 1 << 40) for at in s])
        yield "old_group_heap_beyond", old_group(lambda b, t, s, h: [b.put(at + 24, "<Q", 1 << 40) for at in h])
        yield "old_group_heap_cycle", old_group(lambda b, t, s, h: [b.put(at + 16, "<Q", 0) for at in h])
        yield "old_group_object_is_root", old_group(lambda b, t, s, h: [b.put(at + 16, "<Q", 48) for at in s])

        def same_names(b, trees, nodes, heaps):
            for at in nodes:
                for k in range(b.get(at + 6, "<H")):
                    b.put(at + 8 + 40 * k, "<Q", b.get(at + 8, "<Q"))
        yield "old_group_same_names", old_group(same_names)

        def old_chunks(change):
            """Numbers in so many chunks that their tree has two levels, without a checksum anywhere."""
            self.rewrite(lambda f: None, "/" + self.target["chunked"])
            made = Bytes(self.path)
            change(made, [at for at in self.all_of(made, b"TREE") if made.data[at + 4] == 1])
            return bytes(made.data)
        yield "chunk_tree_cycle", old_chunks(lambda b, t: [b.put(at + 24 + self.key(b, at), "<Q", at) for at in t])
        yield "chunk_tree_same_child", old_chunks(lambda b, t: [b.put(at + 24 + self.key(b, at), "<Q", t[0]) for at in t])
        yield "chunk_tree_siblings", old_chunks(lambda b, t: [b.put(at + 8, "<QQ", at, at) for at in t])
        yield "chunk_tree_huge_chunk", old_chunks(lambda b, t: [b.put(at + 24, "<I", 0xffffffff) for at in t])
        yield "chunk_tree_mask", old_chunks(lambda b, t: [b.put(at + 28, "<I", 0xffffffff) for at in t])

        # Texts that share one long text: 16 bytes of the file are a megabyte of memory.
        def shared_text(b):
            with h5py.File(self.path) as f:
                offset, count = f["many"].id.get_offset(), f["many"].shape[0]
            for k in range(1, count):
                b.data[offset + 16 * k:offset + 16 * k + 16] = b.data[offset:offset + 16]
            return bytes(b.data)

        def create(f):
            made = f.create_dataset("many", (20000,), TEXT)
            made[0] = "w" * (1 << 20)
            made[1:] = ["x"] * 19999
            made.make_scale("many")
        self.edit(create)
        yield "text_shared_by_many", shared_text(Bytes(self.path))

        def create_old_header(f):
            group = f.create_group("header")
            for k in range(40):
                group.attrs[f"attribute{k}"] = k
        yield "old_form", self.rewrite(create_old_header)
        made = Bytes(self.path)
        with h5py.File(self.path) as f:
            address = h5py.h5o.get_info(f["header"].id).addr
        self.any_message(made, address, 0x10, lambda body, length: made.put(body, "<QQ", address + 16, 256))
        yield "old_header_continues_in_itself", bytes(made.data)

        sound = self.sound.read_bytes()
        yield "bytes_appended", sound + random.Random(3).randbytes(5000)
        yield "bytes_of_another_file_appended", sound + sound
        yield "bytes_all_zero_but_the_signature", sound[:8] + bytes(len(sound) - 8)
        yield "bytes_random_but_the_signature", sound[:8] + random.Random(4).randbytes(20000)
        yield "bytes_superblock_alone", sound[:48]
        yield "bytes_none", b""
        yield "bytes_signature_alone", sound[:8]
        yield "bytes_of_a_user_block", bytes(512) + sound

    @staticmethod
    def all_of(made, signature):
        at = made.data.find(signature)
        while at >= 0:
            yield at
            at = made.data.find(signature, at + 4)

    @staticmethod
    def key(b, at):
        """Bytes of a tree's key: of names 8, of chunks by their rank, which is told by where the second key begins."""
        if b.data[at + 4] == 0:
            return 8
        rank = 2
        while b.get(at + 24 + 8 * rank, "<Q") != 0 or not 0 < b.get(at + 24 + 8 * (rank + 1), "<Q") < len(b.data):
            rank += 1
        return 8 * (rank + 1)


def deflated_zeros(megabytes):
    """A zlib stream of that many MiB of zeros, put together from one packed block."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = (megabytes << 20) % 65521 << 16 | 1
    return b"\x78\xda" + block * megabytes + b"\x03\x00" + struct.pack(">I", adler)


def attacks(kind, sound, place):
    """(name, bytes) of every attack; place/secret.h5, place/secret.bin and place/pipe are there already."""
    made = Maker(kind, sound, place)
    yield from made.h5py_attacks()
    yield from made.byte_attacks()


def truncations(sound, count):
    """Cut at `count` lengths, the first bytes densely."""
    data = pathlib.Path(sound).read_bytes()
    lengths = sorted({8 + k for k in range(count // 4)} | {len(data) * k // count for k in range(1, count)} | {len(data) - 1})
    return [(f"cut_{length}", data[:length]) for length in lengths[:]]


def metadata(sound):
    """Where a file's metadata lie: all bytes that are no chunk's, as (begin, end)."""
    data = pathlib.Path(sound).read_bytes()
    raw = []
    with h5py.File(sound) as f:
        def visit(_, item):
            if isinstance(item, h5py.Dataset) and item.chunks:
                for k in range(item.id.get_num_chunks()):
                    info = item.id.get_chunk_info(k)
                    raw.append((info.byte_offset, info.byte_offset + info.size))
        f.visititems(visit)
    begin, free = 0, []
    for first, last in sorted(raw) + [(len(data), len(data))]:
        if first > begin:
            free.append((begin, first))
        begin = max(begin, last)
    return free


def flips(sound, count, seed):
    """One bit each, four of five in the metadata."""
    data = pathlib.Path(sound).read_bytes()
    free = metadata(sound)
    at_metadata = [at for begin, end in free for at in range(begin, end)]
    rng = random.Random(seed)
    for _ in range(count):
        at = rng.choice(at_metadata) if rng.random() < 0.8 else rng.randrange(len(data))
        bit = rng.randrange(8)
        flipped = bytearray(data)
        flipped[at] ^= 1 << bit
        yield f"flip_{at}_{bit}", bytes(flipped)


def main():
    """hostile_files.py KIND SOUND PLACE TARGET TRUNCATIONS FLIPS: writes the files, and TARGET/names when all are there."""
    kind, sound, place, target = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    count_truncations, count_flips = map(int, sys.argv[5:7])
    for make in (attacks(kind, sound, place), truncations(sound, count_truncations) if count_truncations else (),
                 flips(sound, count_flips, 20261121) if count_flips else ()):
        for name, data in make:
            whole = target / f".{name}"
            whole.write_bytes(data)
            whole.rename(target / name)
            print(name, flush=True)


if __name__ == "__main__":
    main()

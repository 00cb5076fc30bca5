"""Archives and a table of images, each with what makes them hard to read."""

from __future__ import annotations

import io
import tarfile
import unicodedata
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from making.photographs import Variants, encoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from making.collection import Collection

NOT_UTF8 = b"set/caf\xe9.jpg"
"""A name in Latin 1, as old tools write it."""


def archives(raw: Collection, variants: Variants) -> None:
    """Write a tar, a zip and a compressed tar of photographs, each with something nasty, and a zip cut short."""
    _tar(raw, variants)
    _zip(raw, variants)
    payloads: dict[str | tarfile.TarInfo, bytes] = {f"{i:02d}.jpg": encoded(variants.next()) for i in range(6)}
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    raw.other("archives/more.tar.gz", compressor.compress(_tarred(payloads.items())) + compressor.flush(), "container")
    for name, payload in payloads.items():
        raw.note(f"archives/more.tar.gz!{name}", payload)
    cut = raw.read("archives/photos.zip")[:5_000]
    raw.image("archives/cut_short.zip", cut, "quarantined", reason="corrupt_container")


def _tar(raw: Collection, variants: Variants) -> None:
    key = "archives/photos.tar!"
    members: list[tuple[str | tarfile.TarInfo, bytes]] = [(f"set/{i:02d}.jpg", encoded(variants.next())) for i in range(10)]
    for name, payload in members:
        raw.note(f"{key}{name}", payload)
    for suffix in ("", "#2"):  # the same name twice with other bytes: unpacking would lose the first
        members.append(("set/twice.jpg", encoded(variants.next())))
        raw.note(f"{key}set/twice.jpg{suffix}", members[-1][1])
    members.append((NOT_UTF8.decode("utf-8", "surrogateescape"), encoded(variants.next())))
    raw.note(key + NOT_UTF8.decode("utf-8", "backslashreplace"), members[-1][1], source_raw_hex=NOT_UTF8.hex())
    link = tarfile.TarInfo("set/link.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    members.append((link, b""))
    raw.note(f"{key}set/link.jpg", None, "quarantined", reason="unsafe_member")
    raw.other("archives/photos.tar", _tarred(members), "container")


def _tarred(members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, payload in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(payload)
            archive.addfile(info, io.BytesIO(payload))
    return buffer.getvalue()


def _zip(raw: Collection, variants: Variants) -> None:
    key = "archives/photos.zip!"
    names = [f"photos/{i:02d}.jpg" for i in range(10)]
    names += ["photos/twice.jpg", "photos/twice.jpg"]
    names += ["case/Photo.jpg", "case/photo.jpg"]  # one file on a disk that ignores case
    names += [unicodedata.normalize(form, "accents/café.jpg") for form in ("NFC", "NFD")]  # one file on a Mac's disk
    names += ["photos/<script>alert(1)</script>.jpg"]
    members = [(name, encoded(variants.next())) for name in names]
    counts: dict[str, int] = {}
    for name, payload in members:
        counts[name] = counts.get(name, 0) + 1
        raw.note(f"{key}{name}" + (f"#{counts[name]}" if counts[name] > 1 else ""), payload)
    first = "archives/photos.tar!set/00.jpg"
    members.append(("photos/seen_in_the_tar.jpg", _in_the_tar(raw, "set/00.jpg")))
    raw.note(f"{key}photos/seen_in_the_tar.jpg", members[-1][1], "duplicate", duplicate_of=first)
    members.append(("../../escape.jpg", encoded(variants.next())))
    raw.note(f"{key}../../escape.jpg", None, "quarantined", reason="unsafe_member")
    skipped = {"__MACOSX/photos/._00.jpg": "system", "photos/camera.log": "other"}
    raw.others |= {f"{key}{name}": f"skipped({why})" for name, why in skipped.items()}
    members += [("photos/", b""), *((name, b"\x00\x05\x16\x07 not an image") for name in skipped)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of duplicate names, which are the point
        for i, (name, payload) in enumerate(members):
            archive.writestr(zipfile.ZipInfo(name), payload, zipfile.ZIP_STORED if i % 2 else zipfile.ZIP_DEFLATED)
    raw.other("archives/photos.zip", buffer.getvalue(), "container")


def _in_the_tar(raw: Collection, member: str) -> bytes:
    """Return the bytes of a member of the tar written before."""
    with tarfile.open(raw.root / "archives/photos.tar") as archive:
        found = archive.extractfile(member)
        if found is None:
            raise ValueError(f"'{member}' is no file")
        return found.read()


def embedded(raw: Collection, variants: Variants) -> None:
    """Write a Parquet table with embedded bytes, as Hugging Face datasets are: one row is no image, one was seen before."""
    rows = []
    for i in range(12):
        label = variants.classes[i % len(variants.classes)]
        key = f"tables/embedded.parquet#{i}"
        if i == 7:
            payload = b"null"
            raw.note(key, payload, "quarantined", reason="not_an_image")
        elif i == 9:
            original = f"by_class/{label}/img_004.jpg"
            payload = raw.read(original)
            raw.note(key, payload, "duplicate", duplicate_of=original, label=label)
        else:
            payload = encoded(variants.next(label))
            raw.note(key, payload, label=label)
        rows.append({"image": {"bytes": payload, "path": f"{i}.jpg"}, "label": label})
    schema = pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.string())])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, row_group_size=5, compression="none")
    raw.other("tables/embedded.parquet", sink.getvalue().to_pybytes(), "container")

"""Archives: every member accounted for, none unpacked to a path, none read that is a trap."""

from __future__ import annotations

import bz2
import contextlib
import gc
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
import zstandard
from found_sources import GIF, again, found, put
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import Occurrence, OtherFile, SourceUnit, discover, read_other, read_others, read_unit
from toolkit.curation.sources.archives import ARCHIVE_FAULTS, list_archive
from toolkit.curation.sources.members import unpacked
from toolkit.curation.sources.zip_directory import zip_entries
from toolkit.errors import DatasetError

MEMBERS = {"a.gif": GIF, "deep/b.gif": GIF + b"b", "labels.csv": b"file_name\n", "notes.md": b"#", ".hidden.gif": GIF}


def reasons(occurrences: dict[str, Occurrence]) -> dict[str, str]:
    return {key: o.refusal.reason for key, o in occurrences.items() if o.refusal is not None}


def zipped(path: Path, members: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, payload in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, payload)
    return path


def tar_bytes(members: dict[str, bytes] | list[tuple[str, bytes]], *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, payload in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            archive.addfile(info, io.BytesIO(payload))
        for info in extra:
            archive.addfile(info)
    return buffer.getvalue()


PACKERS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_members_of_a_zip_are_read_in_place_and_found_again(tmp_path: Path, method: int) -> None:
    zipped(tmp_path / "raw" / "x.zip", MEMBERS, method)
    occurrences, others = found(tmp_path / "raw")
    assert {key: o.payload for key, o in occurrences.items()} == {"raw/x.zip!a.gif": GIF, "raw/x.zip!deep/b.gif": GIF + b"b"}
    assert others == {
        "raw/x.zip": "container",
        "raw/x.zip!labels.csv": "annotation",
        "raw/x.zip!notes.md": "skipped(other)",
        "raw/x.zip!.hidden.gif": "skipped(hidden)",
    }
    assert occurrences["raw/x.zip!deep/b.gif"].member == "deep/b.gif"
    assert again(occurrences) == {key: o.payload for key, o in occurrences.items()}


@pytest.mark.parametrize("suffix", PACKERS)
def test_members_of_any_tar_are_read_and_found_again(tmp_path: Path, suffix: str) -> None:
    put(tmp_path / "raw" / f"x{suffix}", PACKERS[suffix](tar_bytes(MEMBERS)))
    occurrences, others = found(tmp_path / "raw", staging=tmp_path / "staging")
    key = f"raw/x{suffix}"
    assert {name: o.payload for name, o in occurrences.items()} == {f"{key}!a.gif": GIF, f"{key}!deep/b.gif": GIF + b"b"}
    assert others[key] == "container"
    assert others[f"{key}!labels.csv"] == "annotation"
    assert again(occurrences, tmp_path / "staging") == {name: o.payload for name, o in occurrences.items()}


@pytest.mark.parametrize("suffix", [".zip", *PACKERS])
def test_annotations_in_archives_can_be_read_from_anywhere(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "raw" / f"x{suffix}"
    zipped(path, MEMBERS) if suffix == ".zip" else put(path, PACKERS[suffix](tar_bytes(MEMBERS)))
    monkeypatch.chdir(tmp_path)
    entries: list[object] = []
    for unit in discover([path.parent]):
        entries += [unit] if isinstance(unit, OtherFile) else read_unit(unit, tmp_path / "staging")
    (labels,) = (entry for entry in entries if isinstance(entry, OtherFile) and entry.kind == "annotation")
    assert read_other(labels) == b"file_name\n"


def test_annotations_of_a_stream_are_laid_down_as_it_comes_by(tmp_path: Path) -> None:
    packed = gzip.compress(tar_bytes({"a.gif": GIF, "a.txt": b"A boat."}))
    put(tmp_path / "raw" / "x.tar.gz", packed)
    (unit,) = [each for each in discover([tmp_path / "raw"]) if isinstance(each, SourceUnit)]
    others = [each for each in read_unit(unit, tmp_path / "staging") if isinstance(each, OtherFile)]
    (tmp_path / "raw" / "x.tar.gz").unlink()
    assert dict(read_others(others, tmp_path / "staging")) == {"raw/x.tar.gz!a.txt": b"A boat."}


def test_a_name_that_comes_twice_is_two_occurrences(tmp_path: Path) -> None:
    twice = [("a.gif", GIF), ("a.gif", GIF + b"2"), ("a.gif", GIF + b"3")]
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(tmp_path / "raw" / "x.zip", twice)
    put(tmp_path / "raw" / "x.tar", tar_bytes(twice))
    put(tmp_path / "raw" / "x.tar.gz", gzip.compress(tar_bytes(twice)))
    occurrences, _ = found(tmp_path / "raw", staging=tmp_path / "staging")
    for name in ("x.zip", "x.tar", "x.tar.gz"):
        payloads = [occurrences[f"raw/{name}!a.gif{number}"].payload for number in ("", "#2", "#3")]
        assert payloads == [GIF, GIF + b"2", GIF + b"3"]
    assert again(occurrences, tmp_path / "staging") == {key: o.payload for key, o in occurrences.items()}


@pytest.mark.parametrize("suffix", [".zip", *PACKERS])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_number_in_a_name_is_not_taken_for_one_that_comes_again(tmp_path: Path, suffix: str, at: int) -> None:
    members = [("a.gif", GIF), ("a.gif", GIF + b"b")]
    members[at:at] = [("a.gif#2", GIF + b"c"), ("a.gif#2~", GIF + b"d")]
    path = tmp_path / "raw" / f"x{suffix}"
    zipped(path, members) if suffix == ".zip" else put(path, PACKERS[suffix](tar_bytes(members)))
    occurrences, _ = found(tmp_path / "raw", staging=tmp_path / "staging")
    tails = {"a.gif": b"", "a.gif#2": b"b", "a.gif#2~": b"c", "a.gif#2~~": b"d"}
    assert {key.partition("!")[2]: o.payload for key, o in occurrences.items()} == {key: GIF + end for key, end in tails.items()}
    assert again(occurrences, tmp_path / "staging") == {key: o.payload for key, o in occurrences.items()}


HOSTILE = ["../../escape.gif", "/etc/passwd.gif", "a/../../b.gif", "C:\\windows.gif", "..\\up.gif"]


def links() -> list[tarfile.TarInfo]:
    made = []
    for name, kind in (("soft.gif", tarfile.SYMTYPE), ("hard.gif", tarfile.LNKTYPE), ("fifo.gif", tarfile.FIFOTYPE)):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        made.append(info)
    device = tarfile.TarInfo("device.gif")
    device.type = tarfile.CHRTYPE
    return [*made, device]


def test_members_that_would_leave_the_archive_are_refused(tmp_path: Path) -> None:
    hostile = dict.fromkeys(HOSTILE, GIF)
    zipped(tmp_path / "raw" / "x.zip", hostile)
    put(tmp_path / "raw" / "x.tar", tar_bytes(hostile, *links()))
    put(tmp_path / "raw" / "x.tgz", gzip.compress(tar_bytes(hostile, *links())))
    occurrences, _ = found(tmp_path / "raw", staging=tmp_path / "staging")
    assert set(reasons(occurrences).values()) == {"unsafe_member"}
    assert len(occurrences) == 3 * len(HOSTILE) + 2 * 4
    assert all(o.payload is None for o in occurrences.values())
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["raw/x.tar", "raw/x.tgz", "raw/x.zip"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.gif")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "raw" / "x.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert reasons(found(tmp_path / "raw")[0]) == {"raw/x.zip!link.gif": "unsafe_member"}


def test_a_bomb_in_a_zip_is_refused_by_its_directory(tmp_path: Path) -> None:
    zipped(tmp_path / "raw" / "x.zip", {"bomb.gif": bytes(80_000_000), "a.gif": GIF})
    occurrences, _ = found(tmp_path / "raw")
    assert reasons(occurrences) == {"raw/x.zip!bomb.gif": "unsafe_member"}


def test_a_member_that_lies_about_its_size_is_unpacked_no_further(tmp_path: Path) -> None:
    path = zipped(tmp_path / "raw" / "x.zip", {"a.gif": bytes(5_000_000)})
    payload = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = payload.index(signature) + place
        payload[start : start + 4] = struct.pack("<I", 100)
    path.write_bytes(payload)
    assert reasons(found(tmp_path / "raw")[0]) == {"raw/x.zip!a.gif": "unreadable"}
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert len(unpacked(deflate.compress(bytes(5_000_000)) + deflate.flush(), zipfile.ZIP_DEFLATED, 100)) == 101
    assert len(unpacked(bz2.compress(bytes(5_000_000)), zipfile.ZIP_BZIP2, 100)) == 101


def test_members_that_overlap_are_a_bomb(tmp_path: Path) -> None:
    """One stretch of deflated data, named by a thousand entries of the directory."""
    path = zipped(tmp_path / "raw" / "x.zip", {"a.gif": GIF})
    payload = path.read_bytes()
    start, end = payload.index(b"PK\x01\x02"), payload.index(b"PK\x05\x06")
    entry = payload[start:end]
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1000, 1000, 1000 * len(entry), start, 0)
    path.write_bytes(payload[:start] + entry * 1000 + tail)
    occurrences, _ = found(tmp_path / "raw")
    assert reasons(occurrences) == {"raw/x.zip": "corrupt_container"}


def test_damage_inside_a_zip_costs_the_member_it_hits(tmp_path: Path) -> None:
    path = zipped(tmp_path / "raw" / "x.zip", {"a.gif": GIF, "b.gif": GIF + b"b"}, zipfile.ZIP_STORED)
    payload = bytearray(path.read_bytes())
    payload[payload.index(b"GIF89a") + 20] ^= 0xFF
    path.write_bytes(payload)
    occurrences, _ = found(tmp_path / "raw")
    assert reasons(occurrences) == {"raw/x.zip!a.gif": "unreadable"}
    assert occurrences["raw/x.zip!b.gif"].payload == GIF + b"b"


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "raw" / "x.zip", {"a.gif": GIF})
    payload = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        payload[payload.index(signature) + place] |= 1
    path.write_bytes(payload)
    assert reasons(found(tmp_path / "raw")[0]) == {"raw/x.zip!a.gif": "unreadable"}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.zst", "x.tar.xz", "x.tar.bz2"])
@pytest.mark.parametrize("payload", [b"", b"no archive at all, only words " * 50])
def test_what_is_no_archive_is_refused_as_one(tmp_path: Path, name: str, payload: bytes) -> None:
    put(tmp_path / "raw" / name, payload)
    occurrences, _ = found(tmp_path / "raw", staging=tmp_path / "staging")
    if (name, payload) == ("x.tar", b""):
        assert reasons(occurrences) in ({}, {"raw/x.tar": "corrupt_container"})
    else:
        assert reasons(occurrences) == {f"raw/{name}": "corrupt_container"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_a_tar_that_breaks_off_gives_what_came_before_and_is_refused_for_the_rest(tmp_path: Path, suffix: str) -> None:
    whole = tar_bytes({f"{i}.gif": GIF for i in range(5)})
    cut = {
        "data": whole[: 3 * 1024 + 512 + 20],
        "header": whole[: 3 * 1024 + 100],
        "damaged": whole[: 3 * 1024 + 10] + b"\xff" * 100 + whole[3 * 1024 + 110 :],
    }
    for kind, payload in cut.items():
        put(tmp_path / kind / "raw" / f"x{suffix}", PACKERS[suffix](payload))
        occurrences, _ = found(tmp_path / kind / "raw", staging=tmp_path / "staging")
        sound = [key for key, o in occurrences.items() if o.payload == GIF]
        assert sound == [f"raw/x{suffix}!{i}.gif" for i in range(3)], kind
        assert "corrupt_container" in reasons(occurrences).values(), kind


def test_a_compressed_stream_that_breaks_off_is_refused_for_the_rest(tmp_path: Path) -> None:
    noise = [(f"{i}.gif", GIF + zlib.compress(bytes([i]) * 5000, 0)) for i in range(40)]
    packed = gzip.compress(tar_bytes(noise))
    put(tmp_path / "raw" / "x.tar.gz", packed[: len(packed) // 2])
    occurrences, _ = found(tmp_path / "raw", staging=tmp_path / "staging")
    assert reasons(occurrences) == {"raw/x.tar.gz": "corrupt_container"}
    assert len(occurrences) > 1


def test_an_archive_that_changed_since_it_was_listed_is_not_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "raw" / "x.zip", {"a.gif": GIF})
    occurrences, _ = found(tmp_path / "raw")
    units = [unit for unit in discover([tmp_path / "raw"]) if isinstance(unit, SourceUnit)]
    zipped(path, {"other.gif": GIF, "a.gif": GIF})
    (entry,) = read_unit(units[0])
    assert isinstance(entry, Occurrence)
    assert reasons({"it": entry}) == {"it": "changed_while_read"}
    (payload,) = again(occurrences).values()
    assert isinstance(payload, Refusal)
    assert payload.reason == "changed_while_read"
    path.unlink()
    (entry,) = read_unit(units[0])
    assert isinstance(entry, Occurrence)
    assert reasons({"it": entry}) == {"it": "unreadable"}


def test_names_in_a_zip_without_the_mark_of_utf8_are_read_as_such_if_they_are(tmp_path: Path) -> None:
    path = zipped(tmp_path / "raw" / "x.zip", {"Xo.gif": GIF, "Yoo.gif": GIF})
    payload = path.read_bytes().replace(b"Xo.gif", "é.gif".encode()).replace(b"Yoo.gif", b"Y\xe9\xff.gif")
    path.write_bytes(payload)
    occurrences, _ = found(tmp_path / "raw")
    assert "raw/x.zip!é.gif" in occurrences
    assert occurrences["raw/x.zip!é.gif"].source_raw is None
    (other,) = (key for key in occurrences if key != "raw/x.zip!é.gif")
    assert other == "raw/x.zip!Y\\xe9\\xff.gif"
    assert occurrences[other].source_raw == b"Y\xe9\xff.gif"
    assert occurrences[other].payload == GIF


def test_an_annotation_of_such_a_name_can_be_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "raw" / "x.zip", {"Xo.csv": b"file_name\n", "Yoo.csv": b"label\n"})
    path.write_bytes(path.read_bytes().replace(b"Xo.csv", "é.csv".encode()).replace(b"Yoo.csv", b"Y\xe9\xff.csv"))
    others = [entry for entry in discover([path]) if isinstance(entry, OtherFile) and entry.kind == "annotation"]
    assert [read_other(other) for other in others] == [b"file_name\n", b"label\n"]


def test_members_without_an_ending_are_looked_into(tmp_path: Path) -> None:
    members = {"picture": GIF, "README": b"words"}
    zipped(tmp_path / "raw" / "x.zip", members)
    put(tmp_path / "raw" / "x.tar.gz", gzip.compress(tar_bytes(members)))
    occurrences, others = found(tmp_path / "raw", staging=tmp_path / "staging")
    assert sorted(occurrences) == ["raw/x.tar.gz!picture", "raw/x.zip!picture"]
    assert others["raw/x.zip!README"] == others["raw/x.tar.gz!README"] == "skipped(other)"


@pytest.mark.parametrize("suffix", [".zip", *PACKERS])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_members_whose_ending_says_nothing_are_told_by_their_bytes(tmp_path: Path, suffix: str, method: int) -> None:
    if suffix != ".zip" and method != zipfile.ZIP_STORED:
        pytest.skip("of zip alone")
    images = {"a.jpg_large": GIF, "b.dat": GIF + b"b" * 10_000, "c.gif.bak": GIF + b"c", "d.gif#2": GIF + b"d"}
    rest = {
        "film.mp4": b"no image " * 10_000,
        "x.npy": b"\x93NUMPY",
        "empty.bin": b"",
        "in.rar": GIF,
        "t.txt": GIF,
        ".x.dat": GIF,
    }
    place = tmp_path / "raw" / f"x{suffix}"
    if suffix == ".zip":
        zipped(place, images | rest, method)
    else:
        put(place, PACKERS[suffix](tar_bytes(images | rest)))
    staging = tmp_path / "staging"
    occurrences, others = found(tmp_path / "raw", staging=staging)
    key = f"raw/x{suffix}"
    assert {name: one.payload for name, one in occurrences.items() if one.refusal is None} == {
        f"{key}!{name}{'~' if '#' in name else ''}": payload for name, payload in images.items()
    }
    assert reasons(occurrences) == {f"{key}!in.rar": "unsupported_container"}
    assert others == {
        key: "container",
        f"{key}!film.mp4": "skipped(other)",
        f"{key}!x.npy": "skipped(other)",
        f"{key}!empty.bin": "skipped(other)",
        f"{key}!t.txt": "annotation",
        f"{key}!.x.dat": "skipped(hidden)",
    }
    kept = {name: one for name, one in occurrences.items() if one.refusal is None}
    assert again(kept, staging) == {name: one.payload for name, one in kept.items()}


def test_class_folders_in_archives_are_labels(tmp_path: Path) -> None:
    members = {"set/cat/1.gif": GIF, "set/dog/2.gif": GIF}
    zipped(tmp_path / "raw" / "x.zip", members)
    put(tmp_path / "raw" / "x.tar", tar_bytes(members))
    occurrences, _ = found(tmp_path / "raw")
    assert [o.folder_label for o in occurrences.values()] == ["cat", "dog"] * 2


def test_a_staging_folder_that_cannot_be_written_is_not_the_archives_fault(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "x.tar.gz", gzip.compress(tar_bytes({"a.gif": GIF})))
    blocked = put(tmp_path / "blocked")
    with pytest.raises(DatasetError, match="cannot be written"):
        found(tmp_path / "raw", staging=blocked)


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh: what stands before a zip that unpacks itself" * 20])
def test_a_zip_of_more_than_32_bits_can_count_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: bytes) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = zipped(tmp_path / "raw" / "x.zip", MEMBERS)
    assert b"PK\x06\x06" in path.read_bytes()
    path.write_bytes(prefix + path.read_bytes())
    occurrences, others = found(tmp_path / "raw")
    assert {key: o.payload for key, o in occurrences.items()} == {"raw/x.zip!a.gif": GIF, "raw/x.zip!deep/b.gif": GIF + b"b"}
    assert again(occurrences) == {key: o.payload for key, o in occurrences.items()}
    assert others["raw/x.zip!labels.csv"] == "annotation"


@given(st.data())
@settings(deadline=None, max_examples=15)
def test_the_directory_of_a_zip_is_read_as_by_the_standard_library_or_refused(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = data.draw(st.binary(max_size=40))
        for name in data.draw(
            st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), min_size=1), unique=True)
        ):
            archive.writestr(name, b"x" * 40)
    payload = bytearray(buffer.getvalue())
    with zipfile.ZipFile(buffer) as archive:
        wanted = [(info.orig_filename, info.header_offset, info.file_size, f"0:40:{info.CRC:08x}") for info in archive.infolist()]
    listed = [(entry.name, entry.offset, entry.size_bytes, entry.packed) for entry in zip_entries(io.BytesIO(payload))]
    assert listed == wanted
    for place in data.draw(st.lists(st.integers(0, len(payload) - 1), max_size=4)):
        payload[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(*ARCHIVE_FAULTS):
        list(zip_entries(io.BytesIO(payload[: data.draw(st.integers(0, len(payload)))])))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_large_archive_is_listed_without_an_object_for_each_member(tmp_path: Path, kind: str) -> None:
    count = 2_000
    members = [(f"{number:08d}.gif", b"x") for number in range(count)]
    path = tmp_path / f"x.{kind}"
    zipped(path, members, zipfile.ZIP_STORED) if kind == "zip" else path.write_bytes(tar_bytes(members))
    gc.collect()
    tracemalloc.start()
    units = list_archive(path, "x", "1-1")
    first = [next(units), next(units)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(first[1], SourceUnit)
    assert peak_bytes / count < 500  # an Item and a ZipInfo take 900
    assert 64 + sum(len(unit.items) for unit in units if isinstance(unit, SourceUnit)) == count


@pytest.mark.parametrize("suffix", [".zip", *PACKERS])
def test_an_archive_that_is_not_read_is_refused_with_its_reason(tmp_path: Path, suffix: str) -> None:
    members = {"a.gif": GIF, "deep/inner.zip": b"PK", "b.rar": b"Rar!", "._c.zip": b""}
    path = put(tmp_path / "raw" / f"x{suffix}", b"")
    zipped(path, members) if suffix == ".zip" else path.write_bytes(PACKERS[suffix](tar_bytes(members)))
    for name in ("d.RAR", "e.7z"):
        put(tmp_path / "raw" / name, b"Rar!")
    occurrences, others = found(tmp_path / "raw", staging=tmp_path / "staging")
    unread = ["d.RAR", "e.7z", f"x{suffix}!b.rar", f"x{suffix}!deep/inner.zip"]
    assert reasons(occurrences) == {f"raw/{name}": "unsupported_container" for name in unread}
    assert others == {f"raw/x{suffix}": "container", f"raw/x{suffix}!._c.zip": "skipped(hidden)"}
    refused = occurrences["raw/d.RAR"].refusal
    assert refused is not None
    assert "RAR" in refused.message


def test_a_zip_that_claims_more_than_there_is_anywhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    path = zipped(tmp_path / "raw" / "x.zip", {"a.gif": GIF * 50}, zipfile.ZIP_STORED)
    size = struct.pack("<Q", len(GIF) * 50)
    assert path.read_bytes().count(size) > 2
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<Q", 2**63 + 5)))
    assert reasons(found(tmp_path / "raw")[0]) == {"raw/x.zip": "corrupt_container"}

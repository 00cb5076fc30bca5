"""What is found in folders and tables, in what order, under what names; and found again."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import socket
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from found_sources import GIF, again, found, put

from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import Occurrence, OtherFile, SourceUnit, discover, folders, read_other, read_unit, walking
from toolkit.curation.sources.files import etag_of, read_whole
from toolkit.curation.sources.units import UNIT_ITEMS
from toolkit.errors import MissingError, UsageError


def test_a_folder_gives_images_annotations_and_a_reason_for_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "raw"
    put(root / "a.gif")
    put(root / "B.JPG", b"words")
    put(root / "no_extension")
    put(root / "data.bin")
    put(root / "labels.csv", b"file_name,label\n")
    put(root / "voc.xml", b"<annotation/>")
    put(root / "notes.md", b"# notes")
    put(root / ".DS_Store", b"x")
    put(root / "Thumbs.db", b"x")
    put(root / ".git" / "inside.gif")
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # the path of a socket is short
        listener.bind("socket.png")
    occurrences, others = found(root)
    assert {key: occurrence.payload for key, occurrence in occurrences.items()} == {
        "raw/B.JPG": b"words",
        "raw/a.gif": GIF,
        "raw/data.bin": GIF,
        "raw/no_extension": GIF,
    }
    assert others == {
        "raw/.DS_Store": "skipped(hidden)",
        "raw/.git": "skipped(hidden)",
        "raw/Thumbs.db": "skipped(system)",
        "raw/labels.csv": "annotation",
        "raw/notes.md": "skipped(other)",
        "raw/pipe.jpg": "skipped(not_a_file)",
        "raw/socket.png": "skipped(not_a_file)",
        "raw/voc.xml": "annotation",
    }


def test_links_cannot_loop_and_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    put(root / "deep" / "a.gif")
    (root / "deep" / "up").symlink_to(root)
    (root / "deep" / "self").symlink_to("self")
    (root / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (root / "linked.gif").symlink_to(root / "deep" / "a.gif")
    occurrences, others = found(root)
    assert sorted(occurrences) == ["raw/deep/a.gif", "raw/gone.jpg", "raw/linked.gif"]
    assert occurrences["raw/gone.jpg"].refusal is not None
    assert occurrences["raw/gone.jpg"].refusal.reason == "unreadable"
    assert others == {"raw/deep/self": "skipped(unreadable)"}


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user whom permissions bind, as root is not."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_what_may_not_be_entered_or_read_is_told_and_the_rest_is_read() -> None:
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders let nobody in
        Path(place).chmod(0o755)
        root = Path(place) / "raw"
        put(root / "a.gif")
        shut = ("shut.gif", "shut.zip", "shut.tar", "shut.tar.gz", "shut.parquet")
        for name in (*shut, "closed/in.gif", "listed/in.gif", "listed/notes.md"):
            put(root / name)
        for name in (*shut, "closed"):
            (root / name).chmod(0)
        (root / "listed").chmod(0o444)
        with nobody():
            occurrences, others = found(root)
        for name in ("closed", "listed"):
            (root / name).chmod(0o755)
    refused = {key: one.refusal.reason for key, one in occurrences.items() if one.refusal is not None}
    containers = ("raw/shut.parquet", "raw/shut.tar", "raw/shut.tar.gz", "raw/shut.zip")
    images = ("raw/listed/in.gif", "raw/shut.gif")
    assert refused == dict.fromkeys(containers, "unreadable_container") | dict.fromkeys(images, "unreadable")
    assert set(occurrences) - set(refused) == {"raw/a.gif"}
    folders = {"raw/closed": "skipped(unreadable)", "raw/listed/notes.md": "skipped(unreadable)"}
    assert others == folders | {"raw/shut.tar.gz": "container"}


def test_names_of_any_bytes_become_printable_unique_keys(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    names = [b"plain.gif", b"caf\xe9.gif", "café.gif".encode(), b"new\nline.gif", b"<script>.gif", b" .gif", b"\xff\xfe.gif"]
    for name in [*names, rb"caf\xe9.gif"]:
        (Path(os.fsdecode(root)) / os.fsdecode(name)).write_bytes(GIF)
    occurrences, _ = found(root)
    assert len(occurrences) == len(names) + 1
    for key, occurrence in occurrences.items():
        key.encode("utf-8")
        assert occurrence.payload == GIF
        json.loads(occurrence.locator)
        occurrence.locator.encode("ascii")
    raw = {occurrence.source_raw for occurrence in occurrences.values() if occurrence.source_raw is not None}
    assert raw == {b"raw/caf\xe9.gif", b"raw/\xff\xfe.gif"}
    assert set(again(occurrences).values()) == {GIF}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_is_shown_alike_whatever_lies_beside_it(tmp_path: Path) -> None:
    names = [b"caf\xe9.gif", rb"caf\xe9.gif", b"d\xe9/in.gif", rb"d\xe9/in.gif"]
    shown = {}
    for count in (1, 2):
        for chosen in itertools.combinations(names, count):
            root = tmp_path / str(len(list(tmp_path.iterdir()))) / "raw"
            for name in chosen:
                put(root / os.fsdecode(name))
            occurrences, _ = found(root)
            for key, occurrence in occurrences.items():
                place = os.fsencode(json.loads(occurrence.locator)["path"]).rpartition(b"/raw/")[2]
                assert shown.setdefault(place, key) == key
    assert set(shown) == set(names)
    assert len(set(shown.values())) == len(names)


def test_the_order_is_that_of_the_names_whatever_the_disk_says(tmp_path: Path) -> None:
    for order in ("ba", "ab"):
        root = tmp_path / order / "raw"
        for name in order:
            put(root / name / f"{name}.gif")
            put(root / f"{name}.gif")
    one, other = (
        [unit.key for unit in discover([tmp_path / order / "raw"]) if isinstance(unit, SourceUnit)] for order in ("ba", "ab")
    )
    assert [json.loads(key)[3][0][0] for key in one] == [json.loads(key)[3][0][0] for key in other]


def test_a_file_named_as_an_image_is_listed_as_if_it_were_asked_what_else_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "raw" / "a.GIF")
    put(tmp_path / "raw" / "cats" / "caf\udce9.jpg")
    put(tmp_path / "raw" / "dogs" / "b.png")
    put(tmp_path / "raw" / "masks" / "b.png")
    put(tmp_path / "raw" / "images" / "b.jpg")
    put(tmp_path / "raw" / "dogs" / ".c.png")
    (tmp_path / "raw" / "dogs" / "gone.png").symlink_to("nowhere")
    (tmp_path / "raw" / "dogs" / "folder.png").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "raw" / "dogs" / "pipe.png")
    for root in (tmp_path / "raw", Path("raw")):
        monkeypatch.chdir(tmp_path)
        named = list(discover([root]))
        with monkeypatch.context() as patched:
            patched.setattr(folders, "_named_image", lambda *_: None)
            assert list(discover([root])) == named


def test_units_are_bounded(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    for index in range(2 * UNIT_ITEMS + 1):
        put(root / f"{index:04}.gif")
    units = list(discover([root]))
    assert [len(unit.items) for unit in units if isinstance(unit, SourceUnit)] == [UNIT_ITEMS, UNIT_ITEMS, 1]
    assert len({unit.key for unit in units if isinstance(unit, SourceUnit)}) == 3


def test_sources_of_one_name_are_told_apart_and_files_may_be_sources(tmp_path: Path) -> None:
    put(tmp_path / "x" / "photos" / "a.gif")
    put(tmp_path / "y" / "photos" / "a.gif")
    alone = put(tmp_path / "alone.gif")
    occurrences, _ = found(tmp_path / "x" / "photos", tmp_path / "y" / "photos", alone)
    assert list(occurrences) == ["photos/a.gif", "photos~2/a.gif", "alone.gif"]


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nothing"):
        list(discover([tmp_path / "nothing"]))
    with pytest.raises(UsageError, match="s3://bucket"):
        list(discover(["s3://bucket/photos"]))


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (["cat/1.gif", "dog/2.gif"], {"raw/cat/1.gif": "cat", "raw/dog/2.gif": "dog"}),
        (["train/cat/1.gif", "train/dog/2.gif", "other/3.gif"], {"raw/train/cat/1.gif": "cat", "raw/train/dog/2.gif": "dog"}),
        (["cat/1.gif"], {}),
        (["cat/1.gif", "dog/2.gif", "3.gif"], {}),
        (["cat/1.gif", "dog/deeper/2.gif"], {}),
    ],
)
def test_folders_are_classes_only_where_nothing_speaks_against_it(
    tmp_path: Path, files: list[str], labels: dict[str, str]
) -> None:
    for name in files:
        put(tmp_path / "raw" / name)
    occurrences, _ = found(tmp_path / "raw")
    assert {key: o.folder_label for key, o in occurrences.items() if o.folder_label} == labels


def test_folders_that_an_export_deals_files_out_to_are_no_classes(tmp_path: Path) -> None:
    for form in ("files", "imagefolder"):
        for name in ("export.json", "train/36/36ab.gif", "train/51/51cd.gif"):
            put(tmp_path / form / name, json.dumps({"form": form}).encode() if name == "export.json" else GIF + name.encode())
    occurrences, _ = found(tmp_path / "files", tmp_path / "imagefolder")
    labels = {key: occurrence.folder_label for key, occurrence in occurrences.items()}
    assert labels == {
        "files/train/36/36ab.gif": None,
        "files/train/51/51cd.gif": None,
        "imagefolder/train/36/36ab.gif": "36",
        "imagefolder/train/51/51cd.gif": "51",
    }


def test_a_file_that_changed_since_it_was_found_is_not_packed(tmp_path: Path) -> None:
    path = put(tmp_path / "raw" / "a.gif")
    gone = put(tmp_path / "raw" / "b.gif")
    occurrences, _ = found(tmp_path / "raw")
    assert set(again(occurrences).values()) == {GIF}
    path.write_bytes(GIF + b"more")
    gone.unlink()
    reasons = {key: payload.reason for key, payload in again(occurrences).items() if isinstance(payload, Refusal)}
    assert reasons == {"raw/a.gif": "changed_while_read", "raw/b.gif": "unreadable"}


def test_a_file_that_goes_between_listing_and_reading_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "raw" / "a.gif")
    units = [unit for unit in discover([tmp_path / "raw"]) if isinstance(unit, SourceUnit)]
    path.unlink()
    (occurrence,) = read_unit(units[0])
    assert isinstance(occurrence, Occurrence)
    assert occurrence.refusal is not None
    assert occurrence.refusal.reason == "unreadable"


def table(path: Path, columns: dict[str, Any], rows: int = 3, metadata: dict[bytes, bytes] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(written, path, row_group_size=rows)
    return path


@pytest.mark.parametrize(
    "images",
    [
        {"image": [{"bytes": GIF + bytes([i]), "path": f"{i}.gif"} for i in range(7)]},
        {"jpg": [GIF + bytes([i]) for i in range(7)], "thumb": [b"" for _ in range(7)]},
        {"anything": pa.array([GIF + bytes([i]) for i in range(7)], pa.large_binary())},
    ],
)
def test_rows_of_a_table_are_read_and_found_again(tmp_path: Path, images: dict[str, Any]) -> None:
    table(tmp_path / "raw" / "t.parquet", images)
    occurrences, others = found(tmp_path / "raw")
    unread = {"raw/t.parquet#thumb": "column"} if "thumb" in images else {}
    assert others == {"raw/t.parquet": "container"} | unread
    assert [(key, o.payload) for key, o in occurrences.items()] == [(f"raw/t.parquet#{i}", GIF + bytes([i])) for i in range(7)]
    assert occurrences["raw/t.parquet#5"].member == "5"
    chosen = {key: occurrences[key] for key in ("raw/t.parquet#6", "raw/t.parquet#1", "raw/t.parquet#2")}
    assert again(chosen) == {key: occurrence.payload for key, occurrence in chosen.items()}


def test_a_table_says_more_of_its_images(tmp_path: Path) -> None:
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    columns = {
        "image": [{"bytes": GIF, "path": None}, {"bytes": None, "path": "x"}],
        "label": [1, 0],
        "tags": [["soft", "brown"], None],
        "caption": ["a dog", None],
        "license": ["CC0-1.0", None],
        "price": [3.5, None],
    }
    table(tmp_path / "raw" / "t.parquet", columns, metadata={b"huggingface": json.dumps(features).encode()})
    occurrences, _ = found(tmp_path / "raw")
    assert occurrences["raw/t.parquet#0"].hints == {
        "label": "dog",
        "labels": ["soft", "brown"],
        "captions": ["a dog"],
        "licence": "CC0-1.0",
        "metadata": {"price": "3.5"},
    }
    missing = occurrences["raw/t.parquet#1"]
    assert (missing.payload, missing.refusal.reason if missing.refusal else None) == (None, "empty")


def test_a_table_that_is_none_is_refused_and_one_without_images_is_counted(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "broken.parquet", b"PAR1 and nothing else")
    table(tmp_path / "raw" / "plain.parquet", {"x": [1, 2]})
    occurrences, others = found(tmp_path / "raw")
    assert list(occurrences) == ["raw/broken.parquet"]
    assert occurrences["raw/broken.parquet"].refusal is not None
    assert occurrences["raw/broken.parquet"].refusal.reason == "corrupt_container"
    assert others == {"raw/plain.parquet": "skipped(no_image_column)"}


def test_rows_of_a_damaged_group_are_refused_each_and_the_rest_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "raw" / "t.parquet", {"image": [os.urandom(4000) for _ in range(6)]})
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    payload = bytearray(path.read_bytes())
    payload[place : place + 200] = bytes(200)
    path.write_bytes(payload)
    occurrences, _ = found(tmp_path / "raw")
    assert len(occurrences) == 6
    reasons = [o.refusal.reason if o.refusal else None for o in occurrences.values()]
    assert reasons == [None] * 3 + ["corrupt_container"] * 3


def test_annotations_beside_images_can_be_read(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "labels.csv", b"file_name,label\n")
    (other,) = discover([tmp_path / "raw"])
    assert isinstance(other, OtherFile)
    assert read_other(other) == b"file_name,label\n"


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.gif")
    etag = etag_of(path.stat())
    assert read_whole(str(path)) == read_whole(str(path), etag) == GIF
    changed = read_whole(str(path), "1-1")
    assert isinstance(changed, Refusal)
    assert changed.reason == "changed_while_read"
    monkeypatch.setattr("toolkit.curation.sources.files.MAX_PAYLOAD_BYTES", 10)
    large = read_whole(str(path))
    assert isinstance(large, Refusal)
    assert large.reason == "unreadable"


def test_a_file_that_is_written_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A file in /proc says that it has no bytes and gives some: it never is what it was."""
    for path in (Path("/proc/self/status"), Path("/proc/self/io")):
        if path.exists():
            found = read_whole(str(path))
            assert isinstance(found, Refusal)
            assert found.reason == "changed_while_read"


def test_an_annotation_below_a_folder_of_any_name_can_be_held_in_a_table_and_read(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    put(folder / "labels.csv", b"file_name,label\n")
    (other,) = discover([folder])
    assert isinstance(other, OtherFile)
    assert pa.array([other.source, other.path]).to_pylist()[0] == r"caf\xe9/labels.csv"
    assert read_other(OtherFile(source=other.source, path=other.path, kind=other.kind)) == b"file_name,label\n"


def test_a_folder_of_many_files_is_listed_without_an_object_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_BLOCK", 16)
    names = [f"{number:05d}.gif" for number in range(1_000)]
    for name in [*names, os.fsdecode(b"\xe9.gif")]:
        (tmp_path / name).symlink_to("/nowhere")
    put(tmp_path.parent / "warm" / "a.gif", GIF)
    assert list(discover([tmp_path.parent / "warm"]))  # what is imported and kept at the first listing is no part of any
    gc.collect()
    tracemalloc.start()
    units = discover([tmp_path])
    first = next(units)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes / len(names) < 150  # an entry of a folder takes 200, and they were held twice
    assert isinstance(first, SourceUnit)
    listed = [*first.items, *(item for unit in units if isinstance(unit, SourceUnit) for item in unit.items)]
    assert [item.source for item in listed] == [f"{tmp_path.name}/{name}" for name in [*names, "\\xe9.gif"]]

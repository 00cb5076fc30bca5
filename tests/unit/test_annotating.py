"""Annotation files of any size: read on the workers, tables a block of rows at a time."""

from __future__ import annotations

import dataclasses
import gc
import json
import random
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from distributed.scheduler import KilledWorker

from toolkit.curation import annotating
from toolkit.curation.annotating import Annotations, NoteTask, read_annotation_files, read_notes
from toolkit.curation.annotations import annotation_frame, annotation_lines, blocks, large
from toolkit.curation.sources import OtherFile, discover
from toolkit.curation.sources import files as whole_files
from toolkit.errors import DatasetError


def given(*paths: Path) -> pl.DataFrame:
    rows = [(f"raw/{p.name}", str(p), None, "", p.stat().st_size, 0, "") for p in paths]
    names = ["source", "path", "member", "etag", "size_bytes", "offset", "packed"]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"member": pl.String})


def read(folder: Path, *paths: Path) -> tuple[Annotations, int]:
    """Return what files say, and how many tasks it took."""
    sent: list[Any] = []

    def stream(function: Any, tasks: Any) -> Any:
        for task in tasks:
            sent.append(task)
            yield task, function(task)

    found = read_annotation_files(SimpleNamespace(stream=stream), given(*paths), folder)  # type: ignore[arg-type]  # what is asked of an engine
    whole = pl.concat([found.frame["metadata"].clear(), *found.metadata()])
    return dataclasses.replace(found, frame=found.frame.with_columns(metadata=whole)), len(sent)


def csv_of(path: Path, count: int) -> Path:
    rows = (f"{n:06d}.jpg,class {n % 7},a sentence of some words on image {n},{n}\n" for n in range(count))
    path.write_text("file_name,label,caption,shot\n" + "".join(rows))
    return path


def test_what_is_more_than_a_little_is_read_on_the_workers(tmp_path: Path) -> None:
    little = csv_of(tmp_path / "little.csv", 3)
    much = csv_of(tmp_path / "much.csv", 6_000)
    assert read(tmp_path, little)[1] == 0
    found, task_count = read(tmp_path, little, much)
    assert task_count == 1
    assert found.frame["name"].to_list()[:4] == ["000000.jpg", "000001.jpg", "000002.jpg", "000000.jpg"]
    assert len(found.frame) == 6_003


def test_tasks_are_bounded_by_bytes_and_by_files_and_leave_none_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [csv_of(tmp_path / f"{number}.csv", 2_000 + number) for number in range(5)]
    whole, task_count = read(tmp_path, *paths)
    assert task_count == 1
    monkeypatch.setattr(annotating, "_BLOCK_BYTES", 2 * paths[-1].stat().st_size)
    by_bytes, task_count = read(tmp_path, *paths)
    assert task_count == 3, "two fit into a task"
    assert by_bytes.frame.equals(whole.frame)
    monkeypatch.setattr(annotating, "_BLOCK_BYTES", 2**40)
    monkeypatch.setattr(annotating, "_BLOCK_FILES", 4)
    by_files, task_count = read(tmp_path, *paths)
    assert task_count == 2
    assert by_files.frame.equals(whole.frame)


def test_what_a_worker_died_of_is_read_here_and_any_other_fault_is_told(tmp_path: Path) -> None:
    much = csv_of(tmp_path / "much.csv", 6_000)
    died = KilledWorker("task", None, 3)  # type: ignore[no-untyped-call]  # it has no types
    lost = SimpleNamespace(stream=lambda _, tasks: ((task, died) for task in tasks))
    assert len(read_annotation_files(lost, given(much), tmp_path).frame) == 6_000  # type: ignore[arg-type]  # as above
    broken = SimpleNamespace(stream=lambda _, tasks: ((task, OSError("no")) for task in tasks))
    with pytest.raises(DatasetError, match="nothing was committed"):
        read_annotation_files(broken, given(much), tmp_path)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_table_larger_than_is_read_whole_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    count = 3_000
    path = csv_of(tmp_path / "m.csv", count)
    if suffix == ".jsonl":
        names = ["file_name", "label", "caption"]
        rows = [dict(zip(names, line.split(","), strict=False)) for line in path.read_text().splitlines()[1:]]
        path = tmp_path / "m.jsonl"
        path.write_text("\n".join(map(json.dumps, [*rows[:-1], rows[-1] | {"licence": "CC0"}])))
    monkeypatch.setattr(annotating, "_STREAMED_BYTES", 1_000)
    monkeypatch.setattr(whole_files, "MAX_PAYLOAD_BYTES", 1_000)
    monkeypatch.setattr(blocks, "_BLOCK", 64)
    gc.collect()
    tracemalloc.start()
    found, _ = read(tmp_path, path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.unread == ()
    assert len(found.frame) == count
    assert found.frame["captions"][-1].to_list() == [f"a sentence of some words on image {count - 1}"]
    assert found.frame["licence"][-1] == ("CC0" if suffix == ".jsonl" else None)
    assert peak_bytes < 600_000  # as dicts, 3,000 rows take 5 MB


def test_a_table_that_is_damaged_far_down_says_nothing_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"file_name": "a.jpg"}\n' * 200 + "{\n")
    monkeypatch.setattr(annotating, "_STREAMED_BYTES", 1_000)
    monkeypatch.setattr(blocks, "_BLOCK", 64)
    found, _ = read(tmp_path, path)
    assert found.unread == ("raw/m.jsonl",)
    assert found.frame.is_empty()


def test_a_file_of_one_endless_line_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_LINE_BYTES", 1_000)
    path = tmp_path / "m.csv"
    path.write_bytes(b"file_name,label\na.jpg,cat\n" + b"x" * 2_000)
    assert read(tmp_path, path)[0].unread == ("raw/m.csv",)


def test_a_table_in_an_archive_is_read_in_blocks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotating, "_STREAMED_BYTES", 1_000)
    monkeypatch.setattr(blocks, "_BLOCK", 64)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(csv_of(tmp_path / "m.csv", 100), "m.csv")
        archive.writestr("one.json", '{"caption": "first"}')
    files = [found for found in discover([tmp_path / "x.zip"]) if isinstance(found, OtherFile) and found.kind == "annotation"]
    task = NoteTask(files=tuple(sorted(files, key=lambda other: other.source, reverse=True)), staging=tmp_path)
    assert read_notes(task) == ()
    found = pl.read_parquet(task.part)
    assert found["name"].to_list() == [None, *(f"{number:06d}.jpg" for number in range(100))]


def test_rows_are_read_as_they_are_written() -> None:
    payload = '\ufefffile_name,note,note\na.jpg,"two\nlines, ""quoted""",x\n\nb.jpg\nc.jpg,1,2,3\n'.encode()
    lines = annotation_lines("raw/m.csv", payload)
    assert lines is not None
    assert [line["name"] for line in lines] == ["a.jpg", "b.jpg", "c.jpg"]
    assert lines[0]["metadata"] == [{"key": "note", "value": 'two\nlines, "quoted"'}, {"key": "note_2", "value": "x"}]
    wide = annotation_lines("raw/m.jsonl", '{"file_name": "a.jpg", "caption": "one\u2028line"}'.encode())
    assert wide is not None
    assert wide[0]["captions"] == ["one\u2028line"]
    assert annotation_lines("raw/m.csv", b"") is None
    assert annotation_lines("raw/m.csv", b"item,price\n") is None


def coco_of(path: Path, count: int) -> Path:
    """A COCO document of many images, whose annotations come in another order than they; categories last, as some tools write."""
    images = [{"id": n, "file_name": f"{n:06d}.jpg", "width": 640, "height": 480, "license": 1} for n in range(count)]
    notes = [
        {
            "image_id": n % count,
            "category_id": n % 3,
            "bbox": [n % 50, 2, 3.5, 4],
            "segmentation": [[n % 50, 2, 9.25, 9, 2, 9] * 8],
        }
        for n in range(3 * count - 1, -1, -1)
    ]
    notes.append({"image_id": 5, "caption": "späte Worte"})
    classes = [{"id": n, "name": name} for n, name in enumerate(("cat", "dog", "emu", "yak"))]
    document = {"info": {}, "annotations": notes, "images": images, "licenses": [{"id": 1, "name": "CC0"}], "categories": classes}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def test_a_coco_document_larger_than_is_read_whole_says_the_same_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = coco_of(tmp_path / "instances.json", 4_000)
    whole = annotation_frame(annotation_lines("raw/instances.json", path.read_bytes()) or [])
    monkeypatch.setattr(annotating, "_LARGE_BYTES", 1_000)
    monkeypatch.setattr(whole_files, "MAX_PAYLOAD_BYTES", 1_000)
    monkeypatch.setattr(large, "_SHARE_BYTES", path.stat().st_size // 20)
    monkeypatch.setattr(large, "_READ_BYTES", 2**14)
    gc.collect()
    tracemalloc.start()
    found, _ = read(tmp_path, path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.unread == ()
    assert found.frame.sort("kind", "name").equals(whole.sort("kind", "name"))
    assert found.frame.filter(name="000005.jpg")["captions"].to_list() == [["späte Worte"]]
    assert found.frame["labels"].list.len().max() == 4  # declared, the last without an image
    assert peak_bytes < path.stat().st_size  # as objects, it takes several times its text
    assert {each.suffix for each in tmp_path.iterdir()} == {".json", ".parquet"}


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ('\ufeff [{"file_name": "a.jpg"}, {"file_name": "b.jpg", "licence": "CC0"}]', True),
        ('[{"number": 1}]', False),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [', False),
        ('{"caption": "of one image"}', False),
        ('{"images": [3], "annotations": []}', False),
        ('{"images": [], "annotations": []}', True),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [],}', False),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}] "annotations": []}', False),
        ('{"images": [], "annotations": []} []', False),
        ("[1, 2", False),
        ("", False),
    ],
)
def test_a_large_document_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_read: bool
) -> None:
    monkeypatch.setattr(annotating, "_LARGE_BYTES", -1)
    monkeypatch.setattr(large, "_READ_BYTES", 3)
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    found, _ = read(tmp_path, path)
    assert found.unread == (() if is_read else ("raw/m.json",))
    assert found.frame["licence"].to_list() == ([None, "CC0"] if is_read and "CC0" in text else [])


READ_LARGE = """
import re, sys
from pathlib import Path
from toolkit.curation import annotating
from toolkit.curation.annotations import large
from toolkit.curation.sources import OtherFile
path = Path(sys.argv[1])
annotating._LARGE_BYTES, large._SHARE_BYTES = 1_000, 2**21
def task(path):
    facts = {"etag": "", "size_bytes": path.stat().st_size, "source": path.name, "path": str(path)}
    return annotating.NoteTask(files=(OtherFile(kind="annotation", **facts),), staging=path.parent)
def most_kib():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])  # ru_maxrss begins with the parent's
assert annotating.read_notes(task(path.with_name("small.json"))) == ()
before_kib = most_kib()
assert annotating.read_notes(task(path)) == ()
print((most_kib() - before_kib) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_of_a_large_document_a_part_is_held_and_not_all_that_it_says(tmp_path: Path) -> None:
    draw = random.Random(3)
    outlines = [[round(draw.uniform(0, 640), 2) for _ in range(120)] for _ in range(500)]
    for name, count in (("small.json", 2_000), ("large.json", 100_000)):
        images = [{"id": n, "file_name": f"{n:06d}.jpg"} for n in range(count // 5)]
        notes = [{"image_id": n % (count // 5), "segmentation": [outlines[n % 500]]} for n in range(count)]
        (tmp_path / name).write_text(json.dumps({"images": images, "annotations": notes, "categories": []}))
    size_bytes = (tmp_path / "large.json").stat().st_size
    run = [sys.executable, "-c", READ_LARGE, str(tmp_path / "large.json")]
    grown_bytes = int(subprocess.run(run, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert grown_bytes < size_bytes, f"{grown_bytes:,} bytes more for a document of {size_bytes:,}"

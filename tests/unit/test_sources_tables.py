"""Tables of every kind that holds images, written by the libraries that people use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from found_sources import GIF, again, found, put
from pyarrow import feather, ipc

from toolkit.curation.sources.units import COLUMN

GIFS = [GIF + bytes([i]) for i in range(7)]
STRUCTS = [{"bytes": payload, "path": f"{i}.gif"} for i, payload in enumerate(GIFS)]


def payloads(folder: Path) -> list[bytes | None]:
    """Return the bytes of every row, having found each again by its locator."""
    occurrences, _ = found(folder)
    assert again(occurrences) == {key: occurrence.payload for key, occurrence in occurrences.items()}
    return [occurrence.payload for occurrence in occurrences.values()]


def as_file(table: pa.Table, path: Path) -> None:
    with ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


def as_stream(table: pa.Table, path: Path) -> None:
    with ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


WRITERS = {
    "t.parquet": lambda table, path: pq.write_table(table, path, row_group_size=3),
    "file.arrow": as_file,
    "stream.arrow": as_stream,
    "t.feather": lambda table, path: feather.write_feather(table, path, chunksize=3),
    "plain.feather": lambda table, path: feather.write_feather(table, path, compression="uncompressed"),
}
COLUMNS = {
    "binary": pa.array(GIFS, pa.binary()),
    "large": pa.array(GIFS, pa.large_binary()),
    "view": pa.array(GIFS, pa.binary_view()),
    "struct": pa.array(STRUCTS),
    "large struct": pa.array(STRUCTS, pa.struct({"bytes": pa.large_binary(), "path": pa.large_string()})),
    "dictionary": pa.array(GIFS, pa.binary()).dictionary_encode(),
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_table_and_column_gives_its_bytes(tmp_path: Path, name: str, column: str) -> None:
    WRITERS[name](pa.table({"picture": COLUMNS[column], "n": list(range(7))}), tmp_path / name)
    assert payloads(tmp_path) == GIFS


def test_a_saved_hugging_face_dataset_is_read_without_its_caches(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    names = datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features({"image": datasets.Image(), "label": names, "tags": datasets.List(names)})
    rows = {"image": STRUCTS, "label": [i % 2 for i in range(7)], "tags": [[0], [1, 0], [], [], [], [], []]}
    saved = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": saved, "test": saved.select(range(2))}).save_to_disk(
        tmp_path / "hf", num_shards={"train": 2, "test": 1}
    )
    (tmp_path / "hf" / "train" / "cache-1.arrow").write_bytes(
        (tmp_path / "hf" / "train" / "data-00000-of-00002.arrow").read_bytes()
    )
    occurrences, others = found(tmp_path / "hf")
    assert others["hf/train/cache-1.arrow"] == "skipped(cache)"
    assert [o.payload for o in occurrences.values()] == GIFS[:2] + GIFS
    assert [o.hints["label"] for o in occurrences.values()][2:] == ["cat", "dog"] * 3 + ["cat"]
    assert occurrences["hf/train/data-00000-of-00002.arrow#1"].hints["labels"] == ["dog", "cat"]


CARD = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': cat
          '1': dog
  - name: tags
    sequence:
      class_label:
        names: {'0': soft, '1': brown}
---
# Cats: a card --- with a rule
"""


@pytest.mark.parametrize("depth", ["", "data", "data/en"])
def test_class_names_stand_in_the_card_of_a_hugging_face_folder(tmp_path: Path, depth: str) -> None:
    put(tmp_path / "hub" / "README.md", CARD.encode())
    (tmp_path / "hub" / depth).mkdir(parents=True, exist_ok=True)
    table = pa.table({"image": STRUCTS[:2], "label": [1, 7], "tags": [[0, 1], None]})
    pq.write_table(table, tmp_path / "hub" / depth / "train-00000-of-00001.parquet")
    occurrences, _ = found(tmp_path / "hub")
    assert [o.hints for o in occurrences.values()] == [{"label": "dog", "labels": ["soft", "brown"]}, {"label": "7"}]


@pytest.mark.parametrize(
    "card", ["", "---\n: [\n---\n", "---\ndataset_info: 3\n---\n", "no head", "---\ndataset_info: {features: [1]}\n---"]
)
def test_a_card_that_tells_nothing_harms_nothing(tmp_path: Path, card: str) -> None:
    put(tmp_path / "README.md", card.encode())
    pq.write_table(pa.table({"image": GIFS[:1], "label": [1]}), tmp_path / "t.parquet")
    assert [o.hints for o in found(tmp_path)[0].values()] == [{"label": "1"}]


def test_a_stream_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    as_stream(pa.table({"image": GIFS}), tmp_path / "t.arrow")
    whole = (tmp_path / "t.arrow").read_bytes()
    (tmp_path / "t.arrow").write_bytes(whole[: len(whole) * 2 // 3])
    occurrences, _ = found(tmp_path)
    good = [o.payload for o in occurrences.values() if o.refusal is None]
    assert 0 < len(good) < 7
    assert good == GIFS[: len(good)]
    assert [o.refusal.reason for o in occurrences.values() if o.refusal] == ["corrupt_container"]


@pytest.mark.parametrize("payload", [b"", b"ARROW1", b"ARROW1\0\0 and nothing else", b"FEA1....", b"\xff\xff\xff\xff\x10\0\0\0"])
def test_what_is_no_arrow_file_is_refused(tmp_path: Path, payload: bytes) -> None:
    put(tmp_path / "t.feather", payload)
    occurrences, _ = found(tmp_path)
    assert [o.refusal.reason for o in occurrences.values() if o.refusal] == ["corrupt_container"]


def test_a_row_that_only_names_its_file_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [{"bytes": None, "path": "a.jpg"}, {"bytes": GIF, "path": None}]}), tmp_path / "t.parquet")
    first, second = found(tmp_path)[0].values()
    assert first.refusal is not None
    assert "only the path 'a.jpg'" in first.refusal.message
    assert second.payload == GIF


def test_a_parquet_table_of_file_names_is_an_annotation(tmp_path: Path) -> None:
    pq.write_table(pa.table({"file_name": ["a.jpg"], "label": ["cat"]}), tmp_path / "metadata.parquet")
    assert found(tmp_path)[1] == {f"{tmp_path.name}/metadata.parquet": "annotation"}


def test_of_a_delta_table_the_newest_version_is_read(tmp_path: Path) -> None:
    root = tmp_path / "raw" / "lake"
    write_deltalake(root, pa.table({"image": GIFS[:3], "k": [0, 1, 2]}))
    write_deltalake(root, pa.table({"image": GIFS[3:], "k": [3, 4, 5, 6]}), mode="append")
    DeltaTable(root).delete("k < 2")
    pq.write_table(pa.table({"image": [GIF], "k": [9]}), root / "stray.parquet")
    put(tmp_path / "raw" / "a.gif")
    assert sorted(payload or b"" for payload in payloads(tmp_path / "raw")) == sorted([GIF, *GIFS[2:]])


def test_a_delta_table_whose_log_is_broken_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "lake" / "_delta_log" / "00000000000000000000.json", b"{broken")
    pq.write_table(pa.table({"image": [GIF]}), tmp_path / "lake" / "part.parquet")
    occurrences, _ = found(tmp_path)
    assert [o.refusal.reason for o in occurrences.values() if o.refusal] == ["corrupt_container"]


def test_class_names_of_lists_are_read_from_the_table_itself(tmp_path: Path) -> None:
    label: dict[str, Any] = {"names": ["a", "b"], "_type": "ClassLabel"}
    features = {"tags": {"feature": label, "_type": "List"}, "classes": [label]}
    table = pa.table({"image": GIFS[:1], "tags": [[1, 0]], "label": [True]})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    (only,) = found(tmp_path)[0].values()
    assert only.hints == {"label": "True", "labels": ["b", "a"]}


BOXES = {"bbox": [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], "category": [1, 0], "area": [12.0, 56.0]}
FOUND = [
    {"x_px": 1.0, "y_px": 2.0, "width_px": 3.0, "height_px": 4.0, "label": "dog"},
    {"x_px": 5.0, "y_px": 6.0, "width_px": 7.0, "height_px": 8.0, "label": "cat"},
]
CLASSES: dict[str, Any] = {"names": ["cat", "dog"], "_type": "ClassLabel"}


@pytest.mark.parametrize("is_card", [False, True])
@pytest.mark.parametrize("as_list", [False, True])
def test_boxes_of_a_hugging_face_table_are_boxes(tmp_path: Path, is_card: bool, as_list: bool) -> None:
    cell: Any = [dict(zip(BOXES, values, strict=True)) for values in zip(*BOXES.values(), strict=True)] if as_list else BOXES
    empty: Any = [] if as_list else {"bbox": [], "category": [], "area": []}
    table = pa.table({"image": GIFS[:2], "objects": pa.array([cell, empty])})
    if is_card:
        card = "---\ndataset_info:\n  features:\n  - name: objects\n    sequence:\n    - name: category\n      dtype:\n"
        put(tmp_path / "README.md", f"{card}        class_label:\n          names: {{'0': cat, '1': dog}}\n---\n".encode())
    else:
        nested: dict[str, Any] = {"bbox": {"_type": "List"}, "category": {"feature": CLASSES, "_type": "List"}}
        features = {"objects": [{"category": CLASSES}] if as_list else nested}
        table = table.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": features}}).encode()})
    pq.write_table(table, tmp_path / "t.parquet")
    first, second = found(tmp_path)[0].values()
    assert first.hints == {"boxes": FOUND, "labels": ["cat", "dog"], "metadata": {"objects": '{"area": [12.0, 56.0]}'}}
    assert second.hints == {}


@pytest.mark.parametrize(
    "cell",
    [
        {"bbox": [[1.0, 2.0, 3.0]], "category": [0]},
        {"bbox": [[0.1, 0.2, 0.3, 0.4]], "category": [0]},
        {"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [0, 1]},
        {"bbox": [[1.0, 2.0, float("nan"), 4.0]], "category": [0]},
    ],
)
def test_what_are_no_boxes_in_pixels_stays_as_it_was_written(tmp_path: Path, cell: dict[str, Any]) -> None:
    pq.write_table(pa.table({"image": GIFS[:1], "objects": pa.array([cell])}), tmp_path / "t.parquet")
    (only,) = found(tmp_path)[0].values()
    assert set(only.hints) == {"metadata"}
    assert str(cell["bbox"]).replace("nan", "NaN") in only.hints["metadata"]["objects"]


def test_nested_columns_are_metadata_and_columns_of_bytes_are_listed_as_not_read(tmp_path: Path) -> None:
    columns = {
        "image": STRUCTS[:1],
        "conditioning_image": STRUCTS[1:2],
        "frames": [GIFS[:2]],
        "points": [[[1, 2], [3, 4]]],
        "vector": [[0.123456789] * 2_000],
        "nothing": pa.array([[]], pa.list_(pa.int64())),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    occurrences, others = found(tmp_path)
    (only,) = occurrences.values()
    vector = "(not kept: a list of 2000 in 26000 letters)"
    assert only.hints == {"metadata": {"points": "[[1, 2], [3, 4]]", "vector": vector}}
    key = f"{tmp_path.name}/t.parquet"
    assert others == {key: "container", f"{key}#conditioning_image": COLUMN, f"{key}#frames": COLUMN}

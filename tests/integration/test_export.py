"""Exports, each read back by the library whose format it is, and equal image for image."""

from __future__ import annotations

import io
import itertools
import json
import struct
import tarfile

import polars as pl
import pyarrow as pa
import pytest
import webdataset
from conftest import tonnage
from dataset_rows import catalog_rows, image_rows
from datasets import load_dataset
from PIL import Image

import toolkit
from toolkit.dataset.export import FORMS
from toolkit.dataset.schema import IMAGES_SCHEMA
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore
from toolkit.errors import UsageError

BUFFER = io.BytesIO()
Image.new("L", (40, 30), 3).save(BUFFER, "PNG")
MASK = BUFFER.getvalue()

pytestmark = [  # the readers of webdataset and datasets leave files open
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def dataset(sample_dataset):
    return toolkit.open_dataset(sample_dataset)


@pytest.fixture(scope="module")
def images(dataset):
    """Every image of the dataset by its id, with its facts."""
    return {row["image_id"]: row for row in dataset.scan("images").collect().to_dicts()}


def of_split(images, split):
    return {image_id: row for image_id, row in images.items() if row["split"] == split}


def test_webdataset_reads_every_sample_back(dataset, images, tmp_path):
    report = toolkit.export(dataset, tmp_path / "out", "webdataset", shard_bytes=500_000)
    assert report.image_count == len(images)
    classes = json.loads((tmp_path / "out" / "classes.json").read_text())
    shards = sorted(str(path) for path in (tmp_path / "out").glob("train-*.tar"))
    assert len(shards) > 3
    seen = {}
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        facts = json.loads(sample["json"])
        row = images[sample["__key__"]]
        payload = next(
            value for name, value in sample.items() if name not in {"json", "cls", "txt", "seg.png"} and name[0] != "_"
        )
        assert payload == row["image"]["bytes"]
        assert (facts["width_px"], facts.get("label"), facts.get("boxes", [])) == (
            row["width_px"],
            row["label"],
            row["boxes"] or [],
        )
        assert (sample.get("cls") is None) == (row["label"] is None)
        if row["label"] is not None:
            assert classes[int(sample["cls"])] == row["label"]
        if row["captions"]:
            assert sample["txt"].decode().split("\n") == row["captions"]
        seen[sample["__key__"]] = sample
    assert set(seen) == set(of_split(images, "train"))
    index = json.loads((tmp_path / "out" / "train.json").read_text())
    assert [(tmp_path / "out" / entry["url"]).stat().st_size for entry in index["shardlist"]] == [
        entry["filesize"] for entry in index["shardlist"]
    ]
    assert sum(entry["nsamples"] for entry in index["shardlist"]) == len(seen)

    toolkit.export(dataset, tmp_path / "again", "webdataset", shard_bytes=500_000)
    for path in sorted((tmp_path / "out").iterdir()):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    for shard in shards:
        with tarfile.open(shard) as tar:
            assert sum(member.size for member in tar) < 500_000 or len(tar.getmembers()) <= 5


def test_imagefolder_is_read_by_hugging_face_datasets(dataset, images, tmp_path):
    toolkit.export(dataset, tmp_path / "out", "imagefolder", where="format IN ('jpeg', 'png', 'gif', 'bmp', 'webp')")
    loaded = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    for split in ("train", "validation", "test"):
        rows = {row["image_id"]: row for row in loaded[split]}
        kept = {k: row for k, row in of_split(images, split).items() if row["format"] in {"jpeg", "png", "gif", "bmp", "webp"}}
        assert set(rows) == set(kept)
        for image_id, row in kept.items():
            assert rows[image_id]["label"] == row["label"]
            assert rows[image_id]["captions"] == (row["captions"] or [])
            assert [box["label"] for box in row["boxes"] or []] == rows[image_id]["objects"]["categories"]
            assert rows[image_id]["image"].size == (row["width_px"], row["height_px"]), "turned by its EXIF, as we say it is"
    for path in (tmp_path / "out").rglob("*.jpg"):
        assert path.read_bytes() == images[path.stem]["image"]["bytes"]


def test_plain_files_have_a_manifest_with_every_fact(dataset, images, tmp_path):
    report = toolkit.export(dataset, tmp_path / "out", "files", split="test")
    manifest = pl.read_parquet(tmp_path / "out" / "manifest.parquet")
    assert set(manifest["image_id"]) == set(of_split(images, "test"))
    assert report.file_count == len(manifest) + 1
    for row in manifest.iter_rows(named=True):
        assert (tmp_path / "out" / row["file_name"]).read_bytes() == images[row["image_id"]]["image"]["bytes"]
        assert {name: row[name] for name in ("label", "source", "sharpness_score")} == {
            name: images[row["image_id"]][name] for name in ("label", "source", "sharpness_score")
        }


def test_arrow_is_mapped_by_arrow_and_decoded_by_datasets(dataset, images, tmp_path):
    toolkit.export(dataset, tmp_path / "out", "arrow", shard_bytes=1_000_000)
    tables = [pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in sorted((tmp_path / "out").glob("*.arrow"))]
    assert len(tables) > 3
    rows = {row["image_id"]: row for table in tables for row in table.to_pylist()}
    assert {image_id: row["image"]["bytes"] for image_id, row in rows.items()} == {
        image_id: row["image"]["bytes"] for image_id, row in images.items()
    }
    loaded = load_dataset("arrow", data_files=str(tmp_path / "out" / "test-*.arrow"), cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded[0]["image"].size == (images[loaded[0]["image_id"]]["width_px"], images[loaded[0]["image_id"]]["height_px"])


def read_mds(path):
    """Yield the samples of a shard as its description has them, without the library (which needs PyTorch)."""
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data)
    offsets = struct.unpack_from(f"<{count + 1}I", data, 4)
    assert offsets[-1] == len(data)
    configuration = json.loads(data[4 * (count + 2) : offsets[0]])
    names = configuration["column_names"]
    assert names == sorted(names)
    for start, stop in itertools.pairwise(offsets):
        sizes = struct.unpack_from(f"<{len(names)}I", data, start)
        values, place = {}, start + 4 * len(names)
        for name, size in zip(names, sizes, strict=True):
            values[name], place = data[place : place + size], place + size
        assert place == stop
        yield values


def test_mds_holds_every_sample_where_its_index_says(dataset, images, tmp_path):
    toolkit.export(dataset, tmp_path / "out", "mds", shard_bytes=500_000)
    index = json.loads((tmp_path / "out" / "train" / "index.json").read_text())
    seen = {}
    for shard in index["shards"]:
        path = tmp_path / "out" / "train" / shard["raw_data"]["basename"]
        samples = list(read_mds(path))
        assert (len(samples), path.stat().st_size) == (shard["samples"], shard["raw_data"]["bytes"])
        assert path.stat().st_size <= 500_000 or len(samples) == 1
        seen |= {sample["image_id"].decode(): sample for sample in samples}
    assert len(index["shards"]) > 3
    train = of_split(images, "train")
    assert {image_id: sample["image"] for image_id, sample in seen.items()} == {
        k: row["image"]["bytes"] for k, row in train.items()
    }
    assert {image_id: sample["label"].decode() or None for image_id, sample in seen.items()} == {
        k: row["label"] for k, row in train.items()
    }


@pytest.mark.parametrize("form", FORMS)
def test_every_format_takes_a_condition_and_says_what_it_wrote(dataset, images, tmp_path, form):
    report = toolkit.export(dataset, tmp_path / "out", form, where="label = 'hat' AND width_px > 0", split="train")
    chosen = [row for row in of_split(images, "train").values() if row["label"] == "hat"]
    assert (report.image_count, report.image_bytes) == (len(chosen), sum(row["size_bytes"] for row in chosen))
    assert json.loads((tmp_path / "out" / "export.json").read_text())["version"] == dataset.version
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "zip"}, "'zip' is not a format; the formats are webdataset, mds"),
        ({"split": "trian"}, "'trian' is not a split"),
        ({"where": "labl = 'x'"}, "cannot be asked of the images"),
        ({"where": "label = "}, "is no condition"),
        ({"where": "count(*) > 1"}, "looks at several rows at once"),
        ({"where": "label = 'none such'"}, "nothing was exported"),
        ({"shard_bytes": 2**33}, "a shard must have"),
        ({"version": 9}, "has no version 9"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(dataset, tmp_path, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        toolkit.export(dataset, tmp_path / "out", **({"form": "files"} | options))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_taken_is_left_alone(dataset, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for place, message in (
        (tmp_path, "is there already"),
        (tmp_path / "mine.txt", "is there already"),
        (dataset.location.path / "x", "in the dataset itself"),
    ):
        with pytest.raises(UsageError, match=message):
            toolkit.export(dataset, place, "files")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_export_that_dies_leaves_nothing(dataset, tmp_path, monkeypatch):
    def dying(selection, folder, shard_bytes):
        (folder / "half.tar").write_bytes(b"half")
        yield 1, 4
        raise KeyboardInterrupt

    monkeypatch.setitem(FORMS, "webdataset", dying)
    with pytest.raises(KeyboardInterrupt):
        toolkit.export(dataset, tmp_path / "out", "webdataset")
    assert list(tmp_path.iterdir()) == []


def test_the_command_exports(dataset, tmp_path):
    done = tonnage("export", dataset.location, tmp_path / "out", "--as", "webdataset", "--split", "test", "--quiet")
    assert done.code == 0, done.err
    assert "images" in done.out
    assert tonnage("export", dataset.location, tmp_path / "out", "--as", "webdataset").code == 2


@pytest.fixture
def repeated(tmp_path):
    """A dataset whose recipe keeps exact copies: four images, two of which have the same bytes."""
    rows = image_rows(range(3))
    twin = rows.slice(1, 1).set_column(rows.schema.get_field_index("source"), "source", pa.array(["s/again.jpg"]))
    images = pa.concat_tables([rows, twin])
    store = DatasetStore(tmp_path / "repeated")
    shard = write_shard(store.images_path / "train-one.parquet", [images])
    recipe = {"exact_duplicates": False}
    store.commit(BatchCommit(batch="one", shards=[shard], catalog=[catalog_rows(images)], recipe=recipe))
    return toolkit.open_dataset(tmp_path / "repeated")


@pytest.mark.parametrize("form", ["webdataset", "files", "imagefolder"])
def test_images_of_the_same_bytes_are_handed_on_under_names_of_their_own(repeated, tmp_path, form):
    report = toolkit.export(repeated, tmp_path / "out", form)
    twice = repeated.scan("images").filter(pl.col("source") == "s/again.jpg").collect()["image_id"][0]
    if form == "webdataset":
        (shard,) = (tmp_path / "out").glob("*.tar")
        names = [sample["__key__"] for sample in webdataset.WebDataset(str(shard), shardshuffle=False)]
    else:
        names = [path.stem for path in (tmp_path / "out").rglob("*.jpg")]
    assert report.image_count == len(names) == len(set(names)) == 4
    assert [name for name in sorted(names) if name.startswith(twice)] == [twice, f"{twice}-1"]
    if form == "files":
        manifest = pl.read_parquet(tmp_path / "out" / "manifest.parquet")
        assert manifest["file_name"].n_unique() == 4
        assert report.file_count == 5
    if form == "imagefolder":
        loaded = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
        assert sorted(loaded["source"]) == ["s/0.jpg", "s/1.jpg", "s/2.jpg", "s/again.jpg"]


@pytest.fixture
def annotated(tmp_path):
    """Four images: one with a mask, labels and a box, one that says something under odd keys, two without anything."""
    rows = image_rows(range(4)).to_pylist()
    nothing = {"label": None, "metadata": None}
    mask = {"bytes": MASK, "path": "mask.png"}
    box = {"x_px": 1.0, "y_px": 2.0, "width_px": 3.0, "height_px": 4.0, "label": "cat"}
    rows[0] |= {"mask": mask, "mask_source": "s/0_mask.png", "labels": ["cat", "dog"], "label": "cat", "boxes": [box]}
    rows[0] |= {"captions": ["a cat; and a dog"], "metadata": [{"key": "patient", "value": "7"}], "licence": "CC0"}
    rows[1] |= nothing | {"metadata": [{"key": "label", "value": "x"}, {"key": "old_file_name", "value": "y.jpg"}]}
    rows[2] |= nothing | {"split": "test"}
    rows[3] |= nothing | {"split": "test"}
    store = DatasetStore(tmp_path / "annotated")
    images = [pa.Table.from_pylist(part, schema=IMAGES_SCHEMA) for part in (rows[:2], rows[2:])]
    shards = [write_shard(store.images_path / f"{name}-one.parquet", [images[at]]) for at, name in enumerate(("train", "test"))]
    store.commit(BatchCommit(batch="one", shards=shards, catalog=[catalog_rows(pa.concat_tables(images))]))
    return toolkit.open_dataset(tmp_path / "annotated")


def test_imagefolder_tells_hugging_face_all_that_is_known_also_where_a_split_has_none_of_it(annotated, tmp_path):
    toolkit.export(annotated, tmp_path / "out", "imagefolder")
    loaded = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    rows = {row["source"]: row for split in ("train", "test") for row in loaded[split]}
    first, second = rows["s/0.jpg"], rows["s/1.jpg"]
    assert (first["label"], first["labels"], first["captions"]) == ("cat", ["cat", "dog"], ["a cat; and a dog"])
    assert first["objects"] == {"bbox": [[1.0, 2.0, 3.0, 4.0]], "categories": ["cat"]}
    assert (first["patient"], first["licence"]) == ("7", "CC0")
    assert (first["mask"].size, second["mask"]) == ((40, 30), None)
    assert (second["label"], second["label_"], second["old_file_name_"]) == (None, "x", "y.jpg")
    assert len(rows) == 4


@pytest.mark.parametrize("form", ["files", "mds", "webdataset", "arrow"])
def test_masks_go_with_their_images(annotated, tmp_path, form):
    toolkit.export(annotated, tmp_path / "out", form, split="train")
    if form == "files":
        manifest = pl.read_parquet(tmp_path / "out" / "manifest.parquet").sort("source")
        found = [name and (tmp_path / "out" / name).read_bytes() for name in manifest["mask_file_name"]]
    elif form == "mds":
        samples = sorted(
            read_mds(tmp_path / "out" / "train" / "shard.00000.mds"), key=lambda sample: json.loads(sample["facts"])["source"]
        )
        found = [sample["mask"] or None for sample in samples]
    elif form == "webdataset":
        samples = webdataset.WebDataset(str(tmp_path / "out" / "train-000000.tar"), shardshuffle=False)
        found = [sample.get("seg.png") for sample in sorted(samples, key=lambda sample: json.loads(sample["json"])["source"])]
    else:
        table = pa.ipc.open_file(pa.memory_map(str(tmp_path / "out" / "train-00000.arrow"))).read_all()
        found = [row["mask"] and row["mask"]["bytes"] for row in table.sort_by("source").to_pylist()]
    assert found == [MASK, None]

"""Kinds of input from end to end: real files of each kind, written as people's tools write them, to rows of a dataset."""

import io
import json
import shutil
import tarfile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app
from toolkit.dataset.labels import label_report
from toolkit.engine import engine
from toolkit.errors import UsageError


@pytest.fixture(scope="module")
def client():
    with engine(workers=1) as running:
        yield running.client


def photo(seed, size=(96, 64)):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def jpeg(seed, *, orientation=1):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    photo(seed).save(file, "jpeg", quality=90, exif=exif)
    return file.getvalue()


def put(path, payload):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload if isinstance(payload, bytes) else payload.encode())


def rows(dataset, table="catalog"):
    return {row["source"]: row for row in dataset.scan(table).collect().iter_rows(named=True)}


def shapes(row):
    return [(round(b["x_px"]), round(b["y_px"]), round(b["width_px"]), round(b["height_px"]), b["label"]) for b in row["boxes"]]


def detection_folder(root):
    """A folder with YOLO and VOC side by side, as Ultralytics and the VOC development kit lay them out."""
    put(root / "yolo" / "data.yaml", "names: {0: cat, 1: dog}\ntrain: images/train\nval: images/val\n")
    put(root / "yolo" / "images" / "train" / "a.jpg", jpeg(1))
    put(root / "yolo" / "labels" / "train" / "a.txt", "0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.5 0.5\n")
    put(root / "yolo" / "images" / "val" / "b.jpg", jpeg(2, orientation=6))
    put(root / "yolo" / "labels" / "val" / "b.txt", "1 0.5 0.25 1 0.5\n")
    put(root / "yolo" / "labels" / "val" / "gone.txt", "1 0.5 0.25 1 0.5\n")
    put(root / "yolo" / "labels" / "val" / "damaged.txt", "1 0.5 0.25 1 0.5\nx\n")
    put(root / "yolo" / "images" / "val" / "plain.jpg", jpeg(3))
    box = "<object><name>bird</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>48</xmax><ymax>32</ymax></bndbox></object>"
    size = "<size><width>96</width><height>64</height><depth>3</depth></size>"
    put(root / "voc" / "JPEGImages" / "c.jpg", jpeg(4, orientation=3))
    put(root / "voc" / "Annotations" / "c.xml", f"<annotation><filename>other.jpg</filename>{size}{box}</annotation>")


@pytest.fixture(scope="module")
def detection(client, tmp_path_factory):
    place = tmp_path_factory.mktemp("detection")
    detection_folder(place / "raw")
    return toolkit.curate(place / "raw", place / "dataset", scheduler=client)


def test_boxes_of_yolo_and_voc_are_in_pixels_of_the_display(detection):
    found = rows(detection)
    assert shapes(found["raw/yolo/images/train/a.jpg"]) == [(24, 16, 48, 32, "cat"), (0, 0, 48, 32, "dog")]
    turned = found["raw/yolo/images/val/b.jpg"]
    assert (turned["width_px"], turned["height_px"]) == (64, 96)
    assert shapes(turned) == [(0, 0, 64, 48, "dog")]
    assert turned["label"] == "dog"
    assert shapes(found["raw/voc/JPEGImages/c.jpg"]) == [(48, 32, 48, 32, "bird")]


def test_folders_of_splits_are_no_classes_and_their_names_are_kept(detection):
    found = rows(detection)
    assert found["raw/yolo/images/val/plain.jpg"]["labels"] is None
    assert found["raw/yolo/images/val/plain.jpg"]["metadata"] == [{"key": "source_split", "value": "validation"}]
    assert found["raw/yolo/images/train/a.jpg"]["metadata"] == [{"key": "source_split", "value": "train"}]
    assert found["raw/voc/JPEGImages/c.jpg"]["metadata"] is None


def test_an_image_folder_that_was_exported_comes_back_with_its_boxes(detection, client, tmp_path):
    toolkit.export(detection, tmp_path / "out", "imagefolder")
    back = toolkit.curate(tmp_path / "out", tmp_path / "dataset", scheduler=client)
    said = ("image_id", "label", "labels", "boxes", "captions")
    first, second = (dataset.scan("images").select(said).collect().sort("image_id") for dataset in (detection, back))
    assert second.equals(first)


def test_columns_of_bytes_that_are_not_read_are_listed(client, tmp_path):
    table = pa.table({"image": [jpeg(1)], "depth": [jpeg(2)], "objects": [{"bbox": [[1, 2, 3, 4]], "category": ["cat"]}]})
    put(tmp_path / "raw" / "t.parquet", b"")
    pq.write_table(table, tmp_path / "raw" / "t.parquet")
    dataset = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    assert dataset.findings("unmatched").drop("batch").rows() == [("unread_column", "raw/t.parquet", "depth", "table")]
    assert dict(dataset.state.other_files) == {"container": 1}
    assert dataset.state.curation["unread_column_count"] == 1
    assert "hold bytes that were not read" in (tmp_path / "dataset" / "README.md").read_text()
    assert shapes(rows(dataset)["raw/t.parquet#0"]) == [(1, 2, 3, 4, "cat")]


def test_what_found_no_partner_is_listed_by_name(detection, client):
    listed = detection.findings("unmatched").select("problem", "file", "target", "kind").sort("problem").rows()
    assert listed == [
        ("no_annotation", None, "raw/yolo/images/val/plain.jpg", None),
        ("no_image", "raw/yolo/labels/val/gone.txt", "raw/yolo/labels/val/gone", "yolo"),
        ("unread", "raw/yolo/labels/val/damaged.txt", None, None),
    ]
    facts = detection.state.curation
    names = ("unmatched_annotation_count", "unannotated_image_count", "unread_annotation_count", "label_conflict_count")
    assert [facts[name] for name in names] == [1, 1, 1, 0]
    with pytest.raises(UsageError, match="unmatched, conflicts"):
        detection.findings("nothing")


def test_a_later_batch_does_not_miss_the_images_of_earlier_ones(client, tmp_path):
    detection_folder(tmp_path / "raw")
    put(tmp_path / "raw" / "labels.csv", "file_name,label\nvoc/JPEGImages/c.jpg,bird\nb.jpg,dog\nlater.jpg,cat\n")
    first = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    assert first.state.curation["unmatched_annotation_count"] == 2
    put(tmp_path / "raw" / "later.jpg", jpeg(9))
    put(tmp_path / "raw" / "yolo" / "images" / "val" / "plain.txt", "A caption that comes too late.")
    second = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    assert second.state.curation["unmatched_annotation_count"] == 1
    assert second.state.curation["unread_annotation_count"] == 0
    assert rows(second)["raw/later.jpg"]["label"] == "cat"
    assert second.state.curation["late_annotation_count"] == 1
    late = second.findings("unmatched").filter(pl.col("problem") == "late")
    assert late.select("file", "target").rows() == [("raw/yolo/images/val/plain.txt", "raw/yolo/images/val/plain")]
    lists = second.findings("unmatched")
    assert lists.filter(pl.col("problem") == "no_image")["batch"].n_unique() == 2
    assert toolkit.open_dataset(tmp_path / "dataset", version=first.version).findings("unmatched")["batch"].n_unique() == 1


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_samples_of_a_webdataset_bring_their_labels_captions_and_metadata(client, tmp_path, suffix):
    path = tmp_path / f"shard-000000.{suffix}"
    with webdataset.TarWriter(str(path)) as writer:
        for number in range(3):
            document = {"url": f"https://example.org/{number}", "caption": f"Number {number}."}
            writer.write(
                {"__key__": f"{number:05d}", "jpg": jpeg(number), "json": document, "cls": number, "txt": f"Number {number}."}
            )
        writer.write({"__key__": "pair", "left.jpg": jpeg(10), "right.jpg": jpeg(11), "txt": "Both eyes."})
    with tarfile.open(tmp_path / "interleaved.tar", "w") as tar:
        for name, payload in [("v1.0.txt", b"One."), ("v1.1.txt", b"Two."), ("v1.1.jpg", jpeg(21)), ("v1.0.jpg", jpeg(20))]:
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            tar.addfile(info, io.BytesIO(payload))
    dataset = toolkit.curate([path, tmp_path / "interleaved.tar"], tmp_path / "dataset", scheduler=client)
    found = {source.partition("!")[2]: row for source, row in rows(dataset, "images").items()}
    assert found["00001.jpg"]["label"] == "1"
    assert found["00001.jpg"]["captions"] == ["Number 1."]
    assert {"key": "url", "value": "https://example.org/1"} in found["00001.jpg"]["metadata"]
    assert found["pair.left.jpg"]["captions"] == found["pair.right.jpg"]["captions"] == ["Both eyes."]
    assert (found["v1.0.jpg"]["captions"], found["v1.1.jpg"]["captions"]) == (["One."], ["Two."])
    assert dataset.findings("unmatched").is_empty()
    assert dict(dataset.state.other_files)["annotation"] == 12


def test_copies_with_other_labels_are_listed_and_the_kept_images_word_holds(client, tmp_path):
    put(tmp_path / "raw" / "cat" / "a.jpg", jpeg(1))
    put(tmp_path / "raw" / "dog" / "b.jpg", jpeg(1))
    put(tmp_path / "raw" / "dog" / "c.jpg", jpeg(2))
    first = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    (conflict,) = first.findings("conflicts").to_dicts()
    kept = rows(first, "images")
    assert {conflict["kept_label"], conflict["label"]} == {"cat", "dog"}
    assert next(row["label"] for row in kept.values() if row["image_id"] == conflict["image_id"]) == conflict["kept_label"]
    put(tmp_path / "more" / "bird" / "d.jpg", jpeg(2))
    put(tmp_path / "more" / "cat" / "e.jpg", jpeg(5))
    second = toolkit.curate(tmp_path / "more", tmp_path / "dataset", scheduler=client)
    assert second.findings("conflicts")["source"].to_list()[1:] == ["more/bird/d.jpg"]
    assert second.state.curation["label_conflict_count"] == 1


def test_a_dataset_is_a_source_with_all_that_it_says_and_only_its_newest_version(detection, client, tmp_path):
    shutil.copytree(detection.location.path, tmp_path / "first")
    put(tmp_path / "raw" / "broken.jpg", b"\xff\xd8\xff broken")
    toolkit.curate(tmp_path / "raw", tmp_path / "first", scheduler=client)
    shutil.copy(next((tmp_path / "first" / "images").glob("*.parquet")), tmp_path / "first" / "images" / "stray.parquet")
    again = toolkit.curate(tmp_path / "first", tmp_path / "second", scheduler=client)
    before, after = (frame.collect().sort("image_id") for frame in (detection.scan("images"), again.scan("images")))
    same = ["image_id", "sha256", "label", "labels", "captions", "boxes", "licence", "width_px"]
    assert after.select(same).equals(before.select(same), null_equal=True)
    assert len(rows(again)) == len(before)
    told = [{pair["key"]: pair["value"] for pair in metadata} for metadata in after["metadata"]]
    assert [each["source_origin"] for each in told] == before["source"].to_list()


def test_a_saved_hugging_face_dataset_gives_its_labels(client, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["yak", "dog", "cat"])})
    saved = datasets.Dataset.from_dict(
        {"image": [{"bytes": jpeg(i), "path": None} for i in range(3)], "label": [2, 1, None]}, features
    )
    datasets.DatasetDict({"train": saved}).save_to_disk(tmp_path / "hf")
    dataset = toolkit.curate(tmp_path / "hf", tmp_path / "dataset", scheduler=client)
    found = rows(dataset)
    assert [row["label"] for row in found.values()] == ["cat", "dog", None]
    empty = dataset.findings("unmatched").select("problem", "target", "kind").rows()
    assert empty == [("empty_class", "yak", "table")]  # a table of its own says what it says
    assert label_report(dataset).empty.rows() == [("yak", 0)]
    declared = dataset.findings("classes").select("column", "number", "label").rows()
    assert declared == [("label", 0, "yak"), ("label", 1, "dog"), ("label", 2, "cat")]
    assert toolkit.curate(tmp_path / "hf", tmp_path / "dataset", scheduler=client).findings("classes").height == 3
    assert found["hf/train/data-00000-of-00001.arrow#0"]["metadata"] == [{"key": "source_split", "value": "train"}]


def test_many_annotation_files_are_read_on_the_workers(client, tmp_path):
    names = [f"{number:03d}" for number in range(300)]
    put(tmp_path / "raw" / "000.jpg", jpeg(0))
    for name in names:
        document = json.dumps({"caption": name})
        put(tmp_path / "raw" / f"{name}.json", document[:-1] if name == "007" else document)
    dataset = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    assert rows(dataset)["raw/000.jpg"]["captions"] == ["000"]
    problems = dict(dataset.findings("unmatched")["problem"].value_counts().iter_rows())
    assert problems == {"no_image": 298, "unread": 1}


def png(pixels, mode=None):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, "png")
    return file.getvalue()


def classes(width=96, height=64):
    """Class numbers: a mask that no turn or flip leaves as it is."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[: height // 4, : width // 2] = 7
    mask[height // 2 :, : width // 8] = 3
    return mask


def masks_folder(root):
    """Masks as VOC, Carvana and plain neighbours have them, one of another size, one damaged, one without its image."""
    put(root / "voc" / "JPEGImages" / "a.jpg", jpeg(1, orientation=6))
    put(root / "voc" / "SegmentationClass" / "a.png", png(classes()))
    put(root / "car" / "images" / "b.jpg", jpeg(2))
    put(root / "car" / "masks" / "b_mask.png", png(classes()))
    put(root / "c.jpg", jpeg(3))
    put(root / "c_mask.png", png(classes(50, 50)))
    put(root / "d.jpg", jpeg(4))
    put(root / "d-mask.png", png(classes())[:80])
    put(root / "lonely_mask.png", png(classes()))
    with tarfile.open(root / "e.tar", "w") as tar:
        for name, payload in [("masks/e.png", png(classes())), ("images/e.jpg", jpeg(5, orientation=3))]:
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            tar.addfile(info, io.BytesIO(payload))


@pytest.fixture(scope="module")
def masked(client, tmp_path_factory):
    place = tmp_path_factory.mktemp("masked")
    masks_folder(place / "raw")
    return toolkit.curate(place / "raw", place / "dataset", scheduler=client)


def shown(row):
    return np.asarray(Image.open(io.BytesIO(row["mask"]["bytes"]), formats=["PNG"]))


def test_masks_are_kept_with_their_image_and_turned_as_it_is(masked):
    found = rows(masked, "images")
    assert sorted(found) == [
        f"raw/{name}"
        for name in ("c.jpg", "car/images/b.jpg", "d.jpg", "e.tar!images/e.jpg", "lonely_mask.png", "voc/JPEGImages/a.jpg")
    ]
    assert found["raw/car/images/b.jpg"]["mask"]["bytes"] == png(classes())
    assert np.array_equal(shown(found["raw/e.tar!images/e.jpg"]), np.rot90(classes(), 2))
    turned = found["raw/voc/JPEGImages/a.jpg"]
    assert np.array_equal(shown(turned), np.rot90(classes(), -1))
    assert turned["mask_source"] == "raw/voc/SegmentationClass/a.png"
    assert turned["mask"]["path"] == f"{turned['image_id']}.png"
    assert rows(masked)["raw/voc/JPEGImages/a.jpg"]["mask_source"] == "raw/voc/SegmentationClass/a.png"
    assert dict(masked.state.other_files)["mask"] == 5


def test_masks_that_do_not_fit_are_listed_and_not_attached(masked):
    found, kept = rows(masked), rows(masked, "images")
    for name in ("raw/c.jpg", "raw/d.jpg"):
        assert found[name]["mask_source"] is kept[name]["mask_source"] is kept[name]["mask"] is None
    listed = masked.findings("unmatched").filter(pl.col("kind") == "mask").sort("file")
    assert listed.select("problem", "file", "target").rows() == [
        ("mask_size", "raw/c_mask.png", "raw/c.jpg"),
        ("mask_unreadable", "raw/d-mask.png", "raw/d.jpg"),
    ]
    assert masked.state.curation["misfit_mask_count"] == 2


def test_findings_are_listed_on_the_command_line(masked, client, tmp_path):
    shown = CliRunner().invoke(app, ["findings", str(masked.location.path), "--limit", "1"]).stdout.splitlines()
    told = json.loads(CliRunner().invoke(app, ["findings", str(masked.location.path), "--json"]).stdout)
    assert told["count"] == len(told["findings"]) == masked.findings().height
    assert shown[0].split()[0] == told["findings"][0]["problem"]
    assert shown[1] == f"{told['count']} found, {told['count'] - 1} of them not shown (--limit 0 shows all)"
    put(tmp_path / "raw" / "cat" / "a.jpg", jpeg(1))
    put(tmp_path / "raw" / "dog" / "b.jpg", jpeg(1))
    toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    conflicts = CliRunner().invoke(app, ["findings", str(tmp_path / "dataset"), "conflicts"]).stdout
    assert "kept as" in conflicts
    assert conflicts.endswith("1 found\n")


def test_findings_of_many_batches_are_told_once_and_only_while_they_hold(client, tmp_path):
    document = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(3)],
        "annotations": [{"image_id": n, "category_id": 5 + n, "bbox": [1, 1, 9, 9]} for n in range(2)],
        "categories": [{"id": 5, "name": "first"}, {"id": 6, "name": "second"}, {"id": 7, "name": "never"}],
    }
    put(tmp_path / "raw" / "instances.json", json.dumps(document))
    told = []
    for number in range(2):
        put(tmp_path / "raw" / f"{number}.jpg", jpeg(number))
        dataset = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
        told.append(CliRunner().invoke(app, ["findings", str(tmp_path / "dataset")]).stdout.splitlines())
    begin = "raw/instances.json -> "
    assert told[0] == [
        f"no_image         {begin}raw/1.jpg  (coco)",
        f"no_image         {begin}raw/2.jpg  (coco)",
        f"empty_class      {begin}never  (coco)",
        f"empty_class      {begin}second  (coco)",
        "4 found",
    ]
    assert told[1] == [told[0][1], told[0][2], "2 found"]
    assert dataset.findings().height == 7  # of both batches, as each found it


def test_names_move_no_terminals_cursor(client, tmp_path):
    odd = "a\x1b[31m\nb"
    put(tmp_path / "raw" / "cat" / f"{odd}.jpg", jpeg(1))
    put(tmp_path / "raw" / "dog" / f"{odd}.jpg", jpeg(1))
    put(tmp_path / "raw" / "metadata.csv", f'file_name,label\n"{odd}gone.jpg",x\n')
    toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    put(tmp_path / "raw" / f"{odd}.jpg", jpeg(2))
    toolkit.curate(tmp_path / "raw", tmp_path / "dataset", scheduler=client)
    place = str(tmp_path / "dataset")
    for command in (
        ["diff", place, "0"], ["findings", place], ["findings", place, "conflicts"],
        ["remove", place, "--where", "source LIKE '%b%'", "--dry-run"],
    ):  # fmt: skip
        shown = CliRunner().invoke(app, command).stdout
        assert "\x1b" not in shown
        assert r"a\x1b[31m\nb" in shown, command


def test_masks_are_images_like_others_when_the_recipe_says_so_and_a_second_run_adds_nothing(masked, client, tmp_path):
    masks_folder(tmp_path / "raw")
    plain = toolkit.curate(tmp_path / "raw", tmp_path / "dataset", {"masks": "none"}, scheduler=client)
    assert len(rows(plain)) == 11
    assert plain.scan("images").select(pl.col("mask").is_not_null().any()).collect().item() is False
    assert toolkit.curate(masked.location.path.parent / "raw", masked.location, scheduler=client).version == masked.version


def test_masks_of_resized_images_are_resized_without_new_classes(client, tmp_path):
    masks_folder(tmp_path / "raw")
    recipe = {"keep": "resized", "resize": {"longest_px": 48, "quality": 90}}
    found = rows(toolkit.curate(tmp_path / "raw", tmp_path / "dataset", recipe, scheduler=client), "images")
    turned = shown(found["raw/voc/JPEGImages/a.jpg"])
    assert turned.shape == (48, 32)
    assert np.array_equal(turned, np.rot90(classes(), -1)[1::2, 1::2])


def test_masks_go_with_their_images_from_one_dataset_to_another(masked, client, tmp_path):
    again = rows(toolkit.curate(masked.location.path, tmp_path / "second", scheduler=client), "images")
    before = {row["image_id"]: row["mask"] for row in rows(masked, "images").values()}
    assert {row["image_id"]: row["mask"] for row in again.values()} == before
    assert sum(row["mask_source"] is not None for row in again.values()) == 3


def test_hugging_face_sees_a_mask_as_an_image(masked, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(
        "parquet", data_files=[str(path) for path in masked.shard_paths()], split="train", cache_dir=str(tmp_path)
    )
    sizes = {row["source"]: (row["mask"].size, row["image"].size) for row in loaded if row["mask"] is not None}
    assert sizes["raw/voc/JPEGImages/a.jpg"] == ((64, 96), (64, 96))
    assert len(sizes) == 3

"""The label report counts what is there, on datasets small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from dataset_rows import add_batch
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app
from toolkit.dataset.labels import label_report


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 images in train and 6 in test, of three classes in turn."""
    place = tmp_path_factory.mktemp("labelled")
    add_batch(place, "one", range(30))
    add_batch(place, "two", range(30, 37), split="test")
    return place


def test_classes_are_counted_by_split(dataset: Path) -> None:
    report = label_report(toolkit.open_dataset(dataset))
    assert report.classes.select("label", "image_count", "train_count", "test_count").rows() == [
        ("class 0", 13, 10, 3),
        ("class 1", 12, 10, 2),
        ("class 2", 12, 10, 2),
    ]
    assert (report.image_count, report.unlabelled_count, report.class_count) == (37, 0, 3)
    assert report.imbalance_ratio == pytest.approx(13 / 12)
    assert report.effective_class_count == pytest.approx(3, abs=0.01)
    assert report.rare.is_empty()


def test_the_spread_over_splits_is_compared_with_that_of_all_images(dataset: Path) -> None:
    deviations = label_report(toolkit.open_dataset(dataset)).deviations
    assert deviations.height == 6
    first = deviations.row(0, named=True)
    assert first["label"] == "class 0"
    assert abs(first["deviation_share"]) == pytest.approx(30 / 37 - 10 / 13)
    sums = deviations.group_by("label").agg(pl.col("deviation_share").sum())
    assert sums["deviation_share"].abs().max() == pytest.approx(0, abs=1e-12)


def test_a_class_of_few_images_is_rare(dataset: Path) -> None:
    report = label_report(toolkit.open_dataset(dataset, version=0))
    assert report.rare.is_empty()
    assert report.image_count == 30


def test_conflicts_unlabelled_images_and_rare_classes_of_a_curated_folder(tmp_path: Path) -> None:
    from dataset_rows import picture

    for number, name in enumerate(("cat/1.jpg", "cat/2.jpg", "dog/3.jpg")):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(picture(number))
    (tmp_path / "raw" / "dog" / "again.jpg").write_bytes(picture(0))
    dataset = toolkit.curate([tmp_path / "raw"], tmp_path / "dataset")
    report = label_report(dataset)
    assert report.classes.select("label", "image_count").rows() == [("cat", 2), ("dog", 1)]
    assert report.rare["label"].to_list() == ["cat", "dog"]
    assert report.deviations.is_empty()
    assert report.conflicts.select("kept_label", "label").rows() == [("cat", "dog")]
    card = (tmp_path / "dataset" / "README.md").read_text(encoding="utf-8")
    assert "The largest class has 2.0 times the images of the smallest" in card
    assert "2 classes have fewer than 10 images, 0 images have no label" in card
    bare = toolkit.curate([tmp_path / "raw"], tmp_path / "bare", recipe={"labels_from": "none"})
    without = label_report(bare)
    assert (without.class_count, without.unlabelled_count, without.imbalance_ratio) == (0, 3, None)


def test_classes_without_an_image_are_named(tmp_path: Path) -> None:
    from dataset_rows import picture

    raw = tmp_path / "raw"
    for place in ("a.jpg", "yolo/images/b.jpg", "c.jpg"):
        (raw / place).parent.mkdir(parents=True, exist_ok=True)
        (raw / place).write_bytes(picture(len(place)))
    (raw / "c.jpg").write_bytes(b"no image")
    categories = [{"id": number, "name": name} for number, name in enumerate(("bird", "zebra", "lost"))]
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "c.jpg"}],
        "annotations": [{"image_id": 1, "category_id": 0}, {"image_id": 2, "category_id": 2}],
        "categories": categories,
    }
    (raw / "coco.json").write_text(json.dumps(document))
    (raw / "yolo" / "labels").mkdir()
    (raw / "yolo" / "labels" / "b.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    (raw / "yolo" / "data.yaml").write_text("names: [cart, horse]\n")
    dataset = toolkit.curate(raw, tmp_path / "dataset", workers=1)
    report = label_report(dataset)
    assert report.classes["label"].to_list() == ["bird", "horse"]
    assert report.empty.select("label", "left_out_count").rows() == [("cart", 0), ("lost", 1), ("zebra", 0)]
    listed = dataset.findings("unmatched").filter(pl.col("problem") == "empty_class")
    assert listed.select("file", "target", "kind").sort("target").rows() == [
        ("raw/yolo/data.yaml", "cart", "yolo"),
        ("raw/coco.json", "zebra", "coco"),
    ]
    card = (tmp_path / "dataset" / "README.md").read_text(encoding="utf-8")
    assert "3 classes have no image: cart, lost, zebra." in card
    lines = CliRunner().invoke(app, ["labels", str(tmp_path / "dataset")]).output.splitlines()
    assert "3 classes have no image: cart, lost, zebra" in lines
    toolkit.remove(dataset, "label = 'bird'")
    assert label_report(toolkit.open_dataset(dataset.location)).empty["label"].to_list() == ["bird", "cart", "lost", "zebra"]


def test_the_command_tells_the_same(dataset: Path) -> None:
    answer = json.loads(CliRunner().invoke(app, ["labels", str(dataset), "--json"]).output)
    assert answer["class_count"] == 3
    assert answer["classes"][0]["image_count"] == 13
    lines = CliRunner().invoke(app, ["labels", str(dataset), "--limit", "1"]).output.splitlines()
    assert "13 class 0 (3 test, 10 train)" in lines[0]
    assert "2 of them not shown" in lines[1]

"""What comes in by a later version, from its source: with its mask, its boxes turned, out of a stream that is read once more."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from distributed import Client
from PIL import Image
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app
from toolkit.curation.describing import revision_notes
from toolkit.curation.sources import streams
from toolkit.dataset.reading import Dataset
from toolkit.dataset.verify import verify
from toolkit.engine import engine
from toolkit.errors import UsageError


@pytest.fixture(scope="module")
def client():
    with engine(workers=1) as running:
        yield running.client


def jpeg(seed: int, size: tuple[int, int] = (96, 64), orientation: int = 1) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 9, 3), np.uint8)
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def mask(width: int = 96, height: int = 64) -> bytes:
    pixels = np.zeros((height, width), np.uint8)
    pixels[: height // 4, : width // 2] = 7
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def put(path: Path, payload: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload.encode() if isinstance(payload, str) else payload)


def annotated(root: Path) -> None:
    """Two images with masks, one of them turned, one with a mask of another size; boxes in pixels and in shares; one small."""
    put(root / "images" / "a.jpg", jpeg(1, orientation=6))
    put(root / "masks" / "a.png", mask())
    put(root / "images" / "b.jpg", jpeg(2))
    put(root / "masks" / "b.png", mask(50, 50))
    put(root / "images" / "c.jpg", jpeg(3, orientation=8))
    put(root / "labels" / "c.txt", "0 0.5 0.25 0.2 0.1\n")
    put(root / "small.jpg", jpeg(4, (32, 24)))
    document = {
        "images": [{"id": 1, "file_name": "images/a.jpg", "width": 96, "height": 64}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 8]}],
        "categories": [{"id": 1, "name": "bird"}],
    }
    put(root / "coco.json", json.dumps(document))


def said(dataset: Dataset) -> dict[str, Any]:
    """Return what is said of each image, and its mask, by its source."""
    columns = ("source", "image_id", "label", "labels", "captions", "boxes", "metadata", "mask_source", "mask", "width_px")
    return {row["source"]: row for row in dataset.scan("images").select(columns).collect().to_dicts()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("annotated")
    annotated(place / "raw")
    return place


@pytest.fixture(scope="module")
def whole(sources: Path, client: Client) -> Dataset:
    return toolkit.curate(sources / "raw", sources / "whole", scheduler=client)


def check_masks(dataset: Dataset, whole: Dataset) -> None:
    assert said(dataset) == said(whole)
    assert said(dataset)["raw/images/a.jpg"]["mask"] is not None
    named = [
        d.scan("catalog").filter(pl.col("state") == "kept").select("source", "mask_source", "boxes").sort("source").collect()
        for d in (dataset, whole)
    ]
    assert named[0].to_dicts() == named[1].to_dicts()
    misfits = dataset.findings("unmatched").filter(pl.col("problem") == "mask_size")
    assert misfits.select("file", "target").rows() == [("raw/masks/b.png", "raw/images/b.jpg")]
    assert verify(dataset.location).problems == ()


def test_an_image_that_a_new_rule_lets_in_brings_its_mask(sources: Path, whole: Dataset, client: Client) -> None:
    few = toolkit.curate(sources / "raw", sources / "few", {"filters": {"aspect_share": {"at_least": 0.7}}}, client)
    assert list(said(few)) == ["raw/small.jpg"]
    check_masks(toolkit.redecide(few, {}, scheduler=client), whole)


def test_a_refusal_that_comes_in_brings_its_mask_and_its_boxes_turned(sources: Path, whole: Dataset, client: Client) -> None:
    few = toolkit.curate(sources / "raw", sources / "refused", {"max_pixels": 1_000}, client)
    assert list(said(few)) == ["raw/small.jpg"]
    check_masks(toolkit.retry(few, {}, scheduler=client), whole)


def test_an_export_as_imagefolder_is_curated_again_with_what_was_said_of_it(
    whole: Dataset, client: Client, tmp_path: Path
) -> None:
    toolkit.export(whole, tmp_path / "out", "imagefolder")
    again = toolkit.curate(tmp_path / "out", tmp_path / "again", scheduler=client)
    columns = ("image_id", "label", "labels", "captions", "boxes", "mask")
    said = [d.scan("images").select(columns).sort("image_id").collect().to_dicts() for d in (whole, again)]
    assert said[0] == said[1]
    assert sum(row["mask"] is not None for row in said[1]) == 1


def test_what_an_earlier_release_did_not_remember_is_listed(sources: Path, client: Client) -> None:
    few = toolkit.curate(sources / "raw", sources / "earlier", {"max_pixels": 1_000}, client)
    for path in (few.location.path / "_tonnage" / "locators").glob("*.parquet"):
        pl.read_parquet(path).drop("mask_locator", "unturned").write_parquet(path)
    tried = toolkit.retry(few, {}, scheduler=client)
    assert {source: row["mask"] for source, row in said(tried).items()} == dict.fromkeys(said(tried))
    assert said(tried)["raw/images/c.jpg"]["boxes"] is None
    assert tried.scan("catalog").select(pl.col("mask_source").count()).collect().item() == 0
    listed = tried.findings("unmatched").filter(pl.col("batch") == tried.state.batch)
    assert sorted(listed.select("problem", "target").rows()) == [
        ("boxes_lost", "raw/images/a.jpg"),
        ("boxes_lost", "raw/images/c.jpg"),
        ("mask_unreadable", "raw/images/a.jpg"),
        ("mask_unreadable", "raw/images/b.jpg"),
    ]


def packed(root: Path, names: dict[str, bytes]) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root, "w:gz") as tar:
        for name, payload in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            tar.addfile(info, io.BytesIO(payload))


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compressed tar with two images of the same bytes under one name, and others."""
    place = tmp_path_factory.mktemp("streamed")
    members = {"x/a.jpg": jpeg(1), "x/b.jpg": jpeg(2), "c.jpg": jpeg(3), "small.jpg": jpeg(4, (32, 24))}
    packed(place / "raw" / "s.tar.gz", members)
    return place


def test_members_of_a_compressed_tar_come_in_again_by_one_reading(streamed: Path, client: Client, monkeypatch) -> None:
    few = toolkit.curate(streamed / "raw", streamed / "few", {"filters": {"aspect_share": {"at_least": 0.7}}}, client)
    assert len(few) == 1
    opened = []
    whole = streams.open_stream
    monkeypatch.setattr(streams, "open_stream", lambda path: opened.append(path) or whole(path))
    every = toolkit.redecide(few, {}, scheduler=client)
    assert every.state.curation["absent_image_count"] == 0
    assert (len(every), len(opened)) == (4, 1)
    assert verify(few.location, images=True).problems == ()
    assert list((few.location.path / "_tonnage" / "staging").glob("*")) == []


def test_two_compressed_tars_of_one_name_are_told_apart(client: Client, tmp_path: Path) -> None:
    small = {"small.jpg": jpeg(4, (32, 24))}
    packed(tmp_path / "one" / "s.tar.gz", small | {"a.jpg": jpeg(1)})
    packed(tmp_path / "two" / "s.tar.gz", {"a.jpg": jpeg(2), "in!side/a.jpg": jpeg(3)})
    sources = [tmp_path / "one" / "s.tar.gz", tmp_path / "two" / "s.tar.gz"]
    few = toolkit.curate(sources, tmp_path / "few", {"filters": {"aspect_share": {"at_least": 0.7}}}, client)
    every = toolkit.redecide(few, {}, scheduler=client)
    assert every.state.curation["absent_image_count"] == 0
    assert len(every) == 4


def test_the_command_says_what_could_not_be_had(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "raw" / "s.tar.gz", {"a.jpg": jpeg(1), "small.jpg": jpeg(4, (32, 24))})
    few = toolkit.curate(tmp_path / "raw", tmp_path / "few", {"filters": {"aspect_share": {"at_least": 0.7}}}, client)
    (tmp_path / "raw" / "s.tar.gz").unlink()
    (tmp_path / "all.yaml").write_text("{}")
    monkeypatch.setattr(
        "toolkit.curation.revising.revival.engine", lambda *_, **__: pytest.fail("a cluster was started for nothing")
    )
    done = CliRunner().invoke(app, ["curate", str(few.location.path), "--redecide", "--recipe", str(tmp_path / "all.yaml")])
    assert done.exit_code == 0, done.output
    told = "1 images that the rules let in can be had no more, and stay out: their sources are gone or other."
    assert done.stdout.splitlines()[-1] == told
    assert f"- {told}" in (few.location.path / "README.md").read_text(encoding="utf-8")
    assert revision_notes(toolkit.remove(few, "state = 'kept'")) == [], "these are not of that version"


def test_large_refusals_of_a_compressed_tar_are_tried_again_and_those_that_are_gone_are_counted(
    streamed: Path, client: Client
) -> None:
    few = toolkit.curate(streamed / "raw", streamed / "refused", {"max_pixels": 1_000, "quarantine_bytes": "100 B"}, client)
    assert few.scan("quarantine").select(pl.col("bytes").count()).collect().item() == 0
    tried = toolkit.retry(few, {}, scheduler=client)
    assert len(tried) == 4
    assert tried.state.curation["absent_occurrence_count"] == 0
    assert verify(few.location).problems == ()

    again = toolkit.curate(streamed / "raw", streamed / "gone", {"max_pixels": 1_000, "quarantine_bytes": "100 B"}, client)
    packed(streamed / "raw" / "s.tar.gz", {"x/a.jpg": jpeg(1), "c.jpg": jpeg(3)})
    with pytest.raises(UsageError, match="the bytes of 3 refusals can be had no more"):
        toolkit.retry(again, {}, scheduler=client)


def words_of(place: Path) -> str:
    """Return every text in the files below a folder."""
    texts = []
    for path in place.rglob("*"):
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path, glob=False)
            texts += [str(frame[name].to_list()) for name in frame.columns if frame.schema[name] != pl.Binary]
        elif path.is_file():
            texts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(texts)


def test_a_purge_forgets_the_names_of_what_lay_beside_too(sources: Path, client: Client, tmp_path: Path) -> None:
    put(tmp_path / "alone.jpg", jpeg(9))
    dataset = toolkit.curate([sources / "raw", tmp_path / "alone.jpg"], tmp_path / "dataset", scheduler=client)
    places = {"raw": "/where/raw", "alone.jpg": "/where/alone.jpg"}
    put(tmp_path / "dataset" / "_tonnage" / "sources.json", json.dumps(places))
    names = ("images/a.jpg", "masks/a.png", "images/c.jpg", "labels/c.txt", "alone.jpg")
    before = words_of(tmp_path / "dataset")
    assert all(name in before for name in names)
    toolkit.remove(dataset, "source LIKE '%/a.jpg' OR source LIKE '%/c.jpg' OR source = 'alone.jpg'", purge=True)
    after = words_of(tmp_path / "dataset")
    assert [name for name in names if name in after] == []
    assert "masks/b.png" in after
    assert "/where/raw" in after
    assert verify(dataset.location).problems == ()

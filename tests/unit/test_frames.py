"""Frames, pages and pictures as images of their own: without loss, upright, found again, and read once."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps, ImageSequence

import toolkit
from toolkit.curation import frames
from toolkit.curation.examine import Limits, examine
from toolkit.curation.frames import split_frames
from toolkit.curation.history import KnownSources
from toolkit.curation.probing import ProbeTask, probe
from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import SourceUnit, discover


def picture(seed: int, mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    rng = np.random.default_rng(seed)
    if mode in {"I;16", "I", "F"}:
        kind: Any = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray((rng.random((size[1], size[0])) * 60_000).astype(kind))
    base = 120 + 60 * np.sin((x + 13 * seed) / 7) + 50 * np.cos(y / (5 + seed))
    pixels = np.stack([base, base[::-1], 255 - base], axis=-1) + rng.normal(0, 6, (size[1], size[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def several(kind: str, mode: str = "RGB", count: int = 3, **options: Any) -> bytes:
    first, *rest = [picture(seed, mode) for seed in range(count)]
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=rest, **options)
    return buffer.getvalue()


def whole(payload: bytes) -> Image.Image:
    return Image.open(io.BytesIO(payload))


@pytest.mark.parametrize(
    ("kind", "mode", "stored"),
    [
        ("GIF", "RGB", "PNG"), ("PNG", "RGB", "PNG"), ("PNG", "RGBA", "PNG"), ("WEBP", "RGB", "PNG"), ("MPO", "RGB", "PNG"),
        ("TIFF", "1", "PNG"), ("TIFF", "P", "PNG"), ("TIFF", "LA", "PNG"), ("TIFF", "I;16", "TIFF"), ("TIFF", "I", "TIFF"),
        ("TIFF", "F", "TIFF"), ("TIFF", "CMYK", "TIFF"), ("AVIF", "RGB", "PNG"),
    ],
)  # fmt: skip
def test_frames_are_written_out_without_loss(kind: str, mode: str, stored: str) -> None:
    payload = several(kind, mode)
    found = list(split_frames(payload))
    assert [index for index, _ in found] == [0, 1, 2]
    with whole(payload) as opened:
        for (_, frame), expected in zip(found, ImageSequence.Iterator(opened), strict=True):
            assert isinstance(frame, bytes)
            written = whole(frame)
            assert written.format == stored
            assert np.array_equal(np.asarray(written.convert(expected.mode)), np.asarray(expected)), expected.mode
            assert examine(frame, name="a.png").refusal is None
    assert len({frame for _, frame in found}) == 3
    assert list(split_frames(payload, {2})) == found[2:]


def test_each_picture_is_turned_as_it_is_displayed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    payload = several("MPO", exif=exif.tobytes())
    with whole(payload) as opened:
        frames = [np.asarray(ImageOps.exif_transpose(frame)) for frame in ImageSequence.Iterator(opened)]
    found = [np.asarray(whole(frame)) for _, frame in split_frames(payload) if isinstance(frame, bytes)]
    assert frames[0].shape == (64, 48, 3)
    assert all(np.array_equal(one, other) for one, other in zip(frames, found, strict=True))


def test_the_state_of_one_encoder_is_not_handed_to_the_next() -> None:
    image = picture(0)
    image.save(io.BytesIO(), "JPEG")
    image.encoderinfo = {"quality": 3}
    assert isinstance(next(split_frames(several("TIFF", "I;16")))[1], bytes)


def test_text_that_unpacks_to_megabytes_costs_no_frame() -> None:
    from made_images import chunk

    payload = several("PNG")
    bomb = chunk(b"zTXt", b"a\0\0" + __import__("zlib").compress(bytes(80_000_000)))
    found = list(split_frames(payload[:33] + bomb + payload[33:]))
    assert len(found) == 3
    assert not any(isinstance(frame, Refusal) for _, frame in found)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("frames") / "raw"
    place.mkdir()
    (place / "a.gif").write_bytes(several("GIF"))
    (place / "scan.tif").write_bytes(several("TIFF", "I;16", count=2))
    picture(9).save(place / "plain.png")
    (place / "metadata.csv").write_text("file_name,label\na.gif,cat\nplain.png,dog\n", encoding="utf-8")
    with zipfile.ZipFile(place / "b.zip", "w") as archive:
        archive.writestr("b.webp", several("WEBP", lossless=True, count=2))
    with tarfile.open(place / "c.tar.gz", "w:gz") as stream:
        content = several("PNG", "RGBA", count=2)
        member = tarfile.TarInfo("c.png")
        member.size = len(content)
        stream.addfile(member, io.BytesIO(content))
    return place


_RECIPE: dict[str, Any] = {"exact_duplicates": False, "splits": {"train": 1.0}}


def test_exploded_frames_are_occurrences_from_curation_to_training(raw: Path, tmp_path: Path) -> None:
    dataset = toolkit.curate(raw, tmp_path / "dataset", _RECIPE | {"frames": "explode"}, workers=1)
    images = dataset.scan("images").select("source", "encoding", "frame_count", "format", "bits").sort("source").collect()
    assert images.rows() == [
        *((f"raw/a.gif#frame={i}", f"png:frame={i}", 1, "png", 8) for i in range(3)),
        *((f"raw/b.zip!b.webp#frame={i}", f"png:frame={i}", 1, "png", 8) for i in range(2)),
        *((f"raw/c.tar.gz!c.png#frame={i}", f"png:frame={i}", 1, "png", 8) for i in range(2)),
        ("raw/plain.png", "original", 1, "png", 8),
        *((f"raw/scan.tif#frame={i}", f"tiff:frame={i}", 1, "tiff", 16) for i in range(2)),
    ]
    assert dataset.scan("catalog").select(pl.col("state").unique()).collect()["state"].to_list() == ["kept"]
    labels = dict(dataset.scan("images").select("source", "label").drop_nulls().collect().iter_rows())
    assert labels == {"raw/plain.png": "dog"} | {f"raw/a.gif#frame={i}": "cat" for i in range(3)}
    for index in range(len(dataset)):
        assert examine(dataset.get(index), name="a").refusal is None
    assert sum(len(batch.images) for batch in dataset.loader(batch_size=4, split="train")) == 10
    assert toolkit.curate(raw, tmp_path / "dataset", _RECIPE | {"frames": "explode"}, workers=1).version == dataset.version
    known = KnownSources(dataset)
    assert [unit for unit in discover([raw]) if isinstance(unit, SourceUnit) and known.unread(unit) is not None] == []


def test_a_file_of_which_one_frame_cannot_be_written_out_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw").mkdir()
    payload = several("TIFF", "RGB", count=3)
    (tmp_path / "raw" / "a.tif").write_bytes(payload)
    unit = next(each for each in discover([tmp_path / "raw"]) if isinstance(each, SourceUnit))
    written = frames._lossless
    seen: list[Image.Image] = []

    def failing(image: Image.Image) -> bytes:
        seen.append(image)
        if len(seen) == 3:
            raise OSError("image file is truncated")
        return written(image)

    monkeypatch.setattr(frames, "_lossless", failing)
    report = probe(ProbeTask(unit=unit, staging=tmp_path, limits=Limits(frames="explode"), quarantine_bytes=2**20))
    rows = pl.read_ipc(report.part(tmp_path))
    assert rows.select("source", "refusal").rows() == [("raw/a.tif", "truncated")]
    refused = pl.read_parquet(report.refusals(tmp_path)).row(0, named=True)
    assert refused["bytes"] == payload
    assert refused["message"].endswith("(frame 2)")


def test_the_first_frame_alone_keeps_the_file(raw: Path, tmp_path: Path) -> None:
    dataset = toolkit.curate(raw, tmp_path / "dataset", _RECIPE, workers=1)
    images = dataset.scan("images").select("source", "encoding", "frame_count").sort("source").collect()
    assert images["frame_count"].to_list() == [3, 2, 2, 1, 2]
    assert set(images["encoding"]) == {"original"}
    assert images["source"].to_list() == ["raw/a.gif", "raw/b.zip!b.webp", "raw/c.tar.gz!c.png", "raw/plain.png", "raw/scan.tif"]


def test_what_would_take_too_much_memory_is_refused_by_its_header() -> None:
    payload = several("TIFF", "F", count=1)
    found = examine(payload, name="a.tif", limits=Limits(max_decoded_bytes=1)).refusal
    assert found is None  # small images are not asked
    flat = io.BytesIO()
    Image.new("1", (6_000, 6_000)).save(flat, "PNG")
    found = examine(flat.getvalue(), name="a.png", limits=Limits(max_decoded_bytes=30_000_000)).refusal
    assert found is not None
    assert (found.stage, found.reason) == ("header", "too_much_memory")
    assert "36 MB" in found.message

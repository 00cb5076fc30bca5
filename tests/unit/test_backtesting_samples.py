"""Collections drawn from a dataset: images changed a little are other images, of the same cost."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.measured_dataset import PHOTOS, build
from toolkit.backtesting.enlarging import group_bytes
from toolkit.backtesting.samples import Sampler
from toolkit.backtesting.trials import to_be_read
from toolkit.backtesting.variation import varied
from toolkit.dataset.reading import open_dataset
from toolkit.errors import UsageError


def pixels(payload: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(payload)) as image:
        return np.asarray(image.convert("RGBA") if image.mode == "P" else image)


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    image = Image.effect_noise((40, 30), 60).convert(mode)
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("payload", "is_same_size"),
    [
        (min(PHOTOS.glob("*.jpg")).read_bytes(), True),
        (encoded("JPEG", progressive=True), True),
        (encoded("JPEG", "L", quality=100), True),
        (encoded("PNG"), False),
        (encoded("PNG", "I;16"), False),
        (encoded("TIFF", "I;16"), False),
        (encoded("PNG", "P"), False),
        (encoded("BMP"), False),
        (encoded("WEBP", lossless=True), False),
    ],
)
def test_each_copy_is_another_image_that_looks_the_same(payload: bytes, is_same_size: bool) -> None:
    copies = [varied(payload, n) for n in range(1, 40)]
    assert None not in copies
    assert len({pixels(copy).tobytes() for copy in copies} | {pixels(payload).tobytes()}) == 40
    assert not is_same_size or {len(copy) for copy in copies} == {len(payload)}
    differences = np.abs(pixels(copies[0]).astype(float) - pixels(payload)).mean()
    assert 0 < differences < 12


@pytest.mark.parametrize("payload", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\x00\x08", b"GIF89a", b"no image at all"])
def test_what_cannot_be_changed_is_told_not_broken(payload: bytes) -> None:
    assert varied(payload, 1) is None


def test_a_jpeg_has_2048_variants_and_no_more() -> None:
    payload = encoded("JPEG")
    assert varied(payload, 2047) is not None
    assert varied(payload, 2048) is None


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("drawn") / "dataset", 24)


def test_a_small_dataset_is_varied_so_that_no_two_images_are_equal(dataset: Path, tmp_path: Path) -> None:
    sampler = Sampler(open_dataset(dataset), 96, seed=1)
    size_bytes = sampler.write(tmp_path / "more", 96)
    files = sorted((tmp_path / "more").iterdir())
    assert len({path.read_bytes() for path in files}) == 96
    assert sum(path.stat().st_size for path in files) == size_bytes
    assert sampler.varied_share == 1.0


def test_a_large_dataset_is_drawn_from_unchanged(dataset: Path, tmp_path: Path) -> None:
    opened = open_dataset(dataset)
    sampler = Sampler(opened, 6, seed=1)
    sampler.write(tmp_path / "few", 6)
    originals = {opened.get(n) for n in range(len(opened))}
    assert {path.read_bytes() for path in (tmp_path / "few").iterdir()} < originals
    assert sampler.varied_share == 0.0


def test_collections_differ_from_each_other_and_are_the_same_for_the_same_seed(dataset: Path, tmp_path: Path) -> None:
    def drawn(seed: int, name: str) -> list[bytes]:
        sampler = Sampler(open_dataset(dataset), 96, seed=seed)
        sampler.write(tmp_path / name, 12)
        return [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]

    assert drawn(1, "a") == drawn(1, "b") != drawn(2, "c")


def test_images_that_cannot_be_changed_are_a_sentence_and_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr("toolkit.backtesting.samples.varied", lambda payload, copy: tried.append(copy))
    sampler = Sampler(open_dataset(build(tmp_path / "d", 4)), 512, seed=1)
    for image_count, most in ((8, 50 * 8), (64, 64)):
        tried.clear()
        with pytest.raises(UsageError, match="too few to test larger sizes"):
            sampler.write(tmp_path / f"x{image_count}", image_count)
        assert len(tried) <= most


def test_datasets_to_be_read_grow_as_planned_in_pieces_of_large_row_groups(tmp_path: Path) -> None:
    dataset = open_dataset(build(tmp_path / "dataset", 24))
    smallest_bytes = group_bytes(dataset) / 4
    found = to_be_read(dataset, tmp_path / "scratch", smallest_bytes)
    assert set(found) == {0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0}
    for factor, larger in found.items():
        assert larger.state.image_bytes == pytest.approx(smallest_bytes * 4 * factor, rel=0.5 if factor < 1 else 0.25)
    assert found[8.0].state.image_bytes / found[1.0].state.image_bytes == pytest.approx(8, rel=0.2)
    assert [found[2.0].get(place) for place in range(24)] == [dataset.get(place) for place in range(24)]

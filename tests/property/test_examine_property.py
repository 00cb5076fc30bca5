"""Whatever the bytes: nothing is raised, facts fit their table, equal pixels have equal hashes, a cut is never kept unseen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.curation.decode import preview
from toolkit.curation.examine import examine
from toolkit.curation.hashing import perceptual_hash, perceptual_hashes, pixel_hash
from toolkit.curation.markers import jpeg_frame, jpeg_segments, png_chunks, png_fault, without_text
from toolkit.curation.quality import scored_luma, scores, scores_of
from toolkit.curation.reasons import REASONS
from toolkit.curation.sniffing import sniff
from toolkit.dataset.schema import FACT_FIELDS, SCORE_FIELDS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

SCHEMA = pa.schema([*FACT_FIELDS, *SCORE_FIELDS])
FORMATS = Path(__file__).resolve().parents[2] / "sample_data" / "raw" / "formats"
SEEDS = sorted(path for path in FORMATS.iterdir() if path.stat().st_size < 60_000)


def check(payload: bytes, name: str) -> str:
    found = examine(payload, name=name)
    assert pa.Table.from_pylist([found.facts], schema=SCHEMA).num_rows == 1
    assert found.facts["size_bytes"] == len(payload)
    if found.refusal is None:
        assert found.facts["luma_hash"]
        assert -(2**63) <= found.facts["perceptual_hash"] < 2**63
        return "kept"
    assert found.refusal.reason in REASONS
    assert "0x7f" not in found.refusal.message  # no address in memory: equal bytes are refused in equal words
    return found.refusal.reason


@given(st.binary(max_size=400))
def test_any_bytes_are_examined(payload: bytes) -> None:
    assert check(payload, "a.jpg") in REASONS or sniff(payload) != "unknown"
    assert isinstance(preview(payload), bytes)


@given(
    st.sampled_from([b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"MM\0*", b"BM", b"\xff\x4f\xff\x51"]),
    st.binary(max_size=300),
)
def test_any_bytes_behind_a_magic_are_examined(magic: bytes, rest: bytes) -> None:
    payload = magic + rest
    check(payload, "a")
    jpeg_frame(payload)
    list(jpeg_segments(payload))
    list(png_chunks(payload))
    png_fault(payload)
    without_text(payload)


@settings(max_examples=120)
@given(st.sampled_from(SEEDS), st.data())
def test_a_flipped_file_is_examined(path: Path, data: st.DataObject) -> None:
    payload = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(payload) - 1))
        payload[position] = data.draw(st.integers(0, 255))
    check(bytes(payload), path.name)


@settings(max_examples=120)
@given(
    st.sampled_from([path for path in SEEDS if path.suffix in {".jpg", ".png", ".webp", ".avif", ".bmp"}]), st.floats(0.02, 0.97)
)
def test_a_cut_file_is_never_kept(path: Path, share: float) -> None:
    payload = path.read_bytes()
    assert check(payload[: int(len(payload) * share)], path.name) != "kept"


IMAGES = st.tuples(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3, 4]), st.integers(0, 2**32 - 1))


def drawn(shape: tuple[int, int, int, int]) -> Image.Image:
    height, width, channels, seed = shape
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@given(IMAGES)
def test_equal_pixels_have_equal_hashes_and_a_changed_one_has_not(shape: tuple[int, int, int, int]) -> None:
    image = drawn(shape)
    payloads = [encoded(image, "PNG"), encoded(image, "TIFF"), encoded(image, "PNG", compress_level=0)]
    hashes = {pixel_hash(payload) for payload in payloads}
    assert hashes == {examine(payloads[0], name="a.png").facts["pixel_hash"]}
    changed = np.array(image)
    changed.flat[0] ^= 1
    assert pixel_hash(encoded(Image.fromarray(changed), "PNG")) not in hashes


@given(IMAGES)
def test_scores_stay_within_their_bounds(shape: tuple[int, int, int, int]) -> None:
    luma = np.asarray(drawn(shape).convert("L"))
    found = scores(scored_luma(luma), luma.shape[1], luma.shape[0])
    for name, value in found.items():
        if name.endswith("_share"):
            assert 0 <= value <= 1
    assert 0 <= found["entropy_bits"] <= 8
    assert found["sharpness_score"] >= 0
    assert found["light_share"] <= found["dark_share"]


@given(st.lists(IMAGES, min_size=2, max_size=6))
def test_scores_of_many_are_those_of_each_alone(shapes: list[tuple[int, int, int, int]]) -> None:
    fine = [np.asarray(drawn(shape).convert("L")) for shape in (*shapes, *shapes[:2])]  # some of one shape
    lumas = [scored_luma(luma) for luma in fine]
    aspects = [min(luma.shape) / max(luma.shape) for luma in fine]
    alone = [scores_of([luma], [whole], [aspect])[0] for luma, whole, aspect in zip(lumas, fine, aspects, strict=True)]
    assert scores_of(lumas, fine, aspects) == alone  # to the last bit: how images are grouped must show in no dataset
    spans = [((0.0, luma.shape[0] - 0.5), (0.25, float(luma.shape[1]))) for luma in fine]
    assert perceptual_hashes(fine, spans) == [perceptual_hash(*image) for image in zip(fine, spans, strict=True)]


@given(IMAGES, st.integers(-30, 30))
def test_a_perceptual_hash_hardly_sees_brightness(shape: tuple[int, int, int, int], shift: int) -> None:
    luma = 40 + np.asarray(drawn(shape).convert("L")).astype(int) // 2
    one, other = (perceptual_hash(pixels.astype(np.uint8)) for pixels in (luma, luma + shift))
    assert ((one ^ other) & (2**64 - 1)).bit_count() <= 2  # a coefficient may lie on the median

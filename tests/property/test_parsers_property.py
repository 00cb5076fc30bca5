"""The parsers of endings, lengths, frames and HEIF on any bytes: they answer, and never raise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.curation.endings import ending_flag
from toolkit.curation.examine import Limits, examine
from toolkit.curation.faults import is_cut
from toolkit.curation.frames import split_frames
from toolkit.curation.reasons import FLAGS, REASONS, Refusal
from toolkit.curation.sniffing import sniff
from toolkit.dataset import heif

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def seeds() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)) for _ in range(3)]
    found = {}
    for kind in ("GIF", "PNG", "TIFF", "WEBP", "MPO", "AVIF", "JPEG2000", "BMP"):
        buffer = io.BytesIO()
        more = {} if kind in {"JPEG2000", "BMP"} else {"save_all": True, "append_images": pictures[1:]}
        pictures[0].save(buffer, kind, **more)
        found[kind] = buffer.getvalue()
    from pillow_heif import from_pillow

    buffer = io.BytesIO()
    from_pillow(pictures[0]).save(buffer)
    return found | {"HEIF": buffer.getvalue()}


SEEDS = seeds()
KINDS = {"jpeg", "png", "gif", "webp", "bmp", "avif", "heif", "jpeg2000", "tiff"}


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Return one of the seeds with a few bytes changed, cut, or with something behind it."""
    payload = bytearray(draw(st.sampled_from(sorted(SEEDS.values()))))
    for _ in range(draw(st.integers(0, 4))):
        payload[draw(st.integers(0, len(payload) - 1))] = draw(st.integers(0, 255))
    end = draw(st.one_of(st.just(len(payload)), st.integers(0, len(payload))))
    return bytes(payload[:end]) + draw(st.binary(max_size=20))


@given(st.binary(max_size=400), st.sampled_from(sorted(KINDS)))
def test_any_bytes_have_an_ending(payload: bytes, kind: str) -> None:
    assert ending_flag(payload, kind) in {None, "trailing_bytes", "missing_end"}


@given(broken())
def test_what_is_broken_has_an_ending_and_is_cut_or_not(payload: bytes) -> None:
    kind = sniff(payload)
    assert ending_flag(payload, kind) in {None, "trailing_bytes", "missing_end"}
    assert is_cut(payload) in {True, False}
    assert heif.sniff(payload) in {True, False}


@settings(max_examples=80)
@given(broken())
def test_what_is_broken_is_refused_or_read_and_split_the_same(payload: bytes) -> None:
    found = examine(payload, name="a", limits=Limits(max_pixels=10_000_000, max_frames=50))
    if found.refusal is not None:
        assert found.refusal.reason in REASONS
        return
    assert set(found.facts["flags"]) <= set(FLAGS)
    frames = list(split_frames(payload))
    assert len(frames) == found.facts["frame_count"]
    for _, frame in frames:
        if isinstance(frame, Refusal):
            assert frame.reason in REASONS
        else:
            assert examine(frame, name="a").refusal is None


@pytest.mark.parametrize("kind", sorted(SEEDS))
def test_a_sound_image_ends_where_it_ends(kind: str) -> None:
    payload = SEEDS[kind]
    assert ending_flag(payload, sniff(payload)) is None
    assert not is_cut(payload)
    if kind not in {"TIFF", "MPO"}:
        assert ending_flag(payload + b"PK\3\4 behind", sniff(payload)) == "trailing_bytes"

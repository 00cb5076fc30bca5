"""How strictly JPEG is read: what libjpeg complains of, what stands behind a complaint, and which decoder may be asked."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest
from PIL import Image

from toolkit.curation.decode import preview
from toolkit.curation.examine import examine
from toolkit.curation.jpeg import LUMA_PX, can_be_strict, decode_jpeg, jpeg_verdict, tidied
from toolkit.curation.markers import JpegFrame, exif_orientation, has_too_many_scans, jpeg_frame, jpeg_segments

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "sample_data" / "photos").glob("*.jpg"))


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    """A baseline JPEG of one scan."""
    return PHOTOS[0].read_bytes()


def header_end(payload: bytes) -> int:
    return list(jpeg_segments(payload))[-1][2]


def examined(payload: bytes) -> tuple[str, list[str]]:
    found = examine(payload, name="a.jpg")
    return (found.refusal.reason if found.refusal else "kept"), found.facts.get("flags", [])


@pytest.mark.parametrize(
    ("message", "tail", "verdict"),
    [
        ("Premature end of JPEG file", b"", ("refuse", "truncated")),
        ("Premature end of input file", b"", ("refuse", "truncated")),
        ("Corrupt JPEG data: premature end of data segment", b"", ("refuse", "damaged")),
        ("Corrupt JPEG data: bad Huffman code", b"", ("refuse", "damaged")),
        ("Corrupt JPEG data: bad arithmetic code", b"", ("refuse", "damaged")),
        ("Corrupt JPEG data: found marker 0xd2 instead of RST1", b"", ("refuse", "damaged")),
        ("Inconsistent progression sequence for component 0 coefficient 1", b"", ("refuse", "damaged")),
        ("Unsupported marker type 0x66", b"", ("refuse", "damaged")),
        ("Invalid JPEG file structure: two SOF markers", b"", ("refuse", "damaged")),
        ("Empty JPEG image (DNL not supported)", b"", ("refuse", "unsupported_format")),
        ("Insufficient memory (case 4)", b"", ("refuse", "too_many_pixels")),
        ("Warning: unknown JFIF revision number 7.02", b"", ("flag", "odd_metadata")),
        ("Unknown Adobe color transform code 9", b"", ("flag", "odd_metadata")),
        ("Corrupt JPEG data: 4 extraneous bytes before marker 0xd9", b"\0\0\0\0\xff\xd9", ("flag", "extraneous_bytes")),
        ("Corrupt JPEG data: 1 extraneous bytes before marker 0xd9", b"\x5a\xff\xd9", ("flag", "extraneous_bytes")),
        ("Corrupt JPEG data: 4 extraneous bytes before marker 0xd9", b"\x5a\x12\x77\x01\xff\xd9", ("refuse", "damaged")),
        ("Corrupt JPEG data: 4 extraneous bytes before marker 0xdb", b"\xff\xda\xff\xd9", ("flag", "extraneous_bytes")),
        ("Corrupt JPEG data: 4 extraneous bytes before marker 0xda", b"\xff\xda\xff\xda\xff\xd9", ("refuse", "damaged")),
        ("Corrupt JPEG data: 4 extraneous bytes before marker 0xd3", b"\xff\xda\xff\xd9", ("refuse", "damaged")),
        ("something that no version says yet", b"", ("refuse", "damaged")),
    ],
)
def test_each_complaint_of_libjpeg_has_one_meaning(message: str, tail: bytes, verdict: tuple[str, str]) -> None:
    assert jpeg_verdict(message, b"\xff\xd8..." + tail) == verdict


def test_damage_within_a_scan_is_found_in_most_images() -> None:
    """What Pillow decodes without a word: 64 bytes overwritten in the middle."""
    rng = random.Random(7)
    found = []
    for path in PHOTOS:
        payload = bytearray(path.read_bytes())
        middle = (header_end(payload) + len(payload)) // 2
        payload[middle : middle + 64] = rng.randbytes(64)
        found.append(examined(bytes(payload))[0])
    assert set(found) <= {"damaged", "kept", "truncated"}
    assert sum(verdict != "kept" for verdict in found) >= 0.7 * len(found)


def test_a_cut_is_found_wherever_it_is(jpeg: bytes) -> None:
    start = header_end(jpeg)
    for end in range(start, len(jpeg) - 8, max(1, (len(jpeg) - start) // 25)):
        assert examined(jpeg[:end])[0] == "truncated", end


def test_a_lost_end_mark_alone_is_flagged(jpeg: bytes) -> None:
    assert jpeg.endswith(b"\xff\xd9")
    assert examined(jpeg[:-2]) == ("kept", ["missing_end"])
    assert examined(jpeg[:-1]) == ("kept", ["missing_end"])


def test_a_progressive_jpeg_without_its_end_may_lack_scans_and_is_refused(jpeg: bytes) -> None:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.save(buffer, "JPEG", progressive=True)
    assert examined(buffer.getvalue())[0] == "kept"
    assert examined(buffer.getvalue()[:-2])[0] == "truncated"


def test_bytes_between_segments_are_harmless_and_hide_no_damage(jpeg: bytes) -> None:
    _, _, first_end = next(iter(jpeg_segments(jpeg)))
    padded = jpeg[:first_end] + b"\x11\x22\x33" + jpeg[first_end:]
    assert examined(padded) == ("kept", ["extraneous_bytes"])
    assert tidied(padded) == jpeg
    middle = (header_end(padded) + len(padded)) // 2
    broken = padded[:middle] + b"\xff\x66\x00\x04" + bytes(60) + padded[middle + 64 :]
    assert examined(broken)[0] == "damaged"


def test_padding_before_the_end_is_harmless(jpeg: bytes) -> None:
    assert examined(jpeg[:-2] + bytes(500) + b"\xff\xd9") == ("kept", ["extraneous_bytes"])


def test_a_jfif_version_that_never_was_hides_no_damage(jpeg: bytes) -> None:
    place = jpeg.index(b"JFIF\0") + 5
    odd = jpeg[:place] + b"\x07" + jpeg[place + 1 :]
    assert examined(odd)[0] == "kept"
    middle = (header_end(odd) + len(odd)) // 2
    assert examined(odd[:middle] + b"\xff\x66\x00\x04" + bytes(60) + odd[middle + 64 :])[0] == "damaged"


def test_an_adobe_segment_of_no_known_kind_hides_no_damage() -> None:
    buffer = io.BytesIO()
    with Image.open(PHOTOS[0]) as image:
        image.convert("CMYK").save(buffer, "JPEG")
    payload = bytearray(buffer.getvalue())
    payload[payload.index(b"Adobe") + 11] = 9
    assert examined(bytes(payload)) == ("kept", ["odd_metadata"])
    middle = (header_end(payload) + len(payload)) // 2
    payload[middle : middle + 64] = b"\xff\x66\x00\x04" + bytes(60)
    assert examined(bytes(payload))[0] == "damaged"


def test_scans_without_end_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with Image.open(PHOTOS[0]) as image:
        image.save(buffer, "JPEG", progressive=True)
    payload = buffer.getvalue()
    last = payload[payload.rindex(b"\xff\xda") : -2]
    assert not has_too_many_scans(payload[:-2] + last * 50 + b"\xff\xd9")
    film = payload + b"\xff\xda" * 200  # behind the end: a film, further pictures
    assert not has_too_many_scans(film)
    assert examined(film) == ("kept", ["trailing_bytes"])
    hidden = payload[:-2] + b"\xff\xfe\x00\x04\xff\xd9" + last * 200 + b"\xff\xd9"  # an end mark within a comment
    monkeypatch.setattr("toolkit.curation.examine.decode_jpeg", None)
    for bomb in (payload[:-2] + last * 200 + b"\xff\xd9", payload[:-2] + last * 200, hidden):
        assert has_too_many_scans(bomb)
        assert examined(bomb)[0] == "damaged"
        assert preview(bomb) == b""


def test_scans_are_looked_for_where_libjpeg_decodes_a_second_one() -> None:
    frame = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x08\x00\x08\x03" + bytes(9)
    scans = b"\xff\xda\x00\x08\x01" + bytes(5)
    assert has_too_many_scans(frame + scans * 200)  # the first scan holds one component of three
    assert not has_too_many_scans(frame + scans.replace(b"\x08\x01", b"\x08\x03") * 200)  # all three: a second is never decoded


def frame_of(marker: int, *, bits: int = 8, components: int = 3, height: int = 8, factors: int = 0x11) -> bytes:
    body = struct.pack(">BHHB", bits, height, 8, components)
    body += b"".join(bytes([i + 1, factors if i == 0 else 0x11, 0]) for i in range(components))
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body + b"\xff\xda\x00\x02\xff\xd9"


@pytest.mark.parametrize(
    "payload",
    [
        frame_of(0xC3, components=1),  # lossless: libjpeg-turbo 3 crashes when it is asked for one at reduced size
        frame_of(0xC3),
        frame_of(0xC1, bits=12),
        frame_of(0xC0, bits=16),
        frame_of(0xC5),
        frame_of(0xC0, components=2),
        frame_of(0xC0, components=5),
        frame_of(0xC0, height=0),
    ],
)
def test_kinds_that_are_not_read_are_refused_by_their_header(payload: bytes) -> None:
    assert examined(payload)[0] == "unsupported_format"


def test_a_lossless_frame_is_never_handed_to_the_scaled_decoder() -> None:
    buffer = io.BytesIO()
    with Image.open(PHOTOS[0]) as image:
        image.convert("L").save(buffer, "JPEG")
    for marker, is_strict in ((b"\xff\xc0", True), (b"\xff\xc3", False)):
        payload = buffer.getvalue().replace(b"\xff\xc0", marker, 1)
        frame = jpeg_frame(payload)
        assert frame is not None
        assert can_be_strict(payload, frame) is is_strict


def test_an_odd_subsampling_goes_to_the_lenient_decoder_and_says_so() -> None:
    payload = frame_of(0xC0, factors=0x42)
    frame = jpeg_frame(payload)
    assert frame is not None
    assert not can_be_strict(payload, frame)
    assert "check_lenient" in examined(payload)[1]


def test_cmyk_is_read_strictly() -> None:
    buffer = io.BytesIO()
    with Image.open(PHOTOS[0]) as image:
        image.convert("CMYK").save(buffer, "JPEG")
    payload = buffer.getvalue()
    assert examined(payload) == ("kept", [])
    assert examine(payload, name="a.jpg").facts["mode"] == "CMYK"
    assert examined(payload[: len(payload) // 2])[0] == "truncated"


def test_the_walk_over_segments_is_that_of_libjpeg() -> None:
    """Fill bytes, stuffed zeros and restart markers between segments are passed over; what follows the scan is not looked at."""
    frame = frame_of(0xC0)[2:]
    between = b"\xff\xff\xff" + b"\xff\x00" + b"\x12\x34" + b"\xff\xd0" + b"\xff\x01"
    found = jpeg_frame(b"\xff\xd8" + between + frame)
    assert found == JpegFrame(marker=0xC0, bits=8, width_px=8, height_px=8, components=3)
    assert jpeg_frame(b"\xff\xd8\xff\xda\x00\x02" + frame) is None
    assert jpeg_frame(b"\xff\xd8\xff\xd9" + frame) is None
    assert jpeg_frame(b"\xff\xd8\xff\xe0\xff\xff") is None
    assert jpeg_frame(b"\xff\xd8" + frame[:7]) is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "size"), [(3, "H"), (4, "I"), (1, "B")])
def test_orientation_is_read_in_either_byte_order(order: str, kind: int, size: str) -> None:
    entry = struct.pack(f"{order}HHI", 0x0112, kind, 1) + struct.pack(f"{order}{size}", 6).ljust(4, b"\0")
    other = struct.pack(f"{order}HHII", 0x0100, 4, 1, 99)
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, 2) + other + entry
    assert exif_orientation(tiff) == 6
    with pytest.raises((ValueError, struct.error)):
        exif_orientation(tiff[:-8])
    with pytest.raises(ValueError, match="endian"):
        exif_orientation(b"XX" + tiff[2:])


def test_the_luma_is_scaled_down_but_not_below_its_size(jpeg: bytes) -> None:
    with Image.open(io.BytesIO(jpeg)) as image:
        width, height = image.size
    luma = decode_jpeg(jpeg).luma
    assert luma is not None
    assert min(luma.shape) >= min(LUMA_PX[0], width, height)
    assert luma.shape[0] <= height

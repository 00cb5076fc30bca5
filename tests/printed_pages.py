"""What a page of a PDF that Chromium printed shows, and where: enough of the format to tell how far a page is filled."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

_TOKEN = re.compile(rb"\((?:\\.|[^\\()])*\)|<[0-9A-Fa-f\s]*>|\[|\]|/[^\s/<>\[\]()]*|[-+.\d]+|[A-Za-z'\"*]+[\d*]*")
_BANDS = 40
Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class PrintedPage:
    """One page: how many pieces of text it shows, and which of its bands, from the top, hold text or a mark."""

    text_count: int
    bands: frozenset[int]

    @property
    def covered_share(self) -> float:
        """The share of its height in which anything stands."""
        return len(self.bands) / _BANDS


def printed_pages(pdf: bytes) -> list[PrintedPage]:
    """Return the pages of a PDF in their order."""
    objects = dict(re.findall(rb"(?:^|\n)(\d+) 0 obj\s(.*?)\sendobj", pdf, re.DOTALL))
    found = []
    for number in _page_numbers(objects):
        body = objects[number]
        content = re.search(rb"/Contents (\d+) 0 R", body)
        box = re.search(rb"/MediaBox\s*\[\s*0 0 [\d.]+ ([\d.]+)", body)
        assert content is not None
        assert box is not None
        found.append(_drawn(_stream(objects[content[1]]), float(box[1])))
    return found


def _page_numbers(objects: dict[bytes, bytes]) -> list[bytes]:
    """Return the numbers of the page objects in reading order: the leaves of the page tree."""
    is_page = {number: bool(re.search(rb"/Type\s*/Page\b(?!s)", body)) for number, body in objects.items()}
    trees = {number: body for number, body in objects.items() if re.search(rb"/Type\s*/Pages\b", body)}
    (root,) = (number for number, body in trees.items() if b"/Parent" not in body)
    waiting, found = [root], []
    while waiting:
        number = waiting.pop(0)
        if is_page[number]:
            found.append(number)
        else:
            kids = re.search(rb"/Kids\s*\[(.*?)\]", objects[number], re.DOTALL)
            assert kids is not None
            waiting = [*re.findall(rb"(\d+) 0 R", kids[1]), *waiting]
    return found


def _stream(body: bytes) -> bytes:
    found = re.search(rb"stream\r?\n(.*)", body, re.DOTALL)
    assert found is not None
    return zlib.decompressobj().decompress(found[1])


def _times(a: Matrix, b: Matrix) -> Matrix:
    """Return the matrix that applies ``a``, then ``b``."""
    return (
        a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4], a[4] * b[1] + a[5] * b[3] + b[5],
    )  # fmt: skip


def _drawn(stream: bytes, height: float) -> PrintedPage:
    """Return where text and line ends lie; rectangles are left out, as backgrounds are, and so is what clips."""
    space: Matrix = (1, 0, 0, 1, 0, 0)
    text = space
    kept: list[Matrix] = []
    numbers: list[float] = []
    count, bands = 0, set()

    def mark(at: Matrix) -> None:
        y = at[5]
        if 0 <= y <= height:
            bands.add(min(_BANDS - 1, int((height - y) / height * _BANDS)))

    for token in _TOKEN.findall(stream):
        if re.fullmatch(rb"[-+]?\d*\.?\d+", token):
            numbers.append(float(token))
            continue
        if token == b"q":
            kept.append(space)
        elif token == b"Q" and kept:
            space = kept.pop()
        elif token == b"cm":
            space = _times((*numbers[-6:],), space)  # type: ignore[arg-type]
        elif token in {b"BT"}:
            text = (1, 0, 0, 1, 0, 0)
        elif token == b"Tm":
            text = (*numbers[-6:],)  # type: ignore[assignment]
        elif token == b"Td":
            text = _times((1, 0, 0, 1, *numbers[-2:]), text)  # type: ignore[arg-type]
        elif token in {b"Tj", b"TJ"}:
            count += 1
            mark(_times(text, space))
        elif token == b"l":
            mark(_times((1, 0, 0, 1, *numbers[-2:]), space))  # type: ignore[arg-type]
        if token not in {b"[", b"]"} and not token.startswith((b"<", b"(", b"/")):
            numbers = []
    return PrintedPage(text_count=count, bands=frozenset(bands))

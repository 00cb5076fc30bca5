"""What a page of a PDF that Chromium printed shows, and where: enough of the format to tell how far a page is filled."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

_TOKEN = re.compile(rb"\((?:\\.|[^\\()])*\)|<[0-9A-Fa-f\s]*>|\[|\]|/[^\s/<>\[\]()]*|[-+.\d]+|[A-Za-z'\"*]+[\d*]*")
_NUMBER = re.compile(rb"[-+]?\d*\.?\d+")
_TEXTS, _PLACES = (b"Tj", b"TJ"), (b"BT", b"Tm")
_BANDS = 40
Matrix = tuple[float, float, float, float, float, float]
_PLAIN: Matrix = (1, 0, 0, 1, 0, 0)


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


class _Hand:
    """Where a page's operators have come to: the space that is drawn in, the place of the text, and what was seen so far."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.space = self.text = _PLAIN
        self.kept: list[Matrix] = []
        self.count = 0
        self.bands: set[int] = set()

    def mark(self, at: Matrix) -> None:
        if 0 <= at[5] <= self.height:
            self.bands.add(min(_BANDS - 1, int((self.height - at[5]) / self.height * _BANDS)))

    def do(self, operator: bytes, given: list[float]) -> None:
        """Follow one operator; rectangles mark nothing, as backgrounds are of them, and neither does what clips."""
        if operator == b"q":
            self.kept.append(self.space)
        elif operator == b"Q" and self.kept:
            self.space = self.kept.pop()
        elif operator == b"cm":
            self.space = _times(_matrix(given), self.space)
        elif operator in _PLACES:
            self.text = _matrix(given) if operator == b"Tm" else _PLAIN
        elif operator == b"l":
            self.mark(_times((1, 0, 0, 1, given[-2], given[-1]), self.space))
        elif operator in _TEXTS:
            self.count += 1
            self.mark(_times(self.text, self.space))


def _matrix(given: list[float]) -> Matrix:
    a, b, c, d, e, f = given[-6:]
    return a, b, c, d, e, f


def _drawn(stream: bytes, height: float) -> PrintedPage:
    """Return where text and line ends lie."""
    hand, numbers = _Hand(height), []
    for token in _TOKEN.findall(stream):
        if _NUMBER.fullmatch(token):
            numbers.append(float(token))
        elif not token.startswith((b"<", b"(", b"/", b"[", b"]")):
            hand.do(token, numbers)
            numbers = []
    return PrintedPage(text_count=hand.count, bands=frozenset(hand.bands))

"""Words for people: names made safe to show, intervals without repeated units, and quantities by their names."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from toolkit.reporting.vocabulary import QUANTITY_WORDS
from toolkit.units import show

__all__ = [
    "DASH",
    "TIMES",
    "begin",
    "interval",
    "list_words",
    "moment",
    "plain",
    "plural",
    "quantity_words",
    "shorten",
    "visible",
    "without_keys",
]

DASH: Final = "\u2013"
"""What stands in a table where there is nothing to say."""

TIMES: Final = "\u00d7"
"""The multiplication sign between width and height."""

_JOINERS: Final = "\u200c\u200d"
"""Format characters that scripts and emoji need."""

_ENDINGS: Final = {
    "_usd_per_s": "price", "_usd_per_j": "price", "_bytes_per_s": "rate", "_images_per_s": "rate", "_per_s": "rate",
    "_bytes_per_image": "bytes per image", "_bytes": "size", "_usd": "cost", "_count": "count", "_flop": "compute",
    "_share": "share", "_s": "time", "_w": "power", "_j": "energy",
}  # fmt: skip
"""What a unit at the end of a name says of the quantity."""


_COMPONENT: Final = re.compile(r"(?:dataset\.)?component\.(?P<name>\w+?)(?:_bytes|\.(?P<part>\w+))$")
_COMPONENT_PARTS: Final = {"sample_count": "samples", "sample_bytes": "size of a sample", "yearly_factor": "yearly growth"}


def quantity_words(quantity: str) -> str:
    """Return a dotted quantity as words.

    Examples
    --------
    >>> [quantity_words(name) for name in ("training.gpu_count", "component.video_clips.sample_bytes", "a.b_bytes_per_s")]
    ['GPUs for training', 'video clips: size of a sample', 'a b rate']
    """
    if quantity in QUANTITY_WORDS:
        return QUANTITY_WORDS[quantity]
    if found := _COMPONENT.match(quantity):
        name, part = found["name"].replace("_", " "), found["part"]
        return f"{name}: {_COMPONENT_PARTS.get(part, part)}" if part else name
    group, _, last = quantity.rpartition(".")
    group = group.replace("_", " ").replace(".", " ")
    ending = next((ending for ending in _ENDINGS if last.endswith(ending)), "")
    words = f"{last.removesuffix(ending)} {_ENDINGS.get(ending, '')}".replace("_", " ").strip()
    return words if not group or words.startswith(group) else f"{group} {words}"


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Return two values as people write an interval: the unit once.

    Examples
    --------
    >>> interval(74e12, 97.2e12, "bytes"), interval(0.9e9, 1.2e9, "bytes_per_s"), interval(3.0, 3.0, "count")
    ('74 to 97.2 TB', '900 MB/s to 1.2 GB/s', '3')
    """
    first, last = show(low, unit), show(high, unit)
    if first == last:
        return first
    number, _, suffix = first.partition(" ")
    return f"{number} to {last}" if suffix and last.endswith(" " + suffix) else f"{first} to {last}"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "item"), plural(1200, "image"), plural(2, "box", "boxes")
    ('1 item', '1,200 images', '2 boxes')
    """
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def list_words(parts: list[str]) -> str:
    """Return parts as a list in a sentence.

    Examples
    --------
    >>> list_words(["a"]), list_words(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


_KEY: Final = re.compile(r"\b([a-z]+)\.([a-z]+(?:_[a-z0-9]+)+)\b")


def without_keys(text: str) -> str:
    """Return a sentence in which keys of a scenario are words.

    Examples
    --------
    >>> without_keys("It needs input: inference.device_power_limit. It takes 1.5 W.")
    'It needs input: device power limit of inference. It takes 1.5 W.'
    """
    return _KEY.sub(lambda found: f"{found[2].replace('_', ' ')} of {found[1]}", text)


def moment(stamp: str) -> str:
    """Return an ISO 8601 time in UTC as people write it, to the minute.

    Examples
    --------
    >>> moment("2026-01-02T11:00:05Z")
    '2026-01-02 11:00 UTC'
    """
    return f"{stamp[:10]} {stamp[11:16]} UTC" if len(stamp) >= 16 else stamp


_NUMBER_UNIT: Final = re.compile(
    r"(?<=\d) (?=(?:[kMGTPE]?(?:B|Wh|W|J|px|FLOP|b)(?:/s)?|%|/s|[mµn]?s|min|h|days|years|months|images)(?![\w]))"
)


def together(text: object) -> str:
    r"""Return a visible text in which no line ends between a number and its unit.

    Examples
    --------
    >>> together("87 % of 3 GB/s in 5 big steps")
    '87\xa0% of 3\xa0GB/s in 5 big steps'
    """
    return _NUMBER_UNIT.sub("\u00a0", visible(text))


def sentences(text: str) -> tuple[str, str]:
    """Return the first sentence, and the rest.

    Examples
    --------
    >>> sentences("It takes 1.5 GB. Then more. And more.")
    ('It takes 1.5 GB.', 'Then more. And more.')
    """
    first, *rest = re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip(), maxsplit=1)
    return first, "".join(rest)


def begin(sentence: str) -> str:
    """Return a sentence with its first letter in upper case, the rest untouched."""
    return sentence[:1].upper() + sentence[1:]


def visible(text: object) -> str:
    r"""Return a text without anything that changes its own display: control and direction characters become symbols.

    Examples
    --------
    >>> visible("a\nb\x00"), visible("user\u202egnp.exe")
    ('a␊b␀', 'user⟨U+202E⟩gnp.exe')
    """
    shown = []
    for char in str(text):
        point = ord(char)
        if point < 0x20:
            shown.append(chr(0x2400 + point))
        elif point == 0x7F:
            shown.append("␡")
        elif char not in _JOINERS and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            shown.append(f"⟨U+{point:04X}⟩")
        else:
            shown.append(char)
    return "".join(shown)


def shorten(text: object, longest: int = 48) -> str:
    """Return a visible text of at most ``longest`` characters, cut in the middle: names differ at both ends.

    Examples
    --------
    >>> shorten("photos/2024/summer/IMG_0001.jpg", 20)
    'photos/20…G_0001.jpg'
    """
    shown = visible(text)
    if len(shown) <= longest:
        return shown
    tail = longest // 2
    return shown[: longest - tail - 1] + "…" + shown[-tail:]


def plain(text: object, longest: int = 48) -> str:
    """Return a text that plotly draws as it is: plotly reads a few HTML tags in every label.

    Examples
    --------
    >>> plain("<b>bold</b> & co")
    '&lt;b&gt;bold&lt;/b&gt; &amp; co'
    """
    return shorten(text, longest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

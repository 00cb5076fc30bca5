"""Why an image is refused: stable codes, the stage each belongs to, and the sentence people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["REASONS", "Refusal", "refusal"]

REASONS: Final = {
    "empty": ("sniff", "the file has no bytes"),
    "not_an_image": ("sniff", "the bytes are no image"),
    "vector_image": ("sniff", "a vector drawing has no pixels; rasterise it first (for example with rsvg-convert)"),
    "unsupported_format": ("sniff", "no reader for this format is installed"),
    "codec_missing": ("sniff", "the format is known, but its decoder is an optional part that is not installed"),
    "truncated": ("decode", "the data ends before the image does"),
    "damaged": ("decode", "the compressed data is corrupt"),
    "too_many_pixels": ("header", "it would decode to more pixels than the recipe's max_pixels"),
    "too_many_frames": ("header", "it has more frames than the recipe's max_frames"),
    "decoder_crash": ("decode", "decoding it killed or hung the process"),
    "unreadable": ("read", "it could not be read"),
    "unsafe_member": ("discover", "the archive member's path or kind is unsafe (it leaves the archive, or is a link or device)"),
    "corrupt_container": ("discover", "the archive or table cannot be read"),
    "changed_while_read": ("pack", "its bytes changed between reading and writing"),
}
"""By code: stage and sentence. Codes are stable: they are stored in datasets and used by scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something was not let in."""

    stage: str
    """Where it was found out: discover, read, sniff, header, decode or pack."""
    reason: str
    """Stable code."""
    message: str
    """One sentence for people."""


def refusal(reason: str, detail: str = "") -> Refusal:
    """Return the refusal for a code, its sentence followed by what was found.

    Examples
    --------
    >>> refusal("empty").message
    'the file has no bytes'
    >>> refusal("damaged", "bad Huffman code").message
    'the compressed data is corrupt: bad Huffman code'
    """
    stage, sentence = REASONS[reason]
    return Refusal(stage=stage, reason=reason, message=f"{sentence}: {detail}" if detail else sentence)

"""Why an image is refused: stable codes, the stage each belongs to, and the sentence people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["FLAGS", "PASSING", "REASONS", "Reason", "Refusal", "reference", "refusal"]


class Reason(NamedTuple):
    """What a code stands for."""

    stage: str
    """Where it is found out: discover, read, sniff, header, decode or pack."""
    sentence: str
    """What it means, as a refusal begins."""
    advice: str
    """What to do about it."""
    is_retryable: bool
    """Whether trying the same source again can bring it in: after another recipe, a new reader, or once a store answers."""


REASONS: Final = {
    "empty": Reason("sniff", "the file has no bytes", "Fetch it again: a download or a copy was cut off at once.", False),
    "not_an_image": Reason(
        "sniff", "the bytes are no image", "Look at it: an error page of a website under the name of an image is usual.", False
    ),
    "vector_image": Reason(
        "sniff",
        "a vector drawing has no pixels; rasterise it first (for example with rsvg-convert)",
        "Rasterise it at the size that you train at.",
        False,
    ),
    "unsupported_format": Reason(
        "sniff", "no reader for this format is installed", "Install a reader for it (docs/readers.md), or convert it.", True
    ),
    "codec_missing": Reason(
        "sniff",
        "the format is known, but its decoder is an optional part that is not installed",
        "Install what the sentence names, then try again.",
        True,
    ),
    "truncated": Reason("decode", "the data ends before the image does", "Fetch it again from where it is whole.", False),
    "damaged": Reason("decode", "the compressed data is corrupt", "Fetch it again, or restore it from a backup.", False),
    "too_many_pixels": Reason(
        "header",
        "it would decode to more pixels than the recipe's max_pixels",
        "If it is honest (a map, a slide), raise max_pixels and see that the workers have the memory.",
        True,
    ),
    "too_much_memory": Reason(
        "header",
        "decoding it would take more memory than the recipe's max_decoded_bytes",
        "If it is honest, raise max_decoded_bytes and see that the workers have the memory.",
        True,
    ),
    "too_many_frames": Reason(
        "header", "it has more frames than the recipe's max_frames", "If it is honest, raise max_frames.", True
    ),
    "decoder_crash": Reason(
        "decode",
        "decoding it killed or hung the process",
        "Report it to the decoder's authors; another version may read it. If it is honest and slow, raise image_deadline_s; if "
        "it asked for too much memory, give workers more.",
        True,
    ),
    "unreadable": Reason(
        "read", "it could not be read", "See that it is there and that the worker may read it, then try again.", True
    ),
    "unsupported_container": Reason(
        "discover",
        "an archive of a kind that is not read",
        "Unpack it yourself, or pack it anew as zip or tar, and give that.",
        False,
    ),
    "unsafe_member": Reason(
        "discover",
        "the archive member's path or kind is unsafe (it leaves the archive, or is a link or device)",
        "If you trust the archive, unpack it yourself and give the folder.",
        False,
    ),
    "unsafe_path": Reason(
        "discover", "the path in the list leads out of the list's folder", "Put the list above its images.", False
    ),
    "unreadable_container": Reason(
        "discover",
        "the archive or table could not be opened",
        "See that it is there and that the worker may read it; the next run tries again.",
        True,
    ),
    "corrupt_container": Reason("discover", "the archive or table cannot be read", "Fetch the archive or table again.", False),
    "bad_url": Reason("read", "its address is none that can be fetched", "Correct the address in the list.", False),
    "dns_failure": Reason(
        "read", "the name of its host is not known", "See whether the site still exists; run again if it does.", True
    ),
    "connection_failed": Reason(
        "read", "its host did not answer, or broke off", "Run again: what failed this way is fetched anew.", True
    ),
    "timeout": Reason(
        "read", "its host was too slow", "Run again, or raise timeout_s and deadline_s of the recipe's downloads.", True
    ),
    "tls_failure": Reason(
        "read",
        "its host cannot prove who it is",
        "See to the certificate; nothing is fetched from a host without a sound one.",
        True,
    ),
    "http_status": Reason("read", "its host will not give it", "Look at the address: 404 and 410 say that it is gone.", False),
    "http_unavailable": Reason(
        "read", "its host cannot give it now", "Run again later, or lower per_host_count of the recipe's downloads.", True
    ),
    "redirect_loop": Reason("read", "its host sends in circles", "Correct the address in the list.", False),
    "private_address": Reason(
        "read",
        "a public host sends to an address within a private network",
        "If you trust it, put the address itself into the list.",
        False,
    ),
    "too_large": Reason(
        "read",
        "it is larger than the recipe's downloads allow",
        "If it is honest, raise max_bytes of the recipe's downloads.",
        True,
    ),
    "robots_disallowed": Reason(
        "read",
        "its site asks robots to leave it",
        "Leave it. With the site's leave, set respect_robots of the recipe's downloads to false.",
        True,
    ),
    "changed_while_read": Reason(
        "pack", "its bytes changed between reading and writing", "Run again once nothing writes to the source.", True
    ),
}
"""By code. Codes are stable: they are stored in datasets and used by scripts."""

PASSING: Final = frozenset(
    {"unreadable", "unreadable_container", "dns_failure", "connection_failed", "timeout", "tls_failure", "http_unavailable"}
    | {"changed_while_read"}
)
"""Reasons that may be gone by the next run: what was refused for them is read again then."""

FLAGS: Final = {
    "check_lenient": "read by a decoder that passes over damage: damage in it may have gone unseen",
    "extraneous_bytes": "a JPEG with needless bytes between its segments or before its end",
    "frames_unchecked": "so many frames that only the first was decoded to check it",
    "missing_end": "whole but for its end mark",
    "multi_frame": "an animation, several pages or several pictures; see frames in the recipe",
    "odd_metadata": "metadata that cannot be read, or a header field of no known kind; the pixels are sound",
    "odd_profile": "a colour profile that is none; taken as sRGB",
    "opaque_alpha": "an alpha channel in which nothing is transparent",
    "odd_orientation": "an EXIF orientation that is none of 1 to 8; taken as upright",
    "trailing_bytes": "bytes stand behind the end of the image: another file, a film, or rubbish",
    "wrong_extension": "the name ends like another format's",
}
"""What is noticed on an image that is kept all the same, in the column ``flags``."""


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
    stage, sentence, *_ = REASONS[reason]
    return Refusal(stage=stage, reason=reason, message=f"{sentence}: {detail}" if detail else sentence)


def reference() -> str:
    """Return the page ``docs/reasons.md``: every code and every flag, so that the page cannot say anything else.

    Examples
    --------
    >>> "| `empty` | sniff |" in reference()
    True
    """
    rows = [
        f"| `{code}` | {reason.stage} | {reason.sentence} | {reason.advice} | {'yes' if reason.is_retryable else 'no'} |"
        for code, reason in REASONS.items()
    ]
    flags = [f"| `{flag}` | {meaning} |" for flag, meaning in FLAGS.items()]
    return "\n".join([_REASONS_HEAD, *rows, _FLAGS_HEAD, *flags, ""])


_REASONS_HEAD: Final = """# Why an image is refused, and what is noticed on others

This page is made from `toolkit/curation/reasons.py`. Nothing that came in is lost: a refused image is a row of the table
`quarantine` with its stage, its reason, one sentence about this very file, and its bytes up to the recipe's `quarantine_bytes`.
`tonnage quarantine list DATASET` lists them, `tonnage quarantine show DATASET SOURCE` says all of one, and
`tonnage quarantine export DATASET FOLDER` writes their bytes out, with a manifest;
`tonnage quarantine retry DATASET` tries them again. In Python:
`refusals`, `find`, `counts` and `export` of `toolkit.dataset.quarantine`, and `toolkit.retry`.

## Reasons

Codes are stable. *Again* says whether trying the same source again can bring it in: after another recipe, a new reader, or once a
store answers.

| reason | stage | what it means | what to do | again |
|---|---|---|---|---|"""

_FLAGS_HEAD: Final = """
## Flags

Flagged images are kept. To leave some out, look at the column `flags` of `images`.

| flag | what it means |
|---|---|"""

"""Hashes of an image's mirrored and turned selves, from its hash alone: no pixel is looked at again.

Mirrored left to right, the cosines of odd frequency change sign across; top to bottom, down; turned by a quarter, down and
across change places as well. A perceptual hash holds the signs of such frequencies, so each of the eight positions of a
square is a permutation and a complement of its bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

__all__ = ["Transforms", "turned_hashes"]

Transforms = Literal["none", "flips", "rotations", "all"]
"""Which positions of an image count as the same image."""

_SIDE: Final = 8

_POSITIONS: Final[dict[str, tuple[tuple[bool, bool, bool], ...]]] = {
    "none": (),
    "flips": ((False, False, True), (False, True, False), (False, True, True)),
    "rotations": ((False, True, True), (True, False, True), (True, True, False)),
    "all": tuple((bool(n & 4), bool(n & 2), bool(n & 1)) for n in range(1, 8)),
}
"""Whether down and across change places, and then which of them are mirrored; each set is closed with the image as it is."""


def turned_hashes(hashes: Hashes, transforms: Transforms) -> list[Hashes]:
    """Return the hashes of all images in each other position.

    Parameters
    ----------
    hashes : numpy.ndarray
        Perceptual hashes, uint64.
    transforms : str
        ``flips``: mirrored left to right, top to bottom, and both, which is turned by half; ``rotations``: turned by a
        quarter, a half and three quarters; ``all``: the seven others of a square; ``none``.

    Examples
    --------
    >>> left_to_right, _, _ = turned_hashes(np.array([0], dtype=np.uint64), "flips")
    >>> hex(left_to_right[0])
    '0x5555555555555555'
    """
    return [_turned(hashes, *position) for position in _POSITIONS[transforms]]


def _turned(hashes: Hashes, is_swapped: bool, is_down: bool, is_across: bool) -> Hashes:
    """Return the hashes of images in one other position; the first bit belongs to the mean, and no mirror turns it."""
    moved = _transposed(hashes) if is_swapped else hashes
    down, across = np.indices((_SIDE, _SIDE))
    odd = (down * is_down + across * is_across) % 2 == 1
    mask: np.uint64 = np.packbits(odd.ravel()).view(">u8").astype(np.uint64)[0]
    return moved ^ mask


def _transposed(hashes: Hashes) -> Hashes:
    """Return 8 x 8 bits with rows and columns exchanged: three rounds of exchanging blocks off the diagonal.

    Source: Warren, "Hacker's Delight", 2nd edition, section 7-3.
    """
    moved = hashes
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
        step = np.uint64(shift)
        exchanged = (moved ^ (moved >> step)) & np.uint64(mask)
        moved = moved ^ exchanged ^ (exchanged << step)
    return moved

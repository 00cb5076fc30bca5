"""Scores of an image from its scaled luma: stored for every image, judged by nobody until a recipe names a threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from PIL import Image

from toolkit.curation.scaling import box_matrix, cubic_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["SCORED_PX", "scored_luma", "scores", "scores_of"]

SCORED_PX: Final = 48
"""Shorter side of the luma that scores are taken from; a smaller image is taken as it is.

Source: cleanvision 0.3 scales to 64 px on the longer side before it looks for blur: 48 on the shorter, of most photographs."""

_FOCUS_PX: Final = 64

_Level = TypeVar("_Level", np.uint8, np.float32)

_EVEN_LEVELS: Final = 10
"""Gray levels of 255 by which a frame may stray from one shade: what JPEG adds to it."""

_LEVELS: Final = np.arange(256)

_LONGEST_PX: Final = 2_048
"""Longer lumas (panoramas) are scaled by Pillow: the matrix that does it for others grows with the square of the side."""


def scored_luma(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a luma averaged down to ``SCORED_PX`` on its shorter side, so that scores of all images are of one scale.

    Sharpness depends on the scale at which it is taken; decoders stop at whatever eighth of the size is large enough.
    """
    height, width = luma.shape
    shorter = min(height, width)
    if shorter <= SCORED_PX:
        return luma
    rows, columns = max(1, round(height * SCORED_PX / shorter)), max(1, round(width * SCORED_PX / shorter))
    if max(height, width) > _LONGEST_PX:
        return np.asarray(Image.fromarray(luma).resize((columns, rows), Image.Resampling.BOX, reducing_gap=2.0), dtype=np.uint8)
    scaled = box_matrix(height, rows) @ luma.astype(np.float32) @ box_matrix(width, columns).T
    return (scaled + np.float32(0.5)).astype(np.uint8)


def scores(luma: NDArray[np.uint8], width_px: int, height_px: int, fine: NDArray[np.uint8] | None = None) -> dict[str, Any]:
    """Return the scores of ``toolkit.dataset.schema.SCORE_FIELDS`` of one image, but for that of its colours.

    Parameters
    ----------
    luma : numpy.ndarray
        Shape (height, width), uint8, as ``scored_luma`` gives it.
    width_px, height_px : int
        Display size of the image.
    fine : numpy.ndarray, optional
        What the luma was scaled from: focus is told from it, since averages of averages look blurred; by default the luma.

    Examples
    --------
    >>> flat = scores(np.full((20, 30), 255, dtype=np.uint8), 30, 20)
    >>> flat["brightness_share"], flat["contrast_share"], flat["entropy_bits"], flat["sharpness_score"]
    (1.0, 0.0, 0.0, 0.0)
    """
    return scores_of([luma], [luma if fine is None else fine], [min(width_px, height_px) / max(width_px, height_px)])[0]


def scores_of(
    lumas: Sequence[NDArray[np.uint8]], fine: Sequence[NDArray[np.uint8]], aspects: Sequence[float]
) -> list[dict[str, Any]]:
    """Return the scores of many images, those of one shape at once; of each as if it were alone, to the last bit.

    Parameters
    ----------
    lumas, fine : sequence of numpy.ndarray
        Shapes (height, width), uint8, as in ``scores``.
    aspects : sequence of float
        Shorter over longer side of each image.

    Notes
    -----
    Dark and light are the 99th and 5th percentile of brightness and the aspect the shorter over the longer side, as
    cleanvision 0.3 has them (on luma); sharpness is the variance of the 4-neighbour Laplacian, Pech-Pacheco et al. 2000,
    "Diatom autofocusing in brightfield microscopy"; entropy is Shannon's over the 256 gray levels.

    All sums are of whole numbers, which are exact in any order: how images are grouped shows in no score.
    """
    if not lumas:
        return []
    pixel_count = np.array([luma.size for luma in lumas])
    counts = _histograms(lumas, pixel_count)
    sharpness = np.empty(len(lumas))
    has_even_side = np.empty(len(lumas), dtype=np.bool_)
    for indices, stack in _stacks(lumas):
        sharpness[indices] = _laplacian_variances(stack)
        has_even_side[indices] = _have_even_side(stack)
    columns = {
        "sharpness_score": sharpness,
        **_of_levels(counts, pixel_count),
        "focus_score": _focus(_focused(fine), counts, pixel_count),
        "aspect_share": np.array(aspects, dtype=np.float64),
    }
    borders = [_border_share(luma) if even else 0.0 for luma, even in zip(lumas, has_even_side.tolist(), strict=True)]
    rows = zip(*(values.tolist() for values in columns.values()), borders, strict=True)
    names = [*columns, "border_share"]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _histograms(lumas: Sequence[NDArray[np.uint8]], pixel_count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many pixels of each image have each of the 256 levels, shape (image, 256)."""
    levels = np.repeat(256 * np.arange(len(lumas)), pixel_count)
    levels += np.concatenate([luma.ravel() for luma in lumas])
    return np.bincount(levels, minlength=256 * len(lumas)).reshape(len(lumas), 256)


def _stacks(images: Sequence[NDArray[_Level]]) -> Iterator[tuple[list[int], NDArray[_Level]]]:
    """Yield the images of each shape, as their numbers and one array; those that are higher than wide lie on their side.

    What is taken from a stack is to be the same of a picture and of its mirror image.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    lying = [image.T if image.shape[0] > image.shape[1] else image for image in images]
    for index, image in enumerate(lying):
        alike.setdefault(image.shape, []).append(index)
    for indices in alike.values():
        yield indices, np.array([lying[index] for index in indices])


def _of_levels(counts: NDArray[np.int64], pixel_count: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return the scores that follow from histograms alone."""
    mean = counts @ _LEVELS / (255 * pixel_count)
    mean_square = counts @ _LEVELS**2 / (255**2 * pixel_count)
    up_to = counts.cumsum(axis=1)
    return {
        "brightness_share": mean,
        "dark_share": (up_to < 0.99 * pixel_count[:, None]).sum(axis=1) / 255,
        "light_share": (up_to < 0.05 * pixel_count[:, None]).sum(axis=1) / 255,
        "contrast_share": np.sqrt(np.maximum(0.0, mean_square - mean**2)),
        "entropy_bits": _entropy_bits(counts, pixel_count),
    }


def _entropy_bits(counts: NDArray[np.int64], pixel_count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Source: Shannon 1948, "A mathematical theory of communication"."""
    all_bits = np.array([math.log2(count) for count in pixel_count.tolist()])
    bits = counts * np.log2(np.maximum(counts, 1))
    return np.asarray(np.maximum(0.0, all_bits - bits.sum(axis=1) / pixel_count))


def _focus(
    images: Sequence[NDArray[np.float32]], counts: NDArray[np.int64], pixel_count: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how clear images are: the spread of their edges at 64 px on the longer side, and of their histogram if uneven.

    Source: cleanvision 0.3.7, ``BlurrinessProperty``, with its defaults; there from the whole image, here from a scaled luma.
    """
    mean, mean_square = np.empty(len(images)), np.empty(len(images))
    for indices, stack in _stacks(images):
        mean[indices], mean_square[indices] = _edge_moments(stack)
    clear = 1 - np.exp(-2.55 * np.sqrt(np.maximum(0.0, mean_square - mean**2)) / 255)
    sizes = np.array([image.size for image in images])
    spread_counts = (counts**2).sum(axis=1) / 256 - (pixel_count / 256) ** 2
    deviation = np.sqrt(np.maximum(0.0, spread_counts)) * sizes / pixel_count
    spread = 1 - np.exp(-0.01 * deviation)
    return np.asarray(np.minimum(1.0, clear + np.where(spread > 0.18, spread, 0.0)))


def _focused(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    """Return images, as whole gray levels, as focus is told from them: at most ``_FOCUS_PX`` on their longer side.

    They are scaled by the cubic kernel, first across and then down, and rounded after each, as Pillow's ``resize`` rounds.
    """
    sizes = [_focus_size(*image.shape) for image in images]
    flat, across = _room([(image.shape[0], columns) for image, (_, columns) in zip(images, sizes, strict=True)])
    for image, found in zip(images, across, strict=True):
        if image.shape[1] == found.shape[1]:
            found[:] = image
        else:
            np.matmul(image.astype(np.float32), cubic_matrix(image.shape[1], found.shape[1]).T, out=found)
    _round(flat)
    flat, down = _room(sizes)
    for gray, found in zip(across, down, strict=True):
        if len(gray) == len(found):
            found[:] = gray
        else:
            np.matmul(cubic_matrix(len(gray), len(found)), gray, out=found)
    _round(flat)
    return down


def _focus_size(height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns that focus is told from."""
    ratio = max(1.0, max(width, height) / _FOCUS_PX)
    return max(1, int(height / ratio)), max(1, int(width / ratio))


def _room(shapes: Sequence[tuple[int, int]]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return room for images of some shapes, all of it in a row and by image: what is done to each pixel is done at once."""
    ends = np.cumsum([rows * columns for rows, columns in shapes]).tolist()
    flat = np.empty(ends[-1], dtype=np.float32)
    return flat, [
        flat[end - rows * columns : end].reshape(rows, columns) for end, (rows, columns) in zip(ends, shapes, strict=True)
    ]


def _round(gray: NDArray[np.float32]) -> None:
    """Round to whole gray levels, in place."""
    np.rint(gray, out=gray)
    np.clip(gray, 0, 255, out=gray)


def _edge_moments(gray: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and mean square of eight times each pixel less its neighbours, cut to a byte; the border as it is.

    Source: Pillow, ``ImageFilter.FIND_EDGES``.
    """
    edges = gray.astype(np.float64)  # whole numbers: their sums are exact
    if min(gray.shape[1:]) > 2:
        columns = gray[:, :, :-2] + gray[:, :, 1:-1]
        columns += gray[:, :, 2:]
        inner = 9 * gray[:, 1:-1, 1:-1]
        inner -= columns[:, :-2]
        inner -= columns[:, 1:-1]
        inner -= columns[:, 2:]
        edges[:, 1:-1, 1:-1] = np.clip(inner, 0, 255, out=inner)
    return _moments(edges)


def _moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the mean square of each image's values, which are whole numbers."""
    flat = values.reshape(len(values), -1)
    return flat.sum(axis=1) / flat.shape[1], np.einsum("ij,ij->i", flat, flat) / flat.shape[1]


def _have_even_side(stack: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which images have an even line at any side: most have none, and then they have no border."""
    sides = (stack[:, 0], stack[:, -1], stack[:, :, 0], stack[:, :, -1])
    is_even = [side.max(axis=1) - side.min(axis=1) <= _EVEN_LEVELS for side in sides]
    return np.asarray(np.any(is_even, axis=0), dtype=np.bool_)


def _border_share(luma: NDArray[np.uint8]) -> float:
    """Return the share of the area outside the box that even lines of one shade a side leave; 0 where they leave none.

    A picture of two even halves is no frame; a blank one is all frame.
    """
    height, width = luma.shape
    top, bottom = _even_lines(luma), _even_lines(luma[::-1])
    if top == height:
        return 1.0
    if top + bottom >= height:
        return 0.0
    inner = luma[top : height - bottom].T
    left, right = _even_lines(inner), _even_lines(inner[::-1])
    return 0.0 if left + right >= width else 1 - (height - top - bottom) * (width - left - right) / luma.size


def _even_lines(lines: NDArray[np.uint8]) -> int:
    """Return how many lines from the first on are even and of the first one's shade."""
    first = lines[0].tobytes()  # most images end here
    if max(first) - min(first) > _EVEN_LEVELS:
        return 0
    shade = first[0]
    low, high = max(0, shade - _EVEN_LEVELS), min(255, shade + _EVEN_LEVELS)
    is_even = (lines.min(axis=1) >= low) & (lines.max(axis=1) <= high)
    return len(is_even) if is_even.all() else int(is_even.argmin())


def _laplacian_variances(stack: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the variance of each image's 4-neighbour Laplacian; in squared gray levels."""
    if min(stack.shape[1:]) < 3:
        return np.zeros(len(stack))
    gray = stack.astype(np.int16)
    laplacian = -4 * gray[:, 1:-1, 1:-1]  # whole numbers below 2**11: exact
    laplacian += gray[:, :-2, 1:-1]
    laplacian += gray[:, 2:, 1:-1]
    laplacian += gray[:, 1:-1, :-2]
    laplacian += gray[:, 1:-1, 2:]
    mean, square = _moments(laplacian.astype(np.float64))
    return np.asarray(np.maximum(0.0, square - mean**2))

"""What a report shows of a dataset beyond its profile: refusals, look-alikes, extremes, and thumbnails of them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.facts import DatasetProfile  # noqa: TC001  # a field's type can be resolved at run time
from toolkit.reporting.blocks import Picture
from toolkit.reporting.evidence_changes import VersionChange, newest_changes
from toolkit.reporting.evidence_copies import copies_of
from toolkit.reporting.wording import TIMES
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolkit.dataset.reading import Dataset

__all__ = ["PICTURE_BUDGET_BYTES", "DatasetEvidence", "gather"]

PICTURE_BUDGET_BYTES: Final = 400_000
"""All thumbnails of a report together, as they stand in the page."""

THUMBNAIL_PX: Final = 112
_SAMPLE_ROWS: Final = 3_000
_REFUSALS_HELD: Final = 500
_PICTURES_PER_REASON: Final = 6
_GROUPS_SHOWN: Final = 8
_GROUP_PICTURES: Final = 5
_EXTREMES_SHOWN: Final = 6

_EXTREMES: Final = {
    "Darkest": ("brightness_share", False, "{} of white"),
    "Lightest": ("brightness_share", True, "{} of white"),
    "Least sharp": ("sharpness_score", False, "sharpness {}"),
    "Least contrast": ("contrast_share", False, "contrast {}"),
    "Most elongated": ("aspect_share", False, "sides 1 to {}"),
    "Fewest pixels": ("pixels", False, "{}"),
}
"""Contact sheets: the column by which images are ranked, whether from the top, and what is said of its value."""

_HASH_BITS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEvidence:
    """A dataset's profile, with what can be shown of it; only the profile when the dataset itself is not there."""

    profile: DatasetProfile
    refusals: pl.DataFrame | None = None
    """Source, reason, message, size_bytes: the first few hundred refusals."""
    refused: Mapping[str, Picture] = field(default_factory=dict)
    """Pictures of refused images by source, a few for each reason."""
    groups: tuple[tuple[Picture, ...], ...] = ()
    """Near duplicates, side by side."""
    copies: tuple[tuple[tuple[Picture, ...], int], ...] = ()
    """Exact duplicates, the kept image first, with how often each was found in all."""
    changes: tuple[VersionChange, ...] = ()
    """What each of the newest versions changed, the newest first."""
    extremes: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    """Contact sheets by title."""
    images: pl.DataFrame | None = None
    """Facts and scores of at most a few thousand images, evenly spaced over the dataset."""


class Gallery:
    """Turns bytes into thumbnails until the budget is spent."""

    def __init__(self, budget_bytes: int = PICTURE_BUDGET_BYTES) -> None:
        self.left_bytes = budget_bytes

    def picture(self, payload: Callable[[], bytes | None], name: str, note: str = "") -> Picture:
        """Return the picture of some bytes; without a thumbnail where they cannot be drawn or the budget is spent."""
        from PIL import Image

        from toolkit.curation.decode import preview

        if self.left_bytes <= 0:
            return Picture(name=name, note=note)
        encoded = payload()
        if not encoded:
            return Picture(name=name, note=note)
        thumbnail = preview(encoded, THUMBNAIL_PX)
        if not thumbnail:
            return Picture(name=name, note=note)
        with Image.open(io.BytesIO(thumbnail), formats=("WEBP",)) as drawn:
            width, height = drawn.size
        uri = f"data:image/webp;base64,{base64.b64encode(thumbnail).decode()}"
        if len(uri) > self.left_bytes:
            return Picture(name=name, note=note)
        self.left_bytes -= len(uri)
        return Picture(name=name, uri=uri, note=note, width_px=width, height_px=height)


def gather(dataset: Dataset, gallery: Gallery) -> DatasetEvidence:
    """Return what a report shows of a dataset, read from its tables: a few hundred rows, a few dozen images."""
    refusals = dataset.refusals()
    images = _ranked(dataset)
    return DatasetEvidence(
        profile=dataset.profile,
        refusals=refusals.head(_REFUSALS_HELD),
        refused=_refused(dataset, refusals, gallery),
        copies=copies_of(dataset, gallery),
        groups=_groups(dataset, gallery),
        extremes={title: _extreme(dataset, images, gallery, *how) for title, how in _EXTREMES.items()},
        changes=newest_changes(dataset),
        images=images.gather_every(max(images.height // _SAMPLE_ROWS, 1)),
    )


def _ranked(dataset: Dataset) -> pl.DataFrame:
    shown = ("source", "width_px", "height_px", "size_bytes")
    scores = (
        "sharpness_score",
        "brightness_share",
        "dark_share",
        "light_share",
        "contrast_share",
        "entropy_bits",
        "aspect_share",
    )
    pixels = (pl.col("width_px").cast(pl.Int64) * pl.col("height_px")).alias("pixels")
    return dataset.scan("images").select(*shown, *scores, pixels).collect().with_row_index("position")


_NEVER_DRAWN: Final = frozenset({"too_many_pixels", "too_many_frames", "decoder_crash"})
"""Reasons for which the bytes are not decoded again, not even for a thumbnail."""


def _refused(dataset: Dataset, refusals: pl.DataFrame, gallery: Gallery) -> dict[str, Picture]:
    shown: dict[str, Picture] = {}
    for (reason,), rows in refusals.group_by("reason", maintain_order=True):
        for source in rows["source"].head(_PICTURES_PER_REASON):
            payload = _refused_payload(dataset, source, drawn=reason not in _NEVER_DRAWN)
            shown[source] = gallery.picture(payload, source)
    return shown


def _refused_payload(dataset: Dataset, source: str, *, drawn: bool) -> Callable[[], bytes | None]:
    return lambda: dataset.refused_bytes(source) if drawn else None


def _groups(dataset: Dataset, gallery: Gallery) -> tuple[tuple[Picture, ...], ...]:
    rows = (
        dataset.scan("images")
        .select("source", "duplicate_group", "width_px", "height_px", "size_bytes", "perceptual_hash")
        .collect()
    )
    rows = rows.with_row_index("position").filter(pl.col("duplicate_group").is_not_null())
    large = rows.with_columns(members=pl.len().over("duplicate_group")).filter(pl.col("members") > 1)
    large = large.sort("members", "duplicate_group", "position", descending=[True, False, False])
    groups: list[tuple[Picture, ...]] = []
    for _, members in large.group_by("duplicate_group", maintain_order=True):
        if len(groups) == _GROUPS_SHOWN:
            break
        first, *others = members.head(_GROUP_PICTURES).iter_rows(named=True)
        pictures = [_kept(dataset, first, gallery, _size_words(first))]
        pictures += [_kept(dataset, row, gallery, f"{_size_words(row)}{_apart(first, row)}") for row in others]
        groups.append(tuple(pictures))
    return tuple(groups)


def _apart(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    """Return by how many bits the hashes of two images differ; nothing where one has none."""
    hashes = [row["perceptual_hash"] for row in (one, other)]
    if not all(isinstance(held, int) for held in hashes):
        return ""
    bits = ((int(str(hashes[0])) ^ int(str(hashes[1]))) & (2**_HASH_BITS - 1)).bit_count()
    return f", {bits} of {_HASH_BITS} bits from the first"


def _extreme(
    dataset: Dataset, images: pl.DataFrame, gallery: Gallery, column: str, from_top: bool, words: str
) -> tuple[Picture, ...]:
    rows = (
        images.filter(pl.col(column).is_not_null()).sort(column, "position", descending=[from_top, False]).head(_EXTREMES_SHOWN)
    )
    return tuple(
        _kept(dataset, row, gallery, words.format(_extreme_words(column, row[column]))) for row in rows.iter_rows(named=True)
    )


def _extreme_words(column: str, value: float) -> str:
    """Return a score as people read it: of the shorter side over the longer one, how many times as long the longer one is."""
    if column == "aspect_share":
        return show(1 / value, "ratio", 2) if value else "unbounded"
    return show(value, "share" if column.endswith("_share") else "pixels" if column == "pixels" else "ratio")


def _kept(dataset: Dataset, row: Mapping[str, object], gallery: Gallery, note: str) -> Picture:
    position = row["position"]
    assert isinstance(position, int)
    return gallery.picture(lambda: dataset.get(position), str(row["source"]), note)


def _size_words(row: Mapping[str, object]) -> str:
    return f"{row['width_px']}{TIMES}{row['height_px']}, {show(float(str(row['size_bytes'])), 'bytes', 2)}"

"""Which images are the same, and which look alike: joins over hashes, no pixels.

Exact duplicates have equal bytes or equal pixels. Near duplicates have perceptual hashes that differ in a few bits; all that
pairs within the distance connect is found, not a sample: among new images by ``neighbours``, against earlier ones by ``earlier``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from toolkit.curation.earlier import Labelled, near_labels
from toolkit.curation.neighbours import near_edges
from toolkit.curation.turning import Transforms, turned_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NearGroups", "exact_duplicates", "near_groups", "twin_candidates"]

_TWIN: Final = ("width_px", "height_px", "luma_hash")
"""What two images have in common before a full decode is worth it."""


def twin_candidates(rows: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Return one line per distinct content whose full-colour pixel hash must be taken, because another looks equal in luma.

    Parameters
    ----------
    rows, history : pl.DataFrame
        New and earlier images: ``image_id``, ``sha256``, ``width_px``, ``height_px``, ``luma_hash``, ``pixel_hash``.

    Returns
    -------
    pl.DataFrame
        ``image_id``, ``sha256`` and ``is_new``. Content that has a pixel hash already, and pairs of earlier images, are left out.
    """
    columns = ["image_id", "sha256", *_TWIN, "pixel_hash"]
    hashed = [frame.select(pl.struct(_TWIN).hash()).to_series() for frame in (rows, history)]
    met = hashed[0].filter(hashed[0].is_duplicated() | hashed[0].is_in(hashed[1].implode())).unique().implode()
    both = pl.concat(
        [
            frame.filter(keys.is_in(met)).select(columns).with_columns(is_new=pl.lit(is_new))
            for frame, keys, is_new in zip((rows, history), hashed, (True, False), strict=True)
        ]
    )  # of most, no other has the luma, so that they need not be looked at
    contents = both.drop_nulls("luma_hash").sort("sha256", "is_new").unique("sha256", keep="first", maintain_order=True)
    is_twin = (pl.len().over(_TWIN) > 1) & pl.col("is_new").any().over(_TWIN)
    return contents.filter(is_twin & pl.col("pixel_hash").is_null()).select("image_id", "sha256", "is_new").sort("sha256")


def exact_duplicates(rows: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Return ``row`` and ``duplicate_of`` of every image that is not the first with its bytes or its pixels.

    Earlier batches come first, then the smallest source.

    Parameters
    ----------
    rows : pl.DataFrame
        New images: ``row``, ``source``, ``image_id``, ``sha256``, ``pixel_hash``.
    history : pl.DataFrame
        Images kept before: ``image_id``, ``sha256``, ``pixel_hash``.
    """
    content = pl.coalesce("pixel_hash", "sha256")
    keys = rows.select(content.hash()).to_series()
    is_met = pl.col("sha256").is_in(history["sha256"].implode()) | pl.col("pixel_hash").is_in(history["pixel_hash"].implode())
    rows = rows.filter(keys.is_duplicated() | is_met.fill_null(value=False))  # most are met by none, and need no more
    by_bytes = history.select("sha256", of_bytes="image_id").unique("sha256", keep="first", maintain_order=True)
    by_pixels = history.drop_nulls("pixel_hash").select("pixel_hash", of_pixels="image_id").unique("pixel_hash", keep="first")
    matched = rows.join(by_bytes, on="sha256", how="left").join(by_pixels, on="pixel_hash", how="left")
    earlier = pl.coalesce("of_bytes", "of_pixels").max().over(content)
    first = pl.col("image_id").sort_by("source").first().over(content)
    is_first = pl.col("source") == pl.col("source").min().over(content)
    return (
        matched.with_columns(earlier=earlier, duplicate_of=pl.coalesce(earlier, first))
        .filter(pl.col("earlier").is_not_null() | ~is_first)
        .select("row", "duplicate_of")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NearGroups:
    """Groups of images that look alike."""

    members: pl.DataFrame
    """``row``, ``duplicate_group``: one line per image that was compared; alone, an image founds its own group."""
    bridges: pl.DataFrame
    """``row``, ``duplicate_group``, ``other_group``: earlier groups that new images turned out to join, one line per image and
    group beside its own; they are left as they were."""


def near_groups(
    rows: pl.DataFrame,
    history: pl.DataFrame,
    distance: int,
    *,
    transforms: Transforms = "none",
    memory_bytes: int = 2**30,
) -> NearGroups:
    """Return the group of each new image: an earlier group where one is near, else one named after its founder.

    A group is closed under nearness: two images of one may be further apart than the distance if others lie between. Its
    founder is the image of the smallest source. Where several earlier groups are near, the nearest is joined.

    Parameters
    ----------
    rows : pl.DataFrame
        New images: ``row``, ``source``, ``image_id``, ``perceptual_hash``.
    history : pl.DataFrame
        Images kept before: ``perceptual_hash``, ``duplicate_group``.
    distance : int
        Largest number of differing bits.
    transforms : str
        Positions in which an image is still the same: its hash in each of them is compared as well.
    memory_bytes : int
        Memory of the search, beside the hashes and what is found.
    """
    hashes = rows["perceptual_hash"].unique().sort()
    new = hashes.reinterpret(signed=False).to_numpy()
    turned = [new, *turned_hashes(new, transforms)]
    nodes = pl.DataFrame({"perceptual_hash": hashes, "component": _components(turned, distance, memory_bytes)})
    found = rows.select("row", "source", "image_id", "perceptual_hash").join(
        nodes, on="perceptual_hash", how="left", maintain_order="left"
    )
    crowded = found.filter(pl.col("component").is_duplicated())
    founders = crowded.group_by("component").agg(founder=pl.col("image_id").sort_by("source").first())
    found = found.select("row", "image_id", "component").join(founders, on="component", how="left", maintain_order="left")
    founder = pl.coalesce("founder", "image_id")
    earlier = _earlier_groups(turned, nodes["component"], history, distance, memory_bytes)
    nearest = earlier.group_by("component", maintain_order=True).agg(joined=pl.col("duplicate_group").first())
    members = found.join(nearest, on="component", how="left", maintain_order="left").select(
        "row", "component", duplicate_group=pl.coalesce("joined", founder)
    )
    bridges = (
        members.join(earlier.rename({"duplicate_group": "other_group"}), on="component")
        .filter(pl.col("other_group") != pl.col("duplicate_group"))
        .select("row", "duplicate_group", "other_group")
        .sort("row", "other_group")
    )
    return NearGroups(members=members.drop("component"), bridges=bridges)


def _components(turned: list[NDArray[np.uint64]], distance: int, memory_bytes: int) -> pl.Series:
    """Return the number of the connected component of each image, whose hashes in all positions are one node."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    image_count = len(turned[0])
    ordered, positions = np.unique(np.concatenate(turned), return_inverse=True)
    left, right = near_edges(ordered, distance, memory_bytes=memory_bytes)
    images = np.tile(np.arange(image_count), len(turned))
    first = np.empty(len(ordered), dtype=np.int64)
    first[positions[::-1]] = images[::-1]
    ends = (
        np.concatenate([first[np.searchsorted(ordered, left)], images]),
        np.concatenate([first[np.searchsorted(ordered, right)], first[positions]]),
    )
    graph = coo_matrix((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(image_count, image_count))
    return pl.Series(connected_components(graph, directed=False)[1], dtype=pl.Int64)


def _earlier_groups(
    turned: list[NDArray[np.uint64]], components: pl.Series, history: pl.DataFrame, distance: int, memory_bytes: int
) -> pl.DataFrame:
    """Return ``component``, ``duplicate_group`` of every earlier group near a component, nearest first."""
    known = history.drop_nulls("perceptual_hash").group_by("perceptual_hash").agg(pl.col("duplicate_group").min())
    known = known.with_columns(pl.col("perceptual_hash").reinterpret(signed=False)).sort("perceptual_hash")
    names = known["duplicate_group"].unique().sort()
    numbers = known["duplicate_group"].rank("dense").cast(pl.Int64) - 1  # in the order of the names
    old = Labelled(hashes=known["perceptual_hash"].to_numpy(), labels=numbers.to_numpy())
    every = {"hash": np.concatenate(turned), "component": np.tile(components.to_numpy(), len(turned))}
    own = pl.DataFrame(every).unique().sort("hash")  # equal hashes are of one component
    new = Labelled(hashes=own["hash"].to_numpy(), labels=own["component"].to_numpy())
    component, number, least = near_labels(new, old, distance, memory_bytes=memory_bytes)
    near = pl.DataFrame({"component": component, "number": number, "distance": least}).sort("component", "distance", "number")
    return near.select("component", duplicate_group=names.gather(near["number"]))

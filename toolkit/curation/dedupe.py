"""Which images are the same, and which look alike: joins over hashes, no pixels.

Exact duplicates have equal bytes or equal pixels. Near duplicates have perceptual hashes that differ in a few bits; every
pair within the distance is found, not a sample: hashes are cut into blocks, and by the pigeonhole principle two hashes
that differ in at most ``d`` bits agree entirely in all but ``d`` of ``k`` blocks. Joining on each choice of ``k - d``
blocks finds them all, and the true distance is then taken of each candidate.

Source: Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, section 3.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from toolkit.curation.neighbours import near_edges

__all__ = ["NearGroups", "exact_duplicates", "near_groups", "near_pairs", "twin_candidates"]

_HASH_BITS: Final = 64

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
    both = pl.concat(
        [
            rows.select(columns).with_columns(is_new=pl.lit(value=True)),
            history.select(columns).with_columns(is_new=pl.lit(value=False)),
        ]
    )
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


def _block_masks(distance: int, block_count: int) -> list[int]:
    """Return the masks of each choice of ``block_count - distance`` blocks of a 64-bit hash.

    Examples
    --------
    >>> [hex(mask) for mask in _block_masks(1, 2)]
    ['0xffffffff', '0xffffffff00000000']
    """
    edges = [_HASH_BITS * i // block_count for i in range(block_count + 1)]
    blocks = [(1 << high) - (1 << low) for low, high in itertools.pairwise(edges)]
    return [sum(choice) for choice in itertools.combinations(blocks, block_count - distance)]


def _block_count(distance: int, left_count: int, right_count: int) -> int:
    """Return how many blocks make the joins cheapest: more blocks mean more joins with fewer chance meetings in each.

    Examples
    --------
    >>> _block_count(4, 1_000, 1_000), _block_count(4, 10**6, 10**6), _block_count(4, 10**7, 10**7)
    (5, 6, 6)
    """

    def cost(blocks: int) -> float:
        joined_bits = _HASH_BITS * (blocks - distance) / blocks
        meetings = left_count * right_count / 2**joined_bits
        return math.comb(blocks, distance) * (4 * (left_count + right_count) + meetings)

    return min(range(distance + 1, distance + 5), key=cost)


def near_pairs(left: pl.Series, right: pl.Series, distance: int) -> pl.DataFrame:
    """Return every pair of hashes that differ in at most ``distance`` bits.

    Parameters
    ----------
    left, right : pl.Series
        Distinct 64-bit hashes as ``UInt64``. Where both are the same series, each pair comes once and none with itself.
    distance : int
        Largest number of differing bits.

    Returns
    -------
    pl.DataFrame
        ``left`` and ``right`` (positions), ``distance``.

    Examples
    --------
    >>> hashes = pl.Series([0b0, 0b11, 0b1111111], dtype=pl.UInt64)
    >>> near_pairs(hashes, hashes, 4).rows()
    [(0, 1, 2)]
    """
    is_self = left is right
    a = pl.DataFrame({"a": left}).lazy().with_row_index("left")
    b = pl.DataFrame({"b": right}).lazy().with_row_index("right")
    found = []
    for mask in _block_masks(distance, _block_count(distance, len(left), len(right))):
        key = pl.lit(mask, dtype=pl.UInt64)
        met = a.with_columns(key=pl.col("a") & key).join(b.with_columns(key=pl.col("b") & key), on="key")
        if is_self:
            met = met.filter(pl.col("left") < pl.col("right"))
        bits = (pl.col("a") ^ pl.col("b")).bitwise_count_ones()
        near = met.select("left", "right", distance=bits.cast(pl.UInt8)).filter(pl.col("distance") <= distance)
        found.append(near.collect(engine="streaming"))
    return pl.concat(found).unique().sort("left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class NearGroups:
    """Groups of images that look alike."""

    members: pl.DataFrame
    """``row``, ``duplicate_group``: one line per image that was compared; alone, an image founds its own group."""
    bridges: pl.DataFrame
    """``duplicate_group``, ``other_group``: earlier groups that a new image turned out to join; they are left as they were."""


def near_groups(rows: pl.DataFrame, history: pl.DataFrame, distance: int) -> NearGroups:
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
    """
    hashes = rows["perceptual_hash"].unique().sort()
    new = hashes.reinterpret(signed=False)
    nodes = pl.DataFrame({"perceptual_hash": hashes, "component": _components(new, distance)})
    found = rows.join(nodes, on="perceptual_hash", how="left", maintain_order="left")
    founder = pl.col("image_id").sort_by("source").first().over("component")
    earlier = _earlier_groups(new, nodes["component"], history, distance)
    nearest = earlier.group_by("component", maintain_order=True).agg(joined=pl.col("duplicate_group").first())
    members = found.join(nearest, on="component", how="left", maintain_order="left").select(
        "row", duplicate_group=pl.coalesce("joined", founder)
    )
    bridges = (
        earlier.join(nearest, on="component")
        .filter(pl.col("duplicate_group") != pl.col("joined"))
        .select(duplicate_group="joined", other_group="duplicate_group")
        .unique()
        .sort("duplicate_group", "other_group")
    )
    return NearGroups(members=members, bridges=bridges)


def _components(hashes: pl.Series, distance: int) -> pl.Series:
    """Return the number of the connected component of each hash."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ordered = np.sort(hashes.to_numpy())
    left, right = near_edges(ordered, distance)
    ends = (np.searchsorted(ordered, left), np.searchsorted(ordered, right))
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), ends), shape=(len(ordered), len(ordered)))
    found = connected_components(graph, directed=False)[1]
    return pl.Series(found[np.searchsorted(ordered, hashes.to_numpy())], dtype=pl.Int64)


def _earlier_groups(new: pl.Series, components: pl.Series, history: pl.DataFrame, distance: int) -> pl.DataFrame:
    """Return ``component``, ``duplicate_group`` of every earlier group near a component, nearest first."""
    known = history.drop_nulls("perceptual_hash").group_by("perceptual_hash").agg(pl.col("duplicate_group").min())
    old = known["perceptual_hash"].reinterpret(signed=False)
    pairs = near_pairs(new, old, distance)
    attached = pairs.select(
        "distance", component=components.gather(pairs["left"]), duplicate_group=known["duplicate_group"].gather(pairs["right"])
    )
    nearest = attached.group_by("component", "duplicate_group").agg(pl.col("distance").min())
    return nearest.sort("component", "distance", "duplicate_group").select("component", "duplicate_group")

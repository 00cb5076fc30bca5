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
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from toolkit.curation.neighbours import near_edges
from toolkit.curation.turning import Transforms, turned_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NearGroups", "exact_duplicates", "near_groups", "near_pairs", "twin_candidates"]

_HASH_BITS: Final = 64

_COMPARED_BYTES: Final = 128
"""Memory that a join takes per hash of either side, with its index and what meets by chance; taken generously."""

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
    found = rows.join(nodes, on="perceptual_hash", how="left", maintain_order="left")
    founder = pl.col("image_id").sort_by("source").first().over("component")
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
    old = known["perceptual_hash"].reinterpret(signed=False)
    size = max(1, memory_bytes // _COMPARED_BYTES // 2)
    schema = {"distance": pl.UInt8, "component": pl.Int64, "duplicate_group": pl.String}
    attached = [pl.DataFrame(schema=schema)]
    for hashes in turned:
        for start, low in itertools.product(range(0, len(hashes), size), range(0, len(old), size)):
            pairs = near_pairs(pl.Series(hashes[start : start + size]), old.slice(low, size), distance)
            component, group = components.gather(pairs["left"] + start), known["duplicate_group"].gather(pairs["right"] + low)
            attached.append(pairs.select("distance", component=component, duplicate_group=group))
    nearest = pl.concat(attached).group_by("component", "duplicate_group").agg(pl.col("distance").min())
    return nearest.sort("component", "distance", "duplicate_group").select("component", "duplicate_group")

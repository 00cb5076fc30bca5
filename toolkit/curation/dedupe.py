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
from toolkit.curation.identities import in_slices, repeated
from toolkit.curation.neighbours import near_edges
from toolkit.curation.turning import Transforms, turned_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NearGroups", "exact_duplicates", "named", "near_groups", "twin_candidates"]

_TWIN: Final = ("width_px", "height_px", "luma_hash")
"""What two images have in common before a full decode is worth it."""


def named(rows: pl.DataFrame, sources: pl.LazyFrame | None) -> pl.DataFrame:
    """Return a few rows with their ``source``, looked up in ``sources`` (``row``, ``source``) unless they have it."""
    if sources is None or "source" in rows.columns:
        return rows
    if rows.is_empty():
        return rows.with_columns(source=pl.lit(None, pl.String))
    found = sources.join(rows.lazy().select("row"), on="row", how="semi").collect(engine="streaming")
    return rows.join(found, on="row", how="left", maintain_order="left")


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
    keys = pl.concat([rows.select(_TWIN), history.select(_TWIN)])
    is_met = repeated(keys)  # of most, no other has the luma, so that they need not be looked at
    ends = ((rows, 0, True), (history, len(rows), False))
    both = pl.concat(
        [
            frame.filter(is_met.slice(start, len(frame))).select(columns).with_columns(is_new=pl.lit(is_new))
            for frame, start, is_new in ends
        ]
    )
    contents = both.drop_nulls("luma_hash").sort("sha256", "is_new").unique("sha256", keep="first", maintain_order=True)
    is_twin = (pl.len().over(_TWIN) > 1) & pl.col("is_new").any().over(_TWIN)
    return contents.filter(is_twin & pl.col("pixel_hash").is_null()).select("image_id", "sha256", "is_new").sort("sha256")


def exact_duplicates(rows: pl.DataFrame, history: pl.DataFrame, sources: pl.LazyFrame | None = None) -> pl.DataFrame:
    """Return ``row`` and ``duplicate_of`` of every image that is not the first with its bytes or its pixels.

    Earlier batches come first, then the smallest source.

    Parameters
    ----------
    rows : pl.DataFrame
        New images: ``row``, ``source``, ``image_id``, ``sha256``, ``pixel_hash``.
    history : pl.DataFrame
        Images kept before: ``image_id``, ``sha256``, ``pixel_hash``.
    sources : pl.LazyFrame, optional
        ``row`` and ``source``, where the rows have no ``source``: of the few that have copies it is looked up.
    """
    content = pl.coalesce("pixel_hash", "sha256")
    is_met = pl.col("sha256").is_in(history["sha256"].implode()) | pl.col("pixel_hash").is_in(history["pixel_hash"].implode())
    is_crowded = repeated(rows.select(content))
    rows = named(rows.filter(is_crowded | is_met.fill_null(value=False)), sources)  # most are met by none, and need no more
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
    sources: pl.LazyFrame | None = None,
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
    sources : pl.LazyFrame, optional
        ``row`` and ``source``, where the rows have no ``source``.
    """
    hashes = np.unique(rows["perceptual_hash"].reinterpret(signed=False).to_numpy())
    turned = [hashes, *turned_hashes(hashes, transforms)]
    components = _components(turned, distance, memory_bytes)
    component = components[_places(rows["perceptual_hash"], hashes)]
    founder_at = _founders(rows, component, sources)
    earlier = _earlier_groups(turned, components, history, distance, memory_bytes)
    nearest = earlier.unique("component", keep="first", maintain_order=True)
    joins, group_at = _joined(component, nearest["component"])
    founder_at[joins] = len(rows) + group_at  # the names of earlier groups stand behind those of the rows
    every = rows["image_id"] if nearest.is_empty() else pl.concat([rows["image_id"], nearest["duplicate_group"]])
    members = rows.select("row", duplicate_group=every.gather(founder_at))
    bridging = members[joins].with_columns(component=pl.Series(component[joins], dtype=pl.Int64))
    bridges = (
        bridging.join(earlier.rename({"duplicate_group": "other_group"}), on="component")
        .filter(pl.col("other_group") != pl.col("duplicate_group"))
        .select("row", "duplicate_group", "other_group")
        .sort("row", "other_group")
    )
    return NearGroups(members=members, bridges=bridges)


def _places(values: pl.Series, ordered: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return where each hash stands among all, in order."""
    found = in_slices(
        lambda some: pl.Series(np.searchsorted(ordered, some.reinterpret(signed=False).to_numpy()), dtype=pl.UInt32), values
    )
    return np.asarray(found.to_numpy())


def _founders(rows: pl.DataFrame, component: NDArray[np.uint32], sources: pl.LazyFrame | None) -> NDArray[np.uint32]:
    """Return for each row at which place the founder of its component stands: itself, where it is alone."""
    places = np.arange(len(rows), dtype=np.uint32)
    crowded = np.flatnonzero(np.bincount(component)[component] > 1) if len(rows) else places
    if not len(crowded):
        return places
    groups = named(rows[crowded].select("row", *(name for name in ("source",) if name in rows.columns)), sources)
    groups = groups.select("source", at=pl.Series(crowded, dtype=pl.UInt32), component=pl.Series(component[crowded]))
    founder = groups.select(pl.col("at").sort_by("source").first().over("component")).to_series()
    places[crowded] = founder.to_numpy()
    return places


def _joined(component: NDArray[np.uint32], near: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return the places of images whose component lies near an earlier group, and which of these components it is."""
    if near.is_empty():
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint32)
    wanted = near.to_numpy()
    order = np.argsort(wanted)
    at = np.minimum(np.searchsorted(wanted, component, sorter=order), len(wanted) - 1)
    joins = np.flatnonzero(wanted[order[at]] == component)
    return joins, order[at[joins]].astype(np.uint32)


def _components(turned: list[NDArray[np.uint64]], distance: int, memory_bytes: int) -> NDArray[np.uint32]:
    """Return for each hash the place of the first that it is connected with; its hashes in all positions are one node."""
    components = np.arange(len(turned[0]), dtype=np.uint32)
    left, right = _edges(turned, distance, memory_bytes)
    nodes = np.unique(np.concatenate([left, right]))  # most are connected with none: the graph is of those that are
    if len(nodes):
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        ends = (np.searchsorted(nodes, left), np.searchsorted(nodes, right))
        graph = coo_matrix((np.ones(len(left), dtype=np.int8), ends), shape=(len(nodes), len(nodes)))
        labels = connected_components(graph, directed=False)[1]
        _, first = np.unique(labels, return_index=True)
        components[nodes] = nodes[first][labels]
    return components


def _edges(turned: list[NDArray[np.uint64]], distance: int, memory_bytes: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the places of hashes that are near in some position."""
    hashes = turned[0]
    if len(turned) == 1:
        left, right = near_edges(hashes, distance, memory_bytes=memory_bytes)
        return np.searchsorted(hashes, left).astype(np.uint32), np.searchsorted(hashes, right).astype(np.uint32)
    every = np.concatenate(turned)
    images = np.argsort(every, kind="stable")  # a place in ``every``, modulo the images, is an image
    every = every[images]
    images = (images % len(hashes)).astype(np.uint32)
    is_new = np.ones(len(every), dtype=bool)
    is_new[1:] = every[1:] != every[:-1]
    left, right = near_edges(every[is_new], distance, memory_bytes=memory_bytes)
    same = np.flatnonzero(~is_new)
    ends = [(images[same - 1], images[same])] if len(same) else []
    ends.append((images[np.searchsorted(every, left)], images[np.searchsorted(every, right)]))
    one, other = (np.concatenate(side) for side in zip(*ends, strict=True))
    return one, other


def _earlier_groups(
    turned: list[NDArray[np.uint64]], components: NDArray[np.uint32], history: pl.DataFrame, distance: int, memory_bytes: int
) -> pl.DataFrame:
    """Return ``component``, ``duplicate_group`` of every earlier group near a component, nearest first."""
    known = history.drop_nulls("perceptual_hash").group_by("perceptual_hash").agg(pl.col("duplicate_group").min())
    known = known.with_columns(pl.col("perceptual_hash").reinterpret(signed=False)).sort("perceptual_hash")
    names = known["duplicate_group"].unique().sort()
    numbers = known["duplicate_group"].rank("dense").cast(pl.Int64) - 1  # in the order of the names
    old = Labelled(hashes=known["perceptual_hash"].to_numpy(), labels=numbers.to_numpy())
    if known.is_empty():
        return pl.DataFrame(schema={"component": pl.Int64, "duplicate_group": history.schema["duplicate_group"]})
    hashes, labels = turned[0], components.astype(np.int64)
    if len(turned) > 1:
        hashes, first = np.unique(np.concatenate(turned), return_index=True)  # equal hashes are of one component
        labels = labels[first % len(components)]
    new = Labelled(hashes=hashes, labels=labels)
    component, number, least = near_labels(new, old, distance, memory_bytes=memory_bytes)
    near = pl.DataFrame({"component": component, "number": number, "distance": least}).sort("component", "distance", "number")
    return near.select("component", duplicate_group=names.gather(near["number"]))

"""What is measured: the row groups that are read, the images held in memory, and the same images as single files.

A large dataset is sampled by row groups, seeded, up to the plan's working set; a small one is taken whole. All of it is
a pure function of dataset, plan and seed, so that every invocation sees the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path  # noqa: TC003 - a field's type, which must resolve at run time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq

from toolkit.dataset.shards import iter_row_groups
from toolkit.measurement.caches import evict, make_resident
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.dataset.reading import Dataset
    from toolkit.measurement.plans import Plan

__all__ = ["Extent", "HeldImage", "Subject", "extents_of", "spread"]

_BYTES_COLUMN: Final = "image.bytes"
_COMPLETE: Final = ".complete"
_FOOTER_BYTES: Final = MIB
"""The end of a shard in which its footer lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The image bytes of one row group, and where they lie in their shard."""

    path: Path
    """The shard."""
    row_group_index: int
    """Which row group."""
    offset_bytes: int
    """Where its column of image bytes begins."""
    size_bytes: int
    """How long that column is."""
    group_offset_bytes: int
    """Where the row group begins, all columns included."""
    group_size_bytes: int
    """How long the row group is."""
    row_count: int
    """Images in it."""
    first_index: int
    """Position of its first image in the dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldImage:
    """An encoded image in memory."""

    payload: bytes
    """Its bytes."""
    pixel_count: int
    """Its pixels."""


class Subject:
    """A dataset as the stages see it.

    Parameters
    ----------
    dataset : Dataset
        What is measured.
    plan : Plan
        How much of it.
    scratch : Path, optional
        Folder on the same filesystem in which images are written as single files.
    seed : int
        Seed of the sample.
    """

    def __init__(self, dataset: Dataset, plan: Plan, scratch: Path | None = None, seed: int = 0) -> None:
        self.dataset = dataset
        self.plan = plan
        self.scratch = scratch
        self.seed = seed

    @cached_property
    def extents(self) -> tuple[Extent, ...]:
        """The row groups that are read, in the order of the shards; sampled when the dataset is larger than the plan's set."""
        found = extents_of(self.dataset.shard_paths())
        drawn = [found[i] for i in np.random.default_rng(self.seed).permutation(len(found))]
        taken: list[Extent] = []
        size_bytes = 0
        for extent in drawn:
            if taken and size_bytes + extent.size_bytes > self.plan.working_set_bytes:
                break
            taken.append(extent)
            size_bytes += extent.size_bytes
        return tuple(sorted(taken, key=lambda extent: (extent.path, extent.row_group_index)))

    @property
    def working_set_bytes(self) -> int:
        """Encoded bytes in those row groups."""
        return sum(extent.size_bytes for extent in self.extents)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The shards that hold them."""
        return tuple(dict.fromkeys(extent.path for extent in self.extents))

    @property
    def mean_image_bytes(self) -> float:
        """Mean encoded bytes of an image of the dataset."""
        return self.dataset.state.image_bytes / max(1, len(self.dataset))

    @cached_property
    def images(self) -> tuple[HeldImage, ...]:
        """Images in memory, in an order of which any stretch is a fair sample of small and large ones."""
        held: list[HeldImage] = []
        size_bytes = 0
        for place in np.random.default_rng(self.seed).permutation(len(self.extents)):
            for image in _images_of(self.extents[place]):
                if held and size_bytes + len(image.payload) > self.plan.sample_bytes:
                    return spread(held)
                held.append(image)
                size_bytes += len(image.payload)
        return spread(held)

    @cached_property
    def raw_files(self) -> tuple[Path, ...]:
        """Images as single files in the scratch folder, written by the first invocation that asks; empty without a folder."""
        if self.scratch is None:
            return ()
        folder = self.scratch / "raw"
        if not (folder / _COMPLETE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(self.images[: self.plan.raw_file_count]):
                (folder / f"{number:06d}.img").write_bytes(image.payload)
            evict(sorted(folder.glob("*.img")))
            (folder / _COMPLETE).touch()
        return tuple(sorted(folder.glob("*.img")))

    def evict(self) -> None:
        """Ask the kernel to drop the shards from the page cache."""
        evict(self.paths)

    def warm(self) -> None:
        """Read the row groups, all columns of them, and the shards' footers into the page cache."""
        for extent in self.extents:
            make_resident(extent.path, extent.group_offset_bytes, extent.group_size_bytes)
        for path in self.paths:
            make_resident(path, max(0, path.stat().st_size - _FOOTER_BYTES))


def extents_of(paths: Sequence[Path]) -> list[Extent]:
    """Return every row group of some shards."""
    found: list[Extent] = []
    first_index = 0
    for path in paths:
        metadata = pq.read_metadata(path)
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group)
            if rows.num_rows:
                found.append(_extent(path, group, rows, first_index))
            first_index += rows.num_rows
    return found


def _extent(path: Path, group: int, rows: Any, first_index: int) -> Extent:
    columns = [rows.column(i) for i in range(rows.num_columns)]
    starts = {c.path_in_schema: c.dictionary_page_offset or c.data_page_offset for c in columns}
    sizes = {c.path_in_schema: c.total_compressed_size for c in columns}
    return Extent(
        path=path,
        row_group_index=group,
        offset_bytes=starts[_BYTES_COLUMN],
        size_bytes=sizes[_BYTES_COLUMN],
        group_offset_bytes=min(starts.values()),
        group_size_bytes=sum(sizes.values()),
        row_count=rows.num_rows,
        first_index=first_index,
    )


def spread(images: Sequence[HeldImage]) -> tuple[HeldImage, ...]:
    """Return images so ordered that any stretch holds small and large ones in the proportion of the whole.

    Sorted by pixels, then visited at the golden ratio, whose multiples fill the range evenly at any length: two windows
    that decode different stretches then do comparable work.

    Source: Weyl's equidistribution; the golden ratio has the lowest discrepancy of all additive recurrences.
    """
    ordered = sorted(images, key=lambda image: (image.pixel_count, len(image.payload), image.payload[:64]))
    ranks = sorted(range(len(ordered)), key=lambda n: (n * 0.6180339887498949) % 1.0)
    places = {n: rank for rank, n in enumerate(ranks)}
    return tuple(ordered[places[n]] for n in range(len(ordered)))


def _images_of(extent: Extent) -> list[HeldImage]:
    columns = [_BYTES_COLUMN, "width_px", "height_px"]
    for group, table in enumerate(iter_row_groups(extent.path, columns)):
        if group == extent.row_group_index:
            payloads = table["image"].combine_chunks().field("bytes").to_pylist()
            sizes = zip(table["width_px"].to_pylist(), table["height_px"].to_pylist(), strict=True)
            return [
                HeldImage(payload=payload, pixel_count=(width or 0) * (height or 0))
                for payload, (width, height) in zip(payloads, sizes, strict=True)
            ]
    return []

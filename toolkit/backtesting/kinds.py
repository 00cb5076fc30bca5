"""What is predicted: each kind with its unit, what it is driven by, the law that is fitted, and what it does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.backtesting.predicting import AffineLaw, ParallelLaw, ProportionalLaw

if TYPE_CHECKING:
    from toolkit.backtesting.predicting import Law

__all__ = ["Kind", "kinds_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A quantity that can be measured at several sizes."""

    name: str
    """Name, which ends in its unit."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit."""
    driver: str
    """What its sizes count."""
    law: Law
    """How it follows from them."""
    limits: str
    """What it does not say."""
    through: str = ""
    """Another kind that it follows from, at the sizes which that one is expected to have; empty for none."""


def kinds_of(core_count: int) -> tuple[Kind, ...]:
    """Return the kinds on a machine, in the order in which bytes pass them."""
    grown = AffineLaw()
    sampled = "Images drawn from this dataset; others may be larger or smaller."
    here = "On this machine, under the load that it had."
    cluster = f"{here} On a cluster that runs already: starting one takes 1 to 2 s more."
    single = f"{here} One thread, page cache as said; another drive or filesystem differs."
    return (
        Kind(name="image_bytes", title="Bytes of the images", unit="bytes", driver="images", law=ProportionalLaw(),
             limits=sampled),
        Kind(name="shard_bytes", title="Bytes of the shards", unit="bytes", driver="images", law=grown, limits=sampled,
             through="image_bytes"),
        Kind(name="catalog_bytes", title="Bytes of the catalog", unit="bytes", driver="images", law=grown, limits=sampled),
        Kind(name="capacity_bytes", title="Bytes of all files of the dataset", unit="bytes", driver="images", law=grown,
             through="image_bytes", limits=f"{sampled} One batch; each further batch adds its log and manifest."),
        Kind(name="curate_s", title="Time to curate", unit="s", driver="images", law=grown, limits=cluster),
        Kind(name="curate_cpu_s", title="Processor time to curate", unit="s", driver="images", law=grown,
             limits=f"{here} Of the workers; the driver's own is not in it."),
        Kind(name="read_cold_s", title="Time to read all shards, cold", unit="s", driver="bytes", law=grown, limits=single),
        Kind(name="read_s", title="Time to read and check all images, warm", unit="s", driver="bytes", law=grown, limits=single),
        Kind(name="loader_s", title="Time of an epoch, decoded", unit="s", driver="bytes", law=grown,
             limits=f"{here} Warm, scaled to 224 px, one thread a core, batches dropped."),
        Kind(name="transfer_s", title="Time to transfer over HTTP", unit="s", driver="bytes", law=grown,
             limits="Ranges of 1 MiB over one connection of the loopback: protocol and processors of both ends, no network."),
        Kind(name="decode_images_per_s", title="Images decoded by workers", unit="images_per_s", driver="workers",
             law=ParallelLaw(core_count), limits=f"{here} From memory; threads beyond the cores share them."),
    )  # fmt: skip

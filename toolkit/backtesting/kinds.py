"""What is predicted: each kind with its unit, what it is driven by, what of the projection gives it, and what it does not say."""

from __future__ import annotations

from dataclasses import dataclass

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
    limits: str
    """What it does not say."""
    law: str = "affine"
    """Law of its sizes, by its name among ``toolkit.laws.fitting.LAWS``; empty where the sizes choose one of members."""
    quantity: str = ""
    """Quantity of the projection that predicts it; empty where the projection has none."""
    calibrates: str = ""
    """Law of a calibration by which its small sizes reach the projection; empty where they do not."""
    through: str = ""
    """Another kind that it follows from, at the sizes which that one is expected to have; empty for none."""
    is_sampled: bool = False
    """Whether it is a sum over a sample of images, whose scatter falls with the size."""
    core_count: int = 0
    """Cores that shared the work, where that tells how busy they were kept; 0 where it does not."""


def kinds_of(core_count: int) -> tuple[Kind, ...]:
    """Return the kinds on a machine, in the order in which bytes pass them."""
    sampled = "Images drawn from this dataset; others may be larger or smaller."
    here = "On this machine, under the load that it had."
    cluster = f"{here} On a cluster that runs already: starting one takes 1 to 2 s more."
    single = f"{here} One thread, page cache as said; another drive or filesystem differs."
    return (
        Kind(name="image_bytes", title="Bytes of the images", unit="bytes", driver="images", law="proportional", limits=sampled,
             is_sampled=True, quantity="dataset.image_bytes", calibrates="image_bytes"),
        Kind(name="shard_bytes", title="Bytes of the shards", unit="bytes", driver="images", limits=sampled,
             through="image_bytes", quantity="storage.curated_bytes", calibrates="shards"),
        Kind(name="catalog_bytes", title="Bytes of the catalog", unit="bytes", driver="images", limits=sampled),
        Kind(name="capacity_bytes", title="Bytes of all files of the dataset", unit="bytes", driver="images",
             through="image_bytes", limits=f"{sampled} One batch; each further batch adds its log and manifest."),
        Kind(name="curate_cpu_s", title="Processor time to curate", unit="s", driver="images",
             quantity="curation.examination_s", calibrates="curation",
             limits=f"{here} Of the workers; the driver's own is not in it."),
        Kind(name="curate_s", title="Time to curate", unit="s", driver="images", limits=cluster, core_count=core_count,
             quantity="curation.elapsed_s", calibrates="curation_time"),
        Kind(name="read_cold_s", title="Time to read all shards, cold", unit="s", driver="bytes", limits=single,
             quantity="storage.read_through_s", calibrates="read"),
        Kind(name="read_s", title="Time to read and check all images, warm", unit="s", driver="bytes", limits=single),
        Kind(name="verify_s", title="Time to verify all files, warm", unit="s", driver="bytes", limits=single),
        Kind(name="random_s", title="Time to read single images in random order, warm", unit="s", driver="images", limits=single),
        Kind(name="loader_s", title="Time of an epoch, decoded", unit="s", driver="bytes",
             limits=f"{here} Warm, scaled to 224 px, one thread a core, batches dropped."),
        Kind(name="transfer_s", title="Time to transfer over HTTP", unit="s", driver="bytes",
             limits="Ranges of 1 MiB over one connection of the loopback: protocol and processors of both ends, no network."),
        Kind(name="decode_images_per_s", title="Images decoded by workers", unit="images_per_s", driver="workers", law="",
             limits=f"{here} From memory; threads beyond the cores share them."),
    )  # fmt: skip

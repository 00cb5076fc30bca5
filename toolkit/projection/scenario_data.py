"""The parts of a scenario that say what there is: the dataset, how it grows, where it lies and how it survives a drive."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from toolkit.projection.scenario_types import (
    LARGEST_COUNT,
    Bytes,
    BytesPerS,
    Count,
    PositiveShare,
    Seconds,
    Share,
    Steps,
    YearlyFactor,
    named,
    quantity,
)

__all__ = ["Component", "DatasetStart", "Growth", "Part", "Protection", "Storage"]


class Part(BaseModel):
    """Part of a scenario: unknown keys are faults, what stands below a key describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Growth(Part):
    """How the dataset grows from month to month."""

    kind: Literal["none", "linear", "exponential", "logistic", "steps", "fitted"] = "none"
    """``linear`` adds ``images_per_month``; ``exponential`` multiplies by ``yearly_factor``; ``logistic`` does so towards
    ``ceiling_images``; ``steps`` adds only what ``steps`` lists; ``fitted`` follows the dataset's own versions."""
    images_per_month: Annotated[float, Field(ge=0, le=LARGEST_COUNT)] = 0
    """New images each month (linear)."""
    yearly_factor: YearlyFactor = 1
    """Factor over a year (exponential, logistic)."""
    ceiling_images: Count | None = None
    """Where growth ends (logistic)."""
    steps: Steps = {}
    """Events on top of any kind: images added by month, negative for a deletion; or the path of a CSV file with the
    columns month and images, relative to the scenario."""
    retention: Seconds | None = None
    """Time after which an image is deleted; by default none is. What is there now is taken to have come in now."""
    uncertainty: Share = 0.2
    """How far the added images may be off, either way, at the 10th and 90th percentile."""

    @model_validator(mode="after")
    def _complete(self) -> Growth:
        needed = {"linear": "images_per_month", "logistic": "ceiling_images", "steps": "steps"}.get(self.kind)
        if needed and not getattr(self, needed):
            raise ValueError(f"growth of kind '{self.kind}' needs {needed}")
        if self.kind in {"exponential", "logistic"} and self.yearly_factor <= 1:
            raise ValueError(f"growth of kind '{self.kind}' needs a yearly_factor above 1")
        return self


class Component(Part):
    """Data beside the images, sized by declared figures: audio, video, text, sensor logs."""

    name: str
    """What it is."""
    samples: Count
    """How many samples there are now."""
    sample_size: Bytes
    """Mean size of one."""
    yearly_factor: YearlyFactor = 1
    """Growth over a year."""


class DatasetStart(Part):
    """The dataset now. What is left out is taken from the profile."""

    like: Annotated[str, named("dataset")] | None = None
    """A published dataset whose images and mean size are taken where they are not stated."""
    images: Count | None = None
    """Images kept."""
    image_size: Bytes | None = None
    """Mean encoded bytes of an image."""
    pixels: Annotated[float, quantity("pixels"), Field(gt=0)] | None = None
    """Mean pixels of an image, such as ``0.3 Mpx``, by which decoding is timed; by default those of the profile, else from
    the size and what the format takes for a pixel."""
    format: Literal["jpeg", "png", "webp", "tiff"] | None = None
    """Format of most images; by default that of the profile, else JPEG."""
    kept: PositiveShare | None = None
    """Share of what comes in that is kept."""
    quarantined: Share | None = None
    """Share of what comes in that is refused and kept in quarantine; by default that of the profile, else 1 %, assumed."""
    components: tuple[Component, ...] = ()
    """Data beside the images."""

    @model_validator(mode="after")
    def _shares_fit(self) -> DatasetStart:
        if (self.kept or 0) + (self.quarantined or 0) > 1 + 1e-9:
            raise ValueError("kept and quarantined are shares of what comes in, and come to more than all of it together")
        return self


class Protection(Part):
    """How data survives a drive."""

    kind: Literal["none", "replicas", "erasure"] = "erasure"
    """``replicas`` keeps ``copies``; ``erasure`` adds ``parity`` to every ``data`` pieces (Reed-Solomon)."""
    copies: Annotated[int, Field(ge=1, le=10)] = 3
    """Copies in all."""
    data: Annotated[int, Field(ge=1, le=100)] = 8
    """Data pieces of a stripe."""
    parity: Annotated[int, Field(ge=0, le=20)] = 2
    """Parity pieces of a stripe: so many drives may be lost."""

    @property
    def factor(self) -> float:
        """Bytes on drives per byte stored."""
        return {"none": 1.0, "replicas": float(self.copies), "erasure": (self.data + self.parity) / self.data}[self.kind]


class Storage(Part):
    """Where the dataset lies."""

    medium: Annotated[str, named("medium")] = "nvme_gen4_7.68tb"
    """Drive that capacity is bought in."""
    protection: Protection = Protection()
    """How data survives a drive."""
    keep_raw: bool = True
    """Whether what came in is kept beside what was curated."""
    kept_versions: Annotated[int, Field(ge=0, le=1000)] = 4
    """Earlier versions kept."""
    version_rewrite: Share = 0.02
    """Share of the shards that a version rewrites; an append rewrites none, compaction and redecisions some."""
    kept_checkpoints: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Training checkpoints kept."""
    headroom: Annotated[float, quantity("share"), Field(ge=0, le=0.95)] = 0.2
    """Share of the capacity that is to stay free (shared filesystems slow down past 80 %)."""
    derived_factor: Annotated[float, Field(ge=0, le=100)] = 0.05
    """Bytes of thumbnails, embeddings, resized copies and scratch per curated byte. Default: assumed; 768 half-precision
    numbers per image of 100 kB are 1.5 %."""
    raw_as_files: bool = True
    """Whether what came in lies as a file per image, which is rounded up to blocks; else in archives."""
    block_size: Bytes = 4096.0
    """Block of the filesystem. Default: ext4 and XFS."""
    shard_size: Bytes = 256e6
    """Bytes of a shard. Default: that of this toolkit's curation."""
    filesystem_overhead: Annotated[float, quantity("share"), Field(ge=0, le=0.5)] = 0.02
    """Share of the drives that the filesystem takes for itself. Default: ext4 reserves 1.6 % for inodes; XFS 1 to 3 %."""
    rebuild_time: Seconds = 86_400.0
    """Time within which a lost drive is to be rebuilt. Default: a day, assumed."""
    shared_tier: Annotated[str, named("tier")] | None = None
    """Rented storage for what runs read and write, which then lies on no drives. Default: none is rented; drives hold
    everything."""
    archive_tier: Annotated[str, named("tier")] | None = None
    """Rented storage, priced for what is kept but hardly read. Default: none is rented."""
    archive_read: Share = 0.0
    """Share of the rented archive that is read back each month. Default: none, as an archive is hardly read."""
    owned: Bytes | None = None
    """Capacity there is already, headroom included; asks when it is full."""
    supply: Literal["measured", "drives"] | BytesPerS = "measured"
    """What the storage delivers: as ``measured`` here (one node's reading, cold), what the planned ``drives`` can give
    together, or a rate such as ``"40 GB/s"``."""

"""What a dataset is, in numbers: its profile, its versions, and distributions kept as quantiles."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.facts.saved import check_schema, told_if_lacking

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROFILE_SCHEMA", "QUANTILE_SHARES", "DatasetProfile", "Quantiles", "VersionFacts"]

PROFILE_SCHEMA: Final = "tonnage.profile/1"

QUANTILE_SHARES: Final = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""Shares at which a ``Quantiles`` sketch holds values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """A distribution kept as its quantiles, mean and count."""

    count: int
    """How many values were seen."""
    mean: float
    """Arithmetic mean, in the unit of the values; 0 when nothing was seen."""
    values: tuple[float, ...]
    """The values at ``QUANTILE_SHARES``, in their own unit; empty when nothing was seen."""

    @property
    def median(self) -> float:
        """The middle value; 0 when nothing was seen."""
        return self.values[QUANTILE_SHARES.index(0.5)] if self.values else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """One version of a dataset."""

    version: int
    """Version number of the ``images`` table."""
    committed_at: str
    """UTC time of the commit, ISO 8601."""
    kind: str
    """What made it: ``batch``, ``redecide``, ``remove``, ``compact``, ``retry``."""
    batch: str
    """Identifier of the batch."""
    image_count: int
    """Images in the dataset at this version."""
    size_bytes: int
    """Encoded bytes of those images."""
    shard_count: int
    """Parquet shards at this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetProfile:
    """What a dataset is, in numbers: the only thing a projection needs to know of it."""

    name: str
    """Last part of the dataset's location."""
    location: str
    """Where the dataset lies, as given by the user."""
    version: int
    """Version that was profiled."""
    source_count: int
    """Image occurrences found in the sources (files, members, rows)."""
    source_bytes: int
    """Their bytes."""
    image_count: int
    """Images kept."""
    image_bytes: int
    """Encoded bytes of the images kept."""
    shard_count: int
    """Parquet shards."""
    shard_bytes: int
    """Their bytes on disk, metadata columns and footers included."""
    pixel_count: int
    """Pixels of the images kept, over all."""
    image_size_bytes: Quantiles
    """Encoded bytes per image."""
    image_pixels: Quantiles
    """Pixels per image."""
    states: Mapping[str, int]
    """Occurrences by state: kept, dropped, duplicate, quarantined. They sum to ``source_count``."""
    reasons: Mapping[str, int]
    """Occurrences that were not kept, by reason code."""
    other_files: Mapping[str, int]
    """Files found that are no image, by what they are: annotation, container, skipped(reason)."""
    formats: Mapping[str, int]
    """Images kept by sniffed format."""
    modes: Mapping[str, int]
    """Images kept by pixel mode."""
    labels: Mapping[str, int]
    """Images kept by label; at most the 1,000 most frequent."""
    label_count: int
    """Distinct labels."""
    splits: Mapping[str, int]
    """Images kept by split."""
    near_duplicate_group_count: int
    """Groups of two or more near duplicates among the images kept."""
    near_duplicate_image_count: int
    """Images in those groups."""
    versions: tuple[VersionFacts, ...]
    """The history, oldest first."""
    curation: Mapping[str, float]
    """How fast the last batch went in: ``elapsed_s``, ``cpu_s``, ``images_per_s``, ``bytes_per_s``, ``worker_count``,
    ``core_count``; of one that went on where a run was stopped, ``taken_up_count`` images in place of the rates."""
    straddling_group_count: int = 0
    """Those of the groups of near duplicates that lie in several splits; profiles of earlier releases did not look."""

    @property
    def mean_image_bytes(self) -> float:
        """Mean encoded bytes of an image kept."""
        return self.image_bytes / self.image_count if self.image_count else 0.0

    @property
    def mean_pixels(self) -> float:
        """Mean pixels of an image kept."""
        return self.pixel_count / self.image_count if self.image_count else 0.0

    @property
    def kept_share(self) -> float:
        """Share of the source occurrences that were kept."""
        return self.image_count / self.source_count if self.source_count else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        return {"schema": PROFILE_SCHEMA} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the profile held in plain JSON types."""
        remedy = "write it again with this version"
        check_schema(facts, PROFILE_SCHEMA, "a DatasetProfile", remedy)
        with told_if_lacking("DatasetProfile", remedy):
            lately = {"straddling_group_count": 0} | dict(facts)
            values = {field.name: lately[field.name] for field in dataclasses.fields(cls)}
            for name in ("image_size_bytes", "image_pixels"):
                sketch = values[name]
                values[name] = Quantiles(count=sketch["count"], mean=sketch["mean"], values=tuple(sketch["values"]))
            values["versions"] = tuple(VersionFacts(**version) for version in values["versions"])
            return cls(**values)

    def __repr__(self) -> str:
        from toolkit.units import show

        return (
            f"<DatasetProfile {self.name!r} v{self.version}: {self.image_count:,} images, {show(self.image_bytes, 'bytes')} "
            f"in {self.shard_count:,} shards; kept {show(self.kept_share, 'share')} of {self.source_count:,} found>"
        )

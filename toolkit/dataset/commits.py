"""What a commit is given, and what it records: the state of a dataset at one version."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from toolkit import __version__
from toolkit.dataset.schema import EXAMINATION_VERSION, SCHEMA_VERSION
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from toolkit.dataset.shards import ShardFacts
    from toolkit.locations import Location

__all__ = ["METADATA_KEY", "BatchCommit", "StoreState", "recorded_facts", "state_of"]

METADATA_KEY: Final = "tonnage"
"""Under which key of a Delta commit the state is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """One version of a dataset, as its ``images`` commit recorded it."""

    version: int
    """Version of ``images``, which is the dataset's version."""
    catalog_version: int
    """Version of ``catalog`` that belongs to it."""
    quarantine_version: int
    """Version of ``quarantine`` that belongs to it."""
    batch: str
    """Identifier of the batch that made it."""
    kind: str
    """``batch``, ``redecide``, ``remove``, ``compact`` or ``retry``."""
    committed_at: str
    """UTC, ISO 8601."""
    image_count: int
    """Images in the dataset at this version."""
    image_bytes: int
    """Their encoded bytes."""
    shard_count: int
    """Their shards."""
    recipe: Mapping[str, Any]
    """The recipe of the batch."""
    curation: Mapping[str, float]
    """How fast the batch went in."""
    other_files: Mapping[str, int]
    """Files that are no image, found by all batches so far."""
    tool_version: str
    """Version of Tonnage that wrote it."""
    oldest_version: int = 0
    """The first version that can still be opened; a purge leaves none before its own."""
    schema_version: int = SCHEMA_VERSION
    """Version of the columns it was written with; columns that came later read as null."""
    examination_version: int = 1
    """What its hashes and scores mean, as ``EXAMINATION_VERSION``; commits that do not say are of the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCommit:
    """Everything that one commit makes visible."""

    batch: str
    """Identifier, derived from what is in the batch, so that the same batch is never committed twice."""
    kind: str = "batch"
    """What the commit is, as in ``StoreState``."""
    base_version: int | None = None
    """Version that the batch was decided against; None for a new dataset. If the dataset has moved on, nothing is written."""
    shards: Sequence[ShardFacts] = ()
    """Shards written under ``images_path``."""
    catalog: Sequence[pa.Table | ShardFacts] = ()
    """New rows of the catalog: tables, or parts already written under ``table_path("catalog")``."""
    quarantine: Sequence[pa.Table | ShardFacts] = ()
    """New rows of the quarantine."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe, as plain JSON."""
    curation: Mapping[str, float] = field(default_factory=dict)
    """How fast the batch went in."""
    other_files: Mapping[str, int] = field(default_factory=dict)
    """Files found that are no image."""
    removed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of files that the version no longer holds, by table."""
    is_purge: bool = False
    """Whether no earlier version is to be opened again."""

    @property
    def removed_names(self) -> set[str]:
        """The removed files as paths within the dataset."""
        return {f"{table}/{name}" for table, names in self.removed.items() for name in names}


def recorded_facts(
    batch: BatchCommit, before: StoreState | None, versions: Mapping[str, int], removed: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """Return what the commit of a batch records, of which ``state_of`` makes the state.

    Parameters
    ----------
    batch, before, versions
        The commit, the state it follows, and the versions of the other two tables.
    removed : (int, int)
        Images and their bytes in the shards that the commit removes.
    """
    other_files = dict(before.other_files) if before else {}
    for kind, count in batch.other_files.items():
        other_files[kind] = other_files.get(kind, 0) + count
    return {
        "schema_version": SCHEMA_VERSION,
        "examination_version": before.examination_version if before else EXAMINATION_VERSION,
        "tool_version": __version__,
        "batch": batch.batch,
        "kind": batch.kind,
        "catalog_version": versions["catalog"],
        "quarantine_version": versions["quarantine"],
        "image_count": (before.image_count if before else 0) + sum(shard.row_count for shard in batch.shards) - removed[0],
        "image_bytes": (before.image_bytes if before else 0) + sum(shard.image_bytes for shard in batch.shards) - removed[1],
        "shard_count": (before.shard_count if before else 0) + len(batch.shards) - len(batch.removed.get("images", ())),
        "recipe": dict(batch.recipe),
        "curation": dict(batch.curation),
        "other_files": other_files,
        "oldest_version": (before.version + 1 if batch.is_purge else before.oldest_version) if before else 0,
    }


def state_of(commit: Mapping[str, Any], location: Location) -> StoreState:
    """Return the state that a commit of ``images`` carries.

    Raises
    ------
    DatasetError
        If it was written with a later schema version, or is not readable.
    """
    try:
        facts = commit[METADATA_KEY]
        facts = json.loads(facts) if isinstance(facts, str) else dict(facts)
        found = int(facts["schema_version"])
        committed_at = datetime.fromtimestamp(int(commit["timestamp"]) / 1000, UTC).isoformat(timespec="milliseconds")
        if found <= SCHEMA_VERSION:
            return StoreState(version=int(commit["version"]), committed_at=committed_at, **facts)
    except (KeyError, TypeError, ValueError) as fault:
        raise DatasetError(f"what a commit of '{location}' says of itself cannot be read: {fault!r}") from fault
    raise DatasetError(
        f"'{location}' was written with schema version {found}, later than this release's {SCHEMA_VERSION}; use a newer release"
    )

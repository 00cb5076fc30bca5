"""The three Delta Lake tables of a dataset, and the one commit that makes a batch visible.

``images`` is the point of truth: the catalog's and the quarantine's parts are committed first, then one commit of
``images`` carries the batch's identifier, the recipe, and the versions of the other two. Readers open that triple, so a
run that dies between the commits shows nothing; the next writer takes the other two tables back to the recorded triple.
A lock file makes writers on one filesystem wait for each other for the moment of the commit.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from toolkit import __version__
from toolkit.dataset.manifests import manifest_entries, read_manifest, write_manifest
from toolkit.dataset.schema import CATALOG_SCHEMA, IMAGES_SCHEMA, QUARANTINE_SCHEMA, SCHEMA_VERSION
from toolkit.dataset.shards import ShardFacts, write_facts_table
from toolkit.dataset.state import METADATA_KEY, StoreState, state_of
from toolkit.errors import BusyError, DatasetError, UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SCHEMAS", "BatchCommit", "DatasetStore", "StoreState"]

SCHEMAS: Final = {"images": IMAGES_SCHEMA, "catalog": CATALOG_SCHEMA, "quarantine": QUARANTINE_SCHEMA}

_LOCK_WAIT_S: Final = 60
_TABLE_CONFIGURATION: Final = {"delta.logRetentionDuration": "interval 36500 days"}
"""Versions are kept until the user removes them; Delta's own default would forget them after 30 days."""


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


class DatasetStore:
    """A dataset's tables on disk, for those who write them.

    Parameters
    ----------
    location : str, Path or Location
        Root of the dataset; nothing is created until the first commit or ``staging``.

    Raises
    ------
    UsageError
        If the location is not on a local filesystem.
    """

    def __init__(self, location: str | Path | Location) -> None:
        self.location = Location.of(location)
        if not self.location.is_local:
            raise UsageError(
                f"'{self.location}': datasets are written to a local or mounted folder; copy it to the store afterwards"
            )
        self.root = self.location.path

    @property
    def images_path(self) -> Path:
        """Folder in which workers write shards, under names no other batch uses."""
        return self.table_path("images")

    @property
    def private_path(self) -> Path:
        """Folder for manifests, staging and the lock."""
        return self.root / "_tonnage"

    def table_path(self, table: str) -> Path:
        """Return the folder of a table."""
        return self.root / table

    def staging(self, batch: str) -> Path:
        """Return (and make) the folder for a batch's unfinished work."""
        path = self.private_path / "staging" / batch
        path.mkdir(parents=True, exist_ok=True)
        return path

    def exists(self) -> bool:
        """Whether a version has been committed here."""
        return DeltaTable.is_deltatable(str(self.images_path))

    def state(self, version: int | None = None) -> StoreState | None:
        """Return the state at a version (by default the newest), or None if nothing was committed yet.

        Raises
        ------
        UsageError
            If there is no such version.
        """
        states = self.states()
        if not states:
            return None
        if version is None:
            return states[-1]
        for state in states:
            if state.version == version:
                return state
        raise UsageError(f"'{self.location}' has no version {version}; it has {states[0].version} to {states[-1].version}")

    def states(self) -> list[StoreState]:
        """Return every version, oldest first.

        Raises
        ------
        DatasetError
            If the table was not written by Tonnage, or by a newer schema version.
        """
        if not self.exists():
            return []
        commits = [commit for commit in DeltaTable(str(self.images_path)).history() if METADATA_KEY in commit]
        if not commits:
            raise DatasetError(f"'{self.location}' holds a Delta table that Tonnage did not write; name another folder")
        return [state_of(commit, self.location) for commit in sorted(commits, key=lambda commit: int(commit["version"]))]

    def table(self, table: str, state: StoreState) -> DeltaTable:
        """Return a table at the version that belongs to a state."""
        version = {"images": state.version, "catalog": state.catalog_version, "quarantine": state.quarantine_version}[table]
        return DeltaTable(str(self.table_path(table)), version=version)

    def commit(self, batch: BatchCommit) -> int:
        """Make a batch visible in all three tables, or not at all; return the dataset's version.

        A batch that is already in is not committed again: its version is returned.

        Raises
        ------
        BusyError
            If another writer holds the dataset, or has committed since ``base_version``.
        """
        with self._lock():
            states = self.states()
            for state in states:
                if state.batch == batch.batch:
                    return state.version
            before = states[-1] if states else None
            if (before.version if before else None) != batch.base_version:
                raise BusyError(
                    f"'{self.location}' was at version {_version(batch.base_version)} when this batch was read and is now at "
                    f"version {_version(before.version if before else None)}; run the same command again"
                )
            self._repair(before)
            return self._commit(batch, before)

    def _commit(self, batch: BatchCommit, before: StoreState | None) -> int:
        manifest = dict(self.manifest(before.version)) if before else {}
        versions = {}
        for table, rows in (("catalog", batch.catalog), ("quarantine", batch.quarantine)):
            parts = self._write_parts(table, batch.batch, rows)
            manifest |= manifest_entries(table, parts)
            versions[table] = self._append(table, parts, {"batch": batch.batch})
        manifest |= manifest_entries("images", batch.shards)
        version = before.version + 1 if before else 0
        write_manifest(self.manifest_path(version), version, manifest)
        self._append("images", batch.shards, {METADATA_KEY: json.dumps(_metadata(batch, before, versions), sort_keys=True)})
        shutil.rmtree(self.private_path / "staging" / batch.batch, ignore_errors=True)
        return version

    def manifest(self, version: int) -> dict[str, dict[str, Any]]:
        """Return size, rows and sha256 of every file of a version, by path within the dataset.

        Raises
        ------
        DatasetError
            If the manifest is not there or cannot be read.
        """
        return read_manifest(self.manifest_path(version))

    def manifest_path(self, version: int) -> Path:
        """Return where the manifest of a version lies."""
        return self.private_path / "manifests" / f"{version:08d}.json"

    def _write_parts(self, table: str, batch: str, rows: Sequence[pa.Table | ShardFacts]) -> list[ShardFacts]:
        tables = [part for part in rows if isinstance(part, pa.Table) and part.num_rows]
        parts = [part for part in rows if isinstance(part, ShardFacts)]
        if tables:
            path = self.table_path(table) / f"part-{batch[:16]}-driver.parquet"
            parts.append(write_facts_table(path, tables, SCHEMAS[table]))
        return parts

    def _append(self, table: str, parts: Sequence[ShardFacts], metadata: Mapping[str, str]) -> int:
        path = str(self.table_path(table))
        self.table_path(table).mkdir(parents=True, exist_ok=True)
        actions = [_add_action(self.table_path(table), part) for part in parts]
        schema = Schema.from_arrow(SCHEMAS[table])
        properties = CommitProperties(custom_metadata=dict(metadata))
        hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
        try:
            delta = DeltaTable(path)
        except TableNotFoundError:
            create_table_with_add_actions(
                path,
                schema,
                actions,
                configuration=_TABLE_CONFIGURATION,
                commit_properties=properties,
                post_commithook_properties=hooks,
            )
        else:
            delta.create_write_transaction(
                [*actions], "append", schema, commit_properties=properties, post_commithook_properties=hooks
            )
        return DeltaTable(path).version()

    def _repair(self, before: StoreState | None) -> None:
        """Take catalog and quarantine back to the recorded triple, if a run died between their commits and that of images."""
        for table, recorded in (
            ("catalog", before.catalog_version if before else None),
            ("quarantine", before.quarantine_version if before else None),
        ):
            if not DeltaTable.is_deltatable(str(self.table_path(table))):
                continue
            if recorded is None:
                shutil.rmtree(self.table_path(table) / "_delta_log")
            elif (delta := DeltaTable(str(self.table_path(table)))).version() > recorded:
                delta.restore(recorded)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.private_path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.private_path / "write.lock", timeout=_LOCK_WAIT_S):
                yield
        except Timeout as fault:
            raise BusyError(
                f"another run has been committing to '{self.location}' for {_LOCK_WAIT_S} s; try again later"
            ) from fault


def _version(version: int | None) -> str:
    return "none" if version is None else str(version)


def _add_action(folder: Path, part: ShardFacts) -> AddAction:
    modified_ms = int((folder / part.name).stat().st_mtime * 1000)
    stats = json.dumps({"numRecords": part.row_count})
    return AddAction(part.name, part.size_bytes, {}, modified_ms, True, stats)


def _metadata(batch: BatchCommit, before: StoreState | None, versions: Mapping[str, int]) -> dict[str, Any]:
    other_files = dict(before.other_files) if before else {}
    for kind, count in batch.other_files.items():
        other_files[kind] = other_files.get(kind, 0) + count
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "batch": batch.batch,
        "kind": batch.kind,
        "catalog_version": versions["catalog"],
        "quarantine_version": versions["quarantine"],
        "image_count": (before.image_count if before else 0) + sum(shard.row_count for shard in batch.shards),
        "image_bytes": (before.image_bytes if before else 0) + sum(shard.image_bytes for shard in batch.shards),
        "shard_count": (before.shard_count if before else 0) + len(batch.shards),
        "recipe": dict(batch.recipe),
        "curation": dict(batch.curation),
        "other_files": other_files,
    }

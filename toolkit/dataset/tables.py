"""The three Delta Lake tables of a dataset, and the one commit that makes a batch visible.

``images`` is the point of truth: the catalog's and the quarantine's parts are committed first, then one commit of
``images`` carries the batch's identifier, the recipe, and the versions of the other two. Readers open that triple, so a
run that dies between the commits shows nothing; the next writer takes the other two tables back to the recorded triple.
A lock file makes writers on one filesystem wait for each other for the moment of the commit; where it does not hold (some
network filesystems), Delta's put-if-absent of the version's file still lets only one of two commits through, because a
refused commit is never retried as the next version.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from toolkit.dataset.commits import METADATA_KEY, BatchCommit, StoreState, recorded_facts, state_of
from toolkit.dataset.delta import commit_files, is_table, open_table, table_history
from toolkit.dataset.manifests import image_bytes_of, manifest_entries, read_manifest, write_manifest
from toolkit.dataset.object_paths import READ_SCHEMES, ObjectPath
from toolkit.dataset.schema import CATALOG_SCHEMA, IMAGES_SCHEMA, QUARANTINE_SCHEMA, SCHEMA_VERSION
from toolkit.dataset.shards import ShardFacts, write_facts_table
from toolkit.errors import BusyError, DatasetError, UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from deltalake import DeltaTable

__all__ = ["SCHEMAS", "BatchCommit", "DatasetStore", "StoreState"]

SCHEMAS: Final = {"images": IMAGES_SCHEMA, "catalog": CATALOG_SCHEMA, "quarantine": QUARANTINE_SCHEMA}

_LOCK_WAIT_S: Final = 60
_UNWRITABLE: Final = re.compile(r"[\x00-\x1f\x7f\\#?\udc80-\udcff]|%[0-9A-Fa-f]{2}")
"""What Delta Lake refuses in a path, or reads as another path: control characters, backslashes, ``#`` and ``?`` (of a URL), names
that are not UTF-8, and what looks percent-encoded."""


class DatasetStore:
    """A dataset's tables, for those who write them, on disk, and for those who read them, there or in an object store.

    Parameters
    ----------
    location : str, Path or Location
        Root of the dataset; nothing is created until the first commit or ``staging``.
    is_read : bool
        Whether nothing is to be written, so that it may lie in an object store.

    Raises
    ------
    UsageError
        If the location is not on a local filesystem or, to be read, in ``READ_SCHEMES``, or its path has characters that Delta
        Lake cannot write.
    """

    def __init__(self, location: str | Path | Location, *, is_read: bool = False) -> None:
        self.location = Location.of(location)
        if not self.location.is_local and not (is_read and self.location.scheme in READ_SCHEMES):
            raise _elsewhere(self.location)
        if odd := _UNWRITABLE.search(self.location.url):
            raise UsageError(f"{self.location.url!r}: Delta Lake cannot use a path with {odd[0]!r} in it; name another folder")
        # an ObjectPath has what is read of a Path, and whatever writes asks check_writable first
        self.root = self.location.path if self.location.is_local else cast("Path", ObjectPath(self.location))

    @property
    def images_path(self) -> Path:
        """Folder in which workers write shards, under names no other batch uses."""
        return self.table_path("images")

    @property
    def private_path(self) -> Path:
        """Folder for manifests, staging and the locks."""
        return self.root / "_tonnage"

    def table_path(self, table: str) -> Path:
        """Return the folder of a table."""
        return self.root / table

    def staging(self, batch: str) -> Path:
        """Return (and make) the folder for a batch's unfinished work."""
        self.check_writable()
        path = self.private_path / "staging" / batch
        path.mkdir(parents=True, exist_ok=True)
        return path

    def check_writable(self) -> None:
        """Raise UsageError if the dataset lies where it can only be read."""
        if not self.location.is_local:
            raise _elsewhere(self.location)

    def exists(self) -> bool:
        """Whether a version has been committed here."""
        return is_table(self.images_path)

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
            If the table was not written by Tonnage, was written with another schema version, or cannot be read.
        """
        if not self.exists():
            return []
        commits = [commit for commit in table_history(self.images_path) if METADATA_KEY in commit]
        if not commits:
            raise DatasetError(f"'{self.location}' holds a Delta table that Tonnage did not write; name another folder")
        states = [state_of(commit, self.location) for commit in sorted(commits, key=lambda commit: int(commit["version"]))]
        return [state for state in states if state.version >= states[-1].oldest_version]

    def table(self, table: str, state: StoreState) -> DeltaTable:
        """Return a table at the version that belongs to a state.

        Raises
        ------
        DatasetError
            If its log cannot be read.
        """
        version = {"images": state.version, "catalog": state.catalog_version, "quarantine": state.quarantine_version}[table]
        return open_table(self.table_path(table), version)

    def commit(self, batch: BatchCommit) -> int:
        """Make a batch visible in all three tables, or not at all; return the dataset's version.

        A batch that is already in is not committed again: its version is returned.

        Raises
        ------
        BusyError
            If another writer holds the dataset, or has committed since ``base_version``.
        DatasetError
            If a file of the batch is not there or would replace an earlier one, or another program has changed the table.
        """
        with self._lock("write.lock", _LOCK_WAIT_S):
            states = self.states()
            for state in states:
                if state.batch == batch.batch:
                    shutil.rmtree(self.private_path / "staging" / batch.batch, ignore_errors=True)
                    return state.version
            before = states[-1] if states else None
            if (before.version if before else None) != batch.base_version:
                raise BusyError(
                    f"'{self.location}' was at version {_version(batch.base_version)} when this batch was read and is now at "
                    f"version {_version(before.version if before else None)}; run the same command again"
                )
            manifest = dict(self.manifest(before.version)) if before else {}
            if before is not None and before.schema_version < SCHEMA_VERSION:
                raise UsageError(
                    f"'{self.location}' was written with schema version {before.schema_version}, this release writes "
                    f"{SCHEMA_VERSION}; it can be read as it is; to add to it run: tonnage upgrade {self.location}"
                )
            self._check(batch, before, manifest)
            self.take_back(before)
            return self._commit(batch, before, manifest)

    def _check(self, batch: BatchCommit, before: StoreState | None, manifest: Mapping[str, Any]) -> None:
        """Raise unless every file of a batch is there as it was written, no earlier version has it, and the log is ours alone."""
        if unknown := sorted(batch.removed_names - set(manifest)):
            raise DatasetError(f"'{unknown[0]}' is to be removed and is not part of the newest version; run tonnage verify")
        if before is not None and open_table(self.images_path).version() != before.version:
            raise DatasetError(f"'{self.images_path}' was changed by another program; restore version {before.version} of it")
        for table, rows in (("catalog", batch.catalog), ("quarantine", batch.quarantine), ("images", batch.shards)):
            for part in rows:
                if not isinstance(part, ShardFacts):
                    continue
                path = self.table_path(table) / part.name
                if not path.is_file() or path.stat().st_size != part.size_bytes:
                    raise DatasetError(f"'{path}' is gone or not as it was written; nothing was committed; run the command again")
                if f"{table}/{part.name}" in manifest:
                    raise DatasetError(f"'{path}' belongs to an earlier version and was written again; run tonnage verify")

    def _commit(self, batch: BatchCommit, before: StoreState | None, manifest: dict[str, Any]) -> int:
        versions = {}
        for table, rows in (("catalog", batch.catalog), ("quarantine", batch.quarantine)):
            parts = self._write_parts(table, batch.batch, rows)
            manifest |= manifest_entries(table, parts)
            gone = batch.removed.get(table, ())
            versions[table] = commit_files(self.table_path(table), SCHEMAS[table], parts, gone, {"batch": batch.batch})
        removed = [manifest[f"images/{name}"] | {"name": name} for name in batch.removed.get("images", ())]
        manifest |= manifest_entries("images", batch.shards)
        manifest = {name: facts for name, facts in manifest.items() if name not in batch.removed_names}
        version = before.version + 1 if before else 0
        write_manifest(self.manifest_path(version), version, manifest)
        lost = (sum(shard["row_count"] for shard in removed), sum(image_bytes_of(self.images_path, shard) for shard in removed))
        facts = json.dumps(recorded_facts(batch, before, versions, removed=lost), sort_keys=True)
        gone = batch.removed.get("images", ())
        commit_files(self.images_path, SCHEMAS["images"], batch.shards, gone, {METADATA_KEY: facts})
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

    def take_back(self, before: StoreState | None) -> None:
        """Take catalog and quarantine back to the recorded triple, if a run died between their commits and that of images."""
        for table, recorded in (
            ("catalog", before.catalog_version if before else None),
            ("quarantine", before.quarantine_version if before else None),
        ):
            if not is_table(self.table_path(table)):
                continue
            if recorded is None:
                shutil.rmtree(self.table_path(table) / "_delta_log")
            elif (delta := open_table(self.table_path(table))).version() > recorded:
                delta.restore(recorded)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the dataset for a whole run, from its first file to its commit, so that no other run or repair is in its way.

        Raises
        ------
        BusyError
            If another run holds it.
        """
        with self._lock("run.lock", 0):
            yield

    @contextlib.contextmanager
    def _lock(self, name: str, wait_s: float) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.check_writable()
        self.private_path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.private_path / name)
        try:
            lock.acquire(timeout=wait_s)
        except Timeout as fault:
            raise BusyError(f"another run is writing to '{self.location}'; wait until it is done") from fault
        try:
            yield
        finally:
            lock.release()


def _elsewhere(location: Location) -> UsageError:
    return UsageError(
        f"'{location}': datasets are written to a local or mounted folder, and read from there, s3://, gs:// or az://; copy it "
        "there or mount it"
    )


def _version(version: int | None) -> str:
    return "none" if version is None else str(version)

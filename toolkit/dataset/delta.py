"""One Delta Lake table: opened at a version, and one commit that adds and removes files of it, or does nothing."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from toolkit.dataset.object_paths import client_url, storage_options
from toolkit.errors import BusyError, DatasetError
from toolkit.locations import GIVE_UP_S, SILENCE_S, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from toolkit.dataset.shards import ShardFacts

__all__ = ["add_columns", "commit_files", "forget_earlier", "is_table", "open_table", "table_history"]

_CONFIGURATION: Final = {"delta.logRetentionDuration": "interval 36500 days"}
"""Versions are kept until the user removes them; Delta's own default would forget them after 30 days."""


def is_table(path: Path) -> bool:
    """Return whether a version has been committed in a folder.

    Raises
    ------
    DatasetError
        If the object store that it lies in does not answer.
    """
    try:
        return DeltaTable.is_deltatable(client_url(path), _options(path))
    except (DeltaError, OSError, ValueError) as fault:
        raise _unreadable(path, fault) from fault


def open_table(path: Path, version: int | None = None) -> DeltaTable:
    """Return a table at a version, by default the newest.

    Raises
    ------
    DatasetError
        If its log cannot be read.
    """
    try:
        return DeltaTable(client_url(path), version=version, storage_options=_options(path))
    except (DeltaError, OSError, ValueError) as fault:
        raise _unreadable(path, fault) from fault


def table_history(path: Path) -> list[dict[str, Any]]:
    """Return what every commit of a table says of itself, newest first.

    Raises
    ------
    DatasetError
        If its log cannot be read.
    """
    try:
        return open_table(path).history()
    except (DeltaError, OSError, ValueError) as fault:
        raise _unreadable(path, fault) from fault


def commit_files(
    path: Path, schema: pa.Schema, added: Sequence[ShardFacts], removed: Sequence[str], metadata: Mapping[str, str]
) -> int:
    """Add and remove files of a table in one commit, and return its version; the table is made if there is none.

    A commit that another one forestalled is not tried again as the next version: what it was decided on has changed.

    Raises
    ------
    BusyError
        If another program committed at the same moment.
    """
    path.mkdir(parents=True, exist_ok=True)
    arriving = [_add_action(path, part) for part in added]
    columns = Schema.from_arrow(schema)
    options: dict[str, Any] = {
        "commit_properties": CommitProperties(custom_metadata=dict(metadata), max_commit_retries=0),
        "post_commithook_properties": PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False),
    }
    try:
        if not is_table(path):
            create_table_with_add_actions(str(path), columns, arriving, configuration=_CONFIGURATION, **options)
            return 0
        delta = open_table(path)
        now_ms = int(time.time() * 1000)
        leaving = [RemoveAction(name, True, now_ms, (path / name).stat().st_size, {}) for name in removed]
        delta.create_write_transaction([*arriving, *leaving], "append", columns, **options)
    except CommitFailedError as fault:
        raise BusyError(f"another program committed to '{path}' at the same moment; run the same command again") from fault
    return DeltaTable(str(path)).version()


def add_columns(path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> int:
    """Add the columns that a table lacks, in one commit that touches no file, and return its version.

    Rows written before read as null in them. A table that lacks none gets a commit all the same, for its metadata.

    Raises
    ------
    BusyError
        If another program committed at the same moment.
    """
    delta = open_table(path)
    known = {field.name for field in delta.schema().fields}
    missing = [field for field in Schema.from_arrow(schema).fields if field.name not in known]
    if not missing:
        return commit_files(path, schema, [], [], metadata)
    properties = CommitProperties(custom_metadata=dict(metadata), max_commit_retries=0)
    try:
        delta.alter.add_columns(missing, commit_properties=properties)
    except CommitFailedError as fault:
        raise BusyError(f"another program committed to '{path}' at the same moment; run the same command again") from fault
    return DeltaTable(str(path)).version()


def forget_earlier(path: Path) -> list[str]:
    """Delete every file in a table's folder that its newest version does not hold, and return their names."""
    held = set(open_table(path).file_uris())
    names = {uri.rsplit("/", 1)[-1] for uri in held}
    gone = [file for file in path.iterdir() if file.is_file() and file.name not in names]
    for file in gone:
        file.unlink()
    return sorted(file.name for file in gone)


def _options(path: Path) -> dict[str, str] | None:
    """Return how a table is reached; in an object store each request, of a few kilobytes, has as long as any store's silence."""
    options = storage_options(path)
    return None if options is None else options | {"timeout": f"{SILENCE_S}s", "retry_timeout": f"{GIVE_UP_S}s"}


def _unreadable(path: Path, fault: Exception) -> DatasetError:
    if "://" in str(path):
        return DatasetError(f"the table '{path}' cannot be read: {without_secrets(fault)}")
    return DatasetError(f"the log of the table '{path}' is damaged ({fault}); restore the folder '_delta_log' from a copy")


def _add_action(folder: Path, part: ShardFacts) -> AddAction:
    modified_ms = int((folder / part.name).stat().st_mtime * 1000)
    stats = json.dumps({"numRecords": part.row_count})
    return AddAction(part.name, part.size_bytes, {}, modified_ms, True, stats)

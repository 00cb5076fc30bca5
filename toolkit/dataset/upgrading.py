"""A dataset of an earlier release given the columns of this one: one version, no file rewritten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from toolkit.dataset.commits import METADATA_KEY, BatchCommit, recorded_facts
from toolkit.dataset.delta import add_columns, open_table
from toolkit.dataset.manifests import write_manifest
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.dataset.schema import SCHEMA_VERSION
from toolkit.dataset.tables import SCHEMAS
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.locations import Location

__all__ = ["upgrade"]


def upgrade(location: str | Path | Location | Dataset) -> Dataset:
    """Add the columns that came with later releases, so that this one can write; return the dataset opened at its version.

    Returns the dataset as it is if it has them already. Rows written before read as null in them, and earlier versions
    can still be opened.

    Parameters
    ----------
    location : path or Dataset
        The dataset.

    Raises
    ------
    BusyError
        If another run holds the dataset.
    DatasetError
        If another program has changed a table.
    """
    store = open_dataset(location).store
    with store.writing():
        before = Dataset(store).state
        if before.schema_version == SCHEMA_VERSION:
            return Dataset(store)
        if open_table(store.images_path).version() != before.version:
            raise DatasetError(
                f"'{store.images_path}' was changed by another program; restore version {before.version} of it, then upgrade"
            )
        store.take_back(before)
        version = before.version + 1
        batch = BatchCommit(batch=f"upgrade-{version}", kind="upgrade", recipe=before.recipe, curation=before.curation)
        mark = {"batch": batch.batch}
        versions = {table: add_columns(store.table_path(table), SCHEMAS[table], mark) for table in ("catalog", "quarantine")}
        write_manifest(store.manifest_path(version), version, store.manifest(before.version))
        facts = json.dumps(recorded_facts(batch, before, versions), sort_keys=True)
        add_columns(store.images_path, SCHEMAS["images"], {METADATA_KEY: facts})
        return Dataset(store)

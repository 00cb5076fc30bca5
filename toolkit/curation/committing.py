"""A decided and packed batch made part of the dataset: catalog and quarantine parts, one commit, the card."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.curation.describing import describe
from toolkit.curation.locators import remember_locators
from toolkit.curation.parts import scan_parts
from toolkit.curation.records import arrow_table
from toolkit.curation.refusals import refused_rows
from toolkit.dataset.findings import write_finding
from toolkit.dataset.reading import Dataset
from toolkit.dataset.schema import CATALOG_SCHEMA, QUARANTINE_SCHEMA
from toolkit.dataset.shards import write_facts_table
from toolkit.dataset.tables import BatchCommit
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from toolkit.curation.assembly import Batch
    from toolkit.curation.packing import Lost
    from toolkit.curation.stages import Packed
    from toolkit.dataset.shards import ShardFacts
    from toolkit.dataset.tables import DatasetStore

__all__ = ["Outcome", "commit_batch"]

_LOST_ROWS: Final = 16
"""Refused images held at once; each may have as many bytes as the recipe's ``quarantine_bytes``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A batch that is decided and whose shards are written."""

    batch: Batch
    """What was found and what became of it."""
    packed: Packed
    """Its shards."""
    refusals: Sequence[Path]
    """Parts with what was refused when it was read."""
    lost: Mapping[int, Lost]
    """What was refused when it was packed, by row."""
    notes: Mapping[str, float]
    """What a reader should know, as counts."""
    findings: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Lists of what did not fit together, as ``toolkit.dataset.findings`` has them."""


def commit_batch(
    store: DatasetStore, outcome: Outcome, before: Dataset | None, facts: Mapping[str, float], others: Mapping[str, int]
) -> Dataset:
    """Commit a batch and return the dataset with it.

    Raises
    ------
    DatasetError
        If what was written does not add up to what was decided; nothing is committed then.
    """
    batch, name = outcome.batch, outcome.batch.identity
    catalog = _written(store, "catalog", name, batch.catalog(name))
    quarantine = _written(store, "quarantine", name, _quarantine(outcome, name))
    _check_counts(outcome, catalog, quarantine)
    remember_locators(store, name, batch.parts, batch.outcomes, batch.labels)
    for list_name, frame in outcome.findings.items():
        write_finding(store, name, list_name, frame)
    store.commit(
        BatchCommit(
            batch=name,
            base_version=before.version if before is not None else None,
            shards=outcome.packed.shards,
            catalog=[catalog],
            quarantine=[quarantine] if quarantine.row_count else [],
            recipe=batch.recipe.to_dict(),
            curation=dict(facts),
            other_files=dict(others),
        )
    )
    curated = Dataset(store)
    describe(curated, batch.recipe, outcome.notes)
    return curated


def _written(store: DatasetStore, table: str, batch: str, rows: Iterator[pa.Table]) -> ShardFacts:
    schema = CATALOG_SCHEMA if table == "catalog" else QUARANTINE_SCHEMA
    return write_facts_table(store.table_path(table) / f"part-{batch[:16]}.parquet", rows, schema)


def _quarantine(outcome: Outcome, batch: str) -> Iterator[pa.Table]:
    """Yield the refusals of the batch: those of its reading, without sources that came again unchanged, and of its packing."""
    is_refused = (pl.col("state") == "quarantined") & ~pl.col("row").is_in(list(outcome.lost))
    refused = outcome.batch.outcomes.select("row", "state").filter(is_refused).select("row")
    sources = outcome.batch.sources(refused)["source"].to_arrow().cast(pa.string())
    for path in outcome.refusals:
        for rows in refused_rows(path, batch):
            yield rows.filter(pc.is_in(rows["source"], value_set=sources))
    yield from _lost_rows(outcome, batch)


def _lost_rows(outcome: Outcome, batch: str) -> Iterator[pa.Table]:
    """Yield what packing refused, with its bytes where they were held, a few rows at once."""
    facts = scan_parts(outcome.batch.parts)
    every = sorted(outcome.lost.items())
    for start in range(0, len(every), _LOST_ROWS):
        some = every[start : start + _LOST_ROWS]
        lost = [(row, *dataclasses.astuple(loss.refusal), loss.held.read_bytes() if loss.held else None) for row, loss in some]
        schema = {"row": pl.UInt32, "stage": pl.String, "reason": pl.String, "message": pl.String, "bytes": pl.Binary}
        refused = pl.DataFrame(lost, schema=schema, orient="row")
        rows = facts.join(refused.lazy(), on="row").collect().sort("row").with_columns(batch=pl.lit(batch))
        yield arrow_table(rows, QUARANTINE_SCHEMA)


def _check_counts(outcome: Outcome, catalog: ShardFacts, quarantine: ShardFacts) -> None:
    """Raise unless each table got exactly the rows that were decided."""
    outcomes = outcome.batch.outcomes
    states = dict(outcomes["state"].value_counts().iter_rows())
    written = {
        "found": catalog.row_count,
        "kept": sum(shard.row_count for shard in outcome.packed.shards),
        "quarantined": quarantine.row_count,
    }
    decided = {"found": len(outcomes), "kept": states.get("kept", 0), "quarantined": states.get("quarantined", 0)}
    if written != decided:
        raise DatasetError(f"the accounts do not balance: decided {decided}, written {written}; nothing was committed")

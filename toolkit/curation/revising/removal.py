"""Images taken out of a dataset; and, with a purge, out of every file of it, so that no byte of them is left."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.absence import superseded as find_superseded
from toolkit.curation.absence import vanished as find_vanished
from toolkit.curation.annotations.lines import sidecar_stems
from toolkit.curation.history import REMOVED
from toolkit.curation.revising.revision import Revision, revise
from toolkit.curation.sources import mask_stems
from toolkit.curation.sources.units import printable
from toolkit.dataset.conditions import row_condition
from toolkit.dataset.delta import forget_earlier
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.dataset.schema import CATALOG_SCHEMA
from toolkit.dataset.tables import SCHEMAS
from toolkit.errors import UsageError
from toolkit.notebook_progress import shows_progress

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.engine import Progress, Scheduler
    from toolkit.locations import Location

__all__ = ["removable", "remove", "selected"]

_NAMING: Final = {"source": "source", "target": "source", "image_id": "image_id"}
"""Columns of what is remembered beside the tables that may name what was removed."""

_ENDING: Final = r"\.[^./!#]*(#\d+)?$"

_PURGED: Final = "removed:"
"""What the source of a purged row begins with."""

_ROW: Final = ("source", "batch", "state", "image_id", "sha256")

_PURGE_KEEPS: Final = frozenset({"image_id", "sha256", "state", "reason", "source", "batch"})
"""What a purge leaves in the catalog: a hash by which the same bytes are known again, and nothing else."""


@shows_progress
def remove(
    dataset: str | Path | Location | Dataset,
    where: str | pl.Expr | None = None,
    *,
    superseded: bool = False,
    vanished_from: Sequence[str | os.PathLike[str]] = (),
    purge: bool = False,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Take images out as a new version and return the dataset opened at it; give exactly one way to name them.

    Parameters
    ----------
    dataset : path or Dataset
        The dataset.
    where : str or polars.Expr, optional
        A condition over the columns of the catalog, in SQL: ``label = 'dog'``, ``source LIKE 'crawl/%'``,
        ``image_id IN ('...')``. Copies (other occurrences of the same bytes or pixels) go with what it names.
    superseded : bool
        What its source no longer holds, because it came again with other bytes.
    vanished_from : sequence of paths
        What is no longer found in these sources, given as they were to ``curate``.
    purge : bool
        Also rewrite all tables, delete every earlier version, and leave of what was removed a hash alone.
    scheduler : str or Client, optional
        An existing Dask cluster.
    workers : int, optional
        Worker processes of a local cluster.
    progress : callable, optional
        Called as shards are written.

    Raises
    ------
    UsageError
        If the condition cannot be read or names nothing.

    Notes
    -----
    The catalog keeps a row for each occurrence, dropped. What a condition named is dropped as ``removed``, and the same bytes
    are not let in again; what its source lost is dropped as ``superseded`` or ``vanished``, and comes in again with its source.
    """
    named = _Named(where=where, is_superseded=superseded, vanished_from=tuple(vanished_from))
    before = open_dataset(dataset)
    with before.store.writing():
        before = Dataset(before.store)
        rows, reason = _rows(before, named, with_removed=purge)
        if rows.is_empty():
            raise UsageError(f"nothing in '{before.location}' {named.shown}; nothing was removed")
        revision = _revision(before, rows, reason, is_purge=purge)
        masks = before.scan("catalog").join(rows.lazy(), on=["source", "batch"], how="semi").select("mask_source").drop_nulls()
        beside = masks.collect(engine="streaming")["mask_source"] if purge else pl.Series(dtype=pl.String)
        removed = revise(before, revision, scheduler=scheduler, workers=workers, progress=progress)
        if purge:
            _forget(removed, rows, beside)
    return removed


def removable(
    dataset: str | Path | Location | Dataset,
    where: str | pl.Expr | None = None,
    *,
    superseded: bool = False,
    vanished_from: Sequence[str | os.PathLike[str]] = (),
) -> pl.DataFrame:
    """Return the occurrences that ``remove`` would take out: ``source``, ``batch``, ``state``, ``image_id``, ``sha256``."""
    named = _Named(where=where, is_superseded=superseded, vanished_from=tuple(vanished_from))
    return _rows(open_dataset(dataset), named)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What is to go, in the one way it was named."""

    where: str | pl.Expr | None
    is_superseded: bool
    vanished_from: tuple[str | os.PathLike[str], ...]

    def __post_init__(self) -> None:
        if (self.where is not None) + self.is_superseded + bool(self.vanished_from) != 1:
            raise UsageError("say what to remove in exactly one way: a condition (where), superseded, or vanished_from")

    @property
    def shown(self) -> str:
        if self.where is not None:
            return f"matches {_shown(self.where)}"
        return "is superseded" if self.is_superseded else "has vanished from its source"


def _rows(before: Dataset, named: _Named, *, with_removed: bool = False) -> tuple[pl.DataFrame, str]:
    """Return the rows that are named, and the reason they get."""
    if named.where is not None:
        return selected(before.scan("catalog"), named.where, with_removed=with_removed), REMOVED
    hits = find_superseded(before) if named.is_superseded else find_vanished(before, named.vanished_from)
    reason = "superseded" if named.is_superseded else "vanished"
    return _without_living(before.scan("catalog"), hits), reason


def _without_living(catalog: pl.LazyFrame, hits: pl.LazyFrame) -> pl.DataFrame:
    """Return the rows of which no other occurrence lives on in its source: a copy elsewhere keeps an image where it is."""
    content = pl.when(pl.col("state") == "duplicate").then("duplicate_of").otherwise("image_id").alias("content")
    is_present = pl.col("state").is_in(["kept", "duplicate"])
    gone = hits.filter(is_present).select(*_ROW, content).collect(engine="streaming")
    others = catalog.filter(is_present).select("source", "batch", content).join(gone.lazy(), on=["source", "batch"], how="anti")
    living = others.join(gone.lazy(), on="content", how="semi").select(pl.col("content").unique()).collect(engine="streaming")
    return gone.join(living, on="content", how="anti").drop("content").sort("source", "batch")


def _shown(where: str | pl.Expr) -> str:
    return f"'{where}'" if isinstance(where, str) else "the condition"


def selected(catalog: pl.LazyFrame, where: str | pl.Expr, *, with_removed: bool = False) -> pl.DataFrame:
    """Return the rows (``source``, ``batch``, ``state``, ``image_id``, ``sha256``) that a condition names, and all their copies.

    Parameters
    ----------
    catalog : pl.LazyFrame
        The catalog.
    where : str or pl.Expr
        The condition.
    with_removed : bool
        Whether rows that were removed before are found too: a purge can still make them forgotten.

    Raises
    ------
    UsageError
        If the condition cannot be read.
    """
    is_present = pl.col("reason").is_null() | (pl.col("reason") != REMOVED)
    present = catalog.filter(~pl.col("source").str.starts_with(_PURGED) if with_removed else is_present)
    columns = [*_ROW, "duplicate_of"]
    try:
        condition = row_condition(where)
        if not condition.meta.root_names():
            raise UsageError(f"{_shown(where)} asks nothing of an image, and would name all or none; name a column")
        hits = present.filter(condition).select(columns).collect(engine="streaming")
    except pl.exceptions.PolarsError as fault:
        names = ", ".join(name for name in CATALOG_SCHEMA.names if name != "metadata")
        reason = str(fault).strip().splitlines()[0].split(";")[0]
        raise UsageError(f"{_shown(where)} cannot be asked of the catalog: {reason}; its columns are {names}") from fault
    copies = hits.filter(pl.col("state") == "duplicate")["duplicate_of"].drop_nulls()
    contents = pl.concat([hits["image_id"].drop_nulls(), copies]).unique().implode()
    is_copy = (pl.col("state") == "duplicate") & pl.col("duplicate_of").is_in(contents)
    rest = present.select(columns).filter(pl.col("image_id").is_in(contents) | is_copy).collect(engine="streaming")
    return pl.concat([hits, rest]).unique(["source", "batch"]).sort("source", "batch").drop("duplicate_of")


def _revision(before: Dataset, rows: pl.DataFrame, reason: str, *, is_purge: bool) -> Revision:
    kept = rows.filter(pl.col("state") == "kept")
    none = pl.lit(None, pl.String)
    images = kept.select("image_id", "source", is_kept=pl.lit(value=False), duplicate_group=none, split=none)
    catalog = rows.select(
        "source",
        "batch",
        is_kept=pl.lit(value=True),
        state=pl.lit("dropped"),
        reason=pl.lit(reason),
        **dict.fromkeys(("duplicate_of", "duplicate_group", "split"), none),
    )
    if is_purge:
        catalog = _without_facts(catalog, rows)
    refused = rows.filter(pl.col("state") == "quarantined").select("source", "batch", is_kept=pl.lit(value=False))
    return Revision(
        kind="remove",
        recipe=before.state.recipe,
        images=images,
        catalog=catalog,
        quarantine=refused,
        notes={"removed_image_count": float(len(kept)), "removed_occurrence_count": float(len(rows))},
        is_purge=is_purge,
    )


def _without_facts(catalog: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the changes with every fact null and the source replaced by a name that says nothing."""
    schema = pl.Schema(CATALOG_SCHEMA)
    facts = {name: kind for name, kind in schema.items() if name not in _PURGE_KEEPS and name not in catalog.columns}
    number = pl.int_range(pl.len()).over("sha256").cast(pl.String)
    names = rows.select(new_source=pl.concat_str(pl.lit(_PURGED), pl.col("sha256").fill_null("unread"), pl.lit("#"), number))
    return catalog.hstack(names).with_columns(**{name: pl.lit(None, kind) for name, kind in facts.items()})


def _forget(dataset: Dataset, rows: pl.DataFrame, masks: pl.Series) -> None:
    """Delete all that earlier versions held, and what else is remembered of the removed sources and of their masks."""
    store = dataset.store
    for table in SCHEMAS:
        if store.table_path(table).exists():
            forget_earlier(store.table_path(table))
    for manifest in (store.private_path / "manifests").glob("*.json"):
        if manifest != store.manifest_path(dataset.version):
            manifest.unlink()
    places = store.private_path / "sources.json"
    held = dict(json.loads(places.read_text(encoding="utf-8"))) if places.exists() else {}
    gone = _gone(dataset, rows["source"], list(held))
    for folder in ("staging", "reports", "locators"):
        _forget_sources(store.private_path / folder, rows, gone)
    _forget_beside(store.private_path / "others", rows["source"], masks, gone)
    if gone:
        kept = {name: place for name, place in held.items() if name not in gone}
        places.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")


def _gone(dataset: Dataset, removed: pl.Series, names: list[str]) -> list[str]:
    """Return the names of sources of which something was removed, and the catalog holds nothing any more."""
    catalog = dataset.scan("catalog").select("source")
    touched = [name for name in names if removed.to_frame("source").select(_is_below(name).any()).item()]
    return [name for name in touched if catalog.filter(_is_below(name)).head(1).collect().is_empty()]


def _is_below(name: str, column: str = "source") -> pl.Expr:
    """Return whether a key is of a source of that name."""
    shown, key = printable(name)[0], pl.col(column)
    return pl.any_horizontal(key == shown, *(key.str.starts_with(shown + mark) for mark in "/!#")).fill_null(value=False)


def _without(held: pl.DataFrame, gone: list[str]) -> pl.DataFrame:
    """Return the rows that name nothing of sources that are wholly gone."""
    texts = [name for name, kind in held.schema.items() if kind == pl.String]
    named = [_is_below(name, column) for name in gone for column in texts]
    return held.filter(~pl.any_horizontal(named)) if named else held


def _forget_sources(folder: Path, rows: pl.DataFrame, gone: list[str]) -> None:
    """Rewrite the Parquet files of a folder without rows of removed sources; delete whatever else is in it."""
    if not folder.exists():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix != ".parquet":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            continue
        held = pl.read_parquet(path, glob=False)
        for column, name in _NAMING.items():
            if column in held.columns:
                held = held.join(rows, left_on=column, right_on=name, how="anti", maintain_order="left")
        _without(held, gone).write_parquet(path)


def _forget_beside(folder: Path, removed: pl.Series, masks: pl.Series, gone: list[str]) -> None:
    """Rewrite the lists of files that are no image without those that bear the name of a removed one, or were its mask."""
    stems = set(removed) | set(removed.str.replace(_ENDING, ""))
    for path in sorted(folder.glob("*.parquet")):
        held = pl.read_parquet(path, glob=False)
        named = [not stems.isdisjoint([*sidecar_stems(key), *mask_stems(key)]) for key in held["source"]]
        left = held.filter(~pl.Series(named, dtype=pl.Boolean) & ~pl.col("source").is_in(masks.implode()))
        _without(left, gone).write_parquet(path)

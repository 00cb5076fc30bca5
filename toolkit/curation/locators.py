"""Where the bytes of what was not kept can be had again: on this machine, as long as the source lies where it lay.

Not part of the dataset: a copy of the dataset elsewhere is whole without it, and nothing is decided by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.dataset.tables import DatasetStore

__all__ = ["known_locators", "remember_locators"]

_SCHEMA = {"source": pl.String, "batch": pl.String, "locator": pl.String}


def _folder(store: DatasetStore) -> Path:
    return store.private_path / "locators"


def remember_locators(store: DatasetStore, batch: str, parts: Sequence[Path], outcomes: pl.DataFrame) -> None:
    """Remember where the occurrences of a batch that were not kept were found.

    Parameters
    ----------
    store : DatasetStore
        The dataset.
    batch : str
        Identifier of the batch.
    parts : sequence of Path
        Its probe parts: ``source``, ``locator``.
    outcomes : pl.DataFrame
        ``row``, ``state``.
    """
    left_out = outcomes.lazy().filter(pl.col("state") != "kept").select("row")
    places = pl.scan_parquet(list(parts), row_index_name="row", glob=False).select("row", "source", "locator")
    found = places.join(left_out, on="row", how="semi").select("source", pl.lit(batch).alias("batch"), "locator")
    remembered = found.collect(engine="streaming")
    if remembered.is_empty():
        return
    folder = _folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{batch}.tmp"
    remembered.write_parquet(temporary, compression="zstd")
    temporary.replace(folder / f"{batch}.parquet")


def known_locators(store: DatasetStore, rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``source``, ``batch``, ``locator`` of those of the rows (``source``, ``batch``) whose place is remembered."""
    paths = sorted(_folder(store).glob("*.parquet"))
    if not paths:
        return pl.DataFrame(schema=_SCHEMA)
    wanted = rows.lazy().select("source", "batch")
    return pl.scan_parquet(paths, glob=False).join(wanted, on=["source", "batch"], how="semi").collect(engine="streaming")

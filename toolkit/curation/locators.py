"""Where the bytes of what was not kept, and its mask, can be had again: on this machine, as long as the source lies where it lay.

Not part of the dataset: a copy of the dataset elsewhere is whole without it, and nothing is decided by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from toolkit.curation.labelling import UNTURNED
from toolkit.curation.parts import scan_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.dataset.tables import DatasetStore

__all__ = ["known_locators", "remember_locators"]

_SCHEMA = {
    "source": pl.String(),
    "batch": pl.String(),
    "locator": pl.String(),
    "mask_locator": pl.String(),
    "unturned": pl.List(UNTURNED),
}


def _folder(store: DatasetStore) -> Path:
    return store.private_path / "locators"


def remember_locators(
    store: DatasetStore, batch: str, parts: Sequence[Path], outcomes: pl.DataFrame, labels: pl.DataFrame | pl.LazyFrame
) -> None:
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
    labels : pl.DataFrame
        ``row``, ``mask_locator``, ``unturned``.
    """
    left_out = outcomes.select("row", "state").filter(pl.col("state") != "kept").select("row")
    if left_out.is_empty():
        return
    places = scan_parts(parts).select("row", "source", "locator")
    found = places.join(left_out.lazy(), on="row", how="semi").join(labels.lazy(), on="row", how="left")
    found = found.with_columns(batch=pl.lit(batch)).select(_SCHEMA.keys())
    remembered = found.collect(engine="streaming")
    if remembered.is_empty():
        return
    folder = _folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{batch}.tmp"
    remembered.write_parquet(temporary, compression="zstd")
    temporary.replace(folder / f"{batch}.parquet")


def known_locators(store: DatasetStore, rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``locator``, ``mask_locator``, ``unturned`` of those of the rows (``source``, ``batch``) that are remembered.

    Earlier releases remembered no masks and no boxes; both are null there.
    """
    paths = sorted(_folder(store).glob("*.parquet"))
    if not paths:
        return pl.DataFrame(schema=_SCHEMA)
    wanted = rows.lazy().select("source", "batch")
    remembered = pl.scan_parquet(paths, glob=False, schema=_SCHEMA, missing_columns="insert")
    return remembered.join(wanted, on=["source", "batch"], how="semi").collect(engine="streaming")

"""The images of a dataset as an export takes them: row group by row group, those of a split and of a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from toolkit.dataset.conditions import row_condition
from toolkit.dataset.schema import IMAGES_SCHEMA, SPLITS
from toolkit.dataset.shards import iter_row_groups
from toolkit.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.dataset.reading import Dataset

__all__ = ["FACT_COLUMNS", "Selection", "has_masks", "image_rows", "image_tables"]

_BYTES: Final = ("image", "mask")

FACT_COLUMNS: Final = tuple(name for name in IMAGES_SCHEMA.names if name not in _BYTES)
"""Every column but those with bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which images of a dataset are exported."""

    dataset: Dataset
    """At the version that is exported."""
    split: str | None = None
    """Only this split."""
    where: str | pl.Expr | None = None
    """Only images that this condition over the columns (without bytes) names; SQL or an expression."""

    @property
    def condition(self) -> pl.Expr | None:
        """The condition with the split.

        Raises
        ------
        UsageError
            If it cannot be read.
        """
        parts = [] if self.split is None else [pl.col("split") == self.split]
        if self.where is not None:
            try:
                parts.append(row_condition(self.where))
            except pl.exceptions.PolarsError as fault:
                raise UsageError(f"'{self.where}' is no condition: {str(fault).splitlines()[0]}") from fault
        return pl.all_horizontal(parts) if parts else None

    def count(self) -> tuple[int, int]:
        """Return how many images are chosen, and their bytes; no image is read.

        Raises
        ------
        UsageError
            If the split is none, or the condition cannot be asked of the columns.
        """
        if self.split is not None and self.split not in SPLITS:
            raise UsageError(f"'{self.split}' is not a split; the splits are {', '.join(SPLITS)}")
        images = self.dataset.scan("images").select(FACT_COLUMNS)
        try:
            chosen = images if self.condition is None else images.filter(self.condition)
            row = chosen.select(count=pl.len(), size_bytes=pl.col("size_bytes").sum()).collect(engine="streaming").row(0)
        except pl.exceptions.PolarsError as fault:
            reason = str(fault).strip().splitlines()[0].split(";")[0]
            raise UsageError(
                f"'{self.where}' cannot be asked of the images: {reason}; see tonnage show for the columns"
            ) from fault
        return int(row[0]), int(row[1] or 0)


def has_masks(selection: Selection) -> bool:
    """Return whether any image of the dataset, chosen or not, has a mask; no image is read."""
    masks = selection.dataset.scan("images").select(pl.col("mask_source").is_not_null().any())
    return bool(masks.collect(engine="streaming").item())


def image_tables(selection: Selection) -> Iterator[pa.Table]:
    """Yield the chosen rows of each row group, with all columns, in the order of shards; one row group is held at a time.

    Raises
    ------
    DatasetError
        If a shard cannot be read.
    """
    others = tuple(f"{name}-" for name in SPLITS if selection.split is not None and name != selection.split)
    for path in selection.dataset.shard_paths():
        if others and path.name.startswith(others):
            continue
        yield from _chosen(path, selection.condition)


def _chosen(path: Path, condition: pl.Expr | None) -> Iterator[pa.Table]:
    try:
        for group in iter_row_groups(path):
            table = group
            for field in IMAGES_SCHEMA:
                if field.name not in table.column_names:  # of an earlier release
                    table = table.append_column(field, pa.nulls(len(table), field.type))
            rows = table if condition is None else table.filter(_mask(table, condition))
            if rows.num_rows:
                yield rows
    except (OSError, pa.ArrowException) as fault:
        raise DatasetError(f"shard '{path}' cannot be read: {fault}; run tonnage verify") from fault


def _mask(table: pa.Table, condition: pl.Expr) -> pa.Array:
    frame = pl.from_arrow(table.select(list(FACT_COLUMNS)))
    assert isinstance(frame, pl.DataFrame)
    return pa.array(frame.select(chosen=condition)["chosen"].fill_null(value=False).to_list(), pa.bool_())


def image_rows(selection: Selection) -> Iterator[dict[str, Any]]:
    """Yield the chosen images one by one, as plain Python values."""
    for table in image_tables(selection):
        for start in range(table.num_rows):
            yield table.slice(start, 1).to_pylist()[0]

"""The classes that tables with images declare, in the order of their numbers: kept whether an image has them or not."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.annotations.objects import CATEGORY_NAMES
from toolkit.curation.sources.cells import LABEL_COLUMNS, class_names, is_dataset
from toolkit.curation.sources.rows import RowGroups
from toolkit.curation.sources.tables import TABLE_FAULTS
from toolkit.curation.sources.units import own_name
from toolkit.dataset.findings import FINDINGS

if TYPE_CHECKING:
    from toolkit.curation.annotations.lines import Line

__all__ = ["declared_classes", "declared_lines"]

_NAMING: Final = frozenset({*LABEL_COLUMNS, *CATEGORY_NAMES})
"""Columns, and parts of columns of boxes, whose numbers become labels."""


def declared_classes(tables: pl.DataFrame) -> pl.DataFrame:
    """Return the list ``classes`` of ``findings.FINDINGS``: what tables say of the numbers of their labels.

    Parameters
    ----------
    tables : pl.DataFrame
        ``source``, ``path`` of tables with images; one that can no longer be read says nothing, and each of its rows why.
    """
    rows = []
    for source, path in tables.select("source", "path").iter_rows():
        with contextlib.suppress(*TABLE_FAULTS), RowGroups(Path(own_name(path))) as table:
            if not is_dataset(table.schema.names):
                names = class_names(own_name(path), table.schema)
                rows += [(source, column, number, name) for column in names for number, name in enumerate(names[column])]
    return pl.DataFrame(rows, schema=FINDINGS["classes"], orient="row")


def declared_lines(classes: pl.DataFrame) -> list[Line]:
    """Return the classes of columns that become labels, as lines of annotations: a line a column."""
    part = pl.col("column").str.split(".").list.last()
    named = classes.filter(part.is_in(_NAMING)).group_by("file", "column", maintain_order=True).agg("label")
    return [{"file": row["file"], "kind": "names", "labels": row["label"]} for row in named.iter_rows(named=True)]

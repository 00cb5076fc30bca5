"""The split that a source's own folders or files name, kept as metadata: a dataset's splits follow from its images instead."""

from __future__ import annotations

from typing import Final

import polars as pl

__all__ = ["SOURCE_SPLIT", "source_split", "with_source_splits"]

SOURCE_SPLIT: Final = "source_split"
"""Key of the metadata that holds it."""

_NAMED: Final = (
    r"(?i)(?:^|[/!])(train|test|val|dev)(?:ing|id|idation)?(?:19\d\d|20\d\d)?"
    r"(?:(?:~\d+)?[/!]|-\d+-of-\d+(?:~\d+)?\.|[-_]?\d*(?:~\d+)?\.[a-z0-9.]+[!#])"
)
"""A folder, an archive or a table of that name: ``train/``, ``val2017.zip!``, ``test-00000-of-00002.parquet#``; a second source
of that name too: ``train~2/``."""

_SPLITS: Final = {"train": "train", "val": "validation", "dev": "validation", "test": "test"}


def source_split(source: str = "source") -> pl.Expr:
    """Return the split that a source's key names, as an expression; the outermost name counts.

    Examples
    --------
    >>> sources = ["d/train/a.jpg", "d/images/val2017/a.jpg", "d/test-00000-of-00002.parquet#1", "d/trained/a"]
    >>> pl.DataFrame({"source": sources}).select(source_split()).to_series().to_list()
    ['train', 'validation', 'test', None]
    >>> seconds = ["train~2/a.jpg", "val2017~3.zip!a.jpg", "test-00000-of-00002~2.parquet#1", "train~x/a"]
    >>> pl.DataFrame({"source": seconds}).select(source_split()).to_series().to_list()
    ['train', 'validation', 'test', None]
    """
    return pl.col(source).str.extract(_NAMED, 1).str.to_lowercase().replace_strict(_SPLITS, default=None, return_dtype=pl.String)


def with_source_splits(images: pl.DataFrame) -> pl.DataFrame:
    """Return images (``source``, ``metadata``) with the split that their source names, unless their metadata names one."""
    metadata = pl.col("metadata").fill_null([])
    is_told = metadata.list.eval(pl.element().struct.field("key") == SOURCE_SPLIT).list.any()
    split = source_split()
    pair = pl.struct(key=pl.lit(SOURCE_SPLIT), value=split)
    more = pl.concat_list(metadata, pair.reshape((-1, 1)).arr.to_list())
    return images.with_columns(metadata=pl.when(split.is_not_null() & ~is_told).then(more).otherwise("metadata"))

"""Conditions: those that a row answers by itself pass, and those that look at others do not."""

import polars as pl
import pytest

from toolkit.dataset.conditions import row_condition
from toolkit.errors import UsageError

OF_ONE = [
    "label = 'dog'", "source LIKE 'crawl/%'", "image_id IN ('a', 'b')", "label IS NULL AND width_px BETWEEN 1 AND 3", "upper(label) = 'X'",
    "coalesce(label, 'Len') = 'Agg'", "CASE WHEN label = 'a' THEN true ELSE false END", "CAST(width_px AS double) / height_px > 2",
    "array_contains(labels, 'cat')", "round(entropy_bits, 1) > 2", "NOT (label = 'x')", "greatest(width_px, height_px) > 10",
    pl.col("labels").list.contains("cat"), pl.col("Len") > 1, pl.col("sha256").is_in(["a"]),
    pl.col("metadata").list.eval(pl.element().struct.field("key").len() > 1).list.any(), pl.col("labels").list.len() > 1,
]  # fmt: skip
OF_MANY = [
    "count(*) > 1", "size_bytes > avg(size_bytes)", "width_px = max(width_px)", "first(label) = 'a'", "median(width_px) > 1",
    "row_number() OVER (ORDER BY source) < 5", "count(*) OVER (PARTITION BY label) > 1", "rank() OVER (ORDER BY width_px) = 1",
    "lag(label) OVER (ORDER BY source) = 'a'", "quantile_cont(width_px, 0.5) > 1",
    pl.col("sha256").is_duplicated(), pl.len() > 1, pl.col("width_px").cum_sum() > 1, pl.col("label").is_first_distinct(),
]  # fmt: skip


@pytest.mark.parametrize("where", OF_ONE, ids=str)
def test_a_condition_on_one_row_passes(where):
    assert isinstance(row_condition(where), pl.Expr)


@pytest.mark.parametrize("where", OF_MANY, ids=str)
def test_a_condition_on_several_rows_is_refused(where):
    with pytest.raises(UsageError, match="looks at several rows at once"):
        row_condition(where)

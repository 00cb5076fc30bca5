"""Conditions that name images: in SQL or as an expression, asked of each row by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["row_condition"]

_OF_MANY: Final = frozenset(
    {
        "Agg", "Len", "Over", "Rolling", "SubPlan", "Sort", "SortBy", "Gather", "Filter", "Slice", "Quantile", "Rank", "Shift",
        "Range", "CumSum", "CumCount", "CumProd", "CumMin", "CumMax", "Diff", "RollingExpr", "TopK", "Random", "Correlation",
        "Reverse", "FillNullWithStrategy", "IsDuplicated", "IsUnique", "IsFirstDistinct", "IsLastDistinct", "Any", "All",
    }
)  # fmt: skip
"""Nodes of an expression of Polars that look at other rows than the one that is asked."""

_OF_ONE: Final = frozenset({"Column", "Literal", "evaluation"})
"""Parts whose content is no expression over rows; what is evaluated within a list stays within its row."""


def row_condition(where: str | pl.Expr) -> pl.Expr:
    """Return a condition as an expression that is asked of each row by itself.

    Parameters
    ----------
    where : str or polars.Expr
        The condition; SQL as text.

    Raises
    ------
    UsageError
        If it counts, sums, ranks or otherwise looks at several rows: what it names would then be all or nothing, or differ
        from one part of a table to the next.
    polars.exceptions.PolarsError
        If the text is no SQL.

    Examples
    --------
    >>> pl.select(row_condition("1 < 2")).item()
    True
    """
    condition = pl.sql_expr(where) if isinstance(where, str) else where
    if looks_at := next((name for name in _nodes(_tree(condition)) if name in _OF_MANY), None):
        shown = f"'{where}'" if isinstance(where, str) else "the condition"
        raise UsageError(
            f"{shown} looks at several rows at once ({looks_at}), so that it cannot be asked of each image by itself; "
            f"compute the value first, and name it: width_px > 640"
        )
    return condition


def _tree(condition: pl.Expr) -> Any:
    try:
        return json.loads(condition.meta.serialize(format="json"))
    except pl.exceptions.PolarsError:  # a function of the caller's own, which only the caller knows
        return None


def _nodes(tree: Any) -> Iterator[str]:
    """Yield the names of an expression's nodes."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    elif isinstance(tree, dict):
        for name, part in tree.items():
            yield name
            if name not in _OF_ONE:
                yield from _nodes(part)

"""How each projected number is made: a detail per quantity, linked to those it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.blocks import Detail
from toolkit.reporting.wording import begin, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.projection.explain import Explanation
    from toolkit.projection.result import Projection

__all__ = ["details_of", "explained", "given_ids", "last_month", "why_id", "why_of"]

_DEPTH: Final = 5
_DETAILS_HELD: Final = 400


def why_id(quantity: str, prefix: str = "") -> str:
    """Return the identifier of a quantity's explanation in the page."""
    return f"{prefix}why-" + quantity.replace(".", "-").replace("_", "-")


def explained(projection: Projection) -> frozenset[str]:
    """Return what the page explains: results by a detail each, inputs by their row among the assumptions."""
    return frozenset(_explained(projection)["quantity"].to_list()) | set(projection.assumptions["name"].to_list())


def given_ids(projection: Projection, prefix: str = "") -> dict[str, str]:
    """Return the identifier of each input's row among the assumptions, which explains it; results have details of their own."""
    results = set(_explained(projection)["quantity"].to_list())
    return {name: why_id(name, prefix) for name in projection.assumptions["name"].to_list() if name not in results}


def why_of(known: frozenset[str], quantity: str, prefix: str = "") -> str:
    """Return the identifier of a quantity's explanation; nothing where the page has none."""
    return why_id(quantity, prefix) if quantity in known else ""


def _explained(projection: Projection) -> pl.DataFrame:
    """Return the quantities that the page explains, with the last month in which each has a value; inputs are told elsewhere."""
    frame = projection.frame.filter(pl.col("p50").is_not_null()).sort("month")
    found = frame.group_by("quantity", maintain_order=True).agg(pl.col("month").last())
    told = {*projection.frame["quantity"].to_list(), *projection.assumptions["name"].to_list()}
    beside = [name for name in projection.explanations if name not in told]  # what lies between inputs and results
    more = pl.DataFrame({"quantity": beside, "month": [last_month(projection)] * len(beside)}, schema=found.schema)
    return pl.concat([found, more]).head(_DETAILS_HELD)


def last_month(projection: Projection) -> int:
    """Return the last month of a projection; 0 when it has none."""
    return max(projection.months, default=0)


def details_of(projection: Projection, prefix: str = "") -> tuple[Detail, ...]:
    """Return the explanation of every quantity in the last month in which it has a value."""
    months = _explained(projection)
    known = explained(projection)
    details = []
    for quantity, month in months.iter_rows():
        tree = projection.explain(quantity, month)
        details.append(_detail(tree, known, prefix, title=f"{begin(quantity_words(str(quantity)))}, month {month}", top=True))
    return tuple(details)


def _detail(
    tree: Explanation, known: frozenset[str], prefix: str, *, title: str = "", top: bool = False, depth: int = 0
) -> Detail:
    elsewhere = tree.name in known and not top
    deeper = () if elsewhere or depth >= _DEPTH else tree.inputs
    return Detail(
        id=why_id(tree.name, prefix) if top else "",
        title=title or quantity_words(tree.name),
        name="" if elsewhere else tree.name,
        value=show(tree.value, tree.unit),
        formula="" if elsewhere else tree.formula or "",
        source="" if elsewhere else tree.source or "",
        evidence=tree.evidence or "",
        inputs=tuple(_detail(part, known, prefix, depth=depth + 1) for part in deeper),
        why=why_id(tree.name, prefix) if elsewhere else "",
    )

"""The sections of a projection: growth, storage, bandwidth, compute, the plan, doubling, sensitivity, assumptions, formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.blocks import Block, Cell, Chart, KeyFact, KeyFacts, Notes, Prose, Section, Table, text_rows
from toolkit.reporting.explanations import details_of, last_month, why_id
from toolkit.reporting.figures_projection import projection_figures, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["projection_sections"]

_CHECKPOINTS: Final = 7
"""Months shown in the table of quantities."""


def projection_sections(projection: Projection, prefix: str = "") -> list[Section]:
    """Return the sections of a projection; ``prefix`` keeps the identifiers of several projections apart."""
    figures = projection_figures(projection)
    return [
        plan_section(projection, prefix),
        _growth(projection, figures, prefix),
        _load(projection, figures, prefix),
        _doubling(projection, figures, prefix),
        _sensitivity(projection, figures, prefix),
        _assumptions(projection, prefix),
        _formulas(projection, prefix),
    ]


def _charts(figures: Mapping[str, go.Figure], prefix: str, names: Mapping[str, Table | None]) -> list[Block]:
    return [Chart(id=f"{prefix}{name}", figure=figures[name], table=table) for name, table in names.items() if name in figures]


def plan_section(projection: Projection, prefix: str) -> Section:
    """Return the plan: what to buy or rent, how much, when, why, and what is not known about its price."""
    rows = [_plan_row(row) for row in projection.plan.frame.iter_rows(named=True)]
    columns = ("what", "count", "by month", "unit price", "price", "power", "why", "known from")
    blocks: list[Block] = []
    if rows:
        note = "A price that nobody gave is shown as 'needs input', and is in no sum."
        blocks.append(
            Table(caption="The plan", columns=columns, rows=text_rows(rows), numeric=frozenset({1, 2, 3, 4, 5}), note=note)
        )
    else:
        blocks.append(Prose(text="Nothing has to be bought or rented.", calm=True))
    if projection.flags:
        blocks.append(Notes(items=projection.flags, title="To watch"))
    return Section(
        id=f"{prefix}plan",
        title="What to buy or rent, and when",
        short="Plan",
        lead=projection.plan.summary,
        blocks=tuple(blocks),
    )


def _plan_row(row: Mapping[str, Any]) -> list[object]:
    month = row.get("needed_by_month")
    return [
        f"{row['item']}" + (f" ({row['phase']})" if row.get("phase") else ""),
        show(row["count"], "count"),
        "–" if month is None else str(month),
        _price(row.get("unit_price_usd")),
        _price(row.get("price_usd")),
        "–" if row.get("power_w") is None else show(row["power_w"], "w"),
        Cell(text=str(row.get("reason") or ""), quiet=True),
        _badge(row.get("evidence")),
    ]


def _price(value: float | None) -> str:
    return "needs input" if value is None else show(value, "usd")


def _badge(evidence: object) -> Cell:
    kind = str(evidence or "").split(":")[0].strip() or "–"
    return Cell(text="" if kind != "–" else kind, badge="" if kind == "–" else kind)


def _growth(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    kinds = _months_table(projection, "storage.", "Storage by month (p50)", prefix)
    images = _months_table(projection, "dataset.", "The dataset by month (p50)", prefix)
    blocks = _charts(figures, prefix, {"growth": images, "storage": kinds})
    lead = "How many images there will be, and what it takes to keep them. Bands hold 80 % of the draws (p10 to p90)."
    if not blocks:
        blocks = [Prose(text="The projection covers a single month, or no storage: there is no growth to draw.", calm=True)]
        blocks += [table for table in (images, kinds) if table]
    return Section(id=f"{prefix}growth", title="How much there will be to keep", short="Storage", lead=lead, blocks=tuple(blocks))


def _load(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    tables = {
        "bandwidth": _months_table(projection, "bandwidth.", "Bandwidth by month (p50)", prefix),
        "bottlenecks": None,
        "compute": _months_table(projection, "training.", "Training by month (p50)", prefix),
        "cost": None,
        "latency": _months_table(projection, "inference.", "Inference by month (p50)", prefix),
    }
    blocks = _charts(figures, prefix, tables)
    blocks += [t for name, t in tables.items() if t is not None and name not in figures]
    network = _months_table(projection, "network.", "Network by month (p50)", prefix)
    if network:
        blocks.append(network)
    lead = f"{projection.plan.bottleneck} {projection.plan.next_bottleneck}".strip()
    title = "How fast it must move, and how much it must compute"
    return Section(id=f"{prefix}load", title=title, short="Speed and compute", lead=lead, blocks=tuple(blocks))


def _months_table(projection: Projection, start: str, caption: str, prefix: str) -> Table | None:
    frame = projection.frame.filter(pl.col("quantity").str.starts_with(start))
    if frame.is_empty():
        return None
    months = sorted(frame["month"].unique().to_list())
    step = max(-(-(len(months) - 1) // (_CHECKPOINTS - 1)), 1)
    picked = sorted({*months[::step], months[-1]})
    rows: list[list[object]] = []
    for (quantity,), lines in frame.group_by("quantity", maintain_order=True):
        unit = lines["unit"][0]
        by_month = {row["month"]: row for row in lines.iter_rows(named=True)}
        cells: list[object] = [Cell(text=quantity_words(str(quantity), unit), why=why_id(str(quantity), prefix))]
        cells += [show(by_month[m]["p50"], unit) if m in by_month else "–" for m in picked]
        last = by_month.get(picked[-1])
        cells.append(f"{show(last['p10'], unit)} to {show(last['p90'], unit)}" if last else "–")
        rows.append(cells)
    columns = ("quantity", *(f"month {m}" for m in picked), f"p10 to p90, month {picked[-1]}")
    return Table(caption=caption, columns=columns, rows=text_rows(rows), numeric=frozenset(range(1, len(columns))))


def _doubling(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    rows = []
    for row in projection.doubling.iter_rows(named=True):
        exponent = "unknown" if row["exponent"] is None else f"{row['exponent']:.2f}"
        cells = [show(row[c], row["unit"]) for c in ("x1", "x2", "x4", "x8")]
        rows.append(
            [
                row["resource"],
                quantity_words(row["quantity"], row["unit"]),
                *cells,
                exponent,
                Cell(text=str(row["why"] or ""), quiet=True),
            ]
        )
    columns = ("resource", "quantity", "as it is", "twice", "4 times", "8 times", "exponent", "why")
    table = Table(caption="What doubling the data does", columns=columns, rows=text_rows(rows), numeric=frozenset({2, 3, 4, 5, 6}),
                  note="An exponent of 1 grows in step with the data, 0 not at all.")  # fmt: skip
    blocks = _charts(figures, prefix, {"doubling": table}) or [table]
    if not rows:
        blocks = [Prose(text="The projection holds no doubling table.", calm=True)]
    lead = "What each resource becomes when the dataset is two, four and eight times as large, everything else unchanged."
    return Section(id=f"{prefix}doubling", title="If the data doubles", short="Doubling", lead=lead, blocks=tuple(blocks))


def _sensitivity(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    names = [name for name in figures if name.startswith("tornado-")]
    blocks: list[Block] = [Chart(id=f"{prefix}{name}", figure=figures[name]) for name in names]
    if not blocks:
        blocks = [Prose(text="No input moves a result: each is known, or none was varied.", calm=True)]
    lead = "Each input goes from its low to its high value while the others stay: what to find out first."
    return Section(
        id=f"{prefix}sensitivity", title="What would change the answer", short="Sensitivity", lead=lead, blocks=tuple(blocks)
    )


def _assumptions(projection: Projection, prefix: str) -> Section:
    rows = [
        [row["name"], Cell(text=str(row["shown"] or "")), _badge(row["evidence"]), _source(row["source"])]
        for row in projection.assumptions.iter_rows(named=True)
    ]
    counts = projection.assumptions.group_by("evidence").len().sort("evidence") if rows else None
    lead = "The projection names no assumption."
    if counts is not None:
        lead = (
            "; ".join(f"{count:,} {kind}" for kind, count in counts.iter_rows())
            + ". Measured beats published beats vendor beats assumed."
        )
    table = Table(
        caption="Assumptions", columns=("what", "value", "known from", "source"), rows=text_rows(rows), numeric=frozenset({1})
    )
    return Section(
        id=f"{prefix}assumptions", title="What was assumed", short="Assumptions", lead=lead, blocks=(table,) if rows else ()
    )


def _source(source: object) -> Cell:
    text = str(source or "")
    link = next((word.strip("().,;") for word in text.split() if word.startswith(("https://", "http://"))), "")
    return Cell(text=text, quiet=True, href=link)


def _formulas(projection: Projection, prefix: str) -> Section:
    details = details_of(projection, prefix)
    lead = f"Open a line to see the formula, what went into it, and where that came from. Medians, month {last_month(projection)} unless it says otherwise."
    blocks: tuple[Block, ...] = details or (Prose(text="The projection holds no quantity.", calm=True),)
    return Section(id=f"{prefix}formulas", title="How each number is made", short="Formulas", lead=lead, blocks=blocks)


def answer_facts(projection: Projection, prefix: str = "") -> KeyFacts:
    """Return the numbers that stand at the top: the size of the thing, in the last month."""
    wanted = {
        "storage.capacity_bytes": "storage",
        "bandwidth.storage_demand_bytes_per_s": "storage bandwidth",
        "training.gpu_count": "GPUs for training",
        "training.elapsed_s": "a training run",
        "inference.instance_count": "inference instances",
    }
    month = last_month(projection)
    rows = {row["quantity"]: row for row in projection.frame.filter(pl.col("month") == month).iter_rows(named=True)}
    items = []
    for quantity, label in wanted.items():
        row = rows.get(quantity)
        if row is None or row["p50"] is None:
            continue
        low, high = show(row["p10"], row["unit"]), show(row["p90"], row["unit"])
        note = f"month {month}" + ("" if low == high else f"; {low} to {high}")
        items.append(KeyFact(label=label, value=show(row["p50"], row["unit"]), note=note, why=why_id(quantity, prefix)))
    return KeyFacts(items=tuple(items))

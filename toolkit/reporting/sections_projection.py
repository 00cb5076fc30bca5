"""The sections of a projection: the plan, growth, load, doubling, sensitivity, assumptions, and how each number is made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.blocks import Block, Cell, Chart, Fold, KeyFact, KeyFacts, Prose, Section, Table, text_rows
from toolkit.reporting.explanations import details_of, explained, last_month, why_of
from toolkit.reporting.explanations_plan import purchase_details
from toolkit.reporting.figures_projection import projection_figures
from toolkit.reporting.figures_regimes import resource_words
from toolkit.reporting.formats import measured_formats, measured_sharing
from toolkit.reporting.known import Known
from toolkit.reporting.sections_assumptions import assumptions_section
from toolkit.reporting.sections_plan import costs_section, plan_section
from toolkit.reporting.sections_what_if import what_if_section
from toolkit.reporting.topics import Topic, absent_section, topic_section
from toolkit.reporting.topics_inference import INFERENCE_TOPICS
from toolkit.reporting.topics_training import TRAINING_TOPICS
from toolkit.reporting.wording import DASH, TIMES, begin, interval, plural, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from toolkit.facts import MeasurementSet
    from toolkit.projection.result import Projection

__all__ = ["answer_facts", "projection_sections"]

_MONTHS_SHOWN: Final = 7
"""Months in a table of quantities, at most."""

_GROUP_WORDS: Final = {"bandwidth": "bandwidth of storage", "cache": "page cache", "dataset": "the dataset"}

_ROWS_PRINTED: Final = 12
"""A table of quantities with more rows stays off paper: the sections of each question hold what matters of it."""

_ROWS_OPEN: Final = 4
"""A table of quantities with more rows is folded."""


def projection_sections(projection: Projection, prefix: str = "", measured: Sequence[MeasurementSet] = ()) -> dict[str, Section]:
    """Return the sections of a projection by name; ``prefix`` keeps the identifiers of several projections apart.

    ``measured`` holds the measurements of the same report: what they say of number formats and of shared machines stands beside
    what is projected.
    """
    figures = projection_figures(projection)
    sections: dict[str, Section | None] = {
        "plan": plan_section(projection, figures, prefix),
        "growth": _growth(projection, figures, prefix),
        "load": _load(projection, figures, prefix),
        **_topics(projection, figures, prefix, measured),
        "costs": costs_section(projection, figures, prefix),
        "doubling": _doubling(projection, figures, prefix),
        "sensitivity": _sensitivity(projection, figures, prefix),
        "what-if": what_if_section(projection, prefix),
        "assumptions": assumptions_section(projection, prefix),
        "formulas": _formulas(projection, prefix),
    }
    return {name: section for name, section in sections.items() if section is not None}


def answer_facts(projection: Projection, prefix: str = "") -> KeyFacts:
    """Return the numbers that stand at the top: the size of the thing, in the last month."""
    wanted = {
        "storage.capacity_bytes": "storage",
        "bandwidth.storage_demand_bytes_per_s": "storage bandwidth",
        "training.gpu_count": "GPUs for training",
        "training.elapsed_s": "a training run",
        "inference.instance_count": "inference instances",
        "inference.latency_p99_s": "99 % answered within",
    }
    month, known = last_month(projection), explained(projection)
    rows = {row["quantity"]: row for row in projection.frame.filter(pl.col("month") == month).iter_rows(named=True)}
    items = []
    for quantity, label in wanted.items():
        row = rows.get(quantity)
        if row is None or row["p50"] is None:
            continue
        value, spread = show(row["p50"], row["unit"]), interval(row["p10"], row["p90"], row["unit"])
        note = f"month {month}" + ("" if spread == value else f": {spread}")
        if quantity == "training.gpu_count":
            note += _bought_as(projection)
        items.append(KeyFact(label=label, value=value, note=note, why=why_of(known, quantity, prefix)))
    return KeyFacts(items=tuple(items))


def _bought_as(projection: Projection) -> str:
    """Return in which whole nodes the plan buys the devices: for nine draws in ten, where the number itself is the median."""
    nodes = projection.plan.frame.filter((pl.col("phase") == "training") & pl.col("item").str.starts_with("node of "))
    if nodes.is_empty():
        return ""
    return f"; the plan: {show(float(nodes['count'].sum()), 'count')} {TIMES} {nodes['item'][0]}"


_DRAWN: Final = {
    "growth": "dataset.images",
    "storage": "storage.capacity_bytes",
    "bandwidth": "bandwidth.storage_demand_bytes_per_s",
    "compute": "training.gpu_count",
    "elapsed": "training.elapsed_s",
    "cost": "training.cost_usd",
    "latency": "inference.latency_p99_s",
    "latency-load": "inference.capacity_per_s",
    "risks": "training.late_share",
    "cost-by-month": "cost.owned_usd",
    "cost-so-far": "cost.owned_so_far_usd",
}
"""The quantity that a figure draws, to whose explanation it leads."""


def _charts(
    projection: Projection, figures: Mapping[str, go.Figure], prefix: str, names: Mapping[str, Table | None], half: frozenset[str]
) -> list[Block]:
    known = explained(projection)
    drawn = _DRAWN | {
        f"{kind}-{name.replace('.', '-').replace('_', '-')}": name for name in known for kind in ("tornado", "influence")
    }
    return [
        Chart(
            id=f"{prefix}{name}",
            figure=figures[name],
            table=table,
            half=name in half,
            why=why_of(known, drawn.get(name, ""), prefix),
        )
        for name, table in names.items()
        if name in figures
    ]


def _growth(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    tables = {
        "growth": _months_table(projection, "dataset.", "The dataset by month, medians", prefix),
        "storage": _months_table(projection, "storage.", "Storage by month, medians", prefix),
    }
    blocks = _charts(projection, figures, prefix, tables, frozenset())
    blocks += [table for name, table in tables.items() if table is not None and name not in figures]
    if not blocks:
        blocks = [Prose(text="The projection says nothing of images or storage.", calm=True)]
    lead = "How many images there will be, and what it takes to keep them. Bands hold eight draws in ten (p10 to p90)."
    return Section(id=f"{prefix}growth", title="How much there will be to keep", short="Storage", lead=lead, blocks=tuple(blocks))


_PARTS: Final = {
    "training": (TRAINING_TOPICS, ("training.model", "training.accelerator", "training.deadline")),
    "inference": (
        INFERENCE_TOPICS,
        ("inference.model", "inference.accelerator", "inference.requests_per_s or inference.streams"),
    ),
}
"""The questions of each part of a scenario, and the keys that it cannot do without."""

_OF_ANY: Final = ("batches", "moving")
"""Questions of the data, which are answered where nothing is trained too."""

_NOT_MEASURED: Final = {
    "formats": "The numeric error of this arithmetic on the target needs input: tonnage measure --only compute.",
    "sharing": "What neighbours take on the target needs input: tonnage measure --only contention.",
}


def _topics(
    projection: Projection, figures: Mapping[str, go.Figure], prefix: str, measured: Sequence[MeasurementSet]
) -> dict[str, Section]:
    """Return a section for each question of training and of serving; one for all of a part that the scenario leaves out."""
    known = Known.of(projection, prefix)
    found: dict[str, Section] = {}

    def charts(names: Sequence[str]) -> list[Block]:
        small = [name for name in names if name in figures]
        half = frozenset(small[: len(small) // 2 * 2])
        return _charts(projection, figures, prefix, dict.fromkeys(names), half)

    for part, (topics, keys) in _PARTS.items():
        group = begin(part)
        names = {name for name, _ in known.ends} | known.given.keys()  # a count that the scenario states is an input, no result
        is_there = any(name.startswith(f"{part}.{_TOLD[part]}") for name in names)
        asked: list[Topic] = [topic for topic in topics if is_there or topic.name in _OF_ANY]
        found |= {topic.name: topic_section(topic, known, charts, group) for topic in asked}
        if not is_there:
            left = [topic for topic in topics if topic not in asked]
            found[f"no-{part}"] = absent_section(left, known, part, group, keys)
    taken = {"formats": measured_formats(measured), "sharing": measured_sharing(measured)}
    for name, blocks in taken.items():
        if name in found:
            more = blocks or (Prose(text=_NOT_MEASURED[name], calm=True),)
            found[name] = dataclasses.replace(found[name], blocks=(*found[name].blocks, *more))
    return found


_TOLD: Final = {"training": "gpu_count", "inference": "instance_count"}
"""The result without which a part was not projected."""


def _load(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    tables = {
        "bandwidth": _months_table(projection, "bandwidth.", "Bandwidth by month, medians", prefix),
        "bottlenecks": None,
        "limits": None,
    }
    more = [("network.", "Network"), ("training.", "Training"), ("inference.", "Inference")]
    blocks = _charts(projection, figures, prefix, tables, frozenset())
    blocks += [tables["bandwidth"]] if tables["bandwidth"] and "bandwidth" not in figures else []
    found = [_months_table(projection, start, f"{noun} by month, medians", prefix) for start, noun in more]
    blocks += [table for table in found if table is not None]
    if not blocks:
        blocks = [Prose(text="The projection says nothing of bandwidth, training or inference.", calm=True)]
    lead = f"{projection.plan.bottleneck} {projection.plan.next_bottleneck}".strip()
    title = "How fast it must move, and how much it must compute"
    return Section(id=f"{prefix}load", title=title, short="Speed and compute", lead=lead, blocks=tuple(blocks))


def _months_table(projection: Projection, start: str, caption: str, prefix: str) -> Table | None:
    frame = projection.frame.filter(pl.col("quantity").str.starts_with(start))
    if frame.is_empty():
        return None
    months = sorted(frame["month"].unique().to_list())
    step = max(-(-(len(months) - 1) // (_MONTHS_SHOWN - 1)), 1)
    picked = sorted({*months[::step], months[-1]})
    known = explained(projection)
    rows: list[list[object]] = []
    for (quantity,), lines in frame.group_by("quantity", maintain_order=True):
        unit = lines["unit"][0]
        by_month = {row["month"]: row for row in lines.iter_rows(named=True)}
        cells: list[object] = [Cell(text=quantity_words(str(quantity)), why=why_of(known, str(quantity), prefix))]
        cells += [_median(by_month[m], unit) if m in by_month else DASH for m in picked]
        last = by_month.get(picked[-1])
        cells.append(DASH if last is None or last["p50"] is None else interval(last["p10"], last["p90"], unit))
        rows.append(cells)
    columns = ("quantity", *(f"month {m}" for m in picked), f"p10 to p90, month {picked[-1]}")
    folded = len(rows) > _ROWS_OPEN
    return Table(
        caption=caption, columns=columns, rows=text_rows(rows), numeric=frozenset(range(1, len(columns))), folded=folded,
        is_for_screens=len(rows) > _ROWS_PRINTED,
    )  # fmt: skip


def _median(row: Mapping[str, Any], unit: str) -> str:
    """Return a median; what rests on a price or a rate that nobody gave needs input."""
    return "needs input" if row["p50"] is None else show(row["p50"], unit)


def _doubling(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    rows, known = [], explained(projection)
    for row in projection.doubling.iter_rows(named=True):
        exponent = "from nothing" if row["exponent"] is None else f"{row['exponent']:.2f}"
        cells = [show(row[c], row["unit"]) for c in ("x1", "x2", "x4", "x8")]
        first, comma, way = str(row["resource"]).partition(",")
        words = f"{resource_words(first, row['unit'])}{comma}{way}"
        name = Cell(text=begin(words), below=quantity_words(row["quantity"]), why=why_of(known, row["quantity"], prefix))
        rows.append([name, *cells, exponent, Cell(text=str(row["why"] or ""), quiet=True)])
    columns = ("what", "as it is", "2 times", "4 times", "8 times", "exponent", "why")
    table = Table(caption="What more data does", columns=columns, rows=text_rows(rows), numeric=frozenset(range(1, 6)))
    blocks = _charts(projection, figures, prefix, {"doubling": table, "regimes": None}, frozenset())
    blocks = blocks if "doubling" in figures else [*blocks, table]
    if not rows:
        blocks = [Prose(text="The projection holds no doubling table.", calm=True)]
    lead = "What each resource becomes when the dataset is two, four and eight times as large, everything else unchanged."
    return Section(id=f"{prefix}doubling", title="If the data doubles", short="Doubling", lead=lead, blocks=tuple(blocks))


def _sensitivity(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    tornadoes = [name for name in figures if name.startswith("tornado-")]
    beside = {name: name.replace("tornado-", "influence-") for name in tornadoes}
    paired = [part for name in tornadoes if beside[name] in figures for part in (name, beside[name])]
    alone = [name for name in tornadoes if name not in paired]
    alone += [name for name in figures if name.startswith("influence-") and name not in paired]
    half = frozenset([*paired, *alone[len(alone) % 2 :]])
    blocks = _charts(projection, figures, prefix, dict.fromkeys([*paired, *alone]), half)
    if not blocks:
        blocks = [Prose(text="No input moves a result: each is known, or none was varied.", calm=True)]
    lead = "Each input goes from its low to its high value while the others stay: what to find out first."
    if paired:
        lead += " Beside it, what the spread of the result comes from when all of them vary at once."
    title = "What would change the answer"
    return Section(id=f"{prefix}sensitivity", title=title, short="Sensitivity", lead=lead, blocks=tuple(blocks))


def _formulas(projection: Projection, prefix: str) -> Section:
    groups: dict[str, list[Block]] = {}
    bought: list[Block] = [*purchase_details(projection, prefix)]
    if bought:
        groups["what is bought"] = bought
    for detail in details_of(projection, prefix):
        groups.setdefault(detail.name.partition(".")[0], []).append(detail)
    lead = "Open a line for the formula, what went into it, and where that came from. Values are medians."
    folds = tuple(
        Fold(title=f"{begin(_GROUP_WORDS.get(name, name))}: {plural(len(found), 'number')}", blocks=tuple(found))
        for name, found in groups.items()
    )
    blocks: tuple[Block, ...] = folds or (Prose(text="The projection holds no quantity.", calm=True),)
    return Section(id=f"{prefix}formulas", title="How each number is made", short="Formulas", lead=lead, blocks=blocks)

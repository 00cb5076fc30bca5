"""The top of a report: the answer in one sentence, when, what limits, and how sure; from whatever the report was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.measurement.comparing import Comparison
from toolkit.projection.explain import EVIDENCE
from toolkit.reporting.blocks import KeyFact, KeyFacts
from toolkit.reporting.counted import counted_id
from toolkit.reporting.explanations import last_month
from toolkit.reporting.known import Known
from toolkit.reporting.sections_projection import answer_facts
from toolkit.reporting.wording import TIMES, interval, list_words, plural, sentences, shorten, without_keys
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.facts import DatasetProfile, MeasurementSet
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.contrasting import Contrast
    from toolkit.projection.result import Plan, Projection
    from toolkit.reporting.evidence_changes import VersionChange

__all__ = [
    "Answer",
    "answer_of_backtest",
    "answer_of_comparison",
    "answer_of_dataset",
    "answer_of_diff",
    "answer_of_measurements",
    "answer_of_projection",
]


_TOLD: Final = (
    "dataset.images", "storage.capacity_bytes", "training.elapsed_s", "training.cost_usd", "inference.latency_p99_s",
    "bandwidth.storage_demand_bytes_per_s", "bandwidth.storage_supply_bytes_per_s", "inference.objective_s",
    "training.deadline_s", "inference.device_w", "inference.device_limit_w", "training.memory_bytes",
    "inference.memory_bytes", "network.node_bytes_per_s", "inference.uplink_bytes_per_s", "inference.sent_bytes_per_s",
    "training.decode_images_per_s", "storage.time_to_fill_s", "training.power_w", "inference.power_w", "site.power_w",
)  # fmt: skip
"""Quantities that the answer's sentences tell."""

_LINES_NAMED: Final = 3
"""Lines of a plan that the answer names; the plan's table holds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reader wants to know first."""

    of: str
    """What it is an answer about."""
    headline: str
    """The answer in a sentence."""
    points: tuple[tuple[str, str], ...]
    """Question and answer, a few."""
    lead: str = ""
    """What the headline leaves out."""
    facts: KeyFacts | None = None
    """Numbers that stand for themselves."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Numbers in its sentences, as they are shown there, with the identifiers of their explanations."""


def answer_of_projection(projection: Projection, prefix: str = "") -> Answer:
    """Return what is needed, when, what limits, and how sure that is."""
    plan = projection.plan
    points = [
        ("When", _when(plan)),
        ("What limits", " ".join(part for part in (plan.bottleneck, plan.next_bottleneck) if part)),
        ("Edge", without_keys(plan.edge_fit)),
        ("What it costs", _cost(plan)),
        ("How sure", _how_sure(projection)),
    ]
    shown = tuple((question, answer) for question, answer in points if answer)
    headline, lead = sentences(plan.summary)
    of = f"Scenario: {projection.name}"
    links = Known.of(projection, prefix).links(_TOLD)
    return Answer(of=of, headline=headline, lead=lead, points=shown, facts=answer_facts(projection, prefix), links=links)


def _when(plan: Plan) -> str:
    frame = plan.frame.filter(pl.col("needed_by_month").is_not_null())
    if frame.is_empty():
        return "Nothing has to be bought or rented."
    later = frame.filter(pl.col("needed_by_month") > 0).sort("needed_by_month", "item")
    now = frame.filter(pl.col("needed_by_month") <= 0)
    parts = [f"Now: {_named(now)}" if now.height else "", f"Later: {_named(later, dated=True)}" if later.height else ""]
    return " ".join(f"{part}." for part in parts if part)


def _named(frame: pl.DataFrame, *, dated: bool = False) -> str:
    """Return the first lines of a plan as words, with their month where they are not of now."""
    rows = list(frame.head(_LINES_NAMED).iter_rows(named=True))
    words = [
        f"{show(row['count'], 'count')} {TIMES} {row['item']}" + (f" by month {row['needed_by_month']}" if dated else "")
        for row in rows
    ]
    if frame.height > len(rows):
        words.append(f"{frame.height - len(rows)} more")
    return "; ".join(words)


def _cost(plan: Plan) -> str:
    if plan.frame.is_empty():
        return ""
    unknown = len(plan.unpriced_items)
    words = []
    if plan.total_price_usd or not unknown:
        words.append(show(plan.total_price_usd, "usd"))
    if plan.total_power_w:
        words.append(f"{show(plan.total_power_w, 'w')} of power")
    if unknown:
        words.append(f"{unknown} of {plural(plan.frame.height, 'item')} without a price: they need your input, and are in no sum")
    return "; ".join(words) + "."


def _how_sure(projection: Projection) -> str:
    month = last_month(projection)
    row = projection.frame.filter((pl.col("quantity") == "storage.capacity_bytes") & (pl.col("month") == month))
    words = []
    if not row.is_empty():
        band = interval(row["p10"][0], row["p90"][0], "bytes")
        words.append(f"Eight draws in ten put the storage in month {month} at {band}.")
    if not projection.assumptions.is_empty():
        kinds = projection.assumptions["evidence"].to_list()
        counts = [f"{kinds.count(kind)} {kind}" for kind in EVIDENCE if kind in kinds]
        words.append(f"Of {plural(len(kinds), 'input')}: {list_words(counts)}.")
    return " ".join(words)


def answer_of_measurements(found: MeasurementSet) -> Answer:
    """Return the rate at which images reach training, and what limits it."""
    rate = found.find("loader.decoded") or found.find("decode.all_cores")
    headline = f"{plural(len(found.measurements), 'rate')} measured on {found.environment.host}."
    if rate is not None:
        moved = f", {show(rate.median * rate.bytes_per_image, 'bytes_per_s')}" if rate.bytes_per_image else ""
        headline = f"This machine hands training {show(rate.median, rate.unit)}{moved}."
    points = []
    shares = [
        (m.ceiling_share, m, m.ceiling) for m in found.measurements if m.ceiling is not None and m.ceiling_share is not None
    ]
    if shares:
        share, lowest, ceiling = min(shares, key=lambda row: row[0])
        words = f"{lowest.title}: {show(share, 'share', 2)} of {show(ceiling.value, lowest.unit)}."
        points.append(("Farthest from its ceiling", words))
    if any("few_invocations" in m.flags for m in found.measurements):
        points.append(("How sure", f"The plan '{found.plan}' takes few samples; the intervals are wide."))
    return Answer(of=f"Measurements of {found.dataset}", headline=headline, points=tuple(points))


def answer_of_dataset(profile: DatasetProfile, prefix: str = "") -> Answer:
    """Return how much of what came in is now a dataset."""
    size = show(profile.image_bytes, "bytes")
    headline = f"{profile.image_count:,} of {plural(profile.source_count, 'image occurrence')} are now a dataset of {size}."
    if not profile.source_count:
        headline = "Nothing was found, and the dataset is empty."
    left_out = [f"{count:,} {state}" for state, count in profile.states.items() if state != "kept" and count]
    groups = plural(profile.near_duplicate_group_count, "group")
    facts = (
        KeyFact(label="images", value=f"{profile.image_count:,}", note=f"{show(profile.kept_share, 'share')} of what came in",
                why=counted_id("images", prefix)),
        KeyFact(label="size", value=size, note=plural(profile.shard_count, "shard"), why=counted_id("size", prefix)),
        KeyFact(label="near duplicates", value=f"{profile.near_duplicate_image_count:,}", note=groups,
                why=counted_id("near", prefix)),
        KeyFact(label="labels", value=f"{profile.label_count:,}", why=counted_id("labels", prefix)),
    )  # fmt: skip
    return Answer(
        of=f"Dataset {profile.name}, version {profile.version}",
        headline=headline,
        points=(("Left out", (list_words(left_out) or "nothing") + "."),),
        facts=KeyFacts(items=facts),
        links={size: counted_id("size", prefix)},
    )


def answer_of_comparison(found: Comparison | Contrast) -> Answer:
    """Return how far two runs, or two projections, are apart."""
    of = f"{shorten(found.before, 60)} beside {shorten(found.after, 60)}"
    if isinstance(found, Comparison):
        total = plural(len(found.ratios), "measurement")
        return Answer(of=of, headline=f"{found.differing_count:,} of {total} differ by more than their spread.", points=())
    apart = found.frame.filter(pl.col("is_apart")).height
    headline = f"{apart:,} of {plural(found.frame.height, 'quantity', 'quantities')} lie apart at month {found.month}."
    return Answer(of=of, headline=headline, points=())


def answer_of_diff(found: VersionChange) -> Answer:
    """Return what one version has and another has not."""
    return Answer(of=f"Versions of {found.location}", headline=f"{found}.", points=())


def answer_of_backtest(found: Backtest) -> Answer:
    """Return how well sizes that were measured small foretold the large ones."""
    return Answer(of=f"Back-test of {found.dataset}", headline=f"{found.sentence}.", points=())

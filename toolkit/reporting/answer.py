"""The top of a report: the answer in one sentence, when, what limits, and how sure; from whatever the report was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from toolkit.reporting.blocks import KeyFact, KeyFacts
from toolkit.reporting.explanations import last_month
from toolkit.reporting.sections_projection import answer_facts
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.facts import DatasetProfile, MeasurementSet
    from toolkit.projection.result import Plan, Projection

__all__ = ["Answer", "answer_of_dataset", "answer_of_measurements", "answer_of_projection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reader wants to know first."""

    of: str
    """What it is an answer about."""
    headline: str
    points: tuple[tuple[str, str], ...]
    """Question and answer, a few."""
    facts: KeyFacts | None = None


def answer_of_projection(projection: Projection, prefix: str = "") -> Answer:
    """Return what is needed, when, what limits, and how sure that is."""
    plan = projection.plan
    points = [
        ("When", _when(plan)),
        ("What limits", " ".join(part for part in (plan.bottleneck, plan.next_bottleneck) if part)),
        ("What it costs", _cost(plan)),
        ("How sure", _how_sure(projection)),
    ]
    shown = tuple((question, answer) for question, answer in points if answer)
    return Answer(of=f"Scenario {projection.name}", headline=plan.summary, points=shown, facts=answer_facts(projection, prefix))


def _when(plan: Plan) -> str:
    frame = (
        plan.frame.filter(pl.col("needed_by_month").is_not_null())
        if "needed_by_month" in plan.frame.columns
        else plan.frame.clear()
    )
    if frame.is_empty():
        return "Nothing has to be bought."
    now = frame.filter(pl.col("needed_by_month") <= 0).height
    later = frame.filter(pl.col("needed_by_month") > 0).sort("needed_by_month", "item")
    words = [f"{now} of {frame.height} items are needed at once" if now else ""]
    if not later.is_empty():
        first = later.row(0, named=True)
        words.append(f"{'then ' if now else 'first '}{first['item']} by month {first['needed_by_month']}")
    return "; ".join(word for word in words if word) + "."


def _cost(plan: Plan) -> str:
    unknown = len(plan.unpriced_items)
    words = []
    if plan.total_price_usd or not unknown:
        words.append(show(plan.total_price_usd, "usd"))
    if unknown:
        words.append(f"{unknown} of {plan.frame.height} items have no price: they need your input and are in no sum")
    if plan.total_power_w:
        words.append(f"{show(plan.total_power_w, 'w')} of power")
    return "; ".join(words) + "." if plan.frame.height else ""


def _how_sure(projection: Projection) -> str:
    month = last_month(projection)
    row = projection.frame.filter((pl.col("quantity") == "storage.capacity_bytes") & (pl.col("month") == month))
    words = []
    if not row.is_empty():
        low, high = show(row["p10"][0], "bytes"), show(row["p90"][0], "bytes")
        words.append(f"Eight draws in ten put the storage in month {month} between {low} and {high}.")
    if not projection.assumptions.is_empty():
        total = projection.assumptions.height
        counts = dict(projection.assumptions.group_by("evidence").len().iter_rows())
        words.append(f"Of {total} inputs {counts.get('measured', 0)} were measured and {counts.get('assumed', 0)} are assumed.")
    return " ".join(words)


def answer_of_measurements(found: MeasurementSet) -> Answer:
    """Return the rate at which images reach training, and what limits it."""
    rate = found.find("loader.decoded") or found.find("decode.all_cores")
    shares = [m for m in found.measurements if m.ceiling_share is not None]
    headline = f"{len(found.measurements):,} rates were measured on {found.environment.host}."
    if rate is not None:
        headline = f"This machine hands training {show(rate.median, rate.unit)}."
        if rate.bytes_per_image:
            headline = f"This machine hands training {show(rate.median, rate.unit)}, {show(rate.median * rate.bytes_per_image, 'bytes_per_s')}."
    points = []
    if shares:
        lowest = min(shares, key=lambda m: m.ceiling_share or 0.0)
        points.append(
            (
                "Farthest from its ceiling",
                f"{lowest.title}: {show(lowest.ceiling_share, 'share', 2)} of {show(lowest.ceiling.value, lowest.unit) if lowest.ceiling else ''}",
            )
        )
    if any("few_invocations" in m.flags for m in found.measurements):
        points.append(("How sure", f"The plan '{found.plan}' takes few samples; the intervals are wide."))
    return Answer(of=f"Measurements of {found.dataset}", headline=headline, points=tuple(points))


def answer_of_dataset(profile: DatasetProfile) -> Answer:
    """Return how much of what came in is now a dataset."""
    headline = (
        f"{profile.image_count:,} of {profile.source_count:,} image occurrences are now a dataset of {show(profile.image_bytes, 'bytes')}."
        if profile.source_count
        else "Nothing was found, and the dataset is empty."
    )
    left_out = {state: count for state, count in profile.states.items() if state != "kept" and count}
    points = [("Left out", ", ".join(f"{count:,} {state}" for state, count in left_out.items()) or "nothing")]
    facts = KeyFacts(
        items=(
            KeyFact(
                label="images", value=f"{profile.image_count:,}", note=f"{show(profile.kept_share, 'share')} of what came in"
            ),
            KeyFact(label="size", value=show(profile.image_bytes, "bytes"), note=f"{profile.shard_count:,} shards"),
            KeyFact(
                label="near duplicates",
                value=f"{profile.near_duplicate_image_count:,}",
                note=f"{profile.near_duplicate_group_count:,} groups",
            ),
            KeyFact(label="labels", value=f"{profile.label_count:,}"),
        )
    )
    return Answer(of=f"Dataset {profile.name}, version {profile.version}", headline=headline, points=tuple(points), facts=facts)

"""How the nouns look in a notebook: compact HTML tables with units, registered with IPython by type.

The nouns themselves know nothing of HTML or IPython; ``import toolkit`` registers these where IPython runs.
"""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.headlines import headline_months, headlines, purchases
from toolkit.reporting.measurement_words import condition_words
from toolkit.reporting.wording import interval, list_words, plural, visible
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.dataset.reading import Dataset
    from toolkit.facts import DatasetProfile, Measurement, MeasurementSet
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Plan, Projection
    from toolkit.projection.scenario import Scenario

__all__ = ["register"]

_ROWS: Final = 24
_CELL: Final = "text-align:{};padding:.2em 1em .2em 0;vertical-align:top"


def register() -> bool:
    """Register the formatters with a running IPython; return whether there is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return False
    formatter = shell.display_formatter.formatters["text/html"]
    for (module, name), draw in _FORMATTERS.items():
        formatter.for_type_by_name(module, name, draw)
    return True


def _page(title: str, lead: str, rows: Sequence[Sequence[object]], columns: Sequence[str] = (), note: str = "") -> str:
    """Return a heading, a sentence and a table as HTML; every text in them is escaped."""
    shown = rows[:_ROWS]
    heads = "".join(f'<th style="{_CELL.format(_side(i))}">{_text(name)}</th>' for i, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL.format(_side(i))}">{_text(cell)}</td>' for i, cell in enumerate(row)) + "</tr>"
        for row in shown
    )
    head = f"<thead><tr>{heads}</tr></thead>" if heads else ""
    more = f"{len(rows) - len(shown):,} more rows. " if len(rows) > len(shown) else ""
    foot = f"<p><small>{_text(more + note)}</small></p>" if more or note else ""
    table = f"<table>{head}<tbody>{body}</tbody></table>" if rows else ""
    return f"<div><strong>{_text(title)}</strong><p>{_text(lead)}</p>{table}{foot}</div>"


def _side(place: int) -> str:
    return "left" if place == 0 else "right"


def _text(value: object) -> str:
    return escape(visible(value))


def _dataset(dataset: Dataset) -> str:
    return _profile(dataset.profile)


def _profile(profile: DatasetProfile) -> str:
    size, shards = show(profile.image_bytes, "bytes"), plural(profile.shard_count, "shard")
    kept = f"{show(profile.kept_share, 'share')} of {profile.source_count:,} found"
    lead = f"{plural(profile.image_count, 'image')}, {size} in {shards}; {kept}."
    rows = [
        ("states", _counts(profile.states)),
        ("left out", _counts(profile.reasons)),
        ("formats", _counts(profile.formats)),
        ("labels", f"{profile.label_count:,}"),
        ("splits", _counts(profile.splits)),
        (
            "bytes an image",
            f"median {show(profile.image_size_bytes.median, 'bytes')}, mean {show(profile.mean_image_bytes, 'bytes')}",
        ),
        ("pixels an image", f"median {show(profile.image_pixels.median, 'pixels')}, mean {show(profile.mean_pixels, 'pixels')}"),
        ("near duplicates", f"{profile.near_duplicate_image_count:,} in {plural(profile.near_duplicate_group_count, 'group')}"),
    ]
    return _page(f"Dataset {profile.name}, version {profile.version}", lead, rows)


def _counts(counts: Any) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:8]]
    return list_words(named) or "none"


def _measurements(found: MeasurementSet) -> str:
    where = f"{found.environment.host}, plan {found.plan}, {show(found.elapsed_s, 's')}"
    lead = f"{plural(len(found.measurements), 'measurement')} on {where}."
    rows = [
        (m.title, show(m.median, m.unit), interval(m.interval_low, m.interval_high, m.unit), _share(m), m.cache_verdict)
        for m in found.measurements
    ]
    return _page("Measurements", lead, rows, ("what", "median", "95 % interval", "of its ceiling", "cache"))


def _share(m: Measurement) -> str:
    return "" if m.ceiling_share is None else show(m.ceiling_share, "share", 2)


def _measurement(m: Measurement) -> str:
    lead = f"{show(m.median, m.unit)} ({interval(m.interval_low, m.interval_high, m.unit)}, 95 %)"
    rows = [("conditions", condition_words(m))] if m.conditions else []
    rows.append(("windows", f"{len(m.samples):,}"))
    if m.ceiling is not None:
        rows += [("ceiling", show(m.ceiling.value, m.unit)), ("why that", m.ceiling.explanation)]
    return _page(m.title, lead, rows, note=" ".join([*m.flags, m.limits]))


def _projection(projection: Projection) -> str:
    months = ["now" if month == 0 else f"month {month}" for month in headline_months(projection)]
    rows = [(headline.words, *headline.shown, headline.spread, headline.evidence) for headline in headlines(projection)]
    limits = " ".join(part for part in (projection.plan.bottleneck, projection.plan.next_bottleneck) if part)
    count = projection.frame["quantity"].n_unique()
    note = f"{limits} {plural(count, 'quantity', 'quantities')} in all: .frame; what is bought: .plan; why: .explain(name)."
    columns = ("medians", *months, "p10 to p90", "known from")
    return _page(f"Projection {projection.name}", projection.plan.summary, rows, columns, note=note.strip())


def _plan(plan: Plan) -> str:
    found, rest_count = purchases(plan.frame, _ROWS)
    rows = [
        (bought.item, bought.phase, bought.shown_count, bought.shown_price, bought.shown_power, bought.when) for bought in found
    ]
    more = f"{plural(rest_count, 'more item')}. " if rest_count else ""
    note = f"{more}{plan.bottleneck} Every order, with why: .frame."
    return _page("Plan", plan.summary, rows, ("what", "for", "count", "price", "power", "needed"), note=note)


def _backtest(found: Backtest) -> str:
    rows = [
        (
            score.title,
            f"{score.prediction_count:,}",
            show(score.median_error_share, "share"),
            f"{show(score.farthest_error_share, 'share')} at {score.farthest_factor:.3g} times",
            show(score.coverage_share, "share"),
        )
        for score in found.scores
    ]
    columns = ("what", "predictions", "median error", "farthest out", "within 80 % interval")
    return _page("Back-test", f"{found.sentence}.", rows, columns, note=" ".join(found.flags))


def _scenario(scenario: Scenario) -> str:
    start, growth = scenario.dataset, scenario.growth
    images = "as profiled" if start.images is None else show(start.images, "images")
    size = "as profiled" if start.image_size is None else show(start.image_size, "bytes")
    rows = [
        ("dataset", f"{images}, {size} each"),
        ("beside the images", list_words([part.name for part in start.components]) or "nothing"),
        ("growth", f"{growth.kind}, over {plural(scenario.horizon_months, 'month')}"),
        ("storage", f"{scenario.storage.medium}, {scenario.storage.protection.factor:.3g} bytes on drives for a byte stored"),
    ]
    if scenario.training is not None:
        deadline = show(scenario.training.deadline, "s")
        rows.append(("training", f"{scenario.training.model} on {scenario.training.accelerator}, a run within {deadline}"))
    if scenario.inference is not None:
        rows.append(("inference", f"{scenario.inference.model} on {scenario.inference.accelerator}"))
    return _page(f"Scenario {scenario.name}", f"{plural(scenario.horizon_months, 'month')} ahead.", rows)


_FORMATTERS: Final[dict[tuple[str, str], Callable[[Any], str]]] = {
    ("toolkit.dataset.reading", "Dataset"): _dataset,
    ("toolkit.facts.profiles", "DatasetProfile"): _profile,
    ("toolkit.facts.measurements", "MeasurementSet"): _measurements,
    ("toolkit.facts.measurements", "Measurement"): _measurement,
    ("toolkit.projection.result", "Projection"): _projection,
    ("toolkit.projection.result", "Plan"): _plan,
    ("toolkit.projection.scenario_parts", "Scenario"): _scenario,
    ("toolkit.facts.backtests", "Backtest"): _backtest,
}
"""By module and name, so that nothing is imported for a type that is never shown."""

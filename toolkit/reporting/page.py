"""One self-contained page: the answer first, then the evidence, with nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import functools
import gzip
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.answer import (
    Answer,
    answer_of_backtest,
    answer_of_comparison,
    answer_of_dataset,
    answer_of_diff,
    answer_of_measurements,
    answer_of_projection,
)
from toolkit.reporting.blocks import Block, Chart, Fold, Prose, Section
from toolkit.reporting.design import TEMPLATE, dark_twins
from toolkit.reporting.dollars import plain_dollars
from toolkit.reporting.linking import linked
from toolkit.reporting.sections_backtest import backtest_sections
from toolkit.reporting.sections_changes import diff_sections
from toolkit.reporting.sections_dataset import dataset_sections
from toolkit.reporting.sections_measurements import measurement_sections
from toolkit.reporting.sections_projection import projection_sections
from toolkit.reporting.sections_runs import comparison_sections, runs_section
from toolkit.reporting.sections_scenarios import contrast_sections, scenario_section
from toolkit.reporting.sources import source_of, sourced
from toolkit.reporting.topics_inference import INFERENCE_TOPICS
from toolkit.reporting.topics_training import TRAINING_TOPICS
from toolkit.reporting.unsaid import unsaid
from toolkit.reporting.wording import shorten, together, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import jinja2
    import plotly.graph_objects as go

    from toolkit.reporting.subjects import Subjects

__all__ = ["charts_of", "render"]

_GROUPS: Final = {
    "Plan": ("scenarios", "plan", "costs"),
    "Dataset": ("came-in", "changed", "refused", "made-of", "alike"),
    "Measured": ("measured", "runs", "backtest"),
    "Ahead": ("growth", "load"),
    "Training": ("no-training", *(topic.name for topic in TRAINING_TOPICS), "doubling"),
    "Inference": ("no-inference", *(topic.name for topic in INFERENCE_TOPICS)),
    "How sure": ("what-if", "sensitivity", "assumptions", "unsaid", "formulas"),
}
"""Sections in the order in which they are read, by the part of the contents that they stand under."""

_SCRIPTS: Final = ("report.js", "downloads.js", "whatif.js", "explain.js")

_UNSAFE: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""Characters that could end a script element or a line inside JSON, as their escapes."""


def charts_of(subjects: Subjects) -> dict[str, Chart]:
    """Return every chart of the page of some subjects, by its name there."""
    blocks = (block for section in _sections(subjects) for block in _all_blocks(section.blocks))
    return {block.id: block for block in blocks if isinstance(block, Chart)}


def render(subjects: Subjects, *, packed: bool = True, paper: str = "") -> str:
    """Return the page of some subjects: the same text for the same facts.

    Parameters
    ----------
    subjects : Subjects
        What it is about.
    packed : bool
        Whether plotly.js is packed, to be unpacked after the first paint. Without it every figure can be drawn as soon as the
        page is loaded, which is what printing needs.
    paper : str
        What it is printed on, ``A4`` or ``Letter``; without one, what the reader's printer holds.
    """
    from markupsafe import Markup

    import toolkit

    sections = _sections(subjects)
    has_charts = any(isinstance(block, Chart) for section in sections for block in _all_blocks(section.blocks))
    answers = _answers(subjects)
    template = _environment().get_template("page.html.j2")
    return template.render(
        title=f"{answers[0].of} · Tonnage",
        version=toolkit.__version__,
        plotly_version=json.loads(_static("plotly-cartesian/ORIGIN.json"))["version"],
        answers=answers,
        sections=sections,
        has_charts=has_charts,
        css=Markup(_static("report.css")),  # noqa: S704  # our own files, not anybody's text
        paper=paper,
        script=Markup("".join(_static(name) for name in _SCRIPTS)),  # noqa: S704 -- our own scripts
        plotly=_packed_plotly() if has_charts and packed else "",
        plain_plotly="" if packed or not has_charts else Markup(_plotly()),  # noqa: S704 -- as above
        template=_json(TEMPLATE.to_plotly_json()),
        dark_twins=dark_twins(),
    )


def _answers(subjects: Subjects) -> list[Answer]:
    if subjects.projections:
        return [answer_of_projection(p, prefix) for prefix, p in _prefixed(subjects.projections, "p")]
    if subjects.measurements:
        return [answer_of_measurements(found) for found in subjects.measurements]
    if subjects.datasets:
        return [answer_of_dataset(evidence.profile, prefix) for prefix, evidence in _prefixed(subjects.datasets, "d")]
    if subjects.backtests:
        return [answer_of_backtest(tested) for tested in subjects.backtests]
    if subjects.comparisons or subjects.contrasts:
        return [*map(answer_of_comparison, subjects.contrasts), *map(answer_of_comparison, subjects.comparisons)]
    return [answer_of_diff(change) for change in subjects.diffs]


def _prefixed(items: tuple[Any, ...], letter: str) -> list[tuple[str, Any]]:
    return [("" if i == 0 else f"{letter}{i + 1}-", item) for i, item in enumerate(items)]


_SHARED: Final = {"v", "c", "r"}
"""Letters of subjects that were compared: their section is one that others make too."""


def _numbered(items: tuple[Any, ...], letter: str) -> list[tuple[str, Any]]:
    """Return prefixes for subjects whose section another kind of subject has too."""
    return [(f"{letter}{i + 1}-", item) for i, item in enumerate(items)]


def _sections(subjects: Subjects) -> list[Section]:
    """Return the sections in the order of the story: the plan, what came in, what was measured, what lies ahead, how."""
    found: list[tuple[str, Section, str]] = []
    project_sections = functools.partial(projection_sections, measured=subjects.measurements)
    makers: list[tuple[tuple[Any, ...], str, Callable[..., dict[str, Section]], Callable[[Any], str]]] = [
        (subjects.projections, "p", project_sections, lambda projection: projection.name),
        (subjects.datasets, "d", dataset_sections, lambda evidence: evidence.profile.name),
        (subjects.measurements, "m", measurement_sections, lambda taken: taken.started_at),
        (subjects.backtests, "b", backtest_sections, lambda tested: tested.started_at),
        (subjects.contrasts, "c", contrast_sections, lambda held: f"{held.before} and {held.after}"),
        (subjects.comparisons, "r", comparison_sections, lambda held: f"{held.before} and {held.after}"),
        (subjects.diffs, "v", diff_sections, lambda change: f"v{change.old_version} to v{change.new_version}"),
    ]
    for given, letter, make, name in makers:
        for prefix, subject in _prefixed(given, letter) if letter not in _SHARED else _numbered(given, letter):
            whose = shorten(name(subject), 60) if len(given) > 1 or letter in _SHARED else ""
            source = source_of(subject)
            found += [(kind, sourced(section, source), whose) for kind, section in make(subject, prefix).items()]
    together = {"scenarios": scenario_section(subjects.projections), "runs": runs_section(subjects.measurements)}
    sources = {"scenarios": "Projected by formulas, each scenario from its own inputs.", "runs": "Measured in both runs."}
    found += [(kind, sourced(section, sources[kind]), "") for kind, section in together.items() if section is not None]
    found.append(("unsaid", unsaid(subjects), ""))
    sections = []
    for group, kinds in _GROUPS.items():
        for kind in kinds:
            same = [(section, whose) for name, section, whose in found if name == kind]
            sections += [dataclasses.replace(_merged(same), group=group)] if same else []
    return sections


def _merged(same: list[tuple[Section, str]]) -> Section:
    """Return the sections of one kind as one: the first subject's in full, those of the others folded behind their names."""
    (first, whose), *others = same
    if not others:
        return first
    blocks: list[Block] = [Prose(text=f"{whose}.", strong=True), *first.blocks]
    blocks += [
        Fold(title=name, id=section.id, blocks=(Prose(text=section.lead, links=section.links), *section.blocks), strong=True)
        for section, name in others
    ]
    return dataclasses.replace(first, blocks=tuple(blocks))


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.PackageLoader("toolkit.reporting"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "linked": linked,
        "visible": visible,
        "together": together,
        "shorten": shorten,
        "json": _json,
        "packed": _packed,
        "embedded": _figure_json,
        "slug": _slug,
    }
    return environment


def _json(value: Any) -> Any:
    return _safe(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def _packed(value: Any) -> str:
    """Return plain facts gzipped and as base64: a quarter of their length."""
    return _gzipped(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def _gzipped(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _figure_json(figure: go.Figure) -> Any:
    """Return a figure as JSON without the template, which the page holds once for all of them."""
    facts = json.loads(figure.to_json(validate=False, engine="json"))
    for name in ("template", "title"):
        facts["layout"].pop(name, None)
    facts["layout"]["meta"] = {"rows": facts["layout"].get("meta", {}).get("rows", [])}  # the page says the rest in words
    return _json(plain_dollars(_rounded(facts)))


def _rounded(value: Any) -> Any:
    """Return plain JSON types with numbers to nine digits: more than any figure shows, and half the length.

    Examples
    --------
    >>> _rounded({"y": [1 / 3, 2, None, "x"]})
    {'y': [0.333333333, 2, None, 'x']}
    """
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return {name: _rounded(part) for name, part in value.items()} if isinstance(value, dict) else value


@functools.cache
def _packed_plotly() -> str:
    """Return plotly.js, gzipped and as base64: 0.7 MB in place of 1.5, unpacked by the browser after the first paint."""
    return _gzipped(_plotly())


def _plotly() -> str:
    return _static("plotly-cartesian/plotly-cartesian.min.js")


def _all_blocks(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from _all_blocks(block.blocks)


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text.translate(_UNSAFE))  # noqa: S704  # nothing that could end the script element is left


def _slug(text: object) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")


@functools.cache
def _static(name: str) -> str:
    return (resources.files("toolkit.reporting") / "static" / name).read_text(encoding="utf-8")

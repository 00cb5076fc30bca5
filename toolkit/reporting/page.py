"""One self-contained page: the answer first, then the evidence, with nothing loaded from elsewhere."""

from __future__ import annotations

import functools
import json
import os
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.answer import Answer, answer_of_dataset, answer_of_measurements, answer_of_projection
from toolkit.reporting.blocks import Chart, Notes, Section
from toolkit.reporting.design import dark_twins, shorten, visible
from toolkit.reporting.evidence import Gallery
from toolkit.reporting.sections_dataset import dataset_sections
from toolkit.reporting.sections_measurements import measurement_sections
from toolkit.reporting.sections_projection import projection_sections
from toolkit.reporting.subjects import Subjects, subjects_of

if TYPE_CHECKING:
    import jinja2
    import plotly.graph_objects as go

__all__ = ["render", "report"]

_UNSAFE: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""Characters that could end a script element or a line inside JSON, as their escapes."""


def report(*subjects: Any, out: str | Path) -> Path:
    """Write one self-contained HTML page about the subjects; return its path.

    Parameters
    ----------
    *subjects : Dataset, DatasetProfile, MeasurementSet, Projection, str or Path
        What to report on. A dataset's folder brings its newest measurements along.
    out : str or Path
        The file to write.

    Raises
    ------
    UsageError
        If nothing was given, or something that no report can be made of.
    MissingError
        If a path is not there.
    """
    page = render(subjects_of(subjects, Gallery()))
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.half")
    half.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    os.replace(half, target)  # noqa: PTH105  # a reader sees the old page or the new one, never half of one
    return target


def render(subjects: Subjects) -> str:
    """Return the page of some subjects: the same text for the same facts."""
    from markupsafe import Markup

    import toolkit

    sections = _sections(subjects)
    has_charts = any(isinstance(block, Chart) for section in sections for block in section.blocks)
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
        script=Markup(_static("report.js")),  # noqa: S704
        plotly=Markup(_static("plotly-cartesian/plotly-cartesian.min.js")) if has_charts else "",  # noqa: S704
        dark_twins=dark_twins(),
    )


def _answers(subjects: Subjects) -> list[Answer]:
    if subjects.projections:
        return [answer_of_projection(p, prefix) for prefix, p in _prefixed(subjects.projections, "p")]
    if subjects.measurements:
        return [answer_of_measurements(found) for found in subjects.measurements]
    return [answer_of_dataset(evidence.profile) for evidence in subjects.datasets]


def _prefixed(items: tuple[Any, ...], letter: str) -> list[tuple[str, Any]]:
    return [("" if i == 0 else f"{letter}{i + 1}-", item) for i, item in enumerate(items)]


def _sections(subjects: Subjects) -> list[Section]:
    sections: list[Section] = []
    last: list[Section] = []
    for prefix, projection in _prefixed(subjects.projections, "p"):
        found = projection_sections(projection, prefix)
        named = _named(found, projection.name, many=len(subjects.projections) > 1)
        sections += [section for section in named if not section.id.endswith("formulas")]
        last += [section for section in named if section.id.endswith("formulas")]
    for prefix, evidence in _prefixed(subjects.datasets, "d"):
        sections += _named(dataset_sections(evidence, prefix), evidence.profile.name, many=len(subjects.datasets) > 1)
    for prefix, taken in _prefixed(subjects.measurements, "m"):
        sections += _named(measurement_sections(taken, prefix), taken.started_at, many=len(subjects.measurements) > 1)
    return [*sections, _unsaid(subjects), *last]


def _named(sections: list[Section], name: str, *, many: bool) -> list[Section]:
    """Return the sections with the subject's name in their titles, where there are several subjects of a kind."""
    if not many:
        return sections
    return [
        Section(
            id=s.id, title=f"{s.title}: {shorten(name)}", short=f"{s.short}: {shorten(name, 18)}", lead=s.lead, blocks=s.blocks
        )
        for s in sections
    ]


def _unsaid(subjects: Subjects) -> Section:
    """Return what the page does not say: the limits of its facts, and the subjects that were not given."""
    notes: list[str] = []
    for projection in subjects.projections:
        notes += [limit for limit in projection.limits if limit not in notes]
    for found in subjects.measurements:
        notes.append(
            f"Rates hold for {found.environment.host} on {found.started_at[:10]} and the dataset at version {found.dataset_version}."
        )
        if any("loopback" in m.flags for m in found.measurements):
            notes.append("Transfers were taken over loopback: they show what the software can do, and nothing of a network.")
    missing = {
        "No dataset is part of this page: what came in and what was refused is not shown. 'tonnage curate' makes one.": subjects.datasets,
        "No measurements are part of this page: rates are published or assumed. 'tonnage measure' takes them.": subjects.measurements,
        "No projection is part of this page: it says what is, and not what will be needed. 'tonnage project' makes one.": subjects.projections,
    }
    notes += [sentence for sentence, given in missing.items() if not given]
    lead = "The limits of what was measured and assumed, so that nobody reads more into this page than it holds."
    title = "What this does not say"
    return Section(id="unsaid", title=title, short="Not said", lead=lead, blocks=(Notes(items=tuple(notes)),) if notes else ())


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
    environment.filters |= {"visible": visible, "shorten": shorten, "json": _json, "embedded": _figure_json, "slug": _slug}
    return environment


def _json(value: Any) -> Any:
    return _safe(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def _figure_json(figure: go.Figure) -> Any:
    return _safe(figure.to_json(validate=False, engine="json"))


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text.translate(_UNSAFE))  # noqa: S704  # nothing that could end the script element is left


def _slug(text: object) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")


@functools.cache
def _static(name: str) -> str:
    return (resources.files("toolkit.reporting") / "static" / name).read_text(encoding="utf-8")

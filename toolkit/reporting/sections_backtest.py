"""The section of a back-test: what was predicted from small sizes beside what was then measured, by kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.blocks import Block, Cell, Chart, KeyFact, KeyFacts, Notes, Prose, Section, Table, text_rows
from toolkit.reporting.charts import finish_rows, guide_lines, row_label, row_marks
from toolkit.reporting.design import BLUE, GRAY, VERMILLION, new_figure
from toolkit.reporting.wording import DASH, begin, interval, moment, plain, plural
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.facts.backtests import Backtest, KindScore, Prediction

__all__ = ["backtest_figures", "backtest_sections"]

_ROWS_HELD: Final = 300
_PITCH_PX: Final = 38
_PROMISED_SHARE: Final = 0.8


def backtest_sections(found: Backtest, prefix: str = "") -> dict[str, Section]:
    """Return the section of a back-test."""
    blocks: list[Block] = [Prose(text="Nothing could be predicted and measured in the time given.", calm=True)]
    if found.predictions:
        figures = backtest_figures(found)
        blocks = [_facts(found, prefix)]
        blocks += [
            Chart(id=f"{prefix}{name.replace('_', '-')}", figure=figure, table=_scores(found, prefix))
            for name, figure in figures.items()
        ]
        blocks += [_predictions(found, prefix), _laws(found, prefix)]
    if found.flags or found.limits:
        blocks.append(Notes(items=(*map(begin, found.flags), *found.limits), title="What it does not say"))
    lead = f"{found.sentence}. Taken in {show(found.elapsed_s, 's')} on {found.environment.host}, {moment(found.started_at)}."
    title = "How well small sizes foretold large ones"
    section = Section(id=f"{prefix}backtest", title=title, short="Back-test", lead=lead, blocks=tuple(blocks))
    return {"backtest": section}


def backtest_figures(found: Backtest) -> dict[str, go.Figure]:
    """Return the figures of a back-test, by name; those without anything to show are left out."""
    figure = _ratios(found)
    return {} if figure is None else {"backtest_ratios": figure}


def _facts(found: Backtest, prefix: str) -> KeyFacts:
    farthest = max(p.size_factor for p in found.predictions)
    return KeyFacts(
        items=(
            KeyFact(
                label="predictions",
                value=f"{len(found.predictions):,}",
                note=plural(found.trial_count, "trial"),
                why=_law_id("predictions", prefix),
            ),
            KeyFact(label="median error", value=show(found.median_error_share, "share"), why=_law_id("error", prefix)),
            KeyFact(
                label="within their interval",
                value=show(found.coverage_share, "share"),
                note=f"{show(_PROMISED_SHARE, 'share')} promised; chance alone: {show(found.chance_share, 'share', 2)}",
                why=_law_id("coverage", prefix),
            ),
            KeyFact(
                label="farthest",
                value=f"{farthest:.3g} times",
                note="the largest size that was fitted",
                why=_law_id("predictions", prefix),
            ),
        )
    )


def _ratios(found: Backtest) -> go.Figure | None:
    """Return what was measured over what was predicted, a dot for each prediction and a row for each kind."""
    usable = [p for p in found.predictions if p.p50 > 0 and math.isfinite(p.value)]
    scores = {score.kind: score for score in found.scores}
    if not usable:
        return None
    worst = max(scores.values(), key=lambda score: score.median_error_share)
    best = min(scores.values(), key=lambda score: score.median_error_share)
    finding = f"Nearest: {best.title}, off by {show(best.median_error_share, 'share', 2)}"
    if worst.kind != best.kind:
        finding += f"; farthest: {worst.title}, {show(worst.median_error_share, 'share', 2)}"
    about = "Each dot is one prediction: what was measured over what was predicted. Larger dots lie farther beyond the data."
    figure = new_figure(finding, about=about)
    for is_covered, color, name in ((True, BLUE, "within its 80 % interval"), (False, VERMILLION, "outside it")):
        _add_dots(figure, [p for p in usable if p.is_covered == is_covered], list(scores), color, name)
    for row, score in enumerate(scores.values()):
        words = f"off by {show(score.median_error_share, 'share', 2)}, {show(score.coverage_share, 'share', 2)} within"
        row_label(figure, row, plain(score.title), words, above_px=15)
    ratios = [p.value / p.p50 for p in usable]
    margin = max(max(ratios) - min(ratios), 0.1) * 0.06
    row_marks(figure, 1, len(scores), GRAY)
    figure.update_xaxes(
        title_text="measured over predicted", tickformat=".0%", range=[min(ratios) - margin, max(ratios) + margin]
    )
    guide_lines(figure, len(scores))
    finish_rows(figure, len(scores), pitch_px=_PITCH_PX)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _add_dots(figure: go.Figure, found: list[Prediction], kinds: list[str], color: str, name: str) -> None:
    if not found:
        return
    figure.add_scatter(
        x=[p.value / p.p50 for p in found], y=[kinds.index(p.kind) + 0.07 * (p.trial_index % 3 - 1) for p in found],
        mode="markers", name=name, hoverinfo="text",
        marker={
            "color": color, "opacity": 0.6, "line": {"width": 0},
            "size": [5 + 1.5 * math.log2(max(p.size_factor, 1)) for p in found],
            "symbol": "circle" if color == BLUE else "x",
        },
        hovertext=[f"{p.size_factor:.3g} times the size: {p.value / p.p50:.0%} of what was predicted" for p in found],
    )  # fmt: skip


def _scores(found: Backtest, prefix: str) -> Table:
    rows = [
        [
            Cell(text=begin(score.title), below=_given_by(found, score), why=_why(found, score.kind, prefix)),
            f"{score.prediction_count:,}",
            show(score.median_error_share, "share"),
            show(score.farthest_error_share, "share"),
            f"{score.farthest_factor:.3g} times",
            show(score.coverage_share, "share"),
        ]
        for score in found.scores
    ]
    columns = ("what", "predictions", "median error", "at the farthest", "which is", "within 80 % interval")
    return Table(caption="By kind", columns=columns, rows=text_rows(rows), numeric=frozenset(range(1, 6)), stacked=True)


def _given_by(found: Backtest, score: KindScore) -> str:
    """Return what gave the predictions of a kind, else the law that was fitted: older back-tests do not say more."""
    law = found.law(score.kind)
    if score.predicted_by:
        return f"predicted by {score.predicted_by}"
    return law.formula if law else ""


def _predictions(found: Backtest, prefix: str) -> Table:
    laws = {law.kind: law for law in found.laws}
    rows = [
        (
            begin(laws[p.kind].title),
            f"{p.size_factor:.3g} times",
            show(p.p50, laws[p.kind].unit),
            interval(p.p10, p.p90, laws[p.kind].unit),
            show(p.value, laws[p.kind].unit),
            f"{p.error_share:+.1%}",
        )
        for p in found.predictions[:_ROWS_HELD]
    ]
    hidden = len(found.predictions) - len(rows)
    note = f"The first {len(rows):,} of {len(found.predictions):,}; all are in the back-test's file." if hidden > 0 else ""
    columns = ("what", "size", "predicted", "80 % interval", "measured", "error")
    return Table(
        caption="Each prediction",
        columns=columns,
        rows=text_rows(rows),
        numeric=frozenset(range(1, 6)),
        note=note,
        folded=True,
        why=_law_id("predictions", prefix),
    )


_MADE: Final = {
    "predictions": ("predictions", "sizes that were left out of the fit, each predicted from the small ones of its trial"),
    "error": ("median error", "median over the predictions of |measured / predicted - 1|"),
    "coverage": ("within their interval", "predictions whose measured value lies within their 80 % interval / predictions"),
}


def _law_id(kind: str, prefix: str) -> str:
    """Return the identifier of the row that says how a kind is predicted, or how a number over all of them is made."""
    return f"{prefix}why-predicted-{kind.replace('.', '-').replace('_', '-')}"


def _laws(found: Backtest, prefix: str) -> Table:
    """Return how each kind is predicted, and how the numbers over all kinds are made."""
    rows: list[tuple[object, ...]] = [
        (Cell(text=begin(title), id=_law_id(kind, prefix)), how, DASH, DASH) for kind, (title, how) in _MADE.items()
    ]
    rows += [
        (
            Cell(text=begin(law.title), id=_law_id(law.kind, prefix)),
            law.formula,
            ", ".join(f"{name} {value:.4g}" for name, value in law.terms.items()) or DASH,
            Cell(text=law.limits or DASH, quiet=True),
        )
        for law in found.laws
    ]
    columns = ("what", "formula", "terms fitted to the small sizes", "what it does not say")
    return Table(caption="How each is predicted", columns=columns, rows=text_rows(rows), stacked=True, folded=True,
                 is_for_screens=True)  # fmt: skip


def _why(found: Backtest, kind: str, prefix: str) -> str:
    """Return the identifier of the row that explains a kind; nothing where no law was fitted to it."""
    return _law_id(kind, prefix) if found.law(kind) else ""

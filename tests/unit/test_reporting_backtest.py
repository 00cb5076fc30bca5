"""A back-test in a report: every prediction drawn where it belongs, the calm of one without any."""

from __future__ import annotations

import dataclasses
import html
import io
import json
from pathlib import Path

import pytest
import reporting_facts as facts
from rich.console import Console

import toolkit
from toolkit import terminal
from toolkit.facts.backtests import Backtest, FittedLaw, Prediction
from toolkit.projection.result import Projection
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects
from toolkit.terminal import show_backtest, show_projection

LAWS = (
    FittedLaw(kind="shard_bytes", title="bytes of the shards", unit="bytes", driver="images", formula="slope x images",
              terms={"slope": 1e4}, noise_share=0.01, limits=""),
    FittedLaw(kind="curate_s", title="time to <curate>", unit="s", driver="images", formula="fixed + slope x images",
              terms={"fixed": 1.0, "slope": 0.01}, noise_share=0.1, limits=""),
)  # fmt: skip


def _prediction(kind: str, factor: float, predicted: float, value: float) -> Prediction:
    return Prediction(
        kind=kind, trial_index=0, driver_count=100 * factor, size_factor=factor,
        p10=predicted * 0.9, p50=predicted, p90=predicted * 1.1, value=value,
        predicted_by="project: curation.elapsed_s = time of any batch" if kind == "curate_s" else "",
    )  # fmt: skip


@pytest.fixture
def found() -> Backtest:
    predictions = (
        _prediction("shard_bytes", 2, 2e6, 2.02e6),
        _prediction("shard_bytes", 8, 8e6, 8.1e6),
        _prediction("curate_s", 2, 3.0, 3.1),
        _prediction("curate_s", 8, 9.0, 18.0),
    )
    return Backtest(
        dataset="flowers", dataset_version=1, started_at="2026-01-02T11:00:05Z", elapsed_s=60.0, limit_s=60.0, seed=0,
        environment=facts.measurements().environment, trial_count=1, fitted_image_counts=(100,),
        predicted_image_counts=(200, 800), varied_share=0.0, chance_share=0.6, laws=LAWS, predictions=predictions, observations=(),
    )  # fmt: skip


def test_each_prediction_is_a_dot_at_measured_over_predicted(found: Backtest) -> None:
    figure = toolkit.figures(found)["backtest_ratios"]
    dots = sorted(x for trace in figure.data for x in trace.x)
    assert dots == pytest.approx(sorted([1.01, 1.0125, 3.1 / 3.0, 2.0]))
    outside = next(trace for trace in figure.data if trace.name == "outside it")
    assert list(outside.x) == [2.0]
    assert "Bytes" not in figure.layout.title.text.partition("farthest")[2]


def test_the_newest_back_test_of_a_file_is_a_section_and_an_answer(found: Backtest, tmp_path: Path) -> None:
    saved = tmp_path / "backtest.json"
    saved.write_text(json.dumps(found.to_dict()), encoding="utf-8")
    text = toolkit.report(saved, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="backtest"' in text
    assert "4 predictions up to 8 times" in text
    assert "time to &lt;curate&gt;" in text.lower()
    assert "<curate>" not in text


def test_what_gave_each_prediction_is_told_on_the_page_in_the_terminal_and_in_the_frame(
    found: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = toolkit.report(found, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "predicted by project: curation.elapsed_s = time of any batch" in text
    assert "slope x images" in text  # of the other, whose back-test does not say
    show_backtest(found)
    said = capsys.readouterr().out
    assert "project: curation.elapsed_s" in said
    assert "time of any batch" not in said
    assert set(found.frame()["predicted_by"]) == {"", "project: curation.elapsed_s = time of any batch"}
    older = found.to_dict()
    for prediction in older["predictions"]:
        del prediction["predicted_by"]
    assert Backtest.from_dict(older).scores[1].predicted_by == ""


def test_one_without_predictions_is_reported_calmly(found: Backtest, tmp_path: Path) -> None:
    none = dataclasses.replace(found, predictions=(), laws=())
    text = toolkit.report(none, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Nothing could be predicted and measured" in text
    assert toolkit.figures(none) == {}


def test_a_projection_carries_the_newest_backtest_of_its_dataset_or_says_that_there_is_none(
    found: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"name": "x", "horizon_months": 2, "dataset": {"images": 1000, "image_size": "100 kB"}}
    profile = dataclasses.replace(facts.profile(), location=str(tmp_path))
    without = toolkit.project(asked, profile, draws=2)
    assert without.backtest.startswith("No back-test: ")
    assert "tonnage backtest" in without.backtest
    (tmp_path / "backtests").mkdir()
    dataclasses.replace(found, started_at="2025-01-01T00:00:00Z").save(tmp_path / "backtests" / "20250101T000000Z.json")
    found.save(tmp_path / "backtests" / "20260102T110005Z.json")
    tested = toolkit.project(asked, profile, draws=2)
    assert tested.backtest == f"Back-test of 2026-01-02: {found.sentence}."
    kept = Projection.from_dict(tested.to_dict())
    assert kept.backtest == tested.backtest
    for projection in (kept, without):  # a report made of the saved projection alone says it too
        page = html.unescape(render(Subjects(projections=(projection,)))).replace("\u00a0", " ").replace("\u202f", " ")
        assert projection.backtest in page
    show_projection(kept)
    assert "Back-test of 2026-01-02" in capsys.readouterr().out
    older = tested.to_dict()
    del older["backtest"]
    assert Projection.from_dict(older).backtest == ""


def test_one_is_one_screen_of_the_terminal(found: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda: Console(file=written, width=80))
    named = "<\x1b[31m> very long " * 30
    laws = tuple(dataclasses.replace(LAWS[0], kind=f"kind{i}", title=named) for i in range(20))
    many = tuple(_prediction(law.kind, 2, 2e6, 2.02e6) for law in laws)
    terminal.show_backtest(dataclasses.replace(found, dataset=named, laws=laws, predictions=many))
    lines = written.getvalue().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in written.getvalue()
    assert "0.99 %" in written.getvalue()


def test_each_number_of_one_leads_to_how_it_is_made(found: Backtest) -> None:
    page = render(Subjects(backtests=(found,)))
    for name in ("predictions", "error", "coverage", "shard-bytes", "curate-s"):
        assert f'href="#why-predicted-{name}"' in page, name
        assert page.count(f'id="why-predicted-{name}"') == 1, name
    assert "|measured / predicted - 1|" in page

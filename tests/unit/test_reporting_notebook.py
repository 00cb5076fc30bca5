"""Nouns in a notebook: compact, escaped, and shown by IPython itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import reporting_facts as facts
from conftest import ROOT

import toolkit
from toolkit.reporting import notebook

NOUNS = [
    (facts.profile(), "361 images"),
    (facts.measurements(), "1,404 to 1,631 images/s"),
    (facts.measurement("read.random", "Random read", "bytes_per_s", 2e8, 1e9), "The same bytes, summed once."),
    (facts.projection(), "GPUs for training"),
    (facts.plan(), "needs input"),
]


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], str]]:
    """The HTML formatter of a real IPython shell, with ours registered."""
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    assert notebook.register()
    yield shell.display_formatter.formatters["text/html"]
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(("noun", "words"), NOUNS, ids=lambda value: type(value).__name__)
def test_a_noun_shows_as_a_small_table(draw: Callable[[object], str], noun: object, words: str) -> None:
    html = draw(noun)
    assert words in html
    assert len(html) < 20_000
    assert "plotly" not in html
    assert html.count("<table") == html.count("</table>") <= 1


def test_a_projection_is_its_headlines_and_a_plan_a_row_for_each_item(draw: Callable[[object], str]) -> None:
    projection = toolkit.project(ROOT / "sample_data" / "scenarios" / "vision_team_100tb.yaml", draws=10)
    html = draw(projection)
    assert html.index("Storage capacity") < html.index("GPUs for training") < html.index("Inference instances")
    assert html.count("<tr>") <= 13
    assert re.search(r">[\d.]+ TB</td>", html)
    bought = draw(projection.plan)
    assert bought.count("NVMe SSD") == 1
    assert "now to month 36" in bought
    assert "needs input" in bought


def test_hostile_names_are_escaped(draw: Callable[[object], str]) -> None:
    for noun in (facts.profile(name=facts.HOSTILE, formats={facts.HOSTILE: 3}), facts.projection(name=facts.HOSTILE)):
        html = draw(noun)
        assert "<script" not in html
        assert set(re.findall(r"</?([a-z]+)", html)) <= {
            "div",
            "strong",
            "p",
            "small",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        }


def test_an_empty_profile_is_shown_too(draw: Callable[[object], str]) -> None:
    assert "0 images" in draw(facts.empty_profile())


IN_A_SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("import toolkit")
heavy = sorted({"plotly", "polars", "numpy"} & set(sys.modules))
shell.run_cell("scenario = 'sample_data/scenarios/vision_team_100tb.yaml'; projection = toolkit.project(scenario, draws=10)")
import reporting_facts as facts
from toolkit.projection.scenario import load_scenario
from toolkit.dataset.reading import Dataset
class Opened(Dataset):
    def __init__(self): pass
    profile, state, store, version = facts.profile(), None, None, 2
    def __repr__(self): return "an opened dataset"
projection = shell.user_ns["projection"]
nouns = [Opened(), facts.profile(), facts.measurements(), facts.measurements().measurements[0], load_scenario(shell.user_ns["scenario"])]
nouns += [projection, projection.plan]
shown = {type(noun).__name__: shell.display_formatter.format(noun)[0] for noun in nouns}
plotly = "plotly" in sys.modules
from test_reporting_backtest import found  # which imports pages, and with them plotly
shown["Backtest"] = shell.display_formatter.format(found.__wrapped__())[0]
print(json.dumps({"shown": shown, "heavy": heavy, "plotly": plotly}))
"""


def test_in_a_shell_that_imports_the_package_alone_every_noun_is_compact(tmp_path: Path) -> None:
    environment = {"IPYTHONDIR": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests' / 'unit'}", "PATH": ""}
    code = [sys.executable, "-c", IN_A_SHELL]
    done = subprocess.run(code, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["heavy"] == []
    assert not found["plotly"]
    nouns = ["Opened", "DatasetProfile", "MeasurementSet", "Measurement", "Scenario", "Projection", "Plan", "Backtest"]
    assert list(found["shown"]) == nouns
    for name, shown in found["shown"].items():
        assert "<table" in shown.get("text/html", ""), name
        lines = shown["text/plain"].splitlines()
        assert len(lines) <= 12, name
        assert name in {"Projection", "Plan"} or max(map(len, lines)) <= 200, (name, shown["text/plain"])
    assert "needs input" not in found["shown"]["Scenario"]["text/plain"]
    assert re.search(r"\d [A-Za-z]+", found["shown"]["Plan"]["text/plain"])


def test_without_ipython_nothing_is_registered() -> None:
    assert notebook.register() is False

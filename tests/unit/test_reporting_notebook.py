"""Nouns in a notebook: compact, escaped, and shown by IPython itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import reporting_facts as facts

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


def test_without_ipython_nothing_is_registered() -> None:
    assert notebook.register() is False

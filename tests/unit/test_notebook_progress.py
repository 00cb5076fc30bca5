"""Bars in a notebook: drawn while a verb works, gone when it ends, and nothing of them anywhere else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import toolkit
from toolkit import notebook_progress
from toolkit.engine import Engine, engine
from toolkit.notebook_progress import dashboard_shown, shows_progress


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A real shell that has a kernel, as behind a notebook."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setattr(notebook_progress, "_INTERVAL_S", 0.0)
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "kernel", SimpleNamespace(), raising=False)
    yield shell
    InteractiveShell.clear_instance()


@shows_progress
def work(count: int, *, fails: bool = False, progress: Callable[[str, int, int | None, str], None] | None = None) -> int:
    """Do nothing, and tell of it."""
    for done in range(count + 1):
        if progress is not None:
            progress("read <b>", done, count, "images & more")
    if progress is not None:
        progress("scan", 7, None, "")
    if fails:
        raise ValueError("no")
    return count


def drawn_by(call: Callable[[], Any]) -> list[Any]:
    with capture_output() as captured:
        call()
    assert captured.stdout == captured.stderr == ""
    return [(output.data, output.update) for output in captured.outputs]


def test_bars_are_drawn_into_one_output_and_end_as_a_line(shell: InteractiveShell) -> None:
    outputs = drawn_by(lambda: work(3))
    assert [update for _, update in outputs] == [False] + [True] * (len(outputs) - 1)
    during = [data["text/html"] for data, _ in outputs]
    assert any('max="3" value="2"' in html and "2 of 3" in html and "images &amp; more" in html for html in during)
    assert not any("<b>" in html for html in during)
    last = outputs[-1][0]
    assert "<progress" in during[-2]
    assert "<progress" not in last["text/html"]
    assert re.fullmatch(r"work took [\d.]+ [µm]?s: read <b> 3, scan 7", last["text/plain"])


def test_between_two_moments_only_the_end_of_a_stage_is_drawn(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook_progress, "_INTERVAL_S", 1e9)
    told = [data["text/plain"] for data, _ in drawn_by(lambda: work(3))]
    assert told[:-1] == ["work begins", "work: read <b> 3 of 3"]
    assert told[-1].startswith("work took ")


def test_work_that_fails_says_so_and_raises(shell: InteractiveShell) -> None:
    def call() -> None:
        with pytest.raises(ValueError, match="no"):
            work(1, fails=True)

    last = drawn_by(call)[-1][0]
    assert last["text/plain"].startswith("work stopped after ")
    assert "<progress" not in last["text/html"]


def test_a_verb_within_a_verb_has_the_bars_of_the_outer_alone(shell: InteractiveShell) -> None:
    @shows_progress
    def outer(*, progress: Callable[[str, int, int | None, str], None] | None = None) -> int:
        return work(2)

    assert [update for _, update in drawn_by(outer)] == [False, True]


def test_the_dashboard_is_linked_while_work_runs(shell: InteractiveShell) -> None:
    @shows_progress
    def linked(*, progress: Callable[[str, int, int | None, str], None] | None = None) -> None:
        dashboard_shown("http://127.0.0.1:8787/status", has_charts=False)

    first, *_, last = [data["text/html"] for data, _ in drawn_by(linked)[1:]]
    assert '<a href="http://127.0.0.1:8787/status"' in first
    assert "pip install bokeh" in first
    assert "href" not in last


def test_the_engine_tells_its_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client

    told: list[str] = []
    monkeypatch.setattr("toolkit.engine.dashboard_shown", lambda link, has_charts: told.append(link))
    with Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0") as client, engine(client) as running:
        assert isinstance(running, Engine)
        assert told == [running.dashboard]
        assert told[0].startswith("http://")


def test_scripts_terminals_and_callers_who_give_their_own_see_nothing(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    assert drawn_by(lambda: work(2, progress=lambda stage, *_: told.append(stage))) == []
    assert len(told) == 4
    monkeypatch.delattr(shell, "kernel")
    assert drawn_by(lambda: work(2)) == []
    InteractiveShell.clear_instance()
    assert work(2) == 2


@pytest.mark.parametrize("name", ["curate", "measure", "backtest", "redecide", "remove", "retry", "compact", "export"])
def test_long_verbs_show_progress_and_keep_their_signature(name: str) -> None:
    verb = getattr(toolkit, name)
    assert verb.__wrapped__.__name__ == name
    assert inspect.signature(verb).parameters["progress"].kind is inspect.Parameter.KEYWORD_ONLY

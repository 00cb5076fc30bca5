"""A failure of a timed test is put down to others only where they took much of the machine, and only after the last try."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import disturbance
import pytest
from disturbance import Taken, disturbed_share, note, taken
from pacing import TRIES

QUIET, BUSY = Taken(others_s=0.1, machine_s=10.0), Taken(others_s=4.0, machine_s=10.0)


def failed(monkeypatch: pytest.MonkeyPatch, after: Taken, fault: Exception, tries: int = TRIES) -> Any:
    """Return the report of a test that failed while so much was taken."""
    with pytest.raises(type(fault)) as caught:
        raise fault
    moments = iter([Taken(others_s=0.0, machine_s=0.0), after])
    monkeypatch.setattr(disturbance, "taken", lambda: next(moments))
    item = SimpleNamespace(stash=pytest.Stash(), execution_count=tries, location=("tests/x.py", 7, "test_x"))
    report = SimpleNamespace(failed=True, outcome="failed", longrepr="as it was")
    note(item, SimpleNamespace(when="setup", excinfo=None), report)  # type: ignore[arg-type]  # what is read of pytest's own
    note(item, SimpleNamespace(when="call", excinfo=caught), report)  # type: ignore[arg-type]  # as above
    return report


def test_on_a_quiet_machine_a_failure_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(monkeypatch, QUIET, AssertionError("too slow")).outcome == "failed"


def test_on_a_machine_that_others_use_it_is_skipped_with_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    report = failed(monkeypatch, BUSY, AssertionError("too slow"))
    assert report.outcome == "skipped"
    assert report.longrepr[:2] == ("tests/x.py", 7)
    assert "others took 40% of the machine" in report.longrepr[2]
    assert "too slow" in report.longrepr[2]


def test_a_fault_that_is_no_rate_and_a_try_before_the_last_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(monkeypatch, BUSY, ValueError("broken")).outcome == "failed"
    assert failed(monkeypatch, BUSY, AssertionError("too slow"), tries=TRIES - 1).outcome == "failed"


def test_what_a_system_does_not_say_disturbs_nobody(tmp_path: Path) -> None:
    assert taken(tmp_path / "stat") is None
    assert disturbed_share(None, QUIET) == disturbed_share(QUIET, None) == 0
    (tmp_path / "stat").write_text("cpu  100 0 100 9999999 0 0 0 50 0 0\n")
    found = taken(tmp_path / "stat")
    assert found is not None
    assert found.others_s >= 0.5  # at least what the hypervisor gave to others

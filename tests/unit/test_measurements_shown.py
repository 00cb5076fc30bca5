"""What a run of measure shows beside its rates: shares with intervals, what failed and why, and what is not said."""

from __future__ import annotations

import dataclasses

import pytest
import reporting_facts as facts

from toolkit.facts import Environment, MeasurementSet
from toolkit.reporting.blocks import Notes, Table
from toolkit.reporting.sections_measurements import measurement_sections
from toolkit.terminal_measurements import show_measurements

REASON = "the endpoint is an emulator (moto): no rate is given"


def taken() -> MeasurementSet:
    """A run with a share whose interval is known, a loss that was none, and a target that gives no rate."""
    usual = facts.measurement("read.sequential", "Sequential read", "bytes_per_s", 1.5e9, 2e9, flags=("few_invocations",))
    share = dataclasses.replace(usual, ceiling_share_interval=(0.7, 0.8))
    loss = facts.measurement("contention.loss", "What it loses", "share", -0.03, flags=())
    found = facts.measurements(share, loss)
    broken = {f"transfer.object_get (streams {n})": REASON for n in (1, 4)}
    return dataclasses.replace(found, environment=Environment(host="h", facts={"not_measured": broken}))


def test_the_terminal_tells_faults_intervals_and_limits(capsys: pytest.CaptureFixture[str]) -> None:
    show_measurements(taken(), is_whole=True)
    said = capsys.readouterr().out
    assert f"! not measured: transfer.object_get in 2 settings: {REASON}" in said
    assert "75 % (70 % to 80 %)" in said
    assert "-3 %" not in said
    assert "Durability is not measured" in said


def test_the_report_tells_them_unfolded() -> None:
    blocks = measurement_sections(taken())["measured"].blocks
    notes = {block.title: block.items for block in blocks if isinstance(block, Notes)}
    assert notes["What could not be measured, and why"] == (f"transfer: object get in 2 settings. T{REASON[1:]}",)
    assert any("Durability is not measured" in item for item in notes["What these figures hold for"])
    (rates,) = [block for block in blocks if isinstance(block, Table) and block.caption == "Every stage"]
    assert not rates.folded
    assert (rates.rows[0][4].text, rates.rows[0][4].below) == ("75 %", "70 % to 80 %")
    assert rates.rows[1][1].text == "0 %"
    assert "Student's t over processes" in rates.note
    assert "bootstrap" in rates.note  # the second has processes enough

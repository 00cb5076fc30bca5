"""Two runs beside each other: ratios whose intervals cover the truth, verdicts that follow the unit, and what else changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from toolkit.cli import run
from toolkit.errors import MissingError, UsageError
from toolkit.facts import Environment, Measurement, MeasurementSet, Sample
from toolkit.measurement.comparing import compare, independent_ratio
from toolkit.measurement.statistics import median_interval


def measurement(
    values: list[float], metric: str = "read.sequential", unit: str = "bytes_per_s", **conditions: object
) -> Measurement:
    samples = tuple(
        Sample(
            invocation=n, order=n, started_at="2026-01-01T00:00:00Z", elapsed_s=1, cpu_s=1, operations=1, payload_bytes=1,
            images=1, value=value,
        )
        for n, value in enumerate(values)
    )  # fmt: skip
    median, low, high = median_interval({n: [value] for n, value in enumerate(values)})
    return Measurement(
        metric=metric, title=f"{metric} {conditions}", unit=unit, conditions=conditions, samples=samples, median=median,
        interval_low=low, interval_high=high,
    )  # fmt: skip


def taken(*measurements: Measurement, started_at: str = "2026-01-01T00:00:00Z", **facts: object) -> MeasurementSet:
    return MeasurementSet(
        dataset="/d", dataset_version=0, plan="quick", started_at=started_at, elapsed_s=1.0,
        environment=Environment(host="h", facts={"packages": {"pyarrow": "26.0.1"}, "core_count": 2} | facts),
        measurements=measurements,
    )  # fmt: skip


@pytest.mark.untraced
@pytest.mark.parametrize(("count", "truth"), [(3, 1.0), (8, 1.0), (8, 1.4)])
def test_nineteen_of_twenty_intervals_cover_the_true_ratio(count: int, truth: float) -> None:
    random = np.random.default_rng(7)
    missed = 0
    for _ in range(300):
        a, b = random.lognormal(0, 0.1, count), random.lognormal(np.log(truth), 0.1, count)
        _, low, high = independent_ratio({n: [v] for n, v in enumerate(b)}, {n: [v] for n, v in enumerate(a)})
        assert low is not None
        assert high is not None
        missed += not low <= truth <= high
    assert missed / 300 <= 0.08


def test_runs_that_differ_by_more_than_their_spread_are_told_apart_and_others_are_not() -> None:
    old = taken(
        measurement([100, 101, 99, 100, 102, 98, 100], cache="warm"),
        measurement([1.0, 1.01, 0.99], metric="loader.time_to_first_batch", unit="s"),
        measurement([50, 80, 110], metric="transfer.http_range"),
        measurement([5.0], metric="hash.sha256"),
    )
    new = taken(
        measurement([150, 149, 151, 152, 150, 148, 150], cache="warm"),
        measurement([1.5, 1.51, 1.49], metric="loader.time_to_first_batch", unit="s"),
        measurement([60, 90, 120], metric="transfer.http_range"),
        measurement([6.0], metric="hash.sha256"),
    )
    found = compare(old, new)
    assert [r.verdict for r in found.ratios] == ["faster", "slower", "no difference shown", "spread unknown"]
    assert found.ratios[0].ratio == pytest.approx(1.5)
    assert (found.ratios[0].low_ratio or 0) > 1.4
    assert found.differing_count == 2
    assert found.by_chance_count == pytest.approx(0.15)
    assert found.changes == ()


def test_a_run_does_not_differ_from_itself() -> None:
    one = taken(measurement([100, 120, 90, 95, 105, 108, 99]))
    [ratio] = compare(one, one).ratios
    assert (ratio.ratio, ratio.verdict) == (1.0, "no difference shown")


def test_only_equal_conditions_are_compared_and_the_rest_is_named() -> None:
    old, new = (
        taken(measurement([1, 2], cache="warm"), measurement([1, 2], cache="cold")),
        taken(measurement([1, 2], cache="warm")),
    )
    found = compare(old, new)
    assert len(found.ratios) == 1
    assert found.only_before == ("read.sequential {'cache': 'cold'}",)
    assert found.only_after == ()
    with pytest.raises(UsageError, match="share no measurement under the same conditions"):
        compare(taken(measurement([1, 2], cache="cold")), new)


def test_what_changed_around_the_rates_is_named_but_not_the_load_of_the_day() -> None:
    old = taken(measurement([1, 2]), kernel="6.1", load_1min_count=0.1)
    new = taken(measurement([1, 2]), kernel="6.18", load_1min_count=3.0, packages={"pyarrow": "27.0", "numpy": "2.4"})
    changes = {
        change.name: (change.before, change.after) for change in compare(old, dataclasses.replace(new, plan="standard")).changes
    }
    assert changes == {
        "plan": ("quick", "standard"), "kernel": ("6.1", "6.18"), "packages.pyarrow": ("26.0.1", "27.0"), "packages.numpy": (None, "2.4"),
    }  # fmt: skip


def test_the_command_takes_files_and_datasets_and_prints_one_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = taken(*(measurement([100, 101, 99], metric=f"read.{n}") for n in range(40))).save(tmp_path / "a.json")
    for name, value in (("20260101T000000Z", 100.0), ("20260102T000000Z", 300.0)):
        values = [value, value + 1, value - 1]
        taken(*(measurement(values, metric=f"read.{n}") for n in range(40))).save(
            tmp_path / "d" / "measurements" / f"{name}.json"
        )
    assert run(["compare", str(a), str(tmp_path / "d")]) == 0
    out = capsys.readouterr().out
    assert "3.00" in out
    assert "40 of 40 differ" in out
    assert "15 more not shown" in out
    assert len(out.splitlines()) <= 40
    assert run(["compare", str(a), str(tmp_path / "d"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["schema"] == "tonnage.comparison/1"
    assert {r["verdict"] for r in facts["ratios"]} == {"faster"}


def test_what_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingError, match="holds no measurements; take them with 'tonnage measure"):
        compare(tmp_path, tmp_path)
    assert run(["compare", str(tmp_path / "no.json"), str(tmp_path)]) == 2
    assert "there is no measurements file" in capsys.readouterr().err

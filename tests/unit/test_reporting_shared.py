"""Figures of latencies, contention and utilisation: percentiles as measured, each load beside the same thing alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import reporting_facts as facts

from toolkit.facts import Latency, Measurement, Wire
from toolkit.reporting.figures_contention import contention, utilisation
from toolkit.reporting.figures_latency import latencies
from toolkit.reporting.figures_measurements import measurement_figures


def timed(title: str, p50_s: float, p99_s: float, **changes: Any) -> Measurement:
    latency = Latency(
        count=100, member_count=1, mean_s=p50_s * 1.2, p50_s=p50_s, p95_s=(p50_s + p99_s) / 2, p99_s=p99_s, max_s=p99_s * 2
    )
    found = facts.measurement("read.pieces", title, "bytes_per_s", 1e9, **changes)
    return dataclasses.replace(found, samples=tuple(dataclasses.replace(s, latency=latency) for s in found.samples))


def requested(title: str, first_byte_s: float | None) -> Measurement:
    wire = Wire(
        path="loopback", interface="lo", latency_p50_s=0.002, latency_p99_s=0.004, latency_mean_s=0.002,
        first_byte_p50_s=first_byte_s, first_byte_p99_s=first_byte_s, client_cpu_s=0.1, server_cpu_s=None, wire_bytes=None,
        retransmit_count=None, retransmit_evidence="none",
    )  # fmt: skip
    found = facts.measurement("transfer.http_range", title, "bytes_per_s", 1e9)
    return dataclasses.replace(found, samples=tuple(dataclasses.replace(s, wire=wire) for s in found.samples))


def batch_time(load: str, beside: str, percentile: str, value_s: float) -> Measurement:
    conditions = {"workers": 2, "load": load, "beside": beside, "percentile": percentile}
    return facts.measurement("contention.batch_time", f"Loader, {load}", "s", value_s, conditions=conditions)


CONTENTION = (
    batch_time("none", "cpu", "p50", 0.04),
    batch_time("none", "cpu", "p99", 0.08),
    batch_time("cpu", "cpu", "p50", 0.08),
    batch_time("cpu", "cpu", "p99", 0.24),
    facts.measurement("contention.loss", "lost", "share", 0.5, conditions={"workers": 2, "load": "cpu"}),
    batch_time("none", "disk", "p50", 0.05),
    batch_time("disk", "disk", "p50", 0.06),
    facts.measurement("contention.loss", "lost", "share", 0.2, conditions={"workers": 2, "load": "disk"}),
)


def marks(figure: Any, name: str) -> list[float]:
    return [value for trace in figure.data if trace.name == name for value in trace.x]


def test_latencies_show_what_was_timed_and_name_the_longest_tail() -> None:
    figure = latencies([timed("steady", 0.001, 0.002), timed("long <tail>", 0.001, 0.05), requested("asked", 0.0015)])
    assert figure is not None
    assert figure.layout.title.text == "The longest tail: Long &lt;tail&gt;; its p99 is 50 times its median"
    assert sorted(marks(figure, "p99")) == [0.002, 0.004, 0.05]
    assert marks(figure, "first byte, p50") == [0.0015]
    assert len(marks(figure, "p95")) == 2, "a wire says nothing of p95"


def test_latencies_without_a_first_byte_or_without_any_time() -> None:
    figure = latencies([requested("asked", None)])
    assert figure is not None
    assert marks(figure, "first byte, p50") == []
    assert latencies([facts.measurement("read.random", "rate alone", "bytes_per_s", 1e9)]) is None


def test_of_many_latencies_the_longest_tails_are_drawn_and_the_rest_counted() -> None:
    figure = latencies([timed(f"read {n}", 0.001, 0.001 * (2 + n)) for n in range(30)])
    assert figure is not None
    assert len(marks(figure, "p99")) == 16
    assert min(marks(figure, "p99")) == pytest.approx(0.001 * (2 + 14))
    assert "14 rows with shorter tails are not drawn" in figure.layout.meta["about"]


def test_a_load_stands_beside_the_same_percentile_alone() -> None:
    figure = contention(CONTENTION)
    assert figure is not None
    wanted = "Beside a load on the processors the loader loses 50 % of its rate; a batch at p99 takes 3 times as long"
    assert figure.layout.title.text == wanted
    assert marks(figure, "alone") == [0.04, 0.08, 0.05]
    assert marks(figure, "beside the load") == [0.08, 0.24, 0.06]
    assert figure.layout.meta["rows"] == ["Load on the processors, p50", "Load on the processors, p99", "Load on the disk, p50"]


def test_a_load_that_was_never_taken_alone_is_not_compared() -> None:
    assert contention(CONTENTION[2:5]) is None
    assert contention([]) is None


def test_rates_under_a_load_are_no_rates_of_a_stage() -> None:
    names = measurement_figures(facts.measurements(*CONTENTION))
    assert set(names) == {"contention"}


def utilised(count: float, **shares: float) -> list[Measurement]:
    same = {"preset": "a", "output": "encoded", "cache": "warm"}
    found = [
        facts.measurement("utilisation.accelerators", "Model: kept busy", "count", count, conditions=same | {"least_share": 0.9})
    ]
    trials = {"one": "1", "largest": "largest", "more": "one more"}
    for name, share in shares.items():
        conditions = same | {"accelerators": trials[name]}
        found.append(facts.measurement("utilisation.without_first_step", "busy", "share", share, conditions=conditions))
        if name == "largest":
            found.append(facts.measurement("utilisation.sustained", "busy", "share", share + 0.05, conditions=conditions))
    return found


def test_utilisation_says_how_many_are_kept_busy_and_by_which_share() -> None:
    figure = utilisation(utilised(4.0, one=0.99, largest=0.88, more=0.8))
    assert figure is not None
    assert figure.layout.title.text == "The loader keeps 4 emulated accelerators at least 90 % busy: Model, encoded, warm"
    assert marks(figure, "as many as are kept busy") == [pytest.approx(0.93)], "the share that decided"
    assert marks(figure, "one more") == [0.8]


def test_not_even_one_accelerator_kept_busy_is_said_so() -> None:
    figure = utilisation(utilised(0.0, one=0.5))
    assert figure is not None
    assert "no emulated accelerator busy" in figure.layout.title.text
    assert "not even one kept 90 % busy" in figure.layout.annotations[0].text
    assert utilisation([]) is None

"""From windows to measurements: units, ceilings, flags, and nothing lost on the way to a file."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from toolkit.errors import BusyError, ClusterError, TonnageError
from toolkit.facts import Environment, Measurement, MeasurementSet
from toolkit.measurement.findings import curation_of, findings_of, understated
from toolkit.measurement.flags import FLAGS
from toolkit.measurement.hosts import HostLines, environment_of_hosts, nothing_measured
from toolkit.measurement.stages import FULL, CeilingRule, Stage


def ceiling(metric: str, unit: str, **conditions: Any) -> Stage:
    return Stage(metric=metric, title=metric, unit=unit, family="ceiling", limits="-", conditions=conditions)


CORE = ceiling("ceiling.decode_core", "images_per_s", output=FULL, n=1)
SLOWER = ceiling("ceiling.decode_core", "images_per_s", output=FULL, n=2)
DEVICE = ceiling("ceiling.device_read", "bytes_per_s", cache="cold")


def limited(metric: str, unit: str, by: Stage, parallel_count: int = 1, **conditions: Any) -> Stage:
    rule = CeilingRule(metric=by.metric, match={}, explanation="-", parallel_count=parallel_count)
    return Stage(metric=metric, title=metric, unit=unit, family="read", limits="-", conditions=conditions, ceiling=rule)


def line(stage: Stage, invocation: int, order: int, elapsed_s: float = 0.1, cache: str = "", **tally: float) -> dict[str, Any]:
    counts = {"operations": 10, "payload_bytes": 0, "images": 0, "pixels": 0} | tally
    proof = {"intended": "cold", "verdict": cache, "evidence": "read_bytes", "device_bytes": 0, "payload_bytes": 1}
    window = {"started_at": "2026-01-01T00:00:00Z", "elapsed_s": elapsed_s, "cpu_s": 0.1, "tally": counts, "device_bytes": 0}
    return {
        "kind": "window", "metric": stage.metric, "conditions": dict(stage.conditions), "invocation": invocation, "order": order,
        "window": window,
        "cache": proof if cache else None, "neighbour_share": 0.0,
    }  # fmt: skip


def found(stages: list[Stage], lines: list[dict[str, Any]], **environment: Any) -> dict[str, Measurement]:
    measurements = findings_of(stages, lines, environment=environment, window_s=0.1, mean_image_bytes=20_000.0)
    return {f"{m.metric} {m.conditions.get('n', '')}".strip(): m for m in measurements}


def test_rates_are_medians_of_what_was_counted() -> None:
    lines = [line(CORE, n, n, images=100 + 10 * n, payload_bytes=50_000) for n in range(3)]
    core = found([CORE], lines)["ceiling.decode_core 1"]
    assert core.median == pytest.approx(1100)
    assert [sample.value for sample in core.samples] == pytest.approx([1000, 1100, 1200])
    assert core.bytes_per_image == pytest.approx(150_000 / 330)
    assert core.interval_low < 1000
    assert core.interval_high > 1200
    assert core.flags == ("few_invocations",)
    assert core.ceiling is None


def test_the_best_setting_of_a_ceiling_comes_first_and_is_the_one_used() -> None:
    stage = limited("decode.all_cores", "images_per_s", CORE, parallel_count=4)
    lines = [line(SLOWER, 0, 0, images=50), line(CORE, 0, 1, images=100), line(stage, 0, 2, images=300)]
    measured = found([SLOWER, CORE, stage], lines)
    assert list(measured) == ["ceiling.decode_core 1", "ceiling.decode_core 2", "decode.all_cores"]
    ceiling = measured["decode.all_cores"].ceiling
    assert ceiling is not None
    assert (ceiling.metric, ceiling.value) == ("ceiling.decode_core", pytest.approx(4000))
    assert measured["decode.all_cores"].ceiling_share == pytest.approx(0.75)


def test_a_share_of_a_ceiling_has_an_interval_over_processes_that_took_both() -> None:
    stage = limited("decode.all_cores", "images_per_s", CORE, parallel_count=2)
    first = limited("loader.time_to_first_batch", "s", CORE, parallel_count=2)
    speeds = (50, 100, 200)  # the machine is slow and fast by turns, and with it both
    lines = [line(CORE, n, 0, images=speed) for n, speed in enumerate(speeds)]
    lines += [line(stage, n, 1, images=round(1.5 * speed)) for n, speed in enumerate(speeds)]
    lines += [line(first, n, 2, elapsed_s=10 / speed, operations=2, images=100) for n, speed in enumerate(speeds)]
    measured = found([CORE, stage, first], lines)
    assert measured["decode.all_cores"].ceiling_share == pytest.approx(0.75)
    assert measured["decode.all_cores"].ceiling_share_interval == pytest.approx((0.75, 0.75))
    soonest = measured["loader.time_to_first_batch"]
    assert soonest.ceiling_share_interval == pytest.approx((soonest.ceiling_share, soonest.ceiling_share))
    apart = [*lines[:1], line(stage, 5, 1, images=60), line(stage, 6, 1, images=60)]
    assert found([CORE, stage], apart)["decode.all_cores"].ceiling_share_interval is None
    assert measured["ceiling.decode_core 1"].ceiling_share_interval is None


def test_a_ceiling_is_brought_to_the_unit_of_its_stage() -> None:
    first = limited("loader.time_to_first_batch", "s", CORE, parallel_count=2)
    pixels = Stage(
        metric="decode.pixels", title="-", unit="pixels_per_s", family="decode", limits="-", ceiling=first.ceiling,
        derived_from=CORE.key,
    )  # fmt: skip
    lines = [line(CORE, 0, 0, images=100, pixels=20_000_000), line(first, 0, 1, operations=2, images=64)]
    measured = found([CORE, first, pixels], lines)
    soonest = measured["loader.time_to_first_batch"]
    assert soonest.median == pytest.approx(0.05)
    assert soonest.ceiling is not None
    assert soonest.ceiling.value == pytest.approx(32 / 2000)
    assert soonest.ceiling_share == pytest.approx(32 / 2000 / 0.05)  # the shortest possible over what it took
    assert measured["decode.pixels"].median == pytest.approx(200e6)
    assert measured["decode.pixels"].ceiling is not None
    assert measured["decode.pixels"].ceiling.value == pytest.approx(400e6)


def test_a_rate_above_its_ceiling_is_asked_again_and_then_flagged() -> None:
    stage = limited("read.sequential", "bytes_per_s", DEVICE, cache="cold")
    low = [line(DEVICE, 0, 0, payload_bytes=100, cache="cold"), line(stage, 0, 1, payload_bytes=106, cache="cold")]
    measured = found([DEVICE, stage], low)
    assert understated(list(measured.values())) == ("ceiling.device_read",)
    assert "ceiling_understated" in measured["read.sequential"].flags
    assert measured["read.sequential"].ceiling_share is None
    assert measured["read.sequential"].median == pytest.approx(1060)  # the rate itself is kept
    again = ceiling(DEVICE.metric, "bytes_per_s", n=9)
    retaken = found([DEVICE, again, stage], [*low, line(again, 1, 0, payload_bytes=110)])
    assert understated(list(retaken.values())) == ()
    assert retaken["read.sequential"].ceiling_share == pytest.approx(106 / 110)
    within = found([DEVICE, stage], [low[0], line(stage, 0, 1, payload_bytes=104, cache="cold")])
    assert "ceiling_understated" not in within["read.sequential"].flags


def test_flags_tell_what_was_wrong() -> None:
    cold = limited("read.random", "bytes_per_s", DEVICE, cache="cold")
    lines = [line(cold, n, n, payload_bytes=10, elapsed_s=0.01, cache="mixed") | {"neighbour_share": 0.5} for n in range(6)]
    flags = set(found([cold], lines)["read.random"].flags)
    assert flags == {"short_window", "neighbour_load", "not_cold", "no_ceiling", "cpu_bound"}
    unknown = found([cold], [line(cold, 0, 0, payload_bytes=10, cache="unverified")])["read.random"]
    assert {"cache_unverified", "few_invocations"} <= set(unknown.flags)
    warm = limited("read.random", "bytes_per_s", DEVICE, cache="warm")
    small = found([warm], [line(warm, 0, 0, payload_bytes=10, cache="warm")], working_set_bytes=10**6, l3_cache_bytes=10**7)
    large = found([warm], [line(warm, 0, 0, payload_bytes=10, cache="warm")], working_set_bytes=10**8, l3_cache_bytes=10**7)
    assert "small_dataset" in small["read.random"].flags
    assert "small_dataset" not in large["read.random"].flags
    loop = limited("transfer.flight", "bytes_per_s", DEVICE, path="loopback")
    falling = [line(loop, n // 2, n, payload_bytes=1000 - 50 * n) for n in range(12)]
    assert {"loopback", "drift"} <= set(found([loop], falling, working_set_bytes=10**12)["transfer.flight"].flags)
    assert flags | {"few_invocations", "small_dataset", "loopback", "drift", "cache_unverified"} <= set(FLAGS)


@pytest.mark.parametrize(("verdict", "is_held"), [("cold", True), ("unverified", True), ("warm", False), ("mixed", False)])
def test_what_came_from_the_cache_is_not_held_against_the_device(verdict: str, is_held: bool) -> None:
    touched = limited("read.first_touch", "bytes_per_s", DEVICE, cache="first_touch")
    lines = [line(DEVICE, 0, 0, payload_bytes=100, cache="cold"), line(touched, 0, -1, payload_bytes=500, cache=verdict)]
    measured = found([DEVICE, touched], lines)
    assert (measured["read.first_touch"].ceiling is not None) == is_held
    assert bool(understated(list(measured.values()))) == is_held


def test_a_loop_tells_its_waiting_its_processors_and_its_headspace() -> None:
    cached = ceiling("ceiling.cached_batches", "images_per_s")
    fed = limited("loader.fed", "images_per_s", CORE)
    waits = Stage(
        metric="loader.stall_share", title="-", unit="share", family="loader", limits="-", figure="stall_share",
        derived_from=fed.key,
    )  # fmt: skip
    spent = dataclasses.replace(
        waits, metric="loader.cpu_per_image", unit="s", figure="cpu_per_image",
        ceiling=CeilingRule(metric="ceiling.decode_core", match={}, explanation="-"),
    )  # fmt: skip
    lines = [line(cached, n, 0, images=800 * (n + 1)) for n in range(3)]
    lines += [line(fed, n, 1, images=100 * (n + 1), waited_s=0.075) for n in range(3)]
    lines += [line(CORE, n, 2, elapsed_s=0.4, images=200) for n in range(3)]
    measured = found([CORE, cached, fed, waits, spent], lines)
    headspace = measured["loader.headspace"]
    assert (headspace.median, headspace.interval_low, headspace.interval_high) == pytest.approx((8, 8, 8))
    assert (headspace.unit, headspace.ceiling) == ("ratio", None)
    assert measured["loader.stall_share"].median == pytest.approx(0.75)
    seconds = measured["loader.cpu_per_image"]
    assert seconds.median == pytest.approx(0.1 / 200)
    assert seconds.ceiling is not None
    assert seconds.ceiling.value == pytest.approx(0.1 / 200)  # the codec's processor time, not its time on a busy wall


def test_a_window_is_short_by_what_its_own_stage_asks_for() -> None:
    long = dataclasses.replace(limited("read.first_touch", "bytes_per_s", DEVICE, cache="first_touch"), window_s=0.5)
    lines = [line(long, 0, -1, payload_bytes=10, elapsed_s=0.2)]
    assert "short_window" in found([long], lines)["read.first_touch"].flags
    assert "short_window" not in found([long], [line(long, 0, -1, payload_bytes=10, elapsed_s=0.3)])["read.first_touch"].flags


@pytest.mark.parametrize(("cpu_s", "is_bound"), [(0.15, False), (0.19, True)])
def test_many_reads_in_flight_are_bound_by_processors_when_all_cores_are_busy(cpu_s: float, is_bound: bool) -> None:
    deep = ceiling("ceiling.device_read", "bytes_per_s", cache="cold", depth=16)
    taken = line(deep, 0, 0, payload_bytes=10, cache="cold")
    taken["window"]["cpu_s"] = cpu_s
    assert ("cpu_bound" in found([deep], [taken], core_count=2)["ceiling.device_read"].flags) == is_bound


@pytest.mark.parametrize(
    ("client_cpu_s", "server_cpu_s", "is_bound"), [(0.05, 0.05, False), (0.19, None, True), (0.02, 0.19, True)]
)
def test_a_transfer_is_bound_by_the_processors_of_either_end(client_cpu_s: float, server_cpu_s: float, is_bound: bool) -> None:
    stage = limited("transfer.http_range", "bytes_per_s", DEVICE, streams=2)
    wire = {
        "path": "remote", "interface": "", "latency_p50_s": None, "latency_p99_s": None, "latency_mean_s": None,
        "first_byte_p50_s": None, "first_byte_p99_s": None, "client_cpu_s": client_cpu_s, "server_cpu_s": server_cpu_s,
        "wire_bytes": None, "retransmit_count": None, "retransmit_evidence": "none",
    }  # fmt: skip
    taken = line(stage, 0, 0, payload_bytes=10)
    taken["window"]["wire"] = wire
    assert ("cpu_bound" in found([stage], [taken], core_count=8)["transfer.http_range"].flags) == is_bound


def test_a_window_without_an_operation_is_no_sample() -> None:
    empty = line(DEVICE, 0, 0, payload_bytes=0, operations=0)
    assert found([DEVICE], [empty, line(DEVICE, 0, 1, payload_bytes=100)])["ceiling.device_read"].median == pytest.approx(1000)


def test_stages_without_windows_are_left_out() -> None:
    assert found([DEVICE, CORE], []) == {}
    assert found([DEVICE], [line(DEVICE, 0, 0, operations=0)]) == {}


def test_the_curation_of_the_last_batch_stands_beside_the_decoders() -> None:
    ceilings = list(found([CORE], [line(CORE, 0, 0, images=100)]).values())
    rates = {"elapsed_s": 4.0, "images_per_s": 900.0, "bytes_per_s": 9e7, "worker_count": 1, "core_count": 2, "cpu_s": 7.0}
    curated = curation_of(rates, "2026-01-01T00:00:00Z", ceilings)
    assert curated is not None
    assert (curated.metric, curated.median, curated.bytes_per_image) == ("curate.write", 900.0, 100_000.0)
    assert curated.ceiling_share == pytest.approx(0.45)
    assert "from_the_record" in curated.flags
    assert curation_of({}, "", ceilings) is None


def test_a_set_of_measurements_survives_its_file(tmp_path: Path) -> None:
    stage = limited("read.sequential", "bytes_per_s", DEVICE, cache="cold")
    lines = [line(s, n, n, payload_bytes=100 - n, cache="cold") for s in (DEVICE, stage) for n in range(3)]
    measured = MeasurementSet(
        dataset="/data/x", dataset_version=1, plan="quick", started_at="2026-01-01T00:00:00Z", elapsed_s=1.5,
        environment=Environment(host="h", facts={"core_count": 2}), measurements=tuple(found([DEVICE, stage], lines).values()),
    )  # fmt: skip
    path = measured.save(tmp_path / "20260101T000000Z.json")
    assert MeasurementSet.load(path) == measured
    samples = pl.read_parquet(path.with_suffix(".parquet"))
    assert samples.height == 6
    assert set(samples["cache_verdict"]) == {"cold"}
    assert all(math.isfinite(value) for value in samples["value"])


def test_faults_of_stages_are_kept_and_faults_of_a_run_are_raised() -> None:
    host = HostLines("tcp://10.0.0.7:1234")
    host.take([
        {"kind": "environment", "host": "linux-1", "facts": {"core_count": 2}},
        {"kind": "plan", "window_count": 1},
        line(DEVICE, 0, 0, payload_bytes=1),
        {"kind": "fault", "metric": "transfer.flight", "conditions": {"streams": 1}, "error": "OSError", "message": "gone"},
    ])  # fmt: skip
    environment = environment_of_hosts([host], is_whole=False)
    assert environment.facts["not_measured"] == {"transfer.flight (streams 1)": "gone"}
    assert environment.facts["is_interrupted"] is True
    assert str(nothing_measured([host])) == "nothing could be measured: gone"
    for error, kind in (("ClusterError", ClusterError), ("BusyError", BusyError), ("Whatever", TonnageError)):
        with pytest.raises(kind):
            host.take([{"kind": "fault", "metric": "", "error": error, "message": "why"}])
    with pytest.raises(ClusterError, match=r"worker at tcp://10\.0\.0\.7:1234 does not see the dataset"):
        host.take([{"kind": "fault", "metric": "", "error": "ClusterError", "message": ""}])
    other = HostLines("tcp://10.0.0.8:1", host="linux-2", facts={"core_count": 4})
    assert environment_of_hosts([host, other], is_whole=True).facts["other_hosts"] == {"linux-2": {"core_count": 4}}
